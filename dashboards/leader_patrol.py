"""What patrols did in a leader's period: counted day by day in the background, and kept.

A day that is over is counted once for one state of its tracks, borders, streets and people. Nobody
waits for it: a page shows what is known, says how many days are still being counted, and asks
again. The day that runs counts only where it is all that the period has, since half a day beside
whole ones would tell a fall that is none.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import date, datetime, timedelta
from datetime import time as clock_time

import numpy as np
import pandas as pd

from dashboards.coverage_ground import CityGround, PatrolBook, day_stamp, read_city_ground
from dashboards.shift_days import ShiftDays
from dashboards.store import Store
from geo.compare import Period
from geo.leader import DayPatrol, PeriodPatrol, sum_patrols
from geo.reach import measure_covered
from geo.shifts import count_shifts

log = logging.getLogger(__name__)

KEPT_DAYS = 800
"""Days in memory: two years; a day of 3,311 grids takes some 0.3 MB."""

STEP_S = 0.05


class LeaderPatrols:
    """Patrols of days and periods. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rounds = ShiftDays(store, threaded=False)
        self._book = PatrolBook()
        self._ground: CityGround | None = None
        self._days: dict[date, tuple[str, DayPatrol | None]] = {}
        self._wanted: list[date] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.counted = 0
        """Grows whenever what was asked for last is counted: then figures may be others."""

    def find(self, period: Period) -> PeriodPatrol:
        """What is known of a period now; days that are not counted yet are counted next."""
        stored, over = self._stored(period)
        marks = {day: self._mark(day) for day in stored}
        with self._lock:
            known = {day: one for day, one in self._days.items() if one[0] == marks.get(day)}
            missing = [day for day in stored if day not in known]
            # The newest first: they are looked at most.
            self._wanted = missing[::-1]
            if missing and self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="wangge-leader-patrols", daemon=True
                )
                self._thread.start()
        days = [known[day][1] for day in stored if day in known]
        return sum_patrols(
            [one for one in days if one is not None], wanted=over, waiting=len(missing)
        )

    def wait(self, period: Period, patience_s: float) -> None:
        """Return when a period is counted, or patience ends."""
        until = time.monotonic() + patience_s
        while self.find(period).waiting and time.monotonic() < until:
            time.sleep(STEP_S)

    def _stored(self, period: Period) -> tuple[list[date], int]:
        """Days of a period that have tracks, and how many of its days are over."""
        today = self._rounds.today
        last = min(period.until, today)
        over = [period.first + timedelta(days=k) for k in range((last - period.first).days)]
        found = [day for day in over if self._rounds.has_fixes(day)]
        if not over and period.first <= today < period.until and self._rounds.has_fixes(today):
            return [today], 1
        return found, len(over)

    def _mark(self, day: date) -> str:
        """Another text whenever the figures of a day may be others."""
        city, stamp = self._store.snapshot().city, self._store.workspace.stamp("roads", "workers")
        return f"{city.stamp}.{stamp}.{day_stamp(self._store, day)}"

    # --- the work -----------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    self.counted += 1
                    return
                day = self._wanted.pop(0)
            mark = self._mark(day)
            try:
                found = self._count(day)
            # The end of a piece of background work: the day is told as not counted, and the log
            # says why; the others go on.
            except Exception:
                log.exception("%s: the patrols of the day could not be counted", day)
                found = None
            with self._lock:
                self._days[day] = (mark, found)
                while len(self._days) > KEPT_DAYS:
                    del self._days[next(iter(self._days))]

    def _count(self, day: date) -> DayPatrol | None:
        ground = self._read_ground()
        if ground is None:
            return None
        store = self._store
        end = datetime.combine(day + timedelta(days=1), clock_time(0), tzinfo=store.zone)
        at = min(store.clock(), end - timedelta(milliseconds=1))
        patrolled = self._book.read(store, ground, 1, at, lambda _, __: None)
        if patrolled.covered is None:
            return None
        table = measure_covered(ground.grids, ground.pieces, ground.lines, patrolled.covered)
        table = table[["street_m", "covered_m"]].copy()
        silent = np.zeros(len(table), dtype=bool)
        silent[patrolled.silent] = True
        table["covered_m"] = table["covered_m"].mask(silent)
        table.index = table.index.astype(str)
        judged = self._rounds.day(day)
        rounds = pd.DataFrame(columns=["required", "done", "unknown"], dtype=np.float64)
        if judged is not None and len(judged.rounds):
            rounds = count_shifts(judged.rounds)[["required", "done", "unknown"]]
            rounds.index = rounds.index.astype(str)
        return DayPatrol(day, table.join(rounds, how="outer"))

    def _read_ground(self) -> CityGround | None:
        city = self._store.snapshot().city
        stamp = f"{city.stamp}.{self._store.workspace.stamp('roads')}"
        if self._ground is None or self._ground.stamp != stamp:
            self._ground = read_city_ground(self._store.workspace, city, stamp)
        return self._ground
