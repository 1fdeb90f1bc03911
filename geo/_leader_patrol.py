"""What patrols did in a period, from its single days, by grid and by unit.

A day without a track is unknown and is not counted, and so is, on a day, a grid whose people all
kept silent: no signal is no absence. So a share is always that of what somebody can vouch for, and
the days that it rests on are named with it.

The covered share is that of street metres and days: metres reached on each day over the metres
there were, both added up. Walking one street ten times a day and the others never is not the same
as walking each once, which a union over the period would tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from geo._compare_units import Boundary

ROUNDS = ("required", "done", "unknown")
METRES = ("street_m", "covered_m")


@dataclass(frozen=True, eq=False)
class DayPatrol:
    """One day: `table` by `grid_id` with `street_m` and `covered_m` (missing where nobody was
    heard), `required`, `done` and `unknown` rounds, which may name grids of that day's borders."""

    day: date
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class PeriodPatrol:
    """What is known of the patrols of a period."""

    days: tuple[date, ...] = ()
    """Of which tracks are stored and counted, in order."""
    wanted: int = 0
    """Days of the period that are over."""
    waiting: int = 0
    """Days whose tracks are stored and not counted yet."""
    table: pd.DataFrame | None = None
    """By `grid_id`: the sums over the days of METRES and ROUNDS; None without a day."""

    @property
    def coverage(self) -> pd.DataFrame | None:
        """`covered` and `whole` in street metres and days by grid, as `geo.evaluate.evaluate`
        takes them; None where nothing is known."""
        if self.table is None or not self.table["street_m"].sum() > 0:
            return None
        found = self.table.rename(columns={"covered_m": "covered", "street_m": "whole"})
        return found[["covered", "whole"]]


def sum_patrols(days: Sequence[DayPatrol], *, wanted: int, waiting: int = 0) -> PeriodPatrol:
    """Add up days.

    Parameters
    ----------
    days
        Each day once, in order.
    wanted
        How many days of the period are over.
    waiting
        How many days have tracks that are not counted yet.
    """
    if not days:
        return PeriodPatrol((), wanted, waiting)
    whole = pd.concat([_known_only(one.table) for one in days])
    table = whole.groupby(whole.index.astype(str), sort=True).sum()
    return PeriodPatrol(tuple(one.day for one in days), wanted, waiting, table)


def _known_only(table: pd.DataFrame) -> pd.DataFrame:
    """Streets of a grid of which nobody can say whether they were reached are not counted."""
    found = table[[*METRES, *ROUNDS]].astype(np.float64)
    found.loc[found["covered_m"].isna(), "street_m"] = np.nan
    return found.fillna(0.0)


def patrols_of_units(patrol: PeriodPatrol, boundary: Boundary, level: str) -> pd.DataFrame:
    """Rounds and coverage by unit.

    Returns
    -------
    DataFrame
        By code of the units of the level: `rounds_required`, `rounds_done`, `rounds_unknown`,
        `street_m`, `covered_m` (street metres times days), `covered_share`; missing where nothing
        is known, and for zones, which are no sums of grids. Rounds of grids that the boundary does
        not have any more are in no unit.

    Raises
    ------
    CodeError
        If the boundary has no such level.
    """
    units = boundary.units(level)
    names = ["rounds_required", "rounds_done", "rounds_unknown", "street_m", "covered_m"]
    if patrol.table is None or units.shapes is not None or not len(boundary.grids):
        empty = pd.DataFrame(np.nan, index=units.codes, columns=names)
        return empty.assign(covered_share=np.nan)
    row = boundary.grids.index.astype(str).get_indexer(patrol.table.index)
    mine = patrol.table[row >= 0]
    place = units.of_grid[row[row >= 0]]
    size = len(units.codes)
    mine, place = mine[place < size], place[place < size]
    sums = {
        name: np.bincount(place, weights=mine[source].to_numpy(), minlength=size)[:size]
        for name, source in zip(names, (*ROUNDS, *METRES), strict=True)
    }
    table = pd.DataFrame(sums, index=units.codes)
    return table.assign(
        covered_share=(table["covered_m"] / table["street_m"]).where(table["street_m"] > 0)
    )
