"""`wangge patrol`, file to file, on four grids of about 1 km, a street along each row:

C D     corners at 111.30, 111.31, 111.32 east and 30.70, 30.71, 30.72 north
A B
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from click.testing import CliRunner

from dashboards.cli import main, wangge
from geo.datum import metric_crs, wgs84_to_gcj02
from geo.errors import InputError
from geo.fixes import clean_fixes
from geo.io.patrol import patrol_files
from geo.reach import (
    PATROL_COLUMNS,
    count_minutes,
    count_patrols,
    cut_streets,
    infer_posts,
    measure_patrols,
)
from geo.rounds import THREE_ROUNDS, Shift

WEST, SOUTH = (111.30, 111.31, 111.32), (30.70, 30.71, 30.72)
NAMES = ["A", "B", "C", "D"]
AT = datetime(2026, 11, 21, 14, tzinfo=UTC)


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
def streets(tmp_path):
    path = tmp_path / "streets.gpkg"
    lines = [shapely.LineString([(WEST[0], y), (WEST[2], y)]) for y in (30.705, 30.715)]
    rail = shapely.LineString([(111.301, 30.70), (111.301, 30.72)])
    gpd.GeoDataFrame(
        {"road_class": ["minor", "main", "rail"]}, geometry=[*lines, rail], crs=4326
    ).to_file(path)
    return path


def rounds_of(who, lon, lat, day="2026-11-20", hour=8, minutes=60, step_s=10):
    """A worker who walks up and down 90 m eastwards from a place, at 1 m/s, from an hour on."""
    second = np.arange(0, minutes * 60, step_s)
    gone = 90 - np.abs(second % 180 - 90)
    start = pd.Timestamp(f"{day}T{hour:02}:00", tz="Asia/Shanghai")
    return pd.DataFrame(
        {
            "worker_id": who,
            "time": (start + pd.to_timedelta(second, unit="s")).strftime("%Y-%m-%dT%H:%M:%S%z"),
            "lon": lon + gone / 95_700,
            "lat": lat,
        }
    )


@pytest.fixture
def fixes(tmp_path):
    """w walks an hour in A at 8 and ten minutes in B at noon; v walks in D at 18."""
    path = tmp_path / "fixes.csv"
    pd.concat(
        [
            rounds_of("w", 111.304, 30.705),
            rounds_of("w", 111.314, 30.705, hour=12, minutes=10),
            rounds_of("v", 111.314, 30.715, hour=18),
        ]
    ).to_csv(path, index=False)
    return path


def _at(args):
    """The options as text, judged at a fixed moment: the clock is no part of a test."""
    given = list(map(str, args))
    return given if "--at" in given else [*given, "--at", AT.isoformat()]


def run(*args):
    done = CliRunner().invoke(wangge, ["patrol", *_at(args)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def fail(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        main(["patrol", *_at(args)])
    return stopped.value.code, capsys.readouterr().err


def table(path):
    return pd.read_csv(path, dtype={"grid_id": str})


def test_there_is_one_row_a_grid_date_and_shift_with_the_columns_of_the_design(
    fixes, grids, streets, tmp_path
):
    out = tmp_path / "out.csv"
    run(fixes, "--grids", grids, "--streets", streets, "--out", out)
    found = table(out)
    assert found.columns.tolist() == [
        "grid_id", "date", "shift", "required", "done", "partly", "missed", "unknown", "street_m",
        "covered_m", "covered_share", "area_share", "fixes", "workers",
    ]  # fmt: skip
    assert tuple(found.columns) == PATROL_COLUMNS
    assert found["grid_id"].tolist() == NAMES * 3
    assert found["shift"].tolist() == ["morning"] * 4 + ["noon"] * 4 + ["evening"] * 4
    assert set(found["date"]) == {"2026-11-20"}
    assert (found["required"] == 1).all()
    assert (found[["done", "partly", "missed", "unknown"]].sum(axis=1) == 1).all()
    key = found.set_index(["grid_id", "shift"])
    assert key.loc[("A", "morning"), "done"] == 1
    assert key.loc[("D", "evening"), "done"] == 1
    # v is silent at 8: unknown, not missed. w is in B at noon, ten minutes, the rest unknown.
    assert key.loc[("D", "morning"), "unknown"] == 1
    assert key.loc[("A", "noon"), "missed"] == 0
    # Nobody is posted to B or C.
    assert (found.loc[found["grid_id"].isin(["B", "C"]), "unknown"] == 1).all()
    assert key.loc[("A", "morning"), ["fixes", "workers"]].tolist() == [360, 1]
    assert key.loc[("B", "noon"), ["fixes", "workers"]].tolist() == [60, 1]
    assert found["fixes"].sum() == 360 + 60 + 360


def test_coverage_is_what_was_walked_in_the_shift_by_anybody(fixes, grids, streets, tmp_path):
    out = tmp_path / "out.csv"
    run(fixes, "--grids", grids, "--streets", streets, "--out", out)
    found = table(out).set_index(["grid_id", "shift"])
    # The rail is no street. 90 m walked, 20 m seen at both ends.
    assert found.loc[("A", "morning"), "street_m"] == pytest.approx(957.5, abs=1)
    for place in (("A", "morning"), ("B", "noon"), ("D", "evening")):
        assert found.loc[place, "covered_m"] == pytest.approx(130, abs=0.5)
        assert found.loc[place, "covered_share"] == pytest.approx(130 / 957.5, abs=1e-3)
        area = (90 * 40 + np.pi * 400) / (957.5 * 1108.7)
        assert found.loc[place, "area_share"] == pytest.approx(area, rel=0.05)
    assert found["covered_m"].sum() == pytest.approx(390, abs=1.5)


def test_a_table_of_workers_says_who_walks_where(fixes, grids, streets, tmp_path):
    people = tmp_path / "workers.csv"
    people.write_text(
        "工号,name,unit_code\nw,Wu,B\nv,Li,D\nu,An,C\nt,To,elsewhere\n".replace("工号", "worker_id")
    )
    out = tmp_path / "out.csv"
    said = run(fixes, "--grids", grids, "--streets", streets, "--out", out, "--workers", people)
    assert "workers.csv: 3 workers are posted to a grid" in said
    assert "1 workers have a unit that is none of the grids (elsewhere)" in said
    assert "inferred" not in said
    found = table(out).set_index(["grid_id", "shift"])
    # w walked in A in the morning, so B's round is missed; u never said anything: unknown.
    assert found.loc[("B", "morning"), "missed"] == 1
    assert found.loc[("C", "morning"), "unknown"] == 1


def test_without_workers_the_grid_of_most_minutes_is_taken_and_said(
    fixes, grids, streets, tmp_path
):
    said = run(fixes, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.csv")
    assert "who walks where is inferred" in said
    assert "2 workers in 2 grids" in said
    assert "2 grids have no worker: their rounds are unknown" in said
    assert "780 fixes read = 780 used + 0 rejected" in said


def test_a_workbook_has_the_same_rows(fixes, grids, streets, tmp_path):
    run(fixes, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.csv")
    run(fixes, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "o.xlsx").active
    rows = list(sheet.values)
    assert rows[0] == PATROL_COLUMNS
    assert len(rows) == 13
    plain = table(tmp_path / "o.csv")
    for name in ("grid_id", "date", "shift", "done", "unknown", "fixes"):
        assert [row[rows[0].index(name)] for row in rows[1:]] == plain[name].tolist()
    share = rows[0].index("covered_share")
    assert [row[share] for row in rows[1:]] == pytest.approx(plain["covered_share"].tolist())


def test_the_same_fixes_in_any_format_give_the_same_table(fixes, grids, streets, tmp_path):
    frame = pd.read_csv(fixes, dtype={"worker_id": str})
    frame.assign(time=pd.to_datetime(frame["time"], utc=True)).to_parquet(tmp_path / "p.parquet")
    points = gpd.GeoDataFrame(
        frame[["worker_id", "time"]],
        geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs=4326,
    )  # fmt: skip
    points.to_file(tmp_path / "p.gpkg")
    halves = [tmp_path / "1.csv", tmp_path / "2.csv"]
    frame.iloc[::2].to_csv(halves[0], index=False)
    frame.iloc[1::2].to_csv(halves[1], index=False)
    expected = None
    for files in ([fixes], [tmp_path / "p.parquet"], [tmp_path / "p.gpkg"], halves):
        run(*files, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.csv")
        found = table(tmp_path / "o.csv")
        expected = found if expected is None else expected
        pd.testing.assert_frame_equal(found, expected)


def test_a_track_of_a_phone_is_a_worker_called_like_the_file(grids, streets, tmp_path):
    frame = rounds_of("x", 111.304, 30.705)
    points = "".join(
        f'<trkpt lat="{r.lat}" lon="{r.lon}"><time>{r.time[:-5]}Z</time></trkpt>'
        for r in frame.assign(
            time=(pd.to_datetime(frame["time"], utc=True)).dt.strftime("%Y-%m-%dT%H:%M:%S+0000")
        ).itertuples()
    )
    gpx = tmp_path / "wang.gpx"
    gpx.write_text(
        '<?xml version="1.0"?><gpx version="1.1" creator="t"'
        ' xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
        f"{points}</trkseg></trk></gpx>"
    )
    people = tmp_path / "workers.csv"
    people.write_text("worker_id,unit_code\nwang,A\n")
    said = run(
        gpx, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.csv",
        "--workers", people,
    )  # fmt: skip
    assert "wang.gpx names no workers: all of it is worker wang" in said
    assert (
        table(tmp_path / "o.csv").set_index(["grid_id", "shift"]).loc[("A", "morning"), "done"] == 1
    )


def test_rows_that_cannot_be_used_are_counted_with_their_reasons(fixes, grids, streets, tmp_path):
    with fixes.open("a") as file:
        file.write("w,not a time,111.304,30.705\nw,2026-11-20T08:00:00+0800,,\n")
        file.write("w,1970-01-01T00:00:00+0000,111.304,30.705\n")
    said = run(fixes, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.csv")
    assert "783 fixes read = 780 used + 3 rejected" in said
    assert "time cannot be read" in said
    assert "the clock was never set" in said


def test_shifts_and_days_are_what_one_asks_for(fixes, grids, streets, tmp_path):
    out = tmp_path / "o.csv"
    run(
        fixes, "--grids", grids, "--streets", streets, "--out", out, "--shift", "day=07:00-19:30",
        "--shift", "night=22:00-02:00", "--since", "2026-11-19", "--until", "2026-11-20",
    )  # fmt: skip
    found = table(out)
    assert len(found) == 2 * 2 * 4
    assert found["date"].unique().tolist() == ["2026-11-19", "2026-11-20"]
    assert (found.loc[found["date"] == "2026-11-19", "unknown"] == 1).all()
    assert found.loc[(found["shift"] == "day"), "fixes"].sum() == 780
    assert found.loc[(found["shift"] == "night"), "fixes"].sum() == 0


def test_a_round_over_midnight_belongs_to_the_day_it_begins(grids, streets, tmp_path):
    path = tmp_path / "f.csv"
    rounds_of("w", 111.304, 30.705, hour=23, minutes=120).to_csv(path, index=False)
    out = tmp_path / "o.csv"
    run(path, "--grids", grids, "--streets", streets, "--out", out, "--shift", "n=23:00-01:00")
    found = table(out).set_index(["grid_id", "date"])
    assert found.loc[("A", "2026-11-20"), ["done", "fixes"]].tolist() == [1, 720]
    assert found.loc[("A", "2026-11-21"), ["done", "fixes"]].tolist() == [0, 0]


def test_shifted_coordinates_and_grids_in_metres_are_brought_together(fixes, streets, tmp_path):
    frame = pd.read_csv(fixes)
    lon, lat = wgs84_to_gcj02(frame["lon"].to_numpy(), frame["lat"].to_numpy())
    frame.assign(lon=lon, lat=lat).to_csv(tmp_path / "g.csv", index=False)
    four().to_crs(metric_crs([111.3], [30.7])).to_file(tmp_path / "m.gpkg")
    four().to_file(tmp_path / "d.gpkg")
    base = ["--streets", streets, "--out", tmp_path / "o.csv"]
    run(fixes, "--grids", tmp_path / "d.gpkg", *base)
    plain = table(tmp_path / "o.csv")
    run(tmp_path / "g.csv", "--grids", tmp_path / "m.gpkg", "--source-crs", "gcj02", *base)
    pd.testing.assert_frame_equal(table(tmp_path / "o.csv"), plain, rtol=2e-3, atol=0.2)


def test_a_round_that_has_not_ended_is_not_required_yet(fixes, grids, streets, tmp_path):
    out = tmp_path / "o.csv"
    at = "2026-11-20T12:30+08:00"
    run(fixes, "--grids", grids, "--streets", streets, "--out", out, "--at", at)
    found = table(out).groupby("shift")[["required", "done", "unknown"]].sum()
    assert found.loc["morning", "required"] == 4
    assert found.loc[["noon", "evening"]].to_numpy().sum() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--out", "{tmp}/o.pdf"], r"o\.pdf ends in \.pdf: use \.csv or \.xlsx"),
        (["--out", "{tmp}/no/o.csv"], "is no folder: make it first"),
        (["--out", "{tmp}/fixes.csv"], "would overwrite an input"),
        (["--grids", "{tmp}/none.gpkg"], r"none\.gpkg is not there"),
        (["--grids", "{tmp}/streets.gpkg"], "streets.gpkg"),
        (["--streets", "{tmp}/grids.geojson"], "has no lines that are roads"),
        (["--shift", "x=8-9"], "not of the form NAME=HH:MM-HH:MM"),
        (["--shift", "x=08:00-08:00"], "ends when it begins"),
        (["--shift", "x=25:00-26:00"], "no times of day"),
        (["--shift", "x=08:00-09:00", "--shift", "x=09:00-10:00"], "two shifts are called x"),
        (["--radius", "0"], "radius_m is 0"),
        (["--timezone", "Mars/North"], "no time zone is called Mars/North"),
        (["--since", "2026-11-20", "--until", "2026-11-01"], "is before"),
        (["--workers", "{tmp}/fixes.csv"], "fixes.csv has no column unit_code"),
        (["--at", "yesterday"], "is no time"),
        (["--at", "2026-11-20T12:00"], "has no zone"),
        (["--map", "lon=nowhere"], "no column nowhere"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    fixes, grids, streets, tmp_path, capsys, change, words
):
    options = {"--grids": grids, "--streets": streets, "--out": tmp_path / "o.csv"}
    change = [part.format(tmp=tmp_path) for part in change]
    extra = []
    for name, value in zip(change[::2], change[1::2], strict=True):
        if name in options:
            options[name] = value
        else:
            extra += [name, value]
    code, said = fail(capsys, fixes, *[x for pair in options.items() for x in pair], *extra)
    assert code == 2
    assert said.startswith("wangge: ")
    assert said.count("\n") == 1
    assert re.search(words, said), said
    assert not (tmp_path / "o.csv").exists()


def test_a_file_without_a_single_good_fix_is_refused_with_the_reasons(
    grids, streets, tmp_path, capsys
):
    path = tmp_path / "f.csv"
    path.write_text("worker_id,time,lon,lat\nw,soon,111.3,30.7\nw,later,111.3,30.7\n")
    code, said = fail(
        capsys, path, "--grids", grids, "--streets", streets, "--out", tmp_path / "o.csv"
    )
    assert code == 2
    assert "f.csv: no row is a fix that can be used: 2 x time cannot be read" in said


def test_overlapping_grids_break_a_hard_rule(fixes, streets, tmp_path, capsys):
    cells = four()
    cells.geometry = cells.geometry.scale(1.1, 1.1)
    cells.to_file(tmp_path / "g.gpkg")
    code, said = fail(
        capsys, fixes, "--grids", tmp_path / "g.gpkg", "--streets", streets,
        "--out", tmp_path / "o.csv",
    )  # fmt: skip
    assert code == 1
    assert "overlap" in said


# ------------------------------------------------------------------ the library


def metric(frame):
    crs = metric_crs([111.31], [30.71])
    points = gpd.GeoSeries(gpd.points_from_xy(frame["lon"], frame["lat"]), crs=4326).to_crs(crs)
    times = pd.to_datetime(frame["time"], utc=True)
    out = pd.DataFrame({"worker_id": frame["worker_id"], "time": times})
    return out.assign(x=points.x.to_numpy(), y=points.y.to_numpy()), crs


def test_the_sums_of_grids_are_those_of_the_city(fixes):
    found, crs = metric(pd.read_csv(fixes))
    cover = four().set_index("grid_id").to_crs(crs)
    line = shapely.LineString([(111.3, 30.705), (111.32, 30.715)])
    roads = gpd.GeoDataFrame({"road_class": ["minor"]}, geometry=[line], crs=4326).to_crs(crs)
    zone = ZoneInfo("Asia/Shanghai")
    whole = measure_patrols(
        cover, cut_streets(roads, cover), found, pd.Series({"w": "A"}), day=date(2026, 11, 20),
        at=AT, zone=zone,
    )  # fmt: skip
    city = count_patrols(whole)
    assert city["shift"].tolist() == [shift.name for shift in THREE_ROUNDS]
    for name in ("required", "done", "unknown", "fixes"):
        assert city[name].sum() == whole[name].sum()
    assert city["street_m"].tolist() == pytest.approx([roads.length.sum()] * 3)
    assert (city["covered_share"] * city["street_m"]).tolist() == pytest.approx(city["covered_m"])
    assert whole["fixes"].sum() == len(clean_fixes(found).tracks)


def test_a_worker_belongs_where_most_minutes_on_shift_were_spent(fixes):
    found, crs = metric(pd.read_csv(fixes))
    cover = four().set_index("grid_id").to_crs(crs)
    zone = ZoneInfo("Asia/Shanghai")
    when = {"day": date(2026, 11, 20), "zone": zone}
    minutes = count_minutes(cover, found, **when)
    assert minutes.to_dict("records") == [
        {"worker_id": "v", "grid_id": "D", "minutes": 60},
        {"worker_id": "w", "grid_id": "A", "minutes": 60},
        {"worker_id": "w", "grid_id": "B", "minutes": 10},
    ]
    assert infer_posts(minutes).to_dict() == {"v": "D", "w": "A"}
    noon = [Shift("noon", time(12))]
    assert infer_posts(count_minutes(cover, found, **when, shifts=noon)).to_dict() == {"w": "B"}
    assert infer_posts(minutes.iloc[:0]).empty


def test_the_library_refuses_what_has_no_fixes(grids, streets, tmp_path):
    with pytest.raises(InputError, match="no file of fixes is named"):
        patrol_files([], grids, streets, tmp_path / "o.csv", at=AT)


@pytest.mark.real_data
def test_two_people_of_beijing_for_two_weeks(shared_data, tmp_path):
    """GeoLife: UTC without a zone, 217,653 fixes, two people; grids of 1 km and streets drawn."""
    crs = metric_crs([116.33], [40.0])
    x0, y0 = gpd.GeoSeries([shapely.Point(116.28, 39.97)], crs=4326).to_crs(crs).iloc[0].coords[0]
    cells = [
        shapely.box(x0 + 1000 * i, y0 + 1000 * j, x0 + 1000 * i + 1000, y0 + 1000 * j + 1000)
        for j in range(5) for i in range(7)
    ]  # fmt: skip
    names = [f"HD{k:02}" for k in range(len(cells))]
    gpd.GeoDataFrame({"grid_id": names}, geometry=cells, crs=crs).to_file(tmp_path / "g.gpkg")
    lines = [shapely.LineString([(x0 + k, y0), (x0 + k, y0 + 5000)]) for k in range(125, 7000, 250)]
    gpd.GeoDataFrame(geometry=lines, crs=crs).to_file(tmp_path / "s.gpkg")
    out = tmp_path / "o.csv"
    said = run(
        shared_data / "trace_geolife_skmob" / "geolife_sample.csv.gz",
        "--grids", tmp_path / "g.gpkg", "--streets", tmp_path / "s.gpkg", "--out", out,
        "--times-in", "UTC", "--since", "2008-10-23", "--until", "2008-11-05",
    )  # fmt: skip
    assert "217,653 fixes read = 217,653 used + 0 rejected" in said
    assert "s.gpkg has no class of road: every line is a street" in said
    assert "sun's time" not in said
    found = table(out)
    assert len(found) == 14 * 3 * 35
    assert (found[["done", "partly", "missed", "unknown"]].sum(axis=1) == 1).all()
    assert found["fixes"].sum() > 1_000
    assert found["covered_share"].max() > 0.02
    assert (found["workers"] <= 2).all()
