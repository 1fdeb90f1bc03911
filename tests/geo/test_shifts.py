"""Rounds are counted so that everything adds up, at every level, whatever became of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError
from geo.rounds import STATUSES
from geo.shifts import (
    COMING,
    COUNTS,
    ENDED,
    LEAST_ROUNDS,
    NO_UNIT,
    add_shares,
    count_shifts,
    share_people,
    sum_counts,
    unit_of,
)


def rounds(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["grid_id", "date", "shift", "status"])


BOARD = rounds(
    ("A", "2026-11-20", "morning", "done"),
    ("A", "2026-11-20", "noon", "missed"),
    ("A", "2026-11-20", "evening", "unknown"),
    ("B", "2026-11-20", "morning", "partly"),
    ("B", "2026-11-20", "noon", "vacant"),
    ("B", "2026-11-20", "evening", "running"),
    ("C", "2026-11-20", "morning", "done"),
    ("C", "2026-11-20", "noon", "done"),
    ("C", "2026-11-20", "evening", "ahead"),
)
"""Grids A and B lie in community x, C in none."""

UNITS = pd.Series({"A": "x", "B": "x", "C": None})


def test_each_grid_has_the_rounds_that_were_drawn_for_it() -> None:
    counts = count_shifts(BOARD)
    assert counts.loc["A"].tolist() == [3, 1, 0, 1, 1, 0, 0, 0]
    assert counts.loc["B"].tolist() == [2, 0, 1, 0, 0, 1, 1, 0]
    assert counts.loc["C"].tolist() == [2, 2, 0, 0, 0, 0, 0, 1]
    assert counts.columns.tolist() == list(COUNTS)


def test_grids_without_a_unit_are_counted_under_the_empty_code() -> None:
    counts = count_shifts(BOARD, ["unit"], units=UNITS)
    assert counts["required"].to_dict() == {"x": 5, NO_UNIT: 2}
    assert unit_of(pd.Series(["C", "A", "Z"]), UNITS).tolist() == [NO_UNIT, "x", NO_UNIT]


def test_a_share_of_what_was_done_leaves_out_what_is_not_known() -> None:
    shares = add_shares(count_shifts(BOARD))
    assert shares.loc["A", ["known", "done_share", "unknown_share"]].tolist() == [2, 0.5, 1 / 3]
    nothing = add_shares(count_shifts(rounds(("D", "2026-11-20", "noon", "unknown"))))
    assert np.isnan(nothing["done_share"].item())
    assert nothing["unknown_share"].item() == 1.0
    ahead = add_shares(count_shifts(rounds(("D", "2026-11-20", "noon", "ahead"))))
    assert np.isnan(ahead["unknown_share"].item())


def test_a_month_is_counted_by_unit_and_day() -> None:
    two = pd.concat([BOARD, BOARD.assign(date="2026-11-21", status="done")])
    counts = count_shifts(two, ["unit", "date"], units=UNITS)
    assert counts.loc[("x", "2026-11-20"), "done"] == 1
    assert counts.loc[("x", "2026-11-21"), "done"] == 6


def test_a_table_without_a_status_is_refused_by_name() -> None:
    with pytest.raises(ColumnError, match="rounds lack status"):
        count_shifts(BOARD.drop(columns="status"))


def test_no_rounds_are_a_table_without_rows() -> None:
    empty = BOARD.iloc[:0]
    assert count_shifts(empty).columns.tolist() == list(COUNTS)
    assert count_shifts(empty, ["grid_id", "date"]).empty
    assert sum_counts(count_shifts(empty))["required"] == 0


def test_people_are_compared_by_shares_and_not_at_all_on_few_rounds() -> None:
    many = rounds(
        *[("A", f"2026-11-{day:02d}", "noon", "done") for day in range(1, LEAST_ROUNDS)],
        ("A", "2026-11-20", "noon", "missed"),
        ("A", "2026-11-21", "noon", "unknown"),
        *[("B", f"2026-11-{day:02d}", "noon", "done") for day in range(1, LEAST_ROUNDS)],
    )
    shares = share_people(many, pd.Series({"w1": "A", "w2": "B", "w3": "nowhere"}))
    assert shares.loc["w1", "done_share"] == 0.9
    assert shares.loc["w1", "unknown_share"] == 1 / 11
    assert not shares.loc["w1", "is_few"]
    assert shares.loc["w2", "is_few"]
    assert np.isnan(shares.loc["w2", "done_share"])
    assert shares.loc["w3", "known"] == 0


GENERATED = st.lists(
    st.tuples(
        st.sampled_from("ABCDEF"),
        st.sampled_from(["2026-11-20", "2026-11-21"]),
        st.sampled_from(["morning", "noon"]),
        st.sampled_from(STATUSES),
    ),
    max_size=60,
)
LEVELS = st.dictionaries(st.sampled_from("ABCDEF"), st.sampled_from(["x", "y", None]))


@settings(max_examples=60, deadline=None)
@given(GENERATED, LEVELS)
def test_the_parts_add_up_to_what_is_required_at_every_level(
    rows: list[tuple[str, str, str, str]], units: dict[str, str | None]
) -> None:
    table = rounds(*rows)
    above = pd.Series(units, dtype=object)
    whole = pd.Series([row[3] for row in rows]).value_counts()
    for by in (["grid_id"], ["unit"], ["shift"], ["unit", "date"], ["grid_id", "date"]):
        counts = count_shifts(table, by, units=above)
        assert (counts["required"] == counts[list(ENDED)].sum(axis=1)).all()
        total = sum_counts(counts)
        assert total["required"] == sum(total[name] for name in ENDED)
        assert {k: int(total[k]) for k in (*ENDED, *COMING)} == {
            k: int(whole.get(k, 0)) for k in (*ENDED, *COMING)
        }
        shares = add_shares(counts)
        known = shares["done_share"].dropna()
        assert ((known >= 0) & (known <= 1)).all()


@settings(max_examples=60, deadline=None)
@given(GENERATED, LEVELS)
def test_a_unit_counts_what_its_grids_count(
    rows: list[tuple[str, str, str, str]], units: dict[str, str | None]
) -> None:
    table, above = rounds(*rows), pd.Series(units, dtype=object)
    by_grid = count_shifts(table)
    by_unit = count_shifts(table, ["unit"], units=above)
    for code, row in by_unit.iterrows():
        of_unit = [g for g in by_grid.index if (units.get(g) or NO_UNIT) == code]
        assert row.tolist() == by_grid.loc[of_unit].sum().tolist()
