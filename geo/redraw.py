"""Edits of a plan: each gives a new plan, or refuses with the reason, the place and the way out.

What an edit leaves behind is checked, whatever the edit: grids in one piece, inside one community,
none empty, none locked; blocks sound and covering the same ground. So no order of edits can lead to
a gap, an overlap or a household that is counted twice. A refused edit changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import shapely.ops

from geo._plan_history import Swap
from geo._plan_rings import Ints
from geo._redraw_names import lock as lock
from geo._redraw_names import lock_border as lock_border
from geo._redraw_names import new_grid_id as new_grid_id
from geo._redraw_names import read_name
from geo._redraw_names import rename as rename
from geo._redraw_names import renumber as renumber
from geo._redraw_shapes import border_vertices as border_vertices
from geo._redraw_shapes import cut_block, grid_row, require_borders, require_unlocked
from geo._redraw_shapes import insert_vertex as insert_vertex
from geo._redraw_shapes import move_border as move_border
from geo._redraw_shapes import move_vertices as move_vertices
from geo._redraw_shapes import remove_vertex as remove_vertex
from geo.errors import InputError, WanggeError
from geo.plan import GridRow, Plan, RedrawError, pieces_of

MAIN_KIND = "base"
DEDICATED = "dedicated"


def paint(plan: Plan, blocks: Iterable[str], grid: str, *, along: bool = False) -> Plan:
    """Give blocks to a grid.

    Parameters
    ----------
    blocks
        Ids; those that the grid has already are left as they are.
    along
        Also take what would be cut off from the grids that lose blocks.

    Raises
    ------
    RedrawError
        If a block is unknown, in another community or in a locked grid, a grid would be left empty,
        or one would fall into pieces; then `offer` names the blocks to take along.
    """
    to = grid_row(plan, grid)
    rows = _block_rows(plan, blocks)
    rows = rows[plan.label[rows] != to]
    if not len(rows):
        raise RedrawError(
            f"all of these blocks are in grid {grid} already", code="has_them_already", grid=grid
        )
    label = plan.label.copy()
    label[rows] = to
    cut_off = _cut_off(plan, label, np.unique(plan.label[rows]))
    if len(cut_off) and along:
        label[cut_off] = to
    elif len(cut_off):
        names = [plan.blocks.ids[row] for row in cut_off.tolist()]
        raise RedrawError(
            f"{len(names)} blocks would be cut off from their grid: take them along, or paint"
            " elsewhere",
            shapely.coverage_union_all(plan.ground.polygons(cut_off)),
            names,
            code="cut_off",
            n=len(names),
        )
    edit = {
        "do": "paint",
        "blocks": [plan.blocks.ids[row] for row in rows.tolist()],
        "grid": grid,
        "along": along,
    }
    return _relabel(plan, label, edit)


def assign(plan: Plan, blocks: Mapping[str, str]) -> Plan:
    """Give each block the grid that it is paired with, all at once (`grid_id` by `block_id`).

    Raises
    ------
    RedrawError
        As `paint`.
    """
    label = plan.label.copy()
    rows = _block_rows(plan, blocks)
    label[rows] = [grid_row(plan, name) for name in blocks.values()]
    return _relabel(plan, label, {"do": "assign", "blocks": dict(blocks)})


def merge(plan: Plan, grids: Collection[str], *, into: str | None = None) -> Plan:
    """Make neighbouring grids one; it keeps the id of `into`, else of the one with most households.

    Raises
    ------
    RedrawError
        If they are not neighbours, lie in different communities, or one is locked.
    """
    rows = [grid_row(plan, name) for name in dict.fromkeys(grids)]
    if len(rows) < 2:
        raise RedrawError(
            "one grid alone cannot be merged: choose two or more", code="one_grid_alone"
        )
    if into is not None and into not in grids:
        raise RedrawError(f"grid {into} is not among those to merge", code="not_among", grid=into)
    names = [plan.grids[row].grid_id for row in rows]
    homes = [int(plan.blocks.households[plan.members(row)].sum()) for row in rows]
    kept = into or names[int(np.argmax(homes))]
    label = plan.label.copy()
    label[np.isin(label, rows)] = grid_row(plan, kept)
    edit = {"do": "merge", "grids": names, "into": kept}
    return _relabel(plan, label, edit, may_end=rows)


def split(
    plan: Plan,
    grid: str,
    line: shapely.LineString,
    *,
    through: bool = False,
    name: str | None = None,
    homes: Mapping[str, Any] | None = None,
) -> Plan:
    """Split a grid in two by a drawn line; the part with more households keeps the id.

    Parameters
    ----------
    line
        In the plan's CRS, from outside the grid to outside.
    through
        Cut the blocks under the line; otherwise each block goes to the side that has more of it.
    name
        Of the new grid (see `rename`); empty takes its id.
    homes
        See `cut_block` of `geo._redraw_shapes`: buildings with `xy` and `households`.

    Raises
    ------
    RedrawError
        If the line crosses itself, misses the grid or ends in it, would make more than two parts,
        or leaves a side without a block.
    """
    row = grid_row(plan, grid)
    require_unlocked(plan, np.array([row]))
    outline = plan.outline(row)
    sides = _sides(outline, line, grid)
    after, cuts = _cut_all(plan, plan.members(row), line, homes) if through else (plan, [])
    members = after.members(row)
    shapes = after.ground.polygons(members)
    part = np.stack([shapely.area(shapely.intersection(shapes, side)) for side in sides])
    second = part[1] > part[0]
    if second.all() or not second.any():
        raise RedrawError(
            f"the line leaves no whole block of grid {grid} on one of its sides: draw it farther"
            " inside, or cut through blocks",
            line,
            code="no_whole_block",
            grid=grid,
        )
    households = after.blocks.households[members]
    moved = (
        members[second]
        if households[second].sum() <= households[~second].sum()
        else members[~second]
    )
    made = new_grid_id(plan, grid)
    title = read_name(name, made) if name else made
    label = after.label.copy()
    label[moved] = len(plan.grids)
    old = plan.grids[row]
    edit = {
        "do": "split",
        "grid": grid,
        "line": shapely.get_coordinates(line).tolist(),
        "through": through,
        "name": title if name else None,
    } | _homes_json(homes)
    grids = (*plan.grids, GridRow(made, title, old.kind, old.community))
    return _relabel(plan, label, edit, base=after, cuts=cuts, grids=grids)


def cut_out(
    plan: Plan,
    area: shapely.Polygon,
    *,
    name: str,
    through: bool = False,
    kind: str = DEDICATED,
    homes: Mapping[str, Any] | None = None,
) -> Plan:
    """Make a new grid of what lies in an area, such as a dedicated grid (专属网格).

    Blocks with more than half of their ground in the area belong to it; `through` cuts them along
    its border first.

    Raises
    ------
    RedrawError
        If the area is not a sound polygon, holds no block, reaches over a community's border, or
        leaves a grid empty or in pieces.
    """
    if not isinstance(area, shapely.Polygon) or not area.is_valid or area.is_empty:
        raise RedrawError(
            "the area is not a polygon, or its border crosses itself: draw it again",
            code="bad_area",
        )
    near = plan.ground.blocks_in(area.bounds)
    near = near[shapely.intersects(plan.ground.polygons(near), area)]
    after, cuts = plan, list[Swap]()
    if through:
        after, cuts = _cut_all(plan, near, shapely.LineString(area.exterior), homes)
        near = np.append(near, np.arange(len(plan.blocks), len(after.blocks)))
    parts = after.ground.polygons(near)
    inside = shapely.area(shapely.intersection(parts, area)) > shapely.area(parts) / 2
    rows = near[inside]
    if not len(rows):
        raise RedrawError(
            "no block lies in the area: draw it larger, or cut through blocks",
            area,
            code="empty_area",
        )
    communities = np.unique(after.ground.community[rows])
    if len(communities) > 1:
        names = ", ".join(plan.communities[k] for k in communities.tolist())
        raise RedrawError(
            f"the area reaches over the border of communities {names}",
            area,
            code="over_community",
            names=names,
        )
    made = new_grid_id(plan, plan.grids[int(after.label[rows[0]])].grid_id)
    label = after.label.copy()
    label[rows] = len(plan.grids)
    title = read_name(name, made)
    grids = (*plan.grids, GridRow(made, title, kind, int(communities[0])))
    edit = {
        "do": "cut_out",
        "area": shapely.get_coordinates(area.exterior).tolist(),
        "name": title,
        "through": through,
        "kind": kind,
    } | _homes_json(homes)
    return _relabel(plan, label, edit, base=after, cuts=cuts, grids=grids)


def _homes_json(homes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The part of an edit that says where people live; empty if nobody said."""
    if homes is None:
        return {}
    return {"homes": {key: np.asarray(value).tolist() for key, value in homes.items()}}


