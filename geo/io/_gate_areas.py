"""Polygons and lines through the gate: valid, whole, and grids without overlap.

Safe repairs, each counted with its square metres: invalid polygons made valid, points and lines
dropped from collections, parts of one feature joined, and borders of grids closed up to the
stated width. What is wider is refused: an overlap between grids always, a gap unless gaps are
allowed. A grid that is already published is never moved: a new neighbour is cut back to it where
they overlap by no more than that width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo import datum, seams
from geo.errors import CoverError
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger, count_of
from geo.schema import STORAGE_CRS

Shapes = npt.NDArray[Any]

_REPAIRS = {
    "made_valid": "invalid polygons made valid",
    "overlap_removed": "narrow overlaps of grids removed",
    "gap_closed": "narrow gaps between grids closed",
    "seam_closed": "narrow open seams between grids closed",
    "borders_matched": "borders of neighbours given the same vertices",
}
_MOST_NAMED = 5


def clean_shapes(
    draft: pd.DataFrame, wishes: Wishes, ledger: Ledger, dimension: int
) -> pd.DataFrame:
    """Keep shapes of one dimension (1 lines, 2 polygons), valid; reject the rest with a reason.

    Rows without a shape are rejected where the table needs one, else they stay.
    """
    for reason in [r for r in draft["_place"].unique() if r]:
        hit = (draft["_place"] == reason).to_numpy()
        if reason == "no shape" and wishes.kind == "divisions":
            draft.loc[hit, "_shape"] = None
            continue
        draft = ledger.reject(draft, hit, reason)
    draft = draft.copy()
    shapes = draft["_shape"].to_numpy(dtype=object)
    outside = _beyond_world(shapes)
    draft = ledger.reject(draft, outside, "coordinates outside the world")
    draft = _keep_dimension(draft, dimension, ledger)
    if dimension == 2:
        return _make_valid(draft, ledger)
    flat = shapely.length(draft["_shape"].to_numpy(dtype=object)) == 0
    return ledger.reject(draft, flat, "line without length")


def _beyond_world(shapes: Shapes) -> npt.NDArray[np.bool_]:
    bounds = shapely.bounds(shapes)
    with np.errstate(invalid="ignore"):
        beyond = (np.abs(bounds) > (180.0, 90.0, 180.0, 90.0)).any(axis=1) | np.isinf(bounds).any(
            axis=1
        )
    return np.asarray(beyond & ~shapely.is_missing(shapes), dtype=bool)


def _keep_dimension(draft: pd.DataFrame, dimension: int, ledger: Ledger) -> pd.DataFrame:
    shapes = draft["_shape"].to_numpy(dtype=object)
    mixed = shapely.get_type_id(shapes) == 7
    if mixed.any():
        shapes = shapes.copy()
        shapes[mixed] = [_parts_of(s, dimension) for s in shapes[mixed]]
        draft["_shape"] = shapes
        ledger.repair("collections reduced to their " + _word(dimension), int(mixed.sum()))
    wrong = ~shapely.is_missing(shapes) & (shapely.get_dimensions(shapes) != dimension)
    wrong |= shapely.is_empty(shapes) & ~shapely.is_missing(shapes)
    kinds = np.array([getattr(s, "geom_type", "") for s in shapes], dtype=object)
    return ledger.reject(draft, wrong, f"not a {_word(dimension)[:-1]}", kinds)


def _word(dimension: int) -> str:
    return "polygons" if dimension == 2 else "lines"


def _parts_of(shape: Any, dimension: int) -> Any:
    parts = shapely.get_parts(shape)
    while (shapely.get_type_id(parts) == 7).any():
        parts = shapely.get_parts(parts)
    parts = shapely.get_parts(parts)
    kept = parts[shapely.get_dimensions(parts) == dimension]
    return shapely.union_all(kept) if len(kept) else shape


def _make_valid(draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    shapes = draft["_shape"].to_numpy(dtype=object)
    broken = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    if not broken.any():
        return draft
    repaired = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    repaired = np.array([_parts_of(s, 2) for s in repaired], dtype=object)
    lost = shapely.is_empty(repaired) | (shapely.get_dimensions(repaired) < 2)
    reasons = shapely.is_valid_reason(shapes)
    changed = measure_areas(repaired[~lost]) - measure_areas(shapes[broken][~lost])
    hit = np.flatnonzero(broken)
    draft = draft.copy()
    out = shapes.copy()
    out[hit[~lost]] = repaired[~lost]
    draft["_shape"] = out
    fixed = np.zeros(len(draft), dtype=bool)
    fixed[hit[~lost]] = True
    ledger.repair(_REPAIRS["made_valid"], int(fixed.sum()), area_m2=float(np.abs(changed).sum()))
    ledger.point_out(draft, fixed, "invalid polygon, made valid", reasons)
    gone = np.zeros(len(draft), dtype=bool)
    gone[hit[lost]] = True
    return ledger.reject(draft, gone, "polygon without area", reasons)


def measure_areas(shapes: Shapes) -> npt.NDArray[np.float64]:
    """Areas in square metres of polygons in degrees."""
    if not len(shapes):
        return np.zeros(0)
    layer = gpd.GeoSeries(list(shapes), crs=STORAGE_CRS)
    areas: npt.NDArray[np.float64] = layer.to_crs(metric_crs_of(shapes)).area.to_numpy()
    return areas


def metric_crs_of(shapes: Shapes) -> Any:
    """The metric CRS for work on shapes in degrees, by the middle of their box."""
    west, south, east, north = shapely.total_bounds(shapes)
    return datum.metric_crs((west + east) / 2, (south + north) / 2)


def require_areas_of_size(draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Reject polygons that have no area once they are valid."""
    shapes = draft["_shape"].to_numpy(dtype=object)
    there = ~shapely.is_missing(shapes)
    nothing = there.copy()
    nothing[there] = measure_areas(shapes[there]) < seams.NOISE_M2
    return ledger.reject(draft, nothing, "polygon without area")


