"""Sectors of cameras: right place, right size, and none where the view is unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, CrsError
from geo.views import view_sectors


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
