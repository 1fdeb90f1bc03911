"""Sectors of cameras: right place, right size, and none where the view is unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from geo._metres import degree_m
from geo.errors import ColumnError, CrsError, InputError
from geo.views import circle_around, view_sectors


def cameras(*rows: tuple[float | None, float | None, float | None]) -> GeoDataFrame:
    """Cameras at 113.94°E 22.54°N with bearing, angle and range."""
    frame = pd.DataFrame(rows, columns=["bearing_deg", "angle_deg", "range_m"], dtype=float)
    index = pd.Index([f"c{n}" for n in range(len(rows))], name="asset_id")
    return GeoDataFrame(
        frame.set_axis(index), geometry=[shapely.Point(113.94, 22.54)] * len(rows), crs=4326
    )


def in_metres(frame: GeoDataFrame):
    return view_sectors(frame).to_crs(4547)


def test_a_quarter_view_to_the_north_east_covers_a_quarter_disc():
    sector = in_metres(cameras((45, 90, 100))).iloc[0]
    origin = GeoDataFrame(geometry=[shapely.Point(113.94, 22.54)], crs=4326).to_crs(4547)
    x, y = origin.geometry.iloc[0].x, origin.geometry.iloc[0].y
    assert sector.area == pytest.approx(np.pi * 100**2 / 4, rel=0.005)
    assert sector.bounds == pytest.approx((x, y, x + 100, y + 100), abs=0.2)


def test_a_view_to_the_south_lies_south():
    sector = view_sectors(cameras((180, 60, 50))).iloc[0]
    assert sector.centroid.y < 22.54
    assert sector.centroid.x == pytest.approx(113.94, abs=1e-7)


def test_a_dome_needs_no_direction_and_is_a_disc():
    sector = in_metres(cameras((None, 360, 80))).iloc[0]
    assert sector.area == pytest.approx(np.pi * 80**2, rel=0.005)


@pytest.mark.parametrize(
    "row",
    [(None, 90, 50), (0, None, 50), (0, 90, None), (0, 0, 50), (0, 90, 0), (0, -5, 50)],
    ids=["no bearing", "no angle", "no range", "angle 0", "range 0", "negative angle"],
)
def test_an_unknown_view_has_no_sector(row):
    assert view_sectors(cameras(row)).isna().tolist() == [True]


def test_a_camera_without_a_place_has_no_sector():
    frame = cameras((0, 90, 50), (0, 90, 50))
    frame.loc["c0", "geometry"] = None
    assert view_sectors(frame).isna().tolist() == [True, False]


def test_sectors_are_keyed_and_ordered_like_the_cameras():
    frame = cameras((0, 90, 50), (None, 90, 50), (90, 30, 20))
    assert view_sectors(frame).index.equals(frame.index)


def test_columns_and_crs_are_required():
    frame = cameras((0, 90, 50))
    with pytest.raises(ColumnError, match="cameras lacks range_m"):
        view_sectors(frame.drop(columns="range_m"))
    with pytest.raises(CrsError, match="not EPSG:4326"):
        view_sectors(frame.to_crs(4547))


@settings(deadline=None)
@given(st.floats(-720, 720), st.floats(1, 400), st.floats(1, 2000))
def test_area_follows_the_angle_and_the_ring_turns_anticlockwise(bearing, angle, reach):
    sector = view_sectors(cameras((bearing, angle, reach))).iloc[0]
    metres = in_metres(cameras((bearing, angle, reach))).iloc[0]
    assert sector.is_valid
    assert shapely.is_ccw(sector.exterior)
    assert metres.area == pytest.approx(np.pi * reach**2 * min(angle, 360) / 360, rel=0.01)


# Walls.

EAST_M, NORTH_M = degree_m(22.54)


def metres(*boxes: tuple[float, float, float, float]) -> GeoDataFrame:
    """Buildings as west, south, east, north in metres from the camera."""
    shapes = [
        shapely.box(
            113.94 + w / EAST_M, 22.54 + s / NORTH_M, 113.94 + e / EAST_M, 22.54 + n / NORTH_M
        )
        for w, s, e, n in boxes
    ]
    return GeoDataFrame(geometry=shapes, crs=4326)


def seen_m(camera, buildings) -> shapely.Geometry:
    """What is seen, in metres from the camera."""
    shape = view_sectors(cameras(camera), buildings=buildings, step_deg=0.5).iloc[0]
    scale, start = np.array([EAST_M, NORTH_M]), np.array([113.94, 22.54])
    return shapely.transform(shape, lambda xy: (xy - start) * scale)


def test_a_wall_across_the_view_ends_it():
    """A quarter view to the north, a long wall 50 m away: a triangle of 50 x 100 / 2 is left."""
    seen = seen_m((0, 90, 100), metres((-300, 50, 300, 60)))
    assert seen.area == pytest.approx(2500, rel=1e-4)
    assert seen.bounds == pytest.approx((-50, 0, 50, 50), abs=0.01)


def test_a_house_throws_a_shadow_behind_itself_and_nowhere_else():
    """A house 10 m wide at 40 m hides what is between its edges, from 40 m on."""
    seen = seen_m((0, 90, 100), metres((-5, 40, 5, 50)))
    assert not seen.contains(shapely.Point(0, 45))
    assert not seen.contains(shapely.Point(0, 90))
    assert not seen.contains(shapely.Point(12 * 0.99, 96))
    assert seen.contains(shapely.Point(0, 39.9))
    assert seen.contains(shapely.Point(12.8, 96))
    assert seen.contains(shapely.Point(-30, 60))


def test_the_house_that_a_camera_hangs_on_hides_nothing():
    on_the_wall = metres((-20, -10, 20, -0.5))
    open_field = view_sectors(cameras((0, 360, 60))).iloc[0]
    assert view_sectors(cameras((0, 360, 60)), buildings=on_the_wall).iloc[0] == open_field


def test_buildings_out_of_reach_change_nothing():
    far = metres((200, 200, 220, 220))
    assert (
        view_sectors(cameras((45, 90, 100)), buildings=far).iloc[0]
        == view_sectors(cameras((45, 90, 100))).iloc[0]
    )


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(20.0, 70.0, 120.0), (None, 360.0, 90.0), (200.0, 200.0, 150.0)]),
)
def test_a_spot_is_seen_if_no_wall_crosses_the_line_to_it(seed, camera):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-120, 120, (6, 2))
    sizes = rng.uniform(4, 40, (6, 2))
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    flat = [shapely.box(*box) for box in boxes]
    flat = [box for box in flat if box.distance(shapely.Point(0, 0)) >= 1.0]
    open_field = seen_m(camera, None)
    seen = seen_m(camera, metres(*boxes))
    assert seen.is_valid
    for x, y in rng.uniform(-150, 150, (60, 2)):
        spot, line = shapely.Point(x, y), shapely.LineString([(0, 0), (x, y)])
        crossed = sum(line.intersection(box).length for box in flat)
        # Spots within a hand's breadth of a border may fall on either side of it.
        if seen.boundary.distance(spot) < 0.05 or 0 < crossed < 0.05:
            continue
        assert seen.contains(spot) == (open_field.contains(spot) and crossed == 0)


def test_buildings_in_metres_are_refused():
    with pytest.raises(CrsError, match="buildings is in"):
        view_sectors(cameras((0, 90, 50)), buildings=metres((0, 0, 1, 1)).to_crs(4547))


def test_a_circle_has_its_radius_on_the_ground():
    ring = circle_around(113.94, 22.54, 300)
    flat = GeoDataFrame(geometry=[ring], crs=4326).to_crs(4547).geometry.iloc[0]
    assert flat.area == pytest.approx(np.pi * 300**2, rel=0.002)


@pytest.mark.parametrize("radius", [0, -1, float("nan"), float("inf")])
def test_a_circle_needs_a_radius(radius):
    with pytest.raises(InputError, match="radius_m"):
        circle_around(113.94, 22.54, radius)
