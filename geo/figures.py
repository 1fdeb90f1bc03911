"""The figures of a city and of its units: open, overdue, on time, per household, ranks, trends.

Every case belongs to exactly one row of a table of units: its unit, or the last row, `REST`, that
holds what has no unit of that level (no such division above its grid, outside of all grids, or
without a place). So each column of counts adds up to the figure of the whole, at every level.

What is late follows `geo.deadlines.read_clocks`. Households that are not known are counted as such
and never as zero: a rate is taken over the grids whose households are known, both above and below
the line, and a unit that knows none has no rate.

`at` is always in the city's zone; its midnight begins the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo._figures_trend import DAYS as DAYS
from geo._figures_trend import Trend as Trend
from geo._figures_trend import find_trend as find_trend
from geo._figures_trend import last_year_span as last_year_span
from geo._figures_trend import midnight as midnight
from geo._figures_trend import moment64, plain
from geo._figures_trend import year_before as year_before
from geo._time_limits import require_columns
from geo.deadlines import SOON_H, read_clocks
from geo.errors import InputError
from geo.incidents import OPEN_STAGES

REST = ""
"""Code of the row for what has no unit; no unit may have it."""

CASE_STATES = ("fine", "soon", "late", "paused", "none", "done", "done_late", "cancelled")
"""The states of `read_clocks`, and `cancelled`, which has no clock any more."""

COUNTS = (
    "open", "overdue", "soon", "paused", "today", "week_ago", "reported_30d", "due_30d",
    "in_time_30d",
)  # fmt: skip
"""The marks of `mark_cases`: what each case counts as."""

SUMS = ("grids", "households", "households_unknown", "population", "population_unknown")
RATE_OF = 1000
_Bools = npt.NDArray[np.bool_]


def mark_cases(cases: pd.DataFrame, *, at: datetime, soon_h: float = SOON_H) -> pd.DataFrame:
    """Mark what each case counts as at a moment.

    Parameters
    ----------
    cases
        Indexed by `incident_id`, with `stage`, `reported_at`, `deadline`, `closed_at` and, where
        the city postpones, `paused_until`. Times have a zone.
    at
        The moment, in the city's zone.
    soon_h
        Hours before the deadline from which a case is amber.

    Returns
    -------
    DataFrame
        Indexed like `cases`: `state` (one of `CASE_STATES`, categorical), `late_s` (seconds after
        the deadline, 0 in time), and one column of booleans for each of `COUNTS`:

        - `open`: in one of `OPEN_STAGES`, wherever it is; `overdue`, `soon`, `paused`: open and
          in that state
        - `today`: reported since midnight until `at`; `week_ago`: the same span a week before
        - `reported_30d`: reported in the 30 days before `at`
        - `due_30d`: not cancelled, with a deadline in the 30 days before `at`, or closed in them
          before its deadline; `in_time_30d`: of these the ones closed by the deadline
    """
    require_columns(cases, ("stage", "reported_at", "deadline", "closed_at"), "cases")
    stage = cases["stage"].astype("category")
    is_open = stage.isin(OPEN_STAGES).to_numpy(dtype=bool)
    is_cancelled = (stage == "cancelled").to_numpy(dtype=bool)
    due, closed = plain(cases["deadline"]), plain(cases["closed_at"])
    codes, late_s = _states(cases, is_open, is_cancelled, due, closed, at, soon_h)
    state = pd.Categorical.from_codes(codes, categories=list(CASE_STATES))
    reported, now = plain(cases["reported_at"]), moment64(at)
    week_ago = at - timedelta(days=7)
    begun = moment64(at - timedelta(days=DAYS))
    is_closed = ~is_open & ~is_cancelled
    fell_due = (due >= begun) & (due < now) & ~is_cancelled
    closed_now = is_closed & (closed >= begun) & (closed <= now) & ~np.isnat(due)
    due_30d = fell_due | closed_now
    marks = {
        "open": is_open,
        "overdue": is_open & (codes == _CODE["late"]),
        "soon": is_open & (codes == _CODE["soon"]),
        "paused": is_open & (codes == _CODE["paused"]),
        "today": (reported >= moment64(midnight(at))) & (reported <= now),
        "week_ago": (reported >= moment64(midnight(week_ago))) & (reported <= moment64(week_ago)),
        "reported_30d": (reported >= begun) & (reported <= now),
        "due_30d": due_30d,
        "in_time_30d": due_30d & is_closed & (closed <= due),
    }
    return pd.DataFrame({"state": state, "late_s": late_s, **marks}, index=cases.index)


_CODE = {name: code for code, name in enumerate(CASE_STATES)}


def _states(
    cases: pd.DataFrame,
    is_open: _Bools,
    is_cancelled: _Bools,
    due: npt.NDArray[np.datetime64],
    closed: npt.NDArray[np.datetime64],
    at: datetime,
    soon_h: float,
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Code of the state of each case, and by how much it is, or was closed, late."""
    codes = np.full(len(cases), _CODE["done"], dtype=np.int8)
    late_s = np.zeros(len(cases))
    is_late = ~is_open & ~is_cancelled & (closed > due)
    codes[is_late] = _CODE["done_late"]
    late_s[is_late] = (closed[is_late] - due[is_late]) / np.timedelta64(1, "s")
    codes[is_cancelled] = _CODE["cancelled"]
    rows = np.flatnonzero(is_open)
    ongoing = cases.iloc[rows]
    stands = None
    if "paused_until" in cases.columns:
        stands = pd.Series(plain(ongoing["paused_until"]) > moment64(at), index=ongoing.index)
    clocks = read_clocks(ongoing["deadline"], at=at, is_paused=stands, soon_h=soon_h)
    codes[rows] = pd.Categorical(clocks["state"], categories=list(CASE_STATES)).codes
    late_s[rows] = clocks["late_s"].to_numpy()
    return codes, late_s


