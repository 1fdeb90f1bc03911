"""What moves, and who is nearest: the latest place of each worker, the open incidents.

One place a thing, the one with the latest time. A reading that comes late never puts a newer one
back, and what was removed stays removed for readings up to that time: no ghosts.

Distances are metres over the WGS-84 ellipsoid (`geo._metres`), and so is the order of the answers.
The tree (rtree) holds boxes in space, in metres from the centre of the earth. A straight line
through the earth is never longer than the way over it, so whoever is farther than that in the
tree is farther on the ground, and the search can stop there without a mistake. A box has some
room around the thing, so that most steps of a worker change no tree at all.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from rtree import index as rtree_index

from geo._duty_tables import EPOCH, labels_of, micro_of, micros_of, moment_of, require_columns
from geo._metres import longest_chord_m, measure_m, require_place, to_space
from geo.errors import InputError
from geo.incidents import OPEN_STAGES

ROOM_M = 25.0
"""Half the side of the box around a thing: a walk of 20 s at 1.2 m/s changes no tree."""

_PAGE = 10
"""Entries in a node of the tree; fastest for updates of 10, 30 and 100 that we measured."""

Space = tuple[float, float, float]
Box = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Near:
    """One answer: who or what, where, how far, and how old the place is."""

    key: str
    lon: float
    lat: float
    time: datetime
    """When it was there."""
    distance_m: float
    age_s: float
    """Seconds from `time` to now; negative if its clock is ahead."""


@dataclass(slots=True)
class _Thing:
    key: str
    lon: float
    lat: float
    time: int
    slot: int
    box: Box


class LiveIndex:
    """The latest place of everything that moves. Safe to use from several threads.

    Examples
    --------
    >>> live = LiveIndex()
    >>> live.update("W1", 111.30, 30.70, datetime(2026, 11, 21, 2, tzinfo=UTC))
    True
    >>> live.nearest(111.31, 30.70, 3, at=now, on_duty={"W1", "W2"}, max_age_s=600)
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._things: dict[str, _Thing] = {}
        self._keys: dict[int, str] = {}
        self._gone: dict[str, int] = {}
        self._next = 0
        self._tree = _make_tree([])

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, key: object) -> bool:
        return key in self._things

    def update(self, key: str, lon: float, lat: float, time: datetime) -> bool:
        """Say where a thing was at a time; new things are added.

        Returns
        -------
        bool
            False if it changes nothing: we know a place of the same time or later, or the thing
            was removed at that time or later.

        Raises
        ------
        InputError
            If it is no place in degrees, or the time has no zone.
        """
        require_place(lon, lat)
        moment = micro_of(time)
        space = to_space(lon, lat)
        with self._lock:
            known = self._things.get(key)
            if known is None:
                if self._gone.get(key, moment - 1) >= moment:
                    return False
                self._gone.pop(key, None)
                self._add(key, lon, lat, moment, space)
                return True
            if known.time >= moment:
                return False
            if not _holds(known.box, space):
                self._tree.delete(known.slot, known.box)
                known.box = _box(space)
                self._tree.insert(known.slot, known.box)
            known.lon, known.lat, known.time = float(lon), float(lat), moment
            return True

    def remove(self, key: str, *, at: datetime) -> bool:
        """Take a thing out as of a time: off duty, or closed.

        A place known from later than that stays. Readings up to that time that come afterwards
        are not taken in.

        Returns
        -------
        bool
            Whether it was there and is no more.
        """
        moment = micro_of(at)
        with self._lock:
            known = self._things.get(key)
            if known is not None and known.time > moment:
                return False
            self._gone[key] = max(moment, self._gone.get(key, moment))
            if known is None:
                return False
            self._tree.delete(known.slot, known.box)
            del self._things[key], self._keys[known.slot]
            return True

    def forget(self, *, before: datetime) -> int:
        """Drop places, and memories of removed things, from before a time; how many places."""
        moment = micro_of(before)
        with self._lock:
            self._gone = {key: time for key, time in self._gone.items() if time >= moment}
            old = [thing for thing in self._things.values() if thing.time < moment]
            for thing in old:
                self._tree.delete(thing.slot, thing.box)
                del self._things[thing.key], self._keys[thing.slot]
            return len(old)

    def rebuild(self, frame: pd.DataFrame, *, key: str, time: str = "time") -> None:
        """Put the latest places of a table in the place of everything, at once for all readers.

        Parameters
        ----------
        frame
            Rows with `lon`, `lat` in degrees and a time, in any order, several a thing or one.
            Rows without a place or time are left out.
        key, time
            Names of the columns (or of the index) with the id and the moment.
        """
        things, gone = _latest(frame, key, time), dict[str, int]()
        tree = _make_tree(things.values())
        with self._lock:
            self._things, self._gone, self._tree = things, gone, tree
            self._keys = {thing.slot: thing.key for thing in things.values()}
            self._next = len(things)

    def get(self, key: str) -> tuple[float, float, datetime] | None:
        """Where and when a thing was last: lon, lat, time; None if it is not there."""
        with self._lock:
            thing = self._things.get(key)
            return None if thing is None else (thing.lon, thing.lat, _time(thing))

    def positions(self) -> pd.DataFrame:
        """The latest places: lon, lat, time, indexed by key, sorted by it."""
        with self._lock:
            rows = [(t.key, t.lon, t.lat, t.time) for t in self._things.values()]
        rows.sort()
        keys, lon, lat, micros = zip(*rows, strict=True) if rows else ((), (), (), ())
        return pd.DataFrame(
            {
                "lon": np.asarray(lon, dtype=np.float64),
                "lat": np.asarray(lat, dtype=np.float64),
                "time": pd.to_datetime(np.asarray(micros, dtype="datetime64[us]"), utc=True),
            },
            index=pd.Index(keys, dtype="str", name="key"),
        )

    def nearest(
        self,
        lon: float,
        lat: float,
        k: int,
        *,
        at: datetime,
        on_duty: Container[str] | None = None,
        max_age_s: float | None = None,
        within_m: float | None = None,
    ) -> list[Near]:
        """Find the k nearest things, nearest first; of equally near ones the lower key.

        Parameters
        ----------
        lon, lat
            The place, degrees.
        k
            How many at most.
        at
            Now, for the ages.
        on_duty
            Only these keys; all without it.
        max_age_s
            Only places at most that old (or that far ahead of a wrong clock).
        within_m
            Only that near.

        Raises
        ------
        InputError
            If it is no place, k is negative, or `at` has no zone.
        """
        require_place(lon, lat)
        if k < 0:
            raise InputError(f"k is {k}: use 0 or more")
        now, here = micro_of(at), to_space(lon, lat)
        filters = _Filter(now, on_duty, max_age_s)
        with self._lock:
            ask = k + 4
            found: list[Near] = []
            while k > 0 and self._things:
                near = self._candidates(here, ask)
                found = _measure(lon, lat, [t for t in near if filters.lets(t)], now)
                reached = max(_straight_m(t.box, here) for t in near)
                limit = found[k - 1].distance_m if len(found) >= k else np.inf
                limit = min(limit, np.inf if within_m is None else within_m)
                if len(near) == len(self._things) or reached > longest_chord_m(limit):
                    break
                ask *= 4
        far = np.inf if within_m is None else within_m
        return [near for near in found if near.distance_m <= far][:k]

    def within(
        self,
        lon: float,
        lat: float,
        radius_m: float,
        *,
        at: datetime,
        on_duty: Container[str] | None = None,
        max_age_s: float | None = None,
    ) -> list[Near]:
        """Find all things at most a distance away, nearest first; see `nearest`."""
        require_place(lon, lat)
        if not radius_m >= 0:
            raise InputError(f"radius_m is {radius_m}: use 0 or more")
        now, (x, y, z) = micro_of(at), to_space(lon, lat)
        reach = longest_chord_m(radius_m)
        filters = _Filter(now, on_duty, max_age_s)
        around = (x - reach, y - reach, z - reach, x + reach, y + reach, z + reach)
        with self._lock:
            slots = list(self._tree.intersection(around))
            near = [self._things[self._keys[slot]] for slot in slots]
            found = _measure(lon, lat, [t for t in near if filters.lets(t)], now)
        return [near for near in found if near.distance_m <= radius_m]

    def _add(self, key: str, lon: float, lat: float, moment: int, space: Space) -> None:
        thing = _Thing(key, float(lon), float(lat), moment, self._next, _box(space))
        self._next += 1
        self._tree.insert(thing.slot, thing.box)
        self._things[key] = thing
        self._keys[thing.slot] = key

    def _candidates(self, here: Space, count: int) -> list[_Thing]:
        """The things of the `count` boxes nearest in a straight line, or a few more."""
        if count >= len(self._things):
            return list(self._things.values())
        slots = self._tree.nearest((*here, *here), count)
        return [self._things[self._keys[slot]] for slot in slots]


