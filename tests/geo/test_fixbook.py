"""Readings become fixes, each once, or are counted by the reason why not.

Two workers in Shanghai at noon on 21 November 2026; W1 carries D1 (token t1), W2 carries D2.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.datum import wgs84_to_bd09, wgs84_to_gcj02
from geo.errors import InputError, StoreBusyError, StoreError
from geo.io import fixbook
from geo.io.devices import add_device, end_device, hash_token, read_devices
from geo.io.fixbook import FUTURE_S, REASONS, FixBook, FixRules, read_counts
from geo.io.workspace import Workspace
from geo.protocols import Reading

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=ZONE)
DUTY = (time(7), time(21))


@pytest.fixture
def staffed(workspace: Workspace) -> Workspace:
    people = pd.DataFrame({"worker_id": ["W1", "W2"], "name": ["A", "B"], "role": "grid_worker"})
    with workspace.writing() as conn:
        workspace.append(conn, "workers", people)
    given = NOON - timedelta(days=30)
    add_device(workspace, "W1", device_id="D1", token="t1", at=given)
    add_device(workspace, "W2", device_id="D2", token="t2", at=given)
    return workspace


@pytest.fixture
def book(staffed: Workspace) -> Iterator[FixBook]:
    made = FixBook(staffed, FixRules(ZONE, DUTY, keep_days=180), clock=lambda: NOON)
    yield made
    made.close()


def reading(**change: Any) -> Reading:
    base = Reading(
        "D1", "t1", NOON - timedelta(seconds=10), 111.3, 30.7, 5.0, 4.0, False, "", "osmand"
    )
    return base._replace(**change)


def test_a_reading_is_stored_with_all_that_it_says(book: FixBook):
    assert book.take([reading(mock=True)]) == ["accepted"]
    row = book.workspace.read("fixes").iloc[0]
    assert row.to_dict() == {
        "worker_id": "W1", "time": pd.Timestamp(NOON - timedelta(seconds=10)).tz_convert("UTC"),
        "lon": 111.3, "lat": 30.7, "accuracy_m": 5.0, "speed_kmh": 4.0, "mock": True,
        "source": "osmand",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "accepted"),
        ({"device_id": "D9"}, "unknown_device"),
        ({"token": "t2"}, "wrong_token"),
        ({"token": ""}, "wrong_token"),
        ({"token": "\ud800"}, "wrong_token"),
        ({"lon": None}, "ping"),
        ({"lat": math.nan}, "not_finite"),
        ({"lon": math.inf}, "not_finite"),
        ({"lat": 90.01}, "out_of_range"),
        ({"lon": -180.5}, "out_of_range"),
        ({"lon": 0.0, "lat": 0.0}, "null_island"),
        ({"lon": 0.0003, "lat": -0.0004}, "null_island"),
        ({"lon": 0.0, "lat": 30.7}, "accepted"),
        ({"crs": "EPSG:3857"}, "unknown_crs"),
        ({"crs": "mars" * 99}, "unknown_crs"),
        ({"crs": "cgcs2000"}, "accepted"),
        ({"time": NOON + timedelta(seconds=FUTURE_S)}, "accepted"),
        ({"time": NOON + timedelta(seconds=FUTURE_S + 1)}, "future"),
        ({"time": datetime.max.replace(tzinfo=UTC)}, "future"),
        ({"time": datetime(1970, 1, 1, tzinfo=UTC)}, "too_old"),
        ({"time": datetime.min.replace(tzinfo=UTC)}, "too_old"),
        ({"time": NOON - timedelta(days=181)}, "too_old"),
        ({"time": NOON - timedelta(days=179)}, "accepted"),
        ({"time": NOON.replace(hour=6, minute=59)}, "off_duty"),
        ({"time": NOON.replace(hour=7)}, "accepted"),
        ({"time": NOON.replace(hour=21) - timedelta(days=1)}, "off_duty"),
        ({"time": NOON.replace(hour=20, minute=59) - timedelta(days=1)}, "accepted"),
    ],
)
def test_a_reading_is_stored_or_counted_by_its_reason(
    book: FixBook, change: dict[str, Any], reason: str
):
    assert book.take([reading(**change)]) == [reason]
    assert book.workspace.count("fixes") == (reason == "accepted")
    assert read_counts(book.workspace) == {("osmand", reason): 1}
    assert read_counts(book.workspace, day="2026-11-21") == {("osmand", reason): 1}
    assert reason in REASONS


def test_positions_outside_duty_hours_are_stored_only_where_the_city_says_so(staffed: Workspace):
    night = reading(time=NOON.replace(hour=3))
    for duty, reason in (
        (DUTY, "off_duty"),
        ((time(22), time(4)), "accepted"),
        (None, "duplicate"),
    ):
        book = FixBook(staffed, FixRules(ZONE, duty), clock=lambda: NOON)
        assert book.take([night]) == [reason]
        book.close()
    assert not FixRules(ZONE, (time(22), time(4))).is_on_duty(NOON)
    assert FixRules(ZONE, (time(8), time(8))).is_on_duty(NOON)


def test_known_devices_come_in_without_a_token_where_the_city_is_open(staffed: Workspace):
    book = FixBook(staffed, FixRules(ZONE, is_open=True), clock=lambda: NOON)
    assert book.take([reading(token=""), reading(device_id="D9")]) == ["accepted", "unknown_device"]
    book.close()


def test_worker_and_time_name_a_fix_whatever_else_is_said(book: FixBook):
    assert book.take([reading(), reading(lon=111.4), reading(source="batch")]) == [
        "accepted", "duplicate", "duplicate",
    ]  # fmt: skip
    assert book.take([reading(lat=30.8)]) == ["duplicate"]
    assert book.workspace.read("fixes")[["lon", "lat"]].to_numpy().tolist() == [[111.3, 30.7]]
    again = reading(time=NOON - timedelta(seconds=10, microseconds=-400))
    assert book.take([again]) == ["duplicate"], "the store keeps milliseconds"


def test_late_and_out_of_order_readings_are_all_kept(book: FixBook):
    seconds = [50, 10, 40, 3600, 20, 86_400]
    sent = [reading(time=NOON - timedelta(seconds=s)) for s in seconds]
    assert set(book.take(sent)) == {"accepted"}
    assert len(book.workspace.read_fixes()) == len(seconds)


@pytest.mark.parametrize(("crs", "shift"), [("gcj02", wgs84_to_gcj02), ("bd09", wgs84_to_bd09)])
def test_shifted_places_are_shifted_back(book: FixBook, crs: str, shift: Any):
    lon, lat = shift([111.3], [30.7])
    bad = reading(crs=crs, lon=math.nan, time=NOON)
    assert book.take([reading(crs=crs, lon=lon[0], lat=lat[0]), bad]) == ["accepted", "not_finite"]
    row = book.workspace.read("fixes").iloc[0]
    assert (row["lon"], row["lat"]) == pytest.approx((111.3, 30.7), abs=1e-6)


def test_a_new_device_is_taken_at_once_and_ends_the_one_before(book: FixBook):
    city = book.workspace
    assert book.take([reading(device_id="D3", token="t3")]) == ["unknown_device"]
    assert add_device(city, "W1", device_id="D3", token="t3", at=NOON - timedelta(hours=1)) == "D1"
    before, after = NOON - timedelta(hours=2), NOON - timedelta(minutes=5)
    new, old = ({"device_id": "D3", "token": "t3"}, {"device_id": "D1", "token": "t1"})
    assert book.take([reading(**new, time=after)]) == ["accepted"]
    # What the old one still holds counts up to its end, and the new one answers from there on.
    assert book.take([reading(**old, time=before), reading(**old, time=after)]) == [
        "accepted", "ended_device",
    ]  # fmt: skip
    assert book.take([reading(**new, time=before)]) == ["ended_device"]


def test_a_first_device_may_send_what_lies_before_it_was_given_out(book: FixBook):
    add_device(book.workspace, "W2", device_id="D2", token="t9", at=NOON)
    late = reading(device_id="D2", token="t9", time=NOON - timedelta(days=40))
    assert book.take([late]) == ["accepted"]
    assert book.take([reading(device_id="D2", token="t2")]) == ["wrong_token"]


def test_a_device_that_is_taken_back_is_refused_from_then_on(book: FixBook):
    end_device(book.workspace, "D1", at=NOON - timedelta(seconds=30))
    made = FixBook(book.workspace, book.rules, clock=lambda: NOON)
    assert made.take([reading(), reading(time=NOON - timedelta(minutes=1))]) == [
        "ended_device", "accepted",
    ]  # fmt: skip
    made.close()


def test_devices_are_given_out_with_words_about_what_is_wrong(staffed: Workspace):
    with pytest.raises(InputError, match="no worker W9"):
        add_device(staffed, "W9", device_id="D9", token="t", at=NOON)
    with pytest.raises(InputError, match="D1 is that of W1: choose another id"):
        add_device(staffed, "W2", device_id="D1", token="t", at=NOON)
    with pytest.raises(InputError, match="1 to 200 characters"):
        add_device(staffed, "W2", device_id=" ", token="t", at=NOON)
    with pytest.raises(InputError, match="no device D9"):
        end_device(staffed, "D9", at=NOON)
    end_device(staffed, "D1", at=NOON)
    with pytest.raises(InputError, match="D1 was ended"):
        end_device(staffed, "D1", at=NOON)


def test_only_a_hash_of_a_token_is_stored(staffed: Workspace):
    assert read_devices(staffed)["D1"].token_hash == hash_token("t1")
    file = staffed.file.read_bytes() + (staffed.path / "city.gpkg-wal").read_bytes()
    assert b"t1" not in staffed.read("devices").to_csv().encode()
    assert hash_token("t1").encode() in file


def test_a_call_for_help_goes_out_with_its_fix_and_once(book: FixBook):
    call = reading(alarm="SOS", mock=True)
    assert book.take([call]) == ["accepted"]
    assert book.take([call]) == ["duplicate"]
    alarm = book.workspace.read("patrol_alarms").reset_index().iloc[0]
    assert book.workspace.count("patrol_alarms") == 1
    assert (alarm["kind"], alarm["worker_id"], alarm["lon"]) == ("sos", "W1", 111.3)
    assert alarm["began_at"] == call.time
    assert alarm["fired_at"] == NOON
    assert pd.isna(alarm["ended_at"])
    assert '"mock": true' in alarm["detail"]


def test_a_phone_that_repeats_its_call_calls_once_until_somebody_has_taken_note(book: FixBook):
    city = book.workspace
    for second in (300, 200, 100):
        book.take([reading(alarm="sos", time=NOON - timedelta(seconds=second))])
    assert city.count("patrol_alarms") == 1
    book.take([reading(alarm="sos", time=NOON - timedelta(minutes=16))])
    assert city.count("patrol_alarms") == 2, "of more than ten minutes before: another call"
    alarms = city.table("patrol_alarms")
    with city.writing() as conn:
        conn.execute(alarms.update().values(ended_at=NOON))
    book.take([reading(alarm="sos", time=NOON - timedelta(seconds=300))])
    assert city.count("patrol_alarms") == 2, "the very call that was ended comes again"
    book.take([reading(alarm="sos", time=NOON)])
    assert city.count("patrol_alarms") == 3
    assert all(len(label) == 16 for label in city.read("patrol_alarms").index)


@pytest.mark.parametrize(
    ("change", "has_place"),
    [
        ({"lon": None}, False),
        ({"lon": 0.0, "lat": 0.0}, False),
        ({"time": datetime(1970, 1, 1, tzinfo=UTC)}, True),
        ({"time": datetime.min.replace(tzinfo=UTC)}, True),
        ({"time": datetime.max.replace(tzinfo=UTC)}, True),
        ({"time": NOON.replace(hour=3)}, True),
    ],
    ids=["without a place", "from 0, 0", "from 1970", "of year 1", "of year 9999", "off duty"],
)
def test_a_call_for_help_goes_out_even_where_the_position_is_not_stored(
    book: FixBook, change: dict[str, Any], has_place: bool
):
    book.take([reading(alarm="sos", **change)])
    alarm = book.workspace.read("patrol_alarms").iloc[0]
    assert pd.notna(alarm["lon"]) == has_place
    assert alarm["began_at"] > NOON - timedelta(days=1)
    assert book.workspace.count("fixes") == 0


def test_nobody_calls_for_help_in_the_name_of_another(book: FixBook):
    book.take([reading(alarm="sos", token="t2"), reading(alarm="sos", device_id="D9")])
    assert book.workspace.count("patrol_alarms") == 0


def test_readings_of_many_threads_share_commits_and_each_hears_of_its_own(book: FixBook):
    told: dict[int, list[str]] = {}

    def send(number: int) -> None:
        moment = NOON - timedelta(seconds=number % 20)
        told[number] = book.take([reading(time=moment)])

    threads = [threading.Thread(target=send, args=(k,)) for k in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 60
    assert sum(reasons == ["accepted"] for reasons in told.values()) == 20
    assert book.workspace.count("fixes") == 20
    assert read_counts(book.workspace) == {("osmand", "accepted"): 20, ("osmand", "duplicate"): 40}


def test_a_large_batch_goes_in_slices(book: FixBook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fixbook, "SLICE_ROWS", 7)
    sent = [reading(time=NOON - timedelta(seconds=k)) for k in range(50)]
    assert book.take(sent) == ["accepted"] * 50


def test_a_worker_who_is_gone_spoils_the_readings_of_nobody_else(book: FixBook):
    assert book.take([reading(device_id="D2", token="t2")]) == ["accepted"]
    city = book.workspace
    with sqlite3.connect(city.file) as link:
        link.execute("DELETE FROM fixes")
        link.execute("DELETE FROM workers WHERE worker_id = 'W2'")
        link.commit()
    link.close()
    # Devices are known for a second; the rows meet the rule of the table.
    with pytest.raises(StoreError):
        book.take([reading(device_id="D2", token="t2")])
    assert book.take([reading()]) == ["accepted"]


def test_while_another_process_writes_for_long_readings_are_refused(
    book: FixBook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fixbook, "STALL_S", 0.1)
    monkeypatch.setattr(fixbook, "PATIENCE_S", 0.3)
    other = sqlite3.connect(book.workspace.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreBusyError):
            book.take([reading()])
        with pytest.raises(StoreBusyError):
            book.take([reading()])
    finally:
        other.execute("ROLLBACK")
        other.close()
    monkeypatch.setattr(fixbook, "PATIENCE_S", 8.0)
    monkeypatch.setattr(fixbook, "STALL_S", 8.0)
    # The first one was written when the way was free.
    assert book.take([reading()]) == ["duplicate"]


def test_a_closed_book_has_written_what_waited_and_takes_no_more(book: FixBook):
    heard: list[list[str] | None] = []
    book.submit([reading()], heard.append)
    book.submit_note("mqtt", "malformed", heard.append)
    book.close()
    assert heard == [["accepted"], ["malformed"]]
    with pytest.raises(StoreError, match="ending"):
        book.take([reading()])


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    sent=st.lists(
        st.tuples(
            st.sampled_from(["D1", "D2", "D9"]),
            st.integers(-800, 40_000),
            st.sampled_from([111.3, 0.0, math.nan]),
        ),
        max_size=30,
    )
)
def test_every_reading_is_counted_once_and_every_fix_is_there_once(
    book: FixBook, sent: list[tuple[str, int, float]]
):
    city = book.workspace
    before = sum(read_counts(city).values())
    rows = city.count("fixes")
    readings = [
        reading(device_id=d, token="t" + d[1], lon=lon, lat=lon, time=NOON - timedelta(seconds=s))
        for d, s, lon in ((d, s, lon if lon else 0.0) for d, s, lon in sent)
    ]
    readings = [r._replace(lat=30.7) if r.lon == 111.3 else r for r in readings]
    reasons = book.take(readings)
    assert sum(read_counts(city).values()) == before + len(sent)
    assert city.count("fixes") == rows + reasons.count("accepted")
    good = {
        (r.device_id, r.time)
        for r, reason in zip(readings, reasons, strict=True)
        if reason in ("accepted", "duplicate")
    }
    stored = {
        (w.replace("W", "D"), t) for w, t in city.read("fixes")[["worker_id", "time"]].to_numpy()
    }
    assert {(d, pd.Timestamp(t).tz_convert("UTC")) for d, t in good} <= stored
