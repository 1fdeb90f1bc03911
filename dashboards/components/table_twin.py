"""The table twin of the map: every shaded unit with every figure, to sort, filter and choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
import pandas as pd

from dashboards.components.map_spec import UNITS, values_of
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


def build_table(
    units: pd.DataFrame, words: Words, component_id: str, *, level: str, figures: Sequence[str]
) -> Any:
    """All units of a map; choosing a row does what a click on the map does.

    Parameters
    ----------
    units
        Units by their code with the columns of `Snapshot.table`.
    level
        Their level, which each row carries so that a chosen row can be told apart.
    figures
        The figures of the map, a column each.
    """
    rest = words("rank.rest.short")
    frame = pd.DataFrame(
        {
            "code": [str(code) for code in units.index],
            "name": [
                rest if is_rest else str(name)
                for name, is_rest in zip(units["name"], units["is_rest"], strict=True)
            ],
            "person": [str(person) if person else "" for person in units["person"]],
        }
    )
    for name in figures:
        frame[name] = values_of(units, name).to_numpy()
    frame["level"] = level
    frame = frame.astype(object).where(frame.notna(), None)
    columns = [
        {"field": name, "headerName": words(f"table.{name}"), "filter": "agTextColumnFilter"}
        for name in ("code", "name", "person")
    ] + [
        {
            "field": name,
            "headerName": f"{words(f'figure.{name}')} ({words(UNITS[name])})",
            "filter": "agNumberColumnFilter",
            "type": "rightAligned",
        }
        for name in figures
    ]
    return dag.AgGrid(
        id=component_id,
        rowData=frame.to_dict("records"),
        columnDefs=columns,
        getRowId="params.data.code",
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
