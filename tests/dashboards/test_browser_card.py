"""The card in a real Chromium on the drawn city: real clicks on an incident, a grid and a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from browsers import PATIENCE_MS, Chromium, serving, until
from playwright.sync_api import Page

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[1] / "out"
WALL = {"width": 1920, "height": 1080}
CARD = "#card-panel"
MARKS = "window.wangge.s.map.querySourceFeatures('w-card')"
OPEN = (
    "!document.querySelector('#card-panel').hidden"
    " && document.querySelector('#card-panel').dataset.loading !== 'yes'"
)


@dataclass
class Screen:
    """A page, and what it complained of."""

    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> Screen:
        self.page.goto(f"{self.address}/command{query}")
        self.until(
            "document.documentElement.dataset.ready === 'map' && window.wangge.s.map.loaded()"
        )
        return self.rest()

    def rest(self) -> Screen:
        """Wait until the map stands still, so that a place keeps its point on the screen."""
        self.until("!window.wangge.s.map.isMoving() && window.wangge.s.map.loaded()")
        self.page.wait_for_timeout(300)
        self.until("!window.wangge.s.map.isMoving()")
        return self

    def until(self, script: str) -> Any:
        return until(self.page, script)

    def has(self, text: str) -> Screen:
        """Wait until the card says something."""
        self.until(f"{OPEN} && document.querySelector('#card-panel').innerText.includes('{text}')")
        return self

    def click(self, place: tuple[float, float]) -> Screen:
        x, y = self.page.evaluate(
            """([lon, lat]) => {
              const map = window.wangge.s.map, box = map.getContainer().getBoundingClientRect();
              const p = map.project([lon, lat]);
              return [box.left + p.x, box.top + p.y];
            }""",
            list(place),
        )
        self.page.mouse.click(x, y)
        return self

    def query(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlparse(self.page.url).query).items()}

    def asked(self, **wanted: str | None) -> None:
        """Wait until the address says what it should."""
        for _ in range(PATIENCE_MS // 100):
            found = self.query()
            if all(found.get(name) == value for name, value in wanted.items()):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{self.query()} instead of {wanted}")

    def marks(self) -> list[str]:
        """Kinds of the card's marks that are on the map."""
        return self.page.evaluate(
            "() => [...new Set(window.wangge.s.map.querySourceFeatures('w-card')"
            ".map(f => f.properties.kind))].sort()"
        )


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, drawing: Any) -> Iterator[Workspace]:
    with create_workspace(tmp_path_factory.mktemp("browser-card") / "city") as made:
        yield drawing.fill(made)


@pytest.fixture(scope="module")
def store(city: Workspace, drawing: Any) -> Store:
    now = [drawing.at]

    def clock() -> Any:
        now[0] += timedelta(milliseconds=1)
        return now[0]

    return Store(city, Settings(), clock=clock)


@pytest.fixture(scope="module")
def address(store: Store) -> Iterator[str]:
    app = create_app(store.settings, store)
    with serving(app) as found:
        yield found


