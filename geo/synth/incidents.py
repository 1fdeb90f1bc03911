"""Cases of sixty days and of the same month a year ago: when and where they are reported.

Each class has its own hours (vendors in the evening, noise at night) and its places: a fault of an
asset happens at an asset. A few spots draw the same class again and again for some days. What
then becomes of a case is the matter of `geo.synth.moves`.

Two things are planted with their truth. A black spot (黑点) has a handful of cases of one class
within some metres, each reported some days after the one before was closed. A pair of similar cases
is one thing reported twice, metres and hours apart; about half of the pairs were merged.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.synth.assets import Spots, find_inside, line_up, on_land
from geo.synth.blocks import HALF_WIDTH_M, Ground
from geo.synth.kinds import FLARING, HOURS, KINDS, LIGHT, WEEK
from geo.synth.presets import Preset

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DAYS = 60
"""Cases of so many days before the city is looked at."""
YEAR_DAYS, MONTH_DAYS = 364, 33
"""And of the month that ended 52 weeks before, on the same weekdays, with a day to spare each way
of the same dates of the year before."""
LAST_YEAR = 0.9
"""How many cases there were then, as a share of today's."""
ZONE = ZoneInfo("Asia/Shanghai")
DAY_S = 86_400

SPOTS_A_GRID, PAIRS_A_GRID = 0.03, 0.04
"""Planted black spots and similar pairs, a grid; three of each at least."""
SPOT_M, PAIR_M, PAIR_H = 8.0, 30.0, 3.0
"""Planted cases of a spot lie within so many metres of its middle, those of a pair within so many
metres and hours of each other."""


def draw_cases(
    rng: np.random.Generator,
    preset: Preset,
    ground: Ground,
    assets: pd.DataFrame,
    *,
    at: datetime,
) -> pd.DataFrame:
    """Draw all cases, in order of time.

    `assets` have class_code and shape in metres.

    Returns
    -------
    DataFrame
        Numbered from 0: `kind` (number in `KINDS`), `when` (epoch seconds), `x`, `y` (metres, the
        true place), `edge` (-1 if none), `placed` (False: nobody wrote the place down), `spot`
        (number of the planted black spot, else -1), `pair` and `twin` (number of the planted pair,
        and 1 for the first, 2 for the second report, else 0), `merged`.
    """
    kind, day, when = _draw_times(rng, preset, at)
    x, y, edge, kind = _draw_places(rng, preset, ground, assets, kind, day)
    n = len(kind)
    table = pd.DataFrame(
        {"kind": kind, "when": when, "x": x, "y": y, "edge": edge, "placed": rng.random(n) >= 0.015}
    )
    table = table.assign(spot=-1, pair=-1, twin=0, merged=False)
    planted = [table, _plant_spots(rng, preset, ground, at)]
    planted.append(_plant_twins(rng, preset, ground, table, at))
    whole = pd.concat([part for part in planted if len(part)], ignore_index=True)
    whole = whole[whole["when"] <= int(at.timestamp())]
    return whole.sort_values("when", kind="stable", ignore_index=True)


