"""The balance chart: who is out of the band has a shape of its own, and the farthest a name."""

import re

import pytest

from layers.balance import NAMED, Bar, balance_chart

WORDS = {"title": "均衡", "band": "200–500 户", "empty": "没有网格"}


def test_each_grid_is_drawn_once_by_where_it_stands() -> None:
    bars = [Bar(f"格{k}", value) for k, value in enumerate([150, 250, 300, 500, 650])]
    text = balance_chart(bars, [200, 250, 300, 400, 500], (200, 500), WORDS)
    assert len(re.findall("bc-in", text)) == 3
    assert len(re.findall('class="bc-low"', text)) == len(re.findall('class="bc-high"', text)) == 1
    assert "格0 150" in text
    assert "格4 650" in text
    assert "格1" not in text


def test_only_the_farthest_have_names() -> None:
    bars = [Bar(f"格{k:02d}", 10 + k) for k in range(20)]
    text = balance_chart(bars, [], (200, 500), WORDS)
    assert re.findall(r"格\d\d", text) == [f"格{k:02d}" for k in range(NAMED)]


@pytest.mark.parametrize("top", [1, 7, 90, 1_000, 65_000])
def test_there_are_a_few_round_lines_at_any_size(top: int) -> None:
    text = balance_chart([Bar("甲", top)], [top], (0, top), WORDS)
    lines = [
        int(value.replace(",", "")) for value in re.findall(r'text-anchor="end">([\d,]+)<', text)
    ]
    assert 2 <= len(lines) <= 7
    assert lines[0] == 0


def test_no_grid_with_a_band_is_said() -> None:
    assert "没有网格" in balance_chart([], [], (200, 500), WORDS)


def test_a_name_is_text() -> None:
    text = balance_chart([Bar("<b>甲</b>", 10)], [], (200, 500), WORDS)
    assert "<b>甲" not in text
