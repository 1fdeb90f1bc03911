"""What an address says of a filter, and what is left where it says nonsense."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.components.case_filter import (
    MAX_ROWS,
    SORTS,
    TABS,
    CaseFilter,
    read_filter,
    read_window,
)
from geo.incidents import OPEN_STAGES

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_an_empty_address_is_the_first_tab_newest_first() -> None:
    assert read_filter({}) == CaseFilter()
    assert (CaseFilter().tab, CaseFilter().sort, CaseFilter().descending) == (
        "collected",
        "reported",
        True,
    )


@pytest.mark.parametrize(
    ("query", "stages", "state"),
    [
        ({"tab": "collected"}, ("collected",), None),
        ({"tab": "handling"}, ("dispatched", "handling"), None),
        ({"tab": "late"}, OPEN_STAGES, "late"),
        ({"tab": "all"}, None, None),
        ({"tab": "all", "clock": "open"}, OPEN_STAGES, None),
        ({"tab": "all", "clock": "late"}, OPEN_STAGES, "late"),
        ({"tab": "all", "clock": "done"}, ("closed", "cancelled"), None),
        ({"tab": "handling", "clock": "late"}, ("dispatched", "handling"), "late"),
        ({"tab": "handling", "clock": "done"}, (), None),
    ],
)
def test_a_tab_and_a_clock_together_leave_stages(
    query: dict[str, str], stages: tuple[str, ...] | None, state: str | None
) -> None:
    found = read_filter(query)
    assert (found.stages, found.state) == (stages, state)


def test_a_tab_and_a_clock_that_contradict_each_other_leave_nothing() -> None:
    void = [{"tab": "handling", "clock": "done"}, {"tab": "late", "clock": "soon"}]
    assert [read_filter(query).is_void for query in void] == [True, True]
    assert not read_filter({"tab": "all", "clock": "soon"}).is_void


def test_days_are_days_of_the_city_and_the_last_one_counts_whole() -> None:
    found = read_filter({"from": "2026-11-20", "to": "2026-11-21"})
    assert (found.first, found.last) == (date(2026, 11, 20), date(2026, 11, 21))
    assert found.reported_between(SHANGHAI) == (
        datetime(2026, 11, 20, tzinfo=SHANGHAI),
        datetime(2026, 11, 22, tzinfo=SHANGHAI),
    )


def test_what_makes_no_sense_is_left_out() -> None:
    found = read_filter(
        {"tab": "nope", "level": "planet", "clock": "x", "from": "yesterday", "sort": "evil.asc"}
    )
    assert found == CaseFilter()


@pytest.mark.parametrize(
    ("query", "window"),
    [
        ({}, (0, 100)),
        ({"offset": "40", "limit": "20"}, (40, 20)),
        ({"offset": "-3", "limit": "0"}, (0, 1)),
        ({"offset": "x", "limit": "99999"}, (0, MAX_ROWS)),
    ],
)
def test_a_window_is_held_to_what_one_answer_may_carry(
    query: dict[str, str], window: tuple[int, int]
) -> None:
    assert read_window(query) == window


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tab": st.sampled_from([*TABS, "x"]),
            "q": TEXT,
            "class": TEXT,
            "unit": TEXT,
            "level": st.sampled_from(["grid", "city", "moon"]),
            "clock": st.sampled_from(["late", "done", "?"]),
            "from": st.dates().map(str) | TEXT,
            "to": st.dates().map(str),
            "sort": st.sampled_from([*(f"{s}.asc" for s in SORTS), "what.desc", "what", ".."]),
        },
    )
)
def test_the_address_of_a_filter_says_the_same_filter(query: dict[str, str]) -> None:
    found = read_filter(query)
    assert read_filter(found.as_query()) == found
