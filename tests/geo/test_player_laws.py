"""A city that lives: people on the streets of their own grids, cases that only do what they may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.datum import metric_crs
from geo.errors import InputError
from geo.incidents import Case, apply, report
from geo.synth import City, Preset, build_city
from geo.synth.player import FIELD_ROLES, FIX_COLUMNS, Player, Tick
from geo.synth.walk import StreetNet, Walkers, assign_beats

AT = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    """Fourteen grids in two communities, a worker and a head each."""
    town = Preset(
        "town", "小城", 111.3, 30.7, "42", grids=14, communities=2,
        roles={"grid_worker": 14, "grid_head": 14, "police": 2},
    )  # fmt: skip
    return build_city(town, seed=7, at=AT, parts=("workers", "incidents"))


def player_of(city: City, seed: int = 1, **options: object) -> Player:
    """A player of a day on which nothing goes amiss, unless the test says so."""
    options = {"mishaps": 0.0} | options
    return Player(city.tables, rng=np.random.default_rng(seed), start=AT, **options)


def cross_grids() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Two grids of 1 km side by side; a street on their border, one inside each, met half way.

    +-----+-----+
    |     |     |
    |--w--+--e--|
    |     |     |
    +-----s-----+   (s: from the middle down, n: from the middle up)
    """
    degree = 0.01
    grids = gpd.GeoDataFrame(
        {"community_code": ["C", "C"]},
        index=pd.Index(["W", "E"], name="grid_id"),
        geometry=[shapely.box(0, 0, degree, degree), shapely.box(degree, 0, 2 * degree, degree)],
        crs=4326,
    )
    middle = (degree, degree / 2)
    ends = {
        "w": (0.001, degree / 2),
        "e": (2 * degree - 0.001, degree / 2),
        "s": (degree, 0.0),
        "n": (degree, degree),
    }
    roads = gpd.GeoDataFrame(
        {"road_class": ["minor"] * 4},
        index=pd.Index(list(ends), name="road_id"),
        geometry=[shapely.MultiLineString([[end, middle]]) for end in ends.values()],
        crs=4326,
    )
    return roads, grids


def test_a_street_on_a_border_is_of_both_beats_and_one_inside_of_one():
    net = StreetNet(*cross_grids())
    of = {grid: sorted(set(net.edge[net.grid == grid])) for grid in (0, 1)}
    assert of == {0: [0, 2, 3], 1: [1, 2, 3]}
    # Each of them can be walked both ways.
    assert len(net.edge) == 12


def test_who_has_gone_a_share_of_a_street_is_that_share_along_it():
    net = StreetNet(*cross_grids())
    half = np.flatnonzero((net.edge == 3) & net.forward & (net.grid == 0))
    length = net.length[3]
    for share, lat in ((0.0, 0.01), (0.5, 0.0075), (1.0, 0.005)):
        lon, found = net.to_degrees(*net.locate(half, np.array([share * length])))
        assert (lon[0], found[0]) == pytest.approx((0.01, lat), abs=2e-7)
    back = np.flatnonzero((net.edge == 3) & ~net.forward & (net.grid == 0))
    assert net.to_degrees(*net.locate(back, np.array([0.0])))[1] == pytest.approx(0.005, abs=2e-7)


def test_a_walker_turns_back_at_a_dead_end_only_and_never_leaves_the_beat():
    net = StreetNet(*cross_grids())
    walkers = Walkers(np.random.default_rng(0), net, np.array([0]))
    rows, seen, turned = np.array([0]), set(), 0
    before = int(walkers.half[0])
    for _ in range(400):
        walkers.step(rows, 100.0, np.array([True]))
        now = int(walkers.half[0])
        seen.add(int(net.edge[now]))
        if now != before and net.edge[now] == net.edge[before]:
            # All streets are drawn from their outer ends to the middle.
            assert not net.forward[before]
            assert net.forward[now]
            turned += 1
        before = now
    assert turned > 10
    assert seen == {0, 2, 3}


