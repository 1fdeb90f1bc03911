"""Assets and cameras of the city: how many of which class in each grid, and clusters for the map.

Cameras stand in a table of their own and count as assets of their class. A thing that is a line
counts where its middle is. Clusters are cells of a fixed lattice in map coordinates, so the same
place gives the same cluster at every opening of the page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from dashboards.city import City
from dashboards.memo import Memo
from geo.io.gpkg import from_blobs
from geo.io.workspace import Workspace

CELLS_PER_TILE = 5
"""Cells along the edge of a map tile of 512 px: one cluster in about 100 px."""

TABLES = ("assets", "cameras")


@dataclass(frozen=True, eq=False)
class Inventory:
    """Every asset as longitude, latitude, class and row of its grid (-1 outside of all)."""

    stamp: str
    classes: tuple[str, ...]
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    code: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    cameras: int
    counts: npt.NDArray[np.int64]
    """Grids by classes."""
    memo: Memo = field(default_factory=Memo, repr=False)
    """What others worked out for these assets."""
    _clusters: dict[int, pd.DataFrame] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __len__(self) -> int:
        return len(self.lon)

    @property
    def per_grid(self) -> npt.NDArray[np.int64]:
        """How many assets each grid has."""
        return np.asarray(self.counts.sum(axis=1), dtype=np.int64)

    @property
    def cameras_per_grid(self) -> npt.NDArray[np.int64]:
        """How many cameras each grid has; they stand last in the rows."""
        row = self.row[len(self) - self.cameras :]
        return np.bincount(row[row >= 0], minlength=len(self.counts)).astype(np.int64)

    def of_grid(self, row: int) -> list[tuple[str, int]]:
        """Class code and number of the assets of a grid, the most frequent first."""
        found = [(self.classes[k], int(n)) for k, n in enumerate(self.counts[row]) if n]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def clusters(self, zoom: int) -> pd.DataFrame:
        """`lon`, `lat` (mean of the members), `count`, by `tile_x`, `tile_y` of the zoom."""
        with self._lock:
            if zoom not in self._clusters:
                self._clusters[zoom] = _find_clusters(self.lon, self.lat, zoom)
            return self._clusters[zoom]


def read_inventory(workspace: Workspace, city: City) -> Inventory:
    """Read place and class of every asset and camera."""
    stamp = workspace.stamp(*TABLES)
    places, codes, cameras = [], [], 0
    with workspace.reading() as conn:
        for name in TABLES:
            table = workspace.table(name)
            rows = conn.execute(
                sa.select(table.c.class_code, table.c.geom).order_by(table.c.fid)
            ).all()
            codes += [code for code, _ in rows]
            places.append(_middles(from_blobs([blob for _, blob in rows])))
            if name == "cameras":
                cameras = len(rows)
    lon, lat = np.vstack(places).T if codes else (np.empty(0), np.empty(0))
    code, classes = pd.factorize(np.asarray(codes, dtype=object), sort=True)
    row = city.assign(lon, lat)
    counts = np.zeros((len(city.grids), max(len(classes), 1)), dtype=np.int64)
    inside = row >= 0
    np.add.at(counts, (row[inside], code[inside]), 1)
    return Inventory(
        stamp,
        tuple(str(c) for c in classes),
        lon,
        lat,
        code.astype(np.int32),
        row,
        cameras,
        counts,
    )


def _middles(shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Longitude and latitude of a point of each shape: itself, or the middle of a line."""
    if not len(shapes):
        return np.empty((0, 2))
    kinds = shapely.get_type_id(shapes)
    xy = np.column_stack([shapely.get_x(shapes), shapely.get_y(shapes)])
    others = (kinds != 0) & ~shapely.is_missing(shapes)
    if others.any():
        points = shapely.centroid(shapes[others])
        xy[others] = np.column_stack([shapely.get_x(points), shapely.get_y(points)])
    return xy


def tile_position(
    lon: npt.ArrayLike, lat: npt.ArrayLike, zoom: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where points are in the tiles of a zoom (Web Mercator): whole part the tile, rest inside."""
    lon, lat = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    size = 2.0**zoom
    phi = np.radians(np.clip(lat, -85.05, 85.05))
    return (lon + 180) / 360 * size, (1 - np.arcsinh(np.tan(phi)) / np.pi) / 2 * size


def tile_bounds(zoom: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east, north of a map tile in degrees."""
    size = 2.0**zoom

    def lat(row: float) -> float:
        return float(np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * row / size)))))

    return x / size * 360 - 180, lat(y + 1), (x + 1) / size * 360 - 180, lat(y)


def _find_clusters(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64], zoom: int
) -> pd.DataFrame:
    known = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[known], lat[known]
    x, y = tile_position(lon, lat, zoom)
    cell_x = np.floor(x * CELLS_PER_TILE).astype(np.int64)
    cell_y = np.floor(y * CELLS_PER_TILE).astype(np.int64)
    keys = cell_y * (CELLS_PER_TILE << 24) + cell_x
    _, first, inverse, count = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    return pd.DataFrame(
        {
            "lon": np.bincount(inverse, lon, len(first)) / count,
            "lat": np.bincount(inverse, lat, len(first)) / count,
            "count": count,
        },
        index=pd.MultiIndex.from_arrays(
            [cell_x[first] // CELLS_PER_TILE, cell_y[first] // CELLS_PER_TILE],
            names=["tile_x", "tile_y"],
        ),
    ).sort_index()
