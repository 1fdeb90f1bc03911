"""Which rounds are owed: by role, unit, weekday and date, the nearest rule first.

Rules of the same shift and role compete for a grid: the one of the grid itself wins over its
community's, that over its street's and so on to the whole city; then one with dates over one
without, one with weekdays over one for all days, and of equals the later row. A rule of 0 minutes
says that there is no such round. Public names are handed on by `geo.rounds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._duty_tables import micro_of
from geo._fixes_tracks import to_times
from geo._working_time import WorkingCalendar
from geo.errors import InputError

NEED_MIN = 30
"""Minutes in the grid that make a round of an hour; our assumption, a city sets its own."""

PART_MIN = 10
"""Minutes in the grid below which nothing was done; our assumption."""

STAY_S = 60.0
"""Who only passes through a circle of 20 m is in it for 40 m at 1.07 m/s, which is 37 s (3.5 feet a
second, the 15th percentile of walkers: MUTCD 2009, section 4E.06). A minute is a half more."""

WITHIN_M = 20.0
"""Four times the 4.9 m by which phones are off under an open sky (van Diggelen and Enge, ION GNSS+
2015); half of it would miss one visit in seven at 10 m of noise."""

SHARE = 0.8
"""Share of a street piece that makes it walked; our assumption: corners and parked cars cost some
metres at both ends."""

Days = Literal["all", "workdays", "restdays"]
PLACE_KINDS = ("asset", "street", "checkpoint")
EVERY_DAY = frozenset(range(1, 8))


@dataclass(frozen=True)
class Shift:
    """A round that every grid is owed."""

    name: str
    start: time
    minutes: int = 60


@dataclass(frozen=True)
class RoundRule:
    """One row of `rounds.csv`: when a round is owed, where and by whom."""

    shift: str
    start: time
    minutes: int = 60
    """0: there is no such round."""
    need_min: float = NEED_MIN
    part_min: float = PART_MIN
    role: str = ""
    """Who walks it; empty: whoever is posted to the grid."""
    unit: str = ""
    """A grid or a division above it; empty: the whole city."""
    weekdays: frozenset[int] = EVERY_DAY
    """1 is Monday (ISO 8601)."""
    days: Days = "all"
    since: date | None = None
    until: date | None = None
    """First and last day, both included."""

    def holds_on(self, day: date, calendar: WorkingCalendar | None) -> bool:
        """Whether the rule speaks of a day.

        Raises
        ------
        InputError
            If it speaks of working days and no calendar is given, or the calendar does not know
            the year.
        """
        if day.isoweekday() not in self.weekdays:
            return False
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        if self.days == "all":
            return True
        if calendar is None:
            raise InputError(f"the round {self.shift} is for {self.days}: give a calendar")
        return calendar.is_working_day(day) == (self.days == "workdays")

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """Of rules of one unit the greater wins."""
        has_dates = self.since is not None or self.until is not None
        return has_dates, self.weekdays != EVERY_DAY, self.days != "all"


@dataclass(frozen=True)
class PlaceRule:
    """One row of `round_places.csv`: what must be visited on a round."""

    place: str
    """Names the rule."""
    kind: str
    """One of PLACE_KINDS."""
    shift: str = ""
    """Empty: in each round of a day on which it is due."""
    role: str = ""
    unit: str = ""
    class_code: str = ""
    """Assets of this class; a code may be given by its beginning."""
    target: str = ""
    """An asset or road; empty: all of the class."""
    lon: float = float("nan")
    lat: float = float("nan")
    name: str = ""
    every_days: int = 1
    """Due once in so many days, on a day that its place in the table fixes, so that equally many
    come due each day."""
    stay_s: float = STAY_S
    within_m: float = WITHIN_M
    share: float = SHARE


@dataclass(frozen=True)
class Schedule:
    """All rounds that a city asks for; see `geo.io.rules.read_rounds`."""

    rounds: tuple[RoundRule, ...]
    places: tuple[PlaceRule, ...] = ()

    @classmethod
    def of_shifts(
        cls, shifts: Sequence[Shift], *, need_min: float = NEED_MIN, part_min: float = PART_MIN
    ) -> Schedule:
        """The same rounds for every grid and day; the minutes are for an hour."""
        return cls(
            tuple(
                RoundRule(
                    s.name, s.start, s.minutes, need_min * s.minutes / 60, part_min * s.minutes / 60
                )
                for s in shifts
            )
        )

    def owed_on(
        self,
        day: date,
        grids: pd.Index,
        *,
        zone: ZoneInfo,
        units: pd.DataFrame | None = None,
        calendar: WorkingCalendar | None = None,
    ) -> pd.DataFrame:
        """The rounds that are owed on a day.

        Parameters
        ----------
        grids
            Ids of the grids.
        units
            Codes of the divisions above each grid, a column a level from the city down.
        calendar
            Which days are worked; asked for only if a rule needs it.

        Returns
        -------
        DataFrame
            By grid, begin, shift and role: `row` (position of the grid), `grid_id`, `shift`,
            `role`, `start`, `end` (UTC), `minutes`, `need_min`, `part_min`.
        """
        groups: dict[tuple[str, str], list[RoundRule]] = {}
        for rule in self.rounds:
            if rule.holds_on(day, calendar):
                groups.setdefault((rule.shift, rule.role), []).append(rule)
        parts = []
        for rules in groups.values():
            chosen = _choose(rules, grids, units)
            for number, rule in enumerate(rules):
                rows = np.flatnonzero(chosen == number)
                if len(rows) and rule.minutes > 0:
                    parts.append(_owed(rule, rows, day, zone))
        return _in_order(parts, grids)


def unit_rows(unit: str, grids: pd.Index, units: pd.DataFrame | None) -> tuple[int, _Bools]:
    """How near to a grid a unit is (0 the city, the most the grid), and which grids it holds."""
    if not unit:
        return 0, np.ones(len(grids), dtype=bool)
    of_grid = np.asarray(grids.astype(str) == unit)
    if of_grid.any() or units is None:
        return 99, of_grid
    for depth, name in enumerate(reversed(units.columns)):
        inside = (units[name].astype(object) == unit).reindex(grids, fill_value=False)
        if inside.any():
            return len(units.columns) - depth, inside.to_numpy(dtype=bool)
    return 99, of_grid


_Bools = npt.NDArray[np.bool_]


def _choose(
    rules: list[RoundRule], grids: pd.Index, units: pd.DataFrame | None
) -> npt.NDArray[np.intp]:
    """Number of the rule that wins in each grid, -1 where none speaks of it."""
    places = [unit_rows(rule.unit, grids, units) for rule in rules]
    chosen = np.full(len(grids), -1, dtype=np.intp)
    order = sorted(range(len(rules)), key=lambda k: (places[k][0], rules[k].rank, k))
    for number in order:
        chosen[places[number][1]] = number
    return chosen


def _owed(rule: RoundRule, rows: npt.NDArray[np.intp], day: date, zone: ZoneInfo) -> pd.DataFrame:
    start = datetime.combine(day, rule.start, tzinfo=zone)
    frame = pd.DataFrame({"row": rows})
    return frame.assign(
        shift=rule.shift,
        role=rule.role,
        start_us=micro_of(start),
        minutes=rule.minutes,
        need_min=float(rule.need_min),
        part_min=float(rule.part_min),
    )


def _in_order(parts: list[pd.DataFrame], grids: pd.Index) -> pd.DataFrame:
    columns = ["row", "shift", "role", "start_us", "minutes", "need_min", "part_min"]
    found = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in columns})
    found = found.sort_values(["row", "start_us", "shift", "role"], ignore_index=True)
    begin = found.pop("start_us").to_numpy(dtype=np.int64)
    minutes = found["minutes"].to_numpy(dtype=np.int64)
    row = found["row"].to_numpy(dtype=np.intp)
    return pd.DataFrame(
        {
            "row": row,
            "grid_id": pd.array(grids.astype(str).to_numpy()[row], dtype="str"),
            "shift": found["shift"].astype("str"),
            "role": found["role"].astype("str"),
            "start": to_times(begin),
            "end": to_times(begin + minutes * 60_000_000),
            "minutes": minutes,
            "need_min": found["need_min"].to_numpy(dtype=np.float64),
            "part_min": found["part_min"].to_numpy(dtype=np.float64),
        }
    )


THREE_ROUNDS = (
    Shift("morning", time(8)),
    Shift("noon", time(12)),
    Shift("evening", time(18)),
)
"""The default of three rounds of an hour a day; as `geo/data/rounds.csv`."""
