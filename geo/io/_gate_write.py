"""The end of the gate: rows into the workspace, all of an import in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from geo.io import _gate_log
from geo.io._gate_points import shapes_of_points
from geo.io._gate_wishes import POINT_KINDS, Wishes
from geo.io.frames import promote, to_rows
from geo.io.gate_report import Ledger
from geo.io.workspace import Workspace
from geo.schema import STORAGE_CRS, TABLES

_AT_ONCE = 10_000
_PIECE = 200_000
_INDEX_ROWS = 50_000


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


def keep_unsaid(frame: pd.DataFrame, old: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows of a file of updates, with what it does not say as the workspace has it.

    A required value and a class that it leaves empty stay too, and shapes if it has none at all.
    `old` has the same rows in the same order.
    """
    out = frame.copy()
    for column in TABLES[kind].columns:
        stored = old[column.name].set_axis(out.index)
        if column.name not in out.columns:
            out[column.name] = stored
        elif column.required or column.name == "class_code":
            out[column.name] = out[column.name].fillna(stored)
    if isinstance(out, gpd.GeoDataFrame) and out.geometry.isna().all():
        out = out.set_geometry(gpd.GeoSeries(list(old.geometry), index=out.index, crs=STORAGE_CRS))
    return out


def read_old(
    workspace: Workspace, conn: sa.Connection, kind: str, ids: Sequence[str]
) -> pd.DataFrame:
    """The stored rows of these ids, one each and in their order, with the id as a column."""
    name = TABLES[kind].id
    column = workspace.table(kind).c[name]
    parts = [
        workspace.read(kind, where=column.in_(list(ids[start : start + _AT_ONCE])), conn=conn)
        for start in range(0, len(ids), _AT_ONCE)
    ]
    found = pd.concat(parts) if len(parts) > 1 else parts[0]
    return found.reindex(pd.Index(ids, name=name)).reset_index()


def write_rows(
    workspace: Workspace,
    conn: sa.Connection,
    draft: pd.DataFrame,
    wishes: Wishes,
    ledger: Ledger,
) -> int:
    """Store the rows; with `update` those that are there are changed. Returns how many.

    Rows marked `_same` are stored already.
    """
    if "_same" in draft:
        draft = draft[~draft["_same"].fillna(False).astype(bool)]
    frame = to_table(draft, wishes.kind)
    name = TABLES[wishes.kind].id
    updated = 0
    if wishes.update and wishes.kind != "grids":
        there = existing_ids(workspace, wishes.kind, conn)
        old = frame[name].isin(there).to_numpy()
        if old.any():
            updated = int(old.sum())
            ledger.facts["updated"] = updated
            update_rows(workspace, conn, frame[old], wishes, ledger)
            frame = frame[~old]
    if "stage" in frame:
        frame = frame.assign(stage=frame["stage"].fillna("collected"))
    last = _gate_log.last_row(conn) if wishes.kind == "incidents" else 0
    with _indexes_later(workspace, conn, wishes.kind, len(frame)):
        added = _append_pieces(workspace, conn, wishes.kind, frame)
        if wishes.kind == "incidents" and added:
            _gate_log.write_first_rows(workspace, conn, last)
    return updated + added


def update_rows(
    workspace: Workspace,
    conn: sa.Connection,
    frame: pd.DataFrame,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    """Change the stored rows that differ from those of the frame; each stays the row it was."""
    kind, name = wishes.kind, TABLES[wishes.kind].id
    frame = frame.drop(columns=list(ledger.defaults & set(frame.columns)))
    same = 0
    for start in range(0, len(frame), _PIECE):
        piece = frame.iloc[start : start + _PIECE].reset_index(drop=True)
        ids = [str(i) for i in piece[name]]
        old = read_old(workspace, conn, kind, ids)
        new = keep_unsaid(piece, old, kind)
        if kind == "incidents":
            ends = _gate_log.find_ends(workspace, conn, ids)
            new = _gate_log.keep_moved(new, old, ends, ledger)
            _gate_log.write_changes(workspace, conn, new, old, ends, wishes)
        differs = {n: _gate_log.changed_rows(new, old, (n,)) for n in TABLES[kind].names}
        changed = np.logical_or.reduce(list(differs.values()))
        moved = _moved_shapes(new, old, kind)
        same += int((~changed & ~moved).sum())
        # Only what differs somewhere is written: each column costs its indexes.
        columns = [n for n, hit in differs.items() if hit.any()]
        flat = pd.DataFrame(new)[list(TABLES[kind].names)]
        _change(workspace, conn, kind, flat[changed & ~moved], columns)
        _change(workspace, conn, kind, new[moved], [*columns, "geom"])
    ledger.facts["unchanged"] = ledger.facts.get("unchanged", 0) + same


def _moved_shapes(new: pd.DataFrame, old: pd.DataFrame, kind: str) -> npt.NDArray[np.bool_]:
    """Rows whose shape is another one than the stored."""
    if not isinstance(new, gpd.GeoDataFrame) or not isinstance(old, gpd.GeoDataFrame):
        return np.zeros(len(new), dtype=bool)
    one, two = (shapely.force_2d(np.asarray(f.geometry, dtype=object)) for f in (new, old))
    shape = TABLES[kind].shape
    if shape in ("MultiPolygon", "MultiLineString"):
        one = promote(one, shape)
    both_gone = shapely.is_missing(one) & shapely.is_missing(two)
    return np.asarray(~(shapely.equals_exact(one, two) | both_gone), dtype=bool)


def _change(
    workspace: Workspace, conn: sa.Connection, kind: str, frame: pd.DataFrame, columns: list[str]
) -> None:
    """Write these columns of rows that are there."""
    if frame.empty:
        return
    names, rows = to_rows(TABLES[kind], frame)
    key = names.index(TABLES[kind].id)
    at = [names.index(name) for name in columns]
    sets = ", ".join(f'"{name}" = ?' for name in columns)
    statement = f'UPDATE {kind} SET {sets} WHERE "{names[key]}" = ?'
    pick = itemgetter(*at, key)
    conn.exec_driver_sql(statement, [pick(row) for row in rows])
    workspace.touch(conn, kind)


@contextlib.contextmanager
def _indexes_later(
    workspace: Workspace, conn: sa.Connection, kind: str, count: int
) -> Iterator[None]:
    """Build the indexes of a table after a load that at least doubles it, sorted and at once."""
    if count < _INDEX_ROWS:
        yield
        return
    there = int(conn.exec_driver_sql(f"SELECT coalesce(max(fid), 0) FROM {kind}").scalar_one())
    indexes = list(workspace.table(kind).indexes) if count >= there else []
    for index in indexes:
        index.drop(conn)
    yield
    for index in indexes:
        index.create(conn)


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
