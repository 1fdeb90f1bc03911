"""One worker's day as a sheet of paper: gathered from the store, told in words, drawn here.

The sheet stands as evidence, so it says what it rests on (readings, rules, versions, checksum) and
what is not known. It makes no finding of its own: rounds come from the shift board of that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pyproj
import shapely
from geopandas import GeoDataFrame

from dashboards.components.sheet_map import frame_of
from dashboards.components.sheet_text import build_sheet
from dashboards.shift_days import ShiftDay
from dashboards.store import Store
from dashboards.track_rights import Viewer
from dashboards.words import Words
from geo.worker_day import WorkerDay, find_worker_day

ROAD_NEAR_M = 40.0
"""A stop names the road that is so near; our assumption: half a wide road and the noise of a
phone between buildings."""


@dataclass(frozen=True, eq=False)
class SheetData:
    """All that a sheet shows, without words."""

    worker_id: str
    person: dict[str, Any]
    devices: list[str]
    board: ShiftDay
    grid_id: str | None
    grid: shapely.Geometry | None
    """In metres."""
    day: WorkerDay
    duty: tuple[datetime, datetime]
    rounds: list[dict[str, Any]]
    places: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    roads: GeoDataFrame
    """Those of the map, in metres."""
    stops: pd.DataFrame
    """The stays with `road` (its name or empty), `lon`, `lat`."""
    crs: str
    viewer: Viewer
    made_at: datetime
    zone: Any


def sheet_json(
    store: Store, board: ShiftDay, worker_id: str, words: Words, viewer: Viewer
) -> dict[str, Any]:
    """The sheet ready to be put into the page."""
    data = gather(store, board, worker_id, viewer)
    return {
        "state": "ready",
        "title": words("sheet.title", name=data.person["name"], day=board.day.isoformat()),
        "html": str(build_sheet(store, data, words)),
        "mark": f"{board.mark}.{data.day.checksum[:12]}",
    }


def gather(store: Store, board: ShiftDay, worker_id: str, viewer: Viewer) -> SheetData:
    """Read and compute what the sheet of a worker and a day shows."""
    at = store.clock()
    person = store.snapshot().workers.people.loc[worker_id].to_dict()
    grid_id = str(person["unit_code"]) if isinstance(person["unit_code"], str) else None
    row = None if grid_id is None else board.city.position.get(grid_id)
    crs = store.workspace.metric_crs()
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    grid = None
    if row is not None:
        shape = board.city.grids.geometry.iloc[row]
        grid = shapely.transform(shape, lambda c: _project(to_metres, c))
    duty = duty_of(store, board)
    until = max(min(duty[1], at), duty[0])
    fixes = store.workspace.read_fixes(since=duty[0], until=until, workers=[worker_id])
    x, y = to_metres.transform(fixes["lon"].to_numpy(float), fixes["lat"].to_numpy(float))
    day = find_worker_day(worker_id, fixes.assign(x=x, y=y), since=duty[0], until=until, grid=grid)
    roads = _roads(store, day, grid, crs)
    return SheetData(
        worker_id=worker_id,
        person=person,
        devices=_devices(store, worker_id, duty),
        board=board,
        grid_id=grid_id if row is not None else None,
        grid=grid,
        day=day,
        duty=duty,
        rounds=_mine(board.rounds, board.workers, worker_id),
        places=_of_grid(board.places, grid_id),
        alarms=_alarms(store, worker_id, duty),
        roads=roads,
        stops=_stops(day, roads, to_metres),
        crs=pyproj.CRS(crs).to_string(),
        viewer=viewer,
        made_at=at,
        zone=store.zone,
    )


def duty_of(store: Store, board: ShiftDay) -> tuple[datetime, datetime]:
    """Begin and end of duty on the day; an end before the begin lies on the next day."""
    begin, end = (
        datetime.combine(board.day, clock, tzinfo=store.zone) for clock in store.settings.duty
    )
    return begin, end if end > begin else end + timedelta(days=1)


def _project(to_metres: pyproj.Transformer, coordinates: Any) -> Any:
    x, y = to_metres.transform(coordinates[:, 0], coordinates[:, 1])
    return pd.DataFrame({"x": x, "y": y}).to_numpy()


def _roads(store: Store, day: WorkerDay, grid: shapely.Geometry | None, crs: Any) -> GeoDataFrame:
    """The roads on the map, cut to it."""
    _, area = frame_of(day, grid)
    back = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    west, south, east, north = area.bounds
    lon, lat = back.transform([west, east, west, east], [south, south, north, north])
    bbox = (min(lon), min(lat), max(lon), max(lat))
    if grid is None and not len(day.track):
        bbox = (0.0, 0.0, 0.0, 0.0)
    found = store.workspace.read("roads", bbox=bbox).to_crs(crs)
    cut = found.set_geometry(shapely.intersection(found.geometry.to_numpy(), area))
    return cut[~cut.geometry.is_empty]


def _devices(store: Store, worker_id: str, duty: tuple[datetime, datetime]) -> list[str]:
    """Devices that the worker carried at any time of the duty."""
    table = store.workspace.table("devices")
    found = store.workspace.read("devices", where=table.c.worker_id == worker_id).reset_index()
    if not len(found):
        return []
    begun = found["valid_from"].isna() | (found["valid_from"] < duty[1])
    lasts = found["valid_to"].isna() | (found["valid_to"] > duty[0])
    return [str(label) for label in found.loc[begun & lasts, "device_id"]]


def _mine(rounds: pd.DataFrame, workers: pd.DataFrame, worker_id: str) -> list[dict[str, Any]]:
    """The rounds that the worker was posted to, with the worker's own minutes under `own`."""
    if not len(workers):
        return []
    keys = ["grid_id", "shift", "role"]
    own = workers[workers["worker_id"] == worker_id]
    found = []
    for one in own.to_dict("records"):
        same = rounds
        for key in keys:
            same = same[same[key] == one[key]]
        for row in same.to_dict("records"):
            found.append({**row, "own": one})
    return sorted(found, key=lambda row: row["start"])


def _of_grid(places: pd.DataFrame, grid_id: str | None) -> list[dict[str, Any]]:
    if grid_id is None or not len(places):
        return []
    found: list[dict[str, Any]] = places[places["grid_id"] == grid_id].to_dict("records")
    return found


def _alarms(store: Store, worker_id: str, duty: tuple[datetime, datetime]) -> list[dict[str, Any]]:
    table = store.workspace.table("patrol_alarms")
    where = (table.c.worker_id == worker_id) & (table.c.began_at >= duty[0])
    found = store.workspace.read("patrol_alarms", where=where & (table.c.began_at < duty[1]))
    return found.sort_values("began_at").to_dict("records") if len(found) else []


def _stops(day: WorkerDay, roads: GeoDataFrame, to_metres: pyproj.Transformer) -> pd.DataFrame:
    stays = day.stays.copy()
    lon, lat = to_metres.transform(
        stays["x"].to_numpy(float), stays["y"].to_numpy(float), direction="INVERSE"
    )
    stays["lon"], stays["lat"] = lon, lat
    names = [""] * len(stays)
    named = roads[roads["name"].notna()] if "name" in roads else roads.iloc[:0]
    if len(stays) and len(named):
        tree = shapely.STRtree(named.geometry.to_numpy())
        spots = shapely.points(stays["x"].to_numpy(float), stays["y"].to_numpy(float))
        at, road = tree.query_nearest(spots, max_distance=ROAD_NEAR_M, all_matches=False)
        for k, number in zip(at, road, strict=True):
            names[int(k)] = str(named["name"].iloc[int(number)])
    stays["road"] = names
    return stays
