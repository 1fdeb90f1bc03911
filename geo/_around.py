"""The parts of what is around a place: things of each table, cameras, hydrants, counts.

Public names are handed on by `geo.nearby`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import codes
from geo._cells import Found, PlaceLayer, PointCells
from geo._metres import Floats, look_from
from geo._sight import Walls, is_hidden
from geo.errors import CodeError, ColumnError
from geo.schema import ASSET_STATES

HYDRANTS = 3
HYDRANT_M = 2_000.0
"""How many of the nearest hydrants, and how far to look for them."""

ROAD_M = 1_000.0

GONE_STATES = ("lost", "abandoned", "removed")
"""States of an asset that is not there to be used; a damaged one is listed as damaged."""

Choose = Callable[[PlaceLayer], Found]
"""Finds what is asked for in a table."""

_COLUMNS = {
    "assets": ("class_code", "name", "state", "owner"),
    "cameras": ("class_code", "name", "state", "owner", "bearing_deg", "angle_deg", "range_m"),
    "buildings": ("name", "compound", "floors", "households", "population"),
    "places": ("kind", "name"),
    "roads": ("name", "road_class"),
    "areas": ("kind", "name"),
    "incidents": (
        "class_code", "category", "description", "source", "reported_at", "stage", "deadline",
        "closed_at",
    ),
}  # fmt: skip


_IF_THERE = {"incidents": ("owner", "level", "paused_until", "address")}
"""Columns that are handed on where a table has them."""


@dataclass(frozen=True, slots=True)
class Houses:
    """The buildings around, and the people in them as far as that is known."""

    buildings: int
    households: int
    population: int
    without_figures: int
    """Buildings whose households are not known; they count 0 above."""


class Layer:
    """One table with its places, and what is worked out once for it."""

    def __init__(self, frame: gpd.GeoDataFrame, name: str) -> None:
        missing = [column for column in _COLUMNS[name] if column not in frame.columns]
        if missing:
            there = ", ".join(map(str, frame.columns))
            raise ColumnError(f"{name} lacks {', '.join(missing)}: it has {there}")
        self.name = name
        more = [column for column in _IF_THERE.get(name, ()) if column in frame.columns]
        self.places = PlaceLayer(frame[[*_COLUMNS[name], *more, frame.geometry.name]], name)
        self.shapes = frame.geometry.to_numpy()
        self.reported = np.empty(0, dtype=np.int64)
        self.hydrants: PointCells | None = None
        self.walls: Walls | None = None
        self.farthest_view_m = 0.0
        if name == "assets":
            self.hydrants = _hydrants_of(frame)
        elif name == "buildings":
            self.walls = Walls(frame.geometry.to_numpy())
        elif name == "cameras":
            ranges = _numbers(frame, "range_m")
            ranges = ranges[np.isfinite(ranges)]
            self.farthest_view_m = float(ranges.max(initial=0.0))
        elif name == "incidents":
            times = pd.to_datetime(frame["reported_at"], utc=True).dt.tz_convert(None)
            self.reported = times.to_numpy().astype("datetime64[us]").astype(np.int64)

    @property
    def nbytes(self) -> int:
        hydrants = 0 if self.hydrants is None else self.hydrants.nbytes
        return self.places.nbytes + self.reported.nbytes + hydrants

    def pick(self, choose: Choose) -> pd.DataFrame:
        """The rows chosen, with their distances."""
        return self.take(choose(self.places))

    def take(self, found: Found) -> pd.DataFrame:
        table = self.places.table.take(found.rows)
        table["distance_m"] = found.metres
        table["lon"] = found.lon
        table["lat"] = found.lat
        return table


def nothing(name: str) -> pd.DataFrame:
    """An empty table with the columns of an answer."""
    columns: dict[str, pd.Series] = {
        column: pd.Series(dtype="datetime64[us, UTC]" if column.endswith("_at") else "str")
        for column in _COLUMNS[name]
    }
    for column in ("floors", "households", "population"):
        if column in columns:
            columns[column] = pd.Series(dtype="Int64")
    for column in ("distance_m", "lon", "lat"):
        columns[column] = pd.Series(dtype="float64")
    return pd.DataFrame(columns)


def find_cases(layer: Layer | None, recent: Layer | None, choose: Choose, now: int) -> pd.DataFrame:
    """Incidents chosen and reported by now; of one that changed since only the newer row."""
    found = []
    for source in (recent, layer):
        if source is not None:
            near = choose(source.places)
            found.append(source.take(near.only(source.reported[near.rows] <= now)))
    if recent is not None and layer is not None:
        found[1] = found[1][~found[1].index.isin(recent.places.table.index)]
    found = [table for table in found if len(table)]
    if not found:
        return nothing("incidents")
    cases = found[0] if len(found) == 1 else pd.concat(found)
    return cases.sort_values("distance_m", kind="stable")


def count_assets(assets: pd.DataFrame) -> pd.DataFrame:
    """Count by class and state; see `Around.asset_counts`. The assets come nearest first."""
    kind, kinds = pd.factorize(assets["class_code"])
    state, states = pd.factorize(assets["state"].fillna("unknown"))
    table = np.zeros((len(kinds), len(states)), dtype=np.int64)
    np.add.at(table, (kind, state), 1)
    _, first = np.unique(kind, return_index=True)
    columns = {
        "group": pd.Series([_group_of(str(code)) for code in kinds], dtype="str"),
        "count": pd.Series(table.sum(axis=1), dtype="int64"),
        **{str(name): pd.Series(table[:, k], dtype="int64") for k, name in enumerate(states)},
        "nearest_m": pd.Series(assets["distance_m"].to_numpy()[first], dtype="float64"),
    }
    usual = [name for name in (*ASSET_STATES, "unknown") if name in states]
    order = [*usual, *(str(name) for name in states if name not in usual)]
    counts = pd.DataFrame(columns)[["group", "count", *order, "nearest_m"]]
    return counts.set_axis(pd.Index(kinds, name="class_code", dtype="str"))


@cache
def _group_of(code: str) -> str:
    try:
        return codes.asset_group(code)
    except CodeError:
        # The check of the table reports it; the card still shows the thing.
        return "unknown"


def _hydrants_of(assets: gpd.GeoDataFrame) -> PointCells:
    kinds = assets["class_code"].isin(codes.asset_codes("hydrant"))
    rows = np.flatnonzero((kinds & ~assets["state"].isin(GONE_STATES)).to_numpy(dtype=bool))
    shapes = assets.geometry.to_numpy()[rows]
    points = shapely.get_type_id(shapes) == 0
    rows, shapes = rows[points], shapes[points]
    return PointCells(shapely.get_x(shapes), shapely.get_y(shapes), rows)


def nearest_hydrants(layer: Layer | None, lon: float, lat: float) -> pd.DataFrame:
    if layer is None or layer.hydrants is None:
        return nothing("assets")
    return layer.take(layer.hydrants.nearest(lon, lat, HYDRANTS, HYDRANT_M))


SEES = ("yes", "damaged", "unknown", "hidden")
"""How a camera stands to a place, in the order of `Around.cameras`."""


def find_cameras(
    layer: Layer | None, lon: float, lat: float, radius_m: float, buildings: Layer | None = None
) -> pd.DataFrame:
    """Cameras that see a place, that would, that perhaps do, and that a building keeps from it."""
    if layer is None:
        return nothing("cameras").assign(sees=pd.Series(dtype="str"))
    near = layer.places.within(lon, lat, max(layer.farthest_view_m, radius_m))
    table, metres = layer.take(near), near.metres
    azimuth = look_from(near.lon, near.lat, lon, lat)
    bearing, angle, reach = (_numbers(table, n) for n in ("bearing_deg", "angle_deg", "range_m"))
    # As in `geo.views`: not positive is not known, and a full turn needs no direction.
    reach = np.where((reach > 0) & (reach < np.inf), reach, np.nan)
    angle = np.where(angle > 0, angle, np.nan)
    turn = np.abs((azimuth - bearing + 180.0) % 360.0 - 180.0)
    aside = (turn > angle / 2) & (angle < 360) & (metres > 0)
    sure = np.isfinite(reach) & ((angle >= 360) | np.isfinite(bearing + angle) | (metres == 0))
    state = table["state"].to_numpy(dtype=object)
    may = ~aside & ~(metres > reach) & ~np.isin(state.astype(str), GONE_STATES)
    word = np.where(sure, np.where(state == "damaged", "damaged", "yes"), "unknown").astype(object)
    may &= sure | (metres <= radius_m)
    if buildings is not None and buildings.walls is not None:
        hidden = is_hidden(lon, lat, near.lon[may], near.lat[may], buildings.walls)
        word[np.flatnonzero(may)[hidden]] = "hidden"
    found = table[may].assign(sees=pd.Series(word[may], index=table.index[may], dtype="str"))
    order = found["sees"].map({name: k for k, name in enumerate(SEES)}).to_numpy()
    return found.iloc[np.lexsort((found["distance_m"].to_numpy(), order))]


def nearest_road(layer: Layer | None, lon: float, lat: float) -> pd.Series | None:
    if layer is None:
        return None
    found = layer.places.nearest_shape(lon, lat, ROAD_M)
    if not len(found.rows):
        return None
    row = layer.take(found).iloc[0]
    return pd.Series({"road_id": row.name, **row.to_dict()})


def areas_at(layer: Layer | None, lon: float, lat: float) -> pd.DataFrame:
    """Parks, water and squares that a place lies in."""
    if layer is None:
        return nothing("areas")
    return layer.take(layer.places.within(lon, lat, 0.0))


def sum_houses(buildings: pd.DataFrame) -> Houses:
    households = pd.to_numeric(buildings["households"])
    population = pd.to_numeric(buildings["population"])
    return Houses(
        len(buildings),
        int(households.sum()),
        int(population.sum()),
        int(households.isna().sum()),
    )


def count_past(past: pd.DataFrame) -> pd.DataFrame:
    groups = past.groupby("class_code")["reported_at"]
    counts = pd.DataFrame({"count": groups.size().astype("int64"), "last": groups.max()})
    return counts.sort_values(["count", "last"], ascending=False, kind="stable")


def _numbers(frame: pd.DataFrame, column: str) -> Floats:
    numbers: Floats = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers
