"""Cases over HTTP for `/incidents` and `/worker`: rows, one file, reports, moves, exports.

Everything is JSON under `/cases/`, with words finished in the language of the page. A change is
taken only as JSON and only from our own pages, which a form of another site can send neither. Who
makes a move is what the page says: there is no sign-in. A report carries a key of its own; the same
key gives the same case again, so that a sending that is repeated makes no second one.
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any
from urllib.parse import quote, urlsplit

import flask

from dashboards.components import case_export
from dashboards.components.case_book import (
    count_tabs,
    find_page,
    read_case,
    similar_at,
)
from dashboards.components.case_desk import (
    chain_json,
    crumbs,
    find_actors,
    find_units,
    viewer_of,
)
from dashboards.components.case_file import file_json, pairs_json
from dashboards.components.case_filter import read_filter, read_window
from dashboards.components.case_map import map_json
from dashboards.components.case_moves import RequestError, make_move, make_report
from dashboards.components.case_rows import rows_json
from dashboards.components.case_spots import spots_json
from dashboards.language import page_words
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import StoreBusyError

MAX_BODY = 65_536
KEYS_KEPT = 10_000
Answer = flask.typing.ResponseReturnValue


def add_case_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of cases to the server of an app."""
    routes = flask.Blueprint("cases", __name__, url_prefix="/cases")
    _add_reading(routes, store)
    _add_lists(routes, store)
    _add_writing(routes, store)
    _add_exports(routes, store)
    server.register_blueprint(routes)


def _now(store: Store) -> tuple[datetime, Words]:
    at: datetime = store.clock()
    return at, page_words(store.settings.language)


def _answer(store: Store, body: dict[str, Any], status: int = 200) -> flask.Response:
    """JSON with the server's clock and the time of the newest data; never kept by anyone."""
    newest = store.snapshot().newest
    body = body | {
        "now": store.clock().timestamp() * 1000,
        "newest": None if newest is None else newest.timestamp() * 1000,
    }
    response = flask.jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _person(query: Any) -> tuple[str, str, str]:
    """Who asks, as what, of which unit, as the page says it."""
    return tuple(str(query.get(name) or "")[:200] for name in ("by", "role", "unit"))  # type: ignore[return-value]


def _add_reading(routes: flask.Blueprint, store: Store) -> None:
    @routes.get("/page")
    def page() -> Answer:
        at, words = _now(store)
        offset, limit = read_window(flask.request.args)
        found = find_page(store, read_filter(flask.request.args), offset, limit, at)
        rows = rows_json(store, found.rows, at, words)
        return _answer(store, {"rows": rows, "total": found.total})

    @routes.get("/counts")
    def counts() -> Answer:
        at, words = _now(store)
        found = count_tabs(store, read_filter(flask.request.args), at)
        told = {
            name: {"text": words.short_number(n), "exact": words.number(n)}
            for name, n in found.items()
        }
        return _answer(store, {"counts": told})

    @routes.get("/file/<path:incident_id>")
    def file(incident_id: str) -> Answer:
        at, words = _now(store)
        by, role, unit = _person(flask.request.args)
        found = read_case(store, incident_id, at)
        if found is None:
            text = words("cases.moved.unknown", id=incident_id)
            return _answer(store, {"error": text}, 404)
        viewer = viewer_of(store, by, role, unit)
        return _answer(store, {"file": file_json(store, found, at, words, role, viewer)})

    @routes.get("/pulse")
    def pulse() -> Answer:
        return _answer(store, {"version": store.workspace.stamp("incidents")})

    @routes.get("/map.geojson")
    def marks() -> Answer:
        at, words = _now(store)
        return _answer(store, map_json(store, read_filter(flask.request.args), at, words))

    @routes.get("/spots")
    def spots() -> Answer:
        at, words = _now(store)
        return _answer(store, spots_json(store, read_filter(flask.request.args), at, words))


def _add_lists(routes: flask.Blueprint, store: Store) -> None:
    @routes.get("/people")
    def people() -> Answer:
        _, words = _now(store)
        actors, more = find_actors(store, words, flask.request.args.get("q", "")[:100])
        return _answer(store, {"people": [vars(actor) for actor in actors], "more": more})

    @routes.get("/units")
    def units() -> Answer:
        _, words = _now(store)
        found = find_units(store, words, flask.request.args.get("q", "")[:100])
        return _answer(store, {"units": found})

    @routes.get("/place")
    def place() -> Answer:
        at, words = _now(store)
        spot = _spot(flask.request.args)
        if spot is None:
            return _answer(store, {"error": words("cases.bad.place")}, 400)
        row = int(store.snapshot().city.assign([spot[0]], [spot[1]])[0])
        way = crumbs(store.snapshot(), row)
        viewer = viewer_of(store, *_person(flask.request.args))
        chain = store.chains.chain_at(*spot, at=at, viewer=viewer)
        body = {
            "grid": bool(way),
            "grid_id": way[-1]["code"] if way else "",
            "crumbs": way,
            "chain": chain_json(chain, words),
        }
        return _answer(store, body)

    @routes.get("/similar")
    def similar() -> Answer:
        at, words = _now(store)
        spot, code = _spot(flask.request.args), flask.request.args.get("class", "")
        if spot is None or not code:
            return _answer(store, {"error": words("cases.bad.place")}, 400)
        pairs = similar_at(store, code, *spot, at)
        return _answer(store, {"similar": pairs_json(store, pairs, at, words)})


