"""A page of the list of cases, found by the indexes of the store.

What costs is the number of cases that a query has, so that is found first, by whatever index the
database chooses. Then the page is found the cheaper way: of a long list by walking along the order
until the page is full, of a short one by finding it and putting it in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from geo.deadlines import read_clocks
from geo.incidents import OPEN_STAGES
from geo.io import _casebook_page as pages
from geo.io._casebook_page import MAX_ROWS, CaseQuery
from geo.io._casebook_places import ZONE, Members, Places
from geo.io._casebook_rows import to_stored
from geo.io._casebook_words import CaseWords
from geo.io.frames import to_frame
from geo.io.gpkg import UtcTime, index_name
from geo.io.rules import Rules
from geo.io.workspace import Workspace
from geo.schema import TABLES

FEW = 20_000
"""Up to so many members are a list of row numbers in a statement, above it a row of flags."""
MOST_TOTALS = 256
_MOVING = ("late", "soon", "paused", "fine", "none")
"""States that a case comes to by the passing of time alone."""
_ASK = 500


@dataclass(frozen=True, eq=False)
class CasePage:
    """Some rows of a list of cases, and how many the whole list has."""

    rows: pd.DataFrame
    """Indexed by `incident_id`: the columns of `incidents`, and what the clocks say (`state`,
    `left_s`, `late_s`, see `geo.deadlines.read_clocks`)."""
    total: int


class CaseList:
    """The cases of a workspace as a list that is filtered, sorted and turned page by page."""

    def __init__(self, workspace: Workspace, rules: Rules) -> None:
        self._workspace, self._rules = workspace, rules
        self._table = workspace.table("incidents")
        self._places = Places(workspace)
        self.words = CaseWords(workspace)
        self._totals: dict[tuple[object, ...], int] = {}

    def page(self, query: CaseQuery, at: datetime) -> CasePage:
        """The rows of a page, and how long the list is."""
        with self._workspace.reading() as conn:
            search = self._search(conn, query, at)
            total = self._total(conn, query, at, search)
            rows = self.read_rows(conn, search.numbers(total))
        return CasePage(self.with_clocks(rows, at), total)

    def count(self, query: CaseQuery, at: datetime) -> int:
        """How long a list is."""
        with self._workspace.reading() as conn:
            return self._total(conn, query, at, self._search(conn, query, at))

    def _total(self, conn: sa.Connection, query: CaseQuery, at: datetime, search: _Search) -> int:
        """How long a list is; known while no case changes, so that turning pages is cheap."""
        seq = self._workspace.changes_since(None, conn=conn).seq
        bare = replace(query, sort="reported_at", descending=True, offset=0, limit=0)
        is_zone = (query.unit or "").startswith(ZONE)
        moment = at if query.state in _MOVING or is_zone else None
        key = (bare, moment, self._places.version if query.unit else None, seq)
        found = self._totals.get(key)
        if found is None:
            found = search.count()
            while len(self._totals) >= MOST_TOTALS:
                # Another thread may have been quicker.
                self._totals.pop(next(iter(self._totals)), None)
            self._totals[key] = found
        return found

    def look_up_units(self, at: datetime) -> None:
        """Find the unit of every case that changed, before somebody asks."""
        with self._workspace.reading() as conn:
            self._places.refresh(conn, at)

    def chunks(
        self, conn: sa.Connection, query: CaseQuery, at: datetime
    ) -> tuple[int, Iterator[pd.DataFrame]]:
        """How long a list is, and all its rows in order, some at a time; at least one piece."""
        search = self._search(conn, replace(query, offset=0, limit=0), at)
        numbers = search.all_numbers()
        parts = range(0, max(len(numbers), 1), MAX_ROWS)
        return len(numbers), (
            self.read_rows(conn, numbers[start : start + MAX_ROWS]) for start in parts
        )

    def where(
        self, conn: sa.Connection, query: CaseQuery, at: datetime
    ) -> list[sa.ColumnElement[bool]]:
        """The conditions of a query, to be put to other columns of the table."""
        return self._search(conn, query, at).where()

    def _search(self, conn: sa.Connection, query: CaseQuery, at: datetime) -> _Search:
        parts: list[Members | None] = []
        reads_text = bool(query.text.split())
        if query.unit:
            parts.append(self._places.find(conn, query.unit, at))
        if reads_text:
            parts.append(self.words.find(query.text))
            reads_text = parts[-1] is None
        if query.bbox is not None:
            parts.append(_in_small_box(conn, query.bbox))
        members = _common([part for part in parts if part is not None])
        known = {
            "at": to_stored(at, "at"),
            "soon_h": self._rules.case.soon_h,
            "classes": self._rules.classes,
            "reads_text": reads_text,
        }
        return _Search(conn, self._table, query, members, known)

    def read_rows(self, conn: sa.Connection, numbers: Sequence[int]) -> pd.DataFrame:
        """The rows of these numbers, in their order, indexed by `incident_id`."""
        known, table = TABLES["incidents"], self._table
        columns = [table.c[name] for name in known.names]
        shown = [sa.type_coerce(c, sa.Text) if isinstance(c.type, UtcTime) else c for c in columns]
        found: dict[int, Any] = {}
        for start in range(0, len(numbers), _ASK):
            query = sa.select(table.c.fid, *shown).where(
                table.c.fid.in_(numbers[start : start + _ASK])
            )
            found |= {row[0]: row[1:] for row in conn.execute(query)}
        return to_frame(known, list(known.names), [found[number] for number in numbers])

    def read_cases(self, conn: sa.Connection, incident_ids: Sequence[str]) -> pd.DataFrame:
        """The rows of these cases, indexed by `incident_id`."""
        table = self._table
        numbers: list[int] = []
        for start in range(0, len(incident_ids), _ASK):
            some = incident_ids[start : start + _ASK]
            query = sa.select(table.c.fid).where(table.c.incident_id.in_(some))
            numbers += conn.execute(query).scalars()
        return self.read_rows(conn, numbers)

    def with_clocks(self, rows: pd.DataFrame, at: datetime) -> pd.DataFrame:
        """Rows of `incidents` with `state`, `left_s`, `late_s`."""
        clocks = read_clocks(
            rows["deadline"],
            at=at,
            closed_at=rows["closed_at"],
            is_paused=(rows["paused_until"] > pd.Timestamp(at)).fillna(False),
            soon_h=self._rules.case.soon_h,
        )
        # Closed at a moment that the source did not tell.
        unknown = ~rows["stage"].isin(OPEN_STAGES) & rows["closed_at"].isna()
        return rows.assign(
            state=clocks["state"].mask(unknown, "done"),
            left_s=clocks["left_s"].mask(unknown),
            late_s=clocks["late_s"].mask(unknown, 0.0),
        )


class _Search:
    """One query in one state of the store."""

    def __init__(
        self,
        conn: sa.Connection,
        table: sa.Table,
        query: CaseQuery,
        members: Members | None,
        known: dict[str, Any],
    ) -> None:
        self._conn, self._table, self._query = conn, table, query
        self._members, self._known = members, known

    def count(self) -> int:
        where = pages.find_where(self._table.c, self._query, **self._known)
        if not where and self._members is not None:
            return self._members.count
        found = sa.select(sa.func.count()).select_from(self._table).where(*self.where())
        return int(self._conn.execute(found).scalar_one())

    def where(self) -> list[sa.ColumnElement[bool]]:
        """The conditions, by whatever index fits."""
        c = self._table.c
        return pages.find_where(c, self._query, **self._known) + self._among(c.fid, walks=False)

    def all_numbers(self) -> list[int]:
        """The row numbers of the whole list, in order."""
        order = pages.order_of(self._table, self._query)
        found = sa.select(self._table.c.fid).where(*self.where()).order_by(*order)
        return list(self._conn.execute(found).scalars())

    def numbers(self, total: int) -> list[int]:
        """The row numbers of the page, in order."""
        query, table = self._query, self._table
        if query.offset >= total or not query.limit:
            return []
        last = self._conn.execute(sa.select(sa.func.max(table.c.fid))).scalar_one()
        # So many rows are passed before the page is full, against so many that are put in order.
        passed = (query.offset + query.limit) * last / total
        walks = query.sort in pages.INDEXED and passed < total
        c = pages.columns_of(table, walks=walks)
        where = pages.find_where(c, query, **self._known) + self._among(c.fid, walks=walks)
        found = sa.select(table.c.fid).where(*where).order_by(*pages.order_of(table, query))
        return list(self._conn.execute(found.offset(query.offset).limit(query.limit)).scalars())

    def _among(self, fid: Any, *, walks: bool) -> list[sa.ColumnElement[bool]]:
        if self._members is None:
            return []
        as_flags = walks or self._members.count > FEW
        return [pages.among(fid, self._members, as_flags=as_flags)]


def _in_small_box(conn: sa.Connection, bbox: tuple[float, float, float, float]) -> Members | None:
    """The cases that the spatial index has in a box; None if they are too many to list."""
    west, south, east, north = bbox
    found = conn.exec_driver_sql(
        f"SELECT id FROM {index_name('incidents')}"
        " WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ? LIMIT ?",
        (east, west, north, south, FEW + 1),
    )
    numbers = np.fromiter((row[0] for row in found), dtype=np.int64)
    if len(numbers) > FEW:
        return None
    flags = np.zeros(int(numbers.max(initial=0)), dtype=np.uint8)
    flags[numbers - 1] = 1
    return Members(flags, len(numbers))


def _common(parts: Sequence[Members]) -> Members | None:
    """The cases that are in all; None if there is nothing to be in."""
    if not parts:
        return None
    flags = parts[0].flags
    for part in parts[1:]:
        size = min(len(flags), len(part.flags))
        flags = flags[:size] & part.flags[:size]
    return Members(flags, int(flags.sum()))
