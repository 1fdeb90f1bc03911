"""Who is at the post, silent, standing or calling for help, and when that becomes an alarm.

Each alarm has a delay before it fires and a time for which the opposite must be seen before it is
over, so nothing flaps (`geo/data/patrol_alarms.csv` has them, a city its own).

    off_post        on a round of one's own grid and not in it; no border needs to be crossed
    out_of_grid     on duty between rounds and far from one's grid
    standing        on a round and on one spot
    no_signal       on a round and silent; one for the city when nobody at all is heard
    round_at_risk   so many minutes are lost that the round can soon no longer be done
    sos             the worker calls; counts at any hour, until somebody takes note

Nobody is told of off duty, and an outage is `no_signal` and never `off_post`: an alarm opens with a
fix that shows it, not with a clock. Positions are smoothed over SMOOTH_S first. What comes out does
not depend on how often one looks, as long as fixes come in order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from geopandas import GeoDataFrame

from geo._duty_tables import micro_of
from geo._rounds_kernels import measure_outside
from geo._rounds_schedule import Schedule
from geo._rounds_spans import ring_table
from geo._watch_alarms import STATES as STATES
from geo._watch_alarms import Alarm as Alarm
from geo._watch_alarms import Changes as Changes
from geo._watch_alarms import Key
from geo._watch_alarms import alarm_id as alarm_id
from geo._watch_heard import Heard, People
from geo._watch_plan import Plan, Round, RunningRound, moment_at
from geo._watch_risk import find_risks
from geo._watch_rules import AlarmRules as AlarmRules
from geo._watch_rules import Duty as Duty
from geo._watch_runs import NEVER, Ints, Runs, Slots, Spots, Told
from geo._watch_silence import Feed, find_silent
from geo._working_time import WorkingCalendar
from geo.datum import require_metres
from geo.errors import ColumnError

SMOOTH_S = 15.0
"""Positions are averaged with weights that fall to 1/e in this time: 10 m of noise of a phone that
reports every 5 s become 4 m. Our assumption: a walker is 16 m behind, less than a grid's border."""


