"""What part of the city a command page looks at: the unit it is about, and the units it shades.

Below the city stand district, street, community and grid, or one kind of custom areas in their
place. A level with one unit only is passed over, since a map of one unit and a table of one row say
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dashboards.city import ZONE
from dashboards.figures import Scope, Snapshot
from dashboards.words import Words
from geo.figures import rank_units


@dataclass(frozen=True, eq=False)
class Look:
    """A unit with the units inside it that the page compares."""

    scope: Scope
    level: str
    """Level of the units that are shaded and ranked."""
    units: pd.DataFrame
    asked: str | None
    """The level if a person chose it; None if it follows from the unit."""

    @property
    def code(self) -> str | None:
        """Code of the unit that the page is about; None is the whole city."""
        return self.scope.code

    @property
    def outline(self) -> tuple[str, str] | None:
        """Level and code of the unit to outline on the map."""
        return None if self.code is None else (self.scope.level, self.code)


def look_at(snapshot: Snapshot, unit: str | None, level: str | None) -> Look:
    """Look at a unit; one that is not there any more gives the whole city.

    Parameters
    ----------
    unit
        Code of the unit; None or empty for the whole city.
    level
        Level to compare inside it; one that is not below the unit is passed over.
    """
    key = ("look", unit or None, level or None)
    return snapshot.memo.get(key, lambda: _look(snapshot, unit or None, level or None))


def _look(snapshot: Snapshot, unit: str | None, level: str | None) -> Look:
    scope = snapshot.scope(unit)
    below = levels_below(snapshot, scope.level)
    may = shadeable(snapshot) if scope.code is None else below
    if level is not None and level in may:
        return Look(scope, level, snapshot.table(level, scope.code), level)
    for level in below:
        units = snapshot.table(level, scope.code)
        if level == "grid" or _real(units) > 1:
            break
    return Look(scope, level or "grid", units, None)


def _real(units: pd.DataFrame) -> int:
    """How many units there are besides the rest."""
    return int((~units["is_rest"].astype(bool)).sum())


def levels_below(snapshot: Snapshot, level: str) -> list[str]:
    """The levels of the city below one of them, from the top down."""
    levels = list(snapshot.levels)
    return levels[levels.index(level) + 1 :] if level in levels else ["grid"]


def shadeable(snapshot: Snapshot) -> list[str]:
    """What the map can compare: levels of more than one unit, then kinds of custom areas."""
    levels = levels_below(snapshot, "city")
    several = [name for name in levels if name == "grid" or len(snapshot.units(name)) > 1]
    return [*several, *(ZONE + kind for kind in snapshot.zone_kinds)]


def level_name(level: str, words: Words) -> str:
    """What a level is called in the middle of a sentence."""
    if level.startswith(ZONE):
        return level.removeprefix(ZONE)
    return words(f"level.{level}").lower()


def level_short(level: str, words: Words) -> str:
    """What a level is called on a switch."""
    return level.removeprefix(ZONE) if level.startswith(ZONE) else words(f"level.{level}")


MOST_STOPS = 40
"""Stops of a tour; at twenty seconds each it comes round in a quarter of an hour."""


def tour_stops(snapshot: Snapshot) -> list[str]:
    """The units of the two highest levels, those with the most overdue incidents first."""
    stops: list[str] = []
    levels = [n for n in levels_below(snapshot, "city") if n not in ("grid", "community")]
    for level in levels[:2]:
        units = snapshot.table(level)
        if _real(units) > 1:
            ranked = rank_units(units)
            stops += [str(code) for code in ranked.index[~ranked["is_rest"].astype(bool)]]
    return stops[:MOST_STOPS]
