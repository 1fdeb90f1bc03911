"""Grids through the gate: a cover without overlaps, dated versions, nothing moved afterwards.

A new version takes the place of the grids in force that bear its ids or share its ground. It gets
the next number and begins at the import, unless the file says otherwise. What the file says is
kept or refused, never replaced: a number that was used already, or a beginning that is not after
that of the grids it ends, would make the past untrue. Only an export that was drawn on comes back
with the numbers and beginnings of the grids in force, all of them: that says nothing.

A grid of the file that is just what is in force, once narrow gaps are closed, keeps its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.errors import CoverError, InputError
from geo.io import _gate_areas
from geo.io._gate_kinds import settle_words
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger
from geo.io.workspace import Workspace


def settle_grids(
    workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Kind, version and dates, then the cover that the new grids form with those that stay."""
    standing = workspace.grids()
    draft = settle_words(draft, ledger, "kind", "kind")
    ended = _ended(draft)
    closing = _replaced_grids(draft[~ended], standing) if wishes.new_version else []
    if closing:
        draft = _let_go_carried(draft, ended, standing, ledger)
        number = int(workspace.read("grids", columns=[])["version"].max()) + 1
        draft = _number_version(draft, ended, standing.loc[closing], number, wishes, ledger)
    draft = _fill_defaults(draft, wishes)
    draft = _refuse_known(workspace, draft, wishes, ledger)
    if draft.empty:
        return draft
    ended = _ended(draft)
    current = draft[~ended]
    if len(current):
        try:
            closed = _gate_areas.close_cover(current, standing.drop(index=closing), wishes, ledger)
        except CoverError:
            ledger.closing = None
            ledger.reject(draft, np.ones(len(draft), dtype=bool), "the whole import was refused")
            raise
        draft = pd.concat([closed, draft[ended]]) if ended.any() else closed
    return _keep_unchanged(draft, standing, ledger)


def _let_go_carried(
    draft: pd.DataFrame, ended: Any, standing: GeoDataFrame, ledger: Ledger
) -> pd.DataFrame:
    """Numbers and beginnings that are all those of the grids in force were carried by an export."""
    if not {"version", "valid_from"} <= set(draft.columns):
        return draft
    told = draft.loc[~ended, ["version", "valid_from"]].dropna()
    pairs = zip(told["version"].astype(int), told["valid_from"], strict=True)
    known = set(zip(standing["version"].astype(int), standing["valid_from"], strict=True))
    if told.empty or not set(pairs) <= known:
        return draft
    ledger.note(
        "version and valid_from are those of the grids in force, as an export has them: the new"
        " grids get the next number and begin now"
    )
    return draft.assign(
        version=draft["version"].astype("Int64").mask(~ended),
        valid_from=draft["valid_from"].mask(~ended),
    )


def _keep_unchanged(draft: pd.DataFrame, standing: GeoDataFrame, ledger: Ledger) -> pd.DataFrame:
    """Mark rows (`_same`) that say of a grid to be replaced just what is stored already."""
    if ledger.closing is None or draft.empty:
        return draft
    closing, begin = ledger.closing
    rows = draft["grid_id"].isin(closing).to_numpy() & ~_ended(draft)
    old = standing.reindex(draft["grid_id"])
    for name in ("name", "kind", "community_code", "households", "population"):
        if name in draft:
            one, two = (
                # Missing values of whatever kind are alike.
                values.astype(object).where(values.notna(), None).to_numpy(dtype=object)
                for values in (draft[name], old[name])
            )
            rows &= np.asarray(one == two, dtype=bool)
    shapes = draft["_shape"].to_numpy(dtype=object)
    there = np.flatnonzero(rows)
    one, two = shapes[there], np.asarray(old.geometry, dtype=object)[there]
    rows[there] = shapely.equals_exact(_whole(one), _whole(two), tolerance=0.0, normalize=True)
    if rows.any():
        same = set(draft.loc[rows, "grid_id"])
        ledger.closing = ([grid for grid in closing if grid not in same], begin)
        ledger.facts["unchanged"] = len(same)
        ledger.note(f"{len(same):,} grids are as they were and keep their row")
    return draft.assign(_same=rows)


def _whole(shapes: Any) -> Any:
    """A multipolygon of one part as that part."""
    out = np.array(shapes, dtype=object)
    lone = (shapely.get_type_id(out) == 6) & (shapely.get_num_geometries(out) == 1)
    out[lone] = shapely.get_geometry(out[lone], 0)
    return out


