"""Where the rows of a source are, in WGS-84.

The conversion happens here, once, by what the file or the caller says, never by guess. A place
that cannot be used is marked in `_place` with its reason; what becomes of the row is decided
later (`geo.io._gate_points`, `geo.io._gate_areas`).
"""

from __future__ import annotations

import warnings
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from geo import datum
from geo.errors import ColumnError, CrsError
from geo.io import fields
from geo.io._gate_wishes import POINT_KINDS, Wishes
from geo.io.fields import FieldMap
from geo.io.gate_report import Ledger
from geo.io.read import Source
from geo.schema import STORAGE_CRS, TABLES

APART_M = 10.0
"""Columns and shape may differ so much: the widest accuracy class of assets, C (CJ/T 214)."""
_MOST_BEYOND = 0.01
"""Share of rows beyond degrees from which columns called x and y are taken for metres."""
_DEGREE_M = 111_195.0  # of a great circle on the mean sphere


def read_places(
    draft: pd.DataFrame,
    raw: pd.DataFrame,
    found: FieldMap,
    source: Source,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    """Fill `lon`, `lat`, `_shape` and `_place` of a draft, as the kind has them."""
    kind = wishes.kind
    if TABLES[kind].shape is None and kind != "fixes":
        return
    shapes, lost = source.shapes, source.shape_lost
    if shapes is None and found.has("wkt"):
        shapes, lost = _from_wkt(found.values(raw, "wkt"))
    if kind in (*POINT_KINDS, "fixes"):
        _read_points(draft, raw, found, source, shapes, lost, wishes, ledger)
        return
    if shapes is None:
        if TABLES[kind].needs_shape:
            raise ColumnError(
                f"{source.name} has no shapes and no column of them (WKT), {kind} need them: its"
                f" columns are {fields.list_columns(source.frame)}; say --map wkt=COLUMN"
            )
        return
    draft["_shape"] = to_storage(shapes, source, _crs_column(raw, found), wishes, ledger)
    draft["_place"] = _shape_faults(shapes, lost)


def _shape_faults(shapes: Any, lost: Any) -> npt.NDArray[Any]:
    faults = np.full(len(shapes), "", dtype=object)
    faults[shapely.is_missing(shapes) | shapely.is_empty(shapes)] = "no shape"
    if lost is not None:
        faults[lost] = "shape cannot be read"
    return faults


def _from_wkt(values: pd.Series) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    text = values.astype("str").str.replace(r"^\s*SRID=\d+;", "", regex=True).str.strip()
    listed = [t if isinstance(t, str) and t else None for t in text]
    shapes = np.asarray(shapely.from_wkt(listed, on_invalid="ignore"), dtype=object)
    there = np.array([t is not None for t in listed], dtype=bool)
    return shapes, there & shapely.is_missing(shapes)


def to_storage(
    shapes: npt.NDArray[Any], source: Source, named: str | None, wishes: Wishes, ledger: Ledger
) -> npt.NDArray[Any]:
    """Shapes in WGS-84 degrees, two-dimensional.

    By the CRS declared, or else the file's, or else the one that its column `crs` names.
    """
    flat = shapely.force_2d(shapes)
    if shapely.has_z(shapes).any() or shapely.has_m(shapes).any():
        ledger.note(f"{source.name}: heights and measures of shapes left out")
    stated = wishes.source_crs or source.crs or named
    if stated is None:
        bounds = shapely.total_bounds(flat)
        if np.isfinite(bounds).all() and (np.abs(bounds) > (180, 90, 180, 90)).any():
            raise CrsError(
                f"{source.name} names no CRS and its numbers are no degrees"
                f" (x {bounds[0]:,.0f} to {bounds[2]:,.0f}): say --source-crs EPSG:n"
            )
        ledger.crs.append(
            f"{source.name}: none in the file, taken as wgs84 (its numbers are degrees)"
        )
        stated = "wgs84"
    else:
        how = "declared" if wishes.source_crs else "by the file" if source.crs else "by its column"
        ledger.crs.append(f"{source.name}: {crs_name(stated)} {how}, stored as {STORAGE_CRS}")
    layer = gpd.GeoDataFrame(geometry=list(flat), crs=_crs_or_none(source.crs))
    return np.asarray(
        _convert(lambda: datum.to_wgs84(layer, stated), ledger).geometry, dtype=object
    )


def crs_name(stated: str) -> str:
    """A CRS in few words: its code and name, or the datum's name."""
    if datum.datum_name(stated) in ("wgs84", "gcj02", "bd09"):
        return str(datum.datum_name(stated))
    try:
        crs = pyproj.CRS(stated)
    except pyproj.exceptions.CRSError:
        return str(stated)
    code = crs.to_authority()
    return f"{':'.join(code)} ({crs.name})" if code else crs.name


def _crs_or_none(stated: str | None) -> pyproj.CRS | None:
    try:
        return None if stated is None else pyproj.CRS(stated)
    except pyproj.exceptions.CRSError as error:
        raise CrsError(f"the file's CRS cannot be read: {error}: say --source-crs") from error


def _convert(work: Any, ledger: Ledger) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", datum.DatumWarning)
        out = work()
    for warning in caught:
        ledger.warn(str(warning.message))
    return out


def _read_points(
    draft: pd.DataFrame,
    raw: pd.DataFrame,
    found: FieldMap,
    source: Source,
    shapes: Any,
    lost: Any,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    """Fill `lon`, `lat` (degrees, WGS-84), `_place` and, for lines, `_shape`."""
    columns = _column_points(raw, found)
    if shapes is None and columns is None:
        if wishes.mapping.get("lon") in fields.NO_COLUMN or wishes.mapping.get("place") == "-":
            draft["lon"], draft["lat"] = np.nan, np.nan
            draft["_place"] = "no coordinates"
            return
        extra = (
            " (--map lon=- keeps incidents without a place)" if wishes.kind == "incidents" else ""
        )
        raise ColumnError(
            f"{source.name} has no column for lon, lat: its columns are"
            f" {fields.list_columns(source.frame)}; say --map lon=COLUMN --map lat=COLUMN{extra}"
        )
    if shapes is None:
        assert columns is not None
        in_degrees = _is_degrees(raw, found, wishes)
        if in_degrees:
            _require_degrees(columns, found, source)
        lon, lat, faults = _check_numbers(*columns, in_degrees)
        draft["lon"], draft["lat"] = _convert_columns(lon, lat, raw, found, source, wishes, ledger)
        draft["_place"] = faults
        _mark_unreachable(draft)
        return
    _place_shapes(draft, raw, found, source, shapes, lost, wishes, ledger)
    if columns is not None:
        _compare_columns(draft, columns, raw, found, source, wishes, ledger)


def _place_shapes(
    draft: pd.DataFrame,
    raw: pd.DataFrame,
    found: FieldMap,
    source: Source,
    shapes: Any,
    lost: Any,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    """Points as `lon` and `lat`, other shapes as they are; each fault with its reason."""
    single = _single_points(shapes)
    single[shapely.is_empty(single)] = None
    is_point = shapely.get_type_id(single) == 0
    faults = _shape_faults(shapes, lost)
    x, y = (np.full(len(shapes), np.nan) for _ in range(2))
    x[is_point], y[is_point] = shapely.get_x(single[is_point]), shapely.get_y(single[is_point])
    other = ~is_point & (faults == "")
    named = _crs_column(raw, found)
    in_degrees = _shape_is_degrees(source, named, wishes)
    x2, y2, marks = _check_numbers(pd.Series(x), pd.Series(y), None, in_degrees)
    faults = np.where(faults != "", faults, np.where(is_point, marks, ""))
    faults = np.where(faults == "no shape", "no coordinates", faults)
    usable = np.array(single, dtype=object)
    usable[is_point & (faults != "")] = None
    stored = to_storage(usable, source, named, wishes, ledger)
    here = is_point & (faults == "")
    draft["lon"], draft["lat"] = np.nan, np.nan
    draft.loc[here, "lon"], draft.loc[here, "lat"] = (
        shapely.get_x(stored[here]),
        shapely.get_y(stored[here]),
    )
    # What cannot be placed keeps its numbers for the list of problems, unless it was projected.
    if in_degrees:
        gone = is_point & ~here
        draft.loc[gone, "lon"], draft.loc[gone, "lat"] = x2[gone], y2[gone]
    draft["_place"] = faults
    if other.any():
        lines = np.full(len(draft), None, dtype=object)
        lines[other] = stored[other]
        draft["_shape"] = lines
    _mark_unreachable(draft)


def _require_degrees(
    columns: tuple[pd.Series, pd.Series, Any], found: FieldMap, source: Source
) -> None:
    """Columns called x and y may be metres: then they are refused, not read as degrees."""
    names = [found.columns.get(f, "") for f in ("lon", "lat")]
    if not all(fields.is_vague_name(n) for n in names):
        return
    beyond = (columns[0].abs() > 180) | (columns[1].abs() > 180)
    if beyond.mean() > _MOST_BEYOND:
        raise CrsError(
            f"{source.name}: columns {' and '.join(names)} are no degrees"
            f" ({columns[0].min():,.0f} to {columns[0].max():,.0f}): say --source-crs EPSG:n"
        )


def _single_points(shapes: Any) -> npt.NDArray[Any]:
    """A multipoint of one part is that point."""
    out = np.array(shapes, dtype=object)
    alone = (shapely.get_type_id(out) == 4) & (shapely.get_num_geometries(out) == 1)
    out[alone] = shapely.get_geometry(out[alone], 0)
    return out


def _column_points(
    raw: pd.DataFrame, found: FieldMap
) -> tuple[pd.Series, pd.Series, npt.NDArray[np.bool_] | None] | None:
    """Longitude, latitude and which of them are no numbers, from columns; None without any."""
    if found.has("lon") and found.has("lat"):
        lon, bad_lon = fields.to_degrees(found.values(raw, "lon"))
        lat, bad_lat = fields.to_degrees(found.values(raw, "lat"))
        return lon, lat, bad_lon | bad_lat
    if found.has("place"):
        lon, lat = fields.parse_pairs(found.values(raw, "place"))
        return lon, lat, None
    return None


def _is_degrees(raw: pd.DataFrame, found: FieldMap, wishes: Wishes) -> bool:
    stated = wishes.source_crs or _crs_column(raw, found)
    if stated is None or datum.datum_name(stated) in ("wgs84", "gcj02", "bd09"):
        return True
    return pyproj.CRS(stated).is_geographic


def _shape_is_degrees(source: Source, named: str | None, wishes: Wishes) -> bool:
    if source.crs is not None and not pyproj.CRS(source.crs).is_geographic:
        return False
    stated = wishes.source_crs or (named if source.crs is None else None)
    if stated is None or datum.datum_name(stated) in ("wgs84", "gcj02", "bd09"):
        return True
    return pyproj.CRS(stated).is_geographic


def _crs_column(raw: pd.DataFrame, found: FieldMap) -> str | None:
    """The CRS that a column of our own exports names, if all rows agree and it is one."""
    if "crs" not in found.columns:
        return None
    named = raw[found.columns["crs"]].dropna().astype("str").str.strip().unique()
    if len(named) != 1:
        return None
    try:
        name = datum.datum_name(named[0])
        if name not in ("wgs84", "gcj02", "bd09"):
            pyproj.CRS(name)
    except (CrsError, pyproj.exceptions.CRSError):
        return None
    return str(named[0])


def _check_numbers(
    lon: pd.Series, lat: pd.Series, bad: npt.NDArray[np.bool_] | None, in_degrees: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[Any]]:
    x, y = (s.to_numpy(dtype="float64", na_value=np.nan) for s in (lon, lat))
    faults = np.full(len(x), "", dtype=object)
    if in_degrees:
        beyond = (np.abs(x) > 180) | (np.abs(y) > 90)
        faults[beyond] = "coordinates outside the world"
        turned = beyond & (np.abs(y) <= 180) & (np.abs(x) <= 90)
        faults[turned] = "latitude and longitude look swapped"
    faults[(np.abs(x) < 1e-9) & (np.abs(y) < 1e-9)] = "coordinates are 0, 0"
    faults[~(np.isfinite(x) & np.isfinite(y))] = "no coordinates"
    if bad is not None:
        faults[bad] = "coordinates are no numbers"
    return x, y, faults


def _convert_columns(
    lon: npt.NDArray[np.float64],
    lat: npt.NDArray[np.float64],
    raw: pd.DataFrame,
    found: FieldMap,
    source: Source,
    wishes: Wishes,
    ledger: Ledger,
) -> tuple[Any, Any]:
    column = _crs_column(raw, found)
    stated = wishes.source_crs or column or "wgs84"
    how = (
        "declared"
        if wishes.source_crs
        else ("by its column" if column else "assumed, none is named")
    )
    line = f"{source.name}: columns {crs_name(stated)} {how}, stored as {STORAGE_CRS}"
    if line not in ledger.crs:
        ledger.crs.append(line)
    if datum.datum_name(stated) == "wgs84":
        return lon, lat
    good = np.isfinite(lon) & np.isfinite(lat)
    x, y = lon.copy(), lat.copy()
    if good.any():
        x[good], y[good] = _convert(
            lambda: datum.convert_points(lon[good], lat[good], stated), ledger
        )
    return x, y


def _mark_unreachable(draft: pd.DataFrame) -> None:
    """What a projection cannot turn into degrees is outside the world."""
    lon, lat = draft["lon"].to_numpy(), draft["lat"].to_numpy()
    fine = (draft["_place"] == "").to_numpy()
    if "_shape" in draft:
        fine = fine & shapely.is_missing(draft["_shape"].to_numpy(dtype=object))
    gone = fine & ~(
        np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
    )
    draft.loc[gone, "_place"] = "coordinates outside the world"


def _compare_columns(
    draft: pd.DataFrame,
    columns: tuple[pd.Series, pd.Series, Any],
    raw: pd.DataFrame,
    found: FieldMap,
    source: Source,
    wishes: Wishes,
    ledger: Ledger,
) -> None:
    """The shape counts; columns that say another place are pointed out, and fill what it lacks."""
    lon, lat, faults = _check_numbers(columns[0], columns[1], columns[2], in_degrees=True)
    shifted = wishes.source_crs is not None and datum.datum_name(wishes.source_crs) in (
        "gcj02",
        "bd09",
    )
    if shifted:
        lon, lat = _convert(lambda: datum.convert_points(lon, lat, wishes.source_crs), ledger)
    usable = faults == ""
    gap = draft["_place"].isin(["no coordinates", "coordinates are 0, 0"]).to_numpy() & usable
    if gap.any():
        ledger.repair("place taken from the columns, the shape was missing", int(gap.sum()))
        draft.loc[gap, "lon"], draft.loc[gap, "lat"] = lon[gap], lat[gap]
        draft.loc[gap, "_place"] = ""
    both = usable & (draft["_place"] == "").to_numpy() & draft["lon"].notna().to_numpy()
    east = (lon - draft["lon"].to_numpy()) * np.cos(np.radians(draft["lat"].to_numpy()))
    apart = np.hypot(east, lat - draft["lat"].to_numpy()) * _DEGREE_M
    far = both & (apart > APART_M)
    if far.any():
        pair = " and ".join(found.columns.get(f, f) for f in ("lon", "lat"))
        text = pd.Series(apart).map("{:,.0f} m apart".format)
        count = ledger.point_out(draft, far, "shape and columns disagree", text)
        ledger.warn(
            f"{source.name}: in {count:,} rows {pair} say a place more than {APART_M:.0f} m"
            " from the shape; the shape counts"
        )
