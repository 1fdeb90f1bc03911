"""The ground of a city in fine cells, and kernels on them with a bandwidth in metres.

Public names are handed on by `geo.heat`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import scipy.fft
import shapely

from geo.datum import require_metres
from geo.errors import InputError
from geo.locate import GridIndex
from geo.schema import STORAGE_CRS

KERNELS = ("quartic", "epanechnikov", "gaussian")
GAUSS_REACH = 4.0
"""The Gaussian kernel is cut off at so many bandwidths, where 0.03 % of it lie beyond."""

CELLS_PER_BANDWIDTH = 8
"""Cells in a bandwidth: with linear binning the surface is then within 2 % of its highest value of
the exact sum (tests/geo/test_heat_twins.py)."""

LEAST_CELLS = 3
"""Coarser than that cells would show; the bandwidth is refused then."""

MOST_CELLS = 4_000_000
"""Cells of a ground: its surface takes 16 MB and a quarter of a second."""

LEAST_EDGE = 0.05
"""At the border a sum is raised at most twenty times; our assumption, for spits of land that are
narrower than a cell."""

_FINE = 8
"""Points on each side of a border cell by which its shares of grids are found."""

_KNOTS = 96
_AT_ONCE = 20_000
_MOST_GRIDS = 1 << 24

Floats = npt.NDArray[np.float32]


class Finder(Protocol):
    """Finds the grid of points in metres, see `geo.locate.GridIndex.assign`."""

    def assign(self, x: Any, y: Any) -> npt.NDArray[np.int32]:
        """Row of the grid of each point, -1 outside."""


def kernel_values(kernel: str, distance: npt.ArrayLike, bandwidth_m: float) -> npt.NDArray[Any]:
    """Density of a kernel at a distance from its middle, per square metre; it adds up to one.

    - `quartic`: 3 / (pi h²) (1 - d²/h²)² up to h (Silverman 1986, eq. 4.5)
    - `epanechnikov`: 2 / (pi h²) (1 - d²/h²) up to h (Silverman 1986, eq. 4.4; Epanechnikov 1969)
    - `gaussian`: exp(-d²/2h²) / (2 pi h²) (Silverman 1986, eq. 4.3), h its standard deviation, cut
      off at four of them

    Raises
    ------
    InputError
        If the kernel is unknown or the bandwidth is not positive.
    """
    if kernel not in KERNELS:
        raise InputError(f"kernel is {kernel!r}: use one of {', '.join(KERNELS)}")
    if not 0 < bandwidth_m < np.inf:
        raise InputError(f"bandwidth_m is {bandwidth_m}: give metres, more than 0")
    h2 = bandwidth_m**2
    d2 = np.asarray(distance, dtype=np.float64) ** 2 / h2
    if kernel == "gaussian":
        inside = d2 <= GAUSS_REACH**2
        return np.where(inside, np.exp(-d2 / 2) / (2 * np.pi * h2), 0.0)
    rest = np.maximum(1 - d2, 0.0)
    return 3 / (np.pi * h2) * rest**2 if kernel == "quartic" else 2 / (np.pi * h2) * rest


def kernel_reach_m(kernel: str, bandwidth_m: float) -> float:
    """How far from its middle a kernel reaches, metres."""
    return bandwidth_m * (GAUSS_REACH if kernel == "gaussian" else 1.0)


class DegreeFinder:
    """Finds the grid of points in metres by an index in degrees.

    For covers that do not survive projection: where neighbours cut their border at different
    points, straight lines of degrees are none of metres, and the grids overlap by a hair.
    """

    def __init__(self, index: GridIndex, crs: pyproj.CRS) -> None:
        self._index = index
        self._change = pyproj.Transformer.from_crs(crs, STORAGE_CRS, always_xy=True)

    def assign(self, x: Any, y: Any) -> npt.NDArray[np.int32]:
        """Row of the grid of each point, -1 outside."""
        return self._index.assign(*self._change.transform(np.asarray(x), np.asarray(y)))


@dataclass(frozen=True, eq=False)
class CutCells:
    """Cells near a border of grids, and which share of each lies in which grid."""

    near: npt.NDArray[np.bool_]
    cell: npt.NDArray[np.int64]
    """Number of a cell, row by row."""
    grid: npt.NDArray[np.int64]
    share: Floats


@dataclass(frozen=True, eq=False)
class Knots:
    """Which cell lies under places of a web map; between knots straight lines are within 0.1 m."""

    frame: tuple[float, float, float]
    """Left, top and step, in shares of the web Mercator square, whose top is in the north."""
    u: npt.NDArray[np.float64]
    """Column of the cell under each knot, whole numbers are middles; rows from north to south."""
    v: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeatGround:
    """Fine cells over a city, a margin of the kernel's reach around it; arrays are (rows, columns).

    Row 0 is the southernmost. Coordinates are metres in `crs`.
    """

    crs: pyproj.CRS
    bandwidth_m: float
    kernel: str
    west: float
    south: float
    cell_m: float
    inside: Floats
    """Share of each cell that lies in the city."""
    grid: npt.NDArray[np.int32]
    """Row of the grid at the middle of each cell, -1 outside."""
    cut: CutCells
    grids: pd.Index
    middles: npt.NDArray[np.float64]
    """A point inside each grid, (n, 2), for those that no cell has its middle in."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, columns = self.inside.shape
        return int(rows), int(columns)

    @property
    def area_km2(self) -> float:
        """Of the city, by its cells."""
        return float(self.inside.sum(dtype=np.float64)) * self.cell_m**2 / 1e6

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that stay."""
        return self.inside.nbytes + self.grid.nbytes + self.edge.nbytes

    @cached_property
    def window_km2(self) -> float:
        """The ground that the kernel looks at: a disc of even weight of this area is as uncertain.

        One over the integral of the squared kernel, for the quartic 5/9 of its circle.
        """
        squared = self._weights.astype(np.float64) ** 2
        return float(1 / (squared.sum() * self.cell_m**2) / 1e6)

    @cached_property
    def edge(self) -> Floats:
        """Share of the kernel around each cell that lies in the city, at least LEAST_EDGE."""
        share = self.smooth(self.inside) * np.float32(self.cell_m**2)
        return np.asarray(np.clip(share, LEAST_EDGE, 1.0), dtype=np.float32)

    @cached_property
    def _weights(self) -> Floats:
        """The kernel on the cells, per square metre, adding up to exactly one."""
        reach = int(np.ceil(kernel_reach_m(self.kernel, self.bandwidth_m) / self.cell_m))
        steps = np.arange(-reach, reach + 1) * self.cell_m
        values = kernel_values(self.kernel, np.hypot(*np.meshgrid(steps, steps)), self.bandwidth_m)
        return np.asarray(values / (values.sum() * self.cell_m**2), dtype=np.float32)

    @cached_property
    def _spectra(self) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
        """Of the kernel and of its square, on the size of the fast transform."""
        weights = self._weights.astype(np.float64)
        return self._spectrum(weights), self._spectrum(weights**2)

    @cached_property
    def _size(self) -> tuple[int, int]:
        rows, columns = (scipy.fft.next_fast_len(n, real=True) for n in self.shape)
        return rows, columns

    def _spectrum(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.complex128]:
        around = np.zeros(self._size)
        reach = weights.shape[0] // 2
        where = np.arange(-reach, reach + 1)
        around[np.ix_(where % self._size[0], where % self._size[1])] = weights
        return np.asarray(scipy.fft.rfft2(around, workers=-1))

    def smooth(self, counts: npt.NDArray[Any]) -> Floats:
        """Sum of the kernels around the counts of cells, per square metre, at each cell's middle.

        The margin keeps what the transform wraps around from the city.
        """
        return self._back(self._forth(counts) * self._spectra[0])

    def smooth_both(self, counts: npt.NDArray[Any]) -> tuple[Floats, Floats]:
        """The sum of the kernels, and of their squares: the variance of a sum of Poisson counts."""
        once = self._forth(counts)
        return self._back(once * self._spectra[0]), self._back(once * self._spectra[1])

    def _forth(self, counts: npt.NDArray[Any]) -> npt.NDArray[np.complex128]:
        # In double precision: beside a hot place of a million cases one with ten must be told.
        plain = counts.astype(np.float64, copy=False)
        return np.asarray(scipy.fft.rfft2(plain, s=self._size, workers=-1))

    def _back(self, spectrum: npt.NDArray[np.complex128]) -> Floats:
        rows, columns = self.shape
        found = scipy.fft.irfft2(spectrum, s=self._size, workers=-1)[:rows, :columns]
        # Rounding of the transform is no density.
        top = float(found.max(initial=0.0))
        return np.where(found > 1e-12 * top, found, 0.0).astype(np.float32)

    def spread(self, amounts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Amounts of grids (households) evenly over the cells of each; they add up to the same.

        Unknown amounts (NaN) are spread as nothing.
        """
        amount = np.nan_to_num(np.asarray(amounts, dtype=np.float64))
        whole = (self.grid >= 0) & ~self.cut.near
        size = np.bincount(self.grid[whole], minlength=len(amount)).astype(np.float64)
        size += np.bincount(self.cut.grid, weights=self.cut.share, minlength=len(amount))
        each = np.divide(amount, size, out=np.zeros(len(amount)), where=size > 0)
        out = np.zeros(self.shape)
        out[whole] = each[self.grid[whole]]
        flat = out.ravel()
        np.add.at(flat, self.cut.cell, each[self.cut.grid] * self.cut.share)
        for k in np.flatnonzero((size == 0) & (amount != 0)):
            column, row = ((self.middles[k] - (self.west, self.south)) // self.cell_m).astype(int)
            out[row, column] += amount[k]
        return out

    def cells_of(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[Any], ...]:
        """Column and row of places as `look_up` takes them: whole numbers are middles of cells."""
        u = (np.asarray(x, np.float64) - self.west) / self.cell_m - 0.5
        v = (np.asarray(y, np.float64) - self.south) / self.cell_m - 0.5
        return u, v

    @cached_property
    def knots(self) -> Knots:
        """Where on a web map the cells lie."""
        rows, columns = self.shape
        to_degrees = pyproj.Transformer.from_crs(self.crs, STORAGE_CRS, always_xy=True)
        east, north = self.west + columns * self.cell_m, self.south + rows * self.cell_m
        west, south, east, north = to_degrees.transform_bounds(self.west, self.south, east, north)
        left, right = ((part + 180) / 360 for part in (west, east))
        top, bottom = (
            (1 - np.arcsinh(np.tan(np.radians(part))) / np.pi) / 2 for part in (north, south)
        )
        step = max(right - left, bottom - top) / _KNOTS
        across = left + step * np.arange(-1, int((right - left) / step) + 3)
        down = top + step * np.arange(-1, int((bottom - top) / step) + 3)
        lon = across * 360 - 180
        lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * down))))
        back = pyproj.Transformer.from_crs(STORAGE_CRS, self.crs, always_xy=True)
        u, v = self.cells_of(*back.transform(*np.meshgrid(lon, lat)))
        return Knots((float(across[0]), float(down[0]), float(step)), u, v)

    def place_of(self, row: int, column: int) -> tuple[float, float]:
        """x and y of the middle of a cell."""
        return self.west + (column + 0.5) * self.cell_m, self.south + (row + 0.5) * self.cell_m


