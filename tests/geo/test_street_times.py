"""Coverage as it fills in: one street of 100 m along y = 0, walked from x = 0 at 1 m/s."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import InputError
from geo.reach import StreetPieces, cut_streets, find_walks, measure_reach
from geo.replay import ReplayDay, build_replay
from geo.street_times import time_streets

DAY = datetime(2026, 11, 21, tzinfo=UTC)
CRS = "EPSG:32650"


def frame(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    """Rows of worker, second, x, y."""
    seconds = pd.to_timedelta([row[1] for row in rows], unit="s")
    return pd.DataFrame(
        {
            "worker_id": [row[0] for row in rows],
            "time": (pd.Timestamp(DAY) + seconds).astype("datetime64[us, UTC]"),
            "x": [float(row[2]) for row in rows],
            "y": [float(row[3]) for row in rows],
            "lon": 0.0,
            "lat": 0.0,
        }
    )


def day_of(rows: list[Any], **told: Any) -> ReplayDay:
    return build_replay(frame(rows), DAY, DAY + timedelta(days=1), **told)


def streets(*lines: list[tuple[float, float]]) -> StreetPieces:
    roads = GeoDataFrame(
        {"road_class": "minor"}, geometry=[shapely.LineString(line) for line in lines], crs=CRS,
        index=range(len(lines)),
    )  # fmt: skip
    grid = shapely.box(-1000, -1000, 2000, 2000)
    grids = GeoDataFrame(geometry=[grid], index=pd.Index(["g"], name="grid_id"), crs=CRS)
    return cut_streets(roads, grids)


def test_each_piece_has_the_bin_in_which_half_of_it_was_reached() -> None:
    """At 60 s one is at x = 60 and sees to 80; pieces are 0-25, 25-50, 50-75, 75-100. At the end
    of the first minute 80 m are seen, and of the last piece 5 m, which is no half."""
    walk = day_of([("w", 10 * k, 10 * k, 0) for k in range(11)], rules=())
    found = time_streets(walk, streets([(0, 0), (100, 0)]), bin_s=61, radius_m=20)
    assert found.first.tolist() == [0, 0, 0, 1]
    assert found.covered_m[:3] == pytest.approx([80, 100, 100], abs=0.02)
    assert found.street_m == pytest.approx(100)


def test_a_gap_reaches_no_street() -> None:
    """Two fixes ten minutes apart: a disc of 20 m around each, nothing between."""
    found = time_streets(
        day_of([("w", 0, 0, 0), ("w", 600, 100, 0)], rules=()), streets([(0, 0), (100, 0)]),
        radius_m=20,
    )  # fmt: skip
    assert found.covered_m[-1] == pytest.approx(40, abs=0.02)


def test_a_day_without_fixes_or_streets_reaches_nothing() -> None:
    assert time_streets(day_of([]), streets([(0, 0), (9, 0)])).covered_m.max() == 0
    with pytest.raises(InputError, match="a second or more"):
        time_streets(day_of([]), streets([(0, 0), (9, 0)]), bin_s=0)
    with pytest.raises(InputError, match="use longer ones"):
        time_streets(day_of([]), streets([(0, 0), (9, 0)]), bin_s=1)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 4000), *[st.integers(0, 300)] * 2),
        min_size=1, max_size=60, unique_by=lambda row: row[:2],
    ),
    bin_s=st.integers(60, 2000),
)  # fmt: skip
def test_after_the_last_bin_it_is_the_coverage_of_the_day(rows: list[Any], bin_s: int) -> None:
    pieces = streets([(0, 0), (300, 300)], [(0, 150), (300, 150)])
    found = time_streets(day_of(rows), pieces, bin_s=bin_s)
    whole = measure_reach(pieces, find_walks(frame(rows)))
    assert found.covered_m[-1] == pytest.approx(whole.sum(), abs=0.5)
    assert (np.diff(found.covered_m) >= -1e-6).all()
    assert ((found.first >= 0) | (whole < pieces.length_m / 2 + 0.05)).all()
