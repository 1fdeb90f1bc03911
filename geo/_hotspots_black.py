"""The black spots of a city as a list for a page: where, since when, what, how much is open.

Public names are handed on by `geo.hotspots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
from scipy.spatial import cKDTree

from geo._compare_units import Boundary
from geo._evaluate_facts import OPEN_CODES, CaseLike
from geo._hotspots_places import find_circles
from geo._repeats import is_first_at_place
from geo.errors import InputError
from geo.io.case_columns import local_days

RADIUS_M = 50.0
"""Of a place: as far as a case may lie from a closed one to come back to it (`repeat_within_m` of
the evaluation); our assumption."""

LEAST_DAYS, LEAST_PERIODS = 5, 3
"""A place comes back on at least so many days, in at least so many weeks; our assumption."""

MOST_CLASSES, MOST_CASES = 3, 20
_EPOCH = date(1970, 1, 1)
COLUMNS = (
    "lon", "lat", "grid_id", "cases", "days", "periods", "of_periods", "first_day", "last_day",
    "longest", "expected", "p", "classes", "open", "fids",
)  # fmt: skip
Rows = npt.NDArray[np.intp]


class Cases(CaseLike, Protocol):
    """What is needed of cases: columns as `geo.io.case_columns.CaseColumns` has them."""


def list_black_spots(
    cases: Cases,
    boundary: Boundary,
    crs: pyproj.CRS,
    *,
    zone: ZoneInfo,
    first: date,
    last: date,
    classes: Sequence[str] | None = None,
    where: npt.NDArray[np.bool_] | None = None,
    slice_days: int = 7,
    radius_m: float = RADIUS_M,
    least_days: int = LEAST_DAYS,
    least_periods: int = LEAST_PERIODS,
    most: int = 20,
) -> pd.DataFrame:
    """List the places where cases came back between two days, the worst first.

    See `find_black_spots`. Of one place (about 5 m) and class one case a day counts, so that
    somebody who calls ten times on one evening makes no black spot. Who called is not known to the
    columns of cases.

    Parameters
    ----------
    cases
        In EPSG:4326, `reported` in seconds since 1970 UTC.
    boundary
        Whose grids are told.
    crs
        Metric CRS of the city.
    first, last
        Local days, both included. Slices are counted back from the last; a remainder at the
        beginning is a slice, too.
    where
        Only cases for which this is true, one a row of `cases`.
    slice_days
        Days of a period in which a place must have cases: 7 is a week.
    most
        Rows; how many there are is told in `attrs["found"]`.

    Returns
    -------
    DataFrame
        `lon`, `lat` (mean of its cases), `grid_id` (None outside), `cases` (all, with repeats),
        `days` (separate ones with a case), `periods` (slices with a case), `of_periods`,
        `first_day`, `last_day` (of its cases), `longest` (most slices in a row), `expected` (cases,
        repeats of a day left out, if it were like its surroundings), `p`, `classes` ((code,
        cases), most first, three), `open` (now), `fids` (newest first, twenty).

    Raises
    ------
    InputError
        If dates are reversed, or a number is not positive.
    """
    if last < first:
        raise InputError(f"the period ends on {last}, before it begins on {first}: swap the dates")
    if slice_days < 1 or most < 1:
        raise InputError(f"slice_days is {slice_days} and most {most}: give 1 or more")
    rows, day = _chosen(cases, zone, first, last, classes, where)
    change = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = change.transform(cases.lon[rows], cases.lat[rows])
    end = (last - _EPOCH).days
    slot = (day - end - 1) // slice_days
    once = is_first_at_place(cases.lon[rows], cases.lat[rows], cases.class_code[rows], day)
    found = find_circles(
        x[once], y[once], slot[once], radius_m=radius_m, least_cases=least_days,
        least_periods=least_periods,
    )  # fmt: skip
    near = _cases_of(found, x, y, radius_m)
    near = [(spot, some) for spot, some in near if len(np.unique(day[some])) >= least_days]
    of_periods = -(-((last - first).days + 1) // slice_days)
    told = [
        _describe(cases, boundary, rows[some], day[some], spot, of_periods)
        for spot, some in near[:most]
    ]
    table = pd.DataFrame(told, columns=list(COLUMNS))
    table.attrs["found"] = len(near)
    return table


def _chosen(
    cases: Cases, zone: ZoneInfo, first: date, last: date, classes: Sequence[str] | None,
    where: npt.NDArray[np.bool_] | None,
) -> tuple[Rows, npt.NDArray[np.int64]]:  # fmt: skip
    """Rows with a place in the period, and the day of each."""
    days = local_days(cases.reported, zone)
    keep = (days >= (first - _EPOCH).days) & (days <= (last - _EPOCH).days)
    keep &= np.isfinite(cases.lon) & np.isfinite(cases.lat)
    if where is not None:
        keep &= where
    if classes is not None:
        wanted = np.array([code in set(classes) for code in cases.classes] + [False], dtype=bool)
        keep &= wanted[cases.class_code]
    rows = np.flatnonzero(keep)
    return rows, days[rows].astype(np.int64)


def _cases_of(
    found: pd.DataFrame, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], radius_m: float
) -> list[tuple[pd.Series, Rows]]:
    """Each place with all cases of its circle, repeats too."""
    if not len(found):
        return []
    tree = cKDTree(np.column_stack([x, y]))
    near = tree.query_ball_point(
        found[["middle_x", "middle_y"]].to_numpy(np.float64), radius_m + 0.01
    )
    return [
        (found.iloc[k], np.sort(np.asarray(some, dtype=np.intp))) for k, some in enumerate(near)
    ]


def _describe(
    cases: Cases, boundary: Boundary, rows: Rows, day: npt.NDArray[np.int64], spot: pd.Series,
    of_periods: int,
) -> dict[str, object]:  # fmt: skip
    lon, lat = float(cases.lon[rows].mean()), float(cases.lat[rows].mean())
    grid = int(boundary.assign(np.array([lon]), np.array([lat]))[0])
    codes, counts = np.unique(cases.class_code[rows], return_counts=True)
    top = np.lexsort((codes, -counts))
    words = [(cases.classes[codes[k]], int(counts[k])) for k in top if codes[k] >= 0]
    newest = rows[np.lexsort((rows, -cases.reported[rows]))][:MOST_CASES]
    return {
        "lon": lon, "lat": lat,
        "grid_id": str(boundary.grids.index[grid]) if grid >= 0 else None,
        "cases": len(rows), "days": len(np.unique(day)), "periods": int(spot["periods"]),
        "of_periods": of_periods,
        "first_day": _EPOCH + timedelta(days=int(day.min())),
        "last_day": _EPOCH + timedelta(days=int(day.max())),
        "longest": int(spot["longest"]), "expected": float(spot["expected"]),
        "p": float(spot["p"]), "classes": tuple(words[:MOST_CLASSES]),
        "open": int(np.isin(cases.stage[rows], OPEN_CODES).sum()),
        "fids": tuple(int(fid) for fid in cases.fid[newest]),
    }  # fmt: skip
