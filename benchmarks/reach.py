"""How long streets and ground covered by patrols take, beside buffer and union of the same fixes.

A made-up city of 30 x 30 km: 2,236 km of streets around 1,333 grids, 5,000 workers with 10 million
fixes in three shifts. CPU seconds of one core, median of the repeats; the naive way is measured in
the same run, where it can be waited for.

    python benchmarks/reach.py [--fixes 10000000] [--repeats 3] [--naive 2000 10000 40000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._fixes_tracks import to_times
from geo.reach import (
    Reach,
    StreetPieces,
    Walks,
    cut_streets,
    find_walks,
    lay_lines,
    measure_coverage_by,
    measure_reach,
    reach_walks,
)

SIDE_M = 30_000.0
GRIDS = 1_333
STREET_KM = 2_236
WORKERS = 5_000
CRS = "EPSG:4547"
NOISE_M = 8.0
SEED = 1


def make_city(rng: np.random.Generator) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Grids (rectangles of bent sides would change nothing here) and the streets between them."""
    nx = round(GRIDS**0.5)
    ny = -(-GRIDS // nx)
    xs, ys = np.linspace(0, SIDE_M, nx + 1), np.linspace(0, SIDE_M, ny + 1)
    boxes = [shapely.box(xs[i], ys[j], xs[i + 1], ys[j + 1]) for j in range(ny) for i in range(nx)][
        :GRIDS
    ]
    grids = gpd.GeoDataFrame(geometry=boxes, crs=CRS)
    grids.index = pd.Index([f"g{k:04d}" for k in range(len(grids))], name="grid_id")
    # Straight streets both ways, as many as make the length, with edges of about 36 m.
    count = -(-STREET_KM * 1000 // int(SIDE_M))
    at = rng.uniform(0, SIDE_M, count)
    along = np.arange(0, SIDE_M + 1, 36.0)
    lines = [np.column_stack([np.full(len(along), x), along]) for x in at[::2]]
    lines += [np.column_stack([along, np.full(len(along), y)]) for y in at[1::2]]
    bent = [shapely.LineString(line + rng.normal(0, 2, line.shape)) for line in lines]
    roads = gpd.GeoDataFrame({"road_class": ["minor"] * len(bent)}, geometry=bent, crs=CRS)
    return grids, roads


def make_walks(rng: np.random.Generator, roads: gpd.GeoDataFrame, count: int) -> Walks:
    """Workers who walk up and down 2 km of a street in each of three shifts, 8 m of noise."""
    each = -(-count // (3 * WORKERS))
    street = shapely.get_coordinates(roads.geometry.to_numpy()).reshape(len(roads), -1, 2)
    who = np.repeat(np.arange(WORKERS, dtype=np.int32), 3 * each)
    shift = np.tile(np.repeat(np.arange(3, dtype=np.int32), each), WORKERS)
    line = rng.integers(0, len(roads), WORKERS)[who]
    begin = rng.uniform(0, SIDE_M - 2_100, WORKERS * 3).repeat(each)
    second = np.tile(np.arange(each) * (3600 / each), WORKERS * 3)
    gone = np.abs((second * 1.1 + 2_000) % 4_000 - 2_000) + begin
    k = (gone / 36).astype(np.int64)
    t = (gone / 36 - k)[:, None]
    xy = street[line, k] * (1 - t) + street[line, k + 1] * t
    xy += rng.normal(0, NOISE_M, xy.shape)
    micro = ((shift * 14_400 + second) * 1e6).astype(np.int64)
    return Walks(who, micro, xy[:, 0].copy(), xy[:, 1].copy(), shift, pd.Index(["08", "12", "18"]))


def take(repeats: int, job: Callable[[], object]) -> float:
    """Median CPU seconds, after one run that does not count (compiling, sorting the pieces)."""
    job()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        job()
        times.append(time.process_time() - began)
    return statistics.median(times)


def buffer_and_union(walks: Walks, streets: shapely.Geometry, radius: float) -> float:
    """Kilometres of street within the union of the buffers of all steps, arcs as in table 4."""
    shapes = shapely.buffer(
        shapely.linestrings(walks.steps.reshape(-1, 2, 2)), radius, quad_segs=16
    )
    return shapely.intersection(streets, shapely.union_all(shapes)).length / 1000


def first_of(walks: Walks, count: int) -> Walks:
    """Fixes of the first workers, as one group."""
    group = np.zeros(count, dtype=np.int32)
    return Walks(
        walks.who[:count], walks.micro[:count], walks.x[:count], walks.y[:count], group,
        pd.Index(["all"]),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixes", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--naive", type=int, nargs="*", default=[2_000, 10_000, 40_000])
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    grids, roads = make_city(rng)
    began = time.process_time()
    pieces = cut_streets(roads, grids)
    lines = lay_lines(grids)
    once = time.process_time() - began
    km = pieces.length_m.sum() / 1000
    print(f"seed {SEED}, {km:,.0f} km in {len(pieces):,} pieces, {len(grids):,} grids;"
          f" made once for a version of the borders: {once:.2f} s")  # fmt: skip
    walks = make_walks(rng, roads, options.fixes)
    found = take(options.repeats, lambda: measure_coverage_by(grids, pieces, walks, lines=lines))
    print(f"{len(walks):,} fixes, {WORKERS:,} workers, 3 shifts: streets and ground {found:.2f} s")
    only = take(options.repeats, lambda: reach_by_shift(pieces, walks))
    print(f"streets alone, by shift: {only:.2f} s")
    table = pd.DataFrame(
        {"worker_id": walks.who, "time": to_times(walks.micro), "x": walks.x, "y": walks.y}
    )
    label = pd.Series(walks.group)
    from_table = take(1, lambda: find_walks(table, groups=label))
    print(f"before that, a table of fixes sorted and cleaned to walks: {from_table:.2f} s")
    streets = shapely.union_all(roads.geometry.to_numpy())
    for count in options.naive:
        compare(walks, first_of(walks, count), pieces, streets, found, options.repeats)


def reach_by_shift(pieces: StreetPieces, walks: Walks) -> list[Reach]:
    """The streets reached in each shift."""
    return [reach_walks(pieces, replace(walks, group=g)) for g in walks_by_group(walks)]


def walks_by_group(walks: Walks) -> list[np.ndarray]:
    """For each group an array that leaves all others out."""
    return [np.where(walks.group == k, 0, -1).astype(np.int32) for k in range(len(walks.groups))]


def compare(
    walks: Walks, some: Walks, pieces: StreetPieces, streets: shapely.Geometry, found: float,
    repeats: int,
) -> None:  # fmt: skip
    """Buffer and union beside ours on the same fixes."""
    count = len(some)
    ours_km = measure_reach(pieces, some).sum() / 1000
    ours_s = take(repeats, lambda: measure_reach(pieces, some))
    times = []
    for _ in range(repeats if count <= 10_000 else 1):
        began = time.process_time()
        naive_km = buffer_and_union(some, streets, 20.0)
        times.append(time.process_time() - began)
    naive_s = statistics.median(times)
    whole_s = naive_s / count * len(walks)
    print(
        f"{count:,} fixes: buffer and union {naive_s:.3f} s ({naive_s / count * 1e6:.0f} us a fix),"
        f" ours {ours_s:.5f} s, {naive_s / ours_s:,.0f}x; {naive_km:.4f} and {ours_km:.4f} km;"
        f" all {len(walks):,} at that pace {whole_s:,.0f} s, {whole_s / found:,.0f}x"
    )


if __name__ == "__main__":
    main()
