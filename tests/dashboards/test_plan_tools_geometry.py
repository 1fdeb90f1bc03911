"""The plane geometry of the planner's tools, run in a real Chromium, against shapely and geo.snap.

12 13 14 15      sixteen squares of 100 m whose inner corners were shaken, so that no line of the
 8  9 10 11      drawing is straight; the outline keeps its corners.
 4  5  6  7
 0  1  2  3
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.ops
from playwright.sync_api import Page, sync_playwright

from geo.snap import Streets

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).resolve().parents[2] / "dashboards" / "assets"
SIDE, CELLS = 100.0, 4


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """An empty page with the geometry and nothing else."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("no chromium on this machine: apt-get install chromium, or run make system")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page()
        for name in ("75-plan-geometry.js", "75-plan-sides.js"):
            opened.add_script_tag(path=ASSETS / name)
        yield opened
        browser.close()


def corners(seed: int) -> np.ndarray[Any, Any]:
    """Corners of the drawing, (5, 5, 2); those inside are up to 30 m from their place."""
    places = np.stack(np.meshgrid(*[np.arange(CELLS + 1) * SIDE] * 2), axis=-1)
    places[1:-1, 1:-1] += np.random.default_rng(seed).uniform(-30, 30, (CELLS - 1, CELLS - 1, 2))
    return places


def rings_of(places: np.ndarray[Any, Any]) -> list[list[list[list[float]]]]:
    """One outer ring a block, counter-clockwise."""
    return [
        [[places[r + b, c + a].tolist() for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]]
        for r in range(CELLS)
        for c in range(CELLS)
    ]


def run(page: Page, script: str, value: Any) -> Any:
    return page.evaluate(f"(v) => {{ const g = window.wangge.planGeometry; {script} }}", value)


