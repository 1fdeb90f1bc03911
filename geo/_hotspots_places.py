"""Black spots that come back: places with cases in period after period, far more than around.

Public names are handed on by `geo.hotspots`.
"""

from __future__ import annotations

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
    places, when = places[told], when[told]
    columns = ["x", "y", "cases", "periods", "first", "last", "longest", "expected", "p"]
    if not len(places):
        return pd.DataFrame(columns=columns)
    # To the centimetre: a hotline gives many cases one address, which is one place.
    spots, of_spot = np.unique(np.round(places, 2), axis=0, return_inverse=True)
    of_spot = of_spot.ravel()
    periods, of_period = np.unique(when, return_inverse=True)
    cube = csr_array((np.ones(len(when)), (of_spot, of_period)), shape=(len(spots), len(periods)))
    weight = np.asarray(cube.sum(axis=1)).ravel()
    tree = cKDTree(spots)
    near = _pairs(tree, radius_m) @ cube
    cases = np.asarray(near.sum(axis=1)).ravel()
    kinds = np.diff(csr_array(near).indptr)
    rows = np.flatnonzero((cases >= least_cases) & (kinds >= least_periods))
    if not len(rows):
        return pd.DataFrame(columns=columns)
    wide = tree.query_ball_point(spots[rows], AROUND * radius_m)
    ring = np.array([weight[found].sum() for found in wide]) - cases[rows]
    share = _ring_share(spots, rows, radius_m)
    expected = ring / share
    # Given how many there are in circle and ring together, those in the circle are binomial. The
    # case in the middle is why we look there, so it does not count.
    p = betainc(cases[rows] - 1, ring + 1, 1 / (1 + share)) * len(spots)
    keep = p <= alpha
    rows, expected, p = rows[keep], expected[keep], p[keep]
    order = np.lexsort((rows, -cases[rows], -kinds[rows]))
    chosen = _apart(spots[rows[order]], 2 * radius_m)
    picked = order[chosen]
    found = [
        _describe(tree.query_ball_point(spots[rows[k]], radius_m), spots, cube, periods, when)
        | {"expected": float(expected[k]), "p": float(p[k])}
        for k in picked
    ]
    return pd.DataFrame(found, columns=columns)


def _pairs(tree: cKDTree, radius_m: float) -> csr_array:
    pairs = tree.query_pairs(radius_m, output_type="ndarray")
    size = tree.n
    one = np.concatenate([pairs[:, 0], pairs[:, 1], np.arange(size)])
    two = np.concatenate([pairs[:, 1], pairs[:, 0], np.arange(size)])
    return csr_array((np.ones(len(one)), (one, two)), shape=(size, size))


def _ring_share(
    spots: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], radius_m: float
) -> npt.NDArray[np.float64]:
    """Area of the ring around each place, as far as there are cases, in circles of a place."""
    middle = shapely.points(spots[rows])
    ring = shapely.difference(
        shapely.buffer(middle, AROUND * radius_m), shapely.buffer(middle, radius_m)
    )
    hull = shapely.convex_hull(shapely.multipoints(spots))
    area = shapely.area(shapely.intersection(ring, hull)) / (np.pi * radius_m**2)
    # At least one circle: all cases in one spot have no surroundings to speak of.
    return np.asarray(np.maximum(area, 1.0))


def _apart(places: npt.NDArray[np.float64], distance_m: float) -> list[int]:
    """Positions of places in order, each farther than a distance from those before it."""
    tree, taken = cKDTree(places), np.zeros(len(places), dtype=bool)
    chosen = []
    for k in range(len(places)):
        if not taken[k]:
            chosen.append(k)
            taken[tree.query_ball_point(places[k], distance_m)] = True
    return chosen


def _describe(
    inside: list[int], spots: npt.NDArray[np.float64], cube: csr_array,
    periods: npt.NDArray[np.generic], when: npt.NDArray[np.generic],
) -> dict[str, float | int]:  # fmt: skip
    counts = np.asarray(cube[inside].sum(axis=0)).ravel()
    weight = np.asarray(cube[inside].sum(axis=1)).ravel()
    there = periods[counts > 0].astype(np.int64)
    breaks = np.flatnonzero(np.diff(there) != 1)
    edges = np.concatenate([[-1], breaks, [len(there) - 1]])
    x, y = (spots[inside] * weight[:, None]).sum(axis=0) / weight.sum()
    return {
        "x": float(x), "y": float(y), "cases": int(weight.sum()), "periods": len(there),
        "first": int(there[0]), "last": int(there[-1]), "longest": int(np.diff(edges).max()),
    }  # fmt: skip
