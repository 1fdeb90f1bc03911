"""Things of a snapshot in the words of a language: a grid's place, a case's class, a chip.

Everything a page says about a single grid, incident or worker is put into words here, so that the
live list, the card of a grid and the marks on the map never call one thing by two names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from dashboards.figures import Snapshot
from dashboards.words import Words
from geo import codes
from geo.errors import CodeError
from geo.responsibility import mask_phone

ROLE_ORDER = ("grid_head", "grid_worker", "deputy", "assistant", "police")


@dataclass(frozen=True)
class CaseLine:
    """One incident as a line of a list."""

    id: str
    what: str
    where: str
    when: str
    moment: datetime
    state: str
    chip: str
    grid_id: str | None
    lon: float | None
    lat: float | None


@dataclass(frozen=True)
class Person:
    """Someone who answers for a grid; the number is masked."""

    name: str
    role: str
    phone: str
    seen: str
    is_fresh: bool


def class_name(code: str, category: str, words: Words) -> str:
    """The class of an incident or asset in words; the source's own word where we have none."""
    if code:
        try:
            return codes.class_name(code, words.language)
        except (CodeError, KeyError):
            return category or code
    return category or words("none")


def place_name(snapshot: Snapshot, row: int) -> str:
    """Community and grid, as a short line."""
    place = snapshot.city.places.iloc[row] if len(snapshot.city.places.columns) else {}
    for level in ("community", "street"):
        above = place.get(level)
        if isinstance(above, str) and above:
            name = snapshot.city.names[row]
            return name if name.startswith(above) else f"{above} · {name}"
    return snapshot.city.names[row]


def describe_case(snapshot: Snapshot, k: int, words: Words) -> CaseLine:
    """The line of incident number `k` of the snapshot."""
    cases, zone = snapshot.cases, snapshot.at.tzinfo
    reported = pd.Timestamp(cases.reported[k], tz="UTC").to_pydatetime().astimezone(zone)
    row = int(cases.row[k])
    placed = bool(np.isfinite(cases.lon[k]) and np.isfinite(cases.lat[k]))
    if row >= 0:
        where = place_name(snapshot, row)
    else:
        where = words("list.outside") if placed else words("list.noplace")
    state = str(snapshot.state[k])
    return CaseLine(
        id=str(cases.ids[k]),
        what=class_name(str(cases.class_code[k]), str(cases.category[k]), words),
        where=where,
        when=words.moment(reported, snapshot.at),
        moment=reported,
        state=state,
        chip=_chip(snapshot, k, state, words),
        grid_id=str(snapshot.city.grids.index[row]) if row >= 0 else None,
        lon=float(cases.lon[k]) if placed else None,
        lat=float(cases.lat[k]) if placed else None,
    )


def _chip(snapshot: Snapshot, k: int, state: str, words: Words) -> str:
    """The stage, or how late, or how long is left."""
    deadline = snapshot.cases.deadline[k]
    if state in ("late", "soon"):
        left = pd.Timestamp(deadline, tz="UTC") - pd.Timestamp(snapshot.at)
        span = words.span(abs(left.total_seconds()))
        return words("state.late.by" if state == "late" else "state.soon.in", span=span)
    return words(f"stage.{snapshot.cases.stage[k]}")


def people_of_grid(snapshot: Snapshot, row: int, words: Words, fresh_s: float) -> list[Person]:
    """Those registered for the grid, heads first, then its community's if it has none."""
    people = snapshot.workers.people
    if not len(people):
        return []
    grid_id = str(snapshot.city.grids.index[row])
    found = people[people["unit_code"] == grid_id]
    if not len(found):
        community = snapshot.city.grids["community_code"].iloc[row]
        found = people[people["unit_code"] == community] if pd.notna(community) else found
    order = {role: k for k, role in enumerate(ROLE_ORDER)}
    found = found.assign(_rank=[order.get(str(r), 99) for r in found["role"]])
    found = found.sort_values("_rank", kind="stable")
    positions = snapshot.workers.positions
    persons = []
    for worker_id, person in found.iterrows():
        seen, fresh = words("grid.worker.unseen"), False
        if worker_id in positions.index:
            age = (pd.Timestamp(snapshot.at) - positions.at[worker_id, "time"]).total_seconds()
            seen = words("grid.worker.seen", span=words.span(max(age, 0)))
            fresh = age <= fresh_s
        role_key = f"role.{person['role']}"
        role = words(role_key) if words.has(role_key) else str(person["role"])
        phone = mask_phone(person["phone"])
        persons.append(Person(str(person["name"]), role, phone, seen, fresh))
    return persons
