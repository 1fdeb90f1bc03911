"""The gate before a plan is submitted or published: every rule, each breach with its place.

The editor keeps most of these rules by construction. The gate does not trust that: it checks the
plan as it stands, by other means, so that a plan from a file, from an older program or from a fault
of ours does not come into force. Findings are data, not errors in code: `check_plan` returns all of
them. A plan may go on if none is an error; warnings are for people to weigh.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
import shapely

from geo._plan_drawn import Drawn, Shapes
from geo.codes import is_division_code
from geo.errors import InputError
from geo.plan import Plan, pieces_of
from geo.publish import Publication

RULES: dict[str, Literal["error", "warning"]] = {
    "nothing_changed": "error",
    "base_outdated": "error",
    "conflicts_open": "error",
    "cover_overlap": "error",
    "cover_lost": "error",
    "households_lost": "error",
    "rest_grid": "error",
    "in_pieces": "error",
    "two_communities": "error",
    "codes_full": "error",
    "code_twice": "error",
    "code_used": "error",
    "code_elsewhere": "error",
    "name_twice": "error",
    "locked_changed": "error",
    "from_missing": "error",
    "from_early": "error",
    "from_past": "warning",
    "band_low": "warning",
    "band_high": "warning",
    "not_compact": "warning",
    "comments_open": "warning",
    "nobody_appointed": "warning",
}
"""Every rule and how grave a breach is, in the order in which findings are listed."""

BAND = (300, 500)
"""Households of a grid by GB/T 34300-2017 (standards.md 1.6); a city may set its own."""

FENCE = 1.5
"""A grid is an outlier below the first quartile less so many interquartile ranges (Tukey 1977)."""

COMPACT = 0.4
"""From here on a grid is no outlier whatever the others are: a rectangle of 1 to 6 has 0.38; our
assumption."""

_LEAST_GRIDS = 8
"""Fewer grids have no quartiles worth the name; our assumption."""


@dataclass(frozen=True)
class Finding:
    """One breach of one rule."""

    rule: str
    """Key of `RULES`; screens have a sentence for each."""
    severity: str
    grid: str = ""
    """Id of the grid in the plan, empty where the whole plan is meant."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and names of the sentence."""
    place: shapely.Geometry | None = field(default=None, repr=False)
    """Where, in the CRS of the plan."""


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a plan."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether the plan may go on: no finding is an error."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What has to be mended."""
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What people should weigh."""
        return tuple(f for f in self.findings if f.severity == "warning")


@dataclass(frozen=True)
class Circumstances:
    """What the gate has to know beside the plan."""

    band: tuple[int, int] = BAND
    """Least and most households of a grid."""
    rest: Collection[str] = ()
    """Ids of grids that stand for ground without a grid."""
    conflicts: int = 0
    """Edits of two people that wait for a decision."""
    comments: int = 0
    """Comments that nobody settled."""
    outdated: bool = False
    """Other grids were published since the draft began."""
    newest: datetime | None = None
    """When the newest grids that there are came or come into force."""
    at: datetime | None = None
    """Now."""
    from_day: datetime | None = None
    """From when the plan shall be in force, if somebody said so."""
    publishing: bool = False
    """At submission a plan may leave open from when; at publication not."""
    full: str = ""
    """Code of a community that has no number left for its new grids."""
    vacant: Collection[str] = ()
    """Codes of new grids that nobody is appointed to."""


def check_plan(
    first: Plan,
    plan: Plan,
    around: Circumstances,
    *,
    publication: Publication | None = None,
    taken: Collection[str] = (),
    shapes: Shapes | None = None,
) -> Verdict:
    """Hold a plan against every rule.

    Parameters
    ----------
    first
        The plan that the draft began from.
    plan
        The draft.
    around
        What is known beside the plan.
    publication
        What the plan would become (`geo.publish.publish`); without it codes are not checked.
    taken
        Every code that a grid ever had.
    shapes
        The blocks of the plan as polygons, where they are at hand.

    Returns
    -------
    Verdict
        Findings in the order of `RULES`, then by grid.

    Raises
    ------
    InputError
        If the band is no span, or a moment has no zone.
    """
    low, high = around.band
    if not 0 <= low <= high:
        raise InputError(f"the band is {low} to {high} households: give the smaller number first")
    for name, moment in (("at", around.at), ("newest", around.newest), ("from", around.from_day)):
        if moment is not None and moment.tzinfo is None:
            raise InputError(f"{name} is {moment} without a zone: add one, such as +08:00")
    drawn = Drawn(plan, shapes)
    found: list[Finding] = []
    for check in (
        _check_standing(around, publication),
        _check_cover(first, drawn),
        _check_people(first, drawn),
        _check_grids(drawn, around),
        _check_names(first, drawn, publication),
        _check_locks(drawn),
        _check_dates(around),
        _check_band(first, drawn, around),
        _check_shapes(first, drawn),
    ):
        found += check
    if publication is not None:
        found += _check_codes(plan, publication, taken)
        found += _check_posts(drawn, publication, around.vacant)
    order = {rule: number for number, rule in enumerate(RULES)}
    found.sort(key=lambda f: (f.severity != "error", order[f.rule], f.grid))
    return Verdict(tuple(found))


