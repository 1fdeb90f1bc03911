"""The standard's indicators, the list by class and the definitions of a briefing, as HTML.

Every figure has its denominator beside it and leads to the cases behind it; what every word means
stands at the end.
"""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from dashboards.components.leader_parts import class_label, level_word, rate_reason
from dashboards.components.sheet_html import h
from dashboards.leader_desk import LeaderFigures
from dashboards.leader_spots import LEAST_DAYS, LEAST_WEEKS, RADIUS_M
from dashboards.words import Words
from geo.compare import BESIDE
from geo.evaluate import INDICATORS, Evaluation

SHOWN = (
    "valid_report_rate", "opening_rate", "handling_rate", "on_time_handling_rate", "closing_rate",
    "on_time_closing_rate", "rework_rate", "return_rate", "repeat_rate", "mean_handling_hours",
    "area_coverage_rate",
)  # fmt: skip
"""Indicators of areas and departments, in the order of the standard's list."""


def indicators(figures: LeaderFigures, words: Words, *, by: str = "area") -> Markup:
    """The standard's indicators by unit or department, with score, 同比 and 环比."""
    found = figures.areas if by == "area" else figures.departments
    names = [name for name in SHOWN if by in INDICATORS[name].objects]
    codes = list(figures.view.units.index) if by == "area" else list(found.scores.index)
    codes = [code for code in codes if code in found.scores.index and code not in BESIDE]
    every = list(codes)
    # Who had no case to judge is counted and not listed: a table of dashes tells nothing.
    told = found.table["value"].unstack().reindex(columns=names).notna().any(axis=1)
    left = [code for code in codes if not told[code]]
    codes = [code for code in codes if told[code]]
    table = found.table["value"].unstack().reindex(columns=names).loc[codes]
    empty = [name for name in names if codes and table[name].isna().all()]
    names = [name for name in names if name not in empty]
    order = found.scores.loc[codes].sort_values("rank", na_position="last", kind="stable").index
    head = [h("th", words("leader.col.rank"), scope="col"),
            h("th", level_word(figures.view.level, words) if by == "area"
              else words("leader.department"), scope="col"),
            h("th", words("leader.col.score"), scope="col")]  # fmt: skip
    head += [h("th", words(f"evaluate.name.{name}"), scope="col", title=_share(name, words))
             for name in names]  # fmt: skip
    rows = []
    for code in order:
        score = found.scores.loc[code]
        rank = words("none") if pd.isna(score["rank"]) else str(int(score["rank"]))
        cells = [
            _indicator(found.table.loc[(code, name)], name, str(code), words) for name in names
        ]
        known = words.number(score["points_known"])
        rows.append(
            h("tr", h("td", rank, class_="n"), _named(found.names[code]),
              h("td", words.number(score["score"], 1),
                h("small", words("leader.score.points", n=known)), class_="n",
                title=words("leader.score.known", n=known)), cells)
        )  # fmt: skip
    title = words(f"leader.indicators.{by}", level=level_word(figures.view.level, words))
    return h(
        "section", h("h2", title),
        h("div", h("table", h("caption", words(f"leader.indicators.note.{by}")),
                   h("thead", h("tr", head)), h("tbody", rows), class_="ld-table"),
          class_="ld-wide", tabindex="0", role="region", aria_label=title)
        if rows else h("p", _why_none(found, every, words), class_="ld-empty"),
        h("p", _without_value(found, order, empty, words), class_="ld-note")
        if rows and empty else None,
        h("p", words("leader.indicators.left", n=words.number(len(left))), class_="ld-note")
        if rows and left else None,
        id=f"leader-{by}",
    )  # fmt: skip


def _named(name: str) -> Markup:
    """The head of a row: a long name is cut, and whole in its title."""
    return h("th", h("span", name, class_="ld-cut", title=name), scope="row")


def _why_none(found: Evaluation, codes: list[str], words: Words) -> str:
    """Why nobody has any value: no case at all, or cases of which too little is known."""
    unknown = found.table["unknown"].unstack().reindex(codes).sum()
    left = 0 if unknown.empty else float(unknown.max())
    if not left > 0:
        return words("leader.indicators.none")
    return words("leader.indicators.untold", n=words.number(left))


