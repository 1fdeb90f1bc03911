"""Consequences of drafts on real ground: sums of zero, and the same by the outlines themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.impact import compare_plans, count_facts
from geo.io.gate import import_files
from geo.io.plan_base import make_base
from geo.io.plan_facts import read_things
from geo.io.workspace import Workspace
from geo.plan import Plan, RedrawError
from geo.reach import cut_streets
from geo.redraw import merge, move_vertices, split

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)


def test_plots_of_bubenec_with_its_streets(
    workspace: Workspace, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "st_bubenec/bubenec.gpkg"
    plots = gpd.read_file(source, layer="plots")
    blocks = tmp_path / "plots.gpkg"
    plots.assign(block_id=plots["ID"].astype(str), households=3)[
        ["block_id", "households", "geometry"]
    ].to_file(blocks, driver="GPKG")
    streets = gpd.read_file(source, layer="streets")
    roads = tmp_path / "streets.gpkg"
    ids = [f"s{k}" for k in range(len(streets))]
    streets.assign(road_id=ids, road_class="main")[["road_id", "road_class", "geometry"]].to_file(
        roads, driver="GPKG"
    )
    for kind, file in (("blocks", blocks), ("roads", roads)):
        assert import_files(workspace, kind, [file], at=AT).is_good
    first = make_base(workspace).first
    facts = count_facts(first, read_things(workspace, first, at=AT))
    grid = str(first.table()["blocks"].idxmax())
    west, south, east, north = first.outline(first.grid_rows[grid]).bounds
    line = shapely.LineString([((west + east) / 2, south - 9), ((west + east) / 2 + 1, north + 9)])
    plan = split(first, grid, line)
    impact = compare_plans(facts, plan)
    assert (impact.totals() == 0).all()
    assert impact.grids["status"].value_counts().to_dict() == {"same": 32, "changed": 1, "new": 1}
    assert impact.now["households"].sum() == 3 * 407
    frame = plan.to_frame()
    assert np.allclose(impact.now["area_m2"], frame.area, atol=0.5)
    pieces = cut_streets(facts.things.roads, frame)
    inside = pieces.row >= 0
    metres = np.bincount(pieces.row[inside], pieces.length_m[inside], minlength=len(frame))
    assert np.allclose(impact.now["street_m"], metres, atol=0.5)


def test_tracts_of_new_york_by_any_edits(workspace: Workspace, shared_data: Path) -> None:
    file = shared_data / "us_nyc_tracts_pop/nyc_tracts.geojson"
    assert import_files(workspace, "grids", [file], at=AT).is_good
    first = make_base(workspace).first
    facts = count_facts(first, read_things(workspace, first, at=AT))
    rng = np.random.default_rng(5)
    plan: Plan = first
    done = 0
    free = np.flatnonzero(~first.ground.is_fixed)
    while done < 12:
        block = int(rng.integers(len(plan.blocks)))
        near = plan.ground.pairs.near(block)[0]
        names = {plan.grids[int(plan.label[k])].grid_id for k in (block, *near[:1].tolist())}
        vertex = int(rng.choice(free))
        try:
            plan = merge(plan, sorted(names)) if len(names) == 2 else plan
            plan = move_vertices(plan, [vertex], plan.ground.xy[[vertex]] + rng.normal(0, 4, 2))
        except RedrawError:
            continue
        done += 1
        impact = compare_plans(facts, plan)
        assert (impact.totals() == 0).all()
    assert (impact.grids["status"] == "ended").any()
    assert np.allclose(impact.now["area_m2"], plan.table()["area_m2"], atol=1.0)