def _breach(
    rule: str, grid: str = "", place: shapely.Geometry | None = None, **figures: Any
) -> Finding:
    return Finding(rule, RULES[rule], grid, figures, place)


def _check_standing(around: Circumstances, publication: Publication | None) -> Iterator[Finding]:
    if publication is not None and publication.grids.empty and not publication.ended:
        yield _breach("nothing_changed")
    if around.outdated:
        yield _breach("base_outdated")
    if around.conflicts:
        yield _breach("conflicts_open", n=around.conflicts)
    if around.full:
        yield _breach("codes_full", community=around.full)
    if around.comments:
        yield _breach("comments_open", n=around.comments)


def _check_cover(first: Plan, drawn: Drawn) -> Iterator[Finding]:
    """Blocks form a cover (GEOS' coverage test), and the ground is all that there was."""
    plan = drawn.plan
    shapes, bad = drawn.shapes, np.flatnonzero(drawn.bad)
    for row in bad.tolist():
        yield _breach("cover_overlap", drawn.grid_of(row), shapes[row], block=plan.blocks.ids[row])
    if not len(bad) and not drawn.is_cover:
        edges = shapely.coverage_invalid_edges(shapes)
        for row in np.flatnonzero(~shapely.is_empty(edges)).tolist():
            yield _breach(
                "cover_overlap", drawn.grid_of(row), edges[row], block=plan.blocks.ids[row]
            )
    before, after = (
        np.bincount(p.ground.community, p.ground.measures[0], minlength=len(p.communities))
        for p in (first, plan)
    )
    # Coordinates are given to a micrometre or better: a hundredth of a square metre is no rounding.
    for row in np.flatnonzero(np.abs(after - before) > 0.01 + 1e-9 * before).tolist():
        yield _breach(
            "cover_lost", community=plan.communities[row], area_m2=float(after[row] - before[row])
        )


def _check_people(first: Plan, drawn: Drawn) -> Iterator[Finding]:
    """What each block of the first plan had is what its parts have."""
    plan = drawn.plan
    for name in ("households", "people"):
        had = getattr(first.blocks, name)
        has = np.bincount(
            plan.blocks.origin, getattr(plan.blocks, name), minlength=len(first.blocks)
        ).astype(np.int64)
        for row in np.flatnonzero(had != has).tolist():
            yield _breach(
                "households_lost",
                drawn.grid_of(row),
                first.ground.polygon(row),
                block=first.blocks.ids[row],
                what=name,
                had=int(had[row]),
                has=int(has[row]),
            )


def _check_grids(drawn: Drawn, around: Circumstances) -> Iterator[Finding]:
    plan = drawn.plan
    table = plan.table()
    for name in around.rest:
        if name in table.index:
            row = table.loc[name]
            yield _breach(
                "rest_grid",
                name,
                drawn.outline(name),
                blocks=int(row["blocks"]),
                households=int(row["households"]),
            )
    for grid, row in plan.grid_rows.items():
        blocks = drawn.members[row]
        pieces = pieces_of(plan, blocks)
        if len(pieces) > 1:
            small = min(pieces, key=lambda piece: int(plan.blocks.households[piece].sum()))
            place = drawn.union(small)
            yield _breach("in_pieces", grid, place, pieces=len(pieces))
        strange = blocks[plan.ground.community[blocks] != plan.grids[row].community]
        if len(strange):
            place = drawn.union(strange)
            yield _breach("two_communities", grid, place, blocks=len(strange))