def close_cover(
    draft: pd.DataFrame, standing: GeoDataFrame, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Repair the cover that new grids form with the standing ones, or refuse it.

    Parameters
    ----------
    draft
        New grids in force, one row each, with `grid_id` and `_shape`.
    standing
        Grids in force that stay, indexed by `grid_id`; never changed.

    Returns
    -------
    DataFrame
        The draft with repaired shapes.

    Raises
    ------
    CoverError
        If grids overlap by more than the width, or gaps remain that are not allowed. The places
        are among the problems.
    """
    ids = draft["grid_id"].to_numpy(dtype=object)
    shapes = _cut_back(draft["_shape"].to_numpy(dtype=object), ids, standing, wishes, ledger)
    layer = gpd.GeoDataFrame(geometry=list(shapes), index=ids, crs=STORAGE_CRS)
    repaired, changes = seams.repair_cover(layer, snap_m=wishes.snap_m)
    for change in changes.itertuples(index=False):
        ledger.repair(
            _REPAIRS.get(change.change, str(change.change)),
            int(change.count),
            area_m2=float(change.area_m2),
            detail=f"up to {wishes.snap_m:g} m wide" if change.change != "made_valid" else "",
        )
    crs = metric_crs_of(np.asarray(repaired.geometry, dtype=object))
    new = repaired.to_crs(crs)
    old = standing[["geometry"]].to_crs(crs) if len(standing) else new.iloc[:0]
    cover = gpd.GeoDataFrame(pd.concat([old, new[["geometry"]]]), geometry="geometry", crs=crs)
    _refuse_overlaps(cover, set(ids), wishes, ledger)
    _judge_gaps(cover, set(ids), wishes, ledger)
    slivers = seams.find_slivers(cover)
    if len(slivers):
        list_places(slivers, "sliver", "warning", ledger)
        ledger.warn(
            f"{count_of(len(slivers), 'sliver')} thinner than a metre among the grids,"
            " nothing was done about it"
        )
    return draft.assign(_shape=np.asarray(repaired.geometry, dtype=object))


def _cut_back(
    shapes: Shapes, ids: Shapes, standing: GeoDataFrame, wishes: Wishes, ledger: Ledger
) -> Shapes:
    """Take off what new grids hold of standing ones, where it is no wider than the width."""
    if not len(standing):
        return shapes
    held = np.asarray(standing.geometry, dtype=object)
    one, two = shapely.STRtree(held).query(shapes, predicate="intersects")
    if not len(one):
        return shapes
    crs = metric_crs_of(shapes)
    new = gpd.GeoSeries(list(shapes), crs=STORAGE_CRS).to_crs(crs).to_numpy()
    old = gpd.GeoSeries(list(held), crs=STORAGE_CRS).to_crs(crs).to_numpy()
    common = shapely.intersection(new[one], old[two])
    narrow = (shapely.area(common) > seams.NOISE_M2) & shapely.is_empty(
        shapely.buffer(common, -wishes.snap_m / 2)
    )
    out = shapes.copy()
    for at in np.unique(one[narrow]):
        out[at] = shapely.difference(out[at], shapely.union_all(held[two[narrow & (one == at)]]))
    ledger.repair(
        "new grids cut back to the border of published ones",
        len(np.unique(one[narrow])),
        area_m2=float(shapely.area(common[narrow]).sum()),
        detail=f"up to {wishes.snap_m:g} m wide",
    )
    return out


def _refuse_overlaps(cover: GeoDataFrame, new: set[Any], wishes: Wishes, ledger: Ledger) -> None:
    overlaps = seams.find_overlaps(cover)
    concerned = overlaps[[bool(new & set(pair)) for pair in overlaps["ids"]]]
    if concerned.empty:
        return
    list_places(concerned, "overlap", "error", ledger)
    with_old = any(not set(pair) <= new for pair in concerned["ids"])
    advice = "correct the borders"
    if with_old:
        advice += ", or replace the grids that are there with --new-version"
    raise CoverError(
        f"{count_of(len(concerned), 'overlap')} between grids,"
        f" {concerned['area_m2'].sum():,.0f} m2, wider than {wishes.snap_m:g} m:"
        f" {_name_places(concerned)}; {advice}"
    )


def _judge_gaps(cover: GeoDataFrame, new: set[Any], wishes: Wishes, ledger: Ledger) -> None:
    gaps = seams.find_gaps(cover)
    concerned = gaps[[bool(new & set(around)) for around in gaps["ids"]]]
    if concerned.empty:
        return
    total = f"{count_of(len(concerned), 'gap')} between grids, {concerned['area_m2'].sum():,.0f} m2"
    if not wishes.allow_gaps:
        list_places(concerned, "gap", "error", ledger)
        raise CoverError(
            f"{total}, wider than {wishes.snap_m:g} m: {_name_places(concerned)}; close them, or"
            " accept them (a lake, another city) with --allow-gaps"
        )
    list_places(concerned, "gap", "warning", ledger)
    ledger.warn(f"{total}, accepted by --allow-gaps: points in them belong to no grid")


def _name_places(places: pd.DataFrame) -> str:
    first = places.sort_values("area_m2", ascending=False).head(_MOST_NAMED)
    words = [
        f"{' and '.join(str(i) for i in _few(ids))} ({area:,.2f} m2)"
        for ids, area in zip(first["ids"], first["area_m2"], strict=True)
    ]
    return ", ".join(words) + (", …" if len(places) > len(first) else "")


def _few(ids: Iterable[Any]) -> Sequence[Any]:
    listed = list(ids)
    return listed if len(listed) <= 3 else [*listed[:3], f"{len(listed) - 3} more"]


def list_places(places: GeoDataFrame, reason: str, severity: str, ledger: Ledger) -> None:
    """Put overlaps or gaps among the problems, with ids and square metres."""
    stored = places.to_crs(STORAGE_CRS)
    details = [
        f"{', '.join(str(i) for i in _few(ids))}: {area:,.2f} m2"
        for ids, area in zip(places["ids"], places["area_m2"], strict=True)
    ]
    ledger.point_out_places(reason, list(stored.geometry), details, severity)
