"""One block changes its grid: is it allowed, and what are the totals then. Compiled.

Columns of `block` and `grid`: households, people, area (m2), perimeter (m); `grid` has the number
of blocks after them. A grid's perimeter is that of its blocks less twice what they share.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

DONE, SAME, OTHER_COMMUNITY, LAST_BLOCK, NOT_BESIDE, CUTS = range(6)
PERIMETER, COUNT = 3, 4


@njit(cache=True)
def move_block(
    start: NDArray[np.int64],
    other: NDArray[np.int64],
    shared: NDArray[np.float64],
    block: NDArray[np.float64],
    home: NDArray[np.int64],
    label: NDArray[np.int64],
    grid: NDArray[np.float64],
    seen: NDArray[np.int64],
    unit: int,
    to: int,
    keep_whole: bool,
) -> int:
    """Move a block if every rule holds, and bring label and totals up to date.

    `home` is the community of each grid; `seen` is scratch space, one a block, zero at first.
    """
    left = label[unit]
    if left == to:
        return SAME
    if home[left] != home[to]:
        return OTHER_COMMUNITY
    if grid[left, COUNT] == 1:
        return LAST_BLOCK
    with_left = 0.0
    with_to = 0.0
    beside = False
    for k in range(start[unit], start[unit + 1]):
        near = label[other[k]]
        if near == left:
            with_left += shared[k]
        elif near == to:
            with_to += shared[k]
            beside = True
    if keep_whole:
        if not beside:
            return NOT_BESIDE
        if not _hangs_together(start, other, label, seen, unit, left, int(grid[left, COUNT])):
            return CUTS
    label[unit] = to
    for c in range(3):
        grid[left, c] -= block[unit, c]
        grid[to, c] += block[unit, c]
    grid[left, PERIMETER] += 2 * with_left - block[unit, PERIMETER]
    grid[to, PERIMETER] += block[unit, PERIMETER] - 2 * with_to
    grid[left, COUNT] -= 1
    grid[to, COUNT] += 1
    return DONE


@njit(cache=True)
def _hangs_together(
    start: NDArray[np.int64],
    other: NDArray[np.int64],
    label: NDArray[np.int64],
    seen: NDArray[np.int64],
    without: int,
    grid: int,
    count: int,
) -> bool:
    """Whether a grid is one piece without one of its blocks."""
    first = -1
    for k in range(start[without], start[without + 1]):
        if label[other[k]] == grid:
            first = other[k]
            break
    if first < 0:
        return False
    # A mark of its own for each call, so that nothing needs to be wiped.
    seen[-1] += 1
    mark = seen[-1]
    stack = np.empty(count, dtype=np.int64)
    stack[0] = first
    seen[first] = mark
    seen[without] = mark
    size, reached = 1, 0
    while size:
        size -= 1
        one = stack[size]
        reached += 1
        for k in range(start[one], start[one + 1]):
            near = other[k]
            if label[near] == grid and seen[near] != mark:
                seen[near] = mark
                stack[size] = near
                size += 1
    return reached == count - 1
