"""Random logs: every indicator is that of a slow reading aloud, and everything adds up."""

from datetime import date
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.compare import BESIDE, Boundary, find_period
from geo.evaluate import EvaluationRules, evaluate, facts_of, moves_of, reconcile
from geo.io.case_columns import case_columns

CITY = ZoneInfo("Asia/Shanghai")
WEEK = find_period("week", date(2026, 6, 3), zone=CITY)
RULES = EvaluationRules(least_cases=0, most_unknown=1.0)
LONG = {  # what a case may go through: stage, move, role, whom it is given to
    "close": [("opened", "register", "acceptor", None), ("dispatched", "dispatch", "d", "D1"),
              ("fed_back", "feed_back", "h", None), ("closed", "close", "i", None)],
    "rework": [("opened", "register", "acceptor", None), ("dispatched", "dispatch", "d", "D2"),
               ("fed_back", "feed_back", "h", None), ("handling", "rework", "i", None),
               ("fed_back", "feed_back", "h", None), ("closed", "close", "i", None)],
    "return": [("opened", "register", "acceptor", None), ("dispatched", "dispatch", "d", "D1"),
               ("opened", "return", "h", None), ("dispatched", "dispatch", "d", "D2"),
               ("dispatched", "transfer", "d", "D3"), ("fed_back", "feed_back", "h", None),
               ("closed", "close", "i", None)],
    "cancel": [("collected", "verify", "grid_worker", None), ("cancelled", "cancel", "a", None)],
    "spot": [("closed", "handle_on_spot", "grid_worker", None)],
    "file": [("dispatched", "recorded", None, "D1"), ("closed", "recorded", None, None)],
}  # fmt: skip
PLACES = [(50.0, 50.0), (150.0, 50.0), (500.0, 50.0), (np.nan, np.nan)]


@pytest.fixture(scope="module")
def boundary():
    return Boundary(
        gpd.GeoDataFrame(
            {"community_code": [None, None]},
            geometry=[shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)],
            crs="EPSG:4547",
            index=pd.Index(["W", "E"], name="grid_id"),
        )
    )


@st.composite
def histories(draw):
    """Cases around the week, each some way along one of the ways that cases go."""
    rows, log = [], []
    for k in range(draw(st.integers(0, 14))):
        way = draw(st.sampled_from(list(LONG)))
        steps = LONG[way][: draw(st.integers(0, len(LONG[way])))]
        at = WEEK.begin_s + draw(st.integers(-5 * 86_400, 9 * 86_400))
        reported = at
        first = "recorded" if way == "file" else "report"
        reporter = None if way == "file" else draw(st.sampled_from(["grid_worker", "acceptor"]))
        log.append((f"i{k}", 1, at, "collected", first, "P", reporter, None))
        for number, (stage, move, role, owner) in enumerate(steps, start=2):
            at += draw(st.integers(60, 3 * 86_400))
            log.append((f"i{k}", number, at, stage, move, "Q" if role else None, role, owner))
        stage = log[-1][3]
        due = draw(st.none() | st.integers(0, 6 * 86_400))
        rows.append(
            (*draw(st.sampled_from(PLACES)), draw(st.sampled_from(["E1", "E2", None])), stage,
             reported, at if stage in ("closed", "cancelled") else None,
             None if due is None else reported + due)
        )  # fmt: skip
    return rows, log


def build(history):
    rows, log = history
    names = ["lon", "lat", "class_code", "stage", "reported_at", "closed_at", "deadline"]
    frame = pd.DataFrame(rows, columns=names).astype({"lon": "float64", "lat": "float64"})
    frame.index = pd.Index([f"i{k}" for k in range(len(frame))], name="incident_id")
    for name in names[4:]:
        frame[name] = pd.to_datetime(frame[name].astype("Float64"), unit="s", utc=True)
    table = pd.DataFrame(
        log, columns=["incident_id", "seq", "at", "stage", "move", "by", "role", "owner"]
    )
    table["at"] = pd.to_datetime(table["at"], unit="s", utc=True)
    return facts_of(case_columns(frame), moves_of(table, frame.index))


