"""The book of cases: what a report and a move write, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from geo.errors import CodeError, InputError
from geo.incidents import MoveRefusedError, StaleMoveError, fold
from geo.io.casebook import CaseBook, UnknownCaseError
from geo.io.rules import read_rules

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 09:00 in Shanghai; work goes on until noon and from 14:00 to 18:00."""


@pytest.fixture
def book(workspace):
    return CaseBook(workspace, read_rules(workspace))


def minutes(number):
    return timedelta(minutes=number)


def reported(book, at=NINE, **more):
    told = {"by": "Li", "role": "grid_worker", "class_code": "E0102", "lon": 106.6, "lat": 29.7}
    return book.report(at=at, **(told | more))


def dispatched(book, at=NINE, **more):
    file = reported(book, at, **more)
    case = file.case.incident_id
    book.move(case, "register", at=at, by="Zhou", role="acceptor", seen=1)
    return book.move(case, "dispatch", at=at, by="Wang", role="dispatcher", seen=2, owner="D02")


def rows_of(workspace, incident_id):
    log = workspace.table("incident_log")
    frame = workspace.read("incident_log", where=log.c.incident_id == incident_id)
    return frame.sort_values("seq", ignore_index=True)


def everything(workspace):
    """All rows of both tables, to see that nothing changed."""
    with workspace.reading() as conn:
        return [
            conn.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1").all()
            for name in ("incidents", "incident_log", "incident_changes")
        ]


def test_a_report_gets_the_next_number_of_the_day_in_the_city(book):
    late = datetime(2026, 3, 2, 15, 59, 59, tzinfo=UTC)
    ids = [reported(book, at).row["incident_id"] for at in (NINE, late, late + minutes(1))]
    # 16:00 UTC is midnight in Shanghai.
    assert ids == ["2026030200001", "2026030200002", "2026030300001"]


def test_ids_of_imports_that_look_like_ours_are_stepped_over(workspace, book):
    cases = pd.DataFrame(
        {
            "incident_id": ["2026030200041", "20260302000999", "20260302-77", "2026030200xyz"],
            "reported_at": [NINE] * 4,
            "stage": "collected",
        }
    )
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", cases)
    assert reported(book).row["incident_id"] == "2026030200042"


def test_a_report_writes_the_row_the_point_and_the_first_row_of_the_log(workspace, book):
    file = reported(book, description=" 垃圾 ", address="建设路1号", note="seen on the round")
    stored = workspace.read("incidents").loc[file.row["incident_id"]]
    assert (stored["stage"], stored["level"], stored["source"]) == ("collected", "grid", "page")
    assert stored["description"] == "垃圾"
    assert stored["geometry"].equals(shapely.Point(106.6, 29.7))
    log = rows_of(workspace, file.row["incident_id"])
    assert log[["seq", "move", "by", "role", "note"]].values.tolist() == [
        [1, "report", "Li", "grid_worker", "seen on the round"]
    ]
    assert file.clock.state == "none"


def test_a_report_without_a_place_is_kept_as_unplaced(workspace, book):
    file = reported(book, lon=None, lat=None, class_code=None)
    assert file.place is None
    assert workspace.read("incidents").geometry.isna().all()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"lon": 106.6, "lat": None}, "one of lon and lat is missing"),
        ({"lon": 1e6, "lat": 29.7}, "is no place"),
        ({"lon": float("nan"), "lat": 29.7}, "is no place"),
        ({"class_code": "E9999"}, "E9999.*no table knows"),
        ({"class_code": "E0101", "condition": "later"}, "use one of stop, penalise, demolish"),
        ({"level": "moon"}, "level is 'moon'"),
        ({"role": "thief"}, "report is not for a thief"),
        ({"at": NINE.replace(tzinfo=None)}, "without a zone"),
    ],
)
def test_a_report_that_cannot_be_is_refused_and_nothing_is_written(workspace, book, told, said):
    before = everything(workspace)
    with pytest.raises((InputError, MoveRefusedError), match=said):
        reported(book, **told)
    assert everything(workspace) == before


def test_an_unknown_class_is_refused_as_a_code(book):
    with pytest.raises(CodeError, match=r"rules/event_classes\.csv"):
        reported(book, class_code="0102")


