"""Days of fixes kept for replay: loaded in the background, a few at a time, the oldest dropped.

A day is read when somebody asks for it. Until it is there the page is told how far that is; one day
is loaded at a time. A past day is read again when its fixes changed (a late phone, a sealing), the
present day when it is a minute old, and never oftener than takes a tenth of the server's time. What
is there goes on being served meanwhile.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time as clock
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pyproj
import sqlalchemy as sa
from pyarrow import parquet

from dashboards.patrols import read_ground
from dashboards.store import Store
from geo.errors import WanggeError
from geo.io.workspace import Workspace
from geo.replay import ReplayDay, build_replay
from geo.street_times import StreetTimes, time_streets

log = logging.getLogger(__name__)

MOST_BYTES = 512 * 2**20
"""What the columns of all days together may take, the day that is looked at always kept: two days
of 10 million fixes; our assumption for a server of 4 GB."""

FRESH = timedelta(seconds=60)
"""How old the present day may be."""

CHECK_S = 20.0
"""How often a past day is compared with its tables."""

AT_ONCE = 400
"""Workers that are read together."""

SHARE = 10.0
"""A day is not read again before so many times the seconds that the reading took."""


@dataclass(frozen=True, eq=False)
class Day:
    """One day of the city's zone, ready to be replayed."""

    date: date
    version: str
    replay: ReplayDay
    made: datetime
    took_s: float
    streets: StreetTimes | None = None
    """When each piece of street was first reached; None while that is not known yet."""

    @property
    def is_whole(self) -> bool:
        """Whether the day was over when it was read."""
        return self.made >= self.replay.until


@dataclass(frozen=True)
class Loading:
    """A day that is being read: what is being done, and how far that is from 0 to 1."""

    step: str = "wait"
    share: float = 0.0
    error: str = ""


