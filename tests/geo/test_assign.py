"""`wangge assign`, file to file, on four grids of 0.1 degree:

C D     corners at 120.5, 120.6, 120.7 east and 24.0, 24.1, 24.2 north
A B
"""

import re
import tracemalloc

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import shapely
from click.testing import CliRunner

from dashboards.cli import main, wangge
from geo.datum import wgs84_to_gcj02
from geo.errors import CrsError
from geo.io.assign import assign_file

WEST, SOUTH = (120.5, 120.6, 120.7), (24.0, 24.1, 24.2)
NAMES = ["A", "B", "C", "D"]


def four():
    cells = [
        shapely.box(WEST[i], SOUTH[j], WEST[i + 1], SOUTH[j + 1]) for j in (0, 1) for i in (0, 1)
    ]
    return gpd.GeoDataFrame({"grid_id": NAMES}, geometry=cells, crs="EPSG:4326")


@pytest.fixture
def grids(tmp_path):
    path = tmp_path / "grids.geojson"
    four().to_file(path)
    return path


@pytest.fixture
def points(tmp_path):
    """Six points: in A, on the line A|B, at the corner, outside, without a number, beyond."""
    path = tmp_path / "points.csv"
    path.write_text(
        "code,lon,lat,note\n"
        "007,120.55,24.05,inside\n"
        "008,120.6,24.05,on the line\n"
        '009,120.6,24.1,"at, the corner"\n'
        "010,121.5,24.05,outside\n"
        "011,,24.05,nowhere\n"
        "012,120.55,240.5,beyond\n",
        encoding="utf-8",
    )
    return path


def run(*args):
    return CliRunner().invoke(wangge, ["assign", *map(str, args)], catch_exceptions=False)


def fail(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        main(["assign", *map(str, args)])
    return stopped.value.code, capsys.readouterr().err


def test_every_point_goes_out_with_its_columns_and_its_grid(points, grids, tmp_path):
    out = tmp_path / "out.csv"
    done = run(points, "--grids", grids, "--out", out)
    assert done.exit_code == 0
    frame = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert frame.columns.tolist() == ["code", "lon", "lat", "note", "grid_id"]
    assert frame["code"].tolist() == ["007", "008", "009", "010", "011", "012"]
    assert frame["note"][2] == "at, the corner"
    assert frame["lon"].tolist() == ["120.55", "120.6", "120.6", "121.5", "", "120.55"]
    assert frame["grid_id"].tolist() == ["A", "B", "D", "", "", ""]


def test_the_command_says_what_became_of_the_points(points, grids, tmp_path):
    done = run(points, "--grids", grids, "--out", tmp_path / "out.csv")
    assert "6 points read = 3 inside + 1 outside + 2 without usable coordinates" in done.stdout
    assert "4 grids, named by column grid_id" in done.stdout


def test_parquet_keeps_its_types(grids, tmp_path):
    table = pa.table(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "at": pa.array([0, 1, 2], pa.timestamp("ms", "UTC")),
            "x": [120.55, 120.65, 119.0],
            "y": [24.05, 24.15, 24.0],
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "p.parquet")
    out = tmp_path / "out.parquet"
    assert run(tmp_path / "p.parquet", "--grids", grids, "--out", out).exit_code == 0
    result = pq.read_table(out)
    assert result.drop_columns("grid_id").equals(table)
    assert result["grid_id"].to_pylist() == ["A", "D", None]
    # And as text.
    assert run(tmp_path / "p.parquet", "--grids", grids, "--out", tmp_path / "o.csv").exit_code == 0
    text = pd.read_csv(tmp_path / "o.csv")
    assert text["kind"].tolist() == ["a", "b", "a"]
    assert text["grid_id"].fillna("").tolist() == ["A", "D", ""]


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "parquet"])
def test_points_may_come_as_shapes(ending, grids, tmp_path):
    path = tmp_path / f"p.{ending}"
    shapes = gpd.points_from_xy([120.55, 120.65, 119], [24.05, 24.15, 24])
    frame = gpd.GeoDataFrame({"name": ["p", "q", "r"]}, geometry=shapes, crs="EPSG:4326")
    frame.to_parquet(path) if ending == "parquet" else frame.to_file(path)
    out = tmp_path / "out.csv"
    assert run(path, "--grids", grids, "--out", out).exit_code == 0
    result = pd.read_csv(out, keep_default_na=False)
    assert result.columns.tolist() == ["name", "lon", "lat", "grid_id"]
    assert result["lon"].tolist() == [120.55, 120.65, 119]
    assert result["grid_id"].tolist() == ["A", "D", ""]


