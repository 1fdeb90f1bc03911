"""Where points are: unplaced, swapped, on a default point, outside the city.

The city is the union of its grids in force, or of its divisions while it has no grids.

- An incident without usable coordinates is still a case: it stays, without a place. Anything else
  without a place is rejected.
- A row whose coordinates would fall into the city the other way round is rejected as swapped: its
  place can be set right, so it is not kept as unplaced, and never turned by guess.
- A *default point* is where a system puts what it could not find: two or more incidents on
  exactly one point of whole degrees, five and 0.2 % on a point of tenths, or twenty and 1 % on
  any one point, each far from the others (outside the city; without a city twice as far from the
  middle as 95 % of the rest). Its incidents are unplaced.
- A point outside the city stays, and is counted and listed: cameras of a whole country are no
  error, and a case across the border is still a case.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo import datum
from geo.anchor import anchor_coordinates
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger, places_of
from geo.io.times import find_zone
from geo.io.workspace import Workspace
from geo.schema import STORAGE_CRS

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_SAMPLE = 20_000
_ZONE_H = 3.5
_SWAPPED = "latitude and longitude look swapped"


@dataclass(frozen=True)
class City:
    """The ground that the workspace knows: polygons in WGS-84, none while it is empty."""

    cover: GeoDataFrame | None

    @cached_property
    def region(self) -> Any:
        """The union of the cover, prepared; None without one."""
        if self.cover is None:
            return None
        region = shapely.union_all(shapely.make_valid(self.cover.geometry.to_numpy()))
        shapely.prepare(region)
        return region

    def holds(self, lon: Floats, lat: Floats) -> Bools:
        """Which points are in the city, its border included; all are if there is none."""
        if self.region is None:
            return np.ones(len(lon), dtype=bool)
        return np.asarray(shapely.intersects_xy(self.region, lon, lat), dtype=bool)


def read_city(workspace: Workspace) -> City:
    """The city of a workspace: its grids in force, else its divisions that have a shape."""
    grids = workspace.grids()
    if len(grids):
        return City(grids)
    divisions = workspace.read("divisions")
    shaped = divisions[divisions.geometry.notna()] if len(divisions) else divisions
    return City(GeoDataFrame(shaped) if len(shaped) else None)


def place_points(
    draft: pd.DataFrame, city: City, wishes: Wishes, ledger: Ledger, *, whole_file: bool = True
) -> pd.DataFrame:
    """Settle the place of every row; see the rules at the top of the module.

    Incidents that stay unplaced come back without lon and lat. `whole_file` is False for a piece
    of a file, then nothing is concluded from what most rows do.
    """
    has_line = (
        ~shapely.is_missing(draft["_shape"].to_numpy(dtype=object))
        if "_shape" in draft
        else np.zeros(len(draft), dtype=bool)
    )
    draft = _mark_swapped(draft, city, has_line)
    draft, has_line = _reject_swapped(draft, has_line, ledger)
    if wishes.kind == "incidents":
        draft = _mark_default_points(draft, city, ledger)
        draft = _unplace(draft, ledger)
    else:
        for reason in [r for r in draft["_place"].unique() if r]:
            hit = (draft["_place"] == reason).to_numpy()
            metres = "metres? then say --source-crs EPSG:n" if "world" in reason else ""
            draft = ledger.reject(draft, hit, reason, metres)
            has_line = has_line[~hit]
    _point_out_outside(draft, city, wishes, ledger, has_line)
    _doubt_zone(draft, wishes, ledger)
    if whole_file:
        _suspect_datum(draft, city, wishes, ledger)
    return draft


def _numbers(draft: pd.DataFrame) -> tuple[Floats, Floats]:
    return draft["lon"].to_numpy(dtype="float64"), draft["lat"].to_numpy(dtype="float64")


def _mark_swapped(draft: pd.DataFrame, city: City, has_line: Bools) -> pd.DataFrame:
    """Mark rows that fall into the city, or among the others, only the other way round."""
    lon, lat = _numbers(draft)
    fine = (draft["_place"] == "").to_numpy() & ~has_line & (np.abs(lon) <= 90)
    if not fine.any():
        return draft
    swapped = np.zeros(len(draft), dtype=bool)
    if city.region is not None:
        maybe = fine.copy()
        maybe[fine] = ~city.holds(lon[fine], lat[fine])
        swapped[maybe] = city.holds(lat[maybe], lon[maybe])
    elif fine.sum() >= 10:
        mx, my = np.median(lon[fine]), np.median(lat[fine])
        near = np.quantile(np.hypot(lon[fine] - mx, lat[fine] - my), 0.9) + 0.01
        other_way = np.hypot(lat - mx, lon - my)
        own_way = np.hypot(lon - mx, lat - my)
        swapped = fine & (other_way <= 2 * near) & (own_way > np.maximum(10 * near, 1.0))
    if not swapped.any():
        return draft
    return draft.assign(_place=draft["_place"].mask(swapped, _SWAPPED))


def _reject_swapped(
    draft: pd.DataFrame, has_line: Bools, ledger: Ledger
) -> tuple[pd.DataFrame, Bools]:
    hit = (draft["_place"] == _SWAPPED).to_numpy()
    if not hit.any():
        return draft, has_line
    for file in draft.loc[hit, "_file"].unique():
        mine = hit & (draft["_file"] == file).to_numpy()
        used = {f: c for n, f, c in ledger.fields if n == file and f in ("lon", "lat")}
        advice = (
            f"--map lon={used['lat']} --map lat={used['lon']}"
            if len(used) == 2
            else "turn the axes round in the file"
        )
        ledger.warn(
            f"{file}: {int(mine.sum()):,} of {int((draft['_file'] == file).sum()):,} rows look as"
            f" if latitude and longitude were swapped; nothing was turned: if they are, {advice}"
        )
    return ledger.reject(draft, hit, _SWAPPED), has_line[~hit]


def _mark_default_points(draft: pd.DataFrame, city: City, ledger: Ledger) -> pd.DataFrame:
    lon, lat = _numbers(draft)
    fine = (draft["_place"] == "").to_numpy()
    if not fine.any():
        return draft
    counts = pd.DataFrame({"lon": lon[fine], "lat": lat[fine]}).value_counts().reset_index()
    counts = counts[counts["count"] >= 2]
    x, y, n = (counts[c].to_numpy() for c in ("lon", "lat", "count"))
    whole = (x % 1 == 0) & (y % 1 == 0)
    tenths = (np.round(x, 1) == x) & (np.round(y, 1) == y)
    enough = whole | (tenths & (n >= max(5, 0.002 * fine.sum())))
    many = n >= max(20, 0.01 * fine.sum())
    stray = (enough | many) & _is_far(x, y, lon[fine], lat[fine], city, whole | tenths)
    for at in np.flatnonzero(many & ~stray):
        ledger.warn(
            f"{n[at]:,} rows lie on exactly one point ({x[at]:.6f}, {y[at]:.6f}) in the city:"
            " is it where the source puts what it cannot find?"
        )
    if not stray.any():
        return draft
    points = pd.MultiIndex.from_arrays([x[stray], y[stray]])
    hit = fine & pd.MultiIndex.from_arrays([lon, lat]).isin(points)
    shown = ", ".join(
        f"({a:g}, {b:g}) {c:,} times" for a, b, c in zip(x[stray], y[stray], n[stray], strict=True)
    )
    ledger.warn(f"default points of the source taken as no place: {shown}")
    return draft.assign(_place=draft["_place"].mask(hit, "default point of the source"))


def _is_far(x: Floats, y: Floats, lon: Floats, lat: Floats, city: City, round_: Bools) -> Bools:
    """Outside the city, or without one far from where the others are."""
    if city.region is not None:
        return ~city.holds(x, y)
    others = ~((np.round(lon, 1) == lon) & (np.round(lat, 1) == lat))
    if others.sum() < 10:
        return np.zeros(len(x), dtype=bool)
    mx, my = np.median(lon[others]), np.median(lat[others])
    reach = np.quantile(np.hypot(lon[others] - mx, lat[others] - my), 0.95)
    return np.asarray(np.hypot(x - mx, y - my) > 2 * reach, dtype=bool)


def _unplace(draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Keep incidents without a usable place, without coordinates, each reason counted."""
    gone = (draft["_place"] != "").to_numpy()
    if not gone.any():
        return draft
    for reason, rows in draft[gone].groupby("_place", sort=False):
        hit = (draft["_place"] == reason).to_numpy()
        ledger.point_out(draft, hit, f"unplaced: {reason}")
        ledger.warn(f"{len(rows):,} incidents kept as unplaced: {reason}")
    ledger.facts["unplaced"] = ledger.facts.get("unplaced", 0) + int(gone.sum())
    draft = draft.copy()
    draft.loc[gone, ["lon", "lat"]] = np.nan
    return draft


