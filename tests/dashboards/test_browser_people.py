"""The layer of workers on `/command` in a real Chromium, and the alarms that they give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from browsers import Chromium, end, in_thread, until
from playwright.sync_api import Page
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.server import LIVE
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace

pytestmark = pytest.mark.browser

COLOURS = {
    "on_duty": "#e8eef8", "off_post": "#fbbf24", "no_signal": "#94a3b8", "standing": "#fbbf24",
    "sos": "#fb7185",
}  # fmt: skip
"""Of the night mood, from layers/colours.py."""

PICTURE = """([lon, lat, half]) => new Promise((resolve) => {
  // What the map has drawn around a place, read before the buffer is handed on: rows from the top.
  const map = wangge.s.map;
  const q = map.project([lon, lat]);
  map.once("render", () => {
    const gl = map.painter.context.gl;
    const size = 2 * half + 1;
    const data = new Uint8Array(size * size * 4);
    const ratio = gl.drawingBufferHeight / map.getContainer().clientHeight;
    gl.readPixels(Math.round(q.x * ratio) - half,
      gl.drawingBufferHeight - Math.round(q.y * ratio) - half, size, size,
      gl.RGBA, gl.UNSIGNED_BYTE, data);
    resolve([...data]);
  });
  map.triggerRepaint();
})"""


class Said:
    """What a test says of workers; alarms are those of the real watch."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.states: dict[str, str] = {}
        self.turn = 0

    @property
    def alarms(self) -> pd.DataFrame:
        return self.real.alarms

    @property
    def mark(self) -> int:
        return int(self.real.mark) * 1000 + self.turn

    def say(self, **states: str) -> None:
        self.states = dict(states)
        self.turn += 1


class City:
    """The drawn city with six workers, served."""

    PEOPLE = ("w1", "w2", "w3", "w4", "w5", "w6")

    def __init__(self, workspace: Workspace, drawing: Any) -> None:
        self.workspace, self.drawing, self.now = workspace, drawing, drawing.at
        drawing.fill(workspace)
        more = pd.DataFrame(
            {
                "worker_id": ["w4", "w5", "w6"],
                "name": ["孙丽", "周强", "吴敏"],
                "role": "grid_worker",
                "unit_code": [drawing.ids[k] for k in (9, 10, 11)],
            }
        )
        with workspace.writing() as conn:
            workspace.append(conn, "workers", more)
        self.places = {name: drawing.middle(k) for k, name in enumerate(self.PEOPLE)}
        self.store = Store(workspace, Settings(refresh_s=2.0), clock=lambda: self.now)
        app = create_app(self.store.settings, self.store)
        self.said = Said(self.store.watching)
        self.store.watching = self.said  # type: ignore[assignment]
        self.feed = app.server.extensions[LIVE]
        self.walk(**self.places)
        self.server = make_server("127.0.0.1", 0, app.server, threaded=True)
        self.running = ExitStack()
        self.running.enter_context(in_thread(self.server))
        self.running.callback(end, app)

    def end(self) -> None:
        self.running.close()

    def walk(self, **places: tuple[float, float]) -> None:
        """Fixes of some, ten seconds after the last ones."""
        self.now += timedelta(seconds=10)
        self.places |= places
        frame = pd.DataFrame(
            [(name, self.now, lon, lat) for name, (lon, lat) in places.items()],
            columns=["worker_id", "time", "lon", "lat"],
        )
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "fixes", frame)
        self.store.refresh()

    def say(self, **states: str) -> None:
        self.said.say(**states)
        self.store.refresh()

    def call_for_help(self, worker_id: str, at: datetime) -> str:
        lon, lat = self.places[worker_id]
        row = {
            "alarm_id": f"call-{worker_id}-{at:%H%M%S}", "kind": "sos", "worker_id": worker_id,
            "began_at": at, "fired_at": at, "lon": lon, "lat": lat,
        }  # fmt: skip
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "patrol_alarms", pd.DataFrame([row]))
        self.store.refresh()
        return str(row["alarm_id"])


