"""GeoJSON as RFC 7946 wants it, and as a browser's map can join it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from geo.errors import ColumnError, CrsError
from layers.choropleth import choropleth
from layers.to_geojson import frame_to_geojson, shapes_to_geojson, to_geojson


def rows(text: bytes) -> list[dict]:
    collection = json.loads(text)
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


@pytest.fixture
def odd_rows():
    """One row of each type of value, one row without anything."""
    return GeoDataFrame(
        {
            "name": ['井盖 "A"\n', None],
            "households": pd.array([3, None], dtype="Int64"),
            "share": [0.25, np.nan],
            "mock": pd.array([True, None], dtype="boolean"),
            "at": pd.to_datetime(["2026-11-21T04:00:00Z", None]),
        },
        index=["a", "b"],
        geometry=[shapely.Point(120.123456789, 36), None],
        crs="EPSG:4326",
    )


def test_each_type_of_value_is_json_and_missing_is_null(odd_rows):
    full, empty = rows(frame_to_geojson(odd_rows))
    assert full == {
        "type": "Feature",
        "id": "a",
        "properties": {
            "name": '井盖 "A"\n',
            "households": 3,
            "share": 0.25,
            "mock": True,
            "at": "2026-11-21T04:00:00+00:00",
        },
        "geometry": {"type": "Point", "coordinates": [120.123457, 36.0]},
    }
    assert empty["geometry"] is None
    assert set(empty["properties"].values()) == {None}


def test_rings_turn_anticlockwise_outside_and_clockwise_inside():
    hole = [(0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4)]
    clockwise = shapely.Polygon([(0, 0), (0, 1), (1, 1), (1, 0)], [hole])
    frame = GeoDataFrame(index=["a"], geometry=[clockwise], crs=4326)
    outer, inner = rows(shapes_to_geojson(frame))[0]["geometry"]["coordinates"]
    assert shapely.LinearRing(outer).is_ccw
    assert not shapely.LinearRing(inner).is_ccw


def test_only_the_asked_columns_are_written(six_grids):
    assert rows(shapes_to_geojson(six_grids))[0]["properties"] == {}
    assert rows(frame_to_geojson(six_grids, ["name"]))[5]["properties"] == {"name": "F格"}
    with pytest.raises(ColumnError, match="no column size: there are name"):
        frame_to_geojson(six_grids, ["size"])


def test_a_layer_carries_its_colours(six_grids):
    layer = choropleth(six_grids, pd.Series({"A": 1}), title="t", unit="u")
    first = rows(to_geojson(layer))[0]
    assert first["id"] == "A"
    assert first["properties"]["fill"] == layer.features.loc["A", "fill"]


def test_metres_are_refused(six_grids):
    with pytest.raises(CrsError, match="not EPSG:4326"):
        shapes_to_geojson(six_grids.to_crs(4547))


def test_no_row_is_an_empty_collection(six_grids):
    assert rows(shapes_to_geojson(six_grids.iloc[:0])) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-179, 179), st.floats(-89, 89)), min_size=1, max_size=20))
def test_reading_back_gives_the_same_places_to_six_decimals(places):
    frame = GeoDataFrame(geometry=[shapely.Point(place) for place in places], crs=4326)
    back = [shape(row["geometry"]) for row in rows(shapes_to_geojson(frame))]
    assert len(back) == len(places)
    for point, (lon, lat) in zip(back, places, strict=True):
        assert abs(point.x - lon) <= 0.5000001e-6
        assert abs(point.y - lat) <= 0.5000001e-6


def test_neighbours_still_share_their_border_after_rounding(wavy_city):
    back = GeoDataFrame(
        geometry=[shape(r["geometry"]) for r in rows(shapes_to_geojson(wavy_city.grids))], crs=4326
    )
    assert shapely.coverage_is_valid(back.geometry.to_numpy())


def test_other_libraries_read_it(six_grids):
    back = GeoDataFrame.from_features(json.loads(frame_to_geojson(six_grids)), crs=4326)
    assert back["name"].tolist() == six_grids["name"].tolist()
    assert back.geometry.geom_equals(
        GeoDataFrame(geometry=six_grids.geometry.to_numpy(), crs=4326).geometry
    ).all()
