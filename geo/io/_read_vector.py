"""Whatever GDAL reads: GeoPackage, GeoJSON, Shapefile, KML, OpenStreetMap extracts and the rest.

Whole numbers stay whole where some are missing, times come as text with their zone, and a shape
that cannot be read comes back as missing and marked. The tags of OpenStreetMap that matter here
(`other_tags`) become columns of their own. A shapefile without a `.cpg`, or with a wrong one, is
read in the encoding that its text turns out to have (`_read_dbf`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FieldError, GeometryError

from geo.errors import InputError
from geo.io import _read_curves, _read_dbf, _read_text
from geo.io.read import Source, choose_layers

_OTHER_TAGS = (
    "emergency", "amenity", "natural", "leisure", "man_made", "highway", "railway", "waterway",
    "direction", "camera:direction", "camera:angle", "operator", "addr:street", "addr:housenumber",
    "building:levels", "ref", "shop", "office", "tourism", "surveillance", "surveillance:type",
    "landuse", "fire_hydrant:type", "water", "tunnel", "advertising",
)  # fmt: skip
_OSM_LAYERS = {
    "roads": "lines",
    "assets": "points",
    "cameras": "points",
    "places": "points",
    "incidents": "points",
    "grids": "multipolygons",
    "divisions": "multipolygons",
    "blocks": "multipolygons",
    "buildings": "multipolygons",
    "areas": "multipolygons",
}
_NOT_DATA = {"layer_styles", "qgis_projects", "gpkg_ogr_contents", "wangge_meta"}
_TAG = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')
_WHOLE = {
    pa.int8(): pd.Int64Dtype(),
    pa.int16(): pd.Int64Dtype(),
    pa.int32(): pd.Int64Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
_ERRORS = (DataSourceError, DataLayerError, FieldError, GeometryError, pa.ArrowException)


def _read_vector(
    path: Path, name: str, kind: str, layer: str | None, encoding: str | None
) -> Iterator[Source]:
    """Read the layers that are wanted, one `Source` each."""
    path = _main_part(path, name)
    driver, layers = _list_layers(path, name)
    if driver == "OGR_VRT":
        raise InputError(f"{name} only points at other files: name those")
    if layer is None and driver == "OSM" and kind in _OSM_LAYERS:
        layer = _OSM_LAYERS[kind]
    for chosen in choose_layers(name, layers, layer, kind):
        if driver == "ESRI Shapefile":
            yield _read_shapefile(path, name, chosen, encoding)
            continue
        yield _read_layer(path, name, chosen, driver, encoding, several=len(layers) > 1)


def _read_shapefile(path: Path, name: str, layer: str, encoding: str | None) -> Source:
    encoding, note = _read_dbf.find_encoding(path, name, encoding)
    with _read_dbf.whole_names(path) as (whole, cut):
        source = _read_layer(whole, name, layer, "ESRI Shapefile", encoding, several=False)
    notes = [note] if note else []
    if cut:
        notes.append(f"{name}: names cut by the format: {', '.join(cut.values())}")
    frame = source.frame.rename(columns=cut)
    return replace(source, frame=frame, notes=(*notes, *source.notes))


def _main_part(path: Path, name: str) -> Path:
    if path.suffix.lower() in (".dbf", ".shx", ".prj", ".cpg"):
        for suffix in (".shp", ".SHP"):
            if path.with_suffix(suffix).exists():
                return path.with_suffix(suffix)
    if path.suffix.lower() == ".shp" and not any(
        path.with_suffix(s).exists() for s in (".shx", ".SHX")
    ):
        raise InputError(f"{name} comes without its .shx: all parts of a shapefile are needed")
    return path


def _list_layers(path: Path, name: str) -> tuple[str, list[str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            listed = [str(n) for n, _ in pyogrio.list_layers(path) if str(n) not in _NOT_DATA]
            driver = str(pyogrio.read_info(path, layer=listed[0])["driver"]) if listed else ""
    except _ERRORS as error:
        raise InputError(f"{name} is no data file that is known: {_short(error)}") from error
    except UnicodeDecodeError:
        driver, listed = "ESRI Shapefile", [path.stem]
    if not listed:
        raise InputError(f"{name} holds no layer")
    return driver, listed


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (text.split("; It might")[0]).replace("'/vsimem/", "'")[:160].rstrip(".")


def _read_layer(
    path: Path, name: str, layer: str, driver: str, encoding: str | None, *, several: bool
) -> Source:
    notes: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            meta, table = pyogrio.read_arrow(
                path, layer=layer, encoding=encoding, datetime_as_string=True
            )
            frame, shapes, lost = _take_apart(meta, table)
    except (*_ERRORS, UnicodeDecodeError) as error:
        raise InputError(f"{name}, layer {layer}, cannot be read: {_short(error)}") from error
    notes += sorted({f"{name}: {_short_text(w.message)}" for w in caught if _matters(w)})[:5]
    label = f"{name} (layer {layer})" if several else name
    if several:
        notes.append(f"{name}: layer {layer} read")
    if driver == "OSM":
        frame = _spread_tags(frame)
    return Source(
        label,
        frame,
        np.arange(1, len(frame) + 1),
        shapes=shapes,
        crs=meta["crs"],
        notes=tuple(notes),
        shape_lost=lost,
        form="osm" if driver == "OSM" else "vector",
    )


def _matters(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, (RuntimeWarning, UserWarning))


def _short_text(message: Any) -> str:
    return " ".join(str(message).split())[:200]


def _take_apart(meta: dict[str, Any], table: pa.Table) -> tuple[pd.DataFrame, Any, Any]:
    """Attributes, shapes, and which shapes were there but cannot be read."""
    column = meta["geometry_name"] or "wkb_geometry"
    if column not in table.column_names:
        return _to_pandas(table), None, None
    wkb = table.column(column).to_numpy(zero_copy_only=False)
    shapes = shapely.from_wkb(_read_curves.straighten(wkb), on_invalid="ignore")
    lost = np.array([w is not None for w in wkb], dtype=bool) & shapely.is_missing(shapes)
    return _to_pandas(table.drop_columns([column])), shapes, lost


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    if not table.num_columns:
        return pd.DataFrame(index=pd.RangeIndex(table.num_rows))
    keep = [f.name for f in table.schema if not pa.types.is_binary(f.type)]
    frame: pd.DataFrame = table.select(keep).to_pandas(types_mapper=_WHOLE.get)
    for label in frame.columns:
        if frame[label].dtype == object:
            values = [None if v is None else str(v) for v in frame[label]]
            frame[label] = pd.Series(values, index=frame.index, dtype="str")
    frame.columns = _read_text.clean_names(list(frame.columns))
    return frame


def _spread_tags(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns for the tags that GDAL leaves in `other_tags`; a column that is there is kept."""
    if "other_tags" not in frame.columns:
        return frame
    parsed = [
        dict(_TAG.findall(text)) if isinstance(text, str) else {} for text in frame["other_tags"]
    ]
    out = frame.drop(columns="other_tags")
    if "osm_way_id" in out.columns:
        # Polygons are ways or relations, numbered apart: relations get an r.
        out["osm_id"] = out["osm_way_id"].fillna("r" + out["osm_id"].astype("str"))
    for tag in _OTHER_TAGS:
        values = pd.Series([p.get(tag) for p in parsed], index=frame.index, dtype="str")
        if values.notna().any():
            out[tag] = out[tag].fillna(values) if tag in out.columns else values
    return out.dropna(axis=1, how="all").reindex(
        columns=[c for c in out.columns if c in ("osm_id", "osm_way_id") or out[c].notna().any()]
    )
