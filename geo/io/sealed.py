"""Sealed GPS history: one folder a day, Parquet inside, never changed once written.

    fixes/date=2026-11-21/part-0000-3f9a1c20.parquet

The day is the one of the city's zone, so that a patrol never falls into two folders. Rows lie by
worker and time. A file appears whole or not at all: it is written beside, brought to the disk and
renamed. A day may have several parts, and after a kill two of them may hold the same fix: worker
and time name a fix, and readers take it once. A part that is gone when it is to be opened was
merged into another; the day is read again then.
"""

from __future__ import annotations

import os
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geo.errors import InputError, StoreError
from geo.schema import TABLES

_COLUMNS = list(TABLES["fixes"].names)
_ARROW = {
    "text": pa.string(), "real": pa.float64(), "bool": pa.bool_(),
    "time": pa.timestamp("ms", tz="UTC"),
}  # fmt: skip
_SCHEMA = pa.schema([(c.name, _ARROW[c.kind]) for c in TABLES["fixes"].columns])

GROUP_ROWS = 100_000
"""Rows of a group of a file: a question for one worker reads one or two of them."""

DRAFT = ".draft"
_ATTEMPTS = 5


def seal_fixes(folder: Path, frame: pd.DataFrame, *, timezone: str) -> int:
    """Write fixes under the days of a zone and count them.

    `frame` has the columns of `fixes`; those that it lacks come out empty. Sealing a day that has
    files already adds another; readers take a fix (worker and time) once.
    """
    if frame.empty:
        return 0
    missing = [c.name for c in TABLES["fixes"].columns if c.required and c.name not in frame]
    if missing:
        raise InputError(f"fixes need {', '.join(missing)}: the frame lacks it")
    days = frame["time"].dt.tz_convert(timezone).dt.date
    for day, rows in frame.groupby(days, sort=True):
        ordered = rows.reindex(columns=_COLUMNS).sort_values(["worker_id", "time"])
        with writing_part(folder, day) as write:
            write(ordered)
    return len(frame)


@contextmanager
def writing_part(
    folder: Path, day: date, *, mark: str = ""
) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write one part of a day, a frame at a time; it appears when the block ends.

    The frames come by worker and time. After an error, or without a row, nothing appears. `mark`
    begins the name of the draft, so that who left one behind can be told.
    """
    target = day_folder(folder, day)
    target.mkdir(parents=True, exist_ok=True)
    draft = target / f".{mark}{uuid.uuid4().hex}{DRAFT}"
    writer: pq.ParquetWriter | None = None

    def write(frame: pd.DataFrame) -> None:
        nonlocal writer
        table = to_arrow(frame)
        if writer is None:
            # With the words of pandas in the schema, so that types come back as they went in.
            writer = pq.ParquetWriter(draft, table.schema, compression="zstd")
        writer.write_table(table.cast(writer.schema), row_group_size=GROUP_ROWS)

    try:
        try:
            yield write
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            _sync(draft)
            number = len(list_parts(folder, day))
            draft.rename(target / f"part-{number:04d}-{uuid.uuid4().hex[:8]}.parquet")
            _sync(target)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Fixes as they lie in a file."""
    kinds = {"text": "str", "real": "float64", "bool": "boolean"}
    typed = frame.reindex(columns=_COLUMNS).astype(
        {c.name: kinds[c.kind] for c in TABLES["fixes"].columns if c.kind in kinds}
    )
    # The store keeps milliseconds.
    typed["time"] = typed["time"].dt.tz_convert("UTC").dt.floor("ms")
    return pa.Table.from_pandas(typed, schema=_SCHEMA, preserve_index=False)


def day_folder(folder: Path, day: date) -> Path:
    """Where the parts of a day lie."""
    return folder / f"date={day.isoformat()}"


def list_days(folder: Path) -> list[date]:
    """The days that have a folder, in order."""
    return sorted(date.fromisoformat(p.name.removeprefix("date=")) for p in folder.glob("date=*"))


def list_parts(folder: Path, day: date) -> list[Path]:
    """The files of a day, in order; none if there is no such day."""
    return sorted(day_folder(folder, day).glob("part-*.parquet"))


