"""What cameras cover, what they leave blind, and where one more would help most.

A view is a polygon on the ground (`geo.views.view_sectors`, cut by buildings where footprints are
known). A camera whose direction, angle or range is unknown has no view: it covers nothing that we
could vouch for, and is counted as unknown. Streets are covered in parts (`geo.reach.Reach`), ground
is counted in dots, incidents and assets are seen or not.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame, GeoSeries

from geo._reach_area import count_dots, find_runs, set_runs
from geo._reach_pieces import merge_intervals
from geo._sight import OWN_WALL_M, open_ground
from geo.datum import require_metres
from geo.errors import InputError
from geo.reach import Reach, StreetPieces, lay_lines, reached_m

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPOT_RANGE_M = 50.0
"""How far a new camera on a pole sees people and things; our assumption, a city sets its own."""

_TURNS = np.linspace(180.0, -180.0, 49)
"""Corners of a whole turn; at 7.5 degrees the chord stays within 0.3 % of the range."""


def reach_views(pieces: StreetPieces, views: GeoSeries) -> Reach:
    """Find the parts of streets that lie in at least one view.

    Parameters
    ----------
    pieces
        From `geo.reach.cut_streets`, in metres.
    views
        Polygons in the same CRS; missing ones see nothing.
    """
    require_metres(views=views)
    shapes = _known(views)
    if not len(shapes) or not len(pieces):
        return _nothing()
    lines = shapely.linestrings(pieces.ends.reshape(-1, 2, 2))
    view, piece = shapely.STRtree(lines).query(shapes, predicate="intersects")
    inside = shapely.intersection(lines[piece], shapes[view])
    parts, of = shapely.get_parts(inside, return_index=True)
    is_line = shapely.get_type_id(parts) == 1
    parts, of = parts[is_line], piece[of[is_line]]
    if not len(parts):
        return _nothing()
    start, end = shapely.get_point(parts, 0), shapely.get_point(parts, -1)
    along = [shapely.line_locate_point(lines[of], point, normalized=True) for point in (start, end)]
    return merge_intervals(of.astype(np.int64), np.minimum(*along), np.maximum(*along))


def measure_streets(grids: GeoDataFrame, pieces: StreetPieces, reach: Reach) -> pd.DataFrame:
    """Measure how much of the streets of each grid something reaches.

    Returns
    -------
    DataFrame
        Indexed by `grid_id` in the order of `grids`: `street_m`, `covered_m`, `covered_share`
        (missing where a grid has no street).
    """
    metres = reached_m(pieces, reach)
    inside = pieces.row >= 0
    street, covered = (
        np.bincount(pieces.row[inside], what[inside], minlength=len(grids))
        for what in (pieces.length_m, metres)
    )
    table = pd.DataFrame({"street_m": street, "covered_m": covered}, index=grids.index)
    return table.assign(covered_share=(table["covered_m"] / table["street_m"]).where(street > 0))


def measure_ground(grids: GeoDataFrame, views: GeoSeries) -> pd.Series:
    """Measure the share of the ground of each grid that lies in at least one view.

    Counted in dots of 10 m2 (`geo.reach.lay_lines`); missing where a grid has no dot.
    """
    require_metres(grids=grids, views=views)
    lines = lay_lines(grids)
    bits = lines.blank()
    shapes = _known(views)
    if len(shapes) and len(bits):
        runs = find_runs(
            shapes, lines.west, lines.south, lines.line_m, lines.dot_m, lines.lines, lines.words,
        )  # fmt: skip
        set_runs(bits, runs)
    seen = count_dots(bits, lines.runs, len(grids)) if len(bits) else np.zeros(len(grids))
    share = np.where(lines.dots > 0, seen / np.maximum(lines.dots, 1), np.nan)
    return pd.Series(share, index=grids.index, name="area_share")


def is_seen(points: GeoSeries, views: GeoSeries) -> npt.NDArray[np.bool_]:
    """Tell for each point whether it lies in a view; both in the same CRS."""
    found = np.zeros(len(points), dtype=bool)
    shapes = _known(views)
    if len(shapes) and len(points):
        _, row = shapely.STRtree(points.to_numpy()).query(shapes, predicate="intersects")
        found[row] = True
    return found


def count_blind(grids: GeoDataFrame, row: Ints, seen: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Count by grid how many of some points no camera sees.

    Parameters
    ----------
    row
        Row of the grid of each point (`geo.locate.GridIndex.assign`), -1 outside.
    seen
        From `is_seen`.

    Returns
    -------
    DataFrame
        Indexed by `grid_id`: `total`, `blind`, `blind_share` (missing where there is no point).
    """
    inside = row >= 0
    total = np.bincount(row[inside], minlength=len(grids))
    blind = np.bincount(row[inside & ~seen], minlength=len(grids))
    share = np.where(total > 0, blind / np.maximum(total, 1), np.nan)
    return pd.DataFrame({"total": total, "blind": blind, "blind_share": share}, index=grids.index)


