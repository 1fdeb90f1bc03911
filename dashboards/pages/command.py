"""The command centre's screen, `/command`.

The layout comes finished from the newest snapshot in one answer; afterwards a small callback asks
every few seconds whether there is a newer one, and only then sends cards, list and trends again.
Map data travels apart, by address. What the person chose (grid, figure, layers, language, view) is
in the address: the layout reads it, and the browser's part keeps it up to date.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import dash
import dash_ag_grid as dag
import dash_mantine_components as dmc
import pandas as pd
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from dashboards.components.cards import build_cards
from dashboards.components.charts import (
    GRAPH_CONFIG,
    build_streets,
    keys,
    streets_title,
    trend_specs,
)
from dashboards.components.grid_card import build_grid_card, build_ranking
from dashboards.components.live_list import build_list
from dashboards.components.map_spec import build_grid_map, build_legend
from dashboards.figures import FIGURES, UNITS, Snapshot
from dashboards.pages import add_layout
from dashboards.settings import LANGUAGES
from dashboards.store import Store
from dashboards.words import Words

NAME = "command"
PATH = "/command"

PAGE = "command-page"
CONFIG = "command-config"
TICK = "command-tick"
FRESH = "command-fresh"
VERSIONS = "command-versions"
GRID = "command-grid"
CARDS = "command-cards"
LIST = "command-list"
DETAIL = "command-detail"
FIGURE = "command-figure"
LAYERS = "command-layers"
SEARCH = "command-search"
MAP = "command-map"
MAP_SPEC = "command-map-spec"
MAP_TITLE = "command-map-title"
MAP_NOTES = "command-map-notes"
LEGEND = "command-legend"
TABLE = "command-table"
TABLE_OPEN = "command-table-open"
TABLE_GRID = "command-table-grid"
TREND = "command-trend"
TREND_DAYS = "command-trend-days"
TREND_HOURS = "command-trend-hours"
STREETS = "command-streets"
KEYS_DAYS = "command-keys-days"
KEYS_HOURS = "command-keys-hours"
DONE = "command-done"

LAYER_NAMES = ("incidents", "workers", "assets", "borders", "labels")
MOST_FOUND = 12


@dataclass(frozen=True)
class Choice:
    """What the person chose, as the address says it."""

    language: str
    grid: str | None = None
    figure: str = FIGURES[0]
    layers: tuple[str, ...] = LAYER_NAMES
    view: tuple[float, float, float] | None = None
    """Longitude, latitude, zoom (of a screen with 1080 lines)."""


def read_choice(query: dict[str, str], default_language: str) -> Choice:
    """The choice in an address; what cannot be understood is left at its default."""
    language = query.get("lang", default_language)
    figure = query.get("figure", FIGURES[0])
    layers = LAYER_NAMES
    if "layers" in query:
        asked = query["layers"].split(",")
        layers = tuple(name for name in LAYER_NAMES if name in asked)
    return Choice(
        language=language if language in LANGUAGES else default_language,
        grid=query.get("grid") or None,
        figure=figure if figure in FIGURES else FIGURES[0],
        layers=layers,
        view=_read_view(query.get("view", "")),
    )


def _read_view(text: str) -> tuple[float, float, float] | None:
    try:
        lon, lat, zoom = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (-180 <= lon <= 180 and -85 <= lat <= 85 and 0 <= zoom <= 22):
        return None
    return lon, lat, zoom


# --- layout ------------------------------------------------------------------------------------


def build_page(store: Store, choice: Choice) -> Any:
    """The whole page for a choice. No callback is needed before a person sees all of it."""
    snapshot, words = store.snapshot(), Words(choice.language)
    grid_map = build_grid_map(snapshot, choice.figure, words, grids_url(store))
    page = html.Div(
        [
            html.A(words("skip"), href=f"#{SEARCH}", className="skip"),
            _header(store, snapshot, words, choice),
            html.Section(
                build_cards(snapshot, words, store.settings),
                id=CARDS,
                className="cards",
                **{"aria-label": words("cards")},
            ),
            _map_panel(store, snapshot, words, choice, grid_map),
            _side(store, snapshot, words, choice),
            _trends(snapshot, words),
            *_stores(store, snapshot, words, choice, grid_map.spec),
        ],
        id=PAGE,
        className="command",
        lang="zh-CN" if choice.language == "zh" else "en",
    )
    return dmc.MantineProvider(
        page,
        forceColorScheme="dark",
        theme={
            "fontFamily": "var(--font)",
            "primaryColor": "cyan",
            "defaultRadius": "sm",
            "cursorType": "pointer",
        },
    )


def city_name(store: Store, snapshot: Snapshot, words: Words) -> str:
    """The setting, else the topmost division, else that the city has no name."""
    return store.settings.city_name or snapshot.city.name or words("city.unnamed")


def _header(store: Store, snapshot: Snapshot, words: Words, choice: Choice) -> html.Header:
    other = "en" if choice.language == "zh" else "zh"
    return html.Header(
        [
            html.Div(
                [
                    html.Span(className="brand-mark", **{"aria-hidden": "true"}),
                    html.H1(city_name(store, snapshot, words)),
                    html.Span(words("product"), className="brand-product"),
                ],
                className="brand",
            ),
            _nav(words),
            html.Div(id="command-freshness", className="freshness", role="status"),
            html.Div(
                [
                    html.Span(words.date(snapshot.at), id="command-date", className="clock-date"),
                    html.Span(f"{snapshot.at:%H:%M:%S}", id="command-time", className="clock-time"),
                ],
                className="clock",
            ),
            html.A(
                words("language.switch"),
                href=f"?lang={other}",
                id="command-language",
                className="language",
                title=words("language.switch.help"),
                lang="en" if other == "en" else "zh-CN",
                **{"data-lang": other},
            ),
        ],
        className="top",
    )


def _nav(words: Words) -> html.Nav | None:
    """Links to the pages that exist; with only this one there is nothing to choose."""
    pages = [page for page in dash.page_registry.values() if words.has(f"page.{page['name']}")]
    if len(pages) < 2:
        return None
    return html.Nav(
        [dcc.Link(words(f"page.{page['name']}"), href=page["path"]) for page in pages],
        className="nav",
        **{"aria-label": words("nav")},
    )


def _map_panel(
    store: Store, snapshot: Snapshot, words: Words, choice: Choice, grid_map: Any
) -> html.Section:
    has_grids = len(snapshot.city.grids) > 0
    empty = (
        None
        if has_grids
        else html.Div(
            [html.H2(words("map.empty.title")), html.P(words("map.empty.text"))],
            className="map-empty",
        )
    )
    return html.Section(
        [
            html.Div(
                dcc.Graph(id=MAP, config=_MAP_CONFIG, className="map-graph", responsive=True),
                className="map-canvas",
                role="application",
                **{"aria-label": words("map.label")},
            ),
            html.Canvas(id="command-pulses", className="map-pulses"),
            html.Div(id="command-cross", className="map-cross", **{"aria-hidden": "true"}),
            empty,
            html.Div(id="command-tip", className="map-tip"),
            html.Div(
                [
                    html.H2(grid_map.title, id=MAP_TITLE, className="map-title"),
                    dmc.SegmentedControl(
                        id=FIGURE,
                        value=choice.figure,
                        data=[{"value": f, "label": words(f"figure.{f}")} for f in FIGURES],
                        size="xs",
                        className="figures",
                        **{"aria-label": words("figure")},
                    ),
                ],
                className="map-top-left",
            ),
            html.Div(
                [_search(words), _layer_chips(words, choice), _table_button(words)],
                className="map-top-right",
            ),
            html.Div(
                [
                    _map_button("in", "+", words("button.in")),
                    _map_button("out", "−", words("button.out")),
                    _map_button("home", "⌂", words("button.home")),
                ],
                className="map-zoom",
            ),
            html.Div(
                build_legend(grid_map, words),
                id=LEGEND,
                className="legend",
                **{"aria-label": words("legend.title")},
            ),
            html.Div(_marks_legend(words), className="legend marks-legend"),
            html.Div(
                [
                    html.Div(_map_notes(store, snapshot, words), id=MAP_NOTES),
                    html.Div(
                        [html.Span(id="command-scale-text"), html.I(id="command-scale-bar")],
                        className="scale",
                    ),
                ],
                className="map-bottom-right",
            ),
            html.Div(id=TABLE, className="map-table", hidden=True),
        ],
        className="map-panel",
    )


def _search(words: Words) -> Any:
    return dmc.Select(
        id=SEARCH,
        searchable=True,
        clearable=True,
        data=[],
        placeholder=words("search.placeholder"),
        nothingFoundMessage=words("search.nothing"),
        size="xs",
        className="search",
        comboboxProps={"withinPortal": False},
        maxDropdownHeight="20rem",
        **{"aria-label": words("search.label")},
    )


def _layer_chips(words: Words, choice: Choice) -> Any:
    chips = [
        dmc.Chip(words(f"layer.{name}"), value=name, size="xs", variant="outline")
        for name in LAYER_NAMES
    ]
    return html.Div(
        dmc.ChipGroup(chips, id=LAYERS, multiple=True, value=list(choice.layers)),
        className="layer-chips",
        role="group",
        **{"aria-label": words("layers")},
    )


def _table_button(words: Words) -> html.Button:
    return html.Button(
        words("button.table"),
        id=TABLE_OPEN,
        className="map-button is-text",
        type="button",
        n_clicks=0,
        title=words("button.table.help"),
        **{"aria-expanded": "false"},
    )


def _map_button(action: str, sign: str, label: str) -> html.Button:
    return html.Button(
        sign,
        className="map-button",
        type="button",
        title=label,
        **{"aria-label": label, "data-map": action},
    )


def _marks_legend(words: Words) -> list[Any]:
    states = [("late", "square"), ("soon", "triangle"), ("fine", "disc")]
    return [
        html.Span(
            [
                html.I(className=f"mark mark-{shape} state-{state}"),
                words(f"state.{state}"),
            ]
        )
        for state, shape in states
    ] + [html.Span([html.I(className="mark mark-worker"), words("legend.workers")])]


def _map_notes(store: Store, snapshot: Snapshot, words: Words) -> list[Any]:
    """What is not on the map, which boundaries, whose ground."""
    totals, city = snapshot.totals, snapshot.city
    notes = []
    if totals["unplaced"] or totals["outside"]:
        notes.append(
            words(
                "map.outside",
                unplaced=words.number(totals["unplaced"]),
                outside=words.number(totals["outside"]),
            )
        )
    if city.version is not None and city.since is not None:
        since = city.since.astimezone(snapshot.at.tzinfo)
        notes.append(words("map.version", version=city.version, date=f"{since:%Y-%m-%d}"))
    if store.settings.attribution:
        notes.append(words("map.attribution", credit=store.settings.attribution))
    return [html.Span(note) for note in notes]


def _side(store: Store, snapshot: Snapshot, words: Words, choice: Choice) -> html.Aside:
    note = words("list.note", n=store.settings.list_rows)
    return html.Aside(
        [
            html.Section(
                [
                    html.Div(
                        [html.H2(words("list.title")), html.Span(note, className="panel-note")],
                        className="panel-head",
                    ),
                    html.Div(
                        build_list(snapshot, words, store.settings.list_rows),
                        id=LIST,
                        className="panel-body",
                        **{"aria-live": "polite"},
                    ),
                ],
                className="panel list-panel",
            ),
            html.Section(
                build_detail(store, snapshot, choice.grid, choice.figure, words),
                id=DETAIL,
                className="panel detail-panel",
                **{"aria-live": "polite"},
            ),
        ],
        className="side" + (" has-grid" if choice.grid else ""),
        id="command-side",
    )


def build_detail(
    store: Store, snapshot: Snapshot, grid_id: str | None, figure: str, words: Words
) -> list[Any]:
    """The card of the chosen grid, or the grids with the most while none is chosen."""
    if grid_id:
        return build_grid_card(snapshot, grid_id, words, store.settings)
    return build_ranking(snapshot, figure, words)


def _trends(snapshot: Snapshot, words: Words) -> html.Section:
    marks = keys(snapshot, words)

    def panel(title: Any, legend: Any, body: Any) -> html.Div:
        return html.Div(
            [html.Div([html.H2(title), legend], className="panel-head"), body],
            className="panel trend",
        )

    def graph(name: str) -> dcc.Graph:
        return dcc.Graph(id=name, config=GRAPH_CONFIG, responsive=True, className="trend-graph")

    return html.Section(
        [
            panel(
                words("trend.days"),
                html.Div(marks["days"], id=KEYS_DAYS, className="chart-keys"),
                graph(TREND_DAYS),
            ),
            panel(
                words("trend.hours"),
                html.Div(marks["hours"], id=KEYS_HOURS, className="chart-keys"),
                graph(TREND_HOURS),
            ),
            panel(
                streets_title(snapshot, words),
                html.Div(marks["streets"], className="chart-keys"),
                html.Div(build_streets(snapshot, words), id=STREETS, className="panel-body"),
            ),
        ],
        className="trends",
    )


def _stores(
    store: Store, snapshot: Snapshot, words: Words, choice: Choice, spec: dict[str, Any]
) -> list[Any]:
    settings = store.settings
    config = {
        "key": secrets.token_hex(4),
        "versions": store.versions(),
        "lang": choice.language,
        "words": words.starting("js."),
        "title": words("page.title", city=city_name(store, snapshot, words)),
        "timezone": settings.timezone,
        "bounds": snapshot.city.bounds,
        "view": choice.view,
        "grid": choice.grid,
        "layers": choice.layers,
        "figure": choice.figure,
        "defaults": {"lang": settings.language, "figure": FIGURES[0], "layers": LAYER_NAMES},
        "staleS": settings.stale_s,
        "refreshS": settings.refresh_s,
        "onDutyS": settings.on_duty_minutes * 60,
        "assetZoom": settings.asset_zoom,
        "clusterZoom": settings.cluster_zoom,
        "weekdays": [words.weekday(day) for day in range(7)],
        "months": [words(f"month.{month}") for month in range(1, 13)],
        "hasGrids": len(snapshot.city.grids) > 0,
    }
    return [
        dcc.Store(id=CONFIG, data=config),
        dcc.Store(id=MAP_SPEC, data=spec),
        dcc.Store(id=TREND, data=trend_specs(snapshot, words)),
        dcc.Store(id=VERSIONS, data=store.versions()),
        dcc.Store(id=FRESH, data=freshness(store, snapshot)),
        dcc.Store(id=GRID, data=choice.grid),
        html.Div(id=DONE, hidden=True),
        dcc.Interval(id=TICK, interval=int(settings.refresh_s * 1000)),
    ]


_MAP_CONFIG = {
    "displayModeBar": False,
    "displaylogo": False,
    "scrollZoom": True,
    "doubleClick": False,
    "responsive": True,
}


def freshness(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    """The server's clock and the time of the newest data, milliseconds since 1970."""
    now = store.clock().timestamp() * 1000
    newest = None if snapshot.newest is None else snapshot.newest.timestamp() * 1000
    return {"now": now, "newest": newest}


