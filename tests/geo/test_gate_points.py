"""Assets, incidents, workers and fixes through the gate, on a city of four grids.

C D     two by two grids of 0.01 degrees, the south-west corner at 114.30 E, 30.60 N
A B
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.commands._import_report import describe
from geo import datum
from geo.errors import ColumnError, InputError
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport, to_json, write_problems
from geo.io.workspace import Workspace

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
CORNERS = {"A": (114.30, 30.60), "B": (114.31, 30.60), "C": (114.30, 30.61), "D": (114.31, 30.61)}
ASSETS = "id,lon,lat,class_code,name\n"
CASES = "id,lon,lat,time,status\n"


@pytest.fixture
def city(workspace: Workspace) -> Workspace:
    """The four grids, in force."""
    grids = gpd.GeoDataFrame(
        {"grid_id": list(CORNERS), "kind": "base", "version": 1, "valid_from": pd.Timestamp(AT)},
        geometry=[shapely.box(x, y, x + 0.01, y + 0.01) for x, y in CORNERS.values()],
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "grids", grids)
    return workspace


def put(city: Workspace, kind: str, text: str, name: str = "a.csv", **options: Any) -> ImportReport:
    path = city.path.parent / name
    path.write_text(text, encoding="utf-8")
    report = import_files(city, kind, [path], at=AT, **options)
    assert report.read == report.accepted + len(report.rejected)
    return report


def reasons(report: ImportReport) -> dict[str, int]:
    return {str(k): int(v) for k, v in report.rejected["reason"].value_counts().items()}


def test_a_row_goes_in_with_its_fields_and_its_place(city: Workspace) -> None:
    report = put(city, "assets", ASSETS + "1,114.305,30.605,0118,灯 一\n")
    assert (report.read, report.accepted, report.stored) == (1, 1, 1)
    row = city.read("assets").loc["1"]
    assert (row["class_code"], row["name"]) == ("0118", "灯 一")
    assert row["geometry"].equals(shapely.Point(114.305, 30.605))


@pytest.mark.parametrize(
    ("lon", "lat", "reason"),
    [
        ("", "", "no coordinates"),
        ("114.3", "", "no coordinates"),
        ("0", "0", "coordinates are 0, 0"),
        ("0.0", "-0.0", "coordinates are 0, 0"),
        ("514.3", "30.6", "coordinates outside the world"),
        ("abc", "30.6", "coordinates are no numbers"),
        ("inf", "30.6", "coordinates are no numbers"),
        ("30.605", "114.305", "latitude and longitude look swapped"),
    ],
)
def test_an_asset_without_a_usable_place_is_rejected_and_an_incident_kept(
    city: Workspace, lon: str, lat: str, reason: str
) -> None:
    good = "2,114.305,30.605,0118,x\n"
    report = put(city, "assets", ASSETS + f"1,{lon},{lat},0118,x\n" + good)
    assert reasons(report) == {reason: 1}
    case = CASES + f"1,{lon},{lat},2024-05-01 10:00,Open\n2,114.305,30.605,2024-05-01 10:00,Open\n"
    report = put(city, "incidents", case)
    if "swapped" in reason:
        assert reasons(report) == {reason: 1}
        assert "--map lon=lat --map lat=lon" in report.warnings[0]
        return
    assert report.accepted == 2
    assert report.facts["unplaced"] == 1
    kept = city.read("incidents").loc["1"]
    assert kept["geometry"] is None
    assert np.isnan(kept["lon"])
    assert any(reason in w for w in report.warnings)


def test_a_swapped_file_is_never_turned(city: Workspace) -> None:
    rows = "".join(f"{i},30.60{i},114.30{i},0118,x\n" for i in range(1, 9))
    report = put(city, "assets", ASSETS + rows)
    assert report.accepted == 0
    assert "8 of 8 rows look as if latitude and longitude were swapped" in report.warnings[0]
    report = put(city, "assets", ASSETS + rows, mapping={"lon": "lat", "lat": "lon"})
    assert report.accepted == 8


def test_a_swapped_row_is_seen_among_others_without_a_city(workspace: Workspace) -> None:
    rows = "".join(f"{i},114.3{i:02},30.6{i:02},0118,x\n" for i in range(10, 40))
    report = put(
        workspace, "assets", ASSETS + rows + "99,30.62,114.32,0118,x\n" + "98,80.1,30.6,0118,x\n"
    )
    assert reasons(report) == {"latitude and longitude look swapped": 1}


def test_points_outside_the_city_stay_and_are_listed(city: Workspace) -> None:
    report = put(city, "assets", ASSETS + "1,114.305,30.605,0118,x\n2,114.4,30.7,0118,x\n")
    assert report.accepted == 2
    assert report.facts["outside"] == 1
    assert report.warnings == ("1 of 2 assets lie outside the city: kept, they count in no grid",)
    listed = report.problems
    assert listed["id"].tolist() == ["2"]
    assert listed["severity"].tolist() == ["warning"]
    assert listed.geometry.iloc[0].equals(shapely.Point(114.4, 30.7))


def test_a_point_on_the_border_is_in_the_city(city: Workspace) -> None:
    report = put(city, "assets", ASSETS + "1,114.32,30.605,0118,x\n2,114.30,30.60,0118,x\n")
    assert "outside" not in report.facts


def test_a_default_point_is_no_place(workspace: Workspace) -> None:
    rng = np.random.default_rng(1)
    xy = rng.uniform((-76.7, 39.2), (-76.5, 39.4), (500, 2)).round(6)
    rows = [f"{i},{x},{y},2024-05-01,Open" for i, (x, y) in enumerate(xy)]
    rows += [f"d{i},-77.0,39.0,2024-05-01,Open" for i in range(40)]
    rows += [f"e{i},-76,39,2024-05-01,Open" for i in range(2)]
    rows += [f"h{i},-76.61,39.29,2024-05-01,Open" for i in range(30)]
    report = put(workspace, "incidents", CASES + "\n".join(rows), timezone="America/New_York")
    assert report.accepted == 572
    assert report.facts["unplaced"] == 42
    assert "(-77, 39) 40 times, (-76, 39) 2 times" in report.warnings[1]
    # The city hall is a place, however often it is named.
    assert "30 rows lie on exactly one point (-76.610000, 39.290000)" in report.warnings[0]


def test_ids_are_cleaned_made_or_asked_for(city: Workspace) -> None:
    text = (
        "编号,经度,纬度,class_code\n１００1,114.301,30.601,0118\n6025.0,114.302,30.601,0118\n"
        ",114.303,30.601,0118\n1.2E+15,114.304,30.601,0118\n"
    )
    report = put(city, "assets", text)
    assert reasons(report) == {"no id": 1, "id lost its digits in a spreadsheet": 1}
    assert "--make-ids PREFIX" in report.rejected.set_index("reason").loc["no id", "detail"]
    assert sorted(city.read("assets").index) == ["1001", "6025"]
    report = put(city, "assets", text, make_ids="L", update=True)
    assert "L-000003" in city.read("assets").index


def test_a_missing_column_is_named_with_the_ways_out(city: Workspace) -> None:
    with pytest.raises(ColumnError) as caught:
        put(city, "assets", "nr,lon,lat\n1,114.3,30.6\n")
    text = str(caught.value)
    assert text.startswith(
        "a.csv has no column for asset_id, class_code: its columns are nr, lon, lat"
    )
    assert "--map asset_id=COLUMN or --make-ids PREFIX" in text
    with pytest.raises(ColumnError, match="--map lon=COLUMN --map lat=COLUMN"):
        put(city, "assets", "id,class_code\n1,0118\n")
    with pytest.raises(ColumnError, match="--map lon=- keeps incidents without a place"):
        put(city, "incidents", "id,time\n1,2024-05-01\n")
    report = put(city, "incidents", "id,time\n1,2024-05-01\n", mapping={"lon": "-"})
    assert report.facts["unplaced"] == 1
    assert city.count("assets") == 0


def test_the_same_row_twice_is_one_and_the_same_id_otherwise_is_a_clash(city: Workspace) -> None:
    text = ASSETS + (
        "1,114.301,30.601,0118,x\n1,114.301,30.601,0118,x\n1,114.302,30.601,0118,x\n"
        "1,114.301,30.601,0117,x\n"
    )
    report = put(city, "assets", text)
    assert reasons(report) == {"id was there before in these files": 2, "duplicate row": 1}
    assert report.rejected["detail"].tolist() == [
        "repeats an earlier row exactly",
        "other lon",
        "other class_code",
    ]
    again = put(city, "assets", text)
    assert reasons(again)["already in the workspace"] == 3
    assert again.accepted == 0


def test_an_update_replaces_what_the_file_says_and_keeps_the_rest(city: Workspace) -> None:
    put(city, "assets", ASSETS + "1,114.301,30.601,0118,old\n2,114.302,30.602,0118,two\n")
    report = put(
        city,
        "assets",
        "id,class_code,lon,lat\n1,0117,114.303,30.603\n3,0113,114.304,30.604\n",
        update=True,
    )
    assert report.facts["updated"] == 1
    table = city.read("assets")
    assert table.loc["1", "class_code"] == "0117"
    assert table.loc["1", "name"] == "old"
    assert table.loc["1", "geometry"].x == 114.303
    assert sorted(table.index) == ["1", "2", "3"]


def test_classes_come_as_codes_or_names(city: Workspace) -> None:
    text = "id,lon,lat,类型\n1,114.301,30.601,路灯\n2,114.301,30.602,113\n"
    text += "3,114.301,30.603,什么\n4,114.301,30.604,2108\n"
    report = put(city, "assets", text)
    assert city.read("assets")["class_code"].to_dict() == {"1": "0118", "2": "0113", "4": "2108"}
    assert reasons(report) == {"no known asset class": 1}
    with pytest.raises(InputError, match="no such asset class"):
        put(city, "assets", text, set_values={"class_code": "lamp?"})


def test_an_incident_needs_a_time_and_keeps_its_other_faults_listed(city: Workspace) -> None:
    text = (
        "id,lon,lat,created_date,status,due_date,closed_date\n"
        "1,114.301,30.601,2024-05-02 10:00,Closed,soon,2024-05-01 10:00\n"
        "2,114.301,30.601,yesterday,Open,,\n"
        "3,114.301,30.601,,Open,,\n"
        "4,114.301,30.601,2024-05-02 10:00,Mystery,2024-05-01 10:00,\n"
        "5,114.301,30.601,2030-05-02 10:00,,,2030-05-03 10:00\n"
    )
    report = put(city, "incidents", text)
    assert reasons(report) == {"reported_at cannot be read": 1, "no reported_at": 1}
    repaired = report.repaired.set_index("repair")["rows"].to_dict()
    assert repaired == {
        "deadline cannot be read, left empty": 1,
        "closed before it was reported, close time left empty": 1,
    }
    table = city.read("incidents")
    assert table["stage"].to_dict() == {"1": "closed", "4": "collected", "5": "closed"}
    assert table["closed_at"].isna().tolist() == [True, True, False]
    assert table.loc["1", "reported_at"] == pd.Timestamp("2024-05-02 02:00Z")
    assert report.timezone == "Asia/Shanghai"
    words = "\n".join(report.warnings)
    assert "unknown status taken as collected: Mystery (1)" in words
    assert "1 incidents have a deadline before they were reported" in words
    assert "1 incidents are reported after the time of this import" in words


def test_an_assumed_zone_far_from_the_sun_is_doubted(city: Workspace) -> None:
    text = CASES + "1,114.301,30.601,2024-05-01 10:00,Open\n"
    report = put(city, "incidents", text, timezone="America/New_York")
    assert any("hours from the sun's time" in w for w in report.warnings)
    # A time that names its zone leaves nothing to doubt.
    text = CASES + "2,114.301,30.601,2024-05-01 10:00+08:00,Open\n"
    assert not put(city, "incidents", text, timezone="America/New_York").warnings


def test_invisible_characters_go_and_are_listed(city: Workspace) -> None:
    report = put(city, "assets", ASSETS + "1,114.301,30.601,0118,路\u200b灯\n")
    assert city.read("assets").loc["1", "name"] == "路灯"
    assert report.repaired.loc[0, "repair"] == "invisible characters taken out of name"
    assert report.problems["reason"].tolist() == ["invisible characters in name"]


@pytest.mark.parametrize("source", ["gcj02", "bd09", "EPSG:4547", "cgcs2000", "wgs84"])
def test_coordinates_are_converted_once_and_to_the_millimetre(city: Workspace, source: str) -> None:
    lon, lat = np.array([114.305, 114.315]), np.array([30.605, 30.615])
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    there = datum.from_wgs84(points, source).geometry
    rows = "".join(f"{i},{p.x!r},{p.y!r},0118,x\n" for i, p in enumerate(there))
    report = put(city, "assets", ASSETS + rows, source_crs=source)
    assert report.accepted == 2
    back = city.read("assets").geometry
    apart_m = np.hypot((back.x - lon) * np.cos(np.radians(lat)), back.y - lat) * 111_195
    assert apart_m.max() < 1e-3


def test_a_layer_in_another_datum_is_warned_of_and_not_converted(city: Workspace) -> None:
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(114.3, 114.32, 400), rng.uniform(30.6, 30.62, 400)
    x, y = datum.wgs84_to_gcj02(lon, lat)
    rows = "".join(f"{i},{a},{b},0118,x\n" for i, (a, b) in enumerate(zip(x, y, strict=True)))
    report = put(city, "assets", ASSETS + rows)
    assert report.facts["datum_suspected"] == "gcj02"
    assert 400 < report.facts["datum_offset_m"] < 700
    assert np.allclose(city.read("assets").geometry.x, x)
    city_rows = put(city, "assets", ASSETS + rows, source_crs="gcj02", update=True)
    assert "datum_suspected" not in city_rows.facts


def test_the_shape_counts_where_columns_disagree_and_columns_fill_what_it_lacks(
    city: Workspace,
) -> None:
    layer = gpd.GeoDataFrame(
        {"id": ["1", "2", "3"], "lon": [114.305, 114.306, 114.307], "lat": [30.605] * 3},
        geometry=[shapely.Point(114.305, 30.605), shapely.Point(114.306, 30.6055), None],
        crs="EPSG:4326",
    )
    layer.to_file(city.path.parent / "a.geojson")
    report = import_files(
        city, "assets", [city.path.parent / "a.geojson"], at=AT, set_values={"class_code": "0118"}
    )
    assert report.accepted == 3
    assert "in 1 rows lon and lat say a place more than 10 m from the shape" in report.warnings[0]
    assert city.read("assets").geometry.y.tolist() == [30.605, 30.6055, 30.605]
    assert report.repaired["repair"].tolist() == [
        "place taken from the columns, the shape was missing"
    ]


def test_only_points_and_lines_are_assets(city: Workspace) -> None:
    shapes = [
        shapely.Point(114.305, 30.605, 12.0),
        shapely.MultiPoint([(114.306, 30.605)]),
        shapely.MultiPoint([(114.306, 30.605), (114.307, 30.605)]),
        shapely.LineString([(114.305, 30.605), (114.306, 30.606)]),
        shapely.box(114.305, 30.605, 114.306, 30.606),
        shapely.Point(),
    ]
    layer = gpd.GeoDataFrame({"id": range(6)}, geometry=shapes, crs="EPSG:4326")
    layer.to_file(city.path.parent / "a.gpkg")
    report = import_files(
        city, "assets", [city.path.parent / "a.gpkg"], at=AT, set_values={"class_code": "0118"}
    )
    assert reasons(report) == {"neither point nor line": 2, "no coordinates": 1}
    kinds = city.read("assets").geometry.geom_type.to_dict()
    assert kinds == {"0": "Point", "1": "Point", "3": "LineString"}
    assert not city.read("assets").geometry.has_z.any()


def test_cameras_have_a_class_and_bearings_in_range(city: Workspace) -> None:
    text = "id,lon,lat,bearing\n1,114.301,30.601,90\n2,114.301,30.602,720\n3,114.301,30.603,\n"
    report = put(city, "cameras", text)
    table = city.read("cameras")
    assert table["class_code"].unique().tolist() == ["0136"]
    assert table["bearing_deg"].isna().tolist() == [False, True, True]
    assert report.repaired["repair"].tolist() == ["bearing_deg beyond 0 to 360, left empty"]


def test_workers_need_a_name_and_take_a_role(workspace: Workspace) -> None:
    text = "工号,姓名,岗位,手机\n01,张三,网格员,13800000000\n02,,网格长,\n03,李四,会计,\n"
    report = put(workspace, "workers", text)
    assert reasons(report) == {"no name": 1}
    table = workspace.read("workers")
    assert table["role"].to_dict() == {"01": "grid_worker", "03": "会计"}
    assert table.loc["01", "phone"] == "13800000000"


def test_fixes_of_unknown_workers_make_them_known(city: Workspace) -> None:
    text = "uid,datetime,lat,lng,speed(m/s)\n" + "\n".join(
        [
            "007,2024-05-01 08:00:00,30.605,114.305,2",
            "007,2024-05-01 08:00:00,30.606,114.305,2",
            "007,2024-05-01 08:00:05,0,0,2",
            "007,,30.605,114.305,2",
            "008,nonsense,30.605,114.305,2",
            ",2024-05-01 08:00:05,30.605,114.305,2",
            "008,2024-05-01 08:00:00,31.605,114.305,",
        ]
    )
    report = put(city, "fixes", text)
    assert reasons(report) == {
        "same worker and time as an earlier row": 1,
        "coordinates are 0, 0": 1,
        "no time": 1,
        "time cannot be read": 1,
        "no worker_id": 1,
    }
    table = city.read("fixes")
    assert table["worker_id"].tolist() == ["007", "008"]
    assert table.loc[0, "speed_kmh"] == pytest.approx(7.2)
    assert table.loc[0, "source"] == "a.csv"
    assert city.read("workers")["name"].to_dict() == {"007": "007", "008": "008"}
    assert any("2 workers were not known" in w for w in report.warnings)
    again = put(city, "fixes", text)
    assert reasons(again)["already in the workspace"] == 2


def test_fixes_come_in_pieces_and_no_pair_is_stored_twice(
    city: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geo.io import _gate_fixes, _read_text

    monkeypatch.setattr(_gate_fixes, "CHUNK_ROWS", 100)
    monkeypatch.setattr(_read_text, "_BLOCK", 2048)
    rows = [f"w{i % 7},{1_700_000_000 + i % 900},30.605,114.305" for i in range(2000)]
    report = put(city, "fixes", "uid,time,lat,lng\n" + "\n".join(rows))
    assert report.accepted == len(set(rows))
    assert city.count("fixes") == len(set(rows))
    assert report.rejected["row"].is_unique


def test_a_dry_run_and_an_error_leave_the_workspace_as_it_was(city: Workspace) -> None:
    before = city.stamp()
    report = put(city, "assets", ASSETS + "1,114.301,30.601,0118,x\n", dry_run=True)
    assert (report.accepted, report.dry_run) == (1, True)
    put(city, "fixes", "uid,time,lat,lng\n1,1700000000,30.6,114.3\n", dry_run=True)
    assert city.stamp() == before
    good, bad = city.path.parent / "good.csv", city.path.parent / "bad.csv"
    good.write_text(ASSETS + "1,114.301,30.601,0118,x\n")
    bad.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputError, match="PNG"):
        import_files(city, "assets", [good, bad], at=AT)
    assert city.stamp() == before


def test_a_workspace_is_not_imported_into_itself(city: Workspace) -> None:
    with pytest.raises(InputError, match="is the workspace itself"):
        import_files(city, "grids", [city.file], at=AT)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timezone": "Mars"}, "no time zone"),
        ({"source_crs": "EPSG:999999"}, "EPSG:999999"),
        ({"snap_m": -1.0}, "--snap-width"),
        ({"new_version": True}, "for grids only"),
    ],
)
def test_options_without_sense_are_refused(
    city: Workspace, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        put(city, "assets", ASSETS + "1,114.301,30.601,0118,x\n", **options)


def test_the_report_says_everything_once(city: Workspace, tmp_path: Path) -> None:
    text = ASSETS + "1,114.301,30.601,0118,x\n2,,,0118,x\n3,120,30,0118,x\nshort\n"
    report = put(city, "assets", text)
    shown = describe(report)
    assert shown.startswith("assets: 4 read = 2 accepted + 2 rejected")
    for words in (
        "1  no coordinates: row 2",
        "1  row does not fit the header (1 values, the header has 5): row 4",
        "1 of 2 assets lie outside the city",
        "asset_id <- id",
        "columns wgs84 assumed, none is named",
    ):
        assert words in shown
    plain = to_json(report)
    assert plain["read"] == plain["accepted"] + plain["rejected"] == 4
    counts = write_problems(report, tmp_path / "p.gpkg")
    assert counts == {"points": 1, "rows": 2}
    assert sorted(n for n, _ in pyogrio.list_layers(tmp_path / "p.gpkg")) == ["points", "rows"]
    assert len(pyogrio.read_dataframe(tmp_path / "p.gpkg", layer="points")) == 1
    with pytest.raises(InputError, match=r"does not end in \.gpkg"):
        write_problems(report, tmp_path / "p.txt")


CELLS = st.sampled_from(
    ["1", "2", "3", "", "0", "114.305", "30.605", "999", "x", "0118", "2024-05-01", "n/a", "1.0"]
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=12),
    kind=st.sampled_from(["assets", "incidents", "fixes"]),
)
def test_whatever_the_rows_hold_each_is_accepted_or_rejected(
    city: Workspace, rows: Sequence[tuple[str, ...]], kind: str
) -> None:
    header = {
        "assets": "id,lon,lat,class_code,name",
        "incidents": "id,lon,lat,time,due_date",
        "fixes": "uid,lon,lat,time,accuracy",
    }[kind]
    text = header + "\n" + "\n".join(",".join(r) for r in rows) + "\n"
    before = city.count(kind)
    report = put(city, kind, text, encoding="utf-8")
    assert report.read == len(rows)
    assert city.count(kind) - before == report.stored
