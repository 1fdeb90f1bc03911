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

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.optimize
import scipy.sparse
import shapely

from geo._plan_rings import Bools, Ints
from geo._publish_codes import DIGITS as DIGITS
from geo._publish_codes import CodesFullError as CodesFullError
from geo._publish_codes import next_codes as next_codes
from geo._publish_duties import DutyMoves as DutyMoves
from geo._publish_duties import move_duties as move_duties
from geo.hierarchy import number_grids
from geo.plan import Plan


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


@dataclass(frozen=True, eq=False)
class _Before:
    """The grids in force on the blocks of the first plan."""

    ids: tuple[str, ...]
    label: Ints
    """Row in `ids` for each block of the first plan, -1 where no grid has it."""
    names: Mapping[str, str]
    """Of the grids that have one."""
    kinds: Mapping[str, str]

    def homes(self, first: Plan) -> dict[str, str]:
        """The community of each grid, by its blocks."""
        held = np.flatnonzero(self.label >= 0)
        rows, at = np.unique(self.label[held], return_index=True)
        home = first.ground.community[held[at]]
        return {
            self.ids[row]: first.communities[place]
            for row, place in zip(rows.tolist(), home.tolist(), strict=True)
        }


def publish(
    first: Plan,
    plan: Plan,
    *,
    taken: Collection[str],
    present: pd.Series | None = None,
    grids: pd.DataFrame | None = None,
    redrawn: Collection[str] = (),
) -> Publication:
    """Work out what a plan becomes.

    Parameters
    ----------
    first
        The plan that the draft began from.
    plan
        The draft, made from `first` by edits.
    taken
        Every code that a grid ever had; none of them is given to a new grid.
    present
        The grid in force of each block of `first`, by `block_id`, missing where there is none;
        without it the grids of `first` are those in force.
    grids
        `name` and `kind` of the grids in force by `grid_id`; without it those of `first`.
    redrawn
        Codes whose rows are written anew even if nobody changed them, for example because their
        stored border does not follow the blocks.

    Raises
    ------
    CodesFullError
        If a community has no number left.
    """
    before = _read_before(first, present, grids)
    shared = _share(first, plan, before)
    origin = _match(shared, plan)
    table = plan.table()
    codes = origin.copy()
    codes.loc[origin.isna()] = _new_codes(first, before, plan, origin, {*taken, *before.ids})
    codes = codes.rename("code")
    names = _names(first, before, plan, origin)
    is_same = _find_untouched(first, before, plan, origin, names)
    is_same &= ~origin.isin(set(redrawn)).to_numpy()
    alive = set(origin.dropna())
    ended = tuple(sorted(set(before.ids) - alive))
    changed = list(codes.index[~is_same])
    rows = table.loc[changed, ["kind", "community_code", "households", "population"]]
    found = gpd.GeoDataFrame(
        rows.assign(plan_grid=changed, name=names.loc[changed].to_numpy()).set_axis(
            pd.Index(codes.loc[changed].to_numpy(), name="grid_id", dtype="str")
        ),
        geometry=[plan.outline(plan.grid_rows[name]) for name in changed],
        crs=plan.crs,
    )
    shared = shared.assign(code=codes.reindex(shared["grid"]).to_numpy())
    parents = name_parents(shared, set(changed), alive)
    return Publication(
        codes=codes,
        grids=found,
        kept=tuple(sorted(codes[is_same])),
        ended=ended,
        parents=parents,
        heirs=find_heirs(parents, ended),
    )


def match_grids(first: Plan, plan: Plan, *, present: pd.Series | None = None) -> pd.Series:
    """Find the grid that each grid of a plan is the same as: by largest shared households.

    One-to-one, with the largest sum of shared households over all grids (an assignment problem,
    solved exactly for each set of grids that hang together by shared blocks); between equal sums
    the one that shares more ground, then the one with the same ids. Grids that share no block are
    never the same.

    Parameters
    ----------
    first, plan, present
        See `publish`.

    Returns
    -------
    Series
        `grid_id` in force by `grid_id` of the plan, one a living grid, missing for new ones.
    """
    return _match(_share(first, plan, _read_before(first, present, None)), plan)


