"""Fixes as a watch takes them: in order of time, in metres, by number of the worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import pyproj

from geo._watch_runs import Bools, Floats, Ints, Slots


@lru_cache(maxsize=8)
def to_metres(crs: pyproj.CRS) -> pyproj.Transformer:
    """From degrees (EPSG:4326, longitude first); made once, for making one takes a tenth of a
    second."""
    return pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)


@dataclass(frozen=True, eq=False)
class Heard:
    """Fixes in order of time."""

    slot: Slots
    t: Ints
    x: Floats
    y: Floats
    lon: Floats
    lat: Floats
    usable: Bools

    def pick(self, which: Bools | Slots) -> Heard:
        """Some of them."""
        return Heard(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def waves(self) -> Iterator[Heard]:
        """At most one fix of a worker at a time, each worker's in order."""
        if not len(self.t):
            return
        turn = pd.Series(self.slot).groupby(self.slot).cumcount().to_numpy()
        for k in range(int(turn.max()) + 1):
            yield self.pick(np.flatnonzero(turn == k))
