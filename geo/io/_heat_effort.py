"""Where patrols were, in minutes by place and day, from the fixes of a workspace.

The time to a worker's next fix counts at the place of a fix, unless it is more than MOST_GAP_S: who
is silent longer is not known to have been there. Days are read one at a time and kept as minutes by
place of about 50 m and hour, so that weeks of a large city take little.
"""

from __future__ import annotations

import threading
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

MOST_DAYS = 28
"""Days that are looked at, the newest of those asked for; four weeks have each weekday alike."""

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


class EffortBook:
    """Minutes of patrols of a workspace, kept by day. Safe to share between threads."""

    def __init__(self, workspace: Workspace, zone: ZoneInfo) -> None:
        self._workspace = workspace
        self._zone = zone
        self._days: dict[date, _Day] = {}
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
        keys, minutes, with_fixes = [], [], []
        for k, day in enumerate(days):
            found = self._read_day(day)
            tell((k + 1) / len(days))
            if len(found.key):
                with_fixes.append(day)
                keep = np.isin(found.key % 24, hours) if hours else np.ones(len(found.key), bool)
                keys.append(found.key[keep] // 24)
                minutes.append(found.minutes[keep])
        if not keys:
            return Effort(np.empty(0), np.empty(0), np.empty(0), ())
        places, of = np.unique(np.concatenate(keys), return_inverse=True)
        total = np.bincount(of.ravel(), weights=np.concatenate(minutes)).astype(np.float64)
        lon, lat = (
            np.asarray((part + 0.5) * PLACE_DEG - low, dtype=np.float64)
            for part, low in ((places // _ROWS, 180), (places % _ROWS, 90))
        )
        return Effort(lon, lat, total, tuple(with_fixes))

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
            self._days[day] = found
            while len(self._days) > 2 * MOST_DAYS:
                del self._days[min(self._days)]
        return found

    def _day_mark(self, day: date) -> tuple[object, ...]:
        files = [
            (part.name, part.stat().st_size)
            for part in list_parts(self._workspace.path / "fixes", day)
            if part.exists()
        ]
        return (tuple(files), self._workspace.stamp("fixes") if not files else "")


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
