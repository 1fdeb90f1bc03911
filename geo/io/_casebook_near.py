"""Similar and recurring cases out of the store: only the neighbourhood is read.

How near and how long is the city's rule (`similar_m`, `similar_h`, `recurring_m`,
`recurring_days`, `recurring_min` of `rules/case_rules.csv`); no standard says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import geopandas as gpd
import pandas as pd
import sqlalchemy as sa

from geo._metres import box_around
from geo.datum import metric_crs
from geo.incidents import OPEN_STAGES
from geo.similar import find_flare_ups, find_similar, sum_up_flare_ups

_COLUMNS = ("incident_id", "class_code", "stage", "reported_at", "closed_at", "lon", "lat")


@dataclass(frozen=True, eq=False)
class Recurring:
    """Places whose closed cases come back (黑点复燃)."""

    places: gpd.GeoDataFrame
    """As `geo.similar.sum_up_flare_ups`, the worst first, in EPSG:4326."""
    history: gpd.GeoDataFrame
    """As `geo.similar.find_flare_ups`, one row a case, in EPSG:4326."""


def read_similar(
    conn: sa.Connection,
    table: sa.Table,
    *,
    incident_id: str,
    place: tuple[float, float],
    class_code: str,
    reported_at: datetime,
    within_m: float,
    within_h: float,
) -> pd.DataFrame:
    """Open cases that one might be merged with, see `geo.similar.find_similar`.

    Indexed by `incident_id`, the nearest first: `distance_m`, `apart_h`.
    """
    span = timedelta(hours=within_h)
    west, south, east, north = box_around(*place, within_m)
    # Open cases of a class within some days are few; the plus keeps the database to that index.
    found = _read(
        conn,
        table,
        [
            table.c.class_code == class_code,
            table.c.stage.in_(OPEN_STAGES),
            table.c.reported_at.between(reported_at - span, reported_at + span),
            _unhelped(table.c.lon).between(west, east),
            _unhelped(table.c.lat).between(south, north),
        ],
    )
    new = _layer([(incident_id, class_code, "collected", reported_at, None, *place)])
    crs = metric_crs(*place)
    pairs = find_similar(new.to_crs(crs), found.to_crs(crs), within_m=within_m, within_h=within_h)
    table_of = pairs.drop(columns="incident_id").set_index("similar_id")
    return table_of.rename_axis("incident_id")


def read_recurring(
    conn: sa.Connection,
    table: sa.Table,
    *,
    since: datetime,
    until: datetime,
    where: Sequence[sa.ColumnElement[bool]],
    within_m: float,
    within_days: float,
    min_returns: int,
) -> Recurring:
    """Black spots among the cases that were reported or closed since, see `geo.similar`."""
    recent = sa.or_(table.c.reported_at >= since, table.c.closed_at >= since)
    placed = [table.c.lon.is_not(None), table.c.class_code.is_not(None)]
    found = _read(conn, table, [recent, table.c.reported_at <= until, *placed, *where])
    if found.empty:
        crs = metric_crs(0.0, 0.0)
    else:
        west, south, east, north = found.total_bounds
        crs = metric_crs((west + east) / 2, (south + north) / 2)
    history = find_flare_ups(
        found.to_crs(crs), within_m=within_m, within_days=within_days, min_returns=min_returns
    )
    return Recurring(sum_up_flare_ups(history).to_crs(4326), history.to_crs(4326))


def _unhelped(column: Any) -> Any:
    return sa.literal_column(f"+{column.table.name}.{column.name}", column.type)


def _read(
    conn: sa.Connection, table: sa.Table, where: Sequence[sa.ColumnElement[bool]]
) -> gpd.GeoDataFrame:
    columns = [
        sa.type_coerce(table.c[name], sa.Text) if name.endswith("_at") else table.c[name]
        for name in _COLUMNS
    ]
    query = sa.select(*columns).where(*where).order_by(table.c.fid)
    return _layer(conn.execute(query).all())


def _layer(rows: Sequence[Any]) -> gpd.GeoDataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
    data: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
    frame = pd.DataFrame(
        {name: pd.Series(data[name], dtype="str") for name in ("class_code", "stage")}
        | {
            name: pd.to_datetime(
                pd.Series(data[name], dtype=object), utc=True, format="ISO8601"
            ).astype("datetime64[us, UTC]")
            for name in ("reported_at", "closed_at")
        }
    ).set_axis(pd.Index(data["incident_id"], dtype="str", name="incident_id"))
    points = gpd.points_from_xy(
        pd.Series(data["lon"], dtype="float64"), pd.Series(data["lat"], dtype="float64"), crs=4326
    )
    return gpd.GeoDataFrame(frame, geometry=points)
