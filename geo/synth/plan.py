"""Divide the ground into districts, streets, communities and grids, and give them people.

Each level is cut out of the one above, so all nest. Grids are numbered inside their community
from west to east, row by row from the north, by `geo.hierarchy.number_grids`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from geopandas import GeoDataFrame

from geo.hierarchy import number_grids
from geo.schema import STORAGE_CRS
from geo.synth.blocks import Ground
from geo.synth.division import Links, _components, divide, link_blocks, share_out
from geo.synth.people import build, choose_uses, keep_buildings, share_within
from geo.synth.place import Place, merge_blocks
from geo.synth.presets import Preset

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

DEDICATED_USES = ("park", "school", "market", "hospital")


@dataclass
class Plan:
    """Who belongs where. Arrays over blocks unless they say otherwise; numbers count from 0."""

    uses: Words
    district: Ints
    street: Ints
    community: Ints
    grid: Ints
    compound: Ints
    """-1 where nobody lives."""
    village: Bools
    """Of each community."""
    dedicated: Bools
    """Of each grid."""
    grid_number: Ints
    """Of each grid: its number inside the community, from 1."""
    buildings: pd.DataFrame
    """As `people.build`, with households and population."""

    def above(self, lower: Ints, upper: Ints) -> Ints:
        """For each value of a lower level, the one of the upper level that it lies in."""
        out = np.empty(int(lower.max()) + 1, dtype=np.int64)
        out[lower] = upper
        return out


class _Divider:
    """The blocks as a graph, with the things that all levels need."""

    def __init__(self, ground: Ground, weight: Reals, homes: Bools) -> None:
        self.links = link_blocks(ground)
        self.dry = link_blocks(ground, over_river=False)
        self.place, self.weight, self.homes = ground.middle, weight, homes

    def divide(self, nodes: Ints, parts: int, *, least_homes: int = 1) -> Ints:
        """Connected parts; each bank of a river on its own where there are parts enough."""
        sides = self._sides(nodes)
        banks = np.unique(sides)
        if parts < 2 or len(banks) < 2 or parts < len(banks):
            return self._cut(nodes, parts, least_homes)
        mass = np.array([self.weight[nodes[sides == s]].sum() for s in banks])
        homes = np.array([self.homes[nodes[sides == s]].sum() for s in banks])
        shares = share_out(parts, mass, least=1, most=np.maximum(homes // least_homes, 1))
        label, made = np.full(len(nodes), -1, dtype=np.int64), 0
        for bank, share in zip(banks, shares, strict=True):
            mine = sides == bank
            label[mine] = self._cut(nodes[mine], int(share), least_homes) + made
            made += int(share)
        return label

    def _cut(self, nodes: Ints, parts: int, least_homes: int) -> Ints:
        return divide(
            nodes,
            parts,
            self.links,
            place=self.place,
            weight=self.weight,
            homes=self.homes,
            least_homes=least_homes,
        )

    def parts_of(self, nodes: Ints, links: Links) -> Ints:
        """Connected components of some blocks."""
        inside = np.full(len(self.weight), -1, dtype=np.int64)
        inside[nodes] = np.arange(len(nodes))
        ok = (inside[links.a] >= 0) & (inside[links.b] >= 0)
        return _components(len(nodes), inside[links.a[ok]], inside[links.b[ok]])

    def _sides(self, nodes: Ints) -> Ints:
        """Which bank each block lies on; too small a piece counts as part of the largest."""
        part = self.parts_of(nodes, self.dry)
        mass = np.bincount(part, self.weight[nodes])
        small = mass < 0.08 * mass.sum()
        if not small.any():
            return part
        # A small piece joins the others only if they hang together with it; else keep all as one.
        part = np.where(small[part], int(np.argmax(mass)), part)
        for value in np.unique(part):
            if len(np.unique(self.parts_of(nodes[part == value], self.links))) > 1:
                return np.zeros(len(nodes), dtype=np.int64)
        return part


def make_plan(rng: np.random.Generator, preset: Preset, ground: Ground, place: Place) -> Plan:
    """Use, buildings, levels and households of a whole city.

    Raises
    ------
    CoverError, ValueError
        If this draw of streets cannot carry the figures of the preset; try another.
    """
    uses = choose_uses(rng, ground, rural=preset.villages > 0)
    buildings = build(rng, ground, uses)
    if preset.buildings is not None:
        # The figure counts all there is, so only homes are built.
        buildings = buildings[buildings["homes"]].reset_index(drop=True)
        buildings = keep_buildings(rng, buildings, preset.buildings, one_of="block")
    n = len(ground.blocks)
    room = np.bincount(buildings["block"], buildings["room"] * buildings["homes"], n)
    homes = room > 0
    weight = np.where(homes, np.sqrt(room), 0.0)
    weight = np.where(homes, weight, 0.15 * weight[homes].mean())
    divider = _Divider(ground, weight, homes)
    district = _level(divider, np.zeros(n, dtype=np.int64), preset.districts)
    street = _level(divider, district, preset.streets)
    community = _level(divider, street, preset.communities + preset.villages)
    village = _villages(ground, community, preset.villages)
    dedicated_block = _choose_dedicated(rng, divider, preset, uses, community)
    base = preset.grids - len(dedicated_block)
    estate = community
    if preset.compounds is not None:
        estate = _level(divider, community, preset.compounds)
    least = 1 if preset.showcase is None else preset.showcase.compounds
    grid = _grids(divider, estate, base, dedicated_block, least)
    grid, number = _number(ground, place, grid, community)
    compound = (
        estate
        if preset.compounds is not None
        else _compounds(rng, preset, homes, grid, number, ground)
    )
    compound = np.where(homes, compound, -1)
    dedicated = np.zeros(preset.grids, dtype=bool)
    dedicated[grid[dedicated_block]] = True
    if preset.showcase is not None:
        shown = buildings["block"].map(pd.Series(number[grid] == preset.showcase.number))
        some = keep_buildings(
            rng,
            buildings[shown & buildings["homes"]].reset_index(drop=True),
            preset.showcase.buildings,
            one_of="block",
        )
        buildings = pd.concat([buildings[~shown], some]).sort_values(
            ["block", "homes"], kind="stable", ignore_index=True
        )
    plan = Plan(
        uses, district, street, community, grid, compound, village, dedicated, number, buildings
    )
    _settle(rng, preset, plan)
    return plan


def _level(divider: _Divider, upper: Ints, parts: int, *, least_homes: int = 1) -> Ints:
    """Cut every region of a level into parts, as many in all as asked, by weight."""
    regions = int(upper.max()) + 1
    mass = np.bincount(upper, divider.weight, regions)
    homes = np.bincount(upper, divider.homes, regions).astype(np.int64)
    shares = share_out(parts, mass, least=1, most=np.maximum(homes // least_homes, 1))
    out, made = np.empty(len(upper), dtype=np.int64), 0
    order = np.argsort(upper, kind="stable")
    for region, nodes in enumerate(np.split(order, np.cumsum(np.bincount(upper))[:-1])):
        out[nodes] = divider.divide(nodes, int(shares[region]), least_homes=least_homes) + made
        made += int(shares[region])
    return out


def _grids(divider: _Divider, estate: Ints, base: int, apart: Ints, least: int) -> Ints:
    """Base grids of each estate without the blocks set apart, which become grids of their own."""
    inside = np.ones(len(estate), dtype=bool)
    inside[apart] = False
    part = np.where(inside, estate, -1)
    regions = int(estate.max()) + 1
    rows = np.flatnonzero(inside)
    mass = np.bincount(part[rows], divider.weight[rows], regions)
    homes = np.bincount(part[rows], divider.homes[rows], regions).astype(np.int64)
    shares = share_out(base, mass, least=1, most=np.maximum(homes // least, 1))
    out, made = np.empty(len(estate), dtype=np.int64), 0
    order = rows[np.argsort(part[rows], kind="stable")]
    for region, nodes in enumerate(np.split(order, np.cumsum(np.bincount(part[rows]))[:-1])):
        out[nodes] = divider.divide(nodes, int(shares[region]), least_homes=least) + made
        made += int(shares[region])
    out[apart] = made + np.arange(len(apart))
    return out


def _villages(ground: Ground, community: Ints, villages: int) -> Bools:
    """The communities farthest out are villages."""
    count = np.bincount(community)
    far = np.bincount(community, ground.far) / count
    out = np.zeros(len(count), dtype=bool)
    if villages:
        out[np.argsort(-far, kind="stable")[:villages]] = True
    return out


def _choose_dedicated(
    rng: np.random.Generator, divider: _Divider, preset: Preset, uses: Words, community: Ints
) -> Ints:
    """Blocks that become grids of their own; none whose loss would tear its community."""
    wanted = round(preset.dedicated_share * preset.grids)
    chosen: list[int] = []
    candidates = np.flatnonzero(np.isin(uses, DEDICATED_USES) & ~divider.homes)
    busy: set[int] = set()
    for block in rng.permutation(candidates):
        if len(chosen) == wanted:
            break
        if int(community[block]) in busy:
            continue
        rest = np.flatnonzero(community == community[block])
        rest = rest[rest != block]
        if len(rest) and divider.parts_of(rest, divider.links).max() == 0:
            chosen.append(int(block))
            busy.add(int(community[block]))
    return np.array(sorted(chosen), dtype=np.int64)


def _number(ground: Ground, place: Place, grid: Ints, community: Ints) -> tuple[Ints, Ints]:
    """Grids in order of community and number, and the number of each inside its community."""
    shapes = merge_blocks(place.to_degrees(ground.blocks), grid)
    owner = np.empty(len(shapes), dtype=np.int64)
    owner[grid] = community
    frame = GeoDataFrame(
        {"community_code": [f"{code:012d}" for code in owner]}, geometry=shapes, crs=STORAGE_CRS
    )
    number = number_grids(frame).str[-3:].astype(int).to_numpy()
    order = np.lexsort([number, owner])
    rank = np.empty(len(shapes), dtype=np.int64)
    rank[order] = np.arange(len(shapes))
    return rank[grid], number[order]


def _compounds(
    rng: np.random.Generator,
    preset: Preset,
    homes: Bools,
    grid: Ints,
    number: Ints,
    ground: Ground,
) -> Ints:
    """One to three compounds in a grid: runs of its home blocks from west to east."""
    out, made = np.full(len(grid), -1, dtype=np.int64), 0
    rows = np.flatnonzero(homes)
    order = rows[np.lexsort([ground.middle[rows, 0], grid[rows]])]
    cuts = np.flatnonzero(np.diff(grid[order])) + 1
    for members in np.split(order, cuts):
        k = min(len(members), int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2])))
        if preset.showcase is not None and number[grid[members[0]]] == preset.showcase.number:
            k = preset.showcase.compounds
            if len(members) < k:
                raise ValueError(f"the shown grid has {len(members)} blocks with homes")
        out[members] = made + np.arange(len(members)) * k // len(members)
        made += k
    return out


def _settle(rng: np.random.Generator, preset: Preset, plan: Plan) -> None:
    """Give every building its households and people; figures of the preset hold exactly."""
    low, high = preset.band
    base = np.flatnonzero(~plan.dedicated)
    middle, spread = (low + high) / 2, (high - low) / 5
    wish = np.clip(rng.normal(middle, spread, len(base)), low, high)
    households = np.zeros(preset.grids, dtype=np.int64)
    if preset.households is not None:
        households[base] = share_out(
            preset.households, wish, least=low, most=np.full(len(base), high)
        )
    else:
        households[base] = np.rint(wish).astype(np.int64)
    if preset.showcase is not None:
        households[plan.grid_number == preset.showcase.number] = preset.showcase.households
    table = plan.buildings
    table["households"] = 0
    lived = table["homes"].to_numpy()
    grid = plan.grid[table["block"].to_numpy()[lived]]
    got = share_within(grid, households, table["room"].to_numpy()[lived], least=1)
    table.loc[lived, "households"] = got
    size = rng.normal(2.65, 0.12, int(lived.sum())) * got
    if preset.people is not None:
        people = share_out(preset.people, size, least=got)
    else:
        people = np.maximum(got, np.rint(size).astype(np.int64))
    table["population"] = 0
    table.loc[lived, "population"] = people
    # Storeys follow from the homes: about 110 m2 of floor each, stairs included.
    floors = np.ceil(got * 110.0 / np.maximum(table["room"] / table["floors"], 1.0)[lived])
    table.loc[lived, "floors"] = np.clip(floors, 1, 34).astype(np.int64)
