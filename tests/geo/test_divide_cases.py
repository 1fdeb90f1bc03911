"""The named cities, measured by the checker that was written apart from the product."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from dashboards.cli import main
from geo.divide import divide
from geo.io.divide import read_plan, write_plan

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    return shared_data.parent / "cases" / "division"


def check(cases: Path, name: str, plan: Path, band: tuple[int, int], *more: str) -> dict:
    """The checker's measures; it ends with 1 where a hard rule is broken."""
    roads = cases / name.removesuffix("_shifted") / "roads.gpkg"
    done = subprocess.run(
        [
            sys.executable, cases.parents[1] / "tools" / "check_division.py",
            cases / name / "units.gpkg", plan, "--band", *map(str, band), "--roads", roads,
            "--json", *more,
        ],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    return found.get("measures", found)


def run(cases: Path, name: str, out: Path, *options: str) -> None:
    roads = cases / name.removesuffix("_shifted") / "roads.gpkg"
    with pytest.raises(SystemExit) as ended:
        main(["divide", str(cases / name / "units.gpkg"), "--roads", str(roads), "--out", str(out),
              *options])  # fmt: skip
    assert ended.value.code == 0


def test_s_is_divided_as_well_as_can_be_and_says_that_it_is(cases, tmp_path, capsys):
    plan, report = tmp_path / "plan.csv", tmp_path / "report.json"
    run(cases, "S", plan, "--band", "200", "300", "--report", str(report))
    found = check(cases, "S", plan, (200, 300))
    assert (found["bad"], found["D"], found["forced"]) == (2, 17, 25)
    assert found["pp_median"] >= 0.58
    assert found["main_pct"] >= 42
    said = json.loads(report.read_text("utf-8"))
    assert said["totals"]["bound"] == 17
    assert said["totals"]["bad"] == found["bad"]
    by_verdict = pd.Series([row["verdict"] for row in said["communities"]]).value_counts()
    assert by_verdict["cannot"] == 2
    assert by_verdict["optimal"] >= 14
    assert len(said["oversize"]) == 25
    told = capsys.readouterr().out
    assert "25 units hold more than 300 and stand alone" in told
    assert "cannot be in band because of" in told
    assert "out by 9, proven least" in told


def test_l_has_one_grid_out_of_the_band_after_a_short_search(cases, tmp_path):
    plan = tmp_path / "plan.csv"
    run(cases, "L", plan, "--band", "200", "300", "--effort", "fast")
    found = check(cases, "L", plan, (200, 300))
    assert found["bad"] <= 1
    assert found["D"] <= 33
    assert found["pp_median"] >= 0.58
    assert found["main_pct"] >= 47


@pytest.mark.parametrize("name", ["S", "M"])
def test_a_wider_band_is_met_by_every_grid(cases, tmp_path, name):
    plan = tmp_path / "plan.csv"
    run(cases, name, plan, "--band", "300", "500", "--effort", "fast")
    assert check(cases, name, plan, (300, 500))["bad"] == 0


def test_m_is_balanced_and_its_repair_moves_few(cases, tmp_path):
    plan = tmp_path / "plan.csv"
    run(cases, "M", plan, "--band", "200", "300", "--effort", "fast")
    found = check(cases, "M", plan, (200, 300))
    assert found["bad"] <= 3
    assert found["D"] <= 68
    assert found["main_pct"] >= 44


def test_the_repair_of_s_has_the_balance_of_a_fresh_plan_and_moves_few(cases, tmp_path):
    folder = cases / "S_shifted"
    units = gpd.read_file(folder / "units.gpkg").set_index("unit_id")
    roads = gpd.read_file(cases / "S" / "roads.gpkg")
    before = read_plan(folder / "previous_plan.csv")
    found = divide(units, (200, 300), roads=roads, previous=before)
    write_plan(tmp_path / "plan.csv", found.plan)
    said = check(
        cases, "S_shifted", tmp_path / "plan.csv", (200, 300), "--previous",
        str(folder / "previous_plan.csv"),
    )  # fmt: skip
    assert (said["bad"], said["D"]) == (1, 8)
    assert said["moved_pct"] <= 3.2
    assert said["moved_households"] == found.totals["moved"]
    assert said["kept_grids"] == said["previous_grids"]
