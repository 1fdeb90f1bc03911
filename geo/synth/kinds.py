"""Which classes of cases an invented city has, how often, at which hours, with which limits.

A limit that the packaged table (`geo.deadlines.time_limits`) has stands; a class without one gets
one here, so that every case of an invented city has a deadline once it is dispatched. The whole
table goes into the workspace (`rules/time_limits.csv`), so that the pages count by the same limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from geo.codes import class_name
from geo.deadlines import time_limits

_DAY = "2 1 1 1 1 3 8 16 22 24 22 18 13 15 20 22 21 18 13 9 6 4 3 2"
_EVENING = "3 1 1 1 1 4 9 10 8 7 7 9 10 8 8 9 13 20 26 28 26 20 12 6"
_NIGHT = "16 10 6 4 3 3 4 5 6 6 6 7 8 7 6 6 7 9 12 16 22 26 26 22"
_COMMUTE = "2 1 1 1 1 3 10 24 26 16 11 12 13 11 11 12 16 24 26 18 12 8 5 3"
HOURS = {
    name: np.array(text.split(), dtype=float)
    for name, text in (
        ("day", _DAY),
        ("evening", _EVENING),
        ("night", _NIGHT),
        ("commute", _COMMUTE),
    )
}
"""How busy the hours of the day are."""

WEEK = (1.12, 1.04, 1.0, 1.0, 1.06, 0.86, 0.78)
"""How busy the days from Monday to Sunday are."""


@dataclass(frozen=True)
class Kind:
    """A class of cases: its weight among the others, its hours, its limit."""

    code: str
    weight: float
    hours: str
    limit: tuple[float, str]
    """Amount and unit, where the packaged table has none (ours, without a source)."""
    weekend: float = 1.0
    urgent: bool = False
    conditions: tuple[tuple[str, float], ...] = ()
    """Opening conditions and their shares."""


_STOP = (("stop", 0.5), ("penalise", 0.35), ("demolish", 0.15))
_GREEN = (("litter", 0.7), ("upkeep", 0.3))
KINDS = (
    Kind("E0102", 13, "day", (4, "working_hours")),
    Kind("E0103", 4, "day", (2, "working_days")),
    Kind("E0104", 5, "day", (2, "working_hours")),
    Kind("E0106", 3, "day", (4, "working_hours"), conditions=_GREEN),
    Kind("E0108", 3, "day", (1, "working_days")),
    Kind("E0110", 3, "day", (3, "working_days")),
    Kind("E0116", 2, "evening", (2, "working_days")),
    Kind("E0101", 1.5, "day", (7, "working_days"), conditions=_STOP),
    Kind("E0201", 6, "day", (1, "working_days")),
    Kind("E0203", 3, "evening", (6, "working_hours")),
    Kind("E0205", 1.5, "day", (2, "working_days")),
    Kind("E0301", 2.5, "night", (4, "urgent_hours")),
    Kind("E0302", 1.5, "day", (6, "working_hours")),
    Kind("E0304", 1.5, "day", (1, "working_days")),
    Kind("E0401", 0.4, "day", (2, "urgent_hours"), urgent=True),
    Kind("E0404", 2, "day", (12, "urgent_hours"), urgent=True),
    Kind("E0406", 1.2, "commute", (4, "working_hours"), urgent=True),
    Kind("E0408", 0.6, "day", (6, "urgent_hours"), urgent=True),
    Kind("E0501", 8, "evening", (2, "working_hours"), 1.5),
    Kind("E0504", 7, "evening", (4, "working_hours"), 1.3),
    Kind("E0505", 11, "commute", (2, "working_hours"), 0.9),
    Kind("E0506", 9, "commute", (4, "working_hours"), 0.8),
    Kind("E0507", 4, "day", (1, "working_days")),
    Kind("E0508", 3, "night", (4, "urgent_hours"), 1.4),
    Kind("E0510", 1.5, "night", (3, "urgent_hours"), 1.5),
    Kind("E0511", 2, "day", (6, "working_hours")),
    Kind("C0102", 2.2, "day", (24, "urgent_hours"), urgent=True),
    Kind("C0103", 1.8, "day", (24, "urgent_hours"), urgent=True),
    Kind("C0107", 0.8, "day", (2, "working_days")),
    Kind("C0118", 2.6, "evening", (3, "working_days")),
    Kind("C0113", 0.6, "day", (3, "natural_days"), urgent=True),
    Kind("C0209", 0.6, "day", (3, "working_days")),
    Kind("C0210", 0.6, "commute", (8, "urgent_hours"), urgent=True),
    Kind("C0305", 1.6, "day", (1, "working_days")),
    Kind("C0402", 1.2, "day", (3, "working_days")),
    Kind("C0117", 0.6, "day", (2, "working_days")),
)
FLARING = ("E0102", "E0501", "E0504", "E0505", "E0506", "E0508", "E0404", "E0510")
"""Classes that come back to the same place."""

LIGHT = ("E0102", "E0104", "E0201", "E0203", "E0501", "E0504", "E0506", "E0507", "E0511")
"""Classes that whoever finds them may put right on the spot."""

_OTHERS = (
    ("E01", 1, "working_days"),
    ("E02", 1, "working_days"),
    ("E03", 6, "working_hours"),
    ("E04", 6, "urgent_hours"),
    ("E05", 4, "working_hours"),
    ("E06", 2, "working_days"),
    ("E21", 2, "working_days"),
    ("C", 2, "working_days"),
)
"""What any other class may take, by the beginning of its code."""

SOURCE = "invented city, an assumption without a source; edit for your city"


def list_limits() -> pd.DataFrame:
    """The limits of an invented city, a table like `geo.deadlines.time_limits`."""
    packaged = time_limits()
    known = set(packaged["class_code"])
    rows: list[tuple[object, ...]] = [
        (kind.code, "", class_name(kind.code), class_name(kind.code, "en"), *kind.limit, SOURCE)
        for kind in KINDS
        if kind.code not in known
    ]
    rows += [(code, "", "其他", "others", *limit, SOURCE) for code, *limit in _OTHERS]
    return pd.concat(
        [packaged, pd.DataFrame(rows, columns=list(packaged.columns))], ignore_index=True
    )
