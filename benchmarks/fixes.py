"""Measure `geo.fixes` beside MovingPandas, and check that both mean the same tracks and pieces.

    python benchmarks/fixes.py                            # 1M fixes, a few minutes
    python benchmarks/fixes.py --fixes 200000             # smaller
    python benchmarks/fixes.py --shared ../shared/data    # and GeoLife, and on foot or driven

Needs `pip install -e '.[bench]'` for MovingPandas. Both get the same table of fixes in the order of
time, as a feed gives them, in metres; both build tracks by worker, then split them at silences of
more than five minutes. MovingPandas may take the columns, or points that are made of them first;
the quicker counts, and building from points that are there already stands beside it. All figures
are CPU seconds, medians, the methods taking turns so that each sees the same load; compiling is not
counted. Start, end, number of fixes and length of every track and every piece must agree, or the
run ends with exit code 1; so it does if a bar fails.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyproj  # noqa: E402

from geo.datum import metric_crs  # noqa: E402
from geo.fixes import build_tracks, clean_fixes, find_walking, split_tracks  # noqa: E402

SEED = 20261121
GAP_S = 300.0
CRS = "EPSG:4547"
FIXES_A_WORKER = 1_000
BAR = 20.0
REPEATS, PEER_REPEATS = 7, 3
COMPARED = ["worker_id", "start", "end", "fixes", "length_m"]


def make_fixes(count: int) -> pd.DataFrame:
    """Draw walks: a fix each 5 s, two silences in a hundred, all workers in the order of time."""
    random = np.random.default_rng(SEED)
    workers = count // FIXES_A_WORKER
    shape = (workers, FIXES_A_WORKER)
    silent = random.random(shape) < 0.02
    apart = np.where(silent, random.integers(250, 3_600, shape), random.integers(4, 7, shape))
    second = apart.cumsum(axis=1) + random.integers(0, 600, (workers, 1))
    heading = random.normal(0, 0.4, shape).cumsum(axis=1)
    far = random.uniform(0.5, 1.6, shape) * 5
    x = 500_000 + random.uniform(0, 20_000, (workers, 1)) + (far * np.cos(heading)).cumsum(axis=1)
    y = 3_300_000 + random.uniform(0, 20_000, (workers, 1)) + (far * np.sin(heading)).cumsum(axis=1)
    names = np.array([f"w{k:05d}" for k in range(workers)])
    frame = pd.DataFrame(
        {
            "worker_id": np.repeat(names, FIXES_A_WORKER),
            "time": pd.Timestamp("2026-11-20", tz="UTC")
            + pd.to_timedelta(second.ravel(), unit="s").as_unit("us"),
            "x": x.ravel(),
            "y": y.ravel(),
        }
    )
    return frame.sort_values(["time", "worker_id"], ignore_index=True)


def measure(jobs: dict[str, tuple[Callable[[], Any], int]]) -> dict[str, float]:
    """Run the jobs in turns, each as often as it says, and return the median CPU seconds."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(max(times for _, times in jobs.values())):
        for name, (job, times) in jobs.items():
            if turn >= times:
                continue
            gc.collect()
            start = time.process_time()
            job()
            taken[name].append(time.process_time() - start)
    return {name: median(values) for name, values in taken.items()}


class Peer:
    """MovingPandas on the same fixes."""

    def __init__(self, fixes: pd.DataFrame) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it misses a smoother that nobody asks for
            import movingpandas
        self.mpd = movingpandas
        # It knows no zones: the same moments in UTC without one.
        self.plain = fixes.assign(time=fixes["time"].dt.tz_localize(None))
        self.points = self.make_points()

    def make_points(self) -> gpd.GeoDataFrame:
        points = gpd.points_from_xy(self.plain["x"], self.plain["y"])
        frame = gpd.GeoDataFrame(self.plain[["worker_id", "time"]], geometry=points, crs=CRS)
        return frame.set_index("time")

    def build_from_columns(self) -> Any:
        return self.mpd.TrajectoryCollection(
            self.plain, traj_id_col="worker_id", t="time", x="x", y="y", crs=CRS
        )

    def build_by_points(self) -> Any:
        return self.mpd.TrajectoryCollection(self.make_points(), traj_id_col="worker_id")

    def build_from_points(self) -> Any:
        return self.mpd.TrajectoryCollection(self.points, traj_id_col="worker_id")

    def split(self, collection: Any) -> Any:
        splitter = self.mpd.ObservationGapSplitter(collection)
        return splitter.split(gap=timedelta(seconds=GAP_S))


def describe_peer(collection: Any) -> pd.DataFrame:
    """Tracks of MovingPandas in our columns."""
    rows = [
        (
            str(track.id).partition("_")[0],  # a piece is called w00000_3
            track.get_start_time(),
            track.get_end_time(),
            track.size(),
            track.get_length(),
        )
        for track in collection.trajectories
    ]
    frame = pd.DataFrame(rows, columns=COMPARED)
    for name in ("start", "end"):
        frame[name] = (
            pd.to_datetime(frame[name]).dt.tz_localize("UTC").astype("datetime64[us, UTC]")
        )
    return frame.sort_values(["worker_id", "start"], ignore_index=True)


def require_same(what: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """End the run if start, end, fixes or length (to a micrometre) of any track differ."""
    # A piece of one fix is no trajectory to MovingPandas; ours lists it without a length.
    ours = ours.loc[ours["fixes"] > 1, COMPARED].reset_index(drop=True)
    try:
        pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=0, atol=1e-6)
    except AssertionError as error:
        sys.exit(f"FAILS: MovingPandas and geo.fixes disagree on {what}:\n{error}")
    print(f"  same {what}: {len(ours):,} with start, end, fixes and length")


