"""GCJ-02, BD-09 and CGCS2000: known pairs, exact inverses, and where the shift applies."""

from __future__ import annotations

import warnings

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import datum
from geo.datum import (
    DatumWarning,
    bd09_to_gcj02,
    bd09_to_wgs84,
    convert_points,
    datum_name,
    from_wgs84,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    in_china,
    metric_crs,
    require_metres,
    to_metric,
    to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from geo.errors import CrsError

# WGS-84, GCJ-02, BD-09 as lat, lon, and the shift in metres: reference/standards.md, 4.2.
PAIRS = [
    (39.908823, 116.397470, 39.9102265, 116.40371358, 39.91656582, 116.41008645, 556),
    (30.5928, 114.3055, 30.59039056, 114.31094489, 30.59609993, 114.31751268, 587),
    (31.2304, 121.4737, 31.22845774, 121.47822306, 31.23431059, 121.48478147, 482),
    (43.8256, 87.6168, 43.82680539, 87.61964995, 43.83294979, 87.62609977, 266),
    (30.6919, 111.2865, 30.68946102, 111.29215956, 30.69514957, 111.29872471, 606),
]
METRE = 1 / 111_195  # degrees

INSIDE = {
    "Beijing": (116.4, 39.9),
    "Dandong, on the Yalu": (124.38, 40.12),
    "Hunchun": (130.36, 42.87),
    "Suifenhe": (131.15, 44.40),
    "Fuyuan": (134.31, 48.36),
    "Heihe, on the Amur": (127.5, 50.24),
    "Mohe": (122.36, 53.48),
    "Manzhouli": (117.44, 49.59),
    "Erenhot": (111.98, 43.65),
    "Alashankou": (82.57, 45.17),
    "Khorgos": (80.42, 44.21),
    "Kashgar": (75.99, 39.47),
    "Zhangmu": (85.98, 27.99),
    "Yadong": (88.9, 27.48),
    "Ruili": (97.85, 24.01),
    "Mohan": (101.69, 21.19),
    "Hekou": (103.96, 22.51),
    "Pingxiang": (106.75, 22.1),
    "Dongxing": (107.97, 21.54),
    "Sanya": (109.5, 18.25),
    "Gongbei, beside Macao": (113.553, 22.22),
    "Luohu, beside Hong Kong": (114.12, 22.535),
    "Shekou": (113.92, 22.48),
    "Xiamen": (118.08, 24.48),
    "Shengsi islands": (122.45, 30.72),
    "Dalian": (121.6, 38.9),
}
OUTSIDE = {
    "Seoul": (126.98, 37.57),
    "Pyongyang": (125.75, 39.02),
    "Tokyo": (139.7, 35.7),
    "Khabarovsk": (135.07, 48.48),
    "Vladivostok": (131.9, 43.12),
    "Ulaanbaatar": (106.9, 47.92),
    "Almaty": (76.9, 43.25),
    "Delhi": (77.2, 28.6),
    "Kathmandu": (85.32, 27.7),
    "Thimphu": (89.64, 27.47),
    "Hanoi": (105.85, 21.03),
    "Lao Cai": (103.97, 22.47),
    "Taipei": (121.56, 25.04),
    "Taichung": (120.67, 24.15),
    "Hong Kong": (114.16, 22.28),
    "Sheung Shui": (114.13, 22.50),
    "Macao": (113.545, 22.195),
    "New York": (-74.0, 40.7),
    "nowhere": (float("nan"), 30.0),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_known_places_come_out_at_their_known_shifted_coordinates(pair):
    lat, lon, gcj_lat, gcj_lon, bd_lat, bd_lon, shift_m = pair
    assert np.allclose(wgs84_to_gcj02(lon, lat), (gcj_lon, gcj_lat), rtol=0, atol=1e-8)
    assert np.allclose(wgs84_to_bd09(lon, lat), (bd_lon, bd_lat), rtol=0, atol=1e-8)
    assert np.allclose(gcj02_to_bd09(gcj_lon, gcj_lat), (bd_lon, bd_lat), rtol=0, atol=2e-8)
    moved_m = np.hypot((gcj_lon - lon) * np.cos(np.radians(lat)), gcj_lat - lat) / METRE
    assert moved_m == pytest.approx(shift_m, abs=1.5)


@pytest.fixture(scope="module")
def many_places():
    random = np.random.default_rng(18)
    return random.uniform(74, 134.5, 100_000), random.uniform(18.5, 53, 100_000)


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (wgs84_to_gcj02, gcj02_to_wgs84),
        (wgs84_to_bd09, bd09_to_wgs84),
    ],
    ids=["GCJ-02", "BD-09"],
)
def test_the_inverse_is_exact_to_far_below_a_millimetre(many_places, there, back):
    x, y = back(*there(*many_places, everywhere=True), everywhere=True)
    assert np.abs(x - many_places[0]).max() < 1e-6 * METRE * 10  # ten micrometres
    assert np.abs(y - many_places[1]).max() < 1e-6 * METRE * 10


