"""Rounds against drawn patrols whose truth is known (`geo.synth.drills`).

What an outage is and what a miss is was drawn before any phone was; nothing here looks at how the
rounds were judged.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.rounds import (
    THREE_ROUNDS,
    Judged,
    PlaceRule,
    Schedule,
    build_places,
    count_rounds,
    judge_rounds,
)
from geo.synth.drills import SILENT_KINDS, ZONE, Drill, draw_drill

HYDRANTS = Schedule(
    Schedule.of_shifts(THREE_ROUNDS).rounds, (PlaceRule("hydrants", "asset", class_code="0113"),)
)


def judge(drill: Drill, *, places: bool = False) -> Judged:
    book = build_places(HYDRANTS, drill.grids, assets=drill.assets) if places else None
    return judge_rounds(
        drill.grids, drill.fixes, drill.posts, day=drill.day, at=drill.night, zone=ZONE,
        schedule=HYDRANTS, places=book,
    )  # fmt: skip


def with_truth(drill: Drill, judged: Judged) -> pd.DataFrame:
    found = drill.truth.merge(judged.rounds, on=["grid_id", "shift"], validate="1:1")
    assert len(found) == len(drill.truth)
    return found


@pytest.fixture(scope="module")
def big() -> pd.DataFrame:
    """1,200 rounds at 10 m of noise, half of them misses, of phones of two kinds."""
    parts = []
    for seed, step_s in ((11, 10.0), (12, 60.0)):
        drill = draw_drill(
            np.random.default_rng(seed), side=14, workers=2, noise_m=10.0, step_s=step_s,
            kinds=("missed", "missed", "missed", "walked", "short", "outage", "drawer"),
        )  # fmt: skip
        parts.append(with_truth(drill, judge(drill)))
    return pd.concat(parts, ignore_index=True)


def test_of_planted_misses_98_of_100_are_found_at_10_m_of_noise(big):
    missed = big[big["kind"] == "missed"]
    assert len(missed) >= 450
    assert (missed["status"] == "missed").mean() >= 0.98
    assert set(missed.loc[missed["status"] == "missed", "reason"]) <= {"off_post", "too_short"}


def test_a_round_that_was_walked_is_done_and_no_other_is_called_so(big):
    walked = big["kind"] == "walked"
    assert (big.loc[walked, "status"] == "done").mean() >= 0.99
    assert not (big.loc[~walked, "status"] == "done").any()


def test_a_phone_in_a_drawer_is_noticed(big):
    drawer = big[big["kind"] == "drawer"]
    assert (drawer["reason"] == "still_phone").mean() >= 0.98
    assert not (drawer["status"] == "done").any()


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(
    seed=st.integers(0, 2**32 - 1),
    workers=st.integers(1, 4),
    noise_m=st.sampled_from([0.0, 4.0, 10.0, 20.0]),
    drift=st.sampled_from([0.0, 0.5, 1.0]),
    step_s=st.sampled_from([5.0, 15.0, 30.0, 60.0, 120.0, 300.0]),
)
def test_no_outage_is_ever_called_an_absence(seed, workers, noise_m, drift, step_s):
    drill = draw_drill(
        np.random.default_rng(seed), side=3, workers=workers, noise_m=noise_m, drift_share=drift,
        step_s=step_s, kinds=SILENT_KINDS,
    )  # fmt: skip
    judged = judge(drill)
    found = with_truth(drill, judged)
    assert set(found["kind"]) <= set(SILENT_KINDS)
    assert set(found["status"]) <= {"unknown", "done"}
    assert (found.loc[found["status"] == "unknown", "reason"] != "").all()
    # Minutes add up, and so do statuses.
    minutes = found[["here_min", "away_min", "unknown_min"]].sum(axis=1)
    assert (minutes == 60).all()
    counted = count_rounds(judged.rounds)
    assert (counted["required"] == 3).all()
    assert (counted.drop(columns="required").sum(axis=1) == 3).all()


def test_an_outage_is_told_by_its_cause():
    """One worker a grid, so that nobody else's phone is in the way."""
    drill = draw_drill(
        np.random.default_rng(5), side=8, workers=1, kinds=("dead", "vague", "mock", "outage")
    )
    found = with_truth(drill, judge(drill))
    # After a phone died the later rounds of that day were drawn as outages.
    shift = found["shift"].map({"morning": 0, "noon": 1, "evening": 2})
    died = shift[found["kind"] == "dead"].groupby(found["grid_id"]).min()
    after = shift > found["grid_id"].map(died).fillna(9)
    for kind, reasons in {
        "dead": {"dead_phone"}, "vague": {"inaccurate"}, "mock": {"mock"},
        "outage": {"no_signal", "gaps", "dead_phone"},
    }.items():  # fmt: skip
        mine = found[(found["kind"] == kind) & ~after]
        assert len(mine) >= 10
        assert mine["reason"].isin(reasons).mean() >= 0.95, kind