def next_change(
    cases: pd.DataFrame, *, at: datetime, soon_h: float = SOON_H, new_for: timedelta | None = None
) -> datetime | None:
    """Find when the state of an open case changes next by the passing of time alone.

    Parameters
    ----------
    cases, at, soon_h
        As for `mark_cases`.
    new_for
        How long a case counts as new after its report; its end is a change too.

    Returns
    -------
    datetime or None
        The first moment after `at`, in its zone, at which one turns amber, red or runs again. A
        case is late from just after its deadline.
    """
    ongoing = cases[cases["stage"].isin(OPEN_STAGES).to_numpy(dtype=bool)]
    due, now = plain(ongoing["deadline"]), moment64(at)
    soon = np.timedelta64(round(soon_h * 3_600_000_000), "us")
    columns = [due + np.timedelta64(1, "us"), due - soon]
    if "paused_until" in ongoing.columns:
        columns.append(plain(ongoing["paused_until"]))
    if new_for is not None:
        # The moment itself still counts as new.
        columns.append(plain(ongoing["reported_at"]) + np.timedelta64(new_for) + 1)
    ahead = np.concatenate(columns)
    ahead = ahead[ahead > now]
    if not len(ahead):
        return None
    first: datetime = pd.Timestamp(ahead.min(), tz="UTC").to_pydatetime()
    return first.astimezone(at.tzinfo)


def count_units(marks: pd.DataFrame, unit: pd.Series, units: pd.Index) -> pd.DataFrame:
    """Count marked cases by unit; every column adds up to all cases.

    Parameters
    ----------
    marks
        From `mark_cases`; each column of booleans is counted.
    unit
        Code of the unit of each case, indexed like `marks`; missing, or not in `units`, is the
        rest. A categorical is fastest.
    units
        The codes of the units.

    Returns
    -------
    DataFrame
        Indexed by `units` and, last, `REST`: a count for each mark, and `longest_s`, by how much
        the longest overdue one is late, where `late_s` is given.
    """
    place = _places(unit, units)
    size = len(units) + 1
    table: dict[str, npt.NDArray[np.generic]] = {
        str(name): np.bincount(place[marks[name].to_numpy()], minlength=size)
        for name in marks.columns
        if marks[name].dtype == bool
    }
    if "late_s" in marks.columns and "overdue" in marks.columns:
        late = marks["overdue"].to_numpy()
        longest = np.zeros(size)
        np.maximum.at(longest, place[late], marks["late_s"].to_numpy()[late])
        table["longest_s"] = longest
    return pd.DataFrame(table, index=_with_rest(units))


def count_things(unit: pd.Series, units: pd.Index) -> pd.Series:
    """Count rows by unit, whatever they are; the rest last. See `count_units`."""
    counts = np.bincount(_places(unit, units), minlength=len(units) + 1)
    return pd.Series(counts, index=_with_rest(units), name="count")


