"""Counts beside the indicators, and the list that must add up.

Public names are handed on by `geo.evaluate`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._compare_periods import Period
from geo._evaluate_facts import NEVER, OPEN_CODES, CaseLike, Rows
from geo._evaluate_groups import Groups
from geo._evaluate_tallies import INDICATORS, Tally, View
from geo.schema import STAGES

NO_CLASS = "(no class)"
ALL = "(total)"
_CLOSED = STAGES.index("closed")

MOVE_COUNTS = {
    "reports": ("report",),
    "verified": ("verify",),
    "openings": ("register",),
    "dispatches": ("dispatch",),
    "handled": ("feed_back",),
    "checks": ("close", "rework"),
    "forced": ("force_close",),
}


def count_stages(view: View, groups: Groups) -> pd.DataFrame:
    """Cases by unit: what came in, what was due, what was done.

    `should_handle` = `handled` + `not_handled`, `handled` = in time + overdue; likewise of closing.
    What is not known, or has no deadline, stands in `handling_unknown` and `closing_unknown`, and
    reported cases whose opening is not known in `opening_unknown`.
    """
    f = view.facts
    closed = np.where(f.is_closed, f.cases.closed, NEVER)
    cancelled = np.where(f.is_cancelled, f.cases.closed, NEVER)
    on_spot = np.where(f.on_spot, f.cases.closed, NEVER)
    table = {
        "reported": _by_case(groups, view.reported),
        "opened": _by_case(groups, view.inside(f.opened_by)),
        "opening_unknown": _by_case(groups, view.reported[~f.tells_opening[view.reported]]),
        "dispatched": _by_case(groups, view.inside(f.dispatched)),
        **_due(view, groups, "handling_rate", "handle", f.handled),
        **_due(view, groups, "closing_rate", "close", closed),
        "reworked": _by_rows(view, groups, "rework"),
        "returned": _by_rows(view, groups, "return"),
        "on_spot": _by_case(groups, view.inside(on_spot)),
        "cancelled": _by_case(groups, view.inside(cancelled)),
    }
    return pd.DataFrame(table, index=groups.labels)


def count_moves(view: View, groups: Groups) -> pd.DataFrame:
    """Moves by post."""
    table = {}
    for name, moves in MOVE_COUNTS.items():
        rows = view.moves(*moves)
        none = np.zeros(0, dtype=np.int64)
        label = groups.of(view.of_moves(rows, np.ones(len(rows)), none))
        table[name] = np.bincount(label, minlength=len(groups.labels))
    return pd.DataFrame(table, index=groups.labels)


def reconcile(cases: CaseLike, period: Period) -> pd.DataFrame:
    """List what was reported in a period by class, so that everything adds up.

    Returns
    -------
    DataFrame
        Indexed by class code, most cases first, then `(no class)` and `(total)`: `reported`,
        `solved`, `open`, `cancelled`, `unknown` (a stage that nobody knows), as they are now.
        Each row's parts add up to `reported`, and each column to its total.
    """
    inside = (cases.reported >= period.begin_s) & (cases.reported < period.end_s)
    rows = np.flatnonzero(inside)
    size = len(cases.classes) + 1
    code = cases.class_code[rows].astype(np.int64)
    code[code < 0] = size - 1
    stage = cases.stage[rows]
    parts = {
        "reported": np.ones(len(rows), dtype=bool),
        "solved": stage == _CLOSED,
        "open": np.isin(stage, OPEN_CODES),
        "cancelled": stage == STAGES.index("cancelled"),
        "unknown": stage < 0,
    }
    table = pd.DataFrame(
        {name: np.bincount(code[mask], minlength=size) for name, mask in parts.items()},
        index=pd.Index([*cases.classes, NO_CLASS], dtype=object, name="class_code"),
    )
    last = table.loc[[NO_CLASS]]
    known = table.drop(index=NO_CLASS)
    known = known[known["reported"] > 0].sort_index()
    known = known.sort_values("reported", ascending=False, kind="stable")
    total = table.sum().to_frame(ALL).T
    return pd.concat([known, last, total]).rename_axis("class_code")


def _by_case(groups: Groups, rows: Rows) -> npt.NDArray[np.int64]:
    return np.bincount(groups.of_cases(rows), minlength=len(groups.labels))


def _by_rows(view: View, groups: Groups, move: str) -> npt.NDArray[np.int64]:
    """Moves of one kind, by whoever had the case."""
    rows = view.moves(move)
    none = np.zeros(0, dtype=np.int64)
    tally = view.of_moves(rows, np.ones(len(rows)), none)
    return np.bincount(groups.of(tally), minlength=len(groups.labels))


def _due(
    view: View, groups: Groups, indicator: str, word: str, done: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.int64]]:
    make = INDICATORS[indicator].tally
    assert make is not None
    tally: Tally = make(view)
    due = view.facts.cases.deadline[tally.case]
    at = done[tally.case]
    is_done = tally.hit > 0
    past = {"handle": "handled", "close": "closed"}[word]
    masks = {
        f"should_{word}": np.ones(len(at), dtype=bool),
        past: is_done,
        f"on_time_{past}": is_done & (at <= due),
        f"overdue_{past}": is_done & (at > due),
        f"not_{past}": ~is_done,
    }
    label = groups.of(tally)
    size = len(groups.labels)
    counts = {name: np.bincount(label[mask], minlength=size) for name, mask in masks.items()}
    unknown = {"handle": "handling_unknown", "close": "closing_unknown"}[word]
    return counts | {unknown: np.bincount(groups.of_cases(tally.left_out), minlength=size)}
