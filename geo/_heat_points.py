"""Cases as heat counts them: columns to choose by, choices, and counting into cells and areas.

Public names are handed on by `geo.heat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._heat_ground import HeatGround
from geo._heat_kernels import bin_chosen, bin_frames, count_chosen
from geo.errors import InputError

_EVERY_MONTH = 12


@dataclass(frozen=True, eq=False)
class HeatPoints:
    """Cases as heat needs them, one value a row, 30 bytes."""

    x: npt.NDArray[np.float64]
    """Metres in the CRS of the ground; NaN without a place or outside of all grids."""
    y: npt.NDArray[np.float64]
    day: npt.NDArray[np.int32]
    """Days since 1970-01-01 in the city's zone."""
    hour: npt.NDArray[np.uint8]
    """Hour of the week in the city's zone, Monday 0:00 is 0."""
    month: npt.NDArray[np.uint8]
    """Month of the year, January is 0."""
    kind: npt.NDArray[np.int16]
    """Code of the class, -1 without."""
    source: npt.NDArray[np.int16]
    """Code of how it was reported, -1 not told."""
    grid: npt.NDArray[np.int32]
    """Row of the grid, -1 outside or without a place."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return sum(column.nbytes for column in self.__dict__.values())

    def only(self, rows: npt.NDArray[np.bool_]) -> HeatPoints:
        """These points alone."""
        return HeatPoints(**{name: column[rows] for name, column in self.__dict__.items()})


@dataclass(frozen=True)
class HeatChoice:
    """Which cases: empty means all. Days are included at both ends."""

    first: int | None = None
    """Days since 1970-01-01 in the city's zone."""
    last: int | None = None
    kinds: tuple[int, ...] | None = None
    """Codes of classes; an empty tuple chooses nothing, for classes that nobody knows."""
    sources: tuple[int, ...] | None = None
    """Codes of how cases were reported, likewise."""
    hours: tuple[int, ...] = ()
    """Hours of the day, 0 to 23."""
    weekdays: tuple[int, ...] = ()
    """0 is Monday."""
    months: tuple[int, ...] = ()
    """1 to 12."""

    def __post_init__(self) -> None:
        for name, low, high in (("hours", 0, 23), ("weekdays", 0, 6), ("months", 1, 12)):
            wrong = [value for value in getattr(self, name) if not low <= value <= high]
            if wrong:
                raise InputError(f"{name} has {wrong[0]}: use {low} to {high}")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise InputError("the first day is after the last: turn them round")


def heat_points(
    x: npt.ArrayLike, y: npt.ArrayLike, days: npt.ArrayLike, hours: npt.ArrayLike,
    kinds: npt.ArrayLike, grid: npt.ArrayLike, *, sources: npt.ArrayLike | None = None,
) -> HeatPoints:  # fmt: skip
    """Make the points of heat.

    Parameters
    ----------
    x, y
        Metres in the CRS of the ground; NaN without a place.
    days, hours
        Of `geo.io.case_columns.local_days` and `local_hours`.
    kinds
        Codes of classes, -1 without.
    grid
        Row of the grid (`GridIndex.assign`), -1 outside.
    sources
        Codes of how cases were reported, -1 not told.
    """
    told = np.full(1, -1) if sources is None else sources
    day = np.asarray(days, dtype=np.int32)
    rows = np.asarray(grid, dtype=np.int32)
    outside = rows < 0
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]").astype(np.int64) % 12
    # 1970-01-01 was a Thursday.
    hour = (day.astype(np.int64) + 3) % 7 * 24 + np.maximum(np.asarray(hours, dtype=np.int64), 0)
    return HeatPoints(
        np.where(outside, np.nan, np.asarray(x, dtype=np.float64)),
        np.where(outside, np.nan, np.asarray(y, dtype=np.float64)),
        day, hour.astype(np.uint8), month.astype(np.uint8), np.asarray(kinds, dtype=np.int16),
        np.array(np.broadcast_to(np.asarray(told, dtype=np.int16), day.shape)), rows,
    )  # fmt: skip


def bin_points(
    points: HeatPoints,
    ground: HeatGround,
    choice: HeatChoice | None = None,
    *,
    known: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.float64], int]:
    """Count the chosen points into the cells of a ground, linearly (Wand 1994).

    `known` leaves out the points of some grids. Also gives how many were counted.
    """
    first, last, hours, months, kinds, sources = _tables(points, choice or HeatChoice())
    grid_ok = (
        np.ones(len(ground.grids) + 1, dtype=bool) if known is None else np.append(known, True)
    )
    grid_ok[-1] = False
    out = np.zeros(ground.shape)
    chosen = bin_chosen(
        points.x, points.y, points.day, points.hour, points.month, points.kind, points.source,
        points.grid, first, last, hours, months, kinds, sources, grid_ok, ground.west,
        ground.south, ground.cell_m, out,
    )  # fmt: skip
    return out, int(chosen)


