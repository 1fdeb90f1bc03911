"""What a plan becomes when it comes into force: which grid lives on, what new ones are called.

A grid lives on in the grid that shares most of its households. Each of the old ones lives on in at
most one of the new ones, chosen for all of a community together (the assignment with the largest
sum of shared households; then of shared ground; then the same id in the draft), so the answer does
not depend on the order of the edits or on what the draft calls its grids. What lives on keeps its
code. New codes go on from the highest number that the community ever had, from west to east and
from north to south, and no code that ever was is given again.

A grid that no edit changed in the end keeps its row: publishing writes only what differs. Nothing
here reads or writes a store; `geo.io.publish` does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.optimize
import scipy.sparse
import shapely

from geo._plan_rings import Bools
from geo._publish_duties import DutyMoves as DutyMoves
from geo._publish_duties import move_duties as move_duties
from geo.errors import CodeError
from geo.hierarchy import number_grids
from geo.plan import Plan

DIGITS = 3
"""Digits of a grid's number after its community's code, by GB/T 31000 (see `number_grids`)."""

_NUMBERED = re.compile(r"(.*?)([0-9]+)")


@dataclass(frozen=True)
class Publication:
    """A plan as the grids that it becomes; households are those of the blocks."""

    codes: pd.Series
    """Published code by the plan's own `grid_id`, one a living grid."""
    grids: gpd.GeoDataFrame
    """What differs from the grids before, by code: `plan_grid` (id in the plan), `name` (missing:
    none was given), `kind`, `community_code`, `households`, `population`, geometry in the plan's
    CRS."""
    kept: tuple[str, ...]
    """Codes of grids that nobody changed: their rows stay."""
    ended: tuple[str, ...]
    """Codes that no grid bears any more."""
    parents: pd.DataFrame
    """`grid_id`, `from_grid_id`, `change` (`geo.schema.PARENT_CHANGES`), `households` that came
    along, `share` of the households of the one they come from (missing where it has none)."""
    heirs: Mapping[str, str]
    """For each ended code the one that got most of its households."""

    @property
    def closed(self) -> tuple[str, ...]:
        """Codes whose row ends: those that changed, and those that no grid bears any more."""
        before = self.parents.loc[self.parents["change"].isin(("kept", "changed"))]
        same = before.loc[before["grid_id"] == before["from_grid_id"], "grid_id"]
        return tuple(sorted({*same, *self.ended}))


def publish(
    first: Plan,
    plan: Plan,
    *,
    taken: Collection[str],
    standing: Collection[str] | None = None,
    redrawn: Collection[str] = (),
) -> Publication:
    """Work out what a plan becomes.

    Parameters
    ----------
    first
        The plan that the draft began from, with the grids in force.
    plan
        The draft, made from `first` by edits.
    taken
        Every code that a grid ever had; none of them is given to a new grid.
    standing
        Ids of `first` that are grids in force; without it all of them. The others (ground that no
        grid had) live on in nothing.
    redrawn
        Ids of `first` whose rows are written anew even if nobody changed them, for example
        because their stored border does not follow the blocks.

    Raises
    ------
    CodeError
        If a community has no number left.
    """
    shared = share_table(first, plan)
    if standing is not None:
        shared = shared[shared["from_grid"].isin(set(standing))]
    before = _match(shared, plan)
    table = plan.table()
    codes = before.copy()
    codes.loc[before.isna()] = _new_codes(first, plan, before, {*taken, *before.dropna()})
    codes = codes.rename("code")
    names = _names(first, plan, before)
    is_same = _find_untouched(first, plan, before, names) & ~before.isin(set(redrawn)).to_numpy()
    kept = tuple(sorted(codes[is_same]))
    alive = set(before.dropna())
    known = set(first.grid_rows) if standing is None else set(standing) & set(first.grid_rows)
    ended = tuple(sorted(known - alive))
    changed = list(codes.index[~is_same])
    shapes = [plan.outline(plan.grid_rows[name]) for name in changed]
    rows = table.loc[changed, ["kind", "community_code", "households", "population"]]
    grids = gpd.GeoDataFrame(
        rows.assign(plan_grid=changed, name=names.loc[changed].to_numpy()).set_axis(
            pd.Index(codes.loc[changed].to_numpy(), name="grid_id", dtype="str")
        ),
        geometry=shapes,
        crs=plan.crs,
    )
    shared = shared.assign(code=codes.reindex(shared["grid"]).to_numpy())
    parents = _parents(shared, set(changed), alive)
    return Publication(codes, grids, kept, ended, parents, _heirs(shared, ended))


