"""An invented city goes into a workspace and comes back the same; the command guards a folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from dashboards.commands import demo_command
from geo.errors import InputError, StoreError
from geo.io.demo import ZONE, write_city
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


@pytest.mark.parametrize(
    ("at", "words"),
    [("yesterday", "write it like 2026-11-21T12:30:00"), ("2026-11-21T12:30", "without a zone")],
)
def test_a_moment_that_cannot_be_read_is_refused_in_words(tmp_path: Path, at: str, words: str):
    with pytest.raises(InputError, match=words):
        run("--workspace", str(tmp_path / "town"), "--at", at)
    assert not (tmp_path / "town").exists()
