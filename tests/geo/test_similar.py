"""Similar cases and flare-up places on a street that can be drawn, and against the slow way.

0 m        30 m        60 m                         1000 m
a --------- b --------- c --------------------------- z       along one line
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, CrsError, InputError
from geo.similar import find_flare_ups, find_returns, find_similar, sum_up_flare_ups

START = pd.Timestamp("2026-03-01 00:00", tz="UTC")
RUBBISH, ROAD = "E0102", "E0104"


def layer(rows, crs="EPSG:4547"):
    """Rows of id, x, reported (h), closed (h or None), class and stage."""
    names = ["incident_id", "x", "reported", "closed", "class_code", "stage"]
    table = pd.DataFrame(rows, columns=names).set_index("incident_id")
    times = {
        "reported_at": START + pd.to_timedelta(table["reported"], unit="h"),
        "closed_at": START + pd.to_timedelta(table["closed"].astype("float64"), unit="h"),
    }
    points = [None if pd.isna(x) else shapely.Point(500_000 + x, 4_000_000) for x in table["x"]]
    table = table[["class_code", "stage"]].assign(**times)
    return gpd.GeoDataFrame(table, geometry=points, crs=crs)


def opened(id_, x, hour, kind=RUBBISH):
    return (id_, x, hour, None, kind, "handling")


def closed(id_, x, hour, until, kind=RUBBISH, stage="closed"):
    return (id_, x, hour, until, kind, stage)


def pairs(table, *names):
    return list(table[list(names)].itertuples(index=False, name=None))


# -- similar cases


def test_a_case_nearby_of_the_same_class_and_time_is_offered_nearest_first():
    before = layer(
        [opened("a", 0, 0), opened("b", 30, 1), opened("c", 60, 2), opened("z", 1000, 3)]
    )
    new = layer([opened("n", 40, 5)])
    found = find_similar(new, before, within_m=50, within_h=24)
    assert pairs(found, "incident_id", "similar_id", "distance_m", "apart_h") == [
        ("n", "b", 10.0, 4.0),
        ("n", "c", 20.0, 3.0),
        ("n", "a", 40.0, 5.0),
    ]


def test_the_distance_and_the_time_themselves_are_inside_and_a_bit_more_is_not():
    before = layer(
        [
            opened("near", 50, 0), opened("far", 50.01, 0),
            opened("late", 0, -24), opened("later", 0, -24.01),
            opened("after", 0, 24), opened("long after", 0, 24.01),
        ]
    )  # fmt: skip
    found = find_similar(layer([opened("n", 0, 0)]), before, within_m=50, within_h=24)
    assert set(found["similar_id"]) == {"near", "late", "after"}
    assert found.set_index("similar_id")["apart_h"].to_dict() == {
        "near": 0.0,
        "late": 24.0,
        "after": -24.0,
    }


def test_another_class_no_class_and_no_place_are_similar_to_nothing():
    rows = [opened("road", 0, 0, ROAD), opened("none", 0, 0, None), opened("nowhere", None, 0)]
    before = layer(rows)
    new = layer([opened("n", 0, 1), opened("n2", 0, 1, None), opened("n3", None, 1)])
    assert len(find_similar(new, before, within_m=50, within_h=24)) == 0


def test_an_imported_file_may_be_compared_by_its_own_categories():
    rows = layer([opened("a", 0, 0, None), opened("b", 0, 1, None), opened("c", 0, 2, None)])
    rows["category"] = ["HVAC", "HVAC", "noise"]
    found = find_similar(rows, rows, within_m=1, within_h=9, same="category")
    assert pairs(found, "incident_id", "similar_id") == [("a", "b"), ("b", "a")]


def test_ties_are_broken_by_the_earlier_report_and_then_by_id():
    before = layer(
        [opened("y", 10, 1), opened("x", 10, 1), opened("w", -10, 2), opened("v", 10, 0)]
    )
    found = find_similar(layer([opened("n", 0, 5)]), before, within_m=50, within_h=24)
    assert found["similar_id"].tolist() == ["v", "x", "y", "w"]


# -- cases that come back


def test_a_closed_case_is_returned_to_within_the_days_after_its_close():
    # a is closed after 10 h; two days are 48 h
    street = layer(
        [
            closed("a", 0, 0, 10),
            opened("while open", 0, 9),
            opened("at once", 0, 10),
            opened("last hour", 0, 58),
            opened("too late", 0, 58.01),
            opened("too far", 51, 20),
        ]
    )
    found = find_returns(street, within_m=50, within_days=2)
    assert pairs(found, "incident_id", "returns_to", "after_h") == [
        ("at once", "a", 0.0),
        ("last hour", "a", 48.0),
    ]


def test_what_was_cancelled_or_is_open_is_not_returned_to():
    street = layer(
        [
            closed("void", 0, 0, 10, stage="cancelled"),
            closed("still open", 0, 0, None, stage="fed_back"),
            opened("new", 0, 20),
        ]
    )
    assert len(find_returns(street, within_m=50, within_days=2)) == 0


def test_a_case_put_right_in_the_moment_of_its_report_does_not_return_to_itself():
    street = layer([closed("spot", 0, 5, 5), closed("spot too", 0, 5, 5)])
    found = find_returns(street, within_m=50, within_days=2)
    assert pairs(found, "incident_id", "returns_to") == [
        ("spot", "spot too"),
        ("spot too", "spot"),
    ]


def flaring_street():
    """Rubbish at 0 to 60 m comes back twice, at 1000 m once; a road there has nothing to do."""
    return layer(
        [
            opened("z2", 1010, 40),
            closed("a", 0, 0, 10),
            closed("b", 30, 20, 30),
            opened("c", 60, 50),
            closed("z", 1000, 5, 15),
            closed("road", 0, 0, 10, ROAD),
            closed("alone", 500, 0, 10),
        ]
    )


def test_a_flare_up_place_is_listed_with_its_history():
    history = find_flare_ups(flaring_street(), within_m=40, within_days=2)
    told = [
        (row.place_id, id_, None if pd.isna(row.returns_to) else row.returns_to)
        for id_, row in zip(history.index, history.itertuples(), strict=True)
    ]
    assert told == [
        ("a", "a", None),
        ("a", "b", "a"),
        ("a", "c", "b"),
        ("z", "z", None),
        ("z", "z2", "z"),
    ]
    assert history["after_h"].fillna(-1).tolist() == [-1, 10, 20, -1, 25]
    assert history.crs.to_epsg() == 4547


def test_places_are_summed_up_the_worst_first():
    places = sum_up_flare_ups(find_flare_ups(flaring_street(), within_m=40, within_days=2))
    assert places.index.tolist() == ["a", "z"]
    first = places.loc["a"]
    assert (first["class_code"], first["cases"], first["returns"], first["open_cases"]) == (
        RUBBISH, 3, 2, 1,
    )  # fmt: skip
    assert first["first_reported"] == START
    assert first["last_reported"] == START + pd.Timedelta(hours=50)
    assert first["last_closed"] == START + pd.Timedelta(hours=30)
    assert (first.geometry.x, first["extent_m"]) == (500_030.0, 30.0)


def test_places_with_few_returns_may_be_left_out():
    history = find_flare_ups(flaring_street(), within_m=40, within_days=2, min_returns=2)
    assert history["place_id"].unique().tolist() == ["a"]


def test_a_street_without_flare_ups_gives_empty_tables():
    street = layer([opened("a", 0, 0), closed("b", 0, 0, 1, ROAD)])
    history = find_flare_ups(street, within_m=40, within_days=2)
    assert len(history) == len(sum_up_flare_ups(history)) == 0
    empty = street.iloc[:0]
    assert len(find_similar(empty, street, within_m=1, within_h=1)) == 0
    assert len(find_similar(street, empty, within_m=1, within_h=1)) == 0
    assert len(find_flare_ups(empty, within_m=1, within_days=1)) == 0


# -- the slow way


@st.composite
def streets(draw):
    many = draw(st.integers(0, 25))
    rows = []
    for k in draw(st.permutations(range(many))):
        reported = draw(st.integers(0, 200))
        until = draw(st.one_of(st.none(), st.integers(reported, reported + 100)))
        stage = "handling" if until is None else draw(st.sampled_from(["closed", "cancelled"]))
        kind = draw(st.sampled_from([RUBBISH, ROAD, None]))
        x = draw(st.one_of(st.none(), st.integers(0, 200)))
        rows.append((f"case-{k}", x, reported, until, kind, stage))
    return layer(rows)


def metres(a, b):
    return np.inf if a is None or b is None else abs(a.x - b.x)


def slow_similar(street, within_m, within_h):
    rows = []
    for a in street.itertuples():
        mine = []
        for b in street.itertuples():
            far = metres(a.geometry, b.geometry)
            apart = (a.reported_at - b.reported_at) / pd.Timedelta(hours=1)
            same = a.class_code == b.class_code and not pd.isna(a.class_code)
            if a.Index != b.Index and same and far <= within_m and abs(apart) <= within_h:
                mine.append((far, b.reported_at, b.Index, apart))
        rows += [(a.Index, id_, far, apart) for far, _, id_, apart in sorted(mine)]
    return rows


def slow_returns(street, within_m, within_days):
    rows = []
    for b in street.itertuples():
        mine = []
        for a in street.itertuples():
            if a.Index == b.Index or a.stage != "closed" or pd.isna(a.class_code):
                continue
            after = (b.reported_at - a.closed_at) / pd.Timedelta(hours=1)
            far = metres(a.geometry, b.geometry)
            if a.class_code == b.class_code and far <= within_m and 0 <= after <= within_days * 24:
                mine.append((after, far, a.Index))
        rows += [(b.Index, id_, far, after) for after, far, id_ in sorted(mine)]
    return rows


def slow_places(links):
    """Join sets of cases until none touches another."""
    places = []
    for later, earlier, *_ in links:
        joined = {later, earlier}.union(*(place for place in places if {later, earlier} & place))
        places = [place for place in places if not place & joined] + [joined]
    return {frozenset(place) for place in places}


@settings(max_examples=80, deadline=None)
@given(street=streets(), within_m=st.integers(1, 60), within=st.integers(1, 90))
def test_the_tree_finds_what_comparing_each_with_each_finds(street, within_m, within):
    similar = find_similar(street, street, within_m=within_m, within_h=within)
    names = ("incident_id", "similar_id", "distance_m", "apart_h")
    assert pairs(similar, *names) == slow_similar(street, within_m, within)
    returns = find_returns(street, within_m=within_m, within_days=within / 24)
    links = slow_returns(street, within_m, within / 24)
    assert pairs(returns, "incident_id", "returns_to", "distance_m", "after_h") == links
    history = find_flare_ups(street, within_m=within_m, within_days=within / 24)
    found = {frozenset(place.index) for _, place in history.groupby("place_id")}
    assert found == slow_places(links)
    assert history.index.is_unique
    latest = {later: earlier for later, earlier, *_ in reversed(links)}
    assert history["returns_to"].dropna().to_dict() == latest
    places = sum_up_flare_ups(history)
    assert places["returns"].sum() == len(latest)
    assert places["cases"].sum() == len(history)


@settings(max_examples=50, deadline=None)
@given(street=streets(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(street, seed):
    shuffled = street.sample(frac=1, random_state=seed)
    wish = {"within_m": 30, "within_days": 2}
    one, other = find_flare_ups(street, **wish), find_flare_ups(shuffled, **wish)
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other))
    pd.testing.assert_frame_equal(
        pd.DataFrame(sum_up_flare_ups(one)), pd.DataFrame(sum_up_flare_ups(other))
    )
    first = find_similar(street, street, within_m=30, within_h=48)
    second = find_similar(shuffled, shuffled, within_m=30, within_h=48)
    assert sorted(pairs(first, *first.columns)) == sorted(pairs(second, *second.columns))


def test_a_case_at_the_other_end_of_the_earth_does_not_blur_the_distance():
    # panes lie side by side: one wild point makes each of them ten thousand kilometres wide
    rows = [opened(f"c{k}", 50.0 * (k % 2), k, RUBBISH) for k in range(400)]
    street = layer([*rows, opened("wild", 1e7, 0)])
    found = find_similar(street, street, within_m=49.999999, within_h=1.5)
    assert len(found) == 0
    found = find_similar(street, street, within_m=50, within_h=1.5)
    assert len(found) == 2 * 399


# -- what is refused


def test_layers_that_are_not_in_metres_or_differ_are_refused():
    street = layer([opened("a", 0, 0)])
    degrees = street.to_crs(4326)
    with pytest.raises(CrsError, match=r"incidents is in .*, not metres: call .*to_crs"):
        find_returns(degrees, within_m=1, within_days=1)
    with pytest.raises(CrsError, match="among has no CRS"):
        find_similar(street, street.set_crs(None, allow_override=True), within_m=1, within_h=1)
    with pytest.raises(CrsError, match="incidents and among differ in CRS"):
        find_similar(street, street.to_crs(4546), within_m=1, within_h=1)


@pytest.mark.parametrize("wish", [{"within_m": 0}, {"within_days": -1}, {"within_m": np.inf}])
def test_a_distance_or_time_that_is_none_is_refused(wish):
    with pytest.raises(InputError, match="give a number above 0"):
        find_returns(layer([]), **({"within_m": 1, "within_days": 1} | wish))


def test_missing_columns_doubled_ids_and_times_without_zone_are_refused():
    street = layer([opened("a", 0, 0)])
    with pytest.raises(ColumnError, match="incidents lacks stage: it has class_code"):
        find_returns(street.drop(columns="stage"), within_m=1, within_days=1)
    twice = pd.concat([street, street])
    with pytest.raises(InputError, match="incidents has a twice"):
        find_returns(twice, within_m=1, within_days=1)
    naive = street.assign(reported_at=street["reported_at"].dt.tz_localize(None))
    with pytest.raises(InputError, match=r"reported_at is datetime64.*without a zone"):
        find_returns(naive, within_m=1, within_days=1)
