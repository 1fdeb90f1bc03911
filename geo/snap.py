"""Snap drawn places to what is there already: to a vertex first, else to a street.

A vertex within reach wins over a street that is nearer, because borders that meet in a vertex share
it, while a hair beside it they would not. Of several equally near the first row wins. A place moves
no farther than the reach, and one that has nothing near stays where it was drawn. What is called a
street here is any line of the table roads: rivers and railways bound grids as well as streets do.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
import shapely.ops
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from geo.datum import require_metres
from geo.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.object_]

VERTEX, STREET, NOTHING = "vertex", "street", ""
"""What a place was snapped to."""

SAME_M = 0.01
"""Ends of streets this close are one crossing (as in `geo.seams`)."""

DETOUR = 1.6
"""A way along streets more than this much longer than the straight line is not what was meant.

Around one corner of a right-angled block it is at most 1.41; our assumption.
"""

MARGIN_M = 150.0
"""Streets this far outside the box of two places may be part of the way; our assumption, a block.
"""


@dataclass(frozen=True, eq=False)
class Snapped:
    """Places after snapping, in the order in which they were given."""

    xy: Floats
    """x, y in metres, (n, 2)."""
    to: Words
    """`vertex`, `street` or empty, (n,)."""
    row: Ints
    """Row of that vertex or street, -1 for none, (n,)."""


def lines_in(
    roads: gpd.GeoDataFrame, box: tuple[float, float, float, float]
) -> tuple[Ints, list[shapely.LineString]]:
    """Find what of the streets lies in a box (west, south, east, north, in the CRS of `roads`).

    Returns
    -------
    tuple
        Row of the street and the piece of it, for each piece; a street that leaves the box and
        comes back has several. Rows ascend.
    """
    west, south, east, north = box
    if not np.isfinite(box).all() or west > east or south > north:
        raise InputError(f"box is {box}, not west, south, east, north: put them in that order")
    shapes = roads.geometry.to_numpy()
    near = np.sort(roads.sindex.query(shapely.box(west, south, east, north)))
    clipped = shapely.clip_by_rect(shapes[near], west, south, east, north)
    parts, at = shapely.get_parts(clipped, return_index=True)
    long = (shapely.get_dimensions(parts) == 1) & (shapely.length(parts) > 0)
    return near[at[long]].astype(np.int64), list(parts[long])


class Streets:
    """Lines to snap to and to go along, with an index.

    Parameters
    ----------
    roads
        Lines in metres; empty and missing ones are passed over.

    Raises
    ------
    CrsError
        If `roads` is not in metres.
    """

    def __init__(self, roads: gpd.GeoDataFrame) -> None:
        require_metres(roads=roads)
        shapes = roads.geometry.to_numpy()
        usable = np.array([shape is not None and not shape.is_empty for shape in shapes], bool)
        self._row = np.flatnonzero(usable).astype(np.int64)
        self._lines = shapes[usable]
        self._tree = shapely.STRtree(self._lines)

    def snap(self, xy: Floats, within_m: float, vertices: Floats | None = None) -> Snapped:
        """Snap places to vertices and streets.

        Parameters
        ----------
        xy
            Places in metres, (n, 2).
        within_m
            Reach in metres, borders included; 0 snaps only what lies on something already.
        vertices
            Places of vertices in metres, (m, 2); without any, streets only.

        Raises
        ------
        InputError
            If a place is not a number, or the reach is negative.
        """
        places = np.asarray(xy, dtype=np.float64).reshape(-1, 2).copy()
        if not np.isfinite(places).all():
            raise InputError("xy has a place that is not a number: leave it out")
        if not within_m >= 0:
            raise InputError(f"within_m is {within_m}: give metres, 0 or more")
        to = np.full(len(places), NOTHING, dtype=object)
        row = np.full(len(places), -1, dtype=np.int64)
        self._snap_to_streets(places, within_m, to, row)
        if vertices is not None and len(vertices):
            drawn = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
            spots = np.asarray(vertices, dtype=np.float64).reshape(-1, 2)
            at, near = _nearest(shapely.STRtree(shapely.points(spots)), drawn, within_m)
            places[at], to[at], row[at] = spots[near], VERTEX, near
        return Snapped(places, to, row)

    def _snap_to_streets(self, places: Floats, within_m: float, to: Words, row: Ints) -> None:
        at, near = _nearest(self._tree, places, within_m)
        if not len(at):
            return
        lines, points = self._lines[near], shapely.points(places[at])
        on = shapely.line_interpolate_point(lines, shapely.line_locate_point(lines, points))
        places[at] = shapely.get_coordinates(on)
        to[at], row[at] = STREET, self._row[near]

    def follow(
        self, start: Sequence[float], end: Sequence[float], *, most: float = DETOUR
    ) -> shapely.LineString | None:
        """Find the shortest way along streets from one place on a street to another.

        Parameters
        ----------
        start, end
            x, y in metres, on streets (`snap` puts them there) or within a centimetre.
        most
            How much longer than the straight line the way may be.

        Returns
        -------
        LineString or None
            None if a place is on no street, or no way is short enough; then go straight.
        """
        first, last = shapely.Point(start), shapely.Point(end)
        straight = float(first.distance(last))
        if straight <= SAME_M:
            return None
        margin = max(MARGIN_M, straight / 2)
        around = shapely.box(*shapely.LineString([first, last]).bounds).buffer(margin)
        lines = self._lines[np.sort(self._tree.query(around, predicate="intersects"))]
        if not len(lines):
            return None
        # Crossings that the table does not know as ends become ends here.
        pieces = list(shapely.get_parts(shapely.node(shapely.GeometryCollection(lines.tolist()))))
        for place in (first, last):
            pieces = _cut_at(pieces, place)
        line = _shortest(pieces, first, last)
        return line if line is not None and line.length <= most * straight else None


def _nearest(tree: shapely.STRtree, places: Floats, within_m: float) -> tuple[Ints, Ints]:
    """Rows of places with something in reach, and the first row of what is nearest to each."""
    none = np.empty(0, dtype=np.int64)
    if not len(tree) or not len(places):
        return none, none
    points = shapely.points(places)
    # A reach of 0 is refused by the tree; the least one above it is smaller than any rounding.
    reach = max(within_m, np.finfo(np.float64).tiny)
    at, near = tree.query_nearest(points, max_distance=reach)
    order = np.lexsort((near, at))
    at, near = at[order], near[order]
    first = np.append(True, at[1:] != at[:-1]) if len(at) else np.empty(0, dtype=bool)
    return at[first].astype(np.int64), near[first].astype(np.int64)


def _cut_at(pieces: list[shapely.LineString], place: shapely.Point) -> list[shapely.LineString]:
    """Make a place on a line an end of it."""
    away = shapely.distance(pieces, place)
    k = int(np.argmin(away))
    if away[k] > SAME_M:
        return pieces
    line = pieces[k]
    at = float(line.project(place))
    if at <= SAME_M or at >= line.length - SAME_M:
        return pieces
    halves = [shapely.ops.substring(line, 0, at), shapely.ops.substring(line, at, line.length)]
    return pieces[:k] + halves + pieces[k + 1 :]


def _shortest(
    pieces: list[shapely.LineString], first: shapely.Point, last: shapely.Point
) -> shapely.LineString | None:
    """The shortest way over pieces that meet at their ends."""
    ends = np.array([[*line.coords[0], *line.coords[-1]] for line in pieces]).reshape(-1, 2)
    spots, node = np.unique(np.round(ends / SAME_M), axis=0, return_inverse=True)
    tail, head = node.reshape(-1)[0::2], node.reshape(-1)[1::2]
    places = np.zeros((len(spots), 2))
    places[node.reshape(-1)] = ends
    from_first = np.hypot(*(places - first.coords[0]).T)
    from_last = np.hypot(*(places - last.coords[0]).T)
    begin, stop = int(np.argmin(from_first)), int(np.argmin(from_last))
    if from_first[begin] > 2 * SAME_M or from_last[stop] > 2 * SAME_M or begin == stop:
        return None
    length = shapely.length(pieces)
    keep: dict[tuple[int, int], int] = {}
    for k in np.argsort(-length, kind="stable").tolist():
        keep[int(tail[k]), int(head[k])] = keep[int(head[k]), int(tail[k])] = k
    pairs = np.array(list(keep))
    weight = length[list(keep.values())]
    graph = coo_array((weight, (pairs[:, 0], pairs[:, 1])), shape=(len(spots), len(spots)))
    _, before = dijkstra(graph.tocsr(), indices=begin, return_predecessors=True)
    way = [stop]
    while way[-1] != begin:
        if before[way[-1]] < 0:
            return None
        way.append(int(before[way[-1]]))
    way.reverse()
    coords: list[tuple[float, float]] = [(float(first.x), float(first.y))]
    for one, two in itertools.pairwise(way):
        k = keep[one, two]
        step = [(float(x), float(y)) for x, y, *_ in pieces[k].coords]
        coords += (step if int(tail[k]) == one else step[::-1])[1:]
    coords[-1] = (float(last.x), float(last.y))
    return shapely.LineString(coords)