def _cut_all(
    plan: Plan, blocks: Ints, line: shapely.Geometry, homes: Mapping[str, Any] | None
) -> tuple[Plan, list[Swap]]:
    """Cut each of some blocks where the line crosses it."""
    after, cuts = plan, list[Swap]()
    for block in blocks.tolist():
        found = cut_block(after, block, line, homes=homes, keep_small=True)
        if found is not None:
            after, _ = after.swapped(found[0])
            cuts.append(found[0])
    return after, cuts


def cut(
    plan: Plan, block: str, line: shapely.LineString, *, homes: Mapping[str, Any] | None = None
) -> Plan:
    """Cut one block along a line; its parts stay in its grid.

    Raises
    ------
    RedrawError
        If the line crosses itself or does not cross the block, or a part would be tiny.
    """
    row = int(_block_rows(plan, [block])[0])
    require_unlocked(plan, np.array([plan.label[row]]))
    _require_line(line)
    found = cut_block(plan, row, line, homes=homes)
    if found is None:
        raise RedrawError(
            f"the line does not cross block {block} from border to border",
            line,
            code="line_misses_block",
            block=block,
        )
    swap, share = found
    edit = {"do": "cut", "block": block, "line": shapely.get_coordinates(line).tolist()}
    return plan.changed(edit if homes is None else {**edit, "share": share}, swap)