def test_points_of_geoparquet_stay_points(grids, tmp_path):
    shapes = gpd.points_from_xy([120.55, 120.65], [24.05, 24.15])
    gpd.GeoDataFrame({"name": ["p", "q"]}, geometry=shapes, crs="EPSG:4326").to_parquet(
        tmp_path / "p.parquet"
    )
    out = tmp_path / "out.parquet"
    assert run(tmp_path / "p.parquet", "--grids", grids, "--out", out).exit_code == 0
    result = gpd.read_parquet(out)
    assert result.crs == "EPSG:4326"
    assert result.geometry.x.tolist() == [120.55, 120.65]
    assert result["grid_id"].tolist() == ["A", "D"]


def test_what_is_no_point_is_counted_apart(grids, tmp_path):
    path = tmp_path / "p.gpkg"
    shapes = [shapely.Point(120.55, 24.05), shapely.box(120.5, 24, 120.6, 24.1)]
    shapes.append(shapely.MultiPoint([(120.65, 24.05)]))
    gpd.GeoDataFrame({"n": [1, 2, 3]}, geometry=shapes, crs="EPSG:4326").to_file(path)
    report = assign_file(path, grids, tmp_path / "out.csv")
    assert (report.read, report.inside, report.outside, report.unusable) == (3, 2, 0, 1)


def test_grids_in_metres_get_the_points_turned_and_not_the_other_way_round(points, tmp_path):
    path = tmp_path / "metres.gpkg"
    four().to_crs("EPSG:3826").to_file(path)
    done = run(points, "--grids", path, "--out", tmp_path / "out.csv")
    assert "points turned from WGS 84 into TWD97" in done.stdout
    assert pd.read_csv(tmp_path / "out.csv")["grid_id"][0] == "A"


def test_points_in_the_datum_of_chinese_maps_are_shifted_first(tmp_path):
    """In Xi'an the shift is about 500 m; the cell is 200 m wide."""
    lon, lat = np.array([108.94]), np.array([34.34])
    cell = shapely.box(108.939, 34.339, 108.941, 34.341)
    gpd.GeoDataFrame({"grid_id": ["X"]}, geometry=[cell], crs="EPSG:4326").to_file(
        tmp_path / "g.gpkg"
    )
    shifted = wgs84_to_gcj02(lon, lat)
    pd.DataFrame({"lng": shifted[0], "lat": shifted[1]}).to_csv(tmp_path / "p.csv", index=False)
    args = (tmp_path / "p.csv", "--grids", tmp_path / "g.gpkg", "--out", tmp_path / "o.csv")
    assert "0 inside" in run(*args).stdout
    assert "1 inside" in run(*args, "--crs", "gcj02").stdout


def test_points_in_metres_name_their_crs(tmp_path):
    gpd.GeoDataFrame({"grid_id": ["X"]}, geometry=[shapely.box(0, 0, 10, 10)], crs=3826).to_file(
        tmp_path / "g.gpkg"
    )
    (tmp_path / "p.csv").write_text("x,y\n10,5\n11,5\n")
    args = (tmp_path / "p.csv", "--grids", tmp_path / "g.gpkg", "--out", tmp_path / "o.csv")
    assert "1 inside + 1 outside" in run(*args, "--crs", "EPSG:3826").stdout


