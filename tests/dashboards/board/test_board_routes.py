"""What the shift board answers: sums that add up, files, evidence to those who may see it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook

from dashboards.board_routes import add_board_routes
from dashboards.components.shift_rows import ALL_REASONS
from dashboards.store import Store
from dashboards.track_routes import add_track_routes
from geo.io.track_views import read_looks
from geo.rounds import STATUSES
from geo.shifts import COMING, COUNTS, ENDED

HEAD = {"by": "boss", "role": "grid_head"}
LEADER = {"by": "leader", "role": "leader"}
DAY = "2026-11-20"


@pytest.fixture(scope="module")
def client(patrolled_store: Store) -> FlaskClient:
    server = flask.Flask("board")
    add_track_routes(server, patrolled_store)
    add_board_routes(server, patrolled_store, threaded=False)
    return server.test_client()


def ask(client: FlaskClient, path: str, status: int = 200, **query: Any) -> Any:
    answer = client.get(f"/board/{path}", query_string=query)
    assert answer.status_code == status, answer.text[:400]
    return answer.get_json()


@pytest.fixture(scope="module")
def board(client: FlaskClient) -> Any:
    return ask(client, "day", day=DAY)


def test_the_board_of_the_drawn_day_adds_up_at_every_level(board: Any, patrolled: Any) -> None:
    assert dict(zip(COUNTS, board["total"], strict=True)) == patrolled.known
    for rows in board["units"].values():
        sums = [sum(row[2][k] for row in rows) for k in range(len(COUNTS))]
        assert sums == board["total"]
        for _, _, counts in rows:
            told = dict(zip(COUNTS, counts, strict=True))
            assert told["required"] == sum(told[name] for name in ENDED)
    assert set(board["units"]) == {"district", "street", "community"}


def test_cells_say_what_the_counts_say(board: Any, patrolled: Any) -> None:
    cells = [cell for row in board["rows"] for cell in row[4] if cell]
    found = Counter(STATUSES[cell[0]] for cell in cells)
    assert {k: found.get(k, 0) for k in (*ENDED, *COMING)} == {
        k: patrolled.known[k] for k in (*ENDED, *COMING)
    }
    assert [c["hours"] for c in board["columns"]] == ["08:00–09:00", "12:00–13:00", "18:00–19:00"]
    missed = next(cell for cell in cells if STATUSES[cell[0]] == "missed")
    assert ALL_REASONS[missed[1]] == "off_post"
    assert missed[2:5] == [0, 60, 0]


def test_borders_schedule_and_time_are_named(board: Any) -> None:
    notes = " ".join(board["notes"])
    assert "边界版本 1" in notes
    assert "班次表" in notes
    assert "2026-11-21 14:09:32" in notes


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"day": "yesterday"}, "不是日期"),
        ({"day": "2026-11-22"}, "还没有到"),
        ({"day": "2026-13-01"}, "不是日期"),
    ],
)
def test_a_day_that_is_none_is_told_in_words(
    client: FlaskClient, query: dict[str, str], words: str
) -> None:
    assert words in ask(client, "day", 400, **query)["error"]
    assert "月份" in ask(client, "month", 400, month="2026-99")["error"]


def test_a_day_without_any_fix_is_unknown_and_says_so(client: FlaskClient) -> None:
    empty = ask(client, "day", day="2026-10-02")
    told = dict(zip(COUNTS, empty["total"], strict=True))
    assert told["missed"] == told["partly"] == told["done"] == 0
    assert told["required"] == told["unknown"] + told["vacant"] == 36
    assert "没有任何定位记录" in empty["notes"][0]


def test_the_same_day_is_not_sent_twice(client: FlaskClient) -> None:
    first = client.get("/board/day", query_string={"day": DAY})
    tag = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/board/day", query_string={"day": DAY}, headers=tag)
    assert again.status_code == 304


def test_evidence_goes_to_those_who_may_see_tracks_and_is_noted(
    client: FlaskClient, patrolled_store: Store, drawing: Any
) -> None:
    grid = drawing.ids[0]
    told = ask(client, "evidence", day=DAY, grid=grid, **HEAD)
    morning, noon, evening = told["rounds"]
    assert [one["status"] for one in told["rounds"]] == ["done", "missed", "unknown"]
    assert len(morning["strip"]) == 60
    assert set(noon["strip"]) == {"2"}
    assert set(evening["strip"]) == {"0"}
    assert {one["id"] for one in morning["workers"]} == {"w1", "w3"}
    assert "08:00:00" in morning["seen"]
    assert "网格外 60 分钟" in noon["reason"]
    assert "不能断定" in evening["reason"]
    looks = read_looks(patrolled_store.workspace, "w1", since=drawing.at.replace(hour=0))
    assert looks["by"].tolist() == ["boss"]
    assert looks["screen"].tolist() == ["sheet"]


@pytest.mark.parametrize("viewer", [LEADER, {}, {"role": "grid_head"}])
def test_others_see_minutes_and_results_but_no_people_times_or_places(
    client: FlaskClient, drawing: Any, viewer: dict[str, str]
) -> None:
    answer = client.get(
        "/board/evidence", query_string={"day": DAY, "grid": drawing.ids[0], **viewer}
    )
    told = answer.get_json()
    assert told["hidden"]
    assert told["rounds"][0]["here"] >= 55
    for word in ("strip", "workers", "places", "seen", "王小明", "w1", "08:00:00"):
        assert word not in answer.text


def test_an_unknown_grid_is_not_found(client: FlaskClient) -> None:
    assert client.get("/board/evidence", query_string={"day": DAY, "grid": "x"}).status_code == 404


def test_a_month_has_the_days_with_fixes_and_its_sums(client: FlaskClient, patrolled: Any) -> None:
    month = ask(client, "month", month="2026-11", level="community")
    assert [d["day"] for d in month["days"] if d["ready"]] == [DAY, "2026-11-21"]
    assert [d["day"] for d in month["days"] if d["empty"]][-1] == "2026-11-30"
    assert month["progress"]["done"] == month["progress"]["total"] == 2
    total, days = month["total"]
    assert dict(zip(COUNTS, days[19], strict=True)) == patrolled.known
    assert total == [sum(day[k] for day in days) for k in range(len(COUNTS))]
    for _, _, counts, by_day in month["rows"]:
        assert counts == [sum(day[k] for day in by_day) for k in range(len(COUNTS))]
    rows = [sum(row[2][k] for row in month["rows"]) for k in range(len(COUNTS))]
    assert rows == total
    grids = ask(client, "month", month="2026-11", level="grid")
    assert grids["total"] == month["total"]
    assert len(grids["rows"]) == 12


def test_people_are_told_by_shares_alone(client: FlaskClient) -> None:
    people = ask(client, "people", month="2026-11")["people"]
    assert [one["id"] for one in people] == ["w1", "w2", "w3", "w4"]
    for one in people:
        assert set(one) == {"id", "name", "grid", "role", "done", "unknown", "few"}
        assert one["few"]
        assert one["done"] is None


def test_stop_is_taken_from_our_own_pages_only(client: FlaskClient) -> None:
    assert client.post("/board/stop?month=2026-11").get_json() == {"state": "stopped"}
    other = {"Origin": "http://elsewhere"}
    assert client.post("/board/stop?month=2026-11", headers=other).status_code == 403


# --- files -------------------------------------------------------------------------------------


def table_of(sheet: Any) -> tuple[list[str], list[dict[str, Any]], dict[str, Any]]:
    """Headings, rows and the total of a sheet, as a fresh reader finds them."""
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    freeze = int("".join(c for c in sheet.freeze_panes if c.isdigit()))
    heads = [str(cell) for cell in rows[freeze - 2] if cell is not None]
    body = []
    for row in rows[freeze - 1 :]:
        if row[0] is None:
            break
        body.append(dict(zip(heads, row, strict=False)))
    return heads, body[:-1], body[-1]


def test_the_book_of_a_day_opens_elsewhere_with_the_same_sums(
    client: FlaskClient, patrolled: Any
) -> None:
    answer = client.get("/board/day.xlsx", query_string={"day": DAY})
    assert answer.status_code == 200
    assert "board.xlsx" in answer.headers["Content-Disposition"]
    book = load_workbook(io.BytesIO(answer.data))
    assert book.sheetnames == ["班次表", "逐次明细", "区", "街道", "社区"]
    for name in ("班次表", "区", "街道", "社区"):
        heads, rows, total = table_of(book[name])
        named = dict(zip(COUNTS, [h for h in heads if h.endswith("(次)")], strict=True))
        for key, head in named.items():
            assert total[head] == sum(row[head] for row in rows) == patrolled.known[key], head
    notes = [book["班次表"].cell(row=k, column=1).value for k in range(1, 8)]
    assert any("边界版本 1" in str(note) for note in notes)
    assert any("班次表：" in str(note) for note in notes)
    legend = [row[0].value for row in book["班次表"].iter_rows(min_row=17)]
    assert any("不是缺勤" in str(line) for line in legend)


def test_no_name_in_a_file_can_run(client: FlaskClient) -> None:
    data = client.get("/board/day.xlsx", query_string={"day": DAY}).data
    cells = [c for s in load_workbook(io.BytesIO(data)) for row in s.iter_rows() for c in row]
    assert "=孙四" in [cell.value for cell in cells]
    assert all(cell.data_type != "f" for cell in cells)
    text = client.get("/board/day.csv", query_string={"day": DAY}).data.decode("utf-8-sig")
    assert "'=孙四" in text
    assert not [c for row in csv.reader(io.StringIO(text)) for c in row if c.startswith("=")]


def test_single_rounds_have_their_reason_and_times_of_the_city(client: FlaskClient) -> None:
    data = client.get("/board/day.xlsx", query_string={"day": DAY}).data
    sheet = load_workbook(io.BytesIO(data))["逐次明细"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    missed = next(row for row in rows if "漏巡" in row)
    assert any("网格外 60 分钟" in str(cell) for cell in missed)
    assert "2026-11-20 12:00:00" in [str(cell) for cell in missed]


@pytest.mark.parametrize(
    ("query", "grids"),
    [
        ({"status": "missed"}, 1),
        ({"status": "missed,partly"}, 2),
        ({"unit": "420102001000"}, 6),
        ({"unit": "420102001001", "status": "vacant"}, 3),
        ({"q": "李芳"}, 1),
        ({"q": "第7"}, 1),
        ({"q": "nobody of this name"}, 0),
    ],
)
def test_a_file_holds_what_was_chosen(
    client: FlaskClient, query: dict[str, str], grids: int
) -> None:
    answer = client.get("/board/day.csv", query_string={"day": DAY, **query})
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert len(rows) == grids + 2
    counts = [k for k, head in enumerate(rows[0]) if head.endswith("(次)")]
    for k in counts:
        assert int(rows[-1][k]) == sum(int(row[k]) for row in rows[1:-1])


@pytest.mark.parametrize("level", ["street", "grid"])
def test_the_book_of_a_month_opens_elsewhere_with_the_same_sums(
    client: FlaskClient, level: str
) -> None:
    total = ask(client, "month", month="2026-11", level=level)["total"][0]
    data = client.get("/board/month.xlsx", query_string={"month": "2026-11", "level": level}).data
    book = load_workbook(io.BytesIO(data))
    for sheet in book:
        heads, rows, told = table_of(sheet)
        counts = [h for h in heads if h.endswith("(次)")]
        assert [told[h] for h in counts] == total
        assert [sum(row[h] for row in rows) for h in counts] == total
    heads, rows, _ = table_of(book["班次月表"])
    assert "20 星期五" in heads
    shares = [row["20 星期五"] for row in rows if row["20 星期五"] is not None]
    assert all(0 <= share <= 1 for share in shares)


def test_english_files_speak_english(client: FlaskClient) -> None:
    text = client.get("/board/day.csv", query_string={"day": DAY, "lang": "en"}).data
    head = text.decode("utf-8-sig").splitlines()[0]
    assert "Required (rounds)" in head
    assert "Morning 08:00–09:00" in head


def test_there_is_no_file_of_another_kind(client: FlaskClient) -> None:
    assert client.get("/board/day.pdf", query_string={"day": DAY}).status_code == 404