def slowly(history):
    """Numerator and denominator of figures of the whole city, one case at a time."""
    begin, end = WEEK.begin_s, WEEK.end_s
    found = {}

    def count(name, hit):
        up, down = found.get(name, (0, 0))
        found[name] = (up + hit, down + 1)

    for k, (_, _, _, stage, reported, ended, due) in enumerate(history[0]):
        log = [row for row in history[1] if row[0] == f"i{k}"]
        made = [row for row in log if row[4] != "recorded"]
        after = [r[2] for r in log if r[3] in ("opened", "dispatched", "handling", "fed_back")]
        backs = [r[2] for r in log if r[4] == "feed_back"]
        spot = any(r[4] == "handle_on_spot" for r in log)
        handled = ended if spot else (backs[-1] if backs else None)
        closed = ended if stage == "closed" else None
        gone = stage == "cancelled" and ended < end
        if begin <= reported < end and (made or stage == "collected" or after):
            count("opening_rate", bool(after) and after[0] < end)
        for name, done, told in (
            ("handling_rate", handled, bool(made) or handled or stage != "closed"),
            ("closing_rate", closed, True),
        ):
            falls = due is not None and begin <= due < end and not gone and reported < end
            finished = done is not None and begin <= done < end
            if (falls or finished) and due is not None and told:
                count(name, done is not None and done < end)
                count(f"on_time_{name}", done is not None and done < end and done <= due)
        for _, _, at, _, move, _, role, _ in log:
            if not begin <= at < end:
                continue
            if move == "register":
                count("on_time_opening_rate", at - reported <= 2 * 3600)
            if move in ("close", "rework"):
                count("check_passed_rate", move == "close")
            if move == "report":
                count("miss_rate", role != "grid_worker")
                if role == "grid_worker":
                    opened = bool(after) and after[0] < end
                    count("valid_report_rate", opened or (spot and ended < end))
        first = next((r for r in log if r[4] == "dispatch"), None)
        if first and begin <= first[2] < end:
            wrong = any(r[4] in ("return", "transfer") and r[2] < end for r in log)
            count("right_first_dispatch_rate", not wrong)
    return found


@given(histories())
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_the_slow_way(boundary, history):
    found = evaluate(
        build(history), WEEK, boundary=boundary, level="grid", rules=RULES, compared=False
    )
    sums = found.table[["numerator", "denominator"]].groupby(level="indicator").sum()
    slow = slowly(history)
    for name in (
        "opening_rate", "handling_rate", "on_time_handling_rate", "closing_rate",
        "on_time_closing_rate", "on_time_opening_rate", "right_first_dispatch_rate",
        "check_passed_rate", "valid_report_rate", "miss_rate",
    ):  # fmt: skip
        assert tuple(sums.loc[name]) == slow.get(name, (0, 0)), name


@given(histories())
@settings(max_examples=20, deadline=None)
def test_by_whatever_it_is_grouped_nothing_is_lost(boundary, history):
    facts = build(history)
    area = evaluate(facts, WEEK, boundary=boundary, level="grid", rules=RULES, compared=False)
    people = evaluate(facts, WEEK, by="department", rules=RULES, compared=False)
    posts = evaluate(facts, WEEK, by="post", rules=RULES, compared=False)

    def total(found, name):
        return found.table.xs(name, level="indicator")[["numerator", "denominator"]].sum().tolist()

    for name in ("handling_rate", "on_time_closing_rate", "check_passed_rate", "return_rate",
                 "rework_rate", "mean_handling_hours"):  # fmt: skip
        assert total(area, name) == pytest.approx(total(people, name))
    for name in ("on_time_opening_rate", "right_first_dispatch_rate", "valid_report_rate"):
        assert total(area, name) == total(posts, name)
    for column in ("reported", "should_handle", "handled", "should_close", "closed", "reworked"):
        assert area.counts[column].sum() == people.counts[column].sum()
    assert set(BESIDE) <= set(area.counts.index)


@given(histories())
@settings(max_examples=15, deadline=None)
def test_an_explanation_has_as_many_cases_as_the_figure_says(boundary, history):
    found = evaluate(
        build(history), WEEK, boundary=boundary, level="grid", rules=RULES, compared=False
    )
    for code, name in found.table.index:
        row, told = found.table.loc[(code, name)], found.explain(code, name)
        assert len(told.counted) == row["denominator"]
        assert len(told.left_out) == row["unknown"]
        assert len(told.hit) + len(told.missed) == len(told.counted)
        if name != "mean_handling_hours":
            assert len(told.hit) == row["numerator"]
        assert np.isnan(row["value"]) or row["value"] >= 0


@given(histories())
@settings(max_examples=15, deadline=None)
def test_the_list_by_class_and_the_rows_in_another_order_are_the_same(boundary, history):
    facts = build(history)
    table = reconcile(facts.cases, WEEK)
    assert (
        table[["solved", "open", "cancelled", "unknown"]].sum(axis=1) == table["reported"]
    ).all()
    assert (table[:-1].sum() == table.loc["(total)"]).all()
    turned = build((history[0], history[1][::-1]))
    one = evaluate(facts, WEEK, boundary=boundary, level="grid", rules=RULES, compared=False)
    two = evaluate(turned, WEEK, boundary=boundary, level="grid", rules=RULES, compared=False)
    pd.testing.assert_frame_equal(one.table, two.table)
