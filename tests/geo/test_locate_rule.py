"""The rule of `geo.locate`, worked out by hand on cities small enough to draw."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import MultiPolygon, Polygon, box

from geo.locate import GridIndex


def city(**grids):
    """Make grids named by letter; no CRS, for the rule needs none."""
    return gpd.GeoDataFrame(geometry=list(grids.values()), index=list(grids))


def owner(grids, x, y):
    """Name the grid at one point; None outside."""
    row = GridIndex(grids).assign([x], [y])[0]
    return None if row < 0 else grids.index[row]


@pytest.fixture
def four_grids():
    """Four 100 m grids, numbered so:

    C D
    A B
    """
    return city(
        A=box(0, 0, 100, 100),
        B=box(100, 0, 200, 100),
        C=box(0, 100, 100, 200),
        D=box(100, 100, 200, 200),
    )


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (50, 50, "A"),
        (100, 50, "B"),
        (50, 100, "C"),
        (100, 100, "D"),
        (200, 50, "B"),
        (200, 100, "D"),
        (200, 200, "D"),
        (200, 0, "B"),
        (0, 50, "A"),
        (0, 100, "C"),
        (0, 0, "A"),
        (50, 200, "C"),
        (100, 200, "C"),
        (100, 0, "B"),
        (0, 200, "C"),
        (50, 0, "A"),
        (200.0000001, 50, None),
        (50, -0.0000001, None),
    ],
)
def test_a_point_on_a_line_belongs_to_the_first_grid_counter_clockwise_from_east(
    four_grids, x, y, expected
):
    assert owner(four_grids, x, y) == expected


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (10, 10, "A"),
        (15, 15, "A"),
        (20, 20, "B"),
        (5, 15, None),
        (15, 5, None),
        (10, 15, "A"),
        (20, 15, "A"),
        (15, 20, "A"),
        (20, 25, "B"),
        (25, 20, "B"),
    ],
)
def test_grids_that_touch_at_a_corner_close_their_own_borders(x, y, expected):
    """
    . B
    A .      the corner is at (20, 20)
    """
    grids = city(A=box(10, 10, 20, 20), B=box(20, 20, 30, 30))
    assert owner(grids, x, y) == expected


def test_on_a_corner_with_nothing_to_the_north_east_looking_goes_on_counter_clockwise():
    """
    A .
    . B      the corner is at (0, 0): north-east outside, then A in the north-west
    """
    grids = city(A=box(-10, 0, 0, 10), B=box(0, -10, 10, 0))
    assert owner(grids, 0, 0) == "A"


def test_on_a_corner_in_the_south_only_the_western_grid_comes_first():
    """
    . .
    A B      the corner is at (0, 0); looking passes west before it reaches south-east
    """
    grids = city(A=box(-10, -10, 0, 0), B=box(0, -10, 10, 0))
    assert owner(grids, 0, 0) == "A"


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (50, 50, "inner"),
        (40, 50, "inner"),
        (60, 50, "outer"),
        (50, 60, "outer"),
        (50, 40, "inner"),
        (60, 60, "outer"),
        (40, 40, "inner"),
        (40, 60, "outer"),
        (60, 40, "outer"),
        (0, 0, "outer"),
    ],
)
def test_a_grid_inside_a_grid_shares_its_hole(x, y, expected):
    hole = [(40, 40), (60, 40), (60, 60), (40, 60)]
    outer = Polygon([(0, 0), (100, 0), (100, 100), (0, 100)], [hole])
    assert owner(city(outer=outer, inner=Polygon(hole)), x, y) == expected


@pytest.mark.parametrize(("x", "y"), [(40, 50), (60, 50), (50, 40), (50, 60), (40, 40), (60, 60)])
def test_the_border_of_a_hole_belongs_to_the_grid_around_it(x, y):
    outer = box(0, 0, 100, 100) - box(40, 40, 60, 60)
    assert owner(city(lake=outer), x, y) == "lake"
    assert owner(city(lake=outer), 50, 50) is None


@pytest.mark.parametrize(
    ("x", "y", "expected"), [(10, 5, "A"), (12, 5, None), (20, 5, "B"), (15, 10, None)]
)
def test_a_gap_is_outside_and_its_border_is_closed(x, y, expected):
    assert owner(city(A=box(0, 0, 10, 10), B=box(20, 0, 30, 10)), x, y) == expected


def test_a_grid_of_two_parts_owns_both():
    two = MultiPolygon([box(0, 0, 10, 10), box(20, 0, 30, 10)])
    grids = city(two=two, between=box(10, 0, 20, 10))
    rows = GridIndex(grids).assign([5, 15, 25, 10, 20, 30], [5] * 6)
    assert rows.tolist() == [0, 1, 0, 1, 0, 0]


def test_a_border_that_the_neighbours_cut_at_different_points_is_still_one_line():
    """One long edge in the west meets two short ones in the east, on a slope.

    The slope is 1 in 2, so the point in the middle is exactly on the long edge.
    """
    west = Polygon([(0, 0), (100, 0), (200, 50 * 4), (0, 200)])
    south_east = Polygon([(100, 0), (300, 0), (300, 100), (150, 100)])
    north_east = Polygon([(150, 100), (300, 100), (300, 200), (200, 200)])
    grids = city(W=west, S=south_east, N=north_east)
    points = [(150, 100), (125, 50), (175, 150), (124.99, 50), (200, 100), (100, 0)]
    rows = GridIndex(grids).assign(*zip(*points, strict=True))
    assert [grids.index[row] for row in rows] == ["N", "S", "N", "W", "N", "S"]


def test_collinear_vertices_change_nothing():
    plain = city(A=box(0, 0, 10, 10))
    dense = city(A=shapely.segmentize(box(0, 0, 10, 10), 0.25))
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-1, 12, 0.5), np.arange(-1, 12, 0.5)))
    assert np.array_equal(GridIndex(plain).assign(x, y), GridIndex(dense).assign(x, y))


def test_a_grid_thinner_than_a_hair_still_owns_its_points():
    """Width 1e-12 between two large grids: the numbers next to 100 are 1.4e-14 apart."""
    a, b = 100.0, 100.0 + 1e-12
    grids = city(W=box(0, 0, a, 100), hair=box(a, 0, b, 100), E=box(b, 0, 200, 100))
    middle = np.nextafter(np.nextafter(a, 200), 200)
    rows = GridIndex(grids).assign([np.nextafter(a, 0), a, middle, b], [50] * 4)
    assert [grids.index[row] for row in rows] == ["W", "hair", "hair", "E"]


def test_a_border_of_a_thousand_vertices_is_followed_exactly():
    """A sine drawn with 1,001 vertices: each vertex is the eastern grid's, its neighbours not."""
    y = np.linspace(0, 1000, 1001)
    line = np.stack([500 + 40 * np.sin(y / 7), y], axis=1)
    west = Polygon(np.concatenate([line, [(0, 1000), (0, 0)]]))
    east = Polygon(np.concatenate([line, [(1000, 1000), (1000, 0)]]))
    index = GridIndex(city(W=west, E=east))
    x, y = line[1:-1].T
    assert set(index.assign(np.nextafter(x, -np.inf), y)) == {0}
    assert set(index.assign(np.nextafter(x, np.inf), y)) == {1}
    assert set(index.assign(x, y)) <= {0, 1}


