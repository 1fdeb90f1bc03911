"""The planner in a real Chromium, driven by the mouse, by touch and by keys.

After each run the plan that the server saved is held against slow rules. Nothing may be asked of
another host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browsers import PATIENCE_MS, Chromium, serving
from playwright.sync_api import BrowserContext, Page, Request, WebError

from dashboards.app import create_app
from dashboards.plan_desk import desk_of
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.planbook import PlanBook
from geo.io.workspace import create_workspace

pytestmark = pytest.mark.browser

OUT = Path(__file__).resolve().parents[2] / "out"
PERSON = """if (location.protocol === "http:") localStorage.setItem("wangge-person",
  JSON.stringify({by: "%s", name: "%s", role: "planner", worker_id: null}))"""


class City:
    """The served city, and plans begun in it."""

    def __init__(self, address: str, store: Store, quarters: Any, at: Any) -> None:
        self.address, self.store, self.quarters, self.at = address, store, quarters, at

    @property
    def book(self) -> PlanBook:
        return desk_of(self.store).book

    def begin(self, by: str = "甲") -> str:
        return self.book.create("试", by, self.at)

    def grid_of(self, plan_id: str, grid: int, quarter: int) -> str:
        """The grid that a block is in, in the saved plan."""
        opened = self.quarters.require_sound(self.book, plan_id)
        return str(opened.plan.assignment[self.quarters.id(grid, quarter)])


@pytest.fixture(scope="module")
def city(drawing: Any, quarters: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with create_workspace(tmp_path_factory.mktemp("planner") / "city") as workspace:
        drawing.fill(workspace)
        quarters.add(workspace)
        store = Store(workspace, Settings(), clock=lambda: drawing.at)
        app = create_app(store.settings, store)
        store.snapshot()
        with serving(app) as address:
            yield City(address, store, quarters, drawing.at)


@contextmanager
def person(
    browser: Chromium, city: City, by: str = "甲", **options: Any
) -> Iterator[BrowserContext]:
    """A browser of somebody, whose every request and error is looked at in the end."""
    asked: list[str] = []
    errors: list[str] = []

    def ask(request: Request) -> None:
        asked.append(request.url)

    def fail(error: WebError) -> None:
        errors.append(str(error.error))

    viewport = {"width": 1440, "height": 900}
    with browser.borrow(PERSON % (by, by), viewport=viewport, **options) as context:
        context.on("request", ask)
        context.on("weberror", fail)
        yield context
        context.remove_listener("request", ask)
        context.remove_listener("weberror", fail)
    assert not [url for url in asked if not url.startswith((city.address, "data:", "blob:"))]
    assert not errors


def until(page: Page, script: str) -> Any:
    """Poll, because the page's own policy forbids what `wait_for_function` does."""
    for _ in range(PATIENCE_MS // 50):
        found = page.evaluate(script)
        if found:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {script}\n{page.inner_text('body')[:600]}")


READY = """document.documentElement.dataset.planner === "ready"
  && document.documentElement.dataset.planMap === "ready"
  && wangge.plan.gl.frames > 0 && !wangge.s.map.isMoving() && wangge.s.map.loaded()"""
"""Once all is loaded plotly puts the map in its first place again: a hand waits for that."""
SAVED = "wangge.plan.waiting() === 0 && !wangge.plan.stroke"


def open_plan(context: BrowserContext, city: City, plan_id: str) -> Page:
    page = context.new_page()
    page.goto(f"{city.address}/planner?plan={plan_id}")
    until(page, READY)
    return page


def at(page: Page, city: City, grid: int, quarter: int) -> tuple[float, float]:
    """Where the middle of a block is on the screen."""
    lon, lat = city.quarters.middle(grid, quarter)
    x, y = page.evaluate(
        """([lon, lat]) => { const p = wangge.plan.project(lon, lat);
        const box = document.querySelector(".map-canvas").getBoundingClientRect();
        return [p.x + box.left, p.y + box.top]; }""",
        [lon, lat],
    )
    return x, y


def drag(page: Page, *places: tuple[float, float], steps: int = 8) -> None:
    """Press at the first place, go by all the others; the button stays down."""
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)


