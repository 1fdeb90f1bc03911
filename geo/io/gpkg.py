"""GeoPackage as SQLAlchemy sees it: column types, geometry blobs, metadata, spatial index.

GDAL writes the frame of the file (header, reference systems, `gpkg_contents`) before the first
connection; this module adds our tables so that GDAL and QGIS take them for their own. After that
GDAL never opens the file inside a process that has it open through SQLAlchemy: two copies of
SQLite in one process break each other's locks.

Spatial index: the standard's extension `gpkg_rtree_index` (OGC 12-128, annex F.3). Its triggers
call `ST_MinX` and its like, which every connection of ours registers. A bulk load switches them
off, fills the index in one go and puts them back, all in one transaction.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, UserDefinedType

from geo.schema import STORAGE_CRS, TABLES, Column, Table

SRS_ID = 4326
GEOMETRY = "geom"

_HEADER = struct.pack("<2sBBi", b"GP", 0, 0b00000001, SRS_ID)
_EMPTY_HEADER = struct.pack("<2sBBi", b"GP", 0, 0b00010001, SRS_ID)
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
_EMPTY_FLAG = 0b00010000


def to_blobs(shapes: Iterable[Any]) -> list[bytes | None]:
    """GeoPackage binaries (OGC 12-128, 2.1.3) of geometries; None for a missing one."""
    array = np.asarray(shapes, dtype=object)
    return [
        None if wkb is None else (_EMPTY_HEADER if is_empty else _HEADER) + wkb
        for wkb, is_empty in zip(shapely.to_wkb(array), shapely.is_empty(array), strict=True)
    ]


def from_blobs(blobs: Sequence[bytes | None]) -> npt.NDArray[Any]:
    """Geometries of GeoPackage binaries, whoever wrote them; None stays None."""
    return np.asarray(
        shapely.from_wkb([None if blob is None else blob[_wkb_start(blob) :] for blob in blobs]),
        dtype=object,
    )


def _wkb_start(blob: bytes) -> int:
    return 8 + _ENVELOPE_BYTES[(blob[3] >> 1) & 0b111]


class Geometry(UserDefinedType[bytes]):
    """A geometry column; its declared type is the one that GeoPackage names."""

    cache_ok = True

    def __init__(self, shape: str) -> None:
        self.shape = shape

    def get_col_spec(self, **_: Any) -> str:
        """The declared type in SQL."""
        return self.shape.upper()


class _Datetime(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "DATETIME"


class UtcTime(TypeDecorator[datetime]):
    """A moment: zone-aware in Python, text in UTC in the file.

    The text has one fixed form, `2026-11-21T03:20:00.000Z`, so that its order is the order in
    time; GeoPackage calls this type DATETIME.
    """

    impl = _Datetime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Zone-aware datetime to text."""
        return None if value is None else to_time_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Text to zone-aware datetime."""
        return None if value is None else datetime.fromisoformat(value)


def to_time_text(moment: datetime) -> str:
    """A zone-aware moment as the text that the file holds, to the millisecond."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no zone: give it one before it is stored")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_TYPES: dict[str, Callable[[], sa.types.TypeEngine[Any]]] = {
    "text": sa.Text,
    "integer": sa.Integer,
    "real": sa.REAL,
    "time": UtcTime,
    "bool": sa.Boolean,
}

INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "divisions": (("parent_code",),),
    "grids": (("community_code",), ("valid_to",)),
    "blocks": (("community_code",),),
    "assets": (("class_code",),),
    "cameras": (("class_code",),),
    "workers": (("unit_code",),),
    "duties": (("unit_code", "role"), ("worker_id",)),
    "fixes": (("time",),),
    "devices": (("worker_id",),),
    "patrol_alarms": (("ended_at",), ("fired_at",)),
    "track_views": (("worker_id", "at"),),
    "plan_edits": (("plan_id", "edit_id"),),
    "plan_comments": (("plan_id",),),
    "incidents": (
        ("reported_at",),
        ("closed_at", "deadline"),
        ("stage", "reported_at"),
        ("stage", "deadline", "closed_at", "paused_until"),
        ("deadline",),
        ("class_code", "stage", "reported_at"),
        ("owner", "stage", "reported_at"),
        ("level", "stage", "reported_at"),
        ("source",),
        ("lon", "lat"),
    ),
}
"""Columns that questions of the pages go by, beside the keys."""


