"""The style: valid by its own rules, quiet, and without an address of anyone else."""

from __future__ import annotations

import json

import pytest

from geo.schema import AREA_KINDS, ROAD_CLASSES
from layers.basemap import map_style
from layers.boundaries import WIDTHS
from layers.colours import MOODS, tokens
from layers.oklch import contrast

HOST = "http://10.0.0.7:8050"


@pytest.mark.parametrize("mood", MOODS)
def test_every_layer_has_a_name_of_its_own_and_a_source_that_exists(mood):
    style = map_style(HOST + "/", mood)
    names = [layer["id"] for layer in style["layers"]]
    assert len(set(names)) == len(names)
    assert all(
        layer["source"] in style["sources"]
        for layer in style["layers"]
        if layer["type"] != "background"
    )
    # plotly would put a choropleth above the first layers that are called water.
    assert not any(name.startswith("water") for name in names)


def test_sources_are_absolute_addresses_of_the_same_server():
    style = map_style(HOST + "/", roads="/data/roads.geojson?v=3")
    assert {name: source["data"] for name, source in style["sources"].items()} == {
        "roads": f"{HOST}/data/roads.geojson?v=3",
        "areas": f"{HOST}/data/areas.geojson",
        "boundaries": f"{HOST}/data/boundaries.geojson",
    }
    assert "glyphs" not in style
    assert "sprite" not in style
    assert json.dumps(style).count("http") == 3


def test_every_class_of_road_area_and_boundary_is_drawn():
    text = json.dumps(map_style(HOST)["layers"])
    for kind in (*ROAD_CLASSES, *AREA_KINDS, *WIDTHS):
        assert f'"{kind}"' in text


def test_roads_are_drawn_from_small_to_large_after_all_casings():
    names = [layer["id"] for layer in map_style(HOST)["layers"]]
    roads = [name for name in names if name.startswith("road-")]
    assert roads == [
        *("road-minor-casing", "road-main-casing", "road-arterial-casing"),
        *("road-path", "road-minor", "road-main", "road-arterial"),
    ]


def test_heavier_boundaries_lie_on_lighter_ones():
    names = [layer["id"] for layer in map_style(HOST)["layers"]]
    lines = [name for name in names if name.startswith("boundary-") and "casing" not in name]
    assert lines == [f"boundary-{level}" for level in reversed(list(WIDTHS))]


@pytest.mark.parametrize("mood", MOODS)
def test_the_ground_is_quieter_than_text(mood):
    colours = tokens(mood)
    for quiet in (colours.road, colours.green, colours.water, colours.square):
        assert contrast(quiet, colours.land) < 2.2
    assert contrast(colours.quiet, colours.land) >= 4.5
    assert contrast(colours.water_text, colours.land) >= 4.5
