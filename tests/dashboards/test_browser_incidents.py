"""The pages of cases in a real Chromium: dispatchers at a desk, a grid worker with a phone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
from browsers import PATIENCE_MS, Chromium, serving, until
from playwright.sync_api import Page, expect

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[1] / "out"
DESK = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 844}
MANY = 5000
STAFF = {
    "d1": ("周主任", "shift_leader", "420100000000"),
    "d2": ("孙派", "dispatcher", "420100000000"),
    "d3": ("吴处", "handler", "420102001001"),
}


@dataclass
class City:
    """A served city and its store."""

    address: str
    store: Store
    at: Any

    def report(self, place: tuple[float, float] | None = None, **told: Any) -> Any:
        lon, lat = place or (None, None)
        told = {"class_code": "E0102", "description": "垃圾"} | told
        return self.store.casebook.report(
            at=self.store.clock(), by="d1", role="shift_leader", lon=lon, lat=lat, **told
        )

    def move(self, case: str, move: str, **told: Any) -> Any:
        seen = self.store.casebook.read(case, at=self.store.clock()).case.seq
        told = {"by": "d1", "role": "shift_leader"} | told
        return self.store.casebook.move(case, move, at=self.store.clock(), seen=seen, **told)

    def stage(self, case: str) -> str:
        return str(self.store.casebook.read(case, at=self.store.clock()).case.stage)


def fill_with_many(workspace: Workspace, drawing: Any) -> None:
    """The drawn city with desk staff and 5,000 closed cases of one class, an hour apart."""
    drawing.fill(workspace)
    numbers = range(MANY)
    reported = pd.DatetimeIndex([drawing.at - timedelta(days=40, hours=k) for k in numbers])
    places = [drawing.middle(k % 12) for k in numbers]
    many = pd.DataFrame(
        {
            "incident_id": [f"m{k:05d}" for k in numbers],
            "class_code": "E0104",
            "description": [f"第 {k} 件" for k in numbers],
            "stage": "closed",
            "lon": [lon for lon, _ in places],
            "lat": [lat for _, lat in places],
            "reported_at": reported,
            "closed_at": reported + timedelta(hours=1),
        }
    )
    staff = pd.DataFrame(
        [(key, *told, None) for key, told in STAFF.items()],
        columns=["worker_id", "name", "role", "unit_code", "phone"],
    )
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", many)
        workspace.append(conn, "workers", staff)


@pytest.fixture(scope="module")
def city(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    ticks = itertools.count()
    # Each look at the clock finds it a little later, so that rows of a log follow each other.
    clock = lambda: drawing.at + timedelta(milliseconds=40 * next(ticks))  # noqa: E731
    with create_workspace(tmp_path_factory.mktemp("desk") / "city") as workspace:
        fill_with_many(workspace, drawing)
        store = Store(workspace, Settings(refresh_s=1.0, check_s=1.0), clock=clock)
        app = create_app(store.settings, store)
        with serving(app) as address:
            store.start()
            yield City(address, store, drawing.at)
            store.stop()


@dataclass
class Screen:
    """A page, and what it complained of."""

    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str) -> Screen:
        self.page.goto(self.address + path)
        self.until("document.documentElement.dataset.cases === 'ready'")
        return self

    def until(self, script: str) -> Any:
        return until(self.page, script)

    def show(self, case: str | None = None, who: str = "d1", **query: str) -> Screen:
        """Go to another choice without loading the page anew."""
        name, role, unit = STAFF[who]
        self.page.evaluate(
            """([me, query, sort]) => {
              const c = window.wangge.cases;
              for (const dialog of document.querySelectorAll('dialog')) dialog.close();
              c.report.close();
              c.panel.close();
              if (!c.me || c.me.id !== me.id) c.setMe(me);
              const none = Object.fromEntries(c.FILTERS.map((name) => [name, ""]));
              const [colId, direction] = sort.split('.');
              const state = [{ colId, sort: direction }];
              c.table.api.applyColumnState({ state, defaultState: { sort: null } });
              c.table.choose({ ...none, tab: 'collected', ...query });
            }""",
            [
                {"id": who, "name": name, "role": role, "unit": unit, "unit_name": ""},
                {k: v for k, v in query.items() if k != "sort"},
                query.get("sort", "reported.desc"),
            ],
        )
        if case:
            self.page.evaluate(f"window.wangge.cases.panel.open({case!r}, {{}})")
            expect(self.page.locator(".inc-id")).to_have_text(case)
        return self

    def row(self, case: str) -> Any:
        """The row of a case, once it is drawn."""
        found = self.page.locator(f'#incidents-table .ag-row[row-id="{case}"]').first
        found.wait_for()
        return found

    def ready_map(self) -> None:
        self.until(
            "window.wangge.s.map && window.wangge.s.map.getLayer('c-cases')"
            " && window.wangge.s.map.loaded()"
        )

    def point(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place is on the screen."""
        x, y = self.page.evaluate(
            """([lon, lat]) => {
              const map = window.wangge.s.map, box = map.getContainer().getBoundingClientRect();
              const p = map.project([lon, lat]);
              return [box.left + p.x, box.top + p.y];
            }""",
            [lon, lat],
        )
        return x, y

    def rows(self) -> list[str]:
        """Ids of the rows that are drawn, from the top."""
        return self.page.evaluate(
            """(() => [...document.querySelectorAll('#incidents-table .ag-row[row-id]')]
              .sort((a, b) => a.getAttribute('row-index') - b.getAttribute('row-index'))
              .map((row) => row.getAttribute('row-id')))()"""
        )

    def count(self, total: int) -> None:
        expect(self.page.locator("#incidents-count")).to_have_text(
            f"共 {total:,} 件", timeout=PATIENCE_MS
        )

    def query(self) -> dict[str, str]:
        return {k: v[0] for k, v in parse_qs(urlparse(self.page.url).query).items()}

    def be(self, text: str) -> None:
        """Choose who I am in the dialog, as a person does."""
        self.page.locator("#incidents-me").click()
        self.page.locator(".inc-dialog input[type=search]").fill(text)
        self.page.locator(".inc-person", has_text=text).first.click()
        expect(self.page.locator("#incidents-me")).to_contain_text(text)

    def act(self, move: str, **fields: str) -> None:
        """Press the button of a move, fill its form, send it."""
        self.page.locator(f"[data-move={move}]").click()
        form = self.page.locator(f"[data-form={move}]")
        for name, text in fields.items():
            form.locator(f"#inc-field-{name}").fill(text)
            if name == "owner":
                self.page.locator(f"#inc-field-{name}-list [role=option]").first.click()
        form.locator("button[type=submit]").click()
        expect(form).to_have_count(0)

    def stage(self, word: str) -> None:
        expect(self.page.locator(".inc-case-title .inc-chip")).to_have_text(word)

    def shoot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


