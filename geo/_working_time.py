"""Working time as one long ruler: which days are worked, between which hours, in which zone.

The ruler is a row of open spans in UTC, in order, with the working time that has gone by before
each. How much working time lies between two moments is then a difference of two look-ups, and the
moment at which so much working time is used up is the look-up the other way round. A moment on
which nothing is worked reads like the last closing before it, and the way back gives the earliest
moment: four working hours from 14:00 end at 18:00 today, not at 09:00 tomorrow.

Years come into the ruler one at a time and only when a question reaches them, so a year that no
calendar knows is refused only where it matters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import chinese_calendar
import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.errors import InputError

Micros = npt.NDArray[np.int64]
"""Microseconds since 1970-01-01 UTC, or a number of them."""

Basis = Literal["china", "weekdays", "daily"]
Lacking = Literal["refuse", "weekdays"]
Hours = tuple[tuple[int, int], ...]

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
OFFICE_HOURS: Hours = ((9 * 60, 12 * 60), (14 * 60, 18 * 60))
"""09:00-12:00 and 14:00-18:00. An assumption: no standard fixes the hours, a city sets its own."""

_LONGEST_YEARS = 60


class CalendarError(InputError):
    """A working calendar contradicts itself, or is asked about a year that it does not know."""


@dataclass(frozen=True)
class WorkingCalendar:
    """When a city works.

    Attributes
    ----------
    zone
        Name of the time zone (IANA) in which days begin and hours are meant.
    hours
        Spans of a working day in minutes after midnight, in order, 24:00 being 1440; see
        `parse_hours`.
    basis
        `china`: the days of the State Council's notices as the package chinesecalendar has them
        (2004 to 2026 in its version 1.11), make-up Saturdays and Sundays are worked. `weekdays`:
        Monday to Friday and no holiday. `daily`: every day.
    overrides
        `(day, is it worked)`, and these win over the basis; see `overrides_from_table`. A year
        that the basis lacks counts as known once a single day of it is told, and its other days
        follow the week: a notice lists only the exceptions.
    lacking
        What to do in a year that is known neither way: `refuse` raises CalendarError, `weekdays`
        takes Monday to Friday, and the answers say that they are assumed.

    Raises
    ------
    CalendarError
        If the zone or a word is unknown, the hours are empty or overlap, or a day is told twice.
    """

    zone: str = "Asia/Shanghai"
    hours: Hours = OFFICE_HOURS
    basis: Basis = "china"
    overrides: tuple[tuple[date, bool], ...] = ()
    lacking: Lacking = "refuse"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise CalendarError(
                f"zone is {self.zone!r}, which no time zone is called: use a name such as "
                "Asia/Shanghai"
            ) from error
        for name, value, words in (
            ("basis", self.basis, get_args(Basis)),
            ("lacking", self.lacking, get_args(Lacking)),
        ):
            if value not in words:
                raise CalendarError(f"{name} is {value!r}: use one of {', '.join(words)}")
        ends = [minute for span in self.hours for minute in span]
        if not ends or ends != sorted(set(ends)) or ends[0] < 0 or ends[-1] > 24 * 60:
            raise CalendarError(
                f"hours is {self.hours}: give spans in order, apart from each other and within "
                "0 to 1440 minutes after midnight"
            )
        days = [day for day, _ in self.overrides]
        if len(days) != len(set(days)):
            twice = next(day for day in days if days.count(day) > 1)
            raise CalendarError(f"overrides has {twice} twice: leave one row for each day")

    @property
    def day_us(self) -> int:
        """Working time of one working day, microseconds."""
        return sum(end - start for start, end in self.hours) * MINUTE_US

    def knows(self, year: int) -> bool:
        """Tell whether the working days of a year are known and not assumed."""
        return self.basis != "china" or _china_knows(year) or year in _told_years(self)

    def is_working_day(self, day: date) -> bool:
        """Tell whether a day is worked; CalendarError in a year that is unknown and refused."""
        return bool(_year_days(self, day.year)[(day - date(day.year, 1, 1)).days])


def parse_hours(text: str) -> Hours:
    """Read working hours as they are written in a setting: `09:00-12:00, 14:00-18:00`.

    Raises
    ------
    CalendarError
        If it is no list of spans `hh:mm-hh:mm`. A span over midnight is written as two.
    """
    spans = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,2}):([0-5]\d)\s*-\s*(\d{1,2}):([0-5]\d)\s*", part)
        if found is None:
            raise CalendarError(
                f"{part.strip()!r} is no span of hours: write it like 09:00-12:00, 14:00-18:00"
            )
        a, b, c, d = (int(number) for number in found.groups())
        spans.append((a * 60 + b, c * 60 + d))
    hours = tuple(spans)
    return WorkingCalendar(basis="daily", hours=hours).hours


def overrides_from_table(table: pd.DataFrame) -> tuple[tuple[date, bool], ...]:
    """Turn a table of exceptional days into the `overrides` of a WorkingCalendar.

    Parameters
    ----------
    table
        Columns `date` (a date or text as 2027-02-06) and `is_workday` (true, false, 1 or 0).

    Raises
    ------
    CalendarError
        If a column is missing, a date or a yes-or-no cannot be read, or a day is told twice.
    """
    for name in ("date", "is_workday"):
        if name not in table.columns:
            raise CalendarError(f"the table of days lacks {name}: it needs date and is_workday")
    yes = {"true": True, "1": True, "false": False, "0": False}
    days: list[tuple[date, bool]] = []
    for raw, flag in zip(table["date"], table["is_workday"], strict=True):
        word = str(flag).strip().lower().removesuffix(".0")
        if word not in yes:
            raise CalendarError(f"is_workday is {flag!r} on {raw}: write true or false")
        days.append((_read_day(raw), yes[word]))
    overrides = tuple(sorted(days))
    return WorkingCalendar(basis="daily", overrides=overrides).overrides


def _read_day(raw: object) -> date:
    try:
        return date.fromisoformat(str(raw).strip()[:10])
    except ValueError as error:
        raise CalendarError(f"date is {raw!r}: write it like 2027-02-06") from error


@dataclass(frozen=True, eq=False)
class Ruler:
    """The open spans of some whole years, in order; times in microseconds UTC."""

    days: npt.NDArray[np.datetime64]
    """The working days themselves, local dates."""
    opens: Micros
    closes: Micros
    before: Micros
    """Working time before each span, from the ruler's beginning."""
    used: Micros
    """Working time up to the end of each span."""


