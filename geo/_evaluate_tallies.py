"""The indicators, each as a tally: which cases or moves are counted, and which of them hit.

A tally has one row for each thing in the denominator, so that a figure can be told by area,
department or post and explained down to its cases. Periods are half open; what happened after the
period is not seen, so a figure of a past period is the same whenever it is asked.
Public names are handed on by `geo.evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from geo._evaluate_facts import NEVER, Bools, CaseFacts, Rows, Seconds, is_one

OBJECTS = ("area", "department", "post")
"""The three objects of evaluation: 区域, 部门, 岗位."""

COLLECTORS = ("grid_worker", "grid_head")
"""Roles whose reports are those of collectors (采集员)."""
_HOUR_S = 3600.0
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Mark:
    """A row of the scoring table: full points at `full`, none at `zero`, straight in between."""

    name: str
    weight: float
    full: float
    zero: float


@dataclass(frozen=True)
class EvaluationRules:
    """Limits and the scoring table of a city; `geo/data/evaluation.csv` says why."""

    opening_limit_h: float = 2.0
    verify_limit_h: float = 4.0
    check_limit_h: float = 4.0
    high_frequency_classes: int = 5
    repeat_within_m: float = 50.0
    repeat_within_days: float = 30.0
    least_cases: int = 10
    most_unknown: float = 0.1
    least_points: float = 50.0
    marks: dict[str, tuple[Mark, ...]] | None = None


@dataclass(frozen=True, eq=False)
class Tally:
    """What is counted for one indicator; `owner` and `person` are numbers of the log, -1 nobody."""

    case: Rows
    hit: Floats
    """1 for what is in the numerator, else 0; hours, or square metres, where that is the unit."""
    owner: Labels
    person: Labels
    role: Labels
    left_out: Rows
    """Cases that would belong here but of which it is not known."""
    why: str = "not_logged"
    """What most of these lack."""


@dataclass(frozen=True, eq=False)
class View:
    """Facts as they stood at the end of a period."""

    facts: CaseFacts
    begin: int
    end: int
    rules: EvaluationRules
    repeats: Bools | None = None
    """Cases that come back to a closed one; None: not worked out."""

    @cached_property
    def reported(self) -> Rows:
        """Cases reported in the period."""
        return self.inside(self.facts.cases.reported)

    @cached_property
    def log_rows(self) -> Rows:
        """Rows of the log made in the period."""
        return self.inside(self.facts.log.at)

    def inside(self, times: Seconds) -> Rows:
        """Where a time lies in the period."""
        return np.flatnonzero((times >= self.begin) & (times < self.end))

    def is_by(self, times: Seconds) -> Bools:
        """Whether it had happened by the end of the period."""
        return np.asarray((times != NEVER) & (times < self.end))

    @cached_property
    def log_moves(self) -> npt.NDArray[np.int16]:
        """The move of each of `log_rows`."""
        return self.facts.log.move[self.log_rows]

    def moves(self, *names: str) -> Rows:
        """Rows of the log in the period that are one of these moves."""
        return np.asarray(self.log_rows[is_one(self.log_moves, self.facts.log.moves, names)])

    def of_cases(self, rows: Rows, hit: Bools | Floats, known: Bools) -> Tally:
        """A tally of cases; those that are not known are left out."""
        case = rows[known]
        nobody = np.full(len(case), -1, dtype=np.int32)
        values = np.asarray(hit, dtype=np.float64)[known]
        return Tally(case, values, self.facts.last_owner[case], nobody, nobody, rows[~known])

    def of_moves(self, rows: Rows, hit: Bools | Floats, left_out: Rows) -> Tally:
        """A tally of rows of the log, by whoever had the case and whoever made the move."""
        log = self.facts.log
        return Tally(
            log.case[rows].astype(np.int64),
            np.asarray(hit, dtype=np.float64),
            self.facts.holder[rows],
            log.by[rows],
            log.role[rows].astype(np.int32),
            left_out,
        )

    def silent_ends(self, told: Bools) -> Rows:
        """Cases closed in the period whose log does not tell something."""
        closed = self.inside(self.facts.cases.closed)
        return closed[~told[closed] & self.facts.is_closed[closed]]


def _opening(v: View) -> Tally:
    rows = v.reported
    return v.of_cases(rows, v.is_by(v.facts.opened_by[rows]), v.facts.tells_opening[rows])


def _due(v: View, done: Seconds) -> Rows:
    """Should be done by now: the deadline inside the period, or done inside it."""
    f = v.facts
    ended = f.is_cancelled & v.is_by(f.cases.closed)
    due = (f.cases.deadline >= v.begin) & (f.cases.deadline < v.end) & ~ended
    finished = (done >= v.begin) & (done < v.end)
    return np.flatnonzero((due & (f.cases.reported < v.end)) | finished)


def _closed(f: CaseFacts) -> Seconds:
    return np.where(f.is_closed, f.cases.closed, NEVER)


def _of_due(v: View, done: Seconds, told: Bools, in_time: bool) -> Tally:
    """What is due and, of it, what was done. Of what has no deadline only the done would show up,
    so that is left out."""
    rows = _due(v, done)
    deadline = v.facts.cases.deadline[rows]
    hit = v.is_by(done[rows]) & ((done[rows] <= deadline) | (not in_time))
    dated = deadline != NEVER
    tally = v.of_cases(rows, hit, told[rows] & dated)
    lacking = int((~dated).sum())
    why = "no_deadline" if 2 * lacking > len(tally.left_out) else "not_logged"
    return replace(tally, why=why)


def _handling(v: View) -> Tally:
    return _of_due(v, v.facts.handled, v.facts.tells_handling, in_time=False)


def _on_time_handling(v: View) -> Tally:
    return _of_due(v, v.facts.handled, v.facts.tells_handling, in_time=True)


def _closing(v: View) -> Tally:
    return _of_due(v, _closed(v.facts), v.facts.tells_end, in_time=False)


def _on_time_closing(v: View) -> Tally:
    return _of_due(v, _closed(v.facts), v.facts.tells_end, in_time=True)


def _on_time_opening(v: View) -> Tally:
    f = v.facts
    rows = v.moves("register")
    case = f.log.case[rows]
    took = f.log.at[rows] - f.cases.reported[case]
    silent = v.inside(f.opened_by)
    silent = silent[~f.tells_moves[silent]]
    return v.of_moves(rows, took <= v.rules.opening_limit_h * _HOUR_S, silent)


def _right_first_dispatch(v: View) -> Tally:
    f = v.facts
    rows = v.moves("dispatch")
    rows = rows[f.log.at[rows] == f.dispatched[f.log.case[rows]]]
    wrong = f.log.is_move("return", "transfer") & (f.log.at < v.end)
    was_wrong = np.zeros(len(f), dtype=bool)
    was_wrong[f.log.case[wrong]] = True
    silent = v.inside(f.dispatched)
    tally = v.of_moves(rows, ~was_wrong[f.log.case[rows]], silent[~f.tells_moves[silent]])
    # Whom it was given to, not who had it before.
    return replace(tally, owner=f.log.owner[rows])


def _pairs(v: View, rows: Rows, owner: Labels) -> Rows:
    """Each case and owner once, of these rows of the log, packed into one number and sorted."""
    width = np.int64(len(v.facts.log.owners) + 1)
    # The log is in order of cases, so the sort finds nearly all of it done.
    keys = np.sort(v.facts.log.case[rows] * width + owner + 1, kind="stable")
    return np.asarray(keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]])


def _of_pairs(v: View, counted: Rows, of: Labels, hits: Rows, hit_of: Labels) -> Tally:
    """Cases with the owner that they were counted for, and whether they hit with that owner."""
    keys, hit_keys = _pairs(v, counted, of), _pairs(v, hits, hit_of)
    width = np.int64(len(v.facts.log.owners) + 1)
    at = np.searchsorted(keys, hit_keys)
    there = at < len(keys)
    there[there] = keys[at[there]] == hit_keys[there]
    hit = np.zeros(len(keys))
    hit[at[there]] = 1.0
    nobody = np.full(len(keys), -1, dtype=np.int32)
    owner = (keys % width - 1).astype(np.int32)
    return Tally(keys // width, hit, owner, nobody, nobody, v.silent_ends(v.facts.tells_moves))


def _rework(v: View) -> Tally:
    f = v.facts
    done, failed = v.moves("feed_back"), v.moves("rework")
    return _of_pairs(v, done, f.holder[done], failed, f.holder[failed])


def _return(v: View) -> Tally:
    f = v.facts
    received = v.moves("dispatch", "transfer", "raise")
    received = received[f.log.owner[received] >= 0]
    returned = v.moves("return")
    return _of_pairs(v, received, f.log.owner[received], returned, f.holder[returned])


def _checks(v: View) -> Rows:
    return v.moves("close", "rework")


def _check_passed(v: View) -> Tally:
    rows = _checks(v)
    log = v.facts.log
    closes = [number for number, word in enumerate(log.moves) if word == "close"]
    passed = np.isin(log.move[rows], closes)
    return v.of_moves(rows, passed, v.silent_ends(v.facts.tells_moves))


def _on_time_check(v: View) -> Tally:
    f, rows = v.facts, _checks(v)
    previous = f.log.at[np.maximum(rows - 1, 0)]
    in_time = f.log.at[rows] - previous <= v.rules.check_limit_h * _HOUR_S
    return v.of_moves(rows, in_time, v.silent_ends(f.tells_moves))


def _mean_hours(v: View) -> Tally:
    f = v.facts
    rows = v.inside(f.handled)
    rows = rows[~f.on_spot[rows]]
    known = f.dispatched[rows] != NEVER
    hours = (f.handled[rows] - np.where(known, f.dispatched[rows], 0)) / _HOUR_S
    tally = v.of_cases(rows, hours, known)
    silent = v.silent_ends(f.tells_handling)
    return replace(tally, left_out=np.concatenate([tally.left_out, silent]))


def _high_frequency(v: View) -> Tally:
    rows, codes = v.reported, v.facts.cases.class_code
    found = codes[rows]
    counts = np.bincount(found[found >= 0], minlength=len(v.facts.cases.classes))
    # Most first, of equals the earlier code.
    words = np.argsort(np.argsort(np.asarray(v.facts.cases.classes, dtype=object)))
    order = np.lexsort((words, -counts))[: v.rules.high_frequency_classes]
    top = order[counts[order] > 0]
    return v.of_cases(rows, np.isin(found, top), np.ones(len(rows), dtype=bool))


def _repeat(v: View) -> Tally:
    rows = v.reported
    if v.repeats is None:
        return v.of_cases(rows, np.zeros(len(rows)), np.zeros(len(rows), dtype=bool))
    f = v.facts
    merged = f.merged[rows] & v.is_by(f.cases.closed[rows])
    return v.of_cases(rows, v.repeats[rows] | merged, np.ones(len(rows), dtype=bool))


def _valid_report(v: View) -> Tally:
    f = v.facts
    rows = v.moves("report")
    rows = rows[f.log.is_role(rows, *COLLECTORS)]
    case = f.log.case[rows]
    valid = v.is_by(f.opened_by[case]) | (f.on_spot[case] & v.is_by(f.cases.closed[case]))
    silent = v.reported
    return v.of_moves(rows, valid, silent[~f.tells_moves[silent]])


def _on_time_verify(v: View) -> Tally:
    f, rows = v.facts, v.moves("verify")
    took = f.log.at[rows] - f.cases.reported[f.log.case[rows]]
    silent = v.silent_ends(f.tells_moves)
    return v.of_moves(rows, took <= v.rules.verify_limit_h * _HOUR_S, silent)


def _miss(v: View) -> Tally:
    f, rows = v.facts, v.moves("report")
    silent = v.reported
    missed = ~f.log.is_role(rows, *COLLECTORS)
    return v.of_moves(rows, missed, silent[~f.tells_moves[silent]])


@dataclass(frozen=True)
class Indicator:
    """One indicator of the standard.

    `numerator` and `denominator` are keys of the words that say on the page what is counted.
    """

    name: str
    unit: Literal["share", "hours"]
    good: Literal["high", "low"]
    objects: tuple[str, ...]
    tally: Callable[[View], Tally] | None

    @property
    def numerator(self) -> str:
        return f"evaluate.numerator.{self.name}"

    @property
    def denominator(self) -> str:
        return f"evaluate.denominator.{self.name}"


_BOTH = ("area", "department")
_POSTS = ("area", "post")
INDICATORS: dict[str, Indicator] = {
    one.name: one
    for one in (
        Indicator("opening_rate", "share", "high", ("area",), _opening),
        Indicator("handling_rate", "share", "high", _BOTH, _handling),
        Indicator("on_time_handling_rate", "share", "high", _BOTH, _on_time_handling),
        Indicator("closing_rate", "share", "high", _BOTH, _closing),
        Indicator("on_time_closing_rate", "share", "high", _BOTH, _on_time_closing),
        Indicator("on_time_opening_rate", "share", "high", _POSTS, _on_time_opening),
        Indicator("right_first_dispatch_rate", "share", "high", _POSTS, _right_first_dispatch),
        Indicator("rework_rate", "share", "low", _BOTH, _rework),
        Indicator("return_rate", "share", "low", _BOTH, _return),
        Indicator("check_passed_rate", "share", "high", _BOTH, _check_passed),
        Indicator("mean_handling_hours", "hours", "low", _BOTH, _mean_hours),
        Indicator("high_frequency_share", "share", "low", _BOTH, _high_frequency),
        Indicator("repeat_rate", "share", "low", ("area",), _repeat),
        Indicator("valid_report_rate", "share", "high", _POSTS, _valid_report),
        Indicator("on_time_verify_rate", "share", "high", _POSTS, _on_time_verify),
        Indicator("on_time_check_rate", "share", "high", _POSTS, _on_time_check),
        Indicator("miss_rate", "share", "low", ("area",), _miss),
        Indicator("area_coverage_rate", "share", "high", ("area",), None),
    )
}
"""The indicators of the standard (GB/T 30428.4, CJ/T 292) by name, in the order of the page."""
