"""Turn the rings of grids into edges that know the grid on either side.

Two neighbours that share an edge become one edge with two labels. An edge that only one grid has
keeps 0 (outside) on the other side; so does each piece of a border that one neighbour cuts at
other points than the other does.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import numpy as np
from numba import njit

from geo._locate_exact import SCRATCH, side

_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _runs_left(points, start, stop, scratch):
    """Tell whether a ring `points[start:stop]` (last equals first) runs counter-clockwise."""
    ox = points[start, 0]
    oy = points[start, 1]
    area = 0.0
    size = 0.0
    for i in range(start, stop - 1):
        plus = (points[i, 0] - ox) * (points[i + 1, 1] - oy)
        minus = (points[i + 1, 0] - ox) * (points[i, 1] - oy)
        area += plus - minus
        size += abs(plus) + abs(minus)
    if abs(area) > size * (stop - start + 8) * 2.0**-51:
        return area > 0.0
    # Too thin for the area to tell: the turn at the lowest, leftmost point is exact.
    low = start
    for i in range(start + 1, stop - 1):
        y = points[i, 1]
        if y < points[low, 1] or (y == points[low, 1] and points[i, 0] < points[low, 0]):
            low = i
    px = points[low, 0]
    py = points[low, 1]
    before = low
    after = low
    while points[before, 0] == px and points[before, 1] == py:
        before = before - 1 if before > start else stop - 2
        if before == low:
            return True
    while points[after, 0] == px and points[after, 1] == py:
        after = after + 1 if after < stop - 2 else start
    return (
        side(
            points[before, 0],
            points[before, 1],
            px,
            py,
            points[after, 0],
            points[after, 1],
            scratch,
        )
        > 0
    )


@njit(cache=True, nogil=True)
def _slot(key0, key1, key2, key3, table, edge_bits, mask):
    """Find the place of an edge in the hash table: where it is or where it would go."""
    h = key0 * _MIX
    h = (h ^ (h >> np.uint64(29)) ^ key1) * _MIX
    h = (h ^ (h >> np.uint64(31)) ^ key2) * _MIX
    h = (h ^ (h >> np.uint64(30)) ^ key3) * _MIX
    at = (h >> np.uint64(20)) & mask
    while True:
        e = table[at]
        if e < 0:
            return at
        if (
            edge_bits[e, 0] == key0
            and edge_bits[e, 1] == key1
            and edge_bits[e, 2] == key2
            and edge_bits[e, 3] == key3
        ):
            return at
        at = (at + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def collect_edges(
    points, bits, ring_start, ring_label, ring_is_hole, old_bits, old_left, old_right
):
    """Find the unique edges of rings and the label on each side of them.

    Parameters
    ----------
    points, bits
        Vertices of all rings, as float64 and as the same bytes in uint64; no negative zeros.
    ring_start
        Where each ring begins in `points`; one more entry than rings.
    old_bits, old_left, old_right
        Edges that are there before, for a part of a cover that is built anew; they come first.

    Returns
    -------
    tuple
        bits of the edges (n, 4), left and right labels, and the clashes: rows of an edge and the
        two labels that claim the same side of it.
    """
    most = len(old_left) + len(points)
    room = 16
    while room < 2 * most:
        room *= 2
    mask = np.uint64(room - 1)
    table = np.full(room, -1, np.int32)
    edge_bits = np.empty((most, 4), np.uint64)
    left = np.zeros(most, np.int32)
    right = np.zeros(most, np.int32)
    clashes = np.empty((64, 3), np.int32)
    n_clashes = 0
    scratch = np.empty(SCRATCH)
    n = 0
    for i in range(len(old_left)):
        at = _slot(
            old_bits[i, 0], old_bits[i, 1], old_bits[i, 2], old_bits[i, 3],
            table, edge_bits, mask,
        )  # fmt: skip
        table[at] = n
        edge_bits[n] = old_bits[i]
        left[n] = old_left[i]
        right[n] = old_right[i]
        n += 1
    for ring in range(len(ring_label)):
        start = ring_start[ring]
        stop = ring_start[ring + 1]
        label = ring_label[ring]
        inside_left = _runs_left(points, start, stop, scratch) != ring_is_hole[ring]
        for i in range(start, stop - 1):
            ax = points[i, 0]
            ay = points[i, 1]
            bx = points[i + 1, 0]
            by = points[i + 1, 1]
            if ax == bx and ay == by:
                continue
            up = ay < by or (ay == by and ax < bx)
            p = i if up else i + 1
            q = i + 1 if up else i
            at = _slot(bits[p, 0], bits[p, 1], bits[q, 0], bits[q, 1], table, edge_bits, mask)
            e = table[at]
            if e < 0:
                e = n
                table[at] = n
                edge_bits[n, 0] = bits[p, 0]
                edge_bits[n, 1] = bits[p, 1]
                edge_bits[n, 2] = bits[q, 0]
                edge_bits[n, 3] = bits[q, 1]
                n += 1
            claimed = left if up == inside_left else right
            if claimed[e] != 0:
                if n_clashes < len(clashes):
                    clashes[n_clashes, 0] = e
                    clashes[n_clashes, 1] = claimed[e]
                    clashes[n_clashes, 2] = label
                    n_clashes += 1
                continue
            claimed[e] = label
    return edge_bits[:n], left[:n], right[:n], clashes[:n_clashes]
