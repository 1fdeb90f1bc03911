"""The last position of each worker: the newest in the hot table and in the sealed days together.

What is known stays in memory; of a change only the fixes behind the last number are looked at. A
reading that comes late never puts a newer one back. A position older than the reach is dropped,
also when nothing new came: no signal is not a place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa

from dashboards.city import City
from geo.io.sealed import list_days, read_sealed
from geo.io.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Workers:
    """Everyone registered, and the last position of those who sent one."""

    stamp: str
    people: pd.DataFrame
    """`workers` as stored, indexed by `worker_id`."""
    positions: pd.DataFrame
    """Indexed by `worker_id`, sorted: `time` (UTC), `lon`, `lat`, `row` of the grid."""


class Positions:
    """Follows the fixes of a workspace; one thread at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._last_fid: int | None = None
        self._sealed: tuple[str, ...] = ()
        self._known = _nothing()

    def look(self, at: datetime, reach: timedelta, city: City) -> tuple[pd.DataFrame, bool]:
        """The positions within `reach` before `at`, and whether they differ from the last look."""
        since = at - reach
        fresh = self._read_hot(since)
        sealed = _sealed_files(self._workspace.path / "fixes", since)
        if sealed != self._sealed:
            self._sealed = sealed
            cold = read_sealed(self._workspace.path / "fixes", since=since)
            fresh = [*fresh, cold[["worker_id", "time", "lon", "lat"]]]
        known, before = self._known, len(self._known)
        moved = [part for part in fresh if len(part)]
        if moved:
            known = _merge(known, pd.concat(moved, ignore_index=True), city)
        known = known[known["time"] >= pd.Timestamp(since)]
        changed = bool(moved) or len(known) != before
        if changed and len(known) == before and known.equals(self._known):
            return self._known, False
        self._known = known
        return known, changed

    def place_again(self, city: City) -> pd.DataFrame:
        """The positions with the rows of other grids."""
        lon, lat = self._known["lon"].to_numpy(), self._known["lat"].to_numpy()
        self._known = self._known.assign(row=city.assign(lon, lat))
        return self._known

    def _read_hot(self, since: datetime) -> list[pd.DataFrame]:
        """The newest fix of each worker among those behind the last number."""
        fixes = self._workspace.table("fixes")
        newest = sa.select(sa.func.max(fixes.c.fid))
        wanted = fixes.c.time >= since
        with self._workspace.reading() as conn:
            last = conn.execute(newest).scalar_one() or 0
            if self._last_fid is not None:
                if last == self._last_fid:
                    return []
                if last > self._last_fid:
                    wanted &= fixes.c.fid > self._last_fid
            # With one max() SQLite takes the other columns from the row that has it.
            time = sa.type_coerce(sa.func.max(fixes.c.time), sa.Text)
            query = sa.select(fixes.c.worker_id, time, fixes.c.lon, fixes.c.lat)
            rows = conn.execute(query.where(wanted).group_by(fixes.c.worker_id)).all()
        self._last_fid = last
        if not rows:
            return []
        ids, times, lon, lat = zip(*rows, strict=True)
        moments = pd.to_datetime(pd.Series(times, dtype="str"), utc=True, format="ISO8601")
        return [
            pd.DataFrame(
                {
                    "worker_id": pd.Series(ids, dtype="str"),
                    "time": moments.astype("datetime64[us, UTC]"),
                    "lon": np.array(lon, dtype=np.float64),
                    "lat": np.array(lat, dtype=np.float64),
                }
            )
        ]


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": pd.Series(dtype="datetime64[us, UTC]"),
            "lon": pd.Series(dtype=np.float64),
            "lat": pd.Series(dtype=np.float64),
            "row": pd.Series(dtype=np.int32),
        },
        index=pd.Index([], dtype="str", name="worker_id"),
    )


def _merge(known: pd.DataFrame, fresh: pd.DataFrame, city: City) -> pd.DataFrame:
    """Of what is known and what is fresh the newest of each; on equal times the known one stays."""
    fresh = fresh.sort_values("time", kind="stable").drop_duplicates("worker_id", keep="last")
    fresh = fresh.set_index("worker_id")
    old = known["time"].reindex(fresh.index)
    fresh = fresh[~(old >= fresh["time"]).to_numpy(dtype=bool)]
    fresh = fresh.assign(row=city.assign(fresh["lon"].to_numpy(), fresh["lat"].to_numpy()))
    both = pd.concat([known[~known.index.isin(fresh.index)], fresh[list(known.columns)]])
    return both.sort_index()


def _sealed_files(folder: Path, since: datetime) -> tuple[str, ...]:
    """Names of the sealed files of the days that may reach to `since`."""
    if not folder.is_dir():
        return ()
    first = since.date() - timedelta(days=1)
    return tuple(
        f"{file.parent.name}/{file.name}"
        for day in list_days(folder)
        if day >= first
        for file in sorted((folder / f"date={day.isoformat()}").glob("part-*.parquet"))
    )
