"""What a camera looks at: a sector of a circle on the ground.

Only what is known is drawn: a camera without a range, or without a direction while it does not
see all around, has no sector, which is not the same as seeing nothing. Walls and trees are not
considered; a sector is what the camera could see on open ground.
"""

from __future__ import annotations

import numpy as np
import shapely
from geopandas import GeoDataFrame, GeoSeries
from pyproj import CRS, Geod

from geo.errors import ColumnError, CrsError
from geo.schema import STORAGE_CRS

_ELLIPSOID = Geod(ellps="WGS84")


def view_sectors(cameras: GeoDataFrame, *, step_deg: float = 7.5) -> GeoSeries:
    """Find the sector of ground that each camera looks at.

    Parameters
    ----------
    cameras
        Points in EPSG:4326 with `bearing_deg` (of the middle of the view, clockwise from north),
        `angle_deg` (opening) and `range_m`.
    step_deg
        Largest angle between two corners of the arc; at 7.5° the chord stays within 0.3 % of
        the range (1 - cos 3.75°).

    Returns
    -------
    GeoSeries
        One polygon a camera in EPSG:4326, indexed and ordered like `cameras`; missing where the
        place, range or opening is unknown or not positive, or the direction is unknown and the
        opening is less than a full turn. Distances are on the WGS-84 ellipsoid (Karney 2013).

    Raises
    ------
    CrsError
        If the cameras are not in EPSG:4326.
    ColumnError
        If one of the three columns is missing.
    """
    if cameras.crs is None or CRS.from_user_input(cameras.crs) != CRS(STORAGE_CRS):
        raise CrsError(f"cameras is in {cameras.crs}, not {STORAGE_CRS}: call to_crs(4326) first")
    names = ("bearing_deg", "angle_deg", "range_m")
    missing = [name for name in names if name not in cameras.columns]
    if missing:
        raise ColumnError(
            f"cameras lacks {', '.join(missing)}: it has {', '.join(map(str, cameras.columns))}"
        )
    bearing, angle, reach = (
        cameras[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names
    )
    points = cameras.geometry.to_numpy()
    lon, lat = shapely.get_x(points), shapely.get_y(points)
    sectors = [
        _sector(*row, step_deg) if _is_known(*row) else None
        for row in zip(lon, lat, bearing, angle, reach, strict=True)
    ]
    return GeoSeries(sectors, index=cameras.index, crs=STORAGE_CRS)


def _is_known(lon: float, lat: float, bearing: float, angle: float, reach: float) -> bool:
    seen = bool(np.isfinite(lon) and np.isfinite(lat) and angle > 0 and 0 < reach < np.inf)
    return seen and bool(np.isfinite(bearing) or angle >= 360)


def _sector(
    lon: float, lat: float, bearing: float, angle: float, reach: float, step_deg: float
) -> shapely.Polygon:
    """A pie slice; a whole disc from a full turn on."""
    full = angle >= 360
    middle = bearing if np.isfinite(bearing) else 0.0
    opening = min(angle, 360.0)
    corners = max(2, int(np.ceil(opening / step_deg)) + 1)
    # Counter-clockwise, as rings of GeoJSON turn: bearings run clockwise, so from high to low.
    turns = np.linspace(middle + opening / 2, middle - opening / 2, corners)
    if full:
        turns = turns[:-1]
    xs, ys, _ = _ELLIPSOID.fwd(
        np.full(len(turns), lon), np.full(len(turns), lat), turns, np.full(len(turns), reach)
    )
    arc = list(zip(xs, ys, strict=True))
    return shapely.Polygon(arc if full else [(lon, lat), *arc])
