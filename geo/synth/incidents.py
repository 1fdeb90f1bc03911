"""Thirty days of cases: by the hour and the day of the week, with places that flare up.

Each class has its own hours (vendors in the evening, noise at night), its time limit and its
places: a fault of an asset happens at an asset. A few spots draw the same class again and again.
A case moves through the stages with delays of their own; nothing lies behind `at`, so the newest
cases are still open, and some are late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.codes import class_name
from geo.synth.assets import Spots, find_inside, line_up, on_land
from geo.synth.blocks import HALF_WIDTH_M, Ground
from geo.synth.presets import Preset

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DAYS = 30
UTC_OFFSET_S = 8 * 3600
ZONE = ZoneInfo("Asia/Shanghai")
WEEK = (1.12, 1.04, 1.0, 1.0, 1.06, 0.86, 0.78)
"""How busy the days from Monday to Sunday are."""

_DAY = "2 1 1 1 1 3 8 16 22 24 22 18 13 15 20 22 21 18 13 9 6 4 3 2"
_EVENING = "3 1 1 1 1 4 9 10 8 7 7 9 10 8 8 9 13 20 26 28 26 20 12 6"
_NIGHT = "16 10 6 4 3 3 4 5 6 6 6 7 8 7 6 6 7 9 12 16 22 26 26 22"
_COMMUTE = "2 1 1 1 1 3 10 24 26 16 11 12 13 11 11 12 16 24 26 18 12 8 5 3"
HOURS = {
    name: np.array(text.split(), dtype=float)
    for name, text in (
        ("day", _DAY),
        ("evening", _EVENING),
        ("night", _NIGHT),
        ("commute", _COMMUTE),
    )
}


@dataclass(frozen=True)
class _Kind:
    code: str
    weight: float
    hours: str
    limit_h: float
    """Time limit; those of one city where it published them (standards.md 1.5), else ours."""
    weekend: float = 1.0
    urgent: bool = False


KINDS = (
    _Kind("E0102", 13, "day", 4),
    _Kind("E0103", 4, "day", 48),
    _Kind("E0104", 5, "day", 2),
    _Kind("E0106", 3, "day", 4),
    _Kind("E0108", 3, "day", 24),
    _Kind("E0110", 3, "day", 72),
    _Kind("E0116", 2, "evening", 48),
    _Kind("E0101", 1.5, "day", 160),
    _Kind("E0201", 6, "day", 12),
    _Kind("E0203", 3, "evening", 8),
    _Kind("E0205", 1.5, "day", 48),
    _Kind("E0301", 2.5, "night", 4),
    _Kind("E0302", 1.5, "day", 8),
    _Kind("E0304", 1.5, "day", 24),
    _Kind("E0401", 0.4, "day", 6, urgent=True),
    _Kind("E0404", 2, "day", 12, urgent=True),
    _Kind("E0406", 1.2, "commute", 4, urgent=True),
    _Kind("E0408", 0.6, "day", 6, urgent=True),
    _Kind("E0501", 8, "evening", 2, 1.5),
    _Kind("E0504", 7, "evening", 4, 1.3),
    _Kind("E0505", 11, "commute", 2, 0.9),
    _Kind("E0506", 9, "commute", 4, 0.8),
    _Kind("E0507", 4, "day", 12),
    _Kind("E0508", 3, "night", 4, 1.4),
    _Kind("E0510", 1.5, "night", 3, 1.5),
    _Kind("E0511", 2, "day", 8),
    _Kind("C0102", 2.2, "day", 24, urgent=True),
    _Kind("C0103", 1.8, "day", 24, urgent=True),
    _Kind("C0107", 0.8, "day", 48),
    _Kind("C0118", 2.6, "evening", 48),
    _Kind("C0113", 0.6, "day", 24, urgent=True),
    _Kind("C0209", 0.6, "day", 72),
    _Kind("C0210", 0.6, "commute", 8, urgent=True),
    _Kind("C0305", 1.6, "day", 24),
    _Kind("C0402", 1.2, "day", 72),
    _Kind("C0117", 0.6, "day", 48),
)
FLARING = ("E0102", "E0501", "E0504", "E0505", "E0506", "E0508", "E0404", "E0510")
"""Classes that come back to the same place."""

DEPARTMENTS = (
    "城管局",
    "环卫处",
    "住建局",
    "公安局",
    "街道办事处",
    "社区居委会",
    "供电公司",
    "排水管理处",
)


@dataclass(frozen=True)
class Cases:
    """Cases in metres, in order of reporting, and the moves of each."""

    table: pd.DataFrame
    log: pd.DataFrame


def report_incidents(
    rng: np.random.Generator,
    preset: Preset,
    ground: Ground,
    assets: pd.DataFrame,
    workers: list[str],
    road_names: npt.NDArray[np.object_],
    *,
    at: datetime,
    prefix: str,
) -> Cases:
    """Draw all cases of the thirty days before `at`, with their logs.

    `assets` have class_code and shape in metres. The table has x, y (metres, NaN if unplaced).
    """
    kind, day, reported = _draw_times(rng, preset, at)
    n = len(kind)
    x, y, edge, kind = _draw_places(rng, preset, ground, assets, kind, day)
    log, deadline = _move(rng, kind, reported, workers, at)
    last = log.groupby("case").tail(1)
    codes = np.array([KINDS[k].code for k in kind])
    names = {k.code: class_name(k.code) for k in KINDS}
    words = np.array([names[code] for code in codes], dtype=object)
    street = road_names[np.maximum(edge, 0)]
    street[edge < 0] = None
    date = pd.to_datetime(reported, unit="s", utc=True).tz_convert(ZONE)
    number = pd.Series(date.strftime("%Y%m%d"))
    ids = prefix + number + (number.groupby(number).cumcount() + 1).map("{:05d}".format)
    unplaced = rng.random(n) < 0.015
    table = pd.DataFrame(
        {
            "incident_id": ids.to_numpy(),
            "class_code": codes,
            "category": words,
            "description": [
                f"{road}附近{word}" if isinstance(road, str) else str(word)
                for road, word in zip(street, words, strict=True)
            ],
            "x": np.where(unplaced, np.nan, x),
            "y": np.where(unplaced, np.nan, y),
            "source": rng.choice(
                ["collector", "hotline", "app", "video", "patrol"],
                n,
                p=[0.46, 0.2, 0.16, 0.12, 0.06],
            ),
            "reported_at": reported,
            "stage": last["stage"].to_numpy(),
            "deadline": deadline,
            "closed_at": np.where(
                last["stage"].isin(["closed"]), last["at"], np.iinfo(np.int64).min
            ),
        }
    )
    log["incident_id"] = table["incident_id"].to_numpy()[log["case"].to_numpy()]
    return Cases(table, log.drop(columns="case"))


def _draw_times(rng: np.random.Generator, preset: Preset, at: datetime) -> tuple[Ints, Ints, Ints]:
    """Kind, day (0 is 30 days ago) and second of reporting of each case, in order of time."""
    end = int(at.timestamp())
    midnight = int(
        at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    )
    weekday = at.astimezone(ZONE).weekday()
    kinds, days, seconds = [], [], []
    weight = np.array([k.weight for k in KINDS])
    weekend = np.array([k.weekend for k in KINDS])
    for day in range(DAYS + 1):
        of_week = (weekday - (DAYS - day)) % 7
        odds = weight * (weekend if of_week >= 5 else 1.0)
        busy = WEEK[of_week] * np.exp(rng.normal(0, 0.10)) * (0.92 + 0.16 * day / DAYS)
        count = int(rng.poisson(preset.grids * preset.incidents_a_day * busy))
        kind = rng.choice(len(KINDS), count, p=odds / odds.sum())
        second = np.zeros(count, dtype=np.int64)
        for name, profile in HOURS.items():
            mine = np.array([KINDS[k].hours == name for k in kind], dtype=bool)
            hour = rng.choice(24, int(mine.sum()), p=profile / profile.sum())
            second[mine] = hour * 3600 + rng.integers(0, 3600, int(mine.sum()))
        kinds.append(kind)
        days.append(np.full(count, day, dtype=np.int64))
        seconds.append(midnight - (DAYS - day) * 86_400 + second)
    when = np.concatenate(seconds)
    keep = np.flatnonzero((when <= end) & (when > end - DAYS * 86_400))
    keep = keep[np.argsort(when[keep], kind="stable")]
    return np.concatenate(kinds)[keep], np.concatenate(days)[keep], when[keep]


def _draw_places(
    rng: np.random.Generator,
    preset: Preset,
    ground: Ground,
    assets: pd.DataFrame,
    kind: Ints,
    day: Ints,
) -> tuple[Reals, Reals, Ints, Ints]:
    """Where each case is: along a street, at an asset of its class, or at a spot that flares."""
    n = len(kind)
    edges = on_land(ground)
    half = np.array([HALF_WIDTH_M[str(k)] for k in ground.edge_class[edges]])
    spots = line_up(
        rng, ground, edges, spacing_m=18, offset_m=half + rng.uniform(0.5, 5, len(edges))
    )
    spots = spots.keep(find_inside(ground, shapely.points(spots.x, spots.y)))
    pull = {"arterial": 1.6, "main": 1.4, "minor": 1.0, "path": 0.5}
    weight = np.array([pull[str(k)] for k in ground.edge_class[spots.edge]])
    block = np.where(spots.side > 0, ground.left[spots.edge], ground.right[spots.edge])
    weight = weight / (0.5 + ground.far[block])
    pick = rng.choice(len(weight), n, p=weight / weight.sum())
    x, y, edge = spots.x[pick], spots.y[pick], spots.edge[pick]
    kind = kind.copy()
    _flare(rng, preset, ground, spots, weight, kind, day, x, y, edge)
    for code in sorted({k.code for k in KINDS if k.code[0] == "C"}):
        mine = np.flatnonzero(np.array([KINDS[k].code == code for k in kind]))
        pieces = np.flatnonzero((assets["class_code"] == code[1:]).to_numpy())
        if len(mine) and len(pieces):
            chosen = rng.choice(pieces, len(mine))
            point = shapely.centroid(assets["shape"].to_numpy()[chosen])
            x[mine], y[mine] = shapely.get_x(point), shapely.get_y(point)
            edge[mine] = assets["edge"].to_numpy()[chosen]
    return x, y, edge, kind


def _flare(
    rng: np.random.Generator,
    preset: Preset,
    ground: Ground,
    spots: Spots,
    weight: Reals,
    kind: Ints,
    day: Ints,
    x: Reals,
    y: Reals,
    edge: Ints,
) -> None:
    """Move about a quarter of the cases to spots that flare up for some days (in place)."""
    count = max(4, round(preset.grids * 0.05))
    place = rng.choice(len(weight), count, p=weight / weight.sum())
    code_of = np.array([k.code for k in KINDS])
    topic = rng.choice(np.flatnonzero(np.isin(code_of, FLARING)), count)
    strength = rng.pareto(1.6, count) + 0.4
    begin, length = rng.integers(-10, DAYS, count), rng.integers(6, 30, count)
    hot = np.flatnonzero(rng.random(len(kind)) < 0.24)
    for d in np.unique(day[hot]):
        alive = strength * (np.where((begin <= d) & (d < begin + length), 1.0, 0.03))
        mine = hot[day[hot] == d]
        which = rng.choice(count, len(mine), p=alive / alive.sum())
        kind[mine] = topic[which]
        edge[mine] = spots.edge[place[which]]
        # Reports of one place scatter by some metres along the sidewalk, but not out of the city.
        slip, heading = rng.normal(0, 6.0, len(mine)), spots.heading[place[which]]
        here = np.column_stack([spots.x[place[which]], spots.y[place[which]]])
        moved = here + slip[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
        inside = find_inside(ground, shapely.points(moved))
        x[mine], y[mine] = np.where(inside[:, None], moved, here).T


def _move(
    rng: np.random.Generator,
    kind: Ints,
    reported: Ints,
    workers: list[str],
    at: datetime,
) -> tuple[pd.DataFrame, Ints]:
    """The log (`case`, `seq`, `at` in epoch seconds, `stage`, `by`, `note`), and the deadlines.

    The clock starts with the dispatch (standards.md 1.5) and, for what is not urgent and due
    within a day, stands still in the night.
    """
    n, end = len(kind), int(at.timestamp())

    def wait(median_s: float | Reals, spread: float) -> Ints:
        draw = np.exp(rng.normal(0, spread, n)) * median_s
        return np.maximum(20, np.minimum(draw, 20 * 86_400)).astype(np.int64)

    urgent = np.array([k.urgent for k in KINDS])[kind]
    opened = reported + wait(600, 0.7)
    opened = np.where(urgent, opened, _office_hours(rng, opened))
    dispatched = opened + wait(700, 0.8)
    limit_s = np.array([k.limit_h for k in KINDS])[kind] * 3600
    paused = ~urgent & (limit_s < 86_400)
    deadline = _add_work(dispatched, limit_s.astype(np.int64), paused)
    handling = _add_work(dispatched, wait(np.minimum(1500, limit_s * 0.12), 0.6), paused)
    work = wait(limit_s * 0.24, 0.7) * np.where(rng.random(n) < 0.04, 5, 1)
    first_back = _add_work(handling, work, paused)
    again = rng.random(n) < 0.045
    returned = _add_work(first_back, wait(np.minimum(1500, limit_s * 0.1), 0.5), paused)
    redone = _add_work(returned, wait(limit_s * 0.12, 0.6), paused)
    back = np.where(again, redone, first_back)
    closed = _add_work(back, wait(np.minimum(1500, limit_s * 0.1), 0.5), paused)
    dropped = (rng.random(n) < 0.035) & ~again
    steps = [
        ("collected", reported, np.ones(n, dtype=bool), ""),
        ("cancelled", opened, dropped, "核实不属实"),
        ("opened", opened, ~dropped, ""),
        ("dispatched", dispatched, ~dropped, ""),
        ("handling", handling, ~dropped, ""),
        ("fed_back", first_back, ~dropped, ""),
        ("handling", returned, ~dropped & again, "核查不合格，返工"),
        ("fed_back", back, ~dropped & again, ""),
        ("closed", closed, ~dropped, ""),
    ]
    office = rng.choice(DEPARTMENTS, n)
    finder = rng.choice(workers, n) if workers else np.full(n, "系统")
    desk = np.array([f"坐席{k:02d}" for k in range(1, 13)])[rng.integers(0, 12, n)]
    actor = {
        "collected": finder, "cancelled": desk, "opened": desk, "dispatched": desk,
        "handling": office, "fed_back": office, "closed": finder,
    }  # fmt: skip
    parts = []
    for order, (stage, when, mask, note) in enumerate(steps):
        rows = np.flatnonzero(mask & (when <= end))
        parts.append(
            pd.DataFrame(
                {
                    "case": rows,
                    "order": order,
                    "at": when[rows],
                    "stage": stage,
                    "by": actor[stage][rows],
                    "note": note or None,
                }
            )
        )
    log = pd.concat(parts, ignore_index=True).sort_values(["case", "order"], ignore_index=True)
    log["seq"] = log.groupby("case").cumcount() + 1
    return log[["case", "seq", "at", "stage", "by", "note"]], deadline


OPENS_S, CLOSES_S = 7 * 3600 + 1800, 21 * 3600
"""Seconds of the local day between which the centre and the departments work."""


def _office_hours(rng: np.random.Generator, second: Ints) -> Ints:
    """What comes in the night waits for the morning shift at half past seven."""
    local = (second + UTC_OFFSET_S) % 86_400
    morning = second - local + OPENS_S + rng.integers(0, 2400, len(second))
    return np.where(local < OPENS_S, morning, np.where(local >= CLOSES_S, morning + 86_400, second))


def _add_work(start: Ints, work: Ints, paused: Bools) -> Ints:
    """The moment so many seconds later, nights not counted where `paused`."""
    day_s = CLOSES_S - OPENS_S
    day, local = np.divmod(start + UTC_OFFSET_S, 86_400)
    done = day * day_s + np.clip(local - OPENS_S, 0, day_s) + work
    day, local = np.divmod(done, day_s)
    return np.where(paused, day * 86_400 + OPENS_S + local - UTC_OFFSET_S, start + work)
