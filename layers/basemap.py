"""The offline basemap: a MapLibre style drawn from the workspace's own roads, water and green.

plotly must be given the address of this style, never the dict: a dict makes it call `setStyle`
on the next figure update and fail with "Map error.". The style names no glyphs and no sprite;
MapLibre 6 then draws every glyph locally and reads `text-font` as a list of fonts to fall back
along. Its three sources are GeoJSON on the same server, by absolute address.

Data goes between the roads and the names: give traces and layers `below=BELOW_DATA` (fills) or
`below=BELOW_LABELS` (lines and points). Left to itself plotly puts a choropleth right above the
first layers whose name starts with "water", which is why none here does.
"""

from __future__ import annotations

from typing import Any

from layers.boundaries import OPACITIES, WIDTHS
from layers.colours import Mood, Tokens, tokens
from layers.oklch import with_alpha

UNDER_DATA = "under-data"
"""Name of the layer that a ground of one's own goes below: under all data."""
BELOW_DATA = "over-data"
"""Name of the layer that fills go below: over roads and parks, under boundaries and names."""
BELOW_LABELS = "over-marks"
"""Name of the layer that points and lines go below: over boundaries, under names."""

LABEL_FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"]

_ROAD_WIDTHS: dict[str, tuple[tuple[float, float], ...]] = {
    # road class: (zoom, px) pairs; roads grow by about half a step a zoom
    "path": ((14, 0.4), (16, 1.0), (18, 2.5)),
    "minor": ((12, 0.3), (14, 1.0), (16, 3.5), (18, 11)),
    "main": ((10, 0.5), (12, 1.1), (14, 2.4), (16, 6), (18, 18)),
    "arterial": ((9, 0.7), (12, 1.9), (14, 4.0), (16, 9), (18, 28)),
}
_FIRST_ZOOM = {"path": 14, "minor": 11.5, "main": 9, "arterial": 7}
_BOUNDARY_ZOOM = {"city": 0, "district": 0, "street": 9, "community": 11, "grid": 10}


def map_style(
    host_url: str,
    mood: Mood = "night",
    *,
    roads: str = "/data/roads.geojson",
    areas: str = "/data/areas.geojson",
    boundaries: str = "/data/boundaries.geojson",
) -> dict[str, Any]:
    """Write the style for maps served at `host_url`, such as `http://127.0.0.1:8050`.

    Parameters
    ----------
    host_url
        Where the browser reached us, from the request; sources need absolute addresses.
    mood
        Night or day.
    roads, areas, boundaries
        Paths of the GeoJSON: `road_class` and `name`; `kind` and `name`; `level`.

    Returns
    -------
    dict
        A style of version 8 in which every layer has a name; nothing in it leaves `host_url`.
    """
    base = host_url.rstrip("/")
    colours = tokens(mood)
    return {
        "version": 8,
        "name": f"wangge-{mood}",
        "sources": {
            "roads": {"type": "geojson", "data": base + roads, "tolerance": 0.3, "maxzoom": 16},
            "areas": {"type": "geojson", "data": base + areas, "tolerance": 0.3, "maxzoom": 16},
            "boundaries": {
                "type": "geojson",
                "data": base + boundaries,
                "tolerance": 0.3,
                "maxzoom": 16,
            },
        },
        "layers": [
            {"id": "land", "type": "background", "paint": {"background-color": colours.land}},
            *_areas(colours),
            *_roads(colours),
            *_rail(colours),
            _anchor(UNDER_DATA),
            _anchor(BELOW_DATA),
            *_over_data(colours, mood),
            *_boundaries(colours, mood),
            _anchor(BELOW_LABELS),
            *_names(colours, mood),
        ],
    }


def _anchor(name: str) -> dict[str, Any]:
    """A layer that draws nothing and gives `below` a name to stand on."""
    return {"id": name, "type": "background", "layout": {"visibility": "none"}}


def _areas(colours: Tokens) -> list[dict[str, Any]]:
    fills = {"park": colours.green, "square": colours.square, "water": colours.water}
    layers: list[dict[str, Any]] = [
        {
            "id": f"area-{kind}",
            "type": "fill",
            "source": "areas",
            "filter": ["==", ["get", "kind"], kind],
            "paint": {"fill-color": colour, "fill-antialias": True},
        }
        for kind, colour in fills.items()
    ]
    layers.append(
        {
            "id": "river",
            "type": "line",
            "source": "roads",
            "filter": ["==", ["get", "road_class"], "river"],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {
                "line-color": colours.water,
                "line-width": _grow((9, 2), (12, 6), (14, 14), (16, 36), (18, 110)),
            },
        }
    )
    return layers


def _roads(colours: Tokens) -> list[dict[str, Any]]:
    """All casings first, then the roads from small to large, so that crossings run through."""
    casings, lines = [], []
    for name, widths in _ROAD_WIDTHS.items():
        common = {
            "type": "line",
            "source": "roads",
            "minzoom": _FIRST_ZOOM[name],
            "filter": ["==", ["get", "road_class"], name],
            "layout": {"line-cap": "round", "line-join": "round"},
        }
        if name != "path":
            wider = [(zoom, width + (1.2 if zoom < 15 else 2.0)) for zoom, width in widths]
            casings.append(
                {
                    **common,
                    "id": f"road-{name}-casing",
                    "paint": {"line-color": colours.road_casing, "line-width": _grow(*wider)},
                }
            )
        paint: dict[str, Any] = {"line-color": colours.road, "line-width": _grow(*widths)}
        if name == "path":
            paint["line-dasharray"] = [2, 1.5]
        lines.append({**common, "id": f"road-{name}", "paint": paint})
    return [*casings, *lines]


