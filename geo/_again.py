"""What came before at a spot: open cases that may be the same, and places that flare up again.

The rules are those of `geo.similar`; here they are asked of the few cases around one place. Public
names are handed on by `geo.nearby`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.datum import metric_crs
from geo.incidents import OPEN_STAGES
from geo.schema import STORAGE_CRS
from geo.similar import find_flare_ups, find_similar, sum_up_flare_ups

REACH = 4.0
"""Cases that belong to a place that flares up are looked for that many times as far as two of them
may be apart: along a street such a place may grow long."""


@dataclass(frozen=True, slots=True)
class NearRules:
    """How near and how soon counts, as `geo.io.rules.CaseRules` has it."""

    similar_m: float
    similar_h: float
    recurring_m: float
    recurring_days: float
    recurring_min: int = 1

    @property
    def reach_m(self) -> float:
        """How far cases are looked for."""
        return max(self.similar_m, REACH * self.recurring_m)


@dataclass(frozen=True, slots=True)
class FlareUp:
    """A place whose closed cases come back."""

    class_code: str
    returns: int
    """Cases that came back."""
    last: datetime
    """When the latest of its cases was reported."""
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Again:
    """What came before at a spot."""

    similar: pd.DataFrame
    """Open cases that the case may be merged with, indexed by incident_id, nearest first:
    distance_m, apart_h (hours by which they were reported earlier)."""
    flare_ups: tuple[FlareUp, ...]
    """Those that hold the case, or have a case within `recurring_m`; the worst first."""


def find_again(
    cases: pd.DataFrame, lon: float, lat: float, rules: NearRules, incident_id: str | None
) -> Again:
    """Look among cases (with class, times, stage, lon and lat) around a place.

    With an id only cases of its class count; a case without a class has its `category` for one.
    """
    none = pd.DataFrame({"distance_m": pd.Series(dtype="float64")}).assign(apart_h=0.0)
    same = "class_code"
    if incident_id is not None:
        if incident_id not in cases.index:
            return Again(none, ())
        if pd.isna(cases.at[incident_id, same]):
            same = "category"
        cases = cases[cases[same] == cases.at[incident_id, same]]
    if cases.empty:
        return Again(none, ())
    points = gpd.points_from_xy(cases["lon"], cases["lat"], crs=STORAGE_CRS)
    crs = metric_crs(lon, lat)
    layer = gpd.GeoDataFrame(cases.drop(columns=["lon", "lat"]), geometry=points).to_crs(crs)
    similar = none if incident_id is None else _similar(layer, rules, incident_id, same)
    return Again(similar, _flare_ups(layer, lon, lat, rules, incident_id, same))


def _similar(
    layer: gpd.GeoDataFrame, rules: NearRules, incident_id: str, same: str
) -> pd.DataFrame:
    is_open = layer["stage"].isin(OPEN_STAGES)
    pairs = find_similar(
        layer.loc[[incident_id]], layer[is_open],
        within_m=rules.similar_m, within_h=rules.similar_h, same=same,
    )  # fmt: skip
    return pairs.set_index("similar_id")[["distance_m", "apart_h"]].rename_axis("incident_id")


def _flare_ups(
    layer: gpd.GeoDataFrame,
    lon: float,
    lat: float,
    rules: NearRules,
    incident_id: str | None,
    same: str,
) -> tuple[FlareUp, ...]:
    history = find_flare_ups(
        layer, within_m=rules.recurring_m, within_days=rules.recurring_days, same=same
    )
    if history.empty:
        return ()
    here = gpd.GeoSeries(gpd.points_from_xy([lon], [lat]), crs=STORAGE_CRS).to_crs(layer.crs)
    metres = history.geometry.distance(here.iloc[0])
    mine = metres.to_numpy() <= rules.recurring_m
    if incident_id is not None:
        mine |= np.asarray(history.index == incident_id)
    ids = set(history["place_id"][mine])
    places = sum_up_flare_ups(history[history["place_id"].isin(ids)]).to_crs(STORAGE_CRS)
    places = places[places["returns"] >= rules.recurring_min]
    return tuple(
        FlareUp(
            str(row[same]), int(row["returns"]), row["last_reported"].to_pydatetime(),
            float(row.geometry.x), float(row.geometry.y),
        )
        for _, row in places.iterrows()
    )  # fmt: skip
