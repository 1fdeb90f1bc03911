"""A case and its log: rows that are only ever added to, and what they add up to.

Public names are handed on by `geo.incidents`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

import pandas as pd

from geo._case_tables import LOG_COLUMNS, LogError
from geo._moves import OPEN_STAGES, RECORDED
from geo.errors import InputError
from geo.schema import STAGES

_ENTERED = {
    "collected": "reported_at",
    "opened": "opened_at",
    "dispatched": "dispatched_at",
    "handling": "handling_at",
    "fed_back": "fed_back_at",
    "closed": "closed_at",
    "cancelled": "closed_at",
}
"""When a case first came to a stage; of feedback and the end, when it last did."""


@dataclass(frozen=True)
class LogRow:
    """One row of the log, never changed once written; `LOG_COLUMNS` tells what each column is."""

    incident_id: str
    seq: int
    at: datetime
    stage: str
    move: str = RECORDED
    by: str | None = None
    role: str | None = None
    note: str | None = None
    owner: str | None = None
    level: str | None = None
    until: datetime | None = None
    other_id: str | None = None
    condition: str | None = None


@dataclass(frozen=True)
class Case:
    """A case as its log tells it."""

    incident_id: str
    log: tuple[LogRow, ...]
    stage: str
    level: str = "grid"
    """Who has it: grid, community, street, district or city."""
    owner: str | None = None
    """The unit or department that handles it; None before dispatch and after a return."""
    condition: str | None = None
    """The opening condition, which together with the class sets the limit."""
    reported_at: datetime | None = None
    opened_at: datetime | None = None
    dispatched_at: datetime | None = None
    """First dispatch, when the clock starts."""
    handling_at: datetime | None = None
    fed_back_at: datetime | None = None
    closed_at: datetime | None = None
    """Closed or cancelled."""
    asked_until: datetime | None = None
    """A postponement that is asked for and not yet answered."""
    asked_by: str | None = None
    postponed_until: datetime | None = None
    """A postponement that is granted; the clock stands until then, or until `resume`."""
    merged_into: str | None = None
    absorbed: tuple[str, ...] = ()
    is_verified: bool = False
    on_spot: bool = False
    is_forced: bool = False
    supervised: int = 0
    returned: int = 0
    reworked: int = 0
    transferred: int = 0
    raised: int = 0
    postponed: int = 0

    @property
    def seq(self) -> int:
        """The number of the last row of the log."""
        return self.log[-1].seq

    @property
    def is_open(self) -> bool:
        """Whether it is neither closed nor cancelled."""
        return self.stage in OPEN_STAGES

    def is_postponed(self, at: datetime) -> bool:
        """Tell whether the clock stands at a moment that is not before the last row."""
        return self.postponed_until is not None and at < self.postponed_until


def fold(log: pd.DataFrame | Iterable[LogRow]) -> Case:
    """Read a case from its log.

    Parameters
    ----------
    log
        Rows of one case with the numbers 1, 2, 3 …, in any order; or a table with the columns of
        `incident_log` and any of `LOG_COLUMNS`.

    Raises
    ------
    LogError
        If there is no row, there are rows of several cases, a number is missing or double, or a
        stage is unknown.
    """
    rows = log_rows(log) if isinstance(log, pd.DataFrame) else list(log)
    rows.sort(key=lambda row: row.seq)
    if not rows:
        raise LogError("the log has no row: a case begins with its report")
    if len({row.incident_id for row in rows}) > 1:
        raise LogError(
            f"the log has rows of {rows[0].incident_id} and others: fold one case at a time"
        )
    for number, row in enumerate(rows, start=1):
        if row.seq != number:
            raise LogError(
                f"the log of {row.incident_id} has row {row.seq} where {number} belongs: rows are "
                "numbered from 1 without a gap"
            )
        if row.stage not in STAGES:
            raise LogError(
                f"row {number} of {row.incident_id} has stage {row.stage!r}: use one of "
                + ", ".join(STAGES)
            )
    case = Case(rows[0].incident_id, (), rows[0].stage)
    for row in rows:
        case = step(case, row)
    return case


def log_rows(table: pd.DataFrame) -> list[LogRow]:
    """Turn a table of the log into rows, in its order; columns that are absent stay empty."""
    names = [field.name for field in fields(LogRow) if field.name in table.columns]
    rows = []
    for values in zip(*(table[name].array for name in names), strict=True):
        known = {
            name: value for name, value in zip(names, values, strict=True) if not pd.isna(value)
        }
        for name in ("at", "until"):
            if name in known:
                known[name] = aware(known[name], name)
        known["seq"] = int(known["seq"])
        rows.append(LogRow(**known))
    return rows


def log_table(rows: Iterable[LogRow]) -> pd.DataFrame:
    """Turn rows into a table with `LOG_COLUMNS`: text, `seq` Int64, times UTC."""
    values = [tuple(getattr(row, name) for name in LOG_COLUMNS) for row in rows]
    table = pd.DataFrame(values, columns=list(LOG_COLUMNS), dtype=object)
    for name, kind in LOG_COLUMNS.items():
        if kind == "time":
            table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[us, UTC]")
        else:
            table[name] = table[name].astype("Int64" if kind == "integer" else "str")
    return table


def changes_since(case: Case, seen: int) -> tuple[LogRow, ...]:
    """Find the rows that somebody who had seen row `seen` does not know yet."""
    return tuple(row for row in case.log if row.seq > seen)


def step(case: Case, row: LogRow) -> Case:
    """Fold one more row into a case; never refuses, for what is in the log has happened."""
    values: dict[str, object] = {"log": (*case.log, row), "stage": row.stage}
    name = _ENTERED[row.stage]
    is_new = row.stage != case.stage or not case.log
    is_latest = row.stage in ("fed_back", "closed", "cancelled")
    if is_new and (is_latest or getattr(case, name) is None):
        values[name] = row.at
    if not case.log:
        values["reported_at"] = row.at
    if row.stage in OPEN_STAGES:
        values["closed_at"] = None
    for word in ("owner", "level", "condition"):
        if getattr(row, word) is not None:
            values[word] = getattr(row, word)
    counted = {
        "supervise": "supervised",
        "return": "returned",
        "rework": "reworked",
        "transfer": "transferred",
        "raise": "raised",
        "approve_postponement": "postponed",
    }
    if row.move in counted:
        values[counted[row.move]] = getattr(case, counted[row.move]) + 1
    flags = {"verify": "is_verified", "handle_on_spot": "on_spot", "force_close": "is_forced"}
    if row.move in flags:
        values[flags[row.move]] = True
    if row.move == "return":
        values["owner"] = None
    if row.move == "merge":
        values["merged_into"] = row.other_id
    if row.move == "absorb" and row.other_id is not None:
        values["absorbed"] = (*case.absorbed, row.other_id)
    return replace(case, **(values | _postponement_after(case, row)))  # type: ignore[arg-type]


def _postponement_after(case: Case, row: LogRow) -> dict[str, object]:
    none: dict[str, object] = {"asked_until": None, "asked_by": None}
    if row.move == "ask_postponement":
        return {"asked_until": row.until, "asked_by": row.by}
    if row.move == "approve_postponement":
        return none | {"postponed_until": row.until}
    if row.move == "refuse_postponement":
        return none
    if row.move == "resume":
        return {"postponed_until": None}
    # Time was granted to an owner for work: it ends when either changes.
    handed_on = row.move in ("return", "transfer", "raise")
    if handed_on or row.stage not in ("dispatched", "handling"):
        return none | {"postponed_until": None}
    return {}


def aware(time: datetime, name: str) -> datetime:
    """The same moment in UTC; InputError if it has no zone."""
    if time.tzinfo is None:
        raise InputError(f"{name} is {time}, without a zone: give a time with a zone")
    plain = time.to_pydatetime() if isinstance(time, pd.Timestamp) else time
    return plain.astimezone(UTC)
