"""Deadlines worked out by hand, from the calendar on the wall.

Hours, unless a row says otherwise: 09:00-12:00 and 14:00-18:00, seven a day, Asia/Shanghai.

    Spring Festival 2026                        National Day 2026
    Fri 02-13  work                             Sun 09-20  work (make-up)
    Sat 02-14  work (make-up)                   Fri 09-25 to Sun 09-27  off (Mid-autumn)
    Sun 02-15 to Mon 02-23  off                 Mon 09-28 to Wed 09-30  work
    Tue 02-24 to Fri 02-27  work                Thu 10-01 to Wed 10-07  off
    Sat 02-28  work (make-up)                   Thu 10-08, Fri 10-09  work
    Sun 03-01  off, Mon 03-02  work             Sat 10-10  work (make-up), Sun 10-11  off

Also: Sun 01-04 and Sat 05-09 are worked, Fri 05-01 to Tue 05-05 are off.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from geo.deadlines import Limit, WorkingCalendar, find_deadline, find_deadlines, parse_hours

SHANGHAI = ZoneInfo("Asia/Shanghai")
UNIT = {"uh": "urgent_hours", "wh": "working_hours", "wd": "working_days", "nd": "natural_days"}


def shanghai(text):
    """A moment of 2026 as it is written here: 02-13 10:00."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


