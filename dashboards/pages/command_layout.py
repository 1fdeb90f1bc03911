"""The layout of `/command`, built in one go from the newest snapshot and the choice."""

from __future__ import annotations

import secrets
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.choice import LAYER_NAMES, Choice
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
from dashboards.components.map_spec import GridMap, build_grid_map
from dashboards.components.marks import attrs
from dashboards.figures import FIGURES, Snapshot
from dashboards.pages.command_ids import (
    CARDS,
    CONFIG,
    DETAIL,
    DONE,
    FRESH,
    GRID,
    KEYS_DAYS,
    KEYS_HOURS,
    LIST,
    MAP_SPEC,
    PAGE,
    SEARCH,
    STREETS,
    TICK,
    TREND,
    TREND_DAYS,
    TREND_HOURS,
    VERSIONS,
)
from dashboards.pages.command_map import map_panel
from dashboards.store import Store
from dashboards.words import Words


def build_page(store: Store, choice: Choice) -> Any:
    """The whole page for a choice. No callback is needed before a person sees all of it."""
    snapshot, words = store.snapshot(), Words(choice.language)
    grid_map = grid_map_of(store, snapshot, choice.figure, words)
    page = html.Div(
        [
            html.A(words("skip"), href=f"#{SEARCH}", className="skip"),
            _header(store, snapshot, words, choice),
            html.Section(
                cards_of(store, snapshot, words),
                id=CARDS,
                className="cards",
                **attrs({"aria-label": words("cards")}),
            ),
            map_panel(store, snapshot, words, choice, grid_map),
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
                    html.Span(className="brand-mark", **attrs({"aria-hidden": "true"})),
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
                **attrs({"data-lang": other}),
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
        **attrs({"aria-label": words("nav")}),
    )


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
                        list_of(store, snapshot, words),
                        id=LIST,
                        className="panel-body",
                        **attrs({"aria-live": "polite"}),
                    ),
                ],
                className="panel list-panel",
            ),
            html.Section(
                build_detail(store, snapshot, choice.grid, choice.figure, words),
                id=DETAIL,
                className="panel detail-panel",
                **attrs({"aria-live": "polite"}),
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
    return store.remember(
        ("ranking", figure, words.language),
        snapshot,
        lambda: build_ranking(snapshot, figure, words),
    )


# Parts that every screen shows alike are built once for each snapshot and language, so that a
# room full of screens costs no more than one.


def grid_map_of(store: Store, snapshot: Snapshot, figure: str, words: Words) -> GridMap:
    """The map of a figure."""
    return store.remember(
        ("map", figure, words.language),
        snapshot,
        lambda: build_grid_map(snapshot, figure, words, grids_url(store)),
    )


def cards_of(store: Store, snapshot: Snapshot, words: Words) -> Any:
    """The indicator cards."""
    return store.remember(
        ("cards", words.language), snapshot, lambda: build_cards(snapshot, words, store.settings)
    )


def list_of(store: Store, snapshot: Snapshot, words: Words) -> Any:
    """The list of the newest incidents."""
    rows = store.settings.list_rows
    return store.remember(
        ("list", words.language), snapshot, lambda: build_list(snapshot, words, rows)
    )


def trends_of(store: Store, snapshot: Snapshot, words: Words) -> dict[str, Any]:
    """The specs of the charts."""
    return store.remember(("trend", words.language), snapshot, lambda: trend_specs(snapshot, words))


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
        dcc.Store(id=TREND, data=trends_of(store, snapshot, words)),
        dcc.Store(id=VERSIONS, data=store.versions()),
        dcc.Store(id=FRESH, data=freshness(store, snapshot)),
        dcc.Store(id=GRID, data=choice.grid),
        html.Div(id=DONE, hidden=True),
        dcc.Interval(id=TICK, interval=int(settings.refresh_s * 1000)),
    ]


def freshness(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    """The server's clock and the time of the newest data, milliseconds since 1970."""
    now = store.clock().timestamp() * 1000
    newest = None if snapshot.newest is None else snapshot.newest.timestamp() * 1000
    return {"now": now, "newest": newest}


def grids_url(store: Store) -> str:
    """Address of the shapes of the grids, with their version."""
    return f"/data/grids.geojson?v={store.versions()['city']}"
