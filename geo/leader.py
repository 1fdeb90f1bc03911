"""What a leader's page and report show of one period: every figure of them, once.

The page, the report as HTML, PDF and Excel, and the notebooks all take their figures from one
`LeaderView`, so they cannot differ. All of it stands on one boundary version. Drilling down means
another `area`: its units are those below it, and its total is the row that was clicked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._leader_patrol import DayPatrol as DayPatrol
from geo._leader_patrol import PeriodPatrol as PeriodPatrol
from geo._leader_patrol import patrols_of_units as patrols_of_units
from geo._leader_patrol import sum_patrols as sum_patrols
from geo.compare import (
    BESIDE,
    Against,
    Boundary,
    Comparison,
    Period,
    PeriodKind,
    compare,
    find_period,
    make_span,
    period_before,
    year_earlier,
)
from geo.deadlines import WorkingCalendar
from geo.errors import CodeError, InputError
from geo.hierarchy import ancestors
from geo.io.case_columns import NEVER, CaseColumns, local_days
from geo.schema import LEVELS

TREND_WEEKS = 26
"""Weeks of the small lines beside each row: half a year, enough to see a season; our choice."""

EARLIEST, LATEST = 1970, 2200
"""Years that a period may lie in; what is written beyond them is a slip of the hand."""

MOST_DAYS = 3_700
"""Days of the longest span, ten years; our choice, so that nobody waits for a typing error."""

DOWN = {"city": "district", "district": "street", "street": "community", "community": "grid"}
Ints = npt.NDArray[np.int64]


class EmptyCityError(InputError):
    """The city has neither divisions nor grids, so there is nothing to tell of."""


class ChoiceError(InputError):
    """A period that cannot be told; `word` says why, for words in any language."""

    def __init__(self, word: str, text: str, **values: object) -> None:
        super().__init__(text)
        self.word = word
        self.values = values


@dataclass(frozen=True)
class LeaderChoice:
    """What a leader asked for; every part can stand in an address."""

    kind: PeriodKind = "month"
    day: date | None = None
    """Any day of the period, of a span its first; None: the period that runs."""
    last: date | None = None
    """Last day of a span."""
    against: Against = "last_year"
    area: str = ""
    """Code of the division whose units are shown; empty: the whole city."""
    level: str = ""
    """Level of the units; empty: the one below the area that has more than one unit."""
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step of the way down from the city."""

    level: str
    code: str
    name: str


@dataclass(frozen=True, eq=False)
class LeaderView:
    """The figures of one choice, as of a moment."""

    choice: LeaderChoice
    at: datetime
    comparison: Comparison
    """Against what was chosen."""
    other: Comparison
    """The same period against the other: last period for last year, and the reverse."""
    units: pd.DataFrame
    """Of the area, worst first: see `read_view`."""
    total: pd.Series
    """The whole area, the same columns."""
    beside: pd.DataFrame
    """Cases without unit, outside and unplaced, so that all rows add up to `total`."""
    weeks: pd.DatetimeIndex
    """Mondays of the columns of `trend`."""
    trend: pd.DataFrame
    """Cases reported a week by unit, and of the area as `(total)`; missing where the city has no
    record at all."""
    path: tuple[Step, ...]
    """From the city to the area."""
    level: str
    below: str
    """The level that a click on a unit leads to; empty: none."""
    newest: datetime | None
    """When the newest case was reported."""
    levels: tuple[tuple[str, int], ...] = ()
    """The levels that the area can be told at, each with the number of its units there."""
    held: tuple[tuple[str, int], ...] = ()
    """Classes of the area's cases in either period, each with its cases in this one, most first;
    whatever class was chosen."""


def find_periods(
    choice: LeaderChoice, zone: ZoneInfo, at: datetime, against: Against | None = None
) -> tuple[Period, Period]:
    """The period of a choice and the one that it is held against.

    Raises
    ------
    ChoiceError
        If dates are reversed or out of all reach, or a span lacks one of its days.
    """
    for day in (choice.day, choice.last):
        if day is not None and not EARLIEST < day.year < LATEST:
            raise ChoiceError(
                "far", f"{day} is out of reach: name a day after {EARLIEST}",
                day=day, first=EARLIEST + 1, last=LATEST - 1,
            )  # fmt: skip
    if choice.kind == "span":
        if choice.day is None or choice.last is None:
            raise ChoiceError("half", "a span of days needs its first and its last day: give both")
        if choice.last < choice.day:
            raise ChoiceError(
                "reversed",
                f"the period ends on {choice.last}, before it begins on {choice.day}: swap the"
                " dates",
                first=choice.day, last=choice.last,
            )  # fmt: skip
        if (choice.last - choice.day).days >= MOST_DAYS:
            raise ChoiceError(
                "long", "a span has ten years at most: bring its days closer together"
            )
        now = make_span(choice.day, choice.last, zone=zone, at=at)
    else:
        now = find_period(choice.kind, choice.day or at.astimezone(zone).date(), zone=zone, at=at)
    last_year = (against or choice.against) == "last_year"
    return now, year_earlier(now) if last_year else period_before(now)


