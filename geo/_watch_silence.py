"""Who is silent, and when silence is an alarm of its own and when the whole feed has stopped.

A phone is silent for long when nothing came for the delay. It is told of a single worker only
if somebody else was heard shortly before: when all are silent the feed has stopped, which is one
alarm and not five thousand. When the feed comes back, silence counts from there.
"""

from __future__ import annotations

import numpy as np

from geo._watch_runs import NEVER, Bools, Ints


class Feed:
    """When anybody was heard."""

    def __init__(self, gap_s: float) -> None:
        self.gap = int(gap_s * 1e6)
        self.newest = NEVER
        self.back = NEVER
        """When the feed last came back after a silence of all."""
        self._heard = np.array([NEVER], np.int64)
        self._backs = np.array([NEVER], np.int64)

    def came_back(self, until: int) -> int | None:
        """The first word since the look before and up to a moment; None if nobody said any."""
        heard = self._heard[1:]
        heard = heard[heard <= until]
        return int(heard[0]) if len(heard) else None

    def find_stops(self, start: int, until: int, delay: int) -> list[tuple[int, int]]:
        """Silences of all for at least `delay` after `start`: begin, and the next word or `until`.

        The time before anybody was ever heard is none.
        """
        heard = self._heard[self._heard <= until]
        began, ends = np.maximum(heard, start), np.append(heard[1:], until)
        long = (heard != NEVER) & (ends - began >= delay)
        return [(int(b), int(e)) for b, e in zip(began[long], ends[long], strict=True)]

    @property
    def back_before(self) -> int:
        """When the feed had last come back before this look."""
        return int(self._backs[0])

    def take(self, times: Ints) -> None:
        """Note when phones were heard since the last look; late ones tell nothing new."""
        times = np.unique(times[times > self.newest])
        before = np.concatenate([[self.newest], times])
        backs = times[np.diff(before) > self.gap]
        self._heard = before
        self._backs = np.concatenate([[self.back], backs])
        if len(times):
            self.newest = int(times[-1])
        if len(backs):
            self.back = int(backs[-1])

    def find_due(self, base: Ints, delay: int) -> Ints:
        """When silence since `base` becomes an alarm, if nothing more is heard of that phone.

        NEVER while the feed stands still at that moment and has not come back.
        """
        due = np.full(len(base), NEVER)
        base = base.copy()
        open_ = np.arange(len(base))
        while len(open_):
            end = base[open_] + delay
            back = self._backs[np.searchsorted(self._backs, end, side="right") - 1]
            moved = back > base[open_]
            last = np.searchsorted(self._heard, end, side="right") - 1
            alive = end - self._heard[np.maximum(last, 0)] <= self.gap
            alive &= last >= 0
            # Not alive at that moment: the next word of anybody is the feed coming back.
            there = last + 1 < len(self._heard)
            following = self._heard[np.minimum(last + 1, len(self._heard) - 1)]
            fires = ~moved & alive
            due[open_[fires]] = end[fires]
            base[open_] = np.where(moved, back, np.where(alive, base[open_], following))
            open_ = open_[moved | (~alive & there)]
        return due


def find_silent(last: Ints, since: int, until: int, delay: int) -> Bools:
    """Whose phones say nothing for the delay before a moment."""
    return np.asarray((last != NEVER) & (until - np.maximum(last, since) >= delay))
