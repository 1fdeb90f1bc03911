"""Draw layers with plotly, without a request to the outside.

The style is an address on our own server (see `layers.basemap`); so are, where the page has them,
the shapes (`geojson_urls`), which keeps a figure small and lets the browser cache geometry.
Colours travel as class numbers and one stepped scale. Points other than discs are drawn as text
glyphs, since plotly's own symbols need a sprite from outside.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import shapely

from layers.basemap import BELOW_DATA, BELOW_LABELS, UNDER_DATA
from layers.colours import FONT_STACK, Mood, category, sequential, tokens
from layers.hatch import hatch_lines
from layers.maplayer import MapLayer
from layers.marks import GLYPHS
from layers.oklch import with_alpha
from layers.to_geojson import shapes_to_geojson
from layers.view import view_of


def to_plotly(
    layers: Sequence[MapLayer],
    *,
    style: str | None = None,
    mood: Mood = "night",
    geojson_urls: Mapping[str, str] | None = None,
    center: tuple[float, float] | None = None,
    zoom: float | None = None,
    size_px: tuple[int, int] = (1200, 800),
    uirevision: str = "map",
    legend: bool = True,
) -> go.Figure:
    """Draw layers on one map, the first at the bottom.

    Parameters
    ----------
    layers
        What to draw.
    style
        Address of the style (`/map/style.json?…`). Without one the ground is plain, which is
        what a notebook without a server shows.
    geojson_urls
        Address of the shapes of a fill layer by layer id; the others travel inside the figure.
    center, zoom
        Longitude and latitude of the middle, and MapLibre's zoom; without them everything drawn
        is in view at `size_px`.
    legend
        Write the legend, with units, into the lower right; a page that has its own says no.
    uirevision
        While it stays the same, an update of the figure leaves the reader's view as it is.

    Returns
    -------
    Figure
        Without mode bar clutter or margins; pass `PLOT_CONFIG` as the config of the graph.
    """
    urls = geojson_urls or {}
    figure = go.Figure()
    for layer in layers:
        figure.add_traces(layer_traces(layer, geojson=urls.get(layer.id), outline=style is None))
    if layers and (center is None or zoom is None):
        boxes = np.array([layer.bounds for layer in layers if len(layer)]).reshape(-1, 4)
        if len(boxes):
            bounds = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))
            fitted_center, fitted_zoom = view_of(bounds, size_px)
            center, zoom = center or fitted_center, fitted_zoom if zoom is None else zoom
    figure.update_layout(
        map_layout(style, mood=mood, center=center, zoom=zoom, uirevision=uirevision)
    )
    told = [layer for layer in layers if layer.legend]
    if legend and told:
        figure.add_annotation(legend_note(told, mood))
    return figure


PLOT_CONFIG: dict[str, Any] = {
    "displayModeBar": False,
    "displaylogo": False,
    "scrollZoom": True,
    "doubleClick": False,
    "responsive": True,
}
"""The `config` of every map's graph: no mode bar, wheel zooms, no logo."""


def notebook_html(figure: go.Figure, *, height_px: int = 640) -> str:
    """Write a figure as a piece of HTML with plotly inside it (5 MB), for a notebook offline.

    It needs a page that a server gave, as notebooks are: in a page opened from a file, browsers
    refuse the worker that plotly's maps start, and the map stays empty. For files there is
    `layers.to_folium`.
    """
    return str(
        figure.to_html(
            config=PLOT_CONFIG,
            include_plotlyjs=True,
            include_mathjax=False,
            full_html=False,
            default_height=f"{height_px}px",
        )
    )


