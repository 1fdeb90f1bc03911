"""The shift board, `/workers/board`: what became of every round that is owed, by day and by month.

The layout comes with words and the choice of the address; the table itself travels as JSON
(`dashboards.board_routes`) and lives in the browser (assets/64-*), so that a refresh keeps scroll
and selection. The table is the page: it needs no map.
"""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
from dash import Dash, html

from dashboards.components.marks import attrs
from dashboards.components.shift_rows import ALL_REASONS, LEVELS
from dashboards.components.workers_frame import (
    register_workers_frame,
    workers_config,
    workers_frame,
)
from dashboards.pages import add_page
from dashboards.pages.incidents_layout import _THEME as TABLE_THEME
from dashboards.pages.incidents_layout import city_name, language_of
from dashboards.store import Store
from dashboards.words import Words
from geo.rounds import STATUSES
from geo.shifts import COUNTS

NAME = "workers_board"
PATH = "/workers/board"
TABLE = "board-table"
BAR = "board-bar"
CHIPS = "board-chips"
PROGRESS = "board-progress"
FOOT = "board-foot"
EVIDENCE = "board-evidence"


def register(app: Dash, store: Store) -> None:
    """Add the page to `app`."""
    add_page(app, store, NAME, PATH, title="board.page.title", build=build_page)
    register_workers_frame(app)


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address; its rows are asked for by the browser."""
    snapshot, words = store.snapshot(), language_of(store, query)
    city = snapshot.city
    config = workers_config(
        store,
        snapshot,
        words,
        query,
        title=words("board.page.title", city=city_name(store, snapshot, words)),
        board={
            "words": words.starting("board.js."),
            "statuses": list(STATUSES),
            "reasons": list(ALL_REASONS),
            "counts": list(COUNTS),
            "levels": [level for level in LEVELS if level in city.levels],
            "choice": {k: v for k, v in query.items() if isinstance(v, str) and k != "lang"},
            "language": store.settings.language,
        },
    )
    return workers_frame(
        store, snapshot, words, query, active="board", body=_body(words), config=config
    )


def _body(words: Words) -> list[Any]:
    table = dag.AgGrid(
        id=TABLE,
        columnDefs=[],
        rowData=[],
        getRowId="params.data.id",
        dashGridOptions={
            "theme": {"function": TABLE_THEME},
            "rowSelection": {
                "mode": "singleRow",
                "checkboxes": False,
                "enableClickSelection": True,
            },
            "animateRows": False,
            # Forty columns at most; rows are virtual.
            "suppressColumnVirtualisation": True,
            "suppressCellFocus": False,
            "tooltipShowDelay": 400,
            "multiSortKey": "ctrl",
            "localeText": words.starting("cases.grid.") | words.starting("board.grid."),
        },
        className="inc-grid board-grid",
        style={"height": "100%", "width": "100%"},
    )
    return [
        html.Div(id=BAR, className="board-bar"),
        html.Div(id=CHIPS, className="board-chips"),
        html.Div(
            [
                html.Section(
                    [
                        html.Div(id=PROGRESS, className="board-progress", role="status"),
                        html.Div(table, className="board-table-place"),
                        html.Div(id=FOOT, className="inc-foot board-foot"),
                    ],
                    className="panel board-list",
                    **attrs({"aria-label": words("board.file.day")}),
                ),
                html.Aside(
                    id=EVIDENCE,
                    className="panel board-evidence",
                    hidden=True,
                    **attrs({"aria-label": words("board.js.evidence")}),
                ),
            ],
            className="board-main",
        ),
    ]
