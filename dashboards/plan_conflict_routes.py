"""Both wishes of a conflict as shapes: what an edit that waits would make, and what stands there.

The edit is run on what its author saw, so the map can show it as it was meant, whatever became of
the plan since. Where it cannot be run any more, the blocks that it names stand for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import flask
import numpy as np
import shapely
from werkzeug.exceptions import NotFound

from dashboards.plan_desk import Desk, Entry
from dashboards.plan_pack import touched_blocks
from dashboards.plan_routes import answer, answered
from dashboards.store import Store
from geo.errors import InputError
from geo.io.plan_base import Base
from geo.plan import Plan, RedrawError
from geo.plan_merge import find_touch, run_edit

Answer = flask.typing.ResponseReturnValue
Wishes = list[dict[str, Any]]


def add_conflicts(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    """Add the route of conflicts to those of plans."""

    @routes.get("/<plan_id>/conflicts/<int:seq>")
    @answered(store)
    def conflict(plan_id: str, seq: int) -> Answer:
        with desk.open(plan_id) as entry:
            wishes = both_wishes(entry, seq)
        if wishes is None:
            raise NotFound
        return answer(store, {"seq": seq, **wishes})


def both_wishes(entry: Entry, seq: int) -> dict[str, Any] | None:
    """`waiting` and `standing`: who wishes it, and each grid with what it would have there.

    None if no edit of that number waits.

    Of each grid `id`, `name`, `households` and `people` of its part of the place, `total`
    households of the whole grid under that wish, `shape` as GeoJSON in degrees.
    """
    row = next((one for one in entry.open.conflicts if one.seq == seq), None)
    if row is None:
        return None
    blocks = {entry.plan.blocks.ids[k] for k in touched_blocks(row.edit, entry.plan)}
    waiting: Wishes = []
    try:
        seen = entry.book.open(entry.open.plan_id, seq=row.on_seq)
        after = run_edit(seen.plan, row.edit)
    except (RedrawError, InputError):
        waiting = _parts(entry.plan, entry.open.base, blocks)
    else:
        blocks = set(find_touch(seen.plan, after).blocks)
        waiting = _parts(after, seen.base, blocks)
    others = [] if row.clash is None else list(row.clash.seqs)
    touched, people = _done_by(entry, others)
    return {
        "waiting": {"by": row.by, "grids": waiting},
        "standing": {
            "by": people,
            "grids": _parts(entry.plan, entry.open.base, touched or blocks),
        },
    }


def _done_by(entry: Entry, seqs: list[int]) -> tuple[set[str], list[str]]:
    """Blocks that some edits of the log changed, and who made them."""
    book, plan_id = entry.book, entry.open.plan_id
    blocks: set[str] = set()
    for seq in seqs:
        before, after = (book.open(plan_id, seq=number).plan for number in (seq - 1, seq))
        blocks |= find_touch(before, after).blocks
    rows = book.since(plan_id, min(seqs) - 1) if seqs else []
    return blocks, list(dict.fromkeys(row.by for row in rows if row.seq in set(seqs)))


def _parts(plan: Plan, base: Base, blocks: Iterable[str]) -> Wishes:
    """What each grid has of some blocks, most households first."""
    rows = np.array(sorted({plan.block_rows[name] for name in blocks if name in plan.block_rows}))
    if not len(rows):
        return []
    found = []
    totals = plan.table()["households"]
    for grid in np.unique(plan.label[rows]).tolist():
        mine = rows[plan.label[rows] == grid]
        shape = shapely.union_all(plan.ground.polygons(mine.tolist()))
        rounded = shapely.set_precision(base.geometry_to_lonlat(shape), 1e-7, mode="pointwise")
        found.append(
            {
                "id": plan.grids[grid].grid_id,
                "name": plan.grids[grid].name,
                "households": int(plan.blocks.households[mine].sum()),
                "people": int(plan.blocks.people[mine].sum()),
                "total": int(totals[plan.grids[grid].grid_id]),
                "shape": json.loads(shapely.to_geojson(rounded)),
            }
        )
    return sorted(found, key=lambda one: -one["households"])
