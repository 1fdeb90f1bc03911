"""The table twin of the map: every grid with every figure, to sort, filter and choose from."""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
import pandas as pd

from dashboards.figures import FIGURES, UNITS, Snapshot
from dashboards.words import Words

_THEME = (
    "themeQuartz.withParams({"
    "backgroundColor: 'var(--panel)', foregroundColor: 'var(--text)',"
    "headerBackgroundColor: 'var(--ground)', headerTextColor: 'var(--quiet)',"
    "borderColor: 'var(--line)', accentColor: 'var(--accent)', browserColorScheme: 'dark',"
    "rowHoverColor: 'rgba(56,189,248,.10)', selectedRowBackgroundColor: 'rgba(56,189,248,.22)',"
    "inputBackgroundColor: 'var(--ground)', wrapperBorder: false, wrapperBorderRadius: 0,"
    "fontFamily: 'var(--font)', fontSize: '.875rem', headerFontSize: '.8125rem',"
    "spacing: '.375rem', rowHeight: '2.25rem', headerHeight: '2.25rem'})"
)
"""The grid's look in our variables and in rem, so that it grows with the screen."""


def build_table(snapshot: Snapshot, words: Words, component_id: str) -> Any:
    """All grids in the order of their ids; choosing a row chooses the grid."""
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
        id=component_id,
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
            "theme": {"function": _THEME},
            "animateRows": False,
            "suppressScrollOnNewData": True,
        },
        className="grid-table",
        style={"height": "100%", "width": "100%"},
    )
