"""OwnTracks over MQTT against a real mosquitto on a free port of this machine.

The city asks for tokens, which a broker's own users do not need; W1 carries `phone`.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from dashboards.mqtt_feed import MqttFeed
from dashboards.settings import Settings
from dashboards.store import Store
from geo.errors import SettingsError
from geo.io.devices import add_device
from geo.io.fixbook import FixBook, FixRules, read_counts
from geo.io.workspace import Workspace

mqtt = pytest.importorskip("paho.mqtt.client")
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
pytestmark = pytest.mark.skipif(not Path(MOSQUITTO).exists(), reason="no mosquitto here")

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
TS = int(NOON.timestamp()) - 600
TOPIC = "owntracks/wang/phone"


def wait_for(question: Callable[[], bool], what: str, patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not question():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.02)


class Broker:
    """A mosquitto that keeps sessions over a restart."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.conf = folder / "mosquitto.conf"
        self.conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_interval 1\n",
            encoding="utf-8",
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.is_up, "the broker listens")

    def is_up(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def publish(
        self, *messages: bytes | dict[str, object], topic: str = TOPIC, retain: bool = False
    ) -> None:
        """Send as a phone does: QoS 1, until the broker has it."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        for message in messages:
            body = message if isinstance(message, bytes) else json.dumps(message).encode()
            client.publish(topic, body, qos=1, retain=retain).wait_for_publish(20)
        client.disconnect()
        client.loop_stop()


def location(number: int, **change: object) -> dict[str, object]:
    told: dict[str, object] = {"_type": "location", "lat": 30.7, "lon": 111.3, "tst": TS + number}
    return {**told, "vel": 4, "acc": 13, "tid": "wa", **change}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    folder.chmod(0o777)
    made = Broker(folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def book(workspace: Workspace) -> Iterator[FixBook]:
    people = pd.DataFrame({"worker_id": ["W1"], "name": ["A"], "role": "grid_worker"})
    with workspace.writing() as conn:
        workspace.append(conn, "workers", people)
    add_device(workspace, "W1", device_id="phone", token="t1", at=NOON - timedelta(days=9))
    made = FixBook(workspace, FixRules(ZoneInfo("Asia/Shanghai")), clock=lambda: NOON)
    yield made
    made.close()


@pytest.fixture
def follow(broker: Broker, book: FixBook) -> Iterator[Callable[[], MqttFeed]]:
    feeds: list[MqttFeed] = []

    def begin() -> MqttFeed:
        settings = Settings(mqtt_host="127.0.0.1", mqtt_port=broker.port)
        feed = MqttFeed(book, settings, backoff_s=(0.05, 0.2))
        feeds.append(feed)
        feed.start()
        wait_for(lambda: feed.is_connected, "the feed follows the broker")
        return feed

    yield begin
    for feed in feeds:
        feed.stop()


def test_a_location_that_a_phone_publishes_is_stored(
    broker: Broker, book: FixBook, follow: Callable[[], MqttFeed]
):
    follow()
    broker.publish(location(0), location(1), location(0))
    wait_for(lambda: sum(read_counts(book.workspace).values()) == 3, "all is counted")
    assert read_counts(book.workspace) == {("mqtt", "accepted"): 2, ("mqtt", "duplicate"): 1}
    row = book.workspace.read("fixes").iloc[0]
    assert (row["worker_id"], row["speed_kmh"], row["source"]) == ("W1", 4.0, "mqtt")


def test_what_is_no_location_is_counted_and_holds_nothing_up(
    broker: Broker, book: FixBook, follow: Callable[[], MqttFeed]
):
    follow()
    broker.publish(
        b"", b"{", b"\xff\xfe", b"[]", {"_type": "lwt"}, location(0, lat="x"), location(1)
    )
    broker.publish(location(2), topic="owntracks/li/unknown")
    broker.publish(location(3), topic="owntracks/wang/phone/event")
    wait_for(lambda: sum(read_counts(book.workspace).values()) == 8, "all is counted")
    assert read_counts(book.workspace) == {
        ("mqtt", "empty"): 1, ("mqtt", "malformed"): 4, ("mqtt", "other_message"): 1,
        ("mqtt", "accepted"): 1, ("mqtt", "unknown_device"): 1,
    }  # fmt: skip


def test_what_is_published_while_the_server_is_down_comes_when_it_is_up(
    broker: Broker, book: FixBook, follow: Callable[[], MqttFeed]
):
    follow().stop()
    broker.publish(*(location(k) for k in range(50)))
    assert book.workspace.count("fixes") == 0
    follow()
    wait_for(lambda: book.workspace.count("fixes") == 50, "the broker has sent what it kept")


def test_the_feed_comes_back_when_the_broker_does(
    broker: Broker, book: FixBook, follow: Callable[[], MqttFeed]
):
    feed = follow()
    broker.stop()
    wait_for(lambda: not feed.is_connected, "the feed has noticed")
    broker.start()
    wait_for(lambda: feed.is_connected, "the feed is back")
    broker.publish(location(0))
    wait_for(lambda: book.workspace.count("fixes") == 1, "and hears")


def test_a_message_is_acknowledged_only_after_its_commit(
    broker: Broker, book: FixBook, follow: Callable[[], MqttFeed], monkeypatch: pytest.MonkeyPatch
):
    """The first commits fail; the broker sends again what was not acknowledged."""
    good, failures = book._commit, []

    def commit(jobs: list[object]) -> object:
        if len(failures) < 3:
            failures.append(len(jobs))
            raise OSError("the disk is full")
        return good(jobs)  # type: ignore[arg-type]

    monkeypatch.setattr(book, "_commit", commit)
    follow()
    broker.publish(*(location(k) for k in range(5)))
    wait_for(lambda: book.workspace.count("fixes") == 5, "all came again")
    assert len(failures) == 3


def test_a_retained_location_is_no_news_at_the_next_start(
    broker: Broker, book: FixBook, follow: Callable[[], MqttFeed]
):
    broker.publish(location(0), retain=True)
    follow().stop()
    wait_for(lambda: book.workspace.count("fixes") == 1, "stored")
    follow()
    # Once more if the first one's acknowledgement was still on its way.
    wait_for(lambda: read_counts(book.workspace).get(("mqtt", "duplicate"), 0) >= 1, "known")
    assert book.workspace.count("fixes") == 1


def test_without_the_extra_the_start_says_what_to_install(
    book: FixBook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt", None)
    feed = MqttFeed(book, Settings(mqtt_host="broker.example"))
    with pytest.raises(SettingsError, match=r"install wangge\[mqtt\]"):
        feed.start()
    feed.stop()


def test_the_jobs_beside_the_feeds_start_and_end_together(
    broker: Broker, book: FixBook, make_store: Callable[..., Store]
):
    from dashboards.feed_jobs import FeedJobs, FixJobs

    store = make_store(mqtt_host="127.0.0.1", mqtt_port=broker.port)
    jobs = FeedJobs(store, book)
    jobs.start()
    broker.publish(location(0), retain=True)
    wait_for(lambda: book.workspace.count("fixes") == 1, "the fix came in")
    jobs.stop()
    later = make_store(keep_fixes_days=30)
    later.clock = lambda: NOON + timedelta(days=2)
    FixJobs(later).run_once(deletes=True)
    assert (book.workspace.count("fixes"), len(book.workspace.read_fixes())) == (0, 1)
    later.clock = lambda: NOON + timedelta(days=40)
    FixJobs(later).run_once(deletes=True)
    assert book.workspace.read_fixes().empty
