"""Files of every format, and files that are none."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from geo.errors import InputError
from geo.io import _read_pack
from geo.io._read_curves import straighten
from geo.io.fields import recognise_fields
from geo.io.read import Source, choose_layers, read_sources


def only(path: Path, **options: object) -> Source:
    (source,) = read_sources(path, **options)  # type: ignore[arg-type]
    return source


@pytest.fixture
def layer() -> gpd.GeoDataFrame:
    """Two squares beside each other, with a code, a Chinese name and a count that is missing."""
    return gpd.GeoDataFrame(
        {"code": ["01", "02"], "名称": ["东区", "西区"], "hh": pd.array([3, None], dtype="Int64")},
        geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)],
        crs="EPSG:4326",
    )


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet"])
def test_a_layer_reads_the_same_from_any_format(
    tmp_path: Path, layer: gpd.GeoDataFrame, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        layer.to_parquet(path, write_covering_bbox=True)
    else:
        layer.to_file(path, spatial_index=False) if suffix == "fgb" else layer.to_file(path)
    source = only(path)
    assert source.frame["code"].tolist() == ["01", "02"]
    assert source.frame["名称"].tolist() == ["东区", "西区"]
    assert source.frame["hh"].isna().tolist() == [False, True]
    assert source.frame["hh"].iloc[0] == 3
    assert source.shapes is not None
    assert shapely.area(source.shapes).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("encoding", "cpg"),
    [("GBK", True), ("GBK", False), ("UTF-8", True), ("UTF-8", False), ("GBK", "UTF-8")],
    ids=["gbk said", "gbk unsaid", "utf-8 said", "utf-8 unsaid", "gbk said to be utf-8"],
)
def test_a_shapefile_is_read_in_the_encoding_that_its_text_has(
    tmp_path: Path, layer: gpd.GeoDataFrame, encoding: str, cpg: bool | str
) -> None:
    pyogrio.write_dataframe(layer, tmp_path / "a.shp", encoding=encoding)
    cpg_file = tmp_path / "a.cpg"
    if not cpg:
        cpg_file.unlink(missing_ok=True)
        dbf = bytearray((tmp_path / "a.dbf").read_bytes())
        dbf[29] = 0  # the language byte
        (tmp_path / "a.dbf").write_bytes(bytes(dbf))
    elif isinstance(cpg, str):
        cpg_file.write_text(cpg)
    source = only(tmp_path / "a.shp")
    assert source.frame.iloc[:, 1].tolist() == ["东区", "西区"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for part in tmp_path.glob("a.[!z]*"):
            archive.write(part, f"数据/{part.name}")
    assert only(tmp_path / "a.zip").frame.iloc[:, 1].tolist() == ["东区", "西区"]


@pytest.mark.parametrize("cpg", [True, False])
def test_a_name_that_the_format_cut_within_a_character_is_still_known(
    tmp_path: Path, layer: gpd.GeoDataFrame, cpg: bool
) -> None:
    """街区编号 takes twelve bytes, a shapefile keeps ten: the last character is broken."""
    named = layer.drop(columns="hh").set_axis(["abcdefghij", "社区", "geometry"], axis=1)
    pyogrio.write_dataframe(named, tmp_path / "a.shp", encoding="UTF-8")
    table = (tmp_path / "a.dbf").read_bytes()
    (tmp_path / "a.dbf").write_bytes(table.replace(b"abcdefghij", "街区编号".encode()[:10]))
    if not cpg:
        (tmp_path / "a.cpg").unlink()
    before = (tmp_path / "a.dbf").read_bytes()
    source = only(tmp_path / "a.shp")
    assert list(source.frame.columns) == ["街区编…", "社区"]
    assert "a.shp: names cut by the format: 街区编…" in source.notes
    assert recognise_fields("blocks", source.frame).columns["block_id"] == "街区编…"
    assert len(source.shapes) == len(layer)
    assert (tmp_path / "a.dbf").read_bytes() == before


def test_several_layers_need_a_name_and_are_listed(tmp_path: Path, layer: gpd.GeoDataFrame) -> None:
    path = tmp_path / "a.gpkg"
    layer.to_file(path, layer="east")
    layer.to_file(path, layer="west")
    with pytest.raises(InputError, match="holds 2 layers: east, west: name one with --layer"):
        only(path)
    with pytest.raises(InputError, match="has no layer north: it has east, west"):
        only(path, layer="north")
    assert only(path, layer="west").name == "a.gpkg (layer west)"
    assert len(list(read_sources(path, layer="*"))) == 2
    layer.to_file(path, layer="grids")
    assert only(path, kind="grids").name == "a.gpkg (layer grids)"


def test_layers_are_chosen_by_name_or_stem() -> None:
    assert choose_layers("z", ["d/a.csv", "d/b.csv"], "b", "") == ["d/b.csv"]


def test_archives_are_read_inside_each_other(tmp_path: Path) -> None:
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("t.csv", "id,x\n1,2\n")
        archive.writestr("readme.txt", "nothing")
        archive.writestr("__MACOSX/t.csv", "junk")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "inner.zip")
    assert only(tmp_path / "outer.zip").frame["x"].tolist() == ["2"]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"id,x\n1,7\n"))
    assert only(tmp_path / "t.csv.gz").frame["x"].tolist() == ["7"]


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.csv", "id,x\n1,2\n")
    assert only(path).frame["x"].tolist() == ["2"]
    assert not list(tmp_path.parent.glob("escaped.csv"))


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_read_pack, "FREE_BYTES", 100_000)
    zeros = b"a,b\n" + b"1,2\n" * 500_000
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", zeros)
    with pytest.raises(InputError, match="refused as a possible zip bomb"):
        only(tmp_path / "bomb.zip")
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(zeros))
    with pytest.raises(InputError, match="refused as a possible zip bomb"):
        only(tmp_path / "bomb.csv.gz")


def test_an_archive_that_lies_about_its_size_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"a,b\n" + b"1,2\n" * 500_000)
    monkeypatch.setattr(_read_pack, "FREE_BYTES", 100_000)
    data = path.read_bytes()
    size = struct.pack("<I", 2_000_004)
    path.write_bytes(data.replace(size, struct.pack("<I", 10)))
    with pytest.raises(InputError, match=r"zip bomb|broken archive"):
        only(path)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "no data file but a PNG picture"),
        ("a.csv", b"<!DOCTYPE html><html><body>x</body></html>", r"but a web page \(HTML\)"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"  \n \n", "is empty"),
        ("a.xlsx", b"PK\x03\x04broken", "broken zip archive"),
        ("a.xls", b"\xd0\xcf\x11\xe0" + b"\x00" * 100, "save it as .xlsx"),
        ("a.pdf", b"%PDF-1.7", "a PDF document"),
        ("a.bin", bytes(range(256)) * 8, "neither text nor a format that is known"),
        ("a.json", b'{"a": 1}', "no data file"),
        ("a.json", b'[{"a": 1}', "broken JSON"),
        ("a.gpx", b"<gpx><trk>", "broken XML|holds no"),
        ("a.parquet", b"PAR1xxxxPAR1", "broken Parquet"),
        ("a.csv.gz", b"\x1f\x8bgarbage", "broken archive"),
        ("a.gpkg", b"SQLite format 3\x00" + b"\x00" * 100, "no data file that is known|no layer"),
    ],
)
def test_what_is_no_data_file_is_refused_in_one_line(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        only(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_folder_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder: name a file in it"):
        only(tmp_path)
    with pytest.raises(InputError, match="is not there"):
        only(tmp_path / "nothing.csv")


def test_entities_in_xml_are_refused(tmp_path: Path) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        '<gpx><wpt lat="1" lon="2"><name>&b;</name></wpt></gpx>'
    )
    (tmp_path / "a.gpx").write_text(bomb)
    with pytest.raises(InputError, match="declares entities"):
        only(tmp_path / "a.gpx", kind="assets")
    (tmp_path / "a.kml").write_text(bomb.replace("gpx", "kml"))
    with pytest.raises(InputError, match="declares entities"):
        only(tmp_path / "a.kml")


def test_a_file_that_points_at_others_is_refused(tmp_path: Path) -> None:
    vrt = "<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>b</SrcDataSource></OGRVRTLayer>"
    (tmp_path / "a.vrt").write_text(vrt + "</OGRVRTDataSource>")
    with pytest.raises(InputError, match="points at other files"):
        only(tmp_path / "a.vrt")


def test_the_first_sheet_with_data_is_read_below_its_title(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "说明"
    sheet = book.create_sheet("网格")
    sheet.append(["某街道网格表", None, None])
    sheet.append([None, None, None])
    sheet.append(["网格\n编码", "户数", "日期"])
    sheet.append(["001", 250.0, pd.Timestamp("2024-05-01 08:30").to_pydatetime()])
    sheet.append([None, None, None])
    sheet.append(["002", 3.5, "n"])
    sheet.append([None, None, None])
    book.create_sheet("other").append(["x"])
    book.save(tmp_path / "a.xlsx")
    source = only(tmp_path / "a.xlsx")
    assert list(source.frame.columns) == ["网格 编码", "户数", "日期"]
    assert source.frame["户数"].tolist() == ["250", "", "3.5"]
    assert source.frame["日期"].iloc[0] == "2024-05-01 08:30:00"
    assert source.rows.tolist() == [4, 5, 6]
    assert source.notes[0] == "a.xlsx: sheet 网格 read, not 说明, other"
    assert only(tmp_path / "a.xlsx", layer="网格").read == 3
    with pytest.raises(InputError, match="has no layer z: it has 说明, 网格, other"):
        only(tmp_path / "a.xlsx", layer="z")


def test_records_of_json_are_rows(tmp_path: Path) -> None:
    items = [{"id": "1", "lat": 3.5, "where": {"city": "X"}}, {"id": "2", "extra": True}]
    (tmp_path / "a.json").write_text(json.dumps(items))
    frame = only(tmp_path / "a.json").frame
    assert frame["id"].tolist() == ["1", "2"]
    assert frame["where"].iloc[0] == '{"city": "X"}'
    (tmp_path / "b.json").write_text("\n".join(json.dumps(i) for i in items))
    assert only(tmp_path / "b.json").frame["extra"].tolist() == ["", "True"]


def test_plain_parquet_keeps_whole_numbers_whole(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": pd.array([1, None], dtype="Int64"), "x": [1.5, 2.5]})
    frame.to_parquet(tmp_path / "a.parquet")
    source = only(tmp_path / "a.parquet")
    assert source.frame["id"].iloc[0] == 1
    assert source.shapes is None
    pieces = list(read_sources(tmp_path / "a.parquet", chunk_rows=1))
    assert [p.rows.tolist() for p in pieces] == [[1], [2]]


GPX = """<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">
<wpt lat="30.5" lon="114.3"><name>井盖</name></wpt>
<trk><name>morning</name><trkseg>
<trkpt lat="30.1" lon="114.1"><time>2024-05-01T00:00:00Z</time></trkpt>
<trkpt lat="30.2" lon="114.2"></trkpt></trkseg>
<trkseg><trkpt lat="30.3" lon="114.3"/></trkseg></trk></gpx>"""


def test_a_gpx_file_gives_fixes_lines_or_waypoints(tmp_path: Path) -> None:
    (tmp_path / "a.gpx").write_text(GPX)
    fixes = only(tmp_path / "a.gpx", kind="fixes")
    assert fixes.frame["lon"].tolist() == [114.1, 114.2, 114.3]
    assert fixes.frame["time"].isna().tolist() == [False, True, True]
    assert fixes.frame["file"].unique().tolist() == ["a"]
    assert "a.gpx: 1 waypoints left out, they are no fixes" in fixes.notes
    lines = only(tmp_path / "a.gpx", kind="roads")
    assert lines.frame["id"].tolist() == ["a-1-1", "a-1-2"]
    places = only(tmp_path / "a.gpx", kind="assets")
    assert places.frame["name"].tolist() == ["井盖"]
    assert places.shapes is not None
    assert places.shapes[0].equals(shapely.Point(114.3, 30.5))


def test_an_edge_without_a_line_runs_between_its_nodes(tmp_path: Path) -> None:
    text = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
    <key id="x" for="node" attr.name="x"/><key id="y" for="node" attr.name="y"/>
    <key id="g" for="edge" attr.name="geometry"/><key id="o" for="edge" attr.name="osmid"/>
    <graph><node id="1"><data key="x">1</data><data key="y">2</data></node>
    <node id="2"><data key="x">3</data><data key="y">4</data></node>
    <edge source="1" target="2"><data key="o">11</data></edge>
    <edge source="2" target="1"><data key="o">12</data>
    <data key="g">LINESTRING (3 4, 2 2, 1 2)</data></edge></graph></graphml>"""
    (tmp_path / "a.graphml").write_text(text)
    source = only(tmp_path / "a.graphml")
    assert source.frame["osmid"].tolist() == ["11", "12"]
    assert source.shapes is not None
    assert [len(s.coords) for s in source.shapes] == [2, 3]
    nodes = only(tmp_path / "a.graphml", layer="nodes")
    assert nodes.shapes is not None
    assert shapely.get_x(nodes.shapes).tolist() == [1, 3]


