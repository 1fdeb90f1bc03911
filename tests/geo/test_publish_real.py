"""Real cities published: a border moved as in QGIS, and drafts of units with households."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.io.export import export_table
from geo.io.gate import import_files
from geo.io.plan_exchange import import_plan
from geo.io.planbook import PlanBook
from geo.io.publish import judge_plan, publish_plan
from geo.io.workspace import Workspace
from geo.plan import RedrawError
from geo.redraw import move_vertices

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
LATER = AT + timedelta(days=3)
VILLAGES = "tw_taichung_villages/villages.geojson"
ANY = (0, 10**9)


def drag_a_border(path: Path, base: Any, *, with_neighbours: bool = True) -> tuple[set[str], Any]:
    """Drag one vertex between two grids of a file by three metres, as a person in QGIS would.

    With topological editing both grids follow; without it only the first does.
    """
    first = base.first
    places = base.places(first)
    for vertex in np.flatnonzero(~first.ground.is_fixed).tolist():
        blocks = first.ground.rings.blocks_at([vertex])
        if len(blocks) != 2:
            continue
        try:
            move_vertices(first, [vertex], first.ground.xy[[vertex]] + 3.0)
        except RedrawError:
            continue
        break
    else:
        raise AssertionError("no vertex between two grids can be moved")
    names = {first.grids[int(first.label[row])].grid_id for row in blocks.tolist()}
    at = places[vertex]
    to = base.to_lonlat(first.ground.xy[[vertex]] + 3.0)[0]
    frame = gpd.read_file(path).set_index("grid_id")
    chosen = sorted(names) if with_neighbours else sorted(names)[:1]

    def move(xy: Any) -> Any:
        out = xy.copy()
        out[(xy == at).all(axis=1)] = to
        return out

    frame.loc[chosen, "geometry"] = shapely.transform(
        frame.loc[chosen, "geometry"].to_numpy(), move
    )
    frame.reset_index().to_file(path, layer="grids", driver="GPKG")
    return names, to


@pytest.fixture
def taichung(workspace: Workspace, shared_data: Path) -> Workspace:
    for kind, options in (
        ("grids", {"allow_gaps": True}),
        ("blocks", {"mapping": {"block_id": "VILLCODE"}, "set_values": {"households": "100"}}),
    ):
        report = import_files(workspace, kind, [shared_data / VILLAGES], at=AT, **options)
        assert report.is_good, report.refused
    return workspace


def test_a_border_moved_in_a_geopackage_comes_back_as_one_new_version_of_two_grids(
    taichung: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "villages.gpkg"
    export_table(taichung, "grids", path)
    book = PlanBook(taichung)
    base = book.open(book.create("x", "王", AT)).base
    names, _ = drag_a_border(path, base)
    report = import_files(taichung, "grids", [path], at=LATER, new_version=True, allow_gaps=True)
    assert report.is_good, report.refused
    assert report.facts["unchanged"] == 623
    assert report.facts["closed_versions"] == 2
    table = taichung.read("grids").reset_index()
    assert set(table.loc[table["version"] == 2, "grid_id"]) == names
    assert len(taichung.grids(at=AT)) == len(taichung.grids(at=LATER)) == 625


def test_a_border_moved_in_a_geopackage_becomes_a_move_in_a_draft_and_is_published(
    taichung: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "villages.gpkg"
    export_table(taichung, "grids", path)
    book = PlanBook(taichung)
    base = book.open(book.create("x", "王", AT)).base
    names, to = drag_a_border(path, base)
    done = import_plan(taichung, book, path, name="QGIS", by="王", at=AT, allow_gaps=True)
    assert (done.moved, done.cut, done.differs, done.notes) == (1, 0, {}, ())
    judged = judge_plan(taichung, book, done.plan_id, at=AT, band=ANY)
    assert judged.publication is not None
    assert set(judged.publication.grids.index) == names
    for state in ("review", "approved"):
        book.move(done.plan_id, state, by="李", at=AT)
    before = taichung.grids(at=LATER)
    told = publish_plan(taichung, book, done.plan_id, from_=LATER, by="赵", at=AT, band=ANY)
    assert set(told.grids) == names
    after = taichung.grids(at=LATER)
    same = [name for name in before.index if name not in names]
    assert shapely.equals_exact(
        before.geometry[same].to_numpy(), after.geometry[same].to_numpy()
    ).all()
    drawn = shapely.get_coordinates(after.geometry[sorted(names)].to_numpy())
    assert np.abs(drawn - to).max(axis=1).min() < 1e-8
    valid = shapely.coverage_is_valid
    assert valid(after.geometry.to_numpy()) == valid(before.geometry.to_numpy())


def test_a_border_moved_on_one_side_only_is_refused_or_repaired_by_its_width(
    taichung: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "villages.gpkg"
    export_table(taichung, "grids", path)
    book = PlanBook(taichung)
    base = book.open(book.create("x", "王", AT)).base
    drag_a_border(path, base, with_neighbours=False)
    wide = import_plan(taichung, book, path, name="QGIS", by="王", at=AT)
    assert wide.plan_id == ""
    assert wide.report.refused
    close = import_plan(
        taichung, book, path, name="QGIS", by="王", at=AT, snap_m=5.0, allow_gaps=True
    )
    assert close.plan_id
    assert sum(close.differs.values()) < 200
    assert len(close.report.repaired) > 0


def test_chicago_publishes_a_draft_of_its_precincts(
    workspace: Workspace, shared_data: Path
) -> None:
    source = shared_data / "us_chicago_precincts_hh/Chicago_Precincts.zip"
    report = import_files(workspace, "grids", [source], at=AT, allow_gaps=True)
    assert report.is_good, report.refused
    before = workspace.grids(at=AT)
    book = PlanBook(workspace)
    plan_id = book.create("试画", "王", AT)
    rng = np.random.default_rng(3)
    for number in range(60):
        opened = book.open(plan_id)
        plan = opened.plan
        pairs = plan.ground.pairs
        block = int(rng.integers(len(plan.blocks)))
        near = pairs.near(block)[0]
        if not len(near):
            continue
        one, two = (plan.grids[int(plan.label[k])].grid_id for k in (block, int(rng.choice(near))))
        if one == two:
            continue
        try:
            book.append(
                plan_id, edit_id=f"e{number}", edit={"do": "merge", "grids": [one, two]}, by="王",
                on_seq=opened.seq, at=AT,
            )  # fmt: skip
        except RedrawError:
            continue
    edits = book.open(plan_id).seq
    assert edits > 20
    for state in ("review", "approved"):
        book.move(plan_id, state, by="李", at=AT)
    done = publish_plan(workspace, book, plan_id, from_=LATER, by="赵", at=AT, band=ANY)
    after = workspace.grids(at=LATER)
    assert len(done.ended) == edits
    assert len(after) == 2069 - edits
    assert done.kept + len(done.grids) == len(after)
    assert after["households"].sum() == before["households"].sum() == 1_029_140
    again = workspace.grids(at=AT)
    assert again.index.equals(before.index)
    assert shapely.equals_exact(again.geometry.to_numpy(), before.geometry.to_numpy()).all()
    parents = workspace.read("grid_parents").reset_index()
    share = parents.dropna(subset="share").groupby("from_grid_id")["share"].sum()
    assert np.allclose(share, 1)
    assert set(parents["change"]) <= {"changed", "merged_from", "kept"}
