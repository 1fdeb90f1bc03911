"""One stated boundary version: which unit a point is in, at any level.

Everything of a comparison is counted on one `Boundary`, whatever boundaries were in force when a
case was reported: its point decides. Each case has exactly one row: a unit of the level, or one of
`BESIDE`, so every column adds up to the whole. Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._units import COVER_KINDS
from geo.errors import CodeError
from geo.figures import find_zones
from geo.hierarchy import ancestors
from geo.locate import GridIndex
from geo.schema import LEVELS

NO_UNIT, OUTSIDE, UNPLACED = "(no unit)", "(outside)", "(unplaced)"
BESIDE = (NO_UNIT, OUTSIDE, UNPLACED)
"""Rows beside the units: in a grid that leads to no unit of the level; outside of all units;
without a place."""

ZONES = "zones:"
"""A level of custom zones is `zones:` and their kind, say `zones:campus`."""

Places = npt.NDArray[np.int32]
_KEPT = 3


@dataclass(frozen=True, eq=False)
class Units:
    """The units of one level on a boundary version."""

    level: str
    codes: pd.Index
    names: pd.Series
    """Indexed by code; the code itself where there is no name."""
    households: pd.Series
    """Of the grids below whose households are known, indexed by code; missing where none is."""
    of_grid: Places
    """Position of the unit of each grid of the boundary, the number of units for none; of a level
    of zones, or of divisions without grids, nothing."""
    shapes: gpd.GeoDataFrame | None = None
    """Zones, or divisions of a city without grids: the first that holds a point has it."""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def rows(self) -> pd.Index:
        """The codes and, last, `BESIDE`."""
        return self.codes.append(pd.Index(BESIDE, dtype=self.codes.dtype)).rename("code")


class Boundary:
    """The grids of one version with the divisions above them and the zones beside them.

    Parameters
    ----------
    grids
        Grids in force at one moment, indexed by `grid_id`, in any CRS; of kinds that overlap the
        cover (unit, duty) only those that make it up count. May be empty.
    divisions
        Table `divisions`, indexed by `code`; None: there is only the level grid.
    zones
        Table `zones` in the CRS of the grids, indexed by `zone_id`.
    at
        The moment whose boundaries these are, to be told with every figure; None: those now.
    """

    def __init__(
        self,
        grids: gpd.GeoDataFrame,
        divisions: pd.DataFrame | None = None,
        zones: gpd.GeoDataFrame | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        if "kind" in grids.columns:
            grids = grids[grids["kind"].fillna("base").isin(COVER_KINDS).to_numpy(dtype=bool)]
        self.grids = grids
        self.divisions = divisions
        self.zones = zones
        self.at = at
        self._index = GridIndex(grids) if len(grids) else None
        self._known: list[tuple[object, object, Places]] = []
        self._units: dict[str, Units] = {}

    @property
    def version(self) -> int | None:
        """The newest version number among the grids; None where they tell none."""
        if not len(self.grids) or "version" not in self.grids.columns:
            return None
        return int(self.grids["version"].max())

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that figures can be told at, from the top down, zones last."""
        found: list[str] = []
        if self.divisions is not None and len(self.divisions):
            there = set(self.divisions["level"])
            found = [level for level in LEVELS if level in there and level != "province"]
        if len(self.grids):
            found.append("grid")
        if self.zones is not None:
            found += [ZONES + kind for kind in dict.fromkeys(self.zones["kind"])]
        return tuple(found)

    def assign(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Places:
        """The grid row of each point, -1 outside or without a place; see `geo.locate`.

        What was asked last is kept, so the same arrays are looked up once.
        """
        for known_x, known_y, rows in self._known:
            if known_x is x and known_y is y:
                return rows
        if self._index is None:
            found = np.full(len(x), -1, dtype=np.int32)
        else:
            found = self._index.assign(x, y)
        self._known = [(x, y, found), *self._known[: _KEPT - 1]]
        return found

    def units(self, level: str) -> Units:
        """The units of a level.

        Raises
        ------
        CodeError
            If this city has no such level; the message lists those that it has.
        """
        if level not in self._units:
            if level not in self.levels:
                known = ", ".join(self.levels) or "none: import grids or divisions"
                raise CodeError(f"no level {level!r} in this city: there are {known}")
            self._units[level] = self._make(level)
        return self._units[level]

    def place(self, level: str, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Places:
        """The row of `Units.rows` of each point: its unit, or one of `BESIDE`."""
        units = self.units(level)
        size = len(units)
        if units.shapes is not None:
            place = find_zones(units.shapes, x, y).cat.codes.to_numpy().astype(np.int32)
            place[place < 0] = size + 1
        else:
            rows = self.assign(x, y)
            place = np.append(units.of_grid, np.int32(size + 1))[rows]
        place[~(np.isfinite(x) & np.isfinite(y))] = size + 2
        return np.asarray(place, dtype=np.int32)

    def _make(self, level: str) -> Units:
        if level.startswith(ZONES):
            assert self.zones is not None
            zones = self.zones[(self.zones["kind"] == level.removeprefix(ZONES)).to_numpy()]
            return self._of_shapes(level, zones)
        if level == "grid":
            codes = _texts(self.grids.index)
            of_grid = np.arange(len(codes), dtype=np.int32)
            return self._of_grids(level, codes, _names(self.grids, codes), of_grid)
        assert self.divisions is not None
        table = self.divisions
        table = table.set_index("code") if "code" in table.columns else table
        mine = table[(table["level"] == level).to_numpy(dtype=bool)]
        if not len(self.grids) and isinstance(mine, gpd.GeoDataFrame):
            there = ~(mine.geometry.isna() | mine.geometry.is_empty).to_numpy(dtype=bool)
            return self._of_shapes(level, mine[there])
        codes = _texts(mine.index)
        above = ancestors(table, level)
        code = above.reindex(self.grids["community_code"].to_numpy())
        place = codes.get_indexer(pd.Index(code.to_numpy(dtype=object)))
        of_grid = np.where(place < 0, len(codes), place).astype(np.int32)
        return self._of_grids(level, codes, _names(mine, codes), of_grid)

    def _of_grids(self, level: str, codes: pd.Index, names: pd.Series, of_grid: Places) -> Units:
        homes = np.full(len(of_grid), np.nan)
        if "households" in self.grids.columns:
            homes = self.grids["households"].to_numpy(dtype=np.float64, na_value=np.nan)
        told = np.isfinite(homes)
        size = len(codes) + 1
        count = np.bincount(of_grid[told], minlength=size)[:-1]
        total = np.bincount(of_grid[told], weights=homes[told], minlength=size)[:-1]
        households = pd.Series(np.where(count > 0, total, np.nan), index=codes, name="households")
        return Units(level, codes, names, households, of_grid)

    def _of_shapes(self, level: str, shapes: gpd.GeoDataFrame) -> Units:
        codes = _texts(shapes.index)
        none = pd.Series(np.nan, index=codes, name="households")
        return Units(level, codes, _names(shapes, codes), none, np.zeros(0, dtype=np.int32), shapes)


def _texts(index: pd.Index) -> pd.Index:
    return pd.Index(index.astype(str), dtype=object, name="code")


def _names(table: pd.DataFrame, codes: pd.Index) -> pd.Series:
    names = np.asarray(codes, dtype=object)
    if "name" in table.columns:
        told = table["name"].to_numpy(dtype=object)
        names = np.where(pd.isna(told), names, told)
    return pd.Series(names, index=codes, name="name", dtype=object)
