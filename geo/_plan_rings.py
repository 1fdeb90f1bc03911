"""Blocks as rings of shared vertices, so that a border that moves moves for both sides at once.

A ring lists its vertices once, with the block on its left: outer rings run counter-clockwise,
holes clockwise. Every inner edge therefore stands in exactly two rings, once in each direction.
Moving inner vertices changes no sum of windings, so if every ring around them is still simple and
turns the same way, there is neither gap nor overlap (each place inside is wound around exactly
once).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import CoverError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rings:
    """Which vertices make up which block; where they lie is another matter."""

    rings: tuple[Ints, ...]
    """Vertex numbers, the first not repeated; an empty one belongs to no block any more."""
    block: Ints
    """Row of the block of each ring."""

    @cached_property
    def edges(self) -> Edges:
        """All edges of all rings, and what lies on the other side."""
        return find_edges(self)

    @cached_property
    def of_block(self) -> tuple[Ints, Ints]:
        """Where the list of each block begins, and the rings in it."""
        return _lists(self.block, int(self.block.max(initial=-1)) + 1)

    @cached_property
    def of_vertex(self) -> tuple[Ints, Ints]:
        """Where the list of each vertex begins, and the rings that have it."""
        sizes = [len(ring) for ring in self.rings]
        vertex = np.concatenate(self.rings) if self.rings else np.empty(0, np.int64)
        start, order = _lists(vertex, int(vertex.max(initial=-1)) + 1)
        return start, np.repeat(np.arange(len(sizes)), sizes)[order]

    def rings_of(self, block: int) -> list[int]:
        """Numbers of the rings of a block."""
        start, order = self.of_block
        return [int(number) for number in order[start[block] : start[block + 1]]]

    def blocks_at(self, vertices: Iterable[int]) -> Ints:
        """Rows of the blocks that have any of these vertices."""
        start, ring = self.of_vertex
        found = [ring[start[v] : start[v + 1]] for v in vertices]
        return np.unique(self.block[np.concatenate(found)]) if found else np.empty(0, np.int64)

    def replace(self, changed: Mapping[int, Ints], added: Iterable[tuple[Ints, int]] = ()) -> Rings:
        """Other vertices for some rings, and further rings with their blocks."""
        rings = list(self.rings)
        for number, ring in changed.items():
            rings[number] = ring
        more = list(added)
        rings += [ring for ring, _ in more]
        block = np.concatenate([self.block, np.array([row for _, row in more], dtype=np.int64)])
        return Rings(tuple(rings), block)

    def polygon(self, block: int, xy: Floats) -> shapely.Geometry:
        """The shape of a block, in the CRS of `xy`."""
        shapes = [self.rings[number] for number in self.rings_of(block)]
        shapes = [ring for ring in shapes if len(ring)]
        if len(shapes) == 1:
            return shapely.polygons(xy[shapes[0]])
        outer = [ring for ring in shapes if signed_area(xy[ring]) > 0]
        holes = [ring for ring in shapes if signed_area(xy[ring]) <= 0]
        parts = shapely.polygons([shapely.linearrings(xy[ring]) for ring in outer])
        inside: list[list[shapely.LinearRing]] = [[] for _ in outer]
        for ring in holes:
            point = shapely.polygons(xy[ring]).representative_point()
            holder = int(np.flatnonzero(shapely.contains(parts, point))[0])
            inside[holder].append(shapely.linearrings(xy[ring]))
        whole = [
            shapely.polygons(shapely.linearrings(xy[ring]), holes=hole or None)
            for ring, hole in zip(outer, inside, strict=True)
        ]
        return whole[0] if len(whole) == 1 else shapely.multipolygons(whole)

    def polygons(self, blocks: Iterable[int], xy: Floats) -> NDArray[np.object_]:
        """The shapes of some blocks."""
        found = [self.polygon(int(block), xy) for block in blocks]
        shapes = np.empty(len(found), dtype=object)
        shapes[:] = found
        return shapes


@dataclass(frozen=True, eq=False)
class Edges:
    """Each edge of each ring, in ring order."""

    tail: Ints
    head: Ints
    ring: Ints
    block: Ints
    other: Ints
    """Row of the block on the other side, -1 outside."""

    def lengths(self, xy: Floats) -> Floats:
        """Metres."""
        side = xy[self.head] - xy[self.tail]
        return np.asarray(np.hypot(side[:, 0], side[:, 1]))


def find_edges(rings: Rings) -> Edges:
    """List the edges and match each with the one that runs the other way."""
    used = [ring for ring in rings.rings if len(ring)]
    if not used:
        none = np.empty(0, dtype=np.int64)
        return Edges(none, none, none, none, none)
    tail = np.concatenate(used)
    head = np.concatenate([np.roll(ring, -1) for ring in used])
    number = np.flatnonzero([len(ring) > 0 for ring in rings.rings])
    ring = np.repeat(number, [len(one) for one in used])
    block = rings.block[ring]
    span = np.int64(max(tail.max(), head.max()) + 1)
    forth, back = tail * span + head, head * span + tail
    order = np.argsort(forth, kind="stable")
    at = np.searchsorted(forth[order], back)
    at = np.minimum(at, len(order) - 1)
    twin = order[at]
    other = np.where(forth[twin] == back, block[twin], -1)
    return Edges(tail, head, ring, block, other)


def read_rings(shapes: NDArray[np.object_]) -> tuple[Rings, Floats]:
    """Take the polygons of a cover apart into rings of shared vertices.

    Returns
    -------
    tuple
        The rings, block rows being rows of `shapes`, and x, y of the vertices.

    Raises
    ------
    CoverError
        If a shape is empty, or an edge stands twice in the same direction (an overlap).
    """
    parts, row = shapely.get_parts(shapely.orient_polygons(shapes), return_index=True)
    if len(np.unique(row)) < len(shapes):
        raise CoverError("a block has no shape: give each one a polygon")
    rings, of_part = shapely.get_rings(parts, return_index=True)
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    keep = np.append(of_ring[1:] == of_ring[:-1], False)
    # The last vertex repeats the first; others that repeat would be edges without a length.
    same = np.append((xy[1:] == xy[:-1]).all(axis=1), False)
    keep &= ~same
    places, number = np.unique(xy[keep], axis=0, return_inverse=True)
    vertex = number.reshape(-1).astype(np.int64)
    cuts = np.flatnonzero(np.diff(of_ring[keep])) + 1
    found = Rings(tuple(np.split(vertex, cuts)), row[of_part].astype(np.int64))
    edges = found.edges
    span = np.int64(len(places))
    if len(np.unique(edges.tail * span + edges.head)) < len(edges.tail):
        raise CoverError("blocks overlap: run wangge check, and repair them before the plan")
    return found, places


def signed_area(xy: Floats) -> float:
    """Area of a ring, positive if it runs counter-clockwise (shoelace formula), square metres."""
    x, y = xy[:, 0] - xy[0, 0], xy[:, 1] - xy[0, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _lists(key: Ints, count: int) -> tuple[Ints, Ints]:
    order = np.argsort(key, kind="stable")
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(key, minlength=count), out=start[1:])
    return start, order.astype(np.int64)
