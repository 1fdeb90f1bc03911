"""Units of every level side by side, and one of them: tables and scopes of the drawn city."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, open_workspace

SUMMED = [
    "open", "overdue", "soon", "paused", "today", "week_ago", "reported_30d", "due_30d",
    "in_time_30d", "grids", "households_unknown", "assets", "cameras", "workers", "on_duty",
]  # fmt: skip
EAST, WEST_STREET = "420102002000", "420102001000"


@pytest.fixture
def zoned(drawing: Any, workspace: Workspace) -> Store:
    """The drawn city with two shopping areas: around grid 0, and over grids 4 and 5 and some."""
    drawing.fill(workspace)
    boxes = [
        shapely.box(114.3002, 30.5002, 114.3018, 30.5018),
        shapely.box(114.3, 30.502, 114.3045, 30.504),
    ]
    frame = gpd.GeoDataFrame(
        {"zone_id": ["z1", "z2"], "kind": "商圈", "name": ["老街", "新城"]},
        geometry=boxes, crs="EPSG:4326",
    )  # fmt: skip
    with workspace.writing() as conn:
        workspace.append(conn, "zones", frame)
    return Store(workspace, Settings(), clock=lambda: drawing.at)


def levels_of(store: Store) -> list[str]:
    snapshot = store.snapshot()
    return [*snapshot.levels, *(f"zone:{kind}" for kind in snapshot.zone_kinds)]


def test_the_levels_are_those_of_the_city(drawn_store: Store, zoned: Store) -> None:
    assert drawn_store.snapshot().levels == ("city", "district", "street", "community", "grid")
    assert drawn_store.snapshot().zone_kinds == ()
    assert zoned.snapshot().zone_kinds == ("商圈",)
    assert zoned.snapshot().versions["zones"] != drawn_store.snapshot().versions["zones"]


def test_every_column_of_every_level_adds_up_to_the_city(zoned: Store) -> None:
    snapshot = zoned.snapshot()
    totals = snapshot.totals
    for level in levels_of(zoned):
        table = snapshot.table(level)
        assert table["is_rest"].tolist() == [False] * (len(table) - 1) + [True]
        sums = {name: int(table[name].sum()) for name in SUMMED}
        assert sums == {name: totals[name] for name in SUMMED}, level


def test_the_columns_within_a_unit_add_up_to_that_unit(zoned: Store) -> None:
    snapshot = zoned.snapshot()
    for outer in levels_of(zoned):
        for code in snapshot.units(outer).index:
            totals = snapshot.scope(code).totals
            for level in ("street", "community", "grid"):
                table = snapshot.table(level, code)
                sums = {name: int(table[name].sum()) for name in SUMMED}
                assert sums == {name: totals[name] for name in SUMMED}, (outer, code, level)


def test_a_unit_has_what_lies_in_its_grids(drawn_store: Store) -> None:
    street = drawn_store.snapshot().table("street").loc[WEST_STREET]
    assert (street["name"], street["parent"]) == ("东街街道", "420102000000")
    assert (street["open"], street["overdue"], street["assets"], street["cameras"]) == (3, 1, 7, 1)
    assert (street["workers"], street["on_duty"], street["grids"]) == (3, 1, 6)
    assert street["households_unknown"] == 0
    # Reported in 30 days: a, b, c, f, g, h, i, j; households of grids 0 1 4 5 8 9.
    assert street["per_1000"] == round(8 / (6 * 200 + 270) * 1000, 1)


def test_what_is_in_no_grid_stands_in_the_rest(drawn_store: Store) -> None:
    rest = drawn_store.snapshot().table("grid").loc[""]
    assert (rest["open"], rest["grids"], rest["name"]) == (2, 0, "")
    assert np.isnan(rest["per_1000"])


def test_a_unit_with_a_grid_that_does_not_know_its_households_says_so(drawn_store: Store) -> None:
    east = drawn_store.snapshot().table("street").loc[EAST]
    assert east["households_unknown"] == 1
    assert east["households"] == 220 + 230 + 260 + 270 + 300


def test_what_patrols_did_is_unknown_and_never_zero(drawn_store: Store) -> None:
    table = drawn_store.snapshot().table("grid")
    for name in ("rounds_required", "rounds_done", "covered_share"):
        assert table[name].isna().all()
        assert np.isnan(drawn_store.snapshot().totals[name])


def test_a_custom_area_has_what_stands_in_it(zoned: Store) -> None:
    table = zoned.snapshot().table("zone:商圈")
    # Grid 0 has a and b; c lies in the middle of grid 5, in the second one.
    assert table["open"].to_dict() == {"z1": 2, "z2": 1, "": 2}
    assert table["grids"].to_dict() == {"z1": 1, "z2": 2, "": 9}
    assert table.at["z2", "households"] == 240 + 250
    # The rate is over the grids: c, f, g, h, i, j of grid 5, and none of grid 4.
    assert table.at["z2", "per_1000"] == round(6 / 490 * 1000, 1)
    assert table["name"].tolist() == ["老街", "新城", ""]


def test_a_scope_of_a_street_is_about_that_street(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    scope = snapshot.scope(WEST_STREET)
    assert (scope.code, scope.level, scope.name) == (WEST_STREET, "street", "东街街道")
    assert scope.crumbs == (
        ("", "city", "江城市"),
        ("420102000000", "district", "江岸区"),
        (WEST_STREET, "street", "东街街道"),
    )
    assert scope.child_level == "community"
    assert scope.grid_rows.tolist() == [0, 1, 4, 5, 8, 9]
    assert set(snapshot.cases.ids[scope.case_rows]) == set("abcfghij")
    assert (scope.totals["unplaced"], scope.totals["outside"]) == (0, 0)
    assert scope.totals["longest_s"] == 3600
    assert scope.trend.reported.sum() == 8


def test_the_whole_city_has_also_what_is_in_no_grid(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    scope = snapshot.scope()
    assert (scope.code, scope.level, scope.child_level) == (None, "city", "district")
    assert scope.crumbs == (("", "city", "江城市"),)
    assert len(scope.case_rows) == len(snapshot.cases)
    assert (scope.totals["unplaced"], scope.totals["outside"]) == (1, 1)
    for other in ("", "420100000000", "no such unit"):
        assert snapshot.scope(other) is scope


def test_a_scope_of_a_grid_and_of_a_custom_area(drawing: Any, zoned: Store) -> None:
    snapshot = zoned.snapshot()
    grid = snapshot.scope(drawing.ids[5])
    assert [crumb[1] for crumb in grid.crumbs] == [
        "city", "district", "street", "community", "grid",
    ]  # fmt: skip
    assert grid.child_level is None
    assert grid.totals["open"] == 1
    area = snapshot.scope("z1")
    assert (area.level, area.name, area.child_level) == ("zone:商圈", "老街", "grid")
    assert area.crumbs == (("", "city", "江城市"), ("z1", "zone:商圈", "老街"))
    assert area.totals["open"] == 2


def test_tables_and_scopes_are_made_once(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    assert snapshot.table("street") is snapshot.table("street")
    assert snapshot.scope(EAST) is snapshot.scope(EAST)


def test_a_city_without_divisions_has_city_and_grid(
    drawing: Any, drawn_folder: Path, workspace: Workspace
) -> None:
    with open_workspace(drawn_folder) as drawn:
        grids = drawn.read("grids").assign(community_code=None)
    with workspace.writing() as conn:
        workspace.append(conn, "grids", grids)
    snapshot = Store(workspace, Settings(), clock=lambda: drawing.at).snapshot()
    assert snapshot.levels == ("city", "grid")
    assert len(snapshot.table("grid")) == 13
    assert snapshot.scope().name == ""
    assert snapshot.scope().child_level == "grid"


def test_a_change_of_areas_alone_keeps_the_boundaries(drawing: Any, zoned: Store) -> None:
    before = zoned.snapshot()
    with zoned.workspace.writing() as conn:
        zoned.workspace.delete(conn, "zones", zoned.workspace.table("zones").c.zone_id == "z1")
    after = zoned.refresh()
    assert after.city.index is before.city.index
    assert after.table("zone:商圈").index.tolist() == ["z2", ""]
    assert after.versions["zones"] != before.versions["zones"]
    assert isinstance(after.table("zone:商圈"), pd.DataFrame)
