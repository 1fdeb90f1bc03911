"""Cut values into a few classes for a map.

A value belongs to the class that starts at or below it, so equal values always get the same
colour. Classes hold about equally many values, and start at round numbers; where most values are
the same (say, no incident), that value is a class of its own. A map with few distinct values has
one class for each of them. Missing and infinite values are in no class: they are "no data", never
zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from layers.numbers import format_number
from layers.words import Language

_WINDOW = 0.35
"""A class may be this share smaller or larger than its even part, to start at a round number."""


@dataclass(frozen=True)
class Classes:
    """Classes of values: class i holds what is at least `starts[i]` and less than `starts[i + 1]`.

    `starts[0]` is the smallest value. `largest` is the largest one. `single` says, class by
    class, whether it holds one distinct value only. No value at all gives no class.
    """

    starts: tuple[float, ...]
    largest: float
    single: tuple[bool, ...]
    whole: bool

    def __len__(self) -> int:
        return len(self.starts)

    def assign(self, values: ArrayLike | pd.Series) -> NDArray[np.int8]:
        """The class of each value from 0 up, -1 for no data; in the order of `values`."""
        numbers = as_numbers(values)
        known = np.isfinite(numbers)
        codes = np.full(len(numbers), -1, dtype=np.int8)
        if self.starts:
            found = np.searchsorted(self.starts, numbers[known], side="right") - 1
            codes[known] = np.clip(found, 0, len(self.starts) - 1)
        return codes

    def labels(self, language: Language = "zh") -> tuple[str, ...]:
        """Words for each class, such as `200–249`, `0`, `≥ 500`; without the unit."""
        return tuple(self._label(i, language) for i in range(len(self.starts)))

    def _label(self, i: int, language: Language) -> str:
        start = self.starts[i]
        if self.single[i]:
            return format_number(start, language)
        last = i == len(self.starts) - 1
        if last and i:
            return f"≥ {format_number(start, language)}"
        if last:
            return f"{format_number(start, language)}–{format_number(self.largest, language)}"
        end = self.starts[i + 1]
        if i == 0 and not (self.whole and start == 0):
            return f"< {format_number(end, language)}"
        # Whole numbers can say where a class really ends; the shortened ones (12.3万) cannot.
        if self.whole and abs(end) <= 100_000:
            return f"{format_number(start, language)}–{format_number(end - 1, language)}"
        return f"{format_number(start, language)}–{format_number(end, language)}"


def find_classes(values: ArrayLike | pd.Series, *, most: int = 6) -> Classes:
    """Find at most `most` classes of about equal size that start at round numbers.

    Parameters
    ----------
    values
        Numbers in any order; missing and infinite ones are left out.
    most
        Largest number of classes, 1 to 9. Six is about what an eye can tell apart on a map
        (Brewer & Pickle 2002, "Evaluation of methods for classifying epidemiological data").

    Returns
    -------
    Classes
        No class for no value; one class for each value where there are at most `most` of them.
    """
    if not 1 <= most <= 9:
        raise ValueError(f"most is {most}: a map has 1 to 9 classes")
    numbers = as_numbers(values)
    numbers = np.sort(numbers[np.isfinite(numbers)])
    if len(numbers) == 0:
        return Classes((), math.nan, (), True)
    distinct = np.unique(numbers)
    whole = bool(np.all(numbers == np.floor(numbers)))
    if len(distinct) <= most:
        starts = tuple(float(value) for value in distinct)
        return Classes(starts, starts[-1], (True,) * len(starts), whole)
    starts = (float(numbers[0]), *_breaks(numbers, most, whole=whole))
    codes = np.searchsorted(starts, distinct, side="right")
    single = tuple(bool(np.sum(codes == i + 1) == 1) for i in range(len(starts)))
    # A class of one value starts at that value, so that its label tells the truth.
    firsts = distinct[np.searchsorted(codes, np.arange(1, len(starts) + 1))]
    starts = tuple(
        float(first) if alone else start
        for start, first, alone in zip(starts, firsts, single, strict=True)
    )
    return Classes(starts, float(numbers[-1]), single, whole)


def as_numbers(values: ArrayLike | pd.Series) -> NDArray[np.float64]:
    """Any numbers as floats, missing ones as NaN."""
    numbers: NDArray[np.float64] = pd.Series(values).to_numpy(np.float64, na_value=np.nan)
    return numbers


def _breaks(numbers: NDArray[np.float64], most: int, *, whole: bool) -> list[float]:
    """Where the second and later classes start; `numbers` is sorted and has many distinct values.

    From below: give each class its even part of what is left, and move its end to the roundest
    number within the window.
    """
    breaks: list[float] = []
    rest = numbers
    for left in range(most, 1, -1):
        cuts = np.flatnonzero(np.diff(rest)) + 1
        if len(cuts) == 0:
            break
        target = len(rest) / left
        good = cuts[np.abs(cuts - target) <= _WINDOW * target]
        if len(good) == 0:
            good = cuts[[int(np.argmin(np.abs(cuts - target)))]]
        wish = rest[min(round(target), len(rest) - 1)]
        above, upto = rest[good[0] - 1], rest[good[-1]]
        breaks.append(roundest(float(above), float(upto), near=float(wish), whole=whole))
        rest = rest[np.searchsorted(rest, breaks[-1], side="left") :]
    return breaks


def roundest(above: float, upto: float, *, near: float, whole: bool = False) -> float:
    """The roundest number greater than `above` and at most `upto`; of several the nearest.

    Zero is roundest, then multiples of 10, 5, 2 and 2.5 times falling powers of ten. With `whole`
    only whole numbers are looked at, as counts are.
    """
    if above < 0 <= upto:
        return 0.0
    size = max(abs(above), abs(upto))
    top = math.floor(math.log10(size)) + 1
    for exponent in range(top, top - 18, -1):
        for step in _steps(exponent):
            if whole and not step.is_integer():
                continue
            first = math.floor(above / step) - 1
            last = math.ceil(upto / step) + 1
            if last - first > 10_000:
                continue
            found = [
                value
                for k in _nearest_first(first, last, near / step)
                if above < (value := _multiple(k, step)) <= upto
            ]
            if found:
                return min(found, key=lambda value: abs(value - near))
    return upto


def _steps(exponent: int) -> Sequence[float]:
    return [float(f"{m}e{exponent}") for m in (1, 0.5, 0.2, 0.25)]


def _nearest_first(first: int, last: int, centre: float) -> list[int]:
    """At most a few whole numbers of `first`..`last` around `centre` and at both ends."""
    middle = min(max(round(centre), first), last)
    picks = {*range(first, min(first + 4, last + 1)), *range(max(last - 3, first), last + 1)}
    picks |= {k for k in range(middle - 2, middle + 3) if first <= k <= last}
    return sorted(picks)


def _multiple(k: int, step: float) -> float:
    """k * step, rounded to the decimals that it can have, so that 3 * 0.1 is 0.3."""
    return float(f"{k * step:.15g}")
