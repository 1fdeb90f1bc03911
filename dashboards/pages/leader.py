"""The leader's briefing, `/leader`: what got worse, where, since when, who answers, what was done.

The page is a frame; its sections are made on the server and come in one piece (`/leader/view`), the
same ones that a report holds. What was chosen is in the address: period, comparison, area, level.
"""

from __future__ import annotations

from typing import Any

import dash
from dash import ClientsideFunction, Dash, Input, Output, html

from dashboards.components.city_map import (
    MAP_CONFIG,
    city_map,
    map_config,
    map_notes,
    register_city_map,
)
from dashboards.components.marks import attrs
from dashboards.components.page_nav import day_header
from dashboards.pages import add_layout
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
SECTIONS = ("head", "brief", "table", "area", "department", "classes", "definitions")
CHANGE_CLASSES = 7
"""Three below no change, the middle, three above; the map's legend has a word for each."""


def register(app: Dash, store: Store) -> None:
    """Add the page to `app`."""
    words = Words(store.settings.language)

    def layout(**query: str) -> Any:
        return build_page(store, query)

    dash.register_page(  # type: ignore[no-untyped-call]
        NAME,
        path=PATH,
        name=NAME,
        title=words("leader.title", city=""),
        layout=add_layout(app, NAME, layout),
    )
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
            _bar(words),
            html.Main(
                [
                    html.Div(
                        [_section(name) for name in SECTIONS[:3]],
                        className="ld-left",
                    ),
                    html.Aside(_map(store, words, config), className="ld-right"),
                    html.Div([_section(name) for name in SECTIONS[3:]], className="ld-below"),
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


def _bar(words: Words) -> html.Div:
    """Period, comparison, level, way down, and what to take along."""

    def choices(name: str, options: list[tuple[str, str]]) -> html.Div:
        return html.Div(
            [
                html.Button(text, type="button", **attrs({f"data-{name}": value}))
                for value, text in options
            ],
            className="cv-views",
            role="group",
            id=f"leader-{name}",
            **attrs({"aria-label": words(f"leader.bar.{name}")}),
        )

    def button(name: str, text: str) -> html.Button:
        return html.Button(
            text, type="button", className="inc-button", id=f"leader-{name}",
            **attrs({"aria-label": words(f"leader.bar.{name}")} if len(text) == 1 else {}),
        )  # fmt: skip

    kinds = [(kind, words(f"leader.kind.{kind}")) for kind in ("week", "month", "quarter", "year")]
    against = [(one, words(f"leader.against.{one}")) for one in ("last_year", "last_period")]
    return html.Div(
        [
            html.Nav(
                id="leader-path", className="ld-path", **attrs({"aria-label": words("leader.path")})
            ),
            choices("kind", kinds),
            html.Div(
                [
                    button("before", "‹"),
                    html.Span("", id="leader-period", role="status"),
                    button("after", "›"),
                    button("today", words("leader.bar.today")),
                ],
                className="ld-step",
            ),
            choices("against", against),
            html.Div(
                [
                    html.Span("", id="leader-age", className="ld-age", role="status"),
                    button("present", words("leader.present")),
                    button("print", words("leader.print")),
                    html.Details(
                        [
                            html.Summary(words("leader.report"), className="inc-button is-main"),
                            html.Div(
                                [
                                    html.A(
                                        words(f"leader.report.{kind}"),
                                        href="#",
                                        **attrs({"data-report": kind}),
                                    )
                                    for kind in ("html", "pdf", "xlsx")
                                ],
                                className="ld-menu",
                            ),
                        ],
                        className="ld-report",
                    ),
                ],
                className="ld-tools",
            ),
        ],
        className="ld-bar",
        role="toolbar",
        **attrs({"aria-label": words("leader.bar.label")}),
    )