def _without_value(found: Evaluation, codes: pd.Index, names: list[str], words: Words) -> str:
    """The indicators that no unit has, with the reason of each, as one line."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        rows = found.table.loc[[(code, name) for code in codes]]
        reasons.setdefault(rate_reason(rows), []).append(words(f"evaluate.name.{name}"))
    parts = [
        words("leader.indicators.why", names=words("leader.patrol.and").join(told),
              reason=words(f"leader.reason.{reason}"))
        for reason, told in reasons.items()
    ]  # fmt: skip
    return words("leader.indicators.empty", told=words("leader.list").join(parts))


def _indicator(row: pd.Series, name: str, code: str, words: Words) -> Markup:
    if row["value"] != row["value"]:
        reason = words(f"leader.reason.{row['reason'] or 'no_cases'}")
        return h("td", words("none"), class_="n is-unknown", title=reason)
    unit = INDICATORS[name].unit
    value = f"{row['value'] * 100:.1f}%" if unit == "share" else words.number(row["value"], 1)
    flags = []
    for word in ("last_year", "last_period"):
        flag = str(row[f"{word}_flag"])
        arrow = {"up": "↑", "down": "↓", "same": "→", "unknown": ""}[flag]
        if arrow:
            before = row[f"{word}_value"]
            past = f"{before * 100:.1f}%" if unit == "share" else words.number(before, 1)
            is_good = (flag == "up") == (INDICATORS[name].good == "high")
            flags.append(
                h(
                    "i",
                    arrow,
                    title=words(f"leader.flag.{word}", value=past),
                    class_="" if flag == "same" else "is-good" if is_good else "is-bad",
                )
            )
    of = words(
        "leader.card.of", hit=words.number(row["numerator"]), all=words.number(row["denominator"])
    )
    told = {"title": of, "data_explain": f"{code}|{name}"}
    return h("td", h("span", value), flags, class_="n", **told)


def class_list(figures: LeaderFigures, words: Words) -> Markup:
    """What was reported by class; every row and every column adds up."""
    table = figures.classes
    names = ("reported", "solved", "open", "cancelled", "unknown")
    head = [h("th", words("leader.class"), scope="col")]
    head += [h("th", words(f"leader.classes.{name}"), scope="col") for name in names]
    rows: list[Markup] = []
    foot: list[Markup] = []
    for code, row in table.iterrows():
        is_total = code == "(total)"
        label = words("leader.total") if is_total else class_label(str(code), words, figures.book)
        cells = [h("td", words.number(row[name]), class_="n") for name in names]
        (foot if is_total else rows).append(h("tr", h("th", label, scope="row"), cells))
    if "now_without_records" in figures.view.comparison.notes:
        return h(
            "section", h("h2", words("leader.classes.title")),
            h("p", words("leader.note.now_without_records"), class_="ld-empty"),
            id="leader-classes",
        )  # fmt: skip
    return h(
        "section", h("h2", words("leader.classes.title")),
        h("p", words("leader.classes.note"), class_="ld-note"),
        h("table", h("thead", h("tr", head)), h("tbody", rows[:30]), h("tfoot", foot),
          class_="ld-table is-narrow"),
        h("p", words("leader.classes.more", n=len(rows) - 30), class_="ld-note")
        if len(rows) > 30 else None,
        id="leader-classes",
    )  # fmt: skip


def _share(name: str, words: Words) -> str:
    """What an indicator is divided by what."""
    return words("leader.def.share", numerator=words(f"evaluate.numerator.{name}"),
                 denominator=words(f"evaluate.denominator.{name}"))  # fmt: skip


def definitions(figures: LeaderFigures, words: Words) -> Markup:
    """What every figure means: denominators, tests, boundary version, age of the data."""
    view, boundary = figures.view, figures.boundary
    version = words("none") if boundary.version is None else str(boundary.version)
    newest = words("none") if view.newest is None else f"{view.newest:%Y-%m-%d %H:%M}"
    facts = [
        words("leader.def.boundary", n=version, grids=words.number(len(boundary.grids)),
              at=f"{view.at:%Y-%m-%d %H:%M}"),
        words("leader.def.data", at=newest),
        words("leader.def.expected"), words("leader.def.interval"), words("leader.def.verdicts"),
        words("leader.def.since"),
        words(
            "leader.def.spots", radius=words.number(RADIUS_M), days=LEAST_DAYS, weeks=LEAST_WEEKS
        ),
        words("leader.def.coverage"),
    ]  # fmt: skip
    terms = [
        [h("dt", words(f"evaluate.name.{name}")),
         h("dd", _share(name, words))]
        for name in SHOWN
    ]  # fmt: skip
    return h(
        "section", h("h2", words("leader.def.title")), h("ul", [h("li", text) for text in facts]),
        h("dl", terms, class_="ld-terms"), id="leader-definitions",
    )  # fmt: skip
