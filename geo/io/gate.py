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
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from geopandas import GeoDataFrame

from geo.errors import CoverError, InputError, StoreBusyError
from geo.io import (
    _gate_areas,
    _gate_ids,
    _gate_kinds,
    _gate_parents,
    _gate_points,
    _gate_rows,
    _gate_write,
)
from geo.io._gate_places import crs_name
from geo.io._gate_wishes import AREA_KINDS, POINT_KINDS, Wishes
from geo.io.gate_report import ImportReport, Ledger
from geo.io.read import Source, read_sources
from geo.io.times import Order, find_zone
from geo.io.workspace import Workspace
from geo.schema import IMPORT_KINDS, STORAGE_CRS, TABLES

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
        Close the grids in force that the new ones replace, and give these the next version.
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
        new_version=new_version,
    )  # fmt: skip
    _require_sense(wishes)
    ledger = Ledger(kind)
    say = progress or (lambda text: None)
    if kind == "fixes":
        from geo.io._gate_fixes import import_fixes

        return import_fixes(workspace, paths, wishes, ledger, layer, encoding, dry_run, say)
    sources = _read_all(paths, kind, layer, encoding, ledger, say)
    drafts = [_gate_rows.make_draft(s, i, wishes, ledger) for i, s in enumerate(sources)]
    draft = pd.concat(drafts, ignore_index=True) if len(drafts) > 1 else drafts[0]
    before = workspace.stamp("grids", "divisions")
    say(f"{ledger.read:,} rows read, checking")
    names = [p.name for p in paths]
    try:
        draft = _STEPS.get(kind, _pass_points)(workspace, draft, sources, wishes, ledger)
        with workspace.writing() as conn, _gate_write.roomy_cache(conn):
            if kind == "grids" and workspace.stamp("grids", "divisions") != before:
                # What was checked against is no longer what stands there.
                raise StoreBusyError(
                    "grids or divisions changed while these were being checked, nothing is"
                    " stored: run the import again"
                )
            say(f"storing {len(draft):,} rows")
            if len(draft):
                _store(workspace, conn, draft, wishes, ledger)
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    except CoverError as error:
        return ledger.finish(names, 0, refused=str(error), dry_run=dry_run)
    return ledger.finish(names, len(draft) + ledger.joined, dry_run=dry_run)


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


def _read_all(
    paths: Sequence[Path],
    kind: str,
    layer: str | None,
    encoding: str | None,
    ledger: Ledger,
    say: Progress,
) -> list[Source]:
    sources: list[Source] = []
    for path in paths:
        say(f"reading {path.name}")
        for source in read_sources(path, kind=kind, layer=layer, encoding=encoding):
            _gate_rows.require_readable(source)
            ledger.read += source.read
            ledger.reject_bad(source.name, source.bad)
            sources.append(source)
    return sources


