"""Small pieces that the sections of the card are made of: a section, a line of facts, buttons.

Whatever can be pressed is a button with data attributes; the browser's part (45-card.js) reads
them and knows no section.
"""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components.marks import attrs
from dashboards.words import Words


def section(title: str, body: Any, *, note: str = "", name: str = "") -> html.Section:
    """A part of the card with its title; `name` is for the styles and for tests."""
    return html.Section(
        [html.H3([title, html.Span(note, className="panel-note")]), *_listed(body)],
        className="card-part",
        **attrs({"data-part": name}),
    )


def _listed(body: Any) -> list[Any]:
    return list(body) if isinstance(body, (list, tuple)) else [body]


def empty(text: str) -> html.P:
    """Why a section has nothing."""
    return html.P(text, className="empty-line")


def facts(pairs: list[tuple[str, Any, str]]) -> html.Dl:
    """Label, value and tone of figures in a row."""
    return html.Dl(
        [
            html.Div([html.Dt(label), html.Dd(value)], className=tone or "fact")
            for label, value, tone in pairs
        ],
        className="card-facts",
    )


def metres(value: float, words: Words) -> str:
    """12 m, 1.2 km: how far, as people say it."""
    if value < 1000:
        return words("one.metres", n=f"{value:.0f}")
    return words("one.kilometres", n=f"{value / 1000:.1f}")


def button(text: Any, kind: str = "", *, label: str = "", **data: str) -> html.Button:
    """A button that carries what it leads to as data attributes."""
    named = {f"data-{key.replace('_', '-')}": value for key, value in data.items()}
    if label:
        named["aria-label"] = label
    return html.Button(
        text,
        type="button",
        className=f"card-button {kind}".strip(),
        title=label or None,
        **attrs(named),
    )


def locate(lon: float, lat: float, words: Words, what: str) -> html.Button:
    """A button that shows a place on the map."""
    return button(
        html.I(className="icon-fly", **attrs({"aria-hidden": "true"})),
        "is-icon",
        label=words("one.locate", what=what),
        locate=f"{lon:.6f},{lat:.6f}",
    )


def disabled(text: str, reason: str) -> html.Span:
    """What cannot be pressed here, and why."""
    return html.Span(
        [text, html.Span(reason, className="panel-note")],
        className="card-button is-off",
        role="link",
        tabIndex="0",
        title=reason,
        **attrs({"aria-disabled": "true"}),
    )
