"""Checks of single rows: places, ids, words, times, names, class codes."""

from __future__ import annotations

from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.checks import (
    REASONS,
    check_classes,
    check_coordinates,
    check_ids,
    check_names,
    check_places,
    check_times,
    check_values,
    count_problems,
    join_problems,
    make_problems,
    no_problems,
    show_invisible,
    strip_invisible,
)

AT = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
NAN = float("nan")


@pytest.fixture
def city():
    """One square in Yichang, 111.2 to 111.4 E and 30.6 to 30.8 N."""
    return gpd.GeoDataFrame(geometry=[shapely.box(111.2, 30.6, 111.4, 30.8)], crs="EPSG:4326")


def reasons(problems) -> dict[str, str]:
    return dict(zip(problems["id"], problems["reason"], strict=True))


def test_each_bad_place_has_the_one_reason_that_fits(city):
    rows = {
        "fine": (111.3, 30.7),
        "on the border": (111.2, 30.7),
        "empty": (NAN, NAN),
        "half": (111.3, NAN),
        "infinite": (np.inf, 30.7),
        "zero": (0.0, 0.0),
        "swapped": (30.7, 111.3),
        "metres": (528770.0, 3386666.0),
        "next town": (111.5, 30.7),
        "whole degrees": (111.0, 30.0),
    }
    lon, lat = np.array(list(rows.values())).T
    found = check_coordinates(lon, lat, table="assets", ids=list(rows), city=city)
    assert reasons(found) == {
        "empty": "no_coordinates",
        "half": "no_coordinates",
        "infinite": "no_coordinates",
        "zero": "zero_coordinates",
        "swapped": "swapped",
        "metres": "out_of_range",
        "next town": "outside_city",
        "whole degrees": "default_place",
    }
    names = list(rows)
    assert [names[row] for row in found["row"]] == found["id"].tolist()
    assert found.set_index("id").geometry["next town"] == shapely.Point(111.5, 30.7)
    assert found.crs == 4326


def test_a_swap_within_both_ranges_is_seen_only_against_a_city():
    tropics = gpd.GeoDataFrame(geometry=[shapely.box(30, 0, 31, 1)], crs="EPSG:4326")
    assert check_coordinates([0.5], [30.5], table="assets").empty
    found = check_coordinates([0.5], [30.5], table="assets", city=tropics)
    assert found["reason"].tolist() == ["swapped"]


def test_without_a_city_only_what_cannot_be_degrees_is_swapped_or_out_of_range():
    found = check_coordinates([30.7, 200.0, 111.3], [111.3, 10.0, 30.7], table="assets")
    assert found["reason"].tolist() == ["swapped", "out_of_range"]


def test_a_place_that_a_twentieth_of_all_rows_share_is_a_default(city):
    random = np.random.default_rng(2)
    lon, lat = random.uniform(111.2, 111.4, 1000), random.uniform(30.6, 30.8, 1000)
    lon[:60], lat[:60] = 111.31, 30.71
    found = check_coordinates(lon, lat, table="incidents", city=city)
    assert set(found["reason"]) == {"default_place"}
    assert len(found) == 60
    lon[40:60] += 0.01
    assert check_coordinates(lon, lat, table="incidents", city=city).empty


def test_a_line_is_outside_if_its_middle_is(city):
    shapes = {
        "mostly inside": shapely.LineString([(111.1, 30.7), (111.4, 30.7)]),
        "mostly outside": shapely.LineString([(111.0, 30.7), (111.3, 30.7)]),
        "beside": shapely.LineString([(111.1, 30.7), (111.15, 30.7)]),
        "point": shapely.Point(111.5, 30.7),
        "empty": shapely.Point(),
        "nothing": None,
        "metres": shapely.LineString([(5e5, 3e6), (6e5, 3e6)]),
    }
    frame = gpd.GeoDataFrame(geometry=list(shapes.values()), index=list(shapes), crs="EPSG:4326")
    found = check_places(frame, table="assets", city=city)
    assert reasons(found) == {
        "mostly outside": "outside_city",
        "beside": "outside_city",
        "point": "outside_city",
        "empty": "no_coordinates",
        "nothing": "no_coordinates",
        "metres": "out_of_range",
    }
    names = list(shapes)
    assert [names[row] for row in found["row"]] == found["id"].tolist()


def test_every_later_copy_of_an_id_names_the_row_of_the_first():
    found = check_ids(["a", "b", "a", None, " ", "a"], table="assets")
    assert found["reason"].tolist() == ["missing_id", "missing_id", "duplicate_id", "duplicate_id"]
    assert found["row"].tolist() == [3, 4, 2, 5]
    assert found["detail"].tolist()[2] == "already in row 1"
    assert found["severity"].eq("error").all()


def test_required_columns_and_listed_words_are_held_to():
    frame = pd.DataFrame(
        {"class_code": ["0118", None], "state": ["intact", "kaputt"], "name": [None, None]},
        index=pd.Index(["a", "b"], name="asset_id"),
    )
    found = check_values(frame, table="assets")
    assert list(zip(found["id"], found["reason"], strict=True)) == [
        ("b", "empty_value"),
        ("b", "bad_word"),
    ]
    assert "state is 'kaputt': use intact, damaged" in found["detail"][1]


