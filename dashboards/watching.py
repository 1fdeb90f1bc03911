"""Alarms about patrols: what `geo.watch` finds, kept in the table `patrol_alarms`.

Each look at the workspace hands the positions to a `Watch`. What opens or ends is written by a
thread of its own, so that the map never waits for somebody else's transaction; without that thread
(tests) it is written at once. An id is the same whoever works the alarm out, and a server that
starts goes on with the alarms that the table says are open, so nothing is told twice. Calls for
help come into the table with their fix; they stay open until somebody takes note.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import flask
import pandas as pd
import sqlalchemy as sa
from geopandas import GeoDataFrame

from dashboards.figures import Snapshot
from dashboards.language import page_words
from dashboards.settings import Settings
from dashboards.store import Change, Store
from geo.errors import StoreBusyError, WanggeError
from geo.io.rules import read_alarm_rules, read_rounds, read_rules, rules_stamp
from geo.watch import Alarm, Changes, Duty, Watch

log = logging.getLogger(__name__)

RULES_EVERY = timedelta(seconds=10)
"""How often the files of rules are looked at."""

BACK_S = 60
"""A clock that goes back by more (a play that ended) begins the watch anew."""

RETRY_S = 5.0
"""When writing is tried again after the table was busy."""

MAX_BODY = 16_384
MAX_NOTE = 2000
COLUMNS = (
    "kind", "worker_id", "grid_id", "shift", "began_at", "fired_at", "ended_at", "lon", "lat",
    "detail", "seen_at", "seen_by", "note",
)  # fmt: skip

Answer = flask.typing.ResponseReturnValue


class Watching:
    """Watches over the patrols of a store. Safe to share between threads.

    Parameters
    ----------
    store
        Looked at after each of its looks: make this before whoever shows the states.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._watch: Watch | None = None
        self._key: tuple[str, str, str] = ("", "", "")
        self._ground: tuple[str, GeoDataFrame] | None = None
        self._rules_at: datetime | None = None
        self._stamp = ""
        self._stored = pd.DataFrame({name: [] for name in COLUMNS})
        self._pending: dict[str, _Wish] = {}
        self._write_lock = threading.Lock()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop = False
        self.trouble = ""
        """Why nobody is watched, empty if all is well."""
        self.states: dict[str, str] = {}
        """State of each worker who was heard; another object whenever one changed."""
        self.alarms: pd.DataFrame = self._stored
        """The open alarms by `alarm_id`, the newest first; another object whenever one changed."""
        self.mark = 0
        """Counts up with every change of states or alarms."""
        store.on_look(self._on_look)

    # --- looking -------------------------------------------------------------------------------

    def _on_look(self, change: Change) -> None:
        self.look(change.new, self._store.clock())

    def look(self, snapshot: Snapshot, at: datetime) -> None:
        """Hand the positions of a snapshot to the watch, and show what became of them."""
        with self._lock:
            self._read_stored()
            try:
                changes = self._follow(snapshot, at)
            except WanggeError as error:
                # Rules that cannot be read must not stop the map; they are named once.
                if str(error) != self.trouble:
                    log.error("patrols are not watched: %s", error)
                self.trouble = str(error)
                return
            self.trouble = ""
            for alarm in changes.opened:
                self._pending[alarm.alarm_id] = _Wish(alarm, is_new=True)
            for alarm in changes.ended:
                known = self._pending.get(alarm.alarm_id)
                is_new = known is not None and known.is_new
                self._pending[alarm.alarm_id] = _Wish(alarm, is_new=is_new)
            if changes.states is not self.states:
                self.states = changes.states
                self.mark += 1
            if changes.opened or changes.ended:
                self._show()
        self._news.set()
        if self._thread is None:
            self.write()

    def _follow(self, snapshot: Snapshot, at: datetime) -> Changes:
        is_due = self._rules_at is None or abs(at - self._rules_at) >= RULES_EVERY
        stamp = rules_stamp(self._store.workspace) if is_due else self._key[2]
        people = snapshot.workers.stamp.partition(".")[0]
        key = (snapshot.city.stamp, people, stamp)
        went_back = self._watch is not None and at < self._watch.now - timedelta(seconds=BACK_S)
        ended: tuple[Alarm, ...] = ()
        if is_due:
            self._rules_at = at
        if self._watch is None or key != self._key or went_back:
            self._watch = self._begin(snapshot, at)
            self._key = key
            positions = snapshot.workers.positions
            self._watch.look(positions, at)
            ended = self._watch.restore(self._open_before())
        sos = self.alarms.loc[self.alarms["kind"] == "sos", "worker_id"].dropna()
        found = self._watch.look(snapshot.workers.positions, at, sos=tuple(sos))
        return replace(found, ended=(*ended, *found.ended))

    def _begin(self, snapshot: Snapshot, at: datetime) -> Watch:
        workspace, settings = self._store.workspace, self._store.settings
        city, people = snapshot.city, snapshot.workers.people
        if self._ground is None or self._ground[0] != city.stamp:
            shapes = city.grids[["geometry"]]
            # A city without grids has no metres of its own, and needs none.
            crs = workspace.metric_crs() if len(shapes) else "EPSG:4547"
            self._ground = (city.stamp, shapes.to_crs(crs))
        calendar = read_rules(workspace).calendar
        rules = read_alarm_rules(workspace.path)
        return Watch(
            self._ground[1],
            people["unit_code"].astype(object),
            read_rounds(workspace.path),
            _duty(settings, rules.duty_days, calendar),
            since=at,
            rules=rules,
            roles=people["role"].astype(object),
            units=unit_codes(snapshot),
            calendar=calendar,
        )

    def _open_before(self) -> Iterable[Alarm]:
        """The open alarms of the table, as the watch knows them."""
        return [_alarm(str(label), row) for label, row in self.alarms.iterrows()]

    # --- the table -----------------------------------------------------------------------------

    def _read_stored(self) -> None:
        """Read the open rows again if anybody wrote to the table."""
        workspace = self._store.workspace
        stamp = workspace.stamp("patrol_alarms")
        if stamp == self._stamp:
            return
        table = workspace.table("patrol_alarms")
        self._stored = workspace.read("patrol_alarms", where=table.c.ended_at.is_(None))
        self._stamp = stamp
        self._show()

    def _show(self) -> None:
        """The open alarms: those of the table with what is not written yet laid over them."""
        gone = [label for label, wish in self._pending.items() if wish.alarm.ended_at is not None]
        rows = self._stored.drop(index=[label for label in gone if label in self._stored.index])
        fresh = [
            {"alarm_id": label, **_row(wish.alarm)}
            for label, wish in self._pending.items()
            if wish.alarm.ended_at is None and label not in rows.index
        ]
        if fresh:
            more = pd.DataFrame(fresh).set_index("alarm_id")
            more = more.reindex(columns=list(COLUMNS))
            for name in ("began_at", "fired_at", "ended_at", "seen_at"):
                more[name] = pd.to_datetime(more[name], utc=True).astype("datetime64[ms, UTC]")
            rows = pd.concat([rows, more]) if len(rows) else more
        self.alarms = rows.sort_values("fired_at", ascending=False, kind="stable")
        self.mark += 1

    def write(self) -> bool:
        """Write what is not written yet, in one transaction; whether there was anything."""
        with self._write_lock:
            with self._lock:
                wishes = dict(self._pending)
            if not wishes:
                return False
            workspace = self._store.workspace
            table = workspace.table("patrol_alarms")
            with workspace.writing() as conn:
                for label, wish in wishes.items():
                    if wish.is_new:
                        row = {"alarm_id": label, **_row(wish.alarm)}
                        conn.execute(sa.insert(table).prefix_with("OR IGNORE"), row)
                    elif wish.alarm.ended_at is not None:
                        ended = sa.update(table).where(table.c.alarm_id == label)
                        ended = ended.where(table.c.ended_at.is_(None))
                        conn.execute(ended.values(ended_at=wish.alarm.ended_at))
                workspace.touch(conn, "patrol_alarms")
            with self._lock:
                self._read_stored()
                for label, wish in wishes.items():
                    if self._pending.get(label) is wish:
                        del self._pending[label]
                    elif label in self._pending:
                        # It ended while it was written.
                        self._pending[label] = replace(self._pending[label], is_new=False)
                self._show()
            return True

    def acknowledge(
        self, alarm_id: str, by: str, note: str, at: datetime, *, role: str = ""
    ) -> bool:
        """Note who saw an alarm; False if there is none of that id.

        A call for help is over with it; other alarms last until what they tell of is over. The
        first who took note stays.
        """
        self.write()
        table = self._store.workspace.table("patrol_alarms")
        mine = table.c.alarm_id == alarm_id
        who = f"{by} ({role})" if role else by
        with self._write_lock, self._store.workspace.writing() as conn:
            seen = conn.execute(sa.select(table.c.kind, table.c.seen_at).where(mine)).one_or_none()
            if seen is None:
                return False
            if seen.seen_at is None:
                values: dict[str, Any] = {"seen_at": at, "seen_by": who, "note": note or None}
                conn.execute(sa.update(table).where(mine).values(**values))
            if seen.kind == "sos":
                over = sa.update(table).where(mine & table.c.ended_at.is_(None))
                conn.execute(over.values(ended_at=at))
            self._store.workspace.touch(conn, "patrol_alarms")
        with self._lock:
            self._read_stored()
        return True

    # --- the thread ----------------------------------------------------------------------------

    def start(self) -> None:
        """Write in the background from here on, until `stop`."""
        if self._thread is not None:
            return
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="wangge-alarms", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._stop = True
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            try:
                self.write()
            # The end of a thread: the wishes are kept, whatever came, or no alarm would be written
            # any more and nobody would know.
            except Exception:
                log.exception("alarms about patrols could not be written, tried again")
                if not self._stop:
                    threading.Timer(RETRY_S, self._news.set).start()
            if self._stop:
                return


