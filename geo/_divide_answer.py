"""A division as tables: names of grids, what is known of communities, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._divide_graph import UnitGraph
from geo._divide_model import Answer, Piece
from geo._divide_parts import match_labels
from geo._divide_proof import bound_parts
from geo.hierarchy import number_grids

VERDICTS = ("optimal", "in_band", "cannot", "within")
"""optimal: in the band, and proven that no such plan has shorter borders (or moves fewer).
in_band: in the band; the border is not proven shortest. cannot: out of the band by as little as any
plan, proven. within: out of the band, and the bound says by how much it might be less."""


MOST_CAUSES = 5
"""Units named as the cause of one community."""


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
    band), `bound` (no plan has less), `bad_bound` (no plan out of the band by no more than this one
    has fewer bad grids), `border_m` (weighted), `moved`, `verdict`, and where the
    verdict is `cannot` or `within` also `cause`: the units that stand in the way, as text, and
    `left`: the load that they leave over, 0 where they are too large to share a grid."""
    proofs: pd.DataFrame
    """What the bounds rest on, so that they can be worked out again: `community`, `how`
    (`arithmetic`: `units` hang together without those too large, and `load` of them makes no number
    of grids in the band; `enumeration`: all `sets` of `units` that hang together and are out of the
    band by at most `slack` were listed, and no choice of them is better), `off` (no plan of these
    units has less out of the band), `beside` (units too large that shut them in)."""
    oversize: pd.DataFrame
    """Indexed by unit: `community`, `load` of the units that no grid can hold."""
    islands: tuple[str, ...]
    """Units without a neighbour inside their community: each is a grid of its own."""
    is_complete: bool
    """False where the search was stopped before its end."""
    along_m: Mapping[str, float]
    """Metres of border between units by class of the line along it: minor, main, river, rail."""

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
            "bad_bound": int(self.communities["bad_bound"].sum()),
            "in_band_pct": 100.0 * float(1 - self.grids["is_bad"].sum() / max(int(free.sum()), 1)),
            "moved": float(self.communities["moved"].sum()),
            "load": float(self.communities["load"].sum()),
        }


@dataclass(frozen=True, eq=False)
class Found:
    """What the search worked on and found; rows are those of the table of units."""

    units: gpd.GeoDataFrame
    graph: UnitGraph
    limits: Mapping[str, tuple[float, float]]
    """Band of each community."""
    load: np.ndarray
    pieces: list[Piece]
    rows: list[np.ndarray]
    """Of the units of each piece."""
    answers: list[Answer]
    old: np.ndarray
    """Label in force of each unit, an index of `names`; -1 for none."""
    names: list[str]


def assemble(found: Found, *, is_complete: bool) -> Division:
    """Name the grids and say what is known about them."""
    units, load = found.units, found.load
    label = np.empty(len(units), dtype=np.int64)
    base = 0
    for mine, answer in zip(found.rows, found.answers, strict=True):
        codes = np.unique(answer.label, return_inverse=True)[1]
        label[mine] = codes + base
        base += int(codes.max()) + 1
    grid = _name_grids(found, label)
    plan = pd.Series(grid, index=units.index, name="grid", dtype="str")
    grids = _describe_grids(found, plan)
    proofs = _list_proofs(found)
    communities = _describe_communities(found, plan, grids, proofs)
    communities["moved"] = _count_moved(units, plan, load, found.old, found.names)
    high = (
        units["community"].astype(str).map({name: band[1] for name, band in found.limits.items()})
    )
    big = load > high.to_numpy(dtype=np.float64)
    oversize = pd.DataFrame(
        {"community": units["community"].astype(str)[big], "load": load[big]}
    ).sort_values("load", ascending=False, kind="stable")
    alone = [mine[0] for mine in found.rows if len(mine) == 1 and _has_others(units, mine[0])]
    islands = tuple(str(units.index[k]) for k in alone)
    return Division(
        plan, grids, communities, proofs, oversize, islands, is_complete, found.graph.along_m
    )


def _has_others(units: gpd.GeoDataFrame, row: int) -> bool:
    return int((units["community"] == units["community"].iloc[row]).sum()) > 1


def _name_grids(found: Found, label: np.ndarray) -> np.ndarray:
    """Names of the plan before where a grid goes on, else community and a free sequence number."""
    units, load, old, names = found.units, found.load, found.old, found.names
    fresh, digits = _number(units, label)
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
        same = match_labels(label[mine], was[mine], load[mine])
        is_new = same > max(int(label[mine].max()), int(was[mine].max()))
        named[mine] = np.where(is_new | (same >= above), -1 - label[mine], same)
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


