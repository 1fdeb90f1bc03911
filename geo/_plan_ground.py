"""Where the blocks of a plan lie: rings and places together, with what follows from them.

Plans that differ only in who has which block share one ground, so nothing here is worked out twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from geo._plan_rings import Bools, Floats, Ints, Rings


@dataclass(frozen=True, eq=False)
class Pairs:
    """Neighbours of each block as lists, as `geo._plan_kernel` takes them."""

    start: Ints
    other: Ints
    shared_m: Floats


def find_pairs(rings: Rings, xy: Floats, count: int) -> Pairs:
    """Find the blocks that share a border of more than a point."""
    edges = rings.edges
    inner = (edges.other >= 0) & (edges.other != edges.block)
    key = edges.block[inner] * np.int64(count) + edges.other[inner]
    pair, at = np.unique(key, return_inverse=True)
    shared = np.bincount(at, edges.lengths(xy)[inner], minlength=len(pair))
    one = pair // count if len(pair) else pair
    start = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(one, minlength=count), out=start[1:])
    return Pairs(start, (pair % count).astype(np.int64), np.asarray(shared, dtype=np.float64))


def measure_blocks(rings: Rings, xy: Floats, count: int) -> tuple[Floats, Floats]:
    """Area in m2 and perimeter in m of each block."""
    edges = rings.edges
    middle = xy.mean(axis=0) if len(xy) else np.zeros(2)
    one, two = xy[edges.tail] - middle, xy[edges.head] - middle
    cross = (one[:, 0] * two[:, 1] - two[:, 0] * one[:, 1]) / 2
    area = np.bincount(edges.block, cross, minlength=count).astype(np.float64)
    # A line that both sides of a block share lies inside it.
    outer = edges.other != edges.block
    perimeter = np.bincount(edges.block[outer], edges.lengths(xy)[outer], minlength=count)
    return area, perimeter.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Ground:
    """Rings, x and y of their vertices in metres, and the community of each block."""

    rings: Rings = field(repr=False)
    xy: Floats = field(repr=False)
    community: Ints = field(repr=False)

    @cached_property
    def pairs(self) -> Pairs:
        """Which blocks touch along a line, and how long that is."""
        return find_pairs(self.rings, self.xy, len(self.community))

    @cached_property
    def measures(self) -> tuple[Floats, Floats]:
        """Area in m2 and perimeter in m of each block."""
        return measure_blocks(self.rings, self.xy, len(self.community))

    @cached_property
    def is_fixed(self) -> Bools:
        """Vertices on the border of a community or of the whole: no planner moves those."""
        edges = self.rings.edges
        outer = edges.other < 0
        outer |= self.community[edges.block] != self.community[np.maximum(edges.other, 0)]
        fixed = np.zeros(len(self.xy), dtype=bool)
        fixed[edges.tail[outer]] = True
        fixed[edges.head[outer]] = True
        return fixed

    def polygon(self, block: int) -> shapely.Geometry:
        """The shape of a block."""
        return self.rings.polygon(block, self.xy)

    def polygons(self, blocks: Iterable[int]) -> NDArray[np.object_]:
        """The shapes of some blocks."""
        return self.rings.polygons(blocks, self.xy)

    def moved(self, vertices: Ints, xy: Floats) -> Ground:
        """The same with some vertices elsewhere."""
        places = self.xy.copy()
        places[vertices] = xy
        return replace(self, xy=places)