def test_numbers_are_read_to_the_last_bit(tmp_path):
    """0.1 + 0.2 is the border; the numbers next to it are on either side."""
    border = 0.1 + 0.2
    west = shapely.box(0, 0, border, 1)
    east = shapely.box(border, 0, 1, 1)
    gpd.GeoDataFrame({"grid_id": ["W", "E"]}, geometry=[west, east], crs=4326).to_parquet(
        tmp_path / "g.parquet"
    )
    x = [np.nextafter(border, 0), border, np.nextafter(border, 1)]
    text = "".join(f"{float(value)!r},0.5\n" for value in x)
    (tmp_path / "p.csv").write_text("lon,lat\n" + text)
    assign_file(tmp_path / "p.csv", tmp_path / "g.parquet", tmp_path / "o.csv")
    assert pd.read_csv(tmp_path / "o.csv")["grid_id"].tolist() == ["W", "E", "E"]


def test_degrees_in_words_and_chinese_headers_are_understood(grids, tmp_path):
    (tmp_path / "p.csv").write_text(
        "名称,经度,纬度\n甲,120°33'0\"E,24°3'0\"N\n乙,１２０.65, 24.15 \n", encoding="gb18030"
    )
    assign_file(tmp_path / "p.csv", grids, tmp_path / "o.csv")
    result = pd.read_csv(tmp_path / "o.csv")
    assert result["名称"].tolist() == ["甲", "乙"]
    assert result["grid_id"].tolist() == ["A", "D"]


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ({"GRID_ID": NAMES}, [], "GRID_ID"),
        ({"name": ["x"] * 4, "网格编码": NAMES}, [], "网格编码"),
        ({"size": [1, 2, 3, 4], "same": ["s"] * 4, "label": NAMES}, [], "label"),
        ({"grid_id": ["p", "q", "r", "s"], "label": NAMES}, ["--id", "label"], "label"),
    ],
)
def test_the_column_that_names_the_grids_is_found_and_said(
    columns, options, expected, points, tmp_path
):
    path = tmp_path / "g.gpkg"
    gpd.GeoDataFrame(columns, geometry=list(four().geometry), crs=4326).to_file(path)
    done = run(points, "--grids", path, "--out", tmp_path / "o.csv", *options)
    assert f"named by column {expected}" in done.stdout
    assert pd.read_csv(tmp_path / "o.csv", keep_default_na=False)["grid_id"][0] == "A"


def test_numbers_that_name_grids_become_text(points, tmp_path):
    path = tmp_path / "g.gpkg"
    frame = four().assign(grid_id=[101, 102, 103, 104])
    frame.to_file(path)
    assign_file(points, path, tmp_path / "o.parquet")
    column = pq.read_table(tmp_path / "o.parquet")["grid_id"]
    assert pa.types.is_string(column.type)
    assert column.to_pylist()[:2] == ["101", "102"]


def test_another_name_for_the_new_column(points, grids, tmp_path):
    run(points, "--grids", grids, "--out", tmp_path / "one.csv")
    done = run(
        tmp_path / "one.csv", "--grids", grids, "--out", tmp_path / "o.csv", "--as", "grid_now"
    )
    assert done.exit_code == 0
    frame = pd.read_csv(tmp_path / "o.csv")
    assert frame["grid_now"].equals(frame["grid_id"])