def _ended(draft: pd.DataFrame) -> Any:
    if "valid_to" not in draft:
        return np.zeros(len(draft), dtype=bool)
    return draft["valid_to"].notna().to_numpy()


def _refuse_known(
    workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Reject what the workspace has: the id, or with a new version the id with its number."""
    keys = workspace.read("grids", columns=[]).reset_index()
    if not wishes.new_version:
        there = draft["grid_id"].isin(keys["grid_id"]).to_numpy()
        advice = "--new-version replaces the grids in force"
        return ledger.reject(draft, there, "already in the workspace", advice)
    known = set(zip(keys["grid_id"], keys["version"].astype(int), strict=True))
    pairs = zip(draft["grid_id"], draft["version"].astype(int), strict=True)
    there = np.array([pair in known for pair in pairs], dtype=bool)
    return ledger.reject(draft, there, "this version is already in the workspace")


def _fill_defaults(draft: pd.DataFrame, wishes: Wishes) -> pd.DataFrame:
    """Base grids of version 1, in force from now on, where the file does not say."""
    moment = pd.Timestamp(wishes.at).tz_convert("UTC")
    nothing = pd.Series(None, index=draft.index, dtype="str")
    never = pd.Series(pd.NaT, index=draft.index, dtype="datetime64[us, UTC]")
    version = draft["version"] if "version" in draft else pd.Series(pd.NA, index=draft.index)
    return draft.assign(
        kind=draft.get("kind", nothing).fillna("base"),
        version=version.astype("Int64").fillna(1),
        valid_from=draft.get("valid_from", never).fillna(moment),
    )


def _number_version(
    draft: pd.DataFrame,
    ended: Any,
    closing: GeoDataFrame,
    number: int,
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """Number and begin the rows in force as the file says, else as version `number` from
    now.

    Raises
    ------
    InputError
        If the file's number or beginning is not after that of the grids it replaces, or it has
        several beginnings.
    """
    last = int(closing["version"].max())
    current = ~ended
    given = draft.get("version", pd.Series(pd.NA, index=draft.index)).astype("Int64")
    told = given[current].dropna()
    if (told <= last).any():
        first = draft.loc[told.index[(told <= last).to_numpy()][0], "grid_id"]
        raise InputError(
            f"the file says version {int(told.min())} for {first}, but version {last} is in force"
            f" already: number it {last + 1}, or let it be numbered with --map version=-"
        )
    begin = _one_begin(draft, current, closing, wishes)
    ledger.closing = (list(closing.index), begin.to_pydatetime())
    never = pd.Series(pd.NaT, index=draft.index, dtype="datetime64[us, UTC]")
    return draft.assign(
        version=given.mask(current & given.isna().to_numpy(), number),
        valid_from=draft.get("valid_from", never).mask(current, begin),
    )


def _one_begin(
    draft: pd.DataFrame, current: Any, closing: GeoDataFrame, wishes: Wishes
) -> pd.Timestamp:
    now = pd.Timestamp(wishes.at).tz_convert("UTC")
    if "valid_from" not in draft:
        return now
    told = draft.loc[current, "valid_from"].dropna().unique()
    if len(told) > 1:
        raise InputError(
            f"the new grids begin at {len(told)} times, from {min(told):%Y-%m-%d %H:%M} to"
            f" {max(told):%Y-%m-%d %H:%M} UTC: a version begins at one moment, give one"
            " valid_from, or --map valid_from=- for now"
        )
    if not len(told):
        return now
    begin, latest = pd.Timestamp(told[0]), closing["valid_from"].max()
    if begin <= latest:
        raise InputError(
            f"the new grids begin at {begin:%Y-%m-%d %H:%M} UTC, but those that they replace began"
            f" at {latest:%Y-%m-%d %H:%M} UTC: give a later valid_from, or --map valid_from=- for"
            " now"
        )
    return begin


def _replaced_grids(draft: pd.DataFrame, standing: GeoDataFrame) -> Sequence[Any]:
    """Grids in force that have the id of a new one or share ground with one."""
    if not len(standing) or draft.empty:
        return []
    same = standing.index.isin(draft["grid_id"])
    shapes = draft["_shape"].to_numpy(dtype=object)
    held = np.asarray(standing.geometry, dtype=object)
    one, two = shapely.STRtree(held).query(shapes, predicate="intersects")
    common = _gate_areas.measure_areas(shapely.intersection(shapes[one], held[two]))
    whole = _gate_areas.measure_areas(held)
    # Sharing a hundredth of a grid is replacing it; less is a border drawn a little differently.
    same[two[common > 0.01 * whole[two]]] = True
    return list(standing.index[same])
