"""Tables out to files in every format and datum, and back through the gate unchanged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.codes import headers
from geo.datum import to_wgs84
from geo.errors import CrsError, InputError, StoreError
from geo.io.export import export_table
from geo.io.fields import guard_formulas, unguard_formulas
from geo.io.gate import import_files
from geo.io.workspace import Workspace, create_workspace

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
FORMATS = ["gpkg", "geojson", "parquet", "csv", "xlsx"]
METRE = 1 / 111_195


def moments(*texts: str | None) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(list(texts), utc=True, format="ISO8601"))


@pytest.fixture
def grids() -> GeoDataFrame:
    """Three grids side by side with common corners; C is an old version."""
    xs = [111.3000001234, 111.3012345678, 111.3023456789, 111.3034567891]
    shapes = [shapely.box(a, 30.7, b, 30.7011111119) for a, b in pairwise(xs)]
    return gpd.GeoDataFrame(
        {
            "name": ["第一网格", "第二网格", None],
            "kind": ["base", "dedicated", "base"],
            "households": pd.array([300, None, 250], dtype="Int64"),
            "population": pd.array([900, 0, None], dtype="Int64"),
            "version": pd.array([1, 1, 1], dtype="Int64"),
            "valid_from": moments(*["2026-01-01T00:00:00Z"] * 3),
            "valid_to": moments(None, None, "2026-06-01T00:00:00Z"),
        },
        geometry=shapes,
        index=pd.Index(["001", "002", "003"], name="grid_id"),
        crs="EPSG:4326",
    )


@pytest.fixture
def assets() -> GeoDataFrame:
    """Points with awkward texts."""
    names = ["=1+1", "+86 717", "-", "@here", "'quoted'", 'a "b", c', "路灯", None]
    index = pd.Index([f"00{n}" for n in range(8)], name="asset_id")
    return gpd.GeoDataFrame(
        {
            "class_code": "0118",
            "name": pd.Series(names, index=index, dtype="str"),
            "state": "intact",
            "accuracy_class": "B",
        },
        geometry=gpd.points_from_xy(111.3 + np.arange(8) * 1.23456e-4, np.full(8, 30.7005)),
        index=index,
        crs="EPSG:4326",
    )


@pytest.fixture
def incidents() -> GeoDataFrame:
    """One placed, one unplaced, times to the millisecond."""
    return gpd.GeoDataFrame(
        {
            "class_code": ["E0102", None],
            "category": [None, "说不清的事"],
            "description": ["暴露垃圾", "乱停车 两辆"],
            "lon": [111.3012345, np.nan],
            "lat": [30.7004321, np.nan],
            "source": ["app", "hotline"],
            "reported_at": moments("2026-11-20T08:15:30.250Z", "2026-11-19T16:00:00Z"),
            "stage": ["opened", "closed"],
            "deadline": moments("2026-11-22T00:00:00Z", None),
            "closed_at": moments(None, "2026-11-20T00:00:00Z"),
        },
        geometry=[shapely.Point(111.3012345, 30.7004321), None],
        index=pd.Index(["x-1", "x-2"], name="incident_id"),
        crs="EPSG:4326",
    )


@pytest.fixture
def city(workspace: Workspace, grids, assets, incidents) -> Workspace:
    with workspace.writing() as conn:
        workspace.append(conn, "grids", grids)
        workspace.append(conn, "assets", assets)
        workspace.append(conn, "incidents", incidents)
        workspace.append(
            conn,
            "workers",
            pd.DataFrame(
                {
                    "name": ["王芳"],
                    "role": ["grid_worker"],
                    "unit_code": ["001"],
                    "phone": ["0138"],
                },
                index=pd.Index(["w1"], name="worker_id"),
            ),
        )
    return workspace


def same_tables(one: pd.DataFrame, two: pd.DataFrame, *, tolerance: float) -> None:
    """Equal rows and attributes, whatever the order; shapes within a tolerance in degrees."""
    two = two.loc[one.index]
    if isinstance(one, GeoDataFrame):
        a, b = one.geometry.array, two.geometry.array
        assert (shapely.is_missing(a) == shapely.is_missing(b)).all()
        there = ~shapely.is_missing(a)
        assert shapely.hausdorff_distance(a[there], b[there]).max() <= tolerance
        one, two = one.drop(columns="geometry"), two.drop(columns="geometry")
    places = [name for name in ("lon", "lat") if name in one.columns]
    for name in places:
        assert np.allclose(one[name], two[name], rtol=0, atol=tolerance, equal_nan=True)
    one, two = one.drop(columns=places), two.drop(columns=places)
    pd.testing.assert_frame_equal(one, two[one.columns], check_dtype=False)


@pytest.mark.parametrize("kind", ["grids", "assets", "incidents", "workers"])
@pytest.mark.parametrize(
    ("ending", "language"),
    [(ending, "zh") for ending in FORMATS] + [("csv", "columns"), ("xlsx", "en")],
)
def test_what_goes_out_comes_in_with_every_row_and_attribute(
    city, tmp_path, kind, ending, language
):
    file = tmp_path / f"out.{ending}"
    options = {"all_versions": True} if kind == "grids" else {}
    report = export_table(city, kind, file, headers=language, **options)
    assert report.rows == city.count(kind)
    with create_workspace(tmp_path / "other") as other:
        taken = import_files(other, kind, [file], at=AT)
        assert taken.accepted == report.rows, taken.rejected
        before, after = city.read(kind), other.read(kind)
    if ending == "csv" and kind == "assets":  # the mark before what looks like a formula
        after["name"] = after["name"].str.replace(r"^'(?=[=@])", "", regex=True)
    same_tables(before, after, tolerance=1.1e-7 if ending == "geojson" else 2e-9)


@pytest.mark.parametrize("kind", ["grids", "assets", "incidents"])
@pytest.mark.parametrize(
    ("ending", "datum"),
    [
        ("gpkg", "gcj02"),
        ("parquet", "bd09"),
        ("csv", "gcj02"),
        ("csv", "EPSG:4547"),
        ("xlsx", "bd09"),
        ("gpkg", "cgcs2000"),
        ("parquet", "EPSG:4547"),
    ],
)
def test_a_table_comes_back_from_any_datum_to_a_millimetre(city, tmp_path, kind, ending, datum):
    file = tmp_path / f"out.{ending}"
    report = export_table(city, kind, file, target_crs=datum)
    with create_workspace(tmp_path / "other") as other:
        taken = import_files(other, kind, [file], at=AT, source_crs=datum)
        assert taken.accepted == report.rows
        before = city.grids() if kind == "grids" else city.read(kind)
        after = other.read(kind).loc[before.index]
        a, b = before.geometry.array, after.geometry.array
        there = ~shapely.is_missing(a)
        assert shapely.hausdorff_distance(a[there], b[there]).max() < 1e-3 * METRE


def test_a_file_in_gcj02_says_so_and_carries_no_crs(city, tmp_path):
    report = export_table(city, "grids", tmp_path / "g.gpkg", target_crs="gcj02")
    layer = gpd.read_file(tmp_path / "g.gpkg")
    assert layer.crs is None or not layer.crs.is_geographic
    assert layer["crs"].tolist() == ["gcj02", "gcj02"]
    assert "import it with --source-crs gcj02" in report.notes[0]
    moved_m = layer.geometry[0].centroid.distance(city.grids().geometry["001"].centroid) / METRE
    assert 400 < moved_m < 800
    back = to_wgs84(layer.set_crs(None, allow_override=True), "gcj02")
    assert shapely.hausdorff_distance(back.geometry[0], city.grids().geometry["001"]) < 1e-3 * METRE


def test_coordinates_of_incidents_follow_the_datum(city, tmp_path):
    export_table(city, "incidents", tmp_path / "i.csv", target_crs="gcj02")
    table = pd.read_csv(tmp_path / "i.csv").set_index("incident_id")
    assert table.loc["x-1", "lon"] - 111.3012345 > 0.005
    assert np.isnan(table.loc["x-2", "lon"])
    export_table(city, "incidents", tmp_path / "m.csv", target_crs="EPSG:4547")
    metres = pd.read_csv(tmp_path / "m.csv").set_index("incident_id")
    assert {"x", "y"} <= set(metres.columns)
    assert "lon" not in metres.columns
    assert metres.loc["x-1", "y"] == pytest.approx(3_400_000, abs=10_000)
    assert metres["crs"].tolist() == ["EPSG:4547"] * 2


def test_geojson_follows_rfc_7946(city, tmp_path):
    export_table(city, "grids", tmp_path / "g.geojson")
    text = (tmp_path / "g.geojson").read_text(encoding="utf-8")
    data = json.loads(text)
    assert set(data) == {"type", "features"}
    first = data["features"][0]
    assert set(first) == {"type", "id", "properties", "geometry"}
    assert first["id"] == first["properties"]["grid_id"] == "001"
    assert first["properties"]["valid_to"] is None
    assert first["properties"]["valid_from"] == "2026-01-01T00:00:00Z"
    for feature in data["features"]:
        for polygon in feature["geometry"]["coordinates"]:
            assert shapely.LinearRing(polygon[0]).is_ccw
            assert all(len(str(c).split(".")[1]) <= 7 for point in polygon[0] for c in point)
    corners = [{tuple(p) for p in f["geometry"]["coordinates"][0][0]} for f in data["features"]]
    assert len(corners[0] & corners[1]) == 2  # still shared after rounding
    assert shapely.coverage_is_valid(gpd.read_file(tmp_path / "g.geojson").geometry.array)


def test_holes_of_geojson_run_clockwise(city, tmp_path):
    ring = shapely.box(111.5, 30.5, 111.6, 30.6) - shapely.box(111.54, 30.54, 111.56, 30.56)
    frame = city.grids().iloc[:1].rename(index={"001": "hole"})
    frame.geometry = [ring]
    with city.writing() as conn:
        city.append(conn, "grids", frame)
    export_table(city, "grids", tmp_path / "g.geojson")
    data = json.loads((tmp_path / "g.geojson").read_text(encoding="utf-8"))
    outer, hole = next(f for f in data["features"] if f["id"] == "hole")["geometry"]["coordinates"][
        0
    ]
    assert shapely.LinearRing(outer).is_ccw
    assert not shapely.LinearRing(hole).is_ccw


@pytest.mark.parametrize("datum", ["gcj02", "EPSG:4547"])
def test_geojson_in_another_datum_is_refused(city, tmp_path, datum):
    with pytest.raises(InputError, match="GeoJSON is in WGS-84"):
        export_table(city, "grids", tmp_path / "g.geojson", target_crs=datum)


def test_geoparquet_carries_a_bbox_that_readers_prune_by(city, tmp_path):
    export_table(city, "assets", tmp_path / "a.parquet")
    west = gpd.read_parquet(tmp_path / "a.parquet", bbox=(111.0, 30.0, 111.3002, 31.0))
    assert len(west) == 2


def test_a_spreadsheet_holds_dates_numbers_and_texts_that_do_not_run(city, tmp_path):
    export_table(city, "incidents", tmp_path / "i.xlsx", headers="zh")
    sheet = openpyxl.load_workbook(tmp_path / "i.xlsx").active
    rows = list(sheet.iter_rows(values_only=True))
    row = dict(zip(rows[0], rows[1], strict=True))
    assert row["上报时间"] == datetime(2026, 11, 20, 16, 15, 30, 250000)  # noqa: DTZ001 local, see 时区
    assert row["时区"] == "Asia/Shanghai"
    assert row["经度"] == 111.3012345
    assert set(rows[0]) <= set(headers("zh").values())
    export_table(city, "assets", tmp_path / "a.xlsx")
    cells = list(openpyxl.load_workbook(tmp_path / "a.xlsx").active.iter_rows(min_row=2))
    names = {cell.value: cell.data_type for row in cells for cell in row[2:3]}
    assert names["=1+1"] == names["@here"] == names["+86 717"] == "s"
    assert cells[0][0].value == "000"  # an id with leading zeros stays a text


def test_a_csv_text_that_would_run_as_a_formula_is_quoted(city, tmp_path):
    export_table(city, "assets", tmp_path / "a.csv")
    names = pd.read_csv(tmp_path / "a.csv", dtype="str", keep_default_na=False)["name"].tolist()
    assert names[:5] == ["'=1+1", "+86 717", "-", "'@here", "'quoted'"]


@settings(deadline=None)
@given(
    texts=st.lists(
        st.text(st.sampled_from("'=+-@1a网 "), min_size=1, max_size=6)
        .map(lambda t: " ".join(t.split()))
        .filter(bool),
        min_size=1,
        max_size=5,
    )
)
def test_the_apostrophe_before_a_formula_comes_off_again(texts):
    """Whatever apostrophes a text has of its own, it comes back as it was, and never runs."""
    values = pd.Series(texts, dtype="str")
    guarded = guard_formulas(values)
    assert not guarded.str.match(r"^[=@]").any()
    assert unguard_formulas(guarded)[0].tolist() == texts


def test_a_csv_of_ours_gives_back_texts_that_look_like_formulas(city, tmp_path):
    export_table(city, "assets", tmp_path / "a.csv")
    with create_workspace(tmp_path / "other") as other:
        report = import_files(other, "assets", [tmp_path / "a.csv"], at=AT)
        repairs = dict(zip(report.repaired["repair"], report.repaired["rows"], strict=True))
        assert repairs["apostrophe before a formula taken off name"] == 2
        assert other.read("assets")["name"].tolist()[:5] == [
            "=1+1", "+86 717", "-", "@here", "'quoted'",
        ]  # fmt: skip


def test_an_hour_that_occurs_twice_is_written_in_utc(city, tmp_path):
    """On 2026-11-01 at 06:30 UTC it is 01:30 in New York for the second time."""
    frame = city.read("incidents").iloc[:1].rename(index={"x-1": "twice"})
    frame["reported_at"] = moments("2026-11-01T06:30:00Z")
    with city.writing() as conn:
        city.append(conn, "incidents", frame)
    report = export_table(city, "incidents", tmp_path / "i.xlsx", timezone="America/New_York")
    table = pd.read_excel(tmp_path / "i.xlsx").set_index("incident_id")
    assert table["time_zone"].unique().tolist() == ["UTC"]
    assert table["reported_at"]["twice"] == pd.Timestamp("2026-11-01 06:30")
    assert "times are in UTC" in report.notes[0]


def test_the_grids_of_a_day_are_those_in_force_then(city, tmp_path):
    def ids(**options):
        export_table(city, "grids", tmp_path / "g.csv", **options)
        return pd.read_csv(tmp_path / "g.csv", dtype="str")["grid_id"].tolist()

    assert ids() == ["001", "002"]
    assert ids(at=datetime(2026, 5, 1, tzinfo=UTC)) == ["001", "002", "003"]
    assert ids(all_versions=True) == ["001", "002", "003"]
    with pytest.raises(InputError, match="assets have no versions"):
        export_table(city, "assets", tmp_path / "a.csv", all_versions=True)


@pytest.fixture
def walked(city) -> Workspace:
    """Three days sealed, a few fixes of today, one of them sealed too."""
    hours = pd.date_range("2026-11-18", "2026-11-21 03:00", freq="h", tz="UTC")
    fixes = pd.DataFrame(
        {
            "worker_id": "w1",
            "time": hours,
            "lon": 111.3 + np.arange(len(hours)) * 1e-5,
            "lat": 30.7005,
            "accuracy_m": 8.5,
            "mock": False,
        }
    )
    city.seal_fixes(fixes.iloc[:60], timezone="Asia/Shanghai")
    with city.writing() as conn:
        city.append(conn, "fixes", fixes.iloc[59:])
    return city


@pytest.mark.parametrize("ending", FORMATS)
def test_fixes_of_sealed_days_and_of_today_come_out_once_each(walked, tmp_path, ending):
    seen = []
    report = export_table(walked, "fixes", tmp_path / f"f.{ending}", progress=seen.append)
    assert report.rows == seen[-1] == 76
    with create_workspace(tmp_path / "other") as other:
        with other.writing() as conn:
            other.append(conn, "workers", walked.read("workers"))
        taken = import_files(other, "fixes", [tmp_path / f"f.{ending}"], at=AT)
        assert taken.accepted == 76, taken.rejected
        one, two = walked.read_fixes(), other.read_fixes()
        assert (
            pd.to_datetime(one["time"], utc=True) == pd.to_datetime(two["time"], utc=True)
        ).all()
        assert np.allclose(one["lon"], two["lon"], rtol=0, atol=1.1e-7)


def test_a_failed_export_leaves_the_old_file_and_nothing_beside_it(city, tmp_path):
    old = tmp_path / "g.xlsx"
    old.write_text("old")
    frame = city.grids().iloc[:1].rename(index={"001": "long"}).assign(name="长" * 40_000)
    with city.writing() as conn:
        city.append(conn, "grids", frame)
    with pytest.raises(InputError, match=r"name of long .* is longer than .* use .gpkg or .csv"):
        export_table(city, "grids", old)
    assert old.read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"g.xlsx", "city"}


@pytest.mark.parametrize("words", ["columns", "zh"])
def test_a_border_longer_than_a_cell_goes_on_beside_and_comes_back_whole(city, tmp_path, words):
    angles = np.linspace(0, 6, 3000)
    long = shapely.Polygon(np.column_stack([111 + np.cos(angles), 30 + np.sin(angles)]))
    frame = city.grids().iloc[:1].rename(index={"001": "long"})
    frame.geometry = [long]
    with city.writing() as conn:
        city.append(conn, "grids", frame)
    report = export_table(city, "grids", tmp_path / "g.xlsx", headers=words)
    assert "go on in up to 2 columns beside" in "".join(report.notes)
    table = pd.read_excel(tmp_path / "g.xlsx", dtype="str")
    heading = headers("zh")["wkt"] if words == "zh" else "wkt"
    pieces = table[[heading, f"{heading} 2", f"{heading} 3"]]
    assert pieces.fillna("").apply(lambda c: c.str.len().max()).max() <= 32_767
    assert pieces.iloc[:2, 1:].isna().all(axis=None)
    with create_workspace(tmp_path / "other") as other:
        # The long border lies over the others: it comes in alone.
        one = table[table.iloc[:, 0] == "long"]
        one.to_excel(tmp_path / "one.xlsx", index=False)
        got = import_files(other, "grids", [tmp_path / "one.xlsx"], at=AT)
        assert got.accepted == 1
        assert not {f"{heading} 2", f"{heading} 3"} & set(got.unused["one.xlsx"])
        back = other.grids().geometry.iloc[0]
        assert shapely.equals_exact(shapely.normalize(back), shapely.normalize(
            shapely.MultiPolygon([long])), tolerance=1e-9)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("gridz", "a.csv", "no table 'gridz': export one of divisions"),
        ("grids", "a.shp", r"ends in .shp: use one of .gpkg, .geojson"),
        ("grids", "a", "ends in nothing"),
        ("grids", "no/such/a.csv", "there is no folder"),
        ("grids", "city/city.gpkg", "is the workspace itself"),
    ],
)
def test_what_cannot_be_written_is_refused_with_what_to_do(city, tmp_path, kind, name, words):
    with pytest.raises(InputError, match=words):
        export_table(city, kind, tmp_path / name)


def test_odd_targets_are_refused(city, tmp_path):
    with pytest.raises(CrsError, match="unknown CRS"):
        export_table(city, "grids", tmp_path / "g.gpkg", target_crs="beijing54")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        export_table(city, "grids", tmp_path / "d.csv")
    with pytest.raises(InputError, match="without shapes is no map"):
        export_table(city, "grids", tmp_path / "g.geojson", shapes=False)


def test_places_outside_china_are_noted_and_not_shifted(workspace, tmp_path):
    frame = gpd.GeoDataFrame(
        {"class_code": ["0118"]},
        geometry=[shapely.Point(-74.0, 40.7)],
        index=pd.Index(["1"], name="asset_id"),
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "assets", frame)
    report = export_table(workspace, "assets", tmp_path / "a.csv", target_crs="gcj02")
    assert any("were not shifted" in note for note in report.notes)
    assert pd.read_csv(tmp_path / "a.csv")["lon"].tolist() == [-74.0]


def test_an_empty_table_is_a_file_with_headers(workspace, tmp_path):
    for ending in FORMATS:
        assert export_table(workspace, "assets", tmp_path / f"a.{ending}").rows == 0
    assert "class_code" in pd.read_csv(tmp_path / "a.csv").columns
    assert pyogrio.read_info(tmp_path / "a.gpkg")["features"] == 0


def test_a_disk_that_refuses_is_a_store_error(city, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("geo.io.export.os.replace", refuse)
    with pytest.raises(StoreError, match="No space left on device"):
        export_table(city, "assets", Path(tmp_path / "a.csv"))


@pytest.mark.parametrize("suffix", ["csv", "gpkg", "parquet", "xlsx"])
@pytest.mark.parametrize("kind", ["grids", "assets"])
def test_a_shifted_export_comes_back_by_the_datum_that_it_names_itself(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    shape = shapely.box(114.30, 30.58, 114.301, 30.581)
    frame = (
        gpd.GeoDataFrame(
            {"grid_id": ["g"], "kind": "base", "version": 1}
            | {"valid_from": [pd.Timestamp("2026-01-01", tz="UTC")]},
            geometry=[shape],
            crs=4326,
        )
        if kind == "grids"
        else gpd.GeoDataFrame(
            {"asset_id": ["p", "l"], "class_code": "0118"},
            geometry=[shape.centroid, shapely.LineString([(114.30, 30.58), (114.301, 30.58)])],
            crs=4326,
        )
    )
    file = tmp_path / f"out.{suffix}"
    with create_workspace(tmp_path / "one") as one, create_workspace(tmp_path / "two") as two:
        with one.writing() as conn:
            one.append(conn, kind, frame)
        export_table(one, kind, file, target_crs="bd09")
        report = import_files(two, kind, [file], at=datetime(2026, 11, 21, tzinfo=UTC))
        assert report.accepted == len(frame)
        went, came = one.read(kind).geometry, two.read(kind).geometry.loc[one.read(kind).index]
        assert shapely.hausdorff_distance(went.to_numpy(), came.to_numpy()).max() < 2e-8
