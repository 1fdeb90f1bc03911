"""States, verdicts, comments and versions of plans over HTTP, all under `/plan/`."""

from __future__ import annotations

import flask

from dashboards.store import Store


def add_plan_state_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of states, comments and versions to the server of an app."""
