"""An answer about coverage as the page takes it: figures, rows of grids, stretches, spots.

All lengths are metres, all shares are left to the page, so that what it shows adds up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame, GeoSeries

from dashboards.coverage_days import Progress
from dashboards.coverage_make import WITH_CAMERAS, Choice, Cover
from dashboards.store import Store
from dashboards.words import Words
from geo.codes import class_name
from geo.errors import CodeError
from geo.sight import SPOT_RANGE_M

COLUMNS = (
    "street_m", "covered_m", "unknown_m", "blind_m", "worst_m", "area_share", "incidents",
    "incidents_blind", "assets", "assets_blind", "households", "served",
)  # fmt: skip
"""What a row of a grid may tell, in this order."""

_NEAR_STREET_M = 60.0
"""A spot is named by a street that is not farther away; our assumption."""


def columns_of(cover: Cover) -> list[str]:
    """The columns that an answer has."""
    return [name for name in COLUMNS if name in cover.table]


def state_json(store: Store, cover: Cover, words: Words) -> dict[str, Any]:
    """The whole answer, the same for everybody."""
    at = cover.at.astimezone(store.zone)
    columns = columns_of(cover)
    rows = cover.table[columns]
    city = cover.ground.city
    values = [_numbers(rows[name]) for name in columns]
    return {
        "state": "ready",
        "mark": cover.version,
        "at": f"{at:%Y-%m-%d %H:%M}",
        "made": cover.at.timestamp(),
        "columns": columns,
        "rows": [
            [str(code), name, place, *told]
            for code, name, place, *told in zip(
                city.grids.index, city.names, _above(cover), *values, strict=True
            )
        ],
        "totals": {
            name: _sum(rows[name]) for name in columns if name not in ("area_share", "worst_m")
        },
        "stretches": stretches_json(cover),
        "spots": spots_json(cover, words),
        "facts": cover.facts,
        "reason": words(f"coverage.reason.{cover.reason}") if cover.reason else "",
        "notes": notes(store, cover, words),
    }


def _above(cover: Cover) -> list[str]:
    """The lowest divisions above each grid."""
    places = cover.ground.city.places
    found = [""] * len(cover.table)
    for level in ("street", "community"):
        if level in places:
            named = places[level].astype(object).where(places[level].notna(), "")
            found = [" · ".join(x for x in (a, b) if x) for a, b in zip(found, named, strict=True)]
    return found


def _numbers(column: pd.Series) -> list[float | int | None]:
    digits = 4 if column.name == "area_share" else 1
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return [None if np.isnan(value) else round(float(value), digits) for value in values]


def _sum(column: pd.Series) -> float:
    return round(float(column.sum()), 1)


SHOWN = 10


def stretches_json(cover: Cover, grid: str = "", most: int = SHOWN) -> list[list[Any]]:
    """`[rank, street, grid_id, metres, box]` of stretches, the longest first; those of a grid."""
    table = cover.stretches
    table = (table[table["grid_id"] == grid] if grid else table).head(most)
    boxes = table.geometry.to_crs(4326).bounds.to_numpy().round(6).tolist() if len(table) else []
    return [
        [
            int(rank),
            row.name_ if isinstance(row.name_, str) else "",
            row.grid_id if isinstance(row.grid_id, str) else None,
            round(float(row.length_m), 1),
            box,
        ]
        for (rank, row), box in zip(
            table.rename(columns={"name": "name_"}).iterrows(), boxes, strict=True
        )
    ]


def spots_json(cover: Cover, words: Words) -> dict[str, Any] | None:
    """The spots with street, grid, gain and bound; None where the choice has none."""
    if cover.spots is None:
        return None
    table = cover.spots.table
    return {
        "weight": round(cover.spots.weight),
        "range_m": SPOT_RANGE_M,
        "list": [
            {
                "rank": int(rank),
                "kind": "corner" if "," in str(row["spot"]) else "pole",
                "id": "" if "," in str(row["spot"]) else str(row["spot"]),
                "street": street,
                "grid": grid,
                "gain": round(row["gain"]),
                "total": round(row["total"]),
                "most": round(row["most"]),
                "at": at,
            }
            for (rank, row), street, grid, at in zip(
                table.iterrows(), _streets(cover, table.geometry), _grids(cover, table),
                _places(table), strict=True,
            )
        ],
    }  # fmt: skip


def _streets(cover: Cover, places: GeoSeries) -> list[str]:
    """The name of the nearest street of each place."""
    roads = cover.ground.roads
    named = roads[roads["name"].notna()]
    if not len(named) or not len(places):
        return [""] * len(places)
    tree = shapely.STRtree(named.geometry.to_numpy())
    found = [""] * len(places)
    near, hit = tree.query_nearest(
        places.to_numpy(), max_distance=_NEAR_STREET_M, all_matches=False
    )
    for place, road in zip(near, hit, strict=True):
        found[place] = str(named["name"].iloc[road])
    return found


def _grids(cover: Cover, table: GeoDataFrame) -> list[str | None]:
    if not len(table):
        return []
    rows = cover.ground.row_of(table.geometry)
    return [str(cover.ground.grids.index[row]) if row >= 0 else None for row in rows]


def _places(table: GeoDataFrame) -> list[list[float]]:
    if not len(table):
        return []
    found: list[list[float]] = (
        shapely.get_coordinates(table.geometry.to_crs(4326).to_numpy()).round(6).tolist()
    )
    return found


def title(choice: Choice, words: Words) -> str:
    """What is shown, in a line."""
    return words(
        f"coverage.title.{choice.what}",
        name=_class(choice.class_code, words),
        m=words.number(choice.distance_m),
    )


def _class(code: str, words: Words) -> str:
    if not code:
        return ""
    try:
        return class_name(code, words.language)
    except CodeError:
        return code


def notes(store: Store, cover: Cover, words: Words) -> list[str]:
    """What a reader must know of the answer: what counts, what does not, what is not known."""
    facts, choice = cover.facts, cover.choice
    n = {name: words.number(value) for name, value in facts.items()}
    found = []
    if choice.what in ("both", "today", "week"):
        found.append(words("coverage.note.reach", m=words.number(store.settings.reach_m)))
        if facts.get("silent_grids"):
            found.append(words("coverage.note.silent", n=n["silent_grids"]))
    if choice.what in WITH_CAMERAS:
        found.append(words("coverage.note.cameras", n=n.get("cameras", "0")))
        if facts.get("cameras_broken"):
            found.append(words("coverage.note.broken", n=n["cameras_broken"]))
        if facts.get("cameras_unknown"):
            told = n["cameras_unknown"], n["cameras_unknown_m"]
            found.append(words("coverage.note.unknown", n=told[0], m=told[1]))
        walls = cover.seen is not None and cover.seen.buildings_m is not None
        found.append(words("coverage.note.walls" if walls else "coverage.note.nowalls"))
        found.append(words("coverage.note.history", n=choice.days))
        if facts.get("incidents_unclear"):
            found.append(words("coverage.note.unclear", n=n["incidents_unclear"]))
    if choice.what == "assets" and "class_total" in facts:
        name = _class(choice.class_code, words)
        found.append(words("coverage.note.class", name=name, n=n["class_total"]))
        if facts["class_broken"]:
            found.append(words("coverage.note.class.broken", n=n["class_broken"]))
        if facts["class_stateless"]:
            found.append(words("coverage.note.class.stateless", n=n["class_stateless"]))
        found.append(words("coverage.note.straight", m=words.number(choice.distance_m)))
    return found


def progress_json(progress: Progress, words: Words) -> dict[str, Any]:
    """A sentence about what is being done, and how far it is."""
    return {"text": words(f"coverage.step.{progress.step}"), "share": round(progress.share, 3)}