def grids_url(store: Store) -> str:
    """Address of the shapes of the grids, with their version."""
    return f"/data/grids.geojson?v={store.versions()['city']}"


# --- parts that callbacks ask for --------------------------------------------------------------


def find_grids(snapshot: Snapshot, text: str, grid_id: str | None) -> list[dict[str, str]]:
    """Grids whose name, code or community contains `text`, at most a dozen; the chosen one too."""
    city = snapshot.city
    wanted = text.strip().casefold()
    rows: list[int] = []
    if wanted:
        communities = city.places.get("community", pd.Series("", index=city.grids.index))
        texts = zip(city.grids.index, city.names, communities.fillna(""), strict=True)
        for row, (code, name, community) in enumerate(texts):
            if wanted in f"{name} {code} {community}".casefold():
                rows.append(row)
                if len(rows) == MOST_FOUND:
                    break
    if grid_id in city.position and city.position[grid_id] not in rows:
        rows.append(city.position[grid_id])
    return [
        {"value": str(city.grids.index[row]), "label": search_label(snapshot, row)} for row in rows
    ]


def search_label(snapshot: Snapshot, row: int) -> str:
    """Name, community and code: all that a search may have matched."""
    code = str(snapshot.city.grids.index[row])
    community = snapshot.city.places.get("community")
    above = community.iloc[row] if community is not None else None
    parts = [snapshot.city.names[row], above if isinstance(above, str) else "", code]
    return " · ".join(dict.fromkeys(part for part in parts if part))


