"""Sealed GPS history: one folder a day, Parquet inside, never changed once written.

    fixes/date=2026-11-21/part-0.parquet

The day is the one of the city's zone, so that a patrol never falls into two folders. Rows lie by
worker and time. A file appears whole or not at all: it is written beside and renamed.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd

from geo.errors import InputError
from geo.schema import TABLES

_COLUMNS = list(TABLES["fixes"].names)


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
        target = folder / f"date={day.isoformat()}"
        target.mkdir(parents=True, exist_ok=True)
        ordered = rows.reindex(columns=_COLUMNS).sort_values(["worker_id", "time"])
        ordered["time"] = ordered["time"].dt.tz_convert("UTC").astype("datetime64[ms, UTC]")
        draft = target / f".{uuid.uuid4().hex}.draft"
        _typed(ordered).to_parquet(draft, index=False, compression="zstd")
        draft.rename(target / f"part-{len(list(target.glob('part-*.parquet')))}.parquet")
    return len(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {"text": "str", "real": "float64", "bool": "boolean"}
    return frame.astype({c.name: kinds[c.kind] for c in TABLES["fixes"].columns if c.kind in kinds})


def list_days(folder: Path) -> list[date]:
    """The days that have a folder, in order."""
    return sorted(date.fromisoformat(p.name.removeprefix("date=")) for p in folder.glob("date=*"))


def read_sealed(
    folder: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    workers: list[str] | None = None,
) -> pd.DataFrame:
    """Sealed fixes from `since` until before `until`; only the folders of those days are read."""
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
    parts = [
        pd.read_parquet(file, columns=_COLUMNS, filters=filters or None, partitioning=None)
        for day in days
        for file in sorted((folder / f"date={day.isoformat()}").glob("part-*.parquet"))
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=_COLUMNS)
    whole = pd.concat(filled, ignore_index=True)
    # The store's own resolution, so that hot and sealed rows make one column of times.
    return whole.astype({"time": "datetime64[us, UTC]"})
