"""The incident on the card: its clock, who has it, its log as a line of time, what came before.

The moves that the chosen role may make stand as buttons; their form is a part of the card's frame
(`components.one_click`) that no refresh draws anew, so nothing that was typed is ever lost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
from dash import html

from dashboards.components.card_parts import button, empty, facts, metres, section
from dashboards.components.card_people import replay_of
from dashboards.components.case_words import move_word, source_word
from dashboards.components.marks import attrs, chip, mark
from dashboards.describe import (
    CaseLine,
    class_name,
    clock_line,
    level_name,
    log_line,
    stage_name,
)
from dashboards.one_click import Card
from dashboards.words import Words
from geo.deadlines import ClockReading, read_clocks
from geo.incidents import LogRow
from geo.nearby import FlareUp

MOST_OPEN = 6
MOST_PAST = 6
MOST_SPOTS = 2
MOST_SIMILAR = 4
MAIN_MOVES = ("register", "dispatch", "accept", "feed_back", "close")
"""The moves that carry a case on its way; they stand out among the others."""
HARD_MOVES = ("cancel", "force_close")


def clock_part(card: Card, words: Words) -> html.Section | None:
    """The deadline and what is left of it, who has the case, at which level."""
    if card.case is None:
        return None
    file, at = card.case, card.at
    line = clock_line(file.clock, words)
    row, case = file.row, file.case
    due = _time(row.get("deadline"), at, words)
    owner = card.owner.name if card.owner is not None else (case.owner or "")
    pairs = [
        (words("one.due"), due or words("state.none"), ""),
        (words("one.stage"), stage_name(case.stage, words), ""),
        (words("one.owner.now"), owner or words(_no_owner(case.stage)), ""),
        (words("one.level"), level_name(case.level, words), ""),
        (words("one.source"), source_word(words, row.get("source")), ""),
    ]
    pairs = [pair for pair in pairs if pair[1]]
    notes = []
    if case.is_postponed(at) and case.postponed_until is not None:
        notes.append(words("one.paused.until", time=_time(case.postponed_until, at, words)))
    if case.asked_until is not None:
        notes.append(words("one.asked.until", time=_time(case.asked_until, at, words)))
    if case.supervised:
        notes.append(words("one.supervised", n=case.supervised))
    if case.merged_into:
        notes.append(words("one.merged", id=case.merged_into))
    text = row.get("description")
    said = [html.P(text, className="card-said")] if isinstance(text, str) and text else []
    address = row.get("address")
    if isinstance(address, str) and address:
        said.append(html.P(address, className="quiet"))
    return section(
        words("one.clock"),
        [
            html.Div([chip(line.state, line.chip)], className=f"card-clock is-{line.state}"),
            facts(pairs),
            *(empty(note) for note in notes),
            *said,
        ],
        name="clock",
    )


def _no_owner(stage: str) -> str:
    """Nobody has a case before its dispatch; later it is the source that does not say who."""
    return "one.owner.notyet" if stage in ("collected", "opened") else "one.owner.none"


def _time(value: Any, at: datetime, words: Words) -> str:
    if value is None or pd.isna(value):
        return ""
    return words.moment(pd.Timestamp(value).to_pydatetime().astimezone(at.tzinfo), at)


def moves_part(card: Card, words: Words, role: str | None) -> list[Any]:
    """A button for each move that the role may make now; why there is none, where there is none."""
    if card.case is None:
        return []
    if not card.case.case.is_open:
        return [empty(words("one.moves.over", stage=stage_name(card.case.case.stage, words)))]
    if not role:
        return [empty(words("one.moves.who"))]
    moves = card.case.allowed(role, card.at)
    if not moves:
        return [empty(words("one.moves.none"))]
    buttons = []
    for move in moves:
        kind = "is-main" if move.name in MAIN_MOVES else ""
        kind = "is-hard" if move.name in HARD_MOVES else kind
        key = f"cases.move.{move.name}.help"
        buttons.append(
            button(
                move_word(words, move.name),
                f"is-text {kind}",
                label=words(key) if words.has(key) else "",
                move=move.name,
                needs=" ".join(move.needs),
            )
        )
    return [
        html.Div(
            buttons,
            className="card-moves",
            role="group",
            **attrs({"aria-label": words("one.moves")}),
        )
    ]


def log_part(card: Card, words: Words) -> html.Section | None:
    """Every row of the log, the newest first."""
    if card.case is None:
        return None
    rows = card.case.case.log
    items = [_log_row(row, card.at, words) for row in reversed(rows)]
    since = card.case.row.get("reported_at")
    replay = []
    worker = next((row.by for row in rows if row.role in ("grid_worker", "grid_head")), None)
    person = card.chain.person("grid") if card.chain is not None else None
    who = worker or (person.worker_id if person is not None else None)
    if who and since is not None:
        moment = pd.Timestamp(since).to_pydatetime().astimezone(card.at.tzinfo)
        replay.append(replay_of(who, moment, words, words("one.replay.case")))
    return section(
        words("one.log"),
        [html.Ol(items, className="card-log"), *replay],
        note=words("one.log.rows", n=len(rows)),
        name="log",
    )


def _log_row(row: LogRow, at: datetime, words: Words) -> html.Li:
    line = log_line(row, words, at)
    who = [html.Span(line.who, className="quiet")] if line.who else []
    details = [html.Span(text, className="tag") for text in line.details]
    note = [html.P(line.note, className="log-note")] if line.note else []
    return html.Li(
        [
            html.Time(line.when, dateTime=line.moment.isoformat(), className="log-time"),
            html.Div(
                [
                    html.Div(
                        [html.Span(line.what, className="log-what"), *who, *details],
                        className="log-head",
                    ),
                    *note,
                ]
            ),
        ],
        className=f"log-row is-{row.stage}",
        **attrs({"data-seq": str(row.seq)}),
    )


def similar_part(card: Card, words: Words, can_merge: bool) -> html.Section | None:
    """Open cases that may be the same thing, to be merged; how often this came back."""
    body: list[Any] = []
    body += [_flare_up(place, card, words) for place in card.flare_ups[:MOST_SPOTS]]
    if len(card.similar):
        shown = card.similar.head(MOST_SIMILAR)
        items = [_similar(str(id_), row, words, can_merge) for id_, row in shown.iterrows()]
        rest = len(card.similar) - len(shown)
        if rest:
            items.append(html.Li(words("grid.incidents.more", n=rest), className="quiet"))
        body.append(html.Ul(items, className="card-similar"))
    if not body:
        return None
    return section(words("one.similar"), body, name="similar")


def _flare_up(place: FlareUp, card: Card, words: Words) -> html.P:
    time = words.moment(place.last.astimezone(card.at.tzinfo), card.at)
    what = class_name(place.class_code, place.class_code, words, card.classes)
    text = words("one.flare", what=what, n=place.returns, time=time)
    return html.P([mark("soon"), text], className="card-warning")


def _similar(id_: str, row: pd.Series, words: Words, can_merge: bool) -> html.Li:
    hours = abs(float(row["apart_h"]))
    apart = words.span(hours * 3600)
    key = "one.similar.before" if float(row["apart_h"]) >= 0 else "one.similar.after"
    merge = (
        [button(words("one.merge"), "is-text", label=words("one.merge.help", id=id_), merge=id_)]
        if can_merge
        else []
    )
    return html.Li(
        [
            button(id_, "is-text", label=words("one.case.open", id=id_), case=id_),
            html.Span(
                words(key, far=metres(float(row["distance_m"]), words), span=apart),
                className="quiet",
            ),
            *merge,
        ]
    )


def open_part(card: Card, words: Words, soon_minutes: int) -> html.Section | None:
    """Open cases around, the latest deadline last."""
    around = card.around
    if around is None:
        return None
    own = card.target.id if card.target.kind == "incident" else None
    table = around.open_incidents
    table = table[table.index != own]
    total = len(table)
    if not total:
        return section(words("one.open"), empty(words("one.open.none")), name="open")
    clocks = _clocks(around.open_incidents, card.at, soon_minutes)
    table = table.sort_values("deadline", na_position="last", kind="stable").head(MOST_OPEN)
    items = [
        case_line(_line(str(id_), row, clocks[id_], card, words))
        for id_, row in zip(table.index, table.to_dict("records"), strict=True)
    ]
    if total > MOST_OPEN:
        items.append(html.Li(words("grid.incidents.more", n=total - MOST_OPEN), className="quiet"))
    late = sum(clock["state"] == "late" for clock in clocks.values())
    note = words("one.open.note", n=words.number(total), late=words.number(late))
    return section(
        words("one.open"), html.Ol(items, className="case-list is-compact"), note=note, name="open"
    )


def _clocks(table: pd.DataFrame, at: datetime, soon_minutes: int) -> dict[Any, dict[str, Any]]:
    """The clocks of cases around by id, all at once."""
    paused = None
    if "paused_until" in table.columns:
        until = table["paused_until"]
        paused = until.notna() & (until > pd.Timestamp(at))
    clocks = read_clocks(
        table["deadline"],
        at=at,
        closed_at=table["closed_at"],
        is_paused=paused,
        soon_h=soon_minutes / 60,
    )
    found: dict[Any, dict[str, Any]] = clocks.to_dict("index")
    return found


def _line(id_: str, row: pd.Series, clock: pd.Series | None, card: Card, words: Words) -> CaseLine:
    """A case of the surroundings as a line of a list."""
    at = card.at
    reported = row["reported_at"].to_pydatetime().astimezone(at.tzinfo)
    stage = str(row["stage"])
    state, text = "closed", stage_name(stage, words)
    if clock is not None:
        left = None if pd.isna(clock["left_s"]) else float(clock["left_s"])
        line = clock_line(ClockReading(clock["state"], left, float(clock["late_s"])), words)
        state, text = line.state, line.chip if line.state != "fine" else text
    return CaseLine(
        id=id_,
        what=class_name(_text(row["class_code"]), _text(row["category"]), words, card.classes),
        where=words("one.away", far=metres(float(row["distance_m"]), words)),
        when=words.moment(reported, at),
        moment=reported,
        state=state,
        chip=text,
        grid_id=None,
        lon=float(row["lon"]),
        lat=float(row["lat"]),
        stage=stage_name(stage, words),
    )


def case_line(line: CaseLine) -> html.Li:
    """A case as a button that opens its card."""
    when = line.when.split(" ")
    return html.Li(
        html.Button(
            [
                html.Time(
                    [html.Span(part) for part in when],
                    className="case-time",
                    dateTime=line.moment.isoformat(),
                ),
                html.Span(line.what, className="case-what"),
                chip(line.state, line.chip),
                html.Span(line.where, className="case-where"),
            ],
            className="case is-dated" if len(when) > 1 else "case",
            type="button",
            **attrs(
                {
                    "data-case": line.id,
                    "data-lon": f"{line.lon:.6f}",
                    "data-lat": f"{line.lat:.6f}",
                }
            ),
        )
    )


def past_part(card: Card, words: Words, days: int) -> html.Section | None:
    """What happened here before: how often, of which classes, and the latest cases."""
    around = card.around
    if around is None:
        return None
    past = around.past_incidents
    own = _text(card.case.row.get("class_code")) if card.case is not None else ""
    if card.case is not None:
        past = past[past.index != card.target.id]
    title, note = words("one.past"), words("one.past.note", days=days)
    if past.empty:
        return section(title, empty(words("one.past.none", days=days)), note=note, name="past")
    same = past[past["class_code"] == own] if own else past
    counts = [
        html.Div(
            [
                html.Dt(class_name(str(code), "", words, card.classes)),
                html.Dd(words.number(int(row["count"]))),
            ],
            className="is-own" if code == own else "",
        )
        for code, row in around.past_counts.head(6).iterrows()
    ]
    shown = same.head(MOST_PAST)
    items = [
        case_line(_line(str(id_), row, None, card, words))
        for id_, row in zip(shown.index, shown.to_dict("records"), strict=True)
    ]
    total = words("one.past.total", n=words.number(len(past)), m=words.number(len(same)))
    if not own:
        total = words("one.past.all", n=words.number(len(past)))
    body: list[Any] = [empty(total), html.Dl(counts, className="inventory")]
    if items:
        body.append(html.Ol(items, className="case-list is-compact"))
    return section(title, body, note=note, name="past")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
