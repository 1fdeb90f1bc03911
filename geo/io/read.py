"""Any file to a `Source`: columns as they stand in the file, shapes, and what had to be decided.

What a file is, its first bytes say, not its name: a PNG called data.csv is refused, an archive
called data.bin is opened. Text columns stay text (a code keeps its leading zeros) and nothing is
filled in or left out here: a row that cannot be read at all comes back in `bad` with its reason.

Limits against archives that are built to fill a disk: 4 GiB unpacked in all, 200 times the packed
size once past 50 MiB, 10,000 entries, three archives inside each other. Entities in XML are
refused, so no file can make the parser grow or reach for another file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.errors import InputError

ALL_LAYERS = "*"
"""As `layer`: read every layer of the file, one after the other."""

_SNIFF_BYTES = 4096

_STRANGERS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM\x00", "a picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"RIFF", "a media file"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file: save it as .xlsx"),
)
_PACKED = ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ", "xz"))


@dataclass(frozen=True)
class Source:
    """Rows of one layer of one file, or a piece of them when a file is read in pieces.

    `frame` has the file's columns; `shapes` one geometry a row (None: the file has no shapes);
    `rows` the number of each row as a person finds it in the file, from 1 (in Excel the number
    of the sheet's row). `bad` lists rows that could not be read: row, reason, detail.
    `shape_lost` marks rows whose geometry was there but could not be read. `guarded`: an apostrophe
    before a formula is no part of the text (as in CSV that our exports write).
    """

    name: str
    frame: pd.DataFrame
    rows: npt.NDArray[np.int64]
    shapes: npt.NDArray[Any] | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()
    bad: pd.DataFrame = field(default_factory=lambda: no_bad_rows())
    shape_lost: npt.NDArray[np.bool_] | None = None
    form: str = "table"
    guarded: bool = False
    files: npt.NDArray[Any] | None = None
    """Name of the file of each row, where several were joined."""

    @property
    def read(self) -> int:
        """Rows of the file, readable or not."""
        return len(self.frame) + len(self.bad)


def no_bad_rows() -> pd.DataFrame:
    """An empty list of rows that could not be read."""
    return pd.DataFrame({"row": pd.Series(dtype="int64"), "reason": "", "detail": ""}).iloc[:0]


def read_sources(
    path: str | Path,
    *,
    kind: str = "",
    layer: str | None = None,
    encoding: str | None = None,
    chunk_rows: int | None = None,
) -> Iterator[Source]:
    """Read a file of any known format.

    Parameters
    ----------
    path
        GeoPackage, GeoJSON, Shapefile, GeoParquet, Parquet, CSV, Excel, GPX, GraphML, OSM, any
        other vector format of GDAL, or an archive (zip, gz, bz2, xz; also inside each other).
    kind
        What the rows are to become (a name of `geo.schema.IMPORT_KINDS`): it picks tracks or
        waypoints of a GPX file and the layer of an OpenStreetMap extract.
    layer
        Name of a layer, sheet or file in an archive; `*` reads all of them. A file with several
        layers needs it, unless one is called like `kind`.
    encoding
        Of text; found out where not given, and named in `notes`.
    chunk_rows
        Read CSV and Parquet in pieces of about so many rows; other formats come whole.

    Yields
    ------
    Source
        In the order of the file.

    Raises
    ------
    InputError
        If the file is missing, empty, no data file, beyond the limits, or the layer is not clear.
        One line that names the file and says what to do.
    """
    path = Path(path)
    _require_file(path)
    with contextlib.ExitStack() as stack:
        yield from _read(path, path.name, _Wish(kind, layer, encoding, chunk_rows), stack, 0)


@dataclass(frozen=True)
class _Wish:
    kind: str
    layer: str | None
    encoding: str | None
    chunk_rows: int | None


def _require_file(path: Path) -> None:
    if path.is_dir() and path.suffix.lower() != ".gdb":
        raise InputError(f"{path} is a folder: name a file in it")
    if not path.exists():
        raise InputError(f"{path} is not there")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    if not path.is_dir() and not path.is_file():
        raise InputError(f"{path} is no ordinary file")


def _read(
    path: Path, name: str, wish: _Wish, stack: contextlib.ExitStack, depth: int
) -> Iterator[Source]:
    from geo.io import _read_pack, _read_table, _read_text, _read_vector, _read_xml

    form = _what_is(path, name)
    if form in ("gz", "bz2", "xz", "zip"):
        if depth >= _read_pack.MOST_NESTED:
            raise InputError(f"{name}: more than {depth} archives inside each other: unpack it")
        yield from _read_packed(path, name, form, wish, stack, depth)
    elif form == "xlsx":
        yield _read_table.read_excel(path, name, wish.layer)
    elif form == "parquet":
        yield from _read_table.read_parquet(path, name, wish.chunk_rows)
    elif form == "records":
        yield _read_table.read_records(path, name)
    elif form == "gpx":
        yield _read_xml.read_gpx(path, name, wish.kind)
    elif form == "graphml":
        yield _read_xml.read_graphml(path, name, wish.layer)
    elif form == "csv":
        yield from _read_text.read_csv(path, name, wish.encoding, wish.chunk_rows)
    else:
        if form == "xml":
            _read_xml.refuse_entities(path, name)
        yield from _read_vector._read_vector(path, name, wish.kind, wish.layer, wish.encoding)


def _read_packed(
    path: Path, name: str, form: str, wish: _Wish, stack: contextlib.ExitStack, depth: int
) -> Iterator[Source]:
    from geo.io import _read_pack

    if form != "zip":
        inner = _read_pack.unpack_stream(path, name, form, stack)
        yield from _read(inner, f"{name}", wish, stack, depth + 1)
        return
    found = _read_pack.unpack_zip(path, name, stack)
    if len(found) == 1:
        inner, inner_name = found[0]
        yield from _read(inner, f"{name}/{inner_name}", wish, stack, depth + 1)
        return
    names = [inner_name for _, inner_name in found]
    wanted = choose_layers(name, names, wish.layer, wish.kind, what="files")
    for inner, inner_name in found:
        if inner_name in wanted:
            whole = _Wish(wish.kind, None, wish.encoding, wish.chunk_rows)
            yield from _read(inner, f"{name}/{inner_name}", whole, stack, depth + 1)


def choose_layers(
    name: str, layers: list[str], layer: str | None, kind: str, *, what: str = "layers"
) -> list[str]:
    """The layers to read: the named one, all, the only one, or the one called like `kind`.

    Raises
    ------
    InputError
        If none is named and there are several, or the named one is not there; lists them.
    """
    if layer == ALL_LAYERS:
        return layers
    if layer is not None:
        if layer in layers:
            return [layer]
        ends = [x for x in layers if Path(x).name == layer or Path(x).stem == layer]
        if len(ends) == 1:
            return ends
        raise InputError(f"{name} has no layer {layer}: it has {_some(layers)}")
    if len(layers) == 1:
        return layers
    if kind in layers:
        return [kind]
    raise InputError(
        f"{name} holds {len(layers)} {what}: {_some(layers)}: name one with --layer"
        f" (--layer '{ALL_LAYERS}' reads all)"
    )


def _some(names: list[str], most: int = 20) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _what_is(path: Path, name: str) -> str:
    """The form of a file by its first bytes."""
    if path.is_dir():
        return "vector"
    if path.stat().st_size == 0:
        raise InputError(f"{name} is empty")
    with path.open("rb") as file:
        head = file.read(_SNIFF_BYTES)
    for start, what in _STRANGERS:
        if head.startswith(start):
            raise InputError(f"{name} is no data file but {what}")
    for start, form in _PACKED:
        if head.startswith(start):
            return form
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        from geo.io import _read_pack

        return _read_pack.kind_of_zip(path, name)
    if head.startswith(b"PAR1"):
        return "parquet"
    if _is_binary_map(path, head):
        return "vector"
    return _what_text_is(path, name, head)


def _is_binary_map(path: Path, head: bytes) -> bool:
    return (
        head.startswith((b"SQLite format 3\x00", b"\x00\x00\x27\x0a", b"fgb"))
        or b"OSMHeader" in head[:40]
        or (path.suffix.lower() in (".dbf", ".mif", ".tab", ".dxf", ".dgn", ".gdb", ".pmtiles"))
    )


def _what_text_is(path: Path, name: str, head: bytes) -> str:
    from geo.io import _read_table, _read_text, _read_xml

    start = _read_text.decode_start(head)
    if start is None:
        raise InputError(f"{name} is no data file: neither text nor a format that is known")
    text = start.lstrip("\ufeff \t\r\n")
    low = text[:400].lower()
    if not text and path.stat().st_size <= _SNIFF_BYTES:
        raise InputError(f"{name} is empty")
    if low.startswith(("<!doctype html", "<html", "<head", "<body", "<table")):
        raise InputError(f"{name} is no data file but a web page (HTML)")
    if low.startswith("<"):
        return _read_xml.what_xml_is(path, name)
    if low[:1] in ("{", "["):
        return _read_table.what_json_is(path, name)
    return "csv"
