"""What the page says about the drawn city, built without dash or a browser."""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboards.choice import Choice, read_choice
from dashboards.components.cards import build_cards
from dashboards.components.charts import build_streets, trend_specs
from dashboards.components.grid_card import build_grid_card, build_ranking
from dashboards.components.grid_search import find_grids
from dashboards.components.live_list import build_list, newest_cases
from dashboards.components.map_spec import build_grid_map, build_legend
from dashboards.components.table_twin import build_table
from dashboards.figures import FIGURES
from dashboards.pages.command_layout import build_page
from dashboards.store import Store
from dashboards.words import Words


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
        ({"lang": "en", "grid": "x", "figure": "overdue"}, Choice("en", "x", "overdue")),
        ({"lang": "fr", "figure": "beauty"}, Choice("zh")),
        ({"layers": "labels,incidents,magic"}, Choice("zh", layers=("incidents", "labels"))),
        ({"layers": ""}, Choice("zh", layers=())),
        ({"view": "114.3,30.5,12.5"}, Choice("zh", view=(114.3, 30.5, 12.5))),
        ({"view": "114.3,30.5"}, Choice("zh")),
        ({"view": "999,30.5,12"}, Choice("zh")),
        ({"view": "nan,30.5,12"}, Choice("zh")),
    ],
)
def test_an_address_is_read_and_what_it_cannot_mean_is_left_out(
    query: dict[str, str], choice: Choice
) -> None:
    assert read_choice(query, "zh") == choice


def test_the_cards_say_the_figures_of_the_drawing(drawn_store: Store) -> None:
    said = " ".join(texts(build_cards(drawn_store.snapshot(), Words("zh"), drawn_store.settings)))
    for part in (
        "网格总数 12 个", "当前在岗 1 / 3", "今日事件 3 件", "上周六同时段 1 ▲ 200%",
        "未结事件 5 件 无坐标 1 · 网格外 1", "超时未结 1 件 最久超时 1 小时 · 将超时 1",
        "按期结案率 (30 天) 50.0 %", "部件总数 7 个 含摄像头 1 路",
    ):  # fmt: skip
        assert part in said


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


def test_the_card_of_a_grid_says_all_that_is_known_of_it(drawing: Any, drawn_store: Store) -> None:
    card = build_grid_card(
        drawn_store.snapshot(), drawing.ids[0], Words("zh"), drawn_store.settings
    )
    said = " ".join(texts(card))
    for part in (
        "东湖第0网格", drawing.ids[0], "市 江城市 区 江岸区 街道 东街街道 社区 东湖社区 网格",
        "未结 2 超时 1 户数 200 人口 600", "王小明 网格员 138****5678 2 分钟前定位",
        "赵强 民警", "无信号", "部件清单 共 6 个", "上水井盖 2", "污水井盖 1", "路灯 2",
        "监控电子眼 1", "相邻网格 2", "东湖第1网格", "东湖第4网格",
    ):  # fmt: skip
        assert part in said, part
    assert "13812345678" not in json.dumps(card, cls=PlotlyJSONEncoder)
    assert set(attributes(card, "data-case")) == {"a", "b"}
    leads = attributes(card, "data-select")
    assert {drawing.ids[1], drawing.ids[4]} <= set(leads)


def test_the_card_of_a_grid_that_is_gone_says_so(drawn_store: Store) -> None:
    card = build_grid_card(drawn_store.snapshot(), "999", Words("zh"), drawn_store.settings)
    assert "找不到网格 999" in " ".join(texts(card))


def test_a_grid_without_households_shows_a_dash_and_not_zero(
    drawing: Any, drawn_store: Store
) -> None:
    card = build_grid_card(
        drawn_store.snapshot(), drawing.ids[11], Words("zh"), drawn_store.settings
    )
    assert "户数 – 人口 –" in " ".join(texts(card))


