"""People, units and departments of a city as the pages of cases name them.

Nobody signs in, so everyone who holds a role that moves cases may be chosen. Heads of divisions
stand in the register under the name of their post; they urge as leaders and handle as owners.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from dashboards.components.case_words import level_word, plain, role_word
from dashboards.describe import place_name
from dashboards.figures import Snapshot
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import CodeError
from geo.incidents import ROLES
from geo.responsibility import Chain, ChainIndex, Holder, Viewer
from geo.schema import CASE_LEVELS

DESK_ROLES = ("acceptor", "dispatcher", "inspector", "shift_leader", "leader", "handler")
ACTS_AS = {
    "contact": ("handler",),
    "community_head": ("handler", "leader"),
    "street_head": ("handler", "leader"),
    "district_head": ("handler", "leader"),
    "city_head": ("leader",),
}
"""Posts of the register that are no role of a case, and as what their holders move cases."""

PEOPLE_SHOWN = 60
UNITS_SHOWN = 50
_UNIT_TABLES = ("divisions", "grids", "departments")


@dataclass(frozen=True)
class Actor:
    """Somebody who may be chosen as oneself, in one role."""

    id: str
    name: str
    role: str
    unit: str
    unit_name: str


def find_actors(store: Store, words: Words, text: str) -> tuple[list[Actor], int]:
    """Everyone whose name, number, role or unit has `text`, desk roles first; how many more."""
    parts = text.lower().split()
    found = [
        actor
        for actor, hay in _actors(store, words)
        if all(part in hay for part in parts)
    ]  # fmt: skip
    return found[:PEOPLE_SHOWN], max(0, len(found) - PEOPLE_SHOWN)


def _actors(store: Store, words: Words) -> list[tuple[Actor, str]]:
    stamp = store.workspace.stamp("workers", "duties", *_UNIT_TABLES)
    return store.remember(("actors", words.language), stamp, lambda: _read_actors(store, words))


def _read_actors(store: Store, words: Words) -> list[tuple[Actor, str]]:
    workers = store.workspace.read("workers")
    duties = store.workspace.read("duties")
    names = {str(key): plain(name) for key, name in workers["name"].items()}
    posts = [
        (str(key), plain(role), plain(unit))
        for key, role, unit in zip(
            workers.index, workers["role"], workers["unit_code"], strict=True
        )
    ]
    if len(duties):
        now = pd.Timestamp(store.clock())
        held = duties[(duties["valid_from"] <= now) & ~(duties["valid_to"] <= now)]
        posts += [
            (plain(worker), plain(role), plain(unit))
            for worker, role, unit in zip(
                held["worker_id"], held["role"], held["unit_code"], strict=True
            )
        ]
    units = unit_names(store)
    order = {role: k for k, role in enumerate((*DESK_ROLES, *ROLES))}
    actors: dict[tuple[str, str], Actor] = {}
    for worker, post, unit in posts:
        for role in ACTS_AS.get(post, (post,)):
            if role in ROLES and (worker, role) not in actors:
                name = names.get(worker, worker)
                actors[worker, role] = Actor(worker, name, role, unit, units.get(unit, unit))
    ranked = sorted(actors.values(), key=lambda a: (order[a.role], a.unit, a.name, a.id))
    return [
        (a, f"{a.id} {a.name} {a.unit} {a.unit_name} {role_word(words, a.role)}".lower())
        for a in ranked
    ]


def unit_names(store: Store) -> dict[str, str]:
    """The name of every division, grid and department by its code."""
    stamp = store.workspace.stamp(*_UNIT_TABLES)
    return store.remember("unit-names", stamp, lambda: _read_unit_names(store))


def _read_unit_names(store: Store) -> dict[str, str]:
    snapshot = store.snapshot()
    names = {str(c): plain(n) for c, n in snapshot.city.divisions["name"].items()}
    for row, grid in enumerate(snapshot.city.grids.index):
        names[str(grid)] = place_name(snapshot, row)
    departments = store.workspace.read("departments")
    return names | {str(c): plain(n) for c, n in departments["name"].items()}


def unit_levels(store: Store) -> dict[str, str]:
    """The level of every division, grid and department by its code."""
    stamp = store.workspace.stamp(*_UNIT_TABLES)

    def make() -> dict[str, str]:
        city = store.snapshot().city
        levels = {str(c): plain(level) for c, level in city.divisions["level"].items()}
        levels |= dict.fromkeys(city.grids.index.astype(str), "grid")
        codes = store.workspace.read("departments").index.astype(str)
        return levels | dict.fromkeys(codes, "department")

    return store.remember("unit-levels", stamp, make)


def unit_option(store: Store, words: Words, code: str, **more: str) -> dict[str, str]:
    """A unit as a choice: code, name, level; `level` only where a case can be at it."""
    level = unit_levels(store).get(code, "")
    return {
        "value": code,
        "label": unit_names(store).get(code, code),
        "hint": level_word(words, level),
        "level": level if level in CASE_LEVELS else "",
        "level_word": level_word(words, level),
        **more,
    }


def find_units(store: Store, words: Words, text: str) -> list[dict[str, str]]:
    """Divisions and grids whose name or code has `text`, the higher levels first."""
    parts = text.lower().split()
    levels = unit_levels(store)
    order = {level: k for k, level in enumerate(reversed(CASE_LEVELS))}
    found = [
        code
        for code, name in unit_names(store).items()
        if levels.get(code) in order and all(part in f"{name} {code}".lower() for part in parts)
    ]
    found.sort(key=lambda code: (order[levels[code]], code))
    return [unit_option(store, words, code) for code in found[:UNITS_SHOWN]]


def departments(store: Store) -> list[str]:
    """Codes of the departments, in the order of the table."""
    return [code for code, level in unit_levels(store).items() if level == "department"]


def crumbs(snapshot: Snapshot, row: int) -> list[dict[str, str]]:
    """The units that a grid lies in, from the city down to the grid."""
    if row < 0:
        return []
    city = snapshot.city
    found = [
        {"level": level, "code": str(city.places[f"{level}_code"].iloc[row]),
         "name": str(city.places[level].iloc[row])}
        for level in ("district", "street", "community")
        if level in city.places and isinstance(city.places[level].iloc[row], str)
    ]  # fmt: skip
    grid = str(city.grids.index[row])
    return [*found, {"level": "grid", "code": grid, "name": city.names[row]}]


class People:
    """Names for workers, and who answers for a unit at a moment; asks each unit once."""

    def __init__(self, store: Store, at: datetime) -> None:
        self._chains: ChainIndex = store.chains
        self._at = at
        self._names = store.snapshot().workers.people["name"]
        self._known: dict[str, Holder | None] = {}

    def name(self, by: object) -> str:
        """The name of a worker of the register, else what stands in the log."""
        text = plain(by)
        return plain(self._names.get(text)) or text

    def of_unit(self, code: str) -> Holder | None:
        """Who answers for a unit or department, None if nobody does."""
        if code not in self._known:
            self._known[code] = self._find(code)
        return self._known[code]

    def _find(self, code: str) -> Holder | None:
        department = self._chains.department(code, at=self._at)
        if department is not None:
            acting: Iterable[Holder | None] = (post.acting for post in department.posts)
            return next((holder for holder in acting if holder is not None), None)
        try:
            chain = self._chains.chain(code, at=self._at)
        except CodeError:
            return None
        return chain.steps[0].person if chain.steps else None


def viewer_of(store: Store, by: str, role: str, unit: str) -> Viewer | None:
    """Whose sight decides over telephone numbers; nobody's unless the setting says so."""
    if not store.settings.phones_by_role or not role:
        return None
    return Viewer(role, unit or None, by or None)


def chain_json(chain: Chain | None, words: Words) -> list[dict[str, Any]]:
    """The named person at each level, from the ground up."""
    if chain is None:
        return []
    rows = []
    for step in chain.steps:
        person = step.person
        rows.append(
            {
                "level": step.level,
                "level_word": level_word(words, step.level),
                "unit": step.name,
                "person": person.name if person else "",
                "role_word": _post_word(words, person.role) if person else "",
                "phone": person.phone if person else "",
            }
        )
    return rows


def _post_word(words: Words, role: str) -> str:
    for key in (f"role.{role}", f"cases.role.{role}"):
        if words.has(key):
            return words(key)
    return ""
