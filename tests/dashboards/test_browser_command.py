"""The real page in a real Chromium, driven by mouse and keyboard on the drawn city."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse
from urllib.request import urlopen

import pandas as pd
import pytest
import shapely
from browsers import PATIENCE_MS, Chromium, serving, until
from playwright.sync_api import Page

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace

pytestmark = pytest.mark.browser

DONGJIE, NANHU, DISTRICT = "420102001000", "420102002000", "420102000000"
SHOTS = Path(__file__).parents[1] / "out"
DESK = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Store], str]]:
    """Serve a store on a free port of this machine; all of them end with the module."""
    with ExitStack() as running:
        yield lambda store: running.enter_context(serving(create_app(store.settings, store)))


@pytest.fixture(scope="module")
def address(drawn_store: Store, serve: Callable[[Store], str]) -> str:
    return serve(drawn_store)


@dataclass
class Screen:
    """A page, and what it complained of."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    def open(self, url: str) -> Screen:
        self.page.goto(url)
        return self.ready()

    def ready(self) -> Screen:
        """Wait until our layers are on the map and everything asked for is drawn."""
        self.until(
            "document.documentElement.dataset.ready === 'map' && window.wangge.s.map.loaded()"
            " && window.wangge.s.revealed === window.wangge.s.spec.level"
        )
        self.until("document.querySelectorAll('.trend-graph .main-svg').length >= 2")
        return self

    def rest(self) -> Screen:
        """Wait until the map stands still and has drawn what it shows."""
        self.until(
            "!window.wangge.s.map.isMoving() && window.wangge.s.map.loaded()"
            " && window.wangge.s.revealed === window.wangge.s.spec.level"
        )
        return self

    def shows(self, unit: str | None) -> Screen:
        """Wait until the map shades the units of a unit; None is the whole city."""
        self.until(f"((window.wangge.s.spec.scope || {{}}).code || null) === {json.dumps(unit)}")
        return self.rest()

    def until(self, script: str) -> Any:
        return until(self.page, script)

    def point(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place is on the screen."""
        return tuple(
            self.page.evaluate(
                """([lon, lat]) => {
                  const map = window.wangge.s.map, box = map.getContainer().getBoundingClientRect();
                  const p = map.project([lon, lat]);
                  return [box.left + p.x, box.top + p.y];
                }""",
                [lon, lat],
            )
        )

    def query(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlparse(self.page.url).query).items()}

    def shoot(self, name: str) -> bytes:
        SHOTS.mkdir(exist_ok=True)
        return self.page.screenshot(path=SHOTS / f"{name}.png")

    def pixels(self, shot: bytes, places: list[tuple[float, float]]) -> list[list[int]]:
        """Colours of a screenshot, read by the browser itself."""
        return self.page.evaluate(
            """async ([data, places]) => {
              const image = new Image();
              image.src = "data:image/png;base64," + data;
              await image.decode();
              const canvas = document.createElement("canvas");
              canvas.width = image.width; canvas.height = image.height;
              const g = canvas.getContext("2d", {willReadFrequently: true});
              g.drawImage(image, 0, 0);
              const at = ([x, y]) => Array.from(g.getImageData(x, y, 1, 1).data);
              return places.map((place) => at(place).slice(0, 3));
            }""",
            [base64.b64encode(shot).decode(), [[round(x), round(y)] for x, y in places]],
        )


@pytest.fixture
def make_screen(browser: Chromium) -> Iterator[Callable[..., Screen]]:
    """Screens of any size; at the end none may have complained or asked anyone else."""
    made: list[Screen] = []

    def make(*, calm: bool = True, **options: Any) -> Screen:
        page = browser.new_page(**{"viewport": DESK, **options})
        screen = Screen(page)
        note = screen.troubles.append

        def heard(message: Any) -> None:
            # Reading the canvas for a screenshot makes the software renderer mutter.
            if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
                note(f"console: {message.text}")

        def failed(request: Any) -> None:
            # A page that is left ends what it had asked for.
            if request.failure != "net::ERR_ABORTED":
                note(f"failed: {request.url}")

        def asked(request: Any) -> None:
            if not request.url.startswith(("http://127.0.0.1:", "blob:", "data:")):
                note(f"outside: {request.url}")

        if calm:
            page.on("console", heard)
            page.on("pageerror", lambda error: note(f"page error: {error}"))
            page.on("requestfailed", failed)
        page.on("request", asked)
        made.append(screen)
        return screen

    yield make
    for screen in made:
        if not screen.page.is_closed():
            screen.page.close()
        assert screen.troubles == []


@pytest.fixture
def screen(make_screen: Callable[..., Screen]) -> Screen:
    return make_screen()


def hex_of(colour: list[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


# --- the wall -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height"),
    [(1920, 1080), (3840, 2160), (5760, 1080)],
    ids=["1080 lines", "2160 lines", "three screens wide"],
)
def test_the_wall_fits_without_a_scrollbar_and_gives_the_map_more_than_half(
    make_screen: Callable[..., Screen], address: str, width: int, height: int
) -> None:
    screen = make_screen(viewport={"width": width, "height": height}).open(f"{address}/command")
    page = screen.page
    sizes = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert sizes == [width, height]
    box = page.locator(".map-panel").bounding_box()
    assert box is not None
    assert box["width"] * box["height"] >= 0.55 * width * height
    figures = page.locator(".card-figure").evaluate_all(
        "found => found.map(f => parseFloat(getComputedStyle(f).fontSize))"
    )
    assert len(figures) == 8
    assert min(figures) >= 0.04 * height
    over_the_middle = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).tagName",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
    )
    assert over_the_middle == "CANVAS"
    clipped = page.locator(
        ".card, .card-value, .card-label, .card-note, .trend, .trend h2, .top, .crumbs h1,"
        " .case-what, .case-clock, .rank-name, .rank-table td, .rank-table th, .figures label,"
        " .layer-chips label, .map-title, .legend"
    ).evaluate_all(
        """found => found.filter(f => f.offsetParent !== null
            && (f.scrollHeight > f.clientHeight + 2 && getComputedStyle(f).overflowY !== "visible"
                || f.scrollWidth > f.clientWidth + 2 && f.clientWidth > 0
                   && getComputedStyle(f).display !== "inline"))
          .map(f => f.className + ": " + f.textContent)"""
    )
    assert clipped == []
    screen.shoot(f"command-{width}x{height}")


def test_an_upright_wall_scrolls_down_and_never_sideways(
    make_screen: Callable[..., Screen], address: str
) -> None:
    screen = make_screen(viewport={"width": 1080, "height": 1920}).open(f"{address}/command")
    assert screen.page.evaluate("document.documentElement.scrollWidth") == 1080
    title = screen.page.locator(".map-title").bounding_box()
    search = screen.page.locator(".search").bounding_box()
    assert title is not None
    assert search is not None
    assert search["y"] >= title["y"] + title["height"]
    screen.shoot("command-upright")


def test_the_map_draws_units_in_the_colours_of_the_legend(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command?layers=borders&level=grid")
    places = [(drawing.middle(k)[0] + 0.0004, drawing.middle(k)[1] + 0.0004) for k in range(12)]
    shot = screen.shoot("command-map")
    colours = screen.pixels(shot, [screen.point(*place) for place in places])
    ground = screen.pixels(shot, [screen.point(114.298, 30.503)])[0]
    quiet = colours[1]
    # Ten grids have no open incident and one colour; 0 and 5 have two and one.
    assert all(sum(abs(a - b) for a, b in zip(c, quiet, strict=True)) < 6 for c in colours[1:5])
    assert sum(colours[0]) > sum(colours[5]) + 30 > sum(quiet) + 60
    assert hex_of(ground) == "#0d1526"
    # The park shines through the shade of grid 8 only.
    assert sum(abs(a - b) for a, b in zip(colours[8], quiet, strict=True)) > 3


# --- drilling -------------------------------------------------------------------------------------


def test_clicks_lead_from_the_city_to_a_grid_and_crumbs_and_back_lead_up(
    drawing: Any, drawn_store: Store, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    lon, lat = drawing.middle(4)[0] - 0.0006, drawing.middle(4)[1] + 0.0005
    assert page.evaluate("window.wangge.s.spec.level") == "street"
    page.mouse.click(*screen.point(lon, lat))
    screen.shows(DONGJIE)
    assert screen.query()["unit"] == DONGJIE
    assert page.locator(".crumbs").inner_text().split() == ["江城市", "江岸区", "东街街道"]
    assert "3 件" in (page.locator(".card-value").nth(1).get_attribute("title") or "")
    assert page.evaluate("window.wangge.s.spec.level") == "grid"
    # The lowest level: a click chooses the grid and fills its card.
    grids = drawn_store.snapshot().city.grids
    owner = grids.index[grids.contains(shapely.Point(lon, lat))][0]
    page.mouse.click(*screen.point(lon, lat))
    page.locator("#card-panel h2", has_text=grids.loc[owner, "name"]).wait_for()
    screen.until(f"new URLSearchParams(location.search).get('grid') === '{owner}'")
    screen.until(f"window.wangge.s.map.getFilter('w-selected')[2] === '{owner}'")
    screen.rest().shoot("command-grid")
    page.keyboard.press("Escape")
    screen.until("!location.search.includes('grid=')")
    page.keyboard.press("Escape")
    screen.shows(DISTRICT)
    page.go_back()
    screen.shows(DONGJIE)
    page.go_back()
    screen.shows(None)
    assert page.evaluate("location.search") == ""
    page.go_forward()
    screen.shows(DONGJIE)
    page.locator(".crumbs button").first.click()
    screen.shows(None)


def test_a_choice_in_the_address_is_restored(drawing: Any, screen: Screen, address: str) -> None:
    grid = drawing.ids[5]
    choice = f"lang=en&grid={grid}&figure=population&layers=incidents,borders"
    screen.open(f"{address}/command?{choice}&unit={DONGJIE}&view=114.30400,30.50300,15.50")
    page = screen.page
    assert page.locator(".map-title").inner_text() == "Residents by grid"
    page.locator("#card-panel h2", has_text="东湖第5网格").wait_for()
    assert page.evaluate("window.wangge.map.people.isShown()") is False
    zoom = page.evaluate("window.wangge.s.map.getZoom() - window.wangge.shift()")
    assert zoom == pytest.approx(15.5, abs=0.01)
    assert page.evaluate("document.documentElement.lang") == "en"
    with page.expect_navigation():
        page.locator(".language").click()
    screen.ready()
    assert page.locator(".list-panel h2").inner_text() == "实时事件"
    query = screen.query()
    assert (query["unit"], query["grid"], query["figure"]) == (DONGJIE, grid, "population")
    assert query["layers"] == "incidents,borders"


def test_the_levels_can_be_switched_and_the_view_stays(screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    page.evaluate("window.wangge.map.fly({center: {lon: 114.303, lat: 30.5021}, zoom: 17})")
    screen.until("!window.wangge.s.map.isMoving() && window.wangge.s.map.getZoom() === 17")
    page.locator("#command-level-switch label", has_text="网格").click()
    screen.until("window.wangge.s.spec.level === 'grid'")
    page.locator("#command-figure label", has_text="人口").click()
    page.locator(".map-title", has_text="各网格常住人口").wait_for()
    screen.until("window.wangge.s.unit === '人'")
    screen.rest()
    assert page.evaluate("window.wangge.s.map.getZoom()") == 17
    assert page.evaluate("window.wangge.s.map.getCenter().lng") == pytest.approx(114.303, abs=1e-6)
    assert page.evaluate("window.wangge.s.noData") == [11]
    assert {"level": "grid", "figure": "population"}.items() <= screen.query().items()
    page.locator(".layer-chips label", has_text="边界").click()
    screen.until("location.search.includes('layers=incidents,workers,assets,labels')")
    visible = "window.wangge.s.map.getLayoutProperty('boundary-street', 'visibility')"
    screen.until(f"{visible} === 'none'")


def test_the_keyboard_alone_finds_a_grid_drills_and_comes_back(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "command-search"
    page.keyboard.type("第7")
    page.locator("[role=option]").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#card-panel h2", has_text="南湖第7网格").wait_for()
    screen.rest()
    west, south, east, north = page.evaluate(
        "(b => [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()])"
        "(window.wangge.s.map.getBounds())"
    )
    assert shapely.box(west, south, east, north).contains(shapely.Point(drawing.middle(7)))
    page.locator("#map-graph .maplibregl-canvas").focus()
    page.keyboard.press("Escape")
    page.locator("#card-panel").wait_for(state="hidden")
    page.evaluate(f"window.wangge.s.map.jumpTo({{center: {list(drawing.middle(9))}, zoom: 16}})")
    screen.rest()
    page.locator("#map-graph .maplibregl-canvas").focus()
    page.keyboard.press("Enter")  # the street under the cross
    screen.shows(DONGJIE)
    page.locator("#map-graph .maplibregl-canvas").focus()
    page.keyboard.press("Backspace")
    screen.shows(DISTRICT)
    row = page.locator(f".rank[data-unit='{NANHU}']")
    row.focus()
    page.keyboard.press("Enter")
    screen.shows(NANHU)


def test_the_table_twins_lead_where_the_map_leads(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    page.locator("#command-table-open").click()
    page.locator(f".ag-row[row-id='{DONGJIE}'] .ag-cell").first.click()
    screen.shows(DONGJIE)
    row = page.locator(f".ag-row[row-id='{drawing.ids[5]}']")
    row.first.wait_for()
    screen.shoot("command-table")
    row.locator(".ag-cell").first.click()
    page.locator("#card-panel h2", has_text="东湖第5网格").wait_for()
    # A chart has its numbers as a table too, and a column of the ranks sorts them.
    page.locator("button[data-twin=days]").click()
    assert page.locator("[data-twin-of=days] tbody tr").count() == 30
    assert page.locator("[data-twin-of=days] tbody tr").first.inner_text().split() == [
        "11-21", "3", "0",
    ]  # fmt: skip


def test_an_incident_of_the_list_leads_to_its_place(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command")
    screen.page.locator(".case[data-case=a]").click()
    screen.page.locator("#card-panel").wait_for()
    screen.until("location.search.includes('case=a')")
    screen.rest()
    x, y = screen.point(*drawing.middle(0))
    box = screen.page.locator(".map-panel").bounding_box()
    assert box is not None
    assert abs(x - box["x"] - box["width"] / 2) < 3
    assert abs(y - box["y"] - box["height"] / 2) < 3


def test_assets_are_clusters_with_counts_and_single_marks_from_zoom_16(
    drawing: Any, screen: Screen, address: str
) -> None:
    lon, lat = drawing.middle(0)
    screen.open(f"{address}/command?view={lon},{lat},15.2")
    found = "window.wangge.s.map.querySourceFeatures('w-assets').map(f => f.properties)"
    screen.until(f"{found}.some(p => p.count)")
    assert screen.page.evaluate(f"{found}.some(p => p.symbol)") is False
    screen.page.evaluate("window.wangge.s.map.jumpTo({zoom: 17.5})")
    screen.until(f"{found}.filter(p => p.symbol).length >= 7")
    ids = set(screen.page.evaluate(f"{found}.map(p => p.id)"))
    assert ids == {"cam1", *(f"p{k}" for k in range(6))}
    screen.rest()
    x, y = screen.point(lon + 0.0002, lat)
    screen.page.mouse.move(x - 3, y)
    screen.page.mouse.move(x, y)
    tip = screen.page.locator(".map-tip.is-shown")
    tip.wait_for()
    assert "上水井盖" in tip.inner_text()
    screen.shoot("command-assets")


# --- time -----------------------------------------------------------------------------------------


def test_clocks_run_by_the_second_in_the_zone_of_the_city(screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    assert page.locator("#page-date").inner_text() == "2026年11月21日 星期六"
    first = page.locator("#page-time").inner_text()
    assert re.fullmatch(r"14:(09|10):\d\d", first)
    late = page.locator(".case[data-case=a] .case-clock b")
    assert re.fullmatch(r"超时 01:0\d:\d\d", late.inner_text())
    before = late.inner_text()
    screen.until(f"document.getElementById('page-time').textContent !== '{first}'")
    screen.until(
        f"document.querySelector('.case[data-case=a] .case-clock b').textContent !== '{before}'"
    )
    assert "is-stale" in page.locator("#page-freshness").get_attribute("class")
    assert "2 分钟" in page.locator("#page-freshness").inner_text()


class Moving:
    """A clock that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Lively:
    """A city that changes while a screen looks at it."""

    workspace: Workspace
    clock: Moving
    store: Store
    address: str

    def report(self, incident_id: str, k: int, drawing: Any) -> None:
        """A new case in the middle of grid `k`, due an hour after the drawing's moment."""
        lon, lat = drawing.middle(k)
        frame = pd.DataFrame(
            {
                "incident_id": [incident_id], "class_code": ["E0401"], "stage": ["opened"],
                "lon": [lon], "lat": [lat],
                "reported_at": pd.to_datetime([drawing.at - timedelta(seconds=5)], utc=True),
                "deadline": pd.to_datetime([drawing.at + timedelta(hours=2)], utc=True),
            }
        )  # fmt: skip
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "incidents", frame)
        self.store.refresh()

    def show(self, page: Page, selector: str) -> None:
        """Look at the workspace, as the server does all the time, until a page shows it.

        One look may come too soon after another to be told of at once.
        """
        for _ in range(PATIENCE_MS // 200):
            if page.locator(selector).count():
                return
            self.store.refresh()
            page.wait_for_timeout(200)
        raise AssertionError(f"never there: {selector}")

    def step(self, worker_id: str, place: tuple[float, float]) -> None:
        """A position of a worker, now."""
        frame = pd.DataFrame(
            {
                "worker_id": [worker_id], "lon": [place[0]], "lat": [place[1]],
                "time": pd.to_datetime([self.clock.at], utc=True),
            }
        )  # fmt: skip
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "fixes", frame)
        self.store.refresh()


