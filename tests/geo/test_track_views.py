"""Looks at tracks in the store: added once, never changed, found by the worker they are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from geo.errors import InputError
from geo.io.track_views import EVERYONE, Look, append_look, read_looks
from geo.io.workspace import Workspace

AT = datetime(2026, 11, 21, 6, tzinfo=UTC)
DAY = (datetime(2026, 11, 19, 16, tzinfo=UTC), datetime(2026, 11, 20, 16, tzinfo=UTC))


def look(*worker_ids: str, **more: Any) -> Look:
    told = {"by": "d1", "role": "dispatcher", "since": DAY[0], "until": DAY[1], "screen": "sheet"}
    return Look(worker_ids=worker_ids, **{**told, **more})


def note(workspace: Workspace, *worker_ids: str, minutes: float = 0, **more: Any) -> int:
    return append_look(workspace, look(*worker_ids, **more), at=AT + timedelta(minutes=minutes))


def seen(workspace: Workspace, worker_id: str) -> list[tuple[str, str]]:
    found = read_looks(workspace, worker_id, since=AT - timedelta(days=30))
    return list(zip(found["by"], found["worker_id"], strict=True))


def test_a_worker_finds_looks_at_him_and_at_everybody_the_newest_first(
    workspace: Workspace,
) -> None:
    note(workspace, "w1")
    note(workspace, "w2", minutes=1)
    note(workspace, EVERYONE, minutes=2, by="d2", screen="replay")
    assert seen(workspace, "w1") == [("d2", "*"), ("d1", "w1")]
    assert seen(workspace, "w2") == [("d2", "*"), ("d1", "w2")]
    assert seen(workspace, "w3") == [("d2", "*")]


def test_the_same_look_within_ten_minutes_is_noted_once(workspace: Workspace) -> None:
    assert note(workspace, "w1") == 1
    assert note(workspace, "w1", minutes=9.9) == 0
    part = {"since": DAY[0] + timedelta(hours=3), "until": DAY[0] + timedelta(hours=4)}
    assert note(workspace, "w1", minutes=9.9, **part) == 0
    assert note(workspace, "w1", minutes=10.1) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"by": "d2"},
        {"role": "inspector"},
        {"screen": "replay"},
        {"until": DAY[1] + timedelta(seconds=1)},
        {"since": DAY[0] - timedelta(seconds=1)},
    ],
    ids=["another person", "another role", "another screen", "a later end", "an earlier begin"],
)
def test_a_look_that_differs_is_noted_beside_the_first(
    workspace: Workspace, other: dict[str, Any]
) -> None:
    note(workspace, "w1")
    assert note(workspace, "w1", minutes=1, **other) == 1


def test_of_many_workers_only_those_not_yet_noted_are_added(workspace: Workspace) -> None:
    first = [f"w{k}" for k in range(0, 1200)]
    assert note(workspace, *first[:700]) == 700
    assert note(workspace, *first, minutes=1) == 500
    assert note(workspace, "w1", "w1", "w5000", minutes=2) == 1


def test_a_look_without_a_role_is_the_same_look_again(workspace: Workspace) -> None:
    assert note(workspace, "w1", role="") == 1
    assert note(workspace, "w1", role="", minutes=1) == 0


def test_old_looks_are_left_out_and_so_are_those_after_the_end(workspace: Workspace) -> None:
    note(workspace, "w1")
    assert len(read_looks(workspace, "w1", since=AT + timedelta(seconds=1))) == 0
    assert len(read_looks(workspace, "w1", since=AT, until=AT)) == 0


@pytest.mark.parametrize(
    "statement", ["UPDATE track_views SET \"by\" = 'x'", "DELETE FROM track_views"]
)
def test_a_noted_look_is_neither_changed_nor_deleted(workspace: Workspace, statement: str) -> None:
    note(workspace, "w1")
    with pytest.raises(InputError, match="only ever added to"), workspace.writing() as conn:
        conn.execute(sa.text(statement))
    assert seen(workspace, "w1") == [("d1", "w1")]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"by": " "}, "by is empty"),
        ({"worker_ids": ()}, "names nobody"),
        ({"worker_ids": ("",)}, "names nobody"),
        ({"since": AT.replace(tzinfo=None)}, "without a zone"),
        ({"until": DAY[0] - timedelta(hours=1)}, "before since"),
    ],
)
def test_half_a_look_is_refused(workspace: Workspace, told: dict[str, Any], text: str) -> None:
    whole = vars(look("w1")) | told
    with pytest.raises(InputError, match=text):
        append_look(workspace, Look(**whole), at=AT)
