"""Build the table of `geo.locate`: blocks, cells in them, and a record for each touched cell.

The rectangle around the cover is a lattice of equal *blocks*. A block that edges touch is cut into
2**k x 2**k *cells*, the more edges the finer, so the table follows the data and an island far away
costs nothing. A cell that no edge touches keeps its label. A touched one gets a *record*: two
half-planes, rounded, that decide every point in it that is clearly off the lines, and the list of
its edges for the exact way.

Rounding cannot change an answer: cells list every edge within SLACK of them, which is far wider
than the rounding of a cell's number or corner, and records leave to the exact way whatever is
within TOLERANCE of a line.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from geo._locate_cells import cross, label_at, touched_cells, turn_around
from geo._locate_exact import SCRATCH, side

SLACK = 1e-6
"""Width, in cells, by which a cell's list of edges is generous."""
SCALE = 2.0**14
"""Half-planes are stored as whole numbers of 1/SCALE of a block, which keeps a record small."""
TOLERANCE = np.float32(2.0)
"""Distance to a line, in 1/SCALE of a block, below which a record does not decide.

Three rounded coefficients are off by half of one each; single precision adds far less.
"""
MOST_SHORT = 2**15 - 2
"""Rows that fit short cells (2 bytes) and records (16 bytes); more take cells and records of twice
the size."""
MOST_SHARED = 12
"""Edges of a block up to which its cells share records and one list."""
FINEST = 7
"""A block is cut into at most 2**FINEST cells a side: records of one block fit in 15 bits."""
_SHORTEST = 1e-4
"""An edge shorter than this (in blocks) has no direction to trust a half-plane with."""


class Lattice(NamedTuple):
    """Where the blocks are: corner, blocks per unit, unit per block, how many."""

    x0: float
    y0: float
    per_x: float
    per_y: float
    width: float
    height: float
    nx: int
    ny: int
    finest: int


@njit(cache=True, nogil=True)
def corner_x(lattice, block, cell, cells):
    """Return the x of the left side of a cell; the one formula that build and query share."""
    return lattice.x0 + (block + cell / cells) * lattice.width


@njit(cache=True, nogil=True)
def corner_y(lattice, block, cell, cells):
    """Return the y of the lower side of a cell."""
    return lattice.y0 + (block + cell / cells) * lattice.height


@njit(cache=True, nogil=True)
def scale_edge(edges, e, lattice, out):
    """Write the ends of an edge in blocks from the corner of the lattice, rounded as points are."""
    out[e, 0] = (edges[e, 0] - lattice.x0) * lattice.per_x
    out[e, 1] = (edges[e, 1] - lattice.y0) * lattice.per_y
    out[e, 2] = (edges[e, 2] - lattice.x0) * lattice.per_x
    out[e, 3] = (edges[e, 3] - lattice.y0) * lattice.per_y


@njit(cache=True, nogil=True)
def scale_edges(edges, lattice):
    """Return `scale_edge` of all edges."""
    out = np.empty_like(edges)
    for e in range(len(edges)):
        scale_edge(edges, e, lattice, out)
    return out


@njit(cache=True, nogil=True)
def list_edges(scaled, ids, lattice):
    """List the edges that touch each block, as starts and one flat list (of `ids`)."""
    nx = lattice.nx
    ny = lattice.ny
    start = np.zeros(nx * ny + 1, np.int32)
    touched = np.empty(nx * ny + 4 * (nx + ny) + 64, np.int32)
    for e in range(len(scaled)):
        n = touched_cells(
            scaled[e, 0], scaled[e, 1], scaled[e, 2], scaled[e, 3], nx, ny, SLACK, touched
        )
        for k in range(n):
            start[touched[k] + 1] += 1
    for b in range(nx * ny):
        start[b + 1] += start[b]
    fill = start[:-1].copy()
    items = np.empty(start[-1], np.int32)
    for e in range(len(scaled)):
        n = touched_cells(
            scaled[e, 0], scaled[e, 1], scaled[e, 2], scaled[e, 3], nx, ny, SLACK, touched
        )
        for k in range(n):
            items[fill[touched[k]]] = ids[e]
            fill[touched[k]] += 1
    return start, items


