"""The blocks of a plan as polygons, made once for all rules that look at shapes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._plan_rings import Ints
from geo.plan import Plan

Shapes = NDArray[np.object_]


class Drawn:
    """The blocks of a plan as polygons, made once, and the ground of some of them."""

    def __init__(self, plan: Plan, shapes: Shapes | None = None) -> None:
        self.plan = plan
        found = plan.ground.polygons(range(len(plan.blocks))) if shapes is None else shapes
        self.shapes = found
        self.bad = ~shapely.is_valid(found) | shapely.is_empty(found)
        self.is_cover = not self.bad.any() and bool(shapely.coverage_is_valid(found))
        self.members = pd.Series(range(len(plan.blocks))).groupby(plan.label).indices

    def outline(self, grid: str) -> shapely.Geometry:
        """The ground of a grid."""
        return self.union(self.members[self.plan.grid_rows[grid]])

    def union(self, blocks: Ints) -> shapely.Geometry:
        """The ground of some blocks, also where they are no cover any more."""
        if self.is_cover:
            return shapely.coverage_union_all(self.shapes[blocks])
        return shapely.union_all(shapely.make_valid(self.shapes[blocks]))

    def grid_of(self, block: int) -> str:
        """The grid of a block (row)."""
        return self.plan.grids[int(self.plan.label[block])].grid_id
