"""Find what keeps polygons from being a cover, and repair what is narrow.

A cover has no overlaps, no gaps, and every border between two polygons runs through the same
vertices on both sides. What can be wrong:

- an *overlap*: two polygons hold the same ground;
- a *gap*: ground that the cover encloses and no polygon holds, be it a seam of a millimetre or a
  lake. Ground outside the outer border is no gap;
- a *sliver*: a seam open to the outside between two polygons, or a part of a polygon thinner
  than a metre;
- *unmatched borders*: edges of neighbours that differ in vertices, from a T-junction without a
  vertex down to the last bit of a coordinate.

Repair never moves ground wider than the stated width: an overlap or gap that is wider somewhere
stays as it is and is there to be found again. (`shapely.coverage_clean` alone gives an overlap of
any width to one of the two.) Width is the diameter of the largest circle that fits in.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.datum import metric_crs, require_metres
from geo.errors import CoverError

Shapes = NDArray[np.object_]
Labels = tuple[Hashable, ...]

NOISE_M2 = 1e-4
"""Overlaps and gaps below a square centimetre are rounding; `find_unmatched` shows their edges."""
SAME_M = 0.01
"""Vertices this close are one: nobody surveys a border to a centimetre."""
HAIR_M = 0.001
"""Seams thinner than this are no slivers but unmatched borders: a straight line in degrees is
not quite straight in metres."""
SLIVER_M = 1.0
"""Thinner than this is a sliver: half the narrowest alley."""


def find_overlaps(cover: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Find ground that two polygons both hold.

    Parameters
    ----------
    cover
        Polygons in metres; invalid ones are read as `shapely.make_valid` reads them.

    Returns
    -------
    GeoDataFrame
        One row a pair: `ids` (the two index labels), `area_m2`, `width_m`, geometry.
    """
    require_metres(cover=cover)
    return _table(cover, _overlaps(_polygonal(cover)))


