"""What the boundaries of a workspace say: grids in force, their names, places and neighbours.

All of it changes only when `grids` or `divisions` change, so it is computed once a version and
shared by every page. Rows of `grids` are numbered by position; figures, counts and neighbours are
arrays in that order, and `City.position` leads from an id to its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.hierarchy import ancestors, neighbours
from geo.io.workspace import Workspace
from geo.locate import GridIndex

SHOWN_LEVELS = ("city", "district", "street", "community")


@dataclass(frozen=True, eq=False)
class City:
    """Grids in force with everything that follows from the boundaries alone."""

    stamp: str
    grids: GeoDataFrame
    divisions: GeoDataFrame
    places: pd.DataFrame
    """One row a grid: `<level>_code` and `<level>` (its name) of each division above it."""
    index: GridIndex | None
    area_m2: npt.NDArray[np.float64]
    neighbours: list[list[int]]
    """Rows of the grids that share a border line with each, the longest border first."""

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each grid by its id."""
        return {str(label): row for row, label in enumerate(self.grids.index)}

    @cached_property
    def names(self) -> list[str]:
        """What each grid is called: its name, else its id."""
        ids = self.grids.index.astype(str)
        return list(self.grids["name"].fillna(pd.Series(ids, self.grids.index)).astype(str))

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees of what there is to see."""
        shapes = self.grids if len(self.grids) else self.divisions
        if not len(shapes) or shapes.geometry.isna().all():
            return (73.0, 18.0, 135.0, 53.5)
        west, south, east, north = (float(value) for value in shapes.total_bounds)
        return west, south, east, north

    @property
    def name(self) -> str:
        """The name of the topmost division, empty if there is none."""
        for level in ("city", "district", "province", "street"):
            names = self.divisions.loc[self.divisions["level"] == level, "name"]
            if len(names):
                return str(names.iloc[0])
        return ""

    @property
    def version(self) -> int | None:
        """Number of the newest boundary version in force."""
        return int(self.grids["version"].max()) if len(self.grids) else None

    @property
    def since(self) -> datetime | None:
        """Since when the newest of the grids in force are."""
        since = self.grids["valid_from"].max() if len(self.grids) else pd.NaT
        return None if pd.isna(since) else since.to_pydatetime()

    def assign(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Row of the grid of each point, -1 outside all grids or without a place."""
        x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
        if self.index is None:
            return np.full(len(x), -1, dtype=np.int32)
        return self.index.assign(x, y)

    def ranking_level(self) -> str | None:
        """The level to rank: the lowest one above the grid of which there are 3 to 60."""
        for level in ("street", "district", "community"):
            column = f"{level}_code"
            if column in self.places and 2 <= self.places[column].nunique() <= 400:
                return level
        return None


def read_city(workspace: Workspace) -> City:
    """Read the boundaries in force.

    Raises
    ------
    CoverError
        If grids overlap, which no import lets in; the message names the places.
    """
    stamp = workspace.stamp("grids", "divisions")
    grids = workspace.grids()
    divisions = workspace.read("divisions")
    if not len(grids):
        return City(stamp, grids, divisions, pd.DataFrame(index=grids.index), None, np.empty(0), [])
    metric = grids.to_crs(workspace.metric_crs())
    return City(
        stamp,
        grids,
        divisions,
        _find_places(grids, divisions),
        GridIndex(grids),
        shapely.area(metric.geometry.to_numpy()),
        _find_neighbours(metric),
    )


def _find_neighbours(metric: GeoDataFrame) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(len(metric))]
    pairs = neighbours(metric)
    one, other = (metric.index.get_indexer(pairs[name]) for name in ("id", "neighbour"))
    order = np.lexsort((other, -pairs["border_m"].to_numpy()))
    for row, near in zip(one[order], other[order], strict=True):
        found[row].append(int(near))
    return found


def _find_places(grids: GeoDataFrame, divisions: GeoDataFrame) -> pd.DataFrame:
    """The divisions above each grid, by its community's chain of parents."""
    columns: dict[str, pd.Series] = {}
    for level in SHOWN_LEVELS if len(divisions) else ():
        code = grids["community_code"].map(ancestors(divisions, level)).astype("str")
        if code.notna().any():
            columns[f"{level}_code"] = code
            columns[level] = code.map(divisions["name"]).astype("str")
    return pd.DataFrame(columns, index=grids.index)
