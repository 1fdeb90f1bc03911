"""Checks of incidents against their logs, of duties, the calendar and zones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo._classes import ClassBook, packaged_classes
from geo.checks import (
    REASONS,
    check_calendar,
    check_cases,
    check_classes,
    check_log,
    check_workspace,
    check_zones,
    count_problems,
)
from geo.incidents import LOG_COLUMNS, apply, fold, log_table, report
from geo.responsibility import duty_roles

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)
TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)


def incidents(**values: Any) -> pd.DataFrame:
    """One case `i`, reported at nine, closed at ten, due at ten, unless told otherwise."""
    row = {
        "stage": "closed", "reported_at": NINE, "deadline": TEN, "closed_at": TEN, "owner": None,
        "level": None, "condition": None, "paused_until": None,
    } | values  # fmt: skip
    frame = pd.DataFrame([row], index=pd.Index(["i"], name="incident_id"))
    for name in ("reported_at", "deadline", "closed_at", "paused_until"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


def log(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of the case `i`, numbered, `recorded` at nine unless told otherwise."""
    full = [
        {"incident_id": "i", "seq": n, "at": NINE, "move": "recorded"} | row
        for n, row in enumerate(rows, start=1)
    ]
    frame = pd.DataFrame(full).reindex(columns=list(LOG_COLUMNS))
    for name in ("at", "until"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


TOLD = log({"stage": "collected", "until": TEN}, {"stage": "closed", "at": TEN})


def told(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["reason"], frame["detail"], strict=True))


def test_a_row_that_says_what_its_log_says_is_fine() -> None:
    assert check_log(incidents(), TOLD).empty


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"stage": "opened"}, "stage opened, the log says closed"),
        ({"closed_at": NINE}, "closed_at 2026-11-20 09:00 UTC, the log says 2026-11-20 10:00 UTC"),
        ({"deadline": NINE}, "deadline 2026-11-20 09:00 UTC"),
        ({"deadline": None}, "deadline nothing"),
        ({"owner": "D1"}, "owner D1, the log says nothing"),
        ({"level": "city"}, "level city, the log says grid"),
        ({"condition": "stop"}, "condition stop, the log says nothing"),
    ],
)
def test_a_row_that_says_something_else_is_told(values: dict[str, Any], detail: str) -> None:
    assert told(check_log(incidents(**values), TOLD)) == [("log_disagrees", detail)]


def test_a_close_time_that_the_source_never_told_is_no_difference() -> None:
    unknown = log({"stage": "collected", "until": TEN}, {"stage": "closed", "note": "unknown"})
    assert check_log(incidents(closed_at=None), unknown).empty


def test_the_deadline_of_a_case_that_was_moved_here_is_not_looked_at() -> None:
    """It also depends on limits, which this check does not know; the time granted is looked at."""
    case, _ = report("i", at=NINE, by="w", role="grid_worker")
    case, _ = apply(case, "register", at=NINE, by="a", role="acceptor", seen=1)
    case, _ = apply(case, "dispatch", at=NINE, by="d", role="dispatcher", seen=2, owner="D1")
    case, _ = apply(
        case, "ask_postponement", at=NINE, by="h", role="handler", seen=3, until=TEN, note="rain"
    )
    case, _ = apply(case, "approve_postponement", at=NINE, by="d", role="dispatcher", seen=4)
    table = log_table(case.log)
    assert fold(table).postponed_until == TEN
    row = {"stage": "dispatched", "closed_at": None, "owner": "D1", "level": "grid"}
    assert check_log(incidents(**row, deadline=None, paused_until=TEN), table).empty
    wrong = check_log(incidents(**row, deadline=AT, paused_until=None), table)
    assert told(wrong) == [("log_disagrees", "paused_until nothing")]


def test_a_recorded_row_may_be_earlier_but_a_move_may_not() -> None:
    back = log({"stage": "collected", "at": TEN, "until": TEN}, {"stage": "closed", "at": NINE})
    assert check_log(incidents(closed_at=NINE), back).empty
    moved = back.assign(move=["report", "force_close"])
    assert told(check_log(incidents(closed_at=NINE), moved)) == [
        ("log_order", "move 2: earlier than the move before")
    ]


def test_holes_and_logs_without_a_case_are_told() -> None:
    hole = TOLD.assign(seq=[1, 3])
    assert told(check_log(incidents(), hole)) == [("log_order", "move 3: numbers are not 1, 2, 3")]
    alone = TOLD.assign(incident_id="other")
    found = check_log(incidents(), alone)
    assert list(zip(found["id"], found["reason"], strict=True)) == [("other", "log_alone")]


def test_an_open_case_has_no_close_time_and_is_with_somebody_who_is_there() -> None:
    found = check_cases(incidents(stage="handling", owner="D9"), units=["D1"])
    assert told(found) == [
        ("open_closed", "handling, closed_at 2026-11-20 10:00 UTC"),
        ("unknown_owner", "owner D9"),
    ]
    assert check_cases(incidents(owner="D9"), units=["D1"]).empty
    assert check_cases(incidents(stage="handling", closed_at=None, owner="D9")).empty


