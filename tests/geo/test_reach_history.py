"""Coverage by parts that are joined; what was seen since; what nobody walked for days."""

from __future__ import annotations

from datetime import date, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import CrsError, InputError
from geo.reach import (
    cover_walks,
    cut_streets,
    date_walks,
    find_seen,
    find_unwalked,
    find_walks,
    join_covered,
    join_sightings,
    join_walked,
    lay_lines,
    measure_coverage,
    measure_coverage_by,
    measure_covered,
    measure_reach,
    sight_assets,
)

CRS = "EPSG:4547"
NOON = pd.Timestamp("2026-11-21T04:00Z")
FIRST = date(2026, 11, 1)


def streets(*lines) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"road_class": ["minor"] * len(lines)},
        geometry=[shapely.LineString(line) for line in lines],
        index=pd.Index([f"r{k}" for k in range(len(lines))], name="road_id"),
        crs=CRS,
    )


def walk(*rows) -> pd.DataFrame:
    """Rows of worker, seconds after noon, x, y."""
    table = pd.DataFrame(rows, columns=["worker_id", "s", "x", "y"])
    return table.assign(time=NOON + pd.to_timedelta(table.pop("s"), unit="s"))


def wander(seed: int, count: int = 60, size: float = 200.0) -> pd.DataFrame:
    """Three workers who walk about in a square, some with silences."""
    rng = np.random.default_rng(seed)
    parts = []
    for who in "abc":
        second = np.cumsum(rng.choice([5, 10, 20, 90], count))
        step = rng.normal(0, 12, (count, 2)).cumsum(axis=0) + rng.uniform(0, size, 2)
        parts.append(
            pd.DataFrame({"worker_id": who, "s": second, "x": step[:, 0], "y": step[:, 1]})
        )
    table = pd.concat(parts, ignore_index=True)
    return table.assign(time=NOON + pd.to_timedelta(table.pop("s"), unit="s"))


ROADS = streets(
    [(0, 50), (200, 50)], [(50, 0), (50, 200)], [(3, 199), (190, 7)], [(120, 20), (160, 90)]
)


# ------------------------------------------------------------------ ground


def test_the_ground_beside_a_straight_walk_is_a_capsule(four_grids):
    fixes = walk(*[("w", 10 * k, 50 + 10 * k, 100) for k in range(11)])
    fine = lay_lines(four_grids, line_m=0.5, dot_m=0.1)
    found = measure_coverage(
        four_grids, cut_streets(ROADS, four_grids), find_walks(fixes), lines=fine
    )
    # 100 m long, 20 m to both sides, half a disc at each end; the walk goes along the line AB|CD.
    expected = (100 * 40 + np.pi * 400) / 40_000
    assert found["area_share"].mean() == pytest.approx(expected, abs=1e-3)
    assert found["area_share"].to_numpy() == pytest.approx(expected, abs=3e-3)


