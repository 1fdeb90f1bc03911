"""Files of real cities in the book: their own due dates, their logs, and moves on top of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from geo.incidents import fold
from geo.io.casebook import CaseBook, CaseQuery
from geo.io.gate import import_files
from geo.io.rules import read_rules

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)


@pytest.fixture
def book(workspace, shared_data):
    """Baltimore's 10,000 cases of 2018, with times of report, due date and close."""
    (workspace.path / "settings.toml").write_text('timezone = "America/New_York"\n')
    file = shared_data / "inc_baltimore_311" / "311_sample.csv"
    import_files(workspace, "incidents", [file], at=AT, timezone="America/New_York")
    return CaseBook(workspace, read_rules(workspace))


def test_baltimore_closed_1567_cases_after_its_own_due_dates(book):
    late = book.page(CaseQuery(state="done_late", sort="deadline", limit=2000), at=AT)
    assert late.total == len(late.rows) == 1567
    assert (late.rows["closed_at"] > late.rows["deadline"]).all()
    table = book.workspace.read("incidents")
    still = table["stage"].isin(["collected", "opened", "handling"]) & table["deadline"].notna()
    assert book.count(CaseQuery(state="late"), at=AT) == int(still.sum())
    every = ("late", "soon", "paused", "fine", "none", "done", "done_late")
    assert sum(book.count(CaseQuery(state=state), at=AT) for state in every) == 10_000


def test_its_due_dates_outlast_our_limits_and_moves(book):
    before = book.workspace.read("incidents")["deadline"]
    changed = book.settle_deadlines()
    table = book.workspace.read("incidents")
    # Only cases that came without one may get one, by the limit of their class.
    pd.testing.assert_series_equal(table["deadline"][before.notna()], before.dropna())
    assert changed == int((before.isna() & table["deadline"].notna()).sum()) < 20
    case = table.index[(table["stage"] == "opened") & table["deadline"].notna()][0]
    file = book.read(case, at=AT)
    assert (file.told, file.clock.state) == (True, "late")
    moved = book.move(
        case, "dispatch", at=AT, by="W", role="dispatcher", seen=file.case.seq, owner="DPW"
    )
    assert moved.row["deadline"] == file.row["deadline"]
    log = book.workspace.table("incident_log")
    rows = book.workspace.read("incident_log", where=log.c.incident_id == case)
    assert fold(rows).stage == book.workspace.read("incidents").loc[case, "stage"] == "dispatched"


def test_its_words_and_black_spots_are_found(book):
    table = book.workspace.read("incidents")
    book.refresh(at=AT)
    texts = table["description"].fillna("") + "\n" + table["address"].fillna("")
    for word in ("wilkens", "ST", "ave"):
        wanted = (texts + "\n" + table.index).str.lower().str.contains(word.lower(), regex=False)
        assert book.count(CaseQuery(text=word), at=AT) == int(wanted.sum())
    last = pd.Timestamp(table["closed_at"].max()).to_pydatetime()
    spots = book.recurring(at=last, days=400, within_m=30, within_days=60, min_returns=1)
    assert len(spots.places) > 0
    assert spots.places["returns"].sum() == spots.history["returns_to"].notna().sum()


@pytest.mark.parametrize("year", ["2019-12", "2024-05"])
def test_new_york_is_listed_and_moved_by_the_day_of_new_york(workspace, shared_data, year):
    (workspace.path / "settings.toml").write_text('timezone = "America/New_York"\n')
    file = shared_data / "inc_nyc_311" / f"nyc311_{year}.csv"
    report = import_files(workspace, "incidents", [file], at=AT, timezone="America/New_York")
    book = CaseBook(workspace, read_rules(workspace))
    assert book.count(CaseQuery(), at=AT) == report.accepted
    noise = book.page(CaseQuery(class_codes=("E0508", "E0601", "E0301")), at=AT)
    assert noise.total > 0
    case = book.page(CaseQuery(stages=("opened",)), at=AT).rows.index[0]
    seen = book.read(case, at=AT).case.seq
    after = book.move(case, "cancel", at=AT, by="Z", role="acceptor", seen=seen, note="n")
    assert after.row["stage"] == "cancelled"
    assert after.clock.state in ("done", "done_late")
