"""The consequences of a plan over HTTP: the panel's JSON, the page and the workbook.

The drawn city of twelve grids (see conftest), each of nine blocks of 20 households; block 0-2 lies
at the east border of grid 0, beside grid 1, in the same community. w1 answers for grid 0.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pytest
import shapely
from flask.testing import FlaskClient
from openpyxl import load_workbook

from dashboards.app import create_app
from dashboards.coverage_routes import COVERAGE
from dashboards.plan_desk import desk_of
from dashboards.plan_impact import impacts_of
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.plan_facts import read_views
from geo.io.planbook import PlanBook
from geo.io.workspace import Workspace, create_workspace
from layers.plan_page import read_shapes

WEST, SOUTH, SIDE = 114.3, 30.5, 0.002
HOMES = 20


def corner(column: float, row: float) -> tuple[float, float]:
    """Longitude and latitude of a place in thirds of a grid, from the south-west corner."""
    return round(WEST + SIDE / 3 * column, 9), round(SOUTH + SIDE / 3 * row, 9)


def fill_blocks(workspace: Workspace, drawing: Any) -> None:
    """Nine blocks a grid; the two of a compound lie on either side of the line of 0 and 1."""
    ids, codes, shapes = [], [], []
    for grid in range(12):
        for k in range(9):
            x, y = 3 * (grid % 4) + k % 3, 3 * (grid // 4) + k // 3
            ids.append(f"{grid}-{k}")
            codes.append(drawing.ids[grid][:12])
            ring = [corner(x + a, y + b) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
            shapes.append(shapely.Polygon(ring))
    blocks = gpd.GeoDataFrame(
        {
            "block_id": ids,
            "compound": ["华府" if name in ("0-1", "0-2") else None for name in ids],
            "community_code": codes,
            "households": HOMES,
            "population": 50,
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "blocks", blocks)


@dataclass
class Site:
    store: Store
    client: FlaskClient
    book: PlanBook
    ids: list[str]

    def plan(self, *blocks: str) -> str:
        """A draft in which some blocks of grid 0 went to grid 1."""
        at = self.store.clock()
        plan_id = self.book.create("试一试", "boss", at)
        if blocks:
            edit = {"do": "paint", "blocks": list(blocks), "grid": self.ids[1], "along": True}
            self.book.append(plan_id, edit_id=plan_id, edit=edit, by="boss", on_seq=0, at=at)
        return plan_id


@pytest.fixture(scope="module")
def site(drawing: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with create_workspace(tmp_path_factory.mktemp("impact") / "city") as workspace:
        drawing.fill(workspace)
        fill_blocks(workspace, drawing)
        store = Store(workspace, Settings(grid_band="170-190"), clock=lambda: drawing.at)
        impacts_of(store, threaded=False)
        app = create_app(store.settings, store)
        store.snapshot()
        yield Site(store, app.server.test_client(), desk_of(store).book, drawing.ids)
        app.server.extensions[COVERAGE].stop()
        app.server.extensions["wangge-live"].close()


def ask(site: Site, plan_id: str, **query: Any) -> dict[str, Any]:
    answer = site.client.get(f"/plan/{plan_id}/impact", query_string=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_a_draft_without_edits_changes_nothing(site: Site) -> None:
    told = ask(site, site.plan())
    assert (told["state"], told["nothing"], told["rows"]) == ("done", True, [])
    assert told["people"] == {"households": 108 * HOMES, "changed": 0, "unknown": 0, "kept": 1.0}
    assert told["before"] == [180] * 12


def test_a_block_that_moves_is_told_with_all_that_it_takes_along(site: Site) -> None:
    told = ask(site, site.plan("0-2"))
    rows = {row["grid_id"]: row for row in told["rows"]}
    assert set(rows) == {site.ids[0], site.ids[1]}
    loser, winner = rows[site.ids[0]], rows[site.ids[1]]
    assert loser["figures"]["households"] == [180, 160, -20]
    assert winner["figures"]["households"] == [180, 200, 20]
    assert (loser["band"], winner["band"], loser["band_before"]) == ("low", "high", "in")
    assert all(value == 0 for value in told["sums"].values())
    assert told["people"]["changed"] == HOMES  # from w1 to nobody
    flow = told["flows"]["rows"][0]
    assert (flow["from_person"], flow["to_person"], flow["households"]) == ("王小明", None, HOMES)
    assert [row["name"] for row in told["workers"]["rows"]] == ["王小明", None]
    assert told["compounds"]["rows"][0]["change"] == "cut"
    assert told["moved"] == ["0-2"]


def test_the_band_of_the_page_counts_and_a_wrong_one_does_not(site: Site) -> None:
    plan_id = site.plan("0-2")
    wide = ask(site, plan_id, low=100, high=300)
    assert wide["summary"]["now"]["in_band"] == 12
    wrong = ask(site, plan_id, low=300, high=100)
    assert wrong["band"] == [170, 190]


def test_what_cannot_be_told_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.client.get("/plan/P99999999-99/impact").status_code == 404
    assert site.client.get(f"/plan/{site.plan()}/report.doc").status_code == 404
    other = Store(site.store.workspace, site.store.settings, clock=site.store.clock)
    impacts = impacts_of(other, threaded=False)

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("dashboards.plan_impact.read_things", fail)
    with desk_of(other).open(site.plan()) as entry:
        assert impacts.find(entry.open.plan_id, entry) is None
        assert impacts.has_failed(entry)


def test_the_workbook_sums_by_formulas_that_come_out(site: Site) -> None:
    answer = site.client.get(f"/plan/{site.plan('0-2')}/report.xlsx")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    book = load_workbook(io.BytesIO(answer.data))
    assert book.sheetnames[:3] == ["网格", "划转地块", "网格员"]
    sheet = book["网格"]
    rows = list(sheet.iter_rows())
    head = next(k for k, row in enumerate(rows) if row[0].value == "网格" and row[1].value)
    names = [cell.value for cell in rows[head]]
    change = names.index("户数 增减")
    total = rows[head + 1]
    assert str(total[change].value).startswith("=SUM(")
    # Work the formulas out: a change is one cell less another, the sum is over the column.
    values = []
    for row in rows[head + 2 :]:
        one, two = re.fullmatch(r"=(\w+)-(\w+)", str(row[change].value)).groups()  # type: ignore[union-attr]
        values.append(sheet[one].value - sheet[two].value)
    assert sorted(values)[0] == -20
    assert sum(values) == 0
    assert len(values) == 12
    span = re.fullmatch(r"=SUM\((\w+):(\w+)\)", str(total[change].value)).groups()  # type: ignore[union-attr]
    assert span == (rows[head + 2][change].coordinate, rows[-1][change].coordinate)


def test_no_text_of_a_sheet_is_a_formula(site: Site) -> None:
    at = site.store.clock()
    plan_id = site.book.create("=1+1", "@boss", at)
    book = load_workbook(io.BytesIO(site.client.get(f"/plan/{plan_id}/report.xlsx").data))
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    assert re.fullmatch(r"=(SUM|COUNTA)\(.*\)|=\w+-\w+", str(cell.value))


def test_the_page_has_three_maps_each_outline_once_and_no_address(site: Site) -> None:
    answer = site.client.get(f"/plan/{site.plan('0-2')}/report.html")
    text = answer.data.decode()
    # Leaflet knows its own address as a text; nothing is fetched from it (see the browser test).
    outside = re.findall(
        r"""<(?:script|img|link|iframe)[^>]*(?:src|href)=["']?(?:https?:)?//""", text
    )
    assert not outside
    data = read_shapes(text)
    assert [one["name"] for one in data["view"]["maps"]] == ["before", "now", "change"]
    keys = [feature["id"] for feature in data["shapes"]["features"]]
    assert len(keys) == len(set(keys)) == 12 + 2
    assert len(data["moved"]["features"]) == 1
    for one in data["view"]["maps"]:
        assert len(one["shapes"]) == 12
        assert {shape[0] for shape in one["shapes"]} <= set(keys)
        assert sum(shape[2] for shape in one["shapes"]) == 2
    for part in ("王小明", "华府", "边界版本", "巡查长度", "180 → 160"):
        assert part in text


