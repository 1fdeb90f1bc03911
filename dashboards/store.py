"""What pages show, computed when data changes and never while a page waits.

`Store.snapshot()` returns a finished value at once, with the versions of its parts inside. A
background thread looks at the workspace every few seconds, reads only what changed since, and puts
a new snapshot in the place of the old one. As time passes without a change the figures are computed
again once a minute, and at the very moment at which a case grows overdue. Two more threads keep
the indexes fresh and work out what patrols did (`dashboards.indexes`). So the cost of a page
follows the screen and not the history.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from dashboards.cases import Cases, prune, read_cases, read_changed
from dashboards.city import City, read_city
from dashboards.clock import Clock, utc_now
from dashboards.figures import CaseFigures, Snapshot, Workers, mark_all, take_snapshot
from dashboards.indexes import Indexes
from dashboards.inventory import TABLES as ASSET_TABLES
from dashboards.inventory import Inventory, read_inventory
from dashboards.memo import Memo
from dashboards.positions import Positions
from dashboards.settings import Settings
from geo.io.case_columns import CaseStore
from geo.io.casebook import CaseBook
from geo.io.planbook import PlanBook
from geo.io.publish import settle_begun
from geo.io.rules import Rules, read_rules, rules_stamp
from geo.io.workspace import Workspace
from geo.live import LiveIndex
from geo.nearby import NearbyIndex
from geo.responsibility import ChainIndex

if TYPE_CHECKING:
    from dashboards.watching import Watching

log = logging.getLogger(__name__)

T = TypeVar("T")

PRUNE_EVERY = timedelta(hours=1)
"""Cases that the window has left behind are dropped after this time."""

AFTER_FAILURE_S = 30.0
"""How long an index that could not be built is left before it is tried again."""

PATIENCE = 10
"""A server that has not looked for so many times `check_s` is degraded."""


@dataclass(frozen=True)
class Health:
    """How the last look at the workspace went."""

    ok: bool
    looked_at: datetime | None
    error: str = ""


@dataclass(frozen=True)
class Change:
    """One snapshot in the place of another, and which cases changed in between.

    After a look that found nothing new both are the same.
    """

    old: Snapshot
    new: Snapshot
    fids: frozenset[int] | None
    """`fid` of each case that was added, changed or deleted; None: any of them may have."""


class Store:
    """The data of one workspace as pages need it. Safe to share between threads.

    Parameters
    ----------
    workspace
        Open; the store does not close it.
    settings
        Zone, thresholds and intervals.
    clock
        Gives the present moment with zone; tests pass a fixed one.
    """

    def __init__(self, workspace: Workspace, settings: Settings, *, clock: Clock = utc_now) -> None:
        self.workspace = workspace
        self.settings = settings
        self.clock = clock
        self._lock = threading.RLock()
        self._parts: _Parts | None = None
        self._positions = Positions(workspace)
        self._snapshot: Snapshot | None = None
        self._health = Health(False, None)
        self._troubles: dict[str, str] = {}
        """What failed last, by the name of who does it."""
        self._looked: float | None = None
        self._listeners: list[Callable[[Change], None]] = []
        self._indexes = Indexes(workspace, settings)
        self.columns = CaseStore(workspace)
        """All cases as columns, read when first asked for."""
        self.watching: Watching | None = None
        """Who looks after patrols; the app puts it here."""
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._works: list[tuple[str, Callable[[], object]]] = [
            ("indexes", self.catch_up),
            ("patrols", self.look_at_patrols),
        ]
        self._memo: dict[Hashable, tuple[Hashable, Any]] = {}
        self._memo_locks: dict[Hashable, threading.Lock] = {}
        self._memo_lock = threading.Lock()

    # --- reading -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The newest finished snapshot; the first call computes it."""
        found = self._snapshot
        return found if found is not None else self.refresh()

    @property
    def health(self) -> Health:
        """How the last look at the workspace went; not ok either when it was too long ago."""
        health = self._health
        if self._troubles:
            return replace(health, ok=False, error="; ".join(self._troubles.values()))
        is_late = (
            self._threads
            and self._looked is not None
            and time.monotonic() - self._looked > PATIENCE * self.settings.check_s
        )
        if health.ok and is_late:
            return replace(health, ok=False, error="the last look at the workspace was long ago")
        return health

    def remember(self, key: Hashable, version: Hashable, make: Callable[[], T]) -> T:
        """`make()`, computed again only when `version` changed, by one thread at a time."""
        with self._memo_lock:
            lock = self._memo_locks.setdefault(key, threading.Lock())
        with lock:
            known = self._memo.get(key)
            if known is not None and known[0] == version:
                return known[1]  # type: ignore[no-any-return]
            value = make()
            self._memo[key] = (version, value)
            return value

    # --- refreshing ----------------------------------------------------------------------------

    def refresh(self, *, anew: bool = False) -> Snapshot:
        """Look at the workspace now; read what changed and replace the snapshot if need be.

        With `anew` it is replaced in any case.
        """
        with self._lock:
            at, old = self.clock(), self._snapshot
            parts, fids = self._look(at)
            is_same = old is not None and self._parts is not None and parts.is_same(self._parts)
            self._parts = parts
            self._health = Health(True, at)
            self._looked = time.monotonic()
            if is_same and not anew:
                assert old is not None
                self._tell(Change(old, old, frozenset()))
                return old
            new = take_snapshot(
                parts.figures, parts.assets, parts.workers, at, self.settings, parts.versions,
                past=self._indexes.past(parts.city), names_of=self._indexes.names,
                patrol=self._indexes.patrol(parts.city),
            )  # fmt: skip
            self._snapshot = new
            if old is not None:
                self._tell(Change(old, new, fids))
            return new

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            # One that fails must not take the change from the others: it is gone after this.
            name = getattr(listener, "__qualname__", "listener")
            self._try(name, partial(listener, change))

    def _look(self, at: datetime) -> tuple[_Parts, frozenset[int] | None]:
        """The parts as they are now, and which cases changed."""
        old, stamp = self._parts, self.workspace.stamp
        city_stamp, zones_stamp = stamp("grids", "divisions"), stamp("zones")
        if old is None or not old.city_holds(city_stamp, at):
            # A version that was published ahead comes into force with the city that it makes.
            settle_begun(self.workspace, PlanBook(self.workspace), at=at)
            city_stamp = stamp("grids", "divisions")
            city = read_city(self.workspace, at)
        elif old.city.zones_stamp != zones_stamp:
            zones = self.workspace.read("zones")
            city = replace(old.city, zones=zones if len(zones) else None, zones_stamp=zones_stamp)
        else:
            city = old.city
        moved_bounds = old is None or city.stamp != old.city.stamp
        assets_stamp = stamp(*ASSET_TABLES)
        if old is None or moved_bounds or old.assets.stamp != assets_stamp:
            assets = read_inventory(self.workspace, city)
        else:
            assets = old.assets
        cases, seq, fids = self._look_at_cases(old, city, moved_bounds, at)
        figures = self._figures(old, city, cases, at)
        workers = self._look_at_workers(old, city, moved_bounds, at)
        parts = _Parts(
            city_stamp, city, assets, figures, workers, stamp("roads", "areas"), seq,
            at if old is None or at - old.pruned_at >= PRUNE_EVERY else old.pruned_at,
        )  # fmt: skip
        return parts, fids

    def _look_at_cases(
        self, old: _Parts | None, city: City, moved_bounds: bool, at: datetime
    ) -> tuple[Cases, int, frozenset[int] | None]:
        if old is None:
            return (*read_cases(self.workspace, city, at), None)
        cases, seq, fids = read_changed(self.workspace, old.city, old.figures.cases, old.seq, at)
        if at - old.pruned_at >= PRUNE_EVERY:
            cases = prune(cases, at)
        if moved_bounds:
            cases = replace(cases, row=city.assign(cases.lon, cases.lat))
            fids = None
        return cases, seq, fids

    def _figures(self, old: _Parts | None, city: City, cases: Cases, at: datetime) -> CaseFigures:
        """The figures of the cases, the old ones while nothing that they follow has moved."""
        if old is not None:
            known = old.figures
            is_minute = int(at.timestamp() // 60) == int(known.at.timestamp() // 60)
            has_changed = known.next_change is not None and at >= known.next_change
            same = known.cases is cases and known.city is city
            if same and is_minute and not has_changed:
                return known
        return mark_all(city, cases, at, self.settings)

    def _look_at_workers(
        self, old: _Parts | None, city: City, moved_bounds: bool, at: datetime
    ) -> Workers:
        stamp = self.workspace.stamp("workers")
        is_known = old is not None and old.workers_stamp == stamp
        if old is not None and is_known:
            people = old.workers.people
        else:
            people = self.workspace.read("workers")
            people.index = people.index.astype(object)
        reach = timedelta(hours=self.settings.position_hours)
        positions, changed = self._positions.look(at, reach, city)
        if moved_bounds:
            positions = self._positions.place_again(city)
        if old is not None and is_known and not changed and not moved_bounds:
            return old.workers
        same = old is not None and is_known and old.city is city
        memo = old.workers.memo if old is not None and same else Memo()
        mark = f"{stamp}.{self._positions.mark}.{int(at.timestamp() * 1000):x}"
        return Workers(mark, people, positions, memo)

    def on_look(self, listener: Callable[[Change], None]) -> None:
        """Call a function after each look, by the thread that looked; see `Change`."""
        with self._lock:
            self._listeners.append(listener)

    # --- indexes -------------------------------------------------------------------------------

    @property
    def chains(self) -> ChainIndex:
        """Who answers for what."""
        return self._indexes.chains(fresh=not self._threads)

    @property
    def live_workers(self) -> LiveIndex:
        """The last positions of workers."""
        return self._indexes.workers(self.snapshot(), fresh=not self._threads)

    @property
    def live_cases(self) -> LiveIndex:
        """The open cases that have a place."""
        return self._indexes.open_cases(self.snapshot(), fresh=not self._threads)

    @property
    def nearby(self) -> NearbyIndex:
        """What is around a place."""
        return self._indexes.nearby(self.clock(), fresh=not self._threads)

    @property
    def rules(self) -> Rules:
        """Limits, classes and roles of the city, read again when a file of them changed."""

        def read() -> Rules:
            rules = read_rules(self.workspace)
            # Every page is amber from the same moment on, and the setting says when.
            soon_h = self.settings.soon_minutes / 60
            return replace(rules, case=replace(rules.case, soon_h=soon_h))

        return self.remember("rules", rules_stamp(self.workspace), read)

    @property
    def casebook(self) -> CaseBook:
        """Where cases are reported, moved and read, by the rules of the city."""
        rules = self.rules
        return self.remember("casebook", rules, lambda: CaseBook(self.workspace, rules))

    def catch_up(self) -> None:
        """Bring the indexes up to the newest snapshot, and the snapshot up to them."""
        if self._indexes.catch_up(self.snapshot(), self._stop.is_set):
            self.refresh(anew=True)
        if not self._stop.is_set():
            self.casebook.refresh(at=self.clock())

    def look_at_patrols(self) -> None:
        """Work out what patrols did today if that is due, and show it."""
        if self._indexes.look_at_patrols(self.snapshot()):
            self.refresh(anew=True)

    # --- threads -------------------------------------------------------------------------------

    def add_work(self, name: str, work: Callable[[], object]) -> None:
        """Let `start` call a function again and again, about every `check_s`, in its own thread.

        What it raises is told in `health` and tried again later; other work goes on.
        """
        self._works.append((name, work))

    def start(self) -> None:
        """Read everything once, then keep looking in the background until `stop`."""
        self.refresh()
        if self._threads:
            return
        self._stop.clear()
        self._looked = time.monotonic()
        self._threads = [
            threading.Thread(target=self._follow, name="wangge-store", daemon=True),
            *(
                threading.Thread(
                    target=self._run, args=(name, work), name=f"wangge-{name}", daemon=True
                )
                for name, work in self._works
            ),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the background threads and wait for them."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _run(self, name: str, work: Callable[[], object]) -> None:
        """Work again and again; what failed is not tried at once, since it may take long."""
        is_done = self._try(name, work)
        while not self._stop.wait(self.settings.check_s if is_done else AFTER_FAILURE_S):
            is_done = self._try(name, work)

    def _follow(self) -> None:
        while not self._stop.wait(self.settings.check_s):
            self.look()

    def look(self) -> None:
        """Refresh, and on failure keep the old snapshot, log it and report it in `health`."""
        # With the figures that every page asks for first, so that none waits for them.
        self._try("store", lambda: self.refresh().scope())

    def _try(self, name: str, work: Callable[[], object]) -> bool:
        try:
            work()
        # The end of a thread: whatever comes is told in health, or nobody would know that it died.
        except Exception as error:
            log.exception("%s: the workspace could not be read; pages keep what they had", name)
            self._troubles = {**self._troubles, name: str(error)}
            return False
        self._troubles = {key: text for key, text in self._troubles.items() if key != name}
        return True

    @cached_property
    def zone(self) -> ZoneInfo:
        """The city's zone."""
        return self.settings.zone


@dataclass(frozen=True, eq=False)
class _Parts:
    """What a snapshot is made of, and what tells whether it still holds."""

    city_stamp: str
    city: City
    assets: Inventory
    figures: CaseFigures
    workers: Workers
    ground: str
    seq: int
    pruned_at: datetime

    def city_holds(self, stamp: str, at: datetime) -> bool:
        """Whether the boundaries are still those of the tables and of the moment."""
        is_over = self.city.until is not None and at >= self.city.until
        return self.city_stamp == stamp and not is_over

    @property
    def workers_stamp(self) -> str:
        """Stamp of the table of workers."""
        return self.workers.stamp.partition(".")[0]

    @property
    def versions(self) -> dict[str, str]:
        """A stamp of each part; another one whenever what is served of it is other."""
        city, moment = self.city.stamp, int(self.figures.at.timestamp() * 1000)
        return {
            "city": city,
            "zones": self.city.zones_stamp,
            "assets": self.assets.stamp,
            "incidents": f"{self.figures.cases.stamp}.{city}.{moment:x}",
            "workers": f"{self.workers.stamp}.{city}",
            "ground": self.ground,
        }

    def is_same(self, other: _Parts) -> bool:
        """Whether a snapshot of the one is a snapshot of the other."""
        pairs = (
            (self.city, other.city), (self.assets, other.assets), (self.figures, other.figures),
            (self.workers, other.workers),
        )  # fmt: skip
        return self.ground == other.ground and all(one is two for one, two in pairs)
