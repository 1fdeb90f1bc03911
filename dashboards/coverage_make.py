"""What patrols, cameras or assets of a city cover: tables in, one `Cover` out.

Every part of a street is covered, not covered, or unknown, and the three add up to the street.
Unknown is what nobody can vouch for: streets of grids whose people all kept silent, streets near a
camera whose direction or range is not written down, everything where there is no record at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa
from geopandas import GeoDataFrame, GeoSeries

from dashboards.coverage_ground import POLE_CLASS, CityGround, Patrolled, Seen
from dashboards.memo import Memo
from geo.io.workspace import Workspace
from geo.reach import (
    WALKED,
    Reach,
    invert_reach,
    join_reach,
    measure_covered,
    reached_m,
)
from geo.served import find_stretches, is_working, reach_assets, served_homes
from geo.sight import (
    SPOT_RANGE_M,
    Spots,
    best_spots,
    count_blind,
    is_seen,
    measure_ground,
    reach_views,
)

Tell = Callable[[str, float], None]
"""Takes what is being done, and how far that is from 0 to 1."""

WHATS = ("cameras", "both", "today", "week", "assets")
"""What may be asked: cameras, the last week's patrols and cameras, patrols of today, of the last
seven days, assets of a class."""

PATROLS = ("both", "today", "week")
WITH_CAMERAS = ("cameras", "both")

HISTORY_DAYS = (30, 90, 365)
"""How long back incidents may count."""

MOST_STRETCHES = 50_000
"""All of them in any city that we name, so that each grid has its worst; the page shows ten."""

LEAST_M = 1.0
"""A shorter stretch is no place to go to; its metres count all the same."""

SPOTS = 10


@dataclass(frozen=True)
class Choice:
    """What was asked."""

    what: str = "cameras"
    class_code: str = ""
    distance_m: float = 0.0
    """Of the class; 0 where `what` is not `assets`."""
    days: int = 90
    """Of incident history; only of matter for cameras."""


@dataclass(frozen=True, eq=False)
class Cover:
    """The answer; lengths in metres, shapes in the ground's CRS."""

    choice: Choice
    version: str
    at: datetime
    ground: CityGround
    covered: Reach
    unknown: Reach
    """Apart from `covered`."""
    blind: Reach
    """All other streets of the grids."""
    table: pd.DataFrame
    """By grid: `street_m`, `covered_m`, `unknown_m`, `blind_m`, `worst_m`, and by the choice
    `area_share`, `incidents`, `incidents_blind`, `assets`, `assets_blind`, `households`,
    `served`."""
    stretches: GeoDataFrame
    spots: Spots | None = None
    seen: Seen | None = None
    facts: dict[str, float] = field(default_factory=dict)
    """Numbers that sentences of the page need."""
    reason: str = ""
    """Why nothing can be said, as a key; empty where something can."""
    memo: Memo = field(default_factory=Memo, repr=False)


def make_cover(
    workspace: Workspace,
    ground: CityGround,
    choice: Choice,
    *,
    version: str,
    at: datetime,
    patrolled: Patrolled | None = None,
    seen: Seen | None = None,
    tell: Tell,
) -> Cover:
    """Work out what a choice covers.

    Parameters
    ----------
    patrolled
        Where people were, for PATROLS; None or without fixes: nothing is known.
    seen
        Views of cameras, for WITH_CAMERAS.
    """
    tell("streets", 0.5)
    reason, covered, maybe = "", nothing(), nothing()
    facts: dict[str, float] = {}
    extra: dict[str, Any] = {}
    if choice.what in PATROLS:
        covered, maybe, reason = _patrols(ground, patrolled, facts)
        if choice.what != "both" and patrolled is not None and patrolled.covered is not None:
            measured = measure_covered(ground.grids, ground.pieces, ground.lines, patrolled.covered)
            extra["area_share"] = measured["area_share"]
    spots = None
    if choice.what in WITH_CAMERAS and seen is not None:
        by_camera, near = _cameras(ground, seen, facts)
        if not len(seen.views):
            reason = reason or ("" if len(covered.piece) else "no_cameras")
            near = everything(ground) if choice.what == "cameras" else near
        covered, maybe = join_reach(covered, by_camera), join_reach(maybe, near)
        tell("incidents", 0.6)
        spots = _look_back(workspace, ground, choice, seen, at, extra, facts, tell)
        if choice.what == "cameras":
            extra["area_share"] = measure_ground(ground.grids, seen.views_m)
    if choice.what == "assets":
        covered, maybe, reason = _assets(workspace, ground, choice, extra, facts)
    tell("stretches", 0.9)
    # Streets outside of all grids are nobody's: they are not missed where nothing reaches them.
    outside = _whole_grids(ground, np.array([-1]))
    blind = invert_reach(ground.pieces, join_reach(covered, maybe, outside))
    unknown = invert_reach(ground.pieces, join_reach(covered, blind, outside))
    table = _table(ground, covered, unknown, blind).assign(**extra)
    not_blind = invert_reach(ground.pieces, blind)
    stretches = find_stretches(
        ground.pieces, ground.roads, ground.grids, not_blind, most=MOST_STRETCHES
    )
    stretches = stretches[stretches["length_m"] >= LEAST_M]
    worst = stretches.dropna(subset="grid_id").drop_duplicates("grid_id").set_index("grid_id")
    table["worst_m"] = worst["length_m"].reindex(table.index).fillna(0.0)
    if not len(ground.pieces):
        reason = "no_streets"
    return Cover(
        choice, version, at, ground, covered, unknown, blind, table, stretches, spots, seen, facts,
        reason,
    )  # fmt: skip


