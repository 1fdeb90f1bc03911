"""A case in the store: its row, its log, and the row that follows from the log.

The log is only inserted into. What `incidents` says of a case is written anew from the fold of its
log in the same transaction, so the two never differ. A case without any log, from a file of before
there were logs, folds from the `recorded` rows that its incidents row stands for; they are written
with its first move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import shapely
import sqlalchemy as sa

from geo.deadlines import Limit, find_deadlines, lengthen_deadlines
from geo.errors import InputError, RuleError
from geo.incidents import (
    LOG_COLUMNS,
    OPEN_STAGES,
    RECORDED,
    Case,
    LogRow,
    find_clocks,
    fold,
    log_table,
)
from geo.io import gpkg
from geo.io._gate_log import MOMENT_UNKNOWN
from geo.io.rules import Rules
from geo.io.workspace import Workspace

Row = dict[str, Any]
ID_DIGITS = 5
"""Digits of the number of the day in an id that we make: 20261121 00001."""

FOLDED = (
    "stage",
    "deadline",
    "closed_at",
    "condition",
    "owner",
    "level",
    "paused_until",
)
"""Columns of `incidents` that follow from the log."""


class UnknownCaseError(InputError, LookupError):
    """There is no case of that id."""


@dataclass(frozen=True)
class Due:
    """What the rules make of the log of a case."""

    deadline: datetime | None
    limit: Limit | None
    assumed: bool
    """Working days of a year that no calendar knows were needed, see `geo.deadlines`."""
    told: bool
    """The source named the deadline; limits leave it as it is."""
    pauses: pd.DataFrame
    """When the clock stood: `start`, `end` (empty: not known), `reason`."""

    def stands(self, at: datetime) -> bool:
        """Tell whether the clock stands at a moment."""
        end = self.pauses["end"]
        return bool(((self.pauses["start"] <= at) & (end.isna() | (end > at))).any())


def to_stored(moment: datetime, name: str) -> datetime:
    """A moment as the file keeps it: UTC, to the millisecond. InputError without a zone."""
    if moment.tzinfo is None:
        raise InputError(f"{name} is {moment}, without a zone: give a time with a zone")
    return datetime.fromisoformat(gpkg.to_time_text(moment))


def read_row(workspace: Workspace, conn: sa.Connection, incident_id: str) -> Row:
    """The row of `incidents` without its shape, with `fid`; UnknownCaseError if there is none."""
    table = workspace.table("incidents")
    columns = [column for column in table.c if column.name != "geom"]
    found = conn.execute(sa.select(*columns).where(table.c.incident_id == incident_id)).mappings()
    row = found.one_or_none()
    if row is None:
        raise UnknownCaseError(f"no case {incident_id}: it was never reported, or was removed")
    return dict(row)


def read_case(workspace: Workspace, conn: sa.Connection, row: Row) -> tuple[Case, bool]:
    """The case that the log of a row tells, and whether the log is in the store at all."""
    table = workspace.table("incident_log")
    columns = [table.c[name] for name in LOG_COLUMNS]
    query = sa.select(*columns).where(table.c.incident_id == row["incident_id"])
    found = conn.execute(query.order_by(table.c.seq)).all()
    rows = [_log_row(values) for values in found]
    return fold(rows or told_rows(row)), bool(rows)


def _log_row(values: Sequence[Any]) -> LogRow:
    row = LogRow(*values)
    return row if row.move else replace(row, move=RECORDED)


def told_rows(row: Row) -> list[LogRow]:
    """The log that a row without one stands for, as the import gate writes it."""
    is_new = row["stage"] == "collected"
    now = {name: row[name] for name in ("owner", "level", "condition")}
    first = LogRow(
        row["incident_id"], 1, row["reported_at"], "collected", until=row["deadline"],
        **(now if is_new else {}),
    )  # fmt: skip
    if is_new:
        return [first]
    closed = row["closed_at"]
    note = MOMENT_UNKNOWN if closed is None else None
    at = closed or row["reported_at"]
    return [first, LogRow(row["incident_id"], 2, at, row["stage"], note=note, **now)]


def insert_log(workspace: Workspace, conn: sa.Connection, rows: Iterable[LogRow]) -> None:
    """Add rows to the log."""
    values = [{name: getattr(row, name) for name in LOG_COLUMNS} for row in rows]
    conn.execute(workspace.table("incident_log").insert(), values)
    workspace.touch(conn, "incident_log")


def find_due(case: Case, class_code: str | None, rules: Rules) -> Due:
    """Find the deadline of a case by its log and the rules.

    A deadline that the source told (`until` of the last `recorded` row that has one) stays, and is
    lengthened by what the clock stood; else the limit of class and opening condition counts from
    where the rules let the clock start.
    """
    mine = rules.case
    clocks = find_clocks(
        log_table(case.log),
        starts_at=mine.starts_at,
        restart_on=mine.restart_on,
        stands_while=mine.stands_while,
        pause_from=mine.pause_from,
    )
    limit = rules.limit(class_code, case.condition)
    told = next((r.until for r in reversed(case.log) if r.move == RECORDED and r.until), None)
    index = clocks.start.index
    if told is not None:
        unit = pd.Series([None if limit is None else limit.unit], index=index, dtype="str")
        found = lengthen_deadlines(
            pd.Series([told], index=index).dt.tz_convert("UTC"),
            clocks.pauses,
            units=unit,
            calendar=rules.calendar,
        ).iloc[0]
        return Due(_moment(found), limit, False, True, clocks.pauses)
    if limit is None:
        return Due(None, None, False, False, clocks.pauses)
    cases = pd.DataFrame(
        {"start": clocks.start, "amount": float(limit.amount), "unit": str(limit.unit)}
    )
    row = find_deadlines(
        cases, calendar=rules.calendar, pauses=clocks.pauses, day_rule=mine.day_rule
    ).iloc[0]
    return Due(_moment(row["deadline"]), limit, bool(row["assumed"]), False, clocks.pauses)


def _moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else to_stored(value.to_pydatetime(), "deadline")


def folded(case: Case, due: Due) -> Row:
    """What the row of a case must say after its log."""
    return {
        "stage": case.stage,
        "deadline": due.deadline,
        "closed_at": None if case.stage in OPEN_STAGES else case.closed_at,
        "condition": case.condition,
        "owner": case.owner,
        "level": case.level,
        "paused_until": case.postponed_until,
    }


def update_row(workspace: Workspace, conn: sa.Connection, incident_id: str, values: Row) -> None:
    """Write what the log adds up to into the row of a case."""
    table = workspace.table("incidents")
    conn.execute(sa.update(table).where(table.c.incident_id == incident_id).values(values))
    workspace.touch(conn, "incidents")


def insert_row(workspace: Workspace, conn: sa.Connection, row: Row) -> Row:
    """Add the row of a new case, and give it back with its `fid`; `lon` and `lat` place it."""
    shape = None if row["lon"] is None else shapely.Point(row["lon"], row["lat"])
    values = row | {"geom": gpkg.to_blobs([shape])[0]}
    made = conn.execute(workspace.table("incidents").insert().values(values))
    workspace.touch(conn, "incidents")
    key = made.inserted_primary_key
    assert key is not None
    return {"fid": key[0], **row}


def next_id(workspace: Workspace, conn: sa.Connection, at: datetime, zone: str) -> str:
    """The next free id of the day that it is in the city: date and number.

    Inside of a writing transaction nobody else can take it. RuleError after the last number.
    """
    day = f"{at.astimezone(ZoneInfo(zone)):%Y%m%d}"
    column = workspace.table("incidents").c.incident_id
    digits = "[0-9]" * ID_DIGITS
    last = conn.execute(
        sa.select(sa.func.max(column)).where(
            column.between(day + "0" * ID_DIGITS, day + "9" * ID_DIGITS),
            column.op("GLOB")(day + digits),
        )
    ).scalar_one()
    number = 1 if last is None else int(last[len(day) :]) + 1
    if number >= 10**ID_DIGITS:
        raise RuleError(f"{day} has {number - 1:,} cases, and no number is left: report tomorrow")
    return f"{day}{number:0{ID_DIGITS}d}"


def level_of(workspace: Workspace, conn: sa.Connection, code: str | None) -> str | None:
    """The level of a grid or division; None of anything else, such as a department."""
    if not code:
        return None
    divisions, grids = workspace.table("divisions"), workspace.table("grids")
    level = conn.execute(
        sa.select(divisions.c.level).where(divisions.c.code == code)
    ).scalar_one_or_none()
    if level is not None:
        return str(level)
    is_grid = conn.execute(sa.select(grids.c.fid).where(grids.c.grid_id == code).limit(1)).first()
    return None if is_grid is None else "grid"
