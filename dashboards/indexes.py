"""The indexes behind one click: who answers, who is near, what is around; and what a year ago was.

They are made when they are first asked for. While the store runs, a thread of its own keeps them
fresh, so that no request waits for one to be built; without that thread (tests, benchmarks) each
is looked at when it is asked for. The positions of workers and the open cases follow the newest
snapshot step by step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

from dashboards.cases import MOST_CHANGED, Cases, PastYear, read_past_year
from dashboards.city import City
from dashboards.figures import Patrol, Snapshot
from dashboards.patrols import EVERY as PATROLS_EVERY
from dashboards.patrols import Ground, PatrolDay, read_ground
from geo.incidents import OPEN_STAGES
from geo.io.rules import read_rules, rules_stamp
from geo.io.workspace import Workspace
from geo.live import LiveIndex
from geo.nearby import TABLES_NEARBY, NearbyIndex
from geo.responsibility import ChainIndex

if TYPE_CHECKING:
    from dashboards.settings import Settings

_CHAIN_TABLES = ("duties", "workers", "divisions", "grids", "departments")
_CASE_COLUMNS = [
    "class_code", "category", "description", "source", "reported_at", "stage", "deadline",
    "closed_at", "owner", "level", "paused_until", "address", "geom",
]  # fmt: skip
_CHUNK = 100_000
"""Incidents read at a time, so that rows as Python has them never fill the memory."""

NAMES_S = 300.0
"""How long names are kept: appointments begin and end by the clock."""

REBUILD_FROM = 500
"""With more moved workers than that a new tree is quicker than as many changes of the old one."""


class Indexes:
    """Indexes of one workspace. Safe to share between threads.

    Each has a lock of its own, and one that is there is handed out without it: while a large one
    is built anew, the old one answers.
    """

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace = workspace
        self._settings = settings
        self._locks = {name: threading.RLock() for name in ("chains", "live", "nearby")}
        self._stamps: dict[str, str] = {}
        self._chains: ChainIndex | None = None
        self._names: dict[str, tuple[float, dict[str, str]]] = {}
        self._nearby: NearbyIndex | None = None
        self._nearby_seq = 0
        self._workers: LiveIndex | None = None
        self._positions = pd.DataFrame()
        self._open: LiveIndex | None = None
        self._cases: Cases | None = None
        self._past: tuple[str, PastYear] | None = None
        self._ground: Ground | None = None
        self._patrol: tuple[str, Patrol | None] | None = None
        self._patrol_day = PatrolDay()
        self._patrol_at: tuple[str, float] = ("", 0.0)

    # --- who answers ---------------------------------------------------------------------------

    def chains(self, *, fresh: bool = True) -> ChainIndex:
        """Who answers for what; with `fresh` built again if its tables changed."""
        known = self._chains
        if known is not None and not fresh:
            return known
        with self._locks["chains"]:
            has_changed = self._has_changed("chains", *_CHAIN_TABLES)
            has_changed |= self._is_new("roles", rules_stamp(self._workspace))
            if self._chains is None or has_changed:
                read, rules = self._workspace.read, read_rules(self._workspace)
                self._chains = ChainIndex(
                    read("duties"), read("workers"), read("divisions"), read("grids"),
                    read("departments"), roles=rules.duty_roles, rules=dict(rules.phone_rules),
                )  # fmt: skip
                self._names = {}
            return self._chains

    def names(self, level: str) -> dict[str, str]:
        """The name of who answers for each unit of a level that somebody answers for.

        Empty until they were looked up: that takes longer than a page may wait.
        """
        known = self._names.get(level)
        return {} if known is None else known[1]

    def look_up_names(self, snapshot: Snapshot) -> bool:
        """Look up the names that are missing or old; whether any became other ones."""
        chains, now, has_changed = self.chains(), time.monotonic(), False
        for level in snapshot.levels:
            known = self._names.get(level)
            if known is not None and now - known[0] < NAMES_S:
                continue
            table = chains.table(snapshot.units(level).index, at=snapshot.at)
            told = table[level].dropna() if level in table else {}
            found = {str(code): str(name) for code, name in dict(told).items()}
            has_changed |= known is None or known[1] != found
            self._names = {**self._names, level: (now, found)}
        return has_changed

    # --- who is near ---------------------------------------------------------------------------

    def workers(self, snapshot: Snapshot, *, fresh: bool = True) -> LiveIndex:
        """The last positions; with `fresh` as of the snapshot."""
        known = self._workers
        if known is not None and not fresh:
            return known
        with self._locks["live"]:
            live = self._workers if self._workers is not None else LiveIndex()
            now = snapshot.workers.positions
            if self._positions is not now:
                _follow_workers(live, self._positions, now)
                self._positions = now
            self._workers = live
            return live

    def open_cases(self, snapshot: Snapshot, *, fresh: bool = True) -> LiveIndex:
        """The open cases that have a place; with `fresh` as of the snapshot."""
        known = self._open
        if known is not None and not fresh:
            return known
        with self._locks["live"]:
            live = self._open if self._open is not None else LiveIndex()
            if self._cases is not snapshot.cases:
                live.rebuild(_open_frame(snapshot.cases), key="incident_id", time="time")
                self._cases = snapshot.cases
            self._open = live
            return live

    # --- what is around ------------------------------------------------------------------------

    def nearby(self, at: datetime, *, fresh: bool = True) -> NearbyIndex:
        """What is around; with `fresh` tables that changed are read again."""
        known = self._nearby
        if known is not None and not fresh:
            return known
        with self._locks["nearby"]:
            if self._nearby is None:
                names = (*TABLES_NEARBY, "grids")
                tables = {name: self._read_nearby(name, at) for name in names}
                self._nearby = NearbyIndex(tables.pop("grids"), **tables)
            elif fresh:
                for name in (*TABLES_NEARBY, "grids"):
                    if name != "incidents" and self._has_changed(f"nearby.{name}", name):
                        self._nearby.replace(**{name: self._read_nearby(name, at)})
                self._follow_incidents(self._nearby, at)
            return self._nearby

    def _read_nearby(self, name: str, at: datetime) -> Any:
        self._has_changed(f"nearby.{name}", name)
        if name == "grids":
            return self._workspace.grids(at=at)
        if name == "incidents":
            return self._read_incidents(at)
        return self._workspace.read(name)

    def _read_incidents(self, at: datetime) -> Any:
        """The open ones, and as many days as a card may look back, in pieces."""
        table = self._workspace.table("incidents")
        since = at - timedelta(days=self._settings.card_days)
        wanted = table.c.stage.in_(OPEN_STAGES) | (table.c.reported_at >= since)
        with self._workspace.reading() as conn:
            self._nearby_seq = self._workspace.changes_since(None, conn=conn).seq
            last = conn.execute(sa.select(sa.func.max(table.c.fid))).scalar_one() or 0
            parts = [
                self._workspace.read(
                    "incidents", columns=_CASE_COLUMNS, conn=conn,
                    where=wanted & (table.c.fid > low) & (table.c.fid <= low + _CHUNK),
                )
                for low in range(0, max(last, 1), _CHUNK)
            ]  # fmt: skip
        filled = [part for part in parts if len(part)]
        return pd.concat(filled) if filled else parts[0]

    def _follow_incidents(self, nearby: NearbyIndex, at: datetime) -> None:
        """Lay what changed since the table was read over it; read it again if that is much."""
        if not self._has_changed("nearby.incidents", "incidents"):
            return
        table = self._workspace.table("incidents")
        changes = self._workspace.changes_since(self._nearby_seq)
        if changes.fids is None or len(changes.fids) > MOST_CHANGED:
            nearby.replace(incidents=self._read_incidents(at))
            nearby.replace_recent(None)
            return
        parts = [
            self._workspace.read(
                "incidents", columns=_CASE_COLUMNS, where=table.c.fid.in_(changes.fids[k : k + 900])
            )
            for k in range(0, len(changes.fids), 900)
        ]
        filled = [part for part in parts if len(part)]
        nearby.replace_recent(pd.concat(filled) if filled else None)

    # --- in the background ---------------------------------------------------------------------

    def catch_up(self, snapshot: Snapshot, is_over: Callable[[], bool]) -> bool:
        """Bring everything up to a snapshot; True if names or the past became other ones."""
        past = self._past
        self.workers(snapshot)
        self.open_cases(snapshot)
        has_changed = self.look_up_names(snapshot)
        self.look_back(snapshot)
        if not is_over():
            self.nearby(snapshot.at)
        return has_changed or self._past is not past

    def look_back(self, snapshot: Snapshot) -> None:
        """Read what was reported a year before, once a day or when the boundaries changed."""
        key = f"{snapshot.at:%Y-%m-%d}.{snapshot.city.stamp}"
        if self._stamps.get("past") != key:
            self._stamps["past"] = key
            found = read_past_year(self._workspace, snapshot.city, snapshot.at)
            self._past = (snapshot.city.stamp, found)

    def past(self, city: City) -> PastYear | None:
        """What was reported a year before; None until it was read for these boundaries."""
        known = self._past
        return known[1] if known is not None and known[0] == city.stamp else None

    def patrol(self, city: City) -> Patrol | None:
        """What patrols did today; None until it was worked out for these boundaries."""
        known = self._patrol
        return known[1] if known is not None and known[0] == city.stamp else None

    def look_at_patrols(self, snapshot: Snapshot) -> bool:
        """Work out what patrols did, every few minutes; whether it was done now.

        The figures of a day that is over go at once, and so do those of other boundaries.
        """
        city, now = snapshot.city, time.monotonic()
        key = f"{snapshot.at:%Y-%m-%d}.{city.stamp}"
        if self._patrol_at[0] == key and now - self._patrol_at[1] < PATROLS_EVERY.total_seconds():
            return False
        # First, so that what fails is not tried again at once.
        self._patrol_at = (key, now)
        stamp = f"{city.stamp}.{snapshot.versions['ground']}"
        if self._ground is None or self._ground.stamp != stamp:
            self._ground = read_ground(self._workspace, city, stamp)
        people, found = snapshot.workers.people, None
        if self._ground is not None:
            found = self._patrol_day.read(
                self._workspace, self._ground, people, snapshot.at, self._settings
            )
        self._patrol = (city.stamp, found)
        return True

    def _has_changed(self, key: str, *tables: str) -> bool:
        return self._is_new(key, self._workspace.stamp(*tables))

    def _is_new(self, key: str, stamp: str) -> bool:
        was = self._stamps.get(key)
        self._stamps[key] = stamp
        return was != stamp


def _open_frame(cases: Cases) -> pd.DataFrame:
    rows = cases.is_open & cases.placed
    return pd.DataFrame(
        {
            "incident_id": cases.ids[rows],
            "lon": cases.lon[rows],
            "lat": cases.lat[rows],
            "time": pd.DatetimeIndex(cases.reported[rows]).tz_localize("UTC"),
        }
    )


def _follow_workers(live: LiveIndex, before: pd.DataFrame, now: pd.DataFrame) -> None:
    """Move those that moved, take out those that are gone."""
    gone = not len(before) or not before.index.isin(now.index).all()
    moved = now if gone else now[(before["time"].reindex(now.index) != now["time"]).to_numpy()]
    if gone or len(moved) > REBUILD_FROM:
        live.rebuild(now.rename_axis("worker_id").reset_index(), key="worker_id")
        return
    columns = zip(moved.index, moved["lon"], moved["lat"], moved["time"], strict=True)
    for key, lon, lat, moment in columns:
        live.update(str(key), float(lon), float(lat), moment.to_pydatetime())
