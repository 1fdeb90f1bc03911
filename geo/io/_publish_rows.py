"""What publishing writes, statement by statement; `geo.io.publish` holds them in one transaction.

No row that has ended is changed: every statement names the rows that are still open, or that have
not begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import geopandas as gpd
import pandas as pd
import sqlalchemy as sa

from geo.errors import StoreBusyError
from geo.io.plan_base import Base
from geo.io.planbook import PlanBook
from geo.io.workspace import Workspace
from geo.plan import Plan
from geo.publish import DutyMoves, find_heirs
from geo.schema import STORAGE_CRS

_AT_ONCE = 500


def _pieces(ids: Iterable[str]) -> Iterable[list[str]]:
    listed = list(ids)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]


def plan_key(
    workspace: Workspace, conn: sa.Connection, plan_id: str
) -> tuple[int, str, int | None]:
    """Number of the newest edit, state and version of a plan as they are inside the transaction."""
    table = workspace.table("plans")
    row = conn.execute(
        sa.select(table.c.seq, table.c.state, table.c.version).where(table.c.plan_id == plan_id)
    ).one()
    return int(row.seq), str(row.state), None if row.version is None else int(row.version)


def close_rows(
    workspace: Workspace, conn: sa.Connection, codes: Sequence[str], at: datetime
) -> dict[str, int]:
    """End the open rows of these codes at a moment; returns the version that each was."""
    table = workspace.table("grids")
    found: dict[str, int] = {}
    for piece in _pieces(codes):
        is_open = table.c.grid_id.in_(piece) & table.c.valid_to.is_(None)
        rows = conn.execute(sa.select(table.c.grid_id, table.c.version).where(is_open))
        found |= {str(row.grid_id): int(row.version) for row in rows}
        conn.execute(sa.update(table).where(is_open).values(valid_to=at))
    if set(found) != set(codes):
        lost = sorted(set(codes) - set(found))
        raise StoreBusyError(f"grid {lost[0]} is no longer in force: look at the plan again")
    workspace.touch(conn, "grids")
    return found


def write_parents(
    workspace: Workspace,
    conn: sa.Connection,
    parents: pd.DataFrame,
    version: int,
    before: Mapping[str, int],
) -> None:
    """Keep where each new row comes from."""
    frame = parents.assign(
        version=version, from_version=parents["from_grid_id"].map(before).astype("Int64")
    )
    workspace.append(conn, "grid_parents", frame)


def replace_blocks(workspace: Workspace, conn: sa.Connection, base: Base, plan: Plan) -> int:
    """Write blocks that were cut or moved; those that were joined for the plan become the one."""
    changed = base.changed_blocks(plan)
    if not changed:
        return 0
    rows = [plan.block_rows[name] for name in changed]
    origin = [base.blocks.index[row] for row in plan.blocks.origin[rows].tolist()]
    old = set(origin)
    old |= {part for part, whole in base.joined.items() if whole in old}
    table = workspace.table("blocks")
    for piece in _pieces(sorted(old | set(changed))):
        workspace.delete(conn, "blocks", table.c.block_id.in_(piece))
    known = base.blocks.loc[origin]
    frame = gpd.GeoDataFrame(
        {
            "block_id": pd.array(changed, dtype="str"),
            "compound": pd.array(known["compound"], dtype="str"),
            "households": plan.blocks.households[rows],
            "population": plan.blocks.people[rows],
            "community_code": pd.array(known["community_code"], dtype="str"),
        },
        geometry=base.block_polygons(plan, rows),
        crs=STORAGE_CRS,
    )
    return workspace.append(conn, "blocks", frame)


def write_duties(
    workspace: Workspace, conn: sa.Connection, moves: DutyMoves, from_: datetime
) -> None:
    """End and begin appointments; one that lies wholly ahead is moved as it is."""
    if not (moves.ended or moves.moved or len(moves.begun)):
        return
    table = workspace.table("duties")
    for piece in _pieces(moves.ended):
        conn.execute(
            sa.update(table)
            .where(
                table.c.duty_id.in_(piece),
                table.c.valid_to.is_(None) | (table.c.valid_to > from_),
            )
            .values(valid_to=from_)
        )
    for duty_id, unit in moves.moved.items():
        conn.execute(sa.update(table).where(table.c.duty_id == duty_id).values(unit_code=unit))
    workspace.append(conn, "duties", moves.begun)
    workspace.touch(conn, "duties")


def begin_version(
    workspace: Workspace,
    conn: sa.Connection,
    book: PlanBook,
    plan_id: str,
    workers: Mapping[str, str],
    by: str,
    at: datetime,
) -> None:
    """Take a published plan into force: its state, and the units that workers answer for."""
    book.move(plan_id, "in_force", by=by, at=at, conn=conn)
    table = workspace.table("workers")
    for worker_id, unit in workers.items():
        conn.execute(sa.update(table).where(table.c.worker_id == worker_id).values(unit_code=unit))
    if workers:
        workspace.touch(conn, "workers")


def waiting_plans(
    workspace: Workspace, at: datetime, conn: sa.Connection | None = None
) -> list[tuple[str, int, str]]:
    """Plans that were published ahead and whose day has come: id, version, who published."""
    plans, moves = workspace.table("plans"), workspace.table("plan_moves")
    who = (
        sa.select(moves.c.by)
        .where(moves.c.plan_id == plans.c.plan_id)
        .order_by(moves.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        sa.select(plans.c.plan_id, plans.c.version, who)
        .where(plans.c.state == "approved", plans.c.version.is_not(None), plans.c.from_day <= at)
        .order_by(plans.c.version)
    )
    if conn is not None:
        return [(str(a), int(b), str(c or "")) for a, b, c in conn.execute(query)]
    with workspace.reading() as link:
        return [(str(a), int(b), str(c or "")) for a, b, c in link.execute(query)]


def late_workers(workspace: Workspace, conn: sa.Connection, version: int) -> dict[str, str]:
    """Workers who still stand at a grid that ended with a version, and its heir."""
    table = workspace.table("grid_parents")
    parents = workspace.read("grid_parents", where=table.c.version == version, conn=conn)
    parents = parents.reset_index()
    bears = set(parents["grid_id"])
    ended = set(parents["from_grid_id"]) - bears - _open_codes(workspace, conn)
    heirs = find_heirs(parents, ended)
    people = workspace.read("workers", columns=["unit_code"], conn=conn)["unit_code"]
    return {str(who): heirs[str(unit)] for who, unit in people.items() if unit in heirs}


def _open_codes(workspace: Workspace, conn: sa.Connection) -> set[str]:
    table = workspace.table("grids")
    query = sa.select(table.c.grid_id).where(table.c.valid_to.is_(None))
    return set(conn.execute(query).scalars())


def end_plans(
    workspace: Workspace, conn: sa.Connection, book: PlanBook, by: str, at: datetime
) -> None:
    """Plans in force of whose version no grid is in force any more belong to the past."""
    plans, grids = workspace.table("plans"), workspace.table("grids")
    lives = (
        sa.select(grids.c.fid)
        .where(
            grids.c.version == plans.c.version,
            grids.c.valid_to.is_(None) | (grids.c.valid_to > at),
        )
        .exists()
    )
    query = sa.select(plans.c.plan_id).where(plans.c.state == "in_force", ~lives)
    for plan_id in conn.execute(query).scalars().all():
        book.move(str(plan_id), "past", by=by, at=at, conn=conn)
