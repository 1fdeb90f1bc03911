"""The real page in a real Chromium, driven by mouse and keyboard on the drawn city."""

from __future__ import annotations

import base64
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
import shapely
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import BaseWSGIServer, make_server

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[1] / "out"
DESK = {"width": 1280, "height": 720}
ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on this machine: apt-get install chromium, or run make system")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[Store], str]]:
    """Serve a store on a free port of this machine; all of them end with the module."""
    running: list[tuple[BaseWSGIServer, threading.Thread]] = []

    def start(store: Store) -> str:
        app = create_app(store.settings, store)
        server = make_server("127.0.0.1", 0, app.server, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


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
        )
        self.until("document.querySelectorAll('.trend-graph .main-svg').length >= 2")
        return self

    def until(self, script: str) -> Any:
        """Poll, because the page's own policy forbids what `wait_for_function` does."""
        for _ in range(PATIENCE_MS // 100):
            found = self.page.evaluate(f"(() => {script})()")
            if found:
                return found
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never true: {script}; {self.troubles}")

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
def make_screen(browser: Browser) -> Iterator[Callable[..., Screen]]:
    """Screens of any size; at the end none may have complained or asked anyone else."""
    made: list[Screen] = []

    def make(*, calm: bool = True, **options: Any) -> Screen:
        page = browser.new_page(**{"viewport": DESK, **options})
        page.set_default_timeout(PATIENCE_MS)
        screen = Screen(page)
        note = screen.troubles.append

        def heard(message: Any) -> None:
            # Reading the canvas for a screenshot makes the software renderer mutter.
            if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
                note(f"console: {message.text}")

        def asked(request: Any) -> None:
            if not request.url.startswith(("http://127.0.0.1:", "blob:", "data:")):
                note(f"outside: {request.url}")

        if calm:
            page.on("console", heard)
            page.on("pageerror", lambda error: note(f"page error: {error}"))
            page.on("requestfailed", lambda request: note(f"failed: {request.url}"))
        page.on("request", asked)
        made.append(screen)
        return screen

    yield make
    for screen in made:
        screen.page.close()
        assert screen.troubles == []


@pytest.fixture
def screen(make_screen: Callable[..., Screen]) -> Screen:
    return make_screen()


def hex_of(colour: list[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1080), (3840, 2160)], ids=["1080 lines", "2160 lines"]
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
    assert len(figures) == 7
    assert min(figures) >= 0.04 * height
    over_the_middle = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).tagName",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
    )
    assert over_the_middle == "CANVAS"
    clipped = page.locator(".card, .trend, .top").evaluate_all(
        "found => found.filter(f => f.scrollHeight > f.clientHeight + 2).length"
    )
    assert clipped == 0
    screen.shoot(f"command-{height}")


