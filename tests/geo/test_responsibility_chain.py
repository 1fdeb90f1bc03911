"""Who answers for a place: a drawn city with worked answers, dates, and who sees which number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import CodeError, ColumnError, CrsError, InputError
from geo.responsibility import (
    ChainIndex,
    Viewer,
    duty_roles,
    mask_phone,
    phone_rules,
)

MAY, JUNE, JULY, AUGUST = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7, 8))
G1, G2, G3, G4 = "G1", "G2", "G3", "G4"


def divisions() -> gpd.GeoDataFrame:
    rows = [
        ("P", "province", "省", None, None),
        ("T", "city", "市", "P", (0, 0, 5, 2)),
        ("D", "district", "区", "T", (0, 0, 4, 2)),
        ("S", "street", "街", "D", (0, 0, 4, 2)),
        ("K1", "community", "一社区", "S", (0, 0, 2, 1)),
        ("K2", "community", "二社区", "S", (0, 1, 3, 2)),
    ]
    return gpd.GeoDataFrame(
        {
            "level": [r[1] for r in rows],
            "name": [r[2] for r in rows],
            "parent_code": [r[3] for r in rows],
        },
        index=pd.Index([r[0] for r in rows], name="code"),
        geometry=[None if r[4] is None else box(*r[4]) for r in rows],
        crs="EPSG:4326",
    )


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(111 + west / 100, 30 + south / 100, 111 + east / 100, 30 + north / 100)


def grids() -> gpd.GeoDataFrame:
    """Four grids, one of them under another community before June; K2 has ground without grid.

    G3 G4 (K2)  .  (K2)
    G1 G2 (K1)
    """
    rows = [
        (G1, "K1", (0, 0, 1, 1), 1, MAY, None),
        (G2, "K1", (1, 0, 2, 1), 1, MAY, None),
        (G3, "K2", (0, 1, 1, 2), 1, MAY, None),
        (G4, "K1", (1, 1, 2, 2), 1, MAY, JUNE),
        (G4, "K2", (1, 1, 2, 2), 2, JUNE, None),
    ]
    return gpd.GeoDataFrame(
        {
            "name": [f"{r[0]}网格" for r in rows],
            "kind": "base",
            "community_code": [r[1] for r in rows],
            "version": [r[3] for r in rows],
            "valid_from": pd.to_datetime([r[4] for r in rows], utc=True),
            "valid_to": pd.to_datetime([r[5] for r in rows], utc=True),
        },
        index=pd.Index([r[0] for r in rows], name="grid_id"),
        geometry=[box(*r[2]) for r in rows],
        crs="EPSG:4326",
    )


def workers() -> pd.DataFrame:
    names = ["甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸", "子", "丑"]
    ids = [f"W{k:02d}" for k in range(1, 13)]
    return pd.DataFrame(
        {
            "name": names,
            "role": "grid_worker",
            "unit_code": None,
            "phone": [f"138000000{k:02d}" for k in range(1, 13)],
        },
        index=pd.Index(ids, name="worker_id"),
    )


DUTIES = [
    # unit, role, who, rank, from, to
    (G1, "grid_worker", "W01", 1, MAY, None),
    (G1, "grid_worker", "W02", 2, MAY, None),
    (G1, "grid_head", "W03", 1, MAY, JULY),
    (G1, "grid_head", "W04", 1, JULY, None),
    (G1, "fire", "W01", 1, MAY, None),
    (G2, "grid_worker", "W02", 1, MAY, JUNE),
    (G2, "grid_head", "W05", 3, MAY, None),
    (G2, "grid_head", "W06", 2, MAY, None),
    ("K1", "community_head", "W07", 1, MAY, None),
    ("K1", "police", "W08", 1, MAY, None),
    ("K1", "fire", "W07", 1, MAY, None),
    ("K2", "community_head", "W10", 1, MAY, None),
    ("S", "street_head", "W09", 1, MAY, None),
    ("S", "fire", "W09", 1, MAY, None),
    ("T", "city_head", "W11", 1, MAY, None),
    ("B01", "contact", "W12", 1, MAY, None),
]


def duties(rows=DUTIES) -> pd.DataFrame:
    table = pd.DataFrame(
        rows, columns=["unit_code", "role", "worker_id", "rank", "valid_from", "valid_to"]
    )
    for column in ("valid_from", "valid_to"):
        table[column] = pd.to_datetime(table[column], utc=True)
    table["rank"] = table["rank"].astype("Int64")
    return table.set_axis(pd.Index([f"U{k}" for k in range(len(rows))], name="duty_id"))


def departments() -> pd.DataFrame:
    return pd.DataFrame(
        {"name": ["城管局", "公安局"], "phone": ["07176223344", "110"]},
        index=pd.Index(["B01", "B02"], name="department_code"),
    )


@pytest.fixture(scope="module")
def index() -> ChainIndex:
    return ChainIndex(duties(), workers(), divisions(), grids(), departments())


def who(index: ChainIndex, unit: str, at: datetime) -> dict[str, str | None]:
    chain = index.chain(unit, at=at)
    return {
        step.level: None if step.person is None else step.person.worker_id for step in chain.steps
    }


def test_the_chain_names_a_person_at_each_level_from_the_grid_to_the_city(index):
    # W03 is head of G1 in May and June; nobody answers for the district; no province.
    assert who(index, G1, MAY) == {
        "grid": "W03", "community": "W07", "street": "W09", "district": None, "city": "W11",
    }  # fmt: skip


def test_an_appointment_ends_in_the_moment_in_which_the_next_one_begins(index):
    assert who(index, G1, JULY - timedelta(microseconds=1))["grid"] == "W03"
    assert who(index, G1, JULY)["grid"] == "W04"


def test_posts_tell_role_dates_and_deputies_in_order_of_rank(index):
    step = index.chain(G1, at=MAY).step("grid")
    assert [(p.role, p.kind) for p in step.posts] == [
        ("grid_head", "line"), ("grid_worker", "line"), ("fire", "fire"),
    ]  # fmt: skip
    head = step.posts[0].holders[0]
    assert (head.name, head.rank, head.valid_from, head.valid_to) == ("丙", 1, MAY, JULY)
    assert [d.worker_id for d in step.posts[1].deputies] == ["W02"]


def test_where_nobody_holds_a_post_the_first_deputy_acts(index):
    post = index.chain(G2, at=JULY).step("grid").posts[0]
    assert post.holders == ()
    assert [d.worker_id for d in post.deputies] == ["W06", "W05"]
    assert post.acting.worker_id == "W06"
    assert who(index, G2, JULY)["grid"] == "W06"


def test_a_vacant_post_is_shown_where_the_city_has_such_posts(index):
    step = index.chain(G3, at=MAY).step("grid")
    assert [(p.role, p.acting) for p in step.posts] == [
        ("grid_head", None), ("grid_worker", None), ("fire", None),
    ]  # fmt: skip


def test_a_vacant_post_tells_who_held_it_last_and_since_when_it_is_vacant():
    ended = [
        *DUTIES,
        (G3, "grid_head", "W05", 1, MAY, JUNE),
        (G3, "grid_head", "W06", 1, MAY, MAY),
        (G3, "grid_head", "W07", 1, AUGUST, None),
        (G3, "grid_head", "W08", 2, JUNE, JULY),
    ]
    index = ChainIndex(duties(ended), workers(), divisions(), grids())
    post = next(p for p in index.chain(G3, at=JULY).steps[0].posts if p.role == "grid_head")
    assert post.is_vacant
    assert post.acting is None
    assert (post.former.name, post.former.valid_to) == ("戊", JUNE)
    assert (post.coming.name, post.coming.valid_from) == ("庚", AUGUST)
    held = next(p for p in index.chain(G3, at=MAY).steps[0].posts if p.role == "grid_head")
    assert (held.is_vacant, held.former, held.coming) == (False, None, None)


def test_the_number_of_who_held_a_post_before_is_masked_like_all_others():
    ended = [*DUTIES, (G3, "grid_head", "W05", 1, MAY, JUNE)]
    index = ChainIndex(duties(ended), workers(), divisions(), grids())

    def number(viewer: Viewer | None) -> str:
        posts = index.chain(G3, at=JULY, viewer=viewer).steps[0].posts
        return next(p for p in posts if p.role == "grid_head").former.phone

    assert number(None) == "138****0005"
    assert number(Viewer("dispatcher", "S")) == "13800000005"


@pytest.mark.parametrize(
    ("shape", "owner", "people", "department"),
    [
        (shapely.Point(111.005, 30.005), "城管局", "丙", "B01"),
        (shapely.Point(111.005, 30.005), " B01 ", "丙", "B01"),
        (shapely.Point(111.005, 30.005), "某公司", "丙", None),
        (shapely.Point(111.005, 30.005), None, "丙", None),
        (None, "城管局", None, "B01"),
    ],
    ids=["by name", "by code", "a company", "no owner", "no place"],
)
def test_an_asset_is_answered_for_by_its_grid_and_by_its_owner(
    index, shape, owner, people, department
):
    answer = index.asset(shape, owner, at=JUNE)
    assert (answer.chain.person("grid").name if answer.chain else None) == people
    assert (answer.department.code if answer.department else None) == department
    assert answer.owner == (owner or "").strip()


def test_fire_safety_has_three_nested_grids_and_police_its_community(index):
    chain = index.chain(G1, at=MAY)
    assert [(p.level, p.unit_code, p.acting.worker_id) for p in chain.posts("fire")] == [
        ("grid", G1, "W01"), ("community", "K1", "W07"), ("street", "S", "W09"),
    ]  # fmt: skip
    assert [p.acting.name for p in chain.posts("police")] == ["辛"]


def test_before_the_first_appointment_nobody_answers(index):
    assert who(index, "K1", MAY - timedelta(days=1))["community"] is None


def test_the_community_is_that_of_the_boundary_version_in_force(index):
    assert who(index, G4, MAY)["community"] == "W07"
    assert who(index, G4, JUNE)["community"] == "W10"
    assert index.chain(G4, at=MAY).is_in_force
    assert not index.chain(G1, at=MAY - timedelta(days=1)).is_in_force


@pytest.mark.parametrize(
    ("lon", "lat", "unit"),
    [
        (111.005, 30.005, G1),
        (111.010, 30.005, G2),
        (111.005, 30.010, G3),
        (111.025, 30.015, "K2"),
        (111.035, 30.015, "S"),
        (111.045, 30.005, "T"),
        (111.060, 30.005, None),
        (float("nan"), 30.005, None),
    ],
    ids=["in G1", "on a line", "on a level line", "no grid", "no community", "city only", "out",
         "nowhere"],
)  # fmt: skip
def test_a_place_has_the_chain_of_its_grid_or_else_of_the_lowest_division(index, lon, lat, unit):
    chain = index.chain_at(lon, lat, at=JULY)
    assert (None if chain is None else chain.unit_code) == unit


def test_a_place_before_the_boundaries_began_has_the_chain_of_its_community(index):
    assert index.chain_at(111.005, 30.005, at=MAY - timedelta(days=1)).unit_code == "K1"


def test_an_asset_has_the_chain_of_its_place(index):
    line = shapely.LineString([(111.001, 30.002), (111.009, 30.004)])
    assert index.chain_of_shape(line, at=JULY).unit_code == G1
    assert index.chain_of_shape(shapely.Point(111.015, 30.005), at=JULY).unit_code == G2
    assert index.chain_of_shape(None, at=JULY) is None


def test_departments_have_contacts_and_are_found_by_an_owner(index):
    works, police = index.departments(at=MAY)
    assert (works.code, works.phone, works.posts[0].acting.name) == ("B01", "07176223344", "丑")
    assert [post.acting for post in police.posts] == [None]
    assert index.department("公安局", at=MAY).code == "B02"
    assert index.department("水务局", at=MAY) is None


def test_the_table_names_who_answers_in_the_order_asked_for(index):
    table = index.table([G2, G1, "S"], at=MAY)
    assert table.index.tolist() == [G2, G1, "S"]
    assert table.loc[G1].tolist()[:3] == ["丙", "庚", "壬"]
    assert table.loc[G1].isna().tolist() == [False, False, False, True, False]
    assert table.loc["S"].isna().tolist() == [True, True, False, True, False]
    assert sorted(index.table(at=MAY).index) == [G1, G2, G3, G4]


def test_without_any_duty_the_units_of_workers_count():
    staff = workers().assign(
        unit_code=[G1, G1, G1, "K1", "S", *[None] * 7],
        role=["grid_worker", "grid_worker", "grid_head", "police", "street_head", *["x"] * 7],
    )
    index = ChainIndex(None, staff, divisions(), grids())
    chain = index.chain(G1, at=MAY)
    assert chain.source == "workers"
    head, worker = chain.step("grid").posts
    assert [h.worker_id for h in head.holders] == ["W03"]
    assert [h.worker_id for h in worker.holders] == ["W01", "W02"]
    assert not worker.is_double
    assert head.holders[0].valid_from is None
    one = ChainIndex(duties(DUTIES[:1]), staff, divisions(), grids())
    assert one.source == "duties"
    assert one.chain("S", at=MAY).step("street").posts == ()


def test_an_unknown_person_still_holds_the_post_and_an_unknown_role_comes_last():
    rows = [(G1, "beekeeper", "W01", 1, MAY, None), (G1, "grid_head", "W99", 1, MAY, None)]
    index = ChainIndex(duties(rows), workers(), divisions(), grids())
    head, other = index.chain(G1, at=MAY).step("grid").posts
    assert (head.acting.name, head.acting.phone) == ("W99", "")
    assert (other.role, other.kind) == ("beekeeper", "other")


def test_two_holders_of_one_post_are_a_double():
    rows = [(G1, "grid_head", "W01", 1, MAY, None), (G1, "grid_head", "W02", 1, JUNE, None)]
    index = ChainIndex(duties(rows), workers(), divisions(), grids())
    assert not index.chain(G1, at=MAY).step("grid").posts[0].is_double
    assert index.chain(G1, at=JUNE).step("grid").posts[0].is_double


def test_parents_in_a_circle_end_the_chain():
    table = divisions()
    table.loc["S", "parent_code"] = "K1"
    index = ChainIndex(duties(), workers(), table, grids())
    assert [step.code for step in index.chain(G1, at=MAY).steps] == [G1, "K1", "S"]


def test_a_city_may_have_roles_of_its_own():
    own = pd.concat(
        [
            duty_roles(),
            pd.DataFrame(
                [("chief", "grid", "line", 0, "no", "no", "长", "chief")],
                columns=duty_roles().columns,
            ),
        ]
    )
    rows = [*DUTIES, (G1, "chief", "W12", 1, MAY, None)]
    index = ChainIndex(duties(rows), workers(), divisions(), grids(), departments(), roles=own)
    assert who(index, G1, MAY)["grid"] == "W12"


def test_units_of_a_person_are_those_of_the_appointments_in_force(index):
    assert index.units_of("W02", at=MAY) == (G1, G2)
    assert index.units_of("W02", at=JUNE) == (G1,)


def test_what_cannot_be_answered_is_refused_in_words(index):
    with pytest.raises(CodeError, match="no unit 'G9': import it"):
        index.chain("G9", at=MAY)
    with pytest.raises(InputError, match="without a zone"):
        index.chain(G1, at=datetime(2026, 5, 1))  # noqa: DTZ001
    with pytest.raises(ColumnError, match="duties lacks rank"):
        ChainIndex(duties().drop(columns="rank"), workers(), divisions(), grids())
    with pytest.raises(ColumnError, match="workers lacks phone"):
        ChainIndex(None, workers().drop(columns="phone"), divisions(), grids())
    with pytest.raises(CrsError, match=r"grids is in EPSG:3857.*call to_crs"):
        ChainIndex(duties(), workers(), divisions(), grids().to_crs(3857))


# Who sees which number.


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("13812345678", "138****5678"),
        ("138 1234 5678", "138 **** 5678"),
        ("+86 138-1234-5678", "+86 1**-****-5678"),
        ("张三 13812345678/13900001111", "张三 138****5678/139****1111"),
        ("0717-6223344", "071*-***3344"),
        ("6223344", "*****44"),
        ("62233445", "******45"),
        ("8001", "****"),
        ("", ""),
        ("无", "无"),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_a_number_is_hidden_in_the_middle(text, masked):
    assert mask_phone(text) == masked


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="0123456789*-+ ()/张１２", max_size=40))
def test_masking_twice_changes_nothing_and_leaves_no_long_run_of_digits(text):
    once = mask_phone(text)
    assert mask_phone(once) == once
    assert len(once) == len(text)
    # A star counts as the digit that it hides.
    digits = sum(sign.isdigit() or sign == "*" for sign in text)
    shown = sum(sign.isdigit() for sign in once)
    assert shown <= digits * 7 / 11


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [
        (None, set()),
        (Viewer("visitor", "T"), set()),
        (Viewer("grid_worker", G1, "W01"), {"W01", "W02", "W04", "W07", "W08", "W09", "W11"}),
        (Viewer("grid_worker", G2, "W02"), {"W02", "W07", "W08", "W09", "W11"}),
        (Viewer("inspector", "K1"), {"W01", "W02", "W04", "W07", "W08"}),
        (Viewer("community_head", "K2"), {"W09", "W11"}),
        (Viewer("dispatcher", "T"), {"W01", "W02", "W04", "W07", "W08", "W09", "W11"}),
        (Viewer("planner", "T", "W09"), {"W09"}),
        (Viewer("dispatcher", None), set()),
        (Viewer("contact", "B01"), {"W11"}),
    ],
    ids=["nobody", "unknown role", "worker of the grid", "worker next door", "inspector, community",
         "other community", "dispatcher", "planner: own", "no unit", "department"],
)  # fmt: skip
def test_the_numbers_of_a_chain_are_shown_to_the_same_branch_only(index, viewer, seen):
    chain = index.chain(G1, at=JULY, viewer=viewer)
    people = [h for s in chain.steps for p in s.posts for h in (*p.holders, *p.deputies)]
    assert {h.worker_id for h in people if "*" not in h.phone} == seen
    assert {h.worker_id for h in people} == {"W01", "W02", "W04", "W07", "W08", "W09", "W11"}


@pytest.mark.parametrize(
    ("unit", "relation"),
    [("K1", "same"), (G1, "below"), ("S", "above"), ("T", "above"), ("K2", "other"),
     ("B01", "other"), ("nowhere", "other")],
)  # fmt: skip
def test_a_relation_is_read_from_the_tree_of_the_moment(index, unit, relation):
    assert index.relation(Viewer("leader", "K1"), unit, at=JULY) == relation


def test_a_grid_that_moved_to_another_community_is_below_that_one(index):
    old, new = Viewer("leader", "K1"), Viewer("leader", "K2")
    assert index.relation(old, G4, at=MAY) == index.relation(new, G4, at=JUNE) == "below"
    assert index.relation(old, G4, at=JUNE) == "other"
    assert not index.may_see_phone(old, G4, at=JUNE)
    assert index.may_see_phone(new, G4, at=JUNE)
    assert not index.may_see_phone(None, G4, at=JUNE)


def test_departments_stand_below_the_city_and_their_people_are_masked_too(index):
    assert index.relation(Viewer("dispatcher", "T"), "B01", at=MAY) == "below"
    shown = index.departments(at=MAY, viewer=Viewer("dispatcher", "T"))[0].posts[0].acting.phone
    assert shown == "13800000012"
    assert index.departments(at=MAY)[0].posts[0].acting.phone == "138****0012"


def test_every_rule_names_relations_that_there_are_and_a_city_may_have_its_own(index):
    known = {"self", "same", "below", "above", "other"}
    assert all(sees <= known for sees in phone_rules().values())
    open_rules = ChainIndex(
        duties(), workers(), divisions(), grids(), rules={"visitor": frozenset({"other"})}
    )
    chain = open_rules.chain(G1, at=JULY, viewer=Viewer("visitor", None))
    assert chain.person("city").phone == "13800000011"


# Laws on drawn tables.

MOMENTS = st.integers(0, 12).map(lambda k: MAY + timedelta(days=k))
ROWS = st.lists(
    st.tuples(
        st.sampled_from([G1, G2, G3, G4, "K1", "K2", "S", "D", "T", "B01"]),
        st.sampled_from(["grid_head", "grid_worker", "community_head", "police", "fire", "x"]),
        st.sampled_from([f"W{k:02d}" for k in range(1, 13)]),
        st.integers(1, 3),
        MOMENTS,
        st.one_of(st.none(), MOMENTS),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, MOMENTS, st.sampled_from([G1, G4, "K2", "B01"]), st.randoms())
def test_a_chain_holds_exactly_the_appointments_in_force_whatever_the_order(rows, at, unit, dice):
    index = ChainIndex(duties(rows), workers(), divisions(), grids(), departments())
    chain = index.chain(unit, at=at)
    up = {step.code for step in chain.steps}
    force = sorted(
        (u, role, who, rank)
        for u, role, who, rank, begin, end in rows
        if u in up and begin <= at and (end is None or at < end)
    )
    shown = sorted(
        (h.unit_code, h.role, h.worker_id, h.rank)
        for step in chain.steps
        for post in step.posts
        for h in (*post.holders, *post.deputies)
    )
    assert shown == force
    mixed = list(rows)
    dice.shuffle(mixed)
    again = ChainIndex(duties(mixed), workers(), divisions(), grids(), departments())
    assert [s.posts for s in again.chain(unit, at=at).steps] == [s.posts for s in chain.steps]
