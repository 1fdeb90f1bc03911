"""What the server answers besides pages, asked through Flask's test client."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
from dash import Dash
from flask.testing import FlaskClient

from dashboards.app import create_app
from dashboards.inventory import tile_position
from dashboards.map_data import SOURCES, Source, scale_style
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace


@pytest.fixture
def client(drawn_app: Dash) -> FlaskClient:
    return drawn_app.server.test_client()


def test_the_front_door_leads_to_the_command_page(client: FlaskClient) -> None:
    answer = client.get("/?lang=en")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/command?lang=en")


def test_health_says_status_version_and_age(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json["status"] == "ok"
    assert answer.json["version"]
    assert answer.json["age_s"] == 120.0  # the position of w1, two minutes old


def test_health_is_degraded_when_the_workspace_cannot_be_read(
    drawing: Any, workspace: Workspace
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    server = create_app(store.settings, store).server
    store.snapshot()
    with workspace.writing() as conn:
        conn.exec_driver_sql("ALTER TABLE incidents RENAME TO elsewhere")
        workspace.touch(conn, "incidents")
    store.look()
    answer = server.test_client().get("/healthz")
    assert (answer.status_code, answer.json["status"]) == (503, "degraded")


@pytest.mark.parametrize(
    ("name", "count"),
    [("grids", 12), ("labels", 17), ("roads", 1), ("areas", 1), ("incidents", 4), ("workers", 2)],
)
def test_map_data_is_geojson_with_all_features(client: FlaskClient, name: str, count: int) -> None:
    answer = client.get(f"/data/{name}.geojson")
    assert answer.mimetype == "application/geo+json"
    assert len(answer.json["features"]) == count


def test_grids_carry_their_row_and_their_shape(drawing: Any, client: FlaskClient) -> None:
    features = client.get("/data/grids.geojson").json["features"]
    assert [f["properties"]["r"] for f in features] == list(range(12))
    assert [f["properties"]["grid_id"] for f in features] == drawing.ids
    shape = shapely.geometry.shape(features[5]["geometry"])
    assert shape.contains(shapely.Point(drawing.middle(5)))


def test_boundaries_draw_each_line_once_at_its_highest_level(client: FlaskClient) -> None:
    features = client.get("/data/boundaries.geojson").json["features"]
    lengths = {
        f["properties"]["level"]: shapely.geometry.shape(f["geometry"]).length / 0.002
        for f in features
    }
    # The outer border is 14 sides, the line between the streets 3, all other lines 14.
    assert {k: round(v) for k, v in lengths.items()} == {"city": 14, "street": 3, "grid": 14}


def test_the_first_answer_is_packed_and_the_second_says_unchanged(client: FlaskClient) -> None:
    first = client.get("/data/grids.geojson", headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    assert first.headers["Cache-Control"] == "no-cache"
    assert len(json.loads(gzip.decompress(first.data))["features"]) == 12
    again = client.get("/data/grids.geojson", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0, identity", False),
        ("br", False),
        ("", False),
        ("*", True),
    ],
)
def test_a_body_is_packed_only_for_who_takes_it(
    client: FlaskClient, accepts: str, packed: bool
) -> None:
    answer = client.get("/data/grids.geojson", headers={"Accept-Encoding": accepts})
    assert ("Content-Encoding" in answer.headers) == packed
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_a_tag_stands_for_the_content_packed_or_not(client: FlaskClient) -> None:
    """RFC 9110, 13.1.2: If-None-Match compares weakly, and a weak tag is written W/."""
    plain = client.get("/data/grids.geojson").headers["ETag"]
    packed = client.get("/data/grids.geojson", headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    assert plain == packed
    assert plain.startswith("W/")
    for tag in (plain, plain.removeprefix("W/"), f'"other", {plain}', "*"):
        answer = client.get("/data/grids.geojson", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (304, b""), tag
        assert "Content-Encoding" not in answer.headers
    assert client.get("/data/grids.geojson", headers={"If-None-Match": '"x"'}).status_code == 200


def test_data_and_its_version_are_of_one_snapshot(
    drawing: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer snapshot is put in place while the answer is being made."""
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    client = create_app(store.settings, store).server.test_client()
    old = store.snapshot().versions["incidents"]
    source = SOURCES["incidents"]

    def make(*arguments: Any) -> bytes:
        with workspace.writing() as conn:
            conn.exec_driver_sql("UPDATE incidents SET stage = 'closed' WHERE incident_id = 'a'")
            workspace.touch(conn, "incidents")
        store.refresh()
        return source.make(*arguments)

    monkeypatch.setitem(SOURCES, "incidents", Source(source.part, make, source.speaks))
    answer = client.get(f"/data/incidents.geojson?v={old}")
    assert "a" in {f["properties"]["id"] for f in answer.json["features"]}
    assert "immutable" in answer.headers["Cache-Control"]
    monkeypatch.setitem(SOURCES, "incidents", source)
    new = store.snapshot().versions["incidents"]
    assert new != old
    answer = client.get(f"/data/incidents.geojson?v={new}")
    assert "a" not in {f["properties"]["id"] for f in answer.json["features"]}
    assert client.get(f"/data/incidents.geojson?v={old}").headers["Cache-Control"] == "no-cache"