def open_screen(browser: Chromium, city: City, who: str | None, **options: Any) -> Screen:
    """A page of its own, with what a browser of that person would remember."""
    script = ""
    if who:
        name, role, unit = STAFF[who]
        person = {"by": who, "role": role, "worker_id": who, "unit_code": unit, "name": name}
        text = json.dumps(json.dumps(person))
        script = f"if (!localStorage['wangge-person']) localStorage['wangge-person'] = {text}"
    page = browser.new_page(script, **{"viewport": DESK, "reduced_motion": "reduce"} | options)
    expect.set_options(timeout=PATIENCE_MS)
    screen = Screen(page, city.address)
    # A refusal is an answer with 409, which the browser tells the console.
    page.on(
        "console",
        lambda m: (
            screen.troubles.append(m.text)
            if m.type == "error" and "status of 409" not in m.text
            else None
        ),
    )
    page.on("pageerror", lambda error: screen.troubles.append(str(error)))
    page.on(
        "request",
        lambda r: (
            screen.troubles.append(r.url)
            if urlparse(r.url).hostname not in ("127.0.0.1", None, "")
            else None
        ),
    )
    return screen


@pytest.fixture
def make_screen(browser: Chromium, city: City) -> Iterator[Callable[..., Screen]]:
    """Screens of any size; at the end none may have complained or asked anyone else."""
    made: list[Screen] = []

    def make(who: str | None = "d1", **options: Any) -> Screen:
        made.append(open_screen(browser, city, who, **options))
        return made[-1]

    yield make
    for screen in made:
        screen.page.close()
    assert [trouble for screen in made for trouble in screen.troubles] == []


