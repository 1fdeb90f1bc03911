"""What a person chose on the command page, as the address of the page says it."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.components.city_map import LAYER_NAMES
from dashboards.one_click import Target, read_target
from dashboards.settings import LANGUAGES

FIGURES = (
    "open", "overdue", "per_1000", "rounds", "coverage", "households", "population", "assets",
)  # fmt: skip
"""What units can be shaded by, in the order of the switch."""

TOUR_S = (2, 3600)
"""Shortest and longest stay at a view of the tour, seconds."""
TOUR_DEFAULT_S = 20


@dataclass(frozen=True)
class Choice:
    """What the person chose, as the address says it."""

    language: str
    target: Target | None = None
    """What the card shows: an incident, a grid or a place."""
    figure: str = FIGURES[0]
    layers: tuple[str, ...] = LAYER_NAMES
    view: tuple[float, float, float] | None = None
    """Longitude, latitude, zoom (of a screen with 1080 lines)."""
    unit: str | None = None
    """Code of the unit that the page is about; None is the whole city."""
    level: str | None = None
    """Level to shade, or `zone:` and a kind of custom areas; None is the next one below."""
    kiosk: bool = False
    """A wall without hands: no controls, and a tour through the views."""
    tour_s: int = TOUR_DEFAULT_S


def read_choice(query: dict[str, str], default_language: str) -> Choice:
    """The choice in an address; what cannot be understood is left at its default."""
    language = query.get("lang", default_language)
    figure = query.get("figure", FIGURES[0])
    layers: tuple[str, ...] = LAYER_NAMES
    if "layers" in query:
        asked = query["layers"].split(",")
        layers = tuple(name for name in LAYER_NAMES if name in asked)
    return Choice(
        language=language if language in LANGUAGES else default_language,
        target=read_target(query),
        figure=figure if figure in FIGURES else FIGURES[0],
        layers=layers,
        view=_read_view(query.get("view", "")),
        unit=query.get("unit") or None,
        level=query.get("level") or None,
        kiosk=query.get("kiosk") == "1",
        tour_s=_read_tour(query.get("tour", "")),
    )


def _read_tour(text: str) -> int:
    low, high = TOUR_S
    return min(max(int(text), low), high) if text.isdecimal() else TOUR_DEFAULT_S


def _read_view(text: str) -> tuple[float, float, float] | None:
    try:
        lon, lat, zoom = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (-180 <= lon <= 180 and -85 <= lat <= 85 and 0 <= zoom <= 22):
        return None
    return lon, lat, zoom
