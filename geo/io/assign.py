"""Put the points of a file into the grids of another, file to file.

Grids stay as they are: points are turned into the CRS of the grids, never the other way round, so
vertices that neighbours share stay shared. Points that are in the same CRS already (or in the other
of WGS-84 and CGCS2000 degrees) are not touched at all, so the rule of `geo.locate` for points on
lines holds to the last bit of the file's numbers.

CSV and Parquet are read in pieces and written piece by piece, so memory does not grow with the
file; other formats are read whole. The output appears whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray

from geo.datum import SHIFTED, convert_points, datum_name
from geo.errors import ColumnError, CrsError, InputError
from geo.io._assign_write import TableWriter, atomic, middles
from geo.io.fields import list_columns, names_of, normalise_name, to_degrees, to_texts
from geo.io.read import read_sources
from geo.locate import GridIndex

CHUNK_ROWS = 1 << 18
"""Rows of a piece: a few dozen columns of text stay below 200 MB."""
OUT_ENDINGS = (".csv", ".parquet")
_GRID_NAMES = ("gridid", "网格编码")

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class AssignReport:
    """What became of the points: `read` = `inside` + `outside` + `unusable`.

    `unusable` have no coordinates, or ones that are no place; `broken` lines of the file could not
    be read as rows at all, are not in the output and not in `read`. `notes` say what was decided.
    """

    read: int
    inside: int
    outside: int
    unusable: int
    broken: int
    grids: int
    notes: tuple[str, ...]


@dataclass
class _Piece:
    """Some rows of the points: all their columns, and where they are."""

    table: pa.Table
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    crs: str | None
    notes: tuple[str, ...] = ()
    broken: int = 0


def assign_file(
    points: str | Path,
    grids: str | Path,
    out: str | Path,
    *,
    lon: str | None = None,
    lat: str | None = None,
    crs: str | None = None,
    grids_crs: str | None = None,
    id_column: str | None = None,
    name: str = "grid_id",
    layer: str | None = None,
    grids_layer: str | None = None,
    chunk_rows: int = CHUNK_ROWS,
    progress: Progress | None = None,
) -> AssignReport:
    """Write the points of a file with the id of the grid that each is in.

    Parameters
    ----------
    points
        CSV, Parquet, GeoPackage, GeoJSON or any other file that the gate reads.
    grids
        Polygons without overlaps, in any CRS.
    out
        File ending in .csv or .parquet: all columns of the points, then `name` (text; empty
        outside). Points that came as shapes get columns `lon` and `lat`; points of GeoParquet
        stay shapes in Parquet.
    lon, lat
        Columns of the coordinates; found by their names where not given.
    crs
        CRS of the points: wgs84, gcj02, bd09, cgcs2000, EPSG:n. Default: the file's own, else the
        one that its column `crs` names (as in our exports), else WGS-84.
    grids_crs
        CRS of the grids; only for a file that states none.
    id_column
        Column of the grids' ids; found by its name where not given, else the first text column.
    layer, grids_layer
        Layers of files that have several.
    progress
        Called with rows done and rows in all (None where nobody knows).

    Raises
    ------
    InputError
        If a file or column cannot be used.
    CoverError
        If grids overlap; the message names the first places.
    """
    points, grids, out = Path(points), Path(grids), Path(out)
    if out.suffix.lower() not in OUT_ENDINGS:
        raise InputError(f"{out} ends in {out.suffix or 'nothing'}: use .csv or .parquet")
    if out.resolve() == grids.resolve():
        raise InputError(f"{out} would overwrite the grids")
    cover, notes = read_grid_file(grids, id_column=id_column, crs=grids_crs, layer=grids_layer)
    index = GridIndex(cover)
    ids = pa.array([*cover.index.tolist(), None], pa.string())
    total = _count_rows(points)
    read = inside = unusable = broken = 0
    with atomic(out) as draft, TableWriter(draft, out.suffix.lower()) as writer:
        for piece in _read_pieces(points, lon, lat, crs, layer, chunk_rows):
            if name in piece.table.column_names:
                raise InputError(f"{points.name} has a column {name} already: name another, --as")
            notes += [note for note in piece.notes if note not in notes]
            x, y, note = _to_crs(piece.x, piece.y, piece.crs, cover.crs)
            notes += [text for text in (note,) if text and text not in notes]
            rows = index.assign(x, y)
            writer.write(piece.table.append_column(name, ids.take(pa.array(rows % len(ids)))))
            read += len(rows)
            inside += int(np.count_nonzero(rows >= 0))
            unusable += int(np.count_nonzero(~(np.isfinite(x) & np.isfinite(y))))
            broken += piece.broken
            if progress is not None:
                progress(read, total)
        if read == 0:
            raise InputError(f"{points.name} has no rows")
    outside = read - inside - unusable
    return AssignReport(read, inside, outside, unusable, broken, len(cover), tuple(notes))


def read_grid_file(
    path: str | Path,
    *,
    id_column: str | None = None,
    crs: str | None = None,
    layer: str | None = None,
) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Read polygons indexed by their ids (text), in the file's CRS, and say which column that is.

    Raises
    ------
    InputError
        If the file has no polygons, no column that can name them, or no CRS.
    """
    path = Path(path)
    source = next(read_sources(path, kind="grids", layer=layer), None)
    if source is None or source.shapes is None:
        raise InputError(f"{path.name} has no shapes: grids are polygons")
    if len(source.frame) == 0:
        raise InputError(f"{path.name} has no rows")
    column = _find_id_column(source.frame, id_column, path.name)
    ids = to_texts(source.frame[column])
    if ids.isna().any():
        raise InputError(f"{path.name}: {int(ids.isna().sum())} grids have no {column}")
    table = pa.Table.from_pandas(source.frame, preserve_index=False)
    stated = source.crs or crs or _named_crs(table, path.name)
    if stated is None:
        raise CrsError(f"{path.name} states no CRS: name it with --grids-crs")
    if datum_name(stated) in SHIFTED:
        raise CrsError(f"grids in {stated} must be converted first: wangge import does it")
    known = pyproj.CRS("EPSG:4326" if datum_name(stated) == "wgs84" else stated)
    cover = gpd.GeoDataFrame(
        geometry=list(source.shapes), index=pd.Index(ids, name="grid_id"), crs=known
    )
    return cover, [f"{path.name}: {len(cover):,} grids, named by column {column}"]


