"""Which grids live on, what new ones are called and whose duties move, worked out by hand.

The town: two communities side by side, each with blocks of 100 m, three rows of four; a grid is
a column of three blocks. Households by column, from west to east; every block has a third.

    community A          community B
    A01  A02  A03  A04   B01  B02  B03  B04
    30   60   90   120   150  180  210  240
"""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.errors import InputError
from geo.plan import Plan, read_plan
from geo.publish import CodesFullError, match_grids, move_duties, next_codes, publish, share_table
from geo.redraw import (
    cut,
    cut_out,
    insert_vertex,
    merge,
    move_vertices,
    paint,
    rename,
    renumber,
    split,
)

BEGIN = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def town() -> Plan:
    records = []
    for column in range(8):
        side, local = ("A", column) if column < 4 else ("B", column - 4)
        for row in range(3):
            records.append(
                {
                    "block_id": f"{side}{local + 1}{'abc'[row]}",
                    "grid_id": f"{side}{local + 1:02d}",
                    "community_code": side,
                    "households": 10 * (column + 1),
                    "population": 20 * (column + 1),
                    "geometry": shapely.box(
                        column * 100, row * 100, column * 100 + 100, row * 100 + 100
                    ),
                }
            )
    return read_plan(gpd.GeoDataFrame(records, crs="EPSG:4547").set_index("block_id"))


def rows_of(parents: pd.DataFrame) -> list[tuple[str, str, str, int, float]]:
    return [
        (row.grid_id, row.from_grid_id, row.change, row.households, round(row.share, 3))
        for row in parents.itertuples(index=False)
    ]


def test_a_plan_without_a_change_publishes_nothing(town: Plan) -> None:
    found = publish(town, town, taken=town.grid_rows)
    assert found.grids.empty
    assert found.kept == tuple(sorted(town.grid_rows))
    assert found.ended == found.closed == ()
    assert found.parents.empty


def test_a_painted_block_changes_two_grids_and_leaves_the_rest(town: Plan) -> None:
    found = publish(town, paint(town, ["A2c"], "A01"), taken=town.grid_rows)
    assert rows_of(found.parents) == [
        ("A01", "A01", "changed", 30, 1.0),
        ("A01", "A02", "changed", 20, 0.333),
        ("A02", "A02", "changed", 40, 0.667),
    ]
    assert found.grids["households"].to_dict() == {"A01": 50, "A02": 40}
    assert found.closed == ("A01", "A02")
    assert len(found.kept) == 6


def test_of_two_halves_the_one_with_more_households_keeps_the_code(town: Plan) -> None:
    line = shapely.LineString([(-10, 100), (110, 100)])
    found = publish(town, split(town, "A01", line), taken=town.grid_rows)
    assert rows_of(found.parents) == [
        ("A01", "A01", "changed", 20, 0.667),
        ("A05", "A01", "split_from", 10, 0.333),
    ]
    assert found.ended == ()


def test_merged_grids_live_on_as_the_one_with_most_households(town: Plan) -> None:
    # The draft calls it A01; by households it is A03.
    merged = merge(town, ["A01", "A02", "A03"], into="A01")
    found = publish(town, merged, taken=town.grid_rows)
    assert found.codes["A01"] == "A03"
    assert rows_of(found.parents) == [
        ("A03", "A01", "merged_from", 30, 1.0),
        ("A03", "A02", "merged_from", 60, 1.0),
        ("A03", "A03", "changed", 90, 1.0),
    ]
    assert found.ended == ("A01", "A02")
    assert found.heirs == {"A01": "A03", "A02": "A03"}
    assert found.closed == ("A01", "A02", "A03")


def test_the_largest_sum_decides_and_not_the_largest_pair(town: Plan) -> None:
    # A02 has its own 60 and 60 of A03, which keeps 30. As they are called: 60 + 30 = 90, else 60.
    plan = paint(town, ["A3b", "A3c"], "A02")
    assert match_grids(town, plan).to_dict() == {name: name for name in town.grid_rows}
    plan = paint(plan, ["A2a", "A2b"], "A01")
    # A01: 30 + 40 of A02; A02: 20 of A02 + 60 of A03; A03: 30 of A03.
    # As they are called: 30 + 20 + 30 = 80. One to the west: 40 + 60 = 100.
    found = match_grids(town, plan)
    assert found.loc[["A01", "A02", "A04"]].tolist() == ["A02", "A03", "A04"]
    assert pd.isna(found["A03"])
    done = publish(town, plan, taken=town.grid_rows)
    assert done.codes.loc[["A01", "A02", "A03"]].tolist() == ["A02", "A03", "A05"]
    assert rows_of(done.parents) == [
        ("A02", "A01", "merged_from", 30, 1.0),
        ("A02", "A02", "changed", 40, 0.667),
        ("A03", "A02", "changed", 20, 0.333),
        ("A03", "A03", "changed", 60, 0.667),
        ("A05", "A03", "split_from", 30, 0.333),
    ]
    assert done.heirs == {"A01": "A02"}


