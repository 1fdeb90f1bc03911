"""Heat over HTTP for the drawn city: its numbers, its tiles, its refusals."""

from __future__ import annotations

import io
import math
from datetime import timedelta
from typing import Any

import flask
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from PIL import Image

from dashboards.heat_desk import HeatDesk
from dashboards.heat_routes import DESK, add_heat_routes
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace


def more_cases(workspace: Workspace, drawing: Any) -> None:
    """Sixty cases around the middle of grid 5 at eight in the morning, six around that of 10."""
    rng = np.random.default_rng(1)
    rows = []
    for count, grid, hour, code in ((60, 5, 0, "E0102"), (6, 10, 12, "C0101")):
        x, y = drawing.middle(grid)
        for k in range(count):
            place = (x + rng.normal(0, 2e-4), y + rng.normal(0, 2e-4))
            # Midnight UTC is eight in Shanghai.
            at = drawing.at.replace(hour=hour, minute=k) - timedelta(days=3 + k % 20)
            rows.append((f"n{grid}-{k}", code, *place, at))
    names = ["incident_id", "class_code", "lon", "lat", "reported_at"]
    frame = pd.DataFrame(rows, columns=names).assign(stage="closed", source="patrol")
    shapes = gpd.points_from_xy(frame["lon"], frame["lat"])
    with workspace.writing() as conn:
        workspace.append(
            conn, "incidents", gpd.GeoDataFrame(frame, geometry=shapes, crs="EPSG:4326")
        )


@pytest.fixture
def store(workspace: Workspace, drawing: Any) -> Store:
    drawing.fill(workspace)
    more_cases(workspace, drawing)
    made = Store(workspace, Settings(), clock=lambda: drawing.at)
    made.refresh()
    made.columns.wait()
    return made


@pytest.fixture
def client(store: Store) -> Any:
    server = flask.Flask("heat")
    add_heat_routes(server, store)
    return server.test_client()


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    x = int((lon + 180) / 360 * 2**zoom)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom)
    return x, y


def picture(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))


def test_the_summary_says_where_it_is_dense_and_how_sure_that_is(client: Any, drawing: Any) -> None:
    told = client.get("/heat/summary?h=200").json
    # Ten of the drawn city, one without a place and one outside of the grids.
    assert (told["cases"], told["left_out"]) == (74, 2)
    peak = told["peak"]
    assert peak["grid"] == drawing.ids[5]
    assert (peak["lon"], peak["lat"]) == pytest.approx(drawing.middle(5), abs=3e-4)
    assert peak["low"] < peak["value"] < peak["high"]
    assert peak["rse"] < 0.3
    assert peak["sure"]
    assert told["unit"] == "per_km2"
    assert told["mean"] == pytest.approx(74 / told["area_km2"])
    assert 0 < told["half_share"] < 0.3
    assert 0 < told["unsure_share"] < 1
    assert told["reason"] == ""
    assert told["legend"]["starts"][-1] <= told["top"]


def test_a_tile_is_drawn_kept_for_good_and_not_sent_twice(client: Any, drawing: Any) -> None:
    told = client.get("/heat/summary?h=200").json
    x, y = tile_of(*drawing.middle(5), 15)
    address = told["tiles"].partition("localhost")[2].format(z=15, x=x, y=y)
    first = client.get(address)
    assert first.status_code == 200
    assert first.mimetype == "image/png"
    assert "immutable" in first.headers["Cache-Control"]
    seen = picture(first.data)
    assert seen.shape == (256, 256, 4)
    assert (seen[..., 3] > 0).sum() > 500
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    old = client.get(address.replace(told["v"], "older"))
    assert old.headers["Cache-Control"] == "no-cache"
    assert picture(client.get(address + "&size=512").data).shape == (512, 512, 4)
    assert client.get("/heat/3/9/1.png").status_code == 404


def test_far_from_the_city_a_tile_is_empty(client: Any, drawing: Any) -> None:
    seen = picture(client.get("/heat/10/0/0.png").data)
    assert (seen[..., 3] == 0).all()


@pytest.mark.parametrize(
    ("query", "cases"),
    [
        ("class=C0101", 7), ("class=E0102,C0101", 72), ("source=patrol", 66), ("hours=8", 60),
        ("hours=20", 6), ("from=2026-11-20", 3), ("to=2026-10-01", 0), ("months=1,2", 0),
    ],
)  # fmt: skip
def test_a_choice_counts_what_it_says(client: Any, drawing: Any, query: str, cases: int) -> None:
    assert client.get(f"/heat/summary?{query}").json["cases"] == cases


