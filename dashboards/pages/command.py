"""The command centre's screen, `/command`.

The layout comes finished from the newest snapshot in one answer. Afterwards a small callback is
asked when the server says that there is something new (`/live`), or every few seconds while that
connection is away; only what is newer is sent. Map data travels apart, by address. What the person
chose (unit, grid, figure, layers, language, view) is in the address: the layout reads it, and the
browser's part keeps it up to date.
"""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update

from dashboards.choice import FIGURES, read_choice
from dashboards.components.alarms import alarms_since
from dashboards.components.city_map import (
    MAP_CONFIG,
    MAP_LAYERS,
    MAP_LEGEND,
    MAP_NOTES,
    MAP_SHADE,
    MAP_TITLE,
    MAP_VERSIONS,
    map_notes,
    page_versions,
    register_city_map,
)
from dashboards.components.grid_search import find_grids
from dashboards.components.map_spec import build_legend
from dashboards.components.one_click import register_card
from dashboards.components.page_head import FRESH, freshness, register_head
from dashboards.components.table_twin import build_table
from dashboards.pages import add_page
from dashboards.pages.command_ids import (
    ALARMS,
    BARS,
    CARDS,
    CRUMBS,
    DONE,
    FIGURE,
    KEYS_DAYS,
    KEYS_HOURS,
    LAYERS,
    LEVEL,
    LEVEL_SWITCH,
    LIST,
    LIST_ORDER,
    PING,
    PLACE,
    RANK,
    RANK_ORDER,
    SEARCH,
    TABLE,
    TABLE_GRID,
    TABLE_OPEN,
    TICK,
    TOUR,
    TREND,
    TREND_DAYS,
    TREND_HOURS,
    UNIT,
    VIEW_CASES,
    VIEW_MAP,
    VIEW_UNIT,
)
from dashboards.pages.command_layout import build_page, crumbs_of
from dashboards.pages.command_look import look_at, tour_stops
from dashboards.pages.command_panels import Ready
from dashboards.settings import LANGUAGES
from dashboards.store import Store
from dashboards.words import Words

NAME = "command"
PATH = "/command"


def register(app: Dash, store: Store) -> None:
    """Add the page and its callbacks to `app`."""
    ready = Ready(store)

    def build(store: Store, query: dict[str, str]) -> Any:
        return build_page(store, read_choice(query, store.settings.language), ready)

    add_page(app, store, NAME, PATH, title="product", build=build)
    register_city_map(app, store)
    register_head(app)
    register_card(app, store)
    _register_updates(app, store, ready)
    _register_map(app, store, ready)
    _register_choices(app, store)
    _register_browser(app)


def _language(config: dict[str, Any] | None) -> Words:
    return Words((config or {}).get("lang", LANGUAGES[0]))


def _figure(figure: str | None) -> str:
    return figure if figure in FIGURES else FIGURES[0]


