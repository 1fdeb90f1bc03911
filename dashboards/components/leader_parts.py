"""What a leader's page and the report say of a period, as HTML: one text for screen and paper.

Every figure has its uncertainty or its denominator beside it. "No clear change" and "too few" are
answers and stand where a number would mislead; what is unknown is hatched and never zero.
"""

from __future__ import annotations

import math
from datetime import date, timedelta

import pandas as pd
from markupsafe import Markup

from dashboards.components.sheet_html import h
from dashboards.leader_desk import LeaderFigures
from dashboards.words import Words
from geo.briefing import BriefItem
from geo.codes import class_name
from geo.compare import BESIDE, Period
from geo.errors import CodeError
from geo.evaluate import INDICATORS
from geo.leader import LeaderView

MARKS = {
    "rose": "▲", "fell": "▼", "no_clear_change": "–", "too_few": "○", "unknown": "◇",
    "hidden": "•",
}  # fmt: skip
"""A shape beside each verdict, since colour alone is not read by everybody."""

SHOWN = (
    "valid_report_rate", "opening_rate", "handling_rate", "on_time_handling_rate", "closing_rate",
    "on_time_closing_rate", "rework_rate", "return_rate", "repeat_rate", "mean_handling_hours",
    "area_coverage_rate",
)  # fmt: skip
"""Indicators of areas and departments, in the order of the standard's list."""


def percent(value: float, words: Words, *, sign: bool = True) -> str:
    """+17 %; a word where there is nothing to compare with."""
    if value != value:
        return words("none")
    if math.isinf(value):
        return words("leader.from_nothing")
    text = f"{value * 100:+,.0f}%" if sign else f"{value * 100:.0f}%"
    return text.replace("-", "−")


def change_text(row: pd.Series, words: Words, prefix: str = "") -> str:
    """The change of a row; none where records are missing, since it would tell only that."""
    if row[f"{prefix}verdict"] == "unknown":
        return words("none")
    return percent(row[f"{prefix}change"], words)


def expected_text(row: pd.Series, words: Words) -> str:
    """Cases of the other period in the days of this one; none where its records are missing."""
    if row["verdict"] == "unknown" and row["expected"] == 0:
        return words("none")
    return words.number(row["expected"])


def day_text(day: date, words: Words) -> str:
    """2026年11月21日, or 2026-11-21."""
    return words("leader.day", year=day.year, month=day.month, day=day.day)


def verdict(word: str, words: Words) -> Markup:
    """Shape and word of a verdict."""
    return h(
        "span",
        h("i", MARKS[word], aria_hidden="true"),
        words(f"leader.verdict.{word}"),
        class_=f"ld-verdict is-{word}",
    )


def period_text(period: Period, words: Words) -> str:
    """2026年11月, 2026年第47周, or two dates; and until when where it runs."""
    first, last = period.first, period.until - timedelta(days=1)
    parts = {
        "year": first.year, "month": first.month, "quarter": (first.month + 2) // 3,
        "week": first.isocalendar().week, "week_year": first.isocalendar().year,
        "first": day_text(first, words), "last": day_text(last, words),
    }  # fmt: skip
    text = words(f"leader.period.{period.kind}", **parts)
    if period.cut is None:
        return text
    cut = period.cut
    return words("leader.period.runs", text=text, until=words(
        "leader.until", month=cut.month, day=cut.day, time=f"{cut:%H:%M}"
    ))  # fmt: skip


def headline(figures: LeaderFigures, words: Words) -> Markup:
    """The period in one sentence, and its lead figures."""
    view = figures.view
    total, comparison = view.total, view.comparison
    against = words(f"leader.against.{view.choice.against}")
    area = view.path[-1].name if view.path else words("leader.whole_city")
    sentence = words(
        f"leader.sentence.{_lead_word(view)}",
        area=area, now=words.number(total["now"]), change=percent(total["change"], words),
        low=percent(total["low"], words), high=percent(total["high"], words), against=against,
        expected=words.number(total["expected"]),
    )  # fmt: skip
    other = "last_period" if view.choice.against == "last_year" else "last_year"
    second = words(
        f"leader.sentence.other.{total['other_verdict']}",
        against=words(f"leader.against.{other}"), change=percent(total["other_change"], words),
    )  # fmt: skip
    rates = _whole_rates(figures)
    cards = [
        _card(words("leader.card.reported"), words.number(total["now"]),
              words("leader.card.expected", n=expected_text(total, words), against=against)),
        _card(words("leader.card.change"), change_text(total, words),
              interval_text(total, words), total["verdict"]),
        _card(words("leader.card.open"), words.number(total["open"]),
              words("leader.card.overdue", n=words.number(total["overdue"]))),
        *(_rate_card(name, rates, words) for name in ("on_time_closing_rate", "closing_rate")),
    ]  # fmt: skip
    return h(
        "section",
        h("p", words("leader.join", one=sentence, two=second), class_="ld-lead"),
        h("div", cards, class_="ld-cards"),
        h("p", compared(comparison.now, comparison.then, words), class_="ld-compared"),
        _notes(figures, words),
        class_="ld-head",
    )