def test_new_grids_are_numbered_from_the_west_and_then_from_the_north(town: Plan) -> None:
    plan = town
    for place in ("A4a", "A4c", "A2c"):
        shape = plan.ground.polygon(plan.block_rows[place])
        plan = cut_out(plan, shape, name=place)
    found = publish(town, plan, taken=[*town.grid_rows, "A05", "A09"])
    # North row first: A2c, A4c; then the south: A4a. A05 and A09 were used before.
    by_name = dict(zip(found.grids["name"], found.grids.index, strict=True))
    assert {name: by_name[name] for name in ("A2c", "A4c", "A4a")} == {
        "A2c": "A10",
        "A4c": "A11",
        "A4a": "A12",
    }


def test_a_grid_made_of_parts_of_several_is_made_from_each(town: Plan) -> None:
    area = shapely.box(0, 210, 200, 290)
    found = publish(town, cut_out(town, area, name="公园", through=False), taken=town.grid_rows)
    new = found.parents[found.parents["grid_id"] == "A05"]
    assert list(new["change"]) == ["made_from", "made_from"]
    assert found.grids.loc["A05", ["name", "kind", "households"]].tolist() == [
        "公园", "dedicated", 30,
    ]  # fmt: skip


def test_a_name_stays_with_the_grid_and_not_with_the_id_of_the_draft(town: Plan) -> None:
    begun = rename(rename(town, "A01", "桃花社区第一网格"), "A03", "桃花社区第三网格")
    base = read_plan(begun.blocks_frame(), begun.table())
    merged = merge(base, ["A01", "A02", "A03"], into="A01")
    found = publish(base, merged, taken=base.grid_rows)
    assert found.grids.loc["A03", "name"] == "桃花社区第三网格"
    said = publish(base, rename(merged, "A01", "新网格"), taken=base.grid_rows)
    assert said.grids.loc["A03", "name"] == "新网格"


def test_numbering_anew_in_a_draft_changes_no_code_that_lives_on(town: Plan) -> None:
    found = publish(town, renumber(town), taken=town.grid_rows)
    assert sorted(found.codes) == sorted(town.grid_rows)
    assert found.grids.empty


def test_a_new_name_alone_is_a_new_row_that_is_kept(town: Plan) -> None:
    found = publish(town, rename(town, "B01", "码头"), taken=town.grid_rows)
    assert rows_of(found.parents) == [("B01", "B01", "kept", 150, 1.0)]
    assert found.grids["name"].to_dict() == {"B01": "码头"}


def test_a_moved_border_is_a_new_row_for_both_sides_though_nobody_moves(town: Plan) -> None:
    found_vertices = [
        v for v in range(len(town.ground.xy)) if tuple(town.ground.xy[v]) == (100.0, 100.0)
    ]
    moved = move_vertices(town, found_vertices, town.ground.xy[found_vertices] + [20.0, 0.0])
    found = publish(town, moved, taken=town.grid_rows)
    assert rows_of(found.parents) == [
        ("A01", "A01", "kept", 30, 1.0),
        ("A02", "A02", "kept", 60, 1.0),
    ]
    assert len(found.kept) == 6


def test_a_vertex_put_into_a_border_is_a_new_row_since_neighbours_share_vertices(
    town: Plan,
) -> None:
    at = {tuple(xy): v for v, xy in enumerate(town.ground.xy.tolist())}
    more = insert_vertex(town, at[100.0, 0.0], at[100.0, 100.0], (100.0, 50.0))
    assert publish(town, more, taken=town.grid_rows).closed == ("A01", "A02")
    inside = insert_vertex(town, at[0.0, 100.0], at[100.0, 100.0], (50.0, 100.0))
    assert publish(town, inside, taken=town.grid_rows).closed == ()


def test_a_block_cut_inside_a_grid_changes_no_grid(town: Plan) -> None:
    parts = cut(town, "A1b", shapely.LineString([(-10, 150), (110, 150)]))
    found = publish(town, parts, taken=town.grid_rows)
    # The cut ends on the border with A02, which has a vertex more now.
    assert found.closed == ("A01", "A02")
    assert set(found.parents["change"]) == {"kept"}


def test_ground_without_a_grid_lives_on_in_nothing(town: Plan) -> None:
    present = town.assignment.mask(town.assignment == "A01")
    found = publish(town, town, taken=set(town.grid_rows) - {"A01"}, present=present)
    assert found.codes["A01"] == "A05"
    assert list(found.grids.index) == ["A05"]
    assert found.parents.empty
    assert found.ended == ()


