"""A surface as the pixels of a map tile. Public names are handed on by `geo.heat`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyproj

from geo._heat_kernels import look_up
from geo._heat_rates import UNSURE_RSE
from geo.errors import InputError
from geo.schema import STORAGE_CRS

if TYPE_CHECKING:
    from geo.heat import HeatSurface

TILE = 256
_KNOTS = 17
"""Places on each side of a tile that are projected; between them straight lines differ from the
projection by less than a hundredth of a pixel from zoom 8 on."""

Floats = npt.NDArray[np.float32]


def tile_places(zoom: int, x: int, y: int, size: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Longitudes of the columns and latitudes of the rows of a tile's pixels (web Mercator)."""
    steps = (np.arange(size) + 0.5) / size
    across, down = (x + steps) / 2**zoom, (y + steps) / 2**zoom
    lon = across * 360.0 - 180.0
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * down))))
    return lon, lat


def read_tile(
    surface: HeatSurface, zoom: int, x: int, y: int, *, size: int = TILE
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Read a surface at the pixels of a web map tile.

    Returns
    -------
    value, unsure
        (size, size), the northernmost row first; NaN outside of the city and where nothing is
        known; `unsure` marks what is to be shaded as uncertain.

    Raises
    ------
    InputError
        If there is no such tile.
    """
    if not (0 <= zoom <= 24 and 0 <= x < 2**zoom and 0 <= y < 2**zoom):
        raise InputError(f"{zoom}/{x}/{y} is no tile: zoom 0 to 24, x and y below 2**zoom")
    ground = surface.ground
    u, v = _cells(surface, zoom, x, y, size)
    value, rse, inside = (np.empty((size, size), dtype=np.float32) for _ in range(3))
    look_up(surface.value, u, v, value)
    look_up(ground.inside, u, v, inside)
    # Infinite where no case is near; between cells one over it is what can be averaged.
    look_up((1 / np.maximum(surface.rse, 1e-6)).astype(np.float32), u, v, rse)
    value[~(inside >= 0.5)] = np.nan
    return value, (value > 0) & (rse < 1 / UNSURE_RSE)


def _cells(
    surface: HeatSurface, zoom: int, x: int, y: int, size: int
) -> tuple[npt.NDArray[np.float64], ...]:
    """Column and row of the cells under each pixel."""
    ground = surface.ground
    lon, lat = tile_places(zoom, x, y, size)
    knots = np.linspace(0, size - 1, _KNOTS)
    every = np.arange(size)
    some_lon, some_lat = np.interp(knots, every, lon), np.interp(knots, every, lat)
    change = pyproj.Transformer.from_crs(STORAGE_CRS, ground.crs, always_xy=True)
    px, py = change.transform(*np.meshgrid(some_lon, some_lat))
    part = ground.cells_of(px, py)
    out = []
    low = np.minimum((every / knots[1]).astype(int), _KNOTS - 2)
    share = every / knots[1] - low
    for coarse in part:
        rows = coarse[low] * (1 - share)[:, None] + coarse[low + 1] * share[:, None]
        out.append(rows[:, low] * (1 - share) + rows[:, low + 1] * share)
    return out[0], out[1]
