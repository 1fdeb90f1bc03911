"""States and verdicts of plans over HTTP; comments, versions and conflicts register here.

The rules are asked on the server and told in the page's words, each breach with its place. A plan
is submitted, approved and published only past the gate; what the gate said is kept with the move.
Who submitted a plan does not approve it (`plan_four_eyes`); people are told apart by the name that
they give, for nobody signs in. A published plan never becomes a draft again, also while its day
lies ahead.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import flask
import pandas as pd

from dashboards.components.case_moves import RequestError
from dashboards.language import page_words
from dashboards.plan_comment_routes import add_comments
from dashboards.plan_conflict_routes import add_conflicts
from dashboards.plan_desk import Desk, desk_of
from dashboards.plan_fields import day_of, text_of
from dashboards.plan_routes import answer, answered, band_of, person, read_body
from dashboards.plan_verdict import verdict_words
from dashboards.plan_version_routes import add_versions
from dashboards.store import Store
from dashboards.words import Words
from geo.four_eyes import FourEyesError, find_submitter, is_same_person, require_other_person
from geo.io.planbook import MOVES
from geo.io.publish import (
    Judged,
    PlanRefusedError,
    Published,
    judge_plan,
    publish_plan,
    settle_begun,
    verdict_json,
)

Answer = flask.typing.ResponseReturnValue
GATED = ("review", "approved")
"""States that a plan reaches only past the gate."""


def add_plan_state_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of states, comments, versions and conflicts to the server of an app."""
    routes = flask.Blueprint("plan_states", __name__, url_prefix="/plan")
    desk = desk_of(store)
    _add_states(routes, store, desk)
    _add_publishing(routes, store, desk)
    add_comments(routes, store, desk)
    add_versions(routes, store, desk)
    add_conflicts(routes, store, desk)
    server.register_blueprint(routes)


