"""The figures of the command page at one moment, all computed at once when data or time moved on.

A `Snapshot` is what pages read: a callback looks things up in it and asks no table. It is a value,
so a page that is being built never sees half of a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboards.cases import Cases, Times, utc64
from dashboards.city import City
from dashboards.inventory import Inventory
from dashboards.settings import Settings

FIGURES = ("open", "overdue", "per_1000", "households", "population", "assets")
"""What grids can be coloured by, in the order of the switch."""

UNITS = {
    "open": "unit.incidents",
    "overdue": "unit.incidents",
    "per_1000": "unit.per_1000",
    "households": "unit.households",
    "population": "unit.people",
    "assets": "unit.assets",
}

DAYS = 30
SAME_WEEKDAYS = 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Workers:
    """Everyone registered, and the last position of those who sent one."""

    stamp: str
    people: pd.DataFrame
    """`workers` as stored, indexed by `worker_id`."""
    positions: pd.DataFrame
    """Indexed by `worker_id`: `time` (UTC), `lon`, `lat`, `row` of the grid."""


@dataclass(frozen=True, eq=False)
class Trend:
    """The three charts."""

    days: tuple[datetime, ...]
    reported: npt.NDArray[np.int64]
    closed: npt.NDArray[np.int64]
    today_by_hour: npt.NDArray[np.int64]
    """One number an hour that has begun."""
    typical_by_hour: Floats
    """Mean of the four same weekdays before, 24 hours."""
    ranking: tuple[tuple[str, int, int], ...]
    """Name, open, overdue; the most open first."""
    ranking_level: str | None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a page shows, as of `at` (in the city's zone)."""

    version: str
    at: datetime
    newest: datetime | None
    """Time of the newest incident, close or position; None if there is none."""
    city: City
    inventory: Inventory
    cases: Cases
    workers: Workers
    trend: Trend
    totals: dict[str, float]
    figures: dict[str, Floats]
    """By name of FIGURES: one number a grid, NaN where there is no data."""
    state: npt.NDArray[np.object_] = field(repr=False, default_factory=lambda: np.empty(0, object))
    """State of each case: fine, soon, late, none (no deadline), closed."""


def take_snapshot(
    city: City,
    inventory: Inventory,
    cases: Cases,
    workers: Workers,
    at: datetime,
    settings: Settings,
    version: str,
) -> Snapshot:
    """Compute every figure at the moment `at`."""
    local = at.astimezone(settings.zone)
    state = _states(cases, local, settings)
    late = cases.is_open & (state == "late")
    count = len(city.grids)
    open_here = _per_grid(cases.row[cases.is_open], count)
    late_here = _per_grid(cases.row[late], count)
    figures = {
        "open": open_here.astype(np.float64),
        "overdue": late_here.astype(np.float64),
        "per_1000": _per_1000(city, cases, local),
        "households": _column(city, "households"),
        "population": _column(city, "population"),
        "assets": inventory.per_grid.astype(np.float64),
    }
    return Snapshot(
        version=version,
        at=local,
        newest=_newest(cases, workers, at, settings),
        city=city,
        inventory=inventory,
        cases=cases,
        workers=workers,
        trend=_trend(city, cases, open_here, late_here, local),
        totals=_totals(city, inventory, cases, workers, state, local, settings),
        figures=figures,
        state=state,
    )


def _states(cases: Cases, at: datetime, settings: Settings) -> npt.NDArray[np.object_]:
    now = utc64(at)
    soon = now + np.timedelta64(settings.soon_minutes, "m")
    state = np.full(len(cases), "fine", dtype=object)
    state[cases.deadline <= soon] = "soon"
    state[cases.deadline < now] = "late"
    state[np.isnat(cases.deadline)] = "none"
    state[~cases.is_open] = "closed"
    return state


