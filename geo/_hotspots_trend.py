"""Mann-Kendall: whether a series rises or falls, whatever its shape.

S counts pairs in order less pairs out of order; its variance allows for ties, and one is taken off
for continuity (Mann 1945; Kendall 1975, ch. 4). Public names are handed on by `geo.hotspots`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from geo._hotspots_kernels import sum_signs

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trends:
    """The trend of each of several series."""

    score: Floats
    """Kendall's S."""
    z: Floats
    """Positive: rises. 0 where all values are equal or fewer than three."""
    p: Floats
    """Two-sided, by the normal distribution."""


def measure_trends(series: npt.ArrayLike) -> Trends:
    """Measure the trend of each row of a table (series, moments).

    A row with a missing value has no trend: NaN.
    """
    rows = np.ascontiguousarray(series, dtype=np.float64)
    missing = np.isnan(rows).any(axis=1)
    score, ties = sum_signs(np.where(np.isnan(rows), 0.0, rows))
    n = rows.shape[1]
    variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0
    is_open = (variance > 0) & (n > 2)
    deviation = np.sqrt(np.where(is_open, variance, 1.0))
    z = np.where(is_open, (score - np.sign(score)) / deviation, 0.0)
    p = np.where(is_open, np.minimum(1.0, 2.0 * ndtr(-np.abs(z))), 1.0)
    for part in (score, z, p):
        part[missing] = np.nan
    return Trends(score, z, p)
