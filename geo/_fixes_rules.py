"""Rules that throw a fix out: each a small function, its threshold, unit and source.

A rule sees the fixes that the rules before it left. It answers which of them are bad and by what
value that is known. Public names are handed on by `geo.fixes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geo._fixes_kernels import longest_chain
from geo._fixes_tracks import NO_TIME, Bools, Floats, Tracks

Found = tuple[Bools, Floats]

GPS_BEGAN_S = 315_964_800.0
"""1980-01-06, when the time of GPS begins (IS-GPS-200): no fix is older."""

MOST_ACCURACY_M = 60.0
"""A fix that says it may be off by more tells nothing about a grid of 100 to 300 m."""

MOST_KMH = 120.0
"""Nobody moves faster on the roads of China (Road Traffic Safety Law, art. 67);
on railways one does, and is on no round."""

SLACK_M = 30.0
"""Two fixes may lie so far apart without any movement: each three times the 4.9 m by which phones
are off under an open sky (van Diggelen and Enge, ION GNSS+ 2015)."""

MOST_WILD = 5
"""So many wild fixes in a row are thrown out sooner than the track is torn twice; our assumption:
a phone that reports another place for longer was there, or lost its way for good."""


@dataclass(frozen=True)
class Rule:
    """Which fixes to throw out."""

    name: str
    threshold: float
    unit: str
    source: str
    find: Callable[[Tracks, float], Found]
    """Bad fixes and the value of each that is compared with the threshold."""

    def at(self, threshold: float) -> Rule:
        """The same rule with another threshold."""
        return Rule(self.name, threshold, self.unit, "set by the caller", self.find)


def find_no_place(tracks: Tracks, _: float) -> Found:
    """Coordinates that are missing or infinite."""
    bad = ~(np.isfinite(tracks.x) & np.isfinite(tracks.y))
    return bad, np.full(len(tracks), np.nan)


def find_no_time(tracks: Tracks, least_s: float) -> Found:
    """A time that is missing or before a moment, seconds since 1970; 1901 and 1970 are such."""
    second = np.where(tracks.micro == NO_TIME, np.nan, tracks.micro * 1e-6)
    return ~(second >= least_s), second


def find_mock(tracks: Tracks, _: float) -> Found:
    """Positions that the phone itself calls made up."""
    return tracks.mock, tracks.mock.astype(np.float64)


def find_vague(tracks: Tracks, most_m: float) -> Found:
    """Fixes that say they may be off by more; those that say nothing stay."""
    return tracks.accuracy > most_m, tracks.accuracy


def find_repeats(tracks: Tracks, _: float) -> Found:
    """Of fixes of a worker at the same moment all but the most accurate."""
    bad = np.zeros(len(tracks), dtype=np.bool_)
    bad[1:] = (tracks.who[1:] == tracks.who[:-1]) & (tracks.micro[1:] == tracks.micro[:-1])
    return bad, np.zeros(len(tracks))


def find_jumps(tracks: Tracks, most_kmh: float) -> Found:
    """Wild fixes: the fewest to throw out so that no step is faster than anybody moves.

    A step may be SLACK_M longer than the speed allows. Where more than MOST_WILD fixes in a row
    would go, the track tears instead: the worker was there, and how is not known.
    The value is the speed from the fix before, km/h.
    """
    tear = (MOST_WILD + 0.5) / 2
    keep = longest_chain(
        tracks.first, tracks.micro, tracks.x, tracks.y, most_kmh / 3.6, SLACK_M, tear
    )
    return ~keep, _speed_kmh(tracks)


def _speed_kmh(tracks: Tracks) -> Floats:
    speed = np.full(len(tracks), np.nan)
    if len(tracks) > 1:
        apart = np.diff(tracks.micro) * 1e-6
        far = np.hypot(np.diff(tracks.x), np.diff(tracks.y))
        joined = (np.diff(tracks.who) == 0) & (apart > 0)
        speed[1:][joined] = far[joined] / apart[joined] * 3.6
    return speed


NO_PLACE = Rule("no place", np.nan, "", "a fix is a place", find_no_place)
NO_TIME_RULE = Rule("no time", GPS_BEGAN_S, "s since 1970", "IS-GPS-200", find_no_time)
MOCK = Rule("made up", np.nan, "", "the phone's own word", find_mock)
VAGUE = Rule("vague", MOST_ACCURACY_M, "m", "a grid is 100 to 300 m wide", find_vague)
REPEATED = Rule("repeated", 0.0, "s apart", "one worker is in one place", find_repeats)
JUMP = Rule("jump", MOST_KMH, "km/h", "Road Traffic Safety Law, art. 67", find_jumps)
RULES = (NO_PLACE, NO_TIME_RULE, MOCK, VAGUE, REPEATED, JUMP)
"""In this order: what has no place or time has no speed."""
