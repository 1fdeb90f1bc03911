"""What the server adds to an edit of the screen before it becomes part of the plan, and trying one.

A line that was snapped to vertices goes through them exactly: the screen knows places to a
centimetre only, and a hair beside a vertex it would cut slivers off. A cut that shares people by
buildings takes the buildings from the store, so the log holds them and a replay needs no store.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from dashboards.store import Store
from geo.io.plan_base import Base
from geo.plan import Plan
from geo.redraw import cut, read_homes, replay
from geo.snap import Streets

LINES = {"split": "line", "cut": "line", "cut_out": "area"}
"""Where edits along a drawn line have it."""

SAME_M = 0.02
"""Places of the screen are rounded to 1e-7 degrees, at most 1.2 cm in each direction."""

BY_BUILDINGS = "buildings"
"""What the screen puts into `homes` for people to be shared by where they live."""


def complete_edit(store: Store, plan: Plan, base: Base, edit: Mapping[str, Any]) -> dict[str, Any]:
    """An edit in metres, with its line drawn through vertices and its buildings filled in.

    Raises
    ------
    ValueError, TypeError, KeyError
        If the edit has no line where one belongs.
    RedrawError
        If the cut of a block does not hold.
    """
    found = dict(edit)
    name = LINES.get(str(edit.get("do")))
    if name is None:
        return found
    line = _through_vertices(plan, np.asarray(edit[name], dtype=np.float64).reshape(-1, 2))
    found[name] = line.tolist()
    if found.get("homes") != BY_BUILDINGS:
        found.pop("homes", None)
        return found
    homes = _homes_near(store, plan, base, line, found)
    found.pop("homes")
    if homes is None:
        return found
    if edit["do"] == "cut":
        after = cut(plan, str(edit["block"]), shapely.LineString(line), homes=homes)
        return found | {"share": after.script[-1]["share"]}
    return found | {"homes": {key: value.tolist() for key, value in homes.items()}}


def try_edit(plan: Plan, edit: Mapping[str, Any], base: Base) -> dict[str, Any]:
    """What an edit would do, without doing it.

    Returns
    -------
    dict
        `grids`: those that would differ, each with `id`, `name`, `households`, `people`, `area`
        (m2), `perimeter` (m), `compactness` (Polsby and Popper, as `geo.plan`), `was` (households
        now, None for a new one) and, if the edit cuts along a line, `shape` (GeoJSON, degrees);
        `gone`: ids that would end; `parts`: people, `area`, `compactness` and `shape` of the parts
        of a block that is cut; `names`: new id by old one, where grids are numbered anew.

    Raises
    ------
    RedrawError, InputError
        As `geo.redraw.replay`.
    """
    after = replay(plan, [edit])
    before, table = plan.table(), after.table()
    names = {}
    for row in plan.living.tolist():
        one, two = plan.grids[row].grid_id, after.grids[row].grid_id
        if one != two:
            names[one] = two
    if names:
        before = before.rename(index=names)
    figures = ["name", "blocks", "households", "population", "area_m2", "perimeter_m"]
    old = before.reindex(table.index)
    cuts = str(edit.get("do")) in LINES
    # A border that got a vertex is as long as before but for rounding.
    same = (old[figures].round(1) == table[figures].round(1)).all(axis=1)
    grids = [
        {
            "id": str(grid),
            "name": str(row["name"]),
            "households": int(row["households"]),
            "people": int(row["population"]),
            "area": round(float(row["area_m2"]), 1),
            "perimeter": round(float(row["perimeter_m"]), 1),
            "compactness": round(float(row["compactness"]), 4),
            "was": int(before.loc[grid, "households"]) if grid in before.index else None,
            **({"shape": _shape(after.outline(after.grid_rows[str(grid)]), base)} if cuts else {}),
        }
        for grid, row in table[~same].iterrows()
    ]
    return {
        "grids": grids,
        "gone": [str(grid) for grid in before.index.difference(table.index)],
        "parts": _parts(plan, after, str(edit["block"]), base) if edit.get("do") == "cut" else [],
        "names": names,
    }


def _parts(plan: Plan, after: Plan, block: str, base: Base) -> list[dict[str, Any]]:
    rows = [plan.block_rows[block], *range(len(plan.blocks), len(after.blocks))]
    found = []
    for row in rows:
        shape = after.ground.polygon(row)
        found.append(
            {
                "households": int(after.blocks.households[row]),
                "people": int(after.blocks.people[row]),
                "area": round(float(shape.area), 1),
                "compactness": round(4 * math.pi * float(shape.area) / float(shape.length) ** 2, 4),
                "shape": _shape(shape, base),
            }
        )
    return found


def _shape(ground: shapely.Geometry, base: Base) -> Any:
    """Ground of the plan as GeoJSON in degrees, seven decimals (a centimetre)."""
    rounded = shapely.set_precision(base.geometry_to_lonlat(ground), 1e-7, mode="pointwise")
    return json.loads(shapely.to_geojson(rounded))


def _through_vertices(plan: Plan, line: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    xy = plan.ground.xy
    near = np.zeros(len(xy), dtype=bool)
    for x, y in line:
        near |= (np.abs(xy[:, 0] - x) <= SAME_M) & (np.abs(xy[:, 1] - y) <= SAME_M)
    none = Streets(gpd.GeoDataFrame(geometry=[], crs=plan.crs))
    return none.snap(line, SAME_M, xy[near]).xy


def _homes_near(
    store: Store, plan: Plan, base: Base, line: np.ndarray[Any, Any], edit: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Buildings in the ground that the line may cut; None where the store has none there."""
    if edit["do"] == "split":
        row = plan.grid_rows.get(str(edit["grid"]))
        ground = None if row is None else plan.outline(row)
    elif edit["do"] == "cut":
        row = plan.block_rows.get(str(edit["block"]))
        ground = None if row is None else plan.ground.polygon(row)
    else:
        shapes = plan.ground.polygons(range(len(plan.blocks)))
        near = shapely.intersects(shapes, shapely.Polygon(line))
        ground = shapely.union_all(shapes[near]) if near.any() else None
    if ground is None:
        return None
    box = base.geometry_to_lonlat(ground).bounds
    buildings = store.workspace.read("buildings", columns=["households", "geom"], bbox=box)
    if not len(buildings):
        return None
    found = gpd.GeoDataFrame(buildings, geometry="geometry", crs=4326).to_crs(plan.crs)
    homes = read_homes(found)
    inside = shapely.intersects_xy(ground, homes["xy"]) & (homes["households"] > 0)
    if not inside.any():
        return None
    return {key: value[inside] for key, value in homes.items()}
