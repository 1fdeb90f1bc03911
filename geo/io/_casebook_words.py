"""An index of the words of cases: which have a piece of text in id, description or address.

It stands beside the city in `cache/case-words.db` and is derived from `incidents`: whoever deletes
the file loses nothing. Pieces of three letters (FTS5, trigram) lead to the cases, so that a piece
inside of a Chinese sentence is found; of one or two letters, all pieces of three that begin so.
Capitals count as small letters. What changed since it was last asked is read again before it
answers; while it has not been made, or an import changed everything, it does not answer, and the
list reads through the texts instead. `refresh` makes it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import numpy as np
import sqlalchemy as sa

from geo.errors import StoreError
from geo.io._casebook_places import Members
from geo.io.workspace import CaseChanges, Workspace

FILE = "cache/case-words.db"
LEAST_SQLITE = (3, 34, 0)
"""The first one that knows pieces of three letters."""
MOST_TERMS = 2_000
"""A word of one letter may begin more pieces than this; then the texts are read through."""
AT_ONCE = 20_000
PATIENCE_S = 30.0
HURRY_S = 0.2
"""How long a page waits for another process that writes the index before it does without."""
_ASK = 500

_TEXT = (
    "incident_id || char(10) || coalesce(description, '') || char(10)"
    " || coalesce(address, '') || char(10) || char(10)"
)
"""Two line ends close the text, so that its last letters begin a piece of three as well."""


class CaseWords:
    """The index of one workspace; several threads and processes may share its file."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._file = workspace.path / FILE

    def refresh(self) -> int:
        """Bring the index up to date, make it if need be; returns how many cases were read."""
        if sqlite3.sqlite_version_info < LEAST_SQLITE:
            return 0
        with self._open(PATIENCE_S) as link:
            _make(link)
            # None: another process is at it, and there is nothing left to do.
            return self._catch_up(link) or 0

    def find(self, text: str) -> Members | None:
        """The cases that have every word of a text; None if the index cannot say."""
        if sqlite3.sqlite_version_info < LEAST_SQLITE or not self._file.is_file():
            return None
        with self._open(HURRY_S) as link:
            if not _is_made(link):
                return None
            changes = self._changes(link)
            if changes.fids is None:
                return None
            if changes.fids and self._catch_up(link) is None:
                return None
            wanted = _match(link, text)
            if wanted is None:
                return None
            rows = link.execute("SELECT rowid FROM words WHERE words MATCH ?", (wanted,))
            numbers = np.fromiter((row[0] for row in rows), dtype=np.int64)
        flags = np.zeros(int(numbers.max(initial=0)), dtype=np.uint8)
        flags[numbers - 1] = 1
        return Members(flags, len(numbers))

    @contextlib.contextmanager
    def _open(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(exist_ok=True)
            with contextlib.closing(
                sqlite3.connect(self._file, timeout=timeout_s, isolation_level=None)
            ) as link:
                link.execute("PRAGMA journal_mode = WAL")
                # Derived: what the power takes is read again.
                link.execute("PRAGMA synchronous = NORMAL")
                yield link
        except (OSError, sqlite3.DatabaseError) as error:
            raise StoreError(
                f"{self._file} cannot be used: {error}; delete it, it is made again"
            ) from error

    def _changes(self, link: sqlite3.Connection) -> CaseChanges:
        """What changed since; asked after the number was read, so nothing falls in between."""
        return self._workspace.changes_since(_seq(link))

    def _catch_up(self, link: sqlite3.Connection) -> int | None:
        """Read what changed and write it, in one transaction; None while another process does."""
        try:
            link.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return None
        try:
            with self._workspace.reading() as conn:
                changes = self._workspace.changes_since(_seq(link), conn=conn)
                if changes.fids is None:
                    count = _read_all(link, conn)
                else:
                    parts = range(0, len(changes.fids), _ASK)
                    count = sum(
                        _read_some(link, conn, changes.fids[start : start + _ASK])
                        for start in parts
                    )
            link.execute("UPDATE state SET seq = ?", (changes.seq,))
        except BaseException:
            link.execute("ROLLBACK")
            raise
        link.execute("COMMIT")
        return count


def _make(link: sqlite3.Connection) -> None:
    link.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS words"
        " USING fts5(text, tokenize = 'trigram', columnsize = 0)"
    )
    link.execute("CREATE VIRTUAL TABLE IF NOT EXISTS pieces USING fts5vocab(words, row)")
    link.execute("CREATE TABLE IF NOT EXISTS state (seq INTEGER)")
    link.execute("INSERT INTO state SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM state)")


def _is_made(link: sqlite3.Connection) -> bool:
    names = link.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('state', 'pieces')")
    return bool(names.fetchone()[0] == 2 and link.execute("SELECT 1 FROM state").fetchone())


def _seq(link: sqlite3.Connection) -> int | None:
    seq: int | None = link.execute("SELECT seq FROM state").fetchone()[0]
    return seq


def _read_all(link: sqlite3.Connection, conn: sa.Connection) -> int:
    link.execute("DELETE FROM words")
    found = conn.exec_driver_sql(f"SELECT fid, {_TEXT} FROM incidents")
    count = 0
    while rows := found.fetchmany(AT_ONCE):
        link.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)", [tuple(row) for row in rows]
        )
        count += len(rows)
    return count


def _read_some(link: sqlite3.Connection, conn: sa.Connection, fids: tuple[int, ...]) -> int:
    """Read these cases again; only those whose text is another one are written."""
    marks = ", ".join("?" * len(fids))
    query = f"SELECT fid, {_TEXT} FROM incidents WHERE fid IN ({marks})"
    now = {row[0]: row[1] for row in conn.exec_driver_sql(query, fids)}
    old = dict(link.execute(f"SELECT rowid, text FROM words WHERE rowid IN ({marks})", fids))
    stale = [(fid,) for fid, text in old.items() if now.get(fid) != text]
    fresh = [(fid, text) for fid, text in now.items() if old.get(fid) != text]
    link.executemany("DELETE FROM words WHERE rowid = ?", stale)
    link.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", fresh)
    return len(fids)


def _match(link: sqlite3.Connection, text: str) -> str | None:
    """What FTS5 is asked for; None if a word begins too many pieces."""
    parts = []
    for word in text.split():
        pieces = [word]
        if len(word) < 3:
            start = word.lower()
            rows = link.execute(
                "SELECT term FROM pieces WHERE term >= ? AND term < ? LIMIT ?",
                (start, start + "\U0010ffff", MOST_TERMS + 1),
            )
            # A piece that does not occur finds nothing, which is the answer.
            pieces = [row[0] for row in rows] or [start + "\n\n"]
            if len(pieces) > MOST_TERMS:
                return None
        parts.append("(" + " OR ".join(_quoted(piece) for piece in pieces) + ")")
    return " AND ".join(parts)


def _quoted(piece: str) -> str:
    return '"' + piece.replace('"', '""') + '"'