def nothing() -> Reach:
    """No part of any street."""
    none = np.empty(0)
    return Reach(np.empty(0, dtype=np.int64), none, none)


def everything(ground: CityGround) -> Reach:
    """Every street."""
    return invert_reach(ground.pieces, nothing())


def _whole_grids(ground: CityGround, rows: npt.NDArray[np.int64]) -> Reach:
    """All streets of some grids."""
    piece = np.flatnonzero(np.isin(ground.pieces.row, rows)).astype(np.int64)
    return Reach(piece, np.zeros(len(piece)), np.ones(len(piece)))


def _patrols(
    ground: CityGround, patrolled: Patrolled | None, facts: dict[str, float]
) -> tuple[Reach, Reach, str]:
    """Streets that people reached, those nobody knows of, and why if nothing is known."""
    if patrolled is None or patrolled.covered is None:
        return nothing(), everything(ground), "no_fixes"
    facts["silent_grids"] = len(patrolled.silent)
    facts["workers"] = len(patrolled.heard)
    return patrolled.covered.reach, _whole_grids(ground, patrolled.silent), ""


def _cameras(ground: CityGround, seen: Seen, facts: dict[str, float]) -> tuple[Reach, Reach]:
    """Streets in a view, and those near a camera of which nobody knows where it looks."""
    facts["cameras"] = seen.total
    facts["cameras_broken"] = seen.broken
    facts["cameras_unknown"] = len(seen.unknown_m)
    facts["cameras_unknown_m"] = seen.unknown_range_m
    near = nothing()
    if len(seen.unknown_m):
        near = reach_assets(ground.pieces, seen.unknown_m, seen.unknown_range_m)
    return reach_views(ground.pieces, seen.views_m), near


def _look_back(
    workspace: Workspace,
    ground: CityGround,
    choice: Choice,
    seen: Seen,
    at: datetime,
    extra: dict[str, Any],
    facts: dict[str, float],
    tell: Tell,
) -> Spots:
    """Past incidents and assets that no camera sees, and where further cameras would help."""
    points = read_incidents(workspace, ground, at - timedelta(days=choice.days), at)
    row = ground.row_of(points)
    points, row = points[row >= 0], row[row >= 0]
    in_view = is_seen(points, seen.views_m)
    unclear = ~in_view & is_seen(points, seen.unknown_m.buffer(seen.unknown_range_m))
    blind = count_blind(ground.grids, row, in_view | unclear)
    extra |= {"incidents": blind["total"], "incidents_blind": blind["blind"]}
    facts["incidents_unclear"] = int(unclear.sum())
    tell("assets", 0.65)
    assets = read_assets(workspace, ground)
    middle = assets.geometry.representative_point()
    of_asset = ground.row_of(middle)
    hidden = count_blind(ground.grids, of_asset, is_seen(middle, seen.views_m))
    extra |= {"assets": hidden["total"], "assets_blind": hidden["blind"]}
    tell("spots", 0.7)
    left = points[~in_view & ~unclear]
    poles = middle[(assets["class_code"] == POLE_CLASS).to_numpy()]
    corners = find_corners(ground, poles)
    return best_spots(
        _near(corners, left), left, buildings=seen.buildings_m, count=SPOTS, range_m=SPOT_RANGE_M
    )


