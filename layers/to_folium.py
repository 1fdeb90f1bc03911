"""Draw layers with folium, as one HTML file that opens anywhere without a network.

Leaflet comes along inside the file, at exactly the version that folium pins, and nothing else
does: no jQuery, Bootstrap or icon font, which folium links by default and these maps do not use.
Geometry is written once. A map to which somebody adds a plugin with addresses of its own is
refused on saving rather than written half offline.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import folium
from branca.element import Element, Figure, MacroElement
from folium.utilities import JsCode
from geopandas import GeoDataFrame
from jinja2 import Template

from geo.errors import InputError
from layers.colours import Mood, tokens
from layers.folium_page import (
    leaflet_css,
    leaflet_js,
    legend_card,
    page_css,
    page_js,
    title_card,
)
from layers.hatch import hatch_lines
from layers.maplayer import MapLayer
from layers.to_geojson import frame_to_geojson
from layers.view import view_of
from layers.words import Language, words

_PANES = {"ground": 300, "fill": 410, "line": 420, "point": 430}
"""Names and z-order of the panes; leaflet's own overlays are at 400, hover texts at 650."""

_OUTSIDE = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?((?:https?:)?//[^"'\s>]+)
      | <link\b[^>]*\bhref=["']?((?:https?:)?//[^"'\s>]+)
      | L\.tileLayer(?:\.wms)?\(\s*["']((?:https?:)?//[^"']+)
      | @import\s+(?:url\()?["']?((?:https?:)?//[^"')\s]+)""",
    re.VERBOSE | re.IGNORECASE,
)


class _Raw(Element):
    """Text that goes into the page as it is, even where it looks like a template."""

    _template = Template("{{ this.text }}")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class _Shapes(folium.GeoJson):
    """A layer of folium whose shapes stand in a script of their own.

    folium reads what it writes as a template once more, so a name with two braces would break
    the page, or worse; this way data is never a template. It is also smaller and quicker.
    """

    def __init__(self, features: GeoDataFrame, columns: list[str], *, name: str, **options: Any):
        super().__init__({"type": "FeatureCollection", "features": []}, name=_calm(name), **options)
        # "<" could end the script that it stands in.
        self.text = frame_to_geojson(features, columns).decode().replace("<", "\\u003c")
        self.add_child(_AddShapes())  # type: ignore[no-untyped-call]

    def render(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Put the shapes into the head of the page, and the layer where folium wants it."""
        root = self.get_root()
        assert isinstance(root, Figure)
        variable = f"{self.get_name()}_shapes"
        root.header.add_child(
            _Raw(f"<script>const {variable} = {self.text};</script>"), name=variable
        )
        super().render(**kwargs)  # type: ignore[no-untyped-call]


class _AddShapes(MacroElement):
    """Hands the shapes to their layer."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "{{ this._parent.get_name() }}.addData({{ this._parent.get_name() }}_shapes);"
        "{% endmacro %}"
    )


class _Corners(MacroElement):
    """The scale in metres and the attribution of the data, without leaflet's own link."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "L.control.scale({imperial: false, maxWidth: 160}).addTo({{ this._parent.get_name() }});"
        "{{ this._parent.get_name() }}.attributionControl.setPrefix(false)"
        ".addAttribution({{ this.text | tojson }});"
        "{% endmacro %}"
    )

    def __init__(self, text: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.text = _calm(html.escape(text))


def to_folium(
    layers: Sequence[MapLayer],
    *,
    title: str = "",
    note: str = "",
    attribution: str = "",
    mood: Mood | None = None,
    language: Language = "zh",
) -> folium.Map:
    """Draw layers on a folium map, the first at the bottom, with a legend, a scale and a switch.

    Parameters
    ----------
    layers
        What to draw; `layers.ground.ground` gives roads and water to stand first.
    title, note
        Heading of the page and one line under it; without a title the last layer's.
    attribution
        Where the data comes from, as text in the corner.
    mood
        Mood of the page, by default that of the last layer.
    language
        Language of the few words of the page itself.

    Returns
    -------
    folium.Map
        Shown by a notebook as it is; `save_html` writes it to a file.
    """
    mood = mood or (layers[-1].mood if layers else "day")
    title = title or (layers[-1].title if layers else "")
    made = folium.Map(tiles=None, zoom_snap=0.25, max_zoom=19)
    # Instance attributes hide the class's lists of linked files; leaflet comes along below.
    made.default_js, made.default_css = [], []
    root = made.get_root()
    assert isinstance(root, Figure)  # what folium puts every map into
    root.title = html.escape(title)
    for name, text in (
        ("leaflet_css", f"<style>{leaflet_css()}</style>"),
        ("leaflet_js", f"<script>{leaflet_js()}</script>"),
        ("page_css", f"<style>{page_css(mood)}</style>"),
        ("page_js", f"<script>{page_js()}</script>"),
    ):
        root.header.add_child(_Raw(text), name=name)
    for name, height in _PANES.items():
        folium.map.CustomPane(name, z_index=height, pointer_events=name != "ground").add_to(made)
    shown = [layer for layer in layers if len(layer)]
    for layer in shown:
        for part in _parts(layer):
            part.add_to(made)
    if sum(not layer.under for layer in shown) > 1:
        folium.LayerControl(collapsed=False).add_to(made)
    _fit(made, shown)
    catalogue = words(language)
    root.html.add_child(_Raw(title_card(title, note)), name="title_card")
    root.html.add_child(_Raw(legend_card(layers, catalogue)), name="legend_card")
    _Corners(attribution).add_to(made)
    return made


def render_html(made: folium.Map, *, language: Language = "zh") -> str:
    """The page as text.

    Raises
    ------
    InputError
        If the map would ask something of the outside, such as tiles or a plugin's files; the
        message names the address.
    """
    text = str(made.get_root().render())
    outside = sorted({found for groups in _OUTSIDE.findall(text) for found in groups if found})
    if outside:
        raise InputError(
            f"the map asks for {', '.join(outside)}: leave out what needs it, so that the file "
            "opens without a network"
        )
    head = f'<html lang="{"zh-CN" if language == "zh" else "en"}">'
    return text.replace("<html>", head, 1)


def save_html(made: folium.Map, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page to a file, UTF-8, and return its path."""
    target = Path(path)
    target.write_text(render_html(made, language=language), encoding="utf-8")
    return target


def _parts(layer: MapLayer) -> list[folium.GeoJson]:
    """The folium layers of one layer."""
    if layer.kind == "fill":
        return _fill_parts(layer)
    if layer.kind == "line":
        return [_line_part(layer)]
    return [_point_part(layer)]


def _fill_parts(layer: MapLayer) -> list[folium.GeoJson]:
    features = layer.features
    colours = tokens(layer.mood)
    line = {"weight": 0} if layer.under else {"weight": 0.7, "opacity": 0.55}
    columns = ["fill"] if layer.under else ["fill", "hover"]
    parts: list[folium.GeoJson] = [
        _Shapes(
            features,
            columns,
            name=layer.title,
            control=not layer.under,
            on_each_feature=JsCode("paintFill"),
            smooth_factor=0.5,
            pane="ground" if layer.under else "fill",
            interactive=not layer.under,
            color=colours.border_casing,
            fill_opacity=layer.opacity,
            **line,
        )
    ]
    unknown = features[features["code"] < 0] if "code" in features.columns else features.iloc[:0]
    if len(unknown):
        ruled = GeoDataFrame(
            {"fill": colours.no_data_hatch, "width": 1.0},
            index=["no-data"],
            geometry=[hatch_lines(unknown.geometry).union_all()],
            crs=features.crs,
        )
        parts.append(_lines_of(ruled, ["fill", "width"], f"{layer.title} …", False, "fill"))
    return parts


def _line_part(layer: MapLayer) -> folium.GeoJson:
    columns = [name for name in ("fill", "width", "opacity") if name in layer.features.columns]
    # The first row is the heaviest and lies on top.
    pane = "ground" if layer.under else "line"
    return _lines_of(layer.features.iloc[::-1], columns, layer.title, not layer.under, pane)


def _lines_of(
    features: GeoDataFrame, columns: list[str], name: str, control: bool, pane: str
) -> folium.GeoJson:
    return _Shapes(
        features,
        columns,
        name=name,
        control=control,
        on_each_feature=JsCode("paintLine"),
        smooth_factor=0.5,
        pane=pane,
        interactive=False,
        fill=False,
    )


def _point_part(layer: MapLayer) -> folium.GeoJson:
    casing = json.dumps(tokens(layer.mood).border_casing)
    columns = [c for c in ("fill", "hover", "shape", "size") if c in layer.features.columns]
    draw = f"(feature, place) => drawMark(feature, place, {{pane: 'point', casing: {casing}}})"
    return _Shapes(
        layer.features,
        columns,
        name=layer.title,
        on_each_feature=JsCode("addHover"),
        point_to_layer=JsCode(draw),
        pane="point",
    )


def _calm(text: str) -> str:
    """Text without double braces (a space of no width stands between), which folium would run."""
    return re.sub(r"\{(?=[{%#])", "{\u200b", text)


def _fit(made: folium.Map, layers: Sequence[MapLayer]) -> None:
    """Start with everything in view: leaflet fits the box; the centre is for the first instant."""
    boxes = [layer.bounds for layer in layers if not layer.under] or [
        layer.bounds for layer in layers
    ]
    if not boxes:
        return
    west, south, east, north = (
        pick(values)
        for pick, values in zip((min, min, max, max), zip(*boxes, strict=True), strict=True)
    )
    (lon, lat), zoom = view_of((west, south, east, north), (1200, 800))
    made.location = [lat, lon]
    # Leaflet counts zoom by tiles of 256 px, MapLibre by 512.
    made.options["zoom"] = round(zoom + 1, 2)
    made.fit_bounds([[south, west], [north, east]], padding=(24, 24))
