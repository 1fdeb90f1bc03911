"""`create_app(settings, store)` builds the whole app; there is none to import.

Unexpected errors in callbacks go to the log in full and to the page as one sentence with a
reference number; the rest of the page works on. Many apps may live in one process (see
`dashboards.pages`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import flask
from dash import Dash, dcc, html, set_props

from dashboards.board_routes import add_board_routes
from dashboards.case_routes import add_case_routes
from dashboards.components.one_click import register_card
from dashboards.coverage_routes import add_coverage_routes
from dashboards.divide_routes import add_divide_routes
from dashboards.feeds import add_ingest_routes
from dashboards.heat_routes import add_heat_routes
from dashboards.language import html_language, page_words
from dashboards.leader_routes import add_leader_routes
from dashboards.pages import (
    command,
    incidents,
    leader,
    planner,
    workers,
    workers_board,
    workers_coverage,
    workers_sheet,
)
from dashboards.plan_impact_routes import add_plan_impact_routes
from dashboards.plan_routes import add_plan_routes
from dashboards.plan_snap_routes import add_plan_snap_routes
from dashboards.plan_state_routes import add_plan_state_routes
from dashboards.replay_routes import add_replay_routes
from dashboards.server import add_routes, new_reference
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.track_routes import add_track_routes
from dashboards.watching import Watching, add_watch_routes
from dashboards.words import Words
from geo.errors import WanggeError
from layers.colours import css_variables

log = logging.getLogger(__name__)

ERROR = "app-error"
PAGES = (
    command,
    incidents,
    planner,
    leader,
    workers,
    workers_board,
    workers_coverage,
    workers_sheet,
)

_INDEX = """<!DOCTYPE html>
<html lang="{lang}">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="stylesheet" href="/theme.css">
<link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


class _App(Dash):
    """A Dash app whose page says in which language it is, as its address asks."""

    language = "zh"

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]
        """The page that every address gets, in the language of that address."""
        page: str = super().interpolate_index(**parts)  # type: ignore[no-untyped-call]
        return page.replace("{lang}", html_language(page_words(self.language)), 1)


def create_app(settings: Settings, store: Store) -> Dash:
    """Build the app of one workspace: pages, callbacks, routes, headers."""
    words = Words(settings.language)
    app = _App(
        __name__,
        pages_folder="",
        use_pages=True,
        assets_folder=str(Path(__file__).parent / "assets"),
        serve_locally=True,
        suppress_callback_exceptions=True,
        title=words("product"),
        update_title="",
        index_string=_INDEX,
        on_error=_on_error(settings.language),
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.language = settings.language
    # No page sends more; imports go through the command line.
    app.server.config["MAX_CONTENT_LENGTH"] = 8 * 2**20
    # Map data and figures are packed by us; anything else that is large is a file of a library.
    app.server.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    app.layout = lambda: html.Div(
        [html.Div(id=ERROR, className="app-error", role="alert"), dash.page_container],
        id="app",
    )
    # Who watches is told of a look before the feed, which tells screens what it found.
    if store.watching is None:
        store.watching = Watching(store)
    for page in PAGES:
        page.register(app, store)
    register_card(app, store)
    _register_not_found(words)
    server: flask.Flask = app.server
    add_routes(server, store, lambda: _script_hashes(app))
    add_case_routes(server, store)
    add_track_routes(server, store)
    add_ingest_routes(server, store)
    add_watch_routes(server, store, store.watching)
    add_replay_routes(server, store)
    add_board_routes(server, store)
    add_coverage_routes(server, store)
    add_heat_routes(server, store)
    add_leader_routes(server, store)
    add_plan_routes(server, store)
    add_plan_state_routes(server, store)
    add_plan_impact_routes(server, store)
    add_divide_routes(server, store)
    add_plan_snap_routes(server, store)

    @server.get("/theme.css")
    def theme() -> flask.typing.ResponseReturnValue:
        css = f":root {{\n{css_variables('night')}\n}}\n.mood-day {{\n{css_variables('day')}\n}}\n"
        return flask.Response(css, mimetype="text/css", headers={"Cache-Control": "no-cache"})

    return app


def _register_not_found(words: Words) -> None:
    dash.register_page(  # type: ignore[no-untyped-call]
        "not_found_404",
        path="/not-found",
        title=words("error.notfound"),
        layout=lambda **_: html.Div(
            [
                html.P(words("error.notfound")),
                dcc.Link(words("error.notfound.go"), href="/command"),
            ],
            className="empty is-page",
        ),
    )


def _script_hashes(app: Dash) -> list[str]:
    # The hashes of dash cover the scripts that it writes into the page itself.
    return list(dict.fromkeys(app.csp_hashes()))


def _on_error(language: str) -> Callable[[Exception], None]:
    """Turn an error in a callback into a sentence of the page, in one place, by class."""

    def show(error: Exception) -> None:
        words = page_words(language)
        if isinstance(error, WanggeError):
            log.warning("callback: %s", error)
            text = words("error.known", text=str(error))
        else:
            reference = new_reference()
            log.error("%s in a callback", reference, exc_info=error)
            text = words("error.page", reference=reference)
        set_props(ERROR, {"children": text})

    return show
