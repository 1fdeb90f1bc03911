"""What screens are told of people: applying every event gives what the server knows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import flask
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboards.live_code import unpack_positions
from dashboards.live_feed import LiveFeed, Ring
from dashboards.patrol_lines import ORDER, read_alarms
from dashboards.server import add_routes
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.worker_states import STATES, find_states
from geo.io.workspace import Workspace
from geo.schema import ALARM_KINDS


class Screen:
    """A slow, obvious twin of assets/26-people.js: what a screen holds after the events it saw."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.names: dict[int, str] = {}
        self.people: dict[int, tuple[float, float, int]] = {}
        self.states: dict[int, str] = {}
        self.alarms: dict[str, dict[str, Any]] = {}
        self.load()

    def load(self) -> None:
        """The layer and the alarms as they are loaded by address."""
        features = self.client.get("/data/workers.geojson").get_json(force=True)["features"]
        self.people = {}
        for feature in features:
            p = feature["properties"]
            self.names[p["n"]] = feature["id"]
            self.people[p["n"]] = (*feature["geometry"]["coordinates"], p["t"])
            self.states.setdefault(p["n"], p["state"])
        self.alarms = {a["id"]: a for a in self.client.get("/data/alarms.json").json["alarms"]}

    def greet(self, states: list[list[Any]]) -> None:
        self.states = dict.fromkeys(self.names, "on_duty") | {
            slot: name for name, slots in states for slot in slots
        }

    def take(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "positions":
            for slot, label, _ in data.get("new", []):
                self.names[slot] = label
            for slot, lon, lat, t in zip(*unpack_positions(data), strict=True):
                self.people[int(slot)] = (float(lon), float(lat), int(t))
            for slot in data.get("gone", []):
                del self.people[slot]
        elif kind == "states":
            for name, slots in data["states"]:
                self.states |= dict.fromkeys(slots, name)
        elif kind == "patrol":
            self.alarms |= {a["id"]: a for a in data["changed"]}
            for key in data["gone"]:
                del self.alarms[key]

    @property
    def seen(self) -> dict[str, tuple[float, float, int, str]]:
        return {
            self.names[slot]: (*where, self.states.get(slot, "on_duty"))
            for slot, where in self.people.items()
        }


@pytest.fixture
def now(drawing: Any) -> list[datetime]:
    return [drawing.at]


@pytest.fixture
def feed(drawing: Any, workspace: Workspace, now: list[datetime]) -> LiveFeed:
    """A feed of the drawn city whose workers somebody else watches."""
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: now[0])
    store.snapshot()
    return LiveFeed(store, ring=Ring(boot="b"))


@pytest.fixture
def client(feed: LiveFeed) -> FlaskClient:
    """The addresses of the same store, without pages and without anybody who watches."""
    server = flask.Flask("live")
    add_routes(server, feed.store, list)
    return server.test_client()


def news(feed: LiveFeed, after: int, language: str = "zh") -> list[tuple[str, dict[str, Any]]]:
    events = feed.ring.after(after, 0.0)
    assert events is not None
    return [
        (event.kind, json.loads(event.data[language if language in event.data else ""]))
        for event in events
    ]


def walk(feed: LiveFeed, rng: np.random.Generator, at: datetime, *people: str) -> None:
    frame = pd.DataFrame({"worker_id": people, "time": pd.Timestamp(at)}).assign(
        lon=rng.uniform(114.3, 114.308, len(people)), lat=rng.uniform(30.5, 30.506, len(people))
    )
    with feed.store.workspace.writing() as conn:
        feed.store.workspace.append(conn, "fixes", frame)


def ring_alarm(feed: LiveFeed, key: str, at: datetime, **values: Any) -> None:
    row = {"alarm_id": key, "kind": "off_post", "began_at": at, "fired_at": at} | values
    with feed.store.workspace.writing() as conn:
        feed.store.workspace.append(conn, "patrol_alarms", pd.DataFrame([row]))


def end_alarm(feed: LiveFeed, key: str, **values: Any) -> None:
    table = feed.store.workspace.table("patrol_alarms")
    with feed.store.workspace.writing() as conn:
        conn.execute(sa.update(table).where(table.c.alarm_id == key).values(**values))
        feed.store.workspace.touch(conn, "patrol_alarms")


