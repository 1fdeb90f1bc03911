"""Exported pages: one file, offline, with everything a map must say."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import folium
import folium.plugins
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame

from geo.errors import InputError
from layers.boundaries import boundaries
from layers.choropleth import choropleth
from layers.ground import ground
from layers.markers import incident_markers
from layers.to_folium import render_html, save_html, to_folium

NASTY = '</script><img src=x onerror="alert(1)">{{ 7 * 7 }}{% raw %}'


TITLE = "居民户数 {{ 6 * 7 }}"


@pytest.fixture
def layers(wavy_city):
    names = wavy_city.grids.assign(name=NASTY)
    count = 25
    places = shapely.points(np.linspace(120.02, 120.1, count), np.linspace(36.01, 36.05, count))
    incidents = GeoDataFrame(
        {"description": ["测试"] * count},
        index=[f"i{n}" for n in range(count)],
        geometry=places,
        crs=4326,
    )
    kinds = ["late", "soon", "fine", "unknown", "closed"] * 5
    urgency = pd.Series(kinds, index=incidents.index)
    return [
        *ground(wavy_city.roads, wavy_city.areas, mood="day"),
        choropleth(names, wavy_city.households(), title=TITLE, unit="户", mood="day"),
        boundaries(wavy_city.divisions, title="边界", mood="day"),
        incident_markers(incidents, urgency, title="事件", unit="件", mood="day"),
    ]


@pytest.fixture
def page(layers) -> str:
    return render_html(
        to_folium(layers, title=f"甲 {NASTY}", note="边界版本 3", attribution=f"资料 {NASTY}")
    )


def test_no_tag_of_the_page_has_an_outside_address(page):
    tags = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    addresses = re.findall(r"""<[a-z]+\s[^>]*\b(?:src|href)=["']?([^"'\s>]+)""", tags)
    assert [a for a in addresses if not a.startswith("data:")] == []
    assert re.findall(r"url\((?!data:|#)[^)]*\)", page) == []


def test_nothing_but_leaflet_comes_along(page):
    for name in ("jquery", "bootstrap", "font-awesome", "fontawesome", "awesome-markers", "cdn."):
        assert name not in page.lower()
    assert page.count("Leaflet 1.9.3, a JS library") == 1


def test_geometry_is_written_once(page, wavy_city):
    corner = wavy_city.grids.geometry.iloc[100].exterior.coords[1]
    text = f"[{round(corner[0], 6)},{round(corner[1], 6)}]"
    around = sum(geometry.touches(shapely.Point(corner)) for geometry in wavy_city.grids.geometry)
    assert 1 <= page.count(text) <= around + 2
    assert len(page) < 500_000


def test_legend_unit_title_note_and_attribution_are_there(page):
    legend = page[page.index('<aside class="card legend"') : page.index("</aside>")]
    assert f"{TITLE}<small>户</small>" in legend
    assert "无数据<b>3</b>" in legend
    assert "超时<b>5</b>" in legend
    assert "边界版本 3" in page
    assert '<html lang="zh-CN">' in page


def test_text_of_the_data_cannot_become_part_of_the_page(page):
    assert "<img src=x" not in page
    assert "甲 &lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "甲 49" not in page
    assert "居民户数 42" not in page


def test_a_map_that_asks_something_of_the_outside_is_refused(layers, tmp_path):
    made = to_folium(layers)
    folium.TileLayer("https://tiles.example/{z}/{x}/{y}.png", attr="x").add_to(made)
    with pytest.raises(InputError, match=r"asks for https://tiles\.example"):
        save_html(made, tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []


def test_a_plugin_with_linked_files_is_refused(layers):
    made = to_folium(layers)
    folium.Marker((36, 120)).add_to(made)
    folium.plugins.MarkerCluster().add_to(made)
    with pytest.raises(InputError, match=r"leaflet\.markercluster"):
        render_html(made)


def test_the_vendored_leaflet_is_the_one_that_folium_pins():
    links = dict(folium.folium._default_js)
    pinned = re.search(r"leaflet@([0-9.]+)/", links["leaflet"])[1]
    text = files("layers.vendor").joinpath("leaflet.js").read_text("utf-8")
    assert f"Leaflet {pinned}," in text


def test_the_order_of_drawing_is_ground_fill_line_point(layers):
    text = render_html(to_folium(layers))
    panes = re.findall(r'"pane": "(\w+)"|pane: \'(\w+)\'', text)
    seen = [first or second for first, second in panes]
    assert seen.index("ground") < seen.index("fill") < seen.index("line") < seen.index("point")


def test_no_layer_at_all_is_an_empty_map_and_not_an_error():
    assert "folium-map" in render_html(to_folium([]))


@pytest.mark.browser
def test_the_file_opens_in_a_browser_without_errors_or_requests(browser, layers, tmp_path):
    path = save_html(
        to_folium(layers, title=NASTY, attribution=f"资料 {NASTY}"), tmp_path / "map.html"
    )
    troubles: list[str] = []
    page = browser.new_page()
    page.on("console", lambda m: troubles.append(m.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:")) else troubles.append(r.url),
    )
    page.goto(path.as_uri())
    page.wait_for_selector(".leaflet-fill-pane path")
    shapes = page.locator(".leaflet-fill-pane path").count()
    marks = page.locator(".leaflet-point-pane path").count()
    page.mouse.move(640, 300)
    hover = page.locator(".leaflet-tooltip.hover")
    hover.wait_for()
    text = hover.inner_text()
    box = page.locator(".leaflet-fill-pane svg g").bounding_box()
    switches = page.locator(".leaflet-control-layers-overlays label").count()
    images = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
    page.close()
    assert troubles == []
    # 384 grids and one shape for the hatching; 25 marks; all of it in view.
    assert shapes == 385
    assert marks == 25
    assert NASTY in text
    assert TITLE in text
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert box["y"] >= -1
    assert switches == 3
    assert images == 0


def test_the_vendored_files_are_the_ones_that_the_list_names():
    folder = files("layers.vendor")
    named = dict(
        re.findall(
            r"`([\w.-]+)` \| `([0-9a-f]{64})`", folder.joinpath("VENDORED.md").read_text("utf-8")
        )
    )
    assert set(named) == {f.name for f in folder.iterdir() if f.name.startswith("leaflet")}
    for name, digest in named.items():
        assert hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() == digest, name
