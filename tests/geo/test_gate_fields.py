"""Columns recognised by their names, and values read as people write them."""

from __future__ import annotations

import pandas as pd
import pytest

from geo.errors import ColumnError, InputError
from geo.io import fields


def frame(*columns: str, value: str = "1") -> pd.DataFrame:
    return pd.DataFrame({c: [value] for c in columns}, dtype="str")


@pytest.mark.parametrize(
    ("kind", "columns", "expected"),
    [
        (
            "grids",
            ["网格编码", "网格名称", "户数", "人口"],
            {"grid_id": "网格编码", "households": "户数"},
        ),
        ("grids", ["網格編號", "戶數(戶)"], {"grid_id": "網格編號", "households": "戶數(戶)"}),
        ("grids", ["GEOID", "Pop", " HouseHolds "], {"grid_id": "GEOID", "population": "Pop"}),
        (
            "assets",
            ["编号", "经度", "纬度", "名称"],
            {"asset_id": "编号", "lon": "经度", "lat": "纬度"},
        ),
        ("assets", ["ＩＤ", "Longitude", "LATITUDE"], {"asset_id": "ＩＤ", "lon": "Longitude"}),
        ("incidents", ["Unique Key", "Created Date"], {"incident_id": "Unique Key"}),
        ("incidents", ["unique_key", "created_date"], {"reported_at": "created_date"}),
        ("incidents", ["SRRecordID", "CloseDate"], {"closed_at": "CloseDate"}),
        ("fixes", ["lat", "lng", "datetime", "uid"], {"worker_id": "uid", "lon": "lng"}),
        (
            "workers",
            ["工号", "姓名", "岗位"],
            {"worker_id": "工号", "name": "姓名", "role": "岗位"},
        ),
        ("cameras", ["id", "bearing"], {"bearing_deg": "bearing"}),
    ],
)
def test_common_names_are_recognised(
    kind: str, columns: list[str], expected: dict[str, str]
) -> None:
    found = fields.recognise_fields(kind, frame(*columns)).columns
    assert {k: found.get(k) for k in expected} == expected


def test_every_column_that_our_exports_write_is_recognised() -> None:
    from geo.codes import headers
    from geo.schema import IMPORT_KINDS, TABLES

    by_value = ("state", "kind", "accuracy_class", "phone", "level", "road_class")

    for kind in IMPORT_KINDS:
        for language in ("zh", "en"):
            words = headers(language)
            names = [n for n in TABLES[kind].names if n not in by_value]
            table = frame(*(words[n] for n in names))
            found = fields.recognise_fields(kind, table).columns
            assert {n: found.get(n) for n in names} == {n: words[n] for n in names}


def test_a_person_decides_over_names() -> None:
    table = frame("id", "other", "lon", "lat")
    found = fields.recognise_fields(
        "assets",
        table,
        mapping={"asset_id": "other", "lon": "-"},
        set_values={"class_code": "0113"},
    )
    assert found.columns["asset_id"] == "other"
    assert not found.has("lon")
    assert found.constants == {"class_code": "0113"}
    assert found.unused == ("id", "lon")


def test_the_first_name_of_the_table_wins_and_the_other_stays_unused() -> None:
    found = fields.recognise_fields("incidents", frame("unique_key", "id", "srtype"))
    assert found.columns["incident_id"] == "unique_key"
    assert "id" in found.unused


def test_an_empty_column_counts_only_if_no_other_fits() -> None:
    table = pd.DataFrame({"due_date": ["", ""], "deadline": [None, "n/a"], "sla_date": ["1", "2"]})
    assert fields.recognise_fields("incidents", table).columns["deadline"] == "sla_date"
    lone = fields.recognise_fields("incidents", table[["due_date"]])
    assert lone.columns["deadline"] == "due_date"


def test_two_columns_of_one_name_must_be_chosen_between() -> None:
    table = pd.DataFrame({"Name": ["a"], "NAME ": ["b"]})
    with pytest.raises(
        ColumnError, match=r"Name, NAME  all look like name and differ.*--map name="
    ):
        fields.recognise_fields("assets", table)
    same = pd.DataFrame({"Name": ["a"], "NAME ": ["a"]})
    assert fields.recognise_fields("assets", same).columns["name"] == "Name"


def test_a_heading_that_comes_twice_must_be_chosen_between() -> None:
    table = pd.DataFrame({"lon": ["114.3"], "lon (2)": ["114.4"]})
    with pytest.raises(ColumnError, match="--map lon=COLUMN"):
        fields.recognise_fields("assets", table)