def lines(count: int, seed: int) -> list[list[list[float]]]:
    """Lines of two to five places, most of them across the drawing."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        middle = random.uniform(-90, 490, (int(random.integers(0, 4)), 2))
        ends = random.uniform(-60, 460, (2, 2))
        ends[np.arange(2), random.integers(0, 2, 2)] = random.choice([-50.0, 450.0, 200.0], 2)
        found.append([ends[0].tolist(), *middle.tolist(), ends[1].tolist()])
    return found


def test_both_sides_of_a_line_are_those_that_shapely_cuts(page: Page) -> None:
    counted = dict.fromkeys([None, "line_crosses_itself", "line_misses", "many_parts"], 0)
    for seed in range(5):
        blocks = rings_of(corners(seed))
        shapes = shapely.polygons([block[0] for block in blocks])
        whole = shapely.coverage_union_all(shapes)
        outline = [shapely.get_coordinates(shapely.orient_polygons(whole).exterior)[:-1].tolist()]
        drawn = lines(80, seed)
        answers = run(
            page,
            "return v.drawn.map((line) => g.sides(line, v.outline, v.blocks))",
            {"drawn": drawn, "outline": outline, "blocks": blocks},
        )
        for line, answer in zip(drawn, answers, strict=True):
            way = shapely.LineString(line)
            parts = list(shapely.ops.split(whole, way).geoms)
            expected = (
                "line_crosses_itself" if not way.is_simple else "line_misses" if len(parts) < 2
                else "many_parts" if len(parts) > 2 else None
            )  # fmt: skip
            counted[expected] += 1
            assert answer["problem"] == expected, line
            if expected is not None:
                assert answer["at"] is not None
                continue
            left = np.array(answer["left"])
            shares = [shapely.area(shapely.intersection(shapes, part)) for part in parts]
            away = [np.abs(share / shapely.area(shapes) - left).max() for share in shares]
            assert min(away) < 1e-5, line
            # And left is left: the part beside the first stretch inside the drawing.
            inner = way.intersection(whole)
            if inner.geom_type != "LineString":
                continue
            begun = shapely.get_coordinates(inner)[:2]
            if way.project(shapely.Point(begun[0])) > way.project(shapely.Point(begun[1])):
                begun = begun[::-1]
            step = begun[1] - begun[0]
            beside = begun.mean(axis=0) + 1e-3 * np.array([-step[1], step[0]]) / np.hypot(*step)
            assert parts[int(np.argmin(away))].contains(shapely.Point(beside)), line
    assert min(counted.values()) >= 5, counted


def test_a_line_along_the_borders_of_blocks_leaves_every_block_whole(page: Page) -> None:
    places = corners(1)
    along = [[-5.0, 200.0], *places[2].tolist(), [405.0, 200.0]]
    outline = [[[0, 0], *[[400, y] for y in (0, 100, 200, 300, 400)], [0, 400]]]
    answer = run(page, "return g.sides(v.along, v.outline, v.blocks)",
                 {"along": along, "outline": outline, "blocks": rings_of(places)})  # fmt: skip
    assert np.round(answer["left"], 5).tolist() == [0.0] * 8 + [1.0] * 8


def test_a_line_over_a_hole_asks_the_server(page: Page) -> None:
    ground = [[[0, 0], [9, 0], [9, 9], [0, 9]], [[3, 3], [3, 6], [6, 6], [6, 3]]]
    sides = "return g.sides(v.line, v.ground, [])"
    over = run(page, sides, {"line": [[4, -1], [4, 10]], "ground": ground})
    assert (over["problem"], over["parts"], over["unsure"]) == (None, 2, True)
    beside = run(page, sides, {"line": [[1, -1], [1, 10]], "ground": ground})
    assert (beside["problem"], beside["unsure"]) == (None, False)
    into = run(page, sides, {"line": [[4, -1], [4, 4]], "ground": ground})
    assert into["problem"] == "line_misses"


def test_a_moved_vertex_folds_a_block_exactly_where_shapely_says_so(page: Page) -> None:
    random = np.random.default_rng(4)
    before = corners(4)
    blocks = rings_of(before)
    cases, expected = [], []
    for _ in range(400):
        r, c = random.integers(1, CELLS, 2)
        after = before.copy()
        after[r, c] += random.normal(0, 80, 2)
        moved = rings_of(after)
        near = [k for k in range(CELLS**2) if blocks[k] != moved[k]]
        cases.append([
            {"before": blocks[k], "after": moved[k],
             "moved": [[one != two for one, two in zip(blocks[k][0], moved[k][0], strict=True)]]}
            for k in near
        ])  # fmt: skip
        shapes = [shapely.Polygon(moved[k][0]) for k in near]
        expected.append(all(s.is_valid and s.exterior.is_ccw and s.area >= 1 for s in shapes))
    answers = run(
        page,
        "return v.map((case_) => case_.every((b) => g.fold(b.before, b.after, b.moved) === null))",
        cases,
    )
    assert answers == expected
    assert 100 < sum(expected) < 300


def test_a_vertex_on_or_across_an_edge_folds_a_block(page: Page) -> None:
    square = [[[0, 0], [10, 0], [10, 10], [0, 10]]]
    told = "return g.fold(v.before, v.after, v.moved)"
    moved = [[False, False, True, False]]

    def fold(*place: float) -> Any:
        after = [[[0, 0], [10, 0], list(place), [0, 10]]]
        return run(page, told, {"before": square, "after": after, "moved": moved})

    assert fold(12, 12) is None
    assert fold(5, 5) is None, "straight between the others, and sound"
    assert fold(5, 0) == "folds", "on the edge to the south"
    assert fold(-5, 5) == "folds", "across the edge to the west"
    assert fold(20, 0) is None, "farther along the same line, and sound"
    assert fold(0.01, 0.02) == "vanishes"
    tiny = [[[0, 0], [1, 0], [1, 0.5], [0, 0.5]]]
    small = {"before": tiny, "after": tiny, "moved": [[True] * 4]}
    assert run(page, told, small) == "vanishes"


def test_snapping_in_the_browser_is_snapping_on_the_server(page: Page) -> None:
    random = np.random.default_rng(7)
    streets = [random.integers(0, 100, (3, 2)).astype(float).tolist() for _ in range(12)]
    spots = random.integers(0, 100, (15, 2)).astype(float).tolist()
    places = random.uniform(0, 100, (200, 2)).tolist()
    roads = gpd.GeoDataFrame(geometry=[shapely.LineString(s) for s in streets], crs="EPSG:32650")
    expected = Streets(roads).snap(places, 6.0, spots)
    answers = run(page, "return v.p.map((p) => g.snap(p, v.spots, v.streets, 6))",
                  {"p": places, "spots": spots, "streets": streets})  # fmt: skip
    assert [a["to"] for a in answers] == expected.to.tolist()
    assert [a["row"] for a in answers] == expected.row.tolist()
    assert np.allclose([a["at"] for a in answers], expected.xy, atol=1e-9)
    assert set(expected.to) == {"vertex", "street", ""}


def test_a_line_is_simplified_within_its_tolerance(page: Page) -> None:
    line = np.cumsum(np.random.default_rng(3).normal(1, 2, (120, 2)), axis=0)
    fewer = run(page, "return g.simplify(v, 3)", line.tolist())
    assert 2 <= len(fewer) < 80
    assert fewer[0] == line[0].tolist()
    assert fewer[-1] == line[-1].tolist()
    away = shapely.distance(shapely.points(line), shapely.LineString(fewer))
    assert away.max() <= 3 + 1e-9


def test_edges_make_rings_and_households_stay_whole(page: Page) -> None:
    rings = run(page, "return g.chain(v)", [[0, 1], [2, 0], [1, 2], [5, 6], [7, 8], [8, 7]])
    assert sorted(sorted(ring) for ring in rings) == [[0, 1, 2], [7, 8]]
    for total, shares in ((10, [1, 1, 1]), (7, [0.2, 0.8]), (0, [0.5, 0.5]), (5, [0, 1])):
        assert sum(run(page, "return g.shareWhole(v[0], v[1])", [total, shares])) == total


def test_the_share_inside_a_drawn_ring_is_that_of_shapely(page: Page) -> None:
    random = np.random.default_rng(11)
    blocks = rings_of(corners(2))
    shapes = shapely.polygons([block[0] for block in blocks])
    turned = np.sort(random.uniform(0, 2 * np.pi, (20, 9)), axis=1)
    reach = random.uniform(20, 220, (20, 9))
    rings = np.stack([200 + reach * np.cos(turned), 200 + reach * np.sin(turned)], axis=-1)
    rings[1::2] = rings[1::2, ::-1]
    found = run(page, "return v.rings.map((d) => v.blocks.map((b) => g.shareInside(d, b)))",
                {"rings": rings.tolist(), "blocks": blocks})  # fmt: skip
    for ring, shares in zip(rings, found, strict=True):
        drawn = shapely.Polygon(ring)
        assert drawn.is_valid
        expected = shapely.area(shapely.intersection(shapes, drawn)) / shapely.area(shapes)
        assert np.abs(expected - shares).max() < 1e-9
