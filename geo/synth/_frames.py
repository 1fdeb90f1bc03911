"""Columns and shapes as a workspace would give them back; for the modules that make tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.schema import STORAGE_CRS, TABLES

Shapes = npt.NDArray[np.object_]


def make_times(second: pd.Series) -> pd.Series:
    """Epoch seconds as UTC; the smallest number stands for no time."""
    whole = second.to_numpy(dtype=np.int64)
    none = whole == np.iinfo(np.int64).min
    out = pd.Series(pd.to_datetime(np.where(none, 0, whole), unit="s", utc=True))
    return out.astype("datetime64[us, UTC]").mask(none)


_TYPES = {"text": "str", "integer": "Int64", "real": "float64", "bool": "boolean"}


def make_frame(name: str, columns: dict[str, Any], shapes: Shapes | None = None) -> Any:
    """A table as a workspace would give it back: types of the schema, indexed by its id."""
    table = TABLES[name]
    out = pd.DataFrame({key: pd.Series(value) for key, value in columns.items()})
    for column in table.columns:
        if column.name not in out:
            kind = "datetime64[us, UTC]" if column.kind == "time" else _TYPES[column.kind]
            out[column.name] = pd.Series(None, index=out.index, dtype=kind)
    out = out[list(table.names)]
    for column in table.columns:
        if column.kind in _TYPES:
            out[column.name] = out[column.name].astype(_TYPES[column.kind])
    if name not in ("fixes", "incident_log"):
        out = out.set_index(table.id)
    if shapes is None:
        return out
    if table.shape == "MultiPolygon":
        parts, owner = shapely.get_parts(shapes, return_index=True)
        shapes = shapely.multipolygons(parts, indices=owner)
    return GeoDataFrame(out, geometry=np.asarray(shapes, dtype=object), crs=STORAGE_CRS)


def mend_shapes(shapes: Shapes) -> Shapes:
    """Shapes that rounding bent out of order, made valid; only their surfaces are kept."""
    out = shapes.copy()
    for row in np.flatnonzero(~shapely.is_valid(shapes)):
        parts = shapely.get_parts(shapely.make_valid(shapes[row]))
        out[row] = shapely.multipolygons(
            shapely.get_parts(parts[shapely.get_dimensions(parts) == 2])
        )
    return out