@pytest.mark.parametrize(
    ("drift", "step_s", "wrong"), [(0.0, 5.0, 0.03), (0.5, 10.0, 0.05), (0.5, 20.0, 0.08)]
)
def test_visits_are_told_from_passing_by(drift, step_s, wrong):
    """Precision and recall at 10 m of noise; what a gap hides counts for neither."""
    drill = draw_drill(
        np.random.default_rng(9), side=10, workers=1, drift_share=drift, step_s=step_s,
        kinds=("walked",),
    )  # fmt: skip
    found = drill.visits.merge(
        judge(drill, places=True).places, on=["grid_id", "shift", "place_id"]
    )
    assert len(found) == len(drill.visits)
    assert (found["state"] == "unknown").mean() < 0.5
    visited, truth = found["state"] == "visited", found["truth"]
    assert (truth[visited] == "visit").mean() >= 0.95
    known = (truth == "visit") & (found["state"] != "unknown")
    assert known.sum() >= 200
    assert found.loc[known, "state"].isin(["visited", "probable"]).mean() >= 0.97
    assert visited[known].mean() >= 0.9
    passed = (truth == "pass") & (found["state"] != "unknown")
    assert passed.sum() >= 80
    assert (found.loc[passed, "state"] == "visited").mean() <= wrong
    sure = passed & (found["state"] == "not_visited")
    assert (found.loc[sure, "reason"] == "passed_by").mean() >= 0.9
    assert not (found.loc[truth == "far", "state"].isin(["visited", "probable"])).any()


def test_the_order_of_fixes_and_the_names_of_workers_do_not_matter():
    drill = draw_drill(np.random.default_rng(3), side=4, workers=3)
    first = judge(drill, places=True)
    names = {old: f"x{hash_of(old)}" for old in drill.posts.index}
    turned = Drill(
        drill.grids, drill.assets, drill.posts.rename(names).iloc[::-1],
        drill.fixes.assign(worker_id=drill.fixes["worker_id"].map(names)).iloc[::-1],
        drill.day, drill.truth, drill.visits,
    )  # fmt: skip
    second = judge(turned, places=True)
    pd.testing.assert_frame_equal(first.rounds, second.rounds)
    pd.testing.assert_frame_equal(
        first.places.drop(columns="worker_id"), second.places.drop(columns="worker_id")
    )


def hash_of(name: str) -> int:
    return sum(ord(letter) * 31**k for k, letter in enumerate(name)) % 100_003


def test_evidence_says_which_fixes_and_which_places():
    drill = draw_drill(np.random.default_rng(4), side=4, workers=2)
    judged = judge(drill, places=True)
    rounds = judged.rounds
    heard = rounds["fixes"] > 0
    assert rounds.loc[heard, ["first_fix", "last_fix"]].notna().all().all()
    assert rounds.loc[~heard, ["first_fix", "last_fix"]].isna().all().all()
    inside = (rounds["first_fix"] >= rounds["start"]) & (rounds["last_fix"] < rounds["end"])
    assert inside[heard].all()
    parts = ["visited", "probable", "not_visited", "places_unknown"]
    assert (rounds[parts].sum(axis=1) == rounds["places"]).all()
    assert (rounds["places"] == 4).all()
    per = judged.workers.groupby(["grid_id", "shift"])["fixes"].sum()
    keyed = rounds.set_index(["grid_id", "shift"])["fixes"]
    assert per.reindex(keyed.index).eq(keyed).all()
    visited = judged.places[judged.places["state"] == "visited"]
    assert (visited["stay_s"] >= visited["stay_need_s"]).all()
    assert (visited["near_m"] <= visited["within_m"]).all()
    assert visited["at"].notna().all()
    assert judged.minutes.shape == (len(rounds), 60)
    assert ((judged.minutes == 1).sum(axis=1) == rounds["here_min"]).all()
