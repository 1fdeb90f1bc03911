"""Chains, sums, numbers and neighbours, worked out by hand on small cities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.datum import to_metric
from geo.errors import CodeError, ColumnError, CrsError, RuleError
from geo.hierarchy import (
    ancestors,
    chain,
    dissolve_parents,
    fill_divisions,
    neighbours,
    number_grids,
    roll_up,
)


@pytest.fixture
def tree():
    """City c: district d1 (street s1: communities k1, k2) and district d2 (street s2: k3)."""
    rows = [
        ("p", "province", "P", None),
        ("c", "city", "C", "p"),
        ("d1", "district", "D1", "c"),
        ("d2", "district", "D2", "c"),
        ("s1", "street", "S1", "d1"),
        ("s2", "street", "S2", "d2"),
        ("k1", "community", "K1", "s1"),
        ("k2", "community", "K2", "s1"),
        ("k3", "community", "K3", "s2"),
    ]
    frame = pd.DataFrame(rows, columns=["code", "level", "name", "parent_code"])
    return frame.astype("str").set_index("code")


def row_of_grids(*communities: str | None) -> gpd.GeoDataFrame:
    """Squares of 100 m side by side from west to east, A B C …, one community each."""
    shapes = [shapely.box(100 * n, 0, 100 * n + 100, 100) for n in range(len(communities))]
    labels = [chr(ord("A") + n) for n in range(len(communities))]
    frame = gpd.GeoDataFrame(geometry=shapes, index=pd.Index(labels, name="grid_id"), crs=4547)
    return frame.assign(community_code=pd.Series(communities, index=frame.index, dtype="str"))


def test_a_chain_runs_from_the_city_down(tree):
    levels = [level for level, _, _ in chain(tree, "k3")]
    assert levels == ["city", "district", "street", "community"]
    assert chain(tree, "k3")[-1] == ("community", "k3", "K3")
    assert chain(tree, "k3", province=True)[0] == ("province", "p", "P")
    assert chain(tree.reset_index(), "d1") == [("city", "c", "C"), ("district", "d1", "D1")]


def test_a_chain_stops_where_a_parent_is_not_there(tree):
    assert [code for _, code, _ in chain(tree.drop("d1"), "k1")] == ["s1", "k1"]


def test_an_unknown_division_has_no_chain(tree):
    with pytest.raises(CodeError, match="no division 'zz': import divisions"):
        chain(tree, "zz")


def test_parents_in_a_circle_are_refused(tree):
    tree.loc["c", "parent_code"] = "s1"
    with pytest.raises(RuleError, match="go round in a circle"):
        chain(tree, "k1")


def test_ancestors_name_the_division_of_a_level(tree):
    found = ancestors(tree, "district")
    assert found["k1"] == "d1"
    assert found["d2"] == "d2"
    assert pd.isna(found["c"])
    with pytest.raises(CodeError, match="unknown level 'county'"):
        ancestors(tree, "county")


def test_sums_are_the_same_at_every_level_and_what_has_no_parent_stays_visible(tree):
    grids = row_of_grids("k1", "k1", "k2", "k3", "gone", None)
    values = pd.DataFrame({"households": [1, 2, 4, 8, 16, 32]}, index=grids.index)
    sums = {
        level: roll_up(values, grids, tree, level)["households"]
        for level in ("city", "district", "street", "community")
    }
    assert sums["community"].to_dict() == {"k1": 3, "k2": 4, "k3": 8, "": 48}
    assert sums["district"].to_dict() == {"d1": 7, "d2": 8, "": 48}
    assert sums["city"].to_dict() == {"c": 15, "": 48}
    assert {total.sum() for total in sums.values()} == {63}


def test_a_division_without_grids_has_no_figure_rather_than_zero(tree):
    grids = row_of_grids("k1")
    sums = roll_up(pd.Series([5], index=["A"], name="n"), grids, tree, "community")["n"]
    assert sums["k1"] == 5
    assert sums[["k2", "k3"]].isna().all()
    unknown = roll_up(pd.Series([np.nan], index=["A"], name="n"), grids, tree, "community")["n"]
    assert np.isnan(unknown["k1"])


def numbers_of(frame: gpd.GeoDataFrame) -> dict[str, int]:
    return {label: int(code[-3:]) for label, code in number_grids(frame).items()}


def test_grids_are_numbered_like_a_page_is_read():
    """C D E
    A   B      (A and B are as wide as one and a half)
    """
    shapes = {
        "A": shapely.box(0, 0, 150, 100),
        "B": shapely.box(150, 0, 300, 100),
        "C": shapely.box(0, 100, 100, 200),
        "D": shapely.box(100, 100, 200, 200),
        "E": shapely.box(200, 100, 300, 200),
    }
    frame = gpd.GeoDataFrame(geometry=list(shapes.values()), index=list(shapes), crs=4547)
    frame["community_code"] = "420502001001"
    assert numbers_of(frame) == {"C": 1, "D": 2, "E": 3, "A": 4, "B": 5}
    assert number_grids(frame)["C"] == "420502001001001"


def test_a_row_that_rises_to_the_east_is_still_one_row():
    """Four squares, each 10 m further north than the one west of it: 40 m is less than half."""
    shapes = [shapely.box(100 * n, 10 * n, 100 * n + 100, 10 * n + 100) for n in range(4)]
    below = [shapely.box(100 * n, 10 * n - 100, 100 * n + 100, 10 * n) for n in range(4)]
    frame = gpd.GeoDataFrame(geometry=shapes + below, index=list("ABCDEFGH"), crs=4547)
    frame["community_code"] = "420502001001"
    assert numbers_of(frame) == dict(zip("ABCDEFGH", range(1, 9), strict=True))


def test_each_community_counts_for_itself():
    frame = row_of_grids("k1", "k2", "k1", "k2")
    assert number_grids(frame).to_dict() == {
        "A": "k1001",
        "B": "k2001",
        "C": "k1002",
        "D": "k2002",
    }


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(-500, 500), st.integers(-500, 500))
def test_numbers_depend_on_shapes_only(seed, east, north):
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 5, 12) * 100, random.integers(0, 5, 12) * 100
    size = random.integers(30, 130, 12)
    shapes = shapely.box(x, y, x + size, y + size)
    frame = gpd.GeoDataFrame({"community_code": "k"}, geometry=shapes, index=range(12), crs=4547)
    frame = frame[~frame.geometry.duplicated()]
    expected = number_grids(frame)
    shuffled = frame.sample(frac=1, random_state=int(random.integers(1000)))
    assert number_grids(shuffled)[frame.index].tolist() == expected.tolist()
    away = frame.set_geometry(frame.translate(east, north))
    assert number_grids(away).tolist() == expected.tolist()
    assert expected.is_unique


def test_a_grid_without_community_cannot_be_numbered():
    with pytest.raises(CodeError, match="grid B has no community_code"):
        number_grids(row_of_grids("k1", None))
    with pytest.raises(ColumnError, match="no community_code"):
        number_grids(row_of_grids("k1").drop(columns="community_code"))
    with pytest.raises(CodeError, match="community k1 has 10 grids: 1 digit is too few"):
        number_grids(row_of_grids(*["k1"] * 10), digits=1)


def borders(cover: gpd.GeoDataFrame) -> dict[tuple[str, str], float]:
    found = neighbours(cover)
    pairs = zip(found["id"], found["neighbour"], strict=True)
    return dict(zip(pairs, found["border_m"].round(3), strict=True))


def test_squares_share_a_side_and_not_a_corner(four_grids):
    sides = ("AB", "AC", "BD", "CD")
    both_ways = [(a, b) for a, b in sides] + [(b, a) for a, b in sides]
    assert borders(four_grids) == dict.fromkeys(both_ways, 100.0)


def test_a_border_is_measured_through_a_t_junction():
    """B and C lie on A's east side, which has no vertex where they meet."""
    shapes = [
        shapely.box(0, 0, 100, 200),
        shapely.box(100, 0, 200, 70),
        shapely.box(100, 70, 200, 200),
    ]
    cover = gpd.GeoDataFrame(geometry=shapes, index=list("ABC"), crs=4547)
    found = borders(cover)
    assert found["A", "B"] == found["B", "A"] == 70
    assert found["A", "C"] == 130
    assert found["B", "C"] == 100


