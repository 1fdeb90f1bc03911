"""The map of `/command` with all that stands over it: title, switches, search, legend, scale."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.choice import LAYER_NAMES, Choice
from dashboards.components.map_spec import build_legend
from dashboards.components.marks import attrs, mark
from dashboards.figures import FIGURES, Snapshot
from dashboards.pages.command_ids import (
    FIGURE,
    LAYERS,
    LEGEND,
    MAP,
    MAP_NOTES,
    MAP_TITLE,
    SEARCH,
    TABLE,
    TABLE_OPEN,
)
from dashboards.store import Store
from dashboards.words import Words

_MAP_CONFIG: Any = {
    "displayModeBar": False,
    "displaylogo": False,
    "scrollZoom": True,
    "doubleClick": False,
    "responsive": True,
}


def map_panel(
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
                **attrs({"aria-label": words("map.label")}),
            ),
            html.Canvas(id="command-pulses", className="map-pulses"),
            html.Div(id="command-cross", className="map-cross", **attrs({"aria-hidden": "true"})),
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
                        **attrs({"aria-label": words("figure")}),
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
                [
                    html.Div(build_legend(grid_map, words), id=LEGEND),
                    html.Ul(_marks_legend(words), className="marks-legend"),
                ],
                className="legend",
                role="group",
                **attrs({"aria-label": words("legend.title")}),
            ),
            html.Div(
                [
                    html.Div(map_notes(store, snapshot, words), id=MAP_NOTES),
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
        **attrs({"aria-label": words("search.label")}),
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
        **attrs({"aria-label": words("layers")}),
    )


def _table_button(words: Words) -> html.Button:
    return html.Button(
        words("button.table"),
        id=TABLE_OPEN,
        className="map-button is-text",
        type="button",
        n_clicks=0,
        title=words("button.table.help"),
        **attrs({"aria-expanded": "false"}),
    )


def _map_button(action: str, sign: str, label: str) -> html.Button:
    return html.Button(
        sign,
        className="map-button",
        type="button",
        title=label,
        **attrs({"aria-label": label, "data-map": action}),
    )


def _marks_legend(words: Words) -> list[Any]:
    """Shape and word of each state of an open incident, and of a worker."""
    states = ("late", "soon", "fine", "none")
    items = [html.Li([mark(state), words(f"state.{state}")]) for state in states]
    worker = html.I(className="mark mark-worker")
    unseen = mark("unknown")
    return [
        html.Li(words("legend.incidents"), className="legend-title"),
        *items,
        html.Li([worker, words("legend.workers")]),
        html.Li([unseen, words("legend.workers.old")]),
    ]


def map_notes(store: Store, snapshot: Snapshot, words: Words) -> list[Any]:
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
