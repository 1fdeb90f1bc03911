"""Fixes as a watch takes them: in order of time, in metres, by number of the worker.

And what is known of each worker: the post, the last word, the last usable place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import pyproj
from geopandas import GeoDataFrame

from geo._fixes_tracks import flags, micros
from geo._watch_runs import NEVER, Bools, Floats, Ints, Slots


@lru_cache(maxsize=8)
def to_metres(crs: pyproj.CRS) -> pyproj.Transformer:
    """From degrees (EPSG:4326, longitude first); made once, for making one takes a tenth of a
    second."""
    return pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)


@dataclass(frozen=True, eq=False)
class Heard:
    """Fixes in order of time."""

    slot: Slots
    t: Ints
    x: Floats
    y: Floats
    lon: Floats
    lat: Floats
    usable: Bools

    def pick(self, which: Bools | Slots) -> Heard:
        """Some of them."""
        return Heard(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def waves(self) -> Iterator[Heard]:
        """At most one fix of a worker at a time, each worker's in order."""
        if not len(self.t):
            return
        turn = pd.Series(self.slot).groupby(self.slot).cumcount().to_numpy()
        for k in range(int(turn.max()) + 1):
            yield self.pick(np.flatnonzero(turn == k))


class People:
    """Workers by number, in the order in which they were first heard; arrays of equal length."""

    def __init__(self, grids: GeoDataFrame, posts: pd.Series) -> None:
        self._grids, self._posts = grids.index, posts
        self._to_metres = to_metres(grids.crs)
        self._index: tuple[pd.Index, Slots] | None = None
        self.slots: dict[str, int] = {}
        self.ids = np.empty(0, dtype=object)
        self.home = np.empty(0, np.int64)
        """Row of the grid of the post, -1 without one."""
        self.heard = np.empty(0, np.int64)
        """The last word of the phone."""
        self.shown = np.empty(0, np.int64)
        """The last fix that proves a place."""
        self.xy = np.empty((0, 2))
        """Where, smoothed, metres."""
        self.place = np.empty((0, 2))
        """Where, as it came, degrees."""

    def find_slots(self, positions: pd.DataFrame) -> Slots:
        """The number of the worker of each row; new ones get the next."""
        if "worker_id" in positions:
            index = pd.Index(positions["worker_id"], dtype=object)
        else:
            index = positions.index
            # The index stays the same object while nobody comes or goes.
            if self._index is not None and self._index[0] is index:
                return self._index[1]
        codes, names = pd.factorize(index)
        for name in names:
            self.slots.setdefault(str(name), len(self.slots))
        self._grow()
        places = np.array([self.slots[str(name)] for name in names], dtype=np.intp)
        slots: Slots = places[codes]
        if "worker_id" not in positions:
            self._index = (index, slots)
        return slots

    def _grow(self) -> None:
        had = len(self.ids)
        more = len(self.slots) - had
        if not more:
            return
        self.ids = np.array(list(self.slots), dtype=object)
        post = self._posts.reindex(self.ids[had:]).to_numpy(dtype=object)
        self.home = np.append(self.home, self._grids.get_indexer(pd.Index(post, dtype=object)))
        self.heard = np.append(self.heard, np.full(more, NEVER))
        self.shown = np.append(self.shown, np.full(more, NEVER))
        self.xy = np.vstack([self.xy, np.full((more, 2), np.nan)])
        self.place = np.vstack([self.place, np.full((more, 2), np.nan)])

    def read(
        self, positions: pd.DataFrame, slot: Slots, since: int, now: int, most_accuracy_m: float
    ) -> tuple[Heard, Ints]:
        """What is new since the last word of each, and the times of all of it.

        What is older than `since` only tells where people were last heard.
        """
        t = micros(positions["time"])
        fresh = np.flatnonzero((t > self.heard[slot]) & (t <= now))
        fresh = fresh[np.argsort(t[fresh], kind="stable")]
        slot, t, rows = slot[fresh], t[fresh], positions.iloc[fresh]
        lon, lat = (rows[name].to_numpy(np.float64) for name in ("lon", "lat"))
        x, y = (np.asarray(v) for v in self._to_metres.transform(lon, lat))
        old = t < since
        # Rows lie by time, so of several the last one of a worker stays.
        self.heard[slot[old]] = t[old]
        self.place[slot[old]] = np.column_stack([lon[old], lat[old]])
        self.xy[slot[old]] = np.column_stack([x[old], y[old]])
        usable = _find_usable(rows, lon, lat, most_accuracy_m)
        return Heard(slot, t, x, y, lon, lat, usable).pick(~old), t


def _find_usable(rows: pd.DataFrame, lon: Floats, lat: Floats, most_accuracy_m: float) -> Bools:
    """Which fixes prove where somebody is: not made up, and not too vague."""
    usable = np.isfinite(lon) & np.isfinite(lat)
    if "accuracy_m" in rows:
        accuracy = rows["accuracy_m"].to_numpy(np.float64, na_value=np.nan)
        usable &= ~(accuracy > most_accuracy_m)
    if "mock" in rows:
        usable &= ~flags(rows, "mock")
    return np.asarray(usable)
