"""Rounds that a grid is owed, and what the phones of its workers say about them.

A phone that is silent proves nothing. So each minute of a round is one of three: a worker of the
grid was `here` (at least half of the minute's clean fixes in the grid, or so near its border that
noise may have put them across), everybody was `away`, or it is `unknown`: somebody whose word is
waited for said nothing usable for longer than phones pause between two reports. What was done lies
between the minutes seen here with a phone that moved and those plus the unknown ones:

    done      carried here at least `need_min`, and every place that is due was visited
    missed    even with all unknown minutes less than `part_min` here
    partly    even with all unknown minutes less than `need_min`, or a place was left out
    unknown   the unknown minutes, or an unknown visit, decide
    vacant    nobody is assigned to the grid

An outage therefore never becomes an absence, and nobody needs to cross a border to be off post.
Passing by is no visit: a visit lasts. Each answer comes with its evidence and a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from geopandas import GeoDataFrame

from geo._fixes_tracks import to_times
from geo._rounds_kernels import AWAY, HERE, UNKNOWN
from geo._rounds_places import PLACE_COLUMNS as PLACE_COLUMNS
from geo._rounds_places import PlaceBook as PlaceBook
from geo._rounds_places import build_places as build_places
from geo._rounds_places import judge_places
from geo._rounds_schedule import NEED_MIN as NEED_MIN
from geo._rounds_schedule import PART_MIN as PART_MIN
from geo._rounds_schedule import SHARE as SHARE
from geo._rounds_schedule import STAY_S as STAY_S
from geo._rounds_schedule import THREE_ROUNDS as THREE_ROUNDS
from geo._rounds_schedule import WITHIN_M as WITHIN_M
from geo._rounds_schedule import PlaceRule as PlaceRule
from geo._rounds_schedule import RoundRule as RoundRule
from geo._rounds_schedule import Schedule as Schedule
from geo._rounds_schedule import Shift as Shift
from geo._rounds_spans import BRIDGE_S as BRIDGE_S
from geo._rounds_spans import NEAR_M as NEAR_M
from geo._rounds_spans import STILL_M as STILL_M
from geo._rounds_spans import STILL_MIN as STILL_MIN
from geo._rounds_spans import Spans, explain, find_round_spans
from geo._working_time import WorkingCalendar
from geo.datum import require_metres
from geo.errors import InputError

STATUSES = ("done", "partly", "missed", "unknown", "vacant", "running", "ahead")
"""running and ahead: the round has not ended, or not begun."""

REASONS = (
    "off_post", "too_short", "still_phone", "places_missing", "no_signal", "dead_phone", "gaps",
    "inaccurate", "mock", "others_silent", "places_unknown", "nobody",
)  # fmt: skip
"""Why a round is not done: see docs/geo/rounds.md."""

VISITS = ("visited", "probable", "not_visited", "unknown")


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of the rounds of a day, with the evidence."""

    rounds: pd.DataFrame
    """One row a grid, shift and role."""
    workers: pd.DataFrame
    """One row a round and worker posted to its grid."""
    places: pd.DataFrame
    """One row a round and place that was due on it."""
    minutes: npt.NDArray[np.int8]
    """By row of `rounds` and minute: 1 here, 2 away, 0 unknown, -1 not gone by or no such."""