def test_bd09_to_gcj02_is_exact_where_the_closed_form_is_decimetres_off(many_places):
    x, y = bd09_to_gcj02(*gcj02_to_bd09(*many_places))
    assert np.abs(x - many_places[0]).max() < 1e-5 * METRE
    assert np.abs(y - many_places[1]).max() < 1e-5 * METRE


@pytest.mark.parametrize(
    "there_back", [(wgs84_to_gcj02, gcj02_to_wgs84), (wgs84_to_bd09, bd09_to_wgs84)]
)
def test_a_round_trip_with_the_polygon_gives_every_place_back(many_places, there_back):
    """Only right at the polygon's border may an unshifted place look like a shifted one."""
    there, back = there_back
    x, y = back(*there(*many_places))
    wrong = np.hypot(x - many_places[0], y - many_places[1]) > 1e-3 * METRE
    from geo._shifts import _mainland

    border = shapely.union_all([shapely.boundary(part) for part in _mainland()])
    near = shapely.distance(shapely.points(*many_places), border) < 1500 * METRE
    assert not (wrong & ~near).any()
    assert wrong.mean() < 1e-3


@pytest.mark.parametrize("name", INSIDE)
def test_towns_of_mainland_china_are_inside_even_at_the_border(name):
    assert in_china(*INSIDE[name]).all()


@pytest.mark.parametrize("name", OUTSIDE)
def test_places_that_the_usual_rectangle_shifts_by_mistake_stay_where_they_are(name):
    lon, lat = OUTSIDE[name]
    assert not in_china(lon, lat).any()
    assert np.array_equal(wgs84_to_gcj02(lon, lat), (lon, lat), equal_nan=True)
    assert np.array_equal(bd09_to_wgs84(lon, lat), (lon, lat), equal_nan=True)


def test_many_places_far_apart_get_the_same_answers_as_one_by_one(many_places):
    x, y = (values[:2000] for values in many_places)
    one_by_one = [bool(in_china(a, b)) for a, b in zip(x, y, strict=True)]
    assert in_china(x, y).tolist() == one_by_one


def test_an_inverse_asks_the_polygon_about_its_result_and_not_about_its_input():
    """A place in Luohu lies in Hong Kong's part of the mask once shifted, and still comes back."""
    random = np.random.default_rng(3)
    x, y = random.uniform(113.9, 114.25, 20_000), random.uniform(22.47, 22.56, 20_000)
    inside = in_china(x, y)
    shifted = wgs84_to_gcj02(x, y)
    crossed = inside & ~in_china(*shifted)
    assert crossed.sum() > 50
    back = gcj02_to_wgs84(*shifted)
    assert np.abs(back[0] - x)[crossed].max() < 1e-3 * METRE


@settings(max_examples=60, deadline=None)
@given(
    st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True)
)
def test_any_number_at_all_is_answered_without_a_warning(lon, lat):
    assert in_china(lon, lat).dtype == bool
    for change in (wgs84_to_gcj02, gcj02_to_wgs84, wgs84_to_bd09, bd09_to_wgs84):
        x, y = change(lon, lat)
        if not in_china(lon, lat).any() and np.isfinite([lon, lat]).all() and abs(lon) < 1e6:
            assert change in (gcj02_to_wgs84, bd09_to_wgs84) or (x, y) == (lon, lat)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("WGS84", "wgs84"),
        ("EPSG:4326", "wgs84"),
        ("epsg:4490", "wgs84"),
        ("CGCS2000", "wgs84"),
        ("GCJ-02", "gcj02"),
        ("BD09", "bd09"),
        ("EPSG:4547", "EPSG:4547"),
    ],
)
def test_a_datum_goes_by_many_names(said, name):
    assert datum_name(said) == name


def test_an_unknown_crs_says_which_there_are():
    with pytest.raises(CrsError, match="use wgs84, gcj02, bd09, cgcs2000, EPSG:n"):
        to_wgs84(gpd.GeoDataFrame(geometry=[]), "mars2000")
    mars = "+proj=longlat +a=3396190 +b=3376200"
    with pytest.raises(CrsError, match="cannot be turned into or from WGS-84"):
        to_wgs84(gpd.GeoDataFrame(geometry=[shapely.Point(1, 1)]), mars)


def test_points_in_metres_become_degrees():
    lon, lat = convert_points([528770.237], [3386666.251], "EPSG:4547")
    assert (lon[0], lat[0]) == pytest.approx((114.3, 30.6), abs=1e-8)


def test_places_outside_china_that_claim_to_be_shifted_are_warned_of_and_left_alone():
    with pytest.warns(DatumWarning, match=r"2 of 3 coordinates declared gcj02 .* were not shifted"):
        lon, lat = convert_points([114.3, 121.56, -74.0], [30.6, 25.04, 40.7], "gcj02")
    assert (lon[1], lat[1]) == (121.56, 25.04)
    assert lon[0] != 114.3