def live_workers(fixes: pd.DataFrame) -> LiveIndex:
    """The latest place of each worker, from the table `fixes` (worker_id, time, lon, lat)."""
    live = LiveIndex()
    live.rebuild(fixes, key="worker_id")
    return live


def live_incidents(incidents: pd.DataFrame) -> LiveIndex:
    """The open incidents that have a place, from the table `incidents`.

    The time of each is its `reported_at`: cases do not move.
    """
    require_columns(incidents, "incidents", ("stage",))
    live = LiveIndex()
    is_open = incidents["stage"].isin(OPEN_STAGES).to_numpy(dtype=bool)
    live.rebuild(incidents[is_open], key="incident_id", time="reported_at")
    return live


@dataclass(frozen=True, slots=True)
class _Filter:
    now: int
    on_duty: Container[str] | None
    max_age_s: float | None

    def lets(self, thing: _Thing) -> bool:
        if self.on_duty is not None and thing.key not in self.on_duty:
            return False
        return self.max_age_s is None or abs(self.now - thing.time) <= self.max_age_s * 1e6


def _measure(lon: float, lat: float, things: list[_Thing], now: int) -> list[Near]:
    """Answers in order: by distance, then by key."""
    lons = np.array([thing.lon for thing in things], dtype=np.float64)
    lats = np.array([thing.lat for thing in things], dtype=np.float64)
    metres = measure_m(lon, lat, lons, lats)
    found = [
        Near(t.key, t.lon, t.lat, _time(t), float(m), (now - t.time) / 1e6)
        for t, m in zip(things, metres, strict=True)
    ]
    return sorted(found, key=lambda near: (near.distance_m, near.key))


