"""Who answers for what in an invented city: nothing wrong but what was planted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from geo.checks import check_workspace
from geo.responsibility import ChainIndex, check_duties
from geo.schema import TABLES
from geo.synth import City, Preset, build_city
from geo.synth.assets import OWNERS
from geo.synth.departments import OFFICES, find_department, list_departments
from geo.synth.roster import FLAWS

AT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
YEAR_AGO = AT - timedelta(days=395)
BOOKS = ("duties", "workers", "divisions", "grids", "departments")


def town(**figures: object) -> Preset:
    """Twenty-four grids in four communities and three streets."""
    usual = {"name": "town", "title": "小城", "lon": 111.3, "lat": 30.7, "province": "42"}
    usual |= {"grids": 24, "communities": 4, "streets": 3}
    usual |= {"roles": {"grid_worker": 24, "grid_head": 24, "police": 2, "assistant": 5}}
    return Preset(**(usual | figures))


def staffed(preset: Preset | str, seed: int = 3) -> City:
    return build_city(preset, seed=seed, at=AT, parts=("workers",))


def found(city: City) -> pd.DataFrame:
    return check_duties(*(city[name] for name in BOOKS), at=AT, since=YEAR_AGO)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "roles",
    [
        {"grid_worker": 24, "grid_head": 24, "police": 2, "assistant": 5},
        {"grid_worker": 30, "police": 9},
        {"grid_head": 24, "grid_worker": 24, "police": 24},
        {"grid_head": 26, "assistant": 40},
        {"grid_worker": 3},
    ],
    ids=["everyone", "no grid heads", "police a grid", "spare heads", "few workers"],
)
def test_without_flaws_no_post_is_vacant_doubled_or_misdated_now_or_in_a_year(seed, roles):
    problems = found(staffed(town(roles=roles), seed))
    assert problems[["id", "reason", "detail"]].to_dict("records") == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_exactly_the_planted_flaws_are_found(seed):
    city = staffed(town(flaws=FLAWS), seed)
    truth = city.truth["duty_flaws"]
    problems = found(city)
    assert sorted(zip(problems["reason"], problems["id"], strict=True)) == sorted(
        zip(truth["reason"], truth["id"], strict=True)
    )
    assert list(truth["kind"]) == ["vacant", "vacant", "double", "gap", "swapped"]


def test_the_demo_preset_has_flaws_that_are_warnings_only():
    city = staffed("demo", 1)
    problems = found(city)
    assert set(problems["severity"]) == {"warning"}
    assert set(problems["reason"]) == {"post_vacant", "post_double", "post_gap"}


def test_a_check_of_the_whole_demo_city_finds_what_was_planted_and_nothing_else():
    city = staffed("demo", 1)
    problems = check_workspace(city.tables, at=AT, band=(200, 300))
    truth = city.truth["duty_flaws"]
    assert sorted(zip(problems["reason"], problems["id"], strict=True)) == sorted(
        zip(truth["reason"], truth["id"], strict=True)
    )


@pytest.mark.parametrize("name", ["shuanghu", "shuangshan", "tianjin"])
def test_the_towns_have_no_flaws(name):
    assert not len(found(staffed(name, 1)))


def test_the_whole_chain_of_every_grid_has_names_fire_police_and_deputies():
    city = staffed(town())
    index = ChainIndex(*(city[name] for name in BOOKS))
    for grid in city["grids"].index:
        chain = index.chain(grid, at=AT)
        for level in ("grid", "community", "street", "district", "city"):
            assert chain.person(level) is not None
            line = [post for post in chain.step(level).posts if post.kind == "line"]
            assert any(post.deputies for post in line)
        assert {post.role for post in chain.step("grid").posts} >= {"grid_head", "grid_worker"}
        fire = chain.posts("fire")
        assert [post.level for post in fire] == ["grid", "community", "street"]
        assert all(post.holders for post in fire)
        assert any(post.holders for post in chain.posts("police"))


def test_the_stand_in_of_a_grid_head_heads_another_grid_of_the_community():
    city = staffed(town())
    duties = city["duties"][city["duties"]["valid_to"].isna()]
    heads = duties[duties["role"] == "grid_head"]
    first = heads[heads["rank"] == 1].set_index("worker_id")["unit_code"]
    second = heads[heads["rank"] == 2].set_index("worker_id")["unit_code"]
    assert len(second) == 24
    assert (second != first.reindex(second.index)).all()
    assert (second.str[:12] == first.reindex(second.index).str[:12]).all()


def test_some_posts_were_held_by_others_last_march():
    city = staffed(town())
    index = ChainIndex(*(city[name] for name in BOOKS))
    march = datetime(2026, 3, 15, tzinfo=UTC)
    now, then = index.table(at=AT), index.table(at=march)
    assert then["grid"].notna().all()
    assert (now["grid"] != then["grid"]).any()
    assert (now["grid"] == then["grid"]).any()


def test_every_owner_of_an_asset_is_a_department_with_a_desk_contact_and_handlers():
    offices = list_departments()
    assert set(OWNERS.values()) <= set(offices["name"])
    assert offices["phone"].str.fullmatch(r"0009\d{7}").all()
    assert offices.index.is_unique
    city = staffed(town())
    index = ChainIndex(*(city[name] for name in BOOKS))
    for owner in set(OWNERS.values()):
        department = index.department(owner, at=AT)
        roles = {post.role: post for post in department.posts}
        assert roles["contact"].holders
        assert roles["contact"].deputies
        assert len(roles["handler"].holders) >= 2


@pytest.mark.parametrize(
    ("code", "owner", "name"),
    [
        ("C0118", "路灯管理所", "路灯管理所"),
        ("E0102", None, "环卫处"),
        ("E0301", None, "生态环境局"),
        ("E0304", None, "住建局"),
        ("E0599", None, "城管局"),
        ("C0114", None, "城管局"),
        ("E9999", "nobody", "城管局"),
    ],
)
def test_a_case_goes_to_the_owner_else_by_the_longest_beginning_of_its_class(code, owner, name):
    names = {office.code: office.name for office in OFFICES}
    assert names[find_department(code, owner)] == name


def test_a_preset_that_says_how_many_people_there_are_in_all_has_so_many():
    city = staffed(town(staff=200, roles={"grid_worker": 0, "grid_head": 24}))
    assert len(city["workers"]) == 200
    assert (city["workers"]["role"] == "grid_worker").sum() > 24


def test_duties_name_units_and_people_that_are_there():
    city = staffed(town(flaws=FLAWS))
    units = {*city["divisions"].index, *city["grids"].index, *city["departments"].index}
    assert city["duties"]["unit_code"].isin(units).all()
    assert city["duties"]["worker_id"].isin(city["workers"].index).all()
    flat = city["duties"].reset_index()
    assert list(flat.columns) == list(TABLES["duties"].names)
    assert flat["duty_id"].is_unique
