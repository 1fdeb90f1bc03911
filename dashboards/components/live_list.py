"""The list of the newest incidents; each line is a button that leads to its grid on the map."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components.marks import chip
from dashboards.describe import CaseLine, describe_case
from dashboards.figures import Snapshot
from dashboards.words import Words


def newest_cases(snapshot: Snapshot, words: Words, rows: int) -> list[CaseLine]:
    """The newest incidents, the latest first."""
    count = len(snapshot.cases)
    newest = range(count - 1, count - 1 - min(rows, count), -1)
    return [describe_case(snapshot, k, words) for k in newest]


def build_list(snapshot: Snapshot, words: Words, rows: int) -> html.Div | html.Ol:
    """The lines, or why there are none."""
    lines = newest_cases(snapshot, words, rows)
    if not lines:
        return html.Div(words("list.empty"), className="empty")
    return html.Ol([case_line(line) for line in lines], className="case-list")


def case_line(line: CaseLine) -> html.Li:
    """One incident: time, what, where, state; the browser's part reads the data attributes."""
    data: dict[str, Any] = {"data-case": line.id, "data-grid": line.grid_id or ""}
    if line.lon is not None:
        data |= {"data-lon": f"{line.lon:.6f}", "data-lat": f"{line.lat:.6f}"}
    # The date of an older day stands above its time.
    when = line.when.split(" ")
    return html.Li(
        html.Button(
            [
                html.Time(
                    [html.Span(part) for part in when],
                    className="case-time",
                    dateTime=line.moment.isoformat(),
                ),
                html.Span(line.what, className="case-what"),
                chip(line.state, line.chip),
                html.Span(line.where, className="case-where"),
            ],
            className="case is-dated" if len(when) > 1 else "case",
            type="button",
            disabled=line.lon is None,
            **data,
        )
    )
