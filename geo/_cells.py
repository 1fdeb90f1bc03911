"""Many places that stand still, found by a box or a circle: points in cells, shapes in a tree.

Points are sorted by cell, row by row of cells, so a box is a few slices of one array. A cell holds
about eight points. Points far outside of the rest are put into the outermost cells, so a stray
one does not make all cells coarse. Memory: 24 bytes a point (place, row, its share of the cells);
shapes take what shapely needs for them, and 24 bytes for a point on each.
"""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._metres import Floats, box_around, measure_m, nearest_on, require_degrees

Rows = NDArray[np.intp]
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


class Found(NamedTuple):
    """Rows that answer, the metres to each, and the point to which they go."""

    rows: Rows
    metres: Floats
    lon: Floats
    lat: Floats

    def first(self, count: int) -> Found:
        """The first so many."""
        return self._at(slice(count))

    def only(self, which: NDArray[np.bool_]) -> Found:
        """Those marked."""
        return self._at(which)

    def nearest_first(self) -> Found:
        """By distance, then by row."""
        return self._at(np.lexsort((self.rows, self.metres)))

    def _at(self, which: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Found:
        return Found(self.rows[which], self.metres[which], self.lon[which], self.lat[which])


_POINTS_PER_CELL = 8.0
_OUTSIDE = 0.005
"""Share of the points on each side that the lattice need not reach."""


class PointCells:
    """Points in cells; `rows` are the numbers that answers give, without them 0, 1, 2."""

    def __init__(self, lon: Floats, lat: Floats, rows: NDArray[np.intp] | None = None) -> None:
        good = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
        numbers = np.arange(len(lon)) if rows is None else rows
        lon, lat, numbers = lon[good], lat[good], numbers[good]
        self._west, self._east = _reach(lon)
        self._south, self._north = _reach(lat)
        wide, high = self._east - self._west, self._north - self._south
        shape = np.cos(np.radians(min(abs(self._south + high / 2), 89.0)))
        cells = max(len(lon) / _POINTS_PER_CELL, 1.0)
        share = np.sqrt(max(wide * shape, 1e-9) / max(high, 1e-9))
        self._nx = int(np.clip(round(np.sqrt(cells) * share), 1, 4096))
        self._ny = int(np.clip(round(cells / self._nx), 1, 4096))
        cell = self._row_of(lat) * self._nx + self._column_of(lon)
        order = np.argsort(cell, kind="stable")
        self._lon, self._lat = lon[order], lat[order]
        self._numbers = numbers[order].astype(np.int32)
        counts = np.bincount(cell, minlength=self._nx * self._ny)
        self._start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def nbytes(self) -> int:
        """Bytes that the cells take."""
        tables = (self._lon, self._lat, self._numbers, self._start)
        return sum(table.nbytes for table in tables)

    def in_box(self, box: Box) -> tuple[Rows, Floats, Floats]:
        """Rows, lon and lat of the points in a box, its border included."""
        west, south, east, north = box
        left, right = self._column_of(np.array([west, east]))
        low, high = self._row_of(np.array([south, north]))
        first = np.arange(low, high + 1) * self._nx
        slices = [
            np.arange(a, b)
            for a, b in zip(self._start[first + left], self._start[first + right + 1], strict=True)
            if a < b
        ]
        slots = np.concatenate(slices) if slices else np.empty(0, dtype=np.intp)
        lon, lat = self._lon[slots], self._lat[slots]
        inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        return self._numbers[slots[inside]].astype(np.intp), lon[inside], lat[inside]

    def within(self, lon: float, lat: float, radius_m: float) -> Found:
        """The points in a circle, nearest first, then by row."""
        rows, lons, lats = self.in_box(box_around(lon, lat, radius_m))
        found = Found(rows, measure_m(lon, lat, lons, lats), lons, lats)
        return found.only(found.metres <= radius_m).nearest_first()

    def nearest(self, lon: float, lat: float, k: int, most_m: float) -> Found:
        """The k nearest points that are at most that far, nearest first."""
        radius = min(100.0, most_m)
        while True:
            found = self.within(lon, lat, radius)
            if len(found.rows) >= k or radius >= most_m:
                return found.first(k)
            radius = min(radius * 2, most_m)

    def _column_of(self, lon: Floats) -> NDArray[np.int64]:
        size = max(self._east - self._west, 1e-9) / self._nx
        return np.clip(np.floor((lon - self._west) / size), 0, self._nx - 1).astype(np.int64)

    def _row_of(self, lat: Floats) -> NDArray[np.int64]:
        size = max(self._north - self._south, 1e-9) / self._ny
        return np.clip(np.floor((lat - self._south) / size), 0, self._ny - 1).astype(np.int64)


class PlaceLayer:
    """A table of points, lines and areas in EPSG:4326, with its columns."""

    def __init__(self, frame: gpd.GeoDataFrame, name: str) -> None:
        require_degrees(**{name: frame})
        shapes = frame.geometry.to_numpy()
        self.table = pd.DataFrame(frame.drop(columns=frame.geometry.name))
        there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        is_point = there & (shapely.get_type_id(shapes) == 0)
        points = np.flatnonzero(is_point)
        self._points = PointCells(
            shapely.get_x(shapes[points]), shapely.get_y(shapes[points]), points
        )
        self._others = np.flatnonzero(there & ~is_point)
        self._shapes = shapes[self._others]
        self._tree = shapely.STRtree(self._shapes)
        on_it = shapely.point_on_surface(self._shapes)
        self._middles = PointCells(shapely.get_x(on_it), shapely.get_y(on_it), self._others)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def nbytes(self) -> int:
        """Bytes that the cells take, the table, shapes and tree not counted."""
        return self._points.nbytes + self._middles.nbytes

    def within(self, lon: float, lat: float, radius_m: float) -> Found:
        """What reaches into a circle, nearest first, then by row."""
        points = self._points.within(lon, lat, radius_m)
        if not len(self._shapes):
            return points
        shapes = self._reaching(lon, lat, radius_m)
        both = (np.concatenate(pair) for pair in zip(points, shapes, strict=True))
        return Found(*both).nearest_first()

    def in_box(self, box: Box) -> tuple[Rows, Floats, Floats]:
        """Rows of what has its place in a box, and that place: of a line or area a point on it."""
        one, two = self._points.in_box(box), self._middles.in_box(box)
        return (
            np.concatenate([one[0], two[0]]),
            np.concatenate([one[1], two[1]]),
            np.concatenate([one[2], two[2]]),
        )

    def nearest_shape(self, lon: float, lat: float, most_m: float) -> Found:
        """The nearest line or area, if one is at most that far."""
        radius = min(50.0, most_m)
        while True:
            found = self._reaching(lon, lat, radius).nearest_first()
            if len(found.rows) or radius >= most_m:
                return found.first(1)
            radius = min(radius * 4, most_m)

    def _reaching(self, lon: float, lat: float, radius_m: float) -> Found:
        hits = self._tree.query(shapely.box(*box_around(lon, lat, radius_m)))
        found = Found(self._others[hits], *nearest_on(lon, lat, self._shapes[hits]))
        return found.only(found.metres <= radius_m)


def _reach(values: Floats) -> tuple[float, float]:
    """From where to where the lattice goes: all but the outermost points."""
    if not len(values):
        return 0.0, 0.0
    low, high = np.quantile(values, [_OUTSIDE, 1 - _OUTSIDE])
    return float(low), float(high)
