"""Cases that repeat one another: of one class, at one place.

Who reported a case is not in its columns, for nobody else may know. What can be known is that a
case lies where another of its class lies: within PLACE_DEG, as near as a phone finds itself. Ten
calls of one person about one lamp are ten such cases, and so are ten calls of ten people, which
nobody can tell apart here; that is why they are allowed for and named, not dropped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PLACE_DEG = 0.0001
"""Side of a place in degrees, about 11 m; our assumption."""

_COLUMNS = 3_600_001
Ints = npt.NDArray[np.int64]


def place_keys(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64], class_code: npt.NDArray[np.integer]
) -> Ints:
    """A number that is the same for cases of one class at one place; all columns equally long.

    A case without a place, or without a class, has a number of its own, below zero.
    """
    told = np.isfinite(lon) & np.isfinite(lat) & (class_code >= 0)
    column = np.floor(np.where(told, lon + 180, 0) / PLACE_DEG).astype(np.int64)
    row = np.floor(np.where(told, lat + 90, 0) / PLACE_DEG).astype(np.int64)
    # A class has two bytes, a column and a row of places together 43 bits.
    key = (row * _COLUMNS + column) * 2**15 + class_code.astype(np.int64)
    return np.where(told, key, -1 - np.arange(len(key)))


def is_first_at_place(
    lon: npt.NDArray[np.float64],
    lat: npt.NDArray[np.float64],
    class_code: npt.NDArray[np.integer],
    slot: npt.NDArray[np.integer],
) -> npt.NDArray[np.bool_]:
    """Whether each case is the first, in the order of rows, of its place, class and slot."""
    keys = place_keys(lon, lat, class_code)
    order = np.lexsort((np.arange(len(keys)), slot, keys))
    one, when = keys[order], np.asarray(slot)[order]
    first = np.append(True, (one[1:] != one[:-1]) | (when[1:] != when[:-1]))[: len(keys)]
    found = np.zeros(len(keys), dtype=bool)
    found[order] = first
    return found
