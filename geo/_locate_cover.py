"""What `geo.locate` asks of a cover, and the words in which it refuses one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._locate_exact import LARGEST, SMALLEST, side_of_points
from geo.errors import CoverError

NAMED_PLACES = 5
"""How many places an error names."""
KEPT_CLASHES = 64
"""How many contradictions the kernels note before they only count."""


def require_polygons(shapes: NDArray[np.object_], labels: pd.Index) -> None:
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


def rows_of(index: pd.Index, labels: pd.Index) -> NDArray[np.int64]:
    """Return the row of each label; refuse labels that do not name one row each."""
    if not labels.is_unique:
        raise CoverError(f"changed has {labels[labels.duplicated()][0]!r} twice: give it once")
    if not index.is_unique:
        raise CoverError("labels of the grids repeat, so a label names no one row: set_index first")
    rows: NDArray[np.int64] = index.get_indexer(labels).astype(np.int64)
    if (rows < 0).any():
        raise CoverError(
            f"{labels[rows < 0][0]!r} is no label of the grids: a replaced grid keeps its label"
        )
    return rows


def read_rings(shapes: NDArray[np.object_], row_labels: NDArray[np.int64]) -> tuple[Any, ...]:
    """Return the rings of shapes, as `collect_edges` takes them.

    Vertices of all rings as numbers and as bits, where each ring begins, its label, whether it is
    a hole.
    """
    if len(shapes) == 0:
        nothing = np.empty(0, np.int64)
        points = np.empty((0, 2))
        return points, points.view(np.uint64), np.zeros(1, np.int64), nothing, nothing.astype(bool)
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
    return points, points.view(np.uint64), start, row_labels[part_of[ring_of]], holes


def require_same_ground(
    before: NDArray[np.float64], after: NDArray[np.float64], labels: pd.Index
) -> None:
    """Raise unless two borders, as rows of edges, are the same lines."""
    old = set(map(tuple, before.tolist()))
    new = set(map(tuple, after.tolist()))
    if old == new:
        return
    # One line may be cut at other points than before: cut both where either is cut.
    differing = np.array([*(old - new), *(new - old)])
    signs = np.repeat([1, -1], [len(old - new), len(new - old)])
    cuts = np.unique(differing.reshape(-1, 2), axis=0)
    count: dict[tuple[float, ...], int] = {}
    for edge, sign in zip(differing, signs.tolist(), strict=True):
        for start, stop in _cut(edge, cuts):
            # The other way round the ground is on the other side, so the two cancel.
            key, way = ((*start, *stop), sign) if start < stop else ((*stop, *start), -sign)
            count[key] = count.get(key, 0) + way
    left_over = [piece for piece, total in count.items() if total]
    if left_over:
        x, y = min(left_over)[:2]
        names = ", ".join(repr(label) for label in labels[:NAMED_PLACES])
        raise CoverError(
            f"the changed grids ({names}{', ...' if len(labels) > NAMED_PLACES else ''}) overlap "
            f"or cover other ground than before near ({x:.9g}, {y:.9g}): replace the neighbours "
            "too, or build a new GridIndex"
        )


def _cut(
    edge: NDArray[np.float64], cuts: NDArray[np.float64]
) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Cut an edge at the points that are exactly on it; return the pieces in its direction."""
    low, high = np.minimum(edge[:2], edge[2:]), np.maximum(edge[:2], edge[2:])
    near = cuts[((cuts >= low) & (cuts <= high)).all(axis=1)]
    sides = side_of_points(*(np.full(len(near), number) for number in edge), *near.T.copy())
    on_edge = sorted(map(tuple, near[sides == 0].tolist()))
    if tuple(edge[:2]) > tuple(edge[2:]):
        on_edge.reverse()
    return list(pairwise(on_edge))


def border_of(
    edges: NDArray[np.float64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    is_changed: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the edges with changed grids on one side only, with these on their left."""
    on_right = is_changed[right]
    border = is_changed[left] != on_right
    directed: NDArray[np.float64] = edges[border]
    directed[on_right[border]] = directed[on_right[border]][:, [2, 3, 0, 1]]
    return directed


def describe_clashes(clashes: Any, shapes: NDArray[np.object_], labels: pd.Index) -> str:
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
    # Only the first clashes are kept, so a full list may not be all.
    more = ", and more" if len(pairs) > NAMED_PLACES or len(clashes) >= KEPT_CLASHES else ""
    return (
        f"grids overlap: {'; '.join(places)}{more}. A point there would be in two grids: "
        "repair the cover first, as the import gate does"
    )
