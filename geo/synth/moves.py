"""What becomes of the cases of an invented city: every move by a person who may make it.

All cases go through the steps at once, a column at a time; a case that takes a turn (merged, put
right on the spot, returned, transferred, raised, postponed, reworked …) skips or repeats some.
Nothing lies behind `at`: later rows are cut off, so the newest cases are still open. Every log
could have been written by `geo.incidents.apply`, and the row of `incidents` is what it folds to.

What is not urgent waits for the day shift (07:30 to 21:00). Deadlines are those of
`geo.deadlines`; how long a case really takes is a share of the time allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.deadlines import WorkingCalendar, find_deadlines, find_limits
from geo.incidents import find_clocks, summarise
from geo.synth._log_parts import LogParts
from geo.synth.assets import OWNERS
from geo.synth.departments import COUNTY_OFFICES, OFFICES, find_department
from geo.synth.habits import CLOSES_S, OPENS_S, SHARES, SOURCE_ODDS, SOURCES, UTC_OFFSET_S
from geo.synth.incidents import DAY_S
from geo.synth.kinds import KINDS, LIGHT, list_limits
from geo.synth.roster import Roster

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Places:
    """The units in which each case lies, as codes."""

    grid: Words
    community: Words
    street: Words
    district: Words


def move_cases(
    rng: np.random.Generator,
    cases: pd.DataFrame,
    ids: Words,
    places: Places,
    roster: Roster,
    city: str,
    calendar: WorkingCalendar,
    *,
    at: datetime,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the logs of all cases, and what they fold to.

    `cases` is the table of `draw_cases`, `ids` their names, `city` the code of the city.

    Returns
    -------
    log, table
        The columns of `incident_log`; and one row a case, in the order of `cases`: source,
        stage, deadline, closed_at, condition, owner, level, paused_until.
    """
    story = _Story(rng, cases, ids, places, roster, city, calendar)
    log = story.tell(int(at.timestamp()))
    folded = summarise(log).reindex(ids)
    limits = find_limits(
        pd.Series(story.code, index=folded.index), folded["condition"], limits=list_limits()
    )
    clocks = find_clocks(log)
    due = find_deadlines(
        limits.assign(start=clocks.start.reindex(folded.index)),
        calendar=calendar,
        pauses=clocks.pauses,
    )["deadline"]
    table = folded[["stage", "closed_at", "condition", "owner", "level"]].assign(
        deadline=due, paused_until=folded["postponed_until"], source=story.source
    )
    return log, table


