"""Coverage, `/workers/coverage`: streets that patrols, cameras or assets reach, and that none does.

The page comes with words and the choice of the address; the answer is worked out in the background
and travels from `dashboards.coverage_routes`; the browser's part is assets/66-*. The choice is in
the address: `what` (cameras, both, today, week, assets), `class` and `m` (metres) of assets, `days`
of incident history, `by` (streets or grids), `grid`, `list`.
"""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
from dash import Dash, html

from dashboards.components.city_map import city_map, map_empty, map_notes, register_city_map
from dashboards.components.marks import attrs
from dashboards.components.workers_frame import (
    register_workers_frame,
    workers_config,
    workers_frame,
)
from dashboards.coverage_make import HISTORY_DAYS, WHATS
from dashboards.coverage_routes import class_list, distances, read_choice
from dashboards.pages import add_page
from dashboards.pages.incidents_layout import _THEME as TABLE_THEME
from dashboards.pages.incidents_layout import city_name, language_of
from dashboards.store import Store
from dashboards.words import Words
from geo.codes import class_name
from geo.errors import CodeError
from geo.served import service_distance
from layers.colours import MOODS, sequential

NAME = "workers_coverage"
PATH = "/workers/coverage"
BAR = "coverage-bar"
FIGURES = "coverage-figures"
TABLE = "coverage-table"
LISTS = "coverage-lists"
PROGRESS = "coverage-progress"
FOOT = "coverage-foot"

LAYERS = ("borders", "labels")
CLASSES = 5
"""Classes of the share of streets by grid, each a fifth."""


def register(app: Dash, store: Store) -> None:
    """Add the page to `app`."""
    add_page(app, store, NAME, PATH, title="coverage.page.title", build=build_page)
    register_city_map(app, store)
    register_workers_frame(app)


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address; its answer is asked for by the browser."""
    snapshot, words = store.snapshot(), language_of(store, query)
    choice = read_choice(store, query)
    told = {k: v for k, v in query.items() if isinstance(v, str) and k in ("by", "grid", "list")}
    config = workers_config(
        store,
        snapshot,
        words,
        query,
        title=words("coverage.page.title", city=city_name(store, snapshot, words)),
        layers=LAYERS,
        coverage={
            "words": words.starting("coverage.js."),
            "whats": list(WHATS),
            "days": list(HISTORY_DAYS),
            "classes": class_options(store, words),
            "palettes": {mood: list(sequential(mood, CLASSES, "teal")) for mood in MOODS},
            "empty": not len(snapshot.city.grids),
            "choice": {
                "what": choice.what,
                "class": choice.class_code,
                "m": choice.distance_m,
                "days": choice.days,
                **told,
            },
        },
    )
    notes = map_notes(store, snapshot, words)
    return workers_frame(
        store, snapshot, words, query, active="coverage", body=_body(words, config, notes),
        config=config,
    )  # fmt: skip


def class_options(store: Store, words: Words) -> list[dict[str, Any]]:
    """Classes of assets that the city has, the most first, with how far each serves."""
    known = distances(store)["distance_m"].to_dict()
    found = []
    for code, count in class_list(store).items():
        try:
            name = class_name(str(code), words.language)
        except CodeError:
            name = str(code)
        metres = service_distance(str(code), known)
        found.append({"code": str(code), "name": name, "n": int(count), "m": metres})
    return found


def _body(words: Words, config: dict[str, Any], notes: list[Any]) -> list[Any]:
    over = [map_empty(words)] if config["coverage"]["empty"] else []
    over.append(html.Div(id="coverage-state", className="cv-state", role="status", hidden=True))
    the_map = city_map(
        words,
        label=words("coverage.map.label"),
        config=config,
        title=html.Span(id="coverage-title"),
        top_left=[html.Div(id=PROGRESS, className="cv-progress", role="status")],
        top_right=[html.Div(id="coverage-by", className="cv-views")],
        legend=html.Div(id="coverage-legend"),
        notes=notes,
        over=over,
    )
    return [
        html.Div(id=BAR, className="cv-bar"),
        html.Div(id=FIGURES, className="cv-figures", role="status"),
        html.Div(
            [
                html.Section(
                    the_map,
                    className="cv-map",
                    **attrs({"aria-label": words("coverage.map.label")}),
                ),
                html.Aside([_lists(words), _table(words)], className="cv-side"),
            ],
            className="cv-main",
        ),
    ]


def _lists(words: Words) -> html.Section:
    tabs = [
        html.Button(
            words(f"coverage.list.{name}"),
            type="button",
            role="tab",
            id=f"coverage-tab-{name}",
            **attrs({"data-list": name, "aria-controls": LISTS, "aria-selected": "false"}),
        )
        for name in ("stretches", "spots")
    ]
    return html.Section(
        [
            html.Div(
                tabs,
                className="inc-tabs cv-tabs",
                role="tablist",
                **attrs({"aria-label": words("coverage.lists")}),
            ),
            html.Div(id=LISTS, className="cv-list", role="tabpanel"),
        ],
        className="panel cv-lists",
    )


def _table(words: Words) -> html.Section:
    grid = dag.AgGrid(
        id=TABLE,
        columnDefs=[],
        rowData=[],
        getRowId="params.data.id",
        dashGridOptions={
            "theme": {"function": TABLE_THEME},
            "rowSelection": {
                "mode": "singleRow",
                "checkboxes": False,
                "enableClickSelection": True,
            },
            "animateRows": False,
            "tooltipShowDelay": 400,
            "localeText": words.starting("cases.grid.") | words.starting("board.grid."),
        },
        className="inc-grid cv-grid",
        style={"height": "100%", "width": "100%"},
    )
    return html.Section(
        [
            html.Div(
                [html.H2(words("coverage.table")), html.Span("", id="coverage-count")],
                className="panel-head",
            ),
            html.Div(grid, className="cv-table-place"),
            html.Div(id=FOOT, className="inc-foot cv-foot"),
        ],
        className="panel cv-table",
        **attrs({"aria-label": words("coverage.table")}),
    )