@pytest.fixture(scope="module")
def opened(browser: Chromium, city: City) -> Iterator[Screen]:
    """One desk for many tests, since loading a page with a map takes seconds here."""
    screen = open_screen(browser, city, "d1").open("/incidents")
    screen.ready_map()
    yield screen
    screen.page.close()


@pytest.fixture
def screen(opened: Screen) -> Iterator[Screen]:
    """The shared desk; it must not have complained."""
    opened.troubles.clear()
    yield opened
    assert opened.troubles == []


# --- the table ------------------------------------------------------------------------------------


def test_tabs_filters_and_words_narrow_the_table_and_stand_in_the_address(screen: Screen) -> None:
    screen.show(tab="handling").row("a")
    assert screen.rows() == ["b", "a"]
    page = screen.page
    page.locator("[data-tab=late]").click()
    screen.count(1)
    assert screen.rows() == ["a"]
    page.locator("[data-tab=all]").click()
    page.locator("#incidents-q").fill("第 4977 件")
    screen.row("m04977")
    screen.count(1)
    page.locator("#incidents-clear").click()
    page.locator("#incidents-class").click()
    page.keyboard.type("游商")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    screen.until("location.search.includes('class=E0501')")
    assert screen.query()["tab"] == "all"
    page.reload()
    screen.until("document.querySelector('#incidents-class')?.value === '无照经营游商'")
    screen.row("b")
    screen.ready_map()
    page.locator("#incidents-q").fill("没有这样的事")
    expect(page.locator("#incidents-count")).to_have_text("没有事件")
    expect(page.locator("#incidents-table")).to_contain_text("试着放宽条件")


def test_the_header_sorts_on_the_server(screen: Screen) -> None:
    screen.show(tab="all", **{"class": "E0104"}).row("m00000")
    screen.count(MANY)
    assert screen.rows()[:3] == ["m00000", "m00001", "m00002"]
    screen.page.locator(".ag-header-cell[col-id=id] .ag-header-cell-label").click()
    screen.page.locator(".ag-header-cell[col-id=id] .ag-header-cell-label").click()
    screen.row("m04999")
    assert screen.rows()[:3] == ["m04999", "m04998", "m04997"]
    assert screen.query()["sort"] == "id.desc"


def test_five_thousand_rows_are_paged_through_by_the_keyboard(screen: Screen) -> None:
    asked: list[str] = []
    screen.page.on("request", lambda r: asked.append(r.url) if "/cases/page" in r.url else None)
    screen.show(tab="all", sort="id.asc", **{"class": "E0104"})
    screen.row("m00000").locator(".ag-cell").first.focus()
    screen.count(MANY)
    for _ in range(PATIENCE_MS // 150):
        if screen.rows()[0] >= "m00080":
            break
        screen.page.keyboard.press("PageDown")
        # The grid takes one page in a tenth of a second and leaves out what comes sooner.
        screen.page.wait_for_timeout(150)
    assert screen.rows()[0] >= "m00080"
    screen.page.keyboard.press("Control+ArrowDown")
    screen.row("m04999")
    # What was not looked at was not asked for.
    assert len(asked) < 12
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator(".inc-id")).to_have_text("m04999")


def test_a_filter_can_be_kept_and_used_again(screen: Screen) -> None:
    screen.show(tab="all", q="m04321", **{"class": "E0104"})
    screen.count(1)
    screen.page.locator("#incidents-keep").click()
    screen.page.locator("#inc-keep-name").fill("我的筛选")
    screen.page.locator(".inc-dialog button[type=submit]").click()
    screen.page.locator("#incidents-clear").click()
    screen.until("document.getElementById('incidents-count').textContent.includes('5,0')")
    screen.page.locator(".inc-kept", has_text="我的筛选").click()
    screen.count(1)


def test_csv_and_excel_of_the_filter_are_downloaded(screen: Screen) -> None:
    screen.show(tab="handling")
    screen.until("document.querySelector('a[data-export=csv]').href.includes('handling')")
    for kind, start in (("csv", b"\xef\xbb\xbf\xe4\xba\x8b"), ("xlsx", b"PK")):
        with screen.page.expect_download() as waited:
            screen.page.locator(f"a[data-export={kind}]").click()
        path = waited.value.path()
        assert waited.value.suggested_filename.endswith(f"-1409.{kind}")
        assert Path(path).read_bytes().startswith(start)


