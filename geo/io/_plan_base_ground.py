"""Ground of grids that no block holds, such as streets between compounds, as blocks of its own.

Without it the blocks of a grid would hang together nowhere, and a published grid would lose its
streets. Such a block has nobody in it, but where a grid has no block at all, it has its people. It
belongs to plans only: nothing of it is ever written to the table of blocks.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._plan_rings import Ints
from geo.schema import STORAGE_CRS

Shapes = NDArray[np.object_]

MARK = "-S"
"""Between the id of the grid and the number of the piece: G04-S1."""


def find_open(shapes: Shapes, grid_of: NDArray[np.object_], grids: pd.Series) -> Ints:
    """Rows of the grids whose blocks do not add up to their area, by more than a square metre.

    `shapes` and `grids` are in metres; `grids` is indexed by id.
    """
    held = pd.Series(shapely.area(shapes)).groupby(grid_of).sum().reindex(grids.index).fillna(0.0)
    missing = shapely.area(grids.to_numpy()) - held.to_numpy(dtype=np.float64)
    return np.flatnonzero(np.abs(missing) > 1.0)


def collect_ground(
    blocks: gpd.GeoDataFrame,
    grids: gpd.GeoDataFrame,
    outlines: Shapes,
    rows: Ints,
    is_wide: NDArray[np.bool_] | None = None,
) -> gpd.GeoDataFrame:
    """Pieces of ground of some grids that no block holds, as rows of `blocks`, by new ids.

    Parameters
    ----------
    outlines
        Polygons of the grids in degrees.
    rows
        Rows of the grids to look at.
    is_wide
        Which of the pieces to keep, in the order in which they come; all if not given.
    """
    degrees = blocks.geometry.to_numpy()
    tree = shapely.STRtree(degrees)
    has_block = grids.index.isin(blocks["grid_id"].to_numpy())
    records, shapes, seen = [], [], 0
    taken = set(blocks.index)
    for row in rows.tolist():
        near = degrees[tree.query(outlines[row], predicate="intersects")]
        ground = shapely.difference(outlines[row], shapely.union_all(near))
        parts = [part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"]
        parts.sort(key=lambda part: -part.area)
        stated = grids.iloc[row]
        for part in parts:
            seen += 1
            if is_wide is not None and not is_wide[seen - 1]:
                continue
            number = 1
            while (name := f"{grids.index[row]}{MARK}{number}") in taken:
                number += 1
            lone = number == 1 and not has_block[row]
            taken.add(name)
            records.append(
                {
                    "block_id": name,
                    "grid_id": str(grids.index[row]),
                    "households": stated["households"] if lone else 0,
                    "population": stated["population"] if lone else 0,
                    "compound": None,
                    "community_code": stated["community_code"],
                }
            )
            shapes.append(part)
    columns = ["block_id", "grid_id", "households", "population", "compound", "community_code"]
    frame = pd.DataFrame(records, columns=columns).set_index("block_id")
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=STORAGE_CRS)
