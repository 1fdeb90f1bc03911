"""Plans over HTTP for `/planner`: the list, one plan, its blocks, and edits as they are made.

Everything is JSON under `/plan/` but the blocks, which are packed (`dashboards.plan_pack`). An edit
is taken only as JSON and only from our own pages; it carries an id of its own, so that one that is
sent twice counts once. What was refused comes back in the page's words, by the code of the refusal,
with the place and the blocks that would have to go along. Who edits is what the page says: there is
no sign-in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import flask

from dashboards.components.case_moves import RequestError
from dashboards.language import page_words
from dashboards.plan_desk import Desk, Entry, desk_of
from dashboards.plan_log import conflicts_json, history_json
from dashboards.plan_pack import (
    find_patch,
    grid_rows,
    labels_text,
    locked_edges,
    place_json,
    require_plain,
    to_metric,
)
from dashboards.plan_tool_edits import complete_edit
from dashboards.server import pack, send
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError, StoreBusyError, StoreWriteError
from geo.io.planbook import Applied, PlanStateError, UnknownPlanError
from geo.plan import RedrawError

MAX_BODY = 6 * 2**20
"""A stroke over every block of a city of 100,000 fits."""
MOST_NAME = 100
"""Characters of a plan's name (our assumption: two lines of the list)."""
BEGINNINGS = ("present", "division", "copy")
BAD_EDIT = (InputError, ValueError, TypeError, KeyError, IndexError, OverflowError)
"""What an edit raises that is none."""
OCTETS = "application/octet-stream"
Answer = flask.typing.ResponseReturnValue
View = TypeVar("View", bound=Callable[..., Answer])


def add_plan_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of plans and their edits to the server of an app."""
    routes = flask.Blueprint("plans", __name__, url_prefix="/plan")
    desk = desk_of(store)
    _add_reading(routes, store, desk)
    _add_making(routes, store, desk)
    _add_edits(routes, store, desk)
    server.register_blueprint(routes)


# --- what other routes of plans use ---------------------------------------------------------------


def read_body(words: Words) -> dict[str, Any]:
    """The JSON of a change; RequestError if it is none, too large, or from another site."""
    request = flask.request
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise RequestError(words("planner.bad.origin"), "origin", 403)
    size = request.content_length
    body = None
    if request.is_json and size is not None and size <= MAX_BODY:
        body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise RequestError(words("planner.bad.body"), "body", 400)
    return body


def person(body: Mapping[str, Any], words: Words) -> tuple[str, str]:
    """Who asks and as what, as the page says it; RequestError if it does not say."""
    by, role = body.get("by"), body.get("role")
    if not isinstance(by, str) or not by.strip():
        raise RequestError(words("planner.bad.nobody"), "nobody", 400)
    return by.strip()[:200], role[:100] if isinstance(role, str) else ""


def answer(store: Store, body: dict[str, Any], status: int = 200) -> flask.Response:
    """JSON with the server's clock; never kept by anyone."""
    response = flask.jsonify(body | {"now": store.clock().timestamp() * 1000})
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def answered(store: Store) -> Callable[[View], View]:
    """Turn what a route of plans raises on purpose into an answer in the page's words."""

    def wrap(view: View) -> View:
        @wraps(view)
        def run(*args: Any, **kwargs: Any) -> Answer:
            words = page_words(store.settings.language)
            try:
                return view(*args, **kwargs)
            except RequestError as error:
                body = {"ok": False, "error": str(error), "code": error.reason}
                return answer(store, body, error.status)
            except UnknownPlanError:
                return _refuse(store, words("planner.bad.unknown"), "unknown", 404)
            except PlanStateError:
                return _refuse(store, words("planner.bad.state"), "state", 409)
            except StoreBusyError:
                return _refuse(store, words("planner.bad.busy"), "busy", 503)
            except StoreWriteError:
                # Above 500 the screen keeps the edit and sends it again, as when it is offline.
                return _refuse(store, words("planner.bad.disk"), "disk", 507)

        return run  # type: ignore[return-value]

    return wrap


def band_of(store: Store) -> tuple[int, int]:
    """Households that a grid should have."""
    return store.settings.band


def refusal(error: RedrawError, entry: Entry, words: Words) -> dict[str, Any]:
    """Why an edit was refused: code, sentence, place, blocks to take along (row numbers)."""
    rows = entry.plan.block_rows
    return {
        "ok": False,
        "code": error.code,
        "error": refusal_text(error, entry, words),
        "place": place_json(error.place, entry.open.base),
        "offer": [rows[name] for name in error.offer if name in rows],
    }


