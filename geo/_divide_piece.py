"""One piece of a community divided: search, exact solution, least change.

A piece is a set of units of one community that hang together without crossing a barrier. It is
divided without a look at any other, so the order and number of threads change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from geo._divide_graph import label_parts
from geo._divide_proof import bound_parts
from geo._divide_search import BAD, anneal, first_plan, measure
from geo._divide_sets import MOST_SETS, MOST_UNITS, list_sets, set_sums

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Masks = npt.NDArray[np.uint64]

BORDER_COST = 5.0
"""Households that a border of median length is worth in the search: between even grids the round
ones win, and no border is worth a grid out of the band. Chosen from 1, 3, 5 and 10."""

MOVE_COST = 0.6
"""What a household that changes worker costs in a repair, in households out of the band. With 0.2
more of them move than need to; with 1 the search stays where it is."""

REPAIR_BORDER_COST = 1.5
"""As `BORDER_COST`, in a repair: there, few should move, and round grids matter less."""

HOT, COLD = 60.0, 0.3
"""Temperatures in households, at the start and at the end."""

SHARE = 0.3
"""Share of recombinations among the moves."""

_SPARE = 8
"""Labels beyond those of the first plan, for grids that the search adds."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What the search knows of a piece; units are numbered from 0."""

    load: Floats
    low: float
    high: float
    start: Ints
    unit: Ints
    cost: Floats
    """Neighbours in lists; the cost of a border of median length is 1."""
    old: Ints
    """Label in force, -1 for none."""
    frozen: Bools
    seed: int
    board: Ints
    """Written while the search goes on: the labels of the best plan so far, -1 before there is one;
    a look at it from another thread may catch it half written."""

    @property
    def fixed(self) -> Bools:
        """Units larger than the band: each is the heart of a grid of its own."""
        return self.load > self.high

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.load)

    @property
    def grids(self) -> int:
        """About how many grids it will have."""
        plain = float(self.load[~self.fixed].sum())
        return max(1, round(2 * plain / (self.low + self.high))) + int(self.fixed.sum())


@dataclass(frozen=True, eq=False)
class Warm:
    """How to search from a plan in force."""

    runs: int
    moves: int
    """For each grid."""
    hot: float
    """Temperature at the start: a cool search stays near the plan."""
    share: float
    first: int
    """Number of the first run: each run draws numbers of its own."""


_WARMER = Warm(3, 3_000, HOT, SHARE, 200)
"""For pieces that a cool search leaves out of the band beyond the bound."""

_HOTTEST = Warm(2, 12_000, HOT, SHARE, 300)
"""For pieces where a fresh plan is still better balanced."""


@dataclass(frozen=True, eq=False)
class Effort:
    """How long to search."""

    moves: int
    """For each grid that there will be about: large grids of many units need no more."""
    runs: int
    repairs: int
    """Further runs, each four times as long, while grids are out of the band without need."""
    solves: bool
    """Whether small pieces are solved to the end."""
    warm: Warm


