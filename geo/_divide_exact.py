"""Divisions of small communities solved to the end, with a proof.

Every grid that a piece of up to 64 units may have is listed: all connected sets of units whose load
is in the band, or out of it by no more than asked. The best division is the cheapest choice of sets
that has each unit once, a set-partitioning problem. Its linear relaxation is solved by column
generation; sets whose reduced cost is above the gap to a known plan cannot be in a better one and
are left out (Barnhart et al., "Branch-and-price", Operations Research 46, 1998); HiGHS decides
among the rest. If even all sets together have no choice, no plan exists: that is the proof.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csc_array

MOST_UNITS = 64
MOST_SETS = 1_500_000
"""More connected sets than this are not listed: the piece stays without a proof."""

_NODES = 3_000
"""Branches that HiGHS may try; a count and not a time, so that every machine answers alike."""

_MOST_LEFT = 4_000
"""More sets than this within the gap, and no proof is tried."""

_TO_ADD = 400
_FIRST = 500
_NEAR = 1e-6

Masks = NDArray[np.uint64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solved:
    """What was found out about one piece."""

    is_proven: bool
    """The answer holds for every plan there can be."""
    masks: Masks | None
    """The grids of the best plan, a bit a unit; None if there is no plan."""
    value: float
    bound: float
    """No plan costs less."""


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
                if tried > 40 * most:
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


def solve_sets(
    masks: Masks, costs: Floats, count: int, known: float | None, *, gap: float = 0.0
) -> Solved:
    """Choose sets that have each of `count` units once, as cheaply as can be.

    `known` is the value of a plan that there is already, empty if there is none. A plan counts as
    best when none is cheaper by more than `gap`.
    """
    none = Solved(True, None, np.inf, np.inf)
    if not len(masks):
        return none
    prices, bound, is_feasible = _relax(masks, costs, count)
    if not is_feasible:
        return none
    reduced = costs - set_sums(masks, prices)
    ceiling = np.inf if known is None else known
    # The few hundred likeliest sets nearly always hold a better plan, which leaves fewer to try.
    first = np.argsort(reduced, kind="stable")[:_FIRST]
    likely, value, is_done = _choose(masks[first], costs[first], count, gap)
    ceiling = min(ceiling, value)
    keep = reduced <= ceiling - bound + _NEAR * max(1.0, abs(bound))
    keep_others = keep.copy()
    keep_others[first] = False
    if likely is not None and is_done and not keep_others.any():
        return Solved(True, likely, value, value)
    if keep.sum() > _MOST_LEFT:
        return Solved(False, likely, value, bound)
    chosen, value, is_done = _choose(masks[keep], costs[keep], count, gap)
    if chosen is None:
        return Solved(is_done and known is None, likely, ceiling, bound)
    return Solved(is_done, chosen, value, value if is_done else bound)


def _relax(masks: Masks, costs: Floats, count: int) -> tuple[Floats, float, bool]:
    """Prices of the units in the linear relaxation, its value, and whether it has a solution.

    A unit may also be left out at a price above that of any plan; where that still happens at the
    end, there is no plan.
    """
    missing = 4 * float(costs.max()) * count + 1.0
    active = np.unique(np.concatenate([_cheapest_for_each(masks, costs, count)]))
    while True:
        columns = _columns(masks[active], count)
        value = np.concatenate([costs[active], np.full(count, missing)])
        matrix = csc_array(
            (
                np.concatenate([columns.data, np.ones(count)]),
                (
                    np.concatenate([columns.indices, np.arange(count)]),
                    np.concatenate(
                        [
                            np.repeat(np.arange(len(active)), np.diff(columns.indptr)),
                            len(active) + np.arange(count),
                        ]
                    ),
                ),
            ),
            shape=(count, len(active) + count),
        )
        answer = linprog(value, A_eq=matrix, b_eq=np.ones(count), bounds=(0, None), method="highs")
        prices = np.asarray(answer.eqlin.marginals, dtype=np.float64)
        reduced = costs - set_sums(masks, prices)
        worst = np.flatnonzero(reduced < -_NEAR)
        if not len(worst):
            left_out = float(answer.x[len(active) :].sum())
            return prices, float(answer.fun), left_out < 1e-7
        best = worst[np.argsort(reduced[worst], kind="stable")[:_TO_ADD]]
        active = np.union1d(active, best)


def _cheapest_for_each(masks: Masks, costs: Floats, count: int) -> NDArray[np.intp]:
    rows = []
    order = np.argsort(costs, kind="stable")
    for unit in range(count):
        has = (masks[order] >> np.uint64(unit)) & np.uint64(1)
        rows.append(order[np.flatnonzero(has)[:10]])
    return np.concatenate(rows)


def _choose(
    masks: Masks, costs: Floats, count: int, gap: float
) -> tuple[Masks | None, float, bool]:
    # Costs near 1 keep the solver's tolerances where they belong.
    scale = max(1.0, float(np.abs(costs).max()))
    answer = milp(
        costs / scale,
        constraints=LinearConstraint(_columns(masks, count), 1.0, 1.0),
        integrality=np.ones(len(masks)),
        bounds=Bounds(0, 1),
        options={"node_limit": _NODES, "mip_rel_gap": gap / (scale * count)},
    )
    if answer.status == 2:
        return None, np.inf, True
    if answer.x is None:
        return None, np.inf, False
    taken = answer.x > 0.5
    return masks[taken], float(costs[taken].sum()), answer.status == 0


def _columns(masks: Masks, count: int) -> csc_array:
    bits = (masks[:, None] >> np.arange(count, dtype=np.uint64)) & np.uint64(1)
    column, unit = np.nonzero(bits)
    start = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=len(masks)))])
    return csc_array((np.ones(len(unit)), unit, start), shape=(count, len(masks)))


def set_sums(masks: Masks, prices: Floats) -> Floats:
    """The sum of the prices of the units of each set, a byte of the mask at a time."""
    total = np.zeros(len(masks))
    padded = np.zeros(64)
    padded[: len(prices)] = prices
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    for byte in range(8):
        table = bits @ padded[8 * byte : 8 * byte + 8]
        total += table[((masks >> np.uint64(8 * byte)) & np.uint64(255)).astype(np.intp)]
    return total
