"""What the card draws on the map: the radius, the nearest workers, hydrants, cameras that see it.

A few dozen features as GeoJSON; the browser's part (45-card.js) draws them in a source of its own,
over the page's map, and takes them away when the card is closed.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from dashboards.components.card_around import MOST_CAMERAS
from dashboards.one_click import Card
from dashboards.store import Store
from dashboards.words import Words
from geo.schema import STORAGE_CRS
from geo.views import circle_around, view_sectors

DIGITS = 6


def build_marks(store: Store, card: Card, words: Words) -> dict[str, Any]:
    """The features of a card; empty where it has no place."""
    around = card.around
    if around is None:
        return _collection([])
    features = [_point("spot", around.lon, around.lat)]
    if card.radius_m is not None:
        ring = circle_around(around.lon, around.lat, card.radius_m)
        features.append(_feature("ring", ring))
    features += _sectors(store, card)
    for worker in card.nearest:
        near = worker.near
        line = shapely.LineString([(around.lon, around.lat), (near.lon, near.lat)])
        features.append(_feature("way", line))
        features.append(_point("worker", near.lon, near.lat, name=worker.name, id=near.key))
    for asset_id, row in around.hydrants.head(1).iterrows():
        lon, lat = float(row["lon"]), float(row["lat"])
        features.append(
            _point("hydrant", lon, lat, name=words("one.hydrant.mark"), id=str(asset_id))
        )
    return _collection(features)


def _sectors(store: Store, card: Card) -> list[dict[str, Any]]:
    """Cameras that see the spot, each with the ground that it sees between the walls."""
    assert card.around is not None
    table = card.around.cameras
    table = table[table["sees"] == "yes"].head(MOST_CAMERAS)
    if table.empty:
        return []
    cameras = gpd.GeoDataFrame(
        table, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs=STORAGE_CRS
    )
    reach = float(pd.to_numeric(table["range_m"]).max())
    walls = store.nearby.buildings_around(
        card.around.lon, card.around.lat, reach + float(table["distance_m"].max())
    )
    sectors = view_sectors(cameras, buildings=walls)
    features = []
    for camera, shape in sectors.items():
        row = table.loc[camera]
        if shape is not None and not shape.is_empty:
            features.append(_feature("sector", shape, id=str(camera)))
        features.append(_point("camera", float(row["lon"]), float(row["lat"]), id=str(camera)))
    return features


def _point(kind: str, lon: float, lat: float, **more: str) -> dict[str, Any]:
    return _feature(kind, shapely.Point(lon, lat), **more)


def _feature(kind: str, shape: shapely.Geometry, **more: str) -> dict[str, Any]:
    rounded = shapely.transform(shape, lambda xy: xy.round(DIGITS))
    return {
        "type": "Feature",
        "properties": {"kind": kind, **more},
        "geometry": shapely.geometry.mapping(rounded),
    }


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}
