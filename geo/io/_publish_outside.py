"""Grids outside of a plan that get a vertex, because a border inside it ends on theirs.

A draft of some communities cuts blocks up to the border of the others. Where the cut ends, the
grid on the far side has a straight edge; without the new vertex the two would no longer match
bit for bit, and a point on that edge could lie in both. So the far side gets the vertex and a row
of the new version; no ground changes hands but the rounding of the edge.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._plan_rings import Floats
from geo.io.planbook import OpenPlan

NEAR_DEG = 1e-5
"""A metre: straight lines of some kilometres in metres and in degrees differ by less."""


def match_outside(found: OpenPlan, standing: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give grids outside of a plan the vertices that edits put on their common border.

    Parameters
    ----------
    found
        The plan.
    standing
        The newest grids that the plan does not have, by `grid_id`, in EPSG:4326.

    Returns
    -------
    GeoDataFrame
        The rows of `standing` that change, with their new shapes; mostly none.
    """
    ground = found.plan.ground
    fresh = np.flatnonzero(ground.is_fixed)
    fresh = fresh[fresh >= len(found.first.ground.xy)]
    if not len(fresh) or standing.empty:
        return standing.iloc[:0]
    places = found.base.places(found.plan)[fresh]
    tree = shapely.STRtree(standing.geometry.to_numpy())
    near = tree.query(shapely.points(places), predicate="dwithin", distance=NEAR_DEG)[1]
    beside = standing.iloc[np.unique(near)]
    shapes = np.array([_with_vertices(shape, places) for shape in beside.geometry], dtype=object)
    same = shapely.equals_exact(beside.geometry.to_numpy(), shapes, tolerance=0.0)
    return beside.set_geometry(gpd.GeoSeries(shapes, index=beside.index, crs=beside.crs))[~same]


def _with_vertices(shape: shapely.Geometry, places: Floats) -> shapely.Geometry:
    """A polygon with those places as vertices that lie on its border and are none yet."""
    west, south, east, north = shape.bounds
    close = (places >= (west - NEAR_DEG, south - NEAR_DEG)).all(axis=1)
    close &= (places <= (east + NEAR_DEG, north + NEAR_DEG)).all(axis=1)
    known = {tuple(xy) for xy in shapely.get_coordinates(shape).tolist()}
    points = [tuple(xy) for xy in places[close].tolist() if tuple(xy) not in known]
    border = shapely.boundary(shape)
    points = [p for p in points if shapely.distance(border, shapely.Point(p)) < NEAR_DEG]
    if not points:
        return shape
    parts = []
    for part in shapely.get_parts(shape):
        rings = [_insert(shapely.get_coordinates(r), points) for r in shapely.get_rings(part)]
        parts.append(shapely.Polygon(rings[0], rings[1:]))
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _insert(ring: Floats, points: list[tuple[float, float]]) -> NDArray[np.float64]:
    """A closed ring with points put into the edges that they lie on."""
    sides = shapely.linestrings(np.stack([ring[:-1], ring[1:]], axis=1))
    into: dict[int, list[tuple[float, tuple[float, float]]]] = {}
    for point in points:
        away = shapely.distance(sides, shapely.Point(point))
        side = int(np.argmin(away))
        if away[side] < NEAR_DEG:
            along = float(shapely.line_locate_point(sides[side], shapely.Point(point)))
            into.setdefault(side, []).append((along, point))
    out: list[tuple[float, float]] = []
    for side, start in enumerate(ring[:-1].tolist()):
        out.append((start[0], start[1]))
        out += [point for _, point in sorted(into.get(side, []))]
    return np.array([*out, out[0]])


def parents_of_outside(rows: gpd.GeoDataFrame) -> pd.DataFrame:
    """Each of them comes from itself, with all of its households."""
    codes = pd.array(rows.index, dtype="str")
    return pd.DataFrame(
        {
            "grid_id": codes,
            "from_grid_id": codes,
            "change": pd.array(["kept"] * len(rows), dtype="str"),
            "households": rows["households"].fillna(0).astype("int64").to_numpy(),
            "share": np.where(rows["households"].fillna(0) > 0, 1.0, np.nan),
        }
    )