class WorkingClock:
    """Read working time off a ruler that grows by years as questions reach further."""

    def __init__(self, calendar: WorkingCalendar, first_us: int) -> None:
        self.calendar = calendar
        self._first = self._last = int(self.local_days(np.array([first_us]))[0].astype(object).year)
        self.ruler = _ruler(calendar, self._first, self._last)

    def local_days(self, us: Micros) -> npt.NDArray[np.datetime64]:
        """The local date of each moment."""
        return local_wall(us, self.calendar.zone).astype("datetime64[D]")

    def worked(self, us: Micros) -> Micros:
        """Working time from the ruler's beginning up to each moment."""
        if us.size:
            last_day = self.local_days(np.array([us.max()]))[0]
            while self._last < last_day.astype(object).year:
                self._grow()
        at = np.searchsorted(self.ruler.opens, us, side="right") - 1
        inside = np.minimum(us, self.ruler.closes[at]) - self.ruler.opens[at]
        return np.where(at < 0, 0, self.ruler.before[at] + inside).astype(np.int64)

    def moment(self, worked: Micros) -> Micros:
        """The earliest moment at which so much working time has gone by."""
        while worked.size and self.ruler.used[-1] < worked.max():
            self._grow()
        at = np.searchsorted(self.ruler.used, worked, side="left")
        return np.asarray(self.ruler.closes[at] - (self.ruler.used[at] - worked), dtype=np.int64)

    def close_after(self, us: Micros, days: Micros) -> Micros:
        """When work stops on the n-th working day after the day of each moment."""
        today = self.local_days(us)
        per_day = len(self.calendar.hours)
        while True:
            at = np.searchsorted(self.ruler.days, today, side="right") - 1 + days
            if not at.size or at.max() < len(self.ruler.days):
                return np.asarray(self.ruler.closes[at * per_day + per_day - 1], dtype=np.int64)
            self._grow()

    def _grow(self) -> None:
        if self._last - self._first >= _LONGEST_YEARS:
            raise CalendarError(
                f"more than {_LONGEST_YEARS} years of working time from {self._first} are asked "
                "for: shorten the limit or the pause"
            )
        self._last += 1
        self.ruler = _ruler(self.calendar, self._first, self._last)


