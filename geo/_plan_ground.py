"""Where the blocks of a plan lie: rings and places together, with what follows from them.

Plans that differ only in who has which block share one ground. A ground that differs from another
in some vertices or rings takes over everything else that is known of it, so an edit costs what it
touches. What an edit changes is a `Patch`, which knows the way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from geo._plan_rings import MOST_CHANGES, Bools, Edges, Floats, Ints, Rings


@dataclass(frozen=True, eq=False)
class Pairs:
    """Neighbours of each block, and how many metres of border they share with it."""

    base: tuple[Ints, Ints, Floats]
    """Where the list of each block begins, the neighbours, metres; see `changed`."""
    changed: Mapping[int, tuple[Ints, Floats]] = field(default_factory=dict)
    """Neighbours and metres of the blocks for which `base` is out of date."""
    count: int = 0
    """Number of blocks."""

    def near(self, block: int) -> tuple[Ints, Floats]:
        """Neighbours of a block, and metres."""
        found = self.changed.get(block)
        if found is not None:
            return found
        start, other, shared = self.base
        if block >= len(start) - 1:
            return other[:0], shared[:0]
        part = slice(start[block], start[block + 1])
        return other[part], shared[part]

    @cached_property
    def flat(self) -> tuple[Ints, Ints, Floats]:
        """`base` up to date, as `geo._plan_kernel` takes it."""
        if not self.changed and len(self.base[0]) == self.count + 1:
            return self.base
        start, other, shared = self.base
        known = min(len(start) - 1, self.count)
        sizes = np.zeros(self.count, dtype=np.int64)
        sizes[:known] = np.diff(start)[:known]
        rows = sorted(row for row in self.changed if row < self.count)
        for row in rows:
            sizes[row] = len(self.changed[row][0])
        others: list[Ints] = []
        metres: list[Floats] = []
        done = 0
        for row in [*rows, self.count]:
            part = slice(start[min(done, known)], start[min(row, known)])
            others.append(other[part])
            metres.append(shared[part])
            if row < self.count:
                others.append(self.changed[row][0])
                metres.append(self.changed[row][1])
            done = row + 1
        begin = np.zeros(self.count + 1, dtype=np.int64)
        np.cumsum(sizes, out=begin[1:])
        return begin, np.concatenate(others), np.concatenate(metres)

    @property
    def start(self) -> Ints:
        """Where the list of each block begins in `other` and `shared_m`."""
        return self.flat[0]

    @property
    def other(self) -> Ints:
        """Rows of the neighbours."""
        return self.flat[1]

    @property
    def shared_m(self) -> Floats:
        """Metres of border."""
        return self.flat[2]

    def amended(self, rows: Mapping[int, tuple[Ints, Floats]], count: int) -> Pairs:
        """The same with other neighbours for some blocks."""
        found = Pairs(self.base, {**self.changed, **rows}, count)
        return Pairs(found.flat, {}, count) if len(found.changed) > MOST_CHANGES else found


def find_pairs(edges: Edges, xy: Floats, count: int) -> Pairs:
    """Find the blocks that share a border of more than a point."""
    inner = (edges.other >= 0) & (edges.other != edges.block)
    key = edges.block[inner] * np.int64(count) + edges.other[inner]
    pair, at = np.unique(key, return_inverse=True)
    shared = np.bincount(at, edges.lengths(xy)[inner], minlength=len(pair))
    one = pair // count if len(pair) else pair
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(one, minlength=count), out=start[1:])
    base = (start, (pair % count).astype(np.int64), np.asarray(shared, dtype=np.float64))
    return Pairs(base, {}, count)


def measure_blocks(edges: Edges, xy: Floats, count: int) -> tuple[Floats, Floats]:
    """Area in m2 and perimeter in m of each block."""
    middle = xy[edges.tail].mean(axis=0) if len(edges.tail) else np.zeros(2)
    one, two = xy[edges.tail] - middle, xy[edges.head] - middle
    cross = (one[:, 0] * two[:, 1] - two[:, 0] * one[:, 1]) / 2
    area = np.bincount(edges.block, cross, minlength=count).astype(np.float64)
    # A line that both sides of a block share lies inside it.
    outer = edges.other != edges.block
    perimeter = np.bincount(edges.block[outer], edges.lengths(xy)[outer], minlength=count)
    return area, perimeter.astype(np.float64)


def find_boxes(edges: Edges, xy: Floats, count: int) -> Floats:
    """West, south, east, north of each block."""
    boxes = np.full((count, 4), np.inf)
    boxes[:, 2:] = -np.inf
    for axis in (0, 1):
        np.minimum.at(boxes[:, axis], edges.block, xy[edges.tail, axis])
        np.maximum.at(boxes[:, axis + 2], edges.block, xy[edges.tail, axis])
    return boxes


@dataclass(frozen=True, eq=False)
class Patch:
    """What one edit changes of the ground: rings, and vertices, rings and blocks at the ends."""

    rings: Mapping[int, Ints] = field(default_factory=dict)
    """Other vertices for some rings."""
    more: tuple[tuple[Ints, int], ...] = ()
    """Rings that are added, with their blocks."""
    fewer: int = 0
    """Rings that go from the end."""
    xy: Floats = field(default_factory=lambda: np.empty((0, 2)))
    """Vertices that are added."""
    fewer_xy: int = 0
    """Vertices that go from the end."""
    community: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Communities of blocks that are added."""
    fewer_blocks: int = 0
    """Blocks that go from the end."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Rings, x and y of their vertices in metres, and the community of each block."""

    rings: Rings = field(repr=False)
    xy: Floats = field(repr=False)
    community: Ints = field(repr=False)

    @cached_property
    def pairs(self) -> Pairs:
        """Which blocks touch along a line, and how long that is."""
        return find_pairs(self.rings.edges, self.xy, len(self.community))

    @cached_property
    def measures(self) -> tuple[Floats, Floats]:
        """Area in m2 and perimeter in m of each block."""
        return measure_blocks(self.rings.edges, self.xy, len(self.community))

    @cached_property
    def boxes(self) -> Floats:
        """West, south, east, north of each block, (n, 4)."""
        return find_boxes(self.rings.edges, self.xy, len(self.community))

    @cached_property
    def is_fixed(self) -> Bools:
        """Vertices on the border of a community or of the whole: no planner moves those."""
        return self._fixed(self.rings.edges, np.zeros(len(self.xy), dtype=bool))

    def _fixed(self, edges: Edges, fixed: Bools) -> Bools:
        outer = edges.other < 0
        outer |= self.community[edges.block] != self.community[np.maximum(edges.other, 0)]
        fixed[edges.tail[outer]] = True
        fixed[edges.head[outer]] = True
        return fixed

    def polygon(self, block: int) -> shapely.Geometry:
        """The shape of a block."""
        return self.rings.polygon(block, self.xy)

    def polygons(self, blocks: Iterable[int]) -> NDArray[np.object_]:
        """The shapes of some blocks."""
        return self.rings.polygons(blocks, self.xy)

    def blocks_in(self, box: tuple[float, float, float, float]) -> Ints:
        """Rows of the blocks whose box touches a box (west, south, east, north)."""
        boxes = self.boxes
        apart = (boxes[:, 0] > box[2]) | (boxes[:, 2] < box[0])
        apart |= (boxes[:, 1] > box[3]) | (boxes[:, 3] < box[1])
        return np.flatnonzero(~apart)

    def moved(self, vertices: Ints, xy: Floats) -> Ground:
        """The same with some vertices elsewhere."""
        places = self.xy.copy()
        places[vertices] = xy
        after = replace(self, xy=places)
        near = self.rings.blocks_at(vertices.tolist())
        # An edge with a vertex that moved belongs to blocks that have it, on both sides.
        self._hand_over(after, near, near)
        after.__dict__["is_fixed"] = self.is_fixed
        return after

    def patched(self, patch: Patch) -> tuple[Ground, Patch]:
        """The same after an edit of rings, and the patch that leads back."""
        rings, old = self.rings, self.community
        count = len(rings.rings) - patch.fewer
        gone = range(count, len(rings.rings))
        back = Patch(
            rings={number: rings.rings[number] for number in patch.rings},
            more=tuple((rings.rings[k], int(rings.block[k])) for k in gone),
            fewer=len(patch.more),
            xy=self.xy[len(self.xy) - patch.fewer_xy :].copy(),
            fewer_xy=len(patch.xy),
            community=old[len(old) - patch.fewer_blocks :].copy(),
            fewer_blocks=len(patch.community),
        )
        kept = len(self.xy) - patch.fewer_xy
        xy = np.vstack([self.xy[:kept], patch.xy])
        community = np.append(old[: len(old) - patch.fewer_blocks], patch.community)
        after = Ground(rings.replace(patch.rings, patch.more, patch.fewer), xy, community)
        touched = {int(rings.block[number]) for number in [*patch.rings, *gone]}
        touched |= {row for _, row in patch.more}
        # Blocks that go count as well: a neighbour that touched only them has one fewer now.
        beside = {near for row in touched if row < len(old) for near in self.pairs.near(row)[0]}
        rows = {row for row in touched if row < len(community)}
        changed = np.array(sorted(rows), dtype=np.int64)
        near = {int(row) for row in beside if row < len(community)} | rows
        self._hand_over(after, changed, np.array(sorted(near), dtype=np.int64))
        fixed = np.append(self.is_fixed[:kept], np.zeros(len(patch.xy), dtype=bool))
        if len(patch.xy):
            fixed = after._fixed(after.rings.edges_of(rows), fixed)
        after.__dict__["is_fixed"] = fixed
        return after, back

    def _hand_over(self, after: Ground, changed: Ints, near: Ints) -> None:
        """Tell `after` what is known here; the blocks named are measured or asked anew.

        `changed` have other shapes, `near` perhaps other neighbours; `near` contains `changed`.
        """
        count = len(after.community)
        edges = after.rings.edges_of(near.tolist())
        at = np.searchsorted(near, edges.block)
        shared: dict[int, dict[int, float]] = {row: {} for row in near.tolist()}
        lengths = edges.lengths(after.xy).tolist()
        for row, other, metres in zip(
            edges.block.tolist(), edges.other.tolist(), lengths, strict=True
        ):
            if other >= 0 and other != row:
                shared[row][other] = shared[row].get(other, 0.0) + metres
        known = {
            row: (
                np.array(sorted(found), dtype=np.int64),
                np.array([found[other] for other in sorted(found)], dtype=np.float64),
            )
            for row, found in shared.items()
        }
        after.__dict__["pairs"] = self.pairs.amended(known, count)
        inside = np.where(edges.other == edges.block, at, -1)
        local = Edges(edges.tail, edges.head, edges.ring, at, inside)
        here = np.isin(near, changed)
        measures = tuple(_resized(old, count) for old in self.measures)
        for whole, part in zip(measures, measure_blocks(local, after.xy, len(near)), strict=True):
            whole[changed] = part[here]
        after.__dict__["measures"] = measures
        boxes = _resized(self.boxes, count)
        boxes[changed] = find_boxes(local, after.xy, len(near))[here]
        after.__dict__["boxes"] = boxes


def _resized(values: Floats, count: int) -> Floats:
    """A copy with rows added behind or taken away there."""
    more = max(count - len(values), 0)
    return np.concatenate([values[:count], np.zeros((more, *values.shape[1:]))])
