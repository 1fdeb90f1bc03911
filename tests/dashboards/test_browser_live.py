"""A command screen in a real Chromium: data changes, the cable is pulled, the server restarts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from browsers import PATIENCE_MS, Chromium, end, in_thread
from playwright.sync_api import Page
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.live_feed import LiveFeed
from dashboards.server import LIVE
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace

pytestmark = pytest.mark.browser

LISTEN = """() => {
  window.told = [];
  for (const kind of ["hello", "positions", "cases", "alarm", "version", "reset", "state"])
    window.wangge.live.on(kind, (data) => window.told.push([kind, data]));
}"""


class City:
    """The drawn city, served; the server may go away and come back under the same address."""

    def __init__(self, workspace: Workspace, at: datetime) -> None:
        self.workspace = workspace
        self.now = at
        self.port = 0
        self.start()

    def start(self) -> None:
        """A server as after a restart: a new store, a new feed."""
        self.store = Store(self.workspace, Settings(refresh_s=2.0), clock=lambda: self.now)
        app = create_app(self.store.settings, self.store)
        self.feed: LiveFeed = app.server.extensions[LIVE]
        self.store.snapshot()
        server = make_server("127.0.0.1", self.port, app.server, threaded=True)
        self.port = server.server_port
        self.running = ExitStack()
        self.running.enter_context(in_thread(server))
        self.running.callback(end, app)

    def end(self) -> None:
        """Nobody answers any more."""
        self.running.close()

    def change(self, incident_id: str, **values: Any) -> None:
        table = self.workspace.table("incidents")
        where = table.c.incident_id == incident_id
        with self.workspace.writing() as conn:
            conn.execute(sa.update(table).where(where).values(**values))
            self.workspace.touch(conn, "incidents")
        self.store.refresh()

    def walk(self, worker_id: str, lon: float, lat: float) -> None:
        frame = pd.DataFrame({"worker_id": [worker_id], "time": [pd.Timestamp(self.now)]})
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "fixes", frame.assign(lon=lon, lat=lat))
        self.store.refresh()


@pytest.fixture(scope="module")
def city(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder: Path = tmp_path_factory.mktemp("live") / "city"
    with create_workspace(folder) as workspace:
        drawing.fill(workspace)
        made = City(workspace, drawing.at)
        yield made
        made.end()


@pytest.fixture(scope="module")
def page(browser: Chromium, city: City) -> Iterator[Page]:
    opened = browser.new_page()
    opened.goto(f"http://127.0.0.1:{city.port}/command")
    until(opened, "document.documentElement.dataset.ready === 'map'")
    until(opened, "window.wangge.live.state === 'live' && window.wangge.map.cases.size === 4")
    opened.evaluate(LISTEN)
    yield opened
    opened.close()


def until(page: Page, script: str) -> Any:
    """Poll, because the page's own policy forbids what `wait_for_function` does."""
    for _ in range(PATIENCE_MS // 50):
        found = page.evaluate(f"(() => {script})()")
        if found:
            return found
        page.wait_for_timeout(50)
    told = page.evaluate("[window.wangge.live, window.told]")
    raise AssertionError(f"never true: {script}; {told}")


def count(page: Page, kind: str) -> int:
    found: int = page.evaluate(f"window.told.filter((one) => one[0] === '{kind}').length")
    return found


def view(page: Page) -> Any:
    return page.evaluate("JSON.stringify(window.wangge.map.view())")


def test_a_move_is_on_the_map_at_once_and_nothing_else_is_loaded(page: Page, city: City) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = view(page)
    city.change("c", stage="handling")
    until(page, "window.wangge.map.cases.get('c').properties.stage === 'handling'")
    city.change("a", stage="closed", closed_at=city.now)
    until(page, "!window.wangge.map.cases.has('a')")
    assert not [url for url in asked if "/data/incidents" in url or "/data/workers" in url]
    assert view(page) == before


def test_a_worker_walks_over_the_map(page: Page, city: City) -> None:
    city.now += timedelta(seconds=30)
    city.walk("w1", 114.3051, 30.5031)
    until(page, "window.wangge.map.workers.get('w1').lon === 114.3051")
    city.walk("w3", 114.3011, 30.5011)
    until(page, "window.wangge.map.workers.has('w3')")


def test_a_case_that_grows_overdue_gives_one_alarm(page: Page, city: City) -> None:
    city.now += timedelta(hours=1)
    for _ in range(3):
        city.store.refresh()
        city.now += timedelta(seconds=61)
    until(page, "window.told.some((one) => one[0] === 'alarm')")
    until(page, "window.wangge.map.cases.get('b').properties.state === 'late'")
    page.wait_for_timeout(300)
    assert count(page, "alarm") == 1


def test_what_happened_while_the_cable_was_out_is_told_afterwards(page: Page, city: City) -> None:
    page.evaluate("window.wangge.live.close()")
    assert page.evaluate("window.wangge.live.state") == "lost"
    resets = count(page, "reset")
    for stage in ("fed_back", "handling", "fed_back"):
        city.change("c", stage=stage)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    until(page, "window.wangge.live.state === 'live'")
    until(page, "window.wangge.map.cases.get('c').properties.stage === 'fed_back'")
    assert page.evaluate("window.wangge.live.missed") == 0
    assert count(page, "reset") == resets
    assert (
        page.evaluate("window.wangge.live.last") == f"{city.feed.ring.boot}-{city.feed.ring.last}"
    )


def test_the_page_keeps_what_it_has_while_the_server_is_away_and_catches_up(
    page: Page, city: City
) -> None:
    before = view(page)
    connections = page.evaluate("window.wangge.live.connections")
    city.end()
    until(page, "window.wangge.live.state === 'lost'")
    assert page.evaluate("window.wangge.map.cases.size") == 3
    with city.workspace.writing() as conn:
        conn.exec_driver_sql("UPDATE incidents SET stage = 'handling' WHERE incident_id = 'e'")
        city.workspace.touch(conn, "incidents")
    city.start()
    until(page, "window.wangge.live.state === 'live'")
    until(page, "window.wangge.map.cases.get('e').properties.stage === 'handling'")
    # The word is passed on when both layers are there again.
    until(page, "window.told.some((one) => one[0] === 'reset')")
    assert page.evaluate("window.wangge.live.connections") == connections + 1
    assert page.evaluate("window.wangge.live.missed") == 0
    assert view(page) == before
    city.change("e", stage="fed_back")
    until(page, "window.wangge.map.cases.get('e').properties.stage === 'fed_back'")


def test_a_screen_that_is_closed_gives_its_place_back(
    browser: Chromium, page: Page, city: City
) -> None:
    context = browser.new_context()
    other = context.new_page()
    other.goto(f"http://127.0.0.1:{city.port}/command?lang=en")
    until(other, "window.wangge && window.wangge.live.state === 'live'")
    other.evaluate(LISTEN)
    assert city.feed.screens == 2
    city.change("e", stage="handling")
    english = until(other, "window.told.filter((one) => one[0] === 'cases')[0]")
    assert english[1]["changed"][0]["what"].isascii()
    context.close()
    # The next things that are sent find nobody there.
    for k in range(100):
        if city.feed.screens == 1:
            break
        city.change("e", stage=("fed_back", "handling")[k % 2])
        page.wait_for_timeout(100)
    assert city.feed.screens == 1
