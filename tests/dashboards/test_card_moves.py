"""Moves from the card: written by the case book, refused in words, late ones told what changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboards.app import create_app
from dashboards.components import card_ids as ids
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace

DISPATCHER = {"role": "dispatcher", "by": "坐席02"}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def store(workspace: Workspace, drawing: Any) -> Store:
    """The drawn city with two open cases that wait for their dispatch, `c` and `d`."""
    drawing.fill(workspace)
    now = [drawing.at]

    def clock() -> Any:
        now[0] += timedelta(seconds=1)
        return now[0]

    return Store(workspace, Settings(), clock=clock)


@pytest.fixture
def client(store: Store) -> FlaskClient:
    return create_app(store.settings, store).server.test_client()


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    """Post the callback that has an output; values by id and property."""
    known = client.get("/_dash-dependencies").json

    def post(output: str, changed: str, **values: Any) -> dict[str, Any]:
        found = [d for d in known if output in d["output"] and not d["clientside_function"]]
        assert len(found) == 1
        parts = found[0]["output"].strip(".").split("...")
        outputs = [dict(zip(("id", "property"), part.split("."), strict=True)) for part in parts]

        def filled(items: list[dict[str, str]]) -> list[dict[str, Any]]:
            return [{**item, "value": values.get(item["id"].replace("-", "_"))} for item in items]

        answer = client.post(
            "/_dash-update-component",
            json={
                "output": found[0]["output"], "outputs": outputs, "changedPropIds": [changed],
                "inputs": filled(found[0]["inputs"]), "state": filled(found[0]["state"]),
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.get_data(as_text=True)
        response: dict[str, Any] = answer.json["response"]
        return response

    return post


def send(ask: Ask, seen: int, move: str = "dispatch", **typed: Any) -> dict[str, Any]:
    values = {
        "card_send": 1, "card_move": move, "card_seen": {"incident_id": "c", "seq": seen},
        "card_person": DISPATCHER, "card_touch": 0, "card_config": {"lang": "zh"},
        **{f"card_{name}": value for name, value in typed.items()},
    }  # fmt: skip
    return ask(f"{ids.CARD_SAID}.children", f"{ids.CARD_SEND}.n_clicks", **values)


def show(ask: Ask, **values: Any) -> dict[str, Any]:
    changed = values.pop("changed", f"{ids.CARD_TARGET}.data")
    target = {"kind": "incident", "id": "c"}
    defaults = {"card_target": target, "card_person": DISPATCHER, "card_config": {"lang": "zh"}}
    return ask(f"{ids.CARD_BODY}.children", changed, **(defaults | values))


def said(answer: dict[str, Any]) -> str:
    return json.dumps(answer[ids.CARD_SAID]["children"], ensure_ascii=False)


def seq_of(ask: Ask) -> int:
    return int(show(ask)[ids.CARD_SEEN]["data"]["seq"])


def test_a_dispatch_from_the_card_is_in_the_log_and_empties_the_form(
    ask: Ask, store: Store
) -> None:
    answer = send(ask, seq_of(ask), owner="D01", note="请尽快")
    assert "派遣" in said(answer)
    assert answer[ids.CARD_NOTE]["value"] == ""
    assert answer[ids.CARD_MOVE]["data"] is None
    assert answer[ids.CARD_TOUCH]["data"] == 1
    case = store.casebook.read("c", at=store.clock()).case
    assert (case.stage, case.owner, case.log[-1].by, case.log[-1].note) == (
        "dispatched", "D01", "坐席02", "请尽快",
    )  # fmt: skip


def test_a_late_move_is_told_what_others_did_and_keeps_what_was_typed(
    ask: Ask, store: Store
) -> None:
    seen = seq_of(ask)
    store.casebook.move(
        "c", "remark", at=store.clock(), by="坐席07", role="acceptor", seen=seen, note="已电话核实"
    )
    answer = send(ask, seen, owner="D01", note="请尽快")
    assert "已电话核实" in said(answer)
    assert "坐席07" in said(answer)
    assert ids.CARD_NOTE not in answer
    assert ids.CARD_MOVE not in answer
    assert answer[ids.CARD_SEEN]["data"] == {"incident_id": "c", "seq": seen + 1}
    assert store.casebook.read("c", at=store.clock()).case.stage == "opened"
    assert "派遣" in said(send(ask, seen + 1, owner="D01", note="请尽快"))


@pytest.mark.parametrize(
    ("move", "typed", "words"),
    [
        ("dispatch", {}, "承办单位"),
        ("close", {}, "不能"),
        ("supervise", {}, "说明"),
    ],
)
def test_what_is_not_allowed_is_refused_in_words_and_changes_nothing(
    ask: Ask, store: Store, move: str, typed: dict[str, str], words: str
) -> None:
    seen = seq_of(ask)
    answer = send(ask, seen, move, **typed)
    assert words in said(answer)
    assert ids.CARD_NOTE not in answer
    assert store.casebook.read("c", at=store.clock()).case.seq == seen


def test_nobody_moves_a_case_without_saying_who(ask: Ask, store: Store) -> None:
    answer = send(ask, seq_of(ask), owner="D01", person=None)
    assert "请先选择岗位并填写姓名" in said(answer)


def test_a_refresh_while_the_form_is_open_does_not_count_as_having_looked(
    ask: Ask, store: Store
) -> None:
    seen = seq_of(ask)
    store.casebook.move(
        "c", "remark", at=store.clock(), by="坐席07", role="acceptor", seen=seen, note="核实"
    )
    known = {"incident_id": "c", "seq": seen}
    quiet = show(ask, changed=f"{ids.CARD_TOUCH}.data", card_seen=known, card_move="dispatch")
    assert ids.CARD_SEEN not in quiet
    assert "核实" in json.dumps(quiet[ids.CARD_BODY], ensure_ascii=False)
    closed = show(ask, changed=f"{ids.CARD_TOUCH}.data", card_seen=known)
    assert closed[ids.CARD_SEEN]["data"]["seq"] == seen + 1


def test_the_buttons_are_the_moves_that_the_role_may_make(ask: Ask) -> None:
    def moves(role: str) -> set[str]:
        found = show(ask, card_person={"role": role, "by": "x"})
        text = json.dumps(found[ids.CARD_ACTIONS])
        names = ("dispatch", "raise", "supervise", "accept", "close", "cancel", "merge", "remark")
        return {name for name in names if f'"data-move": "{name}"' in text}

    assert moves("dispatcher") == {"dispatch", "raise", "supervise", "merge", "remark"}
    assert moves("leader") == {"supervise", "remark"}
    assert moves("handler") == {"raise", "remark"}


def test_a_merge_writes_both_logs(ask: Ask, store: Store) -> None:
    assert "合并" in said(send(ask, seq_of(ask), "merge", other="d"))
    assert store.casebook.read("c", at=store.clock()).case.merged_into == "d"
    assert store.casebook.read("d", at=store.clock()).case.absorbed == ("c",)


def test_a_target_of_nothing_empties_the_card(ask: Ask) -> None:
    answer = show(ask, card_target=None)
    assert answer[ids.CARD_BODY]["children"] == []
    assert answer[ids.CARD_MARKS]["data"]["features"] == []


def test_an_error_is_said_in_the_card_with_a_number(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr("dashboards.components.card_fill.assemble", broken)
    answer = show(ask)
    text = json.dumps(answer[ids.CARD_BODY], ensure_ascii=False)
    assert "此部分暂时无法显示，编号" in text
    assert "disk" not in text
    assert "data-card" in json.dumps(answer[ids.CARD_HEAD])
