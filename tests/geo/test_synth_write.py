"""An invented city goes into a workspace and comes back the same; the command guards a folder."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from dashboards.commands import demo_command
from geo.deadlines import Limit
from geo.errors import InputError, SettingsError, StoreError
from geo.io.demo import ZONE, write_city
from geo.io.rules import read_rules
from geo.io.workspace import Workspace, open_workspace
from geo.synth import City, build_city

AT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    return build_city("shuangshan", seed=1, at=AT)


def run(*args: str) -> object:
    return CliRunner().invoke(demo_command.command, args, catch_exceptions=False)


def test_a_city_comes_back_from_the_store_as_it_was_built(city: City, workspace: Workspace):
    rows = write_city(city, workspace)
    assert rows == sum(len(frame) for frame in city.tables.values())
    for name, frame in city.tables.items():
        if name == "fixes":
            continue
        back = workspace.read(name)
        assert len(back) == len(frame)
        columns = [column for column in frame.columns if column != "geometry"]
        pd.testing.assert_frame_equal(
            pd.DataFrame(back)[columns], pd.DataFrame(frame)[columns], check_dtype=False
        )
        if "geometry" in frame:
            assert shapely.equals_exact(
                back.geometry.to_numpy(), frame.geometry.to_numpy(), tolerance=0
            )[frame.geometry.notna().to_numpy()].all()


def test_the_newest_day_of_fixes_is_hot_and_the_days_before_are_sealed(
    city: City, workspace: Workspace
):
    write_city(city, workspace)
    hot = workspace.read("fixes")["time"].dt.tz_convert(ZONE).dt.date
    days = city["fixes"]["time"].dt.tz_convert(ZONE).dt.date
    assert set(hot) == {days.max()}
    assert workspace.days_of_fixes() == sorted(set(days) - {days.max()})
    assert len(workspace.read_fixes()) == len(city["fixes"])


def test_before_the_first_round_of_a_day_the_last_positions_are_of_yesterday(workspace: Workspace):
    early = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)  # six in the morning in Shanghai
    write_city(build_city("shuangshan", seed=1, at=early), workspace)
    newest = workspace.read("fixes")["time"].max()
    assert early - timedelta(hours=12) < newest <= early


def test_a_city_is_not_written_over_another(city: City, workspace: Workspace):
    write_city(city, workspace)
    with pytest.raises(InputError, match="is unchanged"):
        write_city(city, workspace)


def test_the_command_builds_refuses_and_replaces(tmp_path: Path):
    folder = tmp_path / "town"
    usual = ("--preset", "shuangshan", "--workspace", str(folder), "--at", AT.isoformat())
    done = run(*usual)
    assert done.exit_code == 0
    assert "双山市, 10 grids" in done.stdout
    assert "building 1/8: streets" in done.stderr
    with open_workspace(folder) as made:
        first = made.grids().geometry.iloc[0]
    note = folder / "note.txt"
    note.write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="add --overwrite to replace it, or name another folder"):
        run(*usual)
    assert run(*usual, "--seed", "2", "--overwrite").exit_code == 0
    assert note.read_text(encoding="utf-8") == "mine"
    with open_workspace(folder) as made:
        assert not made.grids().geometry.iloc[0].equals(first)
        assert len(made.days_of_fixes()) == 2


def test_a_run_that_breaks_while_it_writes_leaves_no_half_city(tmp_path: Path, monkeypatch):
    folder = tmp_path / "town"
    usual = ("--preset", "shuangshan", "--workspace", str(folder), "--at", AT.isoformat())
    monkeypatch.setattr("geo.io.demo.write_city", _break)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        run(*usual)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert run(*usual).exit_code == 0
    monkeypatch.setattr("geo.io.demo.write_city", _break)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(RuntimeError, match="pulled the plug"):
        run(*usual, "--seed", "2", "--overwrite")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [folder]


def _break(*_: object, **__: object) -> int:
    raise RuntimeError("somebody pulled the plug")


def test_what_a_killed_run_left_is_cleared_and_what_another_still_builds_is_not(tmp_path: Path):
    folder = tmp_path / "town"
    # No process has a number beyond 2^22 on Linux; this very one is running.
    dead = tmp_path / f".town.building-{2**30}-x"
    alive = tmp_path / f".town.building-{os.getpid()}-x"
    for ruin in (dead, alive):
        ruin.mkdir()
        (ruin / "city.gpkg").write_bytes(b"half")
    assert run("--preset", "shuangshan", "--workspace", str(folder)).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"town", alive.name}


def test_a_city_brings_the_rules_that_it_was_made_by(tmp_path: Path):
    folder = tmp_path / "town"
    run("--preset", "shuangshan", "--workspace", str(folder), "--at", AT.isoformat())
    with open_workspace(folder) as made:
        rules = read_rules(made)
        codes = made.read("departments").index
    assert rules.limit("E0501", None) == Limit(2, "working_hours")
    assert rules.limit("E0409", None) == Limit(6, "urgent_hours")
    assert set(rules.owners.values()) <= set(codes)


@pytest.mark.parametrize("port", ["99999", "0", "-1"])
def test_a_port_that_is_none_is_refused_before_anything_is_built(tmp_path: Path, port: str):
    folder = tmp_path / "town"
    with pytest.raises(SettingsError, match=f"port is {port}: choose a number from 1 to 65535"):
        run("--workspace", str(folder), "--serve", "--port", port)
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_refused_before_anything_is_built(tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        with pytest.raises(InputError, match="stop the other program, or choose another"):
            run("--workspace", str(tmp_path / "town"), "--serve", "--port", port)
    assert list(tmp_path.iterdir()) == []


def test_a_city_lives_only_while_it_is_served(tmp_path: Path):
    with pytest.raises(InputError, match="add --serve"):
        run("--workspace", str(tmp_path / "town"), "--live")


@pytest.mark.parametrize(
    ("at", "words"),
    [("yesterday", "write it like 2026-11-21T12:30:00"), ("2026-11-21T12:30", "without a zone")],
)
def test_a_moment_that_cannot_be_read_is_refused_in_words(tmp_path: Path, at: str, words: str):
    with pytest.raises(InputError, match=words):
        run("--workspace", str(tmp_path / "town"), "--at", at)
    assert not (tmp_path / "town").exists()
