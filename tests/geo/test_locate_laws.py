"""Laws of `geo.locate` on generated covers, and a slow twin that computes with fractions."""

from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon

from geo._locate_exact import side_of_points
from geo.locate import GridIndex

quick = settings(max_examples=40, deadline=None)


# The twin: exact and slow, and built on another idea. It steps off the point into each sector.


def fractions_of(points):
    return [(Fraction(x), Fraction(y)) for x, y in points]


def rings_of(shape):
    for part in shapely.get_parts(shape):
        for ring in shapely.get_rings(part):
            yield fractions_of(shapely.get_coordinates(ring).tolist())


def cross(a, b):
    return a[0] * b[1] - a[1] * b[0]


def edges_of(rings):
    for ring in rings:
        yield from pairwise(ring)


def is_inside(point, rings):
    """Count crossings of the ray to the east; `point` must be on no edge."""
    px, py = point
    inside = False
    for (ax, ay), (bx, by) in edges_of(rings):
        if (ay > py) != (by > py) and ax + (py - ay) / (by - ay) * (bx - ax) > px:
            inside = not inside
    return inside


def turn_order(d, e):
    """Compare two directions by their angle from due east, counter-clockwise."""
    half_d = 0 if d[1] > 0 or (d[1] == 0 and d[0] > 0) else 1
    half_e = 0 if e[1] > 0 or (e[1] == 0 and e[0] > 0) else 1
    if half_d != half_e:
        return half_d - half_e
    return -1 if cross(d, e) > 0 else int(cross(d, e) < 0)


def between(d, e):
    """Return a direction strictly inside the turn from d to e."""
    turn = cross(d, e)
    if turn > 0:
        return (d[0] + e[0], d[1] + e[1])
    if turn < 0:
        return (-d[0] - e[0], -d[1] - e[1])
    if d[0] * e[0] + d[1] * e[1] < 0:
        return (-d[1], d[0])
    return (-d[0], -d[1])


def step_off(point, direction, edges):
    """Go in `direction` half as far as the first edge on the way."""
    nearest = Fraction(1)
    px, py = point
    for a, b in edges:
        run = (b[0] - a[0], b[1] - a[1])
        slope = cross(direction, run)
        if slope == 0:
            continue
        way = (a[0] - px, a[1] - py)
        t = cross(way, run) / slope
        if t > 0 and 0 <= cross(way, direction) / slope <= 1:
            nearest = min(nearest, t)
    return (px + direction[0] * nearest / 2, py + direction[1] * nearest / 2)


def slow_row(x, y, covers):
    """Find the row at a point by trying every sector around it, in the order of the rule."""
    p = (Fraction(x), Fraction(y))
    edges = [edge for rings in covers for edge in edges_of(rings)]
    east = (Fraction(1), Fraction(0))
    rays = [east]
    for a, b in edges:
        da, db = (a[0] - p[0], a[1] - p[1]), (b[0] - p[0], b[1] - p[1])
        if cross(da, db) == 0 and da[0] * db[0] + da[1] * db[1] <= 0:
            rays += [d for d in (da, db) if d != (0, 0)]
    rays.sort(key=cmp_to_key(turn_order))
    rays = [d for i, d in enumerate(rays) if i == 0 or turn_order(rays[i - 1], d) != 0]
    for d, e in zip(rays, [*rays[1:], rays[0]], strict=True):
        aside = step_off(p, between(d, e), edges)
        for row, rings in enumerate(covers):
            if is_inside(aside, rings):
                return row
    return -1


def slow_rows(grids, x, y):
    covers = [list(rings_of(shape)) for shape in grids.geometry]
    return [slow_row(a, b, covers) for a, b in zip(x.tolist(), y.tolist(), strict=True)]


# Generated covers


@st.composite
def patchworks(draw):
    """Triangles of a lattice of whole metres, dealt to a few grids or to nobody, then sheared.

    Gives holes, grids in holes, gaps, corner contacts, several parts, level and upright lines, and
    borders that one side cuts where the other does not (union_all drops straight vertices).
    """
    columns = sorted(draw(st.sets(st.integers(0, 12), min_size=3, max_size=5)))
    rows = sorted(draw(st.sets(st.integers(0, 12), min_size=3, max_size=5)))
    matrix = draw(
        st.sampled_from([(1, 0, 0, 1), (2, 1, 0, 1), (1, -1, 1, 1), (3, 1, -1, 2), (1, 7, 0, 1)])
    )
    owners = {}
    for x0, x1 in pairwise(columns):
        for y0, y1 in pairwise(rows):
            a, b, c, d = [
                (matrix[0] * x + matrix[1] * y, matrix[2] * x + matrix[3] * y)
                for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
            ]
            for triangle in (Polygon([a, b, c]), Polygon([a, c, d])):
                owners.setdefault(draw(st.integers(0, 4)), []).append(triangle)
    owners.pop(0, None)
    shapes = [shapely.union_all(parts) for parts in owners.values()]
    return gpd.GeoDataFrame(geometry=shapes) if shapes else one_triangle()


