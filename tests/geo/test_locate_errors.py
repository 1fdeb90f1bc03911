"""Covers that `geo.locate` refuses, in the words a user reads."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, box

from geo.errors import CoverError
from geo.locate import GridIndex


def city(**grids):
    return gpd.GeoDataFrame(geometry=list(grids.values()), index=list(grids))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (box(0, 0, 10, 10), box(9, 9, 20, 20)),
        (box(0, 0, 10, 10), box(0, 0, 10, 10)),
        (box(0, 0, 10, 10), box(2, 2, 4, 4)),
        (box(2, 2, 4, 4), box(0, 0, 10, 10)),
        (box(0, 0, 10, 10), box(0, 0, 5, 10)),
        (box(0, 0, 10, 10), box(5, 0, 15, 10)),
        (box(0, 0, 10, 10), box(0, 0, 10, 20)),
        (box(0, 0, 10, 10), Polygon([(5, 5), (10, 0), (10, 10)])),
        (box(0, 0, 10, 10), Polygon([(0, 0), (10, 10), (0, 10)])),
        (box(0, 0, 10, 10), Polygon([(5, -5), (15, 5), (5, 15), (-5, 5)])),
        (box(0, 0, 10, 10), box(0, 0, 20, 20) - box(1, 0, 10, 10)),
        (box(0, 0, 10, 10), box(10 - 1e-9, 0, 20, 10)),
        (box(0, 0, 10, 10), MultiPolygon([box(20, 0, 30, 10), box(4, 4, 5, 5)])),
    ],
    ids=[
        "corners",
        "the same twice",
        "one inside the other",
        "one around the other",
        "half of it",
        "sides on one line",
        "a longer one",
        "touching from inside",
        "a triangle of it",
        "a rotated square",
        "a bent one",
        "by a nanometre",
        "a part of one inside",
    ],
)  # fmt: skip
def test_an_overlap_is_refused_with_both_names(a, b):
    with pytest.raises(CoverError, match=r"overlap.*'first' and 'second' near"):
        GridIndex(city(first=a, second=b))


def test_three_grids_on_one_place_are_refused_although_their_labels_cancel_out():
    """1 XOR 2 XOR 3 is 0, which would read as outside."""
    with pytest.raises(CoverError, match="overlap"):
        GridIndex(city(a=box(0, 0, 10, 10), b=box(0, 0, 10, 10), c=box(0, 0, 10, 10)))
    nested = [box(i, i, 20 - i, 20 - i) for i in range(3)]
    with pytest.raises(CoverError, match="overlap"):
        GridIndex(city(a=nested[0], b=nested[1], c=nested[2]))


def test_the_message_says_where_and_how_much():
    with pytest.raises(CoverError, match=r"'a' and 'b' near \(9, \d+\) by 5 square units"):
        GridIndex(city(a=box(0, 0, 10, 5), b=box(9, 0, 20, 5)))


def test_many_overlaps_name_the_first_ones():
    grids = {f"g{i}": box(i, 0, i + 1.5, 1) for i in range(30)}
    with pytest.raises(CoverError, match="and more") as caught:
        GridIndex(city(**grids))
    assert len(str(caught.value)) < 700


def test_an_overlap_in_a_corner_of_a_large_city_is_found():
    shapes = [box(i, j, i + 1, j + 1) for i in range(60) for j in range(60)]
    shapes[1234] = shapes[1234] | box(20.4, 34.9, 20.6, 35.2)
    with pytest.raises(CoverError, match="1234 and 1235"):
        GridIndex(gpd.GeoDataFrame(geometry=shapes))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, "has no geometry"),
        (Point(1, 1), "is a Point, not a polygon"),
        (LineString([(0, 0), (1, 1)]), "is a LineString, not a polygon"),
        (Polygon(), "is empty"),
        (Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]), "Self-intersection"),
        (Polygon([(0, 0), (1, 1), (2, 2)]), "not valid"),
        (Polygon([(0, 0), (1e101, 0), (0, 1e101)]), "beyond 1e"),
    ],
)
def test_what_is_no_grid_is_refused_by_name(shape, words):
    grids = city(good=box(50, 50, 60, 60), bad=shape)
    with pytest.raises(CoverError, match=words):
        GridIndex(grids)


def test_neighbours_that_only_touch_are_no_overlap():
    ring = box(0, 0, 30, 30) - box(10, 10, 20, 20)
    fan = [Polygon([(10, 10), (20, 10), (20, 20)]), Polygon([(10, 10), (20, 20), (10, 20)])]
    assert GridIndex(city(a=ring, b=fan[0], c=fan[1])).assign([15], [15]).tolist() == [1]


@pytest.mark.real_data
def test_real_covers_are_built_or_refused_with_places(shared_data):
    """Taichung is seamless; census tracts of New York overlap by square millimetres to metres."""
    villages = gpd.read_file(shared_data / "tw_taichung_villages" / "villages.geojson")
    index = GridIndex(villages)
    inside = shapely.get_coordinates(villages.geometry.representative_point().values)
    assert np.array_equal(index.assign(*inside.T), np.arange(len(villages)))
    tracts = gpd.read_file(shared_data / "us_nyc_tracts_pop" / "nyc_tracts.geojson")
    with pytest.raises(CoverError, match="overlap"):
        GridIndex(tracts)
