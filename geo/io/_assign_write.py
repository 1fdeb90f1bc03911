"""Tables of points out to CSV and Parquet, piece by piece, whole or not at all.

Used by `geo.io.assign`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from geo.errors import InputError, StoreError


def middles(shapes: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of points (of points in sets of one too); NaN for all other shapes."""
    shapes = np.asarray(shapes, dtype=object).copy()
    alone = (shapely.get_type_id(shapes) == 4) & (shapely.get_num_geometries(shapes) == 1)
    shapes[alone] = shapely.get_geometry(shapes[alone], 0)
    shapes[shapely.get_type_id(shapes) != 0] = None
    return shapely.get_x(shapes), shapely.get_y(shapes)


class TableWriter:
    """Write tables one after the other to a CSV or Parquet file."""

    def __init__(self, path: Path, ending: str) -> None:
        self._path = path
        self._ending = ending
        self._out: Any = None
        self._schema: Any = None

    def __enter__(self) -> TableWriter:
        return self

    def write(self, table: pa.Table) -> None:
        if self._ending == ".csv":
            table = _as_text(table)
        try:
            if self._out is None:
                self._schema = table.schema
                open_ = pacsv.CSVWriter if self._ending == ".csv" else pq.ParquetWriter
                self._out = open_(str(self._path), self._schema)
            self._out.write_table(table.cast(self._schema))
        except OSError as error:
            raise StoreError(f"cannot write {self._path.name}: {error}") from error

    def __exit__(self, *_: object) -> None:
        if self._out is not None:
            self._out.close()


def _as_text(table: pa.Table) -> pa.Table:
    """Leave out what a text cannot say: shapes, which have their lon and lat, and nested values."""
    shape = json.loads((table.schema.metadata or {}).get(b"geo", b"{}")).get("primary_column")
    for field in table.schema:
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            if field.name == shape and "lon" not in table.column_names:
                shapes = shapely.from_wkb(table[field.name].to_numpy())
                at = table.num_columns - 1
                for name, values in zip(("lat", "lon"), middles(shapes)[::-1], strict=True):
                    table = table.add_column(at, name, pa.array(values, from_pandas=True))
            table = table.drop_columns([field.name])
        elif pa.types.is_nested(field.type):
            table = table.drop_columns([field.name])
        elif pa.types.is_dictionary(field.type):
            at = table.column_names.index(field.name)
            table = table.set_column(at, field.name, table[field.name].cast(field.type.value_type))
    return table


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a draft beside the file, which takes its place once it is whole."""
    path = path.resolve()
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no folder: make it first")
    try:
        folder = tempfile.mkdtemp(prefix=f".{path.stem}-", dir=path.parent)
    except OSError as error:
        raise StoreError(f"cannot write beside {path}: {error.strerror or error}") from error
    try:
        draft = Path(folder) / path.name
        yield draft
        try:
            os.replace(draft, path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
