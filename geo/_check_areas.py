"""Checks of polygons and of how they hang together: cover, nesting, parents, versions.

Public names are handed on by `geo.checks`.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._check_rows import _labels, moments_of
from geo._problems import join_problems, make_problems
from geo.codes import division_level, is_division_code, parent_code
from geo.datum import metric_crs
from geo.schema import LEVELS
from geo.seams import SLIVER_M, find_gaps, find_overlaps, find_slivers, find_unmatched

BAND = (200, 500)
"""Households of a base grid: 300 to 500 by GB/T 34300, and about 200 in many cities."""
EDGE_SHARE = 0.001
"""A thousandth of an area may differ where two surveys of one border meet."""
COVERS = (("base", "dedicated"), ("unit",), ("duty",))
"""Kinds of grids that together form a cover; unit and duty grids lie over the others."""


def check_polygons(frame: gpd.GeoDataFrame, *, table: str, needed: bool = True) -> gpd.GeoDataFrame:
    """Check that each row has a polygon, not empty and valid; `needed` reports missing ones."""
    labels = _labels(frame, table)
    shapes = frame.geometry.to_numpy()
    gone = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    found = []
    if needed:
        rows = np.flatnonzero(gone)
        found.append(make_problems(table, "no_polygon", labels[rows], "empty", rows=rows))
    flat = shapely.get_dimensions(shapes) == 2
    rows = np.flatnonzero(~gone & ~flat)
    texts = [f"a {shape.geom_type}" for shape in shapes[rows]]
    found.append(
        make_problems(table, "no_polygon", labels[rows], texts, shapes=shapes[rows], rows=rows)
    )
    rows = np.flatnonzero(~gone & flat & ~shapely.is_valid(shapes))
    texts = [str(reason) for reason in shapely.is_valid_reason(shapes[rows])]
    found.append(
        make_problems(table, "invalid_polygon", labels[rows], texts, shapes=shapes[rows], rows=rows)
    )
    return join_problems(found)


def check_cover(
    frame: gpd.GeoDataFrame, *, table: str, gaps: bool = True, sliver_m: float = SLIVER_M
) -> gpd.GeoDataFrame:
    """Check that polygons in EPSG:4326 form a cover: overlaps, gaps, slivers, unmatched borders.

    Areas and widths are measured in the metric CRS of the middle and named in the detail. A gap
    is enclosed ground, see `geo.seams`. `gaps=False` leaves gaps out (blocks leave the streets
    open).
    """
    shapes = frame.geometry.to_numpy()
    real = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    real &= shapely.get_dimensions(shapes) == 2
    if not real.any():
        return join_problems([])
    labels = _labels(frame, table)[real]
    cover = _metric(
        gpd.GeoDataFrame(index=pd.RangeIndex(len(labels)), geometry=shapes[real], crs="EPSG:4326")
    )
    found = [_pieces(table, "overlap", find_overlaps(cover), labels)]
    if gaps:
        found.append(_pieces(table, "gap", find_gaps(cover), labels))
    found.append(_pieces(table, "sliver", find_slivers(cover, width_m=sliver_m), labels))
    # An overlap or sliver already says why its edges do not match.
    named = {one for piece in found for ids in piece["id"] for one in ids.split(", ")}
    edges = find_unmatched(cover)
    rest = np.array([str(labels[ids[0]]) not in named for ids in edges["ids"]], dtype=bool)
    edges = edges[rest]
    ids = [labels[i[0]] for i in edges["ids"]]
    texts = [f"{length:.1f} m of border" for length in edges["length_m"]]
    found.append(make_problems(table, "unmatched_border", ids, texts, shapes=_degrees(edges)))
    return join_problems(found)


def check_grid_covers(grids: gpd.GeoDataFrame, *, gaps: bool = True) -> gpd.GeoDataFrame:
    """`check_cover` for each set of kinds that forms a cover: base with dedicated, unit, duty."""
    if "kind" not in grids.columns:
        return check_cover(grids, table="grids", gaps=gaps)
    kinds = grids["kind"].fillna("base")
    return join_problems(
        check_cover(
            grids[kinds.isin(names).to_numpy()], table="grids", gaps=gaps and names[0] == "base"
        )
        for names in COVERS
    )


def check_households(grids: gpd.GeoDataFrame, *, band: tuple[int, int] = BAND) -> gpd.GeoDataFrame:
    """Check that each base grid has as many households as the band; missing figures pass."""
    if "households" not in grids.columns:
        return join_problems([])
    low, high = band
    count = pd.to_numeric(grids["households"], errors="coerce").astype("Float64")
    base = (
        (grids["kind"] == "base") if "kind" in grids.columns else pd.Series(True, index=grids.index)
    )
    base = base.fillna(False).to_numpy(dtype=bool)
    labels, shapes = _labels(grids, "grids"), grids.geometry.to_numpy()
    found = []
    for reason, hit in (("households_few", count < low), ("households_many", count > high)):
        rows = np.flatnonzero(hit.fillna(False).to_numpy(dtype=bool) & base)
        texts = [f"{int(n)} households, band {low} to {high}" for n in count.iloc[rows]]
        found.append(
            make_problems("grids", reason, labels[rows], texts, shapes=shapes[rows], rows=rows)
        )
    return join_problems(found)


def check_nesting(
    children: gpd.GeoDataFrame,
    divisions: gpd.GeoDataFrame,
    *,
    table: str = "grids",
    covered: bool = True,
) -> gpd.GeoDataFrame:
    """Check that grids (or blocks) lie in their community, and that they cover it.

    A row without community_code (where there are communities, or other rows have one), with
    one that is not there, or that reaches out by more than a thousandth of its area; a community
    of which more than a thousandth is not covered by its rows (`covered`; a community without
    any counts too once some community has rows). Only communities with a polygon are measured.
    Both tables in EPSG:4326.
    """
    labels, shapes = _labels(children, table), children.geometry.to_numpy()
    codes = children["community_code"] if "community_code" in children.columns else None
    if codes is None or divisions.empty:
        return join_problems([])
    codes = codes.astype(object).where(codes.notna(), None)
    table_of = divisions.set_index("code") if "code" in divisions.columns else divisions
    none = codes.isna().to_numpy()
    if none.all() and "community" not in set(table_of["level"]):
        return join_problems([])
    unknown = ~none & ~codes.isin(table_of.index).to_numpy()
    rows, others = np.flatnonzero(none), np.flatnonzero(unknown)
    found = [
        make_problems(table, "no_community", labels[rows], shapes=shapes[rows], rows=rows),
        make_problems(
            table,
            "unknown_community",
            labels[others],
            [f"community_code {code}" for code in codes.iloc[others]],
            shapes=shapes[others],
            rows=others,
        ),
    ]
    areas = table_of.geometry.to_numpy()
    drawn = table_of.index[~(shapely.is_missing(areas) | shapely.is_empty(areas))]
    inside = np.flatnonzero(codes.isin(drawn).to_numpy() & ~shapely.is_missing(shapes))
    if inside.size:
        found += _fit(table, children.iloc[inside], codes.iloc[inside], table_of, inside, covered)
    return join_problems(found)


def check_parents(divisions: pd.DataFrame) -> gpd.GeoDataFrame:
    """Check the tree of divisions: parents that are there, of a higher level, not in a circle.

    A 12-digit code whose own digits name another parent that is in the table is reported too.
    """
    labels = _labels(divisions, "divisions")
    ids = [str(label) for label in labels]
    level = dict(zip(ids, divisions["level"].astype(object), strict=True))
    parent = {
        i: str(p)
        for i, p in zip(ids, divisions["parent_code"].astype(object), strict=True)
        if isinstance(p, str) and p
    }
    rank = {name: k for k, name in enumerate(LEVELS)}
    highest = min((rank.get(str(v), len(rank)) for v in level.values()), default=0)
    notes: dict[str, list[tuple[int, str]]] = {}

    def note(reason: str, row: int, detail: str) -> None:
        notes.setdefault(reason, []).append((row, detail))

    for row, code in enumerate(ids):
        above = parent.get(code)
        own = rank.get(str(level[code]), -1)
        if above is None:
            if own > highest:
                note("no_parent", row, f"a {level[code]}")
        elif above not in level:
            note("unknown_parent", row, f"parent_code {above}")
        elif _circles(code, parent):
            note("parent_circle", row, f"through {above}")
        elif own <= rank.get(str(level[above]), -1):
            note("wrong_level", row, f"a {level[code]} below {above}, a {level[above]}")
        if is_division_code(code):
            said = _nearest(code, level)
            if above is not None and above in level and said is not None and said != above:
                note("code_disagrees", row, f"parent_code {above}, the code says {said}")
            elif level[code] in rank and division_level(code) != level[code]:
                note(
                    "code_disagrees", row, f"a {level[code]}, the code says {division_level(code)}"
                )
    return join_problems(
        make_problems(
            "divisions",
            reason,
            labels[[r for r, _ in some]],
            [d for _, d in some],
            rows=[r for r, _ in some],
        )
        for reason, some in notes.items()
    )


def check_versions(grids: pd.DataFrame) -> gpd.GeoDataFrame:
    """Check the dates of all versions of each grid: in order, one after the other, one open.

    A version ends after it begins, the next begins no sooner than it ends, and numbers rise with
    time. Give all versions, not only those in force.
    """
    frame = pd.DataFrame(
        {
            "id": _labels(grids, "grids"),
            "version": grids["version"].to_numpy(),
            "start": moments_of(grids, "valid_from").array,
            "end": moments_of(grids, "valid_to").array,
            "row": np.arange(len(grids)),
        }
    ).sort_values(["id", "version", "start"], ignore_index=True)
    later = frame["id"].eq(frame["id"].shift(-1))
    next_start, next_number = frame["start"].shift(-1), frame["version"].shift(-1)
    tests = (
        ((frame["end"] <= frame["start"]), "ends before it begins"),
        (later & (next_number == frame["version"]).fillna(False), "the same version number twice"),
        (later & frame["end"].isna(), "is still open though a later version follows"),
        (later & (frame["end"] > next_start), "ends after the next version begins"),
    )
    found = []
    for hit, words in tests:
        some = frame[hit.fillna(False).to_numpy(dtype=bool)]
        texts = [f"version {v} {words}" for v in some["version"]]
        found.append(make_problems("grids", "version_order", some["id"], texts, rows=some["row"]))
    return join_problems(found)


def _fit(
    table: str,
    children: gpd.GeoDataFrame,
    codes: pd.Series,
    divisions: gpd.GeoDataFrame,
    rows: NDArray[np.intp],
    covered: bool,
) -> list[gpd.GeoDataFrame]:
    """Rows that reach out of their community, and communities that are not covered."""
    at_level = divisions[(divisions["level"] == "community") | divisions.index.isin(codes)]
    at_level = at_level[
        ~(shapely.is_missing(at_level.geometry) | shapely.is_empty(at_level.geometry))
    ]
    crs = _crs_of(children)
    inner = _valid(children.to_crs(crs))
    outer = pd.Series(_valid(at_level.to_crs(crs)), index=at_level.index, dtype=object)
    mine = outer.reindex(codes.to_numpy()).to_numpy()
    rest = shapely.difference(inner, mine)
    share = shapely.area(rest) / np.maximum(shapely.area(inner), 1e-9)
    out = np.flatnonzero(share > EDGE_SHARE)
    labels = _labels(children, table)
    texts = [
        f"{s:.1%} ({a:,.0f} m2) outside {c}"
        for s, a, c in zip(share[out], shapely.area(rest[out]), codes.iloc[out], strict=True)
    ]
    found = [
        make_problems(
            table,
            "outside_community",
            labels[out],
            texts,
            shapes=_to_degrees(rest[out], crs),
            rows=rows[out],
        )
    ]
    if covered:
        held = pd.Series(inner, dtype=object).groupby(codes.to_numpy()).agg(shapely.union_all)
        empty = shapely.Polygon()
        held = held.reindex(outer.index)
        union = np.array([empty if g is None or g != g else g for g in held], dtype=object)
        bare = shapely.difference(outer.to_numpy(), union)
        bare_share = shapely.area(bare) / np.maximum(shapely.area(outer.to_numpy()), 1e-9)
        is_community = (at_level["level"] == "community").to_numpy()
        miss = np.flatnonzero((bare_share > EDGE_SHARE) & is_community)
        texts = [
            f"{s:.1%} ({a:,.0f} m2) in no grid of it"
            for s, a in zip(bare_share[miss], shapely.area(bare[miss]), strict=True)
        ]
        found.append(
            make_problems(
                "divisions",
                "community_uncovered",
                outer.index[miss],
                texts,
                shapes=_to_degrees(bare[miss], crs),
            )
        )
    return found


def _pieces(
    table: str, reason: str, pieces: gpd.GeoDataFrame, labels: NDArray[np.object_]
) -> gpd.GeoDataFrame:
    """Problems of a cover: the ids of all polygons concerned, and how large it is."""
    ids = [_join([labels[k] for k in some]) for some in pieces["ids"]]
    texts = [
        f"{a:,.4g} m2, {w:.3g} m wide"
        for a, w in zip(pieces["area_m2"], pieces["width_m"], strict=True)
    ]
    return make_problems(table, reason, ids, texts, shapes=_degrees(pieces))


def _join(labels: list[object]) -> str:
    words = [str(label) for label in labels]
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def _circles(code: str, parent: dict[str, str]) -> bool:
    """Whether a walk upward comes back to the code."""
    at, steps = parent.get(code), 0
    while at is not None and at != code and steps <= len(parent):
        at, steps = parent.get(at), steps + 1
    return at == code


def _nearest(code: str, known: dict[str, object]) -> str | None:
    """The nearest division above by digits that is in the table."""
    above = parent_code(code)
    while above is not None and above not in known:
        above = parent_code(above)
    return above


def _crs_of(frame: gpd.GeoDataFrame) -> object:
    west, south, east, north = frame.total_bounds
    return metric_crs([west, east], [south, north])


def _metric(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return frame.to_crs(_crs_of(frame))


def _valid(frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    shapes: NDArray[np.object_] = shapely.make_valid(frame.geometry.to_numpy())
    return shapes


def _degrees(frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    return _to_degrees(frame.geometry.to_numpy(), frame.crs)


def _to_degrees(shapes: NDArray[np.object_], crs: object) -> NDArray[np.object_]:
    back: NDArray[np.object_] = gpd.GeoSeries(shapes, crs=crs).to_crs("EPSG:4326").to_numpy()
    return back
