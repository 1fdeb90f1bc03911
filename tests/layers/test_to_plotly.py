"""Figures: small, offline, and the same colours as the layer."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import shapely
from geopandas import GeoDataFrame

from layers.basemap import BELOW_DATA, BELOW_LABELS, map_style
from layers.boundaries import boundaries
from layers.choropleth import choropleth
from layers.colours import MOODS, sequential, tokens
from layers.maplayer import LegendItem, MapLayer
from layers.to_plotly import chart_template, layer_traces, map_layout, to_plotly
from layers.view import view_of


@pytest.fixture
def layer(six_grids):
    values = pd.Series({"A": 1, "B": 2, "C": 2, "D": 3, "E": 3})
    return choropleth(six_grids, values, title="件数", unit="件")


def colour_of(trace: go.Choroplethmap, grid: str) -> str:
    """The colour that plotly gives to a grid: its z on the stepped scale."""
    z = float(trace.z[list(trace.locations).index(grid)])
    share = (z - trace.zmin) / (trace.zmax - trace.zmin)
    return next(
        colour
        for (low, colour), (high, _) in zip(
            trace.colorscale[::2], trace.colorscale[1::2], strict=True
        )
        if low <= share <= high
    )


def test_each_grid_has_the_colour_of_the_layer(layer):
    trace = layer_traces(layer)[0]
    assert {grid: colour_of(trace, grid) for grid in "ABCDEF"} == layer.features["fill"].to_dict()


def test_shapes_by_address_stay_out_of_the_figure(layer):
    address = "http://127.0.0.1:8050/data/grids.geojson"
    figure = to_plotly([layer], style="/map/style.json", geojson_urls={"grids": address})
    assert figure.data[0].geojson == address
    assert figure.layout.map.style == "/map/style.json"
    assert len(figure.to_json()) < 12_000


def test_shapes_without_an_address_travel_inside(layer):
    shapes = to_plotly([layer]).data[0].geojson
    assert [feature["id"] for feature in shapes["features"]] == list("ABCDEF")


def test_fills_lie_under_names_and_over_roads(layer):
    order = [part["id"] for part in map_style("http://127.0.0.1:1")["layers"]]
    assert layer_traces(layer)[0].below == BELOW_DATA
    assert order.index("road-arterial") < order.index(BELOW_DATA) < order.index("boundary-grid")
    assert order.index("boundary-district") < order.index(BELOW_LABELS) < order.index("name-road")


def test_a_grid_without_data_is_hatched_inside_its_border(layer, six_grids):
    hatch = layer_traces(layer)[1]
    lon, lat = np.array(hatch.lon, dtype=float), np.array(hatch.lat, dtype=float)
    ends = np.isnan(lon)
    assert ends.sum() >= 6
    box = six_grids.geometry["F"].buffer(1e-6)
    assert shapely.contains_xy(box, lon[~ends], lat[~ends]).all()
    assert hatch.hoverinfo == "skip"


def test_no_hatching_where_everything_is_known(layer, six_grids):
    known = choropleth(six_grids, pd.Series(1, index=six_grids.index), title="", unit="")
    assert len(layer_traces(known)) == 1


def test_hover_text_cannot_carry_tags(six_grids):
    named = six_grids.assign(name="<img src=x onerror=alert(1)>")
    text = layer_traces(choropleth(named, pd.Series({"A": 1}), title="a<b", unit=""))[0].text[0]
    assert "<img" not in text
    assert text == "<b>&lt;img src=x onerror=alert(1)&gt;</b><br>a&lt;b：1"


def points(*shapes: str) -> MapLayer:
    features = GeoDataFrame(
        {"fill": "#fb7185", "hover": "超时", "shape": list(shapes), "size": 12.0},
        index=[f"i{n}" for n in range(len(shapes))],
        geometry=[shapely.Point(120 + n / 100, 36) for n in range(len(shapes))],
        crs=4326,
    )
    return MapLayer(
        "incidents", "事件", "point", features, (LegendItem("超时", "#fb7185", "square"),)
    )


def test_every_mark_is_a_disc_that_cannot_be_hidden_with_its_shape_inside():
    traces = layer_traces(points("disc", "square", "square", "hollow-diamond"))
    assert [(t.mode, t.text, len(t.lon)) for t in traces] == [
        *[("markers", None, 1)] * 2,
        *[("markers", None, 2)] * 2,
        ("text", "■", 2),
        *[("markers", None, 1)] * 3,
        ("text", "◇", 1),
    ]
    casing, disc = traces[:2]
    assert casing.marker.size > disc.marker.size
    assert disc.marker.color == "#fb7185"
    assert {t.below for t in traces} == {BELOW_LABELS}


def test_only_the_disc_of_a_mark_speaks():
    traces = layer_traces(points("square", "target"))
    speaking = [t for t in traces if t.hoverinfo != "skip"]
    assert [t.ids for t in speaking] == [("i0",), ("i1",)]
    assert speaking[0].hovertext == ("<b>超时</b>",)


def test_lines_draw_the_heaviest_level_last(wavy_city):
    layer = boundaries(wavy_city.divisions, wavy_city.grids, title="边界")
    traces = layer_traces(layer)
    assert [t.name for t in traces[1::2]] == [
        f"boundaries-{level}" for level in ("grid", "community", "street", "district")
    ]
    assert [t.line.width for t in traces[1::2]] == [0.6, 1.2, 2.0, 3.0]


def test_an_empty_layer_draws_nothing(six_grids):
    assert (
        layer_traces(choropleth(six_grids.iloc[:0], pd.Series(dtype=float), title="", unit=""))
        == []
    )


def test_the_view_holds_the_bounds_with_its_margin():
    center, zoom = view_of((120, 36, 120.36, 36.1), (1024, 1024), margin=0)
    # 0.36 degrees are 1/1000 of the world; 1024 px hold them when the world is 1,024,000 px wide.
    assert zoom == pytest.approx(np.log2(1_024_000 / 512), abs=1e-3)
    assert center[0] == pytest.approx(120.18)
    assert 36.05 < center[1] < 36.0503


def test_the_view_of_one_point_is_no_error():
    assert view_of((120, 36, 120, 36), (800, 600)) == ((120.0, pytest.approx(36)), 20.0)


@pytest.mark.parametrize("mood", MOODS)
def test_an_update_keeps_the_view_and_hover_labels_have_our_colours(layer, mood):
    layout = map_layout("/map/style.json", mood=mood)
    assert layout["uirevision"] == layout["map"]["uirevision"] == "map"
    assert layout["margin"] == {"l": 0, "r": 0, "t": 0, "b": 0}
    assert layout["hoverlabel"]["bgcolor"] == tokens(mood).panel


@pytest.mark.parametrize("mood", MOODS)
def test_charts_have_no_white_lines(mood):
    template = chart_template(mood)
    for axis in (template.layout.xaxis, template.layout.yaxis):
        assert axis.zerolinecolor == axis.gridcolor == axis.linecolor == tokens(mood).line
        assert axis.tickfont.color == tokens(mood).quiet
    figure = go.Figure(go.Bar(x=[1, 2], y=[3, 4]), layout={"template": template})
    assert figure.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.template.layout.colorscale.sequential[0][1] == sequential(mood, 7)[0]


def test_a_figure_is_plain_json_without_outside_addresses(layer, wavy_city):
    lines = boundaries(wavy_city.divisions, title="边界")
    text = to_plotly([layer, lines, points("triangle")]).to_json()
    assert json.loads(text)["layout"]["map"]["style"]["version"] == 8
    assert "http" not in text


def test_the_legend_has_the_title_the_unit_and_every_class(layer):
    note = to_plotly([layer]).layout.annotations[0].text
    assert note.startswith("<b>件数</b> <span style=")
    assert ">件</span>" in note
    for item in layer.legend:
        assert f"<span style='color:{item.colour}'>" in note
        assert f"  {item.label}<" in note
    assert "▨" in note
    assert len(to_plotly([layer], legend=False).layout.annotations) == 0


def test_borders_are_drawn_where_no_style_does_it(layer):
    assert to_plotly([layer]).data[0].marker.line.width == 0.7
    assert to_plotly([layer], style="/map/style.json").data[0].marker.line.width == 0
