"""Look points up in the table of `geo.locate`.

Points go through in batches that stay in the first-level cache, and each step runs over the whole
batch without branching on the data, so that the processor has many cache misses under way at once
instead of waiting for one after the other. Points that the half-planes of their cell do not decide
(on a line or next to it, or where several grids meet) go the exact way at the end.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import numpy as np
from numba import njit

from geo._locate_cells import first_met, label_at
from geo._locate_exact import SCRATCH, SMALLEST
from geo._locate_table import TOLERANCE, corner_x, corner_y

_BATCH = 1024


@njit(cache=True, nogil=True)
def _exact_row(x, y, lattice, entries, fine, where, lists, edges, left, right, scratch):
    """Find the row of the grid at a point that lies in a touched cell."""
    if abs(x) < SMALLEST:
        x = 0.0
    if abs(y) < SMALLEST:
        y = 0.0
    u = (x - lattice.x0) * lattice.per_x
    v = (y - lattice.y0) * lattice.per_y
    bx = int(u)
    by = int(v)
    entry = entries[by * lattice.nx + bx]
    k = entry & np.uint32(15)
    cells = 1 << k
    column = int((u - bx) * cells)
    row = int((v - by) * cells)
    code = fine[(entry >> np.uint32(4)) + (row << k) + column]
    if code >= -1:
        return code
    record = -2 - code
    start = where[record, 0]
    count = where[record, 1]
    label = label_at(
        x, y, corner_x(lattice, bx, column, cells), corner_y(lattice, by, row, cells),
        where[record, 2], lists, start, count, edges, left, right, scratch,
    )  # fmt: skip
    if label == 0:
        label = first_met(x, y, lists, start, count, edges, left, right, scratch)
    return label - 1


@njit(cache=True, nogil=True)
def find_rows(x, y, lattice, entries, fine, records, where, lists, edges, left, right):
    """Return the row of the grid at each point as int32, -1 outside of all grids."""
    out = np.empty(len(x), np.int32)
    cell = np.empty(_BATCH, np.uint32)
    level = np.empty(_BATCH, np.uint32)
    in_x = np.empty(_BATCH, np.float32)
    in_y = np.empty(_BATCH, np.float32)
    touched = np.empty(_BATCH, np.uint32)
    open_ = np.empty(_BATCH, np.uint32)
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
        for i in range(size):
            u = (x[first + i] - x0) * per_x
            v = (y[first + i] - y0) * per_y
            # False for NaN too.
            inside = (u >= 0.0) & (u < last_x) & (v >= 0.0) & (v < last_y)
            u = u if inside else 0.0
            v = v if inside else 0.0
            bx = np.int32(u)
            by = np.int32(v)
            in_x[i] = np.float32(u - bx)
            in_y[i] = np.float32(v - by)
            cell[i] = np.uint32(by * nx + bx) if inside else outside
        for i in range(size):
            level[i] = entries[cell[i]]
        for i in range(size):
            u = (x[first + i] - x0) * per_x
            v = (y[first + i] - y0) * per_y
            k = level[i] & np.uint32(15)
            cells = float(np.uint32(1) << k)
            column = np.uint32((u - np.floor(u)) * cells)
            row = np.uint32((v - np.floor(v)) * cells)
            cell[i] = (
                (level[i] >> np.uint32(4)) + (row << k) + column
                if k > 0
                else (level[i] >> np.uint32(4))
            )
        n = 0
        for i in range(size):
            code = fine[cell[i]]
            out[first + i] = code
            touched[n] = i
            n += code < -1
        n_open = 0
        for j in range(n):
            i = touched[j]
            record = records[np.uint32(-2 - out[first + i])]
            px = in_x[i]
            py = in_y[i]
            within = min(
                record[0] * px + record[1] * py + record[2],
                record[3] * px + record[4] * py + record[5],
            )
            out[first + i] = np.int32(record[6] if within > 0 else record[7])
            open_[n_open] = i
            n_open += abs(within) <= TOLERANCE
        for j in range(n_open):
            i = first + open_[j]
            out[i] = _exact_row(
                x[i], y[i], lattice, entries, fine, where, lists, edges, left, right, scratch
            )
    return out
