"""Is one Poisson rate higher than another: exact test and interval, more scatter, many units.

Given the cases of both periods together, n = a + b, those of the first are binomial with
p = E1 / (E1 + E2) if the rates are equal (Przyborowski and Wilenski 1940, Biometrika 31). The
interval of p after Clopper and Pearson (1934) gives that of the ratio of rates, and the p-value is
twice the smaller tail, so that the two always agree.

Counts of cases scatter more than Poisson. With dispersion f (variance / mean) both counts are
divided by it before the test, which is the effective count of Rao and Scott (1999, Statistics in
Medicine 18: 1373-1385). f comes from weekly counts y of stretches e (in workdays) by differences of
neighbours (after von Neumann 1941), so that seasons and trends do not count as scatter:

    f = sum (y1 sqrt(e2/e1) - y2 sqrt(e1/e2))^2 / sum (y1 + y2),   at least 1

for under a steady rate the expectation of each square is f times that of y1 + y2. A unit with
enough weeks and cases has its own; the others share the median over units, weighted by cases, so
that a few units that jumped do not widen the intervals of all. A unit without its own has at least
that of its clusters: cases of one class at one place in one week repeat one another (see
`geo._repeats`), and if clusters of size k come by chance the variance is sum k^2 / sum k times the
mean, which is what Rao and Scott divide by. So twelve calls about one lamp are no rise.

Many units are judged together by
the false discovery rate of Benjamini and Hochberg (1995), over those units that have enough cases
to be judged at all (Tarone 1990, Biometrics 46: a unit whose most extreme outcome would not be
clear carries no information). Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv

from geo._compare_periods import Floats

LEAST_WEEKS = 6
"""Pairs of weeks from which a dispersion is estimated; our assumption."""
OWN_WEEKS = 26
"""Pairs of weeks that a unit needs for a dispersion of its own; our assumption."""
OWN_MEAN = 5.0
"""Cases a week that a unit needs for a dispersion of its own; our assumption."""
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rates:
    """Ratios of two rates with their uncertainty, one number a unit."""

    ratio: Floats
    """Rate of now over rate of then; infinite if then has none, NaN if neither has."""
    low: Floats
    high: Floats
    p: Floats
    """That the rates are equal; NaN where nothing can be said."""
    too_few: _Bools
    """Even if all cases lay in one of the periods, it would not be clear."""


def compare_rates(
    now: npt.ArrayLike,
    then: npt.ArrayLike,
    now_days: float,
    then_days: float,
    *,
    dispersion: npt.ArrayLike = 1.0,
    confidence: float = 0.95,
) -> Rates:
    """Compare two rates for each of many units.

    Parameters
    ----------
    now, then
        Counts, whole or (weighted) with a fraction, from 0.
    now_days, then_days
        What the counts are divided by: days, workdays, household-days; above 0.
    dispersion
        Variance over mean, at least 1; one number or one a unit.
    confidence
        Of the intervals, 0 to 1.
    """
    f = np.maximum(np.asarray(dispersion, dtype=np.float64), 1.0)
    a, b = np.broadcast_arrays(
        np.asarray(now, dtype=np.float64) / f, np.asarray(then, dtype=np.float64) / f
    )
    if not (now_days > 0 and then_days > 0):
        none = np.full(a.shape, np.nan)
        return Rates(none, none, none, none, np.zeros(a.shape, dtype=bool))
    share, alpha = now_days / (now_days + then_days), 1.0 - confidence
    odds = then_days / now_days
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = a / b * odds
        low = np.where(a > 0, betaincinv(np.maximum(a, 1e-12), b + 1, alpha / 2), 0.0)
        high = np.where(b > 0, betaincinv(a + 1, np.maximum(b, 1e-12), 1 - alpha / 2), 1.0)
        low, high = low / (1 - low) * odds, high / (1 - high) * odds
    more = np.where(a > 0, betainc(np.maximum(a, 1e-12), b + 1, share), 1.0)
    less = np.where(b > 0, betainc(np.maximum(b, 1e-12), a + 1, 1 - share), 1.0)
    p = np.minimum(1.0, 2 * np.minimum(more, less))
    both = a + b
    too_few = are_too_few(both, share, alpha)
    nothing = both == 0
    for values in (low, high, p):
        values[nothing] = np.nan
    return Rates(ratio, low, high, p, too_few)


def are_too_few(cases: Floats, share: float, alpha: float) -> _Bools:
    """Whether it would not be clear even if all cases lay in one of the periods."""
    return np.asarray(2 * np.minimum(share**cases, (1 - share) ** cases) > alpha)


def find_dispersion(counts: Floats, days: Floats) -> tuple[float, Floats, int]:
    """Estimate how much weekly counts scatter, variance over mean.

    Parameters
    ----------
    counts
        One row a unit, one column a week, in order of time.
    days
        Of each week, in workdays; 0 for one without its records.

    Returns
    -------
    pooled, own, pairs
        What units share, the median weighted by cases (1 if there are fewer than `LEAST_WEEKS`
        pairs of weeks or no cases); of each unit, NaN where it has not `OWN_WEEKS` pairs and
        `OWN_MEAN` cases a week; and how many pairs of neighbouring weeks there were.
    """
    used = days > 0
    first = np.flatnonzero(used[:-1] & used[1:])
    pairs, none = len(first), np.full(len(counts), np.nan)
    if pairs < LEAST_WEEKS:
        return 1.0, none, pairs
    one, two = counts[:, first], counts[:, first + 1]
    tilt = np.sqrt(days[first + 1] / days[first])
    squares = ((one * tilt - two / tilt) ** 2).sum(axis=1)
    sums = (one + two).sum(axis=1)
    pooled = max(1.0, _weighted_median(squares, sums))
    is_own = (pairs >= OWN_WEEKS) & (counts[:, used].mean(axis=1) >= OWN_MEAN)
    own = none
    own[is_own] = np.maximum(squares[is_own] / sums[is_own], 1.0)
    return pooled, own, pairs


def _weighted_median(squares: Floats, sums: Floats) -> float:
    """The scatter below and above which the units with half of the cases lie; 1 without cases."""
    some = sums > 0
    if not some.any():
        return 1.0
    found, weight = squares[some] / sums[some], sums[some]
    order = np.argsort(found, kind="stable")
    up_to = np.cumsum(weight[order])
    return float(found[order][np.searchsorted(up_to, up_to[-1] / 2)])


def control_discoveries(p: npt.ArrayLike) -> Floats:
    """The smallest false discovery rate at which each test counts (q-values).

    After Benjamini and Hochberg (1995); NaN takes no part and stays.
    """
    values = np.asarray(p, dtype=np.float64)
    q = np.full(len(values), np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    if not len(tested):
        return q
    order = tested[np.argsort(values[tested], kind="stable")]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