def judge_rounds(
    grids: GeoDataFrame,
    fixes: pd.DataFrame,
    posts: pd.Series,
    *,
    day: date,
    at: datetime,
    zone: ZoneInfo,
    schedule: Schedule | None = None,
    units: pd.DataFrame | None = None,
    roles: pd.Series | None = None,
    calendar: WorkingCalendar | None = None,
    places: PlaceBook | None = None,
    phones: pd.Index | None = None,
) -> Judged:
    """Find what became of each round of a day, and what says so.

    Parameters
    ----------
    grids
        Grids in metres, indexed by `grid_id`.
    fixes
        As they came: `worker_id`, `time` (with zone), `x`, `y` in the CRS of the grids, and where
        known `accuracy_m` and `mock`; any order, other days may be among them. They are cleaned
        here, see `geo.fixes.clean_fixes`.
    posts
        `grid_id` by `worker_id`: who walks where. A worker may have one grid, a grid many workers.
    day, at, zone
        The day in the city's zone, and the moment as of which it is judged.
    schedule
        The rounds; three of an hour if left out. See `geo.io.rules.read_rounds`.
    units
        Codes of the divisions above each grid, a column a level from the city down, for rules
        about divisions.
    roles
        Role by `worker_id`, for rules about roles.
    calendar
        For rules about working days.
    places
        What must be visited, from `build_places`.
    phones
        Workers who carry a phone: a minute is `away` only if all of them were. All workers if left
        out. One who never has a phone cannot be waited for.

    Returns
    -------
    Judged
        Columns in docs/geo/rounds.md.

    Raises
    ------
    ColumnError, InputError, CrsError
        If a column is missing, `at` has no zone, a rule needs a calendar that is not given, or the
        grids are not in metres.
    """
    require_metres(grids=grids)
    if at.tzinfo is None:
        raise InputError(f"at is {at}, without a zone: give a time with a zone")
    schedule = schedule if schedule is not None else Schedule.of_shifts(THREE_ROUNDS)
    owed = schedule.owed_on(day, grids.index, zone=zone, units=units, calendar=calendar)
    spans = find_round_spans(grids, owed, fixes, posts, at=at, roles=roles, phones=phones)
    visits = judge_places(places, owed, spans, day)
    rounds, minutes = _judge(owed, spans, visits, day.isoformat(), at)
    return Judged(rounds, spans.table(owed, day.isoformat()), visits, minutes)


def find_rounds(
    grids: GeoDataFrame,
    fixes: pd.DataFrame,
    posts: pd.Series,
    *,
    day: date,
    at: datetime,
    zone: ZoneInfo,
    shifts: Sequence[Shift] = THREE_ROUNDS,
    need_min: float = NEED_MIN,
    part_min: float = PART_MIN,
) -> pd.DataFrame:
    """Find what became of the same rounds in every grid: the `rounds` of `judge_rounds`.

    `need_min` and `part_min` are for an hour; shorter rounds need proportionally less.
    """
    schedule = Schedule.of_shifts(shifts, need_min=need_min, part_min=part_min)
    return judge_rounds(grids, fixes, posts, day=day, at=at, zone=zone, schedule=schedule).rounds


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


def _judge(
    owed: pd.DataFrame, spans: Spans, visits: pd.DataFrame, day: str, at: datetime
) -> tuple[pd.DataFrame, npt.NDArray[np.int8]]:
    minutes, carried = spans.combine()
    count = len(owed)
    state = spans.state
    of_round = spans.round
    table = pd.DataFrame(
        {
            "grid_id": owed["grid_id"],
            "date": pd.array([day] * count, dtype="str"),
            "shift": owed["shift"],
            "role": owed["role"],
            "start": owed["start"],
            "end": owed["end"],
            "here_min": (minutes == HERE).sum(axis=1),
            "away_min": (minutes == AWAY).sum(axis=1),
            "unknown_min": (minutes == UNKNOWN).sum(axis=1),
            "carried_min": carried,
            "need_min": owed["need_min"],
            "part_min": owed["part_min"],
            "fixes": np.bincount(of_round, weights=spans.b - spans.a, minlength=count).astype(int),
            "workers": np.bincount(of_round, minlength=count),
            "first_fix": _extreme(spans, np.minimum, spans.a, count),
            "last_fix": _extreme(spans, np.maximum, spans.b - 1, count),
        }
    )
    seen = np.zeros((count, 2), dtype=np.int64)
    np.add.at(seen, (of_round, spans.still.astype(np.intp)), (state == HERE).sum(axis=1))
    table["is_still"] = (seen[:, 1] > 0) & (seen[:, 0] == 0)
    for name in VISITS:
        column = "places_unknown" if name == "unknown" else name
        table[column] = np.bincount(
            visits["round"].to_numpy()[(visits["state"] == name).to_numpy()], minlength=count
        )
    table["places"] = np.bincount(visits["round"].to_numpy(), minlength=count)
    begun = (table["start"] <= pd.Timestamp(at)).to_numpy()
    ended = (table["end"] <= pd.Timestamp(at)).to_numpy()
    # A round of nobody has no minutes of anybody: all that went by are unknown.
    gone = (pd.Timestamp(at) - table["start"]) // pd.Timedelta(minutes=1)
    gone = np.clip(gone.to_numpy(), 0, owed["minutes"].to_numpy())
    alone = (table["workers"] == 0).to_numpy()
    table["unknown_min"] = np.where(alone, gone, table["unknown_min"])
    status = _status(table)
    reason = _reason(table, status, spans)
    status = np.where(begun & ~ended & ~alone, "running", status)
    status = np.where(begun, status, "ahead")
    reason = np.where(ended | (alone & begun), reason, "")
    table.insert(6, "status", pd.array(status, dtype="str"))
    table.insert(7, "reason", pd.array(reason, dtype="str"))
    return table, minutes