def test_an_address_with_the_version_may_be_kept_for_good(
    client: FlaskClient, drawn_store: Store
) -> None:
    version = drawn_store.snapshot().versions["city"]
    assert "immutable" in client.get(f"/data/grids.geojson?v={version}").headers["Cache-Control"]
    assert client.get("/data/grids.geojson?v=old").headers["Cache-Control"] == "no-cache"


def test_incidents_on_the_map_speak_the_language_of_the_page(client: FlaskClient) -> None:
    def what(language: str) -> dict[str, str]:
        features = client.get(f"/data/incidents.geojson?lang={language}").json["features"]
        return {f["properties"]["id"]: f["properties"]["what"] for f in features}

    assert what("zh")["a"] == "暴露垃圾"
    assert what("en")["a"] == "exposed rubbish"
    assert "d" not in what("zh")  # it has no place


def test_new_incidents_are_marked(client: FlaskClient) -> None:
    features = client.get("/data/incidents.geojson").json["features"]
    assert {f["properties"]["id"] for f in features if f["properties"]["new"]} == {"b", "c"}


def test_workers_on_the_map_have_no_phone(client: FlaskClient) -> None:
    text = client.get("/data/workers.geojson").get_data(as_text=True)
    assert "王小明" in text
    assert "138" not in text


def test_each_asset_is_in_one_tile_from_zoom_16_on(client: FlaskClient) -> None:
    x, y = tile_position([114.3, 114.302], [30.5, 30.502], 16)
    ids: list[str] = []
    for column in range(int(x[0]) - 1, int(x[1]) + 2):
        for row in range(int(y[1]) - 1, int(y[0]) + 2):
            tile = client.get(f"/data/assets/16/{column}/{row}.geojson").json
            ids += [f["properties"]["id"] for f in tile["features"]]
            for f in tile["features"]:
                if f["properties"]["id"] == "cam1":
                    assert f["properties"]["bearing"] == 90
                    assert f["properties"]["symbol"] == "sector"
                assert f["properties"]["broken"] == int(f["properties"]["id"] == "p1")
    assert sorted(ids) == ["cam1", *(f"p{k}" for k in range(6))]


def test_before_zoom_16_assets_are_clusters_whose_counts_add_up(
    drawing: Any, client: FlaskClient
) -> None:
    x, y = tile_position(*([v] for v in drawing.middle(0)), 13)
    counts = [
        feature["properties"]["count"]
        for column in (-1, 0, 1)
        for row in (-1, 0, 1)
        for feature in client.get(
            f"/data/assets/13/{int(x[0]) + column}/{int(y[0]) + row}.geojson"
        ).json["features"]
    ]
    assert sum(counts) == 7
    assert len(counts) < 7