def _time(thing: _Thing) -> datetime:
    found = moment_of(thing.time)
    return EPOCH if found is None else found


def _latest(frame: pd.DataFrame, key: str, time: str) -> dict[str, _Thing]:
    require_columns(frame, "frame", ("lon", "lat"))
    if time not in frame.columns:
        require_columns(frame, "frame", (time,))
    table = pd.DataFrame(
        {
            "key": labels_of(frame, key),
            "lon": frame["lon"].to_numpy(dtype=np.float64, na_value=np.nan),
            "lat": frame["lat"].to_numpy(dtype=np.float64, na_value=np.nan),
            "micro": micros_of(frame, time, -1),
        }
    )
    usable = table["lon"].between(-180, 180) & table["lat"].between(-90, 90)
    table = table[usable & frame[time].notna().to_numpy() & (table["key"] != "")]
    # Of equal times the first row counts, as with `update`.
    table = table.sort_values("micro", ascending=False, kind="stable").drop_duplicates("key")
    columns = zip(table["key"], table["lon"], table["lat"], table["micro"], strict=True)
    return {
        str(name): _Thing(str(name), lon, lat, int(micro), slot, _box(to_space(lon, lat)))
        for slot, (name, lon, lat, micro) in enumerate(columns)
    }


def _make_tree(things: Iterable[_Thing]) -> rtree_index.Index:
    rows = [(thing.slot, thing.box, None) for thing in things]
    how = rtree_index.Property(
        dimension=3,
        variant=rtree_index.RT_Linear,
        leaf_capacity=_PAGE,
        index_capacity=_PAGE,
        near_minimum_overlap_factor=_PAGE - 1,
        fill_factor=0.4,
    )
    # An empty stream is refused by the library.
    if not rows:
        return rtree_index.Index(properties=how, interleaved=True)
    return rtree_index.Index(iter(rows), properties=how, interleaved=True)


def _box(space: Space) -> Box:
    x, y, z = space
    return (x - ROOM_M, y - ROOM_M, z - ROOM_M, x + ROOM_M, y + ROOM_M, z + ROOM_M)


def _holds(box: Box, space: Space) -> bool:
    x, y, z = space
    return box[0] <= x <= box[3] and box[1] <= y <= box[4] and box[2] <= z <= box[5]


def _straight_m(box: Box, here: Space) -> float:
    """Metres in a straight line from a place to the nearest point of a box."""
    total = 0.0
    for axis in range(3):
        gap = max(box[axis] - here[axis], 0.0, here[axis] - box[axis + 3])
        total += gap * gap
    return float(total**0.5)
