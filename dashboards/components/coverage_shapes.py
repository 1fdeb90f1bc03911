"""What coverage draws on the map: streets by state, views, and spots, packed once an answer.

Streets travel as three features, one a state, so that ten thousand of them cost the browser three.
Degrees have six digits (0.1 m).
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from dashboards.coverage_make import Cover
from dashboards.server import Packed, pack
from geo.reach import Reach, StreetPieces

DIGITS = 6
_TOUCH_M = 1e-6
"""Ends nearer than this are one: rounding where streets are cut into pieces."""

_LEAST_M = 0.5
"""Shorter parts are not drawn; they are counted all the same."""

MOST_VIEWS = 30_000


def pack_shapes(cover: Cover) -> None:
    """Make everything that the map will ask for, before anybody does."""
    street_shapes(cover)
    view_shapes(cover)
    spot_shapes(cover)


def street_shapes(cover: Cover) -> Packed:
    """Streets that are covered, blind and unknown, as GeoJSON with `state`."""

    def make() -> Packed:
        parts = {"covered": cover.covered, "unknown": cover.unknown, "blind": cover.blind}
        return _collection(
            [
                _feature(
                    {"type": "MultiLineString", "coordinates": _lines(cover, part)}, state=name
                )
                for name, part in parts.items()
            ]
        )

    return cover.memo.get("streets", make)


def view_shapes(cover: Cover) -> Packed:
    """Views of cameras, and the places of those whose view is not known."""

    def make() -> Packed:
        if cover.seen is None:
            return _collection([])
        views = cover.seen.views.to_numpy()[:MOST_VIEWS]
        shapes = [_degrees(shape) for shape in views]
        places = shapely.get_coordinates(cover.seen.unknown.to_numpy()).round(DIGITS).tolist()
        found = [_feature(shape, kind="view") for shape in shapes]
        found += [_feature({"type": "Point", "coordinates": xy}, kind="unknown") for xy in places]
        return _collection(found)

    return cover.memo.get("views", make)


def spot_shapes(cover: Cover) -> Packed:
    """The spots with their rank, and what each would see."""

    def make() -> Packed:
        if cover.spots is None or not len(cover.spots.table):
            return _collection([])
        table = cover.spots.table.to_crs(4326)
        views = cover.spots.views.to_crs(4326)
        found = []
        for rank, view, place in zip(table.index, views, table.geometry, strict=True):
            found.append(_feature(_degrees(view), kind="view", rank=int(rank)))
            found.append(_feature(_degrees(place), kind="spot", rank=int(rank)))
        return _collection(found)

    return cover.memo.get("spots", make)


def stretch_lines(cover: Cover, ranks: list[int]) -> dict[int, Any]:
    """Lines of some stretches by rank, in degrees."""
    some = cover.stretches.loc[[rank for rank in ranks if rank in cover.stretches.index]]
    shapes = some.geometry.to_crs(4326)
    return {int(rank): _degrees(shape) for rank, shape in shapes.items()}


def _lines(cover: Cover, reach: Reach) -> list[list[list[float]]]:
    """Parts of streets as lines in degrees, those that go on from one another joined."""
    begin, end, first = join_parts(cover.ground.pieces, reach)
    if not len(begin):
        return []
    to_degrees = pyproj.Transformer.from_crs(cover.ground.crs, "EPSG:4326", always_xy=True)
    size = np.hypot(*(end - begin).T)
    begin, end = (np.column_stack(to_degrees.transform(*xy.T)).round(DIGITS) for xy in (begin, end))
    lines = []
    cuts = [*first.tolist(), len(begin)]
    for low, high in itertools.pairwise(cuts):
        if size[low:high].sum() >= _LEAST_M:
            lines.append([begin[low].tolist(), *end[low:high].tolist()])
    return lines


def join_parts(
    pieces: StreetPieces, reach: Reach
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Both ends of each part in metres, and the numbers of those where a new line begins."""
    piece = reach.piece
    way = pieces.ends[piece, 2:] - pieces.ends[piece, :2]
    begin = pieces.ends[piece, :2] + way * reach.low[:, None]
    end = pieces.ends[piece, :2] + way * reach.high[:, None]
    new = np.ones(len(piece), dtype=bool)
    new[1:] = (np.abs(begin[1:] - end[:-1]).max(axis=1, initial=0) > _TOUCH_M) | (
        pieces.road[piece[1:]] != pieces.road[piece[:-1]]
    )
    return begin, end, np.flatnonzero(new)


def _degrees(shape: shapely.Geometry) -> dict[str, Any]:
    rounded = shapely.transform(shape, lambda xy: np.round(xy, DIGITS))
    found: dict[str, Any] = json.loads(shapely.to_geojson(rounded))
    return found


def _feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _collection(features: list[dict[str, Any]]) -> Packed:
    body = {"type": "FeatureCollection", "features": features}
    return pack(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
