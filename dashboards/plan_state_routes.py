"""States, verdicts, comments and versions of plans over HTTP, all under `/plan/`.

The rules are asked on the server and told in the page's words, each breach with its place. A plan
is submitted, approved and published only past the gate; what the gate said is kept with the move.
A published plan never becomes a draft again, also while its day lies ahead. Any moment is shown as
it was: the outlines come from the dated rows, not from the plans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

import flask
import pandas as pd
import shapely

from dashboards.components.case_moves import RequestError
from dashboards.language import page_words
from dashboards.plan_desk import Desk, desk_of
from dashboards.plan_routes import answer, answered, band_of, person, read_body
from dashboards.plan_verdict import verdict_words
from dashboards.server import pack, send
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError
from geo.io.planbook import MOVES
from geo.io.publish import (
    Judged,
    PlanRefusedError,
    judge_plan,
    publish_plan,
    settle_begun,
    verdict_json,
)
from geo.io.versions import list_versions

Answer = flask.typing.ResponseReturnValue
GATED = ("review", "approved")
"""States that a plan reaches only past the gate."""


def add_plan_state_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of states, comments and versions to the server of an app."""
    routes = flask.Blueprint("plan_states", __name__, url_prefix="/plan")
    desk = desk_of(store)
    _add_states(routes, store, desk)
    _add_comments(routes, store, desk)
    _add_versions(routes, store, desk)
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
        begin = _day(flask.request.args.get("from"), store, words)
        judged = _judge(store, desk, plan_id, begin)
        return answer(store, _verdict(store, judged, words))

    @routes.post("/<plan_id>/moves")
    @answered(store)
    def move(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        state = str(body.get("state") or "")
        begin = _day(body.get("from"), store, words)
        with desk.open(plan_id) as entry:
            if state not in _follows(entry.open.state, entry.open.version):
                raise RequestError(words("planversions.bad.state"), "state", 409)
            told: dict[str, Any] | None = None
            if state in GATED:
                judged = _judge(store, desk, plan_id, begin)
                told = verdict_json(judged)
                if not judged.verdict.passed:
                    refused = _verdict(store, judged, words)
                    return answer(store, {"ok": False, "code": "rules"} | refused, 409)
            desk.book.move(
                plan_id, state, by=by, at=store.clock(), note=_text(body.get("note")),
                verdict=told, from_day=begin,
            )  # fmt: skip
        return answer(store, {"ok": True} | _moves_json(store, desk, plan_id))

    @routes.post("/<plan_id>/publish")
    @answered(store)
    def publish(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        begin = _day(body.get("from"), store, words)
        if begin is None:
            raise RequestError(words("planversions.bad.day"), "day", 400)
        with desk.open(plan_id):
            try:
                done = publish_plan(
                    store.workspace, desk.book, plan_id, from_=begin, by=by, at=store.clock(),
                    band=band_of(store), note=_text(body.get("note")),
                )  # fmt: skip
            except PlanRefusedError:
                judged = _judge(store, desk, plan_id, begin, publishing=True)
                refused = _verdict(store, judged, words)
                return answer(store, {"ok": False, "code": "rules"} | refused, 409)
            desk.forget(plan_id)
        key = "planversions.done.now" if done.in_force else "planversions.done.ahead"
        said = words(
            key, version=done.version, day=f"{begin.astimezone(store.zone):%Y-%m-%d}",
            written=words.number(len(done.grids)), kept=words.number(done.kept),
            ended=words.number(len(done.ended)), duties=words.number(done.duties),
        )  # fmt: skip
        if done.vacant:
            said += words("planversions.done.vacant", n=words.number(len(done.vacant)))
        told = {"ok": True, "version": done.version, "codes": done.codes, "text": said}
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


def _add_comments(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.get("/<plan_id>/comments")
    @answered(store)
    def comments(plan_id: str) -> Answer:
        return answer(store, {"comments": _comments_json(store, desk, plan_id)})

    @routes.post("/<plan_id>/comments")
    @answered(store)
    def comment(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        try:
            desk.book.comment(
                plan_id, by=by, text=str(body.get("text") or ""), at=store.clock(),
                grid_id=_text(body.get("grid")), lon=_number(body.get("lon")),
                lat=_number(body.get("lat")), reply_to=_text(body.get("reply_to")),
                comment_id=_text(body.get("key")),
            )  # fmt: skip
        except InputError as error:
            raise RequestError(words("planversions.bad.comment"), "comment", 400) from error
        return answer(store, {"ok": True, "comments": _comments_json(store, desk, plan_id)}, 201)

    @routes.post("/<plan_id>/comments/<comment_id>/settle")
    @answered(store)
    def settle(plan_id: str, comment_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        desk.book.settle_comment(
            comment_id, by=by, at=store.clock(), done=bool(body.get("done", True))
        )
        return answer(store, {"ok": True, "comments": _comments_json(store, desk, plan_id)})


def _add_versions(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.get("/versions")
    @answered(store)
    def versions() -> Answer:
        settle_begun(store.workspace, desk.book, at=store.clock())
        table = list_versions(store.workspace, at=store.clock())
        return answer(
            store, {"versions": [_version_json(store, n, r) for n, r in table.iterrows()]}
        )

    @routes.get("/versions/<int:version>/parents")
    @answered(store)
    def parents(version: int) -> Answer:
        table = store.workspace.table("grid_parents")
        rows = store.workspace.read("grid_parents", where=table.c.version == version).reset_index()
        names = _names(store)
        return answer(
            store,
            {
                "parents": [
                    {
                        "grid": row.grid_id,
                        "name": names.get((row.grid_id, version), row.grid_id),
                        "from": row.from_grid_id,
                        "from_name": names.get(
                            (row.from_grid_id, int(row.from_version)), row.from_grid_id
                        ),
                        "change": row.change,
                        "households": int(row.households),
                        "share": None if pd.isna(row.share) else float(row.share),
                    }
                    for row in rows.itertuples(index=False)
                ]
            },
        )

    @routes.get("/shown")
    @answered(store)
    def shown() -> Answer:
        words = page_words(store.settings.language)
        at = _day(flask.request.args.get("at"), store, words, end=True)
        if at is None:
            raise RequestError(words("planversions.bad.day"), "day", 400)
        frame = store.workspace.grids(at=at)
        if frame.empty:
            raise RequestError(words("planversions.bad.early"), "early", 404)
        return send(pack(_outlines(frame, at)), "application/json", "no-cache")


def _outlines(frame: Any, at: datetime) -> bytes:
    """Grids as GeoJSON with seven decimals (a centimetre)."""
    shapes = shapely.to_geojson(
        shapely.set_precision(frame.geometry.to_numpy(), 1e-7, mode="pointwise")
    )
    names = frame["name"].fillna(pd.Series(frame.index, frame.index)).astype(str)
    features = ",".join(
        '{"type":"Feature","properties":'
        + json.dumps({"id": str(code), "name": name, "version": int(version)}, ensure_ascii=False)
        + f',"geometry":{shape}}}'
        for code, name, version, shape in zip(
            frame.index, names, frame["version"], shapes, strict=True
        )
    )
    head = {"n": len(frame), "version": int(frame["version"].max()), "at": at.isoformat()}
    text = json.dumps(head)[:-1] + ',"type":"FeatureCollection","features":[' + features + "]}"
    return text.encode()


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
        "moves": [
            {
                "at": f"{move.at.astimezone(store.zone):%Y-%m-%d %H:%M}",
                "by": move.by,
                "state": move.state,
                "note": _text(move.note),
            }
            for move in moves.itertuples(index=False)
        ],
    }


def _comments_json(store: Store, desk: Desk, plan_id: str) -> list[dict[str, Any]]:
    return [
        {
            "id": str(comment_id),
            "at": f"{row['at'].astimezone(store.zone):%m-%d %H:%M}",
            "by": row["by"],
            "text": row["text"],
            "grid": _text(row["grid_id"]),
            "reply_to": _text(row["reply_to"]),
            "lon": _number(row["lon"]),
            "lat": _number(row["lat"]),
            "done": None if pd.isna(row["done_at"]) else str(row["done_by"]),
        }
        for comment_id, row in desk.book.comments(plan_id).iterrows()
    ]


def _version_json(store: Store, version: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    def day(value: Any) -> str | None:
        return None if pd.isna(value) else f"{value.astimezone(store.zone):%Y-%m-%d %H:%M}"

    counts = (
        "grids",
        "total",
        "ended",
        "kept",
        "changed",
        "split_from",
        "merged_from",
        "made_from",
    )
    return {
        "version": int(version),
        "begins": day(row["begins"]),
        "state": row["state"],
        "plan": _text(row["plan_id"]),
        "name": _text(row["name"]),
        "by": _text(row["by"]),
        "published": day(row["published_at"]),
        **{name: int(row[name]) for name in counts},
    }


def _names(store: Store) -> dict[tuple[str, int], str]:
    table = store.workspace.read("grids", columns=["name"]).reset_index()
    named = table.dropna(subset="name")
    return {
        (str(row.grid_id), int(row.version)): str(row.name)
        for row in named.itertuples(index=False, name="Row")
    }


def _day(value: Any, store: Store, words: Words, *, end: bool = False) -> datetime | None:
    """A day of the city's calendar as its first (or last) moment; None for no day."""
    text = str(value or "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(words("planversions.bad.day"), "day", 400) from error
    return datetime.combine(day, time.max if end else time.min, tzinfo=store.zone)


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) or not str(value).strip() else str(value).strip()


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
