"""A small city compared by hand: which row a case is in, what is expected, what is said.

Four grids of 100 m, in metres, as two streets under one district:

    C D      street N = C, D
    A B      street S = A, B
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.compare import (
    BESIDE,
    NO_UNIT,
    OUTSIDE,
    UNPLACED,
    Boundary,
    compare,
    find_period,
    make_span,
    move_counts,
    period_before,
    shares_by_blocks,
    year_earlier,
)
from geo.deadlines import WorkingCalendar
from geo.errors import CodeError, InputError
from geo.io.case_columns import case_columns

CITY = ZoneInfo("Asia/Shanghai")
ALIKE = WorkingCalendar(basis="daily")
MIDDLE = {"A": (50, 50), "B": (150, 50), "C": (50, 150), "D": (150, 150), "-": (None, None),
          "out": (500, 500)}  # fmt: skip


def noon(day):
    return pd.Timestamp(day, tz=CITY) + timedelta(hours=12)


def cases_of(rows):
    """`(day, place, class)` or `(day, place)`, each `times` over where a number follows."""
    table = []
    for day, place, *rest in rows:
        times = rest[-1] if rest and isinstance(rest[-1], int) else 1
        word = rest[0] if rest and isinstance(rest[0], str) else "E0102"
        x, y = MIDDLE[place]
        for _ in range(times):
            # Each at a place of its own, around the middle of its grid.
            k = len(table)
            east, north = 5.1 * (k % 17 - 8), 5.1 * (k // 17 % 17 - 8)
            told = (x, y) if x is None else (x + east, y + north)
            table.append((noon(day), *told, word))
    frame = pd.DataFrame(table, columns=["reported_at", "lon", "lat", "class_code"])
    frame["reported_at"] = pd.to_datetime(frame["reported_at"], utc=True)
    frame = frame.astype({"lon": "float64", "lat": "float64"})
    frame["stage"] = "closed"
    frame.index = pd.Index([f"i{k}" for k in range(len(frame))], name="incident_id")
    return case_columns(frame)


@pytest.fixture
def boundary(four_grids):
    divisions = pd.DataFrame(
        {
            "level": ["district", "street", "street"],
            "name": ["district", "south", "north"],
            "parent_code": [None, "X", "X"],
        },
        index=pd.Index(["X", "S", "N"], name="code"),
    )
    grids = four_grids.assign(
        community_code=["S", "S", "N", None], households=pd.array([100, 300, None, 200], "Int64"),
        kind="base", version=[1, 3, 1, 2],
    )  # fmt: skip
    zones = gpd.GeoDataFrame(
        {"kind": ["campus"], "name": ["east"]},
        geometry=[shapely.box(100, 0, 200, 200)],
        crs=four_grids.crs,
        index=pd.Index(["z"], name="zone_id"),
    )
    return Boundary(grids, divisions, zones)


APRIL, MAY, JUNE = (find_period("month", date(2026, month, 1), zone=CITY) for month in (4, 5, 6))
HISTORY = [("2025-01-01", "A")]


def test_every_case_has_one_row_and_what_has_no_unit_has_a_name(boundary):
    cases = cases_of(
        [*HISTORY, ("2026-06-01", "A", 2), ("2026-06-30", "B"), ("2026-06-02", "D", 3),
         ("2026-06-02", "-", 4), ("2026-06-02", "out", 5), ("2026-07-01", "A"),
         ("2026-05-31", "C", 2)]
    )  # fmt: skip
    found = compare(cases, boundary, JUNE, MAY, level="street", calendar=ALIKE)
    assert found.table["now"].to_dict() == {"S": 3, "N": 0, NO_UNIT: 3, OUTSIDE: 5, UNPLACED: 4}
    assert found.table["then"].to_dict() == {"S": 0, "N": 2, NO_UNIT: 0, OUTSIDE: 0, UNPLACED: 0}
    assert (found.total["now"], found.total["then"]) == (15, 2)
    by_grid = compare(cases, boundary, JUNE, MAY, level="grid", calendar=ALIKE)
    assert by_grid.table["now"].to_dict() == {
        "A": 2, "B": 1, "C": 0, "D": 3, NO_UNIT: 0, OUTSIDE: 5, UNPLACED: 4,
    }  # fmt: skip
    by_zone = compare(cases, boundary, JUNE, MAY, level="zones:campus", calendar=ALIKE)
    assert by_zone.table["now"].to_dict() == {
        "z": 4, NO_UNIT: 0, OUTSIDE: 7, UNPLACED: 4,
    }  # fmt: skip
    assert boundary.levels == ("district", "street", "grid", "zones:campus")
    assert found.boundary.version == 3
    assert found.table.loc["S", "households"] == 400
    assert np.isnan(found.table.loc["N", "households"])
    assert found.table.loc["S", "per_1000_now"] == 7.5
    assert "households_unknown" in found.notes


def test_what_is_expected_is_then_by_the_days_of_now(boundary):
    """June has 30 days, May 31; 31 cases in May are 30 in June."""
    cases = cases_of([*HISTORY, ("2026-05-02", "A", 31), ("2026-06-02", "A", 45)])
    row = compare(cases, boundary, JUNE, MAY, calendar=ALIKE).table.loc["A"]
    assert row["expected"] == pytest.approx(30)
    assert row["difference"] == pytest.approx(15)
    assert row["change"] == pytest.approx(0.5)
    assert row["low"] < 0.5 < row["high"]


def test_weekends_count_what_records_say_they_are_worth(boundary):
    """Ten on a workday, five on a weekend day. May 2026 has a holiday from the 1st to the 5th
    and is worked on the 9th, June one from the 19th to the 21st. With the same habits nothing has
    changed, though there are more cases in June."""
    calendar = WorkingCalendar()
    days = pd.date_range("2025-05-01", "2026-06-30")
    rows = [(day, "A", 10 if calendar.is_working_day(day.date()) else 5) for day in days]
    found = compare(cases_of(rows), boundary, JUNE, MAY, calendar=calendar)
    assert found.days.weights == pytest.approx((1, 0.5, 0.5))
    assert found.days.now == (21, 6, 3)
    assert found.days.then == (19, 7, 5)
    assert found.table.loc["A", "expected"] == pytest.approx(found.table.loc["A", "now"])
    assert found.table.loc["A", "change"] == pytest.approx(0, abs=1e-9)
    assert found.table.loc["A", "verdict"] == "no_clear_change"
    plain = compare(
        cases_of(rows), boundary, JUNE, MAY, calendar=calendar, weigh_days=False
    ).table.loc["A"]
    assert plain["change"] > 0.04


def spread(period, place, number):
    """So many cases, as evenly over the days of a month as whole numbers allow."""
    days = period.days
    return [(days[k * len(days) // number], place) for k in range(number)]


def test_one_lamp_called_in_twelve_times_is_no_rise_and_twelve_lamps_are(boundary):
    """Twelve cases in May in each of two grids that had one in April; records since 20 March."""
    rows = [("2026-03-20", "out"), ("2026-04-10", "A"), ("2026-04-10", "B")]
    # A steady grid, so that weeks scatter no more than chance.
    steady = pd.date_range("2026-03-20", "2026-05-31").astype(str)
    rows += [(day, "C") for day in steady]
    rows += [(f"2026-05-{day:02}", place) for place in "AB" for day in range(4, 16)]
    spread_out = cases_of(rows)
    one_lamp = spread_out.lon.copy(), spread_out.lat.copy()
    for column, middle in zip(one_lamp, MIDDLE["B"], strict=True):
        column[-12:] = middle
    cases = replace(spread_out, lon=one_lamp[0], lat=one_lamp[1])
    found = compare(cases, boundary, MAY, APRIL, calendar=ALIKE).table
    assert found.loc[["A", "B"], "now"].tolist() == [12, 12]
    # Weeks of the period begin on the 1st, 8th and 15th: four, seven and one of them.
    assert found.loc[["A", "B"], "now_repeats"].tolist() == [0, 9]
    assert found.loc[["A", "B"], "then_repeats"].tolist() == [0, 0]
    assert found.loc["A", "verdict"] == "rose"
    assert found.loc["B", "verdict"] == "no_clear_change"
    # Clusters of 4, 7, 1 and, in April, 1.
    assert found.loc["B", "dispersion"] == pytest.approx((16 + 49 + 1 + 1) / 13)


def test_a_rise_a_fall_no_clear_change_and_too_few_are_told_apart(boundary):
    rows = [("2026-05-01", "out")]
    for place, then, now in [("A", 20, 60), ("B", 60, 20), ("C", 40, 46), ("D", 1, 4)]:
        rows += spread(MAY, place, then) + spread(JUNE, place, now)
    found = compare(cases_of(rows), boundary, JUNE, MAY, calendar=ALIKE)
    assert found.table["verdict"].to_dict() == {
        "A": "rose", "B": "fell", "C": "no_clear_change", "D": "too_few",
        NO_UNIT: "too_few", OUTSIDE: "too_few", UNPLACED: "too_few",
    }  # fmt: skip
    assert found.ranked("difference")["rank"].to_dict() == {"A": 1, "C": 2, "D": 3, "B": 4}


def test_sixty_cases_in_one_night_are_scatter_and_no_rise(boundary):
    rows = [("2026-05-01", "out"), *spread(MAY, "A", 20), ("2026-06-20", "A", 60)]
    found = compare(cases_of(rows), boundary, JUNE, MAY, calendar=ALIKE).table.loc["A"]
    assert found["change"] > 1
    assert found["dispersion"] > 10
    assert found["verdict"] == "too_few"


def test_equal_units_share_their_rank(boundary):
    cases = cases_of(
        [*HISTORY, ("2026-06-02", "A", 4), ("2026-06-02", "B", 4), ("2026-06-02", "C")]
    )
    found = compare(cases, boundary, JUNE, MAY, calendar=ALIKE).ranked("now")
    assert found["rank"].to_dict() == {"A": 1, "B": 1, "C": 3, "D": 4}


def test_a_period_before_the_records_is_unknown_and_not_zero(boundary):
    rows = [("2026-03-03", "A"), *spread(JUNE, "A", 30)]
    found = compare(cases_of(rows), boundary, JUNE, year_earlier(JUNE), calendar=ALIKE)
    assert "then_before_records" in found.notes
    assert set(found.table["verdict"]) == {"unknown"}
    known = compare(
        cases_of([("2025-06-01", "out"), *rows]), boundary, JUNE, year_earlier(JUNE),
        calendar=ALIKE,
    )  # fmt: skip
    assert "then_before_records" not in known.notes


def test_records_that_break_off_are_a_gap_though_there_was_one_before(boundary):
    """One night in 2025, then every day from 1 April to 12 June 2026: June is not half of May."""
    rows = [("2025-06-20", "A")]
    rows += [(day, "A") for day in pd.date_range("2026-04-01", "2026-06-12").astype(str)]
    found = compare(cases_of(rows), boundary, JUNE, MAY, calendar=ALIKE)
    assert "now_has_gaps" in found.notes
    assert "then_has_gaps" not in found.notes
    assert set(found.table["verdict"]) == {"unknown"}
    assert found.table[["expected", "low", "high", "p"]].isna().to_numpy().all()


def test_days_without_records_in_a_busy_city_are_a_gap_and_no_fall(boundary):
    days = [day for day in pd.date_range("2026-01-01", "2026-06-30") if day.month != 5]
    found = compare(cases_of([(day, "A", 30) for day in days]), boundary, JUNE, MAY, calendar=ALIKE)
    assert "then_has_gaps" in found.notes
    assert found.table.loc["A", "verdict"] == "unknown"
    # In a quiet hamlet an empty month is nothing special.
    hamlet = compare(
        cases_of([("2026-01-01", "A"), ("2026-06-30", "A")]), boundary, JUNE, MAY, calendar=ALIKE
    )
    assert not {"then_has_gaps", "now_has_gaps"} & set(hamlet.notes)
    assert hamlet.table.loc["A", "verdict"] == "too_few"
    strict = compare(
        cases_of([("2026-01-01", "A"), ("2026-06-30", "A")]), boundary, JUNE, MAY, calendar=ALIKE,
        need_records=True,
    )  # fmt: skip
    assert "then_without_records" in strict.notes
    assert np.isnan(strict.total["then"])
    assert set(strict.table["verdict"]) == {"unknown"}


def test_a_rise_from_nothing_needs_days_that_are_known(boundary):
    """Sixty cases of A after 27 or 28 days with records of C alone."""
    for first, verdict in (("2026-05-05", "too_few"), ("2026-05-04", "rose")):
        rows = [(day, "C") for day in pd.date_range(first, "2026-05-31").astype(str)]
        rows += spread(JUNE, "A", 60)
        found = compare(
            cases_of(rows), boundary, JUNE,
            make_span(date(2026, 5, 5), date(2026, 5, 31), zone=CITY), calendar=ALIKE,
        )  # fmt: skip
        assert found.table.loc["A", "then"] == 0
        assert found.table.loc["A", "verdict"] == verdict


def test_no_cases_at_all_is_an_honest_empty_answer(boundary):
    found = compare(cases_of([]), boundary, JUNE, MAY, calendar=ALIKE)
    assert found.total["now"] == 0
    assert set(found.table["verdict"]) == {"unknown"}
    assert "now_before_records" in found.notes


def test_a_class_without_cases_and_a_level_that_is_not_there_are_said(boundary):
    cases = cases_of([*HISTORY, ("2026-06-02", "A", "E0404", 7), ("2026-06-02", "A", 9)])
    some = compare(cases, boundary, JUNE, MAY, classes=["E0404"], calendar=ALIKE)
    assert some.table.loc["A", "now"] == 7
    none = compare(cases, boundary, JUNE, MAY, classes=["E9999"], calendar=ALIKE)
    assert none.total["now"] == 0
    assert "class_without_cases" in none.notes
    with pytest.raises(CodeError, match="no level 'city' in this city: there are district, street"):
        compare(cases, boundary, JUNE, MAY, level="city")
    with pytest.raises(InputError, match="where has 1 values for 17 cases"):
        compare(cases, boundary, JUNE, MAY, where=np.ones(1, dtype=bool))


def test_one_grid_and_nothing_else_is_a_city(four_grids):
    lone = Boundary(four_grids[:1])
    cases = cases_of([*HISTORY, ("2026-06-02", "A", 8), ("2026-06-02", "B", 3)])
    found = compare(cases, lone, JUNE, MAY, calendar=ALIKE)
    assert lone.levels == ("grid",)
    assert found.table["now"].to_dict() == {"A": 8, NO_UNIT: 0, OUTSIDE: 3, UNPLACED: 0}


def test_a_city_without_grids_goes_by_the_borders_of_its_divisions(four_grids):
    divisions = four_grids.rename_axis("code").assign(
        level="district", name=["a", "b", "c", "d"], parent_code=None
    )
    empty = four_grids[:0].assign(community_code=[], households=[])
    bare = Boundary(empty, divisions)
    assert bare.levels == ("district",)
    cases = cases_of([*HISTORY, ("2026-06-02", "B", 8), ("2026-06-02", "out", 3)])
    found = compare(cases, bare, JUNE, MAY, level="district", calendar=ALIKE)
    assert found.table["now"].to_dict() == {
        "A": 0, "B": 8, "C": 0, "D": 0, NO_UNIT: 0, OUTSIDE: 3, UNPLACED: 0,
    }  # fmt: skip


def test_a_running_month_has_the_same_hours_on_both_sides(boundary):
    at = datetime(2026, 6, 10, 3, 59, tzinfo=UTC)  # 11:59 in the city, before the cases of noon
    now = find_period("month", date(2026, 6, 10), zone=CITY, at=at)
    cases = cases_of(
        [*HISTORY, ("2026-06-09", "A", 3), ("2026-06-10", "A", 5), ("2026-05-09", "A", 2),
         ("2026-05-10", "A", 7)]
    )  # fmt: skip
    row = compare(cases, boundary, now, period_before(now), calendar=ALIKE)
    assert (row.total["now"], row.total["then"]) == (3, 2)
    assert "now_runs" in row.notes
    ahead = find_period("month", date(2026, 7, 1), zone=CITY, at=at)
    found = compare(cases, boundary, ahead, period_before(ahead), calendar=ALIKE)
    assert "now_is_empty" in found.notes
    assert set(found.table["verdict"]) == {"unknown"}


def test_periods_that_overlap_are_named(boundary):
    long = make_span(date(2026, 5, 15), date(2026, 6, 15), zone=CITY)
    assert "periods_overlap" in compare(cases_of(HISTORY), boundary, JUNE, long).notes


def test_counts_without_points_come_by_households_and_are_marked(boundary):
    """Old grid O had 8 cases in May: a quarter of its households is in A now, the rest in B."""
    blocks = pd.DataFrame({"households": [100, 200, 100]}, index=["b1", "b2", "b3"])
    old = pd.Series("O", index=blocks.index)
    new = pd.Series({"b1": "A", "b2": "B", "b3": "B"})
    shares = shares_by_blocks(blocks, old, new)
    before = move_counts(pd.Series({"O": 8}, name="count"), shares)
    assert before.to_dict() == {"A": 2, "B": 6}
    cases = cases_of([*HISTORY, ("2026-06-02", "A", 4), ("2026-05-02", "A", 1)])
    found = compare(cases, boundary, JUNE, MAY, estimated_then=before, calendar=ALIKE)
    assert found.table["then"].to_dict() == {
        "A": 3, "B": 6, "C": 0, "D": 0, NO_UNIT: 0, OUTSIDE: 0, UNPLACED: 0,
    }  # fmt: skip
    assert found.table["then_estimated"].tolist() == [2, 6, 0, 0, 0, 0, 0]
    assert found.total["then_estimated"] == 8
    assert "some_estimated" in found.notes
    by_street = compare(
        cases, boundary, JUNE, MAY, level="street", estimated_then=before, calendar=ALIKE
    )
    assert by_street.table.loc["S", "then"] == 9


def test_weeks_beside_the_table_are_those_of_the_cases(boundary):
    days = pd.date_range("2025-05-01", "2026-06-30")
    found = compare(cases_of([(day, "A", 2) for day in days]), boundary, JUNE, MAY, calendar=ALIKE)
    assert found.weekly.shape == (4 + len(BESIDE), 53)
    assert found.weekly.columns[-1] == date(2026, 6, 24)
    assert found.weekly.loc["A"].dropna().unique().tolist() == [14]
    assert found.weeks == 53
    assert found.table.loc["A", "dispersion"] == 1


def test_the_day_that_still_runs_is_in_no_week(boundary):
    at = datetime(2026, 6, 30, 5, 0, tzinfo=UTC)  # 13:00 in the city, after the cases of noon
    now = find_period("month", date(2026, 6, 30), zone=CITY, at=at)
    days = pd.date_range("2025-05-01", "2026-06-30")
    rows = [(day, "A", 2) for day in days] + [("2026-06-30", "A", 50), ("2026-06-30", "B", 9)]
    found = compare(cases_of(rows), boundary, now, period_before(now), calendar=ALIKE)
    assert found.table.loc["A", "now"] == 2 * 30 + 50
    assert found.weekly.columns[-1] == date(2026, 6, 23)
    assert found.weekly.loc["A"].dropna().unique().tolist() == [14]
    assert found.weekly.loc[["B", "C"]].to_numpy().sum() == 0