def _draw_times(rng: np.random.Generator, preset: Preset, at: datetime) -> tuple[Ints, Ints, Ints]:
    """Kind, day (0 is the oldest) and second of reporting of each case, in order of time."""
    end = int(at.timestamp())
    midnight = _midnight(at)
    weekday = at.astimezone(ZONE).weekday()
    kinds, days, seconds = [], [], []
    weight = np.array([k.weight for k in KINDS])
    weekend = np.array([k.weekend for k in KINDS])
    hours = np.array([k.hours for k in KINDS])
    ago = [*range(YEAR_DAYS + MONTH_DAYS - 2, YEAR_DAYS - 3, -1), *range(DAYS, -1, -1)]
    for number, back in enumerate(ago):
        of_week = (weekday - back) % 7
        odds = weight * (weekend if of_week >= 5 else 1.0)
        trend = LAST_YEAR if back > DAYS else 1.08 - 0.16 * back / DAYS
        busy = WEEK[of_week] * np.exp(rng.normal(0, 0.10)) * trend
        count = int(rng.poisson(preset.grids * preset.incidents_a_day * busy))
        kind = rng.choice(len(KINDS), count, p=odds / odds.sum())
        second = np.zeros(count, dtype=np.int64)
        for name, profile in HOURS.items():
            mine = hours[kind] == name
            hour = rng.choice(24, int(mine.sum()), p=profile / profile.sum())
            second[mine] = hour * 3600 + rng.integers(0, 3600, int(mine.sum()))
        kinds.append(kind)
        days.append(np.full(count, number, dtype=np.int64))
        seconds.append(midnight - back * DAY_S + second)
    when = np.concatenate(seconds)
    fresh = (when <= end) & (when > end - DAYS * DAY_S)
    keep = np.flatnonzero(fresh | (when < midnight - (DAYS + 1) * DAY_S))
    keep = keep[np.argsort(when[keep], kind="stable")]
    return np.concatenate(kinds)[keep], np.concatenate(days)[keep], when[keep]


def _midnight(at: datetime) -> int:
    local = at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(local.timestamp())


def _line_spots(rng: np.random.Generator, ground: Ground) -> tuple[Spots, Reals]:
    """Points along all streets where something may happen, and how likely each is."""
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
    return spots, weight / weight.sum()


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
    spots, weight = _line_spots(rng, ground)
    pick = rng.choice(len(weight), n, p=weight)
    x, y, edge = spots.x[pick], spots.y[pick], spots.edge[pick]
    kind = kind.copy()
    _flare(rng, preset, ground, spots, weight, kind, day, x, y, edge)
    for number, code in enumerate(k.code for k in KINDS):
        mine = np.flatnonzero(kind == number) if code[0] == "C" else np.empty(0, dtype=np.int64)
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
    place = rng.choice(len(weight), count, p=weight)
    code_of = np.array([k.code for k in KINDS])
    topic = rng.choice(np.flatnonzero(np.isin(code_of, FLARING)), count)
    strength = rng.pareto(1.6, count) + 0.4
    begin, length = rng.integers(-10, DAYS + MONTH_DAYS, count), rng.integers(6, 30, count)
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


def _plant_spots(
    rng: np.random.Generator, preset: Preset, ground: Ground, at: datetime
) -> pd.DataFrame:
    """Black spots: cases of a light class at one place, three to six days apart."""
    count = max(3, round(preset.grids * SPOTS_A_GRID))
    spots, weight = _line_spots(rng, ground)
    place = rng.choice(len(weight), count, replace=False, p=weight)
    codes = [k.code for k in KINDS]
    topics = [codes.index(code) for code in LIGHT]
    size = rng.integers(3, 6, count)
    spot = np.repeat(np.arange(count), size)
    gap = rng.integers(3, 7, len(spot)) * DAY_S
    # Counted back from a day of the last two weeks, reported in working hours.
    last = _midnight(at) - rng.integers(1, 14, count) * DAY_S
    reach = pd.Series(gap).groupby(spot).cumsum().to_numpy() - gap
    when = last[spot] - reach + rng.integers(9 * 3600, 15 * 3600, len(spot))
    here = np.column_stack([spots.x[place], spots.y[place]])[spot]
    x, y = _scatter(rng, ground, here, SPOT_M / 2, SPOT_M).T
    return pd.DataFrame(
        {
            "kind": rng.choice(topics, count)[spot],
            "when": when,
            "x": x,
            "y": y,
            "edge": spots.edge[place][spot],
            "placed": True,
            "spot": spot,
            "pair": -1,
            "twin": 0,
            "merged": False,
        }
    )


