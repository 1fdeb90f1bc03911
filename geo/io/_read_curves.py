"""Curved geometries of GIS programs as straight lines, before shapely sees them.

GEOS knows no arcs, and a curved polygon would be lost. An arc through three points becomes
chords of at most 4 degrees (their middle is off by 0.06 % of the radius: 3 cm on 50 m).
WKB types by ISO 19125 / SQL-MM: 8 CircularString, 9 CompoundCurve, 10 CurvePolygon, 11 MultiCurve,
12 MultiSurface.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

CHORD_DEG = 4.0
_STRAIGHT = {8: 2, 9: 2, 10: 3, 11: 5, 12: 6}
_CURVED = frozenset(_STRAIGHT)


def straighten(wkb: Any) -> Any:
    """Binaries with every curve replaced; others are returned as they are (an object array)."""
    out = np.asarray(wkb, dtype=object)
    at = [i for i, blob in enumerate(out) if blob is not None and _type(blob)[0] in _CURVED]
    if not at:
        return out
    out = out.copy()
    for i in at:
        out[i] = _Reader(bytes(out[i])).geometry()
    return out


def _type(blob: bytes) -> tuple[int, int]:
    """Kind of a binary and how many numbers a point has."""
    order = "<" if blob[0] == 1 else ">"
    code = struct.unpack_from(order + "I", blob, 1)[0]
    extra = bool(code & 0x80000000) + bool(code & 0x40000000)
    plain = code & 0x0FFFFFFF
    extra += {0: 0, 1: 1, 2: 1, 3: 2}.get(plain // 1000, 0)
    return plain % 1000, 2 + extra


class _Reader:
    """Walks one binary and writes it again in two dimensions, without curves."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.at = 0

    def geometry(self) -> bytes:
        return self._node()[1]

    def _node(self) -> tuple[int, bytes]:
        kind, width = _type(self.blob[self.at : self.at + 9])
        order = "<" if self.blob[self.at] == 1 else ">"
        self.at += 5
        flat = _STRAIGHT.get(kind, kind)
        head = struct.pack("<BI", 1, flat)
        if kind == 1:
            return kind, head + self._points(1, width, order).tobytes()
        count = self._count(order)
        if kind in (2, 8):
            points = self._points(count, width, order)
            return kind, head + _line(_chords(points) if kind == 8 else points)
        if kind == 3:
            rings = [self._points(self._count(order), width, order) for _ in range(count)]
            return kind, head + struct.pack("<I", count) + b"".join(_line(r) for r in rings)
        parts = [self._node()[1] for _ in range(count)]
        if kind == 9:
            return kind, head + _line(_join([_points_of(p) for p in parts]))
        if kind == 10:
            return kind, head + struct.pack("<I", count) + b"".join(p[5:] for p in parts)
        return kind, head + struct.pack("<I", count) + b"".join(parts)

    def _count(self, order: str) -> int:
        self.at += 4
        return int(struct.unpack_from(order + "I", self.blob, self.at - 4)[0])

    def _points(self, count: int, width: int, order: str) -> Any:
        size = count * width * 8
        raw = np.frombuffer(self.blob, dtype=order + "f8", count=count * width, offset=self.at)
        self.at += size
        return raw.reshape(count, width)[:, :2].astype("<f8")


def _line(points: Any) -> bytes:
    return struct.pack("<I", len(points)) + np.ascontiguousarray(points, dtype="<f8").tobytes()


def _points_of(line: bytes) -> Any:
    return np.frombuffer(line, dtype="<f8", offset=9).reshape(-1, 2)


def _join(lines: list[Any]) -> Any:
    pieces = [lines[0], *[line[1:] for line in lines[1:]]] if lines else [np.empty((0, 2))]
    return np.vstack(pieces)


def _chords(points: Any) -> Any:
    """A circular string (arcs through points 0-1-2, 2-3-4, …) as a line."""
    pieces = [points[:1]]
    for at in range(0, len(points) - 2, 2):
        pieces.append(_arc(*points[at : at + 3]))
    return np.vstack(pieces)


def _arc(start: Any, middle: Any, end: Any) -> Any:
    """The points of one arc without its start, ending exactly on `end`."""
    if np.array_equal(start, end):
        centre, turn = (start + middle) / 2, 2 * math.pi
    else:
        (ax, ay), (bx, by) = middle - start, end - start
        twice = 2 * (ax * by - ay * bx)
        if twice == 0:
            return np.vstack([middle, end])
        a2, b2 = ax * ax + ay * ay, bx * bx + by * by
        centre = start + np.array([by * a2 - ay * b2, ax * b2 - bx * a2]) / twice
        first, last = _angle(start, centre), _angle(end, centre)
        turn = (last - first) % (2 * math.pi)
        if twice < 0:
            turn -= 2 * math.pi
    radius = math.hypot(*(start - centre))
    steps = max(2, math.ceil(abs(turn) / math.radians(CHORD_DEG)))
    angles = _angle(start, centre) + turn * np.arange(1, steps + 1) / steps
    out = centre + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    out[-1] = end
    return out


def _angle(point: Any, centre: Any) -> float:
    return math.atan2(point[1] - centre[1], point[0] - centre[0])
