"""GPS fixes through the gate, a piece of the file at a time, in one transaction.

A fix without a place or a time is rejected: nothing can be said of it. Of two fixes of one worker
at the same moment the first stays. A worker that the workspace does not know is added with the
number as name, and the report says so. Only numbers of what was read are kept between pieces
(8 bytes a fix), so memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from geo.errors import InputError
from geo.io import _gate_points, _gate_rows, _gate_write
from geo.io._gate_kinds import settle_times
from geo.io._gate_points import City
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import ImportReport, Ledger
from geo.io.read import Source, read_sources
from geo.io.workspace import Workspace

CHUNK_ROWS = 250_000
_MS_TO_KMH = 3.6


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
    accepted, number = 0, 0
    try:
        with workspace.writing() as conn, _gate_write.roomy_cache(conn):
            for path in paths:
                for source in read_sources(
                    path,
                    kind="fixes",
                    layer=wishes.layer,
                    encoding=wishes.encoding,
                    chunk_rows=CHUNK_ROWS,
                ):
                    draft = _check_piece(source, number, city, wishes, ledger)
                    draft, seen = _drop_seen(workspace, draft, seen, wishes, ledger)
                    accepted += _append(workspace, conn, draft)
                    workers |= set(draft["worker_id"].unique())
                    number += 1
                    say(f"{ledger.read:,} fixes read")
            if ledger.read == 0:
                raise InputError(f"{', '.join(p.name for p in paths)}: no rows")
            _add_workers(workspace, conn, workers, ledger)
            if wishes.dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    if ledger.facts.get("outside"):
        ledger.warn(f"{ledger.facts['outside']:,} of {accepted:,} fixes lie outside the city: kept")
    return ledger.finish([p.name for p in paths], accepted, dry_run=wishes.dry_run)


def _check_piece(
    source: Source, number: int, city: City, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    ledger.read += source.read
    ledger.reject_bad(source.name, source.bad)
    draft = _gate_rows.make_draft(source, number, wishes, ledger)
    worker = draft["worker_id"].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    draft = draft.assign(worker_id=worker, _id=worker)
    draft = ledger.reject(draft, draft["worker_id"].isna().to_numpy(), "no worker_id")
    draft = settle_times(draft, wishes, ledger)
    draft = _gate_points.place_points(draft, city, wishes, ledger, whole_file=number == 0)
    if "speed_ms" in draft:
        if "speed_kmh" not in draft:
            draft = draft.assign(speed_kmh=draft["speed_ms"] * _MS_TO_KMH)
        draft = draft.drop(columns="speed_ms")
    if "source" not in draft:
        draft = draft.assign(source=draft["_file"])
    return draft


def _drop_seen(
    workspace: Workspace,
    draft: pd.DataFrame,
    seen: npt.NDArray[np.uint64],
    wishes: Wishes,
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
    if not workspace.count("fixes") and not workspace.days_of_fixes():
        return draft, merged
    stored = workspace.read_fixes(
        since=draft["time"].min().to_pydatetime(),
        until=(draft["time"].max() + pd.Timedelta(seconds=1)).to_pydatetime(),
        workers=[str(w) for w in draft["worker_id"].unique()],
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