def _spot(query: Any) -> tuple[float, float] | None:
    try:
        lon, lat = float(query.get("lon", "")), float(query.get("lat", ""))
    except ValueError:
        return None
    return (lon, lat) if -180 <= lon <= 180 and -90 <= lat <= 90 else None


class _Keys:
    """Which case each key of a report made; the last ones only, in the memory of this server."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._at_work: dict[str, threading.Lock] = {}

    def hold(self, key: str) -> threading.Lock:
        """The lock under which reports of one key wait for each other."""
        with self._lock:
            return self._at_work.setdefault(key, threading.Lock())

    def find(self, key: str) -> str | None:
        with self._lock:
            return self._known.get(key)

    def keep(self, key: str, incident_id: str) -> None:
        with self._lock:
            self._known[key] = incident_id
            self._at_work.pop(key, None)
            while len(self._known) > KEYS_KEPT:
                self._known.popitem(last=False)


def _add_writing(routes: flask.Blueprint, store: Store) -> None:
    keys = _Keys()

    @routes.post("/report")
    def report() -> Answer:
        at, words = _now(store)
        try:
            body = _body(words)
            key = str(body.get("key") or "")[:64]
            with keys.hold(key):
                known = keys.find(key) if key else None
                incident_id = known or make_report(store, body, at, words)
                if key:
                    keys.keep(key, incident_id)
        except RequestError as error:
            return _answer(store, {"error": str(error), "reason": error.reason}, error.status)
        except StoreBusyError:
            return _answer(store, {"error": words("cases.busy"), "reason": "busy"}, 503)
        return _answer(store, {"file": _file(incident_id, body, words)}, 200 if known else 201)

    @routes.post("/file/<path:incident_id>/move")
    def move(incident_id: str) -> Answer:
        at, words = _now(store)
        body: dict[str, Any] = {}
        try:
            body = _body(words)
            make_move(store, incident_id, body, at, words)
        except RequestError as error:
            told: dict[str, Any] = {"error": str(error), "reason": error.reason}
            if error.has_case:
                told["file"] = _file(incident_id, body, words)
            if error.reason == "stale":
                told["changes"] = [
                    row for row in told["file"]["log"] if row["seq"] > int(body["seen"])
                ]
            return _answer(store, told, error.status)
        except StoreBusyError:
            return _answer(store, {"error": words("cases.busy"), "reason": "busy"}, 503)
        return _answer(store, {"file": _file(incident_id, body, words)})

    def _file(incident_id: str, body: dict[str, Any], words: Words) -> dict[str, Any]:
        at = store.clock()
        by, role, unit = _person(body)
        found = read_case(store, incident_id, at)
        assert found is not None
        return file_json(store, found, at, words, role, viewer_of(store, by, role, unit))


def _body(words: Words) -> dict[str, Any]:
    """The JSON of a change; RequestError if it is none, too large, or from another site."""
    request = flask.request
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise RequestError(words("cases.bad.origin"), "origin", 403)
    size = request.content_length
    body = None
    if request.is_json and size is not None and size <= MAX_BODY:
        body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise RequestError(words("cases.bad.body"), "body", 400)
    return body


def _add_exports(routes: flask.Blueprint, store: Store) -> None:
    @routes.get("/export.csv")
    def export_csv() -> Answer:
        at, words = _now(store)
        choice = read_filter(flask.request.args)
        lines = case_export.csv_lines(store, choice, at, words)
        response = flask.Response(lines, mimetype="text/csv; charset=utf-8")
        return _download(store, response, words, at, "csv")

    @routes.get("/export.xlsx")
    def export_xlsx() -> Answer:
        at, words = _now(store)
        choice = read_filter(flask.request.args)
        # openpyxl finishes a workbook before the first byte can go out, so it waits on disk.
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
        case_export.write_xlsx(file, store, choice, at, words)
        size = file.tell()
        file.seek(0)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        response = flask.Response(_pieces(file), mimetype=kind)
        response.call_on_close(file.close)
        response.content_length = size
        return _download(store, response, words, at, "xlsx")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file in pieces; it is closed, and so gone, after the last one."""
    with file:
        while piece := file.read(65_536):
            yield piece


def _download(
    store: Store, response: flask.Response, words: Words, at: datetime, kind: str
) -> flask.Response:
    local = at.astimezone(store.zone)
    name = f"{words('cases.csv.name')}-{local:%Y%m%d-%H%M}.{kind}"
    response.headers["Content-Disposition"] = (
        f"attachment; filename=cases-{local:%Y%m%d-%H%M}.{kind}; filename*=UTF-8''{quote(name)}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