def diff(one: Plan, two: Plan) -> pd.DataFrame:
    """Find the blocks that are in another grid in the second plan.

    Returns
    -------
    DataFrame
        By `block_id` of the plan with more blocks: `from_grid`, `to_grid`, `households`,
        `population`. Households that left and came add up grid by grid.
    """
    more = two if len(two.blocks) >= len(one.blocks) else one
    first, second = (_labels_of(plan, more) for plan in (one, two))
    moved = np.flatnonzero(first != second)
    return pd.DataFrame(
        {
            "from_grid": first[moved],
            "to_grid": second[moved],
            "households": more.blocks.households[moved],
            "population": more.blocks.people[moved],
        },
        index=pd.Index([more.blocks.ids[row] for row in moved.tolist()], name="block_id"),
    )


_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "paint": {"along": False},
    "merge": {"into": None},
    "split": {"through": False, "name": None},
    "cut_out": {"through": False, "kind": DEDICATED},
    "insert": {"xy": None},
    "renumber": {"digits": 3},
    "lock": {"on": True},
    "lock_border": {"on": True},
}
"""What an edit of a script may leave out: the defaults of the functions."""

_NEEDS: Mapping[str, tuple[str, ...]] = {
    "paint": ("blocks", "grid"),
    "assign": ("blocks",),
    "merge": ("grids",),
    "split": ("grid", "line"),
    "cut_out": ("area", "name"),
    "cut": ("block", "line"),
    "move": ("vertices", "xy"),
    "insert": ("tail", "head"),
    "remove": ("vertex",),
    "rename": ("grid", "name"),
    "renumber": (),
    "lock": ("grids",),
    "lock_border": ("one", "two"),
}
"""What it may not."""