# --- reporting ------------------------------------------------------------------------------------


def test_a_click_on_the_map_and_a_double_click_on_send_make_one_case(
    screen: Screen, city: City, drawing: Any
) -> None:
    city.report(drawing.middle(6), description="旧的一堆")
    page = screen.show().page
    page.locator("#incidents-report").click()
    screen.until("window.wangge.s.map.loaded() && !window.wangge.s.map.isMoving()")
    lon, lat = drawing.middle(6)
    page.mouse.click(*screen.point(lon + 0.0002, lat))
    expect(page.locator(".inc-place")).to_contain_text("南湖第6网格")
    page.locator("#inc-report-class").fill("暴露垃圾")
    page.keyboard.press("Enter")
    expect(page.locator(".inc-near")).to_contain_text("附近已有 1 件同类未结事件")
    page.locator("#inc-report-text").fill("路口的新垃圾")
    screen.shoot("incidents-report")
    page.locator("#inc-report button[type=submit]").dblclick()
    expect(page.locator(".inc-said")).to_have_text("路口的新垃圾")
    made = page.locator(".inc-id").inner_text()
    screen.until(f"document.querySelector('#incidents-table .ag-row[row-id=\"{made}\"]')")
    screen.until(f"window.wangge.cases.map.features.some((f) => f.properties.id === '{made}')")
    page.locator("#incidents-q").fill("路口的新垃圾")
    screen.count(1)
    assert screen.query()["case"] == made


def test_a_case_without_a_place_can_be_reported(screen: Screen) -> None:
    page = screen.show().page
    page.keyboard.press("Alt+n")
    page.locator("#inc-report-text").fill("电话里没说清地点")
    page.locator("#inc-report button[type=submit]").click()
    expect(page.locator("#inc-report .inc-problem")).to_have_text("请选择类别")
    page.locator("#inc-report-class").fill("E0102")
    page.keyboard.press("Enter")
    page.locator("#inc-report-unplaced").check()
    page.locator("#inc-report button[type=submit]").click()
    expect(page.locator(".inc-case-body")).to_contain_text("无坐标")


# --- moves ----------------------------------------------------------------------------------------


def test_a_case_goes_from_report_to_close_by_its_buttons(
    screen: Screen, city: City, drawing: Any
) -> None:
    case = city.report(drawing.middle(9)).case.incident_id
    screen.show(case)
    screen.be("周主任")
    screen.stage("已采集")
    screen.act("register")
    screen.stage("待派遣")
    screen.act("dispatch", owner="东湖社区", note="请尽快")
    screen.stage("已派遣")
    screen.be("吴处")
    screen.act("accept")
    screen.stage("处置中")
    screen.act("feed_back", note="已清运")
    screen.stage("待核查")
    screen.be("周主任")
    screen.shoot("incidents-case")
    screen.act("close")
    screen.stage("已结案")
    log = screen.page.locator(".inc-log > li")
    expect(log).to_have_count(6)
    expect(log.first).to_contain_text("核查结案")
    expect(log.nth(3)).to_contain_text("请尽快")
    expect(log.nth(2)).to_contain_text("吴处 · 处置人")
    assert city.stage(case) == "closed"


def test_a_refused_move_says_why_and_keeps_what_was_typed(screen: Screen, city: City) -> None:
    case = city.report(description="要延期的").case.incident_id
    city.move(case, "register")
    city.move(case, "dispatch", owner="420102001001")
    page = screen.show(case, who="d3").page
    page.locator("[data-move=ask_postponement]").click()
    page.locator("#inc-field-until").fill("2020-01-01T18:00")
    page.locator("#inc-field-note").fill("等配件到货")
    page.locator("[data-form=ask_postponement] button[type=submit]").click()
    expect(page.locator(".inc-problem")).to_have_text("期限必须晚于现在")
    assert page.locator("#inc-field-note").input_value() == "等配件到货"
    screen.show(case, who="d3")
    page.locator("[data-move=ask_postponement]").click()
    assert page.locator("#inc-field-note").input_value() == "等配件到货"
    page.locator("[data-form=ask_postponement] .inc-quick button").first.click()
    page.locator("[data-form=ask_postponement] button[type=submit]").click()
    expect(page.locator(".inc-facts")).to_contain_text("申请延期至")


