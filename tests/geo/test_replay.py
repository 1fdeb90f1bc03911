"""Replay against slow, obvious twins. The drawing:

y 200 |        a 100 m square from (100, 100) to (200, 200), a street apart
      |    +-----+
  150 |  ->|-----|->   w1 walks along y = 150 from x = 0 to 300 at 1 m/s, a fix every 60 s
      |    +-----+
  100 |
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, InputError
from geo.fixes import RULES
from geo.replay import AWAY, JOINED, SEEN, SILENT, ReplayDay, build_replay

DAY = datetime(2026, 11, 21, tzinfo=UTC)
SQUARE = shapely.box(100, 100, 200, 200)
GAP, HOLD, LOST = 300.0, 60.0, 3600.0
NO_RULES: tuple[Any, ...] = ()


def at(seconds: float) -> datetime:
    return DAY + timedelta(seconds=seconds)


def frame(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    """Rows of worker, second, x, y; a degree is 100 km here, which only has to be the same."""
    return pd.DataFrame(
        {
            "worker_id": [row[0] for row in rows],
            "time": pd.DatetimeIndex([at(row[1]) for row in rows], dtype="datetime64[us, UTC]"),
            "x": [float(row[2]) for row in rows],
            "y": [float(row[3]) for row in rows],
            "lon": [row[2] / 1e5 for row in rows],
            "lat": [row[3] / 1e5 for row in rows],
        }
    )


def build(rows: list[tuple[str, float, float, float]], **told: Any) -> ReplayDay:
    return build_replay(frame(rows), DAY, DAY + timedelta(days=1), **told)


@pytest.fixture
def walk() -> ReplayDay:
    """w1 of the drawing."""
    return build([("w1", 60 * k, 60 * k, 150) for k in range(6)])


# --- slices -------------------------------------------------------------------------------------


def test_between_two_fixes_a_worker_is_on_the_straight_way(walk: ReplayDay) -> None:
    found = walk.slice(at(0), at(90), step_s=30)
    assert found.lon[0].tolist() == [0, 30 * 100, 60 * 100, 90 * 100]
    assert found.lat[0].tolist() == [15000] * 4
    assert found.state[0].tolist() == [SEEN, JOINED, JOINED, JOINED]


def test_no_line_goes_through_an_outage() -> None:
    day = build([("w1", 0, 0, 0), ("w1", 600, 600, 0), ("w1", 660, 660, 0)])
    found = day.slice(at(0), at(660), step_s=60)
    assert found.state[0].tolist() == [SEEN, JOINED, *[SILENT] * 8, SEEN, JOINED]
    assert found.lon[0].tolist() == [0] * 10 + [60000, 66000]


def test_a_gap_between_two_moments_parts_them() -> None:
    """At 400 s steps both moments have signal, and yet nobody knows the way between them."""
    day = build([("w1", 0, 0, 0), ("w1", 20, 9, 0), ("w1", 380, 99, 0), ("w1", 400, 100, 0)])
    assert day.slice(at(0), at(400), step_s=400).state[0].tolist() == [SEEN, SEEN]


def test_the_silent_stand_for_an_hour_and_are_then_not_drawn(walk: ReplayDay) -> None:
    last = 300
    found = walk.slice(at(last), at(last + 3660), step_s=60)
    assert found.state[0].tolist() == [SEEN, JOINED, *[SILENT] * 59, AWAY]


def test_before_the_first_fix_nobody_is_anywhere(walk: ReplayDay) -> None:
    day = build([("w1", 100, 0, 0)])
    assert day.slice(at(0), at(120), step_s=60).state[0].tolist() == [AWAY, AWAY, SEEN]


def test_a_box_leaves_out_who_is_in_it_at_none_of_the_moments() -> None:
    day = build([("here", 0, 10, 10), ("there", 0, 1000, 10)])
    found = day.slice(at(0), at(0), (0.0, 0.0, 0.001, 0.001))
    assert day.names[found.rows].tolist() == ["here"]


def test_too_many_places_double_the_step_and_leave_nobody_out() -> None:
    day = build([(f"w{k}", 0, k, 0) for k in range(10)])
    found = day.slice(at(0), at(100), step_s=10, most=40)
    assert (len(found), found.step_s, found.moments) == (10, 40.0, 3)


def test_a_slice_without_zone_or_step_is_refused(walk: ReplayDay) -> None:
    with pytest.raises(InputError, match="without a zone"):
        walk.slice(at(0).replace(tzinfo=None), at(9))
    with pytest.raises(InputError, match=r"step of 0\.001 s"):
        walk.slice(at(0), at(9), step_s=0)


def slow_slice(rows: list[Any], moments: list[float]) -> dict[str, list[tuple[int, float, float]]]:
    """The rule read out: state and place by worker."""
    told: dict[str, list[tuple[int, float, float]]] = {}
    for worker in sorted({row[0] for row in rows}):
        mine = sorted((row[1], row[2], row[3]) for row in rows if row[0] == worker)
        places, before = [], None
        for moment in moments:
            past = [fix for fix in mine if fix[0] <= moment]
            if not past:
                places.append((AWAY, 0.0, 0.0))
                before = None
                continue
            last = past[-1]
            later = [fix for fix in mine if fix[0] > moment]
            x, y = last[1], last[2]
            if later and later[0][0] - last[0] <= GAP:
                share = (moment - last[0]) / (later[0][0] - last[0])
                x, y = x + share * (later[0][1] - x), y + share * (later[0][2] - y)
                seen = True
            else:
                seen = moment - last[0] <= HOLD
            if not seen and moment - last[0] > LOST:
                places.append((AWAY, 0.0, 0.0))
                before = None
                continue
            between = [
                b[0] - a[0]
                for a, b in pairwise(mine)
                if before is not None and b[0] > before and a[0] < moment and b[0] <= moment
            ]
            joined = before is not None and all(apart <= GAP for apart in between)
            places.append((SILENT if not seen else JOINED if joined else SEEN, x, y))
            before = moment if seen else None
        told[worker] = places
    return told


NUMBERS = st.integers(0, 900)
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 9000), NUMBERS, NUMBERS),
    min_size=1,
    max_size=40,
    unique_by=lambda row: (row[0], row[1]),
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, begin=st.integers(0, 5000), step=st.integers(1, 900), count=st.integers(1, 9))
def test_a_slice_is_what_the_rule_says(rows: list[Any], begin: int, step: int, count: int) -> None:
    day = build(rows, rules=NO_RULES)
    found = day.slice(at(begin), at(begin + step * (count - 1)), step_s=step)
    told = slow_slice(rows, [begin + step * k for k in range(count)])
    assert day.names.tolist() == list(told)
    for number, places in enumerate(told.values()):
        assert found.state[number].tolist() == [place[0] for place in places]
        for k, (state, x, y) in enumerate(places):
            if state != AWAY:
                assert abs(found.lon[number, k] - x * 100) <= 1
                assert abs(found.lat[number, k] - y * 100) <= 1


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cut=st.integers(1, 8))
def test_two_slices_side_by_side_are_one(rows: list[Any], cut: int) -> None:
    """But for the first moment of the second, which does not know the one before."""
    day = build(rows, rules=NO_RULES)
    whole = day.slice(at(0), at(9000), step_s=1000)
    left, right = (
        day.slice(at(0), at(cut * 1000), step_s=1000),
        day.slice(at(cut * 1000), at(9000), step_s=1000),
    )
    assert np.array_equal(whole.lon[:, : cut + 1], left.lon)
    assert np.array_equal(whole.lon[:, cut:], right.lon)
    assert np.array_equal(whole.state[:, : cut + 1], left.state)
    assert np.array_equal(whole.state[:, cut + 1 :], right.state[:, 1:])


# --- who passed ----------------------------------------------------------------------------------


def test_a_walk_through_the_square_is_told_to_the_second(walk: ReplayDay) -> None:
    found = walk.passed_here(SQUARE, at(0), at(3600))
    row = found.table.loc["w1"]
    assert (row["first"], row["last"]) == (pd.Timestamp(at(100)), pd.Timestamp(at(200)))
    assert row["minutes"] == pytest.approx(100 / 60)
    assert row["nearest_m"] == pytest.approx(0, abs=0.02)


def test_the_way_counts_where_no_fix_fell_into_the_area() -> None:
    """Fixes at x = 90 and 210 only; the square lies between."""
    day = build([("w1", 0, 90, 120), ("w1", 120, 210, 120)])
    row = day.passed_here(SQUARE, at(0), at(600)).table.loc["w1"]
    assert (row["first"], row["minutes"]) == (pd.Timestamp(at(10)), pytest.approx(100 / 60))
    assert row["nearest_m"] == pytest.approx(30, abs=0.02)


def test_the_span_cuts_the_way(walk: ReplayDay) -> None:
    row = walk.passed_here(SQUARE, at(130), at(150)).table.loc["w1"]
    assert (row["first"], row["last"]) == (pd.Timestamp(at(130)), pd.Timestamp(at(150)))
    assert walk.passed_here(SQUARE, at(210), at(250)).table.empty


def test_a_circle_is_a_point_with_a_radius(walk: ReplayDay) -> None:
    row = walk.passed_here(shapely.Point(150, 160), at(0), at(600), radius_m=math.hypot(30, 10))
    assert row.table.loc["w1", "minutes"] == pytest.approx(1)
    assert row.table.loc["w1", "nearest_m"] == pytest.approx(10, abs=0.02)


def test_an_area_of_two_parts_counts_both(walk: ReplayDay) -> None:
    parts = shapely.MultiPolygon([shapely.box(50, 100, 80, 200), shapely.box(250, 100, 260, 200)])
    row = walk.passed_here(parts, at(0), at(600)).table.loc["w1"]
    assert (row["first"], row["last"]) == (pd.Timestamp(at(50)), pd.Timestamp(at(260)))
    assert row["minutes"] == pytest.approx(40 / 60)


def test_a_hole_is_not_in_the_area(walk: ReplayDay) -> None:
    ring = shapely.Polygon(
        SQUARE.exterior.coords, [shapely.box(120, 120, 180, 180).exterior.coords]
    )
    found = walk.passed_here(ring, at(0), at(600)).table.loc["w1"]
    assert found["minutes"] == pytest.approx(40 / 60)
    assert found["nearest_m"] == pytest.approx(30, abs=0.02)


def test_through_a_silence_nobody_is_said_to_have_passed_but_it_is_said_that_it_may_be() -> None:
    day = build([("w1", 0, 0, 150), ("w1", 600, 300, 150), ("w2", 0, 0, 0), ("w2", 60, 1, 0)])
    found = day.passed_here(SQUARE, at(0), at(600))
    assert found.table.empty
    assert found.unknown.index.tolist() == ["w1", "w2"]
    assert found.unknown["silent_minutes"].tolist() == [10, 9]
    assert found.unknown.loc["w1", "from_m"] == pytest.approx(100)


def test_who_was_too_far_to_come_and_go_is_not_unknown() -> None:
    """Ten minutes at 50 km/h are 8.3 km; there and back are 20 km."""
    day = build([("w1", 0, 10_000, 150), ("w1", 600, 10_000, 150)])
    assert day.passed_here(SQUARE, at(0), at(600)).unknown.empty


def test_a_lone_fix_in_the_area_is_a_pass_of_no_minutes() -> None:
    day = build([("w1", 1000, 150, 150)])
    row = day.passed_here(SQUARE, at(0), at(1200)).table.loc["w1"]
    assert (row["first"], row["minutes"]) == (pd.Timestamp(at(1000)), 0)


def slow_pass(
    rows: list[Any], area: shapely.Geometry, begin: float, end: float
) -> dict[str, tuple[float, float, float]]:
    """First, last and seconds inside by worker, by shapely step by step."""
    told: dict[str, tuple[float, float, float]] = {}
    for worker in sorted({row[0] for row in rows}):
        mine = sorted((row[1], row[2], row[3]) for row in rows if row[0] == worker)
        spans = []
        for (t0, x0, y0), (t1, x1, y1) in pairwise(mine):
            if t1 - t0 > GAP or t1 <= begin or t0 >= end:
                continue
            low, high = max(0.0, (begin - t0) / (t1 - t0)), min(1.0, (end - t0) / (t1 - t0))
            if (x0, y0) == (x1, y1):
                if shapely.contains_xy(area, x0, y0):
                    spans.append((t0 + low * (t1 - t0), t0 + high * (t1 - t0)))
                continue
            part = shapely.LineString([(x0, y0), (x1, y1)]).intersection(area)
            length = math.hypot(x1 - x0, y1 - y0)
            for line in shapely.get_parts(part):
                if line.is_empty:
                    continue
                ends = [
                    math.hypot(x - x0, y - y0) / length for x, y in shapely.get_coordinates(line)
                ]
                a, b = max(min(ends), low), min(max(ends), high)
                if b > a:
                    spans.append((t0 + a * (t1 - t0), t0 + b * (t1 - t0)))
        # A fix is a pass by itself, also where the silences beside it are too long for a way.
        spans += [
            (t, t) for t, x, y in mine if begin <= t <= end and shapely.contains_xy(area, x, y)
        ]
        if spans:
            seconds = sum(b - a for a, b in spans)
            told[worker] = (min(a for a, _ in spans), max(b for _, b in spans), seconds)
    return told


CORNERS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=6, unique=True)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, corners=CORNERS, begin=st.integers(0, 6000), length=st.integers(10, 6000))
@example(
    rows=[("a", 241, 41, 161), ("a", 0, 0, 0), ("a", 542, 14, 52)],
    corners=[(83, 330), (0, 0), (1, 0)], begin=240, length=303,
)  # fmt: skip
def test_who_passed_is_what_shapely_says_step_by_step(
    rows: list[Any], corners: list[tuple[int, int]], begin: int, length: int
) -> None:
    # A third of a metre beside every fix, so that nothing lies on an edge.
    area = shapely.MultiPoint([(x + 0.31, y + 0.37) for x, y in corners]).convex_hull
    if area.area < 1:
        return
    day = build(rows, rules=NO_RULES)
    found = day.passed_here(area, at(begin), at(begin + length)).table
    told = slow_pass(rows, area, begin, begin + length)
    for worker, (first, last, seconds) in told.items():
        if seconds < 0.1:
            continue
        row = found.loc[worker]
        assert row["minutes"] * 60 == pytest.approx(seconds, abs=0.05)
        assert (row["first"] - pd.Timestamp(at(first))).total_seconds() == pytest.approx(
            0, abs=0.05
        )
        assert (row["last"] - pd.Timestamp(at(last))).total_seconds() == pytest.approx(0, abs=0.05)
    for worker in found.index.difference(list(told)):
        assert found.loc[worker, "minutes"] * 60 < 0.1


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 9))
def test_the_order_of_the_rows_does_not_matter(rows: list[Any], seed: int) -> None:
    mixed = [rows[k] for k in np.random.default_rng(seed).permutation(len(rows))]
    one, two = build(rows), build(mixed)
    for name in ("milli", "x", "y", "lon", "lat"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_many_fixes_lie_in_many_blocks_and_none_is_missed() -> None:
    rows = [("w1", 10.0 * k, float(k % 1000), float(k // 1000)) for k in range(5000)]
    day = build(rows, rules=NO_RULES)
    area = shapely.box(500.4, -1, 510.4, 1.5)
    told = slow_pass(rows, area, 0, 50_000)
    row = day.passed_here(area, at(0), at(50_000)).table.loc["w1"]
    assert row["minutes"] * 60 == pytest.approx(told["w1"][2], abs=0.05)
    assert len(day.boxes) == math.ceil(5000 / 64)


# --- the rest -------------------------------------------------------------------------------------


def test_fixes_that_cannot_be_are_left_out_and_counted() -> None:
    rows = frame([("w1", 10 * k, 10 * k, 0) for k in range(6)])
    rows["mock"] = [False, True, False, False, False, False]
    day = build_replay(rows, DAY, DAY + timedelta(days=1))
    assert len(day) == 5
    assert day.removed.to_dict() == {"made up": 1}
    assert RULES[0].name


def test_a_track_has_a_new_piece_behind_each_gap() -> None:
    day = build([("w1", 0, 1, 0), ("w1", 60, 2, 0), ("w1", 1000, 3, 0), ("w2", 0, 1, 1)])
    track = day.track("w1")
    assert track["piece"].tolist() == [0, 0, 1]
    assert track["lon"].to_numpy() == pytest.approx([1e-5, 2e-5, 3e-5])
    assert day.track("nobody").empty
    assert day.people()["fixes"].to_dict() == {"w1": 3, "w2": 1}
    assert day.count_fixes(60.0)[:2].tolist() == [2, 1]
    assert day.row_of("w2") == 1
    assert day.nbytes == 20 * 4 + 16 * 2


def test_a_span_without_fixes_is_empty_and_not_an_error() -> None:
    day = build([("w1", 0, 1, 0)])
    none = build_replay(frame([]), DAY, DAY + timedelta(days=1))
    assert len(none) == 0
    assert len(none.slice(at(0), at(60))) == 0
    assert none.passed_here(SQUARE, at(0), at(60)).table.empty
    assert day.until - day.since == timedelta(days=1)


def test_what_cannot_be_used_is_refused_with_words(walk: ReplayDay) -> None:
    with pytest.raises(ColumnError, match="fixes lack lat"):
        build_replay(frame([("w1", 0, 1, 0)]).drop(columns="lat"), DAY, at(9))
    with pytest.raises(InputError, match="at most 24"):
        build_replay(frame([]), DAY, DAY + timedelta(days=30))
    with pytest.raises(InputError, match="give a polygon"):
        walk.passed_here(shapely.Point(0, 0), at(0), at(9))
    with pytest.raises(InputError, match="swap them"):
        walk.passed_here(SQUARE, at(9), at(0))
