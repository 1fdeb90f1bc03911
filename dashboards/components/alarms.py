"""Cases that fell overdue since a page last asked, for pages whose live connection is away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from dashboards.cases import utc64
from dashboards.describe import describe_case
from dashboards.figures import Snapshot
from dashboards.words import Words

MOST_ALARMS = 50


def alarms_since(snapshot: Snapshot, since_ms: float | None, words: Words) -> list[dict[str, Any]]:
    """The open cases whose deadline passed after `since_ms`, the latest last.

    Parameters
    ----------
    since_ms
        What the server's clock said when the page last asked, milliseconds since 1970; None if
        it never did, which gives nothing.
    """
    if since_ms is None:
        return []
    cases, now = snapshot.cases, utc64(snapshot.at)
    since = utc64(datetime.fromtimestamp(since_ms / 1000, UTC))
    late = (snapshot.state == "late") & (cases.deadline >= since)
    found = np.flatnonzero(late)
    found = found[np.argsort(cases.deadline[found], kind="stable")][-MOST_ALARMS:]
    alarms = []
    for k in found:
        line = describe_case(snapshot, int(k), words)
        alarms.append(
            {
                "incident_id": line.id,
                "kind": "overdue",
                "what": line.what,
                "where": line.where,
                "late_s": float((now - cases.deadline[k]) / np.timedelta64(1, "s")),
                "grid_id": line.grid_id,
                "lon": line.lon,
                "lat": line.lat,
            }
        )
    return alarms
