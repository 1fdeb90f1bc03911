"""The standard's indicators of two streets, worked out by hand.

Two grids of 100 m beside each other, west W and east E. Cases of June 2026:

    w1  reported 1 Jun, opened 1 h later, to D1, fed back, reworked, fed back, closed in time
    w2  reported 2 Jun, opened 5 h later, to D1, returned, to D2, fed back late, closed late
    w3  reported 3 Jun, cancelled
    w4  reported 4 Jun by hotline, opened 30 min later, to D1, still being handled, overdue
    e1  reported 5 Jun, put right on the spot
    e2  reported 30 May, to D2, closed in June in time
    e3  reported 6 Jun, tells only that it is closed (a file)
    u1  reported 7 Jun without a place, still collected
"""

from datetime import date
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo._evaluate_figures import sum_scores
from geo._evaluate_groups import Groups
from geo.compare import Boundary, find_period
from geo.errors import CodeError, ColumnError, InputError
from geo.evaluate import (
    INDICATORS,
    NOBODY,
    OBJECTS,
    EvaluationRules,
    Mark,
    evaluate,
    facts_of,
    moves_of,
    reconcile,
)
from geo.io.case_columns import case_columns

CITY = ZoneInfo("Asia/Shanghai")
JUNE = find_period("month", date(2026, 6, 1), zone=CITY)
W, E = (50.0, 50.0), (150.0, 50.0)


def when(text):
    return pd.Timestamp(f"2026-{text}", tz=CITY).tz_convert("UTC")


def log_of(rows):
    """Rows `(case, time, stage, move, by, role, owner)`."""
    frame = pd.DataFrame(
        rows, columns=["incident_id", "at", "stage", "move", "by", "role", "owner"]
    )
    frame["at"] = pd.to_datetime([when(text) for text in frame["at"]], utc=True)
    return frame.assign(seq=frame.groupby("incident_id").cumcount() + 1)


LOG = [
    ("w1", "06-01 08:00", "collected", "report", "P1", "grid_worker", None),
    ("w1", "06-01 08:30", "collected", "verify", "P1", "grid_worker", None),
    ("w1", "06-01 09:00", "opened", "register", "A1", "acceptor", None),
    ("w1", "06-01 10:00", "dispatched", "dispatch", "B1", "dispatcher", "D1"),
    ("w1", "06-01 11:00", "handling", "accept", "H1", "handler", None),
    ("w1", "06-01 14:00", "fed_back", "feed_back", "H1", "handler", None),
    ("w1", "06-01 15:00", "handling", "rework", "I1", "inspector", None),
    ("w1", "06-01 20:00", "fed_back", "feed_back", "H1", "handler", None),
    ("w1", "06-02 08:00", "closed", "close", "I1", "inspector", None),
    ("w2", "06-02 08:00", "collected", "report", "P1", "grid_worker", None),
    ("w2", "06-02 13:00", "opened", "register", "A1", "acceptor", None),
    ("w2", "06-02 14:00", "dispatched", "dispatch", "B1", "dispatcher", "D1"),
    ("w2", "06-02 15:00", "opened", "return", "H1", "handler", None),
    ("w2", "06-02 16:00", "dispatched", "dispatch", "B1", "dispatcher", "D2"),
    ("w2", "06-04 14:00", "fed_back", "feed_back", "H2", "handler", None),
    ("w2", "06-04 15:00", "closed", "close", "I1", "inspector", None),
    ("w3", "06-03 08:00", "collected", "report", "P1", "grid_worker", None),
    ("w3", "06-03 09:00", "cancelled", "cancel", "A1", "acceptor", None),
    ("w4", "06-04 08:00", "collected", "report", "T1", "acceptor", None),
    ("w4", "06-04 08:30", "opened", "register", "A2", "acceptor", None),
    ("w4", "06-04 09:00", "dispatched", "dispatch", "B1", "dispatcher", "D1"),
    ("w4", "06-04 10:00", "handling", "accept", "H1", "handler", None),
    ("e1", "06-05 08:00", "collected", "report", "P2", "grid_worker", None),
    ("e1", "06-05 08:10", "closed", "handle_on_spot", "P2", "grid_worker", None),
    ("e2", "05-30 08:00", "collected", "report", "P2", "grid_worker", None),
    ("e2", "05-30 08:30", "opened", "register", "A1", "acceptor", None),
    ("e2", "05-30 09:00", "dispatched", "dispatch", "B2", "dispatcher", "D2"),
    ("e2", "06-02 09:00", "fed_back", "feed_back", "H2", "handler", None),
    ("e2", "06-02 10:00", "closed", "close", "I1", "inspector", None),
    ("e3", "06-06 08:00", "collected", "recorded", None, None, None),
    ("e3", "06-07 08:00", "closed", "recorded", None, None, None),
    ("u1", "06-07 08:00", "collected", "report", "P1", "grid_worker", None),
]
CASES = {  # place, class, stage, reported, closed, deadline
    "w1": (W, "E0102", "closed", "06-01 08:00", "06-02 08:00", "06-02 12:00"),
    "w2": (W, "E0102", "closed", "06-02 08:00", "06-04 15:00", "06-04 12:00"),
    "w3": (W, "E0104", "cancelled", "06-03 08:00", "06-03 09:00", None),
    "w4": (W, "E0104", "handling", "06-04 08:00", None, "06-08 12:00"),
    "e1": (E, "E0102", "closed", "06-05 08:00", "06-05 08:10", None),
    "e2": (E, "E0505", "closed", "05-30 08:00", "06-02 10:00", "06-03 12:00"),
    "e3": (E, None, "closed", "06-06 08:00", "06-07 08:00", "06-08 12:00"),
    "u1": ((None, None), "E0102", "collected", "06-07 08:00", None, None),
}


