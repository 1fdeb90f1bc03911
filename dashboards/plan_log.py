"""The log of a plan as a screen shows it: what was done by whom, what is undone, what waits.

Times are milliseconds since 1970. Only the newest edits travel; the whole log stays in the book.
"""

from __future__ import annotations

from typing import Any

from dashboards.plan_desk import Entry
from dashboards.plan_pack import summary, touched_blocks
from dashboards.words import Words

NEWEST = 300
"""Edits that a screen lists; a day's work of one planner is about half of it (our assumption)."""


def history_json(entry: Entry, since: int) -> list[dict[str, Any]]:
    """Edits with a number above `since`, oldest first."""
    rows = entry.book.since(entry.open.plan_id, since)[-NEWEST:]
    return [
        {
            "seq": row.seq,
            "edit_id": row.edit_id,
            "by": row.by,
            "at": row.at.timestamp() * 1000,
            "state": row.state,
            **summary(row.edit, entry.plan),
        }
        for row in rows
    ]


def conflicts_json(entry: Entry, words: Words) -> list[dict[str, Any]]:
    """Edits that wait for a decision: whose, what they wish, where, and against whose edits."""
    plan, rows = entry.plan, entry.plan.block_rows
    found = []
    for row in entry.open.conflicts:
        clash = row.clash
        named = [] if clash is None else [rows[name] for name in clash.blocks if name in rows]
        key = f"planner.clash.{'rule' if clash is None else clash.code}"
        theirs = set() if clash is None else set(clash.seqs)
        others = _rows_of(entry, theirs) if theirs else []
        found.append(
            {
                "seq": row.seq,
                "edit_id": row.edit_id,
                "by": row.by,
                "at": row.at.timestamp() * 1000,
                "why": words(key) if words.has(key) else words("planner.clash.rule"),
                "blocks": sorted(set(named) | set(touched_blocks(row.edit, plan))),
                "wish": summary(row.edit, plan),
                "to": _target(row.edit, entry),
                "theirs": others,
                "place": None if clash is None or clash.place is None else list(clash.place),
            }
        )
    return found


def _rows_of(entry: Entry, seqs: set[int]) -> list[dict[str, Any]]:
    return [
        {"seq": row.seq, "by": row.by, **summary(row.edit, entry.plan)}
        for row in entry.book.since(entry.open.plan_id, min(seqs) - 1)
        if row.seq in seqs
    ]


def _target(edit: Any, entry: Entry) -> int | None:
    """Row of the grid that an edit would give its blocks to."""
    name = edit.get("grid") or edit.get("into")
    return entry.plan.grid_rows.get(str(name)) if name else None
