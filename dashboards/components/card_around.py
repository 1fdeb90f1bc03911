"""What stands around on the card: the grid and its neighbours, houses, organisations, things.

Every figure says of how much it knows nothing: buildings without figures are counted apart, a
camera whose view nobody told is not one that sees.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
from dash import html

from dashboards.components.card_parts import (
    button,
    empty,
    facts,
    locate,
    metres,
    section,
)
from dashboards.components.marks import attrs, mark
from dashboards.describe import asset_state, class_name, group_name
from dashboards.one_click import RADII_M, Card, ClassCount, group_counts
from dashboards.words import Words
from geo.nearby import Around

MOST_KINDS = 8
MOST_CAMERAS = 6
MOST_GROUPS = 10
MOST_NAMES = 4


def radius_switch(card: Card, words: Words) -> html.Div | None:
    """How far the card looks; for a grid also its own ground."""
    if card.around is None:
        return None
    choices: list[tuple[str, str]] = [(str(radius), str(radius)) for radius in RADII_M]
    if card.target.kind == "grid":
        choices.insert(0, ("", words("one.radius.grid")))
    now = "" if card.radius_m is None else str(card.radius_m)
    return html.Div(
        [
            html.Span(words("one.radius"), className="quiet", id="card-radius-label"),
            *(
                html.Button(
                    text,
                    type="button",
                    className="card-radius",
                    **attrs({"data-radius": value, "aria-pressed": str(value == now).lower()}),
                )
                for value, text in choices
            ),
            html.Span(words("one.radius.unit"), className="quiet"),
        ],
        className="card-radii",
        role="group",
        **attrs({"aria-labelledby": "card-radius-label"}),
    )


def grid_part(card: Card, words: Words, area_ha: float | None) -> html.Section | None:
    """The grid with its figures and neighbours, or what is known where there is none."""
    around = card.around
    if around is None:
        return None
    if around.grid is None:
        return section(words("one.grid"), _no_grid(around, words), name="grid")
    pairs = [
        (words("grid.households"), _count(around.grid.get("households"), words), ""),
        (words("grid.population"), _count(around.grid.get("population"), words), ""),
    ]
    if area_ha is not None:
        pairs.append((words("grid.area"), words("grid.area.value", n=f"{area_ha:,.1f}"), ""))
    head = [] if card.target.kind == "grid" else [_own_grid(around, words)]
    return section(
        words("one.grid"), [*head, facts(pairs), _neighbours(around, words)], name="grid"
    )


def _own_grid(around: Around, words: Words) -> html.Div:
    name = _text(around.grid.get("name")) if around.grid is not None else ""
    grid_id = around.grid_id or ""
    return html.Div(
        [
            button(name or grid_id, "is-text", label=words("one.grid.open"), select=grid_id),
            html.Span(grid_id, className="panel-note"),
        ],
        className="card-line",
    )


def _no_grid(around: Around, words: Words) -> list[Any]:
    lines = [empty(words("one.grid.none"))]
    if around.road is not None:
        lines.append(empty(road_words(around, words)))
    return lines


def road_words(around: Around, words: Words) -> str:
    """The street, river or railway that passes, in a sentence."""
    if around.road is None:
        return ""
    name = _text(around.road.get("name"))
    kind = words(f"road.{around.road['road_class']}")
    far = metres(float(around.road["distance_m"]), words)
    return words("one.road", name=name or kind, far=far)


def _neighbours(around: Around, words: Words) -> Any:
    table = around.neighbours
    if table.empty:
        return empty(words("grid.neighbours.empty"))
    items = [
        html.Li(
            button(
                _text(row.get("name")) or str(grid_id),
                "pill",
                label=words(
                    "one.neighbour",
                    name=_text(row.get("name")) or grid_id,
                    far=metres(float(row["border_m"]), words),
                ),
                select=str(grid_id),
            )
        )
        for grid_id, row in table.iterrows()
    ]
    return html.Div(
        [
            html.H4([words("grid.neighbours"), html.Span(str(len(items)), className="panel-note")]),
            html.Ul(items, className="pills"),
        ]
    )


def people_part(card: Card, words: Words) -> html.Section | None:
    """Houses and those who live in them; organisations by kind."""
    around = card.around
    if around is None:
        return None
    houses = around.houses
    if houses.buildings:
        lived = [
            (words("one.houses"), words.number(houses.buildings), ""),
            (words("grid.households"), words.number(houses.households), ""),
            (words("grid.population"), words.number(houses.population), ""),
        ]
        body: list[Any] = [facts(lived)]
        if houses.without_figures:
            body.append(empty(words("one.houses.unknown", n=houses.without_figures)))
        compounds = around.buildings["compound"].dropna()
        names = list(dict.fromkeys(str(name) for name in compounds))[:MOST_NAMES]
        if names:
            body.append(empty(words("one.compounds", names=_joined(names, words))))
    else:
        body = [empty(words("one.houses.none"))]
    body.append(_places(around, words))
    return section(words("one.people"), body, note=_reach(card, words), name="people")


def _places(around: Around, words: Words) -> Any:
    if around.places.empty:
        return empty(words("one.places.none"))
    counts = Counter(str(kind) for kind in around.places["kind"])
    shown = counts.most_common(MOST_KINDS)
    items = [
        html.Div([html.Dt(_kind(kind, words)), html.Dd(words.number(count))])
        for kind, count in shown
    ]
    rest = sum(counts.values()) - sum(count for _, count in shown)
    if rest:
        items.append(html.Div([html.Dt(words("one.other")), html.Dd(words.number(rest))]))
    count = html.Span(words.number(len(around.places)), className="panel-note")
    title: list[Any] = [words("one.places"), count]
    return html.Div(
        [html.H4(title), html.Dl(items, className="inventory"), _first_places(around, words)]
    )


def _first_places(around: Around, words: Words) -> html.P:
    """The nearest that is no shop: those are the ones that one looks for."""
    found = around.places[around.places["kind"] != "shop"].head(MOST_NAMES)
    names = [
        words("one.place", name=_text(row["name"]), far=metres(float(row["distance_m"]), words))
        for _, row in found.iterrows()
    ]
    return empty(_joined(names, words)) if names else html.P("", hidden=True)


def _kind(kind: str, words: Words) -> str:
    key = f"place.kind.{kind}"
    return words(key) if words.has(key) else kind


def things_part(card: Card, words: Words) -> html.Section | None:
    """Assets by class with their states, the nearest hydrants, the cameras that see the spot."""
    around = card.around
    if around is None:
        return None
    total = len(around.assets)
    groups = group_counts(around)
    body: list[Any] = [_thing(card, words)] if card.thing is not None else []
    shown, hidden = groups[:MOST_GROUPS], groups[MOST_GROUPS:]
    if groups:
        rows: list[Any] = [_group(group, counts, card, words) for group, counts in shown]
        rest = sum(one.count for _, counts in hidden for one in counts)
        if rest:
            rows.append(empty(words("one.assets.more", n=len(hidden), m=words.number(rest))))
        body.append(html.Div(rows, className="card-assets"))
    else:
        body.append(empty(words("one.assets.none")))
    body += [_hydrants(around, card, words), _cameras(around, words)]
    note = words("one.total", n=words.number(total), reach=_reach(card, words))
    return section(words("one.assets"), body, note=note, name="assets")


def _thing(card: Card, words: Words) -> html.Div:
    """The asset that the case is likely about, and whose it is."""
    assert card.thing is not None
    asset_id, row, answer = card.thing
    what = class_name(str(row["class_code"]), "", words, card.classes)
    owner = answer.owner or words("one.owner.none")
    return html.Div(
        [
            html.Span(words("one.thing"), className="quiet"),
            html.Span(f"{what} {asset_id}", className="person-name"),
            html.Span(_state_words(row["state"], words), className="quiet"),
            html.Span(metres(float(row["distance_m"]), words), className="quiet"),
            html.Span(words("one.owner", owner=owner), className="quiet"),
            locate(float(row["lon"]), float(row["lat"]), words, what),
        ],
        className="card-line is-thing",
    )


def _group(group: str, counts: list[ClassCount], card: Card, words: Words) -> html.Details:
    """A group of classes: how many, how many not whole; inside each class with its states."""
    total = sum(one.count for one in counts)
    unknown = sum(one.states.get("unknown", 0) for one in counts)
    broken = total - unknown - sum(one.states.get("intact", 0) for one in counts)
    tags = []
    if broken:
        text = words("one.assets.broken", n=broken)
        tags.append(html.Span([mark("soon"), text], className="tag"))
    if unknown:
        text = words("one.assets.unknown", n=unknown)
        tags.append(html.Span([mark("unknown"), text], className="tag"))
    return html.Details(
        [
            html.Summary(
                [
                    html.Span(group_name(group, words), className="asset-name"),
                    *tags,
                    html.Span(words.number(total), className="asset-count"),
                ]
            ),
            html.Ul([_class(one, card, words) for one in counts]),
        ]
    )


def _class(one: ClassCount, card: Card, words: Words) -> html.Li:
    states = [
        words("one.assets.state", state=asset_state(name, words), n=count)
        for name, count in one.states.items()
    ]
    return html.Li(
        [
            html.Span(class_name(one.code, "", words, card.classes), className="asset-name"),
            html.Span(_joined(states, words), className="quiet"),
            html.Span(metres(one.nearest_m, words), className="quiet near-age"),
        ]
    )


def _hydrants(around: Around, card: Card, words: Words) -> html.Div:
    title = html.H4(words("one.hydrant"))
    if around.hydrants.empty:
        return html.Div([title, empty(words("one.hydrant.none"))])
    items = [
        html.Li(
            [
                html.Span(metres(float(row["distance_m"]), words), className="near-far"),
                html.Span(
                    _text(row["name"])
                    or class_name(str(row["class_code"]), "", words, card.classes),
                    title=str(asset_id),
                ),
                html.Span(_state_words(row["state"], words), className=_tone(row["state"])),
                locate(float(row["lon"]), float(row["lat"]), words, str(asset_id)),
            ]
        )
        for asset_id, row in around.hydrants.iterrows()
    ]
    return html.Div([title, html.Ol(items, className="card-things")])


def _cameras(around: Around, words: Words) -> html.Div:
    table = around.cameras
    counts = Counter(table["sees"])
    title = html.H4(
        [words("one.cameras"), html.Span(_camera_note(counts, words), className="panel-note")]
    )
    shown = table[table["sees"].isin(["yes", "damaged"])].head(MOST_CAMERAS)
    if shown.empty:
        return html.Div([title, empty(words("one.cameras.none"))])
    items = [
        html.Li(
            [
                html.Span(metres(float(row["distance_m"]), words), className="near-far"),
                html.Span(_text(row["name"]) or str(camera), title=str(camera)),
                html.Span(
                    words(f"one.sees.{row['sees']}"),
                    className="quiet" if row["sees"] == "yes" else "state-soon",
                ),
                locate(float(row["lon"]), float(row["lat"]), words, str(camera)),
            ]
        )
        for camera, row in shown.iterrows()
    ]
    return html.Div([title, html.Ol(items, className="card-things")])


def _camera_note(counts: Counter[str], words: Words) -> str:
    parts = [
        words(f"one.cameras.{name}", n=counts[name])
        for name in ("yes", "unknown", "hidden")
        if counts[name]
    ]
    return _joined(parts, words)


def _reach(card: Card, words: Words) -> str:
    if card.radius_m is None:
        return words("one.reach.grid")
    return words("one.reach", far=metres(card.radius_m, words))


def _state_words(state: Any, words: Words) -> str:
    return asset_state(_text(state) or "unknown", words)


def _tone(state: Any) -> str:
    return "quiet" if _text(state) in ("", "intact") else "state-soon"


def _count(value: Any, words: Words) -> str:
    return words("one.unknown") if value is None or pd.isna(value) else words.number(int(value))


def _joined(texts: list[str], words: Words) -> str:
    return words("one.and").join(texts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
