"""Rounds counted by grid, division, shift and day; the parts always add up to what is required.

    required = done + partly + missed + unknown + vacant

Rounds that run or lie ahead are counted beside, since nobody can have missed them yet. A grid
without a division above it is counted under the empty code, so that every level has the same sum.
What is not known is never in a share of what was done: `done_share` is done of the rounds that are
known, and `unknown_share` says how many are not.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from geo.errors import ColumnError

ENDED = ("done", "partly", "missed", "unknown", "vacant")
"""What becomes of a round that is over."""

COMING = ("running", "ahead")
"""What a round is before."""

COUNTS = ("required", *ENDED, *COMING)
"""The columns of every table of counts, in order."""

NO_UNIT = ""
"""Code under which grids are counted that lie in no unit."""

LEAST_ROUNDS = 10
"""A share of fewer known rounds is told as too few to compare; our assumption: at ten, one round
more or less moves the share by ten points."""


def count_shifts(
    rounds: pd.DataFrame, by: Iterable[str] = ("grid_id",), *, units: pd.Series | None = None
) -> pd.DataFrame:
    """Count rounds by what became of them.

    Parameters
    ----------
    rounds
        One row a round with `grid_id`, `status` and the columns of `by`.
    by
        Columns to count by, in order: `grid_id`, `date`, `shift`, and with `units` also `unit`.
    units
        Code of the unit that each grid lies in, indexed by `grid_id`; missing is counted under
        NO_UNIT.

    Returns
    -------
    DataFrame
        Indexed by the columns of `by`, in order of first appearance, with the columns COUNTS.

    Raises
    ------
    ColumnError
        If a column is missing.
    """
    names = list(by)
    table = rounds if units is None else rounds.assign(unit=unit_of(rounds["grid_id"], units))
    missing = {"status", *names} - set(table.columns)
    if missing:
        raise ColumnError(f"rounds lack {', '.join(sorted(missing))}: they have {list(table)}")
    statuses = (*ENDED, *COMING)
    wanted = table[names].assign(
        **{name: (table["status"] == name).to_numpy(dtype=np.int64) for name in statuses}
    )
    if not len(wanted):
        index = pd.MultiIndex.from_frame(wanted[names]) if len(names) > 1 else pd.Index([])
        index = index.set_names(names)
        return pd.DataFrame({name: np.empty(0, dtype=np.int64) for name in COUNTS}, index=index)
    counts = wanted.groupby(names, sort=False, observed=True)[list(statuses)].sum()
    counts.insert(0, "required", counts[list(ENDED)].sum(axis=1))
    return counts.astype(np.int64)


def unit_of(grid_ids: pd.Series, units: pd.Series) -> pd.Series:
    """The unit of each grid in a column of ids, NO_UNIT where there is none."""
    known = {str(k): str(v) for k, v in units.dropna().astype(object).items()}
    found = [known.get(str(label), NO_UNIT) for label in grid_ids]
    return pd.Series(found, index=grid_ids.index, dtype=object)


def add_shares(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts with `known` (rounds), `done_share` of the known, `unknown_share` of the required.

    A share of nothing is not a number.
    """
    known = counts["required"] - counts["unknown"]
    none = np.full(len(counts), np.nan)
    required = counts["required"].to_numpy(dtype=np.float64)
    done, unknown = (counts[name].to_numpy(dtype=np.float64) for name in ("done", "unknown"))
    of_known = known.to_numpy(dtype=np.float64)
    return counts.assign(
        known=known,
        done_share=np.divide(done, of_known, out=none.copy(), where=of_known > 0),
        unknown_share=np.divide(unknown, required, out=none.copy(), where=required > 0),
    )


def sum_counts(counts: pd.DataFrame) -> pd.Series:
    """The counts of all rows together, with the columns COUNTS."""
    return counts[list(COUNTS)].sum().astype(np.int64)


def share_people(rounds: pd.DataFrame, posts: pd.Series) -> pd.DataFrame:
    """The share of rounds done in the grid of each person: for comparisons, without counts of each.

    A round belongs to the grid, and so to everyone who is posted to it; vacant ones to nobody.

    Parameters
    ----------
    rounds
        `grid_id` and `status`.
    posts
        `grid_id` by `worker_id`.

    Returns
    -------
    DataFrame
        Indexed by `worker_id`, in order of `posts`: `grid_id`, `done_share`, `unknown_share`,
        `known`, and `is_few` where fewer than LEAST_ROUNDS are known; the share is then missing.
    """
    counts = add_shares(count_shifts(rounds))
    index = pd.Index([str(label) for label in posts.index], dtype=object, name="worker_id")
    grids = posts.astype(object).astype(str).to_numpy()
    found = counts.reindex(grids)
    known = found["known"].fillna(0).to_numpy(dtype=np.int64)
    few = known < LEAST_ROUNDS
    return pd.DataFrame(
        {
            "grid_id": grids,
            "done_share": np.where(few, np.nan, found["done_share"].to_numpy(dtype=np.float64)),
            "unknown_share": found["unknown_share"].to_numpy(dtype=np.float64),
            "known": known,
            "is_few": few,
        },
        index=index,
    )
