"""What a plan changes, worked out by hand on a drawn town.

community A, blocks of 100 m, households in the middle, the grid below:

  +-----+-----+-----+-----+
  |  10 |  20 |  30 |  40 |   west street (main) runs along x = 200 between b2 and b3,
  | b1  | b2  | b3  | b4  |   the lane (minor) along y = 50 through all blocks
  | W   | W   | E   | E   |
  +-----+-----+-----+-----+
"""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import ColumnError, CrsError, InputError
from geo.impact import (
    SUMS,
    BlockFacts,
    Impact,
    Things,
    compare_plans,
    count_classes,
    count_facts,
    find_compounds,
    find_handover,
    find_moved_things,
    measure_grids,
    read_weights,
    regroup,
    sum_up,
)
from geo.plan import Plan, read_plan
from geo.redraw import cut, merge, move_vertices, paint, rename, split

CRS = "EPSG:4547"
WORKERS = pd.Series({"W": "wang", "E": "li"})


def plan_of(grids: str = "WWEE") -> Plan:
    frame = gpd.GeoDataFrame(
        {
            "grid_id": list(grids),
            "community_code": "A",
            "households": [10, 20, 30, 40],
            "population": [25, 50, 75, 100],
        },
        geometry=[shapely.box(100 * k, 0, 100 * k + 100, 100) for k in range(4)],
        index=pd.Index([f"b{k + 1}" for k in range(4)], name="block_id"),
        crs=CRS,
    )
    known = pd.DataFrame({"name": ["西格", "东格"], "kind": "base"}, index=["W", "E"])
    return read_plan(frame, known)


def points(xy: list[tuple[float, float]], ids: list[str], **columns: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        columns, index=pd.Index(ids), geometry=[shapely.Point(p) for p in xy], crs=CRS
    )


def things(**other: object) -> Things:
    roads = gpd.GeoDataFrame(
        {"road_class": ["main", "minor", "rail"]},
        geometry=[
            shapely.LineString([(200, 0), (200, 100)]),
            shapely.LineString([(0, 50), (400, 50)]),
            shapely.LineString([(0, 20), (400, 20)]),
        ],
        crs=CRS,
    )
    known = {
        "roads": roads,
        "incidents": gpd.GeoSeries(shapely.points([[110, 10], [150, 70], [250, 10]]), crs=CRS),
        "assets": points(
            [(150, 10), (250, 10), (350, 10), (999, 999)],
            ["lamp1", "lamp2", "bin", "far"],
            class_code=["0118", "0118", "0305", "0118"],
            name=["路灯", "路灯", "垃圾箱", "远"],
        ),
        "cases": points([(120, 20), (320, 20)], ["c1", "c2"], class_code=["E0102", "E0102"]),
        "places": points([(130, 30)], ["school"], kind=["school"], name=["第一小学"]),
        "views": gpd.GeoSeries([shapely.box(100, 0, 150, 100)], crs=CRS),
        "compounds": pd.Series({"b2": "华府", "b3": "华府", "b4": "水岸"}),
    }
    return Things(**(known | other))


@pytest.fixture(scope="module")
def facts() -> BlockFacts:
    return count_facts(plan_of(), things())


def row(impact: Impact, grid: str) -> pd.Series:
    table = impact.grids
    return table[(table["grid_id"] == grid) | (table["was"] == grid)].iloc[0]


def test_each_block_has_what_lies_in_it(facts: BlockFacts) -> None:
    table = pd.DataFrame(facts.counts.table, columns=[
        "households", "population", "area_m2", "street_m", "patrol_m", "incidents", "assets",
        "dots", "seen",
    ], index=list(facts.first.blocks.ids))  # fmt: skip
    # The lane counts 100 m in each; the main street lies on the border and counts east of it.
    assert table["street_m"].tolist() == [100, 100, 200, 100]
    # Patrol: the lane once (its sides are halves of 50 + 50), the main street on each of its sides.
    assert table["patrol_m"].tolist() == [100, 200, 200, 100]
    assert table["area_m2"].tolist() == [10_000] * 4
    assert table["incidents"].tolist() == [0, 2, 1, 0]
    assert table["assets"].tolist() == [0, 1, 1, 1]
    assert table["dots"].tolist() == [1000] * 4
    assert table["seen"].tolist() == [0, 500, 0, 0]


