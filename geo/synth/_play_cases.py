"""The cases of a city that lives: new ones by the hour, open ones a move further in their time.

Public names are handed on by `geo.synth.player`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pandas as pd

from geo.codes import class_name
from geo.incidents import OPEN_STAGES
from geo.synth.assets import OWNERS
from geo.synth.departments import department_level, find_department
from geo.synth.habits import NOTES
from geo.synth.incidents import ZONE
from geo.synth.kinds import HOURS, KINDS, LIGHT


@dataclass(frozen=True)
class ReportWish:
    """A case that somebody reports."""

    at: datetime
    by: str
    role: str
    class_code: str
    lon: float
    lat: float
    grid_id: str
    description: str
    address: str
    source: str


@dataclass(frozen=True)
class KnownCase:
    """A case as the player knows it."""

    class_code: str
    stage: str
    grid_id: str | None


@dataclass(frozen=True)
class MoveWish:
    """A move that somebody makes on a case that is believed to be as `case` says."""

    incident_id: str
    case: KnownCase
    move: str
    at: datetime
    by: str
    role: str
    note: str | None = None
    owner: str | None = None
    level: str | None = None


WAITS_S = {
    "collected": (420, 0.7),
    "opened": (360, 0.7),
    "dispatched": (720, 0.6),
    "handling": (4200, 0.7),
    "fed_back": (1500, 0.6),
}
"""How long a case rests at a stage: median seconds, and the spread of its logarithm."""

SHARES = {"cancel": 0.04, "return": 0.03, "rework": 0.05, "on_spot": 0.08}
DESKS = ("acceptor", "dispatcher", "inspector")


@dataclass(frozen=True)
class Spot:
    """A place where somebody walks: degrees, number of the grid, name of the road, who."""

    lon: float
    lat: float
    grid: int
    road: str
    worker_id: str


Place = Callable[[], Spot]


class CasePlay:
    """Reports and moves in their time."""

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        rng: np.random.Generator,
        start: datetime,
        cases_a_day: float,
    ) -> None:
        self.rng, self.cases_a_day = rng, cases_a_day
        self.known: dict[str, KnownCase] = {}
        self._number = count()
        self._due: list[tuple[datetime, int, str, KnownCase]] = []
        self.grid_ids = [str(code) for code in tables["grids"].index]
        grids = tables["grids"]
        named = grids["name"].fillna("") if "name" in grids else grids.index.astype(str)
        self._grid_names = [str(name) for name in named]
        self._find_people(tables["workers"], tables.get("duties"), start)
        self._weight = np.array([kind.weight for kind in KINDS])
        self._weight /= self._weight.sum()
        hours = sum(kind.weight * HOURS[kind.hours] / HOURS[kind.hours].sum() for kind in KINDS)
        self._hours = np.asarray(hours / np.sum(hours) * 24)
        self._begin(tables["incidents"], start)

    def _find_people(
        self, workers: pd.DataFrame, duties: pd.DataFrame | None, at: datetime
    ) -> None:
        self._role_of = dict(zip(workers.index, workers["role"], strict=True))
        self._held: dict[tuple[str, str], list[str]] = {}
        self._desk: dict[str, list[str]] = {}
        if duties is None:
            return
        now = (duties["rank"] == 1) & (duties["valid_from"].isna() | (duties["valid_from"] <= at))
        now &= duties["valid_to"].isna() | (duties["valid_to"] > at)
        some = duties[now.to_numpy(dtype=bool)]
        for unit, role, who in zip(some["unit_code"], some["role"], some["worker_id"], strict=True):
            self._held.setdefault((unit, role), []).append(who)
            self._desk.setdefault(role, []).append(who)

    def _begin(self, incidents: pd.DataFrame, start: datetime) -> None:
        """Open cases go on as if each had waited for a share of its time."""
        some = incidents[incidents["stage"].isin(OPEN_STAGES)]
        owners = some["owner"] if "owner" in some else pd.Series(None, index=some.index)
        paused = some["paused_until"] if "paused_until" in some else pd.Series(None, some.index)
        rows = zip(some.index, some["class_code"], some["stage"], owners, paused, strict=True)
        grids = frozenset(self.grid_ids)
        for incident_id, code, stage, owner, until in rows:
            grid = owner if isinstance(owner, str) and owner in grids else None
            known = KnownCase("" if pd.isna(code) else str(code), stage, grid)
            waits = start if pd.isna(until) or until < start else until.to_pydatetime()
            self._schedule(str(incident_id), known, waits, float(self.rng.random()))

    def take(
        self, incident_id: str, class_code: str, stage: str, grid_id: str | None, at: datetime
    ) -> None:
        """Know a case as it is, and when it goes on."""
        self.known.pop(incident_id, None)
        if stage in OPEN_STAGES:
            self._schedule(incident_id, KnownCase(class_code, stage, grid_id), at, 1.0)

    def _schedule(self, incident_id: str, case: KnownCase, at: datetime, share: float) -> None:
        median, spread = WAITS_S[case.stage]
        wait = float(np.exp(self.rng.normal(np.log(median), spread))) * share
        self.known[incident_id] = case
        when = at + timedelta(seconds=max(1.0, round(wait)))
        heapq.heappush(self._due, (when, next(self._number), incident_id, case))

    def report(self, since: datetime, to: datetime, place: Place) -> tuple[ReportWish, ...]:
        """What is found between two moments; about as much as the hour brings."""
        hour = since.astimezone(ZONE).hour
        span_s = (to - since).total_seconds()
        expected = self.cases_a_day / 86_400 * span_s * float(self._hours[hour])
        wishes = []
        for share in np.sort(self.rng.random(int(self.rng.poisson(expected)))):
            at = (since + (to - since) * float(share)).astimezone(UTC).replace(microsecond=0)
            wishes.append(self._report_one(max(at, since), place))
        return tuple(wishes)

    def _report_one(self, at: datetime, place: Place) -> ReportWish:
        rng = self.rng
        code = KINDS[int(rng.choice(len(KINDS), p=self._weight))].code
        spot = place()
        found = bool(rng.random() < 0.6)
        # A member of the field staff reports as a grid worker or grid head, whatever else it is.
        role = "grid_head" if self._role_of.get(spot.worker_id) == "grid_head" else "grid_worker"
        source, by = "collector", spot.worker_id
        if not found:
            source = str(rng.choice(["hotline", "app", "video"]))
            role, by = "acceptor", self._at_desk("acceptor")
        beside = f"{spot.road}附近" if spot.road else ""
        return ReportWish(
            at, by, role, code, spot.lon, spot.lat, self.grid_ids[spot.grid],
            f"{beside}{class_name(code)}", f"{self._grid_names[spot.grid]}{beside}", source,
        )  # fmt: skip

    def move(self, to: datetime) -> tuple[MoveWish, ...]:
        """The moves whose time has come; their cases rest until they are taken again."""
        wishes = []
        while self._due and self._due[0][0] <= to:
            when, _, incident_id, case = heapq.heappop(self._due)
            if self.known.get(incident_id) is case:
                del self.known[incident_id]
                wishes.append(self._next_move(incident_id, case, when.astimezone(UTC)))
        return tuple(wishes)

    def _next_move(self, incident_id: str, case: KnownCase, at: datetime) -> MoveWish:
        lot, code = float(self.rng.random()), case.class_code
        unit, level, doer, role = self._owner(case)
        if case.stage == "collected":
            if code in LIGHT and case.grid_id is not None and lot < SHARES["on_spot"]:
                who = self._holder(case.grid_id, "grid_worker")
                return self._wish(incident_id, case, "handle_on_spot", at, who, "grid_worker")
            is_case = lot < 1 - SHARES["cancel"]
            move = "register" if is_case else "cancel"
            return self._wish(incident_id, case, move, at, self._at_desk("acceptor"), "acceptor")
        if case.stage == "opened":
            who = self._at_desk("dispatcher")
            return MoveWish(incident_id, case, "dispatch", at, who, "dispatcher", None, unit, level)
        if case.stage == "dispatched":
            move = "return" if lot < SHARES["return"] else "accept"
            return self._wish(incident_id, case, move, at, doer, role)
        if case.stage == "handling":
            return self._wish(incident_id, case, "feed_back", at, doer, role)
        move = "rework" if lot < SHARES["rework"] else "close"
        return self._wish(incident_id, case, move, at, self._at_desk("inspector"), "inspector")

    def _wish(
        self, incident_id: str, case: KnownCase, move: str, at: datetime, by: str, role: str
    ) -> MoveWish:
        note = str(self.rng.choice(NOTES[move])) if move in NOTES else None
        return MoveWish(incident_id, case, move, at, by, role, note)

    def _owner(self, case: KnownCase) -> tuple[str, str, str, str]:
        """Who handles a case: unit, level, person and the role as which it moves."""
        if case.grid_id is not None and case.class_code in LIGHT:
            who = self._holder(case.grid_id, "grid_worker")
            return case.grid_id, "grid", who, "grid_worker"
        code = case.class_code
        unit = find_department(code, OWNERS.get(code[1:]) if code[:1] == "C" else None)
        return unit, department_level(unit), self._holder(unit, "handler"), "handler"

    def _holder(self, unit: str, role: str) -> str:
        people = self._held.get((unit, role)) or self._held.get((unit, "grid_head"))
        return str(self.rng.choice(people)) if people else role

    def _at_desk(self, role: str) -> str:
        people = self._desk.get(role)
        return str(self.rng.choice(people)) if people else role
