"""GPS fixes through the gate, a piece of the file at a time, in one transaction.

A fix without a place or a time is rejected: nothing can be said of it; nor of one from before 1980
(a clock that was never set writes 1901 or 1970) or from more than a day after the import. A time of
day counts with a date beside it. Of two fixes of one worker at the same moment the first stays,
whether it lies in the same file, another, the hot table or a sealed day. A worker that the
workspace does not know is added with the number as name, and the report says so.

Duty hours are the phones' (`geo.io.fixbook`): what somebody brings in as a file is stored whole.
Only numbers of what was read are kept between pieces (8 bytes a fix), so memory does not grow with
the rows; small files that are alike are checked together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from geo._fixes_rules import GPS_BEGAN_S
from geo.errors import InputError
from geo.io import _gate_points, _gate_rows, _gate_write
from geo.io._gate_joined import join_alike
from geo.io._gate_kinds import settle_times
from geo.io._gate_points import City
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import ImportReport, Ledger
from geo.io.read import Source, read_sources
from geo.io.times import is_clock_only, is_day_only
from geo.io.workspace import Workspace

CHUNK_ROWS = 250_000
_MS_TO_KMH = 3.6
_NEVER_SET = "time before 1980-01-06: the clock was never set"
_AHEAD = pd.Timedelta(days=1)
"""A clock of another zone is ahead by half a day; our assumption."""
_MOST_NAMED = 5_000
"""So many workers are named in a question to the store; of more all rows are read."""


class _DryRunError(Exception):
    """Undoes the transaction of a dry run."""


def import_fixes(
    workspace: Workspace,
    paths: Sequence[Path],
    wishes: Wishes,
    ledger: Ledger,
    say: Any,
) -> ImportReport:
    """Bring files of fixes into the hot table; see `geo.io.gate.import_files`."""
    city = _gate_points.read_city(workspace)
    seen: npt.NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
    workers: set[str] = set()
    accepted = 0
    try:
        with workspace.writing() as conn, _gate_write.roomy_cache(conn):
            for piece in _check_pieces(paths, city, wishes, ledger, say):
                draft, seen = _drop_seen(workspace, piece, seen, ledger)
                accepted += _append(workspace, conn, draft)
                workers |= set(draft["worker_id"].unique())
                _note_span(draft, ledger)
            if ledger.read == 0:
                raise InputError(f"{', '.join(p.name for p in paths[:20])}: no rows")
            _add_workers(workspace, conn, workers, ledger)
            if wishes.dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    if ledger.facts.get("outside"):
        ledger.warn(f"{ledger.facts['outside']:,} of {accepted:,} fixes lie outside the city: kept")
    return ledger.finish([p.name for p in paths], accepted, dry_run=wishes.dry_run)


def _check_pieces(
    paths: Sequence[Path], city: City, wishes: Wishes, ledger: Ledger, say: Any
) -> Iterator[pd.DataFrame]:
    """Checked rows, about CHUNK_ROWS at a time whatever the size of the files."""
    waiting: list[pd.DataFrame] = []
    for number, source in enumerate(join_alike(_read(paths, wishes, ledger), CHUNK_ROWS)):
        waiting.append(_check_piece(source, number, city, wishes, ledger))
        if sum(map(len, waiting)) >= CHUNK_ROWS:
            yield _stack(waiting)
            waiting = []
        say(f"{ledger.read:,} fixes read")
    if waiting:
        yield _stack(waiting)


def _read(paths: Sequence[Path], wishes: Wishes, ledger: Ledger) -> Iterator[Source]:
    for path in paths:
        for source in read_sources(
            path,
            kind="fixes",
            layer=wishes.layer,
            encoding=wishes.encoding,
            chunk_rows=CHUNK_ROWS,
        ):
            ledger.read += source.read
            ledger.reject_bad(source.name, source.bad)
            yield source


def _note_span(draft: pd.DataFrame, ledger: Ledger) -> None:
    """The first and last moment of what was accepted, as texts."""
    if draft.empty:
        return
    first, last = (moment.isoformat() for moment in (draft["time"].min(), draft["time"].max()))
    ledger.facts["first"] = min(first, ledger.facts.get("first", first))
    ledger.facts["last"] = max(last, ledger.facts.get("last", last))


def _stack(drafts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    full = [draft for draft in drafts if len(draft)]
    return pd.concat(full, ignore_index=True) if len(full) > 1 else (full or drafts[:1])[0]


def _check_piece(
    source: Source, number: int, city: City, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    draft = _gate_rows.make_draft(source, number, wishes, ledger)
    worker = draft["worker_id"].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    draft = draft.assign(worker_id=worker, _id=worker)
    draft = ledger.reject(draft, draft["worker_id"].isna().to_numpy(), "no worker_id")
    draft = _settle_clock(draft, wishes, ledger)
    draft = _gate_points.place_points(draft, city, wishes, ledger, whole_file=number == 0)
    if "speed_ms" in draft:
        if "speed_kmh" not in draft:
            draft = draft.assign(speed_kmh=draft["speed_ms"] * _MS_TO_KMH)
        draft = draft.drop(columns="speed_ms")
    if "source" not in draft:
        draft = draft.assign(source=draft["_file"])
    for name in ("accuracy_m", "speed_kmh"):
        draft = _empty_negative(draft, name, ledger)
    return draft


def _empty_negative(draft: pd.DataFrame, name: str, ledger: Ledger) -> pd.DataFrame:
    """Phones write -1 where they know no accuracy or speed."""
    if name not in draft:
        return draft
    below = (draft[name] < 0).to_numpy(dtype=bool)
    ledger.repair(f"negative {name} left empty", int(below.sum()))
    return draft.assign(**{name: draft[name].mask(below)}) if below.any() else draft


def _settle_clock(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Reject rows whose time is missing, unreadable, without a date, or none that can be."""
    if "_raw_time" in draft:
        raw = draft["_raw_time"]
        bare = is_clock_only(raw)
        if bare.any():
            ledger.warn("times of day without a date: --set date=2026-11-20 gives all rows one")
        draft = ledger.reject(draft, bare, "time of day without a date", raw)
        days = is_day_only(draft["_raw_time"])
        draft = ledger.reject(draft, days, "date without a time of day", draft["_raw_time"])
        number = pd.to_numeric(draft["_raw_time"], errors="coerce")
        never_set = (number < GPS_BEGAN_S).to_numpy(dtype=bool)
        draft = ledger.reject(draft, never_set, _NEVER_SET, draft["_raw_time"])
    draft = settle_times(draft, wishes, ledger)
    moment = draft["time"]
    early = (moment < pd.Timestamp(GPS_BEGAN_S, unit="s", tz="UTC")).to_numpy(dtype=bool)
    draft = ledger.reject(draft, early, _NEVER_SET, moment)
    late = (draft["time"] > pd.Timestamp(wishes.at) + _AHEAD).to_numpy(dtype=bool)
    return ledger.reject(draft, late, "time after the import", draft["time"])


