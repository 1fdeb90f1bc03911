"""The command centre's screen, `/command`.

The layout comes finished from the newest snapshot in one answer; afterwards a small callback asks
every few seconds whether there is a newer one, and only then sends cards, list and trends again.
Map data travels apart, by address. What the person chose (grid, figure, layers, language, view) is
in the address: the layout reads it, and the browser's part keeps it up to date.
"""

from __future__ import annotations

from typing import Any

import dash
from dash import ClientsideFunction, Dash, Input, Output, State, no_update

from dashboards.choice import read_choice
from dashboards.components.charts import build_streets, keys
from dashboards.components.grid_search import find_grids
from dashboards.components.map_spec import build_legend
from dashboards.components.table_twin import build_table
from dashboards.figures import FIGURES
from dashboards.pages import add_layout
from dashboards.pages.command_ids import (
    CARDS,
    CONFIG,
    DETAIL,
    DONE,
    FIGURE,
    FRESH,
    GRID,
    KEYS_HOURS,
    LAYERS,
    LEGEND,
    LIST,
    MAP,
    MAP_NOTES,
    MAP_SPEC,
    MAP_TITLE,
    SEARCH,
    STREETS,
    TABLE,
    TABLE_GRID,
    TABLE_OPEN,
    TICK,
    TREND,
    TREND_DAYS,
    TREND_HOURS,
    VERSIONS,
)
from dashboards.pages.command_layout import (
    build_detail,
    build_page,
    cards_of,
    freshness,
    grid_map_of,
    list_of,
    trends_of,
)
from dashboards.pages.command_map import map_notes
from dashboards.settings import LANGUAGES
from dashboards.store import Store
from dashboards.words import Words

NAME = "command"
PATH = "/command"


def register(app: Dash, store: Store) -> None:
    """Add the page and its callbacks to `app`."""

    def layout(**query: str) -> Any:
        return build_page(store, read_choice(query, store.settings.language))

    title = Words(store.settings.language)("product")
    dash.register_page(  # type: ignore[no-untyped-call]
        NAME, path=PATH, name=NAME, title=title, layout=add_layout(app, NAME, layout)
    )
    _register_updates(app, store)
    _register_choices(app, store)
    _register_browser(app)


def _language(config: dict[str, Any] | None) -> Words:
    return Words((config or {}).get("lang", LANGUAGES[0]))


def _register_updates(app: Dash, store: Store) -> None:
    @app.callback(
        output={
            "fresh": Output(FRESH, "data"),
            "versions": Output(VERSIONS, "data"),
            "cards": Output(CARDS, "children"),
            "newest": Output(LIST, "children"),
            "trend": Output(TREND, "data"),
            "streets": Output(STREETS, "children"),
            "keys_hours": Output(KEYS_HOURS, "children"),
            "notes": Output(MAP_NOTES, "children"),
        },
        inputs={"tick": Input(TICK, "n_intervals")},
        state={"known": State(VERSIONS, "data"), "config": State(CONFIG, "data")},
        prevent_initial_call=True,
    )
    def update(tick: int, known: dict[str, str], config: dict[str, Any]) -> dict[str, Any]:
        snapshot, words = store.snapshot(), _language(config)
        versions = store.versions()
        answer: dict[str, Any] = dict.fromkeys(
            ("versions", "cards", "newest", "trend", "streets", "keys_hours", "notes"), no_update
        )
        if versions != known:
            answer |= {
                "versions": versions,
                "cards": cards_of(store, snapshot, words),
                "newest": list_of(store, snapshot, words),
                "trend": trends_of(store, snapshot, words),
                "streets": build_streets(snapshot, words),
                "keys_hours": keys(snapshot, words)["hours"],
                "notes": map_notes(store, snapshot, words),
            }
        return {"fresh": freshness(store, snapshot), **answer}


