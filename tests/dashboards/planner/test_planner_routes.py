"""Plans over HTTP, on the drawn city with four blocks a grid; and the page without a browser."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from dashboards.app import create_app
from dashboards.pages.planner import build_page
from dashboards.plan_desk import desk_of
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words, placeholders
from geo.io.workspace import Workspace
from geo.plan import REASONS

ME = {"by": "甲", "role": "planner"}


def block_id(grid: int, quarter: int) -> str:
    """As the drawing of `conftest.py` numbers them."""
    return f"b{4 * grid + quarter:03d}"


class Desk:
    """A client and a plan of the drawn city."""

    def __init__(self, client: FlaskClient, store: Store, quarters: Any) -> None:
        self.client, self.store, self.quarters = client, store, quarters
        self.n = 0
        self.plan = self.post("/plan/new", name="试", **ME).get_json()["id"]

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body)

    def state(self) -> dict[str, Any]:
        return json.loads(self.client.get(f"/plan/{self.plan}/state").data)

    def edit(self, edit: dict[str, Any], on: int, by: str = "甲", **more: Any) -> Any:
        self.n += 1
        body = {"edit_id": f"e{self.n}", "edit": edit, "on_seq": on, "by": by} | more
        return self.post(f"/plan/{self.plan}/edits", **body)

    def require_sound(self) -> None:
        self.quarters.require_sound(desk_of(self.store).book, self.plan)

    def label(self) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.state()["label"]), dtype="<i4")


@pytest.fixture
def desk(drawing: Any, quarters: Any, workspace: Workspace) -> Iterator[Desk]:
    drawing.fill(workspace)
    quarters.add(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    app = create_app(store.settings, store)
    yield Desk(app.server.test_client(), store, quarters)
    app.server.extensions["wangge-live"].close()


def paint(grid: str, *blocks: str, along: bool = False) -> dict[str, Any]:
    return {"do": "paint", "blocks": list(blocks), "grid": grid, "along": along}


def unpack(body: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The packed form, read by its description."""
    assert body[:4] == b"WGP1"
    size = struct.unpack("<I", body[4:8])[0]
    head = json.loads(body[8 : 8 + size])
    columns = {
        name: np.frombuffer(body, dtype="<" + kind, count=count, offset=8 + size + at)
        for name, (at, count, kind) in head["columns"].items()
    }
    return head, columns


def test_a_draft_begins_with_the_grids_in_force(desk: Desk) -> None:
    state = desk.state()
    assert (state["seq"], state["state"], state["history"]) == (0, "draft", [])
    assert len(state["grids"]) == 12
    assert {row[5] for row in state["grids"]} == {40}
    assert [one["name"] for one in state["communities"]] == ["东湖社区", "南湖社区"]


