"""The leader's page over HTTP: the briefing of a choice, and the cases behind a figure.

What is not worked out yet answers 202 with how far it is; asking again gets it. Pages send what
they chose with each request, so any screen can be opened again from its address.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import flask
from werkzeug.exceptions import NotFound

from dashboards.components import leader_parts as parts
from dashboards.components import leader_rates as rates
from dashboards.components.leader_bar import choosers_json
from dashboards.components.leader_map import change_map, hot_map
from dashboards.components.leader_report import REPORTS, PrintError, make_report
from dashboards.components.leader_spots import spot_list, spots_json
from dashboards.components.leader_table import rank_table
from dashboards.json_answer import answer_json, dump_json
from dashboards.language import page_words
from dashboards.leader_desk import LeaderDesk, LeaderFigures
from dashboards.server import pack, send
from dashboards.store import Store
from dashboards.words import Words
from geo.compare import Against, PeriodKind, find_period, period_before
from geo.errors import CodeError, WanggeError
from geo.io.evaluation import case_ids
from geo.leader import ChoiceError, EmptyCityError, LeaderChoice
from layers.colours import diverging

LEADER = "wangge-leader"
"""Where the server keeps its `LeaderDesk`."""

MOST_NAMED = 200
"""Cases that an explanation names; more are counted."""

REPORT_S = 60.0
"""How long a report waits for its figures; it is asked for once and not again and again."""

ASKED = ("area", "level", "class", "code", "indicator")
"""Parts of an address that name something of the city."""

KINDS: tuple[PeriodKind, ...] = ("week", "month", "quarter", "year")
Answer = flask.typing.ResponseReturnValue


def add_leader_routes(server: flask.Flask, store: Store) -> LeaderDesk:
    """Add the routes of `/leader` to the server of an app."""
    desk = LeaderDesk(store)
    server.extensions[LEADER] = desk
    routes = flask.Blueprint("leader", __name__, url_prefix="/leader")

    @routes.get("/view")
    def view() -> Answer:
        words = page_words(store.settings.language)
        try:
            figures = desk.ask(read_choice(flask.request.args))
        except WanggeError as error:
            return answer_json({"state": "wrong", "error": _sentence(error, words)}, 400)
        if figures is None:
            return answer_json({"state": "working", "progress": desk.progress}, 202)
        body = dump_json(view_json(store, figures, words))
        return send(pack(body.encode()), "application/json", "no-cache")

    @routes.get("/explain")
    def explain() -> Answer:
        words, args = page_words(store.settings.language), flask.request.args
        try:
            figures = desk.ask(read_choice(args))
            if figures is None:
                return answer_json({"state": "working", "progress": desk.progress}, 202)
            by = args.get("by", "area")
            found = figures.areas if by == "area" else figures.departments
            told = found.explain(args.get("code", ""), args.get("indicator", ""))
        except WanggeError as error:
            return answer_json({"state": "wrong", "error": _sentence(error, words)}, 400)
        groups = {"hit": told.hit, "missed": told.missed, "left": told.left_out}
        return answer_json(
            {
                name: {"n": len(fids), "ids": case_ids(store.workspace, fids[:MOST_NAMED])}
                for name, fids in groups.items()
            }
        )

    @routes.get("/report.<kind>")
    def report(kind: str) -> Answer:
        words = page_words(store.settings.language)
        if kind not in REPORTS:
            raise NotFound
        try:
            choice = read_choice(flask.request.args)
            figures = desk.ask(choice, patience_s=REPORT_S, whole=True)
            if figures is None:
                return answer_json({"state": "working", "error": words("leader.js.working")}, 503)
            body = make_report(store, figures, words, kind)
        except WanggeError as error:
            return answer_json({"state": "wrong", "error": _sentence(error, words)}, 400)
        response = flask.Response(body, mimetype=REPORTS[kind])
        name = f"{words('leader.report.file')}-{figures.period.first:%Y%m%d}.{kind}"
        response.headers["Content-Disposition"] = (
            f"attachment; filename=briefing.{kind}; filename*=UTF-8''{quote(name)}"
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    server.register_blueprint(routes)
    return desk


def read_choice(args: Any) -> LeaderChoice:
    """The choice in an address.

    Raises
    ------
    ChoiceError
        If a date is none; what else is strange counts as not said.
    """
    kind: PeriodKind = args.get("kind", "month")
    day, last = _day(args.get("day", "")), _day(args.get("last", ""))
    if kind == "span" or (kind not in KINDS and kind != "day"):
        kind = "span" if day and last else "month"
    against: Against = "last_period" if args.get("against") == "last_period" else "last_year"
    classes = tuple(code for code in args.get("class", "").split(",") if code)
    return LeaderChoice(
        kind, day, last if kind == "span" else None, against, args.get("area", ""),
        args.get("level", ""), classes,
    )  # fmt: skip


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ChoiceError(
            "date", f"{text} is no date: write it as 2026-11-21", said=text[:20]
        ) from error


def view_json(store: Store, figures: LeaderFigures, words: Words) -> dict[str, Any]:
    """The briefing as HTML by section, and what the bar above it needs."""
    view, now = figures.view, figures.period
    today = view.at.date()
    before = period_before(now)
    after = None
    if now.kind != "span" and now.until <= today:
        after = find_period(now.kind, now.until, zone=now.zone).first
    path = [{"level": s.level, "code": s.code, "name": s.name} for s in view.path]
    return {
        "state": "ready",
        "mark": figures.version,
        "html": {
            "head": str(parts.headline(figures, words)),
            "brief": str(parts.briefing(figures, words)),
            "spots": str(spot_list(figures, words)),
            "table": str(rank_table(figures, words)),
            "area": str(rates.indicators(figures, words)),
            "department": str(rates.indicators(figures, words, by="department")),
            "classes": str(rates.class_list(figures, words)),
            "definitions": str(rates.definitions(figures, words)),
        },
        "period": parts.period_text(now, words),
        "first": now.first.isoformat(),
        "lastDay": min(now.until - timedelta(days=1), today).isoformat(),
        "before": before.first.isoformat(),
        "after": None if after is None else after.isoformat(),
        "level": view.level,
        "path": path,
        "choosers": choosers_json(figures, words),
        "counting": figures.patrols.waiting,
        "spots": spots_json(figures, words),
        "from": now.begin_s,
        "to": now.end_s,
        "then": [view.comparison.then.begin_s, view.comparison.then.end_s],
        "at": f"{view.at:%H:%M}",
        "night": dict(zip(diverging("day", 7), diverging("night", 7), strict=True)),
        "maps": {
            "change": change_map(figures, store.snapshot(), words),
            "hot": hot_map(figures, store.snapshot(), words),
        },
    }


def _sentence(error: WanggeError, words: Words) -> str:
    """What is wrong, in the language of the page; what an operator must mend keeps its text."""
    if isinstance(error, EmptyCityError):
        return words("leader.wrong.empty")
    if isinstance(error, ChoiceError):
        return words(f"leader.wrong.{error.word}", **error.values)
    if isinstance(error, PrintError):
        return words("leader.wrong.pdf")
    if isinstance(error, CodeError):
        args = flask.request.args
        asked = [args[name][:40] for name in ASKED if args.get(name)]
        return words("leader.wrong.code", asked=words("leader.comma").join(asked))
    return words("leader.wrong.input", text=str(error))