def _register_choices(app: Dash, store: Store) -> None:
    @app.callback(
        output={
            "spec": Output(MAP_SPEC, "data"),
            "legend": Output(LEGEND, "children"),
            "title": Output(MAP_TITLE, "children"),
        },
        inputs={"figure": Input(FIGURE, "value"), "versions": Input(VERSIONS, "data")},
        state={"config": State(CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_figure(figure: str, versions: Any, config: dict[str, Any]) -> dict[str, Any]:
        words = _language(config)
        figure = figure if figure in FIGURES else FIGURES[0]
        grid_map = grid_map_of(store, store.snapshot(), figure, words)
        return {
            "spec": grid_map.spec,
            "legend": build_legend(grid_map, words),
            "title": grid_map.title,
        }

    @app.callback(
        output={"detail": Output(DETAIL, "children")},
        inputs={
            "grid_id": Input(GRID, "data"),
            "figure": Input(FIGURE, "value"),
            "versions": Input(VERSIONS, "data"),
        },
        state={"config": State(CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_detail(
        grid_id: str | None, figure: str, versions: Any, config: dict[str, Any]
    ) -> dict[str, Any]:
        figure = figure if figure in FIGURES else FIGURES[0]
        words = _language(config)
        return {"detail": build_detail(store, store.snapshot(), grid_id, figure, words)}

    @app.callback(
        output={"options": Output(SEARCH, "data")},
        inputs={"text": Input(SEARCH, "searchValue"), "grid_id": Input(GRID, "data")},
        prevent_initial_call=True,
    )
    def search(text: str | None, grid_id: str | None) -> dict[str, Any]:
        return {"options": find_grids(store.snapshot(), text or "", grid_id)}

    @app.callback(
        output={
            "table": Output(TABLE, "children"),
            "hidden": Output(TABLE, "hidden"),
            "label": Output(TABLE_OPEN, "children"),
        },
        inputs={"clicks": Input(TABLE_OPEN, "n_clicks")},
        state={"config": State(CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_table(clicks: int, config: dict[str, Any]) -> dict[str, Any]:
        words = _language(config)
        if clicks % 2 == 0:
            return {"table": None, "hidden": True, "label": words("button.table")}
        return {
            "table": build_table(store.snapshot(), words, TABLE_GRID),
            "hidden": False,
            "label": words("button.map"),
        }

    @app.callback(
        output={"grid": Output(GRID, "data", allow_duplicate=True)},
        inputs={"rows": Input(TABLE_GRID, "selectedRows")},
        prevent_initial_call=True,
    )
    def choose_row(rows: list[dict[str, Any]] | None) -> dict[str, Any]:
        return {"grid": rows[0]["grid"] if rows else no_update}


def _register_browser(app: Dash) -> None:
    """What runs in the browser: drawing, layers, selection, address, clock (assets/*.js)."""

    def run(name: str) -> ClientsideFunction:
        return ClientsideFunction(namespace="command", function_name=name)

    app.clientside_callback(  # type: ignore[no-untyped-call]
        run("drawMap"),
        Output(MAP, "figure"),
        Input(MAP_SPEC, "data"),
        State(CONFIG, "data"),
        State(VERSIONS, "data"),
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        run("drawCharts"),
        Output(TREND_DAYS, "figure"),
        Output(TREND_HOURS, "figure"),
        Input(TREND, "data"),
    )
    for function, prop, source in (
        ("refreshData", "data-versions", Input(VERSIONS, "data")),
        ("chooseGrid", "data-grid", Input(GRID, "data")),
        ("chooseFigure", "data-figure", Input(FIGURE, "value")),
        ("chooseLayers", "data-layers", Input(LAYERS, "value")),
        ("chooseFound", "data-found", Input(SEARCH, "value")),
        ("setFresh", "data-fresh", Input(FRESH, "data")),
    ):
        app.clientside_callback(  # type: ignore[no-untyped-call]
            run(function), Output(DONE, prop), source, State(CONFIG, "data")
        )
