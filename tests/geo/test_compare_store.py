"""Boundary versions of a workspace: a comparison names the one it stands on."""

from datetime import UTC, date, datetime

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.compare import compare, find_period, period_before
from geo.errors import CodeError, InputError
from geo.evaluate import EvaluationRules, evaluate, facts_of, find_repeats, moves_of
from geo.io.case_columns import case_columns, read_case_columns
from geo.io.compare import against_period, compare_city, read_boundary
from geo.io.rules import read_rules

FIRST, SECOND = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
AT = datetime(2026, 6, 20, 4, tzinfo=UTC)
LON, LAT, STEP = 111.30, 30.70, 0.001


def box(west, east):
    return shapely.MultiPolygon(
        [shapely.box(LON + west * STEP, LAT, LON + east * STEP, LAT + STEP)]
    )


def spot(x):
    return LON + x * STEP, LAT + STEP / 2


@pytest.fixture
def city(workspace):
    """Until 2026 one grid O; since then its west A (40 of 100 households) and its east B."""
    grids = gpd.GeoDataFrame(
        {
            "grid_id": ["O", "A", "B"],
            "kind": "base",
            "households": pd.array([100, 40, 60], "Int64"),
            "version": [1, 2, 2],
            "valid_from": pd.to_datetime([FIRST, SECOND, SECOND], utc=True),
            "valid_to": pd.to_datetime([SECOND, None, None], utc=True),
        },
        geometry=[box(0, 2), box(0, 1), box(1, 2)],
        crs="EPSG:4326",
    ).set_index("grid_id")
    rows = []
    for month, west, east in ((6, 20, 10), (5, 10, 20)):
        for place, many in ((0.5, west), (1.5, east)):
            days = [1 + k * 19 // many for k in range(many)]
            rows += [(datetime(2026, month, day, 2, tzinfo=UTC), *spot(place)) for day in days]
    cases = pd.DataFrame(rows, columns=["reported_at", "lon", "lat"]).assign(
        stage="closed", class_code="E0102"
    )
    cases["incident_id"] = [f"i{k}" for k in range(len(cases))]
    frame = gpd.GeoDataFrame(
        cases, geometry=gpd.points_from_xy(cases["lon"], cases["lat"]), crs="EPSG:4326"
    ).set_index("incident_id")
    with workspace.writing() as conn:
        workspace.append(conn, "grids", grids)
        workspace.append(conn, "incidents", frame)
    return workspace


def test_old_records_are_counted_on_whichever_version_is_named(city):
    cases, rules = read_case_columns(city), read_rules(city)

    def counts(boundary):
        found = compare_city(
            cases, boundary, rules, kind="month", against="last_period", level="grid", at=AT
        )
        assert found.total[["now", "then"]].tolist() == [30, 30]
        return found.table.loc[boundary.grids.index, ["now", "then"]].T.to_dict("list")

    now, old = read_boundary(city), read_boundary(city, version=1)
    assert counts(now) == {"A": [20, 10], "B": [10, 20]}
    assert counts(old) == {"O": [30, 30]}
    assert counts(read_boundary(city, at=datetime(2025, 3, 1, tzinfo=UTC))) == {"O": [30, 30]}
    assert (now.version, now.at) == (2, None)
    assert (old.version, old.at) == (1, FIRST)


def test_versions_classes_and_words_that_are_not_there_are_named(city):
    with pytest.raises(InputError, match="no grid has version 7"):
        read_boundary(city, version=7)
    with pytest.raises(InputError, match="at and version are both given"):
        read_boundary(city, version=1, at=AT)
    cases, rules, boundary = read_case_columns(city), read_rules(city), read_boundary(city)
    with pytest.raises(CodeError):
        compare_city(cases, boundary, rules, classes=("E9999",), level="grid", at=AT)
    none = compare_city(cases, boundary, rules, classes=("E0505",), level="grid", at=AT)
    assert none.total["now"] == 0
    assert "class_without_cases" in none.notes
    month = find_period("month", date(2026, 6, 1), zone=city.zone)
    with pytest.raises(InputError, match="against is 'mars': use last_year or last_period"):
        against_period(month, "mars")


def test_a_city_without_grids_or_cases_says_so_in_a_line(workspace):
    boundary = read_boundary(workspace)
    assert boundary.levels == ()
    cases = read_case_columns(workspace)
    assert len(cases) == 0
    month = find_period("month", date(2026, 6, 1), zone=workspace.zone)
    with pytest.raises(CodeError, match="there are none: import grids or divisions"):
        compare(cases, boundary, month, period_before(month))


def test_a_case_that_comes_back_near_a_closed_one_is_a_repeat(city):
    """b comes back 10 m and 5 days after a; c is another class, d 200 m away, e 40 days later."""
    crs, zone = city.metric_crs(), city.zone
    day = pd.Timestamp("2026-06-01", tz=zone)
    rows = {  # days after the first, metres east of it, class
        "a": (0, 0, "E0102"), "b": (5, 10, "E0102"), "c": (5, 10, "E0505"),
        "d": (5, 200, "E0102"), "e": (24, 0, "E0104"), "f": (-17, 0, "E0104"),
    }  # fmt: skip
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["days", "metres", "class_code"])
    frame["reported_at"] = day + pd.to_timedelta(frame["days"], unit="D")
    frame["closed_at"] = frame["reported_at"] + pd.Timedelta(hours=3)
    frame["stage"] = "closed"
    frame["lon"] = spot(0.5)[0] + frame["metres"] / 95_700
    frame["lat"] = spot(0.5)[1]
    cases = case_columns(frame.rename_axis("incident_id"))
    none = pd.DataFrame({name: [] for name in ("incident_id", "seq", "at", "stage", "move")})
    facts = facts_of(cases, moves_of(none, frame.index))
    june = find_period("month", date(2026, 6, 1), zone=zone)
    rules = EvaluationRules(least_cases=1)
    assert find_repeats(facts, [june], crs, rules).tolist() == [False, True, *[False] * 4]
    boundary = read_boundary(city)
    found = evaluate(facts, june, boundary=boundary, level="grid", rules=rules, crs=crs)
    assert found.table["numerator"].xs("repeat_rate", level="indicator").sum() == 1
    assert found.table["denominator"].xs("repeat_rate", level="indicator").sum() == 5
    # May is looked at by itself for the last period, and had no repeat.
    assert found.table.loc[("A", "repeat_rate"), "last_period_value"] == 0
    blind = evaluate(facts, june, boundary=boundary, level="grid", rules=rules, compared=False)
    assert blind.table.loc[("A", "repeat_rate"), "reason"] == "not_worked_out"
