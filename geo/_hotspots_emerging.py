"""The eight classes of emerging hot spots, and their cold twins.

Public names are handed on by `geo.hotspots`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geo._hotspots_trend import Trends

CLASSES = (
    "new", "consecutive", "intensifying", "persistent", "diminishing", "sporadic", "oscillating",
    "historical",
)  # fmt: skip
"""Kinds of hot spots; of cold ones the same with `cold_` before it."""

SHARE = 0.9
"""From this share of slices on a grid is hot for good; as published."""

_Bools = npt.NDArray[np.bool_]


def classify(
    hot: _Bools, cold: _Bools, trends: Trends, *, alpha: float = 0.05, share: float = SHARE
) -> npt.NDArray[np.object_]:
    """Name the class of each grid by its hot and cold slices.

    The published definitions, read so that each grid has at most one class:

    - `new`: hot in the last slice and never before, nor cold
    - `consecutive`: one unbroken run of two or more hot slices that ends with the last, never hot
      nor cold before, and hot in less than the share
    - `intensifying`, `diminishing`, `persistent`: hot in at least the share of slices, the last
      among them, with a trend up, down, or none
    - `historical`: hot in at least the share of slices, the last not
    - `oscillating`: hot in the last slice, cold in one before, hot in less than the share
    - `sporadic`: hot on and off, in less than the share, never cold

    They are asked in the order of this list, hot before cold.

    Parameters
    ----------
    hot, cold
        (grids, slices) in order of time.
    trends
        Of the z-scores.

    Returns
    -------
    ndarray
        One of CLASSES, or `cold_` and one of them, or empty.
    """
    warm = _classify(hot, cold, trends.z, trends.p, alpha, share)
    chilly = _classify(cold, hot, -trends.z, trends.p, alpha, share)
    named = np.where(chilly != "", "cold_" + chilly, "")
    return np.where(warm != "", warm, named).astype(object)


def _classify(
    hot: _Bools, cold: _Bools, rise: npt.NDArray[np.float64], p: npt.NDArray[np.float64],
    alpha: float, share: float,
) -> npt.NDArray[np.object_]:  # fmt: skip
    rows, size = hot.shape
    if not size:
        return np.full(rows, "", dtype=object)
    count = hot.sum(axis=1)
    ends_hot = hot[:, -1]
    # Two of two slices are at least 90 % as well as 2 >= 1.8; rounding must not decide.
    is_most = count >= share * size - 1e-9
    run = np.where(hot.all(axis=1), size, np.argmin(hot[:, ::-1], axis=1))
    was_cold = cold.any(axis=1)
    # The definition does not say what a cold past makes of a new one: `oscillating` says more.
    is_one_run = ends_hot & (run == count) & ~was_cold
    has_trend = p <= alpha
    cases = [
        ("new", is_one_run & (count == 1) & ((size == 1) | ~is_most)),
        ("consecutive", is_one_run & (count >= 2) & ~is_most),
        ("intensifying", is_most & ends_hot & has_trend & (rise > 0)),
        ("diminishing", is_most & ends_hot & has_trend & (rise < 0)),
        ("persistent", is_most & ends_hot),
        ("historical", is_most & ~ends_hot),
        ("oscillating", ends_hot & ~is_most & was_cold),
        ("sporadic", (count > 0) & ~is_most & ~was_cold),
    ]
    return np.select([mask for _, mask in cases], [name for name, _ in cases], "").astype(object)
