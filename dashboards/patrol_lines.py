"""Open alarms about patrols as screens show them: SOS, off post, no signal, a round at risk.

Who watches the workers (`dashboards.watching`) says which alarms are open; while nobody does, the
table `patrol_alarms` is read, again when its stamp changed. An alarm is open until it is over; an
SOS is over when somebody has acknowledged it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboards.describe import place_name
from dashboards.figures import Snapshot
from dashboards.store import Store
from dashboards.words import Words
from geo.schema import ALARM_KINDS

ORDER = ("sos", "off_post", "round_at_risk", "no_signal", "out_of_grid", "standing")
"""Kinds of alarms, the loudest first."""

assert set(ORDER) == set(ALARM_KINDS), "a kind of alarm has no place in the order"

MOST = 2_000
"""So many open alarms are shown; in a city with more the newest of each kind are enough."""


@dataclass(frozen=True, eq=False)
class OpenAlarms:
    """The open alarms of one state of the table, the loudest kind and the newest first."""

    stamp: str
    rows: pd.DataFrame
    calling: frozenset[str]
    """Workers who called for help, and nobody has acknowledged it."""


def read_alarms(store: Store) -> OpenAlarms:
    """The open alarms, read again only if the table changed."""
    watching = store.watching
    if watching is not None:
        mark = f"watch-{watching.mark}"
        return store.remember("patrol-alarms", mark, lambda: _ordered(mark, watching.alarms))
    stamp = store.workspace.stamp("patrol_alarms")
    table = store.workspace.table("patrol_alarms")
    is_open = table.c.ended_at.is_(None)
    return store.remember(
        "patrol-alarms",
        stamp,
        lambda: _ordered(stamp, store.workspace.read("patrol_alarms", where=is_open)),
    )


def _ordered(stamp: str, rows: pd.DataFrame) -> OpenAlarms:
    rank = rows["kind"].map({kind: k for k, kind in enumerate(ORDER)})
    rows = rows.assign(rank=rank).sort_values(
        ["rank", "fired_at"], ascending=[True, False], kind="stable"
    )
    is_calling = (rows["kind"] == "sos") & rows["seen_at"].isna()
    calling = frozenset(rows.loc[is_calling, "worker_id"].dropna().astype(str))
    return OpenAlarms(stamp, rows.drop(columns="rank").head(MOST), calling)


def describe_alarms(snapshot: Snapshot, rows: pd.DataFrame, words: Words) -> list[dict[str, Any]]:
    """Alarms in words: who, where, since when; places and times as the map and clocks take them."""
    people = snapshot.workers.people
    names = people["name"].reindex(rows["worker_id"]).to_list() if len(rows) else []
    return [
        _describe(snapshot, str(row.Index), row, name, words)
        for row, name in zip(rows.itertuples(), names, strict=True)
    ]


def _describe(
    snapshot: Snapshot, alarm_id: str, row: Any, name: Any, words: Words
) -> dict[str, Any]:
    city = snapshot.city
    worker = None if pd.isna(row.worker_id) else str(row.worker_id)
    grid_id = None if pd.isna(row.grid_id) else str(row.grid_id)
    at = city.position.get(grid_id, -1) if grid_id else -1
    place: list[float] | None = None
    if not pd.isna(row.lon) and not pd.isna(row.lat):
        place = [round(float(row.lon), 6), round(float(row.lat), 6)]
        if at < 0:
            # A phone that calls knows its place and no grid.
            at = int(city.assign([row.lon], [row.lat])[0])
    where = place_name(snapshot, at) if at >= 0 else words("patrol.nowhere")
    units = [city.unit_of_grid(level).iloc[at] for level in city.levels[1:-1]] if at >= 0 else []
    return {
        "id": alarm_id,
        "kind": str(row.kind),
        "worker_id": worker,
        "who": (worker or "") if pd.isna(name) else str(name),
        "grid_id": str(city.grids.index[at]) if at >= 0 else None,
        "where": where,
        "units": [str(code) for code in units if not pd.isna(code)],
        "shift": None if pd.isna(row.shift) else str(row.shift),
        "began": _seconds(row.began_at),
        "fired": _seconds(row.fired_at),
        "seen": None if pd.isna(row.seen_at) else _seconds(row.seen_at),
        "by": None if pd.isna(row.seen_by) else str(row.seen_by),
        "place": place,
        "detail": _detail(row.detail),
    }


def _seconds(moment: pd.Timestamp) -> int:
    return int(moment.timestamp())


def _detail(text: Any) -> dict[str, Any]:
    """The figures of an alarm; whoever wrote something else than an object said nothing."""
    if pd.isna(text):
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
