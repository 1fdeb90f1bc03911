"""The panel on `/planner` that divides an area into balanced grids, or repairs a division."""

from __future__ import annotations

from typing import Any

from dash import html

PANEL = "planner-divide"


def build_divide_panel(store: Any, words: Any) -> html.Div:
    """Build the panel; the browser fills it."""
    return html.Div(id=PANEL)
