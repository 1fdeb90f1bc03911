"""The standard's indicators by area, department and post, with scores that explain themselves.

Names and objects follow GB/T 30428.4 and CJ/T 292; denominators are ours where the standard leaves
them open, and each is data (`INDICATORS`). "Should be … by now" means: the deadline lies inside the
period, or it was done inside it. What happened after the end of a period is not seen, so a past
month reads the same whenever it is asked, and this year's month is not compared with one that had
a year longer to be closed.

Cases whose log does not tell when they were opened or handled (an imported history) are left out of
those figures and counted as `unknown`. Where more than `most_unknown` of them are left out there is
no value, for those that tell are not like those that do not (in many files only open cases tell how
far they are); the reason says what is lacking. Nothing unknown is ever zero.

A score is the sum of points of the indicators that are known, over the points that these could
give, of 100; `points_known` says how many of the 100 that were. With fewer than `least_points`
known there is no score and no rank: one indicator ranks nobody. An indicator with fewer than
`least_cases` in its denominator is shown and not scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj

from geo._compare_periods import Period, period_before, year_earlier
from geo._compare_units import Boundary
from geo._evaluate_counts import count_moves, count_stages
from geo._evaluate_counts import reconcile as reconcile
from geo._evaluate_facts import NEVER as NEVER
from geo._evaluate_facts import CaseFacts as CaseFacts
from geo._evaluate_facts import Moves as Moves
from geo._evaluate_facts import facts_of as facts_of
from geo._evaluate_facts import moves_of as moves_of
from geo._evaluate_figures import (
    Figures,
    find_figures,
    find_points,
    flag_change,
    rank_rows,
    sum_coverage,
    sum_scores,
)
from geo._evaluate_groups import NOBODY as NOBODY
from geo._evaluate_groups import Groups, by_area, by_department, by_post
from geo._evaluate_repeats import find_repeats as find_repeats
from geo._evaluate_tallies import COLLECTORS as COLLECTORS
from geo._evaluate_tallies import INDICATORS as INDICATORS
from geo._evaluate_tallies import OBJECTS as OBJECTS
from geo._evaluate_tallies import EvaluationRules as EvaluationRules
from geo._evaluate_tallies import Indicator as Indicator
from geo._evaluate_tallies import Mark as Mark
from geo._evaluate_tallies import Tally, View
from geo.errors import CodeError, ColumnError, InputError

REASONS = ("", "no_cases", "not_logged", "no_deadline", "no_rounds", "not_worked_out")
"""Why an indicator has no value: nothing fell under it; too few logs tell; too many cases have no
deadline; no rounds were given; repeats were not worked out."""

FLAGS = ("up", "down", "same", "unknown")
AGAINST = ("last_year", "last_period")


@dataclass(frozen=True)
class Explanation:
    """The cases behind one figure of one unit, by their row numbers (`fid`), newest first."""

    counted: tuple[int, ...]
    """Of the denominator; a case that counts twice (two checks) stands twice."""
    hit: tuple[int, ...]
    """Of the numerator. Of mean hours: the same as `counted`."""
    missed: tuple[int, ...]
    """Counted and not hit."""
    left_out: tuple[int, ...]
    """Whose log does not tell."""
    weight: float
    """Points that the indicator can give; 0 where it is not scored."""
    points: float
    """Points that it gave; NaN where it could not be scored."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Indicators, counts and scores of one object in one period; see `evaluate`."""

    by: str
    period: Period
    table: pd.DataFrame
    scores: pd.DataFrame
    counts: pd.DataFrame
    names: Mapping[str, str]
    _groups: Groups
    _tallies: Mapping[str, Tally]
    _facts: CaseFacts

    def explain(self, code: str, indicator: str) -> Explanation:
        """Tell which cases a figure stands for.

        Raises
        ------
        CodeError
            If the table has no such unit or indicator.
        """
        if (code, indicator) not in self.table.index:
            raise CodeError(
                f"no figure {indicator!r} of {code!r}: see the index of the table of indicators"
            )
        row = self.table.loc[(code, indicator)]
        tally = self._tallies.get(indicator)
        weight, points = float(row["weight"]), float(row["points"])
        if tally is None:
            return Explanation((), (), (), (), weight, points)
        label = self._groups.labels.get_loc(code)
        mine = self._groups.of(tally) == label
        is_hit = tally.hit[mine] > 0
        case = tally.case[mine]
        if INDICATORS[indicator].unit == "hours":
            is_hit = np.ones(len(case), dtype=bool)
        silent = tally.left_out[self._groups.of_cases(tally.left_out) == label]
        return Explanation(
            self._newest(case), self._newest(case[is_hit]), self._newest(case[~is_hit]),
            self._newest(silent), weight, points,
        )  # fmt: skip

    def _newest(self, rows: npt.NDArray[np.int64]) -> tuple[int, ...]:
        cases = self._facts.cases
        order = np.lexsort((rows, -cases.reported[rows]))
        return tuple(int(fid) for fid in cases.fid[rows[order]])


