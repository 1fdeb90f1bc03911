"""When somebody was last near each asset.

Near is within a distance of the path, not of a fix alone: who walks past between two fixes was
there. The time is that of the last place of the step that is near, by even pace from fix to fix.
The summary of a partition (`Sightings`) keeps the last time for each asset; joining takes the
later, so neither order nor grouping matter. Public names are handed on by `geo.reach`.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from numba import njit

from geo._fixes_tracks import NO_TIME, Floats, micro_of, to_times
from geo._reach_cover import CELL_M, HALF_M
from geo._reach_measure import REACH_M, sort_ends
from geo._reach_walks import Walks
from geo.datum import require_metres
from geo.errors import InputError


@dataclass(frozen=True, eq=False)
class Sightings:
    """When each asset was last seen, and by whom."""

    assets: pd.Index
    micro: npt.NDArray[np.int64]
    """Microseconds since 1970 UTC; NO_TIME: never."""
    worker: npt.NDArray[np.object_]
    """Of several at the same moment the first by id; empty: nobody."""


def sight_assets(assets: GeoDataFrame, walks: Walks, *, radius_m: float = REACH_M) -> Sightings:
    """Find when each asset was last within `radius_m` of a walk: the summary of a partition.

    Parameters
    ----------
    assets
        In metres, in the CRS of the fixes. A line counts as its middle, an area as a point in it.
    walks
        From `find_walks`.

    Raises
    ------
    CrsError, InputError
        If assets are not in metres, or the radius is not positive.
    """
    require_metres(assets=assets)
    if not 0 < radius_m < np.inf:
        raise InputError(f"radius_m is {radius_m}: use a number above 0")
    places = _places(assets.geometry.to_numpy())
    there = np.isfinite(places).all(axis=1)
    micro = np.full(len(assets), NO_TIME, dtype=np.int64)
    who = np.full(len(assets), -1, dtype=np.int32)
    cells = sort_ends(np.hstack([places[there], places[there]]), radius_m, "assets")
    found = micro[there], who[there]
    walk_past(
        np.flatnonzero(walks.group >= 0), walks.who, walks.micro, walks.x, walks.y,
        int(walks.gap_s * 1e6), walks.most_kmh / 3.6, radius_m, places[there], cells.x0, cells.y0,
        cells.nx, cells.ny, cells.start, cells.items, *found,
    )  # fmt: skip
    micro[there], who[there] = found
    worker = np.full(len(assets), "", dtype=object)
    seen = who >= 0
    names = walks.names if walks.names is not None else pd.RangeIndex(int(who.max(initial=-1)) + 1)
    worker[seen] = names.take(who[seen]).astype(str)
    return Sightings(assets.index, micro, worker)


def join_sightings(*parts: Sightings) -> Sightings:
    """The last sighting of each asset among several summaries of the same assets."""
    if not parts:
        raise InputError("join_sightings needs something to join: give at least one summary")
    whole = parts[0]
    for part in parts[1:]:
        later = part.micro > whole.micro
        same = (part.micro == whole.micro) & (part.micro > NO_TIME)
        later |= same & (part.worker < whole.worker)
        whole = Sightings(
            whole.assets,
            np.where(later, part.micro, whole.micro),
            np.where(later, part.worker, whole.worker),
        )
    return whole


def find_seen(
    assets: GeoDataFrame,
    seen: Sightings | Walks | Iterable[Walks],
    *,
    since: datetime,
    radius_m: float = REACH_M,
) -> pd.DataFrame:
    """Find which assets somebody has been near since a moment.

    Parameters
    ----------
    seen
        A summary, or the walks of one partition or of several (say one a day, read one by one).

    Returns
    -------
    DataFrame
        Indexed and ordered like `assets`: `is_seen` since then, `last_seen` (UTC; missing: never in
        this history, also of before `since`), `worker_id` (empty: nobody).

    Raises
    ------
    CrsError, InputError
        If assets are not in metres, `since` has no zone, or there is no partition at all.
    """
    moment = micro_of(since, "since")
    if isinstance(seen, Walks):
        seen = [seen]
    if not isinstance(seen, Sightings):
        whole: Sightings | None = None
        for walks in seen:
            part = sight_assets(assets, walks, radius_m=radius_m)
            whole = part if whole is None else join_sightings(whole, part)
        if whole is None:
            raise InputError("there are no walks at all: give the walks of one day or more")
        seen = whole
    return pd.DataFrame(
        {
            "is_seen": seen.micro >= moment,
            "last_seen": to_times(seen.micro),
            "worker_id": pd.array(seen.worker, dtype="str"),
        },
        index=assets.index,
    )


def _places(shapes: npt.NDArray[np.object_]) -> Floats:
    """One point a shape, not-a-number where there is none."""
    points = shapes.copy()
    kind = shapely.get_type_id(shapes)
    lines = np.isin(kind, (1, 2, 5))
    points[lines] = shapely.line_interpolate_point(
        shapely.line_merge(shapes[lines]), 0.5, normalized=True
    )
    areas = np.isin(kind, (3, 4, 6, 7))
    points[areas] = shapely.point_on_surface(shapes[areas])
    return np.column_stack([shapely.get_x(points), shapely.get_y(points)])


@njit(cache=True, nogil=True, error_model="numpy")
def _last_near(cx, cy, ex, ey, px, py, r2):
    """The greatest share of the step from C to E, 0 to 1, within r of P; -1: none."""
    gx = ex - px
    gy = ey - py
    if gx * gx + gy * gy <= r2:
        return 1.0
    dx = ex - cx
    dy = ey - cy
    fx = cx - px
    fy = cy - py
    a = dx * dx + dy * dy
    b = fx * dx + fy * dy
    root = b * b - a * (fx * fx + fy * fy - r2)
    if a == 0.0 or root < 0.0:
        return -1.0
    t = (-b + np.sqrt(root)) / a
    return t if 0.0 <= t <= 1.0 else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def walk_past(
    which, who, micro, x, y, gap_us, most_ms, r, places, x0, y0, nx, ny, start, items,
    last_micro, last_who,
):  # fmt: skip
    """Walk through fixes, by worker and time, and note when each place was last near a step."""
    r2 = r * r
    n = len(which)
    most2_us = most_ms * most_ms * 1e-12
    for m in range(n):
        a = which[m]
        b = a
        if m + 1 < n:
            b = which[m + 1]
            apart = micro[b] - micro[a]
            gx = x[b] - x[a]
            gy = y[b] - y[a]
            far2 = gx * gx + gy * gy
            if who[b] != who[a] or apart > gap_us or far2 > most2_us * apart * apart:
                b = a
        # A step of one place: also who goes on from here was here, which changes no answer.
        size = np.hypot(x[b] - x[a], y[b] - y[a])
        parts = max(1, int(np.ceil(size / (2.0 * HALF_M))))
        for part in range(parts):
            t = (part + 0.5) / parts
            u = (x[a] + (x[b] - x[a]) * t - x0) * (1.0 / CELL_M)
            v = (y[a] + (y[b] - y[a]) * t - y0) * (1.0 / CELL_M)
            if not (u >= 0.0 and v >= 0.0 and u < nx and v < ny):
                continue
            cell = int(v) * nx + int(u)
            for k in range(start[cell], start[cell + 1]):
                p = items[k]
                if micro[b] < last_micro[p]:
                    continue
                share = _last_near(x[a], y[a], x[b], y[b], places[p, 0], places[p, 1], r2)
                if share < 0.0:
                    continue
                when = micro[a] + int(np.floor(share * (micro[b] - micro[a])))
                if when > last_micro[p] or (when == last_micro[p] and who[a] < last_who[p]):
                    last_micro[p] = when
                    last_who[p] = who[a]