# What cannot be used


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,b\n1,2\n", [], r"no column that looks like lon.*it has a, b"),
        ("a,lat\n1,2\n", ["--lon", "c", "--lat", "lat"], "no column c: it has a, lat"),
        ("lon,lat\n1,2\n", ["--lon", "lon"], "--lon and --lat go together"),
        ("lon,lat,grid_id\n1,2,A\n", [], "has a column grid_id already"),
        ("lon,lat\n", [], "has no rows"),
        ("", [], "is empty"),
        ("\x89PNG\r\n\x1a\n0000", [], "is no data file"),
        ("lon,lat\n1,2\n", ["--crs", "EPSG:999999"], "EPSG:999999"),
        ("lon,lat\n1,2\n", ["--id", "nothing"], "no column nothing: it has grid_id"),
    ],
)
def test_input_that_cannot_be_used_ends_with_2_and_one_line(
    text, options, words, grids, tmp_path, capsys
):
    path = tmp_path / "p.csv"
    path.write_bytes(text.encode("latin-1"))
    out = tmp_path / "o.csv"
    code, said = fail(capsys, path, "--grids", grids, "--out", out, *options)
    assert code == 2
    last = said.strip().splitlines()[-1]
    assert last.startswith("wangge: ")
    assert re.search(words, last)
    assert not out.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grids.geojson", "p.csv"]


def test_a_file_that_is_not_there_and_an_ending_that_we_do_not_write(
    points, grids, tmp_path, capsys
):
    out = tmp_path / "o.csv"
    code, said = fail(capsys, tmp_path / "none.csv", "--grids", grids, "--out", out)
    assert (code, "is not there" in said) == (2, True)
    code, said = fail(capsys, points, "--grids", tmp_path / "none.gpkg", "--out", out)
    assert (code, "is not there" in said) == (2, True)
    code, said = fail(capsys, points, "--grids", grids, "--out", tmp_path / "o.xlsx")
    assert (code, "use .csv or .parquet" in said) == (2, True)
    code, said = fail(capsys, points, "--grids", grids, "--out", tmp_path / "no" / "o.csv")
    assert (code, "is no folder" in said) == (2, True)
    code, said = fail(capsys, points, "--grids", points, "--out", out)
    assert (code, "has no shapes" in said) == (2, True)


def test_a_cover_that_overlaps_ends_with_1_and_names_the_places(points, tmp_path, capsys):
    path = tmp_path / "g.gpkg"
    frame = four()
    frame.loc[0, "geometry"] = shapely.box(120.5, 24, 120.61, 24.1)
    frame.to_file(path)
    code, said = fail(capsys, points, "--grids", path, "--out", tmp_path / "o.csv")
    assert code == 1
    assert "overlap: 'A' and 'B' near (120.6" in said


def test_a_failure_leaves_the_old_output_as_it_was(grids, tmp_path, capsys):
    out = tmp_path / "o.csv"
    out.write_text("as it was")
    (tmp_path / "p.csv").write_text("a\n1\n")
    assert fail(capsys, tmp_path / "p.csv", "--grids", grids, "--out", out)[0] == 2
    assert out.read_text() == "as it was"


# Size


def many(tmp_path, rows, ending):
    random = np.random.default_rng(1)
    x, y = random.uniform(120.45, 120.75, rows), random.uniform(23.95, 24.25, rows)
    table = pa.table({"n": np.arange(rows), "lon": x, "lat": y, "text": ["some words"] * rows})
    path = tmp_path / f"many-{rows}.{ending}"
    if ending == "csv":
        pacsv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=100_000)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(ending, grids, tmp_path):
    """1,000,000 rows come in small pieces and need no more than 300,000.

    Of text no more than the pieces is compared: up to 64 MB its encoding is found from the whole.
    """
    peaks = {}
    for rows in (300_000, 1_000_000):
        path = many(tmp_path, rows, ending)
        seen = []

        def watch(done, total, seen=seen):
            seen.append((done, total, pa.total_allocated_bytes()))

        before = pa.total_allocated_bytes()
        tracemalloc.start()
        report = assign_file(
            path, grids, tmp_path / f"o.{ending}", chunk_rows=10_000, progress=watch
        )
        peaks[rows] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.read == rows
        assert report.inside + report.outside == rows
        assert max(np.diff([done for done, _, _ in seen], prepend=0)) < 160_000
        assert seen[-1][:2] == (rows, rows)
        assert max(held for _, _, held in seen) - before < 60_000_000
    if ending == "parquet":
        assert peaks[1_000_000] < 1.2 * peaks[300_000] + 2_000_000


