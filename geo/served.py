"""What assets serve: streets and homes within a distance of a lamp, a hydrant, any class.

Streets are measured in parts and exactly (`geo.reach`); a home is served if its building lies
within the distance. An asset that is damaged, lost, abandoned or removed serves nobody; one whose
state nobody wrote down counts as working, and whoever shows the figure says how many those are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame, GeoSeries
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.datum import require_metres
from geo.errors import ColumnError, InputError
from geo.locate import GridIndex
from geo.reach import Reach, StreetPieces, invert_reach, reach_walks

Floats = npt.NDArray[np.float64]

NODE_M = 0.01
"""Ends of pieces so near each other are one corner; survey data is no finer."""


def is_working(assets: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which assets work: state `intact`, or none written down."""
    if "state" not in assets:
        return np.ones(len(assets), dtype=bool)
    state = assets["state"]
    return np.asarray((state.isna() | (state == "intact")).to_numpy(dtype=bool))


def service_distance(class_code: str, distances: Mapping[str, float]) -> float:
    """The distance in metres within which an asset of a class serves; `*` stands for the others.

    Raises
    ------
    InputError
        If neither the class nor `*` has one.
    """
    found = distances.get(class_code, distances.get("*"))
    if found is None:
        raise InputError(f"no distance for class {class_code}: add it, or a line with *")
    return float(found)


def reach_assets(pieces: StreetPieces, assets: GeoSeries, radius_m: float) -> Reach:
    """Find the parts of streets within a distance of an asset; exact.

    `assets` are points or lines in the CRS of the pieces, in metres.

    Raises
    ------
    CrsError, InputError
        If the assets are not in metres, or the radius is not positive.
    """
    require_metres(assets=assets)
    shapes = shapely.get_parts(assets.to_numpy()[~(assets.isna() | assets.is_empty).to_numpy()])
    lines = shapely.get_type_id(shapes) == 1
    xy, of = shapely.get_coordinates(shapes[lines], return_index=True)
    same = of[1:] == of[:-1]
    points = shapely.get_coordinates(shapely.centroid(shapes[~lines]))
    steps = np.vstack([np.hstack([xy[:-1][same], xy[1:][same]]), np.hstack([points, points])])
    return reach_walks(pieces, steps, radius_m=radius_m)


def served_homes(
    grids: GeoDataFrame, homes: GeoDataFrame, assets: GeoSeries, radius_m: float
) -> pd.DataFrame:
    """Count the households of each grid whose building lies within a distance of an asset.

    Parameters
    ----------
    homes
        Buildings, or blocks where those are not known, with `households`, in metres; each belongs
        to the grid of a point inside it.

    Returns
    -------
    DataFrame
        Indexed by `grid_id`: `households`, `served`, `served_share` (missing without households).
    """
    require_metres(grids=grids, homes=homes, assets=assets)
    if "households" not in homes:
        raise ColumnError(f"homes have no households: they have {', '.join(map(str, homes))}")
    count = homes["households"].fillna(0).to_numpy(dtype=np.float64)
    near = np.zeros(len(homes), dtype=bool)
    shapes = homes.geometry.to_numpy()
    known = assets.to_numpy()[~(assets.isna() | assets.is_empty).to_numpy()]
    if len(known) and len(homes):
        home, _ = shapely.STRtree(known).query(shapes, predicate="dwithin", distance=radius_m)
        near[home] = True
    middle = shapely.point_on_surface(shapes)
    row = GridIndex(grids).assign(shapely.get_x(middle), shapely.get_y(middle))
    inside = row >= 0
    total = np.bincount(row[inside], count[inside], minlength=len(grids))
    served = np.bincount(row[inside & near], count[inside & near], minlength=len(grids))
    share = np.where(total > 0, served / np.maximum(total, 1), np.nan)
    table = pd.DataFrame({"households": total, "served": served}, index=grids.index)
    return table.round().astype(np.int64).assign(served_share=share)


