"""Fair comparisons: this period against last year (同比), the last one (环比), or any other.

Both periods are counted on one stated boundary version (`Boundary`): a case belongs to the unit
that has its point, whatever boundaries were in force when it was reported. Counts without points
are brought over by households (`move_counts`) and marked as estimated. Every column of a table
adds up to its total: what has no unit, no place, or lies outside has a row of its own.

A difference is told with its uncertainty. What is compared is the rate per day, where a weekend or
holiday counts as many workdays as records say it is worth (`DayMix`):

    expected = then x (workdays of now / workdays of then)
    ratio    = now / expected

with an exact interval for the ratio, widened by the scatter of weekly counts (`compare_rates`,
`find_dispersion`), and units judged together by the false discovery rate. So each row has a
verdict: `rose`, `fell`, `no_clear_change`, `too_few` (even if all cases lay in one of the periods
it would not be clear) or `unknown` (a period without records).

What weekly counts cannot show is not in the interval: a change of the law, of the hotline or of how
diligently people report moves every unit, and is no noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._compare_count import Counted, Window, count_cases
from geo._compare_days import DAY_KINDS as DAY_KINDS
from geo._compare_days import DayMix as DayMix
from geo._compare_days import day_kinds as day_kinds
from geo._compare_days import fit_day_weights as fit_day_weights
from geo._compare_days import mix_days
from geo._compare_notes import MISSING, find_notes, note_empty
from geo._compare_notes import NOTES as NOTES
from geo._compare_periods import PERIOD_KINDS as PERIOD_KINDS
from geo._compare_periods import Against as Against
from geo._compare_periods import Period as Period
from geo._compare_periods import PeriodKind as PeriodKind
from geo._compare_periods import find_period as find_period
from geo._compare_periods import make_span as make_span
from geo._compare_periods import period_before as period_before
from geo._compare_periods import same_part as same_part
from geo._compare_periods import year_earlier as year_earlier
from geo._compare_rates import Rates as Rates
from geo._compare_rates import are_too_few
from geo._compare_rates import compare_rates as compare_rates
from geo._compare_rates import control_discoveries as control_discoveries
from geo._compare_rates import find_dispersion as find_dispersion
from geo._compare_shares import LOST as LOST
from geo._compare_shares import move_counts as move_counts
from geo._compare_shares import shares_by_blocks as shares_by_blocks
from geo._compare_shares import shares_by_parents as shares_by_parents
from geo._compare_shares import units_of_counts as units_of_counts
from geo._compare_units import BESIDE as BESIDE
from geo._compare_units import NO_UNIT as NO_UNIT
from geo._compare_units import OUTSIDE as OUTSIDE
from geo._compare_units import UNPLACED as UNPLACED
from geo._compare_units import ZONES as ZONES
from geo._compare_units import Boundary as Boundary
from geo._compare_units import Units as Units
from geo._repeats import Repeats
from geo.deadlines import CHINA, WorkingCalendar
from geo.errors import InputError

VERDICTS = ("rose", "fell", "no_clear_change", "too_few", "unknown")
TOTAL = "(total)"
JUDGED = ("expected", "difference", "low", "high", "p", "q")
"""Columns of a table that are missing where a period has not all of its records; `change` is then
the plain quotient of what is known."""
LEAST_KNOWN_DAYS = 28
"""Days with records outside of now that a rise from nothing needs: four weeks; our assumption."""
CONFIDENCE = 0.95
RATE_OF = 1000
Floats = npt.NDArray[np.float64]


class CaseRows(Protocol):
    """What is needed of cases: columns as `geo.io.case_columns.CaseColumns` has them."""

    @property
    def lon(self) -> npt.NDArray[np.float64]: ...
    @property
    def lat(self) -> npt.NDArray[np.float64]: ...
    @property
    def reported(self) -> npt.NDArray[np.int64]: ...
    @property
    def class_code(self) -> npt.NDArray[np.int16]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two periods beside each other on one boundary version; see `compare`."""

    now: Period
    then: Period
    level: str
    boundary: Boundary
    table: pd.DataFrame
    """Indexed by code: the units in their order and, last, `BESIDE`."""
    total: pd.Series
    """The same columns for the whole, named `TOTAL`; its counts are the sums of the table."""
    days: DayMix
    confidence: float
    weeks: int
    """Weeks from which the scatter was taken; 0: none, plain Poisson."""
    weekly: pd.DataFrame
    """Cases of the 53 weeks to the last whole day, indexed like `table`, one column a week by its
    first day; missing where the city has no records."""
    week_days: npt.NDArray[np.float64]
    """Of each of these weeks, in workdays; 0 where it has no records."""
    notes: tuple[str, ...]
    """What a reader must know, as words: see `NOTES`."""

    def ranked(self, by: str = "change", *, ascending: bool = False) -> pd.DataFrame:
        """The units in the order of a column, ties in theirs, those without it last; no `BESIDE`.

        Adds `rank`: equal values share the best (1, 2, 2, 4), missing where there is no value.
        """
        units = self.table[~self.table.index.isin(BESIDE)]
        if by not in units.columns:
            raise InputError(f"no column {by!r}: use one of {', '.join(units.columns)}")
        rank = units[by].rank(method="min", ascending=ascending).astype("Int64")
        ordered = units.assign(rank=rank)
        return ordered.sort_values(by, ascending=ascending, kind="stable", na_position="last")


