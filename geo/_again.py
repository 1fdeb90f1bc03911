"""What came before at a spot: open cases that may be the same, and places that flare up again.

The rules are those of `geo.similar`; here they are asked of the few cases around one place, where
tables and trees cost more than to compare all with all. Public names are handed on by
`geo.nearby`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo._duty_tables import EPOCH
from geo._metres import degree_m
from geo.incidents import OPEN_STAGES

Rows = npt.NDArray[np.intp]
_HOUR_US = 3_600_000_000
_NO_TIME = np.iinfo(np.int64).min
_CHUNK = 500
"""Closed cases compared with all others at once, to keep the memory of a very busy spot small."""

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
    Distances are in the plane that touches the ellipsoid at the place.
    """
    same = "class_code"
    if incident_id is not None:
        if incident_id not in cases.index:
            return Again(_no_case(), ())
        if pd.isna(cases.at[incident_id, same]):
            same = "category"
        cases = cases[(cases[same] == cases.at[incident_id, same]).to_numpy(dtype=bool)]
    if cases.empty:
        return Again(_no_case(), ())
    spots = _Spots(cases, lon, lat, same)
    similar = _no_case() if incident_id is None else _similar(spots, rules, incident_id)
    return Again(similar, _flare_ups(spots, rules, incident_id))


def _no_case() -> pd.DataFrame:
    empty = pd.DataFrame({"distance_m": np.empty(0), "apart_h": np.empty(0)})
    return empty.set_axis(pd.Index([], dtype="str", name="incident_id"))


class _Spots:
    """Cases around a place as plain numbers: metres from it, microseconds, whether of one kind."""

    def __init__(self, cases: pd.DataFrame, lon: float, lat: float, same: str) -> None:
        east, north = degree_m(lat)
        self.ids = cases.index.to_numpy()
        self.lon = cases["lon"].to_numpy(dtype=np.float64)
        self.lat = cases["lat"].to_numpy(dtype=np.float64)
        self.x, self.y = (self.lon - lon) * east, (self.lat - lat) * north
        self.reported, self.closed = (_micros(cases[n]) for n in ("reported_at", "closed_at"))
        stage = cases["stage"].to_numpy(dtype=object)
        self.is_open = np.isin(stage.astype(str), OPEN_STAGES)
        self.is_closed = (stage == "closed") & (self.closed != _NO_TIME)
        self.kind, self.kinds = pd.factorize(cases[same])

    def __len__(self) -> int:
        return len(self.ids)


def _similar(spots: _Spots, rules: NearRules, incident_id: str) -> pd.DataFrame:
    """As `geo.similar.find_similar` of the one case among the open ones."""
    own = int(np.flatnonzero(spots.ids == incident_id)[0])
    metres = np.hypot(spots.x - spots.x[own], spots.y - spots.y[own])
    apart = spots.reported[own] - spots.reported
    near = spots.is_open & (metres <= rules.similar_m)
    near &= np.abs(apart) <= round(rules.similar_h * _HOUR_US)
    near[own] = False
    rows = np.flatnonzero(near)
    rows = rows[np.lexsort((spots.ids[rows].astype(str), spots.reported[rows], metres[rows]))]
    index = pd.Index(spots.ids[rows], dtype="str", name="incident_id")
    return pd.DataFrame(
        {"distance_m": metres[rows], "apart_h": apart[rows] / _HOUR_US}, index=index
    )


def _flare_ups(spots: _Spots, rules: NearRules, incident_id: str | None) -> tuple[FlareUp, ...]:
    """As `geo.similar.find_flare_ups`, of the places that are here."""
    later, earlier = _returns(spots, rules)
    if not len(later):
        return ()
    count = len(spots)
    links = coo_array((np.ones(len(later), bool), (later, earlier)), (count, count))
    place = connected_components(links, directed=False)[1]
    came_back = np.zeros(count, dtype=bool)
    came_back[later] = True
    here = np.hypot(spots.x, spots.y) <= rules.recurring_m
    if incident_id is not None:
        here |= spots.ids == incident_id
    returns = np.bincount(place, weights=came_back, minlength=1)
    found = [k for k in np.unique(place[here]) if returns[k] >= max(rules.recurring_min, 1)]
    ups = [_flare_up(spots, np.flatnonzero(place == k), int(returns[k])) for k in found]
    return tuple(sorted(ups, key=lambda up: (-up.returns, -up.last.timestamp(), up.class_code)))


def _returns(spots: _Spots, rules: NearRules) -> tuple[Rows, Rows]:
    """Pairs of a case and a closed one of its kind that it returns to."""
    shut = np.flatnonzero(spots.is_closed & (spots.kind >= 0))
    window = round(rules.recurring_days * 24 * _HOUR_US)
    parts = []
    for start in range(0, len(shut), _CHUNK):
        rows = shut[start : start + _CHUNK]
        after = spots.reported[:, None] - spots.closed[None, rows]
        pairs = (after >= 0) & (after <= window) & (spots.kind[:, None] == spots.kind[None, rows])
        later, column = np.nonzero(pairs)
        earlier = rows[column]
        metres = np.hypot(spots.x[later] - spots.x[earlier], spots.y[later] - spots.y[earlier])
        keep = (metres <= rules.recurring_m) & (later != earlier)
        parts.append((later[keep], earlier[keep]))
    none = np.empty(0, dtype=np.intp)
    return (
        np.concatenate([none, *(part[0] for part in parts)]),
        np.concatenate([none, *(part[1] for part in parts)]),
    )


def _flare_up(spots: _Spots, rows: Rows, returns: int) -> FlareUp:
    last = EPOCH + timedelta(microseconds=int(spots.reported[rows].max()))
    kind = str(spots.kinds[spots.kind[rows[0]]])
    return FlareUp(
        kind, returns, last, float(spots.lon[rows].mean()), float(spots.lat[rows].mean())
    )


def _micros(times: pd.Series) -> npt.NDArray[np.int64]:
    plain = times.dt.tz_convert(None).to_numpy().astype("datetime64[us]")
    return np.asarray(plain.astype(np.int64))