def match_grids(first: Plan, plan: Plan, *, standing: Collection[str] | None = None) -> pd.Series:
    """Find the grid that each grid of a plan is the same as: by largest shared households.

    One-to-one, with the largest sum of shared households over all grids (an assignment problem,
    solved exactly for each set of grids that hang together by shared blocks); between equal sums
    the one that shares more ground, then the one with the same ids. Grids that share no block are
    never the same.

    Parameters
    ----------
    standing
        See `publish`.

    Returns
    -------
    Series
        `grid_id` of `first` by `grid_id` of the plan, one a living grid, missing for new ones.
    """
    shared = share_table(first, plan)
    if standing is not None:
        shared = shared[shared["from_grid"].isin(set(standing))]
    return _match(shared, plan)


def share_table(first: Plan, plan: Plan) -> pd.DataFrame:
    """Count what each grid of a plan has from each grid of the first one.

    Returns
    -------
    DataFrame
        `grid` (id in the plan), `from_grid` (id in `first`), `blocks`, `households`,
        `population`, `area_m2`, and `share`: of the households of `from_grid`, missing where it has
        none. A block that was cut counts with the part that lies in the grid. Sums over `from_grid`
        are those of the first plan.
    """
    old = first.label[plan.blocks.origin]
    key = plan.label * np.int64(len(first.grids)) + old
    pair, at = np.unique(key, return_inverse=True)
    area = plan.ground.measures[0]
    one, two = pair // len(first.grids), pair % len(first.grids)
    households = np.bincount(at, plan.blocks.households).astype(np.int64)
    total = np.bincount(old, plan.blocks.households, minlength=len(first.grids))[two]
    share = np.divide(households, total, out=np.full(len(pair), np.nan), where=total > 0)
    return pd.DataFrame(
        {
            "grid": pd.array([plan.grids[row].grid_id for row in one.tolist()], dtype="str"),
            "from_grid": pd.array([first.grids[row].grid_id for row in two.tolist()], dtype="str"),
            "blocks": np.bincount(at).astype(np.int64),
            "households": households,
            "population": np.bincount(at, plan.blocks.people).astype(np.int64),
            "area_m2": np.bincount(at, area),
            "share": share,
        }
    )


def _match(shared: pd.DataFrame, plan: Plan) -> pd.Series:
    names = list(plan.grid_rows)
    found = pd.Series(np.nan, index=pd.Index(names, name="grid_id"), dtype="str", name="from_grid")
    if shared.empty:
        return found
    one, new = pd.factorize(shared["grid"], sort=True)
    two, old = pd.factorize(shared["from_grid"], sort=True)
    size = len(new) + len(old)
    links = scipy.sparse.coo_array((np.ones(len(shared)), (one, two + len(new))), (size, size))
    _, part = scipy.sparse.csgraph.connected_components(links, directed=False)
    same = shared["grid"].to_numpy() == shared["from_grid"].to_numpy()
    households = shared["households"].to_numpy(dtype=np.float64)
    area = shared["area_m2"].to_numpy(dtype=np.float64)
    for rows in pd.Series(range(len(shared))).groupby(part[one]).indices.values():
        left, left_at = np.unique(one[rows], return_inverse=True)
        right, right_at = np.unique(two[rows], return_inverse=True)
        # Households are whole numbers: all ground together counts less than one of them, and all
        # ids together less than any ground that a person would see.
        ground = area[rows] / (2 * max(area[rows].sum(), 1.0))
        weight = np.zeros((len(left), len(right)))
        weight[left_at, right_at] = households[rows] + ground + same[rows] * 1e-7 / len(rows)
        for i, j in zip(*scipy.optimize.linear_sum_assignment(weight, maximize=True), strict=True):
            if weight[i, j] > 0:
                found.loc[new[left[i]]] = old[right[j]]
    return found