@pytest.fixture
def screen(browser: Chromium, address: str) -> Iterator[Screen]:
    """A wall; at the end it may not have complained, nor asked anyone else."""
    page = browser.new_page(viewport=WALL)
    screen = Screen(page, address)

    def heard(message: Any) -> None:
        if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
            screen.troubles.append(f"console: {message.text}")

    def asked(request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "blob:", "data:")):
            screen.troubles.append(f"outside: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: screen.troubles.append(f"page error: {error}"))
    page.on("request", asked)
    yield screen
    page.close()
    assert screen.troubles == []


def test_an_address_with_a_case_opens_its_card_with_the_page(screen: Screen) -> None:
    screen.open("?case=a&r=500").has("办理过程").has("王小明")
    assert screen.page.locator(f"{CARD} [aria-pressed=true]").inner_text() == "500"
    screen.asked(case="a", r="500", grid=None)
    screen.until("Boolean(window.wangge.s.map.getLayer('w-card-names'))")
    screen.rest()
    assert {"ring", "spot", "worker"} <= set(screen.marks())
    SHOTS.mkdir(exist_ok=True)
    screen.page.screenshot(path=SHOTS / "card-incident.png")


def test_a_click_on_an_incident_a_grid_and_a_place_fills_the_card_each_time(
    screen: Screen, drawing: Any
) -> None:
    screen.open("?view=114.304,30.503,16")
    screen.click(drawing.middle(5)).has("事件").asked(case="c")
    assert screen.page.locator(f"{CARD} h2").first.inner_text()
    screen.page.keyboard.press("Escape")
    screen.until("document.querySelector('#card-panel').hidden")
    screen.asked(case=None)
    screen.until(f"{MARKS}.length === 0")


def test_a_place_without_a_grid_says_what_is_known(screen: Screen) -> None:
    screen.open("?view=114.304,30.503,15&at=114.2985,30.5005").has("此处没有网格")
    screen.asked(at="114.298500,30.500500")
    assert "无责任人" in screen.page.locator(CARD).inner_text()


def test_the_radius_is_chosen_by_keyboard_and_kept_in_the_address(
    screen: Screen, drawing: Any
) -> None:
    screen.open(f"?grid={drawing.ids[0]}").has("本网格内")
    button = screen.page.locator(f"{CARD} [data-radius='1000']")
    button.focus()
    screen.page.keyboard.press("Enter")
    screen.has("1.0 公里内")
    screen.asked(grid=drawing.ids[0], r="1000")
    screen.until(f"{MARKS}.some(f => f.properties.kind === 'ring')")
    neighbour = screen.page.locator(f"{CARD} .pill").first
    there = neighbour.get_attribute("data-select")
    neighbour.click()
    screen.asked(grid=there)


def test_a_case_is_dispatched_from_the_card(screen: Screen, store: Store) -> None:
    screen.open("?case=c").has("待派遣")
    page = screen.page
    page.evaluate("wangge.card.setPerson({by: '坐席02', role: 'dispatcher'})")
    screen.until("Boolean(document.querySelector('#card-actions [data-move=supervise]'))")
    page.locator("#card-actions [data-move=supervise]").click()
    page.locator("#card-note").fill("请在今晚前处理")
    # Somebody else is quicker: what was typed stays, and the second press goes through.
    case = store.casebook.read("c", at=store.clock()).case
    store.casebook.move(
        "c", "remark", at=store.clock(), by="坐席07", role="acceptor", seen=case.seq, note="已核实"
    )
    page.locator("#card-send").click()
    screen.has("已核实")
    assert page.locator("#card-note").input_value() == "请在今晚前处理"
    page.locator("#card-send").click()
    screen.until("Boolean(document.querySelector('.card-ok'))")
    assert page.locator("#card-note").input_value() == ""
    log = store.casebook.read("c", at=store.clock()).case.log
    assert (log[-1].move, log[-1].note, log[-1].by) == ("supervise", "请在今晚前处理", "坐席02")
    screen.has("督办")
    assert page.evaluate("JSON.parse(localStorage.getItem('wangge-person')).role") == "dispatcher"


def test_the_card_fits_its_panel_at_twice_the_size(screen: Screen) -> None:
    screen.page.set_viewport_size({"width": 3840, "height": 2160})
    screen.open("?case=a").has("办理过程")
    out = screen.page.evaluate(
        """() => {
          const box = document.querySelector('.card-scroll');
          const right = box.getBoundingClientRect().left + box.clientWidth;
          return [...box.querySelectorAll('*')]
            .filter((e) => e.offsetParent && e.getBoundingClientRect().right > right + 1)
            .map((e) => e.className + ': ' + e.textContent.slice(0, 40));
        }"""
    )
    assert out == []
    SHOTS.mkdir(exist_ok=True)
    screen.page.screenshot(path=SHOTS / "card-3840.png")
