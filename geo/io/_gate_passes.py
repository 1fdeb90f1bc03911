"""The steps that the rows of each kind go through, from the draft to what may be stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo import seams
from geo.io import (
    _gate_areas,
    _gate_cases,
    _gate_classes,
    _gate_grids,
    _gate_ids,
    _gate_kinds,
    _gate_people,
    _gate_points,
    _gate_write,
)
from geo.io._gate_wishes import AREA_KINDS, POINT_KINDS, Wishes
from geo.io._rule_tables import read_classes
from geo.io.gate_report import Ledger, count_of
from geo.io.read import Source
from geo.io.workspace import Workspace
from geo.schema import STORAGE_CRS, TABLES

Step = Callable[[Workspace, pd.DataFrame, Sequence[Source], Wishes, Ledger], pd.DataFrame]


def check_rows(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """The rows that may be stored, settled; the others are in the ledger with their reasons.

    Raises
    ------
    CoverError
        If a hard rule keeps all of them out.
    """
    return _STEPS[wishes.kind](workspace, draft, sources, wishes, ledger)


def _pass_points(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """Assets, cameras, places and incidents."""
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    draft = _gate_kinds.settle_times(draft, wishes, ledger)
    if wishes.kind in ("assets", "cameras"):
        classes = read_classes(workspace.path)
        draft = _gate_kinds.settle_assets(draft, sources, classes, wishes, ledger)
    elif wishes.kind == "places":
        draft = _gate_kinds.settle_named_kind(draft, sources, wishes, ledger)
    else:
        rules = _gate_classes.read_foreign(workspace)
        classes = read_classes(workspace.path)
        draft = _gate_cases.settle_incidents(draft, rules, classes, wishes, ledger)
    draft = _refuse_shapes(draft, wishes, ledger)
    city = _gate_points.read_city(workspace)
    draft = _gate_points.place_points(draft, city, wishes, ledger)
    return _gate_ids.settle_same_ids(draft, wishes, ledger)


def _refuse_shapes(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Points only, and lines for assets."""
    if "_shape" not in draft:
        return draft
    shapes = draft["_shape"].to_numpy(dtype=object)
    there = ~shapely.is_missing(shapes)
    wanted = (1,) if wishes.kind == "assets" else ()
    wrong = there & ~np.isin(shapely.get_type_id(shapes), [1, 5] if wanted else [])
    kinds = np.array([getattr(s, "geom_type", "") for s in shapes], dtype=object)
    what = "neither point nor line" if wanted else "not a point"
    return ledger.reject(draft, wrong, what, kinds)