PLAIN = [
    # -- within a day and over night
    ("03-02 09:00", "2 wh", "03-02 11:00", "two hours of the morning"),
    ("03-02 11:00", "2 wh", "03-02 15:00", "one hour till lunch, one after it"),
    ("03-02 12:30", "1 wh", "03-02 15:00", "lunch does not count: 14:00 to 15:00"),
    ("03-02 14:00", "4 wh", "03-02 18:00", "used up at closing, so today and not tomorrow 09:00"),
    ("03-02 09:00", "3 wh", "03-02 12:00", "used up at lunch, so 12:00 and not 14:00"),
    ("03-02 08:00", "3 wh", "03-02 12:00", "before hours: counts from 09:00"),
    ("03-02 17:00", "4 wh", "03-03 12:00", "1 h today, 09:00 to 12:00 tomorrow"),
    ("03-02 17:00", "5 wh", "03-03 15:00", "1 h today, 3 h to lunch, 1 h after it"),
    ("03-02 20:00", "1 wh", "03-03 10:00", "after hours: counts from tomorrow 09:00"),
    ("03-02 09:00", "7 wh", "03-02 18:00", "the whole day"),
    ("03-02 09:00", "8 wh", "03-03 10:00", "the whole day and one hour"),
    ("03-02 17:45", "0.5 wh", "03-03 09:15", "a quarter today, a quarter tomorrow"),
    # -- weekend
    ("03-06 17:00", "2 wh", "03-09 10:00", "Friday 1 h, Monday 1 h"),
    ("03-07 10:00", "2 wh", "03-09 11:00", "Saturday: counts from Monday 09:00"),
    ("03-08 23:59", "0.5 wh", "03-09 09:30", "last minute of Sunday"),
    # -- Spring Festival
    ("02-13 17:00", "4 wh", "02-14 12:00", "Saturday 14 is worked"),
    ("02-14 17:00", "4 wh", "02-24 12:00", "1 h on the make-up day, nine days off, 3 h on Tuesday"),
    ("02-18 10:00", "2 wh", "02-24 11:00", "in the holiday: counts from Tuesday 24"),
    ("02-27 17:00", "2 wh", "02-28 10:00", "Saturday 28 is worked"),
    ("02-28 16:00", "4 wh", "03-02 11:00", "2 h on Saturday 28, Sunday off, 2 h on Monday"),
    # -- National Day, Mid-autumn, New Year
    ("09-30 16:00", "4 wh", "10-08 11:00", "2 h on Wednesday, a week off, 2 h on Thursday 8"),
    ("10-09 16:00", "10 wh", "10-12 10:00", "2 h Friday, 7 h Saturday 10, 1 h Monday"),
    ("09-19 10:00", "1 wh", "09-20 10:00", "Saturday off, Sunday 20 is worked"),
    ("09-24 17:00", "3 wh", "09-28 11:00", "1 h Thursday, Mid-autumn off, 2 h Monday"),
    ("01-04 16:00", "4 wh", "01-05 11:00", "Sunday 4 January is worked"),
    # -- working days: the day of the start does not count, closing time on the last
    (
        "03-02 00:00",
        "1 wd",
        "03-03 18:00",
        "first minute of Monday, the day of the start",
    ),
    ("03-02 17:59", "1 wd", "03-03 18:00", "last minute of Monday: just the same"),
    ("03-06 10:00", "1 wd", "03-09 18:00", "from Friday to Monday"),
    ("02-13 10:00", "1 wd", "02-14 18:00", "the make-up Saturday counts"),
    ("02-13 10:00", "2 wd", "02-24 18:00", "14, then 24"),
    ("02-13 10:00", "7 wd", "03-02 18:00", "14, 24, 25, 26, 27, 28, 03-02"),
    ("02-14 08:00", "1 wd", "02-24 18:00", "started on the last day before the holiday"),
    (
        "02-20 10:00",
        "1 wd",
        "02-24 18:00",
        "in the holiday: the first working day is day 1",
    ),
    ("02-02 09:00", "20 wd", "03-06 18:00", "4 + 5 of February, 14, five till 28, 03-02 to 03-06"),
    ("09-30 09:00", "2 wd", "10-09 18:00", "8, 9"),
    ("09-30 09:00", "3 wd", "10-10 18:00", "8, 9 and Saturday 10"),
    ("09-30 09:00", "4 wd", "10-12 18:00", "8, 9, 10; Sunday 11 is off"),
    ("09-18 15:00", "1 wd", "09-20 18:00", "Sunday 20 is worked"),
    ("09-24 15:00", "5 wd", "10-09 18:00", "28, 29, 30, 10-08, 10-09"),
    ("04-30 12:00", "4 wd", "05-09 18:00", "6, 7, 8 and Saturday 9 May"),
    # -- urgent hours never stop
    ("02-13 23:00", "2 uh", "02-14 01:00", "over midnight"),
    ("02-16 23:30", "1 uh", "02-17 00:30", "New Year's Eve"),
    ("09-30 18:00", "24 uh", "10-01 18:00", "into the holiday"),
    ("03-07 12:00", "0.5 uh", "03-07 12:30", "half an hour on a Saturday"),
    # -- natural days: the day of the start does not count, 24:00 of the last
    ("02-13 10:00", "3 nd", "02-17 00:00", "14, 15, 16, till midnight"),
    ("02-13 00:00", "1 nd", "02-15 00:00", "the 13th is the day of the start, the 14th day 1"),
    ("02-12 23:59", "1 nd", "02-14 00:00", "one minute earlier is another day"),
    ("09-30 09:00", "7 nd", "10-08 00:00", "the holiday counts"),
]


@pytest.mark.parametrize(
    ("start", "limit", "due", "why"), PLAIN, ids=[f"{r[0]} + {r[1]}: {r[3]}" for r in PLAIN]
)
def test_a_limit_ends_when_the_calendar_on_the_wall_says(start, limit, due, why):
    amount, unit = limit.split()
    found = find_deadline(shanghai(start), Limit(float(amount), UNIT[unit]))
    assert found == shanghai(due)


CLOCK = [
    ("02-13 10:00", "1 wd", "02-14 10:00", "the same time of the next working day"),
    ("02-13 10:00", "7 wd", "03-02 10:00", "14, 24, 25, 26, 27, 28, 03-02"),
    ("02-13 20:00", "1 wd", "02-14 18:00", "after hours: the seven hours of the next day"),
    ("02-14 15:00", "1 wd", "02-24 15:00", "3 h on the 14th, 4 h on the 24th"),
    ("03-02 09:00", "0.5 wd", "03-02 14:30", "three and a half hours"),
    ("02-13 10:00", "3 nd", "02-16 10:00", "three times round the clock"),
]


