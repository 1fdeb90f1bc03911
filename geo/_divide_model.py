"""What a piece of a community is, what is known about its plan, and how long to search.

A piece is a set of units of one community that hang together without crossing a barrier. It is
divided without a look at any other, so the order and number of threads change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BAD = 100.0
"""What a grid out of the band costs, in households, beside those that it is out by."""

BORDER_COST = 5.0
"""Households that a border of median length is worth in the search: between even grids the round
ones win, and no border is worth a grid out of the band. Chosen from 1, 3, 5 and 10."""

MOVE_COST = 0.6
"""What a household that changes worker costs in a repair, in households out of the band. With 0.2
more of them move than need to; with 1 the search stays where it is."""

REPAIR_BORDER_COST = 1.5
"""As `BORDER_COST`, in a repair: there, few should move, and round grids matter less."""

HOT, COLD = 60.0, 0.3
"""Temperatures in households, at the start and at the end."""

SHARE = 0.3
"""Share of recombinations among the moves."""

SPARE = 8
"""Labels beyond those of the first plan, for grids that the search adds."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What the search knows of a piece; units are numbered from 0."""

    load: Floats
    low: float
    high: float
    start: Ints
    unit: Ints
    cost: Floats
    """Neighbours in lists; the cost of a border of median length is 1."""
    old: Ints
    """Label in force, -1 for none."""
    frozen: Bools
    seed: int
    board: Ints
    """Written while the search goes on: the labels of the best plan so far, -1 before there is one;
    a look at it from another thread may catch it half written."""

    @property
    def fixed(self) -> Bools:
        """Units larger than the band: each is the heart of a grid of its own."""
        return self.load > self.high

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.load)

    @property
    def grids(self) -> int:
        """About how many grids it will have."""
        plain = float(self.load[~self.fixed].sum())
        return max(1, round(2 * plain / (self.low + self.high))) + int(self.fixed.sum())


@dataclass(frozen=True, eq=False)
class Warm:
    """How to search from a plan in force."""

    runs: int
    moves: int
    """For each grid."""
    hot: float
    """Temperature at the start: a cool search stays near the plan."""
    share: float
    first: int
    """Number of the first run: each run draws numbers of its own."""


WARMER = Warm(3, 3_000, HOT, SHARE, 200)
"""For pieces that a cool search leaves out of the band beyond the bound."""

HOTTEST = Warm(2, 12_000, HOT, SHARE, 300)
"""For pieces where a fresh plan is still better balanced."""


@dataclass(frozen=True, eq=False)
class Effort:
    """How long to search."""

    moves: int
    """For each grid that there will be about: large grids of many units need no more."""
    runs: int
    repairs: int
    """Further runs, each four times as long, while grids are out of the band without need."""
    solves: bool
    """Whether small pieces are solved to the end."""
    warm: Warm


EFFORTS = {
    "fast": Effort(3_000, 1, 1, False, Warm(3, 2_000, 20.0, 0.15, 100)),
    "full": Effort(5_000, 2, 2, True, Warm(5, 2_500, 20.0, 0.15, 100)),
}

SMALL_UNITS, SMALL_MOVES = 2_000, 7_000
"""A preview of a city of so few units can search longer: half a second, and more of its borders run
along main streets (tried on five seeds of a generated city)."""


def choose_effort(name: str, units: int) -> Effort:
    """The effort of a name for a city of so many units."""
    effort = EFFORTS[name]
    if name == "fast" and units <= SMALL_UNITS:
        return replace(effort, moves=SMALL_MOVES)
    return effort


@dataclass(frozen=True, eq=False)
class Answer:
    """A plan of a piece and what is known about it."""

    label: Ints
    off: float
    """Load out of the band."""
    bad: int
    border: float
    moved: float
    least_off: float
    """No plan has less out of the band."""
    is_balance_proven: bool
    is_border_proven: bool
    """No plan with this balance (and as few moved) has a shorter weighted border."""
    is_moved_proven: bool = False
    sets: int = 0
    """How many connected sets were listed for the proof, 0 for none."""
    slack: float = 0.0
    """Those whose load is out of the band by no more than this."""
    least_bad: int = 0
    """No plan that is out of the band by no more has fewer grids out of it."""

    @property
    def balance(self) -> float:
        """What the search calls the cost of the balance."""
        return self.off + BAD * self.bad