steps_inside = st.lists(
    st.tuples(*[st.floats(0, 300).map(lambda v: round(v, 2))] * 4), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(steps_inside, st.floats(5, 40))
def test_the_share_of_ground_is_that_of_shapely_within_the_stated_error(steps, radius):
    grid = gpd.GeoDataFrame(
        {"grid_id": ["G"]}, geometry=[shapely.box(0, 0, 300, 300)], crs=CRS
    ).set_index("grid_id")
    pieces = cut_streets(streets([(0, 0), (9, 0)]), grid)
    paths = np.array(steps)
    shapes = shapely.buffer(shapely.linestrings(paths.reshape(-1, 2, 2)), radius, quad_segs=64)
    points = shapely.buffer(shapely.points(paths[:, :2]), radius, quad_segs=64)
    near = shapely.intersection(shapely.union_all([*shapes, *points]), grid.geometry.iloc[0])
    exact = near.area / 90_000
    edges = np.abs(np.diff(shapely.get_coordinates(near.boundary), axis=0)).sum(axis=0)
    for line_m, dot_m in ((10, 1), (1, 0.1)):
        lines = lay_lines(grid, line_m=line_m, dot_m=dot_m)
        found = measure_coverage(grid, pieces, paths, radius_m=radius, lines=lines)
        # Half a line along every level edge (the midpoint rule), half a dot at every other.
        bound = (edges[0] * line_m / 2 + (edges[1] + 40 * line_m) * dot_m / 2) / 90_000
        assert found["area_share"].iloc[0] == pytest.approx(exact, abs=bound)


def test_the_ground_of_usual_walks_is_off_by_less_than_half_a_percent(four_grids):
    pieces = cut_streets(ROADS, four_grids)
    off = []
    for seed in range(12):
        steps = find_walks(wander(seed)).steps
        shapes = shapely.buffer(shapely.linestrings(steps.reshape(-1, 2, 2)), 20, quad_segs=32)
        points = shapely.buffer(shapely.points(steps[:, :2]), 20, quad_segs=32)
        near = shapely.union_all([*shapes, *points])
        exact = shapely.area(shapely.intersection(four_grids.geometry.to_numpy(), near)) / 10_000
        off.append(measure_coverage(four_grids, pieces, steps)["area_share"].to_numpy() - exact)
    # Of grids of one hectare, 100 m wide: a city's are larger and off by less.
    assert np.sqrt(np.mean(np.square(off))) < 0.005
    assert np.abs(np.mean(off)) < 0.001


def test_each_dot_is_of_one_grid_and_all_of_them_make_the_city(four_grids):
    apart, together = lay_lines(four_grids), lay_lines(four_grids.dissolve())
    assert apart.dots.tolist() == [1000, 1000, 1000, 1000]
    assert apart.dots.sum() == together.dots.sum()
    sorted_runs = apart.runs[np.lexsort((apart.runs[:, 1], apart.runs[:, 0]))]
    same_line = sorted_runs[1:, 0] == sorted_runs[:-1, 0]
    assert (sorted_runs[1:, 1] >= sorted_runs[:-1, 2])[same_line].all()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(0, 200).map(lambda v: round(v, 1))] * 4), min_size=1, max_size=6
    ),
    st.floats(3, 40),
)
def test_streets_and_what_is_covered_of_them_are_cut_where_grids_meet(paths, radius):
    """Each grid by itself, as shapely cuts the streets with its square."""
    corners = {"A": (0, 0), "B": (100, 0), "C": (0, 100), "D": (100, 100)}
    grids = gpd.GeoDataFrame(
        {"grid_id": list(corners)},
        geometry=[shapely.box(x, y, x + 100, y + 100) for x, y in corners.values()], crs=CRS,
    ).set_index("grid_id")  # fmt: skip
    steps = np.array(paths)
    found = measure_coverage(grids, cut_streets(ROADS, grids), steps, radius_m=radius)
    shapes = [shapely.linestrings(steps.reshape(-1, 2, 2)), shapely.points(steps[:, :2])]
    ends = [radius, radius / np.cos(np.pi / 4000)]
    near = [
        shapely.union_all(np.concatenate([shapely.buffer(g, r, quad_segs=1000) for g in shapes]))
        for r in ends
    ]
    for name, square in grids.geometry.items():
        mine = shapely.intersection(ROADS.geometry.to_numpy(), square)
        assert found.loc[name, "street_m"] == pytest.approx(shapely.length(mine).sum(), abs=1e-6)
        inner, outer = (shapely.length(shapely.intersection(mine, one)).sum() for one in near)
        assert inner - 1e-3 <= found.loc[name, "covered_m"] <= outer + 1e-3


# ------------------------------------------------------------------ by any label, by parts