def _number(units: gpd.GeoDataFrame, label: np.ndarray) -> tuple[pd.Series, int]:
    """Community and sequence number of each label, and the digits of the number.

    Numbering looks at bounding boxes only, and the box of a grid is that of its units' boxes.
    """
    box = units.geometry.bounds.to_numpy()
    first = np.unique(label, return_index=True)[1]
    low, high = np.full((len(first), 2), np.inf), np.full((len(first), 2), -np.inf)
    np.minimum.at(low, label, box[:, :2])
    np.maximum.at(high, label, box[:, 2:])
    grids = gpd.GeoDataFrame(
        {"community_code": units["community"].astype(str).to_numpy()[first]},
        geometry=shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]),
        crs=units.crs,
    )
    digits = max(3, len(str(int(grids.groupby("community_code").size().max()))))
    return number_grids(grids, digits=digits).astype(str), digits


def _describe_grids(of: Found, plan: pd.Series) -> pd.DataFrame:
    table = pd.DataFrame(
        {"community": of.units["community"].astype(str), "load": of.load, "grid": plan}
    ).groupby("grid")
    limits = of.limits
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
    found["kept"] = found.index.isin([name.split("\0")[0] for name in of.names])
    return found.drop(columns="largest")


def _describe_communities(
    of: Found, plan: pd.Series, grids: pd.DataFrame, proofs: pd.DataFrame
) -> pd.DataFrame:
    community = of.units["community"].astype(str).to_numpy()
    answers = of.answers
    parts = pd.DataFrame(
        {
            "community": [str(community[mine[0]]) for mine in of.rows],
            "bound": [answer.least_off for answer in answers],
            "bad_bound": [max(a.least_bad, int(a.least_off > 0)) for a in answers],
            "balanced": [
                answer.is_balance_proven or answer.off <= answer.least_off for answer in answers
            ],
            "proven": [answer.is_border_proven or answer.is_moved_proven for answer in answers],
        }
    ).groupby("community")
    of_grids = grids.groupby("community")
    found = pd.DataFrame(
        {
            "units": pd.Series(community).value_counts(),
            "load": pd.Series(of.load).groupby(community).sum(),
            "grids": of_grids.size(),
            "forced": of_grids["is_forced"].sum(),
            "bad": of_grids["is_bad"].sum(),
            "off": of_grids["deviation"].sum(),
            "bound": parts["bound"].sum(),
            "bad_bound": parts["bad_bound"].sum(),
            "border_m": _weighted_border(of.graph, plan, community),
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
    causes = {
        key: _find_cause(of, plan, grids, proofs, key) for key in found.index[found["off"] > 0]
    }
    found["cause"] = [causes.get(key, ("", 0.0))[0] for key in found.index]
    found["left"] = [causes.get(key, ("", 0.0))[1] for key in found.index]
    return found


def _weighted_border(graph: UnitGraph, plan: pd.Series, community: np.ndarray) -> pd.Series:
    grid = plan.to_numpy()
    cut = (grid[graph.left] != grid[graph.right]) & (
        community[graph.left] == community[graph.right]
    )
    return pd.Series(graph.weighted_m[cut]).groupby(community[graph.left[cut]]).sum()


def _list_proofs(found: Found) -> pd.DataFrame:
    """What shuts a part in, and which pieces were solved to the end."""
    names = found.units.index
    community = found.units["community"].astype(str).to_numpy()
    rows = []
    for piece, mine, answer in zip(found.pieces, found.rows, found.answers, strict=True):
        one = {"community": str(community[mine[0]]), "sets": 0, "slack": 0.0}
        if answer.off > 0:
            for part in bound_parts(piece):
                if part.off > 0:
                    rows.append(
                        one | {
                            "how": "arithmetic", "units": tuple(names[mine[part.rows]]),
                            "load": part.load, "off": part.off,
                            "beside": tuple(names[mine[part.beside]]),
                        }
                    )  # fmt: skip
        if answer.sets:
            rows.append(
                one | {
                    "how": "enumeration", "units": tuple(names[mine]),
                    "load": float(piece.load.sum()), "off": answer.least_off, "beside": (),
                    "sets": answer.sets, "slack": answer.slack,
                }
            )  # fmt: skip
    columns = ["community", "how", "units", "load", "off", "beside", "sets", "slack"]
    return pd.DataFrame(rows, columns=columns)


def _find_cause(
    of: Found, plan: pd.Series, grids: pd.DataFrame, proofs: pd.DataFrame, community: str
) -> tuple[str, float]:
    """The units that leave a grid out of the band no choice, and the load that they leave over.

    Units too large that shut in a part, where arithmetic shows it; else the largest unit of each
    grid out of the band, which fits into none.
    """
    load = pd.Series(of.load, index=of.units.index)
    shut = proofs[(proofs["community"] == community) & (proofs["how"] == "arithmetic")]
    beside = list(dict.fromkeys(name for names in shut["beside"] for name in names))
    left = float(shut["load"].sum()) if beside else 0.0
    if not beside:
        for grid in grids.index[(grids["community"] == community) & grids["is_bad"]]:
            beside.append(load[plan.to_numpy() == grid].idxmax())
    beside.sort(key=lambda name: -load[name])
    told = [f"{name} ({load[name]:,.0f})" for name in beside[:MOST_CAUSES]]
    if len(beside) > MOST_CAUSES:
        told.append(f"{len(beside) - MOST_CAUSES} more")
    return ", ".join(told), left


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
