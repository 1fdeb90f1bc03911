"""What a camera looks at: a sector of a circle on the ground.

Only what is known is drawn: a camera without a range, or without a direction while it does not
see all around, has no sector, which is not the same as seeing nothing. Given buildings, a sector
ends at their walls, whatever their height; without them it is what the camera could see on open
ground. Trees are never considered. The building that a camera hangs on hides nothing.
"""

from __future__ import annotations

import numpy as np
import shapely
from geopandas import GeoDataFrame, GeoSeries
from pyproj import CRS, Geod

from geo._metres import degree_m, require_degrees, require_place
from geo._sight import OWN_WALL_M as OWN_WALL_M
from geo._sight import Walls, open_ground
from geo.errors import ColumnError, CrsError, InputError
from geo.schema import STORAGE_CRS

_ELLIPSOID = Geod(ellps="WGS84")


def view_sectors(
    cameras: GeoDataFrame, *, buildings: GeoDataFrame | None = None, step_deg: float = 7.5
) -> GeoSeries:
    """Find the sector of ground that each camera looks at.

    Parameters
    ----------
    cameras
        Points in EPSG:4326 with `bearing_deg` (of the middle of the view, clockwise from north),
        `angle_deg` (opening) and `range_m`.
    buildings
        Footprints in EPSG:4326 that cut the view; None for open ground.
    step_deg
        Largest angle between two corners of the arc; at 7.5° the chord stays within 0.3 % of
        the range (1 - cos 3.75°).

    Returns
    -------
    GeoSeries
        One polygon a camera in EPSG:4326, indexed and ordered like `cameras`; missing where the
        place, range or opening is unknown or not positive, or the direction is unknown and the
        opening is less than a full turn. Distances are on the WGS-84 ellipsoid (Karney 2013),
        those to walls in a plane that touches it at the camera (0.1 m off at 1 km).

    Raises
    ------
    CrsError
        If the cameras or the buildings are not in EPSG:4326.
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
    walls = None
    if buildings is not None:
        require_degrees(buildings=buildings)
        walls = Walls(buildings.geometry.to_numpy())
    sectors = [
        _sector(*row, step_deg, walls) if _is_known(*row) else None
        for row in zip(lon, lat, bearing, angle, reach, strict=True)
    ]
    return GeoSeries(sectors, index=cameras.index, crs=STORAGE_CRS)


def circle_around(lon: float, lat: float, radius_m: float, *, corners: int = 96) -> shapely.Polygon:
    """The circle around a place on the WGS-84 ellipsoid, in degrees.

    With 96 corners the chord stays within 0.06 % of the radius (1 - cos 1.875°).

    Raises
    ------
    InputError
        If it is no place, or the radius is not positive.
    """
    require_place(lon, lat)
    if not 0 < radius_m < np.inf:
        raise InputError(f"radius_m is {radius_m}: use a number above 0")
    return _sector(lon, lat, 0.0, 360.0, radius_m, 360.0 / corners, None)


def _is_known(lon: float, lat: float, bearing: float, angle: float, reach: float) -> bool:
    seen = bool(np.isfinite(lon) and np.isfinite(lat) and angle > 0 and 0 < reach < np.inf)
    return seen and bool(np.isfinite(bearing) or angle >= 360)


def _sector(
    lon: float,
    lat: float,
    bearing: float,
    angle: float,
    reach: float,
    step_deg: float,
    walls: Walls | None,
) -> shapely.Polygon | shapely.MultiPolygon:
    """A pie slice, a whole disc from a full turn on; what walls hide is cut out."""
    full = angle >= 360
    middle = bearing if np.isfinite(bearing) else 0.0
    opening = min(angle, 360.0)
    corners = max(2, int(np.ceil(opening / step_deg)) + 1)
    # Counter-clockwise, as rings of GeoJSON turn: bearings run clockwise, so from high to low.
    turns = np.linspace(middle + opening / 2, middle - opening / 2, corners)
    flat = None if walls is None else walls.around(lon, lat, reach)
    if flat is not None and len(flat):
        seen = open_ground(turns, reach, flat, is_full=full)
        scale = np.array(degree_m(lat))
        return shapely.transform(seen, lambda xy: xy / scale + np.array([lon, lat]))
    if full:
        turns = turns[:-1]
    xs, ys, _ = _ELLIPSOID.fwd(
        np.full(len(turns), lon), np.full(len(turns), lat), turns, np.full(len(turns), reach)
    )
    arc = list(zip(xs, ys, strict=True))
    return shapely.Polygon(arc if full else [(lon, lat), *arc])