EFFORTS = {
    "fast": Effort(3_000, 1, 1, False, Warm(3, 2_000, 20.0, 0.15, 100)),
    "full": Effort(5_000, 2, 2, True, Warm(5, 2_500, 20.0, 0.15, 100)),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """A plan of a piece and what is known about it."""

    label: Ints
    off: float
    """Load out of the band."""
    bad: int
    border: float
    moved: float
    least_off: float
    """No plan has less out of the band."""
    is_balance_proven: bool
    is_border_proven: bool
    """No plan with this balance (and as few moved) has a shorter weighted border."""
    is_moved_proven: bool = False
    sets: int = 0
    """How many connected sets were listed for the proof, 0 for none."""
    slack: float = 0.0
    """Those whose load is out of the band by no more than this."""

    @property
    def balance(self) -> float:
        """What the search calls the cost of the balance."""
        return self.off + BAD * self.bad


def divide_piece(piece: Piece, effort: Effort, stop: Ints) -> Answer:
    """Find the best plan of a piece; from the plan in force where there is one."""
    if ((piece.old >= 0) & ~piece.frozen).any():
        found = _repair(piece, effort, stop)
    else:
        found = _search(piece, effort, stop)
        if effort.solves and not stop[0]:
            found = _solve(piece, found)
    piece.board[:] = found.label
    return found


def least_off(piece: Piece) -> float:
    """A lower bound on the load out of the band, by arithmetic (definition LB_D of the checker)."""
    return sum(part.off for part in bound_parts(piece))


def _search(piece: Piece, effort: Effort, stop: Ints) -> Answer:
    """Anneal from fresh plans; go on where grids are out of the band beyond the bound."""
    free = replace(piece, old=np.full(piece.count, -1, dtype=np.int64))
    least = least_off(piece)
    best: Answer | None = None
    for run in range(effort.runs + effort.repairs):
        is_repair = run >= effort.runs
        if best is not None and (stop[0] or (is_repair and best.off <= least)):
            break
        moves = effort.moves * piece.grids * (4 if is_repair else 1)
        label = _frozen_labels(piece)
        most = _first(free, label, run)
        found = _anneal(free, label, most, moves, 0.0, run, stop, least)
        if best is None or (found.balance, found.border) < (best.balance, best.border):
            best = found
    assert best is not None
    return best


def _frozen_labels(piece: Piece) -> Ints:
    return np.where(piece.frozen, piece.old, -1)


def _first(piece: Piece, label: Ints, run: int) -> int:
    used = first_plan(
        piece.load, piece.fixed, piece.start, piece.unit, piece.cost, piece.low, piece.high,
        np.uint64(_mix(piece.seed, run, 1)), label,
    )  # fmt: skip
    return int(used) + _SPARE


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
    bad = _count_bad(piece, best, most)
    off = balance - BAD * bad
    return Answer(best.copy(), off, bad, border / worth, moved, least, off <= least, False)


def _count_bad(piece: Piece, label: Ints, most: int) -> int:
    load, size, big = np.zeros(most), np.zeros(most, dtype=np.int64), np.zeros(most)
    measure(
        piece.load, piece.fixed, piece.start, piece.unit, piece.cost, label, most, piece.low,
        piece.high, load, size, big,
    )  # fmt: skip
    plain = (big == 0) & (size > 0) & ((load < piece.low) | (load > piece.high))
    return int(plain.sum() + ((big > 0) & (load > big)).sum())


# --- solved to the end ----------------------------------------------------------------------------


def _solve(piece: Piece, found: Answer) -> Answer:
    """Prove the plan best, or replace it by the best; pieces too large stay as they are."""
    if piece.count > MOST_UNITS or piece.frozen.any():
        return found
    if piece.grids == 1 and found.off == 0 and found.border == 0:
        return replace(found, is_border_proven=True)
    # Large to load, and pieces of more units do without.
    from geo._divide_exact import solve_sets

    wide = _slack(found)
    for slack in dict.fromkeys((0.0, wide, found.off)):
        listed = _list(piece, slack)
        if listed is None:
            if slack == 0:
                return found
            continue
        masks, border, off = listed
        # Balance before border: no border is as long as all borders together.
        weight = 1.0 + 2 * float(piece.cost.sum())
        value = border + weight * (off + BAD * (off > 0))
        known = None
        if found.off == 0 or slack > 0:
            known = found.border + weight * found.balance
        solved = solve_sets(masks, value, piece.count, known)
        if solved.masks is not None:
            best = _from_sets(piece, solved.masks, found, solved.is_proven and slack == wide)
            best = replace(best, sets=len(masks), slack=slack)
            return best if best.off == 0 else _bound_off(piece, best, masks, border, off)
        if not solved.is_proven:
            return found
        # Nothing is in the band: what is out by as little as the plan found is tried next.
        found = replace(found, sets=len(masks), least_off=max(found.least_off, _least_step(piece)))
    return found


def _least_step(piece: Piece) -> float:
    """The least that a plan out of the band is out by: one household, where loads are whole."""
    values = np.append(piece.load, [piece.low, piece.high])
    return 1.0 if (values == np.round(values)).all() else 0.0


def _slack(found: Answer) -> float:
    """How far a grid of a plan that is no worse balanced can be out of the band."""
    return max(found.off, found.balance - BAD) if found.off > 0 else 0.0


def _bound_off(piece: Piece, found: Answer, masks: Masks, border: Floats, off: Floats) -> Answer:
    """Bound the load out of the band by itself: more grids might be out by less altogether."""
    from geo._divide_exact import solve_sets

    weight = 1.0 + 2 * float(piece.cost.sum())
    known = found.border + weight * found.off
    solved = solve_sets(masks, border + weight * off, piece.count, known)
    least = (solved.bound - float(piece.cost.sum())) / weight
    if solved.is_proven and solved.masks is not None:
        least = float(off[np.isin(masks, solved.masks)].sum())
    return replace(found, least_off=max(least_off(piece), min(least, found.off)))


def _list(piece: Piece, slack: float) -> tuple[Masks, Floats, Floats] | None:
    around = np.zeros(piece.count, dtype=np.uint64)
    rows = np.repeat(np.arange(piece.count), np.diff(piece.start))
    np.bitwise_or.at(around, rows, np.uint64(1) << piece.unit.astype(np.uint64))
    masks, border, off = list_sets(
        around, piece.start, piece.unit, piece.cost, piece.load, piece.fixed, piece.low,
        piece.high, slack, MOST_SETS,
    )  # fmt: skip
    return (masks, border, off) if len(masks) or piece.count == 0 else _nothing(piece, slack)


def _nothing(piece: Piece, slack: float) -> tuple[Masks, Floats, Floats] | None:
    """No set at all is a proof only where the list was not cut short."""
    heaviest = piece.load[~piece.fixed].sum()
    if heaviest + slack < piece.low:
        none = np.empty(0)
        return np.empty(0, dtype=np.uint64), none, none
    return None


def _from_sets(piece: Piece, masks: Masks, found: Answer, is_proven: bool) -> Answer:
    label = np.empty(piece.count, dtype=np.int64)
    for number, mask in enumerate(masks):
        bits = (mask >> np.arange(piece.count, dtype=np.uint64)) & np.uint64(1)
        label[bits == 1] = number
    most = len(masks)
    load, size, big = np.zeros(most), np.zeros(most, dtype=np.int64), np.zeros(most)
    balance, border = measure(
        piece.load, piece.fixed, piece.start, piece.unit, piece.cost, label, most, piece.low,
        piece.high, load, size, big,
    )  # fmt: skip
    bad = _count_bad(piece, label, most)
    off = balance - BAD * bad
    least = off if is_proven else found.least_off
    return Answer(label, off, bad, border, 0.0, least, is_proven, is_proven)


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
        best = _warm(piece, kept, most, _WARMER, best, stop, least)
    if best.off > least and not stop[0]:
        # How balanced a plan can be at all; its borders do not matter here.
        fresh = _search(piece, replace(effort, runs=1), stop)
        if effort.solves and not piece.frozen.any():
            fresh = _solve(piece, fresh)
        if best.balance > fresh.balance:
            best = _warm(piece, kept, most, _HOTTEST, best, stop, least)
        if best.balance > fresh.balance:
            best = replace(fresh, moved=_moved(piece, fresh.label), is_border_proven=False)
        least = fresh.least_off
        best = replace(best, sets=fresh.sets, slack=fresh.slack)
        is_best = fresh.is_balance_proven and best.balance <= fresh.balance
        best = replace(best, least_off=least, is_balance_proven=is_best or best.off <= least)
    if effort.solves and not piece.frozen.any() and not stop[0]:
        return _solve_moved(piece, best)
    return best


def _warm(
    piece: Piece, kept: Ints, most: int, warm: Warm, best: Answer | None, stop: Ints, least: float
) -> Answer:
    """Search from the plan in force; the best of some runs and of what was found before."""
    for run in range(warm.runs):
        if best is not None and stop[0]:
            break
        label = kept.copy()
        spare = max(_first(piece, label, run), most + _SPARE)
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


def _solve_moved(piece: Piece, found: Answer) -> Answer:
    """The plan that moves fewest, of those with the best balance, where that can be proven."""
    if piece.count > MOST_UNITS or not found.is_balance_proven:
        return found
    from geo._divide_exact import solve_sets

    listed = _list(piece, _slack(found))
    if listed is None:
        return found
    masks, border, off = listed
    stays = np.zeros(len(masks))
    for old in np.unique(piece.old[piece.old >= 0]):
        stays = np.maximum(stays, set_sums(masks, np.where(piece.old == old, piece.load, 0.0)))
    leaves = set_sums(masks, np.where(piece.old >= 0, piece.load, 0.0)) - stays
    # All borders together weigh less than half a household: they only part equals.
    faint = 0.5 / (1.0 + float(piece.cost.sum()))
    far = 1.0 + 2 * float(piece.load.sum())
    value = leaves + faint * border + far * (off + BAD * (off > 0))
    known = found.moved + faint * found.border + far * found.balance
    solved = solve_sets(masks, value, piece.count, known, gap=0.5)
    if solved.masks is None:
        return found
    best = _from_sets(piece, solved.masks, found, solved.is_proven)
    named = match_labels(best.label, piece.old, piece.load)
    moved = _moved(piece, named)
    if (best.balance, moved) > (found.balance, found.moved):
        return found
    # Two grids that come from one old grid cannot both keep its worker: then it is only a bound.
    least = float(leaves[np.isin(masks, solved.masks)].sum())
    is_least = solved.is_proven and abs(moved - least) < 0.5
    return replace(
        best, label=named, moved=moved, least_off=found.least_off, is_moved_proven=is_least,
        is_border_proven=False, sets=len(masks), slack=_slack(found),
    )  # fmt: skip


def match_labels(label: Ints, old: Ints, load: Floats) -> Ints:
    """Rename the grids of a plan after the old ones, one to one, so that most load keeps its grid.

    The assignment problem (Kuhn 1955), by scipy. Grids without a partner get numbers above all.
    """
    # Large to load, and a fresh division does without.
    from scipy.optimize import linear_sum_assignment

    names, new = np.unique(label, return_inverse=True)
    olds, was = np.unique(old, return_inverse=True)
    common = np.zeros((len(names), len(olds)))
    np.add.at(common, (new, was), load + 1e-6)
    common[:, olds < 0] = 0.0
    rows, columns = linear_sum_assignment(-common)
    above = int(max(label.max(), old.max())) + 1
    name = above + np.arange(len(names))
    for row, column in zip(rows, columns, strict=True):
        if common[row, column] > 0:
            name[row] = olds[column]
    return np.asarray(name[new], dtype=np.int64)


def _moved(piece: Piece, label: Ints) -> float:
    named = match_labels(label, piece.old, piece.load)
    return float(piece.load[(piece.old >= 0) & (named != piece.old)].sum())


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
