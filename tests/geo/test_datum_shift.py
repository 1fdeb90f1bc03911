"""A layer in another datum than declared is noticed, with the offset; a right one is not."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.datum import (
    find_datum_shift,
    find_layer_shift,
    to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)


def city_of(side: int = 12, step: float = 0.008, at: tuple[float, float] = (111.2, 30.6)):
    """A chessboard of side x side grids of about 800 m, with bent inner lines."""
    random = np.random.default_rng(5)
    nodes = np.stack(np.meshgrid(range(side + 1), range(side + 1), indexing="ij"), axis=2) * step
    nodes = nodes + np.array(at) + random.uniform(-0.2, 0.2, nodes.shape) * step
    corners = np.stack([nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]], axis=2)
    return gpd.GeoDataFrame(geometry=shapely.polygons(corners.reshape(-1, 4, 2)), crs="EPSG:4326")


def points_in(cover, count=4000, seed=1):
    region = cover.union_all()
    random = np.random.default_rng(seed)
    west, south, east, north = region.bounds
    x, y = random.uniform(west, east, count), random.uniform(south, north, count)
    inside = shapely.contains_xy(region, x, y)
    return x[inside], y[inside]


@pytest.fixture(scope="module")
def city():
    return city_of()


def moved(frame, change):
    shapes = shapely.transform(frame.geometry.array, lambda p: np.column_stack(change(*p.T)))
    return gpd.GeoDataFrame(geometry=np.asarray(shapes), crs="EPSG:4326")


@pytest.mark.parametrize(
    ("change", "likely", "offset_m", "bearing"),
    [(wgs84_to_gcj02, "gcj02", 600, 297), (wgs84_to_bd09, "bd09", 1220, 251)],
    ids=["GCJ-02", "BD-09"],
)
def test_points_in_another_datum_are_noticed_with_their_offset(
    city, change, likely, offset_m, bearing
):
    found = find_datum_shift(*change(*points_in(city)), city)
    assert found.likely == likely
    assert found.whose == "layer"
    assert found.offset_m == pytest.approx(offset_m, rel=0.05)
    assert found.bearing_deg == pytest.approx(bearing, abs=2)  # back to the west
    assert found.share_likely > 0.999
    assert f"looks like {likely}; nothing was converted" in found.message


def test_points_in_the_datum_declared_raise_no_suspicion(city):
    assert find_datum_shift(*points_in(city), city) is None


def test_points_converted_without_need_are_noticed(city):
    x, y = (
        to_wgs84(gpd.GeoDataFrame(geometry=gpd.points_from_xy(*points_in(city))), "gcj02")
        .get_coordinates()
        .to_numpy()
        .T
    )
    found = find_datum_shift(x, y, city, declared="gcj02")
    assert found.likely == "wgs84"
    assert "declared gcj02" in found.message


def test_a_workspace_in_the_wrong_datum_is_named_instead_of_the_layer(city):
    wrong = moved(city, wgs84_to_gcj02)
    found = find_datum_shift(*points_in(city), wrong)
    assert (found.likely, found.whose) == ("gcj02", "reference")
    assert "the data already in the workspace look like gcj02" in found.message


def test_ten_points_of_a_thousand_just_outside_are_chance_and_twenty_are_not():
    """A square city, its points in the middle, and some 300 m off the south-east corner."""
    city = gpd.GeoDataFrame(geometry=[shapely.box(111.2, 30.6, 111.3, 30.7)], crs="EPSG:4326")

    def suspicion(outside: int):
        x, y = np.full(1000, 111.25), np.full(1000, 30.65)
        x[:outside], y[:outside] = 111.303, 30.603
        return find_datum_shift(x, y, city)

    assert suspicion(10) is None
    assert suspicion(20).likely == "gcj02"


def test_points_of_a_wider_region_are_no_sign_of_a_shift(city):
    """Half of the points lie outside on all sides: no datum puts them in."""
    random = np.random.default_rng(9)
    x, y = random.uniform(111.15, 111.35, 3000), random.uniform(30.55, 30.75, 3000)
    found = find_datum_shift(x, y, city)
    assert found is None or not found.likely


def test_points_of_another_city_are_suspicious_without_a_datum_to_blame(city):
    found = find_datum_shift(*points_in(city_of(at=(114.2, 30.5))), city)
    assert not found.likely
    assert found.share_declared == 0
    assert found.offset_m > 100_000
    assert "check the source CRS" in found.message


def test_outside_of_china_no_shift_is_thought_of():
    city = city_of(at=(120.6, 24.1))
    x, y = points_in(city)
    found = find_datum_shift(x + 0.005, y - 0.003, city)
    assert found is None or not found.likely


def test_a_handful_of_points_gives_no_verdict(city):
    assert find_datum_shift([111.0] * 9, [30.0] * 9, city) is None


def test_borders_in_another_datum_are_noticed_against_known_borders(city):
    """Every inner vertex of the shifted cover misses the known lines by half a kilometre."""
    found = find_layer_shift(moved(city, wgs84_to_gcj02), cover=city)
    assert found.likely == "gcj02"
    assert found.offset_m == pytest.approx(600, rel=0.05)
    assert found.share_declared < 0.2
    assert found.share_likely > 0.99
    assert find_layer_shift(city, cover=city) is None


def test_districts_in_another_datum_are_noticed_against_the_grids_inside_them(city):
    quarters = city.dissolve(by=np.arange(144) // 36).reset_index()[["geometry"]]
    found = find_layer_shift(moved(quarters, wgs84_to_bd09), cover=city)
    assert found.likely == "bd09"
    assert find_layer_shift(quarters, cover=city) is None


def test_streets_along_borders_tell_the_datum_of_grids_and_the_other_way_round(city):
    lines = gpd.GeoDataFrame(geometry=shapely.boundary(city.geometry.array), crs="EPSG:4326")
    assert find_layer_shift(moved(city, wgs84_to_gcj02), lines=lines).likely == "gcj02"
    assert find_layer_shift(moved(lines, wgs84_to_gcj02), cover=city).likely == "gcj02"
    assert find_layer_shift(lines, cover=city) is None


def test_polygons_in_another_datum_lose_the_points_that_are_there(city):
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*points_in(city)), crs="EPSG:4326")
    found = find_layer_shift(moved(city, wgs84_to_gcj02), points=points)
    assert found.likely == "gcj02"
    assert find_layer_shift(city, points=points) is None


def test_without_anything_to_compare_with_there_is_no_suspicion(city):
    assert find_layer_shift(city) is None
    assert find_layer_shift(city.iloc[:0], cover=city) is None


@pytest.mark.real_data
def test_shenzhen_read_as_gcj02_and_as_wgs84_differ_by_600_metres_and_it_is_said(shared_data):
    file = gpd.read_file(shared_data / "cn_shenzhen_shanghai" / "sz.json")
    as_gcj02, as_wgs84 = to_wgs84(file, "gcj02"), to_wgs84(file, "wgs84")
    found = find_layer_shift(as_wgs84, cover=as_gcj02)
    assert found.likely == "gcj02"
    assert found.offset_m == pytest.approx(602, abs=5)
    found = find_layer_shift(as_gcj02, cover=as_wgs84, declared="gcj02")
    assert found.likely == "wgs84"
    assert find_layer_shift(as_gcj02, cover=as_gcj02, declared="gcj02") is None
