"""Divisions that come with their grids: columns of upper levels, or codes alone.

The columns beside a grid (`geo/data/field_names.csv`, kind `parents`) name its upper levels. The
lowest of them is what the grid lies in. A division that the workspace lacks is made from the
union of its grids. Levels: a county is a district if a city stands above it, else it is taken for
the city and its towns for districts (as in Taiwan); otherwise names say what they are. Chinese
codes of 6, 9 or 12 digits say their level themselves, and their upper divisions follow from them.
A division known by its code only bears the code as its name until a list of names comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo import codes, datum
from geo.io.fields import TIERS
from geo.io.gate_report import Ledger
from geo.io.workspace import Workspace
from geo.schema import LEVELS, STORAGE_CRS

_CODE_LENGTHS = (6, 9, 12)


def assign_parents(
    draft: pd.DataFrame, workspace: Workspace, ledger: Ledger, *, with_shapes: bool
) -> tuple[pd.DataFrame, GeoDataFrame]:
    """Set `community_code` of every row and make the divisions that the workspace lacks.

    Returns
    -------
    draft, divisions
        The rows with `community_code` and without the columns of upper levels; the new divisions
        indexed by `code`, with shapes if `with_shapes`.
    """
    table = _tiers(draft, ledger)
    out = draft.drop(columns=[c for c in draft.columns if _is_parent_column(c)])
    if table.empty:
        return out, _divisions([], draft, with_shapes=False)
    lowest = table.groupby("at", sort=False)["code"].last()
    out["community_code"] = lowest.reindex(out.index).astype("str")
    known = workspace.read("divisions", columns=["level", "name", "parent_code"])
    wanted = _complete_upward(table)
    new = [row for row in wanted if row["code"] not in known.index]
    made = _divisions(new, draft, with_shapes=with_shapes, table=table)
    if len(made):
        counts = made["level"].value_counts()
        listed = ", ".join(f"{counts[lv]:,} {lv}" for lv in LEVELS if lv in counts)
        ledger.facts["divisions_made"] = ledger.facts.get("divisions_made", 0) + len(made)
        how = "from the union of their grids" if with_shapes else "by their code"
        ledger.note(f"divisions made {how}: {listed}")
    return out, made


def _is_parent_column(name: str) -> bool:
    tier, _, part = name.rpartition("_")
    return tier in TIERS and part in ("code", "name") and name != "community_code"


def _tiers(draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """One row a grid and level, from the top: at (row label), level, code, name, parent."""
    present = [t for t in TIERS if {f"{t}_code", f"{t}_name"} & set(draft.columns)]
    if not present:
        return _from_grid_ids(draft)
    chinese = _lies_in_china(draft)
    levels = _levels_of(present)
    parts: list[pd.DataFrame] = []
    upper = pd.Series(None, index=draft.index, dtype="str")
    taken: dict[str, str] = {}
    for tier in present:
        level = levels[tier]
        nothing = pd.Series(None, index=draft.index, dtype="str")
        code = _plain_codes(draft.get(f"{tier}_code", nothing), chinese=chinese)
        name = draft.get(f"{tier}_name", nothing)
        if f"{tier}_code" not in draft.columns:
            code = name.where(upper.isna(), upper + "-" + name)
        code = _apart(code, upper, level, taken)
        name = name.fillna(draft.get(f"{tier}_code", nothing)).fillna(code)
        part = pd.DataFrame({"at": draft.index, "level": level, "code": code, "name": name})
        part["parent"] = upper
        parts.append(part[code.notna()])
        upper = code.fillna(upper)
    table = pd.concat(parts)
    _warn_of_strays(table, ledger)
    return table


def _levels_of(present: Sequence[str]) -> dict[str, str]:
    levels = {t: t for t in present if t in LEVELS}
    county_is_city = "county" in present and not {"city", "district"} & set(present)
    levels["county"] = "city" if county_is_city else "district"
    if county_is_city and "town" not in present:
        levels["county"] = "district"
    is_town_district = levels["county"] == "city" and "town" in present
    levels["town"] = "district" if is_town_district else "street"
    return {t: levels[t] for t in present}


def _plain_codes(values: pd.Series, *, chinese: bool) -> pd.Series:
    text = values.astype("str").str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    if chinese:
        short = text.str.match(r"^[1-8]\d+$", na=False) & text.str.len().isin(_CODE_LENGTHS)
        text = text.mask(short, text.str.pad(12, side="right", fillchar="0"))
    return text


def _apart(code: pd.Series, upper: pd.Series, level: str, taken: dict[str, str]) -> pd.Series:
    """Codes that another level uses already get the code above in front."""
    clash = code.isin([c for c, other in taken.items() if other != level])
    out = code.mask(clash & upper.notna(), upper + "-" + code)
    taken.update(dict.fromkeys(out.dropna().unique(), level))
    return out


def _warn_of_strays(table: pd.DataFrame, ledger: Ledger) -> None:
    for column, words in (("parent", "lie in two divisions"), ("name", "have two names")):
        counts = table.groupby("code")[column].nunique()
        strays = list(counts[counts > 1].index)
        if strays:
            ledger.warn(
                f"{len(strays):,} divisions {words} in the file, the commoner one counts:"
                f" {', '.join(map(str, strays[:5]))}"
            )


def _lies_in_china(draft: pd.DataFrame) -> bool:
    if "_shape" not in draft:
        return True
    shapes = draft["_shape"].to_numpy(dtype=object)
    west, south, east, north = shapely.total_bounds(shapes)
    return bool(np.all(datum.in_china((west + east) / 2, (south + north) / 2)))


def _from_grid_ids(draft: pd.DataFrame) -> pd.DataFrame:
    """Grid ids of the product are a community's 12 digits and a number: 15 (or 14) digits."""
    empty = pd.DataFrame(
        {c: pd.Series(dtype="str") for c in ("at", "level", "code", "name", "parent")}
    )
    if "grid_id" not in draft or not _lies_in_china(draft):
        return empty
    ids = draft["grid_id"].astype("str")
    if not ids.str.fullmatch(r"[1-8]\d{13,14}").all():
        return empty
    code = ids.str.slice(0, 12)
    if any(codes.division_level(c) != "community" for c in code.unique()):
        return empty
    return pd.DataFrame(
        {"at": draft.index, "level": "community", "code": code, "name": code, "parent": None}
    )


