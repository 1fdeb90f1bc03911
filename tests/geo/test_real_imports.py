"""Files of real cities through the gate, every row accounted for as their SOURCE.md counts them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from geopandas import GeoDataFrame

from geo import seams
from geo.errors import InputError
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.workspace import Workspace

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
Put = Callable[..., ImportReport]


@pytest.fixture
def put(workspace: Workspace, shared_data: Path) -> Put:
    """Import files of ../shared/data; each row must be accepted or rejected."""

    def run(kind: str, *names: str, **options: Any) -> ImportReport:
        report = import_files(
            workspace, kind, [shared_data / name for name in names], at=AT, **options
        )
        assert report.read == report.accepted + len(report.rejected)
        return report

    return run


def reasons(report: ImportReport) -> dict[str, int]:
    return {str(k): int(v) for k, v in report.rejected["reason"].value_counts().items()}


def repairs(report: ImportReport) -> dict[str, int]:
    return dict(zip(report.repaired["repair"], report.repaired["rows"], strict=True))


TAICHUNG = "tw_taichung_villages/villages.geojson"


def test_taichung_is_a_city_of_625_villages_in_29_districts(put: Put, workspace: Workspace) -> None:
    refused = put("grids", TAICHUNG)
    assert refused.refused.startswith("1 gap between grids, 7,126,745 m2")
    assert workspace.count("grids") == 0
    report = put("grids", TAICHUNG, allow_gaps=True)
    assert (report.read, report.accepted, report.stored) == (625, 625, 625)
    assert report.repaired.empty
    divisions = workspace.read("divisions")
    assert divisions["level"].value_counts().to_dict() == {"district": 29, "city": 1}
    assert divisions.loc["66000", "name"] == "台中市"
    assert divisions.loc["66000110", "name"] == "大甲區"
    assert divisions.loc["66000110", "parent_code"] == "66000"
    grid = workspace.grids().loc["66000110029"]
    assert (grid["name"], grid["community_code"]) == ("建興里", "66000110")

    hydrants = put(
        "assets", "as_taichung_hydrants/hydrants.geojson", set_values={"class_code": "0113"}
    )
    # 24 rows lack the column and 167 leave it empty, which SOURCE.md counts as 166 repeats.
    assert (hydrants.read, hydrants.accepted) == (6328, 6133)
    assert reasons(hydrants) == {"no id": 191, "id was there before in these files": 4}
    assert repairs(hydrants) == {"'.0' taken off ids": 6130}
    assert "in 7 rows 經度 and 緯度 say a place more than 10 m from the shape" in "".join(
        hydrants.warnings
    )
    assert "F49" in hydrants.unused["hydrants.geojson"]
    assert "6025" in workspace.read("assets").index
    more = put(
        "assets",
        "as_taichung_hydrants/hydrants.geojson",
        set_values={"class_code": "0113"},
        make_ids="H",
        update=True,
    )
    assert (more.accepted, more.facts["updated"]) == (6324, 6133)

    cameras = put("cameras", "as_tw_speed_cameras/cameras.geojson")
    assert (cameras.read, cameras.accepted) == (2512, 2512)
    assert cameras.facts["outside"] == 2245
    assert "2,245 of 2,512 cameras lie outside the city" in cameras.warnings[0]
    table = workspace.read("cameras")
    assert int(table["bearing_deg"].isna().sum()) == 888
    assert table["class_code"].unique().tolist() == ["0136"]


def test_new_york_takes_tracts_cases_of_two_styles_and_assets(
    put: Put, workspace: Workspace
) -> None:
    report = put("grids", "us_nyc_tracts_pop/nyc_tracts.geojson")
    assert (report.read, report.stored) == (2166, 2166)
    assert repairs(report)["narrow gaps between grids closed"] == 11
    assert report.repaired["area_m2"].sum() < 5
    grids = workspace.grids()
    assert int(grids["population"].sum()) == 8_175_133
    assert int((grids["population"] == 0).sum()) == 26
    levels = workspace.read("divisions")["level"].value_counts().to_dict()
    assert levels == {"street": 195, "district": 5}
    seams.require_cover(GeoDataFrame(grids).to_crs("EPSG:32618"))

    cases = put(
        "incidents",
        "inc_nyc_311/nyc311_2019-12.csv",
        "inc_nyc_311/nyc311_2024-05.csv",
        "inc_nyc_311/nyc311_animals_2025.csv",
        timezone="America/New_York",
    )
    assert (cases.read, cases.accepted) == (6969, 6969)
    assert cases.facts["unplaced"] == 13 + 12 + 62
    table = workspace.read("incidents")
    assert table["stage"].value_counts().to_dict() == {
        "closed": 997 + 677 + 4692,
        "handling": 1 + 293 + 277,
        "opened": 1 + 29,
        "dispatched": 1 + 1,
    }
    # One of 2019 is in progress though it has a close time.
    assert int(table["closed_at"].isna().sum()) == 2 + 1 + 323 + 277
    assert table.loc["45278137", "reported_at"] == pd.Timestamp("2020-01-01 04:59:11Z")
    assert table.loc["64345465", "reported_at"] == pd.Timestamp("2025-03-14 05:20Z")

    hydrants = put("assets", "as_nyc/hydrants.csv", set_values={"class_code": "0113"})
    assert (hydrants.read, hydrants.accepted) == (5000, 5000)
    trees = put("assets", "as_nyc/street_trees.csv", set_values={"class_code": "0402"})
    assert (trees.read, trees.accepted) == (5000, 5000)
    states = workspace.read("assets")["state"].value_counts().to_dict()
    assert states == {"intact": 4794, "removed": 106, "damaged": 100}


def test_chicago_has_precincts_in_wards_with_households(put: Put, workspace: Workspace) -> None:
    name = "us_chicago_precincts_hh/Chicago_Precincts.zip"
    assert "3 gaps between grids" in put("grids", name).refused
    report = put("grids", name, allow_gaps=True)
    assert (report.read, report.stored) == (2069, 2069)
    assert report.crs[0].endswith(
        "EPSG:26916 (NAD83 / UTM zone 16N) by the file, stored as EPSG:4326"
    )
    assert repairs(report)["households rounded to whole numbers"] == 2069
    grids = workspace.grids()
    # Rounded one by one the prorated fractions lost 11 households.
    assert int(grids["households"].sum()) == 1_029_140
    assert int(grids["population"].sum()) == 2_695_055
    wards = workspace.read("divisions")
    assert wards["level"].value_counts().to_dict() == {"district": 50}
    assert grids.loc["41027", "community_code"] == "41"
    again = put("grids", name, allow_gaps=True)
    assert reasons(again) == {"already in the workspace": 2069}


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_baltimore_keeps_cases_without_a_place(put: Put, workspace: Workspace, form: str) -> None:
    report = put("incidents", f"inc_baltimore_311/311_sample.{form}", timezone="America/New_York")
    assert (report.read, report.accepted) == (10_000, 10_000)
    assert report.facts["unplaced"] == 590 + 892
    assert "(-77, 39) 885 times, (-76, 39) 7 times" in report.warnings[0]
    table = workspace.read("incidents")
    assert int(table["deadline"].isna().sum()) == 286
    assert int(table["closed_at"].isna().sum()) == 208
    assert table["stage"].value_counts().to_dict() == {
        "closed": 9567 + 18,
        "cancelled": 207,
        "opened": 113 + 8,
        "collected": 67 + 2,
        "handling": 17 + 1,
    }
    assert int((table["closed_at"] > table["deadline"]).sum()) == 1567
    case = table.loc["18-00269879"]
    assert case["reported_at"] == pd.Timestamp("2018-04-12 15:11:26Z")
    assert case["deadline"] == pd.Timestamp("2018-04-13 15:11:26Z")


def test_shenzhen_read_in_two_datums_is_warned_of(put: Put, workspace: Workspace) -> None:
    options: dict[str, Any] = {"make_ids": "SZ", "set_values": {"level": "district"}}
    name = "cn_shenzhen_shanghai/sz.json"
    first = put("divisions", name, source_crs="gcj02", **options)
    assert (first.read, first.accepted) == (10, 10)
    assert not first.warnings
    report = put("divisions", name, update=True, **options)
    assert report.facts["datum_suspected"] == "gcj02"
    assert 550 < report.facts["datum_offset_m"] < 650
    assert "--source-crs gcj02" in report.warnings[0]
    roads = put("roads", "cn_shenzhen_shanghai/osm_drive_G.graphml")
    assert (roads.read, roads.accepted) == (4009, 4009)
    assert roads.stored == workspace.count("roads") == 1349
    shanghai = put("divisions", "cn_shenzhen_shanghai/shanghai.json")
    assert shanghai.accepted == 1
    assert workspace.read("divisions").loc["310000000000", "level"] == "province"


def test_helsinki_gives_roads_and_assets_from_pbf_and_geopackage(
    put: Put, workspace: Workspace
) -> None:
    with pytest.raises(InputError, match="4 layers: drive, walk, buildings, point_assets"):
        put("roads", "st_helsinki_osm/helsinki.gpkg")
    drive = put("roads", "st_helsinki_osm/helsinki.gpkg", layer="drive")
    assert (drive.read, drive.accepted) == (725, 725)
    points = put("assets", "st_helsinki_osm/helsinki.gpkg", layer="point_assets")
    assert (points.read, points.accepted) == (1072, 1072)
    classes = workspace.read("assets")["class_code"].value_counts().to_dict()
    # One lamp post carries a camera, and the utility pole is a lamp post.
    assert classes == {
        "0118": 586, "0136": 220, "0407": 162, "0305": 36 + 2, "0113": 37, "0123": 22, "0115": 7,
    }  # fmt: skip
    buildings = put("buildings", "st_helsinki_osm/helsinki.gpkg", layer="buildings")
    assert (buildings.read, buildings.accepted) == (486, 483)
    assert reasons(buildings) == {"polygon without area": 3}
    assert repairs(buildings)["invalid polygons made valid"] == 12 - 3

    lines = put("roads", "st_helsinki_osm/Helsinki.osm.pbf", update=True)
    assert (lines.read, lines.accepted) == (3818, 2632)
    assert reasons(lines) == {"no road class": 1186}
    assert lines.facts["updated"] == 725
    assets = put("assets", "st_helsinki_osm/Helsinki.osm.pbf", update=True)
    assert (assets.read, assets.facts["updated"]) == (8045, 1072)


def test_bubenec_has_streets_without_ids(put: Put) -> None:
    report = put(
        "roads",
        "st_bubenec/bubenec.gpkg",
        layer="streets",
        make_ids="S",
        set_values={"road_class": "minor"},
    )
    assert (report.read, report.accepted) == (35, 35)
    plots = put("blocks", "st_bubenec/bubenec.gpkg", layer="plots")
    assert (plots.read, plots.accepted) == (407, 407)


def test_sacramento_has_old_line_ends_and_short_years(put: Put, workspace: Workspace) -> None:
    name = "inc_sacramento_crime/SacramentocrimeJanuary2006.csv"
    with pytest.raises(InputError, match="--make-ids PREFIX"):
        put("incidents", name)
    report = put("incidents", name, make_ids="SAC", timezone="America/Los_Angeles")
    assert (report.read, report.accepted) == (7584, 7546)
    assert reasons(report) == {"duplicate row": 38}
    times = workspace.read("incidents")["reported_at"].dt.tz_convert("America/Los_Angeles")
    assert times.min() == pd.Timestamp("2006-01-01", tz="America/Los_Angeles")
    assert times.max() == pd.Timestamp("2006-01-31 23:50", tz="America/Los_Angeles")


def test_geolife_fixes_come_in_whole(put: Put, workspace: Workspace) -> None:
    report = put("fixes", "trace_geolife_skmob/geolife_sample.csv.gz", timezone="UTC")
    assert (report.read, report.accepted) == (217_653, 217_653)
    assert report.facts["workers_made"] == 2
    with workspace.reading() as conn:
        query = "SELECT worker_id, count(*) FROM fixes GROUP BY worker_id ORDER BY worker_id"
        assert list(map(tuple, conn.exec_driver_sql(query))) == [("001", 108_607), ("005", 109_046)]


def test_recorded_walks_are_fixes_where_they_have_times(put: Put, workspace: Workspace) -> None:
    names = {
        "304_to_UL_2019-02-18_0745": (2144, 0),
        "korita-zbevnica": (871, 358),
        "cerknicko-jezero": (296, 0),
        "cerknicko-without-times": (296, 291),
    }
    for name, (points, untimed) in names.items():
        report = put("fixes", f"trace_gpx_dev/{name}.gpx", mapping={"worker_id": "file"})
        assert report.read == points
        assert reasons(report).get("no time", 0) == untimed
    with pytest.raises(InputError, match="--map worker_id=COLUMN or --set worker_id=VALUE"):
        put("fixes", "trace_gpx_dev/korita-zbevnica.gpx")
    lines = put(
        "roads", "trace_gpx_dev/cerknicko-without-times.gpx", set_values={"road_class": "path"}
    )
    assert lines.accepted == lines.read >= 1
    signs = put(
        "assets",
        "trace_gpx_dev/cerknicko-jezero.gpx",
        set_values={"class_code": "0209"},
        make_ids="W",
    )
    assert signs.accepted == 7


def test_traces_in_metres_of_nowhere_are_refused_or_without_a_place(put: Put) -> None:
    with pytest.raises(InputError, match="holds 403 files"):
        put("fixes", "trace_goal_onfoot_dev/trajectories.zip", set_values={"worker_id": "w"})
    with pytest.raises(InputError, match="columns x and y are no degrees"):
        put(
            "fixes",
            "trace_goal_onfoot_dev/trajectories.zip",
            set_values={"worker_id": "w"},
            layer="*",
        )


def test_division_codes_fill_the_names_of_codes(put: Put, workspace: Workspace) -> None:
    villages = put("divisions", "cn_division_codes/villages_10_cities.csv")
    assert (villages.read, villages.accepted) == (32_904, 32_904)
    table = workspace.read("divisions")
    assert table.loc["110101001001", "name"] == "多福巷社区居委会"
    assert table.loc["110101001000", "name"] == "110101001000"
    streets = put("divisions", "cn_division_codes/streets.csv")
    assert (streets.read, streets.accepted) == (41_352, 41_352)
    areas = put("divisions", "cn_division_codes/areas.csv")
    assert (areas.read, areas.accepted) == (2978, 2977)
    cities = put("divisions", "cn_division_codes/cities.csv")
    provinces = put("divisions", "cn_division_codes/provinces.csv")
    assert (cities.read, provinces.accepted) == (342, 31)
    table = workspace.read("divisions")
    chain = ["110101001001", "110101001000", "110101000000", "110100000000", "110000000000"]
    assert table.loc[chain, "name"].tolist() == [
        "多福巷社区居委会", "东华门街道", "东城区", "市辖区", "北京市",
    ]  # fmt: skip
    assert table.loc[chain[:-1], "parent_code"].tolist() == chain[1:]
    assert (table["name"] != table.index).all()
