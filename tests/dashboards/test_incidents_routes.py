"""Reports, moves, lists and exports as the pages of cases ask for them, on the drawn city."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import flask
import openpyxl
import pandas as pd
import pytest
from flask.testing import FlaskClient

from dashboards.case_routes import add_case_routes
from dashboards.components.case_export import safe
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words, _catalogue
from geo.incidents import STANDARD_MOVES, MoveRefusedError
from geo.io.workspace import Workspace

ZH = Words("zh")
ASSETS = Path(__file__).parents[2] / "dashboards" / "assets"
ROLES = {
    "verify": "acceptor",
    "register": "acceptor",
    "dispatch": "dispatcher",
    "accept": "handler",
    "feed_back": "handler",
    "close": "inspector",
}


class Desk:
    """A client of the routes, at a clock that a test moves on."""

    def __init__(self, workspace: Workspace, at: datetime, **settings: Any) -> None:
        self.at = at
        self.store = Store(workspace, Settings(**settings), clock=lambda: self.at)
        server = flask.Flask("cases")
        add_case_routes(server, self.store)
        self.client: FlaskClient = server.test_client()

    def get(self, path: str, status: int = 200, **query: Any) -> dict[str, Any]:
        answer = self.client.get(f"/cases/{path}", query_string=query)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_json()

    def post(self, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        self.at += timedelta(minutes=1)
        answer = self.client.post(f"/cases/{path}", json=body)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_json()

    def report(self, status: int = 201, **body: Any) -> dict[str, Any]:
        told = {"by": "u1", "role": "acceptor", "class_code": "E0102", "description": "垃圾"}
        return self.post("report", status, **{**told, **body})

    def move(self, file: dict[str, Any], move: str, status: int = 200, **body: Any) -> Any:
        told = {"by": "u1", "role": ROLES.get(move, "shift_leader"), "seen": file["seq"]}
        return self.post(f"file/{file['id']}/move", status, move=move, **{**told, **body})


@pytest.fixture
def desk(workspace: Workspace, drawing: Any) -> Desk:
    return Desk(drawing.fill(workspace), drawing.at)


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["id"] for row in answer["rows"]]


# --- lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"tab": "opened"}, {"c", "d", "e"}),
        ({"tab": "handling"}, {"a", "b"}),
        ({"tab": "late"}, {"a"}),
        ({"tab": "collected"}, set()),
        ({"tab": "all", "clock": "open"}, {"a", "b", "c", "d", "e"}),
        ({"tab": "all", "clock": "soon"}, {"b"}),
        ({"tab": "all", "class": "E05"}, {"b"}),
        ({"tab": "all", "q": "nothing"}, set()),
        ({"tab": "handling", "clock": "done"}, set()),
        ({"tab": "all", "from": "2026-11-21"}, {"a", "b", "c"}),
    ],
)
def test_a_filter_finds_the_cases_that_the_drawing_says(
    desk: Desk, query: dict[str, str], found: set[str]
) -> None:
    answer = desk.get("page", **query)
    assert set(ids(answer)) == found
    assert answer["total"] == len(found)


def test_the_number_on_a_tab_is_the_length_of_its_list(desk: Desk) -> None:
    counts = desk.get("counts", **{"class": "E01"})["counts"]
    for tab, told in counts.items():
        total = desk.get("page", tab=tab, **{"class": "E01"})["total"]
        assert (tab, told["exact"]) == (tab, f"{total:,}")


def test_a_unit_has_the_cases_of_its_grids(desk: Desk, drawing: Any) -> None:
    in_grid = desk.get("page", tab="all", unit=drawing.ids[0])
    assert set(ids(in_grid)) == {"a", "b"}
    street = desk.get("page", tab="all", unit="420102001000")
    everything = desk.get("page", tab="all", unit="420100000000")
    assert set(ids(in_grid)) < set(ids(street))
    assert everything["total"] == 10


def test_pages_follow_each_other_without_a_case_twice(desk: Desk) -> None:
    whole = ids(desk.get("page", tab="all", sort="clock.asc", limit=10))
    parts = [
        ids(desk.get("page", tab="all", sort="clock.asc", offset=k, limit=3)) for k in (0, 3, 6, 9)
    ]
    assert [one for part in parts for one in part] == whole
    assert len(set(whole)) == 10


def test_a_row_says_class_place_stage_clock_and_who_answers(desk: Desk) -> None:
    row = {r["id"]: r for r in desk.get("page", tab="all")["rows"]}
    a, d, e = row["a"], row["d"], row["e"]
    assert (a["what"], a["where"]) == ("暴露垃圾", "东湖社区 · 东湖第0网格")
    assert (a["stage_word"], a["state"], a["reported_text"]) == ("处置中", "late", "09:09")
    assert a["person"] == "王小明"
    assert (d["where"], d["lon"], d["state"]) == (ZH("cases.place.none"), None, "none")
    assert e["where"] == ZH("cases.place.outside")
    assert row["h"]["state"] == "done"


def test_the_map_has_the_open_cases_of_the_filter_that_have_a_place(desk: Desk) -> None:
    answer = desk.get("map.geojson", tab="all")
    assert {f["properties"]["id"] for f in answer["features"]} == {"a", "b", "c", "e"}
    assert ZH("cases.map.unplaced", n="1") in answer["note"]
    late = desk.get("map.geojson", tab="late")
    assert [f["properties"]["id"] for f in late["features"]] == ["a"]
    assert desk.get("map.geojson", tab="all", clock="done")["features"] == []


def test_people_are_those_who_hold_a_role_that_moves_cases(desk: Desk) -> None:
    people = desk.get("people", q="")["people"]
    assert [(p["name"], p["role"]) for p in people] == [
        ("王小明", "grid_worker"),
        ("李芳", "grid_head"),
    ]
    assert [p["id"] for p in desk.get("people", q="李 网格长")["people"]] == ["w2"]


def test_units_are_found_by_name_and_code_the_higher_first(desk: Desk) -> None:
    found = desk.get("units", q="东湖")["units"]
    assert [u["level"] for u in found][:2] == ["community", "grid"]
    assert desk.get("units", q="420102002000")["units"][0]["label"] == "南湖街道"


def test_a_place_tells_its_grid_and_who_answers(desk: Desk, drawing: Any) -> None:
    lon, lat = drawing.middle(0)
    answer = desk.get("place", lon=lon, lat=lat)
    assert answer["grid_id"] == drawing.ids[0]
    assert [c["level"] for c in answer["crumbs"]] == ["district", "street", "community", "grid"]
    assert answer["chain"][0]["person"] == "王小明"
    assert desk.get("place", lon=0, lat=0)["grid"] is False
    assert desk.get("place", 400, lon="x", lat=0)["error"]


# --- one case ---------------------------------------------------------------------------------


def test_a_case_goes_from_report_to_close_and_the_log_says_it_all(desk: Desk, drawing: Any) -> None:
    lon, lat = drawing.middle(5)
    file = desk.report(lon=lon, lat=lat, address="江汉路 1 号")["file"]
    assert re.fullmatch(r"20261121\d{5}", file["id"])
    assert (file["stage"], file["clock"]) == ("collected", ZH("cases.clock.before"))
    for move, more, stage in (
        ("register", {}, "opened"),
        ("dispatch", {"owner": "420102001001", "note": "尽快"}, "dispatched"),
        ("accept", {}, "handling"),
        ("feed_back", {"note": "已清运"}, "fed_back"),
        ("close", {}, "closed"),
    ):
        asked = desk.get(f"file/{file['id']}", by="u1", role=ROLES[move])["file"]
        assert move in [m["name"] for m in asked["moves"]]
        file = desk.move(file, move, **more)["file"]
        assert file["stage"] == stage
    assert [row["move"] for row in file["log"]] == [
        "report", "register", "dispatch", "accept", "feed_back", "close",
    ]  # fmt: skip
    assert file["log"][2]["note"] == "尽快"
    assert {d["text"] for d in file["log"][2]["details"]} == {"东湖社区", "社区"}
    assert file["moves"] == []
    assert file["state"] == "done"
    assert any("4 工作时" in line for line in file["clock_lines"])


def test_the_deadline_is_explained_by_limit_start_and_pause(desk: Desk, drawing: Any) -> None:
    lon, lat = drawing.middle(5)
    file = desk.report(class_code="E0401", lon=lon, lat=lat)["file"]
    assert ZH("cases.how.notyet") in file["clock_lines"]
    file = desk.move(file, "register")["file"]
    file = desk.move(file, "dispatch", owner="420102001001")["file"]
    due = file["due"]
    until = (desk.at + timedelta(hours=3)).astimezone(desk.store.zone)
    file = desk.move(
        file,
        "ask_postponement",
        role="handler",
        by="u2",
        note="等配件",
        until=f"{until:%Y-%m-%dT%H:%M}",
    )["file"]
    assert "u2" in file["asked_text"]
    file = desk.move(file, "approve_postponement")["file"]
    assert file["state"] == "paused"
    assert file["due"] > due
    lines = "\n".join(file["clock_lines"])
    assert "2 紧急工作时" in lines
    assert "暂停计时" in lines


def test_every_move_has_just_the_fields_that_it_needs_or_may_have(desk: Desk) -> None:
    file = desk.get("file/c", by="u1", role="dispatcher")["file"]
    fields = {m["name"]: [(f["name"], f["required"]) for f in m["fields"]] for m in file["moves"]}
    assert fields["dispatch"] == [("owner", True), ("note", False)]
    assert fields["merge"] == [("other_id", True), ("note", False)]
    assert fields["remark"] == [("note", True)]
    assert "absorb" not in fields
    assert desk.get("file/c")["file"]["moves"] == []


def test_a_dispatch_is_suggested_to_who_had_it_before(desk: Desk) -> None:
    file = desk.get("file/c", by="u1", role="dispatcher")["file"]
    file = desk.move(file, "dispatch", owner="420102002001")["file"]
    file = desk.move(file, "return", role="handler", note="不归我们")["file"]
    file = desk.get("file/c", by="u1", role="dispatcher")["file"]
    dispatch = next(m for m in file["moves"] if m["name"] == "dispatch")
    assert dispatch["fields"][0]["suggest"] == "420102002001"
    assert file["owners"][0]["level"] == "community"


def test_an_unknown_case_is_told_as_such(desk: Desk) -> None:
    assert desk.get("file/none", 404)["error"] == ZH("cases.moved.unknown", id="none")
    file = {"id": "none", "seq": 1}
    assert desk.move(file, "register", 404)["reason"] == "unknown"


def test_similar_open_cases_are_offered_before_a_second_report_and_merge(
    desk: Desk, drawing: Any
) -> None:
    lon, lat = drawing.middle(9)
    first = desk.report(lon=lon, lat=lat)["file"]
    near = desk.get("similar", lon=lon + 0.0002, lat=lat, **{"class": "E0102"})["similar"]
    assert [s["id"] for s in near] == [first["id"]]
    assert near[0]["distance_m"] == pytest.approx(19.2, abs=0.3)
    second = desk.report(lon=lon + 0.0002, lat=lat, description="也是垃圾")["file"]
    assert [s["id"] for s in second["similar"]] == [first["id"]]
    merged = desk.move(second, "merge", other_id=first["id"])["file"]
    assert (merged["stage"], merged["merged_into"]) == ("cancelled", first["id"])
    kept = desk.get(f"file/{first['id']}")["file"]
    assert kept["log"][-1]["move"] == "absorb"


# --- refused ----------------------------------------------------------------------------------


def test_every_reason_of_a_refusal_has_words_in_both_languages() -> None:
    told = (MoveRefusedError.__doc__ or "").split("reason")[1].split("attempt")[0]
    reasons = set(re.findall(r"`([a-z_]+)`", told))
    needs = {need for move in STANDARD_MOVES for need in move.needs}
    wanted = (reasons - needs - {"condition"}) | {f"lacks_{need}" for need in needs}
    assert len(wanted) > 15
    for language in ("zh", "en"):
        known = {
            key.removeprefix("cases.refused.")
            for key in _catalogue(language)
            if key.startswith("cases.refused.")
        }
        assert wanted - known == set()


@pytest.mark.parametrize("move", [m for m in STANDARD_MOVES if m.stages], ids=lambda m: m.name)
def test_every_move_has_a_name_and_a_help(move: Any) -> None:
    for words in (ZH, Words("en")):
        assert words(f"cases.move.{move.name}")
        assert words(f"cases.move.{move.name}.help")


def test_a_refusal_is_said_in_the_persons_language_and_nothing_is_written(desk: Desk) -> None:
    file = desk.get("file/c", by="u1", role="dispatcher")["file"]
    told = desk.move(file, "close", 409, role="inspector")
    assert told["reason"] == "wrong_stage"
    assert told["error"] == "当前阶段为待派遣，不能核查结案"
    assert told["file"]["seq"] == file["seq"]
    told = desk.move(file, "dispatch", 409, role="inspector", owner="420102001001")
    assert (told["reason"], "派遣员" in told["error"]) == ("wrong_role", True)
    assert desk.move(file, "dispatch", 409)["reason"] == "lacks_owner"
    english = desk.client.post(
        "/cases/file/c/move?lang=en",
        json={"by": "u", "role": "inspector", "seen": file["seq"], "move": "close"},
    )
    assert "Close is not possible" in english.get_json()["error"]


def test_nobody_grants_the_time_that_they_asked_for(desk: Desk) -> None:
    file = desk.get("file/a")["file"]
    until = (desk.at + timedelta(days=2)).isoformat()
    file = desk.move(file, "ask_postponement", role="grid_head", note="等", until=until)["file"]
    assert desk.move(file, "approve_postponement", 409)["reason"] == "own_request"
    assert desk.move(file, "approve_postponement", by="u2")["file"]["state"] == "late"


def test_a_stale_move_tells_what_others_did_and_may_be_made_again(desk: Desk) -> None:
    mine = desk.get("file/c", by="u1", role="dispatcher")["file"]
    desk.move(mine, "supervise", by="李", note="快办")
    told = desk.move(mine, "dispatch", 409, owner="420102001001", note="我的话")
    assert told["reason"] == "stale"
    assert [(r["move"], r["who"], r["note"]) for r in told["changes"]] == [
        ("supervise", "李", "快办")
    ]
    assert told["file"]["seq"] == mine["seq"] + 1
    again = desk.move(told["file"], "dispatch", owner="420102001001", note="我的话")["file"]
    assert again["log"][-1]["note"] == "我的话"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"by": ""}, "who"),
        ({"role": "king"}, "who"),
        ({"class_code": "X1"}, "class"),
        ({"class_code": None}, "class"),
        ({"lon": 200, "lat": 0}, "place"),
        ({"lon": 114.3}, "place"),
        ({"lon": True, "lat": True}, "place"),
    ],
)
def test_a_report_that_is_not_whole_is_refused(
    desk: Desk, body: dict[str, Any], reason: str
) -> None:
    before = desk.get("page", tab="all")["total"]
    assert desk.report(400, **body)["reason"] == reason
    assert desk.get("page", tab="all")["total"] == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"seen": "1"}, "body"),
        ({"until": "tomorrow", "move": "ask_postponement"}, "time"),
        ({"level": "moon"}, "level"),
    ],
)
def test_a_move_that_cannot_be_read_is_refused(
    desk: Desk, body: dict[str, Any], reason: str
) -> None:
    told = {"by": "u", "role": "grid_head", "move": "remark", "note": "x", "seen": 1} | body
    assert desk.post("file/a/move", 400, **told)["reason"] == reason


def test_a_change_comes_as_json_from_our_own_pages_or_not_at_all(desk: Desk) -> None:
    send = desk.client.post
    body = {"by": "u", "role": "acceptor", "class_code": "E0102"}
    assert send("/cases/report", data=body).status_code == 400
    assert send("/cases/report", json=["no", "object"]).status_code == 400
    assert send("/cases/report", json=body | {"x": "y" * 70_000}).status_code == 400
    other = send("/cases/report", json=body, headers={"Origin": "http://elsewhere.example"})
    assert other.status_code == 403
    own = send("/cases/report", json=body, headers={"Origin": "http://localhost"})
    assert own.status_code == 201


# --- one report, one case -----------------------------------------------------------------------


def test_the_same_key_gives_the_same_case(desk: Desk) -> None:
    first = desk.report(key="k1", description="")["file"]["id"]
    again = desk.report(200, key="k1", description="")["file"]["id"]
    other = desk.report(key="k2", description="")["file"]["id"]
    assert first == again != other


def test_eight_sendings_at_once_make_one_case(desk: Desk) -> None:
    found: list[str] = []
    body = {"by": "u", "role": "acceptor", "class_code": "E0102", "key": "same"}

    def send() -> None:
        answer = desk.client.application.test_client().post("/cases/report", json=body)
        found.append(answer.get_json()["file"]["id"])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_server_that_began_anew_still_knows_a_report_by_its_words(
    workspace: Workspace, drawing: Any
) -> None:
    lon, lat = drawing.middle(3)
    first = Desk(drawing.fill(workspace), drawing.at).report(key="k", lon=lon, lat=lat)
    anew = Desk(workspace, drawing.at + timedelta(minutes=5))
    again = anew.report(key="k", lon=lon, lat=lat)
    assert again["file"]["id"] == first["file"]["id"]
    other = anew.report(key="n", lon=lon, lat=lat, by="u9")
    assert other["file"]["id"] != first["file"]["id"]


def test_a_case_without_a_place_is_kept_as_unplaced(desk: Desk) -> None:
    file = desk.report(description="电话里没说清地点")["file"]
    assert (file["lon"], file["place_word"], file["chain"]) == (None, ZH("cases.place.none"), [])
    assert desk.get("page", tab="collected")["total"] == 1


# --- phones -----------------------------------------------------------------------------------


def test_numbers_are_hidden_from_everyone_unless_the_setting_trusts_the_choice(
    workspace: Workspace, drawing: Any
) -> None:
    masked = Desk(drawing.fill(workspace), drawing.at)
    as_chief = {"by": "w9", "role": "shift_leader", "unit": "420100000000"}
    file = masked.get("file/a", **as_chief)["file"]
    assert file["chain"][0]["phone"] == "138****5678"
    assert file["phones_shown"] is False
    open_city = Desk(workspace, drawing.at, phones_by_role=True)
    file = open_city.get("file/a", **as_chief)["file"]
    assert file["chain"][0]["phone"] == "13812345678"
    assert open_city.get("file/a")["file"]["chain"][0]["phone"] == "138****5678"


# --- exports ------------------------------------------------------------------------------------


def test_csv_has_a_byte_order_mark_chinese_headers_and_the_rows_of_the_filter(desk: Desk) -> None:
    answer = desk.client.get("/cases/export.csv?tab=handling&sort=reported.asc")
    body = answer.get_data()
    assert body.startswith(b"\xef\xbb\xbf")
    assert (
        "filename*=UTF-8''%E4%BA%8B%E4%BB%B6-20261121-1409.csv"
        in (answer.headers["Content-Disposition"])
    )
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert rows[0][:5] == ["事件编号", "类别代码", "类别", "描述", "地址"]
    assert [row[0] for row in rows[1:]] == ["a", "b"]
    a = dict(zip(rows[0], rows[1], strict=True))
    assert (a["阶段"], a["时限状态"], a["超时小时"]) == ("处置中", "超时", "1.0")
    assert (a["社区"], a["上报时间"]) == ("东湖社区", "2026-11-21 09:09:32")


def test_excel_has_the_same_cells_and_numbers_stay_numbers(desk: Desk) -> None:
    body = desk.client.get("/cases/export.xlsx?tab=all&lang=en&sort=id.asc").get_data()
    book = openpyxl.load_workbook(io.BytesIO(body), read_only=True)
    rows = list(book["cases"].iter_rows(values_only=True))
    assert rows[0][0] == "Case"
    assert len(rows) == 11
    lon = rows[0].index("Longitude")
    assert rows[1][lon] == pytest.approx(114.301)
    assert rows[4][lon] is None


def test_an_export_of_nothing_has_its_headers(desk: Desk) -> None:
    text = desk.client.get("/cases/export.csv?tab=all&q=nothing").get_data(as_text=True)
    assert text.count("\r\n") == 1
    book = openpyxl.load_workbook(
        io.BytesIO(desk.client.get("/cases/export.xlsx?tab=all&q=nothing").get_data())
    )
    assert [sheet.max_row for sheet in book] == [1]


@pytest.mark.parametrize("text", ["=1+1", "+86", "-2", "@x", "\tx"])
def test_no_text_of_an_export_can_run(text: str) -> None:
    assert safe(text) == f"'{text}"
    assert safe(-2.5) == -2.5
    assert safe("平湖路") == "平湖路"


# --- black spots ----------------------------------------------------------------------------------


def test_a_place_whose_closed_cases_come_back_is_listed_with_its_history(
    desk: Desk, drawing: Any
) -> None:
    lon, lat = drawing.middle(8)
    for number in range(3):
        file = desk.report(class_code="E0501", lon=lon, lat=lat, description=f"第 {number} 次")[
            "file"
        ]
        desk.move(file, "handle_on_spot", role="grid_worker", note="劝离")
    desk.store.refresh()
    spots = desk.get("spots", tab="spots")["spots"]
    mine = [s for s in spots if s["what"] == ZH("none") or "游商" in s["what"]]
    assert len(mine) == 1
    assert mine[0]["cases_text"] == ZH("cases.spot.cases", n="3")
    assert mine[0]["returns_text"] == ZH("cases.spot.returns", n="2")
    assert len(mine[0]["history"]) == 3
    assert desk.get("spots", tab="spots", **{"class": "C0101"})["spots"] == []
    file = desk.get(f"file/{mine[0]['history'][0]['id']}")["file"]
    assert file["history_note"] == ZH("cases.history.note", n=2)


# --- words ----------------------------------------------------------------------------------------


def test_every_key_that_the_browsers_part_says_is_in_the_catalogue() -> None:
    known = ZH.starting("cases.js.").keys()
    text = "".join(file.read_text("utf-8") for file in sorted(ASSETS.glob("5*.js")))
    named = set(re.findall(r'say\(\s*"([a-z_.]+)"', text))
    named |= set(re.findall(r'\? "([a-z]+\.[a-z.]+)" : "', text))
    assert len(named) > 80
    assert {n for n in named if not n.endswith(".")} - known == set()


def test_no_chinese_stands_in_the_browsers_part() -> None:
    for file in ASSETS.glob("5*.js"):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", file.read_text("utf-8"), flags=re.S)
        assert not re.search("[\u4e00-\u9fff]", text), file


def test_now_is_the_servers_clock_in_every_answer(desk: Desk, drawing: Any) -> None:
    assert desk.get("pulse")["now"] == drawing.at.timestamp() * 1000
    assert pd.Timestamp(desk.get("counts")["now"], unit="ms", tz=UTC) == pd.Timestamp(drawing.at)


MakeStore = Callable[..., Store]
