"""The workspace: one GeoPackage, several processes, nothing half done."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from geo.errors import (
    ColumnError,
    CrsError,
    InputError,
    SchemaVersionError,
    SettingsError,
    StoreError,
    StoreWriteError,
)
from geo.io import gpkg
from geo.io.gpkg import INDEXES
from geo.io.workspace import SCHEMA_VERSION, create_workspace, open_workspace
from geo.schema import TABLES

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
CHECKER = "/usr/lib/python3/dist-packages/osgeo_utils/samples/validate_gpkg.py"


def points(count: int, *, start: int = 0) -> gpd.GeoDataFrame:
    """`count` assets on a line east from 114 E, 30 N, 0.001 degrees apart."""
    numbers = range(start, start + count)
    return gpd.GeoDataFrame(
        {"asset_id": [f"a{n}" for n in numbers], "class_code": "0118"},
        geometry=[shapely.Point(114 + n / 1000, 30) for n in numbers],
        crs="EPSG:4326",
    ).set_index("asset_id")


def a_little_of_everything(workspace):
    """One row in each table, in an order in which each refers to a later one."""
    box = shapely.box(114, 30, 115, 31)
    frames = {
        "fixes": pd.DataFrame({"worker_id": ["w"], "time": [NOON], "lon": 114.0, "lat": 30.0}),
        "incident_log": pd.DataFrame(
            {"incident_id": ["i"], "seq": [1], "at": [NOON], "stage": ["collected"]}
        ),
        "incidents": gpd.GeoDataFrame(
            {"incident_id": ["i"], "reported_at": [NOON], "stage": ["collected"]},
            geometry=[None],
            crs=4326,
        ),
        "workers": pd.DataFrame({"worker_id": ["w"], "name": ["王"], "role": ["grid_worker"]}),
        "grids": gpd.GeoDataFrame(
            {"grid_id": ["g"], "kind": "base", "version": 1, "valid_from": [NOON]}
            | {"community_code": "c"},
            geometry=[box],
            crs=4326,
        ),
        "divisions": gpd.GeoDataFrame(
            {"code": ["c"], "level": "community", "name": "社区"}, geometry=[box], crs=4326
        ),
        "assets": points(1),
    }
    with workspace.writing() as conn:
        for name, frame in frames.items():
            workspace.append(conn, name, frame)
    return frames


def run_python(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child: subprocess.Popen[str]) -> str:
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    return out


LIST_LAYERS = """
import json, sys, pyogrio
out = {}
for name, shape in pyogrio.list_layers(sys.argv[1]):
    info = pyogrio.read_info(sys.argv[1], layer=name, force_feature_count=True)
    out[name] = [shape, info["crs"], info["features"]]
print(json.dumps(out))
"""


def test_another_process_lists_every_layer_while_the_workspace_is_open(workspace):
    a_little_of_everything(workspace)
    seen = json.loads(finish(run_python(LIST_LAYERS, str(workspace.file))))
    assert {name: row[0] for name, row in seen.items()} == {
        "wangge_meta": None,
        "incident_changes": None,
        **{n: {"Geometry": "Unknown"}.get(t.shape, t.shape) for n, t in TABLES.items()},
    }
    assert {row[1] for row in seen.values() if row[0]} == {"EPSG:4326"}
    for name in TABLES:
        assert seen[name][2] == workspace.count(name), name


def test_gdals_geopackage_checks_pass(workspace):
    a_little_of_everything(workspace)
    with workspace.writing() as conn:
        workspace.append(conn, "assets", points(700, start=1))
    done = subprocess.run(
        ["/usr/bin/python3", CHECKER, "-k", str(workspace.file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


WRITE = """
import sys
sys.path[:0] = [sys.argv[4]]
from test_workspace import points
from geo.io.workspace import open_workspace
first, count = int(sys.argv[2]), int(sys.argv[3])
with open_workspace(sys.argv[1]) as workspace:
    for start in range(first, first + count, 10):
        with workspace.writing() as conn:
            workspace.append(conn, "assets", points(10, start=start))
"""


def test_two_processes_write_at_the_same_time_and_nothing_is_lost(workspace):
    here = str(Path(__file__).parent)
    children = [
        run_python(WRITE, str(workspace.path), str(first), "300", here) for first in (0, 1000)
    ]
    for start in range(2000, 2300, 10):
        with workspace.writing() as conn:
            workspace.append(conn, "assets", points(10, start=start))
    for child in children:
        finish(child)
    assert workspace.count("assets") == 900
    assert workspace.read("assets").index.is_unique


def test_gdal_in_another_process_edits_a_row_and_we_see_it(workspace):
    a_little_of_everything(workspace)
    before = workspace.stamp("assets")
    code = """