def sum_grids(grids: pd.DataFrame, unit: pd.Series, units: pd.Index) -> pd.DataFrame:
    """Sum households and residents of grids by unit; what is not known is counted.

    Parameters
    ----------
    grids
        Indexed by `grid_id`, with `households` and `population`, missing where not known.
    unit
        Code of the unit of each grid, indexed like `grids`.
    units
        The codes of the units.

    Returns
    -------
    DataFrame
        Indexed by `units` and, last, `REST`, with `SUMS`: number of grids, sums of what is known
        (missing where none is), and how many grids do not know.
    """
    require_columns(grids, ("households", "population"), "grids")
    place, size = _places(unit, units), len(units) + 1
    table = {"grids": np.bincount(place, minlength=size)}
    for name in ("households", "population"):
        values = grids[name].to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.isfinite(values)
        told = np.bincount(place[known], minlength=size)
        total = np.bincount(place[known], weights=values[known], minlength=size)
        table[name] = np.where(told > 0, total, np.nan)
        table[f"{name}_unknown"] = table["grids"] - told
    return pd.DataFrame(table, index=_with_rest(units))[list(SUMS)]


def rate_per_1000(counts: pd.Series, households: pd.Series) -> pd.Series:
    """Cases for 1,000 households, one decimal; missing where households are unknown or zero.

    `counts` has only cases of grids whose households are known, or the rate would be too high.
    """
    below = households.to_numpy(dtype=np.float64, na_value=np.nan)
    above = counts.to_numpy(dtype=np.float64)
    rate = np.full(len(below), np.nan)
    some = below > 0
    rate[some] = np.round(above[some] / below[some] * RATE_OF, 1)
    return pd.Series(rate, index=counts.index, name="per_1000")


def rate_in_time(table: pd.DataFrame) -> pd.Series:
    """Share of `due_30d` that is `in_time_30d`, percent; missing where nothing fell due."""
    due = table["due_30d"].to_numpy(dtype=np.float64)
    share = np.full(len(due), np.nan)
    share[due > 0] = table["in_time_30d"].to_numpy(dtype=np.float64)[due > 0] / due[due > 0] * 100
    return pd.Series(share, index=table.index, name="in_time_share")


def rank_units(
    table: pd.DataFrame, by: Sequence[str] = ("overdue", "open"), *, ascending: bool = False
) -> pd.DataFrame:
    """Put units in the order of figures, the first named first.

    Units with equal figures keep their order, those without a figure come after the others, and
    the rest, which is no unit, stands last.
    """
    require_columns(table, tuple(by), "table")
    units = table[table.index != REST]
    ranked = units.sort_values(list(by), ascending=ascending, kind="stable", na_position="last")
    return pd.concat([ranked, table[table.index == REST]])


def find_zones(zones: gpd.GeoDataFrame, lon: npt.ArrayLike, lat: npt.ArrayLike) -> pd.Series:
    """Find the zone of each point: the first that holds it, so that zones may overlap.

    Parameters
    ----------
    zones
        Areas of one kind in EPSG:4326, indexed by `zone_id`; their order decides.
    lon, lat
        Degrees, NaN without a place.

    Returns
    -------
    Series
        `zone_id` of each point, categorical, in their order; missing in none. A point on a border
        is in.
    """
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    found = np.full(len(x), len(zones), dtype=np.int64)
    placed = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(zones) and len(placed):
        tree = shapely.STRtree(zones.geometry.to_numpy())
        points = shapely.points(x[placed], y[placed])
        row, zone = tree.query(points, predicate="intersects")
        np.minimum.at(found, placed[row], zone)
    codes = np.where(found == len(zones), -1, found)
    categories = pd.Index(zones.index.astype(str), dtype=object)
    return pd.Series(pd.Categorical.from_codes(codes, categories=categories), name="zone_id")


def _places(unit: pd.Series, units: pd.Index) -> npt.NDArray[np.intp]:
    """Position of the unit of each row, the number of units for the rest."""
    if REST in units:
        raise InputError("a unit has the empty code, which is that of the rest: give it another")
    if isinstance(unit.dtype, pd.CategoricalDtype):
        of_category = np.append(units.get_indexer(unit.cat.categories), -1)
        place = of_category[unit.cat.codes.to_numpy()]
    else:
        place = units.get_indexer(pd.Index(unit))
    return np.where(place < 0, len(units), place)


def _with_rest(units: pd.Index) -> pd.Index:
    return units.append(pd.Index([REST], dtype=units.dtype)).rename("code")
