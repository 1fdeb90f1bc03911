"""What a target puts into the frame of the card: head, sections, moves, marks on the map."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components.card_around import (
    grid_part,
    people_part,
    radius_switch,
    road_words,
    things_part,
)
from dashboards.components.card_case import (
    clock_part,
    log_part,
    moves_part,
    open_part,
    past_part,
    similar_part,
)
from dashboards.components.card_marks import build_marks
from dashboards.components.card_parts import empty
from dashboards.components.card_people import chain_part, departments_part, nearest_part
from dashboards.components.marks import attrs, chip
from dashboards.describe import class_name, clock_line, place_name
from dashboards.one_click import Card, Target, assemble, viewer_of
from dashboards.store import Store
from dashboards.words import Words


def nothing() -> dict[str, Any]:
    return {
        "head": [], "body": [], "actions": [], "seen": None, "owners": [],
        "marks": {"type": "FeatureCollection", "features": []},
    }  # fmt: skip


def answer(
    store: Store, target: Target, person: dict[str, Any] | None, words: Words
) -> dict[str, Any]:
    """Everything that a target puts into the frame."""
    card = assemble(store, target, viewer_of(store, person))
    role = str((person or {}).get("role") or "")
    return {
        "head": build_head(store, card, words),
        "body": build_body(store, card, words, role),
        "actions": moves_part(card, words, role),
        "marks": {**build_marks(store, card, words), **_meta(card)},
        "seen": None if card.case is None else _seen(card),
        "owners": _owners(card, words),
    }


def _meta(card: Card) -> dict[str, Any]:
    """What the browser needs to know of an answer besides its marks."""
    around = card.around
    return {
        "grid_id": None if around is None else around.grid_id,
        "at": None if around is None else [around.lon, around.lat],
        "of": card.target.data(),
    }


def _seen(card: Card) -> dict[str, Any]:
    assert card.case is not None
    return {"incident_id": card.target.id, "seq": card.case.case.seq}


def build_head(store: Store, card: Card, words: Words) -> list[Any]:
    """What was clicked, where it is, and how it stands."""
    title, note = _title(store, card, words)
    sign: list[Any] = []
    if card.case is not None:
        line = clock_line(card.case.clock, words)
        sign.append(chip(line.state, line.chip))
    tools: list[Any] = []
    if card.lon is not None and card.lat is not None:
        tools.append(tool("icon-fly", words("one.locate", what=title),
                           locate=f"{card.lon:.6f},{card.lat:.6f}"))  # fmt: skip
    tools.append(tool("icon-close", words("one.close"), card="close"))
    return [
        html.Div(
            [
                html.H2(title, tabIndex="-1"),
                html.Span([note, *sign], className="panel-note card-where"),
                *([switch] if (switch := radius_switch(card, words)) is not None else []),
            ]
        ),
        *tools,
    ]


def tool(icon: str, label: str, **data: str) -> html.Button:
    named = {f"data-{key}": value for key, value in data.items()}
    return html.Button(
        html.I(className=icon, **attrs({"aria-hidden": "true"})),
        className="icon-button",
        type="button",
        title=label,
        **attrs({"aria-label": label, **named}),
    )


def _title(store: Store, card: Card, words: Words) -> tuple[str, str]:
    target = card.target
    if not card.is_known:
        return words(f"one.unknown.{target.kind}"), target.id or ""
    snapshot = store.snapshot()
    if card.case is not None:
        row = card.case.row
        what = class_name(_text(row["class_code"]), _text(row["category"]), words, card.classes)
        return what, f"{target.id} · {_where(store, card, words)}"
    if target.kind == "grid":
        position = snapshot.city.position.get(target.id or "")
        name = snapshot.city.names[position] if position is not None else target.id or ""
        kind = "" if card.around is None or card.around.grid is None else card.around.grid["kind"]
        key = f"kind.{kind}"
        return name, f"{target.id} · {words(key)}" if words.has(key) else str(target.id)
    assert card.lon is not None
    assert card.lat is not None
    return _where(store, card, words), words(
        "one.coordinates", lon=f"{card.lon:.5f}", lat=f"{card.lat:.5f}"
    )


def _where(store: Store, card: Card, words: Words) -> str:
    """The place in words: the water or park, the grid, the road, or that it is outside."""
    around = card.around
    if around is None:
        return words("list.noplace")
    if len(around.areas):
        area = around.areas.iloc[0]
        kind = words(f"area.{area['kind']}")
        return words("one.area", kind=kind, name=_text(area["name"]) or kind)
    snapshot = store.snapshot()
    position = snapshot.city.position.get(around.grid_id or "")
    if position is not None:
        return place_name(snapshot, position)
    if card.chain is not None:
        return words("one.nogrid", name=card.chain.steps[0].name)
    return words("list.outside")


def build_body(store: Store, card: Card, words: Words, role: str) -> list[Any]:
    """The sections of the card, the most pressing first."""
    if not card.is_known:
        return [html.Div(words(f"one.unknown.{card.target.kind}.why"), className="empty")]
    settings = store.settings
    can_merge = False
    if card.case is not None and role and card.case.case.is_open:
        can_merge = any(move.name == "merge" for move in card.case.allowed(role, card.at))
    parts = [
        clock_part(card, words),
        similar_part(card, words, can_merge),
        chain_part(card, words),
        nearest_part(card, words, settings.on_duty_minutes),
        things_part(card, words) if card.case is not None else None,
        log_part(card, words),
        open_part(card, words, settings.soon_minutes),
        people_part(card, words),
        things_part(card, words) if card.case is None else None,
        past_part(card, words, settings.card_days),
        grid_part(card, words, _area_ha(store, card)),
        departments_part(card, words),
    ]
    shown: list[Any] = [part for part in parts if part is not None]
    if card.around is None and card.case is not None:
        shown.insert(1, empty(words("one.unplaced")))
    road = "" if card.around is None else road_words(card.around, words)
    if road:
        shown.append(empty(road))
    return shown


def _area_ha(store: Store, card: Card) -> float | None:
    """Hectares of the card's grid."""
    city = store.snapshot().city
    grid_id = None if card.around is None else card.around.grid_id
    position = city.position.get(grid_id or "")
    return None if position is None else float(city.area_m2[position]) / 10_000


def _owners(card: Card, words: Words) -> list[dict[str, Any]]:
    """Whom a case can be handed to: departments, and the units of the chain."""
    groups = []
    first = [card.suggested, card.thing[2].department if card.thing is not None else None]
    likely = list(dict.fromkeys(d.code for d in first if d is not None))
    names = {d.code: d.name for d in card.departments}
    if likely:
        items = [{"value": code, "label": names[code]} for code in likely]
        groups.append({"group": words("one.suggested"), "items": items})
    if card.departments:
        items = [{"value": d.code, "label": d.name} for d in card.departments]
        items = [item for item in items if item["value"] not in likely]
        groups.append({"group": words("one.departments"), "items": items})
    if card.chain is not None:
        items = [{"value": step.code, "label": step.name} for step in card.chain.steps]
        groups.append({"group": words("one.chain"), "items": items})
    return groups


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
