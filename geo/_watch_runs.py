"""Runs of a condition by worker: how long it has held, when its alarm opens and when it is over.

A run begins with the first fix that shows the condition and lasts as long as no silence is longer
than `gap_s`. It ends, alarm or not, only when the opposite was seen for `clear_s`: a single wild
fix ends nothing, so nothing flaps. An alarm opens with the fix that shows that
the run has lasted for the delay; between fixes nobody knows, so no clock opens one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

Slots = npt.NDArray[np.intp]
"""Numbers of workers."""

NEVER = -(2**62)
"""A time that has not been."""


@dataclass(frozen=True)
class Told:
    """Alarms that opened or ended in one step: slots of workers and the times of each."""

    slot: Slots
    began: Ints
    at: Ints


def nothing() -> Told:
    """No alarm at all."""
    return Told(np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0, np.int64))


class Runs:
    """One condition of all workers; times in microseconds."""

    def __init__(self, delay_s: float, clear_s: float, gap_s: float) -> None:
        self._delay, self._clear, self._gap = (int(s * 1e6) for s in (delay_s, clear_s, gap_s))
        self.since = np.empty(0, np.int64)
        self.over = np.empty(0, np.int64)
        """Since when the opposite is seen."""
        self.is_open = np.empty(0, np.bool_)

    def grow(self, count: int) -> None:
        """Make room for more workers."""
        more = count - len(self.since)
        self.since = np.append(self.since, np.full(more, NEVER))
        self.over = np.append(self.over, np.full(more, NEVER))
        self.is_open = np.append(self.is_open, np.zeros(more, np.bool_))

    def forget(self, which: Bools) -> None:
        """Runs without an alarm begin anew."""
        self.since[which & ~self.is_open] = NEVER
        self.over[which] = NEVER

    def see(
        self, slot: Slots, t: Ints, before: Ints, holds: Bools, may_begin: Bools
    ) -> tuple[Told, Told]:
        """Take in one fix of each of some workers; the alarms that open and that end.

        Parameters
        ----------
        before
            The time of the fix before.
        holds
            Whether the fix shows the condition.
        may_begin
            Whether a run may begin or go on towards an alarm.
        """
        since, over, is_open = self.since[slot], self.over[slot], self.is_open[slot]
        torn = t - before > self._gap
        # After a silence only what has been told is still known.
        since = np.where(torn & ~is_open, NEVER, since)
        over = np.where(torn, NEVER, over)
        since = np.where(holds & may_begin & (since == NEVER), t, since)
        over = np.where(holds, NEVER, np.where(over == NEVER, t, over))
        is_over = ~holds & (t - over >= self._clear) & (since != NEVER)
        ends = is_over & is_open
        ended = Told(slot[ends], since[ends], over[ends])
        since = np.where(is_over, NEVER, since)
        opens = holds & may_begin & ~is_open & (since != NEVER) & (t - since >= self._delay)
        self.since[slot], self.over[slot] = since, over
        self.is_open[slot] = (is_open & ~ends) | opens
        return Told(slot[opens], since[opens], t[opens]), ended

    def end(self, which: Bools, at: int | Ints) -> Told:
        """End the alarms and runs of some workers; `at` for each of all workers or for all."""
        slot = np.flatnonzero(which & self.is_open)
        when = np.broadcast_to(np.asarray(at, np.int64), which.shape)[slot]
        told = Told(slot, self.since[slot], when)
        self.is_open[which] = False
        self.since[which] = NEVER
        self.over[which] = NEVER
        return told


class Spots:
    """Where each worker has stood, and since when."""

    def __init__(self, radius_m: float, delay_s: float, clear_s: float, gap_s: float) -> None:
        self._radius = radius_m
        self._delay, self._clear, self._gap = (int(s * 1e6) for s in (delay_s, clear_s, gap_s))
        self.since = np.empty(0, np.int64)
        self.over = np.empty(0, np.int64)
        self.is_open = np.empty(0, np.bool_)
        self._x, self._y, self._n = np.empty(0), np.empty(0), np.empty(0)

    def grow(self, count: int) -> None:
        """Make room for more workers."""
        more = count - len(self.since)
        self.since = np.append(self.since, np.full(more, NEVER))
        self.over = np.append(self.over, np.full(more, NEVER))
        self.is_open = np.append(self.is_open, np.zeros(more, np.bool_))
        self._x, self._y, self._n = (
            np.append(a, np.zeros(more)) for a in (self._x, self._y, self._n)
        )

    def see(self, slot: Slots, t: Ints, before: Ints, x: Floats, y: Floats) -> tuple[Told, Told]:
        """Take in one fix of each of some workers; the alarms that open and that end."""
        since, over, is_open = self.since[slot], self.over[slot], self.is_open[slot]
        torn = t - before > self._gap
        away = np.hypot(x - self._x[slot], y - self._y[slot]) > self._radius
        over = np.where(~away, NEVER, np.where(torn | (over == NEVER), t, over))
        left = away & (t - over >= self._clear)
        ends = left & is_open
        ended = Told(slot[ends], since[ends], over[ends])
        # A new spot begins here; one that was told is held on to through a silence.
        anew = left | (since == NEVER) | (torn & ~is_open)
        n = np.where(anew, 1.0, self._n[slot] + ~away)
        share = np.where(anew, 1.0, ~away / n)
        self._x[slot] += (x - self._x[slot]) * share
        self._y[slot] += (y - self._y[slot]) * share
        self._n[slot] = n
        since = np.where(anew, t, since)
        opens = ~is_open & ~away & ~anew & (t - since >= self._delay)
        self.since[slot], self.over[slot] = since, np.where(anew, NEVER, over)
        self.is_open[slot] = (is_open & ~ends) | opens
        return Told(slot[opens], since[opens], t[opens]), ended

    def put(self, slot: int, x: float, y: float) -> None:
        """Where a worker stands of whom only that is known."""
        if np.isfinite(x) and np.isfinite(y):
            self._x[slot], self._y[slot], self._n[slot] = x, y, 1.0

    def forget(self, which: Bools) -> None:
        """Spots without an alarm begin anew."""
        self.since[which & ~self.is_open] = NEVER
        self.over[which] = NEVER

    def end(self, which: Bools, at: int | Ints) -> Told:
        """End the alarms and spots of some workers."""
        slot = np.flatnonzero(which & self.is_open)
        when = np.broadcast_to(np.asarray(at, np.int64), which.shape)[slot]
        told = Told(slot, self.since[slot], when)
        self.is_open[which] = False
        self.since[which] = NEVER
        self.over[which] = NEVER
        return told
