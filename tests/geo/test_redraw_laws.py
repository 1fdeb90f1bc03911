"""Any edits in any order: the ground stays covered once, nobody is lost, everything comes back.

The town: a lattice of blocks with shaken inner corners, two communities side by side, grids of
three by three blocks. Edits of all kinds are drawn at random; a refused one must change nothing.
"""

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from towns import check, random_edit, same, town

from geo._plan_ground import Ground
from geo._plan_rings import Rings
from geo.errors import InputError
from geo.plan import RedrawError, read_plan
from geo.redraw import (
    assign,
    border_vertices,
    cut,
    cut_out,
    diff,
    insert_vertex,
    lock,
    lock_border,
    merge,
    move_border,
    move_vertices,
    paint,
    remove_vertex,
    rename,
    renumber,
    replay,
    split,
)


def assert_ground_equal(one: Ground, anew: Ground) -> None:
    assert np.allclose(one.measures, anew.measures)
    assert np.allclose(one.boxes, anew.boxes)
    assert (one.pairs.start == anew.pairs.start).all()
    assert (one.pairs.other == anew.pairs.other).all()
    assert np.allclose(one.pairs.shared_m, anew.pairs.shared_m)
    used = np.unique(np.concatenate(anew.rings.rings))
    assert (one.is_fixed[used] == anew.is_fixed[used]).all()
    for vertex in used.tolist():
        assert set(one.rings.rings_at(vertex)) == set(anew.rings.rings_at(vertex))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_any_edits_keep_the_ground_covered_once_and_everybody_counted(seed: int) -> None:
    first = plan = read_plan(town(8, 6, seed))
    rng = np.random.default_rng(seed)
    for _ in range(12):
        before = plan
        try:
            plan = random_edit(plan, rng)
        except RedrawError:
            assert plan is before
            continue
        check(plan, first)
        assert same(plan.undo(), before)
        assert same(plan.undo().redo(), plan)
        # What is handed on from edit to edit is what would be worked out anew.
        for one in (plan, plan.undo(), plan.undo().redo()):
            anew = Ground(
                Rings(one.ground.rings.rings, one.ground.rings.block),
                one.ground.xy,
                one.ground.community,
            )
            assert_ground_equal(one.ground, anew)
    assert same(replay(first, plan.script), plan)
    moved = diff(first, plan)
    change = (
        moved.groupby("to_grid")["households"]
        .sum()
        .sub(moved.groupby("from_grid")["households"].sum(), fill_value=0)
    )
    names = [row.grid_id for row in plan.grids]
    now = pd.Series(plan.table()["households"]).reindex(names, fill_value=0)
    then = pd.Series(first.table()["households"]).reindex(names, fill_value=0)
    assert ((now - then) == change.reindex(names, fill_value=0)).all()
    while plan.past is not None:
        plan = plan.undo()
    assert same(plan, first)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_stroke_counts_as_a_new_plan_would(seed: int) -> None:
    plan = read_plan(town(10, 8, seed))
    rng = np.random.default_rng(seed)
    brush = plan.brush()
    for _ in range(40):
        brush.move(int(rng.integers(0, 80)), int(rng.integers(0, len(plan.grids))))
    after = brush.commit()
    check(after, plan)
    table = after.table()
    for grid_id, row in after.grid_rows.items():
        households, people, area, perimeter, blocks = brush.totals[row]
        line = table.loc[grid_id]
        assert (households, people, blocks) == (line.households, line.population, line.blocks)
        assert area == pytest.approx(line.area_m2)
        assert perimeter == pytest.approx(line.perimeter_m)
        assert brush.compactness(row) == pytest.approx(line.compactness)


def test_a_block_is_refused_with_the_reason() -> None:
    plan = read_plan(town(12, 6))
    brush = plan.brush()
    rows, grids = plan.block_rows, plan.grid_rows
    assert brush.move(rows["b000000"], grids["A0000"]) == 1  # has it already
    assert brush.move(rows["b005000"], grids["B0000"]) == 2  # another community
    assert brush.move(rows["b000000"], grids["A0100"]) == 4  # does not touch it
    assert brush.move(rows["b002000"], grids["A0100"]) == 0
    assert brush.move(rows["b001000"], grids["A0100"]) == 0
    # b000000 hangs on b000001 alone now, which holds the grid together.
    assert brush.move(rows["b000001"], grids["A0001"]) == 4
    assert brush.move(rows["b000002"], grids["A0001"]) == 0
    assert brush.move(rows["b000001"], grids["A0001"]) == 5


def test_painting_that_cuts_a_grid_offers_what_to_take_along() -> None:
    plan = read_plan(town(6, 6))
    middle = ["b001000", "b001001", "b001002"]
    with pytest.raises(RedrawError, match="cut off") as error:
        paint(plan, middle, "A0001")
    offer = error.value.offer
    assert set(offer) < set(plan.block_rows)
    assert error.value.place is not None
    done = paint(plan, middle, "A0001", along=True)
    assert set(diff(plan, done).index) == {*middle, *offer}
    check(done, plan)


