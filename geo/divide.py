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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._divide_graph import UnitGraph, neighbour_lists, read_graph
from geo._divide_piece import EFFORTS, Answer, Piece, divide_piece, match_labels
from geo.datum import require_metres
from geo.errors import ColumnError, CoverError, InputError
from geo.hierarchy import number_grids

VERDICTS = ("optimal", "in_band", "cannot", "within")
"""optimal: in the band, and proven that no such plan has shorter borders (or moves fewer).
in_band: in the band; the border is not proven shortest. cannot: out of the band by as little as any
plan, proven. within: out of the band, and the bound says by how much it might be less."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Division:
    """A plan with what is known about it."""

    plan: pd.Series
    """`grid` of each unit, indexed and ordered like the units."""
    grids: pd.DataFrame
    """Indexed by grid: `community`, `units`, `load`, `deviation`, `is_forced`, `is_bad`, `kept`
    (whether it goes on from a grid of the plan before)."""
    communities: pd.DataFrame
    """Indexed by community: `units`, `load`, `grids`, `forced`, `bad`, `off` (load out of the
    band), `bound` (no plan has less), `border_m` (weighted), `moved`, `verdict`, and `cause`: the
    units that stand in the way, as text, where the verdict is `cannot` or `within`."""
    oversize: pd.DataFrame
    """Indexed by unit: `community`, `load` of the units that no grid can hold."""
    islands: tuple[str, ...]
    """Units without a neighbour inside their community: each is a grid of its own."""
    is_complete: bool
    """False where the search was stopped before its end."""

    @property
    def totals(self) -> dict[str, float]:
        """Counts and sums over all communities."""
        free = ~self.grids["is_forced"]
        return {
            "grids": len(self.grids),
            "forced": int(self.grids["is_forced"].sum()),
            "bad": int(self.grids["is_bad"].sum()),
            "off": float(self.communities["off"].sum()),
            "bound": float(self.communities["bound"].sum()),
            "in_band_pct": 100.0 * float(1 - self.grids["is_bad"].sum() / max(int(free.sum()), 1)),
            "moved": float(self.communities["moved"].sum()),
            "load": float(self.communities["load"].sum()),
        }


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
    flag = np.zeros(1, dtype=np.int64)
    answers = _work(pieces, rows, units, effort, threads, progress, stop, flag)
    return _assemble(units, graph, limits, load, rows, answers, old, names, not flag[0])


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
        if not (0 < low <= high < float("inf")):
            raise InputError(f"{where} is {low:g} to {high:g}: give the smaller number first")
        if name and name not in known:
            raise InputError(f"{where} is for a community that has no unit: correct its name")
    return {name: (bands or {}).get(name, band) for name in sorted(known)}


def _require_units(units: gpd.GeoDataFrame, load: str) -> None:
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
    one, two = shapely.STRtree(shapes).query(shapes, predicate="overlaps")
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
                  seed * 1_000_003 + k)
        )  # fmt: skip
        rows.append(mine)
    return pieces, rows


def _work(
    pieces: list[Piece],
    rows: list[np.ndarray],
    units: gpd.GeoDataFrame,
    effort: str,
    threads: int,
    progress: Progress | None,
    stop: Event | None,
    flag: np.ndarray,
) -> list[Answer]:
    community = units["community"].astype(str).to_numpy()
    done = 0

    def run(k: int) -> Answer:
        if stop is not None and stop.is_set():
            flag[0] = 1
        return divide_piece(pieces[k], EFFORTS[effort], flag)

    def tell(k: int) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(pieces), str(community[rows[k][0]]))

    answers = []
    if threads == 1:
        for k in range(len(pieces)):
            answers.append(run(k))
            tell(k)
        return answers
    with ThreadPoolExecutor(threads) as pool:
        for k, answer in enumerate(pool.map(run, range(len(pieces)))):
            answers.append(answer)
            tell(k)
    return answers


# --- answer ---------------------------------------------------------------------------------------


def _assemble(
    units: gpd.GeoDataFrame,
    graph: UnitGraph,
    limits: Mapping[str, tuple[float, float]],
    load: str,
    rows: list[np.ndarray],
    answers: list[Answer],
    old: np.ndarray,
    names: list[str],
    is_complete: bool,
) -> Division:
    label = np.empty(len(units), dtype=np.int64)
    base = 0
    for mine, answer in zip(rows, answers, strict=True):
        codes = np.unique(answer.label, return_inverse=True)[1]
        label[mine] = codes + base
        base += int(codes.max()) + 1
    values = units[load].to_numpy(dtype=np.float64)
    grid = _name_grids(units, label, values, old, names)
    plan = pd.Series(grid, index=units.index, name="grid", dtype="str")
    kept = {name.split("\0")[0] for name in names}
    grids = _describe_grids(units, plan, values, limits, kept)
    communities = _describe_communities(units, graph, plan, grids, limits, values, rows, answers)
    communities["moved"] = _count_moved(units, plan, values, old, names)
    high = units["community"].astype(str).map({name: band[1] for name, band in limits.items()})
    big = values > high.to_numpy(dtype=np.float64)
    oversize = pd.DataFrame(
        {"community": units["community"].astype(str)[big], "load": values[big]}
    ).sort_values("load", ascending=False, kind="stable")
    alone = [mine[0] for mine in rows if len(mine) == 1 and _has_others(units, mine[0])]
    return Division(
        plan, grids, communities, oversize, tuple(str(units.index[k]) for k in alone), is_complete
    )


def _has_others(units: gpd.GeoDataFrame, row: int) -> bool:
    return int((units["community"] == units["community"].iloc[row]).sum()) > 1


def _name_grids(
    units: gpd.GeoDataFrame, label: np.ndarray, load: np.ndarray, old: np.ndarray, names: list[str]
) -> np.ndarray:
    """Names of the plan before where a grid goes on, else community and a free sequence number."""
    pairs = gpd.GeoDataFrame(
        {"community_code": units["community"].astype(str).to_numpy(), "label": label},
        geometry=units.geometry.to_numpy(),
        crs=units.crs,
    )
    shapes = pairs.dissolve("label", method="coverage" if _is_cover(units) else "unary")
    digits = max(3, len(str(int(shapes.groupby("community_code").size().max()))))
    fresh = number_grids(shapes, digits=digits).astype(str)
    if not names:
        return np.asarray(fresh.reindex(label).to_numpy(dtype=object))
    # The same name may have been in two communities: one assignment over the whole city.
    plain = pd.factorize(pd.Series(names).str.split("\0").str[0])
    was = np.where(old >= 0, plain[0][np.maximum(old, 0)], -1)
    named = np.empty(len(label), dtype=np.int64)
    community = units["community"].astype(str).to_numpy()
    above = len(plain[1])
    for name in np.unique(community):
        mine = community == name
        found = match_labels(label[mine], was[mine], load[mine])
        is_new = found > max(int(label[mine].max()), int(was[mine].max()))
        named[mine] = np.where(is_new | (found >= above), -1 - label[mine], found)
    # A name that two communities claim stays where most of its load is.
    table = pd.DataFrame({"named": named, "label": label, "load": load})
    weight = table[table["named"] >= 0].groupby(["named", "label"])["load"].sum().reset_index()
    best = weight.sort_values("load", kind="stable").drop_duplicates("named", keep="last")
    owner = dict(zip(best["label"], best["named"], strict=True))
    taken = set(plain[1])
    out: dict[int, str] = {}
    for key in fresh.index:
        if key in owner:
            out[key] = str(plain[1][owner[key]])
            continue
        name, number = str(fresh[key]), 1
        while name in taken:
            name, number = f"{fresh[key][:-digits]}{digits * '9'}-{number}", number + 1
        taken.add(name)
        out[key] = name
    return np.array([out[key] for key in label], dtype=object)


def _is_cover(units: gpd.GeoDataFrame) -> bool:
    return bool(shapely.coverage_is_valid(units.geometry.to_numpy()))


def _describe_grids(
    units: gpd.GeoDataFrame,
    plan: pd.Series,
    load: np.ndarray,
    limits: Mapping[str, tuple[float, float]],
    kept: set[str],
) -> pd.DataFrame:
    table = pd.DataFrame(
        {"community": units["community"].astype(str), "load": load, "grid": plan}
    ).groupby("grid")
    found = pd.DataFrame(
        {
            "community": table["community"].first(),
            "units": table.size(),
            "load": table["load"].sum(),
            "largest": table["load"].max(),
        }
    )
    low = found["community"].map({name: band[0] for name, band in limits.items()}).astype(float)
    high = found["community"].map({name: band[1] for name, band in limits.items()}).astype(float)
    is_big = found["largest"] > high
    found["deviation"] = np.select(
        [is_big, found["load"] < low, found["load"] > high],
        [found["load"] - found["largest"], low - found["load"], found["load"] - high],
        default=0.0,
    )
    found["is_forced"] = is_big & (found["deviation"] == 0)
    found["is_bad"] = found["deviation"] > 0
    found["kept"] = found.index.isin(list(kept))
    return found.drop(columns="largest")


def _describe_communities(
    units: gpd.GeoDataFrame,
    graph: UnitGraph,
    plan: pd.Series,
    grids: pd.DataFrame,
    limits: Mapping[str, tuple[float, float]],
    load: np.ndarray,
    rows: list[np.ndarray],
    answers: list[Answer],
) -> pd.DataFrame:
    community = units["community"].astype(str).to_numpy()
    name = [str(community[mine[0]]) for mine in rows]
    parts = pd.DataFrame(
        {
            "community": name,
            "bound": [answer.least_off for answer in answers],
            "balanced": [answer.is_balance_proven for answer in answers],
            "proven": [answer.is_border_proven or answer.is_moved_proven for answer in answers],
        }
    ).groupby("community")
    of_grids = grids.groupby("community")
    found = pd.DataFrame(
        {
            "units": pd.Series(community).value_counts(),
            "load": pd.Series(load).groupby(community).sum(),
            "grids": of_grids.size(),
            "forced": of_grids["is_forced"].sum(),
            "bad": of_grids["is_bad"].sum(),
            "off": of_grids["deviation"].sum(),
            "bound": parts["bound"].sum(),
            "border_m": _weighted_border(graph, plan, community),
        }
    ).rename_axis("community")
    found["border_m"] = found["border_m"].fillna(0.0)
    proven = parts["proven"].all().reindex(found.index)
    balanced = parts["balanced"].all().reindex(found.index)
    found["verdict"] = np.select(
        [(found["off"] == 0) & proven, found["off"] == 0, balanced],
        ["optimal", "in_band", "cannot"],
        default="within",
    )
    found["cause"] = [
        _cause(units, plan, grids, load, limits, key) if off > 0 else ""
        for key, off in found["off"].items()
    ]
    return found


def _weighted_border(graph: UnitGraph, plan: pd.Series, community: np.ndarray) -> pd.Series:
    grid = plan.to_numpy()
    cut = (grid[graph.left] != grid[graph.right]) & (
        community[graph.left] == community[graph.right]
    )
    return pd.Series(graph.weighted_m[cut]).groupby(community[graph.left[cut]]).sum()


def _cause(
    units: gpd.GeoDataFrame,
    plan: pd.Series,
    grids: pd.DataFrame,
    load: np.ndarray,
    limits: Mapping[str, tuple[float, float]],
    community: str,
) -> str:
    """The largest unit of each grid out of the band, which leaves its neighbours no choice."""
    bad = grids.index[(grids["community"] == community) & grids["is_bad"]]
    found = []
    for grid in bad:
        rows = np.flatnonzero(plan.to_numpy() == grid)
        top = rows[np.argmax(load[rows])]
        found.append(f"{units.index[top]} ({load[top]:,.0f})")
    return ", ".join(found)


def _count_moved(
    units: gpd.GeoDataFrame, plan: pd.Series, load: np.ndarray, old: np.ndarray, names: list[str]
) -> pd.Series:
    """Load of each community whose grid has another name than before."""
    community = units["community"].astype(str).to_numpy()
    if not names:
        return pd.Series(0.0, index=pd.Index(np.unique(community)))
    was = np.array([name.split("\0")[0] for name in names], dtype=object)[np.maximum(old, 0)]
    moved = (old < 0) | (was != plan.to_numpy(dtype=object))
    return pd.Series(np.where(moved, load, 0.0)).groupby(community).sum()