def one_triangle():
    return gpd.GeoDataFrame(geometry=[Polygon([(0, 0), (7, 1), (3, 5)])])


def places(grids, random, count=25):
    """Pick vertices, middles of edges, crossings of level lines with edges, and other points."""
    vertices = shapely.get_coordinates(grids.geometry.values)
    picked = vertices[random.integers(0, len(vertices), count)]
    others = vertices[random.integers(0, len(vertices), count)]
    low, high = vertices.min(axis=0) - 1, vertices.max(axis=0) + 1
    anywhere = np.round(random.uniform(low, high, (count, 2)) * 2) / 2
    points = np.concatenate([picked, (picked + others) / 2, anywhere])
    return points[:, 0].copy(), points[:, 1].copy()


@quick
@given(patchworks(), st.integers(0, 2**32))
def test_every_point_has_the_grid_that_fractions_find(grids, seed):
    x, y = places(grids, np.random.default_rng(seed))
    assert GridIndex(grids).assign(x, y).tolist() == slow_rows(grids, x, y)


def voronoi(seed, n, west, south, size):
    """Scattered cells whose corners are any numbers; neighbours share them exactly."""
    random = np.random.default_rng(seed)
    seeds = random.random((n, 2)) * size + [west, south]
    frame = shapely.box(west, south, west + size, south + size)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=frame))
    return gpd.GeoDataFrame(geometry=cells[shapely.covered_by(cells, frame.buffer(3 * size))])


@pytest.mark.parametrize(
    ("west", "south", "size"),
    [(120.6, 24.1, 0.2), (-0.01, 51.4, 0.02), (-0.5, -0.5, 1.0), (1e7, -4e6, 5e3), (0, 0, 1e-9)],
    ids=["Taichung", "Greenwich", "around the origin", "Mercator metres", "tiny"],
)
def test_points_next_to_lines_of_any_numbers_are_exact(west, south, size):
    """Points rounded onto edges are nearly all beside them, by less than the rounding."""
    grids = voronoi(5, 30, west, south, size)
    random = np.random.default_rng(6)
    rings = shapely.get_rings(grids.geometry.values)
    a = np.concatenate([shapely.get_coordinates(ring)[:-1] for ring in rings])
    b = np.concatenate([shapely.get_coordinates(ring)[1:] for ring in rings])
    edge = random.integers(0, len(a), 120)
    points = a[edge] + random.random((120, 1)) * (b - a)[edge]
    points[:30] = a[edge[:30]]
    points[30:60, 0] = np.nextafter(points[30:60, 0], np.inf)
    x, y = points[:, 0].copy(), points[:, 1].copy()
    assert GridIndex(grids).assign(x, y).tolist() == slow_rows(grids, x, y)


@quick
@given(
    st.lists(
        st.floats(-1e3, 1e3).map(lambda v: v if abs(v) > 1e-90 else 0.0), min_size=4, max_size=4
    ),
    st.floats(-2, 2),
    st.integers(-2, 2),
)
def test_the_side_of_a_line_is_exact(numbers, t, steps):
    ax, ay, bx, by = numbers
    px, py = ax + t * (bx - ax), ay + t * (by - ay)
    for _ in range(abs(steps)):
        px = float(np.nextafter(px, np.inf if steps > 0 else -np.inf))
    px, py = (v if abs(v) > 1e-90 else 0.0 for v in (px, py))
    (a, b, p) = fractions_of([(ax, ay), (bx, by), (px, py)])
    exact = cross((b[0] - a[0], b[1] - a[1]), (p[0] - a[0], p[1] - a[1]))
    args = [np.array([v]) for v in (ax, ay, bx, by, px, py)]
    assert side_of_points(*args)[0] == (exact > 0) - (exact < 0)


# Laws


