"""What patrols did today, for the figures of pages; computed in the background.

Rounds and coverage follow `geo.rounds` and `geo.reach`, by the schedule and `reach_m`. A city
without fixes of today knows nothing of either. A grid whose phones were silent has a round that is
required and not known to be done. The fixes of the day are kept as columns and only what is new is
read, so that the cost follows what came in and not the hour of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
from geopandas import GeoDataFrame

from dashboards.city import City
from dashboards.figures import Patrol
from dashboards.settings import Settings
from dashboards.shift_judge import ShiftGround, phones_of, read_shift_ground
from geo.io.rules import read_rules, rules_stamp
from geo.io.sealed import read_sealed
from geo.io.workspace import Workspace
from geo.reach import StreetPieces, cut_streets, find_paths, measure_coverage
from geo.rounds import count_rounds, judge_rounds

EVERY = timedelta(minutes=3)
"""How often the figures of patrols are computed again."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Grids and streets in metres: made once for a version of the borders and roads."""

    stamp: str
    grids: GeoDataFrame
    pieces: StreetPieces
    crs: pyproj.CRS
    city: City


def read_ground(workspace: Workspace, city: City, stamp: str) -> Ground | None:
    """Bring grids and streets into metres; None for a city without grids."""
    if not len(city.grids):
        return None
    crs = workspace.metric_crs()
    grids = city.grids[["geometry"]].to_crs(crs)
    roads = workspace.read("roads", columns=["road_class", "geom"]).to_crs(crs)
    return Ground(stamp, grids, cut_streets(roads, grids), crs, city)


def read_patrol(
    workspace: Workspace, ground: Ground, people: pd.DataFrame, at: datetime, settings: Settings
) -> Patrol | None:
    """Rounds and streets reached since midnight; None if there is no fix of today."""
    return PatrolDay().read(workspace, ground, people, at, settings)


