"""What holds for every invented city: seamless, nested, connected, counted once, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from geo.checks import check_workspace
from geo.datum import metric_crs
from geo.hierarchy import neighbours, number_grids
from geo.locate import GridIndex
from geo.schema import TABLES
from geo.synth import City, Preset, build_city
from geo.synth.patrols import WILD_M

AT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def small(**figures: object) -> Preset:
    """Fourteen grids in five communities, two of them villages, on two banks."""
    usual = {"name": "small", "title": "小城", "lon": 111.3, "lat": 30.7, "province": "42"}
    usual |= {"grids": 14, "communities": 3, "villages": 2, "streets": 2, "dedicated_share": 0.1}
    usual |= {"fix_days": 2, "fix_workers": 6, "incidents_a_day": 1.0}
    usual |= {"roles": {"grid_worker": 14, "police": 2}}
    return Preset(**(usual | figures))


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(small(), seed=7, at=AT)


seeds = st.integers(min_value=0, max_value=2**40)
# A seed is as simple as another: nothing to shrink.
few = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)


@few
@given(seed=seeds, sprawl=st.floats(0, 4), block=st.sampled_from([6_000.0, 9_000.0, 15_000.0]))
def test_any_city_is_seamless_nested_and_connected(seed, sprawl, block):
    made = build_city(small(sprawl=sprawl, block_m2=block), seed=seed, at=AT, parts=())
    divisions, grids, blocks = made["divisions"], made["grids"], made["blocks"]
    crs = metric_crs(111.3, 30.7)
    covers = [grids, blocks, *(part for _, part in divisions.groupby("level"))]
    for cover in covers:
        assert cover.is_valid.all()
        assert (shapely.get_num_geometries(cover.geometry.to_numpy()) == 1).all()
        assert shapely.coverage_is_valid(cover.geometry.to_numpy())
        assert shapely.coverage_is_valid(cover.to_crs(crs).geometry.to_numpy())
    assert blocks["community_code"].isin(divisions.index).all()
    grid_of_block = blocks.index.str[:15]
    for children, parent, shapes in (
        (blocks, grid_of_block, grids),
        (grids, grids["community_code"], divisions),
        (divisions[divisions["parent_code"].notna()], divisions["parent_code"].dropna(), divisions),
    ):
        for code, rows in children.groupby(np.asarray(parent)):
            union = shapely.coverage_union_all(rows.geometry.to_numpy())
            assert union.equals(shapes.geometry[code])
            # Not one vertex of a child's outer border is lost.
            assert shapely.get_num_coordinates(union) == shapely.get_num_coordinates(
                shapes.geometry[code]
            )


@few
@given(seed=seeds)
def test_any_city_counts_each_household_once_and_keeps_the_band(seed):
    made = build_city(small(), seed=seed, at=AT, parts=())
    buildings, blocks, grids = made["buildings"], made["blocks"], made["grids"]
    for figure in ("households", "population"):
        assert buildings[figure].sum() == blocks[figure].sum() == grids[figure].sum()
        by_grid = blocks[figure].groupby(blocks.index.str[:15]).sum()
        assert (by_grid.reindex(grids.index) == grids[figure]).all()
    base = grids[grids["kind"] == "base"]
    assert base["households"].between(200, 300).all()
    assert (grids["households"][grids["kind"] == "dedicated"] == 0).all()
    assert (buildings["population"] >= buildings["households"]).all()


@few
@given(seed=seeds)
def test_any_city_is_numbered_as_a_page_is_read_with_codes_used_once(seed):
    made = build_city(small(), seed=seed, at=AT, parts=())
    grids, divisions = made["grids"], made["divisions"]
    assert (number_grids(grids) == grids.index).all()
    assert grids.index.is_unique
    assert divisions.index.is_unique
    assert divisions.index.str.fullmatch(r"\d\d99\d{8}").all()
    assert (grids.index.str[:12] == grids["community_code"]).all()
    kinds = divisions[divisions["level"] == "community"]
    is_village = kinds.index.str[-3:].astype(int) >= 200
    assert (kinds["name"].str.endswith("村") == is_village).all()
    assert is_village.sum() == 2


@few
@given(seed=seeds, minutes=st.integers(0, 3 * 1440))
def test_any_city_moves_its_cases_forward_and_knows_no_future(seed, minutes):
    at = AT + timedelta(minutes=minutes)
    made = build_city(small(), seed=seed, at=at, parts=("incidents",))
    cases, log = made["incidents"], made["incident_log"]
    assert cases.index.is_unique
    assert cases["reported_at"].is_monotonic_increasing
    assert log["at"].max() <= at
    by_case = log.groupby("incident_id")
    assert (by_case["at"].first().reindex(cases.index) == cases["reported_at"]).all()
    assert (by_case["stage"].last().reindex(cases.index) == cases["stage"]).all()
    assert by_case["at"].is_monotonic_increasing.all()
    assert (log["seq"] == by_case.cumcount() + 1).all()
    done = cases["stage"].isin(["closed", "cancelled"])
    assert (cases["closed_at"].notna() == done).all()
    last = by_case["at"].last().reindex(cases.index)
    assert (last[done] == cases["closed_at"][done]).all()
    dispatched = log["incident_id"][log["move"] == "dispatch"].unique()
    assert (cases["deadline"].notna() == cases.index.isin(dispatched)).all()
    assert (cases["deadline"].dropna() > cases["reported_at"][cases["deadline"].notna()]).all()


@few
@given(seed=seeds, minutes=st.integers(0, 1440))
def test_any_city_has_patrols_until_now_and_none_far_from_it(seed, minutes):
    at = AT + timedelta(minutes=minutes)
    made = build_city(small(), seed=seed, at=at, parts=("workers", "fixes"))
    fixes = made["fixes"]
    assert len(fixes)
    assert fixes["time"].max() <= at
    assert fixes["time"].max() > at - timedelta(hours=16)
    assert not fixes.duplicated(["worker_id", "time"]).any()
    assert fixes["worker_id"].isin(made["workers"].index).all()
    hours = fixes["time"].dt.tz_convert(ZONE).dt.hour
    assert set(hours) <= {7, 8, 9, 11, 12, 13, 17, 18, 19}
    crs = metric_crs(111.3, 30.7)
    points = gpd.GeoSeries(gpd.points_from_xy(fixes["lon"], fixes["lat"]), crs=4326).to_crs(crs)
    outline = made["divisions"].query("level == 'city'").to_crs(crs).geometry.iloc[0]
    assert shapely.dwithin(outline, points.to_numpy(), WILD_M).all()


@few
@given(seed=seeds)
def test_every_thing_of_any_city_stands_in_exactly_one_grid(seed):
    city = build_city(
        small(incidents_a_day=8.0), seed=seed, at=AT, parts=("assets", "places", "incidents")
    )
    index = GridIndex(city["grids"])
    for name in ("assets", "cameras", "places", "buildings"):
        point = city[name].representative_point()
        rows = index.assign(point.x.to_numpy(), point.y.to_numpy())
        assert (rows >= 0).all(), name
    cases = city["incidents"]
    rows = index.assign(cases["lon"].to_numpy(), cases["lat"].to_numpy())
    assert ((rows >= 0) == cases.geometry.notna()).all()


def test_buildings_stand_apart_and_back_from_the_streets(city):
    crs = metric_crs(111.3, 30.7)
    houses = city["buildings"].to_crs(crs).geometry.to_numpy()
    one, two = shapely.STRtree(houses).query(houses, predicate="intersects")
    assert (one == two).all()
    streets = city["roads"].query("road_class != 'river'").to_crs(crs).geometry.to_numpy()
    gap = shapely.STRtree(streets).query_nearest(houses, return_distance=True)[1]
    assert gap.min() > 7.5


def test_neighbouring_grids_meet_along_streets_water_or_rail(city):
    crs = metric_crs(111.3, 30.7)
    grids = city["grids"].to_crs(crs)
    lines = shapely.union_all(city["roads"].to_crs(crs).geometry.to_numpy())
    on_water = shapely.union_all(
        city["areas"].query("kind == 'water'").to_crs(crs).geometry.to_numpy()
    ).buffer(9)
    near = shapely.buffer(lines, 0.2).union(on_water)
    for row in neighbours(grids).itertuples():
        border = grids.geometry[row.id].intersection(grids.geometry[row.neighbour])
        assert border.difference(near).length < 1.0


def test_the_same_preset_seed_and_moment_give_the_same_tables(city):
    again = build_city(small(), seed=7, at=AT)
    for name, frame in city.tables.items():
        pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(again[name]))
    other = build_city(small(), seed=8, at=AT, parts=())
    assert not city["grids"].geometry.iloc[0].equals(other["grids"].geometry.iloc[0])


def test_a_part_left_out_changes_none_of_the_others(city):
    alone = build_city(small(), seed=7, at=AT, parts=("incidents",))
    assert "assets" not in alone.tables
    for name, frame in alone.tables.items():
        pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(city[name]))


def test_the_checks_of_a_workspace_find_nothing_where_no_flaw_was_wanted(city):
    problems = check_workspace(city.tables, at=AT, band=(200, 300))
    assert problems[["table", "id", "reason", "detail"]].to_dict("records") == []


TABLES_OF_A_CITY = (
    "divisions", "grids", "blocks", "buildings", "areas", "roads", "places", "assets", "cameras",
    "workers", "departments", "duties", "fixes", "incidents", "incident_log", "calendar", "zones",
)  # fmt: skip


@pytest.mark.parametrize("name", TABLES_OF_A_CITY)
def test_a_table_has_the_columns_and_words_of_the_schema(city, name):
    table, frame = TABLES[name], city[name]
    flat = frame if name in ("fixes", "incident_log") else frame.reset_index()
    assert list(flat.columns.drop("geometry", errors="ignore")) == list(table.names)
    for column in table.columns:
        if column.required:
            assert flat[column.name].notna().all()
        if column.words:
            assert flat[column.name].dropna().isin(column.words).all()
    assert len(frame)


def test_the_week_and_the_day_have_their_rhythm():
    made = build_city(small(incidents_a_day=20.0), seed=3, at=AT, parts=("incidents",))
    cases = made["incidents"]
    local = cases["reported_at"].dt.tz_convert(ZONE)
    vendors = local[cases["class_code"] == "E0501"].dt.hour
    rubbish = local[cases["class_code"] == "E0102"].dt.hour
    assert (vendors >= 16).mean() > 0.5 > (rubbish >= 16).mean()
    days = local.dt.date.nunique()
    week = local.dt.day_of_week.value_counts()
    assert days >= 30
    assert week[[5, 6]].mean() < 0.95 * week[[0, 1, 2, 3]].mean()


def test_some_places_flare_up_and_some_cases_are_late():
    made = build_city(small(incidents_a_day=20.0), seed=3, at=AT, parts=("incidents",))
    cases = made["incidents"]
    placed = cases[cases.geometry.notna()].to_crs(metric_crs(111.3, 30.7))
    spot = np.round(np.column_stack([placed.geometry.x, placed.geometry.y]) / 25)
    counts = pd.DataFrame(spot).assign(kind=placed["class_code"].to_numpy()).value_counts()
    assert counts.max() > 40
    late = (cases["closed_at"] > cases["deadline"]).mean()
    assert 0.02 < late < 0.15
    open_late = ~cases["stage"].isin(["closed", "cancelled"]) & (cases["deadline"] < AT)
    assert open_late.any()
    assert 0.005 < cases.geometry.isna().mean() < 0.03


def test_phones_lose_the_sky_die_and_stray(city):
    fixes = build_city(small(fix_days=12, fix_workers=14), seed=5, at=AT, parts=("fixes",))["fixes"]
    local = fixes["time"].dt.tz_convert(ZONE)
    rounds = fixes.groupby(
        [fixes["worker_id"], local.dt.date, pd.cut(local.dt.hour, [0, 10, 15, 24])], observed=True
    )
    assert len(rounds) < 12 * 14 * 3
    gaps = rounds["time"].agg(lambda t: t.diff().max())
    assert 0.1 < (gaps > pd.Timedelta(minutes=4)).mean() < 0.5
    spans = rounds["time"].agg(lambda t: t.max() - t.min())
    assert (spans < pd.Timedelta(minutes=50)).any()
    assert fixes["accuracy_m"].max() > 40


@pytest.mark.parametrize("seed", [1, 2])
def test_zones_of_a_kind_lie_apart_inside_the_city_and_have_names_of_their_own(seed):
    made = build_city("demo", seed=seed, at=AT, parts=())
    zones, crs = made["zones"], metric_crs(111.3, 30.7)
    assert set(zones["kind"]) == {"商圈", "学校周边"}
    assert not zones.duplicated(["kind", "name"]).any()
    assert zones.is_valid.all()
    outline = made["divisions"].query("level == 'city'").to_crs(crs).geometry.iloc[0]
    for _, mine in zones.to_crs(crs).groupby("kind"):
        shapes = mine.geometry.to_numpy()
        one, two = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        assert (one == two).all()
        assert shapely.area(shapely.difference(shapes, outline)).max() < 1.0
        assert shapely.area(shapes).min() > 500
    assert not len(check_workspace(made.tables, at=AT, band=(200, 300)))