def test_the_map_draws_grids_in_the_colours_of_the_legend(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command?layers=borders")
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


@pytest.mark.parametrize("k", [2, 5, 10])
def test_a_click_opens_the_card_of_the_grid_that_holds_the_point(
    drawing: Any, drawn_store: Store, screen: Screen, address: str, k: int
) -> None:
    screen.open(f"{address}/command")
    lon, lat = drawing.middle(k)[0] - 0.0006, drawing.middle(k)[1] + 0.0005
    grids = drawn_store.snapshot().city.grids
    owner = grids.index[grids.contains(shapely.Point(lon, lat))][0]
    screen.page.mouse.click(*screen.point(lon, lat))
    screen.page.locator(".detail-head .panel-note", has_text=owner).wait_for()
    assert screen.page.locator(".detail-head h2").inner_text() == grids.loc[owner, "name"]
    assert screen.page.locator(".chain li").count() == 5
    screen.until(f"new URLSearchParams(location.search).get('grid') === '{owner}'")
    drawn = screen.page.evaluate("window.wangge.s.map.getFilter('w-selected')[2]")
    assert drawn == owner
    if k == 5:
        screen.until("window.wangge.s.map.loaded()")
        screen.shoot("command-grid")


def test_a_choice_in_the_address_is_restored(drawing: Any, screen: Screen, address: str) -> None:
    grid = drawing.ids[5]
    choice = f"lang=en&grid={grid}&figure=population&layers=incidents,borders"
    screen.open(f"{address}/command?{choice}&view=114.30400,30.50300,15.50")
    page = screen.page
    assert page.locator(".detail-head .panel-note").inner_text().startswith(grid)
    assert page.locator(".map-title").inner_text() == "Residents by grid"
    workers = "window.wangge.s.map.getLayoutProperty('w-workers', 'visibility')"
    assert page.evaluate(workers) == "none"
    zoom = page.evaluate("window.wangge.s.map.getZoom() - window.wangge.shift()")
    assert zoom == pytest.approx(15.5, abs=0.01)
    assert page.evaluate("document.documentElement.lang") == "en"
    page.locator(".pill").first.click()
    screen.until(f"!location.search.includes('{grid}')")
    assert {k: v for k, v in screen.query().items() if k in ("lang", "figure", "layers")} == {
        "lang": "en", "figure": "population", "layers": "incidents,borders",
    }  # fmt: skip


def test_the_language_switches_and_the_choice_stays(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command?grid={drawing.ids[2]}&figure=assets")
    assert screen.page.locator(".list-panel h2").inner_text() == "最新事件"
    with screen.page.expect_navigation():
        screen.page.locator("#command-language").click()
    screen.ready()
    assert screen.page.locator(".list-panel h2").inner_text() == "Newest incidents"
    query = screen.query()
    assert (query["lang"], query["grid"], query["figure"]) == ("en", drawing.ids[2], "assets")
    screen.shoot("command-en")


def test_the_keyboard_alone_finds_a_grid_and_opens_its_card(
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
    page.locator(".detail-head .panel-note", has_text=drawing.ids[7]).wait_for()
    screen.until("!window.wangge.s.map.isMoving()")
    west, south, east, north = page.evaluate(
        "(b => [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()])"
        "(window.wangge.s.map.getBounds())"
    )
    assert shapely.box(west, south, east, north).contains(shapely.Point(drawing.middle(7)))
    page.locator("#command-map .maplibregl-canvas").focus()
    page.keyboard.press("Escape")
    page.locator(".rank").first.wait_for()
    page.evaluate(f"window.wangge.s.map.jumpTo({{center: {list(drawing.middle(9))}, zoom: 16}})")
    screen.until("window.wangge.s.map.loaded()")
    page.keyboard.press("Enter")
    page.locator(".detail-head .panel-note", has_text=drawing.ids[9]).wait_for()


def test_an_incident_of_the_list_leads_to_its_place(
    drawing: Any, screen: Screen, address: str
) -> None:
    screen.open(f"{address}/command")
    screen.page.locator(".case[data-case=a]").click()
    screen.page.locator(".detail-head .panel-note", has_text=drawing.ids[0]).wait_for()
    screen.until("!window.wangge.s.map.isMoving() && window.wangge.s.map.loaded()")
    x, y = screen.point(*drawing.middle(0))
    box = screen.page.locator(".map-panel").bounding_box()
    assert box is not None
    assert abs(x - box["x"] - box["width"] / 2) < 3
    assert abs(y - box["y"] - box["height"] / 2) < 3


def test_another_figure_leaves_the_view_where_it_was(screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    page = screen.page
    page.evaluate("window.wangge.move({center: {lon: 114.303, lat: 30.5021}, zoom: 17})")
    screen.until("!window.wangge.s.map.isMoving() && window.wangge.s.map.getZoom() === 17")
    page.locator(".figures label", has_text="人口").click()
    page.locator(".map-title", has_text="各网格常住人口").wait_for()
    screen.until("window.wangge.s.unit === '人' && window.wangge.s.map.loaded()")
    page.wait_for_timeout(500)
    assert page.evaluate("window.wangge.s.map.getZoom()") == 17
    assert page.evaluate("window.wangge.s.map.getCenter().lng") == pytest.approx(114.303, abs=1e-6)
    assert page.evaluate("window.wangge.s.noData") == [11]
    assert page.evaluate("window.wangge.s.map.getLayer('w-incidents') !== undefined")


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
    screen.until("window.wangge.s.map.loaded()")
    x, y = screen.point(lon + 0.0002, lat)
    screen.page.mouse.move(x - 3, y)
    screen.page.mouse.move(x, y)
    tip = screen.page.locator(".map-tip.is-shown")
    tip.wait_for()
    assert "上水井盖" in tip.inner_text()
    screen.shoot("command-assets")


def test_layers_can_be_taken_away(screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    screen.page.locator(".layer-chips label", has_text="边界").click()
    screen.until("location.search.includes('layers=incidents,workers,assets,labels')")
    visible = screen.page.evaluate(
        "window.wangge.s.map.getLayoutProperty('boundary-street', 'visibility')"
    )
    assert visible == "none"


def test_the_table_twin_chooses_a_grid_too(drawing: Any, screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    screen.page.locator("#command-table-open").click()
    row = screen.page.locator(f".ag-row[row-id='{drawing.ids[5]}']")
    row.first.wait_for()
    row.locator(".ag-cell").first.click()
    screen.page.locator(".detail-head .panel-note", has_text=drawing.ids[5]).wait_for()
    screen.shoot("command-table")


def test_the_clock_runs_in_the_zone_of_the_city(screen: Screen, address: str) -> None:
    screen.open(f"{address}/command")
    assert screen.page.locator("#command-date").inner_text() == "2026年11月21日 星期六"
    first = screen.page.locator("#command-time").inner_text()
    assert re.fullmatch(r"14:(09|10):\d\d", first)
    screen.until(f"document.getElementById('command-time').textContent !== '{first}'")
    assert "is-stale" in screen.page.locator("#command-freshness").get_attribute("class")
    assert "2 分钟" in screen.page.locator("#command-freshness").inner_text()


def test_a_new_incident_appears_without_a_reload(
    drawing: Any,
    workspace: Workspace,
    serve: Callable[[Store], str],
    screen: Screen,
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(refresh_s=1.0, check_s=1.0), clock=lambda: drawing.at)
    screen.open(f"{serve(store)}/command")
    lon, lat = drawing.middle(10)
    frame = pd.DataFrame(
        {
            "incident_id": ["new"], "class_code": ["E0401"], "stage": ["opened"],
            "lon": [lon], "lat": [lat],
            "reported_at": pd.to_datetime([drawing.at - timedelta(seconds=5)], utc=True),
        }
    )  # fmt: skip
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", frame)
    store.refresh()
    screen.page.locator(".case[data-case=new]").wait_for()
    screen.until("document.querySelector(\".card-value[title='6 件']\") !== null")
    screen.until(
        "window.wangge.s.map.querySourceFeatures('w-incidents')"
        ".some(f => f.properties.id === 'new')"
    )


def test_motion_stops_for_those_who_want_none(
    make_screen: Callable[..., Screen], address: str
) -> None:
    screen = make_screen(reduced_motion="reduce").open(f"{address}/command")
    assert screen.page.evaluate("window.wangge.still()") is True
    screen.page.locator(".case[data-case=b]").click()
    assert screen.page.evaluate("window.wangge.s.map.isMoving()") is False


def test_plotly_keeps_its_map_where_we_look_for_it(screen: Screen, address: str) -> None:
    """The one private name that we use; see docs/architecture.md."""
    screen.open(f"{address}/command")
    assert screen.page.evaluate(
        """(() => {
          const map = window.wangge.mapHandle(window.wangge.graphDiv());
          const wanted = ["addSource", "addLayer", "setFilter", "project", "queryRenderedFeatures",
                          "flyTo", "jumpTo", "getStyle", "setPaintProperty", "addImage"];
          return wanted.filter((name) => typeof map[name] !== "function");
        })()"""
    ) == []  # fmt: skip


def test_if_plotly_moves_its_map_the_page_says_so_and_the_rest_works(
    make_screen: Callable[..., Screen], drawing: Any, address: str
) -> None:
    screen = make_screen(calm=False)
    said: list[str] = []
    screen.page.on("console", lambda message: said.append(message.text))
    screen.open(f"{address}/command")
    screen.page.evaluate(
        "window.wangge.patienceMs = 100; window.wangge.mapHandle = () => null;"
        "void window.wangge.attach()"
    )
    screen.page.locator("#app-error", has_text="地图接口已改变").wait_for()
    assert any("_fullLayout.map._subplot.map" in text for text in said)
    screen.page.locator(".rank").first.click()
    screen.page.locator(".detail-head .panel-note", has_text=drawing.ids[0]).wait_for()


def test_an_empty_city_tells_what_to_do(
    workspace: Workspace, serve: Callable[[Store], str], drawing: Any, screen: Screen
) -> None:
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    screen.open(f"{serve(store)}/command")
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
    screen.open(f"{serve(store)}/command?figure=assets&view={place.x},{place.y},14")
    screen.page.mouse.click(*screen.point(place.x, place.y))
    screen.page.locator(".detail-head .panel-note", has_text=owner).wait_for()
    said = screen.page.locator(".detail-panel").inner_text()
    assert "台中市" in said
    assert city.names[300] in said
    assert store.snapshot().figures["assets"].sum() > 6000
    screen.shoot("command-taichung")
