"""Who answers for what in an invented city, with dates: appointments from the grid to the city.

Field staff (`geo.synth.workers`) hold the posts at their grids; officials are hired beside them for
communities, streets, districts, the city, departments and the desks of the two centres. Nobody is
hired for the past: some pairs of posts have changed places once in the last year, so that every
post was held at every moment since the grids were published, and not always by whom holds it now.

Fire safety has its three nested levels: the deputy of a street answers for the large grid, the
deputy of a community for the medium one, the grid head for the small one. A grid head's deputy is
the head of the next grid of the community. Where the preset has no grid heads, members of the
community (社区网格长) head its grids.

A preset that wants flaws gets a few (`FLAWS`), and the truth about them; without them
`geo.responsibility.check_duties` finds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from geo.synth.departments import OFFICES, list_departments
from geo.synth.incidents import ZONE
from geo.synth.names import name_people
from geo.synth.presets import Preset

FLAWS = ("vacant", "double", "gap", "swapped")
"""What may be wrong in a city that wants flaws: two posts without a holder (a grid head whose
deputy stands in, a community's fire safety), a community with two heads at once, a street that had
no head for three weeks, an old appointment that ends before it begins."""

OFFICIAL_ROLES = (
    "city_head", "district_head", "street_head", "community_head", "deputy", "contact", "handler",
    "acceptor", "dispatcher", "inspector", "shift_leader",
)  # fmt: skip
"""Roles of people who do not walk rounds, beside members of communities who head grids."""

GRIDS_A_MEMBER = 6
"""Grids that one member of a community heads where grids have no heads of their own."""
DAY_S = 86_400
OPEN = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Roster:
    """People and appointments of a city, and who holds what now."""

    workers: pd.DataFrame
    duties: pd.DataFrame
    departments: pd.DataFrame
    flaws: pd.DataFrame
    """What is wrong on purpose: kind, reason (of `DUTY_REASONS`), id, role, valid_from,
    valid_to: the time in which the post was empty, held twice, or as it stands in the row."""
    now: dict[tuple[str, str], list[str]]
    """Who holds a role at a unit (or a desk at the city) when the city is looked at."""

    def holder(self, unit: str, *roles: str) -> str:
        """The first who holds one of the roles at a unit; the post's name if nobody does."""
        for role in roles:
            if (unit, role) in self.now:
                return self.now[unit, role][0]
        return roles[0]


Posts = tuple[tuple[str, str, int], ...]
"""Unit, role, rank."""


@dataclass
class _Bundle:
    """Posts that go to one person together."""

    kind: str
    posts: Posts
    person: int


@dataclass
class _Book:
    """Rows of duties while they are written."""

    unit: list[str] = field(default_factory=list)
    role: list[str] = field(default_factory=list)
    person: list[int] = field(default_factory=list)
    rank: list[int] = field(default_factory=list)
    begin: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)

    def add(self, posts: Posts, person: int, begin: int, end: int) -> None:
        for unit, role, rank in posts:
            self.unit.append(unit)
            self.role.append(role)
            self.rank.append(rank)
            self.person.append(person)
            self.begin.append(begin)
            self.end.append(end)


@dataclass(frozen=True)
class Units:
    """Codes of a city's units, and of which community each grid is."""

    city: str
    districts: tuple[str, ...]
    streets: tuple[str, ...]
    communities: tuple[str, ...]
    grids: tuple[str, ...]

    def grids_of(self) -> dict[str, list[str]]:
        """The grids of each community, in order."""
        out: dict[str, list[str]] = {code: [] for code in self.communities}
        for grid in self.grids:
            out[grid[:12]].append(grid)
        return out


