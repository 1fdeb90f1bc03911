"""The formulas of GCJ-02 and BD-09, and the polygon in which they apply.

Public names are handed on by `geo.datum`; read its docstring first.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

# Krasovsky 1940, as in every published fit of GCJ-02 (some take 6378137 m: 12 mm apart at most).
_AXIS_M = 6378245.0
_ECCENTRICITY2 = 0.00669342162296594323
_GCJ_ROUNDS = 6  # fixed-point rounds; 4 leave 1.3 micrometres, 6 leave 3 nanometres
_BD_ROUNDS = 10  # each round leaves 1/50 of the error
_BD_TURN = np.pi * 3000.0 / 180.0
# Infinite and absurd numbers are no places: they stay or become not-a-number, without a warning.
_quiet = np.errstate(invalid="ignore", divide="ignore", over="ignore")


@_quiet
def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike, *, everywhere: bool = False) -> Pair:
    """Shift WGS-84 degrees to GCJ-02; places outside mainland China stay where they are.

    `everywhere` leaves the polygon out of it and applies the formula to any place.
    """
    x, y = arrays(lon, lat)
    return _choose(x, y, _shift(x, y), x, y, everywhere)


@_quiet
def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike, *, everywhere: bool = False) -> Pair:
    """Shift GCJ-02 degrees back to WGS-84, exact to some nanometres.

    Fixed point w <- w - (f(w) - g) from w = g. The polygon is asked about the result w.
    """
    x, y = arrays(lon, lat)
    found = _unshift(x, y)
    return _choose(*found, found, x, y, everywhere)


@_quiet
def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Shift GCJ-02 degrees to BD-09 (Baidu's longitude and latitude, not its planar bd09mc)."""
    x, y = arrays(lon, lat)
    length = np.hypot(x, y) + 2e-5 * np.sin(y * _BD_TURN)
    angle = np.arctan2(y, x) + 3e-6 * np.cos(x * _BD_TURN)
    return length * np.cos(angle) + 0.0065, length * np.sin(angle) + 0.006


@_quiet
def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Shift BD-09 degrees back to GCJ-02, exact to a micrometre.

    The published closed form is off by up to 0.22 m; here it is iterated like the GCJ-02 inverse.
    """
    x, y = arrays(lon, lat)
    gx, gy = x - 0.0065, y - 0.006
    for _ in range(_BD_ROUNDS):
        bx, by = gcj02_to_bd09(gx, gy)
        gx, gy = gx - (bx - x), gy - (by - y)
    return gx, gy


@_quiet
def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike, *, everywhere: bool = False) -> Pair:
    """Shift WGS-84 degrees to BD-09; places outside mainland China stay where they are."""
    x, y = arrays(lon, lat)
    return _choose(x, y, gcj02_to_bd09(*_shift(x, y)), x, y, everywhere)


@_quiet
def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike, *, everywhere: bool = False) -> Pair:
    """Shift BD-09 degrees back to WGS-84, exact to a micrometre; polygon asked about the result."""
    x, y = arrays(lon, lat)
    found = _unshift(*bd09_to_gcj02(x, y))
    return _choose(*found, found, x, y, everywhere)


def in_china(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Tell which WGS-84 places lie where maps are shifted: mainland China and its waters.

    A hand-drawn polygon, a few kilometres generous along most of the land border and one along
    Hong Kong and Macao. Whether publishers shift Hong Kong, Macao and Taiwan is not established,
    so they are outside. It is a rule for coordinates and no statement about any border.
    Not-a-number is outside.
    """
    x, y = arrays(lon, lat)
    inside = np.zeros(x.shape, dtype=bool)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return inside
    xs, ys = x[finite], y[finite]
    frame = shapely.box(xs.min(), ys.min(), xs.max(), ys.max())
    for part in _mainland():
        # Most layers are one city, wholly inside or outside: one test instead of one a point.
        if shapely.contains_properly(part, frame):
            inside[finite] = True
            return inside
        if not shapely.disjoint(part, frame):
            inside[finite] |= shapely.contains_xy(part, xs, ys)
    return inside


