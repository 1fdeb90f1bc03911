"""The import gate: any file into the workspace, every row accounted for.

Rows come in through one order of steps: read, fields recognised, converted to WGS-84 once, ids
settled, checked, repaired where that is safe, stored in one transaction. A row is accepted or
rejected with a reason, never dropped: `read = accepted + rejected`. If a hard rule is broken (an
overlap between grids, a gap that is not allowed) nothing at all is stored and every row counts
as rejected for that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from geo.errors import CoverError, InputError, StoreBusyError
from geo.io import _gate_descent, _gate_parents, _gate_passes, _gate_rows, _gate_write
from geo.io._gate_places import crs_name
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import ImportReport, Ledger
from geo.io.read import Source, read_sources
from geo.io.times import Order, find_zone
from geo.io.workspace import Workspace
from geo.schema import IMPORT_KINDS

SNAP_M = 1.0
"""Default width up to which borders are closed: a tenth of the positions of class C, and half of
the narrowest alley, so no ground that anyone walks on changes hands."""

Progress = Callable[[str], None]


def import_files(
    workspace: Workspace,
    kind: str,
    files: Sequence[str | Path],
    *,
    at: datetime,
    source_crs: str | None = None,
    mapping: Mapping[str, str] | None = None,
    set_values: Mapping[str, str] | None = None,
    make_ids: str | None = None,
    layer: str | None = None,
    encoding: str | None = None,
    allow_gaps: bool = False,
    snap_m: float = SNAP_M,
    timezone: str = "Asia/Shanghai",
    date_order: Order | None = None,
    update: bool = False,
    new_version: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring files into a workspace.

    Parameters
    ----------
    workspace
        Open; nobody else needs to stop writing.
    kind
        One of `geo.schema.IMPORT_KINDS`.
    files
        Of any format of `geo.io.read`; all of them are one import and one transaction.
    at
        The moment of the import: new grids are in force from then.
    source_crs
        wgs84, gcj02, bd09, cgcs2000, EPSG:n or any text that PROJ reads; without it the file's
        own CRS counts, and columns of coordinates are WGS-84.
    mapping, set_values
        Column of a field (`-` for none); value of a field for all rows.
    make_ids
        Prefix of ids for rows that have none.
    layer, encoding
        See `geo.io.read.read_sources`.
    allow_gaps
        Accept enclosed ground that no grid holds, as a warning.
    snap_m
        Width in metres up to which gaps and overlaps between grids are closed.
    timezone
        IANA name of the zone of times that name none.
    date_order
        `mdy` or `dmy` where the year comes last; found out if not given.
    update
        Replace rows whose id is there; without it they are rejected.
    new_version
        Close the grids in force that the new ones replace, and give these the next version from
        now on, unless the file has a later version or beginning.
    dry_run
        Do everything but keep nothing.

    Returns
    -------
    ImportReport
        Also when nothing was stored because a hard rule was broken; then `refused` says which.

    Raises
    ------
    InputError
        If a file or an option cannot be used at all; the workspace is unchanged.
    """
    if kind not in IMPORT_KINDS:
        raise InputError(f"no kind {kind}: it is one of {', '.join(IMPORT_KINDS)}")
    if not files:
        raise InputError("no file is named")
    if at.tzinfo is None:
        raise InputError("the moment of the import has no zone")
    find_zone(timezone)
    paths = [Path(f) for f in files]
    _refuse_own_files(workspace, paths)
    wishes = Wishes(
        kind=kind, at=at, source_crs=source_crs, mapping=dict(mapping or {}),
        set_values=dict(set_values or {}), make_ids=make_ids, allow_gaps=allow_gaps,
        snap_m=snap_m, timezone=timezone, date_order=date_order, update=update,
        new_version=new_version, layer=layer, encoding=encoding, dry_run=dry_run,
    )  # fmt: skip
    _require_sense(wishes)
    say = progress or (lambda text: None)
    if kind == "fixes":
        from geo.io._gate_fixes import import_fixes

        return import_fixes(workspace, paths, wishes, Ledger(kind), say)
    return _import_rows(workspace, paths, wishes, Ledger(kind), say)