def build_table(snapshot: Snapshot, words: Words) -> Any:
    """The table twin of the map: every grid with every figure."""
    city = snapshot.city
    frame = pd.DataFrame({"grid": city.grids.index.astype(str), "name": city.names})
    texts = [name for name in ("street", "community") if name in city.places]
    for name in texts:
        frame[name] = city.places[name].to_numpy()
    for name in FIGURES:
        frame[name] = snapshot.figures[name]
    frame = frame.astype(object).where(frame.notna(), None)
    columns = [
        {"field": name, "headerName": words(f"table.{name}"), "filter": "agTextColumnFilter"}
        for name in ("grid", "name", *texts)
    ] + [
        {
            "field": name,
            "headerName": f"{words(f'figure.{name}')} ({words(UNITS[name])})",
            "filter": "agNumberColumnFilter",
            "type": "rightAligned",
        }
        for name in FIGURES
    ]
    return dag.AgGrid(
        id=TABLE_GRID,
        rowData=frame.to_dict("records"),
        columnDefs=columns,
        getRowId="params.data.grid",
        columnSize="responsiveSizeToFit",
        defaultColDef={"sortable": True, "resizable": True, "floatingFilter": True},
        dashGridOptions={
            "rowSelection": {
                "mode": "singleRow",
                "checkboxes": False,
                "enableClickSelection": True,
            },
            "animateRows": False,
            "suppressScrollOnNewData": True,
        },
        className="ag-theme-alpine-dark grid-table",
        style={"height": "100%", "width": "100%"},
    )


