"""All incidents of a city as compact columns, read once and then only what changed.

Rows stand in the order of `fid`, the number of the row in the table, and not in the order of time.
A `CaseColumns` never changes after it was handed out: a change makes a new one, which shares with
the old one every column in which nothing differs, and new rows are written behind the old ones
into room that was kept for them. So a move of one case among ten million costs the columns that it
touches, and two answers that lie a moment apart do not take the memory twice.

Memory: 58 bytes a row, 58 MB a million; texts are kept once each and stand in the rows as numbers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.errors import WanggeError
from geo.io._case_columns_read import read_all, read_changed
from geo.io._case_columns_rows import NEVER as NEVER
from geo.io._case_columns_rows import CaseColumns as CaseColumns
from geo.io._case_columns_rows import CaseTable, Words, columns_of
from geo.io.workspace import Workspace

log = logging.getLogger(__name__)

CHECK_S = 2.0
"""How often a store that is asked compares itself with the table."""

DAY_S = 86_400
_Tell = Callable[[float], None]


def read_case_columns(workspace: Workspace) -> CaseColumns:
    """Read all incidents of a workspace now; 10 million take about a minute.

    A server keeps a `CaseStore` instead, which follows the changes.
    """
    return read_all(workspace, Words())[0].view()


def case_columns(frame: pd.DataFrame) -> CaseColumns:
    """Make columns of a table of incidents, for files, notebooks and tests.

    Parameters
    ----------
    frame
        With `lon`, `lat` and `reported_at`, and where known the other columns of `incidents`;
        times have a zone. `fid` is counted from 1 in the order of the rows.

    Raises
    ------
    ColumnError
        If one of the three is missing.
    InputError
        If a time has no zone.
    """
    return columns_of(frame)


class CaseStore:
    """The incidents of a workspace, kept fresh. Safe to share between threads.

    Parameters
    ----------
    workspace
        Open; the store does not close it.
    tick
        A clock that only goes forward, seconds.
    """

    def __init__(self, workspace: Workspace, *, tick: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._tick = tick
        self._words = Words()
        self._table: CaseTable | None = None
        self._mark: tuple[int, str] = (0, "")
        self._cases: CaseColumns | None = None
        self._checked = -1e9
        self._progress = 0.0
        self._error = ""
        self._lock = threading.Lock()
        """Held for a moment only, by whoever looks at the fields."""
        self._one = threading.Lock()
        """Held by who reads: one at a time."""
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> float:
        """How far the first reading is, from 0 to 1."""
        return self._progress

    @property
    def error(self) -> str:
        """Why the last reading failed; empty when it did not."""
        return self._error

    def get(self) -> CaseColumns | None:
        """The newest that was read; None before the first reading has ended.

        Never waits: where the table may have changed, a thread looks.
        """
        with self._lock:
            is_running = self._thread is not None and self._thread.is_alive()
            if not is_running and self._tick() - self._checked >= CHECK_S:
                self._checked = self._tick()
                self._thread = threading.Thread(
                    target=self._work, name="wangge-case-columns", daemon=True
                )
                self._thread.start()
            return self._cases

    def wait(self, timeout_s: float = 60.0) -> CaseColumns:
        """The newest, read if need be.

        Raises
        ------
        WanggeError
            If another thread's reading has not ended after this time.
        """
        if not self._one.acquire(timeout=timeout_s):
            raise WanggeError(f"the incidents are not read after {timeout_s:.0f} s: ask again")
        try:
            return self._refresh()
        finally:
            self._one.release()

    def refresh(self) -> CaseColumns:
        """Read what changed, in this thread, and give the newest."""
        with self._one:
            return self._refresh()

    def _work(self) -> None:
        try:
            self.refresh()
        # The end of a thread: whatever comes is told to who asks, or nobody would know.
        except Exception as error:
            log.exception("the incidents could not be read")
            self._error = str(error) or type(error).__name__

    def _refresh(self) -> CaseColumns:
        known = self._table
        if known is None:
            found = read_all(self._workspace, self._words, self._tell)
        else:
            again = read_changed(self._workspace, self._words, known, self._mark, self._tell)
            if again is None:
                assert self._cases is not None
                self._error = ""
                return self._cases
            found = again
        self._table, self._mark = found
        view = self._table.view()
        with self._lock:
            self._cases, self._progress, self._error = view, 1.0, ""
        return view

    def _tell(self, share: float) -> None:
        if self._cases is None:
            self._progress = share


def local_days(seconds: npt.NDArray[np.int64], zone: ZoneInfo) -> npt.NDArray[np.int32]:
    """Find the day of each moment in a zone: days since 1970-01-01; -2**31 for `NEVER`."""
    here, is_told = _local(seconds, zone)
    days = np.full(len(seconds), np.iinfo(np.int32).min, dtype=np.int32)
    np.copyto(days, here // DAY_S, where=is_told, casting="unsafe")
    return days


def local_hours(seconds: npt.NDArray[np.int64], zone: ZoneInfo) -> npt.NDArray[np.int8]:
    """Find the hour of the day of each moment in a zone, 0 to 23; -1 for `NEVER`."""
    here, is_told = _local(seconds, zone)
    hours = np.full(len(seconds), -1, dtype=np.int8)
    np.copyto(hours, here % DAY_S // 3600, where=is_told, casting="unsafe")
    return hours


def _local(
    seconds: npt.NDArray[np.int64], zone: ZoneInfo
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Seconds as a clock on the wall counts them, by a table of the zone's offsets."""
    moments = np.asarray(seconds, dtype=np.int64)
    is_told = moments != NEVER
    if not is_told.any():
        return moments, is_told
    edges, offsets = _offsets(int(moments[is_told].min()), int(moments.max()), zone)
    if len(edges) == 0:
        return moments + offsets[0] * is_told, is_told
    # NEVER lies before all edges; what is added to it is not looked at.
    return moments + offsets[np.searchsorted(edges, moments, side="right")] * is_told, is_told


def _offsets(
    low: int, high: int, zone: ZoneInfo
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """When the zone's offset changes between two moments, and the offsets before and behind."""

    def at(second: int) -> int:
        told = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
        return 0 if told is None else round(told.total_seconds())

    edges: list[int] = []
    offsets = [at(low)]
    here = low
    # No zone has changed its offset twice within a week.
    while here < high:
        then = min(here + 7 * DAY_S, high)
        after = at(then)
        if after != offsets[-1]:
            one, two = here, then
            while two - one > 1:
                middle = (one + two) // 2
                one, two = (middle, two) if at(middle) == offsets[-1] else (one, middle)
            edges.append(two)
            offsets.append(after)
        here = then
    return np.array(edges, dtype=np.int64), np.array(offsets, dtype=np.int64)
