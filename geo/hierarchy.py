"""Five levels: city, district, street, community, grid. Chains, sums, numbers, neighbours.

A grid lies in exactly one community and a division in exactly one above it, so a figure summed
to any level gives the same total. What has no parent is kept in a row of its own with the empty
code: a sum never loses anything.

Grids are numbered from west to east, then from north to south, inside their community. We read
it as a page is read: rows from the north, each from the west. A row is made of the grids whose
middle lies no more than half a usual grid height south of the northernmost that is left.
"""

from __future__ import annotations

from collections.abc import Hashable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.borders import NEAR_M, find_borders
from geo.errors import CodeError, ColumnError, InputError, RuleError
from geo.schema import LEVELS

MOST_DIGITS = 6
"""Of the sequence in a grid's id: a million grids of one community are a slip of the hand."""


def chain(
    divisions: pd.DataFrame, code: str, *, province: bool = False
) -> list[tuple[str, str, str]]:
    """The divisions above a division and itself, as (level, code, name) from the city down.

    Parameters
    ----------
    divisions
        Indexed by `code`, with level, name and parent_code.
    code
        Where to start; for a grid its community_code.
    province
        Begin with the province where there is one.

    Raises
    ------
    CodeError
        If `code` is not in the table.
    RuleError
        If the parents go round in a circle.
    """
    table = _by_code(divisions)
    if code not in table.index:
        raise CodeError(f"no division {code!r}: import divisions, or correct the community_code")
    steps: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    at: object = code
    while isinstance(at, str) and at and at in table.index:
        if at in seen:
            raise RuleError(f"the parents of division {code} go round in a circle at {at}")
        seen.add(at)
        row = table.loc[at]
        if province or row["level"] != "province":
            steps.append((str(row["level"]), at, str(row["name"])))
        at = row["parent_code"]
    return steps[::-1]


def ancestors(divisions: pd.DataFrame, level: str) -> pd.Series:
    """For every division the code of the one it lies in at a level, itself included.

    Returns
    -------
    Series
        Indexed like `divisions`; missing for a division above that level or without a parent.
    """
    _require_level(level)
    table = _by_code(divisions)
    parent = table["parent_code"].where(table["parent_code"].isin(table.index))
    found = pd.Series(np.nan, index=table.index, dtype="str")
    at = pd.Series(table.index, index=table.index, dtype="str")
    for _ in range(len(LEVELS) + 1):
        levels = table["level"].reindex(at.to_numpy()).set_axis(at.index)
        found = found.where(found.notna() | (levels != level).fillna(True), at)
        at = parent.reindex(at.to_numpy()).set_axis(at.index)
    return found.rename(level)


def roll_up(
    values: pd.DataFrame | pd.Series,
    grids: pd.DataFrame,
    divisions: pd.DataFrame,
    level: str,
) -> pd.DataFrame:
    """Sum figures of grids to a level; totals stay the same at every level.

    Parameters
    ----------
    values
        Figures indexed by `grid_id`.
    grids
        Indexed by `grid_id`, with community_code.
    divisions
        See `chain`.
    level
        city, district, street or community.

    Returns
    -------
    DataFrame
        The figures indexed by `code` of that level, every division of the level once, in the
        order of `divisions`. A figure is missing where no grid below has it. Grids that lead to
        no division of the level are summed in a last row with the empty code.
    """
    table = values.to_frame() if isinstance(values, pd.Series) else values
    above = ancestors(divisions, level)
    community = grids["community_code"].reindex(table.index)
    code = above.reindex(community.to_numpy()).set_axis(table.index).fillna("")
    sums = table.groupby(code.to_numpy()).sum(min_count=1)
    of_level = _by_code(divisions)
    order = list(of_level.index[of_level["level"] == level])
    if "" in sums.index:
        order.append("")
    return sums.reindex(order).rename_axis("code")


