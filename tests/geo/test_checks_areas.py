"""Checks of polygons and of how tables hang together."""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.checks import (
    check_cover,
    check_fixes,
    check_grid_covers,
    check_households,
    check_log,
    check_nesting,
    check_parents,
    check_polygons,
    check_versions,
    check_workers,
    check_workspace,
    city_cover,
    grids_in_force,
)

AT = datetime(2026, 11, 21, tzinfo=UTC)
STEP = 0.001  # degrees: about 96 m by 111 m
WEST, SOUTH = 111.3, 30.7


def square(column: float, row: float, width: float = 1, height: float = 1) -> shapely.Geometry:
    """A box in steps of 0.001 degrees from the south-west corner of the small city."""
    xs = [round(WEST + STEP * (column + k * width), 7) for k in (0, 1)]
    ys = [round(SOUTH + STEP * (row + k * height), 7) for k in (0, 1)]
    return shapely.box(xs[0], ys[0], xs[1], ys[1])


def grids_of(shapes: dict[str, shapely.Geometry | None], **columns: object) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {
            "name": pd.Series(dtype="str"),
            "kind": "base",
            "community_code": "420502001001",
            "households": 300,
            "population": 900,
            "version": 1,
            "valid_from": pd.Timestamp("2026-01-01", tz="UTC"),
            "valid_to": pd.NaT,
        },
        geometry=list(shapes.values()),
        index=pd.Index(list(shapes), name="grid_id", dtype="str"),
        crs="EPSG:4326",
    )
    frame = frame.astype({"households": "Int64", "population": "Int64", "version": "Int64"})
    frame["valid_to"] = pd.to_datetime(frame["valid_to"], utc=True)
    return frame.assign(**columns)


@pytest.fixture
def grids():
    """C D
    A B     one community of four grids"""
    return grids_of({"A": square(0, 0), "B": square(1, 0), "C": square(0, 1), "D": square(1, 1)})


@pytest.fixture
def divisions():
    """A city, a district, a street, and the community that holds the four grids."""
    rows = [
        ("420500000000", "city", "宜昌市", None),
        ("420502000000", "district", "西陵区", "420500000000"),
        ("420502001000", "street", "西陵街道", "420502000000"),
        ("420502001001", "community", "港务社区", "420502001000"),
    ]
    frame = pd.DataFrame(rows, columns=["code", "level", "name", "parent_code"]).astype("str")
    whole = square(0, 0, 2, 2)
    return gpd.GeoDataFrame(frame, geometry=[whole] * 4, crs="EPSG:4326").set_index("code")


def found_as(problems) -> list[tuple[str, str]]:
    return sorted(zip(problems["id"], problems["reason"], strict=True))


def test_a_sound_city_has_no_problem(grids, divisions):
    tables = {"grids": grids, "divisions": divisions}
    assert check_workspace(tables, at=AT).empty
    assert check_workspace({}, at=AT).empty


def test_polygons_that_are_none_are_reported_with_why():
    bowtie = shapely.Polygon([(111, 30), (112, 31), (112, 30), (111, 31)])
    frame = grids_of({"A": bowtie, "B": None, "C": shapely.Point(111, 30), "D": shapely.Polygon()})
    found = check_polygons(frame, table="grids")
    assert found_as(found) == [
        ("A", "invalid_polygon"),
        ("B", "no_polygon"),
        ("C", "no_polygon"),
        ("D", "no_polygon"),
    ]
    assert "Self-intersection" in found.set_index("id")["detail"]["A"]
    assert found_as(check_polygons(frame, table="divisions", needed=False)) == [
        ("A", "invalid_polygon"),
        ("C", "no_polygon"),
    ]


def test_an_overlap_is_an_error_and_a_lake_a_warning():
    ring = square(0, 0, 3, 3) - square(1, 1)
    found = check_cover(grids_of({"A": ring, "B": square(2.5, 0, 2, 3)}), table="grids")
    by_reason = found.set_index("reason")
    assert set(found["reason"]) == {"overlap", "gap"}
    assert by_reason.loc["overlap", ["id", "severity"]].tolist() == ["A, B", "error"]
    assert by_reason.loc["gap", ["id", "severity"]].tolist() == ["A", "warning"]
    assert by_reason.geometry["gap"].centroid.distance(square(1, 1).centroid) < 1e-9
    lake_m2 = float(by_reason["detail"]["gap"].split(" m2")[0].replace(",", ""))
    assert lake_m2 == pytest.approx(95.7 * 110.9, rel=0.01)


def test_blocks_leave_the_streets_open():
    ring = square(0, 0, 3, 3) - square(1, 1)
    assert check_cover(grids_of({"A": ring}), table="blocks", gaps=False).empty


