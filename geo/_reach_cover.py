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
def sort_paths(paths, r, x0, y0, size, nx, ny):
    """Sort paths into the square cells near them: where the list of each cell begins, and it."""
    start = np.zeros(nx * ny + 1, np.int64)
    for step in range(2):
        if step == 1:
            for k in range(nx * ny):
                start[k + 1] += start[k]
            items = np.empty(start[nx * ny], np.int32)
        for k in range(len(paths)):
            i0 = max(0, int((min(paths[k, 0], paths[k, 2]) - r - x0) // size))
            i1 = min(nx - 1, int((max(paths[k, 0], paths[k, 2]) + r - x0) // size))
            j0 = max(0, int((min(paths[k, 1], paths[k, 3]) - r - y0) // size))
            j1 = min(ny - 1, int((max(paths[k, 1], paths[k, 3]) + r - y0) // size))
            for j in range(j0, j1 + 1):
                for i in range(i0, i1 + 1):
                    cell = j * nx + i
                    if step == 0:
                        start[cell + 1] += 1
                    else:
                        items[start[cell]] = k
                        start[cell] += 1
    for cell in range(nx * ny, 0, -1):
        start[cell] = start[cell - 1]
    start[0] = 0
    return start, items


@njit(cache=True, nogil=True)
def cover(pieces, paths, r, x0, y0, size, nx, ny, start, items):
    """The covered share of each piece, 0 to 1."""
    share = np.zeros(len(pieces))
    begin = np.empty(256)
    stop = np.empty(256)
    for p in range(len(pieces)):
        ax, ay, bx, by = pieces[p, 0], pieces[p, 1], pieces[p, 2], pieces[p, 3]
        i0 = max(0, int((min(ax, bx) - x0) // size))
        i1 = min(nx - 1, int((max(ax, bx) - x0) // size))
        j0 = max(0, int((min(ay, by) - y0) // size))
        j1 = min(ny - 1, int((max(ay, by) - y0) // size))
        count = 0
        is_full = False
        for j in range(j0, j1 + 1):
            for i in range(i0, i1 + 1):
                cell = j * nx + i
                for m in range(start[cell], start[cell + 1]):
                    k = items[m]
                    low, high = near_interval(
                        ax, ay, bx, by, paths[k, 0], paths[k, 1], paths[k, 2], paths[k, 3], r
                    )
                    if low > high:
                        continue
                    if low <= 0.0 and high >= 1.0:
                        is_full = True
                        break
                    count = _add(begin, stop, count, low, high)
                    if count == 1 and begin[0] <= 0.0 and stop[0] >= 1.0:
                        is_full = True
                        break
                if is_full:
                    break
            if is_full:
                break
        if is_full:
            share[p] = 1.0
            continue
        total = 0.0
        for k in range(count):
            total += stop[k] - begin[k]
        share[p] = total
    return share


@njit(cache=True, nogil=True)
def _add(begin, stop, count, low, high):
    """Add an interval to those kept apart and in order; how many there are then."""
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
        # A piece has few intervals apart; were there ever more, the nearest two would become one.
        if count == len(begin):
            stop[count - 1] = max(stop[count - 1], high)
            return count
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
