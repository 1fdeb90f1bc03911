"""Getis-Ord Gi* with its p-values: normal, with skewness, and by permutation.

Public names are handed on by `geo.hotspots`, where the formulas have their sources.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammainc, gammaincc, ndtr

from geo._hotspots_kernels import count_drawn, count_permuted, draw_orders
from geo._hotspots_weights import Weights
from geo.errors import InputError

PERMUTATIONS = 999
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_TIE = 1e-9
"""Sums that differ by less than this share of the largest are equal; counts are exact anyway."""


@dataclass(frozen=True, eq=False)
class GStar:
    """Gi* of each grid and slice, all shaped (grids, slices); NaN where the value is missing."""

    ids: pd.Index
    slices: pd.Index
    values: Floats
    total: Floats
    """Sum over a grid and its neighbours (and their slices before)."""
    cells: Counts
    """How many values that sum has."""
    z: Floats
    """Positive: more than elsewhere. 0 where nothing can be told: all values equal, one grid."""
    p_normal: Floats
    """Two-sided, by the normal distribution."""
    p: Floats
    """Two-sided, by mean, variance and skewness of the sum (Pearson type III), for few cases; never
    below the normal one."""

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which grids have a value in every slice."""
        return np.asarray(np.isfinite(self.values).all(axis=1))


@dataclass(frozen=True, eq=False)
class Permuted:
    """What conditional permutations gave, shaped (grids, slices)."""

    larger: Counts
    """Permutations whose sum was at least the one found."""
    smaller: Counts
    """Permutations whose sum was at most the one found."""
    permutations: int

    @property
    def p(self) -> Floats:
        """Two-sided: twice the smaller tail, what was found counted in (Davison & Hinkley 1997)."""
        tail = np.minimum(self.larger, self.smaller)
        return np.minimum(1.0, 2.0 * (tail + 1.0) / (self.permutations + 1.0))


def table_of(values: pd.Series | pd.DataFrame, weights: Weights) -> pd.DataFrame:
    """Values as a table of grids by slices in the order of the weights.

    Raises
    ------
    InputError
        If grids of the two differ, or a value is infinite.
    """
    table = values.to_frame() if isinstance(values, pd.Series) else values
    if not table.index.equals(weights.ids):
        same = table.index.is_unique and weights.ids.is_unique
        if not same or len(table) != len(weights) or not table.index.isin(weights.ids).all():
            raise InputError(
                f"values name {len(table)} grids, the weights {len(weights)} and not the same ones:"
                " make both from one table of grids"
            )
        table = table.reindex(weights.ids)
    numbers = table.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        raise InputError("values has infinite numbers: leave unknown ones empty")
    return pd.DataFrame(numbers, index=weights.ids, columns=table.columns)


def measure_star(table: pd.DataFrame, weights: Weights, *, steps: int, whole: bool) -> GStar:
    """Gi* of a table from `table_of`; see `geo.hotspots.measure_g_star`."""
    values = table.to_numpy(dtype=np.float64)
    known = np.isfinite(values).all(axis=1)
    mine = values[known]
    near = weights if known.all() else weights.only(known)
    total, cells = _sums(mine, near, steps)
    columns = range(mine.shape[1])
    groups = [slice(None)] if whole else [slice(k, k + 1) for k in columns]
    z, normal, skewed = (np.zeros(mine.shape), np.ones(mine.shape), np.ones(mine.shape))
    for group in groups:
        z[:, group], normal[:, group], skewed[:, group] = _judge(
            mine[:, group], total[:, group], cells[:, group]
        )
    wide = [_spread(part, known) for part in (total, z, normal, skewed)]
    counts = np.zeros(values.shape, dtype=np.int64)
    counts[known] = cells
    return GStar(table.index, table.columns, values, wide[0], counts, *wide[1:])


def _sums(values: Floats, weights: Weights, steps: int) -> tuple[Floats, Counts]:
    if not values.size:
        return values.copy(), np.zeros(values.shape, dtype=np.int64)
    total = np.asarray(weights.star() @ values)
    cells = np.repeat((weights.cards + 1)[:, None], values.shape[1], axis=1)
    here, count = total.copy(), cells.copy()
    for back in range(1, min(steps, values.shape[1] - 1) + 1):
        total[:, back:] += here[:, :-back]
        cells[:, back:] += count[:, :-back]
    return total, cells


