"""Numbers as people read them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.numbers import exact_number, format_number


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0", "0"),
        (12345, "12,345", "12,345"),
        (99_999, "99,999", "99,999"),
        (100_000, "10万", "100,000"),
        (123_456, "12.3万", "123,456"),
        (-123_456, "-12.3万", "-123,456"),
        (12_345_678, "1,235万", "12,345,678"),
        (99_999_600, "1亿", "99,999,600"),
        (1_410_000_000, "14.1亿", "1,410,000,000"),
        (0.25, "0.25", "0.25"),
        (2.0, "2", "2"),
        (96.44, "96.4", "96.4"),
        (0.00012345, "0.000123", "0.000123"),
        (1234.56, "1,235", "1,235"),
        (None, "—", "—"),
        (float("nan"), "—", "—"),
        (float("inf"), "—", "—"),
        (pd.NA, "—", "—"),
        (np.int64(7), "7", "7"),
    ],
)
def test_numbers_in_both_languages(value, zh, en):
    assert format_number(value, "zh") == zh
    assert format_number(value, "en") == en


def test_a_unit_follows_a_thin_space_and_a_per_cent_sign_none():
    assert format_number(1333, "zh", "个") == "1,333\u2009个"
    assert format_number(96.4, "zh", "%") == "96.4%"
    assert format_number(96, "zh", "%", decimals=1) == "96.0%"
    assert format_number(-0.04, "zh", decimals=1) == "0.0"
    assert format_number(None, "zh", "个") == "—"


def test_the_exact_figure_is_never_shortened():
    assert exact_number(1_410_000_000, "人") == "1,410,000,000\u2009人"
    assert exact_number(0.123456789) == "0.123457"
    assert exact_number(1234.5678) == "1,234.57"
    assert exact_number(None) == "—"


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_the_shown_number_is_near_the_real_one(value):
    text = format_number(value, "zh").replace(",", "")
    factor = {"万": 10_000, "亿": 100_000_000}.get(text[-1], 1)
    shown = float(text.rstrip("万亿")) * factor
    assert abs(shown - value) <= max(0.0051 * abs(value), 0)