def refusal_text(error: RedrawError, entry: Entry, words: Words) -> str:
    """The sentence for a refusal, with the names of grids in place of their ids."""
    key = f"planner.refused.{error.code}"
    if not words.has(key):
        return words("planner.refused.refused")
    parts: dict[str, Any] = dict(error.parts)
    for name in ("grid", "one", "two"):
        row = entry.plan.grid_rows.get(str(parts.get(name)))
        if row is not None:
            parts[name] = entry.plan.grids[row].name
    return words(key, **parts)


def _refuse(store: Store, text: str, code: str, status: int) -> flask.Response:
    return answer(store, {"ok": False, "error": text, "code": code}, status)


def _words(store: Store) -> Words:
    return page_words(store.settings.language)


# --- reading --------------------------------------------------------------------------------------


def _add_reading(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.get("/list")
    @answered(store)
    def listed() -> Answer:
        return answer(store, {"plans": list_json(desk)})

    @routes.get("/<plan_id>/state")
    @answered(store)
    def state(plan_id: str) -> Answer:
        with desk.open(plan_id) as entry:
            body = state_json(store, desk, entry)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return send(pack(text.encode()), "application/json", "no-store")

    @routes.get("/<plan_id>/topo")
    @answered(store)
    def topo(plan_id: str) -> Answer:
        with desk.open(plan_id) as entry:
            packed, key = desk.topo(entry), desk.ground_key(entry.plan)
        response = send(packed, OCTETS, "no-cache")
        response.headers["X-Plan-Ground"] = key
        return response

    @routes.get("/<plan_id>/edits")
    @answered(store)
    def edits(plan_id: str) -> Answer:
        since = flask.request.args.get("since", type=int)
        with desk.open(plan_id) as entry:
            known = flask.request.args.get("epoch") == desk.epoch_of(plan_id)
            if since is None or not known or not 0 <= since <= entry.seq:
                return answer(store, {"reload": True, "seq": entry.seq})
            return answer(store, news_json(store, desk, entry, since))


def list_json(desk: Desk) -> list[dict[str, Any]]:
    """Every plan, the one that changed last first."""
    table = desk.book.plans()
    rows = []
    for plan_id, row in table.sort_values("changed_at", ascending=False).iterrows():
        rows.append(
            {
                "id": str(plan_id),
                "name": str(row["name"]),
                "state": str(row["state"]),
                "author": str(row["author"]),
                "changed": row["changed_at"].timestamp() * 1000,
                "conflicts": int(row.get("conflicts", 0) or 0),
                "comments": int(row.get("open_comments", 0) or 0),
            }
        )
    return rows


def state_json(store: Store, desk: Desk, entry: Entry) -> dict[str, Any]:
    """All of a plan but its blocks and borders."""
    plan, opened = entry.plan, entry.open
    names = store.snapshot().city.divisions["name"]
    rest = frozenset(opened.base.rest_grids(plan))
    return {
        "id": opened.plan_id,
        "epoch": desk.epoch_of(opened.plan_id),
        "ground": desk.ground_key(plan),
        "band": list(band_of(store)),
        "communities": [
            {"code": code, "name": str(names.get(code, code))} for code in plan.communities
        ],
        "label": labels_text(plan),
        "grids": grid_rows(plan, rest=rest),
        "lockedEdges": locked_edges(plan),
        "notes": [
            {"code": note.code, "count": note.count, "ids": list(note.ids)} for note in opened.notes
        ],
        "crs": plan.crs.to_string(),
        **_log_json(store, entry, 0),
    }


def news_json(store: Store, desk: Desk, entry: Entry, since: int) -> dict[str, Any]:
    """What a screen lacks that shows the plan after edit `since`."""
    body = {"epoch": desk.epoch_of(entry.open.plan_id), **_log_json(store, entry, since)}
    if since == entry.seq:
        return body
    before = entry.book.open(entry.open.plan_id, seq=since).plan
    patch = find_patch(before, entry.plan, entry.open.base)
    if patch.get("ground"):
        return {"reload": True, "seq": entry.seq}
    return body | {"patch": patch | {"from": since, "to": entry.seq}}


def _log_json(store: Store, entry: Entry, since: int) -> dict[str, Any]:
    opened = entry.open
    return {
        "seq": entry.seq,
        "name": opened.name,
        "state": opened.state,
        "author": opened.author,
        "history": history_json(entry, since),
        "conflicts": conflicts_json(entry, _words(store)),
        "canUndo": opened.can_undo,
        "canRedo": opened.can_redo,
        "outdated": bool(opened.outdated),
    }


# --- making ---------------------------------------------------------------------------------------


def _add_making(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.post("/new")
    @answered(store)
    def new() -> Answer:
        words = _words(store)
        body = read_body(words)
        by, _ = person(body, words)
        name = _name(body, words)
        source = body.get("copy_of")
        if source:
            made = desk.book.copy(str(source), name, by, store.clock())
        else:
            communities = body.get("communities") or None
            if communities is not None and not (
                isinstance(communities, list) and all(isinstance(one, str) for one in communities)
            ):
                raise RequestError(words("planner.bad.begin"), "begin", 422)
            try:
                made = desk.book.create(name, by, store.clock(), communities=communities)
            except InputError as error:
                raise RequestError(words("planner.bad.begin"), "begin", 422) from error
        return answer(store, {"ok": True, "id": made}, 201)

    @routes.post("/<plan_id>/name")
    @answered(store)
    def rename(plan_id: str) -> Answer:
        words = _words(store)
        body = read_body(words)
        by, _ = person(body, words)
        name = _name(body, words)
        desk.book.rename_plan(plan_id, name, by, store.clock())
        return answer(store, {"ok": True, "name": name})


def _name(body: Mapping[str, Any], words: Words) -> str:
    asked = body.get("name")
    name = " ".join(asked.split()) if isinstance(asked, str) else ""
    if not name:
        raise RequestError(words("planner.bad.name"), "name", 400)
    if len(name) > MOST_NAME:
        text = words("planner.bad.name.long", most=MOST_NAME, n=len(name))
        raise RequestError(text, "name_long", 400)
    return name


# --- edits ----------------------------------------------------------------------------------------


def _add_edits(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    @routes.post("/<plan_id>/edits")
    @answered(store)
    def edit(plan_id: str) -> Answer:
        words, at = _words(store), store.clock()
        body = read_body(words)
        by, _ = person(body, words)
        with desk.open(plan_id) as entry:
            try:
                found = _append(store, entry, body, by, at)
            except RedrawError as error:
                return answer(store, refusal(error, entry, words), 409)
            except BAD_EDIT:
                return _refuse(store, words("planner.bad.edit"), "edit", 400)
        return answer(store, _applied(store, desk, plan_id, found, body))

    @routes.post("/<plan_id>/settle")
    @answered(store)
    def settle(plan_id: str) -> Answer:
        words, at = _words(store), store.clock()
        body = read_body(words)
        by, _ = person(body, words)
        with desk.open(plan_id) as entry:
            try:
                found = entry.book.settle(
                    plan_id,
                    int(body["seq"]),
                    "take" if body.get("take") else "drop",
                    by=by,
                    at=at,
                    edit_id=str(body["edit_id"]),
                    edit=_other_wording(store, entry, body),
                )
            except RedrawError as error:
                return answer(store, refusal(error, entry, words), 409)
            except BAD_EDIT:
                return _refuse(store, words("planner.bad.edit"), "edit", 400)
        return answer(store, _applied(store, desk, plan_id, found, body))


def read_edit(store: Store, entry: Entry, edit: Mapping[str, Any]) -> dict[str, Any]:
    """An edit of the screen as the book takes it: in metres, with what the screen cannot know."""
    base = entry.open.base
    edit = dict(edit)
    require_plain(edit)
    return complete_edit(store, entry.plan, base, to_metric(edit, base))


def _append(store: Store, entry: Entry, body: Mapping[str, Any], by: str, at: datetime) -> Applied:
    edit = read_edit(store, entry, body["edit"])
    return entry.book.append(
        entry.open.plan_id,
        edit_id=str(body["edit_id"])[:64],
        edit=edit,
        by=by,
        on_seq=int(body["on_seq"]),
        at=at,
    )


def _other_wording(store: Store, entry: Entry, body: Mapping[str, Any]) -> dict[str, Any] | None:
    edit = body.get("edit")
    return None if edit is None else read_edit(store, entry, edit)


def _applied(
    store: Store, desk: Desk, plan_id: str, found: Applied, body: Mapping[str, Any]
) -> dict[str, Any]:
    """What became of an edit, and what the screen lacks of the plan after `shown`."""
    with desk.open(plan_id) as entry:
        told: dict[str, Any] = {"ok": True, "result": found.state, "at_seq": found.seq}
        shown = body.get("shown")
        known = body.get("epoch") == desk.epoch_of(plan_id)
        if not known or not isinstance(shown, int) or not 0 <= shown <= entry.seq:
            return told | {"reload": True, "seq": entry.seq}
        return told | news_json(store, desk, entry, shown)
