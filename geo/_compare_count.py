"""Counts of a comparison: by unit in both periods, by day and by week around them.

Cases are columns and never rows: a year of a million cases is a few passes over arrays.
Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from geo._compare_days import day_kinds, fit_day_weights
from geo._compare_periods import Days, Floats, Period, day_starts
from geo._compare_rates import LEAST_WEEKS
from geo._repeats import PLACE_DEG, PLACE_M, Repeats, find_repeats_of, place_keys
from geo._working_time import WorkingCalendar

REFERENCE_WEEKS = 53
"""Weeks to the end of the later period from which scatter and weights of days are taken."""
SURE = 20.0
"""A run of days without any case is a gap in the records if chance would make it once in 485
million times, exp(-20). Our threshold."""
LEAST_OTHERS = 30
"""Days by which a city is judged at least, empty ones made up; our assumption."""

NEARBY_DAYS = 60
"""Days on either side of a run of empty ones that tell how common those are; our assumption."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Window:
    """The local days that matter to a comparison, and which of them have records."""

    now: Period
    then: Period
    days: Days
    """All days from the earlier of the reference and the periods to the end of the later."""
    starts: Counts
    """Seconds at the midnight of each, and of the day after the last."""
    kinds: npt.NDArray[np.int8]
    known_s: int | None
    """Seconds of the first record; None: there is none."""
    last_s: int
    """Seconds before which the window ends: the end of the later period."""

    @staticmethod
    def around(
        now: Period,
        then: Period,
        calendar: WorkingCalendar,
        reported: Counts,
        known_since: datetime | None,
    ) -> Window:
        """Lay the window around two periods."""
        later = max(now, then, key=lambda p: p.end_s)
        end = np.datetime64(later.days[-1] if len(later.days) else later.first, "D") + 1
        begin = min(
            np.datetime64(now.first), np.datetime64(then.first), end - 1 - 7 * REFERENCE_WEEKS
        )
        days = np.arange(begin, end)
        known: int | None = None
        if known_since is not None:
            known = int(known_since.timestamp())
        elif len(reported):
            known = int(reported.min())
        starts = day_starts(np.append(days, end), now.zone)
        return Window(now, then, days, starts, day_kinds(days, calendar), known, later.end_s)

    def lacks_records(self, period: Period) -> bool:
        """Whether a period begins on a day before that of the first record."""
        if self.known_s is None:
            return True
        after = period.begin_s + timedelta(days=1).total_seconds()
        return self.known_s >= after

    def whole(self, all_days: Counts) -> npt.NDArray[np.bool_]:
        """Days of the window that are over and have their records."""
        if self.known_s is None:
            return np.zeros(len(self.days), dtype=bool)
        inside = (self.starts[:-1] >= self.known_s) & (self.starts[1:] <= self.last_s)
        return inside & ~self.gaps(all_days)

    def gaps(self, all_days: Counts) -> npt.NDArray[np.bool_]:
        """Days in a run of days without any case that is too long for chance.

        If a share p of the other days is empty, chance makes a given run of n empty days with
        p ** n; a run counts as a gap in the records from exp(-20) on. The other days are all, or
        those of NEARBY_DAYS before and after: records that had gaps before must not hide that they
        break off. Days and not cases are counted, so that one night with a thousand cases does not
        make quiet days look wrong.
        """
        empty = all_days == 0
        run = np.cumsum(np.diff(empty, prepend=False) & empty)
        length = np.bincount(run[empty], minlength=int(run.max(initial=0)) + 1)
        known = self.starts[1:] > (self.starts[-1] if self.known_s is None else self.known_s)
        every = _surprise(known.sum() - length, np.asarray((known & ~empty).sum()), LEAST_OTHERS)
        first = np.zeros(len(length), dtype=np.int64)
        rows = np.flatnonzero(empty)[::-1]
        first[run[rows]] = rows
        near = [
            _around(np.append(0, np.cumsum(days)), first, length)
            for days in (known, known & ~empty)
        ]
        local = np.where(near[0] >= LEAST_OTHERS, _surprise(near[0], near[1], 0), 0.0)
        sure = np.maximum(every, local) * length >= SURE
        return np.asarray(empty & sure[run])

    def weights(self, day_counts: Counts, all_days: Counts) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """What days of each kind count, from all whole days; see `fit_day_weights`."""
        whole = self.whole(all_days)
        if not whole.any():
            return np.ones(3), np.zeros(3, dtype=bool)
        months = self.days.astype("datetime64[M]").astype(np.int64)
        return fit_day_weights(
            day_counts[whole].astype(np.float64), self.kinds[whole], months[whole]
        )

    @property
    def tail(self) -> int:
        """Days behind the last week of the reference: 1 where the last day still runs."""
        return int(self.starts[-1] > self.last_s)

    @property
    def week_starts(self) -> Days:
        """First day of each week of the reference; the last ends with the last whole day."""
        size = REFERENCE_WEEKS * 7
        return self.days[len(self.days) - self.tail - size :][:size:7]

    def week_days(self, weights: Floats, all_days: Counts) -> Floats:
        """Workdays in each week of the reference; 0 for one without all of its records."""
        last = len(self.days) - self.tail
        part = slice(last - REFERENCE_WEEKS * 7, last)
        worth = weights[self.kinds[part]].reshape(REFERENCE_WEEKS, 7).sum(axis=1)
        told = self.whole(all_days)[part].reshape(REFERENCE_WEEKS, 7).all(axis=1)
        return np.asarray(np.where(told, worth, 0.0))