def share_table(first: Plan, plan: Plan, *, present: pd.Series | None = None) -> pd.DataFrame:
    """Count what each grid of a plan has from each grid in force.

    Returns
    -------
    DataFrame
        `grid` (id in the plan), `from_grid` (in force), `blocks`, `households`, `population`,
        `area_m2`, and `share`: of the households of `from_grid`, missing where it has none. A block
        that was cut counts with the part that lies in the grid. Sums over `from_grid` are those
        before the plan.
    """
    return _share(first, plan, _read_before(first, present, None))


def _read_before(first: Plan, present: pd.Series | None, grids: pd.DataFrame | None) -> _Before:
    label, ids = (
        pd.factorize(first.assignment.to_numpy(), sort=True)
        if present is None
        else pd.factorize(present.reindex(first.blocks.ids), sort=True)
    )
    if grids is None:
        names = {row.grid_id: row.name for row in first.grids}
        kinds = {row.grid_id: row.kind for row in first.grids}
    else:
        names = {str(k): str(v) for k, v in grids["name"].dropna().items()}
        kinds = {str(k): str(v) for k, v in grids["kind"].items()}
    names = {grid: name for grid, name in names.items() if name != grid}
    return _Before(tuple(map(str, ids)), label.astype(np.int64), names, kinds)


def _share(first: Plan, plan: Plan, before: _Before) -> pd.DataFrame:
    old = before.label[plan.blocks.origin]
    held = np.flatnonzero(old >= 0)
    count = max(len(before.ids), 1)
    pair, at = np.unique(plan.label[held] * np.int64(count) + old[held], return_inverse=True)
    area = plan.ground.measures[0][held]
    one, two = pair // count, pair % count
    homes, people = plan.blocks.households[held], plan.blocks.people[held]
    households = np.bincount(at, homes, minlength=len(pair)).astype(np.int64)
    total = np.bincount(old[held], homes, minlength=count)[two]
    share = np.divide(households, total, out=np.full(len(pair), np.nan), where=total > 0)
    return pd.DataFrame(
        {
            "grid": pd.array([plan.grids[row].grid_id for row in one.tolist()], dtype="str"),
            "from_grid": pd.array([before.ids[row] for row in two.tolist()], dtype="str"),
            "blocks": np.bincount(at, minlength=len(pair)).astype(np.int64),
            "households": households,
            "population": np.bincount(at, people, minlength=len(pair)).astype(np.int64),
            "area_m2": np.bincount(at, area, minlength=len(pair)),
            "share": share,
        }
    )


def _match(shared: pd.DataFrame, plan: Plan) -> pd.Series:
    found: dict[str, str] = {}
    one, new = pd.factorize(shared["grid"], sort=True)
    two, old = pd.factorize(shared["from_grid"], sort=True)
    size = len(new) + len(old)
    links = scipy.sparse.coo_array((np.ones(len(shared)), (one, two + len(new))), (size, size))
    _, part = scipy.sparse.csgraph.connected_components(links, directed=False)
    same = shared["grid"].to_numpy() == shared["from_grid"].to_numpy()
    households = shared["households"].to_numpy(dtype=np.float64)
    area = shared["area_m2"].to_numpy(dtype=np.float64)
    groups = pd.Series(range(len(shared))).groupby(part[one]).indices if len(shared) else {}
    for rows in groups.values():
        if len(rows) == 1:
            found[new[one[rows[0]]]] = old[two[rows[0]]]
            continue
        left, left_at = np.unique(one[rows], return_inverse=True)
        right, right_at = np.unique(two[rows], return_inverse=True)
        # Households are whole numbers: all ground together counts less than one of them, and all
        # ids together less than any ground that a person would see.
        ground = area[rows] / (2 * max(area[rows].sum(), 1.0))
        weight = np.zeros((len(left), len(right)))
        weight[left_at, right_at] = households[rows] + ground + same[rows] * 1e-7 / len(rows)
        for i, j in zip(*scipy.optimize.linear_sum_assignment(weight, maximize=True), strict=True):
            if weight[i, j] > 0:
                found[new[left[i]]] = old[right[j]]
    names = list(plan.grid_rows)
    pairs = [found.get(name) for name in names]
    return pd.Series(pairs, pd.Index(names, name="grid_id"), dtype="str", name="from_grid")


