"""Frames to rows and rows to frames, by the columns of `geo.schema`.

Both directions work a column at a time. A frame that goes in may carry its id as index or as
column; a frame that comes out is indexed by it. A column that the table does not know is refused
rather than dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.errors import ColumnError, CrsError, InputError
from geo.io.gpkg import from_blobs, to_blobs
from geo.schema import STORAGE_CRS, Column, Table


def to_rows(table: Table, frame: pd.DataFrame) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The rows of a frame as the database takes them.

    Returns
    -------
    names, rows
        Column names (geometry as `geom`, last) and one tuple a row, in the frame's order.

    Raises
    ------
    ColumnError
        If the frame has a column that the table lacks, or lacks one that must be filled.
    CrsError
        If geometries are not in EPSG:4326.
    InputError
        If a value does not fit its column; the message names the column and the first bad row.
    """
    flat = frame.reset_index() if set(frame.index.names) & set(table.names) else frame
    shape_column = flat.geometry.name if isinstance(flat, GeoDataFrame) else None
    given = [name for name in flat.columns if name != shape_column]
    unknown = sorted(set(given) - set(table.names))
    if unknown:
        raise ColumnError(
            f"{table.name} has no column {', '.join(unknown)}: it has {', '.join(table.names)}"
        )
    values = [_to_list(table, table.column(str(name)), flat[name]) for name in given]
    missing = [c.name for c in table.columns if c.required and c.name not in given]
    if missing:
        raise ColumnError(f"{table.name} needs {', '.join(missing)}: the frame lacks it")
    names = [str(name) for name in given]
    if table.shape is not None and shape_column is not None:
        values.append(to_blobs(_stored_shapes(table, flat)))
        names.append("geom")
    return names, list(zip(*values, strict=True))


def _stored_shapes(table: Table, frame: GeoDataFrame) -> Any:
    if frame.crs is None or not frame.crs.equals(STORAGE_CRS, ignore_axis_order=True):
        raise CrsError(
            f"{table.name} is in {frame.crs}, not {STORAGE_CRS}: call geo.datum.to_wgs84 first"
        )
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    if table.needs_shape and shapely.is_missing(shapes).any():
        row = int(np.flatnonzero(shapely.is_missing(shapes))[0])
        raise InputError(f"{table.name}: row {row} has no geometry: reject it before it is stored")
    if table.shape in ("MultiPolygon", "MultiLineString"):
        return promote(shapes, table.shape)
    return shapes


def promote(shapes: Any, shape: str) -> Any:
    """Single polygons (or lines) as multi ones of one part, so that a column has one type.

    Raises
    ------
    InputError
        If a geometry is of another kind.
    """
    single, multi = (3, 6) if shape == "MultiPolygon" else (1, 5)
    make = shapely.multipolygons if single == 3 else shapely.multilinestrings
    kinds = shapely.get_type_id(shapes)
    strange = ~np.isin(kinds, (single, multi, -1))
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        raise InputError(f"row {row} is a {shapes[row].geom_type}, not a {shape}")
    out = np.array(shapes, dtype=object)
    at = np.flatnonzero(kinds == single)
    out[at] = make(out[at], indices=np.arange(len(at))) if len(at) else out[at]
    return out


def _to_list(table: Table, column: Column, values: pd.Series) -> list[Any]:
    gone = values.isna().to_numpy()
    if column.required and gone.any():
        row = int(np.flatnonzero(gone)[0])
        raise InputError(f"{table.name}.{column.name} is empty in row {row}: it must be filled")
    try:
        plain = _CONVERT[column.kind](values[~gone])
    except (TypeError, ValueError) as error:
        raise InputError(f"{table.name}.{column.name} cannot be {column.kind}: {error}") from error
    out = np.full(len(values), None, dtype=object)
    out[~gone] = plain
    return list(out.tolist())


def _to_texts(values: pd.Series) -> Any:
    return values.astype(str).to_numpy(dtype=object)


def _to_integers(values: pd.Series) -> Any:
    return values.astype("int64").to_numpy().astype(object)


def _to_reals(values: pd.Series) -> Any:
    return values.astype("float64").to_numpy().astype(object)


def _to_bools(values: pd.Series) -> Any:
    return values.astype(bool).to_numpy().astype(object)


def _to_times(values: pd.Series) -> Any:
    """Texts of one fixed form in UTC, see `geo.io.gpkg.UtcTime`."""
    if len(values) == 0:
        return np.array([], dtype=object)
    moments = values if hasattr(values, "dt") else pd.to_datetime(values)
    if moments.dt.tz is None:
        raise ValueError("its times have no zone: localize them first")
    utc = moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ms]")
    return np.char.add(np.datetime_as_string(utc, unit="ms"), "Z").astype(object)


_CONVERT = {
    "text": _to_texts,
    "integer": _to_integers,
    "real": _to_reals,
    "bool": _to_bools,
    "time": _to_times,
}


def to_frame(
    table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> pd.DataFrame | GeoDataFrame:
    """Rows of the database as a frame indexed by the table's id.

    `names` are the columns of the rows in order; times arrive as text. Frames of tables whose key
    is more than one thing (`fixes`, `incident_log`) keep a plain numbering.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    data = {
        name: _from_list(table.column(name), values)
        for name, values in zip(names, columns, strict=True)
        if name != "geom"
    }
    index = pd.RangeIndex(len(rows))
    if "geom" in names:
        shapes = from_blobs(columns[list(names).index("geom")])
        frame: pd.DataFrame = gpd.GeoDataFrame(data, geometry=shapes, crs=STORAGE_CRS, index=index)
    else:
        frame = pd.DataFrame(data, index=index)
    is_named = table.name not in ("fixes", "incident_log") and table.id in data
    return frame.set_index(table.id) if is_named else frame


def _from_list(column: Column, values: Sequence[Any]) -> Any:
    if column.kind == "time":
        moments = pd.to_datetime(pd.Series(values, dtype="str"), utc=True, format="ISO8601")
        return moments.astype("datetime64[us, UTC]")
    kinds = {"text": "str", "integer": "Int64", "real": "float64", "bool": "boolean"}
    if column.kind == "bool":
        values = [None if value is None else bool(value) for value in values]
    return pd.Series(values, dtype=kinds[column.kind])
