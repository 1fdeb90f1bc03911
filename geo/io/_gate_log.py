"""The log of cases that come from files: what the source tells, and nothing that it does not.

An imported case has one `recorded` row for its report (`until` is the deadline that the source
named), and a second one if it is in another stage by now. The second one stands at the close time
of a case that is closed; where the source does not say when, it stands at the report, the earliest
that it can be, and its note says that the moment is not known. An update adds a `recorded` row for
what it changes, at the close time or else at the moment of the import.

A case that somebody has moved here since is led by its log: an update leaves its stage, times and
owner as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from geo.incidents import RECORDED
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger
from geo.io.workspace import Workspace

MOMENT_UNKNOWN = "来源未记录时间 (the source does not say when)"
"""Note of a `recorded` row whose moment the source did not tell."""

TOLD = ("stage", "deadline", "closed_at", "owner", "level", "condition")
"""Columns of an incident that its log leads."""

_DONE = ("closed", "cancelled")
_AT_ONCE = 10_000

# `?1` is the last row number before the load, `?2` the note. Closed times are the source's own; an
# open case has none (see `geo.io._gate_cases`).
_FIRST_ROWS = """
INSERT INTO incident_log
  (incident_id, seq, at, stage, move, note, owner, level, until, condition)
SELECT incident_id, seq, at, stage, 'recorded', note, owner, level, until, condition FROM (
  SELECT fid, incident_id, 1 AS seq, reported_at AS at, 'collected' AS stage, NULL AS note,
    CASE WHEN stage = 'collected' THEN owner END AS owner,
    CASE WHEN stage = 'collected' THEN level END AS level,
    deadline AS until,
    CASE WHEN stage = 'collected' THEN condition END AS condition
  FROM incidents WHERE fid > ?1
  UNION ALL
  SELECT fid, incident_id, 2, coalesce(closed_at, reported_at), stage,
    CASE WHEN closed_at IS NULL THEN ?2 END, owner, level, NULL, condition
  FROM incidents WHERE fid > ?1 AND stage <> 'collected'
) ORDER BY fid, seq
"""


def write_first_rows(workspace: Workspace, conn: sa.Connection, after: int) -> int:
    """Begin the logs of the incidents behind row number `after`; returns how many rows."""
    count = conn.exec_driver_sql(_FIRST_ROWS, (after, MOMENT_UNKNOWN)).rowcount
    workspace.touch(conn, "incident_log")
    return int(count)


def last_row(conn: sa.Connection) -> int:
    """The highest row number of `incidents` so far."""
    return int(conn.exec_driver_sql("SELECT coalesce(max(fid), 0) FROM incidents").scalar_one())


def keep_moved(
    new: pd.DataFrame, old: pd.DataFrame, ends: pd.DataFrame, ledger: Ledger
) -> pd.DataFrame:
    """Updates of cases that were moved here keep what their logs say.

    `new` and `old` have the same rows in the same order; `ends` is of `find_ends`.
    """
    moved = ends["moved"].reindex(new["incident_id"]).fillna(0).to_numpy() > 0
    if not moved.any():
        return new
    differs = moved & changed_rows(new, old, TOLD)
    if differs.any():
        ledger.warn(
            f"{int(differs.sum()):,} incidents were moved here since: their stage, times and owner"
            " stay as their logs say, whatever the file tells"
        )
    out = new.copy()
    for name in (*TOLD, "paused_until"):
        out[name] = out[name].where(~moved, old[name].set_axis(out.index))
    return out


def write_changes(
    workspace: Workspace,
    conn: sa.Connection,
    new: pd.DataFrame,
    old: pd.DataFrame,
    ends: pd.DataFrame,
    wishes: Wishes,
) -> int:
    """Add a `recorded` row for each case of which an update changes what the log tells.

    `new` and `old` have the same rows in the same order; `ends` is of `find_ends`. A case without
    a log (from before there were logs) gets its first rows. Returns how many rows.
    """
    seq = ends["seq"].reindex(new["incident_id"]).fillna(0).to_numpy(dtype=np.int64)
    hit = changed_rows(new, old, TOLD) & (seq > 0)
    begun = _first_rows(new[seq == 0])
    now, before = new[hit], old[hit]
    is_told = now["stage"].isin(_DONE).to_numpy() & now["closed_at"].notna().to_numpy()
    is_told &= _differs(now["closed_at"], before["closed_at"]) | _differs(
        now["stage"], before["stage"]
    )
    at = pd.Series(pd.Timestamp(wishes.at).tz_convert("UTC"), index=now.index)
    rows = pd.DataFrame(
        {
            "incident_id": now["incident_id"],
            "seq": seq[hit] + 1,
            "at": at.astype("datetime64[us, UTC]").mask(is_told, now["closed_at"]),
            "stage": now["stage"],
            "move": RECORDED,
            "note": pd.Series(MOMENT_UNKNOWN, index=now.index).mask(is_told),
            "until": now["deadline"].where(_differs(now["deadline"], before["deadline"])),
        }
    )
    for name in ("owner", "level", "condition"):
        rows[name] = now[name].where(_differs(now[name], before[name]))
    return sum(workspace.append(conn, "incident_log", part) for part in (begun, rows) if len(part))


def _first_rows(cases: pd.DataFrame) -> pd.DataFrame:
    """The rows that `write_first_rows` writes, for cases of a frame."""
    later = cases["stage"].ne("collected").to_numpy()
    first = pd.DataFrame(
        {
            "incident_id": cases["incident_id"].to_numpy(),
            "seq": 1,
            "at": cases["reported_at"].array,
            "stage": "collected",
            "move": RECORDED,
            "note": None,
            "until": cases["deadline"].array,
        }
    )
    second = pd.DataFrame(
        {
            "incident_id": cases["incident_id"].to_numpy(),
            "seq": 2,
            "at": cases["closed_at"].fillna(cases["reported_at"]).array,
            "stage": cases["stage"].to_numpy(),
            "move": RECORDED,
            "note": pd.Series(MOMENT_UNKNOWN, cases.index).mask(cases["closed_at"].notna()).array,
        }
    )
    for name in ("owner", "level", "condition"):
        first[name] = cases[name].where(~later).to_numpy()
        second[name] = cases[name].to_numpy()
    return pd.concat([first, second[later]]).sort_values(["incident_id", "seq"])


def changed_rows(
    new: pd.DataFrame, old: pd.DataFrame, columns: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Rows that differ in any of the columns; two empty values are the same."""
    out = np.zeros(len(new), dtype=bool)
    for name in columns:
        out |= _differs(new[name], old[name])
    return out


