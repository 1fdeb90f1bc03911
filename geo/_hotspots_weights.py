"""Who is whose neighbour: weights of one between grids that touch, or that are near.

Public names are handed on by `geo.hotspots`.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from geo.datum import require_metres
from geo.errors import InputError

TOUCH_M = 1.0
"""Grids this near one another touch: borders that were drawn apart by less are one border; our
assumption, the width of a line on a plan of 1:1000."""

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Weights:
    """Neighbours of grids, each with the weight one; grid i has `other[start[i]:start[i + 1]]`."""

    ids: pd.Index
    start: _Rows
    other: _Rows
    """Rows of neighbours, rising for each grid."""
    kind: str
    """`contiguity` or `distance`."""
    distance_m: float
    """Up to which distance grids are neighbours, between borders or between middles."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def cards(self) -> _Rows:
        """How many neighbours each grid has."""
        return np.diff(self.start)

    def star(self) -> csr_array:
        """The weights as a matrix with ones on the diagonal: each grid and its neighbours."""
        size = len(self)
        ones = np.ones(len(self.other))
        plain = csr_array((ones, self.other, self.start), shape=(size, size))
        return csr_array(plain + csr_array((np.ones(size), (np.arange(size),) * 2)))

    def only(self, keep: npt.NDArray[np.bool_]) -> Weights:
        """The weights among some grids alone."""
        to = np.cumsum(keep) - 1
        one = np.repeat(np.arange(len(self)), self.cards)
        both = keep[one] & keep[self.other]
        return _weights(
            self.ids[keep], to[one[both]], to[self.other[both]], self.kind, self.distance_m
        )


def contiguity_weights(grids: gpd.GeoDataFrame, *, within_m: float = TOUCH_M) -> Weights:
    """Make neighbours of grids that share a border or a corner (queen contiguity).

    Parameters
    ----------
    grids
        Polygons in metres; the index names them.
    within_m
        Borders no farther apart than this touch.

    Raises
    ------
    CrsError
        If the grids are not in metres.
    InputError
        If a grid has no shape, or the distance is negative.
    """
    shapes = _shapes(grids)
    if not within_m >= 0:
        raise InputError(f"within_m is {within_m}: give metres, 0 or more")
    tree = shapely.STRtree(shapes)
    one, two = tree.query(shapes, predicate="dwithin", distance=within_m)
    return _weights(grids.index, one, two, "contiguity", within_m)


def distance_weights(grids: gpd.GeoDataFrame, radius_m: float) -> Weights:
    """Make neighbours of grids whose middles (centroids) are no farther apart than a distance.

    Errors as for `contiguity_weights`. A grid without a neighbour stands for itself alone.
    """
    shapes = _shapes(grids)
    if not radius_m > 0:
        raise InputError(f"radius_m is {radius_m}: give more than 0 metres")
    middle = shapely.centroid(shapes)
    places = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
    pairs = cKDTree(places).query_pairs(radius_m, output_type="ndarray") if len(places) else None
    found = np.empty((0, 2), dtype=np.int64) if pairs is None else pairs
    one, two = np.concatenate([found, found[:, ::-1]]).T
    return _weights(grids.index, one, two, "distance", float(radius_m))


def _shapes(grids: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    require_metres(grids=grids)
    shapes: npt.NDArray[np.object_] = np.array(grids.geometry.array, dtype=object)
    gone = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if gone.any():
        first = grids.index[int(np.flatnonzero(gone)[0])]
        raise InputError(f"grid {first} has no shape: leave it out or draw it")
    return shapes


def _weights(
    ids: pd.Index, one: npt.NDArray[np.int64], two: npt.NDArray[np.int64], kind: str, far: float
) -> Weights:
    apart = one != two
    one, two = one[apart], two[apart]
    order = np.lexsort((two, one))
    start = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=len(ids)))])
    return Weights(ids, start.astype(np.int64), two[order].astype(np.int64), kind, far)
