"""How many were reported and closed over days and hours, against last week and last year.

A day is one of the city's zone and begins at its midnight. What lies before the first record of a
city is not known, and not zero. Public names are handed on by `geo.figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._time_limits import require_columns
from geo.errors import InputError

DAYS = 30
"""Days of a trend, today among them."""

SAME_WEEKDAYS = 4
"""Weeks of which a usual day is the mean."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Moments = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Trend:
    """Cases of a part of the city over time; see `find_trend`."""

    days: tuple[datetime, ...]
    """Midnight of each of the 30 days, today the last."""
    reported: Counts
    closed: Counts
    last_year: Floats
    """Reported on the same dates a year before; NaN where that is before the first record."""
    today_by_hour: Counts
    """One number an hour that has begun."""
    typical_by_hour: Floats
    """Mean of the four same weekdays before, 24 hours."""
    this_30d: int
    """Reported from the first of the days until now."""
    last_year_30d: float
    """The same span a year before, NaN if it is not known whole."""
    this_7d: int
    """Reported in seven days, today among them, until now."""
    before_7d: int
    """The same span a week before."""


def midnight(moment: datetime, days_before: int = 0) -> datetime:
    """Midnight that begins the day of `moment`, or one some days before, in its zone."""
    day = moment.date() - timedelta(days=days_before)
    return datetime.combine(day, time(0), tzinfo=moment.tzinfo)


def year_before(moment: datetime) -> datetime:
    """The same date and time of day a year before; 29 February becomes the 28th."""
    return datetime.combine(_year_before(moment.date()), moment.timetz())


def _year_before(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if is_leap_day else day.day)


def last_year_span(at: datetime) -> tuple[datetime, datetime]:
    """From when until before when reports of a year before are needed for a trend at `at`."""
    first = midnight(at, DAYS - 1)
    return year_before(first), midnight(year_before(at), -1)


def find_trend(
    cases: pd.DataFrame,
    *,
    at: datetime,
    past: pd.Series | None = None,
    known_since: datetime | None = None,
) -> Trend:
    """Count what was reported and closed over the last days and hours.

    Parameters
    ----------
    cases
        `reported_at`, `closed_at` (with zone) and `stage`, at least of the last 35 days.
    at
        The moment, in the city's zone: its midnight begins the day. What is reported later than
        that is left aside in the spans that end with it.
    past
        When the cases of the year before were reported, at least those of `last_year_span`.
    known_since
        The first record of the city; days before it are not known. None: no past is known.
    """
    require_columns(cases, ("reported_at", "closed_at", "stage"), "cases")
    reported = moments(cases["reported_at"])
    is_closed = (cases["stage"] == "closed").to_numpy(dtype=bool)
    closed = moments(cases["closed_at"][is_closed])
    edges = [midnight(at, days) for days in range(DAYS - 1, -2, -1)]
    before = np.empty(0, "M8[us]") if past is None else moments(past)
    typical = [_by_hour(reported, midnight(at, 7 * k)) for k in range(1, SAME_WEEKDAYS + 1)]
    first, now = edges[0], at + timedelta(microseconds=1)
    span = (year_before(first), year_before(at) + timedelta(microseconds=1))
    is_known = known_since is not None and known_since <= span[0]
    week = timedelta(days=7)
    return Trend(
        days=tuple(edges[:-1]),
        reported=_by_edges(reported, edges),
        closed=_by_edges(closed, edges),
        last_year=_last_year(before, edges[:-1], known_since),
        today_by_hour=_by_hour(reported, midnight(at))[: at.hour + 1],
        typical_by_hour=np.asarray(np.mean(typical, axis=0), dtype=np.float64),
        this_30d=count_between(reported, first, now),
        last_year_30d=float(count_between(before, *span)) if is_known else float("nan"),
        this_7d=count_between(reported, midnight(at, 6), now),
        before_7d=count_between(reported, midnight(at, 13), now - week),
    )


def plain(times: pd.Series) -> Moments:
    """Times as numpy moments in UTC, NaT where empty.

    Raises
    ------
    InputError
        If they have no zone.
    """
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        if len(times) and times.notna().any():
            raise InputError(f"{times.name} is {times.dtype}, without a zone: give one")
        return np.full(len(times), np.datetime64("NaT"), dtype="M8[us]")
    utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(utc.to_numpy(), dtype="M8[us]")


def moments(times: pd.Series) -> Moments:
    """A column of times as ascending numpy moments in UTC, empty ones left out."""
    known = plain(times)
    known = known[~np.isnat(known)]
    return known if (known[1:] >= known[:-1]).all() else np.sort(known, kind="stable")


def moment64(moment: datetime) -> np.datetime64:
    """A moment with zone as numpy has it, in UTC."""
    return np.datetime64(pd.Timestamp(moment).tz_convert("UTC").tz_localize(None), "us")


def count_between(times: Moments, start: datetime, end: datetime) -> int:
    """How many of the ascending `times` are in [start, end)."""
    low, high = np.searchsorted(times, np.array([moment64(start), moment64(end)]))
    return int(high - low)


def _by_edges(times: Moments, edges: list[datetime]) -> Counts:
    marks = np.array([moment64(edge) for edge in edges])
    return np.diff(np.searchsorted(times, marks)).astype(np.int64)


def _by_hour(times: Moments, start: datetime) -> Counts:
    """How many in each of the 24 hours from `start`."""
    marks = moment64(start) + np.arange(25) * np.timedelta64(1, "h")
    return np.diff(np.searchsorted(times, marks)).astype(np.int64)


def _last_year(past: Moments, days: list[datetime], known_since: datetime | None) -> Floats:
    found = np.full(len(days), np.nan)
    for k, day in enumerate(days):
        begin = year_before(day)
        if known_since is not None and known_since <= begin:
            found[k] = count_between(past, begin, midnight(begin, -1))
    return found
