"""Divide units (street blocks, building plots) into balanced grids, or repair a division.

A division is contiguous, nested in communities, never splits a unit and never crosses a river or a
railway. Among such divisions the one with the fewest households out of the band is sought, then the
one whose new borders are shortest, where a metre along a main street counts
less. Each piece of a
community is divided on its own, from a seed of its own: the same seed gives the same answer on any
machine and any number of threads.

Definitions (band low to high, h the load of a grid, m that of its largest unit):

    deviation   low - h below the band; h - high above it; h - m where m > high, for a compound too
                large for any grid should stand alone
    bad grid    one with a deviation above 0
    forced      a grid with a unit too large and no deviation

What cannot be better is said: `verdict` tells for each community what is proven (see `VERDICTS`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Event

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._divide_answer import VERDICTS, Division, Found, assemble
from geo._divide_graph import UnitGraph, neighbour_lists, read_graph
from geo._divide_model import EFFORTS, Answer, Piece
from geo._divide_process import SearchProcess, work_here
from geo.datum import require_metres
from geo.errors import ColumnError, CoverError, InputError

__all__ = [
    "VERDICTS",
    "Board",
    "Division",
    "SearchProcess",
    "divide",
    "is_compiled",
    "weigh_units",
]

Progress = Callable[[int, int, str], None]


class Board:
    """The best plan so far, for a look from another thread while `divide` works."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []

    def show(self, parts: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Begin: rows of the units and labels, which change while the search goes on."""
        self._parts = parts

    def labels(self, count: int) -> np.ndarray:
        """A number for each of `count` units, -1 where there is no plan yet."""
        out = np.full(count, -1, dtype=np.int64)
        base = 0
        for rows, labels in self._parts:
            now = labels.copy()
            out[rows] = np.where(now >= 0, now + base, -1)
            base += _LABELS
        return out


_LABELS = 1_000_000
"""Labels of one piece stay below it."""


def divide(
    units: gpd.GeoDataFrame,
    band: tuple[float, float],
    *,
    roads: gpd.GeoDataFrame | None = None,
    previous: pd.Series | None = None,
    bands: Mapping[str, tuple[float, float]] | None = None,
    load: str = "households",
    locked: Collection[str] = (),
    barriers: tuple[str, ...] = ("river", "rail"),
    effort: str = "full",
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
    stop: Event | None = None,
    board: Board | None = None,
    apart: SearchProcess | None = None,
) -> Division:
    """Divide units into grids whose load lies in the band.

    Parameters
    ----------
    units
        Polygons in metres indexed by `unit_id`, with `community` and the load; neighbours share
        their border, and none overlap.
    band
        Least and most load of a grid.
    roads
        Lines with `road_class` along borders of units, in the same CRS.
    previous
        `grid` by `unit_id` of the plan in force: the fewest households change their grid that the
        balance of a fresh plan allows. Units that it does not name are new.
    bands
        Another band for some communities.
    load
        The column to balance: households, or any workload of at least 0 (see `weigh_units`).
    locked
        Grids of `previous` that stay exactly as they are.
    barriers
        Classes of road that no grid may cross; add main to keep main streets whole as well.
    effort
        `fast` is a preview, `full` searches longer and solves pieces of up to 64 units to the end.
    seed
        Another seed gives another answer of the same kind.
    threads
        How many pieces are worked on at once; the answer is the same for any number.
    progress
        Called with pieces done, pieces in all, and the community.
    stop
        Once set, the best plan so far comes back.
    board
        Shows the best plan so far to another thread.
    apart
        Search in that process; the answer is the same, and the compiled code is not loaded here.

    Returns
    -------
    Division

    Raises
    ------
    InputError, ColumnError, CrsError
        If the band is upside down, a load is missing or negative, an id is there twice, the plan
        before names units that are not there, or a locked grid is unknown.
    CoverError
        If units overlap.
    """
    limits = _limits(units, band, bands)
    _require_units(units, load)
    if effort not in EFFORTS:
        raise InputError(f"effort is {effort!r}: use one of {', '.join(EFFORTS)}")
    graph = read_graph(units, roads, barriers=barriers)
    old, names = _old_labels(units, previous, locked)
    pieces, rows = _make_pieces(
        units, graph, limits, load, old, _is_locked(old, names, locked), seed
    )
    if board is not None:
        board.show([(mine, piece.board) for mine, piece in zip(rows, pieces, strict=True)])
    flag = np.zeros(1, dtype=np.int64)
    community = units["community"].astype(str).to_numpy()

    def tell(k: int, answer: Answer) -> None:
        if progress is not None:
            progress(k + 1, len(pieces), str(community[rows[k][0]]))

    work = work_here if apart is None else apart.work
    answers = work(pieces, effort, threads, tell, stop, flag)
    found = Found(
        units, graph, limits, units[load].to_numpy(dtype=np.float64), pieces, rows, answers, old,
        names,
    )  # fmt: skip
    return assemble(found, is_complete=not flag[0])


def weigh_units(units: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    """Weigh the load of each unit: the sum of its columns times their weights.

    A load of its own (households 1, incidents a year 0.5, metres of street 0.02 …) balances the
    work rather than the people. Missing values count as 0.

    Raises
    ------
    ColumnError
        If a column is not there.
    InputError
        If a weight is negative or no weight is given.
    """
    missing = [name for name in weights if name not in units.columns]
    if missing:
        raise ColumnError(
            f"units lack {', '.join(missing)}: they have {', '.join(map(str, units.columns))}"
        )
    if not weights or min(weights.values()) < 0:
        raise InputError("weights must be 0 or more, and at least one is needed")
    total = sum(units[name].fillna(0).astype(float) * weight for name, weight in weights.items())
    return pd.Series(total, index=units.index, name="load", dtype=np.float64)


def is_compiled() -> bool:
    """Whether the search was compiled before on this machine; else the next run does it first."""
    pattern = "_divide_search.anneal-*.nbi"
    if any((Path(__file__).parent / "__pycache__").glob(pattern)):
        return True
    # numba has no other way to ask for the folder, which a setting of its own may move.
    from geo._divide_search import anneal

    folder = anneal._cache.cache_path  # type: ignore[attr-defined]
    return any(Path(folder).glob(pattern))


# --- input ----------------------------------------------------------------------------------------


def _limits(
    units: gpd.GeoDataFrame,
    band: tuple[float, float],
    bands: Mapping[str, tuple[float, float]] | None,
) -> dict[str, tuple[float, float]]:
    if "community" not in units.columns:
        raise ColumnError(f"units have no community: they have {', '.join(units.columns)}")
    known = set(units["community"].dropna().astype(str))
    for name, (low, high) in {"": band, **(bands or {})}.items():
        where = f"the band of {name}" if name else "the band"
        if not (0 < low < float("inf") and 0 < high < float("inf")):
            raise InputError(f"{where} is {low:g} to {high:g}: give two numbers above 0")
        if low > high:
            raise InputError(f"{where} is {low:g} to {high:g}: give the smaller number first")
        if name and name not in known:
            raise InputError(f"{where} is for a community that has no unit: correct its name")
    return {name: (bands or {}).get(name, band) for name in sorted(known)}


def _require_units(units: gpd.GeoDataFrame, load: str) -> None:
    """Refuse what cannot be divided."""
    require_metres(units=units)
    if not len(units):
        raise InputError("there are no units: nothing can be divided")
    if load not in units.columns:
        raise ColumnError(f"units have no {load}: they have {', '.join(units.columns)}")
    if not units.index.is_unique:
        first = units.index[units.index.duplicated()][0]
        raise InputError(f"unit {first} is there more than once: give every unit an id of its own")
    if units["community"].isna().any():
        first = units.index[units["community"].isna().to_numpy()][0]
        raise InputError(f"unit {first} has no community: say which one it belongs to")
    values = pd.to_numeric(units[load], errors="coerce")
    wrong = ~(values >= 0) | ~np.isfinite(values)
    if wrong.any():
        first = units.index[wrong.to_numpy()][0]
        raise InputError(
            f"{load} of unit {first} is {units[load][first]}: give a number of 0 or more"
            f" ({int(wrong.sum())} such units)"
        )
    shapes = units.geometry.to_numpy()
    flat = shapely.get_dimensions(shapes) == 2
    if not flat.all():
        raise InputError(f"unit {units.index[~flat][0]} is no polygon: leave it out or repair it")
    _require_no_overlap(units)


def _require_no_overlap(units: gpd.GeoDataFrame) -> None:
    shapes = units.geometry.to_numpy()
    if shapely.coverage_is_valid(shapes):
        return
    bad = ~shapely.is_valid(shapes)
    if bad.any():
        raise InputError(f"unit {units.index[bad][0]} is no valid polygon: repair it first")
    # "overlaps" would pass over units that are equal, or one within the other.
    one, two = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = one < two
    area = shapely.area(shapely.intersection(shapes[one[pairs]], shapes[two[pairs]]))
    real = np.flatnonzero(area > MOST_OVERLAP_M2)
    if len(real):
        first = real[np.argmax(area[real])]
        names = units.index[one[pairs][first]], units.index[two[pairs][first]]
        raise CoverError(
            f"units {names[0]} and {names[1]} overlap by {area[first]:,.1f} m2"
            f" ({len(real)} such pairs): repair them first, wangge import does it up to a width"
        )


MOST_OVERLAP_M2 = 1.0
"""Less is the noise of surveyed borders and changes no neighbour."""


def _old_labels(
    units: gpd.GeoDataFrame, previous: pd.Series | None, locked: Collection[str]
) -> tuple[np.ndarray, list[str]]:
    """The label in force of each unit, -1 for none, and the name of each label."""
    if previous is None:
        if locked:
            raise InputError("locked grids need the plan in force: give it as previous")
        return np.full(len(units), -1, dtype=np.int64), []
    unknown = previous.index.difference(units.index)
    if len(unknown):
        raise InputError(
            f"the plan before names unit {unknown[0]}, which is not among the units"
            f" ({len(unknown)} such): leave it out"
        )
    if not previous.index.is_unique:
        first = previous.index[previous.index.duplicated()][0]
        raise InputError(f"the plan before names unit {first} twice: keep one row")
    grid = previous.reindex(units.index)
    # A grid that reached over two communities is two: the larger keeps the name at the end.
    together = grid.where(grid.isna(), grid.astype(str) + "\0" + units["community"].astype(str))
    codes, names = pd.factorize(together)
    missing = set(locked) - {name.split("\0")[0] for name in names}
    if missing:
        raise InputError(f"locked grid {sorted(missing)[0]} is not in the plan before: correct it")
    return np.asarray(codes, dtype=np.int64), [str(name) for name in names]


def _is_locked(old: np.ndarray, names: list[str], locked: Collection[str]) -> np.ndarray:
    chosen = [k for k, name in enumerate(names) if name.split("\0")[0] in set(locked)]
    return np.isin(old, chosen)


# --- work -----------------------------------------------------------------------------------------


def _make_pieces(
    units: gpd.GeoDataFrame,
    graph: UnitGraph,
    limits: Mapping[str, tuple[float, float]],
    load: str,
    old: np.ndarray,
    frozen: np.ndarray,
    seed: int,
) -> tuple[list[Piece], list[np.ndarray]]:
    community = units["community"].astype(str).to_numpy()
    group = pd.factorize(community, sort=True)[0].astype(np.int64)
    number = graph.pieces(group)
    inside = graph.crosses & (group[graph.left] == group[graph.right])
    middle = float(np.median(graph.length_m)) if len(graph.length_m) else 1.0
    values = units[load].to_numpy(dtype=np.float64)
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(number.max() + 2))
    pairs = np.flatnonzero(inside)
    pairs = pairs[np.argsort(number[graph.left[pairs]], kind="stable")]
    pair_bounds = np.searchsorted(number[graph.left[pairs]], np.arange(number.max() + 2))
    place = np.empty(len(units), dtype=np.int64)
    pieces, rows = [], []
    for k in range(int(number.max()) + 1):
        mine = order[bounds[k] : bounds[k + 1]]
        place[mine] = np.arange(len(mine))
        own = pairs[pair_bounds[k] : pair_bounds[k + 1]]
        lists = neighbour_lists(
            len(mine), place[graph.left[own]], place[graph.right[own]],
            graph.weighted_m[own] / middle,
        )  # fmt: skip
        labels = np.full(len(mine), -1, dtype=np.int64)
        known = old[mine] >= 0
        labels[known] = pd.factorize(old[mine][known], sort=True)[0]
        low, high = limits[str(community[mine[0]])]
        pieces.append(
            Piece(values[mine], float(low), float(high), *lists, labels, frozen[mine],
                  seed * 1_000_003 + k, np.full(len(mine), -1, dtype=np.int64))
        )  # fmt: skip
        rows.append(mine)
    return pieces, rows