@pytest.mark.parametrize("seed", range(4))
def test_a_month_is_the_union_of_its_days_however_they_are_joined(four_grids, seed):
    pieces, lines = cut_streets(ROADS, four_grids), lay_lines(four_grids)
    days = [find_walks(wander(seed * 10 + k, 30)) for k in range(4)]
    parts = [cover_walks(pieces, lines, one) for one in days]
    month = measure_covered(four_grids, pieces, lines, join_covered(*parts))
    again = join_covered(join_covered(parts[3], parts[1]), join_covered(parts[0], parts[2]))
    pd.testing.assert_frame_equal(measure_covered(four_grids, pieces, lines, again), month)
    steps = np.vstack([one.steps for one in days])
    pd.testing.assert_frame_equal(measure_coverage(four_grids, pieces, steps, lines=lines), month)
    for part in parts:
        one = measure_covered(four_grids, pieces, lines, part)
        assert (one["covered_m"] <= month["covered_m"] + 1e-9).all()
        assert (one["area_share"] <= month["area_share"] + 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
def test_each_group_is_measured_as_if_it_were_alone(four_grids, seed):
    pieces = cut_streets(ROADS, four_grids)
    fixes = wander(seed)
    label = pd.Series(np.where(fixes["x"] < 90, "west", "east")).where(fixes["y"] < 180)
    found = measure_coverage_by(four_grids, pieces, find_walks(fixes, groups=label))
    assert found["group"].tolist() == ["east"] * 4 + ["west"] * 4
    for name in ("east", "west"):
        mine = found[found["group"] == name].set_index("grid_id").drop(columns="group")
        alone = measure_coverage(four_grids, pieces, find_walks(fixes[label == name]))
        pd.testing.assert_frame_equal(mine, alone, check_names=False)


@pytest.mark.parametrize("seed", range(3))
def test_more_distance_covers_no_less_of_streets_or_ground(four_grids, seed):
    pieces, walks = cut_streets(ROADS, four_grids), find_walks(wander(seed))
    before = None
    for radius in (5, 10, 20, 40):
        now = measure_coverage(four_grids, pieces, walks, radius_m=radius)
        if before is not None:
            assert (now["covered_m"] >= before["covered_m"] - 1e-9).all()
            assert (now["area_share"] >= before["area_share"]).all()
        before = now


@pytest.mark.parametrize("seed", range(3))
def test_neither_the_order_of_rows_nor_the_names_of_workers_matter(four_grids, seed):
    pieces, fixes = cut_streets(ROADS, four_grids), wander(seed)
    before = measure_coverage(four_grids, pieces, find_walks(fixes))
    mixed = fixes.sample(frac=1, random_state=seed)
    mixed = mixed.assign(worker_id=mixed["worker_id"].map({"a": "z", "b": "y", "c": "x"}))
    after = measure_coverage(four_grids, pieces, find_walks(mixed))
    pd.testing.assert_frame_equal(after, before)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(0, 200).map(lambda v: round(v, 1))] * 4), min_size=1, max_size=9
    ),
    st.floats(3, 40),
)
def test_covered_metres_lie_between_an_inner_and_an_outer_polygon(paths, radius):
    """Arcs drawn inside and around the true ones, 4,000 corners: exact to a millimetre."""
    grid = gpd.GeoDataFrame(
        {"grid_id": ["G"]}, geometry=[shapely.box(-9, -9, 209, 209)], crs=CRS
    ).set_index("grid_id")
    steps = np.array(paths)
    found = measure_coverage(grid, cut_streets(ROADS, grid), steps, radius_m=radius)
    lines = shapely.linestrings(steps.reshape(-1, 2, 2))
    bare = shapely.points(steps[:, :2])
    lengths = []
    for r in (radius, radius / np.cos(np.pi / 4000)):
        shapes = np.concatenate([shapely.buffer(g, r, quad_segs=1000) for g in (lines, bare)])
        near = shapely.union_all(shapes)
        lengths.append(shapely.length(shapely.intersection(ROADS.geometry.to_numpy(), near)).sum())
    assert lengths[0] - 1e-3 <= found["covered_m"].sum() <= lengths[1] + 1e-3


# ------------------------------------------------------------------ streets nobody walked