def find_gaps(cover: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Find ground that the cover encloses and no polygon holds, narrow or as large as a lake.

    Returns
    -------
    GeoDataFrame
        One row a gap: `ids` (index labels of the polygons around it), `area_m2`, `width_m`,
        geometry; in metres like the cover.
    """
    require_metres(cover=cover)
    return _table(cover, _gaps(_polygonal(cover)))


def find_slivers(cover: gpd.GeoDataFrame, *, width_m: float = SLIVER_M) -> gpd.GeoDataFrame:
    """Find seams open to the outside and parts of polygons that are thinner than the width.

    Returns
    -------
    GeoDataFrame
        One row a sliver: `ids` (two or more for a seam, one for a thin part), `area_m2`,
        `width_m`, geometry.
    """
    require_metres(cover=cover)
    shapes = _polygonal(cover)
    seams = [s for s in _open_seams(shapes, width_m) if _thin_m(s.shape) > HAIR_M]
    parts, owner = shapely.get_parts(shapes, return_index=True)
    thin = _width_m(parts, at_most=width_m) < width_m
    return _table(cover, seams + [_Piece(parts[k], (int(owner[k]),)) for k in np.flatnonzero(thin)])


def find_unmatched(cover: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Find edges that do not run through the same vertices as the neighbour's.

    Returns
    -------
    GeoDataFrame
        One row a polygon: `ids` (its index label), `length_m`, geometry (lines).
    """
    require_metres(cover=cover)
    edges = _unmatched(_polygonal(cover))
    rows = np.flatnonzero(~shapely.is_empty(edges))
    return gpd.GeoDataFrame(
        {"ids": [(cover.index[k],) for k in rows], "length_m": shapely.length(edges[rows])},
        geometry=edges[rows],
        crs=cover.crs,
    )


def require_cover(cover: gpd.GeoDataFrame, *, allow_gaps: bool = False) -> None:
    """Raise CoverError, naming the first places, unless the polygons form a cover.

    Parameters
    ----------
    cover
        Polygons in metres.
    allow_gaps
        Enclosed ground that nobody holds (a lake, another city) is accepted.

    Raises
    ------
    CoverError
        For missing, empty or invalid polygons, overlaps, unmatched borders and, unless
        allowed, gaps.
    """
    require_metres(cover=cover)
    shapes = cover.geometry.to_numpy()
    flat = shapely.get_dimensions(shapes) == 2
    bad = shapely.is_missing(shapes) | shapely.is_empty(shapes) | ~flat | ~shapely.is_valid(shapes)
    if bad.any():
        names = _names(tuple(cover.index[bad]))
        raise CoverError(f"{int(bad.sum())} shapes are no valid polygons: {names}; repair them")
    overlaps = _overlaps(shapes)
    if overlaps:
        _refuse(cover, overlaps, "overlaps", "correct the borders, or repair what is narrow")
    rows = np.flatnonzero(~shapely.is_empty(_unmatched(shapes)))
    if rows.size:
        names = _names(tuple(cover.index[rows]))
        raise CoverError(
            f"borders of {rows.size} polygons do not match their neighbours': {names}; "
            "call repair_cover(...)"
        )
    if not allow_gaps:
        gaps = _gaps(shapes)
        if gaps:
            _refuse(cover, gaps, "gaps", "close them, or allow gaps")


def repair_cover(
    cover: gpd.GeoDataFrame, *, snap_m: float
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Make polygons valid and close what is no wider than `snap_m`.

    In this order: invalid polygons are made valid; open seams between two polygons go to the one
    with the longer border; then `shapely.coverage_clean` merges vertices up to a centimetre
    apart (never more than `snap_m`), cuts edges at T-junctions, and gives narrow overlaps and
    gaps to the polygon with the longest border. Polygons with an overlap wider than `snap_m`
    are left out, so that overlap stays. Polygons that needed nothing keep their coordinates
    bit for bit, also through the projection when the cover is in degrees.

    Parameters
    ----------
    cover
        Polygons in metres, or in degrees (then the work is done in `metric_crs` of their middle).
    snap_m
        Width up to which ground may change hands, metres.

    Returns
    -------
    cover, changes
        The same rows in the same order and CRS. `changes` has one row a kind of change:
        `change` (made_valid, overlap_removed, gap_closed, seam_closed, borders_matched),
        `count`, `area_m2`, `ids` (the index labels concerned). Empty if there was nothing to do.
    """
    if cover.crs is not None and cover.crs.is_geographic:
        return _repair_degrees(cover, snap_m)
    require_metres(cover=cover)
    before = cover.geometry.to_numpy()
    valid = _polygonal(cover)
    log = [_made_valid(before, valid)]
    left_out: set[int] = set()
    for overlap in _overlaps(valid):
        if _is_wider(overlap.shape, snap_m):
            left_out.update(overlap.rows)
    for _ in range(4):
        keep = np.array([k not in left_out for k in range(len(valid))], dtype=bool)
        keep &= ~(shapely.is_missing(valid) | shapely.is_empty(valid))
        after = valid.copy()
        after[keep], done = _clean(valid[keep], snap_m)
        wide = _moved_too_far(valid, after, max(snap_m, min(SAME_M, snap_m)))
        if not wide:
            break
        left_out |= wide
    else:
        after, done = valid, []
    rows = np.flatnonzero(keep)
    log += [
        _Change(c.change, [_Piece(p.shape, tuple(rows[list(p.rows)])) for p in c.pieces])
        for c in done
    ]
    log.append(_matched(valid, after, log))
    # What did not change stays the very same object, ring order included.
    same = shapely.equals_exact(shapely.normalize(before), shapely.normalize(after), 0.0)
    shapes = np.where(same | shapely.is_missing(before), before, after)
    out = cover.set_geometry(gpd.GeoSeries(shapes, index=cover.index, crs=cover.crs))
    out = (
        out.rename_geometry(cover.geometry.name)
        if out.geometry.name != cover.geometry.name
        else out
    )
    return out, _changes(cover, log)


@dataclass(frozen=True)
class _Piece:
    """Some ground and the row positions of the polygons concerned."""

    shape: shapely.Geometry
    rows: tuple[int, ...]
    area_m2: float = -1.0


@dataclass(frozen=True)
class _Change:
    change: str
    pieces: list[_Piece]


def _overlaps(shapes: Shapes) -> list[_Piece]:
    # Only polygons with an unmatched edge can overlap another.
    rows = np.flatnonzero(~shapely.is_empty(_invalid_edges(shapes)))
    if not rows.size:
        return []
    some = shapes[rows]
    one, two = shapely.STRtree(shapes).query(some, predicate="intersects")
    one = rows[one]
    pairs = np.unique(np.stack([np.minimum(one, two), np.maximum(one, two)], axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    common = _areas_of(shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]]))
    real = np.flatnonzero(shapely.area(common) > NOISE_M2)
    return [_Piece(common[k], (int(pairs[k, 0]), int(pairs[k, 1]))) for k in real]


def _gaps(shapes: Shapes) -> list[_Piece]:
    region = _union(shapes)
    parts = shapely.get_parts(region)
    rings = np.concatenate([shapely.get_rings(part)[1:] for part in parts]) if len(parts) else parts
    if not len(rings):
        return []
    holes = shapely.polygons(rings)
    # Another part of the cover may stand in the hole (a lake with an island).
    inside, hole = shapely.STRtree(holes).query(shapely.point_on_surface(parts), predicate="within")
    for k in np.unique(hole):
        holes[k] = shapely.difference(holes[k], shapely.union_all(parts[inside[hole == k]]))
    holes = shapely.get_parts(_areas_of(holes))
    holes = holes[shapely.area(holes) > NOISE_M2]
    return _with_neighbours(holes, shapes)


def _open_seams(shapes: Shapes, width_m: float) -> list[_Piece]:
    """Strips no wider than the width that reach the outside between two polygons."""
    edges = _invalid_edges(shapes, width_m)
    rows = np.flatnonzero(~shapely.is_empty(edges))
    if rows.size < 2:
        return []
    around = np.unique(shapely.STRtree(shapes).query(shapes[rows], predicate="intersects")[1])
    near = shapely.union_all(shapes[around])
    filled = shapely.buffer(near, width_m / 2, join_style="mitre", mitre_limit=10)
    closed = shapely.buffer(filled, -width_m / 2, join_style="mitre", mitre_limit=10)
    outer = shapely.polygons(shapely.get_exterior_ring(shapely.get_parts(_union(shapes))))
    free = shapely.difference(closed, shapely.union_all(outer))
    strips = shapely.get_parts(_areas_of(np.array([free])))
    strips = strips[shapely.area(strips) > NOISE_M2]
    seams = []
    for strip in strips:
        # Closing also rounds off corners; a seam runs along flagged edges of two polygons.
        beside = rows[_shared_m(strip, edges[rows]) > 2 * _thin_m(strip)]
        if beside.size > 1:
            border = _shared_m(strip, shapely.boundary(shapes[beside]))
            order = np.argsort(-border, kind="stable")
            seams.append(_Piece(strip, tuple(beside[order].tolist())))
    return seams


def _clean(shapes: Shapes, snap_m: float) -> tuple[Shapes, list[_Change]]:
    """The cover with all that is narrower than the width closed, and what was done."""
    overlaps = _overlaps(shapes)
    narrow = [p for p in _gaps(shapes) if not _is_wider(p.shape, snap_m)]
    cleaned = shapes
    if overlaps or narrow or not _is_matched(shapes, snap_m):
        cleaned = _snap(shapes, snap_m)
    seams = _open_seams(cleaned, snap_m) if snap_m > 0 else []
    if seams:
        # Open seams take part as polygons, so that they share every vertex with their owner.
        strips = np.array([seam.shape for seam in seams], dtype=object)
        both = _snap(np.concatenate([cleaned, strips]), snap_m)
        cleaned, strips = both[: len(shapes)].copy(), both[len(shapes) :]
        for seam, strip in zip(seams, strips, strict=True):
            owner = seam.rows[0]
            cleaned[owner] = shapely.union(cleaned[owner], strip)
        cleaned = _areas_of(cleaned)
        if not _is_matched(cleaned, snap_m):
            # A seam filled from two sides may leave a crack inside its owner.
            cleaned = _snap(cleaned, snap_m)
    lost = shapely.is_empty(cleaned) & ~shapely.is_empty(shapes)
    cleaned = np.where(lost, shapes, cleaned)
    done = [
        _Change("overlap_removed", overlaps),
        _Change("gap_closed", narrow),
        _Change("seam_closed", seams),
    ]
    return cleaned, done


def _snap(shapes: Shapes, snap_m: float) -> Shapes:
    """`shapely.coverage_clean`, held to its word.

    GEOS 3.14 stumbles over some snapping distances: it raises, or gives a whole polygon away.
    Then the next distance is tried. What no distance can repair is there to be found again.
    """
    first = min(SAME_M, snap_m)
    for distance in (first, first / 4, first / 20, 0.0):
        try:
            cleaned = shapely.coverage_clean(shapes, snapping_distance=distance, gap_width=snap_m)
        except shapely.errors.GEOSException:
            continue
        out: Shapes = np.asarray(cleaned, dtype=object)
        if not _moved_too_far(shapes, out, snap_m):
            return out
    return shapes


def _is_matched(shapes: Shapes, snap_m: float) -> bool:
    return bool(shapely.coverage_is_valid(shapes, gap_width=min(SAME_M, snap_m)))


def _moved_too_far(before: Shapes, after: Shapes, width_m: float) -> set[int]:
    """Rows that gained or lost ground wider than the width."""
    changed = np.flatnonzero(
        ~shapely.equals_exact(shapely.normalize(before), shapely.normalize(after), 0.0)
    )
    pieces, owner = shapely.get_parts(
        shapely.symmetric_difference(before[changed], after[changed]), return_index=True
    )
    big = shapely.area(pieces) > width_m**2 * np.pi / 4
    pieces, owner = pieces[big], owner[big]
    # Snapping may add its centimetre on both sides.
    wide = _is_wider(pieces, width_m + 2 * min(SAME_M, width_m) + 1e-6)
    return set(changed[owner[wide]].tolist())


def _made_valid(before: Shapes, after: Shapes) -> _Change:
    rows = np.flatnonzero(~shapely.is_valid(before) & ~shapely.is_missing(before))
    areas = np.abs(shapely.area(after[rows]) - shapely.area(before[rows]))
    return _Change(
        "made_valid",
        [_Piece(after[k], (int(k),), float(a)) for k, a in zip(rows, areas, strict=True)],
    )


def _matched(before: Shapes, after: Shapes, log: list[_Change]) -> _Change:
    """Polygons whose vertices changed, with the ground that no other entry accounts for."""
    changed = np.flatnonzero(
        ~shapely.equals_exact(shapely.normalize(before), shapely.normalize(after), 0.0)
    )
    moved = shapely.area(shapely.symmetric_difference(before[changed], after[changed]))
    rest = float(moved.sum())
    for entry in log[1:]:
        rest -= sum(float(shapely.area(p.shape)) for p in entry.pieces)
    share = max(rest, 0.0) / changed.size if changed.size else 0.0
    return _Change("borders_matched", [_Piece(after[k], (int(k),), share) for k in changed])


def _repair_degrees(
    cover: gpd.GeoDataFrame, snap_m: float
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Repair in metres, then give every old vertex its old degrees back, bit for bit."""
    west, south, east, north = cover.to_crs("EPSG:4326").total_bounds
    metric = cover.to_crs(metric_crs([west, east], [south, north]))
    repaired, changes = repair_cover(metric, snap_m=snap_m)
    if changes.empty and shapely.coverage_is_valid(_polygonal(cover)):
        return cover.copy(), changes
    old_m = shapely.get_coordinates(metric.geometry.to_numpy())
    old_deg = shapely.get_coordinates(cover.geometry.to_numpy())
    keys, first = np.unique(_bits(old_m), return_index=True)
    back = repaired.to_crs(cover.crs)

    new_m = shapely.get_coordinates(repaired.geometry.to_numpy())
    new_deg = shapely.get_coordinates(back.geometry.to_numpy())
    at = np.clip(np.searchsorted(keys, _bits(new_m)), 0, len(keys) - 1)
    known = keys[at] == _bits(new_m)
    new_deg[known] = old_deg[first[at[known]]]
    shapes = shapely.set_coordinates(back.geometry.to_numpy().copy(), new_deg)
    out = cover.copy()
    out[cover.geometry.name] = gpd.GeoSeries(shapes, index=cover.index, crs=cover.crs)
    return out, changes


def _bits(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Each point as one sortable number."""
    numbers: NDArray[np.complex128] = points[:, 0] + 1j * points[:, 1]
    return numbers


def _polygonal(cover: gpd.GeoDataFrame) -> Shapes:
    """Valid polygons and multipolygons; whatever is none of them becomes an empty polygon."""
    shapes = cover.geometry.to_numpy()
    shapes = np.where(shapely.is_missing(shapes), shapely.Polygon(), shapes)
    bad = ~shapely.is_valid(shapes)
    if bad.any():
        shapes = shapes.copy()
        shapes[bad] = shapely.make_valid(shapes[bad])
    return _areas_of(shapes)


def _areas_of(shapes: Shapes) -> Shapes:
    """The polygons in each shape; lines and points of a collection fall away."""
    kinds = shapely.get_type_id(shapes)
    mixed = np.flatnonzero((kinds != 3) & (kinds != 6))
    if not mixed.size:
        return shapes
    out = shapes.copy()
    for k in mixed:
        parts = shapely.get_parts(shapely.get_parts(shapes[k]))
        parts = parts[shapely.get_dimensions(parts) == 2]
        out[k] = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return out


def _invalid_edges(shapes: Shapes, gap_width: float = 0.0) -> Shapes:
    edges: Shapes = shapely.coverage_invalid_edges(shapes, gap_width=gap_width)
    none = shapely.is_missing(edges)
    return np.where(none, shapely.LineString(), edges) if none.any() else edges


def _unmatched(shapes: Shapes) -> Shapes:
    """Edges that differ from the neighbour's, or run beside it less than a centimetre away.

    A border has two sides: an edge that is flagged for its distance alone, beside no flagged edge
    of another polygon, is a notch in the outer border. So is one that is flagged for some
    centimetres only, where two borders narrow to their common point.
    """
    edges, crossing = _invalid_edges(shapes, SAME_M), _invalid_edges(shapes)
    rows = np.flatnonzero(~shapely.is_empty(edges))
    one, two = shapely.STRtree(edges[rows]).query(edges[rows], "dwithin", distance=SAME_M)
    has_partner = np.zeros(len(shapes), dtype=bool)
    has_partner[rows[one[one != two]]] = True
    notch = ~has_partner | (shapely.length(edges) <= 5 * SAME_M)
    return np.where(notch & shapely.is_empty(crossing), shapely.LineString(), edges)


def _union(shapes: Shapes) -> shapely.Geometry:
    if shapely.coverage_is_valid(shapes):
        return shapely.coverage_union_all(shapes)
    return shapely.union_all(shapes)


def _is_wider(shapes: Shapes | shapely.Geometry, width_m: float) -> NDArray[np.bool_]:
    """Whether a circle of that diameter fits in: something is left after shrinking by half."""
    rest = shapely.buffer(shapes, -width_m / 2, quad_segs=32)
    wider: NDArray[np.bool_] = ~shapely.is_empty(rest)
    return wider


def _width_m(shapes: Shapes, *, at_most: float | None = None) -> NDArray[np.float64]:
    """Diameter of the largest circle inside each polygon.

    With `at_most`, polygons that must be wider (area over perimeter bounds the radius from
    below) are not measured and come out as infinite.
    """
    width = np.full(len(shapes), np.inf)
    todo = np.ones(len(shapes), dtype=bool)
    if at_most is not None:
        todo = shapely.area(shapes) < shapely.length(shapes) * at_most / 2
    if todo.any():
        some = shapes[todo]
        # To 2 % of a usual width: finer takes seconds on one long strip.
        tolerance = np.maximum(0.04 * shapely.area(some) / shapely.length(some), 1e-7)
        circles = shapely.maximum_inscribed_circle(some, tolerance=tolerance)
        width[todo] = 2 * shapely.length(circles)
    return width


def _thin_m(strip: shapely.Geometry) -> float:
    """The mean width of a long strip."""
    return 2 * float(shapely.area(strip)) / float(shapely.length(strip))


def _with_neighbours(pieces: Shapes, shapes: Shapes) -> list[_Piece]:
    if not len(pieces):
        return []
    piece, row = shapely.STRtree(shapes).query(pieces, predicate="dwithin", distance=1e-6)
    order = np.lexsort((row, piece))
    rows = np.split(row[order], np.searchsorted(piece[order], np.arange(1, len(pieces))))
    return [_Piece(p, tuple(r.tolist())) for p, r in zip(pieces, rows, strict=True)]


def _shared_m(piece: shapely.Geometry, lines: Shapes) -> NDArray[np.float64]:
    """How long each line runs along the outline of the piece."""
    # A micrometre gets lost in coordinates of millions of metres: there `buffer` gives next to
    # nothing.
    near = shapely.buffer(shapely.boundary(piece), HAIR_M / 10)
    lengths: NDArray[np.float64] = shapely.length(shapely.intersection(lines, near))
    return lengths


def _table(cover: gpd.GeoDataFrame, pieces: list[_Piece]) -> gpd.GeoDataFrame:
    shapes = np.array([p.shape for p in pieces], dtype=object)
    return gpd.GeoDataFrame(
        {
            "ids": [tuple(cover.index[k] for k in p.rows) for p in pieces],
            "area_m2": shapely.area(shapes),
            "width_m": _width_m(shapes),
        },
        geometry=shapes,
        crs=cover.crs,
    )


def _changes(cover: gpd.GeoDataFrame, log: list[_Change]) -> pd.DataFrame:
    rows = []
    for entry in log:
        if entry.pieces:
            concerned = dict.fromkeys(cover.index[k] for p in entry.pieces for k in p.rows)
            area = sum(
                float(shapely.area(p.shape)) if p.area_m2 < 0 else p.area_m2 for p in entry.pieces
            )
            rows.append((entry.change, len(entry.pieces), area, tuple(concerned)))
    return pd.DataFrame(rows, columns=["change", "count", "area_m2", "ids"])


def _refuse(cover: gpd.GeoDataFrame, pieces: list[_Piece], what: str, to_do: str) -> None:
    largest = sorted(pieces, key=lambda p: -float(shapely.area(p.shape)))
    places = []
    for piece in largest[:3]:
        x, y = shapely.get_coordinates(shapely.point_on_surface(piece.shape))[0]
        ids = _names(tuple(cover.index[k] for k in piece.rows))
        places.append(f"{ids} ({float(shapely.area(piece.shape)):.4g} m2 at {x:.1f}, {y:.1f})")
    raise CoverError(f"{len(pieces)} {what} between polygons: {'; '.join(places)}; {to_do}")


def _names(labels: Labels, most: int = 4) -> str:
    words = ", ".join(str(label) for label in labels[:most])
    return words + (f" and {len(labels) - most} more" if len(labels) > most else "")