def local_wall(us: Micros, zone: str) -> npt.NDArray[np.datetime64]:
    """What the clock on the wall says at each moment, without its zone."""
    moments = pd.DatetimeIndex(us.astype("datetime64[us]")).tz_localize("UTC")
    return np.asarray(moments.tz_convert(zone).tz_localize(None).to_numpy())


def from_wall(wall: npt.NDArray[np.datetime64], zone: str) -> Micros:
    """The moment at which the clock on the wall says so.

    A time that a change of the clocks skips is the moment of the change; one that comes twice is
    the first.
    """
    times = pd.DatetimeIndex(wall.astype("datetime64[us]")).tz_localize(
        zone, ambiguous=np.ones(len(wall), dtype=bool), nonexistent="shift_forward"
    )
    plain = times.tz_convert("UTC").tz_localize(None).to_numpy()
    return np.asarray(plain.astype("datetime64[us]").astype(np.int64))


@lru_cache(maxsize=128)
def _ruler(calendar: WorkingCalendar, first: int, last: int) -> Ruler:
    days: list[npt.NDArray[np.datetime64]] = []
    for year in range(first, last + 1):
        flags = _year_days(calendar, year)
        days.append(np.datetime64(f"{year:04d}-01-01", "D") + np.flatnonzero(flags))
    worked = np.concatenate(days)
    if not len(worked):
        raise CalendarError(f"no day from {first} to {last} is worked: look at the overrides")
    starts, ends = (_edges(calendar, worked, side) for side in (0, 1))
    used = np.cumsum(ends - starts)
    return Ruler(worked, starts, ends, used - (ends - starts), used)


def _edges(calendar: WorkingCalendar, days: npt.NDArray[np.datetime64], side: int) -> Micros:
    minutes = np.array([span[side] for span in calendar.hours], dtype="timedelta64[m]")
    wall = (days.astype("datetime64[m]")[:, None] + minutes[None, :]).ravel()
    return from_wall(wall, calendar.zone)


@lru_cache(maxsize=512)
def _year_days(calendar: WorkingCalendar, year: int) -> npt.NDArray[np.bool_]:
    if not calendar.knows(year) and calendar.lacking == "refuse":
        raise CalendarError(
            f"the working days of {year} are not known: give the holidays and make-up days of "
            f"{year} as overrides, or set lacking='weekdays' to assume Monday to Friday"
        )
    first = date(year, 1, 1)
    days = [first + timedelta(days=k) for k in range((date(year + 1, 1, 1) - first).days)]
    if calendar.basis == "china" and _china_knows(year):
        flags = [chinese_calendar.is_workday(day) for day in days]
    else:
        flags = [calendar.basis == "daily" or day.weekday() < 5 for day in days]
    for day, is_worked in calendar.overrides:
        if day.year == year:
            flags[(day - first).days] = is_worked
    return np.array(flags, dtype=bool)


@lru_cache(maxsize=512)
def _china_knows(year: int) -> bool:
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=128)
def _told_years(calendar: WorkingCalendar) -> frozenset[int]:
    return frozenset(day.year for day, _ in calendar.overrides)


def unknown_between(
    calendar: WorkingCalendar, first: Sequence[int] | Micros, last: Sequence[int] | Micros
) -> npt.NDArray[np.bool_]:
    """Tell for each pair of years whether a year that is not known lies in between."""
    start, end = np.asarray(first, dtype=np.int64), np.asarray(last, dtype=np.int64)
    if not start.size:
        return np.zeros(0, dtype=bool)
    years = range(int(start.min()), int(end.max()) + 1)
    unknown = np.cumsum([0] + [not calendar.knows(year) for year in years])
    return np.asarray(unknown[end - years[0] + 1] > unknown[start - years[0]])
