"""Where an invented city lies, and how its metres become longitude and latitude.

A city is built in metres about its own middle. It is then moved to its place in the 3-degree
Gauss-Krüger zone of that place and turned into degrees once, rounded to seven decimals (a
centimetre), so that an export with seven decimals loses nothing. Equal metres give equal
degrees, so shapes that fit before still fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from geo.datum import metric_crs
from geo.schema import STORAGE_CRS

Reals = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

DECIMALS = 7


@cache
def _way_back(lon: float, lat: float) -> tuple[pyproj.Transformer, int, int]:
    """From the metric CRS of a spot to degrees, and the spot in whole metres; slow to make."""
    crs = metric_crs(lon, lat)
    there = pyproj.Transformer.from_crs(STORAGE_CRS, crs, always_xy=True)
    east, north = (round(value) for value in there.transform(lon, lat))
    return pyproj.Transformer.from_crs(crs, STORAGE_CRS, always_xy=True), east, north


@dataclass(frozen=True)
class Place:
    """A spot on earth, in degrees."""

    lon: float
    lat: float

    def degrees(self, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        """Longitude and latitude of points given in metres about the middle."""
        back, east, north = _way_back(self.lon, self.lat)
        lon, lat = back.transform(np.asarray(x) + east, np.asarray(y) + north)
        return np.round(lon, DECIMALS), np.round(lat, DECIMALS)

    def to_degrees(self, shapes: Shapes) -> Shapes:
        """Shapes in degrees."""
        points = shapely.get_coordinates(shapes)
        lon, lat = self.degrees(points[:, 0], points[:, 1])
        return np.asarray(shapely.set_coordinates(shapes.copy(), np.column_stack([lon, lat])))


def merge_blocks(blocks: Shapes, label: npt.NDArray[np.int64]) -> Shapes:
    """The union of the blocks of each label from 0 on; every vertex of a border stays."""
    order = np.argsort(label, kind="stable")
    groups = np.split(blocks[order], np.cumsum(np.bincount(label))[:-1])
    return np.array([shapely.coverage_union_all(group) for group in groups], dtype=object)