def evaluate(
    facts: CaseFacts,
    period: Period,
    *,
    by: str = "area",
    boundary: Boundary | None = None,
    level: str = "street",
    rules: EvaluationRules | None = None,
    coverage: pd.DataFrame | None = None,
    crs: pyproj.CRS | None = None,
    names: Mapping[str, str] | None = None,
    compared: bool = True,
) -> Evaluation:
    """Evaluate areas, departments or posts in a period.

    Parameters
    ----------
    facts
        From `facts_of`, or `geo.io.evaluation.read_case_facts`.
    period
        From `find_period` or `make_span`.
    by
        One of `OBJECTS`.
    boundary, level
        For areas: the boundary version and one of its levels.
    rules
        From `geo.io.evaluation.read_evaluation`; None: the limits of the class, no scores.
    coverage
        For areas: indexed by `grid_id` with `covered` and `whole` (square metres, streets or
        rounds) of the period, where rounds exist.
    crs
        Metric CRS of the city (`Workspace.metric_crs()`), in which returns to closed cases are
        looked for (`find_repeats`); None: the repeat rate is not told.
    names
        What to call departments (by code) and people (by `worker_id`).
    compared
        Whether the same figures of the year before and of the last period are worked out, too.

    Returns
    -------
    Evaluation
        `table`, indexed by `code` and `indicator`: `value` (share 0 to 1, or hours), `numerator`,
        `denominator` (both missing where a value is withheld), `unknown` (cases left out),
        `reason` (of `REASONS`), `rank` (1 is best, equals share it; missing with fewer than
        `least_cases`), `weight`, `points`, and for `last_year` and `last_period` each `_value`,
        `_flag` (of `FLAGS`) and `_rate` (0.1: a tenth more). `scores`, indexed by `code`: `score`,
        `points_known`, `rank`. `counts`: cases (of posts: moves) by `code`. Units in their order,
        then `BESIDE` or `NOBODY`.

    Raises
    ------
    InputError
        If `by` is unknown, or areas are asked for without a boundary.
    CodeError
        If the boundary has no such level.
    """
    if by not in OBJECTS:
        raise InputError(f"by is {by!r}: use one of {', '.join(OBJECTS)}")
    chosen = rules or EvaluationRules()
    groups = _groups_of(facts, by, boundary, level, names or {})
    _require_coverage(coverage)
    wanted = [one for one in INDICATORS.values() if by in one.objects]
    view = _view(facts, period, chosen, crs, by)
    tallies = _tallies(wanted, view)
    size = len(groups.labels)
    covered = sum_coverage(coverage, boundary, level, size)
    figures = find_figures(wanted, tallies, groups, chosen.most_unknown, covered)
    marks = {mark.name: mark for mark in (chosen.marks or {}).get(by, ())}
    table, scores = _judge(wanted, figures, groups, chosen, marks)
    if compared:
        others = {"last_year": year_earlier(period), "last_period": period_before(period)}
        for word, other in others.items():
            before = _tallies(wanted, _view(facts, other, chosen, crs, by))
            past = find_figures(wanted, before, groups, chosen.most_unknown, None)
            flag, rate = flag_change(figures.value, past.value)
            table[f"{word}_value"] = past.value.ravel()
            table[f"{word}_flag"] = flag.ravel()
            table[f"{word}_rate"] = rate.ravel()
    counts = count_moves(view, groups) if by == "post" else count_stages(view, groups)
    return Evaluation(by, period, table, scores, counts, groups.names, groups, tallies, facts)


def _view(
    facts: CaseFacts, period: Period, rules: EvaluationRules, crs: pyproj.CRS | None, by: str
) -> View:
    repeats = None
    if crs is not None and by == "area":
        repeats = find_repeats(facts, [period], crs, rules)
    return View(facts, period.begin_s, period.end_s, rules, repeats)


def _groups_of(
    facts: CaseFacts, by: str, boundary: Boundary | None, level: str, names: Mapping[str, str]
) -> Groups:
    if by == "area":
        if boundary is None:
            raise InputError("areas need a boundary: give one of geo.io.compare.read_boundary")
        return by_area(facts, boundary, level)
    return by_department(facts, names) if by == "department" else by_post(facts, names)


def _require_coverage(coverage: pd.DataFrame | None) -> None:
    if coverage is not None and not {"covered", "whole"} <= set(coverage.columns):
        raise ColumnError(f"coverage lacks covered or whole: it has {', '.join(coverage.columns)}")


def _tallies(wanted: list[Indicator], view: View) -> dict[str, Tally]:
    return {one.name: one.tally(view) for one in wanted if one.tally is not None}


def _judge(
    wanted: list[Indicator],
    figures: Figures,
    groups: Groups,
    rules: EvaluationRules,
    marks: Mapping[str, Mark],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of figures with ranks and points, and the scores."""
    enough = figures.below >= rules.least_cases
    enough |= np.array([one.tally is None for one in wanted])[:, None]
    fair = np.where(enough & ~groups.labels.isin(groups.beside), figures.value, np.nan)
    rank = rank_rows(fair, np.array([one.good == "high" for one in wanted]))
    weight, points = find_points(wanted, fair, marks)
    names = [one.name for one in wanted]
    index = pd.MultiIndex.from_product([names, groups.labels], names=["indicator", "code"])
    table = pd.DataFrame(
        {
            "value": figures.value.ravel(),
            "numerator": figures.above.ravel(),
            "denominator": figures.below.ravel(),
            "unknown": figures.silent.ravel().astype(np.int64),
            "reason": figures.reason.ravel(),
            "rank": pd.array(rank.ravel(), dtype="Int64"),
            "weight": np.repeat(weight, len(groups.labels)),
            "points": points.ravel(),
        },
        index=index.swaplevel(),
    )
    return table, sum_scores(weight, points, groups, marks, rules.least_points)
