"""Black spots that come back: places with cases in period after period, far more than around.

Public names are handed on by `geo.hotspots`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.special import betainc

from geo.errors import InputError

AROUND = 10.0
"""The ring around a place reaches to so many times its radius; our assumption."""

_AT_ONCE = 20_000
"""Circles whose pairs of places are held at once."""

COLUMNS = ("x", "y", "cases", "periods", "first", "last", "longest", "expected", "p")
_MIDDLE = ("middle_x", "middle_y")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def find_black_spots(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    period: npt.ArrayLike,
    *,
    radius_m: float,
    least_periods: int = 3,
    least_cases: int = 5,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Find places where cases come back in several periods, more often than around them.

    A place is a circle around a case. It counts where it has at least so many cases in at least so
    many periods, and more than its surroundings let expect: of the ring from the circle to ten
    times its radius, the same density in the circle: the conditional test of two Poisson counts
    (Przyborowski & Wilenski 1940; one-sided), its p times the number of circles looked at
    (Bonferroni: the circles of one place are not many findings). Of circles that overlap the one
    with the most periods stands, then the one with the most cases. Of a ring only the part counts
    that lies within the convex hull of all cases.

    Parameters
    ----------
    x, y
        Metres; cases without a place (NaN) are left out.
    period
        Whole number of the period of each case: week, month.
    radius_m
        Of a place. How large it is has no standard, so there is no default.

    Returns
    -------
    DataFrame
        One row a place, the worst first: `x`, `y` (mean of its cases), `cases`, `periods` (with a
        case), `first` and `last` period, `longest` (most periods in a row), `expected`, `p`.

    Raises
    ------
    InputError
        If the radius is not positive, or columns are not equally long.
    """
    found = find_circles(
        x, y, period, radius_m=radius_m, least_periods=least_periods, least_cases=least_cases,
        alpha=alpha,
    )  # fmt: skip
    return found[list(COLUMNS)]


def find_circles(
    x: npt.ArrayLike, y: npt.ArrayLike, period: npt.ArrayLike, *, radius_m: float,
    least_periods: int, least_cases: int, alpha: float = 0.05,
) -> pd.DataFrame:  # fmt: skip
    """As `find_black_spots`, with `middle_x`, `middle_y` of the circles that were counted."""
    places = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    when = np.asarray(period)
    if len(when) != len(places):
        raise InputError(f"x has {len(places)} numbers and period {len(when)}: give equally many")
    if not radius_m > 0:
        raise InputError(f"radius_m is {radius_m}: give more than 0 metres")
    if least_cases < 2:
        raise InputError(
            f"least_cases is {least_cases}: one case does not come back, give 2 or more"
        )
    told = np.isfinite(places).all(axis=1)
    if not told.any():
        return pd.DataFrame(columns=[*COLUMNS, *_MIDDLE])
    spots = _Spots.of(places[told], when[told])
    cases, periods = spots.around(radius_m)
    rows = np.flatnonzero((cases >= least_cases) & (periods >= least_periods))
    if not len(rows):
        return pd.DataFrame(columns=[*COLUMNS, *_MIDDLE])
    expected, p = _judge(spots, rows, cases[rows], radius_m)
    keep = p <= alpha
    rows, expected, p = rows[keep], expected[keep], p[keep]
    order = np.lexsort((rows, -cases[rows], -periods[rows]))
    picked = order[_apart(spots.places[rows[order]], 2 * radius_m)]
    found = [
        spots.describe(int(rows[k]), radius_m) | {"expected": float(expected[k]), "p": float(p[k])}
        for k in picked
    ]
    return pd.DataFrame(found, columns=[*COLUMNS, *_MIDDLE])


