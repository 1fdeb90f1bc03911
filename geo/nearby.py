"""Everything around a place, for one card: its grid, things, houses, cameras, what happened here.

All distances are metres over the WGS-84 ellipsoid, from the place to the thing itself: to the
nearest point of a line or a building, and 0 inside a building. A thing is near if that distance is
at most the radius; a building that reaches into the circle counts whole. Around a *grid* the things
are those whose place is in the grid (of a line or building a point on it), by the rule of
`geo.locate`, and the distances are from a point inside of it.

What is not known is said: a camera whose view nobody has told us is listed as `unknown`, never as
seeing, and houses without a figure are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._again import Again as Again
from geo._again import FlareUp as FlareUp
from geo._again import NearRules as NearRules
from geo._again import find_again
from geo._around import (
    Choose,
    Houses,
    Layer,
    areas_at,
    count_assets,
    count_past,
    find_cameras,
    find_cases,
    nearest_hydrants,
    nearest_road,
    nothing,
    sum_houses,
)
from geo._cells import Found, PlaceLayer
from geo._duty_tables import micro_of
from geo._metres import Floats, measure_m, require_degrees, require_place
from geo._units import COVER_KINDS
from geo.datum import to_metric
from geo.errors import CodeError, InputError
from geo.hierarchy import neighbours
from geo.incidents import OPEN_STAGES
from geo.locate import GridIndex
from geo.schema import STORAGE_CRS

__all__ = ["TABLES_NEARBY", "Again", "Around", "FlareUp", "Houses", "NearRules", "NearbyIndex"]

TABLES_NEARBY = ("assets", "cameras", "buildings", "places", "roads", "areas", "incidents")
"""Tables that `NearbyIndex` takes beside the grids; each may be left out."""

RADIUS_M = 200.0
"""About the width of a grid of 300 households: what a person on the spot can see and walk to."""

DAYS = 365
"""A whole year, so that every season is in it."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a place. Tables are indexed by id, nearest first.

    Each has `distance_m` and the `lon`, `lat` of the point to which that goes.
    """

    lon: float
    lat: float
    radius_m: float | None
    """None where the things of a whole grid were asked for."""
    at: datetime
    grid_id: str | None
    grid: pd.Series | None
    """The columns of its row; None outside of all grids."""
    neighbours: pd.DataFrame
    """Grids that share a border with it, indexed by grid_id, longest border first: border_m, name,
    community_code."""
    road: pd.Series | None
    """The nearest road piece: road_id, name, road_class, distance_m."""
    areas: pd.DataFrame
    """Parks, water and squares that the place lies in: kind, name."""
    assets: pd.DataFrame
    """class_code, name, state, owner."""
    asset_counts: pd.DataFrame
    """One row a class, indexed by class_code: group, count, one column for each state with assets
    in it (`unknown` where none is told), nearest_m."""
    hydrants: pd.DataFrame
    """The nearest three within 2 km whatever the radius, lost, abandoned and removed left out."""
    cameras: pd.DataFrame
    """Those that may see the place, whatever the radius: the columns of assets and `sees`: `yes`;
    `damaged` (it would); `unknown` (view not known, within the radius or 200 m); `hidden` (a
    building stands between, whatever its height)."""
    buildings: pd.DataFrame
    houses: Houses
    places: pd.DataFrame
    """kind, name."""
    open_incidents: pd.DataFrame
    """class_code, category, description, source, reported_at, stage, deadline, closed_at; owner,
    level, paused_until and address where the table has them."""
    past_incidents: pd.DataFrame
    """Closed or cancelled and reported in the days asked for; the latest first."""
    past_counts: pd.DataFrame
    """One row a class, indexed by class_code: count, last (reported); the most frequent first."""


class NearbyIndex:
    """Answers what is around a place or in a grid, from tables that were indexed once.

    Parameters
    ----------
    grids
        The grids in force, in EPSG:4326, indexed by `grid_id`; base and dedicated ones must not
        overlap.
    **tables
        Any of `TABLES_NEARBY` as the workspace reads them: in EPSG:4326, indexed by id.

    Raises
    ------
    CrsError
        If a table is not in EPSG:4326.
    CoverError
        If grids overlap.
    InputError
        If there is no such table.

    Notes
    -----
    Safe to ask from several threads, also while a table is replaced: an answer is from before or
    after. Memory beside the tables themselves: 24 bytes a point (see `geo._cells`), 9 more for an
    incident.
    """

    def __init__(self, grids: gpd.GeoDataFrame, **tables: gpd.GeoDataFrame) -> None:
        self._grids = _Grids(grids)
        self._layers: dict[str, Layer] = {}
        self._recent: Layer | None = None
        self.replace(**tables)

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes beside the tables, shapes and trees of shapes."""
        layers = [*self._layers.values(), *([self._recent] if self._recent else [])]
        return self._grids.index.nbytes + sum(layer.nbytes for layer in layers)

    def replace(self, **tables: gpd.GeoDataFrame) -> None:
        """Take newer tables in the place of those of the same names; `grids` is one too."""
        unknown = set(tables) - {*TABLES_NEARBY, "grids"}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise InputError(f"no table {names}: use grids, {', '.join(TABLES_NEARBY)}")
        made = {name: Layer(tables[name], name) for name in TABLES_NEARBY if name in tables}
        if "grids" in tables:
            self._grids = _Grids(tables["grids"])
        self._layers = {**self._layers, **made}

    def replace_recent(self, incidents: gpd.GeoDataFrame | None) -> None:
        """Lay incidents that changed since over the table of all: their rows count instead.

        Building takes about a microsecond a row, so give those of the last hours, not all.
        """
        self._recent = None if incidents is None else Layer(incidents, "incidents")

    def around(
        self,
        lon: float,
        lat: float,
        *,
        at: datetime,
        radius_m: float = RADIUS_M,
        days: int = DAYS,
    ) -> Around:
        """What is around a place, up to a radius.

        Parameters
        ----------
        lon, lat
            The place in degrees.
        at
            Now: incidents reported later are not shown.
        radius_m
            How far; see `RADIUS_M`.
        days
            How far back past incidents go.

        Raises
        ------
        InputError
            If it is no place, the radius is no number from 0, or `at` has no zone.
        """
        require_place(lon, lat)
        if not 0 <= radius_m < np.inf:
            raise InputError(f"radius_m is {radius_m}: use a number from 0")

        def choose(layer: PlaceLayer) -> Found:
            return layer.within(lon, lat, radius_m)

        grids = self._grids
        row = grids.row_at(lon, lat)
        return self._collect(grids, row, lon, lat, choose, radius_m, at, days)

    def around_grid(self, grid_id: str, *, at: datetime, days: int = DAYS) -> Around:
        """What is in a grid; `lon`, `lat` of the answer is a point inside of it.

        Raises
        ------
        CodeError
            If there is no such grid in force.
        """
        grids = self._grids
        row, holds = grids.find(grid_id)
        shape = grids.shapes[row]
        middle = shapely.point_on_surface(shape)
        lon, lat = float(middle.x), float(middle.y)
        west, south, east, north = (float(v) for v in shapely.bounds(shape))
        box = (west, south, east, north)

        def choose(layer: PlaceLayer) -> Found:
            rows, lons, lats = layer.in_box(box)
            inside = holds(lons, lats)
            rows, lons, lats = rows[inside], lons[inside], lats[inside]
            return Found(rows, measure_m(lon, lat, lons, lats), lons, lats).nearest_first()

        return self._collect(grids, row, lon, lat, choose, None, at, days)

    def again(
        self,
        lon: float,
        lat: float,
        rules: NearRules,
        *,
        at: datetime,
        incident_id: str | None = None,
        days: int = DAYS,
    ) -> Again:
        """Open cases that a case may be the same as, and whether its place flares up again.

        Parameters
        ----------
        rules
            How near and how soon; a city's own are `geo.io.rules.CaseRules`.
        incident_id
            The case, by whose class is looked; without it places of all classes count, and
            nothing is similar.
        at, days
            As for `around`.
        """
        require_place(lon, lat)

        def choose(layer: PlaceLayer) -> Found:
            return layer.within(lon, lat, rules.reach_m)

        cases = find_cases(self._layers.get("incidents"), self._recent, choose, micro_of(at))
        since = pd.Timestamp(at).tz_convert("UTC") - pd.Timedelta(days=days)
        kept = cases["stage"].isin(OPEN_STAGES) | (cases["reported_at"] >= since)
        return find_again(cases[kept.to_numpy(dtype=bool)], lon, lat, rules, incident_id)

    def buildings_around(self, lon: float, lat: float, radius_m: float) -> gpd.GeoDataFrame:
        """Footprints that reach into a circle, in EPSG:4326, nearest first: what cuts a view."""
        require_place(lon, lat)
        layer = self._layers.get("buildings")
        if layer is None:
            return gpd.GeoDataFrame(geometry=[], crs=STORAGE_CRS)
        rows = layer.places.within(lon, lat, radius_m).rows
        return gpd.GeoDataFrame(geometry=layer.shapes[rows], crs=STORAGE_CRS)

    def _collect(
        self,
        grids: _Grids,
        row: int,
        lon: float,
        lat: float,
        choose: Choose,
        radius_m: float | None,
        at: datetime,
        days: int,
    ) -> Around:
        now = micro_of(at)
        layers, recent = self._layers, self._recent
        near = {
            name: layers[name].pick(choose) if name in layers else nothing(name)
            for name in ("assets", "buildings", "places")
        }
        cases = find_cases(layers.get("incidents"), recent, choose, now)
        is_open = cases["stage"].isin(OPEN_STAGES).to_numpy(dtype=bool)
        since = pd.Timestamp(at).tz_convert("UTC") - pd.Timedelta(days=days)
        past = cases[~is_open & (cases["reported_at"] >= since).to_numpy(dtype=bool)]
        past = past.sort_values("reported_at", ascending=False, kind="stable")
        reach = RADIUS_M if radius_m is None else radius_m
        return Around(
            lon=lon,
            lat=lat,
            radius_m=radius_m,
            at=at,
            grid_id=str(grids.table.index[row]) if row >= 0 else None,
            grid=grids.table.iloc[row] if row >= 0 else None,
            neighbours=grids.neighbours_of(row),
            road=nearest_road(layers.get("roads"), lon, lat),
            areas=areas_at(layers.get("areas"), lon, lat),
            assets=near["assets"],
            asset_counts=count_assets(near["assets"]),
            hydrants=nearest_hydrants(layers.get("assets"), lon, lat),
            cameras=find_cameras(layers.get("cameras"), lon, lat, reach, layers.get("buildings")),
            buildings=near["buildings"],
            houses=sum_houses(near["buildings"]),
            places=near["places"],
            open_incidents=cases[is_open],
            past_incidents=past,
            past_counts=count_past(past),
        )


