"""Deadlines worked out by hand, once more through the whole book: reported, opened, dispatched.

The rows of `test_deadlines_by_hand` (over night, weekend, Spring Festival, National Day with its
make-up days, postponement) are moved in a store; what a case does beside the straight way
(transfer, rework, return, several postponements) is worked out here. Hours: 09:00-12:00 and
14:00-18:00 in Shanghai; 2026-03-02 is a Monday.
"""

from __future__ import annotations

import runpy
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from geo.io.casebook import CaseBook
from geo.io.rules import read_rules
from geo.io.workspace import create_workspace

SHANGHAI = ZoneInfo("Asia/Shanghai")
TABLES = runpy.run_path(str(Path(__file__).with_name("test_deadlines_by_hand.py")))
PLAIN, CLOCK, PAUSED = TABLES["PLAIN"], TABLES["CLOCK"], TABLES["PAUSED"]
UNIT, shanghai = TABLES["UNIT"], TABLES["shanghai"]
LIMITS = sorted({row[1] for row in (*PLAIN, *CLOCK, *PAUSED)} | {"4 wh", "2 wd", "6 uh"})
CODES = {limit: f"E21{number:02d}" for number, limit in enumerate(LIMITS, start=1)}
RULES = {
    "plain": {},
    "by the clock": {"day_rule": "clock"},
    "anew at a transfer": {"clock_restart_on": "transfer"},
    "anew at rework": {"clock_restart_on": "rework raise"},
    "stands while returned": {"clock_stands_while": "postponed returned"},
    "stands while checked": {"clock_stands_while": "postponed checking"},
    "from the report": {"clock_starts_at": "collected"},
    "from the opening": {"clock_starts_at": "opened"},
    "from the request": {"pause_from": "request"},
}
WHO = {
    "register": "acceptor", "dispatch": "dispatcher", "accept": "handler", "return": "handler",
    "transfer": "dispatcher", "raise": "handler", "ask_postponement": "handler",
    "approve_postponement": "dispatcher", "refuse_postponement": "dispatcher",
    "resume": "handler", "feed_back": "handler", "rework": "inspector", "close": "inspector",
    "supervise": "leader", "remark": "handler",
}  # fmt: skip


