"""Streets as straight pieces, and parts of them (intervals from 0 to 1) that something reaches.

Public names are handed on by `geo.reach`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo._fixes_tracks import Floats
from geo.datum import require_metres
from geo.errors import ColumnError, CrsError, InputError
from geo.locate import GridIndex

PIECE_M = 25.0
WALKED = ("arterial", "main", "minor", "path")
"""Classes of road that count as street; rivers and railways do not."""


@dataclass(frozen=True, eq=False)
class StreetPieces:
    """Straight pieces of street with the grid of each; made once for a version of the borders."""

    ends: Floats
    """x, y of both ends, metres, (n, 4)."""
    row: npt.NDArray[np.int32]
    """Row of the grid, -1 outside of all grids."""
    length_m: Floats
    road: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    """Row of the street among the roads that came in."""
    cells: dict[float, Any] = field(default_factory=dict, repr=False)
    """The pieces near each place by radius, kept by `geo._reach_measure` once they were sorted."""

    def __len__(self) -> int:
        return len(self.ends)


@dataclass(frozen=True, eq=False)
class Reach:
    """Which parts of street pieces are reached: intervals apart, by piece and in order."""

    piece: npt.NDArray[np.int64]
    low: Floats
    high: Floats
    """From 0 to 1 along the piece."""


def cut_streets(roads: GeoDataFrame, grids: GeoDataFrame) -> StreetPieces:
    """Cut the streets among `roads` into straight pieces of at most 25 m, and where grids meet.

    A piece belongs to the grid of its middle: on a border to the one that `geo.locate` names.

    Parameters
    ----------
    roads
        Lines with `road_class`; the classes in WALKED are streets.
    grids
        In the same CRS in metres.

    Raises
    ------
    CrsError
        If the layers differ in CRS or are not in metres.
    ColumnError
        If roads have no `road_class`.
    """
    require_metres(roads=roads, grids=grids)
    if roads.crs != grids.crs:
        raise CrsError(f"roads are in {roads.crs}, grids in {grids.crs}: bring them together first")
    if "road_class" not in roads.columns:
        raise ColumnError(f"roads have no road_class: they have {', '.join(roads.columns)}")
    walked = np.flatnonzero(roads["road_class"].isin(WALKED).to_numpy())
    lines, of_line = shapely.get_parts(roads.geometry.to_numpy()[walked], return_index=True)
    xy, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    start, end, road = xy[:-1][same], xy[1:][same], walked[of_line[line[1:][same]]]
    size = np.hypot(*(end - start).T)
    there = size > 0
    start, end, road, size = start[there], end[there], road[there], size[there]
    parts = np.maximum(1, np.ceil(size / PIECE_M)).astype(np.int64)
    of = np.repeat(np.arange(len(size)), parts)
    number = (np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts))[:, None]
    way = (end - start)[of]
    share = parts[of, None]
    low, high = start[of] + way * number / share, start[of] + way * (number + 1) / share
    piece, begin, end = _cut_at_borders(low, high, grids)
    way = (high - low)[piece]
    low, high = low[piece] + way * begin[:, None], low[piece] + way * end[:, None]
    middle = (low + high) / 2
    row = GridIndex(grids).assign(middle[:, 0], middle[:, 1])
    metres = (size[of] / parts[of])[piece] * (end - begin)
    return StreetPieces(np.hstack([low, high]), row, metres, road[of][piece])


def _cut_at_borders(
    low: Floats, high: Floats, grids: GeoDataFrame
) -> tuple[npt.NDArray[np.intp], Floats, Floats]:
    """Parts of pieces between borders of grids: the piece of each, from and to (0 to 1)."""
    rings = shapely.get_rings(grids.geometry.to_numpy())
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    at = np.flatnonzero(ring[1:] == ring[:-1])
    one, other = xy[at], xy[at + 1]
    # A border that two grids share has one direction here, and counts once.
    turned = (one[:, 0] > other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] > other[:, 1]))
    one[turned], other[turned] = other[turned], one[turned]
    edges = np.unique(np.hstack([one, other]), axis=0)
    tree = shapely.STRtree(shapely.linestrings(edges.reshape(-1, 2, 2)))
    pieces = shapely.linestrings(np.stack([low, high], axis=1)) if len(low) else []
    piece, edge = tree.query(pieces) if len(low) else np.empty((2, 0), dtype=np.intp)
    d, e = (high - low)[piece], edges[edge, 2:] - edges[edge, :2]
    to = edges[edge, :2] - low[piece]
    cross = d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]
    slanted = cross != 0
    piece, d, e, to, cross = piece[slanted], d[slanted], e[slanted], to[slanted], cross[slanted]
    along = (to[:, 0] * e[:, 1] - to[:, 1] * e[:, 0]) / cross
    beside = (to[:, 0] * d[:, 1] - to[:, 1] * d[:, 0]) / cross
    # Along a border nothing is cut; where a third border begins, that one cuts.
    hit = (beside >= -1e-9) & (beside <= 1 + 1e-9) & (along > 1e-9) & (along < 1 - 1e-9)
    whole = np.concatenate([np.arange(len(low)), piece[hit]])
    begin = np.concatenate([np.zeros(len(low)), along[hit]])
    order = np.lexsort((begin, whole))
    whole, begin = whole[order], begin[order]
    end = np.ones(len(whole))
    same = whole[1:] == whole[:-1]
    end[:-1][same] = begin[1:][same]
    # The same crossing is met once by each border that ends there.
    there = end - begin > 1e-9
    return whole[there], begin[there], end[there]


def merge_intervals(piece: npt.NDArray[np.int64], low: Floats, high: Floats) -> Reach:
    """Make intervals of pieces apart and ordered."""
    there = high > low
    piece, low, high = piece[there], low[there], high[there]
    order = np.lexsort((low, piece))
    piece, low, high = piece[order], low[order], high[order]
    if not len(piece):
        return Reach(piece, low, high)
    # The farthest end so far, piece by piece: pieces are set 2 apart so that none meets the next.
    shift = 2.0 * piece
    farthest = np.maximum.accumulate(high + shift)
    begins = np.ones(len(piece), dtype=bool)
    begins[1:] = low[1:] + shift[1:] > farthest[:-1]
    first = np.flatnonzero(begins)
    return Reach(piece[first], low[first], np.maximum.reduceat(high, first))


def join_reach(*parts: Reach) -> Reach:
    """What at least one of several reaches."""
    if not parts:
        raise InputError("join_reach needs something to join: give at least one reach")
    piece = np.concatenate([part.piece for part in parts])
    low = np.concatenate([part.low for part in parts])
    high = np.concatenate([part.high for part in parts])
    return merge_intervals(piece, low, high)


def invert_reach(pieces: StreetPieces, reach: Reach) -> Reach:
    """What is not reached."""
    n = len(pieces)
    piece = np.concatenate([reach.piece, np.arange(n)])
    # Each gap begins where an interval ends (the first at 0) and ends where the next begins.
    begin = np.concatenate([reach.high, np.zeros(n)])
    order = np.lexsort((begin, piece))
    piece, begin = piece[order], begin[order]
    closing = np.concatenate([reach.low, np.ones(n)])
    closing = closing[np.lexsort((closing, np.concatenate([reach.piece, np.arange(n)])))]
    there = closing > begin
    return Reach(piece[there], begin[there], closing[there])


def reached_m(pieces: StreetPieces, reach: Reach) -> Floats:
    """Metres of each piece that are reached."""
    share = np.bincount(reach.piece, weights=reach.high - reach.low, minlength=len(pieces))
    return np.asarray(np.minimum(share, 1.0) * pieces.length_m)


def sum_by_grid(pieces: StreetPieces, metres: Floats, grids: pd.Index) -> Floats:
    """Sum metres of pieces by grid; those outside of all grids are left out."""
    inside = pieces.row >= 0
    sums = np.bincount(pieces.row[inside], weights=metres[inside], minlength=len(grids))
    return np.asarray(sums, dtype=np.float64)
