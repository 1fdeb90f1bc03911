"""Which grid of a plan lives on as which grid of the present, after each edit.

The rule is that of `geo.publish.match_grids`, so that what the panel says is what publishing does:
one to one, with the largest sum of shared households (Kuhn 1955), then of shared ground, then the
same ids; a test holds the two against each other. Here it is asked after every edit of 3,311 grids,
so what is in one grid before and after alone is matched without a search.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo._plan_rings import Ints
from geo.plan import Plan


def match_rows(first: Plan, plan: Plan) -> Ints:
    """Row of the grid of `first` for each row of `plan.grids`; -1 where it is new or no more."""
    was, now = labels_before(first, plan), plan.label
    pair, at = np.unique(was * np.int64(len(plan.grids)) + now, return_inverse=True)
    one, two = pair // len(plan.grids), pair % len(plan.grids)
    found = np.full(len(plan.grids), -1, dtype=np.int64)
    is_alone = (np.bincount(one)[one] == 1) & (np.bincount(two)[two] == 1)
    found[two[is_alone]] = one[is_alone]
    rest = np.flatnonzero(~is_alone)
    if not len(rest):
        return found
    households = np.bincount(at, plan.blocks.households, minlength=len(pair))
    area = np.bincount(at, plan.ground.measures[0], minlength=len(pair))
    size = len(first.grids) + len(plan.grids)
    links = coo_array((np.ones(len(rest)), (one[rest], two[rest] + len(first.grids))), (size, size))
    _, part = connected_components(links, directed=False)
    order = rest[np.argsort(part[one[rest]], kind="stable")]
    cuts = np.flatnonzero(np.diff(part[one[order]])) + 1
    for rows in np.split(order, cuts):
        left = sorted(set(two[rows].tolist()), key=lambda k: plan.grids[k].grid_id)
        right = sorted(set(one[rows].tolist()), key=lambda k: first.grids[k].grid_id)
        weight = np.zeros((len(left), len(right)))
        ground = area[rows] / (2 * max(float(area[rows].sum()), 1.0))
        for k, more in zip(rows.tolist(), ground.tolist(), strict=True):
            same = plan.grids[two[k]].grid_id == first.grids[one[k]].grid_id
            weight[left.index(two[k]), right.index(one[k])] = (
                households[k] + more + same * 1e-7 / len(rows)
            )
        for i, j in zip(*linear_sum_assignment(weight, maximize=True), strict=True):
            if weight[i, j] > 0:
                found[left[i]] = right[j]
    return found


def labels_before(first: Plan, plan: Plan) -> Ints:
    """Row of the grid of `first` in which each block of `plan` lay."""
    if len(plan.blocks) == len(first.blocks):
        return first.label
    return np.asarray(first.label[plan.blocks.origin])