@pytest.fixture
def facts():
    frame = pd.DataFrame.from_dict(
        CASES, orient="index",
        columns=["place", "class_code", "stage", "reported_at", "closed_at", "deadline"],
    ).rename_axis("incident_id")  # fmt: skip
    for name in ("reported_at", "closed_at", "deadline"):
        told = [when(text) if isinstance(text, str) else pd.NaT for text in frame[name]]
        frame[name] = pd.to_datetime(pd.Series(told, index=frame.index), utc=True)
    frame["lon"] = [place[0] for place in frame["place"]]
    frame["lat"] = [place[1] for place in frame["place"]]
    frame = frame.drop(columns="place").astype({"lon": "float64", "lat": "float64"})
    return facts_of(case_columns(frame), moves_of(log_of(LOG), frame.index))


@pytest.fixture
def boundary():
    return Boundary(
        gpd.GeoDataFrame(
            {"community_code": [None, None]},
            geometry=[shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)],
            crs="EPSG:4547",
            index=pd.Index(["W", "E"], name="grid_id"),
        )
    )


EASY = EvaluationRules(least_cases=1, most_unknown=1.0)


def figures(found, code, name):
    row = found.table.loc[(code, name)]
    return row["numerator"], row["denominator"], row["unknown"]


@pytest.mark.parametrize(
    ("name", "west", "east"),
    [
        ("opening_rate", (3, 4, 0), (0, 1, 1)),
        ("handling_rate", (2, 3, 0), (1, 1, 2)),
        ("on_time_handling_rate", (1, 3, 0), (1, 1, 2)),
        ("closing_rate", (2, 3, 0), (2, 2, 1)),
        ("on_time_closing_rate", (1, 3, 0), (2, 2, 1)),
        ("on_time_opening_rate", (2, 3, 0), (0, 0, 0)),
        ("right_first_dispatch_rate", (2, 3, 0), (0, 0, 0)),
        ("rework_rate", (1, 2, 0), (0, 1, 1)),
        ("return_rate", (1, 4, 0), (0, 0, 1)),
        ("check_passed_rate", (2, 3, 0), (1, 1, 1)),
        ("mean_handling_hours", (10 + 48, 2, 0), (72, 1, 1)),
        ("high_frequency_share", (4, 4, 0), (1, 2, 0)),
        ("valid_report_rate", (2, 3, 0), (1, 1, 1)),
        ("on_time_verify_rate", (1, 1, 0), (0, 0, 1)),
        ("on_time_check_rate", (2, 3, 0), (1, 1, 1)),
        ("miss_rate", (1, 4, 0), (0, 1, 1)),
    ],
)
def test_each_indicator_of_an_area_is_what_one_counts_by_hand(facts, boundary, name, west, east):
    """Mean hours: w1 is handled 10 h after its dispatch, w2 48 h after its first; e2 72 h."""
    found = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=EASY)
    assert figures(found, "W", name) == pytest.approx(west)
    assert figures(found, "E", name) == pytest.approx(east)


def test_a_case_on_the_spot_has_no_deadline_and_is_left_out_of_what_was_due(facts, boundary):
    found = evaluate(facts, JUNE, boundary=boundary, level="grid")
    row = found.table.loc[("E", "handling_rate")]
    assert np.isnan(row["value"])
    assert row["reason"] == "not_logged"
    assert found.table.loc[("E", "closing_rate"), "reason"] == "no_deadline"


