"""One point for each thing, worked out by hand; then what must hold of any shape."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.anchor import anchor_coordinates, find_anchors


def at(shape):
    point = find_anchors([shape])[0]
    return None if point is None else (round(point.x, 6), round(point.y, 6))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("POINT (114 30)", (114, 30)),
        ("LINESTRING (114 30, 114.2 30)", (114.1, 30)),
        ("LINESTRING (114 0, 114.1 0, 114.1 0.3)", (114.1, 0.1)),
        ("LINESTRING (0 59.9, 0 60.1, 0.4 60.1)", (0, 60.1)),
        ("MULTILINESTRING ((0 0, 1 0), (5 0, 8 0), (9 0, 9.5 0))", (6.5, 0)),
        ("MULTILINESTRING ((0 0, 2 0), (5 0, 7 0))", (1, 0)),
        ("MULTILINESTRING ((0 60.0, 0 60.3), (1 60, 1.5 60))", (0, 60.15)),
        ("POINT EMPTY", None),
        ("LINESTRING EMPTY", None),
    ],
    ids=[
        "a point",
        "a straight line",
        "round a corner at the equator",
        "a degree of longitude is half as long at 60 north",
        "the longest part",
        "the first of equal parts",
        "the longest part by metres",
        "an empty point",
        "an empty line",
    ],
)
def test_a_thing_stands_where_its_middle_is(text, place):
    assert at(shapely.from_wkt(text)) == place


def test_a_polygon_stands_inside_itself():
    """The middle of a U lies between its arms; its point does not."""
    u = shapely.Polygon([(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)])
    assert shapely.within(find_anchors([u])[0], u)


def test_what_has_no_shape_has_no_place():
    assert find_anchors([None])[0] is None
    x, y = anchor_coordinates([None, shapely.Point(1, 2)])
    assert np.isnan([x[0], y[0]]).all()
    assert (x[1], y[1]) == (1, 2)
    assert len(find_anchors([])) == 0


LINES = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-60, 60)), min_size=2, max_size=6, unique=True
).map(lambda c: shapely.LineString(np.array(c) / 100 + (114, 0)))


@settings(deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=4))
def test_the_middle_of_a_line_is_on_it_and_does_not_depend_on_its_neighbours(lines):
    points = find_anchors(lines)
    for line, point in zip(lines, points, strict=True):
        assert line.distance(point) < 1e-9
        assert at(line) == (round(point.x, 6), round(point.y, 6))


@settings(deadline=None)
@given(line=LINES)
def test_a_line_drawn_the_other_way_stands_at_the_same_place(line):
    one, two = find_anchors([line, line.reverse()])
    assert one.distance(two) < 1e-9
