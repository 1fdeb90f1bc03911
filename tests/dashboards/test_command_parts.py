"""What the page says about the drawn city, built without dash or a browser."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from flask.testing import FlaskClient
from plotly.utils import PlotlyJSONEncoder

from dashboards.choice import FIGURES, Choice, read_choice
from dashboards.components.alarms import alarms_since
from dashboards.components.cards import build_cards
from dashboards.components.charts import build_bars, keys, trend_specs
from dashboards.components.grid_search import find_grids
from dashboards.components.live_list import build_list, newest_cases
from dashboards.components.map_spec import build_legend, build_shade
from dashboards.components.rank_table import build_rank
from dashboards.components.table_twin import build_table
from dashboards.figures import Snapshot
from dashboards.one_click import Target
from dashboards.pages.command_layout import build_page, crumbs_of
from dashboards.pages.command_look import look_at, shadeable, tour_stops
from dashboards.pages.command_panels import Ready
from dashboards.store import Store
from dashboards.unit_figures import people_inside
from dashboards.words import Words
from dashboards.worker_states import count_states

DONGJIE, NANHU = "420102001000", "420102002000"


def texts(component: Any) -> list[str]:
    """All words of a tree of components, in reading order."""
    if component is None:
        return []
    if isinstance(component, (str, int, float)):
        return [str(component)]
    if isinstance(component, (list, tuple)):
        return [text for item in component for text in texts(item)]
    return texts(getattr(component, "children", None))


def attributes(component: Any, name: str) -> list[str]:
    """The values of an attribute anywhere in a tree of components."""
    if isinstance(component, (list, tuple)):
        return [value for item in component for value in attributes(item, name)]
    if not hasattr(component, "to_plotly_json"):
        return []
    props = component.to_plotly_json()["props"]
    own = [props[name]] if name in props else []
    return own + attributes(props.get("children"), name)


@pytest.mark.parametrize(
    ("query", "choice"),
    [
        ({}, Choice("zh")),
        (
            {"lang": "en", "grid": "x", "figure": "overdue"},
            Choice("en", Target("grid", "x"), "overdue"),
        ),
        ({"case": "c"}, Choice("zh", Target("incident", "c"))),
        ({"lang": "fr", "figure": "beauty"}, Choice("zh")),
        ({"layers": "labels,incidents,magic"}, Choice("zh", layers=("incidents", "labels"))),
        ({"layers": ""}, Choice("zh", layers=())),
        ({"view": "114.3,30.5,12.5"}, Choice("zh", view=(114.3, 30.5, 12.5))),
        ({"view": "114.3,30.5"}, Choice("zh")),
        ({"view": "999,30.5,12"}, Choice("zh")),
        ({"view": "nan,30.5,12"}, Choice("zh")),
        ({"unit": "u", "level": "grid"}, Choice("zh", unit="u", level="grid")),
        ({"unit": "", "level": ""}, Choice("zh")),
        ({"kiosk": "1", "tour": "45"}, Choice("zh", kiosk=True, tour_s=45)),
        ({"kiosk": "yes", "tour": "soon"}, Choice("zh")),
        ({"kiosk": "1", "tour": "0"}, Choice("zh", kiosk=True, tour_s=2)),
    ],
)
def test_an_address_is_read_and_what_it_cannot_mean_is_left_out(
    query: dict[str, str], choice: Choice
) -> None:
    assert read_choice(query, "zh") == choice


def cards_text(store: Store, unit: str | None = None) -> str:
    snapshot = store.snapshot()
    people = count_states(snapshot, {}, frozenset(), people_inside(snapshot, unit))
    cards = build_cards(snapshot.scope(unit).totals, snapshot.at, Words("zh"), people)
    return " ".join(texts(cards))


def test_the_cards_say_the_figures_of_the_drawing(drawn_store: Store) -> None:
    said = cards_text(drawn_store)
    for part in (
        "今日事件 3 件", "上周六同时段 1 ▲ 200%", "未结事件 5 件 无坐标 1 · 网格外 1",
        "超时未结 1 件 最久超时 1 小时 · 将超时 1", "按期结案率 (30 天) 50.0 %",
        "巡查人员 不在班 1 在岗 1 脱岗 0 无信号 1 求助 0", "网格 12 个",
    ):  # fmt: skip
        assert part in said, part


def test_the_card_of_people_has_a_figure_for_each_state_and_says_all_of_them(
    drawn_store: Store,
) -> None:
    """w1 is at the post, w2 stands still, w3 has no position and called for help all the same."""
    snapshot = drawn_store.snapshot()
    told = {"w1": "on_duty", "w2": "standing"}
    everyone = people_inside(snapshot, None)
    people = count_states(snapshot, told, frozenset({"w3"}), everyone)
    assert people == {
        "on_duty": 1, "off_post": 0, "no_signal": 0, "standing": 1, "sos": 1, "off_duty": 0,
    }  # fmt: skip
    assert sum(people.values()) == len(snapshot.workers.people)
    cards = build_cards(snapshot.scope().totals, snapshot.at, Words("zh"), people)
    (card,) = [card for card in cards if "duty-card" in card.className]
    assert "在岗 1，脱岗 0，滞留 1，无信号 0，求助 1，不在班 0" in card.title
    assert "is-late" in card.className


def test_households_that_a_grid_lacks_are_said_on_the_card(drawn_store: Store) -> None:
    """Eleven grids of 200, 210 … 300 households, and one that does not know."""
    assert "2,750 户 · 1 个网格缺户数" in cards_text(drawn_store)
    assert "缺户数" not in cards_text(drawn_store, DONGJIE)


def test_the_cards_follow_the_unit(drawn_store: Store) -> None:
    assert "未结事件 3 件" in cards_text(drawn_store, DONGJIE)
    assert "超时未结 1 件" in cards_text(drawn_store, DONGJIE)
    assert "未结事件 0 件" in cards_text(drawn_store, NANHU)
    assert "网格 6 个" in cards_text(drawn_store, NANHU)


def test_rounds_that_nobody_counted_are_unknown_and_not_zero(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    totals = {
        **snapshot.scope().totals,
        "rounds_required": float("nan"),
        "covered_share": float("nan"),
    }
    cards = build_cards(totals, snapshot.at, Words("zh"), {})
    rounds, coverage = cards[5], cards[6]
    assert "is-unknown" in rounds.className
    assert texts(rounds)[:2] == ["今日巡查完成率", "未知"]
    assert texts(coverage)[:2] == ["今日巡查覆盖率", "未知"]
    known = {**totals, "rounds_required": 36.0, "rounds_done": 27.0, "covered_share": 0.8125}
    cards = build_cards(known, snapshot.at, Words("zh"), {})
    assert texts(cards[5]) == ["今日巡查完成率", "75.0", "%", "应巡 36 次 · 已巡 27 次"]
    assert texts(cards[6])[:3] == ["今日巡查覆盖率", "81.2", "%"]


def test_the_newest_incidents_come_first_with_class_place_and_state(drawn_store: Store) -> None:
    lines = newest_cases(drawn_store.snapshot(), Words("zh"), 4)
    assert [line.id for line in lines[:3]] == ["c", "b", "a"]
    assert lines[0].what == "上水井盖"
    assert (lines[1].state, lines[1].chip) == ("soon", "剩 1 小时")
    assert (lines[2].state, lines[2].chip) == ("late", "超时 1 小时")
    assert (lines[2].when, lines[2].where) == ("09:09", "东湖社区 · 东湖第0网格")
    assert lines[3].where in ("网格外", "无坐标")


def test_an_incident_of_a_foreign_class_is_called_as_its_source_calls_it(
    drawn_store: Store,
) -> None:
    lines = newest_cases(drawn_store.snapshot(), Words("zh"), 10)
    assert [line.what for line in lines if line.id == "i"] == ["Pothole"]


def test_the_list_tells_stage_and_deadline_and_follows_the_unit(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    cases = build_list(snapshot, Words("zh"), 10, among=snapshot.scope(DONGJIE).case_rows)
    assert set(attributes(cases, "data-case")) == {"a", "b", "c", "f", "g", "h", "i", "j"}
    due = int((snapshot.at - timedelta(hours=1)).timestamp())
    assert str(due) in attributes(cases, "data-due")
    said = " ".join(texts(cases))
    assert "处置中" in said
    assert "待派遣" in said


def test_the_most_urgent_of_the_list_are_open_and_in_the_order_of_their_deadlines(
    drawn_store: Store,
) -> None:
    cases = build_list(drawn_store.snapshot(), Words("zh"), 10, order="urgent")
    assert attributes(cases, "data-case") == ["a", "b", "c", "e"]


def test_each_line_of_the_list_keeps_its_key_so_that_the_browser_moves_it(
    drawn_store: Store,
) -> None:
    cases = build_list(drawn_store.snapshot(), Words("zh"), 3)
    assert attributes(cases, "data-key") == ["c", "b", "a"]


# --- units side by side ---------------------------------------------------------------------------


def shade(
    snapshot: Snapshot, figure: str, unit: str | None = None, level: str | None = None
) -> Any:
    look = look_at(snapshot, unit, level)
    return build_shade(
        snapshot, look.units, figure, Words("zh"),
        level=look.level, level_name="网格", scope=look.outline,
    )  # fmt: skip


def rank(
    store: Store, order: str = "open", unit: str | None = None, figure: str = "open"
) -> tuple[list[str], str]:
    look = look_at(store.snapshot(), unit, None)
    found = build_rank(
        look.units, Words("zh"), level=look.level, level_name="街道", figure=figure, order=order
    )
    leads = attributes(found, "data-unit") + attributes(found, "data-select")
    return leads, " ".join(texts(found))


def test_a_level_of_one_unit_is_passed_over(drawn_store: Store) -> None:
    """One district only: the city shows its two streets, a street its six grids."""
    assert look_at(drawn_store.snapshot(), None, None).level == "street"
    assert look_at(drawn_store.snapshot(), DONGJIE, None).level == "grid"
    assert shadeable(drawn_store.snapshot()) == ["street", "community", "grid"]


def test_a_level_that_was_asked_for_is_shown_if_it_lies_below(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    assert look_at(snapshot, None, "grid").level == "grid"
    assert len(look_at(snapshot, None, "grid").units) == 13  # twelve and the rest
    assert look_at(snapshot, DONGJIE, "street").level == "grid"
    assert look_at(snapshot, "gone", "nonsense").scope.code is None


def test_units_are_ranked_by_any_column_with_who_answers(drawn_store: Store) -> None:
    leads, said = rank(drawn_store)
    assert leads == [DONGJIE, NANHU]
    assert "东街街道" in said
    assert "未归入街道" in said  # two cases have no street: without a place, outside
    assert rank(drawn_store, "overdue")[0][0] == DONGJIE
    # On time the smallest comes first, and a unit where nothing fell due comes last.
    assert rank(drawn_store, "on_time")[0] == [DONGJIE, NANHU]


def test_the_rest_of_a_level_is_shown_quietly_and_makes_the_column_add_up(
    drawn_store: Store,
) -> None:
    look = look_at(drawn_store.snapshot(), None, None)
    assert look.units["open"].sum() == 5
    assert int(look.units.loc["", "open"]) == 2
    found = build_rank(
        look.units, Words("zh"), level="street", level_name="街道", figure="open", order="open"
    )
    assert "is-rest" in attributes(found, "className")


def test_grids_of_a_unit_lead_to_their_card(drawing: Any, drawn_store: Store) -> None:
    leads, _ = rank(drawn_store, "open", DONGJIE)
    assert leads[:2] == [drawing.ids[0], drawing.ids[5]]
    assert len(leads) == 6


def test_the_crumbs_lead_back_to_every_unit_above(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    crumbs = crumbs_of(drawn_store, snapshot, look_at(snapshot, DONGJIE, None), Words("zh"))
    assert texts(crumbs) == ["江城市", "江岸区", "东街街道"]
    assert attributes(crumbs, "data-unit") == ["", "420102000000"]


def test_the_tour_goes_to_the_units_with_the_most_overdue_first(drawn_store: Store) -> None:
    assert tour_stops(drawn_store.snapshot()) == [DONGJIE, NANHU]


# --- the map --------------------------------------------------------------------------------------


def _numbers(array: dict[str, str]) -> np.ndarray:
    kinds = {"i1": np.int8, "i4": np.int32, "f4": np.float32}
    return np.frombuffer(base64.b64decode(array["bdata"]), dtype=kinds[array["dtype"]])


@pytest.mark.parametrize("figure", FIGURES)
def test_a_shade_holds_one_class_a_unit_and_no_geometry(drawn_store: Store, figure: str) -> None:
    snapshot = drawn_store.snapshot()
    spec = shade(snapshot, figure, None, "grid").spec
    assert len(json.dumps(spec)) < 2000
    assert _numbers(spec["rows"]).tolist() == list(range(12))
    assert len(_numbers(spec["classes"])) == len(_numbers(spec["values"])) == 12
    assert spec["scope"] is None


def test_a_unit_shades_its_own_units_only_and_is_outlined(drawn_store: Store) -> None:
    spec = shade(drawn_store.snapshot(), "open", DONGJIE).spec
    assert sorted(_numbers(spec["rows"])) == [0, 1, 4, 5, 8, 9]
    assert spec["scope"] == {"level": "street", "code": DONGJIE}


def test_units_above_the_grid_carry_their_value(drawn_store: Store) -> None:
    assert shade(drawn_store.snapshot(), "open").spec["labels"] == {"0": "3", "1": "0"}
    assert shade(drawn_store.snapshot(), "open", None, "grid").spec["labels"] is None
    # No round is counted here, which is no data and not a zero.
    assert set(shade(drawn_store.snapshot(), "rounds").spec["labels"].values()) == {"无数据"}


def test_no_data_is_its_own_class_and_never_zero(drawn_store: Store) -> None:
    unit_map = shade(drawn_store.snapshot(), "households", None, "grid")
    assert _numbers(unit_map.spec["classes"])[11] == -1
    legend = texts(build_legend(unit_map, Words("zh")))
    assert "无数据" in legend
    assert legend[0] == "户数"
    assert "户" in legend[1]


def test_equal_values_have_the_same_class(drawn_store: Store) -> None:
    z = _numbers(shade(drawn_store.snapshot(), "open", None, "grid").spec["classes"])
    assert len(set(z[[1, 2, 3, 4]])) == 1  # all of them have none open
    assert z[0] > z[5] > z[1]


@pytest.mark.parametrize(("level", "count"), [("street", 2), ("community", 2), ("district", 1)])
def test_the_shapes_of_a_level_come_by_address(
    drawn_app: Any, drawn_store: Store, level: str, count: int
) -> None:
    client: FlaskClient = drawn_app.server.test_client()
    version = drawn_store.snapshot().versions["city"]
    answer = client.get(f"/data/units/{level}.geojson?v={version}")
    features = json.loads(answer.data)["features"]
    assert len(features) == count
    assert {"code", "name", "r", "x", "y"} <= set(features[0]["properties"])
    assert "immutable" in answer.headers["Cache-Control"]
    assert "no-cache" in client.get(f"/data/units/{level}.geojson").headers["Cache-Control"]


def test_a_level_that_the_city_lacks_has_no_shapes(drawn_app: Any) -> None:
    client: FlaskClient = drawn_app.server.test_client()
    assert client.get("/data/units/zone:商圈.geojson").status_code == 404
    assert client.get("/data/units/galaxy.geojson").status_code == 404


# --- trends ---------------------------------------------------------------------------------------


def test_the_charts_are_figures_that_plotly_accepts(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    for spec in trend_specs(snapshot.scope().trend, Words("zh")).values():
        go.Figure(data=spec["data"], layout=spec["layout"])


def test_a_year_without_records_is_no_line_and_is_said(drawn_store: Store) -> None:
    snapshot = drawn_store.snapshot()
    trend = snapshot.scope().trend
    names = [trace["name"] for trace in trend_specs(trend, Words("zh"))["days"]["data"]]
    assert names == ["上报", "结案"]
    assert "去年无记录" in texts(keys(trend, Words("zh"))["days"])


def test_bars_say_open_and_overdue_and_lead_on(drawn_store: Store) -> None:
    bars = build_bars(
        look_at(drawn_store.snapshot(), None, None).units, Words("zh"), level="street"
    )
    assert texts(bars) == ["东街街道", "3", "1"]
    assert attributes(bars, "data-unit") == [DONGJIE]


def test_what_fell_overdue_since_the_page_last_asked_is_an_alarm(drawn_store: Store) -> None:
    snapshot, words = drawn_store.snapshot(), Words("zh")

    def since(**ago: float) -> list[dict[str, Any]]:
        return alarms_since(snapshot, (snapshot.at - timedelta(**ago)).timestamp() * 1000, words)

    assert [alarm["incident_id"] for alarm in since(hours=1, minutes=1)] == ["a"]
    assert since(minutes=59) == []
    assert alarms_since(snapshot, None, words) == []
    assert since(hours=2)[0]["late_s"] == pytest.approx(3600)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("第5", [5]),
        ("420102001001003", [4]),
        ("南湖社区", [2, 3, 6, 7, 10, 11]),
        ("没有", []),
        (" ", []),
    ],
)
def test_a_grid_is_found_by_name_code_and_community(
    drawing: Any, drawn_store: Store, text: str, rows: list[int]
) -> None:
    found = find_grids(drawn_store.snapshot(), text, None)
    assert [option["value"] for option in found] == [drawing.ids[row] for row in rows]


def test_the_table_has_every_unit_and_every_figure(drawn_store: Store) -> None:
    look = look_at(drawn_store.snapshot(), None, "grid")
    table = build_table(look.units, Words("zh"), "t", level="grid", figures=FIGURES)
    rows = {row["code"]: row for row in table.rowData}
    assert len(rows) == 13
    first, last = table.rowData[0], table.rowData[11]
    assert first["overdue"] == 1
    assert last["households"] is None
    assert first["rounds"] is None
    assert rows[""]["name"] == "未归入"
    assert {column["field"] for column in table.columnDefs} >= set(FIGURES)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kiosk", [False, True])
@pytest.mark.parametrize("grid", [None, "first", "gone"])
def test_the_whole_page_is_built_in_both_languages(
    drawing: Any, drawn_store: Store, language: str, grid: str | None, kiosk: bool
) -> None:
    target = None if grid is None else Target("grid", drawing.ids[0] if grid == "first" else grid)
    page = build_page(drawn_store, Choice(language, target, kiosk=kiosk))
    body = json.dumps(page, cls=PlotlyJSONEncoder, ensure_ascii=False)
    assert len(body.encode()) < 150_000
    assert ("实时事件" in body) == (language == "zh")
    assert ("is-kiosk" in body) == kiosk


def test_an_empty_city_says_what_to_do(make_store: Callable[..., Store]) -> None:
    page = build_page(make_store(), Choice("zh"))
    said = " ".join(texts(page))
    assert "还没有网格" in said
    assert "wangge import grids" in said
    assert "未命名城市" in said
    assert texts(build_list(make_store().snapshot(), Words("en"), 5)) == [
        "No incidents yet; they appear here after an import or a report"
    ]


def test_custom_areas_are_a_further_level(
    drawing: Any, workspace: Any, make_store: Callable[..., Store]
) -> None:
    """One area over the west half, none over the east."""
    import geopandas as gpd
    import shapely

    drawing.fill(workspace)
    west, south = 114.3, 30.5
    zones = gpd.GeoDataFrame(
        {"zone_id": ["z1"], "kind": ["商圈"], "name": ["江滩商圈"]},
        geometry=[shapely.MultiPolygon([shapely.box(west, south, west + 0.004, south + 0.006)])],
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "zones", zones)
    store = make_store()
    snapshot = store.snapshot()
    assert shadeable(snapshot)[-1] == "zone:商圈"
    look = look_at(snapshot, None, "zone:商圈")
    assert list(look.units.index) == ["z1", ""]
    assert look.units["open"].to_dict() == {"z1": 3, "": 2}
    assert isinstance(look.units, pd.DataFrame)
    inside = look_at(snapshot, "z1", None)
    assert inside.level == "grid"
    assert len(inside.units) == 7  # six grids and the rest


def test_what_was_asked_for_lately_is_ready_in_the_next_snapshot(
    drawing: Any, workspace: Any, make_store: Callable[..., Store]
) -> None:
    drawing.fill(workspace)
    store, now = make_store(), [0.0]
    ready = Ready(store, tick=lambda: now[0])
    first = ready.panels(None, None, Words("zh"), "open")
    assert first.cards is ready.panels(None, None, Words("zh")).cards
    made: list[str] = []

    def spy(snapshot: Snapshot) -> None:
        make = snapshot.memo.get
        object.__setattr__(
            snapshot.memo, "get", lambda key, work: make(key, lambda: made.append(key[1]) or work())
        )

    new = store.refresh(anew=True)
    assert new is not first.snapshot
    spy(new)
    panels = ready.panels(None, None, Words("zh"))
    _ = (panels.cards, panels.trends, panels.unit_map("open"), panels.rank("open", None))
    assert made == []  # all of it was there
    now[0] = 1000.0
    later = store.refresh(anew=True)
    spy(later)
    _ = ready.panels(None, None, Words("zh")).cards
    assert "cards" in made  # nobody had asked for long
