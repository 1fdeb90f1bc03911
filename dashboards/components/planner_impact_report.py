"""A plan's consequences to send around: one HTML page and one workbook, with the page's words."""

from __future__ import annotations

from datetime import timedelta
from typing import IO, Any

import geopandas as gpd
import pandas as pd

from dashboards.components.planner_impact_sheets import impact_sheets
from dashboards.components.planner_impact_tables import impact_tables
from dashboards.plan_desk import Entry
from dashboards.plan_impact import Told
from dashboards.store import Store
from dashboards.words import Words
from geo.impact import sum_up
from geo.io.plan_report import write_plan_book
from layers.balance import Bar, balance_chart
from layers.choropleth import choropleth_of_change
from layers.colours import diverging, tokens
from layers.maplayer import LegendItem
from layers.plan_page import PageCard, PageMap, PlanPage, render_plan_page

MOST_ROADS = 4000
MAIN_ROADS = ("arterial", "main", "river", "rail")


def plan_book(target: IO[bytes], store: Store, entry: Entry, told: Told, words: Words) -> None:
    """Write the workbook of a plan."""
    notes = [f"{name}：{text}" for name, text in plan_facts(store, entry, told, words)]
    write_plan_book(target, impact_sheets(told, notes, words))


def plan_html(store: Store, entry: Entry, told: Told, words: Words) -> str:
    """The page of a plan, as one file that stands alone."""
    impact = told.impact
    bars = [
        Bar(str(name), float(count))
        for name, count, band in zip(
            impact.now["name"], impact.now["households"], impact.now["band"], strict=True
        )
        if band != "none"
    ]
    known = impact.then[impact.then["band"] != "none"]["households"]
    low, high = impact.band
    chart = balance_chart(
        bars,
        known.tolist(),
        impact.band,
        {
            "title": words("planimpact.chart"),
            "band": words("planimpact.band", low=words.number(low), high=words.number(high)),
            "empty": words("planimpact.chart.empty"),
        },
    )
    shapes, maps = _maps(entry, told, words)
    rows = [impact.after.block_rows[name] for name in impact.blocks.index]
    moved = gpd.GeoDataFrame(
        index=impact.blocks.index,
        geometry=entry.open.base.block_polygons(impact.after, rows),
        crs=4326,
    )
    page = PlanPage(
        title=words("planimpact.report.title", name=entry.open.name),
        facts=plan_facts(store, entry, told, words),
        cards=_cards(told, words),
        shapes=shapes,
        roads=_roads(store),
        moved=moved,
        maps=maps,
        chart=chart,
        chart_title=words("planimpact.chart.of"),
        tables=impact_tables(told, words),
        definitions=definitions(told, words),
        words={
            "maps": words("planimpact.maps"),
            "whole": words("planimpact.maps.whole"),
            "definitions": words("planimpact.definitions"),
        },
        language=words.language,
    )
    return render_plan_page(page)


def plan_facts(store: Store, entry: Entry, told: Told, words: Words) -> list[tuple[str, str]]:
    """What a report is about: plan, state, boundary version, age of the data, time of making."""
    zone, now = store.zone, store.clock()
    low, high = told.impact.band
    version = entry.open.base.version
    at = told.at.astimezone(zone)
    since = (at - timedelta(days=365)).date()
    return [
        (words("planimpact.fact.plan"), f"{entry.open.name} ({entry.open.plan_id})"),
        (words("planimpact.fact.state"), words(f"planimpact.state.{entry.open.state}")),
        (words("planimpact.fact.author"), str(entry.open.author)),
        (words("planimpact.fact.seq"), words.number(told.seq)),
        (
            words("planimpact.fact.version"),
            words("none") if version is None else words.number(version),
        ),
        (
            words("planimpact.fact.band"),
            words("planimpact.band", low=words.number(low), high=words.number(high)),
        ),
        (words("planimpact.fact.data"), f"{at:%Y-%m-%d %H:%M}"),
        (words("planimpact.fact.incidents"), f"{since:%Y-%m-%d} – {at:%Y-%m-%d}"),
        (words("planimpact.fact.made"), f"{now.astimezone(zone):%Y-%m-%d %H:%M}"),
    ]


def definitions(told: Told, words: Words) -> list[tuple[str, str]]:
    """What each figure is, as people read it."""
    weights = words("planimpact.comma").join(
        f"{words(f'planimpact.figure.{name}')} {weight:g}" for name, weight in told.weights.items()
    )
    names = (
        "identity", "worker", "street_m", "patrol_m", "incidents", "assets", "compactness",
        "seen_share", "off_band", "compound", "sums",
    )  # fmt: skip
    found = [
        (words(f"planimpact.term.{name}"), words(f"planimpact.means.{name}")) for name in names
    ]
    workload = words("planimpact.means.workload", weights=weights)
    return [*found, (words("planimpact.term.workload"), workload)]