def count_points(
    points: HeatPoints, area: npt.NDArray[np.integer], areas: pd.Index,
    choice: HeatChoice | None = None,
) -> pd.Series:  # fmt: skip
    """Count the chosen points by area (grid, hexagon): `area` is the row of each point's, -1 none.

    The last row, with the label -1, has those in none, so that all adds up.
    """
    out = np.zeros(len(areas) + 1, dtype=np.int64)
    first, last, hours, months, kinds, sources = _tables(points, choice or HeatChoice())
    count_chosen(
        points.day, points.hour, points.month, points.kind, points.source, first, last, hours,
        months, kinds, sources, area, out,
    )  # fmt: skip
    return pd.Series(out, index=areas.append(pd.Index([-1])), name="count")


def _tables(points: HeatPoints, choice: HeatChoice) -> tuple[Any, ...]:
    """A choice as tables to look up: first and last day, hours of the week, months, codes."""
    bounds = np.iinfo(np.int32)
    hours = np.zeros((7, 24), dtype=bool)
    weekdays = list(choice.weekdays or range(7))
    hours[np.ix_(weekdays, list(choice.hours or range(24)))] = True
    months = np.zeros(_EVERY_MONTH, dtype=bool)
    months[[month - 1 for month in choice.months or range(1, 13)]] = True
    kinds = _known_codes(points.kind, choice.kinds)
    sources = _known_codes(points.source, choice.sources)
    first = bounds.min + 1 if choice.first is None else choice.first
    last = bounds.max if choice.last is None else choice.last
    return first, last, hours.ravel(), months, kinds, sources


def _known_codes(
    codes: npt.NDArray[np.int16], chosen: tuple[int, ...] | None
) -> npt.NDArray[np.bool_]:
    """Which codes are chosen; the last place is that of -1, what is not told."""
    most = int(codes.max(initial=-1))
    table = np.full(most + 2, chosen is None)
    if chosen is not None:
        table[[code for code in chosen if 0 <= code <= most]] = True
    return table


def frame_choices(choice: HeatChoice, by: str) -> Sequence[tuple[int, HeatChoice]]:
    """The choices of a playback: `hour` 0 to 23, `weekday` 0 (Monday) to 6, `month` 1 to 12.

    What the choice already narrows stays: a playback by hour of Sundays has the Sundays of each.
    """
    spans = {"hour": ("hours", range(24)), "weekday": ("weekdays", range(7)),
             "month": ("months", range(1, 13))}  # fmt: skip
    if by not in spans:
        raise InputError(f"by is {by!r}: use one of {', '.join(spans)}")
    name, values = spans[by]
    told = choice.__dict__
    kept = told[name] or tuple(values)
    return [(value, HeatChoice(**{**told, name: (value,)})) for value in kept]


def count_frames(
    points: HeatPoints, ground: HeatGround, choice: HeatChoice, by: str
) -> tuple[list[int], npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count the points of all frames of a playback in one pass over them.

    Returns
    -------
    values, cells, chosen, every
        The frames of `frame_choices`; counts by cell, (frames, rows, columns); how many of each are
        in the city, and how many there are.
    """
    values = [value for value, _ in frame_choices(choice, by)]
    of_hour, of_month = np.full(168, -1, dtype=np.int64), np.full(_EVERY_MONTH, -1, dtype=np.int64)
    for frame, value in enumerate(values):
        if by == "hour":
            of_hour[value::24] = frame
        elif by == "weekday":
            of_hour[value * 24 : value * 24 + 24] = frame
        else:
            of_month[value - 1] = frame
    first, last, hours, months, kinds, sources = _tables(points, choice)
    grid_ok = np.ones(len(ground.grids) + 1, dtype=bool)
    grid_ok[-1] = False
    out = np.zeros((len(values), *ground.shape))
    chosen = bin_frames(
        points.x, points.y, points.day, points.hour, points.month, points.kind, points.source,
        points.grid, first, last, hours, months, kinds, sources, grid_ok, of_hour, of_month,
        ground.west, ground.south, ground.cell_m, out,
    )  # fmt: skip
    return values, out, chosen[0], chosen[1]
