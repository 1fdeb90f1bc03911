"""What the consequences of a plan are counted from: tables of a workspace, in the plan's metres.

Incidents count where they happened, assets where `geo.anchor` lets them stand (a railing at its
middle). What has no place is left out, as it is in no block. Views of cameras are drawn by
`geo.views` and cut by buildings; a camera that does not work, or whose view nobody wrote down, sees
nothing here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
import sqlalchemy as sa

from geo.anchor import find_anchors
from geo.impact import Things
from geo.incidents import OPEN_STAGES
from geo.io.workspace import Workspace
from geo.plan import Plan
from geo.schema import STORAGE_CRS
from geo.served import is_working
from geo.views import view_sectors

MONTHS_12 = timedelta(days=365)

THING_TABLES = ("roads", "incidents", "assets", "cameras", "buildings", "places", "blocks")
"""Tables that the facts come from; `Workspace.stamp` of them tells when they are old."""

_CASE_COLUMNS = ["class_code", "category", "description", "reported_at", "stage", "deadline",
                 "owner", "address"]  # fmt: skip


def read_things(
    workspace: Workspace,
    plan: Plan,
    *,
    at: datetime,
    views: gpd.GeoSeries | None = None,
    compounds: pd.Series | None = None,
) -> Things:
    """Read what lies in the city of a plan.

    Parameters
    ----------
    plan
        The first plan; its CRS is that of the answer.
    at
        The moment; incidents of the 365 days before it count.
    views
        Ground that cameras see, EPSG:4326, where somebody has drawn it already.
    compounds
        Name by `block_id`; by default those of the table `blocks`.
    """
    crs = plan.crs
    if views is None:
        views = read_views(workspace)
    if compounds is None:
        compounds = workspace.read("blocks", columns=["compound"])["compound"]
    roads = workspace.read("roads", columns=["road_class", "geom"])
    return Things(
        roads=gpd.GeoDataFrame(roads, geometry="geometry", crs=STORAGE_CRS).to_crs(crs),
        incidents=_read_incidents(workspace, crs, at),
        assets=_read_assets(workspace, crs),
        cases=_read_cases(workspace, crs),
        places=_points(workspace.read("places", columns=["kind", "name", "geom"]), crs),
        views=views.to_crs(crs) if len(views) else None,
        compounds=compounds.dropna(),
    )


def read_views(workspace: Workspace) -> gpd.GeoSeries:
    """Draw the views of the working cameras that tell where they look, EPSG:4326."""
    names = ["state", "bearing_deg", "angle_deg", "range_m", "geom"]
    cameras = workspace.read("cameras", columns=names)
    mine = gpd.GeoDataFrame(cameras, geometry="geometry", crs=STORAGE_CRS)
    mine = mine[is_working(mine)]
    if not len(mine):
        return gpd.GeoSeries([], crs=STORAGE_CRS)
    read = workspace.read("buildings", columns=["geom"])
    buildings = gpd.GeoDataFrame(read, geometry="geometry", crs=STORAGE_CRS) if len(read) else None
    views = view_sectors(mine, buildings=buildings)
    return views[~(views.isna() | views.is_empty).to_numpy(dtype=bool)]


def _read_incidents(workspace: Workspace, crs: pyproj.CRS, at: datetime) -> gpd.GeoSeries:
    table = workspace.table("incidents")
    query = sa.select(table.c.lon, table.c.lat).where(
        table.c.reported_at > at - MONTHS_12,
        table.c.reported_at <= at,
        table.c.lon.is_not(None),
        table.c.lat.is_not(None),
        table.c.stage != "cancelled",
    )
    with workspace.reading() as conn:
        found = np.array(conn.execute(query).all(), dtype=np.float64).reshape(-1, 2)
    return gpd.GeoSeries(shapely.points(found), crs=STORAGE_CRS).to_crs(crs)


def _read_assets(workspace: Workspace, crs: pyproj.CRS) -> gpd.GeoDataFrame:
    parts = [
        workspace.read(name, columns=["class_code", "name", "geom"])
        for name in ("assets", "cameras")
    ]
    return _points(pd.concat([part for part in parts if len(part)] or parts[:1]), crs)


def _read_cases(workspace: Workspace, crs: pyproj.CRS) -> gpd.GeoDataFrame:
    table = workspace.table("incidents")
    is_open = table.c.stage.in_(OPEN_STAGES)
    found = workspace.read("incidents", columns=[*_CASE_COLUMNS, "lon", "lat"], where=is_open)
    found = found[found["lon"].notna() & found["lat"].notna()]
    places = shapely.points(found["lon"].to_numpy(float), found["lat"].to_numpy(float))
    frame = pd.DataFrame(found)[_CASE_COLUMNS]
    return gpd.GeoDataFrame(frame, geometry=places, crs=STORAGE_CRS).to_crs(crs)


def _points(frame: pd.DataFrame, crs: pyproj.CRS) -> gpd.GeoDataFrame:
    """Rows with the point that stands for each; those without a shape are left out."""
    anchors = find_anchors(frame["geometry"].to_numpy())
    there = ~shapely.is_missing(anchors)
    rest = pd.DataFrame(frame.drop(columns="geometry")).loc[there]
    return gpd.GeoDataFrame(rest, geometry=anchors[there], crs=STORAGE_CRS).to_crs(crs)
