"""Columns of incidents against the table that they were read from, through changes of all kinds."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, InputError
from geo.io.case_columns import (
    NEVER,
    CaseColumns,
    CaseStore,
    case_columns,
    local_days,
    local_hours,
    read_case_columns,
)
from geo.io.workspace import Workspace
from geo.schema import STAGES

AT = datetime(2026, 11, 21, 3, 20, 5, 700_000, tzinfo=UTC)


def frame_of(count: int, first: int = 0) -> gpd.GeoDataFrame:
    """Incidents by number: every third without a place, every second closed a day later."""
    numbers = range(first, first + count)
    places = [None if k % 3 == 2 else (114.0 + k / 1000, 30.0 + k / 2000) for k in numbers]
    reported = [AT + timedelta(minutes=k) for k in numbers]
    frame = pd.DataFrame(
        {
            "incident_id": [f"c{k}" for k in numbers],
            "class_code": [None if k % 5 == 4 else f"E010{k % 3}" for k in numbers],
            "lon": [None if place is None else place[0] for place in places],
            "lat": [None if place is None else place[1] for place in places],
            "source": ["patrol" if k % 2 else None for k in numbers],
            "reported_at": pd.DatetimeIndex(reported),
            "stage": ["closed" if k % 2 else "opened" for k in numbers],
            "closed_at": pd.to_datetime(
                [
                    at + timedelta(days=1) if k % 2 else None
                    for k, at in zip(numbers, reported, strict=False)
                ],
                utc=True,
            ),
            "owner": [f"unit {k % 4}" for k in numbers],
            "level": "street",
        }
    )
    shapes = [None if place is None else shapely.Point(place) for place in places]
    return gpd.GeoDataFrame(frame, geometry=shapes, crs="EPSG:4326")


def put(workspace: Workspace, frame: gpd.GeoDataFrame) -> None:
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", frame)


def run(workspace: Workspace, *statements: str) -> None:
    with workspace.writing() as conn:
        for statement in statements:
            conn.exec_driver_sql(statement)
        workspace.touch(conn, "incidents")


def require_equal(one: CaseColumns, other: CaseColumns) -> None:
    """The same rows, whatever numbers the texts have."""
    assert len(one) == len(other)
    for name in ("fid", "lon", "lat", "reported", "closed", "deadline", "stage", "level"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name, table in (("class_code", "classes"), ("owner", "owners"), ("source", "sources")):
        told = [
            [(*getattr(cases, table), "")[code] for code in getattr(cases, name)]
            for cases in (one, other)
        ]
        assert told[0] == told[1], name


def test_each_row_stands_as_the_table_has_it(workspace: Workspace) -> None:
    put(workspace, frame_of(4))
    cases = read_case_columns(workspace)
    assert cases.fid.tolist() == [1, 2, 3, 4]
    second = int(AT.timestamp())
    assert cases.reported.tolist() == [second, second + 60, second + 120, second + 180]
    assert cases.closed.tolist() == [NEVER, second + 60 + 86400, NEVER, second + 180 + 86400]
    assert (cases.deadline == NEVER).all()
    np.testing.assert_array_equal(cases.lon, [114.0, 114.001, np.nan, 114.003])
    assert cases.placed.tolist() == [True, True, False, True]
    assert cases.is_open.tolist() == [True, False, True, False]
    assert [cases.classes[k] for k in cases.class_code] == ["E0100", "E0101", "E0102", "E0100"]
    assert cases.sources == ("patrol",)
    assert cases.source.tolist() == [-1, 0, -1, 0]
    assert list(cases.stage_words()) == ["opened", "closed", "opened", "closed"]
    assert list(cases.class_words()) == ["E0100", "E0101", "E0102", "E0100"]
    assert cases.codes("classes", ["E0102", "none of ours"]).tolist() == [2]
    assert cases.nbytes == 4 * 58


def test_nobody_can_change_what_was_handed_out(workspace: Workspace) -> None:
    put(workspace, frame_of(3))
    cases = read_case_columns(workspace)
    with pytest.raises(ValueError, match="read-only"):
        cases.lon[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        cases.select(np.array([True, False, True])).stage[0] = 1


def test_an_empty_city_has_empty_columns(workspace: Workspace) -> None:
    cases = read_case_columns(workspace)
    assert len(cases) == 0
    assert cases.lon.dtype == np.float64
    assert cases.classes == ()
    assert len(local_days(cases.reported, ZoneInfo("Asia/Shanghai"))) == 0


def test_times_that_another_program_wrote_are_read_with_care(workspace: Workspace) -> None:
    put(workspace, frame_of(3))
    run(
        workspace,
        "UPDATE incidents SET reported_at = '2026-11-21T11:20:05.9+08:00' WHERE fid = 1",
        "UPDATE incidents SET closed_at = '1969-12-31T23:59:58.500Z' WHERE fid = 2",
        "UPDATE incidents SET deadline = 'soon' WHERE fid = 3",
    )
    cases = read_case_columns(workspace)
    assert cases.reported[0] == int(AT.timestamp())
    assert cases.closed[1] == -2
    assert cases.deadline[2] == NEVER


CHANGES: dict[str, Any] = {
    "a case moves": ["UPDATE incidents SET stage = 'handling', owner = 'new' WHERE fid = 2"],
    "a case loses its place": ["UPDATE incidents SET lon = NULL, lat = NULL WHERE fid = 1"],
    "a case is deleted": ["DELETE FROM incidents WHERE fid IN (3, 9)"],
    "deleted and changed": [
        "DELETE FROM incidents WHERE fid = 1",
        "UPDATE incidents SET level = 'city', class_code = 'E9999' WHERE fid = 7",
    ],
    "touched without a change": [],
}


@pytest.mark.parametrize("name", CHANGES)
def test_after_changes_the_store_has_what_reading_anew_has(workspace: Workspace, name: str) -> None:
    put(workspace, frame_of(10))
    store = CaseStore(workspace)
    before = store.refresh()
    kept = {name: getattr(before, name).copy() for name in ("fid", "stage", "owner", "lon")}
    run(workspace, *CHANGES[name])
    after = store.refresh()
    require_equal(after, read_case_columns(workspace))
    assert (after.version == before.version) == (after is before)
    for column, values in kept.items():
        np.testing.assert_array_equal(getattr(before, column), values)


def test_new_rows_share_the_columns_of_the_old_and_leave_them_alone(workspace: Workspace) -> None:
    put(workspace, frame_of(6))
    store = CaseStore(workspace)
    store.refresh()
    put(workspace, frame_of(3, 6))
    middle = store.refresh()
    put(workspace, frame_of(3, 9))
    after = store.refresh()
    require_equal(after, read_case_columns(workspace))
    assert len(middle) == 9
    assert len(after) == 12
    assert np.shares_memory(middle.lon, after.lon)


def test_a_move_of_one_case_copies_only_what_differs(workspace: Workspace) -> None:
    put(workspace, frame_of(6))
    store = CaseStore(workspace)
    before = store.refresh()
    run(workspace, "UPDATE incidents SET stage = 'handling' WHERE fid = 1")
    after = store.refresh()
    assert np.shares_memory(before.lon, after.lon)
    assert np.shares_memory(before.lat, after.lat)
    assert not np.shares_memory(before.stage, after.stage)


def test_without_a_change_the_same_object_comes_back(workspace: Workspace) -> None:
    put(workspace, frame_of(2))
    store = CaseStore(workspace)
    assert store.refresh() is store.refresh()


def test_after_a_bulk_load_everything_is_read(workspace: Workspace) -> None:
    put(workspace, frame_of(5))
    store = CaseStore(workspace)
    store.refresh()
    put(workspace, frame_of(600, 5))
    after = store.refresh()
    assert len(after) == 605
    require_equal(after, read_case_columns(workspace))


@pytest.mark.parametrize("seed", range(3))
def test_any_run_of_changes_ends_where_reading_anew_does(workspace: Workspace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    put(workspace, frame_of(20))
    store, count = CaseStore(workspace), 20
    store.refresh()
    for _ in range(12):
        for _ in range(int(rng.integers(1, 4))):
            kind, fid = int(rng.integers(4)), int(rng.integers(1, count + 1))
            stage = STAGES[int(rng.integers(len(STAGES)))]
            if kind == 0:
                put(workspace, frame_of(2, count))
                count += 2
            elif kind == 1:
                run(workspace, f"DELETE FROM incidents WHERE fid = {fid}")
            else:
                run(workspace, f"UPDATE incidents SET stage = '{stage}' WHERE fid = {fid}")
        require_equal(store.refresh(), read_case_columns(workspace))


def test_get_never_waits_and_answers_once_it_was_read(workspace: Workspace) -> None:
    put(workspace, frame_of(5))
    now = [0.0]
    store = CaseStore(workspace, tick=lambda: now[0])
    first = store.get()
    assert first is None or len(first) == 5
    assert len(store.wait(30)) == 5
    assert store.progress == 1.0
    assert store.error == ""
    run(workspace, "DELETE FROM incidents WHERE fid = 1")
    assert store.wait(30).fid.tolist() == [2, 3, 4, 5]
    run(workspace, "DELETE FROM incidents WHERE fid = 2")
    now[0] += 10
    store.get()
    for thread in threading.enumerate():
        if thread.name == "wangge-case-columns":
            thread.join(30)
    found = store.get()
    assert found is not None
    assert found.fid.tolist() == [3, 4, 5]


def test_many_threads_see_whole_states_only(workspace: Workspace) -> None:
    put(workspace, frame_of(50))
    store, seen = CaseStore(workspace, tick=lambda: 0.0), []

    def look() -> None:
        for _ in range(20):
            cases = store.refresh()
            seen.append(len({len(getattr(cases, name)) for name in ("fid", "lon", "stage")}) == 1)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for k in range(10):
        put(workspace, frame_of(2, 50 + 2 * k))
    for thread in threads:
        thread.join()
    assert all(seen)
    assert len(store.refresh()) == 70


def test_a_frame_makes_the_same_columns(workspace: Workspace) -> None:
    frame = frame_of(9)
    put(workspace, frame)
    require_equal(case_columns(frame), read_case_columns(workspace))
    assert len(case_columns(frame.iloc[:0])) == 0


def test_a_frame_without_zone_or_place_is_refused() -> None:
    frame = pd.DataFrame(frame_of(2))
    with pytest.raises(ColumnError, match="lat"):
        case_columns(frame.drop(columns="lat"))
    with pytest.raises(InputError, match="no zone"):
        case_columns(frame.assign(reported_at=frame["reported_at"].dt.tz_localize(None)))


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"])
@settings(deadline=None)
@given(st.lists(st.integers(-1_000_000_000, 2_500_000_000), min_size=1, max_size=8))
def test_local_days_and_hours_are_those_of_the_clock(zone: str, moments: list[int]) -> None:
    where = ZoneInfo(zone)
    seconds = np.array([NEVER, *moments], dtype=np.int64)
    days, hours = local_days(seconds, where), local_hours(seconds, where)
    assert days[0] == np.iinfo(np.int32).min
    assert hours[0] == -1
    for k, moment in enumerate(moments, start=1):
        here = datetime.fromtimestamp(moment, UTC).astimezone(where)
        assert days[k] == (here.date() - date(1970, 1, 1)).days
        assert hours[k] == here.hour


@pytest.mark.real_data
def test_baltimore_is_read_whole(shared_data: Path) -> None:
    file = shared_data / "inc_baltimore_311" / "311_sample.csv"
    told = pd.read_csv(file)
    frame = pd.DataFrame(
        {
            "lon": pd.to_numeric(told["Longitude"], errors="coerce"),
            "lat": pd.to_numeric(told["Latitude"], errors="coerce"),
            "reported_at": pd.to_datetime(told["CreatedDate"]).dt.tz_localize(
                "America/New_York", ambiguous=True, nonexistent="shift_forward"
            ),
        }
    )
    cases = case_columns(frame)
    days = local_days(cases.reported, ZoneInfo("America/New_York"))
    assert len(cases) == len(told)
    by_hand = pd.to_datetime(told["CreatedDate"]).dt.normalize()
    assert (pd.to_datetime(days, unit="D") == by_hand).all()