@pytest.fixture
def lively(drawing: Any, workspace: Workspace, serve: Callable[[Store], str]) -> Lively:
    drawing.fill(workspace)
    clock = Moving(drawing.at)
    store = Store(workspace, Settings(refresh_s=1.0, check_s=1.0), clock=clock)
    address = serve(store)
    store.refresh()
    store.refresh()  # a look that finds nothing, from which changes are told
    return Lively(workspace, clock, store, address)


def test_an_update_keeps_view_choice_scroll_focus_and_every_element(
    drawing: Any, lively: Lively, screen: Screen
) -> None:
    screen.open(f"{lively.address}/command?unit={DONGJIE}&grid={drawing.ids[5]}")
    page = screen.page
    page.evaluate("window.wangge.map.fly({center: {lon: 114.3021, lat: 30.5025}, zoom: 16.5})")
    screen.rest()
    page.evaluate(
        """() => {
          window.kept = {
            a: document.querySelector(".case[data-case=a]"),
            cards: [...document.querySelectorAll(".card")],
            canvas: document.querySelector("#map-graph canvas"),
            charts: [...document.querySelectorAll(".trend-graph .main-svg")],
            map: window.wangge.s.map, title: document.querySelector(".map-title"),
          };
          window.kept.a.focus();
          window.styles = 0;
          const set = window.wangge.s.map.setStyle;
          window.wangge.s.map.setStyle = function (...a) {
            window.styles++;
            return set.apply(this, a);
          };
        }"""
    )
    lively.report("new", 4, drawing)
    lively.show(page, ".case[data-case=new]")
    page.locator(".card-value[title='4 件']").first.wait_for()
    screen.until("window.wangge.map.cases.has('new')")
    # A worker walks: the position goes straight into what the map's layer draws.
    lively.step("w1", drawing.middle(8))
    east, north = (round(v, 6) for v in drawing.middle(8))
    worker = "window.wangge.map.workers.get('w1')"
    screen.until(f"{worker}.lon === {east} && {worker}.lat === {north}")
    people = "window.wangge.map.people"
    screen.until(f"window.wangge.map.peopleDrawn.version === {people}.version")
    assert page.evaluate("window.wangge.live.missed") == 0
    screen.rest()
    kept = page.evaluate(
        """() => ({
          a: document.querySelector(".case[data-case=a]") === kept.a,
          cards: [...document.querySelectorAll(".card")].every((c, k) => c === kept.cards[k]),
          canvas: document.querySelector("#map-graph canvas") === kept.canvas,
          charts: [...document.querySelectorAll(".trend-graph .main-svg")]
            .every((c, k) => c === kept.charts[k]),
          map: window.wangge.s.map === kept.map,
          title: document.querySelector(".map-title") === kept.title,
          focus: document.activeElement === kept.a, styles: window.styles,
          zoom: window.wangge.s.map.getZoom(), lng: window.wangge.s.map.getCenter().lng,
          chosen: window.wangge.s.map.getFilter("w-selected")[2],
        })"""
    )
    assert {k: v for k, v in kept.items() if v is not True} == {
        "styles": 0, "zoom": 16.5, "lng": pytest.approx(114.3021, abs=1e-6),
        "chosen": drawing.ids[5],
    }  # fmt: skip


