"""A city of twelve grids that can be drawn, at a moment that stands still.

    row 2   8  9 | 10 11        grid ids: community + 001 … 006, numbers here are rows
    row 1   4  5 |  6  7        west of the bar 东湖社区, 东街街道
    row 0   0  1 |  2  3        east of it      南湖社区, 南湖街道

Every grid is 0.002 degrees wide and high; the south-west corner is at 114.300 E, 30.500 N.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from dash import Dash

from dashboards.app import create_app
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace

AT = datetime(2026, 11, 21, 6, 9, 32, tzinfo=UTC)
"""Saturday 14:09:32 in Shanghai."""

WEST, SOUTH, SIDE = 114.3, 30.5, 0.002
COMMUNITIES = ("420102001001", "420102002001")


def grid_ids() -> list[str]:
    """Ids in the order of the rows of the drawing."""
    seen = dict.fromkeys(COMMUNITIES, 0)
    ids = []
    for k in range(12):
        code = COMMUNITIES[(k % 4) // 2]
        seen[code] += 1
        ids.append(f"{code}{seen[code]:03d}")
    return ids


def middle(k: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of grid number k."""
    return WEST + SIDE * (k % 4 + 0.5), SOUTH + SIDE * (k // 4 + 0.5)


def _square(column: float, row: float, columns: float = 1, rows: float = 1) -> shapely.Polygon:
    def at(number: float, start: float) -> float:
        return round(start + SIDE * number, 9)

    return shapely.box(
        at(column, WEST), at(row, SOUTH), at(column + columns, WEST), at(row + rows, SOUTH)
    )


def _grid_frame() -> gpd.GeoDataFrame:
    count = 12
    return gpd.GeoDataFrame(
        {
            "grid_id": grid_ids(),
            "name": [f"{'东湖' if (k % 4) < 2 else '南湖'}第{k}网格" for k in range(count)],
            "kind": "base",
            "community_code": [COMMUNITIES[(k % 4) // 2] for k in range(count)],
            "households": pd.array([200 + 10 * k for k in range(11)] + [None], dtype="Int64"),
            "population": pd.array([600 + 10 * k for k in range(11)] + [None], dtype="Int64"),
            "version": 1,
            "valid_from": pd.Timestamp("2026-01-01", tz="UTC"),
        },
        geometry=[_square(k % 4, k // 4) for k in range(count)],
        crs="EPSG:4326",
    )


def _union(*columns: int) -> shapely.Geometry:
    """Some columns of grids as one shape that keeps every vertex on its border."""
    return shapely.coverage_union_all([_square(c, r) for c in columns for r in range(3)])


def _division_frame() -> gpd.GeoDataFrame:
    rows = [
        ("420100000000", "city", "江城市", None, _union(0, 1, 2, 3)),
        ("420102000000", "district", "江岸区", "420100000000", _union(0, 1, 2, 3)),
        ("420102001000", "street", "东街街道", "420102000000", _union(0, 1)),
        ("420102002000", "street", "南湖街道", "420102000000", _union(2, 3)),
        ("420102001001", "community", "东湖社区", "420102001000", _union(0, 1)),
        ("420102002001", "community", "南湖社区", "420102002000", _union(2, 3)),
    ]
    return gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=["code", "level", "name", "parent_code", "geometry"]),
        geometry="geometry",
        crs="EPSG:4326",
    )


def incident_frame(at: datetime) -> gpd.GeoDataFrame:
    """Ten incidents; the comment says what each is there for."""
    hours, days = (lambda n: timedelta(hours=n)), (lambda n: timedelta(days=n))
    here, there, outside = middle(0), middle(5), (WEST - 0.01, SOUTH)
    rows: list[tuple[Any, ...]] = [
        # id, class, place, reported, stage, deadline, closed
        ("a", "E0102", here, at - hours(5), "handling", at - hours(1), None),  # late
        ("b", "E0501", here, at - timedelta(minutes=20), "dispatched", at + hours(1), None),  # soon
        ("c", "C0101", there, at - timedelta(minutes=9), "opened", at + days(1), None),  # fine
        ("d", "E0102", None, at - days(1), "opened", None, None),  # no place, no deadline
        ("e", "E0102", outside, at - days(1), "opened", at + days(3), None),  # outside of the grids
        ("f", "E0102", there, at - days(10), "closed", at - days(9), at - days(9.5)),  # in time
        ("g", "E0102", there, at - days(7) - hours(5), "closed", at - days(6), at - days(5)),  # not
        ("h", "E0102", there, at - days(8), "cancelled", None, None),
        ("i", "", there, at - days(20), "closed", None, at - days(19)),  # without deadline
        ("j", "E0102", there, at - days(7) + hours(4), "closed", at - days(6), at - days(6.5)),
    ]
    names = ["incident_id", "class_code", "place", "reported_at", "stage", "deadline", "closed_at"]
    frame = pd.DataFrame(rows, columns=names)
    for name in ("reported_at", "deadline", "closed_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    frame["category"] = ["Pothole" if not code else None for code in frame["class_code"]]
    frame["class_code"] = [code or None for code in frame["class_code"]]
    frame["lon"] = [place[0] if place else None for place in frame["place"]]
    frame["lat"] = [place[1] if place else None for place in frame["place"]]
    points = [shapely.Point(place) if place else None for place in frame["place"]]
    return gpd.GeoDataFrame(frame.drop(columns="place"), geometry=points, crs="EPSG:4326")


def _things() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Three manholes and two lights in grid 0, a manhole on its east border, one camera."""
    x, y = middle(0)
    step = SIDE / 10
    places = [(x + step, y), (x - step, y), (x, y + step), (x, y - step), (x + step, y + step)]
    places.append((round(WEST + SIDE, 9), y))
    assets = gpd.GeoDataFrame(
        {
            "asset_id": [f"p{k}" for k in range(6)],
            "class_code": ["0101", "0101", "0102", "0118", "0118", "0101"],
            "state": ["intact", "lost", "intact", "intact", "intact", "intact"],
        },
        geometry=[shapely.Point(place) for place in places],
        crs="EPSG:4326",
    )
    cameras = gpd.GeoDataFrame(
        {"asset_id": ["cam1"], "class_code": ["0136"], "bearing_deg": [90.0]},
        geometry=[shapely.Point(x - step, y - step)],
        crs="EPSG:4326",
    )
    return assets, cameras


def _people(at: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three workers: seen two minutes ago, 40 minutes ago, and never."""
    ids = grid_ids()
    workers = pd.DataFrame(
        {
            "worker_id": ["w1", "w2", "w3"],
            "name": ["王小明", "李芳", "赵强"],
            "role": ["grid_worker", "grid_head", "police"],
            "unit_code": [ids[0], ids[5], ids[0]],
            "phone": ["13812345678", "13987654321", None],
        }
    )
    fixes = pd.DataFrame(
        {
            "worker_id": ["w1", "w1", "w2"],
            "time": pd.to_datetime([at - timedelta(minutes=m) for m in (30, 2, 40)], utc=True),
            "lon": [middle(1)[0], middle(0)[0], middle(5)[0]],
            "lat": [middle(1)[1], middle(0)[1], middle(5)[1]],
        }
    )
    return workers, fixes


def fill(workspace: Workspace, at: datetime = AT) -> Workspace:
    """Write the city of twelve grids into an empty workspace."""
    assets, cameras = _things()
    workers, fixes = _people(at)
    roads = gpd.GeoDataFrame(
        {"road_id": ["r1"], "road_class": ["arterial"], "name": ["江汉路"]},
        geometry=[shapely.LineString([(WEST, SOUTH + SIDE), (WEST + 4 * SIDE, SOUTH + SIDE)])],
        crs="EPSG:4326",
    )
    areas = gpd.GeoDataFrame(
        {"area_id": ["g1"], "kind": ["park"], "name": ["江滩公园"]},
        geometry=[_square(0.2, 2.2, 0.6, 0.6)],
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        for name, frame in (
            ("divisions", _division_frame()),
            ("grids", _grid_frame()),
            ("roads", roads),
            ("areas", areas),
            ("assets", assets),
            ("cameras", cameras),
            ("workers", workers),
            ("fixes", fixes),
            ("incidents", incident_frame(at)),
        ):
            workspace.append(conn, name, frame)
    return workspace


@dataclass(frozen=True)
class Drawing:
    """What tests need to know of the drawing."""

    at: datetime
    ids: list[str]
    fill: Callable[[Workspace], Workspace]
    middle: Callable[[int], tuple[float, float]]


@pytest.fixture(scope="session")
def drawing() -> Drawing:
    """The moment, the ids of the grids by row, and the middle of each."""
    return Drawing(AT, grid_ids(), fill, middle)


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the city of twelve grids; nobody writes to it."""
    folder = tmp_path_factory.mktemp("drawn") / "city"
    with create_workspace(folder) as made:
        fill(made)
    return folder


@pytest.fixture(scope="session")
def drawn_store(drawn_folder: Path) -> Iterator[Store]:
    """The store of that city at 14:09:32."""
    from geo.io.workspace import open_workspace

    with open_workspace(drawn_folder) as opened:
        yield Store(opened, Settings(), clock=lambda: AT)


@pytest.fixture(scope="session")
def drawn_app(drawn_store: Store) -> Dash:
    """The app of that city."""
    return create_app(drawn_store.settings, drawn_store)


@pytest.fixture
def make_store(workspace: Workspace) -> Callable[..., Store]:
    """A store of the empty workspace of the test, with settings of its own."""

    def make(**settings: Any) -> Store:
        return Store(workspace, Settings(**settings), clock=lambda: AT)

    return make
