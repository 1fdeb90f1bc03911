"""Small pieces solved to the end: the best plan of all, or how much better one could be at most.

All sets of units that may be grids are listed (`geo._divide_sets`), and the best choice among them
is worked out (`geo._divide_exact`). Where none is in the band, sets are listed that are out of it
by as much as the whole plan found: any plan that is out by less is made of such sets. The linear
relaxation of the choice among them, with the load out of the band as price, is then a bound on it;
with 1 for each set out of the band, a bound on how many grids of such a plan are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from geo._divide_model import BAD, Answer, Floats, Ints, Piece
from geo._divide_parts import match_labels
from geo._divide_proof import least_off
from geo._divide_search import measure
from geo._divide_sets import MOST_SETS, MOST_UNITS, guess_sets, list_sets, set_sums

Masks = npt.NDArray[np.uint64]
Listed = tuple[Masks, Floats, Floats]
"""Sets, half the weighted border of each, the load of each out of the band."""

_HAIR = 1e-3
"""A bound that misses a whole number by less reaches it: the solver's tolerance is 1e-6 a unit."""

_BAD = BAD - 0.1
"""A grid out of the band here: of plans that are equal in whole households the one out by less."""

_LARGE = 1.0
"""Nothing is listed where the guess is above so many times the most that would be."""


def solve(piece: Piece, found: Answer) -> Answer:
    """Prove the plan best, or replace it by the best; pieces too large stay as they are."""
    if piece.count > MOST_UNITS or piece.frozen.any():
        return found
    if piece.grids == 1 and found.off == 0 and found.border == 0:
        return replace(found, is_border_proven=True)
    if piece.grids == 1 and found.off > 0 and found.off <= least_off(piece):
        # Too few for one grid, and out by no more than arithmetic asks.
        return found
    # Large to load, and pieces of more units do without.
    from geo._divide_exact import solve_sets

    listed = _list(piece, 0.0)
    if listed is None:
        return found
    masks, border, _ = listed
    known = found.border if found.off == 0 else None
    solved = solve_sets(masks, border, piece.count, known)
    if solved.masks is not None:
        best = _from_sets(piece, solved.masks, found)
        best = replace(best, sets=len(masks), least_off=0.0, is_border_proven=solved.is_proven)
        return best if _rank(best) <= _rank(found) else found
    if found.off == 0 or not solved.is_proven:
        return found
    # Nothing is in the band: whole loads are then out of it by a household at least.
    least = max(found.least_off, _least_step(piece))
    found = replace(found, sets=len(masks), least_off=least, least_bad=1)
    return _solve_off(piece, found)


def _solve_off(piece: Piece, found: Answer) -> Answer:
    """The best plan out of the band, and a bound on how little it can be out."""
    from geo._divide_exact import bound_sets, solve_sets

    for slack in dict.fromkeys((_slack(found), found.off)):
        listed = _list(piece, slack)
        if listed is None:
            continue
        masks, border, off = listed
        # Balance before border: a tenth of a household outweighs all borders together.
        weight = 1.0 + 6 * float(piece.cost.sum())
        value = border + weight * (off + _BAD * (off > 0))
        known = found.border + weight * (found.off + _BAD * found.bad)
        solved = solve_sets(masks, value, piece.count, known)
        if solved.masks is not None:
            best = _from_sets(piece, solved.masks, found)
            if _rank(best) <= _rank(found):
                is_proven = solved.is_proven and slack == _slack(found)
                found = replace(best, is_border_proven=is_proven)
        least = bound_sets(masks, off, piece.count)
        step = _least_step(piece)
        if step:
            least = step * np.ceil((least - _HAIR) / step)
        least = min(found.off, max(least, found.least_off, least_off(piece)))
        fewest = np.ceil(bound_sets(masks, (off > 0).astype(float), piece.count) - _HAIR)
        return replace(
            found, sets=len(masks), slack=slack, least_off=least,
            least_bad=min(found.bad, max(1, int(fewest))), is_balance_proven=found.off <= least,
        )  # fmt: skip
    return found


def solve_moved(piece: Piece, found: Answer) -> Answer:
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
    best = _from_sets(piece, solved.masks, found)
    named = match_labels(best.label, piece.old, piece.load)
    moved = count_moved(piece, named)
    if (best.balance, moved) > (found.balance, found.moved):
        return found
    # Two grids that come from one old grid cannot both keep its worker: then it is only a bound.
    least = float(leaves[np.isin(masks, solved.masks)].sum())
    is_least = solved.is_proven and abs(moved - least) < 0.5
    return replace(
        best, label=named, moved=moved, is_moved_proven=is_least, is_border_proven=False,
        sets=len(masks), slack=_slack(found),
    )  # fmt: skip


def count_moved(piece: Piece, label: Ints) -> float:
    """The load that changes its grid, when grids are named after the old ones as well as can be."""
    named = match_labels(label, piece.old, piece.load)
    return float(piece.load[(piece.old >= 0) & (named != piece.old)].sum())


def count_bad(piece: Piece, label: Ints, most: int) -> int:
    """How many of the grids, with labels below `most`, are out of the band."""
    load, size, big = np.zeros(most), np.zeros(most, dtype=np.int64), np.zeros(most)
    measure(
        piece.load, piece.fixed, piece.start, piece.unit, piece.cost, label, most, piece.low,
        piece.high, load, size, big,
    )  # fmt: skip
    plain = (big == 0) & (size > 0) & ((load < piece.low) | (load > piece.high))
    return int(plain.sum() + ((big > 0) & (load > big)).sum())


def _rank(found: Answer) -> tuple[float, float]:
    return round(found.off + _BAD * found.bad, 6), round(found.border, 9)


def _least_step(piece: Piece) -> float:
    """The least that a plan out of the band is out by: one household, where loads are whole."""
    values = np.append(piece.load, [piece.low, piece.high])
    return 1.0 if (values == np.round(values)).all() else 0.0


def _slack(found: Answer) -> float:
    """How far a grid of a plan that is no worse balanced can be out of the band."""
    return max(found.off, found.balance - BAD) if found.off > 0 else 0.0


def _list(piece: Piece, slack: float) -> Listed | None:
    around = np.zeros(piece.count, dtype=np.uint64)
    rows = np.repeat(np.arange(piece.count), np.diff(piece.start))
    np.bitwise_or.at(around, rows, np.uint64(1) << piece.unit.astype(np.uint64))
    guess = guess_sets(around, piece.load, piece.fixed, piece.low, piece.high, slack)
    if guess > _LARGE * MOST_SETS:
        return None
    masks, border, off = list_sets(
        around, piece.start, piece.unit, piece.cost, piece.load, piece.fixed, piece.low,
        piece.high, slack, MOST_SETS,
    )  # fmt: skip
    return (masks, border, off) if len(masks) or piece.count == 0 else _nothing(piece, slack)


def _nothing(piece: Piece, slack: float) -> Listed | None:
    """No set at all is a proof only where the list was not cut short."""
    heaviest = piece.load[~piece.fixed].sum()
    if heaviest + slack < piece.low:
        none = np.empty(0)
        return np.empty(0, dtype=np.uint64), none, none
    return None


def _from_sets(piece: Piece, masks: Masks, found: Answer) -> Answer:
    """The plan of these sets; what is known of the piece comes from `found`."""
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
    bad = count_bad(piece, label, most)
    off = balance - BAD * bad
    return replace(
        found, label=label, off=off, bad=bad, border=border, moved=0.0,
        is_balance_proven=off <= found.least_off, is_border_proven=False,
    )  # fmt: skip
