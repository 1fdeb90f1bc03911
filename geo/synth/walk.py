"""People who walk the streets of their own grid, all of them a step at a time.

A street on a border belongs to the beats of both grids. At a junction a walker goes on along a
street of the own grid, of two by lot the one less walked so far, and turns back only at a dead end.
Everything is a column: a step of 5,000 walkers is a few array operations, without a loop over them.

Metres are counted on a plane about the middle of the city (a degree of latitude 110,574 m, one of
longitude 111,320 m times the cosine); over a city of 50 km it is wrong by some metres in the
thousand, which a walk does not mind.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.errors import InputError

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WALKED = ("arterial", "main", "minor", "path")
BESIDE_M = 2.0
"""A street whose middle is this near a grid is of its beat; both grids of a border have it."""


class StreetNet:
    """The streets of a city as half edges, each grid's own together.

    Parameters
    ----------
    roads
        Table `roads` in EPSG:4326, one piece between two junctions.
    grids
        Grids in force in EPSG:4326, indexed by `grid_id`.

    Raises
    ------
    InputError
        If no street lies in any grid.
    """

    def __init__(self, roads: GeoDataFrame, grids: GeoDataFrame) -> None:
        west, south, east, north = grids.total_bounds
        self.lon, self.lat = (west + east) / 2, (south + north) / 2
        self.east_m = 111_320.0 * float(np.cos(np.radians(self.lat)))
        self.north_m = 110_574.0
        some = roads[roads["road_class"].isin(WALKED).to_numpy()]
        parts, road = shapely.get_parts(some.geometry.to_numpy(), return_index=True)
        lines = shapely.transform(parts, self._to_metres)
        named = some["name"] if "name" in some else pd.Series(None, index=some.index, dtype=object)
        self.name = named.fillna("").to_numpy(dtype=object)[road]
        """Of each street."""
        self._measure(lines)
        self._find_beats(lines, shapely.transform(grids.geometry.to_numpy(), self._to_metres))

    def _to_metres(self, points: Reals) -> Reals:
        return np.asarray((points - [self.lon, self.lat]) * [self.east_m, self.north_m])

    def to_degrees(self, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        """Longitude and latitude of points on the plane, to seven decimals."""
        lon, lat = self.lon + x / self.east_m, self.lat + y / self.north_m
        return np.round(lon, 7), np.round(lat, 7)

    def _measure(self, lines: npt.NDArray[np.object_]) -> None:
        """Coordinates of all lines in one array, and how far along it each lies."""
        self._points, owner = shapely.get_coordinates(lines, return_index=True)
        step = np.hypot(*np.diff(self._points, axis=0, prepend=self._points[:1]).T)
        step[np.flatnonzero(np.diff(owner, prepend=-1))] = 0.0
        self._along = np.cumsum(step)
        self._first = np.flatnonzero(np.diff(owner, prepend=-1))
        self._last = np.append(self._first[1:], len(owner)) - 1
        self.length = self._along[self._last] - self._along[self._first]

    def _find_beats(self, lines: npt.NDArray[np.object_], grids: npt.NDArray[np.object_]) -> None:
        middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
        line, grid = shapely.STRtree(grids).query(middle, predicate="dwithin", distance=BESIDE_M)
        if not len(line):
            raise InputError("no street lies in any grid: import roads of this city first")
        ends = self._points[np.concatenate([self._first, self._last])]
        node = np.unique(np.round(ends, 1), axis=0, return_inverse=True)[1].ravel()
        start, end = node[: len(lines)], node[len(lines) :]
        count = int(node.max()) + 1
        edge = np.concatenate([line, line])
        self.grid = np.concatenate([grid, grid])
        self.forward = np.arange(len(edge)) < len(line)
        begin = np.where(self.forward, start[edge], end[edge])
        finish = np.where(self.forward, end[edge], start[edge])
        key = self.grid * count + begin
        order = np.argsort(key, kind="stable")
        self.edge, self.grid, self.forward = edge[order], self.grid[order], self.forward[order]
        key = key[order]
        # Ways on from the end of each half edge, inside its grid: `ways` of them from `way` on.
        beyond = self.grid * count + finish[order]
        self.way = np.searchsorted(key, beyond)
        self.ways = np.searchsorted(key, beyond, side="right") - self.way
        self._of_grid = np.argsort(self.grid, kind="stable")
        self._grid_starts = np.searchsorted(self.grid[self._of_grid], np.arange(len(grids) + 1))

    def draw_half(self, rng: np.random.Generator, grid: Ints) -> Ints:
        """A half edge of each grid by lot, -1 where a grid has no street."""
        low, high = self._grid_starts[grid], self._grid_starts[grid + 1]
        pick = low + (rng.random(len(grid)) * (high - low)).astype(np.int64)
        has = high > low
        return np.where(has, self._of_grid[np.where(has, pick, 0)], -1)

    def locate(self, half: Ints, gone_m: Reals) -> tuple[Reals, Reals]:
        """Where one is who has gone so far along each half edge, metres on the plane."""
        edge = self.edge[half]
        along = np.where(self.forward[half], gone_m, self.length[edge] - gone_m)
        at = self._along[self._first[edge]] + along
        row = np.searchsorted(self._along, at, side="right") - 1
        row = np.clip(row, self._first[edge], self._last[edge] - 1)
        piece = self._along[row + 1] - self._along[row]
        share = np.clip((at - self._along[row]) / np.maximum(piece, 1e-9), 0, 1)
        here, there = self._points[row], self._points[row + 1]
        point = here + share[:, None] * (there - here)
        return point[:, 0], point[:, 1]


class Walkers:
    """Walkers and where each of them is now."""

    def __init__(self, rng: np.random.Generator, net: StreetNet, grid: Ints) -> None:
        self.rng, self.net = rng, net
        self.half = net.draw_half(rng, grid)
        self.stays = self.half < 0
        """Who has no street to walk stands on one of another grid."""
        lost = np.flatnonzero(self.stays)
        self.half[lost] = rng.integers(0, len(net.edge), len(lost))
        n = len(grid)
        self.gone_m = rng.random(n) * net.length[net.edge[self.half]]
        self.pace_ms = rng.uniform(0.85, 1.35, n)
        """Metres a second while walking: 3 to 5 km/h, as people on patrol do."""
        self.walked = np.zeros(len(net.edge), dtype=np.int64)

    def step(self, rows: Ints, seconds: float, is_walking: Bools) -> None:
        """Let some walkers go on for some seconds."""
        net, rng = self.net, self.rng
        moving = is_walking & ~self.stays[rows]
        self.gone_m[rows] += np.where(moving, self.pace_ms[rows] * seconds, 0.0)
        rows = rows[moving]
        while True:
            half = self.half[rows]
            length = net.length[net.edge[half]]
            over = self.gone_m[rows] >= length
            if not over.any():
                return
            rows, half = rows[over], half[over]
            self.gone_m[rows] -= length[over]
            self.half[rows] = self._go_on(rng, half)

    def _go_on(self, rng: np.random.Generator, half: Ints) -> Ints:
        """Of two ways by lot the one less walked, and back only where there is no other."""
        net = self.net
        first, count = net.way[half], net.ways[half]
        two = []
        for _ in range(2):
            way = first + (rng.random(len(half)) * count).astype(np.int64)
            back = (net.edge[way] == net.edge[half]) & (count > 1)
            way = np.where(back, first + (way - first + 1) % count, way)
            two.append(way)
        best = np.where(self.walked[two[1]] < self.walked[two[0]], two[1], two[0])
        np.add.at(self.walked, best, 1)
        return np.asarray(best)

    def where(self, rows: Ints) -> tuple[Reals, Reals]:
        """Where some walkers are, metres on the plane of the net."""
        return self.net.locate(self.half[rows], self.gone_m[rows])


def assign_beats(workers: pd.DataFrame, grids: pd.DataFrame, roles: tuple[str, ...]) -> pd.Series:
    """The grid that each worker walks, indexed by `worker_id`, the most wanted walkers first.

    First one of each grid, then second colleagues, in the order of `roles`; who is of a community
    takes its grids in turn, whoever is of no grid's community walks with the others, last.
    """
    ids = grids.index.astype(str)
    place = pd.Series(np.arange(len(ids)), index=ids)
    unit = workers["unit_code"].fillna("").astype(str)
    grid = unit.map(place).astype("float64")
    community = grids["community_code"].astype(str).to_numpy()
    turn = unit.groupby(unit).cumcount().to_numpy()
    inside = {code: np.flatnonzero(community == code) for code in set(unit) & set(community)}
    for lost in np.flatnonzero(grid.isna().to_numpy()):
        own = inside.get(unit.iloc[lost])
        some = np.arange(len(ids)) if own is None else own
        grid.iloc[lost] = some[(turn[lost] if own is not None else lost) % len(some)]
    rank = {role: number for number, role in enumerate(roles)}
    order = workers["role"].map(rank).fillna(len(rank)).to_numpy()
    colleague = pd.Series(order).groupby([grid.to_numpy(), order]).cumcount().to_numpy()
    row = np.lexsort([np.arange(len(workers)), order, colleague, order >= len(rank)])
    return grid.iloc[row].astype(np.int64).rename("grid")
