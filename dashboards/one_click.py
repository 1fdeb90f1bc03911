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

from dashboards.store import Store
from geo.codes import ClassBook
from geo.errors import CodeError
from geo.io.casebook import CaseFile, UnknownCaseError
from geo.live import LiveIndex, Near
from geo.nearby import Again, Around, FlareUp, NearRules
from geo.responsibility import AssetAnswer, Chain, Department, Viewer, mask_phone

Kind = Literal["incident", "grid", "place"]

RADII_M = (100, 300, 500, 1000)
"""What the switch offers; a grid has its own ground besides."""

NEAREST = 3

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
    classes: ClassBook
    """The city's names of classes."""
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
    suggested: Department | None = None
    """The department that handles the class after the rules of the city."""
    thing: tuple[str, pd.Series, AssetAnswer] | None = None
    """The asset that the case is about, if its class is one of assets: id, row, who answers."""
    nearest: tuple[NearWorker, ...] = ()
    workers_known: int = 0
    """Positions that are known at all, of whatever age."""
    case: CaseFile | None = None
    similar: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Open cases that it may be the same as: distance_m and apart_h, indexed by incident_id."""
    flare_ups: tuple[FlareUp, ...] = ()
    """Black spots here: places whose closed cases come back."""


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
    desk = _Desk(store, target, viewer)
    if target.kind == "incident":
        return desk.of_incident()
    return desk.of_grid() if target.kind == "grid" else desk.of_place()


class _Desk:
    """One click at work: the indexes as they are now, for one target and one viewer."""

    def __init__(self, store: Store, target: Target, viewer: Viewer | None) -> None:
        self.store, self.target, self.viewer = store, target, viewer
        self.at = store.clock().astimezone(store.settings.zone)
        self.days = store.settings.card_days
        self.chains, self.nearby = store.chains, store.nearby
        self.rules = store.rules

    def of_place(self) -> Card:
        lon, lat = self.target.lon, self.target.lat
        assert lon is not None
        assert lat is not None
        radius = self.target.radius_m or self.store.settings.card_radius_m
        return self.card(self.around(lon, lat, radius), self.chain_at(lon, lat), radius)

    def of_grid(self) -> Card:
        target = self.target
        assert target.id is not None
        try:
            chain = self.chains.chain(target.id, at=self.at, viewer=self.viewer)
            if target.radius_m is None:
                around = self.nearby.around_grid(target.id, at=self.at, days=self.days)
            else:
                around = self.around(*self._middle(), target.radius_m)
        except CodeError:
            return self.unknown()
        return self.card(around, chain, target.radius_m)

    def of_incident(self) -> Card:
        assert self.target.id is not None
        try:
            case = self.store.casebook.read(self.target.id, at=self.at)
        except UnknownCaseError:
            return self.unknown()
        radius = self.target.radius_m or self.store.settings.card_radius_m
        if case.place is None:
            return self.card(None, self._chain_of_owner(case), radius, case)
        lon, lat = case.place
        return self.card(self.around(lon, lat, radius), self.chain_at(lon, lat), radius, case)

    def unknown(self) -> Card:
        return Card(self.target, self.at, self.rules.classes, is_known=False)

    def around(self, lon: float, lat: float, radius_m: float) -> Around:
        return self.nearby.around(lon, lat, at=self.at, radius_m=radius_m, days=self.days)

    def chain_at(self, lon: float, lat: float) -> Chain | None:
        return self.chains.chain_at(lon, lat, at=self.at, viewer=self.viewer)

    def card(
        self,
        around: Around | None,
        chain: Chain | None,
        radius: int | None,
        case: CaseFile | None = None,
    ) -> Card:
        at, viewer = self.at, self.viewer
        owner = case.case.owner if case is not None else None
        again = self._again(around, case)
        workers = self.store.live_workers
        return Card(
            target=self.target,
            at=at,
            classes=self.rules.classes,
            lon=None if around is None else around.lon,
            lat=None if around is None else around.lat,
            radius_m=radius,
            around=around,
            chain=chain,
            departments=self.chains.departments(at=at, viewer=viewer),
            owner=self.chains.department(owner, at=at, viewer=viewer) if owner else None,
            suggested=self._suggested(case),
            thing=self._thing(around, case),
            nearest=() if around is None else self._nearest(workers, around),
            workers_known=len(workers),
            case=case,
            similar=pd.DataFrame() if again is None else again.similar,
            flare_ups=() if again is None else again.flare_ups,
        )

    def _middle(self) -> tuple[float, float]:
        """The clicked place, or else a point inside of the grid."""
        target = self.target
        if target.lon is not None and target.lat is not None:
            return target.lon, target.lat
        city = self.store.snapshot().city
        row = city.position.get(target.id or "")
        if row is None:
            raise CodeError(f"no grid {target.id!r} in force: correct the id")
        point = shapely.point_on_surface(city.grids.geometry.iloc[row])
        return float(point.x), float(point.y)

    def _chain_of_owner(self, case: CaseFile) -> Chain | None:
        """A case without a place has the chain of the unit that has it, if it has one."""
        if not case.case.owner:
            return None
        try:
            return self.chains.chain(case.case.owner, at=self.at, viewer=self.viewer)
        except CodeError:
            return None

    def _suggested(self, case: CaseFile | None) -> Department | None:
        """Who handles the class, where the rules of the city name a department."""
        if case is None or not case.case.is_open:
            return None
        name = self.rules.owner_of_class(case.row["class_code"])
        return self.chains.department(name, at=self.at, viewer=self.viewer) if name else None

    def _nearest(self, live: LiveIndex, around: Around) -> tuple[NearWorker, ...]:
        age_s = self.store.settings.on_duty_minutes * 60
        found = live.nearest(around.lon, around.lat, NEAREST, at=self.at, max_age_s=age_s)
        people = self.store.snapshot().workers.people
        return tuple(self._worker(near, people) for near in found)

    def _worker(self, near: Near, people: pd.DataFrame) -> NearWorker:
        if near.key not in people.index:
            return NearWorker(near, near.key, "", "", "")
        person = people.loc[near.key]
        unit, number = _text(person["unit_code"]), _text(person["phone"])
        sees = self.chains.may_see_phone(self.viewer, unit, near.key, at=self.at)
        return NearWorker(
            near,
            _text(person["name"]) or near.key,
            _text(person["role"]),
            unit,
            number if sees else mask_phone(number),
        )

    def _thing(
        self, around: Around | None, case: CaseFile | None
    ) -> tuple[str, pd.Series, AssetAnswer] | None:
        """The asset that a case of a class of assets is most likely about: the nearest one."""
        code = "" if case is None else _text(case.row["class_code"])
        if around is None or not code.startswith("C"):
            return None
        found = around.assets[around.assets["class_code"] == code[1:]]
        found = found[found["distance_m"] <= self.rules.case.owner_asset_m]
        if found.empty:
            return None
        row = found.iloc[0]
        shape = shapely.Point(float(row["lon"]), float(row["lat"]))
        answer = self.chains.asset(shape, _text(row["owner"]), at=self.at, viewer=self.viewer)
        return str(found.index[0]), row, answer

    def _again(self, around: Around | None, case: CaseFile | None) -> Again | None:
        if around is None:
            return None
        near = self.rules.case
        rules = NearRules(
            near.similar_m,
            near.similar_h,
            near.recurring_m,
            near.recurring_days,
            near.recurring_min,
        )
        id_ = None if case is None else self.target.id
        return self.nearby.again(
            around.lon, around.lat, rules, at=self.at, incident_id=id_, days=self.days
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class ClassCount:
    """How many assets of a class there are, by state, and how far the nearest is."""

    code: str
    count: int
    states: dict[str, int]
    nearest_m: float


def group_counts(around: Around) -> list[tuple[str, list[ClassCount]]]:
    """Counts of assets by class, put together by group: the largest group first."""
    counts = around.asset_counts
    states = [name for name in counts.columns if name not in ("group", "count", "nearest_m")]
    groups: dict[str, list[ClassCount]] = {}
    for row in counts.reset_index().to_dict("records"):
        told = {str(name): int(row[name]) for name in states if row[name]}
        one = ClassCount(str(row["class_code"]), int(row["count"]), told, float(row["nearest_m"]))
        groups.setdefault(str(row["group"]), []).append(one)
    return sorted(groups.items(), key=lambda item: -sum(one.count for one in item[1]))