def _names(first: Plan, before: _Before, plan: Plan, origin: pd.Series) -> pd.Series:
    """What each grid is called: as the draft says, else as before; missing where nobody said."""
    begun = {row.grid_id: row.name for row in first.grids}
    found = []
    for grid, old in origin.items():
        row = plan.grids[plan.grid_rows[str(grid)]]
        said: str | None = row.name
        if row.name in (row.grid_id, begun.get(row.grid_id)) and old != row.grid_id:
            # The name came with the id, not from the planner; it goes where the grid went.
            named = begun.get(row.grid_id, row.grid_id) != row.grid_id
            is_draft = row.grid_id not in before.ids and named
            said = row.name if is_draft else before.names.get(str(old))
        found.append(None if said in (row.grid_id, old) else said)
    return pd.Series(found, index=origin.index, dtype="str")


def _find_untouched(
    first: Plan, before: _Before, plan: Plan, origin: pd.Series, names: pd.Series
) -> Bools:
    """Which grids have the blocks, the border, the name and the kind that they had."""
    redrawn = _changed_blocks(first, plan)
    old = before.label[plan.blocks.origin]
    rows = {grid: row for row, grid in enumerate(before.ids)}
    members = pd.Series(range(len(plan.blocks))).groupby(plan.label).indices
    sizes = np.bincount(old[old >= 0], minlength=len(before.ids))
    same = np.zeros(len(origin), dtype=bool)
    for at, (grid, was) in enumerate(origin.items()):
        if pd.isna(was):
            continue
        row, old_row = plan.grid_rows[str(grid)], rows[str(was)]
        blocks = members[row]
        name = None if pd.isna(names.iloc[at]) else names.iloc[at]
        if (
            (old[blocks] != old_row).any()
            or len(blocks) != sizes[old_row]
            or before.names.get(str(was)) != name
            or before.kinds.get(str(was), plan.grids[row].kind) != plan.grids[row].kind
        ):
            continue
        if redrawn[blocks].any():
            held = np.flatnonzero(before.label == old_row)
            then = shapely.coverage_union_all(first.ground.polygons(held))
            now = plan.outline(row)
            if not shapely.equals_exact(now, then, tolerance=0.0, normalize=True):
                continue
        same[at] = True
    return same


def _changed_blocks(first: Plan, plan: Plan) -> Bools:
    """Blocks with another shape than in the first plan, and parts of those that were cut."""
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
    for number, (ring, now) in enumerate(pairs):
        if ring is not now and not np.array_equal(ring, now):
            found[two.rings.block[number]] = True
    found[two.rings.block[len(one.rings.rings) :]] = True
    return found


def _new_codes(
    first: Plan, before: _Before, plan: Plan, origin: pd.Series, taken: set[str]
) -> list[str]:
    """Codes of the grids that live on from none, in the order of `origin`."""
    new = list(origin.index[origin.isna()])
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
    for grid, old in before.homes(first).items():
        like.setdefault(old, []).append(grid)
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


def name_parents(shared: pd.DataFrame, changed: set[str], alive: set[str]) -> pd.DataFrame:
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


def find_heirs(parents: pd.DataFrame, ended: Collection[str]) -> dict[str, str]:
    """For each ended grid the one that got most of its households, else the lower code.

    `parents` has `grid_id`, `from_grid_id` and `households`, as `Publication.parents` has.
    """
    rows = parents[parents["from_grid_id"].isin(set(ended))]
    rows = rows.sort_values(["households", "grid_id"], ascending=[False, True])
    first = rows.drop_duplicates("from_grid_id")
    pairs = zip(first["from_grid_id"].astype(str), first["grid_id"].astype(str), strict=True)
    return dict(sorted(pairs))