@pytest.mark.parametrize(
    ("start", "limit", "due", "why"), CLOCK, ids=[f"{r[0]} + {r[1]}: {r[3]}" for r in CLOCK]
)
def test_a_day_by_the_clock_is_the_working_time_of_one_day(start, limit, due, why):
    amount, unit = limit.split()
    found = find_deadline(shanghai(start), Limit(float(amount), UNIT[unit]), day_rule="clock")
    assert found == shanghai(due)


PAUSED = [
    ("03-02 09:00", "4 wh", [("03-02 10:00", "03-02 11:00")], "03-02 16:00", "15:00 and one hour"),
    ("03-02 09:00", "4 wh", [("03-02 11:00", "03-02 15:00")], "03-02 17:00", "lunch was not lost"),
    (
        "03-06 17:00",
        "2 wh",
        [("03-07 00:00", "03-09 00:00")],
        "03-09 10:00",
        "a paused weekend",
    ),
    (
        "03-02 09:00",
        "4 wh",
        [("03-02 08:00", "03-02 10:00")],
        "03-02 16:00",
        "began earlier",
    ),
    (
        "03-02 09:00",
        "4 wh",
        [("03-01 08:00", "03-01 18:00")],
        "03-02 15:00",
        "ended before",
    ),
    (
        "03-02 09:00",
        "4 wh",
        [("03-02 15:00", "03-02 17:00")],
        "03-02 15:00",
        "at the deadline",
    ),
    ("03-02 09:00", "4 wh", [("03-02 16:00", "03-02 17:00")], "03-02 15:00", "comes too late"),
    (
        "03-02 09:00",
        "4 wh",
        [("03-02 10:30", "03-02 11:30"), ("03-02 10:00", "03-02 11:00")],
        "03-02 16:30",
        "two that overlap are one and a half hours",
    ),
    (
        "03-02 09:00",
        "4 wh",
        [("03-02 10:00", "03-02 11:00"), ("03-02 15:30", "03-02 16:30")],
        "03-02 17:00",
        "the first brings 16:00, so the second counts too",
    ),
    (
        "03-02 09:00",
        "4 wh",
        [("03-02 10:00", "03-02 11:00"), ("03-02 16:00", "03-02 17:00")],
        "03-02 16:00",
        "the first brings 16:00, so the second is too late",
    ),
    ("03-02 09:00", "4 wh", [("03-02 10:00", None)], None, "postponed, and nobody said until when"),
    ("03-02 09:00", "4 wh", [("03-02 15:00", None)], "03-02 15:00", "an open one, too late"),
    (
        "02-13 10:00",
        "7 wd",
        [("02-24 09:00", "02-26 09:00")],
        "03-04 18:00",
        "03-02 18:00 and the 14 hours of two days",
    ),
    (
        "02-13 10:00",
        "2 wd",
        [("02-15 00:00", "02-24 00:00")],
        "02-24 18:00",
        "a pause of the whole holiday is no working time",
    ),
    ("02-13 23:00", "2 uh", [("02-13 23:30", "02-14 02:00")], "02-14 03:30", "01:00 + 2.5 h"),
    (
        "02-13 10:00",
        "3 nd",
        [("02-14 08:00", "02-14 20:00")],
        "02-17 12:00",
        "midnight + 12 hours",
    ),
]


@pytest.mark.parametrize(
    ("start", "limit", "pauses", "due", "why"),
    PAUSED,
    ids=[f"{r[0]} + {r[1]}: {r[4]}" for r in PAUSED],
)
def test_a_postponed_case_gets_back_what_fell_into_the_pause(start, limit, pauses, due, why):
    amount, unit = limit.split()
    spans = [(shanghai(a), None if b is None else shanghai(b)) for a, b in pauses]
    found = find_deadline(shanghai(start), Limit(float(amount), UNIT[unit]), pauses=spans)
    assert found == (None if due is None else shanghai(due))