def _point_out_outside(
    draft: pd.DataFrame, city: City, wishes: Wishes, ledger: Ledger, has_line: Bools
) -> None:
    if city.region is None or draft.empty:
        return
    lon, lat = _numbers(draft)
    placed = np.isfinite(lon) & np.isfinite(lat)
    outside = np.zeros(len(draft), dtype=bool)
    outside[placed] = ~city.holds(lon[placed], lat[placed])
    if has_line.any():
        lines = draft["_shape"].to_numpy(dtype=object)[has_line]
        outside[has_line] = ~city.holds(*anchor_coordinates(lines))
    count = int(outside.sum())
    if not count:
        return
    if wishes.kind == "fixes":
        ledger.facts["outside"] = ledger.facts.get("outside", 0) + count
        return
    ledger.point_out(draft, outside, "outside the city")
    ledger.facts["outside"] = ledger.facts.get("outside", 0) + count
    placed_count = int((placed | has_line).sum())
    ledger.warn(
        f"{count:,} of {placed_count:,} {wishes.kind} lie outside the city: kept, they count in"
        " no grid"
    )


def _doubt_zone(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> None:
    """Warn if the assumed zone is far from the sun's time where the rows lie.

    Zones of the world differ from it by up to three hours and a half (western China).
    """
    lon = _numbers(draft)[0]
    if not ledger.zone or not np.isfinite(lon).any():
        return
    offset = wishes.at.astimezone(find_zone(ledger.zone)).utcoffset()
    assert offset is not None
    sun_h = float(np.nanmedian(lon)) / 15
    apart = abs((offset.total_seconds() / 3600 - sun_h + 12) % 24 - 12)
    if apart > _ZONE_H:
        ledger.warn(
            f"times are taken as {ledger.zone}, {apart:.0f} hours from the sun's time where the"
            " rows lie: say the right zone with --timezone"
        )


def _suspect_datum(draft: pd.DataFrame, city: City, wishes: Wishes, ledger: Ledger) -> None:
    lon, lat = _numbers(draft)
    good = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    if city.cover is None or not len(good):
        return
    step = -(-len(good) // _SAMPLE)
    at = good[::step]
    layer = gpd.GeoDataFrame(geometry=shapely.points(lon[at], lat[at]), crs=STORAGE_CRS)
    warn_of_shift(layer, city, wishes, ledger)


def warn_of_shift(
    layer: GeoDataFrame,
    city: City,
    wishes: Wishes,
    ledger: Ledger,
    *,
    lines: GeoDataFrame | None = None,
    points: GeoDataFrame | None = None,
) -> None:
    """Warn, with the measured offset, if the layer seems to be in another datum than declared."""
    declared = datum.datum_name(wishes.source_crs) if wishes.source_crs else "wgs84"
    if declared not in ("wgs84", *datum.SHIFTED):
        declared = "wgs84"
    found = datum.find_layer_shift(
        layer, cover=city.cover, lines=lines, points=points, declared=declared
    )
    if found is not None:
        ledger.facts["datum_suspected"] = found.likely or "unknown"
        ledger.facts["datum_offset_m"] = round(found.offset_m, 1)
        ledger.warn(found.message)


def shapes_of_points(draft: pd.DataFrame) -> npt.NDArray[Any]:
    """The geometry to store for each row: its line, its point, or None."""
    return places_of(draft)
