"""Incidents out of the store into columns: all of them, or those that changed since a number.

Everything that one reading says is seen in one transaction, so rows, number and version agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from geo.io._case_columns_rows import KINDS, NEVER, TIMES, CaseTable, Columns, Words
from geo.io.workspace import CaseChanges, Workspace

MOST_CHANGED = 20_000
"""With more changed rows than that everything is read again, which is quicker."""

AT_ONCE = 2_500
"""Rows held as Python has them; few, so that they stay near the processor: 50,000 take half as long
again."""

_PER_QUERY = 900
"""Fewer than the least number of parameters that a build of SQLite takes."""

_STORED = {"reported": "reported_at", "closed": "closed_at"}
Mark = tuple[int, str]
"""The number after which changes are new, and the moment of the table's last change."""


def read_all(
    workspace: Workspace, words: Words, tell: Callable[[float], None] = lambda _: None
) -> tuple[CaseTable, Mark]:
    """Read every incident; `tell` hears how far it is, from 0 to 1."""
    table = workspace.table("incidents")
    with workspace.reading() as conn:
        changes = workspace.changes_since(None, conn=conn)
        now = _last_change(conn)
        found = _read_all(conn, table, words, tell)
    found.version = _version(changes.seq, now, found.size)
    return found, (changes.seq, now)


def read_changed(
    workspace: Workspace,
    words: Words,
    known: CaseTable,
    mark: Mark,
    tell: Callable[[float], None] = lambda _: None,
) -> tuple[CaseTable, Mark] | None:
    """Read what changed since a mark into what is known; None if nothing did.

    After a bulk load, or a change that nobody noted, everything is read again.
    """
    table = workspace.table("incidents")
    seq, stamp = mark
    with workspace.reading() as conn:
        changes = workspace.changes_since(seq, conn=conn)
        now = _last_change(conn)
        if changes.fids == () and now == stamp:
            return None
        if _is_much(changes):
            found = _read_all(conn, table, words, tell)
        else:
            fids = np.array(sorted(changes.fids or ()), dtype=np.int64)
            found = known.laid_over(fids, _read_fids(conn, table, words, fids))
    found.version = _version(changes.seq, now, found.size)
    return found, (changes.seq, now)


def _is_much(changes: CaseChanges) -> bool:
    """Whether all is to be read: many changed, or the table was changed past the list."""
    return not changes.fids or len(changes.fids) > MOST_CHANGED


def _last_change(conn: sa.Connection) -> str:
    query = "SELECT last_change FROM gpkg_contents WHERE table_name = 'incidents'"
    return str(conn.exec_driver_sql(query).scalar_one())


def _version(seq: int, stamp: str, size: int) -> str:
    return hashlib.blake2b(f"{seq} {stamp} {size}".encode(), digest_size=8).hexdigest()


def _read_all(
    conn: sa.Connection, table: sa.Table, words: Words, tell: Callable[[float], None]
) -> CaseTable:
    size = int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
    # Into columns of the whole size at once: joining parts would take the memory twice.
    columns = {name: np.empty(size, dtype=kind) for name, kind in KINDS.items()}
    done = 0
    # Plain rows of the driver: those of SQLAlchemy take twice the time.
    query = str(_select(table).order_by(table.c.fid).compile(conn))
    cursor = conn.connection.cursor()
    try:
        cursor.execute(query)
        while part := cursor.fetchmany(AT_ONCE):
            for name, values in _to_columns(part, words).items():
                columns[name][done : done + len(part)] = values
            done += len(part)
            tell(done / max(size, 1))
    finally:
        cursor.close()
    return CaseTable.of(words, columns)


def _read_fids(
    conn: sa.Connection, table: sa.Table, words: Words, fids: npt.NDArray[np.int64]
) -> Columns:
    rows: list[sa.Row[Any]] = []
    for k in range(0, len(fids), _PER_QUERY):
        some = fids[k : k + _PER_QUERY].tolist()
        query = _select(table).where(table.c.fid.in_(some)).order_by(table.c.fid)
        rows += conn.execute(query).all()
    return _to_columns(rows, words)


def _select(table: sa.Table) -> sa.Select[Any]:
    """The columns in the order of KINDS, times as the file has them."""
    chosen = [table.c[_STORED.get(name, name)] for name in KINDS]
    plain = [
        sa.type_coerce(column, sa.Text) if name in TIMES else column
        for name, column in zip(KINDS, chosen, strict=True)
    ]
    return sa.select(*plain)


def _to_columns(rows: Sequence[Sequence[Any]], words: Words) -> Columns:
    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(KINDS)
    found: Columns = {}
    for name, column in zip(KINDS, values, strict=True):
        if name in TIMES:
            found[name] = _seconds(column)
        elif name in ("lon", "lat"):
            # NumPy turns None into NaN here.
            found[name] = np.array(column, dtype=np.float64)
        elif name == "fid":
            found[name] = np.array(column, dtype=np.int64)
        else:
            found[name] = words.encode(name, column)
    return found


def _seconds(texts: Sequence[str | None]) -> npt.NDArray[np.int64]:
    """Texts of the store's own form fast, those that another program wrote with care.

    The form is 2026-11-21T03:20:00.000Z; what follows the second is cut off.
    """
    # Longer ones are cut off here, and then do not end in Z.
    plain = np.array(texts, dtype="S24")
    letters = plain.view(np.uint8).reshape(len(plain), 24)
    told = plain != b"None"
    digits = letters[:, _DIGITS].astype(np.int64) - 48
    own = ((digits >= 0) & (digits <= 9)).all(axis=1)
    own &= (letters[:, _MARKS] == _MARKED).all(axis=1)
    if not (own | ~told).all():
        return _seconds_slowly(texts)
    year = digits[:, :4] @ (1000, 100, 10, 1)
    month, day, hour, minute, second = (
        digits[:, k] * 10 + digits[:, k + 1] for k in (4, 6, 8, 10, 12)
    )
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    return np.where(told, days * 86_400 + hour * 3600 + minute * 60 + second, NEVER)


_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
_MARKS = np.array([4, 7, 10, 13, 16, 19, 23])
_MARKED = np.frombuffer(b"--T::.Z", dtype=np.uint8)


def _seconds_slowly(texts: Sequence[str | None]) -> npt.NDArray[np.int64]:
    told = pd.Series(list(texts), dtype="str")
    parsed = pd.to_datetime(told, utc=True, format="ISO8601", errors="coerce")
    stored = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    moments = stored.astype("datetime64[s]")
    # Towards the past, also before 1970.
    moments = moments - (moments > stored).astype("timedelta64[s]")
    return np.where(np.isnat(moments), NEVER, moments.astype(np.int64))
