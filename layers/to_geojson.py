"""Write shapes as GeoJSON (RFC 7946): WGS-84, longitude first, rings by the right-hand rule.

The id of a row stands at the feature (`id`, which the browser's maps join by) and its columns in
`properties`. Six decimals are 11 cm on the ground. The text of geometries is built by shapely and
everything else joined once, which is several times quicker than `GeoDataFrame.to_json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from pyproj import CRS

from geo.errors import ColumnError, CrsError
from layers.maplayer import MapLayer

DECIMALS = 6


def frame_to_geojson(
    features: GeoDataFrame,
    columns: Sequence[str] | None = None,
    *,
    decimals: int = DECIMALS,
) -> bytes:
    """Write a table as a FeatureCollection, UTF-8.

    Parameters
    ----------
    features
        Shapes in EPSG:4326; the index gives the ids of the features.
    columns
        Columns that become properties; all of them without it. Missing values become null, times
        ISO 8601.
    decimals
        Figures behind the point of a degree.

    Returns
    -------
    bytes
        One feature a row, in the order of the rows; a row without a place has geometry null.
    """
    if features.crs is None or CRS.from_user_input(features.crs).to_epsg() != 4326:
        raise CrsError(f"features are in {features.crs}, not EPSG:4326: call to_crs(4326) first")
    names = [c for c in features.columns if c != features.geometry.name]
    if columns is not None:
        missing = [name for name in columns if name not in names]
        if missing:
            raise ColumnError(f"no column {', '.join(missing)}: there are {', '.join(names)}")
        names = list(columns)
    ids = (json.dumps(str(label), ensure_ascii=False) for label in features.index)
    rows = zip(
        ids, _geometries(features.geometry.to_numpy(), decimals), _rows(features, names),
        strict=True,
    )  # fmt: skip
    body = ",\n".join(
        f'{{"type":"Feature","id":{label},"properties":{{{row}}},"geometry":{shape}}}'
        for label, shape, row in rows
    )
    return f'{{"type":"FeatureCollection","features":[\n{body}\n]}}'.encode()


def to_geojson(layer: MapLayer, columns: Sequence[str] | None = None) -> bytes:
    """Write a layer as a FeatureCollection with its colours and hover texts, UTF-8."""
    return frame_to_geojson(layer.features, columns)


def shapes_to_geojson(features: GeoDataFrame, columns: Sequence[str] = ()) -> bytes:
    """Write shapes and ids only, for maps that get their colours apart from their geometry."""
    return frame_to_geojson(features, columns)


def _geometries(shapes: np.ndarray, decimals: int) -> Iterable[str]:
    """The GeoJSON text of each shape, `null` for none; rings turn the way RFC 7946 asks."""
    kinds = shapely.get_type_id(shapes)
    rounded = shapes.copy()
    flat = np.isin(kinds, (3, 6))
    # `set_precision` would collapse a sliver; rounding vertex by vertex keeps each ring as it is,
    # and keeps neighbours together since both round the same number.
    some = ~shapely.is_missing(shapes)
    rounded[some] = shapely.transform(shapes[some], lambda xy: np.round(xy, decimals))
    rounded[flat] = shapely.orient_polygons(rounded[flat])
    text = shapely.to_geojson(rounded)
    return ("null" if shape is None else shape for shape in text)


def _rows(features: GeoDataFrame, names: Sequence[str]) -> Iterable[str]:
    """The members of `properties` of each row, without the braces."""
    if not names:
        return ("" for _ in range(len(features)))
    keys = [json.dumps(name, ensure_ascii=False) for name in names]
    columns = [_column(features[name]) for name in names]
    return (
        ",".join(f"{key}:{value}" for key, value in zip(keys, row, strict=True))
        for row in zip(*columns, strict=True)
    )


def _column(values: pd.Series) -> list[str]:
    """Each value as JSON text."""
    missing = values.isna().to_numpy()
    if pd.api.types.is_bool_dtype(values.dtype):
        text = [
            "null" if gone else ("true" if v else "false") for v, gone in _with(values, missing)
        ]
    elif pd.api.types.is_integer_dtype(values.dtype):
        text = ["null" if gone else str(int(v)) for v, gone in _with(values, missing)]
    elif pd.api.types.is_float_dtype(values.dtype):
        finite = np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan))
        text = [f"{v:.10g}" if ok else "null" for v, ok in zip(values, finite, strict=True)]
    elif pd.api.types.is_datetime64_any_dtype(values.dtype):
        text = ["null" if gone else f'"{v.isoformat()}"' for v, gone in _with(values, missing)]
    else:
        text = [
            "null" if gone else json.dumps(_plain(v), ensure_ascii=False)
            for v, gone in _with(values, missing)
        ]
    return text


def _with(values: pd.Series, missing: np.ndarray) -> Iterable[tuple[Any, bool]]:
    return zip(values, missing, strict=True)


def _plain(value: object) -> object:
    """A value that JSON knows: numbers and booleans as they are, anything else as text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (bool, int, float, str)) else str(value)
