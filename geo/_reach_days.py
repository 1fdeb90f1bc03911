"""When each part of a street was last walked, and which parts nobody has walked for days.

The summary of a partition (`WalkedDays`) keeps the last day for each part of each street piece.
Joining takes the later day, so neither order nor grouping matter. Parts are exact like
`geo.reach.measure_reach`: a street is not walked because half of it was. Public names are handed on
by `geo.reach`.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from numba import njit

from geo._fixes_tracks import Floats
from geo._reach_measure import REACH_M, reach_walks
from geo._reach_pieces import StreetPieces
from geo._reach_walks import Walks
from geo.errors import InputError

NO_DAY = np.iinfo(np.int32).min
"""Never walked."""

_TOUCH_M = 1e-6
"""Ends nearer than this are one: rounding where streets are cut into pieces."""


@dataclass(frozen=True, eq=False)
class WalkedDays:
    """Parts of street pieces, apart and in order, and the last day on which each was walked."""

    piece: npt.NDArray[np.int64]
    low: Floats
    high: Floats
    """From 0 to 1 along the piece."""
    day: npt.NDArray[np.int32]
    """Days since 1970."""


def date_walks(
    pieces: StreetPieces, walks: Walks | Floats, *, day: date, radius_m: float = REACH_M
) -> WalkedDays:
    """The parts of streets within `radius_m` of the walks of a day: the summary of a partition."""
    reach = reach_walks(pieces, walks, radius_m=radius_m)
    number = np.full(len(reach.piece), _number(day), dtype=np.int32)
    return WalkedDays(reach.piece, reach.low, reach.high, number)


def join_walked(*parts: WalkedDays) -> WalkedDays:
    """The last day of each part among several summaries of the same pieces."""
    if not parts:
        raise InputError("join_walked needs something to join: give at least one summary")
    piece = np.concatenate([part.piece for part in parts])
    low = np.concatenate([part.low for part in parts])
    order = np.lexsort((low, piece))
    high = np.concatenate([part.high for part in parts])[order]
    day = np.concatenate([part.day for part in parts])[order]
    return WalkedDays(*_overlay(piece[order], low[order], high, day))


def find_unwalked(
    grids: GeoDataFrame,
    pieces: StreetPieces,
    walked: WalkedDays,
    *,
    on: date,
    days: int,
    roads: pd.Index | None = None,
) -> GeoDataFrame:
    """Find the stretches of street that nobody has walked for days.

    Parameters
    ----------
    grids
        Those by which the pieces were cut; the stretches are in their CRS.
    walked
        From `date_walks`, of all days that count, joined by `join_walked`.
    on, days
        A stretch was walked on none of the `days` days up to and with `on`.
    roads
        Ids of the roads from which the pieces were cut, in their order; else their numbers.

    Returns
    -------
    GeoDataFrame
        The longest first: `road_id`, `grid_id` (missing outside of all grids), `last_walked`
        (missing: on no day of the history), `days` since then, `length_m`, and the line. A stretch
        lies in one road and one grid and has one last day, so that lengths add up by grid.

    Raises
    ------
    InputError
        If `days` is less than 1, or the history goes beyond `on`.
    """
    if days < 1:
        raise InputError(f"days is {days}: use 1 or more")
    today = _number(on)
    if len(walked.day) and int(walked.day.max()) > today:
        last = date(1970, 1, 1) + timedelta(days=int(walked.day.max()))
        raise InputError(f"on is {on}, but the history goes on until {last}: name a later day")
    count = len(pieces)
    everything = WalkedDays(
        np.arange(count), np.zeros(count), np.ones(count), np.full(count, NO_DAY, dtype=np.int32)
    )
    whole = join_walked(everything, walked)
    old = whole.day <= today - days
    piece, low, high, day = whole.piece[old], whole.low[old], whole.high[old], whole.day[old]
    way = pieces.ends[piece, 2:] - pieces.ends[piece, :2]
    begin = pieces.ends[piece, :2] + way * low[:, None]
    end = pieces.ends[piece, :2] + way * high[:, None]
    road = pieces.road if len(pieces.road) == count else np.arange(count)
    new = np.ones(len(piece), dtype=bool)
    new[1:] = (
        (np.abs(begin[1:] - end[:-1]).max(axis=1, initial=0) > _TOUCH_M)
        | (road[piece[1:]] != road[piece[:-1]])
        | (pieces.row[piece[1:]] != pieces.row[piece[:-1]])
        | (day[1:] != day[:-1])
    )
    return _stretches(grids, pieces, new, begin, end, piece, low, high, day, road, today, roads)


def _stretches(
    grids: GeoDataFrame, pieces: StreetPieces, new: npt.NDArray[np.bool_], begin: Floats,
    end: Floats, piece: npt.NDArray[np.int64], low: Floats, high: Floats,
    day: npt.NDArray[np.int32], road: npt.NDArray[np.intp], today: int, roads: pd.Index | None,
) -> GeoDataFrame:  # fmt: skip
    first = np.flatnonzero(new)
    number = np.cumsum(new) - 1
    metres = np.bincount(number, weights=(high - low) * pieces.length_m[piece])
    # The begin of each stretch, and then the end of each of its parts.
    at = np.arange(len(piece)) + number + 1
    xy = np.empty((len(piece) + len(first), 2))
    xy[at] = end
    xy[at[first] - 1] = begin[first]
    owner = np.empty(len(xy), dtype=np.int64)
    owner[at] = number
    owner[at[first] - 1] = number[first]
    lines = shapely.linestrings(xy, indices=owner) if len(xy) else np.empty(0, dtype=object)
    row = pieces.row[piece[first]]
    ids = pd.Series(grids.index).reindex(row).to_numpy()
    since = day[first].astype(np.float64)
    since[day[first] == NO_DAY] = np.nan
    names = roads if roads is not None else pd.RangeIndex(int(road.max(initial=-1)) + 1)
    table = GeoDataFrame(
        {
            "road_id": names.take(road[piece[first]]),
            "grid_id": ids,
            "last_walked": pd.to_datetime(pd.Series(since), unit="D"),
            "days": pd.Series(today - since).astype("Int64"),
            "length_m": metres,
        },
        geometry=lines,
        crs=grids.crs,
    )
    # Rounding leaves parts that are no part of anything.
    table = table[metres > _TOUCH_M]
    return table.sort_values("length_m", ascending=False, kind="stable", ignore_index=True)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


@njit(cache=True, nogil=True)
def _overlay(piece, low, high, day):
    """Parts that lie apart, each with the latest day of those that hold it; in order of pieces."""
    n = len(piece)
    out_piece = np.empty(2 * n, np.int64)
    out_low = np.empty(2 * n)
    out_high = np.empty(2 * n)
    out_day = np.empty(2 * n, np.int32)
    total = 0
    a = 0
    while a < n:
        b = a
        while b < n and piece[b] == piece[a]:
            b += 1
        cuts = np.unique(np.concatenate((low[a:b], high[a:b])))
        begun = total
        for k in range(len(cuts) - 1):
            latest = NO_DAY
            is_held = False
            for m in range(a, b):
                if low[m] <= cuts[k] and high[m] >= cuts[k + 1]:
                    is_held = True
                    latest = max(latest, day[m])
            if not is_held:
                continue
            if total > begun and out_day[total - 1] == latest and out_high[total - 1] == cuts[k]:
                out_high[total - 1] = cuts[k + 1]
                continue
            out_piece[total] = piece[a]
            out_low[total] = cuts[k]
            out_high[total] = cuts[k + 1]
            out_day[total] = latest
            total += 1
        a = b
    return out_piece[:total], out_low[:total], out_high[:total], out_day[:total]
