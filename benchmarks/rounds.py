"""Rounds of a day and a watch of a minute, at the size of West Coast and of Yubei.

    python benchmarks/rounds.py [GRIDS [WORKERS [FIXES]]]

Prints seconds for judging a day with three places a grid, and milliseconds a look for the watch,
with every worker reporting each second.
"""

from __future__ import annotations

import sys
import time as wall
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.rounds import PlaceRule, Schedule, Shift, build_places, judge_rounds
from geo.watch import Duty, Watch

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 21)
SHIFTS = (Shift("morning", time(8)), Shift("noon", time(12)), Shift("evening", time(18)))


def draw_grids(count: int) -> gpd.GeoDataFrame:
    """Squares of 300 m with 40 corners each, as streets have."""
    side = int(np.ceil(np.sqrt(count)))
    number = np.arange(count)
    x, y = 500_000 + number % side * 300.0, 3_380_000 + number // side * 300.0
    boxes = shapely.segmentize(shapely.box(x, y, x + 300, y + 300), 30.0)
    ids = [f"g{k:05d}" for k in number]
    return gpd.GeoDataFrame({"grid_id": ids}, geometry=boxes, crs="EPSG:4547").set_index("grid_id")


def main(grids: int = 1333, workers: int = 5000, fixes: int = 3_000_000) -> None:
    """Measure and print."""
    rng = np.random.default_rng(1)
    city = draw_grids(grids)
    ids = np.array([f"w{k:05d}" for k in range(workers)], dtype=object)
    home = np.arange(workers) % grids
    posts = pd.Series(city.index.to_numpy()[home], index=ids)
    bounds = city.bounds.to_numpy()
    each = fixes // workers
    who = np.repeat(np.arange(workers), each)
    begin = datetime.combine(DAY, time(7), tzinfo=ZONE).timestamp()
    second = np.tile(np.arange(each) * (14 * 3600 / each), workers) + rng.uniform(0, 5, len(who))
    swing = np.column_stack([np.sin(second / 300), np.cos(second / 410)]) * 140
    table = pd.DataFrame(
        {
            "worker_id": ids[who],
            "time": pd.to_datetime(((begin + second) * 1e6).astype("datetime64[us]"), utc=True),
            "x": bounds[home[who], 0] + 150 + swing[:, 0] + rng.normal(0, 8, len(who)),
            "y": bounds[home[who], 1] + 150 + swing[:, 1] + rng.normal(0, 8, len(who)),
            "accuracy_m": 10.0,
            "mock": False,
        }
    )
    assets = gpd.GeoDataFrame(
        {"class_code": ["0113"] * (3 * grids)},
        geometry=gpd.points_from_xy(
            np.repeat(bounds[:, 0], 3) + rng.uniform(0, 300, 3 * grids),
            np.repeat(bounds[:, 1], 3) + rng.uniform(0, 300, 3 * grids),
        ),
        crs=city.crs,
    )
    rules = Schedule.of_shifts(SHIFTS)
    schedule = Schedule(rules.rounds, (PlaceRule("hydrants", "asset", class_code="0113"),))
    places = build_places(schedule, city, assets=assets)
    night = datetime.combine(DAY, time(23), tzinfo=ZONE)
    for name in ("first", "again"):
        start = wall.perf_counter()
        judged = judge_rounds(
            city, table, posts, day=DAY, at=night, zone=ZONE, schedule=schedule, places=places
        )
        print(f"rounds, {name}: {wall.perf_counter() - start:.2f} s for {len(table):,} fixes")
    print(judged.rounds["status"].value_counts().to_dict(), len(judged.places), "places")
    measure_watch(city, posts, schedule, rng)


def measure_watch(
    city: gpd.GeoDataFrame, posts: pd.Series, schedule: Schedule, rng: np.random.Generator
) -> None:
    """A minute in a round, everybody heard each second."""
    at = datetime.combine(DAY, time(8, 20), tzinfo=ZONE)
    watch = Watch(city, posts, schedule, Duty(time(7), time(21), ZONE), since=at)
    points = gpd.GeoSeries(city.centroid.loc[posts.to_numpy()].to_numpy(), crs=city.crs).to_crs(
        4326
    )
    index = pd.Index(posts.index, dtype=object, name="worker_id")
    took = []
    for k in range(60):
        now = at + timedelta(seconds=k + 1)
        positions = pd.DataFrame(
            {
                "time": pd.DatetimeIndex([pd.Timestamp(now)] * len(posts)).tz_convert("UTC"),
                "lon": points.x.to_numpy() + rng.normal(0, 1e-4, len(posts)),
                "lat": points.y.to_numpy() + rng.normal(0, 1e-4, len(posts)),
            },
            index=index,
        )
        start = wall.perf_counter()
        watch.look(positions, now)
        took.append((wall.perf_counter() - start) * 1e3)
    middle, most = np.median(took), max(took[1:])
    print(f"watch, {len(posts):,} workers: median {middle:.1f} ms, most {most:.1f} ms a look")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
