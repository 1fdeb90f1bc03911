"""Divisions of small communities solved to the end, with a proof.

Every grid that a piece of up to 64 units may have is listed: all connected sets of units whose load
is in the band, or out of it by no more than asked. The best division is the cheapest choice of sets
that has each unit once, a set-partitioning problem. Its linear relaxation is solved by column
generation; sets whose reduced cost is above the gap to a known plan cannot be in a better one and
are left out (Barnhart et al., "Branch-and-price", Operations Research 46, 1998); HiGHS decides
among the rest. If even all sets together have no choice, no plan exists: that is the proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csc_array, hstack

from geo._divide_sets import Floats, Masks, cheapest_for_each, set_sums

_NODES = 3_000
"""Branches that HiGHS may try; a count and not a time, so that every machine answers alike."""

_MOST_LEFT = 4_000
"""More sets than this within the gap, and no proof is tried."""

_TO_ADD = 1000
_FIRST = 400
_EACH = 25
_NEAR = 1e-6
_TINY = 1e-9


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
    reduced, bound, is_feasible = _relax(masks, costs, count)
    if not is_feasible:
        return none
    ceiling = np.inf if known is None else known
    edge = _NEAR * max(1.0, abs(bound))
    near = np.flatnonzero(reduced <= ceiling - bound + edge)
    best: Masks | None = None
    value, most = np.inf, _FIRST
    while True:
        # The few hundred likeliest sets nearly always hold a better plan, which leaves fewer.
        tried = near if len(near) <= most else _smallest(reduced, most)
        chosen, cost, is_done = _choose(masks[tried], costs[tried], count, gap)
        if chosen is not None and cost < value:
            best, value = chosen, cost
            near = np.flatnonzero(reduced <= min(ceiling, value) - bound + edge)
        if len(near) <= len(tried):
            break
        most *= 2
        if len(near) > _MOST_LEFT:
            return Solved(False, best, min(ceiling, value), bound)
    if best is None:
        return Solved(is_done and known is None, None, ceiling, bound)
    return Solved(is_done, best, value, value if is_done else bound)


def bound_sets(masks: Masks, costs: Floats, count: int) -> float:
    """No choice of sets that has each of `count` units once costs less; inf if there is none."""
    if not len(masks):
        return np.inf
    # A little for each set, taken off again, keeps prices of many equal sets from going in circles.
    _, bound, is_feasible = _relax(masks, costs + _TINY, count)
    return bound - count * _TINY if is_feasible else np.inf


def _relax(masks: Masks, costs: Floats, count: int) -> tuple[Floats, float, bool]:
    """Reduced costs of the sets in the linear relaxation, its value, whether it has a solution.

    A unit may also be left out at a price above that of any plan; where that still happens at the
    end, there is no plan.
    """
    missing = 4 * float(costs.max()) * count + 1.0
    active = np.unique(cheapest_for_each(masks, costs, count, _EACH))
    while True:
        columns = _columns(masks[active], count)
        value = np.concatenate([costs[active], np.full(count, missing)])
        nothing = csc_array((np.ones(count), np.arange(count), np.arange(count + 1)))
        matrix = hstack([columns, nothing], format="csc")
        answer = linprog(value, A_eq=matrix, b_eq=np.ones(count), bounds=(0, None), method="highs")
        prices = np.asarray(answer.eqlin.marginals, dtype=np.float64)
        reduced = costs - set_sums(masks, prices)
        if not (reduced < -_NEAR).any():
            left_out = float(answer.x[len(active) :].sum())
            return reduced, float(answer.fun), left_out < 1e-7
        best = _smallest(reduced, _TO_ADD)
        active = np.union1d(active, best[reduced[best] < -_NEAR])


def _smallest(values: Floats, most: int) -> NDArray[np.intp]:
    """Rows of the smallest values; of equal ones at the end the first, whatever the machine."""
    if len(values) <= most:
        return np.arange(len(values))
    edge = np.partition(values, most - 1)[most - 1]
    below = np.flatnonzero(values < edge)
    return np.concatenate([below, np.flatnonzero(values == edge)[: most - len(below)]])


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
