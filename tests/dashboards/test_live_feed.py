"""What screens are told, and when; on the drawn city of tests/dashboards/conftest.py."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from dashboards.app import create_app
from dashboards.live_code import unpack_positions
from dashboards.live_feed import LiveFeed, Ring
from dashboards.server import LIVE
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace

Told = tuple[str, int, dict[str, Any]]


@pytest.fixture
def now(drawing: Any) -> list[datetime]:
    """The moment of the store's clock, to be moved."""
    return [drawing.at]


@pytest.fixture
def seconds() -> list[float]:
    """The feed's own clock."""
    return [0.0]


@pytest.fixture
def feed(drawing: Any, workspace: Workspace, now: list[datetime], seconds: list[float]) -> LiveFeed:
    """A feed of the drawn city, numbered from the start named b."""
    drawing.fill(workspace)
    store = Store(workspace, Settings(screens=2), clock=lambda: now[0])
    store.snapshot()
    return LiveFeed(store, ring=Ring(boot="b"), tick=lambda: seconds[0])


def parsed(text: bytes) -> list[Told]:
    """Kind, number (0 without one) and data of each event of a piece of the stream."""
    found = []
    for block in text.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in lines:
            number = int(lines["id"].rpartition("-")[2]) if "id" in lines else 0
            found.append((lines["event"], number, json.loads(lines["data"])))
    return found


def news(feed: LiveFeed, after: int = 0, language: str = "zh") -> list[Told]:
    """What a screen would be told behind a number."""
    events = feed.ring.after(after, 0.0)
    assert events is not None
    return [told for event in events for told in parsed(event.text("b", language))]


def of_kind(told: list[Told], kind: str) -> list[dict[str, Any]]:
    return [data for name, _, data in told if name == kind]


def change(feed: LiveFeed, incident_id: str, **values: Any) -> None:
    workspace = feed.store.workspace
    table = workspace.table("incidents")
    with workspace.writing() as conn:
        conn.execute(sa.update(table).where(table.c.incident_id == incident_id).values(**values))
        workspace.touch(conn, "incidents")
    feed.store.refresh()


def add_case(feed: LiveFeed, incident_id: str, reported: datetime, **more: Any) -> None:
    row = {"incident_id": incident_id, "reported_at": reported, "stage": "opened", **more}
    workspace = feed.store.workspace
    with workspace.writing() as conn:
        conn.execute(sa.insert(workspace.table("incidents")).values(**row))
        workspace.touch(conn, "incidents")
    feed.store.refresh()


def add_fixes(feed: LiveFeed, *rows: tuple[str, datetime, float, float]) -> None:
    frame = pd.DataFrame(rows, columns=["worker_id", "time", "lon", "lat"])
    with feed.store.workspace.writing() as conn:
        feed.store.workspace.append(conn, "fixes", frame)
    feed.store.refresh()


# --- cases ---------------------------------------------------------------------------------------


def test_a_change_of_a_case_is_told_with_what_the_map_draws(drawing: Any, feed: LiveFeed) -> None:
    change(feed, "c", stage="handling")
    (told,) = of_kind(news(feed), "cases")
    (case,) = told["changed"]
    lon, lat = drawing.middle(5)
    assert (case["id"], case["state"], case["stage"]) == ("c", "fine", "handling")
    assert (case["lon"], case["lat"]) == (round(lon, 6), round(lat, 6))
    assert case["grid_id"] == drawing.ids[5]
    assert told["gone"] == []


def test_an_event_has_what_the_address_of_the_layer_gives(feed: LiveFeed) -> None:
    client = create_app(feed.store.settings, feed.store).server.test_client()
    change(feed, "c", stage="handling")
    (told,) = of_kind(news(feed, language="en"), "cases")
    features = client.get("/data/incidents.geojson?lang=en").json["features"]
    (feature,) = [f for f in features if f["properties"]["id"] == "c"]
    lon, lat = feature["geometry"]["coordinates"]
    assert told["changed"] == [{**feature["properties"], "lon": lon, "lat": lat}]


def test_two_languages_are_told_the_same_in_their_words(feed: LiveFeed) -> None:
    change(feed, "b", stage="handling")
    whats = [
        of_kind(news(feed, language=name), "cases")[0]["changed"][0]["what"]
        for name in ("zh", "en")
    ]
    assert whats[0] != whats[1]
    assert whats[1].isascii()


def test_a_case_that_is_closed_is_gone_and_one_without_a_place_has_none(feed: LiveFeed) -> None:
    change(feed, "a", stage="closed", closed_at=feed.store.clock())
    assert of_kind(news(feed), "cases")[-1] == {"changed": [], "gone": ["a"]}
    change(feed, "d", stage="handling")
    (case,) = of_kind(news(feed), "cases")[-1]["changed"]
    assert (case["id"], case["lon"], case["lat"]) == ("d", None, None)


