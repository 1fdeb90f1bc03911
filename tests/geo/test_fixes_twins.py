"""The compiled loops of `geo.fixes` beside slow ones that anybody can check."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geo._fixes_kernels import fastest_near, longest_chain, mark_stays

MOST_MS, SLACK_M, TEAR = 10.0, 30.0, 2.75


def arrays(steps):
    """Seconds between fixes and their places."""
    second = np.cumsum([step[0] for step in steps])
    x, y = (np.array([step[k] for step in steps], dtype=float) for k in (1, 2))
    return np.array([0, len(steps)]), (second * 1_000_000).astype(np.int64), x, y


def worth(chosen, micro, x, y) -> float:
    """Fixes kept, less what tears cost."""
    tears = 0
    for a, b in pairwise(chosen):
        far = np.hypot(x[b] - x[a], y[b] - y[a]) - SLACK_M
        tears += far > MOST_MS * (micro[b] - micro[a]) * 1e-6
    return len(chosen) - TEAR * tears


step = st.tuples(st.integers(1, 9), st.integers(-200, 200), st.integers(-40, 40))


@settings(max_examples=120, deadline=None)
@given(st.lists(step, min_size=1, max_size=9))
def test_no_other_choice_of_fixes_is_worth_more(steps):
    first, micro, x, y = arrays(steps)
    keep = longest_chain(first, micro, x, y, MOST_MS, SLACK_M, TEAR)
    n = len(steps)
    best = max(
        worth(chosen, micro, x, y)
        for size in range(1, n + 1)
        for chosen in combinations(range(n), size)
    )
    assert worth(np.flatnonzero(keep), micro, x, y) == best


@settings(max_examples=100, deadline=None)
@given(st.lists(step, min_size=1, max_size=30), st.integers(5, 60), st.integers(0, 40))
def test_stays_are_those_of_a_plain_loop(steps, radius, least):
    first, micro, x, y = arrays(steps)
    found = mark_stays(first, micro, x, y, float(radius), least * 1_000_000, 7_000_000)
    expected, number, i = np.full(len(x), -1), 0, 0
    while i < len(x):
        j = i + 1
        while (
            j < len(x)
            and micro[j] - micro[j - 1] <= 7_000_000
            and np.hypot(x[j] - x[i:j].mean(), y[j] - y[i:j].mean()) <= radius + 1e-9
        ):
            j += 1
        if micro[j - 1] - micro[i] >= least * 1_000_000:
            expected[i:j] = number
            number, i = number + 1, j
        else:
            i += 1
    assert found.tolist() == expected.tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(step, min_size=1, max_size=20), st.integers(0, 30))
def test_the_fastest_step_nearby_is_that_of_a_plain_loop(steps, half):
    first, micro, x, y = arrays(steps)
    found = fastest_near(first, micro, x, y, half * 1_000_000)
    for i in range(len(x)):
        near = [k for k in range(len(x)) if abs(micro[k] - micro[i]) <= half * 1_000_000]
        speeds = [
            np.hypot(x[k + 1] - x[k], y[k + 1] - y[k]) / ((micro[k + 1] - micro[k]) * 1e-6)
            for k in near[:-1]
        ]
        if speeds:
            assert np.isclose(found[i], max(speeds))
        else:
            assert np.isnan(found[i])