def test_the_clock_starts_with_the_dispatch(book):
    waits = reported(book)
    assert waits.row["deadline"] is None
    file = dispatched(book)
    # Four working hours from 09:00: three till noon, one from 14:00.
    assert file.row["deadline"] == datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
    assert (file.limit.amount, file.limit.unit) == (4.0, "working_hours")
    assert (file.clock.state, file.clock.left_s) == ("fine", 6 * 3600.0)
    again = book.read(file.case.incident_id, at=NINE + minutes(300))
    assert again.row | {"fid": 0} == file.row | {"fid": 0}
    assert (again.clock.state, again.clock.left_s) == ("soon", 3600.0)
    assert book.read(file.case.incident_id, at=NINE + minutes(361)).clock.late_s == 60.0


def test_a_dispatch_to_a_unit_goes_to_the_level_of_that_unit(workspace, book):
    divisions = gpd.GeoDataFrame(
        {"code": ["500112001000"], "level": ["street"], "name": ["街道"]}, geometry=[None], crs=4326
    )
    with workspace.writing() as conn:
        workspace.append(conn, "divisions", divisions)
    file = reported(book)
    case = file.case.incident_id
    book.move(case, "register", at=NINE, by="Z", role="acceptor", seen=1)
    more = {"at": NINE, "by": "W", "role": "dispatcher", "owner": "500112001000"}
    assert book.move(case, "dispatch", seen=2, **more).row["level"] == "street"
    # A department is across the levels, so the level stays.
    moved = book.move(case, "transfer", seen=3, note="n", **(more | {"owner": "D07"}))
    assert (moved.row["level"], moved.row["owner"]) == ("street", "D07")


def test_raising_a_case_hands_level_owner_and_clock_on_in_the_log(book):
    file = dispatched(book)
    case, at = file.case.incident_id, NINE
    for seen, (owner, level) in enumerate(
        [("500112001001", "community"), ("500112001000", "street"), ("500112000000", "district"),
         ("500100000000", "city")], start=3
    ):  # fmt: skip
        at += minutes(30)
        file = book.move(
            case, "raise", at=at, by="H", role="handler", seen=seen, owner=owner, note="too big"
        )
        assert (file.row["level"], file.row["owner"]) == (level, owner)
        assert file.row["deadline"] == datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
    with pytest.raises(MoveRefusedError, match="at the city"):
        book.move(case, "raise", at=at, by="H", role="handler", seen=7, owner="x", note="more")
    held = file.holdings
    assert held["level"].tolist() == ["grid", "grid", "community", "street", "district", "city"]
    assert held["since"].tolist()[2:] == [NINE + minutes(30 * k) for k in (1, 2, 3, 4)]
    assert held["until"].tolist()[:-1] == held["since"].tolist()[1:]


def test_the_second_of_two_is_told_what_changed_and_loses_nothing_typed(workspace, book):
    file = dispatched(book)
    case = file.case.incident_id
    book.move(case, "transfer", at=NINE + minutes(5), by="Wang", role="dispatcher", seen=3,
              owner="D07", note="theirs")  # fmt: skip
    before = everything(workspace)
    with pytest.raises(StaleMoveError, match="transfer by Wang at 2026-03-02 01:05 UTC") as caught:
        book.move(case, "transfer", at=NINE + minutes(6), by="Zhao", role="dispatcher", seen=3,
                  owner="D09", note="a long note that was typed")  # fmt: skip
    attempt = caught.value.attempt
    assert (attempt.owner, attempt.note) == ("D09", "a long note that was typed")
    assert [row.owner for row in caught.value.changes] == ["D07"]
    assert everything(workspace) == before


def test_a_merge_writes_both_logs_or_none(workspace, book):
    keeper, twin = dispatched(book), reported(book)
    ids = keeper.case.incident_id, twin.case.incident_id
    typed = {"at": NINE + minutes(9), "by": "Z", "role": "acceptor", "note": "the same heap"}
    before = everything(workspace)
    with pytest.raises(StaleMoveError, match="register by Zhou") as caught:
        book.move(ids[1], "merge", seen=1, seen_other=1, other_id=ids[0], **typed)
    assert caught.value.attempt.move == "merge"
    assert caught.value.attempt.note == "the same heap"
    assert everything(workspace) == before
    gone = book.move(ids[1], "merge", seen=1, seen_other=3, other_id=ids[0], **typed)
    assert (gone.row["stage"], gone.case.merged_into) == ("cancelled", ids[0])
    assert book.read(ids[0], at=NINE + minutes(9)).case.absorbed == (ids[1],)


