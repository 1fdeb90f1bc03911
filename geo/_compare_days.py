"""What the mix of working days, weekends and holidays does to a count.

Expected cases of a period, other things equal, are proportional to

    E = sum over its days of  part of the day in the period  x  w(kind of the day)

with w(workday) = 1. The weights are the maximum likelihood of the model

    cases of a day ~ Poisson( rate of its month x w(kind of the day) )

over the reference days, found by fitting the two margins in turn (iterative proportional fitting,
Deming and Stephan 1940). So a busy month does not pass for busy Saturdays. That days differ by
their kind and not otherwise is our assumption, as in the trading-day adjustment of official
statistics in its simplest form. Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import chinese_calendar
import numpy as np
import numpy.typing as npt

from geo._compare_periods import Days, Floats, Period
from geo._working_time import WorkingCalendar

DAY_KINDS = ("workday", "weekend", "holiday")
LEAST_DAYS = 4
"""Days of a kind below which its weight is not estimated; our assumption."""
LEAST_CASES = 20
"""Cases on days of a kind below which its weight is not estimated; our assumption."""
_ROUNDS = 200


@dataclass(frozen=True)
class DayMix:
    """How many days of each kind both periods have, and what a day of each counts."""

    now: tuple[float, float, float]
    """Days by `DAY_KINDS`, the last day by its part."""
    then: tuple[float, float, float]
    weights: tuple[float, float, float]
    """Cases of a day of each kind for one of a workday."""
    estimated: tuple[bool, bool, bool]
    """Whether a weight comes from records; else it is that of the kind before, or 1."""
    assumed: bool
    """Working days of a year that no calendar knows: Monday to Friday were taken."""

    @property
    def now_days(self) -> float:
        """The period in workdays: the sum of days times weights."""
        return float(np.dot(self.now, self.weights))

    @property
    def then_days(self) -> float:
        """The other period in workdays."""
        return float(np.dot(self.then, self.weights))


def day_kinds(days: Days, calendar: WorkingCalendar) -> npt.NDArray[np.int8]:
    """Tell for each local date whether it is a workday, weekend or holiday, as in `DAY_KINDS`.

    A make-up Saturday is a workday. A holiday is a day off of Monday to Friday, or one that the
    State Council's notice names (where the calendar goes by it). The city's own days win. In a
    year that no calendar knows Monday to Friday are workdays.
    """
    patient = replace(calendar, lacking="weekdays")
    return np.array([_kind(day, patient) for day in days.astype(object)], dtype=np.int8)


def _kind(day: date, calendar: WorkingCalendar) -> int:
    if calendar.is_working_day(day):
        return 0
    if day.weekday() < 5:
        return 2
    if calendar.basis == "china" and (day, False) not in calendar.overrides:
        try:
            named = chinese_calendar.get_holiday_detail(day)[1]
        except NotImplementedError:
            return 1
        return 2 if named else 1
    return 1


def fit_day_weights(
    counts: Floats, kinds: npt.NDArray[np.int8], months: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Fit how many cases a day of each kind has for one of a workday; see the head of the module.

    Parameters
    ----------
    counts
        Cases of each reference day.
    kinds
        Its kind, as in `DAY_KINDS`.
    months
        Any number that is the same for days of one month.

    Returns
    -------
    weights, estimated
        Three each. Holidays without enough days or cases count as weekends; weekends without
        enough count as workdays, as does everything where workdays have not enough.
    """
    weights, told = np.ones(3), np.zeros(3, dtype=bool)
    days = np.bincount(kinds, minlength=3)
    cases = np.bincount(kinds, weights=counts, minlength=3)
    enough = (days >= LEAST_DAYS) & (cases >= LEAST_CASES)
    group = np.array([0, 1, 2])
    if not enough[2]:
        group[2] = 1
    if not enough[1]:
        group[group == 1] = 0
    if not enough[0] or not group.any():
        return weights, told
    row = np.unique(months, return_inverse=True)[1]
    size = (int(row.max()) + 1, 3)
    place = np.ravel_multi_index((row, group[kinds]), size)
    ones = np.ones(len(place))
    n_days = np.bincount(place, weights=ones, minlength=size[0] * 3).reshape(size)
    n_cases = np.bincount(place, weights=counts, minlength=size[0] * 3).reshape(size)
    fitted = _fit(n_days, n_cases)
    weights = fitted[group]
    told = enough & (group == np.arange(3))
    return weights, told


def _fit(days: npt.NDArray[Any], cases: npt.NDArray[Any]) -> Floats:
    weight, used = np.ones(3), days.sum(axis=0) > 0
    for _ in range(_ROUNDS):
        rate = cases.sum(axis=1) / np.maximum(days @ weight, 1e-300)
        new = np.ones(3)
        new[used] = cases.sum(axis=0)[used] / np.maximum(rate @ days[:, used], 1e-300)
        new /= new[0]
        if np.allclose(new, weight, rtol=1e-12, atol=0):
            break
        weight = new
    return weight


def mix_days(
    now: Period,
    then: Period,
    calendar: WorkingCalendar,
    weights: Floats,
    estimated: npt.NDArray[np.bool_],
) -> DayMix:
    """Count the days of both periods by kind."""
    found = []
    for period in (now, then):
        kinds = day_kinds(period.days, calendar)
        found.append(np.bincount(kinds, weights=period.parts, minlength=3)[:3])
    years = {day.year for period in (now, then) for day in period.days.astype(object)}
    return DayMix(
        _three(found[0]),
        _three(found[1]),
        _three(weights),
        (bool(estimated[0]), bool(estimated[1]), bool(estimated[2])),
        not all(calendar.knows(year) for year in years),
    )


def _three(values: npt.NDArray[Any]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
