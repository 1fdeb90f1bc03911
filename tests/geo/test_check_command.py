"""`wangge check` and `wangge export`: exit codes, what they print, one line of error."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from dashboards.cli import main
from dashboards.commands.export_command import read_moment
from geo.errors import InputError
from geo.io.workspace import create_workspace


def grids_of(*shapes: shapely.Geometry) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {"kind": "base", "version": 1, "households": 300},
        geometry=list(shapes),
        index=pd.Index([f"g{n}" for n in range(len(shapes))], name="grid_id"),
        crs="EPSG:4326",
    )
    return frame.assign(valid_from=pd.Timestamp("2026-01-01", tz="UTC"))


WEST = shapely.box(111.300, 30.7, 111.301, 30.701)
EAST = shapely.box(111.301, 30.7, 111.302, 30.701)
ACROSS = shapely.box(111.3005, 30.7, 111.302, 30.701)


@pytest.fixture
def city(tmp_path):
    """Make a city of the grids given, with an unplaced incident."""

    def make(*shapes):
        with create_workspace(tmp_path / "city") as workspace, workspace.writing() as conn:
            workspace.append(conn, "grids", grids_of(*shapes))
            incident = pd.DataFrame(
                {"reported_at": [pd.Timestamp("2026-11-01", tz="UTC")], "stage": ["opened"]},
                index=pd.Index(["i1"], name="incident_id"),
            )
            workspace.append(conn, "incidents", incident)
        return str(tmp_path / "city")

    return make


@pytest.fixture
def run(capsys):
    """Run the command line and give back its exit code, output and errors."""

    def go(*args: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(args))
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    return go


def test_a_sound_city_ends_with_zero_and_says_what_was_looked_at(city, run):
    code, out, err = run("check", city(WEST, EAST))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "checked 2 grids, 1 incidents",
        "1 incidents have no place; they are kept and counted as unplaced",
        "no problems found",
    ]


def test_a_warning_ends_with_zero(city, run):
    code, out, _ = run("check", city(WEST, EAST), "--band", "301", "500")
    assert code == 0
    assert "warning        2  grids: fewer households than the band (households_few)" in out
    assert "0 errors, 2 warnings" in out


def test_an_overlap_ends_with_one_and_its_place_is_written(city, run, tmp_path):
    file = tmp_path / "problems.gpkg"
    code, out, _ = run("check", city(WEST, ACROSS), "--problems", str(file))
    assert code == 1
    assert "error          1  grids: two polygons hold the same ground (overlap)" in out
    assert "correct the border between them" in out
    layer = pyogrio.read_dataframe(file, layer="problems")
    assert layer[["table", "id", "severity"]].to_numpy().tolist() == [["grids", "g0, g1", "error"]]
    place = layer.geometry[0].centroid
    assert (place.x, place.y) == pytest.approx((111.30075, 30.7005), abs=1e-6)
    assert [p.name for p in tmp_path.glob("*problems*")] == ["problems.gpkg"]


def test_the_counts_come_as_json_too(city, run):
    code, out, _ = run("check", city(WEST, ACROSS), "--json")
    data = json.loads(out)
    assert code == 1
    assert (data["errors"], data["warnings"], data["unplaced"]) == (1, 0, 1)
    assert data["rows"]["grids"] == 2
    assert data["problems"][0]["reason"] == "overlap"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--problems", "x.csv"], "does not end in .gpkg"),
        (["--band", "5", "3"], "the band goes from 5 to 3: give the smaller first"),
        (["--problems", "no/such/folder/x.gpkg"], "cannot write"),
    ],
)
def test_wrong_options_end_with_two_and_one_line(city, run, args, words):
    code, out, err = run("check", city(WEST, EAST), *args)
    assert (code, out) == (2, "")
    assert err.startswith("wangge: ")
    assert words in err
    assert err.count("\n") == 1


def test_a_folder_without_a_city_ends_with_two(run, tmp_path):
    code, _, err = run("check", str(tmp_path))
    assert code == 2
    assert "holds no city.gpkg" in err


def test_an_empty_city_has_no_problem(run, tmp_path):
    create_workspace(tmp_path / "city").close()
    assert run("check", str(tmp_path / "city")) == (
        0,
        "checked an empty workspace\nno problems found\n",
        "",
    )


def test_export_says_how_many_rows_went_where(city, run, tmp_path):
    folder, file = city(WEST, EAST), tmp_path / "网格.xlsx"
    args = ("--workspace", folder, "--out", str(file), "--headers", "zh")
    code, out, err = run("export", "grids", *args)
    assert (code, err) == (0, "")
    assert out == f"2 grids written to {file}\n"
    assert "网格编码" in pd.read_excel(file).columns


def test_export_notes_a_datum_without_a_code(city, run, tmp_path):
    args = ("--workspace", city(WEST, EAST), "--out", str(tmp_path / "g.gpkg"))
    code, _, err = run("export", "grids", *args, "--target-crs", "gcj02")
    assert code == 0
    assert err.startswith("note: coordinates are gcj02")


def test_export_of_a_day_takes_the_grids_in_force_at_its_end(city, run, tmp_path):
    args = ("--workspace", city(WEST, EAST), "--out", str(tmp_path / "g.csv"))
    assert run("export", "grids", *args, "--at", "2025-12-31")[1].startswith("0 grids")
    assert run("export", "grids", *args, "--at", "2026-01-01")[1].startswith("2 grids")


def test_export_refuses_what_it_cannot_write_with_one_line(city, run, tmp_path):
    folder = city(WEST, EAST)
    for args, words in (
        (["--out", str(tmp_path / "g.geojson"), "--target-crs", "bd09"], "GeoJSON is in WGS-84"),
        (["--out", str(tmp_path / "g.dwg")], "ends in .dwg"),
        (["--out", str(tmp_path / "g.csv"), "--at", "yesterday"], "is no date"),
    ):
        code, out, err = run("export", "grids", "--workspace", folder, *args)
        assert (code, out) == (2, "")
        assert words in err
        assert err.count("\n") == 1


def test_a_day_is_read_in_the_zone_of_the_city():
    assert read_moment("2026-11-21", "Asia/Shanghai").astimezone(UTC).hour == 15
    noon = read_moment("2026-11-21T12:00", "Asia/Shanghai").astimezone(UTC)
    assert noon == datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert read_moment("2026-11-21T12:00Z", "Asia/Shanghai").hour == 12
    with pytest.raises(InputError, match="is no date"):
        read_moment("21.11.2026", "Asia/Shanghai")
