"""The head of a page: whose city, which part of it, links to other pages, age of data, clock.

Its browser part is assets/10-page.js, which knows no page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboards.components.marks import attrs
from dashboards.figures import Snapshot
from dashboards.store import Store
from dashboards.words import Words

FRESH = "page-fresh"
CONFIG = "map-config"
"""The page's configuration for the browser, which the map brings along."""
_DONE = "page-done"
_EXTENSION = "wangge-page-head"


def register_head(app: Dash) -> None:
    """Add the callback of the clock to `app`; a second call does nothing."""
    if _EXTENSION in app.server.extensions:
        return
    app.server.extensions[_EXTENSION] = True
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="page", function_name="fresh"),
        Output(_DONE, "data-fresh"),
        Input(FRESH, "data"),
        State(CONFIG, "data"),
    )


def city_name(store: Store, snapshot: Snapshot, words: Words) -> str:
    """The setting, else the topmost division, else that the city has no name."""
    return store.settings.city_name or snapshot.city.name or words("city.unnamed")


def page_head(
    store: Store,
    snapshot: Snapshot,
    words: Words,
    *,
    crumbs: Any = None,
    middle: Sequence[Any] = (),
    tools: Sequence[Any] = (),
) -> html.Header:
    """The line on top of a page.

    Parameters
    ----------
    crumbs
        Where the page is; without it the name of the city stands alone.
    middle, tools
        What a page adds between name and clock, and before the language.
    """
    other = "en" if words.language == "zh" else "zh"
    name = crumbs if crumbs is not None else html.H1(city_name(store, snapshot, words))
    return html.Header(
        [
            html.Div(
                [
                    html.Span(className="brand-mark", **attrs({"aria-hidden": "true"})),
                    name,
                ],
                className="brand",
            ),
            build_nav(words),
            html.Div(list(middle), className="top-middle"),
            html.Div(id="page-freshness", className="freshness", role="status"),
            html.Div(
                [
                    html.Span(words.date(snapshot.at), id="page-date", className="clock-date"),
                    html.Span(f"{snapshot.at:%H:%M:%S}", id="page-time", className="clock-time"),
                ],
                className="clock",
            ),
            html.Div(
                [
                    *tools,
                    html.A(
                        words("language.switch"),
                        href=f"?lang={other}",
                        className="language",
                        title=words("language.switch.help"),
                        lang="en" if other == "en" else "zh-CN",
                        **attrs({"data-lang": other}),
                    ),
                ],
                className="top-tools",
            ),
        ],
        className="top",
    )


def build_nav(words: Words) -> html.Nav | None:
    """Plain links to the pages that exist; with only this one there is nothing to choose."""
    pages = [page for page in dash.page_registry.values() if words.has(f"page.{page['name']}")]
    if len(pages) < 2:
        return None
    return html.Nav(
        [html.A(words(f"page.{page['name']}"), href=page["path"]) for page in pages],
        className="nav",
        **attrs({"aria-label": words("nav")}),
    )


def freshness(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    """The server's clock and the time of the newest data, milliseconds since 1970."""
    now = store.clock().timestamp() * 1000
    newest = None if snapshot.newest is None else snapshot.newest.timestamp() * 1000
    return {"now": now, "newest": newest}


def fresh_store(store: Store, snapshot: Snapshot) -> html.Div:
    """Where the browser reads the server's clock; a page sets it anew with each update."""
    return html.Div(
        [dcc.Store(id=FRESH, data=freshness(store, snapshot)), html.Div(id=_DONE)], hidden=True
    )
