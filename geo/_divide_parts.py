"""Parts of a graph that hang together, and the names that a new plan takes from an old one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def label_parts(count: int, one: Ints, two: Ints) -> Ints:
    """Number the parts of `count` nodes that hang together by the links one-two, in their order.

    Each part hooks onto the smallest number that it touches and all chains are cut short, again
    until nothing changes (Shiloach and Vishkin, Journal of Algorithms 3, 1982).
    """
    head = np.arange(count, dtype=np.int64)
    while True:
        a, b = head[one], head[two]
        if (a == b).all():
            return np.asarray(np.unique(head, return_inverse=True)[1], dtype=np.int64)
        low = np.minimum(a, b)
        np.minimum.at(head, a, low)
        np.minimum.at(head, b, low)
        while True:
            short = head[head]
            if (short == head).all():
                break
            head = short


def match_labels(label: Ints, old: Ints, load: Floats) -> Ints:
    """Rename the grids of a plan after the old ones, one to one, so that most load keeps its grid.

    The assignment problem (Kuhn 1955), by scipy. Grids without a partner get numbers above all.
    """
    # Large to load, and a fresh division does without.
    from scipy.optimize import linear_sum_assignment

    names, new = np.unique(label, return_inverse=True)
    olds, was = np.unique(old, return_inverse=True)
    common = np.zeros((len(names), len(olds)))
    np.add.at(common, (new, was), load + 1e-6)
    common[:, olds < 0] = 0.0
    rows, columns = linear_sum_assignment(-common)
    above = int(max(label.max(), old.max())) + 1
    name = above + np.arange(len(names))
    for row, column in zip(rows, columns, strict=True):
        if common[row, column] > 0:
            name[row] = olds[column]
    return np.asarray(name[new], dtype=np.int64)