def _differs(new: pd.Series, old: pd.Series) -> npt.NDArray[np.bool_]:
    gone_new, gone_old = new.isna().to_numpy(), old.isna().to_numpy()
    if isinstance(new.dtype, pd.DatetimeTZDtype) and isinstance(old.dtype, pd.DatetimeTZDtype):
        # The store keeps milliseconds.
        one, two = (s.dt.tz_convert("UTC").dt.floor("ms").to_numpy() for s in (new, old))
    else:
        one, two = new.to_numpy(dtype=object), old.to_numpy(dtype=object)
    both = ~gone_new & ~gone_old
    out: npt.NDArray[np.bool_] = gone_new != gone_old
    out[both] = np.asarray(one[both] != two[both], dtype=bool)
    return out


def find_ends(workspace: Workspace, conn: sa.Connection, ids: Sequence[str]) -> pd.DataFrame:
    """`seq`, the last number of each log, and `moved`, how many moves were made here, by case."""
    table = workspace.table("incident_log")
    here = sa.case((table.c.move != RECORDED, 1), else_=0)
    parts: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = list(ids[start : start + _AT_ONCE])
        query = (
            sa.select(table.c.incident_id, sa.func.max(table.c.seq), sa.func.sum(here))
            .where(table.c.incident_id.in_(some))
            .group_by(table.c.incident_id)
        )
        parts += [tuple(row) for row in conn.execute(query)]
    frame = pd.DataFrame(parts, columns=["incident_id", "seq", "moved"])
    return frame.set_index("incident_id")
