"""The last position of each worker: the newest in the hot table and in the sealed days together.

What is known stays in memory; of a change only the fixes behind the last number are looked at. A
reading that comes late never puts a newer one back. A position older than the reach is dropped,
also when nothing new came: no signal is not a place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from dashboards.city import City
from dashboards.memo import Memo
from geo.io.sealed import list_days, read_sealed
from geo.io.workspace import Workspace

Times = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Workers:
    """Everyone registered, and the last position of those who sent one."""

    stamp: str
    people: pd.DataFrame
    """`workers` as stored, indexed by `worker_id`."""
    positions: pd.DataFrame
    """Indexed by `worker_id`, sorted: `time` (UTC), `lon`, `lat`, `row` of the grid, `accuracy_m`
    (NaN if the phone said nothing), `mock`, and `slot`, a number for this start of the program."""
    memo: Memo = field(default_factory=Memo, repr=False)
    """What follows from people and boundaries; handed on while those stay the same."""


@dataclass(frozen=True)
class _Heard:
    """The newest fixes of some workers, a row each."""

    ids: list[str]
    times: Times
    place: Floats
    accuracy_m: Floats
    mock: npt.NDArray[np.bool_]


class Positions:
    """Follows the fixes of a workspace; one thread at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._last_fid: int | None = None
        self._sealed: tuple[str, ...] = ()
        self._slots: dict[str, int] = {}
        self._ids = np.empty(0, dtype=object)
        self._time = np.empty(0, dtype="datetime64[us]")
        self._place = np.empty((0, 2), dtype=np.float64)
        self._row = np.empty(0, dtype=np.int32)
        self._accuracy = np.empty(0, dtype=np.float64)
        self._mock = np.empty(0, dtype=bool)
        self._shown = np.empty(0, dtype=bool)
        self._table: pd.DataFrame | None = None

    def look(self, at: datetime, reach: timedelta, city: City) -> tuple[pd.DataFrame, bool]:
        """The positions within `reach` before `at`, and whether they differ from the last look."""
        since = at - reach
        changed = self._take(self._read_hot(since), city)
        sealed = _sealed_files(self._workspace.path / "fixes", since)
        if sealed != self._sealed:
            self._sealed = sealed
            cold = read_sealed(self._workspace.path / "fixes", since=since)
            cold = cold.sort_values("time", kind="stable").drop_duplicates("worker_id", keep="last")
            changed |= self._take(_heard(cold), city)
        shown = self._time >= np.datetime64(since.astimezone(UTC).replace(tzinfo=None), "us")
        if self._table is not None and not changed and np.array_equal(shown, self._shown):
            return self._table, False
        self._table = self._build(shown)
        return self._table, True

    @property
    def mark(self) -> str:
        """Another text after whatever changes the positions, beside the passing of time."""
        return f"{self._last_fid or 0:x}.{len(self._sealed)}"

    def place_again(self, city: City) -> pd.DataFrame:
        """The positions with the rows of other grids."""
        self._row = city.assign(self._place[:, 0], self._place[:, 1])
        self._table = self._build(self._shown)
        return self._table

    def _take(self, heard: _Heard, city: City) -> bool:
        """Take in places that are newer than what is known; whether there were any."""
        slots = np.array(
            [self._slots.setdefault(k, len(self._slots)) for k in heard.ids], dtype=np.intp
        )
        more = len(self._slots) - len(self._ids)
        if more:
            self._ids = np.array(list(self._slots), dtype=object)
            self._time = np.append(self._time, np.full(more, np.datetime64(0, "us")))
            self._place = np.vstack([self._place, np.zeros((more, 2))])
            self._row = np.append(self._row, np.full(more, -1, dtype=np.int32))
            self._accuracy = np.append(self._accuracy, np.full(more, np.nan))
            self._mock = np.append(self._mock, np.zeros(more, dtype=bool))
            self._shown = np.append(self._shown, np.zeros(more, dtype=bool))
        newer = heard.times > self._time[slots]
        slots, place = slots[newer], heard.place[newer]
        self._time[slots], self._place[slots] = heard.times[newer], place
        self._accuracy[slots], self._mock[slots] = heard.accuracy_m[newer], heard.mock[newer]
        self._row[slots] = city.assign(place[:, 0], place[:, 1])
        return bool(len(slots))

    def _build(self, shown: npt.NDArray[np.bool_]) -> pd.DataFrame:
        """The table; its index stays the same object while nobody comes or goes."""
        known = self._table
        if known is not None and len(known) and np.array_equal(shown, self._shown):
            index = known.index
        else:
            index = pd.Index(np.sort(self._ids[shown]), dtype=object, name="worker_id")
        self._shown = shown
        order = np.array([self._slots[label] for label in index], dtype=np.intp)
        return pd.DataFrame(
            {
                "time": pd.DatetimeIndex(self._time[order]).tz_localize("UTC"),
                "lon": self._place[order, 0],
                "lat": self._place[order, 1],
                "row": self._row[order],
                "accuracy_m": self._accuracy[order],
                "mock": self._mock[order],
                "slot": order.astype(np.int32),
            },
            index=index,
        )

    def _read_hot(self, since: datetime) -> _Heard:
        """The newest fix of each worker among those behind the last number."""
        fixes = self._workspace.table("fixes")
        wanted = fixes.c.time >= since
        with self._workspace.reading() as conn:
            last = conn.execute(sa.select(sa.func.max(fixes.c.fid))).scalar_one() or 0
            if self._last_fid == last:
                return _heard(pd.DataFrame(columns=list(_COLUMNS)))
            if self._last_fid is not None and last > self._last_fid:
                return self._read_new(since)
            # With one max() SQLite takes the other columns from the row that has it.
            time = sa.type_coerce(sa.func.max(fixes.c.time), sa.Text)
            query = sa.select(
                fixes.c.worker_id, time, fixes.c.lon, fixes.c.lat, fixes.c.accuracy_m, fixes.c.mock
            )
            rows = conn.execute(query.where(wanted).group_by(fixes.c.worker_id)).all()
        self._last_fid = last
        found = pd.DataFrame.from_records(rows, columns=list(_COLUMNS))
        moments = pd.to_datetime(found["time"], utc=True, format="ISO8601")
        return _heard(found.assign(time=moments))

    def _read_new(self, since: datetime) -> _Heard:
        """The same of the few that came since; grouping in SQL would walk the whole table."""
        new, self._last_fid = self._workspace.read_hot_fixes(after=self._last_fid or 0, since=since)
        newest = new.sort_values("time", kind="stable").drop_duplicates("worker_id", keep="last")
        return _heard(newest)


_COLUMNS = ("worker_id", "time", "lon", "lat", "accuracy_m", "mock")


def _heard(frame: pd.DataFrame) -> _Heard:
    """Fixes as arrays."""
    if not len(frame):
        none = np.empty(0)
        return _Heard([], none.astype("datetime64[us]"), np.empty((0, 2)), none, none.astype(bool))
    return _Heard(
        [str(label) for label in frame["worker_id"]],
        frame["time"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"),
        frame[["lon", "lat"]].to_numpy(dtype=np.float64),
        frame["accuracy_m"].to_numpy(dtype=np.float64, na_value=np.nan),
        frame["mock"].eq(True).fillna(False).to_numpy(dtype=bool),
    )


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