def test_a_state_of_the_union_is_no_state_of_a_tree() -> None:
    table = pd.DataFrame({"state": ["New York"], "status": ["Alive"]})
    found = fields.recognise_fields("assets", table)
    assert found.columns["state"] == "status"
    assert found.notes == ("column state does not fill state: its values are no state",)


def test_unknown_fields_and_columns_are_refused_with_a_list() -> None:
    with pytest.raises(InputError, match="assets has no field colour: it has asset_id"):
        fields.recognise_fields("assets", frame("id"), mapping={"colour": "id"})
    with pytest.raises(ColumnError, match="no column nr for asset_id: its columns are id, x"):
        fields.recognise_fields("assets", frame("id", "x"), mapping={"asset_id": "nr"})


def test_options_are_pairs() -> None:
    assert fields.parse_options(["a=b=c", "d = e"], "--map") == {"a": "b=c", "d": "e"}
    with pytest.raises(InputError, match="--map a is not of the form"):
        fields.parse_options(["a"], "--map")
    with pytest.raises(InputError, match="--set names a twice"):
        fields.parse_options(["a=1", "a=2"], "--set")


def test_numbers_are_read_as_people_write_them() -> None:
    values = pd.Series(["12", "３４", "3,145", "1 234", "12 户", "7.5", "", "n/a", "many", None])
    number, bad = fields.to_numbers(values)
    assert number.tolist()[:6] == [12, 34, 3145, 1234, 12, 7.5]
    assert number[6:].isna().all()
    assert bad.tolist() == [False] * 8 + [True, False]


def test_a_comma_is_decimal_where_it_can_be_no_thousand() -> None:
    number, bad = fields.to_numbers(pd.Series(["116,3914", "39,9", "40,123"]))
    assert number.tolist() == [116.3914, 39.9, 40.123]
    assert not bad.any()


def test_degrees_minutes_and_seconds_are_read() -> None:
    values = pd.Series(["116°23'29.4\"E", "39°54′ N", "73°30'W", "-12.5", "116.5°", "114,305"])
    number, bad = fields.to_degrees(values)
    assert number.round(6).tolist() == [116.3915, 39.9, -73.5, -12.5, 116.5, 114.305]
    assert not bad.any()


@pytest.mark.parametrize(
    ("text", "lon", "lat"),
    [
        ("(39.0, -77.0)", -77, 39),
        ("POINT (-73.9 40.5)", -73.9, 40.5),
        ("116.39,39.9", 116.39, 39.9),
        ("39.9,116.39", 116.39, 39.9),
        ("{'latitude': '40.8', 'longitude': '-73.9', 'human_address': '{}'}", -73.9, 40.8),
    ],
)
def test_one_text_may_hold_a_place(text: str, lon: float, lat: float) -> None:
    x, y = fields.parse_pairs(pd.Series([text, "main street", None]))
    assert (x[0], y[0]) == (lon, lat)
    assert x[1:].isna().all()


def test_texts_lose_what_nobody_sees_and_keep_their_zeros() -> None:
    values = pd.Series(["\u200b中山路\ufeff", " a\n b ", "007", "<Null>", "全角（括号）"])
    text, odd = fields.clean_texts(values)
    assert text.tolist()[:3] == ["中山路", "a b", "007"]
    assert pd.isna(text[3])
    assert text[4] == "全角（括号）"
    assert odd.tolist() == [True, False, False, False, False]


def test_whole_numbers_that_a_file_holds_as_fractions_are_ids() -> None:
    assert fields.to_texts(pd.Series([27.0, 1.5, None])).tolist()[:2] == ["27", "1.5"]


def test_words_of_a_source_become_ours_and_unknown_ones_are_counted() -> None:
    values = pd.Series(
        ["Closed", "In  Progress", "Closed (Transferred)", "已结案", "Foo", "Foo", None]
    )
    found, unknown = fields.match_words("stage", values)
    assert found.tolist()[:4] == ["closed", "handling", "closed", "closed"]
    assert found[4:].isna().all()
    assert unknown.to_dict() == {"Foo": 2}
    assert fields.match_words("road_class", pd.Series(["['primary', 'x']"]))[0][0] == "arterial"


def test_every_word_of_ours_means_itself() -> None:
    from geo import schema

    for field, words in (
        ("stage", schema.STAGES),
        ("state", schema.ASSET_STATES),
        ("accuracy_class", schema.ACCURACY_CLASSES),
        ("kind", schema.GRID_KINDS),
        ("area_kind", schema.AREA_KINDS),
        ("level", schema.LEVELS),
        ("road_class", schema.ROAD_CLASSES),
    ):
        assert fields.match_words(field, pd.Series(words))[0].tolist() == list(words)
