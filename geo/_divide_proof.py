"""What no plan of a piece can do better, by arithmetic alone.

Units too large for any grid are left out. What hangs together without them, of load H, becomes k
grids for some whole number k, and so is out of the band by at least max(0, k low - H, H - k high);
k = 0 only where it may be put beside a unit too large, and then all of H is too much there. It is
the bound LB_D of the checker, part by part, so that each part can name what shuts it in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geo._divide_parts import label_parts

if TYPE_CHECKING:
    from geo._divide_model import Piece

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """Units of a piece that hang together without those too large for a grid."""

    rows: Ints
    load: float
    grids: int
    """The number of grids that is out of the band by least."""
    off: float
    """No plan has less of this part out of the band."""
    beside: Ints
    """Units too large that border on it, the largest first."""


def bound_parts(piece: Piece) -> list[Part]:
    """Bound each part of a piece; the sum of `off` is a bound on the piece."""
    small = ~piece.fixed
    ends = np.repeat(np.arange(piece.count), np.diff(piece.start))
    both = small[ends] & small[piece.unit]
    number = label_parts(piece.count, ends[both], piece.unit[both])
    fewest = 0 if piece.fixed.any() else 1
    found = []
    for part in np.unique(number[small]):
        rows = np.flatnonzero(small & (number == part))
        load = float(piece.load[rows].sum())
        # Fewer grids are further above the band, more are further below it.
        about = max(fewest, int(load // piece.high))
        counts = np.arange(about, about + 3)
        offs = np.maximum(0.0, np.maximum(counts * piece.low - load, load - counts * piece.high))
        best = int(offs.argmin())
        near = np.unique(piece.unit[np.isin(ends, rows) & piece.fixed[piece.unit]])
        near = near[np.argsort(-piece.load[near], kind="stable")]
        found.append(Part(rows, load, int(counts[best]), float(offs[best]), near))
    return found


def least_off(piece: Piece) -> float:
    """A lower bound on the load out of the band, by arithmetic (definition LB_D of the checker)."""
    return sum(part.off for part in bound_parts(piece))