def _settle_ids(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _gate_ids.clean_ids(draft, wishes, ledger)
    draft = _gate_ids.drop_repeated(draft, sources, wishes, ledger)
    if wishes.update or wishes.kind in ("grids", "divisions"):
        return draft
    there = draft[TABLES[wishes.kind].id].isin(_gate_write.existing_ids(workspace, wishes.kind))
    return ledger.reject(
        draft, there.to_numpy(), "already in the workspace", "--update replaces it"
    )


def _pass_lines(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _gate_kinds.settle_roads(draft, sources, wishes, ledger)
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    draft = _gate_areas.clean_shapes(draft, wishes, ledger, 1)
    draft = _gate_ids.settle_same_ids(draft, wishes, ledger)
    _suspect(workspace, draft, wishes, ledger)
    return draft


def _pass_areas(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    if wishes.kind == "areas":
        draft = _gate_kinds.settle_named_kind(draft, sources, wishes, ledger)
    if wishes.kind == "buildings":
        draft = _gate_kinds.keep_buildings(draft, sources, ledger)
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    if wishes.kind == "divisions":
        draft = _gate_kinds.settle_divisions(draft, wishes, ledger)
    if wishes.kind == "zones":
        draft = _gate_people.require_values(draft, "zones", ledger, ("kind",))
        draft = draft.assign(name=_names_or_ids(draft, "zone_id", ledger))
    draft = _gate_kinds.settle_times(draft, wishes, ledger)
    if "_shape" in draft:
        draft = _gate_areas.clean_shapes(draft, wishes, ledger, 2)
        draft = _gate_areas.require_areas_of_size(draft, ledger)
    draft = _gate_ids.settle_same_ids(draft, wishes, ledger)
    if wishes.kind == "divisions":
        draft = _settle_known_divisions(workspace, draft, wishes, ledger)
    if wishes.kind == "zones":
        _doubt_zones(workspace, draft, ledger)
    _suspect(workspace, draft, wishes, ledger)
    return draft


def _names_or_ids(draft: pd.DataFrame, id_name: str, ledger: Ledger) -> pd.Series:
    nothing = pd.Series(None, index=draft.index, dtype="str")
    names = draft.get("name", nothing)
    if names.isna().any():
        ledger.note(f"{int(names.isna().sum()):,} without a name are called by their id")
        if "name" not in draft:
            ledger.defaults.add("name")
    return names.fillna(draft[id_name])


def _doubt_zones(workspace: Workspace, draft: pd.DataFrame, ledger: Ledger) -> None:
    """Zones of one set may overlap, but mostly they should not: it is told with the places."""
    stored = workspace.read("zones", columns=["kind", "geom"])
    stored = stored[~stored.index.isin(draft["zone_id"])]
    new = gpd.GeoDataFrame(
        {"kind": draft["kind"].to_numpy()},
        geometry=list(draft["_shape"]),
        index=pd.Index(draft["zone_id"]),
        crs=STORAGE_CRS,
    )
    both = pd.concat([stored[["kind", "geometry"]], new]) if len(stored) else new
    for kind, zones in gpd.GeoDataFrame(both, geometry="geometry", crs=STORAGE_CRS).groupby("kind"):
        if len(zones) < 2 or not zones.index.isin(draft["zone_id"]).any():
            continue
        crs = _gate_areas.metric_crs_of(np.asarray(zones.geometry, dtype=object))
        overlaps = seams.find_overlaps(zones[["geometry"]].to_crs(crs))
        mine = set(draft["zone_id"])
        overlaps = overlaps[[bool(mine & set(pair)) for pair in overlaps["ids"]]]
        if len(overlaps):
            _gate_areas.list_places(overlaps, f"zones of {kind} overlap", "warning", ledger)
            ledger.warn(
                f"{count_of(len(overlaps), 'overlap')} between zones of {kind}: kept, what lies"
                " in two of them counts in each"
            )


def _settle_known_divisions(
    workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """A division known by its code only takes its name; others that are there are rejected."""
    known = workspace.read("divisions", columns=["name", "geom"])
    there = draft["code"].isin(known.index).to_numpy()
    if not there.any():
        return draft
    old = known.reindex(draft["code"])
    nameless = there & (old["name"] == old.index).to_numpy()
    shapeless = there & shapely.is_missing(np.asarray(old["geometry"], dtype=object))
    shapeless &= ~shapely.is_missing(_gate_write.shapes_of(draft))
    if nameless.any():
        ledger.facts["named"] = int(nameless.sum())
    if wishes.update:
        return draft
    fixed = there & ~nameless & ~shapeless
    return ledger.reject(draft, fixed, "already in the workspace", "--update replaces it")


def _pass_grids(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    draft = _pass_areas(workspace, draft, sources, wishes, ledger)
    return _gate_grids.settle_grids(workspace, draft, wishes, ledger)


def _pass_people(
    workspace: Workspace,
    draft: pd.DataFrame,
    sources: Sequence[Source],
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """Tables without a place: workers, departments, duties, the calendar."""
    if wishes.kind == "calendar":
        draft = _gate_people.settle_calendar(draft, wishes, ledger)
    draft = _settle_ids(workspace, draft, sources, wishes, ledger)
    draft = _gate_kinds.settle_times(draft, wishes, ledger)
    if wishes.kind == "workers":
        draft = _gate_people.settle_workers(draft, wishes, ledger)
    elif wishes.kind == "duties":
        draft = _gate_people.settle_duties(workspace, draft, wishes, ledger)
    elif wishes.kind == "departments":
        draft = _gate_people.require_values(draft, "departments", ledger, ("name",))
    return _gate_ids.settle_same_ids(draft, wishes, ledger)


_STEPS: dict[str, Step] = {
    **dict.fromkeys(POINT_KINDS, _pass_points),
    **dict.fromkeys(AREA_KINDS, _pass_areas),
    **dict.fromkeys(("workers", "departments", "duties", "calendar"), _pass_people),
    "roads": _pass_lines,
    "grids": _pass_grids,
}


def _suspect(workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> None:
    """Compare a new layer of lines or polygons with what the workspace has."""
    if draft.empty or "_shape" not in draft:
        return
    city = _gate_points.read_city(workspace)
    roads = workspace.read("roads", columns=["geom"], limit=50_000)
    assets = workspace.read("assets", columns=["geom"], limit=50_000)
    shapes = draft["_shape"].to_numpy(dtype=object)
    layer = gpd.GeoDataFrame(geometry=list(shapes[~shapely.is_missing(shapes)]), crs=STORAGE_CRS)
    if layer.empty:
        return
    _gate_points.warn_of_shift(
        layer,
        city,
        wishes,
        ledger,
        lines=GeoDataFrame(roads) if len(roads) else None,
        points=GeoDataFrame(assets) if len(assets) else None,
    )
