"""When fixes are over their time, what else tells where somebody was goes with them."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd

from dashboards.feed_jobs import forget_places
from geo.io.shift_cache import drop_days, read_day, write_day
from geo.io.workspace import create_workspace

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
KEPT = {"rounds": pd.DataFrame({"grid_id": ["A"]})}


def test_judged_days_go_with_the_fixes_that_they_were_made_from(tmp_path):
    for day in (date(2026, 5, 1), date(2026, 5, 2), date(2026, 11, 20)):
        write_day(tmp_path, day, "print", KEPT)
    assert drop_days(tmp_path, date(2026, 5, 2)) == 1
    assert read_day(tmp_path, date(2026, 5, 1), "print", KEPT) is None
    assert read_day(tmp_path, date(2026, 5, 2), "print", KEPT) is not None
    assert drop_days(tmp_path / "none", date(2026, 5, 2)) == 0


def test_an_old_alarm_stays_but_forgets_the_place(tmp_path):
    with create_workspace(tmp_path / "city") as workspace:
        times = [NOW - timedelta(days=200), NOW - timedelta(days=2)]
        alarms = pd.DataFrame(
            {
                "alarm_id": ["old", "new"], "kind": "off_post", "worker_id": "w1",
                "began_at": times, "fired_at": times, "lon": 114.0, "lat": 30.0, "detail": "{}",
            }
        )  # fmt: skip
        with workspace.writing() as conn:
            workspace.append(conn, "patrol_alarms", alarms)
        forget_places(workspace, NOW - timedelta(days=180))
        found = workspace.read("patrol_alarms")
        assert found["lon"].isna().tolist() == [True, False]
        assert found["detail"].isna().tolist() == [True, False]
        assert len(found) == 2
