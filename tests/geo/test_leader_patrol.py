"""Patrols of a period: days and grids that nobody can vouch for are left out, and never zero."""

from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.compare import Boundary
from geo.leader import DayPatrol, patrols_of_units, sum_patrols

METRES = ["street_m", "covered_m"]
ROUNDS = ["required", "done", "unknown"]


def boundary(zones: gpd.GeoDataFrame | None = None) -> Boundary:
    """Streets S1 with the grids a and b, S2 with c."""
    names = ["a", "b", "c"]
    grids = gpd.GeoDataFrame(
        {"community_code": ["S1", "S1", "S2"], "kind": "base"},
        index=pd.Index(names, name="grid_id"),
        geometry=[shapely.box(k, 0, k + 1, 1) for k in range(3)],
        crs="EPSG:4326",
    )
    rows = [("S1", "community", "一", None), ("S2", "community", "二", None)]
    divisions = pd.DataFrame(rows, columns=["code", "level", "name", "parent_code"])
    return Boundary(grids, divisions.set_index("code"), zones)


def day(number: int, rows: dict[str, tuple[float, float, int, int, int]]) -> DayPatrol:
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*METRES, *ROUNDS])
    return DayPatrol(date(2026, 11, number), table)


def test_two_days_by_hand() -> None:
    # On the 2nd nobody of grid b was heard: its streets of that day are unknown, its rounds told.
    days = [
        day(1, {"a": (100, 50, 3, 3, 0), "b": (200, 100, 3, 1, 1), "c": (80, 80, 3, 2, 0)}),
        day(2, {"a": (100, 100, 3, 2, 0), "b": (200, np.nan, 3, 0, 3), "c": (80, 0, 3, 0, 0)}),
    ]
    found = sum_patrols(days, wanted=5, waiting=1)
    assert (found.days, found.wanted, found.waiting) == ((days[0].day, days[1].day), 5, 1)
    units = patrols_of_units(found, boundary(), "community")
    assert units.loc["S1", "covered_share"] == pytest.approx((50 + 100 + 100) / (100 + 100 + 200))
    assert units.loc["S2", "covered_share"] == pytest.approx(0.5)
    assert units["rounds_required"].tolist() == [12, 6]
    assert units["rounds_done"].tolist() == [6, 2]
    assert units["rounds_unknown"].tolist() == [4, 0]
    coverage = found.coverage
    assert coverage is not None
    assert coverage.loc["b"].tolist() == [100, 200]


def test_a_period_without_tracks_is_unknown() -> None:
    found = sum_patrols([], wanted=30)
    assert found.coverage is None
    assert patrols_of_units(found, boundary(), "community").isna().all(axis=None)


def test_zones_are_no_sums_of_grids() -> None:
    zones = gpd.GeoDataFrame(
        {"kind": ["campus"], "name": ["校园"]}, index=pd.Index(["z"], name="zone_id"),
        geometry=[shapely.box(0, 0, 0.5, 0.5)], crs="EPSG:4326",
    )  # fmt: skip
    found = sum_patrols([day(1, {"a": (100, 50, 3, 3, 0)})], wanted=1)
    assert patrols_of_units(found, boundary(zones), "zones:campus").isna().all(axis=None)


FIGURES = st.tuples(
    st.floats(0, 1e4), st.one_of(st.just(np.nan), st.floats(0, 1e4)), *[st.integers(0, 9)] * 3
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcx"), FIGURES, min_size=1), max_size=4))
def test_units_add_up_and_a_slow_twin_agrees(days: list[dict[str, tuple[float, ...]]]) -> None:
    """Grid x is gone from the boundary: it is in no unit."""
    found = sum_patrols(
        [day(k + 1, rows) for k, rows in enumerate(days)],  # type: ignore[arg-type]
        wanted=len(days),
    )
    units = patrols_of_units(found, boundary(), "community")
    of_unit = {"a": "S1", "b": "S1", "c": "S2"}
    for code in ("S1", "S2"):
        mine = [
            figures for rows in days for grid, figures in rows.items() if of_unit.get(grid) == code
        ]
        streets = sum(one[0] for one in mine if one[1] == one[1])
        covered = sum(one[1] for one in mine if one[1] == one[1])
        if not days:
            assert units.loc[code].isna().all()
            continue
        assert units.loc[code, "street_m"] == pytest.approx(streets)
        assert units.loc[code, "covered_m"] == pytest.approx(covered)
        assert units.loc[code, "rounds_required"] == sum(one[2] for one in mine)
