"""Workbooks, Parquet and JSON records as a `Source`.

Cells of a workbook become text as they stand (whole numbers without `.0`, times in ISO form), so
that codes and times go through the same gate as those of a CSV. The first sheet with data is
read unless one is named, and a note says which. The row number is that of the sheet.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from openpyxl.utils.exceptions import InvalidFileException

from geo.errors import InputError
from geo.io._read_text import clean_names, detect_encoding, find_header
from geo.io.read import Source, choose_layers

_MOST_JSON_BYTES = 2**30


def read_excel(path: Path, name: str, layer: str | None) -> Source:
    """Read one sheet of an .xlsx or .xlsm workbook."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that openpyxl does not know
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                title, cells, others = _find_sheet(book, name, layer)
            finally:
                book.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is a broken workbook: {error}") from error
    at = find_header(cells[:200], name)
    header = cells[at]
    width = max(i for i, v in enumerate(header) if v.strip()) + 1
    width = max(width, max((_filled(r) for r in cells[at + 1 :]), default=0))
    columns = clean_names((header + [""] * width)[:width])
    body = cells[at + 1 :]
    while body and not any(body[-1]):
        body.pop()
    data = [(r + [""] * width)[:width] for r in body]
    frame = pd.DataFrame(data, columns=columns, dtype="str")
    notes = [f"{name}: sheet {title} read" + (f", not {others}" if others else "")]
    if any(any(r) for r in cells[:at]):
        notes.append(f"{name}: {at} line(s) above the header left out")
    return Source(name, frame, np.arange(at + 2, at + 2 + len(frame)), notes=tuple(notes))


def _filled(row: list[str]) -> int:
    return max((i + 1 for i, v in enumerate(row) if v), default=0)


def _find_sheet(book: Any, name: str, layer: str | None) -> tuple[str, list[list[str]], str]:
    titles = [sheet.title for sheet in book.worksheets]
    if layer is not None:
        titles = choose_layers(name, titles, layer, "", what="sheets")[:1]
    for title in titles:
        sheet = book[title]
        # The size that some writers state is wrong ("A1"); without it the rows themselves count.
        sheet.reset_dimensions()
        cells = [[_cell(v) for v in row] for row in sheet.iter_rows(values_only=True)]
        if any(any(row) for row in cells):
            rest = ", ".join(t for t in (s.title for s in book.worksheets) if t != title)
            return title, cells, rest
    raise InputError(f"{name} is empty: no sheet has data")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def read_parquet(path: Path, name: str, chunk_rows: int | None) -> Iterator[Source]:
    """Read Parquet or GeoParquet; one without a stated CRS is in longitude and latitude."""
    try:
        file = pq.ParquetFile(path)
        raw = (file.schema_arrow.metadata or {}).get(b"geo")
        if raw is None and chunk_rows is not None:
            yield from _parquet_pieces(file, name, chunk_rows)
            return
        if raw is not None:
            layer = gpd.read_parquet(path)
            shapes = layer.geometry.to_numpy()
            crs = None if layer.crs is None else pyproj.CRS(layer.crs).to_wkt()
            frame = pd.DataFrame(layer.drop(columns=layer.geometry.name))
        else:
            frame, shapes, crs = _plain(file.read()), None, None
            if "geometry" in frame.columns or "geom" in frame.columns:
                frame, shapes = _take_wkb(frame)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{name} is a broken Parquet file: {str(error)[:160]}") from error
    frame = frame.drop(columns=[c for c in ("bbox",) if raw is not None and c in frame.columns])
    frame.columns = clean_names(list(frame.columns))
    yield Source(name, frame, np.arange(1, len(frame) + 1), shapes=shapes, crs=crs, form="vector")


def _plain(table: pa.Table) -> pd.DataFrame:
    whole = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=whole.get)
    return frame.reset_index() if frame.index.name else frame


def _parquet_pieces(file: Any, name: str, chunk_rows: int) -> Iterator[Source]:
    done = 0
    for batch in file.iter_batches(batch_size=chunk_rows):
        frame = _plain(pa.Table.from_batches([batch]))
        frame.columns = clean_names(list(frame.columns))
        yield Source(name, frame, np.arange(done + 1, done + 1 + len(frame)))
        done += len(frame)


def _take_wkb(frame: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """Binaries in a column that is called geometry but not described as one."""
    column = "geometry" if "geometry" in frame.columns else "geom"
    values = frame[column].to_numpy(dtype=object)
    if not any(isinstance(v, bytes) for v in values):
        return frame, None
    wkb = [v if isinstance(v, bytes) else None for v in values]
    return frame.drop(columns=column), shapely.from_wkb(wkb, on_invalid="ignore")


def what_json_is(path: Path, name: str) -> str:
    """`vector` for GeoJSON and its like, `records` for a list of plain objects."""
    with path.open("rb") as file:
        head = file.read(65536)
    compact = b"".join(head.split())
    marks = (b'"FeatureCollection"', b'"type":"Feature"', b'"Topology"', b'"esriGeometry')
    if any(mark in compact for mark in marks):
        return "vector"
    return "records" if compact[:1] == b"[" or b"}{" in compact else "vector"


def read_records(path: Path, name: str) -> Source:
    """Read a JSON list of objects, or one object a line; nested values stay as JSON text."""
    if path.stat().st_size > _MOST_JSON_BYTES:
        raise InputError(f"{name} is too large for JSON records: save it as CSV or Parquet")
    data = path.read_bytes()
    text = data.decode(detect_encoding(data)[0], errors="replace").lstrip("\ufeff")
    try:
        items = json.loads(text)
    except ValueError:
        try:
            items = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise InputError(f"{name} is broken JSON: {error}") from error
    if not isinstance(items, list) or not items or not all(isinstance(i, dict) for i in items):
        raise InputError(f"{name} is no data file: JSON, but no list of records")
    columns = list(dict.fromkeys(key for item in items for key in item))
    rows = [[_json_cell(item.get(c)) for c in columns] for item in items]
    frame = pd.DataFrame(rows, columns=clean_names(columns), dtype="str")
    return Source(name, frame, np.arange(1, len(frame) + 1))


def _json_cell(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return _cell(value)
