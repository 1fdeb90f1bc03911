"""Positions over HTTP, byte for byte as the clients of Traccar and OwnTracks send them.

A real server on a socket; W1 carries D1 with token t1 in a city that asks for tokens. It is noon in
Shanghai on 21 November 2026. The requests are written as the documents show them: Traccar Client up
to version 8 puts a query behind the address and posts nothing, from version 9 on it posts JSON;
OwnTracks posts JSON with Basic authentication.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import flask
import pandas as pd
import pytest
import sqlalchemy as sa
from waitress import wasyncore
from waitress.server import create_server

from dashboards import feeds
from dashboards.app import create_app
from dashboards.feeds import INGEST, add_ingest_routes, make_rules
from dashboards.settings import Settings
from dashboards.store import Store
from geo.errors import StoreBusyError
from geo.io.devices import add_device
from geo.io.fixbook import FixBook, FixRules, read_counts
from geo.io.workspace import Workspace, create_workspace

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
TS = int(NOON.timestamp()) - 60
BASIC = "Basic RDE6dDE="


@dataclass
class Served:
    """A server that takes positions."""

    port: int
    workspace: Workspace
    book: FixBook

    def send(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to the very bytes of a request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as link:
            link.sendall(raw)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += _receive(link)
            head, _, body = answer.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:])
            while len(body) < int(headers["Content-Length"]):
                body += _receive(link)
        return int(lines[0].split()[1]), headers, body

    def post(
        self, path: str, body: bytes | str, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """The answer to a POST."""
        sent = body.encode() if isinstance(body, str) else body
        lines = [f"POST {path} HTTP/1.1", "Host: city.example", f"Content-Length: {len(sent)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.send("\r\n".join([*lines, "", ""]).encode() + sent)

    def fixes(self) -> pd.DataFrame:
        return self.workspace.read("fixes")

    def forget(self) -> None:
        with self.workspace.writing() as conn:
            for name in ("fixes", "ingest_counts", "patrol_alarms"):
                self.workspace.delete(conn, name, sa.true())

    def counts(self) -> dict[tuple[str, str], int]:
        return read_counts(self.workspace)


def _receive(link: socket.socket) -> bytes:
    got = link.recv(65536)
    assert got, "the server hung up"
    return got


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with create_workspace(tmp_path_factory.mktemp("feeds") / "city") as workspace:
        people = pd.DataFrame({"worker_id": ["W1"], "name": ["A"], "role": "grid_worker"})
        with workspace.writing() as conn:
            workspace.append(conn, "workers", people)
        add_device(workspace, "W1", device_id="D1", token="t1", at=NOON - timedelta(days=9))
        app = create_app(
            Settings(), Store(workspace, Settings(), clock=lambda: NOON.astimezone(UTC))
        )
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = create_server(app.server, sockets=[listener], threads=4)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        book = app.server.extensions[INGEST]
        yield Served(listener.getsockname()[1], workspace, book)
        # In the server's own thread, or its loop selects on sockets that are gone.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join()
        server.task_dispatcher.shutdown()
        book.close()


@pytest.fixture
def served(running: Served) -> Served:
    running.forget()
    return running


# --- byte for byte -------------------------------------------------------------------------------


def test_traccar_client_up_to_version_8_posts_a_query_and_no_body(served: Served):
    status, headers, body = served.send(
        f"POST /ingest/osmand?token=t1&id=D1&timestamp={TS}&lat=30.70412&lon=111.30215"
        "&speed=2.7&bearing=124.5&altitude=71.0&accuracy=9.6&batt=83.0 HTTP/1.1\r\n"
        "User-Agent: Dalvik/2.1.0 (Linux; U; Android 14; Phone Build/UP1A)\r\n"
        "Host: 127.0.0.1:8050\r\n"
        "Connection: Keep-Alive\r\n"
        "Accept-Encoding: gzip\r\n"
        "Content-Length: 0\r\n"
        "\r\n".encode()
    )
    assert (status, body, headers["X-Wangge-Reason"]) == (200, b"", "accepted")
    row = served.fixes().iloc[0]
    assert row["worker_id"] == "W1"
    assert (row["lon"], row["lat"], row["accuracy_m"]) == (111.30215, 30.70412, 9.6)
    assert row["speed_kmh"] == pytest.approx(5.0004)
    assert row["source"] == "osmand"
    assert not row["mock"]


def test_osmand_gets_its_address_with_a_query(served: Served):
    status, _, body = served.send(
        f"GET /ingest/osmand?id=D1&token=t1&lat=30.704&lon=111.302&timestamp={TS}000&hdop=1.2"
        "&altitude=71.0&speed=1.4 HTTP/1.1\r\n"
        "User-Agent: OsmAnd\r\nHost: 127.0.0.1:8050\r\nConnection: close\r\n\r\n".encode()
    )
    assert (status, body) == (200, b"")
    assert served.fixes().iloc[0]["accuracy_m"] == 6.0


def test_a_form_is_taken_as_well(served: Served):
    status, _, _ = served.post(
        "/ingest/osmand", f"deviceid=D1&token=t1&location=30.7,111.3&timestamp={TS}",
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert status == 200
    assert len(served.fixes()) == 1


def test_traccar_client_from_version_9_on_posts_json(served: Served):
    body = (
        '{"location":{"event":"motionchange","is_moving":true,"uuid":"5a1c3e52-7ad1-4f3a-9d8e-1b2c",'
        '"timestamp":"2026-11-21T03:59:00.000Z","odometer":1523.4,"mock":true,'
        '"coords":{"latitude":30.70412,"longitude":111.30215,"accuracy":4.8,"speed":1.25,'
        '"speed_accuracy":0.5,"heading":-1,"heading_accuracy":-1,"altitude":71.1,'
        '"altitude_accuracy":2.1},"activity":{"type":"walking","confidence":100},'
        '"battery":{"is_charging":false,"level":0.83},"extras":{}},"device_id":"D1"}'
    )
    status, _, answer = served.send(
        "POST /ingest/osmand?token=t1 HTTP/1.1\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"User-Agent: TraccarClient\r\nHost: 127.0.0.1:8050\r\nContent-Length: {len(body)}\r\n"
        f"Connection: Keep-Alive\r\nAccept-Encoding: gzip\r\n\r\n{body}".encode()
    )
    assert (status, answer) == (200, b"")
    row = served.fixes().iloc[0]
    assert row["time"] == pd.Timestamp("2026-11-21T03:59:00Z")
    assert (row["speed_kmh"], row["source"], bool(row["mock"])) == (4.5, "traccar", True)


def test_owntracks_posts_json_with_basic_authentication(served: Served):
    body = (
        '{"_type":"location","BSSID":"00:00:00:00:00:00","SSID":"","acc":13,"alt":71,"batt":83,'
        f'"bs":1,"conn":"m","created_at":{TS + 2},"lat":30.70412,"lon":111.30215,"m":1,"t":"t",'
        f'"tid":"D1","topic":"owntracks/wang/phone","tst":{TS},"vac":2,"vel":4}}'
    )
    request = (
        "POST /ingest/owntracks HTTP/1.1\r\nX-Limit-U: wang\r\nX-Limit-D: phone\r\n"
        f"Authorization: {BASIC}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nHost: 127.0.0.1:8050\r\nConnection: Keep-Alive\r\n"
        f"Accept-Encoding: gzip\r\nUser-Agent: Owntracks-Android/gms/420412000\r\n\r\n{body}"
    ).encode()
    status, headers, answer = served.send(request)
    assert (status, answer, headers["Content-Type"]) == (200, b"[]", "application/json")
    assert served.send(request)[0::2] == (200, b"[]")
    row = served.fixes().iloc[0]
    assert len(served.fixes()) == 1
    assert (row["speed_kmh"], row["accuracy_m"], row["source"]) == (4.0, 13.0, "owntracks")
    assert served.counts() == {("owntracks", "accepted"): 1, ("owntracks", "duplicate"): 1}


@pytest.mark.parametrize(
    "body",
    [
        "", '{"_type":"lwt","tst":1}', '{"_type":"waypoint","desc":"Home","tst":1}',
        '{"_type":"transition","event":"enter","wtst":1,"tst":2,"acc":3,"tid":"x"}',
        '{"_type":"status"}', '{"_type":"brandnew"}', '{"_type":"encrypted","data":"9Pa="}',
    ],
)  # fmt: skip
def test_what_owntracks_sends_beside_locations_is_answered_as_delivered(served: Served, body: str):
    status, _, answer = served.post("/ingest/owntracks", body, Authorization=BASIC)
    assert (status, answer) == (200, b"[]")
    assert served.fixes().empty


def test_owntracks_names_its_device_in_headers_or_address_where_the_city_is_open(
    workspace: Workspace,
):
    people = pd.DataFrame({"worker_id": ["W1"], "name": ["A"], "role": "grid_worker"})
    with workspace.writing() as conn:
        workspace.append(conn, "workers", people)
    add_device(workspace, "W1", device_id="wang", token="t", at=NOON)
    app = flask.Flask("open")
    book = FixBook(workspace, FixRules(NOON.tzinfo, is_open=True), clock=lambda: NOON)
    add_ingest_routes(app, None, book)  # type: ignore[arg-type]
    client = app.test_client()
    told = {"_type": "location", "lat": 30.7, "lon": 111.3}
    by_address = client.post("/ingest/owntracks?u=wang&d=phone", json={**told, "tst": TS})
    headers = {"X-Limit-U": "wang", "X-Limit-D": "phone"}
    by_header = client.post("/ingest/owntracks", json={**told, "tst": TS + 1}, headers=headers)
    body = {**told, "tst": TS + 2, "topic": "owntracks/wang/phone"}
    by_topic = client.post("/ingest/owntracks", json=body)
    nobody = client.post("/ingest/owntracks", json={**told, "tst": TS + 3})
    assert [a.status_code for a in (by_address, by_header, by_topic, nobody)] == [
        200,
        200,
        200,
        400,
    ]
    assert workspace.count("fixes") == 3
    book.close()


def test_a_batch_is_answered_with_counts_and_places_of_what_was_refused(served: Served):
    good = {"device_id": "D1", "lon": 111.3, "lat": 30.7}
    fixes = [
        {**good, "time": TS},
        {**good, "time": "2026-11-21T11:59:00+08:00"},
        {**good, "time": TS + 1, "accuracy_m": 5, "speed_kmh": 4, "mock": True, "crs": "wgs84"},
        {**good, "time": "2026-11-21T05:00:00+08:00"},
        {**good, "time": TS + 2, "lat": "north"},
        {**good, "time": TS + 3, "device_id": "D9"},
        {**good, "time": TS + 86_400},
        {**good, "time": 0},
        {**good, "time": TS + 4, "lon": 0, "lat": 0},
    ]
    body = json.dumps({"fixes": fixes})
    status, _, answer = served.post("/ingest/fixes", body, Authorization="Bearer t1")
    told = json.loads(answer)
    assert status == 200
    assert {k: told[k] for k in ("accepted", "duplicates", "off_duty")} == {
        "accepted": 2, "duplicates": 1, "off_duty": 1,
    }  # fmt: skip
    assert [(r["index"], r["reason"].partition(":")[0]) for r in told["rejected"]] == [
        (4, "malformed"), (5, "unknown_device"), (6, "future"), (7, "too_old"), (8, "null_island"),
    ]  # fmt: skip
    assert len(served.fixes()) == 2
    assert sum(served.counts().values()) == len(fixes)
    empty = served.post("/ingest/fixes", '{"fixes": []}')
    assert (empty[0], json.loads(empty[2])["accepted"]) == (200, 0)


# --- bad input, line by line ----------------------------------------------------------------------

ONE = f"id=D1&token=t1&lat=30.7&lon=111.3&timestamp={TS}"


def test_what_is_sent_again_is_stored_once_and_answered_each_time(served: Served):
    for _ in range(3):
        assert served.post(f"/ingest/osmand?{ONE}", b"")[0] == 200
    assert len(served.fixes()) == 1
    assert served.counts() == {("osmand", "accepted"): 1, ("osmand", "duplicate"): 2}


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        (ONE.replace(str(TS), str(TS - 7200)), 200, "accepted"),
        (ONE.replace(str(TS), str(TS + 86_400)), 200, "future"),
        (ONE.replace(str(TS), "0"), 200, "too_old"),
        (ONE.replace(str(TS), "-1"), 200, "too_old"),
        (ONE.replace("30.7", "0").replace("111.3", "0.0"), 200, "null_island"),
        (ONE.replace("30.7", "95"), 200, "out_of_range"),
        (ONE.replace("30.7", "NaN"), 200, "not_finite"),
        (ONE.replace("30.7", "1e999"), 200, "not_finite"),
        (ONE.replace("30.7", ""), 200, "ping"),
        (ONE.replace(str(TS), str(TS - 8 * 3600)), 200, "off_duty"),
        (ONE.replace("30.7", "thirty"), 400, "malformed"),
        (ONE.replace(str(TS), "noon"), 400, "malformed"),
        (ONE.replace("id=D1&", ""), 400, "malformed"),
        ("", 400, "malformed"),
        (ONE.replace("D1", "D9"), 400, "unknown_device"),
        (ONE.replace("D1", "%FF%FE"), 400, "unknown_device"),
        (ONE.replace("D1", "%00"), 400, "unknown_device"),
        (ONE.replace("D1", "'%3B+DROP+TABLE+fixes%3B--"), 400, "unknown_device"),
        (ONE.replace("t1", "t2"), 401, "wrong_token"),
        (ONE.replace("token=t1&", ""), 401, "wrong_token"),
    ],
)
def test_a_bad_reading_gets_a_clear_answer_and_a_counted_reason(
    served: Served, query: str, status: int, reason: str
):
    got, headers, body = served.post(f"/ingest/osmand?{query}", b"")
    assert (got, headers["X-Wangge-Reason"]) == (status, reason)
    assert served.counts() == {("osmand", reason): 1}
    assert (len(served.fixes()) == 1) == (reason == "accepted")
    if status >= 400:
        assert json.loads(body)["reason"] == reason
    assert b"Traceback" not in body


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/ingest/osmand", feeds.ONE_BYTES),
        ("/ingest/owntracks", feeds.ONE_BYTES),
        ("/ingest/fixes", feeds.BATCH_BYTES),
    ],
)
def test_a_body_of_ten_megabytes_is_too_large(served: Served, path: str, limit: int):
    for size in (10_000_000, limit + 1):
        status, _, body = served.post(path, b"[" * size)
        assert (status, json.loads(body)["reason"]) == (413, "too_large")
    assert served.post(path, b"[" * limit)[0] == 400
    assert {reason for _, reason in served.counts()} == {"too_large", "malformed"}


def test_a_body_in_pieces_is_measured_as_well(served: Served):
    head = b"POST /ingest/fixes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"100000\r\n" + b"[" * 0x100000 + b"\r\n"
    assert served.send(head + piece * 6 + b"0\r\n\r\n")[0] == 413
    body = json.dumps({"fixes": []}).encode()
    small = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    assert served.send(head + small)[0] == 200


BAD = [
    b"", b"{", b"null", b"[]", b"7", b'"x"', b"\xff\xfe\x00", b"\x00" * 50, b"[" * 50_000,
    '{"设备": "一"}'.encode("gbk"), '{"fixes": []}'.encode("utf-16"),
    b'{"fixes": [[[]]], "fixes": 5}', b'{"fixes": {"a": 1}}', b"PK\x03\x04zip", b"<xml/>",
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
def test_wrong_types_and_encodings_are_refused_with_a_sentence(served: Served, body: bytes):
    status, _, answer = served.post("/ingest/fixes", body)
    assert status == 400
    assert json.loads(answer)["error"]
    status, _, answer = served.post("/ingest/osmand", body, Content_Type="application/json")
    assert status == 400
    status, _, answer = served.post("/ingest/owntracks", body, Authorization=BASIC)
    assert status == (400 if body.strip() and b"fixes" not in body else status)
    assert status in (200, 400)
    assert served.fixes().empty


def test_bad_fixes_of_a_batch_take_no_good_one_with_them(served: Served):
    good = [{"device_id": "D1", "time": TS - k, "lon": 111.3, "lat": 30.7} for k in range(50)]
    bad: list[Any] = [None, 5, [], "x", {}, {"device_id": {}}, {"device_id": "D1", "time": []}]
    mixed = [item for pair in zip(good, bad * 8, strict=False) for item in pair]
    answer = served.post("/ingest/fixes", json.dumps({"fixes": mixed}), Authorization="Bearer t1")
    told = json.loads(answer[2])
    assert (told["accepted"], len(told["rejected"])) == (50, 50)


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer t2"}, 401)])
def test_a_batch_without_the_token_is_refused_as_a_whole(
    served: Served, headers: dict[str, str], status: int
):
    fix = {"device_id": "D1", "time": TS, "lon": 111.3, "lat": 30.7}
    got, _, body = served.post("/ingest/fixes", json.dumps({"fixes": [fix]}), **headers)
    assert (got, len(json.loads(body)["rejected"])) == (status, 1)
    unknown = served.post("/ingest/fixes", json.dumps({"fixes": [{**fix, "device_id": "D9"}]}))
    assert unknown[0] == 400


def test_methods_that_no_client_uses_are_refused(served: Served):
    assert served.send(b"GET /ingest/fixes HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 405
    assert (
        served.send(b"PUT /ingest/osmand HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")[0]
        == 405
    )


def test_a_call_for_help_reaches_the_alarms_with_its_fix(served: Served):
    assert served.post(f"/ingest/osmand?{ONE}&alarm=sos&mock=true", b"")[0] == 200
    alarms = served.workspace.read("patrol_alarms")
    assert alarms[["kind", "worker_id"]].to_numpy().tolist() == [["sos", "W1"]]
    assert bool(served.fixes().iloc[0]["mock"])


def test_a_city_that_cannot_be_written_says_when_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise StoreBusyError("another program writes")

    for path, body in (("osmand?" + ONE, b""), ("fixes", b'{"fixes": []}'), ("owntracks", b"")):
        monkeypatch.setattr(served.book, "take", refuse)
        monkeypatch.setattr(served.book, "note", refuse)
        status, headers, answer = served.post(f"/ingest/{path}", body)
        assert (status, headers["Retry-After"]) == (503, "5")
        assert json.loads(answer)["reason"] == "busy"


def test_the_rules_are_those_of_the_settings():
    rules = make_rules(Settings(duty_hours="08:00-20:00", ingest_open=True, osmand_speed="ms"))
    assert rules.is_open
    assert rules.speed_unit == "ms"
    assert not rules.is_on_duty(NOON.replace(hour=7))
    assert make_rules(Settings(keep_off_duty=True)).is_on_duty(NOON.replace(hour=3))
    assert make_rules(Settings(keep_fixes_days=30)).keep_days == 30
    assert not make_rules(Settings()).is_open
    assert make_rules(Settings()).duty is not None, (
        "off duty nothing is stored, unless a city says so"
    )
