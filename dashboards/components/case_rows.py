"""Rows of the table of cases, as the browser draws them: words finished, times as numbers too."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from dashboards.components.case_desk import People, unit_names
from dashboards.components.case_words import (
    at_word,
    class_word,
    level_word,
    plain,
    role_word,
    source_word,
    stage_word,
    utc,
)
from dashboards.describe import place_name
from dashboards.store import Store
from dashboards.words import Words


def clock_word(
    words: Words, state: str, late_s: float, paused_until: str, stage: str
) -> str:  # fmt: skip
    """What a clock that does not run says; a running one is counted by the browser."""
    if state == "paused":
        return (
            words("cases.clock.paused", time=paused_until)
            if paused_until
            else words("cases.clock.paused.open")
        )
    if state == "done_late":
        return words("cases.clock.done_late", span=words.span(late_s))
    if state == "done":
        return words("cases.clock.done")
    return words("cases.clock.before" if stage in ("collected", "opened") else "cases.clock.none")


def rows_json(
    store: Store, frame: pd.DataFrame, at: datetime, words: Words
) -> list[dict[str, Any]]:
    """One object a row of `frame` (a page of cases indexed by `incident_id`), in its order."""
    if not len(frame):
        return []
    snapshot, zone = store.snapshot(), store.zone
    people, names = People(store, at), unit_names(store)
    lon = frame["lon"].to_numpy(dtype=np.float64, na_value=np.nan)
    lat = frame["lat"].to_numpy(dtype=np.float64, na_value=np.nan)
    grid_rows = snapshot.city.assign(lon, lat)
    found = []
    for k, (case, row) in enumerate(zip(frame.index, frame.to_dict("records"), strict=True)):
        grid, state = int(grid_rows[k]), str(row["state"])
        placed = bool(np.isfinite(lon[k]) and np.isfinite(lat[k]))
        owner, stage = plain(row["owner"]), plain(row["stage"])
        grid_id = str(snapshot.city.grids.index[grid]) if grid >= 0 else ""
        person = people.of_unit(owner or grid_id) if owner or grid_id else None
        due, reported = utc(row["deadline"]), utc(row["reported_at"])
        paused = at_word(words, row["paused_until"], at, zone)
        late_s = float(row["late_s"])
        found.append(
            {
                "id": str(case),
                "code": plain(row["class_code"]),
                "what": class_word(store, row["class_code"], row["category"], words),
                "description": plain(row["description"]),
                "where": place_word(store, grid, placed, words),
                "address": plain(row["address"]),
                "grid_id": grid_id,
                "lon": round(float(lon[k]), 6) if placed else None,
                "lat": round(float(lat[k]), 6) if placed else None,
                "stage": stage,
                "stage_word": stage_word(words, stage),
                "state": state,
                "due": None if due is None else due.timestamp(),
                "due_text": "" if due is None else at_word(words, due, at, zone),
                "clock": clock_word(words, state, late_s, paused, stage),
                "owner": owner_word(words, names.get(owner, owner), stage),
                "level_word": level_word(words, row["level"]),
                "reported": None if reported is None else reported.timestamp(),
                "reported_text": at_word(words, reported, at, zone),
                "age": _age(words, reported, at),
                "source": source_word(words, row["source"]),
                "person": person.name if person else "",
                "person_role": role_word(words, person.role) if person else "",
            }
        )
    return found


def owner_word(words: Words, name: str, stage: str) -> str:
    """Who has a case; before dispatch nobody, and an imported file may not tell."""
    if name or stage not in ("collected", "opened"):
        return name
    return words("cases.owner.none")


def place_word(store: Store, grid: int, placed: bool, words: Words) -> str:
    """Community and grid of a row, or why there are none."""
    if grid >= 0:
        return place_name(store.snapshot(), grid)
    return words("cases.place.outside") if placed else words("cases.place.none")


def _age(words: Words, reported: datetime | None, at: datetime) -> str:
    if reported is None:
        return ""
    return words("cases.age", span=words.span(max((at - reported).total_seconds(), 0)))
