"""Counting permutations, compiled; slow, obvious twins are in tests/geo/test_hotspots_twins.py.

How a permutation serves every grid at once: of one random order of all grids, the first c that are
not grid i are a simple random sample of size c of the others. So the running sums of the order's
first numbers give the sum of the sample of each grid, less its own value where it stands among
them. One order costs as much as the most neighbours of a grid, and each grid then one look-up,
where drawing for each grid apart costs its neighbours each time.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True, inline="always")
def _next(state):
    """The next state and number of SplitMix64 (Steele, Lea & Flood 2014)."""
    state += _GOLDEN
    word = state
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return state, word ^ (word >> np.uint64(31))


@njit(cache=True, nogil=True)
def draw_orders(n, length, seeds):
    """The first `length` of a random order of 0 … n-1 for each seed.

    A remainder of a 64-bit number favours small ones by less than n / 2**64.
    """
    out = np.empty((len(seeds), length), np.int64)
    order = np.arange(n)
    for k in range(len(seeds)):
        state = seeds[k]
        # Each begins with the same order, so that one does not depend on those before it.
        for c in range(length):
            state, word = _next(state)
            other = c + np.int64(word % np.uint64(n - c))
            order[c], order[other] = order[other], order[c]
            out[k, c] = order[c]
        # A place behind the first ones that was touched gave its number away, which is in the row.
        for c in range(length):
            order[c] = c
            order[out[k, c]] = out[k, c]
    return out


@njit(cache=True, nogil=True)
def count_permuted(values, found, cards, orders, slack):
    """How many permutations give each grid at least, and at most, the sum that was found.

    `orders` as of `draw_orders`, at least one longer than the most neighbours, or of all grids.
    Grids with equally many neighbours stand together and are compared with one number; those few
    that stand among the first of an order are then compared anew.
    """
    n = len(values)
    length = orders.shape[1]
    by_card = np.argsort(cards)
    rank = np.empty(n, np.int64)
    least = np.empty(n)
    most = np.empty(n)
    for r in range(n):
        i = by_card[r]
        rank[i] = r
        least[r] = found[i] - values[i] - slack
        most[r] = found[i] - values[i] + slack
    # Where the grids with so many neighbours begin; nobody has as many as an order is long.
    first = np.searchsorted(cards[by_card], np.arange(length + 1))
    larger = np.zeros(n, np.int32)
    smaller = np.zeros(n, np.int32)
    sums = np.zeros(length + 1)
    for k in range(orders.shape[0]):
        for c in range(length):
            sums[c + 1] = sums[c] + values[orders[k, c]]
        for card in range(length):
            total = sums[card]
            for r in range(first[card], first[card + 1]):
                larger[r] += total >= least[r]
                smaller[r] += total <= most[r]
        for c in range(length):
            i = orders[k, c]
            r = rank[i]
            if c < cards[i]:
                was = sums[cards[i]]
                total = sums[cards[i] + 1] - values[i]
                larger[r] += np.int32(total >= least[r]) - np.int32(was >= least[r])
                smaller[r] += np.int32(total <= most[r]) - np.int32(was <= most[r])
    return larger[rank], smaller[rank]


@njit(cache=True, nogil=True)
def count_drawn(values, found, cards, draws, slack):
    """The same with draws that are given: positions among the others of each grid."""
    n = len(values)
    larger = np.zeros(n, np.int64)
    smaller = np.zeros(n, np.int64)
    for i in range(n):
        for k in range(draws.shape[0]):
            total = values[i]
            for c in range(cards[i]):
                j = draws[k, c]
                total += values[j + 1 if j >= i else j]
            if total >= found[i] - slack:
                larger[i] += 1
            if total <= found[i] + slack:
                smaller[i] += 1
    return larger, smaller


@njit(cache=True, nogil=True)
def sum_signs(series):
    """Kendall's S of each row against time, and the sum of t (t-1) (2t+5) over its ties."""
    rows, size = series.shape
    score = np.zeros(rows)
    ties = np.zeros(rows)
    for r in range(rows):
        total = 0
        for j in range(1, size):
            for i in range(j):
                if series[r, j] > series[r, i]:
                    total += 1
                elif series[r, j] < series[r, i]:
                    total -= 1
        score[r] = total
        row = np.sort(series[r])
        run = 1
        for j in range(1, size + 1):
            if j < size and row[j] == row[j - 1]:
                run += 1
            else:
                ties[r] += run * (run - 1.0) * (2.0 * run + 5.0)
                run = 1
    return score, ties
