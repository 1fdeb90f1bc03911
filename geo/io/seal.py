"""Past days out of the hot table into Parquet, and out of Parquet when their time is over.

A day goes in this order: its fixes are written into one file beside the others, the file is brought
to the disk and renamed, and only then are the hot rows deleted, a few at a time, so that phones
never wait long. Killed before the renaming, nothing has happened. Killed behind it, some fixes lie
in both places: readers take a fix once, the feeds look into both before they store, and the next
run writes none of them again but deletes what is left. So a day may be sealed any number of times,
and late readings of a sealed day are sealed in a later run. A day with many small parts is merged
into one file; the old parts go when the new one is there.

One process at a time does this; a kill frees the way. Readers and feeds are never kept out.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import sqlalchemy as sa

from geo.io.frames import to_frame
from geo.io.sealed import (
    DRAFT,
    day_folder,
    list_days,
    list_parts,
    read_day,
    writing_part,
)
from geo.io.workspace import Workspace
from geo.schema import TABLES

SLICE_ROWS = 100_000
"""Fixes that are in memory at a time: about 150 MB as rows, as a frame and as Arrow."""

DELETE_ROWS = 2_000
"""Hot rows that one transaction deletes: some 20 ms in which phones wait."""

PAUSE_S = 0.03
"""Between two such transactions; SQLite asks for a lock that is taken again after 1 to 25 ms."""

MAX_PARTS = 4
"""A day with more files than this is merged into one."""

_GONE = ".gone-"
_MARK = "seal-"
"""Of our drafts: only those may be taken away as left by a kill."""

Ask = Callable[[], bool]


@dataclass(frozen=True)
class SealReport:
    """What a run did."""

    days: tuple[date, ...] = ()
    """Days that got a new part or lost hot rows."""
    sealed: int = 0
    """Fixes written to Parquet."""
    deleted: int = 0
    """Rows deleted from the hot table."""
    merged: int = 0
    """Days whose parts were merged."""
    is_busy: bool = False
    """Another process was at it; nothing was done."""


def seal_past_days(
    workspace: Workspace,
    at: datetime,
    *,
    wait: timedelta = timedelta(0),
    is_over: Ask = lambda: False,
    pause_s: float = PAUSE_S,
) -> SealReport:
    """Move the hot fixes of past days into Parquet; may be killed at any moment.

    Parameters
    ----------
    at
        The present moment, with zone.
    wait
        A day is past when it ended this long ago, in the workspace's zone.
    is_over
        Asked between two steps; True ends the run early, with nothing half done.
    pause_s
        Left to others between two deletions.
    """
    folder, zone = workspace.path / "fixes", workspace.zone
    with _alone(folder) as is_alone:
        if not is_alone:
            return SealReport(is_busy=True)
        _tidy(folder)
        days, sealed, deleted, merged = [], 0, 0, 0
        for day in _past_days(workspace, at - wait, zone):
            if is_over():
                break
            begin, end = _bounds(day, zone)
            last, count = _write_day(workspace, folder, day, begin, end)
            sealed += count
            table = workspace.table("fixes")
            is_written = (table.c.time >= begin) & (table.c.time < end) & (table.c.fid <= last)
            deleted += _delete(workspace, is_written, is_over, pause_s)
            days.append(day)
        for day in list_days(folder):
            if not is_over() and len(list_parts(folder, day)) > MAX_PARTS:
                merge_day(folder, day)
                merged += 1
    return SealReport(tuple(days), sealed, deleted, merged)


def delete_old(
    workspace: Workspace,
    keep_days: int,
    at: datetime,
    *,
    is_over: Ask = lambda: False,
    pause_s: float = PAUSE_S,
) -> SealReport:
    """Delete the fixes of days that ended more than `keep_days` ago, hot and sealed.

    A day goes whole: readers see all of it or nothing. With `keep_days` 0 nothing is deleted.
    """
    if keep_days <= 0:
        return SealReport()
    folder, zone = workspace.path / "fixes", workspace.zone
    first = at.astimezone(zone).date() - timedelta(days=keep_days)
    with _alone(folder) as is_alone:
        if not is_alone:
            return SealReport(is_busy=True)
        _tidy(folder)
        gone = [day for day in list_days(folder) if day < first]
        for day in gone:
            path = day_folder(folder, day)
            path.rename(path.with_name(f"{_GONE}{path.name}"))
        _tidy(folder)
        time_of = workspace.table("fixes").c.time
        deleted = _delete(workspace, time_of < _bounds(first, zone)[0], is_over, pause_s)
    return SealReport(tuple(gone), 0, deleted)


def merge_day(folder: Path, day: date) -> None:
    """Put all parts of a sealed day into one file, each fix once.

    The old parts go when the new one is there; killed in between, the day holds fixes twice,
    which readers take once and the next merge leaves out.
    """
    old = list_parts(folder, day)
    with writing_part(folder, day, mark=_MARK) as write:
        for workers in _slices(_count_workers(old)):
            among: tuple[str, str, object] = ("worker_id", "in", workers)
            frame = read_day(folder, day, [among])
            if len(frame):
                write(frame.sort_values(["worker_id", "time"]))
    for part in old:
        part.unlink(missing_ok=True)


# --- one day ---------------------------------------------------------------------------------


def _write_day(
    workspace: Workspace, folder: Path, day: date, begin: datetime, end: datetime
) -> tuple[int, int]:
    """Write the hot fixes of a day that no part holds yet; the last `fid` seen, and how many."""
    table, known = workspace.table("fixes"), TABLES["fixes"]
    within = (table.c.time >= begin) & (table.c.time < end)
    # Text as it is stored: a million times are not parsed one by one.
    columns = [
        sa.type_coerce(table.c[name], sa.Text) if name == "time" else table.c[name]
        for name in known.names
    ]
    is_first = not list_parts(folder, day)
    count = 0
    with workspace.reading() as conn:
        newest = sa.select(sa.func.coalesce(sa.func.max(table.c.fid), 0))
        last = int(conn.execute(newest).scalar_one())
        people = sa.select(table.c.worker_id, sa.func.count()).where(within)
        rows_of = {str(k): int(n) for k, n in conn.execute(people.group_by(table.c.worker_id))}
        with writing_part(folder, day, mark=_MARK) as write:
            for workers in _slices(rows_of):
                query = sa.select(*columns).where(within & table.c.worker_id.in_(workers))
                rows = conn.execute(query.order_by(table.c.worker_id, table.c.time)).all()
                frame = to_frame(known, list(known.names), rows)
                if not is_first:
                    frame = _leave_out(frame, folder, day, workers)
                if len(frame):
                    write(frame)
                    count += len(frame)
    return last, count


def _leave_out(frame: pd.DataFrame, folder: Path, day: date, workers: list[str]) -> pd.DataFrame:
    """The fixes that no part of the day holds."""
    among: tuple[str, str, object] = ("worker_id", "in", workers)
    there = read_day(folder, day, [among])[["worker_id", "time"]]
    if there.empty:
        return frame
    there = there.astype({"worker_id": "str", "time": "datetime64[us, UTC]"})
    mine = frame[["worker_id", "time"]].astype({"worker_id": "str", "time": "datetime64[us, UTC]"})
    is_there = pd.MultiIndex.from_frame(mine).isin(pd.MultiIndex.from_frame(there))
    return frame[~is_there]


def _slices(rows_of: dict[str, int]) -> Iterator[list[str]]:
    """Workers in order, so many at a time that their fixes fit into memory."""
    group: list[str] = []
    total = 0
    for worker in sorted(rows_of):
        # SQLite takes 32,766 values in one question.
        if group and (total + rows_of[worker] > SLICE_ROWS or len(group) >= 5_000):
            yield group
            group, total = [], 0
        group.append(worker)
        total += rows_of[worker]
    if group:
        yield group


def _count_workers(parts: list[Path]) -> dict[str, int]:
    """Rows of each worker in some files."""
    rows_of: dict[str, int] = {}
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(columns=["worker_id"]):
                for told in batch.column(0).value_counts().to_pylist():
                    rows_of[told["values"]] = rows_of.get(told["values"], 0) + told["counts"]
    return rows_of


def _delete(
    workspace: Workspace, which: sa.ColumnElement[bool], is_over: Ask, pause_s: float
) -> int:
    """Delete hot rows, a few in each transaction, and count them."""
    table = workspace.table("fixes")
    total = 0
    while not is_over():
        with workspace.writing() as conn:
            some = sa.select(table.c.fid).where(which).limit(DELETE_ROWS)
            count = conn.execute(sa.delete(table).where(table.c.fid.in_(some))).rowcount
            if count:
                workspace.touch(conn, "fixes")
        total += count
        if count < DELETE_ROWS:
            break
        if pause_s:
            time.sleep(pause_s)
    return total


# --- days and folders ------------------------------------------------------------------------


def _bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Begin and end of a day of a zone, in UTC."""
    begin = datetime(day.year, day.month, day.day, tzinfo=zone)
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


def _past_days(workspace: Workspace, until: datetime, zone: tzinfo) -> Iterator[date]:
    """The days with hot fixes that ended before a moment, in order."""
    table = workspace.table("fixes")
    begin: datetime | None = None
    while True:
        query = sa.select(sa.func.min(sa.type_coerce(table.c.time, sa.Text)))
        if begin is not None:
            query = query.where(table.c.time >= begin)
        with workspace.reading() as conn:
            text = conn.execute(query).scalar_one()
        if text is None:
            return
        day = datetime.fromisoformat(text).astimezone(zone).date()
        begin = _bounds(day, zone)[1]
        if begin > until:
            return
        yield day


def _tidy(folder: Path) -> None:
    """Take away what a killed run left: drafts, and days that were on their way out."""
    for path in folder.glob(f"{_GONE}*"):
        shutil.rmtree(path)
    for draft in folder.glob(f"date=*/.{_MARK}*{DRAFT}"):
        draft.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Keep other processes from sealing; False if one is at it. The system frees it after a kill.

    The lock is SQLite's, on a file of its own: it works wherever the workspace does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = sqlite3.connect(folder / ".sealing.lock", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            yield False
            return
        yield True
        lock.execute("ROLLBACK")
    finally:
        lock.close()
