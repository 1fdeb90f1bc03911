"""Tracks and pieces as MovingPandas defines them, said again in plain pandas, beside ours.

`benchmarks/fixes.py` compares with MovingPandas itself, which is no part of the tests: a trajectory
has two fixes or more, a step that takes longer than the gap ends it, and its length is that of the
line through its fixes. Ours lists a piece of one fix too, without a length.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fixes import find_gaps, split_tracks

COLUMNS = ["worker_id", "start", "end", "fixes", "length_m"]
steps = st.lists(
    st.tuples(
        st.sampled_from(["w1", "w2", "w3"]),
        st.integers(1, 400),
        st.integers(-500, 500),
        st.integers(-500, 500),
    ),
    min_size=1,
    max_size=60,
)


def frame_of(rows: list[tuple[str, int, int, int]]) -> pd.DataFrame:
    worker, apart, x, y = zip(*rows, strict=True)
    moments = pd.Timestamp("2026-11-20", tz="UTC") + pd.to_timedelta(np.cumsum(apart), unit="s")
    return pd.DataFrame(
        {"worker_id": worker, "time": moments.as_unit("us"), "x": np.array(x, float),
         "y": np.array(y, float)}
    )  # fmt: skip


def split_plainly(fixes: pd.DataFrame, gap_s: float) -> pd.DataFrame:
    """As `ObservationGapSplitter` of MovingPandas does it, a worker and a piece at a time."""
    rows = []
    for worker, track in fixes.sort_values("time").groupby("worker_id"):
        part = (track["time"].diff() > pd.Timedelta(seconds=gap_s)).cumsum()
        for _, piece in track.groupby(part):
            if len(piece) > 1:
                line = shapely.LineString(piece[["x", "y"]].to_numpy())
                start, end = piece["time"].iloc[0], piece["time"].iloc[-1]
                rows.append((worker, start, end, len(piece), line.length))
    return pd.DataFrame(rows, columns=COLUMNS)


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from([60.0, 200.0, 1e9]), st.randoms())
def test_pieces_have_the_ends_fixes_and_lengths_that_movingpandas_gives(rows, gap_s, random):
    fixes = frame_of(rows)
    order = list(range(len(fixes)))
    random.shuffle(order)
    ours = split_tracks(fixes.iloc[order], gap_s=gap_s)
    theirs = split_plainly(fixes, gap_s)
    found = ours.loc[ours["fixes"] > 1, COLUMNS].reset_index(drop=True)
    if theirs.empty:
        assert found.empty
        return
    theirs[["start", "end"]] = theirs[["start", "end"]].astype("datetime64[us, UTC]")
    pd.testing.assert_frame_equal(found, theirs, check_dtype=False, rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from([60.0, 200.0]))
def test_each_gap_lies_between_two_pieces_and_each_fix_in_one(rows, gap_s):
    fixes = frame_of(rows)
    pieces = split_tracks(fixes, gap_s=gap_s)
    assert pieces["fixes"].sum() == len(fixes)
    assert len(pieces) == len(find_gaps(fixes, gap_s=gap_s)) + fixes["worker_id"].nunique()


@pytest.mark.parametrize(("apart", "pieces"), [(300, 1), (301, 2)])
def test_a_step_of_exactly_the_gap_does_not_end_a_piece(apart, pieces):
    assert len(split_tracks(frame_of([("w1", 1, 0, 0), ("w1", apart, 9, 0)]), gap_s=300)) == pieces