def test_a_tile_without_assets_is_empty_and_one_that_cannot_be_is_not_found(
    client: FlaskClient,
) -> None:
    assert client.get("/data/assets/14/0/0.geojson").json["features"] == []
    assert client.get("/data/assets/3/8/0.geojson").status_code == 404
    assert client.get("/data/secrets.geojson").status_code == 404


def test_the_style_names_no_other_host(client: FlaskClient) -> None:
    style = client.get("/map/style.json").json
    sources = [source["data"] for source in style["sources"].values()]
    assert all(address.startswith("http://localhost/data/") for address in sources)
    assert "glyphs" not in style
    assert "sprite" not in style


def test_a_page_by_day_gets_a_map_by_day(client: FlaskClient) -> None:
    def ground(mood: str) -> str:
        style = client.get(f"/map/style.json?mood={mood}").json
        return str(style["layers"][0]["paint"]["background-color"])

    assert ground("day") != ground("night")
    assert ground("noon") == ground("night")


def test_a_screen_of_twice_the_pixels_has_twice_the_widths_one_zoom_later() -> None:
    width = ["interpolate", ["exponential", 1.5], ["zoom"], 12, 1.0, 16, 4]
    size = ["match", ["get", "c"], "a", 13, "b", 12, 11]
    style = {
        "layers": [
            {"minzoom": 9, "paint": {"line-width": width}, "layout": {"text-size": size}},
            {"id": "plain", "paint": {"fill-color": "#fff"}},
        ]
    }
    layer, plain = scale_style(style, 2)["layers"]
    assert layer["minzoom"] == 10
    assert layer["paint"]["line-width"][3:] == [13, 2.0, 17, 8]
    assert layer["layout"]["text-size"][2:] == ["a", 26, "b", 24, 22]
    assert plain == style["layers"][1]


def test_every_answer_allows_nothing_but_this_server(client: FlaskClient) -> None:
    for path in ("/command", "/healthz", "/data/grids.geojson", "/no-such"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "http" not in policy
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_no_other_host(client: FlaskClient) -> None:
    text = client.get("/command").get_data(as_text=True)
    assert "https://" not in text
    assert "//cdn" not in text


def test_the_theme_comes_from_the_layers(client: FlaskClient) -> None:
    text = client.get("/theme.css").get_data(as_text=True)
    assert "--ground: #0a1020;" in text


def test_an_unexpected_error_shows_a_reference_and_no_trace(
    drawing: Any,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    server = create_app(store.settings, store).server

    def fail(*_: Any) -> None:
        raise RuntimeError("the secret of the house")

    store.snapshot()
    monkeypatch.setattr(store, "remember", fail)
    answer = server.test_client().get("/data/grids.geojson")
    text = answer.json["error"]
    assert answer.status_code == 500
    assert "secret" not in text
    reference = text.rpartition("编号 ")[2]
    assert any(reference in record.getMessage() for record in caplog.records)
    asked = server.test_client()
    for answer in (
        asked.get("/data/grids.geojson?lang=en"),
        asked.get("/data/grids.geojson", headers={"Referer": "http://localhost/command?lang=en"}),
    ):
        assert answer.json["error"].isascii()


def test_an_empty_workspace_still_has_a_map(make_store: Callable[..., Store]) -> None:
    store = make_store()
    client = create_app(store.settings, store).server.test_client()
    for name in ("grids", "boundaries", "labels", "roads", "areas", "incidents", "workers"):
        assert client.get(f"/data/{name}.geojson").json["features"] == []
    assert client.get("/data/assets/16/1/1.geojson").json["features"] == []
    assert client.get("/healthz").json["age_s"] is None


def test_tile_positions_agree_with_the_known_corner_of_the_world() -> None:
    x, y = tile_position([-180, 0, 179.999999], [85.05, 0, -85.05], 2)
    assert np.allclose(x, [0, 2, 4])
    assert np.allclose(y, [0, 2, 4], atol=1e-3)
