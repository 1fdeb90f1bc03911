"""Class codes and division codes."""

from __future__ import annotations

import pandas as pd
import pytest

from geo import codes
from geo.errors import CodeError
from geo.schema import TABLES


def test_the_85_classes_of_the_standard_are_there_in_their_majors():
    table = codes.asset_classes()
    majors = table.index[~table.index.str.startswith("21")].str[:2].value_counts()
    assert majors.to_dict() == {"01": 38, "02": 17, "03": 11, "04": 10, "05": 3, "06": 6}
    assert list(table.columns) == ["group", "zh", "en", "symbol"]
    assert table.notna().all(axis=None)
    assert table.index.is_unique


def test_every_group_has_names_and_a_symbol_of_its_own():
    groups = codes.asset_groups()
    assert set(codes.asset_classes()["group"]) <= set(groups.index)
    assert groups["symbol"].notna().all()
    assert set(codes.incident_classes()["group"]) <= set(codes.incident_groups().index)


@pytest.mark.parametrize(
    ("code", "group", "zh", "en"),
    [
        ("0102", "manhole", "污水井盖", "sewage cover"),
        ("0118", "streetlight", "路灯", "streetlight"),
        ("0136", "camera", "监控电子眼", "surveillance camera"),
        ("0117", "pole", "立杆", "pole"),
        ("0113", "hydrant", "消防设施", "hydrant or fire facility"),
        ("0305", "bin", "垃圾箱", "bin"),
    ],
)
def test_the_five_kinds_of_the_brief_and_bins_have_their_codes(code, group, zh, en):
    assert codes.asset_group(code) == group
    assert codes.class_name(code) == zh
    assert codes.class_name(code, "en") == en


def test_manhole_covers_are_sixteen_classes_and_storm_grates_none_of_them():
    covers = codes.asset_codes("manhole")
    assert len(covers) == 16
    assert "0104" not in covers


def test_events_carry_an_e_and_faults_of_assets_a_c():
    table = codes.incident_classes()
    assert codes.class_name("E0102", "en") == "exposed rubbish"
    assert codes.class_name("C0101") == codes.class_name("0101")
    assert table.loc["C0101", "group"] == "component"
    assert table.index.str[0].isin(["E", "C"]).all()


def test_a_local_code_is_known_without_standing_in_the_table():
    assert codes.is_asset_class("2199")
    assert codes.asset_group("2199") == "extension"
    assert codes.class_name("2199") == "扩展部件 2199"
    assert codes.is_incident_class("E2177")
    assert codes.class_symbol("2199") == codes.asset_groups().loc["extension", "symbol"]


@pytest.mark.parametrize("code", ["0199", "118", "0118 ", "E0118x", "", "C9901"])
def test_an_unknown_class_is_refused_with_what_to_do(code):
    assert not codes.is_asset_class(code)
    assert not codes.is_incident_class(code)
    with pytest.raises(CodeError, match="add a city's own as 21xx"):
        codes.class_name(code)


def test_an_incident_class_has_no_asset_group():
    with pytest.raises(CodeError, match="give the 4 digits of an asset class"):
        codes.asset_group("E0102")
    with pytest.raises(CodeError, match="use one of manhole"):
        codes.asset_codes("manholes")


def test_changing_a_table_that_was_handed_out_changes_nothing():
    table = codes.asset_classes()
    table.loc["0118", "zh"] = "x"
    assert codes.class_name("0118") == "路灯"


@pytest.mark.parametrize(
    ("short", "whole", "level", "parent"),
    [
        ("44", "440000000000", "province", None),
        ("4403", "440300000000", "city", "440000000000"),
        ("440305", "440305000000", "district", "440300000000"),
        ("440305007", "440305007000", "street", "440305000000"),
        ("440305007001", "440305007001", "community", "440305007000"),
        ("442000001", "442000001000", "street", "442000000000"),
    ],
    ids=[
        "province",
        "city",
        "district",
        "street",
        "community",
        "street of a city without districts",
    ],
)
def test_a_code_tells_its_level_and_its_parent(short, whole, level, parent):
    assert codes.complete_code(short) == whole
    assert codes.division_level(whole) == level
    assert codes.parent_code(whole) == parent