@pytest.fixture(scope="module")
def city(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder: Path = tmp_path_factory.mktemp("people") / "city"
    with create_workspace(folder) as workspace:
        made = City(workspace, drawing)
        yield made
        made.end()


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that the page asked for."""
    return []


@pytest.fixture(scope="module")
def page(browser: Chromium, city: City, asked: list[str]) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1920, "height": 1080})
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: asked.append(f"error: {error}"))
    opened.goto(f"http://127.0.0.1:{city.server.server_port}/command")
    until(opened, "document.documentElement.dataset.ready === 'map'")
    until(opened, "window.wangge.live.state === 'live' && window.wangge.map.workers.size === 6")
    yield opened
    opened.close()


def near(page: Page, colour: str, place: tuple[float, float], half: int = 12) -> int:
    """How many pixels around a place have about that colour."""
    data = page.evaluate(PICTURE, [*place, half])
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return sum(
        max(abs(data[k + c] - wanted[c]) for c in range(3)) < 26 for k in range(0, len(data), 4)
    )


def rows_of(page: Page, colour: str, place: tuple[float, float], half: int = 12) -> list[int]:
    """How many pixels of about that colour each row around a place has, from the bottom up."""
    data = page.evaluate(PICTURE, [*place, half])
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    size = 2 * half + 1
    like = [
        max(abs(data[k + c] - wanted[c]) for c in range(3)) < 40 for k in range(0, len(data), 4)
    ]
    return [sum(like[row * size : (row + 1) * size]) for row in range(size)]


def look_at(page: Page, place: tuple[float, float], zoom: float) -> None:
    """Stand there, and wait until the map has come to rest."""
    page.evaluate(
        "([lon, lat, zoom]) => wangge.s.map.jumpTo({center: [lon, lat], zoom})", [*place, zoom]
    )
    until(page, "wangge.s.map.loaded()")


STATES = {
    "w1": "on_duty", "w2": "off_post", "w3": "no_signal", "w4": "standing", "w5": "on_duty",
    "w6": "off_duty",
}  # fmt: skip


def test_every_state_is_drawn_in_its_colour_and_shape(page: Page, city: City) -> None:
    """Only workers are shown, from near, with the ground of the map under them."""
    page.evaluate("wangge.map.show(['workers'])")
    city.say(**STATES)
    until(page, "wangge.map.workers.get('w2').state === 'off_post'")
    look_at(page, city.drawing.middle(5), 16.2)
    page.screenshot(path="tests/out/people-states.png")
    for name, state in STATES.items():
        place = city.places[name]
        if state == "off_duty":
            continue
        assert near(page, COLOURS[state], place) > 8, (name, state)
    assert near(page, COLOURS["on_duty"], city.places["w6"]) == 0, "who is off duty is not drawn"
    triangle = [n for n in rows_of(page, COLOURS["off_post"], city.places["w2"]) if n]
    assert triangle[-1] > 2 * triangle[0], "off post stands on its tip"
    bar = [n for n in rows_of(page, COLOURS["standing"], city.places["w4"]) if n]
    assert max(bar) > 2 * len(bar), "who stands still is a bar"
    diamond = rows_of(page, COLOURS["no_signal"], city.places["w3"])
    middle = diamond[len(diamond) // 2]
    assert 0 < middle < max(diamond) + 4, "no signal is hollow"
    assert near(page, COLOURS["sos"], city.places["w3"]) == 0, "what is unknown is never red"
    assert page.evaluate("wangge.map.people.counts") == {
        "on_duty": 2, "off_post": 1, "no_signal": 1, "standing": 1, "sos": 0,
    }  # fmt: skip


def test_the_legend_has_the_shape_and_the_word_of_each_state(page: Page) -> None:
    said = page.locator(".marks-legend").inner_text()
    for word in ("在岗", "脱岗", "滞留", "无信号", "求助"):
        assert word in said
    shapes = page.locator(".marks-legend .mark-w").evaluate_all("all => all.map(e => e.className)")
    assert shapes == [
        f"mark-w is-{state}" for state in ("on_duty", "off_post", "standing", "no_signal", "sos")
    ]


def test_people_walk_and_neither_the_view_nor_who_is_chosen_moves(page: Page, city: City) -> None:
    page.evaluate("wangge.map.selectWorker('w1')")
    view = page.evaluate("JSON.stringify(wangge.map.view())")
    lon, lat = city.places["w1"]
    frames = page.evaluate("wangge.map.people.frames")
    for step in range(1, 6):
        city.walk(w1=(lon + step * 1e-4, lat), w5=city.places["w5"])
    until(page, f"Math.abs(wangge.map.workers.get('w1').lon - {lon + 5e-4}) < 1e-6")
    until(page, "wangge.map.peopleDrawn.version === wangge.map.people.version")
    assert page.evaluate("wangge.map.people.ids[wangge.map.people.chosen]") == "w1"
    assert page.evaluate("JSON.stringify(wangge.map.view())") == view
    # A frame or two for each step, and no more: nothing is drawn while nothing moves.
    assert page.evaluate("wangge.map.people.frames") - frames < 40
    assert near(page, "#38bdf8", (lon + 5e-4, lat), 14) > 8, "the ring goes along"


def test_a_trail_is_left_behind_and_a_leap_leaves_none(page: Page, city: City) -> None:
    """w1 went five steps of ten seconds, w5 stood, and w2 now leaps by a kilometre."""
    assert page.evaluate("wangge.map.people.segments") >= 5
    lon, lat = city.places["w1"]
    assert near(page, "#38bdf8", (lon - 2e-4, lat), 4) > 0, "the trail of who is chosen"
    before = page.evaluate("wangge.map.people.segments")
    east, north = city.places["w2"]
    city.walk(w2=(east + 0.012, north))
    until(page, f"wangge.map.workers.get('w2').lon > {east + 0.01}")
    city.walk(w2=(east, north))
    until(page, f"Math.abs(wangge.map.workers.get('w2').lon - {east}) < 1e-6")
    until(page, "wangge.map.peopleDrawn.version === wangge.map.people.version")
    assert page.evaluate("wangge.map.people.segments") <= before


def test_names_stand_from_near_where_they_fit_and_not_from_afar(page: Page, city: City) -> None:
    page.evaluate("wangge.map.show(['workers', 'labels'])")
    look_at(page, city.drawing.middle(1), 16.5)
    until(page, "document.querySelectorAll('.people-name').length >= 3")
    said = page.locator(".people-name").all_inner_texts()
    assert "王小明" in said
    assert "吴敏" not in said, "who is off duty has no name on the map"
    # Two who stand on one spot: one name has to wait.
    city.walk(w5=city.places["w4"])
    until(page, "wangge.map.workers.get('w5').lon === wangge.map.workers.get('w4').lon")
    look_at(page, city.places["w4"], 16.5)
    until(
        page, "[...document.querySelectorAll('.people-name')].some(e => e.textContent === '孙丽')"
    )
    until(
        page, "![...document.querySelectorAll('.people-name')].some(e => e.textContent === '周强')"
    )
    page.screenshot(path="tests/out/people-names.png")
    boxes = page.locator(".people-name").evaluate_all(
        """all => all.map((e) => e.getBoundingClientRect())
            .map((r) => [r.left, r.top, r.right, r.bottom])"""
    )
    for k, a in enumerate(boxes):
        for b in boxes[k + 1 :]:
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, "two names cover each other"
    look_at(page, city.drawing.middle(5), 13.0)
    until(page, "document.querySelectorAll('.people-name:not(.is-chosen)').length === 0")


def test_a_click_on_a_worker_chooses_them(page: Page, city: City) -> None:
    page.evaluate("wangge.map.selectWorker(null)")
    look_at(page, city.places["w2"], 16.5)
    place = page.evaluate(
        """([lon, lat]) => { const q = wangge.s.map.project([lon, lat]);
           const box = wangge.s.map.getContainer().getBoundingClientRect();
           return [box.left + q.x, box.top + q.y]; }""",
        list(city.places["w2"]),
    )
    page.mouse.move(*place)
    until(page, "document.querySelector('.map-tip.is-shown')")
    assert "脱岗" in page.locator(".map-tip").inner_text()
    page.mouse.click(*place)
    until(page, "wangge.map.people.ids[wangge.map.people.chosen] === 'w2'")


def test_a_call_for_help_shows_everywhere_until_it_is_acknowledged(page: Page, city: City) -> None:
    page.evaluate("wangge.map.show(['borders'])")
    look_at(page, city.drawing.middle(5), 15.0)
    city.now += timedelta(seconds=20)
    city.call_for_help("w5", city.now)
    bar = page.locator("#command-sos .sos-bar")
    bar.wait_for()
    assert "求助" in bar.inner_text()
    assert "周强" in bar.inner_text()
    assert page.locator("#command-sos").get_attribute("aria-live") == "assertive"
    # Though the layer of workers is switched off: the star, and the name.
    until(page, "wangge.map.workers.get('w5').state === 'sos'")
    until(page, "wangge.map.peopleDrawn.version === wangge.map.people.version")
    assert near(page, COLOURS["sos"], city.places["w5"]) > 40
    until(page, "document.querySelector('.people-name.is-sos').textContent === '周强'")
    until(page, "document.querySelector('.duty-state.is-sos.has-some')")
    page.locator("#command-patrol-open").click()
    row = page.locator(".patrol-group.is-sos .patrol-row")
    assert "周强" in row.inner_text()
    page.screenshot(path="tests/out/people-sos.png")
    row.click()
    until(page, "wangge.map.people.ids[wangge.map.people.chosen] === 'w5'")
    until(page, "wangge.s.map.getZoom() - wangge.shift() > 15.7")
    page.locator("html[data-card='open']").wait_for()
    bar.locator(".is-ack").click()
    until(page, "document.querySelector('#command-sos').childNodes.length === 0")
    until(page, "wangge.patrol.acknowledged === 1")
    stored = city.workspace.read("patrol_alarms")
    assert stored["seen_at"].notna().all()
    assert stored["seen_by"].tolist() == ["指挥中心"]
    city.store.refresh()
    until(page, "wangge.map.workers.get('w5').state !== 'sos'")
    until(page, "document.querySelector('.people-name.is-sos') === null")


def test_another_screen_is_told_what_this_one_shows(
    page: Page, city: City, browser: Chromium
) -> None:
    """A screen that is opened now holds the same people, places and states."""
    page.evaluate("wangge.map.show(['workers', 'labels', 'borders', 'incidents'])")
    other = browser.new_page()
    other.goto(f"http://127.0.0.1:{city.server.server_port}/command?lang=en")
    until(other, "document.documentElement.dataset.ready === 'map'")
    until(
        other,
        "window.wangge.live.state === 'live' && wangge.map.people.told"
        " && wangge.map.workers.size === 6",
    )
    held = """() => wangge.map.people.ids.map((id) => wangge.map.workers.get(id))
        .map((one) => [one.id, one.slot, one.name, one.lon, one.lat, one.t, one.state])"""
    assert other.evaluate(held) == page.evaluate(held)
    assert page.evaluate("wangge.live.missed") == 0
    other.close()


def test_the_state_grows_unknown_while_the_connection_is_away(page: Page, city: City) -> None:
    now = (city.now.timestamp() + city.store.settings.on_duty_minutes * 60 + 60) * 1000
    # In one breath: the page's own poll tells it the server's clock in between.
    state = page.evaluate(
        f"""() => {{
            window.wangge.live.close();
            wangge.heard({{ now: {now} }});
            return wangge.map.workers.get('w1').state;
        }}"""
    )
    assert state == "no_signal"


def test_no_request_left_the_machine(asked: list[str]) -> None:
    hosts = {urlsplit(url).hostname for url in asked if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert [line for line in asked if line.startswith("error:")] == []
