"""The units of an area compared: who is worst, who answers, how half a year went by.

Each change has its interval as a small bar. Rounds and coverage are those of the days of the
period of which tracks are stored; a line below says which. Open and overdue are those of now.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from dashboards.components.leader_parts import (
    MARKS,
    change_text,
    compared,
    day_text,
    expected_text,
    interval_text,
    level_word,
    verdict,
)
from dashboards.components.sheet_html import h
from dashboards.leader_desk import LeaderFigures
from dashboards.words import Words
from geo.compare import BESIDE
from geo.disclosure import HIDDEN
from geo.leader import PeriodPatrol

MOST_RUNS = 4
"""Runs of days that are named; more make no sentence."""


def rank_table(figures: LeaderFigures, words: Words) -> Markup:
    """The units of the area, worst first, with both comparisons and half a year of weeks."""
    view = figures.view
    other = "last_period" if view.choice.against == "last_year" else "last_year"
    heads = [
        ("rank", words("leader.col.rank")), ("name", level_word(view.level, words)),
        ("now", words("leader.col.now")),
        ("expected", words(f"leader.col.expected.{view.choice.against}")),
        ("change", words("leader.col.change")), ("verdict", words("leader.col.verdict")),
        ("other", words(f"leader.col.other.{other}")), ("rate", words("leader.col.per_1000")),
        ("open", words("leader.col.open")), ("late", words("leader.col.overdue")),
        ("rounds", words("leader.col.rounds")), ("covered", words("leader.col.covered")),
        ("person", words("leader.col.person")),
        ("trend", words("leader.col.trend", n=len(view.weeks))),
    ]  # fmt: skip
    top = max(
        float(np.nan_to_num(view.trend.loc[view.units.index].to_numpy(dtype=float)).max(initial=0)),
        1.0,
    )
    rows = [_row(str(code), row, figures, words, top) for code, row in view.units.iterrows()]
    beside = [
        h("tr", h("td"), h("th", words(f"leader.beside.{k}"), scope="row"),
          h("td", words.number(view.beside.loc[name, "now"]), class_="n"),
          h("td", words.number(view.beside.loc[name, "expected"]), class_="n"),
          h("td"),
          h("td", verdict(HIDDEN, words) if view.beside.loc[name, "verdict"] == HIDDEN else ""),
          h("td", colspan="8"), class_="is-beside")
        for k, name in enumerate(BESIDE)
        if view.beside.loc[name, ["now", "then"]].sum() > 0
        or view.beside.loc[name, "verdict"] == HIDDEN
    ]  # fmt: skip
    title = words("leader.table.title", level=level_word(view.level, words))
    return h(
        "section",
        h("h2", title),
        h("div", h("table",
          h("caption", compared(view.comparison.now, view.comparison.then, words)),
          h("thead", h("tr", [h("th", text, scope="col", class_=f"c-{name}")
                              for name, text in heads])),
          h("tbody", rows),
          h("tfoot", beside, _total_row(figures, words)),
          class_="ld-table"),
          class_="ld-wide", tabindex="0", role="region", aria_label=title),
        h("p", patrol_note(figures.patrols, words), class_="ld-note"),
        id="leader-table",
    )  # fmt: skip


def patrol_note(patrols: PeriodPatrol, words: Words) -> str:
    """Which days rounds and coverage rest on, said so that nobody takes three for a month."""
    days, left = patrols.days, patrols.wanted - len(patrols.days) - patrols.waiting
    parts = []
    if patrols.waiting:
        parts.append(words("leader.patrol.waiting", n=patrols.waiting))
    if not days:
        if not patrols.waiting:
            parts.append(words("leader.patrol.none"))
        return _joined(parts, words)
    parts.append(
        words(
            "leader.patrol.known", all=words.number(patrols.wanted), n=words.number(len(days)),
            days=_day_runs(days, words),
        )
    )  # fmt: skip
    if left > 0:
        parts.append(words("leader.patrol.left", n=words.number(left)))
    parts.append(words("leader.patrol.rule"))
    return _joined(parts, words)


def _joined(parts: list[str], words: Words) -> str:
    return reduce(lambda one, two: words("leader.join", one=one, two=two), parts)


def _day_runs(days: tuple[date, ...], words: Words) -> str:
    """Days as runs: 11月1日至5日 stands for five; of many runs the first and the last."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    told = [
        day_text(run[0], words)
        if len(run) == 1
        else words(
            "leader.patrol.run", first=day_text(run[0], words), last=day_text(run[-1], words)
        )
        for run in runs
    ]
    if len(told) > MOST_RUNS:
        told = [
            *told[: MOST_RUNS - 1],
            words("leader.patrol.runs", n=len(told) - MOST_RUNS),
            told[-1],
        ]
    return words("leader.patrol.and").join(told)