def _per_grid(rows: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    return np.bincount(rows[rows >= 0], minlength=count)[:count].astype(np.int64)


def _column(city: City, name: str) -> Floats:
    return np.asarray(city.grids[name].to_numpy(dtype=np.float64, na_value=np.nan))


def _per_1000(city: City, cases: Cases, at: datetime) -> Floats:
    """Incidents of the last 30 days for 1,000 households; no figure where none are known."""
    recent = cases.reported >= utc64(at - timedelta(days=DAYS))
    counts = _per_grid(cases.row[recent], len(city.grids))
    households = _column(city, "households")
    known = np.isfinite(households) & (households > 0)
    rate = np.full(len(counts), np.nan)
    rate[known] = np.round(counts[known] / households[known] * 1000, 1)
    return rate


def _newest(cases: Cases, workers: Workers, at: datetime, settings: Settings) -> datetime | None:
    """The newest moment in the data; one in the future is a mistake and makes nothing fresh."""
    moments: list[pd.Timestamp] = []
    for times in (cases.reported, cases.closed):
        known = times[~np.isnat(times) & (times <= utc64(at))]
        if len(known):
            moments.append(pd.Timestamp(known.max(), tz="UTC"))
    seen = workers.positions["time"]
    seen = seen[seen <= at]
    if len(seen):
        moments.append(seen.max())
    return max(moments).to_pydatetime().astimezone(settings.zone) if moments else None


def midnight(moment: datetime, days_before: int = 0) -> datetime:
    """Midnight that begins the day of `moment`, or one some days before, in its zone."""
    day = moment.date() - timedelta(days=days_before)
    return datetime.combine(day, time(0), tzinfo=moment.tzinfo)


def _between(times: Times, start: datetime, end: datetime) -> int:
    """How many of the ascending `times` are in [start, end)."""
    low, high = np.searchsorted(times, [utc64(start), utc64(end)])
    return int(high - low)


def _totals(
    city: City,
    inventory: Inventory,
    cases: Cases,
    workers: Workers,
    state: npt.NDArray[np.object_],
    at: datetime,
    settings: Settings,
) -> dict[str, float]:
    now = utc64(at)
    late = cases.is_open & (state == "late")
    placed = cases.placed
    week_ago = at - timedelta(days=7)
    begun = now - np.timedelta64(DAYS, "D")
    finished = ~cases.is_open & (cases.stage.astype(str) == "closed")
    fell_due = (cases.deadline >= begun) & (cases.deadline < now) & (cases.is_open | finished)
    closed_now = finished & (cases.closed >= begun) & (cases.closed <= now)
    due = fell_due | (closed_now & ~np.isnat(cases.deadline))
    in_time = due & finished & (cases.closed <= cases.deadline)
    seen = workers.positions["time"]
    fresh = seen > pd.Timestamp(at) - pd.Timedelta(minutes=settings.on_duty_minutes)
    return {
        "grids": len(city.grids),
        "households": _sum(_column(city, "households")),
        "population": _sum(_column(city, "population")),
        "workers": len(workers.people),
        "on_duty": int(fresh.sum()),
        "today": _between(cases.reported, midnight(at), at + timedelta(milliseconds=1)),
        "week_ago": _between(cases.reported, midnight(week_ago), week_ago),
        "open": int(cases.is_open.sum()),
        "unplaced": int((cases.is_open & ~placed).sum()),
        "outside": int((cases.is_open & placed & (cases.row < 0)).sum()),
        "overdue": int(late.sum()),
        "soon": int((cases.is_open & (state == "soon")).sum()),
        "longest_s": float((now - cases.deadline[late].min()) / np.timedelta64(1, "s"))
        if late.any()
        else 0.0,
        "due_30d": int(due.sum()),
        "in_time_30d": int(in_time.sum()),
        "assets": len(inventory),
        "cameras": inventory.cameras,
    }


def _sum(values: Floats) -> float:
    """Sum of what is known; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.sum()) if len(known) else float("nan")


def _trend(
    city: City,
    cases: Cases,
    open_here: npt.NDArray[np.int64],
    late_here: npt.NDArray[np.int64],
    at: datetime,
) -> Trend:
    edges = [midnight(at, days) for days in range(DAYS - 1, -1, -1)] + [midnight(at, -1)]
    marks = np.array([utc64(edge) for edge in edges])
    closed = np.sort(cases.closed[~np.isnat(cases.closed) & (cases.stage == "closed")])
    typical = np.mean(
        [_by_hour(cases.reported, midnight(at, 7 * k)) for k in range(1, SAME_WEEKDAYS + 1)],
        axis=0,
    )
    level = city.ranking_level()
    return Trend(
        days=tuple(edges[:-1]),
        reported=np.diff(np.searchsorted(cases.reported, marks)),
        closed=np.diff(np.searchsorted(closed, marks)),
        today_by_hour=_by_hour(cases.reported, midnight(at))[: at.hour + 1],
        typical_by_hour=typical,
        ranking=_ranking(city, level, open_here, late_here),
        ranking_level=level,
    )


def _by_hour(reported: Times, start: datetime) -> npt.NDArray[np.int64]:
    """Reports in each of the 24 hours from `start`."""
    marks = utc64(start) + np.arange(25) * np.timedelta64(1, "h")
    return np.diff(np.searchsorted(reported, marks)).astype(np.int64)


def _ranking(
    city: City,
    level: str | None,
    open_here: npt.NDArray[np.int64],
    late_here: npt.NDArray[np.int64],
) -> tuple[tuple[str, int, int], ...]:
    if level is None:
        return ()
    sums = (
        pd.DataFrame({"open": open_here, "late": late_here}, index=city.grids.index)
        .groupby([city.places[f"{level}_code"], city.places[level]])
        .sum()
        .sort_values(["open", "late"], ascending=False, kind="stable")
    )
    return tuple(
        (str(name), int(row["open"]), int(row["late"]))
        for (_, name), row in sums.head(12).iterrows()
    )