def read_sealed(
    folder: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    workers: list[str] | None = None,
) -> pd.DataFrame:
    """Sealed fixes from `since` until before `until`, each once; only those days are read."""
    # A day of any zone lies within a day of the same date in UTC, give or take one.
    slack = timedelta(days=1)
    days = [
        day
        for day in list_days(folder)
        if (since is None or day >= since.date() - slack)
        and (until is None or day <= until.date() + slack)
    ]
    filters: list[tuple[str, str, object]] = []
    # Arrow compares moments of one zone only.
    if since is not None:
        filters.append(("time", ">=", pd.Timestamp(since).tz_convert("UTC")))
    if until is not None:
        filters.append(("time", "<", pd.Timestamp(until).tz_convert("UTC")))
    if workers is not None:
        filters.append(("worker_id", "in", workers))
    parts = [read_day(folder, day, filters or None) for day in days]
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=_COLUMNS)
    whole = pd.concat(filled, ignore_index=True)
    # The store's own resolution, so that hot and sealed rows make one column of times.
    return whole.astype({"time": "datetime64[us, UTC]"})


def read_day(
    folder: Path, day: date, filters: list[tuple[str, str, object]] | None = None
) -> pd.DataFrame:
    """The fixes of one sealed day, each once; `filters` as pyarrow takes them."""

    def read(files: list[Path]) -> pd.DataFrame:
        parts = [
            pd.read_parquet(file, columns=_COLUMNS, filters=filters, partitioning=None)
            for file in files
        ]
        filled = [part for part in parts if len(part)]
        if len(filled) < 2:
            return filled[0] if filled else pd.DataFrame(columns=_COLUMNS)
        whole = pd.concat(filled, ignore_index=True)
        return whole.drop_duplicates(["worker_id", "time"], ignore_index=True)

    return _read_steadily(folder, day, read)


def _read_steadily(folder: Path, day: date, read: Callable[[list[Path]], Any]) -> Any:
    """Read the files of a day; again if one was merged into another meanwhile."""
    for _ in range(_ATTEMPTS):
        try:
            return read(list_parts(folder, day))
        except FileNotFoundError:
            continue
    raise StoreError(f"{day_folder(folder, day)} keeps changing: try again in a while")


class SealedTimes:
    """Tells whether a fix is in a sealed day already; for one thread.

    The times of a worker in a file are kept once read, for files never change.
    """

    def __init__(self, folder: Path, *, kept: int = 2_000) -> None:
        self._folder = folder
        self._kept = kept
        self._times: OrderedDict[tuple[str, str], npt.NDArray[np.int64]] = OrderedDict()

    def prepare(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read the times of days (YYYY-MM-DD) and workers, so that the answers are quick."""
        workers: dict[str, set[str]] = {}
        for day, worker in wanted:
            workers.setdefault(day, set()).add(worker)
        for day, names in workers.items():
            self._load(date.fromisoformat(day), names)

    def reader(self) -> Callable[[str, str, str], bool]:
        """A function of day, worker and time (as the store writes it), for one transaction.

        Which files there are is looked at once for each day: whoever seals deletes hot rows
        under the lock of the database, after the file is there.
        """
        parts: dict[str, tuple[str, ...]] = {}

        def is_sealed(day: str, worker: str, moment: str) -> bool:
            if day not in parts:
                parts[day] = self._load(date.fromisoformat(day), {worker})
            if not parts[day]:
                return False
            if any((file, worker) not in self._times for file in parts[day]):
                parts[day] = self._load(date.fromisoformat(day), {worker})
            told = datetime.fromisoformat(moment).astimezone(UTC)
            ms = round(told.timestamp() * 1000)
            return any(_holds(self._times[file, worker], ms) for file in parts[day])

        return is_sealed

    def _load(self, day: date, workers: set[str]) -> tuple[str, ...]:
        """Names of the files of a day, after the times of these workers in them were read."""

        def read(files: list[Path]) -> tuple[str, ...]:
            for file in files:
                missing = [w for w in workers if (str(file), w) not in self._times]
                if missing:
                    self._read(file, missing)
            return tuple(str(file) for file in files)

        found: tuple[str, ...] = _read_steadily(self._folder, day, read)
        for file in found:
            for worker in workers:
                self._times.move_to_end((file, worker))
        while len(self._times) > max(self._kept, 2 * len(found) * len(workers)):
            self._times.popitem(last=False)
        return found

    def _read(self, file: Path, workers: list[str]) -> None:
        table = pq.read_table(
            file, columns=["worker_id", "time"], filters=[("worker_id", "in", workers)],
            partitioning=None,
        )  # fmt: skip
        who = table.column("worker_id").to_numpy(zero_copy_only=False)
        when = table.column("time").to_numpy().astype("datetime64[ms]").astype(np.int64)
        for worker in workers:
            self._times[str(file), worker] = np.sort(when[who == worker])


def _holds(times: npt.NDArray[np.int64], ms: int) -> bool:
    at = int(np.searchsorted(times, ms))
    return at < len(times) and int(times[at]) == ms
