"""The row of indicator cards: one lead figure each, its unit, and one line that gives it scale."""

from __future__ import annotations

from dash import html

from dashboards.components.marks import attrs, mark
from dashboards.figures import Snapshot
from dashboards.settings import Settings
from dashboards.words import WEEKDAYS, Words


def build_cards(snapshot: Snapshot, words: Words, settings: Settings) -> list[html.Div]:
    """Seven cards in the order of the questions: where, who, what, late, how well, with what."""
    totals = snapshot.totals
    return [
        _card(words("card.grids"), words.short_number(totals["grids"]), words("unit.grids"),
              words("card.grids.note",
                    population=words.short_number(totals["population"]),
                    households=words.short_number(totals["households"])),
              exact=words.number(totals["grids"])),
        _duty(snapshot, words, settings),
        _today(snapshot, words),
        _card(words("card.open"), words.short_number(totals["open"]), words("unit.incidents"),
              words("card.open.note", unplaced=words.short_number(totals["unplaced"]),
                    outside=words.short_number(totals["outside"])),
              exact=words.number(totals["open"])),
        _overdue(snapshot, words),
        _on_time(snapshot, words),
        _card(words("card.assets"), words.short_number(totals["assets"]), words("unit.assets"),
              words("card.assets.note", cameras=words.short_number(totals["cameras"])),
              exact=words.number(totals["assets"])),
    ]  # fmt: skip


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
            html.Div(note, className="card-note"),
        ],
        className=f"card {tone}".strip(),
        role="group",
        **attrs({"aria-label": f"{label} {figure} {unit}"}),
    )


def _duty(snapshot: Snapshot, words: Words, settings: Settings) -> html.Div:
    totals = snapshot.totals
    if not totals["workers"]:
        return _card(words("card.duty"), words("none"), "", words("card.duty.empty"))
    return _card(
        words("card.duty"),
        words.short_number(totals["on_duty"]),
        words("card.duty.of", total=words.number(totals["workers"])),
        words("card.duty.note", minutes=settings.on_duty_minutes),
        exact=words.number(totals["on_duty"]),
    )


def _today(snapshot: Snapshot, words: Words) -> html.Div:
    today, before = snapshot.totals["today"], snapshot.totals["week_ago"]
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
            weekday=words(f"short.{WEEKDAYS[snapshot.at.weekday()]}"),
            count=words.number(before),
            change=change,
        ),
        exact=words.number(today),
    )


def _overdue(snapshot: Snapshot, words: Words) -> html.Div:
    totals = snapshot.totals
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


def _on_time(snapshot: Snapshot, words: Words) -> html.Div:
    due, done = snapshot.totals["due_30d"], snapshot.totals["in_time_30d"]
    if not due:
        return _card(words("card.ontime"), words("none"), "", words("card.ontime.empty"))
    return _card(
        words("card.ontime"),
        words.number(done / due * 100, 1),
        words("unit.percent"),
        words("card.ontime.note", due=words.short_number(due), done=words.short_number(done)),
    )
