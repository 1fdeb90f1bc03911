"""The replay over HTTP: a day's summary, slices of time as bytes, who passed, one worker's track.

Everything that lets out where a single worker was asks `dashboards.track_rights` first and notes
the look before it answers. Who may not see tracks gets `/replay/shares`, how many workers were in
each grid in half an hour, and the sentence why. A day that is still being read answers 202 with how
far that is. Seconds in addresses count from the midnight of the day in the city's zone.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import flask
import numpy as np

from dashboards import replay_json
from dashboards.language import page_words
from dashboards.replay_area import AreaError, read_area
from dashboards.replay_days import Day, Days, Loading
from dashboards.replay_pack import Box, pack_slice, squeeze
from dashboards.server import send
from dashboards.store import Store
from dashboards.track_rights import (
    may_see_tracks,
    note_look,
    require_tracks,
    viewer_of,
)
from dashboards.words import Words
from geo.errors import WanggeError

DAYS = "wangge-replay-days"
"""Where the server keeps its `Days`."""

MOST_PLACES = 400_000
"""In one slice: 5,000 workers at 80 moments, 2 MB before gzip."""

LONGEST_S = 4 * 3600.0
"""Of one slice."""

SHARES_S = 1800.0
"""Half an hour: shorter spans of few workers would be tracks."""

BINARY = "application/octet-stream"
_FOR_GOOD = "private, max-age=600"
"""As long as a look is one look; after that it is noted again."""

Answer = flask.typing.ResponseReturnValue


class _WaitError(WanggeError):
    """The day is not there yet."""

    def __init__(self, loading: Loading) -> None:
        super().__init__(loading.step)
        self.loading = loading


class _AskedError(WanggeError, ValueError):
    """The address is wrong; `key` says which sentence tells why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def add_replay_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of the replay to the server of an app."""
    days = server.extensions[DAYS] = Days(store)
    routes = flask.Blueprint("replay", __name__, url_prefix="/replay")
    _add_errors(routes, store)
    _add_day(routes, store, days)
    _add_tracks(routes, store, days)
    _add_questions(routes, store, days)
    server.register_blueprint(routes)


def _json(store: Store, body: dict[str, Any], status: int = 200) -> flask.Response:
    response = flask.jsonify(body | {"now": store.clock().timestamp() * 1000})
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_errors(routes: flask.Blueprint, store: Store) -> None:
    def words() -> Words:
        return page_words(store.settings.language)

    @routes.errorhandler(_WaitError)
    def wait(error: _WaitError) -> Answer:
        loading = error.loading
        if loading.error:
            text = words()("workers.load.failed")
            return _json(store, {"error": text, "reason": "load"}, 500)
        text = words()(f"workers.load.{loading.step}")
        return _json(store, {"loading": {"share": loading.share, "text": text}}, 202)

    @routes.errorhandler(_AskedError)
    def asked(error: _AskedError) -> Answer:
        return _json(store, {"error": words()(f"workers.bad.{error.key}"), "reason": "ask"}, 400)

    @routes.errorhandler(AreaError)
    def area(error: AreaError) -> Answer:
        text = words()(f"workers.area.{error.key}")
        return _json(store, {"error": text, "reason": "area"}, 400)


# --- what addresses say ------------------------------------------------------------------


def read_day(store: Store) -> date:
    """The day of the request; today where it names none."""
    told = flask.request.args.get("day", "")
    if not told:
        return store.clock().astimezone(store.zone).date()
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise _AskedError("day") from None


def _loaded(store: Store, days: Days) -> Day:
    found = days.get(read_day(store))
    if isinstance(found, Loading):
        raise _WaitError(found)
    return found


def _number(name: str, low: float, high: float, default: float | None = None) -> float:
    told = flask.request.args.get(name)
    if told is None and default is not None:
        return default
    try:
        value = float(told or "")
    except ValueError:
        raise _AskedError("number") from None
    if not low <= value <= high:
        raise _AskedError("number")
    return value


def _span(day: Day) -> tuple[datetime, datetime]:
    """`from` and `to`, seconds since midnight, as moments within the day."""
    begin, end = (_number(name, -1.0, 100_000.0) for name in ("from", "to"))
    if not begin < end:
        raise _AskedError("span")
    since = day.replay.since
    return since + timedelta(seconds=begin), since + timedelta(seconds=end)


def _box(store: Store) -> Box:
    told = flask.request.args.get("box", "")
    if not told:
        return store.snapshot().city.bounds
    try:
        west, south, east, north = (float(part) for part in told.split(","))
    except ValueError:
        raise _AskedError("box") from None
    if not (-360 <= west < east <= 360 and -90 <= south < north <= 90):
        raise _AskedError("box")
    return west, south, east, north


# --- the day -----------------------------------------------------------------------------


def _add_day(routes: flask.Blueprint, store: Store, days: Days) -> None:
    @routes.get("/days")
    def known() -> Answer:
        return _json(store, replay_json.days_json(store))

    @routes.get("/day")
    def summary() -> Answer:
        words, viewer = page_words(store.settings.language), viewer_of(flask.request.args)
        day = _loaded(store, days)
        may = may_see_tracks(store, viewer)
        is_own = not may and day.replay.row_of(viewer.by) >= 0
        own = viewer.by if is_own and may_see_tracks(store, viewer, viewer.by) else ""
        return _json(store, replay_json.day_json(store, day, words, may=may, own=own))

    @routes.get("/incidents")
    def incidents() -> Answer:
        words = page_words(store.settings.language)
        since, until = days.span(read_day(store))
        return _json(store, replay_json.incidents_json(store, since, until, words))

    @routes.get("/shares")
    def shares() -> Answer:
        day = _loaded(store, days)
        at = _number("at", 0.0, 100_000.0)
        since = day.replay.since + timedelta(seconds=at // SHARES_S * SHARES_S)
        until = since + timedelta(seconds=SHARES_S)
        return _json(store, replay_json.shares_json(store, day, since, until))


# --- tracks ------------------------------------------------------------------------------


def _add_tracks(routes: flask.Blueprint, store: Store, days: Days) -> None:
    @routes.get("/slice")
    def piece() -> Answer:
        viewer, worker = viewer_of(flask.request.args), flask.request.args.get("worker", "")
        require_tracks(store, viewer, worker or None)
        day = _loaded(store, days)
        since, until = _span(day)
        if (until - since).total_seconds() > LONGEST_S:
            raise _AskedError("span")
        step, box = _number("step", 0.5, 3600.0, 30.0), _box(store)
        whole = (day.replay.since, day.replay.until)
        # Who says to be the worker himself is noted as well: nobody signs in, so it is a claim.
        note_look(store, viewer, worker or "*", *whole, "follow" if worker else "replay")
        rows = np.array([k for k in (day.replay.row_of(worker),) if k >= 0]) if worker else None
        found = day.replay.slice(since, until, box, step, MOST_PLACES, rows=rows)
        packed = squeeze(pack_slice(found, box))
        is_kept = day.is_whole and flask.request.args.get("v") == day.version
        return send(packed, BINARY, _FOR_GOOD if is_kept else "no-store")

    @routes.get("/streets")
    def streets() -> Answer:
        viewer = viewer_of(flask.request.args)
        require_tracks(store, viewer)
        day = _loaded(store, days)
        note_look(store, viewer, "*", day.replay.since, day.replay.until, "replay")
        if day.streets is None:
            return _json(store, {"streets": None})
        body = replay_json.streets_body(store, day)
        is_kept = day.is_whole and flask.request.args.get("v") == day.version
        return send(squeeze(body), "application/json", _FOR_GOOD if is_kept else "no-store")

    @routes.get("/track")
    def track() -> Answer:
        viewer, worker = viewer_of(flask.request.args), flask.request.args.get("worker", "")
        require_tracks(store, viewer, worker)
        day = _loaded(store, days)
        screen = "passed" if flask.request.args.get("for") == "passed" else "follow"
        note_look(store, viewer, worker, day.replay.since, day.replay.until, screen)
        return _json(store, replay_json.track_json(store, day, worker))

    @routes.get("/at")
    def places() -> Answer:
        viewer = viewer_of(flask.request.args)
        require_tracks(store, viewer)
        day = _loaded(store, days)
        note_look(store, viewer, "*", day.replay.since, day.replay.until, "replay")
        at = day.replay.since + timedelta(seconds=_number("at", 0.0, 100_000.0))
        return _json(store, replay_json.places_json(store, day, at))


def _add_questions(routes: flask.Blueprint, store: Store, days: Days) -> None:
    @routes.get("/passed")
    def passed() -> Answer:
        words, viewer = page_words(store.settings.language), viewer_of(flask.request.args)
        require_tracks(store, viewer)
        day = _loaded(store, days)
        since, until = _span(day)
        crs = store.workspace.metric_crs()
        area = read_area(flask.request.args.get("area", ""), store.snapshot(), crs)
        found = day.replay.passed_here(area.shape, since, until, radius_m=area.radius_m)
        seen = [*found.table.index, *found.unknown.index]
        note_look(store, viewer, [str(worker) for worker in seen], since, until, "passed")
        return _json(store, replay_json.passed_json(store, day, area, found, words))
