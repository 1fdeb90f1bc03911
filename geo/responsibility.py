"""Who answers for a place: the named person at every level, with dates.

An appointment (a row of `duties`) holds a post, which is a unit and a role: grid head of this
grid, police of this community. Rank 1 holds it, rank 2 and more stand in, in that order. It is in
force from `valid_from` (included) to `valid_to` (not included). Where `duties` has no row at all,
`workers.unit_code` and `role` are read as appointments without dates and all of rank 1; one duty
is enough to end that, since a mixture would hide the posts that nobody holds.

The levels of fire safety are those of the grids: the large grid is the street, the medium one the
community, the small one the grid. What a role means at a level is data (`duty_roles`).

A telephone number is masked unless a rule lets the viewer see it (`phone_rules`); no viewer sees
none. The number of a department's desk is public.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
import shapely

from geo._chain import (
    CHAIN_LEVELS,
    AssetAnswer,
    Chain,
    Department,
    Holder,
    Post,
    Step,
)
from geo._duty_checks import (
    DUTY_REASONS,
    check_duties,
    find_doubles_in_duty,
    find_gaps_in_duty,
)
from geo._duty_tables import (
    Duty,
    Role,
    RoleBook,
    duty_roles,
    labels_of,
    micro_of,
    moment_of,
    read_duties,
    require_columns,
    texts,
)
from geo._phones import RELATIONS, Sight, Viewer, mask_phone, phone_rules
from geo._units import Unit, UnitTree
from geo.errors import CodeError

__all__ = [
    "CHAIN_LEVELS",
    "DUTY_REASONS",
    "RELATIONS",
    "AssetAnswer",
    "Chain",
    "ChainIndex",
    "Department",
    "Holder",
    "Post",
    "Step",
    "Viewer",
    "check_duties",
    "duty_roles",
    "find_doubles_in_duty",
    "find_gaps_in_duty",
    "mask_phone",
    "phone_rules",
]


class ChainIndex:
    """Answers who is responsible, for any unit, point or asset and any moment.

    Built once from the tables; nothing of them is changed, and nothing is cached but the point
    indexes of up to four sets of boundaries. Safe to ask from several threads.

    Parameters
    ----------
    duties
        Table `duties`, or None; see above for what an empty one means.
    workers
        Table `workers`: the names and telephones.
    divisions
        Table `divisions`; polygons are needed only for points outside of all grids.
    grids
        Table `grids` in EPSG:4326, one version or all of them.
    departments
        Table `departments`, or None.
    roles
        What the roles mean; a table like `duty_roles()`.
    rules
        Who sees which numbers; like `phone_rules()`.

    Raises
    ------
    ColumnError
        If a table lacks a column.
    """

    def __init__(
        self,
        duties: pd.DataFrame | None,
        workers: pd.DataFrame,
        divisions: pd.DataFrame,
        grids: pd.DataFrame,
        departments: pd.DataFrame | None = None,
        *,
        roles: pd.DataFrame | None = None,
        rules: dict[str, frozenset[str]] | None = None,
    ) -> None:
        require_columns(workers, "workers", ("name", "phone"))
        self._tree = UnitTree(divisions, grids, departments)
        self._roles = RoleBook(roles)
        self._rules = phone_rules() if rules is None else rules
        found, self.source = read_duties(duties, workers)
        ids = labels_of(workers, "worker_id")
        people = dict(
            zip(ids, zip(texts(workers["name"]), texts(workers["phone"]), strict=True), strict=True)
        )
        self._duties: dict[str, list[_Entry]] = {}
        for duty in found:
            self._duties.setdefault(duty.unit_code, []).append(_entry(duty, people))
        for entries in self._duties.values():
            entries.sort(key=lambda e: (e.duty.rank, e.duty.begin, e.duty.worker_id))
        self._expected = self._find_expected()

    def chain(self, unit_code: str, *, at: datetime, viewer: Viewer | None = None) -> Chain:
        """Who answers for a grid, a division or a department at a moment.

        Raises
        ------
        CodeError
            If no table knows the unit.
        InputError
            If `at` has no zone.
        """
        moment = micro_of(at)
        up = self._tree.way_up(unit_code, moment)
        if not up:
            raise CodeError(f"no unit {unit_code!r}: import it, or correct the code")
        is_in_force = up[0].begin <= moment < up[0].end
        sees = self._sight(viewer, moment)
        steps = tuple(self._step(unit, moment, sees) for unit in up if unit.level != "province")
        return Chain(unit_code, at, is_in_force, self.source, steps)

    def chain_at(
        self, lon: float, lat: float, *, at: datetime, viewer: Viewer | None = None
    ) -> Chain | None:
        """Who answers for a place: its grid, else the lowest division that has it; None outside."""
        code = self._tree.at_point(lon, lat, micro_of(at))
        return None if code is None else self.chain(code, at=at, viewer=viewer)

    def chain_of_shape(
        self, shape: shapely.Geometry | None, *, at: datetime, viewer: Viewer | None = None
    ) -> Chain | None:
        """Who answers for an asset, by its place; of a line or area a point on it decides."""
        if shape is None or shape.is_empty:
            return None
        point = shape if shape.geom_type == "Point" else shapely.point_on_surface(shape)
        return self.chain_at(float(point.x), float(point.y), at=at, viewer=viewer)

    def asset(
        self,
        shape: shapely.Geometry | None,
        owner: str | None,
        *,
        at: datetime,
        viewer: Viewer | None = None,
    ) -> AssetAnswer:
        """Who answers for an asset: the chain of its grid, and the department that owns it."""
        name = (owner or "").strip()
        found = self.department(name, at=at, viewer=viewer) if name else None
        return AssetAnswer(self.chain_of_shape(shape, at=at, viewer=viewer), name, found)

    def departments(self, *, at: datetime, viewer: Viewer | None = None) -> tuple[Department, ...]:
        """Every department with its contacts, in the order of the table."""
        moment = micro_of(at)
        sees = self._sight(viewer, moment)
        return tuple(self._department(unit, moment, sees) for unit in self._tree.departments)

    def department(
        self, name: str, *, at: datetime, viewer: Viewer | None = None
    ) -> Department | None:
        """The department of that code or name (as an asset's owner is written), None if none."""
        moment = micro_of(at)
        for unit in self._tree.departments:
            if name in (unit.code, unit.name):
                return self._department(unit, moment, self._sight(viewer, moment))
        return None

    def table(self, units: Iterable[str] | None = None, *, at: datetime) -> pd.DataFrame:
        """Name who answers at each level, one row a unit: for rank tables and reports.

        Parameters
        ----------
        units
            Codes of grids or divisions; without it every grid in force.

        Returns
        -------
        DataFrame
            Indexed by the code, in the order given: `grid`, `community`, `street`, `district`,
            `city` with names of people, missing where nobody answers.
        """
        moment = micro_of(at)
        if units is None:
            units = [unit.code for unit in self._tree.units(moment) if unit.level == "grid"]
        codes = list(units)
        seen: dict[str, str | None] = {}
        rows = [self._names(code, moment, seen) for code in codes]
        return pd.DataFrame(
            rows, columns=list(CHAIN_LEVELS), index=pd.Index(codes, dtype="str"), dtype="str"
        )

    def units_of(self, worker_id: str, *, at: datetime) -> tuple[str, ...]:
        """The units that a person answers for at a moment, in any role."""
        moment = micro_of(at)
        return tuple(
            unit
            for unit, entries in self._duties.items()
            if any(e.duty.worker_id == worker_id and e.holds(moment) for e in entries)
        )

    def relation(
        self, viewer: Viewer, unit_code: str, worker_id: str | None = None, *, at: datetime
    ) -> str:
        """How a person at a unit stands to the viewer: self, same, below, above or other."""
        return self._sight(viewer, micro_of(at)).relation(unit_code, worker_id)

    def may_see_phone(
        self, viewer: Viewer | None, unit_code: str, worker_id: str | None = None, *, at: datetime
    ) -> bool:
        """Tell whether the viewer's role may see the number of a person at that unit."""
        return self._sight(viewer, micro_of(at)).sees(unit_code, worker_id)

    def _sight(self, viewer: Viewer | None, moment: int) -> Sight:
        if viewer is None:
            return Sight(self._tree, moment, None, frozenset())
        return Sight(self._tree, moment, viewer, self._rules.get(viewer.role, frozenset()))

    def _find_expected(self) -> dict[str, list[str]]:
        """For each level the roles that somebody there has, or had, and all should have."""
        found: dict[str, set[str]] = {}
        levels = {unit.code: unit.level for unit in self._tree.all_units()}
        for code, entries in self._duties.items():
            level = levels.get(code, "")
            for role in {entry.duty.role for entry in entries}:
                if self._roles.find(role, level).expected:
                    found.setdefault(level, set()).add(role)
        return {level: sorted(roles) for level, roles in found.items()}

    def _step(self, unit: Unit, moment: int, sight: Sight) -> Step:
        by_role: dict[str, list[_Entry]] = {r: [] for r in self._expected.get(unit.level, ())}
        others: dict[str, list[_Entry]] = {}
        for entry in self._duties.get(unit.code, ()):
            if entry.holds(moment):
                by_role.setdefault(entry.duty.role, []).append(entry)
            else:
                others.setdefault(entry.duty.role, []).append(entry)
        known = [self._roles.find(role, unit.level) for role in by_role]
        known.sort(key=lambda role: (_KINDS.get(role.kind, 9), role.order, role.role))
        posts = tuple(
            _post(unit, role, by_role[role.role], others.get(role.role, []), moment, sight)
            for role in known
        )
        return Step(unit.level, unit.code, unit.name, posts)

    def _department(self, unit: Unit, moment: int, sight: Sight) -> Department:
        posts = self._step(unit, moment, sight).posts
        return Department(unit.code, unit.name, unit.phone, posts)

    def _names(self, code: str, moment: int, seen: dict[str, str | None]) -> list[str | None]:
        row: list[str | None] = [None] * len(CHAIN_LEVELS)
        nobody = Sight(self._tree, moment, None, frozenset())
        for unit in self._tree.way_up(code, moment):
            if unit.level not in CHAIN_LEVELS:
                continue
            if unit.code not in seen:
                person = self._step(unit, moment, nobody).person
                seen[unit.code] = None if person is None else person.name
            row[CHAIN_LEVELS.index(unit.level)] = seen[unit.code]
        return row


_KINDS = {"line": 0, "contact": 0, "fire": 1, "police": 2, "help": 3}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An appointment with its person, the number masked and in full."""

    duty: Duty
    masked: Holder
    phone: str

    def holds(self, moment: int) -> bool:
        return self.duty.begin <= moment < self.duty.end


def _entry(duty: Duty, people: dict[str, tuple[str, str]]) -> _Entry:
    # Whom no table names still holds the post: the check reports it, the card shows the id.
    name, phone = people.get(duty.worker_id, (duty.worker_id, ""))
    holder = Holder(
        duty.worker_id, name, duty.role, duty.unit_code, duty.rank, mask_phone(phone),
        moment_of(duty.begin), moment_of(duty.end),
    )  # fmt: skip
    return _Entry(duty, holder, phone)


def _post(
    unit: Unit, role: Role, now: list[_Entry], others: list[_Entry], moment: int, sight: Sight
) -> Post:
    """A role at a unit from its appointments in force, and those before and after."""
    holders = tuple(_show(entry, sight) for entry in now if entry.duty.rank <= 1)
    deputies = tuple(_show(entry, sight) for entry in now if entry.duty.rank > 1)
    is_double = len(holders) > 1 and not role.many
    former = coming = None
    if not holders:
        held = [e for e in others if e.duty.rank <= 1 and e.duty.begin < e.duty.end]
        ended = [e for e in held if e.duty.end <= moment]
        ahead = [e for e in held if e.duty.begin > moment]
        former = max(ended, key=lambda e: (e.duty.end, e.duty.worker_id), default=None)
        coming = min(ahead, key=lambda e: (e.duty.begin, e.duty.worker_id), default=None)
    return Post(
        unit.code, unit.level, role.role, role.kind, holders, deputies, is_double,
        None if former is None else _show(former, sight),
        None if coming is None else _show(coming, sight),
    )  # fmt: skip


def _show(entry: _Entry, sight: Sight) -> Holder:
    duty = entry.duty
    if sight.sees(duty.unit_code, duty.worker_id):
        return replace(entry.masked, phone=entry.phone)
    return entry.masked
