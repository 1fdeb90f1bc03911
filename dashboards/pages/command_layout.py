"""The layout of `/command`, built in one go from the newest snapshot and the choice."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.choice import FIGURES, Choice
from dashboards.components.cards import build_cards
from dashboards.components.charts import GRAPH_CONFIG, build_bars, keys, trend_specs
from dashboards.components.city_map import LAYER_NAMES, map_config
from dashboards.components.live_list import ORDERS, Order, build_list
from dashboards.components.map_spec import UnitMap, build_shade
from dashboards.components.marks import attrs
from dashboards.components.one_click import card_shell
from dashboards.components.page_head import city_name, fresh_store, page_head
from dashboards.components.rank_table import build_rank
from dashboards.figures import Snapshot
from dashboards.one_click import Target
from dashboards.pages.command_ids import (
    ALARMS,
    BARS,
    CARDS,
    CRUMBS,
    DONE,
    KEYS_DAYS,
    KEYS_HOURS,
    LEVEL,
    LIST,
    LIST_ORDER,
    PAGE,
    PING,
    PLACE,
    RANK,
    RANK_ORDER,
    SEARCH,
    TICK,
    TOUR,
    TREND,
    TREND_DAYS,
    TREND_HOURS,
    UNIT,
)
from dashboards.pages.command_look import Look, level_name, levels_below, look_at, tour_stops
from dashboards.pages.command_map import map_panel
from dashboards.store import Store
from dashboards.words import Words


def build_page(store: Store, choice: Choice) -> Any:
    """The whole page for a choice. No callback is needed before a person sees all of it."""
    snapshot, words = store.snapshot(), Words(choice.language)
    look = look_at(snapshot, choice.unit, choice.level)
    unit_map = unit_map_of(snapshot, look, choice.figure, words)
    config = _config(store, snapshot, words, choice, look)
    page = html.Div(
        [
            html.A(words("skip"), href=f"#{SEARCH}", className="skip"),
            _head(store, snapshot, words, look),
            html.Section(
                build_cards(look.scope.totals, snapshot.at, words, store.settings),
                id=CARDS,
                className="cards",
                **attrs({"aria-label": words("cards")}),
            ),
            map_panel(store, snapshot, words, choice, look, unit_map, config),
            _side(store, snapshot, words, choice, look),
            _trends(snapshot, words, look),
            *([_tour()] if choice.kiosk else []),
            *_stores(store, snapshot, words, choice, look),
        ],
        id=PAGE,
        className="command" + (" is-kiosk" if choice.kiosk else ""),
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


def _head(store: Store, snapshot: Snapshot, words: Words, look: Look) -> html.Header:
    """Crumbs at the left, an alarm in the middle, age of the data and the clock at the right."""
    alarm = html.Div(
        id="command-alarm", className="alarm", role="alert", **attrs({"aria-live": "assertive"})
    )
    sound = html.Button(
        html.I(className="icon-sound"),
        id="command-sound",
        type="button",
        className="tool-button",
        title=words("sound.off"),
        **attrs({"aria-label": words("sound"), "aria-pressed": "false"}),
    )
    return page_head(
        store,
        snapshot,
        words,
        crumbs=html.Nav(
            crumbs_of(store, snapshot, look, words),
            id=CRUMBS,
            className="crumbs",
            **attrs({"aria-label": words("crumbs")}),
        ),
        middle=[alarm],
        tools=[sound],
    )


def crumbs_of(store: Store, snapshot: Snapshot, look: Look, words: Words) -> html.Ol:
    """From the city down to the unit that the page is about; each but the last leads back."""
    steps = [("", city_name(store, snapshot, words))]
    steps += [(str(code), str(name)) for code, level, name in look.scope.crumbs if level != "city"]
    items = []
    for k, (code, name) in enumerate(steps):
        last = k == len(steps) - 1
        if last:
            item: Any = html.H1(name, **attrs({"aria-current": "location"}))
        else:
            item = html.Button(name, type="button", **attrs({"data-unit": code}))
        items.append(html.Li(item, key=code or "city"))
    return html.Ol(items)


def unit_map_of(snapshot: Snapshot, look: Look, figure: str, words: Words) -> UnitMap:
    """The shade of the units of a look."""
    return build_shade(
        snapshot,
        look.units,
        figure,
        words,
        level=look.level,
        level_name=level_name(look.level, words),
        scope=look.outline,
    )


def list_of(
    store: Store, snapshot: Snapshot, words: Words, look: Look, order: str | None
) -> html.Div | html.Ol:
    """The incidents of a look."""
    chosen: Order = "urgent" if order == "urgent" else "newest"
    among = None if look.code is None else look.scope.case_rows
    return build_list(snapshot, words, store.settings.list_rows, order=chosen, among=among)


def rank_of(look: Look, words: Words, figure: str, order: str | None) -> list[Any]:
    """The units of a look side by side."""
    return build_rank(
        look.units,
        words,
        level=look.level,
        level_name=level_name(look.level, words),
        figure=figure,
        order=order or figure,
    )


def place_of(target: Target | None) -> dict[str, Any] | None:
    """A target of the card as the page keeps it."""
    if target is None:
        return None
    return {
        "grid_id": target.id if target.kind == "grid" else None,
        "incident_id": target.id if target.kind == "incident" else None,
        "lon": target.lon,
        "lat": target.lat,
    }


def _side(store: Store, snapshot: Snapshot, words: Words, choice: Choice, look: Look) -> html.Aside:
    order = dmc.SegmentedControl(
        id=LIST_ORDER,
        value=ORDERS[0],
        data=[{"value": name, "label": words(f"list.{name}")} for name in ORDERS],
        size="xs",
        className="figures is-small",
        **attrs({"aria-label": words("list.order")}),
    )
    return html.Aside(
        [
            html.Section(
                [
                    html.Div([html.H2(words("list.title")), order], className="panel-head"),
                    html.Div(
                        list_of(store, snapshot, words, look, None),
                        id=LIST,
                        className="panel-body",
                    ),
                ],
                className="panel list-panel",
            ),
            html.Section(
                rank_of(look, words, choice.figure, None),
                id=RANK,
                className="panel rank-panel",
            ),
            html.Section(
                [
                    html.Div(html.H2(words("detail.title")), className="panel-head"),
                    html.Div(words("detail.hint"), className="empty"),
                ],
                className="panel detail-panel hint-panel",
            ),
            card_shell(store, words, target=choice.target, listens=False),
        ],
        className="side",
        id="command-side",
    )


def _trends(snapshot: Snapshot, words: Words, look: Look) -> html.Section:
    marks = keys(look.scope.trend, snapshot.at, words)

    def chart(name: str, graph: str, keys_id: str) -> html.Div:
        twin = html.Button(
            html.I(),
            type="button",
            className="twin-button",
            title=words("trend.twin"),
            **attrs(
                {"aria-label": words("trend.twin"), "data-twin": name, "aria-expanded": "false"}
            ),
        )
        legend = html.Div(marks[name], id=keys_id, className="chart-keys")
        table = html.Div(
            hidden=True, className="twin", tabIndex="0", **attrs({"data-twin-of": name})
        )
        return html.Div(
            [
                html.Div([html.H2(words(f"trend.{name}")), legend, twin], className="panel-head"),
                dcc.Graph(id=graph, config=GRAPH_CONFIG, responsive=True, className="trend-graph"),
                table,
            ],
            className="panel trend",
        )

    return html.Section(
        [
            chart("days", TREND_DAYS, KEYS_DAYS),
            chart("hours", TREND_HOURS, KEYS_HOURS),
            html.Div(bars_of(look, words, marks), id=BARS, className="panel trend"),
        ],
        className="trends",
    )


def bars_of(look: Look, words: Words, marks: dict[str, Any]) -> list[Any]:
    """The panel of the units that have the most to do."""
    title = words("trend.bars", level=level_name(look.level, words))
    return [
        html.Div(
            [html.H2(title), html.Div(marks["bars"], className="chart-keys")],
            className="panel-head",
        ),
        html.Div(build_bars(look.units, words, level=look.level), className="panel-body"),
    ]


def _tour() -> html.Div:
    """How far the tour of a wall without hands is."""
    return html.Div([html.Span(""), html.I()], id="command-tour", className="tour")


def _config(
    store: Store, snapshot: Snapshot, words: Words, choice: Choice, look: Look
) -> dict[str, Any]:
    place = place_of(choice.target)
    return map_config(
        store,
        snapshot,
        words,
        layers=choice.layers,
        view=choice.view,
        grid=place["grid_id"] if place else None,
        place=place,
        title=words("page.title", city=city_name(store, snapshot, words)),
        defaults={
            "lang": store.settings.language, "figure": FIGURES[0], "layers": list(LAYER_NAMES),
        },
        chosen={"figure": choice.figure, "unit": look.code or "", "level": look.asked},
        soonS=store.settings.soon_minutes * 60,
        levels=[*levels_below(snapshot, "city")],
        kiosk=choice.kiosk,
        tourS=choice.tour_s,
        hasGrids=len(snapshot.city.grids) > 0,
    )  # fmt: skip


def _stores(
    store: Store, snapshot: Snapshot, words: Words, choice: Choice, look: Look
) -> list[Any]:
    return [
        fresh_store(store, snapshot),
        dcc.Store(id=TREND, data=trend_specs(look.scope.trend, snapshot.at, words)),
        dcc.Store(id=UNIT, data=look.code or ""),
        dcc.Store(id=PLACE, data=place_of(choice.target)),
        dcc.Store(id=LEVEL, data=look.asked),
        dcc.Store(id=RANK_ORDER, data=None),
        dcc.Store(id=TOUR, data=tour_stops(snapshot) if choice.kiosk else None),
        dcc.Store(id=PING, data=0),
        dcc.Store(id=ALARMS, data=None),
        html.Div(id=DONE, hidden=True),
        dcc.Interval(id=TICK, interval=int(store.settings.refresh_s * 1000)),
    ]
