"""The versions panel of `/planner`: states, verdict, comments and past versions of a plan.

An empty frame that assets/79-plan-versions.js fills from the routes of
`dashboards.plan_state_routes`.
"""

from __future__ import annotations

from dash import html

from dashboards.store import Store
from dashboards.words import Words

PANEL = "plan-versions"


def build_versions_panel(store: Store, words: Words) -> html.Div:
    """The panel, without rows; the browser asks for them."""
    return html.Div(
        html.P(words("planversions.waiting"), className="pv-waiting"), id=PANEL, className="pv"
    )
