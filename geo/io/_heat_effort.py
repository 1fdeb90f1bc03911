"""Where patrols were, in minutes by place and day, from the fixes of a workspace.

The time to a worker's next fix counts at the place of a fix, unless it is more than MOST_GAP_S: who
is silent longer is not known to have been there. Days are read one at a time and kept as minutes by
place of about 50 m and hour, and their sum is kept, so that months of a large city take little.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.io.case_columns import local_hours
from geo.io.sealed import list_parts
from geo.io.workspace import Workspace

MOST_GAP_S = 300.0
"""Our assumption: phones that report every half minute and lose a few."""

MOST_DAYS = 366
"""Days that are looked at, the newest of those asked for: each season once; our assumption. Fewer
where the kept history (the setting `keep_fixes_days`) reaches less far."""

MOST_ROWS = 8_000_000
"""Places and hours of single days that are kept, 12 bytes each; sums of days are kept apart."""

SUMS = 3
"""Sets of days whose sums are kept: those of a page, and of who looks at another period."""

PLACE_DEG = 0.0005
_ROWS = 400_000
"""More than there are places from pole to pole."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Effort:
    """Minutes of patrols by place over some days."""

    lon: Floats
    lat: Floats
    minutes: Floats
    days: tuple[date, ...]
    """Days with any fix, in order."""


@dataclass(frozen=True, eq=False)
class _Day:
    mark: tuple[object, ...]
    key: npt.NDArray[np.int64]
    minutes: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Sum:
    """Minutes by place and hour over some days, in order of place and hour."""

    key: npt.NDArray[np.int64]
    minutes: npt.NDArray[np.float32]
    days: tuple[date, ...]


class EffortBook:
    """Minutes of patrols of a workspace, kept by day. Safe to share between threads."""

    def __init__(self, workspace: Workspace, zone: ZoneInfo) -> None:
        self._workspace = workspace
        self._zone = zone
        self._days: dict[date, _Day] = {}
        self._sums: OrderedDict[tuple[object, ...], _Sum] = OrderedDict()
        self._lock = threading.Lock()

    def mark(self, days: list[date]) -> tuple[object, ...]:
        """Another one when fixes of one of the days may be other ones: its files, and the table."""
        return tuple((day, *self._day_mark(day)) for day in days)

    def days(self, first: date | None, last: date) -> list[date]:
        """The newest days from first to last that may have fixes, at most MOST_DAYS, in order."""
        sealed = self._workspace.days_of_fixes()
        known = {*sealed, *(last - timedelta(days=back) for back in range(3))}
        return sorted(day for day in known if day <= last and (first is None or day >= first))[
            -MOST_DAYS:
        ]

    def read(
        self,
        days: list[date],
        hours: tuple[int, ...] = (),
        tell: Callable[[float], None] = lambda _: None,
    ) -> Effort:
        """The minutes of some days, and hours of the day; `tell` hears how far it is."""
        found = self._sum(days, tell)
        keep = np.isin(found.key % 24, hours) if hours else np.ones(len(found.key), bool)
        if not keep.any():
            return Effort(np.empty(0), np.empty(0), np.empty(0), found.days)
        # Keys are in order, so those of one place follow one another.
        place = found.key[keep] // 24
        begins = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
        total = np.add.reduceat(found.minutes[keep].astype(np.float64), begins)
        lon, lat = (
            np.asarray((part + 0.5) * PLACE_DEG - low, dtype=np.float64)
            for part, low in ((place[begins] // _ROWS, 180), (place[begins] % _ROWS, 90))
        )
        return Effort(lon, lat, total, found.days)

    def _sum(self, days: list[date], tell: Callable[[float], None]) -> _Sum:
        mark = self.mark(days)
        with self._lock:
            known = self._sums.get(mark)
            if known is not None:
                self._sums.move_to_end(mark)
                return known
        key, minutes = np.empty(0, np.int64), np.empty(0, np.float32)
        with_fixes = []
        for k, day in enumerate(days):
            found = self._read_day(day)
            tell((k + 1) / len(days))
            if len(found.key):
                with_fixes.append(day)
                key, minutes = _added(key, minutes, found)
        made = _Sum(key, minutes, tuple(with_fixes))
        with self._lock:
            self._sums[mark] = made
            while len(self._sums) > SUMS:
                self._sums.popitem(last=False)
        return made

    def _read_day(self, day: date) -> _Day:
        mark = self._day_mark(day)
        with self._lock:
            known = self._days.get(day)
            if known is not None and known.mark == mark:
                return known
        since, until = (
            datetime.combine(one, time(0), tzinfo=self._zone)
            for one in (day, day + timedelta(days=1))
        )
        fixes = self._workspace.read_fixes(since=since, until=until)
        found = _Day(mark, *_places(fixes, self._zone))
        with self._lock:
            self._days.pop(day, None)
            self._days[day] = found
            rows = sum(len(one.key) for one in self._days.values())
            while rows > MOST_ROWS and len(self._days) > 1:
                oldest = next(iter(self._days))
                rows -= len(self._days.pop(oldest).key)
        return found

    def _day_mark(self, day: date) -> tuple[object, ...]:
        files = [
            (part.name, part.stat().st_size)
            for part in list_parts(self._workspace.path / "fixes", day)
            if part.exists()
        ]
        return (tuple(files), self._workspace.stamp("fixes") if not files else "")


def _added(
    key: npt.NDArray[np.int64], minutes: npt.NDArray[np.float32], day: _Day
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The minutes of one more day; keys in order, each once."""
    both = np.concatenate([key, day.key])
    order = np.argsort(both, kind="stable")
    both = both[order]
    begins = np.flatnonzero(np.append(True, both[1:] != both[:-1]))
    told = np.concatenate([minutes, day.minutes]).astype(np.float64)[order]
    return both[begins], np.add.reduceat(told, begins).astype(np.float32)


def _places(
    fixes: pd.DataFrame, zone: ZoneInfo
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Number of each place and hour and its minutes, of fixes in the order of workers and times."""
    fixes = fixes[~fixes["mock"].eq(True).fillna(False).to_numpy(bool)]
    if not len(fixes):
        return np.empty(0, np.int64), np.empty(0, np.float32)
    who = pd.factorize(fixes["worker_id"])[0]
    moment = pd.DatetimeIndex(fixes["time"]).as_unit("ms").asi8 / 1000
    gap = np.append(np.diff(moment), 0.0)
    gap[np.append(np.diff(who) != 0, True)] = 0.0
    held = np.where((gap > 0) & (gap <= MOST_GAP_S), gap, 0.0) / 60
    column = np.floor((fixes["lon"].to_numpy(np.float64) + 180) / PLACE_DEG).astype(np.int64)
    row = np.floor((fixes["lat"].to_numpy(np.float64) + 90) / PLACE_DEG).astype(np.int64)
    hour = local_hours(moment.astype(np.int64), zone)
    key, of = np.unique((column * _ROWS + row) * 24 + hour, return_inverse=True)
    return key, np.bincount(of.ravel(), weights=held).astype(np.float32)
