"""The steps of the search, compiled: random numbers, costs of a grid, spanning trees, their cuts.

Numbers are drawn by splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from geo._divide_model import BAD


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
def name_parts(
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