def test_the_second_dispatcher_is_told_what_the_first_did_and_loses_nothing(
    screen: Screen, make_screen: Callable[..., Screen], city: City
) -> None:
    case = city.report(description="两个人同时").case.incident_id
    city.move(case, "register")
    first, second = screen.show(case), make_screen("d2").open(f"/incidents?case={case}")
    for one in (first, second):
        one.stage("待派遣")
    page = second.page
    page.locator("[data-move=dispatch]").click()
    page.locator("#inc-field-owner").fill("南湖社区")
    page.locator("#inc-field-owner-list [role=option]").first.click()
    page.locator("#inc-field-note").fill("第二个人写的话，一个字也不能丢")
    # The second page hears nothing until it sends.
    page.evaluate("window.wangge.cases.get = async () => ({ok: false, status: 0, body: {}})")
    first.act("supervise", note="先督办")
    page.locator("[data-form=dispatch] button[type=submit]").click()
    changes = page.locator(".inc-changes")
    expect(changes).to_contain_text("别人已办理此事件")
    expect(changes).to_contain_text("督办 周主任 于")
    expect(changes).to_contain_text("先督办")
    assert page.locator("#inc-field-note").input_value() == "第二个人写的话，一个字也不能丢"
    assert page.locator("#inc-field-owner").input_value() == "南湖社区"
    second.shoot("incidents-stale")
    changes.locator("[data-again]").click()
    page.locator("[data-form=dispatch] button[type=submit]").click()
    second.stage("已派遣")
    expect(page.locator(".inc-log > li").first).to_contain_text("一个字也不能丢")


def test_what_others_do_arrives_while_a_form_is_open_and_the_form_stays(
    screen: Screen, city: City
) -> None:
    case = city.report(description="开着表单").case.incident_id
    page = screen.show(case, tab="all").page
    page.locator("[data-move=remark]").click()
    page.locator("#inc-field-note").fill("打到一半的")
    city.move(case, "cancel", note="重复")
    expect(page.locator(".inc-changes")).to_contain_text("作废")
    assert page.locator("#inc-field-note").input_value() == "打到一半的"
    screen.stage("已作废")
    expect(page.locator(".inc-changes")).to_contain_text("已不能备注")


def test_new_rows_arrive_without_losing_scroll_or_choice(screen: Screen, city: City) -> None:
    screen.show("m00003", tab="all", sort="id.asc", **{"class": "E0104"}).count(MANY)
    screen.until("document.querySelector('#incidents-table .ag-row-selected[row-id=m00003]')")
    view = "document.querySelector('#incidents-table .ag-body-viewport')"
    screen.page.evaluate(f"{view}.scrollTop = 4000")
    screen.page.wait_for_timeout(200)
    city.report(class_code="E0104", description="新的一件")
    screen.count(MANY + 1)
    assert screen.page.evaluate(f"{view}.scrollTop") == 4000
    expect(screen.page.locator(".inc-id")).to_have_text("m00003")


def test_table_and_map_point_at_each_other(screen: Screen, city: City, drawing: Any) -> None:
    screen.show(tab="late")
    screen.until("window.wangge.cases.map.features.length === 1")
    screen.row("a").hover()
    ring = "JSON.stringify(window.wangge.s.map.getFilter('c-hover'))"
    screen.until(f"{ring}.includes('\"a\"')")
    screen.until("window.wangge.s.map.loaded()")
    x, y = screen.point(*drawing.middle(0))
    screen.page.mouse.move(x - 40, y - 40)
    screen.page.mouse.move(x, y)
    screen.until("document.querySelector('#incidents-table .ag-row.is-hovered')")
    screen.page.mouse.click(x, y)
    expect(screen.page.locator(".inc-id")).to_have_text("a")


def test_black_spots_are_listed_with_their_history(
    screen: Screen, city: City, drawing: Any
) -> None:
    for number in range(3):
        case = city.report(drawing.middle(11), class_code="E0501", description=f"{number}")
        city.move(case.case.incident_id, "handle_on_spot", by="w1", role="grid_worker", note="劝离")
    screen.show(tab="spots", **{"class": "E0501"})
    spot = screen.page.locator(".inc-spot").first
    expect(spot).to_contain_text("复发 2 次")
    spot.locator("summary").click()
    spot.locator(".inc-link").first.click()
    expect(screen.page.locator(".inc-case-body")).to_contain_text("结案后又发生 2 次")


