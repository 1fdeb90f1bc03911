"""WGS-84, GCJ-02, BD-09 and CGCS2000, and the CRS in metres to compute in.

Maps published in China are shifted by law: GCJ-02 by 20 to 700 m, BD-09 by some 900 m more. No
coordinate says which datum it is in, so nothing here converts by guess: a source says its datum,
`to_wgs84` takes the shift out once, at the border, and everything inside is WGS-84. CGCS2000
counts as equal to WGS-84 (they differ by decimetres of plate motion).

The shift exists in mainland China only. The usual rectangle also covers Seoul, Hanoi, Delhi and
Ulaanbaatar, so a polygon decides (`in_china`), and it is always asked about the WGS-84 place: an
inverse looks at its own result, never at its input, else the map would tear along the border.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import ArrayLike

from geo._datum_fit import DatumSuspicion, find_datum_shift, find_layer_shift
from geo._shifts import (
    Floats,
    Pair,
    arrays,
    bd09_to_gcj02,
    bd09_to_wgs84,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    in_china,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)
from geo.errors import CrsError

__all__ = [
    "DatumSuspicion",
    "DatumWarning",
    "bd09_to_gcj02",
    "bd09_to_wgs84",
    "convert_points",
    "datum_name",
    "find_datum_shift",
    "find_layer_shift",
    "from_wgs84",
    "gcj02_to_bd09",
    "gcj02_to_wgs84",
    "in_china",
    "metric_crs",
    "require_metres",
    "to_metric",
    "to_wgs84",
    "wgs84_to_bd09",
    "wgs84_to_gcj02",
]

WGS84 = "EPSG:4326"
SHIFTED = ("gcj02", "bd09")
_SAME_AS_WGS84 = {
    "wgs84",
    "wgs-84",
    "cgcs2000",
    "epsg:4326",
    "epsg:4490",
    "ogc:crs84",
    "crs84",
    "urn:ogc:def:crs:ogc:1.3:crs84",
}
_EXACT = re.compile(r"\s*([A-Za-z_0-9]+:\w+|urn:|https?:|\d+$|\+|\{|\w+\s*\[)")
"""An authority and a code, a URN, a number, a PROJ string, PROJJSON or WKT."""
_ALIASES = {
    "gcj-02": "gcj02",
    "gcj": "gcj02",
    "bd-09": "bd09",
    "bd09ll": "bd09",
}


class DatumWarning(UserWarning):
    """Places outside mainland China were declared GCJ-02 or BD-09, or turned into it."""


def datum_name(crs: object) -> str:
    """Normalise a declared CRS: `wgs84`, `gcj02`, `bd09`, or the text itself for PROJ.

    CGCS2000 in degrees (EPSG:4490) comes out as `wgs84`. Raises CrsError for what PROJ
    does not know.
    """
    text = str(crs).strip()
    low = text.lower()
    low = _ALIASES.get(low, low)
    if low in SHIFTED:
        return low
    if low in _SAME_AS_WGS84:
        return "wgs84"
    parsed = _parse_crs(text)
    epsg = parsed.to_epsg() if parsed.is_geographic else None
    return "wgs84" if epsg in (4326, 4490) else text


def convert_points(lon: ArrayLike, lat: ArrayLike, source_crs: object) -> Pair:
    """Turn coordinates of the declared CRS into WGS-84 degrees.

    Parameters
    ----------
    lon, lat
        Coordinates in `source_crs`: degrees, or x (east) and y (north) in its unit.
    source_crs
        wgs84, gcj02, bd09, cgcs2000, EPSG:n or any text that PROJ reads.

    Warns
    -----
    DatumWarning
        If some of the places declared GCJ-02 or BD-09 are outside mainland China; those
        are not shifted.
    """
    x, y = arrays(lon, lat)
    name = datum_name(source_crs)
    if name == "wgs84":
        return x, y
    if name in SHIFTED:
        found = _TO_WGS84[name](x, y)
        _warn_outside(*found, name)
        return found
    changed = _transformer(name, WGS84).transform(x, y)
    return np.asarray(changed[0], dtype=float), np.asarray(changed[1], dtype=float)


def to_wgs84(frame: gpd.GeoDataFrame, source_crs: object = None) -> gpd.GeoDataFrame:
    """Turn a layer of the declared CRS into WGS-84 (EPSG:4326), in two dimensions.

    Every vertex goes through the same formula in one call, so vertices that two polygons share
    stay bit for bit the same. Works on all geometry types; missing and empty ones pass through.

    Parameters
    ----------
    frame
        Any layer; its own `crs` may be missing or wrong.
    source_crs
        What the coordinates really are: wgs84, gcj02, bd09, cgcs2000, EPSG:n or any text
        that PROJ reads. Without it the layer's own CRS counts. A layer that is projected (say
        web Mercator) and declared gcj02 or bd09 is turned into degrees first.

    Warns
    -----
    DatumWarning
        See `convert_points`.
    """
    if source_crs is None:
        if frame.crs is None:
            raise CrsError("the layer has no CRS: declare one (wgs84, gcj02, bd09, EPSG:n)")
        source_crs = frame.crs.to_wkt()
    name = datum_name(source_crs)
    if name in SHIFTED and frame.crs is not None and not frame.crs.is_geographic:
        frame = frame.to_crs(WGS84)
    return _transform(frame, lambda x, y: convert_points(x, y, name), WGS84)


def from_wgs84(frame: gpd.GeoDataFrame, target_crs: object) -> gpd.GeoDataFrame:
    """Turn a WGS-84 layer into the CRS asked for, the counterpart of `to_wgs84`.

    A layer in GCJ-02 or BD-09 has no EPSG code, so its `crs` is missing: a file that said
    EPSG:4326 would be read half a kilometre off. CGCS2000 comes out as EPSG:4490.
    """
    if frame.crs is None or datum_name(frame.crs.to_wkt()) != "wgs84":
        raise CrsError(f"the layer is in {frame.crs}, not EPSG:4326: call to_wgs84(...) first")
    name = datum_name(target_crs)
    if name in SHIFTED:
        shift = _FROM_WGS84[name]

        def change(x: Floats, y: Floats) -> Pair:
            _warn_outside(x, y, name)
            return shift(x, y)

        return _transform(frame, change, None)
    if name == "wgs84":
        low = str(target_crs).strip().lower()
        cgcs = low in ("cgcs2000", "epsg:4490")
        return _transform(frame, lambda x, y: (x, y), "EPSG:4490" if cgcs else WGS84)
    move = _transformer(WGS84, name)
    return _transform(frame, lambda x, y: move.transform(x, y), name)


def metric_crs(lon: ArrayLike, lat: ArrayLike) -> pyproj.CRS:
    """Choose the CRS in metres for a place in WGS-84 degrees, or for the middle of several.

    In mainland China the 3-degree Gauss-Krueger zone of CGCS2000 by central meridian,
    EPSG 4534 + (CM - 75) / 3; elsewhere the UTM zone of the place, and polar stereographic
    beyond 84 N and 80 S.
    """
    x, y = arrays(lon, lat)
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not x.size or not y.size:
        raise CrsError("no place to choose a metric CRS for: give finite degrees")
    east = float(x.min() + x.max()) / 2
    north = float(y.min() + y.max()) / 2
    if not (-180 <= east <= 180 and -90 <= north <= 90):
        raise CrsError(f"{east:g}, {north:g} is no longitude, latitude in degrees")
    if in_china(east, north).all():
        meridian = int(np.clip(3 * np.floor(east / 3 + 0.5), 75, 135))
        return pyproj.CRS.from_epsg(4534 + (meridian - 75) // 3)
    if north > 84:
        return pyproj.CRS.from_epsg(32661)
    if north < -80:
        return pyproj.CRS.from_epsg(32761)
    zone = min(int((east + 180) // 6) + 1, 60)
    return pyproj.CRS.from_epsg((32600 if north >= 0 else 32700) + zone)


def to_metric(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Project a layer into the metric CRS of its middle (`metric_crs`)."""
    if frame.crs is None:
        raise CrsError("the layer has no CRS: call set_crs(...) first")
    west, south, east, north = frame.to_crs(WGS84).total_bounds
    return frame.to_crs(metric_crs([west, east], [south, north]))


