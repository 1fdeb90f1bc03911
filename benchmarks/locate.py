"""Measure `geo.locate.GridIndex` beside its peers, on one core, and check the bars of the project.

    python benchmarks/locate.py                 # 1M points on 1,333 and 10,000 grids, two minutes
    python benchmarks/locate.py --ten-million   # and 10M points; needs 6 GB and ten minutes more

All figures are CPU seconds, medians of 5, the methods taking turns so that each sees the same
load. Building point geometries is not counted, which favours the peers. Compiling is not counted:
the compiled code is cached on disk. The last lines say which bars hold; exit code 1 if one fails.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import shapely  # noqa: E402
from locate_data import make_grids, make_points  # noqa: E402

from geo.locate import GridIndex  # noqa: E402

REPEATS = 5
MILLION = 1_000_000


def measure(jobs: dict[str, Callable[[], Any]], repeats: int = REPEATS) -> dict[str, float]:
    """Run the jobs in turns and return the median CPU seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            gc.collect()
            start = time.process_time()
            job()
            taken[name].append(time.process_time() - start)
    return {name: median(times) for name, times in taken.items()}


def within(grids: gpd.GeoDataFrame, points: gpd.GeoDataFrame) -> Callable[[], Any]:
    return lambda: gpd.sjoin(points, grids, predicate="within")


def as_frame(grids: gpd.GeoDataFrame, x: np.ndarray, y: np.ndarray) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=grids.crs)


def swaps(grids: gpd.GeoDataFrame, count: int, seed: int) -> list[gpd.GeoDataFrame]:
    """Draw pairs of neighbours that swap places and swap back: a redraw of two whole grids."""
    random = np.random.default_rng(seed)
    shapes = np.array(grids.geometry.array, dtype=object)
    tree = shapely.STRtree(shapes)
    out = []
    for row in random.choice(len(shapes), count, replace=False):
        other = tree.query(shapes[row], predicate="touches")[0]
        pair = [row, other]
        for shapes_now in (shapes[pair[::-1]], shapes[pair]):
            out.append(
                gpd.GeoDataFrame(geometry=shapes_now, index=grids.index[pair], crs=grids.crs)
            )
    return out


def measure_redraws(
    index: GridIndex, redraws: list[gpd.GeoDataFrame], repeats: int = REPEATS
) -> float:
    """Redraw again and again, as a planner does who drags a line; return the median CPU seconds."""
    taken = []
    for changed in redraws * repeats:
        start = time.process_time()
        index.replace(changed)
        taken.append(time.process_time() - start)
    return median(taken)


def check(grids: gpd.GeoDataFrame, index: GridIndex, x: np.ndarray, y: np.ndarray) -> str:
    """Compare every answer with shapely: off the lines equal, on the lines one that touches."""
    rows = index.assign(x, y)
    tree = shapely.STRtree(grids.geometry.values)
    points = shapely.points(x, y)
    at, row = tree.query(points, predicate="intersects")
    counts = np.bincount(at, minlength=len(x))
    wrong = np.count_nonzero((counts == 0) != (rows < 0))
    pairs = set(zip(at[counts[at] > 1].tolist(), row[counts[at] > 1].tolist(), strict=True))
    wrong += np.count_nonzero(rows[at[counts[at] == 1]] != row[counts[at] == 1])
    shared = np.flatnonzero(counts > 1)
    wrong += sum((i, rows[i]) not in pairs for i in shared.tolist())
    return f"{len(x):,} points, {len(shared):,} on shared lines: {wrong} differ from shapely"


def run(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ten-million", action="store_true")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    say(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ")
    say(
        f"geopandas {gpd.__version__}, shapely {shapely.__version__}, load {os.getloadavg()[0]:.1f}"
    )
    bars: list[tuple[str, float, float, bool]] = []

    city = make_grids(1333, seed=1)
    large = make_grids(10_000, seed=1)
    x, y = make_points(city, MILLION, seed=2)
    x_large, y_large = make_points(large, MILLION, seed=2)
    index, index_large = GridIndex(city), GridIndex(large)
    say(check(city, index, x, y))
    say(check(large, index_large, x_large, y_large))

    points = as_frame(city, x, y)
    by_place = np.lexsort((x // 200, y // 200))
    x_sorted, y_sorted = x[by_place], y[by_place]
    tree = shapely.STRtree(city.geometry.values)
    taken = measure(
        {
            "1M, 1,333 grids": lambda: index.assign(x, y),
            "1M, 10,000 grids": lambda: index_large.assign(x_large, y_large),
            "1M in spatial order": lambda: index.assign(x_sorted, y_sorted),
            "geopandas.sjoin within, 1M": within(city, points),
            "shapely STRtree intersects, 1M": lambda: tree.query(
                points.geometry.values, predicate="intersects"
            ),
            "build, 1,333 grids": lambda: GridIndex(city),
            "build, 10,000 grids": lambda: GridIndex(large),
        },
        options.repeats,
    )
    for name, seconds in taken.items():
        per = "" if name.startswith("build") else f"{1 / seconds:8.2f} M points/s"
        say(f"{name:34} {seconds * 1e3:10.1f} ms {per}")
    ours, peer = taken["1M, 1,333 grids"], taken["geopandas.sjoin within, 1M"]
    redraw = measure_redraws(index, swaps(city, 12, seed=3), options.repeats)
    say(f"{'redraw of two grids':34} {redraw * 1e3:10.2f} ms")
    say(f"{'memory, 1,333 grids':34} {index.nbytes / 1e6:10.1f} MB")
    say(f"{'memory, 10,000 grids':34} {index_large.nbytes / 1e6:10.1f} MB")
    bars += [
        ("times faster than sjoin, 1M (>= 40, aim 60)", peer / ours, 40, True),
        ("10,000 grids slower by (<= 1.35)", taken["1M, 10,000 grids"] / ours, 1.35, False),
        ("build / sjoin of 1M (<= 0.25)", taken["build, 1,333 grids"] / peer, 0.25, False),
        ("memory, MB (<= 60)", index.nbytes / 1e6, 60, False),
        ("build / redraw (>= 80)", taken["build, 1,333 grids"] / redraw, 80, True),
    ]
    if options.ten_million:
        x, y = make_points(city, 10 * MILLION, seed=4)
        points = as_frame(city, x, y)
        taken = measure(
            {
                "10M, 1,333 grids": lambda: index.assign(x, y),
                "geopandas.sjoin within, 10M": within(city, points),
            },
            options.repeats,
        )
        for name, seconds in taken.items():
            say(f"{name:34} {seconds * 1e3:10.1f} ms {10 / seconds:8.2f} M points/s")
        ours, peer = taken.values()
        bars.append(("times faster than sjoin, 10M (>= 60, aim 100)", peer / ours, 60, True))
    say("")
    failed = 0
    for name, value, bar, at_least in bars:
        holds = value >= bar if at_least else value <= bar
        failed += not holds
        say(f"{'holds' if holds else 'FAILS':6} {value:8.2f}  {name}")
    return 1 if failed else 0


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(run())
