"""What is around a place: a drawn street corner with worked answers, and slow twins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geo._cells import PlaceLayer, PointCells
from geo._metres import box_around, longest_chord_m, measure_m, nearest_on, to_space
from geo.errors import CodeError, ColumnError, CrsError, InputError
from geo.nearby import NearbyIndex, NearRules
from geo.similar import find_flare_ups, find_similar
from geo.views import view_sectors

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
ELLIPSOID = Geod(ellps="WGS84")
LON, LAT = 111.3, 30.7
# One degree at 30.7° north on WGS-84, in metres: along the parallel and along the meridian.
EAST_M, NORTH_M = 95_801.9, 110_863.0


def spot(x: float, y: float) -> tuple[float, float]:
    """Degrees of a place x metres east and y metres north of the middle."""
    return LON + x / EAST_M, LAT + y / NORTH_M


def point(x: float, y: float) -> shapely.Point:
    return shapely.Point(spot(x, y))


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(*spot(west, south), *spot(east, north))


def frame(ids: list[str], shapes: list, **columns) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, index=pd.Index(ids, dtype="str"), geometry=shapes, crs=4326)


def grids() -> gpd.GeoDataFrame:
    """Three base grids and a duty grid over B and C, in metres from the middle.

    200 +-----+-----+
        |     |  C  |
    100 |  A  +-----+
        |     |  B  |
      0 +-----+-----+
     -100     0    100
    """
    return frame(
        ["A", "B", "C", "Z"],
        [box(-100, 0, 0, 200), box(0, 0, 100, 100), box(0, 100, 100, 200), box(0, 0, 100, 200)],
        name=["甲", "乙", "丙", "责"],
        kind=["base", "base", "dedicated", "duty"],
        community_code=["K1", "K1", "K2", "K2"],
    )


def assets() -> gpd.GeoDataFrame:
    """Seen from (50, 50): manholes at 10 and 30 m, a pipe that passes at 20 m, hydrants."""
    rows = [
        ("M1", "0101", "intact", point(60, 50)),
        ("M2", "0101", "damaged", point(50, 80)),
        ("M3", "0101", None, point(-50, 50)),
        ("L1", "0301", "intact", shapely.LineString([spot(x, 70) for x in (-90, 30, 400)])),
        ("H1", "0113", "lost", point(55, 50)),
        ("H2", "0113", "damaged", point(50, 350)),
        ("H3", "0113", "intact", point(50, 450)),
        ("X1", "9999", "intact", point(50, 65)),
        ("N1", "0101", "intact", None),
    ]
    return frame(
        [r[0] for r in rows],
        [r[3] for r in rows],
        class_code=[r[1] for r in rows],
        name=[f"{r[0]}物" for r in rows],
        state=[r[2] for r in rows],
        owner="局",
    )


def cameras(rows=()) -> gpd.GeoDataFrame:
    return frame(
        [r[0] for r in rows],
        [r[1] for r in rows],
        class_code="0136",
        name="",
        owner="",
        bearing_deg=[float(r[2]) for r in rows],
        angle_deg=[float(r[3]) for r in rows],
        range_m=[float(r[4]) for r in rows],
        state=[r[5] if len(r) > 5 else "intact" for r in rows],
    )


def buildings() -> gpd.GeoDataFrame:
    """House 1 around (50, 50), house 2 from 40 to 58 m east of it, house 3 without figures."""
    return frame(
        ["1", "2", "3"],
        [box(45, 45, 55, 55), box(90, 45, 108, 55), box(45, 90, 55, 110)],
        name=["1号", "2号", "3号"],
        compound="小区",
        floors=pd.array([6, 6, 6], dtype="Int64"),
        households=pd.array([12, 30, None], dtype="Int64"),
        population=pd.array([30, 80, None], dtype="Int64"),
    )


def incidents() -> gpd.GeoDataFrame:
    rows = [
        ("I1", "E0102", "handling", 1, point(50, 60)),
        ("I2", "E0102", "closed", 30, point(50, 50)),
        ("I3", "E0102", "closed", 10, point(50, 70)),
        ("I4", "C0101", "cancelled", 20, point(50, 40)),
        ("I5", "E0102", "closed", 400, point(50, 50)),
        ("I6", "E0102", "collected", -1, point(50, 50)),
        ("I7", "E0102", "collected", 400, point(70, 50)),
        ("I8", "E0102", "collected", 1, None),
        ("I9", "E0102", "collected", 1, point(50, 500)),
    ]
    return frame(
        [r[0] for r in rows],
        [r[4] for r in rows],
        class_code=[r[1] for r in rows],
        category="",
        description="",
        source="app",
        reported_at=pd.to_datetime([NOW - timedelta(days=r[3]) for r in rows], utc=True),
        stage=[r[2] for r in rows],
        deadline=pd.to_datetime([None] * len(rows), utc=True),
        closed_at=pd.to_datetime([None] * len(rows), utc=True),
    )


def roads() -> gpd.GeoDataFrame:
    lines = [[spot(-90, 0), spot(90, 0)], [spot(-90, 140), spot(90, 140)]]
    return frame(
        ["R1", "R2"],
        [shapely.MultiLineString([line]) for line in lines],
        name=["南街", "北街"],
        road_class=["main", "minor"],
    )


def places() -> gpd.GeoDataFrame:
    return frame(
        ["P1", "P2"], [point(50, 55), point(99, 150)], kind=["shop", "school"], name=["店", "校"]
    )


def everything(**other) -> NearbyIndex:
    tables = {
        "assets": assets(), "buildings": buildings(), "incidents": incidents(), "roads": roads(),
        "places": places(), "cameras": cameras(), **other,
    }  # fmt: skip
    return NearbyIndex(grids(), **tables)


@pytest.fixture(scope="module")
def index() -> NearbyIndex:
    return everything()


@pytest.fixture(scope="module")
def corner(index):
    """Everything within 50 m of (50, 50)."""
    return index.around(*spot(50, 50), at=NOW, radius_m=50)


def test_the_place_is_in_its_grid_and_the_grid_has_its_neighbours(corner):
    assert corner.grid_id == "B"
    assert corner.grid["name"] == "乙"
    # B has 100 m in common with A and with C; the duty grid is of another cover.
    assert corner.neighbours["border_m"].to_dict() == pytest.approx({"A": 100, "C": 100}, abs=0.1)
    assert corner.neighbours.loc["C", "name"] == "丙"


def test_assets_come_nearest_first_in_metres_and_lines_by_their_nearest_point(corner):
    assert corner.assets["distance_m"].round(1).to_dict() == {
        "H1": 5.0, "M1": 10.0, "X1": 15.0, "L1": 20.0, "M2": 30.0,
    }  # fmt: skip
    assert corner.assets.loc["L1", ["lon", "lat"]].tolist() == pytest.approx(
        list(spot(50, 70)), abs=1e-7
    )


def test_assets_are_counted_by_class_and_state(corner):
    counts = corner.asset_counts
    assert counts.index.tolist() == ["0113", "0101", "9999", "0301"]
    assert counts["group"].tolist()[:3] == ["hydrant", "manhole", "unknown"]
    assert counts.loc["0101", ["count", "intact", "damaged", "lost"]].tolist() == [2, 1, 1, 0]
    assert counts["nearest_m"].round().tolist() == [5, 10, 15, 20]
    assert counts["count"].sum() == len(corner.assets)


def test_an_asset_whose_state_nobody_told_counts_as_unknown(index):
    counts = index.around(*spot(-50, 50), at=NOW, radius_m=10).asset_counts
    assert counts.loc["0101", ["count", "unknown"]].tolist() == [1, 1]


def test_a_lost_hydrant_is_no_hydrant_and_the_radius_does_not_hide_the_next(corner):
    assert corner.hydrants.index.tolist() == ["H2", "H3"]
    assert corner.hydrants["state"].tolist() == ["damaged", "intact"]
    assert corner.hydrants["distance_m"].round().tolist() == [300, 400]


def test_houses_count_whole_and_those_without_figures_are_told(corner):
    # House 2 begins at 40 m and house 3 at 40 m; house 1 stands on the place.
    assert corner.buildings["distance_m"].round(1).to_dict() == {"1": 0.0, "2": 40.0, "3": 40.0}
    assert (corner.houses.buildings, corner.houses.households) == (3, 42)
    assert (corner.houses.population, corner.houses.without_figures) == (110, 1)


def test_places_and_the_nearest_road_are_named(corner):
    assert corner.places.index.tolist() == ["P1"]
    assert (corner.road["road_id"], corner.road["name"]) == ("R1", "南街")
    assert corner.road["distance_m"] == pytest.approx(50, abs=0.1)


def test_open_cases_are_apart_from_past_ones_and_later_ones_are_not_known_yet(corner):
    assert corner.open_incidents.index.tolist() == ["I1", "I7"]
    assert corner.past_incidents.index.tolist() == ["I3", "I4", "I2"]
    assert corner.past_counts["count"].to_dict() == {"E0102": 2, "C0101": 1}
    assert corner.past_counts.loc["E0102", "last"] == pd.Timestamp(NOW - timedelta(days=10))


def test_days_say_how_far_back_the_past_goes(index):
    here = spot(50, 50)
    assert index.around(*here, at=NOW, days=15).past_incidents.index.tolist() == ["I3"]
    long = index.around(*here, at=NOW, days=400).past_incidents.index.tolist()
    assert long == ["I3", "I4", "I2", "I5"]


def test_a_grid_has_what_has_its_place_in_it(index):
    found = index.around_grid("B", at=NOW)
    assert (found.grid_id, found.radius_m) == ("B", None)
    # The pipe runs through all three and has its middle corner here; house 2 its middle.
    assert sorted(found.assets.index) == ["H1", "L1", "M1", "M2", "X1"]
    assert sorted(found.buildings.index) == ["1", "2"]
    assert found.places.index.tolist() == ["P1"]
    assert sorted(found.open_incidents.index) == ["I1", "I7"]


def test_every_thing_with_a_place_in_the_city_is_in_one_grid(index):
    parts = [index.around_grid(grid_id, at=NOW).assets.index for grid_id in "ABC"]
    # H2 and H3 are north of the city, N1 is nowhere.
    found = sorted(label for part in parts for label in part)
    assert found == ["H1", "L1", "M1", "M2", "M3", "X1"]


def test_a_duty_grid_over_others_can_be_asked_too(index):
    found = index.around_grid("Z", at=NOW)
    assert sorted(found.places.index) == ["P1", "P2"]
    assert found.neighbours.empty


def test_what_changed_since_counts_instead_of_the_old_row():
    index = everything()
    newer = incidents().loc[["I1", "I3", "I9"]]
    newer["stage"] = ["closed", "collected", "collected"]
    newer.geometry = [point(50, 60), point(50, 600), point(50, 50)]
    index.replace_recent(newer)
    found = index.around(*spot(50, 50), at=NOW, radius_m=50)
    assert found.open_incidents.index.tolist() == ["I9", "I7"]
    assert found.past_incidents.index.tolist() == ["I1", "I4", "I2"]
    index.replace_recent(None)
    assert index.around(*spot(50, 50), at=NOW, radius_m=50).open_incidents.index[0] == "I1"


def test_a_table_can_be_replaced():
    index = everything()
    index.replace(assets=assets().loc[["M2"]], grids=grids().iloc[:1])
    found = index.around(*spot(50, 50), at=NOW, radius_m=50)
    assert found.assets.index.tolist() == ["M2"]
    assert found.grid_id is None
    assert found.grid is None
    assert found.neighbours.empty


def test_without_tables_and_outside_of_the_city_answers_are_empty_with_their_columns(corner):
    found = NearbyIndex(grids()).around(110, 30, at=NOW)
    assert found.grid_id is None
    assert found.road is None
    for name in ("assets", "hydrants", "cameras", "buildings", "places", "open_incidents",
                 "past_incidents"):  # fmt: skip
        empty, full = getattr(found, name), getattr(corner, name)
        assert empty.empty
        assert list(empty.columns) == list(full.columns)
    assert list(found.past_counts.columns) == list(corner.past_counts.columns)
    assert found.houses.buildings == 0


def test_what_cannot_be_answered_is_refused_in_words(index):
    with pytest.raises(InputError, match="is no place"):
        index.around(30.7, 111.3, at=NOW)
    with pytest.raises(InputError, match="radius_m is -1"):
        index.around(LON, LAT, at=NOW, radius_m=-1)
    with pytest.raises(InputError, match="without a zone"):
        index.around(LON, LAT, at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(CodeError, match="no grid 'Q' in force"):
        index.around_grid("Q", at=NOW)
    with pytest.raises(InputError, match="no table fixes: use grids, assets"):
        NearbyIndex(grids(), fixes=assets())
    with pytest.raises(ColumnError, match="assets lacks owner"):
        NearbyIndex(grids(), assets=assets().drop(columns="owner"))
    with pytest.raises(CrsError, match=r"assets is in EPSG:3857.*call to_crs"):
        NearbyIndex(grids(), assets=assets().to_crs(3857))


# Cameras that see a place.


@pytest.mark.parametrize(
    ("camera", "sees"),
    [
        # place of the camera, bearing, angle, range; the place looked at is (0, 0)
        ((point(0, -50), 0, 60, 80), "yes"),
        ((point(0, -50), 180, 60, 80), None),
        ((point(0, -50), 29, 60, 80), "yes"),
        ((point(0, -50), 31, 60, 80), None),
        ((point(0, -50), 359, 10, 80), "yes"),
        ((point(0, -50), 0, 60, 49), None),
        ((point(0, -50), 0, 60, 51), "yes"),
        ((point(-50, 0), 90, 10, 80), "yes"),
        ((point(0, 50), np.nan, 360, 80), "yes"),
        ((point(0, -50), np.nan, 60, 80), "unknown"),
        ((point(0, -50), np.nan, np.nan, 40), None),
        ((point(0, -50), 0, 60, np.nan), "unknown"),
        ((point(0, -50), 180, 60, np.nan), None),
        ((point(0, -250), 0, 60, np.nan), None),
        ((point(0, -250), 0, 60, 300), "yes"),
        ((point(0, -50), 0, 60, -1), "unknown"),
        ((point(0, -50), 0, 0, 80), "unknown"),
        ((point(0, 0), 77, 1, 10), "yes"),
        ((point(0, -50), 0, 60, 80, "damaged"), "damaged"),
        ((point(0, -50), 0, 60, 80, "removed"), None),
        ((point(0, -50), 0, 60, 80, None), "yes"),
    ],
)
def test_a_camera_sees_what_its_sector_holds_and_else_it_is_not_known(camera, sees):
    found = NearbyIndex(grids(), cameras=cameras([("V", *camera)])).around(LON, LAT, at=NOW)
    assert found.cameras["sees"].tolist() == ([] if sees is None else [sees])


def test_cameras_that_see_come_before_those_that_perhaps_do():
    rows = [
        ("V1", point(0, -10), np.nan, np.nan, np.nan),
        ("V2", point(0, -40), 0, 60, 80),
        ("V3", point(0, -20), 0, 60, 80, "damaged"),
        ("V4", point(0, -30), 0, 60, 80),
    ]
    found = NearbyIndex(grids(), cameras=cameras(rows)).around(LON, LAT, at=NOW)
    assert found.cameras.index.tolist() == ["V4", "V2", "V3", "V1"]


def test_cameras_see_what_their_drawn_sectors_hold():
    rng = np.random.default_rng(3)
    rows = [
        (f"V{k}", point(*rng.uniform(-150, 150, 2)), rng.uniform(0, 360), rng.uniform(20, 200),
         rng.uniform(30, 150))
        for k in range(300)
    ]  # fmt: skip
    table = cameras(rows)
    sectors = view_sectors(table, step_deg=0.5).to_numpy()
    here = shapely.Point(LON, LAT)
    inside = shapely.contains_properly(sectors, here)
    # Half a metre around the border of a sector is left to either.
    near = shapely.distance(shapely.boundary(sectors), here) * EAST_M < 0.5
    found = NearbyIndex(grids(), cameras=table).around(LON, LAT, at=NOW)
    seen = table.index.isin(found.cameras.index)
    assert (seen == inside)[~near].all()
    assert inside[~near].sum() > 20


# Slow twins.


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-60, 60), st.integers(-60, 60)), max_size=60),
    st.tuples(st.integers(-70, 70), st.integers(-70, 70)),
    st.sampled_from([0.0, 30.7, 64.0, -45.0]),
    st.floats(0, 8000),
    st.integers(1, 5),
)
def test_cells_find_what_measuring_every_point_finds(spots, here, lat, radius, k):
    lon = np.array([111 + x / 1000 for x, _ in spots] + [np.nan, 0.0])
    lats = np.array([lat + y / 1000 for _, y in spots] + [1.0, 0.0])
    cells = PointCells(lon, lats)
    assert len(cells) == len(spots) + 1
    x, y = 111 + here[0] / 1000, lat + here[1] / 1000
    every = sorted(
        (ELLIPSOID.inv(x, y, a, b)[2], row)
        for row, (a, b) in enumerate(zip(lon, lats, strict=True))
        if np.isfinite(a)
    )
    found = cells.within(x, y, radius)
    near = [pair for pair in every if pair[0] <= radius]
    assert list(zip(found.metres, found.rows, strict=True)) == near
    found = cells.nearest(x, y, k, 5000.0)
    near = [pair for pair in every if pair[0] <= 5000]
    assert list(zip(found.metres, found.rows, strict=True)) == near[:k]


@pytest.mark.parametrize("lat", [0.0, 30.7, 64.0, -80.0])
def test_ways_to_lines_and_areas_are_those_to_their_densest_points(lat):
    rng = np.random.default_rng(5)
    shapes = []
    for k in range(60):
        around = np.array([111.0, lat]) + rng.uniform(-0.02, 0.02, 2)
        corners = around + rng.uniform(-0.004, 0.004, (3, 2))
        shapes.append(shapely.LineString(corners) if k % 2 else shapely.Polygon(corners))
    shapes = np.array(shapes)
    metres, _, _ = nearest_on(111.0, lat, shapes)
    for shape, metre in zip(shapes, metres, strict=True):
        xy = shapely.get_coordinates(shapely.segmentize(shape, 1e-6))
        slow = measure_m(111.0, lat, xy[:, 0].copy(), xy[:, 1].copy()).min()
        inside = shape.geom_type == "Polygon" and shape.contains(shapely.Point(111.0, lat))
        assert metre == pytest.approx(0 if inside else slow, abs=0.005)


def test_a_layer_of_shapes_finds_all_that_reach_into_the_circle():
    rng = np.random.default_rng(6)
    shapes = [
        shapely.LineString(np.array(spot(*rng.uniform(-400, 400, 2))) + rng.uniform(-1, 1, (2, 2))
                           / 1000) if k % 3 else point(*rng.uniform(-400, 400, 2))
        for k in range(300)
    ]  # fmt: skip
    layer = PlaceLayer(frame([str(k) for k in range(300)], shapes, name=""), "things")
    metres, _, _ = nearest_on(LON, LAT, np.array(shapes))
    found = layer.within(LON, LAT, 150.0)
    assert sorted(found.rows) == np.flatnonzero(metres <= 150.0).tolist()
    assert (np.diff(found.metres) >= 0).all()
    lines = np.array([k for k in range(300) if k % 3])
    nearest = layer.nearest_shape(LON, LAT, 5000.0)
    assert nearest.rows.tolist() == [lines[np.argmin(metres[lines])]]
    assert len(layer.nearest_shape(LON + 1, LAT, 100.0).rows) == 0


@settings(deadline=None)
@given(
    st.floats(-170, 170), st.floats(-85, 85), st.floats(0, 20_000), st.floats(0, 360)
)  # fmt: skip
def test_boxes_and_chords_are_bounds_that_no_place_breaks(lon, lat, radius, azimuth):
    x, y, _ = ELLIPSOID.fwd(lon, lat, azimuth, radius)
    west, south, east, north = box_around(lon, lat, radius)
    assert west <= x <= east or abs(x - lon) > 180
    assert south <= y <= north
    metres = ELLIPSOID.inv(lon, lat, x, y)[2]
    straight = float(np.linalg.norm(np.subtract(to_space(lon, lat), to_space(x, y))))
    assert straight <= longest_chord_m(metres)


def houses(*boxes: shapely.Polygon) -> gpd.GeoDataFrame:
    count = len(boxes)
    columns = {"name": None, "compound": None, "floors": 6, "households": 12, "population": 30}
    return frame([f"B{k}" for k in range(count)], list(boxes), **columns)


@pytest.mark.parametrize(
    ("house", "sees"),
    [
        (box(-5, -30, 5, -20), "hidden"),
        (box(5, -30, 15, -20), "yes"),
        (box(-5, -5, 5, 5), "yes"),
        (box(-5, -60, 5, -49.5), "yes"),
        (box(0, -30, 5, -20), "yes"),
    ],
    ids=["between", "beside", "the place is in it", "the camera hangs on it", "touched only"],
)
def test_a_camera_behind_a_building_is_listed_last_as_hidden(house, sees):
    rows = [("V1", point(0, -50), 0, 60, 80), ("V2", point(60, 60), 225, 60, 120)]
    found = NearbyIndex(grids(), cameras=cameras(rows), buildings=houses(house)).around(
        LON, LAT, at=NOW
    )
    assert found.cameras.loc["V1", "sees"] == sees
    assert found.cameras.loc["V2", "sees"] == "yes"
    if sees == "hidden":
        assert found.cameras.index.tolist() == ["V2", "V1"]


def test_cameras_behind_walls_are_those_whose_cut_sector_lacks_the_place():
    rng = np.random.default_rng(11)
    rows = [
        (f"V{k}", point(*rng.uniform(-150, 150, 2)), rng.uniform(0, 360), rng.uniform(60, 200),
         rng.uniform(60, 200))
        for k in range(120)
    ]  # fmt: skip
    corners = rng.uniform(-120, 120, (25, 2))
    walls = houses(*(box(x, y, x + 20, y + 12) for x, y in corners))
    table = cameras(rows)
    sectors = view_sectors(table, buildings=walls, step_deg=0.5).to_numpy()
    here = shapely.Point(LON, LAT)
    found = NearbyIndex(grids(), cameras=table, buildings=walls).around(LON, LAT, at=NOW)
    inside_one = shapely.contains(walls.geometry.to_numpy(), here).any()
    assert not inside_one
    near = shapely.distance(shapely.boundary(sectors), here) * EAST_M < 0.5
    drawn = table.index[shapely.contains_properly(sectors, here) & ~near]
    seen = found.cameras.index[found.cameras["sees"] == "yes"]
    assert set(drawn) <= set(seen)
    assert set(seen) - set(drawn) <= set(table.index[near])
    assert (found.cameras["sees"] == "hidden").sum() > 5


def test_a_place_in_the_water_says_so_and_one_beside_it_does_not():
    lake = frame(["S1"], [box(-20, -20, 20, 20)], kind=["water"], name=["东湖"])
    index = NearbyIndex(grids(), areas=lake)
    assert index.around(LON, LAT, at=NOW).areas["name"].tolist() == ["东湖"]
    assert index.around(*spot(25, 0), at=NOW).areas.empty
    assert NearbyIndex(grids()).around(LON, LAT, at=NOW).areas.columns.tolist() == [
        "kind", "name", "distance_m", "lon", "lat",
    ]  # fmt: skip


def test_owner_and_pause_of_a_case_are_handed_on_where_the_table_has_them():
    table = incidents()
    with_owner = table.assign(owner="B01", paused_until=pd.Timestamp(NOW))
    found = NearbyIndex(grids(), incidents=with_owner).around(LON, LAT, at=NOW, radius_m=2000)
    assert set(found.open_incidents["owner"]) == {"B01"}
    plain = NearbyIndex(grids(), incidents=table).around(LON, LAT, at=NOW, radius_m=2000)
    assert "owner" not in plain.open_incidents.columns


# What came before.

RULES = NearRules(similar_m=50, similar_h=72, recurring_m=50, recurring_days=30, recurring_min=2)


def case_row(id_: str, x: float, code: str | None, days: float, stage: str, closed: float | None):
    """A case x metres east, reported and closed so many days ago."""
    when = [pd.Timestamp(NOW - timedelta(days=days)), pd.NaT]
    if closed is not None:
        when[1] = pd.Timestamp(NOW - timedelta(days=closed))
    return id_, point(x, 0), code, stage, *when


def history(*rows) -> gpd.GeoDataFrame:
    table = frame(
        [r[0] for r in rows], [r[1] for r in rows],
        class_code=pd.array([r[2] for r in rows], dtype="str"), stage=[r[3] for r in rows],
        category="暴露垃圾", description=None, source=None, deadline=pd.NaT,
        reported_at=pd.to_datetime([r[4] for r in rows], utc=True),
        closed_at=pd.to_datetime([r[5] for r in rows], utc=True),
    )  # fmt: skip
    return table.assign(deadline=pd.to_datetime(table["deadline"], utc=True))


STREET_CORNER = (
    case_row("now", 0, "E0102", 0.1, "opened", None),
    case_row("same", 30, "E0102", 1, "handling", None),
    case_row("far", 60, "E0102", 1, "handling", None),
    case_row("old", 10, "E0102", 5, "handling", None),
    case_row("other", 5, "E0501", 1, "handling", None),
    case_row("first", 20, "E0102", 40, "closed", 35),
    case_row("second", 25, "E0102", 20, "closed", 10),
)


def test_open_cases_of_the_class_near_in_place_and_time_may_be_the_same() -> None:
    index = NearbyIndex(grids(), incidents=history(*STREET_CORNER))
    again = index.again(LON, LAT, RULES, at=NOW, incident_id="now")
    assert again.similar.index.tolist() == ["same"]
    row = again.similar.iloc[0]
    assert row["distance_m"] == pytest.approx(30, abs=0.05)
    assert row["apart_h"] == pytest.approx(21.6)


def test_a_place_whose_closed_cases_come_back_tells_how_often() -> None:
    """`second` came back 15 days after `first`; `now`, `same`, `far` and `old` after `second`."""
    index = NearbyIndex(grids(), incidents=history(*STREET_CORNER))
    (place,) = index.again(LON, LAT, RULES, at=NOW, incident_id="now").flare_ups
    assert (place.class_code, place.returns) == ("E0102", 5)
    assert place.last == NOW - timedelta(days=0.1)
    assert index.again(LON, LAT, RULES, at=NOW).flare_ups == (place,)
    assert index.again(*spot(400, 0), RULES, at=NOW).flare_ups == ()


def test_fewer_returns_than_the_rule_asks_for_are_no_black_spot() -> None:
    index = NearbyIndex(grids(), incidents=history(*STREET_CORNER[:1], *STREET_CORNER[-1:]))
    assert index.again(LON, LAT, RULES, at=NOW, incident_id="now").flare_ups == ()


def test_imported_cases_without_a_class_go_by_their_category() -> None:
    rows = [case_row(r[0], 0, None, 1, "opened", None) for r in STREET_CORNER[:2]]
    again = NearbyIndex(grids(), incidents=history(*rows)).again(
        LON, LAT, RULES, at=NOW, incident_id="now"
    )
    assert again.similar.index.tolist() == ["same"]


def test_a_case_that_the_index_does_not_know_yet_has_nothing_before_it() -> None:
    index = NearbyIndex(grids(), incidents=history(*STREET_CORNER))
    again = index.again(LON, LAT, RULES, at=NOW, incident_id="new")
    assert again.similar.empty
    assert again.flare_ups == ()


@pytest.mark.parametrize("seed", range(6))
def test_what_came_before_agrees_with_the_whole_table_of_similar_cases(seed: int) -> None:
    """The numbers of `geo.similar` on all cases, for the places within reach."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(160):
        days = float(rng.uniform(0, 60))
        closed = float(rng.uniform(0, days)) if rng.random() < 0.6 else None
        x = float(rng.uniform(-90, 90))
        code = str(rng.choice(["E0102", "E0501"]))
        rows.append(case_row(f"c{k}", x, code, days, "closed" if closed else "opened", closed))
    table = history(*rows)
    rules = NearRules(30, 24, 30, 20, 1)
    metric = table.to_crs(4547)
    index = NearbyIndex(grids(), incidents=table)
    pairs = find_similar(metric, metric[metric["stage"] == "opened"], within_m=30, within_h=24)
    flares = find_flare_ups(metric, within_m=30, within_days=20)
    returns = flares.groupby("place_id")["returns_to"].count()
    for id_ in table.index[:40]:
        place = table.geometry[id_]
        again = index.again(place.x, place.y, rules, at=NOW, incident_id=str(id_))
        expected = pairs.loc[pairs["incident_id"] == id_, "similar_id"]
        # Places in a plane and on the grid differ by a hundredth of a metre at most.
        assert set(again.similar.index) == set(expected)
        if id_ in flares.index and abs(place.x - LON) < 20 / EAST_M:
            mine = returns[flares.at[id_, "place_id"]]
            assert again.flare_ups
            assert mine in {up.returns for up in again.flare_ups}
            assert again.flare_ups[0].class_code == table.at[id_, "class_code"]
