"""The consequences of open plans: facts of blocks made in the background, impacts made when asked.

Facts cost seconds in a large city, an impact after an edit some tens of milliseconds. So a request
gets at once what is there: how far the facts are, or the impact of the plan as it is now. Facts are
kept for the last few bases and made again when somebody asks, they are FRESH_S old and their tables
have changed; until then the old ones are shown with their time.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from dashboards.plan_desk import Entry
from dashboards.store import Store
from geo.impact import (
    BlockFacts,
    Handover,
    Impact,
    compare_plans,
    count_facts,
    find_handover,
    read_weights,
    regroup,
)
from geo.io.plan_base import make_base
from geo.io.plan_facts import THING_TABLES, read_things
from geo.plan import Plan

log = logging.getLogger(__name__)

FRESH_S = 600.0
"""Facts are compared with their tables when they are that old."""

KEPT = 3
"""Bases whose facts are in memory."""

AFTER_FAILURE_S = 30.0

_all: weakref.WeakKeyDictionary[Store, Impacts] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def impacts_of(store: Store, *, threaded: bool = True) -> Impacts:
    """The impacts of a store, made when they are first asked for."""
    with _making:
        found = _all.get(store)
        if found is None:
            found = _all[store] = Impacts(store, threaded=threaded)
        return found


@dataclass(eq=False)
class _Facts:
    """Facts of one base, with the present grids where the base begins as something else."""

    facts: BlockFacts
    present: Plan | None
    stamp: str
    at: datetime
    made: float
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, eq=False)
class Told:
    """An impact with who is affected."""

    seq: int
    impact: Impact
    handover: Handover
    names: pd.Series
    """Names of workers by id."""
    at: datetime
    """Moment of the facts."""
    weights: dict[str, float]


@dataclass
class _Work:
    thread: threading.Thread | None = None
    failed: float = float("-inf")


class Impacts:
    """Impacts of the plans of one store; safe to ask from several threads."""

    def __init__(self, store: Store, *, threaded: bool = True) -> None:
        self._store = weakref.ref(store)
        self._threaded = threaded
        self._lock = threading.Lock()
        self._facts: OrderedDict[str, _Facts] = OrderedDict()
        self._works: dict[str, _Work] = {}
        self._told: OrderedDict[tuple[Any, ...], Told] = OrderedDict()

    def find(
        self, plan_id: str, entry: Entry, band: tuple[float, float] | None = None
    ) -> Told | None:
        """The impact of a plan as it is now; None while its facts are being made."""
        known = self._ask(entry)
        if known is None:
            return None
        limits = self._require().settings.band if band is None else band
        key = (plan_id, entry.seq, known.made, *limits)
        with self._lock:
            told = self._told.get(key)
        if told is None:
            with known.lock:
                told = self._tell(entry, known, limits)
            with self._lock:
                self._told[key] = told
                while len(self._told) > KEPT:
                    self._told.popitem(last=False)
        return told

    def has_failed(self, entry: Entry) -> bool:
        """Whether the facts could not be made a moment ago; the log says why."""
        with self._lock:
            work = self._works.get(entry.open.base.name)
            return work is not None and time.monotonic() - work.failed < AFTER_FAILURE_S

    def _ask(self, entry: Entry) -> _Facts | None:
        """Facts of the base of a plan; makes them if they are missing or old."""
        store, base = self._require(), entry.open.base
        with self._lock:
            known = self._facts.get(base.name)
            if known is not None:
                self._facts.move_to_end(base.name)
            is_old = known is None or time.monotonic() - known.made > FRESH_S
            work = self._works.setdefault(base.name, _Work())
            is_busy = work.thread is not None and work.thread.is_alive()
            if not is_old or is_busy or time.monotonic() - work.failed < AFTER_FAILURE_S:
                return known
        if known is not None and known.stamp == store.workspace.stamp(*THING_TABLES):
            known.made = time.monotonic()
            return known
        thread = threading.Thread(target=self._make, args=(entry,), name="plan-impact", daemon=True)
        with self._lock:
            work.thread = thread
        thread.start()
        if not self._threaded:
            thread.join()
        with self._lock:
            return self._facts.get(base.name)

    def _make(self, entry: Entry) -> None:
        store, base = self._require(), entry.open.base
        try:
            stamp, at = store.workspace.stamp(*THING_TABLES), store.clock()
            things = read_things(
                store.workspace, base.first, at=at, compounds=base.blocks["compound"]
            )
            facts = count_facts(base.first, things)
            found = _Facts(facts, _present(store, entry), stamp, at, time.monotonic())
            with self._lock:
                self._facts[base.name] = found
                while len(self._facts) > KEPT:
                    self._facts.popitem(last=False)
        except Exception:
            # The page says that it failed; whatever it was must not end the server.
            log.exception("the consequences of a plan could not be counted")
            with self._lock:
                self._works[base.name].failed = time.monotonic()

    def _tell(self, entry: Entry, known: _Facts, band: tuple[float, float]) -> Told:
        store = self._require()
        weights = read_weights(store.settings.workload_weights)
        plan, base = entry.plan, entry.open.base
        before = known.present or known.facts.first
        rest = set(base.rest_grids(plan)) | set(base.rest_grids(base.first))
        impact = compare_plans(
            known.facts, plan, before=before, band=band, weights=weights,
            no_band=rest,
        )  # fmt: skip
        worker_of, names = find_workers(store, before)
        return Told(entry.seq, impact, find_handover(impact, worker_of), names, known.at, weights)

    def _require(self) -> Store:
        store = self._store()
        assert store is not None
        return store


def find_workers(store: Store, plan: Plan) -> tuple[pd.Series, pd.Series]:
    """Who answers for each grid of a plan now, and the names of these people."""
    chains, at = store.chains, store.clock()

    def find() -> dict[str, tuple[str, str]]:
        known = chains.table(at=at).index
        found = {}
        for grid_id in known:
            person = chains.chain(str(grid_id), at=at).person("grid")
            if person is not None:
                found[str(grid_id)] = (person.worker_id, person.name)
        return found

    people = store.remember("plan-impact-workers", (id(chains), at.date()), find)
    mine = {row.grid_id: people[row.grid_id] for row in plan.grids if row.grid_id in people}
    worker = pd.Series({k: v[0] for k, v in mine.items()}, dtype=object)
    return worker, pd.Series(dict(mine.values()), dtype=object)


def _present(store: Store, entry: Entry) -> Plan | None:
    """The grids in force on the blocks of a draft that began as something else; None: the first."""
    row = entry.book.row(entry.open.plan_id)
    if row.get("began_as") in (None, "present"):
        return None
    base = entry.open.base
    codes = sorted(set(base.blocks["community_code"].dropna().astype(str)))
    now = make_base(store.workspace, communities=codes)
    ids: list[Any] = list(base.first.blocks.ids)
    if not set(ids) <= set(now.blocks.index.astype(str)):
        return None
    return regroup(base.first, now.blocks["grid_id"], now.grids)
