"""Loops over tracks that depend on what came before, compiled.

Each has a slow, obvious twin in tests/geo/test_fixes_twins.py.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

MOST_IN_A_ROW = 20
"""At most so many fixes between two good ones are thrown out as wild."""


@njit(cache=True, nogil=True)
def longest_chain(first, micro, x, y, most_ms, slack_m, tear):
    """Which fixes to keep, so that no step is impossible: most of them, less `tear` for each tear.

    A step is impossible if it is longer than `slack_m` plus what `most_ms` allows in its time.
    Between two kept fixes at most MOST_IN_A_ROW are dropped; at a tear the step may be impossible.
    Of equally good chains the one that keeps the latest fixes.
    """
    n = len(x)
    keep = np.zeros(n, np.bool_)
    best = np.empty(n)
    back = np.empty(n, np.int64)
    for w in range(len(first) - 1):
        begin = first[w]
        end = first[w + 1]
        top = -1.0
        for i in range(begin, end):
            found = 1.0
            came = -1
            for j in range(i - 1, max(begin, i - 1 - MOST_IN_A_ROW) - 1, -1):
                gone = np.hypot(x[i] - x[j], y[i] - y[j]) - slack_m
                value = best[j] + 1.0
                if gone > most_ms * (micro[i] - micro[j]) * 1e-6:
                    value -= tear
                elif best[j] >= top:
                    # Nothing before is better, and no tear is needed.
                    if value > found:
                        found = value
                        came = j
                    break
                if value > found:
                    found = value
                    came = j
            best[i] = found
            back[i] = came
            top = max(top, found)
        if end > begin:
            last = begin
            for i in range(begin, end):
                if best[i] >= best[last]:
                    last = i
            while last >= 0:
                keep[last] = True
                last = back[last]
    return keep


@njit(cache=True, nogil=True)
def mark_stays(first, micro, x, y, radius_m, least_us, gap_us):
    """The number of the stay that each fix belongs to, -1 where there is none.

    A stay grows as long as the next fix lies within the radius of the mean of those before it and
    comes in time; it counts if it lasts. The next one begins after it.
    """
    stay = np.full(len(x), -1, np.int32)
    number = 0
    for w in range(len(first) - 1):
        i = first[w]
        end = first[w + 1]
        while i < end:
            mx = x[i]
            my = y[i]
            j = i + 1
            while (
                j < end
                and micro[j] - micro[j - 1] <= gap_us
                and np.hypot(x[j] - mx, y[j] - my) <= radius_m
            ):
                count = j - i + 1
                mx += (x[j] - mx) / count
                my += (y[j] - my) / count
                j += 1
            if micro[j - 1] - micro[i] >= least_us:
                for k in range(i, j):
                    stay[k] = number
                number += 1
                i = j
            else:
                i += 1
    return stay


@njit(cache=True, nogil=True)
def fastest_near(first, micro, x, y, half_us):
    """The fastest step (m/s) among those whose ends both lie within a time of each fix.

    Not-a-number where there is no such step.
    """
    fastest = np.full(len(x), np.nan)
    for w in range(len(first) - 1):
        low = first[w]
        high = first[w]
        end = first[w + 1]
        for i in range(first[w], end):
            while micro[i] - micro[low] > half_us:
                low += 1
            high = max(high, i)
            while high + 1 < end and micro[high + 1] - micro[i] <= half_us:
                high += 1
            for k in range(low, high):
                apart = (micro[k + 1] - micro[k]) * 1e-6
                if apart <= 0.0:
                    continue
                speed = np.hypot(x[k + 1] - x[k], y[k + 1] - y[k]) / apart
                if not speed <= fastest[i]:
                    fastest[i] = speed
    return fastest


@njit(cache=True, nogil=True)
def group_rows(who, count):
    """Positions of the rows, those of each number together and in the order they came."""
    begin = np.zeros(count + 1, np.int64)
    for i in range(len(who)):
        begin[who[i] + 1] += 1
    for k in range(count):
        begin[k + 1] += begin[k]
    rows = np.empty(len(who), np.int64)
    for i in range(len(who)):
        rows[begin[who[i]]] = i
        begin[who[i]] += 1
    return rows
