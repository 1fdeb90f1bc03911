"""Drafts of real cities: open, edit, save; what had to be repaired is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.io.gate import import_files
from geo.io.planbook import OpenPlan, PlanBook
from geo.io.workspace import Workspace
from geo.plan import Plan, RedrawError

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
Put = Callable[..., None]


@pytest.fixture
def put(workspace: Workspace, shared_data: Path) -> Put:
    def run(kind: str, name: str | Path, **options: Any) -> None:
        report = import_files(workspace, kind, [shared_data / name], at=AT, **options)
        assert report.is_good, report.refused

    return run


def codes(opened: OpenPlan) -> dict[str, int]:
    return {note.code: note.count for note in opened.notes}


def at_border(plan: Plan, rng: np.random.Generator) -> dict[str, Any]:
    """A block at the border of its grid to be given to the grid beside it; a lone one merges."""
    pairs = plan.ground.pairs
    while True:
        block = int(rng.integers(len(plan.blocks)))
        if not pairs.start[block + 1] - pairs.start[block]:
            continue
        other = int(rng.choice(pairs.near(block)[0]))
        if plan.label[other] != plan.label[block]:
            name = plan.grids[int(plan.label[other])].grid_id
            if len(plan.members(int(plan.label[block]))) == 1:
                own = plan.grids[int(plan.label[block])].grid_id
                return {"do": "merge", "grids": [own, name], "into": name}
            return {"do": "paint", "blocks": [plan.blocks.ids[block]], "grid": name}


def whole(shape: shapely.Geometry) -> shapely.Geometry:
    """As a multipolygon, a vertex that stands twice in a row once."""
    return shapely.multipolygons(shapely.get_parts(shapely.remove_repeated_points(shape)))


def draft_and_look(workspace: Workspace, edits: int = 12) -> OpenPlan:
    """Draw in a draft of the city and see that everything holds."""
    book = PlanBook(workspace)
    plan_id = book.create("试画", "王", AT)
    opened = book.open(plan_id)
    first, base = opened.first, opened.base
    assert shapely.coverage_is_valid(base.shapes)
    # What nobody touched is as it was stored, bit for bit.
    stored = workspace.read(base.as_blocks).geometry.reindex(first.blocks.ids).to_numpy()
    repaired = {name for note in opened.notes if note.code == "repaired" for name in note.ids}
    kept = np.array([name not in repaired for name in first.blocks.ids])
    mine = base.block_polygons(first)
    same = [
        shapely.equals_exact(shapely.normalize(whole(one)), shapely.normalize(whole(two)))
        for one, two in zip(stored[kept], mine[kept], strict=True)
    ]
    assert all(same)
    rng = np.random.default_rng(1)
    done = 0
    for k in range(400):
        if done == edits:
            break
        try:
            book.append(
                plan_id, edit_id=f"e{k}", edit=at_border(opened.plan, rng), by="王",
                on_seq=opened.seq, at=AT,
            )  # fmt: skip
        except RedrawError:
            continue
        done += 1
        opened = book.open(plan_id)
    assert opened.seq == done
    again = PlanBook(workspace).open(plan_id)
    assert again.plan.assignment.equals(opened.plan.assignment)
    assert again.plan.blocks.households.sum() == first.blocks.households.sum()
    changed, made, ended = base.changed_grids(again.plan)
    assert not made
    outlines = base.grid_polygons(again.plan)
    untouched = [name for name in outlines.index if name not in changed]
    before = base.grid_polygons(first, untouched).geometry.to_numpy()
    assert shapely.equals_exact(before, outlines.geometry[untouched].to_numpy()).all()
    assert len(ended) + len(outlines) == len(first.living)
    return opened


def test_chicago_drafts_its_precincts_as_units_with_households(
    put: Put, workspace: Workspace
) -> None:
    # A precinct is a block, a ward a community, and a grid what a draft makes of them.
    name = "us_chicago_precincts_hh/Chicago_Precincts.zip"
    put("grids", name, allow_gaps=True)
    opened = draft_and_look(workspace)
    assert codes(opened) == {"no_blocks": 2069}
    assert opened.base.as_blocks == "grids"
    assert int(opened.plan.blocks.households.sum()) == 1_029_140
    assert len(opened.plan.communities) == 50
    assert opened.base.loose == frozenset()


def test_taichung_drafts_its_villages_as_the_blocks_of_a_workspace(
    put: Put, workspace: Workspace
) -> None:
    name = "tw_taichung_villages/villages.geojson"
    put("grids", name, allow_gaps=True)
    put("blocks", name, mapping={"block_id": "VILLCODE"}, set_values={"households": "100"})
    opened = draft_and_look(workspace)
    assert opened.base.as_blocks == "blocks"
    assert codes(opened) == {}
    assert len(opened.plan.blocks) == len(opened.first.living) == 625


def test_new_york_drafts_its_tracts_within_the_neighbourhoods(
    put: Put, workspace: Workspace
) -> None:
    put("grids", "us_nyc_tracts_pop/nyc_tracts.geojson")
    opened = draft_and_look(workspace)
    assert codes(opened) == {"no_blocks": 2166, "no_households": 2166}


def test_bubenec_drafts_its_plots(workspace: Workspace, shared_data: Path, tmp_path: Path) -> None:
    plots = gpd.read_file(shared_data / "st_bubenec/bubenec.gpkg", layer="plots")
    file = tmp_path / "plots.gpkg"
    plots.assign(block_id=plots["ID"].astype(str), households=3)[
        ["block_id", "households", "geometry"]
    ].to_file(file, driver="GPKG")
    report = import_files(workspace, "blocks", [file], at=AT)
    assert (report.read, report.accepted) == (407, 407)
    book = PlanBook(workspace)
    plan_id = book.create("布贝内奇", "王", AT)
    opened = book.open(plan_id)
    # Streets lie between the blocks of plots, so each of those hangs together by itself.
    assert codes(opened) == {"repaired": 45, "no_community": 407, "no_grid": 407}
    text = next(note.text for note in opened.notes if note.code == "repaired")
    assert text.endswith("overlap removed (23), gap closed (81), borders matched (45)")
    assert len(opened.plan.living) == 33
    assert len(opened.base.rest_grids(opened.plan)) == 33
    # The largest is split by a line from south to north, and one part named and painted.
    table = opened.plan.table()
    grid = str(table["blocks"].idxmax())
    west, south, east, north = opened.plan.outline(opened.plan.grid_rows[grid]).bounds
    line = [[(west + east) / 2, south - 9], [(west + east) / 2 + 1, north + 9]]
    made = book.append(
        plan_id, edit_id="1", edit={"do": "split", "grid": grid, "line": line, "name": "东"},
        by="王", on_seq=0, at=AT,
    )  # fmt: skip
    assert "东" in made.plan.table()["name"].tolist()
    assert made.plan.blocks.households.sum() == 3 * 407
    file = tmp_path / "draft.json"
    book.save_file(plan_id, file, AT)
    loaded = book.open(book.load_file(file, "李", AT))
    assert loaded.plan.assignment.equals(made.plan.assignment)
