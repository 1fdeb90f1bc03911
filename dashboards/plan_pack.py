"""A plan as the browser takes it: blocks and borders packed, the rest as JSON, and what changed.

Longitudes and latitudes travel as whole numbers of 1e-7 degrees (11 mm) for drawing only: the
server computes with its own. The packed form is `WGP1`, the length of a JSON header, the header
(ids, and where each column lies), and the columns one after the other, each at a multiple of eight
bytes. What differs between two plans is found by comparing them, whatever the edits were.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geo.io.plan_base import Base
from geo.plan import Plan

MAGIC = b"WGP1"
PLACES = 1e7
"""Parts of a degree."""
MOST_ROWS = 2000
"""Blocks with other rings from which on the whole ground is sent again (our assumption: a tenth of
a large city costs about as much as all of it)."""

MOST_VERTICES = 2**31
"""Numbers of vertices travel as 32 bits with a sign."""

_TEXTS = ("do", "name", "grid", "block", "into", "one", "two", "kind")
_VERTICES = ("tail", "head", "vertex")
_LINES = {"split": "line", "cut": "line", "cut_out": "area", "move": "xy"}


def pack_topo(plan: Plan, places: npt.NDArray[np.float64]) -> bytes:
    """Blocks with their rings; `places` has longitude and latitude of every vertex."""
    rings = plan.ground.rings
    used = [number for number, ring in enumerate(rings.rings) if len(ring)]
    order = sorted(used, key=lambda number: int(rings.block[number]))
    parts = [rings.rings[number] for number in order]
    whole = np.rint(places * PLACES).astype(np.int64)
    columns = {
        "lon": np.diff(whole[:, 0], prepend=0).astype("<i4"),
        "lat": whole[:, 1].astype("<i4"),
        "ring_size": np.array([len(ring) for ring in parts], dtype="<i4"),
        "ring_block": rings.block[order].astype("<i4"),
        "ring": np.concatenate(parts).astype("<i4"),
        "households": plan.blocks.households.astype("<i4"),
        "people": plan.blocks.people.astype("<i4"),
        "community": plan.ground.community.astype("<i4"),
        "fixed": plan.ground.is_fixed.astype("<u1"),
    }
    head: dict[str, Any] = {"n": len(plan.blocks), "ids": list(plan.blocks.ids), "columns": {}}
    bodies, at = [], 0
    for name, column in columns.items():
        body = column.tobytes()
        body += b"\0" * (-len(body) % 8)
        head["columns"][name] = [at, len(column), column.dtype.str[1:]]
        bodies.append(body)
        at += len(body)
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 8)
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *bodies])


def grid_rows(
    plan: Plan, rows: npt.NDArray[np.int64] | None = None, *, rest: frozenset[str] = frozenset()
) -> list[list[Any]]:
    """Grids (all, or some rows) as the browser takes them.

    Each is `row, id, name, kind, community (number), households, people, area m2, perimeter m,
    blocks, locked, rest`; one without blocks is no more.
    """
    totals = plan.brush().totals
    chosen = range(len(plan.grids)) if rows is None else rows.tolist()
    found = []
    for row in chosen:
        grid, sums = plan.grids[row], totals[row]
        found.append(
            [
                row,
                grid.grid_id,
                grid.name,
                grid.kind,
                grid.community,
                int(sums[0]),
                int(sums[1]),
                round(float(sums[2]), 1),
                round(float(sums[3]), 1),
                int(sums[4]),
                int(grid.grid_id in plan.locked),
                int(grid.grid_id in rest),
            ]
        )
    return found


def labels_text(plan: Plan) -> str:
    """The grid row of each block, as base64 of 32-bit numbers."""
    return base64.b64encode(plan.label.astype("<i4").tobytes()).decode()


def locked_edges(plan: Plan) -> list[list[int]]:
    """Borders that are locked, as pairs of vertex numbers."""
    return [list(pair) for pair in sorted(getattr(plan, "locked_edges", ()))]


def find_patch(before: Plan, after: Plan, base: Base) -> dict[str, Any]:
    """What a screen that shows `before` has to change to show `after`.

    Returns
    -------
    dict
        `blocks` and their `label`; `grids` as `grid_rows`, `gridCount` of them in all; `vertices`
        and their `places` (lon, lat one after the other); `swap` if blocks or rings differ (see
        `_swap`), or `ground` if so many do that they are to be loaded again; `lockedEdges`.
    """
    shared = min(len(before.label), len(after.label))
    moved = np.flatnonzero(before.label[:shared] != after.label[:shared])
    moved = np.append(moved, np.arange(shared, len(after.label)))
    patch: dict[str, Any] = {
        "blocks": moved.tolist(),
        "label": after.label[moved].tolist(),
        "grids": grid_rows(
            after, _changed_grids(before, after), rest=frozenset(base.rest_grids(after))
        ),
        "gridCount": len(after.grids),
        "vertices": [],
        "places": [],
        "lockedEdges": locked_edges(after),
    }
    one, two = before.ground, after.ground
    if one is two:
        return patch
    if before.communities != after.communities:
        return patch | {"ground": True}
    swap = _swap(before, after)
    if swap is not None and len(swap["rows"]) > MOST_ROWS:
        return patch | {"ground": True}
    if swap is not None:
        patch["swap"] = swap
    both = min(len(one.xy), len(two.xy))
    moved = np.flatnonzero((one.xy[:both] != two.xy[:both]).any(axis=1))
    rows = np.append(moved, np.arange(both, len(two.xy)))
    places = np.rint(base.places(after)[rows] * PLACES) / PLACES
    return patch | {"vertices": rows.tolist(), "places": places.ravel().tolist()}


def _swap(before: Plan, after: Plan) -> dict[str, Any] | None:
    """Blocks and rings that differ, or None if only places of vertices do.

    Numbers of blocks and vertices stay as they are: what is new comes behind, what goes was there.

    Returns
    -------
    dict
        `blocks` and `vertices`, how many there are now; `rows` of blocks that are new or have other
        rings or people, and for each `rings` (as in the packed form), `ids`, `households`,
        `people`, `community`; `fixed` vertices with `isFixed` where that is new or other.
    """
    one, two = before.ground, after.ground
    rows = _other_rings(before, after) | _other_people(before, after)
    if not rows and len(one.xy) == len(two.xy) and len(before.blocks) == len(after.blocks):
        return None
    order = sorted(rows)
    both = min(len(one.xy), len(two.xy))
    fixed = np.flatnonzero(one.is_fixed[:both] != two.is_fixed[:both])
    fixed = np.append(fixed, np.arange(both, len(two.xy)))
    rings, blocks = two.rings, after.blocks
    return {
        "blocks": len(blocks),
        "vertices": len(two.xy),
        "rows": order,
        "rings": [
            [rings.rings[number].tolist() for number in sorted(rings.rings_of(row))
             if len(rings.rings[number])]
            for row in order
        ],
        "ids": [blocks.ids[row] for row in order],
        "households": blocks.households[order].tolist(),
        "people": blocks.people[order].tolist(),
        "community": two.community[order].tolist(),
        "fixed": fixed.tolist(),
        "isFixed": two.is_fixed[fixed].astype(int).tolist(),
    }  # fmt: skip


def _other_rings(before: Plan, after: Plan) -> set[int]:
    """Rows of the blocks of `after` with other rings than before."""
    one, two = before.ground.rings, after.ground.rings
    rows: set[int] = set()
    if one is two:
        return rows
    both = min(len(one.rings), len(two.rings))
    for number in range(both):
        a, b = one.rings[number], two.rings[number]
        if a is not b and not np.array_equal(a, b):
            rows |= {int(one.block[number]), int(two.block[number])}
    rows |= set(np.flatnonzero(one.block[:both] != two.block[:both]).tolist())
    rows |= set(one.block[both:].tolist()) | set(two.block[both:].tolist())
    return {row for row in rows if row < len(after.blocks)}


def _other_people(before: Plan, after: Plan) -> set[int]:
    """Rows of the blocks of `after` that are new, or have another name, people or community."""
    one, two = before.blocks, after.blocks
    both = min(len(one), len(two))
    rows = set(range(both, len(two)))
    if one is two:
        return rows
    rows |= {row for row in range(both) if one.ids[row] != two.ids[row]}
    for old, new in (
        (one.households, two.households),
        (one.people, two.people),
        (before.ground.community, after.ground.community),
    ):
        rows |= set(np.flatnonzero(old[:both] != new[:both]).tolist())
    return rows


def _changed_grids(before: Plan, after: Plan) -> npt.NDArray[np.int64]:
    old, new = before.brush().totals, after.brush().totals
    both = min(len(old), len(new))
    changed = np.ones(len(new), dtype=bool)
    changed[:both] = (old[:both] != new[:both]).any(axis=1)
    for row, (one, two) in enumerate(zip(before.grids, after.grids, strict=False)):
        if one is not two and one != two:
            changed[row] = True
    for name in before.locked ^ after.locked:
        found = after.grid_rows.get(name)
        if found is not None:
            changed[found] = True
    return np.flatnonzero(changed)


def require_plain(edit: Mapping[str, Any]) -> None:
    """See that names of an edit are text and its vertices are numbers of vertices.

    Raises
    ------
    ValueError
        If one is not; the message names it.
    """
    for name in _TEXTS:
        if edit.get(name) is not None and not isinstance(edit[name], str):
            raise ValueError(f"{name} is {edit[name]!r}: give text")
    numbers = [edit[name] for name in _VERTICES if edit.get(name) is not None]
    if "vertices" in edit:
        if not isinstance(edit["vertices"], list):
            raise ValueError(f"vertices is {edit['vertices']!r}: give a list of numbers")
        numbers += edit["vertices"]
    for number in numbers:
        if type(number) is not int or not 0 <= number < MOST_VERTICES:
            raise ValueError(f"{number!r} is no number of a vertex")


def to_metric(edit: Mapping[str, Any], base: Base) -> dict[str, Any]:
    """An edit of the screen, in longitude and latitude, as the plan takes it, in metres.

    Raises
    ------
    ValueError, TypeError
        If its places are no pairs of numbers.
    """
    found = dict(edit)
    name = _LINES.get(str(edit.get("do")))
    if name is not None:
        lonlat = np.asarray(edit[name], dtype=np.float64).reshape(-1, 2)
        found[name] = base.to_metric(lonlat).tolist()
    elif edit.get("do") == "insert" and edit.get("xy") is not None:
        lonlat = np.asarray(edit["xy"], dtype=np.float64).reshape(1, 2)
        found["xy"] = base.to_metric(lonlat)[0].tolist()
    return found


def place_json(place: shapely.Geometry | None, base: Base) -> Any:
    """A place of the plan's CRS as GeoJSON in longitude and latitude."""
    if place is None or place.is_empty:
        return None
    return json.loads(shapely.to_geojson(base.geometry_to_lonlat(place)))


