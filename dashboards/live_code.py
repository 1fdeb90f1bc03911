"""Positions as few bytes: what `/live` sends when thousands of people move in a second.

    {"count": 3, "from": [114300000, 30500000, 1795154972], "bytes": [1, 3, 3, 1], "data": "…"}

Four columns stand one after the other in `data` (base64): the gap to the number before, longitude
and latitude in millionths of a degree (11 cm), and the time in seconds. Of the last three the least
one is told apart (`from`), and each column takes as many bytes a number as its largest needs, the
lowest byte first. Every number is absolute and none a difference to an earlier event: an event that
comes twice, or that overlaps with a layer loaded meanwhile, does no harm. 5,000 people take 8 bytes
each, 53 kB as text, where names and decimals would be 225 kB.

The browser's half of it is `unpack` in assets/24-map-live.js.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MICRO = 1_000_000
"""Units of a degree: the six decimals of map data."""


def pack_positions(
    slots: npt.NDArray[np.integer[Any]],
    lon: npt.NDArray[np.float64],
    lat: npt.NDArray[np.float64],
    seconds: npt.NDArray[np.integer[Any]],
) -> dict[str, Any]:
    """Pack positions of people by their numbers.

    Parameters
    ----------
    slots
        Numbers from 0, none twice, in any order.
    lon, lat
        Degrees, WGS-84.
    seconds
        Times in seconds since 1970.
    """
    order = np.argsort(slots, kind="stable")
    number = np.asarray(slots, dtype=np.int64)[order]
    gaps = np.diff(number, prepend=-1) - 1
    columns = [gaps]
    least = []
    for values in (to_micro(lon), to_micro(lat), np.asarray(seconds, dtype=np.int64)):
        low = int(values.min()) if len(values) else 0
        least.append(low)
        columns.append(values[order] - low)
    packed = [_pack(column) for column in columns]
    return {
        "count": len(number),
        "from": least,
        "bytes": [width for width, _ in packed],
        "data": base64.b64encode(b"".join(body for _, body in packed)).decode(),
    }


def unpack_positions(
    told: dict[str, Any],
) -> tuple[Ints, npt.NDArray[np.float64], npt.NDArray[np.float64], Ints]:
    """Numbers (ascending), longitudes, latitudes and times of packed positions."""
    body, count = base64.b64decode(told["data"]), int(told["count"])
    columns, at = [], 0
    for width in told["bytes"]:
        columns.append(_unpack(body[at : at + width * count], width))
        at += width * count
    gaps, x, y, seconds = columns
    west, south, since = told["from"]
    lon, lat = (x + west) / MICRO, (y + south) / MICRO
    return np.cumsum(gaps + 1) - 1, lon, lat, seconds + since


def to_micro(degrees: npt.NDArray[np.float64]) -> Ints:
    """Degrees in whole millionths."""
    return np.rint(np.asarray(degrees, dtype=np.float64) * MICRO).astype(np.int64)


def _pack(values: Ints) -> tuple[int, bytes]:
    """Bytes a number, and the numbers in so many bytes each."""
    most = int(values.max()) if len(values) else 0
    width = max(1, (most.bit_length() + 7) // 8)
    raw = values.astype("<i8").view(np.uint8).reshape(-1, 8)
    return width, raw[:, :width].tobytes()


def _unpack(body: bytes, width: int) -> Ints:
    raw = np.zeros((len(body) // width, 8), dtype=np.uint8)
    raw[:, :width] = np.frombuffer(body, dtype=np.uint8).reshape(-1, width)
    return raw.reshape(-1).view("<i8").astype(np.int64)
