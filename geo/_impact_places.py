"""Which assets, cases, schools and compounds change their grid. Public names: `geo.impact`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._impact_identity import labels_before
from geo._plan_rings import Ints
from geo.plan import Plan

if TYPE_CHECKING:
    from geo.impact import Impact


def find_moved_things(impact: Impact, name: str) -> gpd.GeoDataFrame:
    """Find the things that change their grid.

    Parameters
    ----------
    name
        `assets`, `cases` or `places`, as in `Things`.

    Returns
    -------
    GeoDataFrame
        Rows of that layer with `from_grid`, `from_name`, `to_grid`, `to_name`, in its order. What
        lies in another block than before, but in the same grid, is not among them; nor is what lies
        outside of all blocks. Of `places` also those whose block a line cuts, so that its parts lie
        in more grids than before: their point may stay, but their ground does not. `change` is then
        `cut`, else `moved`; `to_name` of what is cut names all grids of the block, and `to_grid` is
        that of the point.
    """
    layer: gpd.GeoDataFrame = getattr(impact.facts.things, name)
    old, now = _rows_of(impact, name)
    is_cut, parts = (
        _cut_blocks(impact, name) if name == "places" else (np.zeros(len(now), bool), {})
    )
    moved = np.flatnonzero((now >= 0) & ((impact.was[now] != old) | is_cut))
    before, after = impact.before.grids, impact.after.grids
    told = {
        "from_grid": [before[k].grid_id for k in old[moved].tolist()],
        "from_name": [before[k].name for k in old[moved].tolist()],
        "to_grid": [after[k].grid_id for k in now[moved].tolist()],
        "to_name": [
            ", ".join(after[k].name for k in parts[row]) if row in parts else after[now[row]].name
            for row in moved.tolist()
        ],
    }
    if name == "places":
        told["change"] = ["cut" if row in parts else "moved" for row in moved.tolist()]
    return layer.iloc[moved].assign(**{k: pd.array(v, dtype="str") for k, v in told.items()})


def _cut_blocks(impact: Impact, name: str) -> tuple[npt.NDArray[np.bool_], dict[int, list[int]]]:
    """Which things stand in a block that a line cuts, and the grids of its parts by thing."""
    before, after = impact.before, impact.after
    block = impact.counts.block[name]
    origin = after.blocks.origin
    old, now = labels_before(before, after), after.label
    parts: dict[int, list[int]] = {}
    is_split = np.bincount(origin)[origin] > 1
    inside = np.flatnonzero(block >= 0)
    for thing in inside[is_split[block[inside]]].tolist():
        mine = np.flatnonzero(origin == origin[block[thing]])
        grids = np.unique(now[mine]).tolist()
        if len(grids) > len(np.unique(old[mine])):
            parts[thing] = grids
    is_cut = np.zeros(len(block), dtype=bool)
    is_cut[list(parts)] = True
    return is_cut, parts


def count_classes(impact: Impact, *, before: bool = False) -> pd.DataFrame:
    """Count assets by grid and class, of the plan or of the one before.

    Returns
    -------
    DataFrame
        By `grid_id`, a column for each class code in order; rows add up to `assets`.
    """
    plan: Plan = impact.before if before else impact.after
    old, now = _rows_of(impact, "assets")
    row = old if before else now
    codes, classes = pd.factorize(impact.facts.things.assets["class_code"].astype(str), sort=True)
    inside = row >= 0
    size = max(len(classes), 1)
    count = np.bincount(row[inside] * size + codes[inside], minlength=len(plan.grids) * size)
    names = pd.Index([plan.grids[k].grid_id for k in plan.living.tolist()], name="grid_id")
    table = count.reshape(-1, size)[plan.living][:, : len(classes)]
    return pd.DataFrame(table, index=names, columns=list(classes))


def find_compounds(impact: Impact) -> pd.DataFrame:
    """Find the compounds that a plan cuts, or gives to another grid as a whole.

    A compound (小区) is the blocks of one name in one community. It is cut where it lies in more
    grids than before, or where a line runs through one of its blocks and the parts go apart.

    Returns
    -------
    DataFrame
        One row a compound: `compound`, `community_code`, `change` (cut, joined: in fewer grids
        than before, or moved), `grids_before`, `grids` (how many), `from_names`, `to_names` (of
        grids, separated by a comma), `households` (of the whole), `moved` (households that go to
        another grid). Those cut come first, then by households.
    """
    before, after = impact.before, impact.after
    number, names = impact.facts.compounds
    compound = number[after.blocks.origin]
    old, now = labels_before(before, after), after.label
    other = impact.was[now] != old
    touched = np.unique(compound[other & (compound >= 0)])
    rows = []
    for one in touched.tolist():
        mine = np.flatnonzero(compound == one)
        past, present = np.unique(old[mine]).tolist(), np.unique(now[mine]).tolist()
        households = after.blocks.households[mine]
        code, name = names[one]
        rows.append(
            {
                "compound": name,
                "community_code": code,
                "change": _CHANGE[int(np.sign(len(present) - len(past)))],
                "grids_before": len(past),
                "grids": len(present),
                "from_names": ", ".join(before.grids[k].name for k in past),
                "to_names": ", ".join(after.grids[k].name for k in present),
                "households": int(households.sum()),
                "moved": int(households[other[mine]].sum()),
            }
        )
    found = pd.DataFrame(rows, columns=_COMPOUND)
    rank = found["change"].map({"cut": 0, "moved": 1, "joined": 2})
    order = np.lexsort((found["compound"], -found["moved"].to_numpy(), rank.to_numpy()))
    return found.iloc[order].reset_index(drop=True)


_CHANGE = {1: "cut", 0: "moved", -1: "joined"}

_COMPOUND = [
    "compound", "community_code", "change", "grids_before", "grids", "from_names", "to_names",
    "households", "moved",
]  # fmt: skip


def _rows_of(impact: Impact, name: str) -> tuple[Ints, Ints]:
    """Grid row of each thing before and after; -1 outside."""
    old = impact.facts.of(impact.before).block[name]
    now = impact.counts.block[name]
    inside = now >= 0
    one, two = np.full(len(old), -1, dtype=np.int64), np.full(len(now), -1, dtype=np.int64)
    one[inside] = impact.before.label[old[inside]]
    two[inside] = impact.after.label[now[inside]]
    return one, two