class PatrolDay:
    """The fixes of the present day, followed; one thread at a time."""

    def __init__(self) -> None:
        self._day: tuple[datetime, str] | None = None
        self._last = 0
        self._sealed: tuple[str, ...] = ()
        self._ids: dict[str, int] = {}
        self._parts: list[_Columns] = []
        self._shifts: tuple[str, ShiftGround | None] = ("", None)
        self._phones: tuple[datetime | None, pd.Index] = (None, pd.Index([]))

    def read(
        self, workspace: Workspace, ground: Ground, people: pd.DataFrame, at: datetime,
        settings: Settings,
    ) -> Patrol | None:  # fmt: skip
        """Rounds and streets reached since midnight; None if there is no fix of today."""
        local = at.astimezone(settings.zone)
        midnight = datetime.combine(local.date(), time(0), tzinfo=settings.zone)
        self._follow(workspace, ground, midnight)
        fixes = self._table(at)
        if not len(fixes):
            return None
        shifts = self._read_shifts(workspace, ground)
        posts = people["unit_code"]
        needs_calendar = any(rule.days != "all" for rule in shifts.schedule.rounds)
        judged = judge_rounds(
            ground.grids,
            fixes,
            posts[posts.isin(ground.grids.index)],
            day=local.date(),
            at=at,
            zone=settings.zone,
            schedule=shifts.schedule,
            units=shifts.units,
            roles=people["role"],
            calendar=read_rules(workspace).calendar if needs_calendar else None,
            places=shifts.places,
            phones=self._find_phones(workspace, midnight),
        )
        counted = count_rounds(judged.rounds).reindex(ground.grids.index)
        # A grid that no rule asks a round of owes none.
        counted = counted.fillna(0)
        reached = measure_coverage(
            ground.grids, ground.pieces, find_paths(fixes), radius_m=settings.reach_m
        )
        columns = (counted["required"], counted["done"], reached["street_m"], reached["covered_m"])
        return Patrol(*(np.asarray(column.to_numpy(dtype=np.float64)) for column in columns))

    def _find_phones(self, workspace: Workspace, midnight: datetime) -> pd.Index:
        """Whose word is waited for: asked once a day, and whoever was heard since."""
        if self._phones[0] != midnight:
            self._phones = (midnight, phones_of(workspace, midnight.date()))
        return self._phones[1].union(pd.Index(list(self._ids), dtype=object), sort=False)

    def _read_shifts(self, workspace: Workspace, ground: Ground) -> ShiftGround:
        """Schedule and places, read again when the rules, the borders or the places changed."""
        stamp = f"{ground.stamp}.{rules_stamp(workspace)}.{workspace.stamp('assets', 'cameras')}"
        if self._shifts[0] != stamp or self._shifts[1] is None:
            self._shifts = (stamp, read_shift_ground(workspace, ground.city))
        assert self._shifts[1] is not None
        return self._shifts[1]

    def _follow(self, workspace: Workspace, ground: Ground, midnight: datetime) -> None:
        """Read what came in since the last time; all of the day at its first."""
        key = (midnight, str(ground.crs))
        sealed = _sealed_names(workspace.path / "fixes", midnight)
        if self._day != key or sealed != self._sealed:
            self._parts, self._ids, self._last = [], {}, 0
            self._day, self._sealed = key, sealed
            cold = read_sealed(workspace.path / "fixes", since=midnight)
            self._add(cold, ground)
        hot, last = workspace.read_hot_fixes(after=self._last, since=midnight)
        if last < self._last:
            # Past days were sealed and numbers begin anew: what came since may have any.
            self._day = None
            self._follow(workspace, ground, midnight)
            return
        self._last = last
        self._add(hot, ground)

    def _add(self, frame: pd.DataFrame, ground: Ground) -> None:
        if not len(frame):
            return
        codes, names = pd.factorize(frame["worker_id"])
        place = [self._ids.setdefault(str(name), len(self._ids)) for name in names]
        to_metres = pyproj.Transformer.from_crs("EPSG:4326", ground.crs, always_xy=True)
        lon, lat = (frame[name].to_numpy(dtype=np.float64) for name in ("lon", "lat"))
        x, y = to_metres.transform(lon, lat)
        west, south = ground.grids.total_bounds[:2]
        plain = frame["time"].dt.tz_convert("UTC").dt.tz_localize(None)
        self._parts.append(
            _Columns(
                np.array(place, dtype=np.int32)[codes],
                plain.to_numpy().astype("datetime64[us]"),
                (np.asarray(x) - west).astype(np.float32),
                (np.asarray(y) - south).astype(np.float32),
                frame["accuracy_m"].to_numpy(dtype=np.float32, na_value=np.nan),
                frame["mock"].fillna(False).to_numpy(dtype=np.bool_),
                (float(west), float(south)),
            )
        )
        if len(self._parts) > 64:
            self._parts = [_join(self._parts)]

    def _table(self, until: datetime) -> pd.DataFrame:
        """The day as fixes in metres; a fix that stands in two stores comes twice."""
        if not self._parts:
            return pd.DataFrame()
        self._parts = [_join(self._parts)]
        (whole,) = self._parts
        west, south = whole.origin
        # Looking is by the moment, so what a phone says of the future waits.
        now = pd.Timestamp(until).tz_convert("UTC").tz_localize(None).to_datetime64()
        mine = whole.time <= now
        names = pd.Index(list(self._ids), dtype=object)
        return pd.DataFrame(
            {
                "worker_id": pd.Categorical.from_codes(whole.who[mine], categories=names),
                "time": pd.DatetimeIndex(whole.time[mine]).tz_localize("UTC"),
                "x": whole.x[mine].astype(np.float64) + west,
                "y": whole.y[mine].astype(np.float64) + south,
                "accuracy_m": whole.accuracy_m[mine].astype(np.float64),
                "mock": whole.mock[mine],
            }
        )


@dataclass(frozen=True, eq=False)
class _Columns:
    """Fixes in 25 bytes each: metres from the south-west corner, to a centimetre at 100 km."""

    who: npt.NDArray[np.int32]
    time: npt.NDArray[np.datetime64]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    accuracy_m: npt.NDArray[np.float32]
    mock: npt.NDArray[np.bool_]
    origin: tuple[float, float]


def _join(parts: list[_Columns]) -> _Columns:
    if len(parts) == 1:
        return parts[0]
    return _Columns(
        np.concatenate([part.who for part in parts]),
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.accuracy_m for part in parts]),
        np.concatenate([part.mock for part in parts]),
        parts[0].origin,
    )


def _sealed_names(folder: Path, midnight: datetime) -> tuple[str, ...]:
    """Sealed files that may hold fixes of the day, by name and size."""
    days = (midnight.date() + timedelta(days=k) for k in (-1, 0, 1))
    files = (f for day in days for f in sorted((folder / f"date={day}").glob("part-*.parquet")))
    return tuple(f"{file.parent.name}/{file.name}.{file.stat().st_size}" for file in files)