def compare(
    cases: CaseRows,
    boundary: Boundary,
    now: Period,
    then: Period,
    *,
    level: str = "grid",
    classes: Sequence[str] | None = None,
    where: npt.NDArray[np.bool_] | None = None,
    calendar: WorkingCalendar = CHINA,
    known_since: datetime | None = None,
    estimated_now: pd.Series | None = None,
    estimated_then: pd.Series | None = None,
    weigh_days: bool = True,
    need_records: bool = False,
    confidence: float = CONFIDENCE,
) -> Comparison:
    """Compare the cases reported in two periods, for every unit of a level.

    Parameters
    ----------
    cases
        All cases of the city as columns, `lon` and `lat` in the CRS of the boundary (EPSG:4326 in
        a workspace), `reported` in seconds since 1970 UTC. History before and between the
        periods serves for the weights of days and the scatter.
    boundary
        The one boundary version on which both periods are counted.
    now, then
        From `find_period` or `make_span`, and `year_earlier`, `period_before` or any other.
    level
        One of `boundary.levels`.
    classes
        Only cases of these classes; None: all.
    where
        Only cases for which this is true, one a row of `cases`.
    calendar
        The city's working days: the State Council's under its own.
    known_since
        When the city's records begin; None: with the first of `cases`.
    estimated_now, estimated_then
        Counts without points by `grid_id` of this boundary, from `move_counts`; they are added and
        marked.
    weigh_days
        Whether weekends and holidays are weighed; else all days are alike.
    need_records
        Whether a period of a day or more without any case of the whole city is one without
        records, however quiet the city is: its counts are missing and not zero.
    confidence
        Of the intervals and, as 1 - confidence, of the false discovery rate.

    Returns
    -------
    Comparison
        `table` with `name`, `now`, `then`, `now_estimated`, `then_estimated` (parts of the two
        that are estimates), `expected`, `difference` (now - expected), `change` (ratio - 1;
        infinite if only now has cases, missing if neither has), `low`, `high` (interval of
        `change`), `p`, `q` (missing of `BESIDE`), `verdict`, `dispersion`, `own_scatter`
        (estimated from this unit alone), `now_repeats`, `then_repeats` (cases of a class at one
        place in one week beyond the first; they count, but widen the interval of a unit without
        a scatter of its own), `households`, `per_1000_now`, `per_1000_then` (of the
        whole period, not of a year).

    Raises
    ------
    CodeError
        If the city has no such level.
    InputError
        If `where` is not one a case, or confidence is not between 0 and 1.
    """
    _require(cases, where, confidence)
    units = boundary.units(level)
    place = boundary.place(level, cases.lon, cases.lat)
    window = Window.around(now, then, calendar, cases.reported, known_since)
    is_metric = boundary.grids.crs is not None and boundary.grids.crs.is_projected
    counted = count_cases(cases, place, len(units) + 3, window, classes, where, is_metric)
    weights, told = np.ones(3), np.zeros(3, dtype=bool)
    if weigh_days:
        weights, told = window.weights(counted.days, counted.all_days)
    mix = mix_days(now, then, calendar, weights, told)
    extra = [_extra(part, boundary, level) for part in (estimated_now, estimated_then)]
    table = _table(units, counted, extra, mix, window, weights, confidence)
    notes = find_notes(counted, window, mix, weigh_days, classes, cases, extra, units)
    if need_records:
        notes = note_empty(notes, cases, window, extra)
    return _comparison(boundary, level, counted, mix, weights, confidence, table, notes)


def _comparison(
    boundary: Boundary, level: str, counted: Counted, mix: DayMix, weights: Floats,
    confidence: float, table: pd.DataFrame, notes: tuple[str, ...],
) -> Comparison:  # fmt: skip
    """All of it together; where records are missing nothing is judged."""
    window = counted.window
    for name in ("now", "then"):
        if f"{name}_without_records" in notes:
            table[[name, f"{name}_repeats", f"per_1000_{name}"]] = np.nan
            table["change"] = np.nan
    if set(MISSING) & set(notes):
        table["verdict"] = "unknown"
        # A change of what was never recorded would only tell how much was not.
        table[list(JUDGED)] = np.nan
    rows = table.drop(index=TOTAL)
    weekly, week_days = _weekly(counted, window, weights, rows.index)
    return Comparison(
        window.now, window.then, level, boundary, rows, table.loc[TOTAL].rename(TOTAL), mix,
        confidence, counted.week_count, weekly, week_days, notes,
    )  # fmt: skip


def _require(cases: CaseRows, where: npt.NDArray[np.bool_] | None, confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}: give a share between 0 and 1, say 0.95")
    if where is not None and len(where) != len(cases):
        raise InputError(f"where has {len(where)} values for {len(cases)} cases: give one each")


