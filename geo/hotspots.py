"""Hot spots that mean something: Gi* on grids, what is emerging, and places that come back.

A grid is hot when it and its neighbours together have more than chance would give them, judged over
all grids at once: of what is called hot, at most the share `alpha` is expected to be chance
(Benjamini & Hochberg 1995). A high value alone among low ones is no hot spot.

- **Gi*** (Getis & Ord 1992; Ord & Getis 1995, eq. 13): the sum over a grid and its neighbours, as a
  z-score of sums of as many values drawn from all grids without putting back.
- **p** is two-sided. The normal distribution (`p_normal`) says far too often that a grid with few
  cases is hot, since counts are skewed. So the judgement goes by mean, variance and skewness of the
  sum (Pearson type III, as Mielke & Berry 2007 use it for permutation tests; the moments are those
  of sampling without replacement), with half a case of continuity where values are whole; and by
  the normal distribution where that is the stricter one.
- **Permutations** are conditional (Anselin 1995): a grid keeps its own value and its neighbours get
  those of other grids at random. Their p cannot be smaller than 2 / (permutations + 1), so they
  check single grids, while the judgement over thousands of grids goes by the formula.
- **Slices of time** are counted on one set of grids. Where boundaries change, attribute the points
  of all time to one version first (`geo.locate.GridIndex`), as every comparison does.
- **Repeats.** Gi* takes cases as independent, which ten calls about one lamp are not. With
  `count_slices(…, once=place_keys(…))` cases of one class at one place count once a slice.

Values that are missing (a rate without households) take a grid out of the reckoning; it is neither
hot nor cold and no neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._hotspots_black import RADIUS_M as RADIUS_M
from geo._hotspots_black import list_black_spots as list_black_spots
from geo._hotspots_emerging import CLASSES as CLASSES
from geo._hotspots_emerging import SHARE as SHARE
from geo._hotspots_emerging import classify as classify
from geo._hotspots_places import find_black_spots as find_black_spots
from geo._hotspots_star import PERMUTATIONS as PERMUTATIONS
from geo._hotspots_star import GStar as GStar
from geo._hotspots_star import Permuted as Permuted
from geo._hotspots_star import measure_star, permute, table_of
from geo._hotspots_trend import Trends as Trends
from geo._hotspots_trend import measure_trends as measure_trends
from geo._hotspots_weights import TOUCH_M as TOUCH_M
from geo._hotspots_weights import Weights as Weights
from geo._hotspots_weights import contiguity_weights as contiguity_weights
from geo._hotspots_weights import distance_weights as distance_weights
from geo._repeats import PLACE_DEG as PLACE_DEG
from geo._repeats import PLACE_M as PLACE_M
from geo._repeats import place_keys as place_keys
from geo.errors import InputError

ALPHA = 0.05
"""Share of false ones among those that are called hot or cold; the usual level, ours to choose."""

Floats = npt.NDArray[np.float64]


def count_slices(
    rows: npt.NDArray[np.integer], moments: npt.NDArray[np.integer], edges: Sequence[int],
    grids: pd.Index, *, once: npt.NDArray[np.integer] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Count cases by grid and slice of time.

    Parameters
    ----------
    rows
        Row of the grid of each case, -1 outside (`GridIndex.assign`).
    moments
        When, in any unit: days of `geo.io.case_columns.local_days`, or seconds.
    edges
        Beginnings of the slices and the end of the last, rising.
    once
        A number for each case, of `place_keys`: of those of one number only one counts in a slice,
        so that somebody who calls every evening about one lamp makes no hot grid. Below zero
        stands for none, such cases all count. None: every case counts.

    Returns
    -------
    DataFrame
        Indexed by `grids`, one column a slice named by its beginning; cases outside the grids or
        the slices are in none.

    Raises
    ------
    InputError
        If edges do not rise, or are fewer than two.
    """
    bounds = np.asarray(edges)
    if len(bounds) < 2 or not (np.diff(bounds) > 0).all():
        raise InputError(f"edges are {list(edges)[:5]}: give two or more, each later than the last")
    slot = np.searchsorted(bounds, moments, side="right") - 1
    size = len(bounds) - 1
    inside = (rows >= 0) & (slot >= 0) & (slot < size)
    flat = np.asarray(rows)[inside].astype(np.int64) * size + slot[inside]
    if once is not None:
        flat = flat[_is_first(flat, np.asarray(once, dtype=np.int64)[inside])]
    counts = np.bincount(flat, minlength=len(grids) * size).reshape(len(grids), size)
    return pd.DataFrame(counts, index=grids, columns=pd.Index(bounds[:-1], name="since"))


