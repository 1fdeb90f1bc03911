"""Laws of the log on random lives of cases, and tables of many against one case at a time."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import ColumnError, InputError
from geo.incidents import (
    OPEN_STAGES,
    ROLES,
    Case,
    LogError,
    LogRow,
    allowed_moves,
    apply,
    find_clocks,
    find_holdings,
    fold,
    log_table,
    report,
    stage_of,
    summarise,
)
from geo.schema import STAGES

START = datetime(2026, 2, 13, 2, 0, tzinfo=UTC)
GRANTED = (
    ("register", "acceptor"),
    ("dispatch", "dispatcher"),
    ("ask_postponement", "handler"),
    ("approve_postponement", "shift_leader"),
)


@st.composite
def lives(draw, incident_id="case-1", most=14):
    """A case that was moved at random, by moves that were allowed; some begin in granted time."""
    at = START + timedelta(minutes=draw(st.integers(0, 600)))
    case = report(incident_id, at=at, by="Li", role="grid_worker")[0]
    for move, role in GRANTED if draw(st.booleans()) else ():
        extra = {"owner": "roads", "note": "n", "until": at + timedelta(days=1)}
        case = apply(case, move, at=at, by=role, role=role, seen=case.seq, **extra)[0]
    for _ in range(draw(st.integers(0, most))):
        at = case.log[-1].at + timedelta(minutes=draw(st.integers(0, 300)))
        offers = [(role, move) for role in ROLES for move in allowed_moves(case, role, at=at)]
        if not offers:
            break
        role, move = draw(st.sampled_from(offers))
        needed = {
            "note": "n",
            "owner": f"office {case.seq}",
            "until": at + timedelta(minutes=draw(st.integers(1, 900))),
            "other_id": f"other {case.seq}",
        }
        extra = {name: needed[name] for name in move.needs}
        if move.name == "approve_postponement":
            extra["until"] = needed["until"]
        by = f"{role} {case.seq}"
        case = apply(case, move.name, at=at, by=by, role=role, seen=case.seq, **extra)[0]
    return case


@settings(max_examples=80, deadline=None)
@given(case=lives(), cut=st.integers(1, 15))
def test_the_first_rows_of_a_log_are_the_case_as_it_was_then(case, cut):
    then = fold(case.log[:cut])
    assert then.log == case.log[:cut]
    for number in range(cut + 1, len(case.log) + 1):
        now = fold(case.log[:number])
        assert now.log[: len(then.log)] == then.log
        for name in ("supervised", "returned", "reworked", "transferred", "raised", "postponed"):
            assert getattr(now, name) >= getattr(then, name)
        assert then.is_open
        then = now
    assert fold(case.log) == case


@settings(max_examples=60, deadline=None)
@given(case=lives())
def test_a_case_is_where_its_last_row_says_and_times_only_go_forward(case):
    assert case.stage == case.log[-1].stage
    assert [row.seq for row in case.log] == list(range(1, len(case.log) + 1))
    times = [row.at for row in case.log]
    assert times == sorted(times)
    assert (case.closed_at is None) == case.is_open
    assert (case.stage in OPEN_STAGES) == case.is_open
    assert fold(log_table(case.log)) == case


def recorded_logs():
    """Logs as imports write them: stages in any order, no moves."""
    stages = st.lists(st.sampled_from(STAGES), min_size=1, max_size=8)
    return stages.map(
        lambda words: fold(
            LogRow("case-1", k, START + timedelta(hours=k), stage)
            for k, stage in enumerate(words, start=1)
        )
    )


def renamed(case, incident_id):
    rows = log_table(case.log).assign(incident_id=incident_id)
    return fold(rows)


@settings(max_examples=80, deadline=None)
@given(
    batch=st.lists(st.one_of(lives(), recorded_logs()), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_a_table_of_logs_says_what_each_log_says(batch, seed):
    cases = [renamed(case, f"case-{k}") for k, case in enumerate(batch)]
    table = log_table(row for case in cases for row in case.log)
    table = table.sample(frac=1, random_state=seed)
    found = summarise(table)
    assert found.index.tolist() == [case.incident_id for case in cases]
    names = [field.name for field in fields(Case)]
    left_out = {"incident_id", "log", "absorbed", "asked_by"}
    assert set(found.columns) == {name for name in names if name not in left_out} | {
        "seq",
        "last_at",
    }
    for case in cases:
        row = found.loc[case.incident_id]
        for name in found.columns:
            wanted = case.log[-1].at if name == "last_at" else getattr(case, name)
            value = None if pd.isna(row[name]) else row[name]
            assert value == wanted, (name, value, wanted, case.log)
    assert stage_of(table).to_dict() == {case.incident_id: case.stage for case in cases}


def slow_holdings(case):
    """Fold every prefix and write down when owner or level became another."""
    rows = []
    for number in range(1, len(case.log) + 1):
        now = fold(case.log[:number])
        at = case.log[number - 1].at
        state = (now.owner, now.level) if now.is_open else None
        if rows and rows[-1]["state"] == state:
            continue
        if rows and rows[-1]["until"] is None:
            rows[-1]["until"] = at
        rows.append({"state": state, "since": at, "until": None})
    return [(*row["state"], row["since"], row["until"]) for row in rows if row["state"]]


def slow_pauses(case):
    """Walk along the log and note when granted time ran."""
    spans = []
    for number in range(1, len(case.log) + 1):
        row, now = case.log[number - 1], fold(case.log[:number])
        if row.move == "approve_postponement":
            spans.append([row.at, row.until])
        elif spans and now.postponed_until is None and spans[-1][1] > row.at:
            spans[-1][1] = row.at
    return spans


@settings(max_examples=80, deadline=None)
@given(batch=st.lists(lives(most=20), min_size=1, max_size=4))
def test_who_had_a_case_and_when_its_clock_stood_agree_with_a_walk_along_the_log(batch):
    cases = [renamed(case, f"case-{k}") for k, case in enumerate(batch)]
    table = log_table(row for case in cases for row in case.log)
    holdings, clocks = find_holdings(table), find_clocks(table)
    for case in cases:
        mine = holdings[holdings["incident_id"] == case.incident_id]
        rows = [
            tuple(None if pd.isna(value) else value for value in row)
            for row in mine.drop(columns="incident_id").itertuples(index=False)
        ]
        assert rows == slow_holdings(case)
        pauses = clocks.pauses[clocks.pauses["incident_id"] == case.incident_id]
        spans = [[a, b] for a, b in zip(pauses["start"], pauses["end"], strict=True)]
        assert spans == slow_pauses(case)
        start = clocks.start[case.incident_id]
        assert (None if pd.isna(start) else start) == case.dispatched_at
        last = case.log[-1].at
        assert clocks.is_paused(last)[case.incident_id] == case.is_postponed(last)


def test_a_log_of_no_case_gives_empty_tables():
    empty = log_table([])
    assert len(summarise(empty)) == len(stage_of(empty)) == len(find_holdings(empty)) == 0
    clocks = find_clocks(empty)
    assert len(clocks.start) == len(clocks.pauses) == 0
    assert "stage" in summarise(empty).columns


def test_a_row_that_stands_twice_is_refused():
    rows = [LogRow("case-1", 1, START, "opened")] * 2
    with pytest.raises(LogError, match="log of case-1 has row 1 twice"):
        summarise(log_table(rows))


def test_a_log_without_its_columns_or_with_unknown_wishes_is_refused():
    log = log_table([LogRow("case-1", 1, START, "opened")])
    with pytest.raises(ColumnError, match="the log lacks at: it has"):
        summarise(log.drop(columns="at"))
    with pytest.raises(InputError, match="restart_on has 'lunch': use any of dispatch"):
        find_clocks(log, restart_on=["lunch"])
    with pytest.raises(InputError, match="stands_while has 'asleep'"):
        find_clocks(log, stands_while=["asleep"])
    with pytest.raises(InputError, match="starts_at has 'closed'"):
        find_clocks(log, starts_at="closed")


def test_fifty_thousand_cases_are_summed_up_as_their_first_ones_are():
    stages = np.array(["collected", "opened", "dispatched", "handling", "fed_back", "closed"])
    many = 50_000
    table = pd.DataFrame(
        {
            "incident_id": np.repeat([f"c{k:06d}" for k in range(many)], 6),
            "seq": np.tile(np.arange(1, 7), many),
            "at": pd.Timestamp(START) + pd.to_timedelta(np.arange(6 * many), unit="min"),
            "stage": np.tile(stages, many),
        }
    ).sample(frac=1, random_state=3)
    found = summarise(table)
    assert found["stage"].eq("closed").all()
    one = fold(table[table["incident_id"] == "c012345"])
    assert found.loc["c012345", "fed_back_at"] == one.fed_back_at
    assert found.loc["c012345", "dispatched_at"] == one.dispatched_at
