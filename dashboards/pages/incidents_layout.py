"""The layout of `/incidents`: quick filters, the table beside the map, and a place for one case."""

from __future__ import annotations

from typing import Any

import dash
import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import html

from dashboards.components.case_filter import TABS as TAB_NAMES
from dashboards.components.case_filter import read_filter
from dashboards.components.case_options import page_options
from dashboards.components.city_map import city_map, map_config
from dashboards.components.marks import attrs
from dashboards.figures import Snapshot
from dashboards.pages.incidents_ids import (
    CASE,
    DONE,
    FILTERS,
    ME,
    PAGE,
    SEARCH,
    SPOTS,
    TABLE,
    TABS,
)
from dashboards.settings import LANGUAGES
from dashboards.store import Store
from dashboards.words import Words

_THEME = (
    "themeQuartz.withParams({"
    "backgroundColor: 'var(--panel)', foregroundColor: 'var(--text)',"
    "headerBackgroundColor: 'var(--ground)', headerTextColor: 'var(--quiet)',"
    "borderColor: 'var(--line)', accentColor: 'var(--accent)', browserColorScheme: 'inherit',"
    "rowHoverColor: 'color-mix(in srgb, var(--accent) 7%, transparent)',"
    "selectedRowBackgroundColor: 'color-mix(in srgb, var(--accent) 14%, transparent)',"
    "wrapperBorder: false, wrapperBorderRadius: 0, columnBorder: false,"
    "fontFamily: 'var(--font)', fontSize: '.875rem', headerFontSize: '.8125rem',"
    "spacing: '.375rem', cellHorizontalPadding: '.625rem',"
    "rowHeight: '2.875rem', headerHeight: '2.125rem'})"
)
"""The grid's look in our variables and in rem, so that it grows with the screen."""

MAP_LAYERS = ("borders", "labels")
BLOCK_ROWS = 100


def language_of(store: Store, query: dict[str, str]) -> Words:
    """The words of the address, else of the settings."""
    asked = query.get("lang", "")
    return Words(asked if asked in LANGUAGES else store.settings.language)


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address; its rows are asked for by the browser."""
    snapshot, words = store.snapshot(), language_of(store, query)
    config = page_config(store, snapshot, words, query, page="desk")
    page = html.Div(
        [
            html.A(words("cases.skip"), href=f"#{SEARCH}", className="skip"),
            page_header(store, snapshot, words),
            _bar(words),
            _filters(words),
            _main(words, config),
            html.Div(id=DONE, hidden=True),
        ],
        id=PAGE,
        className="inc mood-day",
        lang="zh-CN" if words.language == "zh" else "en",
    )
    return in_mantine(page)


def in_mantine(page: Any) -> Any:
    """The provider that controls of dash-mantine-components need, in the light scheme."""
    return dmc.MantineProvider(
        page,
        forceColorScheme="light",
        theme={"fontFamily": "var(--font)", "defaultRadius": "sm", "cursorType": "pointer"},
    )


def page_config(
    store: Store, snapshot: Snapshot, words: Words, query: dict[str, str], *, page: str
) -> dict[str, Any]:
    """What the browser needs: the map's configuration, and ours under `cases`."""
    chosen = read_filter(query)
    name = city_name(store, snapshot, words)
    title = words("worker.title" if page == "worker" else "cases.title", city=name)
    cases = {
        "page": page,
        "words": words.starting("cases.js."),
        "tabs": list(TAB_NAMES),
        "choice": chosen.as_query(),
        "choice_case": query.get("case") or None,
        "language": store.settings.language,
        "soonS": store.settings.soon_minutes * 60,
        "refreshS": store.settings.refresh_s,
        **page_options(store, words, chosen),
    }
    return map_config(
        store,
        snapshot,
        words,
        layers=MAP_LAYERS,
        mood="day",
        title=title,
        cases=cases,
    )


def city_name(store: Store, snapshot: Snapshot, words: Words) -> str:
    """The setting, else the topmost division, else that the city has no name."""
    return store.settings.city_name or snapshot.city.name or words("city.unnamed")


