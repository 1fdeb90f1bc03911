"""Laws on generated cities: sums stay through any redrawing, what is unchanged is identical."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.compare import (
    BESIDE,
    LOST,
    Boundary,
    compare,
    find_period,
    move_counts,
    shares_by_blocks,
    shares_by_parents,
    year_earlier,
)
from geo.deadlines import WorkingCalendar
from geo.errors import InputError
from geo.io.case_columns import case_columns
from geo.plan import Plan, RedrawError, read_plan
from geo.redraw import merge, paint, split

CITY = ZoneInfo("Asia/Shanghai")
ALIKE = WorkingCalendar(basis="daily")
NOW = find_period("month", date(2026, 6, 1), zone=CITY)
THEN = year_earlier(NOW)
WIDE, HIGH = 8, 6


def first_plan(seed):
    """8 x 6 blocks of 100 m, grids of 4 x 3 blocks, two communities side by side."""
    rng = np.random.default_rng(seed)
    cells = [(c, r) for r in range(HIGH) for c in range(WIDE)]
    return read_plan(
        gpd.GeoDataFrame(
            {
                "block_id": [f"b{c}{r}" for c, r in cells],
                "grid_id": [f"g{c // 4}{r // 3}" for c, r in cells],
                "community_code": [f"c{c // 4}" for c, _ in cells],
                "households": rng.integers(0, 60, len(cells)),
                "population": rng.integers(0, 150, len(cells)),
            },
            geometry=[
                shapely.box(c * 100, r * 100, c * 100 + 100, r * 100 + 100) for c, r in cells
            ],
            crs="EPSG:4547",
        ).set_index("block_id")
    )


def redrawn(plan: Plan, rng) -> Plan:
    grids = list(plan.grid_rows)
    blocks = list(plan.block_rows)
    kind = rng.integers(3)
    try:
        if kind == 0:
            return merge(plan, [str(g) for g in rng.choice(grids, 2, replace=False)])
        if kind == 1:
            where = float(rng.integers(1, WIDE)) * 100
            line = shapely.LineString([(where, -10), (where, HIGH * 100 + 10)])
            if rng.integers(2):
                where = float(rng.integers(1, HIGH)) * 100
                line = shapely.LineString([(-10, where), (WIDE * 100 + 10, where)])
            return split(plan, str(rng.choice(grids)), line)
        return paint(plan, [str(rng.choice(blocks))], str(rng.choice(grids)), along=True)
    except RedrawError:
        return plan


def boundary_of(plan):
    frame = plan.to_frame()
    return Boundary(frame[~frame.geometry.is_empty])


def points(rng, size):
    """Cases of both months, some outside, some without a place, some on lines."""
    x, y = rng.uniform(-50, WIDE * 100 + 50, size), rng.uniform(-50, HIGH * 100 + 50, size)
    on_line = rng.random(size) < 0.2
    x[on_line] = np.round(x[on_line] / 100) * 100
    gone = rng.random(size) < 0.1
    x[gone] = y[gone] = np.nan
    period = rng.integers(0, 2, size)
    begin = np.where(period == 0, NOW.begin_s, THEN.begin_s)
    seconds = begin + rng.integers(0, 28 * 86_400, size)
    return case_columns(
        pd.DataFrame(
            {
                "lon": x, "lat": y, "class_code": "E0102", "stage": "closed",
                "reported_at": pd.to_datetime(seconds, unit="s", utc=True),
            },
            index=pd.Index([f"i{k}" for k in range(size)], name="incident_id"),
        )
    )  # fmt: skip


def measure(cases, boundary):
    return compare(
        cases, boundary, NOW, THEN, calendar=ALIKE, known_since=datetime(2020, 1, 1, tzinfo=UTC)
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_through_any_splits_and_merges_sums_stay_and_untouched_grids_are_identical(seed):
    rng = np.random.default_rng(seed)
    plan = first_plan(seed)
    cases = points(rng, 300)
    before = measure(cases, boundary_of(plan))
    for _ in range(6):
        after_plan = redrawn(plan, rng)
        after = measure(cases, boundary_of(after_plan))
        for name in ("now", "then"):
            assert after.total[name] == before.total[name] == after.table[name].sum()
        pd.testing.assert_frame_equal(
            after.table.loc[list(BESIDE), ["now", "then"]],
            before.table.loc[list(BESIDE), ["now", "then"]],
        )
        old, new = plan.to_frame(), after_plan.to_frame()
        for grid in old.index.intersection(new.index):
            if old.geometry[grid].equals(new.geometry[grid]):
                columns = ["now", "then", "expected", "change", "low", "high", "p"]
                assert after.table.loc[grid, columns].equals(before.table.loc[grid, columns])
        plan, before = after_plan, after


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_a_case_is_counted_where_its_point_is_by_the_slow_way_too(seed):
    rng = np.random.default_rng(seed)
    plan = redrawn(redrawn(first_plan(seed), rng), rng)
    boundary = boundary_of(plan)
    cases = points(rng, 120)
    found = measure(cases, boundary).table["now"]
    inside = (cases.reported >= NOW.begin_s) & (cases.reported < NOW.end_s)
    for grid, shape in boundary.grids.geometry.items():
        sure = shapely.contains_xy(shape, cases.lon, cases.lat)
        maybe = shapely.intersects_xy(shape, cases.lon, cases.lat)
        assert (sure & inside).sum() <= found[grid] <= (maybe & inside).sum()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_counts_without_points_keep_their_sum_through_any_redrawing(seed):
    rng = np.random.default_rng(seed)
    first = plan = first_plan(seed)
    counts = pd.Series(rng.integers(0, 50, len(plan.table())), index=plan.table().index)
    moved = counts.astype(float)
    for _ in range(6):
        after = redrawn(plan, rng)
        blocks = pd.DataFrame(plan.blocks_frame())
        shares = shares_by_blocks(blocks, plan.assignment, after.assignment)
        assert shares.groupby("from_id")["share"].sum().to_numpy() == pytest.approx(1)
        same = moved
        moved = move_counts(moved, shares)
        assert moved.sum() == pytest.approx(counts.sum())
        if after is plan:
            assert moved.to_dict() == pytest.approx(same.to_dict())
        plan = after
    back = move_counts(counts, shares_by_blocks(blocks, first.assignment, first.assignment))
    assert back.to_dict() == counts.to_dict()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_a_split_and_its_merge_give_back_what_there_was(seed):
    rng = np.random.default_rng(seed)
    plan = first_plan(seed)
    line = shapely.LineString([(200, -10), (200, 310)])
    halves = split(plan, "g00", line)
    whole = merge(halves, [g for g in halves.table().index if g not in ("g10", "g01", "g11")])
    blocks = pd.DataFrame(plan.blocks_frame())
    counts = pd.Series(rng.integers(0, 50, 4), index=["g00", "g10", "g01", "g11"])
    there = move_counts(counts, shares_by_blocks(blocks, plan.assignment, halves.assignment))
    back = move_counts(there, shares_by_blocks(blocks, halves.assignment, whole.assignment))
    assert sorted(back) == pytest.approx(sorted(counts))


def parents(*rows):
    names = ["version", "from_grid_id", "grid_id", "share"]
    return pd.DataFrame(rows, columns=names).assign(from_version=0, households=0)


def test_the_parentage_of_grids_is_followed_version_by_version():
    """1 -> 2: A splits into B (0.4) and C (0.6). 2 -> 3: C and D merge into E."""
    table = parents((2, "A", "B", 0.4), (2, "A", "C", 0.6), (3, "C", "E", 1.0), (3, "D", "E", 1.0))
    shares = shares_by_parents(table, 1, 3)
    moved = move_counts(pd.Series({"A": 10, "D": 5, "F": 7}), shares)
    assert moved.to_dict() == pytest.approx({"B": 4, "E": 11, "F": 7})
    only = move_counts(pd.Series({"C": 6, "D": 5}), shares_by_parents(table, 2, 3))
    assert only.to_dict() == {"E": 11}
    assert shares_by_parents(table, 3, 3).empty
    with pytest.raises(InputError, match="version 1 comes before 2"):
        shares_by_parents(table, 2, 1)


def test_what_has_no_heir_is_named_and_not_lost():
    moved = move_counts(pd.Series({"A": 10}), shares_by_parents(parents((2, "A", "B", 0.75)), 1, 2))
    assert moved.to_dict() == {"B": 7.5, LOST: 2.5}
    blocks = pd.DataFrame({"households": [0, 0], "area": [100.0, 300.0]}, index=["x", "y"])
    nobody = shares_by_blocks(blocks, pd.Series("O", index=blocks.index), pd.Series({"x": "P"}))
    assert move_counts(pd.Series({"O": 4}), nobody).to_dict() == {"P": 1, LOST: 3}


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_parents_keep_sums_through_random_versions(seed):
    rng = np.random.default_rng(seed)
    living, rows, number = [f"g{k}" for k in range(8)], [], 8
    for version in range(2, 7):
        changed = list(rng.choice(living, 2, replace=False))
        heirs = [f"g{number}", f"g{number + 1}"][: rng.integers(1, 3)]
        number += 2
        for one in changed:
            part = rng.dirichlet(np.ones(len(heirs)))
            rows += [(version, one, heir, share) for heir, share in zip(heirs, part, strict=True)]
        living = [g for g in living if g not in changed] + heirs
    counts = pd.Series(rng.integers(0, 30, 8), index=[f"g{k}" for k in range(8)])
    moved = move_counts(counts, shares_by_parents(parents(*rows), 1, 6))
    assert moved.sum() == pytest.approx(counts.sum())
    assert set(moved.index) <= set(living)
    step = counts
    for version in range(1, 6):
        step = move_counts(step, shares_by_parents(parents(*rows), version, version + 1))
    assert step.reindex(moved.index).to_numpy() == pytest.approx(moved.to_numpy())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_cases_means_nothing(seed):
    rng = np.random.default_rng(seed)
    boundary = boundary_of(first_plan(seed))
    cases = points(rng, 200)
    order = rng.permutation(200)
    one = measure(cases, boundary).table
    two = measure(cases.select(order), boundary).table
    pd.testing.assert_frame_equal(one, two)
