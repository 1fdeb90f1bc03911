"""Edits that move or add vertices: moved borders, vertices more or fewer, blocks cut by a line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
import shapely.ops

from geo._plan_ground import Ground
from geo._plan_rings import Floats, Ints, signed_area
from geo.plan import Blocks, Plan, RedrawError, Swap

LEAST_M2 = 1.0
"""A block or part smaller than this is a slip of the hand; our assumption."""

ON_LINE_M = 1e-6
"""A vertex this near a border was put there by the cut: rounding moves it by less."""


def move_vertices(plan: Plan, vertices: Sequence[int], xy: Floats) -> Plan:
    """Move shared vertices; every block that has them follows.

    Parameters
    ----------
    vertices
        Numbers in the plan's ground.
    xy
        New places, (n, 2), in the plan's CRS.

    Raises
    ------
    RedrawError
        If a vertex lies on the border of a community, a grid at it is locked, or a block would fold
        or all but vanish; `place` says where.
    """
    rows, places = _read_vertices(plan, vertices, xy)
    for vertex in rows[plan.ground.is_fixed[rows]].tolist():
        raise RedrawError(
            "the vertex lies on the border of a community, which a plan of grids does not move",
            shapely.Point(plan.ground.xy[vertex]),
            code="fixed_border",
        )
    ground = plan.ground.moved(rows, places)
    near = ground.rings.blocks_at(rows)
    require_unlocked(plan, np.unique(plan.label[near]))
    _require_sound(plan, ground, near)
    edit = {"do": "move", "vertices": rows.tolist(), "xy": places.tolist()}
    return plan.changed(edit, Swap(vertices=rows, xy=places))


def border_vertices(plan: Plan, one: str, two: str) -> Ints:
    """The vertices of the border between two grids that may move: not where a third one begins."""
    first, second = grid_row(plan, one), grid_row(plan, two)
    edges = plan.ground.rings.edges
    here = plan.label[edges.block]
    there = np.where(edges.other >= 0, plan.label[np.maximum(edges.other, 0)], -1)
    on_line = (here == first) & (there == second)
    if not on_line.any():
        raise RedrawError(
            f"grids {one} and {two} share no border", code="no_border", one=one, two=two
        )
    line = np.union1d(edges.tail[on_line], edges.head[on_line])
    others = ~np.isin(here, (first, second))
    ends = np.union1d(edges.tail[others], edges.head[others])
    line = line[~np.isin(line, ends)]
    return np.asarray(line[~plan.ground.is_fixed[line]])


def move_border(plan: Plan, one: str, two: str, dx: float, dy: float) -> Plan:
    """Move the whole border between two grids by metres east and north; its ends stay.

    Raises
    ------
    RedrawError
        As `move_vertices`, or if the two share no border that can move.
    """
    line = border_vertices(plan, one, two)
    if not len(line):
        raise RedrawError(
            f"the border between {one} and {two} has no vertex of its own: insert one first",
            code="bare_border",
            one=one,
            two=two,
        )
    return move_vertices(plan, line.tolist(), plan.ground.xy[line] + (dx, dy))


def insert_vertex(plan: Plan, tail: int, head: int, xy: Sequence[float] | None = None) -> Plan:
    """Put a vertex into the edge between two others: at its middle, or at x, y.

    Raises
    ------
    RedrawError
        If there is no such edge, it is the border of a community, or a block would fold.
    """
    ground = plan.ground
    edges = ground.rings.edges
    forth = np.flatnonzero((edges.tail == tail) & (edges.head == head))
    back = np.flatnonzero((edges.tail == head) & (edges.head == tail))
    both = np.concatenate([forth, back])
    if not len(both):
        raise RedrawError(f"there is no border from vertex {tail} to vertex {head}", code="no_edge")
    near = np.unique(edges.block[both])
    if len(both) < 2 or len(np.unique(ground.community[near])) > 1:
        raise RedrawError(
            "that is the border of a community, which a plan of grids does not move",
            shapely.LineString(ground.xy[[tail, head]]),
            code="fixed_border",
        )
    require_unlocked(plan, np.unique(plan.label[near]))
    place = ground.xy[[tail, head]].mean(axis=0) if xy is None else np.asarray(xy, dtype=float)
    new = len(ground.xy)
    changed = {
        int(edges.ring[at]): insert_between(
            ground.rings.rings[edges.ring[at]], int(edges.tail[at]), [new]
        )
        for at in both
    }
    moved = replace(
        ground, rings=ground.rings.replace(changed), xy=np.vstack([ground.xy, place[None]])
    )
    _require_sound(plan, moved, near)
    edit = {"do": "insert", "tail": int(tail), "head": int(head), "xy": place.tolist()}
    return plan.changed(edit, Swap(parts={"ground": moved}))


def remove_vertex(plan: Plan, vertex: int) -> Plan:
    """Take a vertex out of the one border that runs through it.

    Raises
    ------
    RedrawError
        If several borders meet there, it is fixed, or a block would fold.
    """
    ground = plan.ground
    rows, _ = _read_vertices(plan, [vertex], ground.xy[[vertex]])
    edges = ground.rings.edges
    around = np.union1d(edges.head[edges.tail == vertex], edges.tail[edges.head == vertex])
    place = shapely.Point(ground.xy[vertex])
    if ground.is_fixed[vertex]:
        raise RedrawError(
            "the vertex lies on the border of a community and stays", place, code="fixed_border"
        )
    if len(around) != 2:
        raise RedrawError(
            f"{len(around)} borders meet at the vertex: it holds them together",
            place,
            code="holds_borders",
            n=len(around),
        )
    changed = {}
    for ring in np.unique(edges.ring[edges.tail == vertex]).tolist():
        left = ground.rings.rings[ring]
        changed[ring] = left[left != vertex]
    near = ground.rings.blocks_at(rows)
    require_unlocked(plan, np.unique(plan.label[near]))
    if min(len(ring) for ring in changed.values()) < 3:
        raise RedrawError("a block would have only two corners left", place, code="two_corners")
    moved = replace(ground, rings=ground.rings.replace(changed))
    _require_sound(plan, moved, near)
    return plan.changed({"do": "remove", "vertex": int(vertex)}, Swap(parts={"ground": moved}))


def cut_block(
    plan: Plan,
    block: int,
    line: shapely.Geometry,
    *,
    homes: Mapping[str, Any] | None = None,
    keep_small: bool = False,
) -> tuple[Plan, list[int]]:
    """Cut a block along a line; its parts share its people by area, or by where people live.

    Parameters
    ----------
    block
        Row of the block; it becomes the first part, the others are added behind all blocks.
    line
        In the plan's CRS; only where it crosses the block from border to border does it cut.
    homes
        `xy` (n, 2) and `households` (n,) of buildings; those inside the block say how its people
        are shared. Without any inside, the area does.
    keep_small
        Leave a block whole where the line would cut off next to nothing, instead of refusing.

    Returns
    -------
    tuple
        The plan as one change, and the rows of the parts; only the block itself if nothing is cut.
    """
    ground = plan.ground
    shape = ground.polygon(block)
    parts = [
        shapely.orient_polygons(part)
        for part in shapely.ops.split(shape, line).geoms
        if isinstance(part, shapely.Polygon)
    ]
    if len(parts) < 2:
        return plan, [block]
    small = min(parts, key=lambda part: part.area)
    if small.area < LEAST_M2 and keep_small:
        return plan, [block]
    if small.area < LEAST_M2:
        raise RedrawError(
            f"the line cuts a part of {small.area:.2f} m2 off block {plan.blocks.ids[block]}:"
            " draw it along the border, or farther inside",
            small.representative_point(),
            code="tiny_part",
            block=plan.blocks.ids[block],
            m2=round(float(small.area), 2),
        )
    places, vertex_of = list(ground.xy), _vertices_of(ground, block)
    rings_of = [_to_rings(part, vertex_of, places) for part in parts]
    xy = np.array(places)
    changed = _join_borders(ground, block, xy)
    for number in ground.rings.rings_of(block):
        changed[number] = np.empty(0, dtype=np.int64)
    first = len(plan.blocks)
    rows = [block, *range(first, first + len(parts) - 1)]
    added = [(ring, row) for rings, row in zip(rings_of, rows, strict=True) for ring in rings]
    share = _shares(parts, homes)
    more = len(parts) - 1
    moved = Ground(
        ground.rings.replace(changed, added),
        xy,
        np.append(ground.community, np.repeat(ground.community[block], more)),
    )
    corners = np.unique(np.concatenate([ring for rings in rings_of for ring in rings]))
    _require_sound(plan, moved, moved.rings.blocks_at(corners))
    edit = {
        "do": "cut",
        "block": plan.blocks.ids[block],
        "line": shapely.get_coordinates(line).tolist(),
    }
    if homes is not None:
        edit["share"] = share.tolist()
    label = np.append(plan.label, np.repeat(plan.label[block], more))
    swap = Swap(
        parts={"ground": moved, "blocks": _cut_rows(plan.blocks, rows, share), "label": label}
    )
    return plan.changed(edit, swap), rows


def _cut_rows(blocks: Blocks, rows: list[int], share: Floats) -> Blocks:
    block, ids = rows[0], list(blocks.ids)
    taken, old = set(ids), ids[block]
    names: list[str] = []
    number = 0
    while len(names) < len(rows):
        number += 1
        if (name := f"{old}-{number}") not in taken:
            names.append(name)
    ids[block] = names[0]
    households = share_whole(int(blocks.households[block]), share)
    people = share_whole(int(blocks.people[block]), share)

    def spread(column: Ints, parts: Ints) -> Ints:
        whole = np.append(column, parts[1:])
        whole[block] = parts[0]
        return whole

    return Blocks(
        (*ids, *names[1:]),
        spread(blocks.households, households),
        spread(blocks.people, people),
        np.append(blocks.origin, np.repeat(blocks.origin[block], len(rows) - 1)),
    )


def share_whole(total: int, share: Floats) -> Ints:
    """Share a whole number so that the parts add up to it (largest remainder, Hamilton)."""
    wanted = total * share / share.sum()
    parts = np.floor(wanted).astype(np.int64)
    order = np.argsort(parts - wanted, kind="stable")
    parts[order[: total - int(parts.sum())]] += 1
    return np.asarray(parts)


def _shares(parts: list[shapely.Polygon], homes: Mapping[str, Any] | None) -> Floats:
    area = np.array([part.area for part in parts])
    if homes is None:
        return area
    if "share" in homes:
        return np.asarray(homes["share"], dtype=np.float64)
    xy = np.asarray(homes["xy"], dtype=np.float64).reshape(-1, 2)
    count = np.asarray(homes["households"], dtype=np.float64)
    lives = np.array([count[shapely.contains_xy(part, xy)].sum() for part in parts])
    return lives if lives.sum() > 0 else area


def _vertices_of(ground: Ground, block: int) -> dict[tuple[float, float], int]:
    numbers = np.concatenate([ground.rings.rings[k] for k in ground.rings.rings_of(block)])
    return {tuple(ground.xy[v].tolist()): int(v) for v in numbers}


def _to_rings(
    part: shapely.Polygon, vertex_of: dict[tuple[float, float], int], places: list[Floats]
) -> list[Ints]:
    """The rings of a part as vertex numbers; places that nobody has yet are added.

    A cut that passes a vertex goes through it: where a neighbour was cut by the same line, rounding
    puts the crossing a hair beside the vertex that the two already share.
    """
    found = []
    for ring in (part.exterior, *part.interiors):
        numbers: list[int] = []
        for place in shapely.get_coordinates(ring)[:-1]:
            key = tuple(place.tolist())
            if key not in vertex_of:
                near = min(vertex_of, key=lambda known: math.dist(known, key))
                if math.dist(near, key) <= ON_LINE_M:
                    vertex_of[key] = vertex_of[near]
                else:
                    vertex_of[key] = len(places)
                    places.append(place)
            if not numbers or numbers[-1] != vertex_of[key]:
                numbers.append(vertex_of[key])
        if len(numbers) > 1 and numbers[0] == numbers[-1]:
            numbers.pop()
        found.append(np.array(numbers, dtype=np.int64))
    return found


def _join_borders(ground: Ground, block: int, xy: Floats) -> dict[int, Ints]:
    """Let neighbours have the new vertices that lie on their border with the block."""
    new = np.arange(len(ground.xy), len(xy))
    edges = ground.rings.edges
    mine = np.flatnonzero(edges.block == block)
    changed: dict[int, Ints] = {}
    if not len(new):
        return changed
    start, end = ground.xy[edges.tail[mine]], ground.xy[edges.head[mine]]
    lines = shapely.linestrings(np.stack([start, end], axis=1))
    away = shapely.distance(lines[:, None], shapely.points(xy[new])[None])
    for k in range(len(mine)):
        on = new[(away[k] <= ON_LINE_M) & (away[k] == away.min(axis=0))]
        if not len(on):
            continue
        tail, head = int(edges.tail[mine[k]]), int(edges.head[mine[k]])
        order = np.argsort(np.hypot(*(xy[on] - xy[head]).T))
        for other in np.flatnonzero((edges.tail == head) & (edges.head == tail)).tolist():
            ring = int(edges.ring[other])
            known = changed.get(ring, ground.rings.rings[ring])
            changed[ring] = insert_between(known, head, on[order].tolist())
    return changed


def insert_between(ring: Ints, tail: int, new: Iterable[int]) -> Ints:
    """A ring with further vertices behind one of its own."""
    at = int(np.flatnonzero(ring == tail)[0]) + 1
    return np.insert(ring, at, list(new))


def _require_sound(plan: Plan, ground: Ground, near: Ints) -> None:
    """Every ring simple and turned as before: no gap, no overlap (see `geo._plan_rings`)."""
    for block in near.tolist():
        name = plan.blocks.ids[block] if block < len(plan.blocks) else "the new part"
        rings = [ground.rings.rings[k] for k in ground.rings.rings_of(block)]
        rings = [ring for ring in rings if len(ring)]
        areas = [signed_area(ground.xy[ring]) for ring in rings]
        old = (
            [
                signed_area(plan.ground.xy[plan.ground.rings.rings[k]])
                for k in plan.ground.rings.rings_of(block)
                if len(plan.ground.rings.rings[k])
            ]
            if block < len(plan.blocks)
            else areas
        )
        flipped = len(old) == len(areas) and any(
            (one > 0) != (two > 0) for one, two in zip(areas, old, strict=True)
        )
        shape = None if flipped or sum(areas) <= 0 else ground.polygon(block)
        if shape is None or not shape.is_valid:
            raise RedrawError(
                f"block {name} would fold over itself: move less far",
                shapely.Point(ground.xy[rings[0][0]]),
                code="folds",
                block=name,
            )
        if shape.area < LEAST_M2:
            raise RedrawError(
                f"block {name} would have only {shape.area:.2f} m2 left: move less far",
                shape.representative_point(),
                code="vanishes",
                block=name,
            )


def _read_vertices(plan: Plan, vertices: Sequence[int], xy: Floats) -> tuple[Ints, Floats]:
    rows = np.asarray(vertices, dtype=np.int64).reshape(-1)
    places = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    if len(rows) != len(places) or not len(rows):
        raise RedrawError(
            f"{len(rows)} vertices and {len(places)} places: give one for each", code="bad_places"
        )
    if not np.isfinite(places).all():
        raise RedrawError("a place is not a number: nothing was moved", code="bad_places")
    if rows.min() < 0 or rows.max() >= len(plan.ground.xy):
        raise RedrawError(
            f"the plan has no vertex {int(rows.max())}: load it again", code="no_vertex"
        )
    return rows, places


def require_unlocked(plan: Plan, grids: Ints) -> None:
    """Refuse what would touch a locked grid."""
    for grid in grids.tolist():
        if plan.grids[grid].grid_id in plan.locked:
            raise RedrawError(
                f"grid {plan.grids[grid].grid_id} is locked: unlock it first",
                plan.outline(grid),
                code="locked",
                grid=plan.grids[grid].grid_id,
            )


def grid_row(plan: Plan, grid_id: str) -> int:
    """Row of a living grid.

    Raises
    ------
    RedrawError
        If the plan has none of that id.
    """
    row = plan.grid_rows.get(grid_id)
    if row is None:
        raise RedrawError(
            f"the plan has no grid {grid_id}: it may have been merged away",
            code="no_grid",
            grid=grid_id,
        )
    return row
