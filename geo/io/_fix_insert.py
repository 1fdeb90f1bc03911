"""Many rows into `fixes` by few statements, and which of them were there already.

The sqlite3 module lets other threads run at every step of a statement, and gets the interpreter
back only after their turn (5 ms while one of them computes). A hundred rows by a hundred steps
would wait half a second beside one busy thread; so rows go many to a statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from geo.schema import TABLES

Row = tuple[object, ...]

_NAMES = TABLES["fixes"].names
_AT = (_NAMES.index("worker_id"), _NAMES.index("time"))
_SIZES = (500, 100, 20, 4, 1)
"""Rows of a statement: few sizes, so that SQLite has each of them ready. 500 rows bind 4,000
values; 32,766 are allowed."""

_ONE = f"({', '.join('?' * len(_NAMES))})"
_SQL = {
    size: f"INSERT INTO fixes ({', '.join(_NAMES)}) VALUES {', '.join([_ONE] * size)}"
    " ON CONFLICT (worker_id, time) DO NOTHING"
    for size in _SIZES
}
_NEW = (
    "SELECT json_group_array(json_array(worker_id, time)) FROM fixes"
    " WHERE fid > ? AND worker_id IS NOT NULL"
)


def insert_rows(cursor: Any, rows: Sequence[Row]) -> list[bool]:
    """Insert rows in the order of `geo.schema`; for each whether it is new.

    Of rows with the same worker and time the first is the new one. `cursor` is one of sqlite3,
    inside a transaction that holds the lock.
    """
    first_of: dict[tuple[object, object], int] = {}
    for k, row in enumerate(rows):
        first_of.setdefault((row[_AT[0]], row[_AT[1]]), k)
    chosen = [rows[k] for k in first_of.values()]
    last = _last_fid(cursor)
    new, done = 0, 0
    while done < len(chosen):
        size = next(size for size in _SIZES if size <= len(chosen) - done)
        cursor.execute(_SQL[size], [v for row in chosen[done : done + size] for v in row])
        new += cursor.rowcount
        done += size
    is_new = [False] * len(rows)
    if new == len(chosen):
        for k in first_of.values():
            is_new[k] = True
    elif new:
        told = json.loads(cursor.execute(_NEW, (last,)).fetchone()[0])
        for worker, time in told:
            is_new[first_of[worker, time]] = True
    return is_new


def _last_fid(cursor: Any) -> int:
    """The last number given; later ones are larger, for numbers are never given again."""
    row = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'fixes'").fetchone()
    return 0 if row is None else int(row[0])
