"""Counts without points, brought from one boundary version to another by households.

Of a count of an old grid each new one gets the share of the old one's households that it took over
(weighted areal interpolation; Goodchild and Lam 1980, with households in place of area as in
Flowerdew and Green 1989). What is divided by shares is an estimate and is marked as such wherever
it is shown. The shares of a grid always add up to one, the last part being `LOST` where some of it
went nowhere, so sums stay the same through any sequence of splits and merges.
Public names are handed on by `geo.compare`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo._compare_units import Boundary
from geo._time_limits import require_columns
from geo.errors import InputError

LOST = "(no heir)"
"""Row of what lies in no unit of the new version."""
COLUMNS = ("from_id", "to_id", "share")
_NEAR = 1e-9


def shares_by_blocks(blocks: pd.DataFrame, old: pd.Series, new: pd.Series) -> pd.DataFrame:
    """Find by blocks which share of each old unit's households each new one took over.

    Parameters
    ----------
    blocks
        Indexed by `block_id`, with `households` and, for units where nobody lives, `area`.
    old, new
        Unit of each block before and after, indexed like `blocks`; missing: in none.

    Returns
    -------
    DataFrame
        `from_id`, `to_id`, `share`: every old unit's shares add up to 1. A unit whose blocks have
        no households goes by their area (where told), else in equal parts by block.
    """
    require_columns(blocks, ("households",), "blocks")
    homes = blocks["households"].to_numpy(dtype=np.float64, na_value=np.nan)
    area = np.ones(len(blocks))
    if "area" in blocks.columns:
        area = blocks["area"].to_numpy(dtype=np.float64, na_value=np.nan)
    table = pd.DataFrame(
        {
            "from_id": old.reindex(blocks.index).to_numpy(dtype=object),
            "to_id": _or_lost(new.reindex(blocks.index)),
            "households": np.nan_to_num(homes),
            "area": np.nan_to_num(area),
            "blocks": 1.0,
        }
    )
    table = table[table["from_id"].notna()]
    sums = table.groupby(["from_id", "to_id"], sort=False)[["households", "area", "blocks"]].sum()
    whole = sums.groupby(level="from_id").transform("sum")
    weight = sums["blocks"] / whole["blocks"]
    for name in ("area", "households"):
        by = sums[name] / whole[name].where(whole[name] > 0)
        weight = by.where(by.notna(), weight)
    return weight.rename("share").reset_index()[list(COLUMNS)]


def shares_by_parents(parents: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Follow the table `grid_parents` from one boundary version to a later one.

    Parameters
    ----------
    parents
        Table `grid_parents`: `grid_id`, `version`, `from_grid_id`, `from_version`, `households`,
        `share` (of the households of the one it comes from).
    first, last
        Boundary versions, `first` before `last`.

    Returns
    -------
    DataFrame
        As for `shares_by_blocks`, of the grids that changed on the way; any other is itself.
        Shares of a step that do not add up to 1 are completed by `LOST` where less is told, and
        scaled down where more is.

    Raises
    ------
    InputError
        If `last` is before `first`.
    """
    if last < first:
        raise InputError(f"version {last} comes before {first}: name the earlier one first")
    require_columns(
        parents.reset_index(), ("grid_id", "version", "from_grid_id", "share"), "grid_parents"
    )
    table = parents.reset_index()
    steps = sorted({int(v) for v in table["version"] if first < int(v) <= last})
    found: dict[str, dict[str, float]] = {}
    for version in steps:
        step = _step(table[table["version"] == version])
        for origin in step:
            found.setdefault(origin, {origin: 1.0})
        found = {origin: _follow(heirs, step) for origin, heirs in found.items()}
    # Only what stood at `first` is an origin; grids that were made on the way are not.
    made = _made_after(table, first, last)
    rows = [
        (origin, heir, share)
        for origin, heirs in found.items()
        if origin not in made
        for heir, share in heirs.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def move_counts(counts: pd.Series | pd.DataFrame, shares: pd.DataFrame) -> pd.Series | pd.DataFrame:
    """Bring counts of old units to new ones; every sum stays the same.

    Parameters
    ----------
    counts
        Indexed by the id of the old unit, one column or several; a unit that `shares` does not
        name keeps its counts under its own id.
    shares
        From `shares_by_blocks` or `shares_by_parents`.

    Returns
    -------
    Series or DataFrame
        The same columns indexed by new ids, in order of first sight, `LOST` last.
    """
    require_columns(shares, COLUMNS, "shares")
    table = counts.to_frame("count") if isinstance(counts, pd.Series) else counts
    of = {str(k): part for k, part in shares.groupby("from_id", sort=False)}
    sums: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for label, values in zip(
        table.index.astype(str), table.to_numpy(dtype=np.float64), strict=True
    ):
        part = of.get(label)
        pieces = [(label, 1.0)]
        if part is not None:
            pieces = list(zip(part["to_id"].astype(str), part["share"], strict=True))
        left = values.copy()
        for heir, share in pieces[:-1]:
            sums[heir] = sums.get(heir, 0.0) + values * share
            left = left - values * share
        # The last heir gets the rest, so that rounding loses nothing.
        heir = pieces[-1][0]
        sums[heir] = sums.get(heir, 0.0) + left
    order = [name for name in sums if name != LOST] + [LOST] * (LOST in sums)
    moved = pd.DataFrame([sums[name] for name in order], columns=table.columns)
    moved.index = pd.Index(order, dtype=object, name="grid_id")
    return moved["count"].rename(counts.name) if isinstance(counts, pd.Series) else moved


def units_of_counts(counts: pd.Series, boundary: Boundary, level: str) -> pd.Series:
    """Sum counts of grids to the units of a level, on that boundary; what has none is beside.

    Indexed like `Units.rows`; `LOST` and unknown ids are counted as outside.
    """
    units = boundary.units(level)
    size = len(units)
    row = boundary.grids.index.astype(str).get_indexer(counts.index.astype(str))
    if units.shapes is not None:
        raise InputError(
            f"counts without points cannot be told at {level}: choose a level of grids"
        )
    place = np.where(row < 0, size + 1, np.append(units.of_grid, size + 1)[row])
    values = np.bincount(place, weights=counts.to_numpy(dtype=np.float64), minlength=size + 3)
    return pd.Series(values, index=units.rows, name=counts.name)


def _or_lost(ids: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.asarray(ids.astype(object).where(ids.notna(), LOST).to_numpy())


def _step(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Shares of one version: by old grid what goes where."""
    step: dict[str, dict[str, float]] = {}
    told = zip(rows["from_grid_id"], rows["grid_id"], rows["share"], strict=True)
    for origin, heir, share in told:
        heirs = step.setdefault(str(origin), {})
        heirs[str(heir)] = heirs.get(str(heir), 0.0) + (0.0 if pd.isna(share) else float(share))
    for origin, heirs in step.items():
        total = sum(heirs.values())
        if total > 1 - _NEAR:
            step[origin] = {heir: share / total for heir, share in heirs.items()}
        elif total == 0:
            step[origin] = {heir: 1 / len(heirs) for heir in heirs}
        else:
            heirs[LOST] = 1 - total
    return step


def _follow(heirs: dict[str, float], step: dict[str, dict[str, float]]) -> dict[str, float]:
    after: dict[str, float] = {}
    for heir, share in heirs.items():
        for next_heir, part in step.get(heir, {heir: 1.0}).items():
            after[next_heir] = after.get(next_heir, 0.0) + share * part
    return after


def _made_after(table: pd.DataFrame, first: int, last: int) -> set[str]:
    """Ids that came to be after `first`: named as new before they are named as old."""
    made: set[str] = set()
    seen: set[str] = set()
    later = table[(table["version"] > first) & (table["version"] <= last)]
    for version in sorted(set(later["version"])):
        rows = later[later["version"] == version]
        origins = set(rows["from_grid_id"].astype(str))
        seen |= origins - made
        made |= set(rows["grid_id"].astype(str)) - seen
    return made