def replay(first: Plan, script: Iterable[Mapping[str, Any]]) -> Plan:
    """Run a script of edits (`Plan.script`, or one written by hand) on a plan.

    Parameters
    ----------
    script
        Each edit has `do`, the name of a function of this module, and its arguments by name; what
        has a default there may be left out. Lines and areas are lists of x, y.

    Raises
    ------
    InputError
        If an edit is of a kind that this program does not know, lacks something, or cannot be read.
    RedrawError
        If an edit does not hold on this plan. Both messages begin with its number.
    """
    plan = first
    for number, edit in enumerate(script, start=1):
        try:
            plan = _run(plan, edit)
        except RedrawError as error:
            raise RedrawError(
                f"edit {number}: {error}", error.place, error.offer, code=error.code, **error.parts
            ) from error
        except InputError as error:
            raise InputError(f"edit {number}: {error}") from error
    return plan


def _run(plan: Plan, edit: Mapping[str, Any]) -> Plan:
    """Run one edit of a script; InputError if it is none."""
    if not isinstance(edit, Mapping):
        raise InputError(f"{edit!r} is no edit: give an object with do and its arguments")
    kind = str(edit.get("do"))
    if kind not in _EDITS:
        raise InputError(
            f"the edit is {edit.get('do')!r}, which this program does not know: update the program"
        )
    missing = [name for name in _NEEDS[kind] if name not in edit]
    if missing:
        raise InputError(f"{kind} lacks {', '.join(missing)}: add it")
    try:
        return _EDITS[kind](plan, {**_DEFAULTS.get(kind, {}), **edit})
    except WanggeError:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, shapely.errors.GEOSException) as bad:
        raise InputError(f"{kind} cannot be read: {bad}") from bad


_EDITS = {
    "paint": lambda plan, e: paint(plan, e["blocks"], e["grid"], along=e["along"]),
    "assign": lambda plan, e: assign(plan, e["blocks"]),
    "merge": lambda plan, e: merge(plan, e["grids"], into=e["into"]),
    "split": lambda plan, e: split(
        plan, e["grid"], shapely.LineString(e["line"]), through=e["through"], name=e["name"],
        homes=e.get("homes"),
    ),
    "cut_out": lambda plan, e: cut_out(
        plan, shapely.Polygon(e["area"]), name=e["name"], through=e["through"], kind=e["kind"],
        homes=e.get("homes"),
    ),
    "cut": lambda plan, e: cut(
        plan, e["block"], shapely.LineString(e["line"]),
        homes={"share": e["share"]} if "share" in e else None,
    ),
    "move": lambda plan, e: move_vertices(plan, e["vertices"], np.array(e["xy"])),
    "insert": lambda plan, e: insert_vertex(plan, e["tail"], e["head"], e["xy"]),
    "remove": lambda plan, e: remove_vertex(plan, e["vertex"]),
    "rename": lambda plan, e: rename(plan, e["grid"], e["name"]),
    "renumber": lambda plan, e: renumber(plan, digits=e["digits"]),
    "lock": lambda plan, e: lock(plan, e["grids"], on=e["on"]),
    "lock_border": lambda plan, e: lock_border(plan, e["one"], e["two"], on=e["on"]),
}  # fmt: skip