def _add_states(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.get("/<plan_id>/moves")
    @answered(store)
    def moves(plan_id: str) -> Answer:
        settle_begun(store.workspace, desk.book, at=store.clock())
        return answer(store, _moves_json(store, desk, plan_id))

    @routes.get("/<plan_id>/verdict")
    @answered(store)
    def verdict(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        begin = day_of(flask.request.args.get("from"), store, words)
        judged = _judge(store, desk, plan_id, begin)
        return answer(store, _verdict(store, judged, words))

    @routes.post("/<plan_id>/moves")
    @answered(store)
    def move(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        refused = _move(store, desk, plan_id, body, by)
        if refused is not None:
            return answer(store, refused, 409)
        return answer(store, {"ok": True} | _moves_json(store, desk, plan_id))


def _move(
    store: Store, desk: Desk, plan_id: str, body: dict[str, Any], by: str
) -> dict[str, Any] | None:
    """Bring a plan into a state; what the gate said if it says no."""
    words = page_words(store.settings.language)
    state, begin = str(body.get("state") or ""), day_of(body.get("from"), store, words)
    with desk.open(plan_id) as entry:
        if state not in _follows(entry.open.state, entry.open.version):
            raise RequestError(words("planversions.bad.state"), "state", 409)
        told: dict[str, Any] | None = None
        if state in GATED:
            judged = _judge(store, desk, plan_id, begin)
            told = verdict_json(judged)
            if not judged.verdict.passed:
                return {"ok": False, "code": "rules"} | _verdict(store, judged, words)
        if state == "approved" and store.settings.plan_four_eyes:
            try:
                require_other_person(desk.book.moves(plan_id), by)
            except FourEyesError as error:
                said = words("planversions.bad.four_eyes", by=error.submitter)
                raise RequestError(said, "four_eyes", 409) from error
        desk.book.move(
            plan_id, state, by=by, at=store.clock(), note=text_of(body.get("note")),
            verdict=told, from_day=begin,
        )  # fmt: skip
    return None


def _add_publishing(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.post("/<plan_id>/publish")
    @answered(store)
    def publish(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        begin = day_of(body.get("from"), store, words)
        if begin is None:
            raise RequestError(words("planversions.bad.day"), "day", 400)
        with desk.open(plan_id):
            try:
                done = publish_plan(
                    store.workspace, desk.book, plan_id, from_=begin, by=by, at=store.clock(),
                    band=band_of(store), note=text_of(body.get("note")),
                )  # fmt: skip
            except PlanRefusedError:
                judged = _judge(store, desk, plan_id, begin, publishing=True)
                refused = _verdict(store, judged, words)
                return answer(store, {"ok": False, "code": "rules"} | refused, 409)
            desk.forget(plan_id)
        told = {"ok": True, "version": done.version, "codes": done.codes}
        told["text"] = _published_words(done, begin, store, words)
        return answer(store, told | _moves_json(store, desk, plan_id))

    @routes.post("/<plan_id>/rebase")
    @answered(store)
    def rebase(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        by, _ = person(read_body(words), words)
        with desk.open(plan_id):
            done = desk.book.rebase(plan_id, by, store.clock())
            desk.forget(plan_id)
        count = len(done.conflicts)
        key = "planversions.rebased.conflicts" if count else "planversions.rebased"
        told = {"ok": True, "text": words(key, n=words.number(count))}
        return answer(store, told | _moves_json(store, desk, plan_id))


def _published_words(done: Published, begin: datetime, store: Store, words: Words) -> str:
    said = words(
        "planversions.done.now" if done.in_force else "planversions.done.ahead",
        version=done.version, day=f"{begin.astimezone(store.zone):%Y-%m-%d}",
        written=words.number(len(done.grids)), kept=words.number(done.kept),
        ended=words.number(len(done.ended)), duties=words.number(done.duties),
    )  # fmt: skip
    if done.vacant:
        said += words("planversions.done.vacant", n=words.number(len(done.vacant)))
    return said


def _judge(
    store: Store, desk: Desk, plan_id: str, begin: datetime | None, *, publishing: bool = False
) -> Judged:
    return judge_plan(
        store.workspace, desk.book, plan_id, at=store.clock(), from_day=begin,
        band=band_of(store), publishing=publishing,
    )  # fmt: skip


def _verdict(store: Store, judged: Judged, words: Words) -> dict[str, Any]:
    told = verdict_json(judged)
    told["findings"] = verdict_words(judged, told["findings"], words, store.zone)
    return {"verdict": told}


def _follows(state: str, version: int | None) -> tuple[str, ...]:
    """Which states a person may bring a plan into; publishing and time do the others."""
    if version is not None:
        return ()
    return tuple(name for name in MOVES[state] if name not in ("in_force", "past"))


def _moves_json(store: Store, desk: Desk, plan_id: str) -> dict[str, Any]:
    row = desk.book.row(plan_id)
    version = None if row["version"] is None else int(row["version"])
    begin: datetime | None = row["from_day"]
    moves = desk.book.moves(plan_id)
    follows = _follows(row["state"], version)
    return {
        "state": row["state"],
        "author": row["author"],
        "name": row["name"],
        "version": version,
        "from": None if begin is None else f"{begin.astimezone(store.zone):%Y-%m-%d}",
        "outdated": row["state"] == "draft" and desk.book.is_outdated(plan_id),
        "follows": [*follows, *(["publish"] if row["state"] == "approved" and not version else [])],
        "today": f"{store.clock().astimezone(store.zone):%Y-%m-%d}",
        "four_eyes": store.settings.plan_four_eyes,
        "submitter": find_submitter(moves),
        "moves": _audit(moves, store),
    }


def _audit(moves: pd.DataFrame, store: Store) -> list[dict[str, Any]]:
    """Every move; `eyes` of an approval: `four`, or `two` if the submitter gave it."""
    found = []
    for number, move in enumerate(moves.itertuples(index=False)):
        before = moves.iloc[:number]
        submitter = find_submitter(before) if move.state == "approved" else None
        # A second row of "approved" is the publishing, not another approval.
        is_approval = submitter is not None and before["state"].iloc[-1] == "review"
        eyes = "two" if is_approval and is_same_person(str(submitter), move.by) else "four"
        found.append(
            {
                "at": f"{move.at.astimezone(store.zone):%Y-%m-%d %H:%M}",
                "by": move.by,
                "state": move.state,
                "note": text_of(move.note),
                "submitter": submitter if is_approval else None,
                "eyes": eyes if is_approval else None,
            }
        )
    return found
