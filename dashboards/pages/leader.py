"""The leader's briefing, `/leader`: what got worse, where, since when, who answers, what was done.

The page is a frame; its sections are made on the server and come in one piece (`/leader/view`), the
same ones that a report holds. What was chosen is in the address: period, comparison, area, level.
"""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, html

from dashboards.components.city_map import (
    MAP_CONFIG,
    city_map,
    map_config,
    map_notes,
    register_city_map,
)
from dashboards.components.leader_bar import leader_bar
from dashboards.components.page_nav import day_header
from dashboards.pages import add_page
from dashboards.pages.incidents_layout import city_name, in_mantine, language_of
from dashboards.store import Store
from dashboards.words import Words
from geo.incidents import ROLES
from geo.leader import TREND_WEEKS
from layers.colours import diverging

NAME = "leader"
PATH = "/leader"
PAGE = "leader-page"
DONE = "leader-done"
LEFT = ("head", "brief", "spots", "table")
"""Parts beside the map, and those below it over the whole width."""
BELOW = ("area", "department", "classes", "definitions")
CHANGE_CLASSES = 7
"""Three below no change, the middle, three above; the map's legend has a word for each."""


def register(app: Dash, store: Store) -> None:
    """Add the page to `app`."""
    add_page(app, store, NAME, PATH, title="leader.title", build=build_page)
    register_city_map(app, store)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="leader", function_name="begin"),
        Output(DONE, "data-begun"),
        Input(MAP_CONFIG, "data"),
    )


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address; its sections are asked for by the browser."""
    snapshot, words = store.snapshot(), language_of(store, query)
    settings = store.settings
    config = map_config(
        store,
        snapshot,
        words,
        layers=("borders", "labels"),
        mood="day",
        title=words("leader.title", city=city_name(store, snapshot, words)),
        cases={
            "page": NAME,
            "words": words.starting("cases.js."),
            "roles": list(ROLES),
            "language": settings.language,
            "soonS": settings.soon_minutes * 60,
            "refreshS": settings.refresh_s,
        },
        leader={
            "words": words.starting("leader.js."),
            "weeks": TREND_WEEKS,
            "ramp": list(diverging("day", CHANGE_CLASSES)),
        },
    )
    page = html.Div(
        [
            html.A(words("leader.skip"), href="#leader-head", className="skip"),
            day_header(store, snapshot, words, NAME),
            leader_bar(words),
            html.Main(
                [
                    html.Div(
                        [_section(name) for name in LEFT],
                        className="ld-left",
                    ),
                    html.Aside(_map(store, words, config), className="ld-right"),
                    html.Div([_section(name) for name in BELOW], className="ld-below"),
                ],
                className="ld-main",
                id="leader-main",
            ),
            html.Div(id="leader-slides", className="ld-slides", hidden=True),
            html.Div(id=DONE, hidden=True),
        ],
        id=PAGE,
        className="inc ld mood-day",
        lang="zh-CN" if words.language == "zh" else "en",
    )
    return in_mantine(page)


def _section(name: str) -> html.Div:
    return html.Div(id=f"leader-part-{name}", className=f"ld-part is-{name}")


def _map(store: Store, words: Words, config: dict[str, Any]) -> Any:
    return city_map(
        words,
        label=words("leader.map.label"),
        config=config,
        title=html.Span(id="leader-map-title"),
        top_left=[html.Div(id="leader-map-note", className="ld-map-note", role="status")],
        top_right=[html.Div(id="leader-map-by", className="cv-views")],
        legend=html.Div(id="leader-legend"),
        notes=map_notes(store, store.snapshot(), words),
    )