def make_ground(
    grids: gpd.GeoDataFrame,
    *,
    bandwidth_m: float,
    kernel: str = "quartic",
    index: Finder | None = None,
) -> HeatGround:
    """Lay fine cells over the grids of a city, for one kernel and bandwidth.

    Parameters
    ----------
    grids
        In metres, without overlaps: what they cover is the city.
    bandwidth_m
        On the ground, so it looks the same at every zoom.
    kernel
        One of KERNELS, see `kernel_values`.
    index
        `GridIndex(grids)`, else made here; or another finder with its `assign`.

    Raises
    ------
    CrsError
        If the grids are not in metres.
    InputError
        If there are none, the kernel is unknown, or the bandwidth is too small for so large a city.
    """
    require_metres(grids=grids)
    kernel_values(kernel, 0.0, bandwidth_m)
    if not len(grids):
        raise InputError("grids is empty: import grids first")
    west, south, east, north = (float(value) for value in grids.total_bounds)
    margin = kernel_reach_m(kernel, bandwidth_m)
    wide, high = east - west + 2 * margin, north - south + 2 * margin
    cell = max(bandwidth_m / CELLS_PER_BANDWIDTH, float(np.sqrt(wide * high / MOST_CELLS)))
    if cell > bandwidth_m / LEAST_CELLS:
        least = int(np.ceil(LEAST_CELLS * np.sqrt(wide * high / MOST_CELLS) / 10) * 10)
        raise InputError(
            f"bandwidth_m is {bandwidth_m:g}, too small for a city of {wide / 1000:.0f} by"
            f" {high / 1000:.0f} km: give at least {least}"
        )
    # One cell more, so that linear binning finds a neighbour on every side.
    columns, rows = int(np.ceil(wide / cell)) + 2, int(np.ceil(high / cell)) + 2
    x0, y0 = west - margin - cell, south - margin - cell
    finder: Finder = GridIndex(grids) if index is None else index
    x = x0 + (np.arange(columns) + 0.5) * cell
    y = y0 + (np.arange(rows) + 0.5) * cell
    grid = finder.assign(*(part.ravel() for part in np.meshgrid(x, y))).reshape(rows, columns)
    cut = _cut_cells(finder, grid, x, y, cell)
    inside = ((grid >= 0) & ~cut.near).astype(np.float32)
    np.add.at(inside.ravel(), cut.cell, cut.share)
    inner = shapely.point_on_surface(np.array(grids.geometry.array, dtype=object))
    middles = np.column_stack([shapely.get_x(inner), shapely.get_y(inner)])
    return HeatGround(
        pyproj.CRS(grids.crs), bandwidth_m, kernel, x0, y0, cell, inside, grid, cut, grids.index,
        middles,
    )  # fmt: skip


