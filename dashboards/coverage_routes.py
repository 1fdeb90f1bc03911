"""Coverage over HTTP: the state of a choice, its shapes, its files.

Everything lies under `/coverage/`. What is not worked out yet answers 202 with how far it is;
asking again keeps it going, and nobody asking ends it. Streets that patrols reached are nearly the
ways of those who walked there, so they go only to who may see tracks; others get shares by grid.
"""

from __future__ import annotations

import io
import math
from urllib.parse import quote

import flask
import pandas as pd
from werkzeug.exceptions import NotFound

from dashboards.components.coverage_export import sheets
from dashboards.components.coverage_rows import (
    progress_json,
    state_json,
    stretches_json,
    title,
)
from dashboards.components.coverage_shapes import (
    pack_shapes,
    spot_shapes,
    street_shapes,
    stretch_lines,
    view_shapes,
)
from dashboards.coverage_days import Coverage, State
from dashboards.coverage_make import HISTORY_DAYS, PATROLS, WHATS, Choice, Cover, class_counts
from dashboards.json_answer import answer_json, dump_json
from dashboards.language import page_words
from dashboards.server import pack, send
from dashboards.store import Store
from dashboards.track_rights import may_see_tracks, require_tracks, viewer_of
from dashboards.words import Words
from geo.io.service import read_service_distances
from geo.io.shift_book import csv_lines, write_book
from geo.served import service_distance

COVERAGE = "wangge-coverage"
"""Where the server keeps its `Coverage`."""

POLE = "0118"
"""The class that is shown first: streetlights."""

MOST_M = 300.0
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Answer = flask.typing.ResponseReturnValue


def add_coverage_routes(server: flask.Flask, store: Store, *, threaded: bool = True) -> Coverage:
    """Add the routes of `/workers/coverage` to the server of an app."""

    def state_bytes(cover: Cover, words: Words) -> bytes:
        key = ("state", words.language)
        return cover.memo.get(key, lambda: dump_json(state_json(store, cover, words)).encode())

    def prepare(cover: Cover) -> None:
        pack_shapes(cover)
        state_bytes(cover, Words(store.settings.language))

    coverage = Coverage(store, prepare=prepare, threaded=threaded)
    server.extensions[COVERAGE] = coverage
    routes = flask.Blueprint("coverage", __name__, url_prefix="/coverage")

    @routes.get("/state")
    def state() -> Answer:
        words, choice = page_words(store.settings.language), _choice(store)
        found = coverage.get(choice)
        if found.cover is None:
            return _waiting(found, words)
        # What changes from one asking to the next is put before the rest, which stays as it is.
        more = {
            "title": title(choice, words),
            "lines": _may(store, choice),
            "age_s": max(0.0, (store.clock() - found.cover.at).total_seconds()),
            "working": None if found.working is None else progress_json(found.working, words),
            "trouble": words("coverage.trouble") if found.trouble else "",
        }
        body = dump_json(more)[:-1].encode() + b"," + state_bytes(found.cover, words)[1:]
        return send(pack(body), "application/json", "no-store")

    @routes.get("/<kind>.geojson")
    def shapes(kind: str) -> Answer:
        makers = {"streets": street_shapes, "views": view_shapes, "spots": spot_shapes}
        choice = _choice(store)
        cover = _kept(coverage, choice)
        if kind not in makers or cover is None:
            raise NotFound
        is_patrol = kind == "streets" and choice.what in PATROLS
        if is_patrol:
            require_tracks(store, viewer_of(flask.request.args))
        is_same = flask.request.args.get("v") == cover.version and not is_patrol
        cache = "private, max-age=3600" if is_same else "no-store"
        return send(makers[kind](cover), "application/geo+json", cache)

    @routes.get("/stretch")
    def stretch() -> Answer:
        choice = _choice(store)
        cover = _kept(coverage, choice)
        if cover is None:
            raise NotFound
        if choice.what in PATROLS:
            require_tracks(store, viewer_of(flask.request.args))
        told = flask.request.args.get("rank", "")
        lines = stretch_lines(cover, [int(told)] if told.isdecimal() else [])
        if not lines:
            raise NotFound
        return answer_json({"geometry": next(iter(lines.values())), "mark": cover.version})

    @routes.get("/stretches")
    def stretches() -> Answer:
        cover = _kept(coverage, _choice(store))
        if cover is None:
            raise NotFound
        found = stretches_json(cover, flask.request.args.get("grid", ""))
        return answer_json({"stretches": found, "mark": cover.version})

    @routes.get("/grids.<kind>")
    def file(kind: str) -> Answer:
        words, choice = page_words(store.settings.language), _choice(store)
        found = coverage.get(choice)
        if found.cover is None:
            return _waiting(found, words)
        return _file(store, found.cover, kind, words)

    server.register_blueprint(routes)
    return coverage


