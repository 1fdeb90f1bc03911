"""The row of indicator cards: one lead figure each, its unit, and one line that gives it scale.

What is not known is said so, with hatching and a word; it is never a zero and never a dash that
could be read as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from dash import html

from dashboards.components.marks import attrs, mark, worker_mark
from dashboards.words import WEEKDAYS, Words

Totals = dict[str, float]


def build_cards(
    totals: Totals, at: datetime, words: Words, people: Mapping[str, int]
) -> list[html.Div]:
    """Eight cards in the order of the questions: what, how late, how well, who, done, where.

    Parameters
    ----------
    totals
        The figures of a unit, as `Snapshot.scope` gives them.
    at
        The moment of the figures, in the city's zone.
    people
        How many of its people are in each state, from `dashboards.worker_states.count_states`.
    """
    return [
        _today(totals, at, words),
        _open(totals, words),
        _overdue(totals, words),
        _on_time(totals, words),
        _duty(totals, words, people),
        _rounds(totals, words),
        _coverage(totals, words),
        _grids(totals, words),
    ]


def _card(
    label: str,
    figure: str,
    unit: str,
    note: str,
    *,
    exact: str = "",
    tone: str = "",
    sign: html.I | None = None,
) -> html.Div:
    return html.Div(
        [
            html.Div([sign, label] if sign else label, className="card-label"),
            html.Div(
                [
                    html.Span(figure, className="card-figure"),
                    html.Span(unit, className="card-unit"),
                ],
                className="card-value",
                title=f"{exact} {unit}".strip(),
            ),
            html.Div(note, className="card-note", title=note),
        ],
        className=f"card {tone}".strip(),
        role="group",
        **attrs({"aria-label": f"{label} {figure} {unit}".strip()}),
    )


def _unknown(label: str, word: str, note: str) -> html.Div:
    return _card(label, word, "", note, tone="is-unknown", sign=mark("unknown"))


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _grids(totals: Totals, words: Words) -> html.Div:
    """Grids and households; how many grids lack their households is said."""
    lacking = int(totals.get("households_unknown", 0))
    households = totals["households"]
    if not _known(households):
        note = words("card.grids.unknown")
    else:
        said = words.short_number(households)
        note = (
            words("card.grids.partly", households=said, n=words.number(lacking))
            if lacking
            else words("card.grids.note", households=said)
        )
    return _card(
        words("card.grids"),
        words.short_number(totals["grids"]),
        words("unit.grids"),
        note,
        exact=words.number(totals["grids"]),
    )


def _duty(totals: Totals, words: Words, people: Mapping[str, int]) -> html.Div:
    """Who is on duty as the lead figure, and beside it those of whom something is amiss."""
    if not totals["workers"]:
        return _unknown(words("live.card"), words("card.none"), words("card.duty.empty"))
    counts = {name: words.number(count) for name, count in people.items()}
    said = words("live.card.hint", **counts)
    label = words("live.card")
    rest = people.get("off_duty", 0)
    shown = {**people, "on_duty": people.get("on_duty", 0) + people.get("standing", 0)}
    return html.Div(
        [
            html.Div(
                [
                    label,
                    html.Span(
                        words("live.card.none", n=words.short_number(rest)), className="duty-rest"
                    ),
                ],
                className="card-label",
            ),
            html.Dl(
                [_state(name, shown.get(name, 0), words) for name in DUTY_STATES],
                className="duty-states",
            ),
        ],
        className="card duty-card" + (" is-late" if people.get("sos") else ""),
        title=said,
        role="group",
        **attrs({"aria-label": f"{label}: {said}"}),
    )


DUTY_STATES = ("on_duty", "off_post", "no_signal", "sos")
"""States with a place on the card of people; those who stand still count as on duty there."""


def _state(name: str, count: int, words: Words) -> html.Div:
    tone = " has-some" if count else ""
    return html.Div(
        [
            html.Dt([worker_mark(name), words(f"js.worker.{name}")]),
            html.Dd(
                words.short_number(count),
                title=words.number(count),
                className="card-figure" if name == DUTY_STATES[0] else None,
            ),
        ],
        className=f"duty-state is-{name}{tone}",
    )


def _today(totals: Totals, at: datetime, words: Words) -> html.Div:
    today, before = totals["today"], totals["week_ago"]
    change = ""
    if before:
        share = (today - before) / before * 100
        arrow = "▲" if share > 0 else "▼" if share < 0 else "="
        change = f"{arrow} {abs(share):.0f}%" if abs(share) < 1000 else arrow
    return _card(
        words("card.today"),
        words.short_number(today),
        words("unit.incidents"),
        words(
            "card.today.note",
            weekday=words(f"short.{WEEKDAYS[at.weekday()]}"),
            count=words.number(before),
            change=change,
        ).strip(),
        exact=words.number(today),
    )


def _open(totals: Totals, words: Words) -> html.Div:
    unplaced, outside = totals.get("unplaced", 0), totals.get("outside", 0)
    note = (
        words(
            "card.open.note",
            unplaced=words.short_number(unplaced),
            outside=words.short_number(outside),
        )
        if unplaced or outside
        else words("card.open.soon", soon=words.short_number(totals["soon"]))
    )
    return _card(
        words("card.open"),
        words.short_number(totals["open"]),
        words("unit.incidents"),
        note,
        exact=words.number(totals["open"]),
    )


def _overdue(totals: Totals, words: Words) -> html.Div:
    soon = words.short_number(totals["soon"])
    late = totals["overdue"] > 0
    note = (
        words("card.overdue.note", span=words.span(totals["longest_s"]), soon=soon)
        if late
        else words("card.overdue.calm", soon=soon)
    )
    return _card(
        words("card.overdue"),
        words.short_number(totals["overdue"]),
        words("unit.incidents"),
        note,
        exact=words.number(totals["overdue"]),
        tone="is-late" if late else "",
        sign=mark("late" if late else "fine"),
    )


def _on_time(totals: Totals, words: Words) -> html.Div:
    due, done = totals["due_30d"], totals["in_time_30d"]
    if not due:
        return _unknown(words("card.ontime"), words("card.none"), words("card.ontime.empty"))
    return _card(
        words("card.ontime"),
        words.number(done / due * 100, 1),
        words("unit.percent"),
        words("card.ontime.note", due=words.short_number(due), done=words.short_number(done)),
    )


def _rounds(totals: Totals, words: Words) -> html.Div:
    required, done = totals.get("rounds_required"), totals.get("rounds_done")
    label = words("card.rounds")
    if required is None or done is None or not _known(required) or not _known(done):
        return _unknown(label, words("card.unknown"), words("card.rounds.unknown"))
    if not required:
        return _unknown(label, words("card.none"), words("card.rounds.none"))
    return _card(
        label,
        words.number(done / required * 100, 1),
        words("unit.percent"),
        words("card.rounds.note", required=words.number(required), done=words.number(done)),
    )


def _coverage(totals: Totals, words: Words) -> html.Div:
    share = totals.get("covered_share")
    label = words("card.coverage")
    if share is None or not _known(share):
        return _unknown(label, words("card.unknown"), words("card.coverage.unknown"))
    return _card(
        label, words.number(share * 100, 1), words("unit.percent"), words("card.coverage.note")
    )
