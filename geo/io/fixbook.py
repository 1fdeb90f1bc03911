"""Readings of phones into the hot table `fixes`: an answer means committed.

Any number of threads hand readings in and wait; one thread writes all that wait in one transaction,
so that 600 phones a second share some 100 commits. Nobody is answered before the commit that holds
their readings, and the commit is on the disk (`synchronous = FULL`). What became of each reading is
counted in `ingest_counts` by the same transaction: after a kill the counts fit the table. Worker
and time name a fix; a reading that is stored already, in the hot table or in a sealed day, is a
duplicate. A call for help enters `patrol_alarms` together with its fix.

While another process holds the lock for long (a large import), readings are refused with
`StoreBusyError` rather than kept waiting, so that pages keep their threads; phones send again.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from geo.errors import StoreBusyError, StoreError
from geo.io._fix_insert import insert_rows
from geo.io._fix_judge import CALL, Verdict, judge_all
from geo.io._fix_judge import FINE as FINE
from geo.io._fix_judge import FUTURE_S as FUTURE_S
from geo.io._fix_judge import REASONS as REASONS
from geo.io._fix_judge import FixRules as FixRules
from geo.io.devices import KnownDevices
from geo.io.sealed import SealedTimes
from geo.io.workspace import Workspace
from geo.protocols import Reading

log = logging.getLogger(__name__)

GROUP_ROWS = 4_000
"""No more readings are waited for once so many are together; about 40 ms of writing."""

SLICE_ROWS = 2_000
"""A large batch goes in slices of this size, so that single phones get in between."""

STALL_S = 2.0
"""A commit that takes longer stands still behind another process: who comes now is refused."""

PATIENCE_S = 8.0
"""How long a thread waits for its commit; phones give up after 10 to 15 s themselves."""

DEVICES_S = 1.0
"""A device that was ended is refused after this time at the latest."""

_COUNT = (
    'INSERT INTO ingest_counts (day, source, reason, "count") VALUES (?, ?, ?, ?)'
    ' ON CONFLICT (day, source, reason) DO UPDATE SET "count" = "count" + excluded."count"'
)
Then = Callable[["list[str] | None"], None]


class _Job:
    """Verdicts that go into one transaction, and who waits for it."""

    __slots__ = ("day", "done", "error", "reasons", "then", "verdicts")

    def __init__(self, verdicts: Sequence[Verdict], day: str, then: Then | None = None) -> None:
        self.verdicts = verdicts
        self.day = day
        self.then = then
        self.done = threading.Event()
        self.reasons: list[str] | None = None
        self.error: Exception | None = None

    def end(self, reasons: list[str] | None, error: Exception | None = None) -> None:
        self.reasons, self.error = reasons, error
        self.done.set()
        if self.then is not None:
            self.then(reasons)


class FixBook:
    """Takes readings in. Safe to share between threads; `close` it when nobody sends any more.

    Parameters
    ----------
    workspace
        Open; the book does not close it.
    rules
        What the city decides.
    clock
        Gives the present moment, with zone.
    """

    def __init__(
        self, workspace: Workspace, rules: FixRules, *, clock: Callable[[], datetime]
    ) -> None:
        self.workspace = workspace
        self.rules = rules
        self.clock = clock
        self._devices = KnownDevices(workspace)
        self._devices_at: float | None = None
        self._sealed = SealedTimes(workspace.path / "fixes")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None
        self._is_closed = False

    def unit_of(self, device_id: str) -> str:
        """Unit of speed of a device's OsmAnd requests."""
        device = self._find_devices().find(device_id)
        unit = None if device is None else device.speed_unit
        return unit or self.rules.speed_unit

    def take(self, readings: Sequence[Reading]) -> list[str]:
        """Store readings and say what became of each, once that is committed.

        Returns
        -------
        list of str
            One of `REASONS` for each reading, in order.

        Raises
        ------
        StoreBusyError
            If another process writes for long. Some of the readings may be stored all the same;
            sent again they are duplicates.
        StoreError
            If the workspace cannot be written.
        """
        now = self.clock()
        verdicts = self._judge(readings, now)
        reasons: list[str] = []
        for first in range(0, len(verdicts), SLICE_ROWS):
            job = _Job(verdicts[first : first + SLICE_ROWS], self._day(now))
            self._enqueue(job)
            reasons += _await(job)
        return reasons

    def note(self, source: str, reason: str, times: int = 1) -> None:
        """Count what never became a reading; back when it is committed. Raises as `take` does."""
        job = _Job([Verdict(source, reason)] * times, self._day(self.clock()))
        self._enqueue(job)
        _await(job)

    def submit(self, readings: Sequence[Reading], then: Then, *, is_trusted: bool = False) -> None:
        """Hand readings in without waiting.

        `then` is called by the thread that writes: with the reasons once they are committed, or
        with None if that failed. A trusted sender, such as a broker that knows its own users,
        needs no tokens.
        """
        now = self.clock()
        self._put(_Job(self._judge(readings, now, is_trusted), self._day(now), then))

    def submit_note(self, source: str, reason: str, then: Then) -> None:
        """Count what never became a reading, without waiting; `then` as in `submit`."""
        self._put(_Job([Verdict(source, reason)], self._day(self.clock()), then))

    def close(self) -> None:
        """Write what waits, then end the thread. Who comes later is refused."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
            if thread is not None:
                self._jobs.put(None)
        if thread is not None:
            thread.join()

    # --- judging -------------------------------------------------------------------------------

    def _judge(
        self, readings: Sequence[Reading], now: datetime, is_trusted: bool = False
    ) -> list[Verdict]:
        devices = self._find_devices()
        rules = replace(self.rules, is_open=True) if is_trusted else self.rules
        verdicts = judge_all(readings, devices, rules, now)
        is_strange = any(v.reason in ("unknown_device", "wrong_token") for v in verdicts)
        # It may have been given out this very moment.
        if is_strange and devices.refresh():
            verdicts = judge_all(readings, devices, rules, now)
        return verdicts

    def _find_devices(self) -> KnownDevices:
        moment = time.monotonic()
        if self._devices_at is None or moment - self._devices_at > DEVICES_S:
            self._devices.refresh()
            self._devices_at = moment
        return self._devices

    def _day(self, now: datetime) -> str:
        return now.astimezone(self.rules.zone).date().isoformat()

    # --- writing -------------------------------------------------------------------------------

    def _enqueue(self, job: _Job) -> None:
        since = self._busy_since
        if since is not None and time.monotonic() - since > STALL_S:
            raise StoreBusyError("another program writes into the city: send again in a while")
        self._put(job)

    def _put(self, job: _Job) -> None:
        with self._lock:
            if self._is_closed:
                raise StoreError("the server is ending: send again in a while")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wangge-fixes", daemon=True)
                self._thread.start()
            self._jobs.put(job)

    def _run(self) -> None:
        is_over = False
        while not is_over:
            group = [self._jobs.get()]
            rows = 0
            while rows < GROUP_ROWS:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                group.append(job)
                rows += 0 if job is None else len(job.verdicts)
            is_over = None in group
            self._busy_since = time.monotonic()
            self._write([job for job in group if job is not None])
            self._busy_since = None

    def _write(self, jobs: list[_Job]) -> None:
        """Commit jobs together; where that fails, each by itself, so that none spoils another."""
        if not jobs:
            return
        try:
            reasons = self._commit(jobs)
        # The end of a thread: whatever comes is told to those who wait, or they would wait on.
        except Exception as error:
            if len(jobs) > 1 and not isinstance(error, StoreBusyError):
                for job in jobs:
                    self._write([job])
                return
            log.exception("positions could not be stored")
            for job in jobs:
                _end(job, None, error)
            return
        for job, told in zip(jobs, reasons, strict=True):
            _end(job, told)

    def _commit(self, jobs: list[_Job]) -> list[list[str]]:
        self._sealed.prepare(
            (v.day, str(v.row[0])) for job in jobs for v in job.verdicts if v.row is not None
        )
        counts: Counter[tuple[str, str, str]] = Counter()
        reasons: list[list[str]] = []
        with self.workspace.writing() as conn:
            cursor = conn.connection.cursor()
            fresh = self._insert(cursor, [v for job in jobs for v in job.verdicts])
            calls = [v.alarm for job in jobs for v in job.verdicts if v.alarm is not None]
            if calls:
                cursor.executemany(CALL, calls)
            for job in jobs:
                told = [
                    v.reason if v.row is None else "accepted" if next(fresh) else "duplicate"
                    for v in job.verdicts
                ]
                reasons.append(told)
                counts.update(
                    (job.day, v.source, reason)
                    for v, reason in zip(job.verdicts, told, strict=True)
                )
            has_rows = any(reason == "accepted" for _, _, reason in counts)
            cursor.executemany(_COUNT, [(*key, count) for key, count in counts.items()])
            cursor.close()
            for name, is_due in (("fixes", has_rows), ("patrol_alarms", bool(calls))):
                if is_due:
                    self.workspace.touch(conn, name)
        return reasons

    def _insert(self, cursor: Any, verdicts: list[Verdict]) -> Iterator[bool]:
        """Store what may be stored; for each verdict with a row whether it is new."""
        is_sealed = self._sealed.reader()
        asked = [v for v in verdicts if v.row is not None]
        sealed = [
            v.row is not None and is_sealed(v.day, str(v.row[0]), str(v.row[1])) for v in asked
        ]
        rows = [v.row for v, is_old in zip(asked, sealed, strict=True) if v.row and not is_old]
        is_new = iter(insert_rows(cursor, rows))
        return iter([not is_old and next(is_new) for is_old in sealed])


def _await(job: _Job) -> list[str]:
    if not job.done.wait(PATIENCE_S):
        raise StoreBusyError("another program writes into the city: send again in a while")
    if job.reasons is None:
        if isinstance(job.error, StoreError):
            raise job.error
        raise StoreError("the city cannot be written now: send again in a while") from job.error
    return job.reasons


def _end(job: _Job, reasons: list[str] | None, error: Exception | None = None) -> None:
    try:
        job.end(reasons, error)
    # What a caller does with the answer must not end the thread that all others wait for.
    except Exception:
        log.exception("an answer about positions could not be given")


def read_counts(workspace: Workspace, *, day: str | None = None) -> dict[tuple[str, str], int]:
    """What became of the readings, by source and reason; of one day (YYYY-MM-DD) or of all."""
    table = workspace.table("ingest_counts")
    total = sa.func.sum(table.c["count"])
    query = sa.select(table.c.source, table.c.reason, total).group_by(
        table.c.source, table.c.reason
    )
    if day is not None:
        query = query.where(table.c.day == day)
    with workspace.reading() as conn:
        return {(row[0], row[1]): int(row[2]) for row in conn.execute(query)}