@dataclass(frozen=True, eq=False)
class _Spots:
    """Places of cases, each once: a hotline gives many cases one address."""

    places: Floats
    """To the centimetre."""
    cube: csr_array
    """Cases by place and period."""
    periods: npt.NDArray[np.int64]
    tree: cKDTree
    every: cKDTree
    """Of all cases, so that it counts them without naming them."""

    @classmethod
    def of(cls, cases: Floats, when: npt.NDArray[np.generic]) -> _Spots:
        centi = np.round(cases, 2)
        places, of_place = np.unique(centi, axis=0, return_inverse=True)
        periods, of_period = np.unique(when, return_inverse=True)
        cube = csr_array(
            (np.ones(len(when)), (of_place.ravel(), of_period)), shape=(len(places), len(periods))
        )
        return cls(places, cube, periods.astype(np.int64), cKDTree(places), cKDTree(centi))

    def around(self, radius_m: float) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Cases, and periods with one, within a distance of each place."""
        cases = np.zeros(len(self.places))
        periods = np.zeros(len(self.places), dtype=np.int64)
        for begin in range(0, len(self.places), _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            near = cKDTree(self.places[some]).query_ball_tree(self.tree, radius_m)
            sizes = np.array([len(found) for found in near])
            other = np.concatenate([np.asarray(found, dtype=np.int64) for found in near])
            start = np.concatenate([[0], np.cumsum(sizes)])
            pairs = csr_array(
                (np.ones(len(other)), other, start), shape=(len(near), len(self.places))
            )
            sums = csr_array(pairs @ self.cube)
            cases[some] = np.asarray(sums.sum(axis=1)).ravel()
            periods[some] = np.diff(sums.indptr)
        return cases, periods

    def describe(self, row: int, radius_m: float) -> dict[str, float | int]:
        """What the circle around a place holds."""
        inside = self.tree.query_ball_point(self.places[row], radius_m)
        counts = np.asarray(self.cube[inside].sum(axis=0)).ravel()
        weight = np.asarray(self.cube[inside].sum(axis=1)).ravel()
        there = self.periods[counts > 0]
        breaks = np.flatnonzero(np.diff(there) != 1)
        edges = np.concatenate([[-1], breaks, [len(there) - 1]])
        x, y = (self.places[inside] * weight[:, None]).sum(axis=0) / weight.sum()
        return {
            "middle_x": float(self.places[row, 0]), "middle_y": float(self.places[row, 1]),
            "x": float(x), "y": float(y), "cases": int(weight.sum()), "periods": len(there),
            "first": int(there[0]), "last": int(there[-1]), "longest": int(np.diff(edges).max()),
        }  # fmt: skip


def _judge(spots: _Spots, rows: Rows, cases: Floats, radius_m: float) -> tuple[Floats, Floats]:
    """Cases that the ring around lets expect, and the p of having so many more."""
    middles = spots.places[rows]
    wide = spots.every.query_ball_point(middles, AROUND * radius_m, return_length=True)
    ring = np.asarray(wide, dtype=np.float64) - cases
    share = _ring_share(spots.places, middles, radius_m)
    # Given how many there are in circle and ring together, those in the circle are binomial. The
    # case in the middle is why we look there, so it does not count.
    p = betainc(cases - 1, ring + 1, 1 / (1 + share)) * len(spots.places)
    return ring / share, np.asarray(np.minimum(p, 1.0))


def _ring_share(places: Floats, middles: Floats, radius_m: float) -> Floats:
    """Area of the ring around each place, as far as there are cases, in circles of a place."""
    middle = shapely.points(middles)
    ring = shapely.difference(
        shapely.buffer(middle, AROUND * radius_m), shapely.buffer(middle, radius_m)
    )
    hull = shapely.convex_hull(shapely.multipoints(places))
    area = shapely.area(shapely.intersection(ring, hull)) / (np.pi * radius_m**2)
    # At least one circle: all cases in one spot have no surroundings to speak of.
    return np.asarray(np.maximum(area, 1.0))


def _apart(places: Floats, distance_m: float) -> list[int]:
    """Positions of places in order, each farther than a distance from those before it."""
    tree, taken = cKDTree(places), np.zeros(len(places), dtype=bool)
    chosen = []
    for k in range(len(places)):
        if not taken[k]:
            chosen.append(k)
            taken[tree.query_ball_point(places[k], distance_m)] = True
    return chosen
