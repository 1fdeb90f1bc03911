"""Counts against what was expected: shrunken ratios, intervals, and how sure they are.

Public names are handed on by `geo.heat`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammainc, gammaincinv

from geo.errors import InputError

UNSURE_RSE = 0.3
"""From this relative standard error on a figure is shaded as uncertain: fewer than about eleven
cases. Klein et al. (2002), Healthy People 2010 criteria for data suppression, NCHS: 30 %."""

LEAST_EXPECTED = 0.5
"""With less than half a case expected by effort nobody has looked enough to say anything; our
assumption."""

_TAIL = 0.025
_MOST_ALPHA = 1e6
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """The gamma distribution of ratios between places: shape `nu`, rate `alpha`."""

    nu: float
    alpha: float

    @property
    def mean(self) -> float:
        """The mean ratio."""
        return self.nu / self.alpha


def fit_prior(observed: npt.ArrayLike, expected: npt.ArrayLike, *, most_rounds: int = 500) -> Prior:
    """Fit the distribution of ratios of found to expected: Clayton & Kaldor (1987), Gamma-Poisson.

    Their moment equations, solved by repetition: the mean of the shrunken ratios is nu / alpha, and
    nu / alpha² = sum((1 + alpha / E) (theta - mean)²) / (N - 1). Where ratios differ no more than
    chance makes them, alpha grows without end and everything is shrunken to the mean.

    Parameters
    ----------
    observed, expected
        By place, equally many; places where nothing is expected do not take part.
    """
    o, e = (np.asarray(part, dtype=np.float64).ravel() for part in (observed, expected))
    if o.shape != e.shape:
        raise InputError(f"observed has {o.size} numbers, expected {e.size}: give equally many")
    use = np.isfinite(o) & np.isfinite(e) & (e > 0)
    o, e = o[use], e[use]
    if len(o) < 2 or not o.sum():
        # Nothing to learn from: one place says nothing of how places differ.
        mean = float(o.sum() / e.sum()) if e.sum() > 0 else 1.0
        return Prior(max(mean, 1e-9) * _MOST_ALPHA, _MOST_ALPHA)
    alpha, mean = 1.0, float(o.sum() / e.sum())
    for _ in range(most_rounds):
        theta = (o + mean * alpha) / (e + alpha)
        mean = float(theta.mean())
        spread = float(((1 + alpha / e) * (theta - mean) ** 2).sum() / (len(o) - 1))
        before, alpha = alpha, min(mean / max(spread, 1e-12), _MOST_ALPHA)
        if abs(alpha - before) <= 1e-9 * before:
            break
    return Prior(mean * alpha, alpha)


def shrink_ratio(
    observed: npt.ArrayLike, expected: npt.ArrayLike, prior: Prior | None = None
) -> pd.DataFrame:
    """Estimate the ratio of found to expected cases of places, with what is known of all of them.

    Indirect standardisation with an empirical Bayes estimate (Clayton & Kaldor 1987): a place with
    few expected cases is drawn to the mean, one with many stays what it is.

    Returns
    -------
    DataFrame
        One row a place: `ratio` (posterior mean), `low`, `high` (95 % of the posterior), `rse` (its
        standard deviation over its mean), `above` (chance that the ratio is above one). Missing
        where less than LEAST_EXPECTED is expected.
    """
    o, e = (np.asarray(part, dtype=np.float64).ravel() for part in (observed, expected))
    known = prior if prior is not None else fit_prior(o, e)
    shape, rate = o + known.nu, e + known.alpha
    told = np.isfinite(o) & np.isfinite(e) & (e >= LEAST_EXPECTED)
    shape, rate = np.where(told, shape, 1.0), np.where(told, rate, 1.0)
    columns = {
        "ratio": shape / rate,
        "low": gammaincinv(shape, _TAIL) / rate,
        "high": gammaincinv(shape, 1 - _TAIL) / rate,
        "rse": 1 / np.sqrt(shape),
        "above": 1 - gammainc(shape, rate),
    }
    return pd.DataFrame({name: np.where(told, part, np.nan) for name, part in columns.items()})


def expect_by_effort(
    observed: npt.ArrayLike, effort: npt.ArrayLike, *, power: float = 1.0
) -> Floats:
    """Share out the observed cases by effort: what each place would have if only effort decided.

    Parameters
    ----------
    observed, effort
        By place: cases, and minutes walked or rounds done.
    power
        1: twice the rounds find twice the cases, which holds while a round leaves much to be found;
        our assumption. Below 1 where a second round finds less than the first.

    Returns
    -------
    ndarray
        By place, adding up to the observed cases; zeros where nobody walked at all.
    """
    o, w = (np.asarray(part, dtype=np.float64) for part in (observed, effort))
    if (w < 0).any() or not 0 < power <= 2:
        raise InputError("effort must not be negative, and power between 0 and 2")
    weight = np.where(w > 0, np.nan_to_num(w) ** power, 0.0)
    total = float(weight.sum())
    return weight / total * float(np.nansum(o)) if total > 0 else np.zeros(w.shape)


def poisson_interval(counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The exact 95 % interval of the mean of Poisson counts (Garwood 1936)."""
    n = np.asarray(counts, dtype=np.float64)
    low = np.where(n > 0, gammaincinv(np.maximum(n, 1e-9), _TAIL), 0.0)
    return low, np.asarray(gammaincinv(n + 1, 1 - _TAIL))


def measure_areas(
    counts: pd.Series,
    area_km2: pd.Series,
    *,
    households: pd.Series | None = None,
    effort: pd.Series | None = None,
    power: float = 1.0,
) -> pd.DataFrame:
    """Measure grids or hexagons: cases per km², per 1,000 households, and against patrol effort.

    Parameters
    ----------
    counts, area_km2, households, effort
        By area, indexed alike; households missing where not known; effort in minutes or rounds.

    Returns
    -------
    DataFrame
        Indexed like `counts`: `count`, `per_km2`, `rse` (of the count: one over its root), `low`
        and `high` (95 % of the count, Garwood 1936), `unsure`; with households `per_1000`; with
        effort `expected`, `ratio`, `ratio_low`, `ratio_high`, `ratio_unsure` (see `shrink_ratio`).
    """
    n = counts.to_numpy(dtype=np.float64)
    low, high = poisson_interval(n)
    rse = np.divide(1.0, np.sqrt(n), out=np.full(len(n), np.inf), where=n > 0)
    table = pd.DataFrame(
        {
            "count": counts, "per_km2": n / area_km2.to_numpy(dtype=np.float64), "rse": rse,
            "low": low, "high": high, "unsure": rse > UNSURE_RSE,
        },
        index=counts.index,
    )  # fmt: skip
    if households is not None:
        homes = households.reindex(counts.index).to_numpy(dtype=np.float64, na_value=np.nan)
        table["per_1000"] = np.divide(n * 1000, homes, out=np.full(len(n), np.nan), where=homes > 0)
    if effort is not None:
        minutes = effort.reindex(counts.index).fillna(0.0).to_numpy(dtype=np.float64)
        expected = expect_by_effort(n, minutes, power=power)
        found = shrink_ratio(n, expected)
        table["expected"] = expected
        table["ratio"] = found["ratio"].to_numpy()
        table["ratio_low"], table["ratio_high"] = found["low"].to_numpy(), found["high"].to_numpy()
        table["ratio_unsure"] = ~(found["rse"].to_numpy() <= UNSURE_RSE)
    return table
