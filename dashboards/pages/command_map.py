"""The map of `/command` with its switches: figure, levels or areas, search, layers, table twin."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboards.choice import FIGURES, Choice
from dashboards.components.city_map import (
    city_map,
    layer_chips,
    map_empty,
    map_notes,
)
from dashboards.components.map_spec import UnitMap, build_legend
from dashboards.components.marks import attrs
from dashboards.figures import Snapshot
from dashboards.pages.command_ids import FIGURE, LAYERS, LEVEL_SWITCH, SEARCH, TABLE, TABLE_OPEN
from dashboards.pages.command_look import Look, level_short, shadeable
from dashboards.store import Store
from dashboards.words import Words


def map_panel(
    store: Store,
    snapshot: Snapshot,
    words: Words,
    choice: Choice,
    look: Look,
    unit_map: UnitMap,
    config: dict[str, Any],
) -> html.Section:
    """The map as the choice has it."""
    empty = [] if len(snapshot.city.grids) else [map_empty(words)]
    return city_map(
        words,
        label=words("map.label"),
        config=config,
        spec=unit_map.spec,
        title=unit_map.title,
        legend=build_legend(unit_map, words),
        notes=map_notes(store, snapshot, words),
        top_left=[
            html.Div([_figures(words, choice), _levels(snapshot, words, look)], className="map-row")
        ],
        top_right=[_search(words), layer_chips(words, LAYERS, choice.layers), _table_button(words)],
        over=[*empty, html.Div(id=TABLE, className="map-table", hidden=True)],
    )


def _figures(words: Words, choice: Choice) -> Any:
    return dmc.SegmentedControl(
        id=FIGURE,
        value=choice.figure,
        data=[{"value": f, "label": words(f"figure.{f}.short")} for f in FIGURES],
        size="xs",
        className="figures",
        **attrs({"aria-label": words("figure")}),
    )


def _levels(snapshot: Snapshot, words: Words, look: Look) -> Any:
    """The levels below the city, and the kinds of custom areas after them."""
    names = shadeable(snapshot)
    return dmc.SegmentedControl(
        id=LEVEL_SWITCH,
        value=look.level,
        data=[{"value": name, "label": level_short(name, words)} for name in names],
        size="xs",
        className="figures",
        **attrs({"aria-label": words("levels")}),
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
