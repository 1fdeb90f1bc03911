"""A leader's figures: rows add up to what was clicked, and what is unknown is no zero."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.compare import Boundary
from geo.deadlines import CHINA
from geo.errors import CodeError, InputError
from geo.io.case_columns import CaseColumns, case_columns
from geo.leader import (
    TREND_WEEKS,
    EmptyCityError,
    LeaderChoice,
    cases_in,
    find_periods,
    read_view,
)

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def boundary() -> Boundary:
    """Two streets; S1 has the communities A and B, S2 has C; one grid each, side by side:

    A B C
    """
    names = ["A", "B", "C"]
    grids = gpd.GeoDataFrame(
        {"community_code": names, "households": [300, 200, 500], "version": 1, "kind": "base"},
        index=pd.Index([f"{name}1" for name in names], name="grid_id"),
        geometry=[shapely.box(k, 0, k + 1, 1) for k in range(3)],
        crs="EPSG:4326",
    )
    rows = [
        ("city", "city", "城", None), ("S1", "street", "一街", "city"),
        ("S2", "street", "二街", "city"), ("A", "community", "甲", "S1"),
        ("B", "community", "乙", "S1"), ("C", "community", "丙", "S2"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["code", "level", "name", "parent_code"])
    divisions = gpd.GeoDataFrame(
        table.set_index("code"), geometry=[None] * len(rows), crs="EPSG:4326"
    )
    return Boundary(grids, divisions)


def cases_at(lon: list[float], day: list[int], seed: int = 0) -> CaseColumns:
    """A case a place, `day` days before NOW; some have no place."""
    moments = [pd.Timestamp(NOW) - pd.Timedelta(days=d, hours=1) for d in day]
    rng = np.random.default_rng(seed)
    stages = rng.choice(["closed", "handling", "opened"], len(lon))
    frame = pd.DataFrame(
        {
            "class_code": rng.choice(["E0101", "E0102"], len(lon)),
            "lon": lon, "lat": np.where(np.isnan(lon), np.nan, 0.5),
            "reported_at": moments, "stage": stages,
            "deadline": [at + pd.Timedelta(days=2) for at in moments],
            "closed_at": pd.Series(moments).where(stages == "closed").tolist(),
        },
        index=pd.Index([f"c{k}" for k in range(len(lon))], name="incident_id"),
    )  # fmt: skip
    return case_columns(frame)


PLACES = st.lists(
    st.tuples(st.sampled_from([0.5, 1.5, 2.5, 9.0, float("nan")]), st.integers(0, 420)),
    min_size=1, max_size=60,
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(PLACES)
def test_rows_add_up_to_the_row_that_was_clicked(found: list[tuple[float, int]]) -> None:
    cases = cases_at([x for x, _ in found], [day for _, day in found])
    ground = boundary()
    top = read_view(cases, ground, LeaderChoice(), at=NOW, calendar=CHINA)
    assert top.level == "street"
    columns = ["now", "then", "open", "overdue"]
    sums = top.units[columns].sum() + top.beside[columns].sum()
    days = [(NOW - pd.Timedelta(days=day, hours=1)).astimezone(ZONE) for _, day in found]
    inside = sum((day.year, day.month) == (2026, 11) for day in days)
    # A month without a single record of the city is unknown in every row, and never zero.
    told = [name for name in columns if top.total[name] == top.total[name]]
    assert ("now" in told) == bool(inside)
    assert {"open", "overdue"} <= set(told)
    for name in set(columns) - set(told):
        assert top.units[name].isna().all()
    columns = told
    assert (sums[columns] == top.total[columns].astype(float)).all()
    assert not inside or top.total["now"] == inside
    assert sum(count for _, count in top.held) == inside
    assert dict(top.levels) == {"city": 1, "street": 2, "community": 3, "grid": 3}
    below = read_view(cases, ground, LeaderChoice(area="S1"), at=NOW, calendar=CHINA)
    assert below.level == "community"
    assert dict(below.levels) == {"community": 2, "grid": 2}
    mask = cases_in(cases, ground, "S1")
    assert mask is not None
    assert (mask == ((cases.lon == 0.5) | (cases.lon == 1.5))).all()
    assert cases_in(cases, ground, "") is None
    assert set(below.units.index) == {"A", "B"}
    assert [step.code for step in below.path] == ["city", "S1"]
    for column in columns:
        assert below.total[column] == top.units.loc["S1", column]
        assert below.units[column].sum() == top.units.loc["S1", column]


@settings(max_examples=15, deadline=None)
@given(PLACES)
def test_weeks_of_which_nothing_is_known_are_missing(found: list[tuple[float, int]]) -> None:
    cases = cases_at([x for x, _ in found], [day for _, day in found])
    view = read_view(cases, boundary(), LeaderChoice(), at=NOW, calendar=CHINA)
    assert view.trend.shape[1] == TREND_WEEKS
    monday = pd.Timestamp("2026-11-16")
    assert view.weeks[-1] == monday - pd.Timedelta(weeks=1)
    for k, start in enumerate(view.weeks):
        days = [(NOW - pd.Timedelta(days=d, hours=1)).astimezone(ZONE).date() for _, d in found]
        inside = [start.date() <= day < (start + pd.Timedelta(weeks=1)).date() for day in days]
        column = view.trend.iloc[:, k]
        assert column.isna().all() if not any(inside) else column["(total)"] == sum(inside)


def test_the_other_comparison_stands_beside_the_chosen_one() -> None:
    cases = cases_at([0.5] * 40 + [0.5] * 10, [5] * 40 + [5 + 365] * 10)
    first = read_view(cases, boundary(), LeaderChoice(), at=NOW, calendar=CHINA)
    second = read_view(
        cases, boundary(), LeaderChoice(against="last_period"), at=NOW, calendar=CHINA
    )
    assert first.units.loc["S1", "now"] == 40
    assert first.units.loc["S1", "then"] == 10
    assert np.isnan(second.units.loc["S1", "then"])
    assert set(second.units["verdict"]) == {"unknown"}
    assert "then_without_records" in second.comparison.notes
    assert second.units.loc["S1", "other_change"] == first.units.loc["S1", "change"]


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (LeaderChoice(area="X9"), "no division X9"),
        (LeaderChoice(level="nation"), "no level 'nation'"),
        (LeaderChoice("span", date(2026, 5, 2), date(2026, 5, 1)), "before it begins"),
        (LeaderChoice("span", date(2026, 5, 2)), "give both"),
    ],
)
def test_a_choice_that_cannot_be_is_named(choice: LeaderChoice, word: str) -> None:
    with pytest.raises((CodeError, InputError), match=word):
        read_view(cases_at([0.5], [3]), boundary(), choice, at=NOW, calendar=CHINA)


def test_a_period_without_records_is_unknown_and_never_zero() -> None:
    cases = cases_at([0.5] * 9, [3] * 9)
    choice = LeaderChoice("month", date(2024, 5, 1))
    view = read_view(cases, boundary(), choice, at=NOW, calendar=CHINA)
    assert (view.units["verdict"] == "unknown").all()
    now, then = find_periods(choice, ZONE, NOW)
    assert (now.first, then.first) == (date(2024, 5, 1), date(2023, 5, 1))


def test_a_city_of_one_grid_has_one_row() -> None:
    ground = boundary()
    one = Boundary(ground.grids.iloc[:1], None)
    view = read_view(cases_at([0.5, 9.0], [2, 2]), one, LeaderChoice(), at=NOW, calendar=CHINA)
    assert (view.level, list(view.units.index)) == ("grid", ["A1"])
    assert view.total["now"] == 2


def test_a_unit_without_records_has_no_rank_and_the_total_has_its_rate() -> None:
    cases = cases_at([0.5] * 9, [3] * 9)
    past = read_view(cases, boundary(), LeaderChoice("month", date(2024, 5, 1)), at=NOW,
                     calendar=CHINA)  # fmt: skip
    assert past.units["rank"].isna().all()
    view = read_view(cases, boundary(), LeaderChoice(), at=NOW, calendar=CHINA)
    assert view.total["households"] == 1000
    assert view.total["per_1000_now"] == pytest.approx(9.0)


@pytest.mark.parametrize(
    "choice",
    [
        LeaderChoice("week", date(1, 1, 1)), LeaderChoice("month", date(9999, 12, 31)),
        LeaderChoice("span", date(1980, 1, 1), date(2026, 1, 1)),
    ],
)  # fmt: skip
def test_days_beyond_all_reach_are_refused(choice: LeaderChoice) -> None:
    with pytest.raises(InputError, match=r"out of reach|ten years"):
        find_periods(choice, ZONE, NOW)


def test_a_city_without_anything_says_so() -> None:
    ground = boundary()
    nothing = Boundary(ground.grids.iloc[:0], None)
    with pytest.raises(EmptyCityError, match="import them first"):
        read_view(cases_at([0.5], [2]), nothing, LeaderChoice(), at=NOW, calendar=CHINA)