def test_a_walker_goes_as_far_as_the_pace_says():
    net = StreetNet(*cross_grids())
    walkers = Walkers(np.random.default_rng(0), net, np.array([0, 1]))
    walkers.gone_m[:] = 0.0
    walkers.step(np.array([0, 1]), 60.0, np.array([True, False]))
    assert walkers.gone_m[0] == pytest.approx(60 * walkers.pace_ms[0])
    assert walkers.gone_m[1] == 0.0


def test_beats_go_to_one_of_each_grid_first_then_to_colleagues_and_officials_last():
    _, grids = cross_grids()
    workers = pd.DataFrame(
        {
            "role": ["leader", "grid_head", "grid_worker", "grid_worker", "grid_worker"],
            "unit_code": [None, "W", "W", "W", "E"],
        },
        index=pd.Index(["L", "H", "A", "B", "C"], name="worker_id"),
    )
    beats = assign_beats(workers, grids, FIELD_ROLES)
    assert list(beats.index) == ["A", "C", "H", "B", "L"]
    assert list(beats[["A", "B", "C", "H"]]) == [0, 0, 1, 0]


def test_everybody_reports_once_in_every_interval_but_for_lost_signals(city):
    player = player_of(city, workers=20, every_s=10)
    tick = player.advance(AT + timedelta(minutes=20))
    counts = tick.fixes["worker_id"].value_counts()
    assert len(counts) == 20
    assert counts.max() <= 121
    assert counts.sum() > 0.9 * 20 * 120
    assert not tick.fixes.duplicated(["worker_id", "time"]).any()
    assert tick.fixes["time"].is_monotonic_increasing
    assert tick.fixes["time"].between(AT, AT + timedelta(minutes=20)).all()
    assert list(tick.fixes.columns) == list(FIX_COLUMNS)
    apart = tick.fixes.groupby("worker_id")["time"].diff().dropna()
    assert (apart.dt.total_seconds() % 10 == 0).all()
    assert (apart > pd.Timedelta(minutes=3)).any()


def test_walkers_stay_by_their_own_grid_and_walk_no_faster_than_people(city):
    player = player_of(city, every_s=10)
    tick = player.advance(AT + timedelta(minutes=30))
    crs = metric_crs(111.3, 30.7)
    grids = city["grids"].to_crs(crs).geometry
    unit = city["workers"]["unit_code"]
    fixes = tick.fixes[tick.fixes["accuracy_m"] < 40]
    points = gpd.GeoSeries(gpd.points_from_xy(fixes["lon"], fixes["lat"]), crs=4326).to_crs(crs)
    own = unit.reindex(fixes["worker_id"]).to_numpy()
    is_grid = np.isin(own.astype(str), grids.index)
    assert is_grid.mean() > 0.8
    away = shapely.distance(points.to_numpy()[is_grid], grids[own[is_grid]].to_numpy())
    assert away.max() < 40
    assert fixes["speed_kmh"].max() < 6
    assert (fixes["speed_kmh"] < 0.5).any()


def test_the_same_lots_and_steps_give_the_same_city(city):
    def play(seed: int) -> list[Tick]:
        player = player_of(city, seed)
        return [player.advance(AT + timedelta(seconds=7 * k)) for k in range(1, 9)]

    for one, two in zip(play(3), play(3), strict=True):
        pd.testing.assert_frame_equal(one.fixes, two.fixes)
        assert (one.reports, one.moves) == (two.reports, two.moves)
    assert not play(3)[0].fixes.equals(play(4)[0].fixes)


def test_a_long_step_has_as_many_fixes_as_many_short_ones(city):
    long, short = player_of(city, workers=6), player_of(city, workers=6)
    long._dark[:] = short._dark[:] = 0
    end = AT + timedelta(minutes=2)
    one = len(long.advance(end).fixes)
    many = sum(len(short.advance(AT + timedelta(seconds=s)).fixes) for s in range(1, 121))
    assert abs(one - many) <= 2 * 72
    assert max(one, many) <= 6 * 13


