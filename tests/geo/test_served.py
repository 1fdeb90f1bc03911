"""What lamps and hydrants serve, worked out by hand on one street and two grids, and by a twin.

青年路 runs along y = 50 from x = 0 to 200, with grid A up to x = 100 and grid B behind it;
文化路 crosses it at x = 150 from y = 0 to 100. A lamp reaches 25 m.
"""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, InputError
from geo.io.service import read_service_distances
from geo.reach import cut_streets, invert_reach, reached_m
from geo.served import (
    find_stretches,
    is_working,
    reach_assets,
    served_homes,
    service_distance,
)
from geo.sight import measure_streets

CRS = "EPSG:4547"


@pytest.fixture(scope="module")
def grids() -> gpd.GeoDataFrame:
    shapes = [shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)]
    return gpd.GeoDataFrame(geometry=shapes, index=pd.Index(["A", "B"], name="grid_id"), crs=CRS)


@pytest.fixture(scope="module")
def roads() -> gpd.GeoDataFrame:
    lines = [[(0, 50), (120, 50)], [(120, 50), (200, 50)], [(150, 0), (150, 100)]]
    return gpd.GeoDataFrame(
        {"road_class": "minor", "name": ["青年路", "青年路", "文化路"]},
        geometry=[shapely.LineString(line) for line in lines],
        index=pd.Index(["r1", "r2", "r3"], name="road_id"),
        crs=CRS,
    )


def points(*places: tuple[float, float]) -> gpd.GeoSeries:
    return gpd.GeoSeries([shapely.Point(place) for place in places], crs=CRS)


def test_a_lamp_lights_its_part_of_each_street(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    lit = reach_assets(pieces, points((40, 50), (150, 50)), 25)
    table = measure_streets(grids, pieces, lit)
    assert table["covered_m"].tolist() == pytest.approx([50, 100])


def test_a_pipe_serves_along_its_whole_length(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    pipe = gpd.GeoSeries([shapely.LineString([(20, 60), (80, 60)])], crs=CRS)
    metres = reached_m(pieces, reach_assets(pieces, pipe, 10)).sum()
    assert metres == pytest.approx(60, abs=1e-6)


def test_nothing_is_served_by_nothing(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    assert reached_m(pieces, reach_assets(pieces, points(), 25)).sum() == 0
    worst = find_stretches(pieces, roads, grids, reach_assets(pieces, points(), 25))
    assert worst["length_m"].tolist() == pytest.approx([200, 100])
    assert worst["name"].tolist() == ["青年路", "文化路"]


def test_dark_stretches_follow_a_street_and_come_longest_first(grids, roads) -> None:
    pieces = cut_streets(roads, grids)
    lit = reach_assets(pieces, points((40, 50)), 25)
    worst = find_stretches(pieces, roads, grids, lit)
    # 65 to 200 of 青年路, all of 文化路, 0 to 15 of 青年路
    assert worst["length_m"].tolist() == pytest.approx([135, 100, 15])
    assert worst["grid_id"].tolist() == ["B", "B", "A"]
    assert worst["road_id"].tolist() == ["r1", "r3", "r1"]
    assert worst.geometry.length.tolist() == pytest.approx([135, 100, 15])
    assert worst.index.tolist() == [1, 2, 3]
    assert len(find_stretches(pieces, roads, grids, lit, most=1)) == 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_lit_streets_agree_with_a_union_of_discs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grids = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 300, 300)], index=["A"], crs=CRS)
    lines = [shapely.LineString(rng.uniform(0, 300, (3, 2))) for _ in range(3)]
    roads = gpd.GeoDataFrame({"road_class": "minor"}, geometry=lines, crs=CRS, index=range(3))
    lamps = points(*map(tuple, rng.uniform(0, 300, (6, 2))))
    pieces = cut_streets(roads, grids)
    lit = reach_assets(pieces, lamps, 30)
    discs = shapely.union_all(shapely.buffer(lamps.to_numpy(), 30, quad_segs=512))
    slow = sum(line.intersection(discs).length for line in lines)
    assert reached_m(pieces, lit).sum() == pytest.approx(slow, abs=0.02)
    worst = find_stretches(pieces, roads, grids, lit, most=1000)
    dark = reached_m(pieces, invert_reach(pieces, lit)).sum()
    assert worst["length_m"].sum() == pytest.approx(dark)
    assert worst["length_m"].is_monotonic_decreasing