def _drop_seen(
    workspace: Workspace,
    draft: pd.DataFrame,
    seen: npt.NDArray[np.uint64],
    ledger: Ledger,
) -> tuple[pd.DataFrame, npt.NDArray[np.uint64]]:
    """Reject fixes of a worker and moment that came before, here or in the workspace."""
    if draft.empty:
        return draft, seen
    # The store keeps milliseconds.
    draft = draft.assign(time=draft["time"].dt.floor("ms"))
    marks = pd.util.hash_pandas_object(draft[["worker_id", "time"]], index=False).to_numpy()
    again = pd.Series(marks).duplicated().to_numpy(copy=True)
    if len(seen):
        at = np.searchsorted(seen, marks)
        again |= seen[np.minimum(at, len(seen) - 1)] == marks
    draft = ledger.reject(draft, again, "same worker and time as an earlier row")
    kept = marks[~again]
    merged = np.union1d(seen, kept)
    if draft.empty:
        return draft, merged
    if workspace.read("fixes", limit=1).empty and not workspace.days_of_fixes():
        return draft, merged
    whose = [str(w) for w in draft["worker_id"].unique()]
    stored = workspace.read_fixes(
        since=draft["time"].min().to_pydatetime(),
        until=(draft["time"].max() + pd.Timedelta(seconds=1)).to_pydatetime(),
        workers=whose if len(whose) <= _MOST_NAMED else None,
    )
    known = pd.MultiIndex.from_frame(stored[["worker_id", "time"]].astype({"worker_id": "str"}))
    there = pd.MultiIndex.from_frame(draft[["worker_id", "time"]]).isin(known)
    return ledger.reject(draft, there, "already in the workspace"), merged


def _append(workspace: Workspace, conn: sa.Connection, draft: pd.DataFrame) -> int:
    if draft.empty:
        return 0
    return workspace.append(conn, "fixes", _gate_write.to_table(draft, "fixes"))


def _add_workers(
    workspace: Workspace, conn: sa.Connection, workers: set[str], ledger: Ledger
) -> None:
    unknown = sorted(workers - set(_gate_write.existing_ids(workspace, "workers", conn)))
    if not unknown:
        return
    frame = pd.DataFrame({"worker_id": unknown, "name": unknown, "role": "grid_worker"})
    workspace.append(conn, "workers", frame)
    ledger.facts["workers_made"] = len(unknown)
    ledger.warn(
        f"{len(unknown):,} workers were not known and were added with their number as name:"
        f" {', '.join(unknown[:5])}{', …' if len(unknown) > 5 else ''}"
    )
