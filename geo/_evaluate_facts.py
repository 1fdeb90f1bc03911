"""What the logs of cases tell, as columns beside the columns of the cases.

Every move is a row of `Moves`; `CaseFacts` says of each case when it was opened, dispatched,
handled, and whether its log tells that at all. A log that came with a file often has only the first
and the last stage: then nobody knows when such a case was opened or handled, and it is left out of
those figures and counted as left out, never as not done. Public names are handed on by
`geo.evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._moves import OPEN_STAGES, RECORDED
from geo.schema import STAGES

NEVER = int(np.iinfo(np.int64).min)
"""Stands where a time is empty, as in `geo.io.case_columns`."""

_STAGE = {word: number for number, word in enumerate(STAGES)}
_AFTER_OPENING = [_STAGE[word] for word in ("opened", "dispatched", "handling", "fed_back")]
_AFTER_DISPATCH = [_STAGE[word] for word in ("dispatched", "handling", "fed_back")]
Seconds = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


class CaseLike(Protocol):
    """What is needed of cases: columns as `geo.io.case_columns.CaseColumns` has them."""

    @property
    def fid(self) -> npt.NDArray[np.int64]: ...
    @property
    def lon(self) -> npt.NDArray[np.float64]: ...
    @property
    def lat(self) -> npt.NDArray[np.float64]: ...
    @property
    def reported(self) -> Seconds: ...
    @property
    def closed(self) -> Seconds: ...
    @property
    def deadline(self) -> Seconds: ...
    @property
    def class_code(self) -> npt.NDArray[np.int16]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def stage(self) -> npt.NDArray[np.int8]: ...
    @property
    def owner(self) -> npt.NDArray[np.int32]: ...
    @property
    def owners(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Moves:
    """Rows of the log as numbers, in order of case and number of the row."""

    case: npt.NDArray[np.int32]
    """Position of the case."""
    at: Seconds
    stage: npt.NDArray[np.int8]
    """Position in STAGES after the move."""
    move: npt.NDArray[np.int16]
    """Position in `moves`."""
    by: npt.NDArray[np.int32]
    """Position in `people`, -1 not told."""
    role: npt.NDArray[np.int16]
    """Position in `roles`, -1 not told."""
    owner: npt.NDArray[np.int32]
    """Position in `owners` of whom the row names, -1 nobody."""
    moves: tuple[str, ...]
    people: tuple[str, ...]
    roles: tuple[str, ...]
    owners: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.case)

    def is_move(self, *names: str) -> Bools:
        """Rows that are one of these moves."""
        return is_one(self.move, self.moves, names)

    def is_role(self, rows: Rows, *names: str) -> Bools:
        """Which of these rows were made in one of these roles."""
        return is_one(self.role[rows], self.roles, names)


def is_one(numbers: npt.NDArray[np.int16], words: tuple[str, ...], names: tuple[str, ...]) -> Bools:
    """Which numbers, positions in `words`, stand for one of these names."""
    mask = np.zeros(len(numbers), dtype=bool)
    for number, word in enumerate(words):
        if word in names:
            mask |= numbers == number
    return mask


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """Cases and what their logs tell, one value a case in each array; NEVER where it is not so."""

    cases: CaseLike
    log: Moves
    opened: Seconds
    """First row of stage opened."""
    opened_by: Seconds
    """First row of a stage that only an opened case has: by then it was opened."""
    dispatched: Seconds
    handled: Seconds
    """Last feedback; of a case put right on the spot its end."""
    first_handled: Seconds
    tells_moves: Bools
    """Whether the log has moves, and not only the stages that a file told."""
    tells_opening: Bools
    """Whether the log tells if and when it was opened; likewise the others."""
    tells_dispatch: Bools
    tells_handling: Bools
    tells_end: Bools
    is_cancelled: Bools
    is_closed: Bools
    on_spot: Bools
    merged: Bools
    holder: npt.NDArray[np.int32]
    """Before each row of the log who had the case, position in `log.owners`, -1 nobody."""
    last_owner: npt.NDArray[np.int32]
    """Who has the case, or had it last: position in `log.owners`, -1 nobody."""
    version: str = ""

    def __len__(self) -> int:
        return len(self.opened)


def facts_of(cases: CaseLike, log: Moves, *, version: str = "") -> CaseFacts:
    """Work out what each case's log tells.

    Parameters
    ----------
    cases
        Columns of all cases.
    log
        Their moves in order of case and number; a case may have none.
    """
    size = len(cases)
    stage_now = cases.stage
    has_moves = np.zeros(size, dtype=bool)
    has_moves[log.case[~log.is_move(RECORDED, "")]] = True
    opened_rows = log.stage == _STAGE["opened"]
    past_opening = np.isin(log.stage, _AFTER_OPENING)
    past_dispatch = np.isin(log.stage, _AFTER_DISPATCH)
    same_case = np.append(False, log.case[1:] == log.case[:-1])
    before = np.where(same_case, np.append(np.int8(-1), log.stage[:-1])[: len(log)], -1)
    fed_back = (log.stage == _STAGE["fed_back"]) & (before != _STAGE["fed_back"])
    on_spot = _flag(log, log.is_move("handle_on_spot"), size)
    is_closed = stage_now == _STAGE["closed"]
    is_cancelled = stage_now == _STAGE["cancelled"]
    handled = _last(log, fed_back, size)
    first_handled = _first(log, fed_back, size)
    for times in (handled, first_handled):
        times[on_spot] = cases.closed[on_spot]
    opened_by = _first(log, past_opening, size)
    is_first_stage = stage_now == _STAGE["collected"]
    ended = is_closed | is_cancelled
    dispatched = _first(log, past_dispatch, size)
    holder, last_owner = _holders(log, size, cases)
    return CaseFacts(
        cases=cases,
        log=log,
        opened=_first(log, opened_rows, size),
        opened_by=opened_by,
        dispatched=dispatched,
        handled=handled,
        first_handled=first_handled,
        tells_moves=has_moves,
        tells_opening=has_moves | is_first_stage | (opened_by != NEVER),
        tells_dispatch=has_moves
        | is_first_stage
        | (stage_now == _STAGE["opened"])
        | (dispatched != NEVER),
        tells_handling=has_moves
        | (handled != NEVER)
        | (~ended & (stage_now != _STAGE["fed_back"])),
        tells_end=~is_closed | (cases.closed != NEVER),
        is_cancelled=is_cancelled,
        is_closed=is_closed,
        on_spot=on_spot,
        merged=_flag(log, log.is_move("merge"), size),
        holder=holder,
        last_owner=last_owner,
        version=version,
    )


def moves_of(frame: pd.DataFrame, ids: pd.Index) -> Moves:
    """Make `Moves` of a table like `incident_log`, for files and tests.

    Parameters
    ----------
    frame
        Columns of `incident_log`; rows in any order, those of cases that `ids` lacks left out.
    ids
        `incident_id` of each case by position.
    """
    case = ids.get_indexer(pd.Index(frame["incident_id"].to_numpy(dtype=object)))
    seq = frame["seq"].to_numpy(dtype=np.int64)
    order = np.lexsort((seq, case))
    order = order[case[order] >= 0]
    at = pd.to_datetime(frame["at"], utc=True).dt.tz_localize(None)
    seconds = at.to_numpy().astype("M8[s]").astype(np.int64)[order]
    coded = {}
    for name in ("move", "by", "role", "owner"):
        column = frame[name].to_numpy(dtype=object)[order] if name in frame else None
        if column is None:
            column = np.full(len(order), None, dtype=object)
        codes, words = pd.factorize(pd.Series(column, dtype=object))
        coded[name] = (codes, tuple(str(word) for word in words))
    stage = pd.Categorical(frame["stage"].to_numpy(dtype=object)[order], categories=list(STAGES))
    return Moves(
        case=case[order].astype(np.int32),
        at=seconds,
        stage=stage.codes.astype(np.int8),
        move=coded["move"][0].astype(np.int16),
        by=coded["by"][0].astype(np.int32),
        role=coded["role"][0].astype(np.int16),
        owner=coded["owner"][0].astype(np.int32),
        moves=coded["move"][1],
        people=coded["by"][1],
        roles=coded["role"][1],
        owners=coded["owner"][1],
    )


def _first(log: Moves, mask: Bools, size: int) -> Seconds:
    found = np.full(size, NEVER, dtype=np.int64)
    rows = np.flatnonzero(mask)[::-1]
    # The last that is written stays: the first row of each case.
    found[log.case[rows]] = log.at[rows]
    return found


def _last(log: Moves, mask: Bools, size: int) -> Seconds:
    found = np.full(size, NEVER, dtype=np.int64)
    rows = np.flatnonzero(mask)
    found[log.case[rows]] = log.at[rows]
    return found


def _flag(log: Moves, mask: Bools, size: int) -> Bools:
    found = np.zeros(size, dtype=bool)
    found[log.case[mask]] = True
    return found


def _holders(
    log: Moves, size: int, cases: CaseLike
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Who had the case before each row, and who had each case last."""
    rows = np.arange(len(log))
    named = log.owner >= 0
    starts = np.append(True, log.case[1:] != log.case[:-1]) if len(log) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(starts, rows, 0)) if len(log) else rows
    up_to = np.maximum.accumulate(np.where(named, rows, -1)) if len(log) else rows
    before = np.where(starts, -1, np.append(-1, up_to[:-1])[: len(log)])
    before = np.where(before >= first, before, -1)
    holder = np.where(before >= 0, log.owner[before], -1).astype(np.int32)
    last = np.full(size, -1, dtype=np.int32)
    last[log.case[named]] = log.owner[named]
    # Where no log names anybody, the case itself may.
    place = pd.Index(log.owners, dtype=object).get_indexer(pd.Index(cases.owners, dtype=object))
    told = np.append(place, -1)[cases.owner].astype(np.int32)
    return holder, np.where(last >= 0, last, told).astype(np.int32)


OPEN_CODES = tuple(_STAGE[word] for word in OPEN_STAGES)
