"""The shift board and the day sheet in a real Chromium, on screen and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browsers import Chromium, Watch, serving, until
from playwright.sync_api import Page

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import create_workspace
from geo.shifts import ENDED

pytestmark = pytest.mark.browser

DAY = "2026-11-20"
OUT = Path(__file__).resolve().parents[2] / "out"

PERSON = """localStorage.setItem("wangge-person", JSON.stringify(
  {by: "boss", name: "boss", role: "%s", worker_id: null}))"""


class Wall:
    """The city's clock."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Served:
    """The drawn city, served."""

    def __init__(self, address: str, store: Store, wall: Wall) -> None:
        self.address, self.store, self.wall = address, store, wall


@pytest.fixture(scope="module")
def served(
    patrolled: Any, drawing: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with create_workspace(tmp_path_factory.mktemp("board") / "city") as workspace:
        patrolled.fill(workspace)
        wall = Wall(drawing.at)
        store = Store(workspace, Settings(), clock=wall)
        app = create_app(store.settings, store)
        store.snapshot()
        with serving(app) as address:
            yield Served(address, store, wall)


def as_role(browser: Chromium, role: str, **size: int) -> Page:
    return browser.new_page(
        PERSON % role, viewport={"width": 1920, "height": 1080} | size, reduced_motion="reduce"
    )


@pytest.fixture
def page(browser: Chromium, served: Served) -> Iterator[Page]:
    """A page of somebody who may see tracks; it may not complain nor ask anyone else."""
    watch = Watch()
    opened = watch.over(as_role(browser, "grid_head"))
    yield opened
    opened.close()
    assert not [
        url for url in watch.asked if not url.startswith((served.address, "data:", "blob:"))
    ]
    assert not watch.troubles


def open_board(page: Page, served: Served, query: str = f"day={DAY}") -> None:
    page.goto(f"{served.address}/workers/board?{query}")
    until(page, "document.documentElement.dataset.board === 'ready'")
    until(page, "document.querySelector('#board-table .board-total')")


def total_row(page: Page) -> dict[str, int]:
    """The counts of the total row as they stand on the page."""
    found: dict[str, int] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(
             "#board-table .ag-floating-bottom [col-id^='n-']")].map((cell) =>
             [cell.getAttribute("col-id").slice(2), Number(cell.innerText.replace(/,/g, ""))]))"""
    )
    return found


def test_the_page_shows_the_board_that_was_worked_out_by_hand(
    page: Page, served: Served, patrolled: Any
) -> None:
    open_board(page, served)
    known = {k: v for k, v in patrolled.known.items() if k in ("required", *ENDED)}
    assert total_row(page) == known
    assert page.inner_text("#board-required") == "36"
    for name in ENDED:
        assert page.inner_text(f"#board-chip-{name} b") == str(known[name])
    assert page.locator("#board-table .board-state.is-missed").count() == 1
    assert "边界版本 1" in page.inner_text("#board-foot")


def test_chips_filter_and_the_total_still_adds_up(page: Page, served: Served) -> None:
    open_board(page, served)
    page.click("#board-chip-missed")
    until(page, "document.querySelectorAll('.ag-center-cols-container .ag-row').length === 1")
    told = total_row(page)
    assert told["required"] == sum(told[name] for name in ENDED) == 3
    assert "status=missed" in page.url
    page.reload()
    until(page, "document.querySelector('#board-table .board-total')")
    until(page, "document.querySelectorAll('.ag-center-cols-container .ag-row').length === 1")
    assert "status=missed" in page.get_attribute("#board-csv", "href")
    page.select_option("#board-unit-street", label="南湖街道")
    until(page, "document.querySelectorAll('.ag-center-cols-container .ag-row').length === 0")
    assert "放宽" in page.inner_text("#board-foot")
    page.click("#board-chip-missed")
    page.select_option("#board-unit-street", "")
    # All grids again, before one is looked for: one row alone would also be that of the missed.
    until(page, "document.querySelectorAll('.ag-center-cols-container .ag-row').length > 1")
    page.fill("#board-q", "=孙四")
    until(page, "document.querySelectorAll('.ag-center-cols-container .ag-row').length === 1")
    assert total_row(page)["unknown"] == 3


def test_levels_have_the_same_sum(page: Page, served: Served, patrolled: Any) -> None:
    for level in ("district", "street", "community", "grid"):
        open_board(page, served, f"day={DAY}&level={level}")
        assert total_row(page)["required"] == patrolled.known["required"], level
        assert total_row(page)["vacant"] == patrolled.known["vacant"], level


def test_a_click_brings_the_evidence(page: Page, served: Served, drawing: Any) -> None:
    open_board(page, served)
    page.click(".board-state.is-missed")
    until(page, "document.querySelectorAll('.board-round').length === 3")
    chosen = page.locator(".board-round.is-chosen")
    assert "网格外 60 分钟" in chosen.inner_text()
    assert chosen.locator(".board-strip i.is-away").count() == 1
    assert page.locator(".board-round").nth(2).locator(".board-strip i.is-unknown").count() == 1
    assert f"grid={drawing.ids[0]}" in page.url
    href = chosen.locator(".board-people a").first.get_attribute("href")
    assert href == f"/workers/sheet?worker=w1&day={DAY}"
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=str(OUT / "board-day.png"))
    page.keyboard.press("Escape")
    until(page, "document.getElementById('board-evidence').hidden")


def test_new_data_leaves_scroll_and_selection_alone(
    page: Page, served: Served, drawing: Any
) -> None:
    page.set_viewport_size({"width": 1280, "height": 430})
    open_board(page, served, f"grid={drawing.ids[5]}")
    until(page, "document.querySelector('.board-round')")
    table = "window.wangge.board.table.api"
    page.evaluate(f"{table}.ensureIndexVisible(7, 'top')")
    until(page, f"{table}.getVerticalPixelRange().top > 0")
    top = page.evaluate(f"{table}.getVerticalPixelRange().top")
    before = page.evaluate("window.wangge.board.day.mark")
    was = served.wall.at
    try:
        served.wall.at = was + timedelta(minutes=5)
        # A fix comes late, so the day is another one.
        moment = pd.Timestamp(f"{DAY} 18:30:05", tz="Asia/Shanghai").tz_convert("UTC")
        fix = pd.DataFrame({"worker_id": ["w1"], "time": [moment], "lon": [114.3031]})
        workspace = served.store.workspace
        with workspace.writing() as conn:
            workspace.append(conn, "fixes", fix.assign(lat=30.5031))
        for _ in range(600):
            page.evaluate("window.wangge.board.load()")
            page.wait_for_timeout(250)
            if page.evaluate("window.wangge.board.day.mark") != before:
                break
        assert page.evaluate("window.wangge.board.day.mark") != before
        assert page.evaluate(f"{table}.getVerticalPixelRange().top") == top
        until(page, f"{table}.getSelectedRows().map((row) => row.id)[0] === '{drawing.ids[5]}'")
    finally:
        served.wall.at = was


def test_a_month_leads_to_the_day(page: Page, served: Served, patrolled: Any) -> None:
    page.goto(f"{served.address}/workers/board?view=month&month=2026-11&level=community")
    until(page, "document.querySelectorAll('.board-heat.is-1, .board-heat.is-6').length")
    until(page, "document.getElementById('board-progress').childElementCount === 0")
    assert page.locator(".ag-center-cols-container .board-hatch").count() >= 1
    page.screenshot(path=str(OUT / "board-month.png"))
    page.click(".ag-center-cols-container .ag-row[row-index='0'] [col-id='d-19']")
    until(page, "document.querySelector('#board-table .board-state')")
    assert f"day={DAY}" in page.url
    assert "unit=420102001001" in page.url
    assert total_row(page)["required"] == 18


def test_people_are_compared_by_shares(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/workers/board?view=people&month=2026-11")
    until(page, "document.querySelectorAll('.board-bar-cell').length")
    assert "不排名次" in page.inner_text("#board-foot")
    assert "次数太少" in page.inner_text("#board-table")


def test_a_leader_sees_minutes_and_no_people(browser: Chromium, served: Served) -> None:
    page = as_role(browser, "leader")
    open_board(page, served)
    page.click(".board-state.is-missed")
    until(page, "document.querySelectorAll('.board-round').length === 3")
    aside = page.inner_text("#board-evidence")
    assert "不明" in aside
    assert "王小明" not in aside
    assert page.locator("#board-evidence a").count() == 0
    page.close()


def test_the_keyboard_opens_the_evidence(page: Page, served: Served) -> None:
    open_board(page, served)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "board-q"
    page.click("#board-table .ag-row[row-index='2'] [col-id='people']")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    until(page, "!document.getElementById('board-evidence').hidden")


def test_the_sheet_prints_on_one_to_three_pages_without_the_page_around_it(
    page: Page, served: Served
) -> None:
    page.goto(f"{served.address}/workers/sheet?worker=w1&day={DAY}")
    until(page, "document.querySelector('.sheet')")
    page.emulate_media(media="print")
    for hidden in (".inc-top", ".ws-tabs", ".sheet-bar"):
        assert not page.locator(hidden).is_visible()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    data = page.pdf(prefer_css_page_size=True, print_background=True)
    pages = len(re.findall(rb"/Type\s*/Page[^s]", data))
    assert 1 <= pages <= 3
    assert re.search(rb"/MediaBox\s*\[0 0 59[45]\S* 84[12]", data)
    assert b"CJK" in data or b"Noto" in data
    page.emulate_media(media="screen")
    page.screenshot(path=str(OUT / "sheet.png"))


def test_a_sheet_goes_from_day_to_day_and_says_who_may_not(
    page: Page, browser: Chromium, served: Served
) -> None:
    page.goto(f"{served.address}/workers/sheet?worker=w1&day={DAY}")
    until(page, "document.querySelector('.sheet')")
    page.click("#sheet-before")
    until(page, "document.querySelector('.sheet-date')?.textContent.includes('11月19日')")
    assert "day=2026-11-19" in page.url
    other = as_role(browser, "leader")
    other.goto(f"{served.address}/workers/sheet?worker=w1&day={DAY}")
    until(other, "document.documentElement.dataset.sheet === 'shares'")
    assert other.locator(".sheet").count() == 0
    assert "不查看个人轨迹" in other.inner_text("#sheet-place")
    other.close()


def test_the_board_speaks_english_at_twice_the_size(browser: Chromium, served: Served) -> None:
    page = as_role(browser, "grid_head", width=3840, height=2160)
    open_board(page, served, f"day={DAY}&lang=en")
    until(page, "document.querySelector('#board-table .ag-header').innerText.includes('Missed')")
    assert page.inner_text("#board-chip-unknown").startswith("unknown")
    page.screenshot(path=str(OUT / "board-3840-en.png"))
    page.close()
