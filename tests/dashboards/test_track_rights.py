"""Who may see tracks, that each look is noted first, and what a worker reads of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pandas as pd
import pytest

from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.track_rights import (
    SCREENS,
    TracksHiddenError,
    Viewer,
    may_see_tracks,
    note_look,
    require_tracks,
    viewer_of,
)
from dashboards.track_routes import add_track_routes, facts
from dashboards.words import Words
from geo.errors import InputError
from geo.io.track_views import read_looks
from geo.io.workspace import Workspace
from geo.schema import TABLES

ZH, EN = Words("zh"), Words("en")
DISPATCHER = Viewer("d1", "dispatcher")
DAY = (datetime(2026, 11, 19, 16, tzinfo=UTC), datetime(2026, 11, 20, 16, tzinfo=UTC))


@pytest.fixture
def store(workspace: Workspace, drawing: Any) -> Store:
    drawing.fill(workspace)
    return Store(workspace, Settings(), clock=lambda: drawing.at)


@pytest.fixture
def ask(store: Store) -> Callable[..., Any]:
    server = flask.Flask("tracks")
    add_track_routes(server, store)

    @server.get("/track/<worker_id>")
    def track(worker_id: str) -> str:
        viewer = viewer_of(flask.request.args)
        require_tracks(store, viewer, worker_id)
        note_look(store, viewer, worker_id, *DAY, "sheet")
        return "positions"

    client = server.test_client()
    return lambda path, **query: client.get(path, query_string=query)


@pytest.mark.parametrize(
    ("viewer", "worker_id", "may"),
    [
        (Viewer("d1", "dispatcher"), None, True),
        (Viewer("d1", "leader"), None, False),
        (Viewer("d1", ""), None, False),
        (Viewer("", "dispatcher"), None, False),
        (Viewer("w1", "grid_worker"), None, False),
        (Viewer("w1", "grid_worker"), "w1", True),
        (Viewer("w1", "grid_worker"), "w2", False),
        (Viewer("", ""), "", False),
    ],
)
def test_named_people_of_the_roles_of_the_setting_may_and_a_worker_his_own(
    store: Store, viewer: Viewer, worker_id: str | None, may: bool
) -> None:
    assert may_see_tracks(store, viewer, worker_id) is may


def test_the_setting_decides_which_roles_may(make_store: Callable[..., Store]) -> None:
    store = make_store(track_roles="leader, inspector")
    assert may_see_tracks(store, Viewer("d1", "leader"))
    assert not may_see_tracks(store, DISPATCHER)
    assert not may_see_tracks(make_store(track_roles=""), DISPATCHER)
    assert not may_see_tracks(make_store(track_roles=""), Viewer("d1", ""))


def test_a_role_without_the_right_is_answered_403_and_why_and_nothing_is_noted(
    store: Store, ask: Callable[..., Any]
) -> None:
    answer = ask("/track/w1", by="u9", role="leader")
    assert answer.status_code == 403
    assert answer.get_json() == {"error": ZH("tracks.hidden", role="领导"), "reason": "tracks"}
    assert "覆盖率" in answer.get_json()["error"]
    english = ask("/track/w1", by="u9", role="leader", lang="en").get_json()["error"]
    assert "only shares" in english
    assert store.workspace.count("track_views") == 0


def test_who_names_nobody_is_asked_to(ask: Callable[..., Any]) -> None:
    answer = ask("/track/w1", role="dispatcher")
    assert (answer.status_code, answer.get_json()["error"]) == (403, ZH("tracks.nobody"))


def test_the_word_for_a_role_that_nobody_knows_is_the_role(store: Store) -> None:
    with pytest.raises(TracksHiddenError) as told:
        require_tracks(store, Viewer("x", "mayor"))
    assert told.value.tell(ZH).startswith("mayor")
    with pytest.raises(TracksHiddenError) as told:
        require_tracks(store, Viewer("x"))
    assert told.value.tell(ZH).startswith(ZH("tracks.role.none"))


def test_a_track_that_was_sent_is_read_by_its_worker(ask: Callable[..., Any]) -> None:
    assert ask("/track/w1", by="w2", role="shift_leader").get_data(as_text=True) == "positions"
    told = ask("/tracks/looks", worker="w1", by="w1", role="grid_worker").get_json()
    assert [(row["who"], row["what"], row["when"]) for row in told["looks"]] == [
        ("李芳（值班长）", "单人日报：我的轨迹，11-20 全天", "14:09")
    ]
    assert told["count"] == ZH("tracks.count", days=30, n=1)


def test_his_own_look_is_noted_as_his_own(ask: Callable[..., Any]) -> None:
    ask("/track/w1", by="w1", role="grid_worker")
    row = ask("/tracks/looks", worker="w1", by="w1").get_json()["looks"][0]
    assert row["self"]
    assert row["who"] == "本人（网格员）"


def test_nobody_else_reads_who_looked(ask: Callable[..., Any]) -> None:
    for query in ({"by": "w2", "role": "inspector"}, {"role": "inspector"}, {"by": ""}):
        answer = ask("/tracks/looks", worker="w1", **query)
        assert answer.status_code == 403
        assert "looks" not in answer.get_json()
    assert ask("/tracks/looks").status_code == 403


def test_no_looks_is_a_sentence_and_not_an_empty_list(ask: Callable[..., Any]) -> None:
    told = ask("/tracks/looks", worker="w3", by="w3").get_json()
    assert (told["looks"], told["empty"]) == ([], "近 30 天没有人查看过")
    assert told["note"] == ZH("tracks.nosignin")


def test_a_look_at_everybody_says_so_to_each(store: Store, ask: Callable[..., Any]) -> None:
    begin = store.clock() - timedelta(hours=4)
    note_look(store, DISPATCHER, "*", begin, store.clock(), "replay")
    told = ask("/tracks/looks", worker="w3", by="w3", lang="en").get_json()["looks"]
    assert [row["what"] for row in told] == ["replay: everybody's tracks, 10:09 to 14:09"]


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("2026-11-20 00:00", "2026-11-21 00:00", "11-20 全天"),
        ("2025-12-31 00:00", "2025-12-31 23:59:59", "2025-12-31 全天"),
        ("2026-11-21 08:00", "2026-11-21 12:00", "08:00 至 12:00"),
        ("2026-11-20 08:00", "2026-11-20 12:00", "11-20 08:00 至 12:00"),
        ("2026-11-20 08:00", "2026-11-21 12:00", "11-20 08:00 至 11-21 12:00"),
        ("2025-12-31 08:00", "2026-01-01 12:00", "2025-12-31 08:00 至 2026-01-01 12:00"),
        ("2026-11-19 00:00", "2026-11-21 00:00", "11-19 00:00 至 11-21 00:00"),
    ],
)
def test_a_span_is_said_in_the_citys_zone_and_no_date_is_left_to_guess(
    store: Store, ask: Callable[..., Any], begin: str, end: str, said: str
) -> None:
    span = [pd.Timestamp(moment, tz="Asia/Shanghai").to_pydatetime() for moment in (begin, end)]
    note_look(store, DISPATCHER, "w1", *span, "sheet")
    told = ask("/tracks/looks", worker="w1", by="w1").get_json()["looks"]
    assert told[0]["what"] == f"单人日报：我的轨迹，{said}"


def test_looks_of_more_than_thirty_days_ago_are_left_out(
    workspace: Workspace, drawing: Any, store: Store, ask: Callable[..., Any]
) -> None:
    early = Store(workspace, Settings(), clock=lambda: drawing.at - timedelta(days=30, seconds=1))
    note_look(early, DISPATCHER, "w1", *DAY, "sheet")
    assert ask("/tracks/looks", worker="w1", by="w1").get_json()["looks"] == []


def test_a_long_list_ends_and_says_how_many_there_are(
    store: Store, ask: Callable[..., Any]
) -> None:
    for k in range(105):
        note_look(store, Viewer(f"d{k}", "dispatcher"), ["w1"], *DAY, "follow")
    told = ask("/tracks/looks", worker="w1", by="w1").get_json()
    assert len(told["looks"]) == 100
    assert "105" in told["count"]
    assert "100" in told["more"]


def test_many_numbers_are_noted_each_and_nobody_is_nothing(store: Store) -> None:
    note_look(store, DISPATCHER, ["w1", "w2"], *DAY, "passed")
    note_look(store, DISPATCHER, [], *DAY, "passed")
    since = store.clock() - timedelta(days=1)
    assert len(read_looks(store.workspace, "w1", since=since)) == 1
    assert store.workspace.count("track_views") == 2
    note_look(store, DISPATCHER, pd.Index(["w1", "*"]), *DAY, "replay")
    assert store.workspace.count("track_views") == 3


def test_a_look_without_a_name_or_screen_is_a_mistake_of_ours(store: Store) -> None:
    with pytest.raises(InputError, match="by is empty"):
        note_look(store, Viewer("", "dispatcher"), "w1", *DAY, "sheet")
    with pytest.raises(ValueError, match="use one of replay"):
        note_look(store, DISPATCHER, "w1", *DAY, "cinema")


def test_every_screen_has_its_word_and_stands_in_the_description_of_the_table() -> None:
    told = TABLES["track_views"].column("screen").help.replace(",", "").split()
    assert set(SCREENS) == set(told)
    for words in (ZH, EN):
        assert all(words.has(f"tracks.screen.{screen}") for screen in SCREENS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ["07:00至21:00", "保存 180 天", "社区书记、街道负责人、派遣员", "30 天"]),
        ({"keep_off_duty": True}, ["全天保存"]),
        ({"keep_fixes_days": 0}, ["长期保存"]),
        ({"track_roles": ""}, ["没有岗位"]),
    ],
)
def test_what_is_kept_is_said_by_the_settings_in_force(
    make_store: Callable[..., Store], settings: dict[str, Any], said: list[str]
) -> None:
    told = "".join(facts(make_store(**settings), ZH))
    assert all(part in told for part in said)
    assert len(facts(make_store(**settings), EN)) == 4


def test_name_and_role_of_a_request_are_cut_to_a_length_and_trimmed() -> None:
    assert viewer_of({"by": " w1 ", "role": "x" * 300}) == Viewer("w1", "x" * 200)
    assert viewer_of({}) == Viewer()
