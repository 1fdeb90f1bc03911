"""Playing writes what happened and nothing else, and only into an invented city."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from dashboards.commands import play_command
from dashboards.commands.play_command import Tally, play_step
from geo.errors import InputError
from geo.incidents import summarise
from geo.io.casebook import CaseBook
from geo.io.demo import (
    PlayClock,
    read_mark,
    read_play_clock,
    write_city,
    write_play_clock,
)
from geo.io.rules import read_rules
from geo.io.workspace import Workspace, open_workspace
from geo.synth import City, build_city
from geo.synth.player import Player

AT = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    return build_city("shuangshan", seed=1, at=AT)


@pytest.fixture
def played(city: City, workspace: Workspace) -> Workspace:
    write_city(city, workspace)
    return workspace


def player_of(workspace: Workspace, **options: object) -> Player:
    tables = {name: workspace.read(name) for name in ("roads", "workers", "duties", "incidents")}
    tables["grids"] = workspace.grids()
    return Player(tables, rng=np.random.default_rng(1), start=AT + timedelta(minutes=1), **options)


def run(*args: str) -> object:
    return CliRunner().invoke(play_command.command, args, catch_exceptions=False)


def test_a_played_hour_is_written_as_it_was_told(played: Workspace):
    player = player_of(played, workers=5, every_s=60, cases_a_day=300.0)
    book, tally = CaseBook(played, read_rules(played)), Tally()
    before = {name: played.count(name) for name in ("fixes", "incidents", "incident_log")}
    for minutes in range(2, 62, 3):
        play_step(played, book, player, AT + timedelta(minutes=minutes), tally)
    after = {name: played.count(name) for name in before}
    assert tally.refused == 0
    assert tally.reports > 3
    assert after["fixes"] - before["fixes"] == tally.fixes > 200
    assert after["incidents"] - before["incidents"] == tally.reports
    assert after["incident_log"] - before["incident_log"] == tally.reports + tally.moves
    cases, log = played.read("incidents"), played.read("incident_log")
    told = summarise(log.reset_index()).reindex(cases.index)
    for name in ("stage", "owner", "level", "closed_at"):
        pd.testing.assert_series_equal(
            told[name], cases[name], check_dtype=False, check_names=False
        )
    fresh = cases[cases["reported_at"] > AT]
    assert fresh["address"].notna().all()
    sources = played.read("fixes")["source"].value_counts()
    assert sources["play"] == tally.fixes


def test_the_book_reads_an_invented_case_as_it_was_written(played: Workspace):
    book = CaseBook(played, read_rules(played))
    cases = played.read("incidents")
    kept = ["stage", "deadline", "owner", "level", "paused_until", "condition"]
    is_open = ~cases["stage"].isin(["closed", "cancelled"])
    assert is_open.sum() >= 3
    for incident_id in cases.index[is_open]:
        file = book.read(incident_id, at=AT)
        assert file.limit is not None
        book.move(
            incident_id, "remark", at=AT, by="W000001", role="leader", seen=file.case.seq, note="好"
        )
    again = played.read("incidents")
    pd.testing.assert_frame_equal(
        pd.DataFrame(again)[kept], pd.DataFrame(cases)[kept], check_dtype=False
    )


def test_a_case_that_somebody_moved_meanwhile_is_left_as_they_have_it(played: Workspace):
    player = player_of(played, workers=1, every_s=3600, cases_a_day=0.0)
    book, tally = CaseBook(played, read_rules(played)), Tally()
    open_ids = list(player.cases.known)
    log_before = played.count("incident_log")
    for incident_id in open_ids:
        seq = book.read(incident_id, at=AT).case.seq
        stage = player.cases.known[incident_id].stage
        if stage in ("dispatched", "handling", "opened"):
            book.move(
                incident_id, "force_close", at=AT, by="W000001", role="shift_leader", seen=seq,
                note="现场已恢复",
            )  # fmt: skip
    closed = played.count("incident_log") - log_before
    assert closed >= 3
    play_step(played, book, player, AT + timedelta(days=40), tally)
    assert tally.refused == closed
    assert played.count("incident_log") == log_before + closed + tally.moves


def test_the_clock_of_a_play_is_told_while_it_lasts(played: Workspace):
    wall = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
    assert read_play_clock(played) is None
    write_play_clock(played, PlayClock(wall, AT, 20.0))
    clock = read_play_clock(played)
    assert clock is not None
    assert clock.read(wall + timedelta(seconds=3)) == AT + timedelta(minutes=1)
    write_play_clock(played, None)
    assert read_play_clock(played) is None


def test_an_invented_city_is_known_by_its_mark(city: City, played: Workspace):
    mark = read_mark(played)
    assert mark is not None
    assert (mark.preset, mark.seed, mark.at) == (city.preset, 1, AT)


def test_nothing_is_played_in_a_city_that_is_not_invented(workspace: Workspace):
    assert read_mark(workspace) is None
    with pytest.raises(InputError, match="is no invented city, and nothing is played in a real"):
        run(str(workspace.path))


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("2026-11-20T02:00:00+00:00", "the city knows things up to 2026-11-20T02:"),
        ("2026-11-21T02:00:00", "without a zone"),
        ("tomorrow", "write it like 2026-11-21T12:30"),
    ],
)
def test_a_start_before_what_is_known_or_unreadable_is_refused(
    played: Workspace, start: str, words: str
):
    with pytest.raises(InputError, match=words):
        run(str(played.path), "--start", start)


def test_a_play_of_no_minutes_changes_nothing_and_says_so(played: Workspace, tmp_path: Path):
    before = played.stamp()
    result = run(str(played.path), "--minutes", "0", "--quiet", "--workers", "3")
    assert result.exit_code == 0
    assert "0 fixes, 0 reports, 0 moves up to" in result.stdout
    with open_workspace(played.path) as again:
        assert again.stamp() == before
        assert read_play_clock(again) is None
