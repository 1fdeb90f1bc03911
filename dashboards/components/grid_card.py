"""The card of a grid: its five levels, people, things, neighbours, open incidents, who answers.

Everything clickable is a button that carries the id of what it leads to, so that the card works by
keyboard and the browser's part needs no knowledge of the page.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from dash import html

from dashboards.city import SHOWN_LEVELS
from dashboards.components.live_list import case_line
from dashboards.components.marks import attrs, mark
from dashboards.describe import class_name, describe_case, people_of_grid
from dashboards.figures import UNITS, Snapshot
from dashboards.settings import Settings
from dashboards.words import Words

MOST_CLASSES = 12
MOST_CASES = 6
MOST_PEOPLE = 6
MOST_RANKED = 14


def build_grid_card(
    snapshot: Snapshot, grid_id: str, words: Words, settings: Settings
) -> list[Any]:
    """The card of one grid; says so if there is no such grid."""
    row = snapshot.city.position.get(grid_id)
    if row is None:
        return [
            _head(words("grid.title"), grid_id, words, None),
            html.Div(words("grid.unknown", grid=grid_id), className="empty"),
        ]
    grid = snapshot.city.grids.iloc[row]
    kind = words(f"kind.{grid['kind']}")
    return [
        _head(snapshot.city.names[row], f"{grid_id} · {kind}", words, grid_id),
        html.Div(
            [
                _chain(snapshot, row, words),
                _facts(snapshot, row, words),
                _people(snapshot, row, words, settings),
                _cases(snapshot, row, words),
                _inventory(snapshot, row, words),
                _neighbours(snapshot, row, words),
            ],
            className="detail-body",
            tabIndex="0",
        ),
    ]


def _head(title: str, note: str, words: Words, grid_id: str | None) -> html.Div:
    fly = (
        [
            html.Button(
                html.I(className="icon-fly"),
                className="icon-button",
                type="button",
                title=words("grid.zoom"),
                **attrs({"aria-label": words("grid.zoom"), "data-fly": grid_id}),
            )
        ]
        if grid_id
        else []
    )
    return html.Div(
        [
            html.Div([html.H2(title), html.Span(note, className="panel-note")]),
            *fly,
            html.Button(
                html.I(className="icon-close"),
                className="icon-button",
                type="button",
                title=words("grid.close"),
                **attrs({"aria-label": words("grid.close"), "data-select": ""}),
            ),
        ],
        className="panel-head detail-head",
    )


def _chain(snapshot: Snapshot, row: int, words: Words) -> html.Ol:
    """City, district, street, community and grid, from the top down."""
    place = snapshot.city.places.iloc[row]
    steps = [
        (words(f"level.{level}"), place[level] if pd.notna(place[level]) else words("none"))
        for level in SHOWN_LEVELS
        if level in place.index
    ]
    name, community = snapshot.city.names[row], place.get("community")
    if isinstance(community, str) and name != community:
        name = name.removeprefix(community)
    steps.append((words("level.grid"), name))
    return html.Ol(
        [
            html.Li([html.Span(level, className="chain-level"), html.Span(name)])
            for level, name in steps
        ],
        className="chain",
        **attrs({"aria-label": words("grid.chain")}),
    )


def _facts(snapshot: Snapshot, row: int, words: Words) -> html.Dl:
    figures = snapshot.figures
    area = words.number(float(snapshot.city.area_m2[row]) / 10_000, 1)
    facts = [
        (words("grid.open"), words.number(figures["open"][row]), ""),
        (
            words("grid.overdue"),
            words.number(figures["overdue"][row]),
            "is-late" if figures["overdue"][row] else "",
        ),
        (words("grid.households"), words.number(figures["households"][row]), ""),
        (words("grid.population"), words.number(figures["population"][row]), ""),
        (words("grid.area"), words("grid.area.value", n=area), "is-wide"),
    ]
    return html.Dl(
        [
            html.Div([html.Dt(label), html.Dd(value)], className=tone)
            for label, value, tone in facts
        ],
        className="facts",
    )


def _section(title: str, note: str, body: Any) -> html.Section:
    return html.Section(
        [html.H3([title, html.Span(note, className="panel-note")]), body], className="detail-part"
    )


def _people(snapshot: Snapshot, row: int, words: Words, settings: Settings) -> html.Section:
    people = people_of_grid(snapshot, row, words, settings.on_duty_minutes * 60)
    if not people:
        body: Any = html.Div(words("grid.workers.empty"), className="empty-line")
    else:
        items = [
            html.Li(
                [
                    mark("fine" if person.is_fresh else "unknown"),
                    html.Span(person.name, className="person-name"),
                    html.Span(person.role, className="quiet"),
                    html.Span(person.phone, className="person-phone"),
                    html.Span(person.seen, className="quiet person-seen"),
                ]
            )
            for person in people[:MOST_PEOPLE]
        ]
        if len(people) > MOST_PEOPLE:
            rest = words("grid.worker.more", n=len(people) - MOST_PEOPLE)
            items.append(html.Li(rest, className="quiet"))
        body = html.Ul(items, className="people")
    return _section(words("grid.workers"), "", body)


def _cases(snapshot: Snapshot, row: int, words: Words) -> html.Section:
    cases = snapshot.cases
    here = np.flatnonzero(cases.is_open & (cases.row == row))
    order = {"late": 0, "soon": 1, "fine": 2, "none": 3}
    ranked = sorted(here, key=lambda k: (order[str(snapshot.state[k])], -k))
    if not ranked:
        body: Any = html.Div(words("grid.incidents.empty"), className="empty-line")
    else:
        items = [case_line(describe_case(snapshot, int(k), words)) for k in ranked[:MOST_CASES]]
        if len(ranked) > MOST_CASES:
            rest = words("grid.incidents.more", n=len(ranked) - MOST_CASES)
            items.append(html.Li(rest, className="quiet"))
        body = html.Ol(items, className="case-list is-compact")
    return _section(words("grid.incidents"), f"{len(here)} {words('unit.incidents')}", body)


def _inventory(snapshot: Snapshot, row: int, words: Words) -> html.Section:
    found = snapshot.inventory.of_grid(row)
    total = sum(count for _, count in found)
    if not found:
        body: Any = html.Div(words("grid.inventory.empty"), className="empty-line")
    else:
        items = [
            html.Div([html.Dt(class_name(code, "", words)), html.Dd(words.number(count))])
            for code, count in found[:MOST_CLASSES]
        ]
        if len(found) > MOST_CLASSES:
            rest = sum(count for _, count in found[MOST_CLASSES:])
            more = words("grid.inventory.more", n=len(found) - MOST_CLASSES, m=words.number(rest))
            items.append(html.Div(html.Dt(more, className="quiet"), className="is-wide"))
        body = html.Dl(items, className="inventory")
    note = words("grid.inventory.total", n=words.number(total)) if total else ""
    return _section(words("grid.inventory"), note, body)


def _neighbours(snapshot: Snapshot, row: int, words: Words) -> html.Section:
    around = snapshot.city.neighbours[row]
    if not around:
        body: Any = html.Div(words("grid.neighbours.empty"), className="empty-line")
    else:
        body = html.Ul(
            [
                html.Li(
                    html.Button(
                        snapshot.city.names[other],
                        className="pill",
                        type="button",
                        **attrs({"data-select": str(snapshot.city.grids.index[other])}),
                    )
                )
                for other in around
            ],
            className="pills",
        )
    return _section(words("grid.neighbours"), str(len(around)) if around else "", body)


def build_ranking(snapshot: Snapshot, figure: str, words: Words) -> list[Any]:
    """What stands in the card's place while no grid is chosen: the grids with the most."""
    values = snapshot.figures[figure]
    known = np.flatnonzero(np.isfinite(values) & (values > 0))
    ranked = known[np.argsort(-values[known], kind="stable")][:MOST_RANKED]
    unit = words(UNITS[figure])
    head = html.Div(
        [
            html.H2(words("rank.title", figure=words(f"figure.{figure}"), unit=unit)),
            html.Span(words("rank.hint"), className="panel-note"),
        ],
        className="panel-head is-stacked",
    )
    if not len(ranked):
        return [head, html.Div(words("rank.empty"), className="empty")]
    most = float(values[ranked[0]]) or 1.0
    digits = 1 if figure == "per_1000" else 0
    lines = [
        html.Li(
            html.Button(
                [
                    html.Span(str(place), className="rank-place"),
                    html.Span(snapshot.city.names[row], className="rank-name"),
                    html.Span(_above(snapshot, row), className="rank-where"),
                    html.Span(
                        html.I(style={"width": f"{max(float(values[row]) / most, 0) * 100:.1f}%"}),
                        className="rank-bar",
                    ),
                    html.Span(words.number(float(values[row]), digits), className="rank-value"),
                ],
                className="rank",
                type="button",
                **attrs({"data-select": str(snapshot.city.grids.index[row])}),
            )
        )
        for place, row in enumerate(ranked, start=1)
    ]
    return [head, html.Ol(lines, className="rank-list")]


def _above(snapshot: Snapshot, row: int) -> str:
    """The street and community of a grid."""
    place = snapshot.city.places.iloc[row]
    names = [place.get(level) for level in ("street", "community")]
    return " · ".join(name for name in names if isinstance(name, str))
