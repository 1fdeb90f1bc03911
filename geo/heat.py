"""Where cases are dense, honestly: the same on every zoom, against homes and against effort.

- **A bandwidth in metres on the ground.** The surface of a choice is worked out once, on fine cells
  of the city; tiles of every zoom read from it. Points are binned linearly (Wand 1994) and smoothed
  by a fast Fourier transform (Silverman 1982), so ten million cost what ten thousand cost, after
  they were counted once.
- **The border of the city** is no falling-off: the sum of kernels at a place is divided by the
  share of the kernel there that lies inside (Diggle 1985), so cases spread evenly give an even
  surface up to the border. What lies outside of all grids is counted apart. Figures of grids and
  hexagons are counts and add up; a surface adds up but for the cases near the border.
- **Per 1,000 households** is a ratio of two surfaces of the same kernel (Bithell 1990; Kelsall &
  Diggle 1995). Where the kernel sees fewer than LEAST_HOUSEHOLDS homes there is no rate. Grids that
  do not know their households take part neither above nor below the line.
- **Against patrol effort.** More rounds find more. Cases expected by effort are all cases shared
  out by the minutes walked, smoothed by the same kernel; the ratio of found to expected is shrunken
  as Clayton & Kaldor (1987) do it, since a place where few rounds were made says little. Nobody
  corrects what was never looked at: there the map is empty, not cold. It means what it says for
  cases that patrols found; choose those by their source.
- **How sure.** The variance of the surface is the sum of the squared kernels (Poisson cases). Where
  its root is more than UNSURE_RSE of the surface, the place is marked: fewer than about eleven
  cases speak for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from geo._heat_ground import KERNELS as KERNELS
from geo._heat_ground import DegreeFinder as DegreeFinder
from geo._heat_ground import Finder as Finder
from geo._heat_ground import HeatGround as HeatGround
from geo._heat_ground import kernel_reach_m as kernel_reach_m
from geo._heat_ground import kernel_values as kernel_values
from geo._heat_ground import make_ground as make_ground
from geo._heat_hex import find_hexagons as find_hexagons
from geo._heat_hex import hexagon_size as hexagon_size
from geo._heat_hex import share_households as share_households
from geo._heat_points import HeatChoice as HeatChoice
from geo._heat_points import HeatPoints as HeatPoints
from geo._heat_points import bin_points as bin_points
from geo._heat_points import count_frames
from geo._heat_points import count_points as count_points
from geo._heat_points import frame_choices as frame_choices
from geo._heat_points import heat_points as heat_points
from geo._heat_rates import LEAST_EXPECTED as LEAST_EXPECTED
from geo._heat_rates import UNSURE_RSE as UNSURE_RSE
from geo._heat_rates import Prior as Prior
from geo._heat_rates import expect_by_effort as expect_by_effort
from geo._heat_rates import fit_prior as fit_prior
from geo._heat_rates import measure_areas as measure_areas
from geo._heat_rates import poisson_interval as poisson_interval
from geo._heat_rates import shrink_ratio as shrink_ratio
from geo._heat_tile import read_tile as read_tile
from geo.errors import InputError

Measure = Literal["km2", "households", "effort"]
MEASURES: tuple[Measure, ...] = ("km2", "households", "effort")

LEAST_HOUSEHOLDS = 50
"""Homes that the kernel must see for a rate; our assumption: with fewer one case makes 20 per
mille, and it might be told whose."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HeatSurface:
    """What a map of heat shows: a value at every cell and how sure it is; NaN where unknown."""

    ground: HeatGround
    measure: Measure
    value: Floats
    """Per km², per 1,000 households, or times what effort lets expect."""
    rse: Floats
    """Relative standard error; infinite where no case is near."""
    cases: int
    """In the city and in the choice."""
    left_out: int = 0
    """In the choice and in no cell: outside of all grids, without a place or, for a rate, in a grid
    whose households are not known."""
    mean: float = 0.0
    """The value of the whole city."""
    prior: Prior | None = None

    @cached_property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """Cells whose value is shaded as uncertain."""
        return np.asarray((self.value > 0) & (self.rse > UNSURE_RSE))

    @cached_property
    def top(self) -> float:
        """The largest value within the city; 0 where there is none."""
        known = self.value[(self.ground.inside >= 0.5) & np.isfinite(self.value)]
        return float(known.max(initial=0.0))