@njit(cache=True, nogil=True)
def toggle_rows(e, edges, lattice, bx, by, cells, columns, rows, out, scratch):
    """Toggle `out`, per row of corners, at the first corner that is right of edge `e`.

    Corners are those of cells (of 1/cells of a block) from block bx, by on. A running XOR along
    each row then gives the change of label from the corner at its left end.
    """
    ax = edges[e, 0]
    ay = edges[e, 1]
    qx = edges[e, 2]
    qy = edges[e, 3]
    if ay == qy:
        return
    first = int(((ay - lattice.y0) * lattice.per_y - by) * cells) - 1
    last = int(((qy - lattice.y0) * lattice.per_y - by) * cells) + 1
    for row in range(max(first, 0), min(last, rows - 1) + 1):
        y = corner_y(lattice, by, row, cells)
        if not (ay <= y and y < qy):
            continue
        x = ax + (y - ay) / (qy - ay) * (qx - ax)
        guess = ((x - lattice.x0) * lattice.per_x - bx) * cells
        column = int(min(max(guess, 0.0), float(columns - 1)))
        while column > 0 and (
            side(ax, ay, qx, qy, corner_x(lattice, bx, column - 1, cells), y, scratch) <= 0
        ):
            column -= 1
        while column < columns and (
            side(ax, ay, qx, qy, corner_x(lattice, bx, column, cells), y, scratch) > 0
        ):
            column += 1
        # Column 0 is the corner that the row starts from: it has its label already.
        if 0 < column < columns:
            out[row * columns + column] ^= int(edges[e, 4])


@njit(cache=True, nogil=True)
def label_blocks(ids, edges, left, right, lattice):
    """Find the label at the lower left corner of each block; the lattice begins outside."""
    out = np.zeros(lattice.nx * lattice.ny, np.int32)
    scratch = np.empty(SCRATCH)
    for k in range(len(ids)):
        e = ids[k]
        toggle_rows(e, edges, lattice, 0, 0, 1, lattice.nx, lattice.ny, out, scratch)
    for row in range(lattice.ny):
        for column in range(1, lattice.nx):
            out[row * lattice.nx + column] ^= out[row * lattice.nx + column - 1]
    return out


@njit(cache=True, nogil=True)
def _label_cells(
    label, bx, by, cells, lists, start, count, edges, left, right, lattice, out, scratch
):
    """Find the label at the lower left corner of each cell of a block."""
    out[: cells * cells] = 0
    for k in range(start, start + count):
        e = lists[k]
        toggle_rows(e, edges, lattice, bx, by, cells, cells, cells, out, scratch)
    x = corner_x(lattice, bx, 0, cells)
    below = corner_y(lattice, by, 0, cells)
    for row in range(cells):
        y = corner_y(lattice, by, row, cells)
        out[row * cells] = label_at(x, y, x, below, label, lists, start, count, edges, scratch)
        for column in range(1, cells):
            out[row * cells + column] ^= out[row * cells + column - 1]


@njit(cache=True, nogil=True)
def _leaves_cell(ux, uy, vx, vy, x0, y0, x1, y1):
    """Tell whether the ray from u through v has left the box, if it hits it, before v."""
    t0 = 0.0
    t1 = np.inf
    for axis in range(2):
        u = ux if axis == 0 else uy
        d = (vx - ux) if axis == 0 else (vy - uy)
        low = x0 if axis == 0 else y0
        high = x1 if axis == 0 else y1
        if d == 0.0:
            if u < low or u > high:
                return True
            continue
        near = (low - u) / d
        far = (high - u) / d
        t0 = max(t0, min(near, far))
        t1 = min(t1, max(near, far))
    return t0 > t1 or t1 <= 1.0


