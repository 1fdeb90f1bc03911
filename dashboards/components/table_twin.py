"""The table twin of the map: every grid with every figure, to sort, filter and choose from."""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
import pandas as pd

from dashboards.figures import FIGURES, UNITS, Snapshot
from dashboards.words import Words


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
            "animateRows": False,
            "suppressScrollOnNewData": True,
        },
        className="ag-theme-alpine-dark grid-table",
        style={"height": "100%", "width": "100%"},
    )