def number_grids(frame: gpd.GeoDataFrame, *, digits: int = 3) -> pd.Series:
    """Number grids inside each community: rows from the north, each row from west to east.

    A row holds the grids whose middle (of the bounding box) is at most half of the community's
    median grid height below the northernmost one left. The answer depends on shapes only, not
    on the order of the table or on names.

    Parameters
    ----------
    frame
        Grid polygons with community_code, in any CRS whose y goes north.
    digits
        Digits of the sequence, 1 to 6; 3 by GB/T 31000 and local standards.

    Returns
    -------
    Series
        `grid_id` = community code + sequence from 001, indexed and ordered like `frame`.

    Raises
    ------
    CodeError
        If a grid has no community, or a community has more grids than the digits can count.
    InputError
        If the digits are no whole number from 1 to 6.
    """
    is_whole = isinstance(digits, int | np.integer) and not isinstance(digits, bool)
    if not is_whole or not 1 <= digits <= MOST_DIGITS:
        raise InputError(f"digits are {digits!r}: give a whole number from 1 to {MOST_DIGITS}")
    if "community_code" not in frame.columns:
        raise ColumnError(f"grids have no community_code: they have {', '.join(frame.columns)}")
    if frame["community_code"].isna().any():
        first = frame.index[frame["community_code"].isna().to_numpy()][0]
        raise CodeError(f"grid {first} has no community_code: assign it to a community first")
    box = shapely.bounds(frame.geometry.to_numpy())
    middle = np.column_stack([(box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2])
    height = box[:, 3] - box[:, 1]
    ids = np.empty(len(frame), dtype=object)
    for code, rows in frame.groupby("community_code", sort=False).indices.items():
        if len(rows) >= 10**digits:
            few = "1 digit is" if digits == 1 else f"{digits} digits are"
            name = f"community {code}" if code else "the community without a code"
            raise CodeError(f"{name} has {len(rows)} grids: {few} too few")
        order = _reading_order(middle[rows], float(np.median(height[rows])) / 2)
        for number, row in enumerate(rows[order], start=1):
            ids[row] = f"{code}{number:0{digits}d}"
    return pd.Series(ids, index=frame.index, dtype="str", name="grid_id")


def _reading_order(middle: NDArray[np.float64], drop: float) -> NDArray[np.intp]:
    """Positions in reading order; a row reaches `drop` below its northernmost member."""
    # A hair of slack, so that a grid exactly on the limit does not depend on rounding.
    slack = drop * 1e-6
    north_first = np.lexsort((middle[:, 0], -middle[:, 1]))
    row = np.empty(len(middle), dtype=np.int64)
    top, number = np.inf, -1
    for position in north_first:
        if number < 0 or top - middle[position, 1] > drop + slack:
            number, top = number + 1, middle[position, 1]
        row[position] = number
    return np.lexsort((-middle[:, 1], middle[:, 0], row))


def neighbours(cover: gpd.GeoDataFrame) -> pd.DataFrame:
    """Find which polygons share a border, and how much of it.

    Shared segments are matched by their vertices, exactly; what is left over (T-junctions,
    vertices up to a centimetre apart) is measured along the line. Polygons that touch in a point
    only are not neighbours.

    Parameters
    ----------
    cover
        Polygons in metres, with unique index labels, without overlaps.

    Returns
    -------
    DataFrame
        `id`, `neighbour`, `border_m`: every pair twice, once from each side, in the order of
        `cover`.

    Raises
    ------
    CrsError
        If the cover is not in metres.
    """
    borders = find_borders(cover)
    table = borders.rename(columns={"left": "low", "right": "high", "length_m": "border_m"})
    table = table.groupby(["low", "high"], as_index=False)["border_m"].sum()
    table = table[table["border_m"] > NEAR_M]
    both = pd.concat(
        [
            table.rename(columns={"low": "row", "high": "other"}),
            table.rename(columns={"high": "row", "low": "other"}),
        ]
    ).sort_values(["row", "other"], ignore_index=True)
    labels = cover.index
    return pd.DataFrame(
        {
            "id": labels.take(both["row"].to_numpy(dtype=np.intp)),
            "neighbour": labels.take(both["other"].to_numpy(dtype=np.intp)),
            "border_m": both["border_m"],
        }
    )


def dissolve_parents(children: gpd.GeoDataFrame, parent: str | pd.Series) -> gpd.GeoDataFrame:
    """Make the polygons of parents from those of their children.

    Parameters
    ----------
    children
        Polygons that form a cover, in any CRS.
    parent
        Name of the column with the parent's code, or the codes indexed like `children`.

    Returns
    -------
    GeoDataFrame
        MultiPolygons indexed by the parent's code, sorted; children without one are left out.
    """
    codes = children[parent] if isinstance(parent, str) else parent.reindex(children.index)
    shapes = children.geometry.to_numpy()
    real = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes)) & codes.notna().to_numpy()
    made: dict[Hashable, shapely.Geometry] = {}
    for code, rows in codes[real].groupby(codes[real]).indices.items():
        made[code] = _merge(shapes[real][rows])
    index = pd.Index(list(made), name=codes.name, dtype="str")
    return gpd.GeoDataFrame(index=index, geometry=list(made.values()), crs=children.crs)


def fill_divisions(divisions: gpd.GeoDataFrame, grids: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Give divisions without a polygon the union of what lies below them, from grids upward.

    Both in the same CRS. Divisions that have a polygon keep it, as do those with nothing below.
    Same rows, same order.
    """
    out = divisions.copy()
    shapes = pd.Series(out.geometry.to_numpy(), index=out.index, dtype=object)
    below = dissolve_parents(grids, "community_code")
    for level in reversed(LEVELS):
        at_level = out["level"] == level
        empty = at_level & (shapely.is_missing(shapes) | shapely.is_empty(shapes.to_numpy()))
        for code in out.index[empty.to_numpy()]:
            if code in below.index:
                shapes[code] = below.geometry[code]
        made = gpd.GeoDataFrame(
            {"parent_code": out["parent_code"][at_level]},
            geometry=gpd.GeoSeries(list(shapes[at_level]), index=out.index[at_level], crs=out.crs),
        )
        below = dissolve_parents(made, "parent_code")
    filled = gpd.GeoSeries(list(shapes), index=out.index, crs=out.crs)
    return out.set_geometry(filled.rename(out.geometry.name))


def _merge(shapes: NDArray[np.object_]) -> shapely.Geometry:
    if shapely.coverage_is_valid(shapes):
        merged = shapely.coverage_union_all(shapes)
    else:
        merged = shapely.union_all(shapes)
    parts = shapely.get_parts(merged)
    return shapely.multipolygons(parts[shapely.get_dimensions(parts) == 2])


def _by_code(divisions: pd.DataFrame) -> pd.DataFrame:
    return divisions.set_index("code") if "code" in divisions.columns else divisions


def _require_level(level: str) -> None:
    if level not in LEVELS:
        raise CodeError(f"unknown level {level!r}: use one of {', '.join(LEVELS)}")