def _cards(told: Told, words: Words) -> list[PageCard]:
    then, now = sum_up(told.impact.then), sum_up(told.impact.now)
    who = told.handover
    totals = told.impact.totals()

    def pair(name: str, digits: int = 0) -> tuple[str, str]:
        return words.number(then[name], digits), words.number(now[name], digits)

    return [
        PageCard(words("planimpact.card.grids"), *pair("grids")),
        PageCard(words("planimpact.card.in_band"), *pair("in_band")),
        PageCard(words("planimpact.card.out"), *pair("households_out")),
        PageCard(words("planimpact.card.spread"), *pair("spread", 1)),
        PageCard(
            words("planimpact.card.changed"), "", words.number(who.changed),
            words("planimpact.card.kept", share=f"{who.kept_share:.1%}"),
        ),
        PageCard(
            words("planimpact.card.sum"), "", words.number(float(totals.abs().max())),
            words("planimpact.card.sum.note"),
        ),
    ]  # fmt: skip


def _maps(entry: Entry, told: Told, words: Words) -> tuple[gpd.GeoDataFrame, list[PageMap]]:
    """Outlines by key (`b:` of the present, `n:` of the plan where it differs) and three maps."""
    impact, base = told.impact, entry.open.base
    mine = impact.grids.dropna(subset="grid_id")
    is_same = dict(zip(mine["grid_id"], mine["status"] == "same", strict=True))
    was = dict(zip(mine["grid_id"], mine["was"], strict=True))
    changed = [name for name in impact.now.index if not is_same[name]]
    old = base.grid_polygons(impact.before)[["geometry"]]
    new = base.grid_polygons(impact.after, changed)[["geometry"]]
    keys = {name: f"b:{was[name]}" if is_same[name] else f"n:{name}" for name in impact.now.index}
    shapes = pd.concat([old.rename(lambda k: f"b:{k}"), new.rename(lambda k: f"n:{k}")])
    lost = set(impact.then.index) - {was[name] for name in impact.now.index if is_same[name]}
    change = mine.set_index("grid_id")["households_change"]
    frame = gpd.GeoDataFrame(
        {"name": impact.now["name"]},
        geometry=shapes.geometry.loc[[keys[k] for k in impact.now.index]].to_numpy(),
        index=impact.now.index,
        crs=4326,
    )
    layer = choropleth_of_change(
        frame, change, title=words("planimpact.map.change"), unit=words("planimpact.unit.homes"),
        mood="day", language=words.language,
    )  # fmt: skip
    legend = _band_legend(words)
    return shapes, [
        PageMap(
            "before", words("planimpact.map.before"), legend(impact.then),
            _shapes(impact.then, {k: f"b:{k}" for k in impact.then.index}, lost, words),
        ),
        PageMap(
            "now", words("planimpact.map.now"), legend(impact.now),
            _shapes(impact.now, keys, set(changed), words),
        ),
        PageMap(
            "change", words("planimpact.map.change.of"), layer.legend,
            [
                (keys[name], str(fill), not is_same[name], str(hover))
                for name, fill, hover in zip(
                    frame.index, layer.features["fill"], layer.features["hover"], strict=True
                )
            ],
        ),
    ]  # fmt: skip


def _shapes(
    table: pd.DataFrame, keys: dict[str, str], changed: set[str], words: Words
) -> list[tuple[str, str, bool, str]]:
    fills = band_fills()
    found = []
    for grid_id, one in zip(table.index, table.to_dict("records"), strict=True):
        hover = words(
            "planimpact.hover",
            name=one["name"],
            n=words.number(one["households"]),
            band=words(f"planimpact.status.{one['band']}"),
            incidents=words.number(one["incidents"]),
            workload=words.number(one["workload"]),
        )
        found.append((keys[grid_id], fills[one["band"]], grid_id in changed, hover))
    return found


def band_fills() -> dict[str, str]:
    """Fill of a grid by how it stands to the band: purple too few, orange too many."""
    ramp = diverging("day", 7)
    return {"low": ramp[1], "in": "#dfe7f1", "high": ramp[5], "none": tokens("day").no_data}


def _band_legend(words: Words) -> Any:
    def legend(table: pd.DataFrame) -> list[LegendItem]:
        counts = table["band"].value_counts()
        return [
            LegendItem(words(f"planimpact.status.{name}"), fill, "fill", int(counts.get(name, 0)))
            for name, fill in band_fills().items()
        ]

    return legend


def _roads(store: Store) -> gpd.GeoDataFrame:
    table = store.workspace.table("roads")
    roads = store.workspace.read(
        "roads", columns=["geom"], where=table.c.road_class.in_(MAIN_ROADS), limit=MOST_ROADS
    )
    return gpd.GeoDataFrame(roads[["geometry"]], geometry="geometry", crs=4326)
