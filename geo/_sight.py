"""What stands between a camera and the ground: walls of buildings as seen from one point.

All in metres of a plane that touches the ellipsoid at the point (`geo._metres.degree_m`), the point
being the origin. A building hides what is behind it whatever its height, since no table tells the
height of a camera; one that stands at the point itself (nearer than `OWN_WALL_M`) is what the
camera hangs on and hides nothing. Public names are handed on by `geo.views`.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo._metres import Floats, box_around, degree_m

OWN_WALL_M = 1.0
"""A camera on a bracket hangs within a metre of its wall; our assumption."""

_TOUCH_M = 0.01
"""A line that goes no deeper into a building than that only touches it."""

_ASIDE = 1e-6
"""Radians by which a ray passes a corner on either side: 0.2 mm at 200 m."""

Shapes = NDArray[np.object_]


class Walls:
    """Buildings that may stand in the way, found by a box."""

    def __init__(self, shapes: Shapes) -> None:
        there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        self._shapes: Shapes = shapes[there & (shapely.get_dimensions(shapes) == 2)]
        self._tree = shapely.STRtree(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def around(self, lon: float, lat: float, radius_m: float) -> Shapes:
        """Buildings that reach into a circle, in metres from the middle; those at it left out."""
        if not len(self._shapes):
            return self._shapes
        hits = self._tree.query(shapely.box(*box_around(lon, lat, radius_m)))
        flat = flatten(self._shapes[np.sort(hits)], lon, lat)
        metres = shapely.distance(shapely.Point(0.0, 0.0), flat)
        near: Shapes = flat[(metres >= OWN_WALL_M) & (metres <= radius_m)]
        return near


def flatten(shapes: Shapes, lon: float, lat: float) -> Shapes:
    """Shapes in degrees as metres east and north of a place."""
    scale = np.array(degree_m(lat))
    flat: Shapes = shapely.transform(shapes, lambda xy: (xy - np.array([lon, lat])) * scale)
    return flat


def is_hidden(
    lon: float, lat: float, lons: Floats, lats: Floats, walls: Walls
) -> NDArray[np.bool_]:
    """Tell for each of several cameras whether a building stands between it and a place.

    The building in which the place itself is hides nothing: asked is the way to it.
    """
    hidden = np.zeros(len(lons), dtype=bool)
    if not len(lons) or not len(walls):
        return hidden
    east, north = degree_m(lat)
    x, y = (lons - lon) * east, (lats - lat) * north
    far = float(np.hypot(x, y).max(initial=0.0))
    flat = walls.around(lon, lat, far)
    if not len(flat):
        return hidden
    starts = shapely.points(x, y)
    ends = np.zeros((len(x), 2, 2))
    ends[:, 0, 0], ends[:, 0, 1] = x, y
    lines = shapely.linestrings(ends)
    rows, hits = shapely.STRtree(shapely.buffer(flat, -_TOUCH_M)).query(lines, "intersects")
    own = shapely.distance(starts[rows], flat[hits]) < OWN_WALL_M
    hidden[rows[~own]] = True
    return hidden


def open_ground(
    turns: Floats, reach: float, flat: Shapes, *, is_full: bool
) -> shapely.Polygon | shapely.MultiPolygon:
    """The part of a sector that no wall hides, in metres from the camera.

    Parameters
    ----------
    turns
        Directions of the corners of the arc, degrees clockwise from north, falling.
    reach
        How far the camera sees, metres.
    flat
        Buildings in metres from the camera, which is in none of them.
    is_full
        A whole turn: the camera itself is no corner then.
    """
    edges = _edges(flat)
    angles = _rays(np.radians(turns), edges, reach, is_full=is_full)
    metres = _first_wall_m(angles, edges, reach)
    ring = np.column_stack([metres * np.sin(angles), metres * np.cos(angles)])
    if not is_full:
        ring = np.vstack([[0.0, 0.0], ring])
    seen = shapely.Polygon(ring)
    return seen if seen.is_valid else shapely.buffer(seen, 0.0)


def _edges(flat: Shapes) -> NDArray[np.float64]:
    """All sides of the buildings: x, y of one end and of the other."""
    parts = [
        np.hstack([ring[:-1], ring[1:]])
        for ring in (shapely.get_coordinates(r) for r in shapely.get_rings(shapely.get_parts(flat)))
    ]
    return np.vstack(parts) if parts else np.empty((0, 4))


def _rays(
    turns: Floats, edges: NDArray[np.float64], reach: float, *, is_full: bool
) -> NDArray[np.float64]:
    """Directions to look into: the corners of the arc, and just beside each corner of a wall."""
    corners = edges[:, :2]
    corners = corners[np.hypot(corners[:, 0], corners[:, 1]) <= reach * 1.001]
    found = np.arctan2(corners[:, 0], corners[:, 1])
    high, low = float(turns[0]), float(turns[-1])
    beside = np.concatenate([found - _ASIDE, found + _ASIDE])
    # Into the turn that ends at `high`: an angle is the same a whole turn later.
    beside = high - np.mod(high - beside, 2 * np.pi)
    if not is_full:
        beside = beside[beside > low]
    return np.unique(np.concatenate([turns, beside, _crossings(edges, reach, high, low)]))[::-1]


def _crossings(
    edges: NDArray[np.float64], reach: float, high: float, low: float
) -> NDArray[np.float64]:
    """Directions in which a wall leaves the circle of the view."""
    if not len(edges):
        return np.empty(0)
    start, way = edges[:, :2], edges[:, 2:] - edges[:, :2]
    a = (way**2).sum(axis=1)
    b = 2 * (start * way).sum(axis=1)
    c = (start**2).sum(axis=1) - reach**2
    root = b**2 - 4 * a * c
    cuts = (root > 0) & (a > 0)
    roots = [(-b[cuts] + sign * np.sqrt(root[cuts])) / (2 * a[cuts]) for sign in (-1, 1)]
    share = np.concatenate(roots)
    both = np.concatenate([np.flatnonzero(cuts)] * 2)
    on_it = (share >= 0) & (share <= 1)
    points = start[both[on_it]] + share[on_it, None] * way[both[on_it]]
    angles = high - np.mod(high - np.arctan2(points[:, 0], points[:, 1]), 2 * np.pi)
    found: NDArray[np.float64] = angles[angles >= low]
    return found


def _first_wall_m(
    angles: NDArray[np.float64], edges: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """Metres along each ray to the first wall, or to the end of the view."""
    metres = np.full(len(angles), reach)
    if not len(edges):
        return metres
    ray = np.column_stack([np.sin(angles), np.cos(angles)])
    start, way = edges[:, :2], edges[:, 2:] - edges[:, :2]
    # ray * t = start + way * u, solved by cross products for all rays and sides at once
    across = ray[:, :1] * way[:, 1] - ray[:, 1:] * way[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (start[:, 0] * way[:, 1] - start[:, 1] * way[:, 0]) / across
        u = (start[:, 0] * ray[:, 1:] - start[:, 1] * ray[:, :1]) / across
    meets = np.isfinite(t) & (t > 0) & (u >= 0) & (u <= 1)
    found: NDArray[np.float64] = np.minimum(metres, np.where(meets, t, np.inf).min(axis=1))
    return found