def test_time_alone_changes_states_and_what_is_new(feed: LiveFeed, now: list[datetime]) -> None:
    now[0] += timedelta(minutes=10, seconds=1)  # b was new for half an hour
    feed.store.refresh()
    (told,) = of_kind(news(feed), "cases")
    assert [(c["id"], c["new"]) for c in told["changed"]] == [("b", 0)]
    now[0] += timedelta(minutes=50)  # b is late, c no longer new
    feed.store.refresh()
    told = of_kind(news(feed), "cases")[-1]
    assert {(c["id"], c["state"]) for c in told["changed"]} == {("b", "late"), ("c", "fine")}


def test_nothing_is_told_where_nothing_changed(feed: LiveFeed, now: list[datetime]) -> None:
    feed.store.refresh()
    now[0] += timedelta(seconds=20)
    feed.store.refresh()
    assert news(feed) == []


def test_very_many_changes_are_one_reset(feed: LiveFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.live_feed.MOST_CASES", 0)
    change(feed, "c", stage="handling")
    assert next(kind for kind, _, _ in news(feed)) == "reset"
    assert of_kind(news(feed), "reset")[0]["versions"] == feed.store.snapshot().versions


# --- alarms --------------------------------------------------------------------------------------


def test_a_case_that_grows_overdue_by_time_gives_one_alarm(
    drawing: Any, feed: LiveFeed, now: list[datetime]
) -> None:
    now[0] += timedelta(hours=1, seconds=3)
    for _ in range(4):
        feed.store.refresh()
        now[0] += timedelta(minutes=1)
    (alarm,) = of_kind(news(feed), "alarm")
    assert alarm["incident_id"] == "b"
    assert alarm["kind"] == "overdue"
    assert alarm["late_s"] == 3.0
    assert alarm["grid_id"] == drawing.ids[0]
    assert alarm["what"]
    assert "东湖" in alarm["where"]


def test_what_was_late_at_the_start_and_what_comes_late_is_no_alarm(
    feed: LiveFeed, now: list[datetime]
) -> None:
    add_case(feed, "old", now[0] - timedelta(days=3), deadline=now[0] - timedelta(days=1))
    change(feed, "a", stage="fed_back")
    assert of_kind(news(feed), "alarm") == []


def test_a_deadline_that_passed_since_the_last_look_is_an_alarm_of_a_new_case_too(
    feed: LiveFeed, now: list[datetime]
) -> None:
    reported = now[0]
    now[0] += timedelta(seconds=30)
    add_case(feed, "quick", reported, deadline=reported + timedelta(seconds=10))
    assert [a["incident_id"] for a in of_kind(news(feed), "alarm")] == ["quick"]


def test_a_deadline_that_is_set_earlier_is_an_alarm_and_the_same_one_never_again(
    feed: LiveFeed, now: list[datetime]
) -> None:
    due = now[0] - timedelta(minutes=5)
    change(feed, "c", deadline=due)
    change(feed, "c", deadline=now[0] + timedelta(hours=5))
    change(feed, "c", deadline=due)
    assert [a["incident_id"] for a in of_kind(news(feed), "alarm")] == ["c"]
    change(feed, "c", deadline=now[0] + timedelta(hours=5))
    now[0] += timedelta(hours=5, seconds=1)
    feed.store.refresh()
    assert sorted(a["incident_id"] for a in of_kind(news(feed), "alarm")) == ["b", "c", "c"]


# --- positions, versions -------------------------------------------------------------------------


def test_only_who_moved_is_told_and_who_is_gone(
    drawing: Any, feed: LiveFeed, now: list[datetime]
) -> None:
    lon, lat = drawing.middle(9)
    add_fixes(feed, ("w1", now[0], lon, lat))
    (told,) = of_kind(news(feed), "positions")
    numbers = feed.store.snapshot().workers.positions["slot"]
    slots, east, north, seconds = unpack_positions(told)
    assert slots.tolist() == [numbers["w1"]]
    assert (east[0], north[0]) == (round(lon, 6), round(lat, 6))
    assert seconds.tolist() == [int(now[0].timestamp())]
    assert "gone" not in told
    assert "new" not in told
    now[0] += timedelta(hours=11, minutes=30)
    feed.store.refresh()
    assert of_kind(news(feed), "positions")[-1]["gone"] == [numbers["w2"]]


def test_versions_are_told_at_most_every_refresh_and_never_forgotten(
    drawing: Any, feed: LiveFeed, now: list[datetime], seconds: list[float]
) -> None:
    seconds[0] = 100.0
    change(feed, "c", stage="handling")
    assert len(of_kind(news(feed), "version")) == 1
    seconds[0] += 4.9
    change(feed, "c", stage="fed_back")
    assert len(of_kind(news(feed), "version")) == 1
    seconds[0] += 0.2
    feed.store.refresh()  # nothing new, but what was held back is told
    told = of_kind(news(feed), "version")
    assert len(told) == 2
    assert told[-1]["versions"] == feed.store.snapshot().versions
    assert told[-1]["now"] == now[0].timestamp() * 1000
    seconds[0] += 100
    feed.store.refresh()
    assert len(of_kind(news(feed), "version")) == 2


# --- the stream ----------------------------------------------------------------------------------


def begin(feed: LiveFeed, last_id: str = "", language: str = "zh") -> tuple[Iterator[bytes], Told]:
    stream = feed.stream(language, last_id, ping_s=0.0)
    assert next(stream).startswith(b"retry:")
    (hello,) = parsed(next(stream))
    return stream, hello


def test_a_screen_is_greeted_and_told_what_follows(feed: LiveFeed) -> None:
    stream, (kind, number, data) = begin(feed)
    assert (kind, number, data["n"]) == ("hello", 0, 0)
    assert data["versions"] == feed.store.snapshot().versions
    assert parsed(next(stream)) == [("ping", 0, {"n": 0, "now": data["now"]})]
    change(feed, "c", stage="handling")
    assert [(k, n) for k, n, _ in parsed(next(stream))] == [("cases", 1), ("version", 2)]


def test_nothing_is_lost_over_many_connections(feed: LiveFeed) -> None:
    """The connection is cut after every second event; the numbers have no gap all the same."""
    seen: list[int] = []
    last = ""
    for step in range(12):
        stream, (_, number, _) = begin(feed, last)
        if last:
            assert number == seen[-1]
        else:
            last = f"b-{number}"
        for stage in ("handling", "fed_back"):
            change(feed, "c" if step % 2 else "b", stage=stage)
        numbers = [n for _, n, _ in parsed(next(stream))]
        # Only the first of what came has arrived when the cable is pulled.
        seen.append(numbers[0])
        last = f"b-{numbers[0]}"
        stream.close()  # type: ignore[attr-defined]
    stream, _ = begin(feed, last)
    seen += [n for _, n, _ in parsed(next(stream))]
    assert seen == list(range(1, feed.ring.last + 1))


def test_after_a_restart_a_screen_loads_anew(feed: LiveFeed) -> None:
    stream, (kind, number, _) = begin(feed, "another-17")
    assert (kind, number) == ("hello", 0)
    ((kind, _, data),) = parsed(next(stream))
    assert (kind, data["why"]) == ("reset", "unknown")
    assert data["versions"] == feed.store.snapshot().versions


def test_a_slow_screen_is_told_to_load_anew_and_goes_on(drawing: Any, feed: LiveFeed) -> None:
    feed.ring = Ring(kept=3, boot="b")
    stream, _ = begin(feed)
    for stage in ("handling", "fed_back", "handling", "fed_back", "handling"):
        change(feed, "c", stage=stage)
    last = feed.ring.last
    assert last > 3
    ((kind, number, data),) = parsed(next(stream))
    assert (kind, number, data["why"]) == ("reset", last, "slow")
    change(feed, "c", stage="fed_back")
    assert next(n for _, n, _ in parsed(next(stream))) == last + 1


def test_the_end_of_the_server_ends_the_stream(feed: LiveFeed) -> None:
    stream, _ = begin(feed)
    feed.close()
    assert list(stream) == []
    assert not feed.enter()


# --- the route -----------------------------------------------------------------------------------


def test_more_screens_than_the_setting_are_sent_away_and_places_are_given_back(
    feed: LiveFeed,
) -> None:
    server = create_app(feed.store.settings, feed.store).server
    live = server.extensions[LIVE]
    client = server.test_client()
    screens = [client.get("/live", buffered=False) for _ in range(2)]
    assert [s.status_code for s in screens] == [200, 200]
    assert screens[0].mimetype == "text/event-stream"
    assert screens[0].headers["Cache-Control"] == "no-store"
    away = client.get("/live?lang=en")
    assert away.status_code == 503
    assert away.headers["Retry-After"] == "30"
    assert "live connections" in away.json["error"]
    screens[0].close()
    assert live.screens == 1
    again = client.get("/live", buffered=False)
    assert again.status_code == 200
    for screen in (screens[1], again):
        screen.close()
    assert live.screens == 0


def test_the_last_event_may_come_by_header_or_address(feed: LiveFeed) -> None:
    server = create_app(feed.store.settings, feed.store).server
    live = server.extensions[LIVE]
    live.ring.add("version", {"": b"{}"})
    client, last = server.test_client(), f"{live.ring.boot}-0"
    for asked in (
        client.get("/live", headers={"Last-Event-ID": last}, buffered=False),
        client.get(f"/live?last={last}", buffered=False),
    ):
        pieces = asked.iter_encoded()
        text = b"".join(next(pieces) for _ in range(3))
        asked.close()
        assert [(k, n) for k, n, _ in parsed(text)] == [("hello", 0), ("version", 1)]


def test_asking_only_for_the_head_keeps_no_place(feed: LiveFeed) -> None:
    server = create_app(feed.store.settings, feed.store).server
    with server.test_client().head("/live") as answer:
        assert answer.status_code == 200
    assert server.extensions[LIVE].screens == 0
