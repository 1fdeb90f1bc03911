"""A draft as a file of grids for QGIS and others, and a drawn-on file as a draft.

Out go the grids of a plan as the table `grids` has them, with the ids of the draft and without a
number and a beginning, since it has neither yet. A file comes in through the gate: what is broken
is refused with its place, what is narrow is repaired. Then it is laid over the blocks: vertices
that were dragged are moved in the draft, blocks that a new border crosses are cut along it, and
what still differs is told in square metres. So a border that was drawn elsewhere becomes edits that
can be looked at, taken back and published like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._plan_overlay import find_cut_lines, find_moved_vertices, lay_over
from geo.errors import CoverError, InputError
from geo.io import _gate_passes, _gate_rows
from geo.io._gate_wishes import Wishes
from geo.io.export import ExportReport, Headers, export_grids
from geo.io.gate import SNAP_M
from geo.io.gate_report import ImportReport, Ledger
from geo.io.plan_base import Base, make_base
from geo.io.planbook import OpenPlan, PlanBook
from geo.io.read import read_sources
from geo.io.workspace import Workspace
from geo.plan import Plan, RedrawError

EDITS_BY_FILE = "file"
"""What a draft from a file began as."""

_PASSES = 4
"""Cuts that a block may need until each part lies in one grid; our assumption."""


@dataclass(frozen=True)
class ImportedPlan:
    """What became of a file of grids."""

    plan_id: str
    """Empty if the gate refused the file, or it says nothing new."""
    report: ImportReport
    moved: int
    """Vertices that were moved."""
    cut: int
    """Parts that were cut off blocks."""
    differs: Mapping[str, float] = field(default_factory=dict)
    """By the file's `grid_id`: square metres by which the draft differs from the file."""
    notes: tuple[str, ...] = ()


def plan_grids(found: OpenPlan) -> gpd.GeoDataFrame:
    """The grids of a plan with the columns of the table `grids`, in EPSG:4326."""
    frame = found.base.grid_polygons(found.plan)
    count = len(frame)
    return gpd.GeoDataFrame(
        {
            "name": frame["name"],
            "kind": frame["kind"],
            "community_code": frame["community_code"],
            "households": frame["households"],
            "population": frame["population"],
            "version": pd.array([pd.NA] * count, dtype="Int64"),
            "valid_from": pd.array([pd.NaT] * count, dtype="datetime64[us, UTC]"),
            "valid_to": pd.array([pd.NaT] * count, dtype="datetime64[us, UTC]"),
        },
        geometry=frame.geometry.to_numpy(),
        index=frame.index,
        crs=frame.crs,
    )


def export_plan(
    workspace: Workspace,
    book: PlanBook,
    plan_id: str,
    out: str | Path,
    *,
    target_crs: str = "wgs84",
    headers: Headers = "columns",
    shapes: bool = True,
    timezone: str = "Asia/Shanghai",
) -> ExportReport:
    """Write the grids of a plan to a file; see `geo.io.export.export_table`.

    Raises
    ------
    UnknownPlanError
        If there is no such plan.
    """
    frame = plan_grids(book.open(plan_id))
    return export_grids(
        workspace, frame, out, target_crs=target_crs, headers=headers, shapes=shapes,
        timezone=timezone,
    )  # fmt: skip


