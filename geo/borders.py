"""The straight pieces of border between the polygons of a cover, and who stands on each side.

Shared pieces are matched by their vertices, exactly. What is left over (T-junctions, vertices up to
a centimetre apart) is measured along the line. Polygons that touch in a point share no border.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.datum import require_metres

NEAR_M = 0.01
"""Borders of two polygons within a centimetre of each other are one; survey data is no finer."""

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def find_borders(cover: gpd.GeoDataFrame) -> pd.DataFrame:
    """Find every straight piece of border between two polygons.

    Parameters
    ----------
    cover
        Polygons in metres, without overlaps.

    Returns
    -------
    DataFrame
        `left`, `right` (row numbers of `cover`, the smaller first), `length_m`, and the middle of
        the piece as `x`, `y` in the CRS of the cover; a pair has as many rows as pieces.

    Raises
    ------
    CrsError
        If the cover is not in metres.
    """
    require_metres(cover=cover)
    ends, owner = find_segments(cover.geometry.to_numpy())
    one, two, is_alone = match_segments(ends, owner)
    side = ends[one, 1] - ends[one, 0]
    pieces = [
        (owner[one], owner[two], np.hypot(side[:, 0], side[:, 1]), ends[one].mean(axis=1)),
        _along(ends[is_alone], owner[is_alone]),
    ]
    first, second, length, middle = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return pd.DataFrame(
        {
            "left": np.minimum(first, second),
            "right": np.maximum(first, second),
            "length_m": length,
            "x": middle[:, 0],
            "y": middle[:, 1],
        }
    )


def find_segments(shapes: NDArray[np.object_]) -> tuple[Floats, Rows]:
    """Find the segments of all rings as (n, 2, 2), the lexically smaller end first, and whose."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    same = of_ring[1:] == of_ring[:-1]
    ends = np.stack([xy[:-1][same], xy[1:][same]], axis=1)
    flip = (ends[:, 0, 0] > ends[:, 1, 0]) | (
        (ends[:, 0, 0] == ends[:, 1, 0]) & (ends[:, 0, 1] > ends[:, 1, 1])
    )
    ends[flip] = ends[flip, ::-1]
    real = (ends[:, 0] != ends[:, 1]).any(axis=1)
    return ends[real], owner[of_part[of_ring[:-1][same]]][real]


def match_segments(ends: Floats, owner: Rows) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """Pair segments with the same two ends and different owners; the last marks those without."""
    flat = ends.reshape(-1, 4)
    order = np.lexsort(flat.T[::-1])
    same = (flat[order[1:]] == flat[order[:-1]]).all(axis=1)
    same &= owner[order[1:]] != owner[order[:-1]]
    one, two = order[:-1][same], order[1:][same]
    is_alone = np.ones(len(flat), dtype=bool)
    is_alone[one] = is_alone[two] = False
    return one, two, is_alone


def _along(ends: Floats, owner: Rows) -> tuple[Rows, Rows, Floats, Floats]:
    """Stretches along which segments of different polygons run within NEAR_M of each other."""
    none = np.empty(0, dtype=np.intp)
    if len(ends) < 2:
        return none, none, np.empty(0), np.empty((0, 2))
    lines = shapely.linestrings(ends)
    one, two = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=NEAR_M)
    keep = (one < two) & (owner[one] != owner[two])
    one, two = one[keep], two[keep]
    # Measure along the longer of the two.
    size = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    swap = size[one] < size[two]
    one, two = np.where(swap, two, one), np.where(swap, one, two)
    start = ends[one, 0]
    way = (ends[one, 1] - start) / size[one, None]
    other = ends[two] - start[:, None]
    along = (other * way[:, None]).sum(axis=2)
    aside = other[:, :, 0] * way[:, None, 1] - other[:, :, 1] * way[:, None, 0]
    low, high = along.min(axis=1), along.max(axis=1)
    low_cut, high_cut = np.clip(low, 0, size[one]), np.clip(high, 0, size[one])
    length = high_cut - low_cut
    # Within the common stretch the second line must stay near: linear, so its two ends decide.
    span = np.where(high > low, high - low, 1.0)
    first_low = along[:, 0] <= along[:, 1]
    at_low = np.where(first_low, aside[:, 0], aside[:, 1])
    at_high = np.where(first_low, aside[:, 1], aside[:, 0])
    near_low = np.abs(at_low + (at_high - at_low) * (low_cut - low) / span) <= NEAR_M
    near_high = np.abs(at_low + (at_high - at_low) * (high_cut - low) / span) <= NEAR_M
    good = near_low & near_high & (length > 0)
    middle = start + way * ((low_cut + high_cut) / 2)[:, None]
    return owner[one[good]], owner[two[good]], length[good], middle[good]
