"""Loops over the fixes of each worker on each round, compiled.

A span is the fixes of one worker within one round: positions `a` to before `b` of the clean tracks.
Each kernel has a slow, obvious twin in tests/geo/test_rounds_twins.py.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

MINUTE_US = 60_000_000
NONE, UNKNOWN, HERE, AWAY = -1, 0, 1, 2
SILENT, DEAD, VAGUE, MOCK = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def measure_outside(x, y, row, xs, ys, ring_first, shape_first):
    """Metres from each point to the polygon of its row, 0 inside of it."""
    far = np.zeros(len(x))
    for i in range(len(x)):
        px = x[i]
        py = y[i]
        best = np.inf
        inside = False
        for ring in range(shape_first[row[i]], shape_first[row[i] + 1]):
            for k in range(ring_first[ring], ring_first[ring + 1] - 1):
                ax = xs[k] - px
                ay = ys[k] - py
                dx = xs[k + 1] - xs[k]
                dy = ys[k + 1] - ys[k]
                if (ay > 0.0) != (ay + dy > 0.0) and ax - ay * dx / dy > 0.0:
                    inside = not inside
                length = dx * dx + dy * dy
                t = 0.0
                if length > 0.0:
                    t = min(1.0, max(0.0, -(ax * dx + ay * dy) / length))
                near = (ax + t * dx) ** 2 + (ay + t * dy) ** 2
                best = min(best, near)
        far[i] = 0.0 if inside else np.sqrt(best)
    return far


@njit(cache=True, nogil=True)
def find_spans(first, micro, who, low, high):
    """Where the fixes of a worker from one moment to before another begin and end."""
    a = np.empty(len(who), np.int64)
    b = np.empty(len(who), np.int64)
    for s in range(len(who)):
        begin = first[who[s]]
        mine = micro[begin : first[who[s] + 1]]
        a[s] = begin + np.searchsorted(mine, low[s])
        b[s] = begin + np.searchsorted(mine, high[s])
    return a, b


@njit(cache=True, nogil=True)
def classify_minutes(first, who, a, b, start, elapsed, micro, near, most, bridge_us):
    """What each minute of each span was: at least half of its fixes near are HERE.

    A minute without a fix between two that are no more than `bridge_us` apart is what both of them
    say, UNKNOWN if they differ. Minutes that have not gone by are NONE.
    """
    state = np.full((len(a), most), NONE, np.int8)
    total = np.zeros(most, np.int32)
    good = np.zeros(most, np.int32)
    for s in range(len(a)):
        gone = elapsed[s]
        total[:gone] = 0
        good[:gone] = 0
        for i in range(a[s], b[s]):
            minute = (micro[i] - start[s]) // MINUTE_US
            if minute < gone:
                total[minute] += 1
                good[minute] += near[i]
        for m in range(gone):
            if total[m] == 0:
                state[s, m] = UNKNOWN
            elif 2 * good[m] >= total[m]:
                state[s, m] = HERE
            else:
                state[s, m] = AWAY
        # The fixes before and after the round bridge its first and last minutes.
        for i in range(max(a[s], first[who[s]] + 1), min(b[s] + 1, first[who[s] + 1])):
            if micro[i] - micro[i - 1] > bridge_us or near[i] != near[i - 1]:
                continue
            begin = (micro[i - 1] - start[s]) // MINUTE_US + 1
            end = (micro[i] - start[s]) // MINUTE_US
            for m in range(max(begin, 0), min(end, gone)):
                if total[m] == 0:
                    state[s, m] = HERE if near[i] else AWAY
    return state


@njit(cache=True, nogil=True)
def find_still(a, b, start, micro, x, y, near, still_m, least, mean_us):
    """Whether nine of ten means near keep within `still_m` of their middle.

    The mean of each `mean_us` counts, which takes noise out and leaves walking to and fro. With
    fixes near in fewer than `least` minutes nobody can tell, and the answer is no.
    """
    found = np.zeros(len(a), np.bool_)
    for s in range(len(a)):
        xs = np.empty(b[s] - a[s])
        ys = np.empty(b[s] - a[s])
        count = 0
        minutes = 0
        size = 0
        last = -1
        last_minute = -1
        for i in range(a[s], b[s]):
            if not near[i]:
                continue
            minute = (micro[i] - start[s]) // MINUTE_US
            minutes += minute != last_minute
            last_minute = minute
            turn = (micro[i] - start[s]) // mean_us
            if turn != last:
                last = turn
                count += 1
                size = 0
                xs[count - 1] = 0.0
                ys[count - 1] = 0.0
            size += 1
            xs[count - 1] += (x[i] - xs[count - 1]) / size
            ys[count - 1] += (y[i] - ys[count - 1]) / size
        if minutes < least or count == 0:
            continue
        far = np.hypot(xs[:count] - np.median(xs[:count]), ys[:count] - np.median(ys[:count]))
        found[s] = np.quantile(far, 0.9) < still_m
    return found


@njit(cache=True, nogil=True)
def explain_silence(state, start, a, b, micro, code, last):
    """How many unknown minutes of each span are SILENT, DEAD (after the last word), VAGUE, MOCK.

    `a` and `b` are spans of the fixes that were thrown out, `code` says why (SILENT: no reason that
    counts here); `last` is the last moment of the day at which the phone was heard at all.
    """
    counts = np.zeros((len(a), 4), np.int64)
    why = np.zeros(state.shape[1], np.int8)
    for s in range(len(a)):
        why[:] = SILENT
        for i in range(a[s], b[s]):
            minute = (micro[i] - start[s]) // MINUTE_US
            if minute < len(why):
                why[minute] = max(why[minute], code[i])
        for m in range(state.shape[1]):
            if state[s, m] == UNKNOWN:
                if why[m] > DEAD:
                    counts[s, why[m]] += 1
                elif start[s] + m * MINUTE_US > last[s]:
                    counts[s, DEAD] += 1
                else:
                    counts[s, SILENT] += 1
    return counts


@njit(cache=True, nogil=True)
def combine_minutes(state, span_first, waits, still):
    """The minutes of each round from its workers', and how many of them with a phone that moved.

    HERE if anybody was; AWAY if everybody whose word is waited for was; else UNKNOWN.
    """
    rounds = len(span_first) - 1
    whole = np.full((rounds, state.shape[1]), NONE, np.int8)
    carried = np.zeros(rounds, np.int64)
    for r in range(rounds):
        begin = span_first[r]
        end = span_first[r + 1]
        for m in range(state.shape[1]):
            if begin == end or state[begin, m] == NONE:
                continue
            here = False
            moved = False
            asked = 0
            away = 0
            for s in range(begin, end):
                if state[s, m] == HERE:
                    here = True
                    moved |= not still[s]
                asked += waits[s]
                away += waits[s] and state[s, m] == AWAY
            carried[r] += moved
            if here:
                whole[r, m] = HERE
            elif asked > 0 and away == asked:
                whole[r, m] = AWAY
            else:
                whole[r, m] = UNKNOWN
    return whole, carried


@njit(cache=True, nogil=True)
def find_extremes(a, b, near, far):
    """First and last fix near of each span (-1 none), and the greatest distance from the grid."""
    first = np.full(len(a), -1, np.int64)
    last = np.full(len(a), -1, np.int64)
    most = np.full(len(a), np.nan)
    for s in range(len(a)):
        for i in range(a[s], b[s]):
            if near[i]:
                if first[s] < 0:
                    first[s] = i
                last[s] = i
            if not far[i] <= most[s]:
                most[s] = far[i]
    return first, last, most


@njit(cache=True, nogil=True)
def smooth(first, micro, x, y, half_us):
    """The mean of the fixes of the same worker within a time of each fix."""
    sx = np.empty(len(x))
    sy = np.empty(len(y))
    for w in range(len(first) - 1):
        low = first[w]
        high = first[w]
        end = first[w + 1]
        for i in range(first[w], end):
            while micro[i] - micro[low] > half_us:
                low += 1
            high = max(high, i + 1)
            while high < end and micro[high] - micro[i] <= half_us:
                high += 1
            # As many before as after, or a walk would seem to stop at its ends.
            reach = min(i - low, high - 1 - i)
            sx[i] = np.mean(x[i - reach : i + reach + 1])
            sy[i] = np.mean(y[i - reach : i + reach + 1])
    return sx, sy
