"""What cameras see: drawn towns with answers worked out by hand, and slow twins.

y
100 +---------+---------+      two grids of 100 m side by side (A, B); one street at y = 50
    |    A    |    B    |      from x = 0 to 200
  0 +---------+---------+
    0        100       200 x
"""

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import InputError
from geo.locate import GridIndex
from geo.reach import cut_streets, invert_reach, join_reach, reach_walks, reached_m
from geo.sight import (
    best_spots,
    count_blind,
    is_seen,
    measure_ground,
    measure_streets,
    reach_views,
)
from geo.views import view_sectors

CRS = "EPSG:4547"


@pytest.fixture(scope="module")
def grids() -> gpd.GeoDataFrame:
    shapes = [shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)]
    index = pd.Index(["A", "B"], name="grid_id")
    return gpd.GeoDataFrame(geometry=shapes, index=index, crs=CRS)


@pytest.fixture(scope="module")
def roads() -> gpd.GeoDataFrame:
    line = shapely.LineString([(0, 50), (200, 50)])
    return gpd.GeoDataFrame({"road_class": ["minor"], "name": ["青年路"]}, geometry=[line], crs=CRS)


def views(*shapes: shapely.Geometry | None) -> gpd.GeoSeries:
    return gpd.GeoSeries(list(shapes), crs=CRS)


