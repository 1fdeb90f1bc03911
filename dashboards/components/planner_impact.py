"""The consequences panel of `/planner`: an empty frame that assets/78-plan-impact.js fills.

What stands in it follows each edit: the browser asks `/plan/<id>/impact` (see
`dashboards.plan_impact_routes`) once an edit is confirmed and changes only what differs.
"""

from __future__ import annotations

from dash import html

from dashboards.components.marks import attrs
from dashboards.store import Store
from dashboards.words import Words

PANEL = "plan-impact"


def build_impact_panel(store: Store, words: Words) -> html.Div:
    """The panel, without figures; the browser asks for them."""
    return html.Div(
        html.P(words("planimpact.waiting"), className="pi-waiting"),
        id=PANEL,
        className="pi",
        **attrs({"data-what": "impact"}),
    )
