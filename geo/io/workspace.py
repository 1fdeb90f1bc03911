"""A workspace: the folder of one city, and the one place that opens connections to its tables.

    city/
      city.gpkg                            all tables, a GeoPackage in WAL mode
      fixes/date=2026-11-21/*.parquet      sealed GPS history, one folder a day
      settings.toml                        name of the city, time zone and what else was set

Any number of processes may read and write at the same time. A writer takes the lock at the start
of its transaction and waits for another's; readers never wait. What a transaction changed is
seen whole or not at all, and `stamp` tells every process that something changed.

GDAL creates the file and must not open it again in a process that holds a `Workspace`; other
processes (QGIS, ogrinfo, pyogrio in a child) may, at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyproj
import shapely
import sqlalchemy as sa
from geopandas import GeoDataFrame
from sqlalchemy.pool import ConnectionPoolEntry

from geo.errors import (
    InputError,
    SchemaVersionError,
    SettingsError,
    StoreBusyError,
    StoreError,
    StoreWriteError,
)
from geo.io import gpkg, sealed
from geo.io.frames import to_frame, to_rows
from geo.io.migrations import MIGRATIONS, Migration
from geo.schema import TABLES

FILE = "city.gpkg"
SCHEMA_VERSION = 4
"""Number of the layout of `city.gpkg`; raise it with every change of `geo.schema`."""

DEFAULT_ZONE = "Asia/Shanghai"

PATIENCE_S = 120.0
"""How long a writer waits for another before it gives up; a large import takes half of it."""

_DISK = {
    "full": "its disk is full, free some space and try again",
    "readonly": "it is read-only, give this program the right to write",
    "I/O error": "its disk cannot be written, look whether it is full or failing",
}
"""What SQLite's word for a disk that takes nothing means, and what to do."""

BULK_ROWS = 500
"""From so many rows on a load fills the spatial index itself; below, the triggers are quicker."""


@dataclass(frozen=True)
class CaseChanges:
    """Which incidents changed since a number; ask with `seq` the next time."""

    seq: int
    fids: tuple[int, ...] | None
    """`fid` of each incident that was added, changed or deleted; None: read everything again."""


