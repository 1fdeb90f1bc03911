"""All connected sets of units that may be grids, as bits of a number: listed, priced, compared.

Each set comes once: from its unit of the smallest number on, a unit is either taken in or ruled out
for all that follows. A branch ends where the load is too large, for loads are never negative.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo._divide_moves import draw

_WAYS = 60
"""Ways down the tree from each unit for a guess."""

MOST_UNITS = 64
MOST_SETS = 1_500_000
"""More connected sets than this are not listed: the piece stays without a proof."""

Masks = NDArray[np.uint64]
Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def list_sets(around, link_start, link_unit, link_cost, load, fixed, low, high, slack, most):
    """List the connected sets that may be grids.

    `around[u]` has a bit for each neighbour. A set has at most one unit that is `fixed`, and its
    load is out of the band (or beside the fixed unit's own) by at most `slack`.

    Returns masks, half the cost of their border, loads off the band; more than `most` give none.
    """
    n = len(load)
    one = np.uint64(1)
    masks = np.empty(1024, np.uint64)
    costs = np.empty(1024)
    offs = np.empty(1024)
    found = 0
    depth = 64 * 64 + 8
    s_set = np.empty(depth, np.uint64)
    s_next = np.empty(depth, np.uint64)
    s_not = np.empty(depth, np.uint64)
    s_load = np.empty(depth)
    s_cost = np.empty(depth)
    s_big = np.empty(depth)
    all_cost = np.zeros(n)
    for u in range(n):
        for j in range(link_start[u], link_start[u + 1]):
            all_cost[u] += link_cost[j]
    tried = 0
    units = 0
    for root in range(n):
        before = (one << np.uint64(root)) - one
        top = 0
        s_set[0] = one << np.uint64(root)
        s_next[0] = around[root] & ~before & ~s_set[0]
        s_not[0] = before
        s_load[0] = 0.0 if fixed[root] else load[root]
        s_big[0] = load[root] if fixed[root] else 0.0
        s_cost[0] = all_cost[root]
        is_new = True
        while top >= 0:
            if is_new:
                tried += 1
                if tried & 8191 == 0 and found > 1000:
                    # Sets with a unit up to this one, as a share of all, from the sizes so far.
                    share = 1.0 - (1.0 - units / (found * n)) ** (root + 1)
                    if found > 1.2 * share * most or tried > 24.0 * share * most:
                        return masks[:0], costs[:0], offs[:0]
                weight = s_load[top]
                if s_big[top] > 0:
                    off = weight
                elif weight < low:
                    off = low - weight
                else:
                    off = max(weight - high, 0.0)
                if off <= slack:
                    if found == most:
                        return masks[:0], costs[:0], offs[:0]
                    if found == len(masks):
                        masks = np.append(masks, np.empty(found, np.uint64))
                        costs = np.append(costs, np.empty(found))
                        offs = np.append(offs, np.empty(found))
                    masks[found] = s_set[top]
                    costs[found] = s_cost[top] / 2
                    offs[found] = off
                    units += top + 1
                    found += 1
            if s_next[top] == np.uint64(0):
                top -= 1
                is_new = False
                continue
            bit = s_next[top] & (~s_next[top] + one)
            v = 0
            rest = bit
            while rest > one:
                rest >>= one
                v += 1
            s_next[top] &= ~bit
            is_new = False
            over = s_load[top] + load[v] > (slack if s_big[top] > 0 else high + slack)
            if fixed[v]:
                over = s_big[top] > 0 or s_load[top] > slack
            if over:
                # A sibling without this unit goes on; with it every larger set is too heavy.
                s_not[top] |= bit
                continue
            top += 1
            s_set[top] = s_set[top - 1] | bit
            # Later siblings leave this unit out, so that each set comes once.
            s_not[top] = s_not[top - 1]
            s_not[top - 1] |= bit
            s_next[top] = (s_next[top - 1] | around[v]) & ~s_set[top] & ~s_not[top]
            s_big[top] = load[v] if fixed[v] else s_big[top - 1]
            s_load[top] = s_load[top - 1] + (0.0 if fixed[v] else load[v])
            shared = 0.0
            for j in range(link_start[v], link_start[v + 1]):
                if s_set[top - 1] >> np.uint64(link_unit[j]) & one:
                    shared += link_cost[j]
            s_cost[top] = s_cost[top - 1] + all_cost[v] - 2 * shared
            is_new = True
    return masks[:found], costs[:found], offs[:found]


@njit(cache=True, nogil=True)
def guess_sets(around, load, fixed, low, high, slack):
    """Guess how many sets `list_sets` would find, without listing them.

    Random ways down the tree of choices, each weighted by the branches that it passed by (Knuth,
    "Estimating the efficiency of backtrack programs", Mathematics of Computation 29, 1975). The
    numbers are drawn from a seed of our own, so that the guess is the same on every machine.
    """
    n = len(load)
    one = np.uint64(1)
    state = np.empty(1, np.uint64)
    state[0] = np.uint64(7919)
    branch = np.empty(64, np.int64)
    total = 0.0
    for root in range(n):
        before = (one << np.uint64(root)) - one
        for _ in range(_WAYS):
            members = one << np.uint64(root)
            ruled_out = before
            reach = around[root] & ~before & ~members
            inner = 0.0 if fixed[root] else load[root]
            big = load[root] if fixed[root] else 0.0
            weight = 1.0
            while True:
                if big > 0:
                    off = inner
                elif inner < low:
                    off = low - inner
                else:
                    off = max(inner - high, 0.0)
                if off <= slack:
                    total += weight
                count = 0
                for v in range(n):
                    if reach >> np.uint64(v) & one:
                        over = inner + load[v] > (slack if big > 0 else high + slack)
                        if fixed[v]:
                            over = big > 0 or inner > slack
                        if over:
                            ruled_out |= one << np.uint64(v)
                        else:
                            branch[count] = v
                            count += 1
                if count == 0:
                    break
                taken = int(draw(state) * count)
                for k in range(taken):
                    ruled_out |= one << np.uint64(branch[k])
                v = branch[taken]
                members |= one << np.uint64(v)
                reach = (reach | around[v]) & ~members & ~ruled_out
                if fixed[v]:
                    big = load[v]
                else:
                    inner += load[v]
                weight *= count
    return total / _WAYS


@njit(cache=True, nogil=True)
def cheapest_for_each(masks, costs, count, most):
    """Rows of the cheapest sets that have each unit, `most` for each."""
    found = np.full((count, most), -1, np.int64)
    value = np.full((count, most), np.inf)
    one = np.uint64(1)
    worst = np.inf
    for row in range(len(masks)):
        if costs[row] >= worst:
            continue
        rest = masks[row]
        for unit in range(count):
            if rest == np.uint64(0):
                break
            if rest & one and costs[row] < value[unit, most - 1]:
                k = most - 1
                while k > 0 and value[unit, k - 1] > costs[row]:
                    value[unit, k] = value[unit, k - 1]
                    found[unit, k] = found[unit, k - 1]
                    k -= 1
                value[unit, k] = costs[row]
                found[unit, k] = row
            rest >>= one
        if row & 255 == 0:
            # Dearer than the dearest that any unit still has: most rows are.
            worst = value[:, most - 1].max()
    flat = found.ravel()
    return flat[flat >= 0]


def set_sums(masks: Masks, prices: Floats) -> Floats:
    """The sum of the prices of the units of each set."""
    padded = np.zeros(64)
    padded[: len(prices)] = prices
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    return np.asarray(sum_bytes(masks, padded.reshape(8, 8) @ bits.T), dtype=np.float64)


@njit(cache=True, nogil=True)
def sum_bytes(masks, table):
    """Add up a table of 8 by 256 sums, a byte of the mask at a time."""
    total = np.empty(len(masks))
    byte = np.uint64(255)
    for row in range(len(masks)):
        rest = masks[row]
        value = 0.0
        for k in range(8):
            value += table[k, rest & byte]
            rest >>= np.uint64(8)
        total[row] = value
    return total