def _weekly(
    counted: Counted, window: Window, weights: npt.NDArray[np.float64], index: pd.Index
) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    """Cases of each week, and its workdays; see `Comparison.weekly`."""
    week_days = window.week_days(weights, counted.all_days)
    weekly = pd.DataFrame(
        np.where(week_days > 0, counted.weeks, np.nan),
        index=index,
        columns=pd.Index(window.week_starts.astype(object)),
    )
    return weekly, week_days


def _extra(part: pd.Series | None, boundary: Boundary, level: str) -> npt.NDArray[np.float64]:
    if part is None:
        return np.zeros(len(boundary.units(level)) + 3)
    return np.asarray(units_of_counts(part, boundary, level), dtype=np.float64)


def _table(
    units: Units,
    counted: Counted,
    extra: list[npt.NDArray[np.float64]],
    mix: DayMix,
    window: Window,
    weights: npt.NDArray[np.float64],
    confidence: float,
) -> pd.DataFrame:
    """All rows and, last, the total."""
    size = len(units)
    now, then = (
        _with_total(points + part if part.any() else points)
        for points, part in zip((counted.now, counted.then), extra, strict=True)
    )
    parts = [_with_total(part) for part in extra]
    scatter, own, lent = _scatter(counted, window, weights, size)
    rates = compare_rates(
        now, then, mix.now_days, mix.then_days, dispersion=scatter, confidence=confidence
    )
    # Cases that repeat one another weigh less, but are not few.
    share = mix.now_days / max(mix.now_days + mix.then_days, 1e-12)
    few = rates.too_few & are_too_few((now + then) / lent, share, 1 - confidence)
    judged = np.where(rates.too_few, np.nan, rates.p)
    q = np.full(size + 4, np.nan)
    q[:size] = control_discoveries(judged[:size])
    q[-1] = judged[-1]
    ratio = mix.now_days / mix.then_days if mix.now_days > 0 and mix.then_days > 0 else np.nan
    homes = np.append(units.households.to_numpy(), [np.nan] * 4)
    table = pd.DataFrame(
        {
            "name": [*units.names, *BESIDE, TOTAL],
            "now": now,
            "then": then,
            "now_estimated": parts[0],
            "then_estimated": parts[1],
            "expected": then * ratio,
            "difference": now - then * ratio,
            "change": rates.ratio - 1,
            "low": rates.low - 1,
            "high": rates.high - 1,
            "p": rates.p,
            "q": q,
            "verdict": _verdicts(
                rates, few | ((then == 0) & _is_new(counted)), q, judged, 1 - confidence
            ),
            "dispersion": scatter,
            "own_scatter": own,
            "now_repeats": _with_total(counted.repeats.now),
            "then_repeats": _with_total(counted.repeats.then),
            "households": homes,
            "per_1000_now": _per_1000(now, homes),
            "per_1000_then": _per_1000(then, homes),
        },
        index=units.rows.append(pd.Index([TOTAL], dtype=object)).rename("code"),
    )
    return table


def _is_new(counted: Counted) -> bool:
    """Whether too few days with records lie behind a zero to call it one."""
    window = counted.window
    before = ~np.isin(window.days, window.now.days) & (counted.all_days > 0)
    return bool(np.count_nonzero(before) < LEAST_KNOWN_DAYS)


def _with_total(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.append(values, values.sum())


def _scatter(
    counted: Counted, window: Window, weights: npt.NDArray[np.float64], size: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], float]:
    """Variance over mean of each row and, last, the total; whether it is the row's own; the pooled.

    Without its own a row has that of all units, or of its repeats where that is more.
    """
    week_days = window.week_days(weights, counted.all_days)
    pooled, told, _ = find_dispersion(counted.weeks[:size], week_days)
    whole, _, _ = find_dispersion(counted.weeks.sum(axis=0, keepdims=True), week_days)
    own = np.append(~np.isnan(told), [False] * 3 + [counted.week_count > 0])
    repeats = Repeats(_with_total(counted.repeats.squares), counted.now, counted.then)
    cases = _with_total((counted.now + counted.then).astype(np.float64))
    lent = np.maximum(pooled, repeats.scatter(cases))
    mine = np.concatenate([told, [np.nan] * 3, [whole]])
    return np.where(own, mine, lent), own, pooled


def _verdicts(
    rates: Rates,
    few: npt.NDArray[np.bool_],
    q: npt.NDArray[np.float64],
    judged: npt.NDArray[np.float64],
    alpha: float,
) -> npt.NDArray[np.object_]:
    """What each row says; rows beside the units, which are no family, go by their own p."""
    clear = np.where(np.isnan(q), judged, q) <= alpha
    nothing = np.isnan(rates.p) & ~rates.too_few
    return np.select(
        [nothing, few, clear & (rates.ratio > 1), clear & (rates.ratio < 1)],
        ["unknown", "too_few", "rose", "fell"],
        default="no_clear_change",
    ).astype(object)


def _per_1000(
    counts: npt.NDArray[np.float64], homes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    rate = np.full(len(homes), np.nan)
    some = homes > 0
    rate[some] = counts[some] / homes[some] * RATE_OF
    return rate
