"""Pages: each module's `register(app, store)` adds a page and its callbacks to an app.

dash keeps one registry of pages a process, so what it holds must not know which app it belongs to:
the layout that is registered asks the app that serves the request. So many apps work side by side
in one process, which tests need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dash
import flask
from dash import Dash, html

from dashboards.store import Store
from dashboards.words import Words

Layout = Callable[..., Any]
_EXTENSION = "wangge-layouts"


def add_page(
    app: Dash,
    store: Store,
    name: str,
    path: str,
    *,
    title: str,
    build: Callable[[Store, dict[str, str]], Any],
) -> None:
    """Add a page to an app; its content is built for each address.

    Parameters
    ----------
    name
        Of the page, the same in all apps of a process.
    title
        Key of the title in the catalogue, which may leave room for the city's name.
    build
        Gives the page for a store and what the address says after its question mark.
    """
    app.server.extensions.setdefault(_EXTENSION, {})[name] = lambda **query: build(store, query)

    def show(**query: str) -> Any:
        if not flask.has_app_context():
            return html.Div()
        layouts: dict[str, Layout] = flask.current_app.extensions[_EXTENSION]
        return layouts[name](**query)

    dash.register_page(  # type: ignore[no-untyped-call]
        name,
        path=path,
        name=name,
        title=Words(store.settings.language)(title, city=""),
        layout=show,
    )
