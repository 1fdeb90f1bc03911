"""Alarms about patrols in the table: written once, ended, seen, gone on with after a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import flask
import pandas as pd
import pytest

from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.watching import Watching, add_watch_routes
from geo.io.workspace import Workspace
from geo.watch import alarm_id

NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)
"""Saturday 12:00 in Shanghai, when the round of noon begins."""


class Wall:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Town:
    """The city of twelve grids with a clock, phones and a watch."""

    def __init__(self, workspace: Workspace, drawing) -> None:
        drawing.fill(workspace)
        self.workspace, self.drawing = workspace, drawing
        with workspace.writing() as conn:
            workspace.delete(conn, "fixes", workspace.table("fixes").c.fid > 0)
        self.wall = Wall(NOON - timedelta(minutes=5))
        self.restart()

    def restart(self) -> None:
        """A server that starts on the same workspace."""
        self.store = Store(self.workspace, Settings(), clock=self.wall)
        self.watching = Watching(self.store)
        self.store.refresh()
        self.store.refresh()

    def send(self, worker: str, grid: int, **more) -> None:
        lon, lat = self.drawing.middle(grid)
        step = 0.0004 if self.wall.now.minute % 2 else -0.0004
        row = {
            "worker_id": worker,
            "time": pd.Timestamp(self.wall.now),
            "lon": lon + step,
            "lat": lat,
        }
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "fixes", pd.DataFrame([row | more]))

    def pass_minutes(self, count: int, **where: int) -> None:
        """Each minute some workers send from the middle of a grid, and the server looks."""
        for _ in range(count):
            self.wall.now += timedelta(minutes=1)
            for worker, grid in where.items():
                self.send(worker, grid)
            self.store.refresh()

    def table(self) -> pd.DataFrame:
        return self.workspace.read("patrol_alarms")


@pytest.fixture
def town(workspace: Workspace, drawing) -> Iterator[Town]:
    return Town(workspace, drawing)


def test_who_stays_away_from_the_grid_is_told_after_the_delay_and_over_when_back(town):
    town.pass_minutes(14, w1=11)
    assert not len(town.watching.alarms)
    town.pass_minutes(2, w1=11)
    (row,) = town.table().itertuples()
    assert (row.kind, row.worker_id, row.grid_id) == ("off_post", "w1", town.drawing.ids[0])
    assert row.began_at == pd.Timestamp(NOON)
    assert row.fired_at - row.began_at == pd.Timedelta(minutes=10)
    assert json.loads(row.detail)["far_m"] > 200
    assert town.watching.states["w1"] == "off_post"
    assert list(town.watching.alarms.index) == list(town.table().index)
    town.pass_minutes(3, w1=0)
    assert town.table()["ended_at"].notna().all()
    assert not len(town.watching.alarms)
    assert town.watching.states["w1"] == "on_duty"


def test_a_restart_goes_on_with_what_is_open_and_tells_nothing_twice(town):
    town.pass_minutes(17, w1=11)
    before = town.table()
    town.restart()
    assert list(town.watching.alarms.index) == list(before.index)
    town.pass_minutes(10, w1=11)
    assert list(town.table().index) == list(before.index)
    town.pass_minutes(3, w1=0)
    assert town.table()["ended_at"].notna().all()


def test_what_was_over_while_the_server_stood_still_is_ended_at_the_start(town):
    town.pass_minutes(17, w1=11)
    town.wall.now = NOON + timedelta(hours=2)
    town.send("w1", 0)
    town.restart()
    assert not len(town.watching.alarms)
    assert town.table()["ended_at"].notna().all()


def test_a_call_for_help_lasts_until_somebody_takes_note(town):
    town.pass_minutes(2, w1=0)
    began = town.wall.now
    row = {
        "alarm_id": alarm_id("sos", "w1", began), "kind": "sos", "worker_id": "w1",
        "began_at": pd.Timestamp(began), "fired_at": pd.Timestamp(began), "lon": 114.301,
        "lat": 30.5,
    }  # fmt: skip
    with town.workspace.writing() as conn:
        town.workspace.append(conn, "patrol_alarms", pd.DataFrame([row]))
    mark = town.watching.mark
    town.pass_minutes(1, w1=0)
    assert town.watching.mark > mark
    assert town.watching.states["w1"] == "sos"
    town.pass_minutes(30, w1=0)
    assert town.watching.states["w1"] == "sos"
    label = row["alarm_id"]
    assert town.watching.acknowledge(label, "王指挥", "已派人", town.wall.now, role="dispatcher")
    seen = town.table().loc[label]
    assert seen["seen_by"] == "王指挥 (dispatcher)"
    assert seen["ended_at"] == seen["seen_at"] == pd.Timestamp(town.wall.now)
    assert not town.watching.acknowledge("nothing", "x", "", town.wall.now)
    town.pass_minutes(1, w1=0)
    assert town.watching.states["w1"] != "sos"


def test_an_alarm_that_was_seen_stays_open_while_it_lasts_and_keeps_the_first_who_saw_it(town):
    town.pass_minutes(17, w1=11)
    (label,) = town.watching.alarms.index
    assert town.watching.acknowledge(label, "甲", "", town.wall.now)
    assert town.watching.acknowledge(label, "乙", "again", town.wall.now)
    row = town.watching.alarms.loc[label]
    assert (row["seen_by"], pd.isna(row["ended_at"])) == ("甲", True)


def test_states_are_the_same_object_until_one_changes(town):
    town.pass_minutes(3, w1=0)
    states, mark = town.watching.states, town.watching.mark
    town.pass_minutes(3, w1=0)
    assert town.watching.states is states
    assert town.watching.mark == mark


def test_bad_rules_are_told_and_the_map_goes_on(town):
    folder = town.workspace.path / "rules"
    folder.mkdir()
    (folder / "rounds.csv").write_text("shift,start,minutes\nmorning,25:00,60\n")
    town.pass_minutes(1, w1=0)
    assert "line 2, column start: is '25:00'" in town.watching.trouble
    assert len(town.store.snapshot().workers.positions)
    (folder / "rounds.csv").write_text("shift,start,minutes\nmorning,06:00,60\n")
    town.pass_minutes(1, w1=0)
    assert town.watching.trouble == ""


def test_a_clock_that_goes_back_begins_anew(town):
    town.pass_minutes(17, w1=11)
    town.wall.now = NOON - timedelta(hours=4, minutes=5)
    town.store.refresh()
    town.pass_minutes(17, w2=11)
    assert town.watching.states["w2"] == "off_post"


def test_while_the_thread_waits_for_the_table_the_look_goes_on_and_nothing_is_lost(town):
    town.watching.start()
    try:
        with town.workspace.writing() as conn:
            for _ in range(17):
                town.wall.now += timedelta(minutes=1)
                lon, lat = town.drawing.middle(11)
                row = {
                    "worker_id": "w1",
                    "time": pd.Timestamp(town.wall.now),
                    "lon": lon,
                    "lat": lat,
                }
                town.watching.look(_with(town, row), town.wall.now)
            assert len(town.watching.alarms)
            town.workspace.touch(conn, "workers")
    finally:
        town.watching.stop()
    assert set(town.table()["kind"]) >= {"off_post"}


def _with(town: Town, row: dict) -> object:
    """The newest snapshot with one position laid over."""
    from dataclasses import replace

    snapshot = town.store.snapshot()
    positions = pd.DataFrame([row]).set_index("worker_id")
    return replace(snapshot, workers=replace(snapshot.workers, positions=positions))


# --- over HTTP ---------------------------------------------------------------------------------


@pytest.fixture
def client(town):
    server = flask.Flask("test")
    add_watch_routes(server, town.store, town.watching)
    return server.test_client()


def test_open_alarms_are_listed_with_names_and_taken_note_of(town, client):
    town.pass_minutes(17, w1=11)
    body = client.get("/patrol-alarms").get_json()
    (alarm,) = body["alarms"]
    assert (alarm["kind"], alarm["worker"], alarm["seen_by"]) == ("off_post", "王小明", None)
    assert alarm["grid"].endswith("东湖第0网格")
    assert alarm["began_at"] == NOON.timestamp() * 1000
    answer = client.post(
        f"/patrol-alarms/{alarm['alarm_id']}/seen", json={"by": "王指挥", "role": "dispatcher"}
    )
    assert answer.status_code == 200
    assert answer.get_json()["alarm"]["seen_by"] == "王指挥 (dispatcher)"


def test_what_is_no_acknowledgement_is_refused(town, client):
    post = client.post
    assert post("/patrol-alarms/x/seen", json={"by": "A"}).status_code == 404
    assert post("/patrol-alarms/x/seen", json={"by": " "}).status_code == 400
    assert post("/patrol-alarms/x/seen", data="by=A").status_code == 400
    foreign = {"Origin": "http://elsewhere.example"}
    assert post("/patrol-alarms/x/seen", json={"by": "A"}, headers=foreign).status_code == 400