# --- callbacks ---------------------------------------------------------------------------------


def register(app: Dash, store: Store) -> None:
    """Add the page and its callbacks to `app`."""

    def layout(**query: str) -> Any:
        return build_page(store, read_choice(query, store.settings.language))

    title = Words(store.settings.language)("product")
    dash.register_page(
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
        answer = dict.fromkeys(
            ("versions", "cards", "newest", "trend", "streets", "keys_hours", "notes"), no_update
        )
        if versions != known:
            answer |= {
                "versions": versions,
                "cards": build_cards(snapshot, words, store.settings),
                "newest": build_list(snapshot, words, store.settings.list_rows),
                "trend": trend_specs(snapshot, words),
                "streets": build_streets(snapshot, words),
                "keys_hours": keys(snapshot, words)["hours"],
                "notes": _map_notes(store, snapshot, words),
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
        grid_map = build_grid_map(store.snapshot(), figure, words, grids_url(store))
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
            "table": build_table(store.snapshot(), words),
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

    app.clientside_callback(
        run("drawMap"),
        Output(MAP, "figure"),
        Input(MAP_SPEC, "data"),
        State(CONFIG, "data"),
        State(VERSIONS, "data"),
    )
    app.clientside_callback(
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
        app.clientside_callback(run(function), Output(DONE, prop), source, State(CONFIG, "data"))
