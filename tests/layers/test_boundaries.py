"""Boundaries: each line on the ground once, at its highest level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame

from layers.boundaries import boundaries, boundary_lines


@pytest.fixture
def two_streets():
    """One district of two streets, west and east, in metres.

    +---+---+
    | W | E |   100 m squares
    +---+---+
    """
    return GeoDataFrame(
        {"level": ["district", "street", "street"], "name": ["区", "西", "东"]},
        index=pd.Index(["d", "w", "e"], name="code"),
        geometry=[
            shapely.box(0, 0, 200, 100),
            shapely.box(0, 0, 100, 100),
            shapely.box(100, 0, 200, 100),
        ],
        crs="EPSG:4547",
    )


def test_a_districts_border_is_not_drawn_again_as_a_streets(two_streets):
    split = two_streets.copy()
    # The district has the vertices where the streets meet, as a seamless cover has them.
    split.loc["d", "geometry"] = shapely.Polygon(
        [(0, 0), (100, 0), (200, 0), (200, 100), (100, 100), (0, 100)]
    )
    lengths = boundary_lines(split).length
    assert lengths.to_dict() == {"district": 600.0, "street": 100.0}


def test_grids_add_only_what_no_division_has(two_streets):
    grids = GeoDataFrame(
        geometry=[
            shapely.box(0, 0, 100, 50),
            shapely.box(0, 50, 100, 100),
            shapely.box(100, 0, 200, 100),
        ],
        crs="EPSG:4547",
    )
    lines = boundary_lines(two_streets[two_streets["level"] == "street"], grids)
    inner = shapely.LineString([(0, 50), (100, 50)])
    assert lines.geometry["grid"].covers(inner)
    assert lines.length["street"] == 700.0


def test_the_lines_of_all_levels_together_are_the_lines_of_the_grids(wavy_city):
    metric = wavy_city.divisions.to_crs(4549), wavy_city.grids.to_crs(4549)
    lines = boundary_lines(*metric)
    whole = shapely.union_all(metric[1].boundary.to_numpy()).length
    assert lines.length.sum() == pytest.approx(whole, rel=1e-9)
    assert lines.index.tolist() == ["district", "street", "community", "grid"]
    # Lines of two levels meet in points only.
    for level in ("district", "street", "community"):
        overlap = shapely.intersection(lines.geometry[level], lines.geometry["grid"])
        assert overlap.length == pytest.approx(0, abs=1e-6)


def test_divisions_without_a_shape_are_left_out(two_streets):
    gone = two_streets.copy()
    gone.loc["d", "geometry"] = None
    assert boundary_lines(gone).index.tolist() == ["street"]


def test_the_layer_tells_levels_by_width_and_word(wavy_city):
    layer = boundaries(wavy_city.divisions, wavy_city.grids, title="边界", language="zh")
    assert [item.label for item in layer.legend] == ["区界", "街道界", "社区界", "网格界"]
    assert layer.features["width"].tolist() == [3.0, 2.0, 1.2, 0.6]
    assert np.all(np.diff(layer.features["opacity"]) < 0)
