"""A day that was drawn by hand is told as it was; what no fix covers is a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, InputError
from geo.worker_day import STEP_M, checksum_fixes, find_worker_day

BEGIN = datetime(2026, 11, 20, 7, tzinfo=UTC)
END = BEGIN + timedelta(hours=2)
GRID = shapely.box(0, 0, 300, 300)


def fixes(*rows: tuple[float, float, float], **more: object) -> pd.DataFrame:
    """Rows are minute of the day, x, y in metres."""
    minute, x, y = (np.array([row[k] for row in rows], dtype=float) for k in range(3))
    frame = pd.DataFrame(
        {
            "worker_id": "w1",
            "time": pd.DatetimeIndex(
                [BEGIN + timedelta(minutes=float(m)) for m in minute], dtype="datetime64[us, UTC]"
            ),
            "lon": 114 + x * 1e-5,
            "lat": 30 + y * 1e-5,
            "x": x,
            "y": y,
        }
    )
    return frame.assign(**more)


def drawn() -> pd.DataFrame:
    """Silent for 10 min, ten minutes at (50, 50), 200 m east in 4 min, silent for 36 min, north of
    the grid for 20 min at (250, 500), then silent to the end (40 min)."""
    rows = [(10 + k / 2, 50.0, 50.0) for k in range(21)]
    rows += [(20 + k / 2, 50.0 + 25 * k, 50.0) for k in range(1, 9)]
    rows += [(60 + k / 2, 250.0, 500.0) for k in range(41)]
    return fixes(*rows)


def test_the_drawn_day_has_its_stays_gaps_and_metres() -> None:
    day = find_worker_day("w1", drawn(), since=BEGIN, until=END, grid=GRID)
    assert day.gaps["kind"].tolist() == ["begin", "between", "end"]
    assert day.gaps["minutes"].tolist() == [10, 36, 40]
    assert day.gaps["after_m"].tolist()[:2] == [0, 200]
    assert day.gaps["before_m"].tolist()[1:] == [0, 200]
    assert day.gaps["far_m"].iloc[1] == pytest.approx(450)
    assert day.stays["minutes"].tolist() == pytest.approx([10, 20], abs=1)
    assert day.stays["far_m"].tolist() == pytest.approx([0, 200], abs=1)
    assert day.walked_m == pytest.approx(200, abs=STEP_M)
    assert day.driven_m == 0
    assert (day.fixes, day.used, day.interval_s) == (70, 70, 30)
    assert day.first == pd.Timestamp(BEGIN) + pd.Timedelta(minutes=10)
    assert day.last == pd.Timestamp(BEGIN) + pd.Timedelta(minutes=80)
    assert day.track["is_here"].sum() == 29


def test_what_is_thrown_out_is_told_by_rule() -> None:
    frame = pd.concat(
        [
            drawn().assign(accuracy_m=5.0, mock=False),
            fixes((12.25, 50, 50), accuracy_m=500.0, mock=False),
            fixes((13.25, 50, 50), accuracy_m=5.0, mock=True),
            fixes((14.25, 9000, 50), accuracy_m=5.0, mock=False),
        ],
        ignore_index=True,
    )
    day = find_worker_day("w1", frame, since=BEGIN, until=END)
    removed = day.removed.set_index("rule")["count"]
    assert removed[removed > 0].to_dict() == {"made up": 1, "vague": 1, "jump": 1}
    assert (day.fixes, day.used, day.mock) == (73, 70, 1)
    assert day.accuracy == {"told": 73, "median": 5, "p90": 5, "worst": 500}


def test_a_day_without_a_fix_is_one_gap_and_no_absence() -> None:
    for frame in (drawn().iloc[:0], fixes((-30, 0, 0), (300, 0, 0))):
        day = find_worker_day("w1", frame, since=BEGIN, until=END, grid=GRID)
        assert day.gaps[["kind", "minutes"]].to_numpy().tolist() == [["all", 120]]
        assert day.spans["kind"].tolist() == ["gap"]
        assert (day.fixes, day.first, day.last, day.walked_m) == (0, None, None, 0)


def test_before_duty_begins_there_is_nothing_to_tell() -> None:
    day = find_worker_day("w1", drawn(), since=BEGIN, until=BEGIN - timedelta(hours=1))
    assert day.gaps.empty
    assert day.spans.empty


def test_driving_is_no_walking() -> None:
    rows = [(k / 12, 55.0 * k, 0.0) for k in range(61)]  # 5 s apart at 11 m/s
    day = find_worker_day("w1", fixes(*rows), since=BEGIN, until=END)
    assert day.walked_m == 0
    assert day.driven_m == pytest.approx(3300)


def test_the_drift_of_a_phone_that_lies_still_is_no_walk() -> None:
    rng = np.random.default_rng(5)
    rows = [(k / 6, *rng.normal(0, 6, 2)) for k in range(300)]
    day = find_worker_day("w1", fixes(*rows), since=BEGIN, until=END)
    assert day.walked_m < 60


def test_the_checksum_follows_the_readings_and_nothing_else() -> None:
    frame = drawn().assign(accuracy_m=5.0, mock=False)
    known = checksum_fixes(frame)
    assert checksum_fixes(frame.sample(frac=1, random_state=1)) == known
    sealed = frame.assign(time=frame["time"].astype("datetime64[ms, UTC]"), speed_kmh=1.0)
    assert checksum_fixes(sealed) == known
    assert checksum_fixes(frame.iloc[1:]) != known
    assert checksum_fixes(frame.assign(lon=frame["lon"] + 1e-7)) != known
    assert checksum_fixes(frame.iloc[:0]) == checksum_fixes(frame.iloc[:0].drop(columns="mock"))


def test_what_cannot_be_told_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"since is .* without a zone"):
        find_worker_day("w1", drawn(), since=BEGIN.replace(tzinfo=None), until=END)
    with pytest.raises(ColumnError, match="fixes lack lon"):
        find_worker_day("w1", drawn().drop(columns="lon"), since=BEGIN, until=END)


MINUTES, METRES = st.integers(0, 119), st.integers(0, 400)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(MINUTES, METRES, METRES), max_size=40))
def test_the_spans_of_a_day_cover_it_without_gap_or_overlap(
    rows: list[tuple[int, int, int]],
) -> None:
    day = find_worker_day("w1", fixes(*rows), since=BEGIN, until=END, grid=GRID)
    spans = day.spans
    assert spans["start"].iloc[0] == pd.Timestamp(BEGIN)
    assert spans["end"].iloc[-1] == pd.Timestamp(END)
    assert (spans["start"].iloc[1:].to_numpy() == spans["end"].iloc[:-1].to_numpy()).all()
    gaps = spans[spans["kind"] == "gap"]
    assert len(gaps) == len(day.gaps)
    for fix in day.track["time"]:
        inside = (gaps["start"] < fix) & (gaps["end"] > fix)
        assert not inside.any()
