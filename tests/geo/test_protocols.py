"""What phones send, read as the documents of the protocols say, and nothing ever raises."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.protocols import (
    ProtocolError,
    Reading,
    is_sos,
    parse_batch,
    parse_osmand,
    parse_owntracks,
    read_basic,
    read_bearer,
    read_time,
)

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
THEN = datetime(2026, 11, 21, 3, 59, 50, tzinfo=UTC)
TS = int(THEN.timestamp())


def osmand(
    query: str = "", content_type: str = "", body: bytes = b"", unit: str = "knots"
) -> Reading:
    return parse_osmand(query, content_type, body, now=NOW, zone=ZONE, unit_of=lambda _: unit)


def traccar(location: object, **rest: object) -> Reading:
    body = json.dumps({"device_id": "D1", "location": location, **rest}).encode()
    return osmand(content_type="application/json; charset=utf-8", body=body)


def owntracks(**told: object) -> Reading:
    found = parse_owntracks(
        json.dumps({"_type": "location", "lat": 30.7, "lon": 111.3, "tst": TS, **told}).encode(),
        user="D1", password="secret",
    )  # fmt: skip
    assert isinstance(found, Reading)
    return found


# --- the table of standards.md 5 -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "speed_kmh"),
    [
        (osmand("id=D1&lat=1&lon=2&speed=10"), 18.52),
        (osmand("id=D1&lat=1&lon=2&speed=10", unit="ms"), 36.0),
        (osmand("id=D1&lat=1&lon=2&speed=10", unit="kmh"), 10.0),
        (traccar({"coords": {"latitude": 1, "longitude": 2, "speed": 10}}), 36.0),
        (owntracks(vel=10), 10.0),
    ],
    ids=[
        "OsmAnd: knots",
        "OsmAnd of a device in m/s",
        "in km/h",
        "Traccar JSON: m/s",
        "OwnTracks: km/h",
    ],
)
def test_each_protocol_has_its_own_unit_of_speed(reading: Reading, speed_kmh: float):
    assert reading.speed_kmh == pytest.approx(speed_kmh)


@pytest.mark.parametrize(
    ("reading"),
    [
        osmand(f"id=D1&lat=1&lon=2&timestamp={TS}"),
        osmand(f"id=D1&lat=1&lon=2&timestamp={TS}000"),
        osmand("id=D1&lat=1&lon=2&timestamp=2026-11-21T03:59:50Z"),
        osmand("id=D1&lat=1&lon=2&timestamp=2026-11-21T03:59:50.000Z"),
        osmand("id=D1&lat=1&lon=2&timestamp=2026-11-21T11:59:50%2B08:00"),
        osmand("id=D1&lat=1&lon=2&timestamp=2026-11-21T11:59:50+08:00"),
        osmand("id=D1&lat=1&lon=2&timestamp=2026-11-21%2011:59:50"),
        osmand("id=D1&lat=1&lon=2&timestamp=2026-11-21+11:59:50"),
        traccar({"timestamp": "2026-11-21T03:59:50.000Z", "coords": {}}),
        owntracks(tst=TS),
    ],
    ids=[
        "OsmAnd: s", "ms", "ISO", "ISO with ms", "ISO with zone", "its plus unescaped",
        "text in the server's zone", "text with a plus", "Traccar JSON: ISO", "OwnTracks: s",
    ],
)  # fmt: skip
def test_each_protocol_has_its_own_time(reading: Reading):
    assert reading.time == THEN


def test_a_number_is_in_milliseconds_from_the_last_second_that_32_bits_hold():
    assert read_time("2147483646", ZONE).year == 2038
    assert read_time("2147483647", ZONE) == datetime(1970, 1, 25, 20, 31, 23, 647_000, tzinfo=UTC)


def test_a_missing_time_is_now():
    assert osmand("id=D1&lat=1&lon=2").time == NOW
    assert traccar({"coords": {"latitude": 1, "longitude": 2}}).time == NOW


@pytest.mark.parametrize("text", ["99999999999999999999", "1e300", "inf", "-1e300", "-inf"])
def test_a_time_that_no_calendar_holds_is_its_first_or_last_moment(text: str):
    year = read_time(text, ZONE).year
    assert year == (1 if text.startswith("-") else 9999)


@pytest.mark.parametrize(
    "text", ["", "nan", "yesterday", "2026-11-21", "2026-13-41 00:00:00", "0x10", "1_000", "12:30"]
)
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(ProtocolError):
        read_time(text, ZONE)


# --- OsmAnd and Traccar --------------------------------------------------------------------------


def test_a_query_of_traccar_client_is_read_in_full():
    found = osmand(
        f"id=123456&timestamp={TS}&lat=30.7&lon=111.3&speed=2.5&bearing=90.0&altitude=60.0"
        "&accuracy=12.5&batt=81.0&charge=true&mock=true&alarm=sos"
    )
    assert found == Reading(
        "123456", "", THEN, 111.3, 30.7, 12.5, pytest.approx(4.63), True, "sos", "osmand"
    )


def test_a_form_stands_for_a_query_that_names_no_device():
    kind = "application/x-www-form-urlencoded"
    assert osmand("", kind, b"deviceid=D1&location=30.7,111.3").lat == 30.7
    found = osmand("token=t", kind, b"id=D1&lat=1&lon=2")
    assert (found.device_id, found.token) == ("D1", "t")
    assert osmand("id=D2&lat=1&lon=2", kind, b"id=D1&lat=5&lon=6").device_id == "D2"


def test_the_pair_of_location_is_latitude_first():
    found = osmand("id=D1&location=30.7,111.3")
    assert (found.lon, found.lat) == (111.3, 30.7)


@pytest.mark.parametrize(
    "query", ["id=D1", "id=D1&lat=1", "id=D1&lat=&lon=", "id=D1&lat=1&lon=2&valid=0"]
)
def test_a_request_without_a_place_is_a_ping(query: str):
    found = osmand(query)
    assert (found.lon, found.lat) == (None, None)


def test_a_negative_speed_is_unknown_and_so_is_an_accuracy_of_nothing():
    found = traccar({"coords": {"latitude": 1, "longitude": 2, "speed": -1, "accuracy": 0}})
    assert (found.speed_kmh, found.accuracy_m) == (None, None)
    assert osmand("id=D1&lat=1&lon=2&speed=-1&accuracy=-5").speed_kmh is None


def test_hdop_stands_for_an_accuracy_that_is_missing():
    assert osmand("id=D1&lat=1&lon=2&hdop=1.5").accuracy_m == 7.5
    assert osmand("id=D1&lat=1&lon=2&hdop=1.5&accuracy=4").accuracy_m == 4


def test_the_json_of_the_newer_client_is_read_in_full():
    found = traccar(
        {
            "timestamp": "2026-11-21T03:59:50.000Z",
            "coords": {
                "latitude": 30.7, "longitude": 111.3, "accuracy": 4.8, "speed": 1.5,
                "heading": -1, "altitude": 60.1,
            },
            "is_moving": True, "odometer": 1234.5, "event": "motionchange",
            "battery": {"level": 0.81, "is_charging": False}, "activity": {"type": "walking"},
            "mock": True, "alarm": "sos", "extras": {},
        }
    )  # fmt: skip
    assert found == Reading(
        "D1", "", THEN, 111.3, 30.7, 4.8, pytest.approx(5.4), True, "sos", "traccar"
    )
    assert traccar({"extras": {"alarm": "SOS"}}).alarm == "SOS"
    forgetful = osmand("", "application/x-www-form-urlencoded", b' {"device_id": "D1"}')
    assert (forgetful.source, forgetful.lon) == ("traccar", None)


def test_the_phones_own_word_about_a_made_up_place_is_kept_and_silence_is_no_word():
    assert osmand("id=D1&lat=1&lon=2&mock=true").mock is True
    assert osmand("id=D1&lat=1&lon=2").mock is False
    assert traccar({"mock": False}).mock is False
    assert traccar({}).mock is None
    assert owntracks().mock is None


@pytest.mark.parametrize("alarm", ["sos", "SOS", " sos "])
def test_a_call_for_help_is_known_however_it_is_written(alarm: str):
    assert is_sos(alarm)
    assert not is_sos("powerOn")


@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [
        ("", "", b""),
        ("lat=1&lon=2", "", b""),
        ("id=&lat=1&lon=2", "", b""),
        ("id=D1&lat=north&lon=2", "", b""),
        ("id=D1&lat=1&lon=2&speed=fast", "", b""),
        ("id=D1&location=30.7", "", b""),
        ("id=D1&lat=1&lon=2&mock=maybe", "", b""),
        ("id=D1&lat=1_0&lon=2", "", b""),
        ("&".join(f"a{k}=1" for k in range(500)), "", b""),
        ("", "application/x-www-form-urlencoded", "id=设备".encode("gbk")),
        ("", "application/json", b""),
        ("", "application/json", b"{"),
        ("", "application/json", b"[]"),
        ("", "application/json", b'{"location": {}}'),
        ("", "application/json", b'{"device_id": 7, "location": {}}'),
        ("", "application/json", b'{"device_id": "D1", "location": []}'),
        ("", "application/json", b'{"device_id": "D1", "location": {"coords": "here"}}'),
        ("", "application/json", b'{"device_id": "D1", "location": {"mock": "yes"}}'),
        ("", "application/json", b'{"device_id": "D1", "location": {"timestamp": true}}'),
        ("", "application/json", b'{"device_id": "D1", "location": {"coords": {"latitude": "1"}}}'),
        ("", "application/json", '{"device_id": "设备"}'.encode("gbk")),
        ("", "application/json", '{"device_id": "D1"}'.encode("utf-16")),
        ("", "application/json", b"[" * 60_000),
    ],
)
def test_what_cannot_be_understood_is_refused(query: str, kind: str, body: bytes):
    with pytest.raises(ProtocolError):
        osmand(query, kind, body)


def test_what_cannot_be_a_place_is_still_a_reading():
    assert math.isnan(osmand("id=D1&lat=NaN&lon=2").lat or 0)
    assert osmand("id=D1&lat=95&lon=2").lat == 95
    assert osmand(f"id=D1&lat={'9' * 400}&lon=2").lat == math.inf
    body = b'{"device_id": "D1", "location": {"coords": {"latitude": 1' + b"0" * 400 + b"}}}"
    assert osmand("", "application/json", body).lat == math.inf


# --- OwnTracks -----------------------------------------------------------------------------------


def test_a_location_of_owntracks_is_read_in_full():
    found = owntracks(
        acc=13, alt=60, batt=81, bs=1, cog=120, conn="m", t="t", tid="D1", vac=5, vel=4
    )
    assert found == Reading("D1", "secret", THEN, 111.3, 30.7, 13.0, 4.0, None, "", "owntracks")


def test_a_body_of_no_length_and_other_messages_are_no_errors():
    assert parse_owntracks(b"") == "empty"
    assert parse_owntracks(b' {"_type": "encrypted", "data": "xxx"}') == "encrypted"
    for kind in ("transition", "waypoint", "waypoints", "lwt", "status", "card", "cmd", "steps",
                 "configuration", "request", "beacon", "brandnew", None, 3):  # fmt: skip
        assert parse_owntracks(json.dumps({"_type": kind}).encode()) == "other_message"


def test_the_device_is_the_user_or_what_topic_headers_and_address_name():
    body = json.dumps({"_type": "location", "lat": 1, "lon": 2, "tst": TS}).encode()
    found = parse_owntracks(body, topic="owntracks/wang/phone")
    assert isinstance(found, Reading)
    assert [found.device_id, *found.aliases] == ["phone", "wang", "wang/phone"]
    found = parse_owntracks(body, user="D1", limit_user="wang", limit_device="phone")
    assert isinstance(found, Reading)
    assert [found.device_id, *found.aliases] == ["D1", "phone", "wang", "wang/phone"]
    inside = json.dumps(
        {"_type": "location", "lat": 1, "lon": 2, "tst": TS, "topic": "owntracks/u/d"}
    )
    found = parse_owntracks(inside.encode())
    assert isinstance(found, Reading)
    assert found.device_id == "d"


@pytest.mark.parametrize(
    "told",
    [
        {"lat": None}, {"lon": "east"}, {"tst": None}, {"tst": "now"}, {"tst": True}, {"acc": "13"},
        {"vel": []},
    ],
)  # fmt: skip
def test_a_location_of_owntracks_with_a_hole_or_a_wrong_type_is_refused(told: dict[str, object]):
    with pytest.raises(ProtocolError):
        owntracks(**told)


# --- our own batch -------------------------------------------------------------------------------


def batch(*fixes: object) -> list[Reading | ProtocolError]:
    return parse_batch(json.dumps({"fixes": fixes}).encode(), "secret")


def test_a_batch_is_read_fix_by_fix_and_a_bad_one_spoils_no_other():
    good = {"device_id": "D1", "time": "2026-11-21T11:59:50+08:00", "lon": 111.3, "lat": 30.7}
    found = batch(
        good, {**good, "time": TS, "crs": "gcj02", "mock": True, "speed_kmh": 4}, "bad", good
    )
    assert found[0] == Reading("D1", "secret", THEN, 111.3, 30.7, source="batch")
    second = found[1]
    assert isinstance(second, Reading)
    assert (second.time, second.crs, second.mock, second.speed_kmh) == (THEN, "gcj02", True, 4.0)
    assert isinstance(found[2], ProtocolError)
    assert found[3] == found[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": "2026-11-21T11:59:50"}, "no zone"),
        ({"time": None}, "time is missing"),
        ({"time": {}}, "time is an object"),
        ({"lon": "111"}, "lon is '111', no number"),
        ({"lat": None}, "missing"),
        ({"lat": False}, "no number"),
        ({"device_id": 5}, "device_id"),
        ({"crs": 4326}, "crs"),
        ({"mock": 1}, "mock"),
    ],
)
def test_a_fix_of_a_batch_with_a_wrong_type_says_which(change: dict[str, object], words: str):
    good = {"device_id": "D1", "time": TS, "lon": 111.3, "lat": 30.7}
    found = batch({**good, **change})[0]
    assert isinstance(found, ProtocolError)
    assert words in str(found)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"fixes": {}}', b"\xff\xfe{", b"null"])
def test_what_is_no_batch_is_refused(body: bytes):
    with pytest.raises(ProtocolError):
        parse_batch(body)


def test_headers_give_user_password_and_token():
    assert read_basic("Basic RDE6c2U6Y3JldA==") == ("D1", "se:cret")
    assert read_basic("Bearer abc") == read_basic("Basic %%%") == read_basic("") == ("", "")
    assert read_bearer("Bearer  abc ") == "abc"
    assert read_bearer("Basic abc") == ""


# --- laws ----------------------------------------------------------------------------------------

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["device_id", "location", "coords", "latitude", "longitude", "timestamp", "mock", "alarm",
     "lat", "lon", "tst", "_type", "topic", "time", "crs", "speed", "acc", "vel", "extras", "fixes"]
)  # fmt: skip
told = st.dictionaries(
    KEYS, json_like | st.dictionaries(KEYS, json_like, max_size=5) | st.just("location"), max_size=8
)
bodies = st.binary(max_size=200) | told.map(lambda value: json.dumps(value).encode())


@given(query=st.text(max_size=200), kind=st.sampled_from(["", "application/json"]), body=bodies)
def test_no_request_whatever_raises_anything_else(query: str, kind: str, body: bytes):
    try:
        found = osmand(query, kind, body)
    except ProtocolError:
        return
    assert found.device_id
    assert found.time.tzinfo is not None


@given(body=bodies, topic=st.text(max_size=40))
def test_no_message_of_owntracks_raises_anything_else(body: bytes, topic: str):
    try:
        parse_owntracks(body, topic=topic)
    except ProtocolError:
        return


@given(body=bodies, fix=told)
def test_no_batch_raises_anything_else(body: bytes, fix: dict[str, object]):
    for one in (body, json.dumps({"fixes": [fix, fix]}).encode()):
        try:
            found = parse_batch(one)
        except ProtocolError:
            continue
        assert all(isinstance(item, Reading | ProtocolError) for item in found)


@given(header=st.text(max_size=60))
def test_no_header_raises(header: str):
    read_basic(header)
    read_basic(f"Basic {header}")
    read_bearer(header)
