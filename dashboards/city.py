"""What the boundaries of a workspace say: grids in force, their names, places and neighbours.

All of it changes only when the tables change, or when a grid comes into force or ends, so it is
computed once a version and shared by every page. Rows of `grids` are numbered by position; figures,
counts and neighbours are arrays in that order, and `City.position` leads from an id to its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa
from geopandas import GeoDataFrame

from geo.figures import find_zones
from geo.hierarchy import ancestors, neighbours
from geo.io.workspace import Workspace
from geo.locate import GridIndex

SHOWN_LEVELS = ("city", "district", "street", "community")
LEVELS = (*SHOWN_LEVELS, "grid")
ZONE = "zone:"
"""Begins the level of a kind of custom areas."""

COVER_KINDS = ("base", "dedicated")
"""Kinds of grids that form the cover; the others lie over them."""


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
    until: datetime | None = None
    """When the next grid comes into force or ends; None if none is known to."""
    zones: GeoDataFrame | None = None
    """Custom areas, indexed by `zone_id`, with `kind` and `name`; None if there are none."""
    zones_stamp: str = ""

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
    def place_names(self) -> list[str]:
        """What each grid is called with the lowest division above it, as one short line."""
        above = [""] * len(self.grids)
        for level in ("street", "community"):
            if level in self.places:
                named = self.places[level].astype(object).to_numpy()
                told = self.places[level].notna().to_numpy()
                above = [str(n) if ok else a for n, ok, a in zip(named, told, above, strict=True)]
        return [
            name if not up or name.startswith(up) else f"{up} · {name}"
            for name, up in zip(self.names, above, strict=True)
        ]

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

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The levels that the city has, from the top down."""
        always = ("city", "grid")
        return tuple(level for level in LEVELS if level in always or level in self.places)

    @cached_property
    def zone_kinds(self) -> tuple[str, ...]:
        """Kinds of custom areas, in the order of the table."""
        return () if self.zones is None else tuple(dict.fromkeys(self.zones["kind"].astype(str)))

    def units(self, level: str) -> pd.DataFrame:
        """`name` and `parent` (a code) of the units of a level, indexed by code, in order."""
        if level == "grid":
            parent = self.grids["community_code"].fillna("").astype(str).to_numpy()
            return _unit_frame(self.grids.index, self.names, parent)
        if level.startswith(ZONE):
            zones = self.zones_of(level)
            return _unit_frame(zones.index, zones["name"].astype(str), "")
        found = self.divisions[self.divisions["level"] == level]
        parent = found["parent_code"].fillna("").astype(str).to_numpy()
        return _unit_frame(found.index, found["name"].astype(str), parent)

    def zones_of(self, level: str) -> GeoDataFrame:
        """The custom areas of the kind that a level names."""
        if self.zones is None:
            return GeoDataFrame({"kind": [], "name": []}, geometry=[], crs=self.grids.crs)
        return self.zones[self.zones["kind"] == level.removeprefix(ZONE)]

    def unit_of_grid(self, level: str) -> pd.Series:
        """The unit of a level that each grid lies in, by row, categorical; missing if none.

        A grid is in the custom area that holds a point inside of it.
        """
        if level not in self._units_of_grids:
            self._units_of_grids[level] = self._find_units(level)
        return self._units_of_grids[level]

    @cached_property
    def _units_of_grids(self) -> dict[str, pd.Series]:
        return {}

    def _find_units(self, level: str) -> pd.Series:
        if level == "grid":
            codes = pd.Index([str(code) for code in self.grids.index], dtype=object)
            return pd.Series(pd.Categorical.from_codes(np.arange(len(codes)), categories=codes))
        if level.startswith(ZONE):
            inner = shapely.point_on_surface(self.grids.geometry.to_numpy())
            return find_zones(self.zones_of(level), shapely.get_x(inner), shapely.get_y(inner))
        column = f"{level}_code"
        if column not in self.places:
            return pd.Series(pd.Categorical([None] * len(self.grids), categories=[]))
        return pd.Series(pd.Categorical(self.places[column].to_numpy(dtype=object)))

    def above(self, level: str) -> dict[str, str]:
        """For each division the code of the one of a level that it lies in, itself included."""
        if level not in self._above:
            found = ancestors(self.divisions, level).dropna() if len(self.divisions) else {}
            self._above[level] = {str(code): str(up) for code, up in dict(found).items()}
        return self._above[level]

    @cached_property
    def _above(self) -> dict[str, dict[str, str]]:
        return {}

    def assign(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Row of the grid of each point, -1 outside all grids or without a place."""
        x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
        if self.index is None:
            return np.full(len(x), -1, dtype=np.int32)
        return self.index.assign(x, y)


def _unit_frame(codes: pd.Index, names: object, parent: object) -> pd.DataFrame:
    # Plain objects: looking up and joining them is several times as fast as Arrow's texts.
    index = pd.Index([str(code) for code in codes], dtype=object, name="code")
    return pd.DataFrame(
        {
            "name": np.asarray(names, dtype=object),
            "parent": np.broadcast_to(np.asarray(parent, dtype=object), len(index)),
        },
        index=index,
    )


def read_city(workspace: Workspace, at: datetime) -> City:
    """Read the boundaries in force at a moment.

    Raises
    ------
    CoverError
        If grids overlap, which no import lets in; the message names the places.
    """
    stamp = workspace.stamp("grids", "divisions")
    grids = workspace.grids(at=at)
    grids = grids[grids["kind"].isin(COVER_KINDS)]
    divisions = workspace.read("divisions")
    last, until = _bounds_in_time(workspace, at)
    stamp = f"{stamp}.{last:x}"
    zones_stamp = workspace.stamp("zones")
    zones = workspace.read("zones")
    places, index = pd.DataFrame(index=grids.index), None
    area, near = np.empty(0), list[list[int]]()
    if len(grids):
        metric = grids.to_crs(workspace.metric_crs())
        places, index = _find_places(grids, divisions), GridIndex(grids)
        area, near = shapely.area(metric.geometry.to_numpy()), _find_neighbours(metric)
    return City(
        stamp=stamp,
        grids=grids,
        divisions=divisions,
        places=places,
        index=index,
        area_m2=area,
        neighbours=near,
        until=until,
        zones=zones if len(zones) else None,
        zones_stamp=zones_stamp,
    )


def _bounds_in_time(workspace: Workspace, at: datetime) -> tuple[int, datetime | None]:
    """When boundaries changed last (epoch seconds, 0 if never), and when they will next."""
    table = workspace.table("grids")
    past, ahead = [0], []
    with workspace.reading() as conn:
        for column in (table.c.valid_from, table.c.valid_to):
            largest = sa.select(sa.func.max(column)).where(column <= at)
            least = sa.select(sa.func.min(column)).where(column > at)
            found, coming = (conn.execute(query).scalar_one() for query in (largest, least))
            past += [] if found is None else [int(found.timestamp())]
            ahead += [] if coming is None else [coming]
    return max(past), min(ahead, default=None)


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