import sys, geopandas as gpd, shapely
row = gpd.GeoDataFrame({"asset_id": ["q"], "class_code": ["0101"]},
                       geometry=[shapely.Point(114.5, 30.5)], crs=4326)
row.to_file(sys.argv[1], layer="assets", mode="a")
"""
    finish(run_python(code, str(workspace.file)))
    assert list(workspace.read("assets").index) == ["a0", "q"]
    assert list(workspace.read("assets", bbox=(114.4, 30.4, 114.6, 30.6)).index) == ["q"]
    assert workspace.stamp("assets") != before


def test_what_is_stored_comes_back(workspace):
    frames = a_little_of_everything(workspace)
    for name in ("workers", "divisions", "grids", "assets", "incidents"):
        stored = workspace.read(name).reset_index()
        for column, value in frames[name].reset_index().iloc[0].items():
            if column in ("geometry", "index"):
                continue
            assert stored.iloc[0][column] == value, f"{name}.{column}"
    assert workspace.read("grids").geometry.iloc[0].equals(shapely.box(114, 30, 115, 31))
    assert workspace.read("grids").geometry.iloc[0].geom_type == "MultiPolygon"
    assert workspace.read("incidents").geometry.iloc[0] is None


@pytest.mark.parametrize("count", [3, 800], ids=["by trigger", "in bulk"])
def test_the_spatial_index_finds_exactly_what_lies_in_the_box(workspace, count):
    with workspace.writing() as conn:
        workspace.append(conn, "assets", points(count))
    inside = workspace.read("assets", bbox=(114.0005, 29.9, 114.0025, 30.1))
    assert list(inside.index) == ["a1", "a2"]
    with workspace.writing() as conn:
        workspace.delete(conn, "assets", workspace.table("assets").c.asset_id == "a1")
        conn.execute(
            sa.update(workspace.table("assets")).where(sa.text("asset_id = 'a0'")),
            {"asset_id": "moved"},
        )
    assert list(workspace.read("assets", bbox=(114, 29.9, 114.0025, 30.1)).index) == ["moved", "a2"]


def test_a_transaction_that_fails_leaves_no_trace(workspace):
    def load_and_fail():
        with workspace.writing() as conn:
            workspace.append(conn, "assets", points(600))
            raise RuntimeError("in the middle")

    before = workspace.stamp()
    with pytest.raises(RuntimeError, match="in the middle"):
        load_and_fail()
    assert workspace.count("assets") == 0
    assert workspace.stamp() == before
    with workspace.writing() as conn:
        workspace.append(conn, "assets", points(1))
    assert len(workspace.read("assets", bbox=(113, 29, 115, 31))) == 1


def test_a_disk_that_takes_nothing_is_told_in_words_and_nothing_is_changed(workspace):
    def write(pragma):
        with workspace.writing() as conn:
            conn.exec_driver_sql(f"PRAGMA {pragma}")
            workspace.append(conn, "assets", points(2_000))

    for words, pragma in (("disk is full", "max_page_count = 1"), ("read-only", "query_only = 1")):
        with pytest.raises(StoreWriteError, match=words) as caught:
            write(pragma)
        assert "http" not in str(caught.value)
        assert str(workspace.file) in str(caught.value)
        assert workspace.count("assets") == 0


def test_the_stamp_changes_with_its_own_tables_only(workspace):
    assets, workers = workspace.stamp("assets"), workspace.stamp("workers")
    stamps = {assets}
    for start in range(5):
        with workspace.writing() as conn:
            workspace.append(conn, "assets", points(1, start=start))
        stamps.add(workspace.stamp("assets"))
    assert len(stamps) == 6
    assert workspace.stamp("workers") == workers


def test_grids_in_force_are_those_of_the_moment(workspace):
    box = shapely.box(114, 30, 115, 31)
    later = NOON + timedelta(days=1)
    frame = gpd.GeoDataFrame(
        {
            "grid_id": ["g", "g"],
            "kind": "base",
            "version": [1, 2],
            "valid_from": [NOON, later],
            "valid_to": [later, pd.NaT],
        },
        geometry=[box, box],
        crs=4326,
    )
    with workspace.writing() as conn:
        workspace.append(conn, "grids", frame)
    assert list(workspace.grids().version) == [2]
    assert list(workspace.grids(at=NOON).version) == [1]
    assert list(workspace.grids(at=later).version) == [2]
    assert list(workspace.grids(at=NOON - timedelta(seconds=1)).version) == []


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        (points(2).to_crs(3857), CrsError, "call geo.datum.to_wgs84 first"),
        (points(2).assign(colour="red"), ColumnError, "assets has no column colour: it has"),
        (points(2).drop(columns="class_code"), ColumnError, "assets needs class_code"),
        (points(2).assign(class_code=["1", None]), InputError, "class_code is empty in row 1"),
        (points(2).set_geometry([None, None]), InputError, "row 0 has no geometry"),
        (pd.concat([points(2), points(1)]), InputError, "same assets.asset_id is there already"),
    ],
    ids=["metres", "unknown column", "lacks a column", "empty", "no place", "twice"],
)
def test_a_frame_that_does_not_fit_is_refused_in_words(workspace, frame, error, words):
    def store():
        with workspace.writing() as conn:
            workspace.append(conn, "assets", frame)

    with pytest.raises(error, match=words):
        store()
    assert workspace.count("assets") == 0


def test_a_fix_of_an_unknown_worker_is_refused(workspace):
    fix = pd.DataFrame({"worker_id": ["who"], "time": [NOON], "lon": 114.0, "lat": 30.0})

    def store():
        with workspace.writing() as conn:
            workspace.append(conn, "fixes", fix)

    with pytest.raises(InputError, match="worker or incident that is not there"):
        store()


def test_times_without_a_zone_are_refused(workspace):
    noon = NOON.replace(tzinfo=None)
    frame = pd.DataFrame({"worker_id": ["w"], "time": [noon], "lon": 1.0, "lat": 1.0})

    def store():
        with workspace.writing() as conn:
            workspace.append(conn, "fixes", frame)

    with pytest.raises(InputError, match=r"fixes\.time .* have no zone"):
        store()


def test_an_older_file_is_copied_and_brought_up_to_date(workspace):
    a_little_of_everything(workspace)
    workspace.close()
    newer = SCHEMA_VERSION + 1

    def add_a_column(conn):
        conn.exec_driver_sql("ALTER TABLE workers ADD COLUMN badge TEXT")

    steps = {SCHEMA_VERSION: add_a_column}
    with open_workspace(workspace.path, migrations=steps, version=newer) as opened:
        assert opened.schema_version() == newer
        assert opened.count("workers") == 1
    copy = workspace.file.with_name(f"city.gpkg.v{SCHEMA_VERSION}")
    with sqlite3.connect(copy) as old:
        assert len(old.execute("SELECT * FROM workers").fetchone()) == 6
    old.close()
    with pytest.raises(SchemaVersionError, match="update the program"):
        open_workspace(workspace.path)


def test_of_two_that_open_an_older_file_one_brings_it_up(workspace):
    workspace.close()
    newer, calls = SCHEMA_VERSION + 1, []

    def slow(conn):
        calls.append(1)
        other.start()
        conn.exec_driver_sql("ALTER TABLE workers ADD COLUMN badge TEXT")

    def open_it():
        with open_workspace(
            workspace.path, migrations={SCHEMA_VERSION: slow}, version=newer
        ) as opened:
            assert opened.schema_version() == newer

    other = threading.Thread(target=open_it)
    open_it()
    other.join()
    assert calls == [1]
    assert len(list(workspace.path.glob("city.gpkg.v*"))) == 1


def test_a_copy_of_an_older_file_is_never_written_over(workspace):
    workspace.close()
    copy = workspace.file.with_name(f"city.gpkg.v{SCHEMA_VERSION}")
    copy.write_text("the only copy of something dear")
    steps = {SCHEMA_VERSION: lambda conn: None}
    open_workspace(workspace.path, migrations=steps, version=SCHEMA_VERSION + 1).close()
    assert copy.read_text() == "the only copy of something dear"
    assert copy.with_name(f"{copy.name}-2").is_file()


DOWN_TO_1 = """
DROP TRIGGER wangge_guard_update; DROP TRIGGER wangge_guard_delete;
DROP TRIGGER wangge_watch_insert; DROP TRIGGER wangge_watch_update;
DROP TRIGGER wangge_watch_delete;
DROP TABLE plan_edits; DROP TABLE plan_moves; DROP TABLE plan_comments; DROP TABLE plans;
DROP TABLE grid_parents;
DROP TABLE devices; DROP TABLE ingest_counts; DROP TABLE patrol_alarms; DROP TABLE track_views;
DELETE FROM gpkg_contents
    WHERE table_name IN ('devices', 'ingest_counts', 'patrol_alarms', 'track_views', 'plans',
        'plan_edits', 'plan_moves', 'plan_comments', 'grid_parents');