def summary(edit: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """What an edit did in a few words: kind, blocks, grids by name, and other edits it is about."""

    def named(grid_id: Any) -> str:
        row = plan.grid_rows.get(str(grid_id))
        return str(grid_id) if row is None else plan.grids[row].name

    kind = str(edit.get("do"))
    found: dict[str, Any] = {"do": kind}
    if isinstance(edit.get("edit"), Mapping):
        found["inner"] = summary(edit["edit"], plan)
    if "seq" in edit:
        found["of"] = int(edit["seq"])
    if kind in ("paint", "assign"):
        found["n"] = len(edit["blocks"])
    if kind == "assign":
        names = list(dict.fromkeys(edit["blocks"].values()))
        found["grids"] = [named(name) for name in names[:3]]
    if "grid" in edit:
        found["grids"] = [named(edit["grid"])]
    if "grids" in edit:
        found["grids"] = [named(name) for name in list(edit["grids"])[:3]]
        found["n"] = len(edit["grids"])
    if kind == "lock_border":
        found["grids"] = [named(edit["one"]), named(edit["two"])]
    if "on" in edit:
        found["on"] = bool(edit["on"])
    if edit.get("name"):
        found["name"] = str(edit["name"])
    if kind == "move":
        found["n"] = len(edit["vertices"])
    return found


def touched_blocks(edit: Mapping[str, Any], plan: Plan) -> list[int]:
    """Rows of the blocks that an edit names itself, or that its grids have."""
    rows = plan.block_rows
    if edit.get("do") in ("paint", "assign"):
        return [rows[name] for name in edit["blocks"] if name in rows]
    if edit.get("do") == "cut" and edit["block"] in rows:
        return [rows[edit["block"]]]
    names = [edit["grid"]] if "grid" in edit else list(edit.get("grids", ()))
    found: list[int] = []
    for name in names:
        row = plan.grid_rows.get(str(name))
        if row is not None:
            found += plan.members(row).tolist()
    return found
