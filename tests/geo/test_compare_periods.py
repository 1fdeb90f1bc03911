"""Periods, days that differ, and the zones in which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.compare import (
    PERIOD_KINDS,
    day_kinds,
    find_period,
    fit_day_weights,
    make_span,
    period_before,
    same_part,
    year_earlier,
)
from geo.deadlines import CHINA, WorkingCalendar
from geo.errors import InputError

CITY = ZoneInfo("Asia/Shanghai")
YORK = ZoneInfo("America/New_York")


def told(period):
    return str(period)


@pytest.mark.parametrize(
    ("kind", "day", "now", "last_year", "last_period"),
    [
        ("day", "2024-02-29", "2024-02-29", "2023-02-28", "2024-02-28"),
        ("week", "2026-11-21", "2026-11-16 to 2026-11-22", "2025-11-17 to 2025-11-23",
         "2026-11-09 to 2026-11-15"),
        ("month", "2024-02-10", "2024-02-01 to 2024-02-29", "2023-02-01 to 2023-02-28",
         "2024-01-01 to 2024-01-31"),
        ("month", "2026-01-31", "2026-01-01 to 2026-01-31", "2025-01-01 to 2025-01-31",
         "2025-12-01 to 2025-12-31"),
        ("quarter", "2026-02-01", "2026-01-01 to 2026-03-31", "2025-01-01 to 2025-03-31",
         "2025-10-01 to 2025-12-31"),
        ("year", "2024-07-01", "2024-01-01 to 2024-12-31", "2023-01-01 to 2023-12-31",
         "2023-01-01 to 2023-12-31"),
    ],
)  # fmt: skip
def test_each_kind_of_period_has_its_last_year_and_its_last_one(
    kind, day, now, last_year, last_period
):
    period = find_period(kind, date.fromisoformat(day), zone=CITY)
    assert told(period) == now
    assert told(year_earlier(period)) == last_year
    assert told(period_before(period)) == last_period


def test_a_span_with_29_february_is_compared_with_28_days_and_knows_it():
    span = make_span(date(2024, 2, 20), date(2024, 2, 29), zone=CITY)
    other = year_earlier(span)
    assert told(other) == "2023-02-20 to 2023-02-28"
    assert (span.length, other.length) == (10, 9)
    assert told(period_before(span)) == "2024-02-10 to 2024-02-19"


def test_a_running_month_is_compared_with_the_same_part_of_the_other():
    at = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)  # noon in the city
    now = find_period("month", date(2026, 11, 21), zone=CITY, at=at)
    assert now.length == 20.5
    for other in (year_earlier(now), period_before(now)):
        assert other.length == 20.5
        assert other.end_s - other.begin_s == now.end_s - now.begin_s


def test_the_rest_of_a_shorter_month_is_not_made_up():
    at = datetime(2026, 3, 30, 4, 0, tzinfo=UTC)
    now = find_period("month", date(2026, 3, 30), zone=CITY, at=at)
    other = period_before(now)
    assert (now.length, other.length) == (29.5, 28)
    assert other.cut is None


def test_a_period_that_has_not_begun_has_no_time_in_it():
    at = datetime(2026, 11, 21, 4, tzinfo=UTC)
    ahead = find_period("month", date(2026, 12, 1), zone=CITY, at=at)
    assert ahead.length == 0
    assert ahead.begin_s == ahead.end_s
    assert len(ahead.days) == 0


def test_a_day_on_which_clocks_change_is_one_day_of_23_or_25_hours():
    spring = find_period("day", date(2024, 3, 10), zone=YORK)
    autumn = find_period("day", date(2024, 11, 3), zone=YORK)
    assert (spring.end_s - spring.begin_s, autumn.end_s - autumn.begin_s) == (82_800, 90_000)
    assert spring.length == autumn.length == 1
    month = find_period("month", date(2024, 3, 1), zone=YORK)
    assert month.end_s - month.begin_s == 31 * 86_400 - 3600


def test_a_midnight_that_the_clock_skips_is_the_moment_of_the_change():
    """In Beirut the clocks of 31 March 2024 went from 24:00 to 01:00."""
    day = find_period("day", date(2024, 3, 31), zone=ZoneInfo("Asia/Beirut"))
    assert datetime.fromtimestamp(day.begin_s, tz=UTC) == datetime(2024, 3, 30, 22, tzinfo=UTC)
    assert day.end_s - day.begin_s == 82_800


def test_reversed_dates_unknown_kinds_and_times_without_a_zone_are_refused_in_a_line():
    with pytest.raises(InputError, match="ends on 2026-01-01, before it begins on 2026-02-01"):
        make_span(date(2026, 2, 1), date(2026, 1, 1), zone=CITY)
    with pytest.raises(InputError, match="period is 'fortnight': use one of day, week"):
        find_period("fortnight", date(2026, 1, 1), zone=CITY)
    with pytest.raises(InputError, match="without a zone"):
        find_period("day", date(2026, 1, 1), zone=CITY, at=datetime(2026, 1, 1))  # noqa: DTZ001


@given(
    st.sampled_from([kind for kind in PERIOD_KINDS if kind != "span"]),
    st.dates(date(2005, 1, 1), date(2040, 1, 1)),
    st.sampled_from([CITY, YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]),
    st.integers(0, 400 * 24),
)
def test_periods_of_a_kind_follow_one_another_without_a_gap(kind, day, zone, hours):
    period = find_period(kind, day, zone=zone)
    assert period.first <= day < period.until
    before = period_before(period)
    assert before.until == period.first
    assert before.end_s == period.begin_s
    assert period.length == len(period.days) == (period.until - period.first).days
    at = datetime.fromtimestamp(period.begin_s, tz=UTC) + timedelta(hours=hours)
    running = find_period(kind, day, zone=zone, at=at)
    assert running.end_s <= max(period.end_s, at.timestamp())
    assert period.begin_s <= running.end_s <= period.end_s
    other = same_part(before, running)
    assert other.length <= running.length or running.cut is None


def test_days_are_what_the_state_council_and_the_city_say():
    days = np.array(
        ["2026-02-14", "2026-02-16", "2026-02-21", "2026-02-07", "2026-11-20"], dtype="M8[D]"
    )
    # A make-up Saturday, New Year's Eve, a Saturday inside the holiday, a plain one, a Friday.
    assert day_kinds(days, CHINA).tolist() == [0, 2, 2, 1, 0]
    own = WorkingCalendar(overrides=((date(2026, 11, 20), False), (date(2026, 2, 7), True)))
    assert day_kinds(days, own).tolist() == [0, 2, 2, 0, 2]
    weekdays = WorkingCalendar(zone="America/New_York", basis="weekdays")
    assert day_kinds(days, weekdays).tolist() == [1, 0, 1, 1, 0]


def test_a_year_that_no_calendar_knows_has_weekdays():
    days = np.array(["2090-01-02", "2090-01-07"], dtype="M8[D]")
    assert day_kinds(days, CHINA).tolist() == [0, 1]


def test_weights_of_days_are_those_that_made_the_counts_whatever_the_months():
    """Workdays 10 and 30 a day in two months, weekends half of it."""
    kinds = np.array(([0] * 5 + [1] * 2) * 8, dtype=np.int8)
    months = np.repeat([0, 1], 28)
    rate = np.where(months == 0, 10.0, 30.0) * np.where(kinds == 1, 0.5, 1.0)
    weights, sure = fit_day_weights(rate, kinds, months)
    assert weights == pytest.approx([1, 0.5, 0.5])
    assert sure.tolist() == [True, True, False]
    # A month with more weekend days does not make weekends look busy.
    uneven = np.concatenate([np.flatnonzero(months == 0), np.flatnonzero(kinds == 1)])
    again, _ = fit_day_weights(rate[uneven], kinds[uneven], months[uneven])
    assert again == pytest.approx([1, 0.5, 0.5])


def test_too_few_days_of_a_kind_are_not_weighed():
    kinds = np.array([0, 0, 0, 0, 0, 1, 1], dtype=np.int8)
    weights, sure = fit_day_weights(np.full(7, 50.0), kinds, np.zeros(7, dtype=np.int64))
    assert weights.tolist() == [1, 1, 1]
    assert not sure.any()
