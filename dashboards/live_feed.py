"""`/live`: what changes, told to every open screen as it happens (server-sent events).

    id: 5f3c-18                 numbered without gaps, from 1 for each start of the server
    event: cases
    data: {"changed": [...], "gone": [...]}

Every screen reads the same numbered events out of one ring; what is worded is worded once for each
language. There is no queue for a screen: one that was away, or is too slow, goes on from the number
that it had, and if the ring has gone past that it is told to load anew (`reset`). So a slow screen
costs no memory. A screen takes one thread of the server; more than the settings allow are sent away
with 503 and ask every few seconds instead.

| event | data |
|---|---|
| `hello` | first: `n` (number before the next one), `now`, `newest`, `versions`, `states` |
| `positions` | who moved (packed, see `live_code`); `new`: `[number, id, name]`; `gone`: numbers |
| `states` | `[state, numbers]` of those whose state changed; see `worker_states` |
| `patrol` | alarms about patrols: `changed` (as in /data/alarms.json), `gone` (ids) |
| `cases` | `changed` (open cases as in /data/incidents.geojson), `gone` (ids no longer open) |
| `alarm` | a case that grew overdue, once: `incident_id`, `kind`, `what`, `where`, `late_s` … |
| `version` | `versions`, `now`, `newest`: there is something new, at most every `refresh_s` |
| `reset` | `why`, `versions`, `states`: what was missed cannot be told, load anew |
| `ping` | `n`, `now`: nothing new; not numbered |
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import flask
import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboards.describe import describe_case
from dashboards.figures import Snapshot
from dashboards.language import page_words
from dashboards.live_people import PeopleNews
from dashboards.live_ring import Event as Event
from dashboards.live_ring import Ring as Ring
from dashboards.live_ring import frame
from dashboards.map_data import case_properties, is_new
from dashboards.patrol_lines import describe_alarms, read_alarms
from dashboards.settings import LANGUAGES
from dashboards.store import Change, Store
from dashboards.words import Words

PING_S = 10.0
"""Silence after which a screen is told that the connection still stands."""

MOST_CASES = 2_000
"""With more changed cases at once a screen loads them all anew, which is less."""

RETRY_AFTER_S = 30
"""When a screen that was sent away may ask for a place again."""

Bools = npt.NDArray[np.bool_]


class LiveFeed:
    """Turns changes of the store into events, and holds the places of screens.

    Parameters
    ----------
    store
        It tells its changes from now on.
    ring
        Where the events go.
    tick
        A clock in seconds that only goes forward; tests pass their own.
    """

    def __init__(
        self,
        store: Store,
        *,
        ring: Ring | None = None,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.ring = ring if ring is not None else Ring()
        self._tick = tick
        self._words = [Words(language) for language in LANGUAGES]
        self._alarmed: dict[str, np.datetime64] = {}
        self._told_versions: dict[str, str] = {}
        self._told_at = -float("inf")
        self._people = PeopleNews(store, self._words)
        self._screens = 0
        self._lock = threading.Lock()
        store.on_look(self.follow)

    # --- what happened -------------------------------------------------------------------------

    def follow(self, change: Change) -> None:
        """Tell what is different in the new snapshot; called after every look of the store."""
        old, new = change.old, change.new
        for kind, data in self._people.follow(old, new):
            self.ring.add(kind, data)
        if new is not old:
            if change.fids is None and new.cases is not old.cases:
                self._tell_reset("cases", new)
            else:
                self._tell_cases(old, new, change.fids or frozenset())
            self._tell_alarms(old, new)
        if not self._told_versions:
            self._told_versions = old.versions
        self._tell_version(new)

    def _tell_cases(self, old: Snapshot, new: Snapshot, fids: frozenset[int]) -> None:
        changed, gone = changed_cases(old, new, fids)
        if len(changed) > MOST_CASES:
            self._tell_reset("cases", new)
            return
        if not len(changed) and not gone:
            return
        data: dict[str, bytes] = {
            words.language: _json(
                {"changed": [case_properties(new, int(k), words) for k in changed], "gone": gone}
            )
            for words in self._words
        }
        self.ring.add("cases", data)

    def _tell_alarms(self, old: Snapshot, new: Snapshot) -> None:
        cases = new.cases
        for k in newly_late(old, new):
            key, deadline = str(cases.ids[k]), cases.deadline[k]
            if self._alarmed.get(key) == deadline:
                continue
            self._alarmed[key] = deadline
            told = {str(w.language): _json(alarm(new, k, w)) for w in self._words}
            self.ring.add("alarm", told)
        if len(self._alarmed) > 2 * len(cases) + 1000:
            self._alarmed = {key: at for key, at in self._alarmed.items() if key in cases.position}

    def _tell_reset(self, why: str, new: Snapshot) -> None:
        told = {"why": why, **_state(self.store, new), "states": self._people.told_states()}
        self.ring.add("reset", {"": _json(told)})

    def _tell_version(self, new: Snapshot) -> None:
        is_soon = self._tick() - self._told_at < self.store.settings.refresh_s
        if new.versions == self._told_versions or is_soon:
            return
        self._told_versions, self._told_at = new.versions, self._tick()
        self.ring.add("version", {"": _json(_state(self.store, new))})

    # --- who listens ---------------------------------------------------------------------------

    @property
    def screens(self) -> int:
        """How many screens listen."""
        return self._screens

    def enter(self) -> bool:
        """Take a place for a screen; False if all are taken."""
        with self._lock:
            if self._screens >= self.store.settings.screens or self.ring.is_closed:
                return False
            self._screens += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._screens -= 1

    def stream(self, language: str, last_id: str, *, ping_s: float = PING_S) -> Iterator[bytes]:
        """The events of one screen, from behind the one that it saw last; see `enter`."""
        ring = self.ring
        known = ring.place_of(last_id) if last_id else ring.last
        number = ring.last if known is None else known
        yield b"retry: 2000\n\n"
        yield self._greeting("hello", number)
        if known is None:
            yield self._greeting("reset", number, why="unknown")
        while not ring.is_closed:
            events = ring.after(number, ping_s)
            if events is None:
                number = ring.last
                yield self._greeting("reset", number, why="slow")
            elif events:
                number = events[-1].number
                yield b"".join(event.text(ring.boot, language) for event in events)
            else:
                yield frame("ping", _json({"n": number, "now": _now(self.store)}))

    def _greeting(self, kind: str, number: int, **more: Any) -> bytes:
        data = {
            "n": number, **more, **_state(self.store, self.store.snapshot()),
            "states": self._people.told_states(),
        }  # fmt: skip
        return frame(kind, _json(data), f"{self.ring.boot}-{number}")

    def close(self) -> None:
        """End every connection: the server is about to stop."""
        self.ring.close()


class Screen:
    """The body of one answer: gives its place back when the connection ends, however it ends."""

    def __init__(self, feed: LiveFeed, events: Iterator[bytes]) -> None:
        self._feed: LiveFeed | None = feed
        self._events = events

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """Called by the server at the end, also when the browser is gone."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.leave()


