"""Coverage of streets and ground by walks, by grid and by group. Public names: `geo.reach`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from geopandas import GeoDataFrame

from geo._fixes_tracks import Floats
from geo._reach_area import DOT_M, LINE_M, AreaLines, count_dots, lay_area_lines
from geo._reach_cover import CELL_M, HALF_M, SLOTS, list_cells, order_by_group, walk
from geo._reach_pieces import (
    Reach,
    StreetPieces,
    join_reach,
    merge_intervals,
    reached_m,
    sum_by_grid,
)
from geo._reach_walks import Walks, walks_of_steps
from geo.datum import require_metres
from geo.errors import InputError

REACH_M = 20.0
"""How far from where one walks one sees a street; our assumption, a city sets its own."""

MOST_CELLS = 200_000_000


@dataclass(frozen=True, eq=False)
class Cells:
    x0: float
    y0: float
    nx: int
    ny: int
    start: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    longest: float


@dataclass(frozen=True, eq=False)
class Covered:
    """What walks covered. Joining is a union, so neither order nor grouping matter: days may be
    worked one after the other, or on many machines, and joined to a month."""

    reach: Reach
    """Of street pieces."""
    dots: npt.NDArray[np.uint64]
    """Of ground, one bit each, by level line."""


def reach_walks(pieces: StreetPieces, walks: Walks | Floats, *, radius_m: float = REACH_M) -> Reach:
    """Find the parts of streets within `radius_m` of a walk; exact.

    `walks` may be steps as an array (x, y of both ends), each walked straight.
    """
    walks = _walks(walks)
    _require_radius(radius_m)
    which = np.flatnonzero(walks.group >= 0)
    return _street(_cover(pieces, walks, which, radius_m, _sort(pieces, radius_m), None, None))


def measure_reach(
    pieces: StreetPieces, paths: Walks | Floats, *, radius_m: float = REACH_M
) -> Floats:
    """Measure how many metres of each piece lie within `radius_m` of a path.

    Parameters
    ----------
    pieces
        From `cut_streets`.
    paths
        From `find_walks` or `find_paths`.

    Returns
    -------
    ndarray
        Metres, one per piece, exact up to rounding.

    Raises
    ------
    InputError
        If the radius is not positive.
    """
    return reached_m(pieces, reach_walks(pieces, paths, radius_m=radius_m))


def measure_coverage(
    grids: GeoDataFrame,
    pieces: StreetPieces,
    paths: Walks | Floats,
    *,
    radius_m: float = REACH_M,
    lines: AreaLines | None = None,
) -> pd.DataFrame:
    """Measure the share of streets and of ground of each grid that patrols reached.

    Parameters
    ----------
    lines
        From `lay_lines(grids)`, to be made once for a version of the borders; else made here.

    Returns
    -------
    DataFrame
        Indexed by `grid_id` in the order of `grids`: `street_m`, `covered_m`, `covered_share`
        (missing where a grid has no street), `area_share` (missing where it has no dot).
    """
    walks = _walks(paths)
    one = np.where(walks.group >= 0, 0, -1).astype(np.int32)
    tables = _measure(grids, pieces, walks, one, 1, radius_m, lines)
    return next(iter(tables))


def measure_coverage_by(
    grids: GeoDataFrame,
    pieces: StreetPieces,
    walks: Walks,
    *,
    radius_m: float = REACH_M,
    lines: AreaLines | None = None,
) -> pd.DataFrame:
    """Measure coverage for each group of `walks` (shift, day, month) by itself.

    Returns
    -------
    DataFrame
        One row a grid and group, grids within groups: `grid_id`, `group`, and the columns of
        `measure_coverage`.
    """
    count = len(walks.groups)
    tables = _measure(grids, pieces, walks, walks.group, count, radius_m, lines)
    parts = [
        table.reset_index(names="grid_id").assign(group=name)
        for name, table in zip(walks.groups, tables, strict=True)
    ]
    columns = ["grid_id", "group", "street_m", "covered_m", "covered_share", "area_share"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def lay_lines(grids: GeoDataFrame, *, line_m: float = LINE_M, dot_m: float = DOT_M) -> AreaLines:
    """Lay the dots by which `measure_coverage` measures ground; finer ones cost more.

    Raises
    ------
    CrsError, InputError
        If the grids are not in metres, or a distance is not positive.
    """
    require_metres(grids=grids)
    if not (line_m > 0 and dot_m > 0):
        raise InputError(f"line_m is {line_m} and dot_m {dot_m}: use numbers above 0")
    return lay_area_lines(grids.geometry.to_numpy(), line_m=line_m, dot_m=dot_m)


def _measure(
    grids: GeoDataFrame,
    pieces: StreetPieces,
    walks: Walks,
    group: npt.NDArray[np.int32],
    count: int,
    radius_m: float,
    lines: AreaLines | None,
) -> list[pd.DataFrame]:
    _require_radius(radius_m)
    lines = lay_lines(grids) if lines is None else lines
    start, which = order_by_group(group, count)
    return [
        measure_covered(
            grids, pieces, lines,
            _cover_some(pieces, lines, walks, which[start[k] : start[k + 1]], radius_m),
        )
        for k in range(count)
    ]  # fmt: skip


def cover_walks(
    pieces: StreetPieces,
    lines: AreaLines,
    walks: Walks | Floats,
    *,
    radius_m: float = REACH_M,
) -> Covered:
    """Find the streets and the ground within `radius_m` of walks: the summary of a partition.

    Raises
    ------
    InputError
        If the radius is not positive.
    """
    _require_radius(radius_m)
    walks = _walks(walks)
    return _cover_some(pieces, lines, walks, np.flatnonzero(walks.group >= 0), radius_m)


def join_covered(*parts: Covered) -> Covered:
    """What at least one of several covers; of the same pieces and lines."""
    if not parts:
        raise InputError("join_covered needs something to join: give at least one summary")
    dots = parts[0].dots.copy()
    for part in parts[1:]:
        dots |= part.dots
    return Covered(join_reach(*(part.reach for part in parts)), dots)


def measure_covered(
    grids: GeoDataFrame, pieces: StreetPieces, lines: AreaLines, covered: Covered
) -> pd.DataFrame:
    """Measure the shares of each grid that a summary covers; columns as `measure_coverage`."""
    street = sum_by_grid(pieces, pieces.length_m, grids.index)
    metres = sum_by_grid(pieces, reached_m(pieces, covered.reach), grids.index)
    table = pd.DataFrame({"street_m": street, "covered_m": metres}, index=grids.index)
    table["covered_share"] = (table["covered_m"] / table["street_m"]).where(street > 0)
    dots = count_dots(covered.dots, lines.runs, len(grids))
    share = dots / np.maximum(lines.dots, 1)
    table["area_share"] = np.where(lines.dots > 0, share, np.nan)
    return table


def _cover_some(
    pieces: StreetPieces,
    lines: AreaLines,
    walks: Walks,
    which: npt.NDArray[np.int64],
    radius_m: float,
) -> Covered:
    bits = lines.blank()
    found = _cover(pieces, walks, which, radius_m, _sort(pieces, radius_m), lines, bits)
    return Covered(_street(found), bits)


def _cover(
    pieces: StreetPieces,
    walks: Walks,
    which: npt.NDArray[np.int64],
    radius_m: float,
    cells: Cells,
    lines: AreaLines | None,
    bits: npt.NDArray[np.uint64] | None,
) -> tuple[Any, ...]:
    """Run the compiled walk over some fixes: intervals of each piece, and those without room."""
    n = len(pieces)
    begin, stop = np.empty((n, SLOTS)), np.empty((n, SLOTS))
    number = np.zeros(n, dtype=np.int32)
    # Zeros of numpy cost nothing where nobody looks: a short walk in a large city stays cheap.
    full, done = np.zeros(n, dtype=np.uint8), np.zeros(cells.nx * cells.ny, dtype=np.uint8)
    place = (0.0, 0.0, 1.0, 1.0)
    if lines is not None:
        place = (lines.west, lines.south, lines.line_m, lines.dot_m)
    spilled = walk(
        which, walks.who, walks.micro, walks.x, walks.y, int(walks.gap_s * 1e6),
        walks.most_kmh / 3.6, radius_m, cells.longest, pieces.ends, cells.x0, cells.y0,
        cells.nx, cells.ny, cells.start, cells.items, full, done, begin, stop, number,
        np.empty((0, 0), dtype=np.uint64) if bits is None else bits, *place,
    )  # fmt: skip
    return begin, stop, number, spilled


def _street(covered: tuple[Any, ...]) -> Reach:
    begin, stop, number, spilled = covered
    some = np.flatnonzero(number)
    used = np.arange(SLOTS) < number[some, None]
    piece = np.repeat(some, number[some])
    low, high = begin[some][used], stop[some][used]
    if not len(spilled):
        return Reach(piece, low, high)
    return merge_intervals(
        np.concatenate([piece, spilled[:, 0].astype(np.int64)]),
        np.concatenate([low, spilled[:, 1]]),
        np.concatenate([high, spilled[:, 2]]),
    )


def _sort(pieces: StreetPieces, radius_m: float) -> Cells:
    """The pieces that a step in each cell can reach; sorted once for a radius."""
    if radius_m not in pieces.cells:
        pieces.cells[radius_m] = sort_ends(pieces.ends, radius_m, "streets")
    found: Cells = pieces.cells[radius_m]
    return found


def sort_ends(ends: Floats, radius_m: float, what: str) -> Cells:
    """The pieces (x, y of both ends) that a short step in each cell can reach."""
    if not len(ends):
        none = np.empty(0, dtype=np.int32)
        return Cells(0.0, 0.0, 0, 0, np.zeros(1, dtype=np.int64), none, 0.0)
    reach = radius_m + HALF_M
    corner = ends.reshape(-1, 2)
    x0, y0 = corner.min(axis=0) - reach
    nx, ny = ((corner.max(axis=0) + reach - (x0, y0)) // CELL_M + 1).astype(int)
    if nx * ny > MOST_CELLS:
        raise InputError(
            f"{what} reach over {nx * CELL_M / 1000:,.0f} by {ny * CELL_M / 1000:,.0f} km:"
            " leave out the one that lies far away"
        )
    start, items = list_cells(ends, reach, x0, y0, int(nx), int(ny))
    longest = float(np.hypot(*(ends[:, 2:] - ends[:, :2]).T).max())
    return Cells(float(x0), float(y0), int(nx), int(ny), start, items, longest)


def _walks(walks: Walks | Floats) -> Walks:
    return walks if isinstance(walks, Walks) else walks_of_steps(walks)


def _require_radius(radius_m: float) -> None:
    if not 0 < radius_m < np.inf:
        raise InputError(f"radius_m is {radius_m}: use a number above 0")