def page_header(store: Store, snapshot: Snapshot, words: Words) -> html.Header:
    """City, pages, who I am, age of the data, clock, moods and languages."""
    other = "en" if words.language == "zh" else "zh"
    return html.Header(
        [
            html.Div(
                [
                    html.Span(className="brand-mark", **attrs({"aria-hidden": "true"})),
                    html.H1(city_name(store, snapshot, words)),
                ],
                className="inc-brand",
            ),
            _nav(words),
            html.Div(id="page-freshness", className="freshness", role="status"),
            html.Button(
                "",
                id=ME,
                type="button",
                className="inc-me",
                title=words("cases.me.label"),
                **attrs({"aria-label": words("cases.me.label"), "aria-live": "polite"}),
            ),
            html.Div(
                [
                    html.Span(words.date(snapshot.at), id="page-date", className="inc-date"),
                    html.Span(f"{snapshot.at:%H:%M:%S}", id="page-time", className="inc-time"),
                ],
                className="inc-clock-now",
            ),
            html.Button(
                words("cases.night"),
                id="incidents-night",
                type="button",
                className="inc-button is-small",
                title=words("cases.night.help"),
            ),
            html.A(
                words("language.switch"),
                href=f"?lang={other}",
                className="inc-button is-small",
                title=words("language.switch.help"),
                lang="en" if other == "en" else "zh-CN",
                **attrs({"data-lang": other}),
            ),
        ],
        className="inc-top",
    )


def _nav(words: Words) -> html.Nav:
    """Links to the pages that exist. They load anew, since each page has a map of its own."""
    pages = [page for page in dash.page_registry.values() if words.has(f"page.{page['name']}")]
    links = [
        html.A(
            words(f"page.{page['name']}"),
            href=page["path"],
            **attrs({"aria-current": "page"} if page["name"] == "incidents" else {}),
        )
        for page in pages
    ]
    return html.Nav(links, className="inc-nav", **attrs({"aria-label": words("nav")}))


def _bar(words: Words) -> html.Div:
    tabs = [
        html.Button(
            [html.Span(words(f"cases.tab.{name}")), html.Span("", className="inc-count")],
            type="button",
            role="tab",
            **attrs(
                {"data-tab": name, "aria-selected": "false", "aria-controls": "incidents-list"}
            ),
        )
        for name in TAB_NAMES
    ]
    return html.Div(
        [
            html.Div(
                tabs, id=TABS, role="tablist", className="inc-tabs",
                **attrs({"aria-label": words("cases.tabs")}),
            ),
            html.Ul(id="incidents-kept", className="inc-kept-list"),
            html.Div(
                [
                    html.Span(words("cases.export"), className="inc-quiet"),
                    *(
                        html.A(
                            words(f"cases.export.{kind}"),
                            href=f"/cases/export.{kind}",
                            className="inc-button is-small",
                            download="",
                            **attrs({"data-export": kind}),
                        )
                        for kind in ("csv", "xlsx")
                    ),
                    html.Button(
                        ["＋ ", words("cases.report.open")],
                        id="incidents-report",
                        type="button",
                        className="inc-button is-main",
                        title=words("cases.report.open.help"),
                    ),
                ],
                className="inc-actions",
            ),
        ],
        className="inc-bar",
    )  # fmt: skip


def _filters(words: Words) -> html.Section:
    """The fields are made by the browser's part, which alone reads them."""
    return html.Section(
        id=FILTERS, className="inc-filters", **attrs({"aria-label": words("cases.filters")})
    )


def _main(words: Words, config: dict[str, Any]) -> html.Main:
    table = dag.AgGrid(
        id=TABLE,
        columnDefs=[],
        rowModelType="infinite",
        getRowId="params.data.id",
        dashGridOptions={
            "theme": {"function": _THEME},
            "rowSelection": {
                "mode": "singleRow",
                "checkboxes": False,
                "enableClickSelection": True,
            },
            "cacheBlockSize": BLOCK_ROWS,
            "maxBlocksInCache": 20,
            "maxConcurrentDatasourceRequests": 2,
            "blockLoadDebounceMillis": 30,
            "infiniteInitialRowCount": 1,
            "animateRows": False,
            "suppressCellFocus": False,
            "multiSortKey": "ctrl",
            "localeText": words.starting("cases.grid."),
            "tooltipShowDelay": 600,
        },
        className="inc-grid",
        style={"height": "100%", "width": "100%"},
    )
    return html.Main(
        [
            html.Section(
                [
                    html.Div(table, className="inc-table-place"),
                    html.Div(id=SPOTS, className="inc-spots"),
                    html.Div("", id="incidents-count", className="inc-foot", role="status"),
                ],
                id="incidents-list",
                className="panel inc-list",
                role="tabpanel",
                **attrs({"aria-label": words("cases.table.label")}),
            ),
            html.Section(
                id=CASE,
                className="panel inc-case",
                hidden=True,
                **attrs({"aria-label": words("cases.js.case.file")}),
            ),
            html.Section(
                city_map(
                    words,
                    label=words("cases.map.label"),
                    config=config,
                    title=words("cases.map.title"),
                    top_left=[html.Span("", id="incidents-map-note", className="inc-map-note")],
                    over=[html.Div(id="incidents-tip", className="inc-tip", hidden=True)],
                ),
                className="inc-map",
            ),
        ],
        className="inc-main",
    )  # fmt: skip
