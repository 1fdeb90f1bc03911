"""The tables that responsibility is read from, as plain Python values.

Public names are handed on by `geo.responsibility`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from io import StringIO

import numpy as np
import pandas as pd

from geo.errors import ColumnError, InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS = -(2**63)
NEVER = 2**63 - 1
"""Microseconds since 1970 that stand for an open beginning and an open end."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a role means at a level; see `duty_roles`."""

    role: str
    level: str
    kind: str
    order: int
    expected: bool
    many: bool


@dataclass(frozen=True, slots=True)
class Duty:
    """One appointment: half open, from (included) to (not included), in microseconds."""

    unit_code: str
    role: str
    worker_id: str
    rank: int
    begin: int
    end: int
    row: int
    """Position in the table that it came from."""


def duty_roles() -> pd.DataFrame:
    """The table of roles: role, level, kind, order, expected, many, zh, en.

    From `geo/data/duty_roles.csv`, which a city may edit. `level` is grid, community, street,
    district, city, department, or `*` for any that has no row of its own. `kind` is line (answers
    for the unit, the lowest `order` first), fire, police, help, contact. `expected`: once one
    unit of a level has the role, every unit of the level should. `many`: several at once are
    no double.
    """
    return _role_table().copy()


@cache
def _role_table() -> pd.DataFrame:
    text = resources.files("geo").joinpath("data", "duty_roles.csv").read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text), dtype={"order": "int64"})


class RoleBook:
    """Finds what a role means at a level; a role that the table lacks is of kind `other`."""

    def __init__(self, table: pd.DataFrame | None = None) -> None:
        rows = _role_table() if table is None else table
        self._known = {
            (str(r.role), str(r.level)): Role(
                str(r.role), str(r.level), str(r.kind), int(r.order),
                str(r.expected) == "yes", str(r.many) == "yes",
            )
            for r in rows.itertuples(index=False)
        }  # fmt: skip

    def find(self, role: str, level: str) -> Role:
        """The row for that level, else the row for any level."""
        known = self._known.get((role, level)) or self._known.get((role, "*"))
        return known or Role(role, level, "other", 99, expected=False, many=True)


def read_duties(duties: pd.DataFrame | None, workers: pd.DataFrame) -> tuple[list[Duty], str]:
    """Appointments, and where they came from: `duties`, or `workers` where there is no duty."""
    if duties is None or not len(duties):
        return list(_from_workers(workers)), "workers"
    require_columns(duties, "duties", ("unit_code", "role", "worker_id", "rank"))
    begin = micros_of(duties, "valid_from", ALWAYS)
    end = micros_of(duties, "valid_to", NEVER)
    ranks = pd.to_numeric(duties["rank"]).astype("Float64").fillna(1).astype("int64")
    columns = zip(
        texts(duties["unit_code"]), texts(duties["role"]), texts(duties["worker_id"]),
        ranks, begin, end, strict=True,
    )  # fmt: skip
    found = [
        Duty(unit, role, who, int(rank), since, until, row)
        for row, (unit, role, who, rank, since, until) in enumerate(columns)
    ]
    return found, "duties"


def _from_workers(workers: pd.DataFrame) -> Iterator[Duty]:
    require_columns(workers, "workers", ("role", "unit_code"))
    ids = labels_of(workers, "worker_id")
    columns = zip(ids, texts(workers["role"]), texts(workers["unit_code"]), strict=True)
    for row, (who, role, unit) in enumerate(columns):
        if unit:
            yield Duty(unit, role, who, 1, ALWAYS, NEVER, row)


def labels_of(frame: pd.DataFrame, key: str) -> list[str]:
    """The ids of a table as text, from the column or else the index."""
    return texts(frame[key] if key in frame.columns else frame.index)


def texts(values: pd.Series | pd.Index) -> list[str]:
    """Values as text; missing ones are empty."""
    raw = values.to_numpy(dtype=object)
    gone = pd.isna(raw)
    return ["" if none else str(value) for value, none in zip(raw, gone, strict=True)]


def micros_of(frame: pd.DataFrame, column: str, missing: int) -> list[int]:
    """Moments of a column in microseconds; all missing if there is no such column."""
    if column not in frame.columns:
        return [missing] * len(frame)
    times = pd.to_datetime(frame[column], utc=True)
    whole = times.dt.tz_convert(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return [int(v) for v in np.where(times.isna().to_numpy(), missing, whole)]


def micro_of(at: datetime) -> int:
    """A moment in microseconds; InputError if it has no zone."""
    if at.tzinfo is None:
        raise InputError(f"at is {at} without a zone: add one, such as +08:00")
    return (at - EPOCH) // timedelta(microseconds=1)


def moment_of(micro: int) -> datetime | None:
    """The moment in UTC, None where the beginning or end is open."""
    if micro in (ALWAYS, NEVER):
        return None
    return EPOCH + timedelta(microseconds=micro)


def require_columns(frame: pd.DataFrame, name: str, columns: tuple[str, ...]) -> None:
    """Raise ColumnError that names what is missing and what there is."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        there = ", ".join(map(str, frame.columns))
        raise ColumnError(f"{name} lacks {', '.join(missing)}: it has {there}")
