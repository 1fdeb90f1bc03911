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

from geo._locate_cover import (
    border_of,
    describe_clashes,
    read_rings,
    require_polygons,
    require_same_ground,
    rows_of,
)
from geo._locate_edges import collect_edges
from geo._locate_patch import (
    blocks_of_edges,
    edges_of_rows,
    merge_edges,
    relabel_blocks,
    relist_blocks,
    without_claims,
)
from geo._locate_query import find_rows
from geo._locate_table import (
    FINEST,
    MOST_SHORT,
    Lattice,
    build_blocks,
    label_blocks,
    list_edges,
    scale_edges,
)
from geo.errors import CoverError, CrsError

BLOCKS_PER_EDGE = 2.0
"""Blocks of the lattice for each edge of the cover; measured with benchmarks/locate.py."""
MOST_BLOCKS = 1 << 20
"""The entries of all blocks take 1 MB, which stays in a second-level cache."""
CELLS_PER_EDGE = 4
"""Cells of a block for each edge that touches it; measured with benchmarks/locate.py."""


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
        self._crs = grids.crs
        self._shapes: NDArray[np.object_] = np.array(grids.geometry.array, dtype=object)
        require_polygons(self._shapes, self._index)
        self._build()

    def __len__(self) -> int:
        return len(self._index)

    @property
    def nbytes(self) -> int:
        """Bytes that the tables of the index take, shapes not counted."""
        tables = (
            self._edges, self._scaled, self._left, self._right, self._corner, self._block_start,
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

    def replace(self, changed: gpd.GeoDataFrame) -> None:
        """Put redrawn grids in the place of those with the same index labels.

        Parameters
        ----------
        changed
            The redrawn grids, in the CRS of the index; together they cover the same ground as
            those that they replace.

        Raises
        ------
        CoverError
            If a label is unknown or there twice, the ground is not the same, or grids overlap.
            The index then stays as it was.
        CrsError
            If `changed` is in another CRS.

        Notes
        -----
        Afterwards every answer equals that of an index built anew.
        """
        geometry = changed.geometry.array
        if self._crs is not None and geometry.crs is not None and self._crs != geometry.crs:
            raise CrsError(f"changed is in {geometry.crs.name}, the grids in {self._crs.name}")
        rows = rows_of(self._index, changed.index)
        if len(rows) == 0:
            return
        redrawn = np.array(geometry, dtype=object)
        require_polygons(redrawn, changed.index)
        shapes = self._shapes.copy()
        shapes[rows] = redrawn
        is_changed = np.zeros(len(shapes) + 1, np.bool_)
        is_changed[rows + 1] = True
        west, south, east, north = shapely.total_bounds(self._shapes[rows])
        old = edges_of_rows(
            west, south, east, north, self._left, self._right, is_changed, self._block_start,
            self._block_count, self._lists, self._lattice,
        )  # fmt: skip
        rings = read_rings(redrawn, rows + 1)
        kept = without_claims(self._edges, self._left, self._right, old, is_changed)
        bits, left, right, twice = collect_edges(*rings, *kept)
        points = bits.view(np.float64)
        if len(twice):
            self._refuse([(*points[e, :2], a, b) for e, a, b in twice], shapes)
        require_same_ground(
            border_of(self._edges[old, :4], self._left[old], self._right[old], is_changed),
            border_of(points, left, right, is_changed),
            self._index[rows],
        )
        self._patch(old, bits, left, right, shapes)

    def _build(self) -> None:
        rings = read_rings(self._shapes, np.arange(1, len(self) + 1))
        none = np.empty(0, np.int32)
        rings += (np.empty((0, 4), np.uint64), none, none)
        edge_bits, left, right, twice = collect_edges(*rings)
        edges = edge_bits.view(np.float64)
        if len(twice):
            self._refuse([(*edges[e, :2], a, b) for e, a, b in twice], self._shapes)
        real = left != right
        self._left, self._right = left[real], right[real]
        self._edges = np.column_stack([edges[real], self._left ^ self._right])
        self._edge_count = len(self._edges)
        self._lattice = _lay_lattice(rings[0], self._edge_count)
        self._scaled = scale_edges(self._edges, self._lattice)
        ids = np.arange(self._edge_count, dtype=np.int32)
        start, lists = list_edges(self._scaled, ids, self._lattice)
        self._block_start = start[:-1]
        self._block_count = np.diff(start)
        self._corner = label_blocks(ids, self._edges, self._left, self._right, self._lattice)
        touched = np.flatnonzero(self._block_count)
        kind = np.int16 if len(self) <= MOST_SHORT else np.int32
        # The first cells hold each label once, for the blocks that no edge touches.
        fine = np.arange(-1, len(self), dtype=kind)
        used = np.array([len(lists), len(fine), 0], np.int64)
        lists, fine, records, where, entries, clashes, n = build_blocks(
            touched, self._block_start[touched], self._block_count[touched], self._corner[touched],
            CELLS_PER_EDGE, self._lattice, self._edges, self._scaled, self._left, self._right,
            lists, fine, np.empty((0, 8), kind), np.empty((0, 3), np.int32), used,
        )  # fmt: skip
        if n:
            self._refuse(clashes[:n], self._shapes)
        self._lists, self._fine = _with_room(lists, used[0]), _with_room(fine, used[1])
        self._records, self._where = _with_room(records, used[2]), _with_room(where, used[2])
        self._entries = np.zeros(len(self._corner) + 1, np.uint32)
        self._entries[:-1] = self._corner.astype(np.uint32) << np.uint32(4)
        self._entries[touched] = entries
        self._used = used
        self._built = used.copy()

    def _patch(
        self,
        old: NDArray[np.int32],
        bits: NDArray[np.uint64],
        local_left: NDArray[np.int32],
        local_right: NDArray[np.int32],
        shapes: NDArray[np.object_],
    ) -> None:
        """Change the tables where edges changed; nothing is kept until all of it is known good."""
        first_new = self._edge_count
        edges, scaled, left, right, count, gone = merge_edges(
            old, bits, local_left, local_right, self._edges, self._scaled, self._left, self._right,
            first_new, self._lattice,
        )  # fmt: skip
        changed = np.concatenate([gone, np.arange(first_new, count, dtype=np.int32)])
        if len(changed) == 0:
            self._shapes = shapes
            return
        moved, labels = relabel_blocks(
            changed, edges, scaled, left, right, self._corner, self._lattice
        )
        touched = blocks_of_edges(
            changed, scaled, self._lattice, moved[self._block_count[moved] > 0]
        )
        corner = self._corner[touched]
        _, at, at_moved = np.intersect1d(touched, moved, return_indices=True)
        corner[at] = labels[at_moved]
        used = self._used.copy()
        lists, start, counts = relist_blocks(
            touched, gone, first_new, count, scaled, self._block_start, self._block_count,
            self._lists, used, self._lattice,
        )  # fmt: skip
        lists, fine, records, where, entries, clashes, n = build_blocks(
            touched, start, counts, corner, CELLS_PER_EDGE, self._lattice, edges, scaled, left,
            right, lists, self._fine, self._records, self._where, used,
        )  # fmt: skip
        if n:
            self._refuse(clashes[:n], shapes)
        left[gone] = 0
        right[gone] = 0
        self._shapes, self._used, self._edge_count = shapes, used, count
        self._edges, self._scaled, self._left, self._right = edges, scaled, left, right
        self._lists, self._fine, self._records, self._where = lists, fine, records, where
        self._block_start[touched], self._block_count[touched] = start, counts
        self._corner[moved] = labels
        self._entries[moved] = labels.astype(np.uint32) << np.uint32(4)
        self._entries[touched] = entries
        if (used > 2 * self._built + 100_000).any():
            self._build()

    def _refuse(self, clashes: Any, shapes: NDArray[np.object_]) -> None:
        raise CoverError(describe_clashes(clashes, shapes, self._index))


def _as_numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Return a flat, contiguous float64 array; missing values become NaN."""
    if isinstance(values, pd.Series | pd.Index):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        numbers = np.asarray(values, dtype=np.float64)
    return np.ascontiguousarray(numbers).reshape(-1)


def _with_room(table: NDArray[Any], used: int) -> NDArray[Any]:
    """Copy the used rows of a table, with room for redraws.

    NumPy asks for large pages of memory where numba does not; lookups wait less on those.
    """
    roomy = np.empty((used + used // 8 + 1024, *table.shape[1:]), table.dtype)
    roomy[:used] = table[:used]
    return roomy


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