def test_a_hair_between_two_grids_is_an_unmatched_border_for_both():
    east = shapely.transform(square(1, 0), lambda p: p + np.array([2e-11, 0]))
    found = check_cover(grids_of({"A": square(0, 0), "B": east}), table="grids")
    assert found_as(found) == [("A", "unmatched_border"), ("B", "unmatched_border")]


def test_duty_grids_may_lie_over_base_grids_but_not_over_each_other(grids):
    duty = grids_of({"X": square(0, 0, 2, 2), "Y": square(1.5, 0, 2, 2)}, kind="duty")
    both = pd.concat([grids, duty])
    assert found_as(check_grid_covers(both)) == [("X, Y", "overlap")]


@pytest.mark.parametrize(
    ("households", "kind", "reason"),
    [
        (199, "base", "households_few"),
        (200, "base", None),
        (500, "base", None),
        (501, "base", "households_many"),
        (9, "dedicated", None),
        (pd.NA, "base", None),
    ],
)
def test_households_outside_the_band_are_warned_of_in_base_grids(households, kind, reason):
    frame = grids_of({"A": square(0, 0)}, kind=kind)
    frame["households"] = pd.array([households], dtype="Int64")
    assert check_households(frame)["reason"].tolist() == ([reason] if reason else [])
    assert check_households(frame.drop(columns="households")).empty


def test_a_grid_that_reaches_out_and_a_community_that_is_bare_are_measured(grids, divisions):
    grids.loc["B", "geometry"] = square(1, 0, 1.1, 1)
    grids = grids.drop("C")
    found = check_nesting(grids, divisions).set_index("reason")
    assert found.loc["outside_community", "id"] == "B"
    assert found.loc["outside_community", "detail"].startswith("9.1%")
    assert found.loc["community_uncovered", ["table", "id"]].tolist() == [
        "divisions",
        "420502001001",
    ]
    assert found.loc["community_uncovered", "detail"].startswith("25.0%")
    assert found.geometry["community_uncovered"].centroid.distance(square(0, 1).centroid) < 1e-7


def test_a_grid_must_name_a_community_that_is_there(grids, divisions):
    grids["community_code"] = pd.Series(
        [None, "999999999999", *["420502001001"] * 2], index=grids.index
    )
    found = check_nesting(grids, divisions, covered=False)
    assert found_as(found) == [("A", "no_community"), ("B", "unknown_community")]


def test_grids_of_a_city_without_communities_need_none(grids, divisions):
    grids["community_code"] = pd.Series([None] * 4, index=grids.index, dtype="str")
    assert len(check_nesting(grids, divisions)) == 4
    assert check_nesting(grids, divisions[divisions["level"] != "community"]).empty


def test_communities_without_a_polygon_are_not_measured(grids, divisions):
    bare = divisions.assign(geometry=gpd.GeoSeries([None] * 4, index=divisions.index, crs=4326))
    assert check_nesting(grids, bare.set_geometry("geometry")).empty


def test_the_tree_of_divisions_is_checked_for_what_breaks_it(divisions):
    table = pd.DataFrame(divisions.drop(columns="geometry"))
    table.loc["orphan"] = ["community", "a", "missing"]
    table.loc["rootless"] = ["community", "b", None]
    table.loc["upside"] = ["district", "c", "420502001000"]
    table.loc["one"] = ["street", "d", "two"]
    table.loc["two"] = ["district", "e", "one"]
    table.loc["420502001002"] = ["community", "f", "420502000000"]
    found = check_parents(table)
    assert found_as(found) == [
        ("420502001002", "code_disagrees"),
        ("one", "parent_circle"),
        ("orphan", "unknown_parent"),
        ("rootless", "no_parent"),
        ("two", "parent_circle"),
        ("upside", "wrong_level"),
    ]


def test_a_code_that_names_another_level_than_the_row_is_reported(divisions):
    divisions.loc["420502001001", "level"] = "street"
    divisions.loc["420502001000", "level"] = "district"
    divisions.loc["420502000000", "level"] = "city"
    divisions.loc["420500000000", "level"] = "province"
    assert set(check_parents(divisions)["reason"]) == {"code_disagrees"}


def stamps(*days: str | None) -> pd.Series:
    return pd.to_datetime(pd.Series(days, dtype="str"), utc=True)


@pytest.mark.parametrize(
    ("versions", "starts", "ends", "words"),
    [
        ([1, 2], ["2026-01-01", "2026-06-01"], ["2026-06-01", None], None),
        ([1, 2], ["2026-01-01", "2026-06-01"], ["2026-05-01", None], None),
        ([1, 2], ["2026-01-01", "2026-06-01"], [None, None], "is still open"),
        ([1, 2], ["2026-01-01", "2026-06-01"], ["2026-07-01", None], "ends after the next"),
        ([1, 1], ["2026-01-01", "2026-06-01"], ["2026-06-01", None], "same version number"),
        ([1], ["2026-01-01"], ["2025-01-01"], "ends before it begins"),
    ],
)
def test_versions_of_a_grid_follow_one_another(versions, starts, ends, words):
    frame = pd.DataFrame(
        {
            "grid_id": ["A"] * len(versions),
            "version": pd.array(versions, dtype="Int64"),
            "valid_from": stamps(*starts),
            "valid_to": stamps(*ends),
        }
    )
    found = check_versions(frame)
    assert len(found) == (words is not None)
    if words:
        assert words in found["detail"][0]


