"""What the store reads again, and when; on the drawn city of tests/dashboards/conftest.py."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from dashboards import cases as cases_module
from dashboards.cases import Cases, prune
from dashboards.settings import Settings
from dashboards.store import Change, Store
from geo.io.workspace import Workspace, open_workspace


@pytest.fixture
def now(drawing: Any) -> list[datetime]:
    """The moment of the store's clock, to be moved."""
    return [drawing.at]


@pytest.fixture
def store(drawing: Any, workspace: Workspace, now: list[datetime]) -> Store:
    """A store of the drawn city whose workspace may be written to."""
    drawing.fill(workspace)
    found = Store(workspace, Settings(), clock=lambda: now[0])
    found.snapshot()
    return found


def change(workspace: Workspace, incident_id: str, **values: Any) -> None:
    table = workspace.table("incidents")
    with workspace.writing() as conn:
        conn.execute(sa.update(table).where(table.c.incident_id == incident_id).values(**values))
        workspace.touch(conn, "incidents")


def add_case(workspace: Workspace, incident_id: str, reported: datetime, **more: Any) -> None:
    row = {"incident_id": incident_id, "reported_at": reported, "stage": "opened", **more}
    with workspace.writing() as conn:
        conn.execute(sa.insert(workspace.table("incidents")).values(**row))
        workspace.touch(conn, "incidents")


def columns(cases: Cases) -> dict[str, Any]:
    return {f.name: getattr(cases, f.name) for f in fields(Cases) if f.name != "stamp"}


def assert_same_cases(one: Cases, other: Cases) -> None:
    for name, values in columns(one).items():
        np.testing.assert_array_equal(values, getattr(other, name), err_msg=name)


def anew(store: Store) -> Store:
    """Another store of the same workspace, which reads everything."""
    return Store(store.workspace, store.settings, clock=store.clock)


# --- cases ---------------------------------------------------------------------------------------


def test_reading_what_changed_gives_what_reading_everything_gives(
    drawing: Any, store: Store, now: list[datetime]
) -> None:
    """Twenty random steps of adding, moving, closing and deleting cases."""
    rng = np.random.default_rng(5)
    table = store.workspace.table("incidents")
    for step in range(20):
        ids = [str(i) for i in store.snapshot().cases.ids]
        chosen = ids[int(rng.integers(len(ids)))]
        match int(rng.integers(4)):
            case 0:
                back = timedelta(days=float(rng.uniform(0, 50)))
                place = drawing.middle(int(rng.integers(12)))
                add_case(store.workspace, f"n{step}", now[0] - back, lon=place[0], lat=place[1])
            case 1:
                closed = now[0] - timedelta(days=float(rng.uniform(0, 50)))
                change(store.workspace, chosen, stage="closed", closed_at=closed)
            case 2:
                due = now[0] + timedelta(hours=float(rng.uniform(-50, 50)))
                change(store.workspace, chosen, deadline=due, owner="东湖社区", level="community")
            case _:
                with store.workspace.writing() as conn:
                    store.workspace.delete(conn, "incidents", table.c.incident_id == chosen)
        now[0] += timedelta(minutes=7)
        found = store.refresh().cases
        assert_same_cases(found, anew(store).snapshot().cases)


def test_only_the_rows_that_changed_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    read = cases_module._read_fids

    def spy(conn: Any, table: Any, fids: Any) -> Any:
        asked.append(tuple(fids))
        return read(conn, table, fids)

    monkeypatch.setattr(cases_module, "_read_fids", spy)
    monkeypatch.setattr(cases_module, "read_cases", lambda *_: pytest.fail("read everything"))
    fid = int(store.snapshot().cases.fid[store.snapshot().cases.position["c"]])
    change(store.workspace, "c", stage="handling")
    assert store.refresh().cases.stage[store.snapshot().cases.position["c"]] == "handling"
    assert asked[-1] == (fid,)


def test_after_very_many_changes_everything_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases_module, "MOST_CHANGED", 1)
    told: list[Change] = []
    store.on_look(told.append)
    for label in ("a", "b"):
        change(store.workspace, label, stage="fed_back")
    store.refresh()
    assert told[-1].fids is None
    assert_same_cases(store.snapshot().cases, anew(store).snapshot().cases)


def test_a_change_past_the_triggers_is_seen_too(store: Store) -> None:
    with store.workspace.writing() as conn:
        (sql,) = conn.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'wangge_watch_update'"
        ).one()
        conn.exec_driver_sql("DROP TRIGGER wangge_watch_update")
        conn.exec_driver_sql("UPDATE incidents SET stage = 'cancelled' WHERE incident_id = 'a'")
        conn.exec_driver_sql(sql)
        store.workspace.touch(conn, "incidents")
    assert store.refresh().totals["overdue"] == 0


