"""Places that rounds must visit: which are due, and whether somebody was there long enough.

A visit is a stay: passing through the circle of a place takes 37 s at most (see STAY_S). A street
piece is walked if enough of its samples were passed. A place is `unknown` only if a silence could
hide a visit: long enough for the stay and for the way there and back. Public names are handed on by
`geo.rounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from geopandas import GeoDataFrame, GeoSeries

from geo._fixes_tracks import to_times
from geo._rounds_kernels import smooth
from geo._rounds_schedule import PlaceRule, Schedule, unit_rows
from geo._rounds_spans import Spans, times_at
from geo._rounds_visits import judge_lines, judge_points
from geo.anchor import find_anchors
from geo.errors import InputError
from geo.fixes import GAP_S
from geo.locate import GridIndex

SMOOTH_S = 15.0
"""Fixes this long before and after are averaged before the distance to a place is taken: seven of a
phone that reports every 5 s leave 3.8 m of 10 m of noise; straight walking is unchanged."""

LEAVE_S = 20.0
"""Who is out of the circle for less has not left; our assumption, a few wild fixes take that."""

WALK_MS = 1.4
"""How soon somebody near may have come; preferred walking speed (Browning et al. 2006, 1.4 m/s)."""

HURRY_MS = 5.0
"""18 km/h, by bicycle: what a silence may hide is judged in favour of the worker; our
assumption."""

SAMPLE_M = 10.0
"""Streets are looked at every ten metres, half of what counts as near."""

PLACE_COLUMNS = (
    "grid_id", "date", "shift", "role", "place_id", "kind", "name", "x", "y", "state", "reason",
    "worker_id", "at", "near_m", "stay_s", "stay_need_s", "within_m", "share", "round",
)  # fmt: skip
_STATES = np.array(["not_visited", "unknown", "probable", "visited"], dtype=object)


@dataclass(frozen=True, eq=False)
class PlaceBook:
    """Every place of a schedule with the grid that it lies in."""

    table: pd.DataFrame
    """`place_id`, `kind`, `name`, `row` (of the grid), `x`, `y` (metres), `shift`, `role`,
    `every_days`, `turn` (0 to every_days - 1), `stay_s`, `within_m`, `share`, `first` and `count`
    of its samples."""
    sample_x: npt.NDArray[np.float64]
    sample_y: npt.NDArray[np.float64]

    def due_on(self, day: date) -> npt.NDArray[np.bool_]:
        """Which places are due on a day."""
        every = self.table["every_days"].to_numpy(dtype=np.int64)
        turn = self.table["turn"].to_numpy(dtype=np.int64)
        return np.asarray((day.toordinal() + turn) % every == 0)


def build_places(
    schedule: Schedule,
    grids: GeoDataFrame,
    *,
    assets: GeoDataFrame | None = None,
    roads: GeoDataFrame | None = None,
    units: pd.DataFrame | None = None,
) -> PlaceBook:
    """Find the places that a schedule names, and the grid of each.

    Parameters
    ----------
    grids, assets, roads
        In metres and the same CRS. Assets (cameras among them) by `asset_id` with `class_code`,
        roads by `road_id`. A place outside all grids is owed by nobody and left out.
    units
        As for `judge_rounds`.

    Raises
    ------
    InputError
        If a rule names an asset or road that is not there, or grids overlap.
    """
    index = GridIndex(grids)
    parts = []
    for rule in schedule.places:
        found = _find(rule, grids, assets, roads)
        row = index.assign(found["x"].to_numpy(float), found["y"].to_numpy(float))
        inside = unit_rows(rule.unit, grids.index, units)[1]
        keep = (row >= 0) & inside[np.maximum(row, 0)] if len(grids) else row > 0
        found = found.assign(row=row)[keep]
        parts.append(_number(found, rule))
    columns = ["place_id", "name", "x", "y", "row", "sx", "sy"]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return _book(whole)


def _find(
    rule: PlaceRule, grids: GeoDataFrame, assets: GeoDataFrame | None, roads: GeoDataFrame | None
) -> pd.DataFrame:
    """The points of a rule: places, or samples of a street."""
    if rule.kind == "street":
        if roads is None or rule.target not in roads.index:
            raise InputError(f"{rule.place} names the road {rule.target}, which is not there")
        line = roads.geometry.loc[rule.target]
        steps = max(1, int(np.ceil(line.length / SAMPLE_M)))
        points = shapely.line_interpolate_point(
            shapely.line_merge(line) if line.geom_type == "MultiLineString" else line,
            (np.arange(steps) + 0.5) / steps,
            normalized=True,
        )
        ids, named = [rule.target] * steps, [rule.name] * steps
    elif rule.kind == "checkpoint" and not rule.target:
        to_metres = pyproj.Transformer.from_crs("EPSG:4326", grids.crs, always_xy=True)
        points = np.array([shapely.Point(*to_metres.transform(rule.lon, rule.lat))])
        ids, named = [rule.place], [rule.name]
    else:
        chosen = _assets(rule, assets)
        points = _anchors(chosen, grids)
        ids = [str(label) for label in chosen.index]
        told = chosen["name"].fillna("") if "name" in chosen else [""] * len(chosen)
        named = [rule.name or str(name) for name in told]
    return pd.DataFrame(
        {"place_id": ids, "name": named, "x": shapely.get_x(points), "y": shapely.get_y(points)}
    )


def _anchors(chosen: GeoDataFrame, grids: GeoDataFrame) -> npt.NDArray[np.object_]:
    """The points that stand for assets, in metres: those that every page measures from."""
    if not len(chosen):
        return np.empty(0, dtype=object)
    points = find_anchors(chosen.geometry.to_crs("EPSG:4326").to_numpy())
    metric = GeoSeries(points, crs="EPSG:4326").to_crs(grids.crs)
    return np.asarray(metric.to_numpy(), dtype=object)


def _assets(rule: PlaceRule, assets: GeoDataFrame | None) -> GeoDataFrame:
    if rule.target:
        if assets is None or rule.target not in assets.index:
            raise InputError(f"{rule.place} names the asset {rule.target}, which is not there")
        return assets.loc[[rule.target]]
    if assets is None:
        return GeoDataFrame({"class_code": []}, geometry=[], crs=None)
    code = assets["class_code"].astype(str)
    there = assets["state"].ne("removed").fillna(True) if "state" in assets else True
    return assets[code.str.startswith(rule.class_code) & there]


def _number(found: pd.DataFrame, rule: PlaceRule) -> pd.DataFrame:
    """One row a place and grid with its samples, and the turn on which it is due."""
    rows = []
    for (row, place), group in found.groupby(["row", "place_id"], sort=True):
        middle = group.iloc[len(group) // 2]
        rows.append((place, middle["name"], middle["x"], middle["y"], row,
                     group["x"].to_numpy(), group["y"].to_numpy()))  # fmt: skip
    table = pd.DataFrame(rows, columns=["place_id", "name", "x", "y", "row", "sx", "sy"])
    return table.assign(
        kind=rule.kind, shift=rule.shift, role=rule.role, every_days=rule.every_days,
        turn=table.groupby("row").cumcount() % rule.every_days if len(table) else [],
        stay_s=rule.stay_s, within_m=rule.within_m, share=rule.share,
    )  # fmt: skip


def _book(whole: pd.DataFrame) -> PlaceBook:
    if not len(whole):
        names = ("place_id", "name", "kind", "shift", "role")
        numbers = (
            "row",
            "x",
            "y",
            "every_days",
            "turn",
            "stay_s",
            "within_m",
            "share",
            "first",
            "count",
        )
        empty = {name: pd.Series(dtype="str") for name in names}
        empty |= {name: pd.Series(dtype="float64") for name in numbers}
        return PlaceBook(pd.DataFrame(empty), np.empty(0), np.empty(0))
    count = whole["sx"].map(len).to_numpy()
    xs, ys = (np.concatenate(whole[name].to_list()).astype(float) for name in ("sx", "sy"))
    table = whole.drop(columns=["sx", "sy"]).assign(count=count, first=np.cumsum(count) - count)
    return PlaceBook(table, xs, ys)


def judge_places(
    book: PlaceBook | None, owed: pd.DataFrame, spans: Spans, day: date
) -> pd.DataFrame:
    """What became of each place that was due on each round."""
    if book is None or not len(book.table):
        return pd.DataFrame({name: pd.Series(dtype="int64") for name in PLACE_COLUMNS})
    items = _due(book, owed, day)
    tracks = spans.tracks
    x, y = smooth(tracks.first, tracks.micro, tracks.x, tracks.y, int(SMOOTH_S * 1e6))
    is_street = (items["kind"] == "street").to_numpy()
    parts = [
        _points(items[~is_street], spans, x, y),
        _streets(items[is_street], book, spans, x, y),
    ]
    told = pd.concat([part for part in parts if len(part)] or parts[:1]).sort_index()
    round_ = told["round"].to_numpy()
    mine = owed.iloc[round_]
    return told.assign(
        grid_id=mine["grid_id"].to_numpy(), date=day.isoformat(), shift=mine["shift"].to_numpy(),
        role=mine["role"].to_numpy(), stay_need_s=told["stay_need_s"],
    )[list(PLACE_COLUMNS)].reset_index(drop=True)  # fmt: skip


def _due(book: PlaceBook, owed: pd.DataFrame, day: date) -> pd.DataFrame:
    """Each place that is due with each round of its grid that it belongs to."""
    table = book.table[book.due_on(day)].rename(columns={"shift": "only", "role": "only_role"})
    rounds = owed[["row", "shift", "role"]].assign(round=np.arange(len(owed)))
    items = rounds.merge(table.assign(row=table["row"].astype(np.intp)), on="row", how="inner")
    fits = (items["only"] == "") | (items["only"] == items["shift"])
    fits &= (items["only_role"] == "") | (items["only_role"] == items["role"])
    return items[fits].reset_index(drop=True)


def _points(items: pd.DataFrame, spans: Spans, x: object, y: object) -> pd.DataFrame:
    state, by, since, stayed, nearest, nearest_at = judge_points(
        items["round"].to_numpy(np.int64), items["x"].to_numpy(float), items["y"].to_numpy(float),
        items["within_m"].to_numpy(float), (items["stay_s"].to_numpy(float) * 1e6).astype(np.int64),
        spans.first, spans.waits, spans.a, spans.b, spans.low, spans.high, spans.tracks.micro, x, y,
        int(GAP_S * 1e6), int(LEAVE_S * 1e6), WALK_MS, HURRY_MS,
    )  # fmt: skip
    when = times_at(spans.tracks.micro, nearest_at)
    begun = to_times(since)
    was_near = nearest <= items["within_m"].to_numpy(float)
    return _told(items, spans, _STATES[state], by, nearest).assign(
        at=np.where(since >= 0, begun, when) if len(items) else when,
        stay_s=stayed / 1e6,
        share=np.nan,
        reason=_why(state, was_near, nearest),
    )


def _streets(
    items: pd.DataFrame, book: PlaceBook, spans: Spans, x: object, y: object
) -> pd.DataFrame:
    count = items["count"].to_numpy(np.int64)
    first = np.concatenate([[0], np.cumsum(count)])
    at = np.repeat(items["first"].to_numpy(np.int64), count)
    at = at + np.arange(first[-1]) - np.repeat(first[:-1], count)
    hit, by, since, nearest, nearest_at = judge_lines(
        items["round"].to_numpy(np.int64), first, book.sample_x[at], book.sample_y[at],
        items["within_m"].to_numpy(float), spans.first, spans.waits, spans.a, spans.b, spans.low,
        spans.high, spans.tracks.micro, x, y, int(GAP_S * 1e6), HURRY_MS,
    )  # fmt: skip
    number = np.repeat(np.arange(len(items)), count)
    low, high = (
        np.bincount(number[hit >= least], minlength=len(items)) / np.maximum(count, 1)
        for least in (2, 1)
    )
    need = items["share"].to_numpy(float)
    state = np.where(low >= need, 3, np.where(high >= need, np.where(low > 0, 2, 1), 0))
    when = times_at(spans.tracks.micro, nearest_at)
    return _told(items, spans, _STATES[state], by, nearest).assign(
        at=np.where(since >= 0, to_times(since), when) if len(items) else when,
        stay_s=np.nan,
        share=low,
        reason=_why(state, low > 0, nearest),
    )


def _told(
    items: pd.DataFrame, spans: Spans, state: npt.NDArray[np.object_], by: npt.NDArray[np.int64],
    nearest: npt.NDArray[np.float64],
) -> pd.DataFrame:  # fmt: skip
    people = np.append(spans.people.to_numpy(dtype=object)[spans.who], "")
    return pd.DataFrame(
        {
            "round": items["round"],
            "place_id": items["place_id"],
            "kind": items["kind"],
            "name": items["name"],
            "x": items["x"].astype(float),
            "y": items["y"].astype(float),
            "state": pd.array(state, dtype="str"),
            "worker_id": people[by],
            "near_m": np.where(np.isfinite(nearest), nearest, np.nan),
            "stay_need_s": items["stay_s"].astype(float),
            "within_m": items["within_m"].astype(float),
        },
        index=items.index,
    )


def _why(
    state: npt.NDArray[np.integer], was_near: npt.NDArray[np.bool_],
    nearest: npt.NDArray[np.float64],
) -> npt.NDArray[np.object_]:  # fmt: skip
    """passed_by: near, and not for long; sparse: the fixes are too far apart to tell."""
    choices = [state == 3, state == 2, state == 1, was_near]
    return np.select(choices, ["", "sparse", "no_signal", "passed_by"], default="far")
