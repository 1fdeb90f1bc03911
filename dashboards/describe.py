"""Things of the city in the words of a language: a grid's place, a case's class, a chip, a move.

Everything a page says about a single grid, incident, move or person is put into words here, so that
the live list, the card, the list of incidents and the marks on the map never call one thing by two
names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache

import numpy as np
import pandas as pd

from dashboards.components.case_words import move_word, role_word
from dashboards.figures import Snapshot
from dashboards.words import Words
from geo import codes
from geo.codes import ClassBook
from geo.deadlines import ClockReading
from geo.errors import CodeError
from geo.incidents import LogRow
from geo.responsibility import duty_roles


@dataclass(frozen=True)
class CaseLine:
    """One incident as a line of a list."""

    id: str
    what: str
    where: str
    when: str
    moment: datetime
    state: str
    chip: str
    grid_id: str | None
    lon: float | None
    lat: float | None
    stage: str = ""
    """The stage in words."""
    owner: str = ""
    """Who has it now; empty before dispatch."""
    level: str = ""
    """The level that has it now, in words; empty where nobody has told."""


@dataclass(frozen=True)
class ClockLine:
    """A clock as a chip: a state (see `components.marks`) and its words."""

    state: str
    chip: str


@dataclass(frozen=True)
class LogLine:
    """One row of a case's log in words."""

    seq: int
    moment: datetime
    when: str
    what: str
    who: str
    note: str
    details: tuple[str, ...]
    stage: str


# Classes, places, levels.


def class_name(code: str, category: str, words: Words, classes: ClassBook | None = None) -> str:
    """The class of an incident or asset in words; the source's own word where we have none.

    `classes` are the city's (`Rules.classes`); without them those that come with the product.
    """
    if code:
        try:
            if classes is not None:
                return classes.name(code, words.language)
            return codes.class_name(code, words.language)
        except (CodeError, KeyError):
            return category or code
    return category or words("none")


def place_name(snapshot: Snapshot, row: int) -> str:
    """Community and grid, as a short line."""
    return snapshot.city.place_names[row]


@cache
def _group_words() -> dict[str, dict[str, str]]:
    table = codes.asset_groups()
    ids = table["group"] if "group" in table.columns else table.index
    return {
        str(name): {"zh": str(row.zh), "en": str(row.en)}
        for name, row in zip(ids, table.itertuples(index=False), strict=True)
    }


def group_name(group: str, words: Words) -> str:
    """A group of asset classes in words; assets of an unknown class are said to be so."""
    found = _group_words().get(group)
    return found[words.language] if found else words("one.assets.unclassed")


def level_name(level: str, words: Words) -> str:
    """A level of the city in words; the word itself where we have none."""
    return _word("level", level, words)


def stage_name(stage: str, words: Words) -> str:
    """A stage of a case in words."""
    return _word("stage", stage, words)


def asset_state(state: str, words: Words) -> str:
    """The condition of an asset in words; `unknown` where none is told."""
    return _word("asset.state", state, words)


def _word(prefix: str, name: str, words: Words) -> str:
    key = f"{prefix}.{name}"
    return words(key) if words.has(key) else name


# People.


@cache
def _duty_words() -> dict[tuple[str, str], dict[str, str]]:
    table = duty_roles()
    return {
        (str(row.role), str(row.level)): {"zh": str(row.zh), "en": str(row.en)}
        for row in table.itertuples(index=False)
    }


def duty_role(role: str, level: str, words: Words) -> str:
    """A role of an appointment at a level, as `duty_roles` names it; else the role itself."""
    known = _duty_words()
    found = known.get((role, level)) or known.get((role, "*"))
    return found[words.language] if found else _word("role", role, words)


# Cases.


