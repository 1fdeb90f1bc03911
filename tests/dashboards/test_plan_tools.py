"""Every tool of the planner with mouse, keys and a finger; after each, the saved plan is checked.

The drawn city of twelve grids (see conftest), each of nine blocks, numbered so within a grid:

    6 7 8      block ids are grid row + "-" + number, say 5-4 for the middle of grid 5;
    3 4 5      every block has 20 households and 50 people, but 1-4, whose 20 live in one house
    0 1 2      in its eastern third. A street runs 6 m north of the line between grids 1 and 5;
               another enters grid 6 in the middle of its south, turns in its middle, leaves east.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
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
from geo.io.workspace import Workspace, create_workspace
from geo.plan import Plan

pytestmark = pytest.mark.browser

ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000
PERSON = """localStorage.setItem("wangge-person", JSON.stringify(
  {by: "boss", name: "boss", role: "dispatcher", worker_id: null}))"""
WEST, SOUTH, SIDE = 114.3, 30.5, 0.002
HOMES = 20
STREET_M = 6.0


def corner(column: float, row: float) -> tuple[float, float]:
    """Longitude and latitude of a place in thirds of a grid, from the south-west corner."""
    return round(WEST + SIDE / 3 * column, 9), round(SOUTH + SIDE / 3 * row, 9)


def fill_blocks(workspace: Workspace, drawing: Any) -> None:
    """Blocks, one house and one street into the drawn city."""
    rows: list[tuple[str, str]] = []
    shapes = []
    for grid in range(12):
        c, r = 3 * (grid % 4), 3 * (grid // 4)
        for k in range(9):
            x, y = c + k % 3, r + k // 3
            rows.append((f"{grid}-{k}", drawing.ids[grid][:12]))
            shapes.append(shapely.Polygon([corner(x + a, y + b) for a, b in
                                           ((0, 0), (1, 0), (1, 1), (0, 1))]))  # fmt: skip
    blocks = gpd.GeoDataFrame(
        {
            "block_id": [name for name, _ in rows],
            "community_code": [code for _, code in rows],
            "households": HOMES,
            "population": 50,
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    house = shapely.Point(corner(4.85, 1.5)).buffer(0.00002)
    buildings = gpd.GeoDataFrame(
        {"building_id": ["h1"], "households": [HOMES], "population": [50]},
        geometry=[house],
        crs="EPSG:4326",
    )
    up = STREET_M / 110_850
    west, east = corner(3, 3), corner(6, 3)
    street = gpd.GeoDataFrame(
        {"road_id": ["r2", "r3"], "road_class": ["minor"] * 2, "name": ["支路", "横街"]},
        geometry=[
            shapely.LineString([(west[0], west[1] + up), (east[0], east[1] + up)]),
            shapely.LineString([corner(7.5, 3), corner(7.5, 4.5), corner(9, 4.5)]),
        ],
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "blocks", blocks)
        workspace.append(conn, "buildings", buildings)
        workspace.append(conn, "roads", street)


@dataclass
class Site:
    address: str
    store: Store
    book: PlanBook


@pytest.fixture(scope="module")
def site(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with create_workspace(tmp_path_factory.mktemp("tools") / "city") as workspace:
        drawing.fill(workspace)
        fill_blocks(workspace, drawing)
        store = Store(workspace, Settings(), clock=lambda: drawing.at)
        app = create_app(store.settings, store)
        store.snapshot()
        server = make_server("127.0.0.1", 0, app.server, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Site(f"http://127.0.0.1:{server.server_port}", store, desk_of(store).book)
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
def shared_page(browser: Browser, site: Site) -> Iterator[Page]:
    """One page for the module: a plan is loaded anew for each test, the page is not."""
    context = browser.new_context(viewport={"width": 1000, "height": 700}, has_touch=True)
    context.add_init_script(PERSON)
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    plan_id = site.book.create("起点", "boss", site.store.clock())
    page.goto(f"{site.address}/planner?plan={plan_id}")
    until(page, "window.wangge && window.wangge.plan && window.wangge.plan.s && window.wangge.s.map"
                " && window.wangge.s.map.getLayer('plan-lines')")  # fmt: skip
    yield page
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


class Hand:
    """A person at the page, on a plan of their own."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.plan_id = site.book.create("试", "boss", site.store.clock())
        self.first = site.book.open(self.plan_id).plan
        told = page.evaluate("(id) => window.wangge.plan.load(id)", self.plan_id)
        assert told["ok"]
        # Every test draws with the same switches.
        page.evaluate("""() => { const t = window.wangge.planTools;
          Object.assign(t.options, {snap: false, follow: false, reach: 12, through: false,
                                    share: "area", what: "grid"});
          window.wangge.plan.use("select"); window.wangge.plan.select([]) }""")
        self.look(0, 0, 12, 9)

    # --- looking ---------------------------------------------------------------------------------

    def look(self, west: float, south: float, east: float, north: float) -> None:
        """Show a box of thirds."""
        (x0, y0), (x1, y1) = corner(west, south), corner(east, north)
        self.page.evaluate(
            "(b) => window.wangge.s.map.fitBounds([[b[0], b[1]], [b[2], b[3]]],"
            " {padding: 70, duration: 0})",
            [x0, y0, x1, y1],
        )
        self.page.wait_for_timeout(120)

    def px(self, column: float, row: float) -> tuple[float, float]:
        """Where a place in thirds is on the screen."""
        at = self.page.evaluate(
            """([lon, lat]) => { const p = window.wangge.plan.project(lon, lat);
               const b = window.wangge.s.map.getCanvas().getBoundingClientRect();
               return [p.x + b.left, p.y + b.top] }""",
            list(corner(column, row)),
        )
        return at[0], at[1]

    def said(self) -> str:
        return str(self.page.evaluate("document.getElementById('plan-say').textContent"))

    def hears(self, text: str) -> None:
        until(self.page, "(t) => document.getElementById('plan-say').textContent.includes(t)", text)

    def preview(self) -> list[tuple[str, int]]:
        """Names and households of what would be."""
        found = self.page.evaluate(
            """() => [...document.querySelectorAll('#pt-preview .pt-side')].map((side) =>
               ['b', '.pt-n'].map((part) => side.querySelector(part).firstChild.textContent))"""
        )
        return [
            (name, int(text.replace("约", "").replace(",", "").strip())) for name, text in found
        ]

    def note(self) -> str:
        return str(self.page.evaluate(
            "(document.querySelector('#pt-preview .pt-note') || {textContent: ''}).textContent"
        ))  # fmt: skip

    def drawn(self, name: str) -> Any:
        """What an overlay of the map shows, as one shape in degrees; None for nothing."""
        data = self.page.evaluate(
            "(id) => { const at = window.wangge.s.map.getSource('plan-over-' + id);"
            " return at ? at.serialize().data : null }",
            name,
        )
        if data is None or data.get("features") == []:
            return None
        parts = [one["geometry"] for one in data["features"]] if "features" in data else [data]
        return shapely.union_all([shapely.geometry.shape(part) for part in parts])

    def shapes(self) -> dict[str, list[float]]:
        """Area and compactness, before and now, of the grids in the table of a dragged border."""
        return dict(self.page.evaluate(
            """() => [...document.querySelectorAll('#pt-preview .pt-shapes tbody tr')].map((row) =>
               [row.dataset.grid, [0, 1, 3, 4].map((k) =>
                 Number(row.querySelectorAll('td')[k].textContent.replaceAll(',', '')))])"""
        ))  # fmt: skip

    def snapped(self, column: float, row: float) -> str:
        """What the hand would go to there."""
        self.page.mouse.move(*self.px(column, row))
        return str(self.page.evaluate(
            "(() => { const tag = document.getElementById('pt-snap-tag');"
            " return tag && !tag.hidden ? tag.textContent : '' })()"
        ))  # fmt: skip

    # --- doing -----------------------------------------------------------------------------------

    def use(self, key: str, name: str) -> None:
        """Take a tool by its key, with the map in focus."""
        self.page.evaluate("window.wangge.plan.focusMap()")
        self.page.keyboard.press(key)
        assert self.page.evaluate("window.wangge.plan.current()") == name

    def option(self, **options: Any) -> None:
        self.page.evaluate(
            "(o) => Object.entries(o).forEach(([k, v]) => window.wangge.planTools.set(k, v))",
            options,
        )

    def click(self, column: float, row: float, **more: Any) -> None:
        self.page.mouse.move(*self.px(column, row))
        self.page.mouse.down(**more)
        self.page.mouse.up(**more)

    def draw(self, *places: tuple[float, float]) -> None:
        for place in places:
            self.click(*place)
            self.page.wait_for_timeout(30)

    def drag(self, *places: tuple[float, float], steps: int = 6) -> None:
        self.page.mouse.move(*self.px(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.px(*place), steps=steps)
        self.page.mouse.up()

    def key(self, *keys: str) -> None:
        self.page.evaluate("window.wangge.plan.focusMap()")
        for one in keys:
            self.page.keyboard.press(one)

    # --- what was saved --------------------------------------------------------------------------

    def saved(self, edits: int) -> Plan:
        """The plan of the store once that many edits are in its log; checked by slow rules."""
        until(
            self.page,
            "(n) => window.wangge.plan.s.seq >= n && window.wangge.plan.waiting() === 0",
            edits,
        )
        opened = self.site.book.open(self.plan_id)
        assert opened.seq == edits
        assert not opened.conflicts
        require_rules(self.first, opened.plan)
        shown = self.page.evaluate(
            """() => { const s = window.wangge.plan.s; return Object.fromEntries(s.grids
                 .filter((g) => g.blocks > 0).map((g) => [g.id, [g.households, g.name]])) }"""
        )
        table = opened.plan.table()
        assert shown == {
            str(grid): [int(row["households"]), row["name"]] for grid, row in table.iterrows()
        }
        return opened.plan

    def unchanged(self) -> None:
        """Nothing was sent, and nothing is on its way."""
        self.page.wait_for_timeout(150)
        assert self.page.evaluate("window.wangge.plan.waiting()") == 0
        assert self.site.book.open(self.plan_id).seq == 0


def require_rules(first: Plan, plan: Plan) -> None:
    """No gap, no overlap, households conserved, each grid in one piece of one community."""
    shapes = plan.ground.polygons(range(len(plan.blocks)))
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    before = shapely.union_all(first.ground.polygons(range(len(first.blocks))))
    after = shapely.union_all(shapes)
    assert after.symmetric_difference(before).area < 1e-3
    assert shapely.area(shapes).sum() == pytest.approx(before.area, rel=1e-9)
    assert plan.blocks.households.sum() == first.blocks.households.sum()
    assert plan.blocks.people.sum() == first.blocks.people.sum()
    for row in plan.living.tolist():
        members = plan.members(row)
        assert set(plan.ground.community[members].tolist()) == {plan.grids[row].community}
        assert shapely.coverage_union_all(shapes[members]).geom_type == "Polygon"
    assert int(plan.table()["households"].sum()) == int(first.blocks.households.sum())


@pytest.fixture
def hand(shared_page: Page, site: Site) -> Hand:
    return Hand(shared_page, site)


def households(plan: Plan) -> list[int]:
    return sorted(plan.table()["households"].tolist())


# --- split --------------------------------------------------------------------------------------


def test_a_drawn_line_splits_a_grid_along_blocks_and_the_preview_was_right(hand: Hand) -> None:
    hand.use("s", "split")
    hand.page.mouse.move(*hand.px(4.1, -0.4))
    hand.draw((4.1, -0.4))
    hand.page.mouse.move(*hand.px(4.1, 3.3))
    until(hand.page, "document.querySelectorAll('#pt-preview .pt-side').length === 2")
    # The line runs in the column of the middle, which it leaves to the east: 1 column against 2.
    assert sorted(n for _, n in hand.preview()) == [3 * HOMES, 6 * HOMES]
    hand.draw((4.1, 3.3))
    hand.key("Enter")
    plan = hand.saved(1)
    hand.hears("已切分")
    assert households(plan) == [3 * HOMES, 6 * HOMES, *[9 * HOMES] * 11]


def test_a_line_pressed_and_drawn_freehand_splits_too(hand: Hand) -> None:
    hand.use("s", "split")
    hand.drag((2.7, 1.1), (3.5, 0.9), (5.5, 1.1), (6.3, 1.0))
    assert sorted(n for _, n in hand.preview()) == [3 * HOMES, 6 * HOMES]
    hand.page.mouse.dblclick(*hand.px(6.3, 1.0))
    assert 3 * HOMES in households(hand.saved(1))


def test_a_split_through_blocks_shares_people_by_area_or_by_buildings(hand: Hand) -> None:
    hand.use("s", "split")
    hand.option(through=True)
    hand.draw((4.5, -0.4), (4.5, 3.3))
    assert [n for _, n in hand.preview()] == [90, 90]
    half, (west, south), (east, north) = hand.drawn("pt-new"), corner(3, 0), corner(4.5, 3)
    drawn = [shapely.box(x, south, x + east - west, north) for x in (west, east)]
    assert min(half.symmetric_difference(one).area / one.area for one in drawn) < 0.01
    told = "[...document.querySelectorAll('#pt-preview .pt-side')].map((e) => e.textContent)"
    until(hand.page, f"!{told}.join().includes('约')")
    compact = [float(text.split("紧凑度")[1].split()[0][:4]) for text in hand.page.evaluate(told)]
    hand.option(share="buildings")
    # Only 1-4 has a house, east of the line: the other two blocks are shared by area.
    until(
        hand.page,
        """[...document.querySelectorAll('#pt-preview .pt-n')]
                        .map((e) => parseInt(e.textContent)).sort().join() === '100,80'""",
    )
    hand.key("Enter")
    plan = hand.saved(1)
    assert households(plan) == [80, 100, *[180] * 11]
    assert len(plan.blocks) == 108 + 3
    halves = plan.table().query("households < 180")["compactness"]
    assert compact == pytest.approx(halves.tolist(), abs=0.006)


def test_lines_that_cross_themselves_or_miss_are_refused_and_nothing_is_stored(
    hand: Hand,
) -> None:
    hand.use("s", "split")
    hand.draw((2.5, 0.5), (5, 2.5), (5, 0.5), (2.5, 2.5))
    hand.key("Enter")
    hand.hears("线与自己相交")
    assert "线与自己相交" in hand.note()
    hand.key("Escape")
    hand.draw((4.2, 0.6), (4.2, 2.4))
    hand.key("Enter")
    hand.hears("没有从边到边穿过")
    hand.key("Escape")
    hand.page.evaluate("(id) => { const p = window.wangge.plan; p.select([p.s.rows.get(id)]) }",
                       hand.first.grids[1].grid_id)  # fmt: skip
    hand.draw((2.5, 4.5), (6.5, 4.5))
    hand.key("Enter")
    hand.hears("没有从边到边穿过东湖第1网格")
    hand.unchanged()


def test_a_line_that_crosses_a_grid_twice_says_how_many_parts(hand: Hand) -> None:
    hand.use("s", "split")
    hand.draw((2.6, 0.5), (6.4, 0.5), (6.4, 2.5), (2.6, 2.5))
    hand.page.evaluate("""() => { const p = window.wangge.plan;
       p.select([p.s.label[p.s.blockRows.get("1-4")]]) }""")
    hand.key("Enter")
    hand.hears("切成 3 块")
    hand.unchanged()


# --- merge --------------------------------------------------------------------------------------


def test_neighbours_that_are_clicked_become_one_and_the_sum_was_shown(hand: Hand) -> None:
    hand.use("m", "merge")
    hand.click(1.5, 1.5)
    hand.click(1.5, 7.5)
    hand.hears("不相邻")
    hand.click(7.5, 1.5)
    hand.hears("另一个社区")
    hand.click(4.5, 1.5)
    assert hand.preview()[-1] == ("合并后", 18 * HOMES)
    hand.key("Enter")
    plan = hand.saved(1)
    assert households(plan) == [*[180] * 10, 360]
    # With Shift grids are only added, also such that the next one joins.
    hand.page.keyboard.down("Shift")
    hand.click(1.5, 7.5)
    hand.click(1.5, 1.5)
    assert "还不相连" in hand.note()
    hand.key("Enter")
    hand.hears("不相邻")
    hand.drag((4.5, 4.5), (3.2, 4.5), (1.5, 4.5))
    hand.click(1.5, 4.5)
    hand.page.keyboard.up("Shift")
    assert hand.preview()[-1] == ("合并后", 45 * HOMES)
    hand.key("Enter")
    assert households(hand.saved(2)) == [*[180] * 7, 900]


# --- vertices -----------------------------------------------------------------------------------


def place_of(plan: Plan, hand: Hand, column: float, row: float) -> int:
    """Number of the vertex that stands at a corner of the drawing in the first plan."""
    base = hand.site.book.open(hand.plan_id).base
    xy = base.to_metric([corner(column, row)])[0]
    return int(np.argmin(np.hypot(*(hand.first.ground.xy - xy).T)))


def test_a_dragged_vertex_takes_its_blocks_along_and_never_folds_one(hand: Hand) -> None:
    hand.look(2, 2, 7, 7)
    hand.use("v", "vertex")
    v = place_of(hand.first, hand, 4, 3)
    hand.page.mouse.move(*hand.px(4, 3))
    hand.page.mouse.down()
    hand.page.mouse.move(*hand.px(4.3, 3.4), steps=4)
    shown = hand.shapes()
    hand.page.mouse.up()
    plan = hand.saved(1)
    before, after = hand.first.table(), plan.table()
    assert len(shown) == 2
    for grid, (area, now, round_before, round_now) in shown.items():
        areas = before.loc[grid, "area_m2"], after.loc[grid, "area_m2"]
        assert [area, now] == pytest.approx(areas, rel=1e-3)
        ratios = before.loc[grid, "compactness"], after.loc[grid, "compactness"]
        assert [round_before, round_now] == pytest.approx(ratios, abs=0.006)
    base = hand.site.book.open(hand.plan_id).base
    moved = plan.ground.xy[v] - base.to_metric([corner(4.3, 3.4)])[0]
    assert np.hypot(*moved) < 1.5, "within a pixel of the hand"
    assert plan.table()["area_m2"].to_numpy() != pytest.approx(
        hand.first.table()["area_m2"].to_numpy()
    )
    hand.page.mouse.move(*hand.px(4.3, 3.4))
    hand.page.mouse.down()
    hand.page.mouse.move(*hand.px(6.4, 3.4), steps=20)
    assert "折叠" in hand.note()
    assert hand.drawn("pt-knot").geom_type == "Point", "where the block would cross itself"
    hand.page.mouse.up()
    hand.hears("折叠")
    later = hand.saved(2)
    assert later.ground.xy[v][0] > plan.ground.xy[v][0], "it went as far as it could"
    assert hand.drawn("pt-knot") is None


def test_a_vertex_of_a_communitys_border_stays(hand: Hand) -> None:
    hand.look(4, 1, 8, 5)
    hand.use("v", "vertex")
    hand.drag((6, 3), (6.4, 3.2))
    hand.hears("社区边界")
    hand.unchanged()


def test_keys_choose_nudge_commit_cancel_insert_and_remove_a_vertex(hand: Hand) -> None:
    hand.look(3, 2, 5, 4)
    hand.use("v", "vertex")
    v = place_of(hand.first, hand, 4, 3)
    hand.key("Tab")
    hand.hears("已选顶点")
    hand.key("ArrowRight", "ArrowRight", "ArrowUp", "Enter")
    plan = hand.saved(1)
    step = plan.ground.xy[v] - hand.first.ground.xy[v]
    assert step == pytest.approx([2, 1], abs=0.05)
    hand.key("ArrowRight", "Escape")
    assert hand.page.evaluate("window.wangge.plan.waiting()") == 0
    hand.key("i")
    plan = hand.saved(2)
    assert len(plan.ground.xy) == len(hand.first.ground.xy) + 1
    hand.hears("已加一个顶点")
    hand.key("Delete")
    hand.saved(3)
    hand.hears("已删一个顶点")
    assert hand.site.book.open(hand.plan_id).seq == 3


def test_a_double_click_on_a_border_puts_a_vertex_in(hand: Hand) -> None:
    hand.look(2, 2, 6, 5)
    hand.use("v", "vertex")
    hand.page.mouse.dblclick(*hand.px(4.5, 3))
    plan = hand.saved(1)
    assert len(plan.ground.xy) == len(hand.first.ground.xy) + 1
    hand.drag((4.5, 3), (4.5, 3.4))
    hand.saved(2)
    # Dropped onto the next vertex of its border it is one with it.
    hand.option(snap=True)
    hand.drag((4.5, 3.4), (4.03, 3.02))
    plan = hand.saved(3)
    hand.hears("合一")
    assert shapely.get_num_coordinates(plan.ground.polygon(plan.block_rows["1-7"])) == 5


def test_a_finger_drags_a_vertex(hand: Hand) -> None:
    hand.look(2, 2, 6, 5)
    hand.use("v", "vertex")
    v = place_of(hand.first, hand, 4, 3)
    wire = hand.page.context.new_cdp_session(hand.page)
    (x0, y0), (x1, y1) = hand.px(4, 3), hand.px(4.3, 3.3)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in places]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x0 + 14, y0))  # a finger is not exact
    for k in range(1, 7):
        touch("touchMove", (x0 + (x1 - x0) * k / 6, y0 + (y1 - y0) * k / 6))
    touch("touchEnd")
    wire.detach()
    plan = hand.saved(1)
    assert plan.ground.xy[v][1] > hand.first.ground.xy[v][1] + 10