def times(*texts: str | None) -> pd.Series:
    return pd.to_datetime(pd.Series(texts, dtype="str"), utc=True, format="ISO8601")


def test_times_that_cannot_be_are_reported_and_a_clock_that_is_a_little_fast_is_not():
    frame = pd.DataFrame(
        {
            "incident_id": ["fine", "future", "fast clock", "closed early", "due early", "open"],
            "reported_at": times(
                "2026-11-20T00:00Z",
                "2026-11-22T00:00Z",
                "2026-11-21T04:04Z",
                "2026-11-20T00:00Z",
                "2026-11-20T00:00Z",
                "2026-11-20T00:00Z",
            ),
            "closed_at": times("2026-11-20T01:00Z", None, None, "2026-11-19T23:59Z", None, None),
            "deadline": times("2027-01-01T00:00Z", None, None, None, "2026-11-19T00:00Z", None),
        }
    )
    found = check_times(frame, table="incidents", at=AT)
    assert reasons(found) == {
        "future": "future_time",
        "closed early": "close_before_open",
        "due early": "due_before_open",
    }
    assert "2026-11-19 23:59:00 UTC" in found.set_index("id")["detail"]["closed early"]


def test_columns_without_any_time_are_no_problem():
    frame = pd.DataFrame({"reported_at": times("2026-11-20T00:00Z"), "closed_at": [pd.NaT]})
    assert check_times(frame, table="incidents", at=AT).empty


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("中山路", None),
        ("Main  Street", None),
        ("𠮷野家 𪚥", None),
        ("👨‍👩‍👧", None),
        ("中山路\u200b", "invisible_characters"),
        ("\ufeff中山路", "invisible_characters"),
        ("中\u00a0山路", "invisible_characters"),
        ("中\u3000山路", "invisible_characters"),
        ("中山路\u202e", "invisible_characters"),
        ("中山\x07路", "invisible_characters"),
        ("中山路\n", "invisible_characters"),
        (" 中山路", "invisible_characters"),
        ("Main Street ", "invisible_characters"),
        ("中山\ufffd路", "broken_characters"),
    ],
)
def test_a_name_with_characters_that_nobody_sees_is_reported(text, reason):
    frame = pd.DataFrame({"name": ["好", text]}, index=pd.Index(["1", "2"], name="asset_id"))
    found = check_names(frame, table="assets")
    assert found["reason"].tolist() == ([] if reason is None else [reason])
    if reason == "invisible_characters":
        clean = frame.assign(name=frame["name"].map(strip_invisible))
        assert check_names(clean, table="assets").empty


def test_an_invisible_character_in_an_id_is_seen_too():
    frame = pd.DataFrame({"name": ["a"]}, index=pd.Index(["1\u200b"], name="asset_id"))
    assert check_names(frame, table="assets")["detail"].tolist() == ["asset_id: 1<U+200B>"]


def test_line_breaks_belong_into_a_description_and_not_into_a_name():
    frame = pd.DataFrame({"description": ["first\nsecond"], "source": ["app\n12345"]})
    found = check_names(frame, table="incidents")
    assert found["detail"].tolist() == ["source: app<U+000A>12345"]


def test_an_invisible_character_is_shown_by_its_code():
    assert show_invisible("a\u200bb") == "a<U+200B>b"
    assert show_invisible("ab ") == "ab  (blank at an end)"
    assert strip_invisible("\ufeff a\u3000b\u200b\n") == "a b"


def test_unknown_class_codes_are_reported_and_an_incident_may_have_none():
    assets = pd.DataFrame({"class_code": ["0118", "2155", "9999"]}, index=["a", "b", "c"])
    assert check_classes(assets, table="assets")["id"].tolist() == ["c"]
    incidents = pd.DataFrame({"class_code": ["E0102", "C0118", None, "0118"]}, index=list("abcd"))
    assert check_classes(incidents, table="incidents")["id"].tolist() == ["d"]


def test_every_reason_says_what_it_is_and_what_to_do():
    assert all(r.text and r.to_do and r.severity in ("error", "warning") for r in REASONS.values())
    assert all(key == r.key for key, r in REASONS.items())


def test_problems_are_joined_and_counted_errors_first():
    assert no_problems().empty
    assert join_problems([no_problems()]).columns.tolist() == no_problems().columns.tolist()
    joined = join_problems(
        [
            make_problems("assets", "outside_city", ["a", "b"], "x"),
            no_problems(),
            make_problems("grids", "overlap", ["A, B"], shapes=[shapely.box(0, 0, 1, 1)]),
        ]
    )
    counts = count_problems(joined)
    assert counts["reason"].tolist() == ["overlap", "outside_city"]
    assert counts["count"].tolist() == [1, 2]
    assert counts["to_do"].str.len().gt(0).all()


@pytest.mark.real_data
def test_baltimore_has_590_cases_without_coordinates_and_892_at_a_default(shared_data):
    table = pd.read_csv(shared_data / "inc_baltimore_311" / "311_sample.csv", low_memory=False)
    found = check_coordinates(table["Longitude"], table["Latitude"], table="incidents")
    counts = found["reason"].value_counts().to_dict()
    assert counts == {"default_place": 892, "no_coordinates": 590}
