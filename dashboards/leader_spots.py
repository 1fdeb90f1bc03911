"""Black spots of a leader's area: places where cases keep coming back, and who answers for them.

`geo.hotspots.list_black_spots` finds them over the year that ends with the period, since what comes
back needs time to do so; the page tells those that had a case in the period itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
import pyproj

from geo.compare import Boundary, Period
from geo.hotspots import list_black_spots
from geo.io.case_columns import CaseColumns
from geo.leader import LeaderChoice, cases_in
from geo.responsibility import ChainIndex

WEEKS = 52
"""How far back a place may have come back: a year of weeks, our choice."""

MOST = 12
"""Places that are named; further ones are counted."""

RADIUS_M, LEAST_DAYS, LEAST_WEEKS = 50.0, 5, 3
"""What counts as coming back: so near, on so many days, in so many weeks; our assumption, said on
the page."""

PEOPLE = ("grid", "community", "street")


@dataclass(frozen=True, eq=False)
class LeaderSpots:
    """The places, worst first."""

    table: pd.DataFrame
    """Columns of `list_black_spots`, `place` (grid with the division above it), `people` (names by
    level), `is_live` (a case in the period)."""
    found: int
    """How many there are, named or not."""
    first: date
    last: date
    """Days looked at."""


def find_spots(
    cases: CaseColumns,
    boundary: Boundary,
    choice: LeaderChoice,
    now: Period,
    *,
    at: datetime,
    crs: pyproj.CRS,
    chain: ChainIndex,
) -> LeaderSpots:
    """Find the black spots of a choice up to the end of its period."""
    last = min(now.until - timedelta(days=1), at.astimezone(now.zone).date())
    first = last - timedelta(days=7 * WEEKS - 1)
    table = list_black_spots(
        cases, boundary, crs, zone=now.zone, first=first, last=last,
        classes=choice.classes or None, where=cases_in(cases, boundary, choice.area), most=MOST,
        radius_m=RADIUS_M, least_days=LEAST_DAYS, least_periods=LEAST_WEEKS,
    )  # fmt: skip
    found = int(table.attrs["found"])
    codes = [str(code) for code in table["grid_id"] if isinstance(code, str)]
    names = chain.table(codes, at=at)
    grids = boundary.units("grid").names if len(boundary.grids) else pd.Series(dtype=object)
    above = boundary.units("community") if "community" in boundary.levels else None
    places: list[str] = []
    people: list[dict[str, str]] = []
    for code in table["grid_id"]:
        if not isinstance(code, str):
            places.append("")
            people.append({})
            continue
        name = str(grids.get(code, code))
        up = ""
        if above is not None:
            row = int(above.of_grid[boundary.grids.index.get_loc(code)])
            up = str(above.names.iloc[row]) if row < len(above) else ""
        places.append(name if not up or name.startswith(up) else f"{up} · {name}")
        told = names.loc[code] if code in names.index else pd.Series(dtype=object)
        told = told.iloc[0] if isinstance(told, pd.DataFrame) else told
        people.append({level: str(told[level]) for level in PEOPLE if pd.notna(told.get(level))})
    live = [day >= now.first for day in table["last_day"]]
    return LeaderSpots(table.assign(place=places, people=people, is_live=live), found, first, last)
