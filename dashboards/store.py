"""What pages show, computed when data changes and never while a page waits.

`Store.snapshot()` returns a finished value at once. A background thread looks at the workspace's
stamps every few seconds, reads again only the tables that changed, and puts a new snapshot in
place of the old one; as time passes without a change it recomputes the figures once a minute, since
incidents grow overdue by themselves. So the cost of a page follows the screen and not the history.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import sqlalchemy as sa

from dashboards.cases import Cases, read_cases
from dashboards.city import City, read_city
from dashboards.figures import Snapshot, Workers, take_snapshot
from dashboards.inventory import TABLES as ASSET_TABLES
from dashboards.inventory import Inventory, read_inventory
from dashboards.settings import Settings
from geo.io.workspace import Workspace

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
T = TypeVar("T")

_PARTS: dict[str, tuple[str, ...]] = {
    "city": ("grids", "divisions"),
    "assets": ASSET_TABLES,
    "incidents": ("incidents",),
    "workers": ("workers", "fixes"),
    "ground": ("roads", "areas"),
}
"""Parts of the data that change together, and the tables behind each."""

WINDOW_REFRESH = timedelta(hours=1)
"""Incidents are read again after this time even if nothing changed, to move the window on."""


def utc_now() -> datetime:
    """The clock of a real server."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Health:
    """How the last look at the workspace went."""

    ok: bool
    looked_at: datetime | None
    error: str = ""


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
        self._lock = threading.Lock()
        self._stamps: dict[str, str] = {}
        self._parts: dict[str, Any] = {}
        self._cases_read_at: datetime | None = None
        self._snapshot: Snapshot | None = None
        self._health = Health(False, None)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._memo: dict[Hashable, tuple[Hashable, Any]] = {}
        self._memo_lock = threading.Lock()

    # --- reading -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The newest finished snapshot; the first call computes it."""
        found = self._snapshot
        return found if found is not None else self.refresh()

    @property
    def health(self) -> Health:
        """How the last look at the workspace went."""
        return self._health

    def versions(self) -> dict[str, str]:
        """Stamp of each part of the data as of the snapshot, for addresses of map data."""
        snapshot = self.snapshot()
        return {**self._stamps, "incidents": snapshot.version}

    def remember(self, key: Hashable, version: Hashable, make: Callable[[], T]) -> T:
        """`make()`, computed again only when `version` changed."""
        with self._memo_lock:
            known = self._memo.get(key)
        if known is not None and known[0] == version:
            return known[1]  # type: ignore[no-any-return]
        value = make()
        with self._memo_lock:
            self._memo[key] = (version, value)
        return value

    # --- refreshing ----------------------------------------------------------------------------

    def refresh(self) -> Snapshot:
        """Look at the workspace now; read what changed and replace the snapshot if need be."""
        with self._lock:
            at = self.clock()
            stamps = {part: self.workspace.stamp(*names) for part, names in _PARTS.items()}
            changed = {part for part, stamp in stamps.items() if self._stamps.get(part) != stamp}
            if self._window_is_old(at):
                changed.add("incidents")
            self._read(changed, at)
            version = f"{stamps['incidents']}.{stamps['city']}.{at:%m%d%H%M}"
            old = self._snapshot
            if old is None or changed - {"ground"} or old.version != version:
                self._snapshot = take_snapshot(
                    self._parts["city"],
                    self._parts["assets"],
                    self._parts["incidents"],
                    self._parts["workers"],
                    at,
                    self.settings,
                    version,
                )
            # Last: a page that names the new version must not get the old figures.
            self._stamps = stamps
            self._health = Health(True, at)
            assert self._snapshot is not None
            return self._snapshot

    def _window_is_old(self, at: datetime) -> bool:
        return self._cases_read_at is None or at - self._cases_read_at > WINDOW_REFRESH

    def _read(self, changed: set[str], at: datetime) -> None:
        city_changed = "city" in changed
        if city_changed:
            self._parts["city"] = read_city(self.workspace)
        city: City = self._parts["city"]
        if city_changed or "assets" in changed:
            inventory: Inventory = read_inventory(self.workspace, city)
            self._parts["assets"] = inventory
        if city_changed or "incidents" in changed:
            cases: Cases = read_cases(self.workspace, city, at)
            self._parts["incidents"] = cases
            self._cases_read_at = at
        if city_changed or "workers" in changed:
            self._parts["workers"] = read_workers(
                self.workspace, city, at, timedelta(hours=self.settings.position_hours)
            )

    def start(self) -> None:
        """Read everything once, then keep looking in the background until `stop`."""
        self.refresh()
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="wangge-store", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the background thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stop.wait(self.settings.check_s):
            self.look()

    def look(self) -> None:
        """Refresh, and on failure keep the old snapshot, log it and report it in `health`."""
        try:
            self.refresh()
        # The end of a thread: whatever comes is told in health, or nobody would know that it died.
        except Exception as error:
            log.exception("the workspace could not be read; pages keep what they had")
            self._health = Health(False, self._health.looked_at, str(error))

    # --- one grid ------------------------------------------------------------------------------

    @cached_property
    def zone(self) -> Any:
        """The city's zone."""
        return self.settings.zone


def read_workers(workspace: Workspace, city: City, at: datetime, reach: timedelta) -> Workers:
    """Everyone registered, and the last position of each within `reach` before `at`."""
    stamp = workspace.stamp("workers", "fixes")
    people = workspace.read("workers")
    last = _last_positions(workspace, at - reach)
    last["row"] = city.assign(last["lon"].to_numpy(), last["lat"].to_numpy())
    return Workers(stamp, people, last)


def _last_positions(workspace: Workspace, since: datetime) -> pd.DataFrame:
    """`time`, `lon`, `lat` of the newest fix of each worker from `since` on, by `worker_id`."""
    table = workspace.table("fixes")
    newest = (
        sa.select(table.c.worker_id, sa.func.max(table.c.time).label("time"))
        .where(table.c.time >= since)
        .group_by(table.c.worker_id)
        .subquery()
    )
    query = sa.select(table.c.worker_id, table.c.time, table.c.lon, table.c.lat).join(
        newest,
        (table.c.worker_id == newest.c.worker_id)
        & (table.c.time == sa.type_coerce(newest.c.time, table.c.time.type)),
    )
    with workspace.reading() as conn:
        rows = conn.execute(query).all()
    if rows:
        frame = pd.DataFrame(rows, columns=["worker_id", "time", "lon", "lat"])
    else:
        # Nothing in the table of current days: the last days may have been sealed already.
        sealed = workspace.read_fixes(since=since)
        frame = sealed.groupby("worker_id", as_index=False).tail(1)
        frame = frame[["worker_id", "time", "lon", "lat"]].copy()
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    frame["lon"] = frame["lon"].astype(np.float64)
    frame["lat"] = frame["lat"].astype(np.float64)
    return frame.set_index("worker_id")