# --- borders ------------------------------------------------------------------------------------


def test_a_whole_border_moves_and_its_ends_stay(hand: Hand) -> None:
    hand.look(2, 1, 7, 6)
    hand.use("e", "border")
    inner = [place_of(hand.first, hand, column, 3) for column in (4, 5)]
    ends = [place_of(hand.first, hand, column, 3) for column in (3, 6)]
    hand.drag((4.5, 3), (4.5, 3.5))
    plan = hand.saved(1)
    north = plan.ground.xy[inner] - hand.first.ground.xy[inner]
    assert north[:, 1] == pytest.approx([37, 37], abs=2)
    assert (plan.ground.xy[ends] == hand.first.ground.xy[ends]).all()
    hand.drag((4.5, 3.5), (4.5, 4.4), steps=12)
    hand.hears("折叠")
    hand.saved(2)


def test_a_border_goes_by_keys_and_a_locked_one_stays(hand: Hand) -> None:
    hand.look(2, 1, 7, 5)
    hand.use("e", "border")
    hand.key("Enter")
    hand.hears("边界")
    assert hand.page.evaluate("window.wangge.planTools.hand.now().vertices.length") == 2
    hand.key("Shift+ArrowUp", "Enter")
    hand.saved(1)
    hand.drag((4.5, 3.135), (4.5, 3.135))
    hand.key("l")
    plan = hand.saved(2)
    assert len(plan.locked_edges) == 3
    hand.drag((4.5, 3.135), (4.5, 2.6))
    hand.hears("已锁定")
    hand.page.wait_for_timeout(100)
    assert hand.site.book.open(hand.plan_id).seq == 2


