"""The figures of grids: sums over their blocks, and what follows from those.

Public names are handed on by `geo.impact`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pandas as pd

from geo._impact_facts import COLUMNS, Counts
from geo._plan_rings import Floats
from geo.errors import InputError
from geo.plan import Plan

BAND = (200, 500)
"""Households of a grid, about 200 to 500 (docs/glossary.md); a city sets its own."""

WEIGHTS: Mapping[str, float] = {
    "households": 0.4, "incidents": 0.3, "patrol_m": 0.2, "assets": 0.1,
}  # fmt: skip
"""Shares of the workload index. No standard names any: our assumption, a city sets its own."""

WEIGHABLE = ("households", "population", "incidents", "assets", "patrol_m", "street_m", "area_m2")

SUMS = (
    "households", "population", "area_m2", "street_m", "patrol_m", "incidents", "assets",
)  # fmt: skip
"""Figures whose changes add up to zero to the last bit."""

FIGURES = (*SUMS, "blocks", "compactness", "seen_share", "workload", "off_band")
"""All figures of a grid; changes of `workload` add up to zero but for rounding."""

IN_BAND, TOO_FEW, TOO_MANY, NO_BAND = "in", "low", "high", "none"


@dataclass(frozen=True)
class Scale:
    """How the workload index is formed: what one of each counts."""

    per: Mapping[str, float]
    """Index points for one unit of a figure."""


def read_weights(text: str | Mapping[str, float]) -> dict[str, float]:
    """Weights of the workload index from a table or from `households=0.4,incidents=0.3`.

    Raises
    ------
    InputError
        If a name is not among WEIGHABLE, a weight is negative or no number, or all are zero.
    """
    if isinstance(text, str):
        parts = [part.partition("=") for part in text.split(",") if part.strip()]
        told: dict[str, object] = {name.strip(): value.strip() for name, _, value in parts}
    else:
        told = dict(text)
    found = {}
    for name, value in told.items():
        if name not in WEIGHABLE:
            raise InputError(f"no figure {name} to weigh: there are {', '.join(WEIGHABLE)}")
        try:
            weight = float(str(value))
        except ValueError:
            weight = float("nan")
        if not (isfinite(weight) and weight >= 0):
            raise InputError(f"the weight of {name} is {value!r}: use a number from 0 up")
        found[name] = weight
    if not sum(found.values()) > 0:
        raise InputError("all weights of the workload index are 0: give at least one")
    return found


def find_scale(table: pd.DataFrame, weights: Mapping[str, float] = WEIGHTS) -> Scale:
    """The scale on which an average grid of a table has the index 100.

    Each figure is set against its mean over the grids, and the weights say how much each of them
    matters; one that nothing has (no incident yet) is left out, and the others take its share.
    """
    mean = {name: float(table[name].mean()) for name in weights}
    used = {name: weight for name, weight in weights.items() if mean[name] > 0 and weight > 0}
    whole = sum(used.values())
    return Scale({name: 100 * weight / whole / mean[name] for name, weight in used.items()})


def count_grids(plan: Plan, counts: Counts) -> Floats:
    """Sums by row of the grid, columns as `COLUMNS`."""
    size = len(plan.grids)
    sums = [np.bincount(plan.label, column, minlength=size) for column in counts.table.T]
    return np.column_stack(sums)


def measure_grids(
    plan: Plan,
    counts: Counts,
    *,
    band: tuple[float, float] = BAND,
    scale: Scale | None = None,
    no_band: Collection[str] = (),
) -> pd.DataFrame:
    """Measure every grid of a plan.

    Parameters
    ----------
    counts
        Of its blocks, from `BlockFacts.of`.
    band
        Least and most households. It holds for grids of the kind `base` alone: dedicated grids and
        those of other kinds are not cut by households.
    scale
        Of the workload index, from `find_scale`; by default that of this very table.
    no_band
        Ids of further grids without a band: the ones that hold what is not divided yet.

    Returns
    -------
    DataFrame
        By `grid_id` as `Plan.table`: `name`, `kind`, `community_code`, the `FIGURES` and `band`:
        in, low, high, or none where it does not hold. Lengths in m, areas in m2; `seen_share` is
        the share of the ground in a camera's view, missing where no camera tells its view;
        `off_band` the households above (positive) or below (negative) the band, missing where it
        does not hold.
    """
    low, high = band
    if not 0 <= low <= high:
        raise InputError(f"the band is {low} to {high} households: give the smaller number first")
    table = plan.table()
    sums = pd.DataFrame(count_grids(plan, counts)[plan.living], table.index, list(COLUMNS))
    table["area_m2"] = sums["area_m2"]
    for name in ("street_m", "patrol_m"):
        table[name] = sums[name]
    for name in ("incidents", "assets"):
        table[name] = sums[name].astype(np.int64)
    seen = sums["seen"] / sums["dots"].where(sums["dots"] > 0)
    table["seen_share"] = seen if counts.table[:, -1].any() else np.nan
    table["workload"] = weigh_grids(table, find_scale(table) if scale is None else scale)
    households = table["households"].to_numpy(dtype=np.float64)
    off = np.where(households > high, households - high, np.minimum(households - low, 0.0))
    holds = (table["kind"] == "base").to_numpy(dtype=bool) & ~table.index.isin(list(no_band))
    table["off_band"] = np.where(holds, off, np.nan)
    word = np.where(off > 0, TOO_MANY, np.where(off < 0, TOO_FEW, IN_BAND))
    table["band"] = pd.array(np.where(holds, word, NO_BAND), dtype="str")
    return table[["name", "kind", "community_code", *FIGURES, "band", "perimeter_m"]]


def weigh_grids(table: pd.DataFrame, scale: Scale) -> pd.Series:
    """The workload index of grids on a scale."""
    index = np.zeros(len(table))
    for name, per in scale.per.items():
        index = index + table[name].to_numpy(dtype=np.float64) * per
    return pd.Series(index, index=table.index, name="workload")


def sum_up(table: pd.DataFrame) -> dict[str, float]:
    """What a planner looks at first: how many grids, how many in the band, how even the work is.

    Keys: `grids`, `in_band`, `low`, `high`, `no_band`, `households_out` (in grids out of the band),
    `off_band` (sum of the households by which they are), `mean`, `spread` (standard deviation of
    the households of the grids with a band), `workload_spread` (of the index, in points).
    """
    band = table["band"]
    holds = table[(band != NO_BAND).to_numpy(dtype=bool)]
    out = holds[(holds["off_band"] != 0).to_numpy(dtype=bool)]
    many = len(holds) > 0
    return {
        "grids": len(table),
        "in_band": int((band == IN_BAND).sum()),
        "low": int((band == TOO_FEW).sum()),
        "high": int((band == TOO_MANY).sum()),
        "no_band": int((band == NO_BAND).sum()),
        "households_out": int(out["households"].sum()),
        "off_band": float(holds["off_band"].abs().sum()),
        "mean": float(holds["households"].mean()) if many else float("nan"),
        "spread": float(holds["households"].std(ddof=0)) if many else float("nan"),
        "workload_spread": float(table["workload"].std(ddof=0)),
    }
