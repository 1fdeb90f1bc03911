"""Deadlines of all open cases by the rules of now, after rules changed or a file was imported.

A case is given the deadline that its next move would give it, and nothing else is written. Only a
case without a log gets the `recorded` rows that it stands for, or else a deadline by the rules
would pass for one that its source told. Some cases at a time, so that people who move cases wait
no longer than for one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from geo.deadlines import find_deadlines, find_limits, lengthen_deadlines
from geo.incidents import LOG_COLUMNS, OPEN_STAGES, RECORDED, find_clocks, log_table, summarise
from geo.io._casebook_rows import Row, insert_log, told_rows
from geo.io.frames import to_frame
from geo.io.gpkg import UtcTime, to_time_text
from geo.io.rules import Rules
from geo.io.workspace import Workspace
from geo.schema import TABLES

AT_ONCE = 2_000
_ASK = 500


def settle_deadlines(workspace: Workspace, rules: Rules) -> int:
    """Write the deadlines of open cases anew where they differ; returns how many did."""
    table = workspace.table("incidents")
    query = sa.select(table.c.fid).where(table.c.stage.in_(OPEN_STAGES)).order_by(table.c.fid)
    with workspace.reading() as conn:
        numbers = list(conn.execute(query).scalars())
    return sum(
        _settle(workspace, rules, numbers[start : start + AT_ONCE])
        for start in range(0, len(numbers), AT_ONCE)
    )


def _settle(workspace: Workspace, rules: Rules, numbers: Sequence[int]) -> int:
    table = workspace.table("incidents")
    columns = [column for column in table.c if column.name != "geom"]
    with workspace.writing() as conn:
        rows: list[Row] = []
        for start in range(0, len(numbers), _ASK):
            some = sa.select(*columns).where(table.c.fid.in_(numbers[start : start + _ASK]))
            rows += [dict(row) for row in conn.execute(some).mappings()]
        rows = [row for row in rows if row["stage"] in OPEN_STAGES]
        if not rows:
            return 0
        stored = _read_logs(workspace, conn, rows)
        missing = _without_log(stored, rows)
        told = [one for row in missing.values() for one in told_rows(row)]
        parts = [part for part in (stored, log_table(told)) if len(part)]
        due = find_dues(pd.concat(parts, ignore_index=True), rows, rules)
        changes = []
        for row in rows:
            new, old = due[row["incident_id"]], row["deadline"]
            text = None if pd.isna(new) else to_time_text(new.to_pydatetime())
            if text != (None if old is None else to_time_text(old)):
                changes.append((text, row["fid"]))
                if row["incident_id"] in missing:
                    insert_log(workspace, conn, told_rows(row))
        for change in changes:
            conn.exec_driver_sql("UPDATE incidents SET deadline = ? WHERE fid = ?", change)
        if changes:
            workspace.touch(conn, "incidents")
        return len(changes)


def _read_logs(workspace: Workspace, conn: sa.Connection, rows: Sequence[Row]) -> pd.DataFrame:
    """The logs of cases."""
    table = workspace.table("incident_log")
    shown = [
        sa.type_coerce(table.c[name], sa.Text)
        if isinstance(table.c[name].type, UtcTime)
        else table.c[name]
        for name in LOG_COLUMNS
    ]
    ids = [row["incident_id"] for row in rows]
    found: list[Any] = []
    for start in range(0, len(ids), _ASK):
        query = sa.select(*shown).where(table.c.incident_id.in_(ids[start : start + _ASK]))
        found += conn.execute(query).all()
    stored = to_frame(TABLES["incident_log"], list(LOG_COLUMNS), found)
    stored["move"] = stored["move"].fillna(RECORDED)
    return stored


def _without_log(logs: pd.DataFrame, rows: Sequence[Row]) -> dict[str, Row]:
    known = set(logs["incident_id"])
    return {row["incident_id"]: row for row in rows if row["incident_id"] not in known}


def find_dues(logs: pd.DataFrame, rows: Sequence[Row], rules: Rules) -> pd.Series:
    """The deadline of each case, indexed by `incident_id`; as `find_due` finds it of one."""
    mine = rules.case
    clocks = find_clocks(
        logs,
        starts_at=mine.starts_at,
        restart_on=mine.restart_on,
        stands_while=mine.stands_while,
        pause_from=mine.pause_from,
    )
    index = clocks.start.index
    classes = pd.Series({row["incident_id"]: row["class_code"] for row in rows}, dtype="str")
    limits = find_limits(classes.reindex(index), summarise(logs)["condition"], limits=rules.limits)
    due = find_deadlines(
        limits.assign(start=clocks.start),
        calendar=rules.calendar,
        pauses=clocks.pauses,
        day_rule=mine.day_rule,
    )["deadline"]
    recorded = logs[(logs["move"] == RECORDED) & logs["until"].notna()].sort_values("seq")
    told = recorded.groupby("incident_id")["until"].last().reindex(index)
    told = lengthen_deadlines(
        told.astype("datetime64[us, UTC]"),
        clocks.pauses,
        units=limits["unit"],
        calendar=rules.calendar,
    )
    is_told = index.isin(recorded["incident_id"])
    return due.where(~is_told, told)
