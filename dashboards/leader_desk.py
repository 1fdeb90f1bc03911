"""The figures of a leader's choice, worked out beside the requests and kept for a few choices.

A request waits a short while and is then told that the work goes on; asking again gets the answer.
An answer holds as long as cases, boundaries and the minute are the same, so that the age of what is
shown is never more than a minute or two behind the data.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from dashboards.leader_patrol import LeaderPatrols
from dashboards.leader_spots import LeaderSpots, find_spots
from dashboards.store import Store
from geo.briefing import Briefing, write_briefing
from geo.codes import ClassBook
from geo.compare import Boundary, Period
from geo.errors import CodeError, InputError
from geo.evaluate import CaseFacts, Evaluation, EvaluationRules, evaluate, reconcile
from geo.hotspots import (
    Weights,
    contiguity_weights,
    count_slices,
    find_emerging,
    find_hot_spots,
)
from geo.io.case_columns import CaseColumns
from geo.io.compare import read_boundary
from geo.io.evaluation import read_case_facts, read_evaluation
from geo.leader import (
    LeaderChoice,
    LeaderView,
    PeriodPatrol,
    find_periods,
    patrols_of_units,
    read_view,
)

PATIENCE_S = 1.5
"""How long a request waits for an answer before it says that the work goes on."""

KEPT = 24
"""Choices in memory; an answer of 3,311 grids takes some 5 MB."""

WEEK_S = 7 * 86_400
HOT_WEEKS = 52
LEAST_WEEKS = 10
"""Weeks that emerging hot spots are told by: a year; the published method asks for ten slices."""

NEAR = timedelta(minutes=5)
"""How old figures may be that are told while newer ones are worked out."""

STEP = timedelta(minutes=1)
"""A period that runs is cut at the last whole step, so that all who ask see the same figures."""


@dataclass(frozen=True, eq=False)
class LeaderFigures:
    """Everything that the page and the report say of one choice."""

    view: LeaderView
    briefing: Briefing
    areas: Evaluation
    departments: Evaluation
    classes: pd.DataFrame
    """Of the period by class, see `geo.evaluate.reconcile`; of the whole city."""
    boundary: Boundary
    rules: EvaluationRules
    hot: pd.DataFrame
    """Grids of the city by `grid_id`: Gi* of the period (`find_hot_spots`), and `emerging`, their
    class over the last year of weeks (`find_emerging`)."""
    patrol: pd.DataFrame
    """Of the units by code and of the area as `(total)`: `person` (who answers) and the columns of
    `geo.leader.patrols_of_units`; missing where it is not known."""
    patrols: PeriodPatrol
    """Which days `patrol` and the coverage of `areas` rest on."""
    spots: LeaderSpots
    book: ClassBook
    """The city's classes: ours and its own."""
    version: str
    """Another one whenever any figure may be another."""

    @property
    def period(self) -> Period:
        """The period that is told."""
        return self.view.comparison.now


