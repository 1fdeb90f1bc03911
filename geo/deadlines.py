"""When a case is due: limits by class and opening condition, the working calendar, pauses.

A limit is an amount and a unit:

    urgent_hours    round the clock, nights and holidays included (紧急工作时)
    working_hours   only the hours that the city works (工作时)
    working_days    days by the Chinese calendar with its make-up Saturdays (工作日)
    natural_days    every day of the calendar (自然日)

The units are those that cities use with GB/T 30428.8. Hours run from the very moment. Days are
counted after the Civil Code of the PRC, articles 201 and 203: the day of the start does not count,
and the last day ends at 24:00, or when business stops where there are business hours. A city that
counts a day as the same clock time of the next one says `day_rule="clock"`. Article 203 also moves
a last day that is a holiday to the next working day; `natural_days` does not, for that is what
`working_days` are for.

The limit is turned into time once, at the start. A pause stops the clock: whatever of that time
falls into a pause is added at the end, in the unit's own time. So more pause never makes a case
due earlier, and a pause outside of the working hours changes nothing for a limit in working time.
At the deadline itself a case is still in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._clock_pauses import (
    NO_TIME,
    Clock,
    add_pauses,
    clock_of,
    merge_pauses,
    to_micros,
    to_utc,
)
from geo._time_limits import UNITS as UNITS
from geo._time_limits import Limit as Limit
from geo._time_limits import Unit as Unit
from geo._time_limits import find_limits as find_limits
from geo._time_limits import require_columns, require_limits
from geo._time_limits import require_time_limits as require_time_limits
from geo._time_limits import time_limits as time_limits
from geo._working_time import HOUR_US, Micros, WorkingClock, from_wall, local_wall, unknown_between
from geo._working_time import OFFICE_HOURS as OFFICE_HOURS
from geo._working_time import CalendarError as CalendarError
from geo._working_time import WorkingCalendar as WorkingCalendar
from geo._working_time import overrides_from_table as overrides_from_table
from geo._working_time import parse_hours as parse_hours
from geo.errors import InputError

DayRule = Literal["end_of_day", "clock"]
ClockState = Literal["fine", "soon", "late", "paused", "none", "done", "done_late"]
Pause = tuple[datetime, datetime | None]
"""From, and until; None while nobody has said when it ends."""

CLOCK_STATES: tuple[str, ...] = get_args(ClockState)
CHINA = WorkingCalendar()
"""The State Council's working days, 09:00-12:00 and 14:00-18:00, in Asia/Shanghai."""

SOON_H = 2.0
"""Hours before the deadline from which a case is amber; our assumption, a city sets its own."""

_DAY_US = 24 * HOUR_US


@dataclass(frozen=True)
class ClockReading:
    """What the clock of a case says at one moment."""

    state: ClockState
    left_s: float | None
    """Seconds until the deadline, negative after it; None without a deadline."""
    late_s: float
    """Seconds by which it is, or was closed, after the deadline; 0 in time."""


def find_deadline(
    start: datetime,
    limit: Limit,
    *,
    calendar: WorkingCalendar = CHINA,
    pauses: Sequence[Pause] = (),
    day_rule: DayRule = "end_of_day",
) -> datetime | None:
    """Find the moment (UTC) by which one case is due; None while its clock stands without an end.

    Parameters
    ----------
    start
        When the clock started, with zone: by CJJ/T 106 the dispatch.
    limit
        How long the case may take.
    calendar
        Working days, hours and zone.
    pauses
        `(from, until)`, in any order; they may overlap and reach before the start.
    day_rule
        How days end, see the head of the module.

    Raises
    ------
    InputError
        If a time has no zone, or a pause ends before it begins.
    CalendarError
        If a year is needed that the calendar does not know.
    """
    cases = pd.DataFrame(
        {"start": [to_utc(start, "start")], "amount": [float(limit.amount)], "unit": [limit.unit]}
    )
    spans = pd.DataFrame(
        {
            "incident_id": np.zeros(len(pauses), dtype=np.int64),
            "start": [to_utc(begin, "a pause's start") for begin, _ in pauses],
            "end": [pd.NaT if end is None else to_utc(end, "a pause's end") for _, end in pauses],
        }
    )
    found = find_deadlines(
        cases, calendar=calendar, pauses=spans if len(pauses) else None, day_rule=day_rule
    )
    deadline = found["deadline"].iloc[0]
    return None if pd.isna(deadline) else deadline.to_pydatetime().astimezone(UTC)