def _assets(
    workspace: Workspace,
    ground: CityGround,
    choice: Choice,
    extra: dict[str, Any],
    facts: dict[str, float],
) -> tuple[Reach, Reach, str]:
    """Streets and homes within the distance of a working asset of the class."""
    mine = read_assets(workspace, ground, choice.class_code)
    works = is_working(mine)
    facts |= {
        "class_total": len(mine),
        "class_broken": int((~works).sum()),
        "class_stateless": int(mine["state"].isna().sum()),
    }
    if not len(mine):
        return nothing(), everything(ground), "no_assets"
    good = mine.geometry[works]
    homes = read_homes(workspace, ground)
    if homes is not None:
        served = served_homes(ground.grids, homes, good, choice.distance_m)
        extra |= {"households": served["households"], "served": served["served"]}
    return reach_assets(ground.pieces, good, choice.distance_m), nothing(), ""


def _table(ground: CityGround, covered: Reach, unknown: Reach, blind: Reach) -> pd.DataFrame:
    """Metres of each grid; what is neither covered nor unknown is blind, so that all adds up."""
    pieces = ground.pieces
    inside = pieces.row >= 0
    columns = {
        name: np.bincount(pieces.row[inside], metres[inside], minlength=len(ground.grids))
        for name, metres in {
            "street_m": pieces.length_m,
            "covered_m": reached_m(pieces, covered),
            "unknown_m": reached_m(pieces, unknown),
            "blind_m": reached_m(pieces, blind),
        }.items()
    }
    return pd.DataFrame(columns, index=ground.grids.index)


# --- reading --------------------------------------------------------------------------------------


def read_incidents(
    workspace: Workspace, ground: CityGround, since: datetime, until: datetime
) -> GeoSeries:
    """Places of the incidents of a span that were not cancelled, in metres."""
    table = workspace.table("incidents")
    query = sa.select(table.c.lon, table.c.lat).where(
        table.c.reported_at >= since,
        table.c.reported_at <= until,
        table.c.lon.is_not(None),
        table.c.lat.is_not(None),
        table.c.stage != "cancelled",
    )
    with workspace.reading() as conn:
        found = np.array(conn.execute(query).all(), dtype=np.float64).reshape(-1, 2)
    return GeoSeries(shapely.points(found), crs=4326).to_crs(ground.crs)


def read_assets(
    workspace: Workspace, ground: CityGround, class_code: str | None = None
) -> GeoDataFrame:
    """Assets and cameras in metres: `class_code`, `state`; of one class or of all."""
    names = ["class_code", "state", "geom"]
    parts = []
    for name in ("assets", "cameras"):
        table = workspace.table(name)
        where = None if class_code is None else table.c.class_code == class_code
        parts.append(workspace.read(name, columns=names, where=where))
    both = GeoDataFrame(pd.concat(parts), geometry="geometry", crs=4326)
    there = ~(both.geometry.isna() | both.geometry.is_empty)
    return both[there].to_crs(ground.crs)


def read_homes(workspace: Workspace, ground: CityGround) -> GeoDataFrame | None:
    """Buildings with their households, blocks where those tell none, else None."""
    for name in ("buildings", "blocks"):
        homes = workspace.read(name, columns=["households", "geom"])
        if len(homes) and homes["households"].notna().any():
            return GeoDataFrame(homes, geometry="geometry", crs=4326).to_crs(ground.crs)
    return None


def find_corners(ground: CityGround, poles: GeoSeries) -> GeoSeries:
    """Where a camera could hang: ends of streets, by `x,y` in metres, and poles, by their id."""
    walked = ground.roads["road_class"].isin(WALKED).to_numpy()
    lines = shapely.get_parts(ground.roads.geometry.to_numpy()[walked])
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    xy = np.unique(np.round(shapely.get_coordinates(ends), 1), axis=0)
    corners = GeoSeries(
        shapely.points(xy), index=[f"{x:.1f},{y:.1f}" for x, y in xy], crs=ground.crs
    )
    return GeoSeries(pd.concat([poles, corners]), crs=ground.crs)


def _near(candidates: GeoSeries, points: GeoSeries) -> GeoSeries:
    """The candidates that have anything to see."""
    if not len(points):
        return candidates[:0]
    tree = shapely.STRtree(points.to_numpy())
    hits = tree.query(candidates.to_numpy(), predicate="dwithin", distance=SPOT_RANGE_M)
    return candidates.iloc[np.unique(hits[0])]


def class_counts(workspace: Workspace) -> pd.Series:
    """How many assets of each class there are, the most first."""
    counts: dict[str, int] = {}
    with workspace.reading() as conn:
        for name in ("assets", "cameras"):
            code = workspace.table(name).c.class_code
            for label, count in conn.execute(sa.select(code, sa.func.count()).group_by(code)):
                counts[str(label)] = counts.get(str(label), 0) + int(count)
    return pd.Series(counts, dtype="int64").sort_values(ascending=False, kind="stable")
