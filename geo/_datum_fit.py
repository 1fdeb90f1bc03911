"""Does a layer look as if it were in another datum than declared?

Three kinds of evidence, each measured as declared and again under every other datum:
how many points lie inside the cover; how many vertices of borders or streets lie on the borders
and streets that are there already; how many points of the workspace the new polygons hold.
The answer is a suspicion with figures, never a conversion. Public names are handed on by
`geo.datum`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo._shifts import (
    Floats,
    Pair,
    arrays,
    bd09_to_wgs84,
    gcj02_to_wgs84,
    in_china,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)

Shapes = NDArray[np.object_]
Move = Callable[[Floats, Floats], Pair]

SAMPLE = 20_000
"""So many points or vertices are looked at; a share is then known to half a percent."""
FEWEST = 10
"""With fewer points or vertices there is no verdict."""
NEAR_M = (5.0, 25.0)
"""On a border means this near: surveyed borders agree to 5 m, borders along a street to 25 m."""

_BACK: dict[str, Move] = {
    "wgs84": lambda x, y: (x, y),
    "gcj02": gcj02_to_wgs84,
    "bd09": bd09_to_wgs84,
}
_FORTH: dict[str, Move] = {
    "wgs84": lambda x, y: (x, y),
    "gcj02": wgs84_to_gcj02,
    "bd09": wgs84_to_bd09,
}


@dataclass(frozen=True)
class DatumSuspicion:
    """A layer fits its city badly, and perhaps well in another datum.

    `likely` is empty where no known shift helps. `whose` is "reference" when it is rather the
    data already there that are in another datum. `share_declared` and `share_likely` are the
    shares (0 to 1) of `count` places that fit; `offset_m` is the measured distance between the
    places as declared and where they fit, or to the cover if no shift helps; `bearing_deg` its
    direction, clockwise from north.
    """

    declared: str
    likely: str
    whose: str
    evidence: str
    share_declared: float
    share_likely: float
    count: int
    offset_m: float
    bearing_deg: float

    @property
    def message(self) -> str:
        """One line for a report."""
        fit = f"declared {self.declared}, {self.share_declared:.1%} of {self.count} {self.evidence}"
        if not self.likely:
            return (
                f"{fit}, {self.offset_m:,.0f} m away, and no shift of datum helps: "
                "check the source CRS and the order of the coordinates"
            )
        better = f"{self.share_likely:.1%} would after a shift of {self.offset_m:,.0f} m"
        if self.whose == "reference":
            return (
                f"{fit}, {better}: the data already in the workspace look like {self.likely}; "
                "nothing was converted"
            )
        return (
            f"{fit}, {better}: the layer looks like {self.likely}; nothing was converted, "
            f"import it again with --source-crs {self.likely} if it is"
        )


def find_datum_shift(
    points_lon: ArrayLike,
    points_lat: ArrayLike,
    cover: gpd.GeoDataFrame,
    *,
    declared: str = "wgs84",
) -> DatumSuspicion | None:
    """Measure how many points lie in the cover as declared and in the other datums.

    Suspicious is a layer of which most points fall outside, or of which at least half of the
    points outside (and no fewer than 5, and 0.5 %) come inside by a shift of datum while hardly
    any leave: gained > lost + 4 * sqrt(gained + lost), four standard deviations of a fair coin.

    Parameters
    ----------
    points_lon, points_lat
        WGS-84 degrees: the places after conversion as declared. Not-a-number is left out.
    cover
        Polygons of the city: divisions or grids, any CRS.
    declared
        The datum that the layer was declared in.

    Returns
    -------
    DatumSuspicion or None
        None where nothing is suspicious or fewer than 10 points are given.
    """
    x, y = _sample(*arrays(points_lon, points_lat))
    shapes = _polygons(cover)
    if x.size < FEWEST or not shapes.size:
        return None
    region = _union(shapes)
    found = _by_inside(
        lambda move: shapely.contains_xy(region, *move(x, y)),
        (x, y),
        declared,
        "points lie inside the divisions",
    )
    if found is not None:
        return found
    stays = shapely.contains_xy(region, x, y)
    share = float(stays.mean())
    if share >= 0.5:
        return None
    offset, bearing = _way_to(region, x[~stays], y[~stays])
    return DatumSuspicion(
        declared,
        "",
        "layer",
        "points lie inside the divisions",
        share,
        share,
        x.size,
        offset,
        bearing,
    )


def find_layer_shift(
    layer: gpd.GeoDataFrame,
    *,
    cover: gpd.GeoDataFrame | None = None,
    lines: gpd.GeoDataFrame | None = None,
    points: gpd.GeoDataFrame | None = None,
    declared: str = "wgs84",
) -> DatumSuspicion | None:
    """Look at a layer of any geometry for signs of another datum than declared.

    Points are looked for inside the cover and along `lines`; vertices of lines and of polygon
    borders on the borders of the cover and on `lines`, and the other way round; points already
    there inside new polygons. Borders and streets count as fitting far better when at least half
    of the vertices fit after a shift and at most half as many did before.

    Parameters
    ----------
    layer
        The new layer, in WGS-84 degrees after conversion as declared.
    cover, lines, points
        What the workspace holds already: polygons (divisions or grids), roads, assets; any CRS,
        each may be missing or empty.

    Returns
    -------
    DatumSuspicion or None
        The clearest suspicion.
    """
    shapes = _shapes(layer)
    if not shapes.size:
        return None
    kinds = shapely.get_dimensions(shapes)
    found: list[DatumSuspicion | None] = []
    if (kinds < 2).any() and cover is not None:
        x, y = shapely.get_coordinates(shapes[kinds < 2]).T
        found.append(find_datum_shift(x, y, cover, declared=declared))
    if (kinds == 2).any() and points is not None:
        found.append(_points_in_layer(shapes[kinds == 2], points, declared))
    borders = [_linework(frame) for frame in (cover, lines) if frame is not None]
    for reference in borders:
        if reference.size:
            found.append(_on_linework(shapes, reference, declared))
    known = [s for s in found if s is not None]
    return max(
        known, key=lambda s: (bool(s.likely), s.share_likely - s.share_declared), default=None
    )


def _points_in_layer(
    polygons: Shapes, points: gpd.GeoDataFrame, declared: str
) -> DatumSuspicion | None:
    """Points that are there already, inside the new polygons: the mirror of points in a cover."""
    x, y = _sample(*shapely.get_coordinates(_shapes(points)).T)
    if x.size < FEWEST:
        return None
    xy = shapely.get_coordinates(polygons)

    def inside(move: Move) -> NDArray[np.bool_]:
        held: NDArray[np.bool_] = shapely.contains_xy(_union(_moved(polygons, move)), x, y)
        return held

    words = "points of the workspace lie inside the layer"
    return _by_inside(inside, (xy[:, 0], xy[:, 1]), declared, words)


def _by_inside(
    inside: Callable[[Move], NDArray[np.bool_]], places: Pair, declared: str, words: str
) -> DatumSuspicion | None:
    """The datum under which far more points are inside than as declared, if there is one.

    `inside` tells for each point whether it is inside once the layer, whose coordinates are
    `places`, has been moved.
    """
    stays = inside(_BACK["wgs84"])
    best: tuple[int, str, str, Move] | None = None
    for likely, whose, move in _hypotheses(declared, *places):
        now = inside(move)
        gained, lost = int((now & ~stays).sum()), int((stays & ~now).sum())
        enough = gained >= max(5, 0.005 * stays.size)
        clear = gained > lost + 4 * np.sqrt(gained + lost)
        halves = 2 * int((~now).sum()) <= int((~stays).sum())
        if enough and clear and halves and (best is None or now.sum() > best[0]):
            best = int(now.sum()), likely, whose, move
    if best is None:
        return None
    count, likely, whose, move = best
    offset, bearing = _offset_m(*places, *move(*places))
    shares = float(stays.mean()), count / stays.size
    return DatumSuspicion(declared, likely, whose, words, *shares, stays.size, offset, bearing)


def _on_linework(shapes: Shapes, reference: Shapes, declared: str) -> DatumSuspicion | None:
    """Vertices of the layer on lines that are there, and vertices of those on the layer's lines."""
    own = _lines_of(shapes)
    x, y = _sample(*shapely.get_coordinates(shapes).T)
    rx, ry = _sample(*shapely.get_coordinates(reference).T)
    scale = float(np.cos(np.radians(np.median(y)))) if y.size else 1.0
    tree = shapely.STRtree(_flat(reference, scale))

    def shares(move: Move) -> Floats:
        """Shares that fit: layer on reference, reference on layer, at each nearness."""
        mx, my = move(x, y)
        forth = _near_shares(tree, mx, my, _box(reference), scale)
        moved = _moved(own, move)
        if not moved.size:
            return np.concatenate([forth, np.zeros_like(forth)])
        back = _near_shares(shapely.STRtree(_flat(moved, scale)), rx, ry, _box(moved), scale)
        return np.concatenate([forth, back])

    before = shares(_BACK["wgs84"])
    best: tuple[float, float, str, str, Move] | None = None
    for likely, whose, move in _hypotheses(declared, x, y):
        after = shares(move)
        better = (after >= 0.5) & (2 * before <= after)
        if better.any():
            at = int(np.argmax(np.where(better, after - before, -1)))
            if best is None or after[at] - before[at] > best[1] - best[0]:
                best = float(before[at]), float(after[at]), likely, whose, move
    if best is None:
        return None
    was, now, likely, whose, move = best
    offset, bearing = _offset_m(x, y, *move(x, y))
    words = "vertices lie on known borders or streets"
    return DatumSuspicion(declared, likely, whose, words, was, now, x.size, offset, bearing)


