"""A draft on newly published grids: edits run again, and what no longer holds is a conflict.

The log only grows: a row names the new base, and behind it stands each edit that was in effect, by
its author. What was published is to the draft like the edit of another planner.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from geo.io._planbook_log import Line, Link, LogEdit
from geo.io.plan_base import Base
from geo.plan import RedrawError
from geo.plan_merge import Clash, Merged, find_changes, merge_edit, run_edit, vertex_places


@dataclass(frozen=True, eq=False)
class Rebased:
    """What became of a draft on a new base."""

    seq: int
    """Newest row of the plan."""
    applied: list[LogEdit]
    conflicts: list[LogEdit]
    base: Base
    rows: list[LogEdit] = field(default_factory=list, repr=False)
    """All rows that were added."""


def carry_over(line: Line, base: Base, by: str, at: datetime) -> Rebased:
    """Run the edits in effect on another base."""
    state = line.newest
    edits: list[LogEdit] = []
    link: Link | None = state.done
    while link is not None:
        edits.append(link.row)
        link = link.older
    edits.reverse()
    seq = line.seq + 1
    told = {"do": "rebase", "base": base.name, "from": state.base.name}
    rows = [LogEdit(seq, f"rebase-{seq}-{base.name[:8]}", at, by, line.seq, "applied", told)]
    published = [(seq, find_changes(state.base.first, base.first))]
    seen, now = state.base.first, base.first
    for row in edits:
        edit = dict(row.edit["edit"] if row.edit.get("do") == "take" else row.edit)
        same_crs = base.crs == state.base.crs
        try:
            merged = (
                merge_edit(seen, now, edit, published)
                if same_crs
                else Merged(None, edit, Clash("base", "the city is measured in another CRS now"))
            )
        except RedrawError as error:
            merged = Merged(None, edit, Clash("rule", str(error)))
        made = LogEdit(
            rows[-1].seq + 1, f"{row.edit_id}~{seq}", at, row.by, row.seq, "applied",
            dict(merged.edit), None, None,
        )  # fmt: skip
        if merged.plan is not None:
            now = merged.plan
            assert now.past is not None
            made = replace(made, edit=dict(now.past.change.edit))
        else:
            clash = merged.clash
            if clash is not None and clash.place is not None:
                lon, lat = base.to_lonlat(clash.place)[0].tolist()
                clash = replace(clash, place=(lon, lat))
            made = replace(
                made,
                state="dropped" if merged.repeats else "conflict",
                clash=clash,
                places=vertex_places(edit, seen) or None,
            )
        rows.append(made)
        seen = run_edit(seen, edit)
    return Rebased(
        rows[-1].seq,
        [row for row in rows[1:] if row.state == "applied"],
        [row for row in rows[1:] if row.state == "conflict"],
        base,
        rows,
    )