def smooth_density(
    points: HeatPoints, ground: HeatGround, choice: HeatChoice | None = None
) -> HeatSurface:
    """Density of the chosen cases per km², with its relative standard error."""
    counts, chosen = bin_points(points, ground, choice)
    every = int(count_points(points, points.grid, ground.grids, choice).sum())
    return _per_km2(counts, ground, chosen, every)


def smooth_frames(
    points: HeatPoints, ground: HeatGround, choice: HeatChoice | None = None, *, by: str = "hour"
) -> Iterator[tuple[int, HeatSurface]]:
    """The surfaces of a playback, see `frame_choices`: the points are gone through only once."""
    values, cells, chosen, every = count_frames(points, ground, choice or HeatChoice(), by)
    for k, value in enumerate(values):
        yield value, _per_km2(cells[k], ground, int(chosen[k]), int(every[k]))


def _per_km2(
    counts: npt.NDArray[np.float64], ground: HeatGround, chosen: int, every: int
) -> HeatSurface:
    density, rse = _density(counts, ground)
    mean = chosen / ground.area_km2 if ground.area_km2 else 0.0
    value = _within(density / ground.edge * np.float32(1e6), ground)
    return HeatSurface(ground, "km2", value, rse, chosen, every - chosen, mean)


def rate_by_households(
    points: HeatPoints,
    ground: HeatGround,
    households: npt.ArrayLike,
    choice: HeatChoice | None = None,
) -> HeatSurface:
    """Cases per 1,000 households: two surfaces of one kernel (Bithell 1990).

    Parameters
    ----------
    households
        Of each grid of the ground, NaN where not known; spread evenly over its cells.
    """
    homes = np.asarray(households, dtype=np.float64)
    if len(homes) != len(ground.grids):
        raise InputError(f"households has {len(homes)} numbers for {len(ground.grids)} grids")
    counts, chosen = bin_points(points, ground, choice, known=np.isfinite(homes))
    every = int(count_points(points, points.grid, ground.grids, choice).sum())
    density, rse = _density(counts, ground)
    # At the border both are cut alike, so their quotient needs no correction.
    below = ground.smooth(ground.spread(homes))
    seen = below * np.float32(1e6 * ground.window_km2)
    enough = seen >= LEAST_HOUSEHOLDS
    rate = np.divide(density * 1000, below, out=np.full(density.shape, np.nan), where=enough)
    total = float(np.nansum(homes))
    mean = chosen / total * 1000 if total else 0.0
    return HeatSurface(
        ground, "households", _within(rate.astype(np.float32), ground), rse, chosen,
        every - chosen, mean,
    )  # fmt: skip


