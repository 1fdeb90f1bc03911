"""A plan's consequences to send around: one HTML page and one workbook, with the page's words."""

from __future__ import annotations

from datetime import timedelta
from typing import IO, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from dashboards.components.planner_impact_json import SCHOOLS, class_changes, worker_text
from dashboards.components.planner_impact_sheets import impact_sheets
from dashboards.plan_desk import Entry
from dashboards.plan_impact import Told
from dashboards.store import Store
from dashboards.words import Words
from geo.impact import SUMS, find_compounds, find_moved_things, sum_up
from geo.io.plan_report import write_plan_book
from layers.balance import Bar, balance_chart
from layers.choropleth import choropleth_of_change
from layers.colours import diverging, tokens
from layers.maplayer import LegendItem
from layers.plan_page import PageCard, PageMap, PageTable, PlanPage, render_plan_page

MOST_ROWS = 400
"""Rows of one table on the page; the workbook has all."""

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
        tables=_tables(told, words),
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


# --- tables ---------------------------------------------------------------------------------------


def _tables(told: Told, words: Words) -> list[PageTable]:
    return [
        _grid_table(told, words),
        _flow_table(told, words),
        _worker_table(told, words),
        _compound_table(told, words),
        _thing_table(told, "assets", words),
        _thing_table(told, "cases", words),
    ]


def _signed(value: float, words: Words, digits: int = 0) -> str:
    if not np.isfinite(value):
        return words("none")
    text = words.number(abs(value), digits)
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text


_SHOWN = (("households", 0), ("incidents", 0), ("assets", 0), ("street_m", 0), ("patrol_m", 0),
          ("workload", 0))  # fmt: skip


def _grid_table(told: Told, words: Words) -> PageTable:
    """Changed grids, the largest change first, and the sums of all changes."""
    impact = told.impact
    rows = impact.grids[impact.grids["status"] != "same"]
    rows = rows.assign(size=rows["came"] + rows["left"]).sort_values(
        ["size", "name"], ascending=[False, True], kind="stable"
    )
    heads = [words("planimpact.head.grid"), words("planimpact.head.status"),
             words("planimpact.head.band")]  # fmt: skip
    for name, _ in _SHOWN:
        heads += [words(f"planimpact.head.{name}"), words("planimpact.head.change")]
    heads += [words("planimpact.head.compactness"), words("planimpact.head.seen_share")]
    lines, keys = [], []
    for one in rows.head(MOST_ROWS).to_dict("records"):
        ended = one["status"] == "ended"
        band = one["band_before"] if ended else one["band"]
        line = [str(one["name"]), words(f"planimpact.change.{one['status']}"),
                words(f"planimpact.status.{band}")]  # fmt: skip
        for name, digits in _SHOWN:
            line.append(
                f"{words.number(one[f'{name}_before'], digits)} → {words.number(one[name], digits)}"
            )
            line.append(_signed(one[f"{name}_change"], words, digits))
        line += [_pair(one, "compactness", words), _share_pair(one, words)]
        lines.append(line)
        keys.append(f"b:{one['was']}" if ended else f"n:{one['grid_id']}")
    totals = impact.totals()
    foot = [words("planimpact.sum.all"), "", ""]
    for name, digits in _SHOWN:
        change = totals[name] if name in SUMS else impact.grids[f"{name}_change"].sum().round(6)
        foot += ["", _signed(float(change), words, digits)]
    return PageTable(
        words("planimpact.table.grids"),
        _note(len(rows), words),
        heads,
        ["text", "text", "text"] + ["number"] * (len(heads) - 3),
        lines,
        keys,
        [*foot, "", ""],
        words("planimpact.empty"),
    )


def _pair(one: dict[str, Any], name: str, words: Words) -> str:
    return f"{words.number(one[f'{name}_before'], 2)} → {words.number(one[name], 2)}"


def _share_pair(one: dict[str, Any], words: Words) -> str:
    told = [
        words("none") if not np.isfinite(value) else f"{value:.0%}"
        for value in (one["seen_share_before"], one["seen_share"])
    ]
    return " → ".join(told)


def _note(count: int, words: Words) -> str:
    if count <= MOST_ROWS:
        return words("planimpact.rows", n=words.number(count))
    return words("planimpact.rows.cut", n=words.number(count), shown=words.number(MOST_ROWS))


