"""Automatic division on `/planner`: jobs in a process of their own, routes, a browser.

The drawn city of twelve grids (see conftest), each of nine blocks: block ids are grid row + "-" +
number, say 5-4 for the middle of grid 5; every block has 20 households, so a grid has 180.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask.testing
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.coverage_routes import COVERAGE
from dashboards.divide_loads import read_load, read_roads_near
from dashboards.divide_routes import jobs_of
from dashboards.divide_worker import look
from dashboards.plan_desk import desk_of
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words
from geo.io.planbook import PlanBook
from geo.io.workspace import Workspace, create_workspace

ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PERSON = """localStorage.setItem("wangge-person", JSON.stringify(
  {by: "boss", name: "boss", role: "planner", worker_id: null}))"""
WEST, SOUTH, SIDE, HOMES = 114.3, 30.5, 0.002, 20
PATIENCE_S = 60
OUT = Path(__file__).resolve().parents[1] / "out"
ME = {"by": "boss", "role": "planner"}


def fill_blocks(workspace: Workspace, drawing: Any) -> None:
    def corner(column: int, row: int) -> tuple[float, float]:
        return round(WEST + SIDE / 3 * column, 9), round(SOUTH + SIDE / 3 * row, 9)

    names, codes, shapes = [], [], []
    for grid in range(12):
        c, r = 3 * (grid % 4), 3 * (grid // 4)
        for k in range(9):
            x, y = c + k % 3, r + k // 3
            names.append(f"{grid}-{k}")
            codes.append(drawing.ids[grid][:12])
            around = ((0, 0), (1, 0), (1, 1), (0, 1))
            shapes.append(shapely.Polygon([corner(x + a, y + b) for a, b in around]))
    blocks = gpd.GeoDataFrame(
        {"block_id": names, "community_code": codes, "households": HOMES, "population": 50},
        geometry=shapes,
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "blocks", blocks)


@dataclass
class Site:
    address: str
    store: Store
    book: PlanBook
    client: flask.testing.FlaskClient
    ids: list[str]

    def plan(self) -> str:
        return self.book.create("起点", "boss", self.store.clock())

    def ask(self, plan_id: str, **body: Any) -> Any:
        asked = {"band": [150, 200], "effort": "fast", **ME, **body}
        return self.client.post(f"/plan/divide/{plan_id}", json=asked)

    def look(self, job: str) -> dict[str, Any]:
        return self.client.get(f"/plan/divide/jobs/{job}").get_json()

    def wait(self, job: str, *states: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            body = self.look(job)
            if body["state"] in (states or ("done", "failed")):
                return body
            time.sleep(0.05)
        raise AssertionError(f"never {states}: {body}")


@pytest.fixture(scope="module")
def site(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with create_workspace(tmp_path_factory.mktemp("divide") / "city") as workspace:
        drawing.fill(workspace)
        fill_blocks(workspace, drawing)
        store = Store(workspace, Settings(), clock=lambda: drawing.at)
        app = create_app(store.settings, store)
        store.snapshot()
        server = make_server("127.0.0.1", 0, app.server, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Site(
            f"http://127.0.0.1:{server.server_port}", store, desk_of(store).book,
            app.server.test_client(), list(drawing.ids),
        )  # fmt: skip
        jobs_of(app.server).close()
        app.server.extensions[COVERAGE].stop()
        app.server.extensions["wangge-live"].close()
        server.shutdown()
        thread.join()
        server.server_close()


def grids_of(site: Site, plan_id: str) -> pd.Series:
    return site.book.open(plan_id).plan.assignment


# --- routes and jobs ------------------------------------------------------------------------------


def test_a_division_becomes_a_draft_in_which_every_grid_is_in_the_band(site):
    first = site.plan()
    told = site.ask(first, band=[250, 400], fresh=True)
    assert told.status_code == 202
    body = site.wait(told.get_json()["job"])
    assert body["state"] == "done"
    assert body["result"]["totals"]["bad"] == 0
    made = site.client.post(
        f"/plan/divide/jobs/{told.get_json()['job']}/draft", json={**ME, "name": "宽一些"}
    )
    assert made.status_code == 201
    opened = site.book.open(made.get_json()["id"])
    table = opened.plan.table()
    assert table["households"].between(250, 400).all()
    assert opened.plan.assignment.notna().all()
    assert not opened.base.rest_grids(opened.plan)
    # What is new has an id that no grid had, so no duty moves by accident.
    assert not set(table.index) & set(site.ids)
    again = site.client.post(
        f"/plan/divide/jobs/{told.get_json()['job']}/draft", json={**ME, "name": "宽一些"}
    )
    assert again.get_json()["id"] == made.get_json()["id"]


def test_a_plan_in_the_band_is_left_as_it_is(site):
    plan_id = site.plan()
    body = site.wait(site.ask(plan_id, band=[150, 200]).get_json()["job"])
    assert body["result"]["changes"] == {}
    assert body["result"]["totals"]["moved"] == 0


def test_a_repair_without_new_grids_is_one_edit_of_the_draft_that_can_be_undone(site):
    plan_id = site.plan()
    book, at = site.book, site.store.clock()
    blocks = [f"0-{k}" for k in (2, 5, 8)]
    edit = {"do": "paint", "blocks": blocks, "grid": site.ids[1], "along": False}
    book.append(plan_id, edit_id="e1", edit=edit, by="boss", on_seq=0, at=at)
    body = site.wait(site.ask(plan_id, band=[150, 210]).get_json()["job"])
    changes = body["result"]["changes"]
    assert changes
    assert body["result"]["totals"]["moved"] == HOMES * len(changes)
    done = book.append(
        plan_id, edit_id="e2", edit={"do": "assign", "blocks": changes}, by="boss", on_seq=1, at=at
    )
    assert done.plan.table()["households"].between(150, 210).all()
    assert len(changes) <= 3
    undone = book.append(plan_id, edit_id="e3", edit={"do": "undo"}, by="boss", on_seq=2, at=at)
    assert undone.plan.assignment[blocks].eq(site.ids[1]).all()


def test_a_draft_with_cut_blocks_is_divided_by_them_and_becomes_a_new_draft(site):
    plan_id = site.plan()
    book, at = site.book, site.store.clock()
    first = book.open(plan_id).plan
    west, south, east, north = first.ground.polygon(first.block_rows["0-4"]).bounds
    middle = (west + east) / 2
    edits = [
        {"do": "cut", "block": "0-4", "line": [[middle, south - 5], [middle, north + 5]]},
        {"do": "paint", "blocks": ["0-2", "0-5", "0-8"], "grid": site.ids[1], "along": False},
    ]
    for seq, edit in enumerate(edits):
        book.append(plan_id, edit_id=f"c{seq}", edit=edit, by="boss", on_seq=seq, at=at)
    cut = grids_of(site, plan_id)
    assert len(cut) == 109
    job = site.ask(plan_id, band=[150, 210]).get_json()["job"]
    assert site.wait(job)["result"]["changes"]
    asked = {**ME, "name": "切开的"}
    made = site.client.post(f"/plan/divide/jobs/{job}/draft", json=asked)
    assert made.status_code == 201
    new = book.open(made.get_json()["id"]).plan
    assert set(new.assignment.index) == set(cut.index)
    assert new.table()["households"].between(150, 210).all()
    again = site.client.post(f"/plan/divide/jobs/{job}/draft", json=asked)
    assert again.get_json()["id"] == made.get_json()["id"]
    assert grids_of(site, plan_id).equals(cut)


def test_every_metre_of_street_is_walked_once(site):
    with desk_of(site.store).open(site.plan()) as entry:
        units = entry.plan.blocks_frame()
    words = Words("zh")
    load = read_load(site.store, units, {"street_km": 1}, words)
    roads = read_roads_near(site.store, units)
    near = units.union_all().buffer(15)
    walked = roads[roads["road_class"].isin(["arterial", "main", "minor"])].intersection(near)
    assert load.sum() * 1000 == pytest.approx(walked.length.sum(), abs=30)
    assert load.sum() > 0


def test_only_the_chosen_grids_and_communities_change_and_locked_ones_stay(site):
    plan_id = site.plan()
    before = grids_of(site, plan_id)
    chosen = [site.ids[0], site.ids[1]]
    job = site.ask(plan_id, band=[60, 120], grids=chosen, fresh=True).get_json()["job"]
    site.wait(job)
    made = site.client.post(f"/plan/divide/jobs/{job}/draft", json={**ME, "name": "两格"})
    after = grids_of(site, made.get_json()["id"])
    same = before[~before.isin(chosen)]
    assert after[same.index].equals(same)
    assert after[before.isin(chosen)].nunique() > 2

    lock = {"do": "lock", "grids": [site.ids[0]], "on": True}
    site.book.append(plan_id, edit_id="l", edit=lock, by="boss", on_seq=0, at=site.store.clock())
    job = site.ask(
        plan_id, band=[60, 120], communities=[site.ids[0][:12]], fresh=True
    ).get_json()["job"]  # fmt: skip
    site.wait(job)
    made = site.client.post(f"/plan/divide/jobs/{job}/draft", json={**ME, "name": "锁定"})
    after = grids_of(site, made.get_json()["id"])
    assert list(after.index[after == site.ids[0]]) == list(before.index[before == site.ids[0]])


def test_a_community_may_have_a_band_of_its_own_and_people_may_weigh(site):
    plan_id = site.plan()
    two = site.ids[-1][:12]
    told = site.ask(
        plan_id, band=[150, 200], bands={two: [80, 100]}, fresh=True,
        weights={"households": 1, "population": 0.02, "assets": 0},
    )  # fmt: skip
    body = site.wait(told.get_json()["job"])
    assert body["state"] == "done"
    assert body["result"]["totals"]["load"] == pytest.approx(108 * 21)
    assert body["result"]["totals"]["grids"] >= 5 + 11


def test_incidents_and_assets_can_be_counted_as_work(site):
    plan_id = site.plan()
    told = site.ask(
        plan_id, band=[10, 10_000], weights={"households": 1, "incidents": 2, "assets": 3}
    )
    assert told.status_code == 202
    assert site.wait(told.get_json()["job"])["state"] == "done"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"band": [300, 200]}, "户数区间不成立"),
        ({"band": ["x", 2]}, "户数区间不成立"),
        ({"bands": {"420102001001": [0, 5]}}, "户数区间不成立"),
        ({"weights": {"households": -1}}, "权重不成立"),
        ({"weights": {"households": 0}}, "权重不成立"),
        ({"communities": ["nowhere"]}, "所选范围里没有地块"),
        ({"grids": ["none"]}, "所选范围里没有地块"),
        ({"by": ""}, "您是谁"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(site, body, words):
    told = site.ask(site.plan(), **body)
    assert told.status_code in (400, 422)
    assert words in told.get_json()["error"]


def test_unknown_plans_and_jobs_are_not_found(site):
    assert site.ask("P1").status_code == 404
    assert site.client.get("/plan/divide/jobs/x").status_code == 404
    assert (
        site.client.post("/plan/divide/jobs/x/draft", json={**ME, "name": "a"}).status_code == 404
    )


def test_a_job_that_is_stopped_keeps_a_lawful_plan(site):
    plan_id = site.plan()
    job = site.ask(plan_id, band=[55, 65], fresh=True, effort="full").get_json()["job"]
    site.client.post(f"/plan/divide/jobs/{job}/stop", json={})
    body = site.wait(job)
    assert body["state"] == "done"
    made = site.client.post(f"/plan/divide/jobs/{job}/draft", json={**ME, "name": "停"})
    opened = site.book.open(made.get_json()["id"])
    assert opened.plan.assignment.notna().all()
    assert not opened.base.joined


def test_the_process_ends_with_its_server_however_that_ends():
    # A server that is killed cannot say so: the pipe that closes tells.
    worker = subprocess.Popen(
        [sys.executable, "-m", "dashboards.divide_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(PATIENCE_S) != 0
    assert worker.stdout is not None
    worker.stdout.close()


def test_a_process_that_dies_is_told_as_a_failure(site):
    plan_id = site.plan()
    job_id = site.ask(plan_id, effort="full", fresh=True, band=[55, 65]).get_json()["job"]
    app = site.client.application
    job = jobs_of(app).find(job_id)
    process = job.process
    if process is not None:
        os.kill(process.pid, signal.SIGKILL)
    assert site.wait(job_id, "failed", "done")["state"] in ("failed", "done")
    assert site.look(job_id)["state"] == job.state


def test_a_look_says_how_each_grid_stands():
    labels = np.array([7, 7, 9, -1, 3, 5])
    load = np.array([10.0, 10, 50, 5, 5, 500])
    limits = np.tile([10.0, 40.0], (6, 1))
    found = look(labels, load, limits)
    assert np.frombuffer(found["labels"], np.int32).tolist() == [2, 2, 3, -1, 0, 1]
    # 3: 5 is below, 5: 500 stands alone, 7: 20 is in the band, 9: 50 is one unit too large, alone.
    assert np.frombuffer(found["status"], np.int8).tolist() == [-1, 2, 0, 2]
    assert (found["grids"], found["bad"], found["off"], found["units"]) == (4, 1, 5.0, 5)


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on this machine: apt-get install chromium, or run make system")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield started
        started.close()


def until(page: Page, script: str, value: Any = None) -> Any:
    for _ in range(PATIENCE_S * 20):
        found = page.evaluate(script, value)
        if found:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {script}\n{page.inner_text('body')[:800]}")


@pytest.mark.browser
def test_a_planner_divides_watches_stops_and_takes_over(site, browser):
    context = browser.new_context(viewport={"width": 1500, "height": 900})
    context.add_init_script(PERSON)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    plan_id = site.plan()
    page.goto(f"{site.address}/planner?plan={plan_id}&tab=divide")
    until(page, "window.wangge && window.wangge.plan && window.wangge.plan.s && window.wangge.s.map"
                " && window.wangge.s.map.getLayer('plan-lines')")  # fmt: skip
    page.get_by_role("tab", name="自动划分").click()
    page.get_by_label("重新划分").check()
    page.locator("#plan-divide .pd-number").first.fill("55")
    page.locator("#plan-divide .pd-number").nth(1).fill("65")
    page.locator("#pd-start").click()
    until(page, "window.wangge.plan.divide.looks > 0 || window.wangge.plan.divide.state === 'done'")
    if page.evaluate("window.wangge.plan.divide.state") == "working":
        page.locator("#pd-stop").click()
    until(page, "window.wangge.plan.divide.state === 'done'")
    # The best so far is on the map, and in words beside it.
    shown = """() => ['in', 'low', 'high', 'big', 'lines'].map((name) => {
        const source = window.wangge.s.map.getSource('plan-over-divide-' + name);
        const data = source ? source.serialize().data : null;
        if (!data) return 0;
        return data.features ? data.features.length : data.geometry.coordinates.length; })"""
    counts = page.evaluate(shown)
    assert sum(counts[:4]) == 108
    assert counts[4] > 20
    told = page.inner_text("#plan-divide")
    assert "用时" in told
    assert "存为新草稿" in told
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=OUT / "planner-divide.png")
    page.locator("#pd-name").fill("停下的划分")
    page.locator("#pd-draft").click()
    until(page, "(id) => window.wangge.plan.s && window.wangge.plan.s.id !== id", plan_id)
    made = page.evaluate("window.wangge.plan.s.id")
    opened = site.book.open(made)
    assert opened.name == "停下的划分"
    assert opened.plan.assignment.notna().all()
    table = opened.plan.table()
    assert table["households"].sum() == 108 * HOMES
    assert not errors
    context.close()