def compare_with_effort(
    points: HeatPoints,
    ground: HeatGround,
    effort: npt.NDArray[np.floating[Any]],
    choice: HeatChoice | None = None,
    *,
    power: float = 1.0,
) -> HeatSurface:
    """How many times the cases that effort lets expect were found; 1 is what effort explains.

    Parameters
    ----------
    effort
        Minutes walked, or rounds done, in each cell of the ground; see `HeatGround.spread` for
        figures of grids.
    power
        See `expect_by_effort`.
    """
    if effort.shape != ground.shape:
        raise InputError(f"effort has shape {effort.shape}, the ground {ground.shape}")
    counts, chosen = bin_points(points, ground, choice)
    every = int(count_points(points, points.grid, ground.grids, choice).sum())
    walked = np.where(ground.inside > 0, effort, 0.0)
    window = np.float32(ground.window_km2 * 1e6)
    found = ground.smooth(counts) * window
    expected = ground.smooth(expect_by_effort(np.array([chosen]), walked, power=power)) * window
    step = max(round(2 * ground.bandwidth_m / ground.cell_m), 1)
    apart = (slice(step // 2, None, step),) * 2
    use = (ground.inside[apart] >= 0.5) & (expected[apart] >= LEAST_EXPECTED)
    # Places two bandwidths apart share hardly a case: as good as independent for the prior.
    prior = fit_prior(found[apart][use], expected[apart][use])
    told = expected >= LEAST_EXPECTED
    shape, rate = found + prior.nu, expected + prior.alpha
    ratio = np.where(told, shape / rate, np.nan).astype(np.float32)
    rse = np.where(told, 1 / np.sqrt(shape), np.inf).astype(np.float32)
    return HeatSurface(
        ground, "effort", _within(ratio, ground), rse, chosen, every - chosen, prior.mean, prior
    )


def _density(counts: npt.NDArray[np.float64], ground: HeatGround) -> tuple[Floats, Floats]:
    """Sum of the kernels per m², not corrected for the border, and its relative standard error.

    The error is the same with and without the correction.
    """
    density, variance = ground.smooth_both(counts)
    rse = np.full(density.shape, np.inf, dtype=np.float32)
    np.divide(np.sqrt(variance), density, out=rse, where=(density > 0) & (variance > 0))
    return density, rse


def _within(values: Floats, ground: HeatGround) -> Floats:
    """Values of the city; beyond it only the cells next to its border, for reading between."""
    near = ground.edge > 0.051 if values.size else values
    return np.where(near, values, np.float32(np.nan))


def summarise_heat(surface: HeatSurface) -> dict[str, Any]:
    """What a map of heat shows and how sure that is, in numbers; pages make a sentence of them.

    Returns
    -------
    dict
        `measure`, `bandwidth_m`, `kernel`, `cases`, `left_out`, `area_km2`, `mean` (of the city).
        `peak`: `value`, `low`, `high` (95 %: by the logarithm, from the relative standard error),
        `rse`, `times` (the mean), `x`, `y`, `grid` (id), None where there is no value.
        `half_share`: the smallest share of the city's area that holds half of the cases (of the
        surface per km²). `unsure_share`: share of the city's area that is shaded as uncertain, and
        `unknown_share`: without a value; `unsure_cases`: share of the cases that lie in the former.
    """
    ground = surface.ground
    area = ground.inside.astype(np.float64)
    whole = float(area.sum())
    known = np.isfinite(surface.value) & (area >= 0.5)
    found: dict[str, Any] = {
        "measure": surface.measure, "bandwidth_m": ground.bandwidth_m, "kernel": ground.kernel,
        "cases": surface.cases, "left_out": surface.left_out, "area_km2": ground.area_km2,
        "mean": surface.mean, "peak": None, "half_share": None, "unsure_cases": None,
        "unsure_share": None, "unknown_share": None,
    }  # fmt: skip
    if not whole or not known.any():
        return found
    unsure = surface.unsure & known
    found["unsure_share"] = float(area[unsure].sum() / whole)
    found["unknown_share"] = float(area[~np.isfinite(surface.value)].sum() / whole)
    if not surface.cases:
        return found
    weights = np.where(known, surface.value, 0.0).astype(np.float64) * area
    if surface.measure == "km2" and weights.sum() > 0:
        order = np.argsort(-surface.value[known], kind="stable")
        held = np.cumsum(weights[known][order])
        first = int(np.searchsorted(held, held[-1] / 2))
        found["half_share"] = float(area[known][order][: first + 1].sum() / whole)
        found["unsure_cases"] = float(weights[unsure].sum() / weights.sum())
    found["peak"] = _peak(surface, known)
    return found


def _peak(surface: HeatSurface, known: npt.NDArray[np.bool_]) -> dict[str, Any] | None:
    """The highest place that is sure; the highest of all where none is."""
    ground = surface.ground
    sure = known & ~surface.unsure
    pool = sure if sure.any() else known
    row, column = np.unravel_index(
        int(np.argmax(np.where(pool, surface.value, -np.inf))), surface.value.shape
    )
    value, rse = float(surface.value[row, column]), float(surface.rse[row, column])
    if not value > 0:
        return None
    x, y = ground.place_of(int(row), int(column))
    grid = int(ground.grid[row, column])
    span = float(np.exp(1.96 * np.sqrt(np.log1p(rse**2))))
    return {
        "value": value, "rse": rse, "low": value / span, "high": value * span,
        "times": value / surface.mean if surface.mean else None, "x": x, "y": y,
        "grid": str(ground.grids[grid]) if grid >= 0 else None, "sure": bool(sure.any()),
    }  # fmt: skip
