"""Snapping by hand on two crossing streets, and laws on drawn ones with slow twins.

y
100 ------ B (row 1, level)
 |
 0 ----- A (row 0, level) ------ x        a third street (row 2) joins them at x = 0
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import CrsError, InputError
from geo.snap import Streets, lines_in

METRES = "EPSG:32650"


def frame(*lines: list[tuple[float, float]], crs: str = METRES) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in lines], crs=crs)


@pytest.fixture(scope="module")
def streets() -> Streets:
    return Streets(frame([(0, 0), (200, 0)], [(0, 100), (200, 100)], [(0, 0), (0, 100)]))


def test_a_place_goes_to_the_nearest_point_of_the_nearest_street(streets: Streets) -> None:
    found = streets.snap([[50, 6], [150, 95], [80, 50]], 8)
    assert found.xy.tolist() == [[50, 0], [150, 100], [80, 50]]
    assert found.to.tolist() == ["street", "street", ""]
    assert found.row.tolist() == [0, 1, -1]


def test_a_vertex_in_reach_wins_over_a_nearer_street(streets: Streets) -> None:
    found = streets.snap([[50, 1], [50, 1]], 8, [[47, 4], [50, 300]])
    assert found.xy.tolist() == [[47, 4]] * 2
    assert found.to.tolist() == ["vertex"] * 2
    assert found.row.tolist() == [0, 0]


def test_of_two_equally_near_the_first_row_wins(streets: Streets) -> None:
    assert streets.snap([[100, 50]], 60).row.tolist() == [0]
    assert streets.snap([[100, 10]], 60, [[101, 11], [99, 11]]).row.tolist() == [0]


def test_a_reach_counts_its_own_border_and_none_reaches_only_what_is_there(
    streets: Streets,
) -> None:
    assert streets.snap([[50, 8]], 8).to.tolist() == ["street"]
    assert streets.snap([[50, 0], [50, 1e-6]], 0).to.tolist() == ["street", ""]


def test_without_streets_everything_stays() -> None:
    none = Streets(gpd.GeoDataFrame(geometry=[], crs=METRES))
    assert none.snap([[1, 2]], 50).xy.tolist() == [[1, 2]]
    assert none.follow((0, 0), (9, 9)) is None


def test_a_missing_line_is_passed_over_and_rows_keep_their_number() -> None:
    roads = gpd.GeoDataFrame(
        geometry=[None, shapely.LineString(), shapely.LineString([(0, 0), (9, 0)])], crs=METRES
    )
    assert Streets(roads).snap([[5, 1]], 2).row.tolist() == [2]


def test_what_cannot_be_snapped_is_said() -> None:
    with pytest.raises(CrsError, match="metres"):
        Streets(frame([(114.3, 30.5), (114.4, 30.5)], crs="EPSG:4326"))
    streets = Streets(frame([(0, 0), (1, 0)]))
    with pytest.raises(InputError, match="not a number"):
        streets.snap([[np.nan, 1]], 2)
    with pytest.raises(InputError, match="within_m is -1"):
        streets.snap([[0, 1]], -1)


def test_a_way_goes_around_the_corner_along_the_streets(streets: Streets) -> None:
    way = streets.follow((60, 0), (50, 100), most=2.5)
    assert way is not None
    assert way.coords[:] == [(60, 0), (0, 0), (0, 100), (50, 100)]
    assert streets.follow((60, 0), (50, 100)) is None, "210 m instead of 100.5 m"
    assert list(streets.follow((20, 0), (90, 0)).coords) == [(20, 0), (90, 0)]


def test_streets_that_cross_without_an_end_are_a_crossing() -> None:
    cross = Streets(frame([(-50, 0), (50, 0)], [(0, -50), (0, 50)]))
    assert list(cross.follow((-20, 0), (0, 30)).coords) == [(-20, 0), (0, 0), (0, 30)]


def test_a_place_off_the_streets_has_no_way(streets: Streets) -> None:
    assert streets.follow((60, 5), (50, 100), most=9) is None
    assert streets.follow((60, 0), (60, 0)) is None


def test_a_box_gives_the_pieces_of_streets_inside() -> None:
    roads = frame([(-10, 5), (30, 5)], [(5, 5), (5, 30), (15, 30), (15, 5)], [(90, 9), (99, 9)])
    row, pieces = lines_in(roads, (0, 0, 20, 20))
    assert row.tolist() == [0, 1, 1]
    assert [piece.length for piece in pieces] == [20, 15, 15]
    assert lines_in(roads, (60, 0, 70, 20))[1] == []
    with pytest.raises(InputError, match="west, south, east, north"):
        lines_in(roads, (20, 0, 0, 20))


NUMBER = st.integers(-60, 60).map(float)
PLACE = st.tuples(NUMBER, NUMBER)
LINES = st.lists(st.lists(PLACE, min_size=2, max_size=4, unique=True), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(lines=LINES, places=st.lists(PLACE, min_size=1, max_size=5), spots=st.lists(PLACE),
       within_m=st.sampled_from([0.5, 5.0, 25.0]))  # fmt: skip
def test_snapping_is_near_settled_and_what_a_slow_search_finds(
    lines: list[list[tuple[float, float]]], places: list[tuple[float, float]],
    spots: list[tuple[float, float]], within_m: float,
) -> None:  # fmt: skip
    streets = Streets(frame(*lines))
    found = streets.snap(places, within_m, spots)
    assert (np.hypot(*(found.xy - places).T) <= within_m + 1e-9).all()
    for place, to, row, xy in zip(places, found.to, found.row, found.xy, strict=True):
        to_spots = [float(np.hypot(*np.subtract(place, spot))) for spot in spots]
        to_lines = [shapely.LineString(line).distance(shapely.Point(place)) for line in lines]
        if to_spots and min(to_spots) <= within_m:
            assert (to, row) == ("vertex", int(np.argmin(to_spots)))
        elif min(to_lines) <= within_m:
            assert to == "street"
            assert to_lines[row] == pytest.approx(min(to_lines), abs=1e-9)
            assert shapely.LineString(lines[row]).distance(shapely.Point(xy)) < 1e-9
        else:
            assert to == ""
            assert tuple(xy) == place
    # A place that was snapped stays where it is; a vertex may still draw what went to a street.
    again = streets.snap(found.xy, within_m)
    on = found.to == "street"
    assert np.allclose(again.xy[on], found.xy[on], atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(lines=LINES, ends=st.tuples(PLACE, PLACE))
def test_a_way_lies_on_streets_joins_its_ends_and_is_not_much_longer(
    lines: list[list[tuple[float, float]]], ends: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    streets = Streets(frame(*lines))
    start, end = streets.snap(ends, 200).xy
    way = streets.follow(start, end, most=3.0)
    if way is None:
        return
    every = shapely.unary_union([shapely.LineString(line) for line in lines])
    assert way.coords[0] == tuple(start)
    assert way.coords[-1] == tuple(end)
    assert way.hausdorff_distance(way.intersection(every.buffer(0.03))) < 0.03
    straight = float(np.hypot(*(end - start)))
    assert straight - 1e-6 <= way.length <= 3.0 * straight + 1e-6
    back = streets.follow(end, start, most=3.0)
    assert back is not None
    assert back.length == pytest.approx(way.length, abs=0.1)
