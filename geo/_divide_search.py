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

BAD = 100.0
"""What a grid out of the band costs, in households, beside those that it is out by."""


@njit(cache=True, nogil=True)
def draw(state):
    """The next number in [0, 1)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 1.1102230246251565e-16


@njit(cache=True, nogil=True)
def penalty(load, big, size, low, high):
    """What a grid costs for its balance: nothing in the band, or around a compound too large."""
    if size == 0:
        return 0.0
    if big > 0:
        off = load - big
    elif load < low:
        off = low - load
    elif load > high:
        off = load - high
    else:
        return 0.0
    return off + BAD if off > 0 else 0.0


@njit(cache=True, nogil=True)
def least_penalty(load, count, low, high):
    """The least that `count` grids of together `load` can cost."""
    if count == 0:
        return load + BAD if load > 0 else 0.0
    off = max(0.0, count * low - load, load - count * high)
    return off + BAD if off > 0 else 0.0


@njit(cache=True, nogil=True)
def stays_whole(u, label, size, indptr, nbr, mark, stamp, stack):
    """Whether the grid of `u` stays in one piece without it."""
    home = label[u]
    first = -1
    count = 0
    for j in range(indptr[u], indptr[u + 1]):
        if label[nbr[j]] == home:
            count += 1
            first = nbr[j]
    if count == 0:
        return size[home] == 1
    if count == 1:
        return True
    mark[u] = stamp
    mark[first] = stamp
    stack[0] = first
    top = 1
    while top > 0:
        top -= 1
        v = stack[top]
        for j in range(indptr[v], indptr[v + 1]):
            w = nbr[j]
            if label[w] == home and mark[w] != stamp:
                mark[w] = stamp
                stack[top] = w
                top += 1
    for j in range(indptr[u], indptr[u + 1]):
        if label[nbr[j]] == home and mark[nbr[j]] != stamp:
            return False
    return True


@njit(cache=True, nogil=True)
def grow_tree(members, count, inside, indptr, nbr, cost, state, order, parent, key):
    """Draw a spanning tree through units that hang together; parents come before children.

    Prim's way with random keys. A costly border gets a small key and so lies inside the tree;
    what the tree leaves to be cut are cheap ones, such as main streets.
    """
    for k in range(count):
        u = members[k]
        key[u] = np.inf
        parent[u] = -1
    root = members[int(draw(state) * count)]
    key[root] = 0.0
    for taken in range(count):
        best = -1
        least = np.inf
        for k in range(taken, count):
            u = members[k]
            if key[u] < least:
                least = key[u]
                best = k
        u = members[best]
        members[best] = members[taken]
        members[taken] = u
        order[taken] = u
        key[u] = -1.0
        for j in range(indptr[u], indptr[u + 1]):
            v = nbr[j]
            if inside[v] and key[v] >= 0.0:
                r = draw(state) / (0.25 + max(cost[j], 0.0))
                if r < key[v]:
                    key[v] = r
                    parent[v] = u
    return root


@njit(cache=True, nogil=True)
def cut_tree(order, count, parent, hh, parts, low, high, state, part, below, under):
    """Cut a spanning tree into `parts` pieces near the band; the piece of each unit in `part`.

    One piece at a time: of all edges of what is left of the tree, and of the two sides of each,
    the one that costs least together with what must become of the rest; of equals any.
    """
    rest = 0.0
    for k in range(count):
        part[order[k]] = -1
        below[order[k]] = hh[order[k]]
        rest += hh[order[k]]
    for k in range(count - 1, 0, -1):
        below[parent[order[k]]] += below[order[k]]
    root = order[0]
    for number in range(parts - 1):
        left = parts - number - 1
        least = np.inf
        chosen = -1
        is_upper = False
        ties = 0
        for k in range(1, count):
            v = order[k]
            if part[v] != -1 or v == root:
                continue
            s = below[v]
            for side in range(2):
                piece = s if side == 0 else rest - s
                p = penalty(piece, 0.0, 1, low, high)
                p += least_penalty(rest - piece, left, low, high)
                if p < least:
                    least = p
                    ties = 0
                if p == least:
                    ties += 1
                    if draw(state) * ties < 1.0:
                        chosen = v
                        is_upper = side == 1
        if chosen < 0:
            break
        for k in range(count):
            v = order[k]
            under[v] = v == chosen or (k > 0 and under[parent[v]])
            if part[v] == -1 and under[v] != is_upper:
                part[v] = number
        if is_upper:
            # What hangs above the cut is the piece, and the search goes on below it.
            root = chosen
            rest = below[chosen]
        else:
            w = chosen
            while w != root:
                w = parent[w]
                below[w] -= below[chosen]
            rest -= below[chosen]
    for k in range(count):
        if part[order[k]] == -1:
            part[order[k]] = parts - 1


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
    delta_moved = _name_parts(
        hh, label, old, order, count, part, parts, union, grids, free, name, move_cost
    )
    return delta_balance, delta_border, delta_moved, count


@njit(cache=True, nogil=True)
def _name_parts(
    hh, label, old, order, count, part, parts, union, grids, free, name, move_cost
):  # fmt: skip
    """Give each piece the label that keeps most households where they were."""
    choices = grids
    candidate = np.empty(4, np.int64)
    for k in range(grids):
        candidate[k] = union[k]
    if parts > grids:
        candidate[choices] = free
        choices += 1
    common = np.zeros((parts, choices))
    for k in range(count):
        u = order[k]
        was = old[u] if move_cost > 0.0 else label[u]
        for c in range(choices):
            if was == candidate[c]:
                common[part[u], c] += hh[u] + 1e-3
    for p in range(parts):
        name[p] = -1
    for _ in range(parts):
        most = -1.0
        at_p = 0
        at_c = 0
        for p in range(parts):
            for c in range(choices):
                if name[p] < 0 and candidate[c] >= 0 and common[p, c] > most:
                    most = common[p, c]
                    at_p = p
                    at_c = c
        name[at_p] = candidate[at_c]
        candidate[at_c] = -1
    moved = 0.0
    if move_cost > 0.0:
        for k in range(count):
            u = order[k]
            if old[u] >= 0:
                moved += hh[u] * (
                    np.float64(name[part[u]] != old[u]) - np.float64(label[u] != old[u])
                )
    return moved