def test_absorbing_is_the_same_merge_from_the_other_side(book):
    keeper, twin = dispatched(book), reported(book)
    ids = keeper.case.incident_id, twin.case.incident_id
    book.move(ids[0], "absorb", at=NINE, by="Z", role="acceptor", seen=3, other_id=ids[1])
    assert book.read(ids[1], at=NINE).row["stage"] == "cancelled"


def test_a_merge_with_a_finished_case_itself_or_none_is_refused_as_it_was_typed(book):
    done = reported(book)
    one = done.case.incident_id
    book.move(one, "handle_on_spot", at=NINE, by="Li", role="grid_worker", seen=1, note="swept")
    two = reported(book).case.incident_id
    typed = {"at": NINE, "by": "Z", "role": "acceptor", "seen": 1, "note": "typed"}
    for other, reason in ((one, "finished"), (two, "itself"), ("b-77", "no_such_case"),
                          (None, "lacks_other_id")):  # fmt: skip
        with pytest.raises(MoveRefusedError) as caught:
            book.move(two, "merge", other_id=other, **typed)
        assert (caught.value.reason, caught.value.attempt.note) == (reason, "typed")


def test_no_case_is_said_to_be_none(book):
    with pytest.raises(UnknownCaseError, match="no case 42"):
        book.read("42", at=NINE)
    with pytest.raises(UnknownCaseError, match="no case 42"):
        book.move("42", "remark", at=NINE, by="Z", role="acceptor", seen=1, note="n")


def imported(workspace, **columns):
    base = {"incident_id": "old-1", "class_code": "E0102", "reported_at": NINE, "stage": "opened"}
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", pd.DataFrame([base | columns]))


def test_a_case_without_a_log_is_read_and_its_log_begins_with_its_first_move(workspace, book):
    imported(workspace, stage="handling", owner="D02")
    file = book.read("old-1", at=NINE)
    assert [row.move for row in file.case.log] == ["recorded", "recorded"]
    assert rows_of(workspace, "old-1").empty
    with pytest.raises(MoveRefusedError):
        book.move("old-1", "close", at=NINE, by="I", role="inspector", seen=2)
    assert rows_of(workspace, "old-1").empty
    book.move("old-1", "feed_back", at=NINE + minutes(1), by="H", role="handler", seen=2, note="ok")
    log = rows_of(workspace, "old-1")
    assert log["move"].tolist() == ["recorded", "recorded", "feed_back"]
    assert log["stage"].tolist() == ["collected", "handling", "fed_back"]
    assert workspace.read("incidents").loc["old-1", "owner"] == "D02"


def test_a_case_that_was_closed_at_an_unknown_time_is_done_and_stays_so(workspace, book):
    imported(workspace, stage="closed", deadline=NINE)
    file = book.read("old-1", at=NINE + minutes(600))
    assert (file.clock.state, file.clock.late_s) == ("done", 0.0)
    with pytest.raises(MoveRefusedError, match="is closed and stays so"):
        book.move("old-1", "remark", at=NINE, by="I", role="inspector", seen=2, note="n")


def test_a_deadline_that_the_source_told_stays_and_is_lengthened_by_granted_time(workspace, book):
    told = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)  # Tuesday noon
    imported(workspace, stage="handling", deadline=told)
    asked = {"by": "H", "role": "handler", "note": "parts"}
    until = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    file = book.move("old-1", "ask_postponement", at=NINE, seen=2, until=until, **asked)
    assert (file.row["deadline"], file.told) == (told, True)
    # It stands from Monday 10:00 to Tuesday 09:00, six hours of the working time in which the
    # class has its limit.
    file = book.move("old-1", "approve_postponement", at=NINE + minutes(60), by="W",
                     role="dispatcher", seen=3)  # fmt: skip
    # Noon and six hours: 14:00 to 18:00, and two more on Wednesday morning.
    assert file.row["deadline"] == datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
    assert file.row["paused_until"] == until
    assert book.read("old-1", at=NINE + minutes(90)).clock.state == "paused"
    # Resumed after one hour: one hour after noon is 15:00.
    file = book.move("old-1", "resume", at=NINE + minutes(120), by="H", role="handler", seen=4)
    assert file.row["deadline"] == datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
    assert file.row["paused_until"] is None


