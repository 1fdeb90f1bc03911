"""Laws of publishing that hold whatever a planner did: sums, one-to-one, codes, order, untouched.

The town: a lattice of blocks of 100 m, two communities side by side, grids of two by three blocks.
"""

from __future__ import annotations

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from geo.hierarchy import number_grids
from geo.plan import Plan, RedrawError, read_plan
from geo.publish import Publication, match_grids, publish, share_table
from geo.redraw import cut, cut_out, merge, move_vertices, paint, rename, split

CALM = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])


def town(columns: int, rows: int, seed: int) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(seed)
    records = [
        {
            "block_id": f"b{i:02d}{j:02d}",
            "grid_id": f"{'AB'[i * 2 // columns]}{i // 2:02d}{j // 3:02d}",
            "community_code": "AB"[i * 2 // columns],
            "households": int(rng.integers(0, 60)),
            "population": int(rng.integers(0, 150)),
            "geometry": shapely.box(i * 100, j * 100, i * 100 + 100, j * 100 + 100),
        }
        for i in range(columns)
        for j in range(rows)
    ]
    return gpd.GeoDataFrame(records, crs="EPSG:4547").set_index("block_id")


def random_edit(plan: Plan, rng: np.random.Generator) -> Plan:
    """An edit of a kind and at a place drawn at random; most of them hold."""
    block = int(rng.integers(0, len(plan.blocks)))
    grid = plan.grids[int(plan.label[block])].grid_id
    pairs = plan.ground.pairs
    near = pairs.other[pairs.start[block] : pairs.start[block + 1]]
    other = plan.grids[int(plan.label[int(rng.choice(near))])].grid_id
    shape = plan.ground.polygon(block)
    x, y = shape.centroid.x + rng.uniform(-20, 20), shape.centroid.y + rng.uniform(-20, 20)
    match int(rng.integers(0, 8)):
        case 0 | 1:
            return paint(plan, [plan.blocks.ids[block]], other, along=True)
        case 2:
            return merge(plan, [grid, other])
        case 3:
            line = shapely.LineString([(x, -999), (x, 9999)])
            return split(plan, grid, line, through=bool(rng.integers(0, 2)))
        case 4:
            return cut_out(plan, shape, name=f"n{rng.integers(0, 99)}")
        case 5:
            line = shapely.LineString([(shape.bounds[0] - 9, y), (shape.bounds[2] + 9, y)])
            return cut(plan, plan.blocks.ids[block], line)
        case 6:
            free = np.flatnonzero(~plan.ground.is_fixed)
            vertex = int(rng.choice(free))
            return move_vertices(plan, [vertex], plan.ground.xy[[vertex]] + rng.uniform(-30, 30, 2))
        case _:
            return rename(plan, grid, f"n{rng.integers(0, 99)}")


def drawn(seed: int, edits: int, columns: int = 8, rows: int = 6) -> tuple[Plan, Plan]:
    rng = np.random.default_rng(seed)
    first = plan = read_plan(town(columns, rows, seed % 7))
    for _ in range(edits):
        try:
            plan = random_edit(plan, rng)
        except RedrawError:
            continue
    return first, plan


def published(seed: int, edits: int) -> tuple[Plan, Plan, Publication]:
    first, plan = drawn(seed, edits)
    return first, plan, publish(first, plan, taken=[*first.grid_rows, "A0909"])


@CALM
@given(st.integers(0, 10**6), st.integers(0, 30))
def test_grids_before_and_after_add_up_and_are_one_to_one(seed: int, edits: int) -> None:
    first, plan, found = published(seed, edits)
    assert found.codes.is_unique
    assert set(found.codes) == set(found.grids.index) | set(found.kept)
    assert not set(found.grids.index) & set(found.kept)
    assert set(first.grid_rows) == set(found.kept) | set(found.closed)
    old = first.table()
    total = found.grids["households"].sum() + old.loc[list(found.kept), "households"].sum()
    assert total == old["households"].sum() == plan.table()["households"].sum()
    assert set(found.heirs) == set(found.ended)
    assert set(found.heirs.values()) <= set(found.codes)


@CALM
@given(st.integers(0, 10**6), st.integers(0, 30))
def test_parents_account_for_every_household(seed: int, edits: int) -> None:
    first, _, found = published(seed, edits)
    came = found.parents.groupby("grid_id")["households"].sum()
    assert came.equals(found.grids["households"].sort_index().rename_axis("grid_id").astype(int))
    gone = found.parents.groupby("from_grid_id")["households"].sum()
    assert gone.to_dict() == first.table().loc[gone.index, "households"].to_dict()
    assert set(gone.index) == set(found.closed)
    share = found.parents.dropna(subset="share").groupby("from_grid_id")["share"].sum()
    assert np.allclose(share, 1)
    own = found.parents[found.parents["grid_id"] == found.parents["from_grid_id"]]
    assert set(own["change"]) <= {"kept", "changed"}
    fresh = ~found.parents["grid_id"].isin(first.grid_rows)
    assert set(found.parents.loc[fresh, "change"]) <= {"split_from", "made_from"}


@CALM
@given(st.integers(0, 10**6), st.integers(0, 30))
def test_new_codes_are_new_and_run_as_grids_are_numbered(seed: int, edits: int) -> None:
    first, _, found = published(seed, edits)
    new = [code for code in found.codes if code not in first.grid_rows]
    assert not {"A0909"} & set(new)
    frame = found.grids.loc[new]
    order = number_grids(frame.set_geometry(frame.geometry)).sort_values()
    for _, codes in pd.Series(list(order.index)).groupby(
        frame.loc[order.index, "community_code"].to_numpy()
    ):
        assert codes.is_monotonic_increasing


@CALM
@given(st.integers(0, 10**6), st.integers(0, 30))
def test_what_nobody_changed_is_bit_for_bit_what_it_was(seed: int, edits: int) -> None:
    first, plan, found = published(seed, edits)
    draft = {code: grid for grid, code in found.codes.items()}
    before, after = first.blocks_frame(), plan.blocks_frame()
    origin = [first.blocks.ids[row] for row in plan.blocks.origin]
    code = pd.Series(found.codes.reindex(plan.assignment.to_numpy()).to_numpy(), index=origin)
    for kept in found.kept:
        mine = sorted(code.index[code == kept])
        assert mine == sorted(before.index[before["grid_id"] == kept])
        one = first.outline(first.grid_rows[kept])
        two = plan.outline(plan.grid_rows[draft[kept]])
        assert one.normalize().equals_exact(two.normalize(), tolerance=0)
    assert len(after) == len(plan.blocks)


@CALM
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_the_assignment_is_the_best_that_there_is(seed: int, edits: int) -> None:
    """Against every way to pair the grids of one community, tried one by one."""
    first, plan = drawn(seed, edits, columns=12, rows=3)
    shared = share_table(first, plan)
    found = match_grids(first, plan)
    for side in ("A", "B"):
        part = shared[shared["grid"].str.startswith(side)]
        weight = part.pivot_table("households", "grid", "from_grid", "sum").fillna(0)
        if weight.size > 49:
            continue
        got = sum(weight.loc[a, b] for a, b in found.dropna().items() if a in weight.index)
        small, large = (weight, weight.T) if len(weight) <= len(weight.T) else (weight.T, weight)
        table = small.to_numpy()
        best = max(
            sum(table[i, j] for i, j in enumerate(way))
            for way in itertools.permutations(range(len(large)), len(small))
        )
        assert got == best


@CALM
@given(st.integers(0, 10**6))
def test_the_answer_does_not_depend_on_the_order_of_blocks(seed: int) -> None:
    first, plan, found = published(seed, 4)
    assume(len(plan.blocks) == len(first.blocks))
    shuffled = plan.blocks_frame().sample(frac=1, random_state=seed % 1000)
    again = read_plan(shuffled, plan.table())
    done = publish(
        again,
        again,
        taken=[*first.grid_rows, "A0909"],
        present=first.assignment,
        grids=first.table(),
    )
    assert done.codes.sort_index().equals(found.codes.sort_index())
    columns = ["grid_id", "from_grid_id", "households"]
    assert done.parents[columns].equals(
        found.parents.loc[found.parents["grid_id"].isin(done.grids.index), columns].reset_index(
            drop=True
        )
    )
