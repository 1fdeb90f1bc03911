"""Divide blocks into connected regions, exactly as many as asked, along wide streets and water.

A region of blocks is halved again and again. Each cut runs across in one of several directions
where the border costs least (`CUT_COST` a metre: a river is nearly free, a path dear) while both
sides keep a share of the weight in proportion to the parts they still have to make. What a cut
leaves stranded goes to the other side, so every part is connected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_tree, connected_components

from geo.errors import CoverError
from geo.synth.blocks import CUT_COST, Ground

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEAST_BORDER_M = 12.0
"""Blocks with a shorter common border do not count as neighbours."""

DIRECTIONS = 8


@dataclass(frozen=True)
class Links:
    """Neighbouring pairs of blocks and what it costs to part them."""

    a: Ints
    b: Ints
    cost: Reals


def link_blocks(ground: Ground, *, over_river: bool = True) -> Links:
    """Neighbours across each edge of the network, a pair once for each edge."""
    ok = (ground.left >= 0) & (ground.right >= 0) & (ground.length >= LEAST_BORDER_M)
    if not over_river:
        ok &= ground.edge_class != "river"
    price = np.array([CUT_COST[str(kind)] for kind in ground.edge_class])
    return Links(ground.left[ok], ground.right[ok], (price * ground.length)[ok])


@dataclass
class _Piece:
    nodes: Ints
    parts: int
    a: Ints
    b: Ints
    cost: Reals


def divide(
    nodes: Ints,
    parts: int,
    links: Links,
    *,
    place: Reals,
    weight: Reals,
    homes: Bools,
    least_homes: int = 1,
) -> Ints:
    """Label each of `nodes` with a part from 0 on, in `parts` connected parts of like weight.

    Parameters
    ----------
    nodes
        Numbers of the blocks to divide; connected by `links`.
    parts
        How many parts to make.
    links
        Neighbours among all blocks.
    place, weight, homes
        Of all blocks: a point in metres, how much it counts, whether people can live there.
    least_homes
        Every part gets at least so many blocks with homes, where the shape allows; one always.

    Raises
    ------
    CoverError
        If there are fewer blocks with homes than parts, or the blocks are not connected.
    """
    if homes[nodes].sum() < parts:
        raise CoverError(f"{homes[nodes].sum()} blocks with homes cannot make {parts} parts")
    inside = np.zeros(len(weight), dtype=bool)
    inside[nodes] = True
    ok = inside[links.a] & inside[links.b]
    stack = [_Piece(nodes, parts, links.a[ok], links.b[ok], links.cost[ok])]
    label = np.full(len(weight), -1, dtype=np.int64)
    made = 0
    while stack:
        piece = stack.pop()
        if piece.parts == 1:
            label[piece.nodes] = made
            made += 1
            continue
        side, first = _halve(piece, place, weight, homes, least_homes)
        stack.extend(_split(piece, side, first, len(weight)))
    return label[nodes]


def _split(piece: _Piece, side: Bools, first: int, total: int) -> list[_Piece]:
    on_first = np.zeros(total, dtype=bool)
    on_first[piece.nodes[side]] = True
    a, b = on_first[piece.a], on_first[piece.b]
    return [
        _Piece(piece.nodes[mask], k, piece.a[ok], piece.b[ok], piece.cost[ok])
        for mask, k, ok in (
            (~side, piece.parts - first, ~a & ~b),
            (side, first, a & b),
        )
    ]


def _halve(
    piece: _Piece, place: Reals, weight: Reals, homes: Bools, least: int
) -> tuple[Bools, int]:
    """The first side of a cut and how many parts it is to make."""
    n, k = len(piece.nodes), piece.parts
    local = np.zeros(piece.nodes.max() + 1, dtype=np.int64)
    local[piece.nodes] = np.arange(n)
    a, b = local[piece.a], local[piece.b]
    w, h = weight[piece.nodes], homes[piece.nodes].astype(np.int64)
    offers = _offers(place[piece.nodes], w, h, a, b, piece.cost, k, least)
    for order, upto in offers:
        side = np.zeros(n, dtype=bool)
        side[order[:upto]] = True
        side = _join_strays(side, a, b, w)
        first = _parts_of(
            float(w[side].sum() / w.sum()), int(h[side].sum()), int(h.sum()), k, least
        )
        if first:
            return side, first
    return _cut_tree(n, k, a, b, w, h)


def _parts_of(share: float, homes: int, all_homes: int, k: int, least: int) -> int:
    """How many parts a side makes; 0 if the homes do not suffice."""
    low = max(1, k - (all_homes - homes) // least)
    high = min(k - 1, homes // least)
    if low > high:
        return 0
    first = int(np.clip(round(k * share), low, high))
    return first if abs(first - k * share) <= max(0.75, 0.2 * k) else 0


def _offers(
    place: Reals, w: Reals, h: Ints, a: Ints, b: Ints, cost: Reals, k: int, least: int
) -> list[tuple[Ints, int]]:
    """Straight cuts, best first: the cheapest of each direction."""
    n, found = len(w), []
    size = float(np.sqrt(np.prod(np.ptp(place, axis=0) + 30.0)))
    for heading in np.arange(DIRECTIONS) * np.pi / DIRECTIONS + 0.1:
        along = place @ np.array([np.cos(heading), np.sin(heading)])
        order = np.argsort(along, kind="stable")
        rank = np.empty(n, dtype=np.int64)
        rank[order] = np.arange(n)
        low, high = np.minimum(rank[a], rank[b]), np.maximum(rank[a], rank[b])
        step = np.bincount(low, cost, n) - np.bincount(high, cost, n)
        border = np.cumsum(step)[:-1]
        share = np.cumsum(w[order])[:-1] / w.sum()
        homes = np.cumsum(h[order])[:-1]
        first = np.clip(np.rint(k * share), 1, k - 1)
        fits = (homes >= least * first) & (h.sum() - homes >= least * (k - first))
        # How far the parts of the two sides would differ in weight, and how uneven the halves are.
        slack = np.abs(k * share - first) / np.minimum(first, k - first)
        lopsided = np.abs(first / k - 0.5)
        score = border / size + 2.2 * slack + 1.5 * lopsided + 1e6 * ~fits
        best = int(np.argmin(score))
        if fits[best]:
            found.append((float(score[best]), order, best + 1))
    found.sort(key=lambda offer: offer[0])
    return [(order, upto) for _, order, upto in found]


def _join_strays(side: Bools, a: Ints, b: Ints, w: Reals) -> Bools:
    """Give what is cut off from the main body of either side to the other."""
    out = side.copy()
    for mine in (True, False):
        same = (out[a] == mine) & (out[b] == mine)
        part = _components(len(out), a[same], b[same])
        heavy = np.bincount(part, w * (out == mine) + 1e-9 * (out == mine))
        out[(out == mine) & (part != int(np.argmax(heavy)))] = not mine
    return out


def _components(n: int, a: Ints, b: Ints) -> Ints:
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _cut_tree(n: int, k: int, a: Ints, b: Ints, w: Reals, h: Ints) -> tuple[Bools, int]:
    """Cut one edge of a spanning tree: always possible, used where straight cuts fail."""
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)).tocsr()
    tree = breadth_first_tree(graph, 0, directed=False).tocoo()
    if len(tree.row) != n - 1:
        raise CoverError("the blocks to divide are not connected")
    parent = np.full(n, -1)
    parent[tree.col] = tree.row
    depth = np.zeros(n, dtype=np.int64)
    order = [0]
    children: list[list[int]] = [[] for _ in range(n)]
    for child, above in enumerate(parent):
        if above >= 0:
            children[above].append(child)
    for node in order:
        depth[children[node]] = depth[node] + 1
        order.extend(children[node])
    weight, homes = w.astype(float).copy(), h.copy()
    for node in reversed(order[1:]):
        weight[parent[node]] += weight[node]
        homes[parent[node]] += homes[node]
    share = weight / weight[0]
    low, high = np.maximum(1, k - (homes[0] - homes)), np.minimum(k - 1, homes)
    first = np.clip(np.rint(k * share), low, high)
    score = np.where(low <= high, np.abs(k * share - first), np.inf)
    score[0] = np.inf
    top = int(np.argmin(score))
    if not np.isfinite(score[top]):
        raise CoverError("the blocks cannot be divided so that each part has homes")
    side = np.zeros(n, dtype=bool)
    stack = [top]
    while stack:
        node = stack.pop()
        side[node] = True
        stack.extend(children[node])
    return side, int(first[top])


def share_out(
    total: int, weight: npt.NDArray[Any], *, least: Ints | int = 0, most: Ints | None = None
) -> Ints:
    """Split a whole number in proportion to weights, exactly (largest remainder).

    Raises
    ------
    ValueError
        If the bounds leave no answer.
    """
    n = len(weight)
    low = np.broadcast_to(np.asarray(least, dtype=np.int64), n).copy()
    high = np.full(n, total, dtype=np.int64) if most is None else np.asarray(most, dtype=np.int64)
    if low.sum() > total or np.minimum(high, total).sum() < total or (low > high).any():
        raise ValueError(f"{total} cannot be shared out between {low.sum()} and {high.sum()}")
    # The factor on the weights at which the clipped shares add up to the total.
    bottom, top = 0.0, 1.0
    mass = np.maximum(np.asarray(weight, dtype=float), 1e-12)
    while np.clip(mass * top, low, high).sum() < total:
        top *= 2
    for _ in range(80):
        middle = (bottom + top) / 2
        if np.clip(mass * middle, low, high).sum() < total:
            bottom = middle
        else:
            top = middle
    exact = np.clip(mass * top, low, high)
    out: Ints = np.floor(exact + 1e-9).astype(np.int64)
    rest = int(total - out.sum())
    order = np.argsort(-(exact - out) + 1e6 * (out >= high), kind="stable")
    out[order[:rest]] += 1
    return out
