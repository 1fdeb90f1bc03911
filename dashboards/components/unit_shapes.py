"""Shapes of the units of a level by address, `/data/units/<level>.geojson`, for maps of any level.

A unit is drawn by its own polygon; a division that came without one is drawn as the union of its
grids, so that no level of a map has a hole. `r` numbers the units of a level in the order of
`unit_codes`, and figures are sent by that number.
"""

from __future__ import annotations

from typing import Any

import flask
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from werkzeug.exceptions import NotFound

from dashboards.city import ZONE
from dashboards.figures import Snapshot
from dashboards.server import GEOJSON, Packed, pack
from dashboards.store import Store
from geo.schema import STORAGE_CRS
from layers.to_geojson import frame_to_geojson

_FOR_GOOD = "public, max-age=31536000, immutable"
LEVELS = ("district", "street", "community")


def unit_codes(snapshot: Snapshot, level: str) -> list[str]:
    """The codes of the units of a level, in the order that `r` numbers them."""
    return [str(code) for code in snapshot.units(level).index]


def unit_frame(snapshot: Snapshot, level: str) -> GeoDataFrame:
    """`code`, `name`, `r`, `x` and `y` (a point inside) and shape of each unit."""
    codes = unit_codes(snapshot, level)
    city = snapshot.city
    rows = city.zones_of(level) if level.startswith(ZONE) else city.divisions.loc[codes]
    shapes = rows.geometry.to_numpy().copy()
    for k in np.flatnonzero(shapely.is_missing(shapes) | shapely.is_empty(shapes)):
        shapes[k] = _union_of_grids(snapshot, level, codes[k])
    middle = shapely.centroid(shapes)
    inside = shapely.contains(shapes, middle)
    middle = np.where(inside, middle, shapely.point_on_surface(shapes))
    columns = {
        "code": codes,
        "name": rows["name"].fillna(pd.Series(codes, rows.index)).astype(str).to_numpy(),
        "r": np.arange(len(codes)),
        "x": np.round(shapely.get_x(middle), 6),
        "y": np.round(shapely.get_y(middle), 6),
    }
    return GeoDataFrame(columns, index=codes, geometry=shapes, crs=STORAGE_CRS)


def _union_of_grids(snapshot: Snapshot, level: str, code: str) -> Any:
    city = snapshot.city
    mine = city.grids.geometry[(city.unit_of_grid(level) == code).to_numpy(dtype=bool)]
    return shapely.coverage_union_all(mine.to_numpy()) if len(mine) else None


def shapes_of(store: Store, level: str) -> Packed:
    """The shapes of a level, packed once a version of the boundaries."""
    snapshot = store.snapshot()
    return store.remember(
        ("units", level),
        snapshot.city,
        lambda: pack(frame_to_geojson(unit_frame(snapshot, level))),
    )


def add_route(server: flask.Flask, store: Store) -> None:
    """Serve `/data/units/<level>.geojson`; levels that the city lacks are not found."""

    @server.get("/data/units/<level>.geojson")
    def units(level: str) -> flask.typing.ResponseReturnValue:
        known = level in LEVELS or level.startswith(ZONE)
        if not known or not unit_codes(store.snapshot(), level):
            raise NotFound
        packed = shapes_of(store, level)
        packs = "gzip" in flask.request.headers.get("Accept-Encoding", "")
        response = flask.Response(packed.packed if packs else packed.plain, mimetype=GEOJSON)
        if packs:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        part = "zones" if level.startswith(ZONE) else "city"
        current = store.snapshot().versions.get(part)
        response.headers["Cache-Control"] = (
            _FOR_GOOD if current and flask.request.args.get("v") == current else "no-cache"
        )
        response.set_etag(packed.etag)
        response.make_conditional(flask.request)
        return response
