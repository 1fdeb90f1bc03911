"""Markers: urgency by colour and shape, the urgent on top, nothing lost without a word."""

from __future__ import annotations

import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame

from geo.codes import asset_groups
from layers.colours import MOODS, category, states, tokens
from layers.markers import (
    GROUP_MARKS,
    URGENCIES,
    asset_markers,
    camera_views,
    group_mark,
    incident_markers,
    worker_markers,
)
from layers.marks import GLYPHS, mark_svg


def points(columns: dict, index: list[str]) -> GeoDataFrame:
    places = [shapely.Point(120 + n / 1000, 36) for n in range(len(index))]
    return GeoDataFrame(columns, index=index, geometry=places, crs=4326)


@pytest.fixture
def incidents():
    """Five cases; the last one has no place."""
    frame = points(
        {
            "class_code": ["E0101", None, "X1", "C0118", "E0101"],
            "category": [None, "Noise", None, None, None],
            "description": ["甲", None, "丙", "丁", "戊"],
        },
        ["a", "b", "c", "d", "e"],
    )
    frame.loc["e", "geometry"] = None
    return frame


def test_each_urgency_has_its_colour_and_shape_and_the_late_lie_on_top(incidents):
    urgency = pd.Series({"a": "late", "b": "fine", "c": "closed"})
    layer = incident_markers(incidents, urgency, title="未结事件", unit="件")
    look = states("night")
    assert layer.features.index.tolist() == ["c", "d", "b", "a"]
    assert layer.features["shape"].to_dict() == {
        "a": "square",
        "b": "disc",
        "c": "ring",
        "d": "hollow-diamond",
    }
    assert layer.features.loc["a", "fill"] == look["late"].colour
    assert layer.features.loc["d", "fill"] == look["unknown"].colour


def test_the_legend_counts_all_incidents_also_those_without_a_place(incidents):
    layer = incident_markers(incidents, pd.Series({"a": "late", "e": "late"}), title="", unit="件")
    assert [(item.label, item.count) for item in layer.legend] == [
        ("超时", 1),
        ("未知", 3),
        ("无位置", 1),
    ]
    assert sum(item.count for item in layer.legend) == len(incidents)


def test_incidents_are_named_by_class_or_else_in_the_words_of_the_source(incidents):
    hover = incident_markers(incidents, pd.Series(dtype=object), title="").features["hover"]
    assert hover["a"].endswith("\n甲")
    assert not hover["a"].startswith("E0101")
    assert hover["b"] == "Noise"
    assert hover["c"] == "X1\n丙"


def test_every_urgency_has_a_look_and_they_differ():
    frame = points({}, list("abcde"))
    layer = incident_markers(frame, pd.Series(URGENCIES, index=list("abcde")), title="")
    looks = set(zip(layer.features["shape"], layer.features["fill"], strict=True))
    assert len(looks) == 5
    assert layer.features["shape"].nunique() == 5


def test_a_worker_without_signal_is_hollow_and_not_gone():
    frame = points(
        {"age_s": [5.0, 600.0, 601.0, None], "name": ["甲", "乙", "丙", "丁"]}, list("abcd")
    )
    layer = worker_markers(frame, fresh_s=600, title="网格员", language="en")
    assert layer.features["shape"].tolist() == ["disc", "disc", "hollow-diamond", "hollow-diamond"]
    assert [(item.label, item.count) for item in layer.legend] == [
        ("reporting", 2),
        ("no signal", 2),
    ]
    assert layer.features.loc["d", "fill"] == tokens("night").unknown
    assert layer.features.loc["d", "hover"] == "丁\nno signal"


def test_assets_have_the_mark_of_their_group_and_unknown_classes_keep_their_code():
    frame = points({"class_code": ["0101", "0118", "0102", "9999"]}, list("abcd"))
    layer = asset_markers(frame, title="部件", unit="个")
    assert layer.features["group"].tolist() == ["manhole", "streetlight", "manhole", "other"]
    assert layer.features["shape"].tolist() == ["target", "star", "target", "hollow-diamond"]
    assert [(item.label, item.count) for item in layer.legend] == [
        ("井盖", 2),
        ("路灯", 1),
        ("其他部件", 1),
    ]
    assert layer.features.loc["a", "hover"] == "上水井盖\na"
    assert layer.features.loc["d", "hover"].startswith("9999")


def test_a_line_asset_stands_on_itself():
    frame = GeoDataFrame(
        {"class_code": ["0118"]},
        index=["a"],
        geometry=[shapely.LineString([(120, 36), (120.01, 36), (120.01, 36.01)])],
        crs=4326,
    )
    point = asset_markers(frame, title="").features.geometry["a"]
    assert point.geom_type == "Point"
    assert frame.geometry["a"].distance(point) < 1e-9


@pytest.mark.parametrize("mood", MOODS)
def test_no_two_groups_of_assets_look_the_same(mood):
    assert set(GROUP_MARKS) <= set(asset_groups().index)
    marks = [group_mark(group, mood) for group in GROUP_MARKS]
    assert len(set(marks)) == len(marks)
    assert {shape for shape, _ in marks} <= set(GLYPHS)
    assert {colour for _, colour in marks} <= set(category(mood))


def test_a_camera_shows_its_sector_and_unknown_views_are_counted():
    frame = points(
        {
            "bearing_deg": [0, None],
            "angle_deg": [90, 90],
            "range_m": [50, 50],
            "name": ["一", None],
        },
        ["a", "b"],
    )
    layer = camera_views(frame, title="视域")
    assert layer.features.index.tolist() == ["a"]
    assert layer.opacity == 0.16
    assert [(item.label, item.count) for item in layer.legend] == [("视域", 1), ("视域未知", 1)]
    assert layer.features.loc["a", "hover"] == "一\n视域"


@pytest.mark.parametrize("shape", [*GLYPHS, "line", "fill", "hatch"])
def test_every_shape_has_a_picture_of_its_own(shape):
    svg = mark_svg(shape, "#123456", 18, "#ffffff")
    assert svg.startswith("<svg ")
    assert svg.count("#123456") >= 1
    others = [mark_svg(other, "#123456", 18, "#ffffff") for other in GLYPHS if other != shape]
    assert svg not in others


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="no shape 'heart': there are disc"):
        mark_svg("heart", "#123456")
