"""Days of the shift board: judged in the background, kept, and never in the way of a request.

A request says which days it looks at and gets what is known of them at once; what is not known yet
is judged by one thread while somebody looks (`dashboards.asked_for`).

A day is judged once for one fingerprint: fixes of the day, borders in force on it, schedule,
places, posts, and the code that judges. Days that are over are kept in the workspace
(`geo.io.shift_cache`) under it; today is judged again while somebody looks.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as clock_time

import numpy as np
import pandas as pd

from dashboards.asked_for import AFTER_FAILURE_S, AskedFor
from dashboards.city import City, read_city
from dashboards.memo import Memo
from dashboards.shift_judge import ShiftGround, judge_day, read_shift_ground
from dashboards.shift_prints import Prints
from dashboards.store import Store
from geo.io.shift_cache import read_day, write_day
from geo.rounds import Judged
from geo.shifts import COMING

log = logging.getLogger(__name__)

TODAY_S = 30.0
"""Today is judged again when it is that old and somebody looks, and not more often than a fifth of
the time goes into it."""

KEPT_DAYS = 70
"""Days in memory: two months, the one that is looked at and the one before."""

TABLES = ("rounds", "workers", "places")


@dataclass(frozen=True, eq=False)
class ShiftDay:
    """What became of the rounds of a day."""

    day: date
    mark: str
    """Another text whenever the content is another one."""
    at: datetime
    """As of when it was judged."""
    city: City
    """The borders of that day."""
    rounds: pd.DataFrame
    """As `geo.rounds.Judged.rounds`, with `strip`: one figure a minute, 1 here, 2 away, 0 unknown,
    and a point for a minute that has not gone by."""
    workers: pd.DataFrame
    places: pd.DataFrame
    is_over: bool
    """No round of it runs or lies ahead."""
    has_fixes: bool
    """Whether there is any fix of the day at all."""
    memo: Memo = field(default_factory=Memo, repr=False)
    """What was made of it, ready to be sent."""


@dataclass
class _Known:
    """What is known of a day, and how it came about."""

    board: ShiftDay | None = None
    fingerprint: str = ""
    checked: float = -1e9
    took_s: float = 0.0
    failed: float = -1e9
    trouble: str = ""


@dataclass(frozen=True)
class Progress:
    """How far the days that somebody asked for are."""

    done: int
    total: int
    left_s: float | None
    """Seconds to go, None before that can be told."""
    trouble: str = ""


@dataclass
class _Pace:
    """How long days took lately, seconds."""

    took: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.took = [*self.took[-4:], seconds]

    @property
    def mean(self) -> float | None:
        return sum(self.took) / len(self.took) if self.took else None


class ShiftDays:
    """The judged days of a workspace. Safe to share between threads.

    Parameters
    ----------
    store
        Workspace, settings and clock.
    threaded
        Whether to judge in a thread; without one a request judges what it asks for (tests).
    tick
        A clock that only goes forward, seconds.
    """

    def __init__(
        self, store: Store, *, threaded: bool = True, tick: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._tick = tick
        self._prints = Prints(store)
        self._known: OrderedDict[date, _Known] = OrderedDict()
        self._pace = _Pace()
        self._grounds: OrderedDict[str, ShiftGround | None] = OrderedDict()
        self._asked: AskedFor[date] = AskedFor(
            "wangge-shifts", self._is_due, self._work_on, tick=tick, threaded=threaded
        )
        self._lock = self._asked.lock

    # --- what pages ask ------------------------------------------------------------------------

    def day(self, day: date) -> ShiftDay | None:
        """What is known of a day now, None while it is being judged; it counts as asked for."""
        return self.days([day])[day]

    def days(self, days: Iterable[date]) -> dict[date, ShiftDay | None]:
        """What is known of days now; those that are missing or old are judged, the first first."""
        asked = list(days)
        self._asked.ask(asked)
        with self._lock:
            self._forget_old()
            return {day: self._board(day) for day in asked}

    def progress(self, days: Iterable[date]) -> Progress:
        """How far some days are."""
        asked = list(days)
        with self._lock:
            known = [self._known.get(day) for day in asked]
            ready = sum(1 for one in known if one is not None and one.board is not None)
            mean = self._pace.mean
            left = None if mean is None else mean * (len(asked) - ready)
            troubles = [one.trouble for one in known if one is not None and one.trouble]
            return Progress(ready, len(asked), left, troubles[0] if troubles else "")

    def cancel(self, days: Iterable[date]) -> None:
        """Nobody waits for these days any more; one that is being judged is still finished."""
        self._asked.cancel(days)

    def has_fixes(self, day: date) -> bool:
        """Whether any fix of a day is stored."""
        return self._prints.has_fixes(day)

    @property
    def today(self) -> date:
        """The city's date now."""
        return self._store.clock().astimezone(self._store.zone).date()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._asked.stop()

    # --- the work ------------------------------------------------------------------------------

    def step(self) -> bool:
        """Judge the day that is asked for most; False if there is none to judge."""
        return self._asked.step()

    def _work_on(self, day: date) -> None:
        with self._lock:
            known = self._known.setdefault(day, _Known())
        try:
            self._judge(day, known)
        # The end of a piece of background work: whatever comes is told on the page and in the log.
        except Exception as error:
            log.exception("%s: the rounds of the day could not be judged", day)
            known.failed, known.trouble = self._tick(), str(error)

    def _is_due(self, day: date, now: float) -> bool:
        known = self._known.get(day)
        if known is None:
            return True
        if now - known.failed < AFTER_FAILURE_S:
            return False
        if known.board is None:
            return True
        age = now - known.checked
        if not known.board.is_over:
            return age > max(TODAY_S, 5 * known.took_s)
        return age > TODAY_S

    def _judge(self, day: date, known: _Known) -> None:
        begun = self._tick()
        store = self._store
        at = store.clock()
        city = self._city(day)
        fingerprint = self._prints.of_day(day, city)
        board = known.board
        same = board is not None and known.fingerprint == fingerprint
        if not (same and board is not None and board.is_over):
            made = self._read_kept(day, fingerprint, city, at) or self._make(
                day, fingerprint, city, at
            )
            with self._lock:
                known.board, known.fingerprint = made, fingerprint
        known.trouble = ""
        known.checked = self._tick()
        took = known.checked - begun
        known.took_s = took
        if not same:
            self._pace.add(took)
        with self._lock:
            self._known.move_to_end(day)

    def _make(self, day: date, fingerprint: str, city: City, at: datetime) -> ShiftDay | None:
        store = self._store
        ground = self._ground(city)
        people = store.snapshot().workers.people
        judged = None if ground is None else judge_day(store.workspace, ground, people, day, at)
        rounds, workers, places = _tables(judged)
        board = self._board_of(day, fingerprint, city, at, rounds, workers, places)
        if board.is_over and day < self.today and judged is not None:
            tables = {"rounds": rounds, "workers": workers, "places": places}
            try:
                write_day(store.workspace.path, day, fingerprint, tables)
            except OSError as error:
                log.warning("the rounds of %s cannot be kept: %s", day, error)
        return board

    def _read_kept(self, day: date, fingerprint: str, city: City, at: datetime) -> ShiftDay | None:
        if day >= self.today:
            return None
        kept = read_day(self._store.workspace.path, day, fingerprint, TABLES)
        if kept is None:
            return None
        return self._board_of(day, fingerprint, city, at, *(kept[name] for name in TABLES))

    def _board_of(
        self,
        day: date,
        fingerprint: str,
        city: City,
        at: datetime,
        rounds: pd.DataFrame,
        workers: pd.DataFrame,
        places: pd.DataFrame,
    ) -> ShiftDay:
        is_over = not rounds["status"].isin(COMING).any() if len(rounds) else day < self.today
        text = fingerprint if is_over else f"{fingerprint}.{at.timestamp():.0f}"
        return ShiftDay(
            day=day,
            mark=hashlib.blake2b(text.encode(), digest_size=6).hexdigest(),
            at=at,
            city=city,
            rounds=rounds,
            workers=workers,
            places=places,
            is_over=bool(is_over),
            has_fixes=self._prints.has_fixes(day),
        )

    def _city(self, day: date) -> City:
        """The borders of a day: those in force at its noon; our assumption for a day of change."""
        store = self._store
        noon = datetime.combine(day, clock_time(12), tzinfo=store.zone)
        city = store.snapshot().city
        if noon >= store.clock() or (city.since is not None and city.since <= noon):
            return city
        stamp = store.workspace.stamp("grids", "divisions")
        past: City = store.remember(
            ("shift-city", day), stamp, lambda: read_city(store.workspace, noon)
        )
        # Before there were any borders, today's are the only ones to ask about.
        return past if len(past.grids) else city

    def _ground(self, city: City) -> ShiftGround | None:
        stamp = f"{city.stamp}.{self._prints.of_rules()}"
        if stamp not in self._grounds:
            self._grounds[stamp] = read_shift_ground(self._store.workspace, city)
            while len(self._grounds) > 2:
                self._grounds.popitem(last=False)
        return self._grounds[stamp]

    def _board(self, day: date) -> ShiftDay | None:
        known = self._known.get(day)
        return None if known is None else known.board

    def _forget_old(self) -> None:
        spare = [day for day in self._known if not self._asked.is_wanted(day)]
        for day in spare[: max(0, len(self._known) - KEPT_DAYS)]:
            del self._known[day]


def _tables(judged: Judged | None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables of a judged day, the minutes of each round as a text in `strip`."""
    if judged is None:
        empty = pd.DataFrame({name: pd.array([], dtype="str") for name in ("grid_id", "status")})
        return empty, pd.DataFrame(), pd.DataFrame()
    return judged.rounds.assign(strip=strips(judged.minutes)), judged.workers, judged.places


def strips(minutes: np.ndarray) -> list[str]:
    """Each row of minutes as a text: 1 here, 2 away, 0 unknown, a point where it has not gone by.

    Points at the end are left out.
    """
    if not minutes.size:
        return [""] * len(minutes)
    letters = np.array([".", "0", "1", "2"])[minutes.astype(np.int64) + 1]
    return ["".join(row).rstrip(".") for row in letters]