def _sql_column(column: Column) -> sa.Column[Any]:
    links = []
    if column.refers:
        # Deferred: the rows of one transaction may come in any order.
        links.append(sa.ForeignKey(column.refers, deferrable=True, initially="DEFERRED"))
    return sa.Column(column.name, _TYPES[column.kind](), *links, nullable=not column.required)


def _sql_table(table: Table, metadata: sa.MetaData) -> sa.Table:
    columns: list[Any] = [sa.Column("fid", sa.Integer, primary_key=True)]
    if table.shape is not None:
        columns.append(sa.Column(GEOMETRY, Geometry(table.shape), nullable=not table.needs_shape))
    columns += [_sql_column(column) for column in table.columns]
    columns.append(sa.UniqueConstraint(*table.key))
    columns += [
        sa.Index(f"ix_{table.name}_{'_'.join(names)}", *names)
        for names in INDEXES.get(table.name, ())
    ]
    return sa.Table(table.name, metadata, *columns, sqlite_autoincrement=True)


def make_metadata() -> sa.MetaData:
    """The tables of `geo.schema` and `wangge_meta`, as SQLAlchemy knows them.

    `incident_changes` is not among them: its statements stand in `watch_incidents`.
    """
    metadata = sa.MetaData()
    for table in TABLES.values():
        _sql_table(table, metadata)
    sa.Table(
        "wangge_meta",
        metadata,
        sa.Column("fid", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    return metadata


def write_frame(path: Path) -> None:
    """Let GDAL write an empty GeoPackage at `path`; nothing else may have it open."""
    nothing = gpd.GeoDataFrame(geometry=[], crs=STORAGE_CRS)
    pyogrio.write_dataframe(
        nothing, path, layer="frame", geometry_type="Point", layer_options={"SPATIAL_INDEX": "NO"}
    )


def drop_first_layer(conn: sa.Connection) -> None:
    """Take away the layer that GDAL needed in order to write the frame."""
    for statement in (
        "DELETE FROM gpkg_geometry_columns WHERE table_name = 'frame'",
        "DELETE FROM gpkg_ogr_contents WHERE table_name = 'frame'",
        "DELETE FROM gpkg_contents WHERE table_name = 'frame'",
        "DROP TABLE frame",
        "CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT,"
        " extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,"
        " CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))",
    ):
        conn.exec_driver_sql(statement)


def register_table(conn: sa.Connection, name: str, description: str) -> None:
    """Enter a table of `geo.schema`, or one of our own, in the GeoPackage's lists."""
    table = TABLES.get(name)
    register_layer(conn, name, description, table.shape if table is not None else None)


def register_layer(conn: sa.Connection, name: str, description: str, shape: str | None) -> None:
    """Enter a table in the GeoPackage's own lists; one with a geometry gets its spatial index."""
    conn.exec_driver_sql(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)"
        " VALUES (?, ?, ?, ?, ?)",
        (name, "features" if shape else "attributes", name, description, SRS_ID if shape else None),
    )
    if shape is None:
        return
    conn.exec_driver_sql(
        "INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, 0, 0)",
        (name, GEOMETRY, shape.upper(), SRS_ID),
    )
    conn.exec_driver_sql(
        "INSERT INTO gpkg_extensions VALUES (?, ?, 'gpkg_rtree_index',"
        " 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')",
        (name, GEOMETRY),
    )
    conn.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {index_name(name)} USING rtree(id, minx, maxx, miny, maxy)"
    )
    create_triggers(conn, name)


def index_name(name: str) -> str:
    """The spatial index of a table."""
    return f"rtree_{name}_{GEOMETRY}"


