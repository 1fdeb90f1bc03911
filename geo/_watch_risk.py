"""Rounds that can soon no longer be done, by the minutes that were spent elsewhere.

Unknown minutes never make a risk: what may have been done is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from geo._watch_plan import MINUTE_US, RunningRound
from geo._watch_runs import Bools


@dataclass(frozen=True)
class Risk:
    """A risk that opened, or is over because the round was done after all."""

    row: int
    """Number of the grid among those of the round."""
    is_over: bool
    at: int
    began: int = 0
    detail: dict[str, float] = field(default_factory=dict)


def find_risks(one: RunningRound, until: int, waits: Bools, slack_min: float) -> list[Risk]:
    """Judge a round at each full minute up to a moment; nothing between two minutes.

    A risk opens with the minute after which at most `slack_min` (or half of what is to spare) more
    may be lost, once a round.
    """
    minute = (until - one.plan.start) // MINUTE_US
    if one.judged >= minute:
        return []
    one.judged = minute
    here, away = one.judge(until, waits)
    if not here.shape[1]:
        return []
    minutes, need = one.plan.minutes, one.plan.need
    slack = np.minimum(slack_min, (minutes - need) / 2)
    lost = np.cumsum(away, axis=1) > (minutes - need - slack)[:, None]
    made = np.cumsum(here, axis=1) >= need[:, None]
    found = []
    for row in np.flatnonzero(lost.any(axis=1) & ~one.is_open & ~one.was_open):
        at = int(np.argmax(lost[row]))
        one.was_open[row] = True
        if not made[row, at]:
            one.is_open[row] = True
            found.append(_open(one, int(row), at, here[row], away[row]))
    for row in np.flatnonzero(one.is_open & made.any(axis=1)):
        one.is_open[row] = False
        end = one.plan.start + (int(np.argmax(made[row])) + 1) * MINUTE_US
        found.append(Risk(int(row), True, end))
    return found


def _open(one: RunningRound, row: int, at: int, here: Bools, away: Bools) -> Risk:
    gone, seen = int(away[: at + 1].sum()), int(here[: at + 1].sum())
    detail = {
        "here_min": seen,
        "away_min": gone,
        "unknown_min": at + 1 - seen - gone,
        "need_min": float(one.plan.need[row]),
        "left_min": one.plan.minutes - at - 1,
    }
    began = one.plan.start + int(np.argmax(away)) * MINUTE_US
    return Risk(row, False, one.plan.start + (at + 1) * MINUTE_US, began, detail)
