"""What patrols did today, for the figures of pages; computed in the background.

Rounds and coverage follow `geo.rounds` and `geo.reach`. A city without fixes of today knows nothing
of either. A grid whose phones were silent has a round that is required and not known to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
import pandas as pd
import pyproj
from geopandas import GeoDataFrame

from dashboards.city import City
from dashboards.figures import Patrol
from dashboards.settings import Settings
from geo.io.workspace import Workspace
from geo.reach import StreetPieces, cut_streets, find_paths, measure_coverage
from geo.rounds import count_rounds, find_rounds

EVERY = timedelta(minutes=3)
"""How often the figures of patrols are computed again."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Grids and streets in metres: made once for a version of the borders and roads."""

    stamp: str
    grids: GeoDataFrame
    pieces: StreetPieces
    crs: pyproj.CRS


def read_ground(workspace: Workspace, city: City, stamp: str) -> Ground | None:
    """Bring grids and streets into metres; None for a city without grids."""
    if not len(city.grids):
        return None
    crs = workspace.metric_crs()
    grids = city.grids[["geometry"]].to_crs(crs)
    roads = workspace.read("roads", columns=["road_class", "geom"]).to_crs(crs)
    return Ground(stamp, grids, cut_streets(roads, grids), crs)


def read_patrol(
    workspace: Workspace, ground: Ground, people: pd.DataFrame, at: datetime, settings: Settings
) -> Patrol | None:
    """Rounds and streets reached since midnight; None if there is no fix of today."""
    local = at.astimezone(settings.zone)
    midnight = datetime.combine(local.date(), time(0), tzinfo=settings.zone)
    fixes = workspace.read_fixes(since=midnight, until=at)
    if not len(fixes):
        return None
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", ground.crs, always_xy=True)
    x, y = to_metres.transform(fixes["lon"].to_numpy(float), fixes["lat"].to_numpy(float))
    fixes = fixes.assign(x=x, y=y)
    posts = people["unit_code"]
    posts = posts[posts.isin(ground.grids.index)]
    rounds = find_rounds(ground.grids, fixes, posts, day=local.date(), at=at, zone=settings.zone)
    counted = count_rounds(rounds).reindex(ground.grids.index)
    reached = measure_coverage(ground.grids, ground.pieces, find_paths(fixes))
    columns = (counted["required"], counted["done"], reached["street_m"], reached["covered_m"])
    return Patrol(*(np.asarray(column.to_numpy(dtype=np.float64)) for column in columns))
