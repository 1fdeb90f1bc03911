"""What patrols reached: the share of streets that lies within a distance of a walked path.

Streets are cut into straight pieces of at most 25 m; each belongs to the grid of its middle (see
`geo.locate`), so the metres of all grids add up to those of the city. How much of a piece was
reached is computed exactly, not sampled (`geo._reach_cover`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo._reach_cover import cover, sort_paths
from geo.datum import require_metres
from geo.errors import ColumnError, CrsError, InputError
from geo.locate import GridIndex

REACH_M = 20.0
"""How far from where one walks one sees a street; our assumption, a city sets its own."""

PIECE_M = 25.0
GAP_S = 60.0
"""Two fixes farther apart in time are no path: nobody knows the way between them."""

MOST_KMH = 15.0
"""Faster than one walks or cycles on patrol: a jump, or a ride, and no path either."""

MOST_ACCURACY_M = 60.0
WALKED = ("arterial", "main", "minor", "path")
"""Classes of road that count as street; rivers and railways do not."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StreetPieces:
    """Straight pieces of street with the grid of each; made once for a version of the borders."""

    ends: Floats
    """x, y of both ends, metres, (n, 4)."""
    row: npt.NDArray[np.int32]
    """Row of the grid, -1 outside of all grids."""
    length_m: Floats


def cut_streets(roads: GeoDataFrame, grids: GeoDataFrame) -> StreetPieces:
    """Cut the streets among `roads` into pieces; both layers in the same CRS in metres.

    Raises
    ------
    CrsError, ColumnError
        If the layers differ in CRS or are not in metres, or roads have no `road_class`.
    """
    require_metres(roads=roads, grids=grids)
    if roads.crs != grids.crs:
        raise CrsError(f"roads are in {roads.crs}, grids in {grids.crs}: bring them together first")
    if "road_class" not in roads.columns:
        raise ColumnError(f"roads have no road_class: they have {', '.join(roads.columns)}")
    streets = roads.geometry[roads["road_class"].isin(WALKED).to_numpy()].to_numpy()
    xy, line = shapely.get_coordinates(shapely.get_parts(streets), return_index=True)
    same = line[1:] == line[:-1]
    start, end = xy[:-1][same], xy[1:][same]
    size = np.hypot(*(end - start).T)
    start, end, size = start[size > 0], end[size > 0], size[size > 0]
    parts = np.maximum(1, np.ceil(size / PIECE_M)).astype(np.int64)
    of = np.repeat(np.arange(len(size)), parts)
    number = np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)
    way = (end - start)[of] / parts[of, None]
    low = start[of] + way * number[:, None]
    ends = np.hstack([low, low + way])
    middle = low + way / 2
    row = GridIndex(grids).assign(middle[:, 0], middle[:, 1])
    return StreetPieces(ends, row, size[of] / parts[of])


def find_paths(fixes: pd.DataFrame, *, gap_s: float = GAP_S, most_kmh: float = MOST_KMH) -> Floats:
    """Find the straight steps between fixes of the same worker; a fix without one stands alone.

    Parameters
    ----------
    fixes
        `worker_id`, `time`, `x`, `y` in metres, and where known `accuracy_m` and `mock`; fixes that
        are mock or may be off by more than 60 m are left out.

    Returns
    -------
    ndarray
        x, y of both ends of each step, (n, 4); a lone fix has twice the same.
    """
    missing = {"worker_id", "time", "x", "y"} - set(fixes.columns)
    if missing:
        raise ColumnError(f"fixes lack {', '.join(sorted(missing))}: they have {list(fixes)}")
    good = np.isfinite(fixes["x"].to_numpy(float)) & np.isfinite(fixes["y"].to_numpy(float))
    if "accuracy_m" in fixes:
        accuracy = fixes["accuracy_m"].to_numpy(dtype=np.float64, na_value=np.nan)
        good &= ~(accuracy > MOST_ACCURACY_M)
    if "mock" in fixes:
        good &= ~fixes["mock"].fillna(False).to_numpy(dtype=bool)
    who = pd.factorize(fixes["worker_id"].to_numpy()[good])[0]
    times = pd.to_datetime(fixes["time"], utc=True).dt.tz_localize(None).to_numpy()[good]
    second = times.astype("datetime64[us]").astype(np.int64) / 1e6
    order = np.lexsort((second, who))
    xy = fixes[["x", "y"]].to_numpy(dtype=np.float64)[good][order]
    who, second = who[order], second[order]
    apart = np.diff(second)
    far = np.hypot(*np.diff(xy, axis=0).T) if len(xy) > 1 else np.empty(0)
    joined = (np.diff(who) == 0) & (apart <= gap_s) & (far * 3.6 <= most_kmh * apart)
    lone = (
        ~(np.append(joined, False) | np.insert(joined, 0, False)) if len(xy) else np.empty(0, bool)
    )
    steps = np.hstack([xy[:-1][joined], xy[1:][joined]]) if len(xy) > 1 else np.empty((0, 4))
    return np.vstack([steps, np.hstack([xy[lone], xy[lone]])])


def measure_reach(pieces: StreetPieces, paths: Floats, *, radius_m: float = REACH_M) -> Floats:
    """Measure how many metres of each piece lie within `radius_m` of a path.

    Exact but for rounding: what lies within a distance of a straight step is convex, so on a
    straight piece it is an interval; the covered length is that of the union.
    """
    if not radius_m > 0:
        raise InputError(f"radius_m is {radius_m}: use a number above 0")
    if not len(pieces.ends) or not len(paths):
        return np.zeros(len(pieces.ends))
    corner = pieces.ends.reshape(-1, 2)
    x0, y0 = corner.min(axis=0)
    size = max(2 * radius_m, PIECE_M)
    nx, ny = ((corner.max(axis=0) - (x0, y0)) // size + 1).astype(int)
    start, items = sort_paths(paths, radius_m, x0, y0, size, int(nx), int(ny))
    share = cover(pieces.ends, paths, radius_m, x0, y0, size, int(nx), int(ny), start, items)
    return np.asarray(share * pieces.length_m)


def measure_coverage(
    grids: GeoDataFrame, pieces: StreetPieces, paths: Floats, *, radius_m: float = REACH_M
) -> pd.DataFrame:
    """Measure the share of streets of each grid that patrols reached.

    Returns
    -------
    DataFrame
        Indexed by `grid_id` in the order of `grids`: `street_m`, `covered_m`, `covered_share`
        (missing where a grid has no street).
    """
    covered = measure_reach(pieces, paths, radius_m=radius_m)
    inside = pieces.row >= 0
    sums = [
        np.bincount(pieces.row[inside], weights=metres[inside], minlength=len(grids))
        for metres in (pieces.length_m, covered)
    ]
    table = pd.DataFrame({"street_m": sums[0], "covered_m": sums[1]}, index=grids.index)
    table["covered_share"] = (table["covered_m"] / table["street_m"]).where(table["street_m"] > 0)
    return table