def test_a_view_covers_its_part_of_the_street_and_of_the_ground(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    seen = views(shapely.box(30, 40, 130, 60), None)
    table = measure_streets(grids, pieces, reach_views(pieces, seen))
    assert table["street_m"].tolist() == pytest.approx([100, 100])
    assert table["covered_m"].tolist() == pytest.approx([70, 30])
    assert measure_ground(grids, seen).tolist() == pytest.approx([0.14, 0.06], abs=0.01)
    # Grids are stored as multipolygons.
    stored = grids.set_geometry(shapely.multipolygons(grids.geometry.to_numpy()[:, None]))
    assert measure_ground(stored, seen).tolist() == measure_ground(grids, seen).tolist()


def test_no_view_covers_nothing(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    for none in (views(), views(None)):
        assert measure_streets(grids, pieces, reach_views(pieces, none))["covered_m"].sum() == 0
        assert measure_ground(grids, none).tolist() == [0, 0]
        points = gpd.GeoSeries(gpd.points_from_xy([5.0], [5.0]), crs=CRS)
        assert not is_seen(points, none).any()


def test_what_neither_patrol_nor_camera_reaches_is_what_is_left(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    camera = reach_views(pieces, views(shapely.box(-5, 0, 40, 100)))
    patrol = reach_walks(pieces, np.array([[60.0, 50.0, 100.0, 50.0]]), radius_m=10)
    neither = invert_reach(pieces, join_reach(camera, patrol))
    # Cameras see 0 to 40, the walk 50 to 110: 40 to 50 and 110 to 200 are left.
    assert reached_m(pieces, neither).sum() == pytest.approx(100)


def test_blind_places_are_counted_where_they_are(grids) -> None:
    points = gpd.GeoSeries(gpd.points_from_xy([10, 20, 150, 500], [50, 90, 50, 50]), crs=CRS)
    seen = is_seen(points, views(shapely.box(0, 40, 30, 60)))
    assert seen.tolist() == [True, False, False, False]
    row = GridIndex(grids).assign(points.x.to_numpy(), points.y.to_numpy())
    table = count_blind(grids, row, seen)
    assert table.to_numpy().tolist() == [[2, 1, 0.5], [1, 1, 1.0]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_streets_in_view_agree_with_a_union_of_the_views(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grids = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 300, 300)], index=["A"], crs=CRS)
    lines = [shapely.LineString(rng.uniform(0, 300, (3, 2))) for _ in range(3)]
    roads = gpd.GeoDataFrame({"road_class": ["minor"] * 3}, geometry=lines, crs=CRS)
    seen = views(*(shapely.Point(*rng.uniform(0, 300, 2)).buffer(60) for _ in range(4)))
    pieces = cut_streets(roads, grids)
    slow = sum(line.intersection(shapely.union_all(seen.to_numpy())).length for line in lines)
    assert reached_m(pieces, reach_views(pieces, seen)).sum() == pytest.approx(slow, abs=1e-3)


def brute(seen: list[set[int]], weights: np.ndarray, count: int) -> float:
    """The best of all choices."""
    return max(
        sum(weights[list(set().union(*choice))]) if choice else 0.0
        for choice in itertools.combinations(seen, min(count, len(seen)))
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 3))
def test_greedy_spots_keep_their_bound_and_never_pass_the_best_choice(seed, count) -> None:
    rng = np.random.default_rng(seed)
    spots = gpd.GeoSeries(gpd.points_from_xy(*rng.uniform(0, 200, (2, 7))), crs=CRS)
    points = gpd.GeoSeries(gpd.points_from_xy(*rng.uniform(0, 200, (2, 25))), crs=CRS)
    weights = rng.integers(1, 5, 25).astype(float)
    found = best_spots(spots, points, weights=weights, count=count, range_m=45)
    seen = [set(np.flatnonzero(points.distance(spot).to_numpy() <= 45)) for spot in spots]
    best = brute(seen, weights, count)
    total = found.table["total"].max() if len(found.table) else 0.0
    assert total <= best + 1e-9
    assert total >= (1 - 1 / np.e) * best - 1e-9
    for rank, most in found.table["most"].items():
        assert most >= brute(seen, weights, rank) - 1e-9
    assert found.table["gain"].is_monotonic_decreasing
    covered = set().union(*(seen[k] for k in found.table["spot"])) if len(found.table) else set()
    assert weights[list(covered)].sum() == pytest.approx(total)


@pytest.mark.parametrize("is_multi", [False, True])
def test_a_wall_hides_what_is_behind_it(is_multi: bool) -> None:
    spots = gpd.GeoSeries(gpd.points_from_xy([0, 0], [0, 100]), crs=CRS)
    points = gpd.GeoSeries(gpd.points_from_xy([30, 31, 32, 5], [0, 0, 0, 100]), crs=CRS)
    box = shapely.box(10, -20, 12, 20)
    # Buildings are stored as multipolygons.
    shape = shapely.MultiPolygon([box]) if is_multi else box
    wall = gpd.GeoDataFrame(geometry=[shape], crs=CRS)
    open_ = best_spots(spots, points, count=1)
    walled = best_spots(spots, points, buildings=wall, count=1)
    assert (open_.table["spot"].item(), open_.table["gain"].item()) == (0, 3)
    assert (walled.table["spot"].item(), walled.table["gain"].item()) == (1, 1)
    assert not walled.views.iloc[0].is_empty


def test_numbers_that_make_no_sense_are_refused() -> None:
    one = gpd.GeoSeries(gpd.points_from_xy([0], [0]), crs=CRS)
    with pytest.raises(InputError, match="above 0"):
        best_spots(one, one, count=0)
    with pytest.raises(InputError, match="one a point"):
        best_spots(one, one, weights=np.array([1.0, 2.0]))
    assert best_spots(one, one.iloc[:0]).table.empty
    assert best_spots(one.iloc[:0], one).table.empty


@pytest.mark.real_data
def test_houses_of_helsinki_cut_what_cameras_see(shared_data) -> None:
    file = shared_data / "st_helsinki_osm" / "helsinki.gpkg"
    houses = gpd.read_file(file, layer="buildings")
    houses = houses.to_crs(4326)
    houses = houses[houses.geom_type.isin(["Polygon", "MultiPolygon"])]
    crs = houses.estimate_utm_crs()
    # East of every fortieth house, looking back at it.
    east = houses.geometry.bounds.iloc[::40]
    places = gpd.points_from_xy(east["maxx"] + 0.0004, (east["miny"] + east["maxy"]) / 2)
    cameras = gpd.GeoDataFrame(
        {"bearing_deg": [270.0] * len(places), "angle_deg": 120.0, "range_m": 80.0},
        geometry=places,
        crs=4326,
    )
    open_ = view_sectors(cameras).to_crs(crs)
    cut = view_sectors(cameras, buildings=houses).to_crs(crs)
    assert (cut.area <= open_.area * 1.001).all()
    assert cut.area.sum() < 0.9 * open_.area.sum()
    boxes = [shapely.box(*open_.total_bounds)]
    grids = gpd.GeoDataFrame(geometry=boxes, index=["h"], crs=crs)
    assert measure_ground(grids, cut).iloc[0] < measure_ground(grids, open_).iloc[0]
    area = shapely.union_all(cut.to_numpy()).area / boxes[0].area
    assert measure_ground(grids, cut).iloc[0] == pytest.approx(area, rel=0.02)
