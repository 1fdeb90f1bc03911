"""Build a whole invented city and hand it over in the tables of a workspace.

Equal preset, seed and moment give equal tables. Each part draws from a generator of its own, so
leaving one out changes none of the others. A draw of streets that cannot carry the figures of its
preset is thrown away and the next one tried.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
from geopandas import GeoDataFrame

from geo.deadlines import WorkingCalendar, overrides_from_table
from geo.errors import CoverError, InputError
from geo.synth import case_tables, names, tables
from geo.synth.assets import describe_assets, place_assets
from geo.synth.blocks import Ground, make_ground
from geo.synth.cameras import place_cameras
from geo.synth.departments import list_class_owners
from geo.synth.devices import hand_out
from geo.synth.incidents import draw_cases, find_blocks, find_planted
from geo.synth.kinds import list_limits
from geo.synth.moves import Places, move_cases
from geo.synth.patrols import walk_rounds
from geo.synth.place import Place
from geo.synth.places import place_places
from geo.synth.plan import Plan, make_plan
from geo.synth.presets import PRESETS, Preset
from geo.synth.roster import OFFICIAL_ROLES, Roster, Units, list_officials, make_roster
from geo.synth.streets import draw_sheet
from geo.synth.workers import choose_patrols, hire_workers
from geo.synth.zones import draw_zones, name_blocks

PARTS = ("ground", "assets", "places", "workers", "incidents", "fixes")
"""What a city is made of, in order of making; each needs `ground`. Workers come with departments
and their posts, incidents with their log."""

ATTEMPTS = 40

Frames = dict[str, pd.DataFrame | GeoDataFrame]

Progress = Callable[[str, int, int], None]
"""Called with the name of a step, its number from 1 and the number of steps."""


@dataclass(frozen=True)
class City:
    """An invented city: the tables of `geo.schema`, indexed by their ids, in EPSG:4326."""

    preset: str
    title: str
    seed: int
    at: datetime
    tables: Frames
    truth: dict[str, pd.DataFrame]
    """What was planted, so that it can be looked for: `duty_flaws`, `black_spots`, `similar`."""
    rules: dict[str, pd.DataFrame]
    """What the city decides for itself, by the names of `geo.io.rules.RULE_TABLES`: the limits
    that its deadlines were computed with, and which department handles which class."""

    def __getitem__(self, name: str) -> pd.DataFrame | GeoDataFrame:
        """A table by name; KeyError for a part that was not built."""
        return self.tables[name]


def build_city(
    preset: str | Preset,
    *,
    seed: int,
    at: datetime,
    progress: Progress | None = None,
    parts: Collection[str] = PARTS,
) -> City:
    """Build the city of a preset.

    Parameters
    ----------
    preset
        A name in `PRESETS`, or a preset of your own.
    seed
        Any whole number from 0; another one gives another city with the same figures.
    at
        The moment at which the city is looked at, with a zone; nothing in it is later.
    progress
        Told of each step as it begins.
    parts
        Which of `PARTS` to build; `ground` (divisions, grids, blocks, buildings, areas, roads,
        zones, calendar)
        always is.

    Raises
    ------
    InputError
        If there is no such preset or part, `at` has no zone, or the seed is negative.
    """
    plan_of = _find_preset(preset)
    if at.tzinfo is None:
        raise InputError(f"at is {at.isoformat()} without a zone: add one, such as +08:00")
    if seed < 0:
        raise InputError(f"seed is {seed}: use a whole number from 0")
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise InputError(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    at = at.replace(microsecond=0)
    return _Builder(plan_of, seed, at, progress, set(parts)).build()


def _find_preset(preset: str | Preset) -> Preset:
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise InputError(f"no preset {preset!r}: there are {', '.join(PRESETS)}")
    return PRESETS[preset]


class _Builder:
    """Makes one city, part by part."""

    def __init__(
        self, preset: Preset, seed: int, at: datetime, progress: Progress | None, parts: set[str]
    ) -> None:
        self.preset, self.seed, self.at = preset, seed, at
        self.progress, self.parts = progress, parts
        self.place = Place(preset.lon, preset.lat)
        self.truth: dict[str, pd.DataFrame] = {}
        china = WorkingCalendar()
        years = range(at.year - 2, at.year + 2)
        self.holidays = case_tables.calendar([year for year in years if not china.knows(year)])
        told = self.holidays.reset_index().rename(columns={"day": "date"})
        self.calendar = WorkingCalendar(overrides=overrides_from_table(told))
        self.step, self.steps = 0, 3 + len(parts - {"ground"})

    def tell(self, text: str) -> None:
        self.step += 1
        if self.progress is not None:
            self.progress(text, self.step, self.steps)

    def rng(self, part: str, attempt: int = 0) -> np.random.Generator:
        """A generator of its own for each part."""
        return np.random.default_rng([self.seed, zlib.crc32(part.encode()), attempt])

    def build(self) -> City:
        self.tell("streets, blocks and buildings")
        ground, plan = self._lay_out()
        self.tell("divisions and grids")
        out: Frames = {}
        ids = tables.make_ids(self.preset, plan)
        rng = self.rng("names")
        edge_names = self._road_names(rng, ground)
        compounds = names.draw_unique(
            rng,
            names.COMPOUND_FIRST + names.WORKPLACES,
            names.COMPOUND_LAST,
            int(plan.compound.max()) + 1,
        )
        out |= tables.divisions_and_grids(rng, self.preset, self.place, ground, plan, ids, self.at)
        self.tell("roads, parks and compounds")
        out |= tables.blocks_and_buildings(self.place, ground, plan, ids, compounds)
        out["roads"] = tables.roads(self.place, ground, edge_names)
        areas, area_names = tables.areas(rng, self.place, ground, plan)
        out["areas"] = areas
        self._furnish(out, ground, plan, ids, edge_names, area_names)
        out["calendar"] = self.holidays
        named = (self.preset.name, self.preset.title, self.seed, self.at)
        rules = {"time_limits": list_limits(), "class_owners": list_class_owners()}
        return City(*named, out, self.truth, rules)

    def _lay_out(self) -> tuple[Ground, Plan]:
        preset = self.preset
        whole = preset.grids * preset.blocks_per_grid * preset.block_m2 * (1 + preset.sprawl / 2)
        area = whole if preset.area_km2 is None else preset.area_km2 * 1e6
        reason: Exception | None = None
        for attempt in range(ATTEMPTS):
            rng = self.rng("ground", attempt)
            try:
                sheet = draw_sheet(
                    rng,
                    area_m2=area,
                    block_m2=preset.block_m2 * area / whole,
                    sprawl=preset.sprawl,
                )
                ground = make_ground(
                    rng, sheet, exact_area_m2=None if preset.area_km2 is None else area
                )
                return ground, make_plan(rng, preset, ground, self.place)
            except (CoverError, ValueError) as error:
                reason = error
        raise CoverError(
            f"no city of preset {preset.name} in {ATTEMPTS} draws ({reason}): try another seed"
        )

    def _road_names(self, rng: np.random.Generator, ground: Ground) -> npt.NDArray[np.object_]:
        return names.name_roads(rng, ground.edge_street, ground.edge_class, ground.edge_ring)

    def _furnish(
        self,
        out: Frames,
        ground: Ground,
        plan: Plan,
        ids: tables.Ids,
        edge_names: npt.NDArray[np.object_],
        area_names: dict[int, str],
    ) -> None:
        preset, place = self.preset, self.place
        if self.parts & {"assets", "incidents"}:
            if "assets" in self.parts:
                self.tell("assets and cameras")
            rng = self.rng("assets")
            assets = describe_assets(rng, place_assets(rng, preset, ground, plan), edge_names)
            if "assets" in self.parts:
                out["assets"] = tables.assets(place, assets, ids)
                cameras = place_cameras(self.rng("cameras"), preset, ground, plan)
                cameras["class_code"] = "0136"
                owner = cameras["owner"].copy()
                cameras = describe_assets(self.rng("camera words"), cameras, edge_names)
                cameras["owner"] = owner
                out["cameras"] = tables.cameras(place, cameras, ids)
        self._mark_zones(out, ground, plan, ids, edge_names)
        if "places" in self.parts:
            self.tell("shops and schools")
            divisions = out["divisions"]
            communities = list(divisions.loc[list(ids.communities), "name"])
            found = place_places(self.rng("places"), preset, ground, plan, communities, area_names)
            out["places"] = tables.places(place, found)
        roster = self._staff(out, ids)
        if "workers" in self.parts:
            self.tell("workers and their posts")
            out["workers"] = roster.workers
            out["devices"] = hand_out(roster.workers, at=self.at)
            out["departments"] = roster.departments
            out["duties"] = case_tables.duties(roster.duties)
            self.truth["duty_flaws"] = case_tables.flaws(roster.flaws)
        if "incidents" in self.parts:
            self.tell("incidents of sixty days, and of a year ago")
            self._let_things_happen(out, ground, plan, ids, edge_names, assets, roster)
        if "fixes" in self.parts:
            self.tell("rounds and their GPS fixes")
            crew = roster.workers[~roster.workers["role"].isin(OFFICIAL_ROLES)]
            patrols = choose_patrols(crew, list(ids.grids), preset.fix_workers)
            grid = pd.Series(
                pd.Index(ids.grids).get_indexer(patrols["unit_code"]), index=patrols.index
            )
            fixes = walk_rounds(self.rng("fixes"), preset, ground, plan, grid, at=self.at)
            out["fixes"] = tables.fixes(place, fixes)

    def _mark_zones(
        self,
        out: Frames,
        ground: Ground,
        plan: Plan,
        ids: tables.Ids,
        edge_names: npt.NDArray[np.object_],
    ) -> None:
        names = list(out["divisions"].loc[list(ids.communities), "name"])
        beside = name_blocks(ground, edge_names)
        out["zones"] = case_tables.zones(self.place, draw_zones(ground, plan, names, beside))

    def _staff(self, out: Frames, ids: tables.Ids) -> Roster:
        """Field staff, officials and all posts."""
        units = Units(ids.city, ids.districts, ids.streets, ids.communities, ids.grids)
        officials = len(list_officials(self.preset, units))
        crew = hire_workers(
            self.rng("workers"), self.preset, list(ids.grids), list(ids.communities), officials
        )
        return make_roster(self.rng("roster"), self.preset, units, crew, at=self.at)

    def _let_things_happen(
        self,
        out: Frames,
        ground: Ground,
        plan: Plan,
        ids: tables.Ids,
        edge_names: npt.NDArray[np.object_],
        assets: pd.DataFrame,
        roster: Roster,
    ) -> None:
        cases = draw_cases(self.rng("incidents"), self.preset, ground, assets, at=self.at)
        block = find_blocks(ground, cases["x"].to_numpy(), cases["y"].to_numpy())
        district = np.array(ids.districts, dtype=object)[plan.district[block]]
        street = np.array(ids.streets, dtype=object)[plan.street[block]]
        community = np.array(ids.communities, dtype=object)[plan.community[block]]
        grid = np.array(ids.grids, dtype=object)[plan.grid[block]]
        names = case_tables.name_cases(cases)
        log, moved = move_cases(
            self.rng("moves"), cases, names, Places(grid, community, street, district), roster,
            ids.city, self.calendar, at=self.at,
        )  # fmt: skip
        called = out["divisions"]["name"]
        edge = cases["edge"].to_numpy()
        road = np.where(edge >= 0, edge_names[np.maximum(edge, 0)], None)
        where = pd.DataFrame(
            {
                "street": called.reindex(street).to_numpy(),
                "community": called.reindex(community).to_numpy(),
                "road": [word or "" for word in road],
            }
        )
        out |= case_tables.incidents(self.place, cases, moved, log, where)
        self.truth |= find_planted(cases, out["incidents"])
