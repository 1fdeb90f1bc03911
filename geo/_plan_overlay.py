"""Lay grids that somebody drew over the blocks of a plan: what moved, who is where, what to cut.

A file knows nothing of blocks. Where its rings are those of the plan but for some places, those
vertices were dragged; where a new border runs through a block, the block is to be cut; a block that
no border cuts belongs to the grid that has most of its ground. What is narrower than a metre is no
part of a block but a border drawn a little differently.
"""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.plan import Plan

SAME_M = 0.001
"""Vertices this close did not move: a file keeps degrees to a tenth of a millimetre or better."""

NARROW_M = 1.0
"""A part of a block that is nowhere wider is not cut off; half of the narrowest alley."""


def find_moved_vertices(first: Plan, grids: gpd.GeoDataFrame) -> dict[int, tuple[float, float]]:
    """Find vertices of a plan that lie elsewhere in a drawing of its grids.

    Only rings with as many vertices as the plan's, most of them where they were, tell of moves;
    vertices that a plan may not move (on the border of a community) are left out.

    Parameters
    ----------
    grids
        Polygons by `grid_id`, in the plan's CRS.

    Returns
    -------
    dict
        New x, y by vertex of the plan.
    """
    number = {tuple(xy): row for row, xy in enumerate(first.ground.xy.tolist())}
    found: dict[int, tuple[float, float]] = {}
    for name in grids.index.intersection(pd.Index(list(first.grid_rows))):
        was = _rings(first.outline(first.grid_rows[str(name)]))
        now = _rings(grids.geometry[name])
        if len(was) != len(now):
            continue
        for one in was:
            two = min(now, key=lambda ring: _apart(one, ring))
            for place, moved in _moved_places(one, two):
                row = number.get(place)
                if row is not None and not first.ground.is_fixed[row]:
                    found.setdefault(row, moved)
    return found


def _rings(shape: shapely.Geometry) -> list[NDArray[np.float64]]:
    """Rings of a polygon, the first vertex not repeated, all turning the same way."""
    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(shape)))
    return [shapely.get_coordinates(ring)[:-1] for ring in rings]


def _apart(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    return float(np.hypot(*(one.mean(axis=0) - two.mean(axis=0))))


def _moved_places(
    one: NDArray[np.float64], two: NDArray[np.float64]
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    if len(one) != len(two):
        return
    near, far = shapely.points(one), shapely.points(two)
    pair = shapely.STRtree(far).query(near, predicate="dwithin", distance=SAME_M)
    if 2 * len(np.unique(pair[0])) < len(one):
        return
    # How far the other ring's count runs ahead, by what most of the vertices say.
    shifts = (pair[1] - pair[0]) % len(one)
    shift = int(np.bincount(shifts).argmax())
    turned = np.roll(two, -shift, axis=0)
    away = np.hypot(*(turned - one).T) > SAME_M
    if 2 * int((~away).sum()) < len(one):
        return
    for row in np.flatnonzero(away).tolist():
        yield (
            (float(one[row, 0]), float(one[row, 1])),
            (float(turned[row, 0]), float(turned[row, 1])),
        )


def lay_over(plan: Plan, grids: gpd.GeoDataFrame) -> pd.Series:
    """Find the grid of a drawing that has most of each block's ground.

    Returns
    -------
    Series
        `grid_id` by `block_id`, in the plan's order; missing for a block that no grid touches.
    """
    block, grid, area = _shares(plan, grids)
    order = np.lexsort((grid, -area, block))
    first = np.unique(block[order], return_index=True)[1]
    best = order[first]
    out = np.full(len(plan.blocks), None, dtype=object)
    out[block[best]] = grids.index.to_numpy(dtype=object)[grid[best]]
    return pd.Series(out, index=pd.Index(plan.blocks.ids, name="block_id"), name="grid_id")


def _shares(
    plan: Plan, grids: gpd.GeoDataFrame
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Which block shares how many square metres with which grid."""
    shapes = plan.ground.polygons(range(len(plan.blocks)))
    drawn = grids.geometry.to_numpy()
    block, grid = shapely.STRtree(drawn).query(shapes, predicate="intersects")
    area = shapely.area(shapely.intersection(shapes[block], drawn[grid]))
    held = area > 0
    return block[held], grid[held], area[held]


def find_cut_lines(plan: Plan, grids: gpd.GeoDataFrame) -> list[tuple[str, shapely.LineString]]:
    """Find blocks that a border of a drawing crosses, and one line to cut each along.

    The line is the border of a part that another grid has, a little longer at both ends so that it
    runs from border to border. A block with several such parts comes with the first; call again on
    the plan with the cuts.
    """
    block, grid, area = _shares(plan, grids)
    drawn = grids.geometry.to_numpy()
    most = pd.Series(area).groupby(block).transform("max").to_numpy()
    found: list[tuple[str, shapely.LineString]] = []
    done: set[int] = set()
    for at in np.flatnonzero(area < most).tolist():
        row = int(block[at])
        if row in done:
            continue
        shape = plan.ground.polygon(row)
        for part in shapely.get_parts(shapely.intersection(shape, drawn[grid[at]])):
            if shapely.is_empty(shapely.buffer(part, -NARROW_M / 2)):
                continue
            line = _inner_border(part, shape)
            if line is not None:
                found.append((plan.blocks.ids[row], line))
                done.add(row)
                break
    return found


def _inner_border(part: shapely.Geometry, block: shapely.Geometry) -> shapely.LineString | None:
    """The border of a part inside its block as one line, half a metre longer at each end."""
    inner = shapely.difference(
        shapely.boundary(part), shapely.buffer(shapely.boundary(block), SAME_M)
    )
    merged = shapely.line_merge(inner) if inner.geom_type == "MultiLineString" else inner
    lines = [line for line in shapely.get_parts(merged) if line.length > 0]
    if len(lines) != 1 or lines[0].is_ring:
        return None
    places = shapely.get_coordinates(lines[0])
    head = _beyond(places[1], places[0])
    tail = _beyond(places[-2], places[-1])
    line = shapely.LineString([head, *places, tail])
    return line if line.is_simple else None


def _beyond(inner: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    side = end - inner
    return np.asarray(end + side / max(float(np.hypot(*side)), 1e-9) * NARROW_M / 2)
