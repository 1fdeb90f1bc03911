"""The list of incidents; each line is a button that leads to its place on the map.

A line carries its deadline, so that the browser's part counts the time left or the lateness by the
second (assets/42-clocks.js); what stands in it at first is the same in words.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from dash import html

from dashboards.components.marks import attrs, chip, mark
from dashboards.describe import CaseLine, describe_case
from dashboards.figures import Snapshot
from dashboards.words import Words

Order = Literal["newest", "urgent"]
ORDERS: tuple[Order, ...] = ("newest", "urgent")


def listed_cases(
    snapshot: Snapshot,
    rows: int,
    *,
    order: Order = "newest",
    among: npt.NDArray[np.intp] | None = None,
) -> npt.NDArray[np.intp]:
    """Numbers of the cases to list: the newest ones, or the open ones by their deadline."""
    cases = snapshot.cases
    mine = np.arange(len(cases)) if among is None else np.asarray(among)
    if order == "newest":
        return mine[::-1][:rows]
    mine = mine[cases.is_open[mine] & ~np.isnat(cases.deadline[mine])]
    return mine[np.argsort(cases.deadline[mine], kind="stable")][:rows]


def newest_cases(snapshot: Snapshot, words: Words, rows: int) -> list[CaseLine]:
    """The newest incidents, the latest first."""
    return [describe_case(snapshot, int(k), words) for k in listed_cases(snapshot, rows)]


def build_list(
    snapshot: Snapshot,
    words: Words,
    rows: int,
    *,
    order: Order = "newest",
    among: npt.NDArray[np.intp] | None = None,
) -> html.Div | html.Ol:
    """The lines, or why there are none."""
    found = listed_cases(snapshot, rows, order=order, among=among)
    if not len(found):
        return html.Div(words(f"list.empty.{order}"), className="empty")
    lines = [clock_line(snapshot, int(k), words) for k in found]
    return html.Ol(lines, className="case-list", tabIndex="-1")


def clock_line(snapshot: Snapshot, k: int, words: Words) -> html.Li:
    """One incident with its stage and its clock, which the browser keeps running."""
    line = describe_case(snapshot, k, words)
    cases = snapshot.cases
    stage = str(cases.stage[k])
    clock: dict[str, str] = {}
    if cases.is_open[k] and not np.isnat(cases.deadline[k]):
        if snapshot.state[k] == "paused":
            clock = {"data-paused": "1"}
        else:
            clock = {"data-due": str(int(pd.Timestamp(cases.deadline[k], tz="UTC").timestamp()))}
    text = words("list.paused") if "data-paused" in clock else line.chip if clock else ""
    state = str(snapshot.state[k]) if clock else "closed"
    return html.Li(
        html.Button(
            [
                _when(line),
                html.Span(line.what, className="case-what"),
                html.Span(
                    [mark(state), html.B(text)] if text else [],
                    className=f"case-clock state-{state}",
                    **attrs(clock),
                ),
                html.Span(line.where, className="case-where"),
                html.Span(words(f"stage.{stage}"), className="case-stage"),
            ],
            className="case has-clock" + _dated(line),
            type="button",
            **_data(line),
        ),
        **attrs({"data-key": line.id}),
    )


def case_line(line: CaseLine) -> html.Li:
    """One incident on a card: time, what, where, state."""
    return html.Li(
        html.Button(
            [
                _when(line),
                html.Span(line.what, className="case-what"),
                chip(line.state, line.chip),
                html.Span(line.where, className="case-where"),
            ],
            className="case" + _dated(line),
            type="button",
            **_data(line),
        ),
        **attrs({"data-key": line.id}),
    )


def _when(line: CaseLine) -> html.Time:
    """The time of the report; the date of an older day stands above it."""
    return html.Time(
        [html.Span(part) for part in line.when.split(" ")],
        className="case-time",
        dateTime=line.moment.isoformat(),
    )


def _dated(line: CaseLine) -> str:
    return " is-dated" if " " in line.when else ""


def _data(line: CaseLine) -> dict[str, Any]:
    """What the browser's part reads."""
    data: dict[str, Any] = {"data-case": line.id, "data-grid": line.grid_id or ""}
    if line.lon is not None:
        data |= {"data-lon": f"{line.lon:.6f}", "data-lat": f"{line.lat:.6f}"}
    return data
