"""Two planners on one draft: what an edit touches, and whether it still means what its author saw.

An edit is judged by what it does, not by what it is called: the blocks whose grid or shape it
changes, and the grids that it makes, ends, renames or locks. An edit that was drawn on an older
state is merged into the newest one if nobody else touched the same blocks or grids, if it still
holds there, and if it does there exactly what its author saw it do. Anything else is a conflict:
it is kept as it was typed, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely

from geo._plan_rings import Floats, Ints
from geo.errors import InputError
from geo.plan import Plan, RedrawError
from geo.redraw import replay

CLASHES = ("blocks", "grids", "rule", "differs", "state", "base")
"""Codes of `Clash`: the same blocks were changed; the same grids were made, ended, renamed or
locked; a rule no longer allows it; it would now do something else; the plan was no draft any more;
the plan was put on a new base."""

NEAR_M = 0.001
"""A vertex of another state this near is the same one; survey data is ten times coarser."""

FIRST = "edit 1: "
_VERTICES = {"move": ("vertices",), "insert": ("tail", "head"), "remove": ("vertex",)}


@dataclass(frozen=True)
class Touch:
    """What an edit does, as ids."""

    blocks: frozenset[str] = frozenset()
    """Blocks whose grid, shape or people change, under their old and new ids."""
    grids: frozenset[str] = frozenset()
    """Grids that lose or get blocks or change shape, and those renamed or locked."""
    renamed: frozenset[str] = frozenset()
    """Grids whose name, kind or lock changes."""
    made: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    effect: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, compare=False)
    """By block (`block:…`), grid (`grid:…`) and locked border: what was before and is after."""


@dataclass(frozen=True)
class Clash:
    """Why an edit was not merged."""

    code: str
    """One of `CLASHES`."""
    text: str
    blocks: tuple[str, ...] = ()
    grids: tuple[str, ...] = ()
    seqs: tuple[int, ...] = ()
    """Numbers of the edits that it clashes with."""
    place: tuple[float, float] | None = None
    """Where: x, y in the plan's CRS; longitude and latitude in answers of `geo.io.planbook`."""


@dataclass(frozen=True, eq=False)
class Merged:
    """What became of an edit that was drawn on an older state."""

    plan: Plan | None
    """The newest state after it; None if it clashes or has nothing to do."""
    edit: Mapping[str, Any]
    """The edit with all that it left open, as its author's state decided it."""
    clash: Clash | None = None
    repeats: bool = False
    """Others did the very same already."""


def run_edit(plan: Plan, edit: Mapping[str, Any]) -> Plan:
    """Run one edit as `geo.redraw.replay` takes it, or undo or redo; what it lacks is added.

    Raises
    ------
    InputError
        If it is of no kind that this program knows, or lacks what its kind needs.
    RedrawError
        If it does not hold on this plan.
    """
    kind = edit.get("do")
    if kind == "undo":
        return plan.undo()
    if kind == "redo":
        return plan.redo()
    try:
        return replay(plan, [edit])
    except RedrawError as error:
        text = str(error).removeprefix(FIRST)
        raise RedrawError(text, error.place, error.offer, code=error.code, **error.parts) from error
    except InputError as error:
        raise InputError(str(error).removeprefix(FIRST)) from error


def find_reshaped(before: Plan, after: Plan) -> Ints:
    """Rows of the blocks of `after` that had another shape in `before`, or were not there.

    The plans are states of one history.
    """
    one, two = before.ground, after.ground
    if one is two:
        return np.empty(0, dtype=np.int64)
    rows: set[int] = set(range(len(before.blocks), len(after.blocks)))
    count = min(len(one.xy), len(two.xy))
    moved = np.flatnonzero((one.xy[:count] != two.xy[:count]).any(axis=1)).tolist()
    rows.update(two.rings.blocks_at(moved).tolist())
    old, new = one.rings.rings, two.rings.rings
    if one.rings is not two.rings:
        for number, (left, right) in enumerate(zip(old, new, strict=False)):
            if left is not right and not np.array_equal(left, right):
                rows.add(int(two.rings.block[number]))
        rows.update(two.rings.block[len(old) :].tolist())
        rows.update(one.rings.block[len(new) :].tolist())
    return np.array(sorted(row for row in rows if row < len(after.blocks)), dtype=np.int64)


def find_touch(before: Plan, after: Plan) -> Touch:
    """Find what changed from a plan to a later or earlier state of the same history."""
    count = min(len(before.blocks), len(after.blocks))
    differs = _grid_ids(before, before.label[:count]) != _grid_ids(after, after.label[:count])
    rows = set(np.flatnonzero(differs).tolist())
    shaped = {*find_reshaped(before, after).tolist(), *find_reshaped(after, before).tolist()}
    rows |= shaped | {*range(count, len(before.blocks)), *range(count, len(after.blocks))}
    effect: dict[str, tuple[Any, ...]] = {}
    for row in sorted(rows):
        old, new = _block(before, row, row in shaped), _block(after, row, row in shaped)
        for state in (old, new):
            if state is not None:
                effect[f"block:{state[0]}"] = (old, new)
    return _with_grids(before, after, effect)


