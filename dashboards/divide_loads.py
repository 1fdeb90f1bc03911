"""What a unit of a plan weighs when work is balanced and not households alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from dashboards.components.case_moves import RequestError
from dashboards.store import Store
from dashboards.words import Words
from geo.divide import weigh_units
from geo.errors import InputError
from geo.locate import GridIndex
from geo.schema import STORAGE_CRS

WEIGHTS = ("households", "population", "incidents", "assets", "street_km")
"""What a workload may count: incidents are those of the last YEAR_DAYS, streets those to walk."""

WALKED = ("arterial", "main", "minor")
"""Classes of road that a patrol walks."""

_BESIDE_M = 15.0
"""A street belongs to the units within this of it: half the width of a main street."""

YEAR_DAYS = 365


def read_load(
    store: Store, units: gpd.GeoDataFrame, weights: Mapping[str, Any], words: Words
) -> np.ndarray:
    """The workload of each unit: the sum of what is counted, each times its weight.

    Raises
    ------
    RequestError
        If a weight is no number or negative, or none is above 0.
    """
    try:
        used = {name: float(weights.get(name) or 0) for name in WEIGHTS}
    except (TypeError, ValueError) as error:
        raise RequestError(words("plandivide.bad.weights"), "weights", 422) from error
    used = {name: value for name, value in used.items() if value != 0}
    table = pd.DataFrame(units[["households", "population"]])
    if set(used) & {"incidents", "assets"}:
        index = GridIndex(units.to_crs(STORAGE_CRS))
        if "incidents" in used:
            table["incidents"] = _count(index, len(units), *_incidents(store))
        if "assets" in used:
            table["assets"] = _count(index, len(units), *_assets(store))
    if "street_km" in used:
        table["street_km"] = _streets(store, units)
    try:
        return np.asarray(weigh_units(table, used), dtype=np.float64)
    except InputError as error:
        raise RequestError(words("plandivide.bad.weights"), "weights", 422) from error


def _count(index: GridIndex, size: int, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    found = index.assign(lon, lat)
    return np.bincount(found[found >= 0], minlength=size)


def _incidents(store: Store) -> tuple[np.ndarray, np.ndarray]:
    table = store.workspace.table("incidents")
    since = store.clock() - timedelta(days=YEAR_DAYS)
    return _places(store, "incidents", where=table.c.reported_at >= since)


def _assets(store: Store) -> tuple[np.ndarray, np.ndarray]:
    return _places(store, "assets")


def _places(store: Store, name: str, **which: Any) -> tuple[np.ndarray, np.ndarray]:
    shapes = store.workspace.read(name, columns=["geom"], **which).geometry.to_numpy()
    middle = shapely.point_on_surface(shapes[~shapely.is_missing(shapes)])
    return shapely.get_x(middle), shapely.get_y(middle)


def _streets(store: Store, units: gpd.GeoDataFrame) -> np.ndarray:
    """Kilometres to walk in each unit: a stretch of street is shared by the units beside it."""
    roads = read_roads_near(store, units)
    lines = roads.geometry.to_numpy()[roads["road_class"].isin(WALKED).to_numpy()]
    parts = shapely.get_parts(shapely.segmentize(lines, _BESIDE_M))
    xy, line = shapely.get_coordinates(parts, return_index=True)
    same = line[1:] == line[:-1]
    one, two = xy[:-1][same], xy[1:][same]
    tree = shapely.STRtree(units.geometry.to_numpy())
    piece, unit = tree.query(
        shapely.points((one + two) / 2), predicate="dwithin", distance=_BESIDE_M
    )
    length = np.hypot(*(two - one).T)[piece] / np.bincount(piece, minlength=len(one))[piece]
    return np.bincount(unit, weights=length / 1000, minlength=len(units))


def read_roads_near(store: Store, units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Roads around the units, in their CRS."""
    west, south, east, north = units.to_crs(STORAGE_CRS).total_bounds
    roads = store.workspace.read(
        "roads", columns=["road_class", "geom"], bbox=(west, south, east, north)
    )
    return roads.to_crs(units.crs)