def test_grids_are_measured_against_the_band(facts: BlockFacts) -> None:
    table = measure_grids(facts.first, facts.counts, band=(35, 60))
    assert table.loc["W", ["households", "off_band", "band"]].tolist() == [30, -5, "low"]
    assert table.loc["E", ["households", "off_band", "band"]].tolist() == [70, 10, "high"]
    assert table["seen_share"].to_dict() == {"E": 0, "W": 0.25}
    assert table["compactness"].tolist() == pytest.approx([4 * np.pi * 20_000 / 600**2] * 2)
    told = sum_up(table)
    assert (told["grids"], told["in_band"], told["low"], told["high"]) == (2, 0, 1, 1)
    assert (told["off_band"], told["mean"], told["spread"]) == (15, 50, 20)


def test_a_grid_that_is_not_of_households_has_no_band() -> None:
    frame = plan_of().blocks_frame()
    kinds = pd.DataFrame({"kind": ["dedicated", "base"]}, index=["W", "E"])
    first = read_plan(frame, kinds)
    table = measure_grids(first, count_facts(first, things()).counts, band=(35, 60))
    assert table["band"].to_dict() == {"E": "high", "W": "none"}
    assert np.isnan(table.loc["W", "off_band"])


def test_the_workload_of_an_average_grid_is_100(facts: BlockFacts) -> None:
    impact = compare_plans(facts, facts.first, weights={"households": 1, "assets": 3})
    # W has 30 of 100 households and 1 of 3 assets: 0.25 * 60 + 0.75 * 66.7
    assert impact.now.loc["W", "workload"] == pytest.approx(0.25 * 60 + 0.75 * 200 / 3)
    assert impact.now["workload"].mean() == pytest.approx(100)


def test_the_same_plan_changes_nothing(facts: BlockFacts) -> None:
    impact = compare_plans(facts, facts.first)
    assert impact.is_nothing
    assert (impact.totals() == 0).all()
    who = find_handover(impact, WORKERS)
    assert len(who.flows) == len(who.workers) == 0
    assert (who.changed, who.kept_share) == (0, 1.0)
    assert not len(find_moved_things(impact, "assets"))
    assert not len(find_compounds(impact))


def test_a_painted_block_takes_all_it_has_along(facts: BlockFacts) -> None:
    impact = compare_plans(facts, paint(facts.first, ["b2"], "E"), band=(35, 60))
    west, east = row(impact, "W"), row(impact, "E")
    assert (west["households_before"], west["households"], west["households_change"]) == (
        30, 10, -20,
    )  # fmt: skip
    assert (east["households_change"], east["incidents_change"], east["assets_change"]) == (
        20,
        2,
        1,
    )
    assert (east["street_m_change"], east["patrol_m_change"]) == (100, 200)
    assert (west["left"], west["came"], east["left"], east["came"]) == (20, 0, 0, 20)
    assert (west["status"], east["status"]) == ("changed", "changed")
    assert (impact.totals() == 0).all()
    assert impact.blocks.loc["b2", ["from_grid", "to_grid", "households"]].tolist() == [
        "W", "E", 20,
    ]  # fmt: skip


def test_who_is_affected_is_named(facts: BlockFacts) -> None:
    impact = compare_plans(facts, paint(facts.first, ["b2"], "E"))
    who = find_handover(impact, WORKERS)
    assert who.flows.iloc[0][["from_worker", "to_worker", "households", "assets"]].tolist() == [
        "wang", "li", 20, 1,
    ]  # fmt: skip
    assert (who.households, who.changed, who.kept_share) == (100, 20, 0.8)
    assert who.workers["households_change"].to_dict() == {"li": 20, "wang": -20}
    assert (who.workers[[f"{name}_change" for name in ("assets", "patrol_m")]].sum() == 0).all()
    moved = find_moved_things(impact, "assets")
    assert moved["to_grid"].to_dict() == {"lamp1": "E"}
    assert find_moved_things(impact, "cases").index.tolist() == ["c1"]
    school = find_moved_things(impact, "places").loc["school"]
    assert school[["name", "change", "to_name"]].tolist() == ["第一小学", "moved", "东格"]


def test_one_worker_of_two_grids_keeps_the_households_between_them(facts: BlockFacts) -> None:
    impact = compare_plans(facts, paint(facts.first, ["b2"], "E"))
    who = find_handover(impact, pd.Series({"W": "wang", "E": "wang"}))
    assert (who.changed, len(who.workers)) == (0, 0)


