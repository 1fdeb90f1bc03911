"""Many cases at once: what their logs say, without folding them one by one.

Rows are put in the order of cases and numbers once; every answer is then a look at the first or
last row of a case for which something holds. The answers are those of `geo.incidents.fold`, which
the tests compare. Public names are handed on by `geo.incidents`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray

from geo._moves import OPEN_STAGES
from geo.errors import ColumnError, InputError, RuleError
from geo.schema import STAGES

LOG_COLUMNS: dict[str, str] = {
    "incident_id": "text",
    "seq": "integer",
    "at": "time",
    "stage": "text",
    "move": "text",
    "by": "text",
    "role": "text",
    "note": "text",
    "owner": "text",
    "level": "text",
    "until": "time",
    "other_id": "text",
    "condition": "text",
}
"""Columns of a log and their kind: those of `incident_log`, and what a move records beside."""

StartsAt = Literal["collected", "opened", "dispatched"]
Standing = Literal["postponed", "returned", "checking"]
RESTARTING = ("dispatch", "transfer", "raise", "rework")
"""Moves that a city may let the clock begin anew at."""

_WORK = ("dispatched", "handling")
_DONE = ("closed", "cancelled")
_HANDED_ON = ("return", "transfer", "raise")
_Mask = npt.NDArray[np.bool_]
_Rows = npt.NDArray[np.intp]


class LogError(RuleError):
    """A log is not one: empty, of several cases, with a gap in its numbers, or a stage unknown."""


@dataclass(frozen=True, eq=False)
class CaseClocks:
    """When the clocks of cases started and stood, as `geo.deadlines.find_deadlines` takes it."""

    start: pd.Series
    """Indexed by `incident_id`, UTC; empty where the clock has not started."""
    pauses: pd.DataFrame
    """`incident_id`, `start`, `end` (empty: not known), `reason`."""

    def is_paused(self, at: datetime) -> pd.Series:
        """Tell for each case whether its clock stands at a moment; indexed like `start`."""
        begin, end = self.pauses["start"], self.pauses["end"]
        running = (begin <= at) & (end.isna() | (end > at))
        stands = self.start.index.isin(self.pauses.loc[running, "incident_id"])
        return pd.Series(stands, index=self.start.index, name="is_paused")


def stage_of(log: pd.DataFrame) -> pd.Series:
    """Find the stage of each case, from the row with the highest number.

    `log` has `incident_id`, `seq` and `stage`, rows in any order. One stage a case, indexed by
    `incident_id` in sorted order.
    """
    seq, ids = log["seq"].to_numpy(dtype=np.int64), pd.Index(log["incident_id"])
    codes, known = pd.factorize(ids, sort=True)
    order = np.lexsort((seq, codes))
    last = order[np.flatnonzero(np.diff(codes[order], append=-1))]
    stages = log["stage"].to_numpy()[last]
    return pd.Series(stages, index=known.rename("incident_id"), name="stage", dtype="str")


def summarise(logs: pd.DataFrame) -> pd.DataFrame:
    """Sum up the logs of many cases, one row each.

    Parameters
    ----------
    logs
        The columns of `incident_log` and any of `LOG_COLUMNS`, rows in any order.

    Returns
    -------
    DataFrame
        Indexed by `incident_id` in sorted order, with the fields of `Case` by the same names:
        stage, seq, level, owner, condition, the times of each stage, asked_until,
        postponed_until, merged_into, the flags and the counts; and `last_at`.

    Raises
    ------
    LogError
        If a case has a number twice.
    ColumnError
        If incident_id, seq, at or stage is missing.
    """
    rows = _Sorted(logs)
    first, last = rows.starts, rows.ends - 1
    entered = rows.entered()
    is_open = rows.isin("stage", OPEN_STAGES)
    idle = ~rows.isin("stage", _WORK)
    handed_on = rows.isin("move", _HANDED_ON)
    answered = rows.isin("move", ("approve_postponement", "refuse_postponement"))
    table: dict[str, object] = {
        "stage": rows.text("stage", last),
        "seq": pd.array(rows.seq[last], dtype="Int64"),
        "level": rows.text("level", rows.last(rows.known("level")), default="grid"),
        "owner": rows.text(
            "owner", rows.last_after(rows.known("owner"), rows.isin("move", ("return",)))
        ),
        "condition": rows.text("condition", rows.last(rows.known("condition"))),
        "reported_at": rows.time("at", first),
    }
    for stage in ("opened", "dispatched", "handling"):
        table[f"{stage}_at"] = rows.time("at", rows.first(rows.isin("stage", (stage,))))
    table["fed_back_at"] = rows.time("at", rows.last(entered & rows.isin("stage", ("fed_back",))))
    ended = rows.last_after(entered & ~is_open, is_open)
    table |= {
        "closed_at": rows.time("at", ended),
        "last_at": rows.time("at", last),
        "asked_until": rows.time(
            "until",
            rows.last_after(rows.isin("move", ("ask_postponement",)), answered | handed_on | idle),
        ),
        "postponed_until": rows.time(
            "until",
            rows.last_after(
                rows.isin("move", ("approve_postponement",)),
                rows.isin("move", ("resume",)) | handed_on | idle,
            ),
        ),
        "merged_into": rows.text("other_id", rows.last(rows.isin("move", ("merge",)))),
    }
    flags = {"verify": "is_verified", "handle_on_spot": "on_spot", "force_close": "is_forced"}
    for move, name in flags.items():
        table[name] = rows.last(rows.isin("move", (move,))) >= 0
    counts = {
        "supervise": "supervised",
        "return": "returned",
        "rework": "reworked",
        "transfer": "transferred",
        "raise": "raised",
        "approve_postponement": "postponed",
    }
    for move, name in counts.items():
        table[name] = rows.count(rows.isin("move", (move,)))
    return pd.DataFrame(table, index=rows.ids)


def find_clocks(
    logs: pd.DataFrame,
    *,
    starts_at: StartsAt = "dispatched",
    restart_on: Collection[str] = (),
    stands_while: Collection[str] = ("postponed",),
    pause_from: Literal["approval", "request"] = "approval",
) -> CaseClocks:
    """Find when the clock of each case started and when it stood.

    Parameters
    ----------
    logs
        As for `summarise`.
    starts_at
        The stage that starts the clock: by CJJ/T 106 the dispatch. A case that skips it starts
        with the first stage after it; one that ends before it never starts.
    restart_on
        Moves after which the clock begins anew with the full limit, any of dispatch (again, after
        a return), transfer, raise, rework; a city decides. None by default: the case was late for
        the people who wait, whoever had it.
    stands_while
        What stops the clock: `postponed` (granted time), `returned` (nobody has the case, from a
        return to the next dispatch), `checking` (from feedback until it is closed or reworked).
    pause_from
        Whether granted time counts from its approval or from when it was asked for.

    Returns
    -------
    CaseClocks
        `start`, one row a case in sorted order, and `pauses`. Granted time ends when it is over,
        and before that with `resume`, feedback, return, transfer, raise or the end of the case.
    """
    _require_words(restart_on, RESTARTING, "restart_on")
    _require_words(stands_while, get_args(Standing), "stands_while")
    _require_words((starts_at,), get_args(StartsAt), "starts_at")
    _require_words((pause_from,), ("approval", "request"), "pause_from")
    rows = _Sorted(logs)
    from_here = STAGES[STAGES.index(starts_at) : STAGES.index("closed")]
    starting = rows.first(rows.isin("stage", from_here))
    again = rows.last(rows.isin("move", restart_on) & rows.isin("stage", _WORK))
    # a restart stands after the start, where there is one
    start = rows.time("at", np.where(starting >= 0, np.maximum(starting, again), -1))
    idle = ~rows.isin("stage", _WORK)
    handed_on = rows.isin("move", _HANDED_ON)
    parts = []
    if "postponed" in stands_while:
        granted = rows.isin("move", ("approve_postponement",))
        enders = rows.isin("move", ("resume",)) | handed_on | idle
        part = rows.spans(granted, enders, "postponed")
        until = rows.time("until", np.flatnonzero(granted))
        part["end"] = part["end"].where(part["end"].notna() & ~(until < part["end"]), until)
        if pause_from == "request":
            asked = rows.previous(rows.isin("move", ("ask_postponement",)), granted)
            part["start"] = rows.time("at", np.where(asked >= 0, asked, np.flatnonzero(granted)))
        parts.append(part)
    if "returned" in stands_while:
        gone = rows.isin("move", ("return",))
        parts.append(rows.spans(gone, ~rows.isin("stage", ("opened",)), "returned"))
    if "checking" in stands_while:
        waits = rows.isin("stage", ("fed_back",))
        parts.append(rows.spans(rows.entered() & waits, ~waits, "checking"))
    empty = rows.spans(np.zeros(len(rows.seq), dtype=bool), idle, "")
    pauses = pd.concat(parts, ignore_index=True) if parts else empty
    return CaseClocks(pd.Series(start, index=rows.ids, name="start"), pauses)


def find_holdings(logs: pd.DataFrame) -> pd.DataFrame:
    """Find who had each case from when to when.

    Returns
    -------
    DataFrame
        `incident_id`, `owner` (empty: nobody yet, or again), `level`, `since`, `until` (empty for
        whoever has it now), in order of case and time. A row ends where owner or level changes,
        or with the case.
    """
    rows = _Sorted(logs)
    place = np.arange(len(rows.seq))
    is_return = rows.isin("move", ("return",))
    owner = np.where(
        rows.running(rows.known("owner")) > rows.running(is_return),
        rows.running(rows.known("owner")),
        -1,
    )
    level = rows.running(rows.known("level"))
    owners, levels = rows.text("owner", owner), rows.text("level", level, default="grid")
    codes = pd.factorize(pd.MultiIndex.from_arrays([owners.fillna(""), levels]))[0]
    is_done = rows.isin("stage", _DONE)
    is_first = np.isin(place, rows.starts)
    changed = is_first | (codes != np.roll(codes, 1)) | (is_done != np.roll(is_done, 1))
    begins = np.flatnonzero(changed & ~is_done)
    ends = rows.next(changed, begins)
    return pd.DataFrame(
        {
            "incident_id": rows.ids.to_numpy()[rows.case[begins]],
            "owner": owners[begins],
            "level": levels[begins],
            "since": rows.time("at", begins),
            "until": rows.time("at", ends),
        }
    )


class _Sorted:
    """A log in the order of case and number; a row that is not there is -1."""

    def __init__(self, log: pd.DataFrame) -> None:
        missing = [name for name in ("incident_id", "seq", "at", "stage") if name not in log]
        if missing:
            raise ColumnError(
                f"the log lacks {', '.join(missing)}: it has {', '.join(map(str, log.columns))}"
            )
        codes, ids = pd.factorize(pd.Index(log["incident_id"]), sort=True)
        seq = log["seq"].to_numpy(dtype=np.int64)
        order = np.lexsort((seq, codes))
        self._log, self._order = log, order
        self.ids = pd.Index(ids, dtype="str", name="incident_id")
        self.seq, self.case = seq[order], codes[order]
        twice = (np.diff(self.case) == 0) & (np.diff(self.seq) == 0)
        if twice.any():
            at = int(np.flatnonzero(twice)[0])
            raise LogError(
                f"the log of {self.ids[self.case[at]]} has row {self.seq[at]} twice: a row is "
                "added once and never changed"
            )
        self.starts = np.flatnonzero(np.diff(self.case, prepend=-1))
        self.ends = np.append(self.starts[1:], len(order))[: len(self.starts)]
        self._words: dict[str, npt.NDArray[np.object_]] = {}

    def words(self, name: str) -> npt.NDArray[np.object_]:
        """A column of text as objects, None where empty or where there is no such column."""
        if name not in self._words:
            if name in self._log:
                column = self._log[name].astype(object)
                values = column.where(column.notna(), None).to_numpy()[self._order]
            else:
                values = np.full(len(self._order), None, dtype=object)
            self._words[name] = values
        return self._words[name]

    def isin(self, name: str, values: Collection[str]) -> _Mask:
        """Rows that have one of these words."""
        mask = np.zeros(len(self._order), dtype=bool)
        for value in values:
            mask |= self.words(name) == value
        return mask

    def known(self, name: str) -> _Mask:
        """Rows that have a word at all."""
        return np.asarray(pd.notna(self.words(name)), dtype=bool)

    def entered(self) -> _Mask:
        """Rows with which a case comes to another stage."""
        stage = self.words("stage")
        mask = np.ones(len(stage), dtype=bool)
        mask[1:] = (stage[1:] != stage[:-1]) | (np.diff(self.case) != 0)
        return mask

    def last(self, mask: _Mask) -> _Rows:
        """The last such row of each case."""
        return self._reduce(np.maximum, np.where(mask, np.arange(len(mask)), -1))

    def first(self, mask: _Mask) -> _Rows:
        """The first such row of each case."""
        far = len(mask)
        found = self._reduce(np.minimum, np.where(mask, np.arange(far), far))
        return np.where(found == far, -1, found)

    def last_after(self, mask: _Mask, end: _Mask) -> _Rows:
        """The last such row of each case, if no ending row stands with it or after it."""
        found = self.last(mask)
        return np.where(found > self.last(end), found, -1)

    def count(self, mask: _Mask) -> _Rows:
        """How many such rows each case has."""
        return self._reduce(np.add, mask.astype(np.intp))

    def running(self, mask: _Mask) -> _Rows:
        """For each row the last such row of its case up to it."""
        found = np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))
        return np.where(found >= self.starts[self.case], found, -1) if len(mask) else found

    def next(self, mask: _Mask, rows: _Rows) -> _Rows:
        """For each given row the next such row of its case after it."""
        places = np.append(np.flatnonzero(mask), len(mask))
        found = places[np.searchsorted(places[:-1], rows, side="right")]
        return np.where(found < self.ends[self.case[rows]], found, -1)

    def previous(self, mask: _Mask, at: _Mask) -> _Rows:
        """For each row of `at` the last such row of its case up to it."""
        return self.running(mask)[at]

    def spans(self, begin: _Mask, end: _Mask, reason: str) -> pd.DataFrame:
        """From each beginning row to the next ending row of its case."""
        rows = np.flatnonzero(begin)
        return pd.DataFrame(
            {
                "incident_id": pd.array(self.ids.to_numpy()[self.case[rows]], dtype="str"),
                "start": self.time("at", rows),
                "end": self.time("at", self.next(end, rows)),
                "reason": pd.array([reason] * len(rows), dtype="str"),
            }
        )

    def text(self, name: str, rows: _Rows, default: str | None = None) -> ExtensionArray:
        """The words of these rows, numbered from 0; empty or the default where there is none."""
        words = np.concatenate([self.words(name), np.array([None], dtype=object)])[rows]
        if default is not None:
            words = np.where(rows < 0, default, words)
        return pd.array(words, dtype="str")

    def time(self, name: str, rows: _Rows) -> pd.DatetimeIndex:
        """The times of these rows, empty where there is none."""
        if name in self._log:
            column = pd.to_datetime(self._log[name], utc=True).dt.tz_localize(None)
            times = column.to_numpy().astype("datetime64[us]")[self._order]
        else:
            times = np.full(len(self._order), "NaT", dtype="datetime64[us]")
        found = np.append(times, np.datetime64("NaT", "us"))[rows]
        return pd.DatetimeIndex(found).tz_localize("UTC")

    def _reduce(self, how: np.ufunc, values: _Rows) -> _Rows:
        if not len(self.starts):
            return np.zeros(0, dtype=np.intp)
        return np.asarray(how.reduceat(values, self.starts), dtype=np.intp)


def _require_words(given: Collection[str], known: tuple[str, ...], name: str) -> None:
    for word in given:
        if word not in known:
            raise InputError(f"{name} has {word!r}: use any of {', '.join(known)}")
