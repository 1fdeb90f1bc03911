"""Laws of the figures on any city, and the slow obvious way beside the fast one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.deadlines import read_clock
from geo.figures import (
    COUNTS,
    count_units,
    find_trend,
    mark_cases,
    midnight,
    next_change,
    rate_per_1000,
    sum_grids,
)
from geo.incidents import OPEN_STAGES
from geo.schema import STAGES

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 21, 14, 0, tzinfo=ZONE)
GRIDS = [f"g{k}" for k in range(6)]

minutes = st.integers(-60 * 24 * 40, 60 * 24 * 5)
maybe = st.none() | minutes


@st.composite
def cities(draw):
    """Cases with the grid of each, and grids with their households."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(STAGES), minutes, maybe, maybe, maybe,
                      st.none() | st.sampled_from(GRIDS)),
            max_size=25,
        )
    )  # fmt: skip
    names = ["stage", "reported_at", "deadline", "closed_at", "paused_until", "grid"]
    frame = pd.DataFrame(rows, columns=names)
    for name in names[1:5]:
        moments = [
            None if v is None or pd.isna(v) else AT + timedelta(minutes=int(v)) for v in frame[name]
        ]
        frame[name] = pd.to_datetime(pd.Series(moments, dtype=object), utc=True)
    frame.index = pd.Index([f"i{k}" for k in range(len(frame))], name="incident_id")
    known = draw(st.lists(st.none() | st.integers(0, 500), min_size=6, max_size=6))
    grids = pd.DataFrame(
        {
            "households": pd.array(known, dtype="Int64"),
            "population": pd.array(known, dtype="Int64"),
        },
        index=GRIDS,
    )
    return frame.drop(columns="grid"), frame["grid"].astype(object), grids


def slowly(case, at):
    """What one case counts as, read aloud."""

    def ago(**span):
        return at - timedelta(**span)

    due, closed, reported = (
        None if pd.isna(case[n]) else case[n].to_pydatetime()
        for n in ("deadline", "closed_at", "reported_at")
    )
    is_open = case["stage"] in OPEN_STAGES
    is_closed = case["stage"] == "closed"
    stands = not pd.isna(case["paused_until"]) and case["paused_until"] > at
    clock = read_clock(due, at=at, is_paused=stands) if is_open else None
    counts = set()
    if is_open:
        counts.add("open")
        if clock.state in ("soon", "paused"):
            counts.add(clock.state)
        if clock.state == "late":
            counts.add("overdue")
    if midnight(at) <= reported <= at:
        counts.add("today")
    if midnight(ago(days=7)) <= reported <= ago(days=7):
        counts.add("week_ago")
    if ago(days=30) <= reported <= at:
        counts.add("reported_30d")
    fell_due = due is not None and ago(days=30) <= due < at
    closed_now = closed is not None and is_closed and ago(days=30) <= closed <= at
    if (fell_due and case["stage"] != "cancelled") or (closed_now and due is not None):
        counts.add("due_30d")
        if is_closed and closed is not None and closed <= due:
            counts.add("in_time_30d")
    return counts


@given(cities())
@settings(max_examples=60, deadline=None)
def test_marks_are_those_of_the_slow_way(city):
    cases, _, _ = city
    marks = mark_cases(cases, at=AT)
    for label, case in cases.iterrows():
        assert {n for n in COUNTS if marks.at[label, n]} == slowly(case, AT), label


