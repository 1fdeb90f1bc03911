"""What a person chose on the command page, as the address of the page says it."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.figures import FIGURES
from dashboards.settings import LANGUAGES

LAYER_NAMES = ("incidents", "workers", "assets", "borders", "labels")


@dataclass(frozen=True)
class Choice:
    """What the person chose, as the address says it."""

    language: str
    grid: str | None = None
    figure: str = FIGURES[0]
    layers: tuple[str, ...] = LAYER_NAMES
    view: tuple[float, float, float] | None = None
    """Longitude, latitude, zoom (of a screen with 1080 lines)."""


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
        grid=query.get("grid") or None,
        figure=figure if figure in FIGURES else FIGURES[0],
        layers=layers,
        view=_read_view(query.get("view", "")),
    )


def _read_view(text: str) -> tuple[float, float, float] | None:
    try:
        lon, lat, zoom = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (-180 <= lon <= 180 and -85 <= lat <= 85 and 0 <= zoom <= 22):
        return None
    return lon, lat, zoom
