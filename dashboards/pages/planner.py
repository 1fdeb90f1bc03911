"""The planner, `/planner`: grids are redrawn block by block, and every edit is kept.

The page comes with words and the choice of the address; the plan travels packed from
`dashboards.plan_routes`, and the browser's part is assets/70-* to 79-*. The choice is in the
address: `plan`, `tab`, `grid`, `shade` (band or grids), `band` (low-high, households).
"""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output

from dashboards.components.city_map import map_notes, register_city_map
from dashboards.components.planner_frame import CONFIG, DONE, planner_config, planner_frame
from dashboards.pages import add_page
from dashboards.pages.incidents_layout import language_of
from dashboards.plan_desk import desk_of
from dashboards.plan_routes import band_of
from dashboards.store import Store

NAME = "planner"
PATH = "/planner"


def register(app: Dash, store: Store) -> None:
    """Add the page and the callback that begins it in the browser."""
    add_page(app, store, NAME, PATH, title="planner.title", build=build_page)
    register_city_map(app, store)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="planner", function_name="begin"),
        Output(DONE, "data-begun"),
        Input(CONFIG, "data"),
    )


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address; its plan is asked for by the browser."""
    snapshot, words = store.snapshot(), language_of(store, query)
    config = planner_config(
        store, snapshot, words, query, band=band_of(store), plans=len(desk_of(store).book.plans())
    )
    return planner_frame(store, snapshot, words, config, map_notes(store, snapshot, words))
