"""Which move is allowed from where and by whom, what it writes down, and why others are refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from geo.errors import InputError, RuleError
from geo.incidents import (
    CASE_LEVELS,
    LOG_COLUMNS,
    OPEN_STAGES,
    RECORDED,
    ROLES,
    STANDARD_MOVES,
    LogError,
    LogRow,
    Move,
    MoveRefusedError,
    StaleMoveError,
    allowed_moves,
    apply,
    changes_since,
    fold,
    log_rows,
    log_table,
    merge_cases,
    report,
)
from geo.schema import STAGES, TABLES

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
EXTRA = {
    "note": "because",
    "owner": "greens office",
    "until": MONDAY + timedelta(days=30),
    "other_id": "case-2",
}


def do(case, move, role, minutes=10, by=None, **extra):
    """Make a move ten minutes after the last row, with the last row seen."""
    at = case.log[-1].at + timedelta(minutes=minutes)
    return apply(case, move, at=at, by=by or role, role=role, seen=case.seq, **extra)[0]


def new_case(incident_id="case-1"):
    return report(incident_id, at=MONDAY, by="Li", role="grid_worker", note="rubbish")[0]


@pytest.fixture
def at_stage():
    """A case at each open stage."""
    collected = new_case()
    opened = do(collected, "register", "acceptor")
    dispatched = do(opened, "dispatch", "dispatcher", owner="sanitation")
    handling = do(dispatched, "accept", "handler")
    fed_back = do(handling, "feed_back", "handler", note="cleared")
    cases = (collected, opened, dispatched, handling, fed_back)
    return {case.stage: case for case in cases}


def test_a_case_goes_from_report_to_close_and_its_log_says_who_when_what_and_why():
    case, row = report("case-1", at=MONDAY, by="Li", role="grid_worker", note=" rubbish ")
    assert row == LogRow(
        "case-1", 1, MONDAY, "collected", "report", "Li", "grid_worker", "rubbish", level="grid"
    )
    case = do(case, "verify", "grid_worker")
    case = do(case, "register", "acceptor", condition="litter")
    case = do(case, "dispatch", "dispatcher", owner="sanitation", level="street")
    case = do(case, "accept", "handler")
    case = do(case, "feed_back", "handler", note="cleared")
    case = do(case, "close", "inspector")
    told = [(row.seq, row.move, row.stage, row.role, row.note) for row in case.log]
    assert told == [
        (1, "report", "collected", "grid_worker", "rubbish"),
        (2, "verify", "collected", "grid_worker", None),
        (3, "register", "opened", "acceptor", None),
        (4, "dispatch", "dispatched", "dispatcher", None),
        (5, "accept", "handling", "handler", None),
        (6, "feed_back", "fed_back", "handler", "cleared"),
        (7, "close", "closed", "inspector", None),
    ]
    times = [
        case.reported_at, case.opened_at, case.dispatched_at, case.handling_at,
        case.fed_back_at, case.closed_at,
    ]  # fmt: skip
    assert times == [MONDAY + timedelta(minutes=m) for m in (0, 20, 30, 40, 50, 60)]
    assert (case.owner, case.level, case.condition) == ("sanitation", "street", "litter")
    assert case.is_verified
    assert not case.is_open


# Stage by stage what can be done at all, by anybody; the table of the standard's side moves.
POSSIBLE = {
    "collected": "absorb cancel handle_on_spot merge raise register remark supervise verify",
    "opened": "absorb cancel dispatch force_close handle_on_spot merge raise remark supervise",
    "dispatched": "absorb accept ask_postponement cancel force_close merge raise remark return "
    "supervise transfer",
    "handling": "absorb ask_postponement cancel feed_back force_close raise remark return "
    "supervise transfer",
    "fed_back": "absorb cancel close remark rework supervise",
}


@pytest.mark.parametrize("stage", OPEN_STAGES)
def test_from_each_stage_just_these_moves_lead_on(at_stage, stage):
    case = at_stage[stage]
    offered = {move.name for role in ROLES for move in allowed_moves(case, role)}
    assert offered == set(POSSIBLE[stage].split())


BY_ROLE = {
    ("collected", "grid_worker"): "handle_on_spot raise remark verify",
    ("collected", "acceptor"): "absorb cancel merge raise register remark verify",
    ("collected", "handler"): "raise remark",
    ("opened", "dispatcher"): "absorb dispatch merge raise remark supervise",
    ("opened", "acceptor"): "absorb cancel merge raise remark",
    ("dispatched", "handler"): "accept ask_postponement raise remark return",
    ("dispatched", "acceptor"): "absorb merge remark",
    ("handling", "handler"): "ask_postponement feed_back raise remark return",
    ("handling", "dispatcher"): "absorb raise remark supervise transfer",
    ("handling", "shift_leader"): "absorb cancel force_close raise remark supervise transfer",
    ("handling", "leader"): "remark supervise",
    ("fed_back", "handler"): "remark",
    ("fed_back", "inspector"): "close remark rework",
    ("fed_back", "dispatcher"): "absorb remark supervise",
}


@pytest.mark.parametrize(("stage", "role"), BY_ROLE, ids=lambda word: word)
def test_each_post_has_its_own_moves(at_stage, stage, role):
    offered = [move.name for move in allowed_moves(at_stage[stage], role)]
    assert sorted(offered) == BY_ROLE[stage, role].split()


def test_what_is_offered_is_what_goes_through(at_stage):
    names = list(dict.fromkeys(move.name for move in STANDARD_MOVES))
    tried = 0
    for case in at_stage.values():
        for role in ROLES:
            offered = {move.name for move in allowed_moves(case, role)}
            for name in names:
                tried += 1
                try:
                    do(case, name, role, **EXTRA)
                except MoveRefusedError:
                    assert name not in offered, (case.stage, role, name)
                else:
                    assert name in offered, (case.stage, role, name)
    assert tried == 5 * len(ROLES) * len(names)


@pytest.mark.parametrize("end", ["closed", "cancelled"])
def test_a_finished_case_stays_finished(at_stage, end):
    if end == "closed":
        case = do(at_stage["fed_back"], "close", "inspector")
    else:
        case = do(at_stage["collected"], "cancel", "acceptor", note="none of ours")
    assert case.stage == end
    assert not any(allowed_moves(case, role) for role in ROLES)
    with pytest.raises(MoveRefusedError, match=f"is {end} and stays so: report a new case") as told:
        do(case, "supervise", "leader", note="hurry")
    assert told.value.reason == "finished"


REFUSED = {
    "wrong_stage": ("collected", "close", "inspector", {}, "close is not possible while case-1 is "
                    "collected: it is allowed from fed_back"),
    "wrong_role": ("collected", "register", "handler", {}, "register is not for a handler while "
                   "case-1 is collected: ask acceptor, shift_leader"),
    "unknown_move": ("collected", "vanish", "handler", {}, "no move 'vanish': use one of verify"),
    "lacks_note": ("fed_back", "rework", "inspector", {"note": "  "}, "rework needs note"),
    "lacks_owner": ("opened", "dispatch", "dispatcher", {}, "dispatch needs owner"),
    "lacks_until": ("handling", "ask_postponement", "handler", {"note": "ice"}, "needs until"),
    "lacks_other_id": ("opened", "merge", "dispatcher", {}, "merge needs other_id"),
    "not_asked": ("handling", "approve_postponement", "dispatcher", {}, "the handler asks first"),
    "not_postponed": ("handling", "resume", "handler", {}, "its clock runs"),
    "same_owner": ("handling", "transfer", "dispatcher", {"owner": "sanitation", "note": "x"},
                   "sanitation has case-1 already"),
    "itself": ("opened", "merge", "dispatcher", {"other_id": "case-1"}, "merged with itself"),
    "too_late": ("handling", "ask_postponement", "handler", {"note": "ice", "until": MONDAY},
                 "not after"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_move_says_why_and_keeps_what_was_typed(at_stage, reason):
    stage, move, role, extra, words = REFUSED[reason]
    with pytest.raises(MoveRefusedError, match=words) as told:
        do(at_stage[stage], move, role, **extra)
    assert told.value.reason == reason
    assert isinstance(told.value, RuleError)
    assert told.value.attempt.move == move
    assert told.value.attempt.by == role


def test_a_move_may_not_be_dated_before_the_last_row(at_stage):
    with pytest.raises(MoveRefusedError, match="the log only goes forward") as told:
        do(at_stage["opened"], "supervise", "leader", minutes=-1, note="hurry")
    assert told.value.reason == "back_in_time"
    do(at_stage["opened"], "supervise", "leader", minutes=0, note="hurry")


def test_a_time_without_a_zone_is_refused(at_stage):
    case, naive = at_stage["opened"], datetime(2026, 3, 3)  # noqa: DTZ001
    with pytest.raises(InputError, match="at is 2026-03-03 00:00:00, without a zone"):
        apply(case, "supervise", at=naive, by="x", role="leader", seen=case.seq, note="n")


# -- two people at once


def test_the_second_of_two_dispatchers_is_told_what_changed_and_loses_nothing(at_stage):
    page_of_both = at_stage["opened"]
    first = do(page_of_both, "dispatch", "dispatcher", by="Wang", owner="sanitation")
    with pytest.raises(StaleMoveError) as told:
        apply(
            first, "dispatch", at=MONDAY + timedelta(hours=1), by="Zhao", role="dispatcher",
            seen=page_of_both.seq, owner="greens office", note="the bins, they say",
        )  # fmt: skip
    assert str(told.value) == (
        "case-1 was moved meanwhile: dispatch by Wang at 2026-03-02 01:20 UTC (now dispatched). "
        "Look at it and dispatch again"
    )
    assert told.value.changes == first.log[-1:]
    assert told.value.changes == changes_since(first, page_of_both.seq)
    assert (told.value.attempt.owner, told.value.attempt.note) == (
        "greens office",
        "the bins, they say",
    )
    assert told.value.reason == "stale"


def test_even_a_remark_in_between_is_shown_before_one_goes_on(at_stage):
    case = at_stage["opened"]
    now = do(case, "remark", "acceptor", note="the caller rang again")
    with pytest.raises(StaleMoveError, match="remark by acceptor"):
        apply(now, "cancel", at=MONDAY + timedelta(hours=1), by="Sun", role="acceptor",
              seen=case.seq, note="quiet now")  # fmt: skip


def test_a_row_that_the_store_does_not_have_yet_is_refused(at_stage):
    case = at_stage["opened"]
    with pytest.raises(LogError, match="row 9 of case-1 was seen, but the log ends at 2"):
        apply(
            case, "remark", at=MONDAY + timedelta(hours=1), by="x", role="leader", seen=9, note="n"
        )


# -- side moves


def test_a_returned_case_has_no_owner_until_it_is_dispatched_again(at_stage):
    case = do(at_stage["handling"], "return", "handler", note="not our street")
    assert (case.stage, case.owner, case.returned) == ("opened", None, 1)
    again = do(case, "dispatch", "dispatcher", owner="highways")
    assert again.owner == "highways"
    assert again.dispatched_at == MONDAY + timedelta(minutes=20)


def test_a_case_that_fails_its_check_is_handled_again(at_stage):
    case = do(at_stage["fed_back"], "rework", "inspector", note="still there")
    assert (case.stage, case.reworked, case.owner) == ("handling", 1, "sanitation")
    second = do(case, "feed_back", "handler", note="now it is gone")
    assert second.fed_back_at == MONDAY + timedelta(minutes=60)


def test_a_case_rises_level_by_level_and_no_further_than_the_city(at_stage):
    case = at_stage["handling"]
    for level in CASE_LEVELS[1:]:
        case = do(case, "raise", "handler", owner=f"{level} office", note="too big for us")
        assert (case.level, case.owner, case.stage) == (level, f"{level} office", "dispatched")
    assert case.raised == 4
    with pytest.raises(MoveRefusedError, match="at the city, and nothing is above") as told:
        do(case, "raise", "handler", owner="province", note="up")
    assert told.value.reason == "top_level"
    assert "raise" not in [move.name for move in allowed_moves(case, "handler")]


def test_before_dispatch_a_case_rises_without_an_owner(at_stage):
    case = do(at_stage["collected"], "raise", "grid_worker", note="not to be solved in the grid")
    assert (case.stage, case.level, case.owner) == ("collected", "community", None)


def test_a_transfer_goes_across_and_may_set_another_level(at_stage):
    case = do(at_stage["handling"], "transfer", "dispatcher", owner="police", note="a fight",
              level="district")  # fmt: skip
    assert (case.stage, case.owner, case.level, case.transferred) == (
        "dispatched", "police", "district", 1,
    )  # fmt: skip
    with pytest.raises(InputError, match="level is 'moon'"):
        do(case, "transfer", "dispatcher", owner="nobody", note="x", level="moon")


def test_time_is_granted_by_somebody_else_than_who_asked(at_stage):
    until = MONDAY + timedelta(days=3)
    asked = do(
        at_stage["handling"], "ask_postponement", "handler", by="Chen", until=until, note="ice"
    )
    assert (asked.asked_until, asked.asked_by, asked.postponed_until) == (until, "Chen", None)
    assert not asked.is_postponed(MONDAY + timedelta(hours=2))
    with pytest.raises(MoveRefusedError, match="somebody else approves it") as told:
        do(asked, "approve_postponement", "dispatcher", by="Chen")
    assert told.value.reason == "own_request"
    with pytest.raises(MoveRefusedError, match="asked for already"):
        do(asked, "ask_postponement", "handler", until=until, note="again")
    granted = do(asked, "approve_postponement", "dispatcher", by="Wang")
    assert (granted.postponed_until, granted.asked_until, granted.postponed) == (until, None, 1)
    assert granted.is_postponed(until - timedelta(seconds=1))
    assert not granted.is_postponed(until)
    resumed = do(granted, "resume", "handler")
    assert resumed.postponed_until is None


def test_less_time_may_be_granted_than_was_asked_for_or_none(at_stage):
    until, sooner = MONDAY + timedelta(days=3), MONDAY + timedelta(days=1)
    asked = do(at_stage["handling"], "ask_postponement", "handler", until=until, note="ice")
    granted = do(asked, "approve_postponement", "dispatcher", until=sooner)
    assert granted.postponed_until == sooner
    with pytest.raises(MoveRefusedError, match=r"not after.*name a later time"):
        do(asked, "approve_postponement", "dispatcher", minutes=3 * 24 * 60)
    refused = do(asked, "refuse_postponement", "dispatcher", note="no ice today")
    assert (refused.asked_until, refused.postponed) == (None, 0)


def test_a_granted_time_that_is_over_can_be_asked_for_again_but_not_resumed(at_stage):
    until = MONDAY + timedelta(hours=2)
    case = do(at_stage["handling"], "ask_postponement", "handler", until=until, note="ice")
    case = do(case, "approve_postponement", "dispatcher")
    now = [move.name for move in allowed_moves(case, "handler")]
    later = [move.name for move in allowed_moves(case, "handler", at=until)]
    assert "resume" in now
    assert "ask_postponement" not in now
    assert "resume" not in later
    assert "ask_postponement" in later
    with pytest.raises(MoveRefusedError, match="is postponed already"):
        do(case, "ask_postponement", "handler", until=until, note="more")


@pytest.mark.parametrize(
    ("move", "role"), [("return", "handler"), ("transfer", "dispatcher"), ("feed_back", "handler")]
)
def test_granted_time_ends_when_the_case_goes_out_of_hand(at_stage, move, role):
    case = do(at_stage["handling"], "ask_postponement", "handler", note="ice",
              until=MONDAY + timedelta(days=3))  # fmt: skip
    pending = do(case, move, role, note="n", owner="other")
    granted = do(case, "approve_postponement", "dispatcher")
    moved = do(granted, move, role, note="n", owner="other")
    assert (pending.asked_until, moved.postponed_until) == (None, None)


def test_merging_writes_a_row_in_both_logs_or_in_neither(at_stage):
    keeper = new_case("case-2")
    duplicate = at_stage["opened"]
    at = MONDAY + timedelta(hours=1)
    words = {"at": at, "by": "Wang", "role": "dispatcher"}
    (gone, row), (kept, other) = merge_cases(duplicate, keeper, seen=(2, 1), **words)
    assert (gone.stage, gone.merged_into, row.other_id) == ("cancelled", "case-2", "case-2")
    assert (kept.stage, kept.absorbed, other.other_id) == ("collected", ("case-1",), "case-1")
    finished = do(keeper, "cancel", "acceptor", note="void")
    with pytest.raises(MoveRefusedError, match="case-2 is cancelled and stays so"):
        merge_cases(duplicate, finished, seen=(2, 2), **words)
    with pytest.raises(StaleMoveError):
        merge_cases(duplicate, keeper, seen=(1, 1), **words)
    with pytest.raises(MoveRefusedError, match="cannot be merged with itself"):
        merge_cases(duplicate, duplicate, seen=(2, 2), **words)


def test_a_worker_puts_it_right_on_the_spot():
    case = do(new_case(), "handle_on_spot", "grid_worker", note="picked it up")
    assert (case.stage, case.on_spot, case.dispatched_at) == ("closed", True, None)
    assert case.closed_at == MONDAY + timedelta(minutes=10)


def test_a_forced_close_and_each_urging_are_seen(at_stage):
    case = do(at_stage["handling"], "supervise", "leader", note="the mayor asks")
    case = do(case, "supervise", "shift_leader", note="again")
    case = do(case, "force_close", "shift_leader", note="the house is gone")
    assert (case.supervised, case.is_forced, case.stage) == (2, True, "closed")


def test_a_city_changes_the_rules_and_not_the_code():
    # Handlers close what the standard lets only an inspector close.
    moves = tuple(
        replace(move, roles=(*move.roles, "handler")) if move.name == "close" else move
        for move in STANDARD_MOVES
    )
    case = new_case()
    for name, role in (("register", "acceptor"), ("dispatch", "dispatcher"), ("accept", "handler")):
        case = do(case, name, role, owner="sanitation", moves=moves)
    case = do(case, "feed_back", "handler", note="cleared", moves=moves)
    assert "close" in [move.name for move in allowed_moves(case, "handler", moves=moves)]
    assert do(case, "close", "handler", moves=moves).stage == "closed"
    with pytest.raises(MoveRefusedError, match="not for a handler"):
        do(case, "close", "handler")


# -- the log


def test_nothing_that_is_written_can_be_changed(at_stage):
    case = at_stage["handling"]
    with pytest.raises(FrozenInstanceError):
        case.stage = "closed"
    with pytest.raises(FrozenInstanceError):
        case.log[0].note = "nothing happened"
    before = case.log
    after = do(case, "feed_back", "handler", note="done")
    assert case.log == before
    assert after.log[: len(before)] == before


def test_a_log_from_another_system_folds_by_its_stages_alone():
    names = ["incident_id", "seq", "at", "stage", "by", "note"]
    assert set(TABLES["incident_log"].names) == set(LOG_COLUMNS)
    log = pd.DataFrame(
        [
            ("b-7", 1, MONDAY, "opened", "311", None),
            ("b-7", 2, MONDAY + timedelta(hours=2), "handling", None, "crew out"),
            ("b-7", 3, MONDAY + timedelta(hours=5), "closed", None, None),
            ("b-7", 4, MONDAY + timedelta(hours=6), "handling", None, "opened again"),
        ],
        columns=names,
    )
    done, again = fold(log.iloc[:3]), fold(log)
    assert {row.move for row in done.log} == {RECORDED}
    assert (done.reported_at, done.closed_at) == (MONDAY, MONDAY + timedelta(hours=5))
    assert (done.dispatched_at, done.level) == (None, "grid")
    assert (again.stage, again.closed_at, again.is_open) == ("handling", None, True)
    assert not any(move.name == RECORDED for move in STANDARD_MOVES)


def test_the_log_survives_the_way_through_a_table(at_stage):
    case = do(at_stage["handling"], "ask_postponement", "handler", note="ice",
              until=MONDAY + timedelta(days=3))  # fmt: skip
    table = log_table(case.log)
    assert list(table.columns) == list(LOG_COLUMNS)
    assert str(table["at"].dtype) == "datetime64[us, UTC]"
    assert tuple(log_rows(table)) == case.log
    assert fold(table.iloc[::-1]) == case


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no row"),
        ([1, 3], "row 3 where 2 belongs"),
        ([1, 1], "row 1 where 2 belongs"),
        ([2], "row 2 where 1 belongs"),
    ],
)
def test_a_log_with_a_gap_is_refused(rows, words):
    with pytest.raises(LogError, match=words):
        fold([LogRow("x", seq, MONDAY, "opened") for seq in rows])


def test_a_log_of_two_cases_or_an_unknown_stage_is_refused():
    with pytest.raises(LogError, match="one case at a time"):
        fold([LogRow("x", 1, MONDAY, "opened"), LogRow("y", 2, MONDAY, "opened")])
    with pytest.raises(LogError, match="stage 'lost': use one of collected"):
        fold([LogRow("x", 1, MONDAY, "lost")])


def test_who_may_not_report_is_told_so():
    with pytest.raises(MoveRefusedError, match="report is not for a stranger"):
        report("x", at=MONDAY, by="?", role="stranger")
    with pytest.raises(InputError, match="level is 'moon'"):
        report("x", at=MONDAY, by="Li", role="grid_worker", level="moon")


def test_the_rules_use_known_stages_roles_and_fields():
    for move in STANDARD_MOVES:
        assert isinstance(move, Move)
        assert set(move.stages) <= set(OPEN_STAGES)
        assert move.to is None or move.to in STAGES
        assert set(move.roles) <= set(ROLES)
        assert set(move.needs) <= set(LOG_COLUMNS)
        assert move.help
