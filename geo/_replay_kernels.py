"""Loops of `geo.replay`, compiled: where everybody was at a row of moments, and who passed an area.

Times are whole milliseconds since the begin of the span, places whole units of 1e-7 degrees (at
most 1.1 cm) and whole centimetres. Each loop has a slow, obvious twin in tests/geo/test_replay.py.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

AWAY, JOINED, SEEN, SILENT = 0, 1, 2, 3
"""States of a worker at a moment: not to be drawn; seen, and all the way since the moment before;
seen; at the last known place without signal."""

BLOCK = 64
"""Fixes that share a box in the index."""


@njit(cache=True, nogil=True)
def last_before(milli, low, high, at):
    """Position of the last fix at or before a moment in `milli[low:high]`; low - 1 if none."""
    while low < high:
        middle = (low + high) // 2
        if milli[middle] <= at:
            low = middle + 1
        else:
            high = middle
    return low - 1


@njit(cache=True, nogil=True)
def place_at(first, milli, lon, lat, rows, begin, step, gap, hold, lost, out_lon, out_lat, state):
    """Fill place and state of each worker of `rows` at `begin`, `begin + step`, …"""
    count = out_lon.shape[1]
    for number in range(len(rows)):
        low, high = first[rows[number]], first[rows[number] + 1]
        at = last_before(milli, low, high, begin)
        was_seen = False
        for k in range(count):
            moment = begin + k * step
            joined = was_seen
            while at + 1 < high and milli[at + 1] <= moment:
                at += 1
                if at == low or milli[at] - milli[at - 1] > gap:
                    joined = False
            was_seen = False
            if at < low:
                continue
            since = moment - milli[at]
            x = float(lon[at])
            y = float(lat[at])
            if at + 1 < high and milli[at + 1] - milli[at] <= gap:
                share = since / (milli[at + 1] - milli[at])
                x += share * (float(lon[at + 1]) - x)
                y += share * (float(lat[at + 1]) - y)
                was_seen = True
            elif since <= hold:
                was_seen = True
            elif since > lost:
                continue
            out_lon[number, k] = np.int32(np.rint(x))
            out_lat[number, k] = np.int32(np.rint(y))
            state[number, k] = SILENT if not was_seen else JOINED if joined else SEEN


@njit(cache=True, nogil=True)
def box_blocks(first, x, y, block_first):
    """Box (x, y, x, y) of each block of a worker's fixes, with the step to the fix behind it."""
    boxes = np.empty((block_first[-1], 4), np.int32)
    for w in range(len(first) - 1):
        for b in range(block_first[w], block_first[w + 1]):
            begin = first[w] + (b - block_first[w]) * BLOCK
            end = min(begin + BLOCK + 1, first[w + 1])
            west, east, south, north = x[begin], x[begin], y[begin], y[begin]
            for i in range(begin + 1, end):
                west = min(west, x[i])
                east = max(east, x[i])
                south = min(south, y[i])
                north = max(north, y[i])
            boxes[b, 0] = west
            boxes[b, 1] = south
            boxes[b, 2] = east
            boxes[b, 3] = north
    return boxes


@njit(cache=True, nogil=True)
def _is_inside(px, py, edges):
    """Even-odd: how many edges a ray to the east crosses."""
    inside = False
    for e in range(len(edges)):
        y0 = edges[e, 1]
        y1 = edges[e, 3]
        if (y0 > py) != (y1 > py):
            at = edges[e, 0] + (py - y0) / (y1 - y0) * (edges[e, 2] - edges[e, 0])
            if px < at:
                inside = not inside
    return inside


@njit(cache=True, nogil=True)
def _cut_by_edges(ax, ay, dx, dy, edges, cuts):
    """Where A + t d crosses an edge, 0 < t < 1; how many."""
    n = 0
    for e in range(len(edges)):
        ex = edges[e, 2] - edges[e, 0]
        ey = edges[e, 3] - edges[e, 1]
        cross = dx * ey - dy * ex
        if cross == 0.0:
            continue
        fx = edges[e, 0] - ax
        fy = edges[e, 1] - ay
        t = (fx * ey - fy * ex) / cross
        u = (fx * dy - fy * dx) / cross
        if 0.0 < t < 1.0 and -1e-12 <= u <= 1.0 + 1e-12:
            cuts[n] = t
            n += 1
    cuts[:n].sort()
    return n


@njit(cache=True, nogil=True)
def _cut_by_circle(ax, ay, dx, dy, cx, cy, r, cuts):
    a = dx * dx + dy * dy
    if a == 0.0:
        return 0
    fx = ax - cx
    fy = ay - cy
    b = fx * dx + fy * dy
    root = b * b - a * (fx * fx + fy * fy - r * r)
    if root <= 0.0:
        return 0
    root = np.sqrt(root)
    n = 0
    for t in ((-b - root) / a, (-b + root) / a):
        if 0.0 < t < 1.0:
            cuts[n] = t
            n += 1
    return n