def test_names_cannot_break_the_page(site: Site) -> None:
    at = site.store.clock()
    plan_id = site.book.create("</script><img src=x onerror=alert(1)>", "boss", at)
    edit = {"do": "rename", "grid": site.ids[0], "name": "</script>{{x}}"}
    site.book.append(plan_id, edit_id=plan_id, edit=edit, by="boss", on_seq=0, at=at)
    text = site.client.get(f"/plan/{plan_id}/report.html").data.decode()
    assert "<img src=x" not in text
    assert any(
        "</script>{{x}}" in shape[3] for shape in read_shapes(text)["view"]["maps"][1]["shapes"]
    )


def test_the_present_beside_the_draft_is_what_is_in_force(site: Site) -> None:
    found = site.client.get(f"/plan/{site.plan('0-2')}/before.geojson").json
    assert len(found["features"]) == 12
    assert {feature["properties"]["households"] for feature in found["features"]} == {180}


def test_a_draft_that_began_as_a_division_is_set_against_the_grids_in_force(site: Site) -> None:
    at = site.store.clock()
    base = site.book.open(site.plan()).base
    assignment = base.blocks["grid_id"].copy()
    assignment["0-2"] = site.ids[1]
    plan_id = site.book.create("划分", "boss", at, assignment=assignment, began_as="division")
    told = ask(site, plan_id)
    assert {row["grid_id"] for row in told["rows"]} == {site.ids[0], site.ids[1]}
    assert told["people"]["changed"] == HOMES


def test_a_camera_without_a_view_sees_nothing_and_is_no_share(site: Site) -> None:
    assert len(read_views(site.store.workspace)) == 0
    told = ask(site, site.plan("0-2"))
    assert told["rows"][0]["figures"]["seen_share"] == [None, None, None]
