"""Measure `geo.divide` beside its peers on the named cities: seconds, balance, shape, moves.

    pip install -e '.[bench]'
    python benchmarks/divide.py                    # S, M and L, half an hour
    python benchmarks/divide.py --cities S         # two minutes
    python benchmarks/divide.py --repair           # S and M some years later
    python benchmarks/divide.py --cities S M --band 300 500

Cities are those of `../shared/cases/division`; quality is measured by `../shared/tools/
check_division.py`, which was written apart from the product. CPU seconds of one thread, warm
(compiled code is cached on disk), median of 3 for all that takes less than 20 seconds. All peers
work community by community, on pieces from which units larger than the band are taken out first:
the same preparation as ours, measured with it. Seed 0. Ward's clustering has no term for balance
and is given the middles of the units to put together what is near, as spopt's own examples do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import shapely  # noqa: E402

from geo._divide_graph import read_graph  # noqa: E402
from geo.divide import divide  # noqa: E402
from geo.io.divide import read_plan, write_plan  # noqa: E402

SHARED = Path(__file__).resolve().parents[2] / "shared"
CASES = SHARED / "cases" / "division"
CHECKER = SHARED / "tools" / "check_division.py"
BAND = (200, 300)

Plan = pd.Series
Split = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, np.ndarray], np.ndarray]
"""Loads, pairs (left, right), length of the border, number of parts, middles of the units: the part
of each unit."""


def by_pieces(
    units: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, split: Split, band: tuple[int, int]
) -> Plan:
    """The preparation that all peers get: pieces of communities, large units taken out."""
    graph = read_graph(units, roads)
    load = units["households"].to_numpy(float)
    community = pd.factorize(units["community"])[0]
    small = load <= band[1]
    group = np.where(small, community, -1 - np.arange(len(units)))
    number = graph.pieces(group)
    middle = shapely.get_coordinates(shapely.centroid(units.geometry.to_numpy()))
    label = np.empty(len(units), dtype=object)
    place = np.empty(len(units), dtype=np.int64)
    kept = graph.crosses & (number[graph.left] == number[graph.right])
    for piece in np.unique(number):
        rows = np.flatnonzero(number == piece)
        place[rows] = np.arange(len(rows))
        own = kept & (number[graph.left] == piece)
        parts = max(1, round(load[rows].sum() / (sum(band) / 2)))
        part = np.zeros(len(rows), dtype=int)
        if 1 < parts < len(rows):
            part = split(
                load[rows], place[graph.left[own]], place[graph.right[own]],
                graph.length_m[own], parts, middle[rows],
            )  # fmt: skip
        label[rows] = [f"{piece}-{k}" for k in part]
    return pd.Series(label, index=units.index, name="grid")


def metis(load, left, right, length, parts, middle):
    """METIS k-way, contiguous; Karypis and Kumar 1998."""
    import pymetis

    near = [[] for _ in load]
    weight = [[] for _ in load]
    for a, b, metres in zip(left, right, length, strict=True):
        for one, two in ((a, b), (b, a)):
            near[one].append(int(two))
            weight[one].append(max(1, int(metres)))
    start = np.concatenate([[0], np.cumsum([len(row) for row in near])])
    found = pymetis.part_graph(
        parts, xadj=start, adjncy=[v for row in near for v in row],
        eweights=[w for row in weight for w in row], vweights=[int(v) for v in load],
        contiguous=True,
    )  # fmt: skip
    return np.asarray(found[1])


def gerrychain(load, left, right, length, parts, middle):
    """Recursive tree partition; DeFord, Duchin and Solomon 2021."""
    import networkx
    from gerrychain import Graph
    from gerrychain.partition import recursive_tree_part
    from gerrychain.tree import bipartition_tree

    graph = networkx.Graph()
    graph.add_nodes_from((k, {"load": float(v)}) for k, v in enumerate(load))
    graph.add_edges_from(zip(left.tolist(), right.tolist(), strict=True))
    ideal = float(load.sum()) / parts
    try:
        found = recursive_tree_part(
            Graph.from_networkx(graph), range(parts), ideal, "load", 0.2,
            bipartition_tree_fn=partial(bipartition_tree, max_attempts=2000), rng=0,
        )  # fmt: skip
    except (RuntimeError, ValueError):
        return np.zeros(len(load), dtype=int)  # it gives up: the piece stays one grid
    return np.array([found[k] for k in range(len(load))])


def ward(load, left, right, length, parts, middle):
    """Ward's clustering with contiguity, by spopt."""
    from libpysal.weights import W
    from spopt.region import WardSpatial

    near = {k: [] for k in range(len(load))}
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        near[a].append(b)
        near[b].append(a)
    frame = gpd.GeoDataFrame(
        {"x": middle[:, 0], "y": middle[:, 1]}, geometry=shapely.points(middle)
    )
    model = WardSpatial(frame, W(near, silence_warnings=True), ["x", "y"], n_clusters=parts)
    model.solve()
    return np.asarray(model.labels_)


