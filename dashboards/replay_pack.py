"""A slice of a replay as bytes: what the browser reads into typed arrays without parsing.

Little-endian, in this order:

    4  b"WGR1"          4  workers n        4  moments k        4  0
    8  first moment     8  step             ms since 1970, ms
    32 west, south, east, north of the frame, degrees (float64)
    4n rows             position of each worker in the day's list (uint32)
    2nk, 2nk            across and up in the frame, 0 to 65535, each less the one of the moment
                        before (uint16, wrapping), worker by worker
    nk                  state (uint8): 0 away, 1 seen and all the way since, 2 seen, 3 silent

The frame is the box that was asked for and half of it again on each side, so a step is never more
than a 30th of a pixel on a screen of 3,840 points; who is beyond the frame is away. Differences of
who stands are zeros, which gzip folds.
"""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np

from dashboards.server import Packed
from geo.replay import AWAY, DEGREE, JOINED, SEEN, Slice

MAGIC = b"WGR1"
HEAD = struct.Struct("<4sIIIdddddd")
STEPS = 65_535
LEVEL = 4
"""Of gzip: 6 takes twice as long for 3 percent."""

Box = tuple[float, float, float, float]


def frame_of(box: Box) -> Box:
    """The box and half of it again on each side."""
    west, south, east, north = box
    wide, high = (east - west) / 2, (north - south) / 2
    return west - wide, south - high, east + wide, north + high


def pack_slice(found: Slice, box: Box) -> bytes:
    """Bytes of a slice for a screen that shows `box`."""
    west, south, east, north = frame_of(box)
    state = found.state.copy()
    lon, lat = found.lon * DEGREE, found.lat * DEGREE
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    state[~inside] = AWAY
    # The way from beyond the frame is not known here.
    from_away = np.zeros_like(inside)
    from_away[:, 1:] = state[:, :-1] == AWAY
    state[from_away & (state == JOINED)] = SEEN
    across = _differences((lon - west) / (east - west), state)
    up = _differences((lat - south) / (north - south), state)
    head = HEAD.pack(
        MAGIC, len(found), found.moments, 0, found.since.timestamp() * 1000,
        found.step_s * 1000, west, south, east, north,
    )  # fmt: skip
    rows = found.rows.astype("<u4").tobytes()
    return b"".join([head, rows, across, up, state.tobytes()])


def _differences(share: np.ndarray, state: np.ndarray) -> bytes:
    values = np.rint(np.clip(share, 0.0, 1.0) * STEPS).astype(np.int64)
    # Who is away keeps the place that he had, which costs nothing.
    last = np.where(state == AWAY, 0, np.arange(state.shape[1]))
    np.maximum.accumulate(last, axis=1, out=last)
    values = np.take_along_axis(values, last, axis=1)
    return np.diff(values, axis=1, prepend=0).astype("<u2").tobytes()


def squeeze(body: bytes) -> Packed:
    """A body that is sent once or twice, compressed quickly."""
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    return Packed(body, gzip.compress(body, LEVEL, mtime=0), tag)
