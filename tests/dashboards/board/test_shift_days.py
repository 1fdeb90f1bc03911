"""Days are judged once for what they are made from, in the background, and kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dashboards.shift_days as module
from dashboards.asked_for import AFTER_FAILURE_S, WANTED_S
from dashboards.settings import Settings
from dashboards.shift_days import ShiftDays, strips
from dashboards.shift_judge import phones_of
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace
from geo.shifts import count_shifts, sum_counts


class Wall:
    """A clock that tests move: the city's time and the seconds of the machine."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.at

    def tick(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def wall(drawing: Any) -> Wall:
    return Wall(drawing.at)


@pytest.fixture
def city(patrolled: Any, tmp_path: Path) -> Iterator[Workspace]:
    with create_workspace(tmp_path / "city") as made:
        patrolled.fill(made)
        yield made


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which days were judged, and not read from what is kept."""
    days: list[Any] = []
    known = module.judge_day

    def judge(workspace: Any, ground: Any, people: Any, day: Any, at: Any) -> Any:
        days.append(day)
        return known(workspace, ground, people, day, at)

    monkeypatch.setattr(module, "judge_day", judge)
    return days


def days_of(city: Workspace, wall: Wall) -> ShiftDays:
    store = Store(city, Settings(), clock=wall)
    return ShiftDays(store, threaded=False, tick=wall.tick)


def totals(rounds: pd.DataFrame) -> dict[str, int]:
    return {str(k): int(n) for k, n in sum_counts(count_shifts(rounds)).items()}


def test_the_drawn_day_has_the_board_that_was_worked_out_by_hand(
    city: Workspace, wall: Wall, patrolled: Any, drawing: Any
) -> None:
    board = days_of(city, wall).day(patrolled.day)
    assert board is not None
    assert totals(board.rounds) == patrolled.known
    told = board.rounds.set_index(["grid_id", "shift"])[["status", "reason"]]
    ids = drawing.ids
    expected = {
        (ids[0], "morning"): ["done", ""],
        (ids[0], "noon"): ["missed", "off_post"],
        (ids[5], "morning"): ["partly", "too_short"],
        (ids[5], "noon"): ["partly", "still_phone"],
        (ids[5], "evening"): ["done", ""],
        (ids[2], "noon"): ["vacant", "nobody"],
    }
    assert {key: told.loc[key].tolist() for key in expected} == expected
    unknown = [told.loc[(ids[0], "evening")], *(told.loc[(ids[1], s)] for s in ("morning", "noon"))]
    assert {row["status"] for row in unknown} == {"unknown"}
    assert board.is_over
    assert board.has_fixes


def test_a_silent_phone_is_never_an_absence(
    city: Workspace, wall: Wall, patrolled: Any, drawing: Any
) -> None:
    board = days_of(city, wall).day(patrolled.day)
    assert board is not None
    silent = board.rounds[board.rounds["fixes"] == 0]
    assert set(silent["status"]) == {"unknown", "vacant"}


def test_only_phones_that_were_heard_are_waited_for(city: Workspace, patrolled: Any) -> None:
    assert phones_of(city, patrolled.day).tolist() == ["w1", "w2"]
    assert phones_of(city, patrolled.day - timedelta(days=1)).tolist() == []
    assert phones_of(city).tolist() == ["w1", "w2"]


def test_a_day_is_judged_once_and_read_from_what_is_kept_by_the_next_server(
    city: Workspace, wall: Wall, patrolled: Any, judged: list[Any]
) -> None:
    days = days_of(city, wall)
    first = days.day(patrolled.day)
    wall.wait(100)
    assert days.day(patrolled.day) is first
    again = days_of(city, wall).day(patrolled.day)
    assert judged == [patrolled.day]
    assert again is not None
    assert first is not None
    assert again.mark == first.mark
    for one, other in (
        (again.rounds, first.rounds),
        (again.workers, first.workers),
        (again.places, first.places),
    ):
        pd.testing.assert_frame_equal(one, other, check_dtype=False)


@pytest.mark.parametrize("change", ["fix", "post", "rule", "code", "broken", "phone"])
def test_what_a_day_is_made_from_decides_whether_it_is_judged_again(
    city: Workspace,
    wall: Wall,
    patrolled: Any,
    judged: list[Any],
    change: str,
    drawing: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days_of(city, wall).day(patrolled.day)
    if change == "fix":
        late = patrolled.fixes().iloc[:1]
        late = late.assign(time=late["time"] + pd.Timedelta(seconds=5))
        city.seal_fixes(late, timezone="Asia/Shanghai")
    elif change in ("post", "phone"):
        table = city.table("workers")
        value = {"unit_code": drawing.ids[7]} if change == "post" else {"phone": "13900000000"}
        with city.writing() as conn:
            conn.execute(table.update().where(table.c.worker_id == "w4").values(**value))
            city.touch(conn, "workers")
    elif change == "rule":
        folder = city.path / "rules"
        folder.mkdir(exist_ok=True)
        head = (Path(module.__file__).parents[1] / "geo/data/rounds.csv").read_text("utf-8")
        (folder / "rounds.csv").write_text(head, "utf-8")
    elif change == "code":
        monkeypatch.setattr("dashboards.shift_prints.FORMAT", 999)
    else:
        for file in (city.path / "rounds").rglob("workers.parquet"):
            file.write_bytes(b"no parquet")
    days_of(city, wall).day(patrolled.day)
    assert len(judged) == (1 if change == "phone" else 2)


def test_today_is_judged_again_while_somebody_looks(
    city: Workspace, wall: Wall, judged: list[Any]
) -> None:
    days = days_of(city, wall)
    today = days.today
    first = days.day(today)
    assert first is not None
    assert not first.is_over
    assert set(first.rounds["status"]) >= {"unknown", "ahead"}
    wall.wait(5)
    assert days.day(today) is first
    wall.wait(60)
    second = days.day(today)
    assert second is not None
    assert second.mark != first.mark
    assert judged == [today, today]
    assert not (city.path / "rounds" / f"date={today}").exists()


def test_a_day_that_nobody_waits_for_is_not_judged(
    city: Workspace, wall: Wall, patrolled: Any, judged: list[Any]
) -> None:
    store = Store(city, Settings(), clock=wall)
    days = ShiftDays(store, threaded=True, tick=wall.tick)
    monthful = [patrolled.day - timedelta(days=k) for k in range(5)]
    days.stop()  # no thread: only what is asked for by hand
    assert set(days.days(monthful).values()) == {None}
    assert days.progress(monthful).total == 5
    assert days.step()
    assert judged == [patrolled.day]
    days.cancel(monthful[:3])
    assert days.step()
    wall.wait(WANTED_S + 1)
    assert not days.step()
    assert len(judged) == 2
    assert days.progress(monthful).done == 2


def test_what_fails_is_told_and_left_for_a_while(
    city: Workspace, wall: Wall, patrolled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(*_: Any) -> Any:
        tried.append(1)
        raise OSError("the disk is gone")

    monkeypatch.setattr(module, "judge_day", fail)
    days = days_of(city, wall)
    assert days.day(patrolled.day) is None
    assert days.day(patrolled.day) is None
    assert len(tried) == 1
    assert days.progress([patrolled.day]).trouble == "the disk is gone"
    wall.wait(AFTER_FAILURE_S + 1)
    days.day(patrolled.day)
    assert len(tried) == 2


def test_the_thread_judges_and_ends(city: Workspace, wall: Wall, patrolled: Any) -> None:
    store = Store(city, Settings(), clock=wall)
    days = ShiftDays(store)
    try:
        for _ in range(1200):
            board = days.day(patrolled.day)
            if board is not None:
                break
            threading.Event().wait(0.05)
        assert board is not None
        assert totals(board.rounds) == patrolled.known
    finally:
        days.stop()
    assert not [t for t in threading.enumerate() if t.name == "wangge-shifts" and t.is_alive()]


def test_a_past_day_keeps_the_borders_of_its_time(
    city: Workspace, wall: Wall, patrolled: Any, drawing: Any
) -> None:
    """Grid 11 ends at midnight and another takes its place today."""
    midnight = pd.Timestamp("2026-11-21", tz="Asia/Shanghai").tz_convert("UTC")
    table = city.table("grids")
    old = city.read("grids").loc[[drawing.ids[11]]].reset_index()
    new = old.assign(grid_id="new", version=2, valid_from=midnight)
    with city.writing() as conn:
        where = table.c.grid_id == drawing.ids[11]
        conn.execute(table.update().where(where).values(valid_to=midnight.to_pydatetime()))
        city.append(conn, "grids", new)
        city.touch(conn, "grids")
    days = days_of(city, wall)
    before, now = days.day(patrolled.day), days.day(days.today)
    assert before is not None
    assert now is not None
    assert drawing.ids[11] in before.city.position
    assert "new" in now.city.position
    assert (before.city.version, now.city.version) == (1, 2)
    assert totals(before.rounds) == patrolled.known


def test_minutes_become_letters() -> None:
    minutes = pd.DataFrame([[1, 2, 0, -1], [0, 1, -1, -1]]).to_numpy()
    assert strips(minutes) == ["120", "01"]
    assert strips(minutes[:, :0]) == ["", ""]
