"""The sign of a state: colour and shape together, drawn by CSS (`mark` in 10-base.css)."""

from __future__ import annotations

from typing import Any

from dash import html

SHAPES = {
    "fine": "disc",
    "soon": "triangle",
    "late": "square",
    "paused": "bars",
    "none": "ring",
    "closed": "ring",
    "unknown": "diamond",
}


def attrs(values: dict[str, str]) -> dict[str, Any]:
    """`data-` and `aria-` attributes, which dash takes only by name."""
    return {**values}


def mark(state: str) -> html.I:
    """A small shape in the colour of the state; the word stands beside it."""
    return html.I(
        className=f"mark mark-{SHAPES[state]} state-{state}", **attrs({"aria-hidden": "true"})
    )


def chip(state: str, text: str) -> html.Span:
    """Shape, colour and word of a state."""
    return html.Span([mark(state), text], className=f"chip state-{state}")


def worker_mark(state: str) -> html.I:
    """The shape of a worker's state, or of a kind of alarm; the word stands beside it."""
    return html.I(className=f"mark-w is-{state}", **attrs({"aria-hidden": "true"}))
