"""Periods of a comparison: whole days of the city's zone, cut where the period still runs.

A period begins at a local midnight. One that still runs ends at the moment of the question, and
is compared with the same part of the other: as many days and the same time of day from its
beginning, or all of it if it is shorter. Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from geo._figures_trend import year_before
from geo.errors import InputError

PeriodKind = Literal["day", "week", "month", "quarter", "year", "span"]
Against = Literal["last_year", "last_period"]

PERIOD_KINDS: tuple[str, ...] = get_args(PeriodKind)
WEEKS_OF_A_YEAR = 52
_DAY_S = 86_400
Days = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Period:
    """A stretch of local days from the midnight of `first` to that of `until`, cut at a moment."""

    kind: PeriodKind
    first: date
    until: date
    """The day after the last one."""
    zone: ZoneInfo
    cut: datetime | None = None
    """Where it ends before its last midnight, on the wall and without zone; None: it is whole."""

    @property
    def begin_s(self) -> int:
        """Seconds since 1970 UTC at which it begins."""
        return _seconds(datetime.combine(self.first, time(0)), self.zone)

    @property
    def end_s(self) -> int:
        """Seconds since 1970 UTC before which it ends."""
        wall = datetime.combine(self.until, time(0)) if self.cut is None else self.cut
        return max(_seconds(wall, self.zone), self.begin_s)

    @property
    def days(self) -> Days:
        """The local dates that it touches."""
        last = self.until
        if self.cut is not None:
            last = self.cut.date() + timedelta(days=self.cut.time() > time(0))
        return np.arange(np.datetime64(self.first, "D"), np.datetime64(last, "D"))

    @property
    def parts(self) -> Floats:
        """How much of each of `days` lies in it, by the clock on the wall: 1, the last may be less.

        A day of 23 or 25 hours, on which clocks change, is one day.
        """
        parts = np.ones(len(self.days))
        if self.cut is not None and len(parts) and self.cut.time() > time(0):
            midnight = datetime.combine(self.cut.date(), time(0))
            parts[-1] = (self.cut - midnight) / timedelta(days=1)
        return parts

    @property
    def length(self) -> float:
        """Days, the last by its part."""
        return float(self.parts.sum())

    def __str__(self) -> str:
        last = self.until - timedelta(days=1)
        told = f"{self.first}" if last == self.first else f"{self.first} to {last}"
        return told if self.cut is None else f"{told}, until {self.cut:%Y-%m-%d %H:%M}"


def find_period(
    kind: PeriodKind, day: date, *, zone: ZoneInfo, at: datetime | None = None
) -> Period:
    """Find the day, week (from Monday), month, quarter or year that a date lies in.

    Parameters
    ----------
    kind
        One of `PERIOD_KINDS` but span.
    day
        Any date in it.
    at
        Now, with zone; what still runs is cut there. None: nothing is cut.

    Raises
    ------
    InputError
        If the kind is unknown or `at` has no zone.
    """
    if kind == "span" or kind not in PERIOD_KINDS:
        known = ", ".join(word for word in PERIOD_KINDS if word != "span")
        raise InputError(f"period is {kind!r}: use one of {known}, or two dates")
    first, until = _edges(kind, day)
    return _cut(Period(kind, first, until, zone), at)


def make_span(first: date, last: date, *, zone: ZoneInfo, at: datetime | None = None) -> Period:
    """Any days from `first` to `last`, both included; InputError if they are reversed."""
    if last < first:
        raise InputError(f"the period ends on {last}, before it begins on {first}: swap the dates")
    return _cut(Period("span", first, last + timedelta(days=1), zone), at)


def year_earlier(period: Period) -> Period:
    """The same period a year before (同比), the same part of it where the period still runs.

    A month, quarter or year is that of the year before, whole. A day or span has the same dates;
    29 February becomes the 28th. A week lies 52 weeks before, so that it has the same weekdays.
    """
    if period.kind == "week":
        ago = timedelta(weeks=WEEKS_OF_A_YEAR)
        other = Period("week", period.first - ago, period.until - ago, period.zone)
    elif period.kind in ("day", "span"):
        last = _year_before(period.until - timedelta(days=1)) + timedelta(days=1)
        other = Period(period.kind, _year_before(period.first), last, period.zone)
    else:
        first, until = _edges(period.kind, _year_before(period.first))
        other = Period(period.kind, first, until, period.zone)
    return same_part(other, period)


def period_before(period: Period) -> Period:
    """The last period (环比): the day, week, month, quarter or year before, the same part of it.

    Of a span, as many days right before it.
    """
    if period.kind == "span":
        length = period.until - period.first
        other = Period("span", period.first - length, period.first, period.zone)
    else:
        first, until = _edges(period.kind, period.first - timedelta(days=1))
        other = Period(period.kind, first, until, period.zone)
    return same_part(other, period)


def same_part(other: Period, period: Period) -> Period:
    """Cut `other` after as many days and hours as `period` was cut; a shorter one stays whole."""
    if period.cut is None:
        return other
    gone = period.cut - datetime.combine(period.first, time(0))
    cut = datetime.combine(other.first, time(0)) + gone
    if cut >= datetime.combine(other.until, time(0)):
        return other
    return Period(other.kind, other.first, other.until, other.zone, cut)


def day_starts(days: Days, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """Seconds since 1970 UTC at the midnights that begin these local dates."""
    return np.array(
        [_seconds(datetime.combine(day, time(0)), zone) for day in days.astype(object)],
        dtype=np.int64,
    )


def _cut(period: Period, at: datetime | None) -> Period:
    if at is None:
        return period
    if at.tzinfo is None:
        raise InputError(f"at is {at}, without a zone: give a time with a zone")
    wall = at.astimezone(period.zone).replace(tzinfo=None)
    if wall >= datetime.combine(period.until, time(0)):
        return period
    begin = datetime.combine(period.first, time(0))
    return Period(period.kind, period.first, period.until, period.zone, max(wall, begin))


def _edges(kind: str, day: date) -> tuple[date, date]:
    if kind == "day":
        return day, day + timedelta(days=1)
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    months = {"month": 1, "quarter": 3, "year": 12}[kind]
    month = (day.month - 1) // months * months
    after = day.year * 12 + month + months
    return date(day.year, month + 1, 1), date(after // 12, after % 12 + 1, 1)


def _seconds(wall: datetime, zone: ZoneInfo) -> int:
    """A time that a change of clocks skips is the moment of the change; of two it is the first."""
    return round(wall.replace(tzinfo=zone).timestamp())


def _year_before(day: date) -> date:
    return year_before(datetime.combine(day, time(0))).date()
