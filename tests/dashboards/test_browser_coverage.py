"""The coverage page in a real Chromium: the drawn city, and one without grids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from browsers import PATIENCE_MS, Chromium, Watch, serving, until
from playwright.sync_api import Page

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace

pytestmark = pytest.mark.browser

DESK = {"width": 1600, "height": 900}
OUT = Path(__file__).resolve().parents[1] / "out"
PERSON = """localStorage.setItem("wangge-person", JSON.stringify(
  {by: "boss", name: "boss", role: "%s", worker_id: null}))"""


@contextmanager
def serve(workspace: Workspace, at: Any) -> Iterator[str]:
    store = Store(workspace, Settings(), clock=lambda: at)
    app = create_app(store.settings, store)
    store.snapshot()
    with serving(app) as found:
        yield found


@pytest.fixture(scope="module")
def address(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The drawn city with a camera that looks at the street and at grid 5."""
    x, y = drawing.middle(5)
    camera = gpd.GeoDataFrame(
        {"asset_id": ["cam2"], "class_code": ["0136"], "angle_deg": [360.0], "range_m": [150.0]},
        geometry=[shapely.Point(x, y)],
        crs="EPSG:4326",
    )
    with create_workspace(tmp_path_factory.mktemp("coverage") / "city") as workspace:
        drawing.fill(workspace)
        with workspace.writing() as conn:
            workspace.append(conn, "cameras", camera)
            cameras = workspace.table("cameras")
            workspace.delete(conn, "cameras", cameras.c.asset_id == "cam1")
        with serve(workspace, drawing.at) as found:
            yield found


@contextmanager
def opened(browser: Chromium, address: str, role: str = "") -> Iterator[Page]:
    """A page whose every request and error is looked at in the end."""
    watch = Watch()
    page = browser.new_page(PERSON % role if role else "", viewport=DESK, reduced_motion="reduce")
    yield watch.over(page)
    page.close()
    assert not [url for url in watch.asked if not url.startswith((address, "data:", "blob:"))]
    assert not watch.troubles


def open_coverage(page: Page, address: str, query: str) -> None:
    page.goto(f"{address}/workers/coverage?{query}")
    # plotly sets its view once more when the map has loaded; no hand here is quicker than that.
    until(page, "document.documentElement.dataset.coverage && window.wangge.s.map?.loaded()")
    until(page, "document.querySelector('#coverage-table .cv-total')")


DRAWN = """(layer) => { const map = window.wangge.s.map;
  return Boolean(map.getLayer(layer)) && map.queryRenderedFeatures({layers: [layer]}).length }"""


def drawn(page: Page, layer: str) -> int:
    """How many features of a layer can be seen, once any can."""
    for _ in range(PATIENCE_MS // 100):
        count = int(page.evaluate(DRAWN, layer))
        if count:
            return count
        page.wait_for_timeout(100)
    raise AssertionError(f"nothing of {layer} is drawn")


def test_the_map_draws_what_cameras_see_and_what_they_do_not(
    browser: Chromium, address: str
) -> None:
    with opened(browser, address) as page:
        open_coverage(page, address, "what=cameras")
        for layer in ("cv-street-covered", "cv-street-blind", "cv-view", "cv-spot"):
            assert drawn(page, layer)
        shares = [
            float(page.inner_text(f"#coverage-f-{name} b").rstrip("%"))
            for name in ("covered", "blind", "unknown")
        ]
        # 2 sqrt(150 m ^2 - 111 m ^2) of 768 m.
        assert shares[0] == pytest.approx(26.3, abs=0.4)
        assert sum(shares) == pytest.approx(100, abs=0.11)
        assert "计算于" in page.inner_text("#coverage-progress")
        OUT.mkdir(exist_ok=True)
        page.screenshot(path=str(OUT / "coverage.png"))


def test_a_click_on_a_stretch_or_a_spot_moves_the_map_there(
    browser: Chromium, address: str
) -> None:
    with opened(browser, address) as page:
        open_coverage(page, address, "what=cameras")
        drawn(page, "cv-street-blind")
        assert "江汉路" in page.inner_text("#coverage-stretch-1")
        page.click("#coverage-stretch-1")
        assert drawn(page, "cv-picked")
        page.click("#coverage-tab-spots")
        assert "63%" in page.inner_text("#coverage-lists")
        assert "list=spots" in page.url
        page.click("#coverage-spot-1")
        until(
            page,
            """(() => { const spot = window.wangge.coverage.body.spots.list[0].at;
              const middle = window.wangge.s.map.getCenter();
              return Math.hypot(middle.lng - spot[0], middle.lat - spot[1]) < 1e-5; })()""",
        )


def test_the_choice_is_in_the_address_and_comes_back(browser: Chromium, address: str) -> None:
    with opened(browser, address) as page:
        open_coverage(page, address, "what=cameras")
        page.click("#coverage-what-assets")
        until(page, "document.getElementById('coverage-class')")
        until(page, "document.querySelector('#coverage-stretch-1')")
        assert "what=assets" in page.url
        assert "class=0118" in page.url
        page.fill("#coverage-m", "100")
        page.press("#coverage-m", "Enter")
        until(
            page, "document.getElementById('coverage-title')?.textContent === '路灯 100 米内的街道'"
        )
        page.click("#coverage-by-grids")
        assert "by=grids" in page.url
        page.click(".cv-grid .ag-center-cols-container .ag-row[row-index='0'] [col-id='blind']")
        until(page, "window.location.search.includes('grid=')")
        told = page.url
        page.reload()
        until(
            page, "document.getElementById('coverage-title')?.textContent === '路灯 100 米内的街道'"
        )
        until(page, "document.querySelector('.cv-grid .ag-row-selected')")
        assert page.url == told
        assert page.get_attribute("#coverage-by-grids", "aria-pressed") == "true"
        assert "m=100" in str(page.get_attribute("#coverage-csv", "href"))


def test_who_may_not_see_tracks_gets_shares_by_grid(browser: Chromium, address: str) -> None:
    with opened(browser, address, "leader") as page:
        open_coverage(page, address, "what=today")
        assert "按网格显示比例" in page.inner_text("#coverage-progress")
        assert page.is_disabled("#coverage-by-streets")
        until(page, "document.documentElement.dataset.shaded")
        assert page.evaluate(DRAWN, "cv-street-blind") == 0
    with opened(browser, address, "grid_head") as page:
        open_coverage(page, address, "what=today")
        assert drawn(page, "cv-street-blind")


def test_the_table_is_the_twin_of_the_map(browser: Chromium, address: str) -> None:
    with opened(browser, address) as page:
        open_coverage(page, address, "what=cameras&lang=en")
        assert page.locator(".cv-grid .ag-center-cols-container .ag-row").count() >= 4
        total = page.inner_text(".cv-grid .cv-total [col-id='blind']").replace(",", "")
        blind = page.inner_text("#coverage-f-blind span:last-child")
        assert int(total) == pytest.approx(int(blind.split()[0]), abs=1)
        assert page.inner_text("#coverage-what-cameras") == "Cameras"


def test_a_city_without_grids_says_why(browser: Chromium, drawing: Any, tmp_path: Path) -> None:
    with (
        create_workspace(tmp_path / "empty") as workspace,
        serve(workspace, drawing.at) as address,
        opened(browser, address) as page,
    ):
        page.goto(f"{address}/workers/coverage")
        until(page, "document.querySelector('.map-empty')")
        until(page, "document.getElementById('coverage-bar').childElementCount")
        assert "网格" in page.inner_text(".map-empty")
