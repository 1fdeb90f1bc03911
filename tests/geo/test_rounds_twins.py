"""The compiled kernels of rounds against slow, obvious twins."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from geo._rounds_kernels import (
    AWAY,
    HERE,
    NONE,
    UNKNOWN,
    classify_minutes,
    combine_minutes,
    explain_silence,
    find_extremes,
    find_spans,
    find_still,
    measure_outside,
    smooth,
)
from geo._rounds_spans import ring_table
from geo._rounds_visits import NOT_VISITED, VISITED, judge_lines, judge_points

SECOND = 1_000_000
quick = settings(max_examples=60, deadline=None)

tracks = st.lists(
    st.tuples(st.integers(-300, 900), st.booleans()), max_size=40, unique_by=lambda f: f[0]
).map(sorted)


def one_span(track, start=0, end=600):
    """Arrays of the track of one worker, and its span in a round."""
    micro = np.array([t for t, _ in track], dtype=np.int64) * SECOND
    near = np.array([n for _, n in track], dtype=bool)
    first = np.array([0, len(track)], dtype=np.int64)
    who = np.zeros(1, dtype=np.int64)
    low, high = (np.array([t * SECOND], dtype=np.int64) for t in (start, end))
    a, b = find_spans(first, micro, who, low, high)
    return first, who, a, b, low, micro, near


@quick
@given(tracks, st.integers(0, 10))
def test_each_minute_is_what_most_of_its_fixes_say_or_both_beside_it(track, gone):
    first, who, a, b, low, micro, near = one_span(track, end=gone * 60)
    state = classify_minutes(
        first, who, a, b, low, np.array([gone]), micro, near, 10, 330 * SECOND
    )[0]
    for minute in range(10):
        inside = [n for t, n in track if minute * 60 <= t < minute * 60 + 60]
        before = [f for f in track if f[0] < minute * 60]
        after = [f for f in track if f[0] >= minute * 60 + 60]
        if minute >= gone:
            expected = NONE
        elif inside:
            expected = HERE if sum(inside) * 2 >= len(inside) else AWAY
        elif before and after and after[0][0] - before[-1][0] <= 330:
            same = before[-1][1] == after[0][1]
            # What comes after the last minute that has gone by is not known yet.
            known = after[0][0] < gone * 60 or after[0] == track[int(b[0])]
            expected = (HERE if after[0][1] else AWAY) if same and known else UNKNOWN
        else:
            expected = UNKNOWN
        assert state[minute] == expected, minute


states = st.lists(
    st.lists(st.sampled_from([UNKNOWN, HERE, AWAY]), min_size=5, max_size=5),
    min_size=0, max_size=4,
)  # fmt: skip


@quick
@given(states, st.lists(st.booleans(), min_size=4, max_size=4), st.data())
def test_a_round_is_here_if_anybody_is_and_away_only_if_all_who_are_waited_for_are(
    rows, waits, data
):
    count = len(rows)
    still = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    state = np.array(rows, dtype=np.int8).reshape(count, 5)
    whole, carried = combine_minutes(
        state, np.array([0, count, count]), np.array(waits[:count], bool), np.array(still, bool)
    )
    assert (whole[1] == NONE).all()
    seen = 0
    for m in range(5):
        said = [row[m] for row in rows]
        asked = [s for s, w in zip(said, waits, strict=False) if w]
        if not rows:
            assert whole[0, m] == NONE
        elif HERE in said:
            assert whole[0, m] == HERE
        elif asked and set(asked) == {AWAY}:
            assert whole[0, m] == AWAY
        else:
            assert whole[0, m] == UNKNOWN
        seen += any(s == HERE and not lies for s, lies in zip(said, still, strict=True))
    assert carried[0] == seen


def test_the_distance_to_a_grid_is_that_of_shapely():
    rng = np.random.default_rng(2)
    ring = shapely.Polygon(
        [(0, 0), (200, 0), (200, 80), (90, 90), (200, 120), (200, 200), (0, 200)]
    )
    hole = ring.difference(shapely.Point(50, 60).buffer(20))
    two = shapely.MultiPolygon([shapely.box(300, 0, 350, 50), shapely.box(400, 0, 450, 90)])
    grids = GeoDataFrame(geometry=[hole, two, shapely.box(0, 300, 10, 310)], crs="EPSG:4547")
    x, y, row = rng.uniform(-100, 600, 4000), rng.uniform(-100, 400, 4000), rng.integers(0, 3, 4000)
    found = measure_outside(x, y, row, *ring_table(grids))
    expected = shapely.distance(grids.geometry.to_numpy()[row], shapely.points(x, y))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_phone_lies_still_if_nine_of_ten_means_keep_together():
    rng = np.random.default_rng(3)
    for case in range(60):
        n = int(rng.integers(0, 200))
        t = np.sort(rng.choice(3600, n, replace=False))
        x, y = rng.normal(0, rng.choice([3, 12, 40]), n), rng.normal(0, 10, n)
        near = rng.random(n) < 0.9
        _, _, a, b, low, micro, _ = one_span([(int(s), True) for s in t], end=3600)
        found = find_still(a, b, low, micro, x, y, near, 25.0, 10, 20 * SECOND)[0]
        turn = t[near] // 20
        means = np.array(
            [(x[near][turn == k].mean(), y[near][turn == k].mean()) for k in np.unique(turn)]
        ).reshape(-1, 2)
        expected = False
        if len(np.unique(t[near] // 60)) >= 10:
            far = np.hypot(*(means - np.median(means, axis=0)).T)
            expected = bool(np.quantile(far, 0.9) < 25)
        assert found == expected, case


def test_unknown_minutes_are_laid_to_what_was_thrown_out_in_them():
    state = np.array([[UNKNOWN, UNKNOWN, UNKNOWN, HERE, UNKNOWN, NONE]], dtype=np.int8)
    micro = np.array([10, 70, 75, 190], dtype=np.int64) * SECOND
    code = np.array([2, 0, 3, 2], dtype=np.int8)
    one = np.zeros(1, dtype=np.int64)
    counts = explain_silence(state, one, one, np.array([4]), micro, code, np.array([200 * SECOND]))
    # Minute 0 vague, 1 made up, 2 silent, 3 is known, 4 after the last word.
    assert counts.tolist() == [[1, 1, 1, 1]]


def test_first_and_last_fix_near_and_the_greatest_distance():
    near = np.array([False, True, False, True, False])
    far = np.array([90.0, 0.0, 40.0, 5.0, 120.0])
    a, b = np.array([0, 4, 2]), np.array([5, 5, 2])
    first, last, most = find_extremes(a, b, near, far)
    assert first.tolist() == [1, -1, -1]
    assert last.tolist() == [3, -1, -1]
    np.testing.assert_array_equal(most, [120.0, 120.0, np.nan])


def test_smoothing_is_a_mean_of_as_many_before_as_after():
    rng = np.random.default_rng(4)
    t = np.sort(rng.choice(300, 60, replace=False)).astype(np.int64)
    first = np.array([0, 25, 60])
    x, y = rng.normal(size=60), rng.normal(size=60)
    sx, sy = smooth(first, t * SECOND, x, y, 15 * SECOND)
    for i in range(60):
        low, high = (0, 25) if i < 25 else (25, 60)
        reach = 0
        while (
            i - reach - 1 >= low
            and i + reach + 1 < high
            and t[i] - t[i - reach - 1] <= 15
            and t[i + reach + 1] - t[i] <= 15
        ):
            reach += 1
        part = slice(i - reach, i + reach + 1)
        assert (sx[i], sy[i]) == pytest.approx((x[part].mean(), y[part].mean()))


# --- visits ------------------------------------------------------------------------------------


def ask_points(t, x, y, *, stay_s=60, within=20.0, end=3600):
    micro = np.asarray(t, np.int64) * SECOND
    one, none = np.array([1], np.int64), np.zeros(1, np.int64)
    return judge_points(
        none, np.zeros(1), np.zeros(1), np.array([within]), one * stay_s * SECOND,
        np.array([0, 1]), np.ones(1, bool), none, one * len(micro), none, one * end * SECOND,
        micro, np.asarray(x, float), np.asarray(y, float),
        330 * SECOND, 20 * SECOND, 1.4, 5.0,
    )  # fmt: skip


@quick
@given(st.lists(st.floats(0, 45), min_size=200, max_size=200), st.integers(5, 60))
def test_with_a_fix_a_second_a_visit_is_the_longest_time_near_that_lasts(far, stay_s):
    """Excursions of up to 20 s do not end a stay."""
    state, _, since, stayed, nearest, _ = ask_points(
        np.arange(200), far, np.zeros(200), stay_s=stay_s, end=200
    )
    longest, begin, last = -1, 0, -(10**9)
    for t, metres in enumerate(far):
        if metres > 20:
            continue
        if t - last > 20:
            begin = t
        last = t
        longest = max(longest, t - begin)
    assert nearest[0] <= min(far) + 1e-3
    assert (state[0] == VISITED) == (longest >= stay_s)
    if longest >= 0:
        assert stayed[0] == longest * SECOND
        assert since[0] >= 0


def test_passing_by_is_no_visit_and_a_silence_that_could_hide_one_is_unknown():
    t = np.arange(0, 600, 5)
    state, *_ = ask_points(t, (t - 300) * 1.1, np.full(len(t), 5.0), end=600)
    assert state[0] == NOT_VISITED
    # The same walk without the fixes around the place: 200 s are enough to stay and walk on.
    hidden = np.abs(t - 300) > 100
    state, *_ = ask_points(t[hidden], (t[hidden] - 300) * 1.1, np.full(hidden.sum(), 5.0), end=600)
    assert state[0] == 1
    # 500 m away on both sides of 200 s nobody was there and back and stood for a minute.
    state, *_ = ask_points(t[hidden], np.full(hidden.sum(), 500.0), np.zeros(hidden.sum()), end=600)
    assert state[0] == NOT_VISITED
    # Silent all the time.
    state, *_ = ask_points([], [], [], end=600)
    assert state[0] == 1


def test_a_street_is_walked_where_the_way_between_fixes_passes_its_samples():
    t = np.arange(0, 300, 30)
    micro = t * SECOND
    one, none = np.array([1], np.int64), np.zeros(1, np.int64)
    samples = np.arange(5.0, 300, 10)
    hit, *_ = judge_lines(
        none, np.array([0, len(samples)]), samples, np.zeros(len(samples)), np.array([20.0]),
        np.array([0, 1]), np.ones(1, bool), none, one * len(t), none, one * 300 * SECOND,
        micro, t * 1.0 - 20, np.full(len(t), 12.0), 330 * SECOND, 5.0,
    )  # fmt: skip
    # From -20 to 250 m along, 12 m beside: 16 m reach beyond the last fix.
    assert (hit == 2).tolist() == [s <= 266 for s in samples]