def test_departments_answer_for_what_they_had(facts):
    found = evaluate(facts, JUNE, by="department", rules=EASY)
    assert figures(found, "D1", "handling_rate") == (1, 2, 0)
    assert figures(found, "D2", "handling_rate") == (2, 2, 0)
    # D1 had w1, w2 and w4 and gave w2 back; D2 had w2 (e2 came in May) and kept it.
    assert figures(found, "D1", "return_rate") == (1, 3, 0)
    assert figures(found, "D2", "return_rate") == (0, 1, 0)
    assert figures(found, "D1", "rework_rate") == (1, 1, 0)
    assert figures(found, "D2", "rework_rate") == (0, 2, 0)
    assert found.counts.loc[NOBODY, "reported"] == 4
    assert found.counts["reported"].sum() == 7


def test_posts_answer_for_their_own_moves(facts):
    found = evaluate(facts, JUNE, by="post", rules=EASY)
    assert figures(found, "acceptor:A1", "on_time_opening_rate") == (1, 2, 0)
    assert figures(found, "acceptor:A2", "on_time_opening_rate") == (1, 1, 0)
    assert figures(found, "dispatcher:B1", "right_first_dispatch_rate") == (2, 3, 0)
    assert figures(found, "grid_worker:P1", "valid_report_rate") == (2, 4, 0)
    assert figures(found, "inspector:I1", "on_time_check_rate") == (3, 4, 0)
    assert found.counts.loc["inspector:I1", "checks"] == 4
    assert found.counts.loc["dispatcher:B1", "dispatches"] == 4


def test_counts_add_up_and_everything_has_a_row(facts, boundary):
    found = evaluate(facts, JUNE, boundary=boundary, level="grid").counts
    assert found.loc["W"].to_dict() == {
        "reported": 4, "opened": 3, "opening_unknown": 0, "dispatched": 3, "should_handle": 3,
        "handled": 2, "on_time_handled": 1, "overdue_handled": 1, "not_handled": 1,
        "handling_unknown": 0, "should_close": 3, "closed": 2, "on_time_closed": 1,
        "overdue_closed": 1, "not_closed": 1, "closing_unknown": 0, "reworked": 1, "returned": 1,
        "on_spot": 0, "cancelled": 1,
    }  # fmt: skip
    assert found.loc["(unplaced)", "reported"] == 1
    assert found["reported"].sum() == 7


def test_a_figure_tells_the_cases_behind_it(facts, boundary):
    found = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=EASY)
    told = found.explain("W", "on_time_closing_rate")
    ids = dict(enumerate(CASES, start=1))
    assert [ids[fid] for fid in told.counted] == ["w4", "w2", "w1"]
    assert [ids[fid] for fid in told.hit] == ["w1"]
    assert [ids[fid] for fid in told.missed] == ["w4", "w2"]
    assert [ids[fid] for fid in found.explain("E", "opening_rate").left_out] == ["e3"]
    assert len(found.explain("W", "mean_handling_hours").hit) == 2
    with pytest.raises(CodeError, match="no figure 'joy' of 'W'"):
        found.explain("W", "joy")


def test_a_score_is_the_sum_of_its_points_over_what_could_be_known(facts, boundary):
    rules = EvaluationRules(
        least_cases=1, most_unknown=1.0,
        marks={"area": (Mark("on_time_closing_rate", 60, 1, 0), Mark("rework_rate", 20, 0, 1),
                        Mark("area_coverage_rate", 20, 1, 0))},
    )  # fmt: skip
    found = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=rules)
    # W: 60 * 1/3 + 20 * 1/2 = 30 of 80; E: 60 + 20 of 80.
    assert found.scores.loc["W", "score"] == pytest.approx(37.5)
    assert found.scores.loc["E", "score"] == pytest.approx(100)
    assert found.scores["points_known"].tolist() == [80, 80]
    assert found.scores["rank"].tolist() == [2, 1]
    told = found.explain("W", "on_time_closing_rate")
    assert (told.weight, told.points) == (60, 20)
    coverage = pd.DataFrame({"covered": [50.0, 0.0], "whole": [100.0, 100.0]}, index=["W", "E"])
    seen = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=rules, coverage=coverage)
    assert seen.table.loc[("W", "area_coverage_rate"), "value"] == 0.5
    assert seen.scores.loc["W", "score"] == pytest.approx(40)
    assert found.table.loc[("W", "area_coverage_rate"), "reason"] == "no_rounds"


def test_few_cases_are_shown_and_neither_ranked_nor_scored(facts, boundary):
    rules = EvaluationRules(marks={"area": (Mark("opening_rate", 100, 1, 0),)}, most_unknown=1)
    found = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=rules)
    assert found.table.loc[("W", "opening_rate"), "value"] == 0.75
    assert pd.isna(found.table.loc[("W", "opening_rate"), "rank"])
    assert found.scores["score"].isna().all()
    assert found.scores["points_known"].tolist() == [0, 0]


