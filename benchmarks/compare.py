"""Measure a comparison, an evaluation and a briefing of a million cases a year beside pandas.

    python benchmarks/compare.py            # 3,311 grids, 2M cases of two years, 10M rows of log
    python benchmarks/compare.py --small    # a fiftieth of it, to see that it runs

An invented town of the size of Yubei: 3,311 square grids in 22 streets on 36 x 36 km, one million
cases a year, 2 percent without a place, five moves each. Seed 1. Each figure is the median of 5 CPU
times after one that is not counted, all on one core. "pandas" is the clear way to the same numbers:
a spatial join with geopandas where points must find their grids, else group by and divide; it has
no intervals, weights of days or scatter, which are in ours. The bar is one second for a comparison
of two years at grid level, once points have their grids; exit code 1 if it is broken or numbers
differ.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.briefing import write_briefing
from geo.compare import Boundary, compare, find_period, year_earlier
from geo.evaluate import Moves, evaluate, facts_of
from geo.io.case_columns import CaseColumns
from geo.io.evaluation import read_evaluation
from geo.schema import STAGES

CITY = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 1, 1, tzinfo=UTC)
LON, LAT, SIDE_DEG = 106.6, 29.7, 0.36
BAR_MS = 1000.0
CLASSES = ("E0102", "E0103", "E0104", "E0110", "E0404", "E0505", "E0506", "C0101", "C0118", "C0113")
STEPS = ("report", "register", "dispatch", "feed_back", "close")
ROLES = ("grid_worker", "acceptor", "dispatcher", "handler", "inspector")
HOUR_S = 3600


def make_boundary(count: int) -> Boundary:
    side = int(np.ceil(np.sqrt(count)))
    step = SIDE_DEG / side
    cells = [divmod(k, side) for k in range(count)]
    streets = [f"S{row * 22 // side:02d}" for row, _ in cells]
    grids = gpd.GeoDataFrame(
        {"community_code": streets, "households": 280, "version": 1, "kind": "base"},
        geometry=[
            shapely.box(LON + c * step, LAT + r * step, LON + (c + 1) * step, LAT + (r + 1) * step)
            for r, c in cells
        ],
        crs="EPSG:4326",
        index=pd.Index([f"g{k:04d}" for k in range(count)], name="grid_id"),
    )
    names = sorted(set(streets))
    divisions = pd.DataFrame(
        {"level": "street", "name": names, "parent_code": None}, index=pd.Index(names, name="code")
    )
    return Boundary(grids, divisions)


def make_cases(count: int) -> CaseColumns:
    rng = np.random.default_rng(1)
    now = find_period("year", date(2025, 1, 1), zone=CITY)
    reported = np.sort(rng.integers(year_earlier(now).begin_s, now.end_s, count))
    lon, lat = (rng.uniform(a, a + SIDE_DEG, count) for a in (LON, LAT))
    lost = rng.random(count) < 0.02
    lon[lost] = lat[lost] = np.nan
    return CaseColumns(
        version="1",
        fid=np.arange(1, count + 1),
        lon=lon,
        lat=lat,
        reported=reported,
        closed=reported + rng.integers(6 * HOUR_S, 60 * HOUR_S, count),
        deadline=reported + 48 * HOUR_S,
        class_code=rng.integers(0, len(CLASSES), count).astype(np.int16),
        stage=np.full(count, STAGES.index("closed"), dtype=np.int8),
        owner=rng.integers(0, 21, count).astype(np.int32),
        source=np.zeros(count, dtype=np.int16),
        level=np.zeros(count, dtype=np.int8),
        classes=CLASSES,
        owners=tuple(f"D{k:02d}" for k in range(21)),
        sources=("collector",),
    )


def make_log(cases: CaseColumns) -> Moves:
    """Five moves a case, evenly from report to close."""
    count, steps = len(cases), len(STEPS)
    number = np.tile(np.arange(steps), count)
    case = np.repeat(np.arange(count, dtype=np.int32), steps)
    span = np.repeat(cases.closed - cases.reported, steps)
    stage = [STAGES.index(w) for w in ("collected", "opened", "dispatched", "fed_back", "closed")]
    owner = np.full(count * steps, -1, dtype=np.int32)
    owner[2::steps] = cases.owner
    return Moves(
        case=case,
        at=np.repeat(cases.reported, steps) + span * number // (steps - 1),
        stage=np.array(stage, dtype=np.int8)[number],
        move=number.astype(np.int16),
        by=(case % 40).astype(np.int32),
        role=number.astype(np.int16),
        owner=owner,
        moves=STEPS,
        people=tuple(f"P{k}" for k in range(40)),
        roles=ROLES,
        owners=cases.owners,
    )


def median_ms(work: Callable[[], Any]) -> tuple[float, Any]:
    found = work()
    times = []
    for _ in range(5):
        start = time.process_time()
        found = work()
        times.append((time.process_time() - start) * 1000)
    return statistics.median(times), found


def join_with_pandas(cases: CaseColumns, boundary: Boundary) -> pd.DataFrame:
    """The table that an analyst would make: one row a case, with its grid."""
    points = gpd.GeoDataFrame(
        {"reported": cases.reported, "closed": cases.closed, "deadline": cases.deadline},
        geometry=gpd.points_from_xy(cases.lon, cases.lat),
        crs="EPSG:4326",
    )
    found = points.sjoin(boundary.grids[["geometry"]], how="left", predicate="within")
    return pd.DataFrame(found.drop(columns="geometry"))


def count_with_pandas(table: pd.DataFrame, now: Any, then: Any) -> pd.DataFrame:
    counts = {}
    for name, period in (("now", now), ("then", then)):
        inside = table[table["reported"].between(period.begin_s, period.end_s, inclusive="left")]
        counts[name] = inside.groupby("grid_id")["reported"].size()
    both = pd.DataFrame(counts).fillna(0)
    return both.assign(change=both["now"] / both["then"] - 1)


def rate_with_pandas(table: pd.DataFrame, period: Any) -> pd.Series:
    due = table["deadline"].between(period.begin_s, period.end_s, inclusive="left")
    done = table["closed"].between(period.begin_s, period.end_s, inclusive="left")
    counted = table[due | done]
    in_time = (counted["closed"] <= counted["deadline"]) & (counted["closed"] < period.end_s)
    return in_time.groupby(counted["grid_id"]).mean()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true")
    small = parser.parse_args().small
    boundary = make_boundary(3311 // 50 if small else 3311)
    cases = make_cases(2_000_000 // 50 if small else 2_000_000)
    now = find_period("year", date(2025, 1, 1), zone=CITY)
    then = year_earlier(now)
    print(f"{len(boundary.grids):,} grids, {len(cases):,} cases of two years")

    start = time.process_time()
    boundary.assign(cases.lon, cases.lat)
    print(f"points to grids, once            {(time.process_time() - start) * 1000:9.0f} ms")
    start = time.process_time()
    table = join_with_pandas(cases, boundary)
    print(f"  geopandas sjoin                {(time.process_time() - start) * 1000:9.0f} ms")

    grid_ms, ours = median_ms(lambda: compare(cases, boundary, now, then, level="grid"))
    print(f"compare two years by grid        {grid_ms:9.0f} ms")
    pandas_ms, theirs = median_ms(lambda: count_with_pandas(table, now, then))
    print(f"  pandas, counts and change only {pandas_ms:9.0f} ms")
    street_ms, streets = median_ms(lambda: compare(cases, boundary, now, then, level="street"))
    print(f"compare two years by street      {street_ms:9.0f} ms")
    month = find_period("month", date(2025, 6, 1), zone=CITY)
    month_ms, _ = median_ms(lambda: compare(cases, boundary, month, year_earlier(month)))
    print(f"compare two months by grid       {month_ms:9.0f} ms")
    same = (ours.table.loc[theirs.index, "now"] == theirs["now"]).all()

    log = make_log(cases)
    start = time.process_time()
    facts = facts_of(cases, log)
    print(f"facts of {len(log):,} moves     {(time.process_time() - start) * 1000:9.0f} ms")
    rules = read_evaluation()
    figures = {}
    for by, level in (("area", "grid"), ("area", "street"), ("department", ""), ("post", "")):
        work = lambda by=by, level=level: evaluate(  # noqa: E731
            facts, month, by=by, boundary=boundary, level=level, rules=rules
        )
        ms, figures[by, level] = median_ms(work)
        told = f"evaluate a month by {level or by}, 3 periods"
        print(f"{told:32} {ms:9.0f} ms")
    year_ms, year = median_ms(
        lambda: evaluate(facts, now, boundary=boundary, level="grid", rules=rules, compared=False)
    )
    print(f"evaluate a year by grid          {year_ms:9.0f} ms")
    rate_ms, rates = median_ms(lambda: rate_with_pandas(table, now))
    print(f"  pandas, one indicator of 16    {rate_ms:9.0f} ms")
    rate = year.table.xs("on_time_closing_rate", level="indicator")["value"]
    same &= bool(np.allclose(rate.loc[rates.index], rates))

    brief_ms, _ = median_ms(lambda: write_briefing(streets, cases, facts=facts, at=AT))
    print(f"briefing by street               {brief_ms:9.0f} ms")
    holds = grid_ms <= BAR_MS and same
    print(f"numbers equal: {same}; bar {BAR_MS:.0f} ms: {'holds' if holds else 'FAILS'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