def find_deadlines(
    cases: pd.DataFrame,
    *,
    calendar: WorkingCalendar = CHINA,
    pauses: pd.DataFrame | None = None,
    day_rule: DayRule = "end_of_day",
) -> pd.DataFrame:
    """Find the moment by which each case of a table is due.

    Parameters
    ----------
    cases
        Indexed by `incident_id`, with `start` (with zone), `amount` and `unit` (see `UNITS`).
    pauses
        `incident_id`, `start`, `end` (empty: no end known), any number a case and in any order.
        Pauses of other cases are left aside.

    Returns
    -------
    DataFrame
        One row a case, indexed and ordered like `cases`: `deadline` (UTC; empty where start or
        limit is empty, or where the clock stands without an end) and `assumed` (True where a
        year with assumed working days was needed, see `WorkingCalendar.lacking`).

    Raises
    ------
    ColumnError, InputError
        If a column is missing, times have no zone, a limit is not positive or its unit unknown,
        a limit in days is not whole under `end_of_day`, or a pause ends before it begins.
    CalendarError
        If a year is needed that the calendar does not know.
    """
    if day_rule not in get_args(DayRule):
        raise InputError(f"day_rule is {day_rule!r}: use one of {', '.join(get_args(DayRule))}")
    require_columns(cases, ("start", "amount", "unit"), "cases")
    start = to_micros(cases["start"], "start")
    amount = cases["amount"].to_numpy(dtype=np.float64, na_value=np.nan)
    unit = cases["unit"].astype(object).where(cases["unit"].notna(), "").to_numpy()
    is_set = (start != NO_TIME) & ~np.isnan(amount) & (unit != "")
    require_limits(amount[is_set], unit[is_set])
    spans = merge_pauses(pauses, cases.index, start) if pauses is not None else None
    deadline = np.full(len(cases), NO_TIME, dtype=np.int64)
    assumed = np.zeros(len(cases), dtype=bool)
    for name in UNITS:
        rows = np.flatnonzero(is_set & (unit == name))
        if not len(rows):
            continue
        clock = clock_of(name, calendar, start[rows])
        due = _without_pause(name, clock, calendar, start[rows], amount[rows], day_rule)
        if spans is not None:
            due = add_pauses(clock, due, spans, rows, len(cases))
        deadline[rows] = due
        if isinstance(clock, WorkingClock):
            ended = np.where(due == NO_TIME, start[rows], due)
            years = [clock.local_days(us).astype("datetime64[Y]") for us in (start[rows], ended)]
            first, last = (year.astype(np.int64) + 1970 for year in years)
            assumed[rows] = unknown_between(calendar, first, last)
    return pd.DataFrame({"deadline": _times(deadline), "assumed": assumed}, index=cases.index)


def lengthen_deadlines(
    deadlines: pd.Series,
    pauses: pd.DataFrame,
    *,
    units: pd.Series | None = None,
    calendar: WorkingCalendar = CHINA,
) -> pd.Series:
    """Add pauses to deadlines that somebody told, say the source of an import.

    Parameters
    ----------
    deadlines
        Indexed by `incident_id`, with zone; an empty one stays empty.
    pauses
        As for `find_deadlines`; one that begins at the deadline or after it comes too late.
    units
        Indexed like `deadlines`: the unit of the limit of each case, in whose time the pause is
        added; round the clock where it is empty or nothing is given.

    Returns
    -------
    Series
        `deadline`, indexed like `deadlines`, UTC; empty while a clock stands without an end.
        Errors as for `find_deadlines`.
    """
    due = to_micros(deadlines, "deadlines")
    if not len(pauses):
        return pd.Series(_times(due), index=deadlines.index, name="deadline")
    spans = merge_pauses(pauses, deadlines.index, np.full(len(due), NO_TIME + 1))
    earliest = spans["begin"].to_numpy() if len(spans) else due
    words = np.full(len(due), "", dtype=object)
    if units is not None:
        words = units.astype("str").fillna("").to_numpy()
    for name in ("", *UNITS):
        rows = np.flatnonzero((due != NO_TIME) & (words == name))
        if len(rows):
            first = np.array([min(due[rows].min(), earliest.min())])
            clock = clock_of(name, calendar, first)
            due[rows] = add_pauses(clock, due[rows], spans, rows, len(due))
    return pd.Series(_times(due), index=deadlines.index, name="deadline")


def measure_working_s(
    starts: pd.Series, ends: pd.Series, *, calendar: WorkingCalendar = CHINA
) -> pd.Series:
    """Measure the working time between two columns of moments, in seconds.

    Negative where the end is before the start, missing where one of them is. One number a row of
    `starts`, in its order; `ends` has the same index. With a deadline and a time of closing it
    says how late a case was in working time. CalendarError in a year that is not known.
    """
    first, last = to_micros(starts, "starts"), to_micros(ends, "ends")
    is_set = (first != NO_TIME) & (last != NO_TIME)
    seconds = np.full(len(starts), np.nan)
    if is_set.any():
        clock = WorkingClock(calendar, int(min(first[is_set].min(), last[is_set].min())))
        seconds[is_set] = (clock.worked(last[is_set]) - clock.worked(first[is_set])) / 1e6
    return pd.Series(seconds, index=starts.index, name="working_s")