def test_a_line_along_blocks_splits_between_them_and_one_through_cuts_them() -> None:
    plan = read_plan(town(6, 6))
    line = shapely.LineString([(-10, 140), (400, 140)])
    whole = split(plan, "A0000", line)
    assert len(whole.blocks) == len(plan.blocks)
    assert set(whole.table().index) - set(plan.table().index) == {"A0000-2"}
    through = split(plan, "A0000", line, through=True)
    assert len(through.blocks) == len(plan.blocks) + 3
    check(through, plan)
    upper, lower = (
        through.outline(through.grid_rows["A0000-2"]),
        through.outline(through.grid_rows["A0000"]),
    )
    cuts = sorted([upper.bounds[1], lower.bounds[1]])
    assert cuts[1] == pytest.approx(140, abs=1)
    table = through.table().loc[["A0000", "A0000-2"], "households"]
    assert table.iloc[0] >= table.iloc[1]
    assert table.sum() == plan.table().loc["A0000", "households"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ([(-10, 150), (150, 150)], "border to border"),
        ([(2000, 0), (2000, 500)], "border to border"),
        ([(-10, 50), (150, 250), (150, 50), (-10, 250)], "crosses itself"),
        ([(50, 50), (50, 50)], "no length"),
        ([(-50, 2), (600, 3)], "no whole block"),
    ],
)
def test_a_line_that_splits_nothing_is_refused(line: list[tuple[float, float]], word: str) -> None:
    plan = read_plan(town(6, 6))
    with pytest.raises(RedrawError, match=word):
        split(plan, "A0000", shapely.LineString(line))


def test_a_block_cut_in_two_shares_its_people_by_buildings_where_they_are_known() -> None:
    plan = read_plan(town(6, 6))
    line = shapely.LineString([(-10, 130), (120, 130)])
    row = plan.block_rows["b000001"]
    shape = plan.ground.polygon(row)
    place = shapely.Point(shape.representative_point().x, 125)
    homes = {"xy": [[place.x, place.y]], "households": [40]}
    after = cut(plan, "b000001", line, homes=homes)
    frame = after.blocks_frame()
    lower = frame[frame.contains(place)].index[0]
    assert frame.loc[lower, "households"] == plan.blocks.households[row]
    by_area = cut(plan, "b000001", line).blocks_frame().loc[["b000001-1", "b000001-2"]]
    share = by_area.geometry.area / by_area.geometry.area.sum()
    assert by_area["households"].sum() == plan.blocks.households[row]
    assert (abs(by_area["households"] - share * plan.blocks.households[row]) < 1).all()


def test_the_border_of_a_community_does_not_move() -> None:
    plan = read_plan(town(6, 6))
    fixed = int(np.flatnonzero(plan.ground.is_fixed)[5])
    with pytest.raises(RedrawError, match="border of a community"):
        move_vertices(plan, [fixed], plan.ground.xy[[fixed]] + 1)


def test_a_border_moves_for_both_sides_and_never_folds_a_block() -> None:
    plan = read_plan(town(6, 6))
    line = border_vertices(plan, "A0000", "A0001")
    assert len(line) == 2  # the ends of the border lie on the community's border
    moved = move_border(plan, "A0000", "A0001", 0, 10)
    check(moved, plan)
    assert np.allclose(moved.ground.xy[line] - plan.ground.xy[line], (0, 10))
    with pytest.raises(RedrawError, match="fold"):
        move_border(plan, "A0000", "A0001", 0, 300)


def test_a_locked_grid_is_touched_by_no_edit() -> None:
    plan = lock(read_plan(town(6, 6)), ["A0000"])
    inner = int(border_vertices(plan, "A0000", "A0001")[0])
    tries = [
        lambda: paint(plan, ["b000002"], "A0001"),
        lambda: paint(plan, ["b000003"], "A0000"),
        lambda: merge(plan, ["A0000", "A0001"]),
        lambda: split(plan, "A0000", shapely.LineString([(-10, 150), (310, 150)])),
        lambda: move_vertices(plan, [inner], plan.ground.xy[[inner]] + 1),
        lambda: rename(plan, "A0000", "x"),
        lambda: cut(plan, "b000000", shapely.LineString([(-10, 50), (150, 50)])),
    ]
    for attempt in tries:
        with pytest.raises(RedrawError, match="locked"):
            attempt()
    stroke = plan.brush()
    stroke.move(plan.block_rows["b000002"], plan.grid_rows["A0001"])
    with pytest.raises(RedrawError, match="locked"):
        stroke.commit()
    assert paint(lock(plan, ["A0000"], on=False), ["b000002"], "A0001").table() is not None


