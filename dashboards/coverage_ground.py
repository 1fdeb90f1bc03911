"""What several choices of coverage share: ground in metres, views of cameras, walks by day.

Each is made once for a version of its tables and kept by `dashboards.coverage_days`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import sqlalchemy as sa
from geopandas import GeoDataFrame, GeoSeries

from dashboards.city import City
from dashboards.store import Store
from geo.io.service import read_service_distances
from geo.io.workspace import Workspace
from geo.locate import GridIndex
from geo.reach import (
    Covered,
    StreetPieces,
    cover_walks,
    cut_streets,
    find_walks,
    join_covered,
    lay_lines,
)
from geo.served import is_working, service_distance
from geo.views import view_sectors

CAMERA_CLASS = "0136"
POLE_CLASS = "0118"
"""Lamp posts: what a camera can hang on."""

WEEK = 7
_AT_ONCE = 400
"""Cameras whose views are drawn between two words about how far that is."""


@dataclass(frozen=True, eq=False)
class CityGround:
    """Grids and streets in metres."""

    stamp: str
    city: City
    crs: pyproj.CRS
    grids: GeoDataFrame
    roads: GeoDataFrame
    """All of them, with `road_class` and `name`, in the order of `pieces.road`."""
    pieces: StreetPieces
    lines: Any
    """Dots of the ground, from `geo.reach.lay_lines`."""
    index: GridIndex

    def row_of(self, points: GeoSeries) -> npt.NDArray[np.int64]:
        """Row of the grid of each point, -1 outside."""
        found = self.index.assign(points.x.to_numpy(), points.y.to_numpy())
        return np.asarray(found, dtype=np.int64)


def read_city_ground(workspace: Workspace, city: City, stamp: str) -> CityGround | None:
    """Bring grids and streets into metres; None for a city without grids."""
    if not len(city.grids):
        return None
    crs = workspace.metric_crs()
    grids = city.grids[["geometry"]].to_crs(crs)
    roads = workspace.read("roads", columns=["road_class", "name", "geom"])
    roads = GeoDataFrame(roads, geometry="geometry", crs=4326).to_crs(crs)
    pieces = cut_streets(roads, grids)
    return CityGround(stamp, city, crs, grids, roads, pieces, lay_lines(grids), GridIndex(grids))


@dataclass(frozen=True, eq=False)
class Seen:
    """What cameras see."""

    total: int
    broken: int
    """Do not work, so they see nothing."""
    views: GeoSeries
    """Of working cameras with a known view, EPSG:4326."""
    views_m: GeoSeries
    unknown: GeoSeries
    """Places of working cameras whose view is not known, EPSG:4326."""
    unknown_m: GeoSeries
    unknown_range_m: float
    """How far around them nobody can say; the distance of cameras in service_distances.csv."""
    buildings_m: GeoDataFrame | None


def read_seen(workspace: Workspace, crs: pyproj.CRS, tell: Callable[[str, float], None]) -> Seen:
    """Draw the views of all working cameras, cut by buildings where footprints are known."""
    names = ["state", "bearing_deg", "angle_deg", "range_m", "geom"]
    cameras = workspace.read("cameras", columns=names)
    cameras = GeoDataFrame(cameras, geometry="geometry", crs=4326)
    works = is_working(cameras)
    mine = cameras[works]
    read = workspace.read("buildings", columns=["geom"])
    buildings = GeoDataFrame(read, geometry="geometry", crs=4326) if len(read) else None
    parts = []
    for first in range(0, len(mine), _AT_ONCE):
        tell("views", 0.05 + 0.4 * first / len(mine))
        parts.append(view_sectors(mine.iloc[first : first + _AT_ONCE], buildings=buildings))
    views = GeoSeries(pd.concat(parts), crs=4326) if parts else GeoSeries([], crs=4326)
    known = ~(views.isna() | views.is_empty).to_numpy(dtype=bool)
    distances = read_service_distances(workspace.path)["distance_m"].to_dict()
    unknown = mine.geometry[~known]
    there = unknown[~(unknown.isna() | unknown.is_empty)]
    return Seen(
        total=len(cameras),
        broken=int((~works).sum()),
        views=views[known],
        views_m=views[known].to_crs(crs),
        unknown=there,
        unknown_m=there.to_crs(crs),
        unknown_range_m=service_distance(CAMERA_CLASS, distances),
        buildings_m=None if buildings is None else buildings.to_crs(crs),
    )


@dataclass(frozen=True, eq=False)
class Patrolled:
    """Where people were in some days."""

    covered: Covered | None
    """None without any fix."""
    heard: frozenset[str]
    silent: npt.NDArray[np.int64]
    """Rows of grids that have people of whom none was heard in these days."""


@dataclass(frozen=True, eq=False)
class _Day:
    stamp: str
    covered: Covered | None
    heard: frozenset[str]


@dataclass
class PatrolBook:
    """Coverage of single days, kept while their fixes stay the same; for one thread."""

    days: dict[date, _Day] = field(default_factory=dict)
    ground: str = ""

    def read(
        self,
        store: Store,
        ground: CityGround,
        count: int,
        at: datetime,
        tell: Callable[[str, float], None],
    ) -> Patrolled:
        """Join the last `count` days up to `at`, today included."""
        if self.ground != ground.stamp:
            self.days, self.ground = {}, ground.stamp
        today = at.astimezone(store.zone).date()
        wanted = [today - timedelta(days=k) for k in range(count)]
        for number, day in enumerate(wanted):
            tell("fixes", 0.05 + 0.4 * number / count)
            stamp = day_stamp(store, day)
            known = self.days.get(day)
            if known is None or known.stamp != stamp:
                self.days[day] = _read_day(store, ground, day, stamp, at)
        for day in sorted(self.days)[: max(0, len(self.days) - WEEK - 1)]:
            del self.days[day]
        found = [self.days[day] for day in wanted]
        parts = [one.covered for one in found if one.covered is not None]
        heard = frozenset().union(*(one.heard for one in found))
        covered = join_covered(*parts) if parts else None
        return Patrolled(covered, heard, _silent(store, ground, heard))


def _read_day(store: Store, ground: CityGround, day: date, stamp: str, at: datetime) -> _Day:
    since, until = _bounds(store, day)
    fixes = store.workspace.read_fixes(since=since, until=min(until, at))
    if not len(fixes):
        return _Day(stamp, None, frozenset())
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", ground.crs, always_xy=True)
    x, y = to_metres.transform(fixes["lon"].to_numpy(float), fixes["lat"].to_numpy(float))
    heard = frozenset(str(label) for label in fixes["worker_id"].unique())
    walks = find_walks(fixes.assign(x=x, y=y))
    covered = cover_walks(ground.pieces, ground.lines, walks, radius_m=store.settings.reach_m)
    return _Day(stamp, covered, heard)


def _silent(store: Store, ground: CityGround, heard: frozenset[str]) -> npt.NDArray[np.int64]:
    """Grids whose people were all silent: no signal is no absence."""
    posts = store.snapshot().workers.people["unit_code"].dropna()
    posts = posts[posts.isin(ground.grids.index)]
    spoke = posts[posts.index.isin(heard)]
    quiet = [ground.city.position[str(code)] for code in set(posts) - set(spoke)]
    return np.array(sorted(quiet), dtype=np.int64)


def day_stamp(store: Store, day: date) -> str:
    """Changes when fixes of a day do: its sealed files, and how many wait in the table."""
    since, until = _bounds(store, day)
    folder = store.workspace.path / "fixes"
    told: list[object] = []
    for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
        for file in sorted((folder / f"date={near.isoformat()}").glob("*.parquet")):
            stat = file.stat()
            told.append((file.name, stat.st_size, stat.st_mtime_ns))
    fixes = store.workspace.table("fixes")
    query = sa.select(sa.func.count(), sa.func.max(fixes.c.fid)).where(
        fixes.c.time >= since, fixes.c.time < until
    )
    with store.workspace.reading() as conn:
        told.append(tuple(conn.execute(query).one()))
    return repr(told)


def _bounds(store: Store, day: date) -> tuple[datetime, datetime]:
    zone = store.zone
    return (
        datetime.combine(day, time(0), tzinfo=zone),
        datetime.combine(day + timedelta(days=1), time(0), tzinfo=zone),
    )
