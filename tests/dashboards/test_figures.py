"""The figures of the drawn city, each worked out by hand from tests/dashboards/conftest.py."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from dashboards.settings import Settings
from dashboards.store import Store
from geo.figures import rank_units
from geo.io.workspace import Workspace


def test_totals_are_those_of_the_drawing(drawn_store: Store) -> None:
    totals = drawn_store.snapshot().totals
    assert {k: totals[k] for k in ("open", "overdue", "soon", "unplaced", "outside")} == {
        "open": 5, "overdue": 1, "soon": 1, "unplaced": 1, "outside": 1,
    }  # fmt: skip
    assert (totals["today"], totals["week_ago"]) == (3, 1)
    assert (totals["due_30d"], totals["in_time_30d"]) == (4, 2)
    assert totals["longest_s"] == 3600
    assert (totals["grids"], totals["assets"], totals["cameras"]) == (12, 7, 1)
    assert totals["households"] == sum(200 + 10 * k for k in range(11))
    assert (totals["workers"], totals["on_duty"]) == (3, 1)


def test_figures_of_grids_add_up_to_the_city(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    figures = snapshot.figures
    assert figures["open"].tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert figures["overdue"].tolist() == [1] + [0] * 11
    inside = figures["open"].sum()
    totals = snapshot.totals
    assert inside + totals["unplaced"] + totals["outside"] == totals["open"]


def test_an_asset_on_a_border_counts_once_for_the_grid_east_of_it(drawn_store: Store) -> None:
    assert drawn_store.snapshot().figures["assets"].tolist() == [6, 1] + [0] * 10


def test_incidents_per_1000_households_have_no_figure_without_households(
    drawn_store: Store,
) -> None:
    rate = drawn_store.snapshot().figures["per_1000"]
    assert rate[0] == 10.0  # 2 in 200 households
    assert rate[5] == 24.0  # c, f, g, h, i, j in 250 households
    assert np.isnan(rate[11])


def test_the_trend_counts_reports_and_closes_by_local_day_and_hour(drawn_store: Store) -> None:
    trend = drawn_store.snapshot().trend
    assert len(trend.days) == 30
    assert f"{trend.days[-1]:%Y-%m-%d %H:%M}" == "2026-11-21 00:00"
    by_day = {f"{day:%d}": int(n) for day, n in zip(trend.days, trend.reported, strict=True) if n}
    assert by_day == {"21": 3, "20": 2, "14": 2, "13": 1, "11": 1, "01": 1}
    assert trend.closed.sum() == 4
    assert len(trend.today_by_hour) == 15
    assert {h: int(n) for h, n in enumerate(trend.today_by_hour) if n} == {9: 1, 13: 1, 14: 1}
    # Of the four Saturdays before only the last has any: one at 09:09 and one at 18:09.
    assert {h: float(n) for h, n in enumerate(trend.typical_by_hour) if n} == {9: 0.25, 18: 0.25}


def test_streets_are_ranked_by_what_is_open_in_their_grids(drawn_store: Store) -> None:
    table = rank_units(drawn_store.snapshot().table("street"))
    assert list(table["name"]) == ["东街街道", "南湖街道", ""]
    assert table["open"].tolist() == [3, 0, 2]
    assert table["overdue"].tolist() == [1, 0, 0]


def test_each_grid_knows_the_divisions_above_it(drawn_store: Store) -> None:
    place = drawn_store.snapshot().city.places.iloc[2]
    assert [place[level] for level in ("city", "district", "street", "community")] == [
        "江城市", "江岸区", "南湖街道", "南湖社区",
    ]  # fmt: skip


def test_neighbours_share_a_line_and_not_only_a_corner(drawn_store: Store) -> None:
    assert sorted(drawn_store.snapshot().city.neighbours[5]) == [1, 4, 6, 9]
    assert sorted(drawn_store.snapshot().city.neighbours[0]) == [1, 4]


def test_the_last_position_of_a_worker_is_the_newest(drawing: Any, drawn_store: Store) -> None:
    positions = drawn_store.snapshot().workers.positions
    assert positions.loc["w1", "row"] == 0
    assert positions.loc["w1", "time"] == pd.Timestamp(drawing.at - timedelta(minutes=2))
    assert "w3" not in positions.index


def test_positions_older_than_the_setting_are_not_drawn(drawing: Any, drawn_folder: Path) -> None:
    from geo.io.workspace import open_workspace

    with open_workspace(drawn_folder) as opened:
        settings = Settings(position_hours=1)
        later = Store(opened, settings, clock=lambda: drawing.at + timedelta(minutes=30))
        assert list(later.snapshot().workers.positions.index) == ["w1"]


def test_an_incident_grows_overdue_without_a_change_in_the_data(
    drawing: Any, workspace: Workspace
) -> None:
    drawing.fill(workspace)
    now = [drawing.at]
    store = Store(workspace, Settings(), clock=lambda: now[0])
    before = store.snapshot()
    now[0] = drawing.at + timedelta(hours=2)
    after = store.refresh()
    assert (before.totals["overdue"], after.totals["overdue"]) == (1, 2)
    assert before.version != after.version


def test_a_change_in_one_table_is_seen_and_the_others_are_not_read_again(
    drawing: Any,
    workspace: Workspace,
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    before = store.snapshot()
    table = workspace.table("incidents")
    with workspace.writing() as conn:
        conn.execute(
            sa.update(table)
            .where(table.c.incident_id == "a")
            .values(stage="closed", closed_at=drawing.at)
        )
        workspace.touch(conn, "incidents")
    after = store.refresh()
    assert (before.totals["open"], after.totals["open"]) == (5, 4)
    assert after.city is before.city
    assert after.inventory is before.inventory


def test_nothing_changed_gives_the_same_snapshot(drawn_store: Store) -> None:
    assert drawn_store.refresh() is drawn_store.refresh()


def test_an_empty_workspace_gives_zeros_and_no_figure_where_none_is_known(
    make_store: Callable[..., Store],
) -> None:
    snapshot = make_store().snapshot()
    assert snapshot.totals["open"] == 0
    assert np.isnan(snapshot.totals["households"])
    assert snapshot.newest is None
    assert snapshot.table("grid").index.tolist() == [""]


def test_an_unreadable_workspace_keeps_the_old_snapshot_and_says_so(
    drawing: Any, workspace: Workspace
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    before = store.snapshot()
    with workspace.writing() as conn:
        conn.exec_driver_sql("ALTER TABLE incidents RENAME TO elsewhere")
        workspace.touch(conn, "incidents")
    store.look()
    assert store.snapshot() is before
    assert not store.health.ok
    assert "incidents" in store.health.error


@pytest.mark.parametrize("k", [0, 3, 5, 11])
def test_the_middle_of_a_grid_is_in_it(drawing: Any, drawn_store: Store, k: int) -> None:
    city = drawn_store.snapshot().city
    row = city.assign([drawing.middle(k)[0]], [drawing.middle(k)[1]])[0]
    assert city.grids.index[row] == drawing.ids[k]
