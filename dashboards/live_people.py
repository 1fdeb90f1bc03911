"""What `/live` tells of people: where they are, in which state, and what alarms they give.

A person is told by number, which the positions keep for one start of the server; number, id and
name come with the layer (/data/workers.geojson) and with whoever is new. States are told when they
change and all at once in a greeting, so a screen has them right whatever it missed. Nothing here is
a difference to what a screen should have: what comes twice does no harm.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboards.figures import Snapshot
from dashboards.live_code import pack_positions
from dashboards.patrol_lines import OpenAlarms, describe_alarms, read_alarms
from dashboards.store import Store
from dashboards.words import Words
from dashboards.worker_states import ON_DUTY, STATES, Codes, find_states, told_states

News = list[tuple[str, dict[str, bytes]]]
"""Kinds and data of events, by language."""


class PeopleNews:
    """Turns changes of positions, states and alarms into events; used by one thread at a time."""

    def __init__(self, store: Store, words: list[Words]) -> None:
        self._store, self._words = store, words
        self._states: Codes | None = None
        """By number of the worker; who has no position any more keeps the last one."""
        self._alarms: OpenAlarms | None = None
        self._told: dict[str, Any] = {}
        """What was told of each open alarm: the row as it was."""

    def follow(self, old: Snapshot, new: Snapshot) -> News:
        """The events that lead from one look to the next."""
        news: News = []
        moved = _moved(old, new)
        if moved is not None:
            news.append(("positions", {"": _json(moved)}))
        alarms = read_alarms(self._store)
        known = self._states = self._known(old)
        self._states = self._find(new, alarms)
        told = np.pad(known, (0, len(self._states) - len(known)), constant_values=ON_DUTY)
        states = _by_state(self._states, np.flatnonzero(self._states != told))
        if states:
            news.append(("states", {"": _json({"at": _ms(new), "states": states})}))
        changed = self._changed_alarms(alarms)
        if changed is not None:
            news.append(("patrol", self._word_alarms(new, *changed)))
        return news

    def told_states(self) -> list[list[Any]]:
        """`[state, numbers]` of everyone who is not simply on duty, as far as was told."""
        if self._states is None:
            self._states = self._find(self._store.snapshot(), read_alarms(self._store))
        states = self._states
        return _by_state(states, np.flatnonzero(states != ON_DUTY))

    def _known(self, old: Snapshot) -> Codes:
        """The states that were told; before the first word those by the ages of positions."""
        if self._states is None:
            at = pd.Timestamp(old.at)
            return self._by_slot(old, find_states(old, {}, frozenset(), at=at))
        return self._states

    def _find(self, snapshot: Snapshot, alarms: OpenAlarms) -> Codes:
        at, told = pd.Timestamp(self._store.clock()), told_states(self._store)
        return self._by_slot(snapshot, find_states(snapshot, told, alarms.calling, at=at))

    def _by_slot(self, snapshot: Snapshot, found: Codes) -> Codes:
        """States by number instead of by position, the known ones behind them."""
        slots = snapshot.workers.positions["slot"].to_numpy()
        before = np.zeros(0, dtype=np.int8) if self._states is None else self._states
        size = max(len(before), int(slots.max(initial=-1)) + 1)
        # Another object, so that a greeting in another thread sees the one or the other.
        states = np.pad(before, (0, size - len(before)), constant_values=ON_DUTY)
        states[slots] = found
        return states

    def _changed_alarms(self, alarms: OpenAlarms) -> tuple[pd.DataFrame, list[str]] | None:
        before = self._alarms
        if before is not None and alarms.stamp == before.stamp:
            return None
        self._alarms = alarms
        rows = {str(key): row for key, *row in alarms.rows.itertuples(name=None)}
        now = {key: repr(row) for key, row in rows.items()}
        changed = [key for key, text in now.items() if self._told.get(key) != text]
        gone = [key for key in self._told if key not in now]
        self._told = now
        if not changed and not gone:
            return None
        return alarms.rows.loc[changed], gone

    def _word_alarms(
        self, new: Snapshot, changed: pd.DataFrame, gone: list[str]
    ) -> dict[str, bytes]:
        return {
            words.language: _json({"changed": describe_alarms(new, changed, words), "gone": gone})
            for words in self._words
        }


def _moved(old: Snapshot, new: Snapshot) -> dict[str, Any] | None:
    """Who has a newer position, who is new and who is gone; None if nothing of that."""
    before, now = old.workers.positions, new.workers.positions
    if before is now:
        return None
    if before.index is now.index:
        known = _times(before["time"])
        come, gone = now.iloc[:0], before.iloc[:0]
    else:
        known = _times(before["time"].reindex(now.index))
        come = now[~now.index.isin(before.index)]
        gone = before[~before.index.isin(now.index)]
    rows = now[known != _times(now["time"])]
    if not len(rows) and not len(gone):
        return None
    seconds = rows["time"].astype("datetime64[s, UTC]").astype("int64").to_numpy()
    told: dict[str, Any] = {"at": _ms(new)} | pack_positions(
        rows["slot"].to_numpy(), rows["lon"].to_numpy(), rows["lat"].to_numpy(), seconds
    )
    if len(come):
        names = new.workers.people["name"].reindex(come.index)
        named = names.where(names.notna(), come.index)
        told["new"] = [
            [int(slot), str(label), str(name)]
            for slot, label, name in zip(come["slot"], come.index, named, strict=True)
        ]
    if len(gone):
        told["gone"] = gone["slot"].tolist()
    return told


def _times(column: pd.Series) -> npt.NDArray[np.datetime64]:
    """Moments as numbers; as objects each comparison would cost as much as the rest."""
    return np.asarray(column.dt.tz_localize(None).to_numpy(dtype="datetime64[us]"))


def _by_state(states: Codes, slots: npt.NDArray[np.intp]) -> list[list[Any]]:
    return [
        [name, mine.tolist()]
        for code, name in enumerate(STATES)
        if len(mine := slots[states[slots] == code])
    ]


def _ms(snapshot: Snapshot) -> float:
    return snapshot.at.timestamp() * 1000


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
