"""Counting points into fine cells and reading a surface at places, compiled.

Each has a slow, obvious twin in tests/geo/test_heat_twins.py.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def bin_chosen(
    x, y, day, hour, month, kind, source, grid, first, last, hour_ok, month_ok, kind_ok, source_ok,
    grid_ok, west, south, cell, out,
):  # fmt: skip
    """Add the chosen points to the four cells around each, by how near it is to their middles.

    Codes of `kind`, `source` and `grid` count from -1, which is the last place of their tables.
    Returns how many were chosen. What lies off the cells is chosen but added to none.
    """
    rows, columns = out.shape
    chosen = 0
    for k in range(len(x)):
        if day[k] < first or day[k] > last:
            continue
        if not (kind_ok[kind[k]] and grid_ok[grid[k]] and hour_ok[hour[k]] and month_ok[month[k]]):
            continue
        if not source_ok[source[k]]:
            continue
        if not (x[k] == x[k] and y[k] == y[k]):
            continue
        chosen += 1
        u = (x[k] - west) / cell - 0.5
        v = (y[k] - south) / cell - 0.5
        i = int(np.floor(u))
        j = int(np.floor(v))
        if i < 0 or j < 0 or i + 1 >= columns or j + 1 >= rows:
            continue
        u -= i
        v -= j
        out[j, i] += (1.0 - u) * (1.0 - v)
        out[j, i + 1] += u * (1.0 - v)
        out[j + 1, i] += (1.0 - u) * v
        out[j + 1, i + 1] += u * v
    return chosen


@njit(cache=True, nogil=True)
def bin_frames(
    x, y, day, hour, month, kind, source, grid, first, last, hour_ok, month_ok, kind_ok, source_ok,
    grid_ok, frame_of_hour, frame_of_month, west, south, cell, out,
):  # fmt: skip
    """As `bin_chosen`, all frames of a playback at once: `out` is (frames, rows, columns).

    A point goes to the frame of its hour of the week or, where that is -1, of its month. Returns
    how many were chosen for each, within the city and in all.
    """
    frames, rows, columns = out.shape
    chosen = np.zeros((2, frames), np.int64)
    for k in range(len(x)):
        if day[k] < first or day[k] > last:
            continue
        if not (kind_ok[kind[k]] and source_ok[source[k]] and hour_ok[hour[k]]):
            continue
        if not month_ok[month[k]]:
            continue
        f = frame_of_hour[hour[k]]
        if f < 0:
            f = frame_of_month[month[k]]
        if f < 0:
            continue
        chosen[1, f] += 1
        if not (grid_ok[grid[k]] and x[k] == x[k] and y[k] == y[k]):
            continue
        chosen[0, f] += 1
        u = (x[k] - west) / cell - 0.5
        v = (y[k] - south) / cell - 0.5
        i = int(np.floor(u))
        j = int(np.floor(v))
        if i < 0 or j < 0 or i + 1 >= columns or j + 1 >= rows:
            continue
        u -= i
        v -= j
        out[f, j, i] += (1.0 - u) * (1.0 - v)
        out[f, j, i + 1] += u * (1.0 - v)
        out[f, j + 1, i] += (1.0 - u) * v
        out[f, j + 1, i + 1] += u * v
    return chosen


@njit(cache=True, nogil=True)
def count_chosen(
    day, hour, month, kind, source, first, last, hour_ok, month_ok, kind_ok, source_ok, area, out
):
    """Count the chosen points by the area that each is in, -1 last; `out` has room for it."""
    for k in range(len(day)):
        if day[k] < first or day[k] > last:
            continue
        if kind_ok[kind[k]] and hour_ok[hour[k]] and month_ok[month[k]] and source_ok[source[k]]:
            out[area[k]] += 1


@njit(cache=True, nogil=True, inline="always")
def _between(field, i, j, s, t):
    """Between the middles of four cells."""
    low = field[j, i] * (1.0 - s) + field[j, i + 1] * s
    high = field[j + 1, i] * (1.0 - s) + field[j + 1, i + 1] * s
    return low * (1.0 - t) + high * t


@njit(cache=True, nogil=True)
def look_up(field, u, v, out):
    """Values of a surface between the middles of its cells; NaN off the cells or near a NaN."""
    rows, columns = field.shape
    for a in range(u.shape[0]):
        for b in range(u.shape[1]):
            i = int(np.floor(u[a, b]))
            j = int(np.floor(v[a, b]))
            if i < 0 or j < 0 or i + 1 >= columns or j + 1 >= rows:
                out[a, b] = np.nan
            else:
                out[a, b] = _between(field, i, j, u[a, b] - i, v[a, b] - j)


@njit(cache=True, nogil=True)
def read_pixels(value, rse, inside, knot_u, knot_v, knots, left, top, step, most_rse, out, unsure):
    """A surface at the pixels of a tile, by knots that say which cell lies under a place.

    `knots` are left, top and step of the knots, in shares of the web Mercator square like those of
    the tile. Outside of the city, or where no value is known, a pixel is NaN.
    """
    size = out.shape[0]
    rows, columns = value.shape
    high, wide = knot_u.shape
    for a in range(size):
        q = (top + (a + 0.5) * step - knots[1]) / knots[2]
        j0 = int(np.floor(q))
        for b in range(size):
            out[a, b] = np.nan
            unsure[a, b] = False
            p = (left + (b + 0.5) * step - knots[0]) / knots[2]
            i0 = int(np.floor(p))
            if i0 < 0 or j0 < 0 or i0 + 1 >= wide or j0 + 1 >= high:
                continue
            u = _between(knot_u, i0, j0, p - i0, q - j0)
            v = _between(knot_v, i0, j0, p - i0, q - j0)
            i = int(np.floor(u))
            j = int(np.floor(v))
            if i < 0 or j < 0 or i + 1 >= columns or j + 1 >= rows:
                continue
            s = u - i
            t = v - j
            if _between(inside, i, j, s, t) < 0.5:
                continue
            found = _between(value, i, j, s, t)
            out[a, b] = found
            # Infinite where no case is near; between cells one over it is what can be averaged.
            near = (1.0 / rse[j, i] * (1.0 - s) + 1.0 / rse[j, i + 1] * s) * (1.0 - t)
            far = (1.0 / rse[j + 1, i] * (1.0 - s) + 1.0 / rse[j + 1, i + 1] * s) * t
            unsure[a, b] = found > 0.0 and (near + far) * most_rse < 1.0
