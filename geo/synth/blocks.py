"""Make the street network and the blocks that it encloses, seamless by construction.

All lines are noded once; the blocks are the faces of that very set of edges, and every vertex is
bent and rounded to a centimetre exactly once. So two blocks that touch share each vertex, and
whatever is a union of blocks (grids, communities, streets, districts) fits without gap or overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.errors import CoverError
from geo.synth.bend import make_bend
from geo.synth.streets import SNAP_M, Sheet

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]

VERTEX_EVERY_M = 30.0
"""Edges get a vertex at least this often, so that they bend smoothly."""

SMALLEST_BLOCK_M2 = 200.0
"""A draw of streets with a smaller block is thrown away."""

HALF_WIDTH_M = {
    "arterial": 17.0,
    "main": 11.0,
    "minor": 6.5,
    "path": 3.0,
    "river": 0.0,
    "rail": 9.0,
    "none": 0.0,
}
"""Half the width of a street by class, kerb to middle, metres."""

CUT_COST = {
    "river": 0.02,
    "rail": 0.12,
    "arterial": 0.15,
    "main": 0.35,
    "minor": 0.8,
    "path": 1.6,
    "none": 1.2,
}
"""What a metre of border costs by class: borders are drawn to wide streets and water."""


@dataclass
class Ground:
    """Edges of the street network and the blocks between them, in metres about the middle."""

    edges: Shapes
    edge_class: npt.NDArray[np.str_]
    edge_street: Ints
    edge_ring: npt.NDArray[np.bool_]
    length: Reals
    left: Ints
    """Block on the left of an edge, -1 outside of the city."""
    right: Ints
    start: Ints
    """Node that an edge starts at; `end` likewise."""
    end: Ints
    nodes: Reals
    blocks: Shapes
    use: npt.NDArray[np.str_]
    """land, park or water; `geo.synth.people` gives land a use."""
    middle: Reals
    """A point inside each block."""
    far: Reals
    """Distance of each block from the middle, as a share of the city's radius."""

    @property
    def area(self) -> Reals:
        """Areas of the blocks, square metres."""
        return np.asarray(shapely.area(self.blocks))


def make_ground(
    rng: np.random.Generator, sheet: Sheet, *, exact_area_m2: float | None = None
) -> Ground:
    """Node, bend and polygonize a sheet; scaled to an exact area where one is given."""
    edges = _node(sheet)
    faces = shapely.get_parts(shapely.polygonize(edges))
    inside = shapely.point_on_surface(faces)
    cell, row = shapely.STRtree(sheet.cells).query_nearest(inside, all_matches=False)[::-1]
    use = np.full(len(faces), "land", dtype="<U6")
    use[row] = sheet.uses[cell]
    source = shapely.STRtree(sheet.lines).query_nearest(
        shapely.line_interpolate_point(edges, 0.5, normalized=True), all_matches=False
    )[1]
    blocks, bent = _bend(rng, sheet.reach_m, faces, edges, exact_area_m2)
    if not shapely.is_valid(blocks).all() or not shapely.coverage_is_valid(blocks):
        raise CoverError("the bent streets cross each other: try another seed")
    if shapely.area(blocks).min() < SMALLEST_BLOCK_M2:
        raise CoverError("the streets leave a sliver between them: try another seed")
    left, right = find_sides(blocks, bent)
    keep = (left != right) & ((left >= 0) | (right >= 0))
    return _assemble(
        bent[keep], sheet, source[keep], left[keep], right[keep], blocks, use, sheet.reach_m
    )


