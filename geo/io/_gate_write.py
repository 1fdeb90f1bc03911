"""The end of the gate: rows into the workspace, all of an import in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from geo.io._gate_points import shapes_of_points
from geo.io._gate_wishes import POINT_KINDS, Wishes
from geo.io.gate_report import Ledger
from geo.io.workspace import Workspace
from geo.schema import STORAGE_CRS, TABLES

_AT_ONCE = 500
_PIECE = 200_000


@contextlib.contextmanager
def roomy_cache(conn: sa.Connection) -> Iterator[None]:
    """Give a bulk load 256 MB for pages of indexes; a third less work at a million rows."""
    before = conn.exec_driver_sql("PRAGMA cache_size").scalar_one()
    conn.exec_driver_sql("PRAGMA cache_size = -262144")
    try:
        yield
    finally:
        conn.exec_driver_sql(f"PRAGMA cache_size = {int(before)}")


def existing_ids(workspace: Workspace, kind: str, conn: sa.Connection | None = None) -> pd.Index:
    """Ids that a table holds."""
    return pd.Index(workspace.read(kind, columns=[], conn=conn).index)


def to_table(draft: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows of a draft with exactly the columns of a table, and its geometry in EPSG:4326."""
    table = TABLES[kind]
    columns = [name for name in table.names if name in draft.columns]
    frame = draft[columns].reset_index(drop=True)
    if table.shape is None:
        return frame
    shapes = shapes_of_points(draft) if kind in POINT_KINDS else shapes_of(draft)
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(list(shapes), crs=STORAGE_CRS))


def shapes_of(draft: pd.DataFrame) -> Any:
    """The shape of each row of a draft, None where it has none."""
    if "_shape" not in draft:
        return np.full(len(draft), None, dtype=object)
    return draft["_shape"].to_numpy(dtype=object)


def keep_unsaid(
    workspace: Workspace, conn: sa.Connection, kind: str, frame: pd.DataFrame
) -> pd.DataFrame:
    """Columns and shapes that a file of updates does not have stay as the workspace has them."""
    name = TABLES[kind].id
    ids = set(frame[name])
    known = workspace.read(kind, conn=conn)
    known = known[known.index.isin(ids)]
    out = frame.copy()
    for column in TABLES[kind].names:
        if column not in out.columns:
            out[column] = known[column].reindex(out[name]).to_numpy()
    if isinstance(out, gpd.GeoDataFrame) and len(known):
        gone = out.geometry.isna().to_numpy()
        if gone.all():
            kept = known.geometry.reindex(out[name]).to_numpy()
            out = out.set_geometry(gpd.GeoSeries(kept, index=out.index, crs=STORAGE_CRS))
    return out


def delete_ids(workspace: Workspace, conn: sa.Connection, kind: str, ids: Sequence[str]) -> None:
    """Take rows out by id; links to them are checked at the end of the transaction."""
    column = workspace.table(kind).c[TABLES[kind].id]
    for start in range(0, len(ids), _AT_ONCE):
        workspace.delete(conn, kind, column.in_(list(ids[start : start + _AT_ONCE])))


def write_rows(
    workspace: Workspace,
    conn: sa.Connection,
    draft: pd.DataFrame,
    wishes: Wishes,
    ledger: Ledger,
) -> int:
    """Store the rows; with `update` those that are there are replaced. Returns how many."""
    frame = to_table(draft, wishes.kind)
    name = TABLES[wishes.kind].id
    if wishes.update and wishes.kind != "grids":
        there = existing_ids(workspace, wishes.kind, conn)
        old = frame[name].isin(there).to_numpy()
        if old.any():
            ledger.facts["updated"] = int(old.sum())
            frame_old = keep_unsaid(workspace, conn, wishes.kind, frame[old])
            delete_ids(workspace, conn, wishes.kind, list(frame_old[name]))
            _append_pieces(workspace, conn, wishes.kind, frame_old)
            frame = frame[~old]
    return _append_pieces(workspace, conn, wishes.kind, frame)


def _append_pieces(
    workspace: Workspace, conn: sa.Connection, kind: str, frame: pd.DataFrame
) -> int:
    """Append in pieces: the rows as the database takes them need many times the frame's memory."""
    return sum(
        workspace.append(conn, kind, frame.iloc[start : start + _PIECE])
        for start in range(0, len(frame), _PIECE)
    )


def close_grids(workspace: Workspace, conn: sa.Connection, ids: Sequence[str], at: datetime) -> int:
    """End the grids in force of these ids at a moment; returns how many."""
    table = workspace.table("grids")
    count = 0
    for start in range(0, len(ids), _AT_ONCE):
        piece = list(ids[start : start + _AT_ONCE])
        statement = (
            sa.update(table)
            .where(table.c.grid_id.in_(piece), table.c.valid_to.is_(None))
            .values(valid_to=at)
        )
        count += int(conn.execute(statement).rowcount)
    workspace.touch(conn, "grids")
    return count


def add_missing_divisions(
    workspace: Workspace, conn: sa.Connection, wanted: pd.Series, level: str, ledger: Ledger
) -> int:
    """Add divisions that rows refer to and nobody has described, named by their code."""
    from geo import codes

    known = set(existing_ids(workspace, "divisions", conn))
    rows: dict[str, dict[str, Any]] = {}
    waiting = [c for c in wanted.dropna().unique() if c not in known]
    while waiting:
        code = waiting.pop()
        if code in known or code in rows:
            continue
        row = {"code": code, "level": level, "name": code, "parent_code": None}
        if codes.is_division_code(code):
            row["level"] = codes.division_level(code)
            row["parent_code"] = codes.parent_code(code)
            if row["parent_code"] is not None:
                waiting.append(row["parent_code"])
        rows[code] = row
    if not rows:
        return 0
    frame = pd.DataFrame(list(rows.values()))
    shapes = gpd.GeoSeries([None] * len(frame), crs=STORAGE_CRS)
    workspace.append(conn, "divisions", gpd.GeoDataFrame(frame, geometry=shapes))
    ledger.facts["divisions_made"] = ledger.facts.get("divisions_made", 0) + len(frame)
    ledger.note(f"{len(frame):,} divisions that rows refer to were made, named by their code")
    return len(frame)


def is_shapeless(frame: pd.DataFrame) -> Any:
    """Which rows have no shape."""
    return shapely.is_missing(np.asarray(frame.geometry, dtype=object))
