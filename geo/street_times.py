"""When each piece of street was first reached in a day: coverage as it fills in.

A piece counts as reached once half of its length lies within the radius of a walked path (our
assumption: pieces are at most 25 m, and half of one is what a screen can show). The metres that are
told beside are exact and do not wait for a half: after the last bin they are those of
`geo.reach.measure_reach` for all walks of the day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geo._replay_kernels import find_steps
from geo.errors import InputError
from geo.reach import (
    GAP_S,
    MOST_KMH,
    REACH_M,
    StreetPieces,
    join_reach,
    reach_walks,
    reached_m,
)
from geo.replay import CENTIMETRE, ReplayDay

BIN_S = 300.0
"""Five minutes: a worker walks some 300 m in it."""

HALF = 0.5


@dataclass(frozen=True, eq=False)
class StreetTimes:
    """Coverage of streets by bins of time."""

    bin_s: float
    first: npt.NDArray[np.int16]
    """Number of the bin in which each piece was first reached by half, -1: not in this day."""
    covered_m: npt.NDArray[np.float64]
    """Metres of street reached by the end of each bin, exact."""
    street_m: float
    """Metres of street there are."""
    pieces: StreetPieces


def time_streets(
    day: ReplayDay,
    pieces: StreetPieces,
    *,
    bin_s: float = BIN_S,
    radius_m: float = REACH_M,
) -> StreetTimes:
    """Find when each piece of street was first reached.

    Parameters
    ----------
    pieces
        From `geo.reach.cut_streets`, in the CRS in which the fixes of the day came.
    bin_s
        Length of a bin, seconds. A step from one bin into the next belongs to the later one.
    radius_m
        See `geo.reach.REACH_M`.

    Raises
    ------
    InputError
        If the bin or the radius is not positive, or there would be more than 32,767 bins.
    """
    if not bin_s >= 1:
        raise InputError(f"bin_s is {bin_s}: use a second or more")
    bins = int(np.ceil((day.until - day.since).total_seconds() / bin_s))
    if bins > np.iinfo(np.int16).max:
        raise InputError(f"bin_s is {bin_s}, that makes {bins} bins: use longer ones")
    first = np.full(len(pieces), -1, dtype=np.int16)
    covered = np.zeros(bins)
    sofar, metres = None, 0.0
    origin = np.array([*day.origin, *day.origin])
    width = round(bin_s * 1000)
    counts = day.count_fixes(bin_s)
    for number in range(bins):
        if counts[number] and len(pieces):
            steps = find_steps(
                day.first, day.milli, day.x, day.y, number * width, (number + 1) * width,
                GAP_S * 1000, MOST_KMH / 3.6,
            )  # fmt: skip
            found = reach_walks(pieces, steps * CENTIMETRE + origin, radius_m=radius_m)
            if len(found.piece):
                sofar = found if sofar is None else join_reach(sofar, found)
                by_piece = reached_m(pieces, sofar)
                half = by_piece >= HALF * pieces.length_m - 1e-9
                first[half & (first < 0)] = number
                metres = float(by_piece.sum())
        covered[number] = metres
    return StreetTimes(bin_s, first, covered, float(pieces.length_m.sum()), pieces)
