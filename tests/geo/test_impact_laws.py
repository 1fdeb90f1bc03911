"""Consequences of any edits: nothing is lost, slow ways agree, and only where one ends matters."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.impact import (
    BlockFacts,
    Impact,
    Things,
    compare_plans,
    count_facts,
    find_handover,
    find_moved_things,
)
from geo.locate import GridIndex
from geo.plan import Plan, RedrawError, read_plan
from geo.publish import match_grids
from geo.reach import cut_streets
from geo.redraw import cut, cut_out, insert_vertex, merge, move_vertices, paint, split
from geo.sight import measure_ground

CRS = "EPSG:4547"
SIDE_M = 100.0
COLUMNS, ROWS = 8, 6


def town(seed: int) -> gpd.GeoDataFrame:
    """Blocks of about 100 m with shaken corners, two communities, grids of 2 by 2 blocks."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(COLUMNS + 1.0), np.arange(ROWS + 1.0), indexing="ij")
    shake = rng.uniform(-0.3, 0.3, (2, COLUMNS + 1, ROWS + 1))
    shake[:, [0, -1], :] = shake[:, :, [0, -1]] = 0
    corner = np.stack([(x + shake[0]) * SIDE_M, (y + shake[1]) * SIDE_M], axis=-1)
    records = []
    for i in range(COLUMNS):
        for j in range(ROWS):
            ring = [corner[i, j], corner[i + 1, j], corner[i + 1, j + 1], corner[i, j + 1]]
            records.append(
                {
                    "block_id": f"b{i}{j}",
                    "grid_id": f"G{i // 2}{j // 2}",
                    "community_code": "A" if i < COLUMNS // 2 else "B",
                    "households": int(rng.integers(0, 60)),
                    "population": int(rng.integers(0, 150)),
                    "geometry": shapely.Polygon(ring),
                }
            )
    return gpd.GeoDataFrame(records, crs=CRS).set_index("block_id")


def scatter(first: Plan, seed: int) -> Things:
    """Streets along and across the town, and points, some of them outside or on corners."""
    rng = np.random.default_rng(seed + 1)
    width, height = COLUMNS * SIDE_M, ROWS * SIDE_M
    ways = [
        shapely.LineString(rng.uniform(-20, [width + 20, height + 20], (4, 2))) for _ in range(12)
    ]
    ways += [shapely.LineString(ring) for ring in (first.ground.polygon(9).exterior.coords,)]
    kinds = rng.choice(["arterial", "main", "minor", "path", "river"], len(ways))

    def points(n: int) -> np.ndarray:
        return shapely.points(
            np.vstack([rng.uniform(-20, [width + 20, height + 20], (n, 2)), first.ground.xy[20:23]])
        )

    def named(n: int, **columns: object) -> gpd.GeoDataFrame:
        return gpd.GeoDataFrame(columns, index=range(n + 3), geometry=points(n), crs=CRS)

    return Things(
        roads=gpd.GeoDataFrame({"road_class": kinds}, geometry=ways, crs=CRS),
        incidents=gpd.GeoSeries(points(300), crs=CRS),
        assets=named(200, class_code=rng.choice(["0101", "0118"], 203), name="x"),
        cases=named(40, class_code="E0102"),
        places=named(20, kind="school", name="x"),
        views=gpd.GeoSeries(shapely.buffer(points(15), 40), crs=CRS),
        compounds=pd.Series({name: name[:2] for name in first.blocks.ids[::2]}),
    )


def random_edit(plan: Plan, rng: np.random.Generator) -> Plan:
    """One edit of a kind drawn at random."""
    row = int(rng.choice(plan.living))
    grid, block = plan.grids[row].grid_id, int(rng.choice(plan.members(row)))
    near = plan.ground.pairs.near(block)[0]
    other = plan.grids[int(plan.label[rng.choice(near)])].grid_id if len(near) else grid
    middle = plan.ground.polygon(block).representative_point()
    way = rng.uniform(-1, 1, 2) * 400
    line = shapely.LineString(
        [(middle.x - way[0], middle.y - way[1]), (middle.x + way[0], middle.y + way[1])]
    )
    kind = int(rng.integers(0, 8))
    if kind < 3:
        return paint(plan, [plan.blocks.ids[block]], other, along=True)
    if kind == 3:
        return merge(plan, [grid, other])
    if kind == 4:
        return split(plan, grid, line, through=bool(rng.integers(0, 2)))
    if kind == 5:
        vertex = int(rng.integers(0, len(plan.ground.xy)))
        return move_vertices(plan, [vertex], plan.ground.xy[[vertex]] + rng.uniform(-40, 40, 2))
    if kind == 6:
        return cut(plan, plan.blocks.ids[block], line)
    area = shapely.box(middle.x - 60, middle.y - 45, middle.x + 70, middle.y + 80)
    return cut_out(plan, area, name="公园", through=bool(rng.integers(0, 2)))


def drawn(seed: int, edits: int) -> tuple[BlockFacts, Plan]:
    first = plan = read_plan(town(seed))
    rng = np.random.default_rng(seed)
    for _ in range(edits):
        try:
            plan = random_edit(plan, rng)
        except RedrawError:
            continue
    return count_facts(first, scatter(first, seed)), plan


