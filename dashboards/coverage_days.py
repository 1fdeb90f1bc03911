"""Coverage worked out in the background, kept, and never in the way of a request.

A request says what it looks at and gets at once what is known of it, and how far the rest is; one
thread works while somebody looks (`dashboards.asked_for`). An answer is looked at again when it is
FRESH_S old and somebody looks, made anew only when the tables it came from changed, and never so
often that more than a tenth of the time goes into it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from dashboards.asked_for import AFTER_FAILURE_S, AskedFor
from dashboards.coverage_ground import (
    WEEK,
    CityGround,
    PatrolBook,
    Patrolled,
    Seen,
    day_stamp,
    read_city_ground,
    read_seen,
)
from dashboards.coverage_make import PATROLS, WITH_CAMERAS, Choice, Cover, make_cover
from dashboards.store import Store

log = logging.getLogger(__name__)

FRESH_S = 180.0
"""An answer is compared with the tables when it is that old; that often patrols are counted too."""

SHARE = 10.0
"""It is not made again before so many times the seconds that it took."""

KEPT = 8
"""Choices in memory."""


@dataclass(frozen=True)
class Progress:
    """What is being done for a choice, and how far that is from 0 to 1."""

    step: str = "wait"
    share: float = 0.0


@dataclass(frozen=True)
class State:
    """What is known of a choice now."""

    cover: Cover | None
    working: Progress | None
    """None: nobody is at it, because it is done or failed."""
    trouble: str = ""
    no_grids: bool = False


@dataclass
class _Known:
    cover: Cover | None = None
    checked: float = -1e9
    took_s: float = 0.0
    failed: float = -1e9
    trouble: str = ""
    no_grids: bool = False
    progress: Progress | None = None


class Coverage:
    """Coverage of a workspace by choice. Safe to share between threads.

    Parameters
    ----------
    prepare
        Makes what pages will ask of an answer, before anybody is told of it.
    threaded
        Whether to work in a thread; without one a request works out what it asks for (tests).
    tick
        A clock that only goes forward, seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        prepare: Callable[[Cover], object] = lambda _: None,
        threaded: bool = True,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._prepare = prepare
        self._tick = tick
        self._known: OrderedDict[Choice, _Known] = OrderedDict()
        self._ground: CityGround | None = None
        self._seen: tuple[str, Seen] | None = None
        self._book = PatrolBook()
        self._asked: AskedFor[Choice] = AskedFor(
            "wangge-coverage", self._is_due, self._work_on, tick=tick, threaded=threaded
        )
        self._lock = self._asked.lock

    # --- what pages ask -----------------------------------------------------------------------

    def get(self, choice: Choice) -> State:
        """What is known of a choice now; it counts as asked for."""
        self._asked.ask([choice])
        with self._lock:
            known = self._known.get(choice)
            if known is None:
                return State(None, Progress())
            waits = known.cover is None and not known.trouble and not known.no_grids
            working = known.progress or (Progress() if waits else None)
            return State(known.cover, working, known.trouble, known.no_grids)

    def peek(self, choice: Choice) -> Cover | None:
        """The answer that is kept, without asking for it."""
        with self._lock:
            known = self._known.get(choice)
            return None if known is None else known.cover

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._asked.stop()

    # --- the work -----------------------------------------------------------------------------

    def step(self) -> bool:
        """Work out what is asked for most; False if there is nothing to do."""
        return self._asked.step()

    def _work_on(self, choice: Choice) -> None:
        with self._lock:
            known = self._known.setdefault(choice, _Known())
            self._known.move_to_end(choice)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        try:
            self._make(choice, known)
        # The end of a piece of background work: whatever comes is told on the page and in the log.
        except Exception as error:
            log.exception("%s: coverage could not be worked out", choice)
            with self._lock:
                known.failed = self._tick()
                known.trouble = str(error) or type(error).__name__
        finally:
            with self._lock:
                known.progress = None

    def _is_due(self, choice: Choice, now: float) -> bool:
        known = self._known.get(choice)
        if known is None:
            return True
        if now - known.failed < AFTER_FAILURE_S:
            return False
        if known.cover is None and not known.no_grids:
            return True
        return now - known.checked > max(FRESH_S, SHARE * known.took_s)

    def _make(self, choice: Choice, known: _Known) -> None:
        begun = self._tick()

        def tell(step: str, share: float) -> None:
            with self._lock:
                known.progress = Progress(step, share)

        store, at = self._store, self._store.clock()
        tell("wait", 0.0)
        version = self._version(choice)
        if known.cover is not None and known.cover.version == version:
            with self._lock:
                known.checked, known.trouble = self._tick(), ""
            return
        ground = self._read_ground(tell)
        cover = None
        if ground is not None:
            patrolled: Patrolled | None = None
            seen: Seen | None = None
            if choice.what in PATROLS:
                count = 1 if choice.what == "today" else WEEK
                patrolled = self._book.read(store, ground, count, at, tell)
            if choice.what in WITH_CAMERAS:
                seen = self._read_seen(ground, tell)
            cover = make_cover(
                store.workspace, ground, choice, version=version, at=at, patrolled=patrolled,
                seen=seen, tell=tell,
            )  # fmt: skip
            tell("shapes", 0.95)
            self._prepare(cover)
        with self._lock:
            known.cover, known.no_grids = cover, ground is None
            known.checked, known.trouble = self._tick(), ""
            known.took_s = known.checked - begun

    def _version(self, choice: Choice) -> str:
        """Changes when anything does that the answer came from."""
        store = self._store
        stamp = store.workspace.stamp
        parts = [repr(choice), self._ground_stamp()]
        if choice.what in PATROLS:
            today = store.clock().astimezone(store.zone).date()
            parts += [today.isoformat(), str(store.settings.reach_m), stamp("workers")]
            count = 1 if choice.what == "today" else WEEK
            parts += [day_stamp(store, today - timedelta(days=k)) for k in range(count)]
        if choice.what in WITH_CAMERAS:
            parts.append(stamp("cameras", "buildings", "assets", "incidents"))
        if choice.what == "assets":
            parts.append(stamp("assets", "cameras", "buildings", "blocks"))
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()

    def _ground_stamp(self) -> str:
        return f"{self._store.snapshot().city.stamp}.{self._store.workspace.stamp('roads')}"

    def _read_ground(self, tell: Callable[[str, float], None]) -> CityGround | None:
        stamp = self._ground_stamp()
        if self._ground is None or self._ground.stamp != stamp:
            tell("ground", 0.02)
            city = self._store.snapshot().city
            self._ground = read_city_ground(self._store.workspace, city, stamp)
        return self._ground

    def _read_seen(self, ground: CityGround, tell: Callable[[str, float], None]) -> Seen:
        stamp = self._store.workspace.stamp("cameras", "buildings")
        if self._seen is None or self._seen[0] != stamp:
            self._seen = (stamp, read_seen(self._store.workspace, ground.crs, tell))
        return self._seen[1]
