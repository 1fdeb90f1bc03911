"""A plan from submission to the past over HTTP and in a browser; comments; any day as it was.

The drawn city of twelve grids (see conftest), each of them one block, 200 and more households.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.coverage_routes import COVERAGE
from dashboards.plan_desk import Desk, desk_of
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words
from geo.io.workspace import Workspace, create_workspace
from geo.plan_rules import RULES

ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000
BOSS = {"by": "李强", "role": "planner"}
SECOND = "赵敏"
OUT = Path(__file__).resolve().parents[1] / "out"


@dataclass
class Desktop:
    """The server of a city that a test may change, and its plans."""

    store: Store
    desk: Desk
    client: FlaskClient
    ids: list[str]
    at: Any

    def draft(self, *edits: dict[str, Any]) -> str:
        plan_id = self.desk.book.create("调整", "王芳", self.at)
        for number, edit in enumerate(edits):
            self.desk.book.append(
                plan_id, edit_id=f"e{number}", edit=edit, by="王芳", on_seq=number, at=self.at
            )
        return plan_id

    @property
    def merge(self) -> dict[str, Any]:
        """Grids 0 (200 households) and 1 (210) become one."""
        return {"do": "merge", "grids": [self.ids[0], self.ids[1]], "into": self.ids[1]}

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        answer = self.client.get(path)
        return answer.status_code, answer.get_json()

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(path, json={**BOSS, **body})
        return answer.status_code, answer.get_json()

    def approve(self, plan: str) -> None:
        """Submitted by one person and approved by another."""
        assert self.post(f"/plan/{plan}/moves", state="review")[0] == 200
        assert self.post(f"/plan/{plan}/moves", state="approved", by=SECOND)[0] == 200


@pytest.fixture
def city(workspace: Workspace, drawing: Any) -> Iterator[Desktop]:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    app = create_app(store.settings, store)
    yield Desktop(store, desk_of(store), app.server.test_client(), drawing.ids, drawing.at)
    app.server.extensions[COVERAGE].stop()
    app.server.extensions["wangge-live"].close()


def test_every_rule_has_its_sentence_in_both_languages() -> None:
    for language in ("zh", "en"):
        words = Words(language)
        assert not [rule for rule in RULES if not words.has(f"planversions.rule.{rule}")]


def test_a_plan_goes_from_draft_to_a_version_and_the_past_stays(city: Desktop) -> None:
    plan = city.draft(city.merge)
    code, told = city.get(f"/plan/{plan}/moves")
    assert (code, told["state"], told["follows"]) == (200, "draft", ["review", "dropped"])
    code, told = city.post(
        f"/plan/{plan}/moves", state="review", note="请审", **{"from": "2026-11-22"}
    )
    assert (code, told["state"], told["from"]) == (200, "review", "2026-11-22")
    assert city.desk.book.moves(plan)["verdict"].notna().tolist() == [False, True]
    code, told = city.post(f"/plan/{plan}/moves", state="approved", by=SECOND)
    assert (code, told["follows"]) == (200, ["draft", "dropped", "publish"])
    code, told = city.post(f"/plan/{plan}/publish", **{"from": "2026-11-22"})
    assert (code, told["ok"], told["version"], told["follows"]) == (200, True, 2, [])
    assert "2026-11-22" in told["text"]
    # Ahead: today's city is the old one, tomorrow's the new one.
    assert len(city.store.workspace.grids(at=city.at)) == 12
    assert city.get("/plan/shown?at=2026-11-21")[1]["n"] == 12
    shown = city.get("/plan/shown?at=2026-11-21")[1]
    first = shown["features"][0]["properties"]
    assert (first["name"], first["households"]) == ("东湖第0网格", 200)
    tomorrow = city.get("/plan/shown?at=2026-11-22")[1]
    assert (tomorrow["n"], tomorrow["households"]) == (11, shown["households"])
    joined = {one["properties"]["name"]: one["properties"] for one in tomorrow["features"]}
    assert joined["东湖第1网格"]["households"] == 410
    versions = city.get("/plan/versions")[1]["versions"]
    assert [(v["version"], v["state"], v["total"]) for v in versions] == [
        (2, "ahead", 11),
        (1, "in_force", 12),
    ]
    assert (versions[0]["name"], versions[0]["by"], versions[0]["ended"]) == ("调整", "李强", 1)
    parents = city.get("/plan/versions/2/parents")[1]["parents"]
    assert [(p["name"], p["from_name"], p["change"], p["share"]) for p in parents] == [
        ("东湖第1网格", "东湖第0网格", "merged_from", 1.0),
        ("东湖第1网格", "东湖第1网格", "changed", 1.0),
    ]


def test_who_submitted_a_plan_does_not_approve_it_unless_the_city_says_so(
    city: Desktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = city.draft(city.merge)
    told = city.post(f"/plan/{plan}/moves", state="review")[1]
    assert (told["four_eyes"], told["submitter"]) == (True, "李强")
    code, told = city.post(f"/plan/{plan}/moves", state="approved", by=" 李 强")
    assert (code, told["code"]) == (409, "four_eyes")
    assert "李强" in told["error"]
    assert city.desk.book.row(plan)["state"] == "review"
    told = city.post(f"/plan/{plan}/moves", state="approved", by=SECOND)[1]
    assert [(m["state"], m["by"], m["submitter"], m["eyes"]) for m in told["moves"]] == [
        ("draft", "王芳", None, None),
        ("review", "李强", None, None),
        ("approved", SECOND, "李强", "four"),
    ]
    alone = city.draft(city.merge)
    monkeypatch.setattr(city.store, "settings", Settings(plan_four_eyes=False))
    for state in ("review", "approved"):
        code, told = city.post(f"/plan/{alone}/moves", state=state)
        assert (code, told["four_eyes"]) == (200, False)
    assert told["moves"][-1]["eyes"] == "two"


def test_what_was_published_ahead_is_never_a_draft_again(city: Desktop) -> None:
    plan = city.draft(city.merge)
    city.approve(plan)
    assert city.post(f"/plan/{plan}/publish", **{"from": "2026-12-01"})[0] == 200
    code, told = city.post(f"/plan/{plan}/moves", state="draft")
    assert (code, told["code"]) == (409, "state")
    assert city.post(f"/plan/{plan}/publish", **{"from": "2026-12-02"})[0] == 409


def test_the_gate_stands_before_review_and_says_why_in_the_words_of_the_page(city: Desktop) -> None:
    plan = city.draft()
    code, told = city.post(f"/plan/{plan}/moves", state="review")
    assert (code, told["code"], told["ok"]) == (409, "rules", False)
    assert [
        (f["rule"], f["text"]) for f in told["verdict"]["findings"] if f["severity"] == "error"
    ] == [("nothing_changed", "方案没有改动任何网格。")]
    assert city.desk.book.row(plan)["state"] == "draft"


def test_findings_have_a_place_and_the_name_of_their_grid(city: Desktop, drawing: Any) -> None:
    plan = city.draft(
        city.merge, {"do": "merge", "grids": [city.ids[1], city.ids[5]], "into": city.ids[1]}
    )
    told = city.get(f"/plan/{plan}/verdict?from=2026-01-01")[1]["verdict"]
    by_rule = {f["rule"]: f for f in told["findings"] if not f["was_so"]}
    assert by_rule["from_early"]["text"] == (
        "启用日期 2026-01-01 不晚于最新版本的启用日期 2026-01-01。"
    )
    high = by_rule["band_high"]
    assert high["text"] == "东湖第1网格有 660 户，多于 500 户。"
    west, south, east, north = high["box"]
    lon, lat = drawing.middle(0)
    assert west < lon < east
    assert south < lat < north
    assert by_rule["band_high"]["was_so"] is False


@pytest.mark.parametrize(
    ("path", "body", "code", "reason"),
    [
        ("moves", {"state": "in_force"}, 409, "state"),
        ("moves", {"state": "review", "from": "morgen"}, 400, "day"),
        ("moves", {"state": "review", "by": ""}, 400, "nobody"),
        ("publish", {}, 400, "day"),
        ("publish", {"from": "2026-12-01"}, 409, "state"),
        ("comments", {"text": " "}, 400, "comment"),
        ("comments", {"text": "x", "lon": 999, "lat": 1}, 400, "place"),
        ("comments", {"text": "", "lon": "x"}, 400, "place"),
        ("comments", {"text": "x", "lon": 10**400, "lat": [1]}, 400, "place"),
        ("comments", {"text": "x", "grid": "nope"}, 400, "place"),
        ("comments", {"text": ["x"]}, 400, "comment"),
        ("comments", {"text": "x", "reply_to": "nope"}, 400, "reply"),
    ],
    ids=[
        "no jump",
        "no day",
        "nobody",
        "day missing",
        "not approved",
        "empty",
        "nowhere",
        "no number",
        "too large",
        "no grid",
        "no text",
        "to nobody",
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    city: Desktop, path: str, body: dict[str, Any], code: int, reason: str
) -> None:
    plan = city.draft(city.merge)
    found, told = city.post(f"/plan/{plan}/{path}", **body)
    assert (found, told["code"]) == (code, reason)
    assert city.desk.book.row(plan)["state"] == "draft"


def test_two_grids_of_one_name_are_told_by_that_name(city: Desktop) -> None:
    edits = [{"do": "rename", "grid": city.ids[k], "name": "桃花网格"} for k in (0, 1)]
    told = city.get(f"/plan/{city.draft(*edits)}/verdict")[1]["verdict"]
    assert [f["text"] for f in told["findings"] if f["severity"] == "error"] == [
        "同一社区内有两个网格都叫“桃花网格”。",
        "同一社区内有两个网格都叫“桃花网格”。",
    ]


def test_sentences_of_rules_ask_only_for_figures_that_findings_have() -> None:
    known = {
        "name", "n", "block", "community", "area_m2", "what", "had", "has", "blocks",
        "households", "pieces", "code", "from_day", "newest", "low", "high", "compactness",
    }  # fmt: skip
    for language in ("zh", "en"):
        words = Words(language)
        for rule in RULES:
            assert words(f"planversions.rule.{rule}", **dict.fromkeys(known, "x"))


def test_an_unknown_plan_and_a_day_before_all_grids_are_not_found(city: Desktop) -> None:
    assert city.get("/plan/P0/moves")[0] == 404
    assert city.get("/plan/P0/verdict")[0] == 404
    assert city.get("/plan/P0/comments")[0] == 404
    assert city.client.get(f"/plan/versions/{10**23}/parents").status_code == 404
    assert city.get("/plan/shown?at=2020-01-01")[0] == 404
    assert city.get("/plan/shown")[0] == 400


def test_another_site_cannot_move_a_plan(city: Desktop) -> None:
    plan = city.draft(city.merge)
    answer = city.client.post(
        f"/plan/{plan}/moves", json={**BOSS, "state": "review"}, headers={"Origin": "http://x.y"}
    )
    assert answer.status_code == 403


def test_comments_have_replies_and_are_settled(city: Desktop, drawing: Any) -> None:
    plan = city.draft(city.merge)
    lon, lat = drawing.middle(0)
    code, told = city.post(
        f"/plan/{plan}/comments", text="太大了", lon=lon, lat=lat, grid=city.ids[1], key="k1"
    )
    assert code == 201
    # Sent twice, it is there once.
    told = city.post(f"/plan/{plan}/comments", text="太大了", lon=lon, lat=lat, key="k1")[1]
    assert [(c["id"], c["by"], c["lon"]) for c in told["comments"]] == [("k1", "李强", lon)]
    city.post(f"/plan/{plan}/comments", text="已改", reply_to="k1")
    assert said(city, plan) == ["还有 1 条批注未办结。"]
    told = city.post(f"/plan/{plan}/comments/k1/settle", done=True)[1]
    assert [(c["reply_to"], c["done"]) for c in told["comments"]] == [(None, "李强"), ("k1", None)]
    assert said(city, plan) == []
    told = city.post(f"/plan/{plan}/comments/k1/settle", done=False)[1]
    assert told["comments"][0]["done"] is None


def said(city: Desktop, plan: str) -> list[str]:
    """What the rules say that was not so before."""
    found = city.get(f"/plan/{plan}/verdict")[1]["verdict"]["findings"]
    return [f["text"] for f in found if not f["was_so"]]


def test_a_draft_whose_base_was_published_over_is_brought_up_to_date(city: Desktop) -> None:
    mine = city.draft({"do": "rename", "grid": city.ids[7], "name": "新名"})
    other = city.draft(city.merge)
    city.approve(other)
    assert city.post(f"/plan/{other}/publish", **{"from": "2026-12-01"})[0] == 200
    assert city.get(f"/plan/{mine}/moves")[1]["outdated"] is True
    told = city.get(f"/plan/{mine}/verdict")[1]["verdict"]
    assert [f["rule"] for f in told["findings"] if f["severity"] == "error"] == ["base_outdated"]
    code, told = city.post(f"/plan/{mine}/rebase")
    assert (code, told["outdated"]) == (200, False)
    assert city.get(f"/plan/{mine}/verdict")[1]["verdict"]["passed"] is True


def test_a_version_whose_day_has_come_is_in_force_when_somebody_looks(
    city: Desktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = city.draft(city.merge)
    city.approve(plan)
    city.post(f"/plan/{plan}/publish", **{"from": "2026-11-22"})
    later = city.at + timedelta(days=1)
    monkeypatch.setattr(city.store, "clock", lambda: later)
    assert city.get(f"/plan/{plan}/moves")[1]["state"] == "in_force"
    assert city.store.workspace.read("workers").loc["w1", "unit_code"] == city.ids[1]


def test_the_city_of_all_pages_changes_on_the_day_and_not_before(
    city: Desktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = city.draft(city.merge)
    city.approve(plan)
    city.post(f"/plan/{plan}/publish", **{"from": "2026-11-22"})
    today = city.store.refresh().city
    assert (len(today.grids), today.version) == (12, 1)
    assert today.until is not None
    assert today.until.astimezone(city.store.zone).isoformat() == "2026-11-22T00:00:00+08:00"
    monkeypatch.setattr(city.store, "clock", lambda: today.until)
    tomorrow = city.store.refresh().city
    assert (len(tomorrow.grids), tomorrow.version, tomorrow.until) == (11, 2, None)
    assert tomorrow.index is not None
    assert len(tomorrow.neighbours) == 11


# --- in the browser ------------------------------------------------------------------------------


def until(page: Page, script: str, value: Any = None) -> Any:
    """Poll, because the page's own policy forbids what `wait_for_function` does."""
    for _ in range(PATIENCE_MS // 50):
        found = page.evaluate(script, value)
        if found:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {script}\n{page.inner_text('body')[:1500]}")


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
def site(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Desktop]]:
    with create_workspace(tmp_path_factory.mktemp("versions") / "city") as workspace:
        drawing.fill(workspace)
        store = Store(workspace, Settings(), clock=lambda: drawing.at)
        app = create_app(store.settings, store)
        store.snapshot()
        server = make_server("127.0.0.1", 0, app.server, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        desk = Desktop(store, desk_of(store), app.server.test_client(), drawing.ids, drawing.at)
        yield f"http://127.0.0.1:{server.server_port}", desk
        app.server.extensions[COVERAGE].stop()
        app.server.extensions["wangge-live"].close()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.browser
def test_a_plan_is_commented_submitted_approved_published_and_the_past_is_shown(
    site: tuple[str, Desktop], browser: Browser, drawing: Any
) -> None:
    address, city = site
    plan = city.draft(city.merge)
    context = browser.new_context(viewport={"width": 1600, "height": 900}, locale="zh-CN")
    context.add_init_script(
        """localStorage.setItem("wangge-person", JSON.stringify(
          {by: "李强", name: "李强", role: "dispatcher", worker_id: null}))"""
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/planner?plan={plan}&tab=versions")
    until(page, "window.wangge && window.wangge.plan && window.wangge.plan.s && window.wangge.s.map"
                " && window.wangge.s.map.getLayer('plan-lines')")  # fmt: skip

    # A comment is pinned where the map is clicked, answered and settled.
    page.evaluate("window.wangge.plan.focusMap()")
    page.keyboard.press("c")
    until(page, "window.wangge.plan.current() === 'comment'")
    lon, lat = drawing.middle(1)
    spot = page.evaluate("(p) => window.wangge.plan.project(p[0], p[1])", [lon, lat])
    box = page.locator(".map-canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + spot["x"], box["y"] + spot["y"])
    until(page, "document.getElementById('pv-comment') !== null")
    page.locator("#pv-comment").fill("两格合并后请核对户数")
    page.locator("#pv-comment-send").click()
    page.locator("[data-comment]").wait_for()
    pinned = city.desk.book.comments(plan).iloc[0]
    assert abs(pinned["lon"] - lon) < 2e-5
    assert abs(pinned["lat"] - lat) < 2e-5
    assert pinned["grid_id"] == city.ids[1]
    page.locator("[data-comment] [data-do=reply]").click()
    page.locator("#pv-reply").fill("已核对")
    page.locator(".pv-comment button[type=submit]").click()
    page.locator(".pv-replies li").wait_for()
    page.locator("[data-comment] [data-do=settle]").click()
    page.locator(".pv-settled").wait_for()

    # The rules, then every state in turn.
    page.locator("[data-tab=versions]").click()
    page.locator("#pv-judge").click()
    page.locator("#pv-verdict.is-passed, #pv-verdict.is-warned").wait_for()
    page.locator("#pv-from").fill("2026-11-22")
    page.locator("[data-do=review]").click()
    page.locator("#pv-state[data-state=review]").wait_for()
    assert until(page, "window.wangge.plan.s.readOnly")
    # Whoever submitted it waits for somebody else.
    assert "另一个人批准" in page.locator("#pv-eyes.is-stop").inner_text()
    assert page.locator("[data-do=approved]").is_disabled()
    page.evaluate("window.wangge.cases.setMe({id: '', name: '赵敏', role: 'dispatcher'})")
    page.locator("[data-do=approved]").click()
    page.locator("#pv-state[data-state=approved]").wait_for()
    assert "李强提交，赵敏批准" in page.locator(".pv-eyes.is-four").inner_text()
    assert page.locator("#pv-from").input_value() == "2026-11-22"
    page.locator("[data-do=publish]").click()
    page.locator("#pv-state[data-state=ahead]").wait_for()
    assert "2026-11-22" in page.locator("#pv-said").inner_text()

    # Any day as it was.
    page.locator("[data-parents='2']").click()
    page.locator(".pv-parents li").first.wait_for()
    for day, count in (("2026-11-21", 12), ("2026-11-22", 11)):
        page.locator("#pv-past-day").fill(day)
        page.locator("#pv-past-show").click()
        until(page, "(n) => document.getElementById('pv-past-said').textContent.includes(n)",
              f"{day}：{count} 个网格")  # fmt: skip
        assert page.locator(".pv-past-table tbody tr").count() == count
    # Names of that day stand on the map, those of the plan make way.
    assert page.evaluate("getComputedStyle(document.getElementById('plan-names')).visibility") == (
        "hidden"
    )
    until(
        page,
        """(() => { const at = document.getElementById('pv-names');
      const { data } = at.getContext('2d').getImageData(0, 0, at.width, at.height);
      return data.some((value) => value > 0) })()""",
    )
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=str(OUT / "plan-versions.png"))
    page.locator("#pv-past-clear").click()
    assert page.locator("#pv-past-said").inner_text() == ""
    context.close()
    assert not errors
