"""One table of the units of a level, and one unit by itself: put together for a snapshot.

Every thing has one row: its unit, or the rest. So the columns of a table add up to the unit that it
was asked within, and to the city if to none. A custom area has the cases and things that stand in
it; its households and people are those of the grids with a point inside of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboards.city import LEVELS, ZONE
from geo.figures import (
    REST,
    Trend,
    count_things,
    count_units,
    find_trend,
    find_zones,
    rate_per_1000,
    sum_grids,
)

if TYPE_CHECKING:
    from dashboards.figures import Snapshot

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

CITY = ""
"""Code of the whole city in crumbs: everything, also what is in no grid."""

PATROL = ("rounds_required", "rounds_done", "covered_share")
"""Figures of units that are missing until they have been computed."""


@dataclass(frozen=True, eq=False)
class Scope:
    """One unit, or the whole city, with all that a page says about it."""

    code: str | None
    """None is the whole city, with what is in no grid and what has no place."""
    level: str
    name: str
    crumbs: tuple[tuple[str, str, str], ...]
    """Code, level and name of the units above and of itself, from the city down."""
    child_level: str | None
    grid_rows: Rows
    totals: dict[str, float]
    trend: Trend
    case_rows: Rows


@dataclass(frozen=True, eq=False)
class Patrol:
    """What patrols did today, by row of the grid; NaN where it is not known."""

    required: Floats
    done: Floats
    street_m: Floats
    covered_m: Floats


def by_grid(unit_of_grid: pd.Series, rows: npt.NDArray[np.integer[Any]]) -> pd.Series:
    """The unit of each thing from the row of its grid; missing where it is in none."""
    codes = np.append(unit_of_grid.cat.codes.to_numpy(), -1)[rows]
    return pd.Series(pd.Categorical.from_codes(codes, categories=unit_of_grid.cat.categories))


# --- one table -----------------------------------------------------------------------------


def make_table(snapshot: Snapshot, level: str, within: str | None) -> pd.DataFrame:
    """The units of a level inside a unit; see `Snapshot.table`."""
    city, figures = snapshot.city, snapshot.case_figures
    inside = _Inside(snapshot, within)
    units = snapshot.units(level)
    if within is not None:
        units = units[units.index.isin(inside.units(level))]
    codes = units.index
    of_grid = city.unit_of_grid(level)
    cases = inside.cases
    counts = count_units(
        figures.marks.drop(columns="rated_30d")[cases],
        figures.unit_of_case(level)[cases],
        codes,
    )
    table = pd.DataFrame(
        {
            "name": pd.Series(units["name"], dtype=object).reindex(counts.index, fill_value=""),
            "parent": pd.Series(units["parent"], dtype=object).reindex(counts.index, fill_value=""),
            "is_rest": counts.index == REST,
        }
    ).join(counts)
    grids = inside.grids
    table = table.join(
        sum_grids(city.grids[grids], of_grid[grids].set_axis(city.grids.index[grids]), codes)
    )
    rated = count_units(
        figures.marks[["rated_30d"]][cases],
        by_grid(of_grid, figures.cases.row)[cases],
        codes,
    )
    table["per_1000"] = rate_per_1000(rated["rated_30d"], table["households"])
    table.loc[REST, "per_1000"] = np.nan
    for name, things in inside.things(level).items():
        table[name] = count_things(things, codes)
    for name, values in _patrol_sums(snapshot.patrol, of_grid, grids, codes).items():
        table[name] = values
    names = {} if snapshot.names_of is None else snapshot.names_of(level)
    table["person"] = [names.get(str(code), "") for code in table.index]
    return table


def _patrol_sums(
    patrol: Patrol | None, of_grid: pd.Series, grids: npt.NDArray[np.bool_], codes: pd.Index
) -> dict[str, Any]:
    """Sums of rounds and the covered share of streets by unit; NaN where nothing is known."""
    if patrol is None:
        return dict.fromkeys(PATROL, np.nan)
    columns = (patrol.required, patrol.done, patrol.street_m, patrol.covered_m)
    place = codes.get_indexer(pd.Index(of_grid[grids].astype(object)))
    place = np.where(place < 0, len(codes), place)
    sums = []
    for values in columns:
        mine = values[grids]
        known = np.isfinite(mine)
        total = np.bincount(place[known], weights=mine[known], minlength=len(codes) + 1)
        told = np.bincount(place[known], minlength=len(codes) + 1)
        sums.append(np.where(told > 0, total, np.nan))
    required, done, street_m, covered_m = sums
    share = np.full(len(required), np.nan)
    share[street_m > 0] = covered_m[street_m > 0] / street_m[street_m > 0]
    return {"rounds_required": required, "rounds_done": done, "covered_share": share}


class _Inside:
    """What lies in a unit: masks of cases, grids, things and people."""

    def __init__(self, snapshot: Snapshot, code: str | None) -> None:
        self._snapshot = snapshot
        self._code, self._level = snapshot.find_unit(code)

    @property
    def cases(self) -> npt.NDArray[np.bool_]:
        """Which cases lie in it."""
        return self._are_mine(self._snapshot.case_figures.unit_of_case, len(self._snapshot.cases))

    @property
    def grids(self) -> npt.NDArray[np.bool_]:
        """Which grids lie in it."""
        return self._are_mine(self._snapshot.city.unit_of_grid, len(self._snapshot.city.grids))

    def units(self, level: str) -> pd.Index:
        """Codes of the units of a level that lie in it, those with a grid and those without."""
        city = self._snapshot.city
        found = city.unit_of_grid(level)[self.grids].dropna().unique()
        if level not in LEVELS[:-1] or self._level not in LEVELS[:-1]:
            return pd.Index(found)
        above = city.above(self._level)
        codes = self._snapshot.units(level).index
        return pd.Index([*found, *(c for c in codes if above.get(c) == self._code)]).unique()

    def things(self, level: str) -> dict[str, pd.Series]:
        """The unit of a level of each asset, camera, worker and worker on duty in it."""
        snapshot = self._snapshot
        assets = _asset_units(snapshot, level)[self._are_mine(lambda n: _asset_units(snapshot, n))]
        is_camera = self._camera_mask()
        people = _people_units(snapshot, level)
        mine = self.people
        duty = _on_duty(snapshot)
        return {
            "assets": assets,
            "cameras": _asset_units(snapshot, level)[is_camera],
            "workers": people[mine],
            "on_duty": people[mine & duty],
        }

    @property
    def people(self) -> npt.NDArray[np.bool_]:
        """Which registered people belong to it."""
        snapshot = self._snapshot
        return self._are_mine(lambda level: _people_units(snapshot, level))

    def _camera_mask(self) -> npt.NDArray[np.bool_]:
        snapshot = self._snapshot
        mine = self._are_mine(lambda n: _asset_units(snapshot, n))
        last = len(snapshot.inventory) - snapshot.inventory.cameras
        return mine & (np.arange(len(snapshot.inventory)) >= last)

    def _are_mine(
        self, units_of: Callable[[str], pd.Series], size: int | None = None
    ) -> npt.NDArray[np.bool_]:
        if self._code is None:
            return np.ones(len(units_of("grid")) if size is None else size, dtype=bool)
        return np.asarray((units_of(self._level) == self._code).to_numpy(dtype=bool))


def _asset_units(snapshot: Snapshot, level: str) -> pd.Series:
    """The unit of each asset: of its grid, of custom areas by the place itself."""
    inventory, city = snapshot.inventory, snapshot.city

    def make() -> pd.Series:
        if level.startswith(ZONE):
            return find_zones(city.zones_of(level), inventory.lon, inventory.lat)
        return by_grid(city.unit_of_grid(level), inventory.row)

    return inventory.memo.get((level, city.stamp, city.zones_stamp), make)


def _people_units(snapshot: Snapshot, level: str) -> pd.Series:
    """The unit of a level that each person is registered for, or that has what they are for."""
    return snapshot.workers.memo.get(level, lambda: _find_people_units(snapshot, level))


def _find_people_units(snapshot: Snapshot, level: str) -> pd.Series:
    city, people = snapshot.city, snapshot.workers.people
    unit = people["unit_code"].fillna("").astype(object).to_numpy()
    row = np.array([city.position.get(str(code), -1) for code in unit], dtype=np.int64)
    found = by_grid(city.unit_of_grid(level), row).astype(object).to_numpy().copy()
    if level in LEVELS[:-1]:
        above = city.above(level)
        for k in np.flatnonzero(row < 0):
            found[k] = above.get(str(unit[k]))
    return pd.Series(pd.Categorical(found))


def people_inside(snapshot: Snapshot, code: str | None) -> npt.NDArray[np.bool_]:
    """Who of the registered people belongs to a unit; everyone for None, the whole city."""
    return _Inside(snapshot, code).people


def _on_duty(snapshot: Snapshot) -> npt.NDArray[np.bool_]:
    """Whether each registered person sent a position lately."""

    def make() -> npt.NDArray[np.bool_]:
        positions = snapshot.workers.positions
        reach = pd.Timedelta(minutes=snapshot.settings.on_duty_minutes)
        fresh = (positions["time"] - pd.Timestamp(snapshot.at)).abs() < reach
        return np.asarray(snapshot.workers.people.index.isin(positions.index[fresh]))

    return snapshot.memo.get("on_duty", make)


# --- one scope -----------------------------------------------------------------------------


def make_scope(snapshot: Snapshot, code: str | None, level: str) -> Scope:
    """One unit, or the whole city; see `Snapshot.scope`."""
    inside = _Inside(snapshot, code)
    cases, grids = inside.cases, inside.grids
    figures = snapshot.case_figures
    name = snapshot.city.name if code is None else str(snapshot.units(level).at[code, "name"])
    children = snapshot.levels[snapshot.levels.index(level) + 1 :] if level in LEVELS else ("grid",)
    past, since = _past_of(snapshot, code, level)
    return Scope(
        code=code,
        level=level,
        name=name,
        crumbs=_crumbs(snapshot, code, level, name),
        child_level=children[0] if children else None,
        grid_rows=np.flatnonzero(grids),
        totals=_totals(snapshot, code, cases),
        trend=find_trend(figures.cases.frame[cases], at=figures.at, past=past, known_since=since),
        case_rows=np.flatnonzero(cases),
    )


def _crumbs(
    snapshot: Snapshot, code: str | None, level: str, name: str
) -> tuple[tuple[str, str, str], ...]:
    top = (CITY, "city", snapshot.city.name)
    if code is None:
        return (top,)
    above: list[tuple[str, str, str]] = []
    if level in LEVELS:
        city = snapshot.city
        higher = city.levels[1 : city.levels.index(level)]
        parent = str(snapshot.units(level).at[code, "parent"])
        for upper in higher:
            found = city.above(upper).get(parent)
            if found:
                above.append((found, upper, str(snapshot.units(upper).at[found, "name"])))
    return (top, *above, (code, level, name))


def _past_of(
    snapshot: Snapshot, code: str | None, level: str
) -> tuple[pd.Series | None, datetime | None]:
    """When cases of a unit were reported a year before."""
    past = snapshot.past
    if past is None:
        return None, None
    if code is None:
        return past.reported, past.known_since
    if level.startswith(ZONE):
        units = find_zones(snapshot.city.zones_of(level), past.lon, past.lat)
    else:
        units = by_grid(snapshot.city.unit_of_grid(level), past.row)
    return past.reported[(units == code).to_numpy(dtype=bool)], past.known_since


_SUMMED = (
    "open", "overdue", "soon", "paused", "today", "week_ago", "reported_30d", "due_30d",
    "in_time_30d", "grids", "households_unknown", "assets", "cameras", "workers", "on_duty",
)  # fmt: skip


def _totals(snapshot: Snapshot, code: str | None, mine: npt.NDArray[np.bool_]) -> dict[str, float]:
    """The figures of one unit: the sums of a table of the grids in it."""
    table = snapshot.table("grid", code)
    found: dict[str, float] = {name: int(table[name].sum()) for name in _SUMMED}
    for name in ("households", "population", "rounds_required", "rounds_done"):
        found[name] = float(table[name].sum(min_count=1))
    cases, is_open = snapshot.cases, snapshot.cases.is_open & mine
    found["unplaced"] = int((is_open & ~cases.placed).sum())
    found["outside"] = int((is_open & cases.placed & (cases.row < 0)).sum())
    found["longest_s"] = float(table["longest_s"].max()) if len(table) else 0.0
    rated = int((snapshot.case_figures.marks["rated_30d"].to_numpy() & mine).sum())
    households = found["households"]
    found["per_1000"] = round(rated / households * 1000, 1) if households > 0 else float("nan")
    found["covered_share"] = _covered(snapshot, code)
    return found


def _covered(snapshot: Snapshot, code: str | None) -> float:
    patrol = snapshot.patrol
    if patrol is None:
        return float("nan")
    grids = _Inside(snapshot, code).grids & np.isfinite(patrol.street_m)
    street = float(patrol.street_m[grids].sum())
    return float(np.nansum(patrol.covered_m[grids]) / street) if street > 0 else float("nan")