_Holds = Callable[[Floats, Floats], NDArray[np.bool_]]


class _Grids:
    """The grids in force: which one has a point, and its neighbours."""

    def __init__(self, grids: gpd.GeoDataFrame) -> None:
        require_degrees(grids=grids)
        self.shapes = grids.geometry.to_numpy()
        self.table = pd.DataFrame(grids.drop(columns=grids.geometry.name))
        covers = np.ones(len(grids), dtype=bool)
        if "kind" in grids.columns:
            covers = grids["kind"].fillna("base").isin(COVER_KINDS).to_numpy(dtype=bool)
        self._rows = np.flatnonzero(covers)
        self._covers = covers
        cover = grids.iloc[self._rows]
        self.index = GridIndex(cover)
        pairs = neighbours(to_metric(cover)) if len(cover) else _no_pairs()
        pairs = pairs.sort_values("border_m", ascending=False, kind="stable")
        self._pairs = pairs.set_index("neighbour")["border_m"]
        self._pairs_of = {str(k): v for k, v in pairs.groupby("id").indices.items()}

    def row_at(self, lon: float, lat: float) -> int:
        """Position of the grid that has a point, -1 outside."""
        row = int(self.index.assign([lon], [lat])[0])
        return int(self._rows[row]) if row >= 0 else -1

    def find(self, grid_id: str) -> tuple[int, _Holds]:
        """Position of a grid, and what tells which points are in it."""
        at = np.flatnonzero(self.table.index == grid_id)
        if not len(at):
            raise CodeError(f"no grid {grid_id!r} in force: correct the id, or replace the grids")
        row = int(at[0])
        index, number = self.index, int(np.searchsorted(self._rows, row))
        if not self._covers[row]:
            # A duty or unit grid lies over the others: it is asked alone.
            index, number = GridIndex(gpd.GeoDataFrame(geometry=[self.shapes[row]])), 0
        return row, lambda lon, lat: index.assign(lon, lat) == number

    def neighbours_of(self, row: int) -> pd.DataFrame:
        label = str(self.table.index[row]) if row >= 0 else ""
        borders = self._pairs.iloc[self._pairs_of.get(label, np.empty(0, dtype=np.intp))]
        names = [name for name in ("name", "community_code") if name in self.table.columns]
        found = self.table[names].reindex(borders.index)
        found.insert(0, "border_m", borders.to_numpy(dtype=np.float64))
        return found.rename_axis("grid_id")


def _no_pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {"id": pd.Series(dtype="str"), "neighbour": pd.Series(dtype="str"),
         "border_m": pd.Series(dtype="float64")}
    )  # fmt: skip