def read_view(
    cases: CaseColumns,
    boundary: Boundary,
    choice: LeaderChoice,
    *,
    at: datetime,
    calendar: WorkingCalendar,
) -> LeaderView:
    """Work out the figures of a choice.

    Parameters
    ----------
    cases
        All cases of the city.
    boundary
        The one boundary version that everything is counted on.
    at
        Now, with zone; a period that runs is cut there, and so is the other one.

    Returns
    -------
    LeaderView
        `units` is indexed by code, in order of `rank`: the columns of `Comparison.table`, and
        `rank` (by `change`, the greatest first, ties share; missing without one), `other_change`,
        `other_low`, `other_high`, `other_verdict`, `open` and `overdue` (now, whenever reported).

    Raises
    ------
    CodeError
        If there is no such area, level or class.
    EmptyCityError
        If there are neither divisions nor grids.
    InputError
        If dates are reversed or missing.
    """
    zone = ZoneInfo(calendar.zone)
    area_level, path = _path(boundary, choice.area)
    level = choice.level or _level_below(boundary, area_level, choice.area)
    inside = _cases_of(cases, boundary, area_level, choice.area)
    classes = choice.classes or None
    both = {}
    for against in ("last_year", "last_period"):
        now, then = find_periods(choice, zone, at, against)
        both[against] = compare(
            cases, boundary, now, then, level=level, classes=classes, where=inside,
            calendar=calendar, need_records=True,
        )  # fmt: skip
    chosen = both.pop(choice.against)
    other = both.popitem()[1]
    mine = _units_of(boundary, area_level, choice.area, level)
    chosen_rows = _inside(cases, choice.classes, inside)
    weeks, trend = _trend(cases, boundary, level, chosen_rows, at, zone)
    table = _joined(cases, boundary, chosen, other, level, chosen_rows, at)
    total = _with_rates(table.loc["(total)"].copy(), table.loc[mine])
    ranked = table.loc[mine].copy()
    # Where records are missing a change would only tell how many are.
    told = ranked["change"].where(ranked["verdict"] != "unknown")
    ranked.insert(1, "rank", told.rank(method="min", ascending=False).astype("Int64"))
    ranked = ranked.sort_values(["rank", "now"], ascending=[True, False], kind="stable")
    reported = cases.reported[cases.reported != NEVER]
    newest = None if not len(reported) else int(reported.max())
    return LeaderView(
        choice, at, chosen, other, ranked, total, table.loc[list(BESIDE)], weeks,
        trend, path, level, _below(boundary, level),
        None if newest is None else datetime.fromtimestamp(newest, tz=zone),
        _levels(boundary, area_level, choice.area),
        _held(cases, inside, chosen.now, chosen.then),
    )  # fmt: skip


def _levels(boundary: Boundary, area_level: str, area: str) -> tuple[tuple[str, int], ...]:
    """What a reader may choose: levels below the area that have a unit there, zones of the city."""
    names = boundary.levels
    start = names.index(area_level) + 1 if area_level in names else 0
    found = [
        (name, len(_units_of(boundary, area_level, area, name)))
        for name in names[start:]
        if not (area and name.startswith("zones:"))
    ]
    return tuple((name, count) for name, count in found if count)


def _held(
    cases: CaseColumns, inside: npt.NDArray[np.bool_] | None, now: Period, then: Period
) -> tuple[tuple[str, int], ...]:
    """Classes with a case of the area in either period; the count is that of this one."""
    rows = np.ones(len(cases), dtype=bool) if inside is None else inside
    size = len(cases.classes)
    counts = []
    for period in (now, then):
        mine = rows & (cases.reported >= period.begin_s) & (cases.reported < period.end_s)
        codes = cases.class_code[mine]
        counts.append(np.bincount(codes[codes >= 0], minlength=size))
    there = np.flatnonzero(counts[0] + counts[1])
    order = there[np.argsort(-counts[0][there], kind="stable")]
    return tuple((str(cases.classes[k]), int(counts[0][k])) for k in order if str(cases.classes[k]))


def _with_rates(total: pd.Series, units: pd.DataFrame) -> pd.Series:
    """The total with its units' households, and cases per 1,000 of those whose number is known."""
    known = units[units["households"] > 0]
    homes = known["households"].sum()
    total["households"] = homes if len(known) else np.nan
    for name in ("now", "then"):
        total[f"per_1000_{name}"] = 1000 * known[name].sum() / homes if len(known) else np.nan
    return total


def _path(boundary: Boundary, area: str) -> tuple[str, tuple[Step, ...]]:
    """The level of an area, and the steps to it from the top."""
    if not area:
        return "", ()
    table = boundary.divisions
    if table is None or area not in _coded(table).index:
        raise CodeError(f"this city has no division {area}: go back to the whole city")
    table = _coded(table)
    steps: list[Step] = []
    code: object = area
    while isinstance(code, str) and code in table.index:
        row = table.loc[code]
        steps.append(Step(str(row["level"]), code, str(row["name"])))
        code = row["parent_code"]
    return steps[0].level, tuple(reversed(steps))


