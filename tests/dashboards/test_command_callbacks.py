"""The page's callbacks, posted to the Flask test client as a browser does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from dash import Dash
from flask.testing import FlaskClient

from dashboards.app import create_app
from dashboards.components.city_map import page_versions
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace

DONGJIE = "420102001000"

Post = Callable[..., dict[str, Any]]


def _dependency(client: FlaskClient, output: str) -> dict[str, Any]:
    found = [
        d
        for d in client.get("/_dash-dependencies").json
        if f"{output}" in d["output"] and not d["clientside_function"]
    ]
    assert len(found) == 1, [d["output"] for d in found]
    return found[0]


def _outputs(text: str) -> Any:
    """What dash wants in `outputs`: one object, or a list of them for `..a.b...c.d..`."""
    parts = text.strip(".").split("...")
    made = [dict(zip(("id", "property"), part.split("."), strict=True)) for part in parts]
    return made if text.startswith("..") else made[0]


def post(client: FlaskClient, output: str, changed: str, **values: Any) -> dict[str, Any]:
    """Post the callback of `output`; values by id with `_` for `-`."""
    dependency = _dependency(client, output)

    def filled(items: list[dict[str, str]]) -> list[dict[str, Any]]:
        return [{**item, "value": values.get(item["id"].replace("-", "_"))} for item in items]

    answer = client.post(
        "/_dash-update-component",
        json={
            "output": dependency["output"],
            "outputs": _outputs(dependency["output"]),
            "inputs": filled(dependency["inputs"]),
            "state": filled(dependency["state"]),
            "changedPropIds": [changed],
        },
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    response: dict[str, Any] = answer.json["response"]
    return response


def open_page(client: FlaskClient, search: str = "") -> str:
    """The whole page as its routing callback sends it."""
    client.get("/command")
    answer = client.post(
        "/_dash-update-component",
        json={
            "output": ".._pages_content.children..._pages_store.data..",
            "outputs": [
                {"id": "_pages_content", "property": "children"},
                {"id": "_pages_store", "property": "data"},
            ],
            "inputs": [
                {"id": "_pages_location", "property": "pathname", "value": "/command"},
                {"id": "_pages_location", "property": "search", "value": search},
            ],
            "changedPropIds": ["_pages_location.pathname"],
        },
    )
    assert answer.status_code == 200
    return json.dumps(answer.json["response"], ensure_ascii=False)


@pytest.fixture
def client(drawn_app: Dash) -> FlaskClient:
    made = drawn_app.server.test_client()
    made.get("/command")
    return made


def test_the_page_opens_in_chinese_and_in_english_by_its_address(client: FlaskClient) -> None:
    assert "实时事件" in open_page(client)
    assert "Live incidents" in open_page(client, "?lang=en")


def test_the_address_chooses_the_unit(client: FlaskClient) -> None:
    page = open_page(client, f"?unit={DONGJIE}")
    assert "各网格未结事件" in page
    assert "各街道未结事件" in open_page(client)


def test_a_figure_changes_shade_legend_title_and_table(client: FlaskClient) -> None:
    response = post(
        client, "map-shade.data", "command-figure.value",
        command_figure="population", map_config={"lang": "zh"},
    )  # fmt: skip
    view = response["command-view-map"]["data"]
    assert view["map-title"] == "各街道常住人口 (人)"
    assert response["map-shade"]["data"]["unit"] == "人"
    assert "人口" in json.dumps(view["command-rank"], ensure_ascii=False)


def test_a_unit_changes_everything_that_the_page_says(client: FlaskClient) -> None:
    response = post(
        client, "command-view-unit.data", "command-unit.data",
        command_unit=DONGJIE, map_config={"lang": "zh"},
    )  # fmt: skip
    view = response["command-view-unit"]["data"]
    crumbs = json.dumps(view["command-crumbs"], ensure_ascii=False)
    assert "江岸区" in crumbs
    assert "东街街道" in crumbs
    shade = post(
        client, "map-shade.data", "command-unit.data",
        command_unit=DONGJIE, map_config={"lang": "zh"},
    )  # fmt: skip
    assert shade["map-shade"]["data"]["scope"] == {"level": "street", "code": DONGJIE}


def test_the_list_can_be_ordered_by_urgency(client: FlaskClient) -> None:
    def cases(order: str) -> str:
        response = post(
            client, "command-view-cases.data", "command-list-order.value",
            command_list_order=order, map_config={"lang": "zh"},
        )  # fmt: skip
        return json.dumps(response)

    newest, urgent = cases("newest"), cases("urgent")
    assert newest.index('"c"') < newest.index('"a"')
    assert urgent.index('"a"') < urgent.index('"c"')


def test_the_search_offers_what_it_finds(drawing: Any, client: FlaskClient) -> None:
    response = post(
        client, "command-search.data", "command-search.searchValue", command_search="第7网格"
    )
    assert [o["value"] for o in response["command-search"]["data"]] == [drawing.ids[7]]


def test_the_table_opens_and_closes(client: FlaskClient) -> None:
    def table(clicks: int) -> dict[str, Any]:
        return post(
            client, "command-table.children", "command-table-open.n_clicks",
            command_table_open=clicks, map_config={"lang": "zh"},
        )  # fmt: skip

    assert table(1)["command-table"]["hidden"] is False
    assert table(2)["command-table"] == {"children": None, "hidden": True}


def test_an_update_without_news_sends_only_the_clock(
    client: FlaskClient, drawn_store: Store
) -> None:
    now = drawn_store.snapshot().at.timestamp() * 1000

    def update(known: dict[str, str], heard: float) -> dict[str, Any]:
        return post(
            client, "page-fresh.data", "command-tick.n_intervals",
            command_tick=1, map_versions=known, page_fresh={"now": heard, "newest": None},
            map_config={"lang": "zh"},
        )  # fmt: skip

    versions = page_versions(drawn_store, drawn_store.snapshot())
    assert set(update(versions, now)) == {"page-fresh"}
    assert set(update({}, now)) == {"page-fresh", "map-versions"}


def test_without_a_live_connection_the_update_brings_the_alarms(
    client: FlaskClient, drawn_store: Store
) -> None:
    before = (drawn_store.snapshot().at.timestamp() - 2 * 3600) * 1000
    response = post(
        client, "page-fresh.data", "command-tick.n_intervals",
        command_tick=1, map_versions=drawn_store.snapshot().versions,
        page_fresh={"now": before, "newest": None}, map_config={"lang": "zh"},
    )  # fmt: skip
    assert [a["incident_id"] for a in response["command-alarms"]["data"]] == ["a"]


def test_two_apps_of_one_process_each_serve_their_own_city(
    drawing: Any, drawn_app: Dash, workspace: Workspace
) -> None:
    other = Store(workspace, Settings(city_name="别城"), clock=lambda: drawing.at)
    second = create_app(other.settings, other)
    assert "江城市" in open_page(drawn_app.server.test_client())
    assert "别城" in open_page(second.server.test_client())
    assert "江城市" in open_page(drawn_app.server.test_client())


def test_an_error_in_a_callback_becomes_a_sentence_with_a_reference(
    drawing: Any,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    drawing.fill(workspace)
    store = Store(workspace, Settings(), clock=lambda: drawing.at)
    client = create_app(store.settings, store).server.test_client()
    client.get("/command")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("dashboards.pages.command.crumbs_of", fail)
    dependency = _dependency(client, "command-view-unit.data")
    answer = client.post(
        "/_dash-update-component",
        json={
            "output": dependency["output"],
            "outputs": _outputs(dependency["output"]),
            "inputs": [{**item, "value": None} for item in dependency["inputs"]],
            "state": [{**item, "value": {"lang": "zh"}} for item in dependency["state"]],
            "changedPropIds": ["command-unit.data"],
        },
    )
    text = answer.get_data(as_text=True)
    assert "secret" not in text
    shown = answer.json["sideUpdate"]["app-error"]["children"]
    assert shown.startswith("此部分暂时无法显示，编号 ")
    reference = shown.rpartition(" ")[2]
    assert any(reference in record.getMessage() for record in caplog.records)