def test_a_stroke_of_the_brush_shows_totals_and_is_saved_and_undone(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id = city.begin()
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        page.keyboard.press("b")
        drag(page, at(page, city, 0, 1), at(page, city, 1, 0))
        figures = page.inner_text("#plan-figures")
        assert "东湖第0网格" in figures
        assert "50" in figures
        assert "+10" in figures
        assert "30" in figures
        # Nothing is sent before the hand lets go.
        assert city.book.open(plan_id).seq == 0
        page.mouse.up()
        until(page, f"{SAVED} && wangge.plan.s.seq === 1")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[0]
        assert page.inner_text("#plan-saved") == "已保存"
        OUT.mkdir(exist_ok=True)
        page.screenshot(path=str(OUT / "planner.png"))
        page.keyboard.press("Control+z")
        until(page, f"{SAVED} && wangge.plan.s.seq === 2")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[1]
        page.keyboard.press("Control+Shift+Z")
        until(page, f"{SAVED} && wangge.plan.s.seq === 3")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[0]
        # The history can be clicked through.
        page.click("[data-tab=history]")
        until(page, "document.querySelector('[data-step=\"0\"]')")
        page.click("[data-step='0']")
        until(page, f"{SAVED} && wangge.plan.s.seq === 4")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[1]


def test_what_a_stroke_cuts_off_is_offered_to_come_along(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id = city.begin()
    ids = drawing.ids
    city.book.append(
        plan_id, edit_id="first", by="甲", on_seq=0, at=city.at,
        edit={"do": "paint", "blocks": [city.quarters.id(4, 3)], "grid": ids[5]},
    )  # fmt: skip
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        page.keyboard.press("b")
        drag(page, at(page, city, 0, 2), at(page, city, 4, 0))
        page.mouse.up()
        until(page, "wangge.plan.asking()")
        assert "断开 1 块" in page.inner_text("#plan-ask")
        assert city.book.open(plan_id).seq == 1
        # The first button has the focus, so a key is enough.
        page.keyboard.press("Enter")
        until(page, f"{SAVED} && wangge.plan.s.seq === 2")
        assert [city.grid_of(plan_id, 4, q) for q in range(4)] == [ids[0], ids[4], ids[0], ids[5]]
        # And the other way out leaves all as it was.
        drag(page, at(page, city, 8, 0), at(page, city, 4, 2), at(page, city, 0, 2))
        page.keyboard.press("Escape")
        until(page, SAVED)
        assert page.evaluate("wangge.plan.s.seq") == 2
        city.grid_of(plan_id, 0, 0)


def test_a_lasso_gives_blocks_to_the_chosen_grid_and_leaves_other_communities(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id = city.begin()
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        page.mouse.click(*at(page, city, 0, 0))
        until(page, "wangge.plan.selected().length === 1")
        page.keyboard.press("l")
        # Around the two lower quarters of grid 1 and the first of grid 2, which is elsewhere.
        (x1, y1), (x2, y2) = at(page, city, 1, 0), at(page, city, 2, 0)
        step = abs(at(page, city, 1, 0)[0] - at(page, city, 1, 1)[0]) * 0.4
        drag(
            page, (x1 - step, y1 - step), (x2 + step, y1 - step), (x2 + step, y2 + step),
            (x1 - step, y1 + step), (x1 - step, y1 - step + 2),
        )  # fmt: skip
        page.mouse.up()
        until(page, f"{SAVED} && wangge.plan.s.seq === 1")
        assert "在别的社区" in page.inner_text("#plan-say")
        grids = [
            city.grid_of(plan_id, 1, 0),
            city.grid_of(plan_id, 1, 1),
            city.grid_of(plan_id, 2, 0),
        ]
        assert grids == [drawing.ids[0], drawing.ids[0], drawing.ids[2]]


def test_keys_alone_move_the_cross_and_paint(browser: Chromium, city: City, drawing: Any) -> None:
    plan_id = city.begin()
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        lon, lat = city.quarters.middle(0, 1)
        page.evaluate("(at) => { wangge.s.map.jumpTo({center: at}); }", [lon, lat])
        page.keyboard.press("b")
        until(page, "wangge.plan.current() === 'brush'")
        page.evaluate("wangge.plan.focusMap()")
        page.keyboard.down(" ")
        until(page, "wangge.plan.stroke")
        for _ in range(200):
            if page.evaluate("wangge.plan.stroke.from.size"):
                break
            page.keyboard.press("ArrowRight")
        page.keyboard.up(" ")
        until(page, f"{SAVED} && wangge.plan.s.seq === 1")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[0]


def test_a_page_closed_while_the_line_is_cut_loses_nothing(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id = city.begin()
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        page.keyboard.press("b")
        context.set_offline(True)
        drag(page, at(page, city, 0, 1), at(page, city, 1, 0))
        page.mouse.up()
        until(page, "document.documentElement.dataset.planSaved === 'offline'")
        assert page.inner_text("#plan-saved") == "离线，1 处修改已存在本机"
        # In the middle of the next stroke the page goes away.
        drag(page, at(page, city, 8, 1), at(page, city, 9, 0))
        page.close(run_before_unload=False)
        context.set_offline(False)
        assert city.book.open(plan_id).seq == 0
        page = open_plan(context, city, plan_id)
        until(page, f"{SAVED} && wangge.plan.s.seq >= 1")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[0]
        assert page.evaluate(
            "Object.keys(localStorage).filter((k) => k.startsWith('wangge.plan.out.')).length"
        ) == 0  # fmt: skip


def test_a_second_planner_sees_the_edits_of_the_first_and_both_are_kept(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id, ids = city.begin(), drawing.ids
    with person(browser, city) as one, person(browser, city, "乙") as two:
        first, second = open_plan(one, city, plan_id), open_plan(two, city, plan_id)
        for page in (first, second):
            page.keyboard.press("b")
        two.set_offline(True)
        drag(first, at(first, city, 0, 1), at(first, city, 1, 0))
        first.mouse.up()
        until(first, f"{SAVED} && wangge.plan.s.seq === 1")
        # Meanwhile the second paints the same block otherwise, and another that nobody touches.
        drag(second, at(second, city, 5, 0), at(second, city, 1, 2), at(second, city, 1, 0))
        second.mouse.up()
        drag(second, at(second, city, 11, 0), at(second, city, 10, 1))
        second.mouse.up()
        until(second, "wangge.plan.waiting() === 2")
        two.set_offline(False)
        until(second, f"{SAVED} && wangge.plan.s.seq === 3")
        assert until(second, "wangge.plan.s.conflicts.length") == 1
        assert city.grid_of(plan_id, 1, 0) == ids[0]
        assert city.grid_of(plan_id, 10, 1) == ids[11]
        # A new name is asked for until it is one; the other planner hears of it.
        second.click("#plan-rename")
        for wrong, word in (("  ", "不能为空"), ("长" * 101, "最长 100")):
            second.fill("#plan-name", wrong)
            second.press("#plan-name", "Enter")
            assert word in second.inner_text("#plan-name-wrong")
        second.press("#plan-name", "Escape")
        assert second.inner_text("#plan-chooser b") == "试"
        second.click("#plan-rename")
        second.fill("#plan-name", " 新 名 ")
        second.press("#plan-name", "Enter")
        until(second, "document.querySelector('#plan-chooser b').textContent === '新 名'")
        until(first, "document.querySelector('#plan-chooser b').textContent === '新 名'")
        # The first hears of it by itself, shows both wishes, and takes the second's.
        until(first, "wangge.plan.s.conflicts.length === 1 && wangge.plan.s.seq === 3")
        first.click("[data-tab=history]")
        text = first.inner_text(".plan-conflict")
        assert "乙" in text
        assert "甲" in text
        assert first.evaluate("wangge.plan.marks.reduce((n, m) => n + (m & 4 ? 1 : 0), 0)") >= 1
        first.click(".plan-conflict .is-main")
        until(first, "wangge.plan.s.conflicts.length === 0")
        assert city.grid_of(plan_id, 1, 0) == ids[5]
        until(second, "wangge.plan.s.conflicts.length === 0")


def test_the_table_is_the_twin_of_the_map(browser: Chromium, city: City, drawing: Any) -> None:
    plan_id = city.begin()
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        until(page, "document.querySelectorAll('#plan-rows [role=row]').length === 12")
        assert "12 / 12 个网格，共 480 户" in page.inner_text("#plan-count")
        page.fill("#plan-search", drawing.ids[7])
        until(page, "document.querySelectorAll('#plan-rows [role=row]').length === 1")
        page.click("#plan-rows [role=row]")
        until(page, "wangge.plan.selected().length === 1 && !wangge.s.map.isMoving()")
        grid = page.evaluate("wangge.plan.s.grids[wangge.plan.selected()[0]].id")
        assert grid == drawing.ids[7]
        assert f"grid={grid}" in page.url
        lon, lat = page.evaluate("wangge.s.map.getCenter().toArray()")
        assert abs(lon - drawing.middle(7)[0]) < 2e-3
        assert abs(lat - drawing.middle(7)[1]) < 2e-3
        # Every grid has fewer than 200 households here.
        page.fill("#plan-search", "")
        page.click("[data-filter=low]")
        assert page.inner_text("[data-filter=low] b") == "12"


def test_two_fingers_move_the_map_and_one_draws(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id = city.begin()
    with person(browser, city, has_touch=True) as context:
        page = open_plan(context, city, plan_id)
        page.evaluate("wangge.plan.use('brush')")
        cdp = context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            cdp.send(
                "Input.dispatchTouchEvent",
                {"type": kind, "touchPoints": [
                    {"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]},
            )  # fmt: skip

        (x1, y1), (x2, y2) = at(page, city, 0, 1), at(page, city, 1, 0)
        touch("touchStart", (x1, y1))
        for k in range(1, 7):
            touch("touchMove", (x1 + (x2 - x1) * k / 6, y1 + (y2 - y1) * k / 6))
        touch("touchEnd")
        until(page, f"{SAVED} && wangge.plan.s.seq === 1")
        assert city.grid_of(plan_id, 1, 0) == drawing.ids[0]
        # Two fingers side by side carry the map along, and paint nothing.
        where = "[...wangge.s.map.getCenter().toArray(), wangge.s.map.getZoom()]"
        before = page.evaluate(where)
        touch("touchStart", (x1, y1))
        touch("touchStart", (x1, y1), (x1 + 120, y1))
        for k in range(1, 9):
            touch("touchMove", (x1 + 15 * k, y1), (x1 + 120 + 15 * k, y1))
        touch("touchEnd")
        until(page, f"wangge.s.map.getCenter().lng < {before[0]!r}")
        # Apart, they look nearer; what the first finger had begun was left.
        until(page, "!wangge.s.map.isMoving()")
        before = page.evaluate(where)
        touch("touchStart", (x1, y1))
        touch("touchStart", (x1, y1), (x1 + 60, y1))
        for k in range(1, 9):
            touch("touchMove", (x1 - 10 * k, y1), (x1 + 60 + 10 * k, y1))
        touch("touchEnd")
        until(page, f"wangge.s.map.getZoom() > {before[2]!r} + 0.5")
        until(page, f"{SAVED} && !wangge.s.map.isMoving()")
        assert page.evaluate("wangge.plan.s.seq") == 1


STATE = """() => { const p = wangge.plan, g = p.g, s = p.s;
  const list = (values) => Array.from(values);
  return {n: g.n, ids: g.ids, bounds: g.bounds, seq: s.seq, blocks: s.blocks.n,
    ...Object.fromEntries(["ring", "ringStart", "blockRing", "head", "of", "twin", "vertices",
      "fixed", "x", "y", "households", "people", "community", "area", "perimeter", "box", "middle",
      "start", "other", "shared", "cellStart", "cellBlock"].map((k) => [k, list(g[k])])),
    label: list(s.label), marks: list(p.marks), rows: [...s.blockRows].sort(),
    grids: s.grids.map(({tone, ...rest}) => rest), locked: s.lockedEdges}; }"""


def test_what_cuts_blocks_is_put_in_place_and_is_what_a_fresh_load_shows(
    browser: Chromium, city: City, drawing: Any
) -> None:
    plan_id = city.begin()
    west, south = city.quarters.middle(0, 0)
    with person(browser, city) as context:
        page = open_plan(context, city, plan_id)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.evaluate("(id) => wangge.plan.select([wangge.plan.s.rows.get(id)])", drawing.ids[1])
        view = "[...wangge.s.map.getCenter().toArray(), wangge.s.map.getZoom()]"
        before = page.evaluate(view)

        def send(edit: dict[str, Any]) -> None:
            told = page.evaluate("(edit) => wangge.plan.send(edit, {quiet: true})", edit)
            assert told["ok"], (edit, told)

        def same_as_fresh() -> None:
            patched = page.evaluate(f"({STATE})()")
            # The accents, levels and textures of the map are long enough for what is there.
            until(page, "wangge.plan.gl.level && wangge.plan.gl.level.built")
            assert page.evaluate("wangge.plan.gl.at.length") == 2 * len(patched["x"])
            assert not [url for url in asked if "/topo" in url or "/state" in url]
            page.evaluate("(id) => wangge.plan.load(id)", plan_id)
            fresh = page.evaluate(f"({STATE})()")
            for name, values in fresh.items():
                assert patched[name] == values, name
            asked.clear()

        across = [[west + 0.0002, south - 0.002], [west + 0.0002, south + 0.004]]
        send({"do": "split", "grid": drawing.ids[0], "line": across, "through": True, "name": None})
        assert page.evaluate("wangge.plan.g.n") > 48
        assert page.evaluate("wangge.plan.selected().length") == 1
        assert page.evaluate(view) == before
        same_as_fresh()
        # A corner more on a border between two grids, moved along, and one that goes again.
        edge = """(([e]) => ({do: 'insert', xy: null, tail: wangge.plan.g.ring[e],
          head: wangge.plan.g.head[e]}))(Array.from(wangge.plan.g.ring.keys()).filter((e) => {
            const g = wangge.plan.g, j = g.twin[e];
            return j >= 0 && g.community[g.of[e]] === g.community[g.of[j]]
              && wangge.plan.s.label[g.of[e]] !== wangge.plan.s.label[g.of[j]]; }))"""
        send(page.evaluate(edge))
        last = page.evaluate("wangge.plan.g.x.length - 1")
        send({"do": "remove", "vertex": last})
        area = [
            [lon, lat]
            for lon, lat in zip(*(
                [west + 0.0003 + 0.0029 * x for x in (0, 1, 1, 0, 0)],
                [south + 0.0023 + 0.0012 * y for y in (0, 0, 1, 1, 0)],
            ), strict=True)
        ]  # fmt: skip
        send({"do": "cut_out", "area": area, "name": "专属", "through": True, "kind": "dedicated"})
        same_as_fresh()
        # All of it back, one after the other, each by what differs.
        for _ in range(4):
            assert page.evaluate("wangge.plan.undo()")["ok"]
        assert page.evaluate("wangge.plan.g.n") == 48
        same_as_fresh()
        city.grid_of(plan_id, 0, 0)
