"""Streets as straight pieces: their middles, and the two sides that a patrol walks along.

A street counts where its middle runs, on a border as `geo.locate` says. A patrol walks along both
sides of a wide street (`BOTH_SIDES`), and once along any other, which counts to its sides by
halves; a side counts to the block in which it lies, `SIDE_M` beside the middle. So a street on the
border of two grids is walked for both. Which streets are wide and how far a side lies from the
middle is our assumption. Public names are handed on by `geo.impact`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely

from geo._plan_rings import Floats, Ints
from geo._reach_pieces import PIECE_M, WALKED
from geo._reach_pieces import _cut_at_borders as cut_at_borders
from geo.errors import ColumnError

BOTH_SIDES = ("arterial", "main")
SIDE_M = 2.0
PER_M = 1024.0

Find = Callable[[Floats], Ints]
"""Row of the block of each point, -1 outside."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight pieces, each in one block."""

    ends: Floats
    """x, y of both ends, metres, (n, 4)."""
    metres: Floats
    """What it counts, in whole multiples of 1/1024 m."""
    block: Ints
    """-1 outside of all."""

    def sums(self, count: int) -> Floats:
        """Metres by block."""
        inside = self.block >= 0
        sums = np.bincount(self.block[inside], self.metres[inside], minlength=count)
        return np.asarray(sums, dtype=np.float64)


def lay_streets(roads: gpd.GeoDataFrame, shapes: np.ndarray, find: Find) -> Mapping[str, Lines]:
    """The middles and both sides of all streets, cut where blocks meet.

    Raises
    ------
    ColumnError
        If roads have no `road_class`.
    """
    if "road_class" not in roads.columns:
        raise ColumnError(f"roads have no road_class: they have {', '.join(roads.columns)}")
    kind = roads["road_class"].to_numpy()
    walked = np.flatnonzero(np.isin(kind, WALKED))
    parts, of_part = shapely.get_parts(roads.geometry.to_numpy()[walked], return_index=True)
    xy, line = shapely.get_coordinates(parts, return_index=True)
    same = line[1:] == line[:-1]
    start, end = xy[:-1][same], xy[1:][same]
    is_wide = np.isin(kind[walked[of_part[line[1:][same]]]], BOTH_SIDES)
    size = np.hypot(*(end - start).T)
    there = size > 0
    start, end, size, is_wide = start[there], end[there], size[there], is_wide[there]
    away = np.column_stack([start[:, 1] - end[:, 1], end[:, 0] - start[:, 0]])
    away *= SIDE_M / size[:, None] if len(size) else 1.0
    half = np.where(is_wide, 1.0, 0.5)
    return {
        name: _lay(start + shift, end + shift, size * share, shapes, find)
        for name, shift, share in (
            ("middle", 0.0, 1.0),
            ("left", away, half),
            ("right", -away, half),
        )
    }


def _lay(start: Floats, end: Floats, metres: Floats, shapes: np.ndarray, find: Find) -> Lines:
    """Pieces of at most 25 m, cut at the borders of shapes; their metres add up to the lines'."""
    size = np.hypot(*(end - start).T)
    parts = np.maximum(1, np.ceil(size / PIECE_M)).astype(np.int64)
    of = np.repeat(np.arange(len(size)), parts)
    number = (np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts))[:, None]
    way, share = (end - start)[of], parts[of, None]
    low, high = start[of] + way * number / share, start[of] + way * (number + 1) / share
    whole = np.rint(metres * PER_M) / PER_M
    pieces = _share(whole, of, (number[:, 0] + 1) / share[:, 0])
    ends, metres, _ = _cut(np.hstack([low, high]), pieces, shapes)
    return Lines(ends, metres, find((ends[:, :2] + ends[:, 2:]) / 2))


def cut_lines(
    lines: Lines, rows: Ints, shapes: np.ndarray, find: Callable[..., Ints], count: int
) -> Floats:
    """Metres by shape of some pieces that lie in them, cut at their borders."""
    ends, metres, _ = _cut(lines.ends[rows], lines.metres[rows], shapes)
    if not len(ends):
        return np.zeros(count)
    block = find((ends[:, :2] + ends[:, 2:]) / 2, inside=True)
    return np.asarray(np.bincount(block, metres, minlength=count), dtype=np.float64)


def _cut(ends: Floats, metres: Floats, shapes: np.ndarray) -> tuple[Floats, Floats, Ints]:
    """Pieces between borders, what they count, and the piece that each is part of."""
    if not len(ends):
        return ends, metres, np.empty(0, dtype=np.int64)
    low, high = ends[:, :2], ends[:, 2:]
    piece, begin, end = cut_at_borders(low, high, gpd.GeoDataFrame(geometry=shapes))
    way = (high - low)[piece]
    cut = np.hstack([low[piece] + way * begin[:, None], low[piece] + way * end[:, None]])
    return cut, _share(metres, piece, end), piece.astype(np.int64)


def _share(whole: Floats, of: Ints, until: Floats) -> Floats:
    """Share wholes among their parts, which end at `until` (0 to 1), in order; sums are exact."""
    last = np.append(of[1:] != of[:-1], True) if len(of) else np.empty(0, dtype=bool)
    mark = np.where(last, whole[of], np.rint(whole[of] * until * PER_M) / PER_M)
    before = np.concatenate([[0.0], mark[:-1]]) if len(of) else mark
    first = np.append(True, of[1:] != of[:-1]) if len(of) else last
    return np.asarray(mark - np.where(first, 0.0, before))