def test_the_table_and_the_single_case_agree_on_every_row_worked_by_hand():
    rows = [(s, lim, [], due) for s, lim, due, _ in PLAIN]
    rows += [(s, lim, p, due) for s, lim, p, due, _ in PAUSED]
    cases = pd.DataFrame(
        {
            "start": [shanghai(row[0]) for row in rows],
            "amount": [float(row[1].split()[0]) for row in rows],
            "unit": [UNIT[row[1].split()[1]] for row in rows],
        },
        index=[f"case-{k}" for k in range(len(rows))],
    )
    pauses = pd.DataFrame(
        [
            (f"case-{k}", shanghai(a), pd.NaT if b is None else shanghai(b))
            for k, row in enumerate(rows)
            for a, b in row[2]
        ],
        columns=["incident_id", "start", "end"],
    )
    found = find_deadlines(cases, pauses=pauses)["deadline"]
    wanted = [pd.NaT if row[3] is None else shanghai(row[3]) for row in rows]
    expected = pd.Series(wanted, index=cases.index).dt.tz_convert("UTC").astype(found.dtype)
    pd.testing.assert_series_equal(found, expected, check_names=False)
    assert len(rows) >= 60


def test_midnight_in_shanghai_and_not_in_greenwich_ends_the_day_of_the_start():
    # 15:59 UTC is Friday 13 23:59 in Shanghai, so Saturday 14 is day 1;
    # 16:00 UTC is Saturday 14 00:00, so Tuesday 24 is.
    one_day = Limit(1, "working_days")
    late = find_deadline(datetime.fromisoformat("2026-02-13T15:59:00+00:00"), one_day)
    early = find_deadline(datetime.fromisoformat("2026-02-13T16:00:00+00:00"), one_day)
    assert (late, early) == (shanghai("02-14 18:00"), shanghai("02-24 18:00"))


def test_hours_are_meant_in_the_zone_of_the_calendar():
    # 09:00 in Urumqi (+06) is 11:00 in Shanghai; its morning ends at 12:00 there, 14:00 here.
    urumqi = WorkingCalendar(zone="Asia/Urumqi")
    found = find_deadline(shanghai("03-02 11:00"), Limit(3, "working_hours"), calendar=urumqi)
    assert found == shanghai("03-02 14:00")


@pytest.mark.parametrize(
    ("limit", "day_rule", "due"),
    [
        (Limit(24, "urgent_hours"), "clock", "2026-03-08T13:00:00-04:00"),
        (Limit(1, "natural_days"), "clock", "2026-03-08T12:00:00-04:00"),
        (Limit(1, "natural_days"), "end_of_day", "2026-03-09T00:00:00-04:00"),
        (Limit(1, "working_hours"), "clock", "2026-03-09T10:00:00-04:00"),
    ],
    ids=["24 hours are 24 hours", "the wall says noon", "till midnight", "Monday morning"],
)
def test_a_day_on_which_the_clocks_change_has_23_hours(limit, day_rule, due):
    # New York went from -05 to -04 on Sunday 2026-03-08 at 02:00; the start is Saturday noon.
    new_york = WorkingCalendar(zone="America/New_York", basis="weekdays")
    start = datetime.fromisoformat("2026-03-07T12:00:00-05:00")
    found = find_deadline(start, limit, calendar=new_york, day_rule=day_rule)
    assert found == datetime.fromisoformat(due)


def test_a_city_sets_its_own_hours():
    # 08:30-12:00 and 14:30-17:30: three and a half in the morning, half an hour of the afternoon
    early = WorkingCalendar(hours=parse_hours("08:30-12:00, 14:30-17:30"))
    found = find_deadline(shanghai("03-02 08:30"), Limit(4, "working_hours"), calendar=early)
    assert found == shanghai("03-02 15:00")


def test_work_round_the_clock_on_working_days_ends_at_midnight():
    whole = WorkingCalendar(hours=parse_hours("00:00-24:00"))
    # Friday 13 22:00: 2 h left of it, then 24 h of the make-up Saturday
    found = find_deadline(shanghai("02-13 22:00"), Limit(26, "working_hours"), calendar=whole)
    assert found == shanghai("02-15 00:00")