@quick
@given(patchworks(), st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_answer(grids, seed, shuffler):
    x, y = places(grids, np.random.default_rng(seed))
    order = list(range(len(grids)))
    shuffler.shuffle(order)
    expected = GridIndex(grids).assign(x, y)
    names = np.append(order, -1)
    assert np.array_equal(names[GridIndex(grids.iloc[order]).assign(x, y)], expected)


@quick
@given(patchworks(), st.integers(0, 2**32))
def test_where_a_ring_starts_and_which_way_it_runs_do_not_change_the_answer(grids, seed):
    random = np.random.default_rng(seed)
    x, y = places(grids, random)
    expected = GridIndex(grids).assign(x, y)
    turned = grids.set_geometry([redrawn(shape, random) for shape in grids.geometry])
    assert np.array_equal(GridIndex(turned).assign(x, y), expected)


def redrawn(shape, random):
    """Draw the same shape from other starting points, in other directions, parts in other order."""
    parts = []
    for part in shapely.get_parts(shape):
        rings = []
        for ring in shapely.get_rings(part):
            points = np.roll(shapely.get_coordinates(ring)[:-1], random.integers(0, 9), axis=0)
            rings.append(points[::-1] if random.random() < 0.5 else points)
        parts.append(Polygon(rings[0], rings[1:]))
    random.shuffle(parts)
    return shapely.MultiPolygon(parts)


@quick
@given(
    patchworks(),
    st.integers(0, 2**32),
    st.tuples(st.integers(-500_000, 500_000), st.integers(-4_000_000, 4_000_000)),
)
def test_moving_everything_by_whole_metres_does_not_change_the_answer(grids, seed, by):
    x, y = places(grids, np.random.default_rng(seed))
    moved = grids.translate(*by).to_frame("geometry")
    assert np.array_equal(
        GridIndex(moved).assign(x + by[0], y + by[1]), GridIndex(grids).assign(x, y)
    )


@quick
@given(patchworks(), st.integers(0, 2**32))
def test_extra_vertices_on_the_lines_do_not_change_the_answer(grids, seed):
    x, y = places(grids, np.random.default_rng(seed))
    # Halving an edge between whole numbers is exact in binary.
    random = np.random.default_rng(seed)
    split = [halved(shape) if random.random() < 0.5 else shape for shape in grids.geometry]
    assert np.array_equal(
        GridIndex(grids.set_geometry(split)).assign(x, y), GridIndex(grids).assign(x, y)
    )


def halved(shape):
    """Put a vertex in the middle of each edge."""

    def halve(points):
        middles = (points + np.roll(points, -1, axis=0)) / 2
        return np.stack([points, middles], axis=1).reshape(-1, 2)

    return shapely.MultiPolygon(
        [
            Polygon(rings[0], rings[1:])
            for rings in (
                [halve(shapely.get_coordinates(ring)[:-1]) for ring in shapely.get_rings(part)]
                for part in shapely.get_parts(shape)
            )
        ]
    )


@pytest.mark.parametrize("n", [1, 2, 40, 700])
def test_every_point_off_the_lines_has_the_grid_that_shapely_finds(n):
    grids = voronoi(n, n, 0, 0, 1000.0) if n > 1 else one_triangle()
    x, y = np.random.default_rng(n).uniform(-100, 1100, (2, 20_000))
    tree = shapely.STRtree(grids.geometry.values)
    point, row = tree.query(shapely.points(x, y), predicate="within")
    expected = np.full(len(x), -1)
    expected[point] = row
    assert np.array_equal(GridIndex(grids).assign(x, y), expected)


def test_counts_of_grids_add_up_to_the_points_inside():
    """A 30 x 30 board: all points are inside or on its border, most of them on lines."""
    grids = gpd.GeoDataFrame(
        geometry=[shapely.box(i, j, i + 1, j + 1) for i in range(30) for j in range(30)]
    )
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(0, 30.5, 0.5), np.arange(0, 30.5, 0.5)))
    rows = GridIndex(grids).assign(x, y)
    assert rows.min() == 0
    assert np.bincount(rows, minlength=900).sum() == len(x) == 61 * 61
    # On the upper border looking turns past west, so a corner there is the western grid's.
    column = np.minimum(np.floor(x), 29) - ((y == 30) & (x % 1 == 0) & (x > 0) & (x < 30))
    row = np.minimum(np.floor(y), 29)
    assert np.array_equal(rows, (column * 30 + row).astype(int))