def test_unwalked_stretches_come_with_the_day_they_were_last_walked(four_grids):
    """One street of 200 m through A and B: 0-30 m walked on the 1st, 70-100 m on the 5th."""
    pieces = cut_streets(streets([(0, 50), (200, 50)]), four_grids)
    first = date_walks(pieces, np.array([[0, 50, 20.0, 50]]), day=FIRST, radius_m=10)
    fifth = date_walks(
        pieces, np.array([[80, 50, 90.0, 50]]), day=FIRST + timedelta(days=4), radius_m=10
    )
    walked = join_walked(first, fifth)
    on = FIRST + timedelta(days=6)
    found = find_unwalked(four_grids, pieces, walked, on=on, days=3, roads=pd.Index(["main"]))
    assert found["length_m"].tolist() == pytest.approx([100, 40, 30])
    assert found["grid_id"].tolist() == ["B", "A", "A"]
    assert found["road_id"].tolist() == ["main"] * 3
    assert found["last_walked"].dt.date.tolist()[2] == FIRST
    assert found["last_walked"].isna().tolist() == [True, True, False]
    assert found["days"].isna().tolist() == [True, True, False]
    assert found["days"].iloc[2] == 6
    middle = found.geometry.iloc[1]
    assert middle.coords[0] == pytest.approx((30, 50))
    assert middle.coords[-1] == pytest.approx((70, 50))
    # The 5th is two days ago: with two days that stretch counts too, with seven only the never.
    two = find_unwalked(four_grids, pieces, walked, on=on, days=2)
    assert two["length_m"].sum() == pytest.approx(200)
    seven = find_unwalked(four_grids, pieces, walked, on=on, days=7)
    assert seven["length_m"].sum() == pytest.approx(140)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_unwalked_is_the_rest_of_what_the_last_days_covered(four_grids, seed):
    pieces = cut_streets(ROADS, four_grids)
    days = [find_walks(wander(seed * 100 + k, 12)) for k in range(6)]
    parts = [date_walks(pieces, w, day=FIRST + timedelta(days=k)) for k, w in enumerate(days)]
    walked = join_walked(*parts)
    on = FIRST + timedelta(days=5)
    for number in (1, 2, 4, 6, 9):
        recent = np.vstack([np.empty((0, 4)), *(w.steps for w in days[max(0, 6 - number) :])])
        found = find_unwalked(four_grids, pieces, walked, on=on, days=number, roads=ROADS.index)
        rest = pieces.length_m.sum() - measure_reach(pieces, recent).sum()
        assert found["length_m"].sum() == pytest.approx(rest, abs=1e-6)
        assert found.geometry.length.sum() == pytest.approx(rest, abs=1e-6)
        covered = measure_coverage(four_grids, pieces, recent)
        by_grid = found.groupby("grid_id")["length_m"].sum().reindex(four_grids.index).fillna(0)
        assert by_grid.to_numpy() == pytest.approx(
            (covered["street_m"] - covered["covered_m"]).to_numpy(), abs=1e-6
        )
        assert (found["days"].dropna() >= number).all()
    # A slow twin: points along each street and the last day on which a path came near.
    for road, line in ROADS.geometry.items():
        at = np.linspace(0.13, line.length - 0.17, 40)
        points = shapely.line_interpolate_point(line, at)
        last = np.full(len(at), -1)
        for k, one in enumerate(days):
            near = shapely.multilinestrings(shapely.linestrings(one.steps.reshape(-1, 2, 2)))
            bare = shapely.multipoints(shapely.points(one.steps[:, :2]))
            far = np.minimum(shapely.distance(points, near), shapely.distance(points, bare))
            last[far <= 20] = k
        mine = found_all(four_grids, pieces, walked, on)
        mine = mine[mine["road_id"] == road]
        for point, day in zip(points, last, strict=True):
            hit = mine[mine.geometry.distance(point) < 1e-7]
            if len(hit) != 1:
                continue  # at a border of two stretches
            told = hit["days"].iloc[0]
            assert (5 - told if pd.notna(told) else -1) == day


def found_all(grids, pieces, walked, on):
    """Every stretch with its last day, also those of today: as seen from the next day."""
    table = find_unwalked(
        grids, pieces, walked, on=on + timedelta(days=1), days=1, roads=ROADS.index
    )
    return table.assign(days=table["days"] - 1)


def test_summaries_of_days_join_in_any_order(four_grids):
    pieces = cut_streets(ROADS, four_grids)
    parts = [
        date_walks(pieces, find_walks(wander(k, 15)), day=FIRST + timedelta(days=k))
        for k in range(4)
    ]
    one = join_walked(*parts)
    other = join_walked(join_walked(parts[2], parts[0]), join_walked(parts[3], parts[1]))
    for name in ("piece", "low", "high", "day"):
        assert getattr(other, name) == pytest.approx(getattr(one, name))


def test_a_history_without_a_walk_leaves_all_streets_unwalked(four_grids):
    pieces = cut_streets(ROADS, four_grids)
    none = date_walks(pieces, np.empty((0, 4)), day=FIRST)
    found = find_unwalked(four_grids, pieces, none, on=FIRST, days=30)
    assert found["length_m"].sum() == pytest.approx(ROADS.length.sum())
    assert found["last_walked"].isna().all()
    with pytest.raises(InputError, match="days is 0"):
        find_unwalked(four_grids, pieces, none, on=FIRST, days=0)
    some = date_walks(pieces, np.array([[0, 50, 9, 50.0]]), day=FIRST)
    with pytest.raises(InputError, match="goes on until 2026-11-01: name a later day"):
        find_unwalked(four_grids, pieces, some, on=FIRST - timedelta(days=1), days=1)
    empty = cut_streets(ROADS.iloc[:0], four_grids)
    nothing = date_walks(empty, np.empty((0, 4)), day=FIRST)
    assert not len(find_unwalked(four_grids, empty, nothing, on=FIRST, days=1))


# ------------------------------------------------------------------ assets seen


def assets(*places) -> gpd.GeoDataFrame:
    names = pd.Index([f"m{k}" for k in range(len(places))], name="asset_id")
    return gpd.GeoDataFrame(geometry=[shapely.Point(p) for p in places], index=names, crs=CRS)


