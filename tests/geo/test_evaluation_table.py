"""The scoring table of a city over ours, and logs read from its store."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from geo.errors import InputError
from geo.evaluate import INDICATORS, OBJECTS, facts_of, moves_of
from geo.io.case_columns import read_case_columns
from geo.io.casebook import CaseBook
from geo.io.evaluation import case_ids, read_case_facts, read_evaluation
from geo.io.rules import read_rules

AT = datetime(2026, 6, 1, 1, tzinfo=UTC)


def write(folder, *lines):
    (folder / "rules").mkdir(exist_ok=True)
    text = "\n".join(("object,name,weight,full,zero,value", *lines))
    (folder / "rules" / "evaluation.csv").write_text(text + "\n", encoding="utf-8")
    return folder


def test_our_table_gives_each_object_a_hundred_points():
    rules = read_evaluation()
    for thing in OBJECTS:
        assert sum(mark.weight for mark in rules.marks[thing]) == 100
        assert all(thing in INDICATORS[mark.name].objects for mark in rules.marks[thing])


def test_a_city_changes_weights_limits_and_takes_indicators_out(tmp_path):
    rules = read_evaluation(
        write(tmp_path, "area,opening_rate,50,,,", "area,repeat_rate,0,,,",
              "area,handling_rate,5,1,0.5,", "rule,opening_limit_h,,,,1")
    )  # fmt: skip
    marks = {mark.name: mark for mark in rules.marks["area"]}
    assert (marks["opening_rate"].weight, marks["opening_rate"].zero) == (50, 0.6)
    assert "repeat_rate" not in marks
    assert marks["handling_rate"].zero == 0.5
    assert rules.opening_limit_h == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("area,joy,1,1,0,", "line 2, column name: is 'joy': write one of opening_rate"),
        ("planet,opening_rate,1,1,0,", "line 2, column object: is 'planet'"),
        ("area,opening_rate,much,1,0,", "line 2, column weight: is 'much': write a number"),
        ("area,opening_rate,10,1,1,", "line 2, column zero: is 1 as full is"),
        ("area,opening_rate,10,1,0,,,,,,,,", "has more cells than there are columns"),
        ("area,opening_rate,10,1,0,\narea,opening_rate,9,1,0,", "line 3, .*stands twice"),
        ("post,rework_rate,10,1,0,", "is 'rework_rate': write one of on_time_opening_rate"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_line_and_column(tmp_path, line, told):
    with pytest.raises(InputError, match=f"evaluation.csv, {told}|evaluation.csv, .*{told}"):
        read_evaluation(write(tmp_path, line))


def test_an_unknown_column_is_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "rules" / "evaluation.csv").write_text("object,nam\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1, column nam: is unknown"):
        read_evaluation(tmp_path)


def test_logs_are_read_once_and_then_only_what_is_new(workspace):
    book = CaseBook(workspace, read_rules(workspace))
    ids = [
        book.report(at=AT, by="P", role="grid_worker", class_code="E0102").case.incident_id
        for _ in range(3)
    ]
    book.move(ids[0], "register", at=AT + timedelta(hours=1), by="A", role="acceptor", seen=1)
    cases = read_case_columns(workspace)
    first = read_case_facts(workspace, cases)
    assert len(first.log) == 4
    assert case_ids(workspace, cases.fid[[2, 0]]) == [ids[2], ids[0]]
    assert case_ids(workspace, [99]) == []
    book.move(
        ids[0], "dispatch", at=AT + timedelta(hours=2), by="B", role="dispatcher", seen=2,
        owner="D1",
    )  # fmt: skip
    book.move(ids[1], "cancel", at=AT + timedelta(hours=2), by="A", role="acceptor", seen=1,
              note="not ours")  # fmt: skip
    cases = read_case_columns(workspace)
    grown = read_case_facts(workspace, cases, known=first)
    anew = read_case_facts(workspace, cases)
    whole = facts_of(cases, moves_of(workspace.read("incident_log").reset_index(), pd.Index(ids)))
    for name in ("opened", "dispatched", "handled", "is_cancelled", "tells_moves"):
        assert getattr(grown, name).tolist() == getattr(anew, name).tolist(), name
        assert getattr(grown, name).tolist() == getattr(whole, name).tolist(), name
    assert (len(grown.log), grown.version) == (6, anew.version)
    assert grown.log.owners == ("D1",)
