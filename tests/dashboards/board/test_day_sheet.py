"""The sheet of a worker's day: what it says, what it says it does not know, and who may have it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import flask
import numpy as np
import pytest
from flask.testing import FlaskClient
from markupsafe import Markup

from dashboards.board_routes import add_board_routes
from dashboards.components.sheet_html import h
from dashboards.components.sheet_map import Frame, shorten
from dashboards.store import Store
from dashboards.track_routes import add_track_routes
from geo.io.track_views import read_looks
from geo.worker_day import checksum_fixes

DAY = "2026-11-20"
HEAD = {"by": "boss", "role": "grid_head"}


@pytest.fixture(scope="module")
def client(patrolled_store: Store) -> FlaskClient:
    server = flask.Flask("sheet")
    add_track_routes(server, patrolled_store)
    add_board_routes(server, patrolled_store, threaded=False)
    return server.test_client()


def sheet(client: FlaskClient, worker: str, **query: str) -> Any:
    asked = {"worker": worker, "day": DAY, **query}
    answer = client.get("/board/sheet", query_string=asked)
    assert answer.status_code == 200, answer.text[:300]
    return answer.get_json()


@pytest.fixture(scope="module")
def text(client: FlaskClient) -> str:
    """The sheet of w1 as html."""
    return str(sheet(client, "w1", **HEAD)["html"])


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_the_sheet_says_who_where_when_and_what_became_of_each_round(
    text: str, drawing: Any
) -> None:
    words = plain(text)
    for part in ("王小明", "(w1)", drawing.ids[0], "2026年11月20日 星期五", "07:00–21:00"):
        assert part in words
    for part in ("上午 已巡", "中午 漏巡", "傍晚 不明"):
        assert part in words
    assert "没有登记设备" in words


def test_gaps_stand_with_their_minutes_and_what_is_known(text: str) -> None:
    gaps = plain(text.split("is-gaps")[1].split("</section>")[0])
    assert "07:00–08:00 60 开始前段 恢复时在网格内" in gaps
    assert "08:59–12:00 180 中途" in gaps
    assert re.search(r"12:59–21:00 480 末段 中断前在网格外 \d+ 米", gaps)
    assert "无定位不等于不在岗" in gaps


def test_what_is_not_known_is_said(text: str) -> None:
    unknown = plain(text.split("is-unknown")[1].split("</section>")[0])
    assert "本单不作任何断定" in unknown
    assert "手机由谁携带" in unknown
    assert "班次内有" in unknown


def test_the_sheet_names_what_it_rests_on(
    text: str, patrolled: Any, patrolled_store: Store
) -> None:
    words = plain(text.split("is-evidence")[1])
    fixes = patrolled.fixes()
    mine = fixes[fixes["worker_id"] == "w1"]
    assert f"{len(mine)} 个" in words
    stored = patrolled_store.workspace.read_fixes(workers=["w1"])
    same = stored[stored["time"] < "2026-11-21T00:00Z"]
    assert checksum_fixes(same) in words
    for part in ("边界版本 1", "2026-11-21 14:09:32", "boss", "程序版本", "> 60 m", "> 120 km/h"):
        assert part in words


def test_the_map_is_drawn_here_and_asks_nobody(text: str) -> None:
    drawn = text.split('class="sheet-map"')[0].rsplit("<svg", 1)[1] + text.split("sheet-map")[1]
    assert "sheet-track" in text
    assert "stroke-dasharray" in drawn
    assert not re.search(r'(href|src|url)\s*=?\s*[("\']?https?:', text)
    assert "<script" not in text
    for shape in re.findall(r'points="([^"]+)"', text):
        numbers = [float(n) for pair in shape.split() for n in pair.split(",")]
        assert np.isfinite(numbers).all()


def test_a_name_that_looks_like_markup_stays_a_name(client: FlaskClient) -> None:
    assert "=孙四" in sheet(client, "w4", **HEAD)["html"]
    assert str(h("b", "<i>x</i>", title='"&')) == '<b title="&#34;&amp;">&lt;i&gt;x&lt;/i&gt;</b>'
    assert str(h("td", ["a", None, Markup("<i>b</i>")])) == "<td>a<i>b</i></td>"


def test_a_day_without_fixes_is_one_gap(client: FlaskClient) -> None:
    words = plain(sheet(client, "w4", **HEAD)["html"])
    assert "07:00–21:00 840 全程无定位" in words
    assert "没有停留" in words


def test_a_sheet_is_noted_before_it_is_shown(
    client: FlaskClient, patrolled_store: Store, drawing: Any
) -> None:
    sheet(client, "w2", by="inspector 1", role="inspector")
    looks = read_looks(patrolled_store.workspace, "w2", since=drawing.at.replace(hour=0))
    assert "inspector 1" in looks["by"].tolist()


@pytest.mark.parametrize("viewer", [{"by": "leader", "role": "leader"}, {}])
def test_who_may_not_see_tracks_gets_a_sentence_and_shares(
    client: FlaskClient, viewer: dict[str, str]
) -> None:
    told = sheet(client, "w1", **viewer)
    assert told["state"] == "shares"
    assert told["hidden"]
    assert "html" not in told
    assert [one["id"] for one in told["people"]] == ["w1"]


def test_a_worker_may_see_his_own_sheet_and_no_other(client: FlaskClient) -> None:
    own = {"by": "w1", "role": "grid_worker"}
    assert sheet(client, "w1", **own)["state"] == "ready"
    assert sheet(client, "w2", **own)["state"] == "shares"


def test_an_unknown_worker_is_told_so(client: FlaskClient) -> None:
    answer = client.get("/board/sheet", query_string={"worker": "x", "day": DAY, **HEAD})
    assert answer.status_code == 404
    assert "没有这个人员编号" in answer.get_json()["error"]


def test_english_sheets_speak_english(client: FlaskClient) -> None:
    words = plain(sheet(client, "w1", lang="en", **HEAD)["html"])
    assert "Patrol day sheet" in words
    assert "No fixes is not an absence." in words
    assert not re.search("[\u4e00-\u9fff]{5,}", words.replace("东湖第0网格", ""))


def test_runs_of_stops_are_written_short() -> None:
    assert shorten([3, 1, 2, 7, 9, 10]) == "1–3,7,9–10"


def test_north_is_up_on_the_paper() -> None:
    frame = Frame(west=100.0, north=1000.0, scale=2.0)
    x, y = frame.at(np.array([100.0, 110.0]), np.array([1000.0, 990.0]))
    assert x.tolist() == [0, 20]
    assert y.tolist() == [0, 20]
