"""What a book remembers of its plans: their logs with the newest states, and the bases.

Only what is committed is remembered. Where a thread needs both, it takes the lock of the store
before the lock of a log, so no two wait for each other.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import sqlalchemy as sa

from geo.io._planbook_log import Line, read_rows
from geo.io._planbook_rows import Row, read_plan_row
from geo.io._planbook_talk import PlanTalk
from geo.io.plan_base import FOLDER, Base, read_base
from geo.io.workspace import Workspace

MOST_PLANS = 12
"""Plans that a book keeps in memory; of the others the log is run again when they are opened."""


class PlanMemory(PlanTalk):
    """The part of a book that knows plans without asking the store again."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self.folder: Path = workspace.path / FOLDER
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._bases: OrderedDict[str, Base] = OrderedDict()
        self._lock = threading.Lock()

    def _refresh(self, conn: sa.Connection, row: Row) -> Line:
        """The log in memory brought up to what a connection sees."""
        plan_id = str(row["plan_id"])
        line = self._line(plan_id, conn)
        if line.seq > row["seq"] and not conn.get_execution_options().get("wangge_writes"):
            with self.workspace.reading() as fresh:
                row = read_plan_row(self.workspace, fresh, plan_id)
            if line.seq > row["seq"]:
                # The file was put back to an older state: what is remembered never happened.
                with self._lock:
                    self._lines.pop(plan_id, None)
                line = self._line(plan_id, conn)
        table = self.workspace.table("plan_edits")
        with line.lock:
            waiting = [one.seq for one in line.rows if one.state == "conflict"]
            newer = table.c.seq > line.seq
            where = newer | table.c.seq.in_(waiting) if waiting else newer
            line.add(read_rows(self.workspace, conn, plan_id, where))
        return line

    def _line(self, plan_id: str, conn: sa.Connection | None = None) -> Line:
        with self._lock:
            line = self._lines.get(plan_id)
            if line is not None:
                self._lines.move_to_end(plan_id)
                return line
        if conn is None:
            with self.workspace.reading() as link:
                return self._line(plan_id, link)
        # The base that it began from; later ones are named by the log.
        table = self.workspace.table("plan_edits")
        first = read_rows(self.workspace, conn, plan_id, _is_rebase(table))
        name = first[0].edit["from"] if first else None
        if name is None:
            name = read_plan_row(self.workspace, conn, plan_id)["base"]
        made = Line(self._base(str(name)), self._base)
        with self._lock:
            line = self._lines.setdefault(plan_id, made)
            while len(self._lines) > MOST_PLANS:
                self._lines.popitem(last=False)
        return line

    def _base(self, name: str) -> Base:
        with self._lock:
            if name in self._bases:
                self._bases.move_to_end(name)
                return self._bases[name]
        base = read_base(self.folder, name)
        _ = base.first
        with self._lock:
            found = self._bases.setdefault(name, base)
            while len(self._bases) > MOST_PLANS:
                self._bases.popitem(last=False)
        return found

    def _newest_version(self, conn: sa.Connection) -> int | None:
        table = self.workspace.table("grids")
        found = conn.execute(sa.select(sa.func.max(table.c.version))).scalar_one()
        return None if found is None else int(found)


def _is_rebase(table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.edit.like('{"do":"rebase"%')
