"""What becomes of an edit that arrives: applied, merged, kept as a conflict, or known already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from geo.errors import InputError
from geo.io._planbook_log import TELLS, Line, Link, LogEdit, State, put_back, take_out
from geo.io._planbook_rows import PlanStateError
from geo.plan import Plan, RedrawError
from geo.plan_merge import (
    Clash,
    Merged,
    carry_edit,
    find_touch,
    merge_edit,
    place_of,
    run_edit,
    vertex_places,
)


@dataclass(frozen=True, eq=False)
class Applied:
    """The answer to an edit."""

    plan_id: str
    seq: int
    """Number of its row."""
    newest: int
    """Number of the newest row of the plan."""
    edit_id: str
    state: str
    """`applied`, `conflict`, `taken` or `dropped`."""
    edit: Mapping[str, Any]
    """As it is stored, with all that it left open."""
    before: Plan
    plan: Plan
    """The plan after it; for an edit that was sent before, the newest."""
    others: tuple[LogEdit, ...]
    """Rows of others that its author had not seen."""
    clash: Clash | None = None
    """Why it waits; `place` is longitude and latitude."""
    repeated: bool = False


@dataclass(frozen=True, eq=False)
class Step:
    """An edit on its way into the log."""

    plan_id: str
    edit_id: str
    edit: Mapping[str, Any]
    by: str
    on_seq: int
    at: datetime


Outcome = tuple[Applied, list[LogEdit], State | None]
"""The answer, the row to add (if any), and the state after it where it is known."""


def place_edit(line: Line, step: Step, plan_state: str) -> Outcome:
    """Apply or merge an edit, or keep it as a conflict."""
    known = find_known(line, step)
    if known is not None:
        return known
    if not 0 <= step.on_seq <= line.seq:
        raise InputError(f"on_seq is {step.on_seq}: the newest edit of the plan is {line.seq}")
    state, behind = line.newest, line.rows[step.on_seq :]
    others = tuple(row for row in behind if row.by != step.by or row.edit.get("do") == "rebase")
    seen = _seen(line, step, behind) if others else state.plan
    if seen is None:
        # Its author drew on another base: nobody can tell what they saw.
        merged = _across_bases(line, step)
    else:
        touches = [(row.seq, line.touch(row.seq)) for row in others if row.state == "applied"]
        merged = merge_edit(seen, state.plan, step.edit, touches)
    if plan_state != "draft" and merged.clash is None and not merged.repeats:
        text = f"the plan is {plan_state} and no draft any more"
        touch = find_touch(state.plan, merged.plan) if merged.plan is not None else None
        blocks = sorted(touch.blocks) if touch else []
        place = place_of(state.plan, state.plan, blocks, sorted(touch.grids) if touch else ())
        merged = Merged(None, merged.edit, Clash("state", text, tuple(blocks), place=place))
    return _answer(line, step, merged, others, seen or line.state(step.on_seq).plan)


def take_back(line: Line, step: Step, plan_state: str) -> Outcome:
    """Undo the author's newest edit that stands, or redo what was undone last, if it is theirs.

    Raises
    ------
    RedrawError
        If the author has none, or somebody touched the same since (`take_out`).
    """
    known = find_known(line, step)
    if known is not None:
        return known
    if plan_state != "draft":
        raise PlanStateError(f"plan {step.plan_id} is {plan_state}: make it a draft first")
    state, kind = line.newest, str(step.edit["do"])
    link = state.done if kind == "undo" else state.gone
    if link is None:
        plan = state.plan.undo() if kind == "undo" else state.plan.redo()
        raise InputError(f"the plan has an edit that its log lacks: {plan.past}")
    while kind == "undo" and link is not None and link.row.by != step.by:
        link = link.older
    if link is None or link.row.by != step.by:
        top = state.done if kind == "undo" else state.gone
        assert top is not None
        raise RedrawError(
            f"the newest edit is by {top.row.by}: ask them to take it back, or paint it otherwise"
            if kind == "undo"
            else f"what was undone last is by {top.row.by}: ask them to do it again",
            code="not_yours",
            by=top.row.by,
        )
    told = {"do": kind, "seq": link.row.seq}
    others = tuple(row for row in line.rows[max(step.on_seq, 0) :] if row.by != step.by)
    row = _row(line, step, told, "applied")
    act = take_out if kind == "undo" else put_back
    after = replace(act(state, link.row.seq), seq=row.seq)
    return _applied(step, row, state.plan, after.plan, others), [row], after


def settle_edit(line: Line, step: Step, plan_state: str) -> Outcome:
    """Take a waiting edit into the plan, or let it go."""
    known = find_known(line, step)
    if known is not None:
        return known
    seq, decision = int(step.edit["seq"]), str(step.edit["do"])
    if not 1 <= seq <= line.seq or (
        line.rows[seq - 1].state != "conflict" and seq not in line.newest.broken
    ):
        what = line.rows[seq - 1].state if 1 <= seq <= line.seq else "not there"
        raise InputError(f"edit {seq} does not wait to be settled: it is {what}")
    if plan_state != "draft" and decision == "take":
        raise PlanStateError(f"plan {step.plan_id} is {plan_state}: make it a draft first")
    state, waiting = line.newest, line.rows[seq - 1]
    step = replace(step, on_seq=line.seq)
    if decision == "drop":
        row = _row(line, step, step.edit, "applied")
        return (
            _applied(step, row, state.plan, state.plan, ()), [row], replace(state, seq=row.seq)
        )  # fmt: skip
    edit = step.edit.get("edit")
    if edit is None:
        edit = waiting.edit
        if waiting.places:
            edit = carry_edit(edit, waiting.places, state.plan)
    plan = run_edit(state.plan, edit)
    assert plan.past is not None
    told = {"do": "take", "seq": seq, "edit": dict(plan.past.change.edit)}
    row = _row(line, step, told, "applied")
    after = replace(state, seq=row.seq, plan=plan, done=Link(row, state.done), gone=None)
    return _applied(step, row, state.plan, plan, ()), [row], after


def find_known(line: Line, step: Step) -> Outcome | None:
    """The answer to an edit that came before; None if it is new.

    Raises
    ------
    InputError
        If its id belongs to somebody else's edit, or to one of another kind.
    """
    row = line.by_id.get(step.edit_id)
    if row is None:
        return None
    if row.by != step.by or row.edit.get("do") != step.edit.get("do"):
        raise InputError(f"edit_id {step.edit_id} belongs to another edit: give each its own")
    given = {
        key: step.edit[key] for key in ("blocks", "grid", "grids", "block") if key in step.edit
    }
    if row.edit.get("do") not in TELLS and any(
        _differs(row.edit.get(key), value) for key, value in given.items()
    ):
        raise InputError(f"edit_id {step.edit_id} belongs to another edit: give each its own")
    others = tuple(one for one in line.rows[max(step.on_seq, 0) :] if one.by != step.by)
    plan = line.newest.plan
    answer = Applied(
        step.plan_id, row.seq, line.seq, row.edit_id, row.state, row.edit,
        line.state(row.seq - 1).plan, plan, others, row.clash, True,
    )  # fmt: skip
    return answer, [], None


def _differs(stored: Any, given: Any) -> bool:
    """Whether ids differ; the stored edit may have left out blocks that its grid had already."""
    if isinstance(stored, list) and isinstance(given, list | tuple):
        return not set(map(str, stored)) <= set(map(str, given))
    if isinstance(stored, dict):
        return json.dumps(stored, sort_keys=True) != json.dumps(given, sort_keys=True)
    return bool(stored != given)


def _seen(line: Line, step: Step, behind: list[LogEdit]) -> Plan | None:
    """What the author saw: the plan then, and their own edits since; None over another base."""
    if any(row.edit.get("do") == "rebase" for row in behind):
        return None
    plan = line.state(step.on_seq).plan
    for row in behind:
        kind = row.edit.get("do")
        if row.by != step.by or row.state not in ("applied", "conflict") or kind == "drop":
            continue
        try:
            plan = run_edit(plan, row.edit["edit"] if kind == "take" else row.edit)
        except RedrawError:
            # A conflict that was drawn on a conflict: what follows is judged without it.
            continue
    return plan


def _across_bases(line: Line, step: Step) -> Merged:
    old = line.state(step.on_seq).plan
    after = run_edit(old, step.edit)
    assert after.past is not None
    touch = find_touch(old, after)
    now = line.newest.plan
    blocks = tuple(sorted(touch.blocks))
    text = "the plan was put on newly published grids meanwhile"
    place = place_of(now, old, blocks, sorted(touch.grids))
    return Merged(None, dict(after.past.change.edit), Clash("base", text, blocks, place=place))


def _answer(
    line: Line, step: Step, merged: Merged, others: tuple[LogEdit, ...], seen: Plan
) -> Outcome:
    state = line.newest
    if merged.plan is not None:
        past = merged.plan.past
        edit = merged.edit if past is None else past.change.edit
        row = _row(line, step, edit, "applied")
        after = replace(state, seq=row.seq, plan=merged.plan, done=Link(row, state.done), gone=None)
        return _applied(step, row, state.plan, merged.plan, others), [row], after
    clash = merged.clash
    if clash is not None and clash.place is not None:
        lon, lat = state.base.to_lonlat(clash.place)[0].tolist()
        clash = replace(clash, place=(lon, lat))
    word = "dropped" if merged.repeats else "conflict"
    places = vertex_places(merged.edit, seen)
    row = replace(_row(line, step, merged.edit, word), clash=clash, places=places or None)
    after = replace(state, seq=row.seq)
    return _applied(step, row, state.plan, state.plan, others), [row], after


def _row(line: Line, step: Step, edit: Mapping[str, Any], state: str) -> LogEdit:
    try:
        plain = json.loads(json.dumps(edit, allow_nan=False, default=_plain))
    except (TypeError, ValueError) as error:
        raise InputError(f"the edit cannot be written down: {error}") from error
    return LogEdit(line.seq + 1, step.edit_id, step.at, step.by, step.on_seq, state, plain)


def _plain(value: Any) -> Any:
    """A value of NumPy as plain Python."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in an edit")


def _applied(
    step: Step, row: LogEdit, before: Plan, plan: Plan, others: tuple[LogEdit, ...]
) -> Applied:
    return Applied(
        step.plan_id, row.seq, row.seq, row.edit_id, row.state, row.edit, before, plan, others,
        row.clash,
    )  # fmt: skip
