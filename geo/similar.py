"""Cases that are the same thing reported twice, and places whose closed cases come back.

Two cases are similar if they are of one class, no further apart than a distance and reported no
further apart than a time; the second is offered for merging with the first. A case returns to a
closed one (黑点复燃) if it is of one class and near it, and reported with the close or within some
days after it. Cases that hang together by such returns are one flare-up place. It has no fixed
size: along a street, each near the next, a place may grow long, so `extent_m` tells how far it
reaches.

How near and how long has no standard, so a city says it each time: there is no default. Both ends
count as inside. A case without a class, a time or a place is similar to nothing. The same rows in
another order give the same answer.

Points are looked up in one tree. Each class and stretch of time has a pane of its own in it, side
by side and too far apart to touch, so that ten years of history cost as much as their neighbours
in time and no more. What does cost is one spot with thousands of cases of a class (a hotline that
gives all its calls one address): there every pair is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.datum import require_metres
from geo.errors import ColumnError, CrsError, InputError

_Rows = npt.NDArray[np.int64]
_Metres = npt.NDArray[np.float64]
_HOUR_US = 3_600_000_000
_NO_TIME = np.iinfo(np.int64).min
_CHUNK = 50_000


def find_similar(
    incidents: GeoDataFrame,
    among: GeoDataFrame,
    *,
    within_m: float,
    within_h: float,
    same: str = "class_code",
) -> pd.DataFrame:
    """Find the cases that each incident might be merged with.

    Parameters
    ----------
    incidents
        Points indexed by `incident_id`, in metres, with `class_code` and `reported_at` (with
        zone): the new ones.
    among
        Likewise, in the same CRS: the cases to merge with, say all that are open. A case is not
        similar to itself, so the two may be the same table; then each pair comes both ways.
    within_m, within_h
        How far apart at most, in metres and in hours between the reports, either way.
    same
        The column that must be equal, for imported files `category`.

    Returns
    -------
    DataFrame
        One row a pair: `incident_id`, `similar_id`, `distance_m`, `apart_h` (hours by which the
        similar one was reported earlier, negative if later). In the order of `incidents`, the
        nearest first, then the earliest, then by id.

    Raises
    ------
    CrsError
        If a layer has no CRS, is not in metres, or the two differ.
    ColumnError
        If a column is missing.
    InputError
        If a distance or time is not positive, times have no zone, or an id stands twice.
    """
    _require_positive(within_m=within_m, within_h=within_h)
    _require_layers(same, ("reported_at",), incidents=incidents, among=among)
    new, old = _Points(incidents, "reported_at"), _Points(among, "reported_at")
    kinds = _same_kind(incidents[same], among[same])
    pairs = _pairs(new, old, kinds, within_m, round(within_h * _HOUR_US), both_ways=True)
    ids, others = incidents.index.to_numpy(), among.index.to_numpy()
    left, right, metres = _joined(pairs)
    keep = ids[left] != others[right]
    left, right, metres = left[keep], right[keep], metres[keep]
    order = np.lexsort((_ranks(among.index)[right], old.us[right], metres, left))
    left, right = left[order], right[order]
    return pd.DataFrame(
        {
            "incident_id": ids[left],
            "similar_id": others[right],
            "distance_m": metres[order],
            "apart_h": (new.us[left] - old.us[right]) / _HOUR_US,
        }
    )


def find_returns(
    incidents: GeoDataFrame, *, within_m: float, within_days: float, same: str = "class_code"
) -> pd.DataFrame:
    """Find the cases that came back after a close.

    Parameters
    ----------
    incidents
        Points indexed by `incident_id`, in metres, with `class_code`, `stage`, `reported_at` and
        `closed_at` (with zone). Only a case whose stage is closed can be returned to: one that
        was cancelled or merged was never put right.
    within_m, within_days
        How far from the closed case, and how many days (of 24 hours) after its close at most.

    Returns
    -------
    DataFrame
        One row for each case and each closed one that it returns to: `incident_id`,
        `returns_to`, `distance_m`, `after_h` (hours after the close). In the order of
        `incidents`, the latest close first, then the nearest, then by id. Errors as for
        `find_similar`.
    """
    links = _links(incidents, within_m, within_days, same)
    ids = incidents.index.to_numpy()
    return pd.DataFrame(
        {
            "incident_id": ids[links.later],
            "returns_to": ids[links.earlier],
            "distance_m": links.metres,
            "after_h": links.after / _HOUR_US,
        }
    )


def find_flare_ups(
    incidents: GeoDataFrame,
    *,
    within_m: float,
    within_days: float,
    min_returns: int = 1,
    same: str = "class_code",
) -> GeoDataFrame:
    """Find the places whose closed cases come back, each with its history.

    Parameters are those of `find_returns`; a place with fewer cases that came back than
    `min_returns` is left out.

    Returns
    -------
    GeoDataFrame
        One row a case, indexed by `incident_id`, in the CRS of `incidents`: `place_id` (the id of
        the first case there), the class, `stage`, `reported_at`, `closed_at`, `returns_to` (the
        case closed last before; empty where it is not a return), `after_h` and the point. In the
        order of places and, within one, of reports. `sum_up_flare_ups` makes the list of places.
        Errors as for `find_similar`.
    """
    links = _links(incidents, within_m, within_days, same)
    many = len(incidents)
    graph = coo_array((np.ones(len(links.later), bool), (links.later, links.earlier)), (many, many))
    place = connected_components(graph, directed=False)[1]
    came_back = np.zeros(many, dtype=bool)
    came_back[links.later] = True
    returns = np.bincount(place, weights=came_back, minlength=1)
    ids = incidents.index.to_numpy()
    # links come with the latest close first, so the first of each case is the one before it
    first = np.unique(links.later, return_index=True)[1]
    before = np.full(many, None, dtype=object)
    before[links.later[first]] = ids[links.earlier[first]]
    after = np.full(many, np.nan)
    after[links.later[first]] = links.after[first] / _HOUR_US
    rows = np.flatnonzero(returns[place] >= max(min_returns, 1))
    reported = _micros(incidents["reported_at"])[rows]
    order = rows[np.lexsort((ids[rows].astype(str), reported, place[rows]))]
    leads = np.flatnonzero(np.diff(place[order], prepend=-1))
    sizes = np.diff(np.append(leads, len(order)))
    history = incidents.iloc[order][[same, "stage", "reported_at", "closed_at", "geometry"]]
    history = history.assign(
        place_id=pd.array(np.repeat(ids[order[leads]], sizes), dtype="str"),
        returns_to=pd.array(before[order], dtype="str"),
        after_h=after[order],
    )
    started = np.repeat(_micros(incidents["reported_at"])[order[leads]], sizes)
    within = np.lexsort((np.arange(len(order)), history["place_id"].to_numpy(str), started))
    names = ["place_id", same, "stage", "reported_at", "closed_at", "returns_to", "after_h"]
    return history.iloc[within][[*names, "geometry"]].rename_axis("incident_id")


def sum_up_flare_ups(history: GeoDataFrame) -> GeoDataFrame:
    """List the flare-up places of a history that `find_flare_ups` found, the worst first.

    Returns
    -------
    GeoDataFrame
        Indexed by `place_id`: the class, `cases`, `returns` (cases that came back), `open_cases`
        (neither closed nor cancelled), `first_reported`, `last_reported`, `last_closed`,
        `extent_m` (from the middle to the furthest case) and the middle of its cases as a point.
        Most returns first, then the latest report, then by id.
    """
    same = str(history.columns[1])
    place = history["place_id"]
    x, y = history.geometry.x, history.geometry.y
    middle_x, middle_y = (axis.groupby(place).transform("mean") for axis in (x, y))
    table = (
        history.drop(columns="geometry")
        .assign(
            is_open=~history["stage"].isin(["closed", "cancelled"]),
            reach=np.hypot(x - middle_x, y - middle_y),
        )
        .groupby("place_id")
        .agg(
            **{same: (same, "first")},
            cases=("stage", "size"),
            returns=("returns_to", "count"),
            open_cases=("is_open", "sum"),
            first_reported=("reported_at", "min"),
            last_reported=("reported_at", "max"),
            last_closed=("closed_at", "max"),
            extent_m=("reach", "max"),
        )
    )
    points = gpd.points_from_xy(x.groupby(place).mean(), y.groupby(place).mean(), crs=history.crs)
    places = GeoDataFrame(table, geometry=points).reset_index()
    places = places.sort_values(
        ["returns", "last_reported", "place_id"], ascending=[False, False, True]
    )
    return places.set_index("place_id")


class _Points:
    """Coordinates and times as plain numbers; `ok` where there are both."""

    def __init__(self, layer: GeoDataFrame, time: str) -> None:
        points = layer.geometry.to_numpy()
        self.x, self.y = shapely.get_x(points), shapely.get_y(points)
        self.us = _micros(layer[time])
        self.ok = np.isfinite(self.x) & np.isfinite(self.y) & (self.us != _NO_TIME)


@dataclass(frozen=True, eq=False)
class _Links:
    """Rows of cases and of the closed ones that they return to, in the order of `find_returns`."""

    later: _Rows
    earlier: _Rows
    after: _Rows
    """Microseconds from the close to the report."""
    metres: _Metres


def _links(incidents: GeoDataFrame, within_m: float, within_days: float, same: str) -> _Links:
    _require_positive(within_m=within_m, within_days=within_days)
    _require_layers(same, ("stage", "reported_at", "closed_at"), incidents=incidents)
    came, closed = _Points(incidents, "reported_at"), _Points(incidents, "closed_at")
    closed.ok &= (incidents["stage"] == "closed").to_numpy(dtype=bool, na_value=False)
    kinds = _same_kind(incidents[same], incidents[same])
    window = round(within_days * 24 * _HOUR_US)
    later, earlier, metres = _joined(_pairs(came, closed, kinds, within_m, window, both_ways=False))
    # one that was reported and closed in the same moment does not return to itself
    keep = later != earlier
    later, earlier, metres = later[keep], earlier[keep], metres[keep]
    after = came.us[later] - closed.us[earlier]
    order = np.lexsort((_ranks(incidents.index)[earlier], metres, after, later))
    return _Links(later[order], earlier[order], after[order], metres[order])


def _joined(parts: Iterable[tuple[_Rows, _Rows, _Metres]]) -> tuple[_Rows, _Rows, _Metres]:
    none = np.zeros(0, dtype=np.int64)
    left, right, metres = zip((none, none, none.astype(np.float64)), *parts, strict=True)
    return np.concatenate(left), np.concatenate(right), np.concatenate(metres)


def _ranks(ids: pd.Index) -> _Rows:
    """The place of each id in the order of its text, so that ties fall the same way always."""
    order = np.argsort(ids.to_numpy().astype(str), kind="stable")
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _pairs(
    left: _Points,
    right: _Points,
    kinds: tuple[_Rows, _Rows],
    within_m: float,
    window: int,
    *,
    both_ways: bool,
) -> Iterator[tuple[_Rows, _Rows, _Metres]]:
    """Pairs of one kind that are near in place and time, some rows at a time, and their distance.

    The time of the right one is at most `window` microseconds before that of the left one, or
    with `both_ways` after it.
    """
    ok_l = np.flatnonzero(left.ok & (kinds[0] >= 0))
    ok_r = np.flatnonzero(right.ok & (kinds[1] >= 0))
    if not len(ok_l) or not len(ok_r):
        return
    step = max(window, 1)
    first = min(left.us[ok_l].min(), right.us[ok_r].min()) - step
    stretches = int((max(left.us[ok_l].max(), right.us[ok_r].max()) - first) // step) + 2
    pane_r = kinds[1][ok_r] * stretches + (right.us[ok_r] - first) // step
    panes, place_r = np.unique(pane_r, return_inverse=True)
    west = min(left.x[ok_l].min(), right.x[ok_r].min())
    east = max(left.x[ok_l].max(), right.x[ok_r].max())
    width = east - west + 2 * within_m + 1
    tree = shapely.STRtree(shapely.points(right.x[ok_r] - west + place_r * width, right.y[ok_r]))
    # Panes cost digits, so the tree looks a little further; the points themselves decide below.
    reach = within_m + 1e-6 + 4 * np.spacing(len(panes) * width)
    pane_l = kinds[0][ok_l] * stretches + (left.us[ok_l] - first) // step
    for shift in (-1, 0, 1) if both_ways else (-1, 0):
        place = np.searchsorted(panes, pane_l + shift)
        is_there = place < len(panes)
        is_there[is_there] = panes[place[is_there]] == pane_l[is_there] + shift
        for rows in _chunks(np.flatnonzero(is_there)):
            there = ok_l[rows]
            probes = shapely.points(left.x[there] - west + place[rows] * width, left.y[there])
            near = tree.query(probes, predicate="dwithin", distance=reach)
            a, b = there[near[0]], ok_r[near[1]]
            metres = np.hypot(left.x[a] - right.x[b], left.y[a] - right.y[b])
            apart = left.us[a] - right.us[b]
            keep = (metres <= within_m) & (apart <= window)
            keep &= apart >= (-window if both_ways else 0)
            yield a[keep], b[keep], metres[keep]


def _chunks(rows: _Rows) -> Iterator[_Rows]:
    for at in range(0, len(rows), _CHUNK):
        yield rows[at : at + _CHUNK]


def _same_kind(left: pd.Series, right: pd.Series) -> tuple[_Rows, _Rows]:
    """Equal numbers for equal words of two columns, -1 where there is none."""
    words = pd.concat([left.astype("str"), right.astype("str")], ignore_index=True)
    codes = pd.factorize(words, sort=True)[0].astype(np.int64)
    return codes[: len(left)], codes[len(left) :]


def _micros(times: pd.Series) -> _Rows:
    if times.notna().any() and not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise InputError(f"{times.name} is {times.dtype}, without a zone: give times with a zone")
    plain = pd.to_datetime(times, utc=True).dt.tz_localize(None).to_numpy()
    return np.asarray(plain.astype("datetime64[us]").astype(np.int64))


def _require_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (np.isfinite(number) and number > 0):
            raise InputError(f"{name} is {number}: give a number above 0")


def _require_layers(same: str, times: tuple[str, ...], **layers: GeoDataFrame) -> None:
    for name, layer in layers.items():
        missing = [column for column in (same, *times) if column not in layer.columns]
        if missing:
            raise ColumnError(
                f"{name} lacks {', '.join(missing)}: it has {', '.join(map(str, layer.columns))}"
            )
        if not layer.index.is_unique:
            twice = layer.index[layer.index.duplicated()][0]
            raise InputError(f"{name} has {twice} twice: drop one of them first")
    require_metres(**layers)
    systems = [layer.crs for layer in layers.values()]
    if any(crs != systems[0] for crs in systems):
        raise CrsError(f"{' and '.join(layers)} differ in CRS: call to_crs(...) on one of them")