# --- dedicated grids and cuts -------------------------------------------------------------------


def test_an_area_that_is_drawn_becomes_a_dedicated_grid(hand: Hand) -> None:
    hand.use("g", "dedicated")
    hand.page.fill("#pt-bar .pt-name", "实验小学")
    hand.draw((1.1, 2.1), (2.9, 2.1), (2.9, 4.9), (1.1, 4.9))
    assert hand.preview()[0] == ("实验小学", 6 * HOMES)
    hand.page.wait_for_timeout(600)
    hand.draw((1.1, 2.1))
    plan = hand.saved(1)
    made = plan.table().query("kind == 'dedicated'")
    assert made["name"].tolist() == ["实验小学"]
    assert made["households"].tolist() == [6 * HOMES]


def test_an_area_over_two_communities_or_without_a_block_is_refused(hand: Hand) -> None:
    hand.use("g", "dedicated")
    hand.draw((5.1, 1.1), (6.9, 1.1), (6.9, 1.9), (5.1, 1.9))
    hand.key("Enter")
    hand.hears("跨了社区边界")
    hand.key("Escape")
    hand.draw((1.1, 1.1), (1.3, 1.1), (1.3, 1.3))
    hand.key("Enter")
    hand.hears("没有小区块")
    hand.key("Escape")
    hand.draw((0.1, 0.1), (1.9, 1.9), (1.9, 0.1), (0.1, 1.9))
    hand.key("Enter")
    hand.hears("与自己相交")
    hand.unchanged()


