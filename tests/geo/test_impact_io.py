"""What consequences are counted from, read from a workspace; and the workbook's own rules."""

import io
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from openpyxl import load_workbook

from geo.errors import ColumnError
from geo.impact import count_facts
from geo.io.plan_facts import read_things, read_views
from geo.io.plan_report import ReportColumn, ReportSheet, write_plan_book
from geo.io.workspace import Workspace
from geo.plan import read_plan

AT = datetime(2026, 11, 21, tzinfo=UTC)
LON, LAT, STEP = 114.3, 30.5, 0.002


def test_only_what_counts_is_read(workspace: Workspace) -> None:
    days = [400, 364, 1, 1, 1]
    incidents = gpd.GeoDataFrame(
        {
            "incident_id": ["old", "year", "new", "void", "nowhere"],
            "class_code": "E0102",
            "lon": [LON + STEP / 2] * 4 + [None],
            "lat": [LAT + STEP / 2] * 4 + [None],
            "reported_at": pd.to_datetime([AT - timedelta(days=n) for n in days], utc=True),
            "stage": ["closed", "closed", "opened", "cancelled", "opened"],
        },
        geometry=[shapely.Point(LON + STEP / 2, LAT + STEP / 2)] * 4 + [None],
        crs=4326,
    )
    rail = shapely.LineString([(LON + STEP / 4, LAT), (LON + STEP / 4, LAT + STEP / 2)])
    assets = gpd.GeoDataFrame(
        {"asset_id": ["railing"], "class_code": ["0211"], "name": ["护栏"]},
        geometry=[rail],
        crs=4326,
    )
    cameras = gpd.GeoDataFrame(
        {
            "asset_id": ["sees", "broken", "unclear"],
            "class_code": "0136",
            "state": ["intact", "damaged", "intact"],
            "bearing_deg": [0.0, 0.0, None],
            "angle_deg": [60.0, 60.0, 60.0],
            "range_m": [50.0, 50.0, 50.0],
        },
        geometry=[shapely.Point(LON + STEP / 2, LAT + STEP / 2)] * 3,
        crs=4326,
    )
    blocks = gpd.GeoDataFrame(
        {
            "block_id": ["b1"],
            "compound": ["华府"],
            "community_code": ["A"],
            "households": [10],
            "population": [20],
        },
        geometry=[shapely.box(LON, LAT, LON + STEP, LAT + STEP)],
        crs=4326,
    )
    divisions = gpd.GeoDataFrame(
        {"code": ["A"], "level": ["community"], "name": ["甲"]}, geometry=[None], crs=4326
    )
    with workspace.writing() as conn:
        workspace.append(conn, "divisions", divisions)
        for name, frame in (("incidents", incidents), ("assets", assets), ("cameras", cameras)):
            workspace.append(conn, name, frame)
        workspace.append(conn, "blocks", blocks)
    frame = gpd.GeoDataFrame(workspace.read("blocks"), geometry="geometry", crs=4326)
    first = read_plan(frame.to_crs("EPSG:4547").assign(grid_id="G"))
    things = read_things(workspace, first, at=AT)
    assert len(things.incidents) == 2  # those of the year that were not cancelled
    assert things.cases.index.tolist() == ["new"]
    assert sorted(things.assets.index) == ["broken", "railing", "sees", "unclear"]
    assert things.assets.geometry["railing"].geom_type == "Point"
    assert read_views(workspace).index.tolist() == ["sees"]
    assert things.compounds.to_dict() == {"b1": "华府"}
    counts = count_facts(first, things).counts.table[0]
    assert counts[5:7].tolist() == [2, 4]
    assert 0 < counts[8] < counts[7]


def sheet(**other: object) -> ReportSheet:
    columns = [
        ReportColumn("name", "网格"),
        ReportColumn("before", "现状", "count", total="sum"),
        ReportColumn("now", "方案", "count", total="sum"),
        ReportColumn("by", "增减", "change", formula="{now}-{before}", total="sum"),
    ]
    rows = pd.DataFrame({"name": ["=1+1", "乙"], "before": [3, 4], "now": [4, 3]})
    known: dict[str, object] = {
        "title": "网格/甲", "notes": ["一行"], "columns": columns, "rows": rows, "total": "合计",
    }  # fmt: skip
    return ReportSheet(**(known | other))  # type: ignore[arg-type]


def test_changes_and_sums_are_formulas_and_texts_are_not() -> None:
    target = io.BytesIO()
    write_plan_book(target, [sheet(), sheet()])
    book = load_workbook(io.BytesIO(target.getvalue()))
    assert book.sheetnames == ["网格-甲", "网格-甲 2"]
    page = book["网格-甲"]
    assert [cell.value for cell in page[5]] == ["合计", "=SUM(B6:B7)", "=SUM(C6:C7)", "=SUM(D6:D7)"]
    assert page["D6"].value == "=C6-B6"
    assert (page["A6"].value, page["A6"].data_type) == ("=1+1", "s")


def test_an_empty_sheet_still_sums() -> None:
    target = io.BytesIO()
    empty = pd.DataFrame({"name": [], "before": [], "now": []})
    write_plan_book(target, [sheet(rows=empty)])
    page = load_workbook(io.BytesIO(target.getvalue())).worksheets[0]
    assert page["B5"].value == "=SUM(B6:B6)"


def test_a_sheet_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(ColumnError, match="lacks now"):
        write_plan_book(io.BytesIO(), [sheet(rows=pd.DataFrame({"name": ["a"], "before": [1]}))])
    columns = [ReportColumn("name", "网格"), ReportColumn("by", "增减", formula="{nothing}")]
    with pytest.raises(ColumnError, match="nothing"):
        write_plan_book(io.BytesIO(), [sheet(columns=columns)])
