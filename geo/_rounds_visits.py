"""Whether a worker stood at a place or walked a street piece during a round, compiled.

Twins stand in tests/geo/test_rounds_twins.py.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
from numba import njit

NOT_VISITED, UNKNOWN, PROBABLE, VISITED = 0, 1, 2, 3

MILLIMETRE = 1e-3
"""Nearer by less is rounding: of fixes of one stay the first counts."""


@njit(cache=True, nogil=True)
def judge_points(
    item_round, px, py, within, stay_us, span_first, waits, a, b, low, high, micro, x, y,
    gap_us, leave_us, walk_ms, hurry_ms,
):  # fmt: skip
    """What the fixes of a round say of a visit to a point: the best of all its workers.

    Returns state, the span that shows it, begin of the stay, time near (us), nearest distance and
    the fix at which it was, and whether a step hid what happened.
    """
    n = len(item_round)
    state = np.zeros(n, np.int8)
    by = np.full(n, -1, np.int64)
    since = np.full(n, -1, np.int64)
    stayed = np.zeros(n, np.int64)
    nearest = np.full(n, np.inf)
    nearest_at = np.full(n, -1, np.int64)
    for k in range(n):
        r = item_round[k]
        shown = NOT_VISITED
        for s in range(span_first[r], span_first[r + 1]):
            found = NOT_VISITED
            begin = -1
            last = -1
            extra = 0.0
            best = -1
            best_begin = -1
            before = low[s]
            far_before = -1.0
            for i in range(a[s], b[s] + 1):
                is_end = i == b[s]
                now = high[s] if is_end else micro[i]
                far = -1.0 if is_end else np.hypot(x[i] - px[k], y[i] - py[k])
                if not is_end and far < nearest[k] - MILLIMETRE:
                    nearest[k] = far
                    nearest_at[k] = i
                    if shown < PROBABLE:
                        by[k] = s
                is_near = not is_end and far <= within[k]
                lapse = now - before
                was_near = 0.0 <= far_before <= within[k]
                # Could a visit hide in this step? The ways there and away take time.
                way = max(0.0, far_before - within[k]) + max(0.0, far - within[k])
                spare = lapse - way / hurry_ms * 1e6
                # A short step between two fixes near is no hiding place but part of the stay.
                joined = was_near and is_near and lapse <= gap_us
                if waits[s] and lapse > leave_us and spare >= stay_us[k] and not joined:
                    found = max(found, PROBABLE if was_near or is_near else UNKNOWN)
                if is_near:
                    stays_on = begin >= 0 and (
                        (was_near and lapse <= gap_us) or now - last <= leave_us
                    )
                    if not stays_on:
                        begin = now
                        extra = 0.0
                        if far_before >= 0.0 and lapse <= gap_us:
                            extra = max(
                                0.0, lapse - max(0.0, far_before - within[k]) / walk_ms * 1e6
                            )
                    last = now
                    if last - begin > best:
                        best = last - begin
                        best_begin = begin
                    if last - begin >= stay_us[k]:
                        found = VISITED
                    elif last - begin + extra >= stay_us[k]:
                        found = max(found, PROBABLE)
                elif begin >= 0 and was_near and not is_end and lapse <= gap_us:
                    more = max(0.0, lapse - max(0.0, far - within[k]) / walk_ms * 1e6)
                    if last - begin + extra + more >= stay_us[k]:
                        found = max(found, PROBABLE)
                before = now
                far_before = far
            # What shows a visit counts before what shows only that somebody was near.
            rank = found if found >= PROBABLE else NOT_VISITED
            longer = best > stayed[k] or (best == stayed[k] and best_begin < since[k])
            if rank > shown or (rank == shown and best >= 0 and (since[k] < 0 or longer)):
                shown = rank
                stayed[k] = max(best, 0)
                since[k] = best_begin
                if rank >= PROBABLE:
                    by[k] = s
            state[k] = max(state[k], found)
    return state, by, since, stayed, nearest, nearest_at


@njit(cache=True, nogil=True)
def judge_lines(
    item_round, sample_first, sx, sy, within, span_first, waits, a, b, low, high, micro, x, y,
    gap_us, hurry_ms,
):  # fmt: skip
    """For each sample of a street piece whether a worker of the round came by (2), may have (1).

    Also of each item the span and fix that came nearest to any of its samples, the distance, and
    the first moment at a sample.
    """
    hit = np.zeros(len(sx), np.int8)
    n = len(item_round)
    by = np.full(n, -1, np.int64)
    since = np.full(n, -1, np.int64)
    nearest = np.full(n, np.inf)
    nearest_at = np.full(n, -1, np.int64)
    for k in range(n):
        r = item_round[k]
        for s in range(span_first[r], span_first[r + 1]):
            for q in range(sample_first[k], sample_first[k + 1]):
                before = low[s]
                far_before = -1.0
                for i in range(a[s], b[s] + 1):
                    is_end = i == b[s]
                    now = high[s] if is_end else micro[i]
                    far = -1.0 if is_end else np.hypot(x[i] - sx[q], y[i] - sy[q])
                    lapse = now - before
                    if not is_end:
                        if far < nearest[k] - MILLIMETRE:
                            nearest[k] = far
                            nearest_at[k] = i
                            by[k] = s
                        close = far
                        if far_before >= 0.0 and lapse <= gap_us:
                            dx = x[i] - x[i - 1]
                            dy = y[i] - y[i - 1]
                            length = dx * dx + dy * dy
                            if length > 0.0:
                                t = ((sx[q] - x[i - 1]) * dx + (sy[q] - y[i - 1]) * dy) / length
                                t = min(1.0, max(0.0, t))
                                close = np.hypot(
                                    x[i - 1] + t * dx - sx[q], y[i - 1] + t * dy - sy[q]
                                )
                        if close <= within[k]:
                            hit[q] = 2
                            if since[k] < 0 or now < since[k]:
                                since[k] = now
                            break
                    if waits[s] and lapse > gap_us:
                        way = max(0.0, far_before - within[k]) + max(0.0, far - within[k])
                        if way / hurry_ms * 1e6 <= lapse:
                            hit[q] = max(hit[q], 1)
                    before = now
                    far_before = far
    return hit, by, since, nearest, nearest_at
