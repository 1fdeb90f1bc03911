"""Rounds and streets reached, from the tables of a workspace to the figures of a page."""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from dashboards.city import read_city
from dashboards.patrols import PatrolDay, read_ground, read_patrol
from dashboards.settings import Settings
from geo.io.workspace import Workspace

EVENING = datetime(2026, 11, 21, 15, tzinfo=UTC)
EIGHT = pd.Timestamp("2026-11-21T00:00Z")
WEST, SOUTH = 114.30, 30.60


@pytest.fixture
def patrolled(workspace: Workspace) -> Workspace:
    """Two grids side by side, a street through both, a worker who walks it in the first one."""
    boxes = [
        shapely.box(WEST + k * 0.003, SOUTH, WEST + (k + 1) * 0.003, SOUTH + 0.003)
        for k in range(2)
    ]
    grids = gpd.GeoDataFrame(
        {"grid_id": ["A", "B"], "kind": "base", "version": 1, "valid_from": EIGHT},
        geometry=boxes,
        crs=4326,
    )
    street = shapely.LineString([(WEST, SOUTH + 0.0015), (WEST + 0.006, SOUTH + 0.0015)])
    roads = gpd.GeoDataFrame(
        {"road_id": ["r"], "road_class": ["minor"]}, geometry=[street], crs=4326
    )
    people = pd.DataFrame(
        {"worker_id": ["w", "v"], "name": "某人", "role": "grid_worker", "unit_code": ["A", "B"]}
    )
    minute = np.arange(60)
    fixes = pd.DataFrame(
        {
            "worker_id": "w",
            "time": EIGHT + pd.to_timedelta(minute, unit="min"),
            "lon": WEST + 0.0029 * np.abs(minute - 30) / 30,
            "lat": SOUTH + 0.0015,
        }
    )
    tables = {"grids": grids, "roads": roads, "workers": people, "fixes": fixes}
    with workspace.writing() as conn:
        for name, frame in tables.items():
            workspace.append(conn, name, frame)
    return workspace


def test_rounds_and_streets_of_today_come_by_row_of_the_grid(patrolled: Workspace) -> None:
    city = read_city(patrolled, EVENING)
    ground = read_ground(patrolled, city, "1")
    assert ground is not None
    found = read_patrol(patrolled, ground, patrolled.read("workers"), EVENING, Settings())
    assert found is not None
    assert found.required.tolist() == [3, 3]
    assert found.done.tolist() == [1, 0]
    assert found.street_m.sum() == pytest.approx(575, rel=0.01)
    # The first grid to its end and what lies within 20 m of it, less the last 10 m of the walk.
    assert found.covered_m[0] == pytest.approx(found.street_m[0], rel=0.01)
    assert 5 < found.covered_m[1] < 20


def test_a_day_without_fixes_is_not_known(patrolled: Workspace) -> None:
    city = read_city(patrolled, EVENING)
    ground = read_ground(patrolled, city, "1")
    assert ground is not None
    tomorrow = datetime(2026, 11, 22, 15, tzinfo=UTC)
    people = patrolled.read("workers")
    assert read_patrol(patrolled, ground, people, tomorrow, Settings()) is None


def test_a_city_without_grids_has_no_ground(workspace: Workspace) -> None:
    assert read_ground(workspace, read_city(workspace, EVENING), "1") is None


def test_a_day_that_is_followed_says_the_same_as_one_read_at_once(patrolled: Workspace) -> None:
    city = read_city(patrolled, EVENING)
    ground = read_ground(patrolled, city, "1")
    assert ground is not None
    people, settings, day = patrolled.read("workers"), Settings(), PatrolDay()
    noon = pd.Timestamp("2026-11-21T04:00Z")
    for k in range(4):
        minute = np.arange(15 * k, 15 * (k + 1))
        more = pd.DataFrame(
            {
                "worker_id": "v",
                "time": noon + pd.to_timedelta(minute, unit="min"),
                "lon": WEST + 0.003 + 0.0029 * np.abs(minute - 30) / 30,
                "lat": SOUTH + 0.0015,
            }
        )
        with patrolled.writing() as conn:
            patrolled.append(conn, "fixes", more)
        found = day.read(patrolled, ground, people, EVENING, settings)
        fresh = read_patrol(patrolled, ground, people, EVENING, settings)
        assert found is not None
        assert fresh is not None
        for name in ("required", "done", "street_m", "covered_m"):
            np.testing.assert_allclose(getattr(found, name), getattr(fresh, name))
    assert found.done.tolist() == [1, 1]


def test_the_schedule_of_the_city_and_its_distance_decide(patrolled: Workspace) -> None:
    city = read_city(patrolled, EVENING)
    ground = read_ground(patrolled, city, "1")
    assert ground is not None
    day, people = PatrolDay(), patrolled.read("workers")
    near = day.read(patrolled, ground, people, EVENING, Settings(reach_m=5.0))
    far = day.read(patrolled, ground, people, EVENING, Settings(reach_m=50.0))
    assert near is not None
    assert far is not None
    assert near.covered_m.sum() < far.covered_m.sum()
    rules = patrolled.path / "rules"
    rules.mkdir()
    (rules / "rounds.csv").write_text(
        "shift,unit,start,minutes\nnoon,,12:00,0\nevening,,18:00,0\nmorning,B,08:00,0\n"
    )
    found = day.read(patrolled, ground, people, EVENING, Settings())
    assert found is not None
    assert (found.required.tolist(), found.done.tolist()) == ([1, 0], [1, 0])
