"""The drawn city of twelve grids with four blocks in each, and the slow rules of a saved plan.

A block is half a grid wide and high. Number `4 * k + q` is quarter q of grid k:

    q 2 | 3
    q 0 | 1

Every block has ten households and thirty people, so every grid has 40.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.io.planbook import PlanBook
from geo.io.workspace import Workspace
from geo.plan import pieces_of

WEST, SOUTH, HALF = 114.3, 30.5, 0.001
COMMUNITIES = ("420102001001", "420102002001")


def block_id(grid: int, quarter: int) -> str:
    """Id of a block by grid number and quarter."""
    return f"b{4 * grid + quarter:03d}"


def block_middle(grid: int, quarter: int) -> tuple[float, float]:
    """Longitude and latitude of its middle."""
    column, row = 2 * (grid % 4) + quarter % 2, 2 * (grid // 4) + quarter // 2
    return WEST + HALF * (column + 0.5), SOUTH + HALF * (row + 0.5)


def add_blocks(workspace: Workspace) -> None:
    """Write the blocks into the drawn city."""
    rows, shapes = [], []
    for grid in range(12):
        for quarter in range(4):
            column, row = 2 * (grid % 4) + quarter % 2, 2 * (grid // 4) + quarter // 2
            rows.append((block_id(grid, quarter), COMMUNITIES[(grid % 4) // 2], 10, 30))
            x, y = round(WEST + HALF * column, 9), round(SOUTH + HALF * row, 9)
            shapes.append(shapely.box(x, y, round(x + HALF, 9), round(y + HALF, 9)))
    names = ["block_id", "community_code", "households", "population"]
    frame = gpd.GeoDataFrame(pd.DataFrame(rows, columns=names), geometry=shapes, crs="EPSG:4326")
    with workspace.writing() as conn:
        workspace.append(conn, "blocks", frame)


def require_sound(book: PlanBook, plan_id: str) -> Any:
    """The saved plan, if cover, households, nesting and pieces hold by slow means."""
    opened = book.open(plan_id)
    plan = opened.plan
    blocks, first = plan.blocks_frame(), opened.first.blocks_frame()
    assert shapely.coverage_is_valid(blocks.geometry.to_numpy())
    assert blocks.geometry.is_valid.all()
    assert blocks["households"].sum() == first["households"].sum() == 480
    assert blocks["population"].sum() == first["population"].sum()
    assert abs(blocks.area.sum() - first.area.sum()) < 1e-3
    assert blocks.groupby("grid_id")["community_code"].nunique().max() == 1
    table = plan.table()
    for grid_id, part in blocks.groupby("grid_id"):
        assert table.loc[grid_id, "households"] == part["households"].sum()
        assert len(pieces_of(plan, plan.members(plan.grid_rows[grid_id]))) == 1
    return opened


@dataclass(frozen=True)
class Quarters:
    """What tests need to know of the blocks."""

    id: Callable[[int, int], str]
    middle: Callable[[int, int], tuple[float, float]]
    add: Callable[[Workspace], None]
    require_sound: Callable[[PlanBook, str], Any]


@pytest.fixture(scope="session")
def quarters() -> Quarters:
    """Four blocks in each grid of the drawn city."""
    return Quarters(block_id, block_middle, add_blocks, require_sound)