def _names(first: Plan, plan: Plan, before: pd.Series) -> pd.Series:
    """What each grid is called: as the draft says, else as before; missing where nobody said."""
    earlier = {row.grid_id: row.name for row in first.grids}
    found = []
    for grid, old in before.items():
        row = plan.grids[plan.grid_rows[str(grid)]]
        said: str | None = row.name
        if row.name in (row.grid_id, earlier.get(row.grid_id)) and old != row.grid_id:
            # The name came with the id, not from the planner; it goes where the grid went.
            said = None if pd.isna(old) else earlier[str(old)]
        found.append(None if said in (row.grid_id, old) else said)
    return pd.Series(found, index=before.index, dtype="str")


def _find_untouched(first: Plan, plan: Plan, before: pd.Series, names: pd.Series) -> Bools:
    """Which grids have the blocks, the border, the name and the kind that they had."""
    redrawn = _changed_blocks(first, plan)
    old = first.label[plan.blocks.origin]
    earlier = {row.grid_id: row for row in first.grids}
    same = np.zeros(len(before), dtype=bool)
    members = pd.Series(range(len(plan.blocks))).groupby(plan.label).indices
    sizes = np.bincount(old, minlength=len(first.grids))
    for at, (grid, was) in enumerate(before.items()):
        if pd.isna(was):
            continue
        row, old_row = plan.grid_rows[str(grid)], first.grid_rows[str(was)]
        blocks = members[row]
        told = None if earlier[str(was)].name == was else earlier[str(was)].name
        name = None if pd.isna(names.iloc[at]) else names.iloc[at]
        if (
            (old[blocks] != old_row).any()
            or len(blocks) != sizes[old_row]
            or told != name
            or plan.grids[row].kind != earlier[str(was)].kind
        ):
            continue
        if redrawn[blocks].any():
            now, then = plan.outline(row), first.outline(old_row)
            if not shapely.equals_exact(now, then, tolerance=0.0, normalize=True):
                continue
        same[at] = True
    return same


def _changed_blocks(first: Plan, plan: Plan) -> Bools:
    """Blocks that another shape than in the first plan, or were cut."""
    found = np.zeros(len(plan.blocks), dtype=bool)
    found[len(first.blocks) :] = True
    one, two = first.ground, plan.ground
    if one is two:
        return found
    count = len(one.xy)
    moved = np.flatnonzero((two.xy[:count] != one.xy).any(axis=1))
    if len(moved):
        found[two.rings.blocks_at(moved.tolist())] = True
    pairs = zip(one.rings.rings, two.rings.rings, strict=False)
    for number, (before, after) in enumerate(pairs):
        if before is not after and not np.array_equal(before, after):
            found[two.rings.block[number]] = True
    found[two.rings.block[len(one.rings.rings) :]] = True
    return found


def _new_codes(first: Plan, plan: Plan, before: pd.Series, taken: set[str]) -> list[str]:
    """Codes of the grids that live on from none, in the order of `before`."""
    new = list(before.index[before.isna()])
    if not new:
        return []
    table = plan.table()
    homes = table.loc[new, "community_code"]
    frame = gpd.GeoDataFrame(
        {"community_code": homes},
        geometry=[plan.outline(plan.grid_rows[name]) for name in new],
        crs=plan.crs,
    )
    # Only the order is taken from these numbers.
    order = number_grids(frame, digits=6).sort_values(kind="stable")
    by_home: dict[str, list[str]] = {}
    for name in order.index:
        by_home.setdefault(str(homes[name]), []).append(str(name))
    like: dict[str, list[str]] = {}
    for row in first.grids:
        if row.grid_id in taken:
            like.setdefault(first.communities[row.community], []).append(row.grid_id)
    found: dict[str, str] = {}
    used = set(taken)
    for home in sorted(by_home):
        for name, code in zip(
            by_home[home],
            next_codes(home, len(by_home[home]), like=like.get(home, ()), taken=used),
            strict=True,
        ):
            found[name] = code
            used.add(code)
    return [found[str(name)] for name in new]


