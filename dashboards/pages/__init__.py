"""Pages: each module's `register(app, store)` adds a page and its callbacks to an app.

dash keeps one registry of pages a process, so what it holds must not know which app it belongs to:
the layout that is registered asks the app that serves the request. So many apps work side by side
in one process, which tests need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from dash import Dash, html

Layout = Callable[..., Any]
_EXTENSION = "wangge-layouts"


def add_layout(app: Dash, name: str, layout: Layout) -> Layout:
    """Keep the layout of a page with its app; returns the one to register with dash."""
    app.server.extensions.setdefault(_EXTENSION, {})[name] = layout

    def show(**query: str) -> Any:
        if not flask.has_app_context():
            return html.Div()
        layouts: dict[str, Layout] = flask.current_app.extensions[_EXTENSION]
        return layouts[name](**query)

    return show