class _Story:
    """Times and people of all cases, a column each."""

    def __init__(
        self,
        rng: np.random.Generator,
        cases: pd.DataFrame,
        ids: Words,
        places: Places,
        roster: Roster,
        city: str,
        calendar: WorkingCalendar,
    ) -> None:
        self.rng, self.cases, self.places = rng, cases, places
        self.roster, self.city, self.calendar = roster, city, calendar
        self.n = len(cases)
        self.kind = cases["kind"].to_numpy()
        self.code = np.array([k.code for k in KINDS], dtype=object)[self.kind]
        self.urgent = np.array([k.urgent for k in KINDS])[self.kind]
        self.placed = cases["placed"].to_numpy(bool)
        self.calm = (cases["spot"] >= 0).to_numpy() | (cases["twin"] > 0).to_numpy()
        """Planted cases go the straight way."""
        self.log = LogParts(rng, ids)
        self.add = self.log.add
        self.source = rng.choice(np.array(SOURCES, dtype=object), self.n, p=SOURCE_ODDS)
        self.source[~self.placed] = "hotline"
        self._find_owners()
        self._find_people()

    def tell(self, end: int) -> pd.DataFrame:
        """All rows up to a moment (epoch seconds), in order of case and time."""
        self._report()
        opened = self._open()
        self._handle(opened)
        return self.log.assemble(end)

    # -- who ---------------------------------------------------------------------------------

    def _find_owners(self) -> None:
        """Who handles each case: a department, or the grid, community or street itself."""
        rng, n = self.rng, self.n
        codes = [k.code for k in KINDS]
        # 0301 is a toilet as an asset and noise as an event: only a fault has an owner.
        owners = [OWNERS.get(c[1:]) if c[0] == "C" else None for c in codes]
        found = [find_department(c, owner) for c, owner in zip(codes, owners, strict=True)]
        office = np.array(found, dtype=object)
        self.office = office[self.kind]
        own = np.isin(self.code, LIGHT) & self.placed
        lot = rng.random(n)
        self.rung = np.select([~own, lot < 0.24, lot < 0.5, lot < 0.66], [0, 1, 2, 3], 0)
        """0 department, 1 grid, 2 community, 3 street."""
        where = self.places
        units = [self.office, where.grid, where.community, where.street]
        self.owner = np.select([self.rung == k for k in range(4)], units, self.office)
        self.wrong = np.array([office.code for office in OFFICES], dtype=object)[
            (np.searchsorted([office.code for office in OFFICES], self.office.astype(str))
             + rng.integers(1, len(OFFICES), n)) % len(OFFICES)
        ]  # fmt: skip
        """A department that has nothing to do with it."""

    def _find_people(self) -> None:
        who = self.roster
        where = self.places
        self.collector = _of_units(who, where.grid, "grid_worker", "grid_head")
        self.head = _of_units(who, where.grid, "grid_head", "grid_worker")
        community = _of_units(who, where.community, "community_head")
        street = _of_units(who, where.street, "street_head")
        district = _of_units(who, where.district, "district_head")
        rung = [self.rung == k for k in range(4)]
        handler = self._of_office(self.office)
        self.doer = np.select(rung, [handler, self.collector, community, street], handler)
        self.boss = np.select(rung, [handler, community, street, district], handler)
        self.above = np.select(
            rung, [self.office, where.community, where.street, where.district], self.office
        )
        self.stranger = self._of_office(self.wrong)

    def _of_office(self, office: Words) -> Words:
        """A handler of each department."""
        out = np.empty(self.n, dtype=object)
        for code in dict.fromkeys(office):
            mine = np.flatnonzero(office == code)
            out[mine] = self.rng.choice(self.roster.now[code, "handler"], len(mine))
        return out

    def _desk(self, role: str) -> Words:
        people = np.array(self.roster.now[self.city, role], dtype=object)
        return self.rng.choice(people, self.n)

    # -- when --------------------------------------------------------------------------------

    def _wait(self, median_s: float | Reals, spread: float) -> Ints:
        draw = np.exp(self.rng.normal(0, spread, self.n)) * median_s
        return np.clip(draw, 20, 20 * DAY_S).astype(np.int64)

    def _awake(self, second: Ints) -> Ints:
        """What comes in the night waits for the morning shift at half past seven."""
        local = (second + UTC_OFFSET_S) % DAY_S
        morning = second - local + OPENS_S + self.rng.integers(0, 2400, self.n)
        day = np.where(
            local < OPENS_S, morning, np.where(local >= CLOSES_S, morning + DAY_S, second)
        )
        return np.where(self.urgent, second, day)

    def _chance(self, name: str) -> Bools:
        return self.rng.random(self.n) < SHARES[name]

    def _due(self, dispatched: Ints) -> Ints:
        limits = find_limits(
            pd.Series(self.code), pd.Series(self.condition, dtype="str"), limits=list_limits()
        )
        start = pd.Series(pd.to_datetime(dispatched, unit="s", utc=True))
        due = find_deadlines(limits.assign(start=start), calendar=self.calendar)["deadline"]
        return np.asarray(due.dt.tz_localize(None).to_numpy().astype("datetime64[s]"), np.int64)

    def _report(self) -> None:
        source = self.source
        self.t_report = self.cases["when"].to_numpy(np.int64)
        by_collector, by_head = source == "collector", source == "patrol"
        acceptor = self._desk("acceptor")
        self.acceptor = acceptor
        self.add(
            "report", "collected", self.t_report, np.ones(self.n, bool), level="grid",
            by=np.select([by_collector, by_head], [self.collector, self.head], acceptor),
            role=np.select([by_collector, by_head], ["grid_worker", "grid_head"], "acceptor"),
        )  # fmt: skip
        shares = [[share for _, share in k.conditions] for k in KINDS]
        self.condition = np.full(self.n, None, dtype=object)
        for number, kind in enumerate(KINDS):
            if kind.conditions:
                mine = np.flatnonzero(self.kind == number)
                names = np.array([name for name, _ in kind.conditions], dtype=object)
                self.condition[mine] = self.rng.choice(names, len(mine), p=shares[number])

    def _open(self) -> Bools:
        """Verify, then register, or cancel, merge, put right on the spot; which are registered."""
        light = np.isin(self.code, LIGHT) & np.isin(self.source, ("collector", "patrol"))
        on_spot = light & ~self.calm & self._chance("on_spot")
        t_spot = self.t_report + self._wait(1200, 0.5)
        head = self.source == "patrol"
        self.add(
            "handle_on_spot", "closed", t_spot, on_spot,
            by=np.where(head, self.head, self.collector),
            role=np.where(head, "grid_head", "grid_worker"),
        )  # fmt: skip
        asked = np.isin(self.source, ("hotline", "app", "video")) & self.placed
        t_verify = np.where(
            asked, self._awake(self.t_report + self._wait(1500, 0.7)), self.t_report
        )
        self.add("verify", None, t_verify, asked, by=self.collector, role="grid_worker")
        wait = np.where(self.urgent, self._wait(240, 0.6), self._wait(1100, 0.9))
        self.t_open = self._awake(t_verify + wait)
        merged = self.cases["merged"].to_numpy(bool)
        cancelled = ~on_spot & ~self.calm & self._chance("cancel")
        opened: Bools = ~on_spot & ~cancelled & ~merged
        self.add("cancel", "cancelled", self.t_open, cancelled, by=self.acceptor, role="acceptor")
        first, second = self._twins()
        keeper = np.full(self.n, -1, dtype=np.int64)
        keeper[second] = first
        other = np.full(self.n, -1, dtype=np.int64)
        other[first] = second
        self.t_twin = np.where(other >= 0, self.t_open[other], 0)
        self.add("merge", "cancelled", self.t_open, merged, by=self.acceptor, role="acceptor",
                  other=keeper)  # fmt: skip
        absorbs = (other >= 0) & merged[other]
        self.add("absorb", None, self.t_twin, absorbs, by=self.acceptor[other], role="acceptor",
                  other=other)  # fmt: skip
        self.add("register", "opened", self.t_open, opened, by=self.acceptor, role="acceptor",
                  condition=self.condition)  # fmt: skip
        return opened

    def _twins(self) -> tuple[Ints, Ints]:
        """Rows of the first and second report of each planted pair that has both."""
        twin = self.cases["twin"].to_numpy()
        rows = [
            pd.Series(np.flatnonzero(twin == k), index=self.cases["pair"].to_numpy()[twin == k])
            for k in (1, 2)
        ]
        both = rows[0].index.intersection(rows[1].index).sort_values()
        return rows[0][both].to_numpy(), rows[1][both].to_numpy()

    def _handle(self, opened: Bools) -> None:
        rng = self.rng
        early = opened & ~self.calm & self._chance("raise_early")
        self.add("raise", None, self.t_open + 120, early, by=self.acceptor, role="acceptor")
        wait = np.where(self.urgent, self._wait(240, 0.5), self._wait(1100, 0.9))
        t_dispatch = self._awake(self.t_open + 120 + wait)
        due = self._due(t_dispatch)
        span = (due - t_dispatch).astype(float)
        share = np.exp(rng.normal(np.log(0.3), 0.62, self.n))
        share *= np.where(rng.random(self.n) < 0.03, rng.uniform(3, 9, self.n), 1.0)
        work = np.clip(share * span, 300, 25 * DAY_S).astype(np.int64)
        self.work = np.where(self.calm, np.minimum(work, 16 * 3600), work)
        self.slow = np.minimum(1500, span * 0.12)
        self.check = np.minimum(4800, span * 0.15)
        free = ~self.calm & opened
        lot, edge, turns = rng.random(self.n), 0.0, {}
        for name in ("return", "transfer", "raise", "postpone", "force"):
            turns[name] = free & (lot >= edge) & (lot < edge + SHARES[name])
            edge += SHARES[name]
        turns["raise"] &= self.rung > 0
        accepted = self._hand_over(opened, t_dispatch, turns)
        self._finish(opened, accepted, due, turns)

    def _hand_over(self, opened: Bools, t_dispatch: Ints, turns: dict[str, Bools]) -> Ints:
        """Dispatch until somebody accepts: returns come back and go out again."""
        dispatcher = self._desk("dispatcher")
        self.dispatcher = dispatcher
        astray = turns["return"] | turns["transfer"]
        owner = np.where(astray, self.wrong, self.owner)
        level = np.where(astray, _levels(self.wrong), self._own_levels())
        self.add("dispatch", "dispatched", t_dispatch, opened, by=dispatcher, role="dispatcher",
                  owner=owner, level=level)  # fmt: skip
        t_return = self._awake(t_dispatch + self._wait(1500, 0.6))
        self.add("return", "opened", t_return, turns["return"], by=self.stranger, role="handler")
        t_again = self._awake(t_return + self._wait(900, 0.6))
        right = {"owner": self.owner, "level": self._own_levels()}
        self.add("dispatch", "dispatched", t_again, turns["return"], by=dispatcher,
                  role="dispatcher", **right)  # fmt: skip
        t_across = self._awake(t_dispatch + self._wait(2400, 0.6))
        self.add("transfer", "dispatched", t_across, turns["transfer"], by=dispatcher,
                  role="dispatcher", **right)  # fmt: skip
        sent = np.where(turns["return"], t_again, t_dispatch)
        sent = np.where(turns["transfer"], t_across, sent)
        t_accept = self._awake(sent + self._wait(self.slow, 0.6))
        role = np.where(self.rung == 1, "grid_worker", "handler")
        self.doer_role = role
        self.add("accept", "handling", t_accept, opened, by=self.doer, role=role)
        t_up = self._awake(t_accept + (0.3 * self.work).astype(np.int64))
        self.add("raise", "dispatched", t_up, turns["raise"], by=self.doer, role=role,
                  owner=self.above)  # fmt: skip
        t_boss = self._awake(t_up + self._wait(1500, 0.5))
        self.add("accept", "handling", t_boss, turns["raise"], by=self.boss, role="handler")
        self.doer = np.where(turns["raise"], self.boss, self.doer)
        self.doer_role = np.where(turns["raise"], "handler", role)
        return np.where(turns["raise"], t_boss, t_accept)

    def _own_levels(self) -> Words:
        rungs = [self.rung == k for k in (1, 2, 3)]
        return np.select(rungs, ["grid", "community", "street"], _levels(self.owner)).astype(object)

    def _postpone(self, t_accept: Ints, mask: Bools) -> Ints:
        """Ask for time, get it or not, and go on when it is over or before; when work goes on."""
        rng, doer = self.rng, {"by": self.doer, "role": self.doer_role}
        t_ask = self._awake(t_accept + (0.25 * self.work).astype(np.int64))
        t_answer = self._awake(t_ask + self._wait(1800, 0.6))
        evening = t_answer - (t_answer + UTC_OFFSET_S) % DAY_S + 18 * 3600
        days = rng.choice([1, 2, 3, 5, 30], self.n, p=[0.25, 0.25, 0.2, 0.2, 0.1])
        until = evening + days * DAY_S
        granted = mask & (rng.random(self.n) < 0.78)
        resumed = granted & (rng.random(self.n) < 0.35)
        t_resume = self._awake(t_answer + (rng.uniform(0.2, 0.9, self.n)
                                           * (until - t_answer)).astype(np.int64))  # fmt: skip
        resumed &= t_resume < until
        answer = {"by": self.dispatcher, "role": "dispatcher"}
        self.add("ask_postponement", None, t_ask, mask, until=until, **doer)
        self.add("approve_postponement", None, t_answer, granted, until=until, **answer)
        self.add("refuse_postponement", None, t_answer, mask & ~granted, **answer)
        self.add("resume", None, t_resume, resumed, **doer)
        goes_on = np.where(resumed, t_resume, np.where(granted, until, t_answer))
        return np.where(mask, goes_on, t_accept)

    def _finish(self, opened: Bools, t_accept: Ints, due: Ints, turns: dict[str, Bools]) -> None:
        """Feed back, check, and close; rework, supervision and force where they come."""
        rng = self.rng
        goes_on = self._postpone(t_accept, turns["postpone"])
        t_back = self._awake(goes_on + self.work)
        # The first of two similar cases is still open when the second is looked at.
        t_back = np.where(self.t_twin > 0, np.maximum(t_back, self.t_twin + 1800), t_back)
        boss = self._desk("shift_leader")
        self.add("force_close", "closed", t_back, turns["force"], by=boss, role="shift_leader")
        done = opened & ~turns["force"]
        late = (t_back > due) & (rng.random(self.n) < 0.4)
        urged = opened & (self._chance("supervise") | late)
        t_urge = goes_on + (0.7 * (t_back - goes_on)).astype(np.int64)
        leads = rng.random(self.n) < 0.2
        leader = self.roster.holder(self.city, "leader", "city_head")
        self.add("supervise", None, t_urge, urged, by=np.where(leads, leader, boss),
                  role=np.where(leads, "leader", "shift_leader"))  # fmt: skip
        doer = {"by": self.doer, "role": self.doer_role}
        self.add("feed_back", "fed_back", t_back, done, **doer)
        check = {"by": self._desk("inspector"), "role": "inspector"}
        again = done & ~self.calm & self._chance("rework")
        t_rework = self._awake(t_back + self._wait(self.check, 0.7))
        self.add("rework", "handling", t_rework, again, **check)
        t_redone = self._awake(t_rework + (0.4 * self.work).astype(np.int64))
        self.add("feed_back", "fed_back", t_redone, again, **doer)
        last = np.where(again, t_redone, t_back)
        t_close = self._awake(last + self._wait(self.check, 0.7))
        self.add("close", "closed", t_close, done, **check)


def _levels(owner: Words) -> Words:
    return np.where(np.isin(owner, COUNTY_OFFICES), "district", "city").astype(object)


def _of_units(roster: Roster, units: Words, *roles: str) -> Words:
    """Who holds one of the roles at each unit."""
    unique, place = np.unique(units.astype(str), return_inverse=True)
    people = np.array([roster.holder(str(unit), *roles) for unit in unique], dtype=object)
    return people[place]
