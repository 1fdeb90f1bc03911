"""Incidents as columns: the open ones, and those of the last 35 days, each with its grid.

Figures look at what is open now and at a window of five weeks, never at the whole history, so
their cost stays the same while the history grows. Rows are ordered by the time of the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from dashboards.city import City
from geo.io.workspace import Workspace

WINDOW_DAYS = 35
"""Thirty days of trend, and four same weekdays before today."""

DONE_STAGES = ("closed", "cancelled")

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Cases:
    """Columns of incidents in the order of `reported`; times are UTC, NaT where empty."""

    stamp: str
    ids: npt.NDArray[np.object_]
    class_code: npt.NDArray[np.object_]
    category: npt.NDArray[np.object_]
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    row: npt.NDArray[np.int32]
    """Row of the grid, -1 outside of all grids or without a place."""
    stage: npt.NDArray[np.object_]
    reported: Times
    deadline: Times
    closed: Times
    is_open: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Whether each has coordinates."""
        return np.isfinite(self.lon) & np.isfinite(self.lat)


def utc64(moment: datetime) -> np.datetime64:
    """A zone-aware moment as numpy has it, in UTC to the millisecond."""
    return np.datetime64(pd.Timestamp(moment).tz_convert("UTC").tz_localize(None), "ms")


def read_cases(workspace: Workspace, city: City, at: datetime) -> Cases:
    """Read what is open, and what was reported, due or closed within the window before `at`."""
    stamp = workspace.stamp("incidents")
    table = workspace.table("incidents")
    start = at - timedelta(days=WINDOW_DAYS)
    wanted = sa.or_(
        table.c.reported_at >= start,
        table.c.closed_at >= start,
        table.c.stage.not_in(DONE_STAGES),
    )
    columns = [
        "class_code", "category", "lon", "lat", "stage", "reported_at", "deadline", "closed_at",
    ]  # fmt: skip
    frame = workspace.read(
        "incidents", where=wanted, columns=columns, order_by=(table.c.reported_at)
    )
    return cases_of(frame, city, stamp)


def cases_of(frame: pd.DataFrame, city: City, stamp: str) -> Cases:
    """The columns of a frame of incidents, indexed by `incident_id`."""
    frame = frame.sort_values("reported_at", kind="stable")
    lon = frame["lon"].to_numpy(dtype=np.float64, na_value=np.nan)
    lat = frame["lat"].to_numpy(dtype=np.float64, na_value=np.nan)
    stage = frame["stage"].to_numpy(dtype=object)
    return Cases(
        stamp=stamp,
        ids=frame.index.to_numpy(dtype=object),
        class_code=_texts(frame["class_code"]),
        category=_texts(frame["category"]),
        lon=lon,
        lat=lat,
        row=city.assign(lon, lat),
        stage=stage,
        reported=_times(frame["reported_at"]),
        deadline=_times(frame["deadline"]),
        closed=_times(frame["closed_at"]),
        is_open=~np.isin(stage.astype(str), DONE_STAGES),
    )


def _texts(values: pd.Series) -> npt.NDArray[np.object_]:
    filled = values.astype(object).where(values.notna(), "")
    return np.asarray(filled.to_numpy(dtype=object))


def _times(values: pd.Series) -> Times:
    if values.dtype == object:
        values = pd.to_datetime(values, utc=True)
    plain = values.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(plain.to_numpy(dtype="datetime64[ms]"))
