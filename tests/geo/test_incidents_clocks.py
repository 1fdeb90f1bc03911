"""Clocks of cases that change hands, worked out by hand.

Monday 2026-03-02, hours 09:00-12:00 and 14:00-18:00, a limit of four working hours unless said:
dispatched at 09:00, so due at 15:00 if nothing happens.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from geo.deadlines import find_deadlines, read_clocks
from geo.incidents import apply, find_clocks, find_holdings, log_table, report

SHANGHAI = ZoneInfo("Asia/Shanghai")


def moment(text):
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


ROLE = {
    "register": "acceptor",
    "dispatch": "dispatcher",
    "accept": "handler",
    "return": "handler",
    "transfer": "dispatcher",
    "raise": "handler",
    "ask_postponement": "handler",
    "approve_postponement": "shift_leader",
    "resume": "handler",
    "feed_back": "handler",
    "rework": "inspector",
    "close": "inspector",
    "handle_on_spot": "grid_worker",
}


def live(*moves, reported="03-02 08:00"):
    """The log of a case: `(time, move)`, or with the time until which it is postponed."""
    case, _ = report("case-1", at=moment(reported), by="Li", role="grid_worker")
    for time, move, *until in moves:
        case, _ = apply(
            case, move, at=moment(time), by=f"{ROLE[move]} {case.seq}", role=ROLE[move],
            seen=case.seq, note="n", owner=f"office {case.seq}",
            until=moment(until[0]) if until else None,
        )  # fmt: skip
    return log_table(case.log)


def due(log, amount=4, unit="working_hours", **how):
    clocks = find_clocks(log, **how)
    cases = clocks.start.to_frame().assign(amount=float(amount), unit=unit)
    return find_deadlines(cases, pauses=clocks.pauses)["deadline"]["case-1"]


START = [("03-02 08:30", "register"), ("03-02 09:00", "dispatch")]
TRANSFER = [*START, ("03-02 11:00", "transfer")]
REWORK = [
    *START, ("03-02 09:30", "accept"), ("03-02 11:00", "feed_back"), ("03-02 16:00", "rework"),
]  # fmt: skip
RETURN = [*START, ("03-02 10:00", "return"), ("03-02 14:30", "dispatch")]
POSTPONE = [
    *START,
    ("03-02 10:00", "ask_postponement", "03-04 09:00"),
    ("03-02 11:00", "approve_postponement"),
]
RAISE = [
    ("02-13 15:00", "register"), ("02-13 16:00", "dispatch"), ("02-14 10:00", "raise"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("moves", "how", "expected"),
    [
        # 09:00 to 12:00 and 14:00 to 15:00, whoever has it
        (TRANSFER, {}, "03-02 15:00"),
        # four hours for the new office from 11:00: one till lunch, three after it
        (TRANSFER, {"restart_on": ["transfer"]}, "03-02 17:00"),
        # checking took from 11:00 to 16:00 and the four hours went by
        (REWORK, {}, "03-02 15:00"),
        # 11:00 to 12:00 and 14:00 to 16:00 were the inspector's: three hours more
        (REWORK, {"stands_while": ["checking"]}, "03-02 18:00"),
        # four hours from 16:00: two today, two tomorrow
        (REWORK, {"restart_on": ["rework"]}, "03-03 11:00"),
        # back with the dispatcher from 10:00 to 14:30
        (RETURN, {}, "03-02 15:00"),
        # of which 2.5 were working hours
        (RETURN, {"stands_while": ["returned"]}, "03-02 17:30"),
        # four hours from 14:30: three and a half today
        (RETURN, {"restart_on": ["dispatch"]}, "03-03 09:30"),
        # two of four hours used by the approval at 11:00, two left on Wednesday
        (POSTPONE, {}, "03-04 11:00"),
        # one used by the request at 10:00, three left
        (POSTPONE, {"pause_from": "request"}, "03-04 12:00"),
        # two left when it goes on before time, on Tuesday at 14:00
        ([*POSTPONE, ("03-03 14:00", "resume")], {}, "03-03 16:00"),
        # transferred on Tuesday 09:00: the granted time ends with it, two hours are left
        ([*POSTPONE, ("03-03 09:00", "transfer")], {}, "03-03 11:00"),
        # a city whose clock does not stop
        (POSTPONE, {"stands_while": []}, "03-02 15:00"),
        # from the report at 08:00 or the opening at 08:30: both count from 09:00
        (START, {"starts_at": "collected"}, "03-02 15:00"),
        (START, {"starts_at": "opened"}, "03-02 15:00"),
    ],
    ids=[
        "transfer: the clock runs on",
        "transfer: the clock begins anew",
        "rework: the clock runs on",
        "rework: checking does not count",
        "rework: the clock begins anew",
        "return: the clock runs on",
        "return: the desk does not count",
        "return: the clock begins anew",
        "postponed from the approval",
        "postponed from the request",
        "postponed and resumed",
        "postponed and transferred",
        "postponed in vain",
        "from the report",
        "from the opening",
    ],
)
def test_four_working_hours_end_as_worked_out_by_hand(moves, how, expected):
    assert due(live(*moves), **how) == moment(expected)


def test_a_raised_case_gets_its_days_anew_where_the_city_says_so():
    log = live(*RAISE, reported="02-13 14:00")
    # dispatched on Friday 13: the make-up Saturday 14 and Tuesday 24
    assert due(log, 2, "working_days") == moment("02-24 18:00")
    # raised on Saturday 14: Tuesday 24 and Wednesday 25
    assert due(log, 2, "working_days", restart_on=["raise"]) == moment("02-25 18:00")


def test_a_rise_before_dispatch_starts_no_clock():
    log = live(("03-02 08:30", "raise"), ("03-02 09:00", "register"))
    assert find_clocks(log, restart_on=["raise"]).start.isna().all()


def test_a_case_put_right_on_the_spot_has_no_deadline():
    log = live(("03-02 08:10", "handle_on_spot"))
    assert pd.isna(due(log))
    assert due(log, 1, "urgent_hours", starts_at="collected") == moment("03-02 09:00")


def test_an_imported_log_without_a_dispatch_starts_where_work_starts():
    log = pd.DataFrame(
        {
            "incident_id": "case-1",
            "seq": [1, 2, 3],
            "at": pd.to_datetime(
                [moment("03-02 08:00"), moment("03-02 09:00"), moment("03-02 17:00")], utc=True
            ),
            "stage": ["opened", "handling", "closed"],
        }
    )
    assert due(log) == moment("03-02 15:00")


def test_a_postponed_case_reads_as_paused_until_its_clock_goes_on():
    log = live(*POSTPONE)
    clocks = find_clocks(log)
    deadline = find_deadlines(
        clocks.start.to_frame().assign(amount=4.0, unit="working_hours"), pauses=clocks.pauses
    )["deadline"]
    told = {}
    for text in ("03-02 10:30", "03-02 11:00", "03-04 08:59", "03-04 09:00", "03-04 11:01"):
        at = moment(text)
        state = read_clocks(deadline, at=at, is_paused=clocks.is_paused(at), soon_h=1)["state"]
        told[text] = state["case-1"]
    assert told == {
        "03-02 10:30": "fine",
        "03-02 11:00": "paused",
        "03-04 08:59": "paused",
        "03-04 09:00": "fine",
        "03-04 11:01": "late",
    }


def test_who_had_the_case_is_told_with_dates():
    log = live(*RETURN, ("03-02 15:00", "raise"), ("03-02 16:00", "accept"),
               ("03-02 17:00", "feed_back"), ("03-02 17:30", "close"))  # fmt: skip
    found = find_holdings(log)
    told = [
        (
            None if pd.isna(row.owner) else row.owner,
            row.level,
            f"{row.since.tz_convert(SHANGHAI):%H:%M}",
            f"{row.until.tz_convert(SHANGHAI):%H:%M}",
        )
        for row in found.itertuples()
    ]
    assert told == [
        (None, "grid", "08:00", "08:30"),
        ("office 1", "grid", "08:30", "09:00"),
        ("office 2", "grid", "09:00", "10:00"),
        (None, "grid", "10:00", "14:30"),
        ("office 4", "grid", "14:30", "15:00"),
        ("office 5", "community", "15:00", "16:00"),
        ("office 6", "community", "16:00", "17:00"),
        ("office 7", "community", "17:00", "17:30"),
    ]