def find_changes(before: Plan, after: Plan) -> Touch:
    """Find what differs between plans of two bases: blocks are matched by id, shapes by place."""
    effect: dict[str, tuple[Any, ...]] = {}
    one, two = _all_blocks(before), _all_blocks(after)
    for name in {**one, **two}:
        old, new = one.get(name), two.get(name)
        if old != new:
            effect[f"block:{name}"] = (old, new)
    return _with_grids(before, after, effect)


def find_clash(mine: Touch, theirs: Touch) -> Clash | None:
    """Find what two edits both touch; None if both can be done."""
    blocks = sorted(mine.blocks & theirs.blocks)
    if blocks:
        return Clash(
            "blocks", f"{len(blocks)} blocks were changed by somebody else meanwhile", tuple(blocks)
        )
    made = mine.grids & (theirs.made | theirs.ended)
    lost = mine.ended & (theirs.grids | theirs.renamed)
    grids = sorted((made - mine.made) | lost | (mine.renamed & theirs.renamed))
    if grids:
        return Clash(
            "grids",
            f"grid {grids[0]} was made, ended or changed by somebody else meanwhile",
            grids=tuple(grids),
        )
    borders = sorted(_borders(mine) & _borders(theirs))
    if borders:
        return Clash("grids", "the same border was locked or let go by somebody else meanwhile")
    return None


def merge_edit(
    seen: Plan, now: Plan, edit: Mapping[str, Any], others: Iterable[tuple[int, Touch]]
) -> Merged:
    """Bring an edit that was drawn on an older state into the newest one.

    Parameters
    ----------
    seen, now
        The state that its author saw, and the newest one.
    others
        What others did since, each with its number in the log.

    Raises
    ------
    RedrawError, InputError
        If the edit does not hold on what its author saw (see `run_edit`).
    """
    after = run_edit(seen, edit)
    whole = dict(edit) if after.past is None else dict(after.past.change.edit)
    if seen is now:
        return Merged(after, whole)
    mine = find_touch(seen, after)
    if _is_done(now, mine):
        return Merged(None, whole, repeats=True)
    clashes = [(seq, found) for seq, touch in others if (found := find_clash(mine, touch))]
    if clashes:
        first = clashes[0][1]
        same = [(seq, found) for seq, found in clashes if found.code == first.code]
        blocks = sorted({name for _, found in same for name in found.blocks})
        grids = sorted({name for _, found in same for name in found.grids})
        clash = replace(
            first,
            blocks=tuple(blocks), grids=tuple(grids), seqs=tuple(seq for seq, _ in same),
            place=place_of(now, seen, blocks, grids),
        )  # fmt: skip
        return Merged(None, whole, clash)
    touched = sorted(mine.blocks)
    try:
        there = run_edit(now, carry_edit(whole, seen.ground.xy, now))
    except RedrawError as error:
        point = None if error.place is None else error.place.representative_point()
        place = place_of(now, seen, touched, ()) if point is None else (point.x, point.y)
        clash = Clash("rule", str(error), tuple(error.offer or touched), place=place)
        return Merged(None, whole, clash)
    if _sorted_effect(find_touch(now, there)) != _sorted_effect(mine):
        place = place_of(now, seen, touched, ())
        text = "it would now change something else than its author saw"
        return Merged(None, whole, Clash("differs", text, tuple(touched), place=place))
    return Merged(there, whole)


def carry_edit(
    edit: Mapping[str, Any], xy: Floats | Mapping[int, Sequence[float]], to: Plan
) -> dict[str, Any]:
    """The same edit with the vertex numbers that another state has for the same places.

    `xy` has the places of the vertices where the edit was drawn. Edits without vertices stay.

    Raises
    ------
    RedrawError
        If there is no vertex within a millimetre.
    """
    keys = _VERTICES.get(str(edit.get("do")), ())
    found = dict(edit)
    for key in keys:
        value = edit[key]
        many = isinstance(value, list | tuple)
        rows = [_vertex_at(to, xy[int(row)], int(row)) for row in (value if many else [value])]
        found[key] = rows if many else rows[0]
    return found


def vertex_places(edit: Mapping[str, Any], plan: Plan) -> dict[int, list[float]]:
    """Where the vertices lie that an edit names, by their number; empty if it names none."""
    found: dict[int, list[float]] = {}
    for key in _VERTICES.get(str(edit.get("do")), ()):
        value = edit[key]
        for row in value if isinstance(value, list | tuple) else [value]:
            found[int(row)] = plan.ground.xy[int(row)].tolist()
    return found


