"""The town of the one-click benchmark: the size of Yubei, invented, from a fixed seed.

3,311 grids on 36 x 36 km, small in the middle and large outside, 18,900 appointments and as many
last positions, 1M assets, 1M incidents, 60,000 cameras, 120,000 buildings, 100,000 places, 40,000
road pieces, all of them as thick as the grids are. `write_town` makes a workspace of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.io.workspace import create_workspace

AT = datetime(2026, 11, 21, 2, tzinfo=UTC)
LON, LAT = 106.6, 29.7
SIDE_DEG = 0.36
CODES = ("0101", "0102", "0104", "0113", "0117", "0118", "0301", "0402", "0501")
EVENTS = ("E0102", "E0110", "E0404", "E0506", "C0101", "C0118")


def spread(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in the town: most of them in the middle."""
    u = rng.normal(0, 0.18, (n, 2)) + rng.uniform(-0.12, 0.12, (n, 2))
    u = np.where(np.abs(u) < 0.5, u, rng.uniform(-0.5, 0.5, (n, 2)))
    return LON + u[:, 0] * SIDE_DEG, LAT + u[:, 1] * SIDE_DEG


def pick(rng: np.random.Generator, words: tuple[str, ...], n: int) -> Any:
    return pd.array(list(words), dtype="str").take(rng.integers(len(words), size=n))


def ids(letter: str, n: int) -> pd.Index:
    return pd.Index([f"{letter}{k:07d}" for k in range(n)], dtype="str")


def table(columns: dict[str, Any], index: pd.Index, shapes: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, index=index, geometry=shapes, crs="EPSG:4326")


def make_grids(rng: np.random.Generator, count: int) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    seeds = shapely.MultiPoint(np.column_stack(spread(rng, count)))
    frame = shapely.box(
        LON - SIDE_DEG / 2, LAT - SIDE_DEG / 2, LON + SIDE_DEG / 2, LAT + SIDE_DEG / 2
    )
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=frame))
    cells = cells[np.argsort(shapely.get_y(shapely.centroid(cells)))]
    communities = np.arange(len(cells)) // 12
    codes = [f"500112{1 + c // 10:03d}{1 + c % 10:03d}" for c in communities]
    grids = table(
        {
            "name": [f"第{k}网格" for k in range(len(cells))],
            "kind": "base",
            "community_code": codes,
            "households": 300,
            "valid_from": pd.Timestamp(2025, 1, 1, tz="UTC"),
            "valid_to": pd.NaT,
        },
        pd.Index([f"{c}{k % 12 + 1:03d}" for k, c in enumerate(codes)], dtype="str"),
        cells,
    )
    rows = [("500100000000", "city", None), ("500112000000", "district", "500100000000")]
    streets = sorted({code[:9] for code in codes})
    rows += [(f"{street}000", "street", "500112000000") for street in streets]
    rows += [(code, "community", f"{code[:9]}000") for code in sorted(set(codes))]
    divisions = pd.DataFrame(rows, columns=["code", "level", "parent_code"])
    return grids, divisions.assign(name=divisions["code"]).set_index("code")


