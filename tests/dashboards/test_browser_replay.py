"""The replay in a real Chromium: play, follow, ask who passed; no dots without the right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from browsers import Chromium, Watch, serving, until
from playwright.sync_api import Page

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import create_workspace

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[1] / "out"
MIDNIGHT = datetime(2026, 11, 20, tzinfo=ZoneInfo("Asia/Shanghai"))
EIGHT = 8 * 3600
DAY = "/workers?day=2026-11-20&t=08:01:00"
R = "wangge.workers.replay"


def patrols(drawing: Any) -> pd.DataFrame:
    """w1 walks east through the lowest row from 08:00 to 08:20; w2 falls silent at 08:00."""
    (west, south), (east, _) = drawing.middle(0), drawing.middle(3)
    seconds = [*range(EIGHT, EIGHT + 1201, 30), EIGHT, EIGHT + 3600]
    share = np.linspace(0, 1, 41)
    return pd.DataFrame(
        {
            "worker_id": ["w1"] * 41 + ["w2"] * 2,
            "time": pd.DatetimeIndex([MIDNIGHT + timedelta(seconds=s) for s in seconds])
            .tz_convert("UTC"),
            "lon": [*(west + (east - west) * share), *[drawing.middle(5)[0]] * 2],
            "lat": [*[south] * 41, *[drawing.middle(5)[1]] * 2],
            "accuracy_m": 5.0,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def address(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with create_workspace(tmp_path_factory.mktemp("replay-page") / "city") as workspace:
        drawing.fill(workspace)
        workspace.seal_fixes(patrols(drawing), timezone="Asia/Shanghai")
        settings = Settings(track_roles="shift_leader")
        store = Store(workspace, settings, clock=lambda: drawing.at)
        with serving(create_app(settings, store)) as found:
            yield found


@dataclass
class Screen:
    """A page, what it complained of, and where it asked."""

    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, path: str) -> Screen:
        self.page.goto(self.address + path)
        self.until("document.documentElement.dataset.replay === 'ready' && !!wangge.s.map")
        return self

    def until(self, script: str) -> Any:
        return until(self.page, script)

    def query(self) -> dict[str, str]:
        told = parse_qs(urlparse(self.page.evaluate("window.location.href")).query)
        return {name: values[0] for name, values in told.items()}


@pytest.fixture
def screen(browser: Chromium, address: str, request: Any) -> Iterator[Screen]:
    """A desk, and who sits at it."""
    role = getattr(request, "param", "shift_leader")
    script = ""
    if role:
        person = json.dumps({"by": "d1", "role": role, "worker_id": None, "name": "周主任"})
        script = f"localStorage.setItem('wangge-person', {json.dumps(person)})"
    watch = Watch()
    page = watch.over(browser.new_page(script))
    yield Screen(page, address, watch.troubles, watch.asked)
    page.close()
    assert not watch.troubles
    assert not [url for url in watch.asked if not url.startswith((address, "blob:", "data:"))]


def test_time_runs_and_workers_move_with_it(screen: Screen) -> None:
    screen.open(DAY)
    screen.until(f"{R}.draw.seen === 2 && {R}.draw.silent === 0")  # a fix holds for a minute
    before = screen.until(f"{R}.draw.placeOf(0)")
    screen.page.keyboard.press("Space")
    screen.until(f"{R}.t > {EIGHT + 120}")
    screen.page.keyboard.press("Space")
    after = screen.until(f"{R}.draw.placeOf(0)")
    assert after["x"] > before["x"]
    assert after["y"] == pytest.approx(before["y"], abs=1e-9)
    assert screen.until(f"{R}.draw.silent === 1")
    # Whole seconds: a moment after 08:02:00 is still 08:02:00 there.
    assert screen.query()["t"] >= "08:02:00"
    SHOTS.mkdir(exist_ok=True)
    screen.page.screenshot(path=SHOTS / "workers-replay.png")


def test_a_worker_is_where_the_fixes_say_at_a_moment(screen: Screen, drawing: Any) -> None:
    """At 08:10 w1 is in the middle between the middles of grids 0 and 3."""
    screen.open("/workers?day=2026-11-20&t=08:10:00")
    place = screen.until(f"{R}.draw.placeOf(0)")
    middle = (drawing.middle(0)[0] + drawing.middle(3)[0]) / 2
    assert place["x"] * 360 - 180 == pytest.approx(middle, abs=2e-6)


def test_one_is_picked_from_the_list_and_followed(screen: Screen) -> None:
    screen.open(DAY)
    screen.page.fill("#replay-search", "小明")
    screen.page.click("button[data-worker=w1]")
    screen.until(
        "document.querySelector('#replay-picked .rp-where').textContent.includes('第0网格')"
    )
    assert screen.query()["worker"] == "w1"
    sheet = screen.page.get_attribute("#replay-picked a", "href") or ""
    assert parse_qs(urlparse(sheet).query)["day"] == ["2026-11-20"]
    screen.page.evaluate(f"{R}.seek({EIGHT + 1100})")
    screen.until(
        "document.querySelector('#replay-picked .rp-where').textContent.includes('第3网格')"
    )
    screen.page.focus("#replay-list button")
    screen.page.keyboard.press("Escape")
    screen.until(f"!{R}.followed")
    assert "worker" not in screen.query()


def test_keys_move_the_clock_and_change_the_speed(screen: Screen) -> None:
    screen.open(DAY)
    screen.page.keyboard.press("ArrowRight")
    screen.page.keyboard.press("Shift+ArrowRight")
    assert screen.page.inner_text("#replay-clock") == "08:12:00"
    screen.page.keyboard.press("ArrowUp")
    assert screen.page.get_attribute('[data-speed="120"]', "aria-pressed") == "true"
    screen.page.keyboard.press("/")
    assert screen.page.evaluate("document.activeElement.id") == "replay-search"


def test_an_area_by_two_clicks_says_who_passed(screen: Screen, drawing: Any) -> None:
    screen.open(DAY)
    screen.page.click("#replay-tab-passed")
    screen.page.click('[data-draw="box"]')
    lon, lat = drawing.middle(1)
    for east, north in ((-0.0005, -0.0005), (0.0005, 0.0005)):
        point = screen.page.evaluate(
            f"(() => {{ const p = wangge.s.map.project([{lon + east}, {lat + north}]);"
            " const b = wangge.s.map.getContainer().getBoundingClientRect();"
            " return [p.x + b.left, p.y + b.top]; })()"
        )
        screen.page.mouse.click(*point)
        screen.page.wait_for_timeout(350)  # two clicks in a row would be a double click
    screen.until("document.querySelectorAll('#replay-passed-result tbody tr').length === 1")
    row = screen.page.inner_text("#replay-passed-result tbody tr")
    assert "王小明" in row
    assert "08:05:00" in row
    assert screen.query()["area"].startswith("box:")
    screen.until("!!document.querySelector('.rp-unknown')")
    screen.page.fill("#replay-from", "09:00")
    screen.page.press("#replay-from", "Enter")
    screen.until("!document.querySelector('#replay-passed-result tbody tr')")


def test_an_area_of_the_address_is_asked_at_once(screen: Screen, drawing: Any) -> None:
    screen.open(f"{DAY}&area=grid:{drawing.ids[2]}&from=08:00&to=09:00")
    screen.until("document.querySelectorAll('#replay-passed-result tbody tr').length === 1")


@pytest.mark.parametrize("screen", ["handler"], indirect=True)
def test_who_has_no_right_sees_counts_and_the_reason_but_no_dots(screen: Screen) -> None:
    screen.open(DAY)
    screen.until("document.querySelectorAll('#replay-list tbody tr').length === 5")
    assert "轨迹" in screen.page.inner_text("#replay-picked")
    assert not [url for url in screen.asked if "/replay/slice" in url or "/replay/track" in url]
    assert screen.page.evaluate(f"{R}.day.people.length") == 0


def test_a_day_without_positions_says_so_and_leads_to_one_that_has_some(screen: Screen) -> None:
    screen.open("/workers?day=2026-10-01")
    screen.until("!document.getElementById('replay-state').hidden")
    screen.page.click("#replay-state button")
    screen.until(f"{R}.day && {R}.day.fixes > 0")
    assert screen.query()["day"] == "2026-11-20"


def test_the_page_speaks_english_and_the_night_is_dark(screen: Screen) -> None:
    screen.open(DAY + "&lang=en")
    assert screen.page.inner_text("#replay-tab-passed").startswith("Who passed")
    screen.page.click("#incidents-night")
    screen.until("document.documentElement.dataset.replay === 'ready' && !!wangge.s.map")
    assert not screen.page.evaluate("document.documentElement.classList.contains('mood-day')")


def test_a_server_that_fails_is_told_and_what_is_here_stays(screen: Screen) -> None:
    screen.open(DAY)
    screen.until(f"{R}.draw.seen === 2")
    screen.page.route("**/replay/slice**", lambda route: route.abort())
    screen.page.evaluate(f"{R}.seek({20 * 3600})")
    screen.until("document.getElementById('replay-state').innerText.length > 5")
    screen.page.unroute("**/replay/slice**")
    screen.page.evaluate(f"{R}.seek({EIGHT + 7200})")
    screen.until("document.getElementById('replay-state').hidden")
