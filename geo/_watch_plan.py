"""Which regime each worker is under at a moment: off duty, on duty, on a round of one's grid.

Time is cut where anything of it changes; between two cuts the regime of everybody stands. And the
minutes of the rounds that run: who was heard, and where, by worker and minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._duty_tables import EPOCH, micro_of
from geo._rounds_schedule import Schedule
from geo._watch_rules import Duty
from geo._watch_runs import NEVER, Bools, Ints
from geo._working_time import WorkingCalendar

MINUTE_US = 60_000_000


@dataclass(frozen=True, eq=False)
class Round:
    """Rounds of one shift and role that run at the same time, one a grid."""

    shift: str
    role: str
    start: int
    end: int
    rows: npt.NDArray[np.intp]
    need: npt.NDArray[np.float64]

    @property
    def minutes(self) -> int:
        """Length."""
        return (self.end - self.start) // MINUTE_US


class Plan:
    """Duty and rounds by time, worked out a day at a time."""

    def __init__(
        self, schedule: Schedule, duty: Duty, grids: pd.Index, units: pd.DataFrame | None,
        calendar: WorkingCalendar | None,
    ) -> None:  # fmt: skip
        self._schedule, self._duty, self._grids = schedule, duty, grids
        self._units, self._calendar = units, calendar
        self._days: dict[date, list[Round]] = {}

    @property
    def zone(self) -> ZoneInfo:
        """The city's zone."""
        return self._duty.zone

    def duty_begin(self, at: int) -> int:
        """Begin of the span of duty that holds at a moment, NEVER off duty."""
        moment = moment_at(at)
        for begin, over in self._duty.spans(moment, moment):
            if micro_of(begin) <= at < micro_of(over):
                return micro_of(begin)
        return NEVER

    def rounds_at(self, at: int) -> list[Round]:
        """Rounds that run at a moment, the one that began last at the end."""
        today = moment_at(at).astimezone(self.zone).date()
        found = [
            r
            for day in (today - timedelta(days=1), today)
            for r in self._on(day)
            if r.start <= at < r.end
        ]
        return sorted(found, key=lambda r: (r.start, r.shift, r.role))

    def cuts(self, first: int, last: int) -> list[int]:
        """Moments after `first` and up to `last` at which a regime changes."""
        begin, end = moment_at(first), moment_at(last)
        found = {micro_of(t) for span in self._duty.spans(begin, end) for t in span}
        day = begin.astimezone(self.zone).date() - timedelta(days=1)
        while day <= end.astimezone(self.zone).date():
            found |= {t for r in self._on(day) for t in (r.start, r.end)}
            day += timedelta(days=1)
        return sorted(t for t in found if first < t <= last)

    def _on(self, day: date) -> list[Round]:
        if day not in self._days:
            owed = self._schedule.owed_on(
                day, self._grids, zone=self.zone, units=self._units, calendar=self._calendar
            )
            groups = owed.groupby(["shift", "role", "start", "end"], sort=True)
            self._days = {k: v for k, v in self._days.items() if abs((k - day).days) < 4}
            self._days[day] = [
                Round(
                    str(shift), str(role), micro_of(start.to_pydatetime()),
                    micro_of(end.to_pydatetime()), part["row"].to_numpy(),
                    part["need_min"].to_numpy(),
                )
                for (shift, role, start, end), part in groups
            ]  # fmt: skip
        return self._days[day]


def moment_at(micro: int) -> datetime:
    """A moment in UTC."""
    return EPOCH + timedelta(microseconds=int(micro))


class RunningRound:
    """The minutes of a round while it runs."""

    def __init__(self, plan: Round, slots: npt.NDArray[np.intp], home: Ints, grids: int) -> None:
        self.plan = plan
        self.slots = slots
        """Workers on it."""
        place = np.full(grids, -1, np.int64)
        place[plan.rows] = np.arange(len(plan.rows))
        self._row = place[home[slots]]
        self._slot_place = np.full(int(slots.max(initial=-1)) + 1, -1, np.int64)
        self._slot_place[slots] = np.arange(len(slots))
        self._total = np.zeros((len(slots), plan.minutes), np.int32)
        self._near = np.zeros((len(slots), plan.minutes), np.int32)
        self.is_open = np.zeros(len(plan.rows), np.bool_)
        self.was_open = np.zeros(len(plan.rows), np.bool_)
        self.judged = -1
        """Minutes that had gone by when it was last judged."""

    def take_over(self, old: RunningRound) -> None:
        """Go on from the same round with fewer workers."""
        place = self._slot_place[old.slots]
        self._total[place], self._near[place] = old._total, old._near
        self.is_open, self.was_open, self.judged = old.is_open, old.was_open, old.judged

    def take(
        self, slot: npt.NDArray[np.intp], t: Ints, near: Bools, before: Ints, same: Bools
    ) -> None:
        """Take in fixes of some workers, one of each.

        Minutes without a fix after `before` count too if this fix says the `same` as the last.
        """
        known = slot < len(self._slot_place)
        place = np.where(known, self._slot_place[np.where(known, slot, 0)], -1)
        minute = (t - self.plan.start) // MINUTE_US
        mine = (place >= 0) & (minute >= 0) & (minute < self.plan.minutes)
        np.add.at(self._total, (place[mine], minute[mine]), 1)
        np.add.at(self._near, (place[mine], minute[mine]), near[mine])
        last = (before - self.plan.start) // MINUTE_US
        skipped = np.where((place >= 0) & same, minute - last - 1, 0)
        for k in range(1, int(skipped.max(initial=0)) + 1):
            m = minute - k
            fill = (k <= skipped) & (m >= 0) & (m < self.plan.minutes)
            np.add.at(self._total, (place[fill], m[fill]), 1)
            np.add.at(self._near, (place[fill], m[fill]), near[fill])

    def judge(
        self, until: int, waits: Bools
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Of each grid which of its minutes gone by were here, and which away.

        Away only if everybody was whose word is waited for.
        """
        gone = int(np.clip((until - self.plan.start) // MINUTE_US, 0, self.plan.minutes))
        total, near = self._total[:, :gone], self._near[:, :gone]
        is_here = (total > 0) & (2 * near >= total)
        is_away = (total > 0) & ~is_here
        asked = waits[self.slots]
        count = len(self.plan.rows)
        here = np.zeros((count, gone), np.int32)
        away = np.zeros((count, gone), np.int32)
        np.add.at(here, self._row, is_here)
        np.add.at(away, self._row[asked], is_away[asked])
        waited = np.bincount(self._row[asked], minlength=count)[:, None]
        return here > 0, (here == 0) & (away == waited) & (waited > 0)
