"""Cases from files: their logs, their classes, and what an update changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from geo.checks import check_workspace
from geo.errors import InputError
from geo.incidents import fold
from geo.io._gate_log import MOMENT_UNKNOWN
from geo.io.casebook import CaseBook
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.rules import read_rules
from geo.io.workspace import Workspace
from geo.schema import TABLES

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
HEAD = "案件号,经度,纬度,上报时间,案件状态,处理时限,结案时间,处置部门,问题类型\n"


def put(city: Workspace, text: str, *, at: datetime = AT, **options: Any) -> ImportReport:
    path = city.path.parent / "cases.csv"
    path.write_text(text, encoding="utf-8")
    report = import_files(city, "incidents", [path], at=at, timezone="UTC", **options)
    assert report.read == report.accepted + len(report.rejected)
    return report


def log_of(city: Workspace, incident_id: str) -> list[tuple[Any, ...]]:
    log = city.read("incident_log").sort_values("seq")
    rows = log[log["incident_id"] == incident_id]
    assert rows["move"].eq("recorded").all()
    return [
        (int(r.seq), r.stage, f"{r.at:%m-%d %H:%M}", None if pd.isna(r.note) else r.note)
        for r in rows.itertuples()
    ]


def problems(city: Workspace) -> list[tuple[str, str]]:
    tables = {name: city.read(name) for name in TABLES}
    found = check_workspace(tables, at=AT + timedelta(days=2))
    return list(zip(found["id"], found["reason"], strict=True))


def test_an_imported_case_has_a_log_that_says_no_more_than_its_file(workspace: Workspace) -> None:
    put(
        workspace,
        HEAD
        + "1,114.31,30.61,2026-11-01 10:00,上报,2026-11-02 10:00,,,\n"
        + "2,114.31,30.61,2026-11-01 10:00,已结案,2026-11-02 10:00,2026-11-01 12:00,城管局,\n"
        + "3,114.31,30.61,2026-11-01 10:00,处理中,,,市政所,\n"
        + "4,114.31,30.61,2026-11-01 10:00,已结案,,,,\n",
    )
    assert log_of(workspace, "1") == [(1, "collected", "11-01 10:00", None)]
    assert log_of(workspace, "2") == [
        (1, "collected", "11-01 10:00", None),
        (2, "closed", "11-01 12:00", None),
    ]
    assert log_of(workspace, "3")[1] == (2, "handling", "11-01 10:00", MOMENT_UNKNOWN)
    assert log_of(workspace, "4")[1] == (2, "closed", "11-01 10:00", MOMENT_UNKNOWN)
    log = workspace.read("incident_log")
    due = log[log["until"].notna()]
    assert due["incident_id"].tolist() == ["1", "2"]
    assert due["seq"].tolist() == [1, 1]
    case = fold(log[log["incident_id"] == "2"])
    assert (case.stage, case.owner) == ("closed", "城管局")
    rows = workspace.read("incidents")
    assert pd.isna(rows.loc["4", "closed_at"])
    assert not problems(workspace)


def test_a_case_that_is_open_has_no_close_time(workspace: Workspace) -> None:
    report = put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,处理中,,2026-11-01 12:00,,\n")
    assert pd.isna(workspace.read("incidents").loc["1", "closed_at"])
    repair = "close time of a case that is open, close time left empty"
    assert dict(zip(report.repaired["repair"], report.repaired["rows"], strict=True)) == {repair: 1}
    assert report.problems["detail"].tolist() == ["2026-11-01 12:00:00 UTC"]


def test_times_after_the_import_are_told(workspace: Workspace) -> None:
    report = put(
        workspace,
        HEAD
        + "1,114.31,30.61,2026-11-21 05:00,上报,,,,\n"
        + "2,114.31,30.61,2026-11-01 10:00,已结案,,2026-11-22 10:00,,\n"
        + "3,114.31,30.61,2026-11-21 04:04,上报,,,,\n",
    )
    assert report.accepted == 3
    assert [w for w in report.warnings if "after the time of this import" in w] == [
        "1 incidents are reported after the time of this import",
        "1 incidents are closed after the time of this import",
    ]


def test_an_update_adds_rows_to_the_log_and_changes_the_same_row(workspace: Workspace) -> None:
    first = HEAD + "1,114.31,30.61,2026-11-01 10:00,上报,2026-11-02 10:00,,,暴露垃圾\n"
    second = HEAD + "2,114.31,30.61,2026-11-01 10:00,上报,,,,暴露垃圾\n"
    put(workspace, first + second.removeprefix(HEAD))
    fids = "SELECT fid, incident_id FROM incidents ORDER BY fid"
    with workspace.reading() as conn:
        before = conn.exec_driver_sql(fids).all()
    seen = workspace.changes_since(None).seq
    later = AT + timedelta(days=1)
    report = put(
        workspace,
        "案件号,案件状态,处理时限,结案时间,经度,纬度,上报时间\n"
        "1,已结案,2026-11-05 10:00,2026-11-03 10:00,114.31,30.61,2026-11-01 10:00\n"
        "2,上报,,,114.31,30.61,2026-11-01 10:00\n"
        "3,处理中,,,114.31,30.61,2026-11-01 10:00\n",
        at=later,
        update=True,
    )
    assert (report.accepted, report.facts["updated"], report.facts["unchanged"]) == (3, 2, 1)
    assert log_of(workspace, "1") == [
        (1, "collected", "11-01 10:00", None),
        (2, "closed", "11-03 10:00", None),
    ]
    assert len(log_of(workspace, "2")) == 1
    log = workspace.read("incident_log")
    told = log.loc[(log["incident_id"] == "1") & (log["seq"] == 2), "until"].iloc[0]
    assert told == pd.Timestamp("2026-11-05 10:00Z")
    with workspace.reading() as conn:
        assert conn.exec_driver_sql(fids).all()[:2] == before
    assert set(workspace.changes_since(seen).fids or ()) == {before[0][0], before[1][0] + 1}
    rows = workspace.read("incidents")
    assert rows.loc["1", "category"] == "暴露垃圾"
    assert rows.loc["1", "class_code"] == "E0102"
    assert not problems(workspace)


def test_a_change_without_a_moment_stands_at_the_import(workspace: Workspace) -> None:
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,上报,,,,\n")
    later = AT + timedelta(hours=8)
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,处理中,,,所一,\n", at=later, update=True)
    assert log_of(workspace, "1")[1] == (2, "handling", "11-21 12:00", MOMENT_UNKNOWN)
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,处理中,,,所一,\n", at=later, update=True)
    assert len(log_of(workspace, "1")) == 2
    assert not problems(workspace)


def test_an_update_without_a_status_leaves_the_stage_and_the_class(workspace: Workspace) -> None:
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,处理中,,,,暴露垃圾\n")
    put(
        workspace,
        "案件号,经度,纬度,上报时间,地址\n1,114.31,30.61,2026-11-01 10:00,珞喻路 1 号\n",
        update=True,
    )
    row = workspace.read("incidents").loc["1"]
    assert (row["stage"], row["class_code"], row["address"]) == ("handling", "E0102", "珞喻路 1 号")
    assert len(log_of(workspace, "1")) == 2


def test_a_case_that_was_moved_here_is_led_by_its_log(workspace: Workspace) -> None:
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,上报,,,,暴露垃圾\n")
    book = CaseBook(workspace, read_rules(workspace))
    book.move("1", "register", at=AT, by="acceptor", role="acceptor", seen=1)
    report = put(
        workspace,
        HEAD + "1,114.5,30.5,2026-11-01 10:00,已结案,,2026-11-02 10:00,,暴露垃圾\n",
        update=True,
    )
    assert "1 incidents were moved here since" in "".join(report.warnings)
    row = workspace.read("incidents").loc["1"]
    assert (row["stage"], row["lon"]) == ("opened", 114.5)
    assert pd.isna(row["closed_at"])
    assert workspace.count("incident_log") == 2
    assert not problems(workspace)


def test_a_moved_place_is_found_by_the_spatial_index(workspace: Workspace) -> None:
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,上报,,,,\n")
    put(workspace, HEAD + "1,115,31,2026-11-01 10:00,上报,,,,\n", update=True)
    assert workspace.read("incidents", bbox=(114.9, 30.9, 115.1, 31.1)).index.tolist() == ["1"]
    assert workspace.read("incidents", bbox=(114.3, 30.6, 114.32, 30.62)).empty


def test_a_dry_run_of_an_update_changes_nothing(workspace: Workspace) -> None:
    put(workspace, HEAD + "1,114.31,30.61,2026-11-01 10:00,上报,,,,\n")
    done = HEAD + "1,114.31,30.61,2026-11-01 10:00,已结案,,2026-11-02 10:00,,\n"
    report = put(workspace, done, update=True, dry_run=True)
    assert report.facts["updated"] == 1
    assert workspace.read("incidents").loc["1", "stage"] == "collected"
    assert workspace.count("incident_log") == 1


@pytest.mark.parametrize(
    ("word", "stage"),
    [("派遣", "dispatched"), ("立案", "opened"), ("处置中", "handling"), ("核查", "collected"),
     ("已反馈", "fed_back"), ("核查结案", "closed"), ("作废", "cancelled"), ("退回", "opened"),
     ("返工", "handling"), ("自行处置", "closed"), ("不予立案", "cancelled")],
)  # fmt: skip
def test_chinese_words_for_stages_are_read(workspace: Workspace, word: str, stage: str) -> None:
    report = put(workspace, HEAD + f"1,114.31,30.61,2026-11-01 10:00,{word},,,,\n")
    assert workspace.read("incidents").loc["1", "stage"] == stage
    doubts = [w for w in report.warnings if "unknown status" in w]
    assert bool(doubts) == (word == "核查")


def test_levels_are_read_in_chinese(workspace: Workspace) -> None:
    put(workspace, "id,lon,lat,time,当前层级\n1,114.31,30.61,2026-11-01 10:00,街道级\n")
    assert workspace.read("incidents").loc["1", "level"] == "street"


FOREIGN = "id,lon,lat,time,complaint_type,descriptor\n"


def foreign(*rows: str) -> str:
    listed = [f"{n},-74,40.7,2024-05-01 10:00,{row}\n" for n, row in enumerate(rows, start=1)]
    return FOREIGN + "".join(listed)


def test_categories_of_new_york_have_our_classes(workspace: Workspace) -> None:
    report = put(
        workspace,
        foreign(
            "Illegal Parking,Blocked Hydrant",
            "illegal  parking,Double Parked",
            "Street Condition,Pothole",
            "Street Condition,Cave-in",
            "Water System,Hydrant Running (WC3)",
            "Street Sign - Missing,Stop",
            "HEAT/HOT WATER,ENTIRE BUILDING",
            "Moon Landing,",
            "Moon Landing,",
        ),
    )
    codes = workspace.read("incidents")["class_code"]
    assert codes.iloc[:6].tolist() == ["E0505", "E0505", "E0110", "E0401", "C0113", "C0209"]
    assert codes.iloc[6:].isna().all()
    assert workspace.read("incidents")["category"].iloc[7] == "Moon Landing"
    assert {k: report.facts[k] for k in ("classes_of", "mapped", "without_class", "unmapped")} == {
        "classes_of": "nyc_311", "mapped": 6, "without_class": 1, "unmapped": 2,
    }  # fmt: skip
    assert "2 incidents keep their category and have no class" in "".join(report.warnings)
    assert "Moon Landing (2)" in "".join(report.warnings)
    unknown = report.classes[report.classes["class_code"].isna()]
    assert unknown[["category", "rows"]].to_numpy().tolist() == [["Moon Landing", 2]]
    assert report.classes["rows"].sum() == 9


def test_the_source_that_knows_most_rows_speaks_and_others_are_silent(workspace: Workspace) -> None:
    """Graffiti is a word of New York only; with Baltimore's beside it, it stays unknown."""
    put(workspace, foreign("Graffiti,", "SW-Dirty Alley,", "WW-Hydrant Open,"))
    codes = workspace.read("incidents")["class_code"]
    assert codes.iloc[1:].tolist() == ["E0104", "C0113"]
    assert pd.isna(codes.iloc[0])


