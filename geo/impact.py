"""What a plan changes, for which grid and for whom, before anybody commits to it.

Every figure is a sum over blocks, and every block is in exactly one grid before and after. So the
changes of all grids add up to exactly zero, whatever was edited, in whatever order; what one grid
loses another gains. Facts are counted block by block once (`count_facts`); an edit that only moves
blocks counts nothing again, and one that moves a border or cuts counts again what it reshaped
(`geo._impact_facts`).

Grids of the plan are set against the grids that they live on as: the ones with which they share the
most households (`geo.publish.match_grids`), whatever their ids. Who loses a household to whom
follows from the same match, since a worker stays with the grid that lives on; a new grid has nobody
yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from dataclasses import replace as swap

import numpy as np
import pandas as pd

from geo._impact_facts import COLUMNS, BlockFacts, Counts
from geo._impact_facts import Things as Things
from geo._impact_facts import count_facts as count_facts
from geo._impact_grids import BAND as BAND
from geo._impact_grids import FIGURES as FIGURES
from geo._impact_grids import SUMS as SUMS
from geo._impact_grids import WEIGHABLE as WEIGHABLE
from geo._impact_grids import WEIGHTS as WEIGHTS
from geo._impact_grids import Scale as Scale
from geo._impact_grids import find_scale as find_scale
from geo._impact_grids import measure_grids as measure_grids
from geo._impact_grids import read_weights as read_weights
from geo._impact_grids import sum_up as sum_up
from geo._impact_grids import weigh_grids as weigh_grids
from geo._impact_identity import labels_before, match_rows
from geo._impact_people import Handover as Handover
from geo._impact_people import find_handover as find_handover
from geo._impact_places import count_classes as count_classes
from geo._impact_places import find_compounds as find_compounds
from geo._impact_places import find_moved_things as find_moved_things
from geo._plan_rings import Ints
from geo.errors import InputError
from geo.plan import GridRow, Plan
from geo.plan_merge import find_reshaped

__all__ = [
    "BAND", "FIGURES", "STATUSES", "SUMS", "WEIGHABLE", "WEIGHTS", "BlockFacts", "Counts",
    "Handover", "Impact", "Scale", "Things", "compare_plans", "count_classes", "count_facts",
    "find_compounds", "find_handover", "find_moved_things", "find_scale", "measure_grids",
    "read_weights", "regroup", "sum_up", "weigh_grids",
]  # fmt: skip

STATUSES = ("same", "changed", "new", "ended")
"""What becomes of a grid: `changed` has another outline, `new` shares too little with any."""


@dataclass(frozen=True, eq=False)
class Impact:
    """A plan against another."""

    before: Plan
    after: Plan
    facts: BlockFacts
    counts: Counts
    """Of the blocks of `after`."""
    band: tuple[float, float]
    was: Ints
    """Row of the grid of `before` for each grid row of `after`; -1: new, or no more."""
    then: pd.DataFrame
    """Grids of `before`, from `measure_grids`."""
    now: pd.DataFrame
    """Grids of `after`."""
    grids: pd.DataFrame
    """One row a grid: those of `after` in order, then those that end. `grid_id` (missing where it
    ends), `was` (missing where it is new), `name`, `kind`, `community_code`, `status`, `band`,
    `band_before`, `came` and `left` (households), and of each of `FIGURES` `x_before`, `x`,
    `x_change`; a figure that a grid does not have is missing, and for `SUMS` counts as 0."""
    blocks: pd.DataFrame
    """Blocks that change their grid, by `block_id`: `from_grid` and `from_name` (of `before`),
    `to_grid` and `to_name` (of `after`), `households`, `population`, the other counts, and
    `origin`, the block of the first plan that it is part of."""

    @property
    def is_nothing(self) -> bool:
        """Whether no block changes its grid and no grid its outline, name or figures."""
        return bool((self.grids["status"] == "same").all()) and not len(self.blocks)

    def totals(self) -> pd.Series:
        """Sums of the changes of `SUMS` over all grids: all exactly zero."""
        return self.grids[[f"{name}_change" for name in SUMS]].sum().set_axis(list(SUMS))


def compare_plans(
    facts: BlockFacts,
    after: Plan,
    *,
    before: Plan | None = None,
    band: tuple[float, float] = BAND,
    weights: Mapping[str, float] = WEIGHTS,
    no_band: Collection[str] = (),
) -> Impact:
    """Set a plan against the one that it began from, or against another on the same blocks.

    Parameters
    ----------
    facts
        From `count_facts` of the first plan.
    after
        The first plan, or one that edits made of it.
    before
        By default the first plan; else one with the very same blocks (`regroup`).
    band
        Least and most households of a grid.
    weights
        Of the workload index, see `read_weights`. An average grid of `before` has the index 100.
    no_band
        See `measure_grids`.

    Raises
    ------
    InputError
        If the band is upside down.
    """
    start = facts.first if before is None else before
    counts = facts.of(after)
    then, scale = _measure_before(facts, start, band, weights, no_band)
    now = measure_grids(after, counts, band=band, scale=scale, no_band=no_band)
    was = match_rows(start, after)
    shaped = _is_shaped(start, after, was)
    blocks = _moved(start, after, counts, was)
    grids = _compare(start, after, then, now, was, shaped, blocks)
    return Impact(start, after, facts, counts, band, was, then, now, grids, blocks)


def _measure_before(
    facts: BlockFacts,
    start: Plan,
    band: tuple[float, float],
    weights: Mapping[str, float],
    no_band: Collection[str],
) -> tuple[pd.DataFrame, Scale]:
    """The grids before, measured once: every edit is set against the same."""
    key = (tuple(band), tuple(sorted(weights.items())), tuple(sorted(no_band)))
    if facts.start is not None and facts.start[0] is start and facts.start[1] == key:
        return facts.start[2], facts.start[3]
    bare = measure_grids(start, facts.of(start), band=band, no_band=no_band)
    scale = find_scale(bare, weights)
    then = bare.assign(workload=weigh_grids(bare, scale))
    facts.start = (start, key, then, scale)
    return then, scale


def regroup(plan: Plan, grid_of: pd.Series, grids: pd.DataFrame | None = None) -> Plan:
    """The same blocks in other grids, as they are at present; grids may lie in several pieces.

    Parameters
    ----------
    grid_of
        `grid_id` by `block_id`, for all blocks.
    grids
        `name` and `kind` by `grid_id`, where known.

    Raises
    ------
    InputError
        If a block has no grid.
    """
    found = grid_of.reindex(list(plan.blocks.ids))
    if found.isna().any():
        raise InputError(f"block {found.index[found.isna()][0]} has no grid: give it one")
    names = found.astype(str)
    label, ids = pd.factorize(names, sort=True)
    known = pd.DataFrame(index=ids) if grids is None else grids.reindex(ids)
    first = pd.Series(plan.ground.community).groupby(label).first()
    rows = tuple(
        GridRow(
            str(name),
            _text(known, "name", k, str(name)),
            _text(known, "kind", k, "base"),
            int(first.iloc[k]),
        )
        for k, name in enumerate(ids)
    )
    return swap(plan, label=label.astype(np.int64), grids=rows, past=None, undone=None)


def _text(known: pd.DataFrame, name: str, row: int, other: str) -> str:
    value = known[name].iloc[row] if name in known else None
    return other if value is None or pd.isna(value) else str(value)


def _is_shaped(before: Plan, after: Plan, was: Ints) -> Ints:
    """By grid row of `after`: 1 where its ground is not that of the grid that it was."""
    changed = np.zeros(len(after.grids), dtype=np.int64)
    old = labels_before(before, after)
    moved = was[after.label] != old
    changed[after.label[moved]] = 1
    back = np.full(len(before.grids) + 1, -1, dtype=np.int64)
    back[was[was >= 0]] = np.flatnonzero(was >= 0)
    losers = back[old[moved]]
    changed[losers[losers >= 0]] = 1
    changed[after.label[find_reshaped(before, after)]] = 1
    return changed


def _moved(before: Plan, after: Plan, counts: Counts, was: Ints) -> pd.DataFrame:
    """Blocks whose grid lives on as another, is new, or is no more."""
    old = labels_before(before, after)
    rows = np.flatnonzero(was[after.label] != old)
    one = [before.grids[row] for row in old[rows].tolist()]
    two = [after.grids[row] for row in after.label[rows].tolist()]
    ids = pd.Index([after.blocks.ids[row] for row in rows.tolist()], name="block_id")
    table = pd.DataFrame(counts.table[rows], index=ids, columns=list(COLUMNS))
    for name in ("households", "population", "incidents", "assets"):
        table[name] = table[name].astype(np.int64)
    table = table.drop(columns=["dots", "seen"])
    first = before.blocks.ids
    named = {
        "from_grid": [row.grid_id for row in one],
        "from_name": [row.name for row in one],
        "to_grid": [row.grid_id for row in two],
        "to_name": [row.name for row in two],
        "origin": [first[row] for row in after.blocks.origin[rows].tolist()],
    }
    return table.assign(**{k: pd.array(v, dtype="str") for k, v in named.items()})


def _compare(
    before: Plan,
    after: Plan,
    then: pd.DataFrame,
    now: pd.DataFrame,
    was: Ints,
    shaped: Ints,
    blocks: pd.DataFrame,
) -> pd.DataFrame:
    living = after.living
    ended = np.setdiff1d(before.living, was[was >= 0])
    old_at = pd.Series(np.arange(len(then)), index=before.living)
    at_now = np.append(np.arange(len(now)), np.full(len(ended), -1))
    source = np.append(was[living], ended)
    at_then = old_at.reindex(source).fillna(-1).astype(np.int64).to_numpy()
    has_now, has_then = at_now >= 0, at_then >= 0
    status = np.where(
        ~has_now, "ended", np.where(~has_then, "new", np.append(shaped[living], 0 * ended))
    )
    words = pd.Series(status).replace({"0": "same", "1": "changed"})

    def pick(name: str) -> pd.Series:
        new, old = now[name].to_numpy(object), then[name].to_numpy(object)
        return _texts(np.where(has_now, new[at_now], old[at_then]))

    columns: dict[str, object] = {
        "grid_id": _words(now.index, at_now),
        "was": _words(then.index, at_then),
        **{name: pick(name) for name in ("name", "kind", "community_code")},
        "status": words.astype("str"),
        "band": _words(now["band"], at_now),
        "band_before": _words(then["band"], at_then),
        "came": _sum_by(blocks, "to_grid", now.index, at_now),
        "left": _sum_by(blocks, "from_grid", then.index, at_then),
    }
    for name in FIGURES:
        missing = 0.0 if name in (*SUMS, "workload", "blocks") else np.nan
        one = np.where(has_then, then[name].to_numpy(np.float64)[at_then], missing)
        two = np.where(has_now, now[name].to_numpy(np.float64)[at_now], missing)
        columns |= {f"{name}_before": one, name: two, f"{name}_change": two - one}
    return pd.DataFrame(columns)


def _words(values: pd.Series | pd.Index, at: Ints) -> pd.Series:
    """Texts by position, missing for -1."""
    told = values.to_numpy(dtype=object)
    return _texts(np.concatenate([told, np.array([None], dtype=object)])[at])


def _texts(values: np.ndarray) -> pd.Series:
    return pd.Series(pd.array(values, dtype="str"))


def _sum_by(blocks: pd.DataFrame, column: str, index: pd.Index, at: Ints) -> Ints:
    """Households of the moved blocks by one of their grids."""
    sums = blocks.groupby(column)["households"].sum().reindex(index).fillna(0)
    told = sums.to_numpy(dtype=np.int64)
    return np.where(at >= 0, told[at], 0) if len(told) else np.zeros(len(at), dtype=np.int64)
