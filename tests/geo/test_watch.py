"""Alarms by hand, by laws on drawn days, and against a slow obvious twin.

Four grids of 300 m; the round of noon is from 12:00 to 13:00.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo._working_time import WorkingCalendar
from geo.errors import ColumnError, InputError
from geo.rounds import Schedule, Shift
from geo.watch import STATES, Alarm, AlarmRules, Duty, Watch, alarm_id

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 12, tzinfo=ZONE)
X0, Y0 = 500_000.0, 3_380_000.0
INSIDE = {"A": (150, 150), "B": (450, 150), "C": (150, 450), "D": (450, 450), "far": (3000, 3000)}
GRIDS = gpd.GeoDataFrame(
    {"grid_id": list("ABCD")},
    geometry=[
        shapely.box(X0 + x, Y0 + y, X0 + x + 300, Y0 + y + 300)
        for x, y in ((0, 0), (300, 0), (0, 300), (300, 300))
    ],
    crs="EPSG:4547",
).set_index("grid_id")
POSTS = pd.Series({"a": "A", "b": "B", "c": "C", "d": "D", "police": "S1"})
SCHEDULE = Schedule.of_shifts([Shift("noon", time(12))])
DUTY = Duty(time(7), time(21), ZONE)
TO_DEGREES = pyproj.Transformer.from_crs("EPSG:4547", "EPSG:4326", always_xy=True)


def fix(worker: str, at: datetime, x: float, y: float, **more) -> dict:
    lon, lat = TO_DEGREES.transform(X0 + x, Y0 + y)
    return {"worker_id": worker, "time": at, "lon": lon, "lat": lat} | more


def walk(worker: str, where: str, begin: float, end: float, *, every_s: int = 30, **more):
    """Fixes from minute `begin` after noon to before `end`, pacing up and down 100 m."""
    x, y = INSIDE[where]
    rows = []
    for k, second in enumerate(np.arange(begin * 60, end * 60, every_s)):
        step = [-50, -20, 10, 40, 50, 20, -10, -40][k % 8]
        rows.append(fix(worker, NOON + timedelta(seconds=float(second)), x + step, y, **more))
    return rows


def frame(*parts: list[dict]) -> pd.DataFrame:
    rows = [row for part in parts for row in part]
    table = pd.DataFrame(rows, columns=None if rows else ["worker_id", "time", "lon", "lat"])
    return table.assign(time=pd.to_datetime(table["time"], utc=True))


def watch(*, since: float = -60, **more) -> Watch:
    told = {"schedule": SCHEDULE, "duty": DUTY} | more
    return Watch(
        GRIDS, POSTS, told.pop("schedule"), told.pop("duty"),
        since=NOON + timedelta(minutes=since), **told,
    )  # fmt: skip


def play(fixes: pd.DataFrame, until: float, *, every: float = 1.0, begin: float = -60, **more):
    """Look each so many minutes; all alarms that opened and ended, and the last states."""
    one, opened, ended = watch(since=begin, **more), [], []
    last, states = pd.Timestamp(0, tz="UTC"), {}
    minute = begin
    while minute < until:
        minute = min(minute + every, until)
        at = NOON + timedelta(minutes=minute)
        part = fixes[(fixes["time"] > last) & (fixes["time"] <= at)]
        last = pd.Timestamp(at)
        found = one.look(part, at)
        opened, ended, states = opened + list(found.opened), ended + list(found.ended), found.states
    return opened, ended, states


def told(alarms: list[Alarm]) -> list[tuple]:
    """Kind, whom it is about, minute of the begin and of the fire."""
    return [
        (a.kind, a.worker_id or a.grid_id, minute_of(a.began_at), minute_of(a.fired_at))
        for a in alarms
    ]


def minute_of(moment: datetime) -> float:
    return round((moment - NOON).total_seconds() / 60, 2)


OTHERS = walk("b", "B", -10, 70), walk("c", "C", -10, 70)


def test_who_is_away_from_the_round_is_told_after_ten_minutes_and_never_crossed_a_border():
    opened, ended, states = play(frame(walk("a", "far", -10, 30), *OTHERS), 15)
    assert told(opened) == [("off_post", "a", 0, 10)]
    assert opened[0].grid_id == "A"
    assert opened[0].shift == "noon"
    assert opened[0].detail["far_m"] > 3000
    assert states == {"a": "off_post", "b": "on_duty", "c": "on_duty"}
    assert not ended


def test_it_is_over_after_a_minute_in_the_grid_and_a_wild_fix_is_neither():
    wild = [fix("a", NOON + timedelta(minutes=5, seconds=10), *INSIDE["A"])]
    away = frame(walk("a", "far", -10, 20), wild, walk("a", "A", 20, 40), *OTHERS)
    opened, ended, states = play(away, 30)
    assert told(opened)[0] == ("off_post", "a", 0, 10)
    assert minute_of(ended[0].ended_at) == pytest.approx(20, abs=1)
    assert states["a"] == "on_duty"
    at_work = frame(
        walk("a", "A", -10, 60),
        [fix("a", NOON + timedelta(minutes=9, seconds=3), 3000, 3000)],
        *OTHERS,
    )
    assert play(at_work, 59)[0] == []


def test_an_outage_is_no_signal_and_never_off_post():
    opened, _, states = play(frame(walk("a", "far", -10, 8), *OTHERS), 59)
    assert [a.kind for a in opened] == ["no_signal"]
    assert told(opened)[0][2:] == (pytest.approx(7.5), pytest.approx(22.5))
    assert states["a"] == "no_signal"
    assert opened[0].lon == pytest.approx(fix("a", NOON, *INSIDE["far"])["lon"], abs=0.001)


def test_a_silence_of_nine_minutes_does_not_count_as_time_away():
    fixes = frame(walk("a", "far", -10, 5), walk("a", "far", 14, 40), *OTHERS)
    assert told(play(fixes, 30)[0])[0] == ("off_post", "a", 14, 24)


def test_off_post_ends_where_knowledge_ends():
    opened, ended, _ = play(frame(walk("a", "far", -10, 20), *OTHERS), 59)
    assert [a.kind for a in opened] == ["off_post", "no_signal", "round_at_risk"][: len(opened)]
    assert (ended[0].kind, minute_of(ended[0].ended_at)) == ("off_post", 34.5)


def test_a_round_that_can_soon_no_longer_be_done_is_told_and_over_when_it_was():
    fixes = frame(walk("a", "far", -10, 25), walk("a", "A", 25, 60), *OTHERS)
    opened, ended, _ = play(fixes, 59)
    (risk,) = [a for a in opened if a.kind == "round_at_risk"]
    assert (risk.grid_id, risk.worker_id, risk.shift) == ("A", "", "noon")
    assert told([risk])[0][2:] == (0, 21)
    assert risk.detail == {
        "here_min": 0, "away_min": 21, "unknown_min": 0, "need_min": 30.0, "left_min": 39,
    }  # fmt: skip
    (over,) = [a for a in ended if a.kind == "round_at_risk"]
    assert minute_of(over.ended_at) == 55


def test_a_colleague_in_the_grid_takes_the_risk_away_and_a_silent_one_leaves_it_open():
    posts = pd.Series({"a": "A", "b": "A"})
    for other in (walk("b", "A", -10, 60), walk("b", "A", -10, 2)):
        one = Watch(GRIDS, posts, SCHEDULE, DUTY, since=NOON - timedelta(minutes=60))
        found = one.look(frame(walk("a", "far", -10, 58), other), NOON + timedelta(minutes=58))
        assert "round_at_risk" not in {a.kind for a in found.opened}
        assert "off_post" in {a.kind for a in found.opened}


def test_standing_is_told_after_twenty_minutes_of_a_round_and_over_when_one_walks_on():
    stand = [fix("a", NOON + timedelta(seconds=s), 150 + s % 7, 150) for s in range(-600, 1500, 20)]
    opened, ended, states = play(frame(stand, walk("a", "A", 25, 40), *OTHERS), 24)
    assert told(opened) == [("standing", "a", 0, 20)]
    assert states["a"] == "standing"
    _, ended, states = play(frame(stand, walk("a", "A", 25, 40), *OTHERS), 35)
    assert [a.kind for a in ended] == ["standing"]
    assert states["a"] == "on_duty"


def test_out_of_the_grid_is_told_between_rounds_and_gives_way_to_off_post():
    fixes = frame(
        walk("a", "far", -60, 15), *OTHERS, walk("b", "B", -60, -10), walk("c", "C", -60, -10)
    )
    opened, ended, states = play(fixes, 14, begin=-61)
    assert told(opened) == [("out_of_grid", "a", -60, -30), ("off_post", "a", 0, 10)]
    assert [(a.kind, minute_of(a.ended_at)) for a in ended] == [("out_of_grid", 10)]
    assert states["a"] == "off_post"


def test_when_all_phones_are_silent_there_is_one_alarm_and_it_ends_with_the_first_word():
    silent = frame(walk("a", "A", -10, 10), walk("b", "B", -10, 10), walk("c", "C", -10, 10))
    back = frame(walk("b", "B", 40, 60), walk("a", "A", 41, 60), walk("c", "C", 42, 60))
    opened, ended, states = play(pd.concat([silent, back]), 35)
    assert told(opened) == [("no_signal", "", 9.5, 24.5)]
    assert opened[0].detail == {"workers": 3}
    assert set(states.values()) == {"no_signal"}
    opened, ended, states = play(pd.concat([silent, back]), 50)
    assert [(a.kind, minute_of(a.ended_at)) for a in ended] == [("no_signal", 40)]
    assert len(opened) == 1
    assert set(states.values()) == {"on_duty"}


def test_nobody_is_told_of_off_duty_and_all_ends_with_duty():
    night = frame(walk("a", "far", 8 * 60, 10 * 60), walk("b", "B", 8 * 60, 10 * 60))
    schedule = Schedule.of_shifts([Shift("late", time(20, 30)), Shift("night", time(22))])
    opened, ended, states = play(night, 10 * 60, begin=8 * 60, schedule=schedule)
    assert [a.kind for a in opened] == ["off_post", "round_at_risk"]
    assert [minute_of(a.ended_at) for a in ended] == [9 * 60, 9 * 60]
    assert set(states.values()) == {"off_duty"}


def test_duty_days_follow_the_calendar():
    free = WorkingCalendar(basis="weekdays", overrides=((NOON.date(), False),))
    duty = Duty(time(7), time(21), ZONE, "workdays", free)
    opened, _, states = play(frame(walk("a", "far", -10, 30), *OTHERS), 15, duty=duty)
    assert opened == []
    assert set(states.values()) == {"off_duty"}
    work = WorkingCalendar(basis="weekdays", overrides=((NOON.date(), True),))
    duty = Duty(time(7), time(21), ZONE, "workdays", work)
    assert play(frame(walk("a", "far", -10, 30), *OTHERS), 15, duty=duty)[0]
    with pytest.raises(InputError, match="give a calendar"):
        Duty(time(7), time(21), ZONE, "workdays")
    with pytest.raises(InputError, match="name two hours"):
        Duty(time(7), time(7), ZONE)


def test_duty_over_midnight_lasts_into_the_next_day():
    duty = Duty(time(20), time(4), ZONE)
    at = datetime(2026, 11, 22, 1, tzinfo=ZONE)
    one = Watch(GRIDS, POSTS, SCHEDULE, duty, since=at - timedelta(hours=1))
    row = fix("a", at - timedelta(minutes=1), *INSIDE["A"])
    assert one.look(frame([row]), at).states == {"a": "on_duty"}
    assert one.look(frame([]), at + timedelta(hours=3)).states == {"a": "off_duty"}


def test_a_call_for_help_shows_at_any_hour_and_made_up_places_prove_nothing():
    one = watch(since=9 * 60)
    at = NOON + timedelta(hours=11)
    found = one.look(frame(walk("a", "A", 650, 655)), at, sos=["a", "b"])
    assert found.states == {"a": "sos", "b": "sos"}
    mock = frame(walk("a", "far", -10, 40, mock=True), *OTHERS)
    vague = frame(walk("a", "far", -10, 40, accuracy_m=200.0), *OTHERS)
    for fixes in (mock, vague):
        assert [a.kind for a in play(fixes, 39)[0]] == []


def test_who_stood_through_an_outage_and_walks_on_after_it_is_over_in_order():
    """What was open when the phone fell silent ended there; the next begins anew."""
    stand = [fix("a", NOON + timedelta(seconds=s), 150, 150) for s in range(-600, 1500, 20)]
    fixes = frame(stand, walk("a", "A", 31, 50), *OTHERS)
    opened, ended, _ = play(fixes, 49)
    assert [a.kind for a in opened] == ["standing"]
    (over,) = ended
    assert over.ended_at >= over.fired_at
    assert minute_of(over.ended_at) == pytest.approx(31, abs=2)


def test_a_worker_without_a_grid_is_never_off_post_and_one_never_heard_has_no_state():
    opened, _, states = play(frame(walk("police", "far", -10, 60), *OTHERS), 59)
    assert opened == []
    assert states["police"] == "on_duty"
    assert "d" not in states


def test_states_stay_the_same_object_while_nothing_changes():
    one = watch()
    first = one.look(frame(walk("a", "A", -10, -5)), NOON - timedelta(minutes=4)).states
    assert one.look(frame(walk("a", "A", -4, -2)), NOON - timedelta(minutes=1)).states is first
    assert set(first.values()) <= set(STATES)


def test_what_was_open_before_goes_on_with_its_own_id():
    fixes = frame(walk("a", "far", -10, 20), *OTHERS)
    (before,) = play(fixes, 15)[0]
    later = watch(since=15)
    at = NOON + timedelta(minutes=15)
    stored = Alarm(**{**vars(before), "given_id": "0123456789abcdef"})
    gone = Alarm("standing", "d", "D", "noon", before.began_at, before.fired_at)
    later.look(fixes[fixes["time"] <= at], at)
    assert [a.worker_id for a in later.restore([stored, gone])] == ["d"]
    found = later.look(fixes, at + timedelta(minutes=1))
    assert found.opened == ()
    assert [a.alarm_id for a in later.alarms] == ["0123456789abcdef"]
    back = frame(walk("a", "A", 16, 20))
    (ended,) = later.look(back, at + timedelta(minutes=5)).ended
    assert ended.alarm_id == "0123456789abcdef"


def test_ids_are_the_same_for_the_same_alarm_and_others_for_others():
    one = alarm_id("off_post", "a", NOON)
    assert one == alarm_id("off_post", "a", NOON, "A", "noon")
    assert len({one, alarm_id("off_post", "b", NOON), alarm_id("standing", "a", NOON)}) == 3
    assert alarm_id("round_at_risk", "", NOON, "A") != alarm_id("round_at_risk", "", NOON, "B")
    assert len(one) == 16


def test_positions_without_a_column_are_refused():
    with pytest.raises(ColumnError, match="positions lack lat"):
        watch().look(pd.DataFrame({"time": [], "lon": []}), NOON)


# --- laws and the twin ---------------------------------------------------------------------------

pieces = st.lists(
    st.tuples(st.integers(2, 25), st.sampled_from(["A", "far", "silent", "stand"])),
    min_size=1, max_size=8,
)  # fmt: skip
days = st.tuples(pieces, pieces, st.sampled_from([20, 60, 240]))


def draw(day) -> pd.DataFrame:
    """Two workers from 11:40 on, each in pieces of minutes; a third is always heard."""
    rows = []
    for worker, plan in zip("ab", day[:2], strict=True):
        minute = -20
        for length, where in plan:
            if where == "stand":
                spot = INSIDE["A" if worker == "a" else "B"]
                for s in range(minute * 60, (minute + length) * 60, day[2]):
                    rows.append(fix(worker, NOON + timedelta(seconds=s), *spot))
            elif where != "silent":
                place = where if where == "far" else worker.upper()
                rows += walk(worker, place, minute, minute + length, every_s=day[2])
            minute += length
    return frame(rows, walk("c", "C", -20, 80, every_s=60)).sort_values("time", ignore_index=True)


steady = settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


def facts(alarms) -> list[tuple]:
    return sorted((a.alarm_id, a.kind, a.fired_at, a.ended_at or NOON) for a in alarms)


@steady
@given(days, st.sampled_from([2.5, 7.0, 17.0]))
def test_one_look_or_many_tell_the_same(day, every):
    fixes = draw(day)
    whole = play(fixes, 75, every=200, begin=-21)
    steps = play(fixes, 75, every=every, begin=-21)
    assert facts(steps[0]) == facts(whole[0])
    assert facts(steps[1]) == facts(whole[1])
    assert steps[2] == whole[2]


@steady
@given(days)
def test_no_alarm_fires_before_its_delay_flaps_or_outlives_its_round(day):
    opened, ended, _ = play(draw(day), 75, every=4, begin=-21)
    rules = AlarmRules()
    for alarm in opened:
        if alarm.kind != "round_at_risk":
            delay = getattr(rules, f"{alarm.kind}_delay_s")
            assert (alarm.fired_at - alarm.began_at).total_seconds() >= delay
        if alarm.kind != "out_of_grid":
            assert alarm.began_at >= NOON
    over = {a.alarm_id: a.ended_at for a in ended}
    assert len(over) == len(ended)
    for alarm in opened:
        end = over.get(alarm.alarm_id)
        if alarm.kind != "out_of_grid":
            assert end is not None
            assert alarm.fired_at <= end <= NOON + timedelta(hours=1)
    by_key: dict = {}
    for alarm in sorted(opened, key=lambda a: a.fired_at):
        before = by_key.get(alarm.key)
        if before is not None:
            # The next of a kind begins only after the one before was over.
            assert before <= alarm.began_at
        by_key[alarm.key] = over.get(alarm.alarm_id, NOON + timedelta(days=1))


@steady
@given(days)
def test_off_post_is_as_an_obvious_twin_finds_it(day):
    """Fix by fix with plain numbers, for worker a."""
    fixes = draw(day)
    opened, _, _ = play(fixes, 75, every=5, begin=-21)
    found = [
        (minute_of(a.began_at), minute_of(a.fired_at))
        for a in opened
        if (a.kind, a.worker_id) == ("off_post", "a")
    ]
    assert found == twin_off_post(fixes[fixes["worker_id"] == "a"])


def twin_off_post(mine: pd.DataFrame) -> list[tuple[float, float]]:
    rules = AlarmRules()
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:4547", always_xy=True)
    told, since, over, is_open = [], None, None, False
    last = x = y = None
    for row in mine.itertuples():
        t = (row.time - NOON).total_seconds()
        px, py = to_metres.transform(row.lon, row.lat)
        torn = last is None or t - last > rules.gap_s
        if torn:
            x, y, over = px, py, None
            if not is_open:
                since = None
        else:
            weight = 1 - np.exp(-(t - last) / 15)
            x, y = x + (px - x) * weight, y + (py - y) * weight
        if last is not None and t - last >= rules.no_signal_delay_s:
            is_open, since = False, None
        before_round = last is None or last < 0
        last = t
        if not 0 <= t < 3600:
            continue
        if before_round:
            since, over = None, None
        away = GRIDS.geometry["A"].distance(shapely.Point(x, y)) > rules.near_m
        if away:
            over = None
            since = t if since is None else since
            if not is_open and t - since >= rules.off_post_delay_s:
                is_open = True
                told.append((round(since / 60, 2), round(t / 60, 2)))
        else:
            over = t if over is None else over
            if t - over >= rules.off_post_clear_s:
                is_open, since = False, None
    return told