def test_who_had_nobody_is_counted_as_unknown(facts: BlockFacts) -> None:
    impact = compare_plans(facts, paint(facts.first, ["b2"], "E"))
    who = find_handover(impact, pd.Series({"E": "li"}))
    assert (who.changed, who.unknown) == (0, 20)
    assert who.workers.index.tolist() == ["li", ""]
    assert who.workers["households_change"].sum() == 0


def test_a_new_grid_has_nobody_yet(facts: BlockFacts) -> None:
    line = shapely.LineString([(300, -10), (300, 110)])
    impact = compare_plans(facts, split(facts.first, "E", line))
    status = impact.grids.set_index("grid_id")["status"].to_dict()
    assert status == {"E": "changed", "W": "same", "E-2": "new"}
    who = find_handover(impact, WORKERS)
    # b4 has the more households and keeps the id; b3 with 30 is new.
    assert (who.changed, who.flows.iloc[0]["to_worker"] is np.nan) == (30, True)
    assert who.workers["households_change"].to_dict() == {"li": -30, "": 30}
    assert (impact.totals() == 0).all()


def test_a_grid_that_is_merged_away_ends(facts: BlockFacts) -> None:
    impact = compare_plans(facts, merge(facts.first, ["W", "E"]))
    ended = impact.grids[impact.grids["status"] == "ended"].iloc[0]
    assert (ended["was"], ended["households"], ended["households_change"]) == ("W", 0, -30)
    assert pd.isna(ended["grid_id"])
    assert pd.isna(ended["compactness"])
    assert (impact.totals() == 0).all()


def test_a_grid_is_the_one_with_which_it_shares_most_households(facts: BlockFacts) -> None:
    # E keeps its id and gets b1, b2 and b3; W has b4 alone with 40 of E's 70 households.
    after = regroup(facts.first, pd.Series({"b1": "E", "b2": "E", "b3": "E", "b4": "W"}))
    impact = compare_plans(facts, after)
    assert row(impact, "E")["was"] == "W"
    assert impact.grids.set_index("grid_id")["was"].to_dict() == {"E": "W", "W": "E"}


def test_compounds_are_cut_moved_or_joined(facts: BlockFacts) -> None:
    joined = find_compounds(compare_plans(facts, paint(facts.first, ["b2"], "E")))
    assert joined[["compound", "change", "moved"]].values.tolist() == [["华府", "joined", 20]]
    moved = find_compounds(compare_plans(facts, regroup(facts.first, pd.Series(
        {"b1": "W", "b2": "W", "b3": "W", "b4": "E"}))))  # fmt: skip
    assert moved["change"].tolist() == ["joined"]
    start = regroup(facts.first, pd.Series({"b1": "W", "b2": "E", "b3": "E", "b4": "E"}))
    apart = find_compounds(compare_plans(facts, facts.first, before=start))
    assert apart[["change", "grids_before", "grids"]].values.tolist() == [["cut", 1, 2]]


def test_classes_of_assets_add_up_to_the_assets(facts: BlockFacts) -> None:
    impact = compare_plans(facts, paint(facts.first, ["b2"], "E"))
    now = count_classes(impact)
    assert now.loc["E"].to_dict() == {"0118": 2, "0305": 1}
    assert (now.sum(axis=1) == impact.now["assets"]).all()
    assert count_classes(impact, before=True).loc["W"].to_dict() == {"0118": 1, "0305": 0}


def test_a_border_that_moves_counts_again_what_it_passed(facts: BlockFacts) -> None:
    first = facts.first
    corner = [int(np.flatnonzero((first.ground.xy == (200.0, y)).all(axis=1))[0]) for y in (0, 100)]
    # The ends of the border lie on the border of the community, so one of its own is put in.
    from geo.redraw import insert_vertex

    bent = insert_vertex(first, corner[0], corner[1], (160.0, 50.0))
    impact = compare_plans(facts, bent)
    west = row(impact, "W")
    assert west["area_m2_change"] == -2000.0  # the triangle (200, 0) (160, 50) (200, 100)
    assert west["households_change"] == 0  # a block keeps its people; only a cut shares them
    assert west["street_m_change"] == pytest.approx(-40, abs=0.01)  # of the lane
    assert (impact.totals() == 0).all()
    assert impact.grids["status"].tolist() == ["changed", "changed"]
    assert not len(impact.blocks)