def _relabel(
    plan: Plan,
    label: Ints,
    edit: Mapping[str, Any],
    *,
    base: Plan | None = None,
    cuts: Iterable[Swap] = (),
    grids: tuple[GridRow, ...] | None = None,
    may_end: Collection[int] = (),
) -> Plan:
    """`plan` with other labels, if every rule holds; `base` is the plan after `cuts` of blocks."""
    shape = plan if base is None else base
    known = plan.grids if grids is None else grids
    old = shape.label
    moved = np.flatnonzero(label != old)
    if not len(moved):
        raise RedrawError("that changes nothing", code="changes_nothing")
    touched = np.union1d(old[moved], label[moved])
    require_unlocked(plan, touched[touched < len(plan.grids)])
    home = np.array([row.community for row in known])
    strange = moved[home[label[moved]] != shape.ground.community[moved]]
    if len(strange):
        name = shape.blocks.ids[int(strange[0])]
        raise RedrawError(
            f"block {name} lies in another community, and a grid never crosses that border",
            shape.ground.polygon(int(strange[0])),
            code="other_community",
            block=name,
        )
    trial = replace(shape, label=label, grids=known)
    for grid in touched.tolist():
        members = trial.members(grid)
        if not len(members):
            if grid in may_end:
                continue
            raise RedrawError(
                f"grid {known[grid].grid_id} would be left without a block: merge it instead",
                plan.outline(grid),
                code="left_empty",
                grid=known[grid].grid_id,
            )
        pieces = pieces_of(trial, members)
        if len(pieces) > 1:
            small = min(pieces, key=lambda piece: int(trial.blocks.households[piece].sum()))
            raise RedrawError(
                f"grid {known[grid].grid_id} would lie in {len(pieces)} pieces: paint what lies"
                " between them, too",
                shapely.coverage_union_all(trial.ground.polygons(small)),
                code="falls_apart",
                grid=known[grid].grid_id,
                n=len(pieces),
            )
    require_borders(trial)
    parts = {} if grids is None else {"grids": known}
    return plan.changed(edit, *cuts, Swap(blocks=moved, label=label[moved], parts=parts))


def _cut_off(plan: Plan, label: Ints, grids: Ints) -> Ints:
    """Blocks that lose touch with the main part of their grid, which is the one with most homes."""
    trial = replace(plan, label=label)
    found = []
    for grid in grids.tolist():
        pieces = pieces_of(trial, trial.members(grid))
        pieces.sort(key=lambda piece: (-int(plan.blocks.households[piece].sum()), int(piece[0])))
        found += pieces[1:]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _sides(
    outline: shapely.Geometry, line: shapely.LineString, grid: str
) -> list[shapely.Geometry]:
    _require_line(line)
    parts = list(shapely.ops.split(outline, line).geoms)
    if len(parts) < 2:
        raise RedrawError(
            f"the line does not cross grid {grid} from border to border: begin and end outside",
            line,
            code="line_misses",
            grid=grid,
        )
    if len(parts) > 2:
        raise RedrawError(
            f"the line would cut grid {grid} into {len(parts)} parts: cross it once",
            line,
            code="many_parts",
            grid=grid,
            n=len(parts),
        )
    return parts


def _require_line(line: shapely.LineString) -> None:
    if line.is_empty or not np.isfinite(shapely.get_coordinates(line)).all() or line.length == 0:
        raise RedrawError("the line has no length: draw it again", code="no_line")
    if not line.is_simple:
        raise RedrawError(
            "the line crosses itself: draw it again", line, code="line_crosses_itself"
        )


def _block_rows(plan: Plan, blocks: Iterable[str]) -> Ints:
    names = list(blocks)
    unknown = [name for name in names if name not in plan.block_rows]
    if unknown:
        raise RedrawError(
            f"the plan has no block {unknown[0]}: load it again", code="no_block", block=unknown[0]
        )
    if not names:
        raise RedrawError("no block was chosen", code="nothing_chosen")
    return np.array([plan.block_rows[name] for name in names], dtype=np.int64)


def _labels_of(plan: Plan, other: Plan) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Grid ids of a plan for the blocks of another of the same history."""
    names = np.array([row.grid_id for row in plan.grids], dtype=object)
    if len(plan.blocks) == len(other.blocks):
        return np.asarray(names[plan.label])
    # Parts that were cut later are where the block was that they were cut from.
    row_of = {int(origin): row for row, origin in enumerate(plan.blocks.origin.tolist())}
    rows = [
        row if row < len(plan.blocks) else row_of[int(origin)]
        for row, origin in enumerate(other.blocks.origin.tolist())
    ]
    return np.asarray(names[plan.label[rows]])


def read_homes(buildings: gpd.GeoDataFrame) -> dict[str, Any]:
    """Where people live, for edits that cut blocks: buildings with `households`, in its CRS."""
    points = buildings.geometry.representative_point()
    return {
        "xy": np.column_stack([points.x, points.y]),
        "households": buildings["households"].fillna(0).to_numpy(dtype=np.float64),
    }
