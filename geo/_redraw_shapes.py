"""Edits that move or add vertices: moved borders, vertices more or fewer, blocks cut by a line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
import shapely.ops

from geo._plan_ground import Ground, Patch
from geo._plan_history import Blocks, People, Swap
from geo._plan_rings import Floats, Ints, signed_area
from geo.plan import Plan, RedrawError

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
    near = plan.ground.rings.blocks_at(rows.tolist())
    require_unlocked(plan, np.unique(plan.label[near]))
    require_free_vertices(plan, rows.tolist())
    ground = plan.ground.moved(rows, places)
    _require_sound(plan, ground, near)
    edit = {"do": "move", "vertices": rows.tolist(), "xy": places.tolist()}
    known = (plan.ground, ground, Patch())
    return plan.changed(edit, Swap(vertices=rows, xy=places, known=known))


def border_vertices(plan: Plan, one: str, two: str) -> Ints:
    """The vertices of the border between two grids that may move: not where a third one begins."""
    tail, head = border_edges(plan, one, two).T
    first, second = grid_row(plan, one), grid_row(plan, two)
    label, ground = plan.label, plan.ground
    found = []
    for vertex in np.union1d(tail, head).tolist():
        here = set(label[ground.rings.blocks_at([vertex])].tolist())
        if here == {first, second} and not ground.is_fixed[vertex]:
            found.append(vertex)
    return np.array(found, dtype=np.int64)


def border_edges(plan: Plan, one: str, two: str) -> Ints:
    """The edges between two grids, (n, 2) vertices with the first grid on the left.

    Raises
    ------
    RedrawError
        If the two share no border.
    """
    first, second = grid_row(plan, one), grid_row(plan, two)
    edges = plan.ground.rings.edges_of(plan.members(first).tolist())
    there = np.where(edges.other >= 0, plan.label[np.maximum(edges.other, 0)], -1)
    on_line = there == second
    if not on_line.any():
        raise RedrawError(
            f"grids {one} and {two} share no border", code="no_border", one=one, two=two
        )
    return np.column_stack([edges.tail[on_line], edges.head[on_line]])


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
    sides = {
        ring: (start, end)
        for start, end in ((tail, head), (head, tail))
        if (ring := ground.rings.across(end, start)) >= 0
    }
    if not sides:
        raise RedrawError(f"there is no border from vertex {tail} to vertex {head}", code="no_edge")
    near = np.unique(ground.rings.block[list(sides)])
    if len(sides) < 2 or len(np.unique(ground.community[near])) > 1:
        raise RedrawError(
            "that is the border of a community, which a plan of grids does not move",
            shapely.LineString(ground.xy[[tail, head]]),
            code="fixed_border",
        )
    require_unlocked(plan, np.unique(plan.label[near]))
    if _edge(tail, head) in plan.locked_edges:
        raise _locked_line(plan, tail, head)
    place = ground.xy[[tail, head]].mean(axis=0) if xy is None else np.asarray(xy, dtype=float)
    new = len(ground.xy)
    patch = Patch(
        rings={
            ring: insert_between(ground.rings.rings[ring], start, [new])
            for ring, (start, _) in sides.items()
        },
        xy=place[None],
    )
    moved, back = ground.patched(patch)
    _require_sound(plan, moved, near)
    edit = {"do": "insert", "tail": int(tail), "head": int(head), "xy": place.tolist()}
    return plan.changed(edit, Swap(ground=patch, known=(ground, moved, back)))


def remove_vertex(plan: Plan, vertex: int) -> Plan:
    """Take a vertex out of the one border that runs through it.

    Raises
    ------
    RedrawError
        If several borders meet there, it is fixed, or a block would fold.
    """
    ground = plan.ground
    rows, _ = _read_vertices(plan, [vertex], ground.xy[[vertex]])
    around = ground.rings.around(int(vertex))
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
    known = ground.rings.rings
    changed = {k: known[k][known[k] != vertex] for k in ground.rings.rings_at(int(vertex))}
    near = ground.rings.blocks_at(rows.tolist())
    require_unlocked(plan, np.unique(plan.label[near]))
    require_free_vertices(plan, [int(vertex)])
    if min(len(ring) for ring in changed.values()) < 3:
        raise RedrawError("a block would have only two corners left", place, code="two_corners")
    patch = Patch(rings=changed)
    moved, back = ground.patched(patch)
    _require_sound(plan, moved, near)
    edit = {"do": "remove", "vertex": int(vertex)}
    return plan.changed(edit, Swap(ground=patch, known=(ground, moved, back)))


def cut_block(
    plan: Plan,
    block: int,
    line: shapely.Geometry,
    *,
    homes: Mapping[str, Any] | None = None,
    keep_small: bool = False,
) -> tuple[Swap, list[float]] | None:
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
        The swap that cuts, and the share of each part; None if the line cuts nothing off.
    """
    ground = plan.ground
    parts = [
        shapely.orient_polygons(part)
        for part in shapely.ops.split(ground.polygon(block), line).geoms
        if isinstance(part, shapely.Polygon)
    ]
    if len(parts) < 2:
        return None
    small = min(parts, key=lambda part: part.area)
    if small.area < LEAST_M2 and keep_small:
        return None
    if small.area < LEAST_M2:
        raise RedrawError(
            f"the line cuts a part of {small.area:.2f} m2 off block {plan.blocks.ids[block]}:"
            " draw it along the border, or farther inside",
            small.representative_point(),
            code="tiny_part",
            block=plan.blocks.ids[block],
            m2=round(float(small.area), 2),
        )
    places: list[Floats] = []
    vertex_of = _vertices_of(ground, block)
    rings_of = [_to_rings(part, vertex_of, places, len(ground.xy)) for part in parts]
    new = np.array(places).reshape(-1, 2)
    changed, halved = _join_borders(ground, block, new)
    for number in ground.rings.rings_of(block):
        changed[number] = np.empty(0, dtype=np.int64)
    first = len(plan.blocks)
    rows = [block, *range(first, first + len(parts) - 1)]
    added = [(ring, row) for rings, row in zip(rings_of, rows, strict=True) for ring in rings]
    share, more = _shares(parts, homes), len(parts) - 1
    home = ground.community[block]
    patch = Patch(rings=changed, more=tuple(added), xy=new, community=np.repeat(home, more))
    moved, back = ground.patched(patch)
    corners = {vertex for rings in rings_of for ring in rings for vertex in ring.tolist()}
    _require_sound(plan, moved, moved.rings.blocks_at(corners))
    swap = Swap(
        ground=patch,
        people=_cut_rows(plan.blocks, rows, share),
        blocks=np.array(rows[1:], dtype=np.int64),
        label=np.repeat(plan.label[block], more),
        parts={"locked_edges": _halve_locks(plan.locked_edges, halved)} if halved else {},
        known=(ground, moved, back),
    )
    return swap, share.tolist()


