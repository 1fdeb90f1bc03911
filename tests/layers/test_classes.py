"""Classes of values: equal size, round starts, equal values alike, unknown never zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.classes import find_classes, roundest

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 4))
VALUES = st.lists(NUMBERS, min_size=1, max_size=200)
REPEATED = st.lists(st.integers(-5, 40), min_size=1, max_size=200)


def test_households_of_200_to_300_get_round_classes_of_even_size():
    values = np.arange(200, 320)
    classes = find_classes(values, most=6)
    assert classes.starts == (200.0, 220.0, 240.0, 260.0, 280.0, 300.0)
    assert np.bincount(classes.assign(values)).tolist() == [20] * 6
    assert classes.labels() == ("< 220", "220–239", "240–259", "260–279", "280–299", "≥ 300")


def test_many_zeros_are_a_class_of_their_own():
    classes = find_classes([0] * 80 + list(range(1, 41)), most=4)
    assert classes.labels()[0] == "0"
    assert np.bincount(classes.assign([0, 0, 1, 40])).tolist()[0] == 2


def test_two_distinct_values_have_two_classes_and_missing_has_none():
    classes = find_classes([1.0, 2.0, 2.0, np.nan])
    assert classes.labels() == ("1", "2")
    assert classes.assign([1.0, 2.0, 2.0, np.nan, np.inf]).tolist() == [0, 1, 1, -1, -1]


def test_missing_integers_of_pandas_are_no_data():
    values = pd.Series([3, None, 4], dtype="Int64")
    assert find_classes(values).assign(values).tolist() == [0, -1, 1]


def test_no_value_gives_no_class():
    classes = find_classes([np.nan, np.nan])
    assert len(classes) == 0
    assert classes.labels() == ()
    assert classes.assign([np.nan, 3.0]).tolist() == [-1, -1]


def test_labels_from_a_hundred_thousand_on_are_short_in_chinese():
    classes = find_classes(np.linspace(0, 1_200_000, 601).round(), most=3)
    assert classes.labels("zh") == ("0–50万", "50万–80万", "≥ 80万")
    assert classes.labels("en") == ("0–500,000", "500,000–800,000", "≥ 800,000")


def test_shares_have_labels_without_noise():
    classes = find_classes(np.linspace(0, 0.3, 301), most=3)
    assert classes.labels() == ("< 0.1", "0.1–0.2", "≥ 0.2")


def test_more_than_nine_classes_are_refused():
    with pytest.raises(ValueError, match="1 to 9 classes"):
        find_classes([1, 2], most=10)


@pytest.mark.parametrize(
    ("above", "upto", "near", "answer"),
    [
        (187, 214, 200, 200),
        (190, 199, 195, 195),
        (0.031, 0.038, 0.034, 0.035),
        (-3, 5, 1, 0),
        (-27, -18, -22, -20),
        (99, 100, 99.5, 100),
        (100, 101, 100.5, 101),
        (1.1e-7, 1.3e-7, 1.2e-7, 1.2e-7),
    ],
)
def test_the_roundest_number_of_a_range(above, upto, near, answer):
    assert roundest(above, upto, near=near) == answer


@settings(deadline=None)
@given(VALUES | REPEATED, st.integers(1, 9))
def test_every_value_is_in_the_class_that_starts_at_or_below_it(values, most):
    classes = find_classes(values, most=most)
    codes = classes.assign(values)
    assert 1 <= len(classes) <= most
    assert list(classes.starts) == sorted(set(classes.starts))
    for value, code in zip(values, codes, strict=True):
        assert code >= 0
        assert code == 0 or classes.starts[code] <= value
        assert code == len(classes) - 1 or value < classes.starts[code + 1]


@settings(deadline=None)
@given(VALUES | REPEATED, st.integers(1, 9))
def test_no_class_is_empty_and_few_values_have_a_class_each(values, most):
    classes = find_classes(values, most=most)
    distinct = len(set(values))
    assert len(np.unique(classes.assign(values))) == len(classes)
    assert len(classes) == distinct if distinct <= most else len(classes) > 1 or most == 1


@settings(deadline=None)
@given(REPEATED, st.randoms(use_true_random=False))
def test_the_order_of_the_values_and_missing_ones_change_nothing(values, random):
    mixed = [*values, float("nan")]
    random.shuffle(mixed)
    assert find_classes(mixed) == find_classes(values)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=60, max_size=300, unique=True))
def test_classes_of_distinct_values_are_about_equal(values):
    classes = find_classes(values, most=6)
    sizes = np.bincount(classes.assign(values))
    assert len(classes) == 6
    even = len(values) / 6
    # Both ends of a class may move by 0.35 of its even part, to start at a round number.
    assert sizes.min() >= 0.3 * even - 1
    assert sizes.max() <= 1.9 * even + 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 99_999), min_size=20, max_size=200))
def test_labels_are_all_different(values):
    labels = find_classes(values).labels()
    assert len(set(labels)) == len(labels)


def test_counts_are_cut_at_whole_numbers_only():
    """Streets with 31 to 174 cases: half a case is no place to begin a class."""
    counts = [31, 52, 52, 53, 54, 57, 60, 60, 65, 69, 72, 78, 85, 174]
    classes = find_classes(counts)
    assert all(start == int(start) for start in classes.starts)
    assert not any("." in label for label in classes.labels("zh"))
    halves = find_classes([value + 0.25 for value in counts])
    assert any(start != int(start) for start in halves.starts)