def test_borders_a_millimetre_apart_are_one_and_a_decimetre_apart_are_none():
    def gap_of(metres):
        shapes = [shapely.box(0, 0, 100, 100), shapely.box(100 + metres, -50, 200, 100)]
        return borders(gpd.GeoDataFrame(geometry=shapes, index=list("AB"), crs=4547))

    assert gap_of(0.001) == {("A", "B"): 100, ("B", "A"): 100}
    assert gap_of(0.1) == {}


def test_a_grid_in_the_hole_of_another_is_its_neighbour_all_round():
    inner = shapely.box(40, 40, 60, 60)
    cover = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 100, 100) - inner, inner], index=list("AB"), crs=4547
    )
    assert borders(cover) == {("A", "B"): 80, ("B", "A"): 80}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_borders_are_those_that_shapely_cuts_out_slowly(seed):
    random = np.random.default_rng(seed)
    points = shapely.MultiPoint(random.uniform(0, 1000, (25, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points))
    cells = shapely.intersection(cells, shapely.box(0, 0, 1000, 1000))
    cover = gpd.GeoDataFrame(geometry=cells, crs=4547)
    found = neighbours(cover).set_index(["id", "neighbour"])["border_m"]
    for a in range(len(cells)):
        for b in range(len(cells)):
            if a != b:
                slow = shapely.intersection(cells[a].boundary, cells[b].buffer(1e-6)).length
                assert found.get((a, b), 0.0) == pytest.approx(slow, abs=0.02)


def test_borders_in_degrees_are_refused(four_grids):
    with pytest.raises(CrsError, match="not metres"):
        neighbours(four_grids.set_crs(4326, allow_override=True))


def test_parents_are_the_union_of_their_children():
    made = dissolve_parents(row_of_grids("k1", "k1", "k2", None), "community_code")
    assert made.index.tolist() == ["k1", "k2"]
    assert made.geometry["k1"].equals(shapely.box(0, 0, 200, 100))
    assert made.geometry["k1"].geom_type == "MultiPolygon"
    assert made.crs == 4547


def test_divisions_without_a_polygon_get_that_of_what_lies_below(tree):
    grids = row_of_grids("k1", "k1", "k2", "k3")
    own = shapely.box(300, 0, 400, 90)
    shapes = [own if code == "k3" else None for code in tree.index]
    filled = fill_divisions(gpd.GeoDataFrame(tree, geometry=shapes, crs=4547), grids)
    areas = filled.geometry.area
    assert filled.index.tolist() == tree.index.tolist()
    assert areas["k1"] == 20_000
    assert areas["d1"] == 30_000
    assert areas["k3"] == areas["d2"] == 9_000
    assert areas["c"] == areas["p"] == 39_000


@pytest.mark.real_data
def test_villages_of_taichung_make_29_towns_without_a_gap_between_them(shared_data):
    villages = gpd.read_file(shared_data / "tw_taichung_villages" / "villages.geojson")
    towns = dissolve_parents(villages.set_index("VILLCODE"), "TOWNCODE")
    assert len(towns) == 29
    assert shapely.coverage_is_valid(towns.geometry.array)
    metric = to_metric(villages)
    found = neighbours(metric)
    pairs = set(zip(found["id"], found["neighbour"], strict=True))
    assert pairs == {(b, a) for a, b in pairs}
    outer = metric.union_all().boundary.length
    assert found["border_m"].sum() + outer == pytest.approx(metric.length.sum(), rel=1e-9)
