"""An area as the address says it: a grid, a circle, a box or a polygon.

grid:420102001001001    circle:114.30,30.50,150 (metres)    box:west,south,east,north
poly:lon,lat;lon,lat;lon,lat
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyproj
import shapely

from dashboards.figures import Snapshot
from geo.errors import InputError

MOST_CORNERS = 200
MOST_RADIUS_M = 20_000.0


class AreaError(InputError):
    """The address names no area; `key` says which sentence tells why."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"area is {text[:80]!r}: {key}")
        self.key = key


@dataclass(frozen=True)
class Area:
    """An area in metres."""

    shape: shapely.Geometry
    radius_m: float
    kind: str
    name: str
    """Of the grid; empty for what was drawn."""


def read_area(text: str, snapshot: Snapshot, crs: pyproj.CRS) -> Area:
    """Read an area and bring it into `crs`.

    Raises
    ------
    AreaError
        If it is none of the four, is empty, too large, crosses itself, or no grid has the id.
    """
    kind, _, told = text.partition(":")
    if kind == "grid":
        return _grid(told, snapshot, crs)
    numbers = _numbers(told, text)
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    if kind == "circle" and len(numbers) == 3:
        lon, lat, radius = numbers
        if not 0 < radius <= MOST_RADIUS_M:
            raise AreaError("radius", text)
        _require_degrees(np.array([[lon, lat]]), text)
        return Area(shapely.Point(to_metres.transform(lon, lat)), radius, kind, "")
    if kind == "box" and len(numbers) == 4:
        west, south, east, north = numbers
        corners = np.array([[west, south], [east, south], [east, north], [west, north]])
    elif kind == "poly" and len(numbers) >= 6 and len(numbers) % 2 == 0:
        corners = np.array(numbers).reshape(-1, 2)
    else:
        raise AreaError("form", text)
    if len(corners) > MOST_CORNERS:
        raise AreaError("corners", text)
    _require_degrees(corners, text)
    shape = shapely.Polygon(np.column_stack(to_metres.transform(corners[:, 0], corners[:, 1])))
    if not shape.is_valid or not shape.area > 0:
        raise AreaError("crossed", text)
    return Area(shape, 0.0, kind, "")


def _grid(grid_id: str, snapshot: Snapshot, crs: pyproj.CRS) -> Area:
    city = snapshot.city
    row = city.position.get(grid_id)
    if row is None:
        raise AreaError("grid", grid_id)
    shape = city.grids.geometry.iloc[[row]].to_crs(crs).iloc[0]
    return Area(shape, 0.0, "grid", city.place_names[row])


def _numbers(told: str, text: str) -> list[float]:
    try:
        found = [float(part) for part in told.replace(";", ",").split(",") if part]
    except ValueError:
        raise AreaError("form", text) from None
    if not np.isfinite(found).all():
        raise AreaError("form", text)
    return found


def _require_degrees(corners: np.ndarray, text: str) -> None:
    if (np.abs(corners[:, 0]) > 180).any() or (np.abs(corners[:, 1]) > 85).any():
        raise AreaError("form", text)