def test_classes_of_the_city_are_known_to_the_check() -> None:
    frame = pd.DataFrame({"class_code": ["E0701", "E0102"]}, index=["a", "b"])
    assert check_classes(frame, table="incidents")["id"].tolist() == ["a"]
    book = packaged_classes()
    events = pd.DataFrame(
        {"group": ["other"], "zh": ["本市事件"], "en": ["ours"]},
        index=pd.Index(["0701"], name="code"),
    )
    assets = book.asset_classes().drop(columns="symbol")
    groups = book.asset_groups(), book.incident_groups().drop("component")
    ours = ClassBook(assets, groups[0], events, groups[1])
    assert check_classes(frame, table="incidents", classes=ours)["id"].tolist() == ["b"]


@pytest.mark.parametrize("day", ["2027-02-30", "2027-2-3", "20270203", "soon", None])
def test_a_day_that_is_no_date_is_told(day: str | None) -> None:
    frame = pd.DataFrame({"is_workday": True}, index=pd.Index(["2027-02-06", day], name="day"))
    found = check_calendar(frame)
    assert found["reason"].tolist() == ["bad_day"]
    assert found["row"].tolist() == [1]


def test_zones_of_one_kind_that_overlap_are_a_warning() -> None:
    zones = gpd.GeoDataFrame(
        {"kind": ["商圈", "商圈", "校区"], "name": list("xyz")},
        geometry=[shapely.box(114 + x, 30, 114.02 + x, 30.02) for x in (0, 0.01, 0)],
        index=pd.Index(["Z1", "Z2", "Z3"], name="zone_id"),
        crs="EPSG:4326",
    )
    found = check_zones(zones)
    assert found["reason"].tolist() == ["zone_overlap"]
    assert found["severity"].tolist() == ["warning"]
    assert found["detail"].iloc[0].startswith("商圈: ")
    assert check_zones(zones.iloc[[0, 2]]).empty


def city(duties: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Two grids; somebody works in the first."""
    grids = gpd.GeoDataFrame(
        {"name": ["一", "二"], "kind": "base", "community_code": None, "households": 300,
         "population": 900, "version": 1, "valid_from": pd.Timestamp("2026-01-01", tz="UTC"),
         "valid_to": pd.Series([pd.NaT, pd.NaT], dtype="datetime64[us, UTC]").array},
        geometry=[shapely.box(114 + x, 30, 114.01 + x, 30.01) for x in (0.3, 0.31)],
        index=pd.Index(["G1", "G2"], name="grid_id"),
        crs="EPSG:4326",
    )  # fmt: skip
    workers = pd.DataFrame(
        {"name": ["甲", "乙"], "role": "grid_worker", "unit_code": ["G1", None], "phone": None},
        index=pd.Index(["w1", "w2"], name="worker_id"),
    )
    tables: dict[str, pd.DataFrame] = {"grids": grids, "workers": workers}
    return tables if duties is None else tables | {"duties": duties}


def duties(*rows: tuple[str, str, str, str, str | None]) -> pd.DataFrame:
    columns = ["unit_code", "role", "worker_id", "valid_from", "valid_to"]
    frame = pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(len(rows)).map("d{}".format))
    for name in ("valid_from", "valid_to"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame.assign(rank=1).rename_axis("duty_id")


def reasons(tables: dict[str, pd.DataFrame], **options: Any) -> list[str]:
    found = check_workspace(tables, at=AT, **options)
    assert set(found["reason"]) <= set(REASONS)
    count_problems(found)
    return sorted(found["reason"])


def test_a_grid_without_a_worker_is_told_by_workers_or_by_duties_but_not_twice() -> None:
    assert reasons(city(None)) == ["no_worker"]
    one = duties(("G1", "grid_head", "w1", "2026-01-01", None))
    assert reasons(city(one)) == ["post_vacant"]
    both = duties(
        ("G1", "grid_head", "w1", "2026-01-01", None),
        ("G2", "grid_head", "w2", "2026-01-01", "2026-03-01"),
        ("G2", "grid_head", "w2", "2026-04-01", None),
        ("G1", "grid_head", "w2", "2026-10-01", None),
        ("G1", "grid_worker", "w2", "2026-10-01", "2026-09-01"),
    )
    assert reasons(city(both)) == ["duty_dates", "post_double", "post_gap", "post_vacant", "post_vacant"]  # noqa: E501  # fmt: skip


def test_roles_of_the_city_decide_what_is_a_double() -> None:
    table = duties(
        ("G1", "grid_head", "w1", "2026-01-01", None),
        ("G1", "grid_head", "w2", "2026-01-01", None),
        ("G2", "grid_head", "w2", "2026-01-01", None),
    )
    assert reasons(city(table)) == ["post_double"]
    roles = duty_roles()
    roles.loc[(roles["role"] == "grid_head") & (roles["level"] == "grid"), "many"] = "yes"
    assert reasons(city(table), roles=roles) == []