def test_a_division_is_compared_with_the_grids_in_force_and_not_with_itself(town: Plan) -> None:
    frame = town.blocks_frame()
    frame["grid_id"] = (
        frame["community_code"]
        + "-new-"
        + (frame.geometry.centroid.x // 200).astype(int).astype(str)
    )
    division = read_plan(frame)
    found = publish(
        division, division, taken=town.grid_rows, present=town.assignment, grids=town.table()
    )
    # Pairs of columns: 30+60, 90+120, 150+180, 210+240; each lives on as its larger half.
    assert found.codes.tolist() == ["A02", "A04", "B02", "B04"]
    assert found.ended == ("A01", "A03", "B01", "B03")


def test_shares_of_a_grid_add_up_to_one(town: Plan) -> None:
    plan = paint(town, ["A2a"], "A01")
    table = share_table(town, plan)
    assert table.groupby("from_grid")["share"].sum().round(12).eq(1).all()
    assert table["households"].sum() == town.table()["households"].sum()


@pytest.mark.parametrize(
    ("like", "taken", "expected"),
    [
        (["420502001001001"], ["420502001001001", "420502001001007"], "420502001001008"),
        ([], [], "420502001001001"),
        (["网格1", "网格2"], ["网格1", "网格2"], "网格3"),
        (["G09"], ["G01", "G09", "G99"], "G100"),
        (["420502001001009"], ["420502001001001", "420502001001999"], "420502001001002"),
    ],
    ids=[
        "goes on from the highest", "first of its community", "written alike", "one digit more",
        "nationwide and full: the lowest that never was",
    ],
)  # fmt: skip
def test_a_new_code(like: list[str], taken: list[str], expected: str) -> None:
    assert next_codes("420502001001", 1, like=like, taken=taken) == [expected]


def test_codes_at_the_end_of_their_digits_are_each_given_once() -> None:
    home = "420502001001"
    taken = [f"{home}{n}" for n in (1, 2, 7)]
    assert next_codes(home, 4, like=taken, taken=taken) == [f"{home}{n}" for n in (8, 9, 3, 4)]


def test_a_full_community_has_no_code_left() -> None:
    home = "420502001001"
    taken = [f"{home}{n}" for n in range(1, 10)]
    with pytest.raises(CodesFullError, match=r"no number left for 1 new grids: 1 digits") as caught:
        next_codes(home, 1, like=taken, taken=taken)
    assert caught.value.community == home


# --- duties -----------------------------------------------------------------------------------

DUTIES = pd.DataFrame(
    [
        ("d1", "A01", "grid_head", "wang", 1, "2026-01-01", None),
        ("d2", "A01", "grid_worker", "li", 1, "2026-01-01", None),
        ("d3", "A02", "grid_head", "zhao", 1, "2026-01-01", None),
        ("d4", "A01", "grid_head", "sun", 1, "2025-01-01", "2026-01-01"),
        ("d5", "A01", "police", "qian", 1, "2026-01-01", "2027-01-01"),
        ("d6", "A01", "grid_head", "zhou", 1, "2027-01-01", None),
    ],
    columns=["duty_id", "unit_code", "role", "worker_id", "rank", "valid_from", "valid_to"],
)
DUTIES["valid_from"] = pd.to_datetime(DUTIES["valid_from"], utc=True)
DUTIES["valid_to"] = pd.to_datetime(DUTIES["valid_to"], utc=True)
WORKERS = pd.DataFrame(
    {"unit_code": ["A01", "A01", "A02", None]},
    index=pd.Index(["wang", "li", "zhao", "sun"], name="worker_id"),
)


def test_who_held_a_post_of_a_grid_that_ends_goes_to_its_heir_and_stands_in_there() -> None:
    moves = move_duties(
        DUTIES.set_index("duty_id"), WORKERS, {"A01": "A02"}, from_=BEGIN, version=2, new=["A05"]
    )
    assert moves.ended == ("d1", "d2", "d5")
    begun = moves.begun.set_index("duty_id")
    # The head of A02 stays its head; the post of grid worker was free there.
    assert begun[["unit_code", "role", "worker_id", "rank"]].to_dict("index") == {
        "d1-v2": {"unit_code": "A02", "role": "grid_head", "worker_id": "wang", "rank": 2},
        "d2-v2": {"unit_code": "A02", "role": "grid_worker", "worker_id": "li", "rank": 1},
        "d5-v2": {"unit_code": "A02", "role": "police", "worker_id": "qian", "rank": 1},
    }
    assert (begun["valid_from"] == pd.Timestamp(BEGIN)).all()
    assert begun.loc["d5-v2", "valid_to"] == pd.Timestamp("2027-01-01", tz="UTC")
    assert moves.moved == {"d6": "A02"}
    assert moves.workers == {"li": "A02", "wang": "A02"}
    assert moves.vacant == ("A05",)


def test_who_serves_both_grids_already_is_not_appointed_twice() -> None:
    both = pd.concat(
        [DUTIES, DUTIES[DUTIES["duty_id"] == "d3"].assign(duty_id="d7", worker_id="wang", rank=2)]
    )
    moves = move_duties(both, WORKERS, {"A01": "A02"}, from_=BEGIN, version=2)
    assert "d1" in moves.ended
    assert "wang" not in set(moves.begun["worker_id"])


def test_no_duty_moves_where_no_grid_ends() -> None:
    moves = move_duties(DUTIES, WORKERS, {}, from_=BEGIN, version=2)
    assert (moves.ended, moves.moved, moves.workers) == ((), {}, {})
    assert moves.begun.empty


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="without a zone"):
        move_duties(DUTIES, WORKERS, {}, from_=BEGIN.replace(tzinfo=None), version=2)
