"""Streets reached by patrols: exact against shapely, and the same sums whoever adds."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo._reach_cover import near_interval
from geo.errors import ColumnError, CrsError, InputError
from geo.reach import StreetPieces, cut_streets, find_paths, measure_coverage, measure_reach

CRS = "EPSG:4547"
NOON = pd.Timestamp("2026-11-21T04:00Z")


def streets(*lines, kind="minor") -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"road_class": [kind] * len(lines)},
        geometry=[shapely.LineString(line) for line in lines],
        crs=CRS,
    )


def walk(*rows) -> pd.DataFrame:
    """Rows of worker, seconds after noon, x, y."""
    table = pd.DataFrame(rows, columns=["worker_id", "s", "x", "y"])
    return table.assign(time=NOON + pd.to_timedelta(table.pop("s"), unit="s"))


def fine(path: np.ndarray, radius: float) -> shapely.Geometry:
    """What lies within a distance of a path, its arcs drawn with 4,000 corners."""
    line = shapely.LineString(path.reshape(2, 2))
    return (line if line.length else shapely.Point(path[:2])).buffer(radius, quad_segs=1000)


coordinate = st.floats(-60, 60).map(lambda v: round(v, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(coordinate, min_size=8, max_size=8), st.floats(1, 40))
def test_an_interval_is_what_shapely_says_to_a_millimetre(values, radius):
    ax, ay, bx, by, *path = values
    piece = shapely.LineString([(ax, ay), (bx, by)])
    if piece.length < 1e-3:
        return
    low, high = near_interval(ax, ay, bx, by, *path, radius)
    expected = piece.intersection(fine(np.array(path), radius)).length
    assert max(0.0, high - low) * piece.length == pytest.approx(expected, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[coordinate] * 4), min_size=1, max_size=6),
    st.lists(st.tuples(*[coordinate] * 4), min_size=1, max_size=12),
    st.floats(2, 30),
)
def test_covered_metres_are_those_of_the_union_of_all_buffers(pieces, paths, radius):
    ends, steps = np.array(pieces, float), np.array(paths, float)
    size = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    ends, size = ends[size > 0.01], size[size > 0.01]
    if not len(ends):
        return
    made = StreetPieces(ends, np.zeros(len(ends), np.int32), size)
    near = shapely.union_all([fine(step, radius) for step in steps])
    lines = shapely.linestrings(ends.reshape(-1, 2, 2))
    expected = shapely.length(shapely.intersection(lines, near))
    found = measure_reach(made, steps, radius_m=radius)
    assert found == pytest.approx(expected, abs=5e-3)
    assert (measure_reach(made, steps[::-1].copy(), radius_m=radius)) == pytest.approx(found)
    assert (measure_reach(made, steps[:-1], radius_m=radius) <= found + 1e-9).all()
    assert (measure_reach(made, steps, radius_m=radius + 1) >= found - 1e-9).all()


def test_the_metres_of_grids_add_up_to_those_of_the_city(four_grids):
    roads = streets([(0, 50), (200, 50)], [(100, 0), (100, 200)], [(37, 3), (181, 190)])
    pieces = cut_streets(roads, four_grids)
    paths = find_paths(walk(("w", 0, 10, 50), ("w", 10, 30, 50), ("w", 20, 50, 50)))
    found = measure_coverage(four_grids, pieces, paths)
    assert found["street_m"].sum() == pytest.approx(roads.length.sum())
    assert found["covered_m"].sum() == pytest.approx(measure_reach(pieces, paths).sum())
    # 0 to 70 m of the level street in A; the walk ends 50 m before the upright one.
    slanted = roads.geometry.iloc[2].intersection(
        shapely.LineString([(10, 50), (50, 50)]).buffer(20, quad_segs=1000)
    )
    assert found.loc["A", "covered_m"] == pytest.approx(70 + slanted.length, abs=1e-3)
    assert found.loc["D", "covered_m"] == 0
    # The street between A and B belongs to the grid east of it.
    assert found.loc["B", "street_m"] >= 200


def test_pieces_are_short_and_lose_nothing(four_grids):
    pieces = cut_streets(streets([(3, 3), (140, 160)], kind="main"), four_grids)
    assert pieces.length_m.max() <= 25
    assert pieces.length_m.sum() == pytest.approx(np.hypot(137, 157))
    assert pieces.ends[1:, :2] == pytest.approx(pieces.ends[:-1, 2:])


def test_rivers_and_railways_are_no_streets(four_grids):
    for kind in ("river", "rail"):
        assert not len(cut_streets(streets([(0, 1), (9, 1)], kind=kind), four_grids).length_m)


def test_a_grid_without_streets_has_no_share(four_grids):
    pieces = cut_streets(streets([(10, 10), (20, 10)]), four_grids)
    found = measure_coverage(four_grids, pieces, np.empty((0, 4)))
    assert found["covered_share"].isna().tolist() == [False, True, True, True]
    assert found.loc["A", "covered_share"] == 0


def test_a_path_ends_where_nobody_knows_the_way():
    found = find_paths(
        walk(
            ("a", 0, 0, 0),
            ("a", 30, 20, 0),
            ("a", 200, 40, 0),  # silent for longer than a minute
            ("a", 210, 400, 0),  # 130 km/h
            ("b", 15, 0, 9),
        )
    )
    assert found.tolist() == [
        [0, 0, 20, 0], [40, 0, 40, 0], [400, 0, 400, 0], [0, 9, 0, 9],
    ]  # fmt: skip


def test_fixes_that_are_made_up_or_vague_are_no_path():
    fixes = walk(("a", 0, 0, 0), ("a", 10, 9, 0), ("a", 20, 18, 0))
    fixes = fixes.assign(mock=[False, None, True], accuracy_m=[5.0, 90.0, 5.0])
    assert find_paths(fixes).tolist() == [[0, 0, 0, 0]]


def test_no_fixes_reach_nothing(four_grids):
    assert find_paths(walk().astype({"x": float, "y": float})).shape == (0, 4)


def test_input_that_cannot_be_measured_is_refused(four_grids):
    roads = streets([(0, 0), (9, 9)])
    with pytest.raises(CrsError, match="bring them together"):
        cut_streets(roads.to_crs("EPSG:4548"), four_grids)
    with pytest.raises(ColumnError, match="roads have no road_class"):
        cut_streets(roads.drop(columns="road_class"), four_grids)
    with pytest.raises(ColumnError, match="fixes lack x, y"):
        find_paths(pd.DataFrame({"worker_id": [], "time": []}))
    with pytest.raises(InputError, match="radius_m is 0"):
        measure_reach(cut_streets(roads, four_grids), np.zeros((1, 4)), radius_m=0)