def _lead_word(view: LeaderView) -> str:
    """Which sentence tells the period: its verdict, or that it has no records itself."""
    notes = view.comparison.notes
    if "now_is_empty" in notes:
        return "future"
    if view.total["verdict"] == "unknown" and {"now_before_records", "now_has_gaps"} & set(notes):
        return "no_records"
    return str(view.total["verdict"])


def interval_text(row: pd.Series, words: Words) -> str:
    """The interval of a change; where there is none, the word of its verdict."""
    if row["verdict"] == "unknown" or row["low"] != row["low"]:
        return words(f"leader.verdict.{row['verdict']}")
    return words(
        "leader.card.interval", low=percent(row["low"], words), high=percent(row["high"], words)
    )


def compared(now: Period, then: Period, words: Words) -> str:
    """Which period is held against which."""
    return words("leader.compared", now=period_text(now, words), then=period_text(then, words))


def _card(title: str, value: str, note: str, state: str = "") -> Markup:
    return h("div", h("h3", title), h("b", value), h("small", note), class_=f"ld-card is-{state}")


def _whole_rates(figures: LeaderFigures) -> pd.DataFrame:
    """Indicators of the whole area: its units' parts added up."""
    table = figures.areas.table.reset_index()
    mine = table[table["code"].isin(set(figures.view.units.index))]
    sums = mine.groupby("indicator")[["numerator", "denominator", "unknown"]].sum()
    sums["value"] = sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)
    return sums


def _rate_card(name: str, rates: pd.DataFrame, words: Words) -> Markup:
    row = rates.loc[name]
    value = words("none") if row["value"] != row["value"] else f"{row['value'] * 100:.1f}%"
    note = words(
        "leader.card.of", hit=words.number(row["numerator"]), all=words.number(row["denominator"])
    )
    return _card(words(f"evaluate.name.{name}"), value, note)


def _notes(figures: LeaderFigures, words: Words) -> Markup | None:
    notes = figures.view.comparison.notes
    if not notes:
        return None
    return h("ul", [h("li", words(f"leader.note.{word}")) for word in notes], class_="ld-notes")


def briefing(figures: LeaderFigures, words: Words) -> Markup:
    """What got worse, where, since when, who answers and what was done; then what got better."""
    view, found = figures.view, figures.briefing
    worse = [_item(item, figures, words) for item in found.items]
    counts = view.units["verdict"].value_counts()
    is_told = counts.reindex(["rose", "fell", "no_clear_change"]).sum() > 0
    none = "leader.brief.none" if is_told else "leader.brief.untold"
    empty = h("p", words(none), class_="ld-empty")
    better = [
        h("li", words("leader.brief.better", name=item.name, change=percent(item.change, words),
                      low=percent(item.low, words), high=percent(item.high, words)))
        for item in found.better
    ]  # fmt: skip
    beside = {word: int(counts.get(word, 0)) for word in ("no_clear_change", "too_few", "unknown")}
    beside |= {"more_worse": found.more_worse, "more_better": found.more_better}
    told = [words(f"leader.brief.rest.{word}", n=n) for word, n in beside.items() if n]
    rest = words(
        "leader.brief.rest", level=level_word(view.level, words),
        told=words("leader.comma").join(told),
    )  # fmt: skip
    return h(
        "section",
        h("h2", words("leader.brief.title")),
        h("ol", worse, class_="ld-brief") if worse else empty,
        h("h3", words("leader.brief.better.title")) if better else None,
        h("ul", better, class_="ld-better") if better else None,
        h("p", rest, class_="ld-rest") if told else None,
        id="leader-brief",
    )


