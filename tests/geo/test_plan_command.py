"""`wangge plan` on a city of four grids in a row, each a block of its own; run in one process."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner, Result

from dashboards.cli import wangge
from geo.errors import InputError, RuleError
from geo.io.planbook import PlanBook
from geo.io.workspace import Workspace, open_workspace

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


@pytest.fixture
def city(workspace: Workspace) -> Path:
    frame = gpd.GeoDataFrame(
        {
            "grid_id": [f"G{k}" for k in range(4)],
            "name": [f"第{k}网格" for k in range(4)],
            "kind": "base",
            "community_code": "A",
            "households": 250,
            "population": 0,
            "version": 1,
            "valid_from": pd.Timestamp("2026-01-01", tz="UTC"),
        },
        geometry=[
            shapely.box(round(114 + k / 500, 9), 30, round(114 + (k + 1) / 500, 9), 30.002)
            for k in range(4)
        ],
        crs="EPSG:4326",
    )
    divisions = gpd.GeoDataFrame(
        {"code": ["A"], "level": "community", "name": ["甲"]}, geometry=[None], crs="EPSG:4326"
    )
    with workspace.writing() as conn:
        workspace.append(conn, "divisions", divisions)
        workspace.append(conn, "grids", frame)
    return workspace.path


def run(*args: object) -> Result:
    return CliRunner().invoke(wangge, [str(a) for a in args], catch_exceptions=True)


def begin(folder: Path, *, merged: bool) -> str:
    with open_workspace(folder) as workspace:
        book = PlanBook(workspace)
        plan_id = book.create("西片", "王", NOW)
        if merged:
            edit = {"do": "merge", "grids": ["G0", "G1"], "into": "G0"}
            book.append(plan_id, edit_id="e", edit=edit, by="王", on_seq=0, at=NOW)
    return plan_id


def test_plans_are_listed_checked_and_published(city: Path) -> None:
    assert "no plans yet" in run("plan", "list", "--workspace", city).output
    plan_id = begin(city, merged=True)
    assert f"{plan_id}  draft" in run("plan", "list", "--workspace", city).output
    checked = run("plan", "check", plan_id, "--workspace", city)
    assert checked.exit_code == 0
    assert checked.output.splitlines()[0] == "passed"
    early = run(
        "plan", "publish", plan_id, "--workspace", city, "--from", "2036-01-01", "--by", "赵"
    )
    assert isinstance(early.exception, RuleError)
    with open_workspace(city) as workspace:
        book = PlanBook(workspace)
        for state in ("review", "approved"):
            book.move(plan_id, state, by="李", at=NOW)
    done = run(
        "plan", "publish", plan_id, "--workspace", city, "--from", "2036-01-01", "--by", "赵"
    )
    assert done.exit_code == 0, done.output
    assert "version 2 from 2036-01-01 00:00: 1 grids written, 2 kept, 1 ended" in done.output
    assert "version 2" in run("plan", "list", "--workspace", city).output


def test_a_plan_that_changes_nothing_is_refused_with_its_rule(city: Path) -> None:
    plan_id = begin(city, merged=False)
    checked = run("plan", "check", plan_id, "--workspace", city)
    assert "nothing_changed" in checked.output
    assert isinstance(checked.exception, RuleError)
    assert isinstance(run("plan", "check", "P0", "--workspace", city).exception, InputError)


def test_a_draft_goes_out_and_comes_in_whole_and_as_grids(city: Path, tmp_path: Path) -> None:
    plan_id = begin(city, merged=True)
    whole, grids = tmp_path / "draft.json", tmp_path / "draft.gpkg"
    for path in (whole, grids):
        done = run("plan", "export", plan_id, "--workspace", city, "--out", path)
        assert done.exit_code == 0, done.output
    assert len(gpd.read_file(grids)) == 3
    told = run("plan", "import", whole, "--workspace", city, "--by", "李")
    assert told.exit_code == 0, told.output
    told = run("plan", "import", grids, "--workspace", city, "--by", "李", "--name", "再来")
    assert told.exit_code == 0, told.output
    assert "0 vertices moved, 0 parts cut off" in told.output
    assert told.output.rstrip().endswith("passed")
    with open_workspace(city) as workspace:
        book = PlanBook(workspace)
        last = book.plans().query("name == '再来'").index[0]
        assert sorted(book.open(last).plan.table()["households"]) == [250, 250, 500]


def test_grids_go_out_as_a_version_and_as_a_plan(city: Path, tmp_path: Path) -> None:
    plan_id = begin(city, merged=True)
    path = tmp_path / "out.csv"
    export = ("export", "grids", "--workspace", city, "--out", path)
    assert "4 grids" in run(*export).output
    assert "4 grids" in run(*export, "--version", 1).output
    assert "3 grids" in run(*export, "--plan", plan_id).output
    for options in (("--version", 7), ("--version", 1, "--all-versions"),
                    ("--plan", plan_id, "--version", 1), ("--plan", "P0")):  # fmt: skip
        assert isinstance(run(*export, *options).exception, InputError)


def test_what_is_published_for_a_later_day_does_not_go_out_as_the_present(
    city: Path, tmp_path: Path
) -> None:
    plan_id = begin(city, merged=True)
    with open_workspace(city) as workspace:
        book = PlanBook(workspace)
        for state in ("review", "approved"):
            book.move(plan_id, state, by="李", at=NOW)
    run("plan", "publish", plan_id, "--workspace", city, "--from", "2036-01-01", "--by", "赵")
    path = tmp_path / "out.csv"
    export = ("export", "grids", "--workspace", city, "--out", path)
    assert "4 grids" in run(*export).output
    assert "3 grids" in run(*export, "--version", 2).output
    assert "4 grids" in run(*export, "--version", 1).output
    assert "5 grids" in run(*export, "--all-versions").output