@pytest.mark.parametrize(
    ("query", "reason"),
    [("class=Z9999", "unknown_class"), ("to=2020-01-01", "no_cases"), ("hours=3", "no_cases")],
)
def test_nothing_found_is_an_answer_with_its_reason(
    client: Any, drawing: Any, query: str, reason: str
) -> None:
    response = client.get(f"/heat/summary?{query}")
    assert response.status_code == 200
    assert response.json["reason"] == reason
    assert response.json["peak"] is None
    assert response.json["legend"]["starts"] == []
    x, y = tile_of(*drawing.middle(5), 15)
    tile = client.get(f"/heat/15/{x}/{y}.png?{query}")
    assert (picture(tile.data)[..., 3] == 0).all()


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("from=2026-05-02&to=2026-01-01", "turn them round"),
        ("from=yesterday", "give a date such as"),
        ("h=3", "use 50 to 5000 metres"),
        ("h=wide", "give a number"),
        ("hours=24", "use 0 to 23"),
        ("weekdays=x", "whole numbers"),
        ("measure=heat", "use one of km2"),
        ("kernel=box", "use one of quartic"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    client: Any, drawing: Any, query: str, word: str
) -> None:
    response = client.get(f"/heat/summary?{query}")
    assert response.status_code == 400
    assert word in response.json["error"]
    x, y = tile_of(*drawing.middle(5), 15)
    assert client.get(f"/heat/15/{x}/{y}.png?{query}").status_code == 400


def test_a_new_case_gives_a_new_version(client: Any, store: Store, drawing: Any) -> None:
    before = client.get("/heat/summary").json
    with store.workspace.writing() as conn:
        conn.exec_driver_sql("DELETE FROM incidents WHERE incident_id = 'n5-0'")
        store.workspace.touch(conn, "incidents")
    store.columns.refresh()
    after = client.get("/heat/summary").json
    assert after["v"] != before["v"]
    assert after["cases"] == before["cases"] - 1


def test_rates_leave_out_grids_that_do_not_know_their_households(client: Any, drawing: Any) -> None:
    told = client.get("/heat/summary?measure=households&h=200").json
    homes = sum(200 + 10 * k for k in range(11))
    assert told["unit"] == "per_1000"
    assert told["cases"] == 74
    assert told["mean"] == pytest.approx(74 / homes * 1000)
    assert told["peak"]["grid"] == drawing.ids[5]


def test_without_fixes_of_patrols_nothing_is_said_of_effort(client: Any, drawing: Any) -> None:
    """The drawn city has three readings of a day, none five minutes behind another."""
    told = client.get("/heat/summary?measure=effort&to=2026-01-31").json
    assert told["reason"] == "no_effort"
    assert told["effort"]["days"] == 0
    assert told["peak"] is None


def test_effort_counts_the_cases_of_patrols_on_the_days_whose_fixes_are_known(
    client: Any, store: Store, drawing: Any
) -> None:
    x, y = drawing.middle(5)
    times = pd.date_range(drawing.at - timedelta(days=3, hours=6), periods=200, freq="60s")
    walked = pd.DataFrame(
        {"worker_id": "w1", "time": times, "lon": x, "lat": np.linspace(y - 1e-3, y + 1e-3, 200)}
    )
    with store.workspace.writing() as conn:
        store.workspace.append(conn, "fixes", walked)
    told = client.get("/heat/summary?measure=effort&h=200&from=2026-11-18&to=2026-11-18").json
    assert told["effort"] == {"days": 1, "first": "2026-11-18", "last": "2026-11-18"}
    assert told["sources"] == ["patrol"]
    assert told["cases"] == 4
    # Nobody walked in most of the city: there is no value there, rather than a low one.
    assert told["unknown_share"] > 0.3


def test_a_playback_has_a_frame_an_hour_on_one_scale(client: Any, drawing: Any) -> None:
    told = client.get("/heat/frames?by=hour").json
    assert [frame["value"] for frame in told["frames"]] == list(range(24))
    assert sum(frame["cases"] for frame in told["frames"]) == 74
    assert told["frames"][8]["cases"] == 60
    assert {frame["query"].split("top=")[1].split("&")[0] for frame in told["frames"]} == {
        f"{told['top']:.9g}"
    }
    months = client.get("/heat/frames?by=month&hours=8").json
    assert sum(frame["cases"] for frame in months["frames"]) == 60
    assert client.get("/heat/frames?by=minute").status_code == 400
    assert client.get("/heat/frames?measure=effort").status_code == 400