class LeaderDesk:
    """Works out what leaders ask for. Safe to share between threads."""

    def __init__(self, store: Store, *, patience_s: float = PATIENCE_S) -> None:
        self._store = store
        self._cases = store.columns
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="wangge-leader")
        self._answers: OrderedDict[Hashable, Future[LeaderFigures]] = OrderedDict()
        self._last: dict[LeaderChoice, LeaderFigures] = {}
        self._boundary: tuple[str, Boundary] | None = None
        self._facts: CaseFacts | None = None
        self._weights: tuple[Boundary, Weights] | None = None
        self._patrols = LeaderPatrols(store)

    def ask(
        self, choice: LeaderChoice, *, patience_s: float | None = None, whole: bool = False
    ) -> LeaderFigures | None:
        """The figures of a choice; None: they are being worked out, ask again.

        `whole` waits for the patrols of the period too, as a file must, which nobody asks again.

        Raises
        ------
        WanggeError
            If the choice names what this city does not have, or the cases cannot be read.
        """
        cases = self._cases.get()
        if cases is None:
            if self._cases.error:
                raise InputError(self._cases.error)
            return None
        at = self._moment()
        patience = self._patience_s if patience_s is None else patience_s
        if whole:
            self._patrols.wait(find_periods(choice, self._store.zone, at)[0], patience)
        stamp = self._store.workspace.stamp("grids", "divisions", "zones", "duties", "workers")
        key = (choice, cases.version, stamp, at, self._patrols.counted)
        with self._lock:
            before = None if whole else self._last.get(choice)
            known = self._answers.get(key)
            if known is None:
                known = self._pool.submit(self._work, choice, cases, at, stamp)
                self._answers[key] = known
                while len(self._answers) > KEPT:
                    self._answers.popitem(last=False)
            else:
                self._answers.move_to_end(key)
        try:
            found = known.result(timeout=patience)
        except NotYetError:
            # Figures of a few minutes ago, which say their time, are better than none.
            is_near = before is not None and at - before.view.at <= NEAR
            return before if is_near else None
        with self._lock:
            self._last[choice] = found
            while len(self._last) > KEPT:
                del self._last[next(iter(self._last))]
        return found

    @property
    def progress(self) -> float:
        """How far the reading of cases is, 0 to 1."""
        return self._cases.progress

    def _hot_spots(self, cases: CaseColumns, boundary: Boundary, view: LeaderView) -> pd.DataFrame:
        """Gi* of the period by grid, and what it is becoming over the weeks that have records."""
        if not len(boundary.grids):
            return pd.DataFrame(columns=["value", "z", "q", "kind", "emerging"])
        if self._weights is None or self._weights[0] is not boundary:
            grids = boundary.grids.to_crs(self._store.workspace.metric_crs())
            self._weights = (boundary, contiguity_weights(grids))
        weights = self._weights[1]
        rows = boundary.assign(cases.lon, cases.lat)
        codes = cases.codes("classes", list(view.choice.classes))
        keep = np.isin(cases.class_code, codes) if view.choice.classes else slice(None)
        rows, moments = rows[keep], cases.reported[keep]
        now = view.comparison.now
        counts = count_slices(rows, moments, [now.begin_s, max(now.end_s, now.begin_s + 1)],
                              weights.ids)  # fmt: skip
        table = find_hot_spots(counts.iloc[:, 0], weights)
        end = int(view.at.timestamp())
        edges = [end - k * WEEK_S for k in range(HOT_WEEKS, -1, -1)]
        weeks = count_slices(rows, moments, edges, weights.ids)
        weeks = weeks.loc[:, weeks.sum() > 0]
        table["emerging"] = (
            find_emerging(weeks, weights)["kind"] if weeks.shape[1] >= LEAST_WEEKS else None
        )
        return table

    def _patrol(self, view: LeaderView, patrols: PeriodPatrol, boundary: Boundary) -> pd.DataFrame:
        """Who answers for each unit, and what was patrolled of it in the period."""
        table = patrols_of_units(patrols, boundary, view.level).reindex(view.units.index)
        sums = table.sum(min_count=1)
        sums["covered_share"] = sums["covered_m"] / sums["street_m"] if sums["street_m"] else np.nan
        table.loc["(total)"] = sums
        people = pd.Series(None, index=table.index, dtype=object)
        if not view.level.startswith("zones:"):
            codes = [str(code) for code in view.units.index]
            names = self._store.chains.table(codes, at=view.at)[view.level]
            people[view.units.index] = names.to_numpy(dtype=object)
        return table.assign(person=people)

    def _check_classes(self, choice: LeaderChoice, cases: CaseColumns) -> None:
        """Refuse a class that neither the tables of classes nor any case of this city has."""
        book = self._store.rules.classes
        for code in choice.classes:
            if code in cases.classes:
                continue
            try:
                book.name(code)
            except CodeError as error:
                raise CodeError(f"this city has no class {code}") from error

    def _moment(self) -> datetime:
        at = self._store.clock().astimezone(self._store.zone)
        return at - timedelta(seconds=at.timestamp() % STEP.total_seconds())

    def _work(
        self, choice: LeaderChoice, cases: CaseColumns, at: datetime, stamp: str
    ) -> LeaderFigures:
        workspace = self._store.workspace
        self._check_classes(choice, cases)
        if self._boundary is None or self._boundary[0] != stamp:
            self._boundary = (stamp, read_boundary(workspace, at=at))
        boundary = self._boundary[1]
        self._facts = read_case_facts(workspace, cases, known=self._facts)
        calendar = self._store.rules.calendar
        view = read_view(cases, boundary, choice, at=at, calendar=calendar)
        rules = read_evaluation(workspace.path)
        crs, now = workspace.metric_crs(), view.comparison.now
        patrols = self._patrols.find(now)
        names = {
            **(boundary.units("grid").names.to_dict() if len(boundary.grids) else {}),
            **workspace.read("divisions")["name"].astype(str).to_dict(),
            **workspace.read("departments")["name"].astype(str).to_dict(),
        }
        return LeaderFigures(
            view,
            write_briefing(
                view.comparison,
                cases,
                at=at,
                facts=self._facts,
                chain=self._store.chains,
                classes=choice.classes or None,
            ),
            evaluate(
                self._facts, now, by="area", boundary=boundary, level=view.level, rules=rules,
                crs=crs, coverage=patrols.coverage,
            ),
            evaluate(self._facts, now, by="department", rules=rules, crs=crs, names=names),
            reconcile(cases, now),
            boundary,
            rules,
            self._hot_spots(cases, boundary, view),
            self._patrol(view, patrols, boundary),
            patrols,
            find_spots(
                cases, boundary, choice, now, at=at, crs=crs, chain=self._store.chains
            ),
            self._store.rules.classes,
            f"{cases.version}.{stamp}.{int(at.timestamp()):x}.{len(patrols.days)}",
        )  # fmt: skip