def read_clock(
    deadline: datetime | None,
    *,
    at: datetime,
    closed_at: datetime | None = None,
    is_paused: bool = False,
    soon_h: float = SOON_H,
) -> ClockReading:
    """Read the clock of one case at a moment; see `read_clocks`."""
    times = {"deadline": deadline, "closed_at": closed_at}
    columns = {
        name: pd.Series(
            [pd.NaT if time is None else to_utc(time, name)], dtype="datetime64[us, UTC]"
        )
        for name, time in times.items()
    }
    row = read_clocks(
        columns["deadline"],
        at=at,
        closed_at=columns["closed_at"],
        is_paused=pd.Series([is_paused]),
        soon_h=soon_h,
    ).iloc[0]
    left = None if pd.isna(row["left_s"]) else float(row["left_s"])
    return ClockReading(row["state"], left, float(row["late_s"]))


def read_clocks(
    deadlines: pd.Series,
    *,
    at: datetime,
    closed_at: pd.Series | None = None,
    is_paused: pd.Series | None = None,
    soon_h: float | pd.Series = SOON_H,
) -> pd.DataFrame:
    """Read the clocks of a table of cases at a moment.

    Parameters
    ----------
    deadlines
        Indexed by `incident_id`, with zone; empty where there is none.
    at
        The moment. A case that was closed only after it is read as open, so the past can be
        shown as it was.
    closed_at, is_paused
        Indexed like `deadlines`.
    soon_h
        Hours before the deadline from which a case is amber, one number or one a case.

    Returns
    -------
    DataFrame
        Indexed like `deadlines`. `state`: `fine`, `soon` (amber, from `soon_h` before the
        deadline up to and with it), `late` (red, after it), `paused` (the clock stands, and the
        case is not late), `none` (no deadline); `done` and `done_late` once closed. `left_s`:
        seconds until the deadline, negative after it, missing without one. `late_s`: seconds by
        which it is, or was closed, after the deadline, 0 in time.
    """
    due, now = to_micros(deadlines, "deadlines"), _one_micro(at, "at")
    none = pd.Series(pd.NaT, index=deadlines.index, dtype="datetime64[us, UTC]")
    closed = to_micros(none if closed_at is None else closed_at, "closed_at")
    is_done = (closed != NO_TIME) & (closed <= now)
    left = (due - np.where(is_done, closed, now)).astype(np.float64) / 1e6
    left[due == NO_TIME] = np.nan
    soon = np.asarray(soon_h, dtype=np.float64) * 3600
    stands = np.zeros(len(due), bool) if is_paused is None else is_paused.to_numpy(dtype=bool)
    is_late = left < 0
    # the first that holds decides
    state = np.select(
        [is_done & is_late, is_done, is_late, stands, np.isnan(left), left <= soon],
        ["done_late", "done", "late", "paused", "none", "soon"],
        default="fine",
    )
    late = np.where(is_late, -left, 0.0)
    return pd.DataFrame(
        {"state": pd.Series(state, index=deadlines.index, dtype="str"), "left_s": left}
        | {"late_s": late},
        index=deadlines.index,
    )


def _without_pause(
    unit: str,
    clock: Clock,
    calendar: WorkingCalendar,
    start: Micros,
    amount: npt.NDArray[np.float64],
    day_rule: DayRule,
) -> Micros:
    if unit in ("urgent_hours", "working_hours"):
        return clock.moment(clock.worked(start) + _rounded(amount * HOUR_US))
    if day_rule == "end_of_day":
        days = _whole_days(amount)
        if isinstance(clock, WorkingClock):
            return clock.close_after(start, days)
        today = local_wall(start, calendar.zone).astype("datetime64[D]")
        midnight = today + (days + 1).astype("timedelta64[D]")
        return from_wall(midnight.astype("datetime64[us]"), calendar.zone)
    if isinstance(clock, WorkingClock):
        return clock.moment(clock.worked(start) + _rounded(amount * calendar.day_us))
    wall = local_wall(start, calendar.zone).astype("datetime64[us]")
    return from_wall(wall + _rounded(amount * _DAY_US).astype("timedelta64[us]"), calendar.zone)


def _whole_days(amount: npt.NDArray[np.float64]) -> Micros:
    broken = amount != np.floor(amount)
    if broken.any():
        raise InputError(
            f"a limit is {amount[broken][0]:g} days: give whole days, hours, or day_rule='clock'"
        )
    return amount.astype(np.int64)


def _rounded(us: npt.NDArray[np.float64]) -> Micros:
    return np.round(us).astype(np.int64)


def _times(us: Micros) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(us.view("datetime64[us]")).tz_localize("UTC")


def _one_micro(time: datetime, name: str) -> int:
    return int(to_micros(pd.Series([to_utc(time, name)]), name)[0])