def _pass_points(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """Assets, cameras, places and incidents."""
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    draft = _gate_kinds.settle_times(draft, wishes, ledger)
    if wishes.kind in ("assets", "cameras"):
        draft = _gate_kinds.settle_assets(draft, sources, wishes, ledger)
    elif wishes.kind == "places":
        draft = _gate_kinds.settle_named_kind(draft, sources, wishes, ledger)
    else:
        draft = _gate_kinds.settle_incidents(draft, wishes, ledger)
    draft = _refuse_shapes(draft, wishes, ledger)
    city = _gate_points.read_city(workspace)
    draft = _gate_points.place_points(draft, city, wishes, ledger)
    return _gate_ids.settle_same_ids(draft, wishes, ledger)


def _refuse_shapes(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Points only, and lines for assets."""
    if "_shape" not in draft:
        return draft
    shapes = draft["_shape"].to_numpy(dtype=object)
    there = ~shapely.is_missing(shapes)
    wanted = (1,) if wishes.kind == "assets" else ()
    wrong = there & ~np.isin(shapely.get_type_id(shapes), [1, 5] if wanted else [])
    kinds = np.array([getattr(s, "geom_type", "") for s in shapes], dtype=object)
    what = "neither point nor line" if wanted else "not a point"
    return ledger.reject(draft, wrong, what, kinds)


def _settle_ids(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _gate_ids.clean_ids(draft, wishes, ledger)
    draft = _gate_ids.drop_repeated(draft, sources, wishes, ledger)
    if wishes.update or wishes.kind in ("grids", "divisions"):
        return draft
    there = draft[TABLES[wishes.kind].id].isin(_gate_write.existing_ids(workspace, wishes.kind))
    return ledger.reject(
        draft, there.to_numpy(), "already in the workspace", "--update replaces it"
    )


def _pass_lines(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _gate_kinds.settle_roads(draft, sources, wishes, ledger)
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    draft = _gate_areas.clean_shapes(draft, wishes, ledger, 1)
    draft = _gate_ids.settle_same_ids(draft, wishes, ledger)
    _suspect(workspace, draft, wishes, ledger)
    return draft


def _pass_areas(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    if wishes.kind == "areas":
        draft = _gate_kinds.settle_named_kind(draft, sources, wishes, ledger)
    if wishes.kind == "buildings":
        draft = _gate_kinds.keep_buildings(draft, sources, ledger)
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    if wishes.kind == "divisions":
        draft = _gate_kinds.settle_divisions(draft, wishes, ledger)
    draft = _gate_kinds.settle_times(draft, wishes, ledger)
    if "_shape" in draft:
        draft = _gate_areas.clean_shapes(draft, wishes, ledger, 2)
        draft = _gate_areas.require_areas_of_size(draft, ledger)
    draft = _gate_ids.settle_same_ids(draft, wishes, ledger)
    if wishes.kind == "divisions":
        draft = _settle_known_divisions(workspace, draft, wishes, ledger)
    _suspect(workspace, draft, wishes, ledger)
    return draft


def _settle_known_divisions(
    workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """A division known by its code only takes its name; others that are there are rejected."""
    known = workspace.read("divisions", columns=["name", "geom"])
    there = draft["code"].isin(known.index).to_numpy()
    if not there.any():
        return draft
    old = known.reindex(draft["code"])
    nameless = there & (old["name"] == old.index).to_numpy()
    shapeless = there & shapely.is_missing(np.asarray(old["geometry"], dtype=object))
    shapeless &= ~shapely.is_missing(_gate_write.shapes_of(draft))
    if nameless.any():
        ledger.facts["named"] = int(nameless.sum())
    if wishes.update:
        return draft
    fixed = there & ~nameless & ~shapeless
    return ledger.reject(draft, fixed, "already in the workspace", "--update replaces it")


def _pass_grids(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _pass_areas(workspace, draft, sources, wishes, ledger)
    draft = _gate_kinds.settle_grid_fields(draft, wishes, ledger)
    standing = workspace.grids()
    if not wishes.new_version:
        keys = workspace.read("grids", columns=[])
        there = draft["grid_id"].isin(keys.index).to_numpy()
        draft = ledger.reject(
            draft, there, "already in the workspace", "--new-version replaces the grids in force"
        )
    if draft.empty:
        return draft
    closing = _replaced_grids(draft, standing) if wishes.new_version else []
    if closing:
        draft = draft.assign(
            version=int(standing.loc[closing, "version"].max()) + 1,
            valid_from=pd.Timestamp(wishes.at).tz_convert("UTC"),
        )
        ledger.facts["_closing"] = closing
    ended = (
        draft["valid_to"].notna().to_numpy() if "valid_to" in draft else np.zeros(len(draft), bool)
    )
    current = draft[~ended]
    if len(current):
        try:
            closed = _gate_areas.close_cover(current, standing.drop(index=closing), wishes, ledger)
        except CoverError:
            ledger.facts.pop("_closing", None)
            ledger.reject(draft, np.ones(len(draft), dtype=bool), "the whole import was refused")
            raise
        draft = pd.concat([closed, draft[ended]]) if ended.any() else closed
    return draft


def _replaced_grids(draft: pd.DataFrame, standing: GeoDataFrame) -> list[Any]:
    """Grids in force that have the id of a new one or share ground with one."""
    if not len(standing):
        return []
    same = standing.index.isin(draft["grid_id"])
    shapes = draft["_shape"].to_numpy(dtype=object)
    held = np.asarray(standing.geometry, dtype=object)
    one, two = shapely.STRtree(held).query(shapes, predicate="intersects")
    common = _gate_areas.measure_areas(shapely.intersection(shapes[one], held[two]))
    whole = _gate_areas.measure_areas(held)
    # Sharing a hundredth of a grid is replacing it; less is a border drawn a little differently.
    same[two[common > 0.01 * whole[two]]] = True
    return list(standing.index[same])


def _pass_workers(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    draft = _gate_kinds.settle_workers(draft, wishes, ledger)
    return _gate_ids.settle_same_ids(draft, wishes, ledger)


_STEPS = {
    **dict.fromkeys(POINT_KINDS, _pass_points),
    **dict.fromkeys(AREA_KINDS, _pass_areas),
    "roads": _pass_lines,
    "grids": _pass_grids,
    "workers": _pass_workers,
}


def _suspect(workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> None:
    """Compare a new layer of lines or polygons with what the workspace has."""
    if draft.empty or "_shape" not in draft:
        return
    city = _gate_points.read_city(workspace)
    roads = workspace.read("roads", columns=["geom"], limit=50_000)
    assets = workspace.read("assets", columns=["geom"], limit=50_000)
    shapes = draft["_shape"].to_numpy(dtype=object)
    layer = gpd.GeoDataFrame(geometry=list(shapes[~shapely.is_missing(shapes)]), crs=STORAGE_CRS)
    if layer.empty:
        return
    _gate_points.warn_of_shift(
        layer,
        city,
        wishes,
        ledger,
        lines=GeoDataFrame(roads) if len(roads) else None,
        points=GeoDataFrame(assets) if len(assets) else None,
    )


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
    if kind == "grids" and "_closing" in ledger.facts:
        closing = ledger.facts.pop("_closing")
        ledger.facts["closed_versions"] = _gate_write.close_grids(
            workspace, conn, closing, wishes.at
        )
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
