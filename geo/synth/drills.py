"""Drills: patrols whose truth is known, to measure what `geo.rounds` makes of their phones.

Grids are squares of 200 m on a lattice of streets of 100 m, with an asset at the middle of some. Of
each grid and round it is drawn what really happened; then the phones are drawn, with noise, drift,
gaps, batteries that die and phones left in a drawer.

    walked   somebody of the grid walks the whole round, with small gaps
    missed   all are elsewhere, at least AWAY_M from the grid, with their phones on
    short    somebody walks for 12 to 22 minutes, then leaves
    outage   somebody walks the whole round, and the phone says nothing, or a few minutes only
    dead     the same, and the phone stays silent for the rest of the day
    vague    the same, and the phone says that it may be off by 150 m
    mock     the same, and the phone says that its positions are made up
    drawer   a phone lies in the grid

In all but `walked` the other workers of the grid are elsewhere with their phones on, or silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from scipy.signal import lfilter

from geo._fixes_tracks import micros

Reals = npt.NDArray[np.float64]

KINDS = ("walked", "missed", "short", "outage", "dead", "vague", "mock", "drawer")
SILENT_KINDS = ("outage", "dead", "vague", "mock")
"""Rounds that were done, and whose phones cannot say so."""

SIDE_M, BLOCK_M = 200.0, 100.0
AWAY_M = 80.0
"""How far from their grid people are when they are elsewhere: beyond what counts as near."""

PACE_MS = (0.8, 1.4)
"""Slow and brisk walking: 0.8 m/s is a stroll, 1.4 the preferred speed (Browning et al. 2006)."""

STARTS = (("morning", 8), ("noon", 12), ("evening", 18))
ZONE = ZoneInfo("Asia/Shanghai")
ROUND_S = 3600


@dataclass(frozen=True, eq=False)
class Drill:
    """Drawn patrols of one day with their truth."""

    grids: GeoDataFrame
    assets: GeoDataFrame
    """One class, 0113, in the CRS of the grids."""
    posts: pd.Series
    fixes: pd.DataFrame
    """`worker_id`, `time`, `x`, `y`, `accuracy_m`, `mock`, in no order."""
    day: date
    truth: pd.DataFrame
    """`grid_id`, `shift`, `kind`: one of KINDS."""
    visits: pd.DataFrame
    """Of rounds that were walked with the phone on: `grid_id`, `shift`, `place_id`, `truth`: visit
    (stood there for 75 to 240 s), pass (came within 12 m and went on), far (never within 60 m)."""

    @property
    def night(self) -> datetime:
        """After the last round."""
        return datetime.combine(self.day, time(23), tzinfo=ZONE)


def draw_drill(
    rng: np.random.Generator,
    *,
    side: int = 6,
    workers: int = 2,
    noise_m: float = 10.0,
    drift_share: float = 0.5,
    step_s: float = 10.0,
    kinds: tuple[str, ...] = KINDS,
    day: date = date(2026, 11, 21),
) -> Drill:
    """Draw a drill.

    Parameters
    ----------
    side
        Grids along one side.
    workers
        At most so many of a grid.
    noise_m
        Standard deviation of each coordinate.
    drift_share
        How much of its variance drifts (half a minute long); the rest is new with each fix.
    step_s
        Seconds between two fixes.
    kinds
        What is drawn from.
    """
    town = _Town(rng, side)
    posts: dict[str, str] = {}
    parts: list[pd.DataFrame] = []
    truth: list[tuple[str, str, str]] = []
    visits: list[tuple[str, str, str, str]] = []
    phone = _Phone(rng, noise_m, drift_share, step_s)
    for grid in town.grids.index:
        crew = [f"{grid}-{k}" for k in range(int(rng.integers(1, workers + 1)))]
        posts |= dict.fromkeys(crew, str(grid))
        is_dead = False
        for shift, hour in STARTS:
            kind = "outage" if is_dead else str(rng.choice(list(kinds)))
            is_dead |= kind == "dead"
            truth.append((str(grid), shift, kind))
            begin = datetime.combine(day, time(hour), tzinfo=ZONE).timestamp()
            walk = town.walk(rng, str(grid), begin)
            parts += _draw_round(rng, town, phone, crew, kind, walk, begin, is_dead)
            if kind == "walked":
                visits += [(str(grid), shift, place, what) for place, what in walk.told.items()]
    fixes = pd.concat(parts, ignore_index=True)
    return Drill(
        town.grids,
        town.assets,
        pd.Series(posts, name="grid_id"),
        fixes.sample(frac=1, random_state=int(rng.integers(2**31)), ignore_index=True),
        day,
        pd.DataFrame(truth, columns=["grid_id", "shift", "kind"]),
        pd.DataFrame(visits, columns=["grid_id", "shift", "place_id", "truth"]),
    )


@dataclass(frozen=True, eq=False)
class _Walk:
    """Where somebody truly was: corner points with their times, straight in between."""

    second: Reals
    x: Reals
    y: Reals
    told: dict[str, str]
    """What this walk was to each asset of the grid."""

    def at(self, second: Reals) -> tuple[Reals, Reals]:
        return np.interp(second, self.second, self.x), np.interp(second, self.second, self.y)


class _Town:
    def __init__(self, rng: np.random.Generator, side: int) -> None:
        number = np.arange(side * side)
        x, y = number % side * SIDE_M, number // side * SIDE_M
        self.side = side
        self.grids = gpd.GeoDataFrame(
            {"grid_id": [f"g{k:04d}" for k in number]},
            geometry=shapely.box(x, y, x + SIDE_M, y + SIDE_M),
            crs="EPSG:4547",
        ).set_index("grid_id")
        self.corner = dict(zip(self.grids.index, zip(x, y, strict=True), strict=True))
        ids, spots = [], []
        for grid, (west, south) in self.corner.items():
            # Two streets cross in the middle of a grid; an asset stands by the half of each.
            for k, (dx, dy) in enumerate([(50, 100), (150, 100), (100, 50), (100, 150)]):
                ids.append(f"{grid}-a{k}")
                off = rng.uniform(2, 5)
                spots.append((west + dx + (off if dx == 100 else 0), south + dy + off))
        self.assets = gpd.GeoDataFrame(
            {"asset_id": ids, "class_code": "0113"},
            geometry=shapely.points(spots),
            crs="EPSG:4547",
        ).set_index("asset_id")
        self.spots = dict(zip(ids, spots, strict=True))

    def walk(self, rng: np.random.Generator, grid: str, begin: float) -> _Walk:
        """A walk of a round along the streets in and around a grid, with stops at some assets."""
        west, south = self.corner[grid]
        mine = [f"{grid}-a{k}" for k in range(4)]
        wanted = {place for place in mine if rng.random() < 0.5}
        pace = rng.uniform(*PACE_MS)
        node = np.array([1, 1])
        second, points = [begin - 120.0], [(west + 100.0, south + 100.0)]
        # Some keep to the streets around and never come to the middle again.
        shy = rng.random() < 0.3
        visited: set[str] = set()
        while second[-1] < begin + ROUND_S + 120:
            step = _steps(node)[int(rng.integers(len(_steps(node))))]
            after = node + step
            if shy and (after == 1).all():
                continue
            here, there = (np.array([west, south]) + n * BLOCK_M for n in (node, after))
            for place in mine:
                spot = np.array(self.spots[place])
                is_by = np.hypot(*(spot - (here + there) / 2)) < 10
                if is_by and place in wanted and place not in visited and second[-1] > begin + 60:
                    visited.add(place)
                    second.append(second[-1] + float(np.hypot(*(spot - here))) / pace)
                    points.append(tuple(spot))
                    second.append(second[-1] + float(rng.uniform(75, 240)))
                    points.append(tuple(spot))
                    here = spot
            second.append(second[-1] + float(np.hypot(*(there - here))) / pace)
            points.append(tuple(there))
            if rng.random() < 0.15:
                # A talk at a corner, 50 m from any asset.
                second.append(second[-1] + float(rng.uniform(30, 240)))
                points.append(tuple(there))
            node = after
        x, y = np.array(points).T
        walk = _Walk(np.array(second), x, y, {})
        for place in mine:
            what = self._judge(walk, place, place in visited, begin)
            if what:
                walk.told[place] = what
        return walk

    def _judge(self, walk: _Walk, place: str, visited: bool, begin: float) -> str:
        t = np.arange(begin, begin + ROUND_S, 1.0)
        x, y = walk.at(t)
        far = np.hypot(x - self.spots[place][0], y - self.spots[place][1])
        if visited:
            return "visit" if (far < 1).sum() >= 75 else ""
        # Who passes at the very edge of the round, or now near and now not, proves nothing.
        return "pass" if far.min() < 12 else "far" if far.min() > 60 else ""

    def away(self, rng: np.random.Generator, grid: str, begin: float) -> _Walk:
        """Somebody about at least AWAY_M from the grid."""
        west, south = self.corner[grid]
        angle = rng.uniform(0, 2 * np.pi)
        far = SIDE_M * 0.71 + AWAY_M + rng.uniform(30, 1500)
        x = west + 100 + far * np.cos(angle)
        y = south + 100 + far * np.sin(angle)
        count = 60
        second = begin + np.linspace(-120, ROUND_S + 120, count)
        still = rng.random() < 0.5
        gone = np.zeros((count, 2)) if still else rng.uniform(-30, 30, (count, 2))
        return _Walk(second, x + gone[:, 0], y + gone[:, 1], {})


def _steps(node: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    found = [np.array(s) for s in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    return [s for s in found if ((node + s >= 0) & (node + s <= 2)).all()]


class _Phone:
    def __init__(
        self, rng: np.random.Generator, noise_m: float, drift_share: float, step_s: float
    ) -> None:
        self.rng, self.step_s = rng, step_s
        self.drift_m = noise_m * np.sqrt(drift_share)
        self.white_m = noise_m * np.sqrt(1 - drift_share)

    def report(
        self, worker: str, walk: _Walk, begin: float, end: float, *, vague: bool = False,
        mock: bool = False,
    ) -> pd.DataFrame:  # fmt: skip
        """Fixes from one moment to before another."""
        rng = self.rng
        second = np.arange(begin + rng.uniform(0, self.step_s), end, self.step_s)
        x, y = walk.at(second)
        n, keep = len(second), float(np.exp(-self.step_s / 30.0))
        push = rng.normal(0, self.drift_m * np.sqrt(1 - keep**2), (2, n))
        drift = lfilter([1.0], [1.0, -keep], push, axis=1) if n else push
        noise = drift + rng.normal(0, self.white_m, (2, n)) + vague * rng.normal(0, 60, (2, n))
        return pd.DataFrame(
            {
                "worker_id": worker,
                "time": pd.DatetimeIndex((second * 1e3).astype("datetime64[ms]"), tz="UTC"),
                "x": x + noise[0],
                "y": y + noise[1],
                "accuracy_m": 150.0 if vague else 12.0,
                "mock": mock,
            }
        )


def _draw_round(
    rng: np.random.Generator, town: _Town, phone: _Phone, crew: list[str], kind: str, walk: _Walk,
    begin: float, is_dead: bool,
) -> list[pd.DataFrame]:  # fmt: skip
    end = begin + ROUND_S
    first, others = crew[0], crew[1:]
    grid = first.rpartition("-")[0]
    parts = []
    for other in others:
        if kind == "missed" or rng.random() < 0.6:
            parts.append(phone.report(other, town.away(rng, grid, begin), begin, end))
    if kind == "walked":
        track = phone.report(first, walk, begin, end)
        for _ in range(int(rng.integers(0, 3))):
            hole = begin + rng.uniform(0, ROUND_S - 420)
            track = _without(track, hole, hole + rng.uniform(60, 420))
        parts.append(track)
    elif kind == "missed":
        parts.append(phone.report(first, town.away(rng, grid, begin), begin, end))
    elif kind == "short":
        leaves = begin + rng.uniform(13, 21) * 60
        parts.append(phone.report(first, walk, begin, leaves))
        parts.append(phone.report(first, town.away(rng, grid, begin), leaves + 120, end))
    elif kind == "outage" and not is_dead and rng.random() < 0.5:
        heard = begin + rng.uniform(0, 50) * 60
        parts.append(phone.report(first, walk, heard, heard + rng.uniform(1, 8) * 60))
    elif kind == "dead":
        parts.append(phone.report(first, walk, begin, begin + rng.uniform(0, 18) * 60))
    elif kind in ("vague", "mock"):
        is_vague = kind == "vague"
        parts.append(phone.report(first, walk, begin, end, vague=is_vague, mock=not is_vague))
    elif kind == "drawer":
        west, south = town.corner[grid]
        x, y = west + rng.uniform(30, 170), south + rng.uniform(30, 170)
        still = _Walk(np.array([begin, end]), np.array([x, x]), np.array([y, y]), {})
        parts.append(phone.report(first, still, begin, end))
    return parts


def _without(track: pd.DataFrame, begin: float, end: float) -> pd.DataFrame:
    second = micros(track["time"]) / 1e6
    return track[(second < begin) | (second > end)]
