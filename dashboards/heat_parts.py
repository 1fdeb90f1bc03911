"""What surfaces of heat are made of: a city in metres, its points, hexagons, minutes of patrols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
from geopandas import GeoDataFrame

from dashboards.store import Store
from geo.errors import CoverError
from geo.heat import (
    DegreeFinder,
    Finder,
    HeatGround,
    HeatPoints,
    find_hexagons,
    heat_points,
    share_households,
)
from geo.io._heat_effort import Effort
from geo.io.case_columns import CaseColumns, local_days, local_hours
from geo.locate import GridIndex


@dataclass(frozen=True, eq=False)
class City:
    """Grids in metres for one boundary version."""

    stamp: str
    grids: GeoDataFrame
    index: Finder
    households: npt.NDArray[np.float64]
    crs: pyproj.CRS


def index_in_metres(grids: GeoDataFrame, degrees: GridIndex | None, crs: pyproj.CRS) -> Finder:
    """An index of grids in metres, by degrees where their cover does not survive projection."""
    try:
        return GridIndex(grids)
    except CoverError:
        if degrees is None:
            raise
        return DegreeFinder(degrees, crs)


def hexagons_of(city: City, resolution: int) -> GeoDataFrame:
    """Hexagons over a city with `households`, an estimate."""
    shapes = find_hexagons(city.grids, resolution)
    homes = share_households(shapes, city.grids, city.households)
    return shapes.assign(households=homes)


def make_points(cases: CaseColumns, city: City, store: Store) -> HeatPoints:
    """Cases as points of heat on the grids of a city."""
    change = pyproj.Transformer.from_crs("EPSG:4326", city.crs, always_xy=True)
    placed = np.flatnonzero(cases.placed)
    x, y = np.full(len(cases), np.nan), np.full(len(cases), np.nan)
    x[placed], y[placed] = change.transform(cases.lon[placed], cases.lat[placed])
    # By degrees, as every page attributes cases.
    index = store.snapshot().city.index
    rows = (
        np.full(len(cases), -1, np.int32) if index is None else index.assign(cases.lon, cases.lat)
    )
    days, hours = (part(cases.reported, store.zone) for part in (local_days, local_hours))
    return heat_points(x, y, days, hours, cases.class_code, rows, sources=cases.source)


def minutes_on_cells(effort: Effort, ground: HeatGround) -> npt.NDArray[np.float64]:
    """Minutes by cell of the ground."""
    out = np.zeros(ground.shape)
    if not len(effort.lon):
        return out
    change = pyproj.Transformer.from_crs("EPSG:4326", ground.crs, always_xy=True)
    u, v = ground.cells_of(*change.transform(effort.lon, effort.lat))
    column, row = np.round(u).astype(int), np.round(v).astype(int)
    rows, columns = ground.shape
    there = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    np.add.at(out, (row[there], column[there]), effort.minutes[there])
    return out


def by_area(values: pd.Series) -> pd.Series:
    """Counts without the last row, which has what is in no area."""
    return values.iloc[:-1]