def test_a_version_that_begins_where_the_last_ends_is_the_one_in_force(grids):
    old = grids.assign(valid_to=pd.Timestamp("2026-06-01", tz="UTC"))
    new = grids.iloc[:1].assign(version=2, valid_from=pd.Timestamp("2026-06-01", tz="UTC"))
    both = pd.concat([old, new])
    assert len(grids_in_force(both, datetime(2026, 5, 31, tzinfo=UTC))) == 4
    assert len(grids_in_force(both, datetime(2026, 6, 1, tzinfo=UTC))) == 1
    assert len(city_cover({"grids": both}, at=datetime(2026, 5, 1, tzinfo=UTC))) == 4
    assert city_cover({}, at=AT) is None


def workers_of(**units: str | None) -> pd.DataFrame:
    return pd.DataFrame(
        {"name": list(units), "role": "grid_worker", "unit_code": list(units.values())},
        index=pd.Index(list(units), name="worker_id"),
    )


def test_workers_belong_to_units_that_are_there_and_grids_have_workers(grids, divisions):
    workers = workers_of(w1="A", w2="B", w3="C", w4="420502001001", w5="gone", w6=None)
    found = check_workers(workers, grids, divisions)
    assert found_as(found) == [("D", "no_worker"), ("w5", "unknown_unit")]


def test_a_list_of_workers_of_communities_says_nothing_about_grids(grids, divisions):
    assert check_workers(workers_of(w1="420502001001"), grids, divisions).empty


def test_fixes_of_nobody_are_counted_once_a_person():
    fixes = pd.DataFrame(
        {
            "worker_id": ["w1", "ghost", "ghost"],
            "lon": [111.3, 111.3, 300.0],
            "lat": [30.7, 30.7, 0.0],
        }
    )
    found = check_fixes(fixes, workers_of(w1=None))
    assert found_as(found) == [("ghost", "out_of_range"), ("ghost", "unknown_worker")]
    assert found.set_index("reason")["detail"]["unknown_worker"] == "2 fixes"


def test_moves_of_an_incident_are_numbered_forward_in_time_and_end_in_its_stage():
    incidents = pd.DataFrame(
        {"stage": ["opened", "closed", "opened", "opened"]},
        index=pd.Index(["fine", "differs", "back", "hole"], name="incident_id"),
    )
    log = pd.DataFrame(
        [
            ("fine", 1, "2026-11-01", "collected"),
            ("fine", 2, "2026-11-02", "opened"),
            ("differs", 1, "2026-11-01", "opened"),
            ("back", 1, "2026-11-02", "collected"),
            ("back", 2, "2026-11-01", "opened"),
            ("hole", 2, "2026-11-01", "opened"),
        ],
        columns=["incident_id", "seq", "at", "stage"],
    )
    log["at"] = pd.to_datetime(log["at"], utc=True)
    assert found_as(check_log(incidents, log)) == [
        ("back", "log_order"),
        ("differs", "log_disagrees"),
        ("hole", "log_order"),
    ]


def test_a_workspace_is_checked_across_its_tables(grids, divisions):
    point = shapely.Point(WEST + 0.0005, SOUTH + 0.0005)
    assets = gpd.GeoDataFrame(
        {"class_code": ["0118", "0118", "7777"], "name": ["a", "b\u200b", "c"], "state": "intact"},
        geometry=[point, shapely.Point(111.0, 30.5), point],
        index=pd.Index(["1", "2", "3"], name="asset_id"),
        crs="EPSG:4326",
    )
    incidents = gpd.GeoDataFrame(
        {
            "class_code": [None, "E0102"],
            "reported_at": pd.to_datetime(["2026-11-22", "2026-11-20"], utc=True),
            "stage": ["opened", "opened"],
        },
        geometry=[None, point],
        index=pd.Index(["x", "y"], name="incident_id"),
        crs="EPSG:4326",
    )
    tables = {
        "grids": grids.drop("D"),
        "divisions": divisions,
        "assets": assets,
        "incidents": incidents,
        "workers": workers_of(w1="A", w2="B"),
    }
    found = check_workspace(tables, at=AT, band=(301, 500))
    assert found_as(found) == [
        ("2", "invisible_characters"),
        ("2", "outside_city"),
        ("3", "unknown_class"),
        ("420502001001", "community_uncovered"),
        ("A", "households_few"),
        ("B", "households_few"),
        ("C", "households_few"),
        ("C", "no_worker"),
        ("x", "future_time"),
    ]