def next_codes(
    community: str, count: int, *, like: Collection[str], taken: Collection[str]
) -> list[str]:
    """Give the next codes of a community, in order.

    They are written as most of its grids are (`like`): the community's code or another beginning,
    then a number of as many digits; else the community's code and three digits. They go on from the
    highest number that such a code ever had (`taken`); once its digits are full, from the lowest
    number that no grid ever had.

    Raises
    ------
    CodeError
        If no number is left.
    """
    head, width = _pattern(community, like)
    used = {
        int(code[len(head) :])
        for code in taken
        if code.startswith(head) and re.fullmatch("[0-9]+", code[len(head) :])
    }
    last = max(used, default=0)
    numbers = list(range(last + 1, min(last + count + 1, 10**width)))
    if len(numbers) < count:
        numbers += [n for n in range(1, 10**width) if n not in used][: count - len(numbers)]
    if len(numbers) < count:
        raise CodeError(
            f"community {community} has no number left for {count} new grids: {width} digits count"
            f" to {10**width - 1}, and no code is given twice"
        )
    return [f"{head}{number:0{width}d}" for number in numbers]


def _pattern(community: str, like: Collection[str]) -> tuple[str, int]:
    """How the codes of a community are written: what they begin with, and the number's digits."""
    seen: Counter[tuple[str, int]] = Counter()
    for code in like:
        rest = code[len(community) :]
        if code.startswith(community) and re.fullmatch("[0-9]+", rest):
            seen[community, len(rest)] += 1
        elif not code.isdecimal() and (match := _NUMBERED.fullmatch(code)):
            seen[match[1], len(match[2])] += 1
    if not seen:
        return community, DIGITS
    return min(seen, key=lambda pattern: (-seen[pattern], pattern))


def _parents(shared: pd.DataFrame, changed: set[str], alive: set[str]) -> pd.DataFrame:
    """Where the grids that are written come from; `alive` are the codes that live on."""
    rows = shared[shared["grid"].isin(changed)]
    sources = rows.groupby("code")["from_grid"].transform("nunique")
    lives = rows["from_grid"].isin(alive)
    is_old = rows["code"].isin(alive)
    whole = rows["code"].map(rows.groupby("code")["blocks"].sum())
    first_blocks = rows["from_grid"].map(shared.groupby("from_grid")["blocks"].sum())
    own = rows["code"] == rows["from_grid"]
    unchanged = own & (rows["blocks"] == whole) & (rows["blocks"] == first_blocks)
    change = np.select(
        [unchanged, is_old & lives, is_old, lives & (sources == 1)],
        ["kept", "changed", "merged_from", "split_from"],
        "made_from",
    )
    found = pd.DataFrame(
        {
            "grid_id": rows["code"].astype("str"),
            "from_grid_id": rows["from_grid"].astype("str"),
            "change": pd.array(change, dtype="str"),
            "households": rows["households"],
            "share": rows["share"],
        }
    )
    return found.sort_values(["grid_id", "from_grid_id"], ignore_index=True)


def _heirs(shared: pd.DataFrame, ended: Collection[str]) -> dict[str, str]:
    """The code that got most of each ended grid: households, then ground, then the lower code."""
    rows = shared[shared["from_grid"].isin(set(ended))]
    rows = rows.sort_values(["households", "area_m2", "code"], ascending=[False, False, True])
    first = rows.drop_duplicates("from_grid")
    return dict(sorted(zip(first["from_grid"].astype(str), first["code"].astype(str), strict=True)))
