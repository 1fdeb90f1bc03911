"""One case in full, as the browser draws it: place, clock, chain, log, moves, what is near."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from dashboards.components.case_book import history_of, similar_to
from dashboards.components.case_clock import clock_lines
from dashboards.components.case_desk import (
    People,
    chain_json,
    crumbs,
    departments,
    unit_names,
    unit_option,
)
from dashboards.components.case_options import condition_word, conditions_of
from dashboards.components.case_rows import clock_word, owner_word, place_word
from dashboards.components.case_words import (
    at_word,
    class_word,
    level_word,
    move_word,
    plain,
    role_word,
    source_word,
    stage_word,
    utc,
)
from dashboards.store import Store
from dashboards.words import Words
from geo.incidents import Case, LogRow, Move
from geo.io.casebook import CaseFile, OwnerSuggestion
from geo.responsibility import Viewer

HIDDEN_MOVES = ("absorb", "report")
"""What a merge writes into the other case by itself, and how a case begins."""

OPTIONAL = {
    "register": ("condition",),
    "dispatch": ("condition",),
    "approve_postponement": ("until",),
}
"""What a move may say beside what it must; each may have a note."""

HISTORY_SHOWN = 12


def file_json(
    store: Store, file: CaseFile, at: datetime, words: Words, role: str, viewer: Viewer | None
) -> dict[str, Any]:
    """Everything that the panel of a case shows."""
    case, row, zone = file.case, file.row, store.zone
    people, names = People(store, at), unit_names(store)
    code = plain(row["class_code"])
    lon, lat = degrees(row["lon"]), degrees(row["lat"])
    placed, grid = False, -1
    if lon is not None and lat is not None:
        placed, grid = True, int(store.snapshot().city.assign([lon], [lat])[0])
    way = crumbs(store.snapshot(), grid)
    due, closed = utc(row["deadline"]), case.closed_at
    paused = at_word(words, case.postponed_until, at, zone)
    similar = similar_json(store, case.incident_id, at, words)
    offered = store.casebook.suggest_owner(case.incident_id, at=at, chains=store.chains)
    return {
        "id": case.incident_id,
        "seq": case.seq,
        "what": class_word(store, code, row["category"], words),
        "code": code,
        "stage": case.stage,
        "stage_word": stage_word(words, case.stage),
        "is_open": case.is_open,
        "merged_into": case.merged_into,
        "description": plain(row["description"]),
        "address": plain(row["address"]),
        "source": source_word(words, row["source"]),
        "lon": lon,
        "lat": lat,
        "grid": way[-1]["code"] if way else "",
        "crumbs": way,
        "place_word": place_word(store, grid, placed, words),
        "condition": case.condition or "",
        "condition_word": condition_word(store, code, case.condition, words),
        "conditions": conditions_of(store, code, words),
        "owner": case.owner or "",
        "owner_word": owner_word(words, names.get(case.owner or "", case.owner or ""), case.stage),
        "level_word": level_word(words, case.level),
        "reported_text": at_word(words, case.reported_at, at, zone),
        "closed_text": at_word(words, closed, at, zone),
        "asked_text": _asked(case, people, at, zone, words),
        "state": file.clock.state,
        "due": None if due is None else due.timestamp(),
        "due_text": at_word(words, due, at, zone),
        "clock": clock_word(words, file.clock.state, file.clock.late_s, paused, case.stage),
        "clock_lines": clock_lines(store, file, at, words),
        "chain": chain_json(_chain(store, lon, lat, at, viewer), words),
        "phones_shown": viewer is not None,
        "log": [log_json(store, r, people, at, words) for r in case.log],
        "moves": moves_json(store, file, at, words, role, way, offered),
        "owners": owner_options(store, words, way, offered),
        "similar": similar,
        "card_url": f"/command?case={case.incident_id}&lang={words.language}",
        **history_json(store, file, at, words),
    }


def degrees(value: object) -> float | None:
    """A coordinate of a row, None where there is none."""
    number = np.nan if value is None else float(value)  # type: ignore[arg-type]
    return round(number, 7) if np.isfinite(number) else None


def _chain(
    store: Store, lon: float | None, lat: float | None, at: datetime, viewer: Viewer | None
) -> Any:
    if lon is None or lat is None:
        return None
    return store.chains.chain_at(lon, lat, at=at, viewer=viewer)


def _asked(case: Case, people: People, at: datetime, zone: Any, words: Words) -> str:
    if case.asked_until is None:
        return ""
    return words(
        "cases.asked",
        time=at_word(words, case.asked_until, at, zone),
        who=people.name(case.asked_by),
    )


def log_json(
    store: Store, row: LogRow, people: People, at: datetime, words: Words
) -> dict[str, Any]:
    """One row of the log: who, when, what, why."""
    zone, names = store.zone, unit_names(store)
    told = (
        ("owner", names.get(row.owner or "", row.owner or "")),
        ("level", level_word(words, row.level) if row.move != "report" else ""),
        ("until", at_word(words, row.until, at, zone)),
        ("other_id", row.other_id or ""),
        ("condition", row.condition or ""),
    )
    return {
        "seq": row.seq,
        "at": row.at.isoformat(),
        "at_text": at_word(words, row.at, at, zone),
        "move": row.move,
        "move_word": move_word(words, row.move),
        "stage": row.stage,
        "stage_word": stage_word(words, row.stage),
        "who": people.name(row.by),
        "role_word": role_word(words, row.role),
        "note": row.note or "",
        "details": [
            {"label": words(f"cases.detail.{key}"), "text": text} for key, text in told if text
        ],
    }


def moves_json(
    store: Store,
    file: CaseFile,
    at: datetime,
    words: Words,
    role: str,
    way: list[dict[str, str]],
    offered: tuple[OwnerSuggestion, ...],
) -> list[dict[str, Any]]:
    """The moves that the role may make now, each with the fields of its form."""
    if not role:
        return []
    has_conditions = bool(conditions_of(store, plain(file.row["class_code"]), words))
    return [
        {
            "name": move.name,
            "word": move_word(words, move.name),
            "help": words(f"cases.move.{move.name}.help"),
            "fields": [
                {
                    "name": name,
                    "required": name in move.needs,
                    "suggest": _suggested(store, file, move, way, offered)
                    if name == "owner"
                    else "",
                }
                for name in _fields(move, has_conditions)
            ],
        }
        for move in file.allowed(role, at)
        if move.name not in HIDDEN_MOVES
    ]


def _fields(move: Move, has_conditions: bool) -> list[str]:
    """What a move must and may say, in the order of its form."""
    optional = {"note", *OPTIONAL.get(move.name, ())}
    if not has_conditions:
        optional.discard("condition")
    order = ("other_id", "owner", "until", "condition", "note")
    return [name for name in order if name in move.needs or name in optional]


def _suggested(
    store: Store,
    file: CaseFile,
    move: Move,
    way: list[dict[str, str]],
    offered: tuple[OwnerSuggestion, ...],
) -> str:
    """Whom to offer first: who had it before, who has the asset or class, the next unit up."""
    levels = [step["level"] for step in way]
    if move.name == "raise" and file.case.level in levels:
        above = levels.index(file.case.level) - 1
        return way[above]["code"] if above >= 0 else ""
    if move.name != "dispatch":
        return ""
    before = [row.owner for row in file.case.log if row.owner]
    if before:
        return str(before[-1])
    if offered and offered[0].reason != "place":
        return offered[0].owner
    last = last_owner(store, plain(file.row["class_code"]))
    return last or (offered[0].owner if offered else "")


def last_owner(store: Store, code: str) -> str:
    """Who was given the newest case of a class that anybody was given, empty if none ever was."""
    table = store.workspace.table("incidents")
    query = (
        sa.select(table.c.owner)
        .where(table.c.class_code == code, table.c.owner.is_not(None))
        .order_by(table.c.reported_at.desc())
        .limit(1)
    )
    with store.workspace.reading() as conn:
        return plain(conn.execute(query).scalar())


def owner_options(
    store: Store,
    words: Words,
    way: list[dict[str, str]],
    offered: tuple[OwnerSuggestion, ...],
) -> list[dict[str, str]]:
    """The likeliest first with the reason, then the other units of the place and departments."""
    found = {
        one.owner: unit_option(store, words, one.owner, why=_why(words, one)) for one in offered
    }
    rest = [*(step["code"] for step in reversed(way)), *departments(store)]
    for code in rest:
        if code not in found:
            found[code] = unit_option(store, words, code)
    return list(found.values())


def _why(words: Words, one: OwnerSuggestion) -> str:
    if one.reason == "place":
        return words("cases.suggest.place", level=level_word(words, one.level))
    return words(f"cases.suggest.{one.reason}")


def similar_json(
    store: Store, incident_id: str, at: datetime, words: Words
) -> list[dict[str, Any]]:
    """Open cases that this one might be merged with."""
    return pairs_json(store, similar_to(store, incident_id, at), at, words)


def pairs_json(
    store: Store, pairs: pd.DataFrame, at: datetime, words: Words
) -> list[dict[str, Any]]:
    """Similar cases with what a person needs to know of each."""
    return [
        {
            "id": str(case),
            "stage_word": stage_word(words, row["stage"]),
            "is_open": True,
            "description": plain(row["description"]),
            "distance_m": round(float(row["distance_m"]), 1),
            "apart_text": words(
                "cases.apart",
                metres=f"{float(row['distance_m']):.0f}",
                when=_apart(words, float(row["apart_h"])),
            ),
        }
        for case, row in pairs.iterrows()
    ]


def _apart(words: Words, hours: float) -> str:
    if abs(hours) * 3600 < 60:
        return words("cases.apart.same")
    key = "cases.apart.earlier" if hours > 0 else "cases.apart.later"
    return words(key, span=words.span(abs(hours) * 3600))


def history_json(store: Store, file: CaseFile, at: datetime, words: Words) -> dict[str, Any]:
    """What else happened at the flare-up place of a case, the newest first."""
    code, place = plain(file.row["class_code"]), file.place
    history = history_of(store, code, place, at) if code and place else None
    case = file.case.incident_id
    if history is None or case not in history.index:
        return {"history": [], "history_note": ""}
    mine = history[history["place_id"] == history.at[case, "place_id"]]
    others = mine[mine.index != case].iloc[::-1]
    return {
        "history_note": words("cases.history.note", n=int(mine["returns_to"].notna().sum())),
        "history": [
            {
                "id": str(other),
                "stage_word": stage_word(words, row["stage"]),
                "apart_text": history_line(store, row, at, words),
            }
            for other, row in others.head(HISTORY_SHOWN).iterrows()
        ],
    }


def history_line(store: Store, row: Any, at: datetime, words: Words) -> str:
    """Reported and closed, or how soon after the last close."""
    reported = at_word(words, row["reported_at"], at, store.zone)
    if pd.notna(row["after_h"]):
        span = words.span(float(row["after_h"]) * 3600)
        return words("cases.history.line.return", reported=reported, span=span)
    closed = at_word(words, row["closed_at"], at, store.zone)
    if not closed:
        return words("cases.history.line.open", reported=reported)
    return words("cases.history.line", reported=reported, closed=closed)
