"""Cases that repeat one another: of one class, at one place, soon after one another.

Who reported a case is not in its columns, for nobody else may know. What can be known is that a
case lies where another of its class lies, within PLACE_M. Ten calls of one person about one lamp
are ten such cases, and so are ten calls of ten people, which nobody can tell apart here; that is
why they are allowed for and named, and not dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PLACE_M = 5.0
"""Side of a place: a hotline gives an address one point, a phone scatters a few metres; our
assumption. One that lies across two such squares is told as two places."""

PLACE_DEG = 0.00005
"""The same in degrees."""

WEEK_S = 7 * 86_400
"""Within one week of a period cases repeat one another; what goes on for weeks is no longer one
matter of one week; our assumption."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def place_keys(x: Floats, y: Floats, class_code: npt.NDArray[np.integer], side: float) -> Ints:
    """A number that is the same for cases of one class at one place; -1 without place or class."""
    told = np.isfinite(x) & np.isfinite(y) & (class_code >= 0)
    if not told.any():
        return np.full(len(x), -1, dtype=np.int64)
    cells = []
    for part in (x, y):
        cell = np.floor(np.where(told, part, 0.0) / side).astype(np.int64)
        cells.append(cell - cell[told].min())
    wide = int(cells[0][told].max()).bit_length()
    classes = int(class_code.max()).bit_length()
    key = ((cells[1] << wide) + cells[0] << classes) + class_code.astype(np.int64)
    return np.where(told, key, -1)


def is_first_at_place(
    lon: Floats, lat: Floats, class_code: npt.NDArray[np.integer], slot: npt.NDArray[np.integer]
) -> npt.NDArray[np.bool_]:
    """Whether each case is the first, in the order of rows, of its place, class and slot."""
    # Cases without a class are of one class here.
    keys = place_keys(lon, lat, class_code.astype(np.int64) + 1, PLACE_DEG)
    keys = np.where(keys < 0, -1 - np.arange(len(keys)), keys)
    order = np.lexsort((slot, keys))
    one, when = keys[order], np.asarray(slot)[order]
    first = np.append(True, (one[1:] != one[:-1]) | (when[1:] != when[:-1]))[: len(keys)]
    found = np.zeros(len(keys), dtype=bool)
    found[order] = first
    return found


@dataclass(frozen=True, eq=False)
class Repeats:
    """What repeats do to the counts of some units in two periods."""

    squares: Floats
    """Sum of the squared sizes of clusters, by unit: of cases that repeat one another, of both
    periods; a case that repeats none is a cluster of one."""
    now: Ints
    """Cases beyond the first of their cluster, by unit."""
    then: Ints

    def scatter(self, cases: Floats) -> Floats:
        """Variance over mean if clusters come by chance: sum k² / sum k, at least 1."""
        return np.divide(
            self.squares, cases, out=np.ones(len(self.squares)), where=self.squares > 0
        )


def find_repeats_of(
    unit: npt.NDArray[np.int64],
    size: int,
    keys: Ints,
    seconds: Ints,
    periods: Sequence[tuple[int, int]],
) -> Repeats:
    """Find what repeats in two periods (begin and end, seconds), now first.

    Parameters
    ----------
    unit
        Of each case, 0 … size - 1.
    keys
        Of `place_keys`; -1 repeats nothing.
    """
    squares = np.zeros(size)
    extra = []
    low = max(size - 1, 1).bit_length()
    for begin, end in periods:
        inside = (seconds >= begin) & (seconds < end)
        lone = inside & (keys < 0)
        squares += np.bincount(unit[lone], minlength=size)
        inside &= keys >= 0
        week = (seconds[inside] - begin) // WEEK_S
        weeks = int(week.max(initial=0)).bit_length()
        # Into one number, so that one plain sort brings clusters together.
        packed = np.sort((((keys[inside] << weeks) + week) << low) + unit[inside])
        starts = np.flatnonzero(np.append(True, packed[1:] != packed[:-1])[: len(packed)])
        sizes = np.diff(np.append(starts, len(packed)))
        of = packed[starts] & ((1 << low) - 1)
        squares += np.bincount(of, weights=sizes.astype(np.float64) ** 2, minlength=size)
        extra.append(np.bincount(of, weights=sizes - 1, minlength=size).astype(np.int64))
    return Repeats(squares, extra[0], extra[1])