def test_an_asset_is_seen_by_who_walks_past_between_two_fixes():
    """m0 lies 5 m beside the middle of a step of 60 m, m1 25 m, m2 nowhere near."""
    walks = find_walks(walk(("w", 0, 0, 0), ("w", 30, 60, 0), ("v", 7, 300, 0)))
    found = find_seen(assets((30, 5), (30, 25), (999, 999)), walks, since=NOON, radius_m=13)
    assert found["is_seen"].tolist() == [True, False, False]
    assert found["worker_id"].tolist() == ["w", "", ""]
    # 12 m along either side of it: near until x = 42, 21 s after noon.
    assert found["last_seen"].iloc[0] == NOON + pd.Timedelta(seconds=21)
    assert found["last_seen"].isna().tolist() == [False, True, True]


def test_who_was_there_before_the_date_is_told_but_does_not_count():
    walks = find_walks(walk(("w", 0, 0, 0)))
    found = find_seen(assets((3, 0)), walks, since=NOON + pd.Timedelta(seconds=1))
    assert not found["is_seen"].iloc[0]
    assert found["last_seen"].iloc[0] == NOON


@pytest.mark.parametrize("seed", range(4))
def test_sightings_are_those_of_a_slow_search(seed):
    rng = np.random.default_rng(seed)
    things = assets(*rng.uniform(-40, 240, (50, 2)))
    fixes = wander(seed, 40).sort_values(["worker_id", "time"])
    found = find_seen(things, find_walks(fixes), since=NOON, radius_m=20)
    fixes["s"] = (fixes["time"] - NOON).dt.total_seconds()
    for name, point in things.geometry.items():
        here = np.array([point.x, point.y])
        best = -1.0
        for _, mine in fixes.groupby("worker_id"):
            xy, s = mine[["x", "y"]].to_numpy(), mine["s"].to_numpy()
            for k in range(len(mine)):
                share = np.zeros(1)
                if k + 1 < len(mine):
                    apart, far = s[k + 1] - s[k], np.hypot(*(xy[k + 1] - xy[k]))
                    if apart <= 60 and far * 3.6 <= 15 * apart:
                        share = np.linspace(0, 1, 401)
                way = xy[min(k + 1, len(mine) - 1)] - xy[k]
                near = np.hypot(*(xy[k] + way * share[:, None] - here).T) <= 20
                if near.any():
                    gone = s[min(k + 1, len(mine) - 1)] - s[k]
                    best = max(best, s[k] + gone * share[near].max())
        told = (found.loc[name, "last_seen"] - NOON).total_seconds()
        if best < 0:
            # A step may touch the circle between two of the twin's places.
            assert pd.isna(told) or not 0 < told < np.inf or point_is_grazed(point, fixes)
        else:
            assert told == pytest.approx(best, abs=0.2)


def point_is_grazed(point, fixes):
    paths = shapely.union_all(shapely.linestrings(find_walks(fixes).steps.reshape(-1, 2, 2)))
    return point.distance(paths) > 19.9


def test_sightings_of_days_join_in_any_order_and_as_one():
    things = assets(*np.random.default_rng(5).uniform(0, 200, (60, 2)))
    days = [
        wander(k, 20).assign(time=lambda t, k=k: t["time"] + pd.Timedelta(days=k)) for k in range(3)
    ]
    walks = [find_walks(day) for day in days]
    parts = [sight_assets(things, one) for one in walks]
    whole = find_seen(things, find_walks(pd.concat(days)), since=NOON)
    pd.testing.assert_frame_equal(find_seen(things, iter(walks), since=NOON), whole)
    other = join_sightings(parts[1], join_sightings(parts[2], parts[0]))
    pd.testing.assert_frame_equal(find_seen(things, other, since=NOON), whole)


def test_lines_and_areas_are_seen_at_their_middle_and_what_has_no_place_never():
    shapes = [
        shapely.LineString([(0, 0), (100, 0)]), shapely.box(45, -5, 55, 5), None,
    ]  # fmt: skip
    things = gpd.GeoDataFrame(geometry=shapes, index=pd.Index(list("abc")), crs=CRS)
    found = find_seen(things, find_walks(walk(("w", 0, 50, 3))), since=NOON)
    assert found["is_seen"].tolist() == [True, True, False]


def test_sightings_without_sense_are_refused():
    walks = find_walks(walk(("w", 0, 0, 0)))
    with pytest.raises(CrsError, match="not metres"):
        find_seen(assets((0, 0)).to_crs(4326), walks, since=NOON)
    with pytest.raises(InputError, match="without a zone"):
        find_seen(assets((0, 0)), walks, since=pd.Timestamp("2026-11-21"))
    with pytest.raises(InputError, match="no walks at all"):
        find_seen(assets((0, 0)), [], since=NOON)
    with pytest.raises(InputError, match="radius_m is -1"):
        find_seen(assets((0, 0)), walks, since=NOON, radius_m=-1)