def test_a_case_that_was_closed_before_the_window_counts_where_it_fell_due_in_it(
    store: Store, now: list[datetime]
) -> None:
    before = store.snapshot().totals
    due, closed = now[0] - timedelta(days=5), now[0] - timedelta(days=50)
    add_case(
        store.workspace, "old", now[0] - timedelta(days=60), stage="closed", deadline=due,
        closed_at=closed,
    )  # fmt: skip
    totals = store.refresh().totals
    assert totals["due_30d"] == before["due_30d"] + 1
    assert totals["in_time_30d"] == before["in_time_30d"] + 1


def test_what_the_window_leaves_behind_is_dropped(store: Store, now: list[datetime]) -> None:
    now[0] += timedelta(days=26)
    cases = store.refresh().cases
    assert "i" not in cases.position  # closed 19 days ago then, so 45 now
    assert "g" in cases.position
    assert prune(cases, now[0]) is cases
    assert_same_cases(cases, anew(store).snapshot().cases)


def test_the_cases_are_found_by_indexes(workspace: Workspace) -> None:
    """No part of the question looks at rows that it does not need."""
    seen: list[str] = []

    def explain(conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "UNION" in statement:
            plan = conn.connection.driver_connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", parameters
            )
            seen.extend(str(row[3]) for row in plan)

    engine = workspace._engine
    sa.event.listen(engine, "before_cursor_execute", explain)
    Store(workspace, Settings(), clock=lambda: pd.Timestamp("2026-11-21", tz="UTC")).snapshot()
    sa.event.remove(engine, "before_cursor_execute", explain)
    assert seen
    assert not [step for step in seen if step.startswith("SCAN incidents") and "INDEX" not in step]


def test_a_time_that_another_program_wrote_is_read_all_the_same(store: Store) -> None:
    with store.workspace.writing() as conn:
        conn.exec_driver_sql(
            "UPDATE incidents SET deadline = '2026-11-21T12:00:00+08:00' WHERE incident_id = 'c'"
        )
        store.workspace.touch(conn, "incidents")
    cases = store.refresh().cases
    assert cases.deadline[cases.position["c"]] == np.datetime64("2026-11-21T04:00")


# --- time ----------------------------------------------------------------------------------------


def test_states_are_those_of_the_moment_at_which_they_change(
    store: Store, now: list[datetime]
) -> None:
    """b is due in an hour; nothing is read, and no whole minute passes."""
    first = store.snapshot()
    now[0] += timedelta(seconds=20)
    assert store.refresh() is first
    now[0] += timedelta(minutes=60)
    late = store.refresh()
    assert late.state[late.cases.position["b"]] == "late"
    assert late.versions["incidents"] != first.versions["incidents"]
    assert late.cases is first.cases


def test_a_case_grows_overdue_within_a_minute(store: Store, now: list[datetime]) -> None:
    now[0] += timedelta(minutes=59, seconds=50)
    assert store.refresh().totals["overdue"] == 1
    now[0] += timedelta(seconds=11)
    assert store.refresh().totals["overdue"] == 2


def test_a_postponed_case_stands_until_then(store: Store, now: list[datetime]) -> None:
    change(store.workspace, "b", paused_until=now[0] + timedelta(minutes=30))
    paused = store.refresh()
    assert paused.state[paused.cases.position["b"]] == "paused"
    assert paused.totals["paused"] == 1
    now[0] += timedelta(minutes=30)
    assert store.refresh().totals["paused"] == 0


# --- boundaries ----------------------------------------------------------------------------------


def replace_grid(workspace: Workspace, grid_id: str, moment: datetime) -> None:
    """A grid that ends at a moment, and one of the same name and shape that begins then."""
    table = workspace.table("grids")
    frame = workspace.read("grids", where=table.c.grid_id == grid_id)
    new = frame.assign(version=2, valid_from=pd.Timestamp(moment), name="新网格")
    with workspace.writing() as conn:
        conn.execute(sa.update(table).where(table.c.grid_id == grid_id).values(valid_to=moment))
        workspace.append(conn, "grids", new)