def import_plan(
    workspace: Workspace,
    book: PlanBook,
    path: str | Path,
    *,
    name: str,
    by: str,
    at: datetime,
    source_crs: str | None = None,
    layer: str | None = None,
    snap_m: float = SNAP_M,
    allow_gaps: bool = False,
    timezone: str = "Asia/Shanghai",
) -> ImportedPlan:
    """Begin a draft with the grids of a file, such as an export that was drawn on in QGIS.

    Grids that the file leaves out stay as they are where no new one takes their ground.

    Parameters
    ----------
    name, by, at
        Of the draft.
    source_crs, layer, snap_m, allow_gaps, timezone
        See `geo.io.gate.import_files`.

    Raises
    ------
    InputError
        If the file cannot be used, or the workspace has no grids to begin from.
    """
    target, report = _read_target(
        workspace, Path(path), at, source_crs=source_crs, layer=layer, snap_m=snap_m,
        allow_gaps=allow_gaps, timezone=timezone,
    )  # fmt: skip
    if target is None:
        return ImportedPlan("", report, 0, 0)
    base = make_base(workspace)
    drawn = _in_metres(base, target)
    moves = find_moved_vertices(base.first, drawn)
    labels = lay_over(_with_moves(base.first, moves), drawn).dropna().astype(str)
    # An export has ground without a grid as grids, too; it stays ground without a grid.
    labels = labels[~labels.isin(base.grids.index[base.grids["is_rest"].astype(bool)])]
    kinds = {str(grid): str(kind) for grid, kind in target["kind"].dropna().items()}
    plan_id = book.create(name, by, at, assignment=labels, kinds=kinds, began_as=EDITS_BY_FILE)
    pen = _Pen(book, plan_id, by, at)
    moved = _move(pen, base.first, moves)
    before = len(pen.plan.blocks)
    called = _cut_out(pen, drawn, target["name"], kinds)
    drawn, target = drawn.rename(index=called), target.rename(index=called)
    _cut(pen, drawn)
    _rename(pen, target)
    cut = len(pen.plan.blocks) - before
    differs = _differences(pen.plan, drawn)
    file_id = {mine: theirs for theirs, mine in called.items()}
    return ImportedPlan(
        plan_id,
        report,
        moved,
        cut,
        {file_id.get(grid, grid): area for grid, area in differs.items()},
        tuple(dict.fromkeys(pen.refused)),
    )


def _with_moves(first: Plan, moves: Mapping[int, tuple[float, float]]) -> Plan:
    if not moves:
        return first
    rows = np.array(list(moves), dtype=np.int64)
    return replace(first, ground=first.ground.moved(rows, np.array(list(moves.values()))))


