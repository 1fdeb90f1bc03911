"""Redrawing grids in an index: every answer equals that of an index built anew."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import Polygon, box

from geo.errors import CoverError, CrsError
from geo.locate import GridIndex


def board(n):
    """n x n squares of 10 m, named row by row."""
    cells = [box(10 * i, 10 * j, 10 * i + 10, 10 * j + 10) for j in range(n) for i in range(n)]
    names = [f"r{j}c{i}" for j in range(n) for i in range(n)]
    return gpd.GeoDataFrame(geometry=cells, index=names)


def redrawn(**shapes):
    return gpd.GeoDataFrame(geometry=list(shapes.values()), index=list(shapes))


def apply(grids, changed):
    after = grids.copy()
    after.loc[changed.index, "geometry"] = changed.geometry
    return after


def raster(n, step=1.25):
    x, y = np.meshgrid(np.arange(-10, 10 * n + 10, step), np.arange(-10, 10 * n + 10, step))
    return x.ravel(), y.ravel()


def assert_same_as_new(index, grids, x, y):
    assert np.array_equal(index.assign(x, y), GridIndex(grids).assign(x, y))


def test_two_grids_that_move_their_line_have_their_points_at_once():
    """The line between r0c0 and r0c1 moves from x = 10 to a kink at x = 15."""
    grids = board(3)
    index = GridIndex(grids)
    changed = redrawn(
        r0c1=Polygon([(10, 0), (20, 0), (20, 10), (10, 10), (15, 5)]),
        r0c0=Polygon([(0, 0), (10, 0), (15, 5), (10, 10), (0, 10)]),
    )
    assert index.assign([12], [5])[0] == 1
    index.replace(changed)
    assert index.assign([12, 15, 10, 10], [5, 5, 0, 10]).tolist() == [0, 1, 1, 4]
    assert_same_as_new(index, apply(grids, changed), *raster(3))


@pytest.mark.parametrize(
    "changed",
    [
        redrawn(r1c1=box(20, 10, 30, 20), r1c2=box(10, 10, 20, 20)),
        redrawn(r0c0=box(0, 0, 5, 10), r0c1=box(5, 0, 20, 10)),
        redrawn(
            r1c1=Polygon([(10, 10), (20, 10), (20, 20), (10, 20), (10, 15)]),
        ),
        redrawn(
            r1c1=box(10, 10, 20, 20) - box(13, 13, 17, 17),
            r1c2=box(20, 10, 30, 20) | box(13, 13, 17, 17),
        ),
        redrawn(
            r1c1=box(10, 10, 20, 20) | box(30, 30, 40, 40),
            r3c3=Polygon([(12, 12), (14, 12), (14, 14), (12, 14)]),
        ),
        redrawn(r0c0=board(4).union_all() - board(4).loc["r0c1":].union_all()),
    ],
    ids=[
        "two swap places",
        "their line ends on the outer border",
        "an extra vertex on a straight line",
        "an island changes hands",
        "two far apart",
        "nothing changed",
    ],
)
def test_the_answers_equal_those_of_an_index_built_anew(changed):
    grids = board(4)
    index = GridIndex(grids)
    after = apply(grids, changed)
    if "r3c3" in changed.index:
        changed.loc["r1c1", "geometry"] = changed.geometry["r1c1"] - changed.geometry["r3c3"]
        after = apply(grids, changed)
    index.replace(changed)
    assert_same_as_new(index, after, *raster(4))


def test_large_grids_hand_over_the_blocks_that_no_line_touches():
    """2 grids of 1 km among 400 small ones, so blocks are much smaller than they are."""
    small = [
        box(2000 + 5 * i, 5 * j, 2005 + 5 * i, 5 * j + 5) for i in range(20) for j in range(20)
    ]
    grids = gpd.GeoDataFrame(geometry=[box(0, 0, 1000, 1000), box(1000, 0, 2000, 1000), *small])
    x, y = (
        axis.ravel() for axis in np.meshgrid(np.arange(-5, 2105, 7.0), np.arange(-5, 1005, 7.0))
    )
    index = GridIndex(grids)
    for line in (500, 1500, 20, 1000):
        changed = redrawn(a=box(0, 0, line, 1000), b=box(line, 0, 2000, 1000)).set_index(
            np.array([0, 1])
        )
        index.replace(changed)
        assert_same_as_new(index, apply(grids, changed), x, y)


def test_many_redraws_one_after_the_other_equal_an_index_built_anew():
    """Corners of a 12 x 12 board wander; each move redraws the four grids around a corner."""
    random = np.random.default_rng(3)
    n = 12
    corners = np.stack(np.meshgrid(np.arange(n + 1), np.arange(n + 1)), axis=-1) * 64.0
    names = [f"{j}-{i}" for j in range(n) for i in range(n)]

    def shape(j, i):
        return Polygon([corners[j, i], corners[j, i + 1], corners[j + 1, i + 1], corners[j + 1, i]])

    grids = gpd.GeoDataFrame(
        geometry=[shape(j, i) for j in range(n) for i in range(n)], index=names, crs="EPSG:4547"
    )
    index = GridIndex(grids)
    x, y = random.uniform(-10, n * 64 + 10, (2, 4000))
    for _ in range(60):
        j, i = random.integers(1, n, 2)
        corners[j, i] = np.array([i, j]) * 64.0 + random.integers(-20, 21, 2)
        around = {f"{b}-{a}": shape(b, a) for b in (j - 1, j) for a in (i - 1, i)}
        changed = gpd.GeoDataFrame(
            geometry=list(around.values()), index=list(around), crs="EPSG:4547"
        )
        grids = apply(grids, changed)
        index.replace(changed)
    vertices = corners.reshape(-1, 2)
    x, y = np.concatenate([x, vertices[:, 0]]), np.concatenate([y, vertices[:, 1]])
    assert_same_as_new(index, grids, x, y)


def test_a_thousand_redraws_do_not_make_the_index_grow_without_end():
    grids = board(4)
    index = GridIndex(grids)
    before = index.nbytes
    for step in range(400):
        line = 5 + step % 10
        index.replace(redrawn(r0c0=box(0, 0, line, 10), r0c1=box(line, 0, 20, 10)))
    assert index.nbytes < before + 20_000_000


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (redrawn(r1c1=box(10, 10, 19, 20)), "cover other ground than before near"),
        (redrawn(r1c1=box(10, 10, 21, 20)), "other ground|overlap"),
        (redrawn(r0c0=box(0, 0, 10, 9)), r"other ground than before near \(0, "),
        (
            redrawn(r0c0=box(0, 0, 12, 10), r0c1=box(10, 0, 20, 10)),
            "'r0c0', 'r0c1'. overlap or cover other",
        ),
        (redrawn(r1c1=box(10, 10, 20, 20) - box(12, 12, 14, 14)), "cover other ground"),
        (redrawn(r1c1=box(20, 10, 30, 20), r1c0=box(0, 10, 10, 20)), "other ground|overlap"),
        (redrawn(nowhere=box(10, 10, 20, 20)), "'nowhere' is no label of the grids"),
        (redrawn(r1c1=Polygon()), "'r1c1' is empty"),
        (redrawn(r1c1=None), "'r1c1' has no geometry"),
        (
            gpd.GeoDataFrame(geometry=[box(10, 10, 20, 20)] * 2, index=["r1c1", "r1c1"]),
            "'r1c1' twice",
        ),
    ],
)
def test_a_redraw_that_is_none_is_refused_and_changes_nothing(changed, words):
    grids = board(3)
    index = GridIndex(grids)
    with pytest.raises(CoverError, match=words):
        index.replace(changed)
    assert_same_as_new(index, grids, *raster(3))
    index.replace(redrawn(r0c0=box(0, 0, 5, 10), r0c1=box(5, 0, 20, 10)))
    assert index.assign([7], [5]).tolist() == [1]


def test_a_border_cut_at_another_point_is_the_same_ground():
    """r0c0 and its neighbours are first cut at other points, then redrawn without these."""
    grids = board(2)
    index = GridIndex(grids)
    index.replace(redrawn(r0c0=shapely.segmentize(box(0, 0, 10, 10), 2.5)))
    assert_same_as_new(index, grids, *raster(2))
    index.replace(redrawn(r0c0=box(0, 0, 10, 10)))
    assert_same_as_new(index, grids, *raster(2))


def test_labels_that_repeat_cannot_be_replaced():
    grids = gpd.GeoDataFrame(geometry=[box(0, 0, 1, 1), box(1, 0, 2, 1)], index=["a", "a"])
    with pytest.raises(CoverError, match="labels of the grids repeat"):
        GridIndex(grids).replace(redrawn(a=box(0, 0, 1, 1)))


def test_a_redraw_in_another_crs_is_refused():
    index = GridIndex(board(2).set_crs("EPSG:4547"))
    with pytest.raises(CrsError, match=r"changed is in WGS 84, the grids in CGCS2000"):
        index.replace(board(2).set_crs("EPSG:4326"))


def test_replacing_nothing_changes_nothing():
    index = GridIndex(board(2))
    index.replace(board(2).iloc[:0])
    assert_same_as_new(index, board(2), *raster(2))
