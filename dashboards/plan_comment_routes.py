"""Comments on plans over HTTP: on a place or the whole plan, with replies, settled or open."""

from __future__ import annotations

from typing import Any

import flask
import pandas as pd

from dashboards.components.case_moves import RequestError
from dashboards.language import page_words
from dashboards.plan_desk import Desk
from dashboards.plan_fields import number_of, text_of
from dashboards.plan_routes import answer, answered, person, read_body
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError
from geo.io.planbook import require_place

Answer = flask.typing.ResponseReturnValue


def add_comments(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    """Add the routes of comments to those of plans."""

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
        grid, place = _pin(desk, plan_id, body, words)
        try:
            desk.book.comment(
                plan_id, by=by, text=text_of(body.get("text")) or "", at=store.clock(),
                grid_id=grid, lon=place[0], lat=place[1], reply_to=text_of(body.get("reply_to")),
                comment_id=text_of(body.get("key")),
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


def _pin(
    desk: Desk, plan_id: str, body: dict[str, Any], words: Words
) -> tuple[str | None, tuple[float | None, float | None]]:
    """The grid and the place that a comment is about; RequestError if there is no such one."""
    grid, before = text_of(body.get("grid")), text_of(body.get("reply_to"))
    try:
        place = number_of(body.get("lon")), number_of(body.get("lat"))
        require_place(*place)
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(words("planversions.bad.place"), "place", 400) from error
    if grid is not None:
        with desk.open(plan_id) as entry:
            if grid not in entry.plan.grid_rows:
                raise RequestError(words("planversions.bad.place"), "place", 400)
    if before is not None and before not in desk.book.comments(plan_id).index:
        raise RequestError(words("planversions.bad.reply"), "reply", 400)
    return grid, place


def _comments_json(store: Store, desk: Desk, plan_id: str) -> list[dict[str, Any]]:
    return [
        {
            "id": str(comment_id),
            "at": f"{row['at'].astimezone(store.zone):%m-%d %H:%M}",
            "by": row["by"],
            "text": row["text"],
            "grid": text_of(row["grid_id"]),
            "reply_to": text_of(row["reply_to"]),
            "lon": number_of(row["lon"]),
            "lat": number_of(row["lat"]),
            "done": None if pd.isna(row["done_at"]) else str(row["done_by"]),
        }
        for comment_id, row in desk.book.comments(plan_id).iterrows()
    ]
