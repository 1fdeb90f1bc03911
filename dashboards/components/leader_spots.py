"""Black spots of a briefing: what keeps coming back where, since when, how often, who answers.

The same list on the page, on paper and in the report; its numbers are those of the marks on maps.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
from geopandas import GeoDataFrame, points_from_xy
from markupsafe import Markup

from dashboards.components.leader_parts import class_label, day_text
from dashboards.components.sheet_html import h
from dashboards.leader_desk import LeaderFigures
from dashboards.leader_spots import LEAST_DAYS, LEAST_WEEKS, RADIUS_M
from dashboards.words import Words
from geo.io.plan_report import ReportColumn, ReportSheet
from layers.colours import tokens
from layers.maplayer import LegendItem, MapLayer

MAIN_SHARE = 0.1
"""A class with a smaller share of a place's cases is not what it is known for; our choice."""

HEADS = ("rank", "place", "what", "since", "often", "open", "who")


def spot_list(figures: LeaderFigures, words: Words) -> Markup:
    """The places, worst first; one sentence where none came back."""
    spots = figures.spots
    rows = [_row(k + 1, row, figures, words) for k, (_, row) in enumerate(spots.table.iterrows())]
    title = words("leader.spots.title")
    span = words(
        "leader.spots.span", first=day_text(spots.first, words), last=day_text(spots.last, words)
    )
    rule = words(
        "leader.spots.rule", radius=words.number(RADIUS_M), days=LEAST_DAYS, weeks=LEAST_WEEKS
    )
    more = spots.found - len(rows)
    head = [h("th", words(f"leader.spots.{name}"), scope="col", class_=f"c-{name}")
            for name in HEADS]  # fmt: skip
    table = h(
        "div",
        h("table", h("caption", words("leader.join", one=span, two=rule)),
          h("thead", h("tr", head)), h("tbody", rows), class_="ld-table ld-spots"),
        class_="ld-wide", tabindex="0", role="region", aria_label=title,
    )  # fmt: skip
    none = h("p", words("leader.spots.none"), class_="ld-empty")
    return h(
        "section",
        h("h2", title),
        table if rows else none,
        None if rows else h("p", words("leader.join", one=span, two=rule), class_="ld-note"),
        h("p", words("leader.spots.more", n=words.number(more)), class_="ld-note")
        if more > 0
        else None,
        id="leader-spots",
    )


def _row(number: int, row: pd.Series, figures: LeaderFigures, words: Words) -> Markup:
    what, people = _classes(row, figures, words), _people(row, words)
    often = words(
        "leader.spots.times", n=words.number(row["cases"]), days=words.number(row["days"]),
        weeks=words.number(row["periods"]), of=words.number(row["of_periods"]),
    )  # fmt: skip
    live = words("leader.spots.live" if row["is_live"] else "leader.spots.quiet")
    is_open = row["open"]
    return h(
        "tr",
        h("td", number, class_="n"),
        h("th", h("button", _place(row, words), type="button", class_="ld-link",
                  data_spot=number), scope="row"),
        h("td", what or words("none"), class_="c-what"),
        h("td", _days(row["first_day"], row["last_day"], words), h("small", live),
          class_="c-since"),
        h("td", often, class_="c-often"),
        h("td", words("none") if pd.isna(is_open) else words.number(is_open),
          class_="n" + (" is-late" if is_open and not pd.isna(is_open) else "")),
        h("td", people or words("leader.brief.nobody"), class_="c-who"),
    )  # fmt: skip


def _classes(row: pd.Series, figures: LeaderFigures, words: Words) -> str:
    return words("leader.comma").join(
        words("leader.spots.class", name=class_label(code, words, figures.book),
              n=words.number(count))
        for code, count in row["classes"]
        if count >= MAIN_SHARE * row["cases"]
    )  # fmt: skip


