"""Which side of a line a point is on, exactly, for any double precision numbers.

A floating-point filter decides nearly all cases; what it leaves open is decided by error-free
sums and products (expansions). No answer depends on rounding.

Formulas: J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
Predicates", Discrete & Computational Geometry 18 (1997). They hold while no product overflows or
underflows, so `geo.locate` refuses covers with coordinates beyond `LARGEST` and takes a
coordinate nearer to zero than `SMALLEST` as zero.

All functions here are compiled. numba's cache watches only the file of the outermost function:
after editing one of the `_locate_*` files delete `geo/__pycache__/_locate_*.nb?`.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import numpy as np
from numba import njit

LARGEST = 1e100
SMALLEST = 1e-100
SCRATCH = 16
"""Doubles that `side` needs as scratch space."""

_FILTER = (3.0 + 16.0 * 2.0**-53) * 2.0**-53
"""Relative error of the plain determinant (Shewchuk's ccwerrboundA)."""
_SPLITTER = 134217729.0
"""2**27 + 1 cuts a double into two halves whose products are exact (Dekker, Veltkamp)."""


@njit(cache=True, nogil=True, inline="always")
def _sum_tail(a, b, total):
    """Return what `total`, the rounded a + b, lost."""
    b_virtual = total - a
    a_virtual = total - b_virtual
    return (a - a_virtual) + (b - b_virtual)


@njit(cache=True, nogil=True)
def _product_tail(a, b, product):
    """Return what `product`, the rounded a * b, lost."""
    c = _SPLITTER * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLITTER * b
    b_high = c - (c - b)
    b_low = b - b_high
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


@njit(cache=True, nogil=True)
def _grow(expansion, size, b):
    """Add the double `b` to the expansion, without error; return its new size."""
    q = b
    for i in range(size):
        total = q + expansion[i]
        expansion[i] = _sum_tail(q, expansion[i], total)
        q = total
    expansion[size] = q
    return size + 1


@njit(cache=True, nogil=True)
def _add_product(expansion, size, a, b):
    if a == 0.0 or b == 0.0:
        return size
    product = a * b
    size = _grow(expansion, size, _product_tail(a, b, product))
    return _grow(expansion, size, product)


@njit(cache=True, nogil=True)
def _side_exact(ax, ay, bx, by, px, py, scratch):
    """Decide what the filter of `side` left open."""
    adx = ax - px
    ady = ay - py
    bdx = bx - px
    bdy = by - py
    adx_tail = _sum_tail(ax, -px, adx)
    ady_tail = _sum_tail(ay, -py, ady)
    bdx_tail = _sum_tail(bx, -px, bdx)
    bdy_tail = _sum_tail(by, -py, bdy)
    if adx_tail == 0.0 and ady_tail == 0.0 and bdx_tail == 0.0 and bdy_tail == 0.0:
        left = adx * bdy
        right = ady * bdx
        # Rounding keeps order, so unequal rounded products are in the order of the true ones.
        if left != right:
            return 1 if left > right else -1
        left = _product_tail(adx, bdy, left)
        right = _product_tail(ady, bdx, right)
        if left != right:
            return 1 if left > right else -1
        return 0
    size = _add_product(scratch, 0, adx_tail, bdy_tail)
    size = _add_product(scratch, size, -ady_tail, bdx_tail)
    size = _add_product(scratch, size, adx_tail, bdy)
    size = _add_product(scratch, size, adx, bdy_tail)
    size = _add_product(scratch, size, -ady_tail, bdx)
    size = _add_product(scratch, size, -ady, bdx_tail)
    size = _add_product(scratch, size, adx, bdy)
    size = _add_product(scratch, size, -ady, bdx)
    for i in range(size - 1, -1, -1):
        if scratch[i] != 0.0:
            return 1 if scratch[i] > 0.0 else -1
    return 0


@njit(cache=True, nogil=True)
def side(ax, ay, bx, by, px, py, scratch):
    """Return 1 where p is left of the line from a to b, -1 right of it, 0 on it."""
    left = (ax - px) * (by - py)
    right = (ay - py) * (bx - px)
    det = left - right
    bound = _FILTER * (abs(left) + abs(right))
    if det > bound:
        return 1
    if det < -bound:
        return -1
    if (ax == px and ay == py) or (bx == px and by == py):
        return 0
    return _side_exact(ax, ay, bx, by, px, py, scratch)


@njit(cache=True, nogil=True)
def side_of_points(ax, ay, bx, by, px, py):
    """Return `side` for arrays of equal length, as int8."""
    out = np.empty(len(px), np.int8)
    scratch = np.empty(SCRATCH)
    for i in range(len(px)):
        out[i] = side(ax[i], ay[i], bx[i], by[i], px[i], py[i], scratch)
    return out