def _rail(colours: Tokens) -> list[dict[str, Any]]:
    """A thin line with short wide dashes across it, as on printed maps."""
    common = {"type": "line", "source": "roads", "filter": ["==", ["get", "road_class"], "rail"]}
    return [
        {
            **common,
            "id": "rail",
            "paint": {
                "line-color": colours.rail,
                "line-width": _grow((9, 0.6), (14, 1.2), (18, 3)),
            },
        },
        {
            **common,
            "id": "rail-ties",
            "minzoom": 11,
            "paint": {
                "line-color": colours.rail,
                "line-width": _grow((11, 2.5), (14, 4.5), (18, 12)),
                "line-dasharray": [0.25, 2.2],
            },
        },
    ]


def _over_data(colours: Tokens, mood: Mood) -> list[dict[str, Any]]:
    """A breath of the main roads and the river above the fills, so that one finds one's way."""
    road = with_alpha("#ffffff", 0.13 if mood == "night" else 0.55)
    water = with_alpha(colours.water, 0.75)
    return [
        {
            "id": "over-water",
            "type": "fill",
            "source": "areas",
            "filter": ["==", ["get", "kind"], "water"],
            "paint": {"fill-color": water},
        },
        {
            "id": "over-river",
            "type": "line",
            "source": "roads",
            "filter": ["==", ["get", "road_class"], "river"],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {
                "line-color": water,
                "line-width": _grow((9, 2), (12, 6), (14, 14), (16, 36), (18, 110)),
            },
        },
        *(_over_road(name, road) for name in ("minor", "main", "arterial")),
    ]


def _over_road(name: str, colour: str) -> dict[str, Any]:
    """A road above the fills: a hint from afar, plainer near by, where the fill hides much."""
    first = _FIRST_ZOOM[name] + 2
    return {
        "id": f"over-road-{name}",
        "type": "line",
        "source": "roads",
        "minzoom": first,
        "filter": ["==", ["get", "road_class"], name],
        "layout": {"line-cap": "round", "line-join": "round"},
        "paint": {
            "line-color": colour,
            "line-opacity": ["interpolate", ["linear"], ["zoom"], first, 0.3, 15, 1],
            "line-width": _grow(*((zoom, 0.8 * width) for zoom, width in _ROAD_WIDTHS[name])),
        },
    }


def _boundaries(colours: Tokens, mood: Mood) -> list[dict[str, Any]]:
    """From grids up to districts, so that the heavier line lies on top; casing under each."""
    layers = []
    for level in reversed(list(WIDTHS)):
        common = {
            "type": "line",
            "source": "boundaries",
            "minzoom": _BOUNDARY_ZOOM[level],
            "filter": ["==", ["get", "level"], level],
            "layout": {"line-join": "round", "line-cap": "round"},
        }
        width = WIDTHS[level]
        layers.append(
            {
                **common,
                "id": f"boundary-{level}-casing",
                "paint": {
                    "line-color": with_alpha(
                        colours.border_casing, 0.55 if mood == "night" else 0.7
                    ),
                    "line-width": _grow(
                        (9, width * 0.5 + 0.8), (12, width + 1.4), (16, width * 1.3 + 2)
                    ),
                },
            }
        )
        layers.append(
            {
                **common,
                "id": f"boundary-{level}",
                "paint": {
                    "line-color": with_alpha(colours.border, OPACITIES[level]),
                    "line-width": _grow((9, width * 0.5), (12, width), (16, width * 1.3)),
                },
            }
        )
    return layers


def _names(colours: Tokens, mood: Mood) -> list[dict[str, Any]]:
    halo = {
        "text-halo-color": with_alpha(colours.land, 0.9),
        "text-halo-width": 1.4,
        "text-halo-blur": 0.4,
    }
    return [
        {
            "id": "name-road",
            "type": "symbol",
            "source": "roads",
            "minzoom": 13.5,
            "filter": ["match", ["get", "road_class"], ["arterial", "main", "minor"], True, False],
            "layout": {
                "symbol-placement": "line",
                "symbol-spacing": 380,
                "text-field": ["coalesce", ["get", "name"], ""],
                "text-font": LABEL_FONTS,
                "text-size": ["match", ["get", "road_class"], "arterial", 13, "main", 12, 11],
                "text-max-angle": 30,
                "text-padding": 12,
                "symbol-sort-key": ["match", ["get", "road_class"], "arterial", 0, "main", 1, 2],
            },
            "paint": {"text-color": colours.quiet, **halo},
        },
        {
            "id": "name-river",
            "type": "symbol",
            "source": "roads",
            "minzoom": 11,
            "filter": ["==", ["get", "road_class"], "river"],
            "layout": {
                "symbol-placement": "line",
                "symbol-spacing": 500,
                "text-field": ["coalesce", ["get", "name"], ""],
                "text-font": LABEL_FONTS,
                "text-size": 13,
                "text-letter-spacing": 0.2,
            },
            "paint": {"text-color": colours.water_text, **halo},
        },
        {
            "id": "name-area",
            "type": "symbol",
            "source": "areas",
            "minzoom": 13,
            "layout": {
                "text-field": ["coalesce", ["get", "name"], ""],
                "text-font": LABEL_FONTS,
                "text-size": 12,
                "text-max-width": 7,
                "text-padding": 8,
            },
            "paint": {
                "text-color": [
                    "match", ["get", "kind"], "water", colours.water_text, colours.quiet,
                ],
                **halo,
            },
        },
    ]  # fmt: skip


def _grow(*stops: tuple[float, float]) -> list[Any]:
    """Widths that grow with the zoom, exponentially with base 1.5 between the stops."""
    flat = [number for stop in stops for number in stop]
    return ["interpolate", ["exponential", 1.5], ["zoom"], *flat]
