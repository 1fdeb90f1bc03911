"""The shade of units by a figure, as the browser takes it: class numbers by row, no geometry.

Shapes travel apart, by address, and stay in the browser (`unit_shapes`). So the size of a shade and
the time to make it follow the number of units and nothing else, and a new figure changes colours
only. A unit without a value is its own class, hatched, and never zero.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from dash import html

from dashboards.components.unit_shapes import unit_codes
from dashboards.figures import Snapshot
from dashboards.words import Words
from layers.choropleth import shade
from layers.maplayer import LegendItem

UNITS = {
    "open": "unit.incidents",
    "overdue": "unit.incidents",
    "per_1000": "unit.per_1000",
    "rounds": "unit.percent",
    "coverage": "unit.percent",
    "households": "unit.households",
    "population": "unit.people",
    "assets": "unit.assets",
}

RAMPS = {
    "open": "blue",
    "overdue": "violet",
    "per_1000": "blue",
    "rounds": "teal",
    "coverage": "teal",
    "households": "ochre",
    "population": "ochre",
    "assets": "blue",
}
"""The same figure has the same ramp on every page."""

LABELLED = 60
"""Up to so many units above the grid carry name and value on the map; more would crowd it."""

_DIGITS = {"per_1000": 1, "rounds": 1, "coverage": 1}


@dataclass(frozen=True)
class UnitMap:
    """A map of one figure: what the browser draws, the legend, and the title."""

    spec: dict[str, Any]
    legend: tuple[LegendItem, ...]
    title: str
    unit: str


def values_of(table: pd.DataFrame, figure: str) -> pd.Series:
    """The figure of each unit of a table as numbers, NaN where it is not known."""
    if figure == "rounds":
        required = table["rounds_required"].astype(float)
        return (table["rounds_done"].astype(float) / required.where(required > 0) * 100).round(1)
    if figure == "coverage":
        return (table["covered_share"].astype(float) * 100).round(1)
    return table[figure].astype(float)


def figure_text(value: float, figure: str, words: Words) -> str:
    """A value of a figure as people read it, without its unit; a dash for no number."""
    if figure in _DIGITS:
        return words.number(value, _DIGITS[figure])
    return words.short_number(value)


def build_shade(
    snapshot: Snapshot,
    table: pd.DataFrame,
    figure: str,
    words: Words,
    *,
    level: str,
    level_name: str,
    scope: tuple[str, str] | None = None,
) -> UnitMap:
    """Shade units of a level by a figure.

    Parameters
    ----------
    table
        Units by their code with the columns of `Snapshot.table`; a row that is the rest of a
        level has no shape and is left out.
    figure
        One of `UNITS`.
    level, level_name
        Level of the units, and what it is called on the screen.
    scope
        Level and code of the unit that holds them, to outline it; None for the whole city.
    """
    units = table[~table["is_rest"].astype(bool)] if "is_rest" in table else table
    position = {code: row for row, code in enumerate(unit_codes(snapshot, level))}
    units = units[units.index.isin(list(position))]
    rows = np.array([position[str(code)] for code in units.index], dtype=np.int32)
    values = values_of(units, figure).to_numpy(np.float64, na_value=np.nan)
    found = shade(
        values, language=words.language, ramp=RAMPS[figure], no_data=words("legend.nodata")
    )
    unit = words(UNITS[figure])
    labels = None
    if level != "grid" and len(units) <= LABELLED:
        labels = {
            str(row): figure_text(value, figure, words)
            if np.isfinite(value)
            else words("legend.nodata")
            for row, value in zip(rows, values, strict=True)
        }
    return UnitMap(
        spec={
            "level": level,
            "scope": None if scope is None else {"level": scope[0], "code": scope[1]},
            "rows": typed(rows),
            "classes": typed(found.codes),
            "values": typed(np.round(values, 1).astype(np.float32)),
            "palette": list(found.palette),
            "labels": labels,
            "unit": unit,
            "figure": words(f"figure.{figure}"),
        },
        legend=found.legend,
        title=words(
            f"figure.{figure}.title",
            level=level_name,
            time=f"{snapshot.at:%H:%M}",
        ),
        unit=unit,
    )


def typed(values: np.ndarray) -> dict[str, str]:
    """Numbers as base64 of their bytes, smallest first as every browser has them."""
    names = {"int8": "i1", "int32": "i4", "float32": "f4"}
    data = base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
    return {"dtype": names[values.dtype.name], "bdata": data}


def build_legend(unit_map: UnitMap, words: Words) -> list[Any]:
    """The classes from the strongest down with how many units each holds, "no data" last."""
    items = [item for item in reversed(unit_map.legend) if item.shape != "hatch"]
    items += [item for item in unit_map.legend if item.shape == "hatch"]
    lines = [
        html.Li(
            [
                html.I(
                    className=f"swatch swatch-{item.shape}",
                    style={} if item.shape == "hatch" else {"background": item.colour},
                ),
                html.Span(item.label, className="legend-label"),
                html.Span("" if item.count is None else f"{item.count:,}", className="quiet"),
            ]
        )
        for item in items
    ]
    head = [
        html.Span(unit_map.spec["figure"], className="legend-title"),
        html.Span(f" ({unit_map.unit})", className="quiet"),
        html.Span(words("legend.units"), className="quiet legend-count"),
    ]
    return [
        html.Div(head, className="legend-head"),
        html.Ul(lines, className="legend-classes"),
    ]
