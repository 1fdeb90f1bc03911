"""Each preset shows the figures of its town, whatever the seed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pandas as pd
import pytest

from geo.codes import asset_classes
from geo.errors import InputError
from geo.locate import GridIndex
from geo.synth import PARTS, PRESETS, City, build_city
from geo.synth.cameras import PUBLIC_OWNERS

AT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


@cache
def built(preset: str, *parts: str, seed: int = 1) -> City:
    return build_city(preset, seed=seed, at=AT, parts=parts)


def count_levels(city: City) -> dict[str, int]:
    return city["divisions"]["level"].value_counts().to_dict()


def count_roles(city: City) -> dict[str, int]:
    return city["workers"]["role"].value_counts().to_dict()


def count_compounds(frame: pd.DataFrame) -> int:
    return int(frame["compound"].nunique())


def test_shuangshan_has_6000_people_in_ten_grids_of_about_200_households():
    grids = built("shuangshan")["grids"]
    assert len(grids) == 10
    assert grids["population"].sum() == 6_000
    assert grids["households"].between(190, 215).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuanghu_shows_its_third_grid_to_the_piece(seed):
    city = built("shuanghu", "assets", "places", "workers", seed=seed)
    grids, workers = city["grids"], city["workers"]
    field = workers["role"].isin(["grid_worker", "grid_head"])
    assert (len(grids), field.sum()) == (12, 24)
    index = GridIndex(grids)
    third = list(grids.index.str[-3:]).index("003")

    def inside(name: str) -> pd.DataFrame:
        point = city[name].representative_point()
        return city[name][index.assign(point.x.to_numpy(), point.y.to_numpy()) == third]

    assets, buildings, places = inside("assets"), inside("buildings"), inside("places")
    kinds = assets["class_code"].value_counts()
    covers = asset_classes().query("group == 'manhole'").index
    assert count_compounds(buildings) == 3
    assert len(buildings) == 8
    assert buildings["households"].sum() == grids["households"].iloc[third] == 285
    assert (places["kind"] == "shop").sum() == 65
    assert kinds.reindex(["0301", "0302", "0118", "0117"]).to_list() == [1, 3, 31, 22]
    assert assets["class_code"].isin(covers).sum() == 18
    assert len(inside("cameras")) == 20


def test_tianjin_has_12_compounds_474_buildings_20700_homes_and_three_roles_a_grid():
    city = built("tianjin", "workers")
    assert count_compounds(city["blocks"]) == count_compounds(city["buildings"]) == 12
    assert len(city["buildings"]) == 474
    assert city["buildings"]["households"].sum() == 20_700
    roles = city["workers"].groupby("unit_code")["role"].nunique()
    assert roles.reindex(city["grids"].index).eq(3).all()


def test_lvyuan_has_57_communities_24_villages_324_grids_and_its_cameras():
    city = built("lvyuan", "assets", "workers")
    codes = city["divisions"].query("level == 'community'").index.str[-3:].astype(int)
    assert (((codes > 0) & (codes < 200)).sum(), ((codes >= 200) & (codes < 400)).sum()) == (57, 24)
    assert len(city["grids"]) == 324
    roles = count_roles(city)
    assert [roles[r] for r in ("assistant", "grid_head", "police")] == [606, 324, 108]
    public = city["cameras"]["owner"].isin(PUBLIC_OWNERS)
    assert (public.sum(), (~public).sum()) == (3_329, 8_400)


def test_yichang_has_1110_grids_of_200_to_300_households_with_one_worker_each():
    city = built("yichang", "workers")
    assert count_levels(city)["community"] == 112
    assert len(city["grids"]) == 1_110
    assert city["grids"]["households"].between(200, 300).all()
    workers = city["workers"][city["workers"]["role"] == "grid_worker"]
    assert sorted(workers["unit_code"]) == sorted(city["grids"].index)


def test_west_coast_has_161_communities_1333_grids_and_5000_workers():
    city = built("west-coast", "workers")
    assert count_levels(city)["community"] == 161
    assert (len(city["grids"]), len(city["workers"])) == (1_333, 5_000)


def test_chenghua_has_14_streets_103_communities_and_1130000_people_on_108_km2():
    city = built("chenghua")
    levels = count_levels(city)
    assert (levels["street"], levels["community"]) == (14, 103)
    assert city["grids"]["population"].sum() == 1_130_000
    area = city["divisions"].query("level == 'city'").to_crs("EPSG:4544").area.sum()
    assert area / 1e6 == pytest.approx(108, abs=0.1)


@pytest.mark.slow
def test_yubei_has_3311_grids_and_18900_workers():
    city = built("yubei", "workers")
    assert (len(city["grids"]), len(city["workers"])) == (3_311, 18_900)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_adds_up_before_anything_is_built(name):
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.grids >= preset.communities + preset.villages >= preset.streets
    assert preset.band[0] <= preset.band[1]
    if preset.households is not None:
        low, high = np.array(preset.band) * preset.grids
        assert low <= preset.households <= high


def test_an_unknown_preset_part_zone_or_seed_is_refused_by_name():
    with pytest.raises(InputError, match="no preset 'atlantis': there are demo"):
        build_city("atlantis", seed=1, at=AT)
    with pytest.raises(InputError, match="no part weather: there are ground"):
        build_city("demo", seed=1, at=AT, parts=["weather"])
    with pytest.raises(InputError, match=r"without a zone: add one, such as \+08:00"):
        build_city("demo", seed=1, at=AT.replace(tzinfo=None))
    with pytest.raises(InputError, match="seed is -1"):
        build_city("demo", seed=-1, at=AT)


def test_progress_counts_the_steps_to_the_last():
    told = []
    build_city("shuangshan", seed=1, at=AT, progress=lambda *step: told.append(step))
    assert [number for _, number, _ in told] == list(range(1, told[-1][2] + 1))
    assert len(told) == 3 + len(set(PARTS) - {"ground"})
