"""Who looked at my track, over HTTP, and the one answer to who may not see tracks.

`/tracks/looks` tells a worker who looked at his own track; nobody else is told. The error handler
turns `TracksHiddenError` of any route of the server into 403 with a sentence in the language of the
page, so that a route only has to call `require_tracks`.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import flask
import pandas as pd

from dashboards.language import page_words
from dashboards.store import Store
from dashboards.track_rights import TracksHiddenError, role_of, viewer_of
from dashboards.words import Words
from geo.io.track_views import EVERYONE, read_looks

DAYS = 30
"""How far back the panel looks."""

MOST_ROWS = 100
"""A phone shows no more; the number of all is told beside."""

Answer = flask.typing.ResponseReturnValue


def add_track_routes(server: flask.Flask, store: Store) -> None:
    """Add `/tracks/looks` and the answer to TracksHiddenError to the server of an app."""

    @server.errorhandler(TracksHiddenError)
    def hidden(error: TracksHiddenError) -> Answer:
        words = page_words(store.settings.language)
        return _json({"error": error.tell(words), "reason": "tracks"}, 403)

    @server.get("/tracks/looks")
    def looks() -> Answer:
        words = page_words(store.settings.language)
        viewer = viewer_of(flask.request.args)
        worker = flask.request.args.get("worker", "").strip()
        if not viewer.by:
            return _json({"error": words("tracks.choose"), "reason": "tracks"}, 403)
        if viewer.by != worker:
            return _json({"error": words("tracks.not_yours"), "reason": "tracks"}, 403)
        return _json(looks_json(store, worker, words))


def looks_json(store: Store, worker_id: str, words: Words) -> dict[str, Any]:
    """Who looked at the track of a worker in the last DAYS days, ready to be shown."""
    at = store.clock()
    found = read_looks(store.workspace, worker_id, since=at - timedelta(days=DAYS))
    names = store.snapshot().workers.people["name"]
    rows = [
        _row(store, row, worker_id, names, at, words)
        for row in found.head(MOST_ROWS).to_dict("records")
    ]
    count = words("tracks.count", days=DAYS, n=words.number(len(found)))
    return {
        "looks": rows,
        "count": count if len(found) else "",
        "empty": words("tracks.empty", days=DAYS),
        "more": words("tracks.more", n=MOST_ROWS) if len(found) > MOST_ROWS else "",
        "note": words("tracks.nosignin"),
        "facts": facts(store, words),
    }


def facts(store: Store, words: Words) -> list[str]:
    """What is stored, how long and who may see it, by the settings of the city."""
    settings = store.settings
    begin, end = (f"{moment:%H:%M}" for moment in settings.duty)
    kept = settings.keep_fixes_days
    named = dict.fromkeys(name.strip() for name in settings.track_roles.split(","))
    roles = words("tracks.comma").join(
        role_of(role, words) for role in named if role in settings.roles_with_tracks
    )
    return [
        words("tracks.fact.always", begin=begin, end=end)
        if settings.keep_off_duty
        else words("tracks.fact.duty", begin=begin, end=end),
        words("tracks.fact.days", n=kept) if kept else words("tracks.fact.forever"),
        words("tracks.fact.roles", roles=roles) if roles else words("tracks.fact.norole"),
        words("tracks.fact.log", days=DAYS),
    ]


def _row(
    store: Store,
    row: dict[str, Any],
    worker_id: str,
    names: pd.Series,
    at: datetime,
    words: Words,
) -> dict[str, Any]:
    by, role = str(row["by"]), row["role"]
    is_self = by == worker_id
    name = names.get(by)
    who = words("tracks.self") if is_self else str(name) if isinstance(name, str) else by
    said = words("tracks.who", name=who, role=role_of(role if isinstance(role, str) else "", words))
    span = _span(store, row["since"], row["until"], at, words)
    screen = words(f"tracks.screen.{row['screen']}")
    is_all = row["worker_id"] == EVERYONE
    what = (
        words("tracks.row.all", screen=screen, span=span)
        if is_all
        else words("tracks.row.one", screen=screen, span=span)
    )
    now = at.astimezone(store.zone)
    when = words.moment(row["at"].astimezone(store.zone), now)
    return {
        "who": said, "what": what, "when": when, "at": row["at"].isoformat(),
        "self": is_self, "all": is_all,
    }  # fmt: skip


def _span(
    store: Store, since: pd.Timestamp, until: pd.Timestamp, at: datetime, words: Words
) -> str:
    """A span in the city's zone: a day where it is one, else from and to."""
    now = at.astimezone(store.zone)
    begin, end = since.astimezone(store.zone), until.astimezone(store.zone)
    is_midnight = begin.time() == time() and end - begin >= timedelta(hours=24, seconds=-1)
    if is_midnight and end - begin <= timedelta(hours=24):
        year = "" if begin.year == now.year else f"{begin.year}-"
        return words("tracks.span.day", day=f"{year}{begin:%m-%d}")
    if end.date() == begin.date():
        return words("tracks.span", since=words.moment(begin, now), until=f"{end:%H:%M}")
    form = "%m-%d %H:%M" if begin.year == end.year == now.year else "%Y-%m-%d %H:%M"
    return words("tracks.span", since=f"{begin:{form}}", until=f"{end:{form}}")


def _json(body: dict[str, Any], status: int = 200) -> flask.Response:
    response = flask.jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
