"""The ground under the data, and the hatching of what is unknown."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from geopandas import GeoSeries
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.basemap import UNDER_DATA
from layers.ground import ground
from layers.hatch import hatch_lines
from layers.to_plotly import layer_traces


def test_the_ground_is_three_quiet_layers_without_a_legend(wavy_city):
    layers = ground(wavy_city.roads, wavy_city.areas, mood="day")
    assert [layer.id for layer in layers] == ["ground-areas", "ground-river", "ground-roads"]
    assert all(layer.under and not layer.legend for layer in layers)
    assert layers[2].features.index.tolist() == ["arterial", "main", "rail", "minor", "path"]


def test_no_road_is_lost(wavy_city):
    layers = ground(wavy_city.roads)
    drawn = sum(layer.features.geometry.to_crs(4549).length.sum() for layer in layers)
    assert drawn == pytest.approx(wavy_city.roads.to_crs(4549).length.sum())


def test_the_ground_lies_under_the_data_and_says_nothing(wavy_city):
    for layer in ground(wavy_city.roads, wavy_city.areas):
        for trace in layer_traces(layer):
            assert trace.below == UNDER_DATA
            assert trace.hoverinfo == "skip"


def test_nothing_known_of_the_ground_draws_nothing(wavy_city):
    assert ground() == []
    assert ground(wavy_city.roads.iloc[:0], wavy_city.areas.iloc[:0]) == []


@settings(deadline=None)
@given(st.floats(1e-5, 1), st.floats(0.2, 5), st.floats(-60, 60))
def test_shapes_of_any_size_are_hatched_alike_and_only_inside(size, ratio, lat):
    box = shapely.box(100, lat, 100 + size, lat + size * ratio)
    lines = hatch_lines(GeoSeries([box], crs=4326)).iloc[0]
    assert 5 <= len(lines.geoms) <= 40
    assert shapely.covers(box.buffer(size * 1e-6), lines)


def test_hatching_leans_45_degrees_on_the_ground():
    box = shapely.box(120, 36, 120.1, 36.1)
    line = hatch_lines(GeoSeries([box], crs=4326)).to_crs(3857).iloc[0].geoms[3]
    (x1, y1), (x2, y2) = line.coords[0], line.coords[-1]
    assert np.degrees(np.arctan2(y2 - y1, x2 - x1)) == pytest.approx(45, abs=0.5)


def test_nothing_is_hatched_where_there_is_no_shape():
    lines = hatch_lines(GeoSeries([None, shapely.Polygon()], crs=4326))
    assert lines.is_empty.tolist() == [True, True]