def test_grids_and_hexagons_add_up_to_the_same_cases(client: Any, drawing: Any) -> None:
    grids = client.get("/heat/grids.json").json
    assert grids["ids"] == drawing.ids
    assert sum(grids["count"]) == 74
    assert grids["outside"] == 2
    assert grids["count"][5] >= 60
    assert grids["per_1000"][11] is None
    assert grids["unsure"][5] is False
    assert grids["unsure"][10] is True
    shapes = client.get("/heat/hex.geojson?res=9").json["features"]
    assert sum(shape["properties"]["count"] for shape in shapes) == 74
    inside = [
        shape for shape in shapes
        if shapely.geometry.shape(shape["geometry"]).contains(shapely.Point(drawing.middle(5)))
    ]  # fmt: skip
    told = inside[0]["properties"]
    assert told["count"] > 20
    assert told["estimated"] is (told["per_1000"] is not None)
    homes = told["households"]
    assert told["per_1000"] == pytest.approx(told["count"] * 1000 / homes, rel=0.5 / homes + 0.01)
    assert client.get("/heat/hex.geojson?res=3").status_code == 400


def test_hot_spots_come_by_grid_and_week(client: Any, drawing: Any) -> None:
    told = client.get("/heat/hotspots.json?slices=4").json
    assert told["ids"] == drawing.ids
    assert len(told["slices"]) == 4
    assert told["until"] == "2026-11-21"
    assert np.array(told["counts"]).shape == (12, 4)
    assert told["cases"] == np.array(told["counts"]).sum()
    assert client.get("/heat/hotspots.json?slice=hour").status_code == 400
    assert client.get("/heat/hotspots.json?slices=900").status_code == 400


def test_black_spots_come_with_their_place_and_days(client: Any, drawing: Any) -> None:
    told = client.get("/heat/blackspots.json?radius=60&class=E0102").json
    assert (told["slice_days"], told["last"]) == (7, "2026-11-21")
    assert told["found"] == len(told["spots"]) == 1
    spot = told["spots"][0]
    assert (spot["grid_id"], spot["first_day"]) == (drawing.ids[5], "2026-10-30")
    assert spot["cases"] >= spot["days"] > spot["expected"]
    assert (spot["lon"], spot["lat"]) == pytest.approx(drawing.middle(5), abs=3e-4)
    assert not client.get("/heat/blackspots.json?class=E9999").json["spots"]
    assert not client.get("/heat/blackspots.json?from=2020-01-01&to=2020-02-01").json["spots"]
    for wrong in ("radius=0", "most=0", "slice=hour", "from=2026-02-01&to=2026-01-01"):
        assert client.get(f"/heat/blackspots.json?{wrong}").status_code == 400


def test_before_the_cases_are_read_the_page_is_told_to_wait(
    workspace: Workspace, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    store.refresh()
    monkeypatch.setattr(store.columns, "get", lambda: None)
    server = flask.Flask("heat")
    add_heat_routes(server, store)
    client = server.test_client()
    response = client.get("/heat/summary")
    assert response.status_code == 202
    assert response.json["loading"]["step"] == "cases"
    tile = client.get("/heat/3/1/1.png")
    assert (tile.status_code, tile.headers["Retry-After"]) == (503, "1")


def test_a_city_without_grids_says_so(workspace: Workspace, drawing: Any) -> None:
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    store.refresh()
    store.columns.wait()
    server = flask.Flask("heat")
    add_heat_routes(server, store)
    response = server.test_client().get("/heat/summary")
    assert response.status_code == 400
    assert response.json["reason"] == "no_grids"


def test_surfaces_that_nobody_looks_at_are_dropped(client: Any, monkeypatch: Any) -> None:
    desk: HeatDesk = client.application.extensions[DESK]
    monkeypatch.setattr("dashboards.heat_desk.MOST_BYTES", 300_000)
    for hour in range(24):
        client.get(f"/heat/summary?hours={hour}")
    kept = [key for key in desk._kept if key[0] == "surface"]
    assert 1 <= len(kept) < 24