def list_officials(preset: Preset, units: Units) -> list[tuple[str, str]]:
    """Role and unit of every official of a city, beside its field staff."""
    out = [("city_head", units.city), ("deputy", units.city)]
    for level, codes in (("district", units.districts), ("street", units.streets)):
        out += [(role, code) for code in codes for role in (f"{level}_head", "deputy")]
    headless = preset.roles.get("grid_head", 0) < len(units.grids)
    for code, grids in units.grids_of().items():
        out += [("community_head", code), ("deputy", code)]
        if headless:
            out += [("grid_head", code)] * -(-len(grids) // GRIDS_A_MEMBER)
    if not preset.roles.get("police"):
        out += [("police", code) for code in units.communities[::2]]
    handlers = int(np.clip(len(units.grids) // 200, 2, 8))
    for office in OFFICES:
        out += [("contact", office.code)] + [("handler", office.code)] * handlers
    desks = max(2, len(units.grids) // 150)
    for role in ("acceptor", "dispatcher", "inspector"):
        out += [(role, units.city)] * desks
    out += [("shift_leader", units.city)] * 2
    if len(units.districts) > 1:
        desk = ("acceptor", "dispatcher", "inspector", "shift_leader")
        out += [(role, code) for code in units.districts for role in desk]
    return out


def make_roster(
    rng: np.random.Generator, preset: Preset, units: Units, crew: pd.DataFrame, *, at: datetime
) -> Roster:
    """Hire the officials, hand out all posts, and let the past and the flaws be as they should.

    `crew` is the field staff, from `hire_workers`; the table of workers begins with it.
    """
    officials = list_officials(preset, units)
    first = len(crew)
    numbers = range(first + 1, first + len(officials) + 1)
    hired = pd.DataFrame(
        {
            "name": name_people(rng, len(officials)),
            "role": [role for role, _ in officials],
            # A department is no place; its people have their unit in the duties alone.
            "unit_code": [None if unit.startswith("D") else unit for _, unit in officials],
            "phone": [f"000{k:08d}" for k in numbers],
        },
        index=pd.Index([f"W{k:06d}" for k in numbers], name="worker_id", dtype="str"),
        dtype="str",
    )
    workers = pd.concat([crew, hired])
    staff = list(zip(crew["role"], crew["unit_code"], strict=True))
    bundles = _hand_out(units, staff, [(role, unit, first + k) for k, (role, unit) in
                                       enumerate(officials)])  # fmt: skip
    midnight = int(at.astimezone(ZONE).replace(hour=0, minute=0, second=0).timestamp())
    book = _appoint(rng, bundles, midnight)
    flaws = _spoil(rng, preset, units, book, midnight)
    ids = workers.index.to_numpy()
    duties = pd.DataFrame(
        {
            "unit_code": book.unit,
            "role": book.role,
            "worker_id": ids[book.person],
            "rank": book.rank,
            "begin": book.begin,
            "end": book.end,
        },
        index=pd.Index([f"Z{k:06d}" for k in range(1, len(book.unit) + 1)], name="duty_id"),
    )
    flaws["id"] = [
        duties.index[int(row)] if kind == "swapped" else unit
        for kind, unit, row in zip(flaws["kind"], flaws["id"], flaws.pop("row"), strict=True)
    ]
    end = int(at.timestamp())
    now: dict[tuple[str, str], list[str]] = {}
    for row in duties[(duties["begin"] <= end) & (duties["end"] > end)].itertuples():
        if row.rank == 1:
            now.setdefault((row.unit_code, row.role), []).append(row.worker_id)
    return Roster(workers, duties, list_departments(), flaws, now)


def _hand_out(
    units: Units, staff: list[tuple[str, str]], officials: list[tuple[str, str, int]]
) -> list[_Bundle]:
    """Which posts go to whom today."""
    of: dict[tuple[str, str], list[int]] = {}
    for k, (role, unit) in enumerate(staff):
        of.setdefault((role, unit), []).append(k)
    for role, unit, k in officials:
        of.setdefault((role, unit), []).append(k)
    out: list[_Bundle] = []
    for code in units.grids:
        out += [
            _Bundle("grid_worker", ((code, "grid_worker", 1),), k)
            for k in of.get(("grid_worker", code), ())
        ]
    grids_of = units.grids_of()
    for code, grids in grids_of.items():
        out += _grid_heads(code, grids, of)
    leaders = [("community", units.communities, True), ("street", units.streets, True)]
    leaders += [("district", units.districts, False), ("city", (units.city,), False)]
    for level, codes, has_fire in leaders:
        for code in codes:
            head, deputy = of[f"{level}_head", code][0], of["deputy", code][0]
            posts: Posts = ((code, f"{level}_head", 1),)
            if not has_fire:
                posts += ((code, "leader", 1),)
            out.append(_Bundle(f"{level}_head", posts, head))
            posts = ((code, f"{level}_head", 2), (code, "deputy", 1))
            if has_fire:
                posts += ((code, "fire", 1),)
            out.append(_Bundle("deputy", posts, deputy))
    out += _police(units, staff, officials)
    for k, (role, unit) in enumerate(staff):
        is_placed = role in ("police", "grid_head") or (role == "grid_worker" and len(unit) > 12)
        if not is_placed:
            out.append(_Bundle("", ((unit, role, 1),), k))
    for role, unit, k in officials:
        if role in ("acceptor", "dispatcher", "inspector", "shift_leader", "handler"):
            out.append(_Bundle("", ((unit, role, 1),), k))
        elif role == "contact":
            stand_in = of["handler", unit][0]
            out.append(_Bundle("contact", ((unit, role, 1),), k))
            out.append(_Bundle("", ((unit, role, 2),), stand_in))
    return out


def _grid_heads(
    community: str, grids: list[str], of: dict[tuple[str, str], list[int]]
) -> list[_Bundle]:
    """Heads of the grids of a community: their own, else members of the community in turn."""
    out, members = [], of.get(("grid_head", community), [])
    for place, grid in enumerate(grids):
        own = of.get(("grid_head", grid), [])
        if not own and not members:
            continue
        head, *more = own or [members[place // GRIDS_A_MEMBER % len(members)]]
        posts: Posts = ((grid, "grid_head", 1), (grid, "fire", 1))
        stand_in = 2
        for k in more:
            out.append(_Bundle("", ((grid, "grid_head", stand_in),), k))
            stand_in += 1
        following = grids[(place + 1) % len(grids)]
        if own and following != grid and len(of.get(("grid_head", following), ())) == 1:
            posts += ((following, "grid_head", 2),)
        out.append(_Bundle("grid_head" if own else "", posts, head))
    return out


def _police(
    units: Units, staff: list[tuple[str, str]], officials: list[tuple[str, str, int]]
) -> list[_Bundle]:
    """Officers at the unit they were hired for; too few for all communities take several."""
    officers = [(k, unit) for k, (role, unit) in enumerate(staff) if role == "police"]
    officers += [(k, unit) for role, unit, k in officials if role == "police"]
    served = {unit for _, unit in officers}
    out = [_Bundle("", ((unit, "police", 1),), k) for k, unit in officers]
    if not served & set(units.grids):
        bare = [code for code in units.communities if code not in served]
        for place, code in enumerate(bare):
            out.append(_Bundle("", ((code, "police", 1),), officers[place % len(officers)][0]))
    return out


ROTATING = ("grid_worker", "grid_head", "community_head", "street_head", "contact")
ROTATED_SHARE = 0.3


def _appoint(rng: np.random.Generator, bundles: list[_Bundle], midnight: int) -> _Book:
    """Write the duties: everyone since years ago, but for pairs that changed places last year."""
    swapped: dict[int, tuple[int, int]] = {}
    for kind in ROTATING:
        mine = [k for k, bundle in enumerate(bundles) if bundle.kind == kind]
        order = rng.permutation(len(mine))
        # One or more pairs of those that there are, so that a small city has a past as well.
        pairs = max(round(len(mine) * ROTATED_SHARE / 2), min(1, len(mine) // 2))
        days = rng.integers(30, 361, pairs)
        for pair in range(pairs):
            a, b = mine[order[2 * pair]], mine[order[2 * pair + 1]]
            when = midnight - int(days[pair]) * DAY_S
            swapped[a], swapped[b] = (b, when), (a, when)
    begins = midnight - rng.integers(420, 2600, len(bundles)) * DAY_S
    book = _Book()
    for k, bundle in enumerate(bundles):
        begin = int(begins[k])
        if k in swapped:
            other, when = swapped[k]
            book.add(bundle.posts, bundles[other].person, begin, when)
            begin = when
        book.add(bundle.posts, bundle.person, begin, OPEN)
    return book


def _spoil(
    rng: np.random.Generator, preset: Preset, units: Units, book: _Book, midnight: int
) -> pd.DataFrame:
    """Plant the flaws that the preset wants, each at a unit of its own; returns the truth."""
    rows: list[tuple[str, str, str, str, int, int, int]] = []
    lasting = [k for k in range(len(book.unit)) if book.end[k] == OPEN]
    changed = {(book.unit[k], book.role[k]) for k in range(len(book.unit)) if book.end[k] != OPEN}

    def pick(role: str, length: int, rank: int = 1) -> int | None:
        used = {row[2] for row in rows}
        fits = [
            k
            for k in lasting
            if book.role[k] == role and book.rank[k] == rank and len(book.unit[k]) == length
            and book.unit[k] not in used and (book.unit[k], role) not in changed
            and (length != 12 or book.unit[k][9:] != "000" or role == "street_head")
        ]  # fmt: skip
        return fits[int(rng.integers(len(fits)))] if fits else None

    def days(count: int) -> int:
        return midnight - count * DAY_S

    for kind in preset.flaws:
        if kind == "vacant":
            for role, length, since in (("grid_head", 15, days(20)), ("fire", 12, days(45))):
                k = pick(role, length)
                if k is not None:
                    book.end[k] = since
                    rows.append((kind, "post_vacant", book.unit[k], role, since, OPEN, k))
        elif kind == "double" and (k := pick("community_head", 12)) is not None:
            deputy = pick("community_head", 12, 2)
            if deputy is not None:
                post = ((book.unit[k], "community_head", 1),)
                book.add(post, book.person[deputy], days(15), OPEN)
                rows.append(
                    (kind, "post_double", book.unit[k], "community_head", days(15), OPEN, k)
                )
        elif kind == "gap" and (k := pick("street_head", 12)) is not None:
            deputy = next(
                j for j in lasting if book.role[j] == "deputy" and book.unit[j] == book.unit[k]
            )
            post = ((book.unit[k], "street_head", 1),)
            book.add(post, book.person[deputy], book.begin[k], days(120))
            book.begin[k] = days(99)
            rows.append((kind, "post_gap", book.unit[k], "street_head", days(120), days(99), k))
        elif kind == "swapped" and (k := pick("contact", 3)) is not None:
            stand_in = pick("handler", 3)
            assert stand_in is not None
            post = ((book.unit[k], "contact", 1),)
            rows.append(
                (kind, "duty_dates", book.unit[k], "contact", days(700), days(900), len(book.unit))
            )
            book.add(post, book.person[stand_in], days(700), days(900))
    names = ["kind", "reason", "id", "role", "valid_from", "valid_to", "row"]
    return pd.DataFrame(rows, columns=names)
