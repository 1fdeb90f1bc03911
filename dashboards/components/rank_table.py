"""Units side by side: who answers for each, and its figures, sortable; the rest shown quietly.

Columns add up to the unit above, because what belongs to no unit of the level stands in a last row
of its own.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from dash import html

from dashboards.components.map_spec import figure_text, values_of
from dashboards.components.marks import attrs
from dashboards.words import Words
from geo.figures import rank_units, rate_in_time

MOST_ROWS = 60
ON_TIME = "on_time"
_FIXED = ("open", "overdue", ON_TIME)


def columns_of(figure: str) -> tuple[str, ...]:
    """Open, overdue, on-time rate, and the figure of the map where it is none of them."""
    return _FIXED if figure in _FIXED else (*_FIXED, figure)


def rank_values(units: pd.DataFrame, column: str) -> pd.Series:
    """The numbers of a column, NaN where they are not known."""
    if column == ON_TIME:
        return rate_in_time(units)
    return values_of(units, column)


def build_rank(
    units: pd.DataFrame,
    words: Words,
    *,
    level: str,
    level_name: str,
    figure: str,
    order: str,
) -> list[Any]:
    """The table of the units of a level.

    Parameters
    ----------
    units
        Units by their code, with the columns of `Snapshot.table`.
    level, level_name
        Level of the units, and what it is called on the screen.
    figure
        The figure of the map, which the table shows too.
    order
        The column to sort by, the largest first; the on-time rate the smallest first.
    """
    columns = columns_of(figure)
    order = order if order in columns else figure if figure in columns else "open"
    head = html.Div(
        [
            html.H2(words("rank.title", level=level_name)),
            html.Span(
                words(f"rank.hint.{'grid' if level == 'grid' else 'unit'}"), className="panel-note"
            ),
        ],
        className="panel-head",
    )
    numbers = {column: rank_values(units, column) for column in columns}
    sorted_units = rank_units(
        units.assign(_by=numbers[order]), ("_by",), ascending=order == ON_TIME
    )
    is_rest = sorted_units["is_rest"].astype(bool)
    if is_rest.all():
        return [head, html.Div(words("rank.empty"), className="empty")]
    ranked = sorted_units[~is_rest][:MOST_ROWS]
    known = ranked["_by"].astype(float)
    most = float(known.abs().max()) if known.notna().any() else 0.0
    lines = [
        _row(unit, code, place, numbers, columns, order, most, level, words)
        for place, (code, unit) in enumerate(ranked.iterrows(), start=1)
    ]
    for code, unit in sorted_units[is_rest].iterrows():
        if unit["open"]:
            lines.append(_rest(unit, code, numbers, columns, level_name, words))
    table = html.Table(
        [html.Thead(_heads(columns, order, level_name, words)), html.Tbody(lines)],
        className=f"rank-table has-{len(columns)}",
    )
    return [head, html.Div(table, className="rank-body")]


def _heads(columns: tuple[str, ...], order: str, level_name: str, words: Words) -> html.Tr:
    first = html.Th([level_name, html.Span(words("rank.person"), className="quiet")], scope="col")
    return html.Tr(
        [
            first,
            *(
                html.Th(
                    html.Button(
                        words(f"rank.{column}"),
                        type="button",
                        title=words("rank.sort"),
                        **attrs({"data-rank": column}),
                    ),
                    scope="col",
                    className="is-sorted" if column == order else "",
                    **attrs(
                        {
                            "aria-sort": ("ascending" if column == ON_TIME else "descending")
                            if column == order
                            else "none"
                        }
                    ),
                )
                for column in columns
            ),
        ]
    )


def _row(
    unit: pd.Series,
    code: Any,
    place: int,
    numbers: dict[str, pd.Series],
    columns: tuple[str, ...],
    order: str,
    most: float,
    level: str,
    words: Words,
) -> html.Tr:
    value = float(numbers[order].loc[code])
    share = abs(value) / most if most and math.isfinite(value) else 0.0
    lead = {"data-select" if level == "grid" else "data-unit": str(code)}
    person = str(unit["person"]) if unit["person"] else ""
    name = html.Button(
        [
            html.Span(str(place), className="rank-place"),
            html.Span(str(unit["name"]), className="rank-name", title=str(unit["name"])),
            html.Span(
                person or words("rank.nobody"),
                className="rank-person" if person else "rank-person is-nobody",
            ),
            html.Span(html.I(style={"width": f"{share * 100:.1f}%"}), className="rank-bar"),
        ],
        className="rank",
        type="button",
        **attrs(lead),
    )
    cells = [_cell(float(numbers[c].loc[code]), c, c == order, words) for c in columns]
    return html.Tr([html.Th(name, scope="row"), *cells], **attrs({"data-key": str(code)}))


def _cell(value: float, column: str, sorted_by: bool, words: Words) -> html.Td:
    late = "is-late" if column == "overdue" and value > 0 else ""
    if not math.isfinite(value):
        return html.Td(words("rank.unknown"), className="is-unknown")
    text = f"{value:.0f}%" if column == ON_TIME else figure_text(value, column, words)
    zero = "is-zero" if column in ("open", "overdue") and not value else ""
    return html.Td(text, className=f"{late} {zero} {'is-lead' if sorted_by else ''}".strip())


def _rest(
    unit: pd.Series,
    code: Any,
    numbers: dict[str, pd.Series],
    columns: tuple[str, ...],
    level_name: str,
    words: Words,
) -> html.Tr:
    cells = [
        html.Td(
            figure_text(float(numbers[c].loc[code]), c, words) if c in ("open", "overdue") else ""
        )
        for c in columns
    ]
    name = words("rank.rest", level=level_name)
    return html.Tr(
        [html.Th(name, scope="row"), *cells], className="is-rest", **attrs({"data-key": "rest"})
    )