@dataclass(frozen=True, eq=False)
class Spots:
    """Where further cameras would see most; from `best_spots`."""

    table: GeoDataFrame
    """By rank from 1: `spot` (label of the candidate), `gain` (weight that it adds), `total` (with
    all before it), `most` (no choice of so many spots can see more than that), place."""
    weight: float
    """Weight of all points that nobody sees yet."""
    views: GeoSeries
    """What each chosen spot would see, by rank."""


def best_spots(
    candidates: GeoSeries,
    points: GeoSeries,
    *,
    weights: Floats | None = None,
    buildings: GeoDataFrame | None = None,
    count: int = 10,
    range_m: float = SPOT_RANGE_M,
) -> Spots:
    """Choose spots where cameras that see all around would see most of what is blind now.

    Greedy: each time the spot that adds most. So many spots see at least 1 - 1/e = 63 % of what
    the best choice of as many would (Nemhauser, Wolsey and Fisher 1978, for what is monotone and
    submodular, as a count of the seen is). How near it really is says `most`: the total plus the
    largest gains that are left, as many as were chosen (Leskovec and others 2007, section 3.2).

    Parameters
    ----------
    candidates
        Points in metres where a camera could hang: corners of streets, poles.
    points
        What should be seen and is not yet, in the same CRS: past incidents.
    weights
        Of the points; 1 each by default.
    buildings
        Footprints in the same CRS that cut the view.
    count, range_m
        How many spots; how far a camera sees.

    Raises
    ------
    CrsError, InputError
        If a layer is not in metres, a number is not positive, or weights are not one a point.
    """
    require_metres(candidates=candidates, points=points)
    if count < 1 or not 0 < range_m < np.inf:
        raise InputError(f"count is {count} and range_m {range_m}: use numbers above 0")
    value = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(value) != len(points) or not (value >= 0).all():
        raise InputError("weights must be one a point and not negative")
    views = _Viewer(candidates.to_numpy(), points.to_numpy(), range_m, buildings)
    chosen, gains = _choose(views, value, count)
    # What any k spots see is at most what the first k see and the k largest gains behind them.
    most = np.cumsum(gains) + [
        _gains_left(views, value, chosen[:k])[:k].sum() for k in range(1, len(chosen) + 1)
    ]
    table = GeoDataFrame(
        {
            "spot": candidates.index[chosen] if chosen else candidates.index[:0],
            "gain": gains,
            "total": np.cumsum(gains),
            "most": np.minimum(most, value.sum()),
        },
        geometry=candidates.to_numpy()[chosen],
        crs=candidates.crs,
        index=pd.RangeIndex(1, len(chosen) + 1, name="rank"),
    )
    shapes = GeoSeries([views.view(k) for k in chosen], index=table.index, crs=candidates.crs)
    return Spots(table, float(value.sum()), shapes)