def test_the_ranking_names_the_grids_with_the_most(drawing: Any, drawn_store: Store) -> None:
    ranking = build_ranking(drawn_store.snapshot(), "per_1000", Words("zh"))
    assert attributes(ranking, "data-select")[:2] == [drawing.ids[5], drawing.ids[0]]
    assert "千户事件最多的网格 (件/千户)" in texts(ranking)[0]
    assert drawing.ids[11] not in attributes(ranking, "data-select")


def _numbers(array: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["bdata"]), dtype=array["dtype"])


@pytest.mark.parametrize("figure", FIGURES)
def test_the_map_is_a_figure_that_plotly_accepts_and_holds_no_geometry(
    drawn_store: Store, figure: str
) -> None:
    grid_map = build_grid_map(drawn_store.snapshot(), figure, Words("zh"), "/data/grids.geojson")
    spec = grid_map.spec
    go.Figure(data=spec["data"], layout=spec["layout"])
    assert spec["data"][0]["geojson"] == "/data/grids.geojson"
    assert len(json.dumps(spec)) < 4000
    assert _numbers(spec["data"][0]["locations"]).tolist() == list(range(12))
    values = _numbers(spec["values"])
    assert np.array_equal(values, drawn_store.snapshot().figures[figure].astype("f4"), True)


def test_no_data_is_its_own_class_and_never_zero(drawn_store: Store) -> None:
    grid_map = build_grid_map(drawn_store.snapshot(), "households", Words("zh"), "/x")
    assert grid_map.spec["noData"] == [11]
    assert _numbers(grid_map.spec["data"][0]["z"])[11] == -1
    legend = texts(build_legend(grid_map, Words("zh")))
    assert "无数据" in legend
    assert legend[0] == "户数"
    assert "户" in legend[1]


def test_equal_values_have_the_same_class(drawn_store: Store) -> None:
    z = _numbers(
        build_grid_map(drawn_store.snapshot(), "open", Words("zh"), "/x").spec["data"][0]["z"]
    )
    assert len(set(z[[1, 2, 3, 4]])) == 1  # all of them have none open
    assert z[0] > z[5] > z[1]


def test_the_charts_are_figures_that_plotly_accepts(drawn_store: Store) -> None:
    for spec in trend_specs(drawn_store.snapshot(), Words("zh")).values():
        go.Figure(data=spec["data"], layout=spec["layout"])


def test_streets_say_open_and_overdue(drawn_store: Store) -> None:
    assert texts(build_streets(drawn_store.snapshot(), Words("zh"))) == [
        "东街街道", "3", "1", "南湖街道", "0", "0",
    ]  # fmt: skip


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


def test_the_table_has_every_grid_and_every_figure(drawn_store: Store) -> None:
    table = build_table(drawn_store.snapshot(), Words("zh"), "t")
    assert len(table.rowData) == 12
    assert table.rowData[0]["overdue"] == 1
    assert table.rowData[11]["households"] is None
    assert {column["field"] for column in table.columnDefs} >= set(FIGURES)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("grid", [None, "first", "gone"])
def test_the_whole_page_is_built_in_both_languages(
    drawing: Any, drawn_store: Store, language: str, grid: str | None
) -> None:
    chosen = drawing.ids[0] if grid == "first" else grid
    page = build_page(drawn_store, Choice(language, chosen))
    body = json.dumps(page, cls=PlotlyJSONEncoder, ensure_ascii=False)
    assert len(body) < 100_000
    assert ("最新事件" in body) == (language == "zh")


def test_an_empty_city_says_what_to_do(make_store: Callable[..., Store]) -> None:
    page = build_page(make_store(), Choice("zh"))
    said = " ".join(texts(page))
    assert "还没有网格" in said
    assert "wangge import grids" in said
    assert "未命名城市" in said
    assert texts(build_list(make_store().snapshot(), Words("en"), 5)) == [
        "No incidents yet; they appear here after an import"
    ]