def add_live_route(server: flask.Flask, store: Store) -> LiveFeed:
    """Serve `/live`; gives the feed, so that whoever ends the server can close it."""
    feed = LiveFeed(store)

    @server.get("/live")
    def live() -> flask.typing.ResponseReturnValue:
        words = page_words(store.settings.language)
        if not feed.enter():
            return (
                flask.jsonify(error=words("live.full")),
                503,
                {"Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"},
            )
        last = flask.request.args.get("last") or flask.request.headers.get("Last-Event-ID", "")
        body = Screen(feed, feed.stream(words.language, last))
        response = flask.Response(body, mimetype="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        # A proxy that collects the answer before it passes it on would hold every event back.
        response.headers["X-Accel-Buffering"] = "no"
        return response

    @server.get("/data/alarms.json")
    def alarms() -> flask.typing.ResponseReturnValue:
        words, snapshot = page_words(store.settings.language), store.snapshot()
        lines = describe_alarms(snapshot, read_alarms(store).rows, words)
        response = flask.jsonify(alarms=lines, now=_now(store))
        response.headers["Cache-Control"] = "no-store"
        return response

    return feed


# --- what is different ---------------------------------------------------------------------


def changed_cases(
    old: Snapshot, new: Snapshot, fids: frozenset[int]
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Numbers of the open cases that a screen must draw anew, and ids of those no longer open.

    A case is drawn anew if its row changed, or if time alone made it late, soon or no longer new.
    """
    was, now = _open_by_fid(old), _open_by_fid(new)
    at = pd.Index(was["fid"]).get_indexer(now["fid"])
    same = at >= 0
    for name in ("state", "new", "row"):
        same[same] &= was[name][at[same]] == now[name][same]
    if fids:
        same &= ~np.isin(now["fid"], np.fromiter(fids, dtype=np.int64))
    is_gone = ~np.isin(was["fid"], now["fid"])
    return now["k"][~same], [str(label) for label in was["id"][is_gone]]


def _open_by_fid(snapshot: Snapshot) -> dict[str, npt.NDArray[Any]]:
    cases = snapshot.cases
    k = np.flatnonzero(cases.is_open)
    return {
        "k": k, "fid": cases.fid[k], "id": cases.ids[k], "state": snapshot.state[k],
        "new": is_new(snapshot)[k], "row": cases.row[k],
    }  # fmt: skip


def newly_late(old: Snapshot, new: Snapshot) -> list[int]:
    """Numbers of the cases that are late now and were not, by their deadlines.

    One that came late already counts only if its deadline passed since the old snapshot: an import
    of old cases is no alarm.
    """
    is_late = new.state == "late"
    was_late = old.cases.fid[old.state == "late"]
    rows = np.flatnonzero(is_late & ~np.isin(new.cases.fid, was_late))
    was_known = np.isin(new.cases.fid[rows], old.cases.fid)
    before = np.datetime64(pd.Timestamp(old.case_figures.at).tz_convert("UTC").tz_localize(None))
    fresh = new.cases.deadline[rows] >= before
    rows = rows[was_known | fresh]
    return [int(k) for k in rows[np.argsort(new.cases.deadline[rows], kind="stable")]]


def alarm(snapshot: Snapshot, k: int, words: Words) -> dict[str, Any]:
    """What a screen says about a case that grew overdue."""
    line, cases = describe_case(snapshot, k, words), snapshot.cases
    now = np.datetime64(pd.Timestamp(snapshot.at).tz_convert("UTC").tz_localize(None))
    return {
        "incident_id": line.id,
        "kind": "overdue",
        "what": line.what,
        "where": line.where,
        "late_s": round(float((now - cases.deadline[k]) / np.timedelta64(1, "s")), 1),
        "grid_id": line.grid_id,
        "lon": line.lon,
        "lat": line.lat,
    }


def _state(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    newest = None if snapshot.newest is None else snapshot.newest.timestamp() * 1000
    return {"now": _now(store), "newest": newest, "versions": snapshot.versions}


def _now(store: Store) -> float:
    return store.clock().timestamp() * 1000


def _ms(snapshot: Snapshot) -> float:
    return snapshot.at.timestamp() * 1000


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
