"""Rounds that a grid is owed, and what the phones of its workers say about them.

A phone that is silent proves nothing. So each minute of a round is one of three: a worker of the
grid was `here` (a usable fix in the grid, or so near its border that noise may have put it across),
`away` (fixes, and none of them here), or `unknown` (no usable fix). What was done lies between the
minutes seen here and those plus the unknown ones:

    done      here at least `need_min`, and the phone was carried
    missed    even with all unknown minutes less than `part_min`
    partly    even with all unknown minutes less than `need_min`, and here at least `part_min`
    unknown   the unknown minutes decide
    vacant    nobody is assigned to the grid

An outage therefore never becomes an absence. A phone that lies still is no round: it counts as
partly, and `is_still` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.datum import require_metres
from geo.errors import ColumnError, InputError

STATUSES = ("done", "partly", "missed", "unknown", "vacant", "running", "ahead")
"""running and ahead: the round has not ended, or not begun."""

NEED_MIN = 30
"""Minutes in the grid that make a round of an hour; our assumption, a city sets its own."""

PART_MIN = 10
"""Minutes in the grid below which nothing was done; our assumption."""

NEAR_M = 30.0
"""A fix so near the grid counts as in it, for streets are its borders. Phones are off by 4.9 m
under an open sky (van Diggelen and Enge, ION GNSS+ 2015); that it is six times as much between
buildings is our assumption."""

MOST_ACCURACY_M = 60.0
"""A fix that says it may be off by more tells nothing about a grid of 100 to 300 m."""

STILL_M = 25.0
"""If nine of ten fixes lie within this of their middle the phone was not carried: a phone that lies
still drifts by about 10 m."""


@dataclass(frozen=True)
class Shift:
    """A round that every grid is owed."""

    name: str
    start: time
    minutes: int = 60


THREE_ROUNDS = (
    Shift("morning", time(8)),
    Shift("noon", time(12)),
    Shift("evening", time(18)),
)
"""The default of three rounds of an hour a day."""


def find_rounds(
    grids: GeoDataFrame,
    fixes: pd.DataFrame,
    posts: pd.Series,
    *,
    day: date,
    at: datetime,
    zone: ZoneInfo,
    shifts: Sequence[Shift] = THREE_ROUNDS,
    need_min: int = NEED_MIN,
    part_min: int = PART_MIN,
) -> pd.DataFrame:
    """Find what became of each round of a day.

    Parameters
    ----------
    grids
        Grids in metres, indexed by `grid_id`.
    fixes
        `worker_id`, `time` (with zone), `x`, `y` in the CRS of the grids, and where known
        `accuracy_m` and `mock`; any order, other days may be among them.
    posts
        `grid_id` by `worker_id`: who walks where. A worker may have one grid, a grid many workers.
    day, at, zone
        The day in the city's zone, and the moment as of which it is judged.
    shifts, need_min, part_min
        The rounds, and the minutes for an hour; shorter rounds need proportionally less.

    Returns
    -------
    DataFrame
        One row a grid and shift, in their order: `grid_id`, `date`, `shift`, `start`, `end` (UTC),
        `status` (see STATUSES), `here_min`, `away_min`, `unknown_min` (minutes elapsed of the
        round), `fixes`, `workers` (assigned), `is_still`.

    Raises
    ------
    ColumnError, InputError, CrsError
        If a column is missing, `at` has no zone, or the grids are not in metres.
    """
    require_metres(grids=grids)
    missing = {"worker_id", "time", "x", "y"} - set(fixes.columns)
    if missing:
        raise ColumnError(f"fixes lack {', '.join(sorted(missing))}: they have {list(fixes)}")
    if at.tzinfo is None:
        raise InputError(f"at is {at}, without a zone: give a time with a zone")
    home = grids.index.get_indexer(pd.Index(posts.to_numpy(), dtype="object"))
    workers = np.bincount(home[home >= 0], minlength=len(grids))
    usable = _usable(fixes, posts.index, home)
    tables = [
        _judge(grids, usable, workers, shift, day, at, zone, need_min, part_min) for shift in shifts
    ]
    found = pd.concat(tables, ignore_index=True)
    order = np.argsort(np.tile(np.arange(len(grids)), len(shifts)), kind="stable")
    return found.iloc[order].reset_index(drop=True)


def count_rounds(rounds: pd.DataFrame) -> pd.DataFrame:
    """Count rounds that have ended by grid.

    Returns
    -------
    DataFrame
        Indexed by `grid_id` in order of first appearance: `required` and one column for each of
        done, partly, missed, unknown, vacant; they add up to `required`.
    """
    ended = rounds[~rounds["status"].isin(["running", "ahead"])]
    grids = rounds["grid_id"].drop_duplicates()
    counts = {
        name: (ended["status"] == name).groupby(ended["grid_id"]).sum().reindex(grids)
        for name in ("done", "partly", "missed", "unknown", "vacant")
    }
    table = pd.DataFrame(counts, index=pd.Index(grids, name="grid_id")).fillna(0).astype(np.int64)
    table.insert(0, "required", table.sum(axis=1))
    return table


@dataclass(frozen=True, eq=False)
class _Usable:
    """Fixes that say something, of people with a grid."""

    home: npt.NDArray[np.intp]
    micro: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]


def _usable(fixes: pd.DataFrame, people: pd.Index, home: npt.NDArray[np.intp]) -> _Usable:
    place = people.get_indexer(pd.Index(fixes["worker_id"].to_numpy(), dtype="object"))
    known = place >= 0
    row = np.where(known, home[np.maximum(place, 0)] if len(home) else -1, -1)
    x, y = fixes["x"].to_numpy(dtype=np.float64), fixes["y"].to_numpy(dtype=np.float64)
    good = (row >= 0) & np.isfinite(x) & np.isfinite(y) & fixes["time"].notna().to_numpy()
    if "accuracy_m" in fixes:
        accuracy = fixes["accuracy_m"].to_numpy(dtype=np.float64, na_value=np.nan)
        good &= ~(accuracy > MOST_ACCURACY_M)
    if "mock" in fixes:
        good &= ~fixes["mock"].fillna(False).to_numpy(dtype=bool)
    times = pd.to_datetime(fixes["time"], utc=True).dt.tz_localize(None)
    micro = times.to_numpy().astype("datetime64[us]").astype(np.int64)
    return _Usable(row[good].astype(np.intp), micro[good], x[good], y[good])


def _judge(
    grids: GeoDataFrame,
    fixes: _Usable,
    workers: npt.NDArray[np.int64],
    shift: Shift,
    day: date,
    at: datetime,
    zone: ZoneInfo,
    need_min: int,
    part_min: int,
) -> pd.DataFrame:
    start = datetime.combine(day, shift.start, tzinfo=zone)
    end = start + timedelta(minutes=shift.minutes)
    first, last = (int(pd.Timestamp(t).value // 1000) for t in (start, min(end, max(at, start))))
    mine = (fixes.micro >= first) & (fixes.micro < last)
    home, minute = fixes.home[mine], (fixes.micro[mine] - first) // 60_000_000
    x, y = fixes.x[mine], fixes.y[mine]
    shapes = grids.geometry.to_numpy()
    near = shapely.dwithin(shapes[home], shapely.points(x, y), NEAR_M)
    elapsed = int((last - first) // 60_000_000)
    count = len(grids)
    heard = _minutes(home, minute, count, elapsed)
    here = _minutes(home[near], minute[near], count, elapsed)
    table = pd.DataFrame(
        {
            "grid_id": grids.index.astype(str),
            "date": day.isoformat(),
            "shift": shift.name,
            "start": pd.Timestamp(start).tz_convert("UTC"),
            "end": pd.Timestamp(end).tz_convert("UTC"),
            "here_min": here,
            "away_min": heard - here,
            "unknown_min": elapsed - heard,
            "fixes": np.bincount(home, minlength=count),
            "workers": workers,
            "is_still": _lies_still(home[near], x[near], y[near], count),
        }
    )
    scale = shift.minutes / 60
    status = _status(table, workers, need_min * scale, part_min * scale)
    if at < start:
        status = np.full(count, "ahead", dtype=object)
    elif at < end:
        status = np.where(status == "vacant", "vacant", "running")
    table.insert(5, "status", pd.array(status, dtype="str"))
    return table


def _status(
    table: pd.DataFrame, workers: npt.NDArray[np.int64], need: float, part: float
) -> npt.NDArray[np.object_]:
    low = table["here_min"].to_numpy()
    high = low + table["unknown_min"].to_numpy()
    still = table["is_still"].to_numpy() & (low >= part)
    # the first that holds decides
    return np.asarray(
        np.select(
            [workers == 0, still, low >= need, high < part, (high < need) & (low >= part)],
            ["vacant", "partly", "done", "missed", "partly"],
            default="unknown",
        ),
        dtype=object,
    )


def _minutes(
    home: npt.NDArray[np.intp], minute: npt.NDArray[np.int64], count: int, elapsed: int
) -> npt.NDArray[np.int64]:
    """How many minutes each grid has at least one fix in."""
    if elapsed == 0:
        return np.zeros(count, dtype=np.int64)
    inside = minute < elapsed
    keys = np.unique(home[inside] * np.int64(elapsed) + minute[inside])
    return np.bincount(keys // elapsed, minlength=count).astype(np.int64)


def _lies_still(
    home: npt.NDArray[np.intp],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    count: int,
) -> npt.NDArray[np.bool_]:
    """Whether nine of ten fixes of each grid lie within STILL_M of their median."""
    found = np.zeros(count, dtype=bool)
    if not len(home):
        return found
    table = pd.DataFrame({"home": home, "x": x, "y": y})
    middle = table.groupby("home")[["x", "y"]].transform("median")
    away = np.hypot(table["x"] - middle["x"], table["y"] - middle["y"])
    spread = away.groupby(table["home"]).quantile(0.9)
    found[spread.index.to_numpy(dtype=np.intp)] = spread.to_numpy() < STILL_M
    return found