def _plant_twins(
    rng: np.random.Generator, preset: Preset, ground: Ground, table: pd.DataFrame, at: datetime
) -> pd.DataFrame:
    """Second reports of cases of `table`, which is marked in place; a third of them is of today."""
    count = max(3, round(preset.grids * PAIRS_A_GRID))
    code = np.array([k.code for k in KINDS])[table["kind"]]
    fits = table["placed"].to_numpy() & np.char.startswith(code, "E")
    age = int(at.timestamp()) - table["when"].to_numpy()
    fresh = np.flatnonzero(fits & (age > 1800) & (age < 6 * 3600))
    older = np.flatnonzero(fits & (age > 2 * DAY_S) & (age < (DAYS - 5) * DAY_S))
    now = rng.permutation(fresh)[: -(-count // 3)]
    first = np.concatenate([now, rng.permutation(older)[: count - len(now)]]).astype(np.int64)
    pair = np.arange(len(first))
    merged = rng.random(len(first)) < 0.6
    merged[: len(now)] = False
    later = np.where(
        pair < len(now),
        rng.uniform(300, 1800, len(first)),
        rng.uniform(300, PAIR_H * 3600, len(first)),
    )
    here = table[["x", "y"]].to_numpy()[first]
    x, y = _scatter(rng, ground, here, PAIR_M / 2, PAIR_M).T
    twin = table.iloc[first].assign(x=x, y=y, pair=pair, twin=2, merged=merged)
    twin["when"] += later.astype(np.int64)
    table.loc[first, "pair"] = pair
    table.loc[first, "twin"] = 1
    return twin


def _scatter(
    rng: np.random.Generator, ground: Ground, here: Reals, spread_m: float, most_m: float
) -> Reals:
    """Points about others, at most so far away, and none outside the city."""
    angle = rng.uniform(0, 2 * np.pi, len(here))
    far = np.minimum(np.abs(rng.normal(0, spread_m, len(here))), most_m)
    moved = here + far[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    inside = find_inside(ground, shapely.points(moved))
    return np.where(inside[:, None], moved, here)


def find_blocks(ground: Ground, x: Reals, y: Reals) -> Ints:
    """The block of each point; of one on a border the lowest, of one outside the nearest."""
    points = shapely.points(x, y)
    tree = shapely.STRtree(ground.blocks)
    row, block = tree.query(points, predicate="intersects")
    out = np.full(len(points), len(ground.blocks), dtype=np.int64)
    np.minimum.at(out, row, block)
    lost = np.flatnonzero(out == len(ground.blocks))
    if len(lost):
        out[lost] = tree.query_nearest(points[lost], all_matches=False)[1]
    return out


def find_planted(cases: pd.DataFrame, incidents: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The truth about what was planted.

    Returns
    -------
    dict
        `black_spots`: one row a case, in order of spot and time: spot, incident_id, class_code.
        `similar`: one row a pair: incident_id (the second report), similar_id (the first),
        is_merged (by now).
    """
    ids, codes = incidents.index.to_numpy(), incidents["class_code"].to_numpy()
    spot = cases["spot"].to_numpy()
    rows = np.flatnonzero(spot >= 0)
    rows = rows[np.argsort(spot[rows], kind="stable")]
    black = pd.DataFrame({"spot": spot[rows], "incident_id": ids[rows], "class_code": codes[rows]})
    twin, pair = cases["twin"].to_numpy(), cases["pair"].to_numpy()
    first = pd.Series(np.flatnonzero(twin == 1), index=pair[twin == 1])
    second = pd.Series(np.flatnonzero(twin == 2), index=pair[twin == 2]).sort_index()
    keeper = first[second.index].to_numpy()
    similar = pd.DataFrame(
        {
            "incident_id": ids[second],
            "similar_id": ids[keeper],
            "is_merged": (incidents["stage"].to_numpy() == "cancelled")[second],
        }
    )
    return {"black_spots": black, "similar": similar}
