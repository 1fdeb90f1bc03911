"""Archives, unpacked into a folder that goes away, within limits (see `geo.io.read`).

The limits count bytes as they come out, not as the archive claims.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Any

from geo.errors import InputError

MOST_BYTES = 4 * 2**30
FREE_BYTES = 50 * 2**20
MOST_RATIO = 200
MOST_ENTRIES = 10_000
MOST_NESTED = 3
_PIECE = 2**20

_DATA = {
    ".shp", ".csv", ".tsv", ".txt", ".geojson", ".json", ".gpkg", ".parquet", ".geoparquet",
    ".xlsx", ".xlsm", ".gpx", ".graphml", ".pbf", ".osm", ".kml", ".kmz", ".gml", ".fgb", ".gz",
    ".zip", ".bz2", ".xz", ".tab", ".mif", ".dxf", ".sqlite", ".ods", ".geojsonl", ".ndjson",
}  # fmt: skip
_SHAPE_PARTS = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qpj", ".shp.xml")
_WORDS_ABOUT = ("readme", "license", "licence", "说明", "metadata", "changelog")


def kind_of_zip(path: Path, name: str) -> str:
    """`xlsx` for a workbook, `vector` for KMZ and ODS, else `zip`."""
    with _open_zip(path, name) as archive:
        names = {entry.filename for entry in archive.infolist()[:MOST_ENTRIES]}
        if "xl/workbook.xml" in names or "[Content_Types].xml" in names:
            _require_modest(path, name, sum(e.file_size for e in archive.infolist()))
            if "xl/workbook.xml" not in names:
                raise InputError(f"{name} is no data file but an office document")
            return "xlsx"
        if "mimetype" in names and "content.xml" in names:
            raise InputError(f"{name} is an OpenDocument file: save it as .xlsx or .csv")
    return "vector" if "doc.kml" in names else "zip"


def unpack_stream(path: Path, name: str, form: str, stack: contextlib.ExitStack) -> Path:
    """Unpack a gz, bz2 or xz file; returns the file inside, named as it was before packing."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wangge-")))
    target = folder / (Path(name).stem if Path(name).suffix else "data")
    openers: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    with _reading(name), openers[form](path, "rb") as packed:
        _copy(packed, target, path, name, 0)
    return target


def unpack_zip(path: Path, name: str, stack: contextlib.ExitStack) -> list[tuple[Path, str]]:
    """Unpack an archive; returns the data files in it with their names, in its order.

    The parts of a shapefile count as one file; notes, previews and hidden files do not count.
    """
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wangge-")))
    spent = 0
    with _open_zip(path, name) as archive:
        entries = [e for e in archive.infolist() if not e.is_dir()]
        if len(entries) > MOST_ENTRIES:
            raise InputError(f"{name} holds {len(entries):,} files, more than {MOST_ENTRIES:,}")
        _require_modest(path, name, sum(e.file_size for e in entries))
        kept: list[tuple[Path, str]] = []
        for number, entry in enumerate(entries):
            inside = _true_name(entry)
            if not _may_matter(inside):
                continue
            if entry.flag_bits & 1:
                raise InputError(f"{name} is locked with a password: unpack it first")
            target = folder / _safe_name(inside, number)
            target.parent.mkdir(parents=True, exist_ok=True)
            with _reading(name), archive.open(entry) as packed:
                spent = _copy(packed, target, path, name, spent)
            kept.append((target, inside))
    found = [(p, n) for p, n in kept if p.suffix.lower() in _DATA and p.stat().st_size]
    if not found:
        raise InputError(f"{name} holds no data file")
    return found


def _may_matter(inside: str) -> bool:
    pure = PurePosixPath(inside)
    hidden = any(p.startswith((".", "__MACOSX", "~$")) and p != ".." for p in pure.parts)
    low = pure.name.lower()
    about = low.startswith(_WORDS_ABOUT) and pure.suffix.lower() in (".txt", ".md", ".json")
    known = pure.suffix.lower() in _DATA or low.endswith(_SHAPE_PARTS)
    return known and not hidden and not about


def _safe_name(inside: str, number: int) -> Path:
    """A name below our folder, whatever the archive says; parts of a shapefile stay together."""
    pure = PurePosixPath(inside.replace("\\", "/"))
    parts = [p for p in pure.parts if p not in ("..", "/", ".", "") and not p.endswith(":")]
    return Path(*parts) if parts else Path(f"entry-{number}")


def _true_name(entry: zipfile.ZipInfo) -> str:
    """Names that are not marked as UTF-8 are GBK more often than the code page of 1981."""
    if entry.flag_bits & 0x800 or entry.filename.isascii():
        return entry.filename
    raw = entry.filename.encode("cp437", errors="replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename


def _open_zip(path: Path, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{name} is a broken zip archive: {error}") from error


@contextlib.contextmanager
def _reading(name: str) -> Any:
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"{name} is a broken archive: {error}") from error
    except NotImplementedError as error:
        raise InputError(f"{name} is packed in a way that is not known: unpack it") from error


def _copy(packed: IO[bytes], target: Path, path: Path, name: str, spent: int) -> int:
    with target.open("wb") as out:
        while piece := packed.read(_PIECE):
            spent += len(piece)
            _require_modest(path, name, spent)
            out.write(piece)
    return spent


def _require_modest(path: Path, name: str, unpacked: int) -> None:
    ratio = unpacked / max(path.stat().st_size, 1)
    if unpacked > MOST_BYTES or (unpacked > FREE_BYTES and ratio > MOST_RATIO):
        raise InputError(
            f"{name} unpacks to more than {MOST_BYTES // 2**30} GiB or {MOST_RATIO} times its"
            " size: refused as a possible zip bomb, unpack it yourself if you trust it"
        )
