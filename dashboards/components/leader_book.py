"""A briefing as a workbook whose sums and differences are live formulas.

Every column adds up to the city's figure: what is too small to be listed stands in one row of its
own. What is not known is empty and has no formula.
"""

from __future__ import annotations

from typing import IO

import pandas as pd

from dashboards.components import leader_parts as parts
from dashboards.components.leader_hidden import hide_small
from dashboards.components.leader_spots import spot_sheet
from dashboards.leader_desk import LeaderFigures
from dashboards.store import Store
from dashboards.words import Words
from geo.compare import BESIDE
from geo.disclosure import HIDDEN
from geo.io.plan_report import ReportColumn, ReportSheet, Total, write_plan_book
from geo.leader import LeaderView

ADDED = ("now", "then", "expected", "households", "open", "overdue")
"""Columns of units that add up."""


def report_book(target: IO[bytes], store: Store, figures: LeaderFigures, words: Words) -> None:
    """Write the workbook: units, indicators, classes; differences and sums are formulas."""
    told = hide_small(figures, store.settings.small_group)
    view = told.view
    notes = [
        parts.period_text(view.comparison.now, words) + " / "
        + parts.period_text(view.comparison.then, words),
        words("leader.def.boundary", grids=words.number(len(figures.boundary.grids)),
              n=figures.boundary.version or "–", at=f"{view.at:%Y-%m-%d %H:%M}"),
        words("leader.report.small", n=store.settings.small_group),
    ]  # fmt: skip
    rows = _unit_rows(view, words)
    sums: dict[str, Total] = {key: "sum" if rows[key].notna().any() else "" for key in ADDED}
    level = parts.level_word(view.level, words)
    columns = (
        ReportColumn("code", words("leader.sheet.code"), width=16),
        ReportColumn("name", level, width=22),
        ReportColumn("now", words("leader.col.now"), "count", total=sums["now"]),
        ReportColumn("then", words("leader.sheet.then"), "count", total=sums["then"]),
        ReportColumn("expected", words(f"leader.col.expected.{view.choice.against}"), "metres",
                     total=sums["expected"]),
        ReportColumn("difference", words("leader.sheet.difference"), "change",
                     total=sums["expected"], formula="{now}-{expected}", where="expected"),
        ReportColumn("change", words("leader.col.change"), "share",
                     formula='IF({expected}>0,{now}/{expected}-1,"")', where="expected"),
        ReportColumn("low", words("leader.sheet.low"), "share"),
        ReportColumn("high", words("leader.sheet.high"), "share"),
        ReportColumn("verdict", words("leader.col.verdict"), width=14),
        ReportColumn("households", words("leader.sheet.households"), "count",
                     total=sums["households"]),
        ReportColumn("open", words("leader.col.open"), "count", total=sums["open"]),
        ReportColumn("overdue", words("leader.col.overdue"), "count", total=sums["overdue"]),
    )  # fmt: skip
    total = words("leader.total")
    sheets = [
        ReportSheet(words("leader.table.title", level=level), notes, columns, rows, total, frozen=2)
    ]
    if len(told.spots.table):
        sheets.append(spot_sheet(told, notes, words))
    sheets += [_rates_sheet(told, by, notes, words) for by in ("area", "department")]
    sheets.append(_class_sheet(told, notes, words))
    write_plan_book(target, sheets)


def _unit_rows(view: LeaderView, words: Words) -> pd.DataFrame:
    """Units, what lies beside them and, in one row, what is too small to be listed."""
    held = view.beside[["now", "then", "open"]].sum(axis=1) > 0
    shown = held | (view.beside["verdict"] == HIDDEN)
    rows = pd.concat([view.units, view.beside[shown]])
    hidden = rows["verdict"] == HIDDEN
    rows, left = rows[~hidden], int(hidden.sum())
    names = {code: words(f"leader.beside.{k}") for k, code in enumerate(BESIDE)}
    rows = rows.reset_index(names="code")
    rows["name"] = [
        names.get(str(code), str(name))
        for code, name in zip(rows["code"], rows["name"], strict=True)
    ]
    if left:
        rest = {key: view.total[key] - rows[key].sum() for key in ADDED}
        name = words("leader.sheet.unlisted", n=left)
        rest |= {"code": "", "name": name, "verdict": HIDDEN}
        rows = pd.concat([rows, pd.DataFrame([rest])], ignore_index=True)
    rows["verdict"] = [words(f"leader.verdict.{word}") for word in rows["verdict"]]
    return rows


def _rates_sheet(figures: LeaderFigures, by: str, notes: list[str], words: Words) -> ReportSheet:
    found = figures.areas if by == "area" else figures.departments
    rows = found.table.reset_index()
    beside = {code: words(f"leader.beside.{k}") for k, code in enumerate(BESIDE)}
    rows["name"] = [
        beside.get(str(code)) or found.names.get(code, str(code)) for code in rows["code"]
    ]
    rows["indicator"] = [words(f"evaluate.name.{name}") for name in rows["indicator"]]
    rows["reason"] = [words(f"leader.reason.{word}") if word else "" for word in rows["reason"]]
    columns = (
        ReportColumn("name", parts.level_word(figures.view.level, words) if by == "area"
                     else words("leader.department"), width=22),
        ReportColumn("indicator", words("leader.sheet.indicator"), width=18),
        ReportColumn("numerator", words("leader.sheet.numerator"), "count"),
        ReportColumn("denominator", words("leader.sheet.denominator"), "count"),
        ReportColumn("value", words("leader.sheet.value"), "decimal",
                     formula="{numerator}/{denominator}", where="value"),
        ReportColumn("last_year_value", words("leader.sheet.last_year"), "decimal"),
        ReportColumn("last_period_value", words("leader.sheet.last_period"), "decimal"),
        ReportColumn("rank", words("leader.col.rank"), "count"),
        ReportColumn("reason", words("leader.sheet.reason"), width=28),
    )  # fmt: skip
    title = words(f"leader.indicators.{by}", level=parts.level_word(figures.view.level, words))
    return ReportSheet(title, notes, columns, rows, frozen=2)


def _class_sheet(figures: LeaderFigures, notes: list[str], words: Words) -> ReportSheet:
    rows = figures.classes.iloc[:-1].reset_index(names="code")
    rows["name"] = [parts.class_label(str(code), words, figures.book) for code in rows["code"]]
    names = ("solved", "open", "cancelled", "unknown")
    columns = (
        ReportColumn("name", words("leader.class"), width=26),
        *(ReportColumn(name, words(f"leader.classes.{name}"), "count", total="sum")
          for name in names),
        ReportColumn("reported", words("leader.classes.reported"), "count", total="sum",
                     formula="+".join(f"{{{name}}}" for name in names)),
    )  # fmt: skip
    return ReportSheet(
        words("leader.classes.title"), notes, columns, rows, words("leader.total"), frozen=1
    )