def test_a_locked_border_stays_where_it_is() -> None:
    plan = lock_border(read_plan(town(6, 6)), "A0000", "A0001")
    inner = int(border_vertices(plan, "A0000", "A0001")[0])
    beside = next(
        iter(plan.ground.rings.around(inner) - set(border_vertices(plan, "A0000", "A0001")))
    )
    tries = [
        lambda: paint(plan, ["b000002"], "A0001"),
        lambda: merge(plan, ["A0000", "A0001"]),
        lambda: move_vertices(plan, [inner], plan.ground.xy[[inner]] + 1),
        lambda: move_border(plan, "A0000", "A0001", 0, 5),
        lambda: remove_vertex(insert_vertex(plan, inner, beside), inner),
    ]
    for attempt in tries:
        with pytest.raises(RedrawError) as error:
            attempt()
        assert error.value.code in ("locked_border", "holds_borders")
    # What leaves the line a border is free, and a cut across it locks both halves.
    upper = split(plan, "A0001", shapely.LineString([(130, 250), (130, 700)]), through=True)
    assert len(upper.locked_edges) > len(plan.locked_edges)
    with pytest.raises(RedrawError, match="locked"):
        merge(upper, ["A0000", "A0001"])
    free = lock_border(plan, "A0000", "A0001", on=False)
    assert len(merge(free, ["A0000", "A0001"]).living) == len(plan.living) - 1
    assert same(replay(read_plan(town(6, 6)), upper.script), upper)


def test_numbers_run_from_west_to_east_and_then_south() -> None:
    blocks = town(12, 6)
    blocks["community_code"] = blocks["community_code"].map(
        {"A": "110101001001", "B": "110101001002"}
    )
    plan = renumber(read_plan(blocks))
    frame = plan.to_frame()
    assert list(frame.index.str.len().unique()) == [15]
    for _, part in frame.groupby("community_code"):
        middle = part.sort_index().geometry.centroid
        assert middle.y.iloc[0] > middle.y.iloc[-1]
        assert middle.x.iloc[0] < middle.x.iloc[1]


def test_two_assignments_at_once_may_swap_blocks() -> None:
    plan = read_plan(town(6, 6))
    after = assign(plan, {"b000002": "A0001", "b002003": "A0000"})
    assert len(diff(plan, after)) == 2
    check(after, plan)


def test_names_of_grids_are_text_that_can_be_read_and_not_too_long() -> None:
    plan = read_plan(town(6, 6))
    line, area = shapely.LineString([(-10, 150), (310, 150)]), shapely.box(-10, -10, 110, 310)
    ways = [
        lambda name: rename(plan, "A0000", name),
        lambda name: split(plan, "A0000", line, name=name),
        lambda name: cut_out(plan, area, name=name),
    ]
    for way in ways:
        for odd in (5, float("nan"), ["x"]):
            with pytest.raises(InputError, match="give text"):
                way(odd)
        with pytest.raises(RedrawError, match="100") as caught:
            way("网" * 101)
        assert (caught.value.code, caught.value.parts["n"]) == ("long_name", 101)
        with pytest.raises(RedrawError, match="can be read"):
            way("\u202e\x00 ")
        names = set(way("  一\n二\x00\u202e ").table()["name"])
        assert "一 二" in names
        assert "网" * 100 in set(way("网" * 100).table()["name"])


@pytest.mark.parametrize("digits", [0, 7, 99, None, "3", 3.0, True])
def test_numbers_of_grids_have_one_to_six_digits(digits: object) -> None:
    with pytest.raises(InputError, match="from 1 to 6"):
        renumber(read_plan(town(6, 6)), digits=digits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"do": "rename", "name": "x"}, "edit 2: rename lacks grid"),
        ({"do": "cut_out"}, "edit 2: cut_out lacks area, name"),
        ({"do": "melt"}, "edit 2: the edit is 'melt', which this program does not know"),
        ({}, "edit 2: the edit is None"),
        (["lock"], "edit 2: .* is no edit"),
        ({"do": "split", "grid": "A0000", "line": "?"}, "edit 2: split cannot be read"),
        ({"do": "move", "vertices": [10**30], "xy": [[1, 1]]}, "edit 2: move cannot be read"),
        ({"do": "renumber", "digits": 9}, "edit 2: digits are 9"),
    ],
)
def test_an_edit_written_by_hand_that_is_none_is_named_by_its_number(
    edit: object, words: str
) -> None:
    plan = read_plan(town(6, 6))
    script = [{"do": "lock", "grids": []}, edit]
    with pytest.raises(InputError, match=words):
        replay(plan, script)  # type: ignore[arg-type]
    assert len(replay(plan, [{"do": "merge", "grids": ["A0000", "A0001"]}]).grid_rows) == (
        len(plan.grid_rows) - 1
    )
