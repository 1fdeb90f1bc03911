"""Units as a graph: who borders on whom, how long, along which street, and what must not be cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._divide_parts import label_parts
from geo.borders import NEAR_M, find_borders

BORDER_CLASSES = ("minor", "main", "river", "rail")
"""In rising order: where several lines run along a border, the last one decides."""

CUT_WEIGHT = {"minor": 1.0, "main": 0.45, "river": 0.0, "rail": 0.0}
"""What a metre of border between two grids costs: main streets are where it should run. With 0.5
less of it does; with 0.35 the grids grow less round (tried on generated cities and seeds)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class UnitGraph:
    """Pairs of neighbouring units, each once; rows are those of the table of units."""

    count: int
    left: Ints
    right: Ints
    length_m: Floats
    """Common border."""
    weighted_m: Floats
    """The same by `CUT_WEIGHT`."""
    crosses: Bools
    """Whether a grid may have both: no part of the border is a barrier."""
    along_m: Mapping[str, float]
    """Metres of border by class of the line along it."""

    def pieces(self, group: Ints) -> Ints:
        """Number the parts of each group that hang together without crossing a barrier."""
        kept = self.crosses & (group[self.left] == group[self.right])
        return label_parts(self.count, self.left[kept], self.right[kept])


def read_graph(
    units: gpd.GeoDataFrame,
    roads: gpd.GeoDataFrame | None = None,
    *,
    barriers: tuple[str, ...] = ("river", "rail"),
) -> UnitGraph:
    """Build the graph of units in metres; `roads` has `road_class`, in the same CRS."""
    borders = find_borders(units)
    rank = _rank_borders(borders, roads)
    names = np.array(BORDER_CLASSES)[rank]
    weight = np.array([CUT_WEIGHT[name] for name in BORDER_CLASSES])[rank]
    borders = borders.assign(
        weighted_m=borders["length_m"] * weight, is_barrier=np.isin(names, barriers)
    )
    pairs = borders.groupby(["left", "right"], as_index=False).agg(
        length_m=("length_m", "sum"),
        weighted_m=("weighted_m", "sum"),
        is_barrier=("is_barrier", "any"),
    )
    pairs = pairs[pairs["length_m"] > NEAR_M]
    return UnitGraph(
        len(units),
        pairs["left"].to_numpy(dtype=np.int64),
        pairs["right"].to_numpy(dtype=np.int64),
        pairs["length_m"].to_numpy(dtype=np.float64),
        pairs["weighted_m"].to_numpy(dtype=np.float64),
        ~pairs["is_barrier"].to_numpy(dtype=bool),
        borders.groupby(names)["length_m"].sum().to_dict(),
    )


def _rank_borders(borders: pd.DataFrame, roads: gpd.GeoDataFrame | None) -> Ints:
    """The class of each piece of border: that of the line within a centimetre of its middle."""
    rank = np.zeros(len(borders), dtype=np.int64)
    if roads is None:
        return rank
    known = {"main": 1, "arterial": 1, "river": 2, "rail": 3}
    road_rank = roads["road_class"].map(known).fillna(0).to_numpy(dtype=np.int64)
    # Off every line a border counts as minor: only the others need to be looked for.
    tree = shapely.STRtree(roads.geometry.to_numpy()[road_rank > 0])
    middle = shapely.points(borders["x"].to_numpy(), borders["y"].to_numpy())
    piece, road = tree.query(middle, predicate="dwithin", distance=NEAR_M)
    np.maximum.at(rank, piece, road_rank[road_rank > 0][road])
    return rank


def neighbour_lists(
    count: int, left: Ints, right: Ints, values: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Turn pairs into lists: where the list of each unit begins, its neighbours, their values."""
    ends = np.concatenate([left, right])
    others = np.concatenate([right, left])
    both = np.concatenate([values, values])
    order = np.lexsort((others, ends))
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(ends, minlength=count), out=start[1:])
    return start, others[order], both[order]
