"""Laws of the book: whatever people try, the row of a case is what its log adds up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.deadlines import find_deadlines, lengthen_deadlines
from geo.errors import WanggeError
from geo.incidents import OPEN_STAGES, ROLES, STANDARD_MOVES, find_clocks, fold
from geo.io.casebook import CaseBook
from geo.io.rules import read_rules
from geo.io.workspace import create_workspace

START = datetime(2026, 2, 13, 1, 0, tzinfo=UTC)
MOVES = sorted({move.name for move in STANDARD_MOVES} - {"report"})
OFTEN = ("register", "dispatch", "accept", "feed_back", "ask_postponement", "approve_postponement")
RULES = {
    "plain": "name,value\n",
    "strange": "name,value\nclock_starts_at,collected\nclock_restart_on,transfer rework\n"
    "clock_stands_while,postponed returned\npause_from,request\nday_rule,clock\n",
}

STORIES = (
    (),
    ("register", "dispatch"),
    ("register", "dispatch", "ask_postponement", "approve_postponement"),
    ("register", "dispatch", "accept", "feed_back"),
)
"""How the first case begins, so that later moves are met as well."""

attempts = st.lists(
    st.fixed_dictionaries(
        {
            "case": st.integers(0, 2),
            "move": st.one_of(st.sampled_from(MOVES), st.sampled_from(OFTEN)),
            "role": st.one_of(st.just(None), st.sampled_from(ROLES)),
            "minutes": st.integers(0, 4000),
            "behind": st.sampled_from([0, 0, 0, 0, 1]),
            "note": st.sampled_from([None, "n", " "]),
            "owner": st.sampled_from([None, "D01", "D02"]),
            "until": st.sampled_from([None, 60, 3000, -5]),
            "other": st.integers(0, 2),
        }
    ),
    min_size=4,
    max_size=12,
)


@pytest.fixture(scope="module", params=RULES)
def book(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("laws") / "city"
    with create_workspace(folder) as workspace:
        (folder / "rules").mkdir()
        (folder / "rules" / "case_rules.csv").write_text(RULES[request.param], encoding="utf-8")
        yield CaseBook(workspace, read_rules(workspace))


def read_log(workspace, incident_id):
    log = workspace.table("incident_log")
    return workspace.read("incident_log", where=log.c.incident_id == incident_id)


def expected_row(book, log, class_code):
    """What the row must say, worked out again from the log and the kernels alone."""
    case, rules = fold(log), book.rules
    mine = rules.case
    clocks = find_clocks(log, starts_at=mine.starts_at, restart_on=mine.restart_on,
                         stands_while=mine.stands_while, pause_from=mine.pause_from)  # fmt: skip
    limit = rules.limit(class_code, case.condition)
    told = log.loc[log["move"] == "recorded", "until"].dropna()
    deadline = pd.NaT
    if len(told):
        due = pd.Series([told.iloc[-1]], index=clocks.start.index)
        units = pd.Series([limit.unit if limit else None], index=due.index, dtype="str")
        deadline = lengthen_deadlines(
            due, clocks.pauses, units=units, calendar=rules.calendar
        ).iloc[0]
    elif limit is not None:
        cases = pd.DataFrame({"start": clocks.start, "amount": limit.amount, "unit": limit.unit})
        deadline = find_deadlines(
            cases, calendar=rules.calendar, pauses=clocks.pauses, day_rule=mine.day_rule
        )["deadline"].iloc[0]
    return {
        "stage": case.stage,
        "owner": case.owner,
        "level": case.level,
        "condition": case.condition,
        "paused_until": case.postponed_until,
        "closed_at": None if case.stage in OPEN_STAGES else case.closed_at,
        "deadline": None if pd.isna(deadline) else deadline.to_pydatetime(),
    }


def stored_row(workspace, incident_id):
    table = workspace.table("incidents")
    row = workspace.read("incidents", where=table.c.incident_id == incident_id).iloc[0]
    return row


def dump(workspace):
    with workspace.reading() as conn:
        return [
            conn.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1").all()
            for name in ("incidents", "incident_log")
        ]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=st.sampled_from(STORIES), tries=attempts)
def test_any_attempts_leave_rows_that_their_logs_add_up_to_and_logs_that_only_grew(
    book, story, tries
):
    workspace = book.workspace
    ids = [
        book.report(at=START, by="Li", role="grid_worker", class_code=code).case.incident_id
        for code in ("E0102", "E0103", "C0118")
    ]
    told = {
        "incident_id": f"old-{ids[0]}",
        "class_code": "E0102",
        "reported_at": START,
        "stage": "dispatched",
        "deadline": START + timedelta(hours=30),
    }
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", pd.DataFrame([told]))
    ids[2] = told["incident_id"]
    begin = {"case": 0, "role": None, "minutes": 7, "behind": 0, "note": "n", "owner": "D01",
             "until": 3000, "other": 1}  # fmt: skip
    tries = [begin | {"move": move} for move in story] + tries
    at, logs = START, {name: read_log(workspace, name) for name in ids}
    for attempt in tries:
        at += timedelta(minutes=attempt["minutes"])
        name = ids[attempt["case"]]
        role = attempt["role"] or next(
            move.roles[0] for move in STANDARD_MOVES if move.name == attempt["move"]
        )
        until = attempt["until"]
        before = dump(workspace)
        try:
            book.move(
                name, attempt["move"], at=at, by=f"{role} {attempt['minutes']}", role=role,
                seen=book.read(name, at=at).case.seq - attempt["behind"], note=attempt["note"],
                owner=attempt["owner"], other_id=ids[attempt["other"]],
                until=None if until is None else at + timedelta(minutes=until),
            )  # fmt: skip
        except WanggeError:
            assert dump(workspace) == before, "a refused move changed something"
        for other in ids:
            grown = read_log(workspace, other)
            old = logs[other]
            pd.testing.assert_frame_equal(grown.iloc[: len(old)], old)
            logs[other] = grown
    for name in ids:
        if logs[name].empty:
            continue
        row = stored_row(workspace, name)
        for column, value in expected_row(book, logs[name], row["class_code"]).items():
            found = None if pd.isna(row[column]) else row[column]
            assert found == (None if value is None else pd.Timestamp(value).floor("ms")
                             if isinstance(value, datetime) else value), column  # fmt: skip
        file = book.read(name, at=at)
        assert file.row["stage"] == file.case.stage == logs[name]["stage"].iloc[-1]
    # All at once is as one by one: nothing is left to settle.
    assert book.settle_deadlines() == 0