def check(city: str, plan: Plan, folder: Path, band: tuple[int, int]) -> dict[str, float]:
    """What the checker says of a plan; hard rules may be broken by peers."""
    file = folder / "plan.csv"
    write_plan(file, plan)
    roads = CASES / city.removesuffix("_shifted") / "roads.gpkg"
    command = [
        sys.executable, str(CHECKER), str(CASES / city / "units.gpkg"), str(file), "--band",
        *map(str, band), "--roads", str(roads), "--json",
    ]  # fmt: skip
    if city.endswith("_shifted"):
        command += ["--previous", str(CASES / city / "previous_plan.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    return found.get("measures", found)


def timed(job: Callable[[], Plan]) -> tuple[float, Plan]:
    """Median CPU seconds of 3, or of 1 if it takes long; wall time would be that of others too."""
    taken = []
    while len(taken) < 3:
        start = time.process_time()
        plan = job()
        taken.append(time.process_time() - start)
        if taken[-1] > 20:
            break
    return median(taken), plan


def show(name: str, seconds: float, found: dict[str, float], base: float | None) -> None:
    ratio = f"{seconds / base:6.1f}x" if base else "      -"
    moved = f" moved {found['moved_pct']:5.2f} %" if "moved_pct" in found else ""
    print(
        f"  {name:24s} {seconds:7.2f} s {ratio}  bad {found['bad']:4d}  D {found['D']:6d}  out"
        f" {found['hh_out_pct']:5.2f} %  pieces {found['contiguity_violations']:3d}  PP"
        f" {found['pp_median']:.3f}  main {found['main_pct']:.1f} %{moved}",
        flush=True,
    )


def list_jobs(
    city: str, repair: bool, peers: bool, band: tuple[int, int]
) -> dict[str, Callable[[], Plan]]:
    """What is run on a city, the peers first."""
    units = gpd.read_file(CASES / city / "units.gpkg").set_index("unit_id")
    roads = gpd.read_file(CASES / city.removesuffix("_shifted") / "roads.gpkg")
    before = read_plan(CASES / city / "previous_plan.csv") if repair else None
    print(f"{city}: {len(units):,} units, {units['households'].sum():,} households, {band}")
    divide(units.iloc[:200], band, effort="full")
    jobs: dict[str, Callable[[], Plan]] = {}
    if peers and not repair:
        for name, split in {"pymetis": metis, "GerryChain": gerrychain, "Ward": ward}.items():
            jobs[name] = partial(by_pieces, units, roads, split, band)
    for effort in ("fast", "full"):
        jobs[f"wangge {effort}"] = partial(
            ours, units, band, roads=roads, previous=before, effort=effort
        )
    if repair:
        jobs["fresh plan"] = partial(ours, units, band, roads=roads, effort="fast")
    return jobs


def ours(units: gpd.GeoDataFrame, band: tuple[int, int], **options: Any) -> Plan:
    return divide(units, band, **options).plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cities", nargs="+", default=["S", "M", "L"])
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--band", nargs=2, type=int, default=BAND)
    options = parser.parse_args()
    # Peers warn of what their next versions will change.
    warnings.simplefilter("ignore")
    band = tuple(options.band)
    for city in ["S_shifted", "M_shifted"] if options.repair else options.cities:
        base = None
        jobs = list_jobs(city, options.repair, not options.no_peers, band)
        with tempfile.TemporaryDirectory() as folder:
            for name, job in jobs.items():
                seconds, plan = timed(job)
                base = seconds if name == "pymetis" else base
                show(name, seconds, check(city, plan, Path(folder), band), base)


if __name__ == "__main__":
    main()
