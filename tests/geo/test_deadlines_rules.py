"""Years that no calendar knows, limits by class, the state of a clock, and what is refused."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from geo.codes import is_incident_class
from geo.deadlines import (
    CLOCK_STATES,
    UNITS,
    CalendarError,
    ClockReading,
    Limit,
    WorkingCalendar,
    find_deadline,
    find_deadlines,
    find_limits,
    measure_working_s,
    overrides_from_table,
    parse_hours,
    read_clock,
    read_clocks,
    require_time_limits,
    time_limits,
)
from geo.errors import ColumnError, InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


NEW_YEARS_EVE = moment("2026-12-31 09:00")  # a Thursday
TWO_DAYS = Limit(2, "working_days")


def test_a_year_that_the_calendar_lacks_is_refused_by_name():
    with pytest.raises(CalendarError, match=r"working days of 2027 are not known.*overrides"):
        find_deadline(NEW_YEARS_EVE, TWO_DAYS)


def test_a_lacking_year_is_refused_only_where_it_is_needed():
    due = find_deadline(moment("2026-12-29 09:00"), TWO_DAYS)
    assert due == moment("2026-12-31 18:00")
    assert find_deadline(NEW_YEARS_EVE, Limit(48, "urgent_hours")) == moment("2027-01-02 09:00")
    with pytest.raises(CalendarError, match="2003"):
        find_deadline(moment("2003-12-31 09:00"), TWO_DAYS)


def test_a_day_told_makes_its_year_known_and_wins_over_the_week():
    # Friday 1 January off as told: Monday 4 and Tuesday 5 are the two days
    told = WorkingCalendar(overrides=((date(2027, 1, 1), False),))
    assert find_deadline(NEW_YEARS_EVE, TWO_DAYS, calendar=told) == moment("2027-01-05 18:00")
    # and with Sunday 3 January worked, Sunday and Monday
    made_up = overrides_from_table(
        pd.DataFrame({"date": ["2027-01-01", "2027-01-03"], "is_workday": ["false", "true"]})
    )
    calendar = WorkingCalendar(overrides=made_up)
    assert find_deadline(NEW_YEARS_EVE, TWO_DAYS, calendar=calendar) == moment("2027-01-04 18:00")


def test_assumed_days_are_said_to_be_assumed():
    assume = WorkingCalendar(lacking="weekdays")
    cases = pd.DataFrame(
        {
            "start": [NEW_YEARS_EVE, moment("2026-12-29 09:00"), NEW_YEARS_EVE],
            "amount": [2.0, 2.0, 2.0],
            "unit": ["working_days", "working_days", "natural_days"],
        },
        index=["over the year", "within it", "needs no calendar"],
    )
    found = find_deadlines(cases, calendar=assume)
    assert found["assumed"].to_dict() == {
        "over the year": True,
        "within it": False,
        "needs no calendar": False,
    }
    # Friday 1 January would count as worked
    assert found["deadline"].iloc[0] == moment("2027-01-04 18:00")


def test_an_override_corrects_a_known_year_too():
    # the city keeps Monday 2 March 2026 free
    calendar = WorkingCalendar(overrides=((date(2026, 3, 2), False),))
    due = find_deadline(moment("2026-02-28 17:00"), Limit(2, "working_hours"), calendar=calendar)
    assert due == moment("2026-03-03 10:00")
    assert calendar.is_working_day(date(2026, 3, 2)) is False
    assert WorkingCalendar().is_working_day(date(2026, 2, 14)) is True


def test_a_city_that_works_every_day_needs_no_calendar():
    daily = WorkingCalendar(basis="daily")
    due = find_deadline(NEW_YEARS_EVE, TWO_DAYS, calendar=daily)
    assert due == moment("2027-01-02 18:00")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"zone": "Asia/Nowhere"}, "Asia/Nowhere.*Asia/Shanghai"),
        ({"zone": ""}, "zone"),
        ({"hours": ()}, "hours"),
        ({"hours": ((540, 720), (700, 800))}, "spans in order"),
        ({"hours": ((540, 540),)}, "hours"),
        ({"hours": ((540, 1500),)}, "1440"),
        ({"basis": "lunar"}, "china, weekdays, daily"),
        ({"lacking": "guess"}, "refuse, weekdays"),
        ({"overrides": ((date(2027, 1, 1), True), (date(2027, 1, 1), False))}, "2027-01-01 twice"),
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused(values, words):
    with pytest.raises(CalendarError, match=words):
        WorkingCalendar(**values)


def test_a_calendar_without_any_working_day_is_refused():
    none = tuple((date(2026, 1, 1) + k * (date(2026, 1, 2) - date(2026, 1, 1)), False)
                 for k in range(365))  # fmt: skip
    with pytest.raises(CalendarError, match="no day from 2026 to 2026"):
        find_deadline(
            moment("2026-03-02 09:00"), TWO_DAYS, calendar=WorkingCalendar(overrides=none)
        )


def test_a_limit_beyond_all_reason_is_refused():
    with pytest.raises(CalendarError, match="60 years"):
        find_deadline(
            moment("2026-03-02 09:00"),
            Limit(100_000, "working_days"),
            calendar=WorkingCalendar(basis="weekdays"),
        )


def test_hours_are_read_as_they_are_written():
    assert parse_hours("09:00-12:00, 14:00-18:00") == ((540, 720), (840, 1080))
    assert parse_hours("0:00-24:00") == ((0, 1440),)


@pytest.mark.parametrize("text", ["", "9-12", "09:00-12:60", "12:00-09:00", "22:00-06:00"])
def test_hours_that_cannot_be_read_are_refused(text):
    with pytest.raises(CalendarError):
        parse_hours(text)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"date": ["2027-01-01"]}, "lacks is_workday"),
        ({"date": ["soon"], "is_workday": [True]}, "'soon'"),
        ({"date": ["2027-01-01"], "is_workday": ["maybe"]}, "maybe"),
        ({"date": ["2027-01-01"] * 2, "is_workday": [1, 0]}, "2027-01-01 twice"),
    ],
)
def test_a_table_of_days_that_cannot_be_read_is_refused(table, words):
    with pytest.raises(CalendarError, match=words):
        overrides_from_table(pd.DataFrame(table))


def test_days_of_a_table_may_be_dates_times_and_numbers():
    table = pd.DataFrame(
        {
            "date": [date(2027, 2, 6), pd.Timestamp("2027-02-07"), "2027-02-20 00:00"],
            "is_workday": [1.0, False, "TRUE"],
        }
    )
    assert overrides_from_table(table) == (
        (date(2027, 2, 6), True),
        (date(2027, 2, 7), False),
        (date(2027, 2, 20), True),
    )


# -- limits by class and condition


def test_the_sample_table_holds_the_limits_of_the_sample_city():
    limits = time_limits().set_index(["class_code", "condition"])
    wanted = {
        ("E0101", "stop"): (4, "working_hours"),
        ("E0101", "penalise"): (7, "working_days"),
        ("E0101", "demolish"): (20, "working_days"),
        ("E0102", ""): (4, "working_hours"),
        ("E0103", ""): (2, "working_days"),
        ("E0104", ""): (2, "working_hours"),
        ("E0106", "litter"): (4, "working_hours"),
        ("E0106", "upkeep"): (5, "working_days"),
        ("E0406", ""): (4, "working_hours"),
    }
    for key, (amount, unit) in wanted.items():
        assert tuple(limits.loc[key, ["amount", "unit"]]) == (amount, unit)
    assert set(limits["unit"]) == set(UNITS)
    assert limits["source"].str.contains("edit for your city").all()
    assert all(is_incident_class(code) for code, _ in limits.index)


def test_a_limit_is_found_by_class_and_condition_and_never_invented():
    codes = pd.Series(
        ["E0101", "E0101", "E0101", "E0102", "E0102", "E0199", None],
        index=list("abcdefg"),
    )
    conditions = pd.Series(["stop", "demolish", None, None, "odd", None, "stop"], index=codes.index)
    found = find_limits(codes, conditions)
    assert found["amount"].fillna(-1).tolist() == [4, 20, -1, 4, 4, -1, -1]
    assert found["unit"].fillna("").tolist() == [
        "working_hours", "working_days", "", "working_hours", "working_hours", "", "",
    ]  # fmt: skip
    assert found.index.tolist() == list("abcdefg")


def test_the_longest_beginning_of_a_class_decides_and_then_the_condition():
    limits = pd.DataFrame(
        {
            "class_code": ["E", "E04", "E0401", "E04"],
            "condition": ["", "", "", "night"],
            "amount": [9, 5, 2, 3],
            "unit": "urgent_hours",
        }
    )
    codes = pd.Series(["E0401", "E0401", "E0402", "E0402", "E0101", "C0101"])
    conditions = pd.Series(["", "night", "", "night", "night", ""])
    found = find_limits(codes, conditions, limits=limits)["amount"]
    assert found.fillna(-1).tolist() == [2, 2, 5, 3, 9, -1]


def test_limits_of_no_case_are_an_empty_table():
    found = find_limits(pd.Series([], dtype="str"))
    assert found.columns.tolist() == ["amount", "unit"]
    assert len(found) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": ["weeks"]}, "'weeks': use one of urgent_hours"),
        ({"amount": ["soon"]}, "row 1 of the table of limits has no number"),
        ({"amount": [0]}, "more than 0"),
        ({"class_code": ["E1", "E1"], "amount": [1, 2], "unit": ["working_days"] * 2}, "E1.*twice"),
    ],
)
def test_a_table_of_limits_that_cannot_be_used_names_its_row(change, words):
    row = {"class_code": ["E1"], "amount": [1], "unit": ["working_days"]} | change
    with pytest.raises(InputError, match=words):
        require_time_limits(pd.DataFrame(row))


def test_a_table_of_limits_without_units_is_refused():
    with pytest.raises(ColumnError, match="lacks unit"):
        require_time_limits(pd.DataFrame({"class_code": ["E1"], "amount": [1]}))


# -- the state of a clock

DUE = moment("2026-03-02 18:00")


@pytest.mark.parametrize(
    ("at", "state", "left_s", "late_s"),
    [
        ("2026-03-02 15:59", "fine", 7260, 0),
        ("2026-03-02 16:00", "soon", 7200, 0),
        ("2026-03-02 18:00", "soon", 0, 0),
        ("2026-03-02 18:01", "late", -60, 60),
        ("2026-03-03 18:00", "late", -86400, 86400),
    ],
)
def test_a_case_is_amber_two_hours_before_and_red_after_its_deadline(at, state, left_s, late_s):
    assert read_clock(DUE, at=moment(at)) == ClockReading(state, left_s, late_s)


def test_clocks_of_a_table_tell_closed_paused_and_unlimited_cases_apart():
    now = moment("2026-03-02 19:00")
    rows = {
        "in time": (DUE, moment("2026-03-02 18:00"), False, "done"),
        "an hour late": (DUE, moment("2026-03-02 19:00"), False, "done_late"),
        "closed only tomorrow": (DUE, moment("2026-03-03 10:00"), False, "late"),
        "stands": (None, None, True, "paused"),
        "stands, but was late": (DUE, None, True, "late"),
        "stands, and has time": (moment("2026-03-04 18:00"), None, True, "paused"),
        "no limit": (None, None, False, "none"),
        "no limit, closed": (None, moment("2026-03-01 10:00"), False, "done"),
        "fine": (moment("2026-03-04 18:00"), None, False, "fine"),
        "soon": (moment("2026-03-02 20:00"), None, False, "soon"),
    }
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["due", "closed", "paused", "state"]
    )
    found = read_clocks(
        pd.to_datetime(table["due"], utc=True),
        at=now,
        closed_at=pd.to_datetime(table["closed"], utc=True),
        is_paused=table["paused"],
    )
    assert found["state"].to_dict() == table["state"].to_dict()
    assert found.loc["an hour late", "late_s"] == 3600
    assert found.loc["in time", "late_s"] == 0
    assert pd.isna(found.loc["no limit", "left_s"])
    assert set(found["state"]) == set(CLOCK_STATES)


def test_amber_may_begin_at_another_time_for_each_case():
    due = pd.Series([DUE, DUE], index=["quick", "slow"]).dt.tz_convert("UTC")
    hours = pd.Series([0.5, 24.0], index=due.index)
    found = read_clocks(due, at=moment("2026-03-02 12:00"), soon_h=hours)
    assert found["state"].tolist() == ["fine", "soon"]


def test_how_late_a_case_was_can_be_told_in_working_time():
    # due Friday 18:00, closed Monday 11:00: two working hours
    due = pd.Series([moment("2026-03-06 18:00"), pd.NaT], index=["a", "b"]).dt.tz_convert("UTC")
    closed = pd.Series([moment("2026-03-09 11:00")] * 2, index=["a", "b"]).dt.tz_convert("UTC")
    late = measure_working_s(due, closed)
    assert late["a"] == 7200
    assert pd.isna(late["b"])


# -- what is refused


@pytest.mark.parametrize(
    ("amount", "unit", "words"),
    [
        (0, "working_hours", "more than 0"),
        (-1, "working_hours", "more than 0"),
        (float("nan"), "working_hours", "more than 0"),
        (1, "fortnights", "fortnights"),
    ],
)
def test_a_limit_that_is_none_is_refused(amount, unit, words):
    with pytest.raises(InputError, match=words):
        Limit(amount, unit)


def test_half_a_day_needs_the_clock_rule():
    with pytest.raises(InputError, match=r"0\.5 days.*day_rule='clock'"):
        find_deadline(DUE, Limit(0.5, "working_days"))
    with pytest.raises(InputError, match="day_rule is 'noon'"):
        find_deadline(DUE, TWO_DAYS, day_rule="noon")


def test_times_without_a_zone_are_refused():
    naive = datetime(2026, 3, 2)  # noqa: DTZ001
    with pytest.raises(InputError, match="start is 2026-03-02 00:00:00, without a zone"):
        find_deadline(naive, TWO_DAYS)
    with pytest.raises(InputError, match="at is"):
        read_clock(DUE, at=naive)
    table = pd.DataFrame(
        {"start": [pd.Timestamp(naive)], "amount": [1.0], "unit": ["natural_days"]}
    )
    with pytest.raises(InputError, match="without a zone"):
        find_deadlines(table)


def test_a_pause_that_ends_before_it_begins_is_refused():
    with pytest.raises(InputError, match="ends before it begins"):
        find_deadline(DUE, TWO_DAYS, pauses=[(DUE, moment("2026-03-01 09:00"))])


def test_a_case_without_start_or_limit_has_no_deadline():
    cases = pd.DataFrame(
        {
            "start": pd.to_datetime([None, DUE, DUE], utc=True),
            "amount": [1.0, float("nan"), 1.0],
            "unit": pd.Series(["natural_days", "natural_days", None], dtype="str"),
        }
    )
    assert find_deadlines(cases)["deadline"].isna().all()
    assert find_deadlines(cases.iloc[:0])["deadline"].dtype == "datetime64[us, UTC]"


def test_pauses_of_other_cases_are_left_aside_and_doubled_ids_refused():
    cases = pd.DataFrame({"start": [DUE], "amount": [1.0], "unit": ["urgent_hours"]}, index=["a"])
    cases["start"] = cases["start"].dt.tz_convert("UTC")
    pauses = pd.DataFrame(
        {"incident_id": ["b"], "start": [DUE], "end": [moment("2026-03-09 11:00")]}
    )
    found = find_deadlines(cases, pauses=pauses)["deadline"]
    assert found["a"] == moment("2026-03-02 19:00")
    with pytest.raises(InputError, match="twice"):
        find_deadlines(pd.concat([cases, cases]), pauses=pauses)