def test_a_grid_that_begins_later_is_not_in_force_and_then_it_is(
    drawing: Any, store: Store, now: list[datetime]
) -> None:
    moment = now[0] + timedelta(hours=3)
    replace_grid(store.workspace, drawing.ids[0], moment)
    before = store.refresh()
    assert len(before.city.grids) == 12
    assert before.city.names[0] == "东湖第0网格"
    assert before.city.until == moment
    now[0] = moment
    after = store.refresh()
    assert len(after.city.grids) == 12
    assert after.city.names[after.city.position[drawing.ids[0]]] == "新网格"
    assert after.versions["city"] != before.versions["city"]
    assert after.city.until is None
    assert after.totals["open"] == before.totals["open"]


def test_grids_that_lie_over_the_others_are_no_part_of_the_cover(
    drawing: Any, store: Store
) -> None:
    frame = store.workspace.read("grids").iloc[[0]]
    frame = frame.set_axis(pd.Index(["duty1"], name="grid_id")).assign(kind="duty")
    with store.workspace.writing() as conn:
        store.workspace.append(conn, "grids", frame)
    assert "duty1" not in store.refresh().city.position


# --- positions -----------------------------------------------------------------------------------


def add_fixes(workspace: Workspace, *rows: tuple[str, datetime, float, float]) -> None:
    frame = pd.DataFrame(rows, columns=["worker_id", "time", "lon", "lat"])
    with workspace.writing() as conn:
        workspace.append(conn, "fixes", frame)


def test_the_newest_of_hot_and_sealed_counts_for_each(
    drawing: Any, store: Store, now: list[datetime]
) -> None:
    """w1 has a newer one in the hot table, w3 has only a sealed one, w2 a newer sealed one."""
    workspace, (lon, lat) = store.workspace, drawing.middle(7)
    sealed = pd.DataFrame(
        {
            "worker_id": ["w1", "w2", "w3"],
            "time": pd.to_datetime([now[0] - timedelta(minutes=m) for m in (20, 10, 90)], utc=True),
            "lon": lon,
            "lat": lat,
        }
    )
    workspace.seal_fixes(sealed, timezone="Asia/Shanghai")
    for found in (store.refresh(), anew(store).snapshot()):
        positions = found.workers.positions
        assert positions["row"].to_dict() == {"w1": 0, "w2": 7, "w3": 7}
        assert positions.at["w3", "time"] == pd.Timestamp(now[0] - timedelta(minutes=90))


def test_a_reading_that_comes_late_puts_nobody_back(
    drawing: Any, store: Store, now: list[datetime]
) -> None:
    place = drawing.middle(9)
    first = store.snapshot()
    add_fixes(store.workspace, ("w1", now[0] - timedelta(minutes=5), *place))
    assert store.refresh() is first
    add_fixes(store.workspace, ("w1", now[0] - timedelta(minutes=1), *place))
    moved = store.refresh()
    assert moved.workers.positions.at["w1", "row"] == 9
    assert moved.case_figures is first.case_figures
    assert moved.versions["workers"] != first.versions["workers"]
    assert moved.versions["incidents"] == first.versions["incidents"]


def test_positions_grow_old_and_go_though_nothing_changed(
    store: Store, now: list[datetime]
) -> None:
    assert list(store.snapshot().workers.positions.index) == ["w1", "w2"]
    now[0] += timedelta(hours=11, minutes=30)
    later = store.refresh()
    assert list(later.workers.positions.index) == ["w1"]
    now[0] += timedelta(hours=1)
    gone = store.refresh()
    assert not len(gone.workers.positions)
    assert gone.versions["workers"] != later.versions["workers"]


def test_on_duty_follows_the_clock(store: Store, now: list[datetime]) -> None:
    assert store.snapshot().totals["on_duty"] == 1
    now[0] += timedelta(minutes=14)
    assert store.refresh().totals["on_duty"] == 0


# --- health, memory ------------------------------------------------------------------------------


def test_a_server_that_has_not_looked_for_long_is_degraded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    monkeypatch.setattr("dashboards.store.time.monotonic", lambda: seconds[0])
    monkeypatch.setattr(store, "_run", lambda *_: None)
    monkeypatch.setattr(store, "_follow", lambda: None)
    store.start()
    try:
        seconds[0] = 9.9
        assert store.health.ok
        seconds[0] = 10.1
        assert not store.health.ok
        assert "long ago" in store.health.error
    finally:
        store.stop()
    assert store.health.ok  # nobody promised to look


def test_an_index_that_cannot_be_built_is_told_and_the_figures_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ValueError("no such street")

    assert not store._try("patrols", fail)
    store.look()
    assert not store.health.ok
    assert store.health.error == "no such street"
    assert store._try("patrols", lambda: None)
    assert store.health.ok


