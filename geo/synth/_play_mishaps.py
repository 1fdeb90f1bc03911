"""What goes amiss on patrols: people off their post, phones that die or lie still, calls for help.

Every mishap lasts longer than the delay of its alarm (`geo/data/patrol_alarms.csv`), so that a city
that plays for half an hour shows all of them. A share of people is in one when the city begins to
live. Somebody off the post cycles off and comes back on the same way; a phone that was put down
still drifts, as phones do. How often is our assumption: about one in forty is off post, silent or
still at any time, which is more than a good day has and less than a bad one.

Handed on by `geo.synth.player`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

KINDS = ("off_post", "silent", "still")
SHARE = {"off_post": 0.025, "silent": 0.02, "still": 0.015}
"""Of all people, on the average, at any time."""
LASTS_S = {"off_post": (1200, 3600), "silent": (1200, 2700), "still": (1500, 3600)}
"""The alarms wait 600 s (off post; 1,800 between rounds), 900 s and 1,200 s."""

AWAY_M = (450.0, 900.0)
"""How far off the post: several grids, beyond the 200 m that count between rounds."""
CYCLE_MS = 4.0
"""Metres a second on the way there and back, as on an electric bicycle in town."""

FIRST_CALL_S, CALL_EVERY_S = (60, 240), 1500.0
"""The first call for help comes soon, so that a demonstration has one; later ones in the mean."""
CALL_REST_S = 900
"""Who called stays there."""


@dataclass(frozen=True)
class SosCall:
    """Somebody calls for help."""

    at: datetime
    worker_id: str
    lon: float
    lat: float


class Mishaps:
    """Who is in which mishap, as columns by number of the walker.

    Parameters
    ----------
    rng
        Lots of its own, so that the walks of a city are the same with and without mishaps.
    n
        How many people walk.
    begin
        Epoch seconds at which the city begins to live.
    often
        How often things go amiss, 1 as above, 0 never.
    """

    def __init__(self, rng: np.random.Generator, n: int, begin: int, often: float) -> None:
        self.rng, self.often = rng, often
        self.kind = np.full(n, -1, dtype=np.int64)
        self.since, self.until = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.away_m = np.zeros((2, n))
        self.next_call = begin + int(rng.integers(*FIRST_CALL_S)) if often > 0 else None
        lot = rng.random(n)
        edges = np.cumsum([SHARE[kind] * often for kind in KINDS])
        for code, (low, high) in enumerate(zip([0.0, *edges[:-1]], edges, strict=True)):
            self._begin(np.flatnonzero((lot >= low) & (lot < high)), code, np.int64(begin))

    def _begin(self, rows: Ints, code: int, at: Ints | np.int64) -> None:
        if not len(rows):
            return
        low, high = LASTS_S[KINDS[code]]
        self.kind[rows], self.since[rows] = code, at
        self.until[rows] = at + self.rng.integers(low, high, len(rows))

    def step(self, rows: Ints, when: Ints, every_s: int, x: Reals, y: Reals) -> None:
        """Let mishaps end and begin for some walkers at (x, y), metres about the city's middle."""
        over = (self.kind[rows] >= 0) & (when >= self.until[rows])
        self.kind[rows[over]] = -1
        free = self.kind[rows] < 0
        lot = self.rng.random(len(rows))
        low = 0.0
        for code, kind in enumerate(KINDS):
            high = low + self.often * SHARE[kind] * every_s / float(np.mean(LASTS_S[kind]))
            begins = free & (lot >= low) & (lot < high)
            self._begin(rows[begins], code, when[begins])
            low = high
        fresh = (self.kind[rows] == 0) & (self.since[rows] == when) | self._unplanned(rows)
        self._plan(rows[fresh], x[fresh], y[fresh])

    def _unplanned(self, rows: Ints) -> Bools:
        """Who was off post from the beginning and has not got a way yet."""
        return np.asarray((self.kind[rows] == 0) & ~self.away_m[:, rows].any(axis=0))

    def _plan(self, rows: Ints, x: Reals, y: Reals) -> None:
        """Where they go who leave the post: toward the middle of the city, more or less."""
        far = self.rng.uniform(*AWAY_M, len(rows))
        angle = np.arctan2(-y, -x) + self.rng.uniform(-1.0, 1.0, len(rows))
        self.away_m[:, rows] = far * np.cos(angle), far * np.sin(angle)

    def shift_m(self, rows: Ints, when: Ints) -> tuple[Reals, Reals]:
        """How far each is off the way, metres east and north."""
        far = np.hypot(*self.away_m[:, rows])
        ride = np.maximum(far / CYCLE_MS, 1.0)
        share = np.minimum((when - self.since[rows]) / ride, (self.until[rows] - when) / ride)
        share = np.where(self.kind[rows] == 0, np.clip(share, 0.0, 1.0), 0.0)
        east, north = self.away_m[:, rows] * share
        return east, north

    def rests(self, rows: Ints) -> Bools:
        """Who does not walk on: off the post, or with a phone that lies somewhere."""
        return np.asarray(np.isin(self.kind[rows], (0, 2)))

    def is_silent(self, rows: Ints) -> Bools:
        """Whose phone says nothing."""
        return np.asarray(self.kind[rows] == 1)

    def is_riding(self, rows: Ints, when: Ints) -> Bools:
        """Who is on the way off the post, or back."""
        ride = np.maximum(np.hypot(*self.away_m[:, rows]) / CYCLE_MS, 1.0)
        near = np.minimum(when - self.since[rows], self.until[rows] - when) < ride
        return np.asarray((self.kind[rows] == 0) & near)

    def calls(self, end: int) -> list[int]:
        """The moments of the calls for help up to a moment."""
        found: list[int] = []
        while self.next_call is not None and self.next_call <= end:
            found.append(self.next_call)
            self.next_call += max(60, int(self.rng.exponential(CALL_EVERY_S / self.often)))
        return found

    def caller(self) -> int:
        """Who calls: somebody whose phone is heard."""
        heard = np.flatnonzero(self.kind < 0)
        some = heard if len(heard) else np.arange(len(self.kind))
        return int(some[self.rng.integers(len(some))])


def moment(seconds: int) -> datetime:
    """Epoch seconds as a moment."""
    return datetime.fromtimestamp(seconds, UTC)
