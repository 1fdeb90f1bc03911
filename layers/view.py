"""Which middle and zoom show a piece of the world in a frame of so many pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

_TILE_PX = 512


def view_of(
    bounds: Sequence[float], size_px: tuple[int, int], *, margin: float = 0.06
) -> tuple[tuple[float, float], float]:
    """Middle (longitude, latitude) and zoom that show `bounds` in so many pixels.

    `bounds` is west, south, east, north in degrees. Web Mercator with 512 px at zoom 0, as
    MapLibre counts; `margin` is left free at each side, as a share of the size.
    """
    west, south, east, north = bounds
    top, bottom = _mercator(north), _mercator(south)
    middle = (top + bottom) / 2
    lat = math.degrees(2 * math.atan(math.exp(math.pi * (1 - 2 * middle))) - math.pi / 2)
    spans = (max((east - west) / 360, 1e-9), max(bottom - top, 1e-9))
    room = [
        px * (1 - 2 * margin) / (_TILE_PX * span) for px, span in zip(size_px, spans, strict=True)
    ]
    return ((west + east) / 2, lat), round(min(20.0, max(0.0, math.log2(min(room)))), 3)


def _mercator(lat: float) -> float:
    """Web Mercator y, 0 at the north end and 1 at the south end."""
    return (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