def test_time_goes_forward_and_has_a_zone(city):
    player = player_of(city)
    player.advance(AT + timedelta(seconds=5))
    with pytest.raises(InputError, match="time only goes forward"):
        player.advance(AT)
    with pytest.raises(InputError, match="without a zone"):
        player.advance(AT.replace(tzinfo=None))
    with pytest.raises(InputError, match="without a zone"):
        Player(city.tables, rng=np.random.default_rng(), start=AT.replace(tzinfo=None))
    with pytest.raises(InputError, match="use numbers from 1"):
        player_of(city, workers=0)


def play_all(city: City, hours: int) -> tuple[dict[str, Case], int]:
    """Play with cases in memory, every wish granted by `apply`; the cases and the wishes."""
    player = player_of(city, workers=5, every_s=600, cases_a_day=200.0)
    # Those that were open before have logs that are not told here.
    for incident_id in list(player.cases.known):
        player.drop(incident_id)
    cases: dict[str, Case] = {}
    wishes = 0
    for step in range(1, hours * 12 + 1):
        tick = player.advance(AT + timedelta(minutes=5 * step))
        for wish in tick.reports:
            case, _ = report(f"N{len(cases):05d}", at=wish.at, by=wish.by, role=wish.role)
            cases[case.incident_id] = case
            player.take(
                case.incident_id, class_code=wish.class_code, stage=case.stage,
                grid_id=wish.grid_id, at=wish.at,
            )  # fmt: skip
        for move in tick.moves:
            case = cases[move.incident_id]
            assert move.case.stage == case.stage
            case, _ = apply(
                case, move.move, at=move.at, by=move.by, role=move.role, seen=case.seq,
                note=move.note, owner=move.owner, level=move.level,
            )  # fmt: skip
            cases[case.incident_id] = case
            player.take(
                case.incident_id, class_code=move.case.class_code, stage=case.stage,
                grid_id=move.case.grid_id, at=move.at,
            )  # fmt: skip
        wishes += len(tick.reports) + len(tick.moves)
    return cases, wishes


def test_every_wish_is_allowed_and_cases_come_to_an_end(city):
    cases, wishes = play_all(city, 12)
    assert len(cases) > 60
    assert wishes > 3 * len(cases)
    stages = pd.Series([case.stage for case in cases.values()]).value_counts()
    assert stages["closed"] > 0.5 * len(cases)
    assert {"cancelled"} <= set(stages.index)
    people = {row.by for case in cases.values() for row in case.log}
    assert people <= set(city["workers"].index)


def test_an_open_case_of_the_city_is_moved_on_and_a_dropped_one_is_left(city):
    player = player_of(city, workers=5, every_s=600)
    open_cases = city["incidents"].query("stage not in ['closed', 'cancelled']").index
    assert player.open_cases == len(open_cases) >= 3
    left = open_cases[0]
    player.drop(left)
    moves = player.advance(AT + timedelta(days=3)).moves
    assert {move.incident_id for move in moves} <= set(open_cases) - {left}
    assert moves
    # A case whose wish was not answered rests.
    assert not player.advance(AT + timedelta(days=6)).moves


def test_cases_are_reported_where_somebody_walks(city):
    player = player_of(city, workers=5, every_s=600, cases_a_day=2_000.0)
    reports = player.advance(AT + timedelta(minutes=30)).reports
    assert 10 < len(reports) < 120
    points = gpd.GeoSeries.from_xy([r.lon for r in reports], [r.lat for r in reports], crs=4326)
    shapes = city["grids"].geometry[[r.grid_id for r in reports]]
    crs = metric_crs(111.3, 30.7)
    away = shapely.distance(points.to_crs(crs).to_numpy(), shapes.to_crs(crs).to_numpy())
    assert away.max() < 30
    assert {r.role for r in reports} <= {"grid_worker", "grid_head", "acceptor"}
