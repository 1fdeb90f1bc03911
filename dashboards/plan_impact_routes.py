"""Consequences of a plan over HTTP: `/plan/<id>/impact`, its report as HTML and as a workbook.

While the facts of the city are being counted the answer is 202; asking again does no harm. Once
they are there an impact is made in some tens of milliseconds and kept for the state of the plan
that it belongs to.
"""

from __future__ import annotations

import io
import json
import math
from urllib.parse import quote

import flask

from dashboards.components.planner_impact_json import impact_json
from dashboards.components.planner_impact_report import plan_book, plan_html
from dashboards.language import page_words
from dashboards.plan_desk import Desk, Entry, desk_of
from dashboards.plan_impact import Impacts, Told, impacts_of
from dashboards.plan_routes import answer, answered
from dashboards.server import Packed, pack, send
from dashboards.store import Store
from dashboards.words import Words
from layers.to_geojson import frame_to_geojson

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Answer = flask.typing.ResponseReturnValue


def add_plan_impact_routes(server: flask.Flask, store: Store, *, threaded: bool = True) -> Impacts:
    """Add the routes of consequences to the server of an app."""
    routes = flask.Blueprint("plan-impact", __name__, url_prefix="/plan")
    desk, impacts = desk_of(store), impacts_of(store, threaded=threaded)
    wrap = answered(store)

    @routes.get("/<plan_id>/impact")
    @wrap
    def impact(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        entry = _now(desk, plan_id)
        told = impacts.find(plan_id, entry, read_band(store))
        if told is None:
            return _wait(store, impacts, entry, words)
        body = json.dumps(
            {"state": "done"} | impact_json(told, words), ensure_ascii=False, allow_nan=False
        )
        response = flask.Response(body, mimetype="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.get("/<plan_id>/before.geojson")
    @wrap
    def before(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        entry = _now(desk, plan_id)
        told = impacts.find(plan_id, entry, read_band(store))
        if told is None:
            return _wait(store, impacts, entry, words)
        return send(before_geojson(store, entry, told), "application/geo+json", "no-store")

    @routes.get("/<plan_id>/report.<kind>")
    @wrap
    def report(plan_id: str, kind: str) -> Answer:
        words = page_words(store.settings.language)
        entry = _now(desk, plan_id)
        told = impacts.find(plan_id, entry, read_band(store))
        if told is None:
            return _wait(store, impacts, entry, words)
        return _report(store, entry, told, kind, words)

    server.register_blueprint(routes)
    return impacts


def _now(desk: Desk, plan_id: str) -> Entry:
    """The plan as it is at this moment, a value: edits need not wait until it is looked at."""
    with desk.open(plan_id) as entry:
        return entry


def read_band(store: Store) -> tuple[float, float]:
    """The band of the address (`low`, `high`), or else the city's."""
    try:
        low, high = (float(flask.request.args[name]) for name in ("low", "high"))
    except (KeyError, ValueError):
        return store.settings.band
    is_good = math.isfinite(low) and math.isfinite(high) and 0 <= low <= high
    return (low, high) if is_good else store.settings.band


def before_geojson(store: Store, entry: Entry, told: Told) -> Packed:
    """The grids that a plan is set against, with households and kind, packed once a base."""
    plan, base = told.impact.before, entry.open.base

    def make() -> Packed:
        frame = base.grid_polygons(plan)
        rest = set(base.rest_grids(plan))
        frame["kind"] = ["rest" if k in rest else kind for k, kind in frame["kind"].items()]
        return pack(frame_to_geojson(frame, ["name", "kind", "households"]))

    return store.remember(("plan-before", base.name), told.at, make)


def _wait(store: Store, impacts: Impacts, entry: Entry, words: Words) -> flask.Response:
    if impacts.has_failed(entry):
        body = {"state": "trouble", "error": words("planimpact.trouble")}
        return answer(store, body, 500)
    return answer(store, {"state": "working", "text": words("planimpact.working")}, 202)


def _report(store: Store, entry: Entry, told: Told, kind: str, words: Words) -> flask.Response:
    if kind == "xlsx":
        whole = io.BytesIO()
        plan_book(whole, store, entry, told, words)
        response = flask.Response(whole.getvalue(), mimetype=XLSX)
    elif kind == "html":
        text = plan_html(store, entry, told, words)
        response = flask.Response(text, mimetype="text/html; charset=utf-8")
    else:
        return answer(store, {"ok": False, "error": words("planimpact.no_kind")}, 404)
    day = store.clock().astimezone(store.zone)
    name = words("planimpact.file", name=entry.open.name, day=f"{day:%Y%m%d}")
    response.headers["Content-Disposition"] = (
        f"attachment; filename=plan-report.{kind}; filename*=UTF-8''{quote(f'{name}.{kind}')}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
