"""Look points up in the table of `geo.locate`.

Points go through in batches that stay in the first-level cache, and each step runs over the whole
batch without branching on the data, so that the processor has many cache misses under way at once
instead of waiting for one after the other. Points that the half-planes of their cell do not decide
(on a line or next to it, or where several grids meet) go the exact way at the end.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from geo._locate_cells import first_met, label_at
from geo._locate_exact import SCRATCH, SMALLEST
from geo._locate_table import TOLERANCE, corner_x, corner_y

_BATCH = 512


@njit(cache=True, nogil=True)
def _exact_row(x, y, record, lattice, entries, where, lists, edges, left, right, scratch):
    """Find the row of the grid at a point that lies in the touched cell of a record."""
    u = (x - lattice.x0) * lattice.per_x
    v = (y - lattice.y0) * lattice.per_y
    bx = int(u)
    by = int(v)
    start = where[record, 0]
    count = where[record, 1]
    cells = 1 << (entries[by * lattice.nx + bx] & np.uint32(15))
    if count < 0:
        count = -count
        cells = 1
    cx = corner_x(lattice, bx, int((u - bx) * cells), cells)
    cy = corner_y(lattice, by, int((v - by) * cells), cells)
    if abs(x) < SMALLEST:
        x = 0.0
    if abs(y) < SMALLEST:
        y = 0.0
    label = label_at(x, y, cx, cy, where[record, 2], lists, start, count, edges, scratch)
    if label == 0:
        label = first_met(x, y, lists, start, count, edges, left, right, scratch)
    return label - 1


@njit(cache=True, nogil=True)
def _record_of(fine, level, code):
    """Find the record of a touched cell from its block's entry and its own code."""
    cells = level >> np.uint32(4)
    low = np.uint32(np.uint16(fine[cells - np.uint32(2)]))
    high = np.uint32(np.uint16(fine[cells - np.uint32(1)]))
    return np.uint32((high << np.uint32(16)) + low + np.uint32(-2 - code))


@njit(cache=True, nogil=True)
def find_rows(x, y, lattice, entries, fine, records, where, lists, edges, left, right):
    """Return the row of the grid at each point as int32, -1 outside of all grids."""
    out = np.empty(len(x), np.int32)
    place = np.empty(_BATCH, np.uint32)
    level = np.empty(_BATCH, np.uint32)
    in_x = np.empty(_BATCH)
    in_y = np.empty(_BATCH)
    touched = np.empty(_BATCH, np.uint32)
    undecided = np.empty(_BATCH, np.uint32)
    record = np.empty(_BATCH, np.uint32)
    item = np.empty(_BATCH, np.int32)
    touch = np.zeros(1)
    scratch = np.empty(SCRATCH)
    x0 = lattice.x0
    y0 = lattice.y0
    per_x = lattice.per_x
    per_y = lattice.per_y
    nx = lattice.nx
    last_x = float(lattice.nx)
    last_y = float(lattice.ny)
    outside = np.uint32(lattice.nx * lattice.ny)
    for first in range(0, len(x), _BATCH):
        size = min(_BATCH, len(x) - first)
        px = x[first : first + size]
        py = y[first : first + size]
        rows = out[first : first + size]
        for i in range(size):
            u = (px[i] - x0) * per_x
            v = (py[i] - y0) * per_y
            # False for NaN too.
            inside = (u >= 0.0) & (u < last_x) & (v >= 0.0) & (v < last_y)
            u = u if inside else 0.0
            v = v if inside else 0.0
            bx = np.int32(u)
            by = np.int32(v)
            in_x[i] = u - bx
            in_y[i] = v - by
            place[i] = np.uint32(by * nx + bx) if inside else outside
        for i in range(size):
            level[i] = entries[place[i]]
        for i in range(size):
            k = np.int32(level[i] & np.uint32(15))
            cells = float(np.int32(1) << k)
            column = np.int32(in_x[i] * cells)
            row = np.int32(in_y[i] * cells)
            place[i] = (level[i] >> np.uint32(4)) + np.uint32((row << k) + column)
        n = 0
        for i in range(size):
            rows[i] = fine[place[i]]
        for i in range(size):
            touched[n] = i
            n += rows[i] < -1
        for j in range(n):
            record[j] = _record_of(fine, level[touched[j]], rows[touched[j]])
        # Load the records before any of them is computed with, so that their misses overlap.
        ahead = 0
        for j in range(n):
            ahead += records[record[j], 0]
        touch[0] += ahead
        n_undecided = 0
        for j in range(n):
            i = touched[j]
            r = record[j]
            fx = np.float32(in_x[i])
            fy = np.float32(in_y[i])
            one = (
                np.float32(records[r, 0]) * fx
                + np.float32(records[r, 1]) * fy
                + np.float32(records[r, 2])
            )
            two = (
                np.float32(records[r, 3]) * fx
                + np.float32(records[r, 4]) * fy
                + np.float32(records[r, 5])
            )
            # Both labels are loaded at any rate, so that this is no jump to guess.
            both = np.int32(records[r, 6])
            other = np.int32(records[r, 7])
            within = two if two < one else one
            rows[i] = both if within > 0 else other
            undecided[n_undecided] = i
            record[n_undecided] = r
            n_undecided += abs(within) <= TOLERANCE
        # Ask for what the exact way will need, for all of them before any of them waits for it.
        for j in range(n_undecided):
            item[j] = where[record[j], 0]
        for j in range(n_undecided):
            touch[0] += lists[item[j]]
        for j in range(n_undecided):
            for k in range(item[j], item[j] + min(abs(where[record[j], 1]), 4)):
                touch[0] += edges[lists[k], 4]
        for j in range(n_undecided):
            i = undecided[j]
            rows[i] = _exact_row(
                px[i], py[i], record[j], lattice, entries, where, lists, edges, left, right, scratch
            )
    return out