def test_a_code_can_be_cut_to_any_level_above():
    code = "440305007001"
    assert codes.ancestor_code(code, "street") == "440305007000"
    assert codes.ancestor_code(code, "community") == code
    assert codes.ancestor_code("442000001001", "district") is None
    with pytest.raises(CodeError, match="use one of province, city"):
        codes.ancestor_code(code, "county")


@pytest.mark.parametrize("wrong", ["", "440", "44030", "四四", "4403.0", "44030500700a"])
def test_what_is_no_division_code_is_refused(wrong):
    with pytest.raises(CodeError, match="2, 4, 6, 9 or 12 digits"):
        codes.complete_code(wrong)
    assert not codes.is_division_code(wrong)
    with pytest.raises(CodeError, match="call complete_code"):
        codes.division_level(wrong)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("440305007000", "street"),
        ("420502104000", "town"),
        ("420502200000", "township"),
        ("420502450000", "zone"),
        ("420502600000", "other"),
    ],
)
def test_digits_7_to_9_tell_a_street_from_a_town(code, kind):
    assert codes.town_kind(code) == kind


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ("001", "residents"),
        ("201", "villagers"),
        ("401", "residents_like"),
        ("498", "virtual"),
        ("501", "villagers_like"),
        ("598", "virtual"),
        ("777", "other"),
    ],
)
def test_digits_10_to_12_tell_residents_from_villagers(tail, kind):
    assert codes.community_kind("440305007" + tail) == kind


def test_a_code_that_names_nothing_so_deep_has_no_kind():
    with pytest.raises(CodeError, match="is a district, not a street"):
        codes.town_kind("440305000000")
    with pytest.raises(CodeError, match="is a street, not a community"):
        codes.community_kind("440305007000")


def test_a_list_of_codes_becomes_a_tree_whose_parents_are_in_the_list():
    made = codes.divisions_from_codes(
        ["4403", "440305007", "440305", "44", "4420", "442000", "442000001"],
        ["深圳市", "粤海街道", "南山区", "广东省", "中山市", "中山市", "石岐街道"],
    )
    assert made.index.tolist() == sorted(made.index)
    assert made["level"].tolist() == ["province", "city", "district", "street", "city", "street"]
    assert made.loc["442000001000", "parent_code"] == "442000000000"
    assert made["parent_code"].isna().sum() == 1
    without_district = codes.divisions_from_codes(["4403", "440305007"], ["a", "b"])
    assert without_district.loc["440305007000", "parent_code"] == "440300000000"


def test_a_full_name_leaves_placeholders_out():
    names = {
        "110000000000": "北京市",
        "110100000000": "市辖区",
        "110101000000": "东城区",
        "110101001000": "东华门街道",
    }
    assert codes.full_name("110101001000", names) == "北京市东城区东华门街道"


def test_headers_name_every_column_of_every_table_once():
    for language in ("zh", "en"):
        words = codes.headers(language)
        assert len(set(words.values())) == len(words)
        assert {c for table in TABLES.values() for c in table.names} <= set(words)


@pytest.mark.real_data
def test_the_codes_of_the_statistics_bureau_form_one_tree(shared_data):
    folder = shared_data / "cn_division_codes"
    files = ("provinces", "cities", "areas", "streets", "villages_10_cities")
    rows = pd.concat([pd.read_csv(folder / f"{name}.csv", dtype="str") for name in files])
    made = codes.divisions_from_codes(rows["code"], rows["name"])
    assert made["level"].value_counts().to_dict() == {
        "street": 41_351,
        "community": 32_904,
        "district": 2_975,
        "city": 342,
        "province": 31,
    }
    assert made.loc[made["parent_code"].isna(), "level"].unique().tolist() == ["province"]
    assert codes.full_name("440305007001", made["name"].to_dict()).startswith(
        "广东省深圳市南山区粤海街道"
    )