def _row(code: str, row: pd.Series, figures: LeaderFigures, words: Words, top: float) -> Markup:
    view = figures.view
    text = str(row["name"])
    name = h("span", text, class_="ld-cut", title=text)
    if view.below:
        name = h("button", text, type="button", class_="ld-link ld-cut", title=text, data_area=code)
    rank = words("none") if pd.isna(row["rank"]) else str(row["rank"])
    return h(
        "tr",
        h("td", rank, class_="n"), h("th", name, scope="row"),
        *_figures(row, words),
        *_patrol(figures.patrol.loc[code], words),
        h("td", sparkline(view.trend.loc[code].to_numpy(dtype=float), top, words)),
        data_code=code,
    )  # fmt: skip


def _patrol(row: pd.Series, words: Words) -> list[Markup]:
    """Rounds and coverage, and who answers; a dash where it is not known."""
    done, required, share = row["rounds_done"], row["rounds_required"], row["covered_share"]
    rounds = words("none")
    if not (pd.isna(done) or pd.isna(required)):
        rounds = words(
            "leader.card.of", hit=words.number(float(done)), all=words.number(float(required))
        )
    person = row["person"]
    return [
        h("td", rounds, class_="n"),
        h("td", words("none") if pd.isna(share) else f"{float(share) * 100:.1f}%",
          class_="n"),
        h("td", str(person) if isinstance(person, str) and person else words("none"),
          class_="c-person"),
    ]  # fmt: skip


def _figures(row: pd.Series, words: Words) -> list[Markup]:
    other = str(row["other_verdict"])
    return [
        h("td", words.number(row["now"]), class_="n"),
        h("td", expected_text(row, words), class_="n"),
        h("td", h("span", change_text(row, words)),
          "" if row["verdict"] == "unknown"
          else interval(row["low"], row["change"], row["high"]),
          class_="n c-change", title=interval_text(row, words)),
        h("td", verdict(str(row["verdict"]), words)),
        h("td", change_text(row, words, "other_"), " ",
          h("i", MARKS[other], title=words(f"leader.verdict.{other}"), class_=f"is-{other}"),
          class_="n"),
        h("td", words.number(row["per_1000_now"], 1), class_="n"),
        h("td", words.number(row["open"]), class_="n"),
        h("td", words.number(row["overdue"]), class_="n" + (" is-late" if row["overdue"] else "")),
    ]  # fmt: skip


def _total_row(figures: LeaderFigures, words: Words) -> Markup:
    view = figures.view
    values = view.trend.loc["(total)"].to_numpy(dtype=float)
    return h(
        "tr", h("td"), h("th", words("leader.total"), scope="row"), *_figures(view.total, words),
        *_patrol(figures.patrol.loc["(total)"], words),
        h("td", sparkline(values, max(float(np.nan_to_num(values).max(initial=0)), 1.0), words)),
        class_="is-total",
    )  # fmt: skip


def interval(low: float, change: float, high: float) -> Markup:
    """A small bar from -100 % to +100 % with the interval and its middle; nothing if unknown."""
    if change != change:
        return Markup("")

    def x(value: float) -> float:
        return 40 + 38 * max(-1.0, min(1.0, value if value == value else 0.0))

    return h(
        "svg",
        h("line", x1=40, x2=40, y1=1, y2=11, class_="zero"),
        h("line", x1=x(low), x2=x(high), y1=6, y2=6, class_="span"),
        h("circle", cx=x(change), cy=6, r=2.5, class_="dot"),
        viewBox="0 0 80 12", class_="ld-interval", aria_hidden="true",
    )  # fmt: skip


def sparkline(values: np.ndarray[Any, Any], top: float, words: Words) -> Markup:
    """Cases a week as a small line on one scale for all rows, with its words for who cannot see."""
    if not len(values):
        return Markup("")
    step = 118 / max(len(values) - 1, 1)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return h("span", words("leader.trend.none"), class_="ld-note")
    # A week of which nothing is known is a gap in the line, not a zero.
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    lines = [
        " ".join(f"{1 + k * step:.1f},{25 - 22 * values[k] / top:.1f}" for k in run.tolist())
        for run in runs
    ]
    first, last = float(values[known[0]]), float(values[known[-1]])
    label = words(
        "leader.trend.label", first=words.number(first), last=words.number(last),
        most=words.number(float(np.nanmax(values))),
    )  # fmt: skip
    return h(
        "svg",
        h("line", x1=1, x2=119, y1=25, y2=25, class_="base"),
        [h("polyline", points=points) for points in lines],
        h("circle", cx=1 + float(known[-1]) * step, cy=25 - 22 * last / top, r=2),
        viewBox="0 0 122 28", class_="ld-trend", role="img", aria_label=label,
    )  # fmt: skip