def test_a_told_deadline_of_a_class_without_limit_is_lengthened_round_the_clock(workspace, book):
    imported(workspace, class_code=None, stage="handling", deadline=NINE + minutes(600))
    more = {"by": "H", "role": "handler", "note": "n", "until": NINE + minutes(90)}
    book.move("old-1", "ask_postponement", at=NINE, seen=2, **more)
    file = book.move(
        "old-1", "approve_postponement", at=NINE + minutes(30), by="W", role="dispatcher", seen=3
    )
    assert file.row["deadline"] == NINE + minutes(660)


def test_a_deadline_that_reaches_into_a_year_that_no_calendar_knows_is_marked(workspace, book):
    start = datetime(2026, 12, 31, 1, 0, tzinfo=UTC)
    file = dispatched(book, start, class_code="E0101", condition="penalise")
    # Friday 1 January 2027 is taken for a working day: 1, 4, 5, 6, 7, 8, 11.
    assert file.row["deadline"] == datetime(2027, 1, 11, 10, 0, tzinfo=UTC)
    assert file.assumed
    days = pd.DataFrame({"day": ["2027-01-01"], "is_workday": [False], "name": ["元旦"]})
    with workspace.writing() as conn:
        workspace.append(conn, "calendar", days)
    told = CaseBook(workspace, read_rules(workspace)).read(file.case.incident_id, at=start)
    assert not told.assumed


def test_the_store_lets_nobody_change_or_delete_a_row_of_the_log(workspace, book):
    reported(book)
    for statement in ("UPDATE incident_log SET note = 'x'", "DELETE FROM incident_log"):
        with (
            pytest.raises((sa.exc.DatabaseError, InputError), match="only ever added to"),
            workspace.writing() as conn,
        ):
            conn.exec_driver_sql(statement)


def test_what_a_page_may_offer_is_what_the_role_may_do_now(book):
    file = dispatched(book)
    names = [move.name for move in file.allowed("handler", NINE + minutes(5))]
    assert names == ["accept", "return", "raise", "ask_postponement", "remark"]
    assert "absorb" not in [move.name for move in file.allowed("shift_leader", NINE)]


def test_the_row_that_a_move_gives_is_the_row_that_is_stored(workspace, book):
    file = dispatched(book, NINE + timedelta(microseconds=1_234_567))
    read = book.read(file.case.incident_id, at=NINE + minutes(1))
    assert read.row == file.row
    assert read.case == file.case == fold(rows_of(workspace, file.case.incident_id))


def test_after_the_rules_changed_open_cases_are_settled_and_their_logs_stay(workspace, book):
    running, waiting, told = dispatched(book), reported(book), "old-1"
    imported(workspace, stage="dispatched", deadline=NINE + minutes(600))
    with workspace.writing() as conn:
        old = {"incident_id": "old-2", "class_code": "E0102", "stage": "dispatched"}
        workspace.append(conn, "incidents", pd.DataFrame([old | {"reported_at": NINE}]))
    done = dispatched(book).case.incident_id
    book.move(done, "force_close", at=NINE, by="S", role="shift_leader", seen=3, note="n")
    logs = workspace.read("incident_log")
    # Only the one that came without a deadline has another one now: four hours from 09:00.
    assert book.settle_deadlines() == 1
    rules = workspace.path / "rules"
    rules.mkdir()
    (rules / "time_limits.csv").write_text("class_code,amount,unit\nE0102,2,working_hours\n")
    book = CaseBook(workspace, read_rules(workspace))
    assert book.settle_deadlines() == 2
    assert book.settle_deadlines() == 0
    due = workspace.read("incidents")["deadline"]
    eleven = pd.Timestamp(NINE + minutes(120))
    assert due[running.case.incident_id] == due["old-2"] == eleven
    assert pd.isna(due[waiting.case.incident_id])
    assert due[told] == pd.Timestamp(NINE + minutes(600))
    assert due[done] == pd.Timestamp(NINE + minutes(360))
    after = workspace.read("incident_log")
    pd.testing.assert_frame_equal(after.iloc[: len(logs)], logs)
    assert after.iloc[len(logs) :]["incident_id"].tolist() == ["old-2", "old-2"]
    assert after.iloc[len(logs) :]["until"].isna().all()
