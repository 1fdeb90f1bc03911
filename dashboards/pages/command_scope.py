"""Thin stand-in for Snapshot.table and Snapshot.scope until they are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboards.figures import Snapshot

ORDER = ("city", "district", "street", "community", "grid")


@dataclass(frozen=True)
class Scope:
    code: str | None
    level: str
    name: str
    crumbs: tuple[tuple[str, str, str], ...]
    child_level: str | None
    grid_rows: Any
    totals: dict[str, float]
    trend: Any
    case_rows: Any


def levels_of(snapshot: Snapshot) -> tuple[str, ...]:
    if hasattr(snapshot, "levels"):
        return snapshot.levels
    places = snapshot.city.places
    return tuple(l for l in ORDER if l in ("city", "grid") or l in places)


def scope_of(snapshot: Snapshot, code: str | None) -> Any:
    if hasattr(snapshot, "scope"):
        return snapshot.scope(code)
    city = snapshot.city
    rows, level, name = np.arange(len(city.grids)), "city", city.name
    crumbs = [("", "city", city.name)]
    levels = levels_of(snapshot)
    if code and code in city.divisions.index and city.divisions.loc[code, "level"] in levels:
        level = str(city.divisions.loc[code, "level"])
        name = str(city.divisions.loc[code, "name"])
        rows = np.flatnonzero((city.places[f"{level}_code"] == code).to_numpy())
        first = city.places.iloc[rows[0]]
        for l in levels[1 : levels.index(level) + 1]:
            crumbs.append((first[f"{l}_code"], l, first[l]))
    else:
        code = None
    child = levels[levels.index(level) + 1]
    cases = (
        np.flatnonzero(np.isin(snapshot.cases.row, rows))
        if code
        else np.arange(len(snapshot.cases))
    )
    return Scope(
        code, level, name, tuple(crumbs), child, rows, snapshot.totals, snapshot.trend, cases
    )


def table_of(snapshot: Snapshot, level: str, within: str | None = None) -> pd.DataFrame:
    if hasattr(snapshot, "table"):
        return snapshot.table(level, within)
    city = snapshot.city
    rows = scope_of(snapshot, within).grid_rows
    frame = pd.DataFrame(
        {k: v for k, v in snapshot.figures.items()}, index=city.grids.index.astype(str)
    )
    frame = frame.iloc[rows]
    households = frame["households"]
    if level != "grid":
        codes = city.places[f"{level}_code"].to_numpy()[rows]
        frame = frame.groupby(codes).sum()
        frame["name"] = city.divisions["name"].reindex(frame.index).to_numpy()
        frame["per_1000"] = np.nan
    else:
        frame["name"] = np.array(city.names)[rows]
    frame = frame.assign(
        parent="",
        soon=0,
        today=0,
        week_ago=0,
        due_30d=0,
        in_time_30d=0,
        households_unknown=0,
        workers=0,
        on_duty=0,
        rounds_required=np.nan,
        rounds_done=np.nan,
        covered_share=np.nan,
        person="",
        is_rest=False,
    )
    return frame
