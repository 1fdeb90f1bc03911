"""Consequences in a real browser: the panel follows an edit, the report opens without a network.

The drawn city of twelve grids (see conftest), each of nine blocks of 20 households. The browser
lists every request and every error, and there may be none to elsewhere and none at all.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.coverage_routes import COVERAGE
from dashboards.plan_desk import desk_of
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.planbook import PlanBook
from geo.io.workspace import create_workspace

pytestmark = pytest.mark.browser

ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 20_000
PERSON = """localStorage.setItem("wangge-person", JSON.stringify(
  {by: "boss", name: "boss", role: "dispatcher", worker_id: null}))"""
WEST, SOUTH, SIDE = 114.3, 30.5, 0.002
HOMES = 20


@dataclass
class Site:
    address: str
    store: Store
    book: PlanBook
    ids: list[str]

    def plan(self) -> str:
        return self.book.create("试一试", "boss", self.store.clock())

    def paint(self, plan_id: str, seq: int, block: str) -> None:
        edit = {"do": "paint", "blocks": [block], "grid": self.ids[1], "along": True}
        at = self.store.clock()
        name = f"{plan_id}-{seq}"
        self.book.append(plan_id, edit_id=name, edit=edit, by="boss", on_seq=seq, at=at)


@pytest.fixture(scope="module")
def site(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with create_workspace(tmp_path_factory.mktemp("impact") / "city") as workspace:
        drawing.fill(workspace)
        ids, codes, shapes = [], [], []
        third = SIDE / 3
        for grid in range(12):
            for k in range(9):
                x, y = 3 * (grid % 4) + k % 3, 3 * (grid // 4) + k // 3
                ids.append(f"{grid}-{k}")
                codes.append(drawing.ids[grid][:12])
                shapes.append(
                    shapely.Polygon(
                        [
                            (
                                round(WEST + third * (x + a), 9),
                                round(SOUTH + third * (y + b), 9),
                            )
                            for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))
                        ]
                    )
                )
        blocks = gpd.GeoDataFrame(
            {
                "block_id": ids,
                "community_code": codes,
                "households": HOMES,
                "population": 50,
            },
            geometry=shapes,
            crs="EPSG:4326",
        )
        with workspace.writing() as conn:
            workspace.append(conn, "blocks", blocks)
        store = Store(workspace, Settings(grid_band="170-190"), clock=lambda: drawing.at)
        app = create_app(store.settings, store)
        store.snapshot()
        server = make_server("127.0.0.1", 0, app.server, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield Site(address, store, desk_of(store).book, drawing.ids)
        app.server.extensions[COVERAGE].stop()
        app.server.extensions["wangge-live"].close()
        server.shutdown()
        thread.join()
        server.server_close()


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
def page(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_init_script(PERSON)
    opened = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(f"{site.address}/planner?plan={site.plan()}&tab=impact")
    until(
        opened,
        "window.wangge && window.wangge.plan && window.wangge.plan.s && window.wangge.s.map"
        " && window.wangge.s.map.getLayer('plan-lines')",
    )
    yield opened
    context.close()
    assert not [url for url in asked if not url.startswith((site.address, "data:", "blob:"))]
    assert not errors


def until(page: Page, script: str, value: Any = None) -> Any:
    """Poll, because the page's own policy forbids what `wait_for_function` does."""
    for _ in range(PATIENCE_MS // 50):
        found = page.evaluate(script, value)
        if found:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {script}\n{page.inner_text('body')[:800]}")


def told(page: Page, seq: int) -> None:
    """Wait until the panel shows the state after an edit."""
    until(
        page,
        "(n) => { const p = document.getElementById('plan-impact');"
        " return p && p.dataset.state === 'done' && p.dataset.seq === String(n) }",
        seq,
    )


def load(page: Page, site: Site) -> str:
    plan_id = site.plan()
    assert page.evaluate("(id) => window.wangge.plan.load(id)", plan_id)["ok"]
    page.evaluate("window.wangge.plan.openPanel('impact')")
    told(page, 0)
    return plan_id


def paint(page: Page, site: Site, block: str) -> None:
    sent = page.evaluate(
        "([block, grid]) => window.wangge.plan.send("
        "{do: 'paint', blocks: [block], grid, along: true})",
        [block, site.ids[1]],
    )
    assert sent["ok"], sent


def changes(page: Page) -> list[float]:
    found = page.evaluate(
        "[...document.querySelectorAll('#plan-impact [data-by]')].map((e) => Number(e.dataset.by))"
    )
    return [float(value) for value in found]


def test_the_panel_shows_what_a_stroke_changed_and_it_adds_up_to_zero(
    page: Page, site: Site
) -> None:
    load(page, site)
    assert changes(page) == []
    paint(page, site, "0-2")
    told(page, 1)
    assert sorted(changes(page)) == [-HOMES, HOMES]
    for figure in ("households", "incidents", "assets", "street_m", "patrol_m", "area_m2"):
        page.select_option("#pi-figure", figure)
        assert sum(changes(page)) == 0
        total = f"#plan-impact [data-sum={figure}] [data-value]"
        assert float(str(page.get_attribute(total, "data-value"))) == 0
    page.select_option("#pi-figure", "households")
    assert "王小明" in page.inner_text("#plan-impact")
    chart = "document.querySelector('#pi-chart svg')"
    until(page, f"{chart} && {chart}.dataset.low === '1' && {chart}.dataset.high === '1'")


def test_what_stays_is_the_same_element_and_scroll_stays(page: Page, site: Site) -> None:
    load(page, site)
    paint(page, site, "0-2")
    told(page, 1)
    page.evaluate(
        "() => { window.kept = [document.querySelector('#plan-impact [data-go]'),"
        " document.getElementById('pi-figure')]; window.kept[1].focus() }"
    )
    paint(page, site, "0-5")
    told(page, 2)
    assert sorted(changes(page)) == [-2 * HOMES, 2 * HOMES]
    assert page.evaluate(
        "window.kept.every((e) => e.isConnected) && document.activeElement === window.kept[1]"
    )


def test_undo_brings_the_panel_back_to_nothing(page: Page, site: Site) -> None:
    load(page, site)
    paint(page, site, "0-2")
    told(page, 1)
    page.evaluate("window.wangge.plan.undo()")
    told(page, 2)
    assert changes(page) == []


def test_a_click_on_a_grid_chooses_and_shows_it(page: Page, site: Site) -> None:
    load(page, site)
    paint(page, site, "0-2")
    told(page, 1)
    before = page.evaluate("window.wangge.s.map.getZoom()")
    page.click(f"#plan-impact button.pi-tr[data-go='{site.ids[1]}']")
    chosen = "window.wangge.plan.selected().map((r) => window.wangge.plan.s.grids[r].id)"
    assert page.evaluate(chosen) == [site.ids[1]]
    until(page, "(z) => window.wangge.s.map.getZoom() > z + 0.1", before)


def test_the_map_can_show_the_change_and_goes_back(page: Page, site: Site) -> None:
    load(page, site)
    paint(page, site, "0-2")
    told(page, 1)
    page.click("#plan-impact [data-mode=change]")
    assert page.evaluate("window.wangge.plan.shadeName") == "own"
    colour = """(id) => { const p = window.wangge.plan;
        return p.colourOf(p.blockRows ? p.blockRows.get(id) : p.s.blockRows.get(id)) }"""
    lost, won, same = (page.evaluate(colour, name) for name in ("0-0", "1-0", "9-0"))
    assert len({lost, won, same}) == 3
    page.click("#plan-impact [data-mode=plan]")
    assert page.evaluate("window.wangge.plan.shadeName") == "band"


def test_the_present_stands_beside_the_draft_with_one_view(page: Page, site: Site) -> None:
    load(page, site)
    paint(page, site, "0-2")
    told(page, 1)
    page.click("#plan-impact [data-mode=compare]")
    until(page, "window.wangge.plan.impact.pane.map && window.wangge.plan.impact.pane.map.loaded()")
    views = """() => [window.wangge.s.map, window.wangge.plan.impact.pane.map].map((m) =>
        [m.getCenter().lng, m.getCenter().lat, m.getZoom()].map((v) => v.toFixed(6)).join())"""
    page.evaluate("window.wangge.s.map.jumpTo({center: [114.301, 30.502], zoom: 15.5})")
    one, two = page.evaluate(views)
    assert one == two
    page.evaluate(
        "window.wangge.plan.impact.pane.map.jumpTo({center: [114.303, 30.503], zoom: 16})"
    )
    one, two = page.evaluate(views)
    assert one == two
    assert one.startswith("114.303")
    # Something is drawn of the present: the canvas is not empty.
    until(
        page,
        """() => { const c = document.querySelector('.pi-pane-canvas');
        const data = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return data.some((v) => v > 0) }""",
    )
    page.click(".pi-pane-close")
    assert page.locator(".pi-pane").count() == 0


@pytest.mark.parametrize("network", ["offline"])
def test_the_report_opens_on_a_laptop_without_a_network(
    browser: Browser, site: Site, tmp_path: Path, network: str
) -> None:
    plan_id = site.plan()
    site.paint(plan_id, 0, "0-2")
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    address = f"{site.address}/plan/{plan_id}/report.html"
    for _ in range(PATIENCE_MS // 100):
        answer = context.request.get(address)
        if answer.status == 200:
            break
        page.wait_for_timeout(100)
    file = tmp_path / "report.html"
    file.write_bytes(answer.body())
    context.set_offline(network == "offline")
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    page.goto(file.as_uri())
    until(page, "window.planMaps && window.planMaps.length === 3")
    until(page, "[...document.querySelectorAll('.map canvas')].length >= 3")
    page.evaluate("window.planMaps[1].setView([30.502, 114.303], 17, {animate: false})")
    views = page.evaluate("window.planMaps.map((m) => m.getCenter().lng.toFixed(5) + m.getZoom())")
    assert len(set(views)) == 1
    before = page.evaluate("window.planMaps[0].getCenter().lng")
    page.click("tr[data-key] >> nth=0")
    assert page.evaluate("window.planMaps[0].getCenter().lng") != before
    assert "180 → 160" in page.inner_text("body")
    assert page.locator("svg.bc").count() == 1
    context.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
