"""Hatching for "no data", as lines on the ground.

Lines work the same in every renderer, on paper and without an image in the map's style. Each
shape gets its own spacing, so that the smallest grid is hatched as plainly as the largest.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from geopandas import GeoSeries

LINES_A_SHAPE = 7
"""About so many lines cross a square shape."""


def hatch_lines(shapes: GeoSeries, *, lines: int = LINES_A_SHAPE) -> GeoSeries:
    """Rule each shape with parallel lines from lower left to upper right.

    Parameters
    ----------
    shapes
        Polygons in EPSG:4326.
    lines
        About so many lines across a shape as deep as it is wide.

    Returns
    -------
    GeoSeries
        One MultiLineString a shape, indexed like `shapes`, inside the shape; empty where the
        shape is empty.
    """
    return GeoSeries([_ruled(shape, lines) for shape in shapes], index=shapes.index, crs=shapes.crs)


def _ruled(shape: shapely.Geometry | None, lines: int) -> shapely.Geometry:
    if shape is None or shape.is_empty:
        return shapely.MultiLineString()
    west, south, east, north = shape.bounds
    # A degree of longitude is shorter than one of latitude; the lines shall lean 45° on screen.
    slope = math.cos(math.radians((south + north) / 2))
    width, height = (east - west) * slope, north - south
    side = math.sqrt(max(shape.area * slope, 1e-18))
    step = side * math.sqrt(2) / lines
    offsets = np.arange(step / 2, width + height, step)
    starts = np.column_stack([west + (offsets - height) / slope, np.full(len(offsets), south)])
    ends = np.column_stack([west + offsets / slope, np.full(len(offsets), north)])
    rules = shapely.multilinestrings(shapely.linestrings(np.stack([starts, ends], axis=1)))
    cut = shapely.intersection(shape, rules)
    parts = [part for part in shapely.get_parts(cut) if part.geom_type == "LineString"]
    return shapely.MultiLineString(parts)
