"""Judge the rounds of one day of a workspace: tables in, `geo.rounds.Judged` out.

Borders are those of the day, posts those of today: who walked where before is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import pandas as pd
import pyarrow.parquet as pq
import pyproj
import sqlalchemy as sa
from geopandas import GeoDataFrame

from dashboards.city import LEVELS, City
from geo.io.rules import read_rounds, read_rules
from geo.io.workspace import Workspace
from geo.rounds import Judged, PlaceBook, Schedule, build_places, judge_rounds

REACH = timedelta(hours=1)
"""Fixes are read so much longer than the day on both sides, or a round at midnight would begin and
end with a gap."""


HEARD_DAYS = 7
"""A phone that was not heard for so long is not waited for; we assume a week has every duty."""


@dataclass(frozen=True, eq=False)
class ShiftGround:
    """What the days of one state of borders, places and rules have in common."""

    grids: GeoDataFrame
    """In metres."""
    units: pd.DataFrame
    """Codes of the divisions above each grid, from the city down."""
    schedule: Schedule
    places: PlaceBook | None
    crs: pyproj.CRS


def read_shift_ground(workspace: Workspace, city: City) -> ShiftGround | None:
    """Bring the grids and what must be visited in them into metres; None without grids."""
    if not len(city.grids):
        return None
    crs = workspace.metric_crs()
    grids = city.grids[["geometry"]].to_crs(crs)
    columns = [f"{level}_code" for level in LEVELS if f"{level}_code" in city.places]
    units = city.places[columns]
    schedule = read_rounds(workspace.path)
    places = None
    if schedule.places:
        kinds = {rule.kind for rule in schedule.places}
        assets = roads = None
        if "asset" in kinds:
            names = ["class_code", "name", "geom"]
            both = [workspace.read(table, columns=names) for table in ("assets", "cameras")]
            assets = GeoDataFrame(pd.concat(both), geometry="geometry", crs=4326).to_crs(crs)
        if "street" in kinds:
            roads = workspace.read("roads").to_crs(crs)
        places = build_places(schedule, grids, assets=assets, roads=roads, units=units)
    return ShiftGround(grids, units, schedule, places, crs)


def judge_day(
    workspace: Workspace, ground: ShiftGround, people: pd.DataFrame, day: date, at: datetime
) -> Judged:
    """Find what became of the rounds of a day as of `at`, in the city's zone."""
    zone = workspace.zone
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    longest = max((rule.minutes for rule in ground.schedule.rounds), default=0)
    until = midnight + timedelta(days=1, minutes=longest) + REACH
    fixes = workspace.read_fixes(since=midnight - REACH, until=min(until, at))
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", ground.crs, always_xy=True)
    x, y = to_metres.transform(fixes["lon"].to_numpy(float), fixes["lat"].to_numpy(float))
    posts = people["unit_code"]
    posts = posts[posts.isin(ground.grids.index)]
    needs_calendar = any(rule.days != "all" for rule in ground.schedule.rounds)
    return judge_rounds(
        ground.grids,
        fixes.assign(x=x, y=y),
        posts,
        day=day,
        at=at,
        zone=zone,
        schedule=ground.schedule,
        units=ground.units,
        roles=people["role"],
        calendar=read_rules(workspace).calendar if needs_calendar else None,
        places=ground.places,
        phones=phones_of(workspace, day),
    )


def phones_of(workspace: Workspace, day: date | None = None) -> pd.Index:
    """Workers whose phone was heard in the HEARD_DAYS before a day, or on it; today without one.

    Only for these is waited: a phone that was never heard says neither yes nor no, and a grid with
    such phones alone stays unknown.
    """
    zone = workspace.zone
    last = day or max(workspace.days_of_fixes(), default=date.max)
    first = date.min if last == date.max else last - timedelta(days=HEARD_DAYS)
    found: set[str] = set()
    for one in workspace.days_of_fixes():
        if first <= one and (day is None or one <= day):
            for file in sorted((workspace.path / "fixes" / f"date={one}").glob("part-*.parquet")):
                stat = file.stat()
                found |= _heard_in(str(file), stat.st_size, stat.st_mtime_ns)
    fixes = workspace.table("fixes")
    query = sa.select(fixes.c.worker_id).distinct()
    if day is not None:
        midnight = datetime.combine(day, time(0), tzinfo=zone)
        query = query.where(fixes.c.time >= midnight - timedelta(days=HEARD_DAYS))
        query = query.where(fixes.c.time < midnight + timedelta(days=1))
    with workspace.reading() as conn:
        found |= {str(label) for label in conn.execute(query).scalars()}
    return pd.Index(sorted(found), dtype=object)


@lru_cache(maxsize=64)
def _heard_in(path: str, size: int, changed: int) -> frozenset[str]:
    """Whose fixes are in a sealed file; size and time of change tell one content from another."""
    column = pq.read_table(path, columns=["worker_id"], partitioning=None)["worker_id"]
    return frozenset(str(label) for label in column.unique().to_pylist())