def test_one_block_is_cut_and_stays_in_its_grid(hand: Hand) -> None:
    hand.look(2, 0, 7, 3)
    hand.use("x", "cut")
    hand.option(share="buildings")
    hand.draw((4.25, 0.9), (4.25, 2.1))
    until(
        hand.page,
        """[...document.querySelectorAll('#pt-preview .pt-n')]
                        .map((e) => parseInt(e.textContent)).sort().join() === '0,20'""",
    )
    hand.key("Enter")
    plan = hand.saved(1)
    assert len(plan.blocks) == 109
    assert households(plan) == [180] * 12
    assert sorted(plan.blocks.households[[*plan.members(int(plan.label[-1]))]].tolist())[0] == 0


# --- locks, names, numbers ----------------------------------------------------------------------


def test_a_locked_grid_refuses_line_area_merge_and_vertex(hand: Hand) -> None:
    hand.use("k", "lock")
    hand.click(4.5, 1.5)
    plan = hand.saved(1)
    assert len(plan.locked) == 1
    hand.use("s", "split")
    hand.draw((4.1, -0.4), (4.1, 3.3))
    hand.key("Enter")
    hand.hears("已锁定")
    hand.use("g", "dedicated")
    hand.draw((2.1, 0.1), (3.9, 0.1), (3.9, 0.9), (2.1, 0.9))
    hand.key("Enter")
    hand.hears("已锁定")
    hand.use("m", "merge")
    hand.click(4.5, 1.5)
    hand.hears("已锁定")
    hand.look(2, 2, 6, 5)
    hand.use("v", "vertex")
    hand.drag((4, 3), (4.2, 3.2))
    hand.hears("已锁定")
    assert hand.site.book.open(hand.plan_id).seq == 1
    hand.look(0, 0, 12, 9)
    hand.use("k", "lock")
    hand.click(4.5, 1.5)
    assert not hand.saved(2).locked


