"""Minutes of patrols by place, worked out by hand and by a slow twin."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from geo.io._heat_effort import MOST_GAP_S, PLACE_DEG, EffortBook
from geo.io.workspace import Workspace

ZONE = ZoneInfo("Asia/Shanghai")
EIGHT = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
"""Eight in the morning in Shanghai."""


def put(workspace: Workspace, rows: list[tuple[str, float, float, float]]) -> None:
    """Fixes: worker, minutes after eight, lon, lat."""
    frame = pd.DataFrame(rows, columns=["worker_id", "minute", "lon", "lat"])
    frame["time"] = [EIGHT + timedelta(minutes=minute) for minute in frame.pop("minute")]
    workspace.seal_fixes(frame, timezone="Asia/Shanghai")


def test_a_minute_counts_where_it_began_and_silence_counts_nowhere(workspace: Workspace) -> None:
    here, there = (114.30012, 30.50012), (114.31012, 30.50012)
    put(
        workspace,
        [
            ("a", 0, *here), ("a", 2, *here), ("a", 5, *there), ("a", 11, *there), ("a", 12, *here),
            ("b", 3, *there), ("b", 4, *there),
        ],
    )  # fmt: skip
    effort = EffortBook(workspace, ZONE).read([date(2026, 11, 20)])
    assert effort.days == (date(2026, 11, 20),)
    places = {
        round(lon, 2): minutes for lon, minutes in zip(effort.lon, effort.minutes, strict=True)
    }
    # a: five minutes here, then six silent ones there, one there; b: one there.
    assert places == {114.30: pytest.approx(5.0), 114.31: pytest.approx(2.0)}
    assert np.abs(effort.lat - 30.50012).max() <= PLACE_DEG / 2


def test_hours_of_the_day_are_those_of_the_city(workspace: Workspace) -> None:
    put(workspace, [("a", float(k), 114.3, 30.5) for k in range(120)])
    book = EffortBook(workspace, ZONE)
    day = [date(2026, 11, 20)]
    assert book.read(day, (8,)).minutes.sum() == pytest.approx(60)
    assert book.read(day, (9,)).minutes.sum() == pytest.approx(59)
    assert book.read(day, (0,)).minutes.sum() == 0
    assert book.read(day).minutes.sum() == pytest.approx(119)


def test_minutes_are_those_of_a_slow_count(workspace: Workspace) -> None:
    rng = np.random.default_rng(1)
    rows = [
        (f"w{k % 7}", float(minute), 114.3 + rng.normal(0, 2e-3), 30.5 + rng.normal(0, 2e-3))
        for k, minute in enumerate(np.unique(rng.integers(0, 600, 400)))
    ]
    put(workspace, rows)
    effort = EffortBook(workspace, ZONE).read([date(2026, 11, 20)])
    slow: dict[tuple[int, int], float] = {}
    for worker in {row[0] for row in rows}:
        mine = sorted(row[1:] for row in rows if row[0] == worker)
        for (minute, lon, lat), (after, _, _) in pairwise(mine):
            if (after - minute) * 60 <= MOST_GAP_S:
                place = (int((lon + 180) // PLACE_DEG), int((lat + 90) // PLACE_DEG))
                slow[place] = slow.get(place, 0.0) + after - minute
    assert effort.minutes.sum() == pytest.approx(sum(slow.values()))
    assert (effort.minutes > 0).sum() == len(slow)


def test_late_fixes_are_seen_and_days_without_any_are_none(workspace: Workspace) -> None:
    book = EffortBook(workspace, ZONE)
    day = date(2026, 11, 20)
    assert book.read([day]).days == ()
    before = book.mark([day])
    put(workspace, [("a", 0, 114.3, 30.5), ("a", 1, 114.3, 30.5)])
    assert book.mark([day]) != before
    assert book.read([day]).minutes.sum() == pytest.approx(1)


def fix(workspace: Workspace, back: int, minutes: int = 2) -> None:
    """One worker at one place, from eight on, some days before the twentieth."""
    moment = EIGHT - timedelta(days=back)
    times = [moment + timedelta(minutes=minute) for minute in range(minutes)]
    frame = pd.DataFrame({"worker_id": "a", "time": times, "lon": 114.3, "lat": 30.5})
    workspace.seal_fixes(frame, timezone="Asia/Shanghai")


def test_the_newest_days_are_taken(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo.io._heat_effort.MOST_DAYS", 4)
    for back in range(6):
        fix(workspace, back)
    days = EffortBook(workspace, ZONE).days(None, date(2026, 11, 20))
    assert len(days) == 4
    assert days[-1] == date(2026, 11, 20)
    assert EffortBook(workspace, ZONE).days(date(2026, 11, 19), date(2026, 11, 20)) == [
        date(2026, 11, 19), date(2026, 11, 20),
    ]  # fmt: skip


def test_all_kept_history_counts_and_its_sum_is_read_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days 90, 50 and 0 before the last; only two places and hours of single days are kept."""
    monkeypatch.setattr("geo.io._heat_effort.MOST_ROWS", 2)
    for back, minutes in ((90, 3), (50, 4), (0, 2)):
        fix(workspace, back, minutes)
    book = EffortBook(workspace, ZONE)
    days = book.days(None, date(2026, 11, 20))
    assert days[0] == date(2026, 8, 22)
    told: list[float] = []
    effort = book.read(days, tell=told.append)
    assert effort.days == (date(2026, 8, 22), date(2026, 10, 1), date(2026, 11, 20))
    assert (effort.minutes.tolist(), told[-1]) == ([pytest.approx(2 + 3 + 1)], 1.0)
    monkeypatch.setattr(workspace, "read_fixes", lambda **_: pytest.fail("read again"))
    assert book.read(days, (8,)).minutes.sum() == pytest.approx(6)
    assert book.read(days, (9,)).minutes.sum() == 0
