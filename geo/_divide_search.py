"""The search for a division of one piece of a community: compiled, and the same on every machine.

A state is a label for each unit. Two moves change it, and each leaves every grid in one piece:

    flip         a unit goes over to a neighbour's grid, if its own stays in one piece without it
    recombine    two or three neighbouring grids are taken together, a random spanning tree is drawn
                 through them, and the tree is cut into one grid fewer, as many, or one more

Recombination after DeFord, Duchin and Solomon, "Recombination: a family of Markov chains for
redistricting" (Harvard Data Science Review, 2021); acceptance by simulated annealing after
Kirkpatrick, Gelatt and Vecchi (Science 220, 1983). The energy of a state is

    100 for each bad grid + households out of the band + weighted border + households moved

Numbers are drawn by splitmix64 (Steele, Lea and Flood, 2014) from a seed of our own, never from the
clock or a shared generator, so that a community has one answer whatever else runs beside it.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from geo._divide_moves import (
    cut_tree,
    draw,
    grow_tree,
    least_penalty,
    name_parts,
    penalty,
    stays_whole,
)


@njit(cache=True, nogil=True)
def first_plan(hh, fixed, indptr, nbr, cost, low, high, seed, label):
    """Divide units without a label (-1) by cutting spanning trees; the number of labels used."""
    n = len(hh)
    state = np.empty(1, np.uint64)
    state[0] = seed
    inside = np.zeros(n, np.bool_)
    members = np.empty(n, np.int64)
    order = np.empty(n, np.int64)
    parent = np.empty(n, np.int64)
    part = np.empty(n, np.int64)
    key = np.empty(n)
    below = np.empty(n)
    under = np.empty(n, np.bool_)
    used = 0
    for u in range(n):
        if label[u] >= used:
            used = label[u] + 1
    for u in range(n):
        if fixed[u] and label[u] < 0:
            label[u] = used
            used += 1
    for start in range(n):
        if label[start] >= 0:
            continue
        inside[start] = True
        members[0] = start
        count = 1
        at = 0
        total = 0.0
        while at < count:
            u = members[at]
            total += hh[u]
            at += 1
            for j in range(indptr[u], indptr[u + 1]):
                v = nbr[j]
                if label[v] < 0 and not inside[v]:
                    inside[v] = True
                    members[count] = v
                    count += 1
        middle = (low + high) / 2
        parts = max(1, min(count, int(total / middle + 0.5)))
        least = least_penalty(total, parts, low, high)
        for other in (parts - 1, parts + 1):
            if 1 <= other <= count and least_penalty(total, other, low, high) < least:
                least = least_penalty(total, other, low, high)
                parts = other
        grow_tree(members, count, inside, indptr, nbr, cost, state, order, parent, key)
        cut_tree(order, count, parent, hh, parts, low, high, state, part, below, under)
        for k in range(count):
            u = order[k]
            inside[u] = False
            label[u] = used + part[u]
        used += parts
    return used


@njit(cache=True, nogil=True)
def measure(hh, fixed, indptr, nbr, cost, label, most, low, high, load, size, big):
    """Fill the totals of each grid; what they cost for balance, and the weighted border."""
    load[:] = 0.0
    size[:] = 0
    big[:] = 0.0
    for u in range(len(hh)):
        g = label[u]
        load[g] += hh[u]
        size[g] += 1
        if fixed[u]:
            big[g] = max(big[g], hh[u])
    balance = 0.0
    for g in range(most):
        balance += penalty(load[g], big[g], size[g], low, high)
    border = 0.0
    for u in range(len(hh)):
        for j in range(indptr[u], indptr[u + 1]):
            if label[nbr[j]] != label[u]:
                border += cost[j]
    return balance, border / 2


@njit(cache=True, nogil=True)
def anneal(
    hh, fixed, frozen, indptr, nbr, cost, label, most, low, high, old, move_cost,
    iterations, hot, cold, share, seed, stop, best,
):  # fmt: skip
    """Search from the plan in `label`; the best one found goes to `best`.

    Parameters
    ----------
    hh, fixed, frozen
        Load of each unit; units too large for the band, which stay where they are; units that
        nothing may change.
    indptr, nbr, cost
        Neighbours of each unit, and what it costs to cut between them.
    label
        The plan, changed in place; labels below `most`.
    old, move_cost
        The label before of each unit, -1 for none, and what a moved household costs.
    iterations, hot, cold, share
        Moves to try, temperatures at the start and the end, share of recombinations.
    seed, stop
        Where the numbers begin; `stop[0]` other than 0 ends the search at once.

    Returns
    -------
    tuple
        Balance, border and moved households of the best plan.
    """
    n = len(hh)
    state = np.empty(1, np.uint64)
    state[0] = seed
    load = np.zeros(most)
    size = np.zeros(most, np.int64)
    big = np.zeros(most)
    locked = np.zeros(most, np.bool_)
    balance, border = measure(hh, fixed, indptr, nbr, cost, label, most, low, high, load, size, big)
    moved = 0.0
    for u in range(n):
        if frozen[u]:
            locked[label[u]] = True
        if old[u] >= 0 and label[u] != old[u]:
            moved += hh[u]
    mark = np.zeros(n, np.int64)
    stack = np.empty(n + 1, np.int64)
    inside = np.zeros(n, np.bool_)
    members = np.empty(n, np.int64)
    order = np.empty(n, np.int64)
    parent = np.empty(n, np.int64)
    part = np.empty(n, np.int64)
    key = np.empty(n)
    below = np.empty(n)
    under = np.empty(n, np.bool_)
    name = np.empty(8, np.int64)
    union = np.empty(4, np.int64)
    stamp = 0
    best[:] = label
    best_balance, best_border, best_moved = balance, border, moved
    best_value = 100.0 * balance + border + move_cost * moved
    cooling = (cold / hot) ** (1.0 / max(iterations, 1))
    heat = hot
    for step in range(iterations):
        if step & 1023 == 0 and stop[0] != 0:
            break
        heat *= cooling
        u = int(draw(state) * n)
        degree = indptr[u + 1] - indptr[u]
        if degree == 0:
            continue
        v = nbr[indptr[u] + int(draw(state) * degree)]
        a = label[u]
        b = label[v]
        if a == b or locked[a] or locked[b]:
            continue
        if draw(state) >= share:
            if fixed[u]:
                continue
            change = 0.0
            for j in range(indptr[u], indptr[u + 1]):
                g = label[nbr[j]]
                if g == a:
                    change += cost[j]
                elif g == b:
                    change -= cost[j]
            off = (
                penalty(load[a] - hh[u], big[a], size[a] - 1, low, high)
                + penalty(load[b] + hh[u], big[b], size[b] + 1, low, high)
                - penalty(load[a], big[a], size[a], low, high)
                - penalty(load[b], big[b], size[b], low, high)
            )
            gone = 0.0
            if old[u] >= 0:
                gone = hh[u] * (np.float64(b != old[u]) - np.float64(a != old[u]))
            delta = off + change + move_cost * gone
            if delta > 0.0 and draw(state) >= np.exp(-delta / heat):
                continue
            stamp += 1
            if not stays_whole(u, label, size, indptr, nbr, mark, stamp, stack):
                continue
            label[u] = b
            load[a] -= hh[u]
            load[b] += hh[u]
            size[a] -= 1
            size[b] += 1
            balance += off
            border += change
            moved += gone
        else:
            if big[a] > 0 or big[b] > 0:
                continue
            union[0] = a
            union[1] = b
            grids = 2
            if draw(state) < 0.3:
                # A third grid beside them, where there is one.
                w = nbr[indptr[v] + int(draw(state) * (indptr[v + 1] - indptr[v]))]
                c = label[w]
                if c != a and c != b and big[c] == 0 and not locked[c]:
                    union[2] = c
                    grids = 3
            delta_balance, delta_border, delta_moved, count = _recombine(
                hh, indptr, nbr, cost, label, low, high, old, state, u, union, grids, load, size,
                inside, members, order, parent, part, key, below, under, name, move_cost,
            )  # fmt: skip
            if count == 0:
                continue
            delta = delta_balance + delta_border + move_cost * delta_moved
            if delta > 0.0 and draw(state) >= np.exp(-delta / heat):
                continue
            for k in range(grids):
                load[union[k]] = 0.0
                size[union[k]] = 0
            for k in range(count):
                w = order[k]
                g = name[part[w]]
                label[w] = g
                load[g] += hh[w]
                size[g] += 1
            balance += delta_balance
            border += delta_border
            moved += delta_moved
        value = 100.0 * balance + border + move_cost * moved
        if value < best_value - 1e-9:
            best_value = value
            best_balance, best_border, best_moved = balance, border, moved
            best[:] = label
    return best_balance, best_border, best_moved


@njit(cache=True, nogil=True)
def _recombine(
    hh, indptr, nbr, cost, label, low, high, old, state, start, union, grids, load, size, inside,
    members, order, parent, part, key, below, under, name, move_cost,
):  # fmt: skip
    """Propose other grids for the units of two or three; nothing is changed yet.

    Returns the change of balance, border and moved households, and the number of units;
    0 units if there is nothing to propose. `order` has the units, `part` their piece, `name` the
    label of each piece.
    """
    count = 1
    members[0] = start
    inside[start] = True
    at = 0
    total = hh[start]
    before = 0.0
    for k in range(grids):
        before += penalty(load[union[k]], 0.0, size[union[k]], low, high)
    while at < count:
        u = members[at]
        at += 1
        for j in range(indptr[u], indptr[u + 1]):
            v = nbr[j]
            if not inside[v]:
                g = label[v]
                if g == union[0] or g == union[1] or (grids == 3 and g == union[2]):
                    inside[v] = True
                    members[count] = v
                    total += hh[v]
                    count += 1
    parts = grids
    r = draw(state)
    if r < 0.2:
        parts = grids - 1
    elif r < 0.4:
        parts = grids + 1
    # A number of grids that cannot work is tried only where none can.
    if least_penalty(total, parts, low, high) > least_penalty(total, grids, low, high):
        parts = grids
    parts = max(1, min(parts, count))
    free = -1
    if parts > grids:
        for g in range(len(size)):
            if size[g] == 0:
                free = g
                break
        if free < 0:
            parts = grids
    grow_tree(members, count, inside, indptr, nbr, cost, state, order, parent, key)
    cut_tree(order, count, parent, hh, parts, low, high, state, part, below, under)
    delta_balance = -before
    for p in range(parts):
        s = 0.0
        for k in range(count):
            if part[order[k]] == p:
                s += hh[order[k]]
        delta_balance += penalty(s, 0.0, 1, low, high)
    delta_border = 0.0
    for k in range(count):
        u = order[k]
        for j in range(indptr[u], indptr[u + 1]):
            v = nbr[j]
            if inside[v]:
                delta_border += cost[j] * (
                    np.float64(part[v] != part[u]) - np.float64(label[v] != label[u])
                )
    delta_border /= 2
    for k in range(count):
        inside[order[k]] = False
    delta_moved = name_parts(
        hh, label, old, order, count, part, parts, union, grids, free, name, move_cost
    )
    return delta_balance, delta_border, delta_moved, count
