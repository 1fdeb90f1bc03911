"""What patrols did in every grid on each shift of a day: rounds and coverage in one table.

Rounds ask the workers posted to a grid (`geo.rounds`), coverage asks what anybody walked: a street
that a neighbour's worker went along was seen. So both may differ, and the table shows both. Each
row has one round: one of done, partly, missed and unknown is 1 once it has ended, and they add up
to `required`. Where nobody is posted, nobody knows who owed the round: it counts as unknown, with
0 workers. Public names are handed on by `geo.reach`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame

from geo._fixes_tracks import micro_of
from geo._reach_area import AreaLines
from geo._reach_measure import REACH_M, lay_lines, measure_coverage
from geo._reach_pieces import StreetPieces
from geo._reach_walks import walks_of
from geo.fixes import clean_fixes
from geo.locate import GridIndex
from geo.rounds import THREE_ROUNDS, Shift, find_rounds

PATROL_COLUMNS = (
    "grid_id", "date", "shift", "required", "done", "partly", "missed", "unknown", "street_m",
    "covered_m", "covered_share", "area_share", "fixes", "workers",
)  # fmt: skip
"""Columns of `measure_patrols` and of `wangge patrol`, in this order."""

MINUTE_US = 60_000_000


def measure_patrols(
    grids: GeoDataFrame,
    pieces: StreetPieces,
    fixes: pd.DataFrame,
    posts: pd.Series,
    *,
    day: date,
    at: datetime,
    zone: ZoneInfo,
    shifts: Sequence[Shift] = THREE_ROUNDS,
    radius_m: float = REACH_M,
    lines: AreaLines | None = None,
    index: GridIndex | None = None,
) -> pd.DataFrame:
    """Measure rounds and coverage of every grid and shift of a day.

    Parameters
    ----------
    grids
        In metres, indexed by `grid_id`, without overlaps.
    pieces
        From `cut_streets` of these grids.
    fixes
        As they came, see `geo.rounds.judge_rounds`; those of other days may be among them.
    posts
        `grid_id` by `worker_id`: who walks where.
    day, at, zone
        The day in the city's zone, and the moment as of which it is judged.
    lines, index
        From `lay_lines(grids)` and `GridIndex(grids)`, for many days; else made here.

    Returns
    -------
    DataFrame
        One row a shift and grid, in order of `shifts` and of `grids`, with PATROL_COLUMNS.
        `required` is 1 if the round has ended, else 0, and one of done, partly, missed and unknown
        says what became of it. `street_m`, `covered_m`, `covered_share`, `area_share`: see
        `measure_coverage`, of what anybody walked during the shift. `fixes`: clean ones in the grid
        during the shift, `workers`: how many workers they are of.
    """
    lines = lay_lines(grids) if lines is None else lines
    index = GridIndex(grids) if index is None else index
    judged = find_rounds(grids, fixes, posts, day=day, at=at, zone=zone, shifts=shifts)
    # Nobody is held still: who looks closely walks slower than a phone drifts.
    tracks = clean_fixes(fixes, stay_m=0).tracks
    row = index.assign(tracks.x, tracks.y)
    parts = []
    for shift in shifts:
        low, high = _span(day, shift, zone)
        during = (tracks.micro >= low) & (tracks.micro < high)
        walks = walks_of(tracks, np.where(during, 0, -1).astype(np.int32), pd.Index([shift.name]))
        table = measure_coverage(grids, pieces, walks, radius_m=radius_m, lines=lines)
        rounds = judged[judged["shift"] == shift.name].set_index("grid_id").reindex(grids.index)
        table["required"] = (rounds["end"] <= pd.Timestamp(at)).astype(np.int64)
        for name in ("done", "partly", "missed"):
            table[name] = (rounds["status"] == name).astype(np.int64)
        # Also a round of nobody, once it has ended.
        table["unknown"] = table["required"] - table[["done", "partly", "missed"]].sum(axis=1)
        inside = during & (row >= 0)
        table["fixes"] = np.bincount(row[inside], minlength=len(grids))
        pairs = np.unique(np.column_stack([row[inside], tracks.who[inside]]), axis=0)
        table["workers"] = np.bincount(pairs[:, 0], minlength=len(grids))
        table = table.assign(date=day.isoformat(), shift=shift.name)
        parts.append(table.reset_index(names="grid_id"))
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=PATROL_COLUMNS)
    return whole[list(PATROL_COLUMNS)]


def count_patrols(table: pd.DataFrame) -> pd.DataFrame:
    """Sum rows of `measure_patrols` by day and shift: the city's own row.

    Counts and metres add up; `covered_share` is made anew from the metres. The share of ground of
    the city is not the mean of those of its grids, so it is left out, and so are workers, who may
    walk in several grids.
    """
    sums = ["required", "done", "partly", "missed", "unknown", "street_m", "covered_m", "fixes"]
    found = table.groupby(["date", "shift"], sort=False)[sums].sum().reset_index()
    share = (found["covered_m"] / found["street_m"]).where(found["street_m"] > 0)
    found.insert(found.columns.get_loc("covered_m") + 1, "covered_share", share)
    return found


def count_minutes(
    grids: GeoDataFrame,
    fixes: pd.DataFrame,
    *,
    day: date,
    zone: ZoneInfo,
    shifts: Sequence[Shift] = THREE_ROUNDS,
    index: GridIndex | None = None,
) -> pd.DataFrame:
    """Count the minutes of the shifts of a day in which each worker had a clean fix in a grid.

    Returns
    -------
    DataFrame
        `worker_id`, `grid_id`, `minutes`; tables of several days may be put one below the other.
    """
    index = GridIndex(grids) if index is None else index
    tracks = clean_fixes(fixes, stay_m=0).tracks
    row = index.assign(tracks.x, tracks.y)
    during = np.zeros(len(tracks), dtype=bool)
    for low, high in (_span(day, shift, zone) for shift in shifts):
        during |= (tracks.micro >= low) & (tracks.micro < high)
    inside = during & (row >= 0)
    minute = tracks.micro[inside] // MINUTE_US
    seen = np.unique(np.column_stack([tracks.who[inside], row[inside], minute]), axis=0)
    pairs, minutes = np.unique(seen[:, :2], axis=0, return_counts=True)
    return pd.DataFrame(
        {
            "worker_id": tracks.names.take(pairs[:, 0]),
            "grid_id": grids.index.take(pairs[:, 1]),
            "minutes": minutes,
        }
    )


def infer_posts(minutes: pd.DataFrame) -> pd.Series:
    """Take the grid in which a worker spent most minutes as the one that is the worker's.

    Parameters
    ----------
    minutes
        From `count_minutes`, of one day or more.

    Returns
    -------
    Series
        `grid_id` by `worker_id`, in order of the workers; of equal grids the first by its id. Our
        assumption, for files that do not say who walks where.
    """
    sums = minutes.groupby(["worker_id", "grid_id"], observed=True)["minutes"].sum().reset_index()
    best = sums.sort_values(["worker_id", "minutes", "grid_id"], ascending=[True, False, True])
    return best.drop_duplicates("worker_id").set_index("worker_id")["grid_id"]


def _span(day: date, shift: Shift, zone: ZoneInfo) -> tuple[int, int]:
    """Begin and end of a shift, microseconds since 1970."""
    low = micro_of(datetime.combine(day, shift.start, tzinfo=zone))
    return low, low + shift.minutes * MINUTE_US
