"""What a reader of a comparison must know, as words.

Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from geo._compare_count import Counted, Window
from geo._compare_days import DayMix
from geo._compare_units import Units

Floats = npt.NDArray[np.float64]

DAY_S = 82_800
"""Seconds of the shortest day, that on which clocks are put forward."""
MISSING = tuple(
    f"{period}_{word}"
    for period in ("now", "then")
    for word in ("before_records", "has_gaps", "without_records")
)
"""Notes that leave nothing to be judged."""

NOTES = (
    "now_runs",
    "other_is_shorter",
    "then_before_records",
    "now_before_records",
    "now_has_gaps",
    "then_has_gaps",
    "now_without_records",
    "then_without_records",
    "now_is_empty",
    "day_mix_assumed",
    "day_mix_not_estimated",
    "scatter_not_estimated",
    "periods_overlap",
    "class_without_cases",
    "some_estimated",
    "households_unknown",
)
"""Words of `Comparison.notes`: now still runs and both were cut; the other period is shorter than
the part of now; a period begins before the first record; days without any record in a city that
always has some; no case of the whole city in a period (see `need_records`); the period has no
time in it yet; working days of a year were assumed; too few
records to weigh weekends; too few weeks for the scatter; the periods share days; a class that was
asked for has no case; some counts are estimates; some grids do not tell their households."""


def find_notes(
    counted: Counted,
    window: Window,
    mix: DayMix,
    weigh_days: bool,
    classes: Sequence[str] | None,
    cases: Any,
    extra: list[npt.NDArray[np.float64]],
    units: Units,
) -> tuple[str, ...]:
    """The words of `NOTES` that hold, but for those of periods without records."""
    now, then = window.now, window.then
    asked = set(classes or ()) - set(cases.classes)
    found = {
        "now_runs": now.cut is not None,
        "other_is_shorter": now.cut is not None and then.length < now.length,
        "then_before_records": window.lacks_records(then) and not extra[1].any(),
        "now_before_records": window.lacks_records(now) and not extra[0].any(),
        "now_has_gaps": counted.has_gaps(now) and not extra[0].any(),
        "then_has_gaps": counted.has_gaps(then) and not extra[1].any(),
        "now_is_empty": now.length == 0,
        "day_mix_assumed": mix.assumed,
        "day_mix_not_estimated": weigh_days and not any(mix.estimated),
        "scatter_not_estimated": counted.week_count == 0,
        "periods_overlap": now.begin_s < then.end_s and then.begin_s < now.end_s,
        "class_without_cases": bool(asked),
        "some_estimated": bool(extra[0].any() or extra[1].any()),
        "households_unknown": bool(units.households.isna().any()),
    }
    return tuple(word for word in NOTES if found.get(word))


def note_empty(
    notes: tuple[str, ...], cases: Any, window: Window, extra: list[Floats]
) -> tuple[str, ...]:
    """The notes, with those of periods in which the whole city has no case."""
    found = set(notes)
    for name, period, part in zip(("now", "then"), (window.now, window.then), extra, strict=True):
        inside = (cases.reported >= period.begin_s) & (cases.reported < period.end_s)
        known = {f"{name}_before_records", f"{name}_has_gaps"} & found
        is_long = period.end_s - period.begin_s >= DAY_S
        if period.length and not (inside.any() or part.any()) and (is_long or known):
            found.add(f"{name}_without_records")
    return tuple(word for word in NOTES if word in found)