def _coded(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("code") if "code" in table.columns else table


def _level_below(boundary: Boundary, area_level: str, area: str) -> str:
    """The first level below an area that has more than one unit there, else the last one."""
    levels = [name for name in boundary.levels if name in (*LEVELS, "grid")]
    if not levels:
        raise EmptyCityError("this city has neither divisions nor grids: import them first")
    start = levels.index(area_level) + 1 if area_level in levels else 0
    for level in levels[start:]:
        if len(_units_of(boundary, area_level, area, level)) > 1:
            return level
    return levels[-1]


def _below(boundary: Boundary, level: str) -> str:
    levels = boundary.levels
    if level not in DOWN or level not in levels:
        return ""
    after = [name for name in levels[levels.index(level) + 1 :] if not name.startswith("zones:")]
    return after[0] if after else ""


def _units_of(boundary: Boundary, area_level: str, area: str, level: str) -> list[str]:
    """Codes of the units of a level in an area, in the order of the level."""
    units = boundary.units(level)
    codes = [str(code) for code in units.codes]
    if not area or boundary.divisions is None or level.startswith("zones:"):
        return codes
    if len(boundary.grids):
        above = boundary.units(area_level)
        row = list(above.codes).index(area)
        there = set(np.unique(units.of_grid[above.of_grid == row]).tolist())
        return [code for k, code in enumerate(codes) if k in there]
    up = ancestors(_coded(boundary.divisions), area_level).reindex(codes)
    return [code for code, top in zip(codes, up, strict=True) if top == area]


def _cases_of(
    cases: CaseColumns, boundary: Boundary, area_level: str, area: str
) -> npt.NDArray[np.bool_] | None:
    if not area:
        return None
    units = boundary.units(area_level)
    place = boundary.place(area_level, cases.lon, cases.lat)
    return np.asarray(place == list(units.codes).index(area))


def cases_in(cases: CaseColumns, boundary: Boundary, area: str) -> npt.NDArray[np.bool_] | None:
    """Which cases lie in an area; None for the whole city.

    Raises
    ------
    CodeError
        If there is no such area.
    """
    return _cases_of(cases, boundary, _path(boundary, area)[0], area)


def _inside(
    cases: CaseColumns, classes: Sequence[str], inside: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    rows = np.ones(len(cases), dtype=bool) if inside is None else inside.copy()
    if classes:
        rows &= np.isin(cases.class_code, cases.codes("classes", list(classes)))
    return rows


def _trend(
    cases: CaseColumns,
    boundary: Boundary,
    level: str,
    rows: npt.NDArray[np.bool_],
    at: datetime,
    zone: ZoneInfo,
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    """Cases reported in each of the last whole weeks, by unit."""
    today = at.astimezone(zone).date()
    monday = np.datetime64(today, "D") - today.weekday()
    first = monday - 7 * TREND_WEEKS
    day = local_days(cases.reported, zone)
    week = (day - first.astype(np.int64)) // 7
    size = len(boundary.units(level)) + len(BESIDE)
    place = boundary.place(level, cases.lon, cases.lat)
    keep = rows & (week >= 0) & (week < TREND_WEEKS)
    key = place[keep].astype(np.int64) * TREND_WEEKS + week[keep]
    count = np.bincount(key, minlength=size * TREND_WEEKS).reshape(size, TREND_WEEKS)
    weeks = pd.DatetimeIndex(first + 7 * np.arange(TREND_WEEKS))
    table = pd.DataFrame(count, index=boundary.units(level).rows, columns=weeks)
    table.loc["(total)"] = count.sum(axis=0)
    # A week without any case in the whole city is one without records: unknown, and not zero.
    told = np.bincount(week[(week >= 0) & (week < TREND_WEEKS)], minlength=TREND_WEEKS) > 0
    table = table.astype(float)
    table.loc[:, ~told] = np.nan
    return weeks, table


def _joined(
    cases: CaseColumns,
    boundary: Boundary,
    chosen: Comparison,
    other: Comparison,
    level: str,
    rows: npt.NDArray[np.bool_],
    at: datetime,
) -> pd.DataFrame:
    """The rows of a comparison with those of the other, and what is open now."""
    table = pd.concat([chosen.table, chosen.total.to_frame().T.astype(chosen.table.dtypes)])
    beside = pd.concat([other.table, other.total.to_frame().T.astype(other.table.dtypes)])
    for name in ("change", "low", "high", "verdict"):
        table[f"other_{name}"] = beside[name].reindex(table.index)
    place = boundary.place(level, cases.lon, cases.lat)
    size = len(boundary.units(level)) + len(BESIDE)
    is_open = rows & cases.is_open
    late = is_open & (cases.deadline != NEVER) & (cases.deadline < int(at.timestamp()))
    for name, mask in (("open", is_open), ("overdue", late)):
        count = np.bincount(place[mask], minlength=size)
        table[name] = np.append(count, count.sum())
    return table
