"""Turn an invented city into the tables of `geo.schema`, with codes, names and degrees.

Divisions are unions of the very blocks that their children are made of, in degrees, so a parent
has each vertex of its children's outer borders.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.synth import names
from geo.synth._frames import make_frame, make_times, mend_shapes
from geo.synth.blocks import Ground
from geo.synth.incidents import ZONE
from geo.synth.place import Place, merge_blocks
from geo.synth.plan import Plan
from geo.synth.presets import Preset

Ints = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]
Frames = dict[str, pd.DataFrame | GeoDataFrame]

PUBLISHED_DAYS = 400
"""The grids came into force so many days before the city is looked at."""


@dataclass(frozen=True)
class Ids:
    """Codes of divisions and grids by their numbers."""

    county: str
    city: str
    districts: tuple[str, ...]
    streets: tuple[str, ...]
    communities: tuple[str, ...]
    grids: tuple[str, ...]
    towns: npt.NDArray[np.bool_]
    """Which streets are towns: most of their communities are villages."""


def make_ids(preset: Preset, plan: Plan) -> Ids:
    """Codes for everything, by the ranges of the statistical code (standards.md 3)."""
    counties = [names.county_code(preset.province, d) for d in range(preset.districts)]
    district_of = plan.above(plan.street, plan.district)
    street_of = plan.above(plan.community, plan.street)
    community_of = plan.above(plan.grid, plan.community)
    rural = np.bincount(street_of, plan.village) / np.bincount(street_of)
    towns = rural > 0.5
    street_number = names.number_below(district_of, towns, first=100)
    streets = [f"{counties[d]}{n:03d}000" for d, n in zip(district_of, street_number, strict=True)]
    community_number = names.number_below(street_of, plan.village, first=200)
    communities = [
        f"{streets[s][:9]}{n:03d}" for s, n in zip(street_of, community_number, strict=True)
    ]
    grids = [
        f"{communities[c]}{n:03d}" for c, n in zip(community_of, plan.grid_number, strict=True)
    ]
    return Ids(
        counties[0],
        names.city_code(preset.province),
        tuple(f"{county}000000" for county in counties),
        tuple(streets),
        tuple(communities),
        tuple(grids),
        towns,
    )


def divisions_and_grids(
    rng: np.random.Generator,
    preset: Preset,
    place: Place,
    ground: Ground,
    plan: Plan,
    ids: Ids,
    at: datetime,
) -> Frames:
    """The tables `divisions` and `grids`."""
    blocks = place.to_degrees(ground.blocks)
    whole = np.zeros(len(blocks), dtype=np.int64)
    district_of = plan.above(plan.street, plan.district)
    street_of = plan.above(plan.community, plan.street)
    codes = [ids.city, *ids.districts, *ids.streets, *ids.communities]
    parents = [
        None,
        *[ids.city] * len(ids.districts),
        *(ids.districts[d] for d in district_of),
        *(ids.streets[s] for s in street_of),
    ]
    levels = np.repeat(
        ["city", "district", "street", "community"],
        [1, len(ids.districts), len(ids.streets), len(ids.communities)],
    )
    shapes = [
        merge_blocks(blocks, level) for level in (whole, plan.district, plan.street, plan.community)
    ]
    divisions = make_frame(
        "divisions",
        {
            "code": codes,
            "level": levels,
            "name": _division_names(rng, preset, plan, ids),
            "parent_code": parents,
        },
        np.concatenate(shapes),
    )
    return {"divisions": divisions, "grids": _grids(place, blocks, plan, ids, divisions, at)}


def _division_names(rng: np.random.Generator, preset: Preset, plan: Plan, ids: Ids) -> list[str]:
    streets = list(names.STREET_NAMES)
    rng.shuffle(streets)
    stems = names.draw_unique(rng, names.COMMUNITY_FIRST, names.COMMUNITY_LAST, len(plan.village))
    return [
        preset.title,
        *(f"{name}区" for name in names.DISTRICTS[: len(ids.districts)]),
        *(
            f"{streets[k % len(streets)]}{'镇' if town else '街道'}"
            for k, town in enumerate(ids.towns)
        ),
        *(
            f"{stem}{'村' if rural else '社区'}"
            for stem, rural in zip(stems, plan.village, strict=True)
        ),
    ]


def _grids(
    place: Place, blocks: Shapes, plan: Plan, ids: Ids, divisions: GeoDataFrame, at: datetime
) -> GeoDataFrame:
    community = plan.above(plan.grid, plan.community)
    table = plan.buildings
    grid = plan.grid[table["block"].to_numpy()]
    count = len(ids.grids)
    name = divisions["name"].reindex([ids.communities[c] for c in community]).to_numpy()
    local = at.astimezone(ZONE) - timedelta(days=PUBLISHED_DAYS)
    begun = pd.Timestamp(local.replace(hour=0, minute=0, second=0)).tz_convert("UTC")
    return make_frame(
        "grids",
        {
            "grid_id": list(ids.grids),
            "name": [
                f"{stem}第{number}{'专属' if special else ''}网格"
                for stem, number, special in zip(
                    name, plan.grid_number, plan.dedicated, strict=True
                )
            ],
            "kind": np.where(plan.dedicated, "dedicated", "base"),
            "community_code": [ids.communities[c] for c in community],
            "households": np.bincount(grid, table["households"], count).astype(np.int64),
            "population": np.bincount(grid, table["population"], count).astype(np.int64),
            "version": np.ones(count, dtype=np.int64),
            "valid_from": pd.Series([begun] * count, dtype="datetime64[us, UTC]"),
            "valid_to": pd.Series([pd.NaT] * count, dtype="datetime64[us, UTC]"),
        },
        merge_blocks(blocks, plan.grid),
    )


def blocks_and_buildings(
    place: Place, ground: Ground, plan: Plan, ids: Ids, compounds: list[str]
) -> Frames:
    """The tables `blocks` and `buildings`."""
    table = plan.buildings
    block = table["block"].to_numpy()
    n = len(ground.blocks)
    order = np.lexsort([ground.middle[:, 0], -ground.middle[:, 1], plan.grid])
    number = np.empty(n, dtype=np.int64)
    grid = plan.grid[order]
    number[order] = np.arange(n) - np.searchsorted(grid, grid) + 1
    name = np.array([compounds[c] if c >= 0 else None for c in plan.compound], dtype=object)
    blocks = make_frame(
        "blocks",
        {
            "block_id": [f"{ids.grids[g]}-{k:02d}" for g, k in zip(plan.grid, number, strict=True)],
            "compound": name,
            "households": np.bincount(block, table["households"], n).astype(np.int64),
            "population": np.bincount(block, table["population"], n).astype(np.int64),
            "community_code": [ids.communities[c] for c in plan.community],
        },
        place.to_degrees(ground.blocks),
    )
    label = np.where(
        plan.compound[block] >= 0, plan.compound[block], plan.compound.max() + 1 + block
    )
    count = pd.Series(label).groupby(label).cumcount().to_numpy() + 1
    lived = table["homes"].to_numpy()
    called = [
        f"{name[b]}{k}号楼" if home else f"{WORDS_OF_USE.get(use, '公建')}{k}号"
        for b, k, home, use in zip(block, count, lived, table["use"], strict=True)
    ]
    buildings = make_frame(
        "buildings",
        {
            "building_id": [f"B{k:06d}" for k in range(1, len(table) + 1)],
            "name": called,
            "compound": np.where(lived, name[block], None),
            "floors": table["floors"].to_numpy(),
            "households": table["households"].to_numpy(),
            "population": table["population"].to_numpy(),
        },
        place.to_degrees(table["shape"].to_numpy()),
    )
    return {"blocks": blocks, "buildings": buildings}


WORDS_OF_USE = {
    "shops": "商铺",
    "office": "写字楼",
    "industry": "厂房",
    "school": "教学楼",
    "market": "市场",
    "hospital": "医院楼",
}


def roads(place: Place, ground: Ground, edge_names: npt.NDArray[np.object_]) -> GeoDataFrame:
    """The table `roads`: one piece between two junctions, rivers and railways too."""
    rows = np.flatnonzero(ground.edge_class != "none")
    lines = place.to_degrees(ground.edges[rows])
    return make_frame(
        "roads",
        {
            "road_id": [f"R{k:06d}" for k in range(1, len(rows) + 1)],
            "road_class": ground.edge_class[rows].astype(object),
            "name": edge_names[rows],
        },
        shapely.multilinestrings(lines, indices=np.arange(len(lines))),
    )


def areas(
    rng: np.random.Generator, place: Place, ground: Ground, plan: Plan
) -> tuple[GeoDataFrame, dict[int, str]]:
    """The table `areas`, and the names of parks and squares by block."""
    kinds, called, shapes = [], [], []
    of_block: dict[int, str] = {}
    green = np.flatnonzero(np.isin(plan.uses, ["park", "square"]))
    stems = names.draw_unique(rng, names.COMPOUND_FIRST, ("湖", "山", "园", "林"), len(green))
    for stem, block in zip(stems, green, strict=True):
        square = plan.uses[block] == "square"
        inner = shapely.buffer(ground.blocks[block], -9.0)
        if shapely.is_empty(inner):
            continue
        of_block[int(block)] = f"{stem}{'广场' if square else '公园'}"
        if not square and ground.area[block] > 18_000 and rng.random() < 0.6:
            lake = _lake(rng, inner)
            inner = shapely.difference(inner, lake)
            kinds.append("water")
            called.append(f"{stem}湖" if not stem.endswith("湖") else stem)
            shapes.append(lake)
        kinds.append("square" if square else "park")
        called.append(of_block[int(block)])
        shapes.append(inner)
    river = shapely.buffer(
        shapely.coverage_union_all(ground.blocks[plan.uses == "water"]), -7.0, join_style="mitre"
    )
    for part in shapely.get_parts(river):
        kinds.append("water")
        called.append("清江")
        shapes.append(part)
    degrees = place.to_degrees(shapely.set_precision(np.array(shapes, dtype=object), 0.01))
    columns = {
        "area_id": [f"A{k:04d}" for k in range(1, len(kinds) + 1)],
        "kind": kinds,
        "name": called,
    }
    return make_frame("areas", columns, mend_shapes(degrees)), of_block


def _lake(rng: np.random.Generator, park: shapely.Geometry) -> shapely.Geometry:
    """A pond of about a quarter of the park, with a wavy shore."""
    centre = shapely.point_on_surface(park)
    radius = 0.5 * np.sqrt(park.area / np.pi)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    wave = 1 + 0.22 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.1 * np.sin(5 * angle)
    shore = np.column_stack(
        [centre.x + radius * wave * np.cos(angle), centre.y + radius * wave * np.sin(angle)]
    )
    return shapely.intersection(shapely.Polygon(shore), shapely.buffer(park, -8.0))


def assets(place: Place, found: pd.DataFrame, ids: Ids) -> GeoDataFrame:
    """The table `assets`; ids have 16 digits (standards.md 1.3, classic profile)."""
    return make_frame(
        "assets",
        {"asset_id": _asset_ids(found, ids), **_asset_words(found)},
        place.to_degrees(found["shape"].to_numpy()),
    )


def cameras(place: Place, found: pd.DataFrame, ids: Ids) -> GeoDataFrame:
    """The table `cameras`."""
    looks = {
        name: found[name].to_numpy(dtype=float) for name in ("bearing_deg", "angle_deg", "range_m")
    }
    return make_frame(
        "cameras",
        {"asset_id": _asset_ids(found, ids), **_asset_words(found), **looks},
        place.to_degrees(found["shape"].to_numpy()),
    )


def _asset_words(found: pd.DataFrame) -> dict[str, pd.Series]:
    columns = ("class_code", "name", "state", "owner", "accuracy_class")
    return {name: found[name].reset_index(drop=True) for name in columns}


def _asset_ids(found: pd.DataFrame, ids: Ids) -> list[str]:
    number = found.groupby("class_code").cumcount() + 1
    return [
        f"{ids.county}{code}{k:06d}" for code, k in zip(found["class_code"], number, strict=True)
    ]


def places(place: Place, found: pd.DataFrame) -> GeoDataFrame:
    """The table `places`."""
    return make_frame(
        "places",
        {
            "place_id": [f"P{k:06d}" for k in range(1, len(found) + 1)],
            "kind": found["kind"].to_numpy(),
            "name": found["name"].to_numpy(),
        },
        place.to_degrees(found["shape"].to_numpy()),
    )


def fixes(place: Place, found: pd.DataFrame) -> pd.DataFrame:
    """The table `fixes`, all days."""
    lon, lat = place.degrees(found["x"].to_numpy(float), found["y"].to_numpy(float))
    columns = {"worker_id": found["worker_id"].to_numpy(), "time": make_times(found["second"])}
    columns |= {"lon": lon, "lat": lat}
    columns |= {
        name: found[name].to_numpy() for name in ("accuracy_m", "speed_kmh", "mock", "source")
    }
    return make_frame("fixes", columns)
