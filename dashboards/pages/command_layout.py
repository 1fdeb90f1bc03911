"""The layout of `/command`, built in one go from the newest snapshot and the choice."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.choice import FIGURES, Choice
from dashboards.components.charts import GRAPH_CONFIG
from dashboards.components.city_map import LAYER_NAMES, map_config
from dashboards.components.live_list import ORDERS
from dashboards.components.marks import attrs
from dashboards.components.one_click import card_shell
from dashboards.components.page_head import city_name, fresh_store, page_head
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
    PATROL,
    PATROL_OPEN,
    PING,
    PLACE,
    RANK,
    RANK_ORDER,
    SEARCH,
    SOS,
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
from dashboards.pages.command_look import Look, levels_below, look_at, tour_stops
from dashboards.pages.command_map import map_panel
from dashboards.pages.command_panels import Panels, Ready
from dashboards.store import Store
from dashboards.words import Words


def build_page(store: Store, choice: Choice, ready: Ready | None = None) -> Any:
    """The whole page for a choice. No callback is needed before a person sees all of it."""
    words = Words(choice.language)
    if ready is not None:
        panels = ready.panels(choice.unit, choice.level, words, choice.figure)
    else:
        newest = store.snapshot()
        panels = Panels(store, newest, look_at(newest, choice.unit, choice.level), words)
    snapshot, look = panels.snapshot, panels.look
    unit_map = panels.unit_map(choice.figure)
    config = _config(store, snapshot, words, choice, look)
    page = html.Div(
        [
            html.A(words("skip"), href=f"#{SEARCH}", className="skip"),
            _head(store, snapshot, words, look),
            html.Section(
                panels.cards,
                id=CARDS,
                className="cards",
                **attrs({"aria-label": words("cards")}),
            ),
            map_panel(store, snapshot, words, choice, look, unit_map, config),
            _side(store, words, choice, panels),
            _trends(words, panels),
            *([_tour()] if choice.kiosk else []),
            *_stores(store, choice, panels),
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
    """Crumbs at the left, alarms in the middle, age of the data and the clock at the right.

    A call for help has a bar of its own before that of overdue cases (assets/44-patrol.js).
    """
    call = html.Div(id=SOS, className="sos", role="alert", **attrs({"aria-live": "assertive"}))
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
        middle=[call, alarm],
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
        items.append(html.Li(item, **attrs({"data-key": code or "city"})))
    return html.Ol(items)


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


def _side(store: Store, words: Words, choice: Choice, panels: Panels) -> html.Aside:
    order = dmc.SegmentedControl(
        id=LIST_ORDER,
        value=ORDERS[0],
        data=[{"value": name, "label": words(f"list.{name}")} for name in ORDERS],
        size="xs",
        className="figures is-small",
        **attrs({"aria-label": words("list.order")}),
    )
    patrol = html.Button(
        words("js.patrol.open", n="0"),
        id=PATROL_OPEN,
        type="button",
        className="patrol-open",
        title=words("js.patrol.title"),
        **attrs({"aria-pressed": "false", "aria-controls": PATROL}),
    )
    return html.Aside(
        [
            html.Section(
                [
                    html.Div([html.H2(words("list.title")), patrol, order], className="panel-head"),
                    html.Div(
                        panels.cases(None),
                        id=LIST,
                        className="panel-body",
                    ),
                    # Filled by assets/44-patrol.js from what /live tells.
                    html.Div(id=PATROL, className="panel-body patrol", hidden=True),
                ],
                className="panel list-panel",
            ),
            html.Section(
                panels.rank(choice.figure, None),
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


def _trends(words: Words, panels: Panels) -> html.Section:

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
        legend = html.Div(panels.keys[name], id=keys_id, className="chart-keys")
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
            html.Div(panels.bars, id=BARS, className="panel trend"),
        ],
        className="trends",
    )


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
        chosen={"figure": choice.figure, "unit": look.code or "", "level": look.asked or ""},
        soonS=store.settings.soon_minutes * 60,
        levels=[*levels_below(snapshot, "city")],
        kiosk=choice.kiosk,
        tourS=choice.tour_s,
        hasGrids=len(snapshot.city.grids) > 0,
    )  # fmt: skip


def _stores(store: Store, choice: Choice, panels: Panels) -> list[Any]:
    snapshot, look = panels.snapshot, panels.look
    return [
        fresh_store(store, snapshot),
        dcc.Store(id=TREND, data=panels.trends),
        dcc.Store(id=UNIT, data=look.code or ""),
        dcc.Store(id=PLACE, data=place_of(choice.target)),
        dcc.Store(id=LEVEL, data=look.asked or ""),
        dcc.Store(id=RANK_ORDER, data=""),
        dcc.Store(id=TOUR, data=tour_stops(snapshot) if choice.kiosk else []),
        dcc.Store(id=PING, data=0),
        dcc.Store(id=ALARMS, data=[]),
        *(dcc.Store(id=view, data={}) for view in (VIEW_UNIT, VIEW_CASES, VIEW_MAP)),
        html.Div(id=DONE, hidden=True),
        dcc.Interval(id=TICK, interval=int(store.settings.refresh_s * 1000)),
    ]
