"""Judged days kept beside the fixes, each under the fingerprint of all that it was made from.

    rounds/date=2026-11-20/rounds.parquet, workers.parquet, places.parquet

A kept day is taken only if its fingerprint is the one asked for; else, and if a file cannot be
read, there is none, and the day is judged again. So the folder may be deleted at any time, and a
fix that comes late, a moved border or another schedule is never overlooked.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

log = logging.getLogger(__name__)

FOLDER = "rounds"
_KEY = b"wangge.fingerprint"


def write_day(
    folder: Path, day: date, fingerprint: str, tables: Mapping[str, pd.DataFrame]
) -> None:
    """Keep the tables of a day in a workspace's folder, in place of what was kept of it.

    Each file appears whole or not at all.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    target = _target(folder, day)
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        known = table.schema.metadata or {}
        table = table.replace_schema_metadata({**known, _KEY: fingerprint.encode()})
        draft = target / f".{uuid.uuid4().hex}.draft"
        try:
            pq.write_table(table, draft, compression="zstd")
            draft.replace(target / f"{name}.parquet")
        finally:
            draft.unlink(missing_ok=True)


def read_day(
    folder: Path, day: date, fingerprint: str, names: Iterable[str]
) -> dict[str, pd.DataFrame] | None:
    """The tables of a day by name, or None if they are not kept under this fingerprint."""
    found = {}
    for name in names:
        file = _target(folder, day) / f"{name}.parquet"
        try:
            if not file.is_file():
                return None
            table = pq.read_table(file, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            log.warning("%s cannot be read (%s): the day is judged again", file, error)
            return None
        if (table.schema.metadata or {}).get(_KEY) != fingerprint.encode():
            return None
        found[name] = table.to_pandas()
    return found


def drop_days(folder: Path, before: date) -> int:
    """Delete what is kept of the days before a date, and count them."""
    gone = [
        path
        for path in (folder / FOLDER).glob("date=*")
        if path.name.removeprefix("date=") < before.isoformat()
    ]
    for path in gone:
        shutil.rmtree(path)
    return len(gone)


def _target(folder: Path, day: date) -> Path:
    return folder / FOLDER / f"date={day.isoformat()}"