def _cut_cells(
    finder: Finder, grid: npt.NDArray[np.int32], x: npt.NDArray[Any], y: npt.NDArray[Any],
    cell: float,
) -> CutCells:  # fmt: skip
    """Cells that a border of grids runs through, by many points in each."""
    near = np.zeros(grid.shape, dtype=bool)
    for axis in (0, 1):
        differs = np.diff(grid, axis=axis) != 0
        before, behind = [slice(None)] * 2, [slice(None)] * 2
        before[axis], behind[axis] = slice(None, -1), slice(1, None)
        near[tuple(before)] |= differs
        near[tuple(behind)] |= differs
    rows, columns = np.nonzero(near)
    parts: list[npt.NDArray[np.int64]] = []
    steps = ((np.arange(_FINE) + 0.5) / _FINE - 0.5) * cell
    for begin in range(0, len(rows), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        px = (x[columns[some]][:, None, None] + steps[None, None, :]).repeat(_FINE, axis=1)
        py = (y[rows[some]][:, None, None] + steps[None, :, None]).repeat(_FINE, axis=2)
        found = finder.assign(px.ravel(), py.ravel()).astype(np.int64)
        flat = np.repeat(rows[some] * grid.shape[1] + columns[some], _FINE**2)
        parts.append((flat * _MOST_GRIDS + found)[found >= 0])
    keys, counts = np.unique(np.concatenate([np.empty(0, np.int64), *parts]), return_counts=True)
    share = (counts / _FINE**2).astype(np.float32)
    return CutCells(near, keys // _MOST_GRIDS, keys % _MOST_GRIDS, share)
