"""What a leader must know: what got worse, where, since when, who answers, what was done.

Made from a `Comparison`, so nothing is told as worse that its test does not carry. What got worse
comes in the order of the cases that are too many (now - expected), not of percent, which favours
the smallest units.

Since when: of all ways to cut the last 53 weeks in two, the one with the greatest likelihood under
two steady Poisson rates (Hinkley 1970, Biometrika 57), at least three weeks on either side. It is
sure if the exact test of the two rates, times the number of cuts that were tried (Bonferroni), is
below 1 - confidence. Otherwise no day is named, for a rise may also be a slope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._compare_count import choose
from geo._compare_rates import compare_rates
from geo._compare_units import BESIDE
from geo._evaluate_facts import NEVER, OPEN_CODES, CaseFacts, CaseLike
from geo.compare import Comparison
from geo.errors import InputError
from geo.responsibility import ChainIndex

LEAST_SIDE = 3
"""Weeks on either side of a change; our assumption."""
MOST_CLASSES = 3
MOST_OWNERS = 3
MOST_CASES = 20
_CHAIN = ("district", "street", "community", "grid")
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Change:
    """The week at which a rate changed; see the head of the module."""

    week: int
    """Position of the first week after it."""
    before: float
    """Cases a week of five workdays and two weekend days before it."""
    after: float
    p: float
    """Of the exact test, times the number of cuts."""
    is_sure: bool


@dataclass(frozen=True)
class BriefItem:
    """One unit that got worse (or better), with everything that a leader asks next."""

    code: str
    name: str
    level: str
    now: float
    expected: float
    change: float
    low: float
    high: float
    verdict: str
    since: date | None
    """First day of the first week of the new rate; None where no week is sure."""
    before_week: float
    """Cases a week before and after; NaN where no week is sure."""
    after_week: float
    sure_since: bool
    classes: tuple[tuple[str, float, float], ...]
    """Class, cases now, cases expected: the ones with the greatest difference in the direction of
    the unit. The empty text is no class."""
    people: Mapping[str, str]
    """Level to the name of who answers there now; a level where nobody does is left out."""
    owners: tuple[tuple[str, int], ...]
    """Who has its open cases, most first."""
    done: Mapping[str, int]
    """Moves made on its cases since then (since the period began where no week is sure)."""
    open: int
    overdue: int
    fids: tuple[int, ...]
    """Row numbers of its newest cases of the period, at most 20."""


@dataclass(frozen=True, eq=False)
class Briefing:
    """The answer of `write_briefing`."""

    comparison: Comparison
    items: tuple[BriefItem, ...]
    """What got worse, most cases too many first."""
    better: tuple[BriefItem, ...]
    """What got better, likewise."""
    more_worse: int
    """Further units that got worse and are not in `items`; likewise better."""
    more_better: int
    quiet: int
    """Units without a clear change."""
    unsure: int
    """Units with too few cases to tell."""
    unknown: int
    """Units of which records are missing."""
    total: pd.Series
    notes: tuple[str, ...]


def write_briefing(
    comparison: Comparison,
    cases: CaseLike,
    *,
    at: datetime,
    facts: CaseFacts | None = None,
    chain: ChainIndex | None = None,
    classes: tuple[str, ...] | None = None,
    most: int = 8,
) -> Briefing:
    """Sum up a comparison for a leader.

    Parameters
    ----------
    comparison
        From `compare` or `compare_city`.
    cases
        The columns that it was made from.
    at
        Now, with zone.
    facts
        From `read_case_facts`, of the same cases; None: nothing is told of what was done.
    chain
        Who answers; None: nobody is named.
    classes
        The classes that the comparison was made for.
    most
        Items of either list.

    Raises
    ------
    InputError
        If `facts` are of other cases than `cases`, or `at` has no zone.
    """
    if at.tzinfo is None:
        raise InputError(f"at is {at}, without a zone: give a time with a zone")
    if facts is not None and len(facts) != len(cases):
        raise InputError(
            f"facts are of {len(facts)} cases, the columns of {len(cases)}: read both anew"
        )
    table = comparison.table
    units = table[~table.index.isin(BESIDE)]
    place = comparison.boundary.place(comparison.level, cases.lon, cases.lat)
    writer = _Writer(comparison, cases, place, at, facts, chain, classes)
    lists = []
    for verdict, rising in (("rose", True), ("fell", False)):
        found = units[units["verdict"] == verdict]
        found = found.sort_values("difference", ascending=not rising, kind="stable")
        lists.append((found.index, [writer.item(str(code)) for code in found.index[:most]]))
    counts = units["verdict"].value_counts()
    return Briefing(
        comparison,
        tuple(lists[0][1]),
        tuple(lists[1][1]),
        max(len(lists[0][0]) - most, 0),
        max(len(lists[1][0]) - most, 0),
        int(counts.get("no_clear_change", 0)),
        int(counts.get("too_few", 0)),
        int(counts.get("unknown", 0)),
        comparison.total,
        comparison.notes,
    )


def find_change(
    counts: npt.ArrayLike,
    days: npt.ArrayLike,
    *,
    dispersion: float = 1.0,
    confidence: float = 0.95,
) -> Change | None:
    """Find the week at which a rate changed; see the head of the module.

    Parameters
    ----------
    counts
        Cases of each week, in order of time.
    days
        Of each week, in workdays; 0 or less where there are no records: such a week is passed over.
    dispersion
        Variance over mean of the counts.

    Returns
    -------
    Change or None
        The likeliest one, sure or not; None with too few weeks or without cases.
    """
    y, e = np.asarray(counts, dtype=np.float64), np.asarray(days, dtype=np.float64)
    used = np.flatnonzero((e > 0) & np.isfinite(y))
    y, e = y[used], e[used]
    cuts = np.arange(LEAST_SIDE, len(y) - LEAST_SIDE + 1)
    if not len(cuts) or not y.sum():
        return None
    below, days_below = np.cumsum(y)[cuts - 1], np.cumsum(e)[cuts - 1]
    above, days_above = y.sum() - below, e.sum() - days_below
    gain = _log_term(below, days_below) + _log_term(above, days_above)
    best = int(np.argmax(gain))
    rates = compare_rates(
        [above[best]],
        [below[best]],
        float(days_above[best]),
        float(days_below[best]),
        dispersion=dispersion,
        confidence=confidence,
    )
    p = min(float(rates.p[0]) * len(cuts), 1.0)
    week = float(e.mean())
    return Change(
        int(used[cuts[best]]),
        float(below[best] / days_below[best]) * week,
        float(above[best] / days_above[best]) * week,
        p,
        p <= 1 - confidence,
    )


def _log_term(
    cases: npt.NDArray[np.float64], days: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    rate = np.where(cases > 0, cases / days, 1.0)
    return np.asarray(cases * np.log(rate))


class _Writer:
    """Writes items from one comparison."""

    def __init__(
        self,
        comparison: Comparison,
        cases: CaseLike,
        place: npt.NDArray[np.int32],
        at: datetime,
        facts: CaseFacts | None,
        chain: ChainIndex | None,
        classes: tuple[str, ...] | None,
    ) -> None:
        self.of, self.cases, self.place = comparison, cases, place
        self.at, self.facts, self.chain = at, facts, chain
        chosen = choose(cases, np.arange(len(cases)), classes, None)
        self.chosen = np.ones(len(cases), dtype=bool) if chosen is None else chosen
        self.now_s = int(at.timestamp())

    def item(self, code: str) -> BriefItem:
        row = self.of.table.loc[code]
        position = int(self.of.table.index.get_loc(code))
        mine = np.flatnonzero((self.place == position) & self.chosen)
        change = find_change(
            self.of.weekly.to_numpy()[position],
            self.of.week_days,
            dispersion=float(row["dispersion"]),
            confidence=self.of.confidence,
        )
        rising = row["verdict"] == "rose"
        if change is not None and not (change.is_sure and (change.after > change.before) == rising):
            change = None
        since = None if change is None else self.of.weekly.columns[change.week]
        open_rows = mine[np.isin(self.cases.stage[mine], OPEN_CODES)]
        due = self.cases.deadline[open_rows]
        return BriefItem(
            code=code,
            name=str(row["name"]),
            level=self.of.level,
            **{name: float(row[name]) for name in ("now", "expected", "change", "low", "high")},
            verdict=str(row["verdict"]),
            since=since,
            before_week=float("nan") if change is None else change.before,
            after_week=float("nan") if change is None else change.after,
            sure_since=change is not None,
            classes=self._classes(mine, rising),
            people=self._people(code),
            owners=self._owners(open_rows),
            done=self._done(mine, since),
            open=len(open_rows),
            overdue=int(((due != NEVER) & (due < self.now_s)).sum()),
            fids=self._newest(mine),
        )

    def _inside(self, rows: Rows, now: bool) -> Rows:
        period = self.of.now if now else self.of.then
        at = self.cases.reported[rows]
        return rows[(at >= period.begin_s) & (at < period.end_s)]

    def _classes(self, rows: Rows, rising: bool) -> tuple[tuple[str, float, float], ...]:
        size = len(self.cases.classes) + 1
        now, then = (
            np.bincount(self.cases.class_code[self._inside(rows, when)] + 1, minlength=size)
            for when in (True, False)
        )
        days = self.of.days
        expected = then * (days.now_days / days.then_days)
        more = (now - expected) * (1 if rising else -1)
        order = np.argsort(-more, kind="stable")[:MOST_CLASSES]
        words = ("", *self.cases.classes)
        return tuple((words[k], float(now[k]), float(expected[k])) for k in order if more[k] > 0)

    def _people(self, code: str) -> dict[str, str]:
        if self.chain is None or self.of.level not in ("city", *_CHAIN):
            return {}
        row = self.chain.table([code], at=self.at).iloc[0]
        return {str(level): str(name) for level, name in row.items() if pd.notna(name)}

    def _owners(self, rows: Rows) -> tuple[tuple[str, int], ...]:
        owner = self.cases.owner[rows]
        counts = np.bincount(owner[owner >= 0], minlength=len(self.cases.owners))
        order = np.argsort(-counts, kind="stable")[:MOST_OWNERS]
        return tuple((self.cases.owners[k], int(counts[k])) for k in order if counts[k])

    def _done(self, rows: Rows, since: date | None) -> dict[str, int]:
        if self.facts is None:
            return {}
        log = self.facts.log
        begin = self.of.now.begin_s
        if since is not None:
            local = datetime(since.year, since.month, since.day, tzinfo=self.of.now.zone)
            begin = int(local.timestamp())
        is_mine = np.zeros(len(self.cases), dtype=bool)
        is_mine[rows] = True
        late = np.flatnonzero((log.at >= begin) & (log.at <= self.now_s))
        late = late[is_mine[log.case[late]]]
        counts = np.bincount(log.move[late][log.move[late] >= 0], minlength=len(log.moves))
        order = np.argsort(-counts, kind="stable")
        return {
            log.moves[k]: int(counts[k])
            for k in order
            if counts[k] and log.moves[k] not in ("report", "recorded")
        }

    def _newest(self, rows: Rows) -> tuple[int, ...]:
        found = self._inside(rows, True)
        order = np.lexsort((found, -self.cases.reported[found]))[:MOST_CASES]
        return tuple(int(fid) for fid in self.cases.fid[found[order]])
