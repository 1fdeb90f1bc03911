"""The links between the pages in the head of a day page, with the present one marked."""

from __future__ import annotations

import dash
from dash import html

from dashboards.components.marks import attrs
from dashboards.figures import Snapshot
from dashboards.pages.incidents_layout import page_header
from dashboards.store import Store
from dashboards.words import Words


def page_nav(words: Words, active: str) -> html.Nav:
    """Links to the pages that have a name in `page.*`; `active` is the present one's."""
    pages = [page for page in dash.page_registry.values() if words.has(f"page.{page['name']}")]
    links = [
        html.A(
            words(f"page.{page['name']}"),
            href=page["path"],
            **attrs({"aria-current": "page"} if page["name"] == active else {}),
        )
        for page in pages
    ]
    return html.Nav(links, className="inc-nav", **attrs({"aria-label": words("nav")}))


def day_header(store: Store, snapshot: Snapshot, words: Words, active: str) -> html.Header:
    """The head of `/incidents` with another page marked among the links."""
    header = page_header(store, snapshot, words)
    header.children = [
        page_nav(words, active) if isinstance(part, html.Nav) else part for part in header.children
    ]
    return header