def _triggers(name: str) -> dict[str, str]:
    """The triggers of the extension, by the last part of their names.

    The set of GeoPackage 1.2, which every validator knows (1.4 splits two of them).
    """
    index = index_name(name)

    is_there = f"(NEW.{GEOMETRY} NOT NULL AND NOT ST_IsEmpty(NEW.{GEOMETRY}))"
    low_x, high_x, low_y, high_y = (
        f"ST_{side}(NEW.{GEOMETRY})" for side in ("MinX", "MaxX", "MinY", "MaxY")
    )
    put = f"VALUES (NEW.fid, {low_x}, {high_x}, {low_y}, {high_y});"
    stay, move = "OLD.fid = NEW.fid", "OLD.fid != NEW.fid"
    return {
        "insert": f"AFTER INSERT ON {name} WHEN {is_there}"
        f" BEGIN INSERT OR REPLACE INTO {index} {put} END",
        "update1": f"AFTER UPDATE OF {GEOMETRY} ON {name} WHEN {stay} AND {is_there}"
        f" BEGIN INSERT OR REPLACE INTO {index} {put} END",
        "update2": f"AFTER UPDATE OF {GEOMETRY} ON {name} WHEN {stay} AND NOT {is_there}"
        f" BEGIN DELETE FROM {index} WHERE id = OLD.fid; END",
        "update3": f"AFTER UPDATE ON {name} WHEN {move} AND {is_there}"
        f" BEGIN DELETE FROM {index} WHERE id = OLD.fid;"
        f" INSERT OR REPLACE INTO {index} {put} END",
        "update4": f"AFTER UPDATE ON {name} WHEN {move} AND NOT {is_there}"
        f" BEGIN DELETE FROM {index} WHERE id IN (OLD.fid, NEW.fid); END",
        "delete": f"AFTER DELETE ON {name} WHEN OLD.{GEOMETRY} NOT NULL"
        f" BEGIN DELETE FROM {index} WHERE id = OLD.fid; END",
    }


def create_triggers(conn: sa.Connection, name: str) -> None:
    """Keep the spatial index of a table in step with its rows."""
    for last, body in _triggers(name).items():
        conn.exec_driver_sql(f"CREATE TRIGGER {index_name(name)}_{last} {body}")


def drop_triggers(conn: sa.Connection, name: str) -> None:
    """Let a bulk load fill the spatial index itself; `create_triggers` puts them back."""
    for last in _triggers(name):
        conn.exec_driver_sql(f"DROP TRIGGER {index_name(name)}_{last}")


CHANGES_KEPT = 100_000
"""So many changed incidents are remembered; who asks for older ones reads everything again."""


def watch_incidents(conn: sa.Connection) -> None:
    """Let the database note which incidents change, whoever changes them.

    A row of `incident_changes` has the `fid` of an incident that was added, changed or deleted; an
    empty one says that a bulk load changed many. The list prunes itself.
    """
    conn.exec_driver_sql(
        'CREATE TABLE incident_changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, "row" INTEGER)'
    )
    register_layer(conn, "incident_changes", "incidents that changed lately", None)
    watch_rows(conn)


def watch_rows(conn: sa.Connection) -> None:
    """Note each single change again, after `unwatch_rows`."""
    for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        conn.exec_driver_sql(
            f"CREATE TRIGGER wangge_watch_{event.lower()} AFTER {event} ON incidents BEGIN"
            f' INSERT INTO incident_changes ("row") VALUES ({row}.fid);'
            " DELETE FROM incident_changes WHERE seq <="
            f" (SELECT max(seq) FROM incident_changes) - {CHANGES_KEPT}; END"
        )


def unwatch_rows(conn: sa.Connection) -> None:
    """Before a bulk load: note once that everything may have changed."""
    for event in ("insert", "update", "delete"):
        conn.exec_driver_sql(f"DROP TRIGGER wangge_watch_{event}")
    conn.exec_driver_sql("DELETE FROM incident_changes")
    conn.exec_driver_sql('INSERT INTO incident_changes ("row") VALUES (NULL)')


def guard_log(conn: sa.Connection) -> None:
    """Refuse to change or delete what a log says; QGIS meets the same refusal."""
    _guard(conn, "incident_log", "wangge_guard")


def guard_views(conn: sa.Connection) -> None:
    """Refuse to change or delete who looked at whose track."""
    _guard(conn, "track_views", "wangge_guard_views")


def _guard(conn: sa.Connection, table: str, name: str) -> None:
    for event in ("UPDATE", "DELETE"):
        conn.exec_driver_sql(
            f"CREATE TRIGGER {name}_{event.lower()} BEFORE {event} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
        )


def register_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that the triggers of the spatial index call."""

    def bound(at: int, blob: bytes | None) -> float | None:
        if blob is None or blob[3] & _EMPTY_FLAG:
            return None
        return float(shapely.bounds(shapely.from_wkb(blob[_wkb_start(blob) :]))[at])

    def is_empty(blob: bytes | None) -> int | None:
        return None if blob is None else int(bool(blob[3] & _EMPTY_FLAG))

    for at, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
        connection.create_function(name, 1, partial(bound, at), deterministic=True)
    connection.create_function("ST_IsEmpty", 1, is_empty, deterministic=True)
