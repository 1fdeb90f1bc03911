"""Every colour of the product, once: pages take them as CSS variables, plotly and folium as hex.

Two moods: *night* for the wall (dark ground, stronger means brighter) and *day* for desks and
prints (light ground, stronger means darker). In both, a larger value stands out more from the
ground. Every state has a colour, a shape and a word, so that colour is never the only sign;
"unknown" is grey and hatched, never zero and never red.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

from layers.oklch import mix, oklch_to_hex

Mood = Literal["night", "day"]
MOODS: tuple[Mood, ...] = ("night", "day")

FONT_STACK = (
    '"Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", '
    '"Microsoft YaHei", system-ui, sans-serif'
)
"""No web font. Debian names the Noto face "Noto Sans CJK SC", so it stands second."""


@dataclass(frozen=True)
class Tokens:
    """The colours of one mood; the first ten are those of the design, the rest are the map's."""

    ground: str
    panel: str
    line: str
    text: str
    quiet: str
    accent: str
    fine: str
    soon: str
    late: str
    unknown: str
    land: str
    water: str
    water_text: str
    green: str
    square: str
    road: str
    road_casing: str
    rail: str
    border: str
    border_casing: str
    no_data: str
    no_data_hatch: str


TOKENS: dict[Mood, Tokens] = {
    "night": Tokens(
        ground="#0a1020",
        panel="#101a30",
        line="#22304e",
        text="#e8eef8",
        quiet="#9db0cd",
        accent="#38bdf8",
        fine="#34d399",
        soon="#fbbf24",
        late="#fb7185",
        unknown="#94a3b8",
        land="#0d1526",
        water="#12314d",
        water_text="#7fa6c9",
        green="#12291f",
        square="#182138",
        road="#33425f",
        road_casing="#0b1222",
        rail="#4a5874",
        border="#8fa6c8",
        border_casing="#060b17",
        no_data="#3a3f4a",
        no_data_hatch="#737d8f",
    ),
    "day": Tokens(
        ground="#f6f8fb",
        panel="#ffffff",
        line="#d8dfeb",
        text="#16202f",
        quiet="#56657c",
        accent="#0369a1",
        fine="#047857",
        soon="#b45309",
        late="#be123c",
        unknown="#64748b",
        land="#eef1f5",
        water="#c3dcee",
        water_text="#3d6a8c",
        green="#d7e8d3",
        square="#e4e6ec",
        road="#ffffff",
        road_casing="#cbd3df",
        rail="#a3adbb",
        border="#4a5b75",
        border_casing="#ffffff",
        no_data="#d0d2d7",
        no_data_hatch="#8b97a8",
    ),
}


@dataclass(frozen=True)
class State:
    """A state: its colour, its shape, and the key of its word in the catalogues."""

    key: str
    colour: str
    shape: str
    word: str


_STATE_SHAPES = {"fine": "disc", "soon": "triangle", "late": "square", "unknown": "hollow-diamond"}

_RAMPS: dict[str, tuple[float, float, float]] = {
    # name: hue in degrees, chroma on night, chroma on day
    "blue": (252.0, 0.125, 0.135),
    "teal": (186.0, 0.095, 0.090),
    "violet": (298.0, 0.150, 0.150),
    "ochre": (68.0, 0.115, 0.115),
}
RAMPS = tuple(_RAMPS)
"""Names of the sequential ramps. The same figure has the same ramp on every page."""

_ENDS: dict[Mood, tuple[float, float]] = {"night": (0.320, 0.785), "day": (0.925, 0.420)}
"""Lightness of the weakest and the strongest class."""


def tokens(mood: Mood) -> Tokens:
    """The colours of a mood."""
    return TOKENS[mood]


def css_variables(mood: Mood) -> str:
    """The declarations `--ground: #0a1020; …` for one CSS rule, one a line, ramps included.

    The caller writes the selector: `f":root {{ {css_variables('night')} }}"`.
    """
    lines = [
        f"--{name.replace('_', '-')}: {value};" for name, value in asdict(tokens(mood)).items()
    ]
    for name in RAMPS:
        lines += [f"--{name}-{i}: {c};" for i, c in enumerate(sequential(mood, 6, name), start=1)]
    lines.append(f"--font: {FONT_STACK};")
    return "\n".join(lines)


def states(mood: Mood) -> dict[str, State]:
    """The states fine, soon, late and unknown with colour, shape and key of the word."""
    colours = asdict(tokens(mood))
    return {
        key: State(key, colours[key], shape, f"state.{key}") for key, shape in _STATE_SHAPES.items()
    }


@lru_cache(maxsize=256)
def sequential(mood: Mood, count: int, name: str = "blue") -> tuple[str, ...]:
    """`count` colours of one hue from faint to strong, even in lightness.

    Even steps of OKLab lightness keep neighbours apart for every kind of colour vision; chroma
    rises to two thirds of the ramp and falls again, so that neither end turns muddy or garish.
    One colour alone is the middle of the ramp.
    """
    hue, night_chroma, day_chroma = _RAMPS[name]
    top = night_chroma if mood == "night" else day_chroma
    start, end = _ENDS[mood]
    colours = []
    for i in range(count):
        share = i / (count - 1) if count > 1 else 0.55
        chroma = top * (1 - 1.2 * (share - 0.6) ** 2)
        colours.append(oklch_to_hex(start + (end - start) * share, max(chroma, 0.02), hue))
    return tuple(colours)


@lru_cache(maxsize=64)
def diverging(mood: Mood, count: int) -> tuple[str, ...]:
    """`count` colours from purple (less) over the ground's grey (no change) to orange (more).

    Odd counts have the grey in the middle. Never red to green.
    """
    purple = oklch_to_hex(0.72 if mood == "night" else 0.45, 0.17, 300)
    orange = oklch_to_hex(0.78 if mood == "night" else 0.58, 0.15, 60)
    middle = "#2b3448" if mood == "night" else "#eceef2"
    colours = []
    for i in range(count):
        share = 2 * i / (count - 1) - 1 if count > 1 else 0.0
        colours.append(mix(middle, purple if share < 0 else orange, abs(share)))
    return tuple(colours)


def category(mood: Mood) -> tuple[str, ...]:
    """Six colours for kinds without an order, none of them the colour of a state.

    Six is as many as stay apart for every kind of colour vision; a seventh kind is "other".
    """
    if mood == "night":
        return ("#60a5fa", "#c4b5fd", "#5eead4", "#d6a26a", "#e879f9", "#cbd5e1")
    return ("#1d4ed8", "#7c3aed", "#0f766e", "#92602a", "#a21caf", "#475569")