def _assemble(
    edges: Shapes,
    sheet: Sheet,
    source: Ints,
    left: Ints,
    right: Ints,
    blocks: Shapes,
    use: npt.NDArray[np.str_],
    reach_m: float,
) -> Ground:
    first = shapely.get_coordinates(shapely.get_point(edges, 0))
    last = shapely.get_coordinates(shapely.get_point(edges, -1))
    ends = np.concatenate([first, last])
    nodes, number = np.unique(ends[:, 0] + 1j * ends[:, 1], return_inverse=True)
    middle = shapely.get_coordinates(shapely.point_on_surface(blocks))
    return Ground(
        edges=edges,
        edge_class=sheet.classes[source],
        edge_street=sheet.streets[source],
        edge_ring=sheet.ring[source],
        length=np.asarray(shapely.length(edges)),
        left=left,
        right=right,
        start=number[: len(edges)],
        end=number[len(edges) :],
        nodes=np.column_stack([nodes.real, nodes.imag]),
        blocks=blocks,
        use=use,
        middle=middle,
        far=np.hypot(middle[:, 0], middle[:, 1]) / reach_m,
    )


def _node(sheet: Sheet) -> Shapes:
    """Cut the lines at all their meetings, drop loose ends, add vertices to long edges."""
    noded = shapely.get_parts(shapely.unary_union(sheet.lines, grid_size=SNAP_M))
    while True:
        first = shapely.get_coordinates(shapely.get_point(noded, 0))
        last = shapely.get_coordinates(shapely.get_point(noded, -1))
        ends = np.concatenate([first, last])
        _, number, count = np.unique(
            ends[:, 0] + 1j * ends[:, 1], return_inverse=True, return_counts=True
        )
        loose = (count[number] == 1).reshape(2, -1).any(axis=0)
        if not loose.any():
            return np.asarray(shapely.segmentize(noded, VERTEX_EVERY_M))
        noded = noded[~loose]


def _bend(
    rng: np.random.Generator,
    reach_m: float,
    faces: Shapes,
    edges: Shapes,
    exact_area_m2: float | None,
) -> tuple[Shapes, Shapes]:
    """Bend each distinct vertex once, then look all of them up by value."""
    flat = shapely.get_coordinates(edges)
    vertices = np.unique(flat[:, 0] + 1j * flat[:, 1])
    x, y = make_bend(rng, reach_m=reach_m).apply(vertices.real, vertices.imag)
    if exact_area_m2 is not None:
        whole = shapely.area(shapely.transform(faces, _lookup(vertices, x, y))).sum()
        x, y = x * np.sqrt(exact_area_m2 / whole), y * np.sqrt(exact_area_m2 / whole)
    bend = _lookup(vertices, np.round(x, 2), np.round(y, 2))
    return shapely.orient_polygons(shapely.transform(faces, bend)), shapely.transform(edges, bend)


def _lookup(vertices: npt.NDArray[np.complex128], x: Reals, y: Reals) -> Callable[[Reals], Reals]:
    def bend(points: Reals) -> Reals:
        at = np.searchsorted(vertices, points[:, 0] + 1j * points[:, 1])
        return np.column_stack([x[at], y[at]])

    return bend


def find_sides(blocks: Shapes, edges: Shapes) -> tuple[Ints, Ints]:
    """Which block lies left and right of each edge, -1 for none.

    Blocks wind counter-clockwise, so the one that holds an edge's first segment in the edge's own
    direction lies on its left.
    """
    points, owner = shapely.get_coordinates(blocks, return_index=True)
    here, there = points[:-1], points[1:]
    same = owner[:-1] == owner[1:]
    table = pd.DataFrame(np.round(np.column_stack([here, there])[same] * 100).astype(np.int64))
    table["block"] = owner[:-1][same]
    p = shapely.get_coordinates(shapely.get_point(edges, 0))
    q = shapely.get_coordinates(shapely.get_point(edges, 1))
    table = table.drop_duplicates(subset=[0, 1, 2, 3])
    out = []
    for pair in ((p, q), (q, p)):
        asked = pd.DataFrame(np.round(np.column_stack(pair) * 100).astype(np.int64))
        found = asked.merge(table, on=[0, 1, 2, 3], how="left")["block"]
        out.append(found.fillna(-1).to_numpy().astype(np.int64))
    return out[0], out[1]
