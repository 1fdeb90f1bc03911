"""Similar and recurring cases, who is suggested to handle one, and lists in files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely

from geo.datum import metric_crs
from geo.errors import InputError
from geo.io.casebook import CaseBook, CaseQuery
from geo.io.rules import read_rules
from geo.similar import find_flare_ups, find_similar, sum_up_flare_ups

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
LON, LAT = 106.6, 29.7
OPEN = ("collected", "opened", "dispatched", "handling", "fed_back")


def draw_cases(rng, n):
    """Cases of twenty days, thick on 300 x 300 m, so that many are near each other."""
    reported = pd.Timestamp(AT) - pd.to_timedelta(rng.integers(0, 20 * 24, n), unit="h")
    closed = pd.Series(reported + pd.to_timedelta(rng.integers(1, 40, n), unit="h"))
    is_done = (closed < pd.Timestamp(AT)) & (rng.random(n) < 0.7)
    lon, lat = LON + rng.integers(0, 300, n) / 1e5, LAT + rng.integers(0, 270, n) / 1e5
    gone = rng.random(n) < 0.1
    return gpd.GeoDataFrame(
        {
            "incident_id": [f"c{k:04d}" for k in range(n)],
            "class_code": pd.Series(rng.choice(["E0102", "C0118"], n)).where(rng.random(n) < 0.9),
            "lon": np.where(gone, np.nan, lon),
            "lat": np.where(gone, np.nan, lat),
            "reported_at": reported,
            "stage": np.where(
                is_done, rng.choice(["closed", "cancelled"], n, p=[0.8, 0.2]), rng.choice(OPEN, n)
            ),
            "closed_at": closed.where(is_done),
        },
        geometry=np.where(gone, None, shapely.points(lon, lat)),
        crs="EPSG:4326",
    )


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    from geo.io.workspace import create_workspace

    with create_workspace(tmp_path_factory.mktemp("near") / "city") as workspace:
        with workspace.writing() as conn:
            workspace.append(conn, "incidents", draw_cases(np.random.default_rng(2), 400))
        yield CaseBook(workspace, read_rules(workspace))


def all_in_metres(book):
    return book.workspace.read("incidents").to_crs(metric_crs(LON, LAT))


def test_similar_cases_are_those_that_a_look_at_the_whole_table_finds(book):
    rows = all_in_metres(book)
    among = rows[rows["stage"].isin(OPEN)]
    pairs = find_similar(rows, among, within_m=50, within_h=72)
    count = 0
    for case in rows.index[::9]:
        wanted = pairs[pairs["incident_id"] == case]
        found = book.similar(case, at=AT)
        assert found.index.tolist() == wanted["similar_id"].tolist()
        np.testing.assert_allclose(found["distance_m"], wanted["distance_m"], rtol=1e-9)
        np.testing.assert_allclose(found["apart_h"], wanted["apart_h"])
        count += len(found)
    assert count > 20


def test_what_is_about_to_be_reported_is_compared_with_what_is_open_now(book):
    rows = book.workspace.read("incidents")
    open_now = rows[rows["stage"].isin(OPEN) & rows["lon"].notna() & rows["class_code"].notna()]
    last = open_now[open_now["reported_at"] > pd.Timestamp(AT - timedelta(hours=20))].iloc[0]
    told = {"at": AT, "lon": last["lon"], "lat": last["lat"], "class_code": last["class_code"]}
    found = book.similar(**told)
    assert found.loc[last.name, "distance_m"] == pytest.approx(0, abs=1e-6)
    assert found["distance_m"].is_monotonic_increasing
    assert set(found["state"]) <= {"none", "late", "soon", "fine", "paused"}
    assert book.similar(**(told | {"class_code": None})).empty
    nearer = book.similar(**told, within_m=10, within_h=24)
    assert nearer.index.isin(found.index).all()
    assert (nearer["distance_m"] <= 10).all()


def test_a_case_without_place_or_class_is_similar_to_nothing(book):
    rows = book.workspace.read("incidents")
    for case in (rows.index[rows["lon"].isna()][0], rows.index[rows["class_code"].isna()][0]):
        found = book.similar(case, at=AT)
        assert found.empty
        assert "distance_m" in found.columns


def test_black_spots_are_those_that_a_look_at_the_whole_table_finds(book):
    rows = all_in_metres(book)
    history = find_flare_ups(
        rows[rows["class_code"].notna() & rows["lon"].notna()],
        within_m=50, within_days=30, min_returns=2,
    )  # fmt: skip
    wanted = sum_up_flare_ups(history)
    found = book.recurring(at=AT)
    assert found.places.index.tolist() == wanted.index.tolist()
    assert found.places["returns"].tolist() == wanted["returns"].tolist()
    assert found.history.index.tolist() == history.index.tolist()
    assert found.places.crs.to_epsg() == found.history.crs.to_epsg() == 4326
    assert len(wanted) > 0


def test_black_spots_of_a_class_a_box_and_some_days_read_only_those(book):
    query = CaseQuery(class_codes=("E0102",), bbox=(LON, LAT, LON + 0.002, LAT + 0.002))
    found = book.recurring(at=AT, days=8, query=query, within_m=60, min_returns=1)
    history = found.history
    assert set(history["class_code"]) == {"E0102"}
    assert history.cx[LON : LON + 0.002, LAT : LAT + 0.002].index.equals(history.index)
    rows = all_in_metres(book)
    since = pd.Timestamp(AT - timedelta(days=8))
    mine = (rows["reported_at"] >= since) | (rows["closed_at"] >= since)
    mine &= (rows["class_code"] == "E0102") & rows["lon"].between(LON, LON + 0.002)
    mine &= rows["lat"].between(LAT, LAT + 0.002)
    wanted = find_flare_ups(rows[mine], within_m=60, within_days=30, min_returns=1)
    assert history.index.tolist() == wanted.index.tolist()
    assert (wanted["reported_at"] < since).any()
    nowhere = book.recurring(at=AT, query=CaseQuery(bbox=(1, 1, 2, 2)))
    assert nowhere.places.empty
    assert nowhere.history.empty


# -- who might handle it -----------------------------------------------------------------------


@pytest.fixture
def small_city(workspace):
    """One grid of 0.01 degrees in a community, a street, a district; a lamp and its owner."""
    box = shapely.box(LON, LAT, LON + 0.01, LAT + 0.01)
    divisions = gpd.GeoDataFrame(
        {
            "code": ["500112000000", "500112001000", "500112001001"],
            "level": ["district", "street", "community"],
            "name": ["渝北区", "龙溪街道", "花园社区"],
            "parent_code": [None, "500112000000", "500112001000"],
        },
        geometry=[box] * 3,
        crs="EPSG:4326",
    )
    grids = gpd.GeoDataFrame(
        {"grid_id": ["g1"], "kind": "base", "community_code": "500112001001", "version": 1,
         "valid_from": [pd.Timestamp("2026-01-01", tz="UTC")]},
        geometry=[box],
        crs="EPSG:4326",
    )  # fmt: skip
    lamps = gpd.GeoDataFrame(
        {"asset_id": ["a1", "a2", "a3"], "class_code": ["0118", "0118", "0101"],
         "owner": ["路灯管理所", "物业", "供水公司"]},
        geometry=[shapely.Point(LON + x, LAT + 0.005) for x in (0.005, 0.0056, 0.005)],
        crs="EPSG:4326",
    )  # fmt: skip
    departments = pd.DataFrame(
        {"department_code": ["D13", "D10", "D01"], "name": ["路灯管理所", "供水公司", "城管局"]}
    )
    workers = pd.DataFrame(
        {
            "worker_id": ["w1", "w2"],
            "name": ["王书记", "陈工"],
            "role": ["community_head", "contact"],
            "unit_code": ["500112001001", "D13"],
        }
    )
    with workspace.writing() as conn:
        for name, frame in (("divisions", divisions), ("grids", grids), ("assets", lamps),
                            ("departments", departments), ("workers", workers)):  # fmt: skip
            workspace.append(conn, name, frame)
    (workspace.path / "rules").mkdir()
    (workspace.path / "rules" / "class_owners.csv").write_text(
        "class_code,owner\nE01,D01\nE05,X9\n"
    )
    return CaseBook(workspace, read_rules(workspace))


def test_the_owner_of_the_nearest_thing_comes_first_then_the_units_of_the_place(small_city):
    found = small_city.suggest_owner(at=AT, class_code="C0118", lon=LON + 0.0051, lat=LAT + 0.005)
    assert [(one.owner, one.level, one.reason) for one in found] == [
        ("D13", None, "asset"),
        ("500112001001", "community", "place"),
        ("500112001000", "street", "place"),
        ("g1", "grid", "place"),
        ("500112000000", "district", "place"),
    ]
    assert (found[0].name, found[0].asset_id, found[0].person) == ("路灯管理所", "a1", "陈工")
    assert found[1].person == "王书记"


@pytest.mark.parametrize(
    ("class_code", "east", "first"),
    [
        ("C0118", 0.0054, "500112001001"),  # 19 m from a lamp whose owner is no department
        ("C0118", 0.001, "500112001001"),  # no lamp near
        ("E0102", 0.005, "D01"),
        ("E0506", 0.005, "X9"),
        (None, 0.005, "500112001001"),
        ("E0102", 5.0, "D01"),  # outside of the city
    ],
)
def test_without_a_known_owner_the_class_and_then_the_place_decide(
    small_city, class_code, east, first
):
    found = small_city.suggest_owner(at=AT, class_code=class_code, lon=LON + east, lat=LAT + 0.005)
    assert found[0].owner == first


def test_a_case_asks_for_itself_and_an_unplaced_one_has_only_its_class(small_city):
    told = {"at": AT, "by": "L", "role": "acceptor", "class_code": "E0102"}
    case = small_city.report(**told).row["incident_id"]
    assert [one.owner for one in small_city.suggest_owner(case, at=AT)] == ["D01"]


# -- files -------------------------------------------------------------------------------------


def test_a_list_goes_out_in_its_order_and_no_cell_is_a_formula(workspace, tmp_path):
    book = CaseBook(workspace, read_rules(workspace))
    texts = ["=1+1", "@SUM(A1)", "+86 138", "-cmd|' /C calc'!A0", '普通, "引号"\n换行']
    for number, text in enumerate(texts):
        book.report(
            at=AT + timedelta(minutes=number), by="L", role="acceptor", class_code="E0102",
            description=text,
        )  # fmt: skip
    query = CaseQuery(sort="incident_id", descending=False, limit=2, offset=1)
    say = {"stage": {"collected": "待受理"}}
    out = tmp_path / "cases.csv"
    report = book.export(query, out, at=AT, headers="zh", say=say)
    assert report.rows == 5  # the whole list, not the page
    table = pd.read_csv(out, dtype="str", encoding="utf-8-sig")
    assert table["描述"].tolist() == [f"'{t}" if t[0] in "=@-" else t for t in texts]
    assert set(table["阶段"]) == {"待受理"}
    assert set(table["类别名称"]) == {"暴露垃圾"}
    assert table["上报时间"].iloc[0] == "2026-11-21T04:00:00Z"
    sheet_file = tmp_path / "cases.xlsx"
    book.export(query, sheet_file, at=AT, headers="en")
    rows = list(openpyxl.load_workbook(sheet_file).active.iter_rows())
    head = [cell.value for cell in rows[0]]
    cells = [row[head.index("Description")] for row in rows[1:]]
    assert [cell.value for cell in cells] == texts
    assert {cell.data_type for cell in cells} == {"s"}
    reported = rows[1][head.index("Reported at")].value
    assert reported == datetime(2026, 11, 21, 12, 0)  # noqa: DTZ001, a cell has no zone


def test_an_empty_list_is_a_file_with_a_head(workspace, tmp_path):
    book = CaseBook(workspace, read_rules(workspace))
    for name in ("none.csv", "none.xlsx"):
        assert book.export(CaseQuery(), tmp_path / name, at=AT).rows == 0
    assert (tmp_path / "none.csv").read_text(encoding="utf-8-sig").startswith("incident_id,class")


def test_other_files_than_lists_are_refused(workspace, tmp_path):
    book = CaseBook(workspace, read_rules(workspace))
    for name, said in (("x.gpkg", r"use \.csv or"), ("no/x.csv", "there is no folder")):
        with pytest.raises(InputError, match=said):
            book.export(CaseQuery(), tmp_path / name, at=AT)