def compare(count: int) -> bool:
    """Both on the same fixes: the same answers, and how long they take."""
    fixes = make_fixes(count)
    peer = Peer(fixes)
    print(f"{len(fixes):,} fixes of {fixes['worker_id'].nunique():,} workers, seed {SEED}")
    whole = peer.build_from_points()
    require_same("tracks", split_tracks(fixes, gap_s=np.inf), describe_peer(whole))
    require_same("pieces", split_tracks(fixes, gap_s=GAP_S), describe_peer(peer.split(whole)))
    tracks = build_tracks(fixes)
    clean_fixes(fixes.head(1_000))  # compiled before the clock runs
    found = measure(
        {
            "geo.fixes: build": (lambda: build_tracks(fixes), REPEATS),
            "geo.fixes: split": (lambda: split_tracks(tracks, gap_s=GAP_S), REPEATS),
            "geo.fixes: all rules, stays, gaps": (lambda: clean_fixes(fixes), REPEATS),
            "MovingPandas: build from columns": (peer.build_from_columns, PEER_REPEATS),
            "MovingPandas: make points, build": (peer.build_by_points, PEER_REPEATS),
            "MovingPandas: build, points made": (peer.build_from_points, PEER_REPEATS),
            "MovingPandas: split": (lambda: peer.split(whole), PEER_REPEATS),
        }
    )
    for name, seconds in found.items():
        print(f"  {name:<36}{seconds:>9.3f} s")
    theirs = min(
        found["MovingPandas: build from columns"], found["MovingPandas: make points, build"]
    )
    bare = found["MovingPandas: build, points made"] / found["geo.fixes: build"]
    print(f"  build, where its points are made already: {bare:.0f} times as fast")
    both = found["geo.fixes: build"] + found["geo.fixes: split"]
    good = (theirs + found["MovingPandas: split"]) / both >= BAR
    for what, ours, peers in (
        ("build", found["geo.fixes: build"], theirs),
        ("split", found["geo.fixes: split"], found["MovingPandas: split"]),
        ("build and split", both, theirs + found["MovingPandas: split"]),
    ):
        print(f"  {what}: {peers / ours:.0f} times as fast")
    word = "holds" if good else "FAILS"
    print(f"  at least {BAR:.0f} times for building and splitting: {word}")
    return good


def measure_geolife(shared: Path) -> None:
    """Read and clean GeoLife's sample."""
    start = time.process_time()
    table = pd.read_csv(shared / "trace_geolife_skmob" / "geolife_sample.csv.gz")
    move = pyproj.Transformer.from_crs(
        "EPSG:4326", metric_crs(table["lng"], table["lat"]), always_xy=True
    )
    x, y = move.transform(table["lng"].to_numpy(), table["lat"].to_numpy())
    moments = pd.to_datetime(table["datetime"]).dt.tz_localize("UTC").dt.as_unit("us")
    fixes = pd.DataFrame({"worker_id": table["uid"].astype(str), "time": moments, "x": x, "y": y})
    read_s = time.process_time() - start
    found = measure(
        {
            "clean": (lambda: clean_fixes(fixes), REPEATS),
            "walk": (lambda: find_walking(fixes), REPEATS),
        }
    )
    cleaned = clean_fixes(fixes)
    print(
        f"GeoLife, {len(fixes):,} fixes: read {read_s:.2f} s, cleaned {found['clean']:.3f} s,"
        f" on foot or driven {found['walk']:.3f} s; {len(cleaned.removed)} removed,"
        f" {len(cleaned.stays):,} stays, {len(cleaned.gaps)} gaps"
    )


def measure_walking(shared: Path) -> None:
    """Precision and recall of on foot or driven, whole and by halves of its pieces."""
    parts = []
    with zipfile.ZipFile(shared / "trace_goal_onfoot_dev" / "trajectories.zip") as pack:
        for name in sorted(n for n in pack.namelist() if n.endswith(".csv")):
            with pack.open(name) as file:
                parts.append(pd.read_csv(file).assign(worker_id=name, part=len(parts)))
    table = pd.concat(parts, ignore_index=True)
    moments = pd.to_datetime(table["timestamp"], format="ISO8601", utc=True)
    table["time"] = moments.dt.as_unit("us")
    walks = find_walking(table).fillna(True).to_numpy(dtype=bool)
    truth = (table["groundtruth"] == "OnFoot").to_numpy()
    half = (table["part"] % 2).to_numpy()
    for name, chosen in (("all", half >= 0), ("even pieces", half == 0), ("odd pieces", half == 1)):
        found, true = walks[chosen], truth[chosen]
        both, neither = (found & true).sum(), (~found & ~true).sum()
        print(
            f"GOAL, {name}, {chosen.sum():,} fixes: on foot precision {both / found.sum():.3f}"
            f" recall {both / true.sum():.3f}; driven precision {neither / (~found).sum():.3f}"
            f" recall {neither / (~true).sum():.3f}"
        )


def main() -> None:
    """Run what is asked for; exit code 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--fixes", type=int, default=1_000_000)
    parser.add_argument("--shared", type=Path, help="folder of the real traces")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    good = compare(options.fixes)
    if options.shared is not None:
        measure_geolife(options.shared)
        measure_walking(options.shared)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
