"""A plan is a value: which block is in which grid, and where the shared borders run.

Every edit (`geo.redraw`) gives a new plan and leaves the old one as it was. In every plan each
block is in exactly one grid, each grid in one piece and inside one community, and the blocks cover
the same ground without gap or overlap, because they share their vertices (`geo._plan_rings`). A
plan knows the change that made it; changes carry what was there before, so undo has no end but the
first plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from geo._plan_ground import Ground
from geo._plan_history import Blocks, Change, Past, Swap
from geo._plan_kernel import CUTS, DONE, LAST_BLOCK, NOT_BESIDE, OTHER_COMMUNITY, SAME, move_block
from geo._plan_rings import Floats, Ints, read_rings
from geo.datum import require_metres
from geo.errors import ColumnError, InputError, RuleError

REASONS = (
    "bad_area", "bad_places", "bare_border", "changes_nothing", "covered", "cut_off", "empty_area",
    "falls_apart", "fixed_border", "folds", "has_them_already", "holds_borders", "in_pieces",
    "left_empty", "line_crosses_itself", "line_misses", "line_misses_block", "locked",
    "long_name", "many_parts", "no_block", "no_border", "no_edge", "no_grid", "no_line", "no_name",
    "no_vertex", "no_whole_block", "not_among", "nothing_chosen", "nothing_to_redo",
    "not_yours", "nothing_to_undo", "one_grid_alone", "other_community", "over_community",
    "tiny_part",
    "two_communities", "two_corners", "unlock_all", "vanishes",
)  # fmt: skip
"""Codes of `RedrawError`: why an edit is refused."""


class RedrawError(RuleError):
    """An edit would break a rule; nothing was changed.

    `place` is where, in the CRS of the plan; `offer` has the blocks that would have to go along for
    the edit to hold, empty if nothing so small would help. `code` and `parts` say the reason in a
    form that a screen can put into its own words; `REASONS` lists the codes.
    """

    def __init__(
        self,
        text: str,
        place: shapely.Geometry | None = None,
        offer: Iterable[str] = (),
        *,
        code: str = "refused",
        **parts: str | float,
    ) -> None:
        super().__init__(text)
        self.place = place
        self.offer = tuple(offer)
        self.code = code
        self.parts = parts


@dataclass(frozen=True)
class GridRow:
    """What is known of a grid beside its blocks."""

    grid_id: str
    name: str
    kind: str
    community: int
    """Number in `Plan.communities`."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Blocks, grids and borders at one moment of drafting. Made by `read_plan` and `geo.redraw`."""

    crs: pyproj.CRS
    communities: tuple[str, ...]
    blocks: Blocks
    ground: Ground = field(repr=False)
    label: Ints = field(repr=False)
    """Row of the grid of each block."""
    grids: tuple[GridRow, ...] = field(repr=False)
    """Grids ever made in this plan; one without blocks is no more."""
    locked: frozenset[str] = frozenset()
    """Ids of grids that no edit may touch."""
    locked_edges: frozenset[tuple[int, int]] = frozenset()
    """Edges (two vertices, the smaller first) that stay a border where they are."""
    past: Past | None = field(default=None, repr=False)
    undone: Past | None = field(default=None, repr=False)

    # --- reading -------------------------------------------------------------------------------

    @cached_property
    def assignment(self) -> pd.Series:
        """`grid_id` by `block_id`."""
        names = np.array([row.grid_id for row in self.grids], dtype=object)
        return pd.Series(
            names[self.label], index=pd.Index(self.blocks.ids, name="block_id"), name="grid_id"
        )

    @cached_property
    def living(self) -> Ints:
        """Rows of the grids that have blocks, in order."""
        return np.unique(self.label)

    @cached_property
    def grid_rows(self) -> dict[str, int]:
        """Row of each living grid by its id."""
        return {self.grids[row].grid_id: row for row in self.living.tolist()}

    @property
    def block_rows(self) -> Mapping[str, int]:
        """Row of each block by its id."""
        return self.blocks.rows

    def members(self, grid: int) -> Ints:
        """Rows of the blocks of a grid."""
        return np.flatnonzero(self.label == grid)

    def outline(self, grid: int) -> shapely.Geometry:
        """The shape of a grid; it keeps the vertices that it shares with its neighbours."""
        return shapely.coverage_union_all(self.ground.polygons(self.members(grid)))

    @cached_property
    def _measures(self) -> tuple[Floats, Floats]:
        """Tables of `geo._plan_kernel`: blocks, and grids in all their rows."""
        area, perimeter = self.ground.measures
        block = np.column_stack(
            [self.blocks.households, self.blocks.people, area, perimeter]
        ).astype(np.float64)
        grid = np.zeros((len(self.grids), 5))
        for column in range(4):
            grid[:, column] = np.bincount(self.label, block[:, column], minlength=len(self.grids))
        pairs = self.ground.pairs
        start, other, shared = pairs.start, pairs.other, pairs.shared_m
        one = np.repeat(np.arange(len(self.blocks)), np.diff(start))
        inner = self.label[one] == self.label[other]
        grid[:, 3] -= np.bincount(self.label[one[inner]], shared[inner], minlength=len(self.grids))
        grid[:, 4] = np.bincount(self.label, minlength=len(self.grids))
        return block, grid

    def table(self) -> pd.DataFrame:
        """The living grids by `grid_id`.

        Columns: `name`, `kind`, `community_code`, `blocks`, `households`, `population`, `area_m2`,
        `perimeter_m`, `compactness` (4πA/P², Polsby and Popper 1991: 1 for a circle).
        """
        rows = self.living
        _, grid = self._measures
        found = [self.grids[row] for row in rows.tolist()]
        area, perimeter = grid[rows, 2], grid[rows, 3]
        return pd.DataFrame(
            {
                "name": pd.array([row.name for row in found], dtype="str"),
                "kind": pd.array([row.kind for row in found], dtype="str"),
                "community_code": pd.array(
                    [self.communities[row.community] for row in found], dtype="str"
                ),
                "blocks": grid[rows, 4].astype(np.int64),
                "households": grid[rows, 0].astype(np.int64),
                "population": grid[rows, 1].astype(np.int64),
                "area_m2": area,
                "perimeter_m": perimeter,
                "compactness": 4 * np.pi * area / perimeter**2,
            },
            index=pd.Index([row.grid_id for row in found], name="grid_id"),
        )

    def to_frame(self) -> gpd.GeoDataFrame:
        """`table` with the outlines, in the plan's CRS."""
        return gpd.GeoDataFrame(
            self.table(),
            geometry=[self.outline(row) for row in self.living.tolist()],
            crs=self.crs,
        )

    def blocks_frame(self) -> gpd.GeoDataFrame:
        """The blocks with their grid, people and shape, by `block_id`, in the plan's CRS."""
        blocks = self.blocks
        return gpd.GeoDataFrame(
            {
                "grid_id": self.assignment.to_numpy(),
                "community_code": np.array(self.communities, dtype=object)[self.ground.community],
                "households": blocks.households,
                "population": blocks.people,
            },
            geometry=self.ground.polygons(range(len(blocks))),
            index=pd.Index(blocks.ids, name="block_id"),
            crs=self.crs,
        )

    # --- history -------------------------------------------------------------------------------

    def changed(self, edit: Mapping[str, Any], *swaps: Swap) -> Plan:
        """This plan after some swaps, with the edit as its newest change."""
        after, back = self.swapped(*swaps)
        return replace(after, past=Past(Change(edit, back), self.past), undone=None)

    def swapped(self, *swaps: Swap) -> tuple[Plan, tuple[Swap, ...]]:
        """This plan after some swaps, with no word in its history, and the swaps that lead back."""
        after, back = self, []
        for swap in swaps:
            parts, before = swap.apply(after)
            after = replace(after, **parts)
            back.append(before)
        return after, tuple(reversed(back))

    def undo(self) -> Plan:
        """The plan before the newest change; it can be redone.

        Raises
        ------
        RedrawError
            If nothing was changed yet.
        """
        if self.past is None:
            raise RedrawError(
                "there is nothing to undo: this is the first plan", code="nothing_to_undo"
            )
        change = self.past.change
        before, forth = self.swapped(*change.back)
        undone = Past(Change(change.edit, forth), self.undone)
        return replace(before, past=self.past.older, undone=undone)

    def redo(self) -> Plan:
        """The plan before the newest undo.

        Raises
        ------
        RedrawError
            If nothing was undone, or something was changed since.
        """
        if self.undone is None:
            raise RedrawError(
                "there is nothing to redo: nothing was undone since the last edit",
                code="nothing_to_redo",
            )
        change = self.undone.change
        after, back = self.swapped(*change.back)
        past = Past(Change(change.edit, back), self.past)
        return replace(after, past=past, undone=self.undone.older)

    @property
    def script(self) -> list[Mapping[str, Any]]:
        """The edits from the first plan to this one, oldest first; see `geo.redraw.replay`."""
        found, past = [], self.past
        while past is not None:
            found.append(past.change.edit)
            past = past.older
        return found[::-1]

    def brush(self) -> Brush:
        """Paint block by block, with totals after each; `Brush.commit` gives the new plan."""
        return Brush(self)


