"""Streets to snap to, ways along them, and trying an edit, asked of the server of a drawn city.

The city of twelve grids without a table of blocks: each grid is one block. One arterial runs along
the northern border of the lowest row of grids (see conftest).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import pytest
import shapely

from dashboards.app import create_app
from dashboards.plan_desk import desk_of
from dashboards.plan_snap_routes import TILE_ZOOM, tile_box
from dashboards.plan_tool_edits import complete_edit
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import create_workspace

WEST, SOUTH, SIDE = 114.3, 30.5, 0.002
AT = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with create_workspace(tmp_path_factory.mktemp("routes") / "city") as workspace:
        drawing.fill(workspace)
        house = shapely.Point(WEST + 0.9 * SIDE, SOUTH + 0.5 * SIDE).buffer(0.00002)
        buildings = gpd.GeoDataFrame(
            {"building_id": ["h1"], "households": [7]}, geometry=[house], crs="EPSG:4326"
        )
        with workspace.writing() as conn:
            workspace.append(conn, "buildings", buildings)
        yield Store(workspace, Settings(), clock=lambda: drawing.at)


@pytest.fixture(scope="module")
def client(store: Store) -> Any:
    return create_app(store.settings, store).server.test_client()


@pytest.fixture(scope="module")
def plan_id(store: Store) -> str:
    return desk_of(store).book.create("试", "boss", AT)


def tile_of(lon: float, lat: float) -> tuple[int, int]:
    """The tile whose box holds a place, by search."""
    count = 2**TILE_ZOOM
    x = int((lon + 180) / 360 * count)
    y = next(k for k in range(count) if tile_box(x, k)[1] <= lat)
    return x, y


def test_a_tile_has_the_streets_inside_its_box_and_no_other_tile_has(client: Any) -> None:
    x, y = tile_of(WEST + SIDE, SOUTH + SIDE)
    lines = client.get(f"/plan/snap/streets/{x}/{y}.json").get_json()["lines"]
    west, south, east, north = tile_box(x, y)
    assert lines
    for line in lines:
        assert all(west - 1e-6 <= lon <= east + 1e-6 for lon in line[0::2])
        assert all(south - 1e-6 <= lat <= north + 1e-6 for lat in line[1::2])
    assert client.get(f"/plan/snap/streets/{x}/{y - 9}.json").get_json()["lines"] == []
    assert client.get(f"/plan/snap/streets/{2**TILE_ZOOM}/0.json").status_code == 404


def test_a_way_follows_the_street_and_two_places_off_it_have_none(client: Any) -> None:
    def way(one: tuple[float, float], two: tuple[float, float]) -> Any:
        query = {"from": f"{one[0]},{one[1]}", "to": f"{two[0]},{two[1]}"}
        return client.get("/plan/snap/follow", query_string=query).get_json()["line"]

    level = SOUTH + SIDE
    line = way((WEST + 0.001, level), (WEST + 0.003, level))
    assert line[0] == pytest.approx([WEST + 0.001, level], abs=2e-6)
    assert line[-1] == pytest.approx([WEST + 0.003, level], abs=2e-6)
    assert way((WEST + 0.001, level + 0.0005), (WEST + 0.003, level)) is None
    assert client.get("/plan/snap/follow?from=1,2&to=north").status_code == 404


def ask(client: Any, plan_id: str, edit: dict[str, Any]) -> Any:
    answer = client.post(f"/plan/{plan_id}/try", json={"edit": edit})
    return answer.status_code, answer.get_json()


def test_trying_a_merge_tells_the_sum_and_who_would_end_and_stores_nothing(
    client: Any, store: Store, plan_id: str, drawing: Any
) -> None:
    one, two = drawing.ids[0], drawing.ids[1]
    status, told = ask(client, plan_id, {"do": "merge", "grids": [one, two]})
    assert (status, told["ok"]) == (200, True)
    assert told["gone"] == [one]
    assert [(g["id"], g["households"], g["was"]) for g in told["grids"]] == [(two, 410, 210)]
    assert desk_of(store).book.open(plan_id).seq == 0


def test_trying_what_would_be_refused_says_why_in_the_pages_words(
    client: Any, plan_id: str, drawing: Any
) -> None:
    status, told = ask(client, plan_id, {"do": "merge", "grids": [drawing.ids[0], drawing.ids[2]]})
    assert (status, told["ok"]) == (200, False)
    assert told["error"]
    bad = ask(client, plan_id, {"do": "split", "grid": drawing.ids[0]})
    assert (bad[0], bad[1]["code"]) == (400, "edit")
    large = ask(client, plan_id, {"do": "move", "vertices": float("inf"), "xy": [[1, 1]]})
    assert (large[0], large[1]["code"]) == (400, "edit")
    assert ask(client, plan_id, ["merge"])[0] == 400
    assert ask(client, plan_id, {"do": "renumber", "digits": 99})[0] == 400
    assert ask(client, "P1", {"do": "renumber"})[0] == 404


def test_a_cut_by_buildings_puts_all_people_where_they_live(
    client: Any, plan_id: str, drawing: Any
) -> None:
    x = WEST + 0.5 * SIDE
    line = [[x, SOUTH - 0.0005], [x, SOUTH + SIDE + 0.0005]]
    block = drawing.ids[0]
    edit = {"do": "cut", "block": block, "line": line}
    by_area = ask(client, plan_id, edit)[1]["parts"]
    assert sorted(part["households"] for part in by_area) == [100, 100]
    by_house = ask(client, plan_id, edit | {"homes": "buildings"})[1]["parts"]
    assert sorted(part["households"] for part in by_house) == [0, 200]


def test_numbering_anew_lists_old_and_new_numbers(client: Any, plan_id: str) -> None:
    told = ask(client, plan_id, {"do": "renumber"})[1]
    assert told["names"]
    assert len(set(told["names"].values())) == len(told["names"])


def test_a_line_within_2_cm_of_a_vertex_goes_through_it(store: Store, plan_id: str) -> None:
    opened = desk_of(store).book.open(plan_id)
    corner = opened.plan.ground.xy[5]
    x, y = corner.tolist()
    line = [[x + 0.012, y - 0.009], [x + 0.05, y]]
    found = complete_edit(
        store, opened.plan, opened.base, {"do": "split", "grid": "x", "line": line}
    )
    assert found["line"][0] == [x, y]
    assert found["line"][1] == line[1]