def _import_rows(
    workspace: Workspace, paths: Sequence[Path], wishes: Wishes, ledger: Ledger, say: Progress
) -> ImportReport:
    """Read, check and store whole files; everything but fixes."""
    names = [p.name for p in paths]
    sources = _read_all(paths, wishes, ledger, say)
    drafts = [_gate_rows.make_draft(s, i, wishes, ledger) for i, s in enumerate(sources)]
    draft = pd.concat(drafts, ignore_index=True) if len(drafts) > 1 else drafts[0]
    del drafts
    before = workspace.stamp("grids", "divisions")
    say(f"{ledger.read:,} rows read, checking")
    try:
        draft = _gate_passes.check_rows(workspace, draft, sources, wishes, ledger)
        del sources
        with workspace.writing() as conn, _gate_write.roomy_cache(conn):
            if wishes.kind == "grids" and workspace.stamp("grids", "divisions") != before:
                # What was checked against is no longer what stands there.
                raise StoreBusyError(
                    "grids or divisions changed while these were being checked, nothing is"
                    " stored: run the import again"
                )
            say(f"storing {len(draft):,} rows")
            if len(draft):
                _store(workspace, conn, draft, wishes, ledger)
            if wishes.dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    except CoverError as error:
        return ledger.finish(names, 0, refused=str(error), dry_run=wishes.dry_run)
    return ledger.finish(names, len(draft) + ledger.joined, dry_run=wishes.dry_run)


class _DryRunError(Exception):
    """Undoes the transaction of a dry run."""


def _refuse_own_files(workspace: Workspace, paths: Sequence[Path]) -> None:
    own = workspace.file.resolve()
    for path in paths:
        if path.resolve() == own:
            raise InputError(f"{path} is the workspace itself: import from another one")


def _require_sense(wishes: Wishes) -> None:
    if not wishes.snap_m >= 0 or wishes.snap_m > 100:
        raise InputError(f"--snap-width {wishes.snap_m:g} is not between 0 and 100 metres")
    if wishes.kind == "grids" and wishes.update:
        raise InputError("grids are never changed in place: use --new-version instead of --update")
    if wishes.kind != "grids" and (wishes.new_version or wishes.allow_gaps):
        raise InputError("--new-version and --allow-gaps are for grids only")
    if wishes.source_crs is not None:
        crs_name(wishes.source_crs)


def _read_all(paths: Sequence[Path], wishes: Wishes, ledger: Ledger, say: Progress) -> list[Source]:
    sources: list[Source] = []
    for path in paths:
        say(f"reading {path.name}")
        for source in read_sources(
            path, kind=wishes.kind, layer=wishes.layer, encoding=wishes.encoding
        ):
            _gate_rows.require_readable(source)
            ledger.read += source.read
            ledger.reject_bad(source.name, source.bad)
            sources.append(source)
    return sources


def _store(
    workspace: Workspace,
    conn: sa.Connection,
    draft: pd.DataFrame,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    kind = wishes.kind
    if kind in ("grids", "blocks"):
        draft, made = _gate_parents.assign_parents(
            draft, workspace, ledger, with_shapes=kind == "grids"
        )
        if len(made):
            workspace.append(conn, "divisions", made)
        if "community_code" in draft:
            _gate_write.add_missing_divisions(
                workspace, conn, draft["community_code"], "community", ledger
            )
    if ledger.closing is not None:
        closing, moment = ledger.closing
        _gate_descent.write_descent(workspace, conn, draft, closing)
        ledger.facts["closed_versions"] = _gate_write.close_grids(workspace, conn, closing, moment)
    if kind == "divisions":
        _store_divisions(workspace, conn, draft, wishes, ledger)
        return
    _gate_write.write_rows(workspace, conn, draft, wishes, ledger)


def _store_divisions(
    workspace: Workspace,
    conn: sa.Connection,
    draft: pd.DataFrame,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    frame = _gate_write.to_table(draft, "divisions")
    there = frame["code"].isin(_gate_write.existing_ids(workspace, "divisions", conn)).to_numpy()
    if there.any():
        _gate_write.update_rows(workspace, conn, frame[there], wishes, ledger)
        if wishes.update:
            ledger.facts["updated"] = int(there.sum())
    workspace.append(conn, "divisions", frame[~there])
    if "parent_code" in frame:
        level = "city"
        _gate_write.add_missing_divisions(workspace, conn, frame["parent_code"], level, ledger)