def limit_rows():
    """The limits of all rows as a city's own table, a class of its own for each."""
    lines = ["class_code,amount,unit"]
    for limit, code in CODES.items():
        amount, unit = limit.split()
        lines.append(f"{code},{amount},{UNIT[unit]}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """A book of an empty city for each set of rules, made when asked for."""
    made = {}

    def book(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("by-hand") / "city"
            workspace = create_workspace(folder)
            (folder / "rules").mkdir()
            rows = [f"{key},{value}" for key, value in RULES[name].items()]
            (folder / "rules" / "case_rules.csv").write_text("\n".join(["name,value", *rows]))
            if name == "by the clock":
                limits = limit_rows()
            else:
                limits = "\n".join(
                    line for line in limit_rows().split("\n") if "0.5,working_days" not in line
                )
            (folder / "rules" / "time_limits.csv").write_text(limits)
            made[name] = CaseBook(workspace, read_rules(workspace))
        return made[name]

    yield book
    for one in made.values():
        one.workspace.close()


def live(book, code, story):
    """A case of a class that lives a story of `(when, move)`; the file after its last move."""
    first = shanghai(story[0][0])
    told = {"class_code": code, "lon": 106.6, "lat": 29.7}
    file = book.report(at=first, by="Li", role="grid_worker", **told)
    for when, move, *more in story[1:]:
        name, _, until = move.partition(" until ")
        file = book.move(
            file.case.incident_id, name, at=shanghai(when), by=f"{WHO[name]} Wu", role=WHO[name],
            seen=file.case.seq, note="n", owner=more[0] if more else "D01",
            until=shanghai(until) if until else None,
        )  # fmt: skip
    return file


def straight(start):
    return [(start, "report"), (start, "register"), (start, "dispatch")]


@pytest.mark.parametrize(
    ("start", "limit", "due", "why"), PLAIN, ids=[f"{r[0]} + {r[1]}: {r[3]}" for r in PLAIN]
)
def test_a_dispatched_case_is_due_when_the_calendar_on_the_wall_says(books, start, limit, due, why):
    file = live(books("plain"), CODES[limit], straight(start))
    assert file.row["deadline"] == shanghai(due)


@pytest.mark.parametrize(("start", "limit", "due", "why"), CLOCK, ids=[r[3] for r in CLOCK])
def test_in_a_city_that_counts_days_by_the_clock_it_is_due_then(books, start, limit, due, why):
    file = live(books("by the clock"), CODES[limit], straight(start))
    assert file.row["deadline"] == shanghai(due)


def can_be_lived(start, pauses):
    """Whether pauses can be moved one after the other: apart, after the start, with an end."""
    ends = [start, *(b for pause in pauses for b in pause)]
    return None not in ends and ends == sorted(ends)


LIVED = [row for row in PAUSED if can_be_lived(row[0], row[2])]


@pytest.mark.parametrize(
    ("start", "limit", "pauses", "due", "why"), LIVED, ids=[f"{r[1]}: {r[4]}" for r in LIVED]
)
def test_a_postponed_case_gets_back_what_fell_into_the_granted_time(
    books, start, limit, pauses, due, why
):
    story = straight(start)
    for begin, end in pauses:
        story += [(begin, f"ask_postponement until {end}"), (begin, "approve_postponement")]
    file = live(books("plain"), CODES[limit], story)
    assert file.row["deadline"] == shanghai(due)


M = "03-02 "
BASE = straight(M + "09:00")
ASKED = [(M + "10:00", "ask_postponement until 03-02 17:00")]
GRANTED = [*ASKED, (M + "11:00", "approve_postponement")]
ACCEPTED = [(M + "09:30", "accept")]
STORIES = [
    # -- four working hours from Monday 09:00 end at 15:00
    ("plain", "4 wh", [*BASE, (M + "10:00", "transfer", "D02")], "03-02 15:00",
     "a transfer hands the clock on"),
    ("anew at a transfer", "4 wh", [*BASE, (M + "10:00", "transfer", "D02")], "03-02 16:00",
     "two till noon, two after 14:00, from the transfer"),
    ("anew at a transfer", "4 wh",
     [*BASE, (M + "10:00", "transfer", "D02"), (M + "17:00", "transfer", "D03")], "03-03 12:00",
     "the last transfer counts: one hour on Monday, three on Tuesday"),
    ("plain", "4 wh", [*BASE, (M + "10:00", "raise", "S1")], "03-02 15:00",
     "raising hands the clock on"),
    ("anew at rework", "4 wh", [*BASE, (M + "11:00", "raise", "S1")], "03-02 17:00",
     "one till noon, three after 14:00"),
    ("plain", "4 wh",
     [*BASE, *ACCEPTED, (M + "11:00", "feed_back"), (M + "16:00", "rework")], "03-02 15:00",
     "sent back after the deadline it is late at once"),
    ("anew at rework", "4 wh",
     [*BASE, *ACCEPTED, (M + "11:00", "feed_back"), (M + "16:00", "rework")], "03-03 11:00",
     "two on Monday, two on Tuesday"),
    ("stands while checked", "4 wh",
     [*BASE, *ACCEPTED, (M + "11:00", "feed_back"), (M + "16:00", "rework")], "03-02 18:00",
     "15:00, and three hours of work that the inspector took: 11-12, 14-16"),
    ("stands while checked", "4 wh", [*BASE, *ACCEPTED, (M + "11:00", "feed_back")], None,
     "it stands, and nobody knows until when"),
    ("stands while checked", "4 wh",
     [*BASE, *ACCEPTED, (M + "11:00", "feed_back"), (M + "16:00", "close")], "03-02 18:00",
     "closed: the same three hours"),
    ("plain", "4 wh",
     [*BASE, (M + "10:00", "return"), (M + "11:00", "dispatch", "D02")], "03-02 15:00",
     "the first dispatch counts"),
    ("stands while returned", "4 wh",
     [*BASE, (M + "10:00", "return"), (M + "11:00", "dispatch", "D02")], "03-02 16:00",
     "for one hour nobody had it"),
    ("stands while returned", "4 wh", [*BASE, (M + "10:00", "return")], None, "nobody has it"),
    # -- granted time
    ("plain", "4 wh", [*BASE, *ASKED], "03-02 15:00", "asked is not granted"),
    ("plain", "4 wh", [*BASE, *ASKED, (M + "11:00", "refuse_postponement")], "03-02 15:00",
     "refused"),
    ("plain", "4 wh", [*BASE, *GRANTED], "03-03 10:00",
     "11-12 and 14-17 are four hours: 15-18 and one on Tuesday"),
    ("from the request", "4 wh", [*BASE, *GRANTED], "03-03 11:00",
     "from 10:00 on it is five: 15-18 and two on Tuesday"),
    ("plain", "4 wh", [*BASE, *GRANTED, (M + "11:30", "resume")], "03-02 15:30",
     "resumed after half an hour"),
    ("plain", "4 wh", [*BASE, *GRANTED, (M + "14:30", "transfer", "D02")], "03-02 16:30",
     "granted to the one who had it: ends with the transfer, 11-12 and 14-14:30"),
    ("plain", "4 wh",
     [*BASE, *GRANTED, (M + "11:30", "resume"), (M + "14:00", "ask_postponement until 03-02 15:00"),
      (M + "14:00", "approve_postponement")], "03-02 16:30", "half an hour and one hour"),
    ("plain", "6 uh", [*BASE, *GRANTED], "03-02 21:00", "six hours by the wall and six more"),
    ("plain", "2 wd",
     [*straight("02-13 16:00"), ("02-14 10:00", "ask_postponement until 02-24 12:00"),
      ("02-14 10:00", "approve_postponement")], "02-26 11:00",
     "due Tuesday 24 18:00; Saturday 10-18 and Tuesday 9-12 are nine hours: seven on Wednesday,"
     " two on Thursday"),
    ("plain", "4 wh",
     [*straight("09-30 16:00"), ("09-30 17:00", "ask_postponement until 10-08 10:00"),
      ("09-30 17:00", "approve_postponement")], "10-08 15:00",
     "due Thursday 8 at 11:00 after the holiday; one hour on Wednesday and one on Thursday stood"),
    # -- where the clock starts
    ("from the report", "4 wh", [(M + "09:00", "report")], "03-02 15:00", "reported"),
    ("from the report", "4 wh",
     [(M + "09:00", "report"), (M + "11:00", "register"), (M + "16:00", "dispatch")],
     "03-02 15:00", "late before anybody had it"),
    ("from the opening", "4 wh", [(M + "09:00", "report")], None, "not opened yet"),
    ("from the opening", "4 wh", [(M + "09:00", "report"), (M + "11:00", "register")],
     "03-02 17:00", "opened at 11:00"),
    ("plain", "4 wh", [(M + "09:00", "report"), (M + "11:00", "register")], None,
     "it waits for its dispatch"),
    # -- what changes nothing
    ("plain", "4 wh", [*BASE, (M + "10:00", "supervise"), (M + "11:00", "remark")],
     "03-02 15:00", "words"),
    ("plain", "4 wh", [*BASE, *ACCEPTED, (M + "11:00", "feed_back"), (M + "17:00", "close")],
     "03-02 15:00", "closed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "limit", "story", "due", "why"), STORIES, ids=[f"{s[0]}: {s[4]}" for s in STORIES]
)
def test_transfer_rework_return_and_postponement_move_the_deadline_as_worked_out(
    books, rules, limit, story, due, why
):
    file = live(books(rules), CODES[limit], story)
    assert file.row["deadline"] == (None if due is None else shanghai(due))
    assert book_row(books(rules), file)["deadline"] == file.row["deadline"]


def book_row(book, file):
    return book.read(file.case.incident_id, at=datetime(2026, 12, 31, tzinfo=SHANGHAI)).row


def test_the_table_worked_by_hand_is_long_enough_and_knows_every_kind():
    told = " ".join(row[3] for row in PLAIN) + " ".join(row[4] for row in (*PAUSED, *STORIES))
    assert len(PLAIN) + len(CLOCK) + len(LIVED) + len(STORIES) >= 90
    for word in ("tomorrow", "Saturday", "make-up", "Mid-autumn", "transfer", "inspector", "stood"):
        assert word in told
