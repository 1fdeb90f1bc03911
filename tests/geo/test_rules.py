"""What a city decides: its own rows over the packaged ones, refused with file, line and column."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from geo.codes import class_name
from geo.deadlines import Limit
from geo.errors import InputError, SettingsError
from geo.io.casebook import CaseBook
from geo.io.rules import RULE_TABLES, CaseRules, read_rules, rules_stamp, write_rule_templates
from geo.io.workspace import create_workspace
from geo.responsibility import duty_roles, phone_rules


def put(workspace, name, text, encoding="utf-8"):
    folder = workspace.path / "rules"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.csv").write_bytes(text.encode(encoding))
    return read_rules(workspace)


def test_a_city_without_rules_has_the_packaged_ones(workspace):
    rules = read_rules(workspace)
    assert rules.limit("E0102") == Limit(4.0, "working_hours")
    assert rules.limit("E0199") is None
    assert rules.limit(None) is None
    assert rules.case == CaseRules()
    assert (rules.calendar.zone, rules.calendar.basis) == ("Asia/Shanghai", "china")
    pd.testing.assert_frame_equal(
        rules.duty_roles, duty_roles(), check_dtype=False, check_column_type=False
    )
    assert rules.phone_rules == phone_rules()
    assert rules.owner_of_class("E0102") is None
    assert any(row.category for row in rules.foreign)


def test_a_row_of_the_city_replaces_the_one_of_its_key_and_keeps_what_it_leaves_empty(workspace):
    rules = put(
        workspace,
        "time_limits",
        "class_code,condition,amount,unit\nE0102,,6,urgent_hours\ne2101,,1.5,working_hours\n"
        "E0103,,,\nE0101,stop,2,working_hours\n",
    )
    assert rules.limit("E0102") == Limit(6.0, "urgent_hours")
    assert rules.limit("E2101") == Limit(1.5, "working_hours")
    assert rules.limit("E0103") is None
    assert rules.limit("E0104") == Limit(2.0, "working_hours")
    told = {one.condition: (one.zh, one.limit) for one in rules.conditions("E0101")}
    assert told["stop"] == ("责令停工", Limit(2.0, "working_hours"))
    assert list(told) == ["stop", "penalise", "demolish"]


def test_classes_of_a_city_are_known_to_its_book_alone(workspace, tmp_path):
    text = (
        "code,group,zh,en\n2101,street_order,共享单车乱停放,stray shared bikes\nE2102,,夜市噪声,\n"
    )
    rules = put(workspace, "event_classes", text)
    rules = put(workspace, "asset_classes", "code,group,zh,en\n0118,streetlight,路灯杆,lamp\n")
    names = rules.classes
    assert names.name("E2101", "en") == "stray shared bikes"
    assert (names.name("E2102", "en"), names.group("E2102")) == ("夜市噪声", "extension")
    assert (names.name("C0118"), names.name("0118"), class_name("0118")) == (
        "路灯杆",
        "路灯杆",
        "路灯",
    )
    assert "E2101" in names.incident_codes("street_order")
    with create_workspace(tmp_path / "other") as other:
        assert read_rules(other).classes.name("E2101") != "单车乱停"
    book = CaseBook(workspace, rules)
    told = {"at": datetime(2026, 3, 2, tzinfo=UTC), "by": "L", "role": "acceptor"}
    assert book.report(class_code="E2102", **told).row["class_code"] == "E2102"


def test_a_file_of_a_chinese_spreadsheet_is_read_too(workspace):
    text = "code,group,zh,en\r\n2103,extension,飞线充电,flying wires\r\n"
    assert put(workspace, "event_classes", text, "gb18030").classes.name("E2103") == "飞线充电"
    assert put(workspace, "event_classes", text, "utf-8-sig").classes.name("E2103") == "飞线充电"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("time_limits", "class_code,amount,unit\nE0102,4,working_hours\nE0103,x,working_hours\n",
         r"time_limits\.csv, line 3, column amount: is 'x': write a number above 0"),
        ("time_limits", "class_code,amount,unit\nE0102,-4,working_hours\n",
         "line 2, column amount: is '-4'"),
        ("time_limits", "class_code,amount,unit\nE0102,4,fortnights\n",
         "line 2, column unit: is 'fortnights': write one of urgent_hours"),
        ("time_limits", "class_code,amount,unit\nE0199,4,\n",
         "line 2, column unit: is empty: fill it in"),
        ("time_limits", "class_code,amount,unit\n0102,4,working_hours\n",
         "line 2, column class_code: is '0102': write it like E0102, or E04"),
        ("time_limits", "class_code,amount,unit\nE0102,2.5,working_days\n",
         "line 2, column amount: is 2.5 days: write whole days"),
        ("time_limits", "class_code,unit\nE0102,working_days\n",
         "line 1, column amount: is missing: add it"),
        ("time_limits", "class_code,amount,unit,conditon\nE0102,1,working_days,x\n",
         "line 1, column conditon: is unknown: there are class_code, condition"),
        ("time_limits", "class_code,amount,unit\nE0102,1,working_days\n\nE0102,2,working_days\n",
         "line 4, column class_code: E0102 stands twice"),
        ("time_limits", 'class_code,amount,unit,zh\nE0102,1,working_days,"a\nb"\nE1,1,days,\n',
         "line 4, column unit: is 'days'"),
        ("event_classes", "code,zh\n210,x\n", "line 2, column code: is '210'"),
        ("event_classes", "code,zh,group\n2101,x,nothing\n", "line 2, column group: is 'nothing'"),
        ("event_classes", "code,zh\n2199,\n", "line 2, column zh: is empty"),
        ("duty_roles", "role,level,kind,order,expected,many\nlamp,moon,line,1,yes,no\n",
         "line 2, column level: is 'moon'"),
        ("phone_rules", "viewer,sees\nleader,same neighbours\n",
         "line 2, column sees: has 'neighbours': use any of self, same"),
        ("case_rules", "name,value\nsoon_h,early\n",
         "line 2, column value: soon_h is 'early': write a number from 0"),
        ("case_rules", "name,value\nhours,9 to 5\n", "line 2, column value: hours is '9 to 5'"),
        ("case_rules", "name,value\nclock_starts_at,closed\n",
         "line 2, column value: clock_starts_at is 'closed': write one of collected, opened"),
        ("case_rules", "name,value\nclock_restart_on,lunch\n", "clock_restart_on has 'lunch'"),
        ("case_rules", "name,value\nsnooze,1\n", "line 2, column name: is 'snooze', which is no"),
        ("foreign_classes", "category,class_code\nNoise,Z9\n", r"foreign_classes\.csv, line 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_file_line_and_column(workspace, name, text, said):
    with pytest.raises(InputError, match=said):
        put(workspace, name, text)


def test_the_calendar_of_the_workspace_wins_and_years_that_lack_are_assumed(workspace):
    days = pd.DataFrame({"day": ["2026-03-03"], "is_workday": [False], "name": ["停工"]})
    with workspace.writing() as conn:
        workspace.append(conn, "calendar", days)
    calendar = read_rules(workspace).calendar
    assert not calendar.is_working_day(date(2026, 3, 3))
    assert calendar.is_working_day(date(2026, 3, 4))
    assert calendar.is_working_day(date(2030, 1, 1))
    assert not calendar.knows(2030)
    refusing = put(workspace, "case_rules", "name,value\nunknown_years,refuse\n")
    with pytest.raises(InputError, match="working days of 2030 are not known"):
        refusing.calendar.is_working_day(date(2030, 1, 1))


def test_zone_and_hours_are_those_of_the_city(workspace):
    settings = workspace.path / "settings.toml"
    settings.write_text('timezone = "America/New_York"\n', encoding="utf-8")
    rules = put(workspace, "case_rules", 'name,value\nhours,"08:30-12:00, 14:30-17:30"\n')
    assert (rules.calendar.zone, rules.calendar.basis) == ("America/New_York", "weekdays")
    assert rules.calendar.hours == ((510, 720), (870, 1050))
    book = CaseBook(workspace, rules)
    told = {"by": "L", "role": "acceptor", "class_code": None}
    # 03:30 UTC is still the evening before in New York.
    file = book.report(at=datetime(2026, 3, 2, 3, 30, tzinfo=UTC), **told)
    assert file.row["incident_id"] == "2026030100001"
    settings.write_text('timezone = "Moon/Base"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="names no zone"):
        read_rules(workspace)


def test_the_longest_beginning_of_a_class_names_its_owner(workspace):
    rules = put(workspace, "class_owners", "class_code,owner\nE,D01\nE01,D02\nE0110,D04\n")
    found = [rules.owner_of_class(code) for code in ("E0110", "E0102", "E0501", "C0118", None)]
    assert found == ["D04", "D02", "D01", None, None]


def test_templates_are_copies_that_change_nothing_and_overwrite_nothing(workspace):
    before = read_rules(workspace)
    mine = workspace.path / "rules" / "phone_rules.csv"
    mine.parent.mkdir()
    mine.write_text("viewer,sees\nleader,self\n", encoding="utf-8")
    written = write_rule_templates(workspace)
    assert {file.stem for file in written} == set(RULE_TABLES) - {"phone_rules"}
    assert mine.read_text(encoding="utf-8") == "viewer,sees\nleader,self\n"
    after = read_rules(workspace)
    pd.testing.assert_frame_equal(after.limits, before.limits)
    assert after.case == before.case
    assert after.foreign == before.foreign
    pd.testing.assert_frame_equal(
        after.classes.incident_classes(), before.classes.incident_classes()
    )
    assert write_rule_templates(workspace) == ()
    with pytest.raises(InputError, match="no table of rules 'laws'"):
        write_rule_templates(workspace, ("laws",))


def test_the_stamp_tells_that_rules_changed(workspace):
    first = rules_stamp(workspace)
    assert rules_stamp(workspace) == first == read_rules(workspace).stamp
    put(workspace, "case_rules", "name,value\nsoon_h,3\n")
    second = rules_stamp(workspace)
    with workspace.writing() as conn:
        day = {"day": ["2027-01-04"], "is_workday": [False], "name": ["元旦"]}
        workspace.append(conn, "calendar", pd.DataFrame(day))
    assert len({first, second, rules_stamp(workspace)}) == 3


def test_a_list_of_words_can_be_emptied(workspace):
    rules = put(workspace, "case_rules", "name,value\nclock_stands_while,none\n")
    assert rules.case.stands_while == ()
