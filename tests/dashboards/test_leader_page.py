"""The leader's page and report: figures of a drawn city, in its words, in a real Chromium."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from browsers import PATIENCE_MS, Chromium
from click.testing import CliRunner
from flask.testing import FlaskClient
from playwright.sync_api import Page
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.commands.report_command import command
from dashboards.components.leader_book import report_book
from dashboards.components.leader_hidden import hide_small, units_above
from dashboards.components.leader_parts import MARKS, headline
from dashboards.components.leader_rates import SHOWN, indicators
from dashboards.components.leader_table import patrol_note, rank_table
from dashboards.leader_desk import LeaderDesk
from dashboards.leader_routes import LEADER
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words
from geo.compare import NOTES, PERIOD_KINDS, VERDICTS
from geo.errors import InputError
from geo.evaluate import INDICATORS, REASONS
from geo.hotspots import CLASSES
from geo.io.workspace import Workspace, create_workspace
from geo.leader import LeaderChoice

OUT = Path(__file__).resolve().parents[1] / "out"
WEEKS = 110


def history(drawing: Any) -> gpd.GeoDataFrame:
    """Two years: four cases a week in each grid, and from three weeks ago twenty in grid 5."""
    rng = np.random.default_rng(7)
    records = []
    for week in range(WEEKS):
        for k in range(12):
            count = int(rng.poisson(20 if week < 3 and k == 5 else 4))
            x, y = drawing.middle(k)
            for _ in range(count):
                at = drawing.at - timedelta(days=7 * week + rng.uniform(0.2, 6.8))
                records.append(
                    {
                        "incident_id": f"h{len(records):05d}",
                        "class_code": "E0102" if k == 5 and week < 3 else "E0201",
                        "lon": x + rng.uniform(-8e-4, 8e-4), "lat": y + rng.uniform(-8e-4, 8e-4),
                        "reported_at": at, "stage": "closed",
                        "deadline": at + timedelta(days=2),
                        "closed_at": at + timedelta(hours=float(rng.uniform(2, 60))),
                    }
                )  # fmt: skip
    x, y = drawing.middle(7)
    for k in range(8):
        # A shed that is put up again every other week, at one place.
        at = drawing.at - timedelta(days=14 * k + 3)
        records.append(
            {
                "incident_id": f"s{k}", "class_code": "E0101", "lon": x, "lat": y,
                "reported_at": at, "stage": "closed" if k else "handling",
                "deadline": at + timedelta(days=2),
                "closed_at": at + timedelta(hours=30) if k else None,
            }
        )  # fmt: skip
    frame = pd.DataFrame(records)
    return gpd.GeoDataFrame(
        frame, geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs="EPSG:4326"
    )


@pytest.fixture(scope="module")
def city(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with create_workspace(tmp_path_factory.mktemp("leader") / "city") as workspace:
        drawing.fill(workspace)
        with workspace.writing() as conn:
            workspace.append(conn, "incidents", history(drawing))
        # This city has its own word for one of our classes.
        (workspace.path / "rules").mkdir(exist_ok=True)
        (workspace.path / "rules/event_classes.csv").write_text(
            "code,group,zh,en\n0201,advertising,牛皮癣,stickers\n", encoding="utf-8"
        )
        yield workspace


@pytest.fixture(scope="module")
def store(city: Workspace, drawing: Any) -> Store:
    found = Store(city, Settings(), clock=lambda: drawing.at)
    found.columns.refresh()
    return found


@pytest.fixture(scope="module")
def app(store: Store) -> Any:
    return create_app(store.settings, store)


@pytest.fixture(scope="module")
def client(app: Any) -> FlaskClient:
    found: FlaskClient = app.server.test_client()
    return found


def view(client: FlaskClient, query: str = "", language: str = "zh") -> dict[str, Any]:
    for _ in range(120):
        answer = client.get(f"/leader/view?lang={language}&{query}")
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.get_data(as_text=True)
            body: dict[str, Any] = answer.get_json()
            return body
    raise AssertionError("the figures never came")


def refused(client: FlaskClient, query: str, language: str = "zh") -> str:
    """The sentence of a refusal; a choice that is still looked at is asked for again."""
    for _ in range(120):
        answer = client.get(f"/leader/view?lang={language}&{query}")
        if answer.status_code != 202:
            assert answer.status_code == 400
            return str(answer.get_json()["error"])
    raise AssertionError("the figures never came")


def text(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


# --- figures and words ----------------------------------------------------------------------------


def test_the_briefing_says_what_got_worse_where_since_when_and_what(client: FlaskClient) -> None:
    body = view(client)
    brief = text(body["html"]["brief"])
    assert "东街街道" in brief
    assert "自 2026年1" in brief  # a day of October or November
    assert "暴露垃圾" in brief
    assert "明显上升" in body["html"]["table"]
    assert body["maps"]["change"]["note"].startswith("1 个明显上升，0 个明显下降")


def test_rows_of_the_page_add_up_to_its_lead(client: FlaskClient, city: Workspace) -> None:
    body = view(client)
    cases = city.read("incidents")
    november = cases["reported_at"] >= pd.Timestamp("2026-11-01", tz="Asia/Shanghai")
    count = int(november.sum())
    assert f"<b>{count:,}</b>" in body["html"]["head"]
    cells = re.findall(r'is-total">.*?class="n">([\d,]+)<', body["html"]["table"])
    assert int(cells[0].replace(",", "")) == count
    classes = re.findall(r"<tfoot>.*?class=\"n\">([\d,]+)<", body["html"]["classes"])
    assert int(classes[0].replace(",", "")) == count


def test_a_click_leads_down_and_the_total_is_the_row_that_was_clicked(client: FlaskClient) -> None:
    top = view(client)
    code = re.search(r'data-area="(\d+)">东街街道', top["html"]["table"])
    assert code is not None
    row = re.search(rf'data-code="{code[1]}">.*?class="n">.*?class="n">([\d,]+)<',
                    top["html"]["table"])  # fmt: skip
    below = view(client, f"area={code[1]}")
    assert row is not None
    assert f"<b>{row[1]}</b>" in below["html"]["head"]
    assert [step["name"] for step in below["path"]][-1] == "东街街道"


def test_a_figure_names_the_cases_behind_it(client: FlaskClient) -> None:
    body = view(client)
    cell = re.search(r'title="(\d+) / (\d+)" data-explain="(\d+)\|on_time_closing_rate"',
                     body["html"]["area"])  # fmt: skip
    assert cell is not None
    answer = client.get(
        f"/leader/explain?by=area&code={cell[3]}&indicator=on_time_closing_rate"
    ).get_json()
    assert (answer["hit"]["n"], answer["hit"]["n"] + answer["missed"]["n"]) == (
        int(cell[1]), int(cell[2]),
    )  # fmt: skip
    assert set(answer["hit"]["ids"]).isdisjoint(answer["missed"]["ids"])


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("area=nowhere", "没有这样的范围"), ("level=nation", "没有这样的范围"),
        ("class=E9999", "没有这样的范围"), ("day=yesterday", "日期写错了：yesterday"),
        ("kind=span&day=2026-05-02&last=2026-05-01", "写反了"),
    ],
)  # fmt: skip
def test_a_choice_that_cannot_be_gets_a_sentence(
    client: FlaskClient, query: str, word: str
) -> None:
    assert word in refused(client, query)


def test_everything_that_figures_can_say_has_words() -> None:
    for language in ("zh", "en"):
        words = Words(language)
        for word in (*VERDICTS, "hidden"):
            assert words(f"leader.verdict.{word}")
            assert word in MARKS
        for word in (*REASONS, "hidden"):
            assert not word or words(f"leader.reason.{word}")
        assert all(words(f"leader.note.{word}") for word in NOTES)
        assert all(words.has(f"leader.period.{kind}") for kind in PERIOD_KINDS)
        assert all(words(f"leader.hot.{kind}") for kind in CLASSES)
        for name in INDICATORS:
            for part in ("name", "numerator", "denominator"):
                assert words(f"evaluate.{part}.{name}")
    assert set(SHOWN) <= set(INDICATORS)


def test_each_unit_has_its_patrols_of_known_days_and_who_answers(client: FlaskClient) -> None:
    table = view(client)["html"]["table"]
    heads = re.findall(r'scope="col"[^>]*>([^<]+)<', table)
    assert heads[-4:-1] == ["轮次", "覆盖", "责任人"]
    rows = re.findall(r"<tr[^>]*>.*?</tr>", table)
    cells = {len(re.findall(r"<t[dh]", row)) for row in rows if "data-code" in row}
    assert cells == {len(heads)}
    assert "没有存下巡查轨迹，未知" in text(table)


def test_days_with_tracks_are_named_and_the_others_are_not_zero(
    drawing: Any, tmp_path: Path
) -> None:
    with create_workspace(tmp_path / "city") as workspace:
        drawing.fill(workspace)
        x, y = drawing.middle(0)
        moments = pd.date_range("2026-11-19 08:00", periods=240, freq="15s", tz="Asia/Shanghai")
        walk = x + np.linspace(-8e-4, 8e-4, len(moments))
        who = str(workspace.read("workers").index[0])
        fixes = pd.DataFrame({"worker_id": who, "time": moments, "lon": walk, "lat": y})
        with workspace.writing() as conn:
            workspace.append(conn, "fixes", fixes)
        desk = LeaderDesk(Store(workspace, Settings(), clock=lambda: drawing.at))
        desk._store.columns.refresh()
        found = desk.ask(LeaderChoice(), patience_s=PATIENCE_MS / 1000, whole=True)
    assert found is not None
    assert (found.patrols.wanted, found.patrols.waiting) == (20, 0)
    assert [day.isoformat() for day in found.patrols.days] == ["2026-11-19"]
    note = patrol_note(found.patrols, Words("zh"))
    assert "20 天中有轨迹的 1 天（2026年11月19日）" in note
    assert "其余 19 天没有轨迹" in note
    rate = found.areas.table.xs("area_coverage_rate", level="indicator")
    total = found.patrol.loc["(total)"]
    assert rate["numerator"].sum() == pytest.approx(total["covered_m"])


def test_what_may_be_chosen_is_what_the_area_has(client: FlaskClient) -> None:
    body = view(client)
    found = body["choosers"]
    assert [one["level"] for one in found["levels"]][:4] == [
        "city", "district", "street", "community",
    ]  # fmt: skip
    classes = {one["code"]: one for group in found["classes"] for one in group["classes"]}
    names = [classes[code]["name"] for code in ("E0201", "E0101")]
    assert names == ["牛皮癣", "私搭乱建"]
    told = view(client, "class=E0201")
    assert f"<b>{classes['E0201']['n']:,}</b>" in told["html"]["head"]
    # Whoever chose a class can still choose another one.
    again = {one["code"] for group in told["choosers"]["classes"] for one in group["classes"]}
    assert again == set(classes)
    assert told["choosers"]["chosen"] == ["E0201"]
    street = view(client, "area=420102001000")
    assert "street" not in [one["level"] for one in street["choosers"]["levels"]]


def test_a_citys_own_names_stand_everywhere(client: FlaskClient) -> None:
    body = view(client)
    assert "牛皮癣" in text(body["html"]["classes"])
    assert "非法小广告" not in str(body["html"])
    book = openpyxl.load_workbook(io.BytesIO(client.get("/leader/report.xlsx?lang=zh").data))
    cells = {cell.value for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "牛皮癣" in cells
    assert "非法小广告" not in cells


def test_a_place_that_comes_back_is_told_with_who_answers(client: FlaskClient) -> None:
    body = view(client, "class=E0101")
    rows = re.findall(r"<tr>(.*?)</tr>", body["html"]["spots"])
    (row,) = [text(found) for found in rows if "私搭乱建" in found]
    assert "南湖第7网格" in row
    assert "2026-08-12 至 2026-11-18" in row
    assert "8 件，8 天，52 周中的 8 周" in " ".join(row.split())
    mark = next(spot for spot in body["spots"] if "南湖第7网格" in spot["text"])
    assert (mark["lon"], mark["lat"]) == pytest.approx((114.307, 30.503), abs=2e-3)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("class=E9999", "类别：E9999"), ("kind=week&day=0001-01-01", "太远了"),
        ("day=9999-12-31", "太远了"), ("area=zz", "zz。请返回全市"),
        ("kind=span&day=2026-05-02&last=2026-05-01", "请对调两个日期"),
        ("kind=span&day=1980-05-02&last=2026-05-01", "最长十年"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_one_sentence(client: FlaskClient, query: str, word: str) -> None:
    said = refused(client, query)
    assert word in said
    # No English half stands in a Chinese page.
    assert not re.search(r"[a-z]{3,}", said)
    assert not re.search(r"[一-鿿]", refused(client, query, "en"))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_period_that_has_not_begun_tells_no_change(client: FlaskClient, language: str) -> None:
    html = view(client, "day=2031-01-01", language)["html"]
    assert ("还没有开始" if language == "zh" else "has not begun") in html["head"]
    assert ("无法判断哪里变差" if language == "zh" else "Too few records") in html["brief"]
    assert "%" not in text(html["table"])


def test_a_month_without_any_record_is_missing_and_never_zero(
    app: Any, client: FlaskClient, store: Store
) -> None:
    html = view(client, "kind=month&day=2020-03-10")["html"]
    head = text(html["head"])
    assert "缺少记录：全市没有一件上报" in head
    assert "最近有记录的月份：2026年11月" in head
    assert 'href="/leader?kind=month&amp;day=2026-11-01&amp;lang=zh"' in html["head"]
    assert re.search(r"上报（件）\s*–", head)
    rows = re.findall(r'<tr data-code="[^"]+">.*?</tr>', html["table"])
    assert rows
    assert all(text(row).split()[2] == "–" for row in rows)
    assert "没有一条记录" in html["classes"]
    # The workbook tells no zero of it either, and computes nothing from what is not there.
    told = figures(app, LeaderChoice("month", date(2020, 3, 10)))
    target = io.BytesIO()
    report_book(target, store, told, Words("zh"))
    sheet = openpyxl.load_workbook(target).worksheets[0]
    table = [[cell.value for cell in row] for row in sheet.iter_rows()]
    start = next(k for k, row in enumerate(table) if row[0] == "编码")
    for row in table[start + 1 :]:
        assert [value for value in row[2:9] if value is not None] == []
    assert "<a " not in str(headline(told, Words("zh"), links=False))


def test_an_indicator_that_nobody_has_is_one_line_with_its_reason(app: Any) -> None:
    told = figures(app)
    table = told.areas.table.copy()
    rows = table.index.get_level_values("indicator") == "closing_rate"
    table.loc[rows, ["value", "numerator", "denominator"]] = np.nan
    table.loc[rows, "reason"] = "no_deadline"
    table.loc[rows, "unknown"] = 7
    found = replace(told, areas=replace(told.areas, table=table))
    words = Words("zh")
    head = text(str(headline(found, words)))
    assert "0 / 0" not in head
    assert words("leader.reason.no_deadline") in head
    page = str(indicators(found, words))
    assert "结案率（没有规定时限）" in text(page)
    assert ">结案率</th>" not in page
    assert "/100 分" in page
    table["value"] = np.nan
    none = str(indicators(replace(told, areas=replace(told.areas, table=table)), words))
    assert "件没有时限或流转记录，无法考核" in none


def test_a_long_name_is_cut_and_whole_in_its_title(app: Any) -> None:
    told = figures(app)
    units = told.view.units.assign(name="长" * 400)
    page = str(rank_table(replace(told, view=replace(told.view, units=units)), Words("zh")))
    assert page.count(f'title="{"长" * 400}"') == len(units)
    assert "ld-cut" in page


# --- the file -------------------------------------------------------------------------------------


def figures(app: Any, choice: LeaderChoice | None = None) -> Any:
    return app.server.extensions[LEADER].ask(choice or LeaderChoice(), patience_s=120)


def test_small_groups_leave_the_report_and_sums_stay(app: Any) -> None:
    told = figures(app, LeaderChoice("day"))
    hidden = hide_small(told, 5)
    small = told.view.units[told.view.units[["now", "then"]].min(axis=1).between(1, 4)]
    assert len(small)
    assert hidden.view.units.loc[small.index, "now"].isna().all()
    assert (hidden.view.units.loc[small.index, "verdict"] == "hidden").all()
    assert hidden.view.total["now"] == told.view.total["now"]
    assert hidden.classes["reported"].iloc[:-1].sum() == told.classes["reported"].iloc[-1]
    assert hide_small(told, 0).view.units.equals(told.view.units)


def test_the_workbook_computes_its_own_sums(client: FlaskClient) -> None:
    answer = client.get("/leader/report.xlsx?lang=zh")
    book = openpyxl.load_workbook(io.BytesIO(answer.data))
    formulas = [
        cell.value
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, str) and cell.value.startswith("=")
    ]
    assert any(found.startswith("=SUM(") for found in formulas)
    assert len(book.sheetnames) == 5


@pytest.mark.parametrize("level", ["grid", "community"])
def test_columns_of_the_workbook_add_up_to_the_city(app: Any, store: Store, level: str) -> None:
    told = figures(app, LeaderChoice("day", level=level))
    least = store.settings.small_group
    page = hide_small(told, least).view
    hidden = page.units.index[page.units["verdict"] == "hidden"]
    target = io.BytesIO()
    report_book(target, store, told, Words("zh"))
    sheet = openpyxl.load_workbook(target).worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    start = next(k for k, row in enumerate(rows) if row[0] == "编码")
    table = pd.DataFrame(rows[start + 2 :], columns=rows[start])
    for heading, name in (("本期", "now"), ("对比期", "then"), ("户数", "households"),
                          ("未结", "open"), ("超期", "overdue")):  # fmt: skip
        total = page.total[name]
        assert pd.to_numeric(table[heading]).sum() == pytest.approx(0 if total != total else total)
    rest = table[table.iloc[:, 1].astype(str).str.startswith("未列出的单位")]
    assert len(rest) == bool(len(hidden))
    # Nobody can take it from the total of the community, which another report tells.
    above = units_above(told.boundary, level, told.view.units.index)
    assert above is not None
    for up in above:
        for _, codes in told.view.units.groupby(above[up])["now"]:
            gone = codes[codes.index.isin(hidden) & (codes > 0)]
            shown = codes.drop(gone.index)
            assert gone.empty or (gone.sum() >= least and len(gone) > 1) or not shown.sum()


def test_what_lies_outside_goes_along_with_a_lone_small_unit(app: Any) -> None:
    told = figures(app, LeaderChoice("day"))
    units, beside = told.view.units.iloc[:1].copy(), told.view.beside.copy()
    units[["now", "then"]], beside[["now", "then"]] = 3, 0
    beside.loc["(outside)", ["now", "then"]] = 33
    alone = replace(told, view=replace(told.view, units=units, beside=beside))
    found = hide_small(alone, 5).view
    assert found.units["now"].isna().all()
    # How many cases an indicator rests on would tell it again.
    rates = hide_small(alone, 5).areas
    mine = rates.table.index.get_level_values("code").isin([*units.index, "(outside)"])
    assert rates.table.loc[mine, ["value", "denominator", "unknown"]].isna().to_numpy().all()
    assert rates.scores.loc[units.index, "score"].isna().all()
    assert pd.isna(found.beside.loc["(outside)", "now"])
    assert found.beside.loc["(outside)", "verdict"] == "hidden"
    assert "不列出" in text(str(rank_table(hide_small(alone, 5), Words("zh"))).split("tfoot")[1])


def test_the_pdf_is_a4(client: FlaskClient) -> None:
    body = client.get("/leader/report.pdf?lang=zh").data
    assert body.startswith(b"%PDF")
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", body)
    assert box is not None
    assert float(box[1]) == pytest.approx(595, abs=2)
    assert float(box[2]) == pytest.approx(842, abs=2)


def test_the_command_writes_the_same_report(city: Workspace, tmp_path: Path, drawing: Any) -> None:
    out = tmp_path / "report.html"
    told = [
        "--workspace", str(city.path), "--from", "2026-11-01", "--to", "2026-11-30",
        "--at", drawing.at.isoformat(), "--out", str(out), "--lang", "zh",
    ]  # fmt: skip
    done = CliRunner().invoke(command, told, catch_exceptions=False)
    assert done.exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "东街街道" in page
    assert len(page) < 8_000_000


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"--from": "2026-12-01"}, "before it begins"), ({"--to": "soon"}, "write a date"),
        ({"--out": "x.doc"}, "end it in"), ({"--level": "nation"}, "no level"),
        ({"--area": "X"}, "no division X"), ({"--class": "E9999"}, "no class"),
        ({"--from": "0001-01-01"}, "out of reach"), ({"--at": "2026-11-21"}, "zone"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line(
    city: Workspace, tmp_path: Path, changes: dict[str, str], word: str
) -> None:
    options = {
        "--workspace": str(city.path), "--from": "2026-11-01", "--to": "2026-11-30",
        "--out": str(tmp_path / "r.html"),
    } | changes  # fmt: skip
    told = [part for pair in options.items() for part in pair]
    with pytest.raises(InputError, match=word):
        CliRunner().invoke(command, told, catch_exceptions=False)


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    app.server.extensions["wangge-live"].close()
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def opened(browser: Chromium, address: str) -> Iterator[Page]:
    """A page whose every request and error is looked at in the end."""
    asked: list[str] = []
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:", "about:"))]
    assert not errors


def until(page: Page, script: str) -> Any:
    """Poll, because the page's own policy forbids what `wait_for_function` does."""
    for _ in range(PATIENCE_MS // 100):
        found = page.evaluate(script)
        if found:
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {script}\n{page.inner_text('body')[:600]}")


READY = "document.documentElement.dataset.leader === 'ready' && window.wangge.s.map"


@pytest.mark.browser
def test_one_drills_down_and_comes_back(browser: Chromium, address: str) -> None:
    with opened(browser, address) as page:
        page.goto(f"{address}/leader?lang=zh")
        until(page, READY)
        OUT.mkdir(exist_ok=True)
        page.screenshot(path=str(OUT / "leader.png"))
        page.click(".ld-table [data-area]")
        until(page, "document.querySelectorAll('#leader-path .ld-link').length > 0")
        assert "area=" in page.url
        page.go_back()
        until(page, "!document.querySelectorAll('#leader-path .ld-link').length")
        # Level, dates and classes are chosen in the bar and stand in the address.
        page.select_option("#leader-level", "grid")
        until(page, "document.querySelectorAll('.is-table tbody tr').length === 12")
        assert "level=grid" in page.url
        page.click("#leader-pick-class summary")
        page.check("#leader-classes-menu [data-codes=E0101]")
        until(page, "document.querySelector('#leader-class-text').textContent === '私搭乱建'")
        until(page, "window.wangge.leader.view.choosers.chosen.length === 1")
        page.keyboard.press("Escape")
        assert not page.evaluate("document.querySelector('#leader-pick-class').open")
        page.click("#leader-kind [data-kind=span]")
        page.fill("#leader-first input", "2026-10-05")
        until(page, "location.search.includes('day=2026-10-05')")
        until(page, "document.querySelector('#leader-first input').value === '2026-10-05'")
        assert "class=E0101" in page.url
        page.click("#leader-kind [data-kind=month]")
        page.click("#leader-against [data-against=last_period]")
        until(page, "document.querySelector('.ld-cards').textContent.includes('上期')")
        page.click("#leader-before")
        until(page, "document.querySelector('#leader-period').textContent.includes('10月')")
        assert page.is_enabled("#leader-after")


@pytest.mark.browser
def test_the_three_maps_say_in_a_sentence_what_they_show(browser: Chromium, address: str) -> None:
    with opened(browser, address) as page:
        page.goto(f"{address}/leader?lang=zh&map=heat")
        until(page, READY)
        until(page, "document.documentElement.dataset.heat")
        sentence = until(page, "document.querySelector('.ld-heat-text').textContent")
        assert "最密处在" in sentence
        until(
            page,
            "window.wangge.s.map.getLayer('leader-heat') && window.wangge.s.map.areTilesLoaded()",
        )
        page.select_option("[data-heat=by]", "weekday")
        until(page, "document.querySelector('#leader-frame')")
        page.focus("#leader-frame")
        page.keyboard.press("ArrowRight")
        until(page, "document.querySelector('#leader-frame-text').textContent.includes('星期二')")
        page.select_option("[data-heat=by]", "")
        page.select_option("[data-heat=surface]", "hex")
        until(page, "window.wangge.s.map.getLayer('leader-hex')")
        page.select_option("[data-heat=surface]", "grid")
        until(
            page,
            "window.wangge.s.values.size === 12 && !window.wangge.s.map.getLayer('leader-hex')",
        )
        page.click("#leader-map-by [data-map=hot]")
        until(page, "document.querySelector('#leader-legend').textContent.includes('热点')")
        assert not page.evaluate("Boolean(window.wangge.s.map.getLayer('leader-hex'))")
        page.click("#leader-map-by [data-map=change]")
        until(page, "document.querySelector('#leader-map-note').textContent.includes('明显上升')")


@pytest.mark.browser
def test_it_is_presented_a_part_at_a_time(browser: Chromium, address: str) -> None:
    with opened(browser, address) as page:
        page.goto(f"{address}/leader?lang=zh")
        until(page, READY)
        page.click("#leader-present")
        until(page, "document.querySelector('#leader-page').dataset.slide === 'head'")
        page.keyboard.press("ArrowRight")
        until(page, "document.querySelector('#leader-page').dataset.slide === 'brief'")
        page.screenshot(path=str(OUT / "leader-slide.png"))
        page.keyboard.press("Escape")
        until(page, "!document.querySelector('#leader-page').classList.contains('is-presenting')")


CONTRAST = """() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const lay = (colours) => {
    for (const colour of ['white', ...colours]) {
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
    }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const line = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = (rgb) => .2126 * line(rgb[0]) + .7152 * line(rgb[1]) + .0722 * line(rgb[2]);
  const grounds = (element) => {
    const found = [];
    for (let e = element; e; e = e.parentElement) {
      found.unshift(getComputedStyle(e).backgroundColor);
    }
    return found;
  };
  const said = (n) => n.nodeType === 3 && n.nodeValue.trim();
  const bad = [];
  for (const element of document.querySelectorAll('.ld-part *, .ld-bar *')) {
    if (![...element.childNodes].some(said) || element.closest('svg')) continue;
    if (element.disabled || !element.offsetParent) continue;
    const under = grounds(element), colour = getComputedStyle(element).color;
    const [a, b] = [light(lay([...under, colour])), light(lay(under))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push([element.className, element.textContent.slice(0, 20), ratio, colour]);
  }
  return bad; }"""


@pytest.mark.browser
@pytest.mark.parametrize("night", [False, True], ids=["day", "night"])
def test_every_word_stands_out_from_its_ground(
    browser: Chromium, address: str, night: bool
) -> None:
    with opened(browser, address) as page:
        page.goto(f"{address}/leader?lang=zh")
        until(page, READY)
        if night:
            page.click("#incidents-night")
            page.wait_for_load_state()
            until(page, READY)
        assert page.evaluate(CONTRAST) == []
        # A mark beside each colour, and a table beside each map.
        marks = page.eval_on_selector_all(".ld-verdict i", "all => all.map((e) => e.textContent)")
        assert marks
        assert all(marks)


@pytest.mark.browser
def test_the_report_opens_without_any_network(
    browser: Chromium, client: FlaskClient, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(client.get("/leader/report.html?lang=zh").data)
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 1600})
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("path.leaflet-interactive").first.wait_for(timeout=PATIENCE_MS)
    # The marks have the numbers of the list, and the whole city is in view beside the legend.
    numbers = frame.locator(".numbered").all_inner_texts()
    assert numbers == [str(k + 1) for k in range(len(numbers))]
    assert numbers
    right = frame.locator(".card.legend").bounding_box()
    assert right is not None
    for mark in frame.locator(".numbered").all():
        box = mark.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= right["x"]
    page.screenshot(path=str(OUT / "leader-report.png"), full_page=True)
    context.close()
    assert not errors
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]