def test_a_block_that_is_cut_takes_its_facts_again(facts: BlockFacts) -> None:
    line = shapely.LineString([(130, -10), (130, 110)])
    after = cut(facts.first, "b2", line)
    impact = compare_plans(facts, after)
    assert (impact.totals() == 0).all()
    shape = after.blocks_frame().geometry
    part = str(shape.index[shape.centroid.x.between(150, 200)][0])
    given = compare_plans(facts, paint(after, [part], "E"))
    moved = given.blocks.loc[part]
    assert (moved["origin"], moved["area_m2"]) == ("b2", 7000.0)
    assert (moved["households"], moved["incidents"], moved["assets"]) == (14, 1, 1)
    assert (given.totals() == 0).all()


def test_a_school_whose_block_is_cut_is_told_as_cut(facts: BlockFacts) -> None:
    line = shapely.LineString([(140, -10), (140, 110)])
    after = cut(facts.first, "b2", line)
    assert not len(find_moved_things(compare_plans(facts, after), "places"))
    shape = after.blocks_frame().geometry
    # Its point stays with the west part, which stays in W; the ground east of it goes to E.
    part = str(shape.index[shape.contains(shapely.Point(170, 50))][0])
    found = find_moved_things(compare_plans(facts, paint(after, [part], "E")), "places")
    school = found.loc["school"]
    assert school[["change", "from_grid", "to_grid"]].tolist() == ["cut", "W", "W"]
    assert set(school["to_name"].split(", ")) == {"西格", "东格"}


def test_a_name_alone_is_a_change_but_moves_nobody(facts: BlockFacts) -> None:
    impact = compare_plans(facts, rename(facts.first, "W", "西一格"))
    assert not len(impact.blocks)
    assert row(impact, "W")["name"] == "西一格"


def test_weights_are_read_from_text_and_refused_with_a_reason() -> None:
    assert read_weights("households=0.5, assets=2") == {"households": 0.5, "assets": 2.0}
    with pytest.raises(InputError, match="no figure birds"):
        read_weights("birds=1")
    with pytest.raises(InputError, match="weight of assets is 'many'"):
        read_weights("assets=many")
    with pytest.raises(InputError, match="all weights"):
        read_weights("assets=0")


def test_what_cannot_be_counted_is_refused() -> None:
    first = plan_of()
    with pytest.raises(ColumnError, match="road_class"):
        count_facts(first, things(roads=things().roads.drop(columns="road_class")))
    with pytest.raises(CrsError, match="incidents are in"):
        count_facts(first, things(incidents=things().incidents.to_crs("EPSG:4546")))
    facts = count_facts(first, things())
    with pytest.raises(InputError, match="band"):
        compare_plans(facts, first, band=(300, 200))
    with pytest.raises(InputError, match="b4 has no grid"):
        regroup(first, pd.Series({"b1": "W", "b2": "W", "b3": "W"}))


def test_no_camera_that_tells_its_view_is_no_share_and_not_zero() -> None:
    first = plan_of()
    facts = count_facts(first, things(views=None))
    assert measure_grids(first, facts.counts)["seen_share"].isna().all()


def test_an_empty_town_has_figures_of_zero() -> None:
    nothing = things()
    empty = Things(
        roads=nothing.roads[:0],
        incidents=nothing.incidents[:0],
        assets=nothing.assets[:0],
        cases=nothing.cases[:0],
        places=nothing.places[:0],
        views=None,
        compounds=nothing.compounds[:0],
    )
    facts = count_facts(plan_of(), empty)
    impact = compare_plans(facts, paint(facts.first, ["b2"], "E"))
    assert (impact.totals() == 0).all()
    assert impact.now["workload"].mean() == pytest.approx(100)  # of the households alone
    assert {name: 0.0 for name in SUMS if name in ("street_m", "incidents")} == {
        name: float(impact.now[name].sum()) for name in ("street_m", "incidents")
    }


def test_moving_a_corner_back_brings_the_same_figures_back() -> None:
    frame = plan_of().blocks_frame()
    top = frame.copy()
    top.geometry = top.geometry.translate(0, 100)
    top.index = [f"t{k}" for k in range(4)]
    first = read_plan(pd.concat([frame, top]))
    facts = count_facts(first, things())
    vertex = int(np.flatnonzero((first.ground.xy == (200.0, 100.0)).all(axis=1))[0])
    there = move_vertices(first, [vertex], np.array([[215.0, 90.0]]))
    back = move_vertices(there, [vertex], np.array([[200.0, 100.0]]))
    assert not np.array_equal(facts.of(there).table, facts.counts.table)
    assert np.array_equal(facts.of(back).table, facts.counts.table)