class _Viewer:
    """What each candidate sees: at first all within range, walls only when it matters."""

    def __init__(
        self,
        spots: npt.NDArray[np.object_],
        points: npt.NDArray[np.object_],
        range_m: float,
        buildings: GeoDataFrame | None,
    ) -> None:
        self.spots, self.points, self.range_m = spots, points, range_m
        self.walls = np.empty(0, dtype=object)
        if buildings is not None:
            require_metres(buildings=buildings)
            shapes = buildings.geometry.to_numpy()
            self.walls = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
        self.wall_tree = shapely.STRtree(self.walls)
        spot, point = shapely.STRtree(points).query(spots, predicate="dwithin", distance=range_m)
        order = np.argsort(spot, kind="stable")
        cuts = np.searchsorted(spot[order], np.arange(1, len(spots)))
        self.seen: list[Ints] = np.split(point[order].astype(np.int64), cuts) if len(spots) else []
        self.is_exact = np.full(len(spots), not len(self.walls))

    def view(self, spot: int) -> shapely.Geometry:
        """The ground that a camera at a candidate sees."""
        place = self.spots[spot]
        at = np.array([place.x, place.y])
        hits = self.wall_tree.query(place, predicate="dwithin", distance=self.range_m)
        flat = shapely.transform(self.walls[np.sort(hits)], lambda xy: xy - at)
        flat = flat[shapely.distance(shapely.Point(0.0, 0.0), flat) >= OWN_WALL_M]
        if not len(flat):
            return shapely.Polygon(_circle(self.range_m) + at)
        seen = open_ground(_TURNS, self.range_m, flat, is_full=True)
        return shapely.transform(seen, lambda xy: xy + at)

    def look(self, spot: int) -> Ints:
        """Rows of the points that a candidate sees, with walls from now on."""
        if not self.is_exact[spot]:
            rows = self.seen[spot]
            # A point on the wall that it happened at is seen, as far as rounding can tell.
            view = shapely.buffer(self.view(spot), 0.01)
            shapely.prepare(view)
            self.seen[spot] = rows[shapely.intersects(view, self.points[rows])]
            self.is_exact[spot] = True
        return self.seen[spot]


def _choose(views: _Viewer, value: Floats, count: int) -> tuple[list[int], Floats]:
    """Lazy greedy (Minoux 1978): an old gain is never less than the present one."""
    open_ = value.copy()
    heap = [(-float(value[rows].sum()), k) for k, rows in enumerate(views.seen)]
    heapq.heapify(heap)
    chosen: list[int] = []
    gains: list[float] = []
    while heap and len(chosen) < count:
        _, spot = heapq.heappop(heap)
        gain = float(open_[views.look(spot)].sum())
        if heap and (-gain, spot) > heap[0]:
            heapq.heappush(heap, (-gain, spot))
            continue
        if gain <= 0:
            break
        chosen.append(spot)
        gains.append(gain)
        open_[views.look(spot)] = 0.0
    return chosen, np.array(gains)


def _gains_left(views: _Viewer, value: Floats, chosen: list[int]) -> Floats:
    """Gains of all candidates after the choice, largest first.

    Walls count where they were looked at; without them a gain is only larger, so the bound that is
    made of these still holds.
    """
    open_ = value.copy()
    for spot in chosen:
        open_[views.seen[spot]] = 0.0
    gains = np.array([open_[rows].sum() for rows in views.seen])
    return np.sort(gains)[::-1]


def _circle(radius_m: float) -> Floats:
    turns = np.radians(_TURNS[:-1])
    return radius_m * np.column_stack([np.sin(turns), np.cos(turns)])


def _known(views: GeoSeries) -> npt.NDArray[np.object_]:
    shapes = views.to_numpy()
    return np.asarray(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))])


def _nothing() -> Reach:
    none = np.empty(0)
    return Reach(np.empty(0, dtype=np.int64), none, none)