def test_two_who_ask_at_once_get_what_one_of_them_made(store: Store) -> None:
    made, begun, go_on = [], threading.Event(), threading.Event()

    def make() -> str:
        made.append(threading.current_thread())
        begun.set()
        assert go_on.wait(60)
        return "value"

    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(store.remember("key", "1", make)))
        for _ in range(2)
    ]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert found == ["value", "value"]
    assert len(made) == 1


# --- indexes -------------------------------------------------------------------------------------


def test_the_indexes_follow_the_workspace(drawing: Any, store: Store, now: list[datetime]) -> None:
    lon, lat = drawing.middle(0)
    assert set(store.live_cases.positions().index) == {"a", "b", "c", "e"}
    assert store.live_workers.get("w1") is not None
    near = store.nearby.around(lon, lat, at=now[0], radius_m=50)
    assert set(near.open_incidents.index) == {"a", "b"}
    change(store.workspace, "a", stage="closed", closed_at=now[0])
    add_fixes(store.workspace, ("w3", now[0], lon, lat))
    store.refresh()
    assert set(store.live_cases.positions().index) == {"b", "c", "e"}
    assert store.live_workers.get("w3") is not None
    near = store.nearby.around(lon, lat, at=now[0], radius_m=50)
    assert set(near.open_incidents.index) == {"b"}
    assert "a" in near.past_incidents.index


def test_rules_and_casebook_are_read_again_when_a_file_of_rules_changes(store: Store) -> None:
    book, rules = store.casebook, store.rules
    assert store.casebook is book
    folder = store.workspace.path / "rules"
    folder.mkdir()
    (folder / "case_rules.csv").write_text("name,value\nsimilar_m,80\n", encoding="utf-8")
    assert store.rules is not rules
    assert store.casebook is not book


def test_names_and_the_year_before_come_with_the_next_snapshot(
    drawing: Any, store: Store, now: list[datetime]
) -> None:
    ago = now[0] - timedelta(days=365)
    place = drawing.middle(0)
    add_case(store.workspace, "y1", ago - timedelta(days=40), stage="closed")
    add_case(store.workspace, "y2", ago, stage="closed", lon=place[0], lat=place[1])
    first = store.refresh()
    assert set(first.table("grid")["person"]) == {""}
    assert np.isnan(first.trend.last_year_30d)
    store.catch_up()
    second = store.snapshot()
    assert second is not first
    # w1 is the worker of grid 0, and answers where no head is named; w2 heads grid 5.
    assert second.table("grid")["person"].to_dict()[drawing.ids[5]] == "李芳"
    assert second.trend.last_year_30d == 1
    assert second.trend.last_year[-1] == 1
    assert second.scope(drawing.ids[0]).trend.last_year_30d == 1
    assert second.scope(drawing.ids[1]).trend.last_year_30d == 0


def test_what_patrols_did_comes_in_the_background_and_goes_with_the_day(
    drawing: Any, store: Store, now: list[datetime]
) -> None:
    """At 14:09 two of three rounds have ended; w1 has walked along a street of grid 0 since."""
    assert np.isnan(store.snapshot().totals["rounds_required"])
    store.look_at_patrols()
    first = store.snapshot()
    assert (first.totals["rounds_required"], first.totals["rounds_done"]) == (24, 0)
    assert 0 <= first.totals["covered_share"] < 0.2
    table = first.table("street")
    assert table["rounds_required"].tolist()[:2] == [12, 12]
    assert np.isnan(table["rounds_required"].iloc[2])  # the rest has no grid that is owed any
    store.look_at_patrols()
    assert store.snapshot() is first
    now[0] += timedelta(days=1)
    store.refresh()
    store.look_at_patrols()
    assert np.isnan(store.snapshot().totals["rounds_required"])  # no fix of that day


@pytest.fixture
def reopened(drawing: Any, workspace: Workspace) -> Iterator[Callable[[], Store]]:
    """Makes stores of the drawn city, each on a connection of its own, as processes have."""
    drawing.fill(workspace)
    opened: list[Workspace] = []

    def make() -> Store:
        opened.append(open_workspace(workspace.path))
        return Store(opened[-1], Settings(), clock=lambda: drawing.at)

    yield make
    for one in opened:
        one.close()


def test_two_servers_of_one_city_name_the_same_versions(reopened: Callable[[], Store]) -> None:
    one, other = reopened(), reopened()
    assert one.snapshot().versions["city"] == other.snapshot().versions["city"]
    assert one.snapshot().versions["incidents"] == other.snapshot().versions["incidents"]
    change(one.workspace, "a", stage="closed", closed_at=one.clock())
    assert one.refresh().totals["open"] == other.refresh().totals["open"] == 4
