"""Two planners, any edits, any order of arrival: nothing lost, every state lawful, nobody missing.

The town: blocks of 100 m with shaken corners, two communities side by side, grids of two by two.
Each planner draws some edits without hearing of the other, as a screen does that is offline; then
they arrive in an order drawn at random, some of them twice.
"""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.errors import InputError
from geo.io.planbook import PlanBook
from geo.io.workspace import create_workspace
from geo.plan import Plan, RedrawError
from geo.plan_merge import (
    carry_edit,
    find_changes,
    find_clash,
    find_reshaped,
    find_touch,
    merge_edit,
    run_edit,
)

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
COLUMNS, ROWS = 8, 6


def town(seed: int = 0) -> gpd.GeoDataFrame:
    """Blocks in degrees with grid and community."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(COLUMNS + 1.0), np.arange(ROWS + 1.0), indexing="ij")
    shake = rng.uniform(-0.25, 0.25, (2, COLUMNS + 1, ROWS + 1))
    shake[:, [0, -1], :] = shake[:, :, [0, -1]] = 0
    corner = np.stack([111.3 + (x + shake[0]) * 0.001, 30.7 + (y + shake[1]) * 0.001], axis=-1)
    records = [
        {
            "block_id": f"b{i}{j}",
            "grid_id": f"{'A' if i < 4 else 'B'}{i // 2}{j // 2}",
            "community_code": "A" if i < 4 else "B",
            "households": int(rng.integers(0, 60)),
            "geometry": shapely.Polygon(
                [corner[i, j], corner[i + 1, j], corner[i + 1, j + 1], corner[i, j + 1]]
            ),
        }
        for i in range(COLUMNS)
        for j in range(ROWS)
    ]
    return gpd.GeoDataFrame(records, crs="EPSG:4326").set_index("block_id")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    with create_workspace(tmp_path_factory.mktemp("laws") / "city") as workspace:
        blocks = town()
        grids = blocks.dissolve("grid_id", aggfunc={"households": "sum", "community_code": "first"})
        grids = grids.assign(kind="base", version=1, valid_from=pd.Timestamp(AT))
        with workspace.writing() as conn:
            codes = pd.DataFrame({"code": ["A", "B"], "level": "community", "name": ["甲", "乙"]})
            workspace.append(conn, "divisions", codes)
            workspace.append(conn, "grids", grids)
            workspace.append(conn, "blocks", blocks.drop(columns="grid_id"))
        yield PlanBook(workspace)


def draw_edit(plan: Plan, rng: np.random.Generator) -> dict:
    """An edit of a kind drawn at random, somewhere near what exists; it may not hold."""
    row = int(rng.choice(plan.living))
    grid = plan.grids[row].grid_id
    members = plan.members(row)
    block = int(rng.choice(members))
    near, _ = plan.ground.pairs.near(block)
    other = plan.grids[int(plan.label[rng.choice(near)])].grid_id if len(near) else grid
    name = plan.blocks.ids[block]
    middle = plan.ground.polygon(block).representative_point()
    way = rng.uniform(-1, 1, 2) * 300
    line = [[middle.x - way[0], middle.y - way[1]], [middle.x + way[0], middle.y + way[1]]]
    vertex = int(rng.integers(0, len(plan.ground.xy)))
    place = plan.ground.xy[vertex] + rng.uniform(-40, 40, 2)
    edges = plan.ground.rings.edges
    at = int(rng.integers(0, len(edges.tail)))
    box = shapely.box(middle.x - 55, middle.y - 45, middle.x + 60, middle.y + 70)
    return [
        {"do": "paint", "blocks": [name], "grid": other, "along": bool(rng.integers(0, 2))},
        {"do": "paint", "blocks": [plan.blocks.ids[k] for k in near[:2]], "grid": grid},
        {"do": "assign", "blocks": {name: other}},
        {"do": "merge", "grids": [grid, other]},
        {"do": "split", "grid": grid, "line": line, "through": bool(rng.integers(0, 2))},
        {"do": "move", "vertices": [vertex], "xy": [place.tolist()]},
        {"do": "move", "vertices": [vertex], "xy": [place.tolist()]},
        {"do": "insert", "tail": int(edges.tail[at]), "head": int(edges.head[at])},
        {"do": "remove", "vertex": vertex},
        {"do": "cut", "block": name, "line": line},
        {"do": "cut_out", "area": shapely.get_coordinates(box.exterior).tolist(), "name": "园",
         "through": bool(rng.integers(0, 2))},
        {"do": "rename", "grid": grid, "name": f"网格{rng.integers(0, 9)}"},
        {"do": "lock", "grids": [grid], "on": bool(rng.integers(0, 3) == 0)},
        {"do": "lock_border", "one": grid, "two": other, "on": bool(rng.integers(0, 2))},
        {"do": "renumber"},
        {"do": "undo"},
        {"do": "redo"},
    ][int(rng.integers(0, 17))]  # fmt: skip


def check(plan: Plan, first: Plan) -> None:
    """What must hold of any plan, by slow and obvious means."""
    blocks = plan.blocks_frame()
    assert shapely.coverage_is_valid(blocks.geometry.to_numpy())
    assert blocks.geometry.is_valid.all()
    assert blocks.geometry.area.sum() == pytest.approx(first.blocks_frame().geometry.area.sum())
    assert blocks["households"].sum() == first.blocks.households.sum()
    assert (blocks.groupby("grid_id")["community_code"].nunique() == 1).all()
    shapes = blocks.dissolve("grid_id")
    assert all(shape.buffer(-1e-4).geom_type == "Polygon" for shape in shapes.geometry)


def same(one: Plan, two: Plan) -> bool:
    left, right = one.blocks_frame(), two.blocks_frame()
    return (
        left.drop(columns="geometry").equals(right.drop(columns="geometry"))
        and all(shapely.equals_exact(left.geometry.to_numpy(), right.geometry.to_numpy()))
        and one.table().equals(two.table())
        and one.locked == two.locked
        and one.locked_edges == two.locked_edges
    )


def alike(one: Plan, two: Plan) -> bool:
    """`same`, with measures that were summed in another order."""
    parts = [plan.blocks_frame() for plan in (one, two)]
    pd.testing.assert_frame_equal(one.table(), two.table(), rtol=1e-9)
    return (
        parts[0].drop(columns="geometry").equals(parts[1].drop(columns="geometry"))
        and bool(shapely.equals_exact(*(part.geometry.to_numpy() for part in parts)).all())
        and (one.locked, one.locked_edges) == (two.locked, two.locked_edges)
    )


def offline(plan: Plan, rng: np.random.Generator, count: int) -> list[dict]:
    """Edits that a planner draws one after the other, all of which hold on what they see."""
    found: list[dict] = []
    for _ in range(count * 4):
        edit = draw_edit(plan, rng)
        if edit["do"] in ("undo", "redo", "renumber"):
            continue
        try:
            plan = run_edit(plan, edit)
        except RedrawError:
            continue
        found.append(edit)
        if len(found) == count:
            break
    return found


LAW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@LAW
@given(seed=st.integers(0, 2**32 - 1))
def test_two_planners_lose_nothing_whatever_arrives_when(book, seed):
    rng = np.random.default_rng(seed)
    plan_id = book.create("两人", "甲", AT)
    first = book.open(plan_id).plan
    sent: dict[str, dict] = {}
    for turn in range(3):
        start = book.open(plan_id)
        queues = {
            who: [(f"{who}{turn}.{k}", e) for k, e in enumerate(offline(start.plan, rng, 4))]
            for who in ("甲", "乙")
        }
        while any(queues.values()):
            who = str(rng.choice([name for name, queue in queues.items() if queue]))
            edit_id, edit = queues[who][0]
            send = {"edit_id": edit_id, "edit": edit, "by": who, "on_seq": start.seq, "at": AT}
            answer = book.append(plan_id, **send)
            assert not answer.repeated
            if rng.integers(0, 3) == 0:
                again = book.append(plan_id, **send)
                assert (again.repeated, again.seq, again.state) == (True, answer.seq, answer.state)
            queues[who].pop(0)
            sent[edit_id] = edit
            assert answer.clash is None or answer.state == "conflict"
            check(answer.plan, first)
            assert answer.state == "applied" or same(answer.before, answer.plan)
    log = book.since(plan_id, 0)
    assert [row.edit_id for row in log] == list(sent)
    assert [row.seq for row in log] == list(range(1, len(log) + 1))
    assert all(row.edit["do"] == sent[row.edit_id]["do"] for row in log)
    cold = PlanBook(book.workspace).open(plan_id)
    assert same(cold.plan, book.open(plan_id).plan)
    assert [row.seq for row in cold.conflicts] == [r.seq for r in log if r.state == "conflict"]


@LAW
@given(seed=st.integers(0, 2**32 - 1))
def test_each_state_opened_later_is_what_it_was_and_a_file_keeps_it(book, seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    plan_id = book.create("一人", "甲", AT)
    states = [book.open(plan_id).plan]
    while len(states) < 16:
        opened = book.open(plan_id)
        edit = draw_edit(opened.plan, rng)
        who = opened.can_undo if edit["do"] == "undo" else opened.can_redo
        who = (who if edit["do"] in ("undo", "redo") else None) or str(rng.choice(["甲", "乙"]))
        if opened.conflicts and rng.integers(0, 2):
            decision = str(rng.choice(["take", "drop"]))
            try:
                answer = book.settle(
                    plan_id, opened.conflicts[0].seq, decision, by=who, at=AT,
                    edit_id=f"s{opened.seq}",
                )  # fmt: skip
            except RedrawError:
                continue
        else:
            on_seq = int(rng.integers(max(opened.seq - 3, 0), opened.seq + 1))
            try:
                answer = book.append(
                    plan_id, edit_id=f"e{opened.seq}", edit=edit, by=who, on_seq=on_seq, at=AT
                )
            except (RedrawError, InputError):
                assert book.open(plan_id).seq == opened.seq
                continue
        check(answer.plan, states[0])
        states.append(answer.plan)
    other = PlanBook(book.workspace)
    for seq, plan in enumerate(states):
        assert same(other.open(plan_id, seq=seq).plan, plan)
    file = tmp_path_factory.mktemp("files") / "draft.json"
    book.save_file(plan_id, file, AT)
    loaded = other.load_file(file, "丙", AT)
    assert same(other.open(loaded).plan, states[-1])
    assert [row.state for row in other.since(loaded, 0)] == [
        row.state for row in book.since(plan_id, 0)
    ]


@LAW
@given(seed=st.integers(0, 2**32 - 1))
def test_edits_that_merge_give_the_same_plan_in_either_order(book, seed):
    rng = np.random.default_rng(seed)
    first = book.open(book.create("序", "甲", AT)).first
    for _ in range(6):
        pair = offline(first, rng, 1) + offline(first, rng, 1)
        if len(pair) < 2:
            continue
        one, two = (run_edit(first, edit) for edit in pair)
        touch = [find_touch(first, plan) for plan in (one, two)]
        assert (find_clash(*touch) is None) == (find_clash(*touch[::-1]) is None)
        left = merge_edit(first, one, pair[1], [(1, touch[0])])
        right = merge_edit(first, two, pair[0], [(1, touch[1])])
        if left.plan is None or right.plan is None or any(t.made for t in touch):
            continue
        ends = [plan.blocks_frame().sort_index() for plan in (left.plan, right.plan)]
        assert ends[0].drop(columns="geometry").equals(ends[1].drop(columns="geometry"))
        shapes = [shapely.normalize(end.geometry.to_numpy()) for end in ends]
        assert all(shapely.equals_exact(*shapes))


@LAW
@given(seed=st.integers(0, 2**32 - 1))
def test_an_edit_undone_under_disjoint_ones_leaves_the_plan_that_had_never_had_it(book, seed):
    rng = np.random.default_rng(seed)
    plan_id = book.create("撤", "甲", AT)
    first = book.open(plan_id).plan
    mine = offline(first, rng, 1)
    others: list[dict] = []
    with_mine, without = run_edit(first, mine[0]) if mine else first, first
    touched = find_touch(first, with_mine)
    for edit in offline(with_mine, rng, 4):
        try:
            then = run_edit(without, carry_edit(edit, with_mine.ground.xy, without))
            one, two = find_touch(with_mine, run_edit(with_mine, edit)), find_touch(without, then)
        except RedrawError:
            continue
        if one.effect != two.effect or find_clash(touched, one) is not None:
            continue
        with_mine, without = run_edit(with_mine, edit), then
        others.append(edit)
    if not mine or not others:
        return
    for number, edit in enumerate(mine + others):
        book.append(
            plan_id, edit_id=f"{plan_id}-{number}", edit=edit, by="乙" if number else "甲",
            on_seq=number, at=AT,
        )  # fmt: skip
    undone = book.append(
        plan_id, edit_id=f"{plan_id}-u", edit={"do": "undo"}, by="甲", on_seq=1 + len(others), at=AT
    )
    assert alike(undone.plan, without)
    check(undone.plan, first)
    again = PlanBook(book.workspace)
    assert alike(again.open(plan_id).plan, without)
    assert alike(again.open(again.copy(plan_id, "抄", "乙", AT)).plan, without)
    try:
        done = book.append(
            plan_id, edit_id=f"{plan_id}-r", edit={"do": "redo"}, by="甲", on_seq=0, at=AT
        )
    except RedrawError:
        assert alike(book.open(plan_id).plan, without)
        return
    assert find_changes(with_mine, done.plan).blocks == frozenset()


@LAW
@given(seed=st.integers(0, 2**32 - 1))
def test_what_an_edit_touches_is_what_differs_by_slow_means(book, seed):
    rng = np.random.default_rng(seed)
    plan = book.open(book.create("触", "甲", AT)).first
    for edit in offline(plan, rng, 5):
        try:
            after = run_edit(plan, edit)
        except RedrawError:
            continue
        for one, two in ((plan, after), (after, plan)):
            touch = find_touch(one, two)
            old, new = one.blocks_frame(), two.blocks_frame()
            shape = {name: shapely.normalize(g) for name, g in old.geometry.items()}
            differs = {
                name
                for name, row in new.iterrows()
                if name not in old.index
                or row["grid_id"] != old.loc[name, "grid_id"]
                or not shapely.equals_exact(shape[name], shapely.normalize(row.geometry))
            } | (set(old.index) - set(new.index))
            assert touch.blocks == differs
            moved = {two.blocks.ids[row] for row in find_reshaped(one, two).tolist()}
            assert moved <= differs
            assert touch.made == set(new["grid_id"]) - set(old["grid_id"])
            assert touch.ended == set(old["grid_id"]) - set(new["grid_id"])
        plan = after
