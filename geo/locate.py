"""Find the grid that each of many points is in: exactly one, always, the same on every machine.

A point on a line belongs to the first grid that one meets looking from the point due east and
turning counter-clockwise:

- on a line, the grid east of it; on an exactly level line, the grid north of it;
- at a corner, the grid to the north-east, or else the next one counter-clockwise;
- on the outer border, and on the border of a gap or hole, the grid that touches it there.

So the counts of all grids add up to the number of points inside the cover. Grids must not overlap,
not even by a rounding error; gaps are allowed, and a point in one is outside. Neighbours may cut
their common border at different points as long as the pieces lie on one another exactly.

How it works: every edge knows the grid on either side, and crossing it turns the one into the
other. A lattice of blocks and cells knows the grid at each cell's corner, and a point differs from
its cell's corner by the few edges between the two (`_locate_cells`). Two half-planes a cell decide
most points at once (`_locate_table`); near a line exact arithmetic does (`_locate_exact`).
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from geo._locate_edges import collect_edges
from geo._locate_exact import LARGEST, SMALLEST
from geo._locate_query import find_rows
from geo._locate_table import (
    FINEST,
    Lattice,
    build_blocks,
    label_blocks,
    list_edges,
    to_blocks,
)
from geo.errors import CoverError

BLOCKS_PER_EDGE = 2.0
"""Blocks of the lattice for each edge of the cover; measured with benchmarks/locate.py."""
MOST_BLOCKS = 1 << 18
"""The entries of all blocks take 1 MB, which stays in a second-level cache."""
CELLS_PER_EDGE = 8
"""Cells of a block for each edge that touches it; measured with benchmarks/locate.py."""
NAMED_PLACES = 5
"""How many places an error names."""


class GridIndex:
    """An index of grids that finds the grid of each point.

    Parameters
    ----------
    grids
        Polygons or MultiPolygons in any CRS, without overlaps; gaps are allowed.

    Raises
    ------
    CoverError
        If a grid has no polygon or an invalid one, or grids overlap; the message names the first
        places.

    Notes
    -----
    Building takes about as long as looking up a few million points, so keep the index.
    `assign` may run in several threads at once; `replace` must not run beside it.
    """

    def __init__(self, grids: gpd.GeoDataFrame) -> None:
        self._index = grids.index
        self._shapes: NDArray[np.object_] = np.array(grids.geometry.array, dtype=object)
        _require_polygons(self._shapes, self._index)
        self._build()

    def __len__(self) -> int:
        return len(self._index)

    @property
    def nbytes(self) -> int:
        """Bytes that the tables of the index take, shapes not counted."""
        tables = (
            self._edges, self._left, self._right, self._corner, self._block_start,
            self._block_count, self._entries, self._lists, self._fine, self._records, self._where,
        )  # fmt: skip
        return sum(table.nbytes for table in tables)

    def assign(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.int32]:
        """Find the grid of each point.

        Parameters
        ----------
        x, y
            Coordinates in the CRS of the grids, equally many.

        Returns
        -------
        array
            Row position in the grids, one for each point and in their order; -1 for a point
            outside of all grids or with a coordinate that is missing or infinite.
        """
        px = _as_numbers(x)
        py = _as_numbers(y)
        if px.shape != py.shape:
            raise ValueError(f"x has {px.size} numbers and y has {py.size}: give equally many")
        rows: NDArray[np.int32] = find_rows(
            px, py, self._lattice, self._entries, self._fine, self._records, self._where,
            self._lists, self._edges, self._left, self._right,
        )  # fmt: skip
        return rows

    def _build(self) -> None:
        points, rings, labels, holes = _rings(self._shapes, np.arange(1, len(self) + 1))
        bits, self._left, self._right, twice = collect_edges(
            points, points.view(np.uint64), rings, labels, holes,
            np.empty((0, 4), np.uint64), np.empty(0, np.int32), np.empty(0, np.int32),
        )  # fmt: skip
        self._edges = bits.view(np.float64)
        self._refuse_clashes(
            [(*self._edges[e, :2], first, second) for e, first, second in twice], len(twice)
        )
        self._lattice = _lay_lattice(points, len(self._edges))
        scaled = to_blocks(self._edges, self._lattice)
        ids = np.arange(len(self._edges), dtype=np.int32)
        start, lists = list_edges(scaled, ids, self._lattice)
        self._block_start = start[:-1]
        self._block_count = np.diff(start)
        self._corner = label_blocks(ids, self._edges, self._left, self._right, self._lattice)
        touched = np.flatnonzero(self._block_count)
        # The first cells hold each label once, for the blocks that no edge touches.
        fine = np.arange(-1, len(self), dtype=np.int32)
        used = np.array([len(lists), len(fine), 0], np.int64)
        lists, fine, records, where, entries, clashes, n = build_blocks(
            touched, self._block_start[touched], self._block_count[touched], self._corner[touched],
            CELLS_PER_EDGE, self._lattice, self._edges, scaled, self._left, self._right, lists,
            fine, np.empty((0, 8), np.float32), np.empty((0, 3), np.int32), used,
        )  # fmt: skip
        self._refuse_clashes(clashes[:n], n)
        self._used = used
        self._lists, self._fine, self._records, self._where = lists, fine, records, where
        self._entries = np.zeros(len(self._corner) + 1, np.uint32)
        self._entries[:-1] = self._corner.astype(np.uint32) << np.uint32(4)
        self._entries[touched] = entries

    def _refuse_clashes(self, clashes: Any, count: int) -> None:
        if count:
            raise CoverError(_describe_clashes(clashes, self._shapes, self._index))


def _as_numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Return a flat, contiguous float64 array; missing values become NaN."""
    if isinstance(values, pd.Series | pd.Index):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        numbers = np.asarray(values, dtype=np.float64)
    return np.ascontiguousarray(numbers).reshape(-1)


