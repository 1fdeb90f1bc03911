"""Drafts in the store of a city that can be drawn.

The city: two communities, A (three grids) and B; blocks of 0.001 degrees, ten households each, but
those of the right column have none stated; b72 lies in no grid.

        A1      A2      A3      B1    (none)
      b11 b21|b31 b41|b51 b61|b71 b81|
      b12 b22|b32 b42|b52 b62|.......|b72 to the north of b71
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from geo.errors import CoverError, InputError, SchemaVersionError, StoreError
from geo.io import plan_base
from geo.io.plan_base import make_base, read_base, write_base
from geo.io.planbook import PlanBook, PlanFileError, PlanStateError, UnknownPlanError
from geo.io.workspace import Workspace
from geo.plan import Plan, RedrawError

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
WEST, SOUTH, STEP = 111.3, 30.7, 0.001


def cell(column: int, row: int, wide: int = 1, high: int = 1) -> shapely.Polygon:
    """Ground `wide` by `high` steps, from the corner of a cell on, with every vertex."""
    x = [WEST + STEP * (column + k) for k in range(wide + 1)]
    y = [SOUTH + STEP * (row + k) for k in range(high + 1)]
    ring = [(v, y[0]) for v in x] + [(x[-1], v) for v in y[1:]]
    ring += [(v, y[-1]) for v in x[-2::-1]] + [(x[0], v) for v in y[-2:0:-1]]
    return shapely.Polygon(ring)


def fill(workspace: Workspace, *, blocks: bool = True, at: datetime = AT) -> None:
    """Put the city into an empty workspace."""
    grids = {"A1": (0, 2, "A"), "A2": (2, 2, "A"), "A3": (4, 2, "A"), "B1": (6, 2, "B")}
    shapes = [cell(x, 0, wide, 1 if name == "B1" else 2) for name, (x, wide, _) in grids.items()]
    with workspace.writing() as conn:
        workspace.append(
            conn,
            "divisions",
            gpd.GeoDataFrame(
                {"code": ["A", "B"], "level": "community", "name": ["甲", "乙"]},
                geometry=[None, None],
                crs="EPSG:4326",
            ),
        )
        workspace.append(
            conn,
            "grids",
            gpd.GeoDataFrame(
                {
                    "grid_id": list(grids),
                    "name": [f"网格{name}" for name in grids],
                    "kind": "base",
                    "community_code": [community for *_, community in grids.values()],
                    "households": [40, 40, 40, 10],
                    "version": 1,
                    "valid_from": pd.Timestamp(at - timedelta(days=300)),
                },
                geometry=shapes,
                crs="EPSG:4326",
            ),
        )
        if blocks:
            rows = [(c, r) for c in range(8) for r in (0, 1) if c < 6 or (c, r) != (7, 1)]
            workspace.append(
                conn,
                "blocks",
                gpd.GeoDataFrame(
                    {
                        "block_id": [f"b{c + 1}{r + 1}" for c, r in rows],
                        "households": pd.array([None if c == 7 else 10 for c, _ in rows], "Int64"),
                        "community_code": ["A" if c < 6 else "B" for c, _ in rows],
                    },
                    geometry=[cell(c, r) for c, r in rows],
                    crs="EPSG:4326",
                ),
            )


@pytest.fixture
def city(workspace: Workspace) -> Workspace:
    fill(workspace)
    return workspace


@pytest.fixture
def book(city: Workspace) -> PlanBook:
    return PlanBook(city)


@pytest.fixture
def plan_id(book: PlanBook) -> str:
    return book.create("试画", "王", AT)


def paint(*blocks: str, grid: str, **more: object) -> dict[str, object]:
    return {"do": "paint", "blocks": list(blocks), "grid": grid, **more}


def grids_of(plan: Plan) -> dict[str, str]:
    return {str(k): str(v) for k, v in plan.assignment.items()}


class Hand:
    """One planner at one screen."""

    def __init__(self, book: PlanBook, plan_id: str, name: str) -> None:
        self.book, self.plan_id, self.name = book, plan_id, name
        self.seen, self.count = 0, 0

    def do(self, edit, **more):
        self.count += 1
        more = {"edit_id": f"{self.name}{self.count}", "on_seq": self.seen, "at": AT} | more
        answer = self.book.append(self.plan_id, edit=edit, by=self.name, **more)
        self.seen = answer.newest
        return answer


@pytest.fixture
def wang(book, plan_id):
    return Hand(book, plan_id, "王")


@pytest.fixture
def li(book, plan_id):
    return Hand(book, plan_id, "李")


# --- what a draft begins from --------------------------------------------------------------------


def test_a_base_has_the_published_grids_and_rest_grids_for_the_others(city):
    base = make_base(city)
    first = base.first
    assert grids_of(first) == {
        "b11": "A1", "b12": "A1", "b21": "A1", "b22": "A1", "b31": "A2", "b32": "A2",
        "b41": "A2", "b42": "A2", "b51": "A3", "b52": "A3", "b61": "A3", "b62": "A3",
        "b71": "B1", "b81": "B1", "b72": "B-R1",
    }  # fmt: skip
    assert base.rest_grids(first) == ["B-R1"]
    assert first.table().loc["B-R1", "name"] == "未划分"
    assert {note.code: note.count for note in base.notes} == {"no_households": 1, "no_grid": 1}
    assert base.loose == frozenset()
    assert int(first.blocks.households.sum()) == 140


def test_places_that_nobody_moved_come_back_bit_for_bit(city):
    base = make_base(city)
    stored = city.read("blocks").geometry
    stored = np.array([shape.geoms[0] for shape in stored], dtype=object)
    ids = city.read("blocks").index
    mine = dict(zip(base.first.blocks.ids, base.block_polygons(base.first), strict=True))
    for name, shape in zip(ids, stored, strict=True):
        assert shapely.equals_exact(shapely.normalize(mine[name]), shapely.normalize(shape))
    published = city.grids().geometry
    outlines = base.grid_polygons(base.first).geometry
    for name in published.index:
        one = shapely.normalize(published[name].geoms[0])
        assert shapely.equals_exact(one, shapely.normalize(outlines[name]))


def test_a_moved_border_changes_its_two_grids_and_no_other(city):
    from geo.redraw import move_vertices

    base = make_base(city)
    place = base.to_metric([[WEST + 2 * STEP, SOUTH + STEP]])
    vertex = int(np.argmin(np.hypot(*(base.first.ground.xy - place).T)))
    plan = move_vertices(base.first, [vertex], place + np.array([[7.0, 3.0]]))
    assert base.changed_grids(plan) == ({"A1", "A2"}, set(), set())
    assert sorted(base.changed_blocks(plan)) == ["b21", "b22", "b31", "b32"]
    there, before = base.places(plan), base.places(base.first)
    differs = (there != before).any(axis=1)
    assert np.flatnonzero(differs).tolist() == [vertex]
    assert base.to_metric(there[vertex]) == pytest.approx(place + np.array([[7.0, 3.0]]), abs=1e-6)
    assert base.places(plan.undo()).tolist() == before.tolist()


def test_a_city_without_blocks_is_drawn_in_grids(workspace):
    fill(workspace, blocks=False)
    base = make_base(workspace)
    assert base.as_blocks == "grids"
    assert grids_of(base.first) == {name: name for name in ("A1", "A2", "A3", "B1")}
    assert [note.code for note in base.notes] == ["no_blocks"]


def test_a_city_with_nothing_has_no_draft(workspace):
    with pytest.raises(InputError, match="neither a block nor a grid"):
        make_base(workspace)


def test_some_communities_alone_can_be_drafted(city):
    base = make_base(city, communities=["B"])
    assert set(base.first.blocks.ids) == {"b71", "b72", "b81"}
    with pytest.raises(InputError, match="no block lies in community C"):
        make_base(city, communities=["A", "C"])


def test_a_division_can_be_the_beginning(city):
    blocks = city.read("blocks").index
    plan = pd.Series({name: f"N{name[1] > '3'}" for name in blocks if name < "b7"})
    base = make_base(city, assignment=plan)
    assert set(base.first.table().index) == {"NFalse", "NTrue", "B-R1"}
    assert base.is_assigned


def test_ground_without_a_block_is_a_block_of_the_plan_alone(workspace):
    """A2 keeps only two far corners, and B1 no block at all; their streets hold them together."""
    fill(workspace)
    table = workspace.table("blocks")
    with workspace.writing() as conn:
        gone = ["b31", "b42", "b71", "b81", "b72"]
        workspace.delete(conn, "blocks", table.c.block_id.in_(gone))
    base = make_base(workspace)
    plan = base.first
    assert base.ground == {"A2-S1", "A2-S2", "B1-S1"}
    assert (base.joined, base.loose) == ({}, frozenset())
    assert [note.code for note in base.notes] == ["ground", "households_differ"]
    people = dict(zip(plan.blocks.ids, plan.blocks.households.tolist(), strict=True))
    # Where a grid has no block, its ground has the people that it states.
    assert [people[name] for name in ("A2-S1", "A2-S2", "B1-S1")] == [0, 0, 10]
    published = workspace.grids().geometry
    outlines = base.grid_polygons(plan).geometry
    assert all(outlines[name].equals(published[name]) for name in published.index)
    assert base.communities is None
    again = read_base(write_base(workspace.path / "plans", base).parent, base.name)
    assert again.ground == base.ground


def test_moved_ground_is_no_changed_block_of_the_city(workspace):
    from geo.redraw import cut

    fill(workspace)
    table = workspace.table("blocks")
    with workspace.writing() as conn:
        workspace.delete(conn, "blocks", table.c.block_id == "b42")
    base = make_base(workspace)
    line = base.to_metric([(WEST + 3.5 * STEP, SOUTH), (WEST + 3.5 * STEP, SOUTH + 3 * STEP)])
    plan = cut(base.first, "A2-S1", shapely.LineString(line))
    # Only b41 below it, which got a vertex; the ground itself is nobody's.
    assert base.changed_blocks(plan) == ["b41"]


def test_a_grid_of_islands_is_held_together_by_one_joined_block(workspace):
    islands = [cell(0, 0), cell(5, 0)]
    with workspace.writing() as conn:
        grid = gpd.GeoDataFrame(
            {
                "grid_id": ["I"],
                "kind": "base",
                "version": 1,
                "valid_from": pd.Timestamp(AT),
            },
            geometry=[shapely.MultiPolygon(islands)],
            crs="EPSG:4326",
        )
        workspace.append(conn, "grids", grid)
        blocks = gpd.GeoDataFrame(
            {"block_id": ["west", "east"], "households": [3, 4]}, geometry=islands, crs="EPSG:4326"
        )
        workspace.append(conn, "blocks", blocks)
    base = make_base(workspace)
    assert base.joined == {"west": "east"}
    assert [note.code for note in base.notes] == ["no_community", "joined"]
    assert base.first.blocks.households.tolist() == [7]
    assert base.loose == frozenset()
    assert base.first.blocks.ids == ("east",)


def test_blocks_that_overlap_are_refused_with_their_names(city):
    with city.writing() as conn:
        city.append(
            conn, "blocks",
            gpd.GeoDataFrame(
                {"block_id": ["over"], "households": [1], "community_code": ["A"]},
                geometry=[shapely.box(WEST + 0.5 * STEP, SOUTH + 0.5 * STEP,
                                      WEST + 1.5 * STEP, SOUTH + 1.5 * STEP)],
                crs="EPSG:4326",
            ),
        )  # fmt: skip
    with pytest.raises(CoverError, match="over"):
        make_base(city)


def test_borders_that_miss_by_half_a_metre_are_made_to_match_and_named(city):
    table = city.table("blocks")
    shape = cell(5, 0)
    bent = shapely.transform(shape, lambda xy: np.where(xy == shape.bounds[0], xy + 5e-6, xy))
    with city.writing() as conn:
        city.delete(conn, "blocks", table.c.block_id == "b61")
        city.append(
            conn, "blocks",
            gpd.GeoDataFrame(
                {"block_id": ["b61"], "households": [10], "community_code": ["A"]},
                geometry=[bent], crs="EPSG:4326",
            ),
        )  # fmt: skip
    base = make_base(city)
    note = next(note for note in base.notes if note.code == "repaired")
    assert "b61" in note.ids
    assert shapely.coverage_is_valid(base.shapes)


def test_a_base_file_is_read_as_it_was_written_and_damage_is_noticed(city, tmp_path):
    base = make_base(city)
    file = write_base(tmp_path, base)
    again = read_base(tmp_path, base.name)
    assert again.name == base.name == make_base(city).name
    assert again.first.ground.xy.tolist() == base.first.ground.xy.tolist()
    assert grids_of(again.first) == grids_of(base.first)
    assert again.notes == base.notes
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(StoreError, match="damaged"):
        read_base(tmp_path, base.name)
    with pytest.raises(StoreError, match="not there"):
        read_base(tmp_path, "0" * 32)
    with pytest.raises(InputError, match="names no base"):
        read_base(tmp_path, "../city")


def test_a_base_of_a_newer_program_is_refused(city, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_base, "BASE_FORMAT", 2)
    base = make_base(city)
    write_base(tmp_path, base)
    monkeypatch.setattr(plan_base, "BASE_FORMAT", 1)
    with pytest.raises(SchemaVersionError, match="update the program"):
        read_base(tmp_path, base.name)


# --- edits ---------------------------------------------------------------------------------------


def test_an_edit_is_in_the_plan_and_in_the_log(book, plan_id, wang):
    answer = wang.do(paint("b31", grid="A1"))
    assert (answer.state, answer.seq, answer.newest) == ("applied", 1, 1)
    assert answer.plan.assignment["b31"] == "A1"
    assert answer.before.assignment["b31"] == "A2"
    opened = PlanBook(book.workspace).open(plan_id)
    assert grids_of(opened.plan) == grids_of(answer.plan)
    assert opened.can_undo == "王"
    row = book.since(plan_id, 0)[0]
    assert row.edit == {"do": "paint", "blocks": ["b31"], "grid": "A1", "along": False}
    assert book.plans().loc[plan_id, "seq"] == 1


def test_the_same_edit_twice_counts_once_and_is_answered_alike(book, plan_id, wang):
    first = wang.do(paint("b31", grid="A1"), edit_id="x")
    again = wang.do(paint("b31", grid="A1"), edit_id="x", on_seq=0)
    assert again.repeated
    assert (again.seq, again.state, again.newest) == (first.seq, "applied", 1)
    assert len(book.since(plan_id, 0)) == 1
    with pytest.raises(InputError, match="belongs to another edit"):
        wang.do(paint("b32", grid="A1"), edit_id="x")


def test_a_refused_edit_leaves_no_trace(book, plan_id, wang):
    wang.do({"do": "lock", "grids": ["B1"]})
    with pytest.raises(RedrawError, match=r"^grid B1 is locked") as caught:
        wang.do(paint("b72", grid="B1"))
    assert caught.value.code == "locked"
    with pytest.raises(InputError, match="'melt', which this program does not know"):
        wang.do({"do": "melt"})
    with pytest.raises(InputError, match=r"^paint lacks grid"):
        wang.do({"do": "paint", "blocks": ["b31"]})
    with pytest.raises(InputError, match="on_seq is 9"):
        wang.do(paint("b31", grid="A1"), on_seq=9)
    assert len(book.since(plan_id, 0)) == 1


def test_planners_who_touch_other_blocks_are_merged(wang, li):
    wang.do(paint("b31", grid="A1"))
    answer = li.do(paint("b52", grid="A2"))
    assert answer.state == "applied"
    assert [row.by for row in answer.others] == ["王"]
    assert answer.plan.assignment[["b31", "b52"]].tolist() == ["A1", "A2"]


def test_the_second_edit_of_the_same_block_is_kept_as_a_conflict_on_the_map(
    book, plan_id, wang, li
):
    wang.do(paint("b41", grid="A3"))
    answer = li.do(paint("b41", "b42", grid="A3"))
    assert answer.state == "conflict"
    assert answer.clash.code == "blocks"
    assert (answer.clash.blocks, answer.clash.seqs) == (("b41",), (1,))
    assert cell(3, 0).contains(shapely.Point(answer.clash.place))
    assert answer.plan.assignment["b42"] == "A2"
    waiting = PlanBook(book.workspace).open(plan_id).conflicts
    assert [(row.seq, row.by, row.clash.code) for row in waiting] == [(2, "李", "blocks")]
    assert book.plans().loc[plan_id, "conflicts"] == 1


def test_a_conflict_is_taken_or_dropped_and_the_log_tells(book, plan_id, wang, li):
    wang.do(paint("b31", grid="A1"))
    li.do({"do": "merge", "grids": ["A1", "A2"]})
    li.do({"do": "rename", "grid": "A1", "name": "新"}, on_seq=0)
    one, *more = book.open(plan_id).conflicts
    assert not more
    taken = book.settle(plan_id, one.seq, "take", by="王", at=AT, edit_id="s1")
    assert taken.plan.assignment["b42"] == "A1"
    assert [row.state for row in book.since(plan_id, 0)] == [
        "applied", "taken", "applied", "applied",
    ]  # fmt: skip
    assert book.since(plan_id, 3)[0].edit["do"] == "take"
    again = book.settle(plan_id, one.seq, "take", by="王", at=AT, edit_id="s1")
    assert (again.repeated, again.newest) == (True, 4)
    with pytest.raises(InputError, match="does not wait"):
        book.settle(plan_id, one.seq, "drop", by="王", at=AT, edit_id="s2")
    assert grids_of(PlanBook(book.workspace).open(plan_id).plan) == grids_of(taken.plan)
    undone = book.append(plan_id, edit_id="u", edit={"do": "undo"}, by="王", on_seq=4, at=AT)
    assert undone.plan.assignment["b42"] == "A2"


def test_a_conflict_that_breaks_a_rule_goes_on_waiting_and_can_be_taken_otherwise(
    book, plan_id, wang, li
):
    wang.do(paint("b41", grid="A3"))
    li.do(paint("b41", "b42", grid="A3"))
    wang.do({"do": "lock", "grids": ["A3"]})
    with pytest.raises(RedrawError, match="locked"):
        book.settle(plan_id, 2, "take", by="李", at=AT, edit_id="s")
    assert len(book.open(plan_id).conflicts) == 1
    wang.do({"do": "lock", "grids": ["A3"], "on": False})
    other = paint("b42", grid="A3")
    taken = book.settle(plan_id, 2, "take", by="李", at=AT, edit_id="s", edit=other)
    assert taken.plan.assignment[["b41", "b42"]].tolist() == ["A3", "A3"]
    assert taken.edit["edit"]["blocks"] == ["b42"]
    assert not book.open(plan_id).conflicts


def test_what_both_did_alike_needs_nobody(book, plan_id, wang, li):
    wang.do(paint("b31", grid="A1"))
    answer = li.do(paint("b31", grid="A1"))
    assert (answer.state, answer.clash) == ("dropped", None)
    assert not book.open(plan_id).conflicts


def test_an_edit_that_would_now_do_something_else_is_no_merge(wang, li):
    # Li merges A2 into A1 when A2 is b31…b42; meanwhile b51 came to A2.
    wang.do(paint("b51", grid="A2"))
    answer = li.do({"do": "merge", "grids": ["A1", "A2"], "into": "A1"})
    assert (answer.state, answer.clash.code) == ("conflict", "grids")


def test_a_line_that_would_now_split_off_more_is_no_merge(book, plan_id, wang, li):
    base = book.open(plan_id).base
    x = WEST + 3 * STEP
    line = base.to_metric([(x, SOUTH - STEP), (x, SOUTH + 3 * STEP)]).tolist()
    wang.do(paint("b51", grid="A2"))
    # On what Li saw b41 and b42 are split off; now b51 would go along.
    answer = li.do({"do": "split", "grid": "A2", "line": line})
    assert (answer.state, answer.clash.code) == ("conflict", "differs")
    assert set(answer.clash.blocks) == {"b31", "b32"} or set(answer.clash.blocks) == {"b41", "b42"}


def test_what_was_drawn_offline_on_ones_own_edits_is_judged_with_them(book, plan_id, wang, li):
    # Wang cuts b31 in two and paints a part, both without having heard of Li.
    base = book.open(plan_id).base
    x = WEST + 2.5 * STEP
    line = base.to_metric([(x, SOUTH - STEP), (x, SOUTH + 3 * STEP)]).tolist()
    li.do(
        {
            "do": "cut",
            "block": "b81",
            "line": base.to_metric(
                [(WEST + 6 * STEP, SOUTH + STEP / 2), (WEST + 9 * STEP, SOUTH + STEP / 2)]
            ).tolist(),
        }
    )
    answers = [
        wang.do({"do": "cut", "block": "b31", "line": line}, on_seq=0),
        wang.do(paint("b31-1", grid="A1"), on_seq=0),
    ]
    assert [answer.state for answer in answers] == ["applied", "applied"]
    assert answers[1].plan.assignment["b31-1"] == "A1"


def test_an_edit_that_a_rule_forbids_meanwhile_waits(wang, li):
    wang.do({"do": "lock", "grids": ["A2"]})
    answer = li.do(paint("b42", grid="A3"))
    assert (answer.state, answer.clash.code) == ("conflict", "rule")


def test_two_splits_at_once_give_two_grids_whoever_was_first(book, plan_id, wang, li):
    base = book.open(plan_id).base

    def line(column):
        x = WEST + STEP * column
        return base.to_metric([(x, SOUTH - STEP), (x, SOUTH + 3 * STEP)]).tolist()

    one = wang.do({"do": "split", "grid": "A1", "line": line(1)})
    two = li.do({"do": "split", "grid": "A2", "line": line(3)})
    assert one.state == two.state == "applied"
    assert len(two.plan.grid_rows) == 7


def test_only_ones_own_newest_edit_is_undone(book, plan_id, wang, li):
    wang.do(paint("b31", grid="A1"))
    with pytest.raises(RedrawError, match="the newest edit is by 王") as caught:
        li.do({"do": "undo"})
    assert caught.value.code == "not_yours"
    undone = wang.do({"do": "undo"})
    assert undone.plan.assignment["b31"] == "A2"
    assert undone.edit == {"do": "undo", "seq": 1}
    with pytest.raises(RedrawError, match="nothing to undo"):
        wang.do({"do": "undo"})
    with pytest.raises(RedrawError, match="undone last is by 王"):
        li.do({"do": "redo"})
    redone = wang.do({"do": "redo"})
    assert redone.plan.assignment["b31"] == "A1"
    opened = PlanBook(book.workspace).open(plan_id)
    assert (opened.can_undo, opened.can_redo) == ("王", None)
    assert grids_of(opened.plan) == grids_of(redone.plan)
    assert PlanBook(book.workspace).open(plan_id, seq=2).plan.assignment["b31"] == "A2"


def test_ones_own_edit_under_anothers_is_undone_where_nobody_touched_it(book, plan_id, wang, li):
    wang.do(paint("b31", grid="A1"))
    wang.seen = li.do(paint("b51", grid="A2")).newest
    undone = wang.do({"do": "undo"})
    assert undone.edit == {"do": "undo", "seq": 1}
    assert (undone.plan.assignment["b31"], undone.plan.assignment["b51"]) == ("A2", "A2")
    again = PlanBook(book.workspace).open(plan_id)
    assert grids_of(again.plan) == grids_of(undone.plan)
    assert (again.can_undo, again.can_redo, again.conflicts) == ("李", "王", ())
    # It comes back by redo, and stays away from copies while it is undone.
    copied = book.open(book.copy(plan_id, "抄", "李", AT))
    assert (grids_of(copied.plan), copied.seq) == (grids_of(undone.plan), 1)
    assert wang.do({"do": "redo"}).plan.assignment["b31"] == "A1"
    li.seen = wang.seen
    assert li.do({"do": "undo"}).edit == {"do": "undo", "seq": 2}
    fresh = PlanBook(book.workspace).open(plan_id).plan
    assert (fresh.assignment["b31"], fresh.script[-1]["grid"]) == ("A1", "A1")


def test_an_edit_that_another_drew_over_is_not_undone_under_it(book, plan_id, wang, li):
    wang.do(paint("b31", grid="A1"))
    li.seen = wang.seen
    li.do(paint("b31", grid="A2"))
    with pytest.raises(RedrawError, match="李 changed the same place") as caught:
        wang.do({"do": "undo"})
    assert (caught.value.code, caught.value.parts["by"]) == ("covered", "李")
    assert book.open(plan_id).plan.ground.polygon(0).distance(caught.value.place) < 1_000
    assert book.open(plan_id).seq == 2


def test_an_undo_is_nothing_to_take_instead_of_a_conflict(book, plan_id, wang, li):
    wang.do(paint("b41", grid="A3"))
    assert li.do(paint("b31", "b32", "b41", grid="A1")).state == "conflict"
    with pytest.raises(InputError, match="undo cannot be taken"):
        book.settle(plan_id, 2, "take", by="李", at=AT, edit_id="x", edit={"do": "undo"})


def test_an_edit_made_offline_while_the_plan_was_submitted_is_kept(book, plan_id, wang):
    book.move(plan_id, "review", by="王", at=AT)
    answer = wang.do(paint("b31", grid="A1"))
    assert (answer.state, answer.clash.code) == ("conflict", "state")
    with pytest.raises(PlanStateError, match="is review"):
        book.settle(plan_id, 1, "take", by="王", at=AT, edit_id="s")
    book.move(plan_id, "draft", by="张", at=AT, note="补")
    taken = book.settle(plan_id, 1, "take", by="王", at=AT, edit_id="s")
    assert taken.plan.assignment["b31"] == "A1"


# --- states, comments, the list ------------------------------------------------------------------


def test_states_follow_one_another_and_moves_tell_who_when_and_why(book, plan_id):
    with pytest.raises(PlanStateError, match="draft and cannot become approved"):
        book.move(plan_id, "approved", by="张", at=AT)
    book.move(plan_id, "review", by="王", at=AT, note=" 周一前 ")
    book.move(plan_id, "draft", by="张", at=AT + timedelta(hours=1), note="B 太大")
    book.move(plan_id, "review", by="王", at=AT + timedelta(hours=2))
    verdict = {"ok": True}
    later = AT + timedelta(days=40)
    book.move(plan_id, "approved", by="张", at=AT + timedelta(hours=3), verdict=verdict)
    with book.workspace.writing() as conn:
        book.move(
            plan_id, "in_force", by="张", at=AT + timedelta(hours=4), from_day=later, version=2,
            conn=conn,
        )  # fmt: skip
    moves = book.moves(plan_id)
    assert moves["state"].tolist() == [
        "draft", "review", "draft", "review", "approved", "in_force",
    ]  # fmt: skip
    assert moves.loc[1, "note"] == "周一前"
    assert json.loads(moves.loc[4, "verdict"]) == verdict
    row = book.row(plan_id)
    assert (row["state"], row["version"], row["from_day"]) == ("in_force", 2, later)
    with pytest.raises(PlanStateError, match="becomes past"):
        book.move(plan_id, "draft", by="张", at=AT)
    with pytest.raises(InputError, match="no state of a plan"):
        book.move(plan_id, "lost", by="张", at=AT)


def test_a_plan_that_was_dated_ahead_stays_approved_until_it_is_in_force(book, plan_id):
    later = AT + timedelta(days=40)
    book.move(plan_id, "review", by="王", at=AT)
    book.move(plan_id, "approved", by="张", at=AT)
    with pytest.raises(PlanStateError, match="cannot become approved"):
        book.move(plan_id, "approved", by="张", at=AT)
    book.move(plan_id, "approved", by="张", at=AT, from_day=later)
    book.move(plan_id, "approved", by="张", at=AT, version=2)
    assert (book.row(plan_id)["from_day"], book.row(plan_id)["version"]) == (later, 2)
    for state in ("draft", "dropped", "approved"):
        with pytest.raises(PlanStateError, match=r"it becomes in_force$"):
            book.move(plan_id, state, by="张", at=AT, from_day=later)
    book.move(plan_id, "in_force", by="张", at=later)


def test_a_state_that_was_not_committed_was_not(book, plan_id):
    def half():
        with book.workspace.writing() as conn:
            book.move(plan_id, "review", by="王", at=AT, conn=conn)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert book.row(plan_id)["state"] == "draft"
    assert len(book.moves(plan_id)) == 1


def test_comments_are_pinned_answered_and_settled(book, plan_id):
    one = book.comment(plan_id, by="李", text=" 路口 ", at=AT, lon=111.3, lat=30.7, grid_id="A1")
    two = book.comment(plan_id, by="王", text="好", at=AT, reply_to=one, comment_id="c-7")
    assert book.comment(plan_id, by="王", text="好", at=AT, comment_id="c-7") == two == "c-7"
    found = book.comments(plan_id)
    assert found["text"].tolist() == ["路口", "好"]
    assert found.loc[two, "reply_to"] == one
    assert book.plans().loc[plan_id, "open_comments"] == 1
    book.settle_comment(one, by="张", at=AT)
    assert book.comments(plan_id).loc[one, "done_by"] == "张"
    assert book.plans().loc[plan_id, "open_comments"] == 0
    book.settle_comment(one, by="张", at=AT, done=False)
    assert pd.isna(book.comments(plan_id).loc[one, "done_at"])
    for wrong, words in (
        ({"text": " "}, "text is empty"),
        ({"lon": 3.0}, "give both, or neither"),
        ({"lon": 300.0, "lat": 0.0}, "is no place"),
        ({"reply_to": "zz"}, "no comment zz"),
        ({"text": "字" * 5000}, "4000 are enough"),
        ({"by": "赵", "comment_id": "c-7"}, "is taken"),
    ):
        with pytest.raises(InputError, match=words):
            book.comment(plan_id, **{"by": "李", "text": "a", "at": AT, **wrong})


def test_plans_have_names_and_ids_of_their_day(book, plan_id):
    late = datetime(2026, 11, 21, 17, tzinfo=UTC)  # the 22nd in Shanghai
    assert plan_id == "P20261121-01"
    assert book.create("二", "李", AT) == "P20261121-02"
    assert book.create("三", "李", late) == "P20261122-01"
    book.rename_plan(plan_id, " 改 ", "李", late + timedelta(hours=1))
    assert book.plans().index[0] == plan_id
    assert book.row(plan_id)["name"] == "改"
    assert book.moves(plan_id)["note"].tolist()[-1] == "试画 -> 改"
    for wrong in ({"name": " "}, {"by": ""}, {"name": "字" * 201}):
        with pytest.raises(InputError):
            book.create(**{"name": "a", "by": "b", "at": AT, **wrong})
    with pytest.raises(InputError, match="without a zone"):
        book.create("a", "b", datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(UnknownPlanError, match="no plan P9"):
        book.open("P9")
    with pytest.raises(UnknownPlanError):
        book.append("P9", edit_id="1", edit=paint("b31", grid="A1"), by="王", on_seq=0, at=AT)


def test_a_copy_begins_with_what_the_other_is(book, plan_id, wang):
    wang.do(paint("b31", grid="A1"))
    wang.do(paint("b32", grid="A1"))
    wang.do({"do": "undo"})
    made = book.copy(plan_id, "副本", "李", AT)
    assert grids_of(book.open(made).plan) == grids_of(book.open(plan_id).plan)
    assert (book.open(made).seq, book.row(made)["base"]) == (1, book.row(plan_id)["base"])


def test_an_edit_that_came_too_late_for_a_plan_in_force_can_be_taken_in_a_copy(
    book, plan_id, wang, li
):
    wang.do(paint("b31", grid="A1"))
    for state in ("review", "approved", "in_force"):
        book.move(plan_id, state, by="张", at=AT)
    late = li.do(paint("b52", grid="A2"))
    assert (late.state, late.clash.code) == ("conflict", "state")
    made = book.copy(plan_id, "下一版", "李", AT)
    waiting = book.open(made).conflicts
    assert [(row.seq, row.by, row.clash.code) for row in waiting] == [(2, "李", "state")]
    taken = book.settle(made, 2, "take", by="李", at=AT, edit_id="t")
    assert taken.plan.assignment[["b31", "b52"]].tolist() == ["A1", "A2"]
    assert len(book.open(plan_id).conflicts) == 1


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def busy(book, plan_id, wang, li):
    """A plan with edits of two, an undo, conflicts, a settled one and comments."""
    wang.do(paint("b31", grid="A1"))
    li.do(paint("b31", "b32", grid="A1"))
    wang.do({"do": "rename", "grid": "A3", "name": "三"})
    wang.do(paint("b52", grid="A2"))
    wang.do({"do": "undo"})
    book.comment(plan_id, by="李", text="路口", at=AT, lon=111.3, lat=30.7, comment_id="q")
    book.comment(plan_id, by="王", text="好", at=AT, reply_to="q")
    return plan_id


def test_a_draft_comes_back_from_its_file_as_it_was(book, busy, tmp_path):
    file = tmp_path / "draft.json"
    book.save_file(busy, file, AT)
    made = book.load_file(file, "赵", AT + timedelta(hours=1))
    one, two = book.open(busy), book.open(made)
    assert grids_of(one.plan) == grids_of(two.plan)
    assert one.plan.ground.xy.tolist() == two.plan.ground.xy.tolist()
    old, new = book.since(busy, 0), book.since(made, 0)
    assert [vars(row) for row in old] == [vars(row) for row in new]
    assert (two.can_undo, two.can_redo) == (one.can_undo, one.can_redo)
    words = ["at", "by", "text", "lon", "lat"]
    assert (
        book.comments(busy)[words]
        .reset_index(drop=True)
        .equals(book.comments(made)[words].reset_index(drop=True))
    )
    first, answer = book.comments(made).index
    assert book.comments(made).loc[answer, "reply_to"] == first
    row = book.row(made)
    assert (row["began_as"], row["state"], row["author"]) == ("file", "draft", "王")
    assert book.moves(made).loc[0, ["by", "note"]].tolist() == ["赵", "draft.json"]


def test_a_draft_opens_in_another_city_of_the_same_program(book, busy, tmp_path):
    from geo.io.workspace import create_workspace

    file = tmp_path / "draft.json"
    book.save_file(busy, file, AT)
    with create_workspace(tmp_path / "other") as other:
        there = PlanBook(other)
        opened = there.open(there.load_file(file, "赵", AT, name="来自别处"))
        assert grids_of(opened.plan) == grids_of(book.open(busy).plan)
        assert (opened.name, opened.outdated) == ("来自别处", True)


def break_file(file: Path, change) -> None:
    content = json.loads(file.read_text("utf-8"))
    change(content)
    file.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(format=2), "has format 2, this program knows 1: a newer version"),
        (lambda c: c.update(format="1"), "states no format"),
        (lambda c: c.pop("program"), "no draft of ours"),
        (lambda c: c["edits"].pop(0), "damaged: .*edit 1 is missing"),
        (lambda c: c["edits"][0].pop("by"), "damaged: edit 1 lacks by"),
        (lambda c: c["edits"][0].update(state="odd"), "state 'odd'"),
        (lambda c: c["edits"][0]["edit"].update(do="melt"), "cannot be used: edit 1 .*update"),
        (lambda c: c["bases"].clear(), "lacks the base"),
        (lambda c: c["bases"].update({k: v[:-8] for k, v in c["bases"].items()}), "damaged"),
        (lambda c: c["bases"].update(dict.fromkeys(c["bases"], "?")), "damaged"),
        (lambda c: c.update(edits=3), "damaged: edits of the file is no list"),
        (lambda c: c.pop("edits"), "damaged: the file lacks edits"),
        (lambda c: c.update(edits=["?"]), "damaged: number 1 of edits is no object"),
        (lambda c: c.update(plan="?"), "damaged: plan of the file is no object"),
        (lambda c: c["plan"].pop("author"), "damaged: the plan lacks author"),
        (lambda c: c["edits"][0].update(edit="?"), "damaged: edit of edit 1 is no object"),
        (lambda c: c["edits"][0]["edit"].update(clash={"x": 1}), "edit 1 tells no conflict"),
        (lambda c: c["edits"][0].update(at="?"), "damaged: '\\?' is no time"),
        (lambda c: c["comments"].insert(0, {}), "damaged: comment 1 lacks comment_id"),
        (lambda c: c["edits"][0].update(at="2026-01-01T00:00:00"), "has no zone"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_and_nothing_is_changed(
    book, busy, tmp_path, change, words
):
    file = tmp_path / "draft.json"
    book.save_file(busy, file, AT)
    break_file(file, change)
    before = file.read_bytes()
    with pytest.raises(PlanFileError, match=words):
        book.load_file(file, "赵", AT)
    assert file.read_bytes() == before
    assert len(book.plans()) == 1


def test_what_is_no_draft_at_all_gets_a_clear_word(book, tmp_path):
    for content in (b"", b"{", b"[1]", b"\xff\xfe", b"\x00" * 9, b"PK\x03\x04"):
        file = tmp_path / "x.json"
        file.write_bytes(content)
        with pytest.raises(PlanFileError, match=r"x\.json"):
            book.load_file(file, "赵", AT)
    with pytest.raises(PlanFileError, match="not there"):
        book.load_file(tmp_path / "none.json", "赵", AT)


def test_a_file_that_cannot_be_written_leaves_the_old_one(book, busy, tmp_path):
    with pytest.raises(StoreError, match="cannot write"):
        book.save_file(busy, tmp_path / "no" / "draft.json", AT)
    assert not list(tmp_path.glob(".*part"))


def test_a_base_of_an_older_program_goes_into_a_file_as_it_lies_on_the_disk(
    book, plan_id, tmp_path
):
    base = make_base(book.workspace)
    table = plan_base._table_of(base)
    meta = json.loads(table.schema.metadata[plan_base._KEY])
    del meta["ground"]
    older = table.replace_schema_metadata({plan_base._KEY: json.dumps(meta).encode()})
    name = plan_base._digest(older)
    pq.write_table(older, plan_base.base_file(book.folder, name))
    plans = book.workspace.table("plans")
    with book.workspace.writing() as conn:
        conn.execute(plans.update().values(base=name))
    file = tmp_path / "draft.json"
    fresh = PlanBook(book.workspace)
    fresh.save_file(plan_id, file, AT)
    made = fresh.load_file(file, "赵", AT)
    assert fresh.row(made)["base"] == name
    assert grids_of(fresh.open(made).plan) == grids_of(base.first)


# --- mishaps --------------------------------------------------------------------------------------


def test_a_workspace_that_was_put_back_is_believed(book, plan_id, wang):
    wang.do(paint("b31", grid="A1"))
    table = book.workspace.table("plan_edits")
    plans = book.workspace.table("plans")
    wang.do(paint("b32", grid="A1"))
    with book.workspace.writing() as conn:
        book.workspace.delete(conn, "plan_edits", table.c.seq == 2)
        conn.execute(plans.update().values(seq=1))
    opened = book.open(plan_id)
    assert (opened.seq, opened.plan.assignment["b32"]) == (1, "A2")
    more = wang.do(paint("b52", grid="A2"), edit_id="other", on_seq=1)
    assert (more.seq, more.plan.assignment["b32"]) == (2, "A2")


def test_an_edit_that_no_longer_holds_in_this_program_is_shown_and_not_lost(book, plan_id, wang):
    wang.do(paint("b31", grid="A1"))
    wang.do(paint("b52", grid="A2"))
    table = book.workspace.table("plan_edits")
    odd = json.dumps({"do": "paint", "blocks": ["b81"], "grid": "A1", "along": False})
    with book.workspace.writing() as conn:
        conn.execute(table.update().where(table.c.seq == 1).values(edit=odd))
    fresh = PlanBook(book.workspace)
    opened = fresh.open(plan_id)
    assert opened.plan.assignment["b52"] == "A2"
    assert [(row.seq, row.clash.code) for row in opened.conflicts] == [(1, "rule")]
    fresh.settle(plan_id, 1, "drop", by="王", at=AT, edit_id="s")
    assert not PlanBook(book.workspace).open(plan_id).conflicts


def test_an_edit_of_a_newer_program_in_the_log_is_told(book, plan_id, wang):
    wang.do(paint("b31", grid="A1"))
    table = book.workspace.table("plan_edits")
    with book.workspace.writing() as conn:
        conn.execute(table.update().values(edit='{"do":"melt"}'))
    with pytest.raises(StoreError, match=r"edit 1 of the plan cannot be run: .*update"):
        PlanBook(book.workspace).open(plan_id)


def test_numbers_of_numpy_are_written_down_and_what_is_none_is_refused(book, plan_id, wang):
    vertices = np.array([4])
    with pytest.raises(RedrawError, match=r"border of a community|not a number"):
        wang.do({"do": "move", "vertices": vertices, "xy": np.array([[np.nan, 0.0]])})
    name = wang.do({"do": "renumber", "digits": np.int64(2)})
    assert name.edit == {"do": "renumber", "digits": 2}
    for odd in ({"do": "paint", "blocks": 3, "grid": "A1"}, {"do": None}, {}, {"do": ["paint"]}):
        with pytest.raises((InputError, RedrawError)):
            wang.do(odd)
    assert len(book.since(plan_id, 0)) == 1


def test_the_own_words_of_the_log_cannot_be_sent_as_edits(wang):
    for word in ("take", "drop", "rebase"):
        with pytest.raises(InputError, match="the book itself writes it"):
            wang.do({"do": word, "seq": 1, "base": "x", "from": "y"})


def test_many_states_are_forgotten_and_found_again(book, plan_id, wang):
    for k in range(130):
        wang.do({"do": "rename", "grid": "A1", "name": f"n{k}"})
    line = book._lines[plan_id]
    assert len(line._states) < 70
    for seq in (1, 49, 50, 77, 130):
        assert book.open(plan_id, seq=seq).plan.table().loc["A1", "name"] == f"n{seq - 1}"
    with pytest.raises(InputError, match="no edit 131"):
        book.open(plan_id, seq=131)