@pytest.fixture
def neighbours_in_wuhan():
    """Two squares of Wuhan with a common border, and a line, a point and nothing."""
    west = shapely.box(114.30, 30.50, 114.31, 30.51)
    east = shapely.box(114.31, 30.50, 114.32, 30.51)
    line = shapely.LineString([(114.30, 30.50), (114.33, 30.52)])
    shapes = [west, shapely.MultiPolygon([east]), line, shapely.Point(114.31, 30.51), None]
    return gpd.GeoDataFrame({"n": range(5)}, geometry=shapes, crs="EPSG:4326")


@pytest.mark.parametrize("name", ["gcj02", "bd09", "cgcs2000", "EPSG:4547", "EPSG:3857"])
def test_a_layer_comes_back_from_any_crs_to_a_tenth_of_a_millimetre(neighbours_in_wuhan, name):
    there = from_wgs84(neighbours_in_wuhan, name)
    back = to_wgs84(there, name)
    assert back.crs == "EPSG:4326"
    drift = shapely.hausdorff_distance(
        back.geometry[:4].array, neighbours_in_wuhan.geometry[:4].array
    )
    assert drift.max() < 1e-4 * METRE
    assert back.geometry[4] is None


@pytest.mark.parametrize("name", ["gcj02", "bd09", "EPSG:4547"])
def test_a_vertex_that_two_polygons_share_stays_the_same_bit_for_bit(name):
    """A thousand rings through the same points: equal numbers give equal numbers, anywhere."""
    random = np.random.default_rng(7)
    ring = random.uniform((114.2, 30.4), (114.4, 30.6), (37, 2))
    lines = gpd.GeoDataFrame(geometry=[shapely.LineString(ring)] * 1001, crs="EPSG:4326")
    moved = to_wgs84(lines, name) if name in ("gcj02", "bd09") else from_wgs84(lines, name)
    assert len({shape.wkb for shape in moved.geometry}) == 1


def test_shifted_layers_say_no_crs_because_there_is_none(neighbours_in_wuhan):
    assert from_wgs84(neighbours_in_wuhan, "gcj02").crs is None
    assert from_wgs84(neighbours_in_wuhan, "cgcs2000").crs == "EPSG:4490"


def test_a_web_mercator_layer_declared_gcj02_is_unprojected_first(neighbours_in_wuhan):
    gcj = from_wgs84(neighbours_in_wuhan, "gcj02").set_crs("EPSG:4326").to_crs("EPSG:3857")
    back = to_wgs84(gcj, "gcj02").geometry[0]
    assert shapely.hausdorff_distance(back, neighbours_in_wuhan.geometry[0]) < 1e-3 * METRE


def test_a_layer_without_crs_must_say_one(neighbours_in_wuhan):
    bare = neighbours_in_wuhan.set_crs(None, allow_override=True)
    with pytest.raises(CrsError, match="declare one"):
        to_wgs84(bare)
    with pytest.raises(CrsError, match="call to_wgs84"):
        from_wgs84(bare, "gcj02")
    assert to_wgs84(bare, "wgs84").crs == "EPSG:4326"


@pytest.mark.parametrize(
    ("lon", "lat", "epsg"),
    [
        (114.3, 30.6, 4547),
        (111.29, 30.69, 4546),
        (106.5, 29.5, 4545),
        (73.9, 39.5, 4534),
        (134.3, 48.36, 4554),
        (120.67, 24.15, 32651),
        (-74.0, 40.7, 32618),
        (24.94, 60.17, 32635),
        (151.2, -33.9, 32756),
        (180.0, 0.0, 32660),
        (0.0, 88.0, 32661),
    ],
    ids=str,
)
def test_metres_are_measured_in_the_zone_of_the_place(lon, lat, epsg):
    assert metric_crs(lon, lat).to_epsg() == epsg


def test_no_place_has_no_zone():
    with pytest.raises(CrsError, match="no place"):
        metric_crs([np.nan], [np.nan])
    with pytest.raises(CrsError, match="no longitude, latitude"):
        metric_crs(528770.0, 3386666.0)


def test_a_layer_in_degrees_is_refused_where_metres_are_needed(neighbours_in_wuhan):
    with pytest.raises(CrsError, match=r"cover is in EPSG:4326, not metres: call cover.to_crs"):
        require_metres(cover=neighbours_in_wuhan)
    require_metres(cover=to_metric(neighbours_in_wuhan))
    with pytest.raises(CrsError, match="cover has no CRS"):
        require_metres(cover=neighbours_in_wuhan.set_crs(None, allow_override=True))


@pytest.mark.real_data
def test_shenzhen_lies_inside_the_mask_whichever_datum_its_file_is_in(shared_data):
    city = gpd.read_file(shared_data / "cn_shenzhen_shanghai" / "sz.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DatumWarning)
        for name in ("gcj02", "bd09"):
            moved = to_wgs84(city, name)
            assert shapely.coverage_is_valid(moved.geometry.array)
    x, y = shapely.get_coordinates(city.geometry.array).T
    assert in_china(x, y).all()


def test_everything_public_is_listed():
    assert all(hasattr(datum, name) for name in datum.__all__)
