"""What goes amiss while a city plays: everything lasts longer than its alarm waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from dashboards.commands import play_command
from dashboards.commands.play_command import MOST_CALLS, Tally, play_step
from geo.errors import InputError
from geo.io.casebook import CaseBook
from geo.io.demo import write_city
from geo.io.rules import read_rules
from geo.io.workspace import Workspace
from geo.synth import City, build_city
from geo.synth._play_mishaps import AWAY_M, CYCLE_MS, LASTS_S, Mishaps
from geo.synth.player import Player, Tick

AT = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
DELAYS_S = {"off_post": 600, "silent": 900, "still": 1200}


@pytest.fixture(scope="module")
def city() -> City:
    return build_city("shuangshan", seed=1, at=AT)


def play(city: City, minutes: int, *, seed: int = 1, **options: float) -> tuple[Player, list[Tick]]:
    player = Player(
        city.tables, rng=np.random.default_rng(seed), start=AT, cases_a_day=0.0, **options
    )
    steps = range(1, minutes + 1)
    return player, [player.advance(AT + timedelta(minutes=k)) for k in steps]


def metres(player: Player, fixes: pd.DataFrame) -> np.ndarray:
    """Places of fixes on the plane of the player's streets."""
    net = player.net
    return np.column_stack(
        [(fixes["lon"] - net.lon) * net.east_m, (fixes["lat"] - net.lat) * net.north_m]
    )


@pytest.mark.parametrize("kind", LASTS_S)
def test_a_mishap_lasts_longer_than_its_alarm_waits(kind: str) -> None:
    assert LASTS_S[kind][0] > DELAYS_S[kind]


def test_people_leave_the_post_by_hundreds_of_metres_and_come_back(city: City) -> None:
    """Everybody's way off the post by hand: there at 4 m/s, a stay, and back where it began."""
    mishaps = Mishaps(np.random.default_rng(0), 5, 0, 0.0)
    rows = np.arange(5)
    mishaps._begin(rows, 0, np.int64(1000))
    mishaps.step(rows, np.full(5, 1000), 10, np.full(5, 100.0), np.full(5, 50.0))
    away = np.hypot(*mishaps.away_m)
    assert ((away >= AWAY_M[0]) & (away <= AWAY_M[1])).all()

    def far(at: float) -> np.ndarray:
        return np.hypot(*mishaps.shift_m(rows, np.full(5, at)))

    assert far(1000) == pytest.approx(0)
    assert far(1050) == pytest.approx(50 * CYCLE_MS)
    assert far(1000 + 300) == pytest.approx(away)
    assert np.hypot(*mishaps.shift_m(rows, mishaps.until)) == pytest.approx(0)
    mishaps.step(rows, mishaps.until, 10, np.zeros(5), np.zeros(5))
    assert (mishaps.kind == -1).all()
    assert not mishaps.rests(rows).any()


def test_a_played_hour_shows_every_state(city: City) -> None:
    player, ticks = play(city, 60, mishaps=6.0)
    fixes = pd.concat([tick.fixes for tick in ticks])
    times = fixes.groupby("worker_id")["time"].agg(list).reindex(player.worker_ids)
    edges = (pd.Timestamp(AT), pd.Timestamp(AT + timedelta(minutes=60)))
    silent = [
        max(np.diff([edges[0], *(heard if isinstance(heard, list) else []), edges[1]]))
        for heard in times
    ]
    assert sum(gap.total_seconds() > DELAYS_S["silent"] for gap in silent) >= 2
    good = fixes[fixes["accuracy_m"] < 40]
    places = pd.DataFrame(metres(player, good), index=good["worker_id"], columns=["x", "y"])
    span = (places.groupby(level=0).max() - places.groupby(level=0).min()).max(axis=1)
    assert (span > AWAY_M[0] * 0.7).sum() >= 2
    lying = good[good["speed_kmh"] < 0.5].groupby("worker_id").size() * 10
    assert (lying > DELAYS_S["still"]).any()
    assert sum(len(tick.calls) for tick in ticks) >= 1


def test_a_call_comes_from_where_somebody_is_and_who_called_stays_there(city: City) -> None:
    player, ticks = play(city, 30, mishaps=1.0)
    calls = [call for tick in ticks for call in tick.calls]
    assert timedelta(seconds=60) <= calls[0].at - AT <= timedelta(seconds=240)
    for call in calls:
        fixes = pd.concat([tick.fixes for tick in ticks])
        mine = fixes[(fixes["worker_id"] == call.worker_id) & (fixes["accuracy_m"] < 40)]
        near = mine[(mine["time"] - call.at).abs() < pd.Timedelta(minutes=2)]
        if not len(near):
            continue
        here = metres(player, pd.DataFrame({"lon": [call.lon], "lat": [call.lat]}))
        assert np.hypot(*(metres(player, near) - here).T).max() < 250


def test_the_same_lots_go_amiss_in_the_same_way_and_none_without(city: City) -> None:
    for one, two in zip(play(city, 8, seed=5)[1], play(city, 8, seed=5)[1], strict=True):
        pd.testing.assert_frame_equal(one.fixes, two.fixes)
        assert one.calls == two.calls
    player, ticks = play(city, 8, mishaps=0.0)
    assert (player.mishaps.kind == -1).all()
    assert not any(tick.calls for tick in ticks)
    with pytest.raises(InputError, match="mishaps is 11"):
        play(city, 1, mishaps=11)


def test_the_share_in_a_mishap_stays_about_the_same(city: City) -> None:
    """Who begins in one makes up for who comes into one later: about six in a hundred."""
    mishaps = Mishaps(np.random.default_rng(2), 4000, 0, 1.0)
    shares = []
    rows, none = np.arange(4000), np.zeros(4000)
    for at in range(0, 4 * 3600, 60):
        mishaps.step(rows, np.full(4000, at), 60, none, none)
        shares.append((mishaps.kind >= 0).mean())
    assert shares[0] == pytest.approx(0.06, abs=0.015)
    assert np.mean(shares[120:]) == pytest.approx(0.06, abs=0.015)


def test_calls_are_written_with_the_fixes_and_wait_for_an_answer(
    city: City, workspace: Workspace
) -> None:
    write_city(city, workspace)
    tables = {name: workspace.read(name) for name in ("roads", "workers", "duties", "incidents")}
    tables["grids"] = workspace.grids()
    player = Player(
        tables, rng=np.random.default_rng(1), start=AT, every_s=60, cases_a_day=0.0, mishaps=10.0
    )
    book, tally = CaseBook(workspace, read_rules(workspace)), Tally()
    for minutes in range(5, 65, 5):
        play_step(workspace, book, player, AT + timedelta(minutes=minutes), tally)
    alarms = workspace.read("patrol_alarms")
    assert tally.calls == len(alarms) == MOST_CALLS
    assert set(alarms["kind"]) == {"sos"}
    assert alarms["ended_at"].isna().all()
    assert alarms["worker_id"].isin(list(player.worker_ids)).all()
    assert (alarms["began_at"] > AT).all()
    assert alarms[["lon", "lat"]].notna().all(axis=None)


def test_mishaps_may_be_switched_off(city: City, workspace: Workspace, tmp_path: Path) -> None:
    write_city(city, workspace)
    folder = str(workspace.path)
    said = CliRunner().invoke(
        play_command.command, [folder, "--minutes", "0", "--mishaps", "0"], catch_exceptions=False
    )
    assert said.exit_code == 0
    said = CliRunner().invoke(play_command.command, [folder, "--mishaps", "11"])
    assert said.exit_code == 2