def _near_shares(tree: shapely.STRtree, x: Floats, y: Floats, box: Floats, scale: float) -> Floats:
    """Share of the places in the frame of the other layer that are near its lines."""
    margin = 0.01
    known = (x >= box[0] - margin) & (x <= box[2] + margin)
    known &= (y >= box[1] - margin) & (y <= box[3] + margin)
    if known.sum() < FEWEST:
        return np.zeros(len(NEAR_M))
    places = shapely.points(x[known] * scale, y[known])
    shares = []
    for near_m in NEAR_M:
        hits = tree.query(places, predicate="dwithin", distance=near_m / _DEGREE_M)[0]
        shares.append(np.unique(hits).size / places.size)
    return np.array(shares)


def _hypotheses(declared: str, x: Floats, y: Floats) -> Iterator[tuple[str, str, Move]]:
    """Every other datum that the layer, or else the data it is compared with, may be in."""
    if declared not in _BACK:
        declared = "wgs84"
    if not x.size or in_china(x, y).mean() < 0.5:
        return
    undo = _FORTH[declared]
    for other in _BACK:
        if other != declared:
            yield other, "layer", partial(_redo, undo, _BACK[other])
    for other in ("gcj02", "bd09"):
        yield other, "reference", _FORTH[other]


def _redo(undo: Move, back: Move, x: Floats, y: Floats) -> Pair:
    return back(*undo(x, y))


