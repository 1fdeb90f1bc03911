"""Posts that nobody holds, posts held twice, and rows of duties that mean nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.checks import make_problems
from geo.errors import InputError
from geo.responsibility import (
    DUTY_REASONS,
    ChainIndex,
    check_duties,
    find_doubles_in_duty,
    find_gaps_in_duty,
)

MAY, JUNE, JULY, AUGUST = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7, 8))


def divisions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "level": ["city", "community"],
            "name": ["市", "社区"],
            "parent_code": [None, "T"],
        },
        index=pd.Index(["T", "K"], name="code"),
    )


def grids() -> gpd.GeoDataFrame:
    """Three grids in a row, A B C; C ended in June."""
    return gpd.GeoDataFrame(
        {
            "community_code": ["K"] * 3,
            "valid_from": pd.to_datetime([MAY] * 3, utc=True),
            "valid_to": pd.to_datetime([None, None, JUNE], utc=True),
        },
        index=pd.Index(list("ABC"), name="grid_id"),
        geometry=[shapely.box(111 + k, 30, 112 + k, 31) for k in range(3)],
        crs="EPSG:4326",
    )


def workers(units: dict[str, tuple[str, str]] | None = None) -> pd.DataFrame:
    ids = [f"W{k}" for k in range(1, 7)]
    given_units = units or {}
    return pd.DataFrame(
        {
            "name": list("甲乙丙丁戊己"),
            "role": [given_units.get(i, ("x", ""))[0] for i in ids],
            "unit_code": [given_units.get(i, ("x", None))[1] for i in ids],
            "phone": "",
        },
        index=pd.Index(ids, name="worker_id"),
    )


def duties(*rows) -> pd.DataFrame:
    table = pd.DataFrame(
        rows, columns=["unit_code", "role", "worker_id", "rank", "valid_from", "valid_to"]
    )
    for column in ("valid_from", "valid_to"):
        table[column] = pd.to_datetime(table[column], utc=True)
    return table.set_axis(pd.Index([f"U{k}" for k in range(len(rows))], name="duty_id"))


def said(problems: gpd.GeoDataFrame, *, levels: bool = False) -> list[tuple[str, str, str]]:
    """Id, reason, detail; without the problems of whole levels."""
    some = problems if levels else problems[problems["reason"] != "level_vacant"]
    return list(zip(some["id"], some["reason"], some["detail"], strict=True))


def ask(function, table, *, at=JULY, **options):
    return function(table, workers(), divisions(), grids(), at=at, **options)


HEAD_A = ("A", "grid_head", "W1", 1, MAY, None)


def test_a_grid_without_the_head_that_its_neighbour_has_is_a_vacant_post():
    problems = ask(find_gaps_in_duty, duties(HEAD_A))
    assert said(problems) == [("B", "post_vacant", "grid_head: nobody yet")]
    row = problems[problems["reason"] == "post_vacant"].iloc[0]
    assert (row["table"], row["severity"]) == ("duties", "warning")
    assert row.geometry.equals(grids().geometry["B"])


def test_a_vacant_post_tells_since_when_and_who_stands_in():
    table = duties(
        HEAD_A,
        ("B", "grid_head", "W2", 1, MAY, JUNE),
        ("B", "grid_head", "W3", 3, MAY, None),
        ("B", "grid_head", "W4", 2, MAY, None),
    )
    detail = "grid_head: nobody since 2026-06-01 00:00 UTC, 丁 (W4) stands in"
    assert said(ask(find_gaps_in_duty, table)) == [("B", "post_vacant", detail)]
    assert said(ask(find_gaps_in_duty, table, at=MAY)) == [
        ("C", "post_vacant", "grid_head: nobody yet")
    ]


def test_a_level_at_which_nobody_answers_is_one_problem():
    problems = ask(find_gaps_in_duty, duties(HEAD_A, ("B", "grid_head", "W2", 1, MAY, None)))
    assert [(row[0], row[1]) for row in said(problems, levels=True)] == [
        ("community", "level_vacant"), ("city", "level_vacant"),
    ]  # fmt: skip


def test_assistants_are_not_expected_everywhere():
    table = duties(HEAD_A, ("B", "grid_head", "W2", 1, MAY, None),
                   ("A", "assistant", "W3", 1, MAY, None))  # fmt: skip
    assert said(ask(find_gaps_in_duty, table)) == []


def test_a_time_without_a_holder_is_a_gap_only_in_the_window_asked_for():
    table = duties(
        ("A", "grid_head", "W1", 1, MAY, JUNE),
        ("A", "grid_head", "W2", 1, JULY, None),
        ("B", "grid_head", "W3", 1, MAY, None),
    )
    assert said(ask(find_gaps_in_duty, table, at=AUGUST)) == []
    detail = "grid_head: nobody from 2026-06-01 00:00 UTC to 2026-07-01 00:00 UTC"
    assert said(ask(find_gaps_in_duty, table, at=AUGUST, since=MAY)) == [("A", "post_gap", detail)]
    assert said(ask(find_gaps_in_duty, table, at=AUGUST, since=JULY)) == []


def test_two_heads_at_once_are_a_double_and_two_in_turn_are_none():
    turn = duties(("A", "grid_head", "W1", 1, MAY, JUNE), ("A", "grid_head", "W2", 1, JUNE, None))
    assert said(ask(find_doubles_in_duty, turn, since=MAY)) == []
    both = duties(("A", "grid_head", "W1", 1, MAY, JULY), ("A", "grid_head", "W2", 1, JUNE, None))
    detail = (
        "grid_head, rank 1: 甲 (W1) and 乙 (W2), from 2026-06-01 00:00 UTC to 2026-07-01 00:00 UTC"
    )
    assert said(ask(find_doubles_in_duty, both, since=MAY)) == [("A", "post_double", detail)]
    assert said(ask(find_doubles_in_duty, both, at=JUNE)) == [("A", "post_double", detail)]
    assert said(ask(find_doubles_in_duty, both, at=JULY)) == []


def test_several_grid_workers_are_fine_but_not_one_person_twice_nor_two_of_one_rank():
    table = duties(
        ("A", "grid_worker", "W1", 1, MAY, None),
        ("A", "grid_worker", "W2", 1, MAY, None),
        ("A", "grid_worker", "W3", 2, MAY, None),
        ("B", "grid_worker", "W1", 1, MAY, None),
    )
    assert said(ask(find_doubles_in_duty, table)) == []
    more = duties(
        ("A", "grid_worker", "W1", 1, MAY, None),
        ("A", "grid_worker", "W1", 1, JUNE, None),
        ("B", "grid_worker", "W2", 2, MAY, None),
        ("B", "grid_worker", "W3", 2, MAY, None),
    )
    assert [row[2].split(", from")[0] for row in said(ask(find_doubles_in_duty, more))] == [
        "grid_worker, rank 1: 甲 (W1) twice",
        "grid_worker, rank 2: 乙 (W2) and 丙 (W3)",
    ]


def test_without_duties_the_units_of_workers_are_checked():
    staff = workers({"W1": ("grid_head", "A"), "W2": ("grid_head", "A"), "W3": ("grid_worker", "A"),
                     "W4": ("grid_worker", "A")})  # fmt: skip
    problems = check_duties(None, staff, divisions(), grids(), at=JULY)
    assert said(problems) == [
        ("B", "post_vacant", "grid_head: nobody yet"),
        ("B", "post_vacant", "grid_worker: nobody yet"),
        ("A", "post_double", "grid_head, rank 1: 甲 (W1) and 乙 (W2), without dates"),
    ]


def test_rows_that_mean_nothing_are_named_by_their_id_and_row():
    table = duties(
        HEAD_A,
        ("B", "grid_head", "W2", 1, MAY, None),
        ("Z", "grid_head", "W3", 1, MAY, None),
        ("B", "assistant", "W9", 1, MAY, None),
        ("B", "assistant", "W4", 1, JULY, JUNE),
        ("C", "assistant", "W4", 1, MAY, None),
    )
    problems = ask(check_duties, table)
    problems = problems[problems["row"].notna()]
    assert [(*row[:2], n) for row, n in zip(said(problems), problems["row"], strict=True)] == [
        ("U2", "unknown_unit", 2),
        ("U3", "unknown_worker", 3),
        ("U4", "duty_dates", 4),
        ("U5", "unknown_unit", 5),
    ]
    assert "which ended on 2026-06-01" in problems["detail"].iloc[3]
    assert problems["severity"].tolist() == ["warning", "error", "error", "warning"]


def test_the_table_has_the_shape_of_every_table_of_problems():
    empty = ask(find_doubles_in_duty, duties(HEAD_A))
    full = ask(find_gaps_in_duty, duties(HEAD_A))
    pattern = make_problems("grids", "gap", ["A"])
    for problems in (empty, full):
        assert problems.dtypes.astype(str).to_dict() == pattern.dtypes.astype(str).to_dict()
        assert problems.crs == pattern.crs
    assert set(full["reason"]) <= set(DUTY_REASONS)


def test_a_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(InputError, match="later than at"):
        ask(find_gaps_in_duty, duties(HEAD_A), since=AUGUST)


MOMENTS = st.integers(0, 8).map(lambda k: MAY + timedelta(days=k))
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from(["grid_head", "grid_worker", "fire"]),
        st.sampled_from([f"W{k}" for k in range(1, 7)]),
        st.integers(1, 2),
        MOMENTS,
        st.one_of(st.none(), MOMENTS),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, MOMENTS, st.integers(0, 5))
def test_checks_say_what_a_look_at_every_quarter_day_says(rows, at, days):
    """The slow way: look at each post at each moment of the window."""
    table, since = duties(*rows), at - timedelta(days=days)
    step = timedelta(hours=6)
    moments = [since + step * k for k in range(int((at - since) / step) + 1)]

    def holders(unit, role, moment):
        return [
            who for u, r, who, rank, begin, end in rows
            if (u, r, rank) == (unit, role, 1) and begin <= moment and (not end or moment < end)
        ]  # fmt: skip

    units = [u for u in "ABC" if u != "C" or at < JUNE]
    used = {row[1] for row in rows}
    vacant = {(u, r) for u in units for r in used if not holders(u, r, at)}
    found = find_gaps_in_duty(table, workers(), divisions(), grids(), at=at, since=since)
    is_vacant = found[found["reason"] == "post_vacant"]
    got = {(i, d.split(":")[0]) for i, d in zip(is_vacant["id"], is_vacant["detail"], strict=True)}
    assert got == vacant
    double = {
        (u, r) for u in "ABC" for r in ("grid_head", "fire") for m in moments
        if len(holders(u, r, m)) > 1
    }  # fmt: skip
    found = find_doubles_in_duty(table, workers(), divisions(), grids(), at=at, since=since)
    first = found[found["detail"].str.contains(", rank 1:")]
    got = {(i, d.split(",")[0]) for i, d in zip(first["id"], first["detail"], strict=True)}
    assert {pair for pair in got if pair[1] != "grid_worker"} == double
    index = ChainIndex(table, workers(), divisions(), grids())
    now = {
        (p.unit_code, p.role) for u in "ABC" for p in index.chain(u, at=at).step("grid").posts
        if p.is_double
    }  # fmt: skip
    assert now == {pair for pair in double if len(holders(*pair, at)) > 1}