def make_people(
    rng: np.random.Generator, grids: gpd.GeoDataFrame, divisions: pd.DataFrame, count: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    heads = [(code, f"{level}_head") for code, level in divisions["level"].items()]
    posts = heads + [(code, "fire") for code, level in divisions["level"].items()
                     if level in ("street", "community")]  # fmt: skip
    posts += [(grid, role) for grid in grids.index for role in ("grid_head", "grid_worker", "fire")]
    more = rng.choice(grids.index, max(count - len(posts), 0))
    posts += [(grid, "grid_worker") for grid in more]
    who = ids("W", len(posts))
    duties = pd.DataFrame(posts, columns=["unit_code", "role"]).assign(
        worker_id=who, rank=1, valid_from=pd.Timestamp(2025, 1, 1, tz="UTC"), valid_to=pd.NaT
    )
    workers = pd.DataFrame(
        {
            "name": [f"人{k}" for k in range(len(who))],
            "phone": [f"000{k:08d}" for k in range(len(who))],
            "role": duties["role"].to_numpy(),
            "unit_code": duties["unit_code"].to_numpy(),
        },
        index=who,
    )
    return workers, duties


def make_things(rng: np.random.Generator, share: float) -> dict[str, gpd.GeoDataFrame]:
    def size(n: int) -> int:
        return max(int(n * share), 1)

    def points(n: int) -> Any:
        return shapely.points(*spread(rng, n))

    def asset(n: int, code: tuple[str, ...]) -> dict[str, Any]:
        states = ("intact",) * 17 + ("damaged", "lost", "removed")
        return {
            "class_code": pick(rng, code, n), "name": pick(rng, ("青年路", "文化巷", "东街"), n),
            "state": pick(rng, states, n), "owner": pick(rng, ("园林局", "排水处", "公安局"), n),
        }  # fmt: skip

    n = size(1_000_000)
    made = {"assets": table(asset(n, CODES), ids("A", n), points(n))}
    ago = pd.to_timedelta(rng.integers(0, 3 * 365 * 86_400, n), unit="s")
    stages = ("closed",) * 48 + ("cancelled", "handling")
    reported = pd.Timestamp(AT) - ago
    columns = {
        "class_code": pick(rng, EVENTS, n), "category": pick(rng, ("暴露垃圾", "道路破损"), n),
        "description": pick(rng, ("附近暴露垃圾", "附近道路破损"), n),
        "source": pick(rng, ("collector", "hotline"), n), "reported_at": reported,
        "stage": pick(rng, stages, n), "deadline": reported + pd.Timedelta(hours=8),
        "closed_at": reported + pd.Timedelta(hours=6),
    }  # fmt: skip
    made["incidents"] = table(columns, ids("I", n), points(n))
    n = size(60_000)
    view = {
        "bearing_deg": rng.uniform(0, 360, n), "angle_deg": rng.choice([60.0, 90.0, 360.0], n),
        "range_m": rng.uniform(40, 150, n),
    }  # fmt: skip
    made["cameras"] = table({**asset(n, ("0136",)), **view}, ids("C", n), points(n))
    n = size(120_000)
    lon, lat = spread(rng, n)
    houses = shapely.box(lon, lat, lon + 2e-4, lat + 1.2e-4)
    columns = {
        "name": pick(rng, ("1号楼", "2号楼"), n), "compound": pick(rng, ("华府", "星河"), n),
        "floors": 12, "households": rng.integers(0, 120, n), "population": rng.integers(0, 300, n),
    }  # fmt: skip
    made["buildings"] = table(columns, ids("B", n), houses)
    n = size(100_000)
    columns = {"kind": pick(rng, ("shop", "school"), n), "name": pick(rng, ("面馆", "小学"), n)}
    made["places"] = table(columns, ids("P", n), points(n))
    n = size(40_000)
    start = np.column_stack(spread(rng, n))
    ways = np.stack([start, start + rng.normal(0, 1e-3, (n, 2))], axis=1)
    columns = {"name": pick(rng, ("青年路", "东街"), n), "road_class": "minor"}
    made["roads"] = table(columns, ids("R", n), shapely.linestrings(ways))
    return made


def make_fixes(rng: np.random.Generator, workers: pd.DataFrame) -> pd.DataFrame:
    lon, lat = spread(rng, len(workers))
    ages = pd.to_timedelta(rng.integers(0, 1200, len(workers)), unit="s")
    return pd.DataFrame(
        {"worker_id": workers.index, "lon": lon, "lat": lat, "time": pd.Timestamp(AT) - ages}
    )


def make_town(share: float, seed: int = 1) -> dict[str, Any]:
    """All tables of the town; `share` of its size."""
    rng = np.random.default_rng(seed)
    grids, divisions = make_grids(rng, max(int(3311 * share), 60))
    workers, duties = make_people(rng, grids, divisions, int(18_900 * share))
    things, fixes = make_things(rng, share), make_fixes(rng, workers)
    return {
        "grids": grids, "divisions": divisions, "workers": workers, "duties": duties,
        "fixes": fixes, **things,
    }  # fmt: skip


def make_departments() -> pd.DataFrame:
    names = ["园林局", "排水处", "公安局", "城管局", "路灯管理所", "供电公司"]
    codes = [f"B{k:02d}" for k in range(len(names))]
    return pd.DataFrame({"department_code": codes, "name": names, "phone": "02300000000"})


def write_town(folder: Path, town: dict[str, Any]) -> None:
    """Write the town into a new workspace; every incident has a log of one row that a file told."""
    incidents = town["incidents"]
    points = incidents.geometry.to_numpy()
    # A case that is open has no close, and was reported in the last days.
    is_open = incidents["stage"].isin(["handling"])
    young = pd.Timestamp(AT) - (pd.Timestamp(AT) - incidents["reported_at"]) / 300
    incidents = incidents.assign(
        lon=shapely.get_x(points),
        lat=shapely.get_y(points),
        reported_at=incidents["reported_at"].mask(is_open, young),
        closed_at=incidents["closed_at"].mask(is_open),
    )
    incidents["deadline"] = incidents["reported_at"] + pd.Timedelta(hours=8)
    log = pd.DataFrame(
        {
            "incident_id": incidents.index, "seq": 1, "at": incidents["reported_at"].to_numpy(),
            "stage": incidents["stage"].to_numpy(), "move": "recorded", "by": "W0000001",
        }
    )  # fmt: skip
    log["at"] = pd.to_datetime(log["at"], utc=True)
    grids = town["grids"].assign(population=800, version=1)
    duties = town["duties"].assign(duty_id=[f"U{k:06d}" for k in range(len(town["duties"]))])
    with create_workspace(folder) as workspace, workspace.writing() as conn:
        for name, frame in (
            ("divisions", town["divisions"].rename_axis("code").reset_index()),
            ("grids", grids.rename_axis("grid_id")),
            ("departments", make_departments()),
            ("workers", town["workers"].rename_axis("worker_id")),
            ("duties", duties),
            ("fixes", town["fixes"]),
            ("assets", town["assets"].rename_axis("asset_id")),
            ("cameras", town["cameras"].rename_axis("asset_id")),
            ("buildings", town["buildings"].rename_axis("building_id")),
            ("places", town["places"].rename_axis("place_id")),
            ("roads", town["roads"].rename_axis("road_id")),
            ("incidents", incidents.rename_axis("incident_id")),
            ("incident_log", log),
        ):
            print(f"writing {name}: {len(frame):,}", flush=True)
            workspace.append(conn, name, frame)
