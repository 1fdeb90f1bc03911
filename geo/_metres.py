"""Metres between places in degrees: always the geodesic on the WGS-84 ellipsoid.

One kind of distance for everything near a place (`geo.live`, `geo.nearby`): the shortest way over
the ellipsoid (Karney 2013, through pyproj), exact to well below a millimetre. Boxes and straight
lines through the earth only choose candidates; they are bounds, never answers.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod

from geo.errors import CrsError, InputError
from geo.schema import STORAGE_CRS

Floats = NDArray[np.float64]

_ELLIPSOID = Geod(ellps="WGS84")
_A = 6_378_137.0
_E2 = 0.006694379990141317
"""Semi-major axis in metres and first eccentricity squared of WGS-84."""

_LEAST_RADIUS = _A * (1.0 - _E2)
"""The smallest radius of curvature of the ellipsoid (of the meridian at the equator), metres."""


def measure_m(lon: float, lat: float, lons: Floats, lats: Floats) -> Floats:
    """Metres from one place to each of several."""
    if not len(lons):
        return np.empty(0)
    here = np.full(len(lons), lon), np.full(len(lons), lat)
    _, _, metres = _ELLIPSOID.inv(*here, lons, lats)
    return np.asarray(metres, dtype=np.float64)


def look_from(lons: Floats, lats: Floats, lon: float, lat: float) -> Floats:
    """The direction from each of several places to one: degrees clockwise from north, ±180."""
    if not len(lons):
        return np.empty(0)
    there = np.full(len(lons), lon), np.full(len(lons), lat)
    azimuth, _, _ = _ELLIPSOID.inv(lons, lats, *there)
    return np.asarray(azimuth, dtype=np.float64)


def box_around(lon: float, lat: float, radius_m: float) -> tuple[float, float, float, float]:
    """West, south, east, north of a box in degrees that holds the circle; never too small.

    Does not go around: a city does not lie across the 180th meridian or on a pole.
    """
    slack = radius_m * 1.001 + 0.001
    up = float(np.degrees(slack / _LEAST_RADIUS))
    farthest = min(abs(lat) + up, 90.0)
    parallel = _A * float(np.cos(np.radians(farthest)))
    side = 360.0 if slack >= parallel else float(np.degrees(slack / parallel))
    return lon - side, lat - up, lon + side, lat + up


def to_space(lon: float, lat: float) -> tuple[float, float, float]:
    """The place on the ellipsoid in metres from the centre of the earth (EPSG:4978)."""
    a, b = np.radians(lon), np.radians(lat)
    normal = _A / np.sqrt(1.0 - _E2 * np.sin(b) ** 2)
    level = normal * np.cos(b)
    z = normal * (1.0 - _E2) * np.sin(b)
    return float(level * np.cos(a)), float(level * np.sin(a)), float(z)


def longest_chord_m(metres: float) -> float:
    """No place as far away as that over the ellipsoid is farther than this through the earth.

    A straight line is never longer than the way over the ground.
    """
    return metres * (1.0 + 1e-9) + 1e-3


def degree_m(lat: float) -> tuple[float, float]:
    """Metres of a degree eastward and northward, in the plane that touches the ellipsoid there.

    One kilometre away the plane is off by less than 0.1 m at latitudes up to 60 degrees.
    """
    b = float(np.radians(lat))
    bend = 1.0 - _E2 * float(np.sin(b)) ** 2
    north = float(np.radians(1.0)) * _A * (1.0 - _E2) / bend**1.5
    east = float(np.radians(1.0)) * _A / bend**0.5 * float(np.cos(b))
    return east, north


def nearest_on(
    lon: float, lat: float, shapes: NDArray[np.object_]
) -> tuple[Floats, Floats, Floats]:
    """Metres to each line or area, and the lon, lat of its nearest point; 0 inside an area.

    The nearest point is chosen in a plane that touches the ellipsoid at the place; the way to it
    is then measured as everywhere.
    """
    if not len(shapes):
        return np.empty(0), np.empty(0), np.empty(0)
    east, north = degree_m(lat)

    def flatten(xy: Floats) -> Floats:
        flat: Floats = (xy - np.array([lon, lat])) * np.array([east, north])
        return flat

    flat = shapely.transform(shapes, flatten)
    lines: Any = shapely.shortest_line(shapely.Point(0.0, 0.0), flat)
    ends = shapely.get_coordinates(lines)[1::2]
    lons, lats = ends[:, 0] / east + lon, ends[:, 1] / north + lat
    return measure_m(lon, lat, lons, lats), lons, lats


def require_place(lon: float, lat: float) -> None:
    """Raise InputError if it is no place in degrees."""
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise InputError(f"lon {lon}, lat {lat} is no place: give degrees, longitude first")


def require_degrees(**layers: gpd.GeoDataFrame) -> None:
    """Raise CrsError if a layer is not in EPSG:4326."""
    for name, layer in layers.items():
        if layer.crs is None or not CRS.from_user_input(layer.crs).equals(
            CRS(STORAGE_CRS), ignore_axis_order=True
        ):
            raise CrsError(f"{name} is in {layer.crs}, not {STORAGE_CRS}: call to_crs(4326) first")