def map_layout(
    style: str | None,
    *,
    mood: Mood = "night",
    center: tuple[float, float] | None = None,
    zoom: float | None = None,
    uirevision: str = "map",
) -> dict[str, Any]:
    """The layout of a map figure: no margins, our ground, hover labels in our colours."""
    colours = tokens(mood)
    view: dict[str, Any] = {"style": style or _plain_style(mood), "uirevision": uirevision}
    if center is not None:
        view["center"] = {"lon": center[0], "lat": center[1]}
    if zoom is not None:
        view["zoom"] = zoom
    return {
        "map": view,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "paper_bgcolor": colours.land,
        "plot_bgcolor": colours.land,
        "showlegend": False,
        "uirevision": uirevision,
        "hovermode": "closest",
        "clickmode": "event",
        "dragmode": "pan",
        "hoverlabel": _hover_label(mood),
        "font": {"family": FONT_STACK, "color": colours.text, "size": 14},
    }


def legend_note(layers: Sequence[MapLayer], mood: Mood) -> dict[str, Any]:
    """The legend of layers as one annotation: titles with units, marks, words and counts."""
    colours = tokens(mood)
    lines = []
    for layer in layers:
        unit = f" <span style='color:{colours.quiet}'>{_escape(layer.unit)}</span>"
        lines.append(f"<b>{_escape(layer.title)}</b>{unit if layer.unit else ''}")
        for item in layer.legend:
            mark = _LEGEND_GLYPHS.get(item.shape) or GLYPHS[item.shape]
            count = "" if item.count is None else f" · {item.count:,}"
            lines.append(
                f"<span style='color:{item.colour}'>{mark}</span>  {_escape(item.label)}"
                f"<span style='color:{colours.quiet}'>{count}</span>"
            )
        if layer.note:
            lines.append(f"<span style='color:{colours.quiet}'>{_escape(layer.note)}</span>")
        lines.append("")
    return {
        "text": "<br>".join(lines[:-1]),
        "showarrow": False,
        "align": "left",
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "y": 0,
        "xanchor": "right",
        "yanchor": "bottom",
        "xshift": -12,
        "yshift": 12,
        "bgcolor": with_alpha(colours.panel, 0.94),
        "bordercolor": colours.line,
        "borderpad": 10,
        "font": {"family": FONT_STACK, "size": 13, "color": colours.text},
    }


def layer_traces(
    layer: MapLayer,
    *,
    geojson: str | dict[str, Any] | None = None,
    outline: bool = False,
) -> list[Any]:
    """The traces of one layer.

    `geojson` is the address (or dict) of a fill layer's shapes; `outline` draws their borders,
    for a map without a style that has them.
    """
    if len(layer) == 0:
        return []
    if layer.kind == "fill":
        return fill_traces(layer, geojson=geojson, outline=outline)
    if layer.kind == "line":
        return line_traces(layer)
    return point_traces(layer)


def fill_traces(
    layer: MapLayer,
    *,
    geojson: str | dict[str, Any] | None = None,
    hatch: bool = True,
    outline: bool = False,
) -> list[Any]:
    """One choropleth and, where a shape has no data and `hatch` is set, its hatching."""
    border = {
        "width": 0.7 if outline and not layer.under else 0,
        "color": tokens(layer.mood).border_casing,
    }
    features = layer.features
    palette, codes = np.unique(features["fill"].to_numpy(dtype=str), return_inverse=True)
    count = len(palette)
    scale = [
        [edge / count, colour]
        for i, colour in enumerate(palette)
        for edge in (i, i + 1)
    ]  # fmt: skip
    shapes = geojson or json.loads(shapes_to_geojson(features))
    traces: list[Any] = [
        go.Choroplethmap(
            name=layer.id,
            geojson=shapes,
            featureidkey="id",
            locations=[str(label) for label in features.index],
            z=codes.astype(np.int8),
            zmin=-0.5,
            zmax=count - 0.5,
            colorscale=scale,
            showscale=False,
            marker={"opacity": layer.opacity, "line": border},
            below=UNDER_DATA if layer.under else BELOW_DATA,
            **(_SILENT if layer.under else _spoken(layer, "text")),
        )
    ]
    unknown = features[features["code"] < 0] if "code" in features.columns else features.iloc[:0]
    if hatch and len(unknown):
        lon, lat = _line_coordinates(hatch_lines(unknown.geometry).to_numpy())
        traces.append(
            go.Scattermap(
                name=f"{layer.id}-no-data",
                mode="lines",
                lon=lon,
                lat=lat,
                line={"width": 1, "color": tokens(layer.mood).no_data_hatch},
                opacity=0.8,
                below=BELOW_DATA,
                **_SILENT,
            )
        )
    return traces