def own(workspace: Workspace, text: str, encoding: str = "utf-8-sig") -> Path:
    file = workspace.path / "rules" / "foreign_classes.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "gb18030"])
def test_a_city_maps_its_own_words_and_comes_first(workspace: Workspace, encoding: str) -> None:
    text = "category,class_code,note\n占道停车,E0505,\nGraffiti,E0201,ours\n噪*,E0508,扰民\n"
    own(workspace, text, encoding)
    put(workspace, foreign("占道停车,", "Graffiti,", "Abandoned Vehicle,", "噪声扰民,"))
    codes = workspace.read("incidents")["class_code"].tolist()
    assert codes == ["E0505", "E0201", "E0107", "E0508"]


def test_our_own_names_and_codes_need_no_table(workspace: Workspace) -> None:
    put(workspace, foreign("暴露垃圾,", "e0505,", "snow or ice on the road,"))
    assert workspace.read("incidents")["class_code"].tolist() == ["E0102", "E0505", "E0407"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("category,class_code\nx,E9999\n", "line 2, column class_code: E9999 is no incident class"),
        ("category,code\nx,E0102\n", "line 1: no column class_code: add it"),
    ],
)
def test_a_broken_table_of_a_city_is_refused(workspace: Workspace, text: str, words: str) -> None:
    file = own(workspace, text)
    with pytest.raises(InputError, match=words) as error:
        put(workspace, foreign("Graffiti,"))
    assert str(file) in str(error.value)
    assert workspace.count("incidents") == 0


def test_common_chinese_words_beside_our_own_names_are_mapped(workspace: Workspace) -> None:
    put(workspace, foreign("占道经营,", "暴露垃圾,", "路灯不亮,", "共享单车乱停放,"))
    codes = workspace.read("incidents")["class_code"].tolist()
    assert codes == ["E0501", "E0102", "C0118", "E0506"]


def test_the_packaged_tables_name_classes_that_there_are(workspace: Workspace) -> None:
    """Every code is known, and no row is hidden behind one like it."""
    from geo.io._gate_classes import read_foreign

    rows = read_foreign(workspace)
    known = {"nyc_311", "baltimore_311", "sacramento_crime", "cn_common"}
    assert {row.source for row in rows} == known
    keys = [(row.source, row.category, row.detail) for row in rows]
    assert len(keys) == len(set(keys))
