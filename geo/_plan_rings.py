"""Blocks as rings of shared vertices, so that a border that moves moves for both sides at once.

A ring lists its vertices once, with the block on its left: outer rings run counter-clockwise,
holes clockwise. Every inner edge therefore stands in exactly two rings, once in each direction.
Moving inner vertices changes no sum of windings, so if every ring around them is still simple and
turns the same way, there is neither gap nor overlap (each place inside is wound around exactly
once).

Which rings a vertex or a block has is looked up in lists that are made once; what edits changed
since stands beside them, so that an edit costs what it touches and not what the city has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import CoverError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_CHANGES = 4000
"""Changed places in the lists of rings after which they are made anew."""


@dataclass(frozen=True, eq=False)
class Lists:
    """The rings of each vertex and block, as two arrays each: begin of a list, and rings."""

    vertex: tuple[Ints, Ints]
    block: tuple[Ints, Ints]


@dataclass(frozen=True, eq=False)
class Rings:
    """Which vertices make up which block; where they lie is another matter."""

    rings: tuple[Ints, ...]
    """Vertex numbers, the first not repeated; an empty one belongs to no block any more."""
    block: Ints
    """Row of the block of each ring."""
    known: Lists | None = field(default=None, repr=False)
    """Lists of an older state of these rings; None: they are made when first asked for."""
    at: Mapping[int, tuple[int, ...]] = field(default_factory=dict, repr=False)
    """Rings of the vertices for which `known` is out of date."""
    of: Mapping[int, tuple[int, ...]] = field(default_factory=dict, repr=False)
    """Rings of the blocks for which `known` is out of date."""

    @cached_property
    def edges(self) -> Edges:
        """All edges of all rings, and what lies on the other side."""
        return find_edges(self)

    @cached_property
    def lists(self) -> Lists:
        """The lists that `at` and `of` amend."""
        if self.known is not None:
            return self.known
        sizes = [len(ring) for ring in self.rings]
        vertex = np.concatenate(self.rings) if self.rings else np.empty(0, np.int64)
        start, order = _lists(vertex, int(vertex.max(initial=-1)) + 1)
        return Lists(
            (start, np.repeat(np.arange(len(sizes)), sizes)[order]),
            _lists(self.block, int(self.block.max(initial=-1)) + 1),
        )

    def rings_of(self, block: int) -> tuple[int, ...]:
        """Numbers of the rings of a block."""
        found = self.of.get(block)
        return _listed(self.lists.block, block) if found is None else found

    def rings_at(self, vertex: int) -> tuple[int, ...]:
        """Numbers of the rings that have a vertex."""
        found = self.at.get(vertex)
        return _listed(self.lists.vertex, vertex) if found is None else found

    def blocks_at(self, vertices: Iterable[int]) -> Ints:
        """Rows of the blocks that have any of these vertices, in order."""
        found = {int(self.block[ring]) for v in vertices for ring in self.rings_at(int(v))}
        return np.array(sorted(found), dtype=np.int64)

    def across(self, tail: int, head: int) -> int:
        """The ring on the other side of an edge, that is with its ends in turn; -1 if none."""
        at_tail = self.rings_at(tail)
        for number in self.rings_at(head):
            if number in at_tail:
                ring = self.rings[number].tolist()
                if (head, tail) in zip(ring, ring[1:] + ring[:1], strict=True):
                    return number
        return -1

    def around(self, vertex: int) -> set[int]:
        """The vertices that an edge joins to this one."""
        found = set()
        for number in self.rings_at(vertex):
            ring = self.rings[number].tolist()
            for tail, head in zip(ring, ring[1:] + ring[:1], strict=True):
                if vertex in (tail, head):
                    found |= {tail, head}
        return found - {vertex}

    def edges_of(self, blocks: Iterable[int]) -> Edges:
        """The edges of some blocks, in order of blocks and rings."""
        mine = [(int(row), number) for row in blocks for number in self.rings_of(int(row))]
        lines = {number: self.rings[number].tolist() for _, number in mine}
        sides = {
            side: number
            for number, line in lines.items()
            for side in zip(line, line[1:] + line[:1], strict=True)
        }
        rows: list[tuple[int, int, int, int, int]] = []
        seen = set(lines)
        for row, number in mine:
            line = lines[number]
            for tail, head in zip(line, line[1:] + line[:1], strict=True):
                twin = sides.get((head, tail), -1)
                if twin < 0:
                    # Not among the rings that are known so far: those around the vertex are next.
                    for beside in self.rings_at(head):
                        if beside not in seen:
                            seen.add(beside)
                            far = self.rings[beside].tolist()
                            sides.update(
                                dict.fromkeys(zip(far, far[1:] + far[:1], strict=True), beside)
                            )
                    twin = sides.get((head, tail), -1)
                rows.append((tail, head, number, row, twin))
        table = np.array(rows, dtype=np.int64).reshape(-1, 5)
        twins = table[:, 4]
        table[:, 4] = np.where(twins < 0, -1, self.block[np.maximum(twins, 0)])
        return Edges(*table.T)

    def replace(
        self,
        changed: Mapping[int, Ints],
        added: Iterable[tuple[Ints, int]] = (),
        fewer: int = 0,
    ) -> Rings:
        """Other vertices for some rings, further rings with their blocks, or the last ones gone."""
        count = len(self.rings) - fewer
        rings = list(self.rings)
        at, of = dict(self.at), dict(self.of)
        none = np.empty(0, dtype=np.int64)

        def put(number: int, old: Ints, new: Ints) -> None:
            before, after = set(old.tolist()), set(new.tolist())
            for vertex in before - after:
                have = at[vertex] if vertex in at else _listed(self.lists.vertex, vertex)
                at[vertex] = tuple(ring for ring in have if ring != number)
            for vertex in after - before:
                have = at[vertex] if vertex in at else _listed(self.lists.vertex, vertex)
                at[vertex] = (*have, number)

        for number in range(count, len(self.rings)):
            row = int(self.block[number])
            put(number, rings[number], none)
            of[row] = tuple(ring for ring in of.get(row, self.rings_of(row)) if ring != number)
        del rings[count:]
        for number, ring in changed.items():
            put(number, rings[number], ring)
            rings[number] = ring
        block = self.block[:count]
        more = list(added)
        for ring, row in more:
            number = len(rings)
            put(number, none, ring)
            of[row] = (*of.get(row, self.rings_of(row)), number)
            rings.append(ring)
        if more:
            block = np.append(block, [row for _, row in more])
        if len(at) > MOST_CHANGES:
            return Rings(tuple(rings), block)
        return Rings(tuple(rings), block, self.lists, at, of)

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
        """The shapes of some blocks; those of one ring are made all at once."""
        rows = [int(block) for block in blocks]
        shapes = np.empty(len(rows), dtype=object)
        plain, lines = [], []
        start, items = self.lists.block
        begin, end = (
            start[np.minimum(np.array(rows, dtype=np.int64) + more, len(start) - 1)].tolist()
            for more in (0, 1)
        )
        for place, row in enumerate(rows):
            numbers = self.of.get(row)
            if numbers is None:
                numbers = items[begin[place] : end[place]].tolist()
            found = [ring for number in numbers if len(ring := self.rings[number])]
            if len(found) == 1:
                plain.append(place)
                lines.append(found[0])
            else:
                shapes[place] = self.polygon(row, xy)
        if plain:
            number = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
            rings = shapely.linearrings(xy[np.concatenate(lines)], indices=number)
            shapes[plain] = shapely.polygons(rings)
        return shapes


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of rings, in ring order."""

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
    """List the edges of all rings and match each with the one that runs the other way."""
    used = [ring for ring in rings.rings if len(ring)]
    if not used:
        none = np.empty(0, dtype=np.int64)
        return Edges(none, none, none, none, none)
    sizes = np.array([len(ring) for ring in used])
    tail = np.concatenate(used)
    ends = np.cumsum(sizes)
    head = np.append(tail[1:], tail[0])
    head[ends - 1] = tail[ends - sizes]
    number = np.flatnonzero([len(ring) > 0 for ring in rings.rings])
    ring = np.repeat(number, sizes)
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
    return float(np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:])) / 2


def _lists(key: Ints, count: int) -> tuple[Ints, Ints]:
    order = np.argsort(key, kind="stable")
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(key, minlength=count), out=start[1:])
    return start, order.astype(np.int64)


def _listed(lists: tuple[Ints, Ints], key: int) -> tuple[int, ...]:
    start, items = lists
    if not 0 <= key < len(start) - 1:
        return ()
    return tuple(items[start[key] : start[key + 1]].tolist())
