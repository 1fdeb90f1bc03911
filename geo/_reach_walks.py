"""The walks of workers as what `geo.reach` measures: clean fixes, and which steps are a path.

Public names are handed on by `geo.reach`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._fixes_tracks import Floats, Tracks
from geo.errors import InputError
from geo.fixes import RULES, Cleaned, Rule, clean_fixes

GAP_S = 60.0
"""Two fixes farther apart in time are no path: nobody knows the way between them."""

MOST_KMH = 15.0
"""Faster than one walks or cycles on patrol: a ride, which sees no street, or a jump."""


@dataclass(frozen=True, eq=False)
class Walks:
    """Clean fixes by worker and time, those of a group apart from those of another.

    Two fixes of the same worker and group, one after the other, are joined by a straight step if
    they lie within `gap_s` and no faster than `most_kmh`. A fix without a step stands alone.
    """

    who: npt.NDArray[np.int32]
    micro: npt.NDArray[np.int64]
    x: Floats
    y: Floats
    group: npt.NDArray[np.int32]
    """Position in `groups`; -1: left out."""
    groups: pd.Index
    gap_s: float = GAP_S
    most_kmh: float = MOST_KMH
    names: pd.Index | None = None
    """Workers by their number in `who`, in order; None where nobody asks."""

    def __len__(self) -> int:
        return len(self.who)

    @property
    def steps(self) -> Floats:
        """x, y of both ends of each step, (n, 4); a lone fix has twice the same."""
        n = len(self)
        if not n:
            return np.empty((0, 4))
        xy = np.column_stack([self.x, self.y])
        found = []
        for group in range(len(self.groups)):
            at = np.flatnonzero(self.group == group)
            if not len(at):
                continue
            mine, who, second = xy[at], self.who[at], self.micro[at] * 1e-6
            apart = np.diff(second)
            far = np.hypot(*np.diff(mine, axis=0).T)
            joined = (np.diff(who) == 0) & (apart <= self.gap_s)
            joined &= far * 3.6 <= self.most_kmh * apart
            lone = ~(np.append(joined, False) | np.insert(joined, 0, False))
            found += [
                np.hstack([mine[:-1][joined], mine[1:][joined]]),
                np.hstack([mine[lone], mine[lone]]),
            ]
        return np.vstack(found) if found else np.empty((0, 4))


def find_walks(
    fixes: pd.DataFrame | Cleaned,
    *,
    groups: Sequence[object] | pd.Series | None = None,
    rules: Sequence[Rule] = RULES,
    gap_s: float = GAP_S,
    most_kmh: float = MOST_KMH,
) -> Walks:
    """Clean fixes and say which belong together.

    Parameters
    ----------
    fixes
        `worker_id`, `time`, `x`, `y` in metres, and where known `accuracy_m` and `mock`; cleaned
        by `geo.fixes.clean_fixes` with `rules`, if they are not yet.
    groups
        A label a row of `fixes` (a shift, a day, a month; missing: left out), so that coverage can
        be told apart by it. For clean fixes a label for each row that came in.
    gap_s, most_kmh
        What joins two fixes by a step.

    Raises
    ------
    ColumnError, InputError
        If a column is missing, times have no zone, or labels are not one a row.
    """
    # Nobody is held still: who looks closely walks slower than a phone drifts.
    cleaned = fixes if isinstance(fixes, Cleaned) else clean_fixes(fixes, rules=rules, stay_m=0)
    tracks = cleaned.tracks
    if groups is None:
        none = np.zeros(len(tracks), dtype=np.int32)
        return walks_of(tracks, none, pd.Index(["all"]), gap_s, most_kmh)
    codes, names = pd.factorize(pd.Series(groups), sort=True)
    if not isinstance(fixes, Cleaned) and len(codes) != len(fixes):
        raise InputError(f"groups has {len(codes)} labels for {len(fixes)} fixes: give one a row")
    return walks_of(tracks, codes[tracks.row].astype(np.int32), pd.Index(names), gap_s, most_kmh)


def walks_of(
    tracks: Tracks,
    group: npt.NDArray[np.int32],
    groups: pd.Index,
    gap_s: float = GAP_S,
    most_kmh: float = MOST_KMH,
) -> Walks:
    """Walks of tracks that are clean."""
    return Walks(
        tracks.who, tracks.micro, tracks.x, tracks.y, group, groups, gap_s, most_kmh, tracks.names
    )


def walks_of_steps(steps: Floats) -> Walks:
    """Walks of straight steps, each by itself."""
    n = len(steps)
    who = np.repeat(np.arange(n, dtype=np.int32), 2)
    micro = np.tile(np.array([0, 1], dtype=np.int64), n)
    xy = np.ascontiguousarray(steps, dtype=np.float64).reshape(-1, 2)
    group = np.zeros(2 * n, dtype=np.int32)
    return Walks(
        who, micro, xy[:, 0].copy(), xy[:, 1].copy(), group, pd.Index(["all"]), 1.0, np.inf
    )
