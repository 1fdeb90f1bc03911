"""Coverage as sheets of `geo.io.shift_book`: grids, the worst stretches, the spots."""

from __future__ import annotations

import pandas as pd

from dashboards.components.coverage_rows import COLUMNS, notes, spots_json, stretches_json, title
from dashboards.coverage_make import Cover
from dashboards.store import Store
from dashboards.words import Words
from geo.io.shift_book import Column, Kind, Sheet

_KINDS: dict[str, Kind] = {"area_share": "share"}
MOST_STRETCHES = 100


def sheets(store: Store, cover: Cover, words: Words) -> list[Sheet]:
    """The table of grids first, so that a CSV has it."""
    at = cover.at.astimezone(store.zone)
    told = [
        title(cover.choice, words),
        words("coverage.file.at", at=f"{at:%Y-%m-%d %H:%M}"),
        *([words(f"coverage.reason.{cover.reason}")] if cover.reason else []),
        *notes(store, cover, words),
    ]
    found = [_grids(cover, told, words), _stretches(cover, told, words)]
    if cover.spots is not None:
        found.append(_spots(cover, told, words))
    return found


def _grids(cover: Cover, told: list[str], words: Words) -> Sheet:
    table = cover.table[[name for name in COLUMNS if name in cover.table]].copy()
    street = table["street_m"]
    for name in ("covered", "unknown", "blind"):
        share = (table[f"{name}_m"] / street).where(street > 0)
        table.insert(int(table.columns.get_loc(f"{name}_m")) + 1, f"{name}_share", share)
    city = cover.ground.city
    rows = table.reset_index(names="grid_id")
    rows.insert(1, "name", city.names)
    for number, level in enumerate(n for n in ("street", "community") if n in city.places):
        rows.insert(2 + number, f"of_{level}", city.places[level].astype(object).to_numpy())
    sums = [n for n in table if not n.endswith("_share") and n != "worst_m"]
    total = {name: float(table[name].sum()) for name in sums} | {
        "grid_id": words("coverage.file.total")
    }
    if street.sum() > 0:
        for name in ("covered", "unknown", "blind"):
            total[f"{name}_share"] = float(table[f"{name}_m"].sum() / street.sum())
    columns = [
        Column(name, words(f"coverage.file.{name}"), _kind(name), 20 if number < 2 else 13)
        for number, name in enumerate(rows)
    ]
    return Sheet(words("coverage.file.grids"), told, columns, rows, total, frozen=2)


def _kind(name: str) -> Kind:
    if name in ("grid_id", "name") or name.startswith("of_"):
        return "text"
    return "share" if name.endswith("_share") else "count"


def _stretches(cover: Cover, told: list[str], words: Words) -> Sheet:
    names = ["rank", "street", "grid_id", "length_m", "box"]
    rows = pd.DataFrame(stretches_json(cover, most=MOST_STRETCHES), columns=names)
    boxes = rows.pop("box")
    for number, name in enumerate(("west", "south", "east", "north")):
        rows[name] = [f"{box[number]:.6f}" for box in boxes]
    columns = [
        Column(
            name,
            words(f"coverage.file.{name}"),
            "count" if name in ("rank", "length_m") else "text",
            18,
        )
        for name in rows
    ]
    return Sheet(words("coverage.file.stretches"), told, columns, rows)


def _spots(cover: Cover, told: list[str], words: Words) -> Sheet:
    found = spots_json(cover, words) or {"list": [], "weight": 0, "range_m": 0}
    names = ["rank", "street", "grid", "gain", "total", "most", "kind", "lon", "lat"]
    rows = pd.DataFrame(
        [
            one
            | {
                "lon": f"{one['at'][0]:.6f}",
                "lat": f"{one['at'][1]:.6f}",
                "kind": words(f"coverage.kind.{one['kind']}"),
            }
            for one in found["list"]
        ],
        columns=names,
    )
    counts = ("rank", "gain", "total", "most")
    columns = [
        Column(name, words(f"coverage.file.spot.{name}"), "count" if name in counts else "text", 16)
        for name in names
    ]
    bound = words("coverage.file.bound", m=words.number(found["range_m"]))
    return Sheet(words("coverage.file.spots"), [*told, bound], columns, rows)