def _item(item: BriefItem, figures: LeaderFigures, words: Words) -> Markup:
    lines = [
        words("leader.brief.change", now=words.number(item.now),
              expected=words.number(item.expected, 0), low=percent(item.low, words),
              high=percent(item.high, words)),
        _since(item, words),
    ]  # fmt: skip
    kinds = [
        words("leader.brief.class", name=class_label(code, words), now=words.number(now),
              then=words.number(then))
        for code, now, then in item.classes
    ]  # fmt: skip
    people = [
        words("leader.brief.person", level=words(f"level.{level}"), name=name)
        for level, name in item.people.items()
    ]
    done = [
        words("leader.brief.done", move=_move(move, words), n=words.number(count))
        for move, count in sorted(item.done.items(), key=lambda pair: -pair[1])[:4]
    ]
    comma = words("leader.comma")
    pairs = [
        ("what", comma.join(kinds)),
        ("who", words("leader.list").join(people) or words("leader.brief.nobody")),
        ("done", comma.join(done) or words("leader.brief.nothing_done")),
        ("open", words("leader.brief.open", n=item.open, late=item.overdue)),
    ]
    return h(
        "li",
        h("h3", h("span", item.name, class_="ld-name"),
          h("b", percent(item.change, words), class_="is-rose"), verdict(item.verdict, words)),
        h("p", words("leader.join", one=lines[0], two=lines[1])),
        h("dl", [[h("dt", words(f"leader.brief.{key}.title")), h("dd", text)]
                 for key, text in pairs if text]),
        data_code=item.code,
    )  # fmt: skip


def _since(item: BriefItem, words: Words) -> str:
    if item.since is None:
        return words("leader.brief.since.unsure")
    return words(
        "leader.brief.since", day=day_text(item.since, words),
        before=words.number(item.before_week, 1), after=words.number(item.after_week, 1),
    )  # fmt: skip


def class_label(code: str, words: Words) -> str:
    """The name of a class code; of `(no class)` and `(other)` a word."""
    if code == "(other)":
        return words("leader.other_classes")
    if code in ("", "(no class)"):
        return words("leader.no_class")
    try:
        return class_name(code, words.language)
    except CodeError:
        return code


def _move(move: str, words: Words) -> str:
    key = f"cases.move.{move}"
    return words(key) if words.has(key) else move


def indicators(figures: LeaderFigures, words: Words, *, by: str = "area") -> Markup:
    """The standard's indicators by unit or department, with score, 同比 and 环比."""
    found = figures.areas if by == "area" else figures.departments
    names = [name for name in SHOWN if by in INDICATORS[name].objects]
    codes = list(figures.view.units.index) if by == "area" else list(found.scores.index)
    codes = [code for code in codes if code in found.scores.index and code not in BESIDE]
    # Who had no case to judge is counted and not listed: a table of dashes tells nothing.
    told = found.table["value"].unstack().reindex(columns=names).notna().any(axis=1)
    left = [code for code in codes if not told[code]]
    codes = [code for code in codes if told[code]]
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
        told = words("leader.score.known", n=words.number(score["points_known"]))
        rows.append(
            h("tr", h("td", rank, class_="n"), h("th", found.names[code], scope="row"),
              h("td", words.number(score["score"], 1), class_="n", title=told), cells)
        )  # fmt: skip
    title = words(f"leader.indicators.{by}", level=level_word(figures.view.level, words))
    return h(
        "section", h("h2", title),
        h("div", h("table", h("caption", words(f"leader.indicators.note.{by}")),
                   h("thead", h("tr", head)), h("tbody", rows), class_="ld-table"),
          class_="ld-wide", tabindex="0", role="region", aria_label=title)
        if rows else h("p", words("leader.indicators.none"), class_="ld-empty"),
        h("p", words("leader.indicators.left", n=words.number(len(left))), class_="ld-note")
        if rows and left else None,
        id=f"leader-{by}",
    )  # fmt: skip


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
        label = words("leader.total") if is_total else class_label(str(code), words)
        cells = [h("td", words.number(row[name]), class_="n") for name in names]
        (foot if is_total else rows).append(h("tr", h("th", label, scope="row"), cells))
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


def level_word(level: str, words: Words) -> str:
    """The word for a level; kinds of a city's own areas say themselves."""
    return level.removeprefix("zones:") if ":" in level else words(f"level.{level}")


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
