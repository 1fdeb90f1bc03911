"""What the replay tells in words and numbers: a day, its incidents, streets, tracks, who passed.

Times are seconds since the midnight at which the day begins, so that they are small numbers and no
zone is needed in the browser.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import sqlalchemy as sa

from dashboards.describe import class_name
from dashboards.replay_area import Area
from dashboards.replay_days import Day
from dashboards.store import Store
from dashboards.words import Words
from geo.replay import AWAY, SILENT, Passed

MOST_INCIDENTS = 20_000
"""Open or closed within one day; the newest are sent, and how many more there are is told."""

MOST_ROWS = 500
"""Of who passed; all are counted."""


def days_json(store: Store) -> dict[str, Any]:
    """The days that have fixes, as far as that is known without reading them, and today."""
    today = store.clock().astimezone(store.zone).date()
    table = store.workspace.table("fixes")
    query = sa.select(sa.func.min(table.c.time), sa.func.max(table.c.time))
    with store.workspace.reading() as conn:
        ends = [pd.Timestamp(end) for end in conn.execute(query).one() if end is not None]
    days = set(store.workspace.days_of_fixes())
    if ends:
        first, last = (end.tz_convert(store.zone).date() for end in ends)
        days |= {first + timedelta(days=k) for k in range((min(last, today) - first).days + 1)}
    return {"days": [day.isoformat() for day in sorted(days)], "today": today.isoformat()}


def day_json(store: Store, day: Day, words: Words, *, may: bool, own: str = "") -> dict[str, Any]:
    """Summary of a day: span, workers, fixes by minute; names for those who may see tracks."""
    replay, snapshot = day.replay, store.snapshot()
    people = replay.people()
    last_s = float(replay.milli.max()) / 1000 if len(replay) else 0.0
    first_s = float(replay.milli.min()) / 1000 if len(replay) else 0.0
    listed = people if may else people[people.index == own]
    return {
        "day": day.date.isoformat(),
        "version": day.version,
        "whole": day.is_whole,
        "since": replay.since.timestamp() * 1000,
        "length": (replay.until - replay.since).total_seconds(),
        "first": first_s,
        "last": last_s,
        "fixes": len(replay),
        "workers": len(people),
        "staff": len(snapshot.workers.people),
        "removed": int(replay.removed.sum()),
        "gap": replay.gap_s,
        "density": replay.count_fixes(60.0).tolist(),
        "streets": day.streets is not None,
        "may": may,
        "own": own,
        "why": "" if may else words("workers.hidden"),
        "people": _people_json(store, day, listed),
    }


def _people_json(store: Store, day: Day, people: pd.DataFrame) -> list[list[Any]]:
    """Row, number, name, unit, first and last second, fixes of each."""
    known = store.snapshot().workers.people
    named = known["name"].reindex(people.index)
    units = known["unit_code"].reindex(people.index)
    city = store.snapshot().city
    places = city.place_names
    rows = day.replay.names.get_indexer(people.index)
    since = pd.Timestamp(day.replay.since)
    ends = [
        ((people[name] - since) / pd.Timedelta(seconds=1)).tolist() for name in ("first", "last")
    ]
    found = []
    for row, worker, name, unit, first, last, fixes in zip(
        rows.tolist(), people.index, named, units, *ends, people["fixes"].tolist(), strict=True
    ):
        at = city.position.get(str(unit))
        place = places[at] if at is not None else ""
        label = str(name) if isinstance(name, str) else str(worker)
        found.append([row, str(worker), label, place, round(first), round(last), fixes])
    return found


def incidents_json(store: Store, since: datetime, until: datetime, words: Words) -> dict[str, Any]:
    """Cases with a place that were open at some time of the day, when they came and went."""
    table = store.workspace.table("incidents")
    columns = [
        "class_code",
        "category",
        "lon",
        "lat",
        "reported_at",
        "deadline",
        "closed_at",
        "stage",
    ]
    where = (
        (table.c.reported_at < until)
        & (table.c.closed_at.is_(None) | (table.c.closed_at >= since))
        & table.c.lon.is_not(None)
        # A cancelled case that says not when was open nobody knows how long.
        & ((table.c.stage != "cancelled") | table.c.closed_at.is_not(None))
    )
    total = store.workspace.count("incidents", where)
    found = store.workspace.read(
        "incidents", where=where, columns=columns, limit=MOST_INCIDENTS,
        order_by=table.c.reported_at.desc(),
    )  # fmt: skip
    classes = store.rules.classes
    names = {
        pair: class_name(*pair, words, classes)
        for pair in set(zip(_texts(found["class_code"]), _texts(found["category"]), strict=True))
    }
    kinds = list(names.values())
    number = {pair: k for k, pair in enumerate(names)}
    rows = [
        [str(key), number[(code, category)], round(lon, 6), round(lat, 6), *moments]
        for key, code, category, lon, lat, *moments in zip(
            found.index,
            _texts(found["class_code"]),
            _texts(found["category"]),
            found["lon"].tolist(),
            found["lat"].tolist(),
            *(_seconds(found[name], since) for name in ("reported_at", "deadline", "closed_at")),
            strict=True,
        )
    ]
    return {"kinds": kinds, "rows": rows, "more": max(0, total - len(rows))}


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]


def _seconds(column: pd.Series, since: datetime) -> list[int | None]:
    moments = pd.to_datetime(column, utc=True)
    told = (moments - pd.Timestamp(since)) / pd.Timedelta(seconds=1)
    return [None if pd.isna(value) else round(value) for value in told]


def streets_body(store: Store, day: Day) -> bytes:
    """Streets by the bin in which they were first reached: lines, and covered share by bin."""
    streets = day.streets
    assert streets is not None
    back = pyproj.Transformer.from_crs(store.workspace.metric_crs(), "EPSG:4326", always_xy=True)
    ends = streets.pieces.ends
    lon0, lat0 = back.transform(ends[:, 0], ends[:, 1])
    lon1, lat1 = back.transform(ends[:, 2], ends[:, 3])
    places = np.round(np.column_stack([lon0, lat0, lon1, lat1]), 6)
    features = [
        {"type": "Feature", "id": int(number), "properties": {"b": int(number)},
         "geometry": {"type": "MultiLineString",
                      "coordinates": _chains(places[streets.first == number])}}
        for number in np.unique(streets.first[streets.first >= 0])
    ]  # fmt: skip
    body = {
        "bin": streets.bin_s,
        "street_m": round(streets.street_m),
        "covered_m": np.round(streets.covered_m).astype(int).tolist(),
        "lines": {"type": "FeatureCollection", "features": features},
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _chains(places: npt.NDArray[np.float64]) -> list[list[list[float]]]:
    """Pieces that follow each other as one line each."""
    follows = (places[1:, :2] == places[:-1, 2:]).all(axis=1)
    begins = np.flatnonzero(np.concatenate([[True], ~follows]))
    stops = np.concatenate([begins[1:], [len(places)]])
    return [
        [places[begin, :2].tolist(), *places[begin:stop, 2:].tolist()]
        for begin, stop in zip(begins, stops, strict=True)
    ]


def shares_json(store: Store, day: Day, since: datetime, until: datetime) -> dict[str, Any]:
    """How many workers had a fix in each grid in a span; nobody by name."""
    replay, city = day.replay, store.snapshot().city
    begin, end = (
        round((moment - replay.since).total_seconds() * 1000) for moment in (since, until)
    )
    inside = np.flatnonzero((replay.milli >= begin) & (replay.milli < end))
    who = np.searchsorted(replay.first, inside, side="right") - 1
    row = city.assign(replay.lon[inside] * 1e-7, replay.lat[inside] * 1e-7)
    pairs = np.unique(np.column_stack([row, who])[row >= 0], axis=0)
    counts = np.bincount(pairs[:, 0], minlength=len(city.grids))
    ids = city.grids.index.astype(str)
    told = [[ids[k], city.place_names[k], int(counts[k])] for k in np.flatnonzero(counts)]
    told.sort(key=lambda one: (-one[2], one[0]))
    seconds = [round((moment - replay.since).total_seconds()) for moment in (since, until)]
    return {
        "from": seconds[0],
        "to": seconds[1],
        "workers": len(np.unique(who)),
        "grids": told,
        "empty": len(city.grids) - len(told),
    }


def track_json(store: Store, day: Day, worker: str) -> dict[str, Any]:
    """The track of one worker: places, seconds, pieces, and which grid each fix lies in."""
    track, city = day.replay.track(worker), store.snapshot().city
    row = city.assign(track["lon"].to_numpy(), track["lat"].to_numpy())
    seconds = (track["time"] - pd.Timestamp(day.replay.since)) / pd.Timedelta(seconds=1)
    used = np.unique(row[row >= 0])
    return {
        "worker": worker,
        "lon": np.round(track["lon"], 6).tolist(),
        "lat": np.round(track["lat"], 6).tolist(),
        "t": np.round(seconds, 1).tolist(),
        "piece": track["piece"].tolist(),
        "grid": row.tolist(),
        "grids": {str(k): city.place_names[k] for k in used},
    }


def places_json(store: Store, day: Day, at: datetime) -> dict[str, Any]:
    """State, grid and place of everybody at a moment: the table twin of the map."""
    found, city = day.replay.slice(at, at, step_s=1.0), store.snapshot().city
    state = found.state[:, 0]
    lon, lat = found.lon[:, 0] * 1e-7, found.lat[:, 0] * 1e-7
    there = state != AWAY
    row = np.full(len(found), -1)
    row[there] = city.assign(lon[there], lat[there])
    names = city.place_names
    rows = [
        [int(k), 2 if s == SILENT else 1, names[r] if r >= 0 else "", round(x, 6), round(y, 6)]
        for k, s, r, x, y in zip(
            found.rows[there], state[there], row[there], lon[there], lat[there], strict=True
        )
    ]
    return {"rows": rows}


def passed_json(store: Store, day: Day, area: Area, found: Passed, words: Words) -> dict[str, Any]:
    """Who passed, the first to come first, and of whom it is not known."""
    since = day.replay.since
    table, unknown = found.table, found.unknown.sort_values("from_m")
    rows = [
        [
            *_who(store, str(worker)),
            first,
            last,
            round(minutes, 2),
            round(near, 1),
            round(silent, 1),
        ]
        for worker, first, last, minutes, near, silent in zip(
            table.index,
            _seconds(table["first"], since),
            _seconds(table["last"], since),
            table["minutes"],
            table["nearest_m"],
            table["silent_minutes"],
            strict=True,
        )
    ]
    maybe = [
        [*_who(store, str(worker)), round(silent, 1), None if np.isnan(far) else round(far)]
        for worker, silent, far in zip(
            unknown.index, unknown["silent_minutes"], unknown["from_m"], strict=True
        )
    ]
    without = len(store.snapshot().workers.people.index.difference(day.replay.names))
    return {
        "kind": area.kind,
        "name": area.name,
        "rows": rows[:MOST_ROWS],
        "total": len(rows),
        "unknown": maybe[:MOST_ROWS],
        "unknown_total": len(maybe),
        "without": without,
        "note": words("workers.passed.unseen", n=words.number(without)) if without else "",
    }


def _who(store: Store, worker: str) -> list[str]:
    name = store.snapshot().workers.people["name"].get(worker)
    return [worker, str(name) if isinstance(name, str) else worker]


def day_of(store: Store, told: str | None) -> date:
    """A day of an address, else today."""
    try:
        return date.fromisoformat(told or "")
    except ValueError:
        return store.clock().astimezone(store.zone).date()