DROP TABLE incident_changes; DROP TABLE calendar; DROP TABLE zones; DROP TABLE rtree_zones_geom;
DELETE FROM gpkg_contents WHERE table_name IN ('incident_changes', 'calendar', 'zones');
DELETE FROM gpkg_geometry_columns WHERE table_name = 'zones';
DELETE FROM gpkg_extensions WHERE table_name = 'zones';
UPDATE wangge_meta SET value = '1' WHERE key = 'schema_version';
"""
ADDED_IN_2 = {
    "incidents": "condition owner level paused_until address",
    "incident_log": "move role owner level until other_id condition",
}


def layout_of(file):
    """Columns of every table with type and whether they may be empty, and what else there is."""
    with contextlib.closing(sqlite3.connect(file)) as conn:
        things = conn.execute(
            "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        tables = [name for kind, name, _ in things if kind == "table"]
        columns = {
            table: {row[1]: row[2:4] for row in conn.execute(f"PRAGMA table_info({table})")}
            for table in tables
        }
        names = conn.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall()
    return set(things), columns, set(names)


def test_a_file_of_the_first_layout_becomes_what_a_new_one_is(workspace, tmp_path):
    a_little_of_everything(workspace)
    workspace.close()
    fresh = layout_of(workspace.file)
    logged = len(workspace.read("incident_log"))
    workspace.close()
    old = sqlite3.connect(workspace.file)
    for index in INDEXES["incidents"]:
        old.execute(f"DROP INDEX IF EXISTS ix_incidents_{'_'.join(index)}")
    old.executescript(DOWN_TO_1)
    for table, columns in ADDED_IN_2.items():
        for column in columns.split():
            old.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for index in (("reported_at",), ("closed_at", "deadline"), ("stage", "reported_at")):
        old.execute(
            f"CREATE INDEX ix_incidents_{'_'.join(index)} ON incidents ({', '.join(index)})"
        )
    old.close()
    with open_workspace(workspace.path) as opened:
        assert len(opened.read("incident_log")) == logged
        assert opened.changes_since(0).fids == ()
    things, columns, names = layout_of(workspace.file)
    assert columns == fresh[1]
    assert (things, names) == (fresh[0], fresh[2])


def test_a_step_that_fails_leaves_the_older_file_as_it_was(workspace):
    workspace.close()

    def fail(conn):
        conn.exec_driver_sql("ALTER TABLE workers ADD COLUMN badge TEXT")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        open_workspace(
            workspace.path, migrations={SCHEMA_VERSION: fail}, version=SCHEMA_VERSION + 1
        )
    with open_workspace(workspace.path) as opened:
        assert opened.schema_version() == SCHEMA_VERSION
        assert "badge" not in opened.read("workers").columns


def test_a_file_too_old_to_be_brought_up_says_so(workspace):
    workspace.close()
    with pytest.raises(SchemaVersionError, match="cannot be brought to 9"):
        open_workspace(workspace.path, migrations={}, version=9)


def test_what_is_no_workspace_is_refused_in_one_line(tmp_path):
    with pytest.raises(StoreError, match="make one with wangge init"):
        open_workspace(tmp_path)
    (tmp_path / "city.gpkg").write_text("no database")
    with pytest.raises(StoreError, match="not a workspace of ours: file is not a database"):
        open_workspace(tmp_path)
    (tmp_path / "city.gpkg").unlink()
    gpd.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs=4326).to_file(tmp_path / "city.gpkg")
    with pytest.raises(StoreError, match="not a workspace of ours: no such table"):
        open_workspace(tmp_path)


def test_a_city_is_never_made_over_another(workspace):
    with pytest.raises(StoreError, match="is there already"):
        create_workspace(workspace.path)


def test_fixes_of_sealed_days_and_of_the_hot_table_read_as_one(workspace):
    a_little_of_everything(workspace)
    # 23:30 and 00:30 in Shanghai: two local days, one day in UTC.
    late = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
    early = datetime(2026, 11, 19, 16, 30, tzinfo=UTC)
    old = pd.DataFrame({"worker_id": "w", "time": [late, early, NOON], "lon": 114.0, "lat": 30.0})
    assert workspace.seal_fixes(old, timezone="Asia/Shanghai") == 3
    assert [str(day) for day in workspace.days_of_fixes()] == [
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
    ]
    both = workspace.read_fixes()
    assert list(both.time) == [late, early, NOON]
    assert str(both.time.dtype) == "datetime64[us, UTC]"
    assert list(workspace.read_fixes(since=early, until=NOON).time) == [early]
    there = ZoneInfo("Asia/Shanghai")
    ours = workspace.read_fixes(since=early.astimezone(there), until=NOON.astimezone(there))
    assert list(ours.time) == [early]
    assert workspace.read_fixes(workers=["nobody"]).empty


def test_who_follows_the_hot_table_reads_only_what_is_new(workspace, monkeypatch):
    a_little_of_everything(workspace)
    monkeypatch.setattr("geo.io.workspace._ROWS_AT_ONCE", 2)
    known, last = workspace.read_hot_fixes()
    assert len(known) == workspace.count("fixes")
    none, same = workspace.read_hot_fixes(after=last)
    assert none.empty
    assert same == last
    times = [NOON + timedelta(seconds=k, milliseconds=120) for k in range(1, 6)]
    more = pd.DataFrame(
        {
            "worker_id": "w", "time": times, "lon": 114.0, "lat": 30.0,
            "accuracy_m": [5.0, None, 7.5, None, 0.0],
            "mock": pd.array([True, None, False, None, None], dtype="boolean"),
        }
    )  # fmt: skip
    with workspace.writing() as conn:
        workspace.append(conn, "fixes", more)
    new, last = workspace.read_hot_fixes(after=last)
    assert list(new.time) == times
    assert list(new.worker_id) == ["w"] * 5
    slow = workspace.read("fixes").reset_index().iloc[len(known) :][list(new)]
    pd.testing.assert_frame_equal(new, slow.reset_index(drop=True))
    assert workspace.read_hot_fixes(after=last - 1)[0].time.iloc[0] == times[-1]
    assert len(workspace.read_hot_fixes(since=times[1], until=times[3])[0]) == 2


def test_a_copied_folder_is_the_same_city(workspace, tmp_path):
    a_little_of_everything(workspace)
    workspace.close()
    shutil.copytree(workspace.path, tmp_path / "copy")
    with open_workspace(tmp_path / "copy") as copy:
        assert {n: copy.count(n) for n in TABLES} == {n: workspace.count(n) for n in TABLES}


def change(workspace, statement):
    with workspace.writing() as conn:
        conn.exec_driver_sql(statement)


def test_what_changed_among_incidents_is_known_to_all(workspace):
    a_little_of_everything(workspace)
    before = workspace.changes_since(None)
    assert before.fids is None
    assert workspace.count("incidents") == 1
    change(workspace, "UPDATE incidents SET stage = 'closed'")
    after = workspace.changes_since(before.seq)
    assert after.fids == (1,)
    assert workspace.changes_since(after.seq).fids == ()
    with contextlib.closing(sqlite3.connect(workspace.file)) as other:
        gpkg.register_functions(other)
        other.execute("UPDATE incidents SET description = 'by QGIS'")
        other.commit()
    assert workspace.changes_since(after.seq).fids == (1,)


def test_after_a_bulk_load_or_too_long_all_incidents_are_read_again(workspace, monkeypatch):
    seen = workspace.changes_since(None)
    rows = pd.DataFrame(
        {
            "incident_id": [f"I{k}" for k in range(600)],
            "reported_at": pd.Timestamp("2026-11-20T02:00Z"),
            "stage": "collected",
        }
    )
    shaped = gpd.GeoDataFrame(rows, geometry=[None] * len(rows), crs="EPSG:4326")
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", shaped)
    assert workspace.changes_since(seen.seq).fids is None
    seen = workspace.changes_since(None)
    change(workspace, "UPDATE incidents SET stage = 'opened' WHERE fid <= 3")
    assert set(workspace.changes_since(seen.seq).fids) == {1, 2, 3}
    change(workspace, f"DELETE FROM incident_changes WHERE seq <= {seen.seq + 2}")
    assert workspace.changes_since(seen.seq).fids is None


@pytest.mark.parametrize(
    "statement", ["UPDATE incident_log SET note = 'x'", "DELETE FROM incident_log"]
)
def test_nobody_edits_the_log(workspace, statement):
    a_little_of_everything(workspace)
    with pytest.raises(InputError, match="only ever added to"):
        change(workspace, statement)


def test_the_zone_is_that_of_the_settings(workspace):
    assert str(workspace.zone) == "Asia/Shanghai"
    file = workspace.path / "settings.toml"
    file.write_text('timezone = "Europe/Helsinki"')
    assert str(workspace.zone) == "Europe/Helsinki"
    file.write_text('timezone = "Moon/Base"')
    with pytest.raises(SettingsError, match="Asia/Shanghai"):
        _ = workspace.zone