def test_a_circle_of_arcs_becomes_a_polygon_of_nearly_its_area() -> None:
    ring = (
        struct.pack("<BII", 1, 8, 5)
        + np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]], dtype="<f8").tobytes()
    )
    curve = struct.pack("<BII", 1, 10, 1) + ring
    straight = shapely.from_wkb(straighten([curve, None])[0])
    assert straight.geom_type == "Polygon"
    assert straight.area == pytest.approx(np.pi, rel=2e-3)
    assert shapely.from_wkb(straighten([ring])[0]).geom_type == "LineString"


def test_curves_in_collections_lose_heights_and_keep_their_ends() -> None:
    arc = (
        struct.pack("<BII", 1, 1008, 3)
        + np.array([[0, 0, 9], [1, 1, 9], [2, 0, 9]], dtype="<f8").tobytes()
    )
    line = struct.pack("<BII", 1, 1002, 2) + np.array([[2, 0, 9], [0, 0, 9]], "<f8").tobytes()
    compound = struct.pack("<BII", 1, 1009, 2) + arc + line
    surface = struct.pack("<BII", 1, 1012, 1) + struct.pack("<BII", 1, 1010, 1) + compound
    shape = shapely.from_wkb(straighten([surface])[0])
    assert shape.geom_type == "MultiPolygon"
    assert shape.area == pytest.approx(np.pi / 2, rel=2e-3)
    assert not shape.has_z