def describe_case(snapshot: Snapshot, k: int, words: Words) -> CaseLine:
    """The line of incident number `k` of the snapshot."""
    cases, zone = snapshot.cases, snapshot.at.tzinfo
    reported = pd.Timestamp(cases.reported[k], tz="UTC").to_pydatetime().astimezone(zone)
    row = int(cases.row[k])
    placed = bool(np.isfinite(cases.lon[k]) and np.isfinite(cases.lat[k]))
    if row >= 0:
        where = place_name(snapshot, row)
    else:
        where = words("list.outside") if placed else words("list.noplace")
    state, stage = str(snapshot.state[k]), str(cases.stage[k])
    left = _left_s(cases.deadline[k], snapshot.at)
    level = _of(cases, "level", k)
    return CaseLine(
        id=str(cases.ids[k]),
        what=class_name(str(cases.class_code[k]), str(cases.category[k]), words),
        where=where,
        when=words.moment(reported, snapshot.at),
        moment=reported,
        state=state,
        chip=state_chip(state, left, stage, words),
        grid_id=str(snapshot.city.grids.index[row]) if row >= 0 else None,
        lon=float(cases.lon[k]) if placed else None,
        lat=float(cases.lat[k]) if placed else None,
        stage=stage_name(stage, words),
        owner=_of(cases, "owner", k),
        level=level_name(level, words) if level else "",
    )


def _of(cases: object, column: str, k: int) -> str:
    """A column that not every table of cases has."""
    values = getattr(cases, column, None)
    value = None if values is None else values[k]
    return value if isinstance(value, str) else ""


def _left_s(deadline: np.datetime64, at: datetime) -> float | None:
    if np.isnat(deadline):
        return None
    return float((pd.Timestamp(deadline, tz="UTC") - pd.Timestamp(at)).total_seconds())


def state_chip(state: str, left_s: float | None, stage: str, words: Words) -> str:
    """How late, or how long is left, or that the clock stands; else the stage."""
    if state in ("late", "soon") and left_s is not None:
        return words(
            "state.late.by" if state == "late" else "state.soon.in", span=words.span(abs(left_s))
        )
    if state == "paused":
        return words("clock.paused")
    return stage_name(stage, words)


def clock_line(reading: ClockReading, words: Words) -> ClockLine:
    """What a clock says: time left, late by, standing, no limit, closed in time or late."""
    left = 0.0 if reading.left_s is None else abs(reading.left_s)
    match reading.state:
        case "late":
            return ClockLine("late", words("state.late.by", span=words.span(reading.late_s)))
        case "soon":
            return ClockLine("soon", words("state.soon.in", span=words.span(left)))
        case "fine":
            return ClockLine("fine", words("state.soon.in", span=words.span(left)))
        case "paused":
            return ClockLine("none", words("clock.paused"))
        case "done":
            return ClockLine(
                "fine", words("clock.done" if reading.left_s is not None else "clock.closed")
            )
        case "done_late":
            return ClockLine("late", words("clock.done_late", span=words.span(reading.late_s)))
        case _:
            return ClockLine("none", words("state.none"))


# Moves and the log.


def log_line(row: LogRow, words: Words, at: datetime, zone: tzinfo | None = None) -> LogLine:
    """A row of the log: when, what was done, by whom as what, why, and what it set."""
    zone = zone or at.tzinfo
    moment = row.at.astimezone(zone)
    who = row.by or ""
    if row.role:
        role = role_word(words, row.role)
        who = words("one.log.who", name=who, role=role) if who else role
    details = []
    if row.owner:
        details.append(words("one.log.owner", owner=row.owner))
    if row.level and row.seq > 1:
        details.append(words("one.log.level", level=level_name(row.level, words)))
    if row.until:
        until = words.moment(row.until.astimezone(zone), at)
        key = "one.log.deadline" if row.move == "recorded" else "one.log.until"
        details.append(words(key, time=until))
    if row.other_id:
        details.append(words("one.log.other", id=row.other_id))
    what = move_word(words, row.move)
    if row.move == "recorded":
        what = words("one.log.recorded", stage=stage_name(row.stage, words))
    return LogLine(
        seq=row.seq,
        moment=moment,
        when=words.moment(moment, at),
        what=what,
        who=who,
        note=row.note or "",
        details=tuple(details),
        stage=stage_name(row.stage, words),
    )
