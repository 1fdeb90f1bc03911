"""Gi* with conditional permutations against esda, same grids, same counts, same run.

    python benchmarks/hotspots.py [--grids 3311] [--slices 52] [--permutations 999] [--esda 3]

Grids are Voronoi cells of random points (seed 7), counts Poisson (seed 8). esda is timed on the
first `--esda` slices after one to warm up, both with its default of all cores and keeping no
simulations, and its time for all slices is those times slices / esda.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.hotspots import contiguity_weights, find_emerging, permute_g_star


def grids_of(count: int) -> gpd.GeoDataFrame:
    """Irregular grids of about 0.1 km² each."""
    rng = np.random.default_rng(7)
    side = 316.0 * count**0.5
    square = shapely.box(0, 0, side, side)
    points = shapely.multipoints(rng.uniform(0, side, (count, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square))
    return gpd.GeoDataFrame(geometry=shapely.intersection(cells, square), crs="EPSG:4547")


def time_esda(
    values: np.ndarray, near: dict[int, list[int]], permutations: int, some: int
) -> float:
    """Seconds that esda takes for some slices."""
    from esda.getisord import G_Local
    from libpysal.weights import W

    def run(column: np.ndarray) -> None:
        G_Local(
            column, W(near, silence_warnings=True), transform="B", star=True,
            permutations=permutations, seed=1, keep_simulations=False,
        )  # fmt: skip

    run(values[:, 0])
    begun = time.perf_counter()
    for k in range(some):
        run(values[:, k])
    return time.perf_counter() - begun


def main() -> None:
    """Time both and print one line of JSON."""
    warnings.simplefilter("ignore")
    options = argparse.ArgumentParser(description=__doc__)
    for name, default in (("grids", 3311), ("slices", 52), ("permutations", 999), ("esda", 3)):
        options.add_argument(f"--{name}", type=int, default=default)
    told = options.parse_args()
    grids = grids_of(told.grids)
    begun = time.perf_counter()
    weights = contiguity_weights(grids)
    weighed = time.perf_counter() - begun
    counts = np.random.default_rng(8).poisson(2.0, (told.grids, told.slices))
    table = pd.DataFrame(counts, index=grids.index)
    permute_g_star(table.iloc[:, :2], weights, rng=np.random.default_rng(0), permutations=9)
    find_emerging(table.iloc[:, :3], weights)
    begun = time.perf_counter()
    permute_g_star(table, weights, rng=np.random.default_rng(1), permutations=told.permutations)
    ours = time.perf_counter() - begun
    begun = time.perf_counter()
    find_emerging(table, weights)
    emerging = time.perf_counter() - begun
    near = {
        k: weights.other[a:b].tolist()
        for k, (a, b) in enumerate(zip(weights.start[:-1], weights.start[1:], strict=True))
    }
    theirs = time_esda(counts.astype(float), near, told.permutations, told.esda)
    theirs *= told.slices / told.esda
    print(
        json.dumps(
            {
                "grids": told.grids, "slices": told.slices, "permutations": told.permutations,
                "neighbours": round(float(weights.cards.mean()), 2),
                "weights_s": round(weighed, 2), "permutations_s": round(ours, 2),
                "emerging_s": round(emerging, 2), "esda_s": round(theirs, 1),
                "ratio": round(theirs / ours, 1), "cpus": os.cpu_count(),
                "load": [round(part, 1) for part in os.getloadavg()],
                "python": platform.python_version(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
