"""Rounds: what is known of them, what is not, and that silence is never absence."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, CrsError, InputError
from geo.rounds import STATUSES, Shift, count_rounds, find_rounds

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 21)
NIGHT = datetime(2026, 11, 21, 23, tzinfo=ZONE)
MORNING = (Shift("morning", time(8)),)
INSIDE = {"A": (50, 50), "B": (150, 50), "C": (50, 150), "D": (150, 150)}


def track(worker: str, grid: str, first: int, last: int, *, walks: bool = True) -> pd.DataFrame:
    """A fix a minute from minute `first` of the morning round to before `last`."""
    minute = np.arange(first, last)
    x, y = INSIDE[grid]
    step = np.where(minute % 2 == 0, -40.0, 40.0) if walks else minute % 3 - 1.0
    return pd.DataFrame(
        {
            "worker_id": worker,
            "time": pd.Timestamp("2026-11-21T00:00Z") + pd.to_timedelta(minute * 60 + 20, unit="s"),
            "x": x + step,
            "y": float(y),
        }
    )


def find(grids, *tracks, posts=None, shifts=MORNING, at=NIGHT, **more) -> pd.DataFrame:
    fixes = pd.concat(tracks) if tracks else track("w", "A", 0, 0)
    named = pd.Series(posts or {"w": "A"})
    return find_rounds(grids, fixes, named, day=DAY, at=at, zone=ZONE, shifts=shifts, **more)


def status_of_a(grids, *tracks, **more) -> str:
    return find(grids, *tracks, **more).set_index("grid_id").loc["A", "status"]


def test_half_an_hour_on_foot_in_the_grid_is_a_round(four_grids):
    assert status_of_a(four_grids, track("w", "A", 5, 35)) == "done"


def test_an_hour_elsewhere_is_a_missed_round_without_any_border_crossed(four_grids):
    found = find(four_grids, track("w", "D", 0, 60)).set_index("grid_id")
    assert found.loc["A", "status"] == "missed"
    assert found.loc["A", ["here_min", "away_min", "unknown_min"]].tolist() == [0, 60, 0]


def test_a_dead_phone_is_unknown_and_never_missed(four_grids):
    assert status_of_a(four_grids) == "unknown"
    assert status_of_a(four_grids, track("w", "A", 0, 20)) == "unknown"
    assert status_of_a(four_grids, track("w", "D", 0, 20)) == "unknown"


def test_silence_that_could_not_have_made_a_round_does_not_excuse(four_grids):
    away, home = track("w", "D", 0, 40), track("w", "A", 40, 52)
    assert status_of_a(four_grids, away, home) == "partly"
    assert status_of_a(four_grids, track("w", "D", 0, 55)) == "missed"


def test_a_phone_in_a_drawer_is_no_round(four_grids):
    row = find(four_grids, track("w", "A", 0, 60, walks=False)).set_index("grid_id").loc["A"]
    assert (row["status"], bool(row["is_still"])) == ("partly", True)


def test_noise_across_the_border_still_counts_as_here(four_grids):
    fixes = track("w", "A", 0, 60)
    fixes["x"] = np.where(np.arange(60) % 2, 125.0, 20.0)
    assert status_of_a(four_grids, fixes) == "done"
    fixes["x"] = np.where(np.arange(60) % 2, 175.0, 135.0)
    assert status_of_a(four_grids, fixes) == "missed"


def test_made_up_and_vague_fixes_say_nothing(four_grids):
    walked = track("w", "A", 0, 60)
    assert status_of_a(four_grids, walked.assign(mock=True)) == "unknown"
    assert status_of_a(four_grids, walked.assign(accuracy_m=200.0)) == "unknown"


def test_one_of_several_workers_is_enough_and_a_grid_without_any_is_vacant(four_grids):
    found = find(
        four_grids, track("v", "A", 0, 40), track("w", "D", 0, 60), posts={"v": "A", "w": "A"}
    ).set_index("grid_id")
    assert found["status"].to_dict() == {"A": "done", "B": "vacant", "C": "vacant", "D": "vacant"}
    assert found.loc["A", "workers"] == 2


def test_a_round_is_judged_when_it_is_over(four_grids):
    shifts = (Shift("morning", time(8)), Shift("noon", time(12)), Shift("evening", time(18)))
    at = datetime(2026, 11, 21, 12, 30, tzinfo=ZONE)
    found = find(four_grids, track("w", "A", 0, 60), shifts=shifts, at=at)
    mine = found[found["grid_id"] == "A"].set_index("shift")["status"]
    assert mine.to_dict() == {"morning": "done", "noon": "running", "evening": "ahead"}
    counted = count_rounds(found)
    assert counted.loc["A"].to_dict() == {
        "required": 1, "done": 1, "partly": 0, "missed": 0, "unknown": 0, "vacant": 0,
    }  # fmt: skip
    # The shift that runs is vacant already, and counts as such.
    assert counted.loc["B", "required"] == counted.loc["B", "vacant"]


def test_shorter_rounds_need_less(four_grids):
    short = (Shift("morning", time(8), 20),)
    assert status_of_a(four_grids, track("w", "A", 0, 10), shifts=short) == "done"


def bridged(plan: list[str]) -> list[str]:
    """Silent minutes between two of a kind that are at most five minutes apart are as they are."""
    found, last = list(plan), None
    for k, what in enumerate(plan):
        if what == "silent":
            continue
        if last is not None and k - last <= 5 and plan[last] == what:
            found[last:k] = [what] * (k - last)
        last = k
    return found


minutes = st.lists(st.sampled_from(["here", "away", "silent"]), min_size=60, max_size=60)


@settings(max_examples=60, deadline=None)
@given(minutes)
def test_every_minute_is_one_of_three_and_the_rule_holds(plan):
    grids = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 100, 100), shapely.box(200, 0, 300, 100)],
        index=pd.Index(["A", "D"], name="grid_id"),
        crs="EPSG:4547",
    )
    fixes = track("w", "A", 0, 60)
    fixes["x"] = np.where(np.array(plan) == "away", 250.0, fixes["x"])
    fixes = fixes[np.array(plan) != "silent"]
    row = find(grids, fixes).iloc[0]
    plan = bridged(plan)
    here, away = plan.count("here"), plan.count("away")
    assert row[["here_min", "away_min", "unknown_min"]].tolist() == [here, away, 60 - here - away]
    most = 60 - away
    if not row["is_still"]:
        if here >= 30:
            assert row["status"] == "done"
        elif most < 10:
            assert row["status"] == "missed"
        elif most < 30 and here >= 10:
            assert row["status"] == "partly"
        else:
            assert row["status"] == "unknown"
    if away == 0:
        assert row["status"] != "missed"
    assert row["status"] in STATUSES


def test_on_drawn_patrols_every_miss_is_found_and_no_outage_is_called_one(four_grids):
    """Noise of 10 m, outages, misses; the truth is what was drawn."""
    rng = np.random.default_rng(7)
    right = wrong = outages = 0
    for _ in range(200):
        kind = rng.choice(["walked", "missed", "outage"])
        fixes = track("w", "A", 0, 60)
        if kind == "missed":
            fixes["x"] += rng.choice([180, 260])
        if kind == "outage":
            first = rng.integers(0, 15)
            fixes = fixes.iloc[first : first + rng.integers(0, 25)]
        fixes = fixes.assign(
            x=fixes["x"] + rng.normal(0, 10, len(fixes)),
            y=fixes["y"] + rng.normal(0, 10, len(fixes)),
        )
        status = status_of_a(four_grids, fixes)
        if kind == "missed":
            right += status == "missed"
            wrong += status != "missed"
        if kind == "outage":
            outages += status == "missed"
    assert outages == 0
    assert right / (right + wrong) >= 0.98


def test_input_that_cannot_be_judged_is_refused(four_grids):
    with pytest.raises(CrsError):
        find(four_grids.to_crs(4326))
    with pytest.raises(ColumnError, match="fixes lack x"):
        find(four_grids, track("w", "A", 0, 3).drop(columns="x"))
    with pytest.raises(InputError, match="without a zone"):
        find(four_grids, at=NIGHT.replace(tzinfo=None))