@dataclass(frozen=True, eq=False)
class _Wish:
    """What is to be written of an alarm."""

    alarm: Alarm
    is_new: bool


def unit_codes(snapshot: Snapshot) -> pd.DataFrame:
    """Codes of the divisions above each grid, from the city down."""
    places = snapshot.city.places
    names = [name for name in places.columns if str(name).endswith("_code")]
    return places[names]


def _duty(settings: Settings, days: Any, calendar: Any) -> Duty:
    begin, end = settings.duty
    return Duty(begin, end, settings.zone, days, calendar)


def _row(alarm: Alarm) -> dict[str, Any]:
    """An alarm as the columns of its table, empty where nothing is known."""
    is_placed = alarm.lon == alarm.lon and alarm.lat == alarm.lat
    return {
        "kind": alarm.kind,
        "worker_id": alarm.worker_id or None,
        "grid_id": alarm.grid_id or None,
        "shift": alarm.shift or None,
        "began_at": alarm.began_at,
        "fired_at": alarm.fired_at,
        "ended_at": alarm.ended_at,
        "lon": alarm.lon if is_placed else None,
        "lat": alarm.lat if is_placed else None,
        "detail": json.dumps(dict(alarm.detail), ensure_ascii=False) if alarm.detail else None,
    }


def _alarm(alarm_id: str, row: pd.Series) -> Alarm:
    def text(name: str) -> str:
        return "" if pd.isna(row[name]) else str(row[name])

    return Alarm(
        str(row["kind"]),
        text("worker_id"),
        text("grid_id"),
        text("shift"),
        row["began_at"].to_pydatetime(),
        row["fired_at"].to_pydatetime(),
        given_id=alarm_id,
    )


