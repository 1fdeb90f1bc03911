"""The division panel of `/planner`: an empty frame that assets/77-plan-divide.js fills.

It divides communities, or the grids chosen on the map, into balanced grids, or repairs them with
the least change; see `dashboards.divide_routes`.
"""

from __future__ import annotations

from dash import html

from dashboards.store import Store
from dashboards.words import Words

PANEL = "plan-divide"


def build_divide_panel(store: Store, words: Words) -> html.Div:
    """Build the panel; the browser fills it once a plan is open."""
    return html.Div(
        html.P(words("plandivide.waiting"), className="pd-note"), id=PANEL, className="pd"
    )
