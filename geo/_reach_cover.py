"""How much of straight street pieces lies within a distance of walked paths: exact, compiled.

A path is straight from fix to fix. What lies within R of it is convex (a capsule), so on a straight
piece it is one interval, the hull of three: within R of each end, and beside the path. The covered
length of a piece is the length of the union of its intervals; nothing is sampled.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from geo._reach_area import mark_capsule

CELL_M = 36.0
"""Side of the cells by which pieces near a step are found; 16 m was fastest of 8 to 64."""

HALF_M = 8.0
"""Half of the longest step that is looked at at once."""

SLOTS = 4
"""Intervals of a piece that have a place of their own; more are rare and kept aside."""

_NONE = 2.0
"""An interval that begins behind the end of its piece is empty."""


@njit(cache=True, nogil=True)
def _disc(ax, ay, dx, dy, cx, cy, r2):
    """Where A + t d lies within the disc: from and to, empty if nowhere."""
    fx = ax - cx
    fy = ay - cy
    a = dx * dx + dy * dy
    b = fx * dx + fy * dy
    c = fx * fx + fy * fy - r2
    root = b * b - a * c
    if root < 0.0:
        return _NONE, -_NONE
    root = np.sqrt(root)
    return (-b - root) / a, (-b + root) / a


@njit(cache=True, nogil=True)
def _beside(ax, ay, dx, dy, cx, cy, ex, ey, r):
    """Where A + t d lies in the rectangle around the path from C to E."""
    wx = ex - cx
    wy = ey - cy
    size = np.sqrt(wx * wx + wy * wy)
    if size == 0.0:
        return _NONE, -_NONE
    wx /= size
    wy /= size
    low = 0.0
    high = 1.0
    for side in range(2):
        if side == 0:
            start = (ax - cx) * wx + (ay - cy) * wy
            step = dx * wx + dy * wy
            least = 0.0
            most = size
        else:
            start = (ay - cy) * wx - (ax - cx) * wy
            step = dy * wx - dx * wy
            least = -r
            most = r
        if step == 0.0:
            if start < least or start > most:
                return _NONE, -_NONE
            continue
        one = (least - start) / step
        two = (most - start) / step
        low = max(low, min(one, two))
        high = min(high, max(one, two))
    if low > high:
        return _NONE, -_NONE
    return low, high


@njit(cache=True, nogil=True)
def near_interval(ax, ay, bx, by, cx, cy, ex, ey, r):
    """The part of the piece AB, from 0 to 1, that lies within r of the path CE; empty: 2 to -2."""
    dx = bx - ax
    dy = by - ay
    low, high = _disc(ax, ay, dx, dy, cx, cy, r * r)
    if ex != cx or ey != cy:
        one, two = _disc(ax, ay, dx, dy, ex, ey, r * r)
        low = min(low, one)
        high = max(high, two)
        one, two = _beside(ax, ay, dx, dy, cx, cy, ex, ey, r)
        low = min(low, one)
        high = max(high, two)
    low = max(low, 0.0)
    high = min(high, 1.0)
    if low >= high:
        return _NONE, -_NONE
    return low, high


@njit(cache=True, nogil=True)
def _apart2(ax, ay, bx, by, px, py):
    """Squared distance of a point from the piece AB."""
    dx = bx - ax
    dy = by - ay
    size2 = dx * dx + dy * dy
    t = 0.0
    if size2 > 0.0:
        t = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / size2))
    gx = ax + t * dx - px
    gy = ay + t * dy - py
    return gx * gx + gy * gy


@njit(cache=True, nogil=True)
def list_cells(ends, reach, x0, y0, nx, ny):
    """The pieces within `reach` of each square cell: where the list of each begins, and it."""
    start = np.zeros(nx * ny + 1, np.int64)
    items = np.empty(0, np.int32)
    # Half the diagonal of a cell more, so that its middle can stand for it.
    far2 = (reach + CELL_M * 0.7072) ** 2
    for step in range(2):
        if step == 1:
            for k in range(nx * ny):
                start[k + 1] += start[k]
            items = np.empty(start[nx * ny], np.int32)
        for p in range(len(ends)):
            ax, ay, bx, by = ends[p, 0], ends[p, 1], ends[p, 2], ends[p, 3]
            i0 = max(0, int((min(ax, bx) - reach - x0) // CELL_M))
            i1 = min(nx - 1, int((max(ax, bx) + reach - x0) // CELL_M))
            j0 = max(0, int((min(ay, by) - reach - y0) // CELL_M))
            j1 = min(ny - 1, int((max(ay, by) + reach - y0) // CELL_M))
            for j in range(j0, j1 + 1):
                for i in range(i0, i1 + 1):
                    px = x0 + (i + 0.5) * CELL_M
                    py = y0 + (j + 0.5) * CELL_M
                    if _apart2(ax, ay, bx, by, px, py) > far2:
                        continue
                    cell = j * nx + i
                    if step == 0:
                        start[cell + 1] += 1
                    else:
                        items[start[cell]] = p
                        start[cell] += 1
    for cell in range(nx * ny, 0, -1):
        start[cell] = start[cell - 1]
    start[0] = 0
    return start, items


@njit(cache=True, nogil=True)
def _add(begin, stop, count, low, high):
    """Add an interval to those kept apart and in order; how many there are then, -1: no room."""
    first = 0
    while first < count and stop[first] < low:
        first += 1
    last = first
    while last < count and begin[last] <= high:
        low = min(low, begin[last])
        high = max(high, stop[last])
        last += 1
    gone = last - first
    if gone == 0:
        if count == len(begin):
            return -1
        for k in range(count, first, -1):
            begin[k] = begin[k - 1]
            stop[k] = stop[k - 1]
        begin[first] = low
        stop[first] = high
        return count + 1
    begin[first] = low
    stop[first] = high
    for k in range(last, count):
        begin[k - gone + 1] = begin[k]
        stop[k - gone + 1] = stop[k]
    return count - gone + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _reach_step(
    cx, cy, ex, ey, r, far2, pieces, cell, start, items, full, done, begin, stop, number,
    spilled, spills,
):  # fmt: skip
    """Cover the pieces near a short step; a cell all of whose pieces are full is done."""
    is_done = True
    for k in range(start[cell], start[cell + 1]):
        p = items[k]
        if full[p]:
            continue
        is_done = False
        ax, ay, bx, by = pieces[p, 0], pieces[p, 1], pieces[p, 2], pieces[p, 3]
        # From twice the middle of the piece to twice that of the step.
        gx = ax + bx - cx - ex
        gy = ay + by - cy - ey
        if gx * gx + gy * gy > far2:
            continue
        low, high = near_interval(ax, ay, bx, by, cx, cy, ex, ey, r)
        if low > high:
            continue
        count = number[p]
        found = _add(begin[p], stop[p], count, low, high)
        if found >= 0:
            number[p] = found
            if found == 1 and begin[p, 0] <= 0.0 and stop[p, 0] >= 1.0:
                full[p] = 1
        else:
            if spills == len(spilled):
                more = np.empty((2 * len(spilled), 3))
                more[: len(spilled)] = spilled
                spilled = more
            spilled[spills, 0] = p
            spilled[spills, 1] = low
            spilled[spills, 2] = high
            spills += 1
    if is_done:
        done[cell] = 1
    return spilled, spills


@njit(cache=True, nogil=True, error_model="numpy")
def walk(
    which, who, micro, x, y, gap_us, most_ms, r, longest, pieces, x0, y0, nx, ny, start, items,
    full, done, begin, stop, number, bits, west, south, line_m, dot_m,
):  # fmt: skip
    """Walk through fixes and cover pieces and dots near each step.

    `which` are the fixes, by worker and time; `longest` is the longest piece; `full` and `done`
    tell which pieces are covered from end to end, and cells that have only such; `begin`, `stop`
    and `number` take the intervals of each piece and `bits` the dots. Intervals that found no room
    come back.
    """
    spilled = np.empty((16, 3))
    spills = 0
    was_joined = False
    n = len(which)
    most2_us = most_ms * most_ms * 1e-12
    # Half a piece, half a step and the distance lie between two middles at most.
    far = 2.0 * (r + HALF_M + 1e-6) + longest
    far2 = far * far
    for m in range(n):
        a = which[m]
        cx, cy = x[a], y[a]
        ex, ey = cx, cy
        size2 = 0.0
        joined = False
        if m + 1 < n:
            b = which[m + 1]
            apart = micro[b] - micro[a]
            if who[b] == who[a] and apart <= gap_us:
                gx = x[b] - cx
                gy = y[b] - cy
                far_there = gx * gx + gy * gy
                if far_there <= most2_us * apart * apart:
                    joined = True
                    size2 = far_there
                    ex, ey = x[b], y[b]
        if not joined and was_joined:
            was_joined = False
            continue
        was_joined = joined
        if len(bits):
            mark_capsule(bits, cx, cy, ex, ey, r, west, south, line_m, dot_m)
        if nx == 0:
            continue
        # A long step is walked in parts, so that the cell of its middle knows all pieces near it.
        parts = 1
        if size2 > 4.0 * HALF_M * HALF_M:
            parts = int(np.ceil(np.sqrt(size2) / (2.0 * HALF_M)))
        for part in range(parts):
            fx, fy, tx, ty = cx, cy, ex, ey
            if parts > 1:
                fx = cx + (ex - cx) * part / parts
                fy = cy + (ey - cy) * part / parts
                tx = cx + (ex - cx) * (part + 1) / parts
                ty = cy + (ey - cy) * (part + 1) / parts
            # `//` of floats is slow, and casting turns what lies just west of x0 into 0.
            u = (0.5 * (fx + tx) - x0) * (1.0 / CELL_M)
            v = (0.5 * (fy + ty) - y0) * (1.0 / CELL_M)
            if not (u >= 0.0 and v >= 0.0 and u < nx and v < ny):
                continue
            cell = int(v) * nx + int(u)
            if done[cell] or start[cell] == start[cell + 1]:
                continue
            spilled, spills = _reach_step(
                fx, fy, tx, ty, r, far2, pieces, cell, start, items, full, done,
                begin, stop, number, spilled, spills,
            )  # fmt: skip
    return spilled[:spills].copy()


@njit(cache=True, nogil=True)
def order_by_group(group, count):
    """Positions by group, those of a group in their order: where each begins, and they."""
    start = np.zeros(count + 1, np.int64)
    for k in range(len(group)):
        if group[k] >= 0:
            start[group[k] + 1] += 1
    for k in range(count):
        start[k + 1] += start[k]
    which = np.empty(start[count], np.int64)
    at = start[:-1].copy()
    for k in range(len(group)):
        if group[k] >= 0:
            which[at[group[k]]] = k
            at[group[k]] += 1
    return start, which