def test_pieces_give_the_same_answer_as_the_whole(grids, tmp_path):
    path = many(tmp_path, 30_000, "csv")
    assign_file(path, grids, tmp_path / "a.parquet", chunk_rows=1_000)
    assign_file(path, grids, tmp_path / "b.parquet")
    pieces, whole = pq.read_table(tmp_path / "a.parquet"), pq.read_table(tmp_path / "b.parquet")
    assert pieces.equals(whole)
    frame = whole.to_pandas()
    inside = frame[frame["grid_id"].notna()]
    assert set(inside["grid_id"]) == set(NAMES)
    east = inside["lon"].astype(float) >= 120.6
    assert (inside["grid_id"].isin(["B", "D"]) == east).all()


def test_the_progress_bar_goes_to_stderr(grids, tmp_path):
    done = run(many(tmp_path, 60_000, "csv"), "--grids", grids, "--out", tmp_path / "o.csv")
    assert "many-60000.csv" in done.stderr
    assert "many-60000.csv" not in done.stdout


@pytest.mark.parametrize("ending", ["csv", "parquet", "gpkg"])
def test_the_column_crs_of_our_own_exports_counts(grids, tmp_path, ending):
    """A point 100 m west of a line is east of it in GCJ-02, in which the file says it is."""
    lon, lat = 115.099, 30.05
    square = [shapely.box(x, 30, x + 0.1, 30.1) for x in (115.0, 115.1)]
    gpd.GeoDataFrame({"grid_id": ["W", "E"]}, geometry=square, crs=4326).to_file(
        tmp_path / "g.geojson"
    )
    x, y = wgs84_to_gcj02([lon], [lat])
    assert x[0] > 115.1
    frame = pd.DataFrame({"code": ["1"], "lon": x, "lat": y, "crs": ["gcj02"]})
    path = tmp_path / f"p.{ending}"
    if ending == "gpkg":  # a GeoPackage in a datum that has no code names no CRS
        shapes = gpd.GeoDataFrame(frame[["code", "crs"]], geometry=gpd.points_from_xy(x, y))
        with pytest.warns(UserWarning, match="'crs' was not provided"):
            shapes.to_file(path)
    elif ending == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    report = assign_file(path, tmp_path / "g.geojson", tmp_path / "o.csv")
    assert pd.read_csv(tmp_path / "o.csv")["grid_id"].tolist() == ["W"]
    assert any("turned from gcj02" in note for note in report.notes)
    assign_file(path, tmp_path / "g.geojson", tmp_path / "o.csv", crs="wgs84")
    assert pd.read_csv(tmp_path / "o.csv")["grid_id"].tolist() == ["E"]


def test_a_file_that_names_two_systems_is_refused(grids, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("lon,lat,crs\n120.55,24.05,wgs84\n120.55,24.05,bd09\n")
    with pytest.raises(CrsError, match=r"column crs names wgs84, bd09: .* say which with --crs"):
        assign_file(path, grids, tmp_path / "o.csv")
    assert assign_file(path, grids, tmp_path / "o.csv", crs="wgs84").inside == 2
    path.write_text("lon,lat,crs\n120.55,24.05,nonsense\n")
    with pytest.raises(CrsError, match=r"column crs: .*nonsense"):
        assign_file(path, grids, tmp_path / "o.csv")


@pytest.mark.real_data
def test_hydrants_of_taichung_are_all_in_a_village(shared_data, tmp_path):
    out = tmp_path / "o.parquet"
    report = assign_file(
        shared_data / "as_taichung_hydrants" / "hydrants.geojson",
        shared_data / "tw_taichung_villages" / "villages.geojson",
        out,
    )
    assert report.read == 6328
    assert report.read == report.inside + report.outside + report.unusable
    assert report.inside > 6300
    assert pq.read_table(out)["grid_id"].null_count == report.read - report.inside