def test_an_overdue_case_is_an_alarm_until_someone_acknowledges_it(
    drawing: Any, lively: Lively, screen: Screen
) -> None:
    screen.open(f"{lively.address}/command")
    page = screen.page
    assert page.locator(".alarm-bar").count() == 0
    lively.clock.at = drawing.at + timedelta(hours=1, seconds=1)  # case b was due after an hour
    lively.store.refresh()
    bar = page.locator(".alarm-bar[data-incident=b]")
    bar.wait_for()
    assert "超时告警" in bar.inner_text()
    assert "起超时" in bar.inner_text()
    assert page.locator("#command-alarm").get_attribute("aria-live") == "assertive"
    screen.shoot("command-alarm")
    # It outlives an update, and a reload.
    lively.report("new", 4, drawing)
    lively.show(page, ".case[data-case=new]")
    assert bar.is_visible()
    page.reload()
    screen.ready()
    bar.wait_for()
    bar.locator(".is-show").click()
    screen.until("location.search.includes('case=b')")
    page.locator(".alarm-bar .is-ack").click()
    assert page.locator(".alarm-bar").count() == 0
    page.reload()
    screen.ready()
    assert page.locator(".alarm-bar").count() == 0


def test_an_alarm_is_heard_only_where_sound_was_switched_on(screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    alarm = "window.wangge.alarm({incident_id: '%s', what: 'x', where: 'y', late_s: 0})"
    toggle = page.locator("#command-sound")
    assert toggle.get_attribute("aria-pressed") == "false"
    page.evaluate(alarm % "one")
    assert page.evaluate("window.wangge.tones || 0") == 0
    toggle.click()
    page.locator("#command-sound[data-state=on]").wait_for()
    page.evaluate(alarm % "two")
    assert page.evaluate("window.wangge.tones") == 1
    assert page.locator(".alarm-more").inner_text() == "另有 1 件"
    page.locator(".alarm-bar .is-all").click()
    assert page.locator(".alarm-bar").count() == 0


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The real server in a process of its own, so that it can go away as a whole."""
    command = "from dashboards.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "serve", "--workspace", str(folder), "--port", str(port)],
        env={**os.environ, "WANGGE_REFRESH_S": "1", "WANGGE_CHECK_S": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(page: Page, url: str) -> None:
    """Wait until a server answers."""
    for _ in range(PATIENCE_MS // 200):
        try:
            with urlopen(f"{url}/healthz") as answer:
                if answer.status == 200:
                    return
        except OSError:
            page.wait_for_timeout(200)
    raise AssertionError(f"{url} never answered")


def test_a_page_recovers_by_itself_after_the_server_was_away(
    drawn_folder: Path, make_screen: Callable[..., Screen]
) -> None:
    screen, port = make_screen(calm=False), free_port()
    page, url = screen.page, f"http://127.0.0.1:{port}"
    server = start_server(drawn_folder, port)
    try:
        answers(page, url)
        screen.open(f"{url}/command?unit={DONGJIE}")
        screen.until("window.wangge.live.state === 'live'")
        page.evaluate("window.wangge.map.fly({center: {lon: 114.303, lat: 30.502}, zoom: 16})")
        screen.rest()
        known = page.evaluate("[...document.querySelectorAll('.case')].map(c => c.dataset.case)")
        assert known
        server.terminate()
        server.wait()
        page.locator("#page-freshness.is-lost").wait_for()
        assert "失去联系" in page.locator("#page-freshness").inner_text()
        # What was known stays, and clocks go on.
        cases = "[...document.querySelectorAll('.case')].map(c => c.dataset.case)"
        assert page.evaluate(cases) == known
        screen.shoot("command-lost")
        server = start_server(drawn_folder, port)
        answers(page, url)
        screen.until("window.wangge.live.state === 'live'")
        page.locator("#page-freshness:not(.is-lost)").wait_for()
        assert page.evaluate(cases) == known
        assert page.evaluate("window.wangge.s.map.getZoom()") == 16
        assert page.evaluate("window.wangge.command.unit") == DONGJIE
    finally:
        page.close()
        server.terminate()
        server.wait()


def test_a_kiosk_has_no_controls_tours_the_city_and_rests_when_touched(
    make_screen: Callable[..., Screen], address: str
) -> None:
    screen = make_screen(viewport={"width": 1920, "height": 1080})
    screen.open(f"{address}/command?kiosk=1&tour=2")
    page = screen.page
    for hidden in (".map-zoom", ".map-top-right", "#command-figure", ".language"):
        assert not page.locator(hidden).first.is_visible(), hidden
    cursor = "getComputedStyle(document.querySelector('.map-canvas')).cursor"
    assert page.evaluate(cursor) == "none"
    screen.shows(DONGJIE)  # the most overdue first
    length = page.evaluate("history.length")
    screen.shows(NANHU)
    assert page.evaluate("history.length") == length
    screen.shoot("command-kiosk")
    page.evaluate("window.wangge.tour.restMs = 600_000")
    page.mouse.click(960, 600)
    page.locator(".tour.is-paused").wait_for()
    held = page.evaluate("window.wangge.command.unit")
    assert page.evaluate("window.wangge.tour.paused - performance.now()") > 300_000
    page.evaluate("window.wangge.tour.due -= 600_000 - 1000, window.wangge.tour.paused -= 600_000")
    page.locator(".tour:not(.is-paused)").wait_for()
    screen.until(f"window.wangge.command.unit !== {json.dumps(held)}")
    assert {"kiosk": "1", "tour": "2"}.items() <= screen.query().items()


def test_motion_stops_for_those_who_want_none(
    make_screen: Callable[..., Screen], address: str
) -> None:
    screen = make_screen(reduced_motion="reduce").open(f"{address}/command")
    assert screen.page.evaluate("window.wangge.still()") is True
    screen.page.locator(".case[data-case=b]").click()
    assert screen.page.evaluate("window.wangge.s.map.isMoving()") is False
    screen.page.evaluate(
        "window.wangge.alarm({incident_id: 'x', kind: 'overdue', what: 'x', where: 'y', late_s: 0})"
    )
    bar = screen.page.locator(".alarm-bar")
    assert bar.evaluate("bar => getComputedStyle(bar).animationName") == "none"


def test_plotly_keeps_its_map_where_we_look_for_it_and_says_so_if_it_moves(
    make_screen: Callable[..., Screen], drawing: Any, address: str
) -> None:
    """The one private name that we use; see docs/architecture.md."""
    screen = make_screen(calm=False)
    said: list[str] = []
    screen.page.on("console", lambda message: said.append(message.text))
    screen.open(f"{address}/command")
    missing = screen.page.evaluate(
        """(() => {
          const map = window.wangge.mapHandle(window.wangge.graphDiv());
          const wanted = ["addSource", "addLayer", "setFilter", "project", "queryRenderedFeatures",
                          "easeTo", "jumpTo", "getStyle", "setPaintProperty", "addImage",
                          "setFeatureState", "setLayerZoomRange", "isSourceLoaded"];
          return wanted.filter((name) => typeof map[name] !== "function");
        })()"""
    )
    assert missing == []
    screen.page.evaluate(
        "window.wangge.patienceMs = 100; window.wangge.mapHandle = () => null;"
        "void window.wangge.attach()"
    )
    screen.page.locator("#app-error", has_text="地图接口已改变").wait_for()
    assert any("_fullLayout.map._subplot.map" in text for text in said)
    screen.page.locator(".rank").first.click()
    screen.page.locator(".crumbs h1", has_text="东街街道").wait_for()


def test_an_empty_city_tells_what_to_do(
    workspace: Workspace, serve: Callable[[Store], str], drawing: Any, screen: Screen
) -> None:
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    screen.page.goto(f"{serve(store)}/command")
    screen.until("document.documentElement.dataset.ready === 'map'")
    assert "wangge import grids" in screen.page.locator(".map-empty").inner_text()
    screen.shoot("command-empty")


@pytest.mark.real_data
def test_taichung_is_served_and_a_click_opens_the_village_of_the_point(
    shared_data: Path,
    workspace: Workspace,
    serve: Callable[[Store], str],
    drawing: Any,
    screen: Screen,
) -> None:
    """625 villages with Chinese names, one of them a gap's width from the next; 6,328 hydrants."""
    from geo.io.gate import import_files

    villages = shared_data / "tw_taichung_villages" / "villages.geojson"
    hydrants = shared_data / "as_taichung_hydrants" / "hydrants.geojson"
    import_files(workspace, "grids", [villages], at=drawing.at, allow_gaps=True)
    import_files(workspace, "assets", [hydrants], at=drawing.at, set_values={"class_code": "0113"})
    store = Store(workspace, Settings(timezone="Asia/Taipei"), clock=lambda: drawing.at)
    city = store.snapshot().city
    village = city.grids.geometry.iloc[300]
    place = village.representative_point()
    owner = city.grids.index[city.grids.contains(place)][0]
    screen.open(f"{serve(store)}/command?figure=assets&level=grid&view={place.x},{place.y},14")
    screen.page.mouse.click(*screen.point(place.x, place.y))
    screen.page.locator("#card-panel h2", has_text=city.names[300]).wait_for()
    screen.until(f"location.search.includes('grid={owner}')")
    assert store.snapshot().table("grid")["assets"].sum() > 6000
    screen.shoot("command-taichung")
