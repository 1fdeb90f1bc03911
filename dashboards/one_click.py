"""Everything that one click concerns, put together from the store's indexes: no words, no Dash.

A target is an incident, a grid, or any place on the map. What is around an incident or a place is
what lies within a radius of it; around a grid, what is in the grid, unless a radius is asked for.
Whatever is not known is left empty here and said on the card: an incident without coordinates has
no surroundings, a place in a lake has no chain below the lowest division that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import shapely

from dashboards.card_sources import CaseFile, Sources, sources_of
from dashboards.store import Store
from geo.errors import CodeError
from geo.live import Near
from geo.nearby import Around
from geo.responsibility import AssetAnswer, Chain, Department, Viewer, mask_phone

Kind = Literal["incident", "grid", "place"]

RADII_M = (100, 300, 500, 1000)
"""What the switch offers; a grid has its own ground besides."""

NEAREST = 3
THING_M = 60.0
"""How far from a report of a class of assets the asset itself may stand: the width of a street."""

_COMMANDING = ("acceptor", "inspector", "dispatcher", "shift_leader", "leader", "planner")
"""Roles of the two centres, which belong to the whole city where no unit is given."""


@dataclass(frozen=True)
class Target:
    """What was clicked."""

    kind: Kind
    id: str | None = None
    lon: float | None = None
    lat: float | None = None
    radius_m: int | None = None
    """None: the whole grid, or the radius that the settings name."""

    def data(self) -> dict[str, Any]:
        """As the browser keeps it."""
        return {
            "kind": self.kind,
            "id": self.id,
            "lon": self.lon,
            "lat": self.lat,
            "radius_m": self.radius_m,
        }


@dataclass(frozen=True)
class NearWorker:
    """Someone on duty close by."""

    near: Near
    name: str
    role: str
    unit_code: str
    phone: str
    """Masked unless the viewer may see it."""


@dataclass(frozen=True)
class Card:
    """The answer to one click, as of `at` in the city's zone."""

    target: Target
    at: datetime
    lon: float | None = None
    lat: float | None = None
    is_known: bool = True
    """False where no table knows the incident or grid."""
    radius_m: int | None = None
    """The radius that was used; None for the ground of a grid."""
    around: Around | None = None
    chain: Chain | None = None
    departments: tuple[Department, ...] = ()
    owner: Department | None = None
    """The department that has the case."""
    thing: tuple[str, pd.Series, AssetAnswer] | None = None
    """The asset that the case is about, if its class is one of assets: id, row, who answers."""
    nearest: tuple[NearWorker, ...] = ()
    workers_known: int = 0
    """Positions that are known at all, of whatever age."""
    case: CaseFile | None = None
    similar: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Open cases that it may be the same as: distance_m and apart_h, indexed by incident_id."""
    flare_up: tuple[int, datetime] | None = None
    """How often cases of the class came back to this spot, and when the last one did."""


def target_of(data: Any) -> Target | None:
    """A target as the browser says it; None for none or for one that means nothing."""
    if not isinstance(data, dict):
        return None
    kind, id_ = data.get("kind"), data.get("id")
    lon, lat = _degrees(data.get("lon"), 180), _degrees(data.get("lat"), 90)
    if lon is None or lat is None:
        lon = lat = None
    if kind == "place" and lon is not None:
        return Target("place", None, lon, lat, _radius(data.get("radius_m")))
    if kind in ("incident", "grid") and isinstance(id_, str) and id_:
        return Target(kind, id_, lon, lat, _radius(data.get("radius_m")))
    return None


def read_target(query: dict[str, str]) -> Target | None:
    """The target in an address: `case=`, `grid=` or `at=lon,lat`, and `r=` metres."""
    radius = query.get("r", "")
    lon, _, lat = query.get("at", "").partition(",")
    return target_of(
        {
            "kind": "incident" if query.get("case") else "grid" if query.get("grid") else "place",
            "id": query.get("case") or query.get("grid"),
            "lon": lon,
            "lat": lat,
            "radius_m": int(radius) if radius.isdecimal() else None,
        }
    )


def _degrees(value: Any, most: float) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) <= most else None


def _radius(value: Any) -> int | None:
    return value if value in RADII_M else None


def viewer_of(store: Store, person: dict[str, Any] | None) -> Viewer | None:
    """Who looks, for the rules about telephone numbers; None where numbers are masked for all.

    Nobody signs in yet, so a role is a claim; only the setting `phones_by_role` believes it.
    """
    if not person or not person.get("role") or not store.settings.phones_by_role:
        return None
    role, unit = str(person["role"]), person.get("unit_code")
    if not unit and role in _COMMANDING:
        unit = _top_code(store)
    return Viewer(role, unit or None, person.get("worker_id") or None)


def _top_code(store: Store) -> str | None:
    divisions = store.snapshot().city.divisions
    for level in ("city", "district"):
        found = divisions.index[divisions["level"] == level]
        if len(found) == 1:
            return str(found[0])
    return None


def assemble(store: Store, target: Target, viewer: Viewer | None = None) -> Card:
    """Put the card of a target together, as of now."""
    at = store.clock().astimezone(store.settings.zone)
    sources = sources_of(store)
    days = store.settings.card_days
    if target.kind == "incident":
        return _of_incident(store, sources, target, viewer, at, days)
    if target.kind == "grid":
        return _of_grid(store, sources, target, viewer, at, days)
    assert target.lon is not None
    assert target.lat is not None
    radius = target.radius_m or store.settings.card_radius_m
    around = sources.nearby.around(target.lon, target.lat, at=at, radius_m=radius, days=days)
    chain = sources.chains.chain_at(target.lon, target.lat, at=at, viewer=viewer)
    return _card(store, sources, target, viewer, around, chain, radius)


def _of_grid(
    store: Store, sources: Sources, target: Target, viewer: Viewer | None, at: datetime, days: int
) -> Card:
    assert target.id is not None
    try:
        chain = sources.chains.chain(target.id, at=at, viewer=viewer)
        if target.radius_m is None:
            around = sources.nearby.around_grid(target.id, at=at, days=days)
        else:
            lon, lat = _middle(store, target)
            around = sources.nearby.around(lon, lat, at=at, radius_m=target.radius_m, days=days)
    except CodeError:
        return Card(target, at, is_known=False)
    return _card(store, sources, target, viewer, around, chain, target.radius_m)


def _middle(store: Store, target: Target) -> tuple[float, float]:
    """The clicked place, or else a point inside of the grid."""
    if target.lon is not None and target.lat is not None:
        return target.lon, target.lat
    city = store.snapshot().city
    row = city.position.get(target.id or "")
    if row is None:
        raise CodeError(f"no grid {target.id!r} in force: correct the id")
    point = shapely.point_on_surface(city.grids.geometry.iloc[row])
    return float(point.x), float(point.y)


def _of_incident(
    store: Store, sources: Sources, target: Target, viewer: Viewer | None, at: datetime, days: int
) -> Card:
    assert target.id is not None
    case = sources.read_case(target.id, at=at)
    if case is None:
        return Card(target, at, is_known=False)
    lon, lat = case.place
    radius = target.radius_m or store.settings.card_radius_m
    if lon is None or lat is None:
        chain = _chain_of_owner(sources, case, at, viewer)
        return _card(store, sources, target, viewer, None, chain, radius, case=case)
    around = sources.nearby.around(lon, lat, at=at, radius_m=radius, days=days)
    chain = sources.chains.chain_at(lon, lat, at=at, viewer=viewer)
    return _card(store, sources, target, viewer, around, chain, radius, case=case)


def _chain_of_owner(
    sources: Sources, case: CaseFile, at: datetime, viewer: Viewer | None
) -> Chain | None:
    """A case without a place still has the chain of the unit that has it, if it has one."""
    if not case.case.owner:
        return None
    try:
        return sources.chains.chain(case.case.owner, at=at, viewer=viewer)
    except CodeError:
        return None


def _card(
    store: Store,
    sources: Sources,
    target: Target,
    viewer: Viewer | None,
    around: Around | None,
    chain: Chain | None,
    radius: int | None,
    *,
    case: CaseFile | None = None,
) -> Card:
    at = store.clock().astimezone(store.settings.zone)
    owner = case.case.owner if case is not None else None
    return Card(
        target=target,
        at=at,
        lon=None if around is None else around.lon,
        lat=None if around is None else around.lat,
        radius_m=radius,
        around=around,
        chain=chain,
        departments=sources.chains.departments(at=at, viewer=viewer),
        owner=sources.chains.department(owner, at=at, viewer=viewer) if owner else None,
        thing=_thing(sources, around, case, at, viewer),
        nearest=_nearest(store, sources, around, at, viewer),
        workers_known=len(sources.workers),
        case=case,
        similar=sources.similar(case, around, at=at),
        flare_up=sources.flare_up(case, around, at=at),
    )


def _nearest(
    store: Store, sources: Sources, around: Around | None, at: datetime, viewer: Viewer | None
) -> tuple[NearWorker, ...]:
    if around is None:
        return ()
    age_s = store.settings.on_duty_minutes * 60
    found = sources.workers.nearest(around.lon, around.lat, NEAREST, at=at, max_age_s=age_s)
    people = sources.people
    workers = []
    for near in found:
        if near.key not in people.index:
            workers.append(NearWorker(near, near.key, "", "", ""))
            continue
        person = people.loc[near.key]
        unit = _text(person["unit_code"])
        sees = sources.chains.may_see_phone(viewer, unit, near.key, at=at)
        number = _text(person["phone"])
        workers.append(
            NearWorker(
                near, _text(person["name"]) or near.key, _text(person["role"]), unit,
                number if sees else mask_phone(number),
            )
        )  # fmt: skip
    return tuple(workers)


def _thing(
    sources: Sources,
    around: Around | None,
    case: CaseFile | None,
    at: datetime,
    viewer: Viewer | None,
) -> tuple[str, pd.Series, AssetAnswer] | None:
    """The asset that a case of a class of assets is most likely about: the nearest of the class."""
    code = "" if case is None else _text(case.row.get("class_code"))
    if around is None or not code.startswith("C"):
        return None
    found = around.assets[around.assets["class_code"] == code[1:]]
    found = found[found["distance_m"] <= THING_M]
    if found.empty:
        return None
    row = found.iloc[0]
    shape = shapely.Point(float(row["lon"]), float(row["lat"]))
    answer = sources.chains.asset(shape, _text(row["owner"]), at=at, viewer=viewer)
    return str(found.index[0]), row, answer


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def group_counts(around: Around) -> list[tuple[str, pd.DataFrame]]:
    """Counts of assets by class, put together by group: the largest group first."""
    counts = around.asset_counts
    if counts.empty:
        return []
    totals = counts.groupby("group")["count"].sum().sort_values(ascending=False, kind="stable")
    return [(str(group), counts[counts["group"] == group]) for group in totals.index]