def place_of(
    plan: Plan, other: Plan, blocks: Iterable[str], grids: Iterable[str]
) -> tuple[float, float] | None:
    """A place inside one of some blocks or grids that either plan has, x and y; None if none."""
    for one in (plan, other):
        for name in blocks:
            if name in one.block_rows:
                point = one.ground.polygon(one.block_rows[name]).representative_point()
                return point.x, point.y
        for name in grids:
            if name in one.grid_rows:
                row = int(one.members(one.grid_rows[name])[0])
                point = one.ground.polygon(row).representative_point()
                return point.x, point.y
    return None


def _vertex_at(plan: Plan, place: Floats | Sequence[float], guess: int) -> int:
    xy = plan.ground.xy
    if guess < len(xy) and (xy[guess] == np.asarray(place)).all():
        return guess
    away = np.hypot(*(xy - np.asarray(place)).T)
    row = int(np.argmin(away))
    if away[row] > NEAR_M:
        raise RedrawError(
            "the vertex is not where it was: somebody moved it or took it out",
            shapely.Point(place),
            code="no_vertex",
        )
    return row


def _grid_ids(plan: Plan, label: Ints) -> np.ndarray[Any, np.dtype[np.object_]]:
    names = np.array([row.grid_id for row in plan.grids], dtype=object)
    return np.asarray(names[label])


def _block(plan: Plan, row: int, with_shape: bool) -> tuple[Any, ...] | None:
    """What is known of a block: id, grid, people, and if asked for its shape as bytes."""
    if row >= len(plan.blocks):
        return None
    blocks = plan.blocks
    shape = shapely.to_wkb(shapely.normalize(plan.ground.polygon(row))) if with_shape else None
    grid = plan.grids[int(plan.label[row])].grid_id
    return blocks.ids[row], grid, int(blocks.households[row]), int(blocks.people[row]), shape


def _all_blocks(plan: Plan) -> dict[str, tuple[Any, ...]]:
    """`_block` of every block, with its shape, by id."""
    blocks = plan.blocks
    shapes = shapely.to_wkb(shapely.normalize(plan.ground.polygons(range(len(blocks)))))
    columns = zip(
        blocks.ids, _grid_ids(plan, plan.label).tolist(), blocks.households.tolist(),
        blocks.people.tolist(), shapes.tolist(), strict=True,
    )  # fmt: skip
    return {parts[0]: parts for parts in columns}


def _traits(plan: Plan) -> dict[str, tuple[Any, ...]]:
    living = (plan.grids[row] for row in plan.living.tolist())
    return {row.grid_id: (row.name, row.kind, row.grid_id in plan.locked) for row in living}


def _with_grids(before: Plan, after: Plan, effect: dict[str, tuple[Any, ...]]) -> Touch:
    """A touch out of what happened to blocks, with what happened to grids."""
    blocks = frozenset(key.removeprefix("block:") for key in effect)
    grids = {state[1] for pair in effect.values() for state in pair if state is not None}
    old, new = set(before.grid_rows), set(after.grid_rows)
    renamed: set[str] = set()
    if before.grids is not after.grids or before.locked != after.locked:
        left, right = _traits(before), _traits(after)
        renamed = {name for name in old & new if left[name] != right[name]}
        effect |= {f"grid:{name}": (left[name], right[name]) for name in renamed}
        effect |= {f"grid:{name}": (None, right[name]) for name in new - old}
    if before.locked_edges != after.locked_edges:
        for plan, edges in (
            (before, before.locked_edges - after.locked_edges),
            (after, after.locked_edges - before.locked_edges),
        ):
            for pair in edges:
                line = sorted(map(tuple, plan.ground.xy[list(pair)].tolist()))
                effect[f"border:{line}"] = (plan is after,)
    return Touch(
        blocks,
        frozenset(grids | renamed),
        frozenset(renamed),
        frozenset(new - old),
        frozenset(old - new),
        effect,
    )


def _borders(touch: Touch) -> set[str]:
    return {key for key in touch.effect if key.startswith("border:")}


def _sorted_effect(touch: Touch) -> list[tuple[Any, ...]]:
    """The effect of an edit with grids that it makes under numbers instead of ids.

    Which id a new grid gets depends on who was first, and that is no difference to an author.
    """
    number = {name: f"new {k}" for k, name in enumerate(sorted(touch.made))}

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(plain(part) for part in value)
        return number.get(value, value) if isinstance(value, str) else value

    found = []
    for key, value in touch.effect.items():
        kind, _, name = key.partition(":")
        found.append((kind, number.get(name, name), plain(value)))
    return sorted(found, key=repr)


def _is_done(plan: Plan, touch: Touch) -> bool:
    """Whether everything that an edit would bring about is so already."""
    if touch.made or touch.ended or not touch.effect:
        return False
    traits = _traits(plan) if touch.renamed else {}
    for key, (*_, new) in touch.effect.items():
        kind, _, name = key.partition(":")
        if kind == "grid" and traits.get(name) != new:
            return False
        if kind == "border":
            return False
        if kind == "block":
            row = plan.block_rows.get(name)
            if new is None or row is None or _block(plan, row, new[4] is not None) != new:
                return False
    return True