def test_a_border_is_locked_by_a_click_and_shown(hand: Hand) -> None:
    hand.look(2, 1, 7, 5)
    hand.use("k", "lock")
    hand.option(what="border")
    hand.click(4.5, 3)
    plan = hand.saved(1)
    assert len(plan.locked_edges) == 3
    hand.click(4.5, 3)
    assert not hand.saved(2).locked_edges


def test_a_grid_gets_a_name_and_keeps_its_number(hand: Hand) -> None:
    hand.use("n", "rename")
    hand.click(4.5, 1.5)
    hand.page.keyboard.type("春江里")
    hand.page.keyboard.press("Enter")
    plan = hand.saved(1)
    row = plan.label[plan.block_rows["1-4"]]
    assert plan.grids[row].name == "春江里"
    assert plan.grids[row].grid_id == hand.first.grids[row].grid_id


def test_numbers_are_shown_before_they_are_given(hand: Hand) -> None:
    hand.use("r", "renumber")
    until(hand.page, "document.querySelectorAll('#pt-preview tbody tr').length > 0")
    listed = hand.page.evaluate("document.querySelectorAll('#pt-preview tbody tr').length")
    hand.key("Enter")
    plan = hand.saved(1)
    changed = sum(
        one.grid_id != two.grid_id for one, two in zip(hand.first.grids, plan.grids, strict=True)
    )
    assert listed == changed > 0
    # West before east, then north before south: the first of the west community is grid 8.
    assert plan.assignment["8-4"].endswith("001")