@njit(cache=True, nogil=True)
def _half_plane(ux, uy, vx, vy, sign, out, at):
    """Write a*x + b*y + c, the distance left of u -> v times `sign`, as three numbers."""
    dx = vx - ux
    dy = vy - uy
    scale = SCALE * sign / np.hypot(dx, dy)
    out[at] = round(-dy * scale)
    out[at + 1] = round(dx * scale)
    out[at + 2] = round((dy * ux - dx * uy) * scale)


@njit(cache=True, nogil=True)
def _is_short(scaled, e):
    return np.hypot(scaled[e, 2] - scaled[e, 0], scaled[e, 3] - scaled[e, 1]) < _SHORTEST


@njit(cache=True, nogil=True)
def _write_record(items, start, count, bx, by, row, column, cells, edges, scaled, left, right,
                  record, scratch):  # fmt: skip
    """Describe a cell by two half-planes: record 0-5, label where both hold 6, elsewhere 7.

    Works for one edge that passes right through the cell, and for two that meet and leave it.
    Anything else gets planes that never decide.
    """
    record[:6] = 0
    record[6:] = -1
    pad = 4.0 * SLACK / cells
    x0 = column / cells - pad
    y0 = row / cells - pad
    x1 = (column + 1) / cells + pad
    y1 = (row + 1) / cells + pad
    e = items[start]
    if count > 2 or _is_short(scaled, e):
        return
    ax = scaled[e, 0] - bx
    ay = scaled[e, 1] - by
    qx = scaled[e, 2] - bx
    qy = scaled[e, 3] - by
    if count == 1:
        if _leaves_cell(ax, ay, qx, qy, x0, y0, x1, y1) and _leaves_cell(
            qx, qy, ax, ay, x0, y0, x1, y1
        ):
            _half_plane(ax, ay, qx, qy, 1.0, record, 0)
            # Farther than any point of the block is from a line that meets it.
            record[5] = 2 * SCALE - 1
            record[6] = left[e] - 1
            record[7] = right[e] - 1
        return
    f = items[start + 1]
    if _is_short(scaled, f):
        return
    # Walk e towards the shared point and f away from it.
    e_end = -1
    f_end = -1
    for i in range(2):
        for j in range(2):
            if edges[e, 2 * i] == edges[f, 2 * j] and edges[e, 2 * i + 1] == edges[f, 2 * j + 1]:
                e_end = i
                f_end = j
    if e_end < 0:
        return
    on_left = left[e] if e_end == 1 else right[e]
    on_right = right[e] if e_end == 1 else left[e]
    if on_left != (left[f] if f_end == 0 else right[f]):
        return
    if on_right != (right[f] if f_end == 0 else left[f]):
        return
    i = 2 * (1 - e_end)
    j = 2 * (1 - f_end)
    turn = side(
        edges[e, i], edges[e, i + 1], edges[f, 2 * f_end], edges[f, 2 * f_end + 1],
        edges[f, j], edges[f, j + 1], scratch,
    )  # fmt: skip
    ux = scaled[e, i] - bx
    uy = scaled[e, i + 1] - by
    mx = scaled[e, 2 * e_end] - bx
    my = scaled[e, 2 * e_end + 1] - by
    vx = scaled[f, j] - bx
    vy = scaled[f, j + 1] - by
    if turn == 0 and (mx - ux) * (vx - mx) + (my - uy) * (vy - my) <= 0.0:
        return
    if not _leaves_cell(mx, my, ux, uy, x0, y0, x1, y1):
        return
    if not _leaves_cell(mx, my, vx, vy, x0, y0, x1, y1):
        return
    sign = 1.0 if turn >= 0 else -1.0
    _half_plane(ux, uy, mx, my, sign, record, 0)
    _half_plane(mx, my, vx, vy, sign, record, 3)
    record[6] = (on_left if turn >= 0 else on_right) - 1
    record[7] = (on_right if turn >= 0 else on_left) - 1


