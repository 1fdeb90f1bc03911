"""Towns that plans are drawn in, edits at random, and what must hold of any plan.

The town: a lattice of blocks with shaken inner corners, two communities side by side, grids of
`step` by `step` blocks.
"""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.plan import Plan
from geo.redraw import (
    cut,
    cut_out,
    insert_vertex,
    lock,
    lock_border,
    merge,
    move_border,
    move_vertices,
    paint,
    remove_vertex,
    rename,
    split,
)

SIDE_M = 100.0


def town(columns: int, rows: int, seed: int = 0, *, step: int = 3) -> gpd.GeoDataFrame:
    """Blocks of 100 m; the community changes in the middle, a grid has `step` by `step` blocks."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0), indexing="ij")
    shake = rng.uniform(-0.3, 0.3, (2, columns + 1, rows + 1))
    shake[:, [0, -1], :] = shake[:, :, [0, -1]] = 0
    x, y = (x + shake[0]) * SIDE_M, (y + shake[1]) * SIDE_M
    corner = np.stack([x, y], axis=-1)
    records = []
    for i in range(columns):
        for j in range(rows):
            ring = [corner[i, j], corner[i + 1, j], corner[i + 1, j + 1], corner[i, j + 1]]
            side = "A" if i < columns // 2 else "B"
            local = i if side == "A" else i - columns // 2
            records.append(
                {
                    "block_id": f"b{i:03d}{j:03d}",
                    "grid_id": f"{side}{local // step:02d}{j // step:02d}",
                    "community_code": side,
                    "households": int(rng.integers(0, 60)),
                    "population": int(rng.integers(0, 150)),
                    "geometry": shapely.Polygon(ring),
                }
            )
    return gpd.GeoDataFrame(records, crs="EPSG:4547").set_index("block_id")


def random_edit(plan: Plan, rng: np.random.Generator) -> Plan:
    """One edit of a kind drawn at random, somewhere near what exists."""
    grid = plan.grids[int(rng.choice(plan.living))].grid_id
    row = plan.grid_rows[grid]
    members = plan.members(row)
    block = int(rng.choice(members))
    for _ in range(6):
        near = plan.ground.pairs.near(block)[0]
        if (plan.label[near] != row).any():
            break
        block = int(rng.choice(members))
    near = near[plan.label[near] != row]
    other = plan.grids[int(plan.label[rng.choice(near)])].grid_id if len(near) else grid
    kind = int(rng.integers(0, 14))
    if kind in (0, 1):
        return paint(plan, [plan.blocks.ids[block]], other, along=bool(rng.integers(0, 2)))
    if kind == 2:
        return merge(plan, [grid, other])
    if kind in (3, 4):
        west, south, east, north = plan.outline(row).bounds
        where = rng.uniform(0.2, 0.8)
        if rng.integers(0, 2):
            line = [
                (west - 5, south + where * (north - south)),
                (east + 5, south + where * (north - south) + rng.uniform(-40, 40)),
            ]
        else:
            line = [
                (west + where * (east - west), south - 5),
                (west + where * (east - west) + rng.uniform(-40, 40), north + 5),
            ]
        return split(plan, grid, shapely.LineString(line), through=bool(rng.integers(0, 2)))
    if kind == 5:
        vertex = int(rng.integers(0, len(plan.ground.xy)))
        return move_vertices(plan, [vertex], plan.ground.xy[[vertex]] + rng.uniform(-70, 70, 2))
    if kind == 6:
        return move_border(plan, grid, other, *rng.uniform(-30, 30, 2))
    if kind == 7:
        edges = plan.ground.rings.edges_of([block])
        at = int(rng.integers(0, len(edges.tail)))
        tail, head = int(edges.tail[at]), int(edges.head[at])
        middle = plan.ground.xy[[tail, head]].mean(axis=0)
        return insert_vertex(plan, tail, head, middle + rng.uniform(-15, 15, 2))
    if kind == 8:
        # Half of the time one of the newest, which are more likely to hold nothing together.
        count = len(plan.ground.xy)
        least = max(0, count - 30) if rng.integers(0, 2) else 0
        return remove_vertex(plan, int(rng.integers(least, count)))
    if kind == 9:
        shape = plan.ground.polygon(block)
        middle = shape.representative_point()
        way = rng.uniform(-1, 1, 2) * 400
        line = [(middle.x - way[0], middle.y - way[1]), (middle.x + way[0], middle.y + way[1])]
        return cut(plan, plan.blocks.ids[block], shapely.LineString(line))
    if kind == 10:
        middle = plan.ground.polygon(block).representative_point()
        area = shapely.box(middle.x - 60, middle.y - 45, middle.x + 70, middle.y + 80)
        return cut_out(plan, area, name="公园", through=bool(rng.integers(0, 2)))
    if kind == 11:
        if len(plan.locked_edges) < 30:
            return lock_border(plan, grid, other)
        tail, head = sorted(plan.locked_edges)[int(rng.integers(0, len(plan.locked_edges)))]
        rings = plan.ground.rings
        sides = plan.label[
            [rings.block[rings.across(tail, head)], rings.block[rings.across(head, tail)]]
        ]
        return lock_border(plan, *(plan.grids[int(side)].grid_id for side in sides), on=False)
    if kind == 12:
        return rename(plan, grid, f"网格{rng.integers(0, 99)}")
    return lock(plan, [grid], on=False)


def check(plan: Plan, first: Plan) -> None:
    """Everything that must hold of any plan, by slow and obvious means."""
    blocks = plan.blocks_frame()
    assert shapely.coverage_is_valid(blocks.geometry.to_numpy())
    assert blocks.geometry.is_valid.all()
    ground = shapely.union_all(first.blocks_frame().geometry.to_numpy())
    whole = shapely.union_all(blocks.geometry.to_numpy())
    assert shapely.symmetric_difference(ground, whole).area < 1e-3
    assert blocks.geometry.area.sum() == pytest.approx(ground.area, abs=1e-3)
    assert blocks["households"].sum() == first.blocks.households.sum()
    assert blocks["population"].sum() == first.blocks.people.sum()
    assert (blocks["households"] >= 0).all()
    assert (blocks.groupby("grid_id")["community_code"].nunique() == 1).all()
    table = plan.table()
    shapes = blocks.dissolve("grid_id")
    assert set(shapes.index) == set(table.index)
    # Pieces that meet in a point only are two: a buffer inwards tells them apart.
    assert all(shape.buffer(-1e-4).geom_type == "Polygon" for shape in shapes.geometry)
    assert np.allclose(shapes.geometry.area.reindex(table.index), table["area_m2"])
    assert np.allclose(shapes.geometry.length.reindex(table.index), table["perimeter_m"])
    people = blocks.groupby("grid_id")[["households", "population"]].sum().reindex(table.index)
    assert (people == table[["households", "population"]]).all(axis=None)


def same(one: Plan, two: Plan) -> bool:
    left, right = one.blocks_frame(), two.blocks_frame()
    return left.drop(columns="geometry").equals(right.drop(columns="geometry")) and all(
        shapely.equals_exact(left.geometry.to_numpy(), right.geometry.to_numpy())
    )