def _is_first(slices: npt.NDArray[np.int64], keys: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which cases are counted: all without a number, and one of each number in each slice."""
    found = keys < 0
    rows = np.flatnonzero(~found)
    order = rows[np.lexsort((slices[rows], keys[rows]))]
    key, slot = keys[order], slices[order]
    first = np.append(True, (key[1:] != key[:-1]) | (slot[1:] != slot[:-1]))[: len(order)]
    found[order] = first
    return found


def measure_g_star(
    values: pd.Series | pd.DataFrame,
    weights: Weights,
    *,
    time_steps: int = 0,
    whole: bool = False,
) -> GStar:
    """Measure Gi* of each grid, in each slice of time.

    Parameters
    ----------
    values
        By grid, or grids by slices in order of time; counts, rates or sums.
    weights
        From `contiguity_weights` or `distance_weights` of the same grids.
    time_steps
        How many slices before count as neighbours too, of the grid and of its neighbours.
    whole
        Compare with all slices together; else each slice is compared with itself.
    """
    if time_steps < 0:
        raise InputError(f"time_steps is {time_steps}: give 0 or more")
    if time_steps and not whole:
        raise InputError("time_steps needs whole=True: neighbours in time are of the whole")
    return measure_star(table_of(values, weights), weights, steps=time_steps, whole=whole)


def permute_g_star(
    values: pd.Series | pd.DataFrame,
    weights: Weights,
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
    draws: npt.NDArray[np.int64] | None = None,
    threads: int | None = None,
) -> Permuted:
    """Permute each slice, each grid keeping its own value.

    Parameters
    ----------
    rng
        The same generator and values give the same answer, on any number of threads.
    draws
        Instead of drawing: positions among the other grids, one row a permutation, at least as
        many columns as a grid has neighbours; for comparison with other programs.
    threads
        How many slices are counted at once; as many as there are processors.
    """
    if permutations < 1:
        raise InputError(f"permutations is {permutations}: give 1 or more")
    return permute(table_of(values, weights), weights, permutations, rng, draws, threads)


def adjust_fdr(p: npt.ArrayLike) -> Floats:
    """Adjust p-values for looking at all of them: Benjamini & Hochberg (1995).

    What is at most alpha afterwards holds at most that share of false ones, in expectation, where
    tests are independent or depend on one another positively (Benjamini & Yekutieli 2001), as sums
    of overlapping neighbourhoods do. Missing ones stay missing and do not count.
    """
    flat = np.asarray(p, dtype=np.float64)
    out = np.full(flat.size, np.nan)
    known = np.flatnonzero(np.isfinite(flat.ravel()))
    if len(known):
        numbers = flat.ravel()[known]
        order = np.argsort(numbers, kind="stable")
        raised = numbers[order] * len(known) / np.arange(1, len(known) + 1)
        lowest = np.minimum.accumulate(raised[::-1])[::-1]
        out[known[order]] = np.minimum(lowest, 1.0)
    return out.reshape(flat.shape)


def find_hot_spots(
    values: pd.Series,
    weights: Weights,
    *,
    alpha: float = ALPHA,
    permutations: int = 0,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Find the hot and cold grids of one period.

    Returns
    -------
    DataFrame
        Indexed like the weights: `value`, `total` (grid and neighbours), `neighbours`, `z`, `p`
        (two-sided), `q` (adjusted for all grids), `kind` (`hot`, `cold` or empty) and, with
        permutations, `p_sim` (two-sided).
    """
    _require_alpha(alpha)
    if permutations and rng is None:
        raise InputError("permutations need rng: give numpy.random.default_rng(seed)")
    found = measure_g_star(values, weights)
    q = adjust_fdr(found.p[:, 0])
    table = pd.DataFrame(
        {
            "value": found.values[:, 0],
            "total": found.total[:, 0],
            "neighbours": weights.cards,
            "z": found.z[:, 0],
            "p": found.p[:, 0],
            "q": q,
            "kind": _kinds(found.z, q[:, None], alpha)[:, 0],
        },
        index=weights.ids,
    )
    if permutations:
        assert rng is not None
        simulated = permute_g_star(values, weights, rng=rng, permutations=permutations).p[:, 0]
        table["p_sim"] = np.where(np.isfinite(table["z"]), simulated, np.nan)
    return table


def find_emerging(
    values: pd.DataFrame,
    weights: Weights,
    *,
    time_steps: int = 1,
    alpha: float = ALPHA,
    share: float = SHARE,
) -> pd.DataFrame:
    """Find what kind of hot or cold spot each grid is becoming.

    After the published definition of emerging hot spots (Esri, "How Emerging Hot Spot Analysis
    works"): Gi* of each grid and slice with neighbours in space and in time, Benjamini-Hochberg
    over all of them, then the eight classes of `classify`. The neighbours in time are the published
    default: the slice itself and the one before, of the grid and of its neighbours, compared with
    the whole of all slices. The trend is Mann-Kendall of a grid's z-scores. Since neighbouring
    slices share a slice, their z-scores hang together and a trend shows somewhat too easily; it
    only divides grids that are hot 90 % of the time.

    Parameters
    ----------
    values
        Grids by slices, in order of time, see `count_slices`.
    time_steps
        Slices before that count as neighbours.
    alpha
        Share of false ones among hot and cold bins, and the level of the trend.
    share
        Share of slices from which on a grid is hot (or cold) for good.

    Returns
    -------
    DataFrame
        Indexed like the weights: `kind` (see `CLASSES`, empty without a pattern, missing without
        values), `hot` and `cold` (number of slices), `runs` (separate stretches of hot slices),
        `hot_since` (first slice of the stretch that lasts to the end), `last_hot`, `z` and `q` of
        the last slice, `trend_z`, `trend_p`.
    """
    _require_alpha(alpha)
    if not 0 < share <= 1:
        raise InputError(f"share is {share}: give more than 0, at most 1")
    found = measure_g_star(values, weights, time_steps=time_steps, whole=True)
    size = found.z.shape[1]
    q = adjust_fdr(found.p)
    state = _kinds(found.z, q, alpha)
    hot, cold = state == "hot", state == "cold"
    if not size:
        return _no_slices(weights)
    trends = measure_trends(found.z)
    kind = classify(hot, cold, trends, alpha=alpha, share=share)
    runs = (hot & ~np.column_stack([np.zeros(len(hot), dtype=bool), hot[:, :-1]])).sum(axis=1)
    slices = pd.Index(found.slices)
    last = np.where(hot.any(axis=1), size - 1 - np.argmax(hot[:, ::-1], axis=1), -1)
    lasts = np.where(hot.all(axis=1), size, np.argmin(hot[:, ::-1], axis=1))
    since = np.where(lasts > 0, size - lasts, -1)
    table = pd.DataFrame(
        {
            "kind": pd.Series(kind).where(found.known, None).to_numpy(),
            "hot": hot.sum(axis=1),
            "cold": cold.sum(axis=1),
            "runs": runs,
            "hot_since": pd.Series(slices).reindex(since).to_numpy(),
            "last_hot": pd.Series(slices).reindex(last).to_numpy(),
            "z": found.z[:, -1],
            "q": q[:, -1],
            "trend_z": trends.z,
            "trend_p": trends.p,
        },
        index=weights.ids,
    )
    return table


def _no_slices(weights: Weights) -> pd.DataFrame:
    """What is emerging where no time was looked at: nothing."""
    columns: dict[str, object] = {"kind": "", "hot": 0, "cold": 0, "runs": 0}
    columns |= dict.fromkeys(("hot_since", "last_hot", "z", "q", "trend_z", "trend_p"), np.nan)
    return pd.DataFrame(columns, index=weights.ids)


def _kinds(z: Floats, q: Floats, alpha: float) -> npt.NDArray[np.str_]:
    """`hot`, `cold` or empty for each; what is missing is neither."""
    sure = q <= alpha
    return np.where(sure & (z > 0), "hot", np.where(sure & (z < 0), "cold", ""))


def _require_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}: give a share between 0 and 1, say 0.05")
