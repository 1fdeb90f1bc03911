"""Where the grids of an imported boundary version come from, as publishing a plan tells it.

Households are those of the blocks that lie in both grids. Where a pair shares no block, as in a
city without any, the households of the old grid count by the share of its ground. Less than a
hundredth of either grid is a border drawn a little differently and tells of no descent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from geo.io._gate_areas import measure_areas
from geo.io.workspace import Workspace
from geo.locate import GridIndex
from geo.publish import name_parents
from geo.schema import STORAGE_CRS

LEAST_SHARE = 0.01
"""As `geo.io._gate_grids` takes it for replacing a grid; our assumption."""


def write_descent(
    workspace: Workspace, conn: sa.Connection, draft: pd.DataFrame, closing: Sequence[str]
) -> None:
    """Keep where the grids of a new version come from; before those that they replace end."""
    ended = draft["valid_to"].notna() if "valid_to" in draft else pd.Series(False, draft.index)
    same = draft["_same"].fillna(False).astype(bool)
    begin = draft[~ended & ~same].set_index("grid_id")
    if begin.empty or not len(closing):
        return
    table = workspace.table("grids")
    standing = workspace.read("grids", where=table.c.valid_to.is_(None), conn=conn)
    new = gpd.GeoDataFrame(geometry=begin["_shape"].to_numpy(), index=begin.index, crs=STORAGE_CRS)
    found = find_descent(
        new,
        standing.loc[list(closing)],
        workspace.read("blocks", conn=conn),
        set(standing.index) - set(closing),
    )
    versions = found["grid_id"].map(begin["version"].astype("int64")).astype("int64")
    workspace.append(conn, "grid_parents", found.assign(version=versions))


def find_descent(
    new: gpd.GeoDataFrame, old: gpd.GeoDataFrame, blocks: gpd.GeoDataFrame, kept: Collection[str]
) -> pd.DataFrame:
    """Rows of `grid_parents` for new grids, without `version`.

    Parameters
    ----------
    new, old
        Grids that begin and those that they replace, by `grid_id`, in one CRS.
    blocks
        Blocks of the city with `households`, in that CRS; may be empty.
    kept
        Codes in force that keep their row.
    """
    mine, theirs = new.geometry.to_numpy(), old.geometry.to_numpy()
    one, two = shapely.STRtree(theirs).query(mine, predicate="intersects")
    common = measure_areas(shapely.intersection(mine[one], theirs[two]))
    of_old = common / measure_areas(theirs)[two]
    real = (common > LEAST_SHARE * measure_areas(mine)[one]) | (of_old > LEAST_SHARE)
    stated = old["households"].fillna(0).to_numpy(dtype=np.float64)[two]
    pairs = pd.DataFrame(
        {
            "code": new.index.to_numpy(dtype=object)[one],
            "from_grid": old.index.to_numpy(dtype=object)[two],
            "part": of_old,
            "households": np.round(stated * of_old),
            "blocks": 0.0,
        }
    )[real].reset_index(drop=True)
    counted = _by_blocks(new, old, blocks)
    if len(counted):
        known = counted.reindex(pd.MultiIndex.from_frame(pairs[["code", "from_grid"]]))
        has = known["blocks"].notna().to_numpy()
        for name in ("households", "blocks"):
            pairs[name] = np.where(has, known[name].to_numpy(), pairs[name])
    # Ground in whole thousandths stands for blocks where there are none.
    pairs["blocks"] = pairs["blocks"].where(pairs["blocks"] > 0, np.round(pairs["part"] * 1000))
    pairs["households"] = pairs["households"].astype("int64")
    whole = pairs.groupby("from_grid")["households"].transform("sum")
    pairs["share"] = np.where(whole > 0, pairs["households"] / whole.where(whole > 0, 1), np.nan)
    found = name_parents(
        pairs.assign(grid=pairs["code"]),
        set(new.index),
        set(kept) | (set(new.index) & set(old.index)),
    )
    before = old["version"].astype("int64")
    return found.assign(from_version=found["from_grid_id"].map(before).astype("Int64"))


def _by_blocks(
    new: gpd.GeoDataFrame, old: gpd.GeoDataFrame, blocks: gpd.GeoDataFrame
) -> pd.DataFrame:
    """Blocks and households by new and old grid."""
    if not len(blocks):
        return pd.DataFrame(columns=["blocks", "households"])
    inner = shapely.point_on_surface(blocks.geometry.to_numpy())
    x, y = shapely.get_x(inner), shapely.get_y(inner)
    rows = [GridIndex(grids).assign(x, y) for grids in (new, old)]
    both = (rows[0] >= 0) & (rows[1] >= 0)
    table = pd.DataFrame(
        {
            "code": new.index.to_numpy(dtype=object)[rows[0][both]],
            "from_grid": old.index.to_numpy(dtype=object)[rows[1][both]],
            "households": blocks["households"].fillna(0).to_numpy(dtype=np.float64)[both],
        }
    ).groupby(["code", "from_grid"])["households"]
    return pd.DataFrame({"blocks": table.size(), "households": table.sum()})