def _in_metres(base: Base, grids: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    shapes = [base.geometry_to_metric(shape) for shape in grids.geometry]
    return gpd.GeoDataFrame(geometry=shapes, index=grids.index, crs=base.crs)


class _Pen:
    """Adds edits to a draft one after the other; one that does not hold is noted, not raised."""

    def __init__(self, book: PlanBook, plan_id: str, by: str, at: datetime) -> None:
        self.book, self.plan_id, self.by, self.at = book, plan_id, by, at
        found = book.open(plan_id)
        self.plan, self.seq, self.count = found.plan, found.seq, 0
        self.refused: list[str] = []

    def draw(self, edit: Mapping[str, Any], *, quietly: bool = False) -> bool:
        """Add an edit; whether it held."""
        self.count += 1
        try:
            done = self.book.append(
                self.plan_id, edit_id=f"{self.plan_id}-file-{self.count}", edit=edit, by=self.by,
                on_seq=self.seq, at=self.at,
            )  # fmt: skip
        except RedrawError as error:
            if not quietly:
                self.refused.append(str(error))
            return False
        self.plan, self.seq = done.plan, done.newest
        return done.state == "applied"


def _move(pen: _Pen, first: Plan, moves: Mapping[int, tuple[float, float]]) -> int:
    """Move the vertices, all at once if that holds, else those that can be moved by themselves."""
    number = {tuple(xy): row for row, xy in enumerate(pen.plan.ground.xy.tolist())}
    rows = {
        number[place]: xy
        for row, xy in moves.items()
        if (place := tuple(first.ground.xy[row].tolist())) in number
    }
    if not rows:
        return 0
    edit = {"do": "move", "vertices": list(rows), "xy": [list(xy) for xy in rows.values()]}
    if pen.draw(edit, quietly=True):
        return len(rows)
    return sum(
        pen.draw({"do": "move", "vertices": [row], "xy": [list(xy)]}) for row, xy in rows.items()
    )


def _cut_out(
    pen: _Pen, drawn: gpd.GeoDataFrame, names: pd.Series, kinds: Mapping[str, str]
) -> dict[str, str]:
    """Grids that have most of no block are cut out; returns what the draft calls each of them."""
    called: dict[str, str] = {}
    for grid, shape in drawn.geometry.items():
        parts = shapely.get_parts(shape)
        if str(grid) in pen.plan.grid_rows or len(parts) != 1:
            continue
        known = set(pen.plan.grid_rows)
        name = str(grid) if pd.isna(names[grid]) else str(names[grid])
        area = shapely.get_coordinates(parts[0].exterior).tolist()
        kind = kinds.get(str(grid), "base")
        edit = {"do": "cut_out", "area": area, "name": name, "through": True, "kind": kind}
        if pen.draw(edit):
            called[str(grid)] = (set(pen.plan.grid_rows) - known).pop()
    return called


def _cut(pen: _Pen, drawn: gpd.GeoDataFrame) -> None:
    """Cut blocks along the new borders and give the parts to their grids."""
    tried: set[tuple[str, bytes]] = set()
    for _ in range(_PASSES):
        lines = [
            (block, line)
            for block, line in find_cut_lines(pen.plan, drawn)
            if (block, line.wkb) not in tried
        ]
        if not lines:
            break
        for block, line in lines:
            tried.add((block, line.wkb))
            places = shapely.get_coordinates(line).tolist()
            pen.draw({"do": "cut", "block": block, "line": places})
    labels = lay_over(pen.plan, drawn)
    differs = labels[labels.notna() & (labels != pen.plan.assignment)]
    if len(differs) and not pen.draw({"do": "assign", "blocks": differs.to_dict()}, quietly=True):
        for block, grid in differs.items():
            pen.draw({"do": "assign", "blocks": {str(block): str(grid)}})


def _rename(pen: _Pen, target: gpd.GeoDataFrame) -> None:
    table = pen.plan.table()
    for grid, name in target["name"].dropna().items():
        if grid in table.index and str(name).strip() and table.loc[grid, "name"] != str(name):
            pen.draw({"do": "rename", "grid": str(grid), "name": str(name)})


def _differences(plan: Plan, drawn: gpd.GeoDataFrame) -> dict[str, float]:
    """Square metres by which the draft's grids differ from the file's, from one on."""
    found: dict[str, float] = {}
    for name, shape in drawn.geometry.items():
        if str(name) not in plan.grid_rows:
            found[str(name)] = float(shape.area)
            continue
        mine = plan.outline(plan.grid_rows[str(name)])
        area = float(shapely.area(shapely.symmetric_difference(mine, shape)))
        if area >= 1.0:
            found[str(name)] = area
    return found


def _read_target(
    workspace: Workspace, path: Path, at: datetime, **options: Any
) -> tuple[gpd.GeoDataFrame | None, ImportReport]:
    """The cover that the city would have with the grids of a file, through the gate."""
    wishes = Wishes(
        kind="grids", at=at, new_version=True, mapping={"version": "-", "valid_from": "-"},
        **options,
    )  # fmt: skip
    ledger = Ledger("grids")
    drafts, sources = [], []
    for number, source in enumerate(
        read_sources(path, kind="grids", layer=wishes.layer, encoding=None)
    ):
        _gate_rows.require_readable(source)
        ledger.read += source.read
        ledger.reject_bad(source.name, source.bad)
        sources.append(source)
        drafts.append(_gate_rows.make_draft(source, number, wishes, ledger))
    draft = pd.concat(drafts, ignore_index=True) if len(drafts) > 1 else drafts[0]
    standing = workspace.grids()
    if standing.empty:
        raise InputError("the workspace has no grids to draw on: use wangge import grids")
    if "grid_id" in draft:
        # Where the file says nothing of a grid's kind, it is of the kind that it was.
        kind = draft.get("kind", pd.Series(None, index=draft.index, dtype="str"))
        draft = draft.assign(kind=kind.fillna(draft["grid_id"].map(standing["kind"])))
    try:
        draft = _gate_passes.check_rows(workspace, draft, sources, wishes, ledger)
    except CoverError as error:
        return None, ledger.finish([path.name], 0, refused=str(error), dry_run=True)
    report = ledger.finish([path.name], len(draft) + ledger.joined, dry_run=True)
    if draft.empty:
        return None, report
    closing = set(ledger.closing[0]) if ledger.closing is not None else set()
    closing |= set(draft["grid_id"])
    stay = standing[~standing.index.isin(closing)]
    nothing = pd.Series(None, index=draft.index, dtype="str")
    told = {
        column: pd.array([*stay[column], *draft.get(column, nothing)], dtype="str")
        for column in ("name", "kind")
    }
    shapes = [*stay.geometry, *draft["_shape"]]
    return gpd.GeoDataFrame(
        told,
        geometry=shapes,
        index=pd.Index([*stay.index, *draft["grid_id"]], name="grid_id", dtype="str"),
        crs=standing.crs,
    ), report