def _find_id_column(frame: pd.DataFrame, wanted: str | None, file: str) -> str:
    if wanted is not None:
        if wanted not in frame.columns:
            raise ColumnError(f"{file} has no column {wanted}: it has {list_columns(frame)}")
        return wanted
    by_name = {normalise_name(column): str(column) for column in reversed(frame.columns)}
    for known in names_of("grids", "grid_id"):
        column = by_name.get(normalise_name(known))
        # One grid may come in several rows (parts); a number of something else would repeat too.
        is_named_so = normalise_name(known) in _GRID_NAMES
        if column is None or frame[column].isna().any():
            continue
        if is_named_so or frame[column].is_unique:
            return column
    for column in frame.columns:
        values = frame[column]
        is_text = pd.api.types.is_string_dtype(values.dtype)
        if is_text and values.notna().all() and values.is_unique:
            return str(column)
    raise ColumnError(
        f"{file} has no column that names its grids: choose one with --id; it has "
        f"{list_columns(frame)}"
    )


def _read_pieces(
    path: Path,
    lon: str | None,
    lat: str | None,
    crs: str | None,
    layer: str | None,
    chunk_rows: int,
) -> Iterator[_Piece]:
    """The rows in pieces; their CRS is the one declared, else the file's, else its column's."""
    if (lon is None) != (lat is None):
        raise InputError("--lon and --lat go together: give both or neither")
    if _is_parquet(path):
        yield from _parquet_pieces(path, lon, lat, crs, chunk_rows)
        return
    for number, source in enumerate(read_sources(path, layer=layer, chunk_rows=chunk_rows)):
        if number and source.form != "table":
            raise InputError(f"{path.name} has several layers: choose one with --layer")
        table = pa.Table.from_pandas(source.frame, preserve_index=False)
        if source.shapes is not None and lon is None:
            x, y = middles(source.shapes)
            table = _with_places(table, x, y)
            stated = crs or source.crs or _named_crs(table, path.name)
            yield _Piece(table, x, y, stated, source.notes, len(source.bad))
            continue
        columns = _find_columns(table.schema.names, lon, lat, path.name)
        x, y = (_numbers(table[column]) for column in columns)
        stated = crs or _named_crs(table, path.name)
        yield _Piece(table, x, y, stated, source.notes, len(source.bad))


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parquet_pieces(
    path: Path, lon: str | None, lat: str | None, declared: str | None, chunk_rows: int
) -> Iterator[_Piece]:
    """Read Parquet as it is typed, GeoParquet with points in well-known binary too."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            schema = file.schema_arrow
            geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
            shape = geo.get("primary_column")
            crs = None
            if shape is not None and lon is None:
                described = geo["columns"][shape]
                if described.get("encoding") != "WKB":
                    raise InputError(f"{path.name}: only points as WKB are read; give --lon, --lat")
                stated = described.get("crs")
                crs = pyproj.CRS.from_json_dict(stated).to_wkt() if stated else None
            else:
                columns = _find_columns(schema.names, lon, lat, path.name)
            for batch in file.iter_batches(batch_size=chunk_rows, use_threads=False):
                table = pa.Table.from_batches([batch], schema)
                if shape is not None and lon is None:
                    x, y = middles(shapely.from_wkb(table[shape].to_numpy()))
                else:
                    x, y = (_numbers(table[column]) for column in columns)
                yield _Piece(table, x, y, declared or crs or _named_crs(table, path.name))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name} is a broken Parquet file: {str(error)[:160]}") from error


def _with_places(table: pa.Table, x: NDArray[np.float64], y: NDArray[np.float64]) -> pa.Table:
    for name, values in (("lon", x), ("lat", y)):
        if name not in table.column_names:
            table = table.append_column(name, pa.array(values, from_pandas=True))
    return table


def _find_columns(
    columns: list[str], lon: str | None, lat: str | None, file: str
) -> tuple[str, str]:
    listed = list_columns(pd.DataFrame(columns=columns))
    found = []
    for field, wanted in (("lon", lon), ("lat", lat)):
        if wanted is not None:
            if wanted not in columns:
                raise ColumnError(f"{file} has no column {wanted}: it has {listed}")
            found.append(wanted)
            continue
        by_name = {normalise_name(column): column for column in reversed(columns)}
        fits = [by_name[n] for n in map(normalise_name, names_of("fixes", field)) if n in by_name]
        if not fits:
            raise ColumnError(
                f"{file} has no column that looks like {field}: name it with --{field}; it has "
                f"{listed}"
            )
        found.append(fits[0])
    return found[0], found[1]


def _named_crs(table: pa.Table, file: str) -> str | None:
    """The CRS that a column of our own exports names (`crs`, 坐标系), None without one.

    Raises
    ------
    CrsError
        If it names several, or one that nobody knows.
    """
    for name in table.column_names:
        if normalise_name(name) not in ("crs", "坐标系"):
            continue
        listed = pc.unique(table[name]).to_pylist()
        named = [text for text in (str(v).strip() for v in listed if v is not None) if text]
        if len(named) > 1:
            raise CrsError(
                f"{file}: column {name} names {', '.join(named[:5])}: points of one file must"
                " share one CRS, say which with --crs"
            )
        for stated in named:
            try:
                datum_name(stated)
            except CrsError as error:
                raise CrsError(f"{file}: column {name}: {error}: say it with --crs") from error
            return stated
    return None


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column as numbers, correctly rounded; NaN where there is none."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            return np.asarray(column.cast(pa.float64(), safe=False), dtype=np.float64).copy()
        except pa.ArrowException as error:
            raise InputError(f"a coordinate column holds {column.type}, not numbers") from error
    text = pc.utf8_trim_whitespace(column)
    plain = pc.match_substring_regex(text, r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
    numbers = pc.if_else(plain, text, pa.scalar(None, text.type)).cast(pa.float64())
    out = np.array(numbers.to_numpy(), dtype=np.float64)
    rest = np.flatnonzero(~np.asarray(pc.fill_null(plain, True), dtype=bool))
    if len(rest):
        # 116°23'29"E, full-width digits, decimal commas: as the gate reads them.
        values = pd.Series(text.take(pa.array(rest)).to_pylist(), dtype="str")
        out[rest] = to_degrees(values)[0].to_numpy(dtype=np.float64)
    return out


def _to_crs(
    x: NDArray[np.float64], y: NDArray[np.float64], crs: str | None, target: pyproj.CRS
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Turn points into the CRS of the grids; NaN for what is no place in their own."""
    stated = crs or "EPSG:4326"
    source = datum_name(stated)
    is_place = np.isfinite(x) & np.isfinite(y)
    parsed = pyproj.CRS("EPSG:4326" if source == "wgs84" or source in SHIFTED else source)
    if parsed.is_geographic:
        is_place &= (np.abs(x) <= 180) & (np.abs(y) <= 90)
    x, y = np.where(is_place, x, np.nan), np.where(is_place, y, np.nan)
    into_degrees = datum_name(target.to_wkt()) == "wgs84"
    same = (source == "wgs84" and into_degrees) or parsed.equals(target, ignore_axis_order=True)
    if same and source not in SHIFTED:
        return x, y, ""
    if source in SHIFTED:
        x, y = convert_points(x, y, source)
    if source not in SHIFTED or not into_degrees:
        change = pyproj.Transformer.from_crs(parsed, target, always_xy=True)
        x, y = change.transform(x, y)
    shown = source if source in SHIFTED else parsed.name
    return np.asarray(x), np.asarray(y), f"points turned from {shown} into {target.name}"


def _count_rows(path: Path) -> int | None:
    """Count the rows of Parquet, and about those of plain text; None where it takes reading."""
    if not path.is_file():
        return None
    if _is_parquet(path):
        try:
            return int(pq.read_metadata(path).num_rows)
        except (pa.ArrowException, OSError):
            return None
    if path.suffix.lower() not in (".csv", ".txt", ".tsv"):
        return None
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    return max(lines - 1, 1)