@dataclass(frozen=True, eq=False)
class Counted:
    """Cases by unit and time."""

    now: Counts
    then: Counts
    days: Counts
    """Of the chosen cases, on each day of the window."""
    all_days: Counts
    """Of all cases, whatever their class: tells whether there are records."""
    weeks: Floats
    """By unit and week of the reference, the last week ending with the window."""
    week_count: int
    """Weeks that can serve for the scatter."""
    window: Window
    repeats: Repeats
    """Cases that repeat one another, by unit."""

    def has_gaps(self, period: Period) -> bool:
        """Whether days of a period have no record at all though the city always has some."""
        inside = np.isin(self.window.days, period.days)
        return bool((inside & self.window.gaps(self.all_days)).any())


def _surprise(others: Counts, busy: Counts, least: int) -> Floats:
    """How unlikely an empty day is beside so many others, so many of them busy: -log(share)."""
    days = np.maximum(others, least)
    return np.asarray(-np.log(np.clip((days - busy + 0.5) / (days + 1), 1e-12, 1)))


def _around(sums: Counts, first: Counts, length: Counts) -> Counts:
    """Days before and after each run, of which `sums` counts those up to each day."""
    last = len(sums) - 1
    end = first + length
    before = sums[first] - sums[np.maximum(first - NEARBY_DAYS, 0)]
    return np.asarray(before + sums[np.minimum(end + NEARBY_DAYS, last)] - sums[end])


def count_cases(
    cases: Any,
    place: npt.NDArray[np.int32],
    size: int,
    window: Window,
    classes: Sequence[str] | None,
    where: npt.NDArray[np.bool_] | None,
    is_metric: bool = False,
) -> Counted:
    """Count chosen cases by place in both periods, by day, and by week of the reference."""
    reported = cases.reported
    rows = np.flatnonzero((reported >= window.starts[0]) & (reported < window.last_s))
    seconds = reported[rows]
    day = np.searchsorted(window.starts, seconds, side="right") - 1
    all_days = np.bincount(day, minlength=len(window.days))
    chosen = choose(cases, rows, classes, where)
    if chosen is not None:
        rows, seconds, day = rows[chosen], seconds[chosen], day[chosen]
    at = place[rows]
    spans = [(period.begin_s, period.end_s) for period in (window.now, window.then)]
    counts = [
        np.bincount(at[(seconds >= begin) & (seconds < end)], minlength=size)
        for begin, end in spans
    ]
    keys = place_keys(
        cases.lon[rows], cases.lat[rows], cases.class_code[rows],
        PLACE_M if is_metric else PLACE_DEG,
    )  # fmt: skip
    repeats = find_repeats_of(at.astype(np.int64), size, keys, seconds, spans)
    last = len(window.days) - window.tail
    first = last - REFERENCE_WEEKS * 7
    late = (day >= first) & (day < last)
    week = (day[late] - first) // 7
    cell = at[late].astype(np.int64) * REFERENCE_WEEKS + week
    weeks = np.bincount(cell, minlength=size * REFERENCE_WEEKS).reshape(size, REFERENCE_WEEKS)
    told = window.week_days(np.ones(3), all_days) > 0
    pairs = int((told[:-1] & told[1:]).sum())
    return Counted(
        now=counts[0],
        then=counts[1],
        days=np.bincount(day, minlength=len(window.days)),
        all_days=all_days,
        weeks=weeks.astype(np.float64),
        week_count=int(told.sum()) if pairs >= LEAST_WEEKS else 0,
        window=window,
        repeats=repeats,
    )


def choose(
    cases: Any,
    rows: npt.NDArray[np.intp],
    classes: Sequence[str] | None,
    where: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.bool_] | None:
    """Which of these rows are of the classes and true; None: all."""
    chosen: npt.NDArray[np.bool_] | None = None
    if classes is not None:
        wanted = set(classes)
        is_wanted = np.array([code in wanted for code in cases.classes] + [False], dtype=bool)
        chosen = is_wanted[cases.class_code[rows]]
    if where is not None:
        chosen = where[rows] if chosen is None else chosen & where[rows]
    return chosen
