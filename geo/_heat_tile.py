"""A surface as the pixels of a map tile. Public names are handed on by `geo.heat`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from geo._heat_kernels import read_pixels
from geo._heat_rates import UNSURE_RSE
from geo.errors import InputError

if TYPE_CHECKING:
    from geo.heat import HeatSurface

TILE = 256
Floats = npt.NDArray[np.float32]


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
    knots = ground.knots
    value = np.empty((size, size), dtype=np.float32)
    unsure = np.empty((size, size), dtype=np.bool_)
    read_pixels(
        surface.value, surface.rse, ground.inside, knots.u, knots.v, knots.frame, x / 2**zoom,
        y / 2**zoom, 1.0 / (size * 2**zoom), UNSURE_RSE, value, unsure,
    )  # fmt: skip
    return value, unsure