@njit(cache=True, nogil=True)
def _near(ax, ay, dx, dy, t0, t1, cx, cy):
    """Least distance of the part from t0 to t1 of A + t d to a point."""
    a = dx * dx + dy * dy
    t = t0
    if a > 0.0:
        t = min(max(((cx - ax) * dx + (cy - ay) * dy) / a, t0), t1)
    return np.hypot(ax + t * dx - cx, ay + t * dy - cy)


@njit(cache=True, nogil=True)
def pass_area(first, milli, x, y, block_first, boxes, begin, end, gap, area, edges, circle, found):
    """What each worker's path has in the area between two moments.

    `area` is the box, `edges` the rings as (x, y, x, y); with a radius above 0 `circle` (x, y, r)
    is the area, else its x and y are the middle. `found` gets by worker: first and last moment
    (ms), ms inside, least distance to the middle (cm); first stays -1 where there is nothing.
    """
    cuts = np.empty(2 * len(edges) + 4)
    round_ = circle[2] > 0.0
    for w in range(len(first) - 1):
        low, high = first[w], first[w + 1]
        start = max(last_before(milli, low, high, begin), low)
        for b in range(block_first[w] + (start - low) // BLOCK, block_first[w + 1]):
            i0 = low + (b - block_first[w]) * BLOCK
            if milli[i0] >= end:
                break
            box = boxes[b]
            if box[0] > area[2] or box[2] < area[0] or box[1] > area[3] or box[3] < area[1]:
                continue
            for i in range(max(i0, start), min(i0 + BLOCK, high)):
                t0 = milli[i]
                if t0 >= end:
                    break
                ax = float(x[i])
                ay = float(y[i])
                t1 = t0
                dx = 0.0
                dy = 0.0
                if i + 1 < high and milli[i + 1] - t0 <= gap:
                    t1 = milli[i + 1]
                    dx = float(x[i + 1]) - ax
                    dy = float(y[i + 1]) - ay
                elif t0 < begin or (i > low and t0 - milli[i - 1] <= gap):
                    # The end of a path is the end of its last step already.
                    continue
                span = float(t1 - t0)
                from_ = max(0.0, (begin - t0) / span) if span > 0.0 else 0.0
                to = min(1.0, (end - t0) / span) if span > 0.0 else 0.0
                if to < from_:
                    continue
                n = 0
                if dx != 0.0 or dy != 0.0:
                    if round_:
                        n = _cut_by_circle(ax, ay, dx, dy, circle[0], circle[1], circle[2], cuts)
                    else:
                        n = _cut_by_edges(ax, ay, dx, dy, edges, cuts)
                last = from_
                for k in range(n + 1):
                    cut = to if k == n else min(max(cuts[k], from_), to)
                    if cut < last or (cut == last and to > from_):
                        continue
                    middle = (last + cut) / 2
                    px = ax + middle * dx
                    py = ay + middle * dy
                    if round_:
                        inside = np.hypot(px - circle[0], py - circle[1]) <= circle[2]
                    else:
                        inside = _is_inside(px, py, edges)
                    if inside:
                        near = _near(ax, ay, dx, dy, last, cut, circle[0], circle[1])
                        if found[w, 0] < 0.0:
                            found[w, 0] = t0 + last * span
                            found[w, 3] = near
                        found[w, 1] = t0 + cut * span
                        found[w, 2] += (cut - last) * span
                        found[w, 3] = min(found[w, 3], near)
                    last = cut


@njit(cache=True, nogil=True)
def find_steps(first, milli, x, y, begin, end, gap, most_ms):
    """Straight steps that end at `begin` or later and before `end`, as `geo.reach` joins fixes.

    A fix of that time without a step to the one before or behind it stands alone.
    """
    steps = np.empty((1024, 4))
    n = 0
    for w in range(len(first) - 1):
        low, high = first[w], first[w + 1]
        for i in range(last_before(milli, low, high, begin - 1) + 1, high):
            if milli[i] >= end:
                break
            back = i > low and _is_step(milli, x, y, i - 1, gap, most_ms)
            if not back and i + 1 < high and _is_step(milli, x, y, i, gap, most_ms):
                continue
            if n == len(steps):
                more = np.empty((2 * n, 4))
                more[:n] = steps
                steps = more
            j = i - 1 if back else i
            steps[n, 0] = x[j]
            steps[n, 1] = y[j]
            steps[n, 2] = x[i]
            steps[n, 3] = y[i]
            n += 1
    return steps[:n]


@njit(cache=True, nogil=True)
def _is_step(milli, x, y, i, gap, most_ms):
    apart = milli[i + 1] - milli[i]
    far = np.hypot(float(x[i + 1]) - float(x[i]), float(y[i + 1]) - float(y[i])) / 100.0
    return apart <= gap and far <= most_ms * (apart / 1000.0)
