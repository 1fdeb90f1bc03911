"""Departments, duties, the working calendar and zones through the gate; rounding of people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError
from geo.io._gate_rows import round_to_sum
from geo.io.export import export_table
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.workspace import Workspace, create_workspace
from geo.schema import TABLES

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)


def put(city: Workspace, kind: str, text: str, **options: Any) -> ImportReport:
    path = city.path.parent / f"{kind}.csv"
    path.write_text(text, encoding="utf-8")
    report = import_files(city, kind, [path], at=AT, **options)
    assert report.read == report.accepted + len(report.rejected)
    return report


def reasons(report: ImportReport) -> dict[str, int]:
    return {str(k): int(v) for k, v in report.rejected["reason"].value_counts().items()}


@pytest.fixture
def staffed(workspace: Workspace) -> Workspace:
    """Three workers, two of one name, and one grid."""
    put(workspace, "workers", "工号,姓名,岗位\n1,王芳,网格员\n2,李军,网格长\n3,李军,民警\n")
    with workspace.writing() as conn:
        workspace.append(
            conn,
            "grids",
            gpd.GeoDataFrame(
                {"grid_id": ["G1"], "kind": "base", "version": 1, "valid_from": pd.Timestamp(AT)},
                geometry=[shapely.box(114.3, 30.6, 114.31, 30.61)],
                crs="EPSG:4326",
            ),
        )
    return workspace


def test_departments_come_in_by_their_chinese_headings(workspace: Workspace) -> None:
    text = "部门编码,部门名称,值班电话\n0420,城市管理局,027-8888 1234\nD2,,\n"
    report = put(workspace, "departments", text)
    assert reasons(report) == {"no name": 1}
    row = workspace.read("departments").loc["0420"]
    assert (row["name"], row["phone"]) == ("城市管理局", "027-8888 1234")
    again = put(workspace, "departments", "department_code,name\n0420,城管局\n", update=True)
    assert again.facts["updated"] == 1
    row = workspace.read("departments").loc["0420"]
    assert (row["name"], row["phone"]) == ("城管局", "027-8888 1234")


def test_duties_name_people_by_number_or_by_a_name_that_one_person_has(staffed: Workspace) -> None:
    report = put(
        staffed,
        "duties",
        "任职编号,网格编码,岗位,工号,姓名,任职时间,离任时间\n"
        "a,G1,网格长,2,,2026-01-01,\n"
        "b,G1,专职网格员,,王芳,2026-01-01,2026-12-31\n"
        "c,G1,网格员,,李军,2026-01-01,\n"
        "d,G1,网格员,,赵六,2026-01-01,\n"
        "e,G1,网格员,9,,2026-01-01,\n"
        "f,G1,网格员,1,,2026-02-01,2026-01-01\n"
        "g,G7,片警,3,,,\n"
        "h,G1,吹哨人,1,,,\n"
        "i,,网格员,1,,,\n",
    )
    assert reasons(report) == {
        "several workers bear this name": 1,
        "no worker of this name": 1,
        "worker_id names nobody who is there": 1,
        "appointed until before it begins": 1,
        "no unit_code": 1,
    }
    duties = staffed.read("duties")
    assert duties["role"].tolist() == ["grid_head", "grid_worker", "police", "吹哨人"]
    assert duties["worker_id"].tolist() == ["2", "1", "3", "1"]
    assert duties["rank"].tolist() == [1, 1, 1, 1]
    assert duties.loc["a", "valid_from"] == pd.Timestamp("2025-12-31 16:00Z")
    assert duties.loc["g", "valid_from"] == pd.Timestamp(AT)
    assert "2 duties without a beginning hold from the time of this import" in report.notes
    assert "neither grid, division nor department: G7 (1)" in "".join(report.warnings)


def test_a_roster_without_numbers_gets_ids_and_needs_somebody(staffed: Workspace) -> None:
    roster = "网格编码,岗位,姓名,顺位\nG1,网格员,王芳,2\n"
    report = put(staffed, "duties", roster, make_ids="R")
    assert report.accepted == 1
    assert staffed.read("duties").loc["R-000001", "rank"] == 2
    with pytest.raises(ColumnError, match="no column for worker_id"):
        put(staffed, "duties", "网格编码,岗位\nG1,网格员\n", make_ids="R")


def test_the_calendar_is_read_in_any_form_of_a_date(workspace: Workspace) -> None:
    report = put(
        workspace,
        "calendar",
        "日期,类型,节日\n2027-02-06,休,春节\n2027/2/14,班,春节调休\n2027年2月20日,上班,\n"
        "20270221,工作日,\n2027-02-06,班,\nlater,班,\n2027-02-22,maybe,\n",
    )
    assert reasons(report) == {
        "day is no date": 1,
        "is_workday says neither yes nor no": 1,
        "id was there before in these files": 1,
    }
    calendar = workspace.read("calendar")
    assert calendar.index.tolist() == ["2027-02-06", "2027-02-14", "2027-02-20", "2027-02-21"]
    assert calendar["is_workday"].tolist() == [False, True, True, True]
    assert calendar["name"].iloc[0] == "春节"


def test_a_short_date_of_the_calendar_follows_the_order_told(workspace: Workspace) -> None:
    text = "day,is_workday\n01/02/2027,no\n"
    report = put(workspace, "calendar", text)
    assert "read month first" in "".join(report.warnings)
    assert workspace.read("calendar").index.tolist() == ["2027-01-02"]
    put(workspace, "calendar", text, date_order="dmy")
    assert "2027-02-01" in workspace.read("calendar").index


def zone(x: float, y: float = 30.6, size: float = 0.01) -> str:
    return shapely.box(x, y, x + size, y + size).wkt


def test_zones_lie_over_grids_and_each_other_and_say_so(staffed: Workspace) -> None:
    text = "片区编号,类型,名称,wkt\n"
    text += f'Z1,商圈,光谷,"{zone(114.300)}"\nZ2,商圈,街道口,"{zone(114.305)}"\n'
    text += f'Z3,校区,,"{zone(114.300)}"\nZ4,,无类,"{zone(114.4)}"\n'
    report = put(staffed, "zones", text)
    assert reasons(report) == {"no kind": 1}
    assert [w for w in report.warnings if "zones" in w] == [
        "1 overlap between zones of 商圈: kept, what lies in two of them counts in each"
    ]
    zones = staffed.read("zones")
    assert zones["name"].tolist() == ["光谷", "街道口", "Z3"]
    assert isinstance(zones.geometry.iloc[0], shapely.MultiPolygon)
    told = report.problems[report.problems["reason"] == "zones of 商圈 overlap"]
    assert GeoDataFrame(told).geometry.iloc[0].area == pytest.approx(0.005 * 0.01, rel=1e-4)
    bow = "POLYGON ((114.5 30.6, 114.51 30.61, 114.51 30.6, 114.5 30.61, 114.5 30.6))"
    fixed = put(staffed, "zones", f'id,kind,name,wkt\nZ5,x,x,"{bow}"\n')
    assert fixed.repaired["repair"].tolist() == ["invalid polygons made valid"]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet", "gpkg"])
@pytest.mark.parametrize("words", ["columns", "zh"])
def test_these_tables_go_out_and_come_back_as_they_were(
    staffed: Workspace, tmp_path: Path, ending: str, words: Any
) -> None:
    put(staffed, "departments", "部门编码,部门名称\n0420,城市管理局\n")
    put(staffed, "duties", "任职编号,网格编码,岗位,工号,任职时间\na,G1,网格长,2,2026-01-01 08:00\n")
    put(staffed, "calendar", "day,is_workday,name\n2027-02-06,no,春节\n2027-02-14,yes,\n")
    put(staffed, "zones", f'zone_id,kind,name,wkt\nZ1,商圈,光谷,"{zone(114.3)}"\n')
    with create_workspace(tmp_path / "other") as other:
        for kind in ("workers", "departments", "duties", "calendar", "zones"):
            path = tmp_path / f"{kind}.{ending}"
            export_table(staffed, kind, path, headers=words)
            report = import_files(other, kind, [path], at=AT)
            assert report.rejected.empty
            one, two = (pd.DataFrame(c.read(kind)) for c in (staffed, other))
            names = [n for n in TABLES[kind].names if n in one.columns]
            pd.testing.assert_frame_equal(one[names], two[names])
        one, two = (shapely.normalize(c.read("zones").geometry.iloc[0]) for c in (staffed, other))
        assert shapely.equals_exact(one, two, tolerance=1e-9)


NUMBERS = st.lists(
    st.one_of(
        st.floats(0, 5000).map(lambda x: round(x, 3)),
        st.integers(0, 900).map(float),
        st.just(np.nan),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(values=NUMBERS)
def test_people_keep_their_sum_when_they_are_rounded(values: list[float]) -> None:
    numbers = pd.Series(values, dtype="float64")
    got = round_to_sum(numbers)
    assert (got.isna() == numbers.isna()).all()
    assert got.sum() == np.floor(round(numbers.sum(), 6) + 0.5)
    assert ((got - numbers).abs().dropna() < 1).all()
    whole = numbers % 1 == 0
    assert (got[whole] == numbers[whole]).all()


def test_the_largest_remainders_go_up() -> None:
    """1.2 + 1.7 + 1.6 + 2 + 0.5 = 7.0, whose floors add up to 5: two go up."""
    got = round_to_sum(pd.Series([1.2, 1.7, 1.6, 2.0, 0.5]))
    assert got.tolist() == [1, 2, 2, 2, 0]


def test_the_report_names_the_sum_before_and_after(workspace: Workspace) -> None:
    boxes = [shapely.box(114.3 + i / 100, 30.6, 114.31 + i / 100, 30.61).wkt for i in range(3)]
    rows = zip("ABC", ["100.4", "100.4", "100.2"], boxes, strict=True)
    text = "grid_id,households,wkt\n" + "".join(f'{i},{n},"{w}"\n' for i, n, w in rows)
    report = put(workspace, "grids", text)
    assert workspace.grids()["households"].tolist() == [101, 100, 100]
    row = report.repaired.set_index("repair").loc["households rounded to whole numbers"]
    assert row["detail"] == "sum 301.00 became 301, the largest remainders went up"
