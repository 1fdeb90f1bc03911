"""One piece of a community divided: searched from fresh plans, or with least change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geo._divide_model import (
    BAD,
    BORDER_COST,
    COLD,
    HOT,
    HOTTEST,
    MOVE_COST,
    REPAIR_BORDER_COST,
    SHARE,
    SPARE,
    WARMER,
    Answer,
    Effort,
    Ints,
    Piece,
    Warm,
)
from geo._divide_parts import label_parts
from geo._divide_proof import least_off
from geo._divide_search import anneal, first_plan
from geo._divide_solve import count_bad, count_moved, solve, solve_moved


def divide_piece(piece: Piece, effort: Effort, stop: Ints) -> Answer:
    """Find the best plan of a piece; from the plan in force where there is one."""
    if ((piece.old >= 0) & ~piece.frozen).any():
        found = _repair(piece, effort, stop)
    else:
        found = _divide(piece, effort, stop)
    piece.board[:] = found.label
    return found


def _divide(piece: Piece, effort: Effort, stop: Ints) -> Answer:
    """Search, and solve to the end; what was solved needs no further runs."""
    found = _search(piece, effort, 0, 1, stop)
    if effort.solves and not stop[0]:
        found = solve(piece, found)
    if found.is_border_proven or (found.is_balance_proven and found.off > 0) or stop[0]:
        return found
    if effort.runs == 1:
        return found
    again = _search(piece, effort, 1, effort.runs, stop)
    if (again.balance, again.border) < (found.balance, found.border):
        return replace(
            found, label=again.label, off=again.off, bad=again.bad, border=again.border,
            is_balance_proven=again.off <= found.least_off,
        )  # fmt: skip
    return found


def _search(piece: Piece, effort: Effort, first: int, last: int, stop: Ints) -> Answer:
    """Anneal from fresh plans, runs `first` to `last`; longer ones while the bound is not met."""
    free = replace(piece, old=np.full(piece.count, -1, dtype=np.int64))
    least = least_off(piece)
    best: Answer | None = None
    longer = range(effort.runs, effort.runs + effort.repairs) if first == 0 else range(0)
    for run in (*range(first, last), *longer):
        is_longer = run >= effort.runs
        if best is not None and (stop[0] or (is_longer and best.off <= least)):
            break
        moves = effort.moves * piece.grids * (4 if is_longer else 1)
        label = _frozen_labels(piece)
        most = _first(free, label, run)
        found = _anneal(free, label, most, moves, 0.0, run, stop, least)
        if best is None or (found.balance, found.border) < (best.balance, best.border):
            best = found
        if best.off == 0 and best.border == 0:
            break
    assert best is not None
    return best


def _frozen_labels(piece: Piece) -> Ints:
    return np.where(piece.frozen, piece.old, -1)


def _first(piece: Piece, label: Ints, run: int) -> int:
    used = first_plan(
        piece.load, piece.fixed, piece.start, piece.unit, piece.cost, piece.low, piece.high,
        np.uint64(_mix(piece.seed, run, 1)), label,
    )  # fmt: skip
    return int(used) + SPARE


def _anneal(
    piece: Piece,
    label: Ints,
    most: int,
    moves: int,
    move_cost: float,
    run: int,
    stop: Ints,
    least: float,
    *,
    hot: float = HOT,
    share: float = SHARE,
) -> Answer:
    # The first run is seen while it works; later ones only if they end better.
    best = piece.board if piece.board[0] < 0 else label.copy()
    worth = REPAIR_BORDER_COST if move_cost else BORDER_COST
    balance, border, moved = anneal(
        piece.load, piece.fixed, piece.frozen, piece.start, piece.unit, piece.cost * worth,
        label, most, piece.low, piece.high, piece.old, move_cost, moves, hot, COLD,
        share, np.uint64(_mix(piece.seed, run, 2)), stop, best,
    )  # fmt: skip
    bad = count_bad(piece, best, most)
    off = balance - BAD * bad
    return Answer(best.copy(), off, bad, border / worth, moved, least, off <= least, False)


# --- least change ---------------------------------------------------------------------------------


def _repair(piece: Piece, effort: Effort, stop: Ints) -> Answer:
    """Change the plan in force as little as the balance of a fresh plan allows."""
    kept = _whole_labels(piece)
    most = int(max(kept.max(initial=-1), piece.old.max())) + 1
    least = least_off(piece)
    if (kept >= 0).all():
        held = _anneal(piece, kept.copy(), most, 0, MOVE_COST, 0, stop, least)
        if held.off == 0:
            return replace(held, is_moved_proven=True)
    best = _warm(piece, kept, most, effort.warm, None, stop, least)
    if best.off > least and not stop[0]:
        best = _warm(piece, kept, most, WARMER, best, stop, least)
    if best.off > least and not stop[0]:
        # How balanced a plan can be at all; its borders do not matter here.
        fresh = _search(piece, replace(effort, runs=1), 0, 1, stop)
        if effort.solves and not piece.frozen.any():
            fresh = solve(piece, fresh)
        if best.balance > fresh.balance:
            best = _warm(piece, kept, most, HOTTEST, best, stop, least)
        if best.balance > fresh.balance:
            best = replace(fresh, moved=count_moved(piece, fresh.label), is_border_proven=False)
        least = fresh.least_off
        best = replace(best, sets=fresh.sets, slack=fresh.slack, least_bad=fresh.least_bad)
        is_best = fresh.is_balance_proven and best.balance <= fresh.balance
        best = replace(best, least_off=least, is_balance_proven=is_best or best.off <= least)
    if effort.solves and not piece.frozen.any() and not stop[0]:
        return solve_moved(piece, best)
    return best


def _warm(
    piece: Piece, kept: Ints, most: int, warm: Warm, best: Answer | None, stop: Ints, least: float
) -> Answer:
    """Search from the plan in force; the best of some runs and of what was found before."""
    for run in range(warm.runs):
        if best is not None and stop[0]:
            break
        label = kept.copy()
        spare = max(_first(piece, label, run), most + SPARE)
        found = _anneal(
            piece, label, spare, warm.moves * piece.grids, MOVE_COST, warm.first + run, stop,
            least, hot=warm.hot, share=warm.share,
        )  # fmt: skip
        if best is None or (found.balance, found.moved) < (best.balance, best.moved):
            best = found
    assert best is not None
    return best


def _whole_labels(piece: Piece) -> Ints:
    """The labels in force, of each grid only its largest part that hangs together."""
    one, two = _links(piece)
    same = (piece.old[one] == piece.old[two]) & (piece.old[one] >= 0)
    part = label_parts(piece.count, one[same], two[same])
    weight = np.bincount(part, weights=piece.load + 1e-3)
    label = piece.old.copy()
    for old in np.unique(piece.old[piece.old >= 0]):
        rows = np.flatnonzero(piece.old == old)
        best = part[rows][np.argmax(weight[part[rows]])]
        label[rows[part[rows] != best]] = -1
    # Two units too large never share a grid.
    seen: set[int] = set()
    for unit in np.flatnonzero(piece.fixed & ~piece.frozen):
        if label[unit] in seen:
            label[label == label[unit]] = -1
        seen.add(int(label[unit]))
    return label


# --- small things ---------------------------------------------------------------------------------


def _links(piece: Piece) -> tuple[Ints, Ints]:
    rows = np.repeat(np.arange(piece.count), np.diff(piece.start))
    return rows, piece.unit


def _mix(seed: int, run: int, use: int) -> int:
    """A number of 64 bits from three."""
    value = (seed * 0x9E3779B97F4A7C15 + run * 0xBF58476D1CE4E5B9 + use * 0x94D049BB133111EB) & (
        2**64 - 1
    )
    return value ^ (value >> 31)
