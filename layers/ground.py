"""Roads, water and green as layers, for maps without a server: notebooks and exported pages.

The pages of the server get the same from `layers.basemap` as a style. The ground has no legend and
no hover text; it lies under the data.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from layers.colours import Mood, Tokens, tokens
from layers.maplayer import MapLayer

_ROAD_WIDTHS: Mapping[str, float] = {
    "arterial": 2.6,
    "main": 1.6,
    "rail": 1.2,
    "minor": 0.8,
    "path": 0.4,
}
"""Widths in px; from the top down, since the first of a line layer is drawn last."""
_RIVER_WIDTH = 5.0


def ground(
    roads: GeoDataFrame | None = None,
    areas: GeoDataFrame | None = None,
    *,
    mood: Mood = "night",
) -> list[MapLayer]:
    """Draw areas (`kind`), the river and roads (`road_class`) as up to three quiet layers.

    Both tables are in EPSG:4326; either may be left out or empty. The layers come in drawing
    order, to stand before the layers of data.
    """
    colours = tokens(mood)
    layers = []
    if areas is not None and len(areas):
        layers.append(_areas(areas, colours, mood))
    if roads is not None and len(roads):
        rivers = roads[roads["road_class"] == "river"]
        if len(rivers):
            layers.append(_lines(rivers, {"river": _RIVER_WIDTH}, colours, mood, "ground-river"))
        others = roads[roads["road_class"].isin(list(_ROAD_WIDTHS))]
        if len(others):
            layers.append(_lines(others, _ROAD_WIDTHS, colours, mood, "ground-roads"))
    return layers


def _areas(areas: GeoDataFrame, colours: Tokens, mood: Mood) -> MapLayer:
    fills = {"park": colours.green, "water": colours.water, "square": colours.square}
    known = areas[areas["kind"].isin(list(fills))]
    features = GeoDataFrame(
        {"fill": known["kind"].map(fills), "hover": ""},
        index=known.index,
        geometry=known.geometry.to_numpy(),
        crs=areas.crs,
    )
    return MapLayer("ground-areas", "", "fill", features, (), mood=mood, under=True)


def _lines(
    roads: GeoDataFrame, widths: Mapping[str, float], colours: Tokens, mood: Mood, id: str
) -> MapLayer:
    """One feature a class, so that a whole network is a handful of shapes."""
    paints = {"river": colours.water, "rail": colours.rail}
    present = [name for name in widths if (roads["road_class"] == name).any()]
    shapes = [
        shapely.multilinestrings(
            shapely.get_parts(roads.geometry[roads["road_class"] == name].to_numpy())
        )
        for name in present
    ]
    features = GeoDataFrame(
        {
            "fill": [paints.get(name, colours.road) for name in present],
            "hover": "",
            "width": np.array([widths[name] for name in present]),
        },
        index=pd.Index(present, name="road_class"),
        geometry=shapes,
        crs=roads.crs,
    )
    return MapLayer(id, "", "line", features, (), mood=mood, under=True)