def _halve_locks(
    locked: frozenset[tuple[int, int]], halved: Mapping[tuple[int, int], list[int]]
) -> frozenset[tuple[int, int]]:
    """A locked edge that got vertices stays locked piece by piece."""
    found = set(locked)
    for (tail, head), between in halved.items():
        if _edge(tail, head) in found:
            found.remove(_edge(tail, head))
            line = [tail, *between, head]
            found |= {_edge(one, two) for one, two in itertools.pairwise(line)}
    return frozenset(found)


def _cut_rows(blocks: Blocks, rows: list[int], share: Floats) -> People:
    block = rows[0]
    old = blocks.ids[block]
    names: list[str] = []
    number = 0
    while len(names) < len(rows):
        number += 1
        if (name := f"{old}-{number}") not in blocks.rows:
            names.append(name)
    households = share_whole(int(blocks.households[block]), share)
    people = share_whole(int(blocks.people[block]), share)
    origin = np.repeat(blocks.origin[block], len(rows) - 1)
    more = Blocks(tuple(names[1:]), households[1:], people[1:], origin)
    return People(block, names[0], int(households[0]), int(people[0]), more)


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
    part: shapely.Polygon,
    vertex_of: dict[tuple[float, float], int],
    places: list[Floats],
    count: int,
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
                    vertex_of[key] = count + len(places)
                    places.append(place)
            if not numbers or numbers[-1] != vertex_of[key]:
                numbers.append(vertex_of[key])
        if len(numbers) > 1 and numbers[0] == numbers[-1]:
            numbers.pop()
        found.append(np.array(numbers, dtype=np.int64))
    return found


def _join_borders(
    ground: Ground, block: int, new: Floats
) -> tuple[dict[int, Ints], dict[tuple[int, int], list[int]]]:
    """Let neighbours have the new vertices that lie on their border with the block.

    Returns
    -------
    tuple
        The neighbours' rings, and by edge (tail, head) of the block the vertices put into it.
    """
    changed: dict[int, Ints] = {}
    halved: dict[tuple[int, int], list[int]] = {}
    if not len(new):
        return changed, halved
    first, edges = len(ground.xy), ground.rings.edges_of([block])
    start, end = ground.xy[edges.tail], ground.xy[edges.head]
    lines = shapely.linestrings(np.stack([start, end], axis=1))
    away = shapely.distance(lines[:, None], shapely.points(new)[None])
    for k in range(len(edges.tail)):
        on = np.flatnonzero((away[k] <= ON_LINE_M) & (away[k] == away.min(axis=0)))
        if not len(on):
            continue
        tail, head = int(edges.tail[k]), int(edges.head[k])
        order = on[np.argsort(np.hypot(*(new[on] - ground.xy[head]).T))] + first
        halved[tail, head] = order[::-1].tolist()
        ring = ground.rings.across(tail, head)
        if ring >= 0:
            known = changed.get(ring, ground.rings.rings[ring])
            changed[ring] = insert_between(known, head, order.tolist())
    return changed, halved


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


def require_free_vertices(plan: Plan, vertices: Iterable[int]) -> None:
    """Refuse what would move an end of a locked border."""
    for vertex in vertices if plan.locked_edges else ():
        for near in plan.ground.rings.around(vertex):
            if _edge(vertex, near) in plan.locked_edges:
                raise _locked_line(plan, vertex, near)


def require_borders(plan: Plan) -> None:
    """Refuse a plan in which a locked edge has the same grid on both sides."""
    rings = plan.ground.rings
    for one, two in plan.locked_edges:
        sides = [rings.block[k] for k in (rings.across(one, two), rings.across(two, one)) if k >= 0]
        if len(sides) == 2 and plan.label[sides[0]] == plan.label[sides[1]]:
            raise _locked_line(plan, one, two)


def _edge(one: int, two: int) -> tuple[int, int]:
    return (int(one), int(two)) if one < two else (int(two), int(one))


def _locked_line(plan: Plan, one: int, two: int) -> RedrawError:
    return RedrawError(
        "the border is locked here: unlock it first",
        shapely.LineString(plan.ground.xy[[one, two]]),
        code="locked_border",
    )
