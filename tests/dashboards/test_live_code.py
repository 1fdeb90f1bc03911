"""Positions as few bytes: what is packed comes back, and stays small."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.live_code import pack_positions, to_micro, unpack_positions

PLACES = st.lists(
    st.tuples(
        st.integers(0, 70_000),
        st.floats(-180, 180),
        st.floats(-90, 90),
        st.integers(0, 4_000_000_000),
    ),
    max_size=40,
    unique_by=lambda row: row[0],
)


def packed(*rows: tuple[int, float, float, int]) -> dict[str, object]:
    slots, lon, lat, seconds = (np.array(column) for column in zip(*rows, strict=True))
    return pack_positions(slots, lon.astype(float), lat.astype(float), seconds)


def test_two_people_take_the_bytes_that_the_drawing_says() -> None:
    """Numbers 1 and 4: gaps 1 and 2; the second is 300 millionths east, 2 north, and 7 s later.

    gaps 01 02 · east 0000 012c (two bytes, low first) · north 00 02 · seconds 00 07
    """
    told = packed((4, 114.3003, 30.500002, 1007), (1, 114.3, 30.5, 1000))
    assert told["from"] == [114_300_000, 30_500_000, 1000]
    assert told["bytes"] == [1, 2, 1, 1]
    assert base64.b64decode(str(told["data"])).hex(" ") == "01 02 00 00 2c 01 00 02 00 07"


@given(PLACES)
def test_what_is_packed_comes_back_in_the_order_of_numbers(
    rows: list[tuple[int, float, float, int]],
) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    slots, lon, lat, seconds = (
        np.array(column, dtype=kind)
        for column, kind in zip(columns, (np.int64, float, float, np.int64), strict=True)
    )
    told = json.loads(json.dumps(pack_positions(slots, lon, lat, seconds)))
    found = unpack_positions(told)
    order = np.argsort(slots)
    assert found[0].tolist() == slots[order].tolist()
    assert to_micro(found[1]).tolist() == to_micro(lon[order]).tolist()
    assert to_micro(found[2]).tolist() == to_micro(lat[order]).tolist()
    assert found[3].tolist() == seconds[order].tolist()


@given(PLACES, st.randoms())
def test_the_order_in_which_people_come_does_not_matter(
    rows: list[tuple[int, float, float, int]], rng: object
) -> None:
    if not rows:
        return
    mixed = rows.copy()
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert packed(*rows) == packed(*mixed)


def test_five_thousand_who_all_move_are_under_sixty_kilobytes() -> None:
    """Thirty kilometres wide, readings of the last four minutes."""
    rng = np.random.default_rng(1)
    told = pack_positions(
        np.arange(5000),
        rng.uniform(114.2, 114.5, 5000),
        rng.uniform(30.4, 30.7, 5000),
        rng.integers(1_795_000_000, 1_795_000_240, 5000),
    )
    assert told["bytes"] == [1, 3, 3, 1]
    assert len(json.dumps(told)) == pytest.approx(53_400, abs=200)


def test_nobody_is_no_bytes() -> None:
    none = np.zeros(0)
    told = pack_positions(none.astype(int), none, none, none.astype(int))
    assert (told["count"], told["data"]) == (0, "")
    assert [len(column) for column in unpack_positions(told)] == [0, 0, 0, 0]
