"""The one point that stands for a thing: where it counts, is drawn, and is measured from.

A point stands for itself. A line stands at its middle, halfway along it (of several parts along
the longest, of equal ones the first): a place on the line, not beside it. A polygon stands at a
point inside it. So a railing that runs through three grids counts in the one that holds its
middle, exactly one, and every page and list speaks of the same place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]


def find_anchors(shapes: npt.ArrayLike) -> npt.NDArray[Any]:
    """Find the point of each shape.

    Parameters
    ----------
    shapes
        Points, lines and polygons, single or of several parts, in degrees (EPSG:4326).

    Returns
    -------
    array
        One point a shape, in their order; None where there is no shape, or an empty one. Halfway
        is by length on the ground, with a degree of longitude shortened by the cosine of the
        latitude in the middle of the line.
    """
    given = np.atleast_1d(np.asarray(shapes, dtype=object))
    out = np.full(given.shape, None, dtype=object)
    there = ~(shapely.is_missing(given) | shapely.is_empty(given))
    kinds = shapely.get_type_id(given)
    single = there & (kinds == 0)
    out[single] = given[single]
    lines = there & np.isin(kinds, (1, 2, 5))
    if lines.any():
        out[lines] = _halfway(_longest_parts(given[lines]))
    rest = there & ~single & ~lines
    if rest.any():
        out[rest] = shapely.point_on_surface(given[rest])
    return out


def anchor_coordinates(shapes: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Longitude and latitude of `find_anchors`, not-a-number where there is no shape."""
    points = find_anchors(shapes)
    return shapely.get_x(points), shapely.get_y(points)


def _longest_parts(lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each line, or of several parts the longest, by degrees squeezed as in `_halfway`."""
    parts, owner = shapely.get_parts(lines, return_index=True)
    if len(parts) == len(lines):
        return np.asarray(parts, dtype=object)
    length = shapely.length(_squeeze(parts, _cosines(lines)[owner]))
    # By line, the longest first; equal parts keep their order.
    order = np.lexsort((-length, owner))
    first = np.searchsorted(owner[order], np.arange(len(lines)))
    return np.asarray(parts[order[first]], dtype=object)


def _halfway(lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    cosines = _cosines(lines)
    middle = shapely.line_interpolate_point(_squeeze(lines, cosines), 0.5, normalized=True)
    return np.asarray(shapely.points(shapely.get_x(middle) / cosines, shapely.get_y(middle)))


def _squeeze(lines: npt.NDArray[Any], cosines: Floats) -> npt.NDArray[Any]:
    """Lines with their longitudes as long as they are on the ground, beside their latitudes."""
    flat = shapely.force_2d(lines)
    places, owner = shapely.get_coordinates(flat, return_index=True)
    places[:, 0] *= cosines[owner]
    return np.asarray(shapely.set_coordinates(flat.copy(), places), dtype=object)


def _cosines(lines: npt.NDArray[Any]) -> Floats:
    bounds = shapely.bounds(lines)
    latitude = np.clip((bounds[:, 1] + bounds[:, 3]) / 2, -89.9, 89.9)
    return np.asarray(np.cos(np.radians(latitude)))
