"""What lies in each block of a plan, counted once, and again only where blocks changed shape.

Public names are handed on by `geo.impact`. Lengths are whole multiples of 1/1024 m and areas of
1/128 m2, which binary numbers add up without any rounding; so what one block loses another gains
to the last bit. What is counted again goes by the shapes alone and never by the edits that led
there: blocks that changed against the first plan are taken in groups that hang together, everything
that lay in the group before lies in it after, and what rounding leaves over goes to its largest
block.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from geo._impact_streets import Lines, cut_lines, lay_streets
from geo._plan_rings import Floats, Ints
from geo._reach_area import AreaLines, count_dots, find_runs, lay_area_lines, set_runs
from geo.datum import require_metres
from geo.errors import CoverError, CrsError
from geo.locate import GridIndex
from geo.plan import Plan
from geo.plan_merge import find_reshaped

COLUMNS = (
    "households", "population", "area_m2", "street_m", "patrol_m", "incidents", "assets", "dots",
    "seen",
)  # fmt: skip
"""What is counted of a block; `dots` of 10 m2 are its ground, `seen` those that a camera sees."""

COLUMN = {name: k for k, name in enumerate(COLUMNS)}
POINTS = ("incidents", "assets", "cases", "places")
PER_M2 = 128.0
KEPT = 512
"""Groups of changed blocks in memory; an hour of drafting makes a few hundred."""


@dataclass(frozen=True, eq=False)
class Things:
    """What lies in the city, in the CRS of the plan (metres); see `geo.io.plan_facts`."""

    roads: gpd.GeoDataFrame
    """Lines with `road_class`."""
    incidents: gpd.GeoSeries
    """Points of the incidents of the last twelve months, those cancelled left out."""
    assets: gpd.GeoDataFrame
    """Points by `asset_id` with `class_code` and `name`; cameras among them."""
    cases: gpd.GeoDataFrame
    """Points of open cases by `incident_id`, with what a list shows of them."""
    places: gpd.GeoDataFrame
    """Points by `place_id` with `kind` and `name`."""
    views: gpd.GeoSeries | None
    """Ground that cameras see; None where no camera tells what it sees."""
    compounds: pd.Series
    """Name of the compound by `block_id`, where the block is one or part of one."""


@dataclass(frozen=True, eq=False)
class Counts:
    """The counts of the blocks of one plan, and in which block each thing lies."""

    table: Floats
    """Blocks by `COLUMNS`."""
    block: Mapping[str, Ints]
    """Block of each point, by the names of `POINTS`; -1 outside of all."""


@dataclass(frozen=True, eq=False)
class _Group:
    """Blocks that changed shape and hang together, counted again."""

    rows: Ints
    table: Floats
    points: Mapping[str, tuple[Ints, Ints]]
    """Rows of points that lay in the group, and their blocks now."""


@dataclass(frozen=True, eq=False)
class _Ground:
    lines: AreaLines
    bits: np.ndarray


@dataclass(eq=False)
class BlockFacts:
    """The counts of a first plan, and those of any plan that edits made of it.

    Made by `count_facts`. Safe to use from one thread at a time.
    """

    first: Plan
    things: Things
    counts: Counts
    _streets: Mapping[str, Lines]
    _ground: _Ground
    _xy: Mapping[str, Floats]
    _lists: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)
    _groups: OrderedDict[bytes, _Group] = field(default_factory=OrderedDict)
    _last: tuple[Plan, Counts] | None = None
    start: tuple[Any, ...] | None = field(default=None, repr=False)
    """What `geo.impact.compare_plans` measured of the plan before."""

    @cached_property
    def compounds(self) -> tuple[Ints, tuple[tuple[str, str], ...]]:
        """Number of the compound of each block of the first plan, -1: none; code and name of each.

        A compound is the blocks of one name in one community.
        """
        first = self.first
        name = self.things.compounds.reindex(list(first.blocks.ids)).to_numpy(dtype=object)
        home = np.array(first.communities, dtype=object)[first.ground.community]
        keys = [
            None if pd.isna(one) else (str(code), str(one))
            for code, one in zip(home, name, strict=True)
        ]
        numbers: dict[tuple[str, str], int] = {}
        found = [-1 if key is None else numbers.setdefault(key, len(numbers)) for key in keys]
        return np.array(found, dtype=np.int64), tuple(numbers)

    def of(self, plan: Plan) -> Counts:
        """The counts of a plan that edits made of the first."""
        if plan.ground is self.first.ground and plan.blocks is self.first.blocks:
            return self.counts
        if self._last is not None:
            known, counts = self._last
            if known.ground is plan.ground and known.blocks is plan.blocks:
                return counts
        counts = self._count(plan)
        self._last = (plan, counts)
        return counts

    def _count(self, plan: Plan) -> Counts:
        more = len(plan.blocks) - len(self.first.blocks)
        table = np.vstack([self.counts.table, np.zeros((more, len(COLUMNS)))])
        table[:, 0], table[:, 1] = plan.blocks.households, plan.blocks.people
        block = dict(self.counts.block)
        for rows in _groups_of(plan, find_reshaped(self.first, plan)):
            group = self._group(plan, rows)
            table[rows, 2:] = group.table[:, 2:]
            for name, (points, owner) in group.points.items():
                if len(points):
                    if block[name] is self.counts.block[name]:
                        block[name] = block[name].copy()
                    block[name][points] = owner
        return Counts(table, block)

    def _group(self, plan: Plan, rows: Ints) -> _Group:
        shapes = plan.ground.polygons(rows)
        key = hashlib.blake2b(rows.tobytes(), digest_size=16)
        for text in shapely.to_wkb(shapes):
            key.update(text)
        known = self._groups.get(key.digest())
        if known is None:
            known = self._measure(plan, rows, shapes)
            self._groups[key.digest()] = known
            while len(self._groups) > KEPT:
                self._groups.popitem(last=False)
        return known

    def _measure(self, plan: Plan, rows: Ints, shapes: np.ndarray) -> _Group:
        """Count what lies in changed blocks; together they hold what they held in the first."""
        old = np.unique(plan.blocks.origin[rows])
        total = self.counts.table[old].sum(axis=0)
        table = np.zeros((len(rows), len(COLUMNS)))
        area = shapely.area(shapes)
        largest = int(np.argmax(area))
        table[:, COLUMN["area_m2"]] = np.rint(area * PER_M2) / PER_M2
        finder = Finder(shapes, plan.crs)
        points = {}
        for name in POINTS:
            mine = self._members(name, self.counts.block[name], old)
            found = finder.find(self._xy[name][mine], inside=True)
            points[name] = (mine, rows[found])
            if name in COLUMN:
                table[:, COLUMN[name]] = np.bincount(found, minlength=len(rows))
        for name, lines in self._streets.items():
            mine = self._members(name, lines.block, old)
            sums = cut_lines(lines, mine, shapes, finder.find, len(rows))
            table[:, COLUMN["street_m" if name == "middle" else "patrol_m"]] += sums
        runs = find_runs(shapes, *_frame(self._ground.lines))
        table[:, COLUMN["dots"]] = _sum_runs(runs, len(rows))
        table[:, COLUMN["seen"]] = count_dots(self._ground.bits, runs, len(rows))
        for name in ("area_m2", "dots", "seen"):
            # A new vertex on a border may lie a hair beside it.
            column = COLUMN[name]
            table[largest, column] += total[column] - table[:, column].sum()
        return _Group(rows, table, points)

    def _members(self, name: str, block: Ints, old: Ints) -> Ints:
        """Rows of what lay in some blocks of the first plan."""
        if name not in self._lists:
            order = np.argsort(block, kind="stable")
            start = np.searchsorted(block[order], np.arange(len(self.first.blocks) + 1))
            self._lists[name] = (start, order)
        start, order = self._lists[name]
        found = [order[start[row] : start[row + 1]] for row in old.tolist()]
        return np.sort(np.concatenate(found))


class Finder:
    """Finds the block of each point, by the rule of `geo.locate`.

    Where blocks overlap by a hair, as those of a plan may along a border whose vertices only one of
    two neighbours has, the first in order has what both cover.
    """

    def __init__(self, shapes: np.ndarray, crs: object) -> None:
        self._shapes = shapes
        self._tree: shapely.STRtree | None = None
        try:
            self._index: GridIndex | None = GridIndex(gpd.GeoDataFrame(geometry=shapes, crs=crs))
        except CoverError:
            self._index = None

    def find(self, xy: Floats, *, inside: bool = False) -> Ints:
        """Row of the block of each point, -1 outside; with `inside` the nearest one there."""
        if not len(xy):
            return np.empty(0, dtype=np.int64)
        if self._index is not None:
            found = self._index.assign(xy[:, 0], xy[:, 1]).astype(np.int64)
        else:
            found = np.full(len(xy), len(self._shapes), dtype=np.int64)
            row, block = self._look().query(shapely.points(xy), predicate="intersects")
            np.minimum.at(found, row, block)
            found[found == len(self._shapes)] = -1
        lost = np.flatnonzero(found < 0)
        if inside and len(lost):
            found[lost] = self._look().nearest(shapely.points(xy[lost]))
        return found

    def _look(self) -> shapely.STRtree:
        if self._tree is None:
            self._tree = shapely.STRtree(self._shapes)
        return self._tree


def count_facts(first: Plan, things: Things) -> BlockFacts:
    """Count what lies in each block of a plan from which drafts begin.

    Raises
    ------
    CrsError
        If a layer is not in metres or not in the CRS of the plan.
    ColumnError
        If roads have no `road_class`.
    """
    layers = {name: getattr(things, name) for name in ("roads", *POINTS)}
    require_metres(**layers)
    for name, layer in layers.items():
        if layer.crs != first.crs:
            raise CrsError(f"{name} are in {layer.crs}, the plan in {first.crs}: bring them there")
    n = len(first.blocks)
    shapes = first.ground.polygons(range(n))
    finder = Finder(shapes, first.crs)
    table = np.zeros((n, len(COLUMNS)))
    table[:, 0], table[:, 1] = first.blocks.households, first.blocks.people
    table[:, COLUMN["area_m2"]] = np.rint(shapely.area(shapes) * PER_M2) / PER_M2
    xy, block = {}, {}
    for name in POINTS:
        places = layers[name].geometry.to_numpy()
        xy[name] = np.column_stack([shapely.get_x(places), shapely.get_y(places)])
        there = np.isfinite(xy[name]).all(axis=1)
        block[name] = np.full(len(places), -1, dtype=np.int64)
        block[name][there] = finder.find(xy[name][there])
        if name in COLUMN:
            table[:, COLUMN[name]] = np.bincount(block[name][block[name] >= 0], minlength=n)
    streets = lay_streets(things.roads, shapes, finder.find)
    for name, lines in streets.items():
        column = COLUMN["street_m" if name == "middle" else "patrol_m"]
        table[:, column] += lines.sums(n)
    ground = lay_area_lines(shapes)
    bits = ground.blank()
    table[:, COLUMN["dots"]] = ground.dots
    if things.views is not None and len(bits):
        require_metres(views=things.views)
        seen = things.views.to_numpy()
        seen = seen[~(shapely.is_missing(seen) | shapely.is_empty(seen))]
        if len(seen):
            set_runs(bits, find_runs(seen, *_frame(ground)))
        table[:, COLUMN["seen"]] = count_dots(bits, ground.runs, n)
    return BlockFacts(first, things, Counts(table, block), streets, _Ground(ground, bits), xy)


def _groups_of(plan: Plan, rows: Ints) -> list[Ints]:
    """Changed blocks in groups that hang together; parts of one block are in one group."""
    if not len(rows):
        return []
    n = len(plan.blocks)
    is_in = np.zeros(n, dtype=bool)
    is_in[rows] = True
    pairs = plan.ground.pairs
    one = np.repeat(np.arange(n), np.diff(pairs.start))
    both = is_in[one] & is_in[pairs.other]
    tail = np.concatenate([one[both], rows])
    head = np.concatenate([pairs.other[both], plan.blocks.origin[rows]])
    links = coo_matrix((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(n, n))
    _, label = connected_components(links, directed=False)
    order = np.argsort(label[rows], kind="stable")
    cuts = np.flatnonzero(np.diff(label[rows][order])) + 1
    return [np.sort(group) for group in np.split(rows[order], cuts)]


def _sum_runs(runs: np.ndarray, count: int) -> Floats:
    sums = np.bincount(runs[:, 3], weights=runs[:, 2] - runs[:, 1], minlength=count)
    return np.asarray(sums, dtype=np.float64)


def _frame(lines: AreaLines) -> tuple[float, float, float, float, int, int]:
    return lines.west, lines.south, lines.line_m, lines.dot_m, lines.lines, lines.words