# --- who I am -------------------------------------------------------------------------------------


def test_nobody_moves_a_case_before_saying_who_they_are_and_the_page_says_there_is_no_sign_in(
    make_screen: Callable[..., Screen], city: City
) -> None:
    case = city.report(description="谁来办").case.incident_id
    screen = make_screen(None).open(f"/incidents?case={case}")
    page = screen.page
    expect(page.locator(".inc-moves")).to_contain_text("先选择你是谁")
    page.locator(".inc-moves button").click()
    expect(page.locator(".inc-dialog")).to_contain_text("没有登录")
    page.locator(".inc-person", has_text="孙派").click()
    expect(page.locator("[data-move=merge]")).to_be_visible()
    page.reload()
    expect(page.locator("#incidents-me")).to_contain_text("孙派")


# --- the phone ------------------------------------------------------------------------------------


@pytest.fixture
def phone(make_screen: Callable[..., Screen]) -> Screen:
    return make_screen(None, viewport=PHONE, has_touch=True)


def test_a_worker_handles_cases_on_a_phones_width(phone: Screen, city: City, drawing: Any) -> None:
    case = city.report(drawing.middle(0), description="手机上处置").case.incident_id
    phone.open("/worker")
    phone.page.locator(".inc-person", has_text="王小明").click()
    page = phone.page
    page.locator(f'.wk-case[data-open="{case}"]').click()
    phone.act("handle_on_spot", note="当场清掉")
    phone.stage("已结案")
    phone.shoot("worker-case")
    assert city.stage(case) == "closed"
    small = page.evaluate(
        """(() => ['button', 'a', 'input', 'select', 'textarea', 'summary']
          .flatMap((name) => [...document.querySelectorAll('.wk ' + name)])
          .filter((e) => e.offsetParent && !e.closest('.wk-map') && e.type !== 'checkbox')
          .map((e) => [e.textContent.trim() || e.id, e.getBoundingClientRect()])
          .filter(([, r]) => r.height < 43.5 || r.width < 43.5)
          .map(([text, r]) => text + ' ' + r.width + 'x' + r.height))()"""
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_report_without_signal_waits_on_the_phone_and_is_sent_by_a_touch(
    phone: Screen, city: City
) -> None:
    phone.open("/worker")
    phone.page.locator(".inc-person", has_text="王小明").click()
    page = phone.page
    phone.until("window.wangge.s.map && window.wangge.s.map.loaded()")
    page.locator("#incidents-report").click()
    page.locator("#worker-middle").click()
    expect(page.locator(".inc-place")).to_contain_text("网格")
    page.locator("#inc-report-class").fill("暴露垃圾")
    page.locator("#inc-report-class-list [role=option]").first.click()
    page.locator("#inc-report-text").fill("没有信号时写的")
    page.context.set_offline(True)
    page.locator("#inc-report button[type=submit]").click()
    expect(page.locator("#worker-outbox")).to_contain_text("没有信号时写的")
    page.context.set_offline(False)
    page.reload()
    expect(page.locator("#worker-outbox")).to_contain_text("没有信号时写的")
    phone.shoot("worker-outbox")
    page.locator("[data-resend]").click()
    expect(page.locator("#worker-outbox")).to_be_hidden()
    expect(page.locator("#worker-status")).to_contain_text("已上报")
    phone.troubles[:] = [t for t in phone.troubles if "ERR_INTERNET_DISCONNECTED" not in t]


def test_both_pages_speak_english(make_screen: Callable[..., Screen]) -> None:
    screen = make_screen("d1").open("/incidents?lang=en&tab=handling&case=a")
    expect(screen.page.locator("[data-tab=late]")).to_contain_text("Overdue")
    expect(screen.page.locator(".inc-case-title h2")).to_have_text("exposed rubbish")
    expect(screen.page.locator("[data-move=remark]")).to_have_text("Remark")
    screen.shoot("incidents-en")
    screen.open("/worker?lang=en")
    expect(screen.page.locator("#incidents-report")).to_have_text("Report a case")