def _register_updates(app: Dash, store: Store, ready: Ready) -> None:
    @app.callback(
        output={
            "fresh": Output(FRESH, "data"),
            "versions": Output(MAP_VERSIONS, "data"),
            "alarms": Output(ALARMS, "data"),
        },
        inputs={"tick": Input(TICK, "n_intervals"), "ping": Input(PING, "data")},
        state={
            "known": State(MAP_VERSIONS, "data"),
            "heard": State(FRESH, "data"),
            "config": State(MAP_CONFIG, "data"),
        },
        prevent_initial_call=True,
    )
    def update(
        tick: int,
        ping: int,
        known: dict[str, str],
        heard: dict[str, Any] | None,
        config: dict[str, Any] | None,
    ) -> dict[str, Any]:
        snapshot = store.snapshot()
        versions = page_versions(store, snapshot)
        alarms = alarms_since(snapshot, (heard or {}).get("now"), _language(config))
        return {
            "fresh": freshness(store, snapshot),
            "versions": no_update if versions == known else versions,
            "alarms": alarms or no_update,
        }

    @app.callback(
        output={
            "view": Output(VIEW_UNIT, "data"),
            "trend": Output(TREND, "data"),
            "tour": Output(TOUR, "data"),
        },
        inputs={
            "versions": Input(MAP_VERSIONS, "data"),
            "unit": Input(UNIT, "data"),
            "level": Input(LEVEL, "data"),
        },
        state={"config": State(MAP_CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_unit(
        versions: Any, unit: str | None, level: str | None, config: dict[str, Any]
    ) -> dict[str, Any]:
        words = _language(config)
        panels = ready.panels(unit, level, words)
        snapshot = panels.snapshot
        return {
            "view": {
                CARDS: panels.cards,
                CRUMBS: crumbs_of(store, snapshot, panels.look, words),
                KEYS_DAYS: panels.keys["days"],
                KEYS_HOURS: panels.keys["hours"],
                BARS: panels.bars,
                MAP_NOTES: map_notes(store, snapshot, words),
            },
            "trend": panels.trends,
            "tour": tour_stops(snapshot) if (config or {}).get("kiosk") else no_update,
        }

    @app.callback(
        output={"view": Output(VIEW_CASES, "data")},
        inputs={
            "versions": Input(MAP_VERSIONS, "data"),
            "unit": Input(UNIT, "data"),
            "order": Input(LIST_ORDER, "value"),
        },
        state={"config": State(MAP_CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_cases(
        versions: Any, unit: str | None, order: str | None, config: dict[str, Any]
    ) -> dict[str, Any]:
        return {"view": {LIST: ready.panels(unit, None, _language(config)).cases(order)}}


def _register_map(app: Dash, store: Store, ready: Ready) -> None:
    @app.callback(
        output={
            "shade": Output(MAP_SHADE, "data"),
            "view": Output(VIEW_MAP, "data"),
        },
        inputs={
            "versions": Input(MAP_VERSIONS, "data"),
            "unit": Input(UNIT, "data"),
            "level": Input(LEVEL, "data"),
            "figure": Input(FIGURE, "value"),
            "order": Input(RANK_ORDER, "data"),
        },
        state={"config": State(MAP_CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_figure(
        versions: Any,
        unit: str | None,
        level: str | None,
        figure: str | None,
        order: str | None,
        config: dict[str, Any],
    ) -> dict[str, Any]:
        words, figure = _language(config), _figure(figure)
        panels = ready.panels(unit, level, words, figure)
        unit_map = panels.unit_map(figure)
        return {
            "shade": unit_map.spec,
            "view": {
                MAP_LEGEND: build_legend(unit_map, words),
                MAP_TITLE: unit_map.title,
                RANK: panels.rank(figure, order),
            },
        }

    @app.callback(
        output={
            "table": Output(TABLE, "children"),
            "hidden": Output(TABLE, "hidden"),
            "label": Output(TABLE_OPEN, "children"),
        },
        inputs={
            "clicks": Input(TABLE_OPEN, "n_clicks"),
            "unit": Input(UNIT, "data"),
            "level": Input(LEVEL, "data"),
        },
        state={"config": State(MAP_CONFIG, "data")},
        prevent_initial_call=True,
    )
    def show_table(
        clicks: int, unit: str | None, level: str | None, config: dict[str, Any]
    ) -> dict[str, Any]:
        words = _language(config)
        if clicks % 2 == 0:
            return {"table": None, "hidden": True, "label": words("button.table")}
        look = look_at(store.snapshot(), unit, level)
        table = build_table(look.units, words, TABLE_GRID, level=look.level, figures=FIGURES)
        return {"table": table, "hidden": False, "label": words("button.map")}


def _register_choices(app: Dash, store: Store) -> None:
    @app.callback(
        output={"options": Output(SEARCH, "data")},
        inputs={"text": Input(SEARCH, "searchValue"), "place": Input(PLACE, "data")},
        prevent_initial_call=True,
    )
    def search(text: str | None, place: dict[str, Any] | None) -> dict[str, Any]:
        grid_id = (place or {}).get("grid_id")
        return {"options": find_grids(store.snapshot(), text or "", grid_id)}


def _register_browser(app: Dash) -> None:
    """What runs in the browser: layers, selection, address, alarms, tour (assets/4*.js)."""

    def run(name: str) -> ClientsideFunction:
        return ClientsideFunction(namespace="command", function_name=name)

    config = State(MAP_CONFIG, "data")
    app.clientside_callback(  # type: ignore[no-untyped-call]
        run("drawCharts"),
        Output(TREND_DAYS, "figure"),
        Output(TREND_HOURS, "figure"),
        Input(TREND, "data"),
        config,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        run("chooseLayers"), Output(MAP_LAYERS, "data"), Input(LAYERS, "value"), config
    )
    # What callbacks say is brought into the elements that stand, see assets/11-morph.js.
    for view in (VIEW_UNIT, VIEW_CASES, VIEW_MAP):
        app.clientside_callback(  # type: ignore[no-untyped-call]
            ClientsideFunction(namespace="panels", function_name="show"),
            Output(DONE, f"data-{view}"),
            Input(view, "data"),
            config,
        )
    for function, prop, source in (
        ("choosePlace", "data-place", Input(PLACE, "data")),
        ("chooseUnit", "data-unit", Input(UNIT, "data")),
        ("chooseFigure", "data-figure", Input(FIGURE, "value")),
        ("chooseLevel", "data-level", Input(LEVEL_SWITCH, "value")),
        ("chooseFound", "data-found", Input(SEARCH, "value")),
        ("chooseRow", "data-row", Input(TABLE_GRID, "selectedRows")),
        ("setTour", "data-tour", Input(TOUR, "data")),
        ("hearAlarms", "data-alarms", Input(ALARMS, "data")),
    ):
        app.clientside_callback(  # type: ignore[no-untyped-call]
            run(function), Output(DONE, prop), source, config
        )
