"""One worker's day on paper, `/workers/sheet?worker=..&day=..`.

The page is a frame; the sheet is made on the server and comes in one piece (`/board/sheet`), after
the right to see tracks was asked for and the look was noted. On paper only the sheet remains.
"""

from __future__ import annotations

from typing import Any

from dash import Dash, html

from dashboards.components.workers_frame import (
    register_workers_frame,
    workers_config,
    workers_frame,
)
from dashboards.pages import add_page
from dashboards.pages.incidents_layout import city_name, language_of
from dashboards.store import Store

NAME = "workers_sheet"
PATH = "/workers/sheet"
BAR = "sheet-bar"
SHEET = "sheet-place"


def register(app: Dash, store: Store) -> None:
    """Add the page to `app`."""
    add_page(app, store, NAME, PATH, title="sheet.page.title", build=build_page)
    register_workers_frame(app)


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address; the sheet is asked for by the browser."""
    snapshot, words = store.snapshot(), language_of(store, query)
    today = store.clock().astimezone(store.zone).date().isoformat()
    config = workers_config(
        store,
        snapshot,
        words,
        query,
        title=words("sheet.page.title", city=city_name(store, snapshot, words)),
        sheet={
            "words": words.starting("sheet.js."),
            "worker": query.get("worker", ""),
            "day": query.get("day", "") or today,
            "today": today,
            "language": store.settings.language,
        },
    )
    body = [
        html.Div(id=BAR, className="sheet-bar"),
        html.Div(id=SHEET, className="sheet-place", role="status"),
    ]
    return workers_frame(store, snapshot, words, query, active="board", body=body, config=config)
