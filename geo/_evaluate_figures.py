"""Tallies to figures: value, rank, points and scores, one row of arrays an indicator.

Public names are handed on by `geo.evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._compare_units import Boundary
from geo._evaluate_facts import Bools
from geo._evaluate_groups import Groups
from geo._evaluate_tallies import Floats, Indicator, Mark, Tally

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Figures:
    """One row an indicator, one column a unit."""

    value: Table
    above: Table
    below: Table
    silent: Table
    reason: npt.NDArray[np.object_]


def find_figures(
    wanted: Sequence[Indicator],
    tallies: Mapping[str, Tally],
    groups: Groups,
    most_unknown: float,
    covered: tuple[Floats, Floats] | None,
) -> Figures:
    """Numerator, denominator and value of each indicator and unit.

    `covered` has what rounds covered of what there is, by unit; None: no rounds.
    """
    shape = (len(wanted), len(groups.labels))
    above, below, silent = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    words = np.full(shape, "no_cases", dtype=object)
    for k, one in enumerate(wanted):
        if one.tally is None:
            words[k] = "no_rounds"
            if covered is not None:
                above[k], below[k] = covered
            continue
        tally = tallies[one.name]
        label = groups.of(tally)
        below[k] = np.bincount(label, minlength=shape[1])
        above[k] = np.bincount(label, weights=tally.hit, minlength=shape[1])
        silent[k] = np.bincount(groups.of_cases(tally.left_out), minlength=shape[1])
        lacks = "not_worked_out" if one.name == "repeat_rate" else tally.why
        words[k, silent[k] > 0] = lacks
    told = (below > 0) & (silent <= most_unknown * (below + silent))
    value = np.full(shape, np.nan)
    value[told] = above[told] / below[told]
    words[told] = ""
    # What is withheld must not be divided after all by whoever reads the table.
    withheld = (below > 0) & ~told
    above[withheld] = below[withheld] = np.nan
    return Figures(value, above, below, silent, words)


def sum_coverage(
    coverage: pd.DataFrame | None, boundary: Boundary | None, level: str, size: int
) -> tuple[Floats, Floats] | None:
    """What rounds covered and what there is, by unit; None without rounds, or of zones."""
    if coverage is None or boundary is None or boundary.units(level).shapes is not None:
        return None
    units = boundary.units(level)
    row = boundary.grids.index.astype(str).get_indexer(coverage.index.astype(str))
    place = np.append(units.of_grid, len(units) + 1)[row]
    sums = [
        np.bincount(place, weights=coverage[name].to_numpy(dtype=np.float64), minlength=size)
        for name in ("covered", "whole")
    ]
    return np.asarray(sums[0], np.float64), np.asarray(sums[1], np.float64)


def rank_rows(values: Table, high_is_good: Bools) -> npt.NDArray[np.float64]:
    """Rank each row, 1 the best, equals sharing the best; NaN where there is no value."""
    signed = np.where(high_is_good[:, None], -values, values)
    ranks = np.full(values.shape, np.nan)
    for k, row in enumerate(signed):
        known = np.flatnonzero(~np.isnan(row))
        ordered = np.sort(row[known])
        ranks[k, known] = np.searchsorted(ordered, row[known], side="left") + 1
    return ranks


def find_points(
    wanted: Sequence[Indicator], values: Table, marks: Mapping[str, Mark]
) -> tuple[Floats, Table]:
    """The weight of each indicator, and the points that each unit gets; NaN where not scored."""
    found = [marks.get(one.name) for one in wanted]
    weight = np.array([0.0 if mark is None else mark.weight for mark in found])
    full = np.array([1.0 if mark is None else mark.full for mark in found])
    zero = np.array([0.0 if mark is None else mark.zero for mark in found])
    share = np.clip((values - zero[:, None]) / (full - zero)[:, None], 0, 1)
    return weight, np.where(weight[:, None] > 0, weight[:, None] * share, np.nan)


def sum_scores(
    weight: Floats,
    points: Table,
    groups: Groups,
    marks: Mapping[str, Mark],
    least_points: float = 0.0,
) -> pd.DataFrame:
    """Score, how many of a hundred points were known, and rank, by unit.

    With fewer than `least_points` of them known there is no score and no rank.
    """
    scored = ~np.isnan(points)
    known = (weight[:, None] * scored).sum(axis=0)
    got = np.where(scored, points, 0.0).sum(axis=0)
    possible = sum(mark.weight for mark in marks.values())
    score = np.full(len(groups.labels), np.nan)
    told = (known > 0) & (known >= least_points / 100 * possible)
    score[told] = got[told] / known[told] * 100
    is_unit = ~groups.labels.isin(groups.beside)
    index = groups.labels[is_unit].rename("code")
    frame = pd.DataFrame(
        {
            "name": [groups.names.get(code, code) for code in index],
            "score": score[is_unit],
            "points_known": (known / possible * 100 if possible else known * 0)[is_unit],
        },
        index=index,
    )
    # Posts are ranked among their own kind: an acceptor is no better than a dispatcher.
    kind = [code.partition(":")[0] if groups.by == "post" else "" for code in index]
    rank = frame["score"].groupby(kind).rank(method="min", ascending=False)
    return frame.assign(rank=rank.astype("Int64"))


def flag_change(now: Table, then: Table) -> tuple[npt.NDArray[np.object_], Table]:
    """Whether a value went up or down, and by which share of what it was."""
    known = ~np.isnan(now) & ~np.isnan(then)
    flag = np.select(
        [~known, now > then, now < then], ["unknown", "up", "down"], default="same"
    ).astype(object)
    rate = np.full(now.shape, np.nan)
    some = known & (then != 0)
    rate[some] = (now[some] - then[some]) / then[some]
    return flag, rate