def _flow_table(told: Told, words: Words) -> PageTable:
    flows, nobody = told.handover.flows, words("planimpact.nobody")
    lines = [
        [
            one["from_name"], worker_text(one["from_worker"], told.names, nobody),
            one["to_name"], worker_text(one["to_worker"], told.names, nobody),
            words.number(one["households"]), words.number(one["population"]),
            words.number(one["blocks"]),
            words("planimpact.yes" if one["is_other"] else "planimpact.no"),
        ]
        for one in flows.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    heads = [words(f"planimpact.head.{name}") for name in (
        "from", "from_worker", "to", "to_worker", "households", "population", "blocks", "is_other",
    )]  # fmt: skip
    return PageTable(
        words("planimpact.table.flows"), _note(len(flows), words), heads,
        ["text"] * 4 + ["number"] * 3 + ["text"], lines,
        empty=words("planimpact.empty"),
    )  # fmt: skip


def _worker_table(told: Told, words: Words) -> PageTable:
    workers, nobody = told.handover.workers, words("planimpact.nobody")
    lines = []
    for worker_id, one in zip(workers.index, workers.to_dict("records"), strict=True):
        line = [worker_text(worker_id, told.names, nobody),
                f"{one['grids_before']} → {one['grids']}"]  # fmt: skip
        for name in ("households", "incidents", "assets", "patrol_m"):
            line.append(f"{words.number(one[f'{name}_before'])} → {words.number(one[name])}")
            line.append(_signed(one[f"{name}_change"], words))
        lines.append(line)
    heads = [words("planimpact.head.worker"), words("planimpact.head.grids")]
    for name in ("households", "incidents", "assets", "patrol_m"):
        heads += [words(f"planimpact.head.{name}"), words("planimpact.head.change")]
    return PageTable(
        words("planimpact.table.workers"), _note(len(workers), words), heads,
        ["text"] + ["number"] * 9, lines[:MOST_ROWS],
        empty=words("planimpact.empty"),
    )  # fmt: skip


def _compound_table(told: Told, words: Words) -> PageTable:
    found = find_compounds(told.impact)
    lines = [
        [
            one["compound"], words(f"planimpact.compound.{one['change']}"),
            one["from_names"], one["to_names"],
            words.number(one["households"]), words.number(one["moved"]),
        ]
        for one in found.to_dict("records")
    ]  # fmt: skip
    places = find_moved_things(told.impact, "places")
    schools = places[places["kind"].isin(SCHOOLS)]
    lines = [
        [str(one["name"]), words("planimpact.compound.school"), one["from_name"], one["to_name"],
         "", ""]
        for one in schools.drop(columns="geometry").to_dict("records")
    ] + lines  # fmt: skip
    heads = [words(f"planimpact.head.{name}") for name in (
        "compound", "status", "from", "to", "households", "moved",
    )]  # fmt: skip
    return PageTable(
        words("planimpact.table.compounds"), _note(len(lines), words), heads,
        ["text"] * 4 + ["number"] * 2, lines[:MOST_ROWS],
        empty=words("planimpact.empty"),
    )  # fmt: skip


def _thing_table(told: Told, name: str, words: Words) -> PageTable:
    """Assets by class, or open cases one by one."""
    if name == "assets":
        counts = class_changes(find_moved_things(told.impact, "assets"), words)
        lines = [[one["code"], one["name"], words.number(one["count"])] for one in counts]
        heads = [words("planimpact.head.code"), words("planimpact.head.class"),
                 words("planimpact.head.count")]  # fmt: skip
        return PageTable(
            words("planimpact.table.assets"), words("planimpact.table.assets.note"), heads,
            ["text", "text", "number"], lines, empty=words("planimpact.empty"),
        )  # fmt: skip
    moved = find_moved_things(told.impact, "cases")
    frame = moved.drop(columns="geometry").reindex(
        columns=["category", "address", "from_name", "to_name"]
    )
    lines = [
        [str(case_id), *("" if pd.isna(value) else str(value) for value in row)]
        for case_id, row in zip(frame.index, frame.to_numpy(object), strict=True)
    ]
    heads = [words(f"planimpact.head.{name}") for name in ("case", "class", "address", "from",
                                                           "to")]  # fmt: skip
    return PageTable(
        words("planimpact.table.cases"), _note(len(lines), words), heads, ["text"] * 5,
        lines[:MOST_ROWS], empty=words("planimpact.empty"),
    )  # fmt: skip