def _check_names(first: Plan, drawn: Drawn, publication: Publication | None) -> Iterator[Finding]:
    """Two grids of a community with one name; both bearing it before is nobody's doing."""
    plan = drawn.plan
    table = plan.table()
    said = table["name"]
    if publication is not None:
        new = publication.grids.set_index("plan_grid")["name"]
        said = new.reindex(table.index).where(table.index.isin(new.index), said)
    was = {row.grid_id: row.name for row in first.grids}
    named = pd.DataFrame({"name": said.str.strip(), "home": table["community_code"]}).dropna()
    for (name, _), rows in named.groupby(["name", "home"]):
        if len(rows) < 2 or all(was.get(str(grid)) == name for grid in rows.index):
            continue
        for grid in rows.index:
            yield _breach("name_twice", str(grid), drawn.outline(str(grid)), name=str(name))


def _check_codes(plan: Plan, publication: Publication, taken: Collection[str]) -> Iterator[Finding]:
    codes = publication.codes
    lives = set(publication.kept) | set(publication.closed)
    for grid, code in codes[codes.duplicated(keep=False)].items():
        yield _breach("code_twice", str(grid), code=code)
    used = set(taken)
    homes = publication.grids["community_code"]
    for code, grid in publication.grids["plan_grid"].items():
        if code not in lives and code in used:
            yield _breach("code_used", str(grid), code=str(code))
        home, begun = str(homes[code]), str(code)[:12]
        # A city with codes of its own keeps them; only nationwide ones begin with the community's.
        nationwide = is_division_code(home) and is_division_code(begun)
        if code not in lives and nationwide and begun != home:
            yield _breach("code_elsewhere", str(grid), code=str(code), community=home)


def _check_posts(
    drawn: Drawn, publication: Publication, vacant: Collection[str]
) -> Iterator[Finding]:
    draft = {str(code): str(grid) for grid, code in publication.codes.items()}
    for code in sorted(vacant):
        grid = draft.get(code, "")
        place = drawn.outline(grid) if grid else None
        yield _breach("nobody_appointed", grid, place, code=code)


def _check_locks(drawn: Drawn) -> Iterator[Finding]:
    """A locked grid has just the blocks that it had when it was locked."""
    plan = drawn.plan
    waiting = {name for name in plan.locked if name in plan.grid_rows}
    then: dict[str, Plan] = {}
    at = plan
    while len(then) < len(waiting):
        before = at.undo() if at.past is not None else None
        for name in waiting - set(then):
            if before is None or name not in before.locked:
                then[name] = at
        if before is None:
            break
        at = before
    for name in sorted(waiting):
        differs = _blocks_of(then[name], name) ^ _blocks_of(plan, name)
        if differs:
            place = drawn.outline(name)
            yield _breach("locked_changed", name, place, blocks=len(differs))


def _blocks_of(plan: Plan, grid: str) -> set[str]:
    row = plan.grid_rows.get(grid)
    if row is None:
        return set()
    return {plan.blocks.ids[block] for block in plan.members(row).tolist()}


def _check_dates(around: Circumstances) -> Iterator[Finding]:
    begin = around.from_day
    if begin is None:
        if around.publishing:
            yield _breach("from_missing")
        return
    if around.newest is not None and begin <= around.newest:
        yield _breach("from_early", from_day=begin, newest=around.newest)
    elif around.at is not None and begin < around.at:
        yield _breach("from_past", from_day=begin, at=around.at)


def _check_band(first: Plan, drawn: Drawn, around: Circumstances) -> Iterator[Finding]:
    """Households outside of the band; dedicated grids (专属网格) are exempt by GB/T 34300."""
    plan = drawn.plan
    low, high = around.band
    before = first.table()["households"]
    table = plan.table()
    out = (table["households"] < low) | (table["households"] > high)
    out &= (table["kind"] != "dedicated") & ~table.index.isin(list(around.rest))
    for name, count in table.loc[out, "households"].to_dict().items():
        rule = "band_low" if count < low else "band_high"
        was = int(before[name]) if name in before.index else None
        place = drawn.outline(name)
        yield _breach(rule, name, place, households=count, low=low, high=high, was=was)


def _check_shapes(first: Plan, drawn: Drawn) -> Iterator[Finding]:
    """Grids that the plan made much less compact than grids are here; see `FENCE`."""
    plan = drawn.plan
    table = plan.table()
    if len(table) < _LEAST_GRIDS:
        return
    values = table["compactness"]
    one, three = values.quantile([0.25, 0.75])
    limit = min(float(one - FENCE * (three - one)), COMPACT)
    before = first.table()["compactness"]
    for grid in values.index[values < limit]:
        name = str(grid)
        was = float(before[name]) if name in before.index else None
        if was is not None and values[name] >= was - 1e-9:
            continue
        place = drawn.outline(name)
        yield _breach(
            "not_compact", name, place, compactness=float(values[name]), limit=limit, was=was
        )