# --- snapping -----------------------------------------------------------------------------------


def test_a_dragged_vertex_snaps_to_a_street(hand: Hand) -> None:
    hand.look(2, 2, 6, 5)
    hand.option(snap=True, reach=12)
    hand.use("v", "vertex")
    until(hand.page, "window.wangge.planTools.loadStreets().length > 0")
    v = place_of(hand.first, hand, 4, 3)
    hand.drag((4, 3), (4.1, 3.1))
    plan = hand.saved(1)
    up = plan.ground.xy[v][1] - hand.first.ground.xy[v][1]
    assert up == pytest.approx(STREET_M, abs=0.15), "the street, not the 7.4 m of the hand"
    hand.page.keyboard.down("Alt")
    hand.drag((4.1, 3.081), (4.2, 3.1))
    hand.page.keyboard.up("Alt")
    up = hand.saved(2).ground.xy[v][1] - hand.first.ground.xy[v][1]
    assert up > STREET_M + 0.6, "with Alt it stays where the hand let go"


def test_a_line_snapped_to_vertices_cuts_no_slivers_off(hand: Hand) -> None:
    hand.use("s", "split")
    hand.option(snap=True, through=True)
    places = {(4.03, 1.5): "小区块边界", (1.5, 3.03): "网格边界", (6.03, 1.5): "社区边界",
              (4.03, 1.03): "顶点", (4.5, 3.09): "街道", (4.5, 1.5): ""}  # fmt: skip
    until(hand.page, "window.wangge.planTools.loadStreets().length > 0")
    assert {place: hand.snapped(*place) for place in places} == places
    hand.draw((4.02, 0.02), (3.98, 1.02), (4.02, 2.0), (4.0, 2.97))
    assert sorted(n for _, n in hand.preview()) == [60, 120]
    hand.key("Enter")
    plan = hand.saved(1)
    assert len(plan.blocks) == 108
    assert households(plan)[:2] == [60, 120]


