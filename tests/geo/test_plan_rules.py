"""The gate of plans: each rule is broken once, and says where.

A row of ten grids of one block each, 100 m wide, in one community; 350 households a grid:

    G01 G02 G03 … G10
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.errors import InputError
from geo.plan import GridRow, Plan, Swap, read_plan
from geo.plan_rules import BAND, RULES, Circumstances, Finding, check_plan
from geo.publish import publish
from geo.redraw import cut, lock, merge, move_vertices, paint, rename, split

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SOON = datetime(2026, 12, 1, tzinfo=UTC)
LAST = datetime(2026, 1, 1, tzinfo=UTC)
PAST = datetime(2026, 6, 1, tzinfo=UTC)
CALM = Circumstances(at=NOW, from_day=SOON, newest=LAST, publishing=True)


@pytest.fixture
def row() -> Plan:
    """Each grid has two blocks, one above the other: 250 and 100 households."""
    records = [
        {
            "block_id": f"{column:02d}{'ab'[floor]}",
            "grid_id": f"G{column:02d}",
            "community_code": "A",
            "households": (250, 100)[floor],
            "population": 0,
            "geometry": shapely.box(
                column * 100, floor * 100, column * 100 + 100, floor * 100 + 100
            ),
        }
        for column in range(1, 11)
        for floor in range(2)
    ]
    return read_plan(gpd.GeoDataFrame(records, crs="EPSG:4547").set_index("block_id"))


def told(first: Plan, plan: Plan, around: Circumstances = CALM) -> list[Finding]:
    publication = publish(first, plan, taken=first.grid_rows)
    verdict = check_plan(first, plan, around, publication=publication, taken=set(first.grid_rows))
    assert all(RULES[f.rule] == f.severity for f in verdict.findings)
    assert verdict.passed == (not verdict.errors)
    assert [*verdict.errors, *verdict.warnings] == list(verdict.findings)
    return list(verdict.findings)


def rules(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.rule, f.grid) for f in findings]


def test_a_sound_change_passes_without_a_word(row: Plan) -> None:
    findings = told(row, paint(row, ["02b"], "G01"))
    assert rules(findings) == [("band_low", "G02")]
    assert findings[0].figures == {"households": 250, "low": 300, "high": 500, "was": 350}
    assert findings[0].place is not None
    assert findings[0].place.equals(row.ground.polygon(row.block_rows["02a"]))
    assert rules(told(row, rename(row, "G01", "一"))) == []
    assert BAND == (300, 500)


def test_a_plan_that_changes_nothing_is_no_plan(row: Plan) -> None:
    assert rules(told(row, row)) == [("nothing_changed", "")]


def test_what_stands_in_the_way_beside_the_plan_is_told(row: Plan) -> None:
    around = replace(CALM, conflicts=2, comments=3, outdated=True, full="A")
    findings = told(row, rename(row, "G01", "一"), around)
    assert [(f.rule, f.figures) for f in findings] == [
        ("base_outdated", {}),
        ("conflicts_open", {"n": 2}),
        ("codes_full", {"community": "A"}),
        ("comments_open", {"n": 3}),
    ]


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        (Circumstances(at=NOW, publishing=True), ["from_missing"]),
        (Circumstances(at=NOW), []),
        (Circumstances(at=NOW, newest=SOON, from_day=SOON), ["from_early"]),
        (Circumstances(at=NOW, newest=LAST, from_day=PAST), ["from_past"]),
        (CALM, []),
    ],
    ids=["none at publication", "none at submission", "the newest's own", "past", "ahead"],
)  # fmt: skip
def test_from_when(row: Plan, around: Circumstances, expected: list[str]) -> None:
    assert [f.rule for f in told(row, rename(row, "G01", "一"), around)] == expected


def test_blocks_that_overlap_are_found_by_their_shapes(row: Plan) -> None:
    moved = row.ground.xy.copy()
    at = {tuple(xy): v for v, xy in enumerate(moved.tolist())}
    moved[at[200.0, 100.0]] = [450.0, 150.0]
    broken = replace(row, ground=replace(row.ground, xy=moved))
    verdict = check_plan(row, broken, CALM)
    findings = [f for f in verdict.errors if f.rule == "cover_overlap"]
    assert "G02" in {f.grid for f in findings}
    assert all(f.place is not None and not f.place.is_empty for f in findings)


def test_ground_that_gets_lost_is_found_by_its_area(row: Plan) -> None:
    moved = row.ground.xy.copy()
    at = {tuple(xy): v for v, xy in enumerate(moved.tolist())}
    moved[at[100.0, 0.0]] = [110.0, 0.0]
    broken = replace(row, ground=replace(row.ground, xy=moved))
    found = [f for f in told(row, broken) if f.rule == "cover_lost"]
    assert [(f.figures["community"], f.figures["area_m2"]) for f in found] == [("A", -500.0)]


def test_households_that_get_lost_are_found_block_by_block(row: Plan) -> None:
    parts = cut(row, "03a", shapely.LineString([(250, 40), (450, 40)]))
    households = parts.blocks.households.copy()
    households[-1] -= 7
    broken = replace(parts, blocks=replace(parts.blocks, households=households))
    found = [f for f in told(row, broken) if f.rule == "households_lost"]
    assert [(f.grid, f.figures["block"], f.figures["has"]) for f in found] == [("G03", "03a", 243)]


def test_a_grid_in_pieces_is_found_with_the_smaller_piece(row: Plan) -> None:
    label = row.label.copy()
    label[row.block_rows["05b"]] = row.grid_rows["G01"]
    found = [f for f in told(row, replace(row, label=label)) if f.rule == "in_pieces"]
    assert [(f.grid, f.figures["pieces"]) for f in found] == [("G01", 2)]
    assert found[0].place is not None
    assert found[0].place.equals(row.ground.polygon(row.block_rows["05b"]))


def test_a_grid_in_two_communities_is_found(row: Plan) -> None:
    community = row.ground.community.copy()
    community[row.block_rows["04b"]] = 1
    broken = replace(row, communities=("A", "B"), ground=replace(row.ground, community=community))
    findings = [f for f in told(broken, broken) if f.rule == "two_communities"]
    assert [(f.grid, f.figures["blocks"]) for f in findings] == [("G04", 1)]


def test_ground_without_a_grid_may_not_be_left(row: Plan) -> None:
    around = replace(CALM, rest=["G07"])
    findings = told(row, rename(row, "G01", "一"), around)
    assert rules(findings) == [("rest_grid", "G07")]
    assert findings[0].figures == {"blocks": 2, "households": 350}


def test_two_grids_of_a_community_do_not_bear_one_name(row: Plan) -> None:
    named = rename(rename(row, "G01", "桃花"), "G09", "桃花")
    assert rules(told(row, named)) == [("name_twice", "G01"), ("name_twice", "G09")]
    # Who finds it so is not held to it.
    begun = read_plan(named.blocks_frame(), named.table())
    assert rules(told(begun, rename(begun, "G02", "李"))) == []


def test_codes_that_are_in_use_or_given_twice_are_found(row: Plan) -> None:
    plan = split(row, "G01", shapely.LineString([(90, 100), (210, 100)]))
    publication = publish(row, plan, taken=row.grid_rows)
    assert publication.codes["G01-2"] == "G11"
    used = check_plan(row, plan, CALM, publication=publication, taken={*row.grid_rows, "G11"})
    assert ("code_used", "G01-2") in rules(list(used.findings))
    twice = replace(publication, codes=publication.codes.replace("G11", "G10"))
    found = check_plan(row, plan, CALM, publication=twice, taken=row.grid_rows)
    assert rules(list(found.errors)) == [("code_twice", "G01-2"), ("code_twice", "G10")]


def test_a_locked_grid_has_what_it_had_when_it_was_locked(row: Plan) -> None:
    plan = lock(paint(row, ["02b"], "G01"), ["G01"])
    assert [f.rule for f in told(row, plan)] == ["band_low"]
    rows = np.array([plan.block_rows["02b"]])
    swap = Swap(blocks=rows, label=np.array([plan.grid_rows["G02"]]))
    broken = plan.changed({"do": "assign", "blocks": {"02b": "G02"}}, swap)
    found = [f for f in told(row, broken) if f.rule == "locked_changed"]
    assert [(f.grid, f.figures["blocks"]) for f in found] == [("G01", 1)]
    assert "locked_changed" not in [f.rule for f in told(row, lock(broken, ["G01"], on=False))]


def test_the_band_warns_and_dedicated_grids_are_exempt(row: Plan) -> None:
    both = merge(row, ["G04", "G05"])
    assert rules(told(row, both)) == [("band_high", "G04")]
    kept = row.grid_rows["G04"]
    grids = list(both.grids)
    grids[kept] = GridRow("G04", "工业园", "dedicated", 0)
    assert rules(told(row, replace(both, grids=tuple(grids)))) == []
    assert rules(told(row, both, replace(CALM, band=(300, 800)))) == []


def test_a_grid_that_was_drawn_ragged_is_told_and_one_that_was_so_is_not(row: Plan) -> None:
    at = {tuple(xy): v for v, xy in enumerate(row.ground.xy.tolist())}
    inner = [at[300.0, 100.0]]
    plan = move_vertices(row, inner, np.array([[208.0, 100.0]]))
    findings = told(row, plan)
    assert rules(findings) == [("not_compact", "G02")]
    assert findings[0].figures["compactness"] < findings[0].figures["limit"]
    again = read_plan(plan.blocks_frame(), plan.table())
    assert rules(told(again, rename(again, "G02", "二"))) == []


def test_new_grids_without_a_worker_are_told(row: Plan) -> None:
    plan = split(row, "G01", shapely.LineString([(90, 100), (210, 100)]))
    around = replace(CALM, vacant=["G11"], band=(0, 999))
    assert [(f.rule, f.grid) for f in told(row, plan, around)] == [("nobody_appointed", "G01-2")]


def test_a_band_the_wrong_way_round_and_a_moment_without_a_zone_are_refused(row: Plan) -> None:
    with pytest.raises(InputError, match="the band is 500 to 300"):
        check_plan(row, row, Circumstances(band=(500, 300)))
    with pytest.raises(InputError, match="without a zone"):
        check_plan(row, row, Circumstances(at=NOW.replace(tzinfo=None)))