def require_metres(**layers: gpd.GeoDataFrame) -> None:
    """Raise CrsError unless every layer named has a projected CRS in metres."""
    for name, layer in layers.items():
        if layer.crs is None:
            raise CrsError(f"{name} has no CRS: call {name}.set_crs(...) first")
        unit = layer.crs.axis_info[0].unit_name if layer.crs.axis_info else ""
        if not layer.crs.is_projected or unit not in ("metre", "meter"):
            raise CrsError(
                f"{name} is in {layer.crs.to_string()[:60]}, not metres: "
                f"call {name}.to_crs(...) or geo.datum.to_metric({name}) first"
            )


_TO_WGS84: dict[str, Callable[[Floats, Floats], Pair]] = {
    "gcj02": gcj02_to_wgs84,
    "bd09": bd09_to_wgs84,
}
_FROM_WGS84: dict[str, Callable[[Floats, Floats], Pair]] = {
    "gcj02": wgs84_to_gcj02,
    "bd09": wgs84_to_bd09,
}


def _warn_outside(lon: Floats, lat: Floats, name: str) -> None:
    """Warn of WGS-84 places to which the shift of `name` does not apply."""
    finite = np.isfinite(lon) & np.isfinite(lat)
    outside = finite & ~in_china(lon, lat)
    count = int(outside.sum())
    if count:
        first = int(np.flatnonzero(outside.ravel())[0])
        warnings.warn(
            f"{count} of {int(finite.sum())} coordinates declared {name} are outside mainland "
            f"China (the first at {lon.ravel()[first]:.5f}, {lat.ravel()[first]:.5f}) and were "
            "not shifted: check the source CRS",
            DatumWarning,
            stacklevel=3,
        )


def _transform(
    frame: gpd.GeoDataFrame, change: Callable[[Floats, Floats], Pair], crs: str | None
) -> gpd.GeoDataFrame:
    def both(points: Floats) -> Floats:
        return np.column_stack(change(points[:, 0], points[:, 1]))

    shapes = shapely.transform(frame.geometry.to_numpy(), both)
    out = frame.copy()
    out[frame.geometry.name] = gpd.GeoSeries(shapes, index=frame.index, crs=crs)
    if crs is None:  # the frame remembers its old CRS where the new shapes have none
        out = gpd.GeoDataFrame(out.set_crs(None, allow_override=True))
    return out


@cache
def _transformer(source: str, target: str) -> pyproj.Transformer:
    one, two = _parse_crs(source), _parse_crs(target)
    try:
        return pyproj.Transformer.from_crs(one, two, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        other = one.name if target == WGS84 else two.name
        raise CrsError(f"{other} cannot be turned into or from WGS-84: choose another") from error


def _parse_crs(text: str) -> pyproj.CRS:
    try:
        # PROJ also looks for names that sound alike ("mars2000"): a datum is never guessed.
        if not _EXACT.match(text):
            raise pyproj.exceptions.CRSError(f"{text} is a name")
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError as error:
        raise CrsError(
            f"unknown CRS {text[:80]!r}: use wgs84, gcj02, bd09, cgcs2000, EPSG:n or PROJ text"
        ) from error