def truth(feed: LiveFeed) -> dict[str, tuple[float, float, int, str]]:
    """By the tables: the newest fix of each, and what is said of them."""
    snapshot = feed.store.snapshot()
    told = {} if feed.store.watching is None else feed.store.watching.states
    calling = read_alarms(feed.store).calling
    states = find_states(snapshot, told, calling, at=pd.Timestamp(feed.store.clock()))
    rows = snapshot.workers.positions.itertuples()
    return {
        str(row.Index): (
            round(row.lon, 6), round(row.lat, 6), int(row.time.timestamp()), STATES[code],
        )
        for row, code in zip(rows, states, strict=True)
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_applying_every_event_gives_what_the_server_knows(
    feed: LiveFeed, client: FlaskClient, now: list[datetime], seed: int
) -> None:
    """One screen from the beginning; one that loads in the middle and is then told some twice."""
    rng = np.random.default_rng(seed)
    first, second = Screen(client), None
    first.greet(feed._people.told_states())
    seen = 0
    watching = SimpleNamespace(states={}, mark=0, alarms=read_alarms(feed.store).rows)
    feed.store.watching = watching  # type: ignore[assignment]
    for step in range(25):
        now[0] += timedelta(seconds=int(rng.integers(1, 900)))
        some = [name for name in ("w1", "w2", "w3") if rng.random() < 0.5]
        if some:
            walk(feed, rng, now[0] - timedelta(seconds=int(rng.integers(0, 60))), *some)
        if rng.random() < 0.4:
            watching.states = {
                name: str(rng.choice(STATES)) for name in ("w1", "w2", "w3") if rng.random() < 0.8
            }
            watching.mark += 1
        if rng.random() < 0.05:
            now[0] += timedelta(hours=12)
        feed.store.refresh()
        told = news(feed, seen)
        seen = feed.ring.last
        for kind, data in told:
            first.take(kind, data)
        if step == 12:
            second = Screen(client)
            second.greet(feed._people.told_states())
            for kind, data in told:
                if kind != "positions" or "gone" not in data:
                    second.take(kind, data)
        elif second is not None:
            for kind, data in told:
                second.take(kind, data)
        assert first.seen == truth(feed)
        assert second is None or second.seen == truth(feed)


def test_a_step_is_told_by_number_and_a_newcomer_with_a_name(
    feed: LiveFeed, now: list[datetime]
) -> None:
    walk(feed, np.random.default_rng(1), now[0], "w3")
    feed.store.refresh()
    ((kind, told),) = [one for one in news(feed, 0) if one[0] == "positions"]
    number = int(feed.store.snapshot().workers.positions.at["w3", "slot"])
    assert (kind, told["new"]) == ("positions", [[number, "w3", "赵强"]])
    before = feed.ring.last
    now[0] += timedelta(seconds=5)
    walk(feed, np.random.default_rng(2), now[0], "w3")
    feed.store.refresh()
    ((_, told),) = [one for one in news(feed, before) if one[0] == "positions"]
    assert "new" not in told
    assert told["count"] == 1


def test_silence_alone_changes_the_state_and_is_told_once(
    feed: LiveFeed, now: list[datetime]
) -> None:
    """w1 was heard two minutes ago: after fourteen more nobody knows."""
    feed.store.refresh()
    number = int(feed.store.snapshot().workers.positions.at["w1", "slot"])
    before = feed.ring.last
    for _ in range(3):
        now[0] += timedelta(minutes=14)
        feed.store.refresh()
    told = [data["states"] for kind, data in news(feed, before) if kind == "states"]
    assert told == [[["no_signal", [number]]]]


def test_a_greeting_names_all_who_are_not_simply_on_duty(feed: LiveFeed) -> None:
    number = int(feed.store.snapshot().workers.positions.at["w2", "slot"])
    stream = feed.stream("zh", "", ping_s=0.0)
    next(stream)
    hello = json.loads(next(stream).decode().split("data: ")[1])
    assert hello["states"] == [["no_signal", [number]]]


# --- alarms --------------------------------------------------------------------------------------


def test_every_kind_of_alarm_has_a_place_and_a_call_for_help_the_first() -> None:
    assert set(ORDER) == set(ALARM_KINDS)
    assert ORDER[0] == "sos"


def test_a_call_for_help_is_told_at_once_with_its_grid_and_shows_as_state(
    drawing: Any, feed: LiveFeed, client: FlaskClient, now: list[datetime]
) -> None:
    lon, lat = drawing.middle(7)
    ring_alarm(feed, "s1", now[0], kind="sos", worker_id="w1", lon=lon, lat=lat)
    feed.store.refresh()
    told = dict(news(feed, 0))
    (alarm,) = told["patrol"]["changed"]
    assert (alarm["kind"], alarm["who"], alarm["where"]) == (
        "sos", "王小明", "南湖社区 · 南湖第7网格",
    )  # fmt: skip
    assert alarm["place"] == [round(lon, 6), round(lat, 6)]
    assert alarm["grid_id"] == drawing.ids[7]
    assert "420102002000" in alarm["units"]
    assert alarm["seen"] is None
    number = int(feed.store.snapshot().workers.positions.at["w1", "slot"])
    assert ["sos", [number]] in told["states"]["states"]
    assert client.get("/data/alarms.json").json["alarms"] == [alarm]
    before = feed.ring.last
    end_alarm(feed, "s1", ended_at=now[0], seen_at=now[0], seen_by="值班员")
    feed.store.refresh()
    told = dict(news(feed, before))
    assert told["patrol"] == {"changed": [], "gone": ["s1"]}
    assert told["states"]["states"] == [["on_duty", [number]]]


def test_alarms_come_loudest_first_and_an_acknowledged_one_is_told_again(
    drawing: Any, feed: LiveFeed, client: FlaskClient, now: list[datetime]
) -> None:
    at, grid = now[0], drawing.ids[0]
    ring_alarm(feed, "a", at - timedelta(minutes=9), worker_id="w2", kind="no_signal", grid_id=grid)
    ring_alarm(feed, "b", at - timedelta(minutes=8), worker_id="w2", grid_id=grid)
    ring_alarm(feed, "c", at - timedelta(minutes=7), worker_id="w3", grid_id=grid)
    ring_alarm(feed, "d", at - timedelta(minutes=6), kind="sos", worker_id="w1")
    ring_alarm(feed, "e", at - timedelta(minutes=5), kind="round_at_risk", grid_id=grid, shift="午")
    feed.store.refresh()
    lines = client.get("/data/alarms.json?lang=en").json["alarms"]
    assert [line["id"] for line in lines] == ["d", "c", "b", "e", "a"]
    assert (lines[0]["where"], lines[0]["place"]) == ("place unknown", None)
    assert (lines[3]["who"], lines[3]["shift"]) == ("", "午")
    before = feed.ring.last
    end_alarm(feed, "b", seen_at=at, seen_by="王值班")
    feed.store.refresh()
    ((_, told),) = [one for one in news(feed, before) if one[0] == "patrol"]
    assert [(line["id"], line["by"]) for line in told["changed"]] == [("b", "王值班")]
    assert told["gone"] == []


def test_what_explains_an_alarm_may_be_missing_or_broken(
    feed: LiveFeed, client: FlaskClient, now: list[datetime]
) -> None:
    for key, detail in (("a", None), ("b", '{"workers": 12}'), ("c", "{"), ("d", "[1]")):
        ring_alarm(feed, key, now[0], kind="no_signal", detail=detail)
    feed.store.refresh()
    found = {a["id"]: a["detail"] for a in client.get("/data/alarms.json").json["alarms"]}
    assert found == {"a": {}, "b": {"workers": 12}, "c": {}, "d": {}}


# --- states and positions ------------------------------------------------------------------------


def test_a_state_is_what_the_watch_says_else_the_age_and_a_call_before_all(feed: LiveFeed) -> None:
    """w1 was heard two minutes ago, w2 forty; fifteen are on duty by age alone."""
    snapshot = feed.store.snapshot()
    at = pd.Timestamp(snapshot.at)

    def states(told: dict[str, str], *calling: str) -> dict[str, str]:
        codes = find_states(snapshot, told, frozenset(calling), at=at)
        return dict(
            zip(snapshot.workers.positions.index, [STATES[code] for code in codes], strict=True)
        )

    assert states({}) == {"w1": "on_duty", "w2": "no_signal"}
    assert states({"w2": "off_post"}) == {"w1": "on_duty", "w2": "off_post"}
    assert states({"w1": "standing", "w2": "nonsense"}) == {"w1": "standing", "w2": "no_signal"}
    assert states({"w1": "off_duty"}, "w1") == {"w1": "sos", "w2": "no_signal"}


def test_a_position_carries_accuracy_mock_and_a_number_that_stays(
    feed: LiveFeed, now: list[datetime]
) -> None:
    first = feed.store.snapshot().workers.positions["slot"]
    now[0] += timedelta(seconds=5)
    rows = [("w3", 12.5, True), ("w1", None, None)]
    frame = pd.DataFrame(rows, columns=["worker_id", "accuracy_m", "mock"]).assign(
        time=pd.Timestamp(now[0]), lon=114.301, lat=30.501
    )
    with feed.store.workspace.writing() as conn:
        feed.store.workspace.append(conn, "fixes", frame)
    found = feed.store.refresh().workers.positions
    assert found["slot"][first.index].to_dict() == first.to_dict()
    assert found["slot"].is_unique
    assert (found.at["w3", "accuracy_m"], bool(found.at["w3", "mock"])) == (12.5, True)
    assert np.isnan(found.at["w1", "accuracy_m"])
    assert not found.at["w1", "mock"]