@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320], ids=lambda v: f"{v:g}"
)
def test_a_coordinate_that_is_no_place_is_outside(four_grids, bad):
    index = GridIndex(four_grids)
    # 1e-320 is a place, on the western border; the others are none.
    expected = 0 if bad == 1e-320 else -1
    assert index.assign([bad, 50], [50, 50]).tolist() == [expected, 0]
    assert index.assign([50, 50], [bad, 50]).tolist() == [expected, 0]


def test_missing_values_of_a_column_are_outside(four_grids):
    x = pd.Series([50, None, 150], dtype="Float64", index=[7, 8, 9])
    assert GridIndex(four_grids).assign(x, pd.Series([50.0, 50.0, 50.0])).tolist() == [0, -1, 1]


def test_the_answer_is_int32_and_there_is_one_for_each_point(four_grids):
    rows = GridIndex(four_grids).assign(np.arange(5000.0) % 210, np.full(5000, 60.0))
    assert rows.dtype == np.int32
    assert len(rows) == 5000
    assert len(GridIndex(four_grids).assign([], [])) == 0


def test_x_and_y_must_be_equally_many(four_grids):
    with pytest.raises(ValueError, match="x has 2 numbers and y has 1"):
        GridIndex(four_grids).assign([1, 2], [1])


def test_no_grids_means_that_everything_is_outside():
    assert GridIndex(gpd.GeoDataFrame(geometry=[])).assign([0, 1], [0, 1]).tolist() == [-1, -1]


def test_an_island_far_away_costs_neither_memory_nor_answers():
    """2,500 grids of a town, and one 10,000 km off."""
    town = [box(i, j, i + 1, j + 1) for i in range(50) for j in range(50)]
    grids = gpd.GeoDataFrame(geometry=[*town, box(1e7, 1e7, 1e7 + 1, 1e7 + 1)])
    index = GridIndex(grids)
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(50) + 0.25, np.arange(50) + 0.5))
    assert np.array_equal(index.assign(x, y), (np.floor(x) * 50 + np.floor(y)).astype(int))
    assert index.assign([1e7 + 1, 5e6], [1e7 + 0.5, 5e6]).tolist() == [2500, -1]
    assert index.nbytes < 2_000_000


def test_the_input_is_not_changed(four_grids):
    before = four_grids.copy()
    x = np.array([50.0, np.nan])
    GridIndex(four_grids).assign(x, x)
    assert four_grids.equals(before)
    assert x[0] == 50