def _require_polygons(shapes: NDArray[np.object_], labels: pd.Index) -> None:
    """Raise for the first grid that is no valid polygon with numbers that we can compute with."""
    kinds = shapely.get_type_id(shapes)
    for row in np.flatnonzero(kinds == -1)[:1]:
        raise CoverError(f"grid {labels[row]!r} has no geometry: give it a polygon or leave it out")
    for row in np.flatnonzero((kinds != 3) & (kinds != 6))[:1]:
        raise CoverError(f"grid {labels[row]!r} is a {shapes[row].geom_type}, not a polygon")
    for row in np.flatnonzero(shapely.is_empty(shapes))[:1]:
        raise CoverError(f"grid {labels[row]!r} is empty: give it a polygon or leave it out")
    invalid = np.flatnonzero(~shapely.is_valid(shapes))
    if len(invalid):
        reasons = [
            f"{labels[row]!r} ({shapely.is_valid_reason(shapes[row])})"
            for row in invalid[:NAMED_PLACES]
        ]
        raise CoverError(
            f"{len(invalid)} of {len(shapes)} grids are not valid polygons: {', '.join(reasons)}"
            f"{', ...' if len(invalid) > NAMED_PLACES else ''}; repair them with "
            "shapely.make_valid or the import gate"
        )


def _rings(
    shapes: NDArray[np.object_], row_labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the vertices of all rings, where each ring begins, its label, whether it is a hole."""
    if len(shapes) == 0:
        nothing = np.empty(0, np.int64)
        return np.empty((0, 2)), np.zeros(1, np.int64), nothing, nothing.astype(bool)
    parts, part_of = shapely.get_parts(shapes, return_index=True)
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    counts = shapely.get_num_coordinates(rings)
    # Adding 0 turns -0.0, which has other bytes, into 0.0.
    points = np.ascontiguousarray(shapely.get_coordinates(rings)) + 0.0
    points[np.abs(points) < SMALLEST] = 0.0
    if not np.all(np.abs(points) < LARGEST):
        bad = int(np.flatnonzero(~(np.abs(points) < LARGEST).all(axis=1))[0])
        raise CoverError(f"a grid has a vertex at {points[bad].tolist()}, beyond {LARGEST:g}")
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    holes = np.concatenate([[False], ring_of[1:] == ring_of[:-1]])
    return points, start, row_labels[part_of[ring_of]], holes


def _lay_lattice(points: NDArray[np.float64], edges: int) -> Lattice:
    """Lay blocks over the cover, with room around it, as square as whole numbers allow."""
    if len(points) == 0:
        return Lattice(0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1, 1, 0)
    low = points.min(axis=0)
    high = points.max(axis=0)
    # A cell must be far wider than the distance of neighbouring numbers.
    least = np.spacing(np.abs(points).max()) * 2.0**23
    span = np.maximum(high - low, least)
    target = min(max(BLOCKS_PER_EDGE * edges, 1.0), MOST_BLOCKS)
    nx = min(max(round(float(np.sqrt(target * span[0] / span[1]))), 1), 4096)
    ny = min(max(round(target / nx), 1), 4096)
    count = np.array([nx, ny])
    count = np.maximum(np.minimum(count, np.floor(span / least).astype(np.int64)), 1)
    size = span * (1.0 + 2.0**-10) / count
    origin = low - span * 2.0**-11
    finest = int(np.clip(np.floor(np.log2(size.min() / least)), 0, FINEST))
    return Lattice(
        float(origin[0]), float(origin[1]), float(1.0 / size[0]), float(1.0 / size[1]),
        float(size[0]), float(size[1]), int(count[0]), int(count[1]), finest,
    )  # fmt: skip


def _describe_clashes(clashes: Any, shapes: NDArray[np.object_], labels: pd.Index) -> str:
    """Name the grids that overlap near the places where edges contradict each other."""
    tree = shapely.STRtree(shapes)
    pairs: dict[tuple[int, int], tuple[float, float, float]] = {}
    for x, y, first, second in clashes:
        near = {int(row) for row in tree.query(shapely.Point(x, y), predicate="intersects")}
        near |= {int(label) - 1 for label in (first, second) if 0 < label <= len(shapes)}
        for i in near:
            for j in near:
                if i < j and (i, j) not in pairs:
                    area = shapely.intersection(shapes[i], shapes[j]).area
                    if area > 0:
                        pairs[i, j] = (float(x), float(y), float(area))
    if not pairs:
        x, y, *claims = clashes[0]
        names = " and ".join(
            repr(labels[int(label) - 1]) for label in claims if 0 < label <= len(shapes)
        )
        return (
            f"grids {names or ''} cross by less than a rounding error near ({x:.9g}, {y:.9g}): "
            "snap their common border first, as the import gate does"
        )
    places = [
        f"{labels[i]!r} and {labels[j]!r} near ({x:.9g}, {y:.9g}) by {area:.3g} square units"
        for (i, j), (x, y, area) in list(pairs.items())[:NAMED_PLACES]
    ]
    more = ", and more" if len(pairs) > NAMED_PLACES else ""
    return (
        f"grids overlap: {'; '.join(places)}{more}. A point there would be in two grids: "
        "repair the cover first, as the import gate does"
    )
