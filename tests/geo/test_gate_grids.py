"""Polygons through the gate: grids that must form a cover, their divisions, codes, roads.

The grids are drawn in metres of EPSG:4547 around 114.3 E, 30.6 N:

    C D     100 m each
    A B
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame

from geo import seams
from geo.errors import ColumnError, InputError, StoreBusyError
from geo.io import _gate_areas
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.workspace import Workspace

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
X, Y = 528_000, 3_386_000


def box(x: float, y: float, x2: float, y2: float) -> shapely.Polygon:
    return shapely.box(X + x, Y + y, X + x2, Y + y2)


def square() -> dict[str, shapely.Geometry]:
    return {
        "A": box(0, 0, 100, 100),
        "B": box(100, 0, 200, 100),
        "C": box(0, 100, 100, 200),
        "D": box(100, 100, 200, 200),
    }


def put(
    workspace: Workspace,
    shapes: Mapping[str, Any] | GeoDataFrame,
    kind: str = "grids",
    at: datetime = AT,
    **options: Any,
) -> ImportReport:
    frame = shapes
    if not isinstance(frame, GeoDataFrame):
        frame = GeoDataFrame({"id": list(shapes)}, geometry=list(shapes.values()), crs="EPSG:4547")
    path = workspace.path.parent / "a.gpkg"
    path.unlink(missing_ok=True)
    frame.to_file(path, layer="a")
    report = import_files(workspace, kind, [path], at=at, **options)
    assert report.read == report.accepted + len(report.rejected)
    return report


def repairs(report: ImportReport) -> dict[str, int]:
    return dict(zip(report.repaired["repair"], report.repaired["rows"], strict=True))


def reasons(report: ImportReport) -> dict[str, int]:
    return {str(k): int(v) for k, v in report.rejected["reason"].value_counts().items()}


def test_a_seamless_cover_goes_in_unchanged(workspace: Workspace) -> None:
    report = put(workspace, square())
    assert (report.accepted, report.stored) == (4, 4)
    assert report.repaired.empty
    assert not report.warnings
    grids = workspace.grids()
    assert grids["kind"].unique().tolist() == ["base"]
    assert grids["version"].unique().tolist() == [1]
    assert grids["valid_from"].unique().tolist() == [pd.Timestamp(AT)]
    back = grids.to_crs("EPSG:4547")
    assert back.area.round(4).tolist() == [10_000] * 4
    seams.require_cover(back)


def test_a_narrow_overlap_and_a_narrow_gap_are_closed_and_measured(workspace: Workspace) -> None:
    shapes = square() | {"B": box(99.5, 0, 200, 99.7)}
    report = put(workspace, shapes)
    assert report.accepted == 4
    done = report.repaired.set_index("repair")
    overlap = done.loc["narrow overlaps of grids removed"]
    assert overlap["area_m2"] == pytest.approx(0.5 * 99.7, rel=1e-3)
    assert "narrow gaps between grids closed" in done.index or (
        "narrow open seams between grids closed" in done.index
    )
    grids = workspace.grids().to_crs("EPSG:4547")
    seams.require_cover(grids)
    assert grids.area.sum() == pytest.approx(40_000, rel=1e-5)


def test_a_wide_overlap_refuses_all_and_changes_nothing(workspace: Workspace) -> None:
    report = put(workspace, square() | {"B": box(90, 0, 200, 100)}, allow_gaps=True)
    assert report.accepted == 0
    assert reasons(report) == {"the whole import was refused": 4}
    assert "1 overlap between grids, 1,000 m2" in report.refused
    assert "A and B" in report.refused
    assert workspace.count("grids") == 0
    place = report.problems[report.problems["reason"] == "overlap"].to_crs("EPSG:4547")
    assert place.area.iloc[0] == pytest.approx(1000, rel=1e-4)
    assert put(workspace, square() | {"B": box(90, 0, 200, 100)}, snap_m=11).accepted == 4


def ring() -> dict[str, shapely.Geometry]:
    """Four grids around a lake of 20 by 20 m."""
    lake = box(90, 90, 110, 110)
    return {k: shapely.difference(v, lake) for k, v in square().items()}


def test_a_lake_needs_allow_gaps_and_stays_a_warning(workspace: Workspace) -> None:
    report = put(workspace, ring())
    assert "1 gap between grids, 400 m2" in report.refused
    assert "--allow-gaps" in report.refused
    assert workspace.count("grids") == 0
    report = put(workspace, ring(), allow_gaps=True)
    assert report.accepted == 4
    assert report.warnings == (
        "1 gap between grids, 400 m2, accepted by --allow-gaps: points in them belong to no grid",
    )
    gap = report.problems[report.problems["reason"] == "gap"].to_crs("EPSG:4547")
    assert gap.area.iloc[0] == pytest.approx(400, rel=1e-4)


def test_an_invalid_polygon_is_made_valid_with_its_square_metres(workspace: Workspace) -> None:
    bow = shapely.Polygon([(X, Y), (X + 100, Y + 100), (X + 100, Y), (X, Y + 100)])
    report = put(workspace, {"A": bow})
    assert repairs(report) == {"invalid polygons made valid": 1}
    assert workspace.grids().is_valid.all()
    assert report.problems["reason"].tolist() == ["invalid polygon, made valid"]


def test_what_is_no_polygon_is_rejected_and_collections_are_reduced(workspace: Workspace) -> None:
    flat = shapely.Polygon([(X, Y), (X + 100, Y), (X + 50, Y), (X, Y)])
    shapes = {
        "A": box(0, 0, 100, 100),
        "line": shapely.LineString([(X, Y), (X + 5, Y)]),
        "lost": None,
        "flat": flat,
        "mix": shapely.GeometryCollection([box(100, 0, 200, 100), shapely.Point(X, Y)]),
        "high": shapely.force_3d(box(0, 100, 200, 200), 7.0),
    }
    report = put(workspace, shapes)
    assert reasons(report) == {"not a polygon": 1, "no shape": 1, "polygon without area": 1}
    assert repairs(report)["collections reduced to their polygons"] == 1
    assert sorted(workspace.grids().index) == ["A", "high", "mix"]
    assert any("heights" in note for note in report.notes)


def test_rows_of_one_id_are_parts_of_one_feature(workspace: Workspace) -> None:
    frame = GeoDataFrame(
        {"id": ["A", "A", "B", "C", "C"], "name": ["a", "a", "b", "c", "other"]},
        geometry=[
            box(0, 0, 50, 100), box(50, 0, 100, 100), box(100, 0, 200, 100),
            box(0, 100, 100, 200), box(100, 100, 200, 200),
        ],
        crs="EPSG:4547",
    )  # fmt: skip
    report = put(workspace, frame)
    assert (report.read, report.accepted, report.joined, report.stored) == (5, 4, 1, 3)
    assert repairs(report)["rows joined into one feature as its parts"] == 1
    assert reasons(report) == {"id was there before in these files": 1}
    assert report.rejected["detail"].tolist() == ["other name"]
    grids = workspace.grids().to_crs("EPSG:4547")
    assert grids.area.round(2).to_dict() == {"A": 10_000, "B": 10_000, "C": 10_000}


def test_counts_of_people_are_whole_and_not_negative(workspace: Workspace) -> None:
    frame = GeoDataFrame(
        {"id": list("ABCD"), "户数": ["1,250", "199.6", "-3", "many"]},
        geometry=list(square().values()),
        crs="EPSG:4547",
    )
    report = put(workspace, frame)
    assert workspace.grids()["households"].tolist()[:2] == [1250, 200]
    assert workspace.grids()["households"].isna().tolist() == [False, False, True, True]
    assert set(repairs(report)) == {
        "households is no number, left empty",
        "households is negative, left empty",
        "households rounded to whole numbers",
    }


def test_columns_of_upper_levels_make_the_divisions(workspace: Workspace) -> None:
    frame = GeoDataFrame(
        {
            "id": list("ABCD"),
            "CITYNAME": ["Town"] * 4,
            "boro_code": ["1", "1", "2", "2"],
            "boro_name": ["South", "South", "North", "North"],
            "ntacode": ["S1", "S2", "N1", "N1"],
            "ntaname": ["sw", "se", "n", "n"],
        },
        geometry=list(square().values()),
        crs="EPSG:4547",
    )
    report = put(workspace, frame)
    assert report.facts["divisions_made"] == 6
    table = workspace.read("divisions")
    assert table["level"].to_dict() == {
        "Town": "city", "1": "district", "2": "district",
        "S1": "street", "S2": "street", "N1": "street",
    }  # fmt: skip
    assert table["parent_code"].dropna().to_dict() == {
        "1": "Town", "2": "Town", "S1": "1", "S2": "1", "N1": "2",
    }  # fmt: skip
    area = GeoDataFrame(table).to_crs("EPSG:4547").area.round(1).to_dict()
    assert area["Town"] == 40_000
    assert area["N1"] == 20_000
    assert workspace.grids()["community_code"].tolist() == ["S1", "S2", "N1", "N1"]


def test_a_number_used_at_two_levels_names_two_divisions(workspace: Workspace) -> None:
    frame = GeoDataFrame(
        {"id": list("ABCD"), "district_code": ["1", "1", "2", "2"], "street_code": list("1212")},
        geometry=list(square().values()),
        crs="EPSG:4547",
    )
    put(workspace, frame)
    assert sorted(workspace.read("divisions").index) == ["1", "1-1", "1-2", "2", "2-1", "2-2"]


def test_ids_of_fifteen_digits_bring_their_community_and_a_list_its_name(
    workspace: Workspace,
) -> None:
    codes = [f"420106001002{i:03}" for i in range(1, 5)]
    report = put(workspace, dict(zip(codes, square().values(), strict=True)))
    table = workspace.read("divisions")
    assert table["level"].to_dict() == {
        "420100000000": "city",
        "420106000000": "district",
        "420106001000": "street",
        "420106001002": "community",
    }
    assert (table["name"] == table.index).all()
    assert report.facts["divisions_made"] == 4
    lists = workspace.path.parent / "codes.csv"
    lists.write_text("code,name\n420106001002,东湖社区\n420106001003,珞珈社区\n", encoding="utf-8")
    named = import_files(workspace, "divisions", [lists], at=AT)
    assert named.facts["named"] == 1
    table = workspace.read("divisions")
    assert table.loc["420106001002", "name"] == "东湖社区"
    assert table.loc["420106001002", "geometry"] is not None
    assert table.loc["420106001003", "parent_code"] == "420106001000"
    again = import_files(workspace, "divisions", [lists], at=AT)
    assert reasons(again) == {"already in the workspace": 2}


def test_short_national_codes_are_completed_and_others_left_alone(workspace: Workspace) -> None:
    path = workspace.path.parent / "codes.csv"
    path.write_text("code,name\n110101,东城区\n110102.0,西城区\n", encoding="utf-8")
    import_files(workspace, "divisions", [path], at=AT)
    table = workspace.read("divisions")
    assert table.loc["110101000000", "level"] == "district"
    assert table.loc["110101000000", "parent_code"] == "110100000000"
    assert table.loc["110102000000", "name"] == "西城区"
    path.write_text("ward,name\n11,First\n12,Second\n")
    report = import_files(
        workspace,
        "divisions",
        [path],
        at=AT,
        mapping={"code": "ward"},
        set_values={"level": "district"},
    )
    assert report.accepted == 2
    assert workspace.read("divisions").loc["11", "level"] == "district"


def test_a_division_needs_a_level_in_words_that_are_known(workspace: Workspace) -> None:
    path = workspace.path.parent / "d.csv"
    path.write_text("id,name,level\nx,甲,街道\ny,乙,星区\nz,丙,\n", encoding="utf-8")
    report = import_files(workspace, "divisions", [path], at=AT)
    assert reasons(report) == {"level is no word that is known": 1, "no level": 1}
    assert workspace.read("divisions")["level"].to_dict() == {"x": "street"}


def test_published_grids_are_replaced_by_a_new_version_only(workspace: Workspace) -> None:
    put(workspace, square())
    later = AT + timedelta(days=30)
    moved = square() | {"A": box(0, 0, 80, 100), "B": box(80, 0, 200, 100)}
    refused = put(workspace, moved, at=later)
    assert reasons(refused) == {"already in the workspace": 4}
    new = {"A": moved["A"], "B": moved["B"]}
    report = put(workspace, new, at=later, new_version=True)
    assert report.facts["closed_versions"] == 2
    assert workspace.count("grids") == 6
    now = workspace.grids().to_crs("EPSG:4547")
    assert now["version"].sort_index().tolist() == [2, 2, 1, 1]
    assert now.area.round(1).to_dict() == {"C": 10_000, "D": 10_000, "A": 8000, "B": 12_000}
    before = workspace.grids(at=AT + timedelta(days=1)).to_crs("EPSG:4547")
    assert before.area.round(1).tolist() == [10_000] * 4
    with pytest.raises(InputError, match="never changed in place: use --new-version"):
        put(workspace, new, update=True)


def test_new_grids_keep_clear_of_published_ones(workspace: Workspace) -> None:
    put(workspace, square())
    report = put(workspace, {"E": box(150, 0, 300, 200)})
    assert "2 overlaps between grids" in report.refused
    assert "--new-version" in report.refused
    report = put(workspace, {"E": box(199.6, 0, 300, 200)})
    assert report.accepted == 1
    cut = report.repaired.set_index("repair").loc[
        "new grids cut back to the border of published ones"
    ]
    assert cut["area_m2"] == pytest.approx(80, rel=1e-3)
    grids = workspace.grids().to_crs("EPSG:4547")
    assert grids.area.round(1).to_dict() == {**dict.fromkeys("ABCD", 10_000), "E": 20_000}
    assert len(seams.find_overlaps(grids)) == 0


def test_a_version_that_leaves_a_hole_is_refused(workspace: Workspace) -> None:
    nine = {
        f"{x}{y}": box(x * 100, y * 100, x * 100 + 100, y * 100 + 100)
        for x in range(3)
        for y in range(3)
    }
    put(workspace, nine)
    report = put(workspace, {"11": box(100, 100, 200, 150)}, new_version=True)
    assert "1 gap between grids, 5,000 m2" in report.refused
    assert len(workspace.grids()) == 9


def test_the_datum_of_new_divisions_is_doubted_by_those_that_are_there(
    workspace: Workspace,
) -> None:
    fine = {k: shapely.segmentize(v, 20) for k, v in square().items()}
    put(workspace, fine, "divisions", set_values={"level": "district", "name": "x"})
    report = put(
        workspace, fine, "divisions", update=True, source_crs="gcj02",
        set_values={"level": "district", "name": "x"},
    )  # fmt: skip
    assert report.facts["datum_suspected"] == "wgs84"
    assert 300 < report.facts["datum_offset_m"] < 700


def test_roads_take_their_class_from_words_or_tags(workspace: Workspace) -> None:
    line = shapely.LineString([(X, Y), (X + 50, Y)])
    frame = GeoDataFrame(
        {
            "id": ["1", "2", "3", "4", "5", "6", "7"],
            "highway": ["primary", "residential", None, None, None, "platform", "primary"],
            "waterway": [None, None, "river", None, None, None, None],
            "railway": [None, None, None, "tram", None, None, None],
        },
        geometry=[*[line] * 5, shapely.Point(X, Y), shapely.LineString([(X, Y), (X, Y)])],
        crs="EPSG:4547",
    )
    report = put(workspace, frame, "roads")
    assert workspace.read("roads")["road_class"].to_dict() == {
        "1": "arterial", "2": "minor", "3": "river", "4": "rail",
    }  # fmt: skip
    assert reasons(report) == {"no road class": 2, "line without length": 1}


def test_pieces_of_one_street_are_joined_into_it(workspace: Workspace) -> None:
    one = shapely.LineString([(X, Y), (X + 50, Y)])
    two = shapely.LineString([(X + 50, Y), (X + 90, Y)])
    frame = GeoDataFrame(
        {"id": ["s", "s", "s"], "等级": ["主干道"] * 3},
        geometry=[one, two, shapely.reverse(one)],
        crs="EPSG:4547",
    )
    report = put(workspace, frame, "roads")
    assert (report.accepted, report.stored) == (3, 1)
    road = workspace.read("roads").to_crs("EPSG:4547").loc["s"]
    assert road["geometry"].length == pytest.approx(90, rel=1e-6)


def test_shapes_without_a_crs_must_be_degrees(workspace: Workspace) -> None:
    path = workspace.path.parent / "a.csv"
    path.write_text(f'id,wkt\nA,"{box(0, 0, 100, 100).wkt}"\n')
    with pytest.raises(InputError, match="names no CRS and its numbers are no degrees"):
        import_files(workspace, "grids", [path], at=AT)
    report = import_files(workspace, "grids", [path], at=AT, source_crs="EPSG:4547")
    assert report.accepted == 1
    path.write_text(
        'id,wkt\nB,"POLYGON ((114 30, 114.1 30, 114.1 30.1, 114 30.1, 114 30))"\nC,"POLY"\n'
    )
    report = import_files(workspace, "blocks", [path], at=AT)
    assert reasons(report) == {"shape cannot be read": 1}
    assert any("none in the file, taken as wgs84" in line for line in report.crs)
    path.write_text("id,name\nB,x\n")
    with pytest.raises(ColumnError, match="has no shapes and no column of them"):
        import_files(workspace, "grids", [path], at=AT)


def test_blocks_that_name_an_unknown_community_make_it_known(workspace: Workspace) -> None:
    frame = GeoDataFrame(
        {"id": ["b"], "小区": ["花园"], "社区代码": ["420106001002"]},
        geometry=[box(0, 0, 9, 9)],
        crs="EPSG:4547",
    )
    report = put(workspace, frame, "blocks")
    assert workspace.read("blocks").loc["b", "compound"] == "花园"
    assert "420106001002" in workspace.read("divisions").index
    assert report.facts["divisions_made"] >= 1
    assert isinstance(workspace.read("blocks"), gpd.GeoDataFrame)


def test_grids_that_arrive_while_others_are_checked_never_overlap_them(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = shapely.box(114.30, 30.58, 114.301, 30.581)
    for name in "AB":
        layer = gpd.GeoDataFrame({"grid_id": [name]}, geometry=[square], crs=4326)
        layer.to_file(tmp_path / f"{name}.geojson")
    check = _gate_areas.close_cover

    def check_while_another_stores(*args: Any) -> Any:
        monkeypatch.setattr(_gate_areas, "close_cover", check)
        import_files(workspace, "grids", [tmp_path / "B.geojson"], at=AT)
        return check(*args)

    monkeypatch.setattr(_gate_areas, "close_cover", check_while_another_stores)
    with pytest.raises(StoreBusyError, match="run the import again"):
        import_files(workspace, "grids", [tmp_path / "A.geojson"], at=AT)
    assert list(workspace.grids().index) == ["B"]
