"""What moves: worked distances, late readings, removals, and a slow twin for every search."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geo.errors import ColumnError, InputError
from geo.live import LiveIndex, Near, live_incidents, live_workers

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
ELLIPSOID = Geod(ellps="WGS84")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def slow_nearest(state, lon, lat, *, on_duty=None, max_age_s=None):
    """Every thing measured by itself and sorted: key, metres."""
    found = []
    for key, (x, y, time) in state.items():
        if on_duty is not None and key not in on_duty:
            continue
        if max_age_s is not None and abs((NOW - time).total_seconds()) > max_age_s:
            continue
        found.append((ELLIPSOID.inv(lon, lat, x, y)[2], key))
    return [(key, metres) for metres, key in sorted(found)]


def keys(found: list[Near]) -> list[str]:
    return [near.key for near in found]


@pytest.fixture
def three():
    """Three workers around 111.3 E, 30.7 N: A 0.001° east, B 0.001° north, C 0.002° west."""
    live = LiveIndex()
    live.update("A", 111.301, 30.7, ago(30))
    live.update("B", 111.300, 30.701, ago(900))
    live.update("C", 111.298, 30.7, ago(60))
    return live


def test_nearest_is_in_metres_and_not_in_degrees(three):
    # a cos φ / sqrt(1 - e² sin² φ) * π/180: a degree of longitude is 95,802 m here; the meridian's
    # a (1 - e²) / (1 - e² sin² φ)^1.5 * π/180: one of latitude is 110,863 m.
    found = three.nearest(111.3, 30.7, 3, at=NOW)
    assert keys(found) == ["A", "B", "C"]
    assert [near.distance_m for near in found] == pytest.approx([95.80, 110.86, 191.60], abs=0.01)


def test_the_age_of_the_last_place_is_told(three):
    assert [near.age_s for near in three.nearest(111.3, 30.7, 3, at=NOW)] == [30, 900, 60]


def test_who_is_off_duty_or_silent_is_passed_over(three):
    assert keys(three.nearest(111.3, 30.7, 3, at=NOW, on_duty={"B", "C"})) == ["B", "C"]
    assert keys(three.nearest(111.3, 30.7, 3, at=NOW, max_age_s=60)) == ["A", "C"]
    assert keys(three.nearest(111.3, 30.7, 3, at=NOW, within_m=120)) == ["A", "B"]
    assert three.nearest(111.3, 30.7, 3, at=NOW, on_duty=set()) == []


def test_a_clock_far_ahead_is_not_fresh(three):
    three.update("D", 111.3, 30.7, NOW + timedelta(days=1))
    assert keys(three.nearest(111.3, 30.7, 4, at=NOW, max_age_s=60)) == ["A", "C"]
    assert three.nearest(111.3, 30.7, 1, at=NOW)[0].age_s == -86_400


def test_equally_near_ones_come_in_the_order_of_their_keys():
    live = LiveIndex()
    for key in ("b", "a", "c"):
        live.update(key, 111.3, 30.7, NOW)
    assert keys(live.nearest(111.31, 30.7, 2, at=NOW)) == ["a", "b"]


def test_a_late_reading_never_puts_a_newer_one_back(three):
    assert not three.update("A", 111.4, 30.8, ago(31))
    assert not three.update("A", 111.4, 30.8, ago(30))
    assert three.get("A") == (111.301, 30.7, ago(30))
    assert three.update("A", 111.4, 30.8, ago(29))
    assert three.get("A") == (111.4, 30.8, ago(29))
    assert keys(three.within(111.301, 30.7, 50, at=NOW)) == []


def test_what_was_removed_does_not_come_back_by_a_late_reading(three):
    assert three.remove("A", at=ago(10))
    assert "A" not in three
    assert not three.update("A", 111.301, 30.7, ago(10))
    assert not three.update("A", 111.301, 30.7, ago(20))
    assert three.update("A", 111.301, 30.7, ago(9))
    assert len(three) == 3


def test_a_removal_that_comes_late_leaves_a_newer_place(three):
    assert not three.remove("A", at=ago(31))
    assert "A" in three
    assert not three.remove("nobody", at=NOW)


def test_old_places_are_forgotten(three):
    assert three.forget(before=ago(100)) == 1
    assert keys(three.nearest(111.3, 30.7, 3, at=NOW)) == ["A", "C"]


def test_a_small_step_and_a_large_one_are_both_found():
    live = LiveIndex()
    live.update("W", 111.3, 30.7, ago(50))
    for k, lon in enumerate((111.3001, 111.3002, 111.31, 112.0), start=1):
        live.update("W", lon, 30.7, ago(50 - k))
        (found,) = live.within(lon, 30.7, 1, at=NOW)
        assert found.distance_m == 0
    assert live.within(111.3, 30.7, 100, at=NOW) == []


def test_rebuilding_takes_the_latest_row_of_each_worker():
    fixes = pd.DataFrame(
        {
            "worker_id": ["A", "A", "B", "A", "C", "D"],
            "time": pd.to_datetime([ago(9), ago(1), ago(5), ago(4), ago(1), None], utc=True),
            "lon": [1.0, 2.0, 3.0, 4.0, np.nan, 5.0],
            "lat": [1.0, 2.0, 3.0, 4.0, 1.0, 5.0],
        }
    )
    live = live_workers(fixes)
    assert live.positions()["lon"].to_dict() == {"A": 2.0, "B": 3.0}
    assert live.positions()["time"].tolist() == [pd.Timestamp(ago(1)), pd.Timestamp(ago(5))]
    live.rebuild(fixes.iloc[:0], key="worker_id")
    assert len(live) == 0
    assert live.nearest(1, 1, 3, at=NOW) == []
    assert live.within(1, 1, 3, at=NOW) == []
    assert live.positions().empty


def test_only_open_incidents_with_a_place_are_live():
    incidents = pd.DataFrame(
        {
            "stage": ["collected", "closed", "handling", "cancelled"],
            "reported_at": pd.to_datetime([ago(9)] * 4, utc=True),
            "lon": [111.3, 111.3, np.nan, 111.3],
            "lat": [30.7, 30.7, np.nan, 30.7],
        },
        index=pd.Index(["I1", "I2", "I3", "I4"], name="incident_id"),
    )
    assert live_incidents(incidents).positions().index.tolist() == ["I1"]


@pytest.mark.parametrize("place", [(float("nan"), 1), (181, 1), (1, 91), (1, float("inf"))])
def test_what_is_no_place_is_refused(place):
    live = LiveIndex()
    with pytest.raises(InputError, match="is no place: give degrees"):
        live.update("A", *place, NOW)
    with pytest.raises(InputError, match="is no place: give degrees"):
        live.nearest(*place, 1, at=NOW)
    assert len(live) == 0


def test_a_time_without_zone_a_negative_count_and_a_missing_column_are_refused():
    live = LiveIndex()
    with pytest.raises(InputError, match="without a zone"):
        live.update("A", 1, 1, datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(InputError, match="k is -1"):
        live.nearest(1, 1, -1, at=NOW)
    with pytest.raises(InputError, match="radius_m is nan"):
        live.within(1, 1, float("nan"), at=NOW)
    with pytest.raises(ColumnError, match="frame lacks lon, lat"):
        live.rebuild(pd.DataFrame({"worker_id": ["A"]}), key="worker_id")
    with pytest.raises(ColumnError, match="frame lacks time"):
        live.rebuild(pd.DataFrame({"lon": [1.0], "lat": [1.0]}), key="worker_id")


# A city at 60° north, where degrees and metres part most; steps small and large.
PLACES = st.tuples(
    st.integers(-40, 40).map(lambda k: 25 + k * 0.0004),
    st.integers(-40, 40).map(lambda k: 60 + k * 0.0004),
)
NAMES = st.sampled_from([f"W{k}" for k in range(12)])
SECONDS = st.integers(0, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("update"), NAMES, PLACES, SECONDS),
        st.tuples(st.just("remove"), NAMES, PLACES, SECONDS),
        st.tuples(st.just("forget"), NAMES, PLACES, SECONDS),
    ),
    max_size=80,
)


def play(steps):
    """The index and the obvious dictionary after the same steps."""
    live, state, gone = LiveIndex(), {}, {}
    for what, key, (lon, lat), second in steps:
        time = ago(100 - second)
        if what == "update":
            late = key in state and state[key][2] >= time
            if not late and not gone.get(key, ago(10_000)) >= time:
                state[key] = (lon, lat, time)
                gone.pop(key, None)
            live.update(key, lon, lat, time)
        elif what == "remove":
            if key not in state or state[key][2] <= time:
                state.pop(key, None)
                gone[key] = max(time, gone.get(key, time))
            live.remove(key, at=time)
        elif second < 5:
            state = {k: v for k, v in state.items() if v[2] >= time}
            gone = {k: v for k, v in gone.items() if v >= time}
            live.forget(before=time)
    return live, state


@settings(max_examples=150, deadline=None)
@given(STEPS, PLACES, st.integers(0, 14), st.sets(NAMES), st.integers(55, 105))
def test_after_any_steps_it_equals_a_look_at_the_latest_state(steps, here, k, duty, age):
    live, state = play(steps)
    assert dict.fromkeys(live.positions().index) == dict.fromkeys(sorted(state))
    assert all(live.get(key) == state[key] for key in state)
    slow = slow_nearest(state, *here)
    got = live.nearest(*here, k, at=NOW)
    assert [(n.key, n.distance_m) for n in got] == slow[:k]
    slow = slow_nearest(state, *here, on_duty=duty, max_age_s=age)
    got = live.nearest(*here, k, at=NOW, on_duty=duty, max_age_s=age)
    assert [(n.key, n.distance_m) for n in got] == slow[:k]
    radius = slow[len(slow) // 2][1] if slow else 100.0
    got = live.within(*here, radius, at=NOW, on_duty=duty, max_age_s=age)
    assert [(n.key, n.distance_m) for n in got] == [s for s in slow if s[1] <= radius]


@pytest.mark.parametrize("lat", [0.0, 30.0, 64.0, 85.0])
def test_among_many_the_nearest_are_those_that_a_full_look_finds(lat):
    rng = np.random.default_rng(7)
    live, state = LiveIndex(), {}
    # Thick in the middle, thin outside, some on one spot, some on the other side of the earth.
    for k in range(1500):
        spread = 10.0 ** rng.uniform(-5, 0)
        lon = 179.9 + spread * rng.normal()
        lon = lon - 360 if lon > 180 else lon
        y = float(np.clip(lat + spread * rng.normal() / 4, -90, 90))
        state[f"W{k}"] = (lon, y, ago(k % 50))
        live.update(f"W{k}", *state[f"W{k}"])
    for _ in range(20):
        here = 179.9 + 0.1 * rng.random(), min(lat + 0.1 * rng.random(), 90.0)
        duty = {f"W{j}" for j in rng.integers(0, 1500, 5)}
        for among in (None, duty):
            got = live.nearest(*here, 5, at=NOW, on_duty=among)
            assert [(n.key, n.distance_m) for n in got] == slow_nearest(
                state, *here, on_duty=among
            )[:5]


def test_readers_and_writers_at_once_never_see_half_a_state():
    live = LiveIndex()
    for k in range(50):
        live.update(f"W{k}", 111.3 + k * 1e-4, 30.7, ago(1000))
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            for step in range(300):
                key = f"W{rng.integers(50)}"
                live.update(
                    key, 111.3 + rng.random() / 50, 30.7 + rng.random() / 50, ago(900 - step)
                )
        except Exception as error:  # noqa: BLE001  # handed to the main thread
            failures.append(error)

    def read() -> None:
        try:
            for _ in range(150):
                found = live.nearest(111.31, 30.71, 50, at=NOW)
                assert len({near.key for near in found}) == 50
        except Exception as error:  # noqa: BLE001  # handed to the main thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(3)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