def arrays(lon: ArrayLike, lat: ArrayLike) -> Pair:
    """Both as float arrays."""
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _offset(lon: Floats, lat: Floats) -> Pair:
    """The GCJ-02 offset in degrees at a WGS-84 place (public fit, reference in the docs)."""
    x, y = lon - 105.0, lat - 35.0
    pi = np.pi
    root, both = np.sqrt(np.abs(x)), x * y
    waves = 20.0 * np.sin(6.0 * pi * x) + 20.0 * np.sin(2.0 * pi * x)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * both + 0.2 * root
    north_m += waves * 2.0 / 3.0
    north_m += (20.0 * np.sin(y * pi) + 40.0 * np.sin(y / 3.0 * pi)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(y / 12.0 * pi) + 320.0 * np.sin(y * pi / 30.0)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * both + 0.1 * root
    east_m += waves * 2.0 / 3.0
    east_m += (20.0 * np.sin(x * pi) + 40.0 * np.sin(x / 3.0 * pi)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(x / 12.0 * pi) + 300.0 * np.sin(x / 30.0 * pi)) * 2.0 / 3.0
    radians = np.radians(lat)
    bend = 1.0 - _ECCENTRICITY2 * np.sin(radians) ** 2
    meridian = _AXIS_M * (1.0 - _ECCENTRICITY2) / (bend * np.sqrt(bend))
    parallel = _AXIS_M / np.sqrt(bend) * np.cos(radians)
    return np.degrees(east_m / parallel), np.degrees(north_m / meridian)


def _shift(lon: Floats, lat: Floats) -> Pair:
    dx, dy = _offset(lon, lat)
    return lon + dx, lat + dy


def _unshift(lon: Floats, lat: Floats) -> Pair:
    x, y = lon, lat
    for _ in range(_GCJ_ROUNDS):
        gx, gy = _shift(x, y)
        x, y = x - (gx - lon), y - (gy - lat)
    return x, y


def _choose(wx: Floats, wy: Floats, shifted: Pair, x: Floats, y: Floats, everywhere: bool) -> Pair:
    """Take `shifted` where the WGS-84 place (wx, wy) is in China, else x, y unchanged."""
    if everywhere:
        return shifted
    inside = in_china(wx, wy)
    return np.where(inside, shifted[0], x), np.where(inside, shifted[1], y)


@cache
def _mainland() -> tuple[shapely.Geometry, ...]:
    land = shapely.Polygon(_BORDER, [_HONG_KONG, _MACAO])
    parts = (land, shapely.box(*_PARACELS))
    shapely.prepare(parts)
    return parts


# Drawn by hand, from the mouth of the Yalu counter-clockwise: rivers of the north-east, Mongolia,
# Central Asia, the Himalaya, the south-west, then the sea.
_BORDER = (
    *((124.05, 39.5), (124.45, 40.05), (124.95, 40.42), (125.45, 40.6), (126.05, 40.85)),
    *((126.4, 41.1), (126.65, 41.3), (126.95, 41.7), (127.35, 41.42), (128.2, 41.36)),
    *((128.3, 41.6), (128.2, 41.95), (128.95, 41.97), (129.35, 42.3), (129.8, 42.4)),
    *((129.95, 42.85), (130.2, 42.8), (130.4, 42.6), (130.65, 42.35), (130.75, 42.6)),
    *((130.6, 42.85), (131.15, 42.9), (131.4, 43.4), (131.4, 44.0), (131.35, 44.5)),
    *((131.15, 44.9), (131.9, 45.2), (132.9, 44.95), (133.3, 45.5), (133.65, 45.9)),
    *((133.95, 46.3), (134.15, 46.8), (134.3, 47.1), (134.85, 47.7), (134.85, 48.35)),
    *((134.3, 48.48), (133.5, 48.2), (132.7, 48.0), (131.1, 47.8), (130.95, 48.1)),
    *((130.85, 48.9), (129.6, 49.5), (128.6, 49.68), (127.65, 49.85), (127.6, 50.2)),
    *((127.5, 50.3), (127.45, 50.6), (127.0, 51.3), (126.9, 51.6), (126.75, 52.2)),
    *((126.0, 52.85), (125.0, 53.2), (123.6, 53.65), (122.3, 53.58), (121.3, 53.4)),
    *((120.6, 53.35), (119.95, 52.75), (120.4, 52.4), (120.55, 52.1), (120.0, 51.7)),
    *((119.75, 51.35), (119.2, 50.65), (119.15, 50.35), (118.5, 49.95), (117.8, 49.6)),
    *((117.2, 49.75), (116.65, 49.95), (115.95, 48.85), (115.4, 48.15), (115.7, 47.6)),
    *((116.25, 47.8), (117.4, 47.6), (118.0, 47.95), (118.5, 47.95), (119.5, 47.25)),
    *((119.7, 46.8), (118.0, 46.75), (117.3, 46.45), (116.5, 46.4), (115.6, 45.55)),
    *((114.5, 45.5), (113.5, 44.85), (112.0, 45.15), (111.4, 44.4), (111.85, 43.8)),
    *((111.0, 43.45), (110.0, 42.75), (109.2, 42.55), (107.4, 42.55), (105.0, 41.75)),
    *((103.2, 42.0), (101.8, 42.6), (100.3, 42.75), (99.5, 42.65), (97.2, 42.88)),
    *((96.3, 42.85), (95.9, 43.3), (95.5, 44.3), (94.7, 44.45), (93.5, 45.05)),
    *((91.1, 45.3), (91.1, 46.6), (90.2, 47.9), (88.9, 48.3), (87.9, 49.2)),
    *((86.8, 49.2), (85.7, 48.5), (85.4, 47.15), (84.8, 46.95), (83.0, 47.3)),
    *((82.2, 45.6), (82.4, 45.25), (81.9, 45.3), (80.0, 45.1), (80.35, 44.3)),
    *((80.3, 43.2), (80.1, 42.2), (79.2, 41.85), (78.3, 41.6), (76.9, 41.1)),
    *((76.2, 40.5), (75.5, 40.65), (74.7, 40.55), (73.75, 39.85), (73.45, 39.4)),
    *((73.7, 38.5), (74.6, 38.3), (74.7, 37.3), (75.0, 36.9), (75.9, 36.3)),
    *((76.7, 35.6), (77.9, 35.4), (78.0, 34.4), (78.8, 34.2), (78.6, 33.5)),
    *((79.2, 32.5), (78.4, 32.5), (78.6, 31.3), (79.5, 30.8), (81.0, 30.1)),
    *((81.6, 30.3), (82.5, 29.95), (83.5, 29.1), (84.2, 28.8), (85.2, 28.2)),
    *((85.9, 27.88), (86.9, 27.95), (88.1, 27.85), (88.75, 27.95), (88.75, 27.3)),
    *((88.95, 27.25), (89.05, 27.5), (89.5, 28.05), (90.4, 28.05), (91.3, 27.95)),
    *((91.6, 27.7), (92.05, 26.85), (93.9, 26.95), (95.0, 27.75), (96.0, 28.05)),
    *((97.3, 28.1), (98.2, 27.5), (98.5, 26.5), (98.5, 25.85), (97.85, 25.2)),
    *((97.5, 24.7), (97.45, 23.88), (97.9, 23.9), (98.5, 23.95), (98.7, 23.5)),
    *((98.85, 23.2), (99.3, 22.8), (99.1, 22.1), (99.9, 22.0), (100.05, 21.45)),
    *((100.7, 21.4), (101.1, 21.55), (101.3, 21.15), (101.85, 21.08), (101.9, 21.6)),
    *((101.75, 22.4), (102.4, 22.35), (102.5, 22.65), (103.0, 22.42), (103.55, 22.55)),
    *((103.97, 22.49), (104.4, 22.65), (104.8, 22.7), (105.35, 23.2), (106.55, 22.85)),
    *((106.55, 22.3), (106.65, 21.95), (107.3, 21.55), (107.95, 21.48), (108.0, 21.2)),
    *((108.2, 19.3), (108.2, 18.4), (109.0, 17.8), (110.0, 17.9), (111.6, 19.5)),
    *((112.5, 21.2), (114.7, 21.8), (116.8, 22.7), (118.2, 23.7), (119.2, 24.3)),
    *((120.2, 25.3), (120.9, 26.3), (122.5, 28.0), (123.3, 30.0), (123.2, 31.5)),
    *((122.3, 33.0), (121.6, 34.5), (123.0, 36.3), (123.1, 37.6), (122.2, 38.4)),
    *((123.4, 38.9),),
)
_HONG_KONG = (
    *((113.83, 22.15), (113.83, 22.38), (113.91, 22.44), (113.975, 22.478), (114.03, 22.487)),
    *((114.06, 22.503), (114.09, 22.515), (114.12, 22.522), (114.15, 22.533), (114.19, 22.54)),
    *((114.225, 22.535), (114.26, 22.545), (114.38, 22.55), (114.44, 22.535), (114.44, 22.45)),
    *((114.5, 22.4), (114.5, 22.15)),
)
_MACAO = (
    *((113.531, 22.18), (113.531, 22.211), (113.56, 22.213), (113.6, 22.205)),
    *((113.605, 22.105), (113.553, 22.105), (113.551, 22.165), (113.54, 22.178)),
)
_PARACELS = (111.0, 15.5, 113.5, 17.6)
