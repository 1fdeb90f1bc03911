"""The trends below the map: plain specs for two plotly charts, and rows for the ranking.

Sizes are pixels of a 1080-line screen; the browser's part multiplies them (assets/30-charts.js), so
that a screen of 2160 lines shows the same chart at twice the size.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from dash import html

from dashboards.components.marks import attrs
from dashboards.figures import Trend
from dashboards.words import Words
from geo.figures import rank_units
from layers.colours import FONT_STACK, tokens

GRAPH_CONFIG: Any = {"displayModeBar": False, "responsive": True, "doubleClick": False}


def trend_specs(trend: Trend, words: Words) -> dict[str, Any]:
    """Figures of the two charts by name, ready for the browser."""
    return {"days": _days(trend, words), "hours": _hours(trend, words)}


def _days(trend: Trend, words: Words) -> dict[str, Any]:
    colours = tokens("night")
    labels = [f"{day:%m-%d}" for day in trend.days]
    names = [f"{day:%m-%d} {words.weekday(day.weekday())}" for day in trend.days]
    last = len(labels) - 1
    return {
        "data": [
            {
                "type": "bar",
                "name": words("trend.reported"),
                "x": labels,
                "y": trend.reported.tolist(),
                "customdata": names,
                "marker": {
                    "color": [
                        _with(colours.accent, 0.28 if k == last else 0.55) for k in range(last + 1)
                    ],
                    "cornerradius": 2,
                    "line": {"width": 0},
                },
                "hovertemplate": "%{y:,}",
            },
            *_last_year(trend, labels, words),
            {
                "type": "scatter",
                "mode": "lines",
                "name": words("trend.closed"),
                "x": labels,
                "y": trend.closed.tolist(),
                "line": {"color": colours.fine, "width": 2},
                "hovertemplate": "%{y:,}",
            },
        ],
        "layout": _layout(
            float(max(trend.reported.max(), trend.closed.max(), np.nanmax([0, *trend.last_year]))),
            xaxis={
                "tickvals": labels[last % 7 :: 7],
                "type": "category",
                "range": [-0.7, last + 0.7],
            },
            empty=words("trend.empty"),
            bargap=0.32,
        ),
    }


def _last_year(trend: Trend, labels: list[str], words: Words) -> list[dict[str, Any]]:
    """The same dates a year before; no line where that is before the first record."""
    if not np.isfinite(trend.last_year).any():
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": words("trend.last_year"),
            "x": labels,
            "y": [None if np.isnan(v) else int(v) for v in trend.last_year],
            "line": {"color": tokens("night").quiet, "width": 1.5, "dash": "dash"},
            "hovertemplate": "%{y:,}",
        }
    ]


def _hours(trend: Trend, words: Words) -> dict[str, Any]:
    colours = tokens("night")
    hours = list(range(24))
    begun = len(trend.today_by_hour)
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": words("trend.typical"),
                "x": hours,
                "y": [round(float(v), 1) for v in trend.typical_by_hour],
                "line": {"color": colours.quiet, "width": 1.5, "dash": "dot"},
                "hovertemplate": "%{y:,.1f}",
            },
            {
                "type": "bar",
                "name": words("trend.today"),
                "x": hours[:begun],
                "y": trend.today_by_hour.tolist(),
                "marker": {
                    "color": [
                        _with(colours.accent, 0.28 if h == begun - 1 else 0.6)
                        for h in hours[:begun]
                    ],
                    "cornerradius": 2,
                    "line": {"width": 0},
                },
                "hovertemplate": "%{y:,}",
            },
        ],
        "layout": _layout(
            float(max(trend.today_by_hour.max(), trend.typical_by_hour.max())),
            xaxis={
                "tickvals": [0, 6, 12, 18, 23],
                "ticktext": ["00:00", "06:00", "12:00", "18:00", "23:00"],
                "range": [-0.7, 23.7],
            },
            empty=words("trend.hours.empty"),
            bargap=0.28,
        ),
    }


@cache
def _base_layout() -> dict[str, Any]:
    colours = tokens("night")
    font = {"family": FONT_STACK, "color": colours.quiet, "size": 12}
    axis = {
        "gridcolor": _with(colours.line, 0.75),
        "gridwidth": 1,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "tickfont": font,
        "fixedrange": True,
    }
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": font,
        "margin": {"l": 40, "r": 6, "t": 4, "b": 20},
        "showlegend": False,
        "hovermode": "x unified",
        "dragmode": False,
        "hoverlabel": {
            "bgcolor": colours.panel,
            "bordercolor": colours.line,
            "font": {"family": FONT_STACK, "color": colours.text, "size": 12},
        },
        "xaxis": {**axis, "showgrid": False},
        "yaxis": {**axis, "separatethousands": True},
        "separators": ".,",
    }


def _layout(most: float, xaxis: dict[str, Any], empty: str, **extra: Any) -> dict[str, Any]:
    """The common layout; the other axis begins at zero and ends a little above `most`.

    Where there is nothing to draw the chart says `empty`.
    """
    base = _base_layout()
    step = _whole_step(most)
    if not most:
        place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
        extra["annotations"] = [{**place, "text": empty, "font": {**base["font"], "size": 14}}]
    yaxis = {**base["yaxis"], "range": [0, max(most, step) * 1.08], "dtick": step}
    return {**base, **extra, "xaxis": {**base["xaxis"], **xaxis}, "yaxis": yaxis}


def _whole_step(most: float) -> int:
    """1, 2 or 5 times a power of ten, so that at most four lines lie below `most`."""
    step = 1
    factors = (2, 2.5, 2)
    turn = 0
    while most / step > 4:
        step = round(step * factors[turn % 3])
        turn += 1
    return step


def _with(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def keys(trend: Trend, words: Words) -> dict[str, list[html.Span]]:
    """The legends of the charts, set in the line of their titles, with what has changed."""
    year = [] if np.isnan(trend.last_year).all() else [_key("dash", words("trend.last_year"))]
    return {
        "days": [
            _change(trend.this_30d, trend.last_year_30d, "year", words),
            _key("bar", words("trend.reported")),
            _key("line", words("trend.closed")),
            *year,
        ],
        "hours": [
            _change(trend.this_7d, trend.before_7d, "week", words),
            _key("bar", words("trend.today")),
            _key("dots", words("trend.typical")),
        ],
        "bars": [
            _key("late", words("trend.bars.late")),
            _key("rest", words("trend.bars.rest")),
        ],
    }


def _change(now: float, before: float, span: str, words: Words) -> html.Span:
    """By how much a span differs from the one before; says so where that is not known."""
    if np.isnan(before) or before <= 0:
        return html.Span(words(f"trend.{span}.unknown"), className="trend-change is-unknown")
    share = (now - before) / before * 100
    sign = "▲" if share >= 0.5 else "▼" if share <= -0.5 else "="
    text = words(f"trend.{span}", change=f"{sign} {abs(share):.0f}%")
    exact = words("trend.exact", now=words.number(now), before=words.number(before))
    return html.Span(text, className="trend-change", title=exact)


def _key(kind: str, text: str) -> html.Span:
    return html.Span([html.I(className=f"key key-{kind}"), text], className="chart-key")


def build_bars(units: pd.DataFrame, words: Words, *, level: str, rows: int = 6) -> html.Div:
    """The units with the most overdue and open incidents; the overdue part set apart."""
    ranked = rank_units(units)
    ranked = ranked[~ranked["is_rest"].astype(bool) & (ranked["open"] > 0)].head(rows)
    if not len(ranked):
        return html.Div(words("trend.bars.empty"), className="empty")
    most = float(ranked["open"].max())
    lead = "data-select" if level == "grid" else "data-unit"
    lines = []
    for code, unit in ranked.iterrows():
        late, count, name = float(unit["overdue"]), float(unit["open"]), str(unit["name"])
        bars = [
            html.I(className="bar-late", style={"width": f"{late / most:.2%}"}),
            html.I(className="bar-rest", style={"width": f"{(count - late) / most:.2%}"}),
        ]
        button = html.Button(
            [
                html.Span(name, className="bar-name", title=name),
                html.Span(bars, className="bar-line"),
                html.Span(words.number(count), className="bar-value"),
                html.Span(words.number(late), className="bar-late-value"),
            ],
            type="button",
            className="bar",
            **attrs({lead: str(code)}),
        )
        lines.append(html.Li(button, **attrs({"data-key": str(code)})))
    return html.Div(html.Ol(lines, className="bars"))