def line_traces(layer: MapLayer) -> list[Any]:
    """Two traces for each line feature: its casing and the line."""
    casing = tokens(layer.mood).border_casing
    traces: list[Any] = []
    # The last row is the lightest level; it goes first so that the heavier ones lie on top.
    for label, row in reversed(list(layer.features.iterrows())):
        lon, lat = _line_coordinates(np.array([row[layer.features.geometry.name]]))
        width = float(row.get("width", 1.5))
        common = {"mode": "lines", "lon": lon, "lat": lat, **_SILENT}
        common["below"] = UNDER_DATA if layer.under else BELOW_LABELS
        traces.append(
            go.Scattermap(
                name=f"{layer.id}-{label}-casing",
                line={"width": width + 1.4, "color": with_alpha(casing, 0.6)},
                **common,
            )
        )
        traces.append(
            go.Scattermap(
                name=f"{layer.id}-{label}",
                line={"width": width, "color": row["fill"]},
                opacity=float(row.get("opacity", 1.0)),
                **common,
            )
        )
    return traces


def point_traces(layer: MapLayer) -> list[Any]:
    """For each shape and colour a disc on a dark casing, and the shape as a glyph inside.

    The disc is always drawn. plotly gives text no way to overlap, so where marks crowd, a glyph
    may give way to its neighbour's; a mark never does. Hollow shapes have a dark inside.
    """
    features = layer.features
    shapes = features["shape"] if "shape" in features.columns else "disc"
    sizes = features["size"] if "size" in features.columns else 10.0
    frame = features.assign(_shape=shapes, _size=sizes)
    traces: list[Any] = []
    for (shape, colour), rows in frame.groupby(["_shape", "fill"], sort=False):
        common = {
            "lon": shapely.get_x(rows.geometry.to_numpy()),
            "lat": shapely.get_y(rows.geometry.to_numpy()),
            "below": BELOW_LABELS,
        }
        shown = {
            "name": f"{layer.id}-{shape}",
            "ids": [str(label) for label in rows.index],
            **_spoken(layer, "hovertext", rows["hover"]),
        }
        casing = tokens(layer.mood).border_casing
        parts = _mark_parts(str(shape), float(rows["_size"].iloc[0]), str(colour), casing)
        for n, part in enumerate(parts):
            traces.append(go.Scattermap(**common, **(shown if n == 1 else _SILENT), **part))
    return traces


def _mark_parts(shape: str, size: float, colour: str, casing: str) -> list[dict[str, Any]]:
    """Casing, disc, and what stands inside it, from below."""
    plain = shape in ("disc", "ring")
    width = size if plain else max(size, 12.0)
    hollow = shape.startswith("hollow-") or shape in ("ring", "target")
    parts = [_disc(width + 3, casing), _disc(width, colour)]
    if hollow:
        parts.append(_disc(width - 4, casing))
    if shape == "target":
        parts.append(_disc(width - 8, colour))
    elif not plain:
        glyph = {"size": width * 0.62, "color": colour if hollow else casing}
        parts.append({"mode": "text", "text": GLYPHS[shape], "textfont": glyph})
    return parts


def _disc(size: float, colour: str) -> dict[str, Any]:
    return {"mode": "markers", "marker": {"size": size, "color": colour}}


