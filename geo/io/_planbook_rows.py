"""Rows of `plans` and `plan_moves`: who began, submitted, approved and published which plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from geo.errors import InputError, RuleError
from geo.io._casebook_rows import to_stored as to_stored
from geo.io.workspace import Workspace
from geo.schema import PLAN_STATES, TABLES

MOVES: Mapping[str, tuple[str, ...]] = {
    "draft": ("review", "dropped"),
    "review": ("draft", "approved", "dropped"),
    "approved": ("draft", "in_force", "dropped"),
    "in_force": ("past",),
    "past": (),
    "dropped": ("draft",),
}
"""Which state follows which. What is in force is never a draft again: copy it."""

Row = dict[str, Any]


def next_states(row: Row, *, is_dated: bool = False) -> tuple[str, ...]:
    """States that a plan may come into.

    An approved plan stays approved when it gets a day or a boundary version (`is_dated`). Once its
    grids are published under a version, it only comes into force.
    """
    if row["state"] != "approved":
        return MOVES[row["state"]]
    if row["version"] is not None:
        return ("in_force",)
    return (*MOVES["approved"], "approved") if is_dated else MOVES["approved"]


class PlanStateError(RuleError):
    """The plan is in a state in which that cannot be done; the message says which."""


class UnknownPlanError(InputError, LookupError):
    """No plan or comment has that id."""


def text_of(value: str, name: str) -> str:
    """A text without blanks around it; InputError if nothing is left."""
    found = value.strip() if isinstance(value, str) else ""
    if not found:
        raise InputError(f"{name} is empty: say it")
    return found


def name_of(name: str) -> str:
    """The name of a plan; InputError if it is empty or longer than 200 letters."""
    found = text_of(name, "name")
    if len(found) > 200:
        raise InputError(f"the name has {len(found)} letters: 200 are enough")
    return found


def next_plan_id(workspace: Workspace, conn: sa.Connection, now: datetime) -> str:
    """P, the day in the city and the next free number of it: P20261121-01."""
    day = now.astimezone(workspace.zone).strftime("P%Y%m%d-")
    table = workspace.table("plans")
    ids = conn.execute(sa.select(table.c.plan_id).where(table.c.plan_id.like(f"{day}%")))
    taken = {one.removeprefix(day) for one in ids.scalars()}
    numbers = [int(one) for one in taken if one.isdecimal() and one.isascii()]
    return f"{day}{max(numbers, default=0) + 1:02d}"


def read_plan_row(workspace: Workspace, conn: sa.Connection, plan_id: str) -> Row:
    """One row of `plans` by column; UnknownPlanError if there is none."""
    table = workspace.table("plans")
    columns = [table.c[name] for name in TABLES["plans"].names]
    row = conn.execute(sa.select(*columns).where(table.c.plan_id == plan_id)).mappings().first()
    if row is None:
        raise UnknownPlanError(f"there is no plan {plan_id}")
    return dict(row)


def insert_plan(
    workspace: Workspace,
    conn: sa.Connection,
    plan_id: str,
    name: str,
    author: str,
    now: datetime,
    **values: Any,
) -> None:
    """Add a draft to `plans`; InputError if the id is taken."""
    table = workspace.table("plans")
    row = {"plan_id": plan_id, "name": name, "author": author, "state": "draft"}
    conn.execute(table.insert(), [row | {"created_at": now, "changed_at": now} | values])
    workspace.touch(conn, "plans")


def update_plan(
    workspace: Workspace, conn: sa.Connection, plan_id: str, now: datetime, **values: Any
) -> None:
    """Change columns of a plan and say when it was."""
    table = workspace.table("plans")
    conn.execute(
        sa.update(table).where(table.c.plan_id == plan_id).values(changed_at=now, **values)
    )
    workspace.touch(conn, "plans")


def add_move(
    workspace: Workspace,
    conn: sa.Connection,
    plan_id: str,
    state: str,
    *,
    by: str,
    at: datetime,
    note: str | None = None,
    verdict: Any = None,
) -> None:
    """Write down that a plan came into a state, or stays in it under another name."""
    if state not in PLAN_STATES:
        raise InputError(f"{state!r} is no state of a plan: use one of {', '.join(PLAN_STATES)}")
    table = workspace.table("plan_moves")
    last = sa.select(sa.func.coalesce(sa.func.max(table.c.seq), 0))
    seq = int(conn.execute(last.where(table.c.plan_id == plan_id)).scalar_one()) + 1
    frame = pd.DataFrame(
        {
            "plan_id": [plan_id], "seq": [seq], "at": pd.to_datetime([at], utc=True), "by": [by],
            "state": [state], "note": [note],
            "verdict": [None if verdict is None else json.dumps(verdict, ensure_ascii=False)],
        }
    )  # fmt: skip
    workspace.append(conn, "plan_moves", frame)
