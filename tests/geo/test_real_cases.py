"""Cases and grids of real cities in, counted by the product's own figures, out, and in again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.checks import check_log
from geo.deadlines import read_clocks
from geo.figures import mark_cases
from geo.io.export import export_table
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.workspace import Workspace, create_workspace
from geo.schema import TABLES

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
TAKEN = datetime(2019, 2, 13, 21, 18, 56, tzinfo=UTC)
"""The newest moment in the sample of Baltimore, when it was taken."""
FORMATS = ["gpkg", "csv", "xlsx", "parquet"]


def put(workspace: Workspace, kind: str, *files: Path, **options: Any) -> ImportReport:
    report = import_files(workspace, kind, files, at=AT, **options)
    assert report.read == report.accepted + len(report.rejected)
    return report


def test_1567_cases_of_baltimore_were_closed_after_their_own_due_date(
    workspace: Workspace, shared_data: Path
) -> None:
    """The source counts 1,567 closed too late. Of those still open 135 were late when it was taken.

    53 of the 1,567 are duplicates, which are cancelled cases here and have no clock in figures.
    """
    report = put(
        workspace,
        "incidents",
        shared_data / "inc_baltimore_311" / "311_sample.csv",
        timezone="America/New_York",
    )
    assert report.accepted == 10_000
    cases = workspace.read("incidents")
    clocks = read_clocks(cases["deadline"], at=TAKEN, closed_at=cases["closed_at"])
    states = clocks["state"].value_counts().to_dict()
    assert states["done_late"] == 1567
    assert states["late"] == 135
    assert states["done"] + states["done_late"] == 10_000 - 208
    marks = mark_cases(cases, at=TAKEN)
    figures = marks["state"].value_counts().to_dict()
    assert figures["done_late"] == 1567 - 53
    assert (int(marks["overdue"].sum()), int(marks["open"].sum())) == (135, 208)
    log = workspace.read("incident_log")
    assert len(log) == 2 * 10_000 - int((cases["stage"] == "collected").sum())
    assert check_log(cases, log).empty
    assert report.facts["classes_of"] == "baltimore_311"
    assert report.facts["mapped"] + report.facts["without_class"] == 10_000
    assert "unmapped" not in report.facts
    known = cases["class_code"]
    assert known[cases["category"] == "TRM-Pothole Repair"].unique().tolist() == ["E0110"]
    assert known[cases["category"] == "FCCS-Refunds"].isna().all()


def test_new_york_of_2019_and_2024_has_our_classes(workspace: Workspace, shared_data: Path) -> None:
    folder = shared_data / "inc_nyc_311"
    names = ("nyc311_2019-12.csv", "nyc311_2024-05.csv")
    report = put(workspace, "incidents", *(folder / n for n in names), timezone="America/New_York")
    assert report.accepted == 2000
    assert report.facts["classes_of"] == "nyc_311"
    assert "unmapped" not in report.facts
    cases = workspace.read("incidents")
    by_words = cases.groupby(["category", "description"], dropna=False)["class_code"].agg(list)
    assert set(by_words["Illegal Parking", "Blocked Hydrant"]) == {"E0505"}
    assert set(by_words["Street Condition", "Pothole"]) == {"E0110"}
    assert by_words["Street Condition", "Cave-in"] == ["E0401"]
    assert set(by_words["Water System", "Hydrant Running (WC3)"]) == {"C0113"}
    counts = cases["class_code"].value_counts()
    assert counts["E0505"] == 342
    assert counts["C0118"] == 10
    assert cases["owner"].value_counts()["NYPD"] > 1000
    assert check_log(cases, workspace.read("incident_log")).empty


def test_sacramento_is_mostly_none_of_ours(workspace: Workspace, shared_data: Path) -> None:
    report = put(
        workspace,
        "incidents",
        shared_data / "inc_sacramento_crime" / "SacramentocrimeJanuary2006.csv",
        make_ids="SAC",
        timezone="America/Los_Angeles",
    )
    assert report.facts["classes_of"] == "sacramento_crime"
    assert report.facts["mapped"] + report.facts["without_class"] == 7546
    cases = workspace.read("incidents")
    assert cases["class_code"].isna().mean() > 0.8
    assert set(cases.loc[cases["category"] == "ABANDONED VEHICLE - I RPT", "class_code"]) == {
        "E0107"
    }


def same(one: pd.DataFrame, two: pd.DataFrame, kind: str, apart: float) -> None:
    """Every column equal, and every shape to `apart` degrees."""
    names = [n for n in TABLES[kind].names if n in one.columns and n not in ("lon", "lat")]
    pd.testing.assert_frame_equal(pd.DataFrame(one[names]), pd.DataFrame(two[names]))
    shapes = [np.asarray(gpd.GeoSeries(f.geometry), dtype=object) for f in (one, two)]
    gone = [shapely.is_missing(s) for s in shapes]
    assert (gone[0] == gone[1]).all()
    there = ~gone[0]
    far = shapely.hausdorff_distance(shapes[0][there], shapes[1][there])
    assert far.max() <= apart


@pytest.mark.parametrize("ending", FORMATS)
def test_cases_of_new_york_go_out_and_come_back_the_same(
    workspace: Workspace, shared_data: Path, tmp_path: Path, ending: str
) -> None:
    source = pd.read_csv(shared_data / "inc_nyc_311" / "nyc311_2024-05.csv", dtype="str")
    source.iloc[::2].to_csv(tmp_path / "half.csv", index=False)
    zone = {"timezone": "America/New_York"}
    put(workspace, "incidents", tmp_path / "half.csv", **zone)
    out = tmp_path / f"out.{ending}"
    assert export_table(workspace, "incidents", out, **zone).rows == 500
    with create_workspace(tmp_path / "again") as other:
        report = put(other, "incidents", out)
        assert report.rejected.empty
        assert report.repaired.empty
        same(workspace.read("incidents"), other.read("incidents"), "incidents", 1e-9)
        logs = [c.read("incident_log") for c in (workspace, other)]
        pd.testing.assert_frame_equal(*logs)
        once_more = put(other, "incidents", out, update=True)
        assert (once_more.facts["updated"], once_more.facts["unchanged"]) == (500, 500)
        pd.testing.assert_frame_equal(other.read("incident_log"), logs[0])


@pytest.mark.parametrize("ending", FORMATS)
def test_precincts_of_chicago_go_out_and_come_back_the_same(
    workspace: Workspace, shared_data: Path, tmp_path: Path, ending: str
) -> None:
    """Three wards of 50; the largest border has more letters than a spreadsheet's cell."""
    archive = shared_data / "us_chicago_precincts_hh" / "Chicago_Precincts.zip"
    layer = gpd.read_file(f"zip://{archive}")
    layer[layer["ward"].astype(int).isin([1, 2, 41])].to_file(tmp_path / "wards.gpkg")
    put(workspace, "grids", tmp_path / "wards.gpkg", allow_gaps=True)
    out, above = tmp_path / f"grids.{ending}", tmp_path / "divisions.parquet"
    export_table(workspace, "grids", out)
    export_table(workspace, "divisions", above)
    with create_workspace(tmp_path / "again") as other:
        put(other, "divisions", above)
        report = put(other, "grids", out, allow_gaps=True)
        assert report.rejected.empty
        same(workspace.grids(), other.grids(), "grids", 2e-9)