def test_the_other_periods_stand_beside_as_value_flag_and_rate(facts, boundary):
    july = find_period("month", date(2026, 7, 1), zone=CITY)
    found = evaluate(facts, july, boundary=boundary, level="grid", rules=EASY)
    row = found.table.loc[("W", "opening_rate")]
    assert np.isnan(row["value"])
    assert row["reason"] == "no_cases"
    assert (row["last_period_value"], row["last_period_flag"]) == (0.75, "unknown")
    june = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=EASY)
    row = june.table.loc[("E", "closing_rate")]
    assert np.isnan(row["last_year_value"])
    assert row["last_year_flag"] == "unknown"


def test_a_past_month_reads_the_same_whenever_it_is_asked(facts, boundary):
    """May: e2 was reported and opened, and nothing of it was due or closed yet."""
    may = find_period("month", date(2026, 5, 1), zone=CITY)
    found = evaluate(facts, may, boundary=boundary, level="grid", rules=EASY)
    assert figures(found, "E", "opening_rate") == (1, 1, 0)
    assert figures(found, "E", "closing_rate") == (0, 0, 0)


def test_a_list_by_class_adds_up_to_what_was_reported(facts):
    table = reconcile(facts.cases, JUNE)
    assert table.loc["(total)"].to_dict() == {
        "reported": 7, "solved": 4, "open": 2, "cancelled": 1, "unknown": 0,
    }  # fmt: skip
    assert table.index.tolist() == ["E0102", "E0104", "(no class)", "(total)"]
    parts = table[["solved", "open", "cancelled", "unknown"]].sum(axis=1)
    assert (parts == table["reported"]).all()
    assert (table[:-1].sum() == table.loc["(total)"]).all()
    empty = reconcile(facts.cases, find_period("year", date(2020, 1, 1), zone=CITY))
    assert empty.loc["(total)", "reported"] == 0


def test_every_indicator_says_what_is_above_and_below_the_line():
    for name, one in INDICATORS.items():
        assert one.denominator == f"evaluate.denominator.{name}"
        assert one.numerator == f"evaluate.numerator.{name}"
        assert set(one.objects) <= set(OBJECTS)
        assert one.good in ("high", "low")


def test_what_cannot_be_evaluated_is_said_in_a_line(facts, boundary):
    with pytest.raises(InputError, match="by is 'planet': use one of area, department, post"):
        evaluate(facts, JUNE, by="planet")
    with pytest.raises(InputError, match="areas need a boundary"):
        evaluate(facts, JUNE)
    with pytest.raises(CodeError, match="no level 'street'"):
        evaluate(facts, JUNE, boundary=boundary)
    with pytest.raises(ColumnError, match="coverage lacks covered or whole"):
        evaluate(facts, JUNE, boundary=boundary, level="grid", coverage=pd.DataFrame({"a": []}))


def test_at_the_limit_itself_is_still_in_time(facts, boundary):
    """w1 was opened after an hour to the second, w2 after five, w4 after half of one."""
    rules = EvaluationRules(opening_limit_h=1, least_cases=1, most_unknown=1.0)
    found = evaluate(facts, JUNE, boundary=boundary, level="grid", rules=rules, compared=False)
    assert figures(found, "W", "on_time_opening_rate") == (2, 3, 0)


def test_who_had_a_case_before_each_row_is_of_that_case_alone(facts):
    names = np.array([*facts.log.owners, None], dtype=object)[facts.holder]
    told = dict(zip(zip(facts.log.case, facts.log.at, strict=True), names, strict=True))
    rows = [(list(CASES).index(case), when(at).timestamp()) for case, at, *_ in LOG]
    by_row = [told[row] for row in rows]
    assert by_row[:10] == [None] * 4 + ["D1"] * 5 + [None]
    assert by_row[12:18] == ["D1", "D1", "D2", "D2", None, None]
    assert by_row[22:24] == [None, None]


def test_one_indicator_of_ten_points_ranks_nobody():
    """Of 100 points 10 are known: no score; of 60 there is one. What is withheld has no parts."""
    labels = pd.Index(["A", "B"], dtype=object)
    none = np.zeros(0, dtype=np.int64)
    groups = Groups("area", labels, {}, (), none, none, {})
    marks = {
        "one": Mark("one", 10, 1, 0),
        "two": Mark("two", 50, 1, 0),
        "three": Mark("three", 40, 1, 0),
    }
    points = np.array([[7.0, 7.0], [np.nan, 50.0], [np.nan, np.nan]])
    scores = sum_scores(np.array([10.0, 50, 40]), points, groups, marks, 50)
    assert scores["points_known"].tolist() == [10, 60]
    assert np.isnan(scores.loc["A", "score"])
    assert scores.loc["B", "score"] == pytest.approx(57 / 60 * 100)
    assert scores["rank"].isna().tolist() == [True, False]
