"""Who gets another worker, and which workers gain and lose. Public names: `geo.impact`.

A worker stays with the grid that lives on. So a household changes its worker when its block goes to
a grid that somebody else answers for, or to a new one, for which nobody does yet; where one person
answers for both grids, nothing changes for it. Households of grids for which nobody is named are
told apart: nobody can say whether they change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo._impact_identity import labels_before

if TYPE_CHECKING:
    from geo.impact import Impact

_WHOLE = ("households", "population", "incidents", "assets")
GAINS = ("households", "population", "incidents", "assets", "patrol_m", "street_m")


@dataclass(frozen=True, eq=False)
class Handover:
    """Who is affected by a plan."""

    flows: pd.DataFrame
    """One row for each pair of grids between which blocks move: `from_grid`, `from_name`,
    `to_grid`, `to_name`, `from_worker`, `to_worker` (ids, missing: nobody), `blocks`, `GAINS`, and
    `is_other`: whether these households get another worker. The most households first."""
    workers: pd.DataFrame
    """By `worker_id`, those whose grids change: `grids_before`, `grids` (how many), and of each of
    `GAINS` `x_before`, `x`, `x_change`. The empty id stands last, for grids without anybody, so
    that every change adds up to zero."""
    households: int
    """Of the whole plan."""
    changed: int
    """Households that get another worker, or none yet."""
    unknown: int
    """Households that move from a grid for which nobody was named."""

    @property
    def kept_share(self) -> float:
        """Share of all households that keep their worker."""
        if not self.households:
            return 1.0
        return 1.0 - (self.changed + self.unknown) / self.households


def find_handover(impact: Impact, worker_of: pd.Series) -> Handover:
    """Find who gets another worker.

    Parameters
    ----------
    worker_of
        `worker_id` by `grid_id` of the plan before; grids that are missing have nobody.
    """
    before, after = impact.before, impact.after
    known = worker_of.dropna()
    named = [row.grid_id for row in before.grids]
    people = {str(grid): str(worker) for grid, worker in known.items()}
    old_worker = np.array([people.get(name) for name in named], dtype=object)
    new_worker = np.full(len(after.grids), None, dtype=object)
    kept = np.flatnonzero(impact.was >= 0)
    new_worker[kept] = old_worker[impact.was[kept]]
    table, sums = impact.counts.table, list(_COLUMNS_OF)
    old, now = labels_before(before, after), after.label
    moved = np.flatnonzero(impact.was[now] != old)
    size = np.int64(len(after.grids))
    pair, at = np.unique(old[moved] * size + now[moved], return_inverse=True)
    one, two = (pair // size).tolist(), (pair % size).tolist()
    flows = pd.DataFrame(
        {
            "from_grid": [before.grids[k].grid_id for k in one],
            "from_name": [before.grids[k].name for k in one],
            "to_grid": [after.grids[k].grid_id for k in two],
            "to_name": [after.grids[k].name for k in two],
            "from_worker": _labels(old_worker[k] for k in one),
            "to_worker": _labels(new_worker[k] for k in two),
            "blocks": np.bincount(at, minlength=len(pair)),
            **{
                name: np.bincount(at, table[moved, sums[k]], minlength=len(pair))
                for k, name in enumerate(GAINS)
            },
        }
    )
    flows[list(_WHOLE)] = flows[list(_WHOLE)].astype(np.int64)
    same = [w is not None and w == v for w, v in zip(_at(old_worker, one), _at(new_worker, two),
                                                     strict=True)]  # fmt: skip
    is_known = np.array([w is not None for w in _at(old_worker, one)], dtype=bool)
    flows["is_other"] = ~np.array(same, dtype=bool) & is_known
    changed = int(flows.loc[flows["is_other"], "households"].sum())
    unknown = int(flows.loc[~is_known, "households"].sum())
    flows = flows.sort_values(["households", "from_grid", "to_grid"],
                              ascending=[False, True, True], ignore_index=True)  # fmt: skip
    workers = _workers(impact, old_worker, new_worker)
    return Handover(flows, workers, int(table[:, 0].sum()), changed, unknown)


def _workers(impact: Impact, old: np.ndarray, new: np.ndarray) -> pd.DataFrame:
    """Before and after by worker, those that change."""
    ids = np.array(sorted({str(k or "") for k in (*old, *new)}), dtype=object)
    place = {name: k for k, name in enumerate(ids.tolist())}
    sides = []
    for plan, who, counts in (
        (impact.before, old, impact.facts.of(impact.before)),
        (impact.after, new, impact.counts),
    ):
        row = np.array([place[str(k or "")] for k in who], dtype=np.int64)
        mine = row[plan.label]
        sums = {
            name: np.bincount(mine, counts.table[:, k], minlength=len(ids))
            for name, k in zip(GAINS, _COLUMNS_OF, strict=True)
        }
        sides.append(sums | {"grids": np.bincount(row[plan.living], minlength=len(ids))})
    one, two = sides
    columns = {"grids_before": one["grids"], "grids": two["grids"]}
    for name in GAINS:
        pair = {
            f"{name}_before": one[name],
            name: two[name],
            f"{name}_change": two[name] - one[name],
        }
        if name in _WHOLE:
            pair = {key: values.astype(np.int64) for key, values in pair.items()}
        columns |= pair
    table = pd.DataFrame(columns, index=pd.Index(ids, name="worker_id"))
    is_other = (table["grids"] != table["grids_before"]).to_numpy(dtype=bool)
    for name in GAINS:
        is_other = is_other | (table[f"{name}_change"] != 0).to_numpy(dtype=bool)
    table = table[is_other]
    order = np.lexsort(
        (-table["households_change"].abs().to_numpy(), (table.index == "").astype(int))
    )
    return table.iloc[order]


def _at(who: np.ndarray, rows: Sequence[int]) -> list[object]:
    return [who[k] for k in rows]


def _labels(values: object) -> pd.api.extensions.ExtensionArray:
    return pd.array(list(values), dtype="str")  # type: ignore[call-overload]


_COLUMNS_OF = (0, 1, 5, 6, 4, 3)
"""Columns of `GAINS` among `geo._impact_facts.COLUMNS`."""