def find_stretches(
    pieces: StreetPieces, roads: GeoDataFrame, grids: GeoDataFrame, reach: Reach, *, most: int = 10
) -> GeoDataFrame:
    """Find the longest stretches of a street that nothing reaches.

    A stretch follows one street (by `name`, else by the road itself) and hangs together.

    Parameters
    ----------
    roads
        Those that the pieces were cut from, in the same order, with `name` where known.
    grids
        Those that the pieces belong to.
    most
        How many, the longest first.

    Returns
    -------
    GeoDataFrame
        By rank from 1: `name`, `road_id` (label of its first road), `grid_id` (that holds most of
        it; missing outside), `length_m`, lines in the CRS of the roads.
    """
    gaps = invert_reach(pieces, reach)
    ends = pieces.ends[gaps.piece]
    way = ends[:, 2:] - ends[:, :2]
    low, high = ends[:, :2] + way * gaps.low[:, None], ends[:, :2] + way * gaps.high[:, None]
    # Pieces of a street meet in the very same corner; what was computed misses it by a rounding.
    whole = gaps.high == 1
    high[whole] = ends[whole, 2:]
    length = (gaps.high - gaps.low) * pieces.length_m[gaps.piece]
    road = pieces.road[gaps.piece]
    street = _streets(roads)[road]
    part = _join(low, high, street)
    table = pd.DataFrame({"part": part, "length_m": length, "road": road, "at": range(len(part))})
    sizes = table.groupby("part")["length_m"].sum()
    worst = sizes.sort_values(ascending=False, kind="stable").head(most)
    records = []
    order = np.argsort(part, kind="stable")
    for number, size in worst.items():
        first_row, last_row = np.searchsorted(part[order], [number, number + 1])
        rows = order[first_row:last_row]
        lines = shapely.line_merge(
            shapely.multilinestrings(shapely.linestrings(np.stack([low[rows], high[rows]], axis=1)))
        )
        by_grid = np.bincount(pieces.row[gaps.piece[rows]] + 1, length[rows])
        home = int(by_grid.argmax()) - 1
        first = int(road[rows].min())
        records.append(
            {
                "name": roads["name"].iloc[first] if "name" in roads else None,
                "road_id": roads.index[first],
                "grid_id": grids.index[home] if home >= 0 else None,
                "length_m": float(size),
                "geometry": lines,
            }
        )
    columns = ["name", "road_id", "grid_id", "length_m", "geometry"]
    return GeoDataFrame(
        records,
        columns=columns,
        crs=roads.crs,
        index=pd.RangeIndex(1, len(records) + 1, name="rank"),
        geometry="geometry",
    )


def _streets(roads: GeoDataFrame) -> npt.NDArray[np.int64]:
    """Number of the street of each road: its name, else the road alone."""
    alone = np.arange(len(roads)).astype(str).astype(object)
    if "name" not in roads:
        return np.arange(len(roads))
    name = roads["name"].to_numpy(dtype=object, na_value="")
    key = np.where(name == "", "#" + alone, "=" + name.astype(object))
    return np.asarray(pd.factorize(key)[0], dtype=np.int64)


def _join(low: Floats, high: Floats, street: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number the parts of streets that meet end to end."""
    count = len(low)
    if not count:
        return np.empty(0, dtype=np.int64)
    corner = np.round(np.vstack([low, high]) / NODE_M).astype(np.int64)
    key = np.column_stack([corner, np.tile(street, 2)])
    _, node = np.unique(key, axis=0, return_inverse=True)
    node = node.reshape(-1)
    part = np.tile(np.arange(count), 2)
    links = coo_array(
        (np.ones(2 * count, dtype=np.int8), (part, count + node)),
        shape=(count + int(node.max()) + 1,) * 2,
    )
    return np.asarray(connected_components(links, directed=False)[1][:count], dtype=np.int64)
