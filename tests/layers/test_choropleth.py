"""Shaded grids: equal values alike, missing grey, legend and unit always there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from geo.errors import ColumnError, CrsError
from layers.choropleth import choropleth, choropleth_of_change, shade
from layers.classes import find_classes
from layers.colours import diverging, sequential, tokens
from layers.maplayer import LegendItem, MapLayer


@pytest.fixture
def households():
    """B has no figure, F is not in the table at all."""
    return pd.Series({"D": 250, "A": 200, "B": None, "C": 200, "E": 300}, dtype="Int64")


def test_equal_values_get_equal_colours_and_a_missing_one_grey(six_grids, households):
    layer = choropleth(six_grids, households, title="户数", unit="户", mood="night")
    fill = layer.features["fill"]
    low, middle, high = sequential("night", 3)
    assert fill.to_dict() == {
        "A": low,
        "B": tokens("night").no_data,
        "C": low,
        "D": middle,
        "E": high,
        "F": tokens("night").no_data,
    }
    assert layer.features["code"].tolist() == [0, -1, 0, 1, 2, -1]


def test_the_legend_counts_every_grid_once_and_names_what_is_unknown(six_grids, households):
    layer = choropleth(six_grids, households, title="户数", unit="户")
    assert [(item.label, item.count) for item in layer.legend] == [
        ("200", 2),
        ("250", 1),
        ("300", 1),
        ("无数据", 2),
    ]
    assert layer.legend[-1].shape == "hatch"
    assert layer.unit == "户"


def test_hover_names_the_grid_and_its_figure(six_grids, households):
    layer = choropleth(six_grids, households, title="户数", unit="户")
    assert layer.features.loc["D", "hover"] == "D格\n户数：250\u2009户"
    assert layer.features.loc["B", "hover"] == "B格\n户数：无数据"


def test_grids_without_names_go_by_their_id(six_grids):
    layer = choropleth(
        six_grids.drop(columns="name"), pd.Series({"A": 1.5}), title="", unit="", language="en"
    )
    assert layer.features.loc["A", "hover"] == "A\n1.5"
    assert layer.features.loc["B", "hover"] == "B\nno data"


def test_nothing_known_is_all_grey_and_not_an_error(six_grids):
    layer = choropleth(six_grids, pd.Series(dtype=float), title="户数", unit="户")
    assert set(layer.features["fill"]) == {tokens("night").no_data}
    assert [item.label for item in layer.legend] == ["无数据"]


def test_two_maps_can_share_their_classes(six_grids):
    shared = find_classes([0, 10, 20])
    layer = choropleth(six_grids, pd.Series({"A": 20.0}), title="", unit="件", classes=shared)
    assert layer.features.loc["A", "fill"] == sequential("night", 3)[2]
    assert [item.count for item in layer.legend] == [0, 0, 1, 5]


def test_change_is_symmetric_around_zero(six_grids):
    changes = pd.Series({"A": -10.0, "B": 0.0, "C": 10.0, "D": 4.0, "E": -4.0})
    layer = choropleth_of_change(six_grids, changes, title="同比", unit="件")
    code = layer.features["code"]
    assert code["B"] == 3
    assert code["A"] + code["C"] == 6
    assert code["D"] + code["E"] == 6
    assert code["F"] == -1
    assert layer.features.loc["B", "fill"] == diverging("night", 7)[3]
    assert sum(item.count for item in layer.legend) == 6


def test_change_classes_are_round_and_told_with_their_sign(six_grids):
    changes = pd.Series({"A": -50.0, "B": -20.0, "C": 10.0, "D": 30.0, "E": 50.0, "F": 40.0})
    labels = [
        item.label for item in choropleth_of_change(six_grids, changes, title="", unit="").legend
    ]
    assert labels[0] == "≤ −50"
    assert labels[3] == "−10 … +10"
    assert labels[-1] == "≥ +50"


def test_the_input_is_not_changed(six_grids, households):
    before = six_grids.copy()
    choropleth(six_grids, households, title="户数", unit="户")
    pd.testing.assert_frame_equal(six_grids, before)
    assert households.index.tolist() == ["D", "A", "B", "C", "E"]


def test_a_layer_in_metres_is_refused(six_grids):
    with pytest.raises(CrsError, match=r"not EPSG:4326: call to_crs\(4326\) first"):
        choropleth(six_grids.to_crs(4547), pd.Series({"A": 1}), title="", unit="")


def test_a_layer_without_colours_is_refused(six_grids):
    with pytest.raises(ColumnError, match="lacks fill, hover: it has name, geometry"):
        MapLayer("x", "x", "fill", six_grids, ())


def test_a_layer_knows_its_bounds_and_stays_as_it_is(six_grids):
    layer = choropleth(six_grids, pd.Series({"A": 1}), title="t", unit="u")
    assert np.allclose(layer.bounds, (120.0, 36.0, 120.03, 36.02))
    assert layer.with_note("边界 3").note == "边界 3"
    assert layer.note == ""
    assert LegendItem("a", "#fff") == LegendItem("a", "#fff", "fill", None)


def test_a_shade_is_a_choropleth_without_shapes(six_grids, households):
    layer = choropleth(six_grids, households, title="户数", unit="户", ramp="teal")
    found = shade(households.reindex(six_grids.index), ramp="teal")
    assert found.codes.tolist() == layer.features["code"].tolist()
    assert found.legend == layer.legend
    known = found.codes >= 0
    shown = [found.palette[code] for code in found.codes[known]]
    assert shown == layer.features["fill"][known].tolist()
