"""Cases from report to close, `/incidents` and `/worker`.

The layout comes with words, classes and the choice of the address; rows, files and moves travel as
JSON (`dashboards.case_routes`), so that a table of a million cases costs what is seen of it, and a
form that is being typed in is never drawn anew. The browser's part is assets/5*.js.
"""

from __future__ import annotations

from dash import ClientsideFunction, Dash, Input, Output

from dashboards.components.city_map import MAP_CONFIG, register_city_map
from dashboards.pages import add_page
from dashboards.pages.incidents_ids import DONE
from dashboards.pages.incidents_layout import build_page
from dashboards.pages.incidents_worker import build_worker_page
from dashboards.store import Store

NAME = "incidents"
PATH = "/incidents"
WORKER_NAME = "worker"
WORKER_PATH = "/worker"


def register(app: Dash, store: Store) -> None:
    """Add both pages and their callback to `app`."""
    add_page(app, store, NAME, PATH, title="page.incidents", build=build_page)
    add_page(app, store, WORKER_NAME, WORKER_PATH, title="page.worker", build=build_worker_page)
    register_city_map(app, store)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="incidents", function_name="begin"),
        Output(DONE, "data-begun"),
        Input(MAP_CONFIG, "data"),
    )