def _complete_upward(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Every division of the table, and those that Chinese codes imply, the top first."""
    rows: dict[str, dict[str, Any]] = {}
    for code, part in table.groupby("code", sort=False):
        level = part["level"].iloc[0]
        if codes.is_division_code(code):
            level = codes.division_level(code)
        common = part["parent"].dropna().mode()
        rows[code] = {
            "code": code,
            "level": level,
            "name": part["name"].mode().iloc[0],
            "parent_code": common.iloc[0] if len(common) else None,
        }
    for code in list(rows):
        at = code
        while codes.is_division_code(at):
            above = codes.parent_code(at)
            if above is None or codes.division_level(above) == "province":
                break
            if rows[at]["parent_code"] is None or codes.is_division_code(rows[at]["parent_code"]):
                rows[at]["parent_code"] = above
            level = codes.division_level(above)
            rows.setdefault(
                above, {"code": above, "level": level, "name": above, "parent_code": None}
            )
            at = above
    return sorted(rows.values(), key=lambda row: LEVELS.index(row["level"]))


def _divisions(
    rows: Sequence[dict[str, Any]],
    draft: pd.DataFrame,
    *,
    with_shapes: bool,
    table: pd.DataFrame | None = None,
) -> GeoDataFrame:
    shapes: npt.NDArray[Any] = np.full(len(rows), None, dtype=object)
    if with_shapes and table is not None:
        members = _members(rows, table)
        held = draft["_shape"]
        for at, row in enumerate(rows):
            mine = held.reindex(members.get(row["code"], [])).dropna().to_numpy(dtype=object)
            shapes[at] = shapely.union_all(mine) if len(mine) else None
    frame = pd.DataFrame(list(rows), columns=["code", "level", "name", "parent_code"]).astype("str")
    geometry = gpd.GeoSeries(list(shapes), index=frame.index, crs=STORAGE_CRS)
    return gpd.GeoDataFrame(frame, geometry=geometry).set_index("code")


def _members(rows: Sequence[dict[str, Any]], table: pd.DataFrame) -> dict[str, list[Any]]:
    """Row labels of the grids of each division; implied ones take those of their children."""
    out = {code: list(part["at"]) for code, part in table.groupby("code", sort=False)}
    for row in reversed(rows):
        above = row["parent_code"]
        if above is not None and above not in set(table["code"]):
            out.setdefault(above, []).extend(out.get(row["code"], []))
    return out