def read_choice(store: Store, query: dict[str, str]) -> Choice:
    """The choice of an address; a wrong part counts as not said."""
    what = query.get("what", "")
    what = what if what in WHATS else WHATS[0]
    days = query.get("days", "")
    history = int(days) if days.isdecimal() and int(days) in HISTORY_DAYS else 90
    if what != "assets":
        return Choice(what, days=history if what in ("cameras", "both") else 90)
    known = class_list(store)
    code = query.get("class", "")
    if code not in known.index:
        code = POLE if POLE in known.index or not len(known) else str(known.index[0])
    try:
        metres = float(query.get("m", ""))
    except ValueError:
        metres = math.nan
    if not 1 <= metres <= MOST_M:
        metres = service_distance(code, distances(store)["distance_m"].to_dict())
    return Choice(what, code, round(metres, 1), 90)


def class_list(store: Store) -> pd.Series:
    """How many assets of each class the city has."""
    stamp = store.workspace.stamp("assets", "cameras")
    return store.remember("coverage-classes", stamp, lambda: class_counts(store.workspace))


def distances(store: Store) -> pd.DataFrame:
    """How far the assets of each class serve, read again when the city's own table changed."""
    file = store.workspace.path / "rules" / "service_distances.csv"
    mark = (at.st_mtime_ns, at.st_size) if file.is_file() and (at := file.stat()) else None
    return store.remember(
        "coverage-distances", mark, lambda: read_service_distances(store.workspace.path)
    )


def _choice(store: Store) -> Choice:
    return read_choice(store, flask.request.args.to_dict())


def _may(store: Store, choice: Choice) -> bool:
    return choice.what not in PATROLS or may_see_tracks(store, viewer_of(flask.request.args))


def _kept(coverage: Coverage, choice: Choice) -> Cover | None:
    return coverage.peek(choice)


def _waiting(found: State, words: Words) -> flask.Response:
    if found.no_grids:
        text = words("coverage.reason.no_grids")
        return answer_json({"state": "empty", "error": text}, 404)
    if found.trouble:
        return answer_json({"state": "trouble", "error": words("coverage.trouble")}, 500)
    progress = None if found.working is None else progress_json(found.working, words)
    return answer_json({"state": "working", "progress": progress}, 202)


def _file(store: Store, cover: Cover, kind: str, words: Words) -> flask.Response:
    book = sheets(store, cover, words)
    if kind == "csv":
        response = flask.Response(csv_lines(book[0]), mimetype="text/csv; charset=utf-8")
    elif kind == "xlsx":
        whole = io.BytesIO()
        write_book(whole, book)
        response = flask.Response(whole.getvalue(), mimetype=XLSX)
    else:
        raise NotFound
    day = cover.at.astimezone(store.zone)
    name = f"{words('coverage.file.title')}-{day:%Y%m%d}.{kind}"
    response.headers["Content-Disposition"] = (
        f"attachment; filename=coverage.{kind}; filename*=UTF-8''{quote(name)}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
