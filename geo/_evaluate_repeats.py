"""Cases that come back to a closed one, for the repeat rate.

Public names are handed on by `geo.evaluate`.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from geo._compare_periods import Period
from geo._evaluate_facts import NEVER, Bools, CaseFacts
from geo._evaluate_tallies import EvaluationRules
from geo.schema import STAGES
from geo.similar import find_returns

_DAY_S = 86_400


def find_repeats(
    facts: CaseFacts, periods: list[Period], crs: pyproj.CRS, rules: EvaluationRules
) -> Bools:
    """Find the cases of some periods that come back to a closed one of their class nearby.

    See `geo.similar.find_returns`; distance and days are `repeat_within_m` and
    `repeat_within_days` of the rules. Cases without a class or place come back to nothing.

    Parameters
    ----------
    periods
        Only cases reported in these are looked at; others are False.
    crs
        Metric CRS of the city, `Workspace.metric_crs()`; cases are in EPSG:4326.

    Returns
    -------
    array
        One a case, in their order.
    """
    found = np.zeros(len(facts), dtype=bool)
    cases = facts.cases
    before = round(rules.repeat_within_days * _DAY_S)
    placed = np.isfinite(cases.lon) & np.isfinite(cases.lat) & (cases.class_code >= 0)
    for period in periods:
        new = (cases.reported >= period.begin_s) & (cases.reported < period.end_s)
        recent = facts.is_closed & (cases.closed >= period.begin_s - before)
        rows = np.flatnonzero(placed & (new | (recent & (cases.reported < period.end_s))))
        if not len(rows):
            continue
        x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
            cases.lon[rows], cases.lat[rows]
        )
        closed = np.where(facts.is_closed[rows], cases.closed[rows], NEVER)
        frame = gpd.GeoDataFrame(
            {
                "class_code": cases.class_code[rows].astype(str),
                "stage": np.array(STAGES, dtype=object)[cases.stage[rows]],
                "reported_at": _times(cases.reported[rows]),
                "closed_at": _times(closed),
            },
            geometry=gpd.points_from_xy(x, y),
            crs=crs,
            index=pd.Index(rows, name="incident_id"),
        )
        returns = find_returns(
            frame, within_m=rules.repeat_within_m, within_days=rules.repeat_within_days
        )
        back = np.zeros(len(facts), dtype=bool)
        back[returns["incident_id"].to_numpy(dtype=np.int64)] = True
        found |= back & new
    return found


def _times(seconds: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pd.DatetimeIndex:
    # NEVER is what NumPy reads as no time.
    return pd.DatetimeIndex(seconds.view("M8[s]").astype("M8[us]")).tz_localize("UTC")