def test_the_packed_ground_has_every_block_and_shares_vertices(desk: Desk) -> None:
    answer = desk.client.get(f"/plan/{desk.plan}/topo")
    head, columns = unpack(answer.data)
    assert head["n"] == 48 == len(head["ids"])
    # Nine by seven corners of blocks, each once.
    assert len(columns["lat"]) == 63
    assert columns["ring_size"].tolist() == [4] * 48
    lon = np.cumsum(columns["lon"]) / 1e7
    assert abs(lon.min() - 114.3) < 1e-6
    assert abs(lon.max() - 114.308) < 1e-6
    # The outer border and the line between the communities stay.
    assert columns["fixed"].sum() == 2 * 9 + 2 * 5 + 5
    again = desk.client.get(
        f"/plan/{desk.plan}/topo", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_an_edit_is_saved_and_tells_what_the_screen_lacks(desk: Desk, drawing: Any) -> None:
    epoch = desk.state()["epoch"]
    told = desk.edit(paint(drawing.ids[0], block_id(1, 0)), 0, shown=0, epoch=epoch).get_json()
    assert (told["ok"], told["result"], told["seq"]) == (True, "applied", 1)
    patch = told["patch"]
    assert len(patch["blocks"]) == 1
    assert patch["vertices"] == []
    assert {row[1]: row[5] for row in patch["grids"]} == {drawing.ids[0]: 50, drawing.ids[1]: 30}
    assert told["history"][0] | {"at": 0} == {
        "seq": 1, "edit_id": "e1", "by": "甲", "at": 0, "state": "applied", "do": "paint", "n": 1,
        "grids": ["东湖第0网格"],
    }  # fmt: skip
    desk.require_sound()


def test_the_same_edit_twice_counts_once(desk: Desk, drawing: Any) -> None:
    edit = paint(drawing.ids[0], block_id(1, 0))
    for _ in range(2):
        desk.n = 0
        assert desk.edit(edit, 0).get_json()["at_seq"] == 1
    assert desk.state()["seq"] == 1


def test_a_refusal_comes_in_words_with_place_and_offer(desk: Desk, drawing: Any) -> None:
    grid = drawing.ids[0]
    # The two east quarters of grid 1 go, then one of the west ones is asked for: nothing is cut.
    across = desk.edit(paint(grid, block_id(2, 0)), 0)
    told = across.get_json()
    assert (across.status_code, told["code"]) == (409, "other_community")
    assert told["error"] == "地块在另一个社区，网格不能跨社区。"
    assert told["place"]["type"] == "Polygon"
    assert abs(told["place"]["coordinates"][0][0][0] - 114.304) < 2e-3
    far = desk.edit(paint(drawing.ids[4], block_id(9, 2)), 0).get_json()
    assert far["code"] == "falls_apart"
    assert "东湖第4网格" in far["error"]
    assert desk.state()["seq"] == 0


def test_what_would_be_cut_off_is_offered_and_comes_along(desk: Desk, drawing: Any) -> None:
    # Without its north-east quarter, the south-west one holds grid 4 together.
    one = drawing.ids[0]
    assert desk.edit(paint(drawing.ids[5], block_id(4, 3)), 0).get_json()["ok"]
    told = desk.edit(paint(one, block_id(4, 0)), 1).get_json()
    assert told["code"] == "cut_off"
    ids = unpack(desk.client.get(f"/plan/{desk.plan}/topo").data)[0]["ids"]
    assert [ids[row] for row in told["offer"]] == [block_id(4, 2)]
    assert desk.edit(paint(one, block_id(4, 0), along=True), 1).get_json()["ok"]
    rows = {row[0]: row[1] for row in desk.state()["grids"]}
    label = desk.label()
    assert [rows[int(label[ids.index(block_id(4, q))])] for q in range(4)] == [
        one, drawing.ids[4], one, drawing.ids[5],
    ]  # fmt: skip
    desk.require_sound()


def test_places_of_the_screen_become_metres(desk: Desk, drawing: Any) -> None:
    # The middle corner of grid 0, 10 m to the east (0.0001 degrees are 9.6 m here).
    _, columns = unpack(desk.client.get(f"/plan/{desk.plan}/topo").data)
    lon, lat = np.cumsum(columns["lon"]) / 1e7, columns["lat"] / 1e7
    vertex = int(np.argmin(np.hypot(lon - 114.301, lat - 30.501)))
    edit = {"do": "move", "vertices": [vertex], "xy": [[114.3011, 30.501]]}
    epoch = desk.state()["epoch"]
    told = desk.edit(edit, 0, shown=0, epoch=epoch).get_json()
    assert told["patch"]["vertices"] == [vertex]
    assert told["patch"]["places"] == pytest.approx([114.3011, 30.501], abs=1e-8)
    areas = {row[1]: row[7] for row in told["patch"]["grids"]}
    assert len(areas) <= 1
    desk.require_sound()


def test_a_name_is_one_that_can_be_read(desk: Desk) -> None:
    path = f"/plan/{desk.plan}/name"
    assert desk.post(path, name=" \n ", **ME).get_json()["code"] == "name"
    assert desk.post(path, name={"a": 1}, **ME).get_json()["code"] == "name"
    assert desk.post(path, name="a", by=["甲"]).get_json()["code"] == "nobody"
    assert desk.post("/plan/new", name="a", communities=5, **ME).status_code == 422
    long = desk.post(path, name="长" * 101, **ME)
    assert (long.status_code, long.get_json()["error"]) == (
        400, "名称最长 100 个字，现在有 101 个。",
    )  # fmt: skip
    assert desk.post(path, name="  东湖\n调整 ", **ME).get_json()["name"] == "东湖 调整"
    since = {"since": 0, "epoch": desk.state()["epoch"]}
    news = desk.client.get(f"/plan/{desk.plan}/edits", query_string=since).get_json()
    assert news["name"] == "东湖 调整"


def test_blocks_that_are_cut_come_as_a_swap_of_what_differs(desk: Desk, drawing: Any) -> None:
    state = desk.state()
    line = [[114.3004, 30.499], [114.3004, 30.5025]]
    edit = {"do": "split", "grid": drawing.ids[0], "line": line, "through": True, "name": None}
    told = desk.edit(edit, 0, shown=0, epoch=state["epoch"]).get_json()
    swap = told["patch"]["swap"]
    # Two quarters are cut in two: two blocks more, and corners on the three lines that are crossed.
    assert (swap["blocks"], swap["vertices"]) == (50, 66)
    assert {48, 49} < set(swap["rows"])
    assert sum(swap["households"][swap["rows"].index(row)] for row in (48, 49)) < 20
    assert told["patch"]["vertices"] == [63, 64, 65]
    assert swap["fixed"] == [63, 64, 65]
    # The one on the outer border of the city stays where it is.
    assert sum(swap["isFixed"]) == 1
    back = desk.edit({"do": "undo"}, 1, shown=1, epoch=state["epoch"]).get_json()
    assert (back["patch"]["swap"]["blocks"], back["patch"]["swap"]["vertices"]) == (48, 63)
    assert back["patch"]["vertices"] == []
    desk.require_sound()


def test_a_screen_of_another_epoch_reads_everything_anew(desk: Desk, drawing: Any) -> None:
    state = desk.state()
    desk.edit(paint(drawing.ids[0], block_id(1, 0)), 0)
    path = f"/plan/{desk.plan}/edits"
    news = desk.client.get(path, query_string={"since": 0, "epoch": state["epoch"]}).get_json()
    assert news["seq"] == 1
    assert len(news["patch"]["blocks"]) == 1
    assert desk.client.get(path, query_string={"since": 0, "epoch": "x"}).get_json()["reload"]
    desk_of(desk.store).forget(desk.plan)
    late = desk.client.get(path, query_string={"since": 0, "epoch": state["epoch"]})
    assert late.get_json()["reload"]


def test_two_wishes_for_one_block_are_kept_until_somebody_decides(desk: Desk, drawing: Any) -> None:
    ids = drawing.ids
    assert desk.edit(paint(ids[0], block_id(1, 0)), 0).get_json()["result"] == "applied"
    told = desk.edit(paint(ids[5], block_id(1, 2), block_id(1, 0)), 0, by="乙").get_json()
    assert told["result"] == "conflict"
    (conflict,) = desk.state()["conflicts"]
    assert (conflict["by"], conflict["wish"]["do"], conflict["theirs"][0]["by"]) == (
        "乙",
        "paint",
        "甲",
    )
    assert len(conflict["blocks"]) == 2
    assert conflict["why"].endswith("。")
    path = f"/plan/{desk.plan}/settle"
    settled = desk.post(path, seq=conflict["seq"], take=False, edit_id="s1", **ME)
    assert settled.status_code == 200
    assert desk.state()["conflicts"] == []
    desk.require_sound()


def test_undo_is_an_edit_of_its_own(desk: Desk, drawing: Any) -> None:
    before = desk.label()
    desk.edit(paint(drawing.ids[0], block_id(1, 0)), 0)
    assert desk.edit({"do": "undo"}, 1).get_json()["seq"] == 2
    assert (desk.label() == before).all()
    assert desk.edit({"do": "redo"}, 2).get_json()["ok"]
    assert (desk.label() != before).sum() == 1
    nothing = desk.edit({"do": "redo"}, 3).get_json()
    assert nothing["code"] == "nothing_to_redo"


def test_ones_own_edit_is_undone_under_anothers_that_is_disjoint(desk: Desk, drawing: Any) -> None:
    before = desk.label()
    desk.edit(paint(drawing.ids[0], block_id(1, 0)), 0)
    name = {"do": "rename", "grid": drawing.ids[2], "name": "河畔"}
    told = desk.edit(name, 1, by="乙").get_json()
    undone = desk.edit({"do": "undo"}, 2, shown=2, epoch=desk.state()["epoch"]).get_json()
    assert (undone["ok"], undone["seq"], undone["patch"]["blocks"]) == (True, 3, [4])
    assert (desk.label() == before).all()
    assert "河畔" in json.dumps(desk.state()["grids"], ensure_ascii=False)
    desk.edit(name | {"name": "桥头"}, 3)
    desk.edit(name | {"name": "河畔"}, 4, by="乙")
    covered = desk.edit({"do": "undo"}, 5)
    assert (covered.status_code, covered.get_json()["code"]) == (409, "covered")
    assert "乙" in covered.get_json()["error"]
    assert told["ok"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"edit_id": "a", "edit": {"do": "nonsense"}, "on_seq": 0, "by": "x"}, 400),
        ({"edit_id": "a", "edit": {"do": "remove"}, "on_seq": 0, "by": "x"}, 400),
        ({"edit_id": "a", "edit": {"do": "move", "xy": "?"}, "on_seq": 0, "by": "x"}, 400),
        ({"edit_id": "a", "edit": {"do": "paint"}, "on_seq": 0, "by": "x"}, 400),
        (
            {"edit_id": "a", "on_seq": 0, "by": "x",
             "edit": {"do": "move", "vertices": [10**30], "xy": [[114.3, 30.5]]}}, 400,
        ),
        (
            {"edit_id": "a", "on_seq": 0, "by": "x",
             "edit": {"do": "rename", "grid": "420102001001001", "name": ["?"]}}, 400,
        ),
        ({"edit_id": "a", "on_seq": 0, "by": "x"}, 400),
        ({"edit_id": "a", "edit": {"do": "undo"}, "on_seq": 0}, 400),
        ({"edit_id": "a", "edit": {"do": "undo"}, "on_seq": "x", "by": "x"}, 400),
    ],
    ids=["unknown kind", "no vertex", "bad places", "no blocks", "far too large", "no text",
         "no edit", "nobody", "no number"],
)  # fmt: skip
def test_what_is_no_edit_is_refused_with_a_sentence(
    desk: Desk, body: dict[str, Any], status: int
) -> None:
    answer = desk.post(f"/plan/{desk.plan}/edits", **body)
    assert answer.status_code == status
    assert re.search("[一-龥]", answer.get_json()["error"])
    assert desk.state()["seq"] == 0


