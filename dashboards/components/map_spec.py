"""The map of grids as plotly takes it: shapes by address, colours as class numbers by row.

A figure holds no geometry and no text, only one small number a grid, so its size and the time to
make it follow the number of grids and nothing else. The browser's part adds the view, hatches the
grids without data, and shows name and value under the pointer.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from dash import html

from dashboards.figures import UNITS, Snapshot
from dashboards.words import Words
from layers.basemap import BELOW_DATA
from layers.choropleth import choropleth
from layers.colours import FONT_STACK, tokens
from layers.maplayer import LegendItem

RAMPS = {
    "open": "blue",
    "overdue": "violet",
    "per_1000": "blue",
    "households": "teal",
    "population": "teal",
    "assets": "blue",
}
OPACITY = 0.78
NO_CLASS = -1


@dataclass(frozen=True)
class GridMap:
    """A map of one figure: the plotly figure, its legend, and the values for the pointer."""

    spec: dict[str, Any]
    legend: tuple[LegendItem, ...]
    title: str
    unit: str


def build_grid_map(snapshot: Snapshot, figure: str, words: Words, shapes: str) -> GridMap:
    """Shade the grids by a figure.

    Parameters
    ----------
    figure
        One of `dashboards.figures.FIGURES`.
    shapes
        Address of the GeoJSON of the grids, whose features carry their row as `properties.r`.
    """
    city = snapshot.city
    unit = words(UNITS[figure])
    title = words(f"figure.{figure}.title", time=f"{snapshot.at:%H:%M}")
    values = pd.Series(snapshot.figures[figure], index=city.grids.index)
    layer = choropleth(
        city.grids, values, title=words(f"figure.{figure}"), unit=unit,
        language=words.language,
        ramp=RAMPS[figure], no_data=words("legend.nodata"),
    )  # fmt: skip
    codes = layer.features["code"].to_numpy(dtype=np.int8)
    palette = [item.colour for item in layer.legend if item.shape != "hatch"]
    colours = [tokens("night").no_data, *palette]
    steps = len(colours)
    scale = [[edge / steps, colour] for k, colour in enumerate(colours) for edge in (k, k + 1)]
    trace = {
        "type": "choroplethmap",
        "geojson": shapes,
        "featureidkey": "properties.r",
        "locations": _typed(np.arange(len(codes), dtype=np.int32)),
        "z": _typed(codes),
        "zmin": NO_CLASS - 0.5,
        "zmax": steps - 1.5,
        "colorscale": scale,
        "showscale": False,
        "hoverinfo": "none",
        "marker": {"opacity": OPACITY, "line": {"width": 0}},
        "below": BELOW_DATA,
    }
    return GridMap(
        spec={
            "data": [trace if len(codes) else _NOTHING],
            "layout": _layout(),
            "values": _typed(np.round(snapshot.figures[figure], 1).astype(np.float32)),
            "noData": np.flatnonzero(codes == NO_CLASS).tolist(),
            "unit": unit,
            "figure": words(f"figure.{figure}"),
        },
        legend=layer.legend,
        title=title,
        unit=unit,
    )


_NOTHING = {"type": "scattermap", "lon": [0], "lat": [0], "opacity": 0, "hoverinfo": "skip"}
"""plotly makes no map for a figure without a trace; the ground and the incidents need one."""


def _layout() -> dict[str, Any]:
    colours = tokens("night")
    return {
        "map": {},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "paper_bgcolor": colours.land,
        "plot_bgcolor": colours.land,
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": "pan",
        "clickmode": "event",
        "font": {"family": FONT_STACK, "color": colours.text, "size": 14},
    }


def _typed(values: np.ndarray) -> dict[str, str]:
    """Numbers as plotly's base64 typed array."""
    names = {"int8": "i1", "int32": "i4", "float32": "f4"}
    data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
    return {"dtype": names[values.dtype.name], "bdata": data}


def build_legend(grid_map: GridMap, words: Words) -> list[Any]:
    """The classes from the strongest down with how many grids each holds, and "no data" last."""
    items = [item for item in reversed(grid_map.legend) if item.shape != "hatch"]
    items += [item for item in grid_map.legend if item.shape == "hatch"]
    lines = [
        html.Li(
            [
                html.I(
                    className=f"swatch swatch-{item.shape}",
                    style={} if item.shape == "hatch" else {"background": item.colour},
                ),
                html.Span(item.label, className="legend-label"),
                html.Span("" if item.count is None else f"{item.count:,}", className="quiet"),
            ]
        )
        for item in items
    ]
    head = [
        html.Span(grid_map.spec["figure"], className="legend-title"),
        html.Span(f" ({grid_map.unit})", className="quiet"),
        html.Span(words("legend.grids"), className="quiet legend-count"),
    ]
    return [
        html.Div(head, className="legend-head"),
        html.Ul(lines, className="legend-classes"),
    ]