# --- over HTTP -----------------------------------------------------------------------------------


def add_watch_routes(server: flask.Flask, store: Store, watching: Watching) -> None:
    """Add `/patrol-alarms`: the open alarms, and who took note of one."""
    routes = flask.Blueprint("patrol-alarms", __name__, url_prefix="/patrol-alarms")

    @routes.get("")
    def list_open() -> Answer:
        snapshot = store.snapshot()
        rows = watching.alarms
        told = [alarm_json(snapshot, str(label), row) for label, row in rows.iterrows()]
        return _answer({"alarms": told, "mark": watching.mark, "trouble": watching.trouble})

    @routes.post("/<alarm_id>/seen")
    def see(alarm_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = _body()
        if body is None:
            return _answer({"error": words("watch.bad.body")}, 400)
        by, role, note = (str(body.get(name) or "").strip() for name in ("by", "role", "note"))
        if not by:
            return _answer({"error": words("watch.bad.who")}, 400)
        try:
            known = watching.acknowledge(
                alarm_id, by[:200], note[:MAX_NOTE], store.clock(), role=role[:200]
            )
        except StoreBusyError:
            return _answer({"error": words("watch.busy")}, 503)
        if not known:
            return _answer({"error": words("watch.unknown")}, 404)
        table = store.workspace.table("patrol_alarms")
        rows = store.workspace.read("patrol_alarms", where=table.c.alarm_id == alarm_id)
        return _answer({"alarm": alarm_json(store.snapshot(), alarm_id, rows.iloc[0])})

    server.register_blueprint(routes)


def alarm_json(snapshot: Snapshot, alarm_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm with the names of its worker and grid; times in milliseconds since 1970."""
    people, city = snapshot.workers.people, snapshot.city
    told: dict[str, Any] = {"alarm_id": alarm_id}
    for name in COLUMNS:
        value = row[name]
        if pd.isna(value):
            told[name] = None
        elif isinstance(value, pd.Timestamp):
            told[name] = value.timestamp() * 1000
        else:
            told[name] = float(value) if name in ("lon", "lat") else str(value)
    told["detail"] = json.loads(told["detail"]) if told["detail"] else {}
    worker, grid = told["worker_id"], told["grid_id"]
    told["worker"] = str(people["name"].get(worker, worker)) if worker else None
    at = city.position.get(grid, -1) if grid else -1
    told["grid"] = city.place_names[at] if at >= 0 else grid
    return told


def _body() -> dict[str, Any] | None:
    """The JSON of a change from one of our own pages; None for anything else."""
    request = flask.request
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return None
    size = request.content_length
    if not request.is_json or size is None or size > MAX_BODY:
        return None
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else None


def _answer(body: dict[str, Any], status: int = 200) -> flask.Response:
    response = flask.jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
