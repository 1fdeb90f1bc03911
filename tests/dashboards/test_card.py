"""The one-click card on the city of twelve grids: what it says, and a slow twin that counts again.

The drawing of `conftest` gets people with appointments, two departments, a house, a school, two
hydrants, three cameras and a lake beside the last grid:

    row 2   8  9 | 10 11
    row 1   4  5 |  6  7   w2 is head of grid 5
    row 0   0  1 |  2  3   w1 is head of grid 0, w4 stands in; its street is held twice
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from plotly.utils import PlotlyJSONEncoder
from pyproj import Geod

from dashboards.components.card_fill import answer
from dashboards.components.card_frame import card_shell
from dashboards.one_click import Target, assemble, read_target, target_of, viewer_of
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words
from geo.io.workspace import Workspace, create_workspace
from geo.responsibility import Viewer

ELLIPSOID = Geod(ellps="WGS84")
SPRING = pd.Timestamp("2026-03-01", tz="UTC")
SUMMER = pd.Timestamp("2026-06-01", tz="UTC")
EAST_M, NORTH_M = 95_993.0, 110_859.0
"""Metres of a degree at 30.5° north, for drawing only."""
STREET, COMMUNITY, CITY = "420102001000", "420102001001", "420100000000"


def at_m(place: tuple[float, float], east: float, north: float) -> tuple[float, float]:
    return place[0] + east / EAST_M, place[1] + north / NORTH_M


def people(ids: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = ["陈四", "周五", "吴六", "郑七", "王八", "冯九", "褚十"]
    workers = pd.DataFrame(
        {
            "worker_id": [f"w{k}" for k in range(4, 11)],
            "name": names,
            "role": "grid_worker",
            "unit_code": [ids[0], *[None] * 6],
            "phone": [f"1370000{k:04d}" for k in range(4, 11)],
        }
    )
    rows = [
        (ids[0], "grid_head", "w1", 1, SPRING, None),
        (ids[0], "grid_head", "w4", 2, SPRING, None),
        (ids[0], "fire", "w1", 1, SPRING, None),
        (ids[5], "grid_head", "w2", 1, SPRING, SUMMER),
        (COMMUNITY, "community_head", "w5", 1, SPRING, SUMMER),
        (COMMUNITY, "police", "w3", 1, SPRING, None),
        (COMMUNITY, "fire", "w5", 1, SPRING, None),
        (STREET, "street_head", "w6", 1, SPRING, None),
        (STREET, "street_head", "w7", 1, SUMMER, None),
        (STREET, "fire", "w6", 1, SPRING, None),
        ("420102000000", "district_head", "w8", 1, SPRING, None),
        (CITY, "city_head", "w9", 1, SPRING, None),
        ("D01", "contact", "w10", 1, SPRING, None),
    ]
    columns = ["unit_code", "role", "worker_id", "rank", "valid_from", "valid_to"]
    duties = pd.DataFrame(rows, columns=columns)
    for column in ("valid_from", "valid_to"):
        duties[column] = pd.to_datetime(duties[column], utc=True)
    return workers, duties.assign(duty_id=[f"u{k}" for k in range(len(rows))])


def furnish(workspace: Workspace, drawing: Any) -> None:
    """Everything that the card shows beyond what the drawing has."""
    here = drawing.middle(0)
    workers, duties = people(drawing.ids)
    departments = pd.DataFrame(
        {"department_code": ["D01", "D02"], "name": ["排水处", "公安局"],
         "phone": ["02785550001", "02785550002"]}
    )  # fmt: skip
    house = shapely.box(*at_m(here, -5, -30), *at_m(here, 5, -20))
    buildings = gpd.GeoDataFrame(
        {"building_id": ["b1", "b2"], "name": ["1号楼", "2号楼"], "compound": "东湖花园",
         "households": pd.array([24, None], "Int64"), "population": pd.array([70, None], "Int64")},
        geometry=[house, shapely.box(*at_m(here, 20, 20), *at_m(here, 40, 40))], crs="EPSG:4326",
    )  # fmt: skip
    places = gpd.GeoDataFrame(
        {"place_id": ["s1", "s2"], "kind": ["school", "shop"], "name": ["东湖小学", "面馆"]},
        geometry=[shapely.Point(at_m(here, 60, 0)), shapely.Point(at_m(here, 30, 0))],
        crs="EPSG:4326",
    )
    hydrants = gpd.GeoDataFrame(
        {"asset_id": ["h1", "h2"], "class_code": "0113", "state": ["lost", "intact"],
         "owner": ["D02", "公安局"], "name": ["近", "远"]},
        geometry=[shapely.Point(at_m(here, 12, 0)), shapely.Point(at_m(here, 150, 0))],
        crs="EPSG:4326",
    )  # fmt: skip
    cameras = gpd.GeoDataFrame(
        {"asset_id": ["see", "wall", "away"], "class_code": "0136", "state": "intact",
         "bearing_deg": [180.0, 0.0, 0.0], "angle_deg": 60.0, "range_m": 90.0},
        geometry=[shapely.Point(at_m(here, 0, 60)), shapely.Point(at_m(here, 0, -60)),
                  shapely.Point(at_m(here, 0, 70))],
        crs="EPSG:4326",
    )  # fmt: skip
    lake = gpd.GeoDataFrame(
        {"area_id": ["l1"], "kind": ["water"], "name": ["东湖"]},
        geometry=[shapely.box(114.31, 30.5, 114.32, 30.51)], crs="EPSG:4326",
    )  # fmt: skip
    log = pd.DataFrame(
        {
            "incident_id": "a", "seq": [1, 2, 3],
            "at": pd.to_datetime([drawing.at - timedelta(hours=h) for h in (5, 4, 3)], utc=True),
            "stage": ["collected", "opened", "dispatched"],
            "move": ["report", "register", "dispatch"], "by": ["w1", "坐席01", "坐席02"],
            "role": ["grid_worker", "acceptor", "dispatcher"], "note": ["路口", None, "请尽快"],
            "owner": [None, None, "D01"], "level": ["grid", None, None],
        }
    )  # fmt: skip
    with workspace.writing() as conn:
        for name, frame in (
            ("workers", workers), ("departments", departments), ("duties", duties),
            ("buildings", buildings), ("places", places), ("assets", hydrants),
            ("cameras", cameras), ("areas", lake), ("incident_log", log),
        ):  # fmt: skip
            workspace.append(conn, name, frame)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, drawing: Any) -> Iterator[Workspace]:
    folder: Path = tmp_path_factory.mktemp("card") / "city"
    with create_workspace(folder) as made:
        drawing.fill(made)
        furnish(made, drawing)
        yield made


@pytest.fixture(scope="module")
def store(city: Workspace, drawing: Any) -> Store:
    return Store(city, Settings(), clock=lambda: drawing.at)


@pytest.fixture(scope="module")
def open_store(city: Workspace, drawing: Any) -> Store:
    """A server that believes what people say of their role."""
    return Store(city, Settings(phones_by_role=True), clock=lambda: drawing.at)


def text_of(found: Any) -> str:
    """All that a card says, as one text of JSON."""
    return json.dumps(found, cls=PlotlyJSONEncoder, ensure_ascii=False)


def card_text(store: Store, target: Target, person: Any = None, language: str = "zh") -> str:
    return text_of(answer(store, target, person, Words(language)))


# What an address and a browser may say.


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ({}, None),
        ({"case": "a"}, Target("incident", "a")),
        ({"grid": "g", "r": "500"}, Target("grid", "g", radius_m=500)),
        ({"grid": "g", "r": "123"}, Target("grid", "g")),
        ({"at": "114.3,30.5", "r": "1000"}, Target("place", None, 114.3, 30.5, 1000)),
        ({"at": "114.3"}, None),
        ({"at": "30.5,114.3"}, None),
        ({"at": "a,b"}, None),
        ({"case": "a", "grid": "g"}, Target("incident", "a")),
        ({"at": "nan,30"}, None),
    ],
)
def test_an_address_names_an_incident_a_grid_or_a_place(query: Any, target: Any) -> None:
    assert read_target(query) == target


@pytest.mark.parametrize(
    "data",
    [
        None,
        "x",
        {},
        {"kind": "grid"},
        {"kind": "place", "lon": 1},
        {"kind": "moon", "id": "a"},
        {"kind": "grid", "id": 3},
    ],
)
def test_a_target_that_means_nothing_is_none(data: Any) -> None:
    assert target_of(data) is None


def test_a_target_comes_back_from_the_browser_as_it_went() -> None:
    for target in (
        Target("incident", "a"),
        Target("place", None, 1.5, 2.5, 300),
        Target("grid", "g", 1.0, 2.0),
    ):
        assert target_of(json.loads(json.dumps(target.data()))) == target


# What the card knows.


def test_an_incident_brings_its_grid_chain_surroundings_and_log(store: Store, drawing: Any) -> None:
    card = assemble(store, Target("incident", "a"))
    assert card.around is not None
    assert card.chain is not None
    assert card.around.grid_id == drawing.ids[0]
    assert [(s.level, s.person.name if s.person else None) for s in card.chain.steps] == [
        ("grid", "王小明"), ("community", None), ("street", "吴六"), ("district", "王八"),
        ("city", "冯九"),
    ]  # fmt: skip
    assert card.owner is not None
    assert (card.owner.name, card.owner.posts[0].holders[0].name) == ("排水处", "褚十")
    assert [row.move for row in card.case.case.log] == ["report", "register", "dispatch"]
    assert card.case.clock.late_s == pytest.approx(3600)
    assert card.radius_m == 300


def test_a_vacancy_and_a_double_are_said_on_the_card(store: Store, drawing: Any) -> None:
    text = card_text(store, Target("grid", drawing.ids[0]))
    assert "空缺，自 2026-06-01 起（前任 周五）" in text
    assert "重复任职" in text
    assert "副职 1" in text


def test_fire_and_police_stand_with_their_units(store: Store, drawing: Any) -> None:
    card = assemble(store, Target("grid", drawing.ids[0]))
    assert [post.level for post in card.chain.posts("fire")] == ["grid", "community", "street"]
    text = card_text(store, Target("grid", drawing.ids[0]))
    assert "消防三级网格" in text
    assert "赵强" in text


def test_the_nearest_on_duty_are_those_seen_of_late(store: Store, drawing: Any) -> None:
    card = assemble(store, Target("incident", "a"))
    # w1 was seen two minutes ago, w2 forty, which is no more on duty.
    assert [(w.name, round(w.near.age_s)) for w in card.nearest] == [("王小明", 120)]
    assert "2 分钟前" in card_text(store, Target("incident", "a"))


def test_without_a_fresh_position_the_card_says_so_and_lists_nobody(
    city: Workspace, drawing: Any
) -> None:
    later = Store(city, Settings(), clock=lambda: drawing.at + timedelta(hours=2))
    assert assemble(later, Target("incident", "a")).nearest == ()
    assert "不作为在岗" in card_text(later, Target("incident", "a"))


def test_a_camera_behind_the_house_does_not_see_the_spot(store: Store, drawing: Any) -> None:
    card = assemble(store, Target("incident", "a"))
    cameras = card.around.cameras["sees"]
    assert cameras["see"] == "yes"
    assert cameras["wall"] == "hidden"
    assert "away" not in cameras.index


def test_hydrants_that_are_lost_are_no_hydrants(store: Store) -> None:
    card = assemble(store, Target("incident", "a"))
    assert card.around.hydrants.index.tolist() == ["h2"]


def test_houses_without_figures_are_counted_apart(store: Store) -> None:
    text = card_text(store, Target("incident", "a"))
    assert "其中 1 栋没有户数，未计入" in text
    assert "东湖小学" in text


def test_a_place_in_the_lake_is_known_as_water_and_has_no_chain(store: Store) -> None:
    card = assemble(store, Target("place", None, 114.315, 30.505))
    assert card.chain is None
    text = card_text(store, Target("place", None, 114.315, 30.505))
    assert "水域：东湖" in text
    assert "此处不在任何网格或辖区内，无责任人" in text
    assert "此处没有网格" in text


def test_an_incident_without_a_place_has_its_log_and_says_what_is_not_known(store: Store) -> None:
    card = assemble(store, Target("incident", "d"))
    assert card.around is None
    assert "此事件没有坐标，周边无法查询" in card_text(store, Target("incident", "d"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target("incident", "nope"), "没有这个编号的事件"),
        (Target("grid", "nope"), "它可能属于旧的边界版本"),
        (Target("grid", "nope", radius_m=300), "它可能属于旧的边界版本"),
    ],
)
def test_what_no_table_knows_is_said_in_words(store: Store, target: Target, words: str) -> None:
    assert words in card_text(store, target)


def test_the_card_speaks_english_without_a_chinese_word_of_ours(store: Store) -> None:
    text = card_text(store, Target("incident", "a"), language="en")
    assert "Who answers" in text
    for word in ("责任链", "未知", "米", "层级"):
        assert word not in text


def test_a_grid_shows_its_own_ground_until_a_radius_is_chosen(store: Store, drawing: Any) -> None:
    own = assemble(store, Target("grid", drawing.ids[0]))
    wide = assemble(store, Target("grid", drawing.ids[0], radius_m=1000))
    assert own.radius_m is None
    assert wide.radius_m == 1000
    assert len(wide.around.assets) >= len(own.around.assets)
    assert '"ring"' not in card_text(store, Target("grid", drawing.ids[0]))
    assert '"ring"' in card_text(store, Target("grid", drawing.ids[0], radius_m=1000))


def test_marks_hold_the_spot_the_ring_the_way_to_workers_and_what_cameras_see(store: Store) -> None:
    marks = answer(store, Target("incident", "a"), None, Words("zh"))["marks"]
    kinds = [feature["properties"]["kind"] for feature in marks["features"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "spot": 1, "ring": 1, "sector": 1, "camera": 1, "way": 1, "worker": 1, "hydrant": 1,
    }  # fmt: skip
    sector = next(f for f in marks["features"] if f["properties"]["kind"] == "sector")
    shape = shapely.geometry.shape(sector["geometry"])
    assert shape.contains(shapely.Point(marks["at"]))


def test_the_frame_is_filled_at_once_where_the_address_has_a_target(store: Store) -> None:
    shell = card_shell(store, Words("zh"), target=Target("incident", "a"))
    assert shell.hidden is False
    assert "办理过程" in text_of(shell)
    empty = card_shell(store, Words("zh"))
    assert empty.hidden is True
    assert "办理过程" not in text_of(empty)


def test_every_button_of_the_card_has_words(store: Store) -> None:
    """A button is read out by its text or its label."""
    seen = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "Button" and node.get("namespace") == "dash_html_components":
                seen.append(node["props"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(card_text(store, Target("incident", "a"), {"role": "dispatcher", "by": "x"})))
    assert len(seen) > 12
    for props in seen:
        assert props.get("aria-label") or isinstance(props.get("children"), (str, list)), props


# A slow twin.


def metres(place: tuple[float, float], shape: Any) -> float:
    """The way over the ellipsoid to a point, or to the nearest of many points on a shape."""
    if shape.geom_type == "Point":
        return float(ELLIPSOID.inv(*place, shape.x, shape.y)[2])
    if shape.contains(shapely.Point(place)):
        return 0.0
    corners = shapely.get_coordinates(shapely.segmentize(shape, 2e-7))
    size = np.full(len(corners), place[0]), np.full(len(corners), place[1])
    return float(np.min(ELLIPSOID.inv(*size, corners[:, 0], corners[:, 1])[2]))


@pytest.mark.parametrize("radius", [100, 300, 500, 1000])
def test_the_card_counts_what_a_slow_twin_counts(
    store: Store, city: Workspace, drawing: Any, radius: int
) -> None:
    rng = np.random.default_rng(radius)
    tables = {
        name: city.read(name) for name in ("assets", "buildings", "places", "incidents", "cameras")
    }
    last = city.read("fixes").sort_values("time").groupby("worker_id").tail(1)
    for _ in range(12):
        place = (114.299 + rng.random() * 0.012, 30.499 + rng.random() * 0.009)
        card = assemble(store, Target("place", None, *place, radius))
        around = card.around
        near = {
            name: {
                str(key): metres(place, shape)
                for key, shape in table.geometry.items()
                if shape is not None
            }
            for name, table in tables.items()
        }
        inside = {n: {k for k, m in found.items() if m <= radius} for n, found in near.items()}
        assert set(around.assets.index) == inside["assets"]
        assert set(around.buildings.index) == inside["buildings"]
        assert set(around.places.index) == inside["places"]
        counts = tables["assets"].loc[sorted(inside["assets"])]
        by_class = counts.groupby("class_code").size().to_dict()
        assert around.asset_counts["count"].to_dict() == by_class
        known = tables["buildings"].loc[sorted(inside["buildings"]), "households"]
        assert around.houses.households == int(known.dropna().sum())
        stages = tables["incidents"]["stage"]
        is_open = ~stages.isin(["closed", "cancelled"])
        assert set(around.open_incidents.index) == {i for i in inside["incidents"] if is_open[i]}
        whole = tables["assets"].query("class_code == '0113' and state != 'lost'").index
        hydrants = sorted((near["assets"][str(k)], str(k)) for k in whole)
        assert around.hydrants.index.tolist() == [k for m, k in hydrants if m <= 2000][:3]
        fresh = last[last["time"] > pd.Timestamp(drawing.at) - pd.Timedelta(minutes=15)]
        ways = sorted(
            (metres(place, shapely.Point(row.lon, row.lat)), row.worker_id)
            for row in fresh.itertuples()
        )
        assert [w.near.key for w in card.nearest] == [key for _, key in ways][:3]
        for worker, (way, _) in zip(card.nearest, ways, strict=False):
            assert worker.near.distance_m == pytest.approx(way, abs=1e-6)


# Telephone numbers.

FULL = {
    "grid": "13812345678", "deputy": "13700000004", "street": "13700000006",
    "district": "13700000008", "city": "13700000009", "department": "13700000010",
}  # fmt: skip
"""Numbers in full: of w1, w4, w6, w8, w9, w10."""


@pytest.mark.parametrize(
    ("role", "unit", "seen"),
    [
        (None, None, set()),
        ("dispatcher", None, {"grid", "deputy", "street", "district", "city", "department"}),
        ("dispatcher", STREET, {"grid", "deputy", "street", "district", "city"}),
        ("dispatcher", "420102002000", {"district", "city"}),
        ("grid_worker", COMMUNITY, {"street", "district", "city"}),
        ("grid_worker", None, set()),
        ("acceptor", None, {"grid", "deputy", "street", "district", "city", "department"}),
        ("acceptor", STREET, {"grid", "deputy", "street"}),
        ("planner", None, set()),
        ("stranger", CITY, set()),
    ],
)
def test_a_number_is_shown_to_the_roles_that_the_rules_name(
    open_store: Store, role: str | None, unit: str | None, seen: set[str]
) -> None:
    person = None if role is None else {"role": role, "by": "x", "unit_code": unit}
    text = card_text(open_store, Target("incident", "a"), person)
    assert {name for name, number in FULL.items() if number in text} == seen
    for name, number in FULL.items():
        if name not in seen:
            assert f"{number[:3]}****{number[-4:]}" in text


def test_nobody_sees_a_number_while_the_setting_is_off(store: Store) -> None:
    person = {"role": "dispatcher", "by": "x", "unit_code": CITY}
    assert viewer_of(store, person) is None
    text = card_text(store, Target("incident", "a"), person)
    assert not [name for name, number in FULL.items() if number in text]


def test_a_worker_sees_the_own_number(open_store: Store) -> None:
    person = {"role": "planner", "by": "w1", "worker_id": "w1"}
    assert viewer_of(open_store, person) == Viewer("planner", CITY, "w1")
    text = card_text(open_store, Target("incident", "a"), person)
    assert FULL["grid"] in text
    assert FULL["deputy"] not in text


def test_the_desk_of_a_department_is_public(store: Store) -> None:
    assert "02785550001" in card_text(store, Target("incident", "a"))


# Moments.


def test_past_moments_name_who_was_in_office_then(store: Store, drawing: Any) -> None:

    chains = store.chains
    then = datetime(2026, 5, 1, tzinfo=UTC)
    assert chains.chain(COMMUNITY, at=then).person("community").name == "周五"
    assert chains.chain(COMMUNITY, at=drawing.at).person("community") is None
