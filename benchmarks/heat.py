"""What heat costs with ten thousand and with ten million cases, in one run.

    python benchmarks/heat.py [--cases 10000 10000000] [--grids 3311] [--bandwidth 300]

Squares of 316 m as grids (seed-free), cases half spread evenly, half around 200 places (seed 9), a
year of days. Times are the median of several, except where "first" stands.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import time
from collections.abc import Callable

import geopandas as gpd
import numpy as np
import shapely

from geo.heat import (
    HeatPoints,
    heat_points,
    make_ground,
    read_tile,
    smooth_density,
    smooth_frames,
    summarise_heat,
)
from geo.locate import GridIndex
from layers.heat_image import draw_heat, heat_scale

SIDE = 316.0


def city_of(count: int) -> gpd.GeoDataFrame:
    """About so many squares near Chongqing, in EPSG:4544 (central meridian 105)."""
    columns = math.ceil(math.sqrt(count))
    west, south = 560_000.0, 3_270_000.0
    cells = [
        shapely.box(
            west + c * SIDE, south + r * SIDE, west + (c + 1) * SIDE, south + (r + 1) * SIDE
        )
        for r in range(math.ceil(count / columns))
        for c in range(columns)
    ]
    return gpd.GeoDataFrame(geometry=cells[:count], crs="EPSG:4544")


def cases_of(grids: gpd.GeoDataFrame, count: int) -> HeatPoints:
    """Cases over a year."""
    rng = np.random.default_rng(9)
    west, south, east, north = grids.total_bounds
    half = count // 2
    places = rng.uniform((west, south), (east, north), (200, 2))
    near = places[rng.integers(0, 200, count - half)] + rng.normal(0, 150, (count - half, 2))
    spread = rng.uniform((west, south), (east, north), (half, 2))
    x, y = np.concatenate([spread, near]).T
    return heat_points(
        x, y, 20_000 + rng.integers(0, 365, count), rng.integers(0, 24, count),
        rng.integers(0, 60, count), GridIndex(grids).assign(x, y),
    )  # fmt: skip


def median_ms(work: Callable[[], object], times: int = 7) -> float:
    """Median of some runs, milliseconds."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append((time.perf_counter() - begun) * 1000)
    return round(statistics.median(spent), 1)


def tile_of(grids: gpd.GeoDataFrame, zoom: int) -> tuple[int, int, int]:
    """The tile in the middle of the city."""
    middle = gpd.GeoSeries([shapely.box(*grids.total_bounds).centroid], crs=grids.crs)
    lon, lat = middle.to_crs("EPSG:4326").iloc[0].coords[0]
    x = int((lon + 180) / 360 * 2**zoom)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom)
    return zoom, x, y


def main() -> None:
    """Time each number of cases and print one line of JSON for it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cases", type=int, nargs="+", default=[10_000, 10_000_000])
    options.add_argument("--grids", type=int, default=3311)
    options.add_argument("--bandwidth", type=float, default=300.0)
    told = options.parse_args()
    grids = city_of(told.grids)
    begun = time.perf_counter()
    ground = make_ground(grids, bandwidth_m=told.bandwidth)
    laid = (time.perf_counter() - begun) * 1000
    small = cases_of(grids, 1000)
    draw_heat(*read_tile(smooth_density(small, ground), *tile_of(grids, 13)), heat_scale(1, "day"))
    for count in told.cases:
        points = cases_of(grids, count)
        begun = time.perf_counter()
        surface = smooth_density(points, ground)
        scale = heat_scale(surface.top, "day")

        def draw(zoom: int = 13, size: int = 256) -> bytes:
            tile = tile_of(grids, zoom)
            return draw_heat(*read_tile(surface, *tile, size=size), scale)  # noqa: B023

        draw()
        first = (time.perf_counter() - begun) * 1000
        frames = time.perf_counter()
        for _ in smooth_frames(points, ground, by="hour"):
            pass
        frames = (time.perf_counter() - frames) * 1000 / 24
        print(
            json.dumps(
                {
                    "cases": count, "grids": len(grids), "cells": ground.inside.size,
                    "cell_m": ground.cell_m, "ground_ms": round(laid),
                    "first_tile_ms": round(first), "tile_ms": median_ms(draw),
                    "tile_512_ms": median_ms(lambda: draw(size=512)),
                    "tile_zoom_11_ms": median_ms(lambda: draw(11)),
                    "summary_ms": median_ms(lambda: summarise_heat(surface)),  # noqa: B023
                    "frame_ms": round(frames),
                    "bytes_a_case": round(points.nbytes / count, 1),
                    "most_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                    "cpus": os.cpu_count(),
                    "load": [round(part, 1) for part in os.getloadavg()],
                }
            ),
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
