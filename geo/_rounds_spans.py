"""From fixes to the minutes of each worker on each round: what every judgement stands on.

Only fixes near a round are cleaned, with BRIDGE_S on both sides so that the edge of a round is no
edge of a track. Public names are handed on by `geo.rounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo._duty_tables import micro_of
from geo._fixes_rules import MOCK as MOCK_RULE
from geo._fixes_rules import VAGUE as VAGUE_RULE
from geo._fixes_tracks import Tracks, micros, require_fixes, to_times
from geo._rounds_kernels import (
    AWAY,
    DEAD,
    HERE,
    MOCK,
    SILENT,
    UNKNOWN,
    VAGUE,
    classify_minutes,
    combine_minutes,
    explain_silence,
    find_extremes,
    find_spans,
    find_still,
    measure_outside,
)
from geo.fixes import JUMP, clean_fixes

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

NEAR_M = 30.0
"""A fix so near the grid counts as in it, for streets are its borders. Phones are off by 4.9 m
under an open sky (van Diggelen and Enge, ION GNSS+ 2015); that it is six times as much between
buildings is our assumption."""

STILL_M = 25.0
"""If nine of ten means of STILL_S lie within this of their middle the phone was not carried: one
that lies still drifts by about 10 m."""

STILL_S = 20.0
"""Over so long positions are averaged first: at a walk that is 22 m, and half a street of a small
grid takes longer. Our assumption."""

STILL_MIN = 10
"""With fewer minutes near nobody can tell a phone that lies still from one that waits; our
assumption, as long as the least part of a round."""

BRIDGE_S = 330.0
"""Between two fixes no farther apart in time somebody is taken to be where both of them say. Some
clients report every 300 s unless told otherwise; a tenth more for lateness. Our assumption."""

MINUTE_US = 60_000_000


@dataclass(frozen=True, eq=False)
class Spans:
    """Workers on rounds: one span a round and worker posted to its grid, in order of the rounds."""

    first: npt.NDArray[np.int64]
    """Where the spans of each round begin, and at the end how many there are."""
    round: npt.NDArray[np.int64]
    who: npt.NDArray[np.int64]
    """Position of the worker among `people`."""
    people: pd.Index
    waits: Bools
    """Whether silence of this worker leaves the round open; see `phones` in `judge_rounds`."""
    low: Ints
    high: Ints
    """Begin of the round and its end, or the moment of judging if that is sooner."""
    elapsed: Ints
    """Minutes gone by."""
    tracks: Tracks
    a: Ints
    b: Ints
    """Fixes of the span in the tracks."""
    far: Floats
    """Metres outside of the worker's grid, by fix."""
    near: Bools
    state: npt.NDArray[np.int8]
    """By span and minute."""
    still: Bools
    silence: Ints
    """By span: unknown minutes that are silent, after the last word, vague, made up."""
    dropped: Ints

    def count(self, kind: int) -> Ints:
        """Minutes of a kind in each span."""
        return np.asarray((self.state == kind).sum(axis=1), dtype=np.int64)

    def combine(self) -> tuple[npt.NDArray[np.int8], Ints]:
        """Minutes of each round, and its carried ones."""
        found = combine_minutes(self.state, self.first, self.waits, self.still)
        return found[0], found[1]

    def reasons(self) -> npt.NDArray[np.object_]:
        """Why each worker's part of a round is what it is."""
        here, away, unknown = (self.count(kind) for kind in (HERE, AWAY, UNKNOWN))
        why = explain(self.silence, unknown, self.elapsed)
        no_word = unknown > np.maximum(here, away)
        choices = [self.elapsed == 0, no_word, self.still, away > here]
        return np.select(choices, ["", why, "still_phone", "off_post"], default="")

    def table(self, owed: pd.DataFrame, date: str) -> pd.DataFrame:
        """One row a span; columns in docs/geo/rounds.md."""
        first, last, most = find_extremes(self.a, self.b, self.near, self.far)
        micro = self.tracks.micro
        heard = self.b > self.a
        mine = owed.iloc[self.round]
        return pd.DataFrame(
            {
                "grid_id": mine["grid_id"].to_numpy(),
                "date": date,
                "shift": mine["shift"].to_numpy(),
                "role": mine["role"].to_numpy(),
                "worker_id": self.people.to_numpy()[self.who],
                "here_min": self.count(HERE),
                "away_min": self.count(AWAY),
                "unknown_min": self.count(UNKNOWN),
                "is_still": self.still,
                "fixes": self.b - self.a,
                "dropped": self.dropped,
                "first_fix": times_at(micro, np.where(heard, self.a, -1)),
                "last_fix": times_at(micro, np.where(heard, self.b - 1, -1)),
                "here_from": times_at(micro, first),
                "here_to": times_at(micro, last),
                "far_m": most,
                "reason": pd.array(self.reasons(), dtype="str"),
            }
        )