def _judge(values: Floats, total: Floats, cells: Counts) -> tuple[Floats, Floats, Floats]:
    """z, normal and skewed p of sums of so many of the values, drawn without putting back."""
    size = values.size
    flat = np.zeros(total.shape), np.ones(total.shape), np.ones(total.shape)
    # One value, or all alike but for rounding: nothing stands out.
    if size < 2 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        return flat
    mean = float(values.mean())
    apart = values - mean
    variance, third = float((apart**2).mean()), float((apart**3).mean())
    m = cells.astype(np.float64)
    spread = variance * m * (size - m) / (size - 1)
    is_open = spread > 0
    deviation = np.sqrt(np.where(is_open, spread, 1.0))
    off = np.where(is_open, total - m * mean, 0.0)
    z = off / deviation
    normal = np.minimum(1.0, 2.0 * ndtr(-np.abs(z)))
    if size < 3:
        return z, normal, normal
    skew = third * m * (size - m) * (size - 2 * m) / ((size - 1) * (size - 2)) / deviation**3
    # Counts are whole: what is at least the sum begins half a case below it.
    half = 0.5 if (values == np.round(values)).all() else 0.0
    above = _tail((off - half) / deviation, skew)
    below = _tail(-(off + half) / deviation, -skew)
    # Of the two readings of a tail the one that is harder to pass: where few large values make the
    # skewness, the thin side of a Pearson curve ends too early.
    above, below = np.maximum(above, ndtr(-z)), np.maximum(below, ndtr(z))
    skewed = np.minimum(1.0, 2.0 * np.minimum(above, below))
    return z, normal, np.where(is_open, skewed, 1.0)


def _tail(t: Floats, skew: Floats) -> Floats:
    """Chance of at least t for a Pearson type III variable of mean 0, variance 1, this skewness."""
    is_plain = np.abs(skew) < 1e-5
    size = np.where(is_plain, 1.0, np.abs(skew))
    shape = 4.0 / size**2
    place = shape + np.where(skew < 0, -t, t) * np.sqrt(shape)
    right = np.where(place > 0, gammaincc(shape, np.maximum(place, 0.0)), 1.0)
    left = np.where(place > 0, gammainc(shape, np.maximum(place, 0.0)), 0.0)
    return np.where(is_plain, ndtr(-t), np.where(skew < 0, left, right))


def _spread(part: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    out = np.full((len(known), part.shape[1]), np.nan)
    out[known] = part
    return out


def permute(
    table: pd.DataFrame,
    weights: Weights,
    permutations: int,
    rng: np.random.Generator,
    draws: npt.NDArray[np.int64] | None = None,
    threads: int | None = None,
) -> Permuted:
    """Conditional permutations of each slice; see `geo.hotspots.permute_g_star`."""
    values = np.ascontiguousarray(table.to_numpy(dtype=np.float64).T)
    known = np.isfinite(values).all(axis=0)
    near = weights if known.all() else weights.only(known)
    mine = np.ascontiguousarray(values[:, known])
    cards, star, size = near.cards, near.star(), len(near)
    length = min(int(cards.max(initial=0)) + 1, size)
    seeds = rng.integers(0, 2**64, size=(len(mine), permutations), dtype=np.uint64)

    def count(k: int) -> tuple[Counts, Counts]:
        found = np.asarray(star @ mine[k])
        slack = _TIE * float(np.abs(mine[k]).sum())
        if draws is not None:
            pair = count_drawn(mine[k], found, cards, draws, slack)
        else:
            orders = draw_orders(size, length, seeds[k])
            pair = count_permuted(mine[k], found, cards, orders, slack)
        return pair[0], pair[1]

    rows = range(len(mine)) if size else range(0)
    workers = threads or os.cpu_count() or 1
    if len(rows) > 1 and workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            parts: Sequence[tuple[Counts, Counts]] = list(pool.map(count, rows))
    else:
        parts = [count(k) for k in rows]
    made = permutations if draws is None else len(draws)
    both = []
    for side in (0, 1):
        out = np.full(table.shape, made, dtype=np.int64)
        for k, part in enumerate(parts):
            out[known, k] = part[side]
        both.append(out)
    return Permuted(both[0], both[1], made)
