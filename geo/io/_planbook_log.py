"""The log of a plan as states: which plan it was after each edit, kept for the newest ones.

Rows of `plan_edits` are only ever added; of a row only its state changes, from conflict to taken or
dropped. What becomes of the plan is said by the rows in order: an applied edit is run, `undo` and
`redo` name the edit that they take back or do again, `take` carries the edit that settles a
conflict, `rebase` names another base, from which everything behind it starts.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
import shapely
import sqlalchemy as sa

from geo.errors import InputError, StoreError
from geo.io.plan_base import Base
from geo.io.workspace import Workspace
from geo.plan import Plan, RedrawError
from geo.plan_merge import (
    Clash,
    Touch,
    carry_edit,
    find_changes,
    find_clash,
    find_touch,
    place_of,
    run_edit,
    vertex_places,
)

KEPT_STATES = 60
"""Newest states of a plan that are kept; one of 20,000 blocks takes about a megabyte."""

MILESTONE = 50
"""Of older states every one of so many is kept, so that going back is quick, too."""

CLASH = "clash"
PLACES = "places"
"""Keys beside the edit in its row: why it waits, and where its vertices lay."""

TELLS = ("undo", "redo", "take", "drop", "rebase")
"""Kinds of rows that are about other rows."""


@dataclass(frozen=True, eq=False)
class LogEdit:
    """One row of the log of a plan."""

    seq: int
    edit_id: str
    at: datetime
    by: str
    on_seq: int
    """Newest row that its author had seen."""
    state: str
    edit: dict[str, Any]
    clash: Clash | None = None
    """Why it waits, or waited."""
    places: Mapping[int, list[float]] | None = None
    """Where the vertices lay that it names, x and y, as its author saw them."""


@dataclass(frozen=True, eq=False)
class Link:
    """Edits behind one another, the newest first."""

    row: LogEdit
    older: Link | None


@dataclass(frozen=True, eq=False)
class State:
    """A plan after some row, and what can be undone and redone there."""

    seq: int
    base: Base
    plan: Plan
    done: Link | None = None
    gone: Link | None = None
    broken: tuple[int, ...] = ()
    """Rows that were applied once and that this program finds to break a rule."""


def to_json(row: LogEdit) -> str:
    """The edit of a row as the table has it."""
    edit = dict(row.edit)
    if row.clash is not None:
        edit[CLASH] = {
            "code": row.clash.code, "text": row.clash.text, "blocks": list(row.clash.blocks),
            "grids": list(row.clash.grids), "seqs": list(row.clash.seqs),
            "place": None if row.clash.place is None else list(row.clash.place),
        }  # fmt: skip
    if row.places:
        edit[PLACES] = {str(number): place for number, place in row.places.items()}
    return json.dumps(edit, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(text: str) -> tuple[dict[str, Any], Clash | None, dict[int, list[float]] | None]:
    """The edit of a row, why it waits, and where its vertices lay."""
    edit = json.loads(text)
    if not isinstance(edit, dict):
        raise StoreError("an edit of a plan is no object: bring back city.gpkg from a copy")
    words, places = edit.pop(CLASH, None), edit.pop(PLACES, None)
    clash = words and Clash(
        words["code"], words["text"], tuple(words["blocks"]), tuple(words["grids"]),
        tuple(words["seqs"]), None if words["place"] is None else tuple(words["place"]),
    )  # fmt: skip
    return edit, clash, places and {int(number): place for number, place in places.items()}


def read_rows(
    workspace: Workspace, conn: sa.Connection, plan_id: str, where: sa.ColumnElement[bool]
) -> list[LogEdit]:
    """Rows of a log, in order."""
    table = workspace.table("plan_edits")
    columns = [table.c[name] for name in ("seq", "edit_id", "at", "by", "on_seq", "state", "edit")]
    query = sa.select(*columns).where(table.c.plan_id == plan_id, where).order_by(table.c.seq)
    found = []
    for seq, edit_id, at, by, on_seq, state, text in conn.execute(query):
        edit, clash, places = from_json(text)
        found.append(LogEdit(seq, edit_id, at, by, on_seq, state, edit, clash, places))
    return found


def insert_rows(
    workspace: Workspace, conn: sa.Connection, plan_id: str, rows: Sequence[LogEdit]
) -> None:
    """Add rows to a log."""
    if not rows:
        return
    frame = pd.DataFrame(
        {
            "plan_id": plan_id,
            "seq": [row.seq for row in rows],
            "edit_id": [row.edit_id for row in rows],
            "at": pd.to_datetime([row.at for row in rows], utc=True),
            "by": [row.by for row in rows],
            "on_seq": [row.on_seq for row in rows],
            "state": [row.state for row in rows],
            "edit": [to_json(row) for row in rows],
        }
    )
    workspace.append(conn, "plan_edits", frame)


def advance(state: State, row: LogEdit, read: Callable[[str], Base]) -> State:
    """The state after one more row.

    Raises
    ------
    StoreError
        If the row is of a kind that this program does not know.
    """
    after = replace(state, seq=row.seq)
    kind = row.edit.get("do")
    if row.state != "applied" or kind == "drop":
        return after
    if kind == "rebase":
        base = read(str(row.edit["base"]))
        return State(row.seq, base, base.first, broken=state.broken)
    if kind in ("undo", "redo"):
        try:
            act = take_out if kind == "undo" else put_back
            return replace(act(state, int(row.edit["seq"])), seq=row.seq)
        except RedrawError:
            return replace(after, broken=(*state.broken, row.seq))
    edit = row.edit["edit"] if kind == "take" else row.edit
    try:
        plan = run_edit(state.plan, edit)
    except RedrawError:
        return replace(after, broken=(*state.broken, row.seq))
    except InputError as error:
        raise StoreError(f"edit {row.seq} of the plan cannot be run: {error}") from error
    return replace(after, plan=plan, done=Link(row, state.done), gone=None)


def take_out(state: State, seq: int) -> State:
    """The state without one of the edits that stand in it, those behind it run again.

    Only an edit that nothing behind it touches comes out: each of those must do exactly what it did
    before, down to the ids of new grids. So the plan is what it would be had the edit never been.

    Raises
    ------
    RedrawError
        If something behind it touches the same (`covered`, with `by`), or it does not stand.
    """
    if state.done is not None and state.done.row.seq == seq:
        gone = Link(state.done.row, state.gone)
        return replace(state, plan=state.plan.undo(), done=state.done.older, gone=gone)
    later: list[tuple[LogEdit, Plan, Plan]] = []
    plan, link = state.plan, state.done
    while link is not None and link.row.seq != seq:
        before = plan.undo()
        later.append((link.row, before, plan))
        plan, link = before, link.older
    if link is None:
        raise RedrawError(f"edit {seq} does not stand any more", code="nothing_to_undo")
    now = replace(plan.undo(), undone=None)
    mine, places = find_touch(now, plan), vertex_places(_inner(link.row), now)
    gone, done = Link(replace(link.row, places=places or None), None), link.older
    for row, before, after in reversed(later):
        theirs = find_touch(before, after)
        if find_clash(mine, theirs) is not None:
            raise _covered(row, now, plan, mine, theirs)
        try:
            edit = carry_edit(_inner(row), before.ground.xy, now)
            then = run_edit(now, edit)
        except RedrawError as error:
            raise _covered(row, now, plan, mine, theirs) from error
        if find_touch(now, then).effect != theirs.effect:
            raise _covered(row, now, plan, mine, theirs)
        now, done = then, Link(_with_inner(row, edit), done)
    return replace(state, plan=now, done=done, gone=gone)


def put_back(state: State, seq: int) -> State:
    """The state with the edit that was taken out last.

    Raises
    ------
    RedrawError
        If it was another one, or no longer holds.
    """
    top = state.gone
    if top is None or top.row.seq != seq:
        raise RedrawError(f"edit {seq} was not undone last", code="nothing_to_redo")
    if state.plan.undone is not None:
        done = Link(top.row, state.done)
        return replace(state, plan=state.plan.redo(), done=done, gone=top.older)
    # It was taken out from under others: its way back is to be run.
    edit = _inner(top.row)
    if top.row.places:
        edit = carry_edit(edit, top.row.places, state.plan)
    done = Link(replace(_with_inner(top.row, edit), places=None), state.done)
    return replace(state, plan=run_edit(state.plan, edit), done=done, gone=top.older)


def _inner(row: LogEdit) -> dict[str, Any]:
    """The edit that a row did: of one that settles a conflict, what was taken."""
    return dict(row.edit["edit"] if row.edit.get("do") == "take" else row.edit)


def _with_inner(row: LogEdit, edit: dict[str, Any]) -> LogEdit:
    is_take = row.edit.get("do") == "take"
    return replace(row, edit={**row.edit, "edit": edit} if is_take else edit)


def _covered(row: LogEdit, now: Plan, plan: Plan, mine: Touch, theirs: Touch) -> RedrawError:
    place = place_of(plan, now, sorted(mine.blocks & theirs.blocks), sorted(mine.grids))
    return RedrawError(
        f"{row.by} changed the same place since: ask them to take that back first",
        None if place is None else shapely.Point(place),
        code="covered",
        by=row.by,
    )


class Line:
    """The log of one plan in memory, with its newest states. Safe to share between threads.

    Only rows that are committed get in here.
    """

    def __init__(self, base: Base, read: Callable[[str], Base]) -> None:
        self.lock = threading.RLock()
        self._read = read
        self.rows: list[LogEdit] = []
        self._states: OrderedDict[int, State] = OrderedDict()
        self._states[0] = State(0, base, base.first)
        self._touches: dict[int, Touch] = {}
        self.by_id: dict[str, LogEdit] = {}
        """Rows by the id that the screen gave them."""

    @property
    def seq(self) -> int:
        """Number of the newest row."""
        return len(self.rows)

    @property
    def newest(self) -> State:
        """The newest state."""
        return self.state(self.seq)

    def add(self, rows: Iterable[LogEdit], state: State | None = None) -> None:
        """Take in rows that follow, or that replace known ones; `state` if it is known already."""
        for row in rows:
            self.by_id[row.edit_id] = row
            if row.seq <= len(self.rows):
                self.rows[row.seq - 1] = row
            elif row.seq == len(self.rows) + 1:
                before = self.newest
                self.rows.append(row)
                known = state is not None and state.seq == row.seq
                self._keep(state if known and state else advance(before, row, self._read))
            else:
                raise StoreError(f"edit {len(self.rows) + 1} of the plan is missing")

    def state(self, seq: int) -> State:
        """The state after a row; older ones are run again from the nearest that is kept."""
        if not 0 <= seq <= len(self.rows):
            raise InputError(f"the plan has no edit {seq}: its newest is {len(self.rows)}")
        if seq in self._states:
            return self._states[seq]
        state = self._states[max(known for known in self._states if known < seq)]
        for row in self.rows[state.seq : seq]:
            state = advance(state, row, self._read)
            if state.seq % MILESTONE == 0 or seq - state.seq < 2:
                self._keep(state)
        return state

    def touch(self, seq: int) -> Touch:
        """What a row did to the plan."""
        if seq not in self._touches:
            before, after = self.state(seq - 1), self.state(seq)
            if before.plan is after.plan:
                found = Touch()
            elif before.base is after.base:
                found = find_touch(before.plan, after.plan)
            else:
                found = find_changes(before.plan, after.plan)
            self._touches[seq] = found
        return self._touches[seq]

    def _keep(self, state: State) -> None:
        self._states[state.seq] = state
        self._states.move_to_end(state.seq)
        old = [seq for seq in self._states if seq % MILESTONE]
        for seq in old[: max(len(old) - KEPT_STATES, 0)]:
            del self._states[seq]
