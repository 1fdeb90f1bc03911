"""What is at a point of one small cell, from the edges that touch the cell.

Labels are row numbers from 1, and 0 outside of all grids. An edge is five numbers: its ends and its
code, the label left of it XOR the label right of it. So crossing the edge turns the one label into
the other, and crossing several gives the same answer in any order. A cell knows the label of its
lower left corner; the label of a point follows from the edges that the way from the corner to the
point crosses.

"At a point" always means at the point moved by (+eps, +eps**2): just north of due east, which is
where the rule of `geo.locate` begins to look. Edges run upwards (level ones east), so "left of an
edge" has one meaning however the rings ran. Everything here is exact.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

from numba import njit

from geo._locate_exact import side


@njit(cache=True, nogil=True)
def label_at(px, py, cx, cy, label, items, start, count, edges, scratch):
    """Find the label at p, given `label`, the one at c.

    `items[start:start + count]` are the edges that touch the way from p level to x = cx and then
    along that line to c. Each is crossed by the one leg, the other, both or none.
    """
    for k in range(start, start + count):
        e = items[k]
        ax = edges[e, 0]
        ay = edges[e, 1]
        bx = edges[e, 2]
        by = edges[e, 3]
        on_level_leg = ay <= py and py < by
        on_upright_leg = (ax <= cx and cx < bx) or (bx <= cx and cx < ax)
        if not (on_level_leg or on_upright_leg):
            continue
        turn = side(ax, ay, bx, by, cx, py, scratch)
        crossed = False
        if on_level_leg:
            crossed = (side(ax, ay, bx, by, px, py, scratch) > 0) != (turn > 0)
        if on_upright_leg:
            # A point on a level edge counts as north of it, which is left.
            level = ay == by
            end = side(ax, ay, bx, by, cx, cy, scratch)
            turn_left = turn > 0 or (turn == 0 and level)
            end_left = end > 0 or (end == 0 and level)
            crossed ^= turn_left != end_left
        if crossed:
            label ^= int(edges[e, 4])
    return label


@njit(cache=True, nogil=True)
def is_on_edge(px, py, edges, e, scratch):
    """Tell whether p is on edge `e`, ends included."""
    ax = edges[e, 0]
    ay = edges[e, 1]
    bx = edges[e, 2]
    by = edges[e, 3]
    if py < ay or py > by or (px < ax and px < bx) or (px > ax and px > bx):
        return False
    return side(ax, ay, bx, by, px, py, scratch) == 0


@njit(cache=True, nogil=True)
def _quarter(px, py, fx, fy):
    """Return where the ray from p to f points: 0 up, 1 west, 2 down, 3 due east (a full turn)."""
    if fy > py:
        return 0
    if fy < py:
        return 2
    return 1 if fx < px else 3


@njit(cache=True, nogil=True)
def compare_rays(px, py, fx, fy, gx, gy, scratch):
    """Return -1 where the ray to f comes before the one to g, turning left from east, 0 if equal.

    Due east itself counts as the end of the turn, since looking starts just after it.
    """
    qf = _quarter(px, py, fx, fy)
    qg = _quarter(px, py, gx, gy)
    if qf != qg:
        return -1 if qf < qg else 1
    if qf == 1 or qf == 3:
        return 0
    return -side(px, py, fx, fy, gx, gy, scratch)


@njit(cache=True, nogil=True)
def next_ray(px, py, has_last, lx, ly, items, start, count, edges, left, right, scratch):
    """Find the first ray of edges from p that comes after the ray to l, turning left from east.

    Returns
    -------
    tuple
        found, a point on the ray, the label on the right of it and on the left of it (looking
        out from p) as the edges claim them, and whether two edges claim the same side.
    """
    found = False
    clash = False
    nx = 0.0
    ny = 0.0
    on_right = 0
    on_left = 0
    for k in range(start, start + count):
        e = items[k]
        if not is_on_edge(px, py, edges, e, scratch):
            continue
        for end in range(2):
            fx = edges[e, 2 * end]
            fy = edges[e, 2 * end + 1]
            if fx == px and fy == py:
                continue
            if has_last and compare_rays(px, py, fx, fy, lx, ly, scratch) <= 0:
                continue
            order = -1
            if found:
                order = compare_rays(px, py, fx, fy, nx, ny, scratch)
                if order > 0:
                    continue
            # Towards its upper end an edge has its own left on the left.
            e_right = right[e] if end == 1 else left[e]
            e_left = left[e] if end == 1 else right[e]
            if order < 0:
                found = True
                clash = False
                nx = fx
                ny = fy
                on_right = e_right
                on_left = e_left
            else:
                clash |= (on_right != 0 and e_right != 0) or (on_left != 0 and e_left != 0)
                on_right ^= e_right
                on_left ^= e_left
    return found, nx, ny, on_right, on_left, clash


@njit(cache=True, nogil=True)
def first_met(px, py, items, start, count, edges, left, right, scratch):
    """Find the label that one meets first where due east of p is outside; 0 off all edges."""
    has_last = False
    lx = 0.0
    ly = 0.0
    while True:
        found, lx, ly, on_right, on_left, _ = next_ray(
            px, py, has_last, lx, ly, items, start, count, edges, left, right, scratch
        )
        if not found:
            return 0
        if on_right ^ on_left != 0:
            return on_right ^ on_left
        has_last = True


@njit(cache=True, nogil=True)
def turn_around(px, py, label, items, start, count, edges, left, right, scratch):
    """Compare what the edges at p claim about the sectors around it with what is really there.

    Returns
    -------
    tuple
        0, 0, False when they agree: each sector is in one grid at most. Otherwise the two labels
        that do not agree, and True.
    """
    now = label
    has_last = False
    lx = 0.0
    ly = 0.0
    while True:
        found, lx, ly, on_right, on_left, clash = next_ray(
            px, py, has_last, lx, ly, items, start, count, edges, left, right, scratch
        )
        if not found:
            return now, label, now != label
        if clash or on_right != now:
            return now, on_right, True
        now = on_left
        has_last = True


@njit(cache=True, nogil=True)
def cross(edges, e, f, scratch):
    """Tell whether two edges cross at a point inside both."""
    ax = edges[e, 0]
    ay = edges[e, 1]
    bx = edges[e, 2]
    by = edges[e, 3]
    cx = edges[f, 0]
    cy = edges[f, 1]
    dx = edges[f, 2]
    dy = edges[f, 3]
    if ay > dy or cy > by or max(ax, bx) < min(cx, dx) or max(cx, dx) < min(ax, bx):
        return False
    if (ax == cx and ay == cy) or (bx == dx and by == dy):
        return False
    if (ax == dx and ay == dy) or (bx == cx and by == cy):
        return False
    if side(ax, ay, bx, by, cx, cy, scratch) * side(ax, ay, bx, by, dx, dy, scratch) >= 0:
        return False
    return side(cx, cy, dx, dy, ax, ay, scratch) * side(cx, cy, dx, dy, bx, by, scratch) < 0


@njit(cache=True, nogil=True)
def touched_cells(ua, va, ub, vb, nx, ny, slack, out):
    """List the cells of a lattice of unit squares that an edge touches; return how many.

    Coordinates are in cells. An edge that passes within `slack` of a cell counts as touching it,
    so that rounding here can only make the list longer. `out` takes row * nx + column.
    """
    if va > vb:
        ua, va, ub, vb = ub, vb, ua, va
    if vb < -slack:
        return 0
    first = int(va - slack) if va > slack else 0
    last = min(int(vb + slack), ny - 1)
    du = ub - ua
    dv = vb - va
    u_low = min(ua, ub)
    u_high = max(ua, ub)
    n = 0
    for row in range(first, last + 1):
        lo = u_low
        hi = u_high
        # An edge that leaves the row is cut to it; nearly level ones need no cut.
        if dv > slack:
            t0 = min(max((row - slack - va) / dv, 0.0), 1.0)
            t1 = min(max((row + 1 + slack - va) / dv, 0.0), 1.0)
            u0 = ua + t0 * du
            u1 = ua + t1 * du
            lo = max(min(u0, u1), u_low)
            hi = min(max(u0, u1), u_high)
        lo -= slack
        hi += slack
        if hi < 0.0 or lo >= nx:
            continue
        left = int(lo) if lo > 0.0 else 0
        right = min(int(hi), nx - 1)
        for column in range(left, right + 1):
            out[n] = row * nx + column
            n += 1
    return n