class Brush:
    """One stroke over a plan: blocks change their grid one by one, each move checked and counted.

    The plan itself is unchanged until `commit`. Not safe to share between threads.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        block, grid = plan._measures
        pairs = plan.ground.pairs
        self._home = np.array([row.community for row in plan.grids], dtype=np.int64)
        self._locked = np.array([row.grid_id in plan.locked for row in plan.grids])
        self.label = plan.label.copy()
        self.totals = grid.copy()
        """By grid row: households, people, area (m2), perimeter (m), blocks."""
        self._seen = np.zeros(len(block) + 1, dtype=np.int64)
        self._fixed = (pairs.start, pairs.other, pairs.shared_m, block, self._home)

    def move(self, block: int, grid: int, *, keep_whole: bool = True) -> int:
        """Move a block (row) into a grid (row); 0 if done, else why not (`geo._plan_kernel`).

        `keep_whole` refuses what would leave a grid in two pieces.
        """
        return int(
            move_block(*self._fixed, self.label, self.totals, self._seen, block, grid, keep_whole)
        )

    def compactness(self, grid: int) -> float:
        """4πA/P² of a grid now."""
        area, perimeter = self.totals[grid, 2], self.totals[grid, 3]
        return float(4 * np.pi * area / perimeter**2)

    def commit(self) -> Plan:
        """The plan with all moves as one change."""
        moved = np.flatnonzero(self.label != self.plan.label)
        if not len(moved):
            return self.plan
        touched = np.union1d(self.label[moved], self.plan.label[moved])
        if self._locked[touched].any():
            name = self.plan.grids[int(touched[self._locked[touched]][0])].grid_id
            raise RedrawError(
                f"grid {name} is locked: unlock it first, or paint elsewhere",
                code="locked",
                grid=name,
            )
        to = self.label[moved]
        edit = {
            "do": "assign",
            "blocks": {
                self.plan.blocks.ids[row]: self.plan.grids[grid].grid_id
                for row, grid in zip(moved.tolist(), to.tolist(), strict=True)
            },
        }
        return self.plan.changed(edit, Swap(blocks=moved, label=to))


WHY = {
    SAME: "is in that grid already",
    OTHER_COMMUNITY: "lies in another community, and a grid never crosses that border",
    LAST_BLOCK: "is the last block of its grid: merge the two grids instead",
    NOT_BESIDE: "does not touch that grid along a border",
    CUTS: "holds its grid together: without it the grid falls into pieces",
}
"""Why `Brush.move` refuses, by its answer (which is `DONE`, 0, if it does not)."""
assert DONE not in WHY


def read_plan(blocks: gpd.GeoDataFrame, grids: pd.DataFrame | None = None) -> Plan:
    """Make the first plan.

    Parameters
    ----------
    blocks
        Polygons in metres that cover their ground, indexed by `block_id`, with `grid_id`,
        `community_code`, `households` and, where known, `population`.
    grids
        `name` and `kind` by `grid_id`, where known.

    Raises
    ------
    ColumnError, InputError, CrsError
        If a column is missing, an id stands twice, or a household count is missing or negative.
    CoverError, RedrawError
        If blocks overlap, or a grid lies in two communities or in several pieces.
    """
    require_metres(blocks=blocks)
    missing = {"grid_id", "community_code", "households"} - set(blocks.columns)
    if missing:
        raise ColumnError(f"blocks lack {', '.join(sorted(missing))}: they have {list(blocks)}")
    if not len(blocks):
        raise InputError("there are no blocks: import them first")
    if blocks.index.has_duplicates:
        twice = blocks.index[blocks.index.duplicated()][0]
        raise InputError(f"block {twice} stands twice: give each its own id")
    counts = pd.to_numeric(blocks["households"], errors="coerce").to_numpy(dtype=np.float64)
    if not (counts >= 0).all():
        bad = blocks.index[~(counts >= 0)][0]
        raise InputError(
            f"block {bad} has no usable household count: fill it in, 0 if nobody lives there"
        )
    for column in ("grid_id", "community_code"):
        if blocks[column].isna().any():
            bad = blocks.index[blocks[column].isna()][0]
            raise InputError(f"block {bad} has no {column}: every block belongs to one")
    rings, xy = read_rings(blocks.geometry.to_numpy())
    community, communities = pd.factorize(blocks["community_code"].astype(str), sort=True)
    label, names = pd.factorize(blocks["grid_id"].astype(str), sort=True)
    people = blocks["population"] if "population" in blocks else pd.Series(0, index=blocks.index)
    home = pd.Series(community).groupby(label).agg(["min", "max"])
    if (home["min"] != home["max"]).any():
        row = int(home.index[home["min"] != home["max"]][0])
        raise RedrawError(
            f"grid {names[row]} lies in two communities: divide it along their border",
            code="two_communities",
            grid=str(names[row]),
        )
    known = pd.DataFrame(index=pd.Index(names)) if grids is None else grids.reindex(names)
    ids = [str(name) for name in names]

    def told(column: str, default: list[str]) -> list[str]:
        if column not in known:
            return default
        pairs = zip(known[column], default, strict=True)
        return [str(value) if pd.notna(value) else other for value, other in pairs]

    kinds = told("kind", ["base"] * len(ids))
    homes = [int(number) for number in home["min"]]
    rows = tuple(map(GridRow, ids, told("name", ids), kinds, homes))
    plan = Plan(
        pyproj.CRS(blocks.crs),
        tuple(map(str, communities)),
        Blocks(
            tuple(map(str, blocks.index)),
            counts.astype(np.int64),
            people.fillna(0).to_numpy(dtype=np.int64),
            np.arange(len(blocks)),
        ),
        Ground(rings, xy, community.astype(np.int64)),
        label.astype(np.int64),
        rows,
    )
    for grid in plan.living.tolist():
        if len(pieces_of(plan, plan.members(grid))) > 1:
            name = plan.grids[grid].grid_id
            raise RedrawError(
                f"grid {name} lies in several pieces: give the smaller ones to their neighbours",
                plan.outline(grid),
                code="in_pieces",
                grid=name,
            )
    return plan


def pieces_of(plan: Plan, members: Ints) -> list[Ints]:
    """Take a set of blocks apart into pieces that hang together along borders."""
    near_of = plan.ground.pairs.near
    left = set(members.tolist())
    found = []
    while left:
        first = left.pop()
        piece, stack = [first], [first]
        while stack:
            one = stack.pop()
            for near in near_of(one)[0].tolist():
                if near in left:
                    left.remove(near)
                    piece.append(near)
                    stack.append(near)
        found.append(np.array(sorted(piece), dtype=np.int64))
    return found
