"""The cases of an invented city: logs that could have been made, rows as they fold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from geo.datum import to_metric
from geo.deadlines import WorkingCalendar, find_deadlines, find_limits, overrides_from_table
from geo.incidents import (
    OPEN_STAGES,
    STANDARD_MOVES,
    apply,
    find_clocks,
    fold,
    log_rows,
    report,
    summarise,
)
from geo.similar import find_flare_ups, find_similar
from geo.synth import City, Preset, build_city
from geo.synth.incidents import PAIR_H, PAIR_M

AT = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


def town(**figures: object) -> Preset:
    """Twenty-four grids in four communities and two streets, with flaws in every book."""
    usual = {"name": "town", "title": "小城", "lon": 111.3, "lat": 30.7, "province": "42"}
    usual |= {"grids": 24, "communities": 4, "streets": 2, "incidents_a_day": 1.0}
    usual |= {"roles": {"grid_worker": 24, "grid_head": 24, "police": 2, "assistant": 5}}
    return Preset(**(usual | figures))


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(town(), seed=3, at=AT, parts=("workers", "incidents"))


@pytest.fixture(scope="module")
def logs(city: City) -> dict[str, pd.DataFrame]:
    return dict(iter(city["incident_log"].groupby("incident_id")))


def test_every_row_of_every_log_could_have_been_made_by_apply(city, logs):
    for rows in map(log_rows, logs.values()):
        first = rows[0]
        case, made = report(
            first.incident_id, at=first.at, by=first.by, role=first.role, level=first.level
        )
        assert made == first
        for row in rows[1:]:
            # A raise finds its level by itself.
            level = None if row.move == "raise" else row.level
            case, made = apply(
                case, row.move, at=row.at, by=row.by, role=row.role, seen=case.seq, note=row.note,
                owner=row.owner, level=level, until=row.until, other_id=row.other_id,
                condition=row.condition,
            )  # fmt: skip
            assert made == row


def test_a_row_of_incidents_is_what_its_log_folds_to(city, logs):
    def known(value: object) -> object:
        return None if pd.isna(value) else value

    for row in city["incidents"].itertuples():
        case = fold(logs[row.Index])
        assert (case.stage, case.level) == (row.stage, row.level)
        assert (case.owner, case.condition) == (known(row.owner), known(row.condition))
        assert case.closed_at == known(row.closed_at)
        assert case.postponed_until == known(row.paused_until)
        assert case.reported_at == row.reported_at


def test_the_table_of_all_cases_agrees_with_the_summary_of_all_logs(city):
    summary = summarise(city["incident_log"]).reindex(city["incidents"].index)
    for name in ("stage", "owner", "level", "condition", "closed_at"):
        pd.testing.assert_series_equal(
            summary[name], city["incidents"][name], check_dtype=False, check_names=False
        )


def test_deadlines_are_those_of_the_limits_and_the_calendar_that_come_with_the_city(city):
    cases, clocks = city["incidents"], find_clocks(city["incident_log"])
    told = city["calendar"].reset_index().rename(columns={"day": "date"})
    limits = find_limits(cases["class_code"], cases["condition"], limits=city.rules["time_limits"])
    assert limits["amount"].notna().all()
    due = find_deadlines(
        limits.assign(start=clocks.start.reindex(cases.index)),
        calendar=WorkingCalendar(overrides=overrides_from_table(told)),
        pauses=clocks.pauses,
    )["deadline"]
    pd.testing.assert_series_equal(due, cases["deadline"], check_dtype=False)


def test_a_city_looked_at_in_a_year_without_a_notice_tells_its_holidays_itself():
    late = datetime(2027, 12, 30, 4, 30, tzinfo=UTC)
    made = build_city(town(), seed=3, at=late, parts=("incidents",))
    assert {day[:4] for day in made["calendar"].index} == {"2027", "2028"}
    assert made["incidents"]["deadline"].notna().mean() > 0.9


def test_every_side_move_occurs_and_none_is_common(city):
    moves = city["incident_log"]["move"].value_counts()
    straight = {"report", "verify", "register", "dispatch", "accept", "feed_back", "close"}
    turns = {move.name for move in STANDARD_MOVES} - straight - {"remark"}
    assert turns <= set(moves.index)
    assert moves[sorted(turns)].max() < 0.1 * len(city["incidents"])


def test_movers_are_people_who_hold_the_post_that_they_move_as(city):
    log, workers = city["incident_log"], city["workers"]
    assert log["by"].isin(workers.index).all()
    desks = ["acceptor", "dispatcher", "inspector", "shift_leader"]
    held = log["role"].isin(desks)
    assert (workers["role"].reindex(log["by"][held]).to_numpy() == log["role"][held]).all()


def test_a_case_goes_to_the_department_that_owns_the_asset(city):
    cases, offices = city["incidents"], city["departments"]["name"]
    lights = cases[(cases["class_code"] == "C0118") & (cases["stage"] == "closed")]
    owners = offices.reindex(lights["owner"])
    # One in twenty ended without a check while it was astray.
    assert (owners == "路灯管理所").mean() > 0.9
    noise = cases[(cases["class_code"] == "E0301") & (cases["stage"] == "closed")]
    assert (offices.reindex(noise["owner"]) == "生态环境局").mean() > 0.9


def test_planted_black_spots_come_back_and_are_found_as_such(city):
    cases = city["incidents"]
    placed = to_metric(cases[cases.geometry.notna()])
    history = find_flare_ups(placed, within_m=25, within_days=10)
    truth = city.truth["black_spots"]
    assert truth["spot"].nunique() >= 3
    for _, mine in truth.groupby("spot"):
        assert len(mine) >= 3
        assert history["place_id"].reindex(mine["incident_id"]).nunique() == 1
        returned = history["returns_to"].reindex(mine["incident_id"][1:])
        assert returned.notna().all()


def test_planted_pairs_are_similar_and_merged_ones_say_into_which(city, logs):
    cases, truth = city["incidents"], city.truth["similar"]
    placed = to_metric(cases[cases.geometry.notna()])
    found = find_similar(placed, placed, within_m=PAIR_M, within_h=PAIR_H)
    pairs = set(zip(found["incident_id"], found["similar_id"], strict=True))
    assert len(truth) >= 3
    assert truth["is_merged"].nunique() == 2
    for row in truth.itertuples():
        assert (row.incident_id, row.similar_id) in pairs
        case, keeper = fold(logs[row.incident_id]), fold(logs[row.similar_id])
        assert (case.merged_into == row.similar_id) == row.is_merged
        assert (row.incident_id in keeper.absorbed) == row.is_merged


def test_there_is_a_month_of_last_year_to_compare_with(city):
    reported = city["incidents"]["reported_at"]
    this = reported[reported > AT - timedelta(days=30)]
    then = reported[(reported > AT - timedelta(days=395)) & (reported <= AT - timedelta(days=365))]
    assert 0.7 < len(then) / len(this) < 1.1
    between = (reported > AT - timedelta(days=360)) & (reported < AT - timedelta(days=61))
    assert not between.any()


def test_open_cases_stand_at_several_stages_and_some_are_late_or_wait():
    busy = build_city(town(incidents_a_day=12.0), seed=5, at=AT, parts=("incidents",))["incidents"]
    waiting = busy[busy["stage"].isin(OPEN_STAGES)]
    assert set(waiting["stage"]) == set(OPEN_STAGES)
    assert (waiting["deadline"] < AT).any()
    assert (waiting["paused_until"] > AT).any()


def test_who_could_not_say_where_has_an_address_and_no_point(city):
    cases = city["incidents"]
    unplaced = cases[cases.geometry.isna()]
    assert len(unplaced)
    assert cases["address"].notna().all()
    assert unplaced["address"].str.contains("具体位置不详").all()
    streets = tuple(city["divisions"].query("level == 'street'")["name"])
    assert cases[cases.geometry.notna()]["address"].str.startswith(streets).all()
    assert np.isnan(unplaced["lon"]).all()