@given(cities(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_every_column_of_every_level_adds_up_to_the_city(city, levels):
    cases, grid, _ = city
    marks = mark_cases(cases, at=AT)
    whole = {name: int(marks[name].sum()) for name in COUNTS}
    for level in range(levels):
        unit = grid.map(lambda g, n=level: f"u{int(g[1]) // 2**n}" if isinstance(g, str) else None)
        units = pd.Index(sorted({u for u in unit if isinstance(u, str)}))
        table = count_units(marks, unit, units)
        assert {name: int(table[name].sum()) for name in COUNTS} == whole
        by_category = count_units(marks, unit.astype("category"), units)
        pd.testing.assert_frame_equal(table, by_category)


@given(cities())
@settings(max_examples=60, deadline=None)
def test_counts_by_unit_are_those_of_a_group_by(city):
    cases, grid, _ = city
    marks = mark_cases(cases, at=AT)
    table = count_units(marks, grid, pd.Index(GRIDS))
    slow = marks[list(COUNTS)].groupby(grid.fillna("").to_numpy()).sum()
    slow = slow.reindex([*GRIDS, ""], fill_value=0)
    assert (table[list(COUNTS)].to_numpy() == slow.to_numpy()).all()


@given(cities())
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_means_nothing(city):
    cases, grid, _ = city
    marks, turned = mark_cases(cases, at=AT), mark_cases(cases[::-1], at=AT)
    pd.testing.assert_frame_equal(marks, turned[::-1])
    units = pd.Index(GRIDS)
    pd.testing.assert_frame_equal(
        count_units(marks, grid, units), count_units(turned, grid[::-1], units)
    )


@given(cities())
@settings(max_examples=60, deadline=None)
def test_nothing_changes_before_the_next_change(city):
    cases, _, _ = city
    change = next_change(cases, at=AT)
    ongoing = cases[cases["stage"].isin(OPEN_STAGES)]
    before = mark_cases(ongoing, at=AT)["state"].tolist()
    last = change - timedelta(microseconds=1) if change else AT + timedelta(days=30)
    assert mark_cases(ongoing, at=last)["state"].tolist() == before
    if change:
        tried = mark_cases(ongoing, at=change)["state"].tolist()
        after = mark_cases(ongoing, at=change + timedelta(microseconds=1))["state"].tolist()
        # A clock that stands hides the change behind it.
        assert tried != before or after != before or "paused" in before or "late" in before


@given(cities())
@settings(max_examples=60, deadline=None)
def test_households_known_and_unknown_make_all_grids(city):
    _, _, grids = city
    unit = pd.Series(["u0", "u0", "u0", "u1", "u1", None], index=GRIDS)
    table = sum_grids(grids, unit, pd.Index(["u0", "u1"]))
    assert table["grids"].sum() == 6
    assert table["households"].sum() == grids["households"].sum()
    assert table["households_unknown"].sum() == grids["households"].isna().sum()
    whole_unknown = table["grids"] == table["households_unknown"]
    assert (table["households"].isna() == whole_unknown).all()


@given(st.integers(0, 50), st.integers(1, 5000), st.integers(0, 50), st.integers(1, 5000))
def test_the_rate_of_two_units_together_lies_between_theirs(one, homes, other, more):
    rate = rate_per_1000(
        pd.Series([one, other, one + other]), pd.Series([homes, more, homes + more])
    )
    assert min(rate[0], rate[1]) - 0.1 <= rate[2] <= max(rate[0], rate[1]) + 0.1


@given(cities())
@settings(max_examples=60, deadline=None)
def test_a_trend_counts_what_the_slow_way_counts(city):
    cases, _, _ = city
    trend = find_trend(cases, at=AT)
    local = [t.astimezone(ZONE) for t in cases["reported_at"].dt.to_pydatetime()]
    for day, count in zip(trend.days, trend.reported, strict=True):
        assert count == sum(t.date() == day.date() for t in local)
    today = [t for t in local if t.date() == AT.date()]
    assert trend.today_by_hour.tolist() == [sum(t.hour == h for t in today) for h in range(15)]
    assert trend.this_7d == sum(midnight(AT, 6) <= t <= AT for t in local)
    assert trend.this_30d == sum(midnight(AT, 29) <= t <= AT for t in local)
    closed = [
        t.astimezone(ZONE).date()
        for t, stage in zip(cases["closed_at"], cases["stage"], strict=True)
        if stage == "closed" and not pd.isna(t)
    ]
    assert trend.closed.tolist() == [closed.count(day.date()) for day in trend.days]


def test_a_trend_counts_local_days_where_the_clocks_go_back():
    """Berlin, 25 October 2026, has 25 hours; every case is counted once."""
    zone = ZoneInfo("Europe/Berlin")
    at = datetime(2026, 10, 26, 12, tzinfo=zone)
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    times = pd.Series(pd.date_range(start, periods=25, freq="1h"))
    cases = pd.DataFrame({"reported_at": times, "closed_at": pd.NaT, "stage": "opened"})
    cases["closed_at"] = pd.to_datetime(cases["closed_at"], utc=True)
    trend = find_trend(cases, at=at)
    assert trend.reported[-2:].tolist() == [25, 0]
    assert int(np.sum(trend.reported)) == 25
