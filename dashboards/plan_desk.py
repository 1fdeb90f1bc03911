"""Plans that are open on this server: one book a store, one lock a plan, and what a screen lacks.

What a screen lacks between two numbers of the log is worked out from the two plans themselves
(`dashboards.plan_pack`), so it makes no difference who changed the plan in between, or by which
route. The truth is the book; nothing here outlives the process, and nothing needs to.
"""

from __future__ import annotations

import secrets
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dashboards.plan_pack import pack_topo
from dashboards.server import Packed, pack
from dashboards.store import Store
from geo.io.planbook import OpenPlan, PlanBook
from geo.plan import Plan

_desks: weakref.WeakKeyDictionary[Store, Desk] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def desk_of(store: Store) -> Desk:
    """The desk of a store, made when it is first asked for."""
    with _making:
        desk = _desks.get(store)
        if desk is None:
            desk = _desks[store] = Desk(PlanBook(store.workspace))
        return desk


@dataclass(frozen=True)
class Entry:
    """One plan as it is now; only inside `Desk.open`."""

    book: PlanBook
    open: OpenPlan

    @property
    def plan(self) -> Plan:
        """The plan after its newest edit."""
        return self.open.plan

    @property
    def first(self) -> Plan:
        """The plan that the draft began with."""
        return self.open.first

    @property
    def seq(self) -> int:
        """Number of the newest edit."""
        return self.open.seq


class Desk:
    """The plans of one workspace, shared by the threads of the server."""

    def __init__(self, book: PlanBook) -> None:
        self.book = book
        self.epoch = secrets.token_hex(4)
        """Screens of another epoch read the whole plan anew."""
        self._locks: dict[str, threading.RLock] = {}
        self._lock = threading.Lock()
        self._epochs: dict[str, int] = {}
        self._grounds: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._packed: weakref.WeakKeyDictionary[Any, Packed] = weakref.WeakKeyDictionary()

    @contextmanager
    def open(self, plan_id: str) -> Iterator[Entry]:
        """The plan, with the lock under which its edits wait for each other.

        Raises
        ------
        UnknownPlanError
            If there is no such plan.
        """
        with self._lock:
            lock = self._locks.setdefault(plan_id, threading.RLock())
        with lock:
            yield Entry(self.book, self.book.open(plan_id))

    def forget(self, plan_id: str) -> None:
        """Let every screen read the plan anew, after it was put on another base."""
        with self._lock:
            self._epochs[plan_id] = self._epochs.get(plan_id, 0) + 1

    def epoch_of(self, plan_id: str) -> str:
        """What a screen says to be told only what changed."""
        return f"{self.epoch}-{self._epochs.get(plan_id, 0)}"

    def ground_key(self, plan: Plan) -> str:
        """A name of the blocks and borders of a plan; the same as long as none of them changes."""
        with self._lock:
            return self._grounds.setdefault(plan.ground, secrets.token_hex(6))

    def topo(self, entry: Entry) -> Packed:
        """Blocks and borders, ready to send; packed once for each ground."""
        ground = entry.plan.ground
        with self._lock:
            found = self._packed.get(ground)
        if found is None:
            found = pack(pack_topo(entry.plan, entry.open.base.places(entry.plan)))
            with self._lock:
                self._packed[ground] = found
        return found
