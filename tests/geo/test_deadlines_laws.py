"""Laws of deadlines on any case, and a slow twin that walks minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.deadlines import (
    UNITS,
    Limit,
    WorkingCalendar,
    find_deadline,
    find_deadlines,
    measure_working_s,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
# The notice of the State Council for 2026, typed in here so that the twin stands on its own.
OFF_2026 = [
    ("01-01", "01-03"), ("02-15", "02-23"), ("04-04", "04-06"), ("05-01", "05-05"),
    ("06-19", "06-21"), ("09-25", "09-27"), ("10-01", "10-07"),
]  # fmt: skip
WORKED_2026 = ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
EARLIEST = datetime(2026, 1, 1, tzinfo=SHANGHAI)


def is_worked_day(day: date) -> bool:
    text = day.strftime("%m-%d")
    if text in WORKED_2026:
        return True
    return day.weekday() < 5 and not any(a <= text <= b for a, b in OFF_2026)


def is_worked_minute(minute: datetime) -> bool:
    return is_worked_day(minute.date()) and (9 <= minute.hour < 12 or 14 <= minute.hour < 18)


def walk(start, minutes, pauses, counts):
    """Go minute by minute until so many have counted."""
    now, left = start, minutes
    while left:
        inside = any(a <= now < b for a, b in pauses)
        if counts(now) and not inside:
            left -= 1
        now += MINUTE
    return now


def minutes_between(start, end, counts):
    steps = int((end - start) / MINUTE)
    return sum(counts(start + k * MINUTE) for k in range(steps))


def slow_deadline(start, amount, unit, pauses, day_rule):
    counts = is_worked_minute if unit.startswith("working") else (lambda _: True)
    if unit.endswith("hours"):
        return walk(start, amount * 60, pauses, counts)
    if day_rule == "clock":
        return walk(start, amount * (7 if unit == "working_days" else 24) * 60, pauses, counts)
    day, left = start.date(), amount
    while left:
        day += timedelta(days=1)
        left -= unit == "natural_days" or is_worked_day(day)
    end = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    end += timedelta(hours=24 if unit == "natural_days" else 18)
    return walk(start, minutes_between(start, end, counts), pauses, counts)


minutes_of_2026 = st.integers(0, 300 * 24 * 60).map(lambda m: EARLIEST + m * MINUTE)


@st.composite
def cases(draw, max_pauses=3):
    start = draw(minutes_of_2026)
    unit = draw(st.sampled_from(UNITS))
    amount = draw(st.integers(1, 12 if unit.endswith("hours") else 5))
    pauses = []
    for _ in range(draw(st.integers(0, max_pauses))):
        begin = start + draw(st.integers(-600, 5000)) * MINUTE
        pauses.append((begin, begin + draw(st.integers(0, 3000)) * MINUTE))
    return start, amount, unit, pauses


@settings(max_examples=60, deadline=None)
@given(case=cases(), day_rule=st.sampled_from(["end_of_day", "clock"]))
def test_the_ruler_agrees_with_a_walk_minute_by_minute(case, day_rule):
    start, amount, unit, pauses = case
    fast = find_deadline(start, Limit(amount, unit), pauses=pauses, day_rule=day_rule)
    assert fast == slow_deadline(start, amount, unit, pauses, day_rule)


@settings(max_examples=100, deadline=None)
@given(case=cases(), more=cases(max_pauses=1), day_rule=st.sampled_from(["end_of_day", "clock"]))
def test_more_pause_never_makes_a_case_due_earlier(case, more, day_rule):
    start, amount, unit, pauses = case
    limit = Limit(amount, unit)
    before = find_deadline(start, limit, pauses=pauses, day_rule=day_rule)
    shift = start - more[0]
    extra = [(a + shift, b + shift) for a, b in more[3]]
    after = find_deadline(start, limit, pauses=pauses + extra, day_rule=day_rule)
    stretched = [(a, b + timedelta(hours=5)) for a, b in pauses]
    longer = find_deadline(start, limit, pauses=stretched, day_rule=day_rule)
    endless = find_deadline(start, limit, pauses=[(a, None) for a, _ in pauses], day_rule=day_rule)
    assert before <= after
    assert before <= longer
    assert endless is None or endless == find_deadline(start, limit, day_rule=day_rule)


@settings(max_examples=100, deadline=None)
@given(case=cases(), more=st.integers(1, 10), day_rule=st.sampled_from(["end_of_day", "clock"]))
def test_a_longer_limit_or_a_later_start_is_never_due_earlier(case, more, day_rule):
    start, amount, unit, pauses = case
    due = find_deadline(start, Limit(amount, unit), pauses=pauses, day_rule=day_rule)
    longer = find_deadline(start, Limit(amount + more, unit), pauses=pauses, day_rule=day_rule)
    later = find_deadline(start + more * MINUTE, Limit(amount, unit), day_rule=day_rule)
    assert start < due < longer
    assert later >= find_deadline(start, Limit(amount, unit), day_rule=day_rule)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.lists(cases(), min_size=1, max_size=12),
    day_rule=st.sampled_from(["end_of_day", "clock"]),
    seed=st.integers(0, 9),
)
def test_a_table_gives_what_each_case_gives_alone_in_any_order(batch, day_rule, seed):
    table = pd.DataFrame(
        {
            "start": [case[0] for case in batch],
            "amount": [float(case[1]) for case in batch],
            "unit": [case[2] for case in batch],
        }
    )
    pauses = pd.DataFrame(
        [(k, a, b) for k, case in enumerate(batch) for a, b in case[3]],
        columns=["incident_id", "start", "end"],
    )
    order = np.random.default_rng(seed).permutation(len(batch))
    shuffled = pauses.sample(frac=1, random_state=seed)
    found = find_deadlines(table.iloc[order], pauses=shuffled, day_rule=day_rule)["deadline"]
    for k, (start, amount, unit, spans) in enumerate(batch):
        alone = find_deadline(start, Limit(amount, unit), pauses=spans, day_rule=day_rule)
        assert found[k] == alone


@settings(max_examples=60, deadline=None)
@given(case=cases(max_pauses=0))
def test_the_working_time_up_to_a_deadline_in_working_hours_is_the_limit(case):
    start, amount, _, _ = case
    due = find_deadline(start, Limit(amount, "working_hours"))
    times = pd.Series(pd.to_datetime([start, due], utc=True))
    worked = measure_working_s(times[:1], times[1:].set_axis([0]))
    back = measure_working_s(times[1:].set_axis([0]), times[:1])
    assert worked.tolist() == [amount * 3600.0]
    assert back.tolist() == [-amount * 3600.0]


def test_seconds_and_microseconds_are_kept():
    start = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=SHANGHAI)
    due = find_deadline(start, Limit(2, "working_hours"))
    assert due == datetime(2026, 3, 2, 3, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("unit", UNITS)
def test_a_hundred_thousand_cases_are_the_same_as_their_first_hundred(unit):
    # the ruler of a large table reaches over more years and must not shift the answers
    rng = np.random.default_rng(7)
    days = pd.to_timedelta(rng.integers(0, 4 * 365 * 86400, 100_000), unit="s")
    table = pd.DataFrame(
        {
            "start": pd.Timestamp("2022-06-01", tz="UTC") + pd.Series(days),
            "amount": rng.integers(1, 20, len(days)).astype(float),
            "unit": unit,
        }
    )
    calendar = WorkingCalendar()
    all_at_once = find_deadlines(table, calendar=calendar)["deadline"]
    for k in range(100):
        alone = find_deadlines(table.iloc[[k]], calendar=calendar)["deadline"]
        assert alone.iloc[0] == all_at_once.iloc[k]
