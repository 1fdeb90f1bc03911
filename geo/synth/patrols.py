"""GPS fixes of patrols: three rounds a day on the streets of a grid, as real phones report them.

A worker walks the streets of one's own grid, those not yet walked first. The phone drifts, loses
the sky for some minutes, throws a wild position now and then, and dies with its battery; a few
rounds are missed. A gap in the fixes is therefore no proof of absence.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.signal import lfilter

from geo.synth.assets import STREETS, on_land
from geo.synth.blocks import Ground
from geo.synth.incidents import ZONE
from geo.synth.plan import Plan
from geo.synth.presets import Preset

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDS = (8, 12, 18)
"""Hours of the local day at which rounds begin; each lasts an hour."""
ROUND_S = 3600
DRIFT_M = 4.0
WILD_M = 140.0
"""No fix is farther from where the worker was than about this."""


class _Beat:
    """The streets of one grid as a graph to walk on."""

    def __init__(self, ground: Ground, edges: Ints) -> None:
        self.lines = {int(e): shapely.get_coordinates(ground.edges[e]) for e in edges}
        self.length = {int(e): float(ground.length[e]) for e in edges}
        self.ends: dict[int, list[tuple[int, int, bool]]] = {}
        for e in edges:
            a, b = int(ground.start[e]), int(ground.end[e])
            self.ends.setdefault(a, []).append((int(e), b, True))
            self.ends.setdefault(b, []).append((int(e), a, False))

    def walk(self, rng: np.random.Generator, length_m: float) -> Reals:
        """Points of a walk of at least that length; streets not yet walked first."""
        nodes = list(self.ends)
        node = nodes[int(rng.integers(len(nodes)))]
        seen: dict[int, int] = {}
        points, done = [], 0.0
        while done < length_m:
            ways = self.ends[node]
            fewest = min(seen.get(way[0], 0) for way in ways)
            fresh = [way for way in ways if seen.get(way[0], 0) == fewest]
            edge, node, forward = fresh[int(rng.integers(len(fresh)))]
            seen[edge] = seen.get(edge, 0) + 1
            line = self.lines[edge]
            points.append(line if forward else line[::-1])
            done += self.length[edge]
        return np.concatenate(points)


def _beats(ground: Ground, plan: Plan, grids: set[int]) -> dict[int, _Beat]:
    edges = on_land(ground)
    edges = edges[np.isin(ground.edge_class[edges], STREETS)]
    pairs = []
    for side in (ground.left, ground.right):
        block = side[edges]
        ok = block >= 0
        pairs.append(np.column_stack([plan.grid[block[ok]], edges[ok]]))
    table = np.unique(np.concatenate(pairs), axis=0)
    groups = np.split(table[:, 1], np.flatnonzero(np.diff(table[:, 0])) + 1)
    return {
        int(grid): _Beat(ground, group)
        for grid, group in zip(np.unique(table[:, 0]), groups, strict=True)
        if int(grid) in grids
    }


def walk_rounds(
    rng: np.random.Generator,
    preset: Preset,
    ground: Ground,
    plan: Plan,
    patrols: pd.Series,
    *,
    at: datetime,
) -> pd.DataFrame:
    """Fixes in metres: worker_id, second (epoch), x, y, accuracy_m, speed_kmh, mock, source.

    `patrols` is the number of the grid of each worker, indexed by worker_id. Nothing is later
    than `at`; if no round of today has begun, the days before are there all the same.
    """
    beats = _beats(ground, plan, set(patrols.astype(int)))
    today = at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    first = preset.fix_days - (1 if at.astimezone(ZONE) >= today.replace(hour=8, minute=10) else 0)
    parts: list[tuple[int, Ints, Reals, Reals, bool]] = []
    for row, grid in enumerate(patrols.astype(int)):
        beat = beats.get(int(grid))
        if beat is None:
            continue
        fake = rng.random() < 0.004
        for back in range(first, -1, -1):
            begin = int((today - timedelta(days=back)).timestamp())
            parts += _walk_day(rng, preset, row, beat, begin, int(at.timestamp()), fake)
    return _assemble(rng, parts, patrols.index)


def _walk_day(
    rng: np.random.Generator,
    preset: Preset,
    row: int,
    beat: _Beat,
    midnight: int,
    end: int,
    fake: bool,
) -> list[tuple[int, Ints, Reals, Reals, bool]]:
    parts = []
    for hour in ROUNDS:
        start = midnight + hour * 3600 + int(rng.integers(-240, 420))
        missed, dead, gap = rng.random(3)
        if missed < 0.05 or start > end:
            continue
        step = preset.fix_interval_s
        second = start + np.arange(0, ROUND_S, step)
        second = second + rng.integers(0, max(1, step // 3), len(second))
        keep = second <= end
        if dead < 0.03:
            keep &= second < start + ROUND_S * rng.uniform(0.15, 0.8)
        if gap < 0.3:
            hole = start + ROUND_S * rng.uniform(0.1, 0.8)
            keep &= (second < hole) | (second > hole + rng.uniform(240, 720))
        pace = rng.uniform(0.85, 1.25)
        # Stops to look and to talk: a third of the minutes without a step.
        walking = np.cumsum(np.where(rng.random(len(second)) < 0.7, step * pace, 0.0))
        points = beat.walk(rng, float(walking[-1]))
        gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        x, y = np.interp(walking, gone, points[:, 0]), np.interp(walking, gone, points[:, 1])
        if keep.any():
            parts.append((row, second[keep], x[keep], y[keep], fake))
        if dead < 0.03:
            break
    return parts


def _assemble(
    rng: np.random.Generator, parts: list[tuple[int, Ints, Reals, Reals, bool]], ids: pd.Index
) -> pd.DataFrame:
    """One table with drift (an AR(1) walk), noise and wild positions."""
    columns = ["worker_id", "second", "x", "y", "accuracy_m", "speed_kmh", "mock", "source"]
    if not parts:
        return pd.DataFrame({name: [] for name in columns})
    size = [len(part[1]) for part in parts]
    row = np.repeat([part[0] for part in parts], size)
    second, x, y = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    mock = np.repeat([part[4] for part in parts], size)
    n, keep = len(row), 0.85
    drift = lfilter([np.sqrt(1 - keep**2) * DRIFT_M], [1, -keep], rng.normal(size=(2, n)), axis=1)
    wild = (rng.random(n) < 0.004) * rng.uniform(40, WILD_M - 40, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    fault = 1.0 - mock
    noise = np.clip(drift + rng.normal(0, 1.5, (2, n)), -25, 25) * fault
    new_x = x + noise[0] + wild * np.cos(angle) * fault
    new_y = y + noise[1] + wild * np.sin(angle) * fault
    step = np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0]))
    lapse = np.maximum(np.diff(second, prepend=second[0] - 60), 1)
    speed = np.where((lapse > 0) & (lapse < 600), step / lapse * 3.6, 0.0)
    accuracy = np.where(wild > 0, wild * 1.1, np.abs(rng.normal(8, 3, n)) + 2)
    return pd.DataFrame(
        {
            "worker_id": np.asarray(ids)[row],
            "second": second,
            "x": new_x,
            "y": new_y,
            "accuracy_m": np.round(accuracy, 1),
            "speed_kmh": np.round(np.clip(speed + np.abs(rng.normal(0, 0.4, n)), 0, 9), 1),
            "mock": mock,
            "source": np.where(row % 4 == 0, "owntracks", "osmand"),
        }
    )