def check_sums(impact: Impact) -> None:
    """Every change that should add up does, to the last bit."""
    assert (impact.totals() == 0).all()
    moved = impact.blocks
    by_left = moved.groupby("from_grid")["households"].sum()
    left = impact.grids.dropna(subset="was").set_index("was")["left"]
    assert (left[left > 0] == by_left[by_left > 0].reindex(left[left > 0].index)).all()
    assert impact.grids["came"].sum() == impact.grids["left"].sum() == moved["households"].sum()
    who = find_handover(impact, pd.Series({k: k[:2] for k in impact.then.index}))
    changes = [c for c in who.workers if c.endswith("_change")]
    assert (who.workers[changes].sum() == 0).all()
    assert who.flows["households"].sum() == moved["households"].sum()
    assert 0 <= who.kept_share <= 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), edits=st.integers(0, 12))
def test_the_changes_of_any_edits_add_up_to_exactly_zero(seed: int, edits: int) -> None:
    facts, plan = drawn(seed, edits)
    impact = compare_plans(facts, plan)
    check_sums(impact)
    assert impact.now["workload"].sum() == pytest.approx(impact.then["workload"].sum())
    back = plan
    while back.past is not None:
        back = back.undo()
    assert compare_plans(facts, back).is_nothing
    assert np.array_equal(facts.of(back).table, facts.counts.table)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_measuring_the_outlines_of_grids_directly_gives_the_same(seed: int) -> None:
    facts, plan = drawn(seed, 8)
    impact, things = compare_plans(facts, plan), facts.things
    shapes = plan.to_frame()
    now = impact.now
    assert np.allclose(now["area_m2"], shapes.area, atol=0.02 * len(plan.blocks))
    index = GridIndex(shapes[["geometry"]])
    for name, layer in (("incidents", things.incidents), ("assets", things.assets.geometry)):
        row = index.assign(layer.x, layer.y)
        # Points within a hair of the border of a cut may go either way.
        near = shapely.distance(layer.to_numpy(), shapely.union_all(shapes.boundary)) < 1e-6
        count = np.bincount(row[(row >= 0) & ~near], minlength=len(shapes))
        assert (now[name].to_numpy() - count >= 0).all()
        assert now[name].sum() - count.sum() <= near.sum()
    pieces = cut_streets(things.roads, shapes)
    inside = pieces.row >= 0
    street = np.bincount(pieces.row[inside], pieces.length_m[inside], minlength=len(shapes))
    # A street along a border goes to one side as a whole, whichever: the drawn one is 400 m.
    off = np.abs(now["street_m"].to_numpy() - street)
    assert off.sum() <= 2 * things.roads.geometry.iloc[-1].length + 1
    assert np.allclose(now["seen_share"], measure_ground(shapes, things.views), atol=0.02)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_the_panel_says_who_lives_on_as_publishing_does(seed: int) -> None:
    facts, plan = drawn(seed, 10)
    impact = compare_plans(facts, plan)
    told = impact.grids.dropna(subset="grid_id").set_index("grid_id")["was"]
    published = match_grids(facts.first, plan)
    assert told.isna().equals(published.reindex(told.index).isna())
    some = told.dropna().index
    assert (told[some] == published[some]).all()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), flip=st.booleans())
def test_the_order_of_edits_does_not_matter(seed: int, flip: bool) -> None:
    first = read_plan(town(seed))
    facts = count_facts(first, scatter(first, seed))
    inner = np.flatnonzero(~first.ground.is_fixed)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(inner, 4, replace=False)
    places = first.ground.xy[chosen] + rng.uniform(-12, 12, (4, 2))
    plans = []
    for order in (range(4), range(3, -1, -1) if flip else rng.permutation(4)):
        plan = first
        for k in order:
            try:
                plan = move_vertices(plan, [int(chosen[k])], places[[k]])
            except RedrawError:
                return
            compare_plans(facts, plan)  # what was asked on the way must not matter either
        plans.append(plan)
    again = count_facts(first, facts.things)
    assert np.array_equal(facts.of(plans[0]).table, facts.of(plans[1]).table)
    assert np.array_equal(again.of(plans[0]).table, facts.of(plans[0]).table)


def test_things_move_only_with_their_ground() -> None:
    facts, plan = drawn(3, 10)
    impact = compare_plans(facts, plan)
    for name in ("assets", "cases", "places"):
        moved = find_moved_things(impact, name)
        layer = getattr(facts.things, name)
        old = GridIndex(facts.first.to_frame()[["geometry"]])
        new = GridIndex(plan.to_frame()[["geometry"]])
        was = old.assign(layer.geometry.x, layer.geometry.y)
        now = new.assign(layer.geometry.x, layer.geometry.y)
        lives = impact.grids.dropna(subset="grid_id").set_index("grid_id")["was"]
        names = [lives[plan.to_frame().index[k]] if k >= 0 else None for k in now]
        before = [facts.first.to_frame().index[k] if k >= 0 else None for k in was]
        slow = [
            label
            for label, one, two, row in zip(layer.index, before, names, was, strict=True)
            if row >= 0 and one != two
        ]
        if name == "places":
            # What a line cuts is told even where its point stays.
            assert set(slow) <= set(moved.index)
            moved = moved[(moved["change"] == "moved") | moved.index.isin(slow)]
        assert moved.index.tolist() == slow


def test_a_vertex_that_is_put_into_a_border_moves_no_ground() -> None:
    first = read_plan(town(5))
    facts = count_facts(first, scatter(first, 5))
    edges = first.ground.rings.edges
    at = int(np.flatnonzero((edges.other >= 0) & ~first.ground.is_fixed[edges.tail])[0])
    plan = insert_vertex(first, int(edges.tail[at]), int(edges.head[at]))
    impact = compare_plans(facts, plan)
    assert (impact.totals() == 0).all()
    assert impact.grids["area_m2_change"].abs().max() <= 0.02
    assert impact.grids["incidents_change"].abs().max() == 0
