"""The GeoJSON that maps draw: grids, boundaries, names, roads, areas, incidents, workers, assets.

Coordinates are WGS-84 longitude and latitude with six decimals (11 cm). What a page colours or
selects travels apart from the geometry; a feature of a grid carries its id, name and row `r`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame, points_from_xy

from dashboards.cases import utc64
from dashboards.describe import class_name, describe_case
from dashboards.figures import Snapshot
from dashboards.inventory import TABLES as ASSET_TABLES
from dashboards.inventory import tile_bounds
from dashboards.patrol_lines import read_alarms
from dashboards.store import Store
from dashboards.words import Words
from dashboards.worker_states import STATES, find_states, told_states
from geo.codes import class_symbol
from geo.errors import CodeError
from geo.schema import STORAGE_CRS
from layers.boundaries import boundary_lines
from layers.to_geojson import frame_to_geojson

EMPTY = b'{"type":"FeatureCollection","features":[]}'


@dataclass(frozen=True)
class Source:
    """A layer of map data: which part of the data it follows, and whether it holds words.

    What a snapshot holds is made from the very snapshot whose version names it; only `ground` is
    read from the tables.
    """

    part: str
    make: Callable[[Store, Snapshot, Words], bytes]
    speaks: bool = False


def grids(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """Grids in force with `grid_id`, `name` and row `r`."""
    city = snapshot.city
    frame = city.grids[["geometry"]].assign(
        grid_id=city.grids.index.astype(str), name=city.names, r=np.arange(len(city.grids))
    )
    return frame_to_geojson(frame)


def boundaries(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """Borders of divisions and grids, each line once at its highest level."""
    city = snapshot.city
    divisions = city.divisions[~city.divisions.geometry.isna()]
    if not len(city.grids) and not len(divisions):
        return EMPTY
    lines = boundary_lines(divisions[["level", "geometry"]], city.grids)
    return frame_to_geojson(lines.assign(level=lines.index), ["level"])


def labels(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """A point inside each division and grid with `name`, `level` and `rank` (0 the highest)."""
    city = snapshot.city
    ranks = {"district": 0, "street": 1, "community": 2}
    divisions = city.divisions[
        ~city.divisions.geometry.isna() & city.divisions["level"].isin(list(ranks))
    ]
    shapes = pd.concat([divisions.geometry, city.grids.geometry])
    if not len(shapes):
        return EMPTY
    levels = [*divisions["level"].astype(str), *["grid"] * len(city.grids)]
    places = _inner_points(shapes.to_numpy())
    frame = GeoDataFrame(
        {
            "name": [*divisions["name"].astype(str), *_short_names(city.names)],
            "level": levels,
            "rank": [ranks.get(level, 3) for level in levels],
        },
        geometry=places,
        crs=STORAGE_CRS,
    )
    return frame_to_geojson(frame)


def _inner_points(shapes: Any) -> Any:
    """The centroid where it lies inside, else a point that does."""
    middle = shapely.centroid(shapes)
    inside = shapely.contains(shapes, middle)
    return np.where(inside, middle, shapely.point_on_surface(shapes))


def _short_names(names: list[str]) -> list[str]:
    """Long codes show their last six digits only; the border around tells the rest."""
    return [f"…{name[-6:]}" if len(name) > 11 and name.isdigit() else name for name in names]


def roads(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """Streets, rivers and railways with `road_class` and `name`."""
    return frame_to_geojson(store.workspace.read("roads"), ["road_class", "name"])


def areas(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """Parks, water and squares with `kind` and `name`."""
    return frame_to_geojson(store.workspace.read("areas"), ["kind", "name"])


def incidents(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """Open incidents that have a place; what each carries says `case_properties`."""
    cases = snapshot.cases
    features = []
    for k in np.flatnonzero(cases.is_open & cases.placed):
        properties = case_properties(snapshot, int(k), words)
        place = [properties.pop("lon"), properties.pop("lat")]
        features.append(
            {
                "type": "Feature",
                "properties": properties,
                "geometry": {"type": "Point", "coordinates": place},
            }
        )
    return _collection(features)


def case_properties(snapshot: Snapshot, k: int, words: Words) -> dict[str, Any]:
    """What the map knows of an open incident: class, state, chip, where, whether it is new.

    `due` is its deadline in epoch seconds, so that a browser can count; `lon` and `lat` are None
    without a place.
    """
    line, cases = describe_case(snapshot, k, words), snapshot.cases
    deadline = cases.deadline[k]
    placed = bool(cases.placed[k])
    return {
        "id": line.id,
        "what": line.what,
        "where": line.where,
        "when": line.when,
        "state": line.state,
        "chip": line.chip,
        "stage": str(cases.stage[k]),
        "due": None if np.isnat(deadline) else int(deadline.astype("M8[s]").astype("int64")),
        "grid_id": line.grid_id,
        "new": int(is_new(snapshot)[k]),
        "lon": round(float(cases.lon[k]), 6) if placed else None,
        "lat": round(float(cases.lat[k]), 6) if placed else None,
    }


def is_new(snapshot: Snapshot) -> npt.NDArray[np.bool_]:
    """Which cases were reported a moment ago, as of the figures of the snapshot."""
    figures = snapshot.case_figures

    def compare() -> npt.NDArray[np.bool_]:
        since = figures.at - timedelta(minutes=snapshot.settings.new_minutes)
        return np.asarray(snapshot.cases.reported >= utc64(since))

    return figures.memo.get("new", compare)


def workers(store: Store, snapshot: Snapshot, words: Words) -> bytes:
    """Last positions: number for `/live`, time sent (epoch seconds), state."""
    found = snapshot.workers
    if not len(found.positions):
        return EMPTY
    names = found.people["name"].reindex(found.positions.index)
    calling = read_alarms(store).calling
    states = find_states(snapshot, told_states(store), calling, at=pd.Timestamp(store.clock()))
    frame = GeoDataFrame(
        {
            "n": found.positions["slot"],
            "name": names.where(names.notna(), found.positions.index),
            "t": found.positions["time"].astype("datetime64[s, UTC]").astype("int64"),
            "state": np.array(STATES, dtype=object)[states],
        },
        geometry=points_from_xy(found.positions["lon"], found.positions["lat"], crs=STORAGE_CRS),
        index=found.positions.index,
    )
    return frame_to_geojson(frame)


SOURCES: dict[str, Source] = {
    "grids": Source("city", grids),
    "boundaries": Source("city", boundaries),
    "labels": Source("city", labels),
    "roads": Source("ground", roads),
    "areas": Source("ground", areas),
    "incidents": Source("incidents", incidents, speaks=True),
    "workers": Source("workers", workers),
}
"""What `/data/<name>.geojson` serves."""


def asset_tile(store: Store, snapshot: Snapshot, zoom: int, x: int, y: int, words: Words) -> bytes:
    """Assets of a map tile: each one from `asset_zoom` on, clusters with counts before it."""
    if zoom >= store.settings.asset_zoom:
        return _single_assets(store, zoom, x, y, words)
    clusters = snapshot.inventory.clusters(zoom)
    if (x, y) not in clusters.index:
        return EMPTY
    found = clusters.loc[[(x, y)]]
    frame = GeoDataFrame(
        {"count": found["count"].to_numpy()},
        geometry=points_from_xy(found["lon"], found["lat"], crs=STORAGE_CRS),
    )
    return frame_to_geojson(frame)


def _single_assets(store: Store, zoom: int, x: int, y: int, words: Words) -> bytes:
    box = tile_bounds(zoom, x, y)
    parts = []
    for table in ASSET_TABLES:
        rows = store.workspace.read(table, bbox=box, columns=_ASSET_COLUMNS[table])
        places = shapely.centroid(rows.geometry.to_numpy())
        lon, lat = shapely.get_x(places), shapely.get_y(places)
        # West and north belong to the tile, so that none is drawn in two.
        mine = (lon >= box[0]) & (lon < box[2]) & (lat > box[1]) & (lat <= box[3])
        rows = rows[mine]
        codes = {str(code) for code in rows["class_code"].unique()}
        names = {code: class_name(code, "", words) for code in codes}
        symbols = {code: _symbol(code) for code in codes}
        state = rows["state"]
        part = {
            "id": rows.index.astype(str),
            "what": rows["class_code"].map(names),
            "name": rows["name"],
            "symbol": rows["class_code"].map(symbols),
            "broken": (state.notna() & (state != "intact")).astype("int8"),
        }
        if "bearing_deg" in rows:
            part["bearing"] = rows["bearing_deg"]
        parts.append(
            frame_to_geojson(
                GeoDataFrame(part, index=rows.index, geometry=places[mine], crs=STORAGE_CRS)
            )
        )
    return _joined(parts)


_ASSET_COLUMNS = {
    "assets": ["class_code", "name", "state", "geom"],
    "cameras": ["class_code", "name", "state", "bearing_deg", "geom"],
}


def _joined(collections: list[bytes]) -> bytes:
    """One FeatureCollection of several."""
    features = [f for part in collections for f in json.loads(part)["features"]]
    return _collection(features)


def _symbol(code: str) -> str:
    try:
        return class_symbol(code)
    except CodeError:
        return "square"


def _collection(features: list[dict[str, Any]]) -> bytes:
    body = {"type": "FeatureCollection", "features": features}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


_PIXELS = {
    "line-width", "text-size", "text-halo-width", "text-halo-blur", "text-padding",
    "symbol-spacing", "circle-radius", "line-offset", "line-gap-width",
}  # fmt: skip


def scale_style(style: dict[str, Any], scale: float) -> dict[str, Any]:
    """The same map for a screen with `scale` times the pixels: widths grow, zooms move along.

    A screen of twice the pixels shows the same ground one zoom step deeper, so every zoom in the
    style moves by log2(scale) and every width is multiplied.
    """
    if scale == 1:
        return style
    shift = math.log2(scale)
    layers = []
    for layer in style["layers"]:
        new = dict(layer)
        for name in ("minzoom", "maxzoom"):
            if name in new:
                new[name] = min(24.0, max(0.0, new[name] + shift))
        for part in ("paint", "layout"):
            if part in new:
                new[part] = {
                    key: _scaled(value, scale, shift) if key in _PIXELS else value
                    for key, value in new[part].items()
                }
        layers.append(new)
    return {**style, "layers": layers}


def _scaled(value: Any, scale: float, shift: float) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value * scale
    if not isinstance(value, list):
        return value
    if value[0] == "interpolate":
        head, stops = value[:3], value[3:]
        by_zoom = head[2] == ["zoom"]
        moved = [
            (stop + shift if by_zoom else stop) if k % 2 == 0 else _scaled(stop, scale, shift)
            for k, stop in enumerate(stops)
        ]
        return [*head, *moved]
    if value[0] == "match":
        outputs = [
            _scaled(item, scale, shift) if k % 2 == 1 or k == len(value) - 3 else item
            for k, item in enumerate(value[2:])
        ]
        return [*value[:2], *outputs]
    return value
