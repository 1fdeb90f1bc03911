"""Nobody can be recognised by a figure, and what is shown still adds up."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.disclosure import HIDDEN, find_small, fold_small, hide_units

COUNTS = st.lists(st.integers(0, 12), min_size=1, max_size=12)


def test_a_single_small_unit_takes_the_next_smallest_along() -> None:
    counts = pd.Series({"a": 3, "b": 40, "c": 7, "d": 0})
    assert list(find_small(counts, 5)) == ["a", "c"]
    assert list(find_small(counts, 1)) == []


@given(COUNTS, st.integers(2, 8))
def test_what_is_hidden_cannot_be_worked_out_from_the_total(counts: list[int], least: int) -> None:
    told = pd.Series(counts)
    hidden = find_small(told, least)
    assert ((told.drop(hidden) == 0) | (told.drop(hidden) >= least)).all()
    # One unit alone may only be missing if there is no other that could go with it.
    if len(hidden) == 1:
        assert (told.drop(hidden) == 0).all()


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        # Two ones are a sum of two; two fours one of eight: each would be told.
        ([1, 1, 9, 30], [0, 1, 2]),
        ([4, 4, 9, 30], [0, 1, 2]),
        ([2, 3, 9, 30], [0, 1]),
        # One and two are three, itself a small group.
        ([1, 2, 9, 30], [0, 1, 2]),
        # One and five are six, and five is the least that goes along.
        ([1, 5, 9, 30], [0, 1, 2]),
        # Four and nine are thirteen, and nine is the most that goes along: it is shown again.
        ([4, 9, 9, 30], [0, 1, 2]),
        ([1, 1], [0, 1]),
    ],
)
def test_a_sum_that_tells_its_parts_takes_the_next_along(counts, hidden) -> None:
    assert list(find_small(pd.Series(counts), 5)) == hidden


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(3, 5))
def test_every_small_count_could_be_another_one(counts: list[int], least: int) -> None:
    """All numbers that fit what is known, tried one by one."""
    told = pd.Series(counts)
    hidden = told[find_small(told, least)]
    shown = told.drop(hidden.index)
    shown = shown[shown > 0]
    if not len(hidden) or not len(shown):
        return
    spans = [
        range(1, least) if value < least else range(least, int(shown.min()) + 1) for value in hidden
    ]
    fits = [parts for parts in product(*spans) if sum(parts) == hidden.sum()]
    assert tuple(hidden) in fits
    for k, value in enumerate(hidden):
        if value < least:
            assert len({parts[k] for parts in fits}) > 1


def test_the_total_of_a_parent_does_not_tell_a_hidden_child() -> None:
    """Two communities: the 2 of `a` alone would be the total of C1 less what is seen."""
    counts = pd.Series({"a": 2, "b": 40, "c": 3, "d": 50, "e": 60})
    parents = pd.DataFrame({"community": ["C1", "C1", "C2", "C2", "C2"]}, index=counts.index)
    assert list(find_small(counts, 5)) == ["a", "c"]
    assert list(find_small(counts, 5, parents)) == ["a", "b", "c", "d"]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ABC"), st.sampled_from("XY")),
             min_size=1, max_size=12),
    st.integers(2, 6),
)  # fmt: skip
def test_what_is_missing_under_any_parent_is_two_or_more_and_no_small_group(rows, least) -> None:
    table = pd.DataFrame(rows, columns=["n", "low", "high"])
    hidden = table.index.isin(find_small(table["n"], least, table[["low", "high"]]))
    for name in ("low", "high"):
        for _, group in table.assign(hidden=hidden).groupby(name):
            gone, shown = group[group["hidden"]], group[~group["hidden"] & (group["n"] > 0)]
            assert (shown["n"] >= least).all()
            # Fewer only where a parent has nothing more that could go.
            if len(gone) and len(shown):
                assert len(gone) >= 2
                assert gone["n"].sum() >= least


@given(COUNTS, st.integers(2, 8))
def test_folded_rows_add_up_to_the_same_total(counts: list[int], least: int) -> None:
    rows = pd.DataFrame({"reported": counts, "open": [n // 2 for n in counts]})
    rows.index = [f"c{k}" for k in rows.index]
    table = pd.concat([rows, rows.sum().to_frame("(total)").T])
    found = fold_small(table, "reported", least, into="(other)")
    assert (found.iloc[:-1].sum() == table.iloc[-1]).all()
    assert (found.iloc[-1] == table.iloc[-1]).all()
    shown = found.drop(index="(total)")["reported"]
    alone = shown.drop("(other)", errors="ignore")
    assert ((alone == 0) | (alone >= least)).all()
    if shown.get("(other)", least) < least:
        assert len(alone[alone > 0]) == 0


def test_every_figure_of_a_small_unit_goes() -> None:
    table = pd.DataFrame(
        {
            "name": ["甲", "乙", "丙"], "now": [3, 50, 60], "then": [30, 40, 70],
            "change": [-0.9, 0.25, -0.1], "verdict": ["fell", "rose", "no_clear_change"],
            "own_scatter": [True, True, False],
        },
        index=["a", "b", "c"],
    )  # fmt: skip
    found = hide_units(table, ("now", "then"), 5)
    assert list(found["name"]) == ["甲", "乙", "丙"]
    assert list(found["verdict"]) == [HIDDEN, HIDDEN, "no_clear_change"]
    assert np.isnan(found.loc[["a", "b"], ["now", "then", "change"]]).to_numpy().all()
    assert list(found.loc["c", ["now", "then", "change"]]) == [60, 70, -0.1]
    assert hide_units(table, ("now", "then"), 0).equals(table)
