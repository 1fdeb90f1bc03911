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
    x, y, day, hour, month, kind, grid, first, last, hour_ok, month_ok, kind_ok, grid_ok,
    west, south, cell, out,
):  # fmt: skip
    """Add the chosen points to the four cells around each, by how near it is to their middles.

    Codes of `kind` and `grid` count from -1, which is the last place of their tables. Returns how
    many were chosen. What lies off the cells is chosen but added to none.
    """
    rows, columns = out.shape
    chosen = 0
    for k in range(len(x)):
        if day[k] < first or day[k] > last:
            continue
        if not (kind_ok[kind[k]] and grid_ok[grid[k]] and hour_ok[hour[k]] and month_ok[month[k]]):
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
def count_chosen(day, hour, month, kind, first, last, hour_ok, month_ok, kind_ok, area, out):
    """Count the chosen points by the area that each is in, -1 last; `out` has room for it."""
    for k in range(len(day)):
        if day[k] < first or day[k] > last:
            continue
        if kind_ok[kind[k]] and hour_ok[hour[k]] and month_ok[month[k]]:
            out[area[k]] += 1


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
                continue
            s = u[a, b] - i
            t = v[a, b] - j
            low = field[j, i] * (1.0 - s) + field[j, i + 1] * s
            high = field[j + 1, i] * (1.0 - s) + field[j + 1, i + 1] * s
            out[a, b] = low * (1.0 - t) + high * t
