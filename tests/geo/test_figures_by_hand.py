"""What counts as what, worked out by hand at Saturday 21 November 2026, 14:00 in Shanghai."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import ColumnError, InputError
from geo.figures import (
    COUNTS,
    count_things,
    count_units,
    find_trend,
    find_zones,
    last_year_span,
    mark_cases,
    midnight,
    next_change,
    rank_units,
    rate_in_time,
    rate_per_1000,
    sum_grids,
    year_before,
)

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 21, 14, 0, tzinfo=ZONE)
H, D = timedelta(hours=1), timedelta(days=1)


def cases_of(*rows: tuple, **more: list) -> pd.DataFrame:
    """Cases from (id, stage, reported, deadline, closed)."""
    names = ["incident_id", "stage", "reported_at", "deadline", "closed_at"]
    frame = pd.DataFrame(list(rows), columns=names).assign(**more)
    for name in (*names[2:], *(n for n in more if n.endswith("until"))):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame.set_index("incident_id")


def one(stage: str, reported: datetime, due: datetime | None, closed: datetime | None) -> pd.Series:
    return mark_cases(cases_of(("a", stage, reported, due, closed)), at=AT).iloc[0]


def counted(case: pd.Series) -> set[str]:
    return {name for name in COUNTS if case[name]}


@pytest.mark.parametrize(
    ("stage", "due", "closed", "state"),
    [
        ("handling", AT + 3 * H, None, "fine"),
        ("handling", AT + 2 * H, None, "soon"),
        ("handling", AT, None, "soon"),
        ("handling", AT - H, None, "late"),
        ("handling", None, None, "none"),
        ("handling", AT - H, AT - 2 * H, "late"),
        ("closed", AT - H, AT - 2 * H, "done"),
        ("closed", AT - H, AT - H, "done"),
        ("closed", AT - 2 * H, AT - H, "done_late"),
        ("closed", None, AT - H, "done"),
        ("closed", AT - H, None, "done"),
        ("cancelled", AT - H, AT, "cancelled"),
    ],
    ids=[
        "three hours left", "two hours left", "at the deadline itself", "an hour over", "no limit",
        "a time of closing means nothing while it is open", "closed before", "closed at the limit",
        "closed after", "closed without limit", "closed nobody knows when", "cancelled",
    ],
)  # fmt: skip
def test_the_state_of_a_case(stage, due, closed, state):
    assert one(stage, AT - D, due, closed)["state"] == state


def test_a_case_is_late_by_the_time_since_its_deadline_or_at_its_close():
    assert one("handling", AT - D, AT - H, None)["late_s"] == 3600
    assert one("closed", AT - D, AT - 3 * H, AT - H)["late_s"] == 7200
    assert one("cancelled", AT - D, AT - 3 * H, AT - H)["late_s"] == 0


@pytest.mark.parametrize(
    ("until", "due", "state"),
    [
        (AT + H, AT + H, "paused"),
        (AT, AT + H, "soon"),
        (AT + H, AT - H, "late"),
        (None, AT + H, "soon"),
    ],
    ids=["stands", "runs again from that moment", "late all the same", "never stood"],
)
def test_the_clock_of_a_postponed_case_stands(until, due, state):
    cases = cases_of(("a", "handling", AT - D, due, None), paused_until=[until])
    marks = mark_cases(cases, at=AT).iloc[0]
    assert marks["state"] == state
    assert marks["paused"] == (state == "paused")


@pytest.mark.parametrize(
    ("reported", "names"),
    [
        (AT, {"today", "reported_30d"}),
        (AT + timedelta(seconds=1), set()),
        (midnight(AT), {"today", "reported_30d"}),
        (midnight(AT) - timedelta(seconds=1), {"reported_30d"}),
        (AT - 7 * D, {"week_ago", "reported_30d"}),
        (AT - 7 * D + timedelta(seconds=1), {"reported_30d"}),
        (midnight(AT, 7), {"week_ago", "reported_30d"}),
        (midnight(AT, 7) - timedelta(seconds=1), {"reported_30d"}),
        (AT - 30 * D, {"reported_30d"}),
        (AT - 30 * D - timedelta(seconds=1), set()),
    ],
    ids=[
        "now", "in the future", "at midnight", "yesterday", "last Saturday at this time",
        "last Saturday, but later", "last Saturday at midnight", "the Friday before",
        "thirty days ago", "more than thirty days ago",
    ],
)  # fmt: skip
def test_today_is_compared_with_the_same_weekday_up_to_the_same_time(reported, names):
    assert counted(one("closed", reported, None, None)) == names


@pytest.mark.parametrize(
    ("stage", "due", "closed", "names"),
    [
        ("closed", AT - D, AT - 2 * D, {"due_30d", "in_time_30d"}),
        ("closed", AT - D, AT - D, {"due_30d", "in_time_30d"}),
        ("closed", AT - 2 * D, AT - D, {"due_30d"}),
        ("closed", AT - 2 * D, None, {"due_30d"}),
        ("closed", AT + D, AT - D, {"due_30d", "in_time_30d"}),
        ("closed", AT - 31 * D, AT - D, {"due_30d"}),
        ("closed", AT - 29 * D, AT - 40 * D, {"due_30d", "in_time_30d"}),
        ("closed", AT - 31 * D, AT - 32 * D, set()),
        ("closed", None, AT - D, set()),
        ("cancelled", AT - D, AT - 2 * D, set()),
        ("handling", AT - D, None, {"open", "overdue", "due_30d"}),
        ("handling", AT, None, {"open", "soon"}),
    ],
    ids=[
        "closed before", "closed at the deadline", "closed after", "closed nobody knows when",
        "closed before a deadline to come", "late by a month and closed now",
        "closed long before it fell due", "all of it long ago", "no deadline", "cancelled",
        "open and late", "falls due this moment",
    ],
)  # fmt: skip
def test_the_rate_in_time_is_over_what_fell_due_or_was_closed_before(stage, due, closed, names):
    assert counted(one(stage, AT - 50 * D, due, closed)) == names


def test_times_without_a_zone_and_lacking_columns_are_refused():
    cases = cases_of(("a", "opened", AT, None, None))
    with pytest.raises(InputError, match=r"reported_at is .*, without a zone"):
        mark_cases(cases.assign(reported_at=pd.to_datetime(["2026-11-21"])), at=AT)
    with pytest.raises(ColumnError, match="cases lacks closed_at"):
        mark_cases(cases.drop(columns="closed_at"), at=AT)


def test_the_next_change_is_the_first_moment_at_which_a_state_is_another():
    cases = cases_of(
        ("late already", "handling", AT - D, AT - H, None),
        ("red", "handling", AT - D, AT + 3 * H, None),
        ("closed", "closed", AT - D, AT + H, AT - H),
        paused_until=[None, AT + 2 * H, None],
    )
    assert next_change(cases, at=AT) == AT + H  # amber two hours before
    assert next_change(cases, at=AT + H) == AT + 2 * H  # its clock runs again
    red = next_change(cases, at=AT + 2 * H)
    assert red == AT + 3 * H + timedelta(microseconds=1)
    assert next_change(cases, at=red) is None
    new = next_change(cases, at=AT, new_for=D + timedelta(minutes=5))
    assert new == AT + timedelta(minutes=5, microseconds=1)


@pytest.fixture
def four_cases() -> pd.DataFrame:
    """One late by two hours and one by an hour in A, one in B, one nowhere."""
    rows = [("a1", 2), ("a2", 1), ("b", -9), ("x", -9)]
    return mark_cases(
        cases_of(*((i, "handling", AT - D, AT - n * H, None) for i, n in rows)), at=AT
    )


def test_what_has_no_unit_stands_in_the_rest_and_columns_add_up(four_cases):
    unit = pd.Series(["A", "A", "B", None], index=four_cases.index)
    table = count_units(four_cases, unit, pd.Index(["A", "B", "C"]))
    assert table.index.tolist() == ["A", "B", "C", ""]
    assert table["open"].tolist() == [2, 1, 0, 1]
    assert table["overdue"].tolist() == [2, 0, 0, 0]
    assert table["longest_s"].tolist() == [7200, 0, 0, 0]
    fewer = count_units(four_cases, unit, pd.Index(["B"]))
    assert fewer["open"].tolist() == [1, 3]


def test_a_unit_with_the_code_of_the_rest_is_refused(four_cases):
    unit = pd.Series(["A"] * 4, index=four_cases.index)
    with pytest.raises(InputError, match="a unit has the empty code"):
        count_units(four_cases, unit, pd.Index(["A", ""]))


def test_households_that_are_not_known_are_counted_and_not_summed_as_zero():
    grids = pd.DataFrame(
        {
            "households": pd.array([200, None, 0, None], dtype="Int64"),
            "population": pd.array([600, 500, None, None], dtype="Int64"),
        },
        index=["g1", "g2", "g3", "g4"],
    )
    unit = pd.Series(["A", "A", "B", "C"], index=grids.index)
    table = sum_grids(grids, unit, pd.Index(["A", "B", "C"]))
    assert table["grids"].tolist() == [2, 1, 1, 0]
    assert table["households"].iloc[:2].tolist() == [200, 0]
    assert table["households"].iloc[2:].isna().all()
    assert table["households_unknown"].tolist() == [1, 0, 1, 0]
    assert table["population"].iloc[0] == 1100
    assert table["population_unknown"].tolist() == [0, 1, 1, 0]


def test_a_rate_needs_households_and_a_share_needs_cases_that_fell_due():
    counts = pd.Series([3, 3, 3], index=["A", "B", "C"])
    rate = rate_per_1000(counts, pd.Series([700.0, 0.0, np.nan], index=counts.index))
    assert rate.iloc[0] == 4.3
    assert rate.iloc[1:].isna().all()
    share = rate_in_time(pd.DataFrame({"due_30d": [4, 0], "in_time_30d": [3, 0]}))
    assert share.iloc[0] == 75.0
    assert np.isnan(share.iloc[1])


def test_the_rest_stands_last_in_every_rank_and_unknown_before_it():
    table = pd.DataFrame(
        {"overdue": [1, 5, 1, 9], "open": [2, 5, 7, 99], "rate": [np.nan, 2.0, 3.0, 9.0]},
        index=["A", "B", "C", ""],
    )
    assert rank_units(table).index.tolist() == ["B", "C", "A", ""]
    assert rank_units(table, ["rate"]).index.tolist() == ["C", "B", "A", ""]
    assert rank_units(table, ["rate"], ascending=True).index.tolist() == ["B", "C", "A", ""]


def test_things_are_counted_by_unit_whatever_they_are():
    found = count_things(pd.Series(["A", None, "A", "Z"]), pd.Index(["A", "B"]))
    assert found.to_dict() == {"A": 2, "B": 0, "": 2}


def test_a_point_is_in_the_first_zone_that_holds_it_border_included():
    zones = gpd.GeoDataFrame(
        {"zone_id": ["west", "east", "over"]},
        geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0, 0, 2, 2)],
        crs="EPSG:4326",
    ).set_index("zone_id")
    found = find_zones(zones, [0.5, 1.0, 1.5, 0.5, 5.0, np.nan], [0.5, 0.5, 0.5, 1.5, 5.0, 0.5])
    assert found.astype(object).where(found.notna(), None).tolist() == [
        "west", "west", "east", "over", None, None,
    ]  # fmt: skip
    assert find_zones(zones[:0], [0.5], [0.5]).isna().all()


# --- trends --------------------------------------------------------------------------------------


def reports(*times: datetime) -> pd.DataFrame:
    return cases_of(*((f"i{k}", "opened", time, None, None) for k, time in enumerate(times)))


def test_a_trend_counts_by_local_day_and_hour():
    late_evening = midnight(AT) - timedelta(minutes=1)  # 15:59 in UTC of the 20th
    cases = pd.concat(
        [
            reports(AT, midnight(AT), late_evening, midnight(AT, 29), midnight(AT, 30)),
            cases_of(
                ("done", "closed", AT - 40 * D, None, AT - H),
                ("void", "cancelled", AT - 40 * D, None, AT - H),
            ),
        ]
    )
    trend = find_trend(cases, at=AT)
    assert [day.date() for day in trend.days[::29]] == [date(2026, 10, 23), date(2026, 11, 21)]
    assert {k: int(n) for k, n in enumerate(trend.reported) if n} == {0: 1, 28: 1, 29: 2}
    assert trend.closed.tolist() == [0] * 29 + [1]
    assert {h: int(n) for h, n in enumerate(trend.today_by_hour) if n} == {0: 1, 14: 1}
    assert len(trend.today_by_hour) == 15


def test_a_usual_day_is_the_mean_of_four_same_weekdays():
    cases = reports(AT - 7 * D, AT - 14 * D, AT - 28 * D, AT - 35 * D, AT - D)
    trend = find_trend(cases, at=AT)
    assert {h: float(n) for h, n in enumerate(trend.typical_by_hour) if n} == {14: 0.75}


def test_seven_days_are_compared_with_the_seven_before_up_to_the_same_moment():
    later = timedelta(hours=3)
    cases = reports(AT, midnight(AT, 6), midnight(AT, 7), AT - 7 * D, AT - 7 * D + later)
    trend = find_trend(cases, at=AT)
    assert (trend.this_7d, trend.before_7d) == (2, 2)


def test_a_year_before_ends_at_the_same_time_of_the_same_date():
    start, end = last_year_span(AT)
    assert (start, end) == (
        datetime(2025, 10, 23, tzinfo=ZONE), datetime(2025, 11, 22, tzinfo=ZONE),
    )  # fmt: skip
    last = year_before(AT)
    past = pd.to_datetime(
        pd.Series([start, last, last + H, end - timedelta(seconds=1), end]), utc=True
    )
    known = find_trend(reports(AT), at=AT, past=past, known_since=start)
    assert (known.this_30d, known.last_year_30d) == (1, 2)
    assert known.last_year.tolist() == [1] + [0] * 28 + [3]


def test_what_lies_before_the_first_record_is_not_known_and_not_zero():
    begun = datetime(2025, 11, 20, 9, tzinfo=ZONE)
    trend = find_trend(reports(AT), at=AT, past=pd.Series(dtype="M8[us, UTC]"), known_since=begun)
    assert np.isnan(trend.last_year).tolist() == [True] * 29 + [False]
    assert np.isnan(trend.last_year_30d)
    assert np.isnan(find_trend(reports(AT), at=AT).last_year).all()


def test_the_year_before_a_leap_day_has_none():
    leap = datetime(2028, 2, 29, 8, tzinfo=ZONE)
    assert year_before(leap) == datetime(2027, 2, 28, 8, tzinfo=ZONE)
    assert len(find_trend(reports(leap), at=leap).days) == 30
