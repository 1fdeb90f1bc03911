"""Who is suggested to handle a case: by the thing that is broken, by the class, by the place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from geo._chain import Department
from geo._metres import box_around, nearest_on
from geo.errors import CodeError
from geo.io.gpkg import from_blobs, index_name
from geo.io.workspace import Workspace
from geo.responsibility import ChainIndex

Reason = Literal["asset", "class", "place"]
PLACE_LEVELS = ("community", "street", "grid", "district")
"""Units of a place in the order in which they are suggested: a case comes to the dispatch because
the grid could not put it right by itself."""


@dataclass(frozen=True)
class OwnerSuggestion:
    """A unit or department that a case might be dispatched to, and why."""

    owner: str
    name: str
    level: str | None
    """Of a grid or division; None of a department, to which a case goes across the levels."""
    reason: Reason
    """`asset`: it owns the nearest thing of the class; `class`: the rules name it for the class;
    `place`: the place is its own."""
    asset_id: str | None = None
    person: str | None = None
    """Who answers for it now, where somebody does."""


def suggest_owners(
    workspace: Workspace,
    conn: sa.Connection,
    chains: ChainIndex,
    *,
    class_code: str | None,
    place: tuple[float, float] | None,
    by_class: str | None,
    within_m: float,
    at: datetime,
) -> tuple[OwnerSuggestion, ...]:
    """Who might handle a case, the likeliest first and each once."""
    found = []
    code = class_code or ""
    if place is not None and code.startswith("C") and within_m > 0:
        found += _by_asset(workspace, conn, chains, code[1:], place, within_m, at)
    if by_class is not None:
        found += _named(chains, by_class, at)
    if place is not None:
        chain = chains.chain_at(*place, at=at)
        steps = {step.level: step for step in chain.steps} if chain is not None else {}
        for level in PLACE_LEVELS:
            if level in steps:
                step = steps[level]
                who = None if step.person is None else step.person.name
                found.append(OwnerSuggestion(step.code, step.name, level, "place", person=who))
    return tuple(_first_of_each(found).values())


def _first_of_each(found: list[OwnerSuggestion]) -> dict[str, OwnerSuggestion]:
    first: dict[str, OwnerSuggestion] = {}
    for one in found:
        first.setdefault(one.owner, one)
    return first


def _by_asset(
    workspace: Workspace,
    conn: sa.Connection,
    chains: ChainIndex,
    asset_class: str,
    place: tuple[float, float],
    within_m: float,
    at: datetime,
) -> list[OwnerSuggestion]:
    """The department that owns the nearest asset of a class, if the city knows it."""
    best: tuple[float, str, str] | None = None
    west, south, east, north = box_around(*place, within_m)
    for name in ("assets", "cameras"):
        rows = conn.exec_driver_sql(
            f"SELECT asset_id, owner, geom FROM {name} WHERE +class_code = ? AND owner IS NOT NULL"
            f" AND fid IN (SELECT id FROM {index_name(name)}"
            " WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?)",
            (asset_class, east, west, north, south),
        ).all()
        shapes = from_blobs([row[2] for row in rows])
        if not len(rows):
            continue
        metres, _, _ = nearest_on(*place, shapes)
        for distance, row in zip(metres, rows, strict=True):
            candidate = (float(distance), str(row[0]), str(row[1]))
            if distance <= within_m and (best is None or candidate < best):
                best = candidate
    if best is None:
        return []
    department = chains.department(best[2], at=at)
    if department is None:
        return []
    return [
        OwnerSuggestion(
            department.code, department.name, None, "asset", best[1], _contact(department)
        )
    ]


def _named(chains: ChainIndex, code: str, at: datetime) -> list[OwnerSuggestion]:
    """The department or unit that the rules name for a class."""
    department = chains.department(code, at=at)
    if department is not None:
        return [
            OwnerSuggestion(
                department.code, department.name, None, "class", person=_contact(department)
            )
        ]
    try:
        step = chains.chain(code, at=at).steps[0]
    except (CodeError, IndexError):
        # The rules may name somebody outside of the city's tables, say a company.
        return [OwnerSuggestion(code, code, None, "class")]
    who = None if step.person is None else step.person.name
    return [OwnerSuggestion(step.code, step.name, step.level, "class", person=who)]


def _contact(department: Department) -> str | None:
    acting = (post.acting for post in department.posts)
    return next((holder.name for holder in acting if holder is not None), None)