@njit(cache=True, nogil=True)
def _find_record(records, first, stop, record):
    """Find an equal record from `first` on; `stop` if there is none."""
    for r in range(first, stop):
        is_equal = True
        for k in range(8):
            is_equal &= records[r, k] == record[k]
        if is_equal:
            return r
    return stop


@njit(cache=True, nogil=True)
def _note(clashes, n, x, y, first, second):
    if n < len(clashes):
        clashes[n, 0] = x
        clashes[n, 1] = y
        clashes[n, 2] = first
        clashes[n, 3] = second
    return n + 1


@njit(cache=True, nogil=True)
def _check_cell(label, cx, cy, row, column, bx, by, cells, items, start, count, edges, scaled,
                left, right, clashes, n_clashes, scratch):  # fmt: skip
    """Note the edges of a cell that cross, and its vertices where the sectors do not add up.

    Edges that never cross, and sectors around every vertex in which the labels that the edges
    claim are the ones that are really there, leave no place for an overlap: going inwards from
    the outside, each face has the one label that its border claims.
    """
    for k in range(start, start + count):
        e = items[k]
        for m in range(k + 1, start + count):
            if cross(edges, e, items[m], scratch):
                f = items[m]
                first = left[e] if left[e] != 0 else right[e]
                second = left[f] if left[f] != 0 else right[f]
                n_clashes = _note(clashes, n_clashes, edges[e, 0], edges[e, 1], first, second)
        for end in range(2):
            u = (scaled[e, 2 * end] - bx) * cells
            v = (scaled[e, 2 * end + 1] - by) * cells
            if not (column <= u and u < column + 1 and row <= v and v < row + 1):
                continue
            px = edges[e, 2 * end]
            py = edges[e, 2 * end + 1]
            seen = False
            for m in range(start, k):
                f = items[m]
                if (edges[f, 0] == px and edges[f, 1] == py) or (
                    edges[f, 2] == px and edges[f, 3] == py
                ):
                    seen = True
                    break
            if seen:
                continue
            here = label_at(px, py, cx, cy, label, items, start, count, edges, scratch)
            first, second, wrong = turn_around(
                px, py, here, items, start, count, edges, left, right, scratch
            )
            if wrong:
                n_clashes = _note(clashes, n_clashes, px, py, first, second)
    return n_clashes


