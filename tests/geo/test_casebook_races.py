"""Two people at once, and a process that dies at the worst moment: real processes, no waiting."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from geo.incidents import fold
from geo.io.casebook import CaseBook
from geo.io.rules import read_rules

NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
START = """
import json, os, signal, sys
from datetime import datetime, timedelta, UTC
from geo.incidents import StaleMoveError
from geo.io import casebook
from geo.io.casebook import CaseBook
from geo.io.rules import read_rules
from geo.io.workspace import open_workspace
NINE = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
workspace = open_workspace(sys.argv[1])
book = CaseBook(workspace, read_rules(workspace))
"""
MOVE = """
seen = book.read(sys.argv[2], at=NINE).case.seq
print("ready", flush=True)
sys.stdin.readline()
who = sys.argv[3]
try:
    file = book.move(sys.argv[2], "dispatch", at=NINE, by=who, role="dispatcher", seen=seen,
                     owner="D" + who, note="typed by " + who)
    print(json.dumps({"who": who, "won": True, "seq": file.case.seq}))
except StaleMoveError as error:
    print(json.dumps({"who": who, "won": False, "typed": error.attempt.note,
                      "owner": error.attempt.owner,
                      "changes": [[row.move, row.by] for row in error.changes]}))
"""
REPORT = """
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([
    book.report(at=NINE, by="Li", role="grid_worker", class_code="E0102").row["incident_id"]
    for _ in range(12)
]))
"""
DIE = """
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(name):
    real = getattr(casebook, name)
    def both(*args, **kwargs):
        real(*args, **kwargs)
        die()
    setattr(casebook, name, both)

if sys.argv[2].startswith("after:"):
    die_after(sys.argv[2].removeprefix("after:"))
else:
    setattr(casebook, sys.argv[2], die)
"""


@pytest.fixture
def book(workspace):
    return CaseBook(workspace, read_rules(workspace))


def child(code, *args):
    return subprocess.Popen(
        [sys.executable, "-c", START + code, *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_together(children):
    """Start them all at the same moment and read what each says last."""
    with contextlib.ExitStack() as stack:
        for one in children:
            stack.enter_context(one)
            assert one.stdout.readline() == "ready\n"
        for one in children:
            one.stdin.write("go\n")
            one.stdin.flush()
        answers = [json.loads(one.stdout.readline()) for one in children]
    assert [one.returncode for one in children] == [0] * len(children)
    return answers


def opened(book):
    case = book.report(at=NINE, by="Li", role="grid_worker", class_code="E0102").case.incident_id
    book.move(case, "register", at=NINE, by="Zhou", role="acceptor", seen=1)
    return case


def is_sound(book, incident_id):
    """Whether row and log of a case agree; the log as the database has it."""
    file = book.read(incident_id, at=NINE + timedelta(days=30))
    log = book.workspace.table("incident_log")
    rows = book.workspace.read("incident_log", where=log.c.incident_id == incident_id)
    case = fold(rows)
    return len(rows) == file.case.seq and (file.row["stage"], file.row["owner"]) == (
        case.stage,
        case.owner,
    )


def test_of_two_processes_that_move_a_case_at_once_one_wins_and_the_other_is_told(book):
    case = opened(book)
    answers = run_together([child(MOVE, book.workspace.path, case, who) for who in ("1", "2")])
    won = [answer for answer in answers if answer["won"]]
    lost = [answer for answer in answers if not answer["won"]]
    assert len(won) == len(lost) == 1
    assert lost[0]["changes"] == [["dispatch", won[0]["who"]]]
    assert lost[0]["typed"] == "typed by " + lost[0]["who"]
    assert lost[0]["owner"] == "D" + lost[0]["who"]
    file = book.read(case, at=NINE)
    assert (file.case.seq, file.row["owner"]) == (3, "D" + won[0]["who"])
    assert is_sound(book, case)


def test_processes_that_report_at_once_never_give_an_id_twice(book):
    answers = run_together([child(REPORT, book.workspace.path) for _ in range(2)])
    ids = sorted(name for answer in answers for name in answer)
    assert ids == [f"20260302{number:05d}" for number in range(1, 25)]


@pytest.mark.parametrize("moment", ["after:insert_log", "after:update_row"])
def test_a_process_killed_within_a_move_leaves_row_and_log_as_they_were(book, moment):
    case = opened(book)
    code = DIE + "book.move(sys.argv[3], 'dispatch', at=NINE, by='W', role='dispatcher', seen=2,"
    with child(code + " owner='D01')", book.workspace.path, moment, case) as dead:
        dead.wait()
    assert dead.returncode == -signal.SIGKILL
    assert is_sound(book, case)
    assert book.read(case, at=NINE).case.seq == 2
    after = book.move(case, "dispatch", at=NINE, by="W", role="dispatcher", seen=2, owner="D02")
    assert after.row["owner"] == "D02"
    assert is_sound(book, case)


@pytest.mark.parametrize("moment", ["after:insert_row", "after:insert_log"])
def test_a_process_killed_within_a_report_leaves_nothing_of_it(book, moment):
    code = DIE + "book.report(at=NINE, by='Li', role='grid_worker', class_code='E0102')"
    with child(code, book.workspace.path, moment) as dead:
        dead.wait()
    assert dead.returncode == -signal.SIGKILL
    assert book.workspace.count("incidents") == book.workspace.count("incident_log") == 0
    assert opened(book) == "2026030200001"


def test_a_process_killed_between_the_two_sides_of_a_merge_leaves_both_cases_alone(book):
    one, two = opened(book), opened(book)
    code = DIE + (
        "book.move(sys.argv[3], 'merge', at=NINE, by='Z', role='acceptor', seen=2,"
        " other_id=sys.argv[4])"
    )
    with child(code, book.workspace.path, "after:update_row", one, two) as dead:
        dead.wait()
    assert dead.returncode == -signal.SIGKILL
    for case in (one, two):
        assert is_sound(book, case)
        assert book.read(case, at=NINE).case.seq == 2