def _status(table: pd.DataFrame) -> npt.NDArray[np.object_]:
    here, carried, unknown = (
        table[name].to_numpy() for name in ("here_min", "carried_min", "unknown_min")
    )
    need, part = table["need_min"].to_numpy(), table["part_min"].to_numpy()
    enough = carried >= need
    # the first that holds decides
    choices = {
        "vacant": table["workers"].to_numpy() == 0,
        "partly": enough & (table["not_visited"].to_numpy() > 0),
        "unknown": enough & (table["places_unknown"].to_numpy() > 0),
        "done": enough,
        "missed": here + unknown < part,
        "partly again": (carried + unknown < need) & (here >= part),
    }
    words = [word.removesuffix(" again") for word in choices]
    return np.asarray(np.select(list(choices.values()), words, default="unknown"), dtype=object)


def _reason(
    table: pd.DataFrame, status: npt.NDArray[np.object_], spans: Spans
) -> npt.NDArray[np.object_]:
    count = len(table)
    silence = np.zeros((count, 4), dtype=np.int64)
    np.add.at(silence, spans.round, spans.silence)
    off = np.bincount(spans.round[(spans.reasons() == "off_post")], minlength=count) > 0
    heard = table["here_min"].to_numpy() + table["away_min"].to_numpy()
    unknown = table["unknown_min"].to_numpy()
    why = explain(silence, unknown, unknown + heard)
    here, carried = table["here_min"].to_numpy(), table["carried_min"].to_numpy()
    enough = carried >= table["need_min"].to_numpy()
    choices = {
        "nobody": status == "vacant",
        "": status == "done",
        "off_post": (status == "missed") & (here == 0),
        "too_short": status == "missed",
        "places_missing": (status == "partly") & enough,
        "still_phone": (status == "partly") & (here > carried),
        "too_short again": status == "partly",
        "places_unknown": enough,
        "others_silent": off,
    }
    words = [word.removesuffix(" again") for word in choices]
    return np.asarray(np.select(list(choices.values()), words, default=why), dtype=object)


def _extreme(
    spans: Spans, pick: np.ufunc, fix: npt.NDArray[np.int64], count: int
) -> pd.DatetimeIndex:
    """First or last fix of each round, not-a-time where there is none."""
    none = np.iinfo(np.int64).min
    worst = np.iinfo(np.int64).max if pick is np.minimum else none
    found = np.full(count, worst, dtype=np.int64)
    heard = spans.b > spans.a
    pick.at(found, spans.round[heard], spans.tracks.micro[fix[heard]])
    return to_times(np.where(found == worst, none, found))
