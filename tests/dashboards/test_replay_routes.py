"""The replay over HTTP, on the city of twelve grids.

Of the 20th, before the moment of the drawing: w1 walks east through the middle of the lowest row of
grids from 08:00:00 to 08:10:00, a fix every 30 s; w2 stands in grid 5 at 08:00 and 09:30 and is
silent between; w3 has no fix. Roles with tracks: shift leaders.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import flask.testing
import numpy as np
import pandas as pd
import pytest

from dashboards.app import create_app
from dashboards.replay_days import Days, Loading
from dashboards.replay_pack import frame_of
from dashboards.replay_routes import DAYS
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.track_views import read_looks
from geo.io.workspace import Workspace, create_workspace

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=ZONE)
EIGHT = 8 * 3600
LEADER = {"by": "d1", "role": "shift_leader"}
OTHER = {"by": "d2", "role": "handler"}


def patrols(drawing: Any) -> pd.DataFrame:
    (west, south), (east, _) = drawing.middle(0), drawing.middle(3)
    rows = [("w1", EIGHT + 30 * k, west + (east - west) * k / 20, south) for k in range(21)] + [
        ("w2", EIGHT, *drawing.middle(5)),
        ("w2", EIGHT + 5400, *drawing.middle(5)),
    ]
    return pd.DataFrame(
        {
            "worker_id": [row[0] for row in rows],
            "time": pd.DatetimeIndex([MIDNIGHT + timedelta(seconds=row[1]) for row in rows])
            .tz_convert("UTC"),
            "lon": [row[2] for row in rows],
            "lat": [row[3] for row in rows],
            "accuracy_m": 5.0,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def city(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder: Path = tmp_path_factory.mktemp("replay") / "city"
    with create_workspace(folder) as workspace:
        drawing.fill(workspace)
        workspace.seal_fixes(patrols(drawing), timezone="Asia/Shanghai")
        yield workspace


@pytest.fixture(scope="module")
def store(city: Workspace, drawing: Any) -> Store:
    return Store(city, Settings(track_roles="shift_leader"), clock=lambda: drawing.at)


@pytest.fixture(scope="module")
def client(store: Store) -> flask.testing.FlaskClient:
    server = create_app(store.settings, store).server
    days: Days = server.extensions[DAYS]
    days.wait(DAY)
    return server.test_client()


def ask(client: Any, path: str, viewer: dict[str, str] | None = None, **query: Any) -> Any:
    return client.get(f"/replay/{path}", query_string=(viewer or {}) | {"day": DAY} | query)


def unpack(body: bytes) -> dict[str, Any]:
    """The bytes of a slice, read as the browser does."""
    magic, n, moments, _ = struct.unpack_from("<4sIII", body)
    since, step, west, south, east, north = struct.unpack_from("<6d", body, 16)
    assert magic == b"WGR1"
    at, size = 64 + 4 * n, n * moments
    rows = np.frombuffer(body, "<u4", n, 64)
    x, y = (
        np.cumsum(np.frombuffer(body, "<u2", size, start).reshape(n, moments), axis=1) % 65_536
        for start in (at, at + 2 * size)
    )
    state = np.frombuffer(body, "u1", size, at + 4 * size).reshape(n, moments)
    assert len(body) == at + 5 * size
    return {
        "since": since, "step": step, "rows": rows.tolist(), "state": state,
        "lon": west + (east - west) * x / 65_535, "lat": south + (north - south) * y / 65_535,
    }  # fmt: skip


def test_a_slice_says_where_everybody_was(client: Any, drawing: Any) -> None:
    answer = ask(client, "slice", LEADER, **{"from": EIGHT, "to": EIGHT + 600, "step": 60})
    found = unpack(answer.data)
    assert (found["since"], found["step"]) == ((MIDNIGHT.timestamp() + EIGHT) * 1000, 60_000)
    assert found["rows"] == [0, 1]
    (west, south), (east, _) = drawing.middle(0), drawing.middle(3)
    assert found["lon"][0] == pytest.approx(np.linspace(west, east, 11), abs=1e-6)
    assert found["lat"][0] == pytest.approx(np.full(11, south), abs=1e-6)
    assert found["state"][0].tolist() == [2] + [1] * 10
    assert found["state"][1].tolist() == [2, 1] + [3] * 9


def test_a_slice_of_a_past_day_may_be_kept_and_is_packed(client: Any) -> None:
    version = ask(client, "day", LEADER).json["version"]
    query = {"from": EIGHT, "to": EIGHT + 600, "v": version} | LEADER | {"day": DAY}
    kept = client.get("/replay/slice", query_string=query, headers={"Accept-Encoding": "gzip"})
    assert kept.headers["Cache-Control"].startswith("private, max-age=")
    assert kept.headers["Content-Encoding"] == "gzip"
    assert unpack(gzip.decompress(kept.data))["rows"] == [0, 1]
    again = client.get(
        "/replay/slice", query_string=query, headers={"If-None-Match": kept.headers["ETag"]}
    )
    assert again.status_code == 304
    other = ask(client, "slice", LEADER, **{"from": EIGHT, "to": EIGHT + 600, "v": "old"})
    assert other.headers["Cache-Control"] == "no-store"


def test_who_is_beyond_the_frame_is_away(client: Any, drawing: Any) -> None:
    """A box around grid 0: w1 leaves its frame, w2 is never in the box."""
    lon, lat = drawing.middle(0)
    box = (lon - 0.001, lat - 0.001, lon + 0.001, lat + 0.001)
    query = {"from": EIGHT, "to": EIGHT + 600, "step": 60, "box": ",".join(map(str, box))}
    found = unpack(ask(client, "slice", LEADER, **query).data)
    assert found["rows"] == [0]
    east = frame_of(box)[2]
    there = found["state"][0] > 0
    assert there.tolist() == [True] * 4 + [False] * 7
    assert (found["lon"][0][there] <= east).all()


@pytest.mark.parametrize("path", ["slice", "streets", "track", "at", "passed"])
def test_no_track_goes_out_to_who_has_no_right(client: Any, path: str) -> None:
    query = {"from": EIGHT, "to": EIGHT + 9, "worker": "w1", "at": EIGHT, "area": "box:1,1,2,2"}
    for viewer in ({}, OTHER, {"by": "", "role": "shift_leader"}):
        answer = ask(client, path, viewer, **query)
        assert answer.status_code == 403
        assert answer.json["reason"] == "tracks"


def test_a_worker_may_see_his_own_track_and_no_other(client: Any) -> None:
    me = {"by": "w1", "role": "grid_worker"}
    query = {"from": EIGHT, "to": EIGHT + 60, "worker": "w1"}
    assert unpack(ask(client, "slice", me, **query).data)["rows"] == [0]
    assert ask(client, "track", me, worker="w1").status_code == 200
    assert ask(client, "slice", me, **query | {"worker": "w2"}).status_code == 403
    day = ask(client, "day", me).json
    assert (day["may"], day["own"], [one[1] for one in day["people"]]) == (False, "w1", ["w1"])


def test_who_has_no_right_gets_counts_by_grid_and_the_reason(client: Any, drawing: Any) -> None:
    day = ask(client, "day", OTHER).json
    assert (day["may"], day["people"], day["workers"], day["fixes"]) == (False, [], 2, 23)
    assert day["why"]
    shares = ask(client, "shares", OTHER, at=EIGHT + 700).json
    assert (shares["from"], shares["to"], shares["workers"]) == (EIGHT, EIGHT + 1800, 2)
    counts = {one[0]: one[2] for one in shares["grids"]}
    assert counts == {drawing.ids[k]: 1 for k in (0, 1, 2, 3, 5)}
    assert ask(client, "shares", OTHER, at=0).json["grids"] == []


def test_a_look_is_noted_before_it_is_shown(client: Any, city: Workspace, store: Store) -> None:
    ask(client, "track", LEADER, worker="w2")
    looks = read_looks(city, "w2", since=store.clock() - timedelta(days=1))
    assert {"follow", "replay"} <= set(looks["screen"])
    assert set(looks["by"]) == {"d1"}


def test_the_day_tells_what_there_is(client: Any) -> None:
    day = ask(client, "day", LEADER).json
    assert (day["day"], day["whole"], day["length"], day["staff"]) == (
        "2026-11-20",
        True,
        86_400,
        3,
    )
    assert (day["first"], day["last"]) == (EIGHT, EIGHT + 5400)
    assert sum(day["density"]) == day["fixes"] == 23
    assert day["people"][0][1:3] == ["w1", "王小明"]
    assert "2026-11-20" in client.get("/replay/days").json["days"]


def test_who_passed_and_who_may_have(client: Any, drawing: Any) -> None:
    span = {"from": EIGHT, "to": EIGHT + 3600}
    found = ask(client, "passed", LEADER, area=f"grid:{drawing.ids[1]}", **span).json
    assert (found["total"], found["rows"][0][0]) == (1, "w1")
    # Grid 1 is a third of the way of ten minutes between its middle and those beside it.
    assert found["rows"][0][2:5] == [EIGHT + 100, EIGHT + 300, pytest.approx(10 / 3, abs=0.02)]
    assert [one[0] for one in found["unknown"]] == ["w2"]
    assert found["without"] == 1
    lon, lat = drawing.middle(2)
    circle = ask(client, "passed", LEADER, area=f"circle:{lon},{lat},10", **span).json
    assert circle["rows"][0][5] == pytest.approx(0, abs=0.5)
    poly = f"poly:{lon - 0.001},{lat - 0.001};{lon + 0.001},{lat - 0.001};{lon},{lat + 0.001}"
    assert ask(client, "passed", LEADER, area=poly, **span).json["total"] == 1


@pytest.mark.parametrize(
    ("area", "why"),
    [
        ("grid:none", "网格"),
        ("circle:114,30,0", "半径"),
        ("circle:114,30,nan", "范围"),
        ("poly:114,30;115,31;115,30;114,31", "相交"),
        ("poly:" + ";".join(f"114.{k},30" for k in range(300)), "顶点"),
        ("box:1,2,3", "范围"),
        ("hello", "范围"),
    ],
)
def test_an_area_that_is_none_gets_a_sentence(client: Any, area: str, why: str) -> None:
    answer = ask(client, "passed", LEADER, area=area, **{"from": EIGHT, "to": EIGHT + 60})
    assert answer.status_code == 400
    assert why in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("day", {"day": "yesterday"}),
        ("slice", {"from": "a", "to": 9}),
        ("slice", {"from": 9, "to": 9}),
        ("slice", {"from": 0, "to": 80_000}),
        ("slice", {"from": 0, "to": 60, "box": "1,2,3"}),
        ("slice", {"from": 0, "to": 60, "box": "9,2,3,4"}),
        ("shares", {"at": -5}),
    ],
)
def test_a_wrong_address_gets_a_sentence(client: Any, path: str, query: dict[str, Any]) -> None:
    answer = ask(client, path, LEADER, **query)
    assert answer.status_code == 400
    assert answer.json["error"].endswith("。")


def test_streets_come_by_the_time_at_which_they_were_reached(client: Any) -> None:
    """The only street lies 111 m north of the way of w1, and w2 stands on none."""
    body = ask(client, "streets", LEADER).json
    assert body["lines"]["features"] == []
    assert body["street_m"] > 700
    assert max(body["covered_m"]) == 0


def test_incidents_come_and_go_by_the_clock(client: Any, drawing: Any) -> None:
    found = ask(client, "incidents").json
    rows = {row[0]: row for row in found["rows"]}
    # d has no place, f closed before this day; a and b came a day later.
    assert set(rows) == {"e"}
    came = drawing.at - timedelta(days=1)
    assert rows["e"][4] == round((came - MIDNIGHT).total_seconds())
    assert rows["e"][6] is None
    assert found["kinds"][rows["e"][1]]


def test_a_track_has_gaps_and_grids(client: Any, drawing: Any) -> None:
    track = ask(client, "track", LEADER, worker="w2").json
    assert track["t"] == [EIGHT, EIGHT + 5400]
    assert track["piece"] == [0, 1]
    assert set(track["grid"]) == {5}
    assert ask(client, "track", LEADER, worker="nobody").json["t"] == []


def test_the_table_says_state_and_grid_of_each(client: Any) -> None:
    rows = ask(client, "at", LEADER, at=EIGHT + 300).json["rows"]
    assert [row[:2] for row in rows] == [[0, 1], [1, 2]]
    assert all(row[2] for row in rows)


def test_a_day_that_is_not_there_yet_says_how_far_it_is(store: Store) -> None:
    client = create_app(store.settings, store).server.test_client()
    answer = ask(client, "day", LEADER)
    assert answer.status_code in (200, 202)
    if answer.status_code == 202:
        assert 0 <= answer.json["loading"]["share"] <= 1
        assert answer.json["loading"]["text"]
    days: Days = client.application.extensions[DAYS]
    days.wait(DAY)
    assert ask(client, "day", LEADER).status_code == 200


def test_the_day_that_was_asked_for_longest_ago_goes_first(store: Store) -> None:
    days = Days(store, most_bytes=20 * 23 + 100)
    days.wait(DAY)
    days.wait(DAY + timedelta(days=1))
    assert isinstance(days.get(DAY + timedelta(days=1)), object)
    assert list(days._days)[-1] == DAY + timedelta(days=1)
    assert DAY not in days._days


def test_a_day_that_cannot_be_read_says_so_and_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Days(store)
    with monkeypatch.context() as patch:
        patch.setattr(days, "_read", lambda day: (_ for _ in ()).throw(OSError("disk is gone")))
        found = days.get(DAY)
        for _ in range(500):
            found = days.get(DAY)
            if isinstance(found, Loading) and found.error:
                break
            with days._one:
                pass
        assert isinstance(found, Loading)
        assert found.error == "disk is gone"
    assert days.wait(DAY).date == DAY


def test_fixes_that_come_late_change_the_version(city: Workspace, store: Store) -> None:
    days = Days(store)
    before = days._stamp(DAY)
    late = pd.DataFrame(
        {
            "worker_id": ["w1"], "lon": [114.3], "lat": [30.5],
            "time": pd.DatetimeIndex([MIDNIGHT + timedelta(hours=20)]).tz_convert("UTC"),
        }
    )  # fmt: skip
    with city.writing() as conn:
        city.append(conn, "fixes", late)
    assert days._stamp(DAY) != before
    with city.writing() as conn:
        table = city.table("fixes")
        city.delete(conn, "fixes", table.c.time < pd.Timestamp(MIDNIGHT + timedelta(days=1)))
    assert days._stamp(DAY) == before


def test_the_page_has_the_choice_of_its_address(client: Any, store: Store) -> None:
    from dashboards.pages.workers import read_choice

    told = {"day": "2026-11-20", "t": "08:30", "speed": "600", "worker": "w1", "from": "7:00"}
    choice = read_choice(told, store)
    assert (choice.day, choice.t, choice.speed, choice.worker) == (
        "2026-11-20",
        "08:30:00",
        600,
        "w1",
    )
    assert (choice.since, choice.until) == ("08:00", "10:00")
    card = read_choice({"at": "2026-11-20T00:30:00+00:00", "worker": "w2"}, store)
    assert (card.day, card.t) == ("2026-11-20", "08:30:00")
    wrong = read_choice({"day": "x", "speed": "7", "t": "99", "at": "never"}, store)
    assert (wrong.day, wrong.speed, wrong.t) == ("2026-11-21", 60, "")


def test_the_page_is_built_in_both_languages(store: Store) -> None:
    from dashboards.pages.workers import build_page

    for language in ("zh", "en"):
        page = json.dumps(build_page(store, {"lang": language}).to_plotly_json(), default=repr)
        assert "replay-canvas" in page
