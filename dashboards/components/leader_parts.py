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
from geo.codes import ClassBook
from geo.compare import Period
from geo.errors import CodeError
from geo.leader import LeaderView

MARKS = {
    "rose": "▲", "fell": "▼", "no_clear_change": "–", "too_few": "○", "unknown": "◇",
    "hidden": "•",
}  # fmt: skip
"""A shape beside each verdict, since colour alone is not read by everybody."""


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


def rate_reason(rows: pd.DataFrame) -> str:
    """Why indicators have no value: the reason of the rows with the most cases left out."""
    told = rows[rows["value"].isna() & (rows["reason"] != "")]
    if not len(told):
        return "no_cases"
    known = told[told["reason"] != "no_cases"]
    counts = (known if len(known) else told).groupby("reason")["unknown"].sum()
    return str(counts.idxmax())


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


def headline(figures: LeaderFigures, words: Words, *, links: bool = True) -> Markup:
    """The period in one sentence, and its lead figures; a file has no links to other periods."""
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
    cards = [
        _card(words("leader.card.reported"), words.number(total["now"]),
              words("leader.card.expected", n=expected_text(total, words), against=against)),
        _card(words("leader.card.change"), change_text(total, words),
              interval_text(total, words), total["verdict"]),
        _card(words("leader.card.open"), words.number(total["open"]),
              words("leader.card.overdue", n=words.number(total["overdue"]))),
        *(_rate_card(name, figures, words) for name in ("on_time_closing_rate", "closing_rate")),
    ]  # fmt: skip
    return h(
        "section",
        h("p", words("leader.join", one=sentence, two=second), class_="ld-lead"),
        _newest(view, words, links),
        h("div", cards, class_="ld-cards"),
        h("p", compared(comparison.now, comparison.then, words), class_="ld-compared"),
        _notes(figures, words),
        class_="ld-head",
    )


def _newest(view: LeaderView, words: Words, links: bool) -> Markup | None:
    """Where the records are, if the period has none."""
    if "now_without_records" not in view.comparison.notes or view.newest is None:
        return None
    day = view.newest.date().replace(day=1)
    text = words("leader.newest", year=day.year, month=day.month)
    to = f"/leader?kind=month&day={day}&lang={words.language}"
    return h("p", h("a", text, href=to, class_="ld-link") if links else text)


def _lead_word(view: LeaderView) -> str:
    """Which sentence tells the period: its verdict, or that it has no records itself."""
    notes = view.comparison.notes
    if "now_is_empty" in notes:
        return "future"
    if "now_without_records" in notes:
        return "no_record"
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


def _rate_card(name: str, figures: LeaderFigures, words: Words) -> Markup:
    """An indicator of the whole area, its units' parts added up; or why there is none."""
    table = figures.areas.table.reset_index()
    rows = table[table["code"].isin(set(figures.view.units.index)) & (table["indicator"] == name)]
    hit, every = rows.loc[rows["value"].notna(), ["numerator", "denominator"]].sum()
    if every > 0:
        value = f"{hit / every * 100:.1f}%"
        note = words("leader.card.of", hit=words.number(hit), all=words.number(every))
    else:
        value, note = words("none"), words(f"leader.reason.{rate_reason(rows)}")
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
        words("leader.brief.class", name=class_label(code, words, figures.book),
              now=words.number(now), then=words.number(then))
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


def class_label(code: str, words: Words, book: ClassBook) -> str:
    """What the city calls a class; of `(no class)` and `(other)` a word."""
    if code == "(other)":
        return words("leader.other_classes")
    if code in ("", "(no class)"):
        return words("leader.no_class")
    try:
        return book.name(code, words.language)
    except CodeError:
        return code


def _move(move: str, words: Words) -> str:
    key = f"cases.move.{move}"
    return words(key) if words.has(key) else move


def level_word(level: str, words: Words) -> str:
    """The word for a level; kinds of a city's own areas say themselves."""
    return level.removeprefix("zones:") if ":" in level else words(f"level.{level}")