class Days:
    """The days of a store. Safe to share between threads."""

    def __init__(self, store: Store, *, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._days: OrderedDict[date, Day] = OrderedDict()
        self._loading: dict[date, Loading] = {}
        self._checked: dict[date, float] = {}
        self._lock = threading.Lock()
        self._one = threading.Lock()
        """Held by who loads: one day at a time."""

    def span(self, day: date) -> tuple[datetime, datetime]:
        """Midnight to midnight in the city's zone."""
        zone = self._store.zone
        begin, end = (
            datetime.combine(one, time(0), tzinfo=zone) for one in (day, day + timedelta(days=1))
        )
        return begin, end

    def get(self, day: date) -> Day | Loading:
        """The day if it is there, else how far its loading is; begins it where needed."""
        with self._lock:
            known = self._days.get(day)
            if known is not None:
                self._days.move_to_end(day)
            running = self._loading.get(day)
            if running is not None and running.error:
                # Told once; who asks again starts anew.
                del self._loading[day]
                return running
            if running is None and (known is None or self._is_due(known)):
                running = self._loading[day] = Loading()
                thread = threading.Thread(
                    target=self._load, args=(day,), name=f"wangge-replay-{day}", daemon=True
                )
                thread.start()
            if known is not None:
                return known
            assert running is not None
            return running

    def wait(self, day: date, timeout_s: float = 60.0) -> Day:
        """The day once it is there with its streets; for commands and tests.

        Raises
        ------
        WanggeError
            If it cannot be loaded, or not in this time.
        """
        end = clock.monotonic() + timeout_s
        while clock.monotonic() < end:
            found = self.get(day)
            if isinstance(found, Loading) and found.error:
                raise WanggeError(found.error)
            if isinstance(found, Day) and day not in self._loading:
                return found
            clock.sleep(0.02)
        raise WanggeError(f"{day} is not loaded after {timeout_s:.0f} s")

    def _is_due(self, known: Day) -> bool:
        now = self._store.clock()
        if not known.is_whole:
            wait = max(FRESH, timedelta(seconds=SHARE * known.took_s))
            if now - known.made < wait:
                return False
        # To ask costs a count of the day, which no request should pay twice.
        if clock.monotonic() - self._checked.get(known.date, 0.0) < CHECK_S:
            return False
        self._checked[known.date] = clock.monotonic()
        return self._stamp(known.date) != known.version

    def _stamp(self, day: date) -> str:
        """Changes when fixes of the day do: its sealed files, and how many wait in the table."""
        since, until = self.span(day)
        folder = self._store.workspace.path / "fixes"
        told: list[object] = []
        for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
            files = sorted((folder / f"date={near.isoformat()}").glob("*.parquet"))
            told += [(file.name, (at := file.stat()).st_size, at.st_mtime_ns) for file in files]
        table = self._store.workspace.table("fixes")
        query = sa.select(sa.func.count(), sa.func.max(table.c.fid)).where(
            table.c.time >= since, table.c.time < until
        )
        with self._store.workspace.reading() as conn:
            told.append(tuple(conn.execute(query).one()))
        # Streets and borders decide what was covered.
        told.append(self._store.workspace.stamp("roads", "grids"))
        return hashlib.blake2b(repr(told).encode(), digest_size=6).hexdigest()

    def _load(self, day: date) -> None:
        with self._one:
            try:
                self._read(day)
            # The end of a thread: whatever comes is told to who waits for the day.
            except Exception as error:
                log.exception("the replay of %s could not be made", day)
                self._tell(day, Loading(error=str(error) or type(error).__name__))
                return
        with self._lock:
            self._loading.pop(day, None)

    def _tell(self, day: date, state: Loading) -> None:
        with self._lock:
            self._loading[day] = state

    def _read(self, day: date) -> None:
        begun = clock.monotonic()
        since, until = self.span(day)
        made, version = self._store.clock(), self._stamp(day)
        fixes = read_compact(
            self._store.workspace,
            since,
            until,
            lambda share: self._tell(day, Loading("read", share)),
        )
        self._tell(day, Loading("clean", 0.6))
        replay = build_replay(fixes, since, until)
        del fixes
        took = clock.monotonic() - begun
        made_day = Day(day, version, replay, made, took)
        with self._lock:
            self._days[day] = made_day
            self._drop(day)
        self._tell(day, Loading("streets", 0.85))
        streets = self._streets(replay)
        with self._lock:
            if self._days.get(day) is made_day:
                took = clock.monotonic() - begun
                self._days[day] = replace(made_day, streets=streets, took_s=took)

    def _drop(self, keep: date) -> None:
        """Drop the days that were asked for longest ago, until the rest fits; held by the lock."""
        while sum(day.replay.nbytes for day in self._days.values()) > self._most_bytes:
            oldest = next((one for one in self._days if one != keep), None)
            if oldest is None:
                return
            del self._days[oldest]

    def _streets(self, replay: ReplayDay) -> StreetTimes | None:
        city = self._store.snapshot().city
        stamp = self._store.workspace.stamp("roads", "grids")
        ground = self._store.remember(
            "replay-ground", stamp, lambda: read_ground(self._store.workspace, city, stamp)
        )
        if ground is None or not len(replay):
            return None
        return time_streets(replay, ground.pieces, radius_m=self._store.settings.reach_m)


def read_compact(
    workspace: Workspace, since: datetime, until: datetime, tell: Callable[[float], None]
) -> pd.DataFrame:
    """Fixes of a span with places in metres, some workers at a time: names become numbers at once.

    The table as it is stored takes three times the memory. `tell` hears how far it is, to 0.55.
    """
    workers = _workers_of(workspace, since, until)
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", workspace.metric_crs(), always_xy=True)
    parts = []
    for begin in range(0, max(len(workers), 1), AT_ONCE):
        tell(0.05 + 0.5 * begin / max(len(workers), 1))
        mine = workers[begin : begin + AT_ONCE]
        found = workspace.read_fixes(since=since, until=until, workers=mine)
        lon, lat = (found[name].to_numpy(np.float64) for name in ("lon", "lat"))
        x, y = to_metres.transform(lon, lat)
        columns = {
            "code": pd.Index(workers).get_indexer(found["worker_id"]).astype(np.int32),
            "time": found["time"].array,
            "lon": lon,
            "lat": lat,
            "x": x,
            "y": y,
            "accuracy_m": found["accuracy_m"].to_numpy(np.float64, na_value=np.nan),
            "mock": found["mock"].eq(True).fillna(False).to_numpy(bool),
        }
        parts.append(pd.DataFrame(columns))
    whole = pd.concat(parts, ignore_index=True)
    names = pd.Categorical.from_codes(whole.pop("code").to_numpy(), categories=workers)
    return whole.assign(worker_id=names)


def _workers_of(workspace: Workspace, since: datetime, until: datetime) -> list[str]:
    """Numbers of those who may have fixes in a span, in order: in the table or in sealed files."""
    table = workspace.table("fixes")
    query = sa.select(table.c.worker_id).distinct()
    with workspace.reading() as conn:
        where = (table.c.time >= since) & (table.c.time < until)
        found = {str(worker) for worker in conn.execute(query.where(where)).scalars()}
    day = since.date()
    for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
        folder = workspace.path / "fixes" / f"date={near.isoformat()}"
        for file in sorted(folder.glob("*.parquet")):
            column = parquet.ParquetFile(file).read(columns=["worker_id"])["worker_id"]
            found |= {str(worker) for worker in column.unique().to_pylist()}
    return sorted(found)
