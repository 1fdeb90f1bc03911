"""The panel on a worker's phone that says who looked at his track, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from browsers import PATIENCE_MS, Chromium, Watch, serving
from playwright.sync_api import Page, expect

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.track_rights import Viewer, note_look
from geo.io.workspace import create_workspace

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[1] / "out"
PHONE = {"width": 390, "height": 844}


@dataclass
class City:
    address: str
    store: Store


@pytest.fixture(scope="module")
def city(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The drawn city, served; d1 and others looked at w1, nobody at w3 alone."""
    with create_workspace(tmp_path_factory.mktemp("phone") / "city") as workspace:
        drawing.fill(workspace)
        at = drawing.at
        midnight = at.replace(hour=16, minute=0, second=0) - timedelta(days=2)
        for minutes, by, role, whose, span, screen in (
            (900, "d1", "inspector", "w1", (midnight, midnight + timedelta(days=1)), "sheet"),
            (300, "周主任", "shift_leader", "w1", (at - timedelta(hours=7), at), "follow"),
            (60, "w1", "grid_worker", "w1", (at - timedelta(hours=6), at), "sheet"),
        ):
            then = at - timedelta(minutes=minutes)
            before = Store(workspace, Settings(), clock=lambda then=then: then)
            note_look(before, Viewer(by, role), whose, *span, screen)
        store = Store(workspace, Settings(), clock=lambda: at)
        with serving(create_app(store.settings, store)) as address:
            yield City(address, store)


@pytest.fixture
def phone(browser: Chromium, city: City) -> Iterator[Any]:
    """Open `/worker` as somebody; what the page complained of is looked at in the end."""
    expect.set_options(timeout=PATIENCE_MS)
    watch = Watch()
    opened: list[Page] = []

    def open_as(worker: str | None, query: str = "", cut: str | None = None) -> Page:
        script = ""
        if worker:
            person = {"by": worker, "role": "grid_worker", "worker_id": worker, "name": worker}
            script = f"localStorage['wangge-person'] = {json.dumps(json.dumps(person))}"
        page = browser.new_page(
            script, viewport=PHONE, reduced_motion="reduce", device_scale_factor=2
        )
        opened.append(watch.over(page))
        if cut:
            page.route(cut, lambda route: route.abort())
        page.goto(f"{city.address}/worker{query}")
        return page

    yield open_as
    for page in opened:
        page.close()
    assert watch.troubles == []


def test_nobody_looked_is_said_in_one_line(phone: Any) -> None:
    page = phone("w3")
    expect(page.locator("#worker-looks-count")).to_have_text("近 30 天没有人查看过")
    page.locator("#worker-looks > summary").click()
    expect(page.locator("#worker-looks-list .inc-empty")).to_have_text("近 30 天没有人查看过")
    page.screenshot(path=SHOTS / "worker-looks-none.png")


def test_a_worker_reads_who_looked_as_what_when_and_at_which_span(phone: Any) -> None:
    page = phone("w1")
    expect(page.locator("#worker-looks-count")).to_have_text("近 30 天 3 次")
    page.locator("#worker-looks > summary").click()
    rows = page.locator(".wk-look-list > li")
    expect(rows).to_have_count(3)
    told = [" ".join(text.split()) for text in rows.all_inner_texts()]
    assert told[0].startswith("本人（网格员） 13:09 单人日报：我的轨迹，08:09 至 14:09")
    assert told[1].startswith("周主任（值班长） 09:09 跟随查看：我的轨迹，07:09 至 14:09")
    assert told[2].startswith("d1（核查员） 11-20 23:09 单人日报：我的轨迹，11-20 全天")
    expect(page.locator("#worker-looks-list .inc-warning")).to_contain_text("没有登录")
    page.screenshot(path=SHOTS / "worker-looks.png", full_page=True)
    page.locator(".wk-facts > summary").click()
    expect(page.locator(".wk-facts li").first).to_contain_text("07:00至21:00")
    page.screenshot(path=SHOTS / "worker-looks-facts.png", full_page=True)


def test_the_panel_fits_the_phone_and_is_large_enough_for_a_thumb(phone: Any) -> None:
    page = phone("w1", "?lang=en")
    expect(page.locator("#worker-looks-count")).to_have_text("3 in the last 30 days")
    page.locator("#worker-looks > summary").click()
    assert page.locator("#worker-looks > summary").bounding_box()["height"] >= 44
    assert page.locator(".wk-facts > summary").bounding_box()["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.screenshot(path=SHOTS / "worker-looks-en.png", full_page=True)


def test_without_a_name_the_panel_asks_for_one_and_then_shows_that_workers(phone: Any) -> None:
    page = phone(None)
    expect(page.locator("#worker-looks-list")).to_have_text(
        "请先选择“我是谁”。", use_inner_text=False
    )
    page.locator(".inc-dialog input[type=search]").fill("王小明")
    page.locator(".inc-person", has_text="王小明").first.click()
    expect(page.locator("#worker-looks-count")).to_have_text("近 30 天 3 次")


def test_a_server_that_does_not_answer_is_no_empty_list(phone: Any) -> None:
    page = phone("w1", cut="**/tracks/looks*")
    page.locator("#worker-looks > summary").click()
    expect(page.locator("#worker-looks-list .inc-empty")).not_to_contain_text("没有人")
    expect(page.locator("#worker-looks-list .inc-empty")).not_to_contain_text("我是谁")
