"""What people say and decide about plans: comments pinned on the map, states, the list of plans."""

from __future__ import annotations

import contextlib
import math
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from geo.errors import InputError
from geo.io._planbook_rows import (
    PlanStateError,
    Row,
    UnknownPlanError,
    add_move,
    next_states,
    read_plan_row,
    text_of,
    to_stored,
    update_plan,
)
from geo.io.workspace import Workspace
from geo.schema import PLAN_STATES, TABLES

MOST_LETTERS = 4000
"""Letters of a comment; our assumption."""


class PlanTalk:
    """The part of a book that does not draw."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    # --- plans and their states ------------------------------------------------------------------

    def plans(self) -> pd.DataFrame:
        """All plans, newest change first: `plans` by `plan_id`, `conflicts`, `open_comments`."""
        with self.workspace.reading() as conn:
            found = self.workspace.read("plans", conn=conn)
            edits = self.workspace.table("plan_edits")
            comments = self.workspace.table("plan_comments")
            waiting = self._counts(conn, edits, edits.c.state == "conflict")
            is_open = comments.c.done_at.is_(None) & comments.c.reply_to.is_(None)
            talk = self._counts(conn, comments, is_open)
        found = found.sort_values("changed_at", ascending=False, kind="stable")
        return found.assign(
            conflicts=[waiting.get(str(name), 0) for name in found.index],
            open_comments=[talk.get(str(name), 0) for name in found.index],
        )

    def _counts(
        self, conn: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]
    ) -> dict[str, int]:
        query = sa.select(table.c.plan_id, sa.func.count()).where(where).group_by(table.c.plan_id)
        return {str(name): int(count) for name, count in conn.execute(query)}

    def row(self, plan_id: str) -> Row:
        """One row of `plans` by column; UnknownPlanError if there is none."""
        with self.workspace.reading() as conn:
            return read_plan_row(self.workspace, conn, plan_id)

    def move(
        self,
        plan_id: str,
        state: str,
        *,
        by: str,
        at: datetime,
        note: str | None = None,
        verdict: Any = None,
        from_day: datetime | None = None,
        version: int | None = None,
        conn: sa.Connection | None = None,
    ) -> None:
        """Bring a plan into another state (`MOVES`); its moves tell who, when and why.

        An approved plan that gets a day or a version stays approved until that day; once it has a
        version, its grids are dated and it only comes into force.

        Parameters
        ----------
        verdict
            What the rules said, as plain values.
        from_day
            From when it is to be in force.
        version
            Boundary version that it was published as.
        conn
            The transaction to write in; a new one if not given.

        Raises
        ------
        PlanStateError
            If that state does not follow the one that the plan is in now.
        UnknownPlanError
            If there is no such plan.
        """
        now, author = to_stored(at, "at"), text_of(by, "by")
        if state not in PLAN_STATES:
            raise InputError(
                f"{state!r} is no state of a plan: use one of {', '.join(PLAN_STATES)}"
            )
        values: Row = {"state": state}
        if from_day is not None:
            values["from_day"] = to_stored(from_day, "from_day")
        if version is not None:
            values["version"] = version
        with contextlib.ExitStack() as stack:
            link = conn if conn is not None else stack.enter_context(self.workspace.writing())
            row = read_plan_row(self.workspace, link, plan_id)
            dated = from_day is not None or version is not None
            follows = next_states(row, is_dated=dated)
            if state not in follows:
                raise PlanStateError(
                    f"plan {plan_id} is {row['state']} and cannot become {state}: from there it"
                    f" becomes {' or '.join(follows) or 'nothing else'}"
                )
            add_move(
                self.workspace, link, plan_id, state, by=author, at=now, note=_words(note),
                verdict=verdict,
            )  # fmt: skip
            update_plan(self.workspace, link, plan_id, now, **values)

    def moves(self, plan_id: str) -> pd.DataFrame:
        """Every move of a plan in order: `seq`, `at`, `by`, `state`, `note`, `verdict` (JSON)."""
        table = self.workspace.table("plan_moves")
        with self.workspace.reading() as conn:
            read_plan_row(self.workspace, conn, plan_id)
            found = self.workspace.read(
                "plan_moves", where=table.c.plan_id == plan_id, order_by=table.c.seq, conn=conn
            )
        columns = ["seq", "at", "by", "state", "note", "verdict"]
        return found.reset_index(drop=True)[columns]

    # --- comments --------------------------------------------------------------------------------

    def comment(
        self,
        plan_id: str,
        *,
        by: str,
        text: str,
        at: datetime,
        grid_id: str | None = None,
        lon: float | None = None,
        lat: float | None = None,
        reply_to: str | None = None,
        comment_id: str | None = None,
    ) -> str:
        """Pin a comment on the map of a plan, or answer one; returns its id.

        Parameters
        ----------
        lon, lat
            WGS-84 degrees; neither: about the grid, or the whole plan.
        comment_id
            Given by the screen; the same one twice counts once.

        Raises
        ------
        InputError
            If it says nothing, or the place is none.
        UnknownPlanError
            If there is no such plan, or no comment to answer in it.
        """
        now, author, words = to_stored(at, "at"), text_of(by, "by"), text_of(text, "text")
        if len(words) > MOST_LETTERS:
            raise InputError(f"the comment has {len(words)} letters: {MOST_LETTERS} are enough")
        require_place(lon, lat)
        table = self.workspace.table("plan_comments")
        with self.workspace.writing() as conn:
            read_plan_row(self.workspace, conn, plan_id)
            made = comment_id or self._next_comment(conn, plan_id)
            before = conn.execute(
                sa.select(table.c.plan_id, table.c.by).where(table.c.comment_id == made)
            ).first()
            if before is not None:
                if tuple(before) != (plan_id, author):
                    raise InputError(f"comment_id {made} is taken: give each comment its own")
                return made
            if reply_to is not None:
                self._require_comment(conn, reply_to, plan_id)
            row = {
                "comment_id": made, "plan_id": plan_id, "at": now, "by": author, "text": words,
                "grid_id": _words(grid_id), "reply_to": reply_to, "lon": lon, "lat": lat,
            }  # fmt: skip
            conn.execute(table.insert(), [row])
            self.workspace.touch(conn, "plan_comments")
            update_plan(self.workspace, conn, plan_id, now)
        return made

    def comments(self, plan_id: str) -> pd.DataFrame:
        """Comments of a plan by `comment_id`, the oldest first; replies name `reply_to`."""
        table = self.workspace.table("plan_comments")
        with self.workspace.reading() as conn:
            read_plan_row(self.workspace, conn, plan_id)
            return self.workspace.read(
                "plan_comments", where=table.c.plan_id == plan_id, order_by=table.c.fid, conn=conn
            )

    def settle_comment(self, comment_id: str, *, by: str, at: datetime, done: bool = True) -> None:
        """Say that a comment is settled, or that it is open again."""
        now, author = to_stored(at, "at"), text_of(by, "by")
        table = self.workspace.table("plan_comments")
        with self.workspace.writing() as conn:
            plan_id = self._require_comment(conn, comment_id, None)
            conn.execute(
                sa.update(table)
                .where(table.c.comment_id == comment_id)
                .values(done_at=now if done else None, done_by=author if done else None)
            )
            self.workspace.touch(conn, "plan_comments")
            update_plan(self.workspace, conn, plan_id, now)

    def _require_comment(self, conn: sa.Connection, comment_id: str, plan_id: str | None) -> str:
        table = self.workspace.table("plan_comments")
        query = sa.select(table.c.plan_id).where(table.c.comment_id == comment_id)
        found = conn.execute(query).scalar_one_or_none()
        if found is None or (plan_id is not None and found != plan_id):
            raise UnknownPlanError(f"there is no comment {comment_id} in the plan")
        return str(found)

    def _next_comment(self, conn: sa.Connection, plan_id: str) -> str:
        table = self.workspace.table("plan_comments")
        ids = set(conn.execute(sa.select(table.c.comment_id)).scalars())
        number = 1
        while f"{plan_id}-C{number}" in ids:
            number += 1
        return f"{plan_id}-C{number}"

    def _put_comments(self, conn: sa.Connection, plan_id: str, comments: list[Row]) -> None:
        """Add comments out of a file under new ids, answers still to what they answer."""
        names = {str(row["comment_id"]): f"{plan_id}-C{k}" for k, row in enumerate(comments, 1)}
        table = self.workspace.table("plan_comments")
        rows = [
            row
            | {
                "comment_id": names[str(row["comment_id"])],
                "plan_id": plan_id,
                "reply_to": names.get(str(row["reply_to"])),
            }
            for row in comments
        ]
        if rows:
            conn.execute(
                table.insert(),
                [{n: row.get(n) for n in TABLES["plan_comments"].names} for row in rows],
            )
            self.workspace.touch(conn, "plan_comments")


def require_place(lon: float | None, lat: float | None) -> None:
    """See that longitude and latitude are a place, or both none; InputError if not."""
    if lon is None and lat is None:
        return
    if lon is None or lat is None:
        raise InputError("one of lon and lat is missing: give both, or neither")
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):
        raise InputError(f"lon {lon}, lat {lat} is no place: give WGS-84 degrees")


def _words(text: str | None) -> str | None:
    return ((text or "").strip()) or None