def test_a_line_along_streets_follows_their_bends(hand: Hand) -> None:
    hand.use("s", "split")
    hand.option(snap=True, follow=True, through=True)
    until(hand.page, "window.wangge.planTools.loadStreets().length > 1")
    hand.draw((7.51, 3.0), (9.0, 4.51))
    # The quarter in the south-east, not the eighth that a straight line would cut off.
    until(hand.page, """[...document.querySelectorAll('#pt-preview .pt-n')]
                        .map((e) => parseInt(e.textContent.replace('约', ''))).sort().join()
                        === '135,45'""")  # fmt: skip
    hand.key("Enter")
    assert households(hand.saved(1)) == [45, 135, *[180] * 11]


# --- conflicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["1", "2"], ids=["mine", "theirs"])
def test_both_wishes_of_a_conflict_stand_on_the_map_and_a_key_decides(hand: Hand, key: str) -> None:
    book, now = hand.site.book, hand.site.store.clock()
    east, north = (hand.first.assignment[name] for name in ("1-6", "4-2"))
    for by, grid in (("王芳", east), ("boss", north)):
        book.append(
            hand.plan_id, edit_id=f"{by}{key}", by=by, on_seq=0, at=now,
            edit={"do": "assign", "blocks": {"0-8": grid}},
        )  # fmt: skip
    assert len(book.open(hand.plan_id).conflicts) == 1
    hand.page.evaluate("(id) => window.wangge.plan.load(id)", hand.plan_id)
    until(hand.page, "document.querySelectorAll('#pw-card .pw-side li').length === 2")
    text = hand.page.inner_text("#pw-card")
    assert "用我的" in text
    assert "用对方的" in text
    assert "王芳" in text
    block = shapely.box(*corner(2, 2), *corner(3, 3))
    for side in ("waiting", "standing"):
        assert hand.drawn(f"wish-{side}").symmetric_difference(block).area < block.area / 1000
        assert hand.drawn(f"wish-hatch-{side}").length > block.length
    hand.key(key)
    until(hand.page, "!document.getElementById('pw-card')")
    opened = book.open(hand.plan_id)
    assert not opened.conflicts
    assert opened.plan.assignment["0-8"] == {"1": north, "2": east}[key]
    assert hand.drawn("wish-waiting") is None