def _moved(shapes: Shapes, move: Move) -> Shapes:
    out: Shapes = shapely.transform(shapes, lambda p: np.column_stack(move(p[:, 0], p[:, 1])))
    return out


_DEGREE_M = 111_195.0  # of a great circle on the mean sphere, 6,371,008.8 m


def _offset_m(x: Floats, y: Floats, mx: Floats, my: Floats) -> tuple[float, float]:
    """Median displacement in metres and its bearing (equirectangular, right to 0.1 % here)."""
    east = (mx - x) * np.cos(np.radians(y)) * _DEGREE_M
    north = (my - y) * _DEGREE_M
    bearing = np.degrees(np.arctan2(np.median(east), np.median(north))) % 360
    return float(np.median(np.hypot(east, north))), float(bearing)


def _way_to(region: shapely.Geometry, x: Floats, y: Floats) -> tuple[float, float]:
    """Median way from points outside to the region, in metres, and its bearing."""
    ways = shapely.shortest_line(shapely.points(x, y), region)
    ends = shapely.get_coordinates(ways).reshape(-1, 2, 2)
    return _offset_m(ends[:, 0, 0], ends[:, 0, 1], ends[:, 1, 0], ends[:, 1, 1])


def _sample(x: Floats, y: Floats) -> Pair:
    """Finite places, every n-th of them so that at most SAMPLE are left."""
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    step = -(-x.size // SAMPLE) or 1
    return x[::step], y[::step]


def _shapes(frame: gpd.GeoDataFrame) -> Shapes:
    if frame.crs is not None and not frame.crs.equals("EPSG:4326", ignore_axis_order=True):
        frame = frame.to_crs("EPSG:4326")
    shapes = frame.geometry.to_numpy()
    kept: Shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    return kept


def _polygons(frame: gpd.GeoDataFrame) -> Shapes:
    shapes = _shapes(frame)
    kept: Shapes = shapes[shapely.get_dimensions(shapes) == 2]
    return kept


def _union(polygons: Shapes) -> shapely.Geometry:
    region = shapely.union_all(shapely.make_valid(polygons))
    shapely.prepare(region)
    return region


def _lines_of(shapes: Shapes) -> Shapes:
    dims = shapely.get_dimensions(shapes)
    lines = np.concatenate([shapely.boundary(shapes[dims == 2]), shapes[dims == 1]])
    parts: Shapes = shapely.get_parts(lines)
    return parts


def _linework(frame: gpd.GeoDataFrame) -> Shapes:
    return _lines_of(_shapes(frame))


def _box(shapes: Shapes) -> Floats:
    box: Floats = shapely.total_bounds(shapes)
    return box


def _flat(lines: Shapes, scale: float) -> Shapes:
    """Single segments with longitudes shortened, so that distances are even in all directions."""
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    xy = xy * (scale, 1.0)
    same = owner[1:] == owner[:-1]
    segments: Shapes = shapely.linestrings(np.stack([xy[:-1][same], xy[1:][same]], axis=1))
    return segments
