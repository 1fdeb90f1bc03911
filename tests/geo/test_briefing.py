"""What a leader is told: what got worse, since when, who answers, what was done."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.briefing import find_change, write_briefing
from geo.compare import Boundary, compare, find_period, period_before
from geo.deadlines import WorkingCalendar
from geo.errors import InputError
from geo.evaluate import facts_of, moves_of
from geo.io.case_columns import case_columns
from geo.responsibility import ChainIndex

CITY = ZoneInfo("Asia/Shanghai")
ALIKE = WorkingCalendar(basis="daily")
AT = datetime(2026, 7, 1, tzinfo=UTC)
JUNE = find_period("month", date(2026, 6, 1), zone=CITY)
LAST = date(2026, 6, 30)


@pytest.fixture
def city():
    """Three grids in a row. In A rubbish doubles from 3 June on (a Wednesday, the first day of a
    week that ends on a Tuesday); in B potholes halve; C stays. Two years, every day."""
    rows = []
    for k in range(730):
        day = LAST - timedelta(days=k)
        for number, (a, b, c) in enumerate(((0, 1, 0), (0, 1, 0), (0, 1, 0), (1, 0, 1))):
            at = datetime(day.year, day.month, day.day, 9 + number, tzinfo=CITY)
            many = 4 if day >= date(2026, 6, 3) else 2
            fewer = 0 if day >= date(2026, 6, 3) else b
            rows += [(at, 50.0, "E0102")] * many * (number < 2)
            rows += [(at, 150.0, "E0110")] * fewer
            rows += [(at, 250.0, "E0505")] * c
            del a
    frame = pd.DataFrame(rows, columns=["reported_at", "lon", "class_code"]).assign(lat=50.0)
    frame["reported_at"] = pd.to_datetime(frame["reported_at"], utc=True)
    late = frame["reported_at"] >= pd.Timestamp("2026-06-29", tz=CITY)
    frame["stage"] = np.where(late, "dispatched", "closed")
    frame["closed_at"] = (frame["reported_at"] + timedelta(hours=5)).mask(late)
    frame["deadline"] = frame["reported_at"] + timedelta(hours=10)
    frame["owner"] = np.where(frame["class_code"] == "E0102", "D1", "D2")
    frame.index = pd.Index([f"i{k}" for k in range(len(frame))], name="incident_id")
    grids = gpd.GeoDataFrame(
        {"community_code": ["K"] * 3, "name": ["first", "second", None], "kind": "base"},
        geometry=[shapely.box(x, 0, x + 100, 100) for x in (0, 100, 200)],
        crs="EPSG:4547",
        index=pd.Index(["A", "B", "C"], name="grid_id"),
    )
    divisions = pd.DataFrame(
        {"level": ["community"], "name": ["community"], "parent_code": [None]},
        index=pd.Index(["K"], name="code"),
    )
    return frame, Boundary(grids, divisions)


def brief(city, **options):
    frame, boundary = city
    cases = case_columns(frame)
    found = compare(cases, boundary, JUNE, period_before(JUNE), calendar=ALIKE)
    return write_briefing(found, cases, at=AT, **options)


def test_what_got_worse_comes_with_its_class_its_day_and_its_people(city):
    _, boundary = city
    workers = pd.DataFrame(
        {"name": ["Wang", "Li"], "role": "grid_head", "phone": None, "unit_code": ["A", "K"]},
        index=pd.Index(["W1", "W2"], name="worker_id"),
    )
    chain = ChainIndex(
        None, workers, boundary.divisions, boundary.grids.to_crs(4326).assign(version=1)
    )
    found = brief(city, chain=chain)
    assert [item.code for item in found.items] == ["A"]
    worst = found.items[0]
    assert worst.name == "first"
    assert worst.now == 2 * 4 + 28 * 8
    assert worst.verdict == "rose"
    assert worst.since == date(2026, 6, 3)
    assert worst.before_week == pytest.approx(28)
    assert worst.after_week == pytest.approx(56)
    assert worst.classes[0][0] == "E0102"
    assert worst.people == {"grid": "Wang", "community": "Li"}
    # Reported on the 29th and 30th and not closed; all are past their ten hours by 08:00.
    assert (worst.open, worst.overdue, worst.owners) == (16, 16, (("D1", 16),))
    assert len(worst.fids) == 20
    assert [item.code for item in found.better] == ["B"]
    assert found.better[0].since == date(2026, 6, 3)
    assert (found.quiet, found.unsure, found.unknown) == (1, 0, 0)


def test_what_was_done_since_then_is_counted_from_the_log(city):
    frame, _ = city
    first_of_june = frame.index[frame["reported_at"] < pd.Timestamp("2026-06-03", tz=CITY)][0]
    newest = frame.index[frame["lon"] == 50.0][0]
    log = pd.DataFrame(
        [
            (newest, 1, "2026-06-30T02:00Z", "collected", "report"),
            (newest, 2, "2026-06-30T03:00Z", "opened", "register"),
            (newest, 3, "2026-06-30T04:00Z", "opened", "supervise"),
            (first_of_june, 1, "2026-06-01T04:00Z", "opened", "register"),
        ],
        columns=["incident_id", "seq", "at", "stage", "move"],
    )
    facts = facts_of(case_columns(frame), moves_of(log, frame.index))
    found = brief(city, facts=facts)
    assert found.items[0].done == {"register": 1, "supervise": 1}
    assert found.better[0].done == {}


def test_a_quiet_city_says_so(city):
    frame, boundary = city
    quiet = (frame[frame["lon"] == 250.0], boundary)
    found = brief(quiet)
    assert found.items == found.better == ()
    assert (found.quiet, found.unsure) == (1, 2)
    assert found.total["verdict"] == "no_clear_change"


def test_a_list_is_cut_and_says_how_many_more(city):
    found = brief(city, most=0)
    assert found.items == ()
    assert (found.more_worse, found.more_better) == (1, 1)


def test_facts_of_other_cases_and_a_time_without_a_zone_are_refused(city):
    frame, boundary = city
    other = frame.iloc[:3]
    facts = facts_of(case_columns(other), moves_of(
        pd.DataFrame({name: [] for name in ("incident_id", "seq", "at", "stage", "move")}),
        other.index,
    ))  # fmt: skip
    with pytest.raises(InputError, match="facts are of 3 cases"):
        brief(city, facts=facts)
    cases = case_columns(frame)
    found = compare(cases, boundary, JUNE, period_before(JUNE), calendar=ALIKE)
    with pytest.raises(InputError, match="without a zone"):
        write_briefing(found, cases, at=datetime(2026, 7, 1))  # noqa: DTZ001


def test_a_change_is_found_in_its_week_and_noise_names_none():
    rng = np.random.default_rng(2)
    days = np.full(53, 7.0)
    hits = sure = 0
    for _ in range(200):
        counts = rng.poisson(np.where(np.arange(53) < 40, 10, 20))
        change = find_change(counts, days)
        hits += change is not None and change.is_sure and abs(change.week - 40) <= 1
        sure += find_change(rng.poisson(10, 53), days).is_sure
    assert hits > 170
    # The stated rate is 5 in 100; the bound of Bonferroni lies above it.
    assert sure <= 14


@given(
    st.lists(st.integers(0, 60), min_size=0, max_size=53),
    st.lists(st.sampled_from([0.0, 3.0, 7.0]), min_size=53, max_size=53),
)
@settings(max_examples=80, deadline=None)
def test_a_change_is_the_likeliest_cut_of_all(counts, days):
    days = np.array(days[: len(counts)])
    found = find_change(counts, days)
    used = np.flatnonzero(days > 0)
    y, e = np.array(counts, dtype=float)[used], days[used]

    def gain(cut):
        return sum(
            part.sum() * np.log(part.sum() / time.sum()) if part.sum() else 0.0
            for part, time in ((y[:cut], e[:cut]), (y[cut:], e[cut:]))
        )

    cuts = list(range(3, len(y) - 2))
    if not cuts or not y.sum():
        assert found is None
        return
    assert gain(int(np.flatnonzero(used == found.week)[0])) == pytest.approx(max(map(gain, cuts)))
    assert 0 <= found.p <= 1