def _people(row: pd.Series, words: Words) -> str:
    return words("leader.list").join(
        words("leader.brief.person", level=words(f"level.{level}"), name=name)
        for level, name in row["people"].items()
    )


def _place(row: pd.Series, words: Words) -> str:
    return str(row["place"]) or words("leader.spots.outside")


def _days(first: date, last: date, words: Words) -> str:
    return words("leader.spots.from", first=f"{first:%Y-%m-%d}", last=f"{last:%Y-%m-%d}")


def spots_json(figures: LeaderFigures, words: Words) -> list[dict[str, Any]]:
    """The marks: number, place, and what a pointer reads."""
    return [
        {"n": k + 1, "lon": round(float(row["lon"]), 6), "lat": round(float(row["lat"]), 6),
         "text": _hover(row, figures, words)}
        for k, (_, row) in enumerate(figures.spots.table.iterrows())
    ]  # fmt: skip


def _hover(row: pd.Series, figures: LeaderFigures, words: Words) -> str:
    kinds = words("leader.comma").join(
        class_label(code, words, figures.book) for code, _ in row["classes"]
    )
    return "\n".join(
        [
            _place(row, words),
            kinds,
            words("leader.spots.hover", n=words.number(row["cases"]),
                  days=words.number(row["days"]),
                  days_text=_days(row["first_day"], row["last_day"], words)),
        ]
    )  # fmt: skip


def spot_layer(figures: LeaderFigures, words: Words) -> MapLayer | None:
    """The marks on the map of a report; None where there is no black spot."""
    table = figures.spots.table
    if not len(table):
        return None
    colour = tokens("day").text
    features = GeoDataFrame(
        {
            "fill": colour,
            "shape": [f"number-{k + 1}" for k in range(len(table))],
            "hover": [
                words("leader.spots.numbered", n=k + 1, text=_hover(row, figures, words))
                for k, (_, row) in enumerate(table.iterrows())
            ],
        },
        index=[f"spot-{k + 1}" for k in range(len(table))],
        geometry=points_from_xy(table["lon"].astype(float), table["lat"].astype(float)),
        crs="EPSG:4326",
    )
    legend = (LegendItem(words("leader.spots.legend"), colour, "disc", len(table)),)
    return MapLayer("spots", words("leader.spots.title"), "point", features, legend, mood="day")


def spot_sheet(figures: LeaderFigures, notes: list[str], words: Words) -> ReportSheet:
    """The list as a sheet of the workbook."""
    table = figures.spots.table
    rows = table.assign(
        n=range(1, len(table) + 1),
        place=[_place(row, words) for _, row in table.iterrows()],
        what=[_classes(row, figures, words) for _, row in table.iterrows()],
        who=[_people(row, words) for _, row in table.iterrows()],
        first=[f"{day:%Y-%m-%d}" for day in table["first_day"]],
        last=[f"{day:%Y-%m-%d}" for day in table["last_day"]],
    )
    columns = (
        ReportColumn("n", words("leader.spots.rank"), "count"),
        ReportColumn("place", words("leader.spots.place"), width=26),
        ReportColumn("what", words("leader.spots.what"), width=40),
        ReportColumn("first", words("leader.spots.sheet.first"), width=12),
        ReportColumn("last", words("leader.spots.sheet.last"), width=12),
        ReportColumn("cases", words("leader.spots.sheet.cases"), "count", total="sum"),
        ReportColumn("days", words("leader.spots.sheet.days"), "count"),
        ReportColumn("periods", words("leader.spots.sheet.weeks"), "count"),
        ReportColumn("open", words("leader.spots.open"), "count", total="sum"),
        ReportColumn("lon", words("leader.spots.sheet.lon"), "degrees", width=12),
        ReportColumn("lat", words("leader.spots.sheet.lat"), "degrees", width=12),
        ReportColumn("who", words("leader.spots.who"), width=44),
    )
    return ReportSheet(
        words("leader.spots.title"), notes, columns, rows, words("leader.total"), frozen=2
    )
