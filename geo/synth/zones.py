"""Areas of an invented city's own, beside the five levels: shopping areas and school surroundings.

Zones cut across grids and communities. Those of one kind do not overlap, and they do not cover the
city: what has no zone stays without one. Kind 商圈 is made of shopping blocks near one another,
kind 学校周边 is the ground within 120 m of a school (a distance of ours; cities set their own).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.synth.blocks import Ground
from geo.synth.plan import Plan

SHOPPING, SCHOOLS = "商圈", "学校周边"
SCHOOL_M = 120.0
GAP_M = 1.0
NEAR_M = 160.0
"""Shopping blocks this near one another are one shopping area."""


def draw_zones(
    ground: Ground,
    plan: Plan,
    communities: list[str],
    area_names: npt.NDArray[np.object_],
) -> pd.DataFrame:
    """Zones with `zone_id`, `kind`, `name` and `shape` (metres).

    `communities` are the names of the communities by number, `area_names` a name for each block
    (of the road beside it), None where there is none.
    """
    rows: list[tuple[str, str, shapely.Geometry]] = []
    city = shapely.coverage_union_all(ground.blocks)
    shops = np.flatnonzero(np.isin(plan.uses, ["shops", "market", "office"]))
    for label in _clusters(ground.blocks[shops]):
        mine = shops[label]
        # A lone office block is no shopping area.
        if len(mine) >= 2:
            shape = shapely.coverage_union_all(ground.blocks[mine])
            shape = shapely.buffer(shapely.buffer(shape, NEAR_M / 2), -NEAR_M / 2)
            rows.append((SHOPPING, _name(area_names[mine], communities, plan, mine), shape))
    for block in np.flatnonzero(plan.uses == "school"):
        shape = shapely.buffer(ground.blocks[block], SCHOOL_M, quad_segs=4)
        name = communities[plan.community[block]].removesuffix("社区").removesuffix("村")
        rows.append((SCHOOLS, f"{name}学校周边", shape))
    rows = _keep_apart(_drop_copies(rows))
    shapes = shapely.intersection(np.array([row[2] for row in rows], dtype=object), city)
    return pd.DataFrame(
        {
            "zone_id": [f"ZONE{k:03d}" for k in range(1, len(rows) + 1)],
            "kind": [row[0] for row in rows],
            "name": [row[1] for row in rows],
            "shape": shapely.set_precision(shapes, 0.01),
        }
    )


def name_blocks(ground: Ground, edge_names: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """For each block the name of the longest main street beside it, None without one."""
    out = np.full(len(ground.blocks), None, dtype=object)
    wide = np.flatnonzero(np.isin(ground.edge_class, ["arterial", "main"]) & pd.notna(edge_names))
    # The longest comes last and stays.
    for edge in wide[np.argsort(ground.length[wide], kind="stable")]:
        for block in (ground.left[edge], ground.right[edge]):
            if block >= 0:
                out[block] = edge_names[edge]
    return out


def _clusters(shapes: npt.NDArray[np.object_]) -> list[npt.NDArray[np.int64]]:
    """Rows of shapes that hang together by `NEAR_M`."""
    label = np.arange(len(shapes))
    one, two = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=NEAR_M)
    while True:
        least = label.copy()
        np.minimum.at(least, one, label[two])
        if (least == label).all():
            break
        label = least
    return [np.flatnonzero(label == value) for value in np.unique(label)]


def _name(
    area_names: npt.NDArray[np.object_],
    communities: list[str],
    plan: Plan,
    blocks: npt.NDArray[np.int64],
) -> str:
    """After the road beside most of the blocks, else after the community."""
    known = pd.Series(area_names[pd.notna(area_names)])
    if len(known):
        return f"{known.mode().iloc[0]}商圈"
    return f"{communities[plan.community[blocks[0]]]}商圈"


def _drop_copies(
    rows: list[tuple[str, str, shapely.Geometry]],
) -> list[tuple[str, str, shapely.Geometry]]:
    """Each name of a kind once; the shapes of the same name are joined."""
    joined: dict[tuple[str, str], shapely.Geometry] = {}
    for kind, name, shape in rows:
        known = joined.get((kind, name))
        joined[kind, name] = shape if known is None else shapely.union(known, shape)
    return [(kind, name, shape) for (kind, name), shape in joined.items()]


def _keep_apart(
    rows: list[tuple[str, str, shapely.Geometry]],
) -> list[tuple[str, str, shapely.Geometry]]:
    """Cut from each zone what an earlier one of its kind has, with a metre between them."""
    taken: dict[str, shapely.Geometry] = {}
    out = []
    for kind, name, shape in rows:
        before = taken.get(kind)
        if before is not None:
            shape = shapely.difference(shape, shapely.buffer(before, GAP_M))
        if shape.is_empty:
            continue
        taken[kind] = shape if before is None else shapely.union(before, shape)
        out.append((kind, name, shape))
    return out
