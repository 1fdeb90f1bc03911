"""Clocks that stop for a pause: what of the allowed time falls into one comes after the end.

Public names are handed on by `geo.deadlines`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._time_limits import require_columns
from geo._working_time import Micros, WorkingCalendar, WorkingClock
from geo.errors import InputError

NO_TIME = np.iinfo(np.int64).min
NO_END = np.iinfo(np.int64).max


class Clock(Protocol):
    def worked(self, us: Micros) -> Micros: ...
    def moment(self, worked: Micros) -> Micros: ...


class RoundClock:
    """The clock that never stops: nights and holidays count."""

    def worked(self, us: Micros) -> Micros:
        return us

    def moment(self, worked: Micros) -> Micros:
        return worked


def clock_of(unit: str, calendar: WorkingCalendar, start: Micros) -> Clock:
    if unit in ("working_hours", "working_days"):
        return WorkingClock(calendar, int(start.min()))
    return RoundClock()


def merge_pauses(pauses: pd.DataFrame, index: pd.Index, start: Micros) -> pd.DataFrame:
    """Pauses apart from each other: `row` of the case, `begin`, `end`, `rank` in the case."""
    require_columns(pauses, ("incident_id", "start", "end"), "pauses")
    if not index.is_unique:
        raise InputError("cases has an incident_id twice: drop one before pauses can be told apart")
    begin, end = to_micros(pauses["start"], "pauses.start"), to_micros(pauses["end"], "pauses.end")
    if (begin == NO_TIME).any():
        raise InputError("a pause has no start: leave it out or say when it began")
    end = np.where(end == NO_TIME, NO_END, end)
    if (end < begin).any():
        first = pauses["incident_id"].to_numpy()[end < begin][0]
        raise InputError(f"a pause of {first} ends before it begins: swap the two")
    spans = pd.DataFrame(
        {"row": index.get_indexer(pd.Index(pauses["incident_id"])), "begin": begin, "end": end}
    )
    spans = spans[(spans["row"] >= 0) & (start[spans["row"]] != NO_TIME)]
    spans = spans.assign(begin=np.maximum(spans["begin"], start[spans["row"]]))
    spans = spans[spans["end"] > spans["begin"]].sort_values(["row", "begin", "end"])
    reach = spans.groupby("row")["end"].cummax().groupby(spans["row"]).shift(fill_value=NO_TIME)
    block = (spans["begin"] > reach).cumsum()
    merged = spans.groupby(block).agg(row=("row", "first"), begin=("begin", "min"))
    merged["end"] = spans.groupby(block)["end"].max()
    return merged.assign(rank=merged.groupby("row").cumcount())


def add_pauses(
    clock: Clock, due: Micros, spans: pd.DataFrame, rows: npt.NDArray[np.intp], total: int
) -> Micros:
    place = np.full(total, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    at_all = place[spans["row"].to_numpy()]
    later = due.copy()
    for rank in range(int(spans["rank"].max()) + 1 if len(spans) else 0):
        pick = (spans["rank"].to_numpy() == rank) & (at_all >= 0)
        at = at_all[pick]
        begin, end = (spans[name].to_numpy()[pick] for name in ("begin", "end"))
        # A pause that begins at the deadline or after it comes too late to help.
        helps = begin < later[at]
        stands = helps & (end == NO_END)
        later[at[stands]] = NO_TIME
        moved = helps & ~stands
        if moved.any():
            extra = clock.worked(end[moved]) - clock.worked(begin[moved])
            stopped = clock.moment(clock.worked(later[at[moved]]) + extra)
            # A deadline that somebody told may lie outside of working time: never earlier.
            later[at[moved]] = np.maximum(later[at[moved]], stopped)
    return later


def to_micros(times: pd.Series, name: str) -> Micros:
    """Microseconds since 1970 UTC, the smallest number where empty."""
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        if len(times) and times.notna().any():
            raise InputError(f"{name} is {times.dtype}, without a zone: give times with a zone")
        return np.full(len(times), NO_TIME, dtype=np.int64)
    plain = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    return np.asarray(plain.astype("datetime64[us]").astype(np.int64))


def to_utc(time: datetime, name: str) -> pd.Timestamp:
    stamp = pd.Timestamp(time)
    if stamp.tzinfo is None:
        raise InputError(f"{name} is {time}, without a zone: give a time with a zone")
    return stamp.tz_convert("UTC").as_unit("us")
