"""A surface of heat as a PNG with a palette: one colour a class, stripes where it is uncertain.

Nothing is drawn where there is nothing to say: outside of the city, where no value is known, and
below the lowest class. Colour is not the only sign of doubt: an uncertain place is striped, on
every tile in step with its neighbours. PNG is written by hand (ISO/IEC 15948): colours in a table,
one byte a pixel, packed by zlib, which takes a millisecond and needs no library for pictures.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.colours import Mood, diverging, sequential

RATIO_STARTS = (0.0, 0.5, 0.67, 0.83, 1.2, 1.5, 2.0)
"""Classes of found against expected, alike above and below one by their quotient."""

CLASSES = 6
"""Of a density, each at least about twice as dense as the one below: 1, 2, 5, 10 and so on. Cases
crowd: with even steps one hot place would leave the rest of the city blank."""

STRIPE = 8
"""Pixels from stripe to stripe; the sizes of tiles are multiples of it."""

_FAINT, _STRONG = 0.40, 0.85
_STRIPED = 0.30


@dataclass(frozen=True)
class HeatScale:
    """Classes of a heat map: class i from `starts[i]` on, with its colour and opacity."""

    starts: tuple[float, ...]
    colours: tuple[str, ...]
    opacity: tuple[float, ...]
    below: float
    """What is less than this is not drawn."""


def heat_scale(top: float, mood: Mood, *, is_ratio: bool = False) -> HeatScale:
    """Make the classes of a map whose largest value is `top`; no class where that is nothing."""
    if is_ratio:
        colours = diverging(mood, len(RATIO_STARTS))
        middle = len(RATIO_STARTS) // 2
        faint = tuple(0.15 if k == middle else 0.78 for k in range(len(RATIO_STARTS)))
        return HeatScale(RATIO_STARTS, colours, faint, 0.0)
    if not (math.isfinite(top) and top > 0):
        return HeatScale((), (), (), 0.0)
    starts = _steps_below(top, CLASSES)
    opacity = tuple(float(value) for value in np.linspace(_FAINT, _STRONG, len(starts)))
    return HeatScale(starts, sequential(mood, len(starts), "violet"), opacity, starts[0])


def _steps_below(top: float, count: int) -> tuple[float, ...]:
    """The last `count` of 1, 2, 5 times powers of ten that are at most `top`, rising."""
    power = math.floor(math.log10(top))
    steps = [
        float(f"{part}e{exponent}")
        for exponent in range(power - count // 3 - 1, power + 1)
        for part in (1, 2, 5)
    ]
    return tuple([step for step in steps if step <= top * 1.0001][-count:])


def draw_heat(value: npt.NDArray[Any], unsure: npt.NDArray[np.bool_], scale: HeatScale) -> bytes:
    """Draw values as a PNG of the same size, the first row on top.

    Parameters
    ----------
    value
        (height, width); NaN is not drawn.
    unsure
        Of the same shape: what is striped.
    """
    count = len(scale.starts)
    height, width = value.shape
    drawn = np.isfinite(value) & (value >= scale.below) if count else np.zeros(value.shape, bool)
    starts = np.asarray(scale.starts)
    classes = np.searchsorted(starts, np.where(drawn, value, 0), side="right")
    codes = np.where(drawn, np.clip(classes, 1, max(count, 1)), 0).astype(np.uint8)
    across = np.arange(width)[None, :] + np.arange(height)[:, None]
    gap = unsure & (across % STRIPE >= STRIPE // 2)
    codes[gap & (codes > 0)] += count
    palette = [(0, 0, 0, 0)]
    for share in (1.0, _STRIPED):
        for colour, opacity in zip(scale.colours, scale.opacity, strict=True):
            red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
            palette.append((red, green, blue, round(255 * opacity * share)))
    return write_png(codes, palette)


def write_png(codes: npt.NDArray[np.uint8], palette: list[tuple[int, int, int, int]]) -> bytes:
    """Write codes of a palette (red, green, blue, opacity, 0 to 255) as a PNG."""
    height, width = codes.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = codes
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = b"".join(bytes(entry[:3]) for entry in palette)
    opacity = bytes(entry[3] for entry in palette)
    parts = (
        (b"IHDR", header), (b"PLTE", colours), (b"tRNS", opacity),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""),
    )  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