@njit(cache=True, nogil=True)
def append_rows(array, needed):
    """Return `array`, or a copy of it with room for `needed` rows and half as many again."""
    if len(array) >= needed:
        return array
    more = np.empty((needed + needed // 2,) + array.shape[1:], array.dtype)  # noqa: RUF005
    more[: len(array)] = array
    return more


@njit(cache=True, nogil=True)
def fineness(count, density, finest):
    """Return k, for 2**k cells a side in a block that `count` edges touch."""
    k = 0
    while k < finest and (1 << (2 * k)) < density * count:
        k += 1
    return k


@njit(cache=True, nogil=True)
def build_blocks(blocks, list_start, list_count, corner, density, lattice, edges, scaled, left,
                 right, lists, fine, records, where, used):  # fmt: skip
    """Build the cells of touched blocks, after what the tables hold already.

    Parameters
    ----------
    blocks
        Which blocks; the edges of block i are `lists[list_start[i]:][:list_count[i]]`, the label
        at its corner is `corner[i]`.
    lists, fine, records, where
        Tables to append to, of which `used` (int64, 3: lists, cells, records) counts are taken.

    Returns
    -------
    tuple
        The four tables (moved, if they had to grow), one entry a block, and the clashes: x, y and
        the two labels that claim one place, with the number of them.
    """
    entries = np.empty(len(blocks), np.uint32)
    clashes = np.empty((64, 4))
    n_clashes = 0
    scratch = np.empty(SCRATCH)
    trial = np.empty(8, records.dtype)
    labels = np.empty(1, np.int32)
    counts = np.empty(2, np.int32)
    touched = np.empty(64, np.int32)
    for i in range(len(blocks)):
        by = blocks[i] // lattice.nx
        bx = blocks[i] - by * lattice.nx
        start = list_start[i]
        count = list_count[i]
        k = fineness(count, density, lattice.finest)
        if 0 < count <= 2:
            # One record for the whole block, if it can: less memory is fewer cache misses.
            _write_record(
                lists, start, count, bx, by, 0, 0, 1, edges, scaled, left, right, trial, scratch
            )
            if trial[0] != 0 or trial[1] != 0:
                k = 0
        cells = 1 << k
        size = cells * cells
        if len(labels) < size:
            labels = np.empty(size, np.int32)
            counts = np.empty(size + 1, np.int32)
            touched = np.empty(size + 8 * cells + 64, np.int32)
        _label_cells(
            corner[i], bx, by, cells, lists, start, count, edges, left, right, lattice, labels,
            scratch,
        )  # fmt: skip
        counts[: size + 1] = 0
        for m in range(start, start + count):
            e = lists[m]
            n = touched_cells(
                (scaled[e, 0] - bx) * cells, (scaled[e, 1] - by) * cells,
                (scaled[e, 2] - bx) * cells, (scaled[e, 3] - by) * cells,
                cells, cells, SLACK, touched,
            )  # fmt: skip
            for j in range(n):
                counts[touched[j] + 1] += 1
        n_touched = 0
        for cell in range(size):
            n_touched += counts[cell + 1] > 0
            counts[cell + 1] += counts[cell]
        first_item = used[0]
        # Two places before its cells a block says where its records begin.
        first_cell = used[1] + 2
        lists = append_rows(lists, first_item + counts[size])
        fine = append_rows(fine, first_cell + size)
        records = append_rows(records, used[2] + n_touched)
        where = append_rows(where, used[2] + n_touched)
        for m in range(start, start + count):
            e = lists[m]
            n = touched_cells(
                (scaled[e, 0] - bx) * cells, (scaled[e, 1] - by) * cells,
                (scaled[e, 2] - bx) * cells, (scaled[e, 3] - by) * cells,
                cells, cells, SLACK, touched,
            )  # fmt: skip
            for j in range(n):
                lists[first_item + counts[touched[j]]] = e
                counts[touched[j]] += 1
        # A block of few edges shares records between its cells, and the exact way asks all its
        # edges: less memory is fewer cache misses.
        is_shared = count <= MOST_SHARED
        if not is_shared:
            used[0] += counts[size]
        first_record = used[2]
        used[1] = first_cell + size
        fine[first_cell - 2] = np.int16(first_record & 0xFFFF)
        fine[first_cell - 1] = np.int16(first_record >> 16)
        entries[i] = (np.uint32(first_cell) << np.uint32(4)) | np.uint32(k)
        at = first_item
        for cell in range(size):
            # Filling moved each start to the end of its cell.
            stop = first_item + counts[cell]
            if stop == at:
                fine[first_cell + cell] = labels[cell] - 1
                continue
            row = cell >> k
            column = cell - (row << k)
            _write_record(
                lists, at, stop - at, bx, by, row, column, cells, edges, scaled, left, right,
                trial, scratch,
            )  # fmt: skip
            record = _find_record(records, first_record if is_shared else used[2], used[2], trial)
            if record == used[2]:
                used[2] += 1
                records[record] = trial
                where[record, 0] = start if is_shared else at
                # A negative count says that the label is that of the block's corner.
                where[record, 1] = -count if is_shared else stop - at
                where[record, 2] = corner[i] if is_shared else labels[cell]
            fine[first_cell + cell] = -2 - (record - first_record)
            n_clashes = _check_cell(
                labels[cell], corner_x(lattice, bx, column, cells),
                corner_y(lattice, by, row, cells), row, column, bx, by, cells, lists, at, stop - at,
                edges, scaled, left, right, clashes, n_clashes, scratch,
            )  # fmt: skip
            at = stop
    return lists, fine, records, where, entries, clashes, n_clashes