def create_workspace(path: str | Path) -> Workspace:
    """Make the folder of a city with all its tables, empty.

    Raises
    ------
    StoreError
        If there is a city already, or the folder cannot be made.
    """
    folder = Path(path)
    file = folder / FILE
    if file.exists():
        raise StoreError(f"{file} is there already: open it, or name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        gpkg.write_frame(file)
    except OSError as error:
        raise StoreError(f"cannot make {folder}: {error.strerror or error}") from error
    workspace = Workspace(folder)
    with workspace.writing() as conn:
        gpkg.drop_first_layer(conn)
        workspace.metadata.create_all(conn)
        for name, table in TABLES.items():
            gpkg.register_table(conn, name, table.help)
        gpkg.register_table(conn, "wangge_meta", "facts about this file")
        gpkg.watch_incidents(conn)
        gpkg.guard_log(conn)
        gpkg.guard_views(conn)
        conn.execute(
            workspace.metadata.tables["wangge_meta"].insert(),
            [{"key": "schema_version", "value": str(SCHEMA_VERSION)}],
        )
    return workspace


def open_workspace(
    path: str | Path,
    *,
    migrations: Mapping[int, Migration] = MIGRATIONS,
    version: int = SCHEMA_VERSION,
) -> Workspace:
    """Open the folder of a city; an older file is copied, then brought up to date.

    The copy stands beside it as `city.gpkg.v<old>`; one that is there already is kept.

    Raises
    ------
    StoreError
        If the folder holds no city, or the file is none of ours.
    SchemaVersionError
        If a newer version of the program wrote it, or no way leads up from so old a file.
    """
    folder = Path(path)
    file = folder / FILE
    if not file.is_file():
        raise StoreError(f"{folder} holds no {FILE}: make one with wangge init or wangge demo")
    workspace = Workspace(folder)
    try:
        found = workspace.schema_version()
        if found > version:
            raise SchemaVersionError(
                f"{file} has schema version {found}, this program knows {version}:"
                " update the program"
            )
        if found < version:
            _migrate(workspace, found, version, migrations)
    except BaseException:
        workspace.close()
        raise
    return workspace


def _migrate(
    workspace: Workspace, found: int, version: int, migrations: Mapping[int, Migration]
) -> None:
    steps = [migrations.get(step) for step in range(found, version)]
    if None in steps:
        raise SchemaVersionError(
            f"{workspace.file} has schema version {found} and cannot be brought to {version}:"
            " open it with an older program and export its tables"
        )
    with workspace.writing() as conn:
        # Another program may have done it while we waited for the lock.
        if workspace.schema_version(conn) != found:
            return
        _copy(workspace.file, found)
        for step in steps:
            assert step is not None
            step(conn)
        conn.exec_driver_sql(
            "UPDATE wangge_meta SET value = ? WHERE key = 'schema_version'", (str(version),)
        )


def _copy(file: Path, version: int) -> None:
    """Copy the file as it was last committed, beside it, over nothing that is there."""
    copy, number = file.with_name(f"{FILE}.v{version}"), 1
    while copy.exists():
        number += 1
        copy = file.with_name(f"{FILE}.v{version}-{number}")
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


class Workspace:
    """The open folder of a city. Safe to share between threads; close it or use it in `with`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / FILE
        self.metadata = gpkg.make_metadata()
        self._engine = sa.create_engine(
            f"sqlite:///{self.file}",
            connect_args={"timeout": PATIENCE_S},
            pool_size=16,
            max_overflow=48,
        )
        sa.event.listen(self._engine, "connect", _prepare)
        sa.event.listen(self._engine, "begin", _begin)
        self._metric_crs: pyproj.CRS | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back all connections; the last process to do so folds the log into the file."""
        self._engine.dispose()

    def schema_version(self, conn: sa.Connection | None = None) -> int:
        """Number of the layout that the file has."""
        query = "SELECT value FROM wangge_meta WHERE key = 'schema_version'"
        try:
            with contextlib.ExitStack() as stack:
                link = conn if conn is not None else stack.enter_context(self.reading())
                return int(link.exec_driver_sql(query).scalar_one())
        except (sa.exc.DatabaseError, sa.exc.NoResultFound, ValueError) as error:
            raise StoreError(f"{self.file} is not a workspace of ours: {_cause(error)}") from error

    @property
    def zone(self) -> ZoneInfo:
        """The zone of `settings.toml`, Asia/Shanghai where it names none.

        Raises
        ------
        SettingsError
            If the file cannot be read or names no zone.
        """
        file = self.path / "settings.toml"
        try:
            text = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
            return ZoneInfo(tomllib.loads(text).get("timezone", DEFAULT_ZONE))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise SettingsError(f"{file} cannot be read: {error}") from error
        except (ZoneInfoNotFoundError, ValueError, TypeError) as error:
            raise SettingsError(
                f"{file} names no zone as timezone: use a name such as Asia/Shanghai"
            ) from error

    def table(self, name: str) -> sa.Table:
        """A table as SQLAlchemy knows it, for `where` clauses."""
        try:
            return self.metadata.tables[name]
        except KeyError:
            raise InputError(f"no table {name}: there are {', '.join(TABLES)}") from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the city, unmoved by writers."""
        with self._engine.connect() as conn, conn.begin():
            yield conn

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that alone may write; committed at the end, undone by any error.

        Raises
        ------
        StoreBusyError
            If another process wrote for longer than `PATIENCE_S`.
        StoreWriteError
            If the disk is full, read-only or failing.
        InputError
            If a row is there already, or refers to one that is not.
        """
        with self._engine.connect() as plain:
            conn = plain.execution_options(wangge_writes=True)
            try:
                transaction = conn.begin()
            except sa.exc.OperationalError as error:
                if "locked" not in str(error.orig):
                    raise self._unwritten(error) from error
                raise StoreBusyError(
                    f"{self.file} was being written by another process for more than"
                    f" {PATIENCE_S:.0f} s: try again when it is done"
                ) from error
            try:
                with transaction:
                    yield conn
            except sa.exc.IntegrityError as error:
                raise InputError(f"{self.file} is unchanged: {_explain(error)}") from error
            except sa.exc.OperationalError as error:
                raise self._unwritten(error) from error

    def _unwritten(self, error: sa.exc.OperationalError) -> StoreError:
        """What to say when SQLite could not write: the disk by its name, and what to do."""
        cause = _cause(error)
        for word, told in _DISK.items():
            if word in cause:
                return StoreWriteError(f"{self.file} is unchanged: {told}")
        return StoreError(f"cannot write {self.file}: {cause}")

    def read(
        self,
        name: str,
        *,
        where: sa.ColumnElement[bool] | None = None,
        columns: list[str] | None = None,
        bbox: tuple[float, float, float, float] | None = None,
        limit: int | None = None,
        order_by: Any = None,
        conn: sa.Connection | None = None,
    ) -> pd.DataFrame | GeoDataFrame:
        """Rows of a table as a frame, indexed by its id, in EPSG:4326.

        `columns` leaves out the others (name `geom` to keep the shape; the id always comes);
        `bbox` is west, south, east, north in degrees and goes by the spatial index. Rows come in
        the order they were stored unless `order_by` says otherwise.
        """
        table, known = self.table(name), TABLES[name]
        wanted = [*known.names, "geom"] if columns is None else [*known.key, *columns]
        chosen = [column for column in table.columns if column.name in wanted]
        query = sa.select(
            *(
                sa.type_coerce(column, sa.Text) if isinstance(column.type, gpkg.UtcTime) else column
                for column in chosen
            )
        )
        if where is not None:
            query = query.where(where)
        if bbox is not None:
            query = query.where(_within(table, bbox))
        query = query.order_by(table.c.fid if order_by is None else order_by)
        if limit is not None:
            query = query.limit(limit)
        with contextlib.ExitStack() as stack:
            link = conn if conn is not None else stack.enter_context(self.reading())
            rows = link.execute(query).all()
        return to_frame(known, [column.name for column in chosen], rows)

    def grids(self, *, at: datetime | None = None) -> GeoDataFrame:
        """The newest grids (those without an end; a published plan may begin later), or those in
        force at a moment; indexed by `grid_id`."""
        table = self.table("grids")
        now_valid = table.c.valid_to.is_(None)
        if at is None:
            return self.read("grids", where=now_valid)
        begun = table.c.valid_from <= at
        return self.read("grids", where=begun & (now_valid | (table.c.valid_to > at)))

    def count(self, name: str, where: sa.ColumnElement[bool] | None = None) -> int:
        """Number of rows of a table."""
        query = sa.select(sa.func.count()).select_from(self.table(name))
        with self.reading() as conn:
            return int(conn.execute(query if where is None else query.where(where)).scalar_one())

    def append(self, conn: sa.Connection, name: str, frame: pd.DataFrame) -> int:
        """Add the rows of a frame to a table and count them.

        `frame` carries its id as index or column and its geometry in EPSG:4326; single polygons
        and lines become multi ones of one part. See `geo.io.frames.to_rows` for what is refused.
        """
        self.table(name)
        names, rows = to_rows(TABLES[name], frame)
        if not rows:
            return 0
        # A bulk load fills the spatial index itself, see geo.io.gpkg.
        is_bulk = "geom" in names and len(rows) >= BULK_ROWS
        if is_bulk:
            gpkg.drop_triggers(conn, name)
            if name == "incidents":
                gpkg.unwatch_rows(conn)
        marks = ", ".join("?" * len(names))
        quoted = ", ".join(f'"{column}"' for column in names)
        first = int(conn.exec_driver_sql(f"SELECT coalesce(max(fid), 0) FROM {name}").scalar_one())
        conn.exec_driver_sql(f"INSERT INTO {name} ({quoted}) VALUES ({marks})", rows)
        if is_bulk:
            _index_rows(conn, name, first)
            gpkg.create_triggers(conn, name)
            if name == "incidents":
                gpkg.watch_rows(conn)
        self.touch(conn, name)
        return len(rows)

    def delete(self, conn: sa.Connection, name: str, where: sa.ColumnElement[bool]) -> int:
        """Delete rows of a table and count them."""
        count = conn.execute(sa.delete(self.table(name)).where(where)).rowcount
        self.touch(conn, name)
        return int(count)

    def touch(self, conn: sa.Connection, name: str) -> None:
        """Note that a table changed; call it after statements of your own. Never goes backward."""
        conn.exec_driver_sql(
            "UPDATE gpkg_contents SET last_change = max(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),"
            " strftime('%Y-%m-%dT%H:%M:%fZ', last_change, '+0.001 seconds')) WHERE table_name = ?",
            (name,),
        )

    def stamp(self, *names: str) -> str:
        """A short text that changes whenever one of the tables does, in whatever process.

        QGIS and GDAL keep `last_change` too, so an edit made there counts as well.
        """
        contents = sa.table("gpkg_contents", sa.column("table_name"), sa.column("last_change"))
        query = (
            sa.select(contents.c.table_name, contents.c.last_change)
            .where(contents.c.table_name.in_(names or tuple(TABLES)))
            .order_by(contents.c.table_name)
        )
        with self.reading() as conn:
            text = repr([tuple(row) for row in conn.execute(query)])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def changes_since(self, seq: int | None, *, conn: sa.Connection | None = None) -> CaseChanges:
        """Find the incidents that changed since number `seq`, in whatever process.

        Without a number, or with one that is no longer remembered, or after a bulk load, `fids`
        is None. A `fid` that `incidents` no longer has was deleted.
        """
        with contextlib.ExitStack() as stack:
            link = conn if conn is not None else stack.enter_context(self.reading())
            first, last = link.exec_driver_sql(
                "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM incident_changes"
            ).one()
            if seq is None or seq > last or seq < first - 1:
                return CaseChanges(last, None)
            found = link.exec_driver_sql(
                'SELECT DISTINCT "row" FROM incident_changes WHERE seq > ?', (seq,)
            ).scalars()
            rows = tuple(found)
        return CaseChanges(last, None if None in rows else rows)

    def metric_crs(self) -> pyproj.CRS:
        """The metric CRS for work in this city, by the middle of its grids (else divisions).

        Raises
        ------
        StoreError
            If the city has neither.
        """
        if self._metric_crs is None:
            from geo.datum import metric_crs

            for name in ("grids", "divisions", "blocks", "assets", "roads"):
                with self.reading() as conn:
                    box = conn.exec_driver_sql(
                        "SELECT min(minx), min(miny), max(maxx), max(maxy)"
                        f" FROM {gpkg.index_name(name)}"
                    ).one()
                if box[0] is not None:
                    self._metric_crs = metric_crs((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
                    break
            else:
                raise StoreError(f"{self.file} has nothing with a place: import grids first")
        return self._metric_crs

    def seal_fixes(self, frame: pd.DataFrame, *, timezone: str) -> int:
        """Write fixes into Parquet, one folder a day of that zone; see `geo.io.sealed`."""
        return sealed.seal_fixes(self.path / "fixes", frame, timezone=timezone)

    def read_fixes(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        workers: list[str] | None = None,
    ) -> pd.DataFrame:
        """Fixes of the hot table and of sealed days, by worker and time, each once.

        `since` is included, `until` is not.
        """
        hot, _ = self.read_hot_fixes(since=since, until=until, workers=workers)
        cold = sealed.read_sealed(self.path / "fixes", since=since, until=until, workers=workers)
        both = pd.concat([part for part in (cold, hot) if len(part)] or [hot], ignore_index=True)
        return both.drop_duplicates(["worker_id", "time"], keep="last").sort_values(
            ["worker_id", "time"], ignore_index=True
        )

    def read_hot_fixes(
        self,
        *,
        after: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        workers: list[str] | None = None,
    ) -> tuple[pd.DataFrame, int]:
        """Fixes of the hot table behind a row number, and the number of the last row that it has.

        Who follows a day asks with the number of the last answer and reads only what is new, in the
        order it was stored. Few at a time are held as rows, so that a day of millions takes the
        memory of its columns.
        """
        table = self.table("fixes")
        # By number only where something was read before: else a span would be looked for by number.
        clauses: list[sa.ColumnElement[bool]] = [table.c.fid > after] if after else [sa.true()]
        if since is not None:
            clauses.append(table.c.time >= since)
        if until is not None:
            clauses.append(table.c.time < until)
        if workers is not None:
            clauses.append(table.c.worker_id.in_(workers))
        names = TABLES["fixes"].names
        columns = [
            sa.type_coerce(table.c[name], sa.Text) if name == "time" else table.c[name]
            for name in names
        ]
        query = sa.select(*columns).where(*clauses)
        if after:
            query = query.order_by(table.c.fid)
        known: dict[str, str] = {}
        with self.reading() as conn:
            last = conn.execute(sa.select(sa.func.max(table.c.fid))).scalar_one() or 0
            rows = conn.execution_options(stream_results=True).execute(query)
            parts = [_fix_columns(names, part, known) for part in rows.partitions(_ROWS_AT_ONCE)]
        if not parts:
            return to_frame(TABLES["fixes"], list(names), []), last
        frame = pd.concat(parts, ignore_index=True)
        return frame, last

    def days_of_fixes(self) -> list[date]:
        """The days that are sealed, in order."""
        return sealed.list_days(self.path / "fixes")


_ROWS_AT_ONCE = 100_000


def _fix_columns(
    names: tuple[str, ...], rows: Sequence[Any], known: dict[str, str]
) -> pd.DataFrame:
    """Rows of fixes as columns; texts that repeat are held once, by `known`."""
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    # UTC as `2026-11-21T03:20:00.000Z`; numpy reads it without the zone.
    texts = np.char.rstrip(np.array(columns["time"], dtype="S27"), b"Z")
    texts_of = {
        name: pd.array([None if text is None else known.setdefault(text, text) for text in column])
        for name, column in columns.items()
        if name in ("worker_id", "source")
    }
    return pd.DataFrame(
        {
            "worker_id": pd.Series(texts_of["worker_id"], dtype="str"),
            "time": pd.DatetimeIndex(texts.astype("datetime64[us]"), tz="UTC"),
            **{
                name: np.array(columns[name], dtype=np.float64)
                for name in ("lon", "lat", "accuracy_m", "speed_kmh")
            },
            "mock": pd.array(columns["mock"], dtype="boolean"),
            "source": pd.Series(texts_of["source"], dtype="str"),
        }
    )


def _prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    # SQLAlchemy's begin event opens transactions; the driver must not do so behind its back.
    connection.isolation_level = None
    gpkg.register_functions(connection)
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(conn: sa.Connection) -> None:
    writes = conn.get_execution_options().get("wangge_writes", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _within(table: sa.Table, bbox: tuple[float, float, float, float]) -> sa.ColumnElement[bool]:
    west, south, east, north = bbox
    index = sa.table(
        gpkg.index_name(table.name), *(sa.column(c) for c in ("id", "minx", "maxx", "miny", "maxy"))
    )
    hits = sa.select(index.c.id).where(
        (index.c.minx <= east)
        & (index.c.maxx >= west)
        & (index.c.miny <= north)
        & (index.c.maxy >= south)
    )
    return table.c.fid.in_(hits)


def _index_rows(conn: sa.Connection, name: str, first: int) -> None:
    """Enter the rows behind number `first` in the spatial index."""
    query = f"SELECT fid, geom FROM {name} WHERE fid > ? AND geom NOT NULL"
    found = conn.exec_driver_sql(query, (first,)).all()
    if not found:
        return
    ids = np.array([fid for fid, _ in found])
    boxes = shapely.bounds(gpkg.from_blobs([blob for _, blob in found]))
    full = ~np.isnan(boxes).any(axis=1)
    rows = np.column_stack([boxes[full][:, [0, 2, 1, 3]]]).tolist()
    conn.exec_driver_sql(
        f"INSERT INTO {gpkg.index_name(name)} VALUES (?, ?, ?, ?, ?)",
        [(int(fid), *box) for fid, box in zip(ids[full], rows, strict=True)],
    )


def _explain(error: sa.exc.IntegrityError) -> str:
    """What SQLite's word for a broken rule means, and what to do."""
    text = _cause(error)
    if "UNIQUE" in text:
        columns = text.rpartition(": ")[2]
        return f"a row with the same {columns} is there already, leave it out or remove the old one"
    if "FOREIGN KEY" in text:
        return "a row names a division, worker or incident that is not there, add that first"
    return text


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)
