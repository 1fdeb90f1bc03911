"""Cleaning: each rule by hand, what it threw out and why, and laws on any track."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo._fixes_tracks import micro_of
from geo.errors import ColumnError, InputError
from geo.fixes import (
    JUMP,
    REPEATED,
    RULES,
    VAGUE,
    build_tracks,
    clean_fixes,
    find_gaps,
    find_jumps,
    find_mock,
    find_no_place,
    find_no_time,
    find_repeats,
    find_stays,
    find_vague,
    find_walking,
    list_rules,
    split_tracks,
)  # fmt: skip

NOON = pd.Timestamp("2026-11-21T04:00Z")


def track(*rows, worker="w", **columns) -> pd.DataFrame:
    """Rows of seconds after noon, x, y."""
    table = pd.DataFrame(rows, columns=["s", "x", "y"]).astype(float)
    table = table.assign(time=NOON + pd.to_timedelta(table.pop("s"), unit="s"), worker_id=worker)
    return table.assign(**columns)


def walk(seconds, *, step_s=10.0, speed_ms=1.0, worker="w") -> pd.DataFrame:
    """A straight walk east, a fix every `step_s`."""
    s = np.arange(0, seconds, step_s)
    return track(*zip(s, s * speed_ms, np.zeros(len(s)), strict=True), worker=worker)


def reasons(fixes, **more) -> dict:
    return clean_fixes(fixes, **more).removed["rule"].to_dict()


def test_a_clean_walk_stays_as_it_is():
    cleaned = clean_fixes(walk(600))
    assert not len(cleaned.removed)
    assert cleaned.table()["x"].tolist() == walk(600)["x"].tolist()
    assert not len(cleaned.stays)


def test_each_rule_names_the_fix_the_value_and_its_own_threshold():
    fixes = walk(100).assign(accuracy_m=5.0, mock=False)
    fixes.loc[1, "x"] = np.nan
    fixes.loc[2, "time"] = pd.Timestamp("1901-02-03T04:05Z")
    fixes.loc[3, "mock"] = True
    fixes.loc[4, "accuracy_m"] = 75.0
    fixes.loc[5, ["time", "accuracy_m"]] = [fixes.loc[6, "time"], 9.0]
    fixes.loc[8, "y"] = 5000.0
    found = clean_fixes(fixes).removed
    assert found["rule"].to_dict() == {
        1: "no place", 2: "no time", 3: "made up", 4: "vague", 5: "repeated", 8: "jump",
    }  # fmt: skip
    vague = found.loc[4]
    assert (vague["value"], vague["threshold"], vague["unit"]) == (75.0, 60.0, "m")
    # 5,000.01 m in 10 s
    assert found.loc[8, "value"] == pytest.approx(1800, abs=0.1)
    assert (found["source"] != "").all()


def test_a_fix_of_nobody_is_listed_too():
    fixes = walk(30)
    fixes.loc[1, "worker_id"] = None
    assert reasons(fixes) == {1: "no worker"}


def test_a_rule_may_be_left_out_or_get_another_threshold():
    fixes = walk(60).assign(accuracy_m=[5, 5, 75, 5, 5, 25.0])
    assert reasons(fixes) == {2: "vague"}
    assert reasons(fixes, rules=[VAGUE.at(20)]) == {2: "vague", 5: "vague"}
    assert reasons(fixes, rules=[r for r in RULES if r is not VAGUE]) == {}
    assert (
        clean_fixes(fixes, rules=[VAGUE.at(20)]).removed["source"].unique() == "set by the caller"
    )


def test_up_to_five_wild_fixes_go_and_a_longer_absence_tears_the_track():
    fixes = walk(400)
    for wild, gone in ((1, 1), (5, 5), (6, 0)):
        jumped = fixes.copy()
        jumped.loc[10 : 9 + wild, "y"] = 20_000.0
        assert len(clean_fixes(jumped).removed) == gone


def test_wild_fixes_at_the_start_do_not_condemn_the_good_ones():
    fixes = walk(300)
    fixes.loc[:1, "y"] = -9_000.0
    assert sorted(reasons(fixes)) == [0, 1]


def test_noise_of_one_second_steps_is_no_jump():
    rng = np.random.default_rng(3)
    fixes = walk(600, step_s=1.0)
    fixes[["x", "y"]] += rng.normal(0, 8, (len(fixes), 2)).clip(-15, 15)
    assert len(clean_fixes(fixes).removed) == 0


def test_drift_while_standing_is_held_at_the_middle():
    """Ten minutes of walking, ten of standing with 8 m of drift, ten of walking on."""
    rng = np.random.default_rng(1)
    s = np.arange(0, 1800, 10.0)
    x = np.where(s < 600, s, np.where(s < 1200, 600.0, s - 600))
    fixes = track(*zip(s, x, np.zeros(len(s)), strict=True))
    fixes[["x", "y"]] += rng.normal(0, 8, (len(fixes), 2))
    cleaned = clean_fixes(fixes)
    assert len(cleaned.stays) == 1
    stay = cleaned.stays.iloc[0]
    assert stay["minutes"] == pytest.approx(10, abs=1.0)
    assert np.hypot(stay["x"] - 600, stay["y"]) < 5
    still = cleaned.table()[cleaned.stay >= 0]
    assert still["x"].nunique() == still["y"].nunique() == 1
    assert still["moved_m"].max() > 5
    assert (cleaned.moved_m[cleaned.stay < 0] == 0).all()
    assert not len(clean_fixes(fixes, stay_m=0).stays)


def test_silence_is_a_gap_and_no_stay():
    fixes = pd.concat([walk(60), walk(60).assign(time=lambda t: t["time"] + pd.Timedelta("20min"))])
    gap = find_gaps(fixes).iloc[0]
    assert gap["minutes"] == pytest.approx(20 - 50 / 60)
    assert gap["far_m"] == 50
    assert not len(find_stays(fixes))
    assert find_stays(fixes, gap_s=3600, stay_m=60)["minutes"].tolist() == [
        pytest.approx(20.8333333)
    ]


def test_a_track_splits_at_gaps_and_at_steps_that_are_too_fast():
    fixes = track((0, 0, 0), (10, 10, 0), (20, 20, 0), (500, 30, 0), (510, 900, 0), (520, 910, 0))
    pieces = split_tracks(fixes)
    assert pieces["fixes"].tolist() == [3, 3]
    assert pieces["length_m"].tolist() == [20, 880]
    pieces = split_tracks(fixes, most_kmh=120)
    assert pieces["fixes"].tolist() == [3, 1, 2]
    assert pieces["length_m"].tolist() == [20, 0, 10]
    assert pieces["minutes"].tolist() == pytest.approx([20 / 60, 0, 10 / 60])
    assert not len(split_tracks(fixes.iloc[:0]))


def test_walking_is_told_from_driving_and_a_halt_from_a_walk():
    s = np.arange(0, 600, 5.0)
    speed = np.where((s >= 200) & (s < 400), 10.0, 1.0)
    speed[(s >= 290) & (s < 320)] = 0.0  # at a red light
    fixes = track(*zip(s, np.cumsum(speed * 5), np.zeros(len(s)), strict=True))
    on_foot = find_walking(fixes).to_numpy(dtype=bool)
    assert on_foot[s < 185].all()
    assert on_foot[s > 415].all()
    assert not on_foot[(s > 190) & (s < 395)].any()
    assert find_walking(fixes, halt_s=0)[(s > 303) & (s < 307)].all()


def test_a_lone_fix_is_neither_walked_nor_driven():
    assert find_walking(track((0, 0, 0))).isna().all()


def test_each_rule_is_a_function_of_its_own():
    fixes = walk(50).assign(accuracy_m=[5, 5, 99, 5, 5.0], mock=[True, False, None, False, False])
    fixes.loc[4, "time"] = fixes.loc[3, "time"]
    fixes.loc[1, "y"] = np.inf
    tracks = build_tracks(fixes)
    assert find_no_place(tracks, 0)[0].tolist() == [False, True, False, False, False]
    assert find_no_time(tracks, 0)[0].sum() == 0
    assert find_mock(tracks, 0)[0].tolist() == [True, False, False, False, False]
    assert find_vague(tracks, 60)[0].tolist() == [False, False, True, False, False]
    assert find_repeats(tracks, 0)[0].tolist() == [False, False, False, False, True]
    assert not find_jumps(build_tracks(walk(50)), 120)[0].any()
    assert [rule.name for rule in RULES][-2:] == [REPEATED.name, JUMP.name]


def test_of_two_fixes_at_one_moment_the_more_accurate_stays():
    fixes = track((0, 1, 0), (0, 2, 0), (0, 3, 0), accuracy_m=[9.0, 4.0, np.nan])
    assert clean_fixes(fixes).table()["x"].tolist() == [2]


def test_nothing_in_nothing_out():
    cleaned = clean_fixes(walk(0))
    assert len(cleaned.table()) == len(cleaned.removed) == len(cleaned.gaps) == 0
    assert cleaned.count_removed().sum() == 0


def test_input_that_cannot_be_read_is_refused():
    with pytest.raises(ColumnError, match="fixes lack x"):
        clean_fixes(walk(30).drop(columns="x"))
    with pytest.raises(InputError, match="give times with a zone"):
        clean_fixes(walk(30).assign(time=lambda t: t["time"].dt.tz_localize(None)))


rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.integers(0, 400), st.integers(-300, 300),
        st.integers(-300, 300), st.sampled_from([3.0, 50.0, 90.0, np.nan]), st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


def table_of(drawn) -> pd.DataFrame:
    columns = ["worker_id", "s", "x", "y", "accuracy_m", "mock"]
    table = pd.DataFrame(drawn, columns=columns).astype({"x": float, "y": float})
    return table.assign(time=NOON + pd.to_timedelta(table.pop("s").astype(float), unit="s"))


@settings(max_examples=80, deadline=None)
@given(rows, st.randoms())
def test_the_order_of_rows_does_not_matter_and_none_gets_lost(drawn, random):
    fixes = table_of(drawn)
    cleaned = clean_fixes(fixes)
    assert sorted([*cleaned.removed.index, *cleaned.table()["row"]]) == list(range(len(fixes)))
    mixed = list(range(len(fixes)))
    random.shuffle(mixed)
    again = clean_fixes(fixes.iloc[mixed])
    columns = ["worker_id", "time", "x", "y", "stay"]
    pd.testing.assert_frame_equal(
        cleaned.table()[columns], again.table()[columns], check_exact=False
    )
    # Rows that are equal in everything may change places.
    assert cleaned.count_removed().to_dict() == again.count_removed().to_dict()


@settings(max_examples=80, deadline=None)
@given(rows)
def test_cleaning_twice_throws_out_nothing_more(drawn):
    kept = clean_fixes(table_of(drawn), stay_m=0).table()
    assert not len(clean_fixes(kept, stay_m=0).removed)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_a_worker_is_cleaned_as_if_alone(drawn):
    fixes = table_of(drawn)
    both = clean_fixes(fixes).table()
    for name in fixes["worker_id"].unique():
        alone = clean_fixes(fixes[fixes["worker_id"] == name]).table()
        mine = both[both["worker_id"] == name]
        assert mine["time"].tolist() == alone["time"].tolist()
        assert mine["x"].tolist() == pytest.approx(alone["x"].tolist())


def test_fixes_of_one_moment_are_ordered_by_accuracy_then_place_whoever_lies_between():
    moment = pd.Timestamp("2026-11-21 08:00", tz="UTC")
    frame = pd.DataFrame(
        {
            "worker_id": ["b", "a", "b", "a", "a", "b"],
            "time": [moment] * 3 + [moment - pd.Timedelta(seconds=1), moment, moment],
            "x": [3.0, 5.0, 2.0, 9.0, 4.0, 1.0],
            "y": 0.0,
            "accuracy_m": [np.nan, 5.0, 8.0, 1.0, 5.0, 8.0],
        }
    )
    tracks = build_tracks(frame)
    assert tracks.x.tolist() == [9.0, 4.0, 5.0, 1.0, 2.0, 3.0]
    assert tracks.row.tolist() == [3, 4, 1, 5, 2, 0]


def test_every_rule_is_listed_with_threshold_unit_and_source():
    listed = list_rules([*RULES[:-1], RULES[-1].at(90)])
    assert list(listed.index) == [rule.name for rule in RULES] + ["stay", "gap"]
    assert listed.loc["jump"].tolist() == [90, "km/h", "set by the caller"]
    assert (listed["source"] != "").all()
    has_threshold = listed["threshold"].notna()
    assert (listed.loc[has_threshold, "unit"] != "").all()


def test_a_moment_is_counted_in_microseconds_as_times_of_fixes_are():
    moment = pd.Timestamp("2026-11-21 08:00:00.000005", tz="Asia/Shanghai")
    frame = pd.DataFrame({"worker_id": ["w"], "time": [moment], "x": [0.0], "y": [0.0]})
    assert build_tracks(frame).micro.tolist() == [micro_of(moment.to_pydatetime())]
