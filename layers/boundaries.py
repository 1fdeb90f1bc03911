"""Boundaries by level: one line on the ground is drawn once, at the weight of its highest level.

District 3 px, street 2, community 1.2, grid 0.6, each on a faint casing, so that levels read
without colour. A border that is both a district's and a street's is a district's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame, GeoSeries

from layers.colours import Mood, tokens
from layers.maplayer import LegendItem, MapLayer
from layers.words import Language, word

WIDTHS: Mapping[str, float] = {
    "city": 3.0,
    "district": 3.0,
    "street": 2.0,
    "community": 1.2,
    "grid": 0.6,
}
"""Widths in px at zoom 12, from the design; levels from the top down."""

OPACITIES: Mapping[str, float] = {
    "city": 0.9,
    "district": 0.85,
    "street": 0.7,
    "community": 0.55,
    "grid": 0.35,
}


def boundary_lines(divisions: GeoDataFrame, grids: GeoDataFrame | None = None) -> GeoDataFrame:
    """Find the lines between divisions, each once at its highest level.

    Parameters
    ----------
    divisions
        Polygons with a `level` column; rows without a polygon are left out.
    grids
        Grid polygons in the same CRS; without them there is no level `grid`.

    Returns
    -------
    GeoDataFrame
        One row a level that has lines of its own, from the top down, indexed by `level`, with
        `width` (px) and one MultiLineString each, in the CRS of `divisions`.
    """
    layers = {
        level: divisions.geometry[divisions["level"] == level]
        for level in WIDTHS
        if level != "grid"
    }
    if grids is not None:
        layers["grid"] = grids.geometry
    known: set[tuple[float, ...]] = set()
    rows: dict[str, shapely.Geometry] = {}
    for level, shapes in layers.items():
        segments = _segments(shapes)
        fresh = [i for i, key in enumerate(map(tuple, segments)) if key not in known]
        if not fresh:
            continue
        segments = segments[fresh]
        known.update(map(tuple, segments))
        lines = shapely.line_merge(
            shapely.multilinestrings(shapely.linestrings(segments.reshape(-1, 2, 2)))
        )
        rows[level] = (
            lines if lines.geom_type == "MultiLineString" else shapely.multilinestrings([lines])
        )
    return GeoDataFrame(
        {"width": [WIDTHS[level] for level in rows]},
        index=pd.Index(list(rows), name="level"),
        geometry=GeoSeries(list(rows.values()), index=list(rows), crs=divisions.crs).to_numpy(),
        crs=divisions.crs,
    )


def boundaries(
    divisions: GeoDataFrame,
    grids: GeoDataFrame | None = None,
    *,
    title: str,
    mood: Mood = "night",
    language: Language = "zh",
    words: Mapping[str, str] | None = None,
    id: str = "boundaries",
) -> MapLayer:
    """Draw the lines between divisions (and grids) with the weight of their level."""
    lines = boundary_lines(divisions, grids)
    colour = tokens(mood).border
    names = [word(f"boundary.{level}", language, words) for level in lines.index]
    features = GeoDataFrame(
        {
            "fill": colour,
            "hover": names,
            "width": lines["width"],
            "opacity": [OPACITIES[level] for level in lines.index],
            "group": lines.index,
        },
        index=lines.index,
        geometry=lines.geometry.to_numpy(),
        crs=lines.crs,
    )
    legend = tuple(
        LegendItem(name, colour, "line", width=width)
        for name, width in zip(names, lines["width"], strict=True)
    )
    return MapLayer(id, title, "line", features, legend, mood=mood)


def _segments(shapes: GeoSeries) -> np.ndarray:
    """All different two-point pieces of the borders, as rows x1, y1, x2, y2, smaller end first."""
    present = shapes[~(shapes.is_empty | shapes.isna())]
    lines = shapely.get_parts(shapely.boundary(present.to_numpy()))
    if len(lines) == 0:
        return np.empty((0, 4))
    xy, line = shapely.get_coordinates(lines, return_index=True)
    same = line[:-1] == line[1:]
    pieces = np.hstack([xy[:-1][same], xy[1:][same]])
    turned = (pieces[:, 0] > pieces[:, 2]) | (
        (pieces[:, 0] == pieces[:, 2]) & (pieces[:, 1] > pieces[:, 3])
    )
    pieces[turned] = pieces[turned][:, [2, 3, 0, 1]]
    return np.unique(pieces, axis=0)
