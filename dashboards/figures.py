"""The figures of the command page at one moment, put together from what `geo.figures` counts.

A `Snapshot` is what pages read: a callback looks things up in it and asks no table. It is a value
with the versions of its parts inside, so a page that is being built never sees half of a newer one.
Tables of units and scopes are made when they are first asked for, and once. What follows from cases
alone (`CaseFigures`) is shared by all snapshots until cases, boundaries or the minute change, so a
step of a worker costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboards.cases import Cases, PastYear
from dashboards.city import ZONE, City
from dashboards.inventory import Inventory
from dashboards.memo import Memo
from dashboards.positions import Workers
from dashboards.settings import Settings
from dashboards.unit_figures import Patrol as Patrol
from dashboards.unit_figures import Scope as Scope
from dashboards.unit_figures import by_grid, make_scope, make_table
from geo.figures import CASE_STATES, Trend, find_zones, mark_cases, next_change

__all__ = [
    "CaseFigures",
    "Patrol",
    "Scope",
    "Snapshot",
    "Trend",
    "Workers",
    "mark_all",
    "take_snapshot",
]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

FIGURES = ("open", "overdue", "per_1000", "households", "population", "assets")
"""The figures of grids that are always there."""

_STATES = np.array(
    [name if name in ("fine", "soon", "late", "paused", "none") else "closed"
     for name in CASE_STATES], dtype=object,
)  # fmt: skip
"""What a page calls each of the states: all that is over is closed."""


@dataclass(frozen=True, eq=False)
class CaseFigures:
    """What follows from the cases and the boundaries at one moment."""

    at: datetime
    cases: Cases
    city: City
    marks: pd.DataFrame
    """From `geo.figures.mark_cases`, with `rated_30d`: those whose grid knows its households."""
    state: npt.NDArray[np.object_]
    next_change: datetime | None
    memo: Memo = field(default_factory=Memo, repr=False)

    def unit_of_case(self, level: str) -> pd.Series:
        """The unit of a level that each case lies in; of custom areas by the place itself."""
        return self.memo.get(("unit", level), lambda: self._find_units(level))

    def _find_units(self, level: str) -> pd.Series:
        if level.startswith(ZONE):
            return find_zones(self.city.zones_of(level), self.cases.lon, self.cases.lat)
        return by_grid(self.city.unit_of_grid(level), self.cases.row)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a page shows, as of `at` (in the city's zone)."""

    at: datetime
    versions: dict[str, str]
    """A stamp of each part of the data, for addresses of map data."""
    newest: datetime | None
    """Time of the newest incident, close or position; None if there is none."""
    city: City
    inventory: Inventory
    cases: Cases
    workers: Workers
    case_figures: CaseFigures
    settings: Settings
    past: PastYear | None = None
    patrol: Patrol | None = None
    names_of: Callable[[str], dict[str, str]] | None = None
    """Gives the name of who answers for each unit of a level."""
    memo: Memo = field(default_factory=Memo, repr=False)

    @property
    def version(self) -> str:
        """Stamp of the incidents with their states."""
        return self.versions["incidents"]

    @property
    def state(self) -> npt.NDArray[np.object_]:
        """State of each case: fine, soon, late, paused, none (no deadline), closed."""
        return self.case_figures.state

    @property
    def totals(self) -> dict[str, float]:
        """The figures of the whole city."""
        return self.scope().totals

    @property
    def trend(self) -> Trend:
        """The trends of the whole city."""
        return self.scope().trend

    @property
    def figures(self) -> dict[str, Floats]:
        """By name of FIGURES: one number a grid by row, NaN where there is no data."""
        table = self.table("grid").iloc[:-1]
        return {name: table[name].to_numpy(dtype=np.float64) for name in FIGURES}

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that the city has, from the top down."""
        return self.city.levels

    @property
    def zone_kinds(self) -> tuple[str, ...]:
        """Kinds of custom areas; the level of one is `zone:` and its kind."""
        return self.city.zone_kinds

    def table(self, level: str, within: str | None = None) -> pd.DataFrame:
        """The units of a level with their figures, indexed by code, the rest in the last row.

        Parameters
        ----------
        level
            One of `levels`, or `zone:` and one of `zone_kinds`.
        within
            Only the units inside this one; the columns then add up to it.

        Returns
        -------
        DataFrame
            name, parent, person (who answers for it), is_rest; the counts of
            `geo.figures.mark_cases`; grids, households, households_unknown (grids that do not know
            theirs), population, per_1000 (NaN where none are known); assets, cameras, workers,
            on_duty; rounds_required, rounds_done, covered_share (NaN where not known).
        """
        within = self.find_unit(within)[0]
        return self.memo.get(("table", level, within), lambda: make_table(self, level, within))

    def scope(self, code: str | None = None) -> Scope:
        """One unit by its code; None, an unknown code and the city's own give the whole city."""
        code, level = self.find_unit(code)
        return self.memo.get(("scope", code), lambda: make_scope(self, code, level))

    def find_unit(self, code: str | None) -> tuple[str | None, str]:
        """Code and level of a unit of the city; None and `city` where it is no part of it."""
        if code:
            for level in (*self.levels[1:-1], "grid", *(ZONE + kind for kind in self.zone_kinds)):
                if code in self.units(level).index:
                    return code, level
        return None, "city"

    def units(self, level: str) -> pd.DataFrame:
        """`name` and `parent` of the units of a level; see `City.units`."""
        return self.memo.get(("units", level), lambda: self.city.units(level))


def mark_all(city: City, cases: Cases, at: datetime, settings: Settings) -> CaseFigures:
    """Work out what follows from the cases at the moment `at`."""
    local = at.astimezone(settings.zone)
    soon_h = settings.soon_minutes / 60
    marks = mark_cases(cases.frame, at=local, soon_h=soon_h)
    households = city.grids["households"].to_numpy(dtype=np.float64, na_value=np.nan)
    is_known = np.append(np.isfinite(households), False)
    marks["rated_30d"] = marks["reported_30d"].to_numpy() & is_known[cases.row]
    return CaseFigures(
        at=local,
        cases=cases,
        city=city,
        marks=marks,
        state=_STATES[marks["state"].cat.codes.to_numpy()],
        next_change=next_change(
            cases.frame, at=local, soon_h=soon_h, new_for=timedelta(minutes=settings.new_minutes)
        ),
    )


def take_snapshot(
    figures: CaseFigures,
    inventory: Inventory,
    workers: Workers,
    at: datetime,
    settings: Settings,
    versions: dict[str, str],
    **more: Any,
) -> Snapshot:
    """Put the parts together for the moment `at`."""
    return Snapshot(
        at=at.astimezone(settings.zone),
        versions=versions,
        newest=_newest(figures.cases, workers, at, settings),
        city=figures.city,
        inventory=inventory,
        cases=figures.cases,
        workers=workers,
        case_figures=figures,
        settings=settings,
        **more,
    )


def _newest(cases: Cases, workers: Workers, at: datetime, settings: Settings) -> datetime | None:
    """The newest moment in the data; one in the future is a mistake and makes nothing fresh."""
    now = pd.Timestamp(at)
    found: list[pd.Timestamp] = []
    for times in (cases.reported, cases.closed):
        known = times[~np.isnat(times) & (times <= now.tz_convert("UTC").tz_localize(None))]
        if len(known):
            found.append(pd.Timestamp(known.max(), tz="UTC"))
    seen = workers.positions["time"]
    seen = seen[seen <= now]
    if len(seen):
        found.append(seen.max())
    return max(found).to_pydatetime().astimezone(settings.zone) if found else None
