"""Coverage of the drawn city: one street, 768 m, on the line between the rows of grids 0-3 and 4-7.

A point on a level line belongs to the grid north of it, so grids 4 to 7 have a quarter each.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely
from flask.testing import FlaskClient

from dashboards.app import create_app
from dashboards.asked_for import WANTED_S
from dashboards.components.coverage_rows import state_json
from dashboards.coverage_days import Coverage
from dashboards.coverage_make import WHATS, Choice, Cover
from dashboards.coverage_routes import COVERAGE, read_choice
from dashboards.settings import Settings
from dashboards.store import Store
from dashboards.words import Words
from geo.io.workspace import Workspace, create_workspace, open_workspace

STREET_M = 768.0
NORTH_M, EAST_M = 110_900.0, 95_950.0
"""Metres of a degree at 30.5 N, to a thousandth."""


def choices() -> list[Choice]:
    return [Choice(what, "0118" if what == "assets" else "", 100.0) for what in WHATS]


def answer(store: Store, choice: Choice) -> Cover:
    state = Coverage(store, threaded=False).get(choice)
    assert not state.trouble
    assert state.cover is not None
    return state.cover


@pytest.fixture
def city(tmp_path: Path, drawing: Any) -> Iterator[Workspace]:
    """The drawn city, to be changed by a test."""
    with create_workspace(tmp_path / "city") as made:
        drawing.fill(made)
        yield made


@pytest.fixture
def store(city: Workspace, drawing: Any) -> Store:
    return Store(city, Settings(), clock=lambda: drawing.at)


def add_camera(city: Workspace, place: tuple[float, float], **more: Any) -> None:
    frame = gpd.GeoDataFrame(
        {"asset_id": [f"cam{place}"], "class_code": ["0136"]} | {k: [v] for k, v in more.items()},
        geometry=[shapely.Point(place)],
        crs="EPSG:4326",
    )
    with city.writing() as conn:
        city.append(conn, "cameras", frame)


def test_covered_blind_and_unknown_add_up_to_the_street_in_every_grid(store: Store) -> None:
    for choice in choices():
        table = answer(store, choice).table
        parts = table["covered_m"] + table["blind_m"] + table["unknown_m"]
        assert (parts - table["street_m"]).abs().max() < 1e-6, choice
        assert table["street_m"].sum() == pytest.approx(STREET_M, rel=0.002)


def test_a_lamp_lights_the_chord_of_its_circle(store: Store) -> None:
    cover = answer(store, Choice("assets", "0118", 100.0))
    # The nearer of two lamps stands 0.0008 degrees south of the street, the other 0.0012.
    far = 0.0008 * NORTH_M
    assert cover.table["covered_m"].sum() == pytest.approx(
        2 * math.sqrt(100.0**2 - far**2), rel=0.02
    )
    assert cover.facts["class_total"] == 2
    assert not cover.reason


def test_the_longest_blind_stretch_is_named_and_ends_where_the_light_begins(store: Store) -> None:
    cover = answer(store, Choice("assets", "0118", 100.0))
    first = cover.stretches.iloc[0]
    # The lamp is 0.0012 degrees east of the western end.
    middle = 0.0012 * EAST_M
    half = math.sqrt(100.0**2 - (0.0008 * NORTH_M) ** 2)
    assert first["name"] == "江汉路"
    assert first["length_m"] == pytest.approx(STREET_M - middle - half, rel=0.01)
    assert cover.stretches["length_m"].sum() == pytest.approx(cover.table["blind_m"].sum())


def test_a_class_that_nobody_recorded_leaves_all_unknown(store: Store) -> None:
    cover = answer(store, Choice("assets", "0113", 150.0))
    assert cover.reason == "no_assets"
    assert cover.table["unknown_m"].sum() == pytest.approx(cover.table["street_m"].sum())
    assert not len(cover.stretches)


def test_cameras_without_a_known_view_cover_nothing_and_leave_all_unknown(store: Store) -> None:
    cover = answer(store, Choice("cameras"))
    assert cover.reason == "no_cameras"
    assert cover.table["covered_m"].sum() == 0
    assert cover.table["unknown_m"].sum() == pytest.approx(cover.table["street_m"].sum())
    assert cover.facts["cameras_unknown"] == 1


def test_a_camera_covers_its_disc_and_one_without_range_makes_its_surroundings_unknown(
    store: Store, city: Workspace, drawing: Any
) -> None:
    x, y = drawing.middle(5)
    add_camera(city, (x, y - 0.001), angle_deg=360.0, range_m=60.0)
    add_camera(city, (x + 0.004, y - 0.001), bearing_deg=90.0)
    store.refresh()
    cover = answer(store, Choice("cameras"))
    assert not cover.reason
    assert cover.table["covered_m"].sum() == pytest.approx(120, rel=0.01)
    # Within 50 m of a camera of which nobody knows where it looks.
    assert cover.table["unknown_m"].sum() == pytest.approx(100, rel=0.01)


def test_a_broken_camera_sees_nothing(store: Store, city: Workspace, drawing: Any) -> None:
    x, y = drawing.middle(5)
    add_camera(city, (x, y - 0.001), angle_deg=360.0, range_m=60.0, state="damaged")
    store.refresh()
    cover = answer(store, Choice("cameras"))
    assert cover.table["covered_m"].sum() == 0
    assert cover.facts["cameras_broken"] == 1


def test_incidents_in_view_are_seen_and_spots_see_the_rest(
    store: Store, city: Workspace, drawing: Any
) -> None:
    # Five of the incidents with a place in grid 5 were not cancelled; a camera looks at them.
    add_camera(city, drawing.middle(5), angle_deg=360.0, range_m=30.0)
    store.refresh()
    cover = answer(store, Choice("cameras"))
    table = cover.table
    assert table["incidents"].sum() == 7
    assert table["incidents_blind"].to_dict()[drawing.ids[5]] == 0
    # a and b lie in grid 0, 30 m from a camera of which nobody knows where it looks.
    assert table["incidents_blind"].to_dict()[drawing.ids[0]] == 0
    assert cover.facts["incidents_unclear"] == 2
    assert cover.spots is not None
    assert not len(cover.spots.table)
    with city.writing() as conn:
        city.delete(conn, "cameras", city.table("cameras").c.asset_id == "cam1")
    cover = answer(store, Choice("cameras"))
    # Without it they are unseen, and a lamp post is 22 m away.
    assert cover.table["incidents_blind"].to_dict()[drawing.ids[0]] == 2
    assert cover.spots is not None
    assert cover.spots.table["gain"].tolist() == [2.0]
    assert cover.spots.table["spot"].iloc[0] in ("p3", "p4")


def test_old_incidents_do_not_count(store: Store) -> None:
    month = answer(store, Choice("cameras", days=30)).table["incidents"].sum()
    assert month == 7
    later = Store(store.workspace, Settings(), clock=lambda: store.clock() + timedelta(days=25))
    # f, g, i and j are older than that by then.
    assert answer(later, Choice("cameras", days=30)).table["incidents"].sum() == 3


def test_without_any_fix_nothing_is_known_of_patrols(store: Store, drawing: Any) -> None:
    later = Store(store.workspace, Settings(), clock=lambda: drawing.at + timedelta(days=2))
    cover = answer(later, Choice("today"))
    assert cover.reason == "no_fixes"
    assert cover.table["unknown_m"].sum() == pytest.approx(cover.table["street_m"].sum())
    assert not answer(later, Choice("week")).reason


def test_streets_of_a_grid_whose_people_were_silent_are_unknown_and_not_missed(
    store: Store, city: Workspace, drawing: Any
) -> None:
    row = {"worker_id": ["w9"], "name": ["吴九"], "role": ["grid_worker"]}
    with city.writing() as conn:
        city.append(conn, "workers", pd.DataFrame(row | {"unit_code": [drawing.ids[6]]}))
    store.refresh()
    table = answer(store, Choice("today")).table
    silent = table.loc[drawing.ids[6]]
    assert silent["unknown_m"] == pytest.approx(silent["street_m"])
    assert silent["street_m"] > 100
    assert table.drop(index=drawing.ids[6])["unknown_m"].sum() == 0
    assert table["blind_m"].sum() == pytest.approx(STREET_M * 3 / 4, rel=0.05)


def test_who_walks_along_the_street_covers_what_is_within_reach(
    store: Store, city: Workspace, drawing: Any
) -> None:
    x, y = drawing.middle(4)
    steps = range(0, 60, 10)
    fixes = pd.DataFrame(
        {
            "worker_id": "w2",
            "time": pd.to_datetime([drawing.at - timedelta(seconds=300 - s) for s in steps]),
            "lon": [x + s / EAST_M for s in steps],
            "lat": [y - 0.001] * len(steps),
        }
    )
    with city.writing() as conn:
        city.append(conn, "fixes", fixes)
    store.refresh()
    for what in ("today", "week", "both"):
        cover = answer(store, Choice(what))
        # 50 m of way and 20 m at each end.
        assert cover.table["covered_m"].sum() == pytest.approx(90, rel=0.01), what


def test_an_answer_is_made_again_only_when_its_tables_changed(
    store: Store, city: Workspace, drawing: Any
) -> None:
    moment = [0.0]
    coverage = Coverage(store, threaded=False, tick=lambda: moment[0])
    choice = Choice("assets", "0118", 100.0)
    first = coverage.get(choice).cover
    moment[0] += 1000
    assert coverage.get(choice).cover is first
    lamp = gpd.GeoDataFrame(
        {"asset_id": ["p9"], "class_code": ["0118"]},
        geometry=[shapely.Point(drawing.middle(7))],
        crs="EPSG:4326",
    )
    with city.writing() as conn:
        city.append(conn, "assets", lamp)
    assert coverage.get(choice).cover is first
    moment[0] += 1000
    again = coverage.get(choice).cover
    assert again is not first
    assert again is not None
    assert again.facts["class_total"] == 3


def test_what_nobody_asks_for_any_more_is_left(store: Store) -> None:
    moment = [0.0]
    coverage = Coverage(store, tick=lambda: moment[0])
    coverage.stop()  # no thread: only what is asked for by hand
    coverage.get(Choice("today"))
    moment[0] = WANTED_S + 1
    assert not coverage.step()
    assert coverage.peek(Choice("today")) is None


def test_trouble_is_told_and_tried_again_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [0.0]
    coverage = Coverage(store, threaded=False, tick=lambda: moment[0])

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk gone")

    with monkeypatch.context() as patched:
        patched.setattr("dashboards.coverage_days.make_cover", fail)
        assert coverage.get(Choice("today")).trouble == "disk gone"
    assert coverage.get(Choice("today")).cover is None
    moment[0] = 31.0
    assert coverage.get(Choice("today")).cover is not None


# --- over HTTP ----------------------------------------------------------------------------------


def app_client(store: Store, *, threaded: bool) -> tuple[FlaskClient, Coverage]:
    app = create_app(store.settings, store)
    coverage: Coverage = app.server.extensions[COVERAGE]
    coverage._asked.threaded = threaded
    return app.server.test_client(), coverage


@pytest.fixture
def client(store: Store) -> FlaskClient:
    return app_client(store, threaded=False)[0]


BOSS = "&by=boss&role=grid_head"


def test_an_answer_is_worked_out_behind_the_request(store: Store) -> None:
    client, coverage = app_client(store, threaded=True)
    found = client.get("/coverage/state?what=assets&m=100")
    assert found.status_code == 202
    assert "…" in found.get_json()["progress"]["text"]
    for _ in range(1200):
        found = client.get("/coverage/state?what=assets&m=100")
        if found.status_code == 200:
            break
        time.sleep(0.05)
    coverage.stop()
    body = found.get_json()
    assert body["state"] == "ready"
    assert len(body["rows"]) == 12
    assert body["age_s"] == 0
    assert body["title"] == "路灯 100 米内的街道"


def test_streets_of_patrols_go_only_to_who_may_see_tracks(client: FlaskClient) -> None:
    for who, status in (("", 403), ("&by=x&role=leader", 403), (BOSS, 200)):
        told = client.get(f"/coverage/state?what=today{who}").get_json()
        assert told["lines"] is (status == 200)
        assert len(told["rows"]) == 12
        assert client.get(f"/coverage/streets.geojson?what=today{who}").status_code == status
    assert client.get("/coverage/stretch?what=today&rank=1").status_code == 403
    assert client.get("/coverage/state?what=cameras").get_json()["lines"]
    assert client.get("/coverage/streets.geojson?what=cameras").status_code == 200


def test_streets_that_are_drawn_have_the_lengths_that_are_told(client: FlaskClient) -> None:
    told = client.get("/coverage/state?what=assets&m=100").get_json()
    shapes = client.get("/coverage/streets.geojson?what=assets&m=100").get_json()
    for feature in shapes["features"]:
        name = feature["properties"]["state"]
        line = gpd.GeoSeries([shapely.geometry.shape(feature["geometry"])], crs=4326)
        length = float(line.to_crs(32650).length.iloc[0])
        assert length == pytest.approx(told["totals"][f"{name}_m"], rel=0.003, abs=0.5), name
    assert client.get("/coverage/nothing.geojson?what=assets&m=100").status_code == 404
    found = client.get("/coverage/stretch?what=assets&m=100&rank=1").get_json()
    assert found["geometry"]["type"] == "LineString"
    assert client.get("/coverage/stretch?what=assets&m=100&rank=99").status_code == 404


def test_each_grid_has_its_own_longest_stretch(client: FlaskClient, drawing: Any) -> None:
    told = client.get("/coverage/state?what=assets&m=100").get_json()
    at = 3 + told["columns"].index("worst_m")
    worst = {row[0]: row[at] for row in told["rows"]}
    for grid in drawing.ids:
        path = f"/coverage/stretches?what=assets&m=100&grid={grid}"
        found = client.get(path).get_json()["stretches"]
        assert worst[grid] == (found[0][3] if found else 0)
    assert max(worst.values()) == told["stretches"][0][3] > 300
    assert client.get("/coverage/stretches?what=both").status_code == 404


def test_files_have_the_same_sums_as_the_page(client: FlaskClient) -> None:
    told = client.get("/coverage/state?what=cameras").get_json()
    whole = client.get("/coverage/grids.csv?what=cameras").get_data().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(whole)))
    assert len(rows) == 13
    assert float(rows[-1]["不明 (米)"]) == pytest.approx(told["totals"]["unknown_m"], abs=0.1)
    data = client.get("/coverage/grids.xlsx?what=cameras&lang=en").get_data()
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["Grids", "Longest blind stretches", "Spots for cameras"]
    told_cells = [str(cell.value) for row in book["Grids"].iter_rows() for cell in row]
    assert any("everything" in cell or "all of it" in cell for cell in told_cells)
    assert client.get("/coverage/grids.pdf?what=cameras").status_code == 404


def test_a_wrong_part_of_an_address_counts_as_not_said(store: Store) -> None:
    assert read_choice(store, {"what": "no", "days": "7", "m": "x"}) == Choice("cameras")
    lamps = read_choice(store, {"what": "assets"})
    assert (lamps.class_code, lamps.distance_m) == ("0118", 25.0)
    asked = {"what": "assets", "class": "0101", "m": "nan", "days": "30"}
    assert read_choice(store, asked) == Choice("assets", "0101", 50.0)
    assert read_choice(store, asked | {"m": "75"}).distance_m == 75
    assert read_choice(store, asked | {"m": "9999"}).distance_m == 50
    assert read_choice(store, {"what": "both", "days": "365"}) == Choice("both", days=365)


def test_a_city_sets_its_own_distances(store: Store) -> None:
    rules = store.workspace.path / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "service_distances.csv").write_text("class_code,distance_m\n0118,33\n")
    assert read_choice(store, {"what": "assets"}).distance_m == 33


def test_a_city_without_grids_says_why(make_store: Callable[..., Store]) -> None:
    client, _ = app_client(make_store(), threaded=False)
    found = client.get("/coverage/state?what=cameras&lang=en")
    assert found.status_code == 404
    assert "Import grids" in found.get_json()["error"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_choice_has_its_words(store: Store, language: str) -> None:
    for choice in choices():
        body = state_json(store, answer(store, choice), Words(language))
        assert body["notes"]
        assert all(len(row) == 3 + len(body["columns"]) for row in body["rows"])


def test_a_page_in_a_city_that_only_has_grids_is_served(drawn_folder: Path, drawing: Any) -> None:
    with open_workspace(drawn_folder) as opened:
        store = Store(opened, Settings(), clock=lambda: drawing.at)
        app = create_app(store.settings, store)
        assert app.server.test_client().get("/workers/coverage").status_code == 200