def test_homes_count_by_the_grid_that_they_stand_in(grids) -> None:
    shapes = [shapely.box(x, 10, x + 10, 20) for x in (10, 60, 150, 500)]
    homes = gpd.GeoDataFrame({"households": [10, 20, 5, 7]}, geometry=shapes, crs=CRS)
    table = served_homes(grids, homes, points((20, 40), (155, 15)), 25)
    assert table["households"].tolist() == [30, 5]
    assert table["served"].tolist() == [10, 5]
    assert table["served_share"].tolist() == pytest.approx([1 / 3, 1])
    empty = served_homes(grids, homes.iloc[:0], points(), 25)
    assert empty["served_share"].isna().all()
    with pytest.raises(ColumnError, match="no households"):
        served_homes(grids, homes.drop(columns="households"), points(), 25)


def test_what_is_broken_serves_nobody() -> None:
    states = pd.DataFrame({"state": ["intact", None, "damaged", "lost", "removed", "abandoned"]})
    assert is_working(states).tolist() == [True, True, False, False, False, False]
    assert is_working(pd.DataFrame(index=range(2))).tolist() == [True, True]


def test_distances_stand_in_a_file_with_their_sources() -> None:
    table = read_service_distances()
    assert table["source"].notna().all()
    distances = table["distance_m"].to_dict()
    assert service_distance("0113", distances) == 150
    assert service_distance("9999", distances) == distances["*"]
    with pytest.raises(InputError, match="9999"):
        service_distance("9999", {"0113": 150.0})


@pytest.mark.real_data
def test_lamps_of_helsinki_light_a_part_of_its_walks(shared_data) -> None:
    file = shared_data / "st_helsinki_osm" / "helsinki.gpkg"
    walk = gpd.read_file(file, layer="walk").to_crs(3067)
    roads = walk[["geometry", "name"]].assign(road_class="path")
    things = gpd.read_file(file, layer="point_assets").to_crs(3067)
    lamps = things[things["highway"] == "street_lamp"]
    assert len(lamps) == 586
    grids = gpd.GeoDataFrame(geometry=[shapely.box(*roads.total_bounds)], index=["h"], crs=3067)
    pieces = cut_streets(roads, grids)
    table = measure_streets(grids, pieces, reach_assets(pieces, lamps.geometry, 25))
    discs = shapely.union_all(shapely.buffer(lamps.geometry.to_numpy(), 25, quad_segs=64))
    slow = shapely.length(shapely.intersection(roads.geometry.to_numpy(), discs)).sum()
    assert table["covered_m"].iloc[0] == pytest.approx(slow, rel=1e-3)
    assert 0.1 < table["covered_share"].iloc[0] < 0.95
    worst = find_stretches(pieces, roads, grids, reach_assets(pieces, lamps.geometry, 25))
    assert len(worst) == 10


def test_a_city_has_distances_of_its_own_and_hears_what_is_wrong_with_them(tmp_path) -> None:
    (tmp_path / "rules").mkdir()
    file = tmp_path / "rules" / "service_distances.csv"
    file.write_text("class_code,distance_m\n0118,30\n2103,80\n", encoding="utf-8")
    table = read_service_distances(tmp_path)["distance_m"]
    assert (table["0118"], table["2103"], table["0113"]) == (30, 80, 150)
    for text, word in (("class_code,distance_m\n0118,far\n", "0118"), ("class\n1\n", "distance_m")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=word):
            read_service_distances(tmp_path)