class Watch:
    """Follows the positions of workers; one thread at a time.

    Parameters
    ----------
    grids
        Grids in metres, indexed by `grid_id`.
    posts
        `grid_id` by `worker_id`, for all workers; missing or no grid: nobody looks where they are.
    schedule, duty, rules
        Rounds, hours of duty, delays.
    since
        Fixes before this moment only tell where people were last heard.
    roles, units, calendar
        As for `geo.rounds.judge_rounds`.

    Raises
    ------
    CrsError
        If the grids are not in metres.
    """

    def __init__(
        self,
        grids: GeoDataFrame,
        posts: pd.Series,
        schedule: Schedule,
        duty: Duty,
        *,
        since: datetime,
        rules: AlarmRules | None = None,
        roles: pd.Series | None = None,
        units: pd.DataFrame | None = None,
        calendar: WorkingCalendar | None = None,
    ) -> None:
        require_metres(grids=grids)
        self.rules = rules = rules if rules is not None else AlarmRules()
        self._grids, self._roles = grids.index, roles
        self._who = People(grids, posts)
        self._rings = ring_table(grids)
        self._plan = Plan(schedule, duty, grids.index, units, calendar)
        gap = rules.gap_s
        self._off = Runs(rules.off_post_delay_s, rules.off_post_clear_s, gap)
        self._out = Runs(rules.out_of_grid_delay_s, rules.out_of_grid_clear_s, gap)
        self._stand = Spots(rules.standing_m, rules.standing_delay_s, rules.standing_clear_s, gap)
        self._silent = Runs(0.0, rules.no_signal_clear_s, rules.no_signal_delay_s)
        self._kinds: dict[str, Runs | Spots] = {
            "off_post": self._off,
            "out_of_grid": self._out,
            "standing": self._stand,
            "no_signal": self._silent,
        }
        self._feed = Feed(gap)
        self._all_silent: int | None = None
        self._since = self._now = micro_of(since)
        self._round = np.empty(0, np.int64)
        self._was_near = np.empty(0, bool)
        self._round_since = np.empty(0, np.int64)
        self._running: list[RunningRound] = []
        self._open: dict[Key, Alarm] = {}
        self._states: dict[str, str] = {}
        self._codes: tuple[bytes, frozenset[str]] = (b"", frozenset())
        self._opened: list[Alarm] = []
        self._ended: list[Alarm] = []
        self._duty_since = NEVER
        self._enter_regime(self._now)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The open ones."""
        return tuple(self._open.values())

    def look(self, positions: pd.DataFrame, at: datetime, *, sos: Collection[str] = ()) -> Changes:
        """Take in what was heard since the last look, and tell what became of it.

        Parameters
        ----------
        positions
            `time` (with zone), `lon`, `lat` (degrees), indexed by `worker_id`, or with it as a
            column when there are several of a worker; where known `accuracy_m` and `mock`. What was
            seen before does no harm.
        at
            Now; a look into the past tells nothing.
        sos
            Workers who call for help.

        Raises
        ------
        ColumnError
            If a column is missing.
        """
        missing = {"time", "lon", "lat"} - set(positions.columns)
        if missing:
            raise ColumnError(f"positions lack {', '.join(sorted(missing))}")
        now = micro_of(at)
        self._opened, self._ended = [], []
        heard = self._read(positions, now)
        for cut in self._plan.cuts(self._now, now):
            before = heard.t < cut
            self._go(heard.pick(before), cut)
            self._enter_regime(cut)
            heard = heard.pick(~before)
        self._go(heard, max(now, self._now))
        return Changes(tuple(self._opened), tuple(self._ended), self._find_states(sos))

    @property
    def now(self) -> datetime:
        """Up to when it has looked."""
        return moment_at(self._now)

    def restore(self, alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
        """Go on with alarms that were open before; those that no longer apply come back ended.

        What had not become an alarm yet begins anew: that can only delay one. Call it after a
        first look, so that it is known who was heard.
        """
        self._ended = []
        for alarm in alarms:
            if alarm.kind == "sos" or alarm.key in self._open:
                continue
            self._open[alarm.key] = alarm
            if not self._take_up(alarm):
                self._close(alarm.key, self._now)
        return tuple(self._ended)

    def _take_up(self, alarm: Alarm) -> bool:
        """Whether an alarm of before can still be open; its runs go on if so."""
        if alarm.kind == "round_at_risk":
            for one in self._running:
                for g in np.flatnonzero(self._grids[one.plan.rows].astype(str) == alarm.grid_id):
                    if self._key_of_round(one, int(g)) == alarm.key:
                        one.is_open[g] = one.was_open[g] = True
                        return True
            return False
        if alarm.key == ("no_signal", "", "", ""):
            self._all_silent = micro_of(alarm.began_at) if self._running else None
            return self._all_silent is not None
        slot, runs = self._who.slots.get(alarm.worker_id), self._kinds.get(alarm.kind)
        if slot is None or runs is None or self._duty_since == NEVER:
            return False
        if self._who.home[slot] < 0 or (self._round[slot] < 0 and alarm.kind != "out_of_grid"):
            return False
        runs.is_open[slot], runs.since[slot] = True, micro_of(alarm.began_at)
        if isinstance(runs, Spots):
            runs.put(slot, *self._who.xy[slot])
        return True

    # --- reading -------------------------------------------------------------------------------

    def _read(self, positions: pd.DataFrame, now: int) -> Heard:
        """The new fixes in order of time, in metres."""
        slot = self._who.find_slots(positions)
        self._grow()
        heard, times = self._who.read(positions, slot, self._since, now, self.rules.most_accuracy_m)
        self._feed.take(times)
        return heard

    def _grow(self) -> None:
        """Make room for workers who are new."""
        count = len(self._who.ids)
        more = count - len(self._round)
        if not more:
            return
        self._round_since = np.append(self._round_since, np.full(more, NEVER))
        self._round = np.append(self._round, np.full(more, -1))
        self._was_near = np.append(self._was_near, np.zeros(more, bool))
        for runs in self._kinds.values():
            runs.grow(count)
        self._find_rounds(self._now, keep=True)

    # --- regimes -------------------------------------------------------------------------------

    def _enter_regime(self, at: int) -> None:
        """What holds from a moment on: duty and rounds; end what no longer applies."""
        begin = self._plan.duty_begin(at)
        if begin == NEVER and self._duty_since != NEVER:
            everybody = np.ones(len(self._who.ids), bool)
            for kind, runs in self._kinds.items():
                self._end(kind, runs.end(everybody, at))
        if begin != self._duty_since:
            self._out.forget(np.ones(len(self._who.ids), bool))
        self._duty_since = begin
        self._find_rounds(at, keep=False)
        if begin == NEVER or not self._running:
            self._end_all_silent(at)

    def _find_rounds(self, at: int, *, keep: bool) -> None:
        """Who is on which round; with `keep` only newcomers are looked at."""
        plans = [] if self._duty_since == NEVER else self._plan.rounds_at(at)
        known = {id(r.plan): r for r in self._running}
        running = []
        for plan in plans:
            old = known.pop(id(plan), None)
            slots = self._on_round(plan)
            if old is not None and len(old.slots) == len(slots):
                running.append(old)
                continue
            new = RunningRound(plan, slots, self._who.home, len(self._grids))
            if old is not None:
                new.take_over(old)
            running.append(new)
        for gone in known.values():
            self._end_round(gone, at)
        self._running = running
        now_on = np.full(len(self._who.ids), -1)
        since = np.full(len(self._who.ids), NEVER)
        for number, one in enumerate(running):
            now_on[one.slots] = number
            since[one.slots] = one.plan.start
        changed = since != self._round_since
        self._round, self._round_since = now_on, since
        if keep:
            return
        gone_from = changed & (since == NEVER)
        for kind in ("off_post", "standing", "no_signal"):
            runs = self._kinds[kind]
            self._end(kind, runs.end(gone_from, at))
            if kind != "no_signal":
                runs.forget(changed)
        self._out.forget(changed)

    def _on_round(self, plan: Round) -> Slots:
        there = np.zeros(len(self._grids), bool)
        there[plan.rows] = True
        home = self._who.home
        mine = home >= 0
        mine[mine] = there[home[mine]]
        if plan.role and len(self._who.ids):
            roles = self._roles.reindex(self._who.ids) if self._roles is not None else None
            has = np.zeros(len(self._who.ids), bool) if roles is None else (roles == plan.role)
            mine = mine & np.asarray(has, dtype=bool)
        return np.flatnonzero(mine)

    # --- a stretch of time under one regime ----------------------------------------------------

    def _go(self, heard: Heard, until: int) -> None:
        """Take in the fixes of a stretch, then let time pass up to its end."""
        for wave in heard.waves():
            self._fall_silent(wave.slot, wave.t)
            self._take(wave)
        everybody = np.arange(len(self._who.ids), dtype=np.intp)
        self._fall_silent(everybody, np.full(len(everybody), until))
        self._watch_feed(until)
        self._judge_rounds(until)
        self._now = until

    def _take(self, wave: Heard) -> None:
        """One fix of each of some workers."""
        slot, t = wave.slot, wave.t
        self._hear(slot, t)
        used = wave.pick(wave.usable)
        slot, t = used.slot, used.t
        if not len(slot):
            return
        before = self._who.shown[slot]
        self._who.shown[slot] = t
        weight = 1.0 - np.exp(-np.maximum(t - before, 0) / (SMOOTH_S * 1e6))
        raw = np.column_stack([used.x, used.y])
        anew = np.isnan(self._who.xy[slot, :1]) | (t - before > self.rules.gap_s * 1e6)[:, None]
        self._who.xy[slot] += np.nan_to_num((raw - self._who.xy[slot]) * weight[:, None])
        self._who.xy[slot] = np.where(anew, raw, self._who.xy[slot])
        self._who.place[slot] = np.column_stack([used.lon, used.lat])
        if self._duty_since == NEVER:
            return
        self._check_places(slot, t, before, used.x, used.y)

    def _check_places(
        self, slot: Slots, t: Ints, before: Ints, x: npt.NDArray[np.float64],
        y: npt.NDArray[np.float64],
    ) -> None:  # fmt: skip
        placed = self._who.home[slot] >= 0
        slot, t, before, x, y = slot[placed], t[placed], before[placed], x[placed], y[placed]
        sx, sy = self._who.xy[slot, 0].copy(), self._who.xy[slot, 1].copy()
        far = measure_outside(sx, sy, self._who.home[slot], *self._rings)
        raw_far = measure_outside(x, y, self._who.home[slot], *self._rings)
        near = raw_far <= self.rules.near_m
        same = (near == self._was_near[slot]) & (t - before <= self.rules.gap_s * 1e6)
        self._was_near[slot] = near
        for one in self._running:
            one.take(slot, t, near, before, same)
        on_round = (self._round[slot] >= 0) & (t >= self._round_since[slot])
        opened, ended = self._off.see(slot, t, before, far > self.rules.near_m, on_round)
        self._end("off_post", ended)
        self._open_places("off_post", opened, slot, far)
        gone = np.zeros(len(self._who.ids), bool)
        gone[opened.slot] = True
        when = np.full(len(self._who.ids), NEVER)
        when[opened.slot] = opened.at
        self._end("out_of_grid", self._out.end(gone, when))
        between = (self._round[slot] < 0) & (t >= self._duty_since)
        opened, ended = self._out.see(slot, t, before, far > self.rules.out_of_grid_m, between)
        self._end("out_of_grid", ended)
        self._open_places("out_of_grid", opened, slot, far)
        r = on_round
        opened, ended = self._stand.see(slot[r], t[r], before[r], sx[r], sy[r])
        self._end("standing", ended)
        self._open_places("standing", opened, slot, far)

    def _open_places(
        self, kind: str, told: Told, slot: Slots, far: npt.NDArray[np.float64]
    ) -> None:
        if not len(told.slot):
            return
        metres = dict(zip(slot.tolist(), far.tolist(), strict=True))
        for k, began, at in zip(told.slot, told.began, told.at, strict=True):
            self._open_one(kind, int(k), int(began), int(at), {"far_m": round(metres[int(k)])})

    # --- silence -------------------------------------------------------------------------------

    def _hear(self, slot: Slots, t: Ints) -> None:
        """A phone said something: after a while its silence is over."""
        before = self._who.heard[slot]
        self._who.heard[slot] = t
        quiet = np.zeros(len(slot), bool)
        _, ended = self._silent.see(slot, t, before, quiet, quiet)
        self._end("no_signal", ended)

    def _fall_silent(self, slot: Slots, until: Ints) -> None:
        """What silence up to a moment does: it opens an alarm, and ends what nobody knows of."""
        delay = int(self.rules.no_signal_delay_s * 1e6)
        heard = self._who.heard[slot]
        long = (heard != NEVER) & (until - heard >= delay)
        if not long.any():
            return
        slot, until = slot[long], until[long]
        which = np.zeros(len(self._who.ids), bool)
        which[slot] = True
        for kind in ("off_post", "out_of_grid", "standing"):
            self._end(kind, self._kinds[kind].end(which, self._who.heard + delay))
        on = (self._round[slot] >= 0) & ~self._silent.is_open[slot]
        slot, until = slot[on], until[on]
        base = np.maximum(self._who.heard[slot], self._round_since[slot])
        base = np.maximum(base, self._feed.back_before)
        due = self._feed.find_due(base, delay)
        fires = (due != NEVER) & (due <= until)
        began = np.maximum(self._who.heard[slot], self._round_since[slot])[fires]
        for k, b, at in zip(slot[fires], began, due[fires], strict=True):
            self._silent.is_open[k], self._silent.since[k] = True, b
            self._silent.over[k] = NEVER
            self._open_one("no_signal", int(k), int(b), int(at), {})

    def _watch_feed(self, until: int) -> None:
        """One alarm when all phones are silent on a round, over with the first word."""
        if not self._running or not (self._who.heard != NEVER).any():
            return
        start = min(one.plan.start for one in self._running)
        delay = int(self.rules.no_signal_delay_s * 1e6)
        back = self._feed.came_back(until)
        if self._all_silent is not None and back is not None:
            self._end_all_silent(back)
        for began, after in self._feed.find_stops(start, until, delay):
            if self._all_silent is not None or began + delay <= self._now:
                continue
            self._all_silent = began
            alarm = Alarm(
                "no_signal", "", "", "", moment_at(began), moment_at(began + delay),
                detail={"workers": int((self._who.heard != NEVER).sum())},
            )  # fmt: skip
            self._open[alarm.key] = alarm
            self._opened.append(alarm)
            if after < until:
                self._end_all_silent(after)

    def _end_all_silent(self, at: int) -> None:
        if self._all_silent is not None:
            self._all_silent = None
            self._close(("no_signal", "", "", ""), at)

    # --- rounds --------------------------------------------------------------------------------

    def _judge_rounds(self, until: int) -> None:
        """Which rounds can soon no longer be done, at each full minute."""
        waits = self._who.heard != NEVER
        for one in self._running:
            for risk in find_risks(one, until, waits, self.rules.risk_slack_min):
                key = self._key_of_round(one, risk.row)
                if risk.is_over:
                    self._close(key, risk.at)
                    continue
                kind, worker, grid, shift = key
                began, at = moment_at(risk.began), moment_at(risk.at)
                alarm = Alarm(kind, worker, grid, shift, began, at, detail=risk.detail)
                self._open[alarm.key] = alarm
                self._opened.append(alarm)

    def _key_of_round(self, one: RunningRound, row: int) -> Key:
        shift = one.plan.shift if not one.plan.role else f"{one.plan.shift}/{one.plan.role}"
        return ("round_at_risk", "", str(self._grids[one.plan.rows[row]]), shift)

    def _end_round(self, one: RunningRound, at: int) -> None:
        for row in np.flatnonzero(one.is_open):
            self._close(self._key_of_round(one, int(row)), min(at, one.plan.end))

    # --- alarms and states ---------------------------------------------------------------------

    def _open_one(self, kind: str, slot: int, began: int, at: int, detail: dict[str, Any]) -> None:
        home, number = int(self._who.home[slot]), int(self._round[slot])
        lon, lat = (float(v) for v in self._who.place[slot])
        alarm = Alarm(
            kind, str(self._who.ids[slot]), str(self._grids[home]) if home >= 0 else "",
            self._running[number].plan.shift if number >= 0 else "",
            moment_at(began), moment_at(at), None, lon, lat, detail,
        )  # fmt: skip
        self._open[alarm.key] = alarm
        self._opened.append(alarm)

    def _end(self, kind: str, told: Told) -> None:
        for slot, at in zip(told.slot, told.at, strict=True):
            self._close((kind, str(self._who.ids[slot]), "", ""), int(at))

    def _close(self, key: Key, at: int) -> None:
        alarm = self._open.pop(key, None)
        if alarm is not None:
            ended = max(moment_at(at), alarm.fired_at)
            self._ended.append(replace(alarm, ended_at=ended))

    def _find_states(self, sos: Collection[str]) -> dict[str, str]:
        code = np.full(len(self._who.ids), STATES.index("on_duty"), np.int8)
        silent = find_silent(
            self._who.heard, self._duty_since, self._now, int(self.rules.no_signal_delay_s * 1e6)
        )
        code[self._stand.is_open] = STATES.index("standing")
        code[self._off.is_open | self._out.is_open] = STATES.index("off_post")
        code[silent | self._silent.is_open] = STATES.index("no_signal")
        if self._duty_since == NEVER:
            code[:] = STATES.index("off_duty")
        heard = self._who.heard != NEVER
        code[~heard] = -1
        for worker in sos:
            if worker in self._who.slots:
                code[self._who.slots[worker]] = STATES.index("sos")
        same = (code.tobytes(), frozenset(sos))
        if same == self._codes:
            return self._states
        self._codes = same
        names = np.array(STATES, dtype=object)[code[heard]]
        found = dict(zip(self._who.ids[heard].tolist(), names.tolist(), strict=True))
        self._states = found | dict.fromkeys(sos, "sos")
        return self._states