def explain(silence: Ints, unknown: Ints, elapsed: Ints) -> npt.NDArray[np.object_]:
    """The word for unknown minutes: the cause of most of them, of equal ones the surer."""
    words = np.array(["gaps", "dead_phone", "inaccurate", "mock"], dtype=object)
    cause = 3 - np.argmax(silence[:, ::-1], axis=1)
    whole = (unknown == elapsed) & (silence[:, DEAD] < unknown)
    return np.where(whole & (cause <= DEAD), "no_signal", words[cause])


def times_at(micro: Ints, at: Ints) -> pd.DatetimeIndex:
    """The times of fixes by position, not-a-time for -1."""
    if not len(micro):
        micro = np.zeros(1, dtype=np.int64)
        at = np.full(len(at), -1)
    return to_times(np.where(at >= 0, micro[np.maximum(at, 0)], np.iinfo(np.int64).min))


def find_round_spans(
    grids: GeoDataFrame,
    owed: pd.DataFrame,
    fixes: pd.DataFrame,
    posts: pd.Series,
    *,
    at: datetime,
    roles: pd.Series | None,
    phones: pd.Index | None,
) -> Spans:
    """Clean the fixes and cut them into the spans of the rounds; see `geo.rounds.judge_rounds`."""
    require_fixes(fixes)
    now = micro_of(at)
    home = grids.index.get_indexer(pd.Index(posts.to_numpy(), dtype="object")).astype(np.int64)
    people = posts.index
    low = micros(owed["start"])
    elapsed = np.clip((now - low) // MINUTE_US, 0, owed["minutes"].to_numpy(dtype=np.int64))
    high = low + elapsed * MINUTE_US
    number, who, first = _pair(owed, home, people, roles)
    who_of_fix, micro, mine = _select(fixes, people, home, now)
    last = np.full(len(people), np.iinfo(np.int64).min)
    np.maximum.at(last, who_of_fix, micro)
    wanted = _near_rounds(micro, low, high)
    rows = mine[wanted]
    cleaned = clean_fixes(_frame(fixes, rows, who_of_fix[wanted]))
    tracks = _by_people(cleaned.tracks, len(people))
    far = _measure_far(grids, tracks, home)
    near = far <= NEAR_M
    a, b = find_spans(tracks.first, tracks.micro, who, low[number], high[number])
    most = int(elapsed.max(initial=0))
    state = classify_minutes(
        tracks.first, who, a, b, low[number], elapsed[number], tracks.micro, near, most,
        int(BRIDGE_S * 1e6),
    )  # fmt: skip
    still = find_still(
        a, b, low[number], tracks.micro, tracks.x, tracks.y, near, STILL_M, STILL_MIN,
        int(STILL_S * 1e6),
    )  # fmt: skip
    silence, dropped = _explain(cleaned.removed, state, low, high, number, who, last, len(people))
    waits = np.ones(len(people), bool) if phones is None else np.asarray(people.isin(phones))
    return Spans(
        first, number, who, people, waits[who], low[number], high[number], elapsed[number],
        tracks, a, b, far, near, state, still, silence, dropped,
    )  # fmt: skip


def _pair(
    owed: pd.DataFrame, home: Ints, people: pd.Index, roles: pd.Series | None
) -> tuple[Ints, Ints, Ints]:
    """Each round with each worker posted to its grid who has its role."""
    order = np.argsort(home, kind="stable")
    row = owed["row"].to_numpy(dtype=np.int64)
    begin, end = (np.searchsorted(home[order], row, side=side) for side in ("left", "right"))
    count = end - begin
    number = np.repeat(np.arange(len(owed)), count)
    within = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    who = order[np.repeat(begin, count) + within].astype(np.int64)
    role = owed["role"].to_numpy(dtype=object)
    if (role != "").any():
        has = np.full(len(people), "", dtype=object)
        if roles is not None:
            has = roles.reindex(people).fillna("").to_numpy(dtype=object)
        fits = (role[number] == "") | (role[number] == has[who])
        number, who = number[fits], who[fits]
    first = np.searchsorted(number, np.arange(len(owed) + 1)).astype(np.int64)
    return number.astype(np.int64), who, first


def _select(
    fixes: pd.DataFrame, people: pd.Index, home: Ints, now: int
) -> tuple[Ints, Ints, npt.NDArray[np.intp]]:
    """Worker, time and row of each fix of somebody with a grid, not later than now."""
    codes, names = pd.factorize(fixes["worker_id"])
    place = people.get_indexer(pd.Index(names, dtype="object"))
    place[place >= 0] = np.where(home[place[place >= 0]] >= 0, place[place >= 0], -1)
    who = np.append(place, -1)[codes]
    micro = micros(fixes["time"])
    rows = np.flatnonzero((who >= 0) & (micro <= now) & (micro > np.iinfo(np.int64).min))
    return who[rows].astype(np.int64), micro[rows], rows


def _near_rounds(micro: Ints, low: Ints, high: Ints) -> npt.NDArray[np.intp]:
    """Which fixes lie in a round or within BRIDGE_S of one."""
    slack = int(BRIDGE_S * 1e6)
    wanted = np.zeros(len(micro), dtype=bool)
    for begin, end in np.unique(np.column_stack([low, high]), axis=0):
        wanted |= (micro >= begin - slack) & (micro < end + slack)
    return np.flatnonzero(wanted)


def _frame(fixes: pd.DataFrame, rows: npt.NDArray[np.intp], who: Ints) -> pd.DataFrame:
    columns = [name for name in ("time", "x", "y", "accuracy_m", "mock") if name in fixes]
    frame = fixes[columns].iloc[rows]
    frame.index = pd.RangeIndex(len(frame))
    return frame.assign(worker_id=who)


def _by_people(tracks: Tracks, count: int) -> Tracks:
    """The same tracks numbered by person, also by those without a fix."""
    if len(tracks.names):
        who = tracks.names.to_numpy(dtype=np.int64)[tracks.who].astype(np.int32)
    else:
        who = np.empty(0, dtype=np.int32)
    first = np.searchsorted(who, np.arange(count + 1)).astype(np.int64)
    return Tracks(
        pd.RangeIndex(count), first, who, tracks.micro, tracks.x, tracks.y,
        tracks.accuracy, tracks.mock, tracks.row,
    )  # fmt: skip


def _measure_far(grids: GeoDataFrame, tracks: Tracks, home: Ints) -> Floats:
    found: Floats = measure_outside(tracks.x, tracks.y, home[tracks.who], *ring_table(grids))
    return found


def ring_table(grids: GeoDataFrame) -> tuple[Floats, Floats, Ints, Ints]:
    """The corners of all rings, where each ring begins, and with which ring each grid begins."""
    if not len(grids):
        return np.empty(0), np.empty(0), np.zeros(1, np.int64), np.zeros(1, np.int64)
    parts, index = shapely.get_parts(grids.geometry.to_numpy(), return_index=True)
    areas = shapely.get_type_id(parts) == 3
    shapes = np.full(len(grids), shapely.MultiPolygon(), dtype=object)
    if areas.any():
        shapely.multipolygons(parts[areas], indices=index[areas], out=shapes)
    _, points, (ring_first, polygon_first, shape_first) = shapely.to_ragged_array(shapes)
    first = polygon_first[shape_first].astype(np.int64)
    return points[:, 0].copy(), points[:, 1].copy(), ring_first.astype(np.int64), first


def _explain(
    removed: pd.DataFrame, state: npt.NDArray[np.int8], low: Ints, high: Ints, number: Ints,
    who: Ints, last: Ints, count: int,
) -> tuple[Ints, Ints]:  # fmt: skip
    """Causes of unknown minutes by span, and how many fixes were thrown out."""
    rule = removed["rule"].to_numpy(dtype=object)
    code = np.full(len(rule), SILENT, dtype=np.int8)
    code[(rule == VAGUE_RULE.name) | (rule == JUMP.name)] = VAGUE
    code[rule == MOCK_RULE.name] = MOCK
    whom = removed["worker_id"].to_numpy(dtype=object).astype(np.int64)
    micro = micros(removed["time"])
    order = np.lexsort((micro, whom))
    first = np.searchsorted(whom[order], np.arange(count + 1)).astype(np.int64)
    a, b = find_spans(first, micro[order], who, low[number], high[number])
    return explain_silence(state, low[number], a, b, micro[order], code[order], last[who]), b - a