def test_a_disk_that_is_full_is_told_and_the_edit_can_be_sent_again(
    desk: Desk, drawing: Any
) -> None:
    book = desk_of(desk.store).book
    edit = paint(drawing.ids[0], block_id(1, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "_store", lambda conn, *_: conn.exec_driver_sql("PRAGMA query_only=1")
                      and conn.exec_driver_sql("DELETE FROM plans"))  # fmt: skip
        answer = desk.edit(edit, 0, edit_id="once")
    assert (answer.status_code, answer.get_json()["code"]) == (507, "disk")
    assert re.search("磁盘", answer.get_json()["error"])
    assert "http" not in answer.get_data(as_text=True)
    with desk.store.workspace.reading() as conn:
        conn.exec_driver_sql("PRAGMA query_only=0")
    assert desk.edit(edit, 0, edit_id="once").get_json()["seq"] == 1


def test_an_edit_from_another_site_is_refused(desk: Desk, drawing: Any) -> None:
    body = {"edit_id": "a", "edit": {"do": "undo"}, "on_seq": 0, "by": "x"}
    answer = desk.client.post(
        f"/plan/{desk.plan}/edits", json=body, headers={"Origin": "http://elsewhere.example"}
    )
    assert answer.status_code == 403
    assert desk.client.get("/plan/nowhere/state").status_code == 404


def test_every_refusal_has_words_with_the_parts_that_it_brings() -> None:
    code = Path(__file__).parents[3] / "geo"
    text = "".join(file.read_text("utf-8") for file in code.glob("*redraw*.py"))
    text += (code / "plan.py").read_text("utf-8")
    for language in ("zh", "en"):
        words = Words(language)
        for reason in REASONS:
            assert words.has(f"planner.refused.{reason}"), reason
            asked = placeholders(words(f"planner.refused.{reason}"))
            call = re.search(rf'code="{reason}"(.*?)\n\s*\)', text, re.S)
            given = set(re.findall(r"(\w+)=", call.group(1))) if call else asked
            assert asked <= given, (reason, asked, given)


def test_the_page_stands_before_its_plan(desk: Desk) -> None:
    text = str(build_page(desk.store, {"plan": desk.plan}).to_plotly_json())
    for part in ("plan-tools", "plan-map", "plan-tabs", "plan-say", "plan-undo", desk.plan):
        assert part in text