def chart_template(mood: Mood = "night") -> go.layout.Template:
    """The look of every chart: quiet grid, no white zero lines, our fonts and colours."""
    colours = tokens(mood)
    axis = {
        "gridcolor": colours.line,
        "gridwidth": 1,
        "griddash": "dot",
        "linecolor": colours.line,
        "zerolinecolor": colours.line,
        "zerolinewidth": 1,
        "zeroline": True,
        "showline": False,
        "ticks": "",
        "tickfont": {"color": colours.quiet, "size": 12},
        "title": {"font": {"color": colours.quiet, "size": 12}, "standoff": 8},
        "automargin": True,
    }
    ramp = sequential(mood, 7)
    return go.layout.Template(
        layout={
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT_STACK, "color": colours.text, "size": 14},
            "title": {"font": {"size": 20, "color": colours.text}, "x": 0, "xanchor": "left"},
            "colorway": list(category(mood)),
            "colorscale": {
                "sequential": [[i / 6, colour] for i, colour in enumerate(ramp)],
            },
            "xaxis": {**axis, "showgrid": False, "showline": True, "zeroline": False},
            "yaxis": axis,
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"color": colours.quiet, "size": 12},
                "bgcolor": "rgba(0,0,0,0)",
            },
            "margin": {"l": 8, "r": 8, "t": 32, "b": 8},
            "hoverlabel": _hover_label(mood),
            "hovermode": "x unified",
            "separators": ".,",
            "bargap": 0.35,
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": colours.quiet,
                "activecolor": colours.accent,
            },
        },
        data={
            "bar": [{"marker": {"line": {"width": 0}, "cornerradius": 2}}],
            "scatter": [{"line": {"width": 2, "shape": "linear"}, "marker": {"size": 6}}],
        },
    )


_LEGEND_GLYPHS: Mapping[str, str] = {"fill": "■", "hatch": "▨", "line": "━"}
_SILENT: Mapping[str, Any] = {"hoverinfo": "skip"}


def _spoken(layer: MapLayer, name: str, texts: Sequence[str] | None = None) -> dict[str, Any]:
    """The hover texts of a trace, in its argument `name`."""
    return {
        name: _as_html(layer.features["hover"] if texts is None else texts),
        "hovertemplate": f"%{{{name}}}<extra></extra>",
        "hoverlabel": _hover_label(layer.mood),
    }


def _hover_label(mood: Mood) -> dict[str, Any]:
    colours = tokens(mood)
    return {
        "bgcolor": colours.panel,
        "bordercolor": colours.line,
        "font": {"family": FONT_STACK, "size": 14, "color": colours.text},
        "align": "left",
    }


def _plain_style(mood: Mood) -> dict[str, Any]:
    """A ground and the two anchors only, for a figure without a server."""
    ground = {"id": "land", "type": "background", "paint": {"background-color": tokens(mood).land}}
    anchors = [
        {"id": name, "type": "background", "layout": {"visibility": "none"}}
        for name in (UNDER_DATA, BELOW_DATA, BELOW_LABELS)
    ]
    return {"version": 8, "sources": {}, "layers": [ground, *anchors]}


def _as_html(texts: Sequence[str]) -> list[str]:
    """Hover texts for plotly, which reads tags: everything escaped, the first line bold."""
    result = []
    for text in texts:
        head, *rest = _escape(text).split("\n")
        result.append("<br>".join([f"<b>{head}</b>", *rest]))
    return result


def _escape(text: object) -> str:
    return html.escape(str(text), quote=False)


def _line_coordinates(shapes: np.ndarray) -> tuple[list[float | None], list[float | None]]:
    """Longitudes and latitudes of all lines in one list each, a gap after every line."""
    lon: list[float | None] = []
    lat: list[float | None] = []
    for line in shapely.get_parts(shapes):
        xy = np.round(shapely.get_coordinates(line), 6)
        lon += [*xy[:, 0].tolist(), None]
        lat += [*xy[:, 1].tolist(), None]
    return lon, lat
